"""Units of columns: their spellings, and their conversion to SI."""

from __future__ import annotations

import functools
import re

import numpy as np
from scipy import constants

from mtjchar.errors import InputError
from mtjchar.stackfit.data.names import UNITS
from mtjchar.units import parse_quantity

__all__ = ["conversion", "in_tesla", "is_unit", "quantity"]

_OERSTED = re.compile(r"(k|m)?(Oe|G)(?=$|/)")
_AMPERE_PER_METRE = re.compile(r"(?<![A-Za-z])(k)?A/m(?=$|/)")
_LONGEST = 30
_PREFIXES = {"pico": "p", "nano": "n", "micro": "u", "mikro": "u", "milli": "m", "kilo": "k", "mega": "M"}
_SYMBOLS = {
    "volt": "V", "amp": "A", "ampere": "A", "ohm": "ohm", "sec": "s", "second": "s", "tesla": "T",
    "meter": "m", "metre": "m", "oersted": "Oe", "oe": "Oe", "gauss": "G", "kelvin": "K",
}  # fmt: skip
_WRITTEN_OUT = re.compile(
    rf"(?<![A-Za-z\u00b5\u03bc])({'|'.join(_PREFIXES)}|[pnu\u00b5\u03bcmkM])?[ ]?"
    rf"({'|'.join(_SYMBOLS)})s?(?![A-Za-z])",
    re.IGNORECASE,
)
_CELSIUS = re.compile(
    r"((deg(rees?)?\.?|[\u00b0\u00ba\u02da])\s*)?(C|celsius|centigrade)|\u2103", re.IGNORECASE
)
_POINTS = re.compile(r"(?<=[A-Za-z\u03a9\u2126])\s*[-.\u2022\u22c5\u2219]\s*(?=[A-Za-z\u00b5\u03bc])")
_LARGEST = {"V": 1e3, "A": 1e3}  # of a unit; MV and MA are mV and mA, written carelessly


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
    own, factor = in_tesla(_spelled(own.strip(), unit), unit)
    # um2 as a column name has it: um^2 for pint.
    own = re.sub(r"(?<=[A-Za-z])([23])(?=$|[*/])", r"^\1", own)
    offset, one_unit = (parse_quantity(f"{value} {own}", unit, thing=thing) for value in ("0", "1"))
    if one_unit > _LARGEST.get(unit, np.inf):
        raise InputError(
            thing,
            value=own,
            allowed=f"at most 1 k{unit}",
            remedy=f"Did you mean m{unit}? Case tells them apart.",
        )
    return offset, factor * (one_unit - offset)


def quantity(thing: str, text: str, unit: str) -> float:
    """Read a number with its unit, in the SI unit; `conversion` says how units may be spelled.

    Raises
    ------
    InputError
        Naming `thing`, if it is no such quantity.
    """
    found = re.fullmatch(r"\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(\D.*?)\s*", text)
    if unit and found:
        number, own = found.groups()
        own, factor = in_tesla(_spelled(own, unit), unit)
        return factor * parse_quantity(f"{number} {own}", unit, thing=thing)
    return parse_quantity(text, unit, thing=thing)


def _spelled(own: str, unit: str) -> str:
    """Spell a unit as pint does: names of units in any case and number, and products with a point or dash."""
    if unit == "K" and _CELSIUS.fullmatch(own):
        return "degC"
    own = _WRITTEN_OUT.sub(_symbol, own)
    return re.sub(r"([\u03a9\u2126])(?=[A-Za-z\u00b5\u03bc])", r"\1*", _POINTS.sub("*", own))


def _symbol(found: re.Match[str]) -> str:
    prefix, name = found[1] or "", found[2].lower()
    prefix = _PREFIXES.get(prefix.lower(), prefix)
    return ("k" if prefix == "K" else prefix) + _SYMBOLS[name]


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
