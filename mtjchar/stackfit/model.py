"""Predictions of a set of parameters for the rows of the tables: error rates, thresholds, resistances, loops.

The model is one device with rectangular pulses. The terms of `mtjchar.stackfit.terms` are added if their
parameters have values. A torque per current is constant under current drive, except for its own asymmetry;
under voltage drive it changes with the resistance while the magnetization turns. A torque per voltage is
constant under voltage drive and changes with the resistance under current drive.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.physics import back_hopping, heating, rate_table, segments, tunneling
from mtjchar.physics.fokker_planck import STABILITY_RANGE
from mtjchar.physics.long_pulses import log_exponent
from mtjchar.physics.torque import TorqueLaw
from mtjchar.stackfit.data.field_steps import FieldSteps
from mtjchar.stackfit.electrical import Drives, Electrical, Heated, equivalent_drive
from mtjchar.stackfit.film import Device, Film
from mtjchar.stackfit.loops import log_staying
from mtjchar.stackfit.parameters import DIRECTIONAL, Values, value_in
from mtjchar.stackfit.pulses import Pulses, Rows
from mtjchar.stackfit.spread import SPREADS, mean_log_exponent
from mtjchar.stackfit.systems import together
from mtjchar.stackfit.tester import as_applied, as_counted

__all__ = ["SwitchingModel", "log_exponent_at"]

_Escape = Callable[[Values, Pulses], FloatArray]

_POINTS, _LEVELS = 9, 6  # of the search for a threshold: within 20/8^6 of the critical current, then a line
_LARGEST_EXPONENT = 600.0
_LEAST_EXPONENT = 1e-300  # of -ln WER
_LEAST_SHARE = 0.05  # of a critical current that drifts
_STEP = 1e-3  # of a relative amplitude, for a slope
_LEAST_SLOPE = 0.3  # of ln(-ln WER) over the logarithm of the amplitude
_ROUNDS = 3
_LARGEST_OVERDRIVE = 45.0  # the solver ends at 50; the table, in which a search begins, at 20
_HOTTEST = 700.0  # K; far above what the laws of a film hold for, and below the Curie temperature


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
        if "drift" in values and isinstance(rows, Pulses) and rows.order is not None:
            share = np.maximum(1.0 + values["drift"] * rows.order, _LEAST_SHARE)
            own = own._replace(critical_current=own.critical_current * share)
        if self.film is None:
            return own
        if np.all(rows.temperature == self.film.temperature) and rows.diameter is None:
            return own
        film = self.film.with_values(values)
        return _stable(film.device_at(own, rows.temperature, rows.diameter), own)

    def anisotropy_field(self, values: Values, rows: Rows, stability: FloatArray) -> FloatArray:
        """Anisotropy field mu0 Hk of each row, T, for the stabilities of the rows.

        By default it is that of the film's moment. A given value holds at the temperature and the diameter of
        the fit, and changes with them like the film's.
        """
        own = values.get("anisotropy_field")
        if self.film is None:
            assert own is not None  # ensured when the data are checked
            return np.broadcast_to(own, np.broadcast_shapes(np.shape(own), stability.shape))
        film = self.film.with_values(values)
        field = film.anisotropy_field(stability, rows.temperature, rows.diameter)
        if own is None:
            return field
        at_fit = film.anisotropy_field(_directional(values, "stability", rows.reverse))
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
        start = np.where(pulses.reverse, -1.0, 1.0)
        if self.law == "voltage":
            electrical = self.electrical(values, pulses)
            # V_j/(R_P Ic0)
            before, middle = electrical.acting(start), electrical.acting(np.zeros_like(start))
            overdrive = before / (electrical.parallel * critical)
            # Without a drive, at rest, nothing changes.
            middle, before = np.broadcast_arrays(middle, before)
            turned = np.divide(middle, before, out=np.ones(before.shape), where=before != 0.0)
            return overdrive, 2.0 * (turned - 1.0), np.zeros_like(overdrive)
        # The torque is P/2 in P and Lambda^2 times that in AP, see torque.spin_torque_efficiency.
        square = values.get("slonczewski_lambda", 1.0) ** 2
        strength = np.where(pulses.reverse, square, 1.0)
        current, ratio = pulses.amplitude, np.ones_like(pulses.amplitude)
        if pulses.voltage.any():
            electrical = self.electrical(values, pulses)
            current = electrical.current(start)
            # By conductances, which are above 0 at rest too.
            ends = [1.0 / (1.0 / electrical.conductance(m_z) + electrical.series) for m_z in (start, -start)]
            ratio = np.where(pulses.voltage, ends[1] / ends[0], ratio)
        second = values.get("second_torque", 0.0)
        torque_at_0 = (2.0 * square / (square + 1.0) + second) / (strength + second)
        strength = strength + second
        return current * strength / critical, (1.0 + ratio) * torque_at_0 - 2.0, ratio - 1.0

    def electrical(self, values: Values, pulses: Pulses) -> Electrical:
        """Junctions of the rows and their sources."""
        assert self.film is not None  # a torque per voltage and data in volts have one
        return Electrical.of(self.film.with_values(values), values, pulses)

    def resistances(self, values: Values, pulses: Pulses) -> tuple[FloatArray, FloatArray]:
        """R_P (ohm) and the TMR at the voltage of each row."""
        own, voltage = self.electrical(values, pulses), np.where(pulses.voltage, pulses.amplitude, 0.0)
        return own.parallel, tunneling.tmr_at_bias(own.tmr, voltage, own.half_bias)

    def log_error_rate(self, values: Values, pulses: Pulses) -> FloatArray:
        """Natural logarithm of the error rate of each row, from the table of `mtjchar.physics.rate_table`."""
        return -np.exp(self.table_log_exponent(values, pulses))

    def table_log_exponent(self, values: Values, pulses: Pulses) -> FloatArray:
        """ln(-ln WER) of each row, from the table."""
        return self._log_exponent(values, pulses, self._table_escape)

    def solved_log_exponent(self, values: Values, pulses: Pulses) -> FloatArray:
        """ln(-ln WER) of each row by the Fokker-Planck equation itself, with the whole load line."""
        return self._log_exponent(values, pulses, self._solved_escape)

    def _log_exponent(self, values: Values, pulses: Pulses, escape: _Escape) -> FloatArray:
        """ln(-ln WER) of each row, from that of one device that does not return."""
        applied = as_applied(values, pulses)
        exponent = self._over_devices(values, applied, escape)
        if np.any(applied.at_rest):
            back = self._over_devices(values, applied.backwards(), escape)
            exponent = np.where(applied.at_rest, _and_back(exponent, back), exponent)
        if "back_hopping_current" in values:
            exponent = self._with_back_hopping(values, applied, exponent)
        return as_counted(values, exponent)

    def _with_back_hopping(self, values: Values, pulses: Pulses, exponent: FloatArray) -> FloatArray:
        """ln(-ln WER) of writes that back-hopping can undo, from that without it."""
        written = np.where(pulses.reverse, 1.0, -1.0)
        current = pulses.amplitude
        if np.any(pulses.voltage):
            current = self.electrical(values, pulses).current(written)
        threshold = values["back_hopping_current"]
        warming = share = np.ones(())
        if self.film is not None:
            # As in a stack: the current density and the barrier depend on neither temperature nor diameter.
            warming = pulses.temperature / self.film.temperature
            share = self.film.area(pulses.diameter) / self.film.area()
        stays = rate_table.log_error_rate(
            current / (threshold * share),
            values["back_hopping_stability"] / warming,
            pulses.duration / self.device(values, pulses).relaxation_time,
        )
        hops = ~pulses.at_rest
        if self.film is not None and self.film.stack.back_hopping_direction != "both":
            hops &= pulses.reverse == (self.film.stack.back_hopping_direction == DIRECTIONS[1])
        log_rate = back_hopping.combined(-np.exp(exponent), np.where(hops, stays, 0.0))
        return np.log(np.maximum(-log_rate, _LEAST_EXPONENT))

    def _warmed(self, values: Values, pulses: Pulses) -> Pulses:
        """Pulses at the mean temperature of the junction before it switches."""
        if "thermal_resistance_area" not in values:
            return pulses
        assert self.film is not None  # ensured when the data are checked
        electrical = self.electrical(values, pulses)
        rise = (
            values["thermal_resistance_area"]
            / self.film.area(pulses.diameter)
            * electrical.power(electrical.before)
        )
        time = values["thermal_time"] / pulses.duration
        mean = 1.0 + time * np.expm1(-1.0 / time)
        return dataclasses.replace(pulses, temperature=np.minimum(pulses.temperature + rise * mean, _HOTTEST))

    def _over_devices(self, values: Values, pulses: Pulses, escape: _Escape) -> FloatArray:
        """Mean error rate of an array of devices; that of one device if they are equal."""
        center = escape(values, pulses)
        if not set(SPREADS) & set(values):
            return center
        by_table = escape == self._table_escape
        # The spread changes the curve's shape by the table; the solver gives the level. A search by the table
        # takes few devices of two spreads; the solver's correction of it takes all of them.
        mean = mean_log_exponent(values, lambda own: self._table_escape(own, pulses), coarse=by_table)
        return mean if by_table else mean + (center - self._table_escape(values, pulses))

    def _table_escape(self, values: Values, pulses: Pulses) -> FloatArray:
        """ln(-ln WER) from the table."""
        pulses = self._warmed(values, pulses)
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
        log_rate = (
            rate_table.log_error_rate_on_load_line(*rows)
            if np.any(change)
            else rate_table.log_error_rate(rows[0], *rows[2:])
        )
        return np.log(np.maximum(-log_rate, _LEAST_EXPONENT))

    def _field(self, values: Values, pulses: Pulses, stability: FloatArray) -> FloatArray:
        """Offset field over the anisotropy field, positive if it holds the state before the write."""
        field = values.get("offset_field", 0.0)
        if not np.any(field):
            return np.zeros_like(stability)
        towards_p = np.where(pulses.reverse, -1.0, 1.0)
        return np.asarray(towards_p * field / self.anisotropy_field(values, pulses, stability))

    def _solved_escape(self, values: Values, pulses: Pulses) -> FloatArray:
        """ln(-ln WER) by the Fokker-Planck equation."""
        if "thermal_resistance_area" in values:
            return self._solved_heated(values, pulses)
        *columns, stability, field, time = self._columns(values, pulses)
        *parts, tau = np.broadcast_arrays(*columns, stability, field, pulses.duration / time)
        # Rows that differ only in the duration are solved together.
        systems, times, place = together(np.stack([part.ravel() for part in parts], axis=1), tau.ravel())
        *rows, stability, field = systems.T
        exponent = log_exponent(Drives(*rows).over_z(self.law), stability, times, field=field)
        return np.asarray(exponent[place].reshape(tau.shape))

    def _solved_heated(self, values: Values, pulses: Pulses) -> FloatArray:
        """ln(-ln WER) of junctions that their power heats, in segments of each pulse."""
        course, climb = self._course(values, pulses)
        cold = self._columns(values, pulses)
        well = self._columns(values, dataclasses.replace(pulses, temperature=course.mean))
        share = heating.path_share(well[0] - cold[-2], well[-1], values["thermal_time"])
        kelvin = np.minimum(course.mean + share * climb, _HOTTEST)
        barrier = self._columns(values, dataclasses.replace(pulses, temperature=kelvin))
        # Columns of the rest, then those of the segments, one segment after the other.
        shape = course.mean.shape[1:]
        *rest, duration = (np.broadcast_to(column, shape) for column in (*cold[-3:-1], pulses.duration))
        hot = np.stack(np.broadcast_arrays(*well, *barrier, course.end, duration)[:-1], axis=1)
        table = np.concatenate([np.stack(rest), hot.reshape(-1, *duration.shape)]).reshape(-1, duration.size)
        systems, times, place = together(table.T, duration.ravel())
        stability, field, *columns = systems.T
        parts = np.reshape(columns, (len(hot), -1, len(systems)))
        exponent = segments.log_exponent(
            [self._segment(part, field) for part in parts], times, stability_at_rest=stability, field=field
        )
        return np.asarray(exponent[place].reshape(duration.shape))

    def _segment(self, columns: FloatArray, field_at_rest: FloatArray) -> segments.Segment:
        *both, end = columns
        half = len(both) // 2
        well, barrier = (Heated(Drives(*part[:-3]), *part[-3:]) for part in (both[:half], both[half:]))
        drive = equivalent_drive(self.law, well, barrier, field_at_rest)
        return segments.Segment(drive, well.stability, well.relaxation_time, end)

    def _columns(self, values: Values, pulses: Pulses) -> list[FloatArray]:
        """Drive of each row, then its stability, field over the anisotropy field, and relaxation time."""
        device = self.device(values, pulses)
        # The bounds of a fit hold at its temperature. A colder row can lie beyond the range of the solver,
        # whose limit then counts, as in the table.
        device = device._replace(stability=np.clip(device.stability, *STABILITY_RANGE))
        overdrive, _, current = self.load_line(values, pulses, device.critical_current)
        asymmetry = np.asarray(values.get("slonczewski_lambda", 1.0)) ** 2
        electrical = None if self.film is None else self.electrical(values, pulses)
        drives = Drives.of(
            self.law, np.minimum(overdrive, _LARGEST_OVERDRIVE), current, asymmetry, electrical, pulses
        )
        field = self._field(values, pulses, device.stability)
        return [*drives, device.stability, field, device.relaxation_time]

    def _course(self, values: Values, pulses: Pulses) -> tuple[heating.Course, FloatArray]:
        """Temperature of the junctions of the rows before they switch, and R_th times the power's change.

        The change is that up to m_z = 0, in a junction that is still cold.
        """
        assert self.film is not None  # ensured when the data are checked
        electrical = self.electrical(values, pulses)
        before = electrical.power(electrical.before)
        # The segments are the first axis, so that the arrays need the shape of all values, even of those that
        # the power does not depend on.
        shape = np.broadcast_shapes(before.shape, pulses.duration.shape, *map(np.shape, values.values()))
        ambient, resistance, time = (
            np.broadcast_to(column, shape)
            for column in (
                pulses.temperature,
                values["thermal_resistance_area"] / self.film.area(pulses.diameter),
                values["thermal_time"],
            )
        )
        # Between the durations of the rows that are solved together: a single one needs fewer segments.
        shortest, longest = pulses.spans(ordered="drift" in values)
        hottest = heating.course(
            lambda kelvin: self._power(values, pulses, kelvin),
            ambient=ambient, thermal_resistance=resistance, thermal_time=time,
            shortest=shortest, longest=longest,
        )  # fmt: skip
        change = resistance * (electrical.power(np.zeros_like(electrical.before)) - before)
        return hottest._replace(mean=np.minimum(hottest.mean, _HOTTEST)), change

    def hottest(self, values: Values, pulses: Pulses) -> FloatArray:
        """Temperature of the junctions of the rows at the end of their pulses, before they switch, K."""
        if "thermal_resistance_area" not in values:
            return pulses.temperature
        course, _ = self._course(values, as_applied(values, pulses))
        within = np.concatenate([np.zeros_like(course.end[:1]), course.end[:-1]]) < pulses.duration
        return np.asarray(np.where(within, course.mean, pulses.temperature).max(axis=0))

    def _power(self, values: Values, pulses: Pulses, temperature: FloatArray) -> FloatArray:
        """Power of the junctions before the write, W, at temperatures (K) of at most the limit."""
        own = dataclasses.replace(pulses, temperature=np.minimum(temperature, _HOTTEST))
        electrical = self.electrical(values, own)
        return electrical.power(electrical.before)

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


def _stable(device: Device, own: Device) -> Device:
    """Replace junctions that a temperature has made unstable by ones at the limit of the table.

    A search passes there; a fit that ends there is far off.
    """
    least = rate_table.STABILITY[0]
    stable = device.stability > least
    share = own.stability / least
    return Device(
        np.where(stable, device.stability, least),
        np.where(stable, device.critical_current, own.critical_current / share),
        np.where(stable, device.relaxation_time, own.relaxation_time * share),
    )


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
