"""Representation of a surface in a file: names with units, a description, and the reading of both.

This module does not know the variables of a surface by name, except for the units that `WriteSurface`
guarantees if a variable does not state one. A variable, coordinate or attribute that is added to surfaces is
therefore included in every table.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from mtjchar.errors import InputError
from mtjchar.surfaces import WriteSurface, schema

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "Description",
    "check_description",
    "decode",
    "describe",
    "encode",
    "from_table",
    "rebuild",
    "to_table",
    "unit_of",
    "with_unit",
]

FORMAT = "mtjchar surface"
FORMAT_VERSION = 1

Description = dict[str, Any]

_UNITS = {"amplitude": "V", "duration": "s", "energy": "J", "redundant_energy": "J"}
_NOT_FINITE = {"Infinity": math.inf, "-Infinity": -math.inf}


def unit_of(name: Hashable, variable: xr.DataArray) -> str:
    """Return the unit of a variable, ``"1"`` for a pure number."""
    return str(variable.attrs.get("units") or _UNITS.get(str(name), "1"))


def with_unit(name: str, unit: str) -> str:
    """Append the unit to a name: ``energy_J``; ``A/m`` becomes ``A_per_m``."""
    if unit == "1":
        return name
    return f"{name}_{re.sub(r'[^0-9A-Za-z]+', '_', unit.replace('/', '_per_').replace('^', '')).strip('_')}"


def describe(dataset: xr.Dataset) -> Description:
    """Describe a dataset without its values.

    Returns
    -------
    dict
        ``format``, ``format_version``, ``attributes``, ``dimensions`` (name and size) and ``variables``: by
        the name with unit, each with ``name``, ``coordinate`` (whether it is one), ``dims``, ``dtype``,
        ``unit`` and ``attributes``. It contains only types that JSON supports.
    """
    variables = {}
    for name, variable in dataset.variables.items():
        unit = unit_of(name, dataset[name])
        variables[with_unit(str(name), unit)] = {
            "name": str(name),
            "coordinate": name in dataset.coords,
            "dims": [str(dim) for dim in variable.dims],
            "dtype": "str" if variable.dtype.kind in "OUT" else str(variable.dtype),
            "unit": unit,
            "attributes": _attributes(variable.attrs),
        }
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "attributes": _attributes(dataset.attrs),
        "dimensions": {str(dim): size for dim, size in dataset.sizes.items()},
        "variables": variables,
    }


def check_description(description: Any, thing: str) -> Description:
    """Return a description after checking that `rebuild` can use it.

    Raises
    ------
    InputError
        If it is not a description, or belongs to another version of the layout.
    """
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise InputError(thing, value=description, allowed=f"a description with format {FORMAT!r}")
    if description.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{thing}: format_version",
            value=description.get("format_version"),
            allowed=str(FORMAT_VERSION),
            remedy="Read it with the version of mtjchar that wrote it, or export the surface again.",
        )
    keys = {
        "": (("attributes", dict), ("dimensions", dict), ("variables", dict)),
        "variables.": (
            ("name", str),
            ("coordinate", bool),
            ("dims", list),
            ("dtype", str),
            ("attributes", dict),
        ),
    }
    for key, kind in keys[""]:
        _expect(description, key, kind, thing)
    for name, variable in description["variables"].items():
        _expect(description["variables"], name, dict, f"{thing}: variables")
        for key, kind in keys["variables."]:
            _expect(variable, key, kind, f"{thing}: variables.{name}")
        unknown = set(variable["dims"]) - set(description["dimensions"])
        if unknown:
            raise InputError(
                f"{thing}: variables.{name}.dims",
                value=variable["dims"],
                allowed="dimensions that are listed",
            )
    return description


def rebuild(description: Description, values: Callable[[str], npt.NDArray[Any]], thing: str) -> WriteSurface:
    """Make the surface from its description.

    Parameters
    ----------
    description : dict
        As `describe` returns it.
    values : callable
        Returns the values of a variable by its name with unit.
    thing : str
        Description of the file, for error messages.

    Raises
    ------
    InputError
        If values are missing or of another shape or type than described.
    """
    sizes = description["dimensions"]
    parts: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    for key, variable in description["variables"].items():
        shape = tuple(sizes[dim] for dim in variable["dims"])
        try:
            array = values(key).astype(variable["dtype"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{thing}: {key}", value=str(error), allowed=f"values of the type {variable['dtype']}"
            ) from error
        if array.shape != shape:
            raise InputError(f"{thing}: {key}", value=array.shape, allowed=f"values of the shape {shape}")
        parts[variable["coordinate"]][variable["name"]] = (variable["dims"], array, variable["attributes"])
    dataset = xr.Dataset(parts[False], coords=parts[True], attrs=description["attributes"])
    schema.check(dataset, thing, "Export the surface again.")
    return WriteSurface(dataset)


def to_table(dataset: xr.Dataset) -> tuple[pd.DataFrame, Description]:
    """Convert a dataset to a table with one row per direction, amplitude and duration.

    Dimensions of the rows are those of ``ber``. Along any other dimension a variable has one column per value
    (``device_ber_q5``). A variable without the rows' dimensions but with another one is stored in the
    description, and a number without dimensions is repeated in every row.

    Returns
    -------
    DataFrame
        Columns named with their units.
    dict
        Like that of `describe`, each variable with its ``columns``, or its ``values``.
    """
    description = describe(dataset)
    rows = dataset["ber"].dims
    narrow: dict[str, npt.NDArray[Any]] = {}
    wide: dict[str, npt.NDArray[Any]] = {}
    order = [*rows, *(name for name in dataset.variables if name not in rows)]
    by_name = {variable["name"]: (key, variable) for key, variable in description["variables"].items()}
    for key, variable in (by_name[str(name)] for name in order if name in dataset.variables):
        array = dataset[variable["name"]]
        extra = [dim for dim in array.dims if dim not in rows]
        if extra and len(extra) == array.ndim:
            variable["values"] = encode(array.to_numpy())
            continue
        full = array.variable.set_dims({dim: dataset.sizes[dim] for dim in (*rows, *extra)})
        cells = full.transpose(*rows, *extra).to_numpy().reshape(math.prod(dataset["ber"].shape), -1)
        columns = [key] if not extra else _column_names(dataset, variable, extra)
        variable["columns"] = columns
        (wide if extra else narrow).update(zip(columns, cells.T, strict=True))
    return pd.DataFrame({**narrow, **wide}), description


def from_table(table: pd.DataFrame, description: Description, thing: str) -> WriteSurface:
    """Undo `to_table`.

    Raises
    ------
    InputError
        If columns or rows are missing or rows are in another order.
    """
    sizes = description["dimensions"]
    variables = description["variables"]
    rows: list[str] = next(
        (variable["dims"] for variable in variables.values() if variable["name"] == "ber"), []
    )
    shape = tuple(sizes[dim] for dim in rows)
    if len(table) != math.prod(shape):
        raise InputError(f"{thing}: rows", value=len(table), allowed=f"{math.prod(shape)}, one a pulse")

    def values(key: str) -> npt.NDArray[Any]:
        variable = variables[key]
        if "values" in variable:
            return decode(variable["values"], variable["dtype"])
        dims = variable["dims"]
        extra = [dim for dim in dims if dim not in rows]
        cells = table[variable["columns"]].to_numpy().reshape(*shape, *(sizes[dim] for dim in extra))
        first = cells[tuple(slice(None) if dim in dims else slice(1) for dim in rows)]
        if not pd.Series(np.ravel(cells)).equals(pd.Series(np.ravel(np.broadcast_to(first, cells.shape)))):
            raise InputError(
                f"{thing}: {key}",
                value="rows in another order",
                allowed=f"rows in the order {', '.join(rows)}, as they were written",
            )
        kept = [dim for dim in rows if dim in dims] + extra
        squeezed = first.reshape([sizes[dim] for dim in kept])
        return np.transpose(squeezed, [kept.index(dim) for dim in dims])

    return rebuild(description, values, thing)


def encode(array: npt.NDArray[Any]) -> Any:
    """Convert an array to lists for JSON, where NaN becomes null and infinities become strings."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return array.tolist()
    cells = array.astype(object)
    cells[np.isnan(array)] = None
    cells[np.isposinf(array)], cells[np.isneginf(array)] = "Infinity", "-Infinity"
    return cells.tolist()


def decode(lists: Any, dtype: str) -> npt.NDArray[Any]:
    """Undo `encode`."""
    cells = np.array(lists, dtype=object)
    if np.dtype(dtype).kind == "f":
        flat = [math.nan if cell is None else _NOT_FINITE.get(cell, cell) for cell in cells.ravel()]
        return np.array(flat, dtype=dtype).reshape(cells.shape)
    return cells.astype(dtype)


def _column_names(dataset: xr.Dataset, variable: dict[str, Any], extra: list[Hashable]) -> list[str]:
    name, unit = variable["name"], variable["unit"]
    if extra == ["quantile"] and name.endswith("_quantile"):
        stem = name.removesuffix("_quantile")
        return [with_unit(f"device_{stem}_q{100 * q:g}", unit) for q in dataset["quantile"].to_numpy()]
    labels = [""]
    for dim in extra:
        # A dimension without a coordinate counts its positions.
        labels = [f"{label}_{dim}{value}" for label in labels for value in dataset[dim].to_numpy()]
    return [with_unit(f"{name}{label}", unit) for label in labels]


def _attributes(attributes: dict[Any, Any]) -> dict[str, Any]:
    plain = {}
    for name, value in attributes.items():
        plain[str(name)] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        try:
            json.dumps(plain[str(name)], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"attribute {name} of the surface",
                value=value,
                allowed="text, finite numbers, or lists of them",
            ) from error
    return plain


def _expect(table: dict[str, Any], key: str, kind: type, thing: str) -> None:
    if not isinstance(table.get(key), kind):
        raise InputError(f"{thing}: {key}", value=table.get(key), allowed=f"a {kind.__name__}")
