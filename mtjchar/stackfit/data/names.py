"""Names of columns: the quantity that a header names, and the unit that stands in it or below it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from mtjchar.stackfit.data.outcomes import COUNTS, plain_name, share_of

__all__ = ["LABELS", "PLAIN", "UNITS", "Named", "named", "repeated", "split_unit"]

UNITS = {
    "amplitude": "V",
    "current": "A",
    "amplitude_error": "V",
    "current_error": "A",
    "duration": "s",
    "temperature": "K",
    "voltage": "V",
    "resistance": "ohm",
    "resistance_error": "ohm",
    "resistance_before": "ohm",
    "resistance_after": "ohm",
    "threshold": "ohm",
    "parallel_resistance": "ohm",
    "antiparallel_resistance": "ohm",
    "field": "T",
    "sweep_rate": "T/s",
    "period": "s",
    "dwell_time": "s",
    "diameter": "m",
    "resistance_area_product": "ohm*m^2",
    "tmr": "",
}
"""Columns with a unit, and the SI unit in which they are read; the TMR may be in percent."""

PLAIN = ("trials", *COUNTS, "loop")
LABELS = ("direction", "state", "initial_state", "state_before", "state_after", "device")

_ALIASES = {
    "errors": "failures",
    "tmr_%": "tmr_percent",
    "tmr_pct": "tmr_percent",
    "r_before": "resistance_before",
    "r_after": "resistance_after",
    "r_p": "parallel_resistance",
    "r_ap": "antiparallel_resistance",
    "rp": "parallel_resistance",
    "rap": "antiparallel_resistance",
}
# A lone d is a diameter only beside a unit of length.
_DIAMETER = re.compile(r"d[_ ]*[(\[]?(?P<unit>[nuµμ]m)[)\]]?", re.IGNORECASE)
_BRACKETS = re.compile(r"(?P<name>.*[^\s(\[])\s*[(\[](?P<unit>[^()\[\]]*)[)\]]")


_REPEATED = re.compile(r"(r|resistance|read(ing)?)_?[\[(]?\d+[\])]?(_[km]?ohm)?")
_LEAST_REPEATS = 2


class Named(NamedTuple):
    """What a header names.

    Attributes
    ----------
    key : str
        The quantity.
    unit : str
        As it is written; empty where there is none.
    """

    key: str
    unit: str


def split_unit(header: str) -> tuple[str, str]:
    """Separate a unit in brackets from a name: ``t (ns)`` is ``t`` and ``ns``."""
    found = _BRACKETS.fullmatch(header.strip())
    return (found["name"].strip(), found["unit"].strip()) if found else (header.strip(), "")


def named(header: str) -> Named | None:
    """Return the quantity that a header names, and its unit; None for names that are not known.

    Case and marks between words do not count, save in a unit that the name ends in.

    Examples
    --------
    >>> named("amplitude_mV")
    Named(key='amplitude', unit='mV')
    >>> named("Duration (ns)")
    Named(key='duration', unit='ns')
    """
    plain = _ALIASES.get(plain_name(header), plain_name(header))
    if plain in (*PLAIN, *LABELS) or share_of(plain):
        return Named(plain, "")
    if plain == "tmr_percent":
        return Named("tmr", "percent")
    if width := _DIAMETER.fullmatch(header.strip()):
        return Named("diameter", width["unit"])
    name, unit = split_unit(header)
    bare = _ALIASES.get(plain_name(name), plain_name(name))
    if bare in UNITS:
        return Named(bare, unit)
    if unit and (bare in PLAIN or bare in LABELS):
        return Named(bare, "")
    # In units case tells something: mV and MV.
    for key in sorted(UNITS, key=len, reverse=True):
        if header.lower().startswith(f"{key}_"):
            return Named(key, header[len(key) + 1 :].replace("_per_", "/").replace("_", "*"))
    for alias, key in _ALIASES.items():
        if key in UNITS and plain.startswith(f"{alias}_"):
            return Named(key, header[len(alias) + 1 :].replace("_per_", "/").replace("_", "*"))
    return None


def repeated(headers: Iterable[str]) -> list[str]:
    """Return the columns that are resistances after repeated writes, such as ``R_1`` to ``R_100``."""
    found = [header for header in headers if _REPEATED.fullmatch(header.strip().lower())]
    return found if len(found) >= _LEAST_REPEATS else []
