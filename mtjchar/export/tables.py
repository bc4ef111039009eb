"""Complete tables: CSV, Parquet, JSON, NetCDF and NumPy, and their readers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtjchar.errors import InputError
from mtjchar.export.files import Files, text
from mtjchar.export.layout import (
    Description,
    check_description,
    decode,
    describe,
    encode,
    from_table,
    rebuild,
    to_table,
)
from mtjchar.export.operating_point import Settings
from mtjchar.surfaces import WriteSurface, resample

__all__ = ["ber_matrix", "csv", "json_", "load_surface", "netcdf", "npz", "parquet"]

_PARQUET_KEY = b"mtjchar"
_NPZ_KEY = "description"
_DATATYPES = {"f": "double", "i": "integer", "u": "integer", "b": "boolean"}


def csv(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """Plain CSV; its metadata are in a second file, in the form of CSV on the Web."""
    surface = _on_grid(surface, settings)
    table, description = to_table(surface.dataset)
    columns = [
        {
            "name": column,
            "titles": column,
            "datatype": _DATATYPES.get(table[column].dtype.kind, "string"),
            "dc:description": _column_in_words(column, description),
        }
        for column in table.columns.astype(str)
    ]
    metadata = {
        "@context": "http://www.w3.org/ns/csvw",
        "url": out.name,
        "tableSchema": {"columns": columns},
        "notes": [description],
    }
    return {
        _metadata_file(out): text([_json(metadata)]),
        out: table.to_csv(index=False).encode(),
    }


def parquet(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """Parquet with the same columns as CSV; the description is in the schema's metadata."""
    surface = _on_grid(surface, settings)
    frame, description = to_table(surface.dataset)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), _PARQUET_KEY: json.dumps(description).encode()}
    content = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), content)
    return {out: content.getvalue()}


def json_(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """JSON as ``surface.schema.json`` describes it."""
    surface = _on_grid(surface, settings)
    document = describe(surface.dataset)
    for variable in document["variables"].values():
        variable["values"] = encode(surface.dataset[variable["name"]].to_numpy())
    return {out: text([_json(document)])}


def netcdf(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """NetCDF-4, as ``surface.nc``."""
    surface = _on_grid(surface, settings)
    return {out: surface.to_netcdf()}


def npz(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """NumPy arrays by their names with units, without pickled objects."""
    surface = _on_grid(surface, settings)
    description = describe(surface.dataset)
    arrays = {
        key: surface.dataset[variable["name"]].to_numpy().astype(variable["dtype"])
        for key, variable in description["variables"].items()
    }
    content = io.BytesIO()
    np.savez_compressed(content, **{_NPZ_KEY: np.array(json.dumps(description)), **arrays})
    return {out: content.getvalue()}


def ber_matrix(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """Npz on a grid so fine that linear interpolation of log10(BER) equals the surface."""
    chosen = settings.amplitudes is not None or settings.durations is not None
    return npz(surface if chosen else resample(surface), out, settings)


def _on_grid(surface: WriteSurface, settings: Settings) -> WriteSurface:
    """Return the surface on the grid of the settings; unchanged if they give none."""
    if settings.amplitudes is None and settings.durations is None:
        return surface
    return resample(surface, settings.amplitudes, settings.durations)


def load_surface(path: str | Path) -> WriteSurface:
    """Read a surface that was exported as CSV, Parquet, JSON, NetCDF or npz.

    Parameters
    ----------
    path : str or Path
        The ending gives the format: ``.csv``, ``.parquet``, ``.json``, ``.nc`` or ``.npz``. A CSV file needs
        the file ``NAME.csv-metadata.json`` that was written beside it.

    Returns
    -------
    WriteSurface
        Equal to the exported one, including attributes.

    Raises
    ------
    InputError
        If there is no such file, it is damaged, or of another version of the layout.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(
            "exported surface", value=str(path), allowed=f"a file ending in {', '.join(_READERS)}"
        )
    try:
        return read(path)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, RecursionError) as error:
        raise InputError(
            "exported surface",
            value=str(path),
            allowed="a whole file that `mtjchar export` has written",
            remedy=str(error),
        ) from error


def _read_csv(path: Path) -> WriteSurface:
    beside = _metadata_file(path)
    if path.is_file() and not beside.is_file():
        raise InputError(
            str(path), value="no metadata", allowed=f"a CSV file with {beside.name} beside it",
            remedy="Export the surface again, or copy both files.",
        )  # fmt: skip
    metadata = json.loads(beside.read_text(encoding="utf-8"))
    notes = metadata.get("notes") if isinstance(metadata, dict) else None
    description = check_description(notes[0] if isinstance(notes, list) and notes else None, str(beside))
    types = {
        column: variable["dtype"]
        for variable in description["variables"].values()
        for column in variable.get("columns", ())
    }
    # NumPy reads every number back exactly; pandas' fast method has rounding errors.
    cells = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = pd.DataFrame({column: _typed(cells[column], dtype) for column, dtype in types.items()})
    return from_table(table, description, str(path))


def _typed(cells: pd.Series, dtype: str) -> npt.NDArray[Any]:
    array = np.array(cells.tolist(), dtype=object)
    kind = np.dtype(dtype).kind
    if kind == "f":
        array[array == ""] = "nan"
    return np.asarray(array == "True" if kind == "b" else array.astype(dtype))


def _read_parquet(path: Path) -> WriteSurface:
    table = pq.read_table(path)
    metadata = (table.schema.metadata or {}).get(_PARQUET_KEY, b"null")
    return from_table(table.to_pandas(), check_description(json.loads(metadata), str(path)), str(path))


def _read_json(path: Path) -> WriteSurface:
    document = check_description(json.loads(path.read_text(encoding="utf-8")), str(path))

    def values(key: str) -> npt.NDArray[Any]:
        variable = document["variables"][key]
        return decode(variable["values"], variable["dtype"])

    return rebuild(document, values, str(path))


def _read_npz(path: Path) -> WriteSurface:
    with path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError("exported surface", value=str(path), allowed="an .npz archive")
        arrays = dict(archive)
    description = check_description(json.loads(str(arrays.pop(_NPZ_KEY, "null"))), str(path))
    return rebuild(description, arrays.__getitem__, str(path))


_READERS: dict[str, Callable[[Path], WriteSurface]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".json": _read_json,
    ".nc": WriteSurface.load,
    ".npz": _read_npz,
}


def _metadata_file(path: Path) -> Path:
    return path.with_name(f"{path.name}-metadata.json")


def _column_in_words(column: str, description: Description) -> str:
    for variable in description["variables"].values():
        if column in variable.get("columns", ()):
            name = variable["attributes"].get("long_name", variable["name"])
            return str(name) if variable["unit"] == "1" else f"{name}, {variable['unit']}"
    return column


def _json(document: object) -> str:
    return json.dumps(document, indent=1, allow_nan=False)
