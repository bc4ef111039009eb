"""The tables of the reads in a run directory: the devices that are read, and their reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mtjchar.cells.reading import ReferenceLevel
from mtjchar.errors import InputError
from mtjchar.files import MOST_DATA, checksum, read_bytes, write_bytes
from mtjchar.sweep.importance import Shift
from mtjchar.sweep.read_population import TOWARD
from mtjchar.sweep.read_tasks import read_device_count, reads_of
from mtjchar.sweep.schemas import AGAIN, check_devices, check_reference, read_parquet
from mtjchar.sweep.store import RunDirectory, parquet_content

__all__ = ["read_devices", "read_reference", "read_shift", "write_table"]


def read_devices(directory: RunDirectory) -> pd.DataFrame:
    """Return the table of the devices that are read.

    Raises
    ------
    InputError
        If it is missing, damaged or has not one row for each device.
    """
    devices, file = _beside(directory, "read_devices"), directory.path / "read_devices.parquet"
    check_devices(devices, file, read_device_count(directory.study), directory.study.kind.device_columns)
    return devices


def read_shift(directory: RunDirectory, devices: pd.DataFrame) -> Shift | None:
    """Return the shift of the devices that are read; None if they were drawn as they are distributed."""
    record = directory.record().read_shift
    if record is None or f"{TOWARD}{len(record.reach) - 1}" not in devices:
        return None
    return Shift(np.array(record.directions), np.array(record.reach))


def read_reference(directory: RunDirectory) -> ReferenceLevel:
    """Return the reference that the devices are compared with.

    Raises
    ------
    InputError
        If it is missing, damaged or of other reads than the study's.
    """
    reads, file = reads_of(directory.study), directory.path / "read_reference.parquet"
    table = _beside(directory, "read_reference")
    assert reads is not None, "the reference of a study without reads"
    names = [f"mean_{reads.unit}", f"deviation_{reads.unit}"]
    check_reference(table, file, reads.voltage_V, reads.time_s, names)
    shape = len(reads.voltage_V), len(reads.time_s)
    return ReferenceLevel(*(table[name].to_numpy().reshape(shape) for name in names))


def write_table(directory: RunDirectory, name: str, table: pd.DataFrame, versions: Mapping[str, str]) -> None:
    """Write a table of the reads, ``read_devices`` or ``read_reference``, and its checksum.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    content = parquet_content(table, versions)
    write_bytes(directory.path / f"{name}.parquet", content)
    directory.note(**{f"{name}_sha256": checksum(content)})


def _beside(directory: RunDirectory, name: str) -> pd.DataFrame:
    file = directory.path / f"{name}.parquet"
    content = read_bytes(file, file.name, allowed="a Parquet file", remedy=AGAIN, most=MOST_DATA)
    if getattr(directory.record(), f"{name}_sha256") != checksum(content):
        raise InputError(
            file.name, value=str(file), allowed="the Parquet file that the sweep has written",
            remedy=f"Its checksum is wrong. {AGAIN}",
        )  # fmt: skip
    return read_parquet(content, file)
