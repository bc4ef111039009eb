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
from mtjchar.cells.stt.device import FilmLaws, volume
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

    Parameters
    ----------
    stack : Stack
        Provides the values that are not fitted.
    diameter : float
        m.
    temperature : float, optional
        K.
    """

    stack: Stack
    diameter: float
    temperature: float = anisotropy.REFERENCE_TEMPERATURE

    def __post_init__(self) -> None:
        low, high = DIAMETER_RANGE
        if not low < self.diameter < high:
            raise InputError(
                "diameter",
                value=compact(self.diameter, "m"),
                allowed=f"above {compact(low, 'm')} and below {compact(high, 'm')}",
            )
        low, high = anisotropy.REST_RANGE
        if not low <= self.temperature <= high:
            raise InputError(
                "temperature", value=compact(self.temperature, "K"), allowed=f"{low:g} to {high:g} K"
            )
        self.check_hottest(self.temperature)
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

    def check_hottest(self, temperature: float) -> None:
        """Refuse a temperature (K) at which the law of the stack's magnetization no longer holds.

        Raises
        ------
        InputError
        """
        hottest = anisotropy.UP_TO_CURIE * self.stack.curie_temperature
        if temperature > hottest:
            raise InputError(
                "temperature", value=compact(temperature, "K"),
                allowed=f"up to {hottest:g} K, {anisotropy.UP_TO_CURIE:.0%} of the Curie temperature of "
                f"{self.stack.name}",
                remedy="Leave hotter rows out, or check curie_temperature in the stack file.",
            )  # fmt: skip

    def magnetization(self, temperature: npt.ArrayLike) -> FloatArray:
        """Saturation magnetization, A/m, at temperatures in K."""
        return FilmLaws(self.stack, temperature).magnetization(self.stack.saturation_magnetization)

    def parallel_resistance(self, temperature: npt.ArrayLike, product: npt.ArrayLike) -> FloatArray:
        """Resistance in P, ohm, for a resistance-area product (ohm m^2) at 300 K."""
        product = FilmLaws(self.stack, temperature).resistance_area_product(product)
        return tunneling.parallel_resistance(product, np.asarray(self.diameter))

    def tmr(self, temperature: npt.ArrayLike, tmr: float) -> FloatArray:
        """TMR at zero bias at temperatures in K, from that at 300 K."""
        return FilmLaws(self.stack, temperature).tmr(tmr)

    def nominal(self) -> Device:
        """Device parameters of the unchanged stack."""
        stack = self.stack
        values = FilmValues(
            *map(np.asarray, (stack.interfacial_anisotropy, stack.spin_polarization, stack.damping))
        )
        return self.device(values, self.temperature)

    def device(self, film: FilmValues, temperature: npt.ArrayLike) -> Device:
        """Device parameters at temperatures in K."""
        laws = FilmLaws(self.stack, temperature)
        free = laws.free_layer(
            self.stack.free_layer_thickness,
            self.diameter,
            self.magnetization(temperature),
            laws.interfacial_anisotropy(film.interfacial_anisotropy),
            laws.polarization(film.spin_polarization),
            film.damping,
        )
        return Device(free.stability, free.critical_current, free.relaxation_time)

    def film(self, device: Device) -> FilmValues:
        """Parameters of the stack from those of the device at `temperature`.

        The damping is NaN if no damping gives such a short relaxation time. The polarization is above 1
        if no film has such a small critical current.
        """
        laws = FilmLaws(self.stack, self.temperature)
        magnetization = self.magnetization(self.temperature)
        energy = device.stability * constants.k * self.temperature / self.volume
        thickness = np.asarray(self.stack.free_layer_thickness)
        interfacial = anisotropy.interfacial_anisotropy(
            energy, thickness, magnetization, np.asarray(self.diameter), self.stack.demagnetization
        )
        interfacial = interfacial / laws.interfacial_anisotropy(1.0)
        damping = self.damping(device.stability, device.relaxation_time)
        # critical_current is 4 alpha e kB T Delta/(hbar eta), solved here for eta.
        efficiency = (
            torque.critical_current(damping, device.stability, np.asarray(self.temperature), np.asarray(1.0))
            / device.critical_current
        )
        polarization = torque.polarization_of(np.asarray(efficiency), self.stack.torque)
        return FilmValues(interfacial, polarization / laws.polarization(1.0), damping)

    def anisotropy_field(
        self, stability: npt.ArrayLike, temperature: npt.ArrayLike | None = None
    ) -> FloatArray:
        """Anisotropy field mu0 Hk, T, for a stability: 2 kB T Delta/(Ms V)."""
        kelvin = np.asarray(self.temperature if temperature is None else temperature)
        moment = self.magnetization(kelvin) * self.volume
        return np.asarray(2.0 * constants.k * kelvin * np.asarray(stability) / moment)

    def moment_ratio(self, stability: npt.ArrayLike, anisotropy_field: npt.ArrayLike) -> FloatArray:
        """Moment 2 kB T Delta/(mu0 Hk) that a stability and a field (T) imply, over Ms V of the junction."""
        return np.asarray(self.anisotropy_field(stability) / np.asarray(anisotropy_field))

    def damping(self, stability: npt.ArrayLike, relaxation_time: npt.ArrayLike) -> FloatArray:
        """Gilbert damping from the relaxation time (s); NaN if there is none."""
        # (1 + alpha^2)/alpha = t_D gamma mu0 Hk =: c has two roots; damping is the one below 1.
        c = np.asarray(relaxation_time) * anisotropy.GAMMA * self.anisotropy_field(stability)
        with np.errstate(invalid="ignore"):
            return np.asarray(2.0 / (c + np.sqrt(c**2 - 4.0)))
