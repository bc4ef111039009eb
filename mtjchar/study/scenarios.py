"""A study at several process corners and temperatures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from mtjchar.errors import InputError
from mtjchar.study.models import Study
from mtjchar.units import ZERO_CELSIUS, parse_quantity

__all__ = ["check_names", "scenarios"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
_DIGITS = 3  # of a temperature in a name


def scenarios(
    study: Study,
    *,
    corners: Sequence[str] | None = None,
    temperatures: Sequence[float | str] | None = None,
) -> dict[str, Study]:
    """Return a study at each corner with each temperature.

    Parameters
    ----------
    study : Study
    corners : sequence of str, optional
        Process corners of the access transistor. For a user's file each is a section of it, which replaces
        the last one in ``cell.transistor.section``. Default: the study's own.
    temperatures : sequence of float or str, optional
        K, or text with a unit such as ``"-40 degC"``. Default: the study's own.

    Returns
    -------
    dict of str to Study
        By short names such as ``ff_125C``, ``ff_m40C`` (m: minus), ``ff`` or ``300K``, corner by corner.

    Raises
    ------
    InputError
        If neither is given, a list is empty or has an item twice, the cell has no such corner or
        temperature, or values of a study contradict each other there.

    Examples
    --------
    >>> from mtjchar import load_study, scenarios
    >>> studies = scenarios(load_study("data/studies/demo.toml"), temperatures=["-40 degC", 398.15])
    >>> {name: study.cell.temperature for name, study in studies.items()}
    {'m40C': 233.15, '125C': 398.15}
    """
    if corners is None and temperatures is None:
        raise InputError(
            "scenarios", value="neither corners nor temperatures", allowed="one of them, or both"
        )
    at_corners = {"": study} if corners is None else _at_corners(study, corners)
    if temperatures is None:
        return at_corners
    kelvin = _named(temperatures)
    return {
        f"{corner}_{name}" if corner else name: _at_temperature(one, given, value)
        for corner, one in at_corners.items()
        for name, (given, value) in kelvin.items()
    }


def check_names(thing: str, names: Iterable[str]) -> None:
    """Refuse names that cannot be folders beside each other.

    Raises
    ------
    InputError
        If there is no name, one twice (in any case of letters), or one that is not a plain name.
    """
    names = list(names)
    if not names:
        raise InputError(thing, value=names, allowed="at least one")
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(
                thing, value=name,
                allowed="names of letters, digits and _.+-, the first one a letter, a digit or _",
            )  # fmt: skip
        if name.lower() in seen:
            raise InputError(thing, value=name, allowed="each once", remedy="It is given twice.")
        seen.add(name.lower())


def _at_corners(study: Study, corners: Sequence[str]) -> dict[str, Study]:
    check_names("corners", corners)
    return {name: study.with_(**study.kind.at_corner(study.tables, name)) for name in corners}


def _at_temperature(study: Study, given: float | str, kelvin: float) -> Study:
    try:
        return study.with_(**study.kind.at_temperature(study.tables, kelvin))
    except InputError as error:
        raise InputError(
            f"temperatures: {error.thing}", value=given, allowed=error.allowed, remedy=error.remedy
        ) from error


def _named(temperatures: Sequence[float | str]) -> dict[str, tuple[float | str, float]]:
    """Return temperatures, as given and in K, by their names."""
    named: dict[str, tuple[float | str, float]] = {}
    for given in temperatures:
        value = parse_quantity(given, "K", thing="temperatures") if isinstance(given, str) else float(given)
        if not math.isfinite(value):
            raise InputError("temperatures", value=given, allowed="finite numbers of K, or text with a unit")
        name = _name(value)
        if name in named:
            raise InputError(
                "temperatures", value=given, allowed="each once",
                remedy=f"It is given twice, as {named[name][0]} too.",
            )  # fmt: skip
        named[name] = given, value
    if not named:
        raise InputError("temperatures", value=list(temperatures), allowed="at least one")
    return named


def _name(kelvin: float) -> str:
    """Name a temperature in degC, or in K if that is the whole number."""
    kelvin = round(kelvin, _DIGITS)
    celsius = round(kelvin - ZERO_CELSIUS, _DIGITS)
    if kelvin == round(kelvin) and celsius != round(celsius):
        return f"{kelvin:.0f}K"
    return f"{celsius:.{_DIGITS}f}".rstrip("0").rstrip(".").replace("-", "m") + "C"
