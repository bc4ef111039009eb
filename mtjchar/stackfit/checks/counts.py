"""Checks of counts and thresholds: trials that were not made, swapped shares."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray, IntArray
from mtjchar.errors import InputError
from mtjchar.stackfit.problem import threshold_errors

__all__ = ["check_rising_thresholds", "divisor_messages"]

_FALSE_ALARM = 1e-6  # of a file
_CLEAR = 4.0  # standard errors


def divisor_messages(rows: pd.DataFrame) -> list[str]:
    """Warn of files whose counts are all multiples of one number: fewer trials than stated, or rounding.

    If its distribution is wide compared with g, a count is a multiple of g by chance with the probability
    1/g. A message appears if this probability for all rows together, times the number of common divisors of
    the trials, is below 1e-6.
    """
    if not len(rows):
        return []
    messages = []
    for file, group in rows.groupby("file"):
        switched, trials = (group[name].to_numpy(dtype=np.int64) for name in ("switched", "trials"))
        common = int(np.gcd.reduce(trials))
        partial = (switched > 0) & (switched < trials)
        divisor = math.gcd(common, int(np.gcd.reduce(switched[partial]))) if partial.any() else 1
        if divisor == 1:
            continue
        chance = np.prod(_multiple_by_chance(switched[partial], trials[partial], divisor))
        if chance * _divisors(common) < _FALSE_ALARM:
            messages.append(
                f"{Path(str(file)).name}: all counts of switched writes and of trials are multiples of "
                f"{divisor} (p-value {chance:.1g}). Either only one of {divisor} stated trials was made, or "
                "the counts come from rounded probabilities. With fewer trials than stated, standard errors "
                f"are too small by a factor of {math.sqrt(divisor):.3g}"
            )
    return messages


def _multiple_by_chance(switched: IntArray, trials: IntArray, divisor: int) -> FloatArray:
    """Return upper bounds of the probability that a count is a multiple of the divisor."""
    deviation = np.sqrt(switched * (1.0 - switched / trials))
    # For a distribution with one maximum, the multiples of g have at most 1/g plus that maximum. A
    # distribution wider than g has 1/g, because its characteristic function at the multiples of 2 pi/g is
    # nearly zero.
    highest = np.where(deviation < divisor, 1.0 / (np.sqrt(2.0 * np.pi) * deviation), 0.01 / divisor)
    return np.asarray(np.minimum(1.0 / divisor + highest, 1.0))


def _divisors(number: int) -> int:
    """Return the number of divisors above 1 of a number."""
    low = [divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0]
    return 2 * len(low) - (low[-1] ** 2 == number) - 1


def check_rising_thresholds(rows: pd.DataFrame) -> None:
    """Refuse thresholds that fall with the share of writes that switch."""
    if not len(rows):
        return
    empty = pd.Series(np.nan, index=rows.index)
    amplitude = rows.get("amplitude_V", empty).fillna(rows.get("current_A", empty))
    rows = rows.assign(amplitude=amplitude, error=threshold_errors(rows))
    keys = [name for name in ("direction", "duration_s", "temperature_K", "device") if name in rows]
    signs: list[float] = []
    for _, group in rows.groupby(keys, dropna=False):
        ordered = group.sort_values("ln_error_rate", ascending=False)
        step, rate = np.diff(ordered["amplitude"]), np.diff(ordered["ln_error_rate"])
        noise = np.hypot(ordered["error"].to_numpy()[1:], ordered["error"].to_numpy()[:-1])
        signs += list(np.sign(step[(np.abs(step) > _CLEAR * noise) & (rate < 0.0)]))
    falling = signs.count(-1.0)
    if falling > len(signs) / 2:
        raise InputError(
            "thresholds", value=f"lower at the higher probability in {falling} of {len(signs)} steps",
            allowed="amplitudes that rise with the probability to switch",
            remedy="Are probabilities and error rates swapped? The share that switches is called "
            "probability, the share that fails error_rate.",
        )  # fmt: skip
