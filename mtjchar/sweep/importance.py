"""Importance sampling over the variability: more of the weak devices, each with its weight.

In the tail the error rate of a population is that of its weakest devices, of which a plain sample has few. A
pilot (the nominal device and its neighbours one standard deviation away in each parameter) shows in which
direction devices get weaker. The sample is drawn from normal distributions that are shifted in this direction
by various distances, and the weight of each device is the ratio of the true density to that of the sample.

For an ln WER that is linear in the standardized parameters x, with gradient g, the best shift is g itself in
the tail, 0 if most devices fail, and a value in between otherwise. One sample therefore serves all pulses if
it is a mixture over distances c from 0 to slightly more than abs(g), and over the directions of g that occur
on the grid (A. B. Owen, Monte Carlo theory, methods and examples, chapter 9: mixtures, 9.11; self-normalized
weights, 9.2; effective sample size, 9.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import log_ndtr, logsumexp
from scipy.stats import truncnorm

from mtjchar.arrays import FloatArray
from mtjchar.cells.variability import CUT
from mtjchar.study import Study
from mtjchar.sweep.population import REPLICATES, Population, sobol_points

__all__ = [
    "FARTHEST",
    "LEAST_DEVICES",
    "Shift",
    "draw",
    "find_shift",
    "log_weight",
    "pilot_devices",
    "replicate_points",
    "sample_replicates",
    "sample_shifted",
    "worth_a_pilot",
]

LEAST_DEVICES = 64
"""Smallest number of devices of a study for which a pilot, or a sample in replicates, is made."""

_NEEDED = 1e-6  # a nominal device with no error rate below this has no tail
_AIM = 1e-15  # error rate of the nominal device at the pulses whose gradients are used
_LEAST_GRADIENT = 1.0
_BEYOND = 1.2  # reach over the gradient, which grows towards lower error rates
FARTHEST = 8.0
"""Largest shift, standard deviations: intervals are verified up to gradients of this size."""
_MOST_AMPLITUDES = 5
_UNDERFLOW = 1e-300


class Shift(NamedTuple):
    """Shifts of the distributions towards weak devices.

    Attributes
    ----------
    directions : ndarray, shape (components, parameters)
        Unit vectors in standardized parameters, in the order of `Population.parameters`.
    reach : ndarray, shape (components,)
        Largest shift along each, in standard deviations.
    """

    directions: FloatArray
    reach: FloatArray


def worth_a_pilot(study: Study) -> bool:
    """Whether a study has a tail for which importance sampling may be needed.

    It must have variability, at least 64 devices, and error rates that are computed, not counted.
    """
    return not study.counted and study.sweep.devices >= LEAST_DEVICES and bool(Population(study).varied)


def pilot_devices(study: Study) -> pd.DataFrame:
    """Nominal device, then those one standard deviation above and below it in each varied parameter."""
    population = Population(study)
    varied = population.varied
    normal = np.zeros((2 * len(varied) + 1, len(population.parameters)))
    for row, parameter in enumerate(varied):
        normal[1 + 2 * row : 3 + 2 * row, parameter] = 1.0, -1.0
    return population.at(normal)


def find_shift(study: Study, samples: pd.DataFrame) -> Shift | None:
    """Determine from the samples of the pilot in which directions devices are weak.

    Parameters
    ----------
    study : Study
    samples : DataFrame
        Of the devices of `pilot_devices`, as `mtjchar.sweep.tasks.characterize` returns them, all directions.

    Returns
    -------
    Shift or None
        None if a plain sample is sufficient: the nominal device's error rate is never below 1e-6, or no error
        rate changes by more than a factor e per standard deviation.

    Notes
    -----
    Gradients of ln WER are taken at up to five amplitudes, including the lowest and the highest. For each
    direction they are taken at the duration that brings the nominal device nearest to 1e-15. They are
    rounded, so that the devices of a study do not depend on a machine's last digits.
    """
    sweep, population = study.sweep, Population(study)
    varied = population.varied
    chosen = np.unique(np.linspace(0, sweep.amplitude.points - 1, _MOST_AMPLITUDES).round().astype(int))
    directions, reach, lowest = [], [], 1.0
    for direction in sweep.directions:
        rows = samples[samples["direction"] == direction].sort_values(["device", "amplitude_V", "duration_s"])
        rate = rows["write_error_rate"].to_numpy()
        rate = rate.reshape(2 * len(varied) + 1, sweep.amplitude.points, sweep.duration.points)[:, chosen]
        # A failed pilot device leaves NaN: its amplitude gives no information.
        rate = rate[:, np.isfinite(rate).all(axis=(0, 2))]
        for log_rate in np.moveaxis(np.log(np.maximum(rate, _UNDERFLOW)), 1, 0):
            lowest = min(lowest, float(np.exp(log_rate[0].min())))
            at = log_rate[:, np.argmin(np.abs(log_rate[0] - np.log(_AIM)))]
            gradient = np.zeros(len(population.parameters))
            gradient[varied] = 0.5 * (at[1::2] - at[2::2])
            size = float(np.linalg.norm(gradient))
            if size > _LEAST_GRADIENT:
                rounded = np.round(gradient / size, 2)
                directions.append(rounded / np.linalg.norm(rounded))
                reach.append(min(round(_BEYOND * size, 1), FARTHEST))
    if not directions or lowest > _NEEDED:
        return None
    return Shift(np.array(directions), np.array(reach))


def sample_shifted(study: Study, shift: Shift) -> pd.DataFrame:
    """Draw the devices of a study, weak ones more often.

    Returns
    -------
    DataFrame
        As `Population.draw`; ``weight``, mean about 1, and ``replicate``, from 0 to 15.
    """
    population = Population(study)
    normal, weight = draw(shift, population.varied, study.sweep.devices, study.sweep.seed)
    replicate = np.arange(len(normal)) % REPLICATES
    return population.at(normal, replicate).assign(weight=weight, replicate=replicate)


def sample_replicates(study: Study) -> pd.DataFrame:
    """Draw devices from the distribution itself, in replicates whose scatter gives the interval.

    Returns
    -------
    DataFrame
        As `Population.draw`; ``weight``, here 1, and ``replicate``, from 0 to 15. If
        there are fewer than 64 devices, or nothing varies, it is that of `Population.draw`.
    """
    population, devices = Population(study), study.sweep.devices
    varied = population.varied
    if not varied or devices < LEAST_DEVICES:
        return population.draw()
    normal = np.zeros((devices, len(population.parameters)))
    normal[:, varied] = truncnorm(-CUT, CUT).ppf(replicate_points(len(varied), devices, study.sweep.seed))
    replicate = np.arange(devices) % REPLICATES
    return population.at(normal, replicate).assign(weight=1.0, replicate=replicate)


def replicate_points(dimensions: int, devices: int, seed: int) -> FloatArray:
    """Points of independently scrambled Sobol sequences, in turn, shape (devices, dimensions)."""
    points = -(-devices // REPLICATES)
    sequences = [
        sobol_points(dimensions, points, np.random.default_rng([seed, replicate]))
        for replicate in range(REPLICATES)
    ]
    return np.stack(sequences, axis=1).reshape(points * REPLICATES, -1)[:devices]


def draw(shift: Shift, varied: list[int], devices: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Draw standardized parameters from the shifted distributions.

    Parameters
    ----------
    shift : Shift
    varied : list of int
        Positions of the parameters that vary; the others are 0.
    devices, seed : int

    Returns
    -------
    normal : ndarray, shape (devices, parameters)
    weight : ndarray, shape (devices,)

    Notes
    -----
    x = z + c u, with z standard normal, u one of the directions, with equal probability, and c uniform up to
    its reach. They are scrambled Sobol points in two more dimensions than there are varied parameters.
    Devices are assigned to the replicates in turn. Values beyond 5 sigma in a parameter are set to it, with
    weight 0.
    """
    dealt = replicate_points(len(varied) + 2, devices, seed)
    component = (dealt[:, 0] * len(shift.reach)).astype(int).clip(max=len(shift.reach) - 1)
    normal = np.zeros((devices, shift.directions.shape[1]))
    normal[:, varied] = truncnorm(-CUT, CUT).ppf(dealt[:, 2:])
    normal += (dealt[:, 1] * shift.reach[component])[:, None] * shift.directions[component]
    inside = np.all(np.abs(normal) <= CUT, axis=1)
    weight = np.where(inside, np.exp(log_weight(shift, normal)), 0.0)
    return np.clip(normal, -CUT, CUT), weight


def log_weight(shift: Shift, normal: FloatArray) -> FloatArray:
    """Logarithm of the true density over that of the shifted sample.

    Parameters
    ----------
    shift : Shift
    normal : ndarray, shape (devices, parameters)
        Standardized parameters, without the cut.

    Returns
    -------
    ndarray, shape (devices,)

    Notes
    -----
    A component with direction u and reach C has the density of the standard normal distribution times

        (1/C) int_0^C exp(c t - c^2/2) dc = sqrt(2 pi) exp(t^2/2) [Phi(C - t) - Phi(-t)]/C,  t = u.x
    """
    t, reach = normal @ shift.directions.T, shift.reach
    # A difference of two probabilities near 1 would cancel: use the tail in which both are small.
    upper_tail = t < 0.5 * reach
    low, high = np.where(upper_tail, t - reach, -t), np.where(upper_tail, t, reach - t)
    between = log_ndtr(high) + np.log(-np.expm1(log_ndtr(low) - log_ndtr(high)))
    ratio = 0.5 * (np.log(2.0 * np.pi) + t**2) + between - np.log(reach)
    return np.asarray(np.log(len(reach)) - logsumexp(ratio, axis=1))
