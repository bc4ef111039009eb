"""Tables of a read surface, beside those of the write surface: CSV, Parquet, JSON, NetCDF and NumPy."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mtjchar.export.files import Files, text
from mtjchar.surfaces import ReadSurface

__all__ = ["csv", "json_", "netcdf", "npz", "parquet", "read_file"]

_KEY = b"mtjchar"


def read_file(out: Path) -> Path:
    """Return the file of the reads beside that of the writes: NAME_read.ENDING."""
    return out.with_name(f"{out.stem}_read{out.suffix}")


def csv(reads: ReadSurface, out: Path) -> Files:
    """Plain CSV, one row per state, read voltage and sensing time; units are in the names."""
    return {out: reads.to_frame().to_csv(index=False).encode()}


def parquet(reads: ReadSurface, out: Path) -> Files:
    """Parquet with the same columns as CSV; the attributes are in the schema's metadata."""
    table = pa.Table.from_pandas(reads.to_frame(), preserve_index=False)
    metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(_attributes(reads)).encode()}
    content = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), content)
    return {out: content.getvalue()}


def json_(reads: ReadSurface, out: Path) -> Files:
    """JSON: attributes, and the columns of the table; what is not known is null."""
    columns = {
        str(name): [
            None if isinstance(value, float) and not np.isfinite(value) else value for value in values
        ]
        for name, values in reads.to_frame().to_dict(orient="list").items()
    }
    document = {"attributes": _attributes(reads), "columns": columns}
    return {out: text([json.dumps(document, indent=1, allow_nan=False)])}


def netcdf(reads: ReadSurface, out: Path) -> Files:
    """NetCDF-4, as ``read.nc``."""
    return {out: reads.to_netcdf()}


def npz(reads: ReadSurface, out: Path) -> Files:
    """NumPy arrays by their names, over state, voltage_V and time_s, without pickled objects."""
    data = reads.dataset
    units = {"voltage": "voltage_V", "time": "time_s", "energy": "energy_J"}
    units["margin"] = f"margin_{reads.margin_unit}"
    arrays: dict[str, Any] = {
        units.get(str(name), str(name)): one.to_numpy() for name, one in data.variables.items()
    }
    content = io.BytesIO()
    np.savez_compressed(content, attributes=np.array(json.dumps(_attributes(reads))), **arrays)
    return {out: content.getvalue()}


def _attributes(reads: ReadSurface) -> dict[str, Any]:
    return {
        str(name): value.item() if isinstance(value, np.generic) else value
        for name, value in reads.dataset.attrs.items()
    }
