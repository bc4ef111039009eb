"""Stack files: their use by a study, and the results of a fit in them."""

from __future__ import annotations

import warnings
from collections.abc import Container
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtjchar.cells.base import FileTables
from mtjchar.cells.stt.stack import ANISOTROPIES, Stack
from mtjchar.errors import InputError
from mtjchar.fields import FileLayout, Place, refusal
from mtjchar.files import read_toml
from mtjchar.shipped import named_file

__all__ = ["CHANNEL", "complete_tables", "load_stack", "upgrade_tables"]

CHANNEL = "channel"
"""Table of a stack file with the channel below the free layer, which only SOT cells have."""


_BEFORE = {"demagnetization": "sato-ishii", "torque": "current"}
"""Values of stack keys in files that mtjchar wrote before these keys existed."""


def load_stack(path: str | Path) -> Stack:
    """Read a stack file.

    Parameters
    ----------
    path : str or Path
        A TOML file like those in `data/stacks`, or the name of a stack that comes with mtjchar. Its table
        ``[fit]``, which `mtjchar.stackfit.write_stack` adds, is not part of the stack.

    Raises
    ------
    InputError
        For any error in the file; the message names file, key, value and allowed values.

    Warns
    -----
    UserWarning
        Repeats the warnings of the fit that wrote the file.
    """
    path = named_file(path, "stacks")
    stack, messages = _read_stack(path, "stack file")
    stack.pop(CHANNEL, None)
    for message in messages:
        warnings.warn(message, stacklevel=2)
    try:
        return Stack.model_validate(stack, context={"file": str(path)})
    except ValidationError as error:
        raise refusal(error, stack, path, FileLayout(Stack.model_fields)) from error


def complete_tables(
    data: dict[str, Any], file: Path, spreads: Container[str], *, channel: bool = False
) -> FileTables:
    """Put the stack, with overrides, and the spread of a fit into the tables of a study.

    With `channel`, keys of the stack file's table ``[channel]`` are put beside those of the study.

    Parameters
    ----------
    data : dict
    file : Path
        The study file.
    spreads : container of str
        Keys of ``[variability]`` that the spread of a wafer may contain.

    Raises
    ------
    InputError
        If a file cannot be read or has no such table, or ``stack_overrides`` is not a table.
    """
    data = dict(data)
    places: dict[tuple[str, ...], Place] = {}
    messages: tuple[str, ...] = ()
    if isinstance(data.get("stack"), str):
        stack_file = named_file(data["stack"], "stacks", file.parent)
        data["stack"], messages = _read_stack(stack_file, f"`stack` of {file},")
        places["stack",] = Place(stack_file, ())
        below = data["stack"].pop(CHANNEL, None)
        if channel and isinstance(below, dict) and isinstance(data.get(CHANNEL, {}), dict):
            own = data.get(CHANNEL, {})
            data[CHANNEL] = below | own
            places |= {(CHANNEL, key): Place(stack_file, (CHANNEL, key)) for key in set(below) - set(own)}
    overrides = data.pop("stack_overrides", {})
    if not isinstance(overrides, dict):
        raise InputError(f"{file}: stack_overrides", value=overrides, allowed="a table of keys of the stack")
    named = set(overrides)
    if isinstance(data.get("stack"), dict):
        if overrides:
            # An optional key that neither has is one that the overrides ask for.
            optional = {key for key, field in Stack.model_fields.items() if not field.is_required()}
            named |= optional - {*data["stack"], *ANISOTROPIES}
        data["stack"] = _overridden(data["stack"], overrides)
    places |= {("stack", key): Place(file, ("stack_overrides", key)) for key in named}
    if isinstance(data.get("variability"), dict):
        data["variability"] = _complete_variability(data["variability"], file, spreads)
    return FileTables(data, places, messages)


def upgrade_tables(data: dict[str, Any]) -> dict[str, Any]:
    """Add to a study that mtjchar wrote the stack values that older versions did not write."""
    stack = data.get("stack")
    return {**data, "stack": _BEFORE | stack} if isinstance(stack, dict) else data


def _read_stack(path: Path, thing: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read a stack without its fit results; also return the warnings of the fit.

    The uncertainties are for [variability] fit, which names the file itself.
    """
    stack = read_toml(path, thing)
    fit = stack.pop("fit", None)
    if not isinstance(fit, dict):
        return stack, ()
    messages = fit.get("warnings")
    messages = messages if isinstance(messages, list) else []
    return _BEFORE | stack, tuple(f"{path}: its fit warned: {message}" for message in messages)


def _overridden(stack: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Apply overrides; an override of the anisotropy replaces whichever of the three keys is given."""
    replaced = ANISOTROPIES if set(overrides) & set(ANISOTROPIES) else ()
    return {key: value for key, value in stack.items() if key not in replaced} | overrides


def _complete_variability(table: dict[str, Any], file: Path, spreads: Container[str]) -> dict[str, Any]:
    table = dict(table)
    if isinstance(table.get("fit"), str):
        table["fit"] = _covariance(file, table["fit"])
    if "wafer" in table:
        wafer = _wafer(file, table.pop("wafer"))
        # Values in the study take precedence over those in the file.
        table = {key: value for key, value in wafer.items() if key in spreads} | table
    return table


def _covariance(file: Path, name: str) -> dict[str, Any]:
    """Uncertainties of a fitted stack file."""
    keys = ("parameters", "values", "covariance")
    fit = _fit_table(file, "fit", name)
    if not all(isinstance(fit.get(key), list) for key in keys):
        raise _no_table(file, "fit", name, "[fit]")
    return {key: fit[key] for key in keys}


def _wafer(file: Path, name: Any) -> dict[str, Any]:
    """Spread of the devices of a wafer, from a fitted stack file."""
    if not isinstance(name, str):
        raise InputError(f"{file}: variability.wafer", value=name, allowed="the path of a fitted stack file")
    spread = _fit_table(file, "wafer", name).get("variability")
    if not isinstance(spread, dict):
        raise _no_table(file, "wafer", name, "[fit.variability], which a wafer table leaves there")
    return spread


def _fit_table(file: Path, key: str, name: str) -> dict[str, Any]:
    fit = read_toml(file.parent / name, f"`variability.{key}` of {file},").get("fit")
    if not isinstance(fit, dict):
        raise _no_table(file, key, name, "[fit]")
    return fit


def _no_table(file: Path, key: str, name: str, table: str) -> InputError:
    return InputError(
        f"{file}: variability.{key}", value=name, allowed=f"a stack file with a table {table}",
        remedy="`mtjchar fit` writes such files.",
    )  # fmt: skip
