"""Measured values of a film over temperature, in place of the exponents of a stack."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from scipy.interpolate import PchipInterpolator

from mtjchar.arrays import FloatArray
from mtjchar.fields import Description, FluxDensity, InUnit, Length, Temperature, inconsistent
from mtjchar.physics.anisotropy import REFERENCE_TEMPERATURE
from mtjchar.units import compact

__all__ = ["AnisotropyTable", "FieldTable", "MagnetizationTable", "OverTemperature"]

_MOST_POINTS = 1000


class OverTemperature(Description):
    """Values at ascending temperatures that include 300 K in their range.

    Between the points a piecewise cubic is taken that is monotone wherever the points are (F. N. Fritsch,
    J. Butland, SIAM J. Sci. Stat. Comput. 5, 300 (1984), doi:10.1137/0905021; scipy's `PchipInterpolator`).
    """

    temperature: tuple[Temperature, ...] = Field(min_length=2, max_length=_MOST_POINTS)
    value: tuple[float, ...]

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest temperature, K."""
        return self.temperature[0], self.temperature[-1]

    def at(self, temperature: npt.ArrayLike) -> FloatArray:
        """Values at temperatures, K; NaN outside `range`."""
        return np.asarray(_curve(self.temperature, self.value)(np.asarray(temperature, dtype=np.float64)))

    def _limits(self) -> tuple[float, float, str]:
        """Limits between which all values are, and their unit."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        if len(self.value) != len(self.temperature):
            raise inconsistent(
                "value", f"as many values as temperatures: {len(self.temperature)}, not {len(self.value)}"
            )
        if not all(low < high for low, high in zip(self.temperature, self.temperature[1:], strict=False)):
            raise inconsistent("temperature", "temperatures in ascending order, each of them once")
        low, high = self.range
        if not (0.0 < low <= REFERENCE_TEMPERATURE <= high):
            raise inconsistent(
                "temperature",
                f"temperatures above 0 K on both sides of {REFERENCE_TEMPERATURE:g} K, or one of "
                f"{REFERENCE_TEMPERATURE:g} K at an end, not {low:g} K to {high:g} K",
            )
        least, most, unit = self._limits()
        for value in self.value:
            if not least < value < most:
                raise inconsistent(
                    "value",
                    f"above {compact(least, unit)} and below {compact(most, unit)}, "
                    f"not {compact(value, unit)}",
                )
        return self


class MagnetizationTable(OverTemperature):
    """Saturation magnetization Ms, A/m, as a magnetometer measures it on a film."""

    value: tuple[Annotated[float, InUnit("A/m")], ...] = Field(min_length=2, max_length=_MOST_POINTS)

    def _limits(self) -> tuple[float, float, str]:
        return 1e4, 3e6, "A/m"


class AnisotropyTable(OverTemperature):
    """Interfacial anisotropy Ki, J/m^2."""

    value: tuple[Annotated[float, InUnit("J/m^2")], ...] = Field(min_length=2, max_length=_MOST_POINTS)

    def _limits(self) -> tuple[float, float, str]:
        return 0.0, 10e-3, "J/m^2"


class FieldTable(OverTemperature):
    """Effective anisotropy field mu0 Hk, T, of the film, or of circular junctions of a `diameter`.

    It is what hard-axis loops and ferromagnetic resonance give, and negative where the easy direction
    is in the plane.
    """

    value: tuple[FluxDensity, ...] = Field(min_length=2, max_length=_MOST_POINTS)
    diameter: Length | None = Field(default=None, gt=5e-9, lt=500e-9)

    def _limits(self) -> tuple[float, float, str]:
        return -5.0, 5.0, "T"


@functools.lru_cache(maxsize=64)
def _curve(temperature: tuple[float, ...], value: tuple[float, ...]) -> PchipInterpolator:
    assert all(map(math.isfinite, value))
    return PchipInterpolator(np.array(temperature), np.array(value), extrapolate=False)
