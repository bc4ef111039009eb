"""Checks of the files of a run directory: users or a disk may have changed them.

Every message names the file and the column or key, and how to make the file again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError
from mtjchar.fields import first_complaint

__all__ = [
    "AGAIN", "STATUSES", "Record", "ShiftRecord", "check_devices", "check_read_samples", "check_reference",
    "check_samples", "read_parquet", "read_record",
]  # fmt: skip

STATUSES = ("ok", "failed", "not_converged", "cut", "timed_out", "crashed", "error")
"""Values of a sample's status; only ``ok`` comes with numbers."""

AGAIN = "Run `mtjchar sweep` with this directory again."


class ShiftRecord(BaseModel):
    """A `mtjchar.sweep.importance.Shift` in ``sweep.json``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    directions: list[list[float]]
    reach: list[float]


class Record(BaseModel):
    """The record of a sweep in ``sweep.json``.

    Attributes
    ----------
    study_sha256, devices_sha256, transistor_sha256 : str or None
        Digests of the files that the samples depend on; None if an earlier version did not write them.
    devices_used : int or None
        Devices that were characterized.
    interval_decades : float or None
        Widest interval, if the study requires a precision.
    versions : dict
        Of the programs that made the samples.
    left_out : list of str
        Lines of the user's transistor file that decks omit.
    transistor_read_sha256 : str or None
        Digest of the text that ngspice reads of the user's transistor file, sections and included files.
    trial : list of str
        Results of the trial of the nominal device.
    load_s : float
        Time that ngspice took to load the user's transistor, s.
    surface_sha256 : str or None
        Digest of surface and samples, if tables and figures were made from them.
    surface_file_sha256 : str or None
        Digest of the surface file that was made from the samples.
    read_devices_sha256, read_reference_sha256 : str or None
        Digests of the tables that the samples of the reads depend on.
    read_shift : ShiftRecord or None
        Shift of the devices that are read; None if they are drawn as they are distributed.
    bitwise_devices_sha256, bitwise_curves_sha256, bitwise_shift : str, ShiftRecord or None
        The same of the groups of cells that are read at once.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    study_sha256: str | None = None
    devices_sha256: str | None = None
    transistor_sha256: str | None = None
    devices_used: Annotated[int, Field(ge=1)] | None = None
    interval_decades: float | None = None
    versions: dict[str, str] = {}
    left_out: list[str] = []
    transistor_read_sha256: str | None = None
    trial: list[str] = []
    load_s: float = 0.0
    surface_sha256: str | None = None
    surface_file_sha256: str | None = None
    read_devices_sha256: str | None = None
    read_reference_sha256: str | None = None
    read_shift: ShiftRecord | None = None
    bitwise_devices_sha256: str | None = None
    bitwise_curves_sha256: str | None = None
    bitwise_shift: ShiftRecord | None = None


def read_record(text: str, file: Path) -> Record:
    """Read the text of a ``sweep.json``.

    Raises
    ------
    InputError
        If it is not such a record.
    """
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        complaint = first_complaint(error)
        key = ".".join(complaint.keys)
        raise complaint.error(f"{file}: {key}" if key else str(file), AGAIN) from error


def read_parquet(
    content: bytes, file: Path, needed: Collection[str] = (), *, only_needed: bool = False
) -> pd.DataFrame:
    """Read a Parquet file; pandas' own notes in it have no effect.

    Parameters
    ----------
    content : bytes
    file : Path
        File of the content, for messages.
    needed : collection of str, optional
        Required columns.
    only_needed : bool, optional
        Whether to read no others.

    Raises
    ------
    InputError
        If it is not a complete Parquet file, or lacks a column.
    """
    try:
        parquet = pq.ParquetFile(io.BytesIO(content))
        names = parquet.schema_arrow.names
        for name in needed:
            if name not in names:
                raise InputError(
                    f"{file}: column {name}", value="no such column", allowed=f"a column {name}", remedy=AGAIN
                )
        columns = list(needed) if only_needed else None
        table: pd.DataFrame = parquet.read(columns).to_pandas(ignore_metadata=True)
    except InputError:
        raise
    except Exception as error:  # pyarrow raises many kinds of errors
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(str(file), value=why, allowed="a whole Parquet file", remedy=AGAIN) from error
    return table


def check_devices(devices: pd.DataFrame, file: Path, count: int, columns: Collection[str]) -> None:
    """Refuse an invalid table of devices.

    Parameters
    ----------
    devices : DataFrame
    file : Path
        File of the table, for messages.
    count : int
        Devices of the study.
    columns : collection of str
        Columns that must contain numbers.

    Raises
    ------
    InputError
        The message names the column.
    """
    numbers = _Numbers(devices, file)
    if not np.array_equal(numbers.of("device"), np.arange(count)):
        raise InputError(
            "devices",
            value=str(file),
            allowed=f"one row for each of the study's {count} devices",
            remedy=AGAIN,
        )
    for name in columns:
        numbers.of(name)
    numbers.check("weight", "finite numbers, 0 or more", lambda x: np.isfinite(x) & (x >= 0.0))
    if not numbers.of("weight").sum() > 0.0:
        raise InputError(f"{file}: column weight", value="all 0", allowed="weights above 0", remedy=AGAIN)
    numbers.check("replicate", "whole numbers, 0 or more", lambda x: (x >= 0.0) & (x == np.floor(x)))


def check_samples(samples: pd.DataFrame, file: Path) -> None:
    """Refuse invalid samples; only existing columns are checked.

    Raises
    ------
    InputError
        The message names the column.
    """
    numbers = _Numbers(samples, file)
    good = np.ones(len(samples), dtype=np.bool_)
    if "status" in samples:
        good = numbers.good_statuses()
    if "device" in samples:
        numbers.check("device", "whole numbers, 0 or more", lambda x: (x >= 0.0) & (x == np.floor(x)))
    for name in ("amplitude_V", "duration_s"):
        if name in samples:
            numbers.check(name, "finite numbers above 0", lambda x: np.isfinite(x) & (x > 0.0))
    if {"write_error_rate", "status"} <= set(samples.columns):
        numbers.check(
            "write_error_rate",
            "numbers from 0 to 1 where status is ok, and none elsewhere",
            lambda x: np.where(good, (x >= 0.0) & (x <= 1.0), np.isnan(x)),
        )
    if "standard_error" in samples:
        numbers.check(
            "standard_error",
            "finite numbers, 0 or more, or none where the rate is counted",
            lambda x: np.isnan(x) | ((x >= 0.0) & np.isfinite(x)),
        )
    for name in samples.columns:
        if name.endswith("energy_J"):
            numbers.check(name, "finite numbers, or none where it is not known", lambda x: ~np.isinf(x))


def check_read_samples(samples: pd.DataFrame, file: Path) -> None:
    """Refuse invalid samples of reads; only existing columns are checked.

    Raises
    ------
    InputError
        The message names the column.
    """
    numbers = _Numbers(samples, file)
    good = np.ones(len(samples), dtype=np.bool_)
    if "status" in samples:
        good = numbers.good_statuses()
    for name, valid, allowed in (
        ("device", lambda x: (x >= 0.0) & (x == np.floor(x)), "whole numbers, 0 or more"),
        ("state", lambda x: (x == 0.0) | (x == 1.0), "0 or 1"),
        ("voltage_V", np.isfinite, "finite numbers"),
        ("time_s", lambda x: np.isfinite(x) & (x > 0.0), "finite numbers above 0"),
    ):
        if name in samples:
            numbers.check(name, allowed, valid)
    where = "where status is ok, and none elsewhere"
    for name in samples.columns:
        if name in ("read_error_rate", "disturb_rate"):
            numbers.check(
                name, f"numbers from 0 to 1 {where}",
                lambda x: np.where(good, (x >= 0.0) & (x <= 1.0), np.isnan(x)),
            )  # fmt: skip
        elif name.startswith(("margin_", "level_")) or name.endswith("energy_J"):
            numbers.check(
                name, f"finite numbers {where}", lambda x: np.where(good, np.isfinite(x), np.isnan(x))
            )


def check_reference(
    table: pd.DataFrame, file: Path, voltages: FloatArray, times: FloatArray, columns: Collection[str]
) -> None:
    """Refuse a table of the reference that is not of these read voltages (V) and sensing times (s).

    Raises
    ------
    InputError
        The message names the column.
    """
    numbers = _Numbers(table, file)
    wanted = np.meshgrid(voltages, times, indexing="ij")
    for name, values in zip(("voltage_V", "time_s"), wanted, strict=True):
        if not np.array_equal(numbers.of(name), values.ravel()):
            raise InputError(
                f"{file}: column {name}", value="other values than the study's",
                allowed="each read voltage and sensing time of study.toml once", remedy=AGAIN,
            )  # fmt: skip
    for name in columns:
        numbers.check(name, "finite numbers", np.isfinite)


class _Numbers:
    """Columns of a table that must be numbers."""

    def __init__(self, table: pd.DataFrame, file: Path) -> None:
        self._table, self._file = table, file

    def of(self, name: str) -> FloatArray:
        """Return a column."""
        thing = f"{self._file}: column {name}"
        if name not in self._table:
            raise InputError(thing, value="no such column", allowed=f"a column {name}", remedy=AGAIN)
        column = self._table[name]
        if column.dtype.kind not in "fiu":
            raise InputError(thing, value=f"the type {column.dtype}", allowed="numbers", remedy=AGAIN)
        return column.to_numpy(dtype=np.float64)

    def check(self, name: str, allowed: str, valid: Callable[[FloatArray], BoolArray]) -> None:
        """Refuse a column with a value that is not valid."""
        values = self.of(name)
        wrong = ~valid(values)
        if wrong.any():
            raise InputError(
                f"{self._file}: column {name}", value=float(values[wrong][0]), allowed=allowed, remedy=AGAIN
            )

    def good_statuses(self) -> BoolArray:
        """Return which rows have numbers; refuse a status that there is not."""
        status = self._table["status"]
        known = status.isin(STATUSES).to_numpy()
        if not known.all():
            raise InputError(
                f"{self._file}: column status", value=status.to_numpy()[~known][0],
                allowed=f"one of {', '.join(STATUSES)}", remedy=AGAIN,
            )  # fmt: skip
        return np.asarray(status.to_numpy() == "ok")
