"""Tables by kind: what is read from their columns, and what of it is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.arrays import BoolArray, FloatArray, WordArray
from mtjchar.cells.stt.stack import DIAMETER_RANGE
from mtjchar.errors import InputError
from mtjchar.physics.anisotropy import REST_RANGE
from mtjchar.stackfit.data.names import UNITS
from mtjchar.stackfit.data.outcomes import COUNTS, Share, share_of
from mtjchar.stackfit.data.reader import Bad, Reader
from mtjchar.stackfit.data.states import outcomes_of, state_of, threshold_of
from mtjchar.stackfit.data.values import is_missing
from mtjchar.stackfit.data.words import DIRECTIONS, OPPOSITE, STATES
from mtjchar.units import compact

__all__ = ["Kinds"]

_MOST_TMR = 20.0  # ten times the largest ones of devices; a larger number is one in percent
_POSITIVE: tuple[str, Callable[[FloatArray], BoolArray]] = ("a positive number", lambda x: x > 0.0)
_OF_WAFER = {
    "diameter": ("diameter", *_POSITIVE),
    "resistance_area_product": ("resistance_area_product", *_POSITIVE),
    "tmr": (
        "tmr",
        f"a positive number, at most {_MOST_TMR:g} (name it tmr_percent if it is in percent)",
        lambda x: (x > 0.0) & (x <= _MOST_TMR),
    ),
}
_MOST_TRIALS = 1e15  # integers, also for the sum of a thousand rows
_DIFFERENT = 50.0  # ratio of a threshold and the readings about it that no TMR gives
_ROUNDING = 0.005  # of a share beside another outcome: percent without decimals


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False


class Kinds(Reader):
    """Reads a table as one of a kind, a method each."""

    def pulses(self, *, may_rest: bool = False) -> dict[str, Any]:
        """Columns of both switching and thresholds."""
        if {"amplitude", "current"} <= self.known():
            raise InputError(
                f"{self.path}: columns", value="amplitude and current", allowed="one of the two",
                remedy="amplitude is the voltage across the junction.",
            )  # fmt: skip
        drive = "amplitude" if "amplitude" in self.known() else "current"
        # Without a drive bits are lost to heat alone: retention.
        at_rest = drive == "amplitude" and may_rest and bool({"direction", "initial_state"} & self.known())
        signed = self.number(drive, "a positive number", lambda x: (x != 0.0) | at_rest)
        direction = self._direction(signed)
        columns: dict[str, Any] = {f"{drive}_{UNITS[drive]}": self._without_sign(drive, signed, direction)}
        columns["duration_s"] = self.number("duration", "a positive number", lambda x: x > 0.0)
        if direction is not None:
            columns["direction"] = direction
        return {**columns, **self.temperature(), **self.diameter()}

    def _direction(self, signed: FloatArray) -> WordArray | None:
        """Direction of each row, by its column, the state before the write, a title, or its sign."""
        if self.matrices > 1:
            titled = self._titled()
            if titled is not None:
                return titled
            raise InputError(
                str(self.path), value=f"{self.matrices} matrices", allowed="one, or each with its direction",
                remedy="Write the direction, such as P->AP, into the corner of each or the line above it.",
            )  # fmt: skip
        if "direction" in self.known():
            return self.label(
                "direction", DIRECTIONS, "p_to_ap or ap_to_p (also P->AP)" + self._own_words("ap_to_p")
            )
        if "initial_state" in self.known():
            states = self.label("initial_state", STATES, "P or AP" + self._own_words("p"))
            return np.array(
                [f"{state}_to_{OPPOSITE[state]}" if state else "" for state in states], dtype=object
            )
        if not self.rules.positive and (titled := self._titled()) is not None:
            return titled
        if self.rules.positive:
            against = next(word for word in DIRECTIONS.values() if word != self.rules.positive)
            self.notes.append(f"the sign of the pulse is its direction: positive is {self.rules.positive}")
            return np.where(signed > 0.0, self.rules.positive, against).astype(object)
        if (signed < 0.0).any():
            raise InputError(
                f"{self.path}: direction", value="missing, and pulses of either sign",
                allowed="a column direction",
                problem=f"{self.path}: pulses have signs, but nothing says which direction is positive.",
                remedy='Add a line to a file for --rules: positive = "ap_to_p" if positive pulses write P.',
            )  # fmt: skip
        return None

    def _titled(self) -> WordArray | None:
        """Direction of all rows by what stands above the table, or its sheet's name, if that says one."""
        for title in self.titles:
            if way := self.meaning(title, DIRECTIONS):
                self.notes.append(f"the direction is that of the title: {title}")
                return np.full(len(self.text), way, dtype=object)
        return None

    def _own_words(self, meaning: str) -> str:
        return f'; other words in a file for --rules: words = {{ "W0" = "{meaning}" }}'

    def _without_sign(self, drive: str, signed: FloatArray, direction: WordArray | None) -> FloatArray:
        """Amplitudes without their sign, if each direction has one sign, and not both the negative one."""
        if direction is None:
            return signed
        signs = {way: set(np.sign(signed[direction == way])) - {0.0} for way in set(direction) - {""}}
        one_each = all(len(sign) <= 1 for sign in signs.values())
        if one_each and sum(-1.0 in sign for sign in signs.values()) <= 1:
            return np.abs(signed)
        self._refuse_number(drive, signed < 0.0, "a positive number; its sign goes into direction")
        return np.where(signed < 0.0, np.nan, signed)

    def _check_direction(self, columns: dict[str, Any]) -> None:
        if "direction" not in columns:
            raise InputError(
                f"{self.path}: columns", value=self.columns,
                allowed="a column direction, with p_to_ap or ap_to_p (also P->AP)",
                remedy='One for all rows goes into a file for --rules: [values] direction = "p_to_ap".',
            )  # fmt: skip

    def switching(self) -> tuple[pd.DataFrame, Bad]:
        """Read counts of writes that succeeded."""
        columns = self.pulses(may_rest=True)
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
        self._check_rest(columns)
        return self.frame(**columns, trials=trials, switched=switched)

    def _check_rest(self, columns: dict[str, Any]) -> None:
        """Refuse failures of bits at rest: those that left their state, or those that did not."""
        failed = [key for key, share in self.shares() if share.failed]
        failed += ["failures"] if "failures" in self.known() else []
        at_rest = np.asarray(columns.get("amplitude_V", np.ones(len(self.text))) == 0.0)
        if failed and at_rest.any() and not {"switched"} & self.known():
            raise InputError(
                f"{self.path}: columns", value=f"{failed[0]} of bits at rest (amplitude 0)",
                allowed="switched or probability: the bits that left their state",
                remedy=f"At rest it is not clear what failed. Name it in a file for --rules: [columns] "
                f'{"probability" if share_of(failed[0]) else "switched"} = "{self._header(failed[0])}".',
            )  # fmt: skip

    def _header(self, key: str) -> str:
        return self.place[key][0] if key in self.place else key

    def shots(self) -> tuple[pd.DataFrame, Bad]:
        """Read a log of pulses with the resistance or state before and after each."""
        columns = self.pulses(may_rest=True)
        self._check_direction(columns)
        before, after = self._states()
        rows, bad = self.frame(**columns, trials=1.0)
        device = rows["device"].to_numpy(dtype=object) if "device" in rows else None
        outcomes = outcomes_of(np.asarray(columns["direction"]), before, after, device)
        self.notes += outcomes.notes
        rows["switched"] = outcomes.switched.astype(np.float64)
        return rows[outcomes.trial], bad

    def _states(self) -> tuple[WordArray, WordArray]:
        """States before and after each pulse; without those before they are those after the pulse above."""
        if "state_after" in self.known():
            allowed = "P or AP, or an empty cell" + self._own_words("p")
            after = self.label("state_after", STATES, allowed, optional=True)
            if "state_before" in self.known():
                return self.label("state_before", STATES, allowed, optional=True), after
        else:
            readings = {
                key: self._resistance_of_log(key)
                for key in ("resistance_before", "resistance_after")
                if key in self.known()
            }
            threshold = self._threshold(np.concatenate(list(readings.values())))
            states = [state_of(values, threshold) for values in readings.values()]
            if len(states) == 2:
                return states[0], states[1]
            after = states[0]
        self.notes.append("the state before a pulse is that after the pulse in the row above")
        return np.concatenate([[""], after[:-1]]).astype(object), after

    def _resistance_of_log(self, key: str) -> FloatArray:
        """Resistances of a log, NaN where there was no reading."""
        values = self.number(key, "a positive number, or an empty cell", lambda x: x > 0.0, optional=True)
        return np.where(values > 0.0, values, np.nan)

    def _threshold(self, resistances: FloatArray) -> float:
        good = resistances[np.isfinite(resistances) & (resistances > 0.0)]
        if "threshold" in self.known():
            threshold = float(self.number("threshold", "a positive number", lambda x: x > 0.0)[0])
            middle = float(np.median(good)) if len(good) else threshold
            if not 1.0 / _DIFFERENT < threshold / middle < _DIFFERENT:
                raise InputError(
                    f"{self.path}: resistances", value=f"{middle:.6g} ohm in the middle",
                    allowed=f"about the threshold, {threshold:.6g} ohm",
                    remedy="Give the unit of the resistances in their names, such as R_1_kohm.",
                )  # fmt: skip
        else:
            threshold = threshold_of(good, f"{self.path}: resistances")
        self.notes.append(f"AP above {threshold:.6g} ohm, P below")
        return threshold

    def repeats(self) -> tuple[pd.DataFrame, Bad]:
        """Read what was found after equal writes, R_1, R_2, ..., each of which began in the start state."""
        columns = self.pulses(may_rest=True)
        self._check_direction(columns)
        start = np.array([str(word).split("_to_")[0] for word in columns["direction"]], dtype=object)
        known, moved = self._after_repeats(start)
        self.notes.append(f"{len(known)} writes a row, {int((~known).sum())} without a reading")
        switched = (known & moved).sum(axis=0).astype(np.float64)
        rows, bad = self.frame(**columns, trials=known.sum(axis=0).astype(np.float64), switched=switched)
        return rows[rows["trials"] > 0.0], bad

    def _after_repeats(self, start: WordArray) -> tuple[BoolArray, BoolArray]:
        """Whether each write of a row was read, and whether it switched the bit; one row a column."""
        key, headers, units = self.repeated()
        if key == "resistance_after":
            pairs = zip(headers, units, strict=True)
            readings = np.array([self.readings(header, unit) for header, unit in pairs])
            after = state_of(readings, self._threshold(readings.ravel()))
            return np.asarray(after != ""), np.asarray(after != start)
        missing = np.array([is_missing(self.text[header]) for header in headers])
        if key == "state_after":
            allowed = "P or AP, or an empty cell" + self._own_words("p")
            found = np.array([self.words_of(header, STATES, allowed) for header in headers], dtype=object)
            return ~missing, np.asarray(found != start)
        flags = np.array([self.flags_of(header) for header in headers])
        return ~missing, flags

    def dwells(self) -> tuple[pd.DataFrame, Bad]:
        """Read times between the reversals of a telegraph signal as trials of a tenth of their mean.

        A device forgets how long it has stayed: in each step it leaves its state with the same probability.
        This is the likelihood of times that are exponentially distributed, cut into steps.
        """
        allowed = "P or AP" + self._own_words("p")
        states = self.label("state", STATES, allowed)
        times = self.number("dwell_time", "a positive number", lambda x: x > 0.0)
        columns: dict[str, Any] = {"amplitude_V": np.zeros(len(times))}
        columns["direction"] = np.array(
            [f"{one}_to_{OPPOSITE[one]}" if one else "" for one in states], dtype=object
        )
        rows, bad = self.frame(**columns, **self.temperature(), **self.diameter(), dwell_time_s=times)
        keys = [name for name in ("direction", "temperature_K", "diameter_m", "device") if name in rows]
        good = rows[~rows["line"].isin([line for line, *_ in bad])]
        grouped = good.groupby(keys, dropna=False)["dwell_time_s"]
        good = good.assign(duration_s=0.1 * grouped.transform("mean"))
        good["trials"] = np.ceil(good["dwell_time_s"] / good["duration_s"])
        by = {name: "first" for name in good.columns if name not in (*keys, "trials", "dwell_time_s")}
        counted = good.assign(switched=1.0).groupby(keys, dropna=False, sort=False).agg(
            {**by, "trials": "sum", "switched": "sum"}
        )  # fmt: skip
        self.notes.append(f"{len(good)} dwell times, as trials of a tenth of their mean")
        return counted.reset_index(), bad

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
        if "state" not in self.known():
            return self._both_states()
        columns = {
            "voltage_V": self.number("voltage", "a finite number"),
            "resistance_ohm": self._resistances(),
            "state": self.label("state", STATES, "P or AP" + self._own_words("p")),
        }
        if "resistance_error" in self.known():
            columns["resistance_error_ohm"] = self.number(
                "resistance_error", "a positive number", lambda x: x > 0.0
            )
        rows, bad = self.frame(**columns)
        return rows[~self._at_zero()], bad

    def _both_states(self) -> tuple[pd.DataFrame, Bad]:
        """Read a table with the resistances of both states side by side."""
        voltage = self.number("voltage", "a finite number")
        parts = []
        for state, key in (("p", "parallel_resistance"), ("ap", "antiparallel_resistance")):
            if key in self.known():
                resistance = self.number(
                    key, "a positive number, or an empty cell", lambda x: x > 0.0, optional=True
                )
                rows, _ = self.frame(voltage_V=voltage, resistance_ohm=resistance, state=state)
                parts.append(rows[np.isfinite(resistance)])
        self.notes.append("the resistances of both states stand side by side")
        return pd.concat(parts, ignore_index=True), self.bad

    def _at_zero(self) -> BoolArray:
        """Rows of an I-V curve at zero voltage, which have no resistance."""
        zero = np.zeros(len(self.text), dtype=bool)
        if "resistance" not in self.known():
            zero = np.asarray(self.number("voltage", "a finite number") == 0.0)
            if zero.any():
                self.notes.append(f"{int(zero.sum())} rows at zero voltage have no resistance")
        return zero

    def _resistances(self) -> FloatArray:
        """Resistances of an R-V or I-V curve."""
        if "resistance" in self.known():
            return self.number("resistance", "a positive number", lambda x: x > 0.0)
        voltage = self.number("voltage", "a finite number")
        current = self.number(
            "current",
            "a number of the sign of the voltage, not 0",
            lambda x: (x * voltage > 0.0) | (voltage == 0.0),
        )
        self.notes.append("resistances are voltages over currents")
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(voltage / current)

    def loops(self) -> tuple[pd.DataFrame, Bad]:
        """Resistance over field, in the order of the sweep."""
        columns = {
            "field_T": self.number("field", "a finite number"),
            "resistance_ohm": self._of_loop(),
        }
        if "averages" in self.known():
            columns["averages"] = self.number(
                "averages", "a whole number, at least 2", lambda x: (x >= 2.0) & (x == np.floor(x))
            )
            self.notes.append("each row is the mean of as many loops as averages says")
        if "sweep_rate" in self.known():
            columns["sweep_rate_T_per_s"] = self.number("sweep_rate", "a positive number", lambda x: x > 0.0)
        elif "period" in self.known():
            period = self.number("period", "a positive number", lambda x: x > 0.0)
            field = columns["field_T"]
            # A triangle goes through its whole span twice in a period.
            columns["sweep_rate_T_per_s"] = 2.0 * (np.nanmax(field) - np.nanmin(field)) / period
            self.notes.append("the sweep rate is that of a triangle of the stated period")
        else:
            self.notes.append('no sweep rate, which a fit needs: [values] sweep_rate = "10 mT/s" in --rules')
        return self.frame(**columns, **self.temperature())

    def _of_loop(self) -> FloatArray:
        """Resistances of a loop; 1 and 2 ohm, or between them, for states and their means."""
        if "resistance" in self.known():
            return self.number("resistance", "a positive number", lambda x: x > 0.0)
        self.notes.append("the states P and AP stand as 1 and 2 ohm")
        if "averages" not in self.known():
            states = self.label("state", STATES, "P or AP" + self._own_words("p"))
            return np.where(states == "ap", 2.0, np.where(states == "p", 1.0, np.nan))
        ends = {meaning: word for word, meaning in self.rules.words.items() if _is_number(word)}
        if not {"p", "ap"} <= set(ends):
            raise InputError(
                f"{self.path}: state", value="means of states", allowed="the numbers of both states",
                remedy='Give them in a file for --rules: words = { "0" = "p", "1" = "ap" }.',
            )  # fmt: skip
        low, high = float(ends["p"]), float(ends["ap"])
        margin = 0.5 * abs(high - low)  # for noise
        share = self.number(
            "state", f"{low:g} to {high:g}",
            lambda x: (x >= min(low, high) - margin) & (x <= max(low, high) + margin),
        )  # fmt: skip
        return 1.0 + (share - low) / (high - low)

    def temperature(self) -> dict[str, FloatArray]:
        """Temperature of each row, if it is given; NaN in rows without one."""
        if "temperature" not in self.known():
            return {}
        coldest, hottest = REST_RANGE
        kelvin = self.number(
            "temperature",
            f"{coldest:g} K to {hottest:g} K, or an empty cell",
            lambda x: (x >= coldest) & (x <= hottest),
            optional=True,
        )
        return {"temperature_K": kelvin}

    def diameter(self) -> dict[str, FloatArray]:
        """Diameter of the junction of each row, if it is given; NaN in rows without one."""
        if "diameter" not in self.known():
            return {}
        low, high = DIAMETER_RANGE
        width = self.number(
            "diameter",
            f"above {compact(low, 'm')} and below {compact(high, 'm')}, or an empty cell",
            lambda x: (x > low) & (x < high),
            optional=True,
        )
        return {"diameter_m": width}

    def wafer(self) -> tuple[pd.DataFrame, Bad]:
        """Parameters of devices, one device per row."""
        names = {"diameter": "diameter_m", "resistance_area_product": "resistance_area_product_ohm_m2"}
        columns = {
            names.get(key, key): self.number(*_OF_WAFER[key])
            for key in ("diameter", "resistance_area_product", "tmr")
            if key in self.known()
        }
        if "parallel_resistance" in self.known():
            columns |= self._of_resistances(columns)
        return self.frame(**columns)

    def _of_resistances(self, columns: dict[str, FloatArray]) -> dict[str, FloatArray]:
        """TMR, and with a diameter the RA product, of devices whose two resistances are given."""
        parallel = self.number("parallel_resistance", "a positive number", lambda x: x > 0.0)
        found = {}
        if "antiparallel_resistance" in self.known() and "tmr" not in columns:
            antiparallel = self.number(
                "antiparallel_resistance", "more than the resistance in P", lambda x: x > parallel
            )
            found["tmr"] = antiparallel / parallel - 1.0
        if "diameter_m" in columns and "resistance_area_product_ohm_m2" not in columns:
            found["resistance_area_product_ohm_m2"] = parallel * np.pi / 4.0 * columns["diameter_m"] ** 2
        self.notes.append(f"from the resistances: {', '.join(found) or 'nothing'}")
        return found
