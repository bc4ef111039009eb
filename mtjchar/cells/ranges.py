"""Ranges of the values that a study simulates: of writes and of reads."""

from __future__ import annotations

import itertools
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.fields import Count, Description, Duration, Voltage, inconsistent

__all__ = ["AmplitudeRange", "DurationRange", "TimeRange", "VoltageRange"]


class _Range(Description):
    points: Count = Field(ge=2, le=1000)
    spacing: Literal["linear", "log", "refined"] = "linear"
    start: float
    stop: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.start < self.stop:
            raise inconsistent("stop", "more than start")
        return self

    def values(self) -> FloatArray:
        """Return the grid, ascending, shape (points,)."""
        spaced = np.linspace if self.spacing == "linear" else np.geomspace
        return spaced(self.start, self.stop, self.points)


class _RefinableRange(_Range):
    grid: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if self.grid is not None and (
            self.spacing != "refined"
            or len(self.grid) != self.points
            or (self.grid[0], self.grid[-1]) != (self.start, self.stop)
            or any(low >= high for low, high in itertools.pairwise(self.grid))
        ):
            raise inconsistent(
                "grid", "as many ascending values as points, from start to stop, where refined"
            )
        return self

    def values(self) -> FloatArray:
        """Return the grid, ascending, shape (points,).

        Raises
        ------
        InputError
            If it is to be refined and no sweep has placed its points.
        """
        if self.spacing != "refined":
            return super().values()
        if self.grid is None:
            raise InputError(
                "spacing", value=self.spacing, allowed="a grid whose points a sweep has placed",
                remedy="study.toml in the run directory has it.",
            )  # fmt: skip
        return np.array(self.grid)


class AmplitudeRange(_RefinableRange):
    """Amplitudes in V."""

    start: Voltage = Field(gt=0, le=5)
    stop: Voltage = Field(gt=0, le=5)
    grid: tuple[Voltage, ...] | None = None


class DurationRange(_RefinableRange):
    """Durations in s."""

    spacing: Literal["linear", "log", "refined"] = "log"
    start: Duration = Field(gt=0, le=1e-3)
    stop: Duration = Field(gt=0, le=1e-3)
    grid: tuple[Duration, ...] | None = None


class VoltageRange(_Range):
    """Read voltages in V."""

    spacing: Literal["linear", "log"] = "linear"
    start: Voltage = Field(gt=0, le=5)
    stop: Voltage = Field(gt=0, le=5)


class TimeRange(_Range):
    """Sensing times in s."""

    spacing: Literal["linear", "log"] = "log"
    start: Duration = Field(gt=0, le=1e-3)
    stop: Duration = Field(gt=0, le=1e-3)
