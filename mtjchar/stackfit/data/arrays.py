"""Tables in files of arrays: HDF5 and MATLAB."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.errors import InputError
from mtjchar.stackfit.data.limits import MOST_BYTES, check_count, check_names, listed
from mtjchar.stackfit.data.matrices import Matrix
from mtjchar.stackfit.data.names import named
from mtjchar.stackfit.data.own import refuse_own_table

__all__ = ["frames_of_hdf5", "frames_of_matlab", "is_hdf5", "is_matlab"]

_UNITS = ("unit", "units")
_UNIT_OF = "_unit"  # attribute of a group that has the unit of another one


def is_hdf5(content: bytes) -> bool:
    """Whether a file is HDF5, also one of MATLAB 7.3, which has 512 bytes before."""
    return content.startswith(b"\x89HDF\r\n") or content[512:518] == b"\x89HDF\r\n"


def is_matlab(content: bytes) -> bool:
    """Whether a file is one of MATLAB before 7.3."""
    return content.startswith(b"MATLAB 5.0")


def frames_of_matlab(
    path: Path, content: bytes, matrix: Matrix | None = None
) -> list[tuple[Path, pd.DataFrame]]:
    """Read the tables of a ``.mat`` file: vectors of one length side by side, each structure by itself.

    A structure ``units`` beside them has their units. An array of structures is a table with a row each.
    """
    from scipy.io import loadmat

    try:
        variables = loadmat(io.BytesIO(content), simplify_cells=True)  # type: ignore[arg-type]
    except Exception as error:  # readers of damaged files raise whatever they meet
        raise InputError(str(path), value=_first_line(error), allowed="a MATLAB file") from error
    groups: dict[Path, dict[str, Any]] = {}
    units: dict[tuple[Path, str], str] = {}
    _sort_in(
        groups, units, path, {name: value for name, value in variables.items() if not name.startswith("__")}
    )
    return _frames(path, groups, units, matrix)


def _sort_in(
    groups: dict[Path, dict[str, Any]],
    units: dict[tuple[Path, str], str],
    place: Path,
    variables: Mapping[str, Any],
) -> None:
    for name, value in variables.items():
        if isinstance(value, Mapping) and name.lower() in _UNITS:
            units |= {(place, key): str(unit) for key, unit in value.items() if isinstance(unit, str)}
        elif isinstance(value, Mapping):
            _sort_in(groups, units, place / name, value)
        elif _is_rows(value):
            fields = {key: np.array([row.get(key) for row in value], dtype=object) for key in value[0]}
            groups.setdefault(place / name, {}).update(fields)
        else:
            groups.setdefault(place, {})[name] = np.asarray(value)


def _is_rows(value: Any) -> bool:
    """Whether an array has a structure for each row, with one value a field."""
    return (
        isinstance(value, list | np.ndarray)
        and np.ndim(value) == 1
        and len(value) > 0
        and all(
            isinstance(row, Mapping) and all(np.ndim(cell) == 0 for cell in row.values()) for row in value
        )
    )


def frames_of_hdf5(
    path: Path, content: bytes, matrix: Matrix | None = None
) -> list[tuple[Path, pd.DataFrame]]:
    """Read the tables of an HDF5 file: datasets of one length side by side, each group by itself.

    An attribute ``unit`` or ``units`` of a dataset is its unit. An attribute of a group holds for all
    its rows, if its name is that of a column. One of a matrix with a name for each of its columns names them.
    """
    import h5py

    groups: dict[Path, dict[str, Any]] = {}
    units: dict[tuple[Path, str], str] = {}
    shared: dict[Path, dict[str, Any]] = {}
    total = 0

    def visit(name: str, item: Any) -> None:
        nonlocal total
        if not isinstance(item, h5py.Dataset):
            shared[path / name] = _known_attributes(item)
            return
        if item.dtype.kind == "O" and h5py.check_string_dtype(item.dtype) is None:
            return
        total += int(item.size) * item.dtype.itemsize  # packed or sparse, a small file can hold any size
        if total > MOST_BYTES:
            check_count(path, total, "bytes unpacked")
        *parents, last = name.split("/")
        place = path.joinpath(*parents)
        units[place, last] = next(
            (_word(value) for key, value in item.attrs.items() if key.lower() in _UNITS), ""
        )
        values = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
        groups.setdefault(place, {})[last] = np.asarray(values)
        for key, value in item.attrs.items():
            if (
                item.ndim == 2
                and np.shape(value) == (item.shape[1],)
                and np.asarray(value).dtype.kind in "SUO"
            ):
                groups[place][f"{last}/{key}"] = np.array([_word(word) for word in value], dtype=object)

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            shared[path] = _known_attributes(file)
            file.visititems(visit)
    except InputError:
        raise
    except Exception as error:
        raise InputError(str(path), value=_first_line(error), allowed="an HDF5 file") from error
    refuse_own_table(path, [name for arrays in groups.values() for name in arrays])
    for place, arrays in groups.items():
        for above in (place, *place.parents):
            for name, value in shared.get(above, {}).items():
                arrays.setdefault(name, np.asarray(value))
    return _frames(path, groups, units, matrix)


def _known_attributes(group: Any) -> dict[str, Any]:
    """Attributes of a group that are values of known columns; what has none of these names is left out."""
    return {
        f"{name} ({_word(unit)})" if (unit := group.attrs.get(f"{name}{_UNIT_OF}")) is not None else name: (
            value if isinstance(value, int | float | np.number) else _word(value)
        )
        for name, value in group.attrs.items()
        if np.size(value) == 1 and named(name) is not None and not name.endswith(_UNIT_OF)
    }


def _word(value: Any) -> str:
    """Text of an attribute, which may be bytes or an array of one."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _frames(
    path: Path,
    groups: Mapping[Path, Mapping[str, Any]],
    units: Mapping[tuple[Path, str], str],
    matrix: Matrix | None,
) -> list[tuple[Path, pd.DataFrame]]:
    check_count(path, sum(map(len, groups.values())), "columns")
    frames = []
    for place, arrays in groups.items():
        for name, columns in _tables(place, arrays, matrix).items():
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


def _tables(place: Path, arrays: Mapping[str, Any], matrix: Matrix | None) -> dict[str, dict[str, Any]]:
    """Columns by table: vectors together, scalars in all their rows, records and matrices by themselves."""
    tables: dict[str, dict[str, Any]] = {}
    vectors, scalars, matrices = {}, {}, {}
    for name, array in arrays.items():
        array = array[()] if array.dtype.names else np.squeeze(array)
        if array.dtype.names:
            tables[name] = {field: _plain(np.squeeze(array[field])) for field in array.dtype.names}
        elif array.ndim == 0:
            scalars[name] = _plain(array[None])[0]
        elif array.ndim == 1:
            vectors[name] = _plain(array)
        elif array.ndim == 2:
            matrices[name] = _plain(array)
    for name, array in matrices.items():
        axes = _axes_of(place / name, name, array.shape, vectors, matrix)
        if axes:
            down, along = axes
            shape = {down: vectors[down][:, None], along: vectors[along][None, :]}
            spread = {axis: np.broadcast_to(values, array.shape).ravel() for axis, values in shape.items()}
            tables[name] = {**spread, name: array.ravel(), **_repeated(scalars, array.size)}
        else:
            tables[name] = dict(zip(_headers(array, vectors), array.T, strict=True))
    if any(set(vectors) & set(table) for table in tables.values()):
        return tables  # the vectors are axes
    length = _length(vectors)
    vectors = {name: vector for name, vector in vectors.items() if len(vector) == length}
    if len(vectors) > 1:
        tables = {"": {**vectors, **_repeated(scalars, length)}, **tables}
    return tables


def _repeated(scalars: Mapping[str, Any], length: int) -> dict[str, Any]:
    return {name: np.full(length, value, dtype=object) for name, value in scalars.items()}


def _length(vectors: Mapping[str, Any]) -> int:
    """Length that most vectors with known names have; of several the longest."""
    known = [len(vector) for name, vector in vectors.items() if named(name) is not None]
    counts = Counter(known or map(len, vectors.values()))
    return max(counts, key=lambda length: (counts[length], length), default=0)


def _headers(array: Any, vectors: Mapping[str, Any]) -> list[str]:
    """Names of the columns of a matrix: those of a vector with a known name for two or more, or numbers."""
    for words in vectors.values():
        names = [str(word).strip() for word in words]
        if len(names) == array.shape[1] and sum(named(name) is not None for name in names) > 1:
            return names
    return [f"column {k}" for k in range(1, array.shape[1] + 1)]


def _axes_of(
    place: Path, name: str, shape: tuple[int, ...], vectors: Mapping[str, Any], matrix: Matrix | None
) -> tuple[str, str] | None:
    """Vectors over which a matrix stands, down and along; None if there are none."""
    if matrix is not None and {matrix.rows, matrix.columns} <= set(vectors):
        return (matrix.rows, matrix.columns) if matrix.values == name else None
    axes = [axis for axis in vectors if named(axis) is not None]
    if matrix is not None or named(name) is None or len(axes) != 2:
        return None
    lengths = tuple(len(vectors[axis]) for axis in axes)
    if lengths not in (shape, shape[::-1]):
        return None
    if shape[0] == shape[1]:
        example = f'matrix = {{ rows = "{axes[0]}", columns = "{axes[1]}", values = "{name}" }}'
        raise InputError(
            str(place), value=f"as many rows as columns, over {axes[0]} and {axes[1]}",
            allowed="a statement which of them goes down the rows",
            remedy=f"Write it into a file for --rules: {example}.",
        )  # fmt: skip
    return (axes[0], axes[1]) if lengths == shape else (axes[1], axes[0])


def _plain(array: Any) -> Any:
    """Return numbers and texts as Python's own, bytes decoded."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    return array.astype(object)


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0] or type(error).__name__
