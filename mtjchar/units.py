"""Strings with units, read into SI numbers.

Units appear only in files and on the command line; everything inside mtjchar is SI.
"""

from __future__ import annotations

import functools
import math

import pint

from mtjchar.errors import InputError


@functools.cache
def _registry() -> pint.UnitRegistry[float]:
    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True, cache_folder=None)


def parse_quantity(text: str, unit: str, *, thing: str = "quantity") -> float:
    """Read a string such as ``"40 nm"`` as a number in an SI unit.

    Parameters
    ----------
    text : str
        Number and unit, as pint reads them: ``"5 ohm*um^2"``, ``"0.3 T"``, ``"85 degC"``.
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
    example = f"a finite number with a unit of the dimension of {unit or 'a pure number'}, such as '1 {unit}'"
    try:
        quantity = _registry().Quantity(text.strip())
        value = float(quantity.to(unit or "dimensionless").magnitude)
    except pint.DimensionalityError as error:
        found = str(error.units1)
        raise InputError(thing, value=text, allowed=example, remedy=f"The unit given is {found}.") from error
    except Exception as error:  # pint raises whatever its tokenizer and evaluator meet
        raise InputError(thing, value=text, allowed=example) from error
    if not math.isfinite(value):
        raise InputError(thing, value=text, allowed=example)
    return value


def format_quantity(value: float, unit: str) -> str:
    """Write an SI number so that `parse_quantity` reads back the very same float."""
    return f"{value!r} {unit}".rstrip()
