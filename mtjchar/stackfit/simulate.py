"""Counts as a tester would find them: to plan measurements, and to see what a fit makes of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.stackfit.film import Film
from mtjchar.stackfit.model import Pulses, SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.study import DIRECTIONS


def simulate_counts(
    film: Film,
    pulses: pd.DataFrame,
    rng: np.random.Generator,
    *,
    trials: int = 10_000,
    values: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Draw how many writes of each pulse switch.

    Parameters
    ----------
    film : Film
    pulses : DataFrame
        Columns ``direction``, ``amplitude_V`` or ``current_A``, ``duration_s``, if wanted ``temperature_K``.
    rng : numpy.random.Generator
    trials : int, optional
        Writes of each pulse.
    values : mapping, optional
        Parameters that differ from those of the film, SI.

    Returns
    -------
    DataFrame
        The pulses with ``trials`` and ``switched``; `mtjchar.stackfit.read_table` reads it from a file.

    Notes
    -----
    Error rates are those of the Fokker-Planck solver, not of the table that a fit uses.
    """
    model = SwitchingModel(film)
    rate = model.solved_error_rate(
        {**nominal_values(film), **(values or {})}, Pulses.of(pulses, film.temperature)
    )
    return pulses.assign(trials=trials, switched=rng.binomial(trials, np.clip(1.0 - rate, 0.0, 1.0)))


def pulses_at(
    film: Film,
    durations: npt.ArrayLike,
    shares: npt.ArrayLike,
    *,
    directions: Sequence[str] = DIRECTIONS,
    current: bool = False,
    values: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Find the pulses at which stated shares of the writes succeed: where counts tell something.

    Parameters
    ----------
    film : Film
    durations : array_like
        s.
    shares : array_like
        Above 0 and below 1.
    directions : sequence of str, optional
    current : bool, optional
        Amplitudes in A instead of V.
    values : mapping, optional
        Parameters that differ from those of the film, SI.
    """
    column = "current_A" if current else "amplitude_V"
    rows = pd.DataFrame(
        itertools.product(directions, np.atleast_1d(durations), np.atleast_1d(shares)),
        columns=["direction", "duration_s", column],
    )
    model, share = SwitchingModel(film), rows[column].to_numpy(dtype=np.float64)
    own = {**nominal_values(film), **(values or {})}
    rows[column] = model.threshold(own, Pulses.of(rows, film.temperature), share)
    return rows[["direction", column, "duration_s"]]
