"""The spread of devices: the table ``[variability]`` of any cell kind."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_serializer

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.fields import Description, Number
from mtjchar.units import format_quantity, parse_quantity

__all__ = ["CUT", "NO_SPREAD", "AreaCoefficient", "Spread", "Variability"]

CUT = 5.0
"""Standard deviations at which the normal distributions end."""


class Spread(Description):
    """A standard deviation, relative to the nominal value or absolute in SI.

    With `per_root_area`, `sigma` is in SI times m, to be divided by the root of the transistor's width times
    length (M. J. M. Pelgrom et al., IEEE J. Solid-State Circuits 24, 1433 (1989),
    doi:10.1109/JSSC.1989.572629); see `CellTables.spreads`.
    """

    sigma: float
    relative: bool
    per_root_area: bool = False


NO_SPREAD = Spread(sigma=0.0, relative=True)


class AreaCoefficient(NamedTuple):
    """Pelgrom's coefficient of a parameter of the transistor: its key in a study file, and its unit."""

    key: str
    unit: str
    example: str
    relative: bool


class Variability(Description):
    """Standard deviations of normal distributions, cut at 5 sigma; relative if no unit is given.

    A cell kind derives its own class, with a `Spread` for each sampled parameter. `correlation` holds
    correlations of two parameters, by their names with a blank between them.

    Attributes
    ----------
    units : mapping
        SI units of the sampled parameters, in the fixed order of the sampled dimensions.
    area_coefficients : mapping
        Parameters that may be given by Pelgrom's coefficient.
    absolute : mapping
        Parameters that must be given with a unit, with an example.
    """

    units: ClassVar[dict[str, str]] = {}
    area_coefficients: ClassVar[dict[str, AreaCoefficient]] = {}
    absolute: ClassVar[dict[str, str]] = {}

    correlation: dict[str, Number] = Field(default={})

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if name not in cls.units:
            return value
        if name in cls.area_coefficients and isinstance(value, dict):
            return _per_root_area(cls.area_coefficients[name], value)
        unit = cls.units[name]
        allowed = f"allowed: a relative number from 0 to below {1 / CUT:g}"
        if isinstance(value, str):
            try:
                value = Spread(sigma=parse_quantity(value, unit), relative=False)
            except InputError as error:
                raise ValueError(f"{allowed}, or {error.allowed}") from error
        elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
            value = Spread(sigma=min(value, 1.0), relative=True)
        too_large = isinstance(value, Spread) and value.relative and value.sigma >= 1 / CUT
        if not isinstance(value, Spread) or value.sigma < 0 or (too_large and not value.per_root_area):
            raise ValueError(f"{allowed}, or a string with a unit")
        if name in cls.absolute and value.relative and value.sigma:
            raise ValueError(f"allowed: {cls.absolute[name]}")
        return value

    @field_validator("correlation")
    @classmethod
    def _correlated(cls, value: dict[str, float]) -> dict[str, float]:
        matrix = _correlation_matrix(list(cls.units), value)
        if matrix is None or np.linalg.eigvalsh(matrix).min() < 1e-9:
            raise ValueError(
                'allowed: pairs of different parameters such as "diameter tmr" = 0.3, each once, '
                "between -1 and 1, that can go together"
            )
        return value

    @model_serializer
    def write(self) -> dict[str, Any]:
        """Return the table in the form of a study file."""
        table: dict[str, Any] = {name: self._written(name, spread) for name, spread in self.items()}
        if self.correlation:
            table["correlation"] = dict(self.correlation)
        return table

    def _written(self, name: str, spread: Spread) -> Any:
        """Spread in the form of a study file."""
        if spread.per_root_area:
            coefficient = self.area_coefficients[name]
            return {coefficient.key: format_quantity(spread.sigma, coefficient.unit)}
        return spread.sigma if spread.relative else format_quantity(spread.sigma, self.units[name])

    def correlation_matrix(self) -> FloatArray:
        """Correlations of the sampled parameters, in the order of `items`."""
        matrix = _correlation_matrix(list(self.units), self.correlation)
        assert matrix is not None  # checked when it was read
        return matrix

    def items(self) -> list[tuple[str, Spread]]:
        """Names and spreads, in the fixed order of the sampled dimensions."""
        return [(name, getattr(self, name)) for name in self.units]


def _per_root_area(coefficient: AreaCoefficient, table: dict[str, Any]) -> Spread:
    """Read Pelgrom's coefficient."""
    key, unit, example, relative = coefficient
    allowed = f'allowed: {{ {key} = "{example}" }}, a number of at least 0 with a unit of that dimension'
    if set(table) != {key} or not isinstance(table[key], str):
        raise ValueError(allowed)
    try:
        value = parse_quantity(table[key], unit)
    except InputError as error:
        raise ValueError(allowed) from error
    if value < 0.0:
        raise ValueError(allowed)
    return Spread(sigma=value, relative=relative, per_root_area=True)


def _correlation_matrix(names: list[str], pairs: dict[str, float]) -> FloatArray | None:
    """Matrix of correlations; None if the pairs are invalid."""
    matrix = np.eye(len(names))
    for pair, value in pairs.items():
        two = pair.split()
        if len(two) != 2 or not set(two) <= set(names) or two[0] == two[1] or not abs(value) < 1.0:
            return None
        place = names.index(two[0]), names.index(two[1])
        if matrix[place]:
            return None
        matrix[place] = matrix[place[::-1]] = value
    return matrix
