"""Grids with more points where error rates change: `spacing = "refined"`.

A pilot, the nominal device on a grid four times finer, shows where they change. Each axis is then divided so
that every interval has the same mean share of the axis and of the change of log10 BER from 0.9 to 1e-9:
the equidistribution of a monitor function (C. de Boor, Lecture Notes in Mathematics 363, 12 (1974),
doi:10.1007/BFb0069121). The grid stays rectangular.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.study import AmplitudeRange, DurationRange, Study
from mtjchar.sweep.population import Population

__all__ = ["divide", "pilot", "place", "to_place", "with_ranges", "without_grids"]

_FINER = 4
_MOST_POINTS = 1000  # of a range
_OF_INTEREST = (1e-9, 0.9)
_EVEN = 0.5  # share of each axis itself; with 0.1 or 1 the surface of the demo is worse by two to three times
_DIGITS = 6


def without_grids(study: Study) -> Study:
    """Return the study with the points of its refined ranges not placed."""
    return with_ranges(
        study,
        *(axis.model_copy(update={"grid": None}) for axis in (study.sweep.amplitude, study.sweep.duration)),
    )


def to_place(study: Study) -> bool:
    """Whether a range has points that are not placed yet."""
    return any(
        axis.spacing == "refined" and axis.grid is None
        for axis in (study.sweep.amplitude, study.sweep.duration)
    )


def pilot(study: Study) -> tuple[Study, pd.DataFrame]:
    """Return the pilot's study, with finer grids that are not refined, and its one device."""
    amplitude, duration = (
        swept.model_copy(
            update={
                "grid": None,
                "spacing": axis,
                "points": min(_FINER * (swept.points - 1) + 1, _MOST_POINTS),
            }
        )
        for swept, axis in ((study.sweep.amplitude, "linear"), (study.sweep.duration, "log"))
    )
    return with_ranges(study, amplitude, duration), _nominal(study)


def _nominal(study: Study) -> pd.DataFrame:
    population = Population(study)
    return population.at(np.zeros((1, len(population.parameters))))


def place(study: Study, samples: pd.DataFrame) -> Study:
    """Place the points of the refined ranges of a study.

    Parameters
    ----------
    study : Study
    samples : DataFrame
        Of the pilot, all directions, as `mtjchar.sweep.tasks.characterize` returns them. Failed samples count
        as no change.

    Returns
    -------
    Study
        With grids of six significant digits.
    """
    rows = samples.sort_values(["direction", "amplitude_V", "duration_s"])
    amplitude, duration = (np.unique(rows[name]) for name in ("amplitude_V", "duration_s"))
    rate = rows["write_error_rate"].to_numpy().reshape(-1, len(amplitude), len(duration))
    log_rate = np.log10(np.clip(rate, *_OF_INTEREST))
    ranges: list[AmplitudeRange | DurationRange] = [study.sweep.amplitude, study.sweep.duration]
    for k, (swept, axis) in enumerate(zip(ranges, (amplitude, np.log(duration)), strict=True)):
        if swept.spacing == "refined":
            change = np.nan_to_num(np.abs(np.diff(log_rate, axis=1 + k))).sum(axis=(0, 2 - k))
            at = divide(axis, change, swept.points)
            values = (at if k == 0 else np.exp(at))[1:-1]
            inner = (float(f"{value:.{_DIGITS - 1}e}") for value in values)
            ranges[k] = swept.model_copy(update={"grid": (swept.start, *inner, swept.stop)})
    return with_ranges(study, *ranges)


def divide(axis: FloatArray, change: FloatArray, points: int) -> FloatArray:
    """Divide an axis into intervals with equal shares of its length and of the change along it.

    Parameters
    ----------
    axis : ndarray, shape (fine,)
        Ascending.
    change : ndarray, shape (fine - 1,)
        Change from each point to the next, at least 0; without any the length alone counts.
    points : int

    Returns
    -------
    ndarray, shape (points,)
        From the first to the last point of the axis.
    """
    length = np.diff(axis) / (axis[-1] - axis[0])
    share = length if change.sum() == 0.0 else _EVEN * length + (1.0 - _EVEN) * change / change.sum()
    done = np.concatenate([[0.0], np.cumsum(share)])
    return np.interp(np.linspace(0.0, done[-1], points), done, axis)


def with_ranges(study: Study, amplitude: object, duration: object) -> Study:
    """Return the study with other ranges of amplitudes and durations."""
    sweep = study.sweep.model_copy(update={"amplitude": amplitude, "duration": duration})
    return study.model_copy(update={"sweep": sweep})
