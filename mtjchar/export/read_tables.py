"""Tables of surfaces of reads, beside those of the write surface: CSV, Parquet, JSON, NetCDF and NumPy."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from mtjchar.export.files import Files, text
from mtjchar.export.layout import unit_of, with_unit

__all__ = ["Tabular", "beside", "csv", "json_", "netcdf", "npz", "parquet"]

_KEY = b"mtjchar"


class Tabular(Protocol):
    """A surface that can be a table: of reads, or of bitwise operations."""

    @property
    def dataset(self) -> xr.Dataset:
        """Its variables."""

    def to_frame(self) -> pd.DataFrame:
        """Return its table."""

    def to_netcdf(self) -> bytes:
        """Return the content of its file."""


def beside(out: Path, word: str) -> Path:
    """Return the file of another surface beside that of the writes: NAME_WORD.ENDING."""
    return out.with_name(f"{out.stem}_{word}{out.suffix}")


def csv(reads: Tabular, out: Path) -> Files:
    """Plain CSV, one row per state or inputs, read voltage and sensing time; units are in the names."""
    return {out: reads.to_frame().to_csv(index=False).encode()}


def parquet(reads: Tabular, out: Path) -> Files:
    """Parquet with the same columns as CSV; the attributes are in the schema's metadata."""
    table = pa.Table.from_pandas(reads.to_frame(), preserve_index=False)
    metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(_attributes(reads)).encode()}
    content = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), content)
    return {out: content.getvalue()}


def json_(reads: Tabular, out: Path) -> Files:
    """JSON: attributes, and the columns of the table; what is not known is null."""
    columns = {
        str(name): [
            None if isinstance(value, float) and not np.isfinite(value) else value for value in values
        ]
        for name, values in reads.to_frame().to_dict(orient="list").items()
    }
    document = {"attributes": _attributes(reads), "columns": columns}
    return {out: text([json.dumps(document, indent=1, allow_nan=False)])}


def netcdf(reads: Tabular, out: Path) -> Files:
    """NetCDF-4, as ``read.nc`` or ``bitwise.nc``."""
    return {out: reads.to_netcdf()}


def npz(reads: Tabular, out: Path) -> Files:
    """NumPy arrays by their names with units, over the dimensions of the surface, without pickled objects."""
    data = reads.dataset
    arrays: dict[str, Any] = {
        with_unit(str(name), unit_of(name, data[name])): data[name].to_numpy() for name in data.variables
    }
    content = io.BytesIO()
    np.savez_compressed(content, attributes=np.array(json.dumps(_attributes(reads))), **arrays)
    return {out: content.getvalue()}


def _attributes(reads: Tabular) -> dict[str, Any]:
    return {
        str(name): value.item() if isinstance(value, np.generic) else value
        for name, value in reads.dataset.attrs.items()
    }
