"""Tester tables: columns with units, rows that are checked one by one.

A column is a name and a unit, `amplitude_mV`; a small TOML file maps other names. The columns determine the
kind of a table (`KINDS`). docs/fitting.md describes the formats.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtjchar.errors import InputError
from mtjchar.stackfit.data.kinds import Kinds
from mtjchar.stackfit.data.limits import listed
from mtjchar.stackfit.data.names import repeats_of
from mtjchar.stackfit.data.outcomes import COUNTS, refuse_series, refuse_trials, refuse_unused, share_of
from mtjchar.stackfit.data.own import refuse_own_table
from mtjchar.stackfit.data.rules import FileRules, read_rules
from mtjchar.stackfit.data.text import Cells, cells_of, read_cells

__all__ = ["KINDS", "Table", "read_table", "read_tables", "table_of"]

KINDS = {
    "shots": "duration, amplitude or current, and resistance_after or state_after of each pulse",
    "repeats": "duration, amplitude or current, and R_1, R_2, ... after equal writes",
    "dwells": "dwell_time, state",
    "switching": "duration, amplitude or current, trials, and switched, failures, probability or error_rate",
    "thresholds": "duration, amplitude or current, no trials; probability or error_rate unless one half",
    "resistance": "voltage, state, and resistance or current; or voltage and the resistances of both states",
    "loops": "field, and resistance or state",
    "wafer": "diameter, resistance_area_product, tmr, or both resistances, of each device",
}
"""Kinds of tables, and the columns that identify them."""


_COUNTED = ("shots", "repeats", "dwells")  # kinds that become counts of switched bits


@dataclass(frozen=True)
class Table:
    """One file, in SI units.

    Attributes
    ----------
    kind : str
        One of `KINDS`; shots, repeats and dwells are read as switching.
    rows : DataFrame
        Columns named after their quantity and SI unit, such as ``amplitude_V``; ``file`` and ``line`` give
        the origin of each row. Thresholds have ``probability``, the share of the writes that switch, and
        ``ln_error_rate``, the natural logarithm of the share that fails, which keeps its digits close to
        shares of 0 and 1.
    path : Path
    sha256 : str
        Of the file's content.
    skipped : int
        Bad rows that were dropped.
    unused : tuple of str
        Unused columns of the file.
    notes : tuple of str
        How the file was understood, for people.
    """

    kind: str
    rows: pd.DataFrame
    path: Path
    sha256: str
    skipped: int
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_table(path: str | Path, rules: str | Path | None = None, *, skip_bad: bool = False) -> Table:
    """Read the one table of a file as a tester writes it; `read_tables` reads files with several.

    Parameters
    ----------
    path : str or Path
    rules : str or Path, optional
    skip_bad : bool, optional

    Returns
    -------
    Table

    Raises
    ------
    InputError
        As `read_tables`, and if the file holds several tables.
    """
    tables = read_tables([path], rules, skip_bad=skip_bad)
    if len(tables) > 1:
        raise InputError(
            str(path), value=f"{len(tables)} tables", allowed="a file with one table",
            remedy="read_tables reads them all.",
        )  # fmt: skip
    return tables[0]


def table_of(rows: pd.DataFrame, name: str = "table.csv") -> Table:
    """Make a table from rows in memory, with columns as for `read_table`.

    Parameters
    ----------
    rows : DataFrame
    name : str, optional
        Name in messages.
    """
    (cells,) = cells_of(Path(name), rows.to_csv(index=False).encode())
    return _read(cells, FileRules(), False)


def read_tables(
    paths: Sequence[str | Path],
    rules: str | Path | None = None,
    *,
    skip_bad: bool = False,
    device: str | None = None,
    where: str | None = None,
) -> list[Table]:
    """Read all tables of several files.

    Parameters
    ----------
    paths : sequence of str or Path
        Text (separated by commas, semicolons, tabs or blanks; comments begin with ``#``, ``!``, ``%`` or
        ``//``), .xlsx, Parquet, HDF5 or MATLAB, also packed with gzip or zip.
    rules : str or Path, optional
        A TOML file that describes what the files do not show: names of columns, values that all rows share,
        words for directions. docs/tester_files.md lists its keys.
    skip_bad : bool, optional
        Drop rows with a bad value instead of refusing the table.
    device : str, optional
        Keep the rows of this device alone.
    where : str, optional
        Keep the rows for which this expression of their columns is true, such as ``temperature_K < 330``.

    Returns
    -------
    list of Table

    Raises
    ------
    InputError
        For unreadable or impossible values; the message gives file, line, column and value.
    """
    read = read_rules(rules)
    files = [cells for path in paths for cells in read_cells(Path(path), lambda file: read.of(file).layout)]
    read.check_found(files)
    tables = [_read(cells, read.of(cells.path), skip_bad) for cells in files]
    return _chosen(tables, device, where)


def _chosen(tables: list[Table], device: str | None, where: str | None) -> list[Table]:
    """Keep rows of a device, and rows for which an expression holds."""
    if device is not None:
        devices = sorted({str(name) for table in tables for name in table.rows.get("device", [])})
        if device not in devices:
            allowed = f"one of {listed(devices)}" if devices else "nothing: the tables name no devices"
            raise InputError("device", value=device, allowed=allowed)
        tables = [_with_rows(table, table.rows.get("device", pd.Series(device, table.rows.index)) == device)
                  for table in tables]  # fmt: skip
    if where is not None:
        tables = [_with_rows(table, _holds(table, where)) for table in tables]
    kept = [table for table in tables if not table.rows.empty]
    if not kept:
        raise InputError("where", value=where, allowed="an expression that holds for some rows")
    return kept


def _with_rows(table: Table, keep: pd.Series[bool]) -> Table:
    if keep.all():
        return table
    note = f"{int(keep.sum())} of {len(keep)} rows kept by --device or --where"
    rows = table.rows[keep].reset_index(drop=True)
    return dataclasses.replace(table, rows=rows, notes=(*table.notes, note))


def _holds(table: Table, where: str) -> pd.Series[bool]:
    try:
        found = table.rows.eval(where, engine="python")
        keep = pd.Series(np.broadcast_to(np.asarray(found), (len(table.rows),)), table.rows.index)
        if keep.dtype != np.bool_:
            raise TypeError(f"its value is of type {keep.dtype}, not true or false")
    except Exception as error:  # the expression is the user's
        raise InputError(
            "where", value=where, allowed=f"an expression of {', '.join(table.rows.columns)}",
            remedy=f"{str(error).splitlines()[0] if str(error) else type(error).__name__}.",
        ) from error  # fmt: skip
    return keep


def _read(cells: Cells, rules: FileRules, skip_bad: bool) -> Table:
    path = cells.path
    refuse_own_table(path, cells.text.columns)
    reader = Kinds(cells, rules)
    refuse_unused(path, reader.unknown())
    kind = _kind(cells, reader.known())
    rows, bad = getattr(reader, kind)()
    refuse_unused(path, reader.unused())
    if kind == "thresholds":
        refuse_trials(path, reader.unused())
        refuse_series(path, reader.unused())
    dropped = {line for line, *_ in bad}
    good = rows[~rows["line"].isin(dropped)].reset_index(drop=True)
    missing = _directions(rows) - _directions(good)
    if bad and not skip_bad:
        line, column, value, allowed = bad[0]
        remedy = "--skip-bad (skip_bad=True) drops their rows"
        if missing:
            # This is not a bad row, but a file with another meaning.
            remedy = f"without their rows nothing is left of {' and '.join(sorted(missing))}"
        raise InputError(
            f"{path}, line {line}, {column}", value=value, allowed=allowed,
            remedy=f"{len(bad)} values are bad; {remedy}.",
        )  # fmt: skip
    if good.empty:
        raise InputError(str(path), value=f"{len(dropped)} bad rows and no other", allowed="good rows")
    for direction in sorted(missing):
        lines = set(rows["line"][rows["direction"] == direction])
        line, column, value, allowed = next(cell for cell in bad if cell[0] in lines)
        raise InputError(
            f"{path}: rows of {direction}", value=f"all {len(lines)} bad, the first: line {line}, {column} "
            f"{value}", allowed=allowed, remedy="Without them a direction would be missing.",
        )  # fmt: skip
    sha256 = hashlib.sha256(cells.content).hexdigest()
    notes = (*cells.notes, *reader.notes)
    kind = "switching" if kind in _COUNTED else kind
    return Table(kind, good, path, sha256, len(dropped), reader.unused(), notes)


def _directions(rows: pd.DataFrame) -> set[str]:
    return set(rows["direction"]) - {""} if "direction" in rows else set()


def _kind(cells: Cells, known: set[str]) -> str:
    driven = bool({"amplitude", "current"} & known)
    if "dwell_time" in known and "state" in known:
        return "dwells"
    if "duration" in known and driven:
        counted = bool({"trials", *COUNTS} & known) or any(map(share_of, known))
        if {"resistance_after", "state_after"} & known and not counted:
            return "shots"
        if repeats_of(cells.text.columns).headers and not counted:
            return "repeats"
        if set(COUNTS) & known or ("trials" in known and any(map(share_of, known))):
            return "switching"
        if "trials" in known:
            raise InputError(
                f"{cells.path}: columns", value=f"trials, but no outcome ({cells.columns})",
                allowed="a column switched, failures or probability beside trials, or error_rate, wer or ber",
                remedy='Name it so, or in a file for --rules: [columns] failures = "its name".',
            )  # fmt: skip
        return "thresholds"
    if "field" in known and {"resistance", "state"} & known:
        return "loops"
    if "voltage" in known and {"resistance", "current"} & known:
        return "resistance"
    if "voltage" in known and {"parallel_resistance", "antiparallel_resistance"} & known:
        return "resistance"
    if {"diameter", "resistance_area_product", "tmr", "parallel_resistance"} & known:
        return "wafer"
    if "duration" in known and ({"trials", *COUNTS} & known) and not driven:
        raise InputError(
            f"{cells.path}: columns", value=f"no amplitude or current ({cells.columns})",
            allowed="one of them",
            remedy='For bits at rest write into a file for --rules: [values] amplitude = "0 V".',
        )  # fmt: skip
    allowed = "; or ".join(f"{kind}: {columns}" for kind, columns in KINDS.items())
    found = (
        f"The known columns ({', '.join(sorted(known))}) make no table" if known else "No known column found"
    )
    raise InputError(
        f"{cells.path}: columns",
        value=sorted(known),
        allowed=allowed,
        problem=f"{cells.path}: {found}. The file has {cells.columns}.",
        remedy=f"Give the columns of one table ({allowed}). Units are part of a name, such as amplitude_mV, "
        "where the case of units counts. Other names can be given with --rules.",
    )
