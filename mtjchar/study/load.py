"""Read a study file, and say in its own words what is wrong with it."""

from __future__ import annotations

import tomllib
import warnings
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from mtjchar.cells.base import CellTables
from mtjchar.cells.kinds import kind_of
from mtjchar.cells.stt.stack import ANISOTROPIES, Stack
from mtjchar.cells.stt.tables import SttVariability
from mtjchar.errors import InputError
from mtjchar.fields import Description, InUnit, first_complaint
from mtjchar.files import read_bytes
from mtjchar.study.models import Study

__all__ = ["BEFORE", "complete", "load_stack", "load_study", "read_written"]

BEFORE = {"demagnetization": "sato-ishii", "torque": "current"}
"""What keys of a stack meant in files that mtjchar wrote before it wrote the keys."""


def load_study(path: str | Path, *, written: bool = False) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : str or Path
        A TOML file as `docs/study.md` describes it. `stack` is a table, or the path of a stack file
        relative to the study; `[stack_overrides]` replaces single values of it.
    written : bool, optional
        Whether mtjchar wrote the file, in full: what an older version did not write has the meaning that it
        had then, not the default of today, and the file of a user's transistor need not be there any more.

    Returns
    -------
    Study
        Checked and complete.

    Raises
    ------
    InputError
        Naming file, key, value and what is allowed, for whatever is wrong with the file.

    Warns
    -----
    UserWarning
        Repeating what the fit warned of that a stack file is from.
    """
    path = Path(path)
    data = _read_toml(path, "study file")
    stack_file = path
    if isinstance(data.get("stack"), str):
        stack_file = path.parent / data["stack"]
        data["stack"] = _read_toml(stack_file, f"{path}: stack")
        _drop_fit(data["stack"], stack_file)
    overrides = data.pop("stack_overrides", {})
    if not isinstance(overrides, dict):
        raise InputError(f"{path}: stack_overrides", value=overrides, allowed="a table of keys of the stack")
    if written:
        complete(data)
    if isinstance(data.get("stack"), dict):
        data["stack"] = _overridden(data["stack"], overrides)
    variability = data.get("variability")
    if isinstance(variability, dict):
        if isinstance(variability.get("fit"), str):
            variability["fit"] = _covariance(path, variability["fit"])
        if "wafer" in variability:
            # What is written out in the study goes before what the file says.
            own = {key: value for key, value in variability.items() if key != "wafer"}
            data["variability"] = {**_wafer(path, variability["wafer"]), **own}
    try:
        return Study.model_validate(data, context={"file": str(path), "written": written})
    except ValidationError as error:
        raise _as_input_error(error, data, path, stack_file, set(overrides)) from error


def read_written(text: str, thing: str) -> Study:
    """Read a study from text that `Study.to_toml` wrote, maybe in an older version.

    The file of a user's transistor need not be there any more.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(thing, value=str(error), allowed="TOML, as mtjchar writes a study") from error
    complete(data)
    try:
        return Study.model_validate(data, context={"file": thing, "written": True})
    except ValidationError as error:
        raise _as_input_error(error, data, Path(thing), Path(thing), set()) from error


def complete(data: dict[str, Any]) -> None:
    """Add to a study that mtjchar wrote what older versions did not write."""
    if isinstance(data.get("stack"), dict):
        data["stack"] = BEFORE | data["stack"]


def _overridden(stack: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Put overrides in their places; of the three ways to give the anisotropy they replace any."""
    replaced = ANISOTROPIES if set(overrides) & set(ANISOTROPIES) else ()
    return {key: value for key, value in stack.items() if key not in replaced} | overrides


def _drop_fit(stack: dict[str, Any], path: Path) -> None:
    """Take out what a fit says beside the stack, and repeat what it warned of.

    Its uncertainties are for [variability] fit, which names the file itself.
    """
    fit = stack.pop("fit", None)
    if isinstance(fit, dict):
        for key, value in BEFORE.items():
            stack.setdefault(key, value)
    said = fit.get("warnings") if isinstance(fit, dict) else None
    for message in said if isinstance(said, list) else ():
        warnings.warn(f"{path}: its fit warned: {message}", stacklevel=3)


def _covariance(path: Path, name: str) -> dict[str, Any]:
    """Uncertainties of a fitted stack file."""
    keys = ("parameters", "values", "covariance")
    fit = _fitted(path, "fit", name)
    if not all(isinstance(fit.get(key), list) for key in keys):
        raise _no_table(path, "fit", name, "[fit]")
    return {key: fit[key] for key in keys}


def _wafer(path: Path, name: Any) -> dict[str, Any]:
    """Spread of the devices of a wafer, from a fitted stack file."""
    if not isinstance(name, str):
        raise InputError(f"{path}: variability.wafer", value=name, allowed="the path of a fitted stack file")
    found = _fitted(path, "wafer", name).get("variability")
    if not isinstance(found, dict):
        raise _no_table(path, "wafer", name, "[fit.variability], which a wafer table leaves there")
    return {key: value for key, value in found.items() if key in SttVariability.model_fields and key != "fit"}


def _fitted(path: Path, key: str, name: str) -> dict[str, Any]:
    fit = _read_toml(path.parent / name, f"{path}: variability.{key}").get("fit")
    if not isinstance(fit, dict):
        raise _no_table(path, key, name, "[fit]")
    return fit


def _no_table(path: Path, key: str, name: str, table: str) -> InputError:
    return InputError(
        f"{path}: variability.{key}", value=name, allowed=f"a stack file with a table {table}",
        remedy="`mtjchar fit` writes such files.",
    )  # fmt: skip


class _StackFile(Description):
    stack: Stack


def load_stack(path: str | Path) -> Stack:
    """Read a stack file.

    Parameters
    ----------
    path : str or Path
        A TOML file as those in `data/stacks`. Its table ``[fit]``, which `mtjchar.stackfit.write_stack` adds,
        is not part of the stack.

    Raises
    ------
    InputError
        Naming file, key, value and what is allowed, for whatever is wrong with the file.

    Warns
    -----
    UserWarning
        Repeating what the fit warned of that the file is from.
    """
    path = Path(path)
    data = {"stack": _read_toml(path, "stack file")}
    _drop_fit(data["stack"], path)
    try:
        return _StackFile.model_validate(data, context={"file": str(path)}).stack
    except ValidationError as error:
        raise _as_input_error(error, data, Path(), path, set()) from error


def _read_toml(path: Path, thing: str) -> dict[str, Any]:
    content = read_bytes(path, thing, allowed="a TOML file that can be read")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (
        ValueError,
        RecursionError,
    ) as error:  # tomllib.TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise InputError(str(path), value=str(error), allowed="TOML, UTF-8") from error


def _as_input_error(
    error: ValidationError, data: dict[str, Any], path: Path, stack_file: Path, overridden: set[str]
) -> InputError:
    """Turn pydantic's first complaint into ours and count the others."""
    complaint = first_complaint(error)
    keys, allowed = complaint.keys, complaint.allowed
    tables = kind_of(data).tables if _names_kind(data) else kind_of({}).tables
    if keys[:1] == ["tables"]:
        keys = keys[1:]
    if complaint.type == "extra_forbidden":
        allowed = f"one of {', '.join(_known(tables, keys[:-1]))}"
    elif complaint.type in _LIMITS:
        allowed = _range(tables, keys) or allowed
    elif complaint.type == "model_type":
        allowed = "a table, or the path of a stack file" if keys == ["stack"] else "a table"
    value: Any = data
    for key in keys:
        if isinstance(value, list):
            value = complaint.value
        else:
            value = value.get(key) if isinstance(value, dict) else None
    file = path
    if keys[:1] == ["stack"] and keys[1:2] and keys[1] in overridden:
        keys[0] = "stack_overrides"
    elif keys[:1] == ["stack"] and stack_file != path:
        file, keys = stack_file, keys[1:]
    remedy = f"{complaint.others} more things are wrong in this study." if complaint.others else ""
    return InputError(
        f"{file}: {'.'.join(keys)}", value=_shown(value), allowed=allowed.rstrip("."), remedy=remedy
    )


_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def _names_kind(data: dict[str, Any]) -> bool:
    """Whether a study names a kind of cell that there is, or none."""
    try:
        kind_of(data)
    except ValueError:
        return False
    return True


def _range(tables: type[CellTables], keys: list[str]) -> str:
    """Put the limits of a number of the study into words."""
    field = _model(tables, keys[:-1]).model_fields[keys[-1]]
    inner = [part for kind in get_args(field.annotation) for part in getattr(kind, "__metadata__", ())]
    unit = next((part.unit for part in [*field.metadata, *inner] if isinstance(part, InUnit)), "")
    limits = [
        f"{word} {getattr(part, name)!r} {unit}".rstrip()
        for part in field.metadata
        for name, word in _LIMITS.values()
        if hasattr(part, name)
    ]
    return " and ".join(limits)


def _model(tables: type[CellTables], keys: list[str]) -> Any:
    """Find the description of a table of the study."""
    model: Any = Study if keys[0] in Study.model_fields else tables
    for key in keys:
        model = model.model_fields[key].annotation
        # A table that may be left out.
        model = next((part for part in get_args(model) if isinstance(part, type(Description))), model)
    return model


def _known(tables: type[CellTables], keys: list[str]) -> list[str]:
    """List the keys of a table of the study."""
    if not keys:
        own = [name for name in tables.model_fields if name != "variability"]
        overrides = ["stack_overrides"] if "stack" in own else []
        return [*own, "pulse", "variability", "sweep", *overrides]
    model = _model(tables, keys)
    own = sorted(model.model_fields, key=lambda name: name == "correlation")  # a stable order
    return [*own, *(["wafer"] if model is SttVariability else [])]


def _shown(value: Any) -> Any:
    """Show tables by their keys: a whole study in a message helps nobody."""
    return f"a table with the keys {', '.join(map(str, value))}" if isinstance(value, dict) else value
