"""Tables in files of arrays: HDF5 and MATLAB."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.errors import InputError
from mtjchar.stackfit.data.limits import MOST_BYTES, check_count, check_names, listed
from mtjchar.stackfit.data.own import refuse_own_table

__all__ = ["frames_of_hdf5", "frames_of_matlab", "is_hdf5", "is_matlab"]

_MOST_OBJECTS = 10_000


def is_hdf5(content: bytes) -> bool:
    """Whether a file is HDF5, also one of MATLAB 7.3, which has 512 bytes before."""
    return content.startswith(b"\x89HDF\r\n") or content[512:518] == b"\x89HDF\r\n"


def is_matlab(content: bytes) -> bool:
    """Whether a file is one of MATLAB before 7.3."""
    return content.startswith(b"MATLAB 5.0")


def frames_of_matlab(path: Path, content: bytes) -> list[tuple[Path, pd.DataFrame]]:
    """Read the tables of a ``.mat`` file: vectors of one length side by side, each structure by itself."""
    from scipy.io import loadmat

    try:
        variables = loadmat(io.BytesIO(content), simplify_cells=True)  # type: ignore[arg-type]
    except Exception as error:  # readers of damaged files raise whatever they meet
        raise InputError(str(path), value=_first_line(error), allowed="a MATLAB file") from error
    groups: dict[Path, dict[str, Any]] = {}
    _sort_in(groups, path, {name: value for name, value in variables.items() if not name.startswith("__")})
    return _frames(path, groups, {})


def _sort_in(groups: dict[Path, dict[str, Any]], place: Path, variables: Mapping[str, Any]) -> None:
    for name, value in variables.items():
        if isinstance(value, Mapping):
            _sort_in(groups, place / name, value)
        else:
            groups.setdefault(place, {})[name] = np.asarray(value)


def frames_of_hdf5(path: Path, content: bytes) -> list[tuple[Path, pd.DataFrame]]:
    """Read the tables of an HDF5 file: datasets of one length side by side, each group by itself.

    An attribute ``unit`` or ``units`` of a dataset is its unit, one that is a number holds for all rows.
    """
    import h5py

    groups: dict[Path, dict[str, Any]] = {}
    units: dict[tuple[Path, str], str] = {}
    total = 0

    def visit(name: str, item: Any) -> None:
        nonlocal total
        if not isinstance(item, h5py.Dataset) or (
            item.dtype.kind == "O" and h5py.check_string_dtype(item.dtype) is None
        ):
            return
        total += int(item.size) * item.dtype.itemsize  # packed or sparse, a small file can hold any size
        if total > MOST_BYTES:
            check_count(path, total, "bytes unpacked")
        *parents, last = name.split("/")
        place = path.joinpath(*parents)
        unit = item.attrs.get("unit", item.attrs.get("units", ""))
        units[place, last] = unit.decode() if isinstance(unit, bytes) else str(unit)
        values = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
        groups.setdefault(place, {})[last] = np.asarray(values)

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            file.visititems(visit)
    except InputError:
        raise
    except Exception as error:
        raise InputError(str(path), value=_first_line(error), allowed="an HDF5 file") from error
    refuse_own_table(path, [name for arrays in groups.values() for name in arrays])
    return _frames(path, groups, units)


def _frames(
    path: Path, groups: Mapping[Path, Mapping[str, Any]], units: Mapping[tuple[Path, str], str]
) -> list[tuple[Path, pd.DataFrame]]:
    check_count(path, sum(map(len, groups.values())), "columns")
    frames = []
    for place, arrays in groups.items():
        for name, columns in _tables(arrays).items():
            inner = place / name if name else place
            # A unit of its own, such as that of a row of units, stands behind the name in brackets.
            headers = [f"{key} ({units[place, key]})" if units.get((place, key)) else key for key in columns]
            check_names(inner, headers)
            frame = pd.DataFrame(dict(enumerate(columns.values())), dtype=object)
            check_count(inner, len(frame), "rows")
            check_count(inner, frame.size, "values")
            frame.columns = pd.Index(headers)
            frames.append((inner, frame))
    if not frames:
        shown = listed(
            f"{name} {array.shape}" for arrays in groups.values() for name, array in arrays.items()
        )
        raise InputError(
            str(path),
            value=shown or "no arrays",
            allowed="vectors of one length, or a matrix with a column each",
        )
    return frames


def _tables(arrays: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Columns by table: vectors together, scalars in all their rows, records and matrices by themselves."""
    tables: dict[str, dict[str, Any]] = {}
    vectors, scalars = {}, {}
    for name, array in arrays.items():
        array = array[()] if array.dtype.names else np.squeeze(array)
        if array.dtype.names:
            tables[name] = {field: _plain(np.squeeze(array[field])) for field in array.dtype.names}
        elif array.ndim == 0:
            scalars[name] = _plain(array[None])[0]
        elif array.ndim == 1:
            vectors[name] = _plain(array)
        elif array.ndim == 2:
            tables[name] = {f"column {k}": column for k, column in enumerate(_plain(array).T, 1)}
    longest = max((len(vector) for vector in vectors.values()), default=0)
    vectors = {name: vector for name, vector in vectors.items() if len(vector) == longest}
    if len(vectors) > 1:
        shared = {name: np.full(longest, value, dtype=object) for name, value in scalars.items()}
        tables = {"": {**vectors, **shared}, **tables}
    return tables


def _plain(array: Any) -> Any:
    """Return numbers and texts as Python's own, bytes decoded."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    return array.astype(object)


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0] or type(error).__name__
