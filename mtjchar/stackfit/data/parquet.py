"""Cells of a Parquet file, whose content can be a thousand times as large as the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtjchar.errors import InputError
from mtjchar.stackfit.data.limits import LONGEST_TEXT, check_count, check_names

__all__ = ["cells_of_parquet"]


def cells_of_parquet(path: Path, content: bytes) -> pd.DataFrame:
    """Read a Parquet file, if its unpacked content does not exceed the limits of a table.

    Numbers, truth values, times and texts are unchanged. In a column of lists, structures or maps every
    cell is the name of its type; such a column cannot be used.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        _check_size(path, file.metadata)
        # A text that repeats in a million rows is stored once.
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        table = pq.ParquetFile(io.BytesIO(content), read_dictionary=texts).read()
        names = [str(name) for name in table.column_names]
        check_names(path, names)
        frame = pd.DataFrame(
            {k: _cells(path, name, table.column(k)) for k, name in enumerate(names)}, dtype=object
        )
    except InputError:
        raise
    except Exception as error:  # pyarrow raises many kinds of errors
        raise InputError(str(path), value=str(error).split("\n")[0], allowed="a Parquet file") from error
    frame.columns = pd.Index(names)
    return frame


def _check_size(path: Path, about: Any) -> None:
    groups = [about.row_group(k) for k in range(about.num_row_groups)]
    check_count(path, about.num_columns, "columns")
    check_count(path, about.num_rows, "rows")
    check_count(path, sum(group.total_byte_size for group in groups), "bytes unpacked")
    # Elements of lists are values too, and any number of repeated values takes a few bytes.
    values = sum(group.column(k).num_values for group in groups for k in range(about.num_columns))
    check_count(path, values, "values")


def _is_text(kind: Any) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _cells(path: Path, name: str, column: Any) -> pd.Series[Any]:
    if pa.types.is_nested(column.type):
        return pd.Series([str(column.type)] * len(column), dtype=object)
    values: pd.Series[Any] = column.to_pandas()
    if isinstance(values.dtype, pd.CategoricalDtype):
        longest = max((len(str(text)) for text in values.cat.categories), default=0)
        if longest > LONGEST_TEXT:
            raise InputError(
                f"{path}, column {name}", value=f"a text of {longest:,} characters",
                allowed=f"at most {LONGEST_TEXT:,} characters", remedy="Remove the column.",
            )  # fmt: skip
    return values.astype(object)
