"""Voltage and current of the junctions of the rows, and the shape of their drive over m_z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.physics import heating, tunneling
from mtjchar.physics.fokker_planck import OfDevices
from mtjchar.physics.torque import TorqueLaw
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.parameters import Values
from mtjchar.stackfit.pulses import Pulses

__all__ = ["Drives", "Electrical", "Heated", "equivalent_drive"]

# Voltage and current are smooth in z: with 13 Chebyshev points they are exact to 1e-8 at a TMR of 1.2, and to
# 2e-6 at 3.
_NODES = np.cos(np.pi * (np.arange(13) + 0.5) / 13)
_TO_POWERS = np.linalg.inv(np.vander(_NODES, increasing=True))


@dataclass(frozen=True)
class Electrical:
    """Junctions of rows and their sources; arrays that broadcast to the shape of the rows.

    Attributes
    ----------
    pulses : Pulses
        Their amplitudes are those of the source: a current, or a voltage behind `series`.
    parallel : ndarray
        R_P, ohm.
    tmr : ndarray
        At zero bias.
    half_bias : ndarray
        Voltage that halves the TMR, V.
    series : ndarray
        Resistance between a voltage source and the junction, ohm.
    second : ndarray
        Torque of a second barrier per current, over that of the first one; 0 without a second barrier.
    """

    pulses: Pulses
    parallel: FloatArray
    tmr: FloatArray
    half_bias: FloatArray
    series: FloatArray
    second: FloatArray

    @classmethod
    def of(cls, film: Film, values: Values, pulses: Pulses) -> Electrical:
        """Take the junctions from the values of a fit, at the temperatures of the rows."""
        return cls(
            pulses,
            film.parallel_resistance(pulses.temperature, values["resistance_area_product"], pulses.diameter),
            film.tmr(pulses.temperature, values["tmr"]),
            np.asarray(values["tmr_half_bias"]),
            np.asarray(values.get("series_resistance", 0.0)),
            np.asarray(values.get("second_torque", 0.0)),
        )

    @property
    def before(self) -> FloatArray:
        """m_z before the write, of each row."""
        return np.where(self.pulses.reverse, -1.0, 1.0)

    def voltage(self, m_z: FloatArray) -> FloatArray:
        """Voltage across the junction, V, with the cosine of the angle between the layers `m_z`."""
        amplitude, volts = self.pulses.amplitude, self.pulses.voltage
        shape = (self.parallel, self.tmr, self.half_bias)
        voltage = np.asarray(amplitude)
        if np.any(self.series):
            voltage = tunneling.voltage_behind_resistance(amplitude, self.series, m_z, *shape)
        if np.all(volts):
            return voltage
        return np.where(volts, voltage, tunneling.voltage_at_current(amplitude, m_z, *shape))

    def conductance(self, m_z: FloatArray) -> FloatArray:
        """Conductance of the junction at its voltage, 1/ohm."""
        tmr = tunneling.tmr_at_bias(self.tmr, self.voltage(m_z), self.half_bias)
        return tunneling.conductance(m_z, self.parallel, tmr)

    def current(self, m_z: FloatArray) -> FloatArray:
        """Return the current through the junction, A."""
        through = self.voltage(m_z) * self.conductance(m_z)
        return np.where(self.pulses.voltage, through, self.pulses.amplitude)

    def acting(self, m_z: FloatArray) -> FloatArray:
        """Voltage of one barrier that has the torque per voltage of both, V.

        The second barrier has a constant resistance, so that its voltage is proportional to the current: see
        `mtjchar.physics.double_barrier`.
        """
        voltage = self.voltage(m_z)
        if not np.any(self.second):
            return voltage
        return np.asarray(voltage + self.second * self.parallel * self.current(m_z))

    def power(self, m_z: FloatArray) -> FloatArray:
        """Power dissipated in the junction, W."""
        voltage = self.voltage(m_z)
        return np.asarray(voltage * self.current(m_z))


class Drives(NamedTuple):
    """Drive of each row over m_z, as columns of numbers; arrays of one shape."""

    overdrive: FloatArray  # before the write
    current: FloatArray  # relative change of the current up to the state after the write
    bend: FloatArray  # (Lambda^2 - 1)/(Lambda^2 + 1), of the torque's asymmetry; negative from AP to P
    start: FloatArray  # m_z before the write
    # Of a source whose junction voltage or current is not linear in m_z; the first two are otherwise 0.
    bias: FloatArray  # I R_P of a current, or the voltage of the source, over the voltage that halves the TMR
    tmr: FloatArray  # at zero bias
    series: FloatArray  # resistance before the junction over R_P; infinite for a current
    second: FloatArray  # torque of a second barrier over that of the first one, before the write

    @classmethod
    def of(
        cls,
        law: TorqueLaw,
        overdrive: FloatArray,
        current: FloatArray,
        asymmetry: FloatArray,
        electrical: Electrical | None,
        pulses: Pulses,
    ) -> Drives:
        """Describe rows by overdrive and change of the current; `asymmetry` is Lambda^2."""
        start = np.where(pulses.reverse, -1.0, 1.0)
        bend = start * (asymmetry - 1.0) / (asymmetry + 1.0)
        bias = tmr = series = second = np.zeros(())
        if electrical is not None:
            own = electrical.pulses.amplitude
            series = np.where(pulses.voltage, electrical.series / electrical.parallel, np.inf)
            curved = np.isfinite(series) & (series > 0.0)
            second = electrical.second
            if law == "voltage":
                curved = (series > 0.0) | (second != 0.0)
            else:
                # The first torque is larger in AP by the asymmetry, the second one is not.
                second = second / np.where(pulses.reverse, asymmetry, 1.0)
            bias = np.where(pulses.voltage, own, own * electrical.parallel) / electrical.half_bias
            # Where the drive is linear in m_z the columns are the same, and rows are solved together.
            bias, tmr = np.where(curved, bias, 0.0), np.where(curved, electrical.tmr, 0.0)
            series = np.where(curved, series, 0.0)
        if law == "voltage":
            bend, current = np.zeros_like(bend), np.zeros_like(current)
        return cls(overdrive, current, bend, start, bias, tmr, series, second)

    def over_z(self, law: TorqueLaw) -> OfDevices:
        """Overdrive over m_z, 1 being the state before the write; the fields have the shape (systems,)."""
        return OfDevices(_bent, (self.polynomial(law), self.bend, self.constant(law)))

    def constant(self, law: TorqueLaw) -> FloatArray:
        """Part of a torque per current that does not depend on the angle, over the other one at z = 1."""
        return self.second if law == "current" else np.zeros_like(self.second)

    def polynomial(self, law: TorqueLaw) -> FloatArray:
        """Overdrive without the torque's asymmetry: coefficients of powers of z, (powers, systems)."""
        linear = np.stack([1.0 + 0.5 * self.current, -0.5 * self.current])
        if not np.any(self.tmr):
            return self.overdrive * linear
        result = np.zeros((len(_NODES), len(self.overdrive)))
        result[:2] = linear
        # Without a drive, at rest, nothing changes.
        curved = np.flatnonzero((self.tmr > 0.0) & (self.bias != 0.0))
        own = Drives(*(column[curved] for column in self))
        shape = own._relative(law, _NODES[:, None]) / own._relative(law, np.ones(1))
        result[:, curved] = _TO_POWERS @ shape
        return self.overdrive * result

    def _relative(self, law: TorqueLaw, z: FloatArray) -> FloatArray:
        """Voltage of the junction over the one that halves its TMR, or its current in the same unit."""
        unit, at = np.ones(1), self.start * z
        by_current = np.isinf(self.series)
        series = np.where(by_current, 0.0, self.series)
        voltage = np.where(
            by_current,
            tunneling.voltage_at_current(self.bias, at, unit, self.tmr, unit),
            tunneling.voltage_behind_resistance(self.bias, series, at, unit, self.tmr, unit),
        )
        current = voltage * tunneling.conductance(at, unit, tunneling.tmr_at_bias(self.tmr, voltage, unit))
        return voltage + self.second * current if law == "voltage" else current


def _bent(z: FloatArray, polynomial: FloatArray, bend: FloatArray, constant: FloatArray) -> FloatArray:
    """Polynomial in z times the asymmetry of the torque, of which a part is constant."""
    # P Lambda^2/[(Lambda^2 + 1) + (Lambda^2 - 1) m_z], over its value at z = 1.
    asymmetry = (1.0 + bend) / (1.0 + bend * z)
    return np.asarray(_power_series(polynomial, z) * (asymmetry + constant) / (1.0 + constant))


def _power_series(coefficients: FloatArray, z: FloatArray) -> FloatArray:
    """Horner's scheme, in place: these arrays are large."""
    value = np.empty_like(z)
    value[:] = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        value *= z
        value += coefficient
    return value


class Heated(NamedTuple):
    """Rows at one temperature; arrays that broadcast."""

    drives: Drives
    stability: FloatArray
    field: FloatArray  # over the anisotropy field at the temperature
    relaxation_time: FloatArray  # s


def equivalent_drive(law: TorqueLaw, well: Heated, barrier: Heated, field_at_rest: FloatArray) -> OfDevices:
    """Overdrive over z of junctions that have one temperature in the well and another one at z = 0.

    The arrays have the shape (systems,). See `mtjchar.physics.heating.equivalent_overdrive`.
    """
    return OfDevices(
        _between,
        (
            well.drives.polynomial(law), barrier.drives.polynomial(law), well.drives.bend,
            well.drives.constant(law), well.field, barrier.field, barrier.stability / well.stability,
            field_at_rest,
        ),
    )  # fmt: skip


def _between(
    z: FloatArray,
    in_well: FloatArray,
    on_barrier: FloatArray,
    bend: FloatArray,
    constant: FloatArray,
    well_field: FloatArray,
    barrier_field: FloatArray,
    stability_ratio: FloatArray,
    field_at_rest: FloatArray,
) -> FloatArray:
    # The power is nearly linear in m_z. Behind the barrier, where the temperature no longer matters, it goes
    # back to that of the well, as in the sweep.
    share = 1.0 - np.abs(z)
    well = heating.equivalent_overdrive(
        z, _bent(z, in_well, bend, constant), well_field, np.ones(1), field_at_rest
    )
    barrier = heating.equivalent_overdrive(
        z, _bent(z, on_barrier, bend, constant), barrier_field, stability_ratio, field_at_rest
    )
    return well + share * (barrier - well)
