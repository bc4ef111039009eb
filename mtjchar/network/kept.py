"""Finished trainings in a file, one line of JSON each, so that a killed run loses only the running ones."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.files import MOST_DATA, read_bytes, storing, write_bytes
from mtjchar.network.exact import Activity
from mtjchar.network.ledger import WriteLedger, WrongReads

__all__ = ["Outcome", "add", "load"]


class Outcome(NamedTuple):
    """Stored results of a training; its energy follows from the ledger.

    Attributes
    ----------
    test_accuracy : float
    ledger : WriteLedger
    harm : ndarray, shape (bits, 2), optional
        Of a pilot, see `mtjchar.network.allocation.Demand`.
    activity : Activity, optional
        If it was requested.
    """

    test_accuracy: float
    ledger: WriteLedger
    harm: FloatArray | None = None
    activity: Activity | None = None


_Count = Annotated[int, Field(ge=0)]
_Counts = list[tuple[_Count, _Count]]


class _Activity(BaseModel):
    """The activity in a line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_changed_words: _Counts
    check_switching: tuple[_Count, _Count]
    check_redundant: tuple[_Count, _Count]
    cells: _Count
    check_cells: _Count

    def counted(self) -> Activity:
        """Return it as arrays."""
        return Activity(
            np.array(self.in_changed_words, dtype=np.int64),
            np.array(self.check_switching, dtype=np.int64),
            np.array(self.check_redundant, dtype=np.int64),
            self.cells,
            self.check_cells,
        )


class _WrongReads(BaseModel):
    """Effects of wrong reads in a line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    skipped: _Counts
    needless: _Counts
    stopped: _Counts
    disturbed: _Counts

    def counted(self) -> WrongReads:
        """Return them as arrays."""
        return WrongReads(*(np.array(getattr(self, name), dtype=np.int64) for name in WrongReads._fields))


_COUNTS = ("switching", "redundant", "retried", "failed")


class _Line(BaseModel):
    """A line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str
    test_accuracy: Annotated[float, Field(ge=0.0, le=1.0)]
    switching: _Counts
    redundant: _Counts
    retried: _Counts
    failed: _Counts
    wrong_reads: _WrongReads | None = None
    harm: list[tuple[float, float]] | None = None
    activity: _Activity | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        lengths = {len(getattr(self, name)) for name in _COUNTS}
        if self.wrong_reads is not None:
            lengths.update(len(getattr(self.wrong_reads, name)) for name in WrongReads._fields)
        if self.harm is not None:
            lengths.add(len(self.harm))
        if self.activity is not None:
            lengths.add(len(self.activity.in_changed_words))
        if len(lengths) != 1:
            raise ValueError("tables of as many bits each")
        return self

    def outcome(self) -> Outcome:
        """Return the content of the line."""
        switching, redundant, retried, failed = (
            np.array(getattr(self, name), dtype=np.int64) for name in _COUNTS
        )
        wrong_reads = None if self.wrong_reads is None else self.wrong_reads.counted()
        ledger = WriteLedger(switching, redundant, retried, failed, wrong_reads)
        harm = None if self.harm is None else np.array(self.harm)
        activity = None if self.activity is None else self.activity.counted()
        return Outcome(self.test_accuracy, ledger, harm, activity)


def load(path: Path) -> dict[str, Outcome]:
    """Read the trainings of a file, by key; invalid lines are removed from it, all others are kept.

    Raises
    ------
    InputError
        If it is not a file, or has lines but none of them is a training.
    """
    if not path.exists():
        return {}
    allowed = "the trainings.jsonl of `mtjchar tradeoff`"
    content = read_bytes(
        path, "trainings", allowed=allowed, remedy="Remove it, or give another directory.", most=MOST_DATA
    )
    lines = content.splitlines(keepends=True)
    outcomes: dict[str, Outcome] = {}
    whole = []
    for line in lines:
        # The last line may have been cut by a kill: the next line would be appended to it.
        with contextlib.suppress(ValidationError):
            entry = _Line.model_validate_json(line)
            outcomes[entry.key] = entry.outcome()
            whole.append(line.rstrip(b"\r\n") + b"\n")
    if len(lines) > 1 and not whole:
        raise InputError(
            "trainings", value=str(path), allowed=allowed, remedy="Remove it, or give another directory."
        )
    if b"".join(whole) != content:
        write_bytes(path, b"".join(whole))
    return outcomes


def add(path: Path, key: str, outcome: Outcome) -> None:
    """Append a training to a file: the complete line, or nothing.

    Raises
    ------
    InputError, StorageError
        If it cannot be written.
    """
    counts = {name: getattr(outcome.ledger, name).tolist() for name in _COUNTS}
    entry = {"key": key, "test_accuracy": outcome.test_accuracy, **counts}
    if outcome.ledger.wrong_reads is not None:
        entry["wrong_reads"] = {
            name: values.tolist() for name, values in outcome.ledger.wrong_reads._asdict().items()
        }
    if outcome.harm is not None:
        entry["harm"] = outcome.harm.tolist()
    if outcome.activity is not None:
        entry["activity"] = {
            name: values.tolist() if isinstance(values, np.ndarray) else values
            for name, values in outcome.activity._asdict().items()
        }
    line = (json.dumps(entry) + "\n").encode()
    with storing(path), path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            if file.write(line) != len(line):
                file.write(line[file.tell() - before :])  # which reports why there was no space for it
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(before)
            raise
