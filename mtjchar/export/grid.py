"""Grids of values for circuit simulators, which interpolate bilinearly."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.tails import VERIFIED_RATE

__all__ = [
    "DECADES",
    "FINEST",
    "LOWEST_LOG",
    "PINS",
    "QUANTITIES",
    "RELATIVE",
    "Grid",
    "coarsest",
    "grids",
    "identifier",
    "limits_in_words",
]

QUANTITIES = ("log10_ber", "energy", "redundant_energy")
"""Tabulated quantities: log10 of the write error rate, and energies in pJ."""

FINEST = 8
"""Parts of each interval in the surface itself: with these, bilinear interpolation of log10(BER) is exact."""

DECADES, RELATIVE = 0.1, 0.01
"""Largest errors of a coarser grid between its points: log10(BER) above 1e-12, and energies."""

PINS = ("amplitude", "duration", *QUANTITIES)
"""Pins of the modules: V, ns (1 V is 1 ns), 1, pJ, pJ (1 V is 1 pJ)."""

LOWEST_LOG = math.log10(VERIFIED_RATE)
"""Lowest log10 of an error rate that the modules give; it means "below 1e-18"."""

_UNITS_IN_WORDS = [
    "amplitude: V; duration: 1 V is 1 ns; log10_ber: 1 V is one decade of the write error rate;",
    "energy, redundant_energy: 1 V is 1 pJ, of a switching and of a redundant write.",
    f"log10_ber is not lower than {LOWEST_LOG:g}, which then means 'below {VERIFIED_RATE:g}', "
    "the lowest rate that is verified.",
    "Beyond the grid the value at its edge stands: amplitude {0:g} to {1:g} V, duration {2:g} to {3:g} ns.",
]


@dataclass(frozen=True)
class Grid:
    """Values of one direction.

    Parameters
    ----------
    amplitudes, durations : ndarray
        V and ns, ascending.
    values : dict of ndarray
        By the names of `QUANTITIES`, shape (amplitudes, durations).
    """

    direction: Direction
    amplitudes: FloatArray
    durations: FloatArray
    values: dict[str, FloatArray]


def grids(surface: WriteSurface, parts: int) -> list[Grid]:
    """Sample the surface on its own grid with every interval cut into `parts`, for each direction."""
    amplitudes, seconds = _cut(surface.amplitudes, parts), _cut(surface.durations, parts)
    at = amplitudes[:, None], seconds
    return [
        Grid(
            direction,
            amplitudes,
            1e9 * seconds,
            {
                "log10_ber": np.log10(surface.ber(direction, *at)),
                "energy": 1e12 * surface.energy(direction, *at),
                "redundant_energy": 1e12 * surface.energy(direction, *at, switching=False),
            },
        )
        for direction in surface.directions
    ]


def coarsest(surface: WriteSurface) -> list[Grid]:
    """Sample the surface on the coarsest grid within `DECADES` and `RELATIVE`, for each direction."""
    finest = grids(surface, FINEST)
    for parts in (1, 2, 4):
        sampled = grids(surface, parts)
        if all(_close(coarse, fine) for coarse, fine in zip(sampled, finest, strict=True)):
            return sampled
    return finest


def _close(coarse: Grid, fine: Grid) -> bool:
    nodes = np.stack(np.meshgrid(fine.amplitudes, fine.durations, indexing="ij"), axis=-1)
    shown = fine.values["log10_ber"] > -12.0
    for quantity, exact in fine.values.items():
        values = RegularGridInterpolator((coarse.amplitudes, coarse.durations), coarse.values[quantity])(
            nodes
        )
        off = np.abs(values - exact)
        if (
            (off[shown] > DECADES).any()
            if quantity == "log10_ber"
            else (off > RELATIVE * np.abs(exact)).any()
        ):
            return False
    return True


def limits_in_words(grid: Grid) -> list[str]:
    """Units of the pins and limits of the grid, in words."""
    limits = grid.amplitudes[0], grid.amplitudes[-1], grid.durations[0], grid.durations[-1]
    return [line.format(*limits) for line in _UNITS_IN_WORDS]


def identifier(out: Path) -> str:
    """Make a name for circuit simulators from the name of a file: small letters, digits, underscores.

    ngspice converts the names of table files to small letters before it opens them.
    """
    name = re.sub(r"[^0-9a-z]+", "_", out.stem.lower()).strip("_")
    return name if name[:1].isalpha() else f"mtj_{name}".rstrip("_")


def _cut(grid: FloatArray, parts: int) -> FloatArray:
    fine = np.interp(np.arange((len(grid) - 1) * parts + 1) / parts, np.arange(len(grid)), grid)
    fine[::parts] = grid
    return fine
