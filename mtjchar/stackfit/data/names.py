"""Names of columns: the quantity that a header names, and the unit that stands in it or below it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from mtjchar.stackfit.data.outcomes import COUNTS, plain_name, share_of

__all__ = [
    "LABELS",
    "PLAIN",
    "UNITS",
    "Named",
    "Repeats",
    "column_of",
    "named",
    "needs_unit",
    "repeats_of",
    "scaled",
    "split_unit",
]

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

PLAIN = ("trials", *COUNTS, "loop", "averages")
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
    "ra": "resistance_area_product",
    "loops": "averages",
}
# A lone d is a diameter only beside a unit of length.
_DIAMETER = re.compile(r"d[_ ]*[(\[]?(?P<unit>[nuµμ]m)[)\]]?", re.IGNORECASE)
_BRACKETS = re.compile(r"(?P<name>.*[^\s(\[])\s*[(\[](?P<unit>[^()\[\]]*)[)\]]")
_UNIT = (
    r"([fpnu\u00b5\u03bcmkM]?(V|A|s|sec|T|Oe|G|m|[oO]hm|\u03a9|\u2126)|K|h|min|[\u00b0\u00ba]C|degC|\u2103|%)"
    r"[23\u00b2\u00b3]?"
)
_BEHIND = re.compile(rf"(?P<name>.*?\w)\s*[\s,/]\s*(?P<unit>{_UNIT}([\s*/\u00b7^.-]+{_UNIT})*)")

_NUMBERED = re.compile(r"(?P<stem>.*?[^\W\d_])[\W_]*(?P<number>\d+)\]?(_(?P<unit>[kmM]?[oO]hm))?")
_REPEATS = {
    "resistance_after": re.compile(r"r|res|resistance|r?(_?mtj|_?read|_?after|_?meas)|read(ing)?"),
    "state_after": re.compile(r"state(_after)?|(final|end)_state"),
    "switched": re.compile(r"sw|switch(ed)?|flip(ped)?"),
}
_LEAST_REPEATS = 2
_PERCENT = ("%", "percent", "pct")


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


class Repeats(NamedTuple):
    """Columns of readings after repeated writes.

    Attributes
    ----------
    key : str
        What they are: ``resistance_after``, ``state_after``, or ``switched`` if they say it of each write.
    headers : list of str
    units : list of str
        As written; empty where there are none.
    """

    key: str
    headers: list[str]
    units: list[str]


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
    if not unit and (
        behind := _BEHIND.fullmatch(name)
    ):  # Amplitude / V, as ISO 80000 has it, or Amplitude, V
        name, unit = behind["name"], behind["unit"]
    bare = _ALIASES.get(plain_name(name), plain_name(name))
    if bare in UNITS:
        return Named(bare, unit)
    if unit and (bare in PLAIN or bare in LABELS):
        return Named(bare, unit)
    # In units case tells something: mV and MV.
    for key in sorted(UNITS, key=len, reverse=True):
        if header.lower().startswith(f"{key}_"):
            return Named(key, header[len(key) + 1 :].replace("_per_", "/").replace("_", "*"))
    for alias, key in _ALIASES.items():
        if key in UNITS and plain.startswith(f"{alias}_"):
            return Named(key, header[len(alias) + 1 :].replace("_per_", "/").replace("_", "*"))
    return None


def needs_unit(header: str) -> bool:
    """Whether a header names a quantity that has a unit, and does not say which."""
    found = named(header)
    return found is not None and bool(UNITS.get(found.key)) and not found.unit


def scaled(key: str, unit: str) -> str:
    """Return the quantity of a count or share whose unit is a percentage: ``wer`` in % is ``wer_percent``."""
    percent = f"{key}_percent"
    return percent if unit.strip().lower() in _PERCENT and share_of(percent) else key


def column_of(headers: Iterable[str], name: str | int) -> str | None:
    """Find the column that a name or number means; a unit in brackets behind the name may be left out."""
    headers = list(headers)
    if isinstance(name, int):
        return headers[name - 1] if name <= len(headers) else None
    if name in headers:
        return name
    return next((header for header in headers if split_unit(header)[0] == name), None)


def repeats_of(headers: Iterable[str]) -> Repeats:
    """Find columns of readings after repeated writes, such as ``R_1`` to ``R_100``."""
    found: dict[str, list[tuple[str, str]]] = {key: [] for key in _REPEATS}
    for header in headers:
        name, unit = split_unit(header)
        if unit.isdigit():  # R[1]
            name, unit = f"{name}{unit}", ""
        if parts := _NUMBERED.fullmatch(name):
            stem = plain_name(parts["stem"])
            for key, pattern in _REPEATS.items():
                if pattern.fullmatch(stem):
                    found[key].append((header, unit or parts["unit"] or ""))
    key = max(found, key=lambda one: len(found[one]))
    if len(found[key]) < _LEAST_REPEATS:
        return Repeats(key, [], [])
    return Repeats(key, *map(list, zip(*found[key], strict=True)))
