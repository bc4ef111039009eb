"""The population of devices of a study: the nominal device and the drawn ones."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from scipy.stats import qmc, truncnorm

from mtjchar.arrays import FloatArray, IntArray
from mtjchar.cells.variability import CUT, Spread
from mtjchar.study import Study

__all__ = ["REPLICATES", "Population", "sobol_points"]

REPLICATES = 16
"""Number of independently randomized parts of a sample in replicates."""


class Population:
    """Devices of a study.

    Parameters
    ----------
    study : Study

    Attributes
    ----------
    parameters : tuple of str
        Names of the sampled parameters, in the order of standardized coordinates.
    varied : list of int
        Positions in `parameters` of those that vary.

    Examples
    --------
    >>> from mtjchar import load_study
    >>> population = Population(load_study("data/studies/demo.toml"))
    >>> round(float(population.nominal()["thermal_stability"].iloc[0]), 1)
    43.0
    >>> len(population.draw())
    256
    """

    def __init__(self, study: Study) -> None:
        self._kind, self._tables = study.kind, study.tables
        self._devices, self._seed = study.sweep.devices, study.sweep.seed
        self._spreads = study.tables.spreads()
        self.parameters = tuple(self._kind.sampled)
        self.varied = [k for k, (_, spread) in enumerate(self._spreads) if spread.sigma > 0.0]

    def nominal(self) -> pd.DataFrame:
        """Return the device without variability, as a table of one row like that of `draw`.

        Raises
        ------
        InputError
            If it has not two stable states.
        """
        device = self.at(np.zeros((1, len(self.parameters))))
        self._kind.check_nominal(self._tables, device)
        return device

    def draw(self) -> pd.DataFrame:
        """Draw devices from the distribution itself.

        Returns
        -------
        DataFrame
            One row per device, in order: the sampled parameters, the derived quantities (see
            `CellKind.derive`), ``weight``, here 1, and ``replicate``, here 0 or, if nominal values are
            uncertain, the number of the drawn ones (see also `mtjchar.sweep.importance`, which
            draws more of the weak devices).

        Notes
        -----
        Scrambled Sobol points are transformed by the inverse of the normal distributions cut at 5 sigma. The
        same study and seed give the same table.
        """
        rng = np.random.default_rng(self._seed)
        points = sobol_points(len(self.parameters), self._devices, rng)
        replicate = np.arange(len(points)) % (REPLICATES if self._drawn_nominal else 1)
        devices = self.at(truncnorm(-CUT, CUT).ppf(points), replicate)
        return devices.assign(weight=1.0, replicate=replicate)

    def at(self, normal: FloatArray, replicate: IntArray | None = None) -> pd.DataFrame:
        """Return devices at given positions of their distributions.

        Parameters
        ----------
        normal : ndarray, shape (devices, parameters)
            Distance from the nominal value over the standard deviation, in the order of `parameters`;
            independent: correlations of the study are applied here.
        replicate : ndarray of int, shape (devices,), optional
            Number of the drawn nominal values of each device, if they are uncertain; by default
            all have the study's own.

        Returns
        -------
        DataFrame
            As `CellKind.derive` returns it.
        """
        variability = self._tables.variability
        if variability.correlation:
            root = np.linalg.cholesky(variability.correlation_matrix())
            normal = np.clip(normal @ root.T, -CUT, CUT)
        drawn = {} if replicate is None else self._drawn_nominal
        table = {}
        for k, (name, spread) in enumerate(self._spreads):
            column = self._kind.sampled[name]
            nominal = np.asarray(self._tables.nominal(name))
            if column in drawn:
                nominal = drawn[column][replicate]
            table[column] = _spread(nominal, spread, normal[:, k])
        table |= {column: values[replicate] for column, values in drawn.items() if column not in table}
        return self._kind.derive(self._tables, pd.DataFrame(table))

    @functools.cached_property
    def _drawn_nominal(self) -> dict[str, FloatArray]:
        return self._kind.draw_nominal(self._tables, self._seed, REPLICATES)


def sobol_points(dimensions: int, count: int, rng: np.random.Generator) -> FloatArray:
    """First points of a scrambled Sobol sequence, shape (count, dimensions)."""
    sobol = qmc.Sobol(dimensions, rng=rng)
    return np.asarray(sobol.random_base2(max(int(np.ceil(np.log2(count))), 0))[:count])


def _spread(nominal: FloatArray, spread: Spread, normal: FloatArray) -> FloatArray:
    return nominal + (spread.sigma * nominal if spread.relative else spread.sigma) * normal
