"""Units of columns: their spellings, and their conversion to SI."""

from __future__ import annotations

import functools
import re

from scipy import constants

from mtjchar.errors import InputError
from mtjchar.stackfit.data.names import UNITS
from mtjchar.units import parse_quantity

__all__ = ["conversion", "in_tesla", "is_unit"]

_OERSTED = re.compile(r"(k|m)?Oe(?=$|/)")
_AMPERE_PER_METRE = re.compile(r"(?<![A-Za-z])(k)?A/m$")
_LONGEST = 30


def in_tesla(own: str, unit: str) -> tuple[str, float]:
    """Rewrite a unit, or a number with one, of H as one of mu0 H; returns it and the factor that makes up."""
    if unit.startswith("T"):
        if _OERSTED.search(own):
            return _OERSTED.sub(r"\1T", own), 1e-4  # 1 Oe of H is 1e-4 T of mu0 H
        if _AMPERE_PER_METRE.search(own):
            return _AMPERE_PER_METRE.sub(r"\1T", own), constants.mu_0
    return own, 1.0


def conversion(thing: str, own: str, unit: str) -> tuple[float, float]:
    """Offset and factor from a unit, as a column has it, to the SI unit.

    Raises
    ------
    InputError
        Naming `thing`, if it is no such unit.
    """
    own, factor = in_tesla(own.strip(), unit)
    # um2 as a column name has it: um^2 for pint.
    own = re.sub(r"(?<=[A-Za-z])([23])(?=$|[*/])", r"^\1", own)
    own = own.replace("Ohm", "ohm")
    offset, one_unit = (parse_quantity(f"{value} {own}", unit, thing=thing) for value in ("0", "1"))
    return offset, factor * (one_unit - offset)


@functools.lru_cache(maxsize=1_000)
def is_unit(text: str) -> bool:
    """Whether a text is a unit that one of the known columns can have."""
    text = text.strip()
    if not text or len(text) > _LONGEST or any(character.isdigit() for character in text[:1]):
        return False
    if text in _NO_UNIT:
        return True
    for unit in {*UNITS.values()} - {""}:
        try:
            conversion("unit", text, unit)
        except InputError:
            continue
        return True
    return False


_NO_UNIT = ("-", "%", "a.u.", "arb. unit", "arb. units", "counts", "#", "none", "percent")
"""What stands in a row of units below names that have none."""
