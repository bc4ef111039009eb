"""The laws of a film over temperature, and the free layer of a junction of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.stack import Stack
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, reversal, torque
from mtjchar.units import compact

__all__ = ["Exponents", "FilmLaws", "FreeLayer", "volume"]


class FreeLayer(NamedTuple):
    """Quantities that determine switching; arrays of one shape.

    Attributes
    ----------
    anisotropy_field : ndarray
        mu0 Hk, T; negative if the easy direction is in the plane.
    stability : ndarray
        Thermal stability Delta, the barrier over kB T; negative in the same case.
    critical_current : ndarray
        Ic0 of the parallel state, A: of the uniform magnetization of the whole layer.
    relaxation_time : ndarray
        t_D, s.
    coherent_stability : ndarray
        K_eff V/(kB T): `stability` unless only a part of the layer fluctuates as one macrospin.
    """

    anisotropy_field: FloatArray
    stability: FloatArray
    critical_current: FloatArray
    relaxation_time: FloatArray
    coherent_stability: FloatArray


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

    The methods take values at 300 K, or at `given_at`, of one device or of many, and return those at
    `temperature`, by the laws of `Stack`.

    Parameters
    ----------
    stack : Stack
        Provides the exponents, the Curie temperature, measured tables, the torque law and the kind of
        demagnetizing factors.
    temperature : array_like
        K.
    exponents : Exponents, optional
        In place of those of the stack; arrays broadcast with the temperatures.
    given_at : float, optional
        Temperature of the values that the methods take, K.

    Raises
    ------
    InputError
        If a temperature is outside a measured table of the stack.
    """

    stack: Stack
    temperature: npt.ArrayLike
    exponents: Exponents | None = None
    given_at: float = anisotropy.REFERENCE_TEMPERATURE

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
        """Ms at the temperature over Ms at that of the given values."""
        return np.asarray(self._magnetization_at(self.temperature) / self._magnetization_at(self.given_at))

    def _magnetization_at(self, temperature: npt.ArrayLike) -> FloatArray:
        """Ms at temperatures (K), up to a factor."""
        table = self.stack.magnetization_over_temperature
        if table is not None:
            return table.at(temperature)
        return anisotropy.magnetization_ratio(
            np.asarray(temperature, dtype=np.float64),
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
        """Ki at the temperature over Ki at that of the given values."""
        table = self.stack.interfacial_anisotropy_over_temperature
        if table is not None:
            return np.asarray(table.at(self.temperature) / table.at(self.given_at))
        if self.stack.anisotropy_field_over_temperature is not None:
            return np.asarray(self._anisotropy_at(self.temperature) / self._anisotropy_at(self.given_at))
        return np.asarray(self._ratio**self._powers.anisotropy)

    def _anisotropy_at(self, temperature: npt.ArrayLike) -> FloatArray:
        """Ki at temperatures (K) from the measured anisotropy field, J/m^2."""
        ratio = self._magnetization_at(temperature) / self._magnetization_at(anisotropy.REFERENCE_TEMPERATURE)
        return self.stack.anisotropy_of_field(temperature, self.stack.saturation_magnetization * ratio)

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
        warming = np.asarray(self.temperature) / self.given_at
        return np.asarray(np.asarray(at_300k) * warming**self._powers.resistance)

    def exchange_stiffness(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Exchange stiffness, J/m; infinite where it is infinite at 300 K."""
        # In mean field it is the exchange energy of neighbours, proportional to the square of their moments.
        return np.asarray(np.asarray(at_300k) * self._ratio**2)

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
        exchange_stiffness: npt.ArrayLike | None = None,
        nucleation_diameter: npt.ArrayLike | None = None,
    ) -> FreeLayer:
        """Free layer of a junction, from the film at the temperature; SI.

        Exchange stiffness (J/m, also at the temperature) and nucleation diameter (m) are by default those of
        the stack; infinite values are coherent reversal.
        """
        own_stiffness, own_nucleus = self.stack.wall_and_nucleus
        if exchange_stiffness is None:
            # The stack's value is that at 300 K, whatever the temperature of the other values.
            reference = anisotropy.REFERENCE_TEMPERATURE
            exchange_stiffness = dataclasses.replace(self, given_at=reference).exchange_stiffness(
                own_stiffness
            )
        if nucleation_diameter is None:
            nucleation_diameter = own_nucleus
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
        coherent = anisotropy.thermal_stability(energy, volume(diameter, thickness), kelvin)
        share = reversal.coherent_share(
            energy, diameter, exchange_stiffness, nucleation_diameter, aspect_ratio
        )
        efficiency = torque.symmetric_efficiency(polarization, self.stack.torque)
        return FreeLayer(
            field,
            coherent * share,
            # The current that makes the uniform state unstable turns the whole layer, whatever the path of
            # the reversal that follows: P. Bouquin et al., arXiv:1809.03353.
            torque.critical_current(np.asarray(damping), coherent, kelvin, efficiency),
            anisotropy.relaxation_time(np.asarray(damping), field),
            coherent,
        )
