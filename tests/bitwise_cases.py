"""Groups of cells of constant resistance that discharge one line, in closed form."""

import numpy as np
import pandas as pd

from mtjchar.cells.reading import Reads
from mtjchar.physics.bitwise import combinations
from mtjchar.surfaces.bitwise_average import Curves, Groups
from mtjchar.surfaces.read_average import PopulationMean

CAPACITANCE, PARALLEL, SERIES, TMR = 23e-15, 4e3, 3e3, 1.24
VOLTAGES, TIMES = np.linspace(0.1, 0.2, 3), np.geomspace(30e-12, 400e-12, 6)
READS = Reads(VOLTAGES, TIMES, "V", True, 5e-3, 0.6e-3)


def discharged(conductance):
    """Level of the line for conductances of shape (...,); the result adds voltages and times."""
    decay = np.exp(-np.asarray(conductance)[..., None] * TIMES / CAPACITANCE)
    return VOLTAGES[:, None] * decay[..., None, :]


def cells_levels(tmr, parallel, ones):
    resistance = parallel * (1.0 + np.asarray(tmr) * ones) + SERIES
    return discharged((1.0 / resistance).sum(axis=-1))


def analytic_groups(cells=2, count=64, spread=0.02, seed=5, tmr=TMR):
    """Cells with normal R_P, each group with weight 1."""
    rng = np.random.default_rng(seed)
    parallel = PARALLEL * (1.0 + spread * rng.standard_normal((count, 1, cells)))
    level = cells_levels(tmr, parallel, combinations(cells)[None])
    disturb = np.broadcast_to(1e-12 * (1.0 + combinations(cells)[:, 0])[:, None, None], level.shape)
    energy = CAPACITANCE * VOLTAGES[:, None] * (VOLTAGES[:, None] - level)
    weight = np.ones(count)
    devices = pd.DataFrame({"weight": weight, "replicate": np.arange(count) % 16})
    return Groups(
        level, disturb, energy, 5e-15, weight, PopulationMean(devices, None, False, 1), spread > 0.0
    )


def analytic_curves(cells=2):
    contrast = TMR * 2.0 ** np.arange(-4, 8, 0.5)
    resistance = np.linspace(PARALLEL, PARALLEL * (1.0 + TMR), 15)
    ones = combinations(cells)
    return Curves(
        resistance,
        discharged(cells / (resistance + SERIES)),
        contrast,
        np.stack([cells_levels(one, PARALLEL, ones) for one in contrast]),
        TMR,
    )
