"""Checks of tester data before they are fitted.

Data that make a fit meaningless are an error; suspicious data cause a message. `mtjchar.stackfit.checks.fit`
checks the results of the fit.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.errors import InputError
from mtjchar.stackfit.checks.counts import check_rising_thresholds, divisor_messages
from mtjchar.stackfit.checks.loops import check_plausible_fields
from mtjchar.stackfit.problem import Data, Problem, largest_current, pulse_columns
from mtjchar.stackfit.pulses import Pulses
from mtjchar.units import compact

__all__ = ["check_data"]

_OVERDRIVES = (0.03, 30.0)  # largest overdrive of the data, by the film: a factor of a thousand is noticed
_CURRENTS = (2e-6, 5e-3)  # A, largest one, without a film
_DURATIONS = (5e-11, 1e4)  # s
_AT_REST = 4e8  # s, beyond ten years: retention
_CONTRADICTION = 1e-6
_SPREAD = 3.0  # standard deviation of a count
_REPEATED = 0.25  # share of rows
_DECADES = np.log(1e2)  # between error rates of one curve, above which it shows its curvature


def check_data(problem: Problem) -> list[str]:
    """Refuse data that no fit can use; return messages about suspicious data."""
    _check_informative(problem)
    _check_row_count(problem)
    _check_plausible(problem)
    if len(problem.data.loops):
        check_plausible_fields(problem)
    _check_rising(problem.data.switching)
    check_rising_thresholds(problem.data.thresholds)
    return [
        *divisor_messages(problem.data.switching),
        *_repeat_messages(problem.data),
        *_contradiction_messages(problem.data.switching),
        *_device_messages(problem.data),
    ]


def _check_informative(problem: Problem) -> None:
    """Require pulses between never and always switching, in each direction with separate parameters."""
    rows, thresholds = problem.data[:2]
    if not len(rows):
        return
    between = _between(rows)
    for direction, of_direction in rows.groupby("direction"):
        own = any(parameter.direction == direction for parameter in problem.parameters)
        inside = int(between[of_direction.index].sum()) + int(_of_direction(thresholds, direction).sum())
        if inside == 0 and (own or not (between.any() or len(thresholds))):
            share = of_direction["switched"].sum() / of_direction["trials"].sum()
            never = "no write switched" if share == 0.0 else "all writes switched" if share == 1.0 else ""
            raise InputError(
                f"switching rows of {direction}",
                value=never or "every pulse switched always or never",
                allowed="pulses with which some writes switched and some did not",
                remedy="Measure amplitudes or durations in between.",
            )


def _of_direction(thresholds: pd.DataFrame, direction: object) -> pd.Series[bool]:
    """Thresholds of a direction, or without one, which apply to both."""
    own = thresholds.get("direction", pd.Series(np.nan, index=thresholds.index))
    return own.isna() | (own == direction)


def _between(rows: pd.DataFrame) -> pd.Series[bool]:
    """Rows of a pulse that switched sometimes: within a row, or in some of the rows."""
    total = rows.groupby(pulse_columns(rows, "device"), dropna=False)[["trials", "switched"]].transform("sum")
    return (total["switched"] > 0) & (total["switched"] < total["trials"])


def _check_row_count(problem: Problem) -> None:
    """Refuse more parameters than informative rows, or than their pulses can determine."""
    switching, thresholds, resistance, loops = problem.data
    telling = len(thresholds) + len(resistance)
    if len(loops):
        telling += int((loops["switched"] > 0).sum())
    if len(switching):
        between = switching[_between(switching)]
        telling += between.groupby(pulse_columns(between, "device"), dropna=False).ngroups
    if telling < len(problem.free):
        raise InputError(
            "informative rows (thresholds, resistances, fields at which loops switch, counts between "
            "never and always)",
            value=telling, allowed=f"at least as many as the {len(problem.free)} parameters that vary",
            remedy="Vary fewer parameters, or measure more pulses.",
        )  # fmt: skip
    _check_determined(problem)


def _check_determined(problem: Problem) -> None:
    """Refuse more device parameters than the switching curves of the pulses can determine."""
    curves = _curves(problem)
    if not len(curves):
        return
    loops = int("loops" in problem.data.kinds)  # they determine the stability
    places = ["duration_s", "kelvin"]
    # At several durations, load lines of data in volts differ between the directions and count too.
    volts = "amplitude_V" in curves and len(curves[places].drop_duplicates()) > 1
    varied = [parameter for parameter in problem.parameters if parameter.by_direction]
    groups = [
        ([parameter.name for parameter in varied], curves, True),
        (sorted({parameter.root for parameter in varied}), curves, volts),
    ]
    for direction in DIRECTIONS:
        own = [parameter.name for parameter in varied if parameter.direction == direction]
        groups.append((own, curves[curves["direction"].isin([direction, ""])], False))
    for names, rows, by_direction in groups:
        shown = loops + _numbers_shown(rows, [*places, "direction"] if by_direction else places)
        if len(names) > shown:
            raise InputError(
                "durations of the data", value=curves["duration_s"].unique().tolist(),
                allowed=f"enough to separate {', '.join(names)}; with these, vary at most {shown}",
                remedy="Measure at a duration ten times as long or as short, or vary fewer parameters. Each "
                "duration and temperature shows one number; two if several amplitudes or error rates were "
                "measured there; three if the error rates are a factor of a hundred apart.",
            )  # fmt: skip


def _curves(problem: Problem) -> pd.DataFrame:
    """Points of switching curves: thresholds, and counts between never and always."""
    switching, thresholds = problem.data[:2]
    points = []
    if len(switching):
        between = switching[_between(switching)]
        drives = [name for name in ("amplitude_V", "current_A") if name in between]
        failing = 1.0 - between["switched"] / between["trials"]
        rate = np.log(failing.clip(lower=0.5 / between["trials"]))
        points.append(between.assign(point=between[drives].sum(axis=1), ln_error_rate=rate))
    if len(thresholds):
        points.append(thresholds.assign(point=thresholds["ln_error_rate"]))
    if not points:
        return pd.DataFrame()
    rows = pd.concat(points, ignore_index=True)
    empty = pd.Series(np.nan, index=rows.index)
    return rows.assign(
        direction=rows.get("direction", empty).astype(object).fillna(""),
        kelvin=rows.get("temperature_K", empty).fillna(problem.temperature),
    )


def _numbers_shown(curves: pd.DataFrame, keys: list[str]) -> int:
    """Count the numbers of each curve: position, with a second point width, over decades curvature."""
    if not len(curves):
        return 0
    grouped = curves.groupby(keys)
    rates = grouped["ln_error_rate"]
    bent = rates.max() - rates.min() > _DECADES
    return int(np.minimum(grouped["point"].nunique(), np.where(bent, 3, 2)).sum())


def _check_plausible(problem: Problem) -> None:
    """Check that currents and durations are possible for the film, or for any junction."""
    for rows in (problem.data.switching, problem.data.thresholds):
        if not len(rows):
            continue
        pulses = Pulses.of(rows, problem.temperature)
        for driven, limit in ((~pulses.at_rest, _DURATIONS[1]), (pulses.at_rest, _AT_REST)):
            of_kind = rows["duration_s"][driven]
            for value in (of_kind.min(), of_kind.max()) if len(of_kind) else ():
                if not _DURATIONS[0] <= value <= limit:
                    raise InputError(
                        "duration", value=compact(value, "s"),
                        allowed=f"{compact(_DURATIONS[0], 's')} to {compact(limit, 's')}",
                        remedy="Is the unit of the column right?",
                    )  # fmt: skip
        if pulses.at_rest.all():
            continue
        values = problem.fixed_or_nominal()
        current = largest_current(problem.model, values, pulses)
        if problem.model.film is None:
            if not _CURRENTS[0] <= current <= _CURRENTS[1]:
                raise InputError(
                    "largest current of the data", value=compact(current, "A", 3),
                    allowed=f"{compact(_CURRENTS[0], 'A')} to {compact(_CURRENTS[1], 'A')}",
                    remedy="Is the unit of the column right?",
                )  # fmt: skip
            continue
        overdrive = current / float(problem.model.film.nominal().critical_current)
        if not _OVERDRIVES[0] <= overdrive <= _OVERDRIVES[1]:
            unit = "V" if pulses.voltage.any() else "A"
            raise InputError(
                "largest amplitude of the data",
                value=f"{pulses.amplitude.max():.3g} {unit}, {overdrive:.3g} times the film's Ic0",
                allowed=f"{_OVERDRIVES[0]:g} to {_OVERDRIVES[1]:g} times",
                remedy="Is the unit of the column right, and the diameter?",
            )  # fmt: skip


def _check_rising(rows: pd.DataFrame) -> None:
    """Check that more writes switch at larger amplitudes, at one duration and direction."""
    if not len(rows):
        return
    drive = rows.get("amplitude_V", rows.get("current_A"))
    if "amplitude_V" in rows and "current_A" in rows:
        drive = rows["amplitude_V"].fillna(rows["current_A"])
    share = rows["switched"] / rows["trials"]
    signs = []
    curves = [name for name in ("direction", "duration_s", "temperature_K", "device") if name in rows]
    for _, group in rows.assign(drive=drive, share=share).groupby(curves, dropna=False):
        ordered = group.sort_values("drive")
        step = np.diff(ordered["share"].to_numpy())
        noise = 4.0 * np.sqrt(0.25 / ordered["trials"].to_numpy())
        big = np.abs(step) > noise[1:] + noise[:-1]
        signs += list(np.sign(step[big]))
    falling, rising = signs.count(-1.0), signs.count(1.0)
    if falling > rising and stats.binom.sf(falling - 1, falling + rising, 0.5) < 0.5 and falling >= 2:
        raise InputError(
            "switched",
            value=f"falls with the amplitude in {falling} of {falling + rising} steps",
            allowed="a share that rises with the amplitude",
            remedy="Are these failures? Then call the column failures.",
        )


def _repeat_messages(data: Data) -> list[str]:
    """Warn of a file that is given twice, and of counts that were copied."""
    again = sum(int(rows.duplicated().sum()) for rows in (data.thresholds, data.resistance))
    rows = data.switching
    if len(rows):
        # If the distribution of a count is wide, equal counts are rarely chance: less than one of ten.
        share = rows["switched"] / rows["trials"]
        telling = rows[rows["trials"] * share * (1.0 - share) > _SPREAD**2]
        copied = int(telling.duplicated([*pulse_columns(rows, "device"), "trials", "switched"]).sum())
        again += copied if copied > _REPEATED * len(telling) else 0
    if not again:
        return []
    return [
        f"{again} rows are exact repeats of others, and count as data of their own: is a file given twice, "
        "or are rows copied? Standard errors are then too small"
    ]


def _contradiction_messages(rows: pd.DataFrame) -> list[str]:
    """Rows of one pulse that cannot come from one device."""
    if not len(rows):
        return []
    worst, count = 1.0, 0
    place = ""
    keys = pulse_columns(rows)
    for pulse, group in rows.groupby(keys, dropna=False):
        if len(group) < 2:
            continue
        pooled = group["switched"].sum() / group["trials"].sum()
        if not 0.0 < pooled < 1.0:
            continue
        excess = (group["switched"] - group["trials"] * pooled) ** 2 / (
            group["trials"] * pooled * (1.0 - pooled)
        )
        probability = float(stats.chi2.sf(excess.sum(), len(group) - 1))
        count += probability < _CONTRADICTION
        if probability < worst:
            worst, place = (
                probability,
                ", ".join(
                    f"{value:g} {key.rpartition('_')[2]}" if isinstance(value, float) else str(value)
                    for key, value in zip(keys, pulse, strict=True)
                    if not (isinstance(value, float) and np.isnan(value))
                ),
            )
    if not count:
        return []
    return [
        f"rows of one and the same pulse contradict each other at {count} pulses (the worst: {place}; "
        f"by chance {worst:.1g}): two devices or stacks in one table, or a device that drifted"
    ]


def _device_messages(data: Data) -> list[str]:
    devices = {
        device
        for rows in data
        for device in (rows["device"].dropna() if len(rows) and "device" in rows else [])
    }
    if len(devices) < 2:
        return []
    return [
        f"{len(devices)} devices are fitted as one: the result is that of no single device, and their spread "
        "counts as over-dispersion; fit them one by one for the spread"
    ]
