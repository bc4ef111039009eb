"""Do the intervals of error rates hold what they promise? Known populations, sampled again and again.

    .venv/bin/python scripts/tail_coverage.py                 all populations, 300 samples each
    .venv/bin/python scripts/tail_coverage.py --samples 50

A device fails with the probability r = 1/(1 + exp(-a - g t)), where t is the mean of its standardized
parameters times the root of their number: |g| is the slope of ln r that importance sampling has to follow,
and a is chosen so that the population has the wanted error rate. The exact mean comes from a convolution of
the densities, cut at 5 sigma. Printed for each population: the median effective number of devices, how often
the 95 % interval holds the exact rate, how often the answer is not called extrapolated, and how often it is
neither called extrapolated nor right. docs/surfaces.md keeps a run.
"""

from __future__ import annotations

import argparse
import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy.optimize import brentq
from scipy.stats import norm, truncnorm

from mtjchar.cells.stt.device import COLUMNS
from mtjchar.cells.variability import CUT
from mtjchar.statistics import bootstrap, effective_number, replicate_interval
from mtjchar.surfaces.tails import ENOUGH_DEVICES, enough_of_plain_sample
from mtjchar.sweep.importance import FARTHEST, LEAST_DEVICES, Shift, draw, replicate_points
from mtjchar.sweep.population import REPLICATES, sobol_points

FloatArray = npt.NDArray[np.float64]

GRADIENTS = (1.0, 2.0, 3.0, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0)
RATES = (1e-9, 1e-12)
_STEP = 0.01  # of the convolution, standard deviations


class Coverage(NamedTuple):
    """What became of the samples of one population.

    Attributes
    ----------
    effective : float
        Median effective number of devices.
    held : float
        Share of the intervals that hold the exact error rate.
    shown : float
        Share of the answers that are not called extrapolated.
    wrong : float
        Share of the answers that are not called extrapolated and whose interval misses.
    """

    effective: float
    held: float
    shown: float
    wrong: float


def log_rate(level: float, gradient: float, score: FloatArray) -> FloatArray:
    """Logarithm of a device's error rate."""
    return np.asarray(-np.logaddexp(0.0, -level - gradient * score))


def level_for(ber: float, gradient: float, parameters: int) -> float:
    """Find the level at which the population has an error rate."""
    half = round(CUT / _STEP)
    single = norm.pdf(np.arange(-half, half + 1) * _STEP)
    single[[0, -1]] *= 0.5
    density = single / single.sum()
    for _ in range(parameters - 1):
        density = np.convolve(density, single / single.sum())
    half = len(density) // 2
    score = np.arange(-half, half + 1) * _STEP / np.sqrt(parameters)

    def excess(level: float) -> float:
        return float(np.log(density @ np.exp(log_rate(level, gradient, score))) - np.log(ber))

    return float(brentq(excess, -200.0, 0.0))


def sample(
    gradient: float, parameters: int, devices: int, seed: int, shifted: bool
) -> tuple[FloatArray, FloatArray]:
    """Scores and weights of devices as a sweep draws them, from a pilot that has found the gradient."""
    along = np.full((1, parameters), 1.0 / np.sqrt(parameters))
    if shifted:
        shift = Shift(along, np.array([min(round(1.2 * gradient, 1), FARTHEST)]))
        normal, weight = draw(shift, list(range(parameters)), devices, seed)
        return normal @ along[0], weight
    if devices < LEAST_DEVICES:
        points = sobol_points(len(COLUMNS), devices, np.random.default_rng(seed))[:, :parameters]
    else:
        points = replicate_points(parameters, devices, seed)
    return truncnorm(-CUT, CUT).ppf(points) @ along[0], np.ones(devices)


def interval(
    rate: FloatArray, weight: FloatArray, seed: int, shifted: bool
) -> tuple[FloatArray, FloatArray, float]:
    """Give the interval as a surface has it, and the effective devices that it needs."""
    devices = len(rate)
    if not shifted and devices < LEAST_DEVICES:
        return *bootstrap(rate, np.random.default_rng(seed)), ENOUGH_DEVICES
    lower, upper = replicate_interval(rate, weight, np.arange(devices) % REPLICATES)
    if shifted:
        return lower, upper, ENOUGH_DEVICES
    low, high = bootstrap(rate, np.random.default_rng(seed))
    return np.minimum(lower, low), np.maximum(upper, high), enough_of_plain_sample(devices)


def coverage(
    gradient: float, parameters: int, devices: int, samples: int, *, shifted: bool = True
) -> dict[float, Coverage]:
    """Sample a population of each of `RATES` again and again."""
    levels = [level_for(ber, gradient, parameters) for ber in RATES]
    enough = ENOUGH_DEVICES
    effective, held = np.empty((samples, len(RATES))), np.empty((samples, len(RATES)), dtype=bool)
    for seed in range(samples):
        score, weight = sample(gradient, parameters, devices, seed, shifted)
        rate = np.exp(np.stack([log_rate(level, gradient, score) for level in levels], axis=1))
        lower, upper, enough = interval(rate, weight, seed, shifted)
        held[seed] = (lower <= RATES) & (upper >= RATES)
        effective[seed] = effective_number(rate, weight)
    shown = effective >= enough
    return {
        ber: Coverage(
            float(np.median(effective[:, k])),
            float(held[:, k].mean()),
            float(shown[:, k].mean()),
            float((shown & ~held)[:, k].mean()),
        )
        for k, ber in enumerate(RATES)
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=300)
    samples = parser.parse_args().samples
    columns = ("sampling", "devices", "parameters", "|g|", "BER", "effective", "held", "shown", "wrong")
    table = Table(*columns, title=f"{samples} samples of each population")
    ways = ((True, 256), (True, 64), (False, 256), (False, 64), (False, 32))
    for (shifted, devices), parameters, gradient in itertools.product(ways, (1, 2, 5), GRADIENTS):
        found = coverage(gradient, parameters, devices, samples, shifted=shifted)
        for ber, one in found.items():
            table.add_row(
                "importance" if shifted else "plain",
                f"{devices}", f"{parameters}", f"{gradient:g}", f"{ber:g}",
                f"{one.effective:.1f}", f"{one.held:.1%}", f"{one.shown:.1%}", f"{one.wrong:.1%}",
            )  # fmt: skip
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
