"""Tables of testers: columns with units, rows that are checked one by one.

A column is a name and a unit, `amplitude_mV`; a small TOML file names columns that are called otherwise. What
a table holds follows from its columns (`KINDS`). docs/fitting.md has the formats.
"""

from __future__ import annotations

import hashlib
import io
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import constants

from mtjchar.errors import InputError
from mtjchar.units import parse_quantity

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

UNITS = {
    "amplitude": "V",
    "current": "A",
    "amplitude_error": "V",
    "current_error": "A",
    "duration": "s",
    "temperature": "K",
    "voltage": "V",
    "resistance": "ohm",
    "resistance_error": "ohm",
    "field": "T",
    "sweep_rate": "T/s",
    "diameter": "m",
    "resistance_area_product": "ohm*m^2",
}
"""Columns with a unit, and the SI unit of what is read."""

PLAIN = ("trials", "switched", "failures", "probability", "tmr", "loop")
LABELS = ("direction", "state", "device")

KINDS = {
    "switching": "duration, amplitude or current, trials, and switched, failures or probability",
    "thresholds": "duration, amplitude or current, no trials",
    "resistance": "voltage, resistance, state",
    "loops": "field, resistance",
    "wafer": "diameter, resistance_area_product or tmr of each device",
}
"""What a table can hold, and the columns that say so."""

_DIRECTIONS = {
    **dict.fromkeys(("ptoap", "pap", "p2ap"), "p_to_ap"),
    **dict.fromkeys(("aptop", "app", "ap2p"), "ap_to_p"),
}
_STATES = {"p": "p", "ap": "ap", "parallel": "p", "antiparallel": "ap"}
_OERSTED = re.compile(r"(k|m)?Oe(?=$|/)")


@dataclass(frozen=True)
class Table:
    """One file, in SI units.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    rows : DataFrame
        Columns named after their quantity and SI unit, such as ``amplitude_V``; ``file`` and ``line`` say
        where each row is from.
    path : Path
    sha256 : str
        Of the file's content.
    skipped : int
        Bad rows that were dropped.
    """

    kind: str
    rows: pd.DataFrame
    path: Path
    sha256: str
    skipped: int


def read_table(path: str | Path, columns: str | Path | None = None, *, skip_bad: bool = False) -> Table:
    """Read a table as a tester writes it.

    Parameters
    ----------
    path : str or Path
        CSV (comma, semicolon or tab; lines that begin with ``#`` are comments) or Parquet.
    columns : str or Path, optional
        A TOML file. ``[columns]`` says how columns are called here: ``amplitude = { name = "Vp", unit = "mV"
        }``, ``trials = "N"``; ``[values]`` gives what all rows share: ``direction = "p_to_ap"``.
    skip_bad : bool, optional
        Drop rows with a bad value instead of refusing the table.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        With file, line, column and value, for what cannot be read or cannot be.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            "data", value=str(path), allowed="a CSV or Parquet file", remedy=f"{error.strerror}."
        ) from error
    return _read(path, content, columns, skip_bad)


def table_of(rows: pd.DataFrame, name: str = "table.csv") -> Table:
    """Make a table of rows that are in memory already, with columns as `read_table` reads them.

    Parameters
    ----------
    rows : DataFrame
    name : str, optional
        What messages call it.
    """
    return _read(Path(name), rows.to_csv(index=False).encode(), None, False)


def _read(path: Path, content: bytes, columns: str | Path | None, skip_bad: bool) -> Table:
    text, lines = _cells(path, content)
    if text.empty:
        raise InputError(str(path), value="no rows", allowed="a header and at least one row")
    names, shared = _mapping(columns)
    reader = _Reader(path, text, lines, names, shared, str(columns))
    kind = _kind(path, reader.known())
    rows, bad = getattr(reader, kind)()
    if bad and not skip_bad:
        line, column, value, allowed = bad[0]
        remedy = f"{len(bad)} values are bad; --skip-bad (skip_bad=True) drops their rows." if bad else ""
        raise InputError(f"{path}, line {line}, {column}", value=value, allowed=allowed, remedy=remedy)
    dropped = {line for line, *_ in bad}
    rows = rows[~rows["line"].isin(dropped)].reset_index(drop=True)
    if rows.empty:
        raise InputError(str(path), value=f"{len(dropped)} bad rows and no other", allowed="good rows")
    return Table(kind, rows, path, hashlib.sha256(content).hexdigest(), len(dropped))


def read_tables(
    paths: Sequence[str | Path], columns: str | Path | None = None, *, skip_bad: bool = False
) -> list[Table]:
    """Read several files with `read_table`, one mapping of columns for all."""
    return [read_table(path, columns, skip_bad=skip_bad) for path in paths]


def _cells(path: Path, content: bytes) -> tuple[pd.DataFrame, list[int]]:
    """Cells as text (CSV) or as they are, and the line or row that each row has in the file."""
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            frame = pd.read_parquet(io.BytesIO(content))
        except Exception as error:  # pyarrow raises whatever its readers meet
            raise InputError(str(path), value=str(error).split("\n")[0], allowed="a Parquet file") from error
        return frame.astype(object), list(range(1, len(frame) + 1))
    try:
        every = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(str(path), value=str(error), allowed="a CSV file, UTF-8") from error
    kept = [
        (number, line) for number, line in enumerate(every, 1) if line.strip() and line.lstrip()[0] != "#"
    ]
    if not kept:
        return pd.DataFrame(), []
    separator = max(",;\t", key=kept[0][1].count)
    width = kept[0][1].count(separator)
    for number, line in kept:
        if line.count(separator) != width:
            raise InputError(
                f"{path}, line {number}",
                value=line,
                allowed=f"{width + 1} values, as many as the header has",
            )
    frame = pd.read_csv(
        io.StringIO("\n".join(line for _, line in kept)),
        sep=separator,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
    )
    return frame, [number for number, _ in kept[1:]]


def _mapping(path: str | Path | None) -> tuple[dict[str, tuple[str, str]], dict[str, Any]]:
    """Own name of a column and its unit, by what it is; and the values that all rows share."""
    if path is None:
        return {}, {}
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "columns", value=str(path), allowed="a TOML file with [columns] and [values]", remedy=f"{error}."
        ) from error
    known = [*UNITS, *PLAIN, *LABELS]
    unknown = [key for key in data if key not in ("columns", "values")]
    if unknown:
        raise InputError(f"{path}: {unknown[0]}", value=data[unknown[0]], allowed="[columns] and [values]")
    names = {}
    for key, value in data.get("columns", {}).items():
        if key not in known:
            raise InputError(f"{path}: columns.{key}", value=value, allowed=f"one of {', '.join(known)}")
        entry = {"name": value} if isinstance(value, str) else value
        needed = {"name", "unit"} if key in UNITS else {"name"}
        if not isinstance(entry, dict) or set(entry) != needed:
            allowed = '{ name = "...", unit = "..." }' if key in UNITS else "the name of a column"
            raise InputError(f"{path}: columns.{key}", value=value, allowed=allowed)
        names[key] = (entry["name"], entry.get("unit", ""))
    shared = data.get("values", {})
    for key, value in shared.items():
        if key not in known:
            raise InputError(f"{path}: values.{key}", value=value, allowed=f"one of {', '.join(known)}")
    return names, shared


def _kind(path: Path, known: set[str]) -> str:
    driven = bool({"amplitude", "current"} & known)
    if "duration" in known and driven:
        if {"switched", "failures"} & known or {"probability", "trials"} <= known:
            return "switching"
        return "thresholds"
    if "field" in known and "resistance" in known:
        return "loops"
    if "voltage" in known and "resistance" in known:
        return "resistance"
    if {"diameter", "resistance_area_product", "tmr"} & known:
        return "wafer"
    allowed = "; or ".join(f"{kind}: {columns}" for kind, columns in KINDS.items())
    raise InputError(
        f"{path}: columns that were understood",
        value=", ".join(sorted(known)) or "none",
        allowed=allowed,
        remedy="Units are part of a name, such as amplitude_mV; or name the columns with --columns.",
    )


Bad = list[tuple[int, str, Any, str]]


class _Reader:
    """Reads the columns of one file; collects bad values with their place."""

    def __init__(
        self,
        path: Path,
        text: pd.DataFrame,
        lines: list[int],
        names: dict[str, tuple[str, str]],
        shared: dict[str, Any],
        mapping: str,
    ) -> None:
        self.path, self.text, self.shared, self.mapping = path, text, shared, mapping
        self.lines = np.array(lines)
        self.bad: Bad = []
        self.place = self._places(names)

    def _places(self, names: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        """Column and unit of everything that is found."""
        found = {}
        headers = [str(name).strip() for name in self.text.columns]
        self.text.columns = pd.Index(headers)
        for key, (name, unit) in names.items():
            if name in headers:
                found[key] = (name, unit)
        taken = {name for name, _ in found.values()}
        for header in headers:
            if header in taken:
                continue
            if header in (*PLAIN, *LABELS):
                found.setdefault(header, (header, ""))
                continue
            for key in sorted(UNITS, key=len, reverse=True):
                if header == key:
                    raise InputError(
                        f"{self.path}, column {header}",
                        value="no unit",
                        allowed=f"a unit in the name, such as {key}_{UNITS[key].replace('*', '_')}",
                        remedy="Or name the column and its unit in a file that --columns names.",
                    )
                if header.startswith(f"{key}_"):
                    unit = header[len(key) + 1 :]
                    if key in found:
                        raise InputError(
                            f"{self.path}, column {header}", value=header, allowed=f"one column of {key}"
                        )
                    found[key] = (header, unit.replace("_per_", "/").replace("_", "*"))
                    break
        return found

    def known(self) -> set[str]:
        """Everything that a column or a shared value tells."""
        return {*self.place, *self.shared}

    def number(self, key: str, allowed: str, valid: Any = None) -> FloatArray:
        """Read a column in SI units; what is not finite or not valid is bad."""
        unit = UNITS.get(key, "")
        if key not in self.place:
            value = self.shared[key]
            if unit and not isinstance(value, str):
                raise InputError(
                    f"{self.mapping}: values.{key}", value=value, allowed=f"a string, '1 {unit}'"
                )
            read = (
                parse_quantity(value, unit, thing=f"{self.mapping}: values.{key}") if unit else float(value)
            )
            return np.full(len(self.text), read)
        header, own = self.place[key]
        raw = self.text[header]
        values = np.array(pd.to_numeric(raw, errors="coerce"), dtype=np.float64)
        if unit:
            offset, factor = _conversion(self.path, header, own, unit)
            values = offset + factor * values
        good = np.isfinite(values)
        if valid is not None:
            with np.errstate(invalid="ignore"):
                good &= valid(values)
        self.refuse(header, ~good, allowed)
        return values

    def refuse(self, header: str, wrong: BoolArray, allowed: str) -> None:
        """Note bad values."""
        for row in np.flatnonzero(wrong):
            value = self.text[header].iloc[row] if header in self.text else self.shared.get(header)
            self.bad.append((int(self.lines[row]), header, value, allowed))

    def label(self, key: str, words: dict[str, str], allowed: str) -> npt.NDArray[np.object_]:
        """Read a column of words."""
        if key in self.place:
            header = self.place[key][0]
            raw = [str(value) for value in self.text[header]]
        else:
            header, raw = key, [str(self.shared[key])] * len(self.text)
        clean = [words.get(re.sub(r"[^a-z0-9]", "", value.lower())) for value in raw]
        self.refuse(header, np.array([one is None for one in clean]), allowed)
        return np.array([one or "" for one in clean], dtype=object)

    def frame(self, **columns: Any) -> tuple[pd.DataFrame, Bad]:
        """Put the rows together, with where they are from."""
        rows = pd.DataFrame({**columns, "file": str(self.path), "line": self.lines})
        if "device" in self.place:
            rows["device"] = self.text[self.place["device"][0]].astype(str).to_numpy()
        self.bad.sort(key=lambda one: one[0])
        return rows, self.bad

    def pulses(self) -> dict[str, Any]:
        """Columns that switching and thresholds share."""
        if {"amplitude", "current"} <= self.known():
            raise InputError(
                f"{self.path}: columns", value="amplitude and current", allowed="one of the two",
                remedy="amplitude is the voltage across the junction.",
            )  # fmt: skip
        drive = "amplitude" if "amplitude" in self.known() else "current"
        columns: dict[str, Any] = {
            f"{drive}_{UNITS[drive]}": self.number(drive, "a positive number", lambda x: x > 0.0),
            "duration_s": self.number("duration", "a positive number", lambda x: x > 0.0),
        }
        if "direction" in self.known():
            columns["direction"] = self.label("direction", _DIRECTIONS, "p_to_ap or ap_to_p (also P->AP)")
        return {**columns, **self.temperature()}

    def switching(self) -> tuple[pd.DataFrame, Bad]:
        """Read counts of writes that succeeded."""
        columns = self.pulses()
        if "direction" not in columns:
            raise InputError(
                f"{self.path}: columns", value=", ".join(sorted(self.known())), allowed="a column direction",
                remedy='One for all rows goes into a file for --columns: [values] direction = "p_to_ap".',
            )  # fmt: skip
        if "trials" not in self.known():
            raise InputError(f"{self.path}: columns", value="no trials", allowed="a column trials")
        trials = self.number(
            "trials", "a whole number, at least 1", lambda x: (x >= 1.0) & (x == np.floor(x))
        )
        outcome = next(key for key in ("switched", "failures", "probability") if key in self.known())
        if outcome == "probability":
            share = self.number("probability", "0 to 1", lambda x: (x >= 0.0) & (x <= 1.0))
            switched = np.rint(share * trials)
        else:
            counted = self.number(
                outcome,
                "a whole number from 0 to the trials of the row",
                lambda x: (x >= 0.0) & (x <= trials) & (x == np.floor(x)),
            )
            switched = counted if outcome == "switched" else trials - counted
        return self.frame(**columns, trials=trials, switched=switched)

    def thresholds(self) -> tuple[pd.DataFrame, Bad]:
        """Amplitudes at which a stated share of the writes succeeds."""
        columns = self.pulses()
        share = np.full(len(self.text), 0.5)
        if "probability" in self.known():
            share = self.number("probability", "above 0 and below 1", lambda x: (x > 0.0) & (x < 1.0))
        drive = "amplitude" if "amplitude_V" in columns else "current"
        error = f"{drive}_error"
        if error in self.known():
            columns[f"{error}_{UNITS[drive]}"] = self.number(error, "a positive number", lambda x: x > 0.0)
        return self.frame(**columns, probability=share)

    def resistance(self) -> tuple[pd.DataFrame, Bad]:
        """Resistance over voltage in both states."""
        columns = {
            "voltage_V": self.number("voltage", "a finite number"),
            "resistance_ohm": self.number("resistance", "a positive number", lambda x: x > 0.0),
            "state": self.label("state", _STATES, "P or AP"),
        }
        if "resistance_error" in self.known():
            columns["resistance_error_ohm"] = self.number(
                "resistance_error", "a positive number", lambda x: x > 0.0
            )
        return self.frame(**columns)

    def loops(self) -> tuple[pd.DataFrame, Bad]:
        """Resistance over field, in the order in which it was swept."""
        columns = {
            "field_T": self.number("field", "a finite number"),
            "resistance_ohm": self.number("resistance", "a positive number", lambda x: x > 0.0),
        }
        if "sweep_rate" in self.known():
            columns["sweep_rate_T_per_s"] = self.number("sweep_rate", "a positive number", lambda x: x > 0.0)
        return self.frame(**columns, **self.temperature())

    def temperature(self) -> dict[str, FloatArray]:
        """Temperature of each row, if it is told."""
        if "temperature" not in self.known():
            return {}
        allowed = "233.15 K to 398.15 K"
        return {"temperature_K": self.number("temperature", allowed, lambda x: (x >= 233.15) & (x <= 398.15))}

    def wafer(self) -> tuple[pd.DataFrame, Bad]:
        """Parameters of one device a row."""
        names = {"diameter": "diameter_m", "resistance_area_product": "resistance_area_product_ohm_m2"}
        columns = {
            names.get(key, key): self.number(key, "a positive number", lambda x: x > 0.0)
            for key in ("diameter", "resistance_area_product", "tmr")
            if key in self.known()
        }
        return self.frame(**columns)


def _conversion(path: Path, header: str, own: str, unit: str) -> tuple[float, float]:
    """Offset and factor from the unit of a column to SI."""
    factor = 1.0
    if unit.startswith("T") and _OERSTED.search(own):
        # 1 Oe of H is 1e-4 T of mu0 H.
        own, factor = _OERSTED.sub(r"\1T", own), 1e-4
    if unit.startswith("T") and own in ("A/m", "kA/m"):
        own, factor = own.replace("A/m", "T"), constants.mu_0
    # um2 as a column name has it: um^2 for pint.
    own = re.sub(r"(?<=[A-Za-z])([23])(?=$|[*/])", r"^\1", own)
    thing = f"{path}, unit of column {header}"
    zero, one = (parse_quantity(f"{value} {own}", unit, thing=thing) for value in ("0", "1"))
    return zero, factor * (one - zero)
