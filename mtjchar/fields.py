"""Types of the keys: SI numbers that files give as strings with a unit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mtjchar.errors import InputError
from mtjchar.units import compact, format_quantity, parse_quantity

__all__ = [
    "Angle",
    "Capacitance",
    "Complaint",
    "Count",
    "Current",
    "Description",
    "Duration",
    "Energy",
    "FileLayout",
    "FluxDensity",
    "InUnit",
    "Label",
    "Length",
    "Number",
    "Place",
    "Resistance",
    "Temperature",
    "Voltage",
    "first_complaint",
    "inconsistent",
    "refusal",
    "words_of_range",
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
    # Names are written into comments of netlists and tables: they must not start a new line.
    if not value.isprintable():
        raise ValueError("allowed: one line without control characters")
    return value


def inconsistent(key: str, allowed: str) -> PydanticCustomError:
    """Report an error of one key in a validator that checks several."""
    return PydanticCustomError("inconsistent", "{key}: allowed: {allowed}", {"key": key, "allowed": allowed})


class Place(NamedTuple):
    """Place of a value.

    Attributes
    ----------
    file : Path
    keys : tuple of str
        Its keys in that file.
    """

    file: Path
    keys: tuple[str, ...]


class Complaint(NamedTuple):
    """An error of one value.

    Attributes
    ----------
    keys : list of str
        Place of the value.
    value : object
    allowed : str
        Allowed values, in words.
    type : str
        pydantic's word for the kind of error.
    others : int
        Number of further complaints.
    """

    keys: list[str]
    value: object
    allowed: str
    type: str
    others: int

    def error(self, thing: str, remedy: str = "") -> InputError:
        """Convert it to an error; `thing` names the value in the message."""
        missing = ""
        if self.type == "missing":
            missing = f"{thing} is missing (required)."
        elif self.type == "inconsistent" and self.value is None:
            missing = f"{thing} is missing; allowed: {self.allowed}."
        return InputError(thing, value=self.value, allowed=self.allowed, remedy=remedy, problem=missing)


def first_complaint(error: ValidationError) -> Complaint:
    """Translate pydantic's first complaint, or that about an unknown key if there is one."""
    # An unknown key is usually a misspelled known key, which is then also missing.
    first, *others = sorted(
        error.errors(include_url=False), key=lambda complaint: complaint["type"] != "extra_forbidden"
    )
    keys = [str(key) for key in first["loc"]]
    value = first["input"]
    allowed = first["msg"].removeprefix("Value error, ").removeprefix("allowed: ")
    allowed = allowed.removeprefix("Input should be ")
    if first["type"] in _LIMITS:
        name, word = _LIMITS[first["type"]]
        allowed = f"{word} {first['ctx'][name]:g}"
    if first["type"] == "inconsistent":
        own = first["ctx"]["key"].split(".")
        keys += own
        allowed = first["ctx"]["allowed"]
        value = _inner(value, own)
    elif first["type"] == "missing":
        allowed = "a value"
    elif first["type"] == "tuple_type":
        allowed = "a list"
    return Complaint(keys, value, allowed.rstrip("."), first["type"], len(others))


def _inner(table: Any, keys: Sequence[str]) -> Any:
    """Return a value in a table, or in the tables of a cell; a table in words: all of it helps nobody."""
    value = table
    for key in keys:
        inside = dict(value) if isinstance(value, BaseModel | Mapping) else {}
        value = inside[key] if key in inside else dict(inside.get("tables", {})).get(key)
    if isinstance(value, BaseModel | Mapping):
        return f"a table with the keys {', '.join(map(str, dict(value)))}"
    return value


_NEARLY_EQUAL = 0.85
"""Similarity (`difflib`) from which on a key of another table is suggested."""


@dataclass(frozen=True)
class FileLayout:
    """The keys that a file may have, as messages name them.

    Parameters
    ----------
    fields : mapping
        Fields of the tables at its top, by key.
    listed : mapping, optional
        Keys that a message lists, by table (``""`` at the top), if they cannot be read from the models.
    instead : mapping, optional
        Allowed values in place of a table, by key, if not only a table is allowed.
    unwrapped : str, optional
        Field of the validated model whose keys are at the top of the file.
    """

    fields: Mapping[str, FieldInfo]
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    unwrapped: str = ""

    def find(self, keys: Sequence[str]) -> FieldInfo:
        """Find a key of the file."""
        first, *inner = keys
        key_field = self.fields[first]
        for key in inner:
            if get_origin(key_field.annotation) is not dict:  # any key of which leads to the same table
                key_field = _model(key_field).model_fields[key]
        return key_field

    def nearest(self, keys: Sequence[str]) -> str:
        """Find the known key that is most similar to an unknown one; empty if there is none.

        A key of another table is returned with the name of its table.
        """
        *table, key = keys
        close = difflib.get_close_matches(key, self.known(table), 1)
        if close:
            return close[0]
        models = {name: _model(own) for name, own in self.fields.items()}
        tables = [name for name, model in models.items() if hasattr(model, "model_fields")]
        others = {inner: name for name in tables for inner in self.known([name])}
        close = difflib.get_close_matches(key, others, 1, _NEARLY_EQUAL)
        return f"{others[close[0]]}.{close[0]}" if close else ""

    def known(self, keys: Sequence[str]) -> Sequence[str]:
        """List the keys of a table."""
        name = ".".join(keys)
        if name in self.listed:
            return self.listed[name]
        return list(_model(self.find(keys)).model_fields if keys else self.fields)


def refusal(
    error: ValidationError,
    data: Mapping[str, Any],
    file: Path,
    layout: FileLayout,
    places: Mapping[tuple[str, ...], Place] | None = None,
) -> InputError:
    """Convert pydantic's first complaint about a file to an error of mtjchar, and count the others.

    Parameters
    ----------
    error : ValidationError
    data : mapping
        The validated data.
    file : Path
    layout : FileLayout
    places : mapping, optional
        Places of values that are not in this file under their own keys, by these keys. The longest matching
        beginning counts.
    """
    complaint = first_complaint(error)
    keys, allowed, remedies = complaint.keys, complaint.allowed, []
    if layout.unwrapped and keys[0] == layout.unwrapped:
        keys = keys[1:]
    if complaint.type == "extra_forbidden":
        allowed = f"one of {', '.join(layout.known(keys[:-1]))}"
        nearest = layout.nearest(keys)
        remedies.append(f"There is no such key. {f'Did you mean {nearest}?' if nearest else ''}".strip())
    elif complaint.type in _LIMITS:
        allowed = words_of_range(layout.find(keys)) or allowed
    elif complaint.type == "model_type":
        allowed = layout.instead.get(".".join(keys), "a table")
    value: Any = data
    for key in keys:
        if isinstance(value, list):
            value = complaint.value
        else:
            value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, dict):  # a whole study in a message helps nobody
        value = f"a table with the keys {', '.join(map(str, value))}"
    for length in range(len(keys), 0, -1):
        place = (places or {}).get(tuple(keys[:length]))
        if place is not None:
            file, keys = place.file, [*place.keys, *keys[length:]]
            break
    if complaint.others:
        remedies.append(f"{complaint.others} more error{'s' if complaint.others > 1 else ''}.")
    found = complaint._replace(value=value, allowed=allowed.rstrip("."))
    return found.error(f"{file}: {'.'.join(keys)}", " ".join(remedies))


_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def words_of_range(number: FieldInfo) -> str:
    """Express the limits of a number in words."""
    inner = [part for kind in get_args(number.annotation) for part in getattr(kind, "__metadata__", ())]
    unit = next((part.unit for part in [*number.metadata, *inner] if isinstance(part, InUnit)), "")
    limits = [
        f"{word} {compact(limit, unit) if unit else limit}"
        for part in number.metadata
        for name, word in _LIMITS.values()
        if (limit := getattr(part, name, None)) is not None
    ]
    return " and ".join(limits)


def _model(table: FieldInfo) -> Any:
    """Return the model of a table, also of an optional one."""
    models = (part for part in get_args(table.annotation) if isinstance(part, type(Description)))
    return next(models, table.annotation)


Length = Annotated[float, InUnit("m")]
Voltage = Annotated[float, InUnit("V")]
Duration = Annotated[float, InUnit("s")]
Resistance = Annotated[float, InUnit("ohm")]
Capacitance = Annotated[float, InUnit("F")]
Current = Annotated[float, InUnit("A")]
Energy = Annotated[float, InUnit("J")]
Temperature = Annotated[float, InUnit("K")]
FluxDensity = Annotated[float, InUnit("T")]
Angle = Annotated[float, InUnit("rad"), BeforeValidator(_with_angle_unit)]
Number = Annotated[float, BeforeValidator(_plain)]
Count = Annotated[int, BeforeValidator(_plain)]
Label = Annotated[str, AfterValidator(_one_line)]


class Description(BaseModel):
    """Base of all tables: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)
