"""The folders of a run directory that hold parts: samples of the writes and of the reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mtjchar.sweep.schemas import check_read_samples, check_samples

__all__ = ["READ_SAMPLES", "SAMPLES", "SAMPLE_COLUMNS", "PartFolder"]

SAMPLE_COLUMNS = (
    "device",
    "direction",
    "amplitude_V",
    "duration_s",
    "write_error_rate",
    "energy_J",
    "redundant_energy_J",
    "trials",
    "status",
    "reason",
    "note",
)


class PartFolder(NamedTuple):
    """Folder of a run directory with one kind of parts.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Columns that a part must have.
    check : callable
        Refuses invalid values of a table from a file.
    order : tuple of str
        Columns by which the rows of all parts are sorted.
    """

    name: str
    columns: tuple[str, ...]
    check: Callable[[pd.DataFrame, Path], None]
    order: tuple[str, ...]


SAMPLES = PartFolder(
    "samples", SAMPLE_COLUMNS, check_samples, ("device", "direction", "amplitude_V", "duration_s")
)
"""Samples of the writes."""

READ_SAMPLES = PartFolder(
    "read_samples",
    (
        "device", "state", "voltage_V", "time_s", "read_error_rate", "disturb_rate", "energy_J", "status",
        "reason", "note",
    ),
    check_read_samples,
    ("device", "state", "voltage_V", "time_s"),
)  # fmt: skip
"""Samples of the reads; the column with the margin has its unit, V or A, in its name."""
