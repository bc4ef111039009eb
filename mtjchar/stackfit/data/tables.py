"""Tester tables: columns with units, rows that are checked one by one.

A column is a name and a unit, `amplitude_mV`; a small TOML file maps other names. The columns determine the
kind of a table (`KINDS`). docs/fitting.md describes the formats.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import constants

from mtjchar.arrays import BoolArray, FloatArray, WordArray
from mtjchar.errors import InputError, printable
from mtjchar.physics.anisotropy import TEMPERATURE_RANGE
from mtjchar.stackfit.data.columns import LABELS, PLAIN, UNITS, Mapping, read_mapping
from mtjchar.stackfit.data.limits import LONGEST_NAME
from mtjchar.stackfit.data.outcomes import (
    COUNTS,
    Share,
    plain_name,
    refuse_trials,
    refuse_unused,
    share_of,
)
from mtjchar.stackfit.data.own import refuse_own_table
from mtjchar.stackfit.data.text import Cells, cells_of, read_cells
from mtjchar.units import parse_quantity

__all__ = ["KINDS", "Bad", "Table", "read_table", "read_tables", "table_of"]

KINDS = {
    "switching": "duration, amplitude or current, trials, and switched, failures, probability or error_rate",
    "thresholds": "duration, amplitude or current, no trials; probability or error_rate unless one half",
    "resistance": "voltage, resistance, state",
    "loops": "field, resistance",
    "wafer": "diameter, resistance_area_product or tmr of each device",
}
"""Kinds of tables, and the columns that identify them."""

_DIRECTIONS = {
    **dict.fromkeys(("ptoap", "pap", "p2ap"), "p_to_ap"),
    **dict.fromkeys(("aptop", "app", "ap2p"), "ap_to_p"),
}
_STATES = {"p": "p", "ap": "ap", "parallel": "p", "antiparallel": "ap"}
_TRUTHS = {"true": 1, "false": 0}
_ALIASES = {"errors": "failures"}
_OERSTED = re.compile(r"(k|m)?Oe(?=$|/)")
_AMPERE_PER_METRE = re.compile(r"(?<![A-Za-z])(k)?A/m$")
_LARGEST = 1e30  # numbers whose squares and products are still finite
_MOST_TRIALS = 1e15  # integers, also for the sum of a thousand rows
_ROUNDING = 0.005  # of a share beside another outcome: percent without decimals


@dataclass(frozen=True)
class Table:
    """One file, in SI units.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
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
    """

    kind: str
    rows: pd.DataFrame
    path: Path
    sha256: str
    skipped: int
    unused: tuple[str, ...] = ()


def read_table(path: str | Path, columns: str | Path | None = None, *, skip_bad: bool = False) -> Table:
    """Read a tester table.

    Parameters
    ----------
    path : str or Path
        CSV (comma, semicolon or tab; lines that begin with ``#`` are comments) or Parquet.
    columns : str or Path, optional
        A TOML file. ``[columns]`` maps names of columns: ``amplitude = { name = "Vp", unit = "mV"
        }``, ``trials = "N"``; ``[values]`` gives values that all rows share: ``direction = "p_to_ap"``.
    skip_bad : bool, optional
        Drop rows with a bad value instead of refusing the table.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        For unreadable or impossible values; the message gives file, line, column and value.
    """
    return read_tables([path], columns, skip_bad=skip_bad)[0]


def table_of(rows: pd.DataFrame, name: str = "table.csv") -> Table:
    """Make a table from rows in memory, with columns as for `read_table`.

    Parameters
    ----------
    rows : DataFrame
    name : str, optional
        Name in messages.
    """
    return _read(cells_of(Path(name), rows.to_csv(index=False).encode()), Mapping(), False)


def read_tables(
    paths: Sequence[str | Path], columns: str | Path | None = None, *, skip_bad: bool = False
) -> list[Table]:
    """Read several files with `read_table`; each mapped name must occur in one of them."""
    mapping = read_mapping(columns)
    files = [read_cells(Path(path)) for path in paths]
    mapping.check_found(files)
    return [_read(cells, mapping, skip_bad) for cells in files]


def _read(cells: Cells, mapping: Mapping, skip_bad: bool) -> Table:
    path = cells.path
    refuse_own_table(path, cells.text.columns)
    reader = _Reader(cells, mapping)
    refuse_unused(path, reader.unknown())
    kind = _kind(cells, reader.known())
    rows, bad = getattr(reader, kind)()
    refuse_unused(path, reader.unused())
    if kind == "thresholds":
        refuse_trials(path, reader.unused())
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
    return Table(kind, good, path, sha256, len(dropped), reader.unused())


def _directions(rows: pd.DataFrame) -> set[str]:
    return set(rows["direction"]) - {""} if "direction" in rows else set()


def _kind(cells: Cells, known: set[str]) -> str:
    driven = bool({"amplitude", "current"} & known)
    if "duration" in known and driven:
        if set(COUNTS) & known or ("trials" in known and any(map(share_of, known))):
            return "switching"
        if "trials" in known:
            raise InputError(
                f"{cells.path}: columns", value=f"trials, but no outcome ({cells.columns})",
                allowed="a column switched, failures or probability beside trials, or error_rate, wer or ber",
                remedy='Name it so, or in a file for --columns: [columns] failures = "its name".',
            )  # fmt: skip
        return "thresholds"
    if "field" in known and "resistance" in known:
        return "loops"
    if "voltage" in known and "resistance" in known:
        return "resistance"
    if {"diameter", "resistance_area_product", "tmr"} & known:
        return "wafer"
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
        "and case and underscores count. Other names can be given with --columns.",
    )


Bad = list[tuple[int, str, Any, str]]


class _Reader:
    """Reads the columns of one file, and collects bad values with their position."""

    def __init__(self, cells: Cells, mapping: Mapping) -> None:
        self.path, self.text, self.columns, self.mapping = cells.path, cells.text, cells.columns, mapping
        self.shared = mapping.shared
        self.lines = np.array(cells.lines)
        self.bad: Bad = []
        self.place = self._places(mapping.names)
        self._used: set[str] = set()

    def _places(self, names: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        """Column and unit of every recognized quantity."""
        headers = list(self.text.columns)
        places = {key: (name, unit) for key, (name, unit) in names.items() if name in headers}
        named = {name for name, _ in places.values()}
        for header in headers:
            if header in named:
                continue
            # Case matters only in names with a unit: mV and MV differ.
            name = _ALIASES.get(plain_name(header), plain_name(header))
            if name in (*PLAIN, *LABELS) or share_of(name):
                if name in places:
                    raise InputError(
                        f"{self.path}, column {header}", value=header, allowed=f"one column of {name}"
                    )
                places[name] = (header, "")
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
                    if key in places:
                        raise InputError(
                            f"{self.path}, column {header}", value=header, allowed=f"one column of {key}"
                        )
                    places[key] = (header, unit.replace("_per_", "/").replace("_", "*"))
                    break
        return places

    def known(self) -> set[str]:
        """All recognized quantities, from columns or shared values."""
        return {*self.place, *self.shared}

    def unknown(self) -> tuple[str, ...]:
        """Columns with unknown names."""
        taken = {header for header, _ in self.place.values()}
        return tuple(name for name in self.text.columns if name and name not in taken)

    def unused(self) -> tuple[str, ...]:
        """Columns that have not been used so far."""
        return tuple(name for name in self.text.columns if name and name not in self._used)

    def number(
        self,
        key: str,
        allowed: str,
        valid: Callable[[FloatArray], BoolArray] | None = None,
        *,
        optional: bool = False,
        infinite: bool = False,
    ) -> FloatArray:
        """Read a column in SI units; bad values are invalid, not finite (unless `infinite`), or empty.

        With `optional`, empty cells are allowed.
        """
        values = self._shared_number(key) if key not in self.place else self._column(key)
        good = ~np.isnan(values) if infinite else np.isfinite(values)
        if valid is not None:
            with np.errstate(invalid="ignore"):
                good &= valid(values)
        if optional and key in self.place:
            good |= [pd.isna(value) or value == "" for value in self.text[self.place[key][0]]]
        self._refuse_number(key, ~good, allowed)
        if share_of(key) is None:  # shares may be as small as floating-point numbers
            size = np.abs(values)
            absurd = (size > _LARGEST) | ((size > 0.0) & (size < 1.0 / _LARGEST))
            self._refuse_number(key, good & absurd, f"{1.0 / _LARGEST:g} to {_LARGEST:g} in SI units")
        return values

    def _refuse_number(self, key: str, wrong: BoolArray, allowed: str) -> None:
        if key in self.place:
            self.refuse(self.place[key][0], wrong, allowed)
        elif wrong.any():
            raise InputError(f"{self.mapping.path}: values.{key}", value=self.shared[key], allowed=allowed)

    def _shared_number(self, key: str) -> FloatArray:
        value, unit = self.shared[key], UNITS.get(key, "")
        if not unit:
            return np.full(len(self.text), float(value))
        text, factor = _in_tesla(value, unit)
        read = parse_quantity(text, unit, thing=f"{self.mapping.path}: values.{key}")
        return np.full(len(self.text), factor * read)

    def _column(self, key: str) -> FloatArray:
        header, own = self.place[key]
        self._used.add(header)
        raw = self.text[header]
        if key in COUNTS:
            truths = [_TRUTHS.get(str(value).strip().lower(), value) for value in raw]
            raw = pd.Series(truths, dtype=object)  # in which a repeated text is stored once
        values = np.array(pd.to_numeric(raw, errors="coerce"), dtype=np.float64)
        if key in UNITS:
            offset, factor = _conversion(self.path, header, own, UNITS[key])
            values = offset + factor * values
        return values

    def agree(self, key: str, good: BoolArray, allowed: str) -> None:
        """Record values that contradict another column of their row."""
        if key in self.place:
            good |= np.isin(self.lines, [line for line, *_ in self.bad])
        self._refuse_number(key, ~good, allowed)

    def refuse(self, header: str, wrong: BoolArray, allowed: str) -> None:
        """Record bad values."""
        if not wrong.any():
            return
        values = self.text[header].to_numpy()
        for row in np.flatnonzero(wrong):
            self.bad.append((int(self.lines[row]), header, values[row], allowed))

    def label(self, key: str, words: dict[str, str], allowed: str) -> WordArray:
        """Read a column of words."""
        if key in self.place:
            header = self.place[key][0]
            self._used.add(header)
            raw = [str(value) for value in self.text[header]]
        else:
            header, raw = key, [self.shared[key]] * len(self.text)
        meant = {value: words.get(re.sub(r"[^a-z0-9]", "", value.lower())) for value in set(raw)}
        clean = [meant[value] for value in raw]
        if key not in self.place and None in clean:
            raise InputError(f"{self.mapping.path}: values.{key}", value=self.shared[key], allowed=allowed)
        self.refuse(header, np.array([word is None for word in clean]), allowed)
        return np.array([word or "" for word in clean], dtype=object)

    def frame(self, **columns: Any) -> tuple[pd.DataFrame, Bad]:
        """Assemble the rows, with their origin."""
        rows = pd.DataFrame({**columns, "file": printable(str(self.path)), "line": self.lines})
        if "device" in self.place:
            header = self.place["device"][0]
            self._used.add(header)
            names = self.text[header]
            long = np.array([len(str(name)) > LONGEST_NAME for name in names])
            self.refuse(header, long, f"at most {LONGEST_NAME} characters")
            rows["device"] = names.mask(long, "").astype(str).to_numpy()
        elif "device" in self.shared:
            rows["device"] = self.shared["device"]
        self.bad.sort(key=lambda cell: cell[0])
        return rows, self.bad

    def pulses(self) -> dict[str, Any]:
        """Columns of both switching and thresholds."""
        if {"amplitude", "current"} <= self.known():
            raise InputError(
                f"{self.path}: columns", value="amplitude and current", allowed="one of the two",
                remedy="amplitude is the voltage across the junction.",
            )  # fmt: skip
        drive = "amplitude" if "amplitude" in self.known() else "current"
        columns: dict[str, Any] = {
            f"{drive}_{UNITS[drive]}": self.number(
                drive, "a positive number; its sign goes into direction", lambda x: x > 0.0
            ),
            "duration_s": self.number("duration", "a positive number", lambda x: x > 0.0),
        }
        if "direction" in self.known():
            columns["direction"] = self.label("direction", _DIRECTIONS, "p_to_ap or ap_to_p (also P->AP)")
        return {**columns, **self.temperature()}

    def _check_direction(self, columns: dict[str, Any]) -> None:
        if "direction" not in columns:
            raise InputError(
                f"{self.path}: columns", value=self.columns,
                allowed="a column direction, with p_to_ap or ap_to_p (also P->AP)",
                remedy='One for all rows goes into a file for --columns: [values] direction = "p_to_ap".',
            )  # fmt: skip

    def switching(self) -> tuple[pd.DataFrame, Bad]:
        """Read counts of writes that succeeded."""
        columns = self.pulses()
        self._check_direction(columns)
        if "trials" not in self.known():
            raise InputError(
                f"{self.path}: columns", value=f"no trials ({self.columns})", allowed="a column trials"
            )
        trials = self.number(
            "trials",
            f"a whole number, at least 1, at most {_MOST_TRIALS:g}",
            lambda x: (x >= 1.0) & (x <= _MOST_TRIALS) & (x == np.floor(x)),
        )
        switched = self._counted(trials)
        return self.frame(**columns, trials=trials, switched=switched)

    def _counted(self, trials: FloatArray) -> FloatArray:
        """Return the writes that switched, from the best outcome; the other outcomes must agree with it."""
        switched = None
        for key in COUNTS:
            if key in self.known():
                counted = self.number(
                    key,
                    "a whole number from 0 to the trials of the row",
                    lambda x: (x >= 0.0) & (x <= trials) & (x == np.floor(x)),
                )
                if switched is not None:
                    self.agree(key, counted == trials - switched, "trials less switched of the row")
                else:
                    switched = counted if key == "switched" else trials - counted
        for key, share in self.shares():
            part = share.plain(self._read_share(key, share))
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                counted = np.rint(part * trials)
                if switched is None:
                    switched = trials - counted if share.failed else counted
                off = (1.0 - part if share.failed else part) - switched / trials
                same = np.abs(off) <= _ROUNDING + 0.5 / trials
            self.agree(key, same, "what the other columns of the row say, within half a percent")
        assert switched is not None  # ensured by the kind of the table
        return switched

    def shares(self) -> list[tuple[str, Share]]:
        """Shares of writes in the table, error rates first, because they are more accurate."""
        columns = [(key, share) for key in self.known() if (share := share_of(key))]
        return sorted(columns, key=lambda column: (not column[1].failed, not column[1].logarithm, column[0]))

    def _read_share(self, key: str, share: Share, *, inside: bool = False) -> FloatArray:
        """Read shares, optionally only those between none and all; bad ones are NaN."""
        if inside:
            values = self.number(key, share.allowed_inside, share.inside)
            return np.where(share.inside(values), values, np.nan)
        values = self.number(key, share.allowed, share.valid, infinite=True)
        return np.where(share.valid(values), values, np.nan)

    def thresholds(self) -> tuple[pd.DataFrame, Bad]:
        """Amplitudes at which a stated share of the writes succeeds."""
        columns = self.pulses()
        if "amplitude_V" in columns:
            # The state before the write determines the current at a voltage; under current drive it can
            # be left open (`mtjchar.stackfit.problem` defines the exceptions).
            self._check_direction(columns)
        ln_error_rate = np.full(len(self.text), np.log(0.5))
        for number, (key, share) in enumerate(self.shares()):
            if number == 0:
                ln_error_rate = share.log_error_rate(self._read_share(key, share, inside=True))
            else:
                part = share.plain(self._read_share(key, share))
                rest = np.exp(ln_error_rate) - (part if share.failed else 1.0 - part)
                self.agree(key, np.abs(rest) <= _ROUNDING, "what the other column of the row says")
        drive = "amplitude" if "amplitude_V" in columns else "current"
        error = f"{drive}_error"
        if error in self.known():
            columns[f"{error}_{UNITS[drive]}"] = self.number(error, "a positive number", lambda x: x > 0.0)
        return self.frame(**columns, probability=-np.expm1(ln_error_rate), ln_error_rate=ln_error_rate)

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
        """Resistance over field, in the order of the sweep."""
        columns = {
            "field_T": self.number("field", "a finite number"),
            "resistance_ohm": self.number("resistance", "a positive number", lambda x: x > 0.0),
        }
        if "sweep_rate" in self.known():
            columns["sweep_rate_T_per_s"] = self.number("sweep_rate", "a positive number", lambda x: x > 0.0)
        return self.frame(**columns, **self.temperature())

    def temperature(self) -> dict[str, FloatArray]:
        """Temperature of each row, if it is given; NaN in rows without one."""
        if "temperature" not in self.known():
            return {}
        coldest, hottest = TEMPERATURE_RANGE
        kelvin = self.number(
            "temperature",
            f"{coldest:g} K to {hottest:g} K, or an empty cell",
            lambda x: (x >= coldest) & (x <= hottest),
            optional=True,
        )
        return {"temperature_K": kelvin}

    def wafer(self) -> tuple[pd.DataFrame, Bad]:
        """Parameters of devices, one device per row."""
        names = {"diameter": "diameter_m", "resistance_area_product": "resistance_area_product_ohm_m2"}
        columns = {
            names.get(key, key): self.number(key, "a positive number", lambda x: x > 0.0)
            for key in ("diameter", "resistance_area_product", "tmr")
            if key in self.known()
        }
        return self.frame(**columns)


def _in_tesla(own: str, unit: str) -> tuple[str, float]:
    """Rewrite a unit of H, or a number with one, as one of mu0 H; return it and the conversion factor."""
    if unit.startswith("T"):
        if _OERSTED.search(own):
            return _OERSTED.sub(r"\1T", own), 1e-4  # 1 Oe of H is 1e-4 T of mu0 H
        if _AMPERE_PER_METRE.search(own):
            return _AMPERE_PER_METRE.sub(r"\1T", own), constants.mu_0
    return own, 1.0


def _conversion(path: Path, header: str, own: str, unit: str) -> tuple[float, float]:
    """Offset and factor from the unit of a column to SI."""
    own, factor = _in_tesla(own, unit)
    # um2 in a column name is um^2 for pint.
    own = re.sub(r"(?<=[A-Za-z])([23])(?=$|[*/])", r"^\1", own)
    own = own.replace("Ohm", "ohm")
    thing = f"{path}, unit of column {header}"
    offset, one_unit = (parse_quantity(f"{value} {own}", unit, thing=thing) for value in ("0", "1"))
    return offset, factor * (one_unit - offset)
