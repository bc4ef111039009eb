"""Predictions of a set of parameters for the rows of the tables: error rates, thresholds, resistances, loops.

The model is one device with rectangular pulses. A torque per current is constant under current drive, except
for its own asymmetry; under voltage drive it changes with the resistance while the magnetization turns. A
torque per voltage is constant under voltage drive and changes with the resistance under current drive.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.physics import rate_table, tunneling
from mtjchar.physics.fokker_planck import STABILITY_RANGE
from mtjchar.physics.long_pulses import log_exponent
from mtjchar.physics.torque import TorqueLaw
from mtjchar.stackfit.data.field_steps import FieldSteps
from mtjchar.stackfit.film import Device, Film, FilmValues
from mtjchar.stackfit.loops import log_staying
from mtjchar.stackfit.parameters import DIRECTIONAL, Values, value_in

__all__ = ["Pulses", "Rows", "SwitchingModel", "log_exponent_at"]

_POINTS, _LEVELS = 9, 6  # of the search for a threshold: within 20/8^6 of the critical current, then a line
_LARGEST_EXPONENT = 600.0
_LEAST_DURATION = 1e-12  # s
_LEAST_RATE = 1e-300
_STEP = 1e-3  # of a relative amplitude, for a slope
_LEAST_SLOPE = 0.3  # of ln(-ln WER) over the logarithm of the amplitude
_ROUNDS = 3


class Rows(Protocol):
    """Inputs of the parameters of a device: direction and temperature of each row."""

    @property
    def reverse(self) -> BoolArray:
        """AP to P."""

    @property
    def temperature(self) -> FloatArray:
        """K."""


@dataclass(frozen=True)
class Pulses:
    """Rows of switching or threshold tables, as arrays of shape (rows,).

    Attributes
    ----------
    amplitude : ndarray
        V or A, above 0 in the direction of the row.
    voltage : ndarray of bool
        Whether `amplitude` is a voltage.
    duration : ndarray
        s.
    reverse : ndarray of bool
        AP to P.
    temperature : ndarray
        K.
    """

    amplitude: FloatArray
    voltage: BoolArray
    duration: FloatArray
    reverse: BoolArray
    temperature: FloatArray

    @classmethod
    def of(cls, rows: pd.DataFrame, temperature: float) -> Pulses:
        """Make pulses from the rows of tables; rows without a temperature are at `temperature`."""
        empty = pd.Series(np.nan, index=rows.index)
        volts = rows.get("amplitude_V", empty).to_numpy(dtype=np.float64)
        amperes = rows.get("current_A", empty).to_numpy(dtype=np.float64)
        voltage = np.isfinite(volts)
        direction = rows.get("direction", pd.Series(DIRECTIONS[0], index=rows.index)).fillna(DIRECTIONS[0])
        kelvin = rows.get("temperature_K", empty).to_numpy(dtype=np.float64)
        return cls(
            np.where(voltage, volts, amperes),
            voltage,
            rows["duration_s"].to_numpy(dtype=np.float64),
            (direction == DIRECTIONS[1]).to_numpy(),
            np.where(np.isfinite(kelvin), kelvin, temperature),
        )

    @property
    def directions(self) -> tuple[str, ...]:
        """Directions of the rows."""
        return tuple(direction for k, direction in enumerate(DIRECTIONS) if np.any(self.reverse == bool(k)))

    @property
    def at_rest(self) -> BoolArray:
        """Where nothing drives, so that a bit can come back: retention."""
        return np.asarray(self.amplitude == 0.0)

    def backwards(self) -> Pulses:
        """Return the same rows from the other state."""
        return Pulses(self.amplitude, self.voltage, self.duration, ~self.reverse, self.temperature)

    def at(self, amplitude: FloatArray) -> Pulses:
        """Return the same rows with other amplitudes, of shape (..., rows)."""
        return Pulses(amplitude, self.voltage, self.duration, self.reverse, self.temperature)


class _Systems(NamedTuple):
    """Inputs of the Fokker-Planck equation for each row; arrays of one shape."""

    overdrive: FloatArray  # before the write
    current: FloatArray  # relative change of the current up to the state after the write
    bend: FloatArray  # (Lambda^2 - 1)/(Lambda^2 + 1), of the torque's asymmetry; negative from AP to P
    stability: FloatArray
    field: FloatArray  # over the anisotropy field, positive if it holds the state before the write
    start: FloatArray  # m_z before the write
    # For a torque per voltage under current drive; otherwise 1 and 0.
    bias: FloatArray  # I R_P over the voltage that halves the TMR
    tmr: FloatArray  # at zero bias

    def drive(self, z: FloatArray) -> FloatArray:
        """Overdrive over m_z, 1 being the state before the write."""
        current = self.overdrive * (1.0 + 0.5 * self.current * (1.0 - z))
        # P Lambda^2/[(Lambda^2 + 1) + (Lambda^2 - 1) m_z], over its value at z = 1.
        bent = current * (1.0 + self.bend) / (1.0 + self.bend * z)
        if not self.tmr.any():
            return np.asarray(bent)
        return np.asarray(bent * self._voltage(z) / self._voltage(np.ones(1)))

    def _voltage(self, z: FloatArray) -> FloatArray:
        """Voltage across the junction over the one that halves the TMR; 1 where `tmr` is 0."""
        unit = np.ones(1)
        return tunneling.voltage_at_current(self.bias, self.start * z, unit, self.tmr, unit)


@dataclass(frozen=True)
class SwitchingModel:
    """Error rates of a device.

    Values of parameters are numbers, or arrays of shape (sets, 1) for many sets of parameters at once; the
    results then have the shape (sets, rows).

    Parameters
    ----------
    film : Film or None
        Needed for voltages, for several temperatures, and for fields if the anisotropy field is not given.
    torque : {"voltage", "current"}, optional
        Torque law; default: that of the film's stack. Without a film it is "current", because a
        torque per voltage needs the resistance.
    """

    film: Film | None
    torque: TorqueLaw | None = None

    @property
    def law(self) -> TorqueLaw:
        """Torque law."""
        return self.torque or ("current" if self.film is None else self.film.stack.torque)

    def device(self, values: Values, rows: Rows) -> Device:
        """Device parameters of each row."""
        own = Device(*(_directional(values, name, rows.reverse) for name in DIRECTIONAL))
        if self.film is None or np.all(rows.temperature == self.film.temperature):
            return own
        film = self.film.film(own)
        return self.film.device(FilmValues(*film), rows.temperature)

    def anisotropy_field(self, values: Values, rows: Rows, stability: FloatArray) -> FloatArray:
        """Anisotropy field mu0 Hk of each row, T, for the stabilities of the rows.

        By default it is that of the film's moment. A given value holds at the temperature of the fit, and
        changes with temperature like the film's.
        """
        own = values.get("anisotropy_field")
        if self.film is None:
            assert own is not None  # ensured when the data are checked
            return np.broadcast_to(own, np.broadcast_shapes(np.shape(own), stability.shape))
        field = self.film.anisotropy_field(stability, rows.temperature)
        if own is None:
            return field
        at_fit = self.film.anisotropy_field(_directional(values, "stability", rows.reverse))
        return np.asarray(own * field / at_fit)

    def log_staying(self, values: Values, steps: FieldSteps) -> FloatArray:
        """Natural logarithm of the probability that the state survives each step of a swept field."""
        device = self.device(values, steps)
        field = self.anisotropy_field(values, steps, device.stability)
        return log_staying(
            steps, device.stability, field, device.relaxation_time, values.get("offset_field", 0.0)
        )

    def load_line(
        self, values: Values, pulses: Pulses, critical: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Overdrive of each row before the write, its relative change, and the current's part of that.

        The change is twice that up to m_z = 0, where a write is decided, so that the load line is
        extrapolated linearly from there. The current's part is that up to the end, of a torque per current.
        """
        if self.law == "voltage":
            return self._voltage_line(values, pulses, critical)
        # The torque is P/2 in P and Lambda^2 times that in AP, see torque.spin_torque_efficiency.
        square = values.get("slonczewski_lambda", 1.0) ** 2
        before = np.where(pulses.reverse, square, 1.0)
        current, ratio = pulses.amplitude, np.ones_like(pulses.amplitude)
        if pulses.voltage.any():
            parallel, excess = self.resistances(values, pulses)
            # Conductance is linear in m_z: 1/R_P in P and 1/(R_P (1 + TMR)) in AP at that voltage.
            low = pulses.amplitude / parallel
            first = np.where(pulses.reverse, low / (1.0 + excess), low)
            current = np.where(pulses.voltage, first, current)
            turned = np.where(pulses.reverse, 1.0 + excess, 1.0 / (1.0 + excess))
            ratio = np.where(pulses.voltage, turned, ratio)
        torque_at_0 = 2.0 * square / (square + 1.0) / before
        return current * before / critical, (1.0 + ratio) * torque_at_0 - 2.0, ratio - 1.0

    def _voltage_line(
        self, values: Values, pulses: Pulses, critical: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the result of `load_line` for a torque per voltage: the overdrive is V/(R_P Ic0)."""
        parallel, tmr, half = self._at_zero_bias(values, pulses)
        start = np.where(pulses.reverse, -1.0, 1.0)
        before, middle = (
            np.where(
                pulses.voltage,
                pulses.amplitude,
                tunneling.voltage_at_current(pulses.amplitude, m_z, parallel, tmr, half),
            )
            for m_z in (start, np.zeros_like(start))
        )
        overdrive = before / (parallel * critical)
        # Without a drive, at rest, nothing changes.
        middle, before = np.broadcast_arrays(middle, before)
        turned = np.divide(middle, before, out=np.ones(before.shape), where=before != 0.0)
        return overdrive, 2.0 * (turned - 1.0), np.zeros_like(overdrive)

    def _at_zero_bias(self, values: Values, pulses: Pulses) -> tuple[FloatArray, FloatArray, FloatArray]:
        """R_P (ohm), TMR at zero bias and the voltage that halves it (V) of each row."""
        assert self.film is not None  # a torque per voltage and data in volts have one
        parallel = self.film.parallel_resistance(pulses.temperature, values["resistance_area_product"])
        return (
            parallel,
            self.film.tmr(pulses.temperature, values["tmr"]),
            np.asarray(values["tmr_half_bias"]),
        )

    def resistances(self, values: Values, pulses: Pulses) -> tuple[FloatArray, FloatArray]:
        """R_P (ohm) and the TMR at the voltage of each row."""
        voltage = np.where(pulses.voltage, pulses.amplitude, 0.0)
        parallel, tmr, half = self._at_zero_bias(values, pulses)
        return parallel, tunneling.tmr_at_bias(tmr, voltage, half)

    def log_error_rate(self, values: Values, pulses: Pulses) -> FloatArray:
        """Natural logarithm of the error rate of each row, from the table of `mtjchar.physics.rate_table`."""
        pulses = _as_applied(values, pulses)
        rate = self._escape(values, pulses)
        if np.any(pulses.at_rest):
            back = self._escape(values, pulses.backwards())
            with np.errstate(divide="ignore"):
                returned = -np.exp(_and_back(np.log(-rate), np.log(-back)))
            rate = np.where(pulses.at_rest, returned, rate)
        return _as_counted(values, rate)

    def _escape(self, values: Values, pulses: Pulses) -> FloatArray:
        """As `log_error_rate`, without a way back."""
        device = self.device(values, pulses)
        overdrive, change, _ = self.load_line(values, pulses, device.critical_current)
        if np.any(values.get("offset_field", 0.0)):
            # A field that holds the state acts like an overdrive -h: the drift is (i - h - z)(1 - z^2).
            shifted = overdrive - self._field(values, pulses, device.stability)
            change = change * overdrive / np.where(np.abs(shifted) > 1e-3, shifted, 1e-3)
            overdrive = shifted
        rows = np.broadcast_arrays(
            overdrive, change, device.stability, pulses.duration / device.relaxation_time
        )
        if np.any(change):
            return rate_table.log_error_rate_on_load_line(*rows)
        return rate_table.log_error_rate(rows[0], *rows[2:])

    def _field(self, values: Values, pulses: Pulses, stability: FloatArray) -> FloatArray:
        """Offset field over the anisotropy field, positive if it holds the state before the write."""
        field = values.get("offset_field", 0.0)
        if not np.any(field):
            return np.zeros_like(stability)
        towards_p = np.where(pulses.reverse, -1.0, 1.0)
        return np.asarray(towards_p * field / self.anisotropy_field(values, pulses, stability))

    def solved_log_exponent(self, values: Values, pulses: Pulses) -> FloatArray:
        """ln(-ln WER) of each row by the Fokker-Planck equation itself, with the whole load line."""
        pulses = _as_applied(values, pulses)
        exponent = self._solved_escape(values, pulses)
        if np.any(pulses.at_rest):
            back = self._solved_escape(values, pulses.backwards())
            exponent = np.where(pulses.at_rest, _and_back(exponent, back), exponent)
        if not np.any(values.get("missed_writes", 0.0)) and not np.any(values.get("false_switches", 0.0)):
            return exponent
        return np.log(-_as_counted(values, -np.exp(exponent)))

    def _solved_escape(self, values: Values, pulses: Pulses) -> FloatArray:
        """As `solved_log_exponent`, without a way back."""
        device = self.device(values, pulses)
        # The bounds of a fit hold at its temperature. A colder row can lie beyond the range of the solver,
        # whose limit then counts, as in the table.
        device = device._replace(stability=np.clip(device.stability, *STABILITY_RANGE))
        overdrive, _, current = self.load_line(values, pulses, device.critical_current)
        square = np.asarray(values.get("slonczewski_lambda", 1.0)) ** 2
        bend = np.where(pulses.reverse, -1.0, 1.0) * (square - 1.0) / (square + 1.0)
        field = self._field(values, pulses, device.stability)
        tau = pulses.duration / device.relaxation_time
        start, bias, tmr = np.where(pulses.reverse, -1.0, 1.0), np.ones(()), np.zeros(())
        if self.law == "voltage":
            bend = np.zeros_like(bend)
            parallel, tmr, half = self._at_zero_bias(values, pulses)
            bias = np.where(pulses.voltage, 1.0, pulses.amplitude * parallel / half)
            tmr = np.where(pulses.voltage, 0.0, tmr)
        *parts, tau = np.broadcast_arrays(
            overdrive, current, bend, device.stability, field, start, bias, tmr, tau
        )
        # Rows that differ only in the duration are solved together.
        rows = np.stack([part.ravel() for part in parts], axis=1)
        systems, system_of_row = np.unique(rows, axis=0, return_inverse=True)
        system_of_row = system_of_row.ravel()
        order = np.argsort(system_of_row, kind="stable")
        counts = np.bincount(system_of_row)
        column = np.empty_like(system_of_row)
        column[order] = np.arange(len(system_of_row)) - np.repeat(np.cumsum(counts) - counts, counts)
        # Missing rows repeat the longest duration, which costs nothing.
        longest = np.zeros(len(systems))
        np.maximum.at(longest, system_of_row, tau.ravel())
        times = np.repeat(longest[:, None], counts.max(), axis=1)
        times[system_of_row, column] = tau.ravel()
        solved = _Systems(*systems.T)
        exponent = log_exponent(solved.drive, solved.stability, times, field=solved.field)
        return np.asarray(exponent[system_of_row, column].reshape(tau.shape))

    def solved_error_rate(self, values: Values, pulses: Pulses) -> FloatArray:
        """Error rate of each row by the Fokker-Planck equation itself, with the whole load line."""
        return np.exp(-np.exp(self.solved_log_exponent(values, pulses)))

    def threshold(self, values: Values, pulses: Pulses, log_exponent: FloatArray) -> FloatArray:
        """Amplitude (V or A) at which each row has a given error rate, from the table.

        Parameters
        ----------
        values : mapping
        pulses : Pulses
            Their amplitudes are ignored.
        log_exponent : ndarray, shape (rows,)
            Given ln(-ln WER).
        """
        device = self.device(values, pulses)
        per_ampere = np.ones_like(device.critical_current)
        if pulses.voltage.any():
            parallel, excess = self.resistances(values, pulses.at(np.zeros_like(pulses.amplitude)))
            per_ampere = np.where(pulses.voltage, parallel * (1.0 + excess), 1.0)
        high = 20.0 * device.critical_current * per_ampere
        low = 1e-6 * high
        wanted = np.broadcast_to(log_exponent, high.shape)
        for _ in range(_LEVELS):
            grid = np.linspace(low, high, _POINTS)
            exponents = self.table_log_exponent(values, pulses.at(grid))
            # Rates fall with the amplitude: the last one that is too high, and the next.
            last = np.clip(np.count_nonzero(exponents < wanted, axis=0) - 1, 0, _POINTS - 2)[None]
            low, high = (np.take_along_axis(grid, last + k, axis=0)[0] for k in (0, 1))
        ends = [np.take_along_axis(exponents, last + k, axis=0)[0] for k in (0, 1)]
        share = (wanted - ends[0]) / np.where(ends[1] > ends[0], ends[1] - ends[0], np.inf)
        return np.asarray(low + np.clip(share, 0.0, 1.0) * (high - low))

    def table_log_exponent(self, values: Values, pulses: Pulses) -> FloatArray:
        """ln(-ln WER) of each row, from the table."""
        return np.log(np.maximum(-self.log_error_rate(values, pulses), np.finfo(float).tiny))

    def solved_threshold(self, values: Values, pulses: Pulses, log_exponent: FloatArray) -> FloatArray:
        """Return the result of `threshold` by the Fokker-Planck equation itself."""
        amplitude = self.threshold(values, pulses, log_exponent)
        ends = [
            self.table_log_exponent(values, pulses.at(amplitude * factor))
            for factor in (1.0 - _STEP, 1.0 + _STEP)
        ]
        # Newton's iteration with the table's slope, whose error is a few percent at most.
        slope = np.maximum((ends[1] - ends[0]) / (2.0 * _STEP), _LEAST_SLOPE)
        for _ in range(_ROUNDS):
            off = self.solved_log_exponent(values, pulses.at(amplitude)) - log_exponent
            amplitude = amplitude * np.exp(np.clip(-off / slope, -0.2, 0.2))
        return np.asarray(amplitude)


def log_exponent_at(probability: npt.ArrayLike) -> FloatArray:
    """ln(-ln WER) of pulses at which a share of the writes succeeds."""
    return np.asarray(np.log(-np.log1p(-np.asarray(probability, dtype=np.float64))))


def _directional(values: Values, name: str, reverse: BoolArray) -> FloatArray:
    forward, backward = (value_in(values, name, direction) for direction in DIRECTIONS)
    return np.asarray(np.where(reverse, backward, forward))


def _as_applied(values: Values, pulses: Pulses) -> Pulses:
    """Pulses as they arrive at the junction: shorter by the dead time."""
    dead = values.get("dead_time", 0.0)
    if not np.any(dead):
        return pulses
    return dataclasses.replace(pulses, duration=np.maximum(pulses.duration - dead, _LEAST_DURATION))


def _as_counted(values: Values, log_rate: FloatArray) -> FloatArray:
    """Error rates (logarithms) as the tester counts them.

    A share of the writes never switches: stuck bits, missed pulses, reads of the old state. Another share
    counts as switched before the pulse: incomplete resets, reads of the new state.
    """
    missed, false = values.get("missed_writes", 0.0), values.get("false_switches", 0.0)
    if not np.any(missed) and not np.any(false):
        return log_rate
    rate = np.exp(log_rate)
    return np.asarray(np.log(np.maximum(missed + (1.0 - missed - false) * rate, _LEAST_RATE)))


def _and_back(forth: FloatArray, back: FloatArray) -> FloatArray:
    """ln(-ln WER) of bits that return as well, from ln(rate times duration) of both ways.

    The share in the other state is k/(k + k') (1 - exp(-(k + k') t)), of two states with the rates k and k'.
    """
    # Beyond the limit, which is that of exp, all have long been in equilibrium.
    forth, back = np.minimum(forth, _LARGEST_EXPONENT), np.minimum(back, _LARGEST_EXPONENT)
    both = np.logaddexp(forth, back)
    with np.errstate(divide="ignore", over="ignore"):
        flipped = np.exp(forth - both) * -np.expm1(-np.exp(both))
        return np.asarray(np.log(-np.log1p(-flipped)))
