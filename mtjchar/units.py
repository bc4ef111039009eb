"""Strings with units, read into SI numbers.

Units appear only in files and on the command line; everything inside mtjchar is SI.
"""

from __future__ import annotations

import functools
import math
import re

import pint

from mtjchar.errors import InputError

__all__ = ["ZERO_CELSIUS", "format_quantity", "parse_quantity"]

ZERO_CELSIUS = 273.15
"""0 degC, K."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Names, products, quotients, brackets and powers of one digit: nothing that pint would take long over, and
# no second number that it would silently multiply with.
_UNIT = re.compile(r"(?:[^\W\d]\w*|[%°]|\b1(?=\s*/)|[\s*/()]|(?:\^|\*\*)\s*-?[0-9](?!\s*(?:\^|\*\*|[0-9])))*")
_LONGEST = 100
_OFFSET_DIGITS = 9  # of K: an offset leaves more that nobody meant, for -40 degC 233.14999999999998 K


@functools.cache
def _registry() -> pint.UnitRegistry[float]:
    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True, cache_folder=None)


def parse_quantity(text: str, unit: str, *, thing: str = "quantity") -> float:
    """Read a string such as ``"40 nm"`` as a number in an SI unit.

    Parameters
    ----------
    text : str
        A number with a decimal point, then a unit as pint reads it: ``"5 ohm*um^2"``, ``"0.3 T"``,
        ``"85 degC"``.
    unit : str
        SI unit of the result, which also fixes the dimension: ``"m"``, ``"ohm*m^2"``, ``""`` for
        a pure number.
    thing : str
        What the quantity is, for the error message.

    Returns
    -------
    float
        The value in `unit`, finite.

    Raises
    ------
    InputError
        If `text` is no quantity, has another dimension, or is not finite.
    """
    example = f"a finite number with a unit of the dimension of {unit}, such as '1 {unit}'"
    if not unit:
        example = "a finite number without a unit, or in %"
    hint = "Degrees Celsius are degC, as in '25 degC'." if unit == "K" else ""
    text = text.strip()
    number = _NUMBER.match(text)
    if number is None or len(text) > _LONGEST or not _UNIT.fullmatch(text, number.end()):
        raise InputError(thing, value=text, allowed=example, remedy=hint)
    try:
        quantity = _registry().Quantity(float(number[0]), text[number.end() :].strip() or "dimensionless")
        value = float(quantity.to(unit or "dimensionless").magnitude)
        if unit == "K" and quantity.units != _registry().kelvin:
            value = round(value, _OFFSET_DIGITS)
    except pint.DimensionalityError as error:
        given_unit = str(error.units1)
        raise InputError(
            thing, value=text, allowed=example, remedy=f"The unit given is {given_unit}. {hint}".rstrip()
        ) from error
    except Exception as error:  # pint raises whatever its tokenizer and evaluator meet
        raise InputError(thing, value=text, allowed=example, remedy=hint) from error
    if not math.isfinite(value):
        raise InputError(thing, value=text, allowed=example)
    return value


def format_quantity(value: float, unit: str) -> str:
    """Write an SI number so that `parse_quantity` reads back the very same float."""
    return f"{float(value)!r} {unit}".rstrip()
