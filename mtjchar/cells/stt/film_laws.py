"""The laws of a film over temperature, and the free layer of a junction of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.stack import Stack
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, torque
from mtjchar.units import compact

__all__ = ["Exponents", "FilmLaws", "FreeLayer", "volume"]


class FreeLayer(NamedTuple):
    """Quantities that determine switching; arrays of one shape.

    Attributes
    ----------
    anisotropy_field : ndarray
        mu0 Hk, T; negative if the easy direction is in the plane.
    stability : ndarray
        Thermal stability Delta; negative in the same case.
    critical_current : ndarray
        Ic0 of the parallel state, A.
    relaxation_time : ndarray
        t_D, s.
    """

    anisotropy_field: FloatArray
    stability: FloatArray
    critical_current: FloatArray
    relaxation_time: FloatArray


def volume(diameter: npt.ArrayLike, thickness: npt.ArrayLike) -> FloatArray:
    """Volume of a free layer, m^3, from its diameter (of the circle of equal area) and thickness, m."""
    return np.asarray(0.25 * np.pi * np.asarray(diameter) ** 2 * np.asarray(thickness))


class Exponents(NamedTuple):
    """Exponents of the temperature laws of `Stack`: numbers, or arrays that broadcast with the temperatures.

    Attributes
    ----------
    magnetization, anisotropy, polarization, resistance : float or ndarray
        Without effect where the stack has a measured table, see `Stack.unused_exponents`.
    """

    magnetization: float | FloatArray
    anisotropy: float | FloatArray
    polarization: float | FloatArray
    resistance: float | FloatArray

    @classmethod
    def of(cls, stack: Stack, values: Mapping[str, float | FloatArray] | None = None) -> Exponents:
        """Take the exponents of a stack, or `values` in their place, by the stack's keys."""
        given = {} if values is None else values
        keys = (f"{name}_exponent" for name in cls._fields)
        return cls(*(given.get(key, getattr(stack, key)) for key in keys))


@dataclass(frozen=True)
class FilmLaws:
    """Temperature dependence of the film of a stack, and the properties of its free layer.

    The methods take values at 300 K, of one device or of many, and return those at `temperature`, by the laws
    of `Stack`.

    Parameters
    ----------
    stack : Stack
        Provides the exponents, the Curie temperature, measured tables, the torque law and the kind of
        demagnetizing factors.
    temperature : array_like
        K.
    exponents : Exponents, optional
        In place of those of the stack; arrays broadcast with the temperatures.

    Raises
    ------
    InputError
        If a temperature is outside a measured table of the stack.
    """

    stack: Stack
    temperature: npt.ArrayLike
    exponents: Exponents | None = None

    def __post_init__(self) -> None:
        kelvin = np.asarray(self.temperature, dtype=np.float64)
        for key, table in self.stack.over_temperature.items():
            low, high = table.range
            outside = kelvin[~((kelvin >= low) & (kelvin <= high))]
            if outside.size:
                raise InputError(
                    "temperature",
                    value=compact(float(outside.flat[0]), "K"),
                    allowed=f"{low:g} K to {high:g} K, the range of {key} in the stack",
                    remedy="Measure further temperatures. Without the table the exponents of the stack hold.",
                )

    @property
    def _powers(self) -> Exponents:
        return Exponents.of(self.stack) if self.exponents is None else self.exponents

    @property
    def _ratio(self) -> FloatArray:
        """Ms at the temperature over Ms at 300 K."""
        table = self.stack.magnetization_over_temperature
        if table is not None:
            return np.asarray(table.at(self.temperature) / table.at(anisotropy.REFERENCE_TEMPERATURE))
        return anisotropy.magnetization_ratio(
            np.asarray(self.temperature, dtype=np.float64),
            np.asarray(self.stack.curie_temperature),
            np.asarray(self._powers.magnetization),
        )

    def magnetization(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Saturation magnetization, A/m."""
        return np.asarray(np.asarray(at_300k) * self._ratio)

    def interfacial_anisotropy(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Interfacial anisotropy, J/m^2."""
        return np.asarray(np.asarray(at_300k) * self._anisotropy_ratio)

    @property
    def _anisotropy_ratio(self) -> FloatArray:
        """Ki at the temperature over Ki at 300 K."""
        table = self.stack.interfacial_anisotropy_over_temperature
        if table is not None:
            return np.asarray(table.at(self.temperature) / table.at(anisotropy.REFERENCE_TEMPERATURE))
        if self.stack.anisotropy_field_over_temperature is not None:
            at_300k = np.asarray(self.stack.saturation_magnetization)
            here = self.stack.anisotropy_of_field(self.temperature, self.magnetization(at_300k))
            return here / self.stack.anisotropy_of_field(anisotropy.REFERENCE_TEMPERATURE, at_300k)
        return np.asarray(self._ratio**self._powers.anisotropy)

    def polarization(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Spin polarization."""
        return np.asarray(np.asarray(at_300k) * self._ratio**self._powers.polarization)

    def tmr(self, at_300k: npt.ArrayLike) -> FloatArray:
        """TMR at zero bias, with the polarization of both layers: Julliere's TMR = 2 P^2/(1 - P^2)."""
        tmr, ratio = np.asarray(at_300k), self._ratio**self._powers.polarization
        square = tmr / (2.0 + tmr) * ratio**2
        return np.asarray(2.0 * square / (1.0 - square))

    def resistance_area_product(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Resistance-area product, ohm m^2."""
        warming = np.asarray(self.temperature) / anisotropy.REFERENCE_TEMPERATURE
        return np.asarray(np.asarray(at_300k) * warming**self._powers.resistance)

    def free_layer(
        self,
        thickness: npt.ArrayLike,
        diameter: npt.ArrayLike,
        magnetization: FloatArray,
        interfacial_anisotropy: FloatArray,
        polarization: FloatArray,
        damping: npt.ArrayLike,
        *,
        aspect_ratio: float = 1.0,
    ) -> FreeLayer:
        """Free layer of a junction, from the film at the temperature; SI."""
        kelvin = np.asarray(self.temperature, dtype=np.float64)
        energy = anisotropy.effective_anisotropy(
            interfacial_anisotropy,
            np.asarray(thickness),
            magnetization,
            np.asarray(diameter),
            aspect_ratio,
            self.stack.demagnetization,
        )
        field = anisotropy.anisotropy_field(energy, magnetization)
        stability = anisotropy.thermal_stability(energy, volume(diameter, thickness), kelvin)
        efficiency = torque.symmetric_efficiency(polarization, self.stack.torque)
        return FreeLayer(
            field,
            stability,
            torque.critical_current(np.asarray(damping), stability, kelvin, efficiency),
            anisotropy.relaxation_time(np.asarray(damping), field),
        )
