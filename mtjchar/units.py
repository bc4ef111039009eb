"""Conversion of strings with units to SI numbers, and of SI numbers to readable text.

Units are used only in files and messages; all values inside mtjchar are SI.
"""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Any

from mtjchar.errors import InputError

if TYPE_CHECKING:
    import pint

__all__ = ["ZERO_CELSIUS", "compact", "format_quantity", "parse_quantity", "rough_time"]

ZERO_CELSIUS = 273.15
"""0 degC, K."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Names, products, quotients, brackets and powers of one digit. Anything else could take pint very long, and a
# second number would be multiplied silently.
_UNIT = re.compile(
    r"(?:[^\W\d]\w*|[%°]|\b1(?=\s*/)|[\s*·/()]|(?:\^|\*\*)\s*-?[0-9](?!\s*(?:\^|\*\*|[0-9])))*"
)
_LONGEST = 100
_CELSIUS = "Degrees Celsius are degC, as in '25 degC'."
_OFFSETS = "degree_Celsius", "degree_Fahrenheit"
_OFFSET_DIGITS = 9  # of K: conversion of an offset leaves rounding errors, for -40 degC 233.14999999999998 K

_UNSCALED = 0.1, 1000.0
"""Numbers between which a unit gets no prefix: 0.8 V, not 800 mV."""

_DEGREES = {"C": "degC", "F": "degF"}
"""Temperature scales as people write them; pint would read them as coulomb and farad."""

_CUSTOMARY = {"ohm*m^2": "ohm*um^2"}
"""Units that are usual in the field, if a prefix alone does not give them."""

_PREFIXES = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3}
_PREFIXED = ("V", "s", "J")
"""Units that are read and written here with these prefixes, digit for digit as by pint, which takes half a
second to load: longer than a question to a surface."""


@functools.cache
def _registry() -> pint.UnitRegistry[float]:
    import pint  # imported here: it takes half a second, which commands without units need not wait for

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(
        autoconvert_offset_to_baseunit=True, cache_folder=None
    )
    registry.formatter.default_sort_func = lambda units, _: units  # Ω·µm² as written, not µm²·Ω
    return registry


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
        Description of the quantity, for the error message.

    Returns
    -------
    float
        The value in `unit`, finite.

    Raises
    ------
    InputError
        If `text` is not a quantity, has another dimension, or is not finite.
    """
    example = f"a finite number with a unit of the dimension of {unit}, such as '1 {unit}'"
    if not unit:
        example = "a finite number without a unit, or in %"
    text = text.strip()
    number = _NUMBER.match(text)
    if number is None or len(text) > _LONGEST or not _UNIT.fullmatch(text, number.end()):
        raise InputError(thing, value=text, allowed=example, remedy=_CELSIUS if unit == "K" else "")
    given = text[number.end() :].strip().replace("·", "*")
    prefix = given.removesuffix(unit).replace("u", "µ")
    if given == unit:  # written by mtjchar itself
        return _finite(float(number[0]), text, thing, example)
    if unit in _PREFIXED and given.endswith(unit) and prefix in _PREFIXES:
        return _finite(float(number[0]) * float(f"1e{_PREFIXES[prefix]}"), text, thing, example)
    from pint import DimensionalityError

    try:
        quantity = _registry().Quantity(float(number[0]), given or "dimensionless")
        value = float(quantity.to(unit or "dimensionless").magnitude)
        if str(quantity.units) in _OFFSETS:
            value = round(value, _OFFSET_DIGITS)
    except DimensionalityError as error:
        words = f"The unit given is {error.units1}. {_meant(number[0], given, unit)}".strip()
        raise InputError(thing, value=text, allowed=example, remedy=words) from error
    except Exception as error:  # pint raises any error of its tokenizer and evaluator
        raise InputError(thing, value=text, allowed=example, remedy=_meant(number[0], given, unit)) from error
    return _finite(value, text, thing, example)


def _finite(value: float, text: str, thing: str, example: str) -> float:
    if not math.isfinite(value):
        raise InputError(thing, value=text, allowed=example)
    return value


def _meant(number: str, given: str, unit: str) -> str:
    """Suggest a unit that is similar to the given one and has the right dimension; empty if there is none."""
    candidates = [_DEGREES[given.lstrip("°").upper()]] if given.lstrip("°").upper() in _DEGREES else []
    candidates += [
        given[:-1] + given[-1:].swapcase(),  # nS, mt, v
        given[:1].swapcase() + given[1:],  # Nm
        given.swapcase(),  # NM
        re.sub(r"[oO][hH][mM]", "ohm", given),
        re.sub(r"(?<=[A-Za-zµ])([23])(?!\d)", r"^\1", given),  # um2
    ]
    for candidate in candidates:
        try:
            good = candidate != given and _registry().Unit(candidate).is_compatible_with(unit)
        except Exception:  # pint raises any error of its tokenizer and evaluator
            continue
        if good:
            return f"Did you mean '{number} {candidate}'?"
    return _CELSIUS if unit == "K" else ""


def format_quantity(value: float, unit: str) -> str:
    """Write an SI number so that `parse_quantity` reads back exactly the same float."""
    return f"{float(value)!r} {unit}".rstrip()


def compact(value: float, unit: str, digits: int = 6) -> str:
    """Write an SI number for display: rounded, with a suitable prefix.

    Parameters
    ----------
    value : float
        In `unit`.
    unit : str
        SI unit without a prefix, as `parse_quantity` takes it; ``""`` for a pure number.
    digits : int, optional
        Largest number of significant digits; zeros at the end are left out.

    Returns
    -------
    str
        Text that `parse_quantity` can read. From 0.1 to 1000 the unit has no prefix.

    Examples
    --------
    >>> compact(1.7000000000000001e-09, "m")
    '1.7 nm'
    >>> compact(0.8, "V"), compact(4.7e3, "ohm"), compact(5e-12, "ohm*m^2")
    ('0.8 V', '4.7 kΩ', '5 Ω·µm²')
    >>> compact(6.0163e-13, "J", digits=3)
    '602 fJ'
    """
    rounded = float(f"{float(value):.{digits}g}") or 0.0  # -0.0 becomes 0.0
    if not unit or not math.isfinite(rounded):
        return f"{rounded:.{digits}g} {unit}".rstrip()
    if unit in _PREFIXED and (written := _prefixed(rounded, unit, digits)):
        return written
    given: Any = _registry().Quantity(rounded, unit)
    if unit in _CUSTOMARY:
        given = given.to(_CUSTOMARY[unit])
    elif rounded and not _UNSCALED[0] <= abs(rounded) <= _UNSCALED[1]:
        given = given.to_compact()
    magnitude = float(f"{given.magnitude:.{digits}g}")
    return f"{magnitude:.{max(digits, 6)}g} {given.units:~P}"


def _prefixed(rounded: float, unit: str, digits: int) -> str:
    """Write a number with one of `_PREFIXES`; empty where another one suits it."""
    exponent = 0
    if rounded and not _UNSCALED[0] <= abs(rounded) <= _UNSCALED[1]:
        exponent = 3 * (int(f"{rounded:e}".partition("e")[2]) // 3)
    for prefix, power in _PREFIXES.items():
        if power == exponent:
            magnitude = float(f"{rounded / float(f'1e{power}'):.{digits}g}")
            return f"{magnitude:.{max(digits, 6)}g} {prefix}{unit}"
    return ""


def rough_time(seconds: float) -> str:
    """Write an estimated time in s, min or h.

    Examples
    --------
    >>> rough_time(31.4), rough_time(900.0), rough_time(9000.0)
    ('31 s', '15 min', '2.5 h')
    """
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds > 2.0 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"
