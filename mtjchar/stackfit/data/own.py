"""Files of mtjchar itself, which look like measurements but are not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mtjchar.errors import InputError
from mtjchar.files import is_folder

__all__ = ["refuse_own", "refuse_own_table"]


class _Own(NamedTuple):
    """A table that mtjchar writes."""

    name: str
    columns: frozenset[str]
    remedy: str


_SURFACE = (
    "A surface has means over devices, which no single device has. To fit one all the same, keep direction, "
    "amplitude_V, duration_s and ber, and rows with error rates between 0 and 1."
)
_SAMPLES = (
    "They follow from a stack that is known: study.toml beside them has it. To fit one device all the same, "
    "keep its rows with rates between 0 and 1, and the columns direction, amplitude_V, duration_s and "
    "write_error_rate, that one as error_rate."
)
_DEVICES = "They were drawn from the spread in the study. For a wafer give its measured devices."
_ANSWERS = "It has answers of a surface. Give the measurements that they are to be compared with."

_TABLES = (
    _Own("samples of a sweep", frozenset({"device", "write_error_rate", "status"}), _SAMPLES),
    _Own("sampled devices of a sweep", frozenset({"weight", "replicate", "thermal_stability"}), _DEVICES),
    _Own("cheapest pulses of a surface (knobs.csv)", frozenset({"lever", "pulse_ber"}), _ANSWERS),
    _Own("a trade-off", frozenset({"lever", "programming_energy_J"}), _ANSWERS),
    _Own("a comparison of runs", frozenset({"scenario", "reference_ber"}), _ANSWERS),
    _Own("error rates of a surface", frozenset({"redundant_energy_J"}), _SURFACE),
    _Own("error rates of a surface", frozenset({"ber", "ber_lower", "ber_upper"}), _SURFACE),
    _Own("error rates of a surface", frozenset({"ber", "effective_devices"}), _SURFACE),
)
_HEAD = 200  # bytes at the beginning of an exported JSON that identify it


def refuse_own(path: Path, content: bytes = b"") -> None:
    """Refuse a run directory, and the content of a surface's file.

    Raises
    ------
    InputError
    """
    if is_folder(path) and (path / "study.toml").exists():
        raise _refusal(path, "a run directory of mtjchar", _SAMPLES)
    if b'"mtjchar surface"' in content[:_HEAD]:
        raise _refusal(path, "an exported surface in JSON", _SURFACE)
    if content.startswith(b"\x93NUMPY"):
        raise _refusal(path, "an archive, such as an exported .npz", _SURFACE)


def refuse_own_table(path: Path, headers: Iterable[str]) -> None:
    """Refuse a table with the columns of one that mtjchar writes.

    Raises
    ------
    InputError
    """
    there = set(headers)
    for own in _TABLES:
        if own.columns <= there:
            columns = ", ".join(sorted(own.columns))
            raise _refusal(path, f"{own.name}, which mtjchar computed (columns {columns})", own.remedy)


def _refusal(path: Path, found: str, remedy: str) -> InputError:
    return InputError(str(path), value=found, allowed="measurements of one device or wafer", remedy=remedy)
