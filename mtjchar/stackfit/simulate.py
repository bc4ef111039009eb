"""Simulated tester data, counts and loops: to plan measurements, and to test fits."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.physics import long_pulses
from mtjchar.stackfit.data.field_steps import FieldSteps
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.loops import log_staying
from mtjchar.stackfit.model import SwitchingModel, log_exponent_at
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses

__all__ = ["pulses_at", "simulate_counts", "simulate_loops"]


def simulate_counts(
    film: Film,
    pulses: pd.DataFrame,
    rng: np.random.Generator,
    *,
    trials: int = 10_000,
    values: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Draw the number of writes of each pulse that switch.

    Parameters
    ----------
    film : Film
    pulses : DataFrame
        Columns ``direction``, ``amplitude_V`` or ``current_A``, ``duration_s``, optionally ``temperature_K``.
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


def simulate_loops(
    film: Film,
    field: npt.ArrayLike,
    loops: int,
    rng: np.random.Generator,
    *,
    sweep_rate: float = 1.0,
    temperature: float | None = None,
    values: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Draw R-H loops: the field step at which each of them switches.

    Parameters
    ----------
    film : Film
    field : array_like
        Rising, T, positive towards P; each loop passes through it upwards and back.
    loops : int
    rng : numpy.random.Generator
    sweep_rate : float, optional
        T/s.
    temperature : float, optional
        K; default: that of the film.
    values : mapping, optional
        Parameters that differ from those of the film, SI.

    Returns
    -------
    DataFrame
        Columns ``field_T``, ``resistance_ohm`` (at zero bias), ``sweep_rate_T_per_s``, ``temperature_K``, in
        the order of the sweep; `mtjchar.stackfit.read_table` reads it from a file.

    Notes
    -----
    Rates are those of `mtjchar.physics.long_pulses.decay_rate`, not of the table that a fit uses.
    """
    grid, own = np.asarray(field, dtype=np.float64), {**nominal_values(film), **(values or {})}
    kelvin = film.temperature if temperature is None else temperature
    model, same = SwitchingModel(film), np.ones(len(grid) - 1)
    parallel = float(film.parallel_resistance(kelvin, own["resistance_area_product"]))
    high = parallel * (1.0 + float(film.tmr(kelvin, own["tmr"])))
    switched, swept = [], []
    for towards_p, places in ((1.0, grid), (-1.0, grid[::-1])):
        driving = towards_p * places
        steps = FieldSteps(driving[:-1], driving[1:], towards_p * same, sweep_rate * same, kelvin * same)
        device = model.device(own, steps)
        stays = log_staying(
            steps, device.stability, model.anisotropy_field(own, steps, device.stability),
            device.relaxation_time, own["offset_field"],
            lambda h, delta: np.log(long_pulses.decay_rate(h, delta)),
        )  # fmt: skip
        # A loop switches when its exponential variate is reached.
        left = rng.exponential(size=(loops, 1)) > -np.cumsum(stays)
        outlasts = np.hstack([np.ones((loops, 1), dtype=bool), left])
        switched.append(outlasts == (towards_p > 0.0))
        swept.append(places)
    antiparallel = np.concatenate(switched, axis=1).ravel()
    return pd.DataFrame(
        {
            "field_T": np.tile(np.concatenate(swept), loops),
            "resistance_ohm": np.where(antiparallel, high, parallel),
            "sweep_rate_T_per_s": sweep_rate,
            "temperature_K": kelvin,
        }
    )


def pulses_at(
    film: Film,
    durations: npt.ArrayLike,
    shares: npt.ArrayLike,
    *,
    directions: Sequence[str] = DIRECTIONS,
    current: bool = False,
    values: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Find the pulses at which given shares of the writes succeed, and counts are informative.

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
    rows[column] = model.solved_threshold(own, Pulses.of(rows, film.temperature), log_exponent_at(share))
    return rows[["direction", column, "duration_s"]]
