"""Reading of study files, with error messages in terms of the file."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtjchar.cells.base import CellKind
from mtjchar.cells.kinds import kind_of
from mtjchar.errors import InputError
from mtjchar.fields import FileLayout, refusal
from mtjchar.files import read_toml
from mtjchar.shipped import named_file
from mtjchar.study.models import Study

__all__ = ["load_study", "read_written"]


def load_study(path: str | Path, *, written: bool = False) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : str or Path
        A TOML file as described in `docs/study.md`, or the name of a study that comes with mtjchar. Paths in
        it are relative to its folder.
    written : bool, optional
        Whether mtjchar wrote the complete file. Keys that an older version did not write then have the
        meaning that they had in that version, not today's default, and the file of a user's transistor may be
        missing.

    Returns
    -------
    Study
        Checked and complete.

    Raises
    ------
    InputError
        For any error in the file; the message names file, key, value and allowed values.

    Warns
    -----
    UserWarning
        Repeats warnings of another file that the study names, such as those of a fit.
    """
    path = named_file(path, "studies")
    data = read_toml(path, "study file")
    kind = _kind(data)
    completed = kind.complete_tables(data, path)
    for message in completed.warnings:
        warnings.warn(message, stacklevel=2)
    data = kind.upgrade_tables(completed.data) if written else completed.data
    try:
        return Study.model_validate(data, context={"file": str(path), "written": written})
    except ValidationError as error:
        raise refusal(error, data, path, _layout(kind), completed.places) from error


def read_written(text: str, thing: str) -> Study:
    """Read a study from text that `Study.to_toml` wrote, possibly in an older version.

    The file of a user's transistor may be missing.

    Raises
    ------
    InputError
        If it is not a study.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(thing, value=str(error), allowed="TOML, as mtjchar writes a study") from error
    kind = _kind(data)
    data = kind.upgrade_tables(data)
    try:
        return Study.model_validate(data, context={"file": thing, "written": True})
    except ValidationError as error:
        raise refusal(error, data, Path(thing), _layout(kind)) from error


def _kind(data: Mapping[str, Any]) -> CellKind[Any]:
    """Return the kind that a study names; for an unknown name the default kind."""
    try:
        return kind_of(data)
    except ValueError:  # `Study` refuses the name
        return kind_of({})


def _layout(kind: CellKind[Any]) -> FileLayout:
    """Return the keys that a study file may have."""
    own = kind.tables.model_fields
    fields = own | {key: Study.model_fields[key] for key in ("pulse", "sweep")}
    layout = FileLayout(fields)
    listed = {
        "": [*(key for key in own if key != "variability"), "pulse", "variability", "sweep"],
        # In the order of the file: the spreads first.
        "variability": sorted(layout.known(["variability"]), key=lambda key: key == "correlation"),
    }
    for table, keys in kind.file_keys.items():
        listed[table] = [*(listed.get(table) or layout.known([table])), *keys]
    return FileLayout(fields, listed, kind.instead, unwrapped="tables")
