"""Types of the keys: SI numbers that files give as strings with a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mtjchar.errors import InputError
from mtjchar.units import format_quantity, parse_quantity

__all__ = [
    "Angle",
    "Capacitance",
    "Complaint",
    "Count",
    "Description",
    "Duration",
    "FluxDensity",
    "InUnit",
    "Label",
    "Length",
    "Number",
    "Resistance",
    "Temperature",
    "Voltage",
    "first_complaint",
    "inconsistent",
]


@dataclass(frozen=True)
class InUnit:
    """Pydantic annotation: a float in an SI unit, a string with a unit in files."""

    unit: str

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(
            self._read,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: format_quantity(value, self.unit)
            ),
        )

    def _read(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        if isinstance(value, str):
            try:
                return parse_quantity(value, self.unit)
            except InputError as error:
                raise ValueError(f"allowed: {error.allowed}. {error.remedy}".strip()) from error
        if info.context is not None or isinstance(value, bool):
            raise ValueError(f'allowed: a string with a unit, such as "1 {self.unit}"')
        return value


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise ValueError("allowed: a plain number, without quotes and unit")
    return value


_ANGLE_UNIT = re.compile(r"(rad|radians?|deg|degrees?|°)\s*$")


def _with_angle_unit(value: Any) -> Any:
    # To pint an angle is a pure number: without a unit, degrees would be taken for radians.
    if isinstance(value, str) and not _ANGLE_UNIT.search(value):
        raise ValueError('allowed: a string with a unit of angle, such as "2 deg" or "0.03 rad"')
    return value


def _one_line(value: str) -> str:
    # Names end up in comments of netlists and tables: no line may start in them.
    if not value.isprintable():
        raise ValueError("allowed: one line without control characters")
    return value


def inconsistent(key: str, allowed: str) -> PydanticCustomError:
    """Complain about one key in a validator that looks at several."""
    return PydanticCustomError("inconsistent", "{key}: allowed: {allowed}", {"key": key, "allowed": allowed})


class Complaint(NamedTuple):
    """What is wrong with one value.

    Attributes
    ----------
    keys : list of str
        Where it stands.
    value : object
    allowed : str
        What is allowed there, in words.
    type : str
        pydantic's word for the kind of error.
    others : int
        How many more complaints there are.
    """

    keys: list[str]
    value: object
    allowed: str
    type: str
    others: int


def first_complaint(error: ValidationError) -> Complaint:
    """Translate pydantic's first complaint."""
    first, *others = error.errors(include_url=False)
    keys = [str(key) for key in first["loc"]]
    allowed = first["msg"].removeprefix("Value error, ").removeprefix("allowed: ")
    if first["type"] == "inconsistent":
        keys += first["ctx"]["key"].split(".")
        allowed = first["ctx"]["allowed"]
    elif first["type"] == "missing":
        allowed = "this key is required"
    return Complaint(keys, first["input"], allowed, first["type"], len(others))


Length = Annotated[float, InUnit("m")]
Voltage = Annotated[float, InUnit("V")]
Duration = Annotated[float, InUnit("s")]
Resistance = Annotated[float, InUnit("ohm")]
Capacitance = Annotated[float, InUnit("F")]
Temperature = Annotated[float, InUnit("K")]
FluxDensity = Annotated[float, InUnit("T")]
Angle = Annotated[float, InUnit("rad"), BeforeValidator(_with_angle_unit)]
Number = Annotated[float, BeforeValidator(_plain)]
Count = Annotated[int, BeforeValidator(_plain)]
Label = Annotated[str, AfterValidator(_one_line)]


class Description(BaseModel):
    """Base of all tables: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)
