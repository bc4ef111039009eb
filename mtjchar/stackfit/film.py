"""Conversion between parameters of a junction, which pulses determine, and those of its film in a stack file.

Pulses determine the thermal stability Delta, the critical current Ic0 and the relaxation time t_D. With known
thickness, magnetization and diameter they correspond one to one to the interfacial anisotropy, the spin
polarization and the damping, by the formulas of `mtjchar.physics.anisotropy` and `mtjchar.physics.torque`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import constants

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.film_laws import Exponents, FilmLaws, volume
from mtjchar.cells.stt.stack import DIAMETER_RANGE, Stack
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, torque, tunneling
from mtjchar.units import compact

__all__ = ["Device", "Film", "FilmValues"]


class Device(NamedTuple):
    """Parameters of a junction that pulses determine; numbers, or arrays of one shape."""

    stability: FloatArray
    critical_current: FloatArray  # A, of the parallel state
    relaxation_time: FloatArray  # s


class FilmValues(NamedTuple):
    """The same in the parameters of a stack, at 300 K."""

    interfacial_anisotropy: FloatArray  # J/m^2
    spin_polarization: FloatArray
    damping: FloatArray


@dataclass(frozen=True)
class Film:
    """A circular junction of a stack at the temperature at which its device parameters are given.

    Methods that follow the temperature take the exponents of its laws: by default those of the stack, see
    `mtjchar.cells.stt.film_laws.Exponents`. Arrays broadcast with the temperatures.

    Parameters
    ----------
    stack : Stack
        Provides the values that are not fitted.
    diameter : float
        m.
    temperature : float, optional
        K.

    Raises
    ------
    InputError
        If the stack has a second barrier, diameter or temperature are out of range, or the stability is below
        10.
    """

    stack: Stack
    diameter: float
    temperature: float = anisotropy.REFERENCE_TEMPERATURE

    def __post_init__(self) -> None:
        if self.stack.second_barrier is not None:
            raise InputError(
                "second_barrier of the stack",
                value=f"a reference layer {self.stack.second_barrier.reference} to the first one",
                allowed="none in a fit, whose junctions have one barrier",
                remedy="Without the key, the fit finds one barrier that has the torque of both.",
            )
        low, high = DIAMETER_RANGE
        if not low < self.diameter < high:
            raise InputError(
                "diameter",
                value=compact(self.diameter, "m"),
                allowed=f"above {compact(low, 'm')} and below {compact(high, 'm')}",
            )
        low, high = anisotropy.TEMPERATURE_RANGE
        if not low <= self.temperature <= high:
            raise InputError(
                "temperature", value=compact(self.temperature, "K"), allowed=f"{low:g} to {high:g} K"
            )
        stability = float(self.nominal().stability)
        if not stability >= 10.0:
            raise InputError(
                f"thermal stability of {self.stack.name} at {compact(self.diameter, 'm')}",
                value=round(stability, 2),
                allowed="at least 10, to start a fit from",
                remedy="Raise interfacial_anisotropy in the stack file, or check --diameter.",
            )

    @property
    def volume(self) -> float:
        """Of the free layer, m^3."""
        return float(volume(self.diameter, self.stack.free_layer_thickness))

    def laws(self, temperature: npt.ArrayLike, exponents: Exponents | None = None) -> FilmLaws:
        """Return the laws of the film at temperatures in K."""
        return FilmLaws(self.stack, temperature, exponents)

    def magnetization(self, temperature: npt.ArrayLike, exponents: Exponents | None = None) -> FloatArray:
        """Saturation magnetization, A/m, at temperatures in K."""
        return self.laws(temperature, exponents).magnetization(self.stack.saturation_magnetization)

    def parallel_resistance(
        self, temperature: npt.ArrayLike, product: npt.ArrayLike, exponents: Exponents | None = None
    ) -> FloatArray:
        """Resistance in P, ohm, for a resistance-area product (ohm m^2) at 300 K."""
        product = self.laws(temperature, exponents).resistance_area_product(product)
        return tunneling.parallel_resistance(product, np.asarray(self.diameter))

    def tmr(
        self, temperature: npt.ArrayLike, tmr: npt.ArrayLike, exponents: Exponents | None = None
    ) -> FloatArray:
        """TMR at zero bias at temperatures in K, from that at 300 K."""
        return self.laws(temperature, exponents).tmr(tmr)

    def nominal(self) -> Device:
        """Device parameters of the unchanged stack."""
        stack = self.stack
        values = FilmValues(
            *map(np.asarray, (stack.interfacial_anisotropy, stack.spin_polarization, stack.damping))
        )
        return self.device(values, self.temperature)

    def device(
        self, film: FilmValues, temperature: npt.ArrayLike, exponents: Exponents | None = None
    ) -> Device:
        """Device parameters at temperatures in K."""
        laws = self.laws(temperature, exponents)
        free = laws.free_layer(
            self.stack.free_layer_thickness,
            self.diameter,
            laws.magnetization(self.stack.saturation_magnetization),
            laws.interfacial_anisotropy(film.interfacial_anisotropy),
            laws.polarization(film.spin_polarization),
            film.damping,
        )
        return Device(free.stability, free.critical_current, free.relaxation_time)

    def film(self, device: Device, exponents: Exponents | None = None) -> FilmValues:
        """Parameters of the stack from those of the device at `temperature`.

        The damping is NaN if no damping gives such a short relaxation time. The polarization is above 1
        if no film has such a small critical current.
        """
        laws = self.laws(self.temperature, exponents)
        magnetization = laws.magnetization(self.stack.saturation_magnetization)
        energy = device.stability * constants.k * self.temperature / self.volume
        thickness = np.asarray(self.stack.free_layer_thickness)
        interfacial = anisotropy.interfacial_anisotropy(
            energy, thickness, magnetization, np.asarray(self.diameter), self.stack.demagnetization
        )
        interfacial = interfacial / laws.interfacial_anisotropy(1.0)
        damping = self.damping(device.stability, device.relaxation_time, exponents)
        # critical_current is 4 alpha e kB T Delta/(hbar eta), solved here for eta.
        efficiency = (
            torque.critical_current(damping, device.stability, np.asarray(self.temperature), np.asarray(1.0))
            / device.critical_current
        )
        polarization = torque.polarization_of(np.asarray(efficiency), self.stack.torque)
        return FilmValues(interfacial, polarization / laws.polarization(1.0), damping)

    def anisotropy_field(
        self,
        stability: npt.ArrayLike,
        temperature: npt.ArrayLike | None = None,
        exponents: Exponents | None = None,
    ) -> FloatArray:
        """Anisotropy field mu0 Hk, T, for a stability: 2 kB T Delta/(Ms V)."""
        kelvin = np.asarray(self.temperature if temperature is None else temperature)
        moment = self.magnetization(kelvin, exponents) * self.volume
        return np.asarray(2.0 * constants.k * kelvin * np.asarray(stability) / moment)

    def moment_ratio(
        self,
        stability: npt.ArrayLike,
        anisotropy_field: npt.ArrayLike,
        exponents: Exponents | None = None,
    ) -> FloatArray:
        """Moment 2 kB T Delta/(mu0 Hk) that a stability and a field (T) imply, over Ms V of the junction."""
        return np.asarray(self.anisotropy_field(stability, None, exponents) / np.asarray(anisotropy_field))

    def damping(
        self,
        stability: npt.ArrayLike,
        relaxation_time: npt.ArrayLike,
        exponents: Exponents | None = None,
    ) -> FloatArray:
        """Gilbert damping from the relaxation time (s); NaN if there is none."""
        # (1 + alpha^2)/alpha = t_D gamma mu0 Hk =: c has two roots; damping is the one below 1.
        c = np.asarray(relaxation_time) * anisotropy.GAMMA * self.anisotropy_field(stability, None, exponents)
        with np.errstate(invalid="ignore"):
            return np.asarray(2.0 / (c + np.sqrt(c**2 - 4.0)))
