"""Importance sampling of groups of cells that are read at once.

The coordinates of a group are those of its cells, one after the other. Groups give wrong results if their
common level is too high or too low, as single cells do (`mtjchar.sweep.read_population`): the margin to each
reference beside the level has a gradient, and the sample is shifted against it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import truncnorm

from mtjchar.arrays import FloatArray
from mtjchar.cells.bitwise import Bitwise
from mtjchar.cells.variability import CUT
from mtjchar.physics.bitwise import combinations
from mtjchar.study import Study
from mtjchar.sweep import importance
from mtjchar.sweep.bitwise_tasks import bitwise_of, reads_of_groups
from mtjchar.sweep.importance import LEAST_DEVICES, Shift
from mtjchar.sweep.population import REPLICATES, Population
from mtjchar.sweep.read_population import distances, of_disturbed, of_wrong_reads, shift_of

__all__ = ["draw_groups", "find_group_shift", "pilot_groups", "worth_a_pilot"]

_STREAM = 0xB17  # so that groups are none of the devices that are read alone
_MOST_VOLTAGES = 3


def worth_a_pilot(study: Study) -> bool:
    """Whether groups are drawn in importance samples: there is variability, and at least 64 groups."""
    asked = bitwise_of(study)
    return asked is not None and asked.tuples >= LEAST_DEVICES and bool(Population(study).varied)


def pilot_groups(study: Study) -> pd.DataFrame:
    """Nominal group, then those whose first cell is one standard deviation away in each varied parameter."""
    asked, pilot = _asked(study), importance.pilot_devices(study)
    rows = np.zeros((len(pilot), asked.cells), dtype=np.intp)
    rows[:, 0] = np.arange(len(pilot))
    return _numbered(pilot.iloc[rows.ravel()])


def find_group_shift(study: Study, samples: pd.DataFrame) -> Shift | None:
    """Determine from the pilot which groups give wrong results, or have a first cell that is disturbed.

    Parameters
    ----------
    study : Study
    samples : DataFrame
        Of the groups of `pilot_groups`, as `GroupSamples.table` returns them.

    Returns
    -------
    Shift or None
        In the coordinates of a group. None if a plain sample is sufficient.
    """
    asked, reads, population = _asked(study), reads_of_groups(study), Population(study)
    varied, cells = population.varied, asked.cells
    states = combinations(cells)
    shape = (2 * len(varied) + 1, len(states), len(reads.voltage_V), len(reads.time_s))
    level = samples[f"level_{reads.unit}"].to_numpy().reshape(shape) * (1.0 if reads.one_is_higher else -1.0)
    disturb = samples["disturb_rate"].to_numpy().reshape(shape)
    chosen = np.unique(np.linspace(0, shape[2] - 1, _MOST_VOLTAGES).round().astype(int))
    deviation = np.full(shape[3], float(np.hypot(reads.offset, reads.noise)))
    found: list[tuple[FloatArray, float]] = []
    for voltage in chosen:
        for margin in _margins(asked, level[:, :, voltage]):
            found += of_wrong_reads(margin, deviation)
        for inputs in (0, len(states) - 1):
            found += [
                (np.concatenate([gradient, np.zeros((cells - 1) * len(varied))]), distance)
                for gradient, distance in of_disturbed(disturb[:, inputs, voltage, -1])
            ]
    return shift_of(found, _positions(population, cells), cells * len(population.parameters))


def _margins(asked: Bitwise, level: FloatArray) -> Iterator[FloatArray]:
    """Margins of groups like those of a pilot in which every cell is varied, shape (groups, times).

    `level` of the pilot has the shape (groups, combinations, times) and rises with the number of ones.
    """
    states = combinations(asked.cells)
    ones, powers = states.sum(axis=1), 2 ** np.arange(asked.cells)[::-1]
    change = 0.5 * (level[1::2] - level[2::2])  # of the first cell, (parameters, combinations, times)
    mean = np.stack([level[0, ones == count].mean(axis=0) for count in range(asked.cells + 1)])
    for threshold in sorted({t for operation in asked.chosen() for t in operation.thresholds}):
        for inputs in np.flatnonzero((ones == threshold) | (ones == threshold - 1)):
            sign = 1.0 if ones[inputs] == threshold else -1.0
            # The lines treat their cells alike: another cell changes the level as the first in its place.
            of_cells = [change[:, np.roll(states[inputs], -cell) @ powers] for cell in range(asked.cells)]
            gradient = sign * np.concatenate(of_cells)
            margin = np.repeat(
                0.5 * (mean[threshold] - mean[threshold - 1])[None], 1 + 2 * len(gradient), axis=0
            )
            margin[1::2] += gradient
            margin[2::2] -= gradient
            yield margin


def draw_groups(study: Study, shift: Shift | None) -> pd.DataFrame:
    """Draw the groups of a study.

    Returns
    -------
    DataFrame
        As `CellKind.derive` returns it, the cells of the first group, those of the second, and so on, with
        ``weight`` and ``replicate`` of their group and, with a shift, its distances along the directions.
    """
    asked, population = _asked(study), Population(study)
    cells, count, parameters = asked.cells, asked.tuples, len(population.parameters)
    seed, varied = study.sweep.seed ^ _STREAM, _positions(population, cells)
    normal, weight = np.zeros((count, cells * parameters)), np.ones(count)
    further: dict[str, FloatArray] = {}
    if shift is not None:
        normal, weight = importance.draw(shift, varied, count, seed)
        further = distances(shift, normal)
    elif varied:
        points = importance.replicate_points(len(varied), count, seed)
        normal[:, varied] = truncnorm(-CUT, CUT).ppf(points)
    replicate = np.arange(count) % REPLICATES
    devices = population.at(normal.reshape(count * cells, parameters), np.repeat(replicate, cells))
    of_group = {"weight": weight, "replicate": replicate, **further}
    return _numbered(devices).assign(**{name: np.repeat(one, cells) for name, one in of_group.items()})


def _numbered(devices: pd.DataFrame) -> pd.DataFrame:
    """Give the cells of groups numbers from 0, and a fresh index."""
    devices = devices.reset_index(drop=True)
    return devices.assign(device=np.arange(len(devices)))


def _positions(population: Population, cells: int) -> list[int]:
    """Positions of the varied parameters in the coordinates of a group."""
    size = len(population.parameters)
    return [cell * size + k for cell in range(cells) for k in population.varied]


def _asked(study: Study) -> Bitwise:
    asked = bitwise_of(study)
    assert asked is not None, "groups of a study without bitwise operations"
    return asked
