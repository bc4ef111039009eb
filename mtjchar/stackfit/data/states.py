"""States of a junction from its resistance, and what the pulses of a log did."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtjchar.arrays import BoolArray, FloatArray, WordArray
from mtjchar.errors import InputError

__all__ = ["Outcomes", "outcomes_of", "state_of", "threshold_of"]

_LEAST_RATIO = 1.05  # of the resistances of the states: a TMR of 5 %
_LEAST_GAP = 4.0  # standard deviations within a state between the means of the states
_LEAST_STUCK = 10  # pulses in one state


def threshold_of(resistance: FloatArray, thing: str) -> float:
    """Find the resistance that separates both states, ohm.

    The logarithms of the resistances are cut in two where the variance within both parts is least (N. Otsu,
    IEEE Trans. SMC 9, 62 (1979), doi:10.1109/TSMC.1979.4310076).

    Parameters
    ----------
    resistance : ndarray
        Ohm, positive, in both states.
    thing : str
        Names the resistances in messages.

    Raises
    ------
    InputError
        If there are no two states in them.
    """
    values = np.sort(np.log(resistance))
    number = np.arange(1, len(values))
    sums, squares = np.cumsum(values), np.cumsum(values**2)
    below = squares[:-1] - sums[:-1] ** 2 / number
    above = squares[-1] - squares[:-1] - (sums[-1] - sums[:-1]) ** 2 / (len(values) - number)
    if len(number):
        cut = int(np.argmin(below + above)) + 1
        low, high = values[:cut], values[cut:]
        within = np.sqrt(max(float((below + above).min()), 0.0) / len(values))
        apart = high.mean() - low.mean()
        if apart > np.log(_LEAST_RATIO) and apart > _LEAST_GAP * within:
            return float(np.exp((low.mean() + high.mean()) / 2.0))
    raise InputError(
        thing, value=f"{np.exp(values[0]):.6g} to {np.exp(values[-1]):.6g} ohm",
        allowed="resistances of two states that are apart",
        problem=f"{thing}: the resistances do not form two groups, one for each state.",
        remedy='Give the resistance between them in a file for --rules: [values] threshold = "2 kohm".',
    )  # fmt: skip


def state_of(resistance: FloatArray, threshold: float) -> WordArray:
    """Return ``ap`` where the resistance is above the threshold, ``p`` below, empty where it is not known."""
    known = np.isfinite(resistance)
    with np.errstate(invalid="ignore"):
        return np.where(known, np.where(resistance > threshold, "ap", "p"), "").astype(object)


class Outcomes(NamedTuple):
    """What the pulses of a log did.

    Attributes
    ----------
    trial : ndarray of bool
        Whether the bit was in the state that the write starts from, before the pulse.
    switched : ndarray of bool
        Of the trials: whether it was in the other one after the pulse.
    notes : list of str
        Pulses that are no trials, reversals, and devices that never changed their state, as counts.
    """

    trial: BoolArray
    switched: BoolArray
    notes: list[str]


def outcomes_of(
    direction: WordArray, before: WordArray, after: WordArray, device: WordArray | None = None
) -> Outcomes:
    """Sort the pulses of a log into trials and the others.

    Parameters
    ----------
    direction, before, after : ndarray of str
        ``p_to_ap`` or ``ap_to_p``, and the states before and after each pulse; empty where one is not known.
    device : ndarray of str, optional
    """
    start = np.array([str(word).split("_to_")[0] for word in direction], dtype=object)
    known = (before != "") & (after != "")
    trial = np.asarray(known & (before == start))
    reset = np.asarray(known & (before != start))
    notes = [f"{int(trial.sum())} of {len(trial)} pulses are trials"]
    if reset.any():
        notes.append(
            f"{int(reset.sum())} pulses found the bit in the state they write (a reset failed): no trials"
        )
        if back := int((reset & (after == start)).sum()):
            notes.append(f"{back} of these reversed it")
    if unknown := int((~known).sum()):
        notes.append(f"{unknown} pulses without a state before or after: no trials")
    names = np.full(len(trial), "", dtype=object) if device is None else device
    stuck = [
        str(name) or "the device"
        for name in dict.fromkeys(names)
        if (own := (names == name) & known).sum() >= _LEAST_STUCK and len({*before[own], *after[own]}) == 1
    ]
    if stuck:
        notes.append(f"never changed their state (stuck): {', '.join(stuck[:10])} ({len(stuck)} devices)")
    return Outcomes(trial, trial & np.asarray(after != start), notes)
