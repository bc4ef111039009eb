"""Origin of a surface in words, and its study."""

from __future__ import annotations

import re
from importlib.metadata import version

from mtjchar.errors import InputError, printable
from mtjchar.study import Study
from mtjchar.study.load import read_written
from mtjchar.surfaces import WriteSurface

__all__ = ["check_version", "comment", "study_of"]

_LONGEST = 1000  # characters of a comment; NVSim's buffer for a line has 5000 bytes
_SERIES = re.compile(r"(\d+)\.(\d+)")


def comment(surface: WriteSurface, title: list[str], mark: str) -> list[str]:
    """Comment lines: the title, then every attribute of the surface, the study's TOML last.

    Parameters
    ----------
    surface : WriteSurface
    title : list of str
        First lines.
    mark : str
        Start of a comment line.
    """
    attributes = dict(surface.dataset.attrs)
    study = str(attributes.pop("study", ""))
    texts = [*title, "", *(f"{name}: {value}" for name, value in attributes.items())]
    if study:
        texts += ["", "study:", *study.splitlines()]
    return [f"{mark} {line}".rstrip() for text in texts for line in _lines(text)]


def _lines(text: str) -> list[str]:
    """Lines of a text in a form for comments: none ends early, and none continues in the next one."""
    lines = []
    for line in text.splitlines() or [""]:
        shown = printable(line)
        pieces = [shown[start : start + _LONGEST] for start in range(0, len(shown), _LONGEST)] or [""]
        lines += [f"{piece[:-1]}\\x5c" if piece.endswith("\\") else piece for piece in pieces]
    return lines


def study_of(surface: WriteSurface) -> Study:
    """Study of a surface, from its attribute.

    Raises
    ------
    InputError
        If the attribute is missing or is not a study that this version of mtjchar reads.
    """
    text = surface.dataset.attrs.get("study")
    remedy = "The format needs resistances and the access transistor. `mtjchar surface` puts the study in."
    if not isinstance(text, str):
        raise InputError(
            "attribute study of the surface", value=text, allowed="the study's TOML", remedy=remedy
        )
    return read_written(text, "attribute study of the surface")


def check_version(surface: WriteSurface) -> None:
    """Refuse a surface of another series of mtjchar.

    Before 1.0 a series is given by the first two numbers of the version, from 1.0 on by the first one. A
    surface without the attribute was made in Python and is accepted.

    Raises
    ------
    InputError
        The message names both versions.
    """
    own = version("mtjchar")
    written = surface.dataset.attrs.get("mtjchar_version", own)
    if _series(str(written)) != _series(own):
        raise InputError(
            "attribute mtjchar_version of the surface",
            value=written,
            allowed=f"{'.'.join(_series(own))}.*, this is mtjchar {own}",
            remedy="Run `mtjchar surface DIR` again, or export with the version that wrote it.",
        )


def _series(text: str) -> tuple[str, ...]:
    series = _SERIES.match(text)
    if series is None:
        return (text,)
    return series.groups() if series[1] == "0" else (series[1],)
