"""Choice of the number of devices for a required interval: `[sweep] precision`.

Devices are simulated in rounds that double their number, always the first ones of the same sequence, until
the 95 % interval of the population's error rate is narrow enough wherever that rate is of interest. The
choice depends on the samples alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtjchar.statistics import replicate_interval, weighted_mean
from mtjchar.study import Study
from mtjchar.sweep.store import RunDirectory

__all__ = ["is_precise_enough", "rounds", "widest_interval"]

_FIRST_ROUND = 128
_OF_INTEREST = (1e-9, 0.9)


def rounds(study: Study) -> list[int]:
    """Numbers of devices after which the interval is checked, ascending; the last is the study's."""
    most = study.sweep.devices
    if study.sweep.precision is None:
        return [most]
    doubled = [_FIRST_ROUND << k for k in range(most.bit_length()) if _FIRST_ROUND << k < most]
    return [*doubled, most]


def is_precise_enough(study: Study, record: Mapping[str, object]) -> bool:
    """Whether the measured interval (``interval_decades``) is as narrow as the study requires."""
    width = record.get("interval_decades")
    return isinstance(width, float) and study.sweep.precision is not None and width <= study.sweep.precision


def widest_interval(study: Study, devices: pd.DataFrame, parts: Sequence[Path]) -> float:
    """Largest width of the 95 % interval, log10 of upper over lower bound, where 1e-9 <= BER <= 0.9.

    Parameters
    ----------
    study : Study
    devices : DataFrame
        With ``weight`` and ``replicate``.
    parts : sequence of Path
        Samples of these devices.
    """
    sweep = study.sweep
    shape = (len(sweep.directions), len(devices), sweep.amplitude.points, sweep.duration.points)
    rate = np.full(shape, np.nan)
    for part in parts:
        samples = RunDirectory.read_part(part, ["device", "direction", "write_error_rate"])
        first, last = samples["device"].iloc[[0, -1]]
        direction = sweep.directions.index(samples["direction"].iloc[0])
        cube = samples["write_error_rate"].to_numpy().reshape(last - first + 1, *shape[2:])
        rate[direction, first : last + 1] = cube
    weight, replicate = devices["weight"].to_numpy(), devices["replicate"].to_numpy()
    if replicate.max() == 0:  # nothing varies
        return 0.0
    widest = 0.0
    for rates in rate:
        mean = weighted_mean(rates, weight)
        lower, upper = replicate_interval(rates, weight, replicate)
        shown = (mean >= _OF_INTEREST[0]) & (mean <= _OF_INTEREST[1])
        if shown.any():
            widest = max(widest, float(np.log10(upper[shown] / lower[shown]).max()))
    return widest
