"""A run directory as an object, for notebooks."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd

from mtjchar.display import html_table
from mtjchar.network.results import read_tradeoff
from mtjchar.shipped import data_path
from mtjchar.study import Study
from mtjchar.surfaces import ReadSurface, WriteSurface
from mtjchar.sweep.store import RunDirectory

__all__ = ["Run", "example_run"]


class Run:
    """Results of `mtjchar sweep`, `mtjchar surface` and `mtjchar tradeoff` in a directory.

    Each property reads and checks its file when it is first used.

    Parameters
    ----------
    path : str or Path
        Run directory.

    Attributes
    ----------
    path : Path
    study : Study

    Raises
    ------
    InputError
        If there is no run in the directory. The properties also raise it if a file is missing or damaged.

    Examples
    --------
    >>> import mtjchar
    >>> run = Run(mtjchar.data_path() / "example_run")
    >>> len(run.devices)
    128
    """

    def __init__(self, path: str | Path) -> None:
        self._directory = RunDirectory.open(path)
        self.path: Path = self._directory.path
        self.study: Study = self._directory.study

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        there = {
            name: place if (self.path / place).exists() else "none yet: `mtjchar surface`"
            for name, place in (("surface", "surface.nc"), ("figures", "figures"))
        }
        return html_table("Run", {"path": self.path, "study": repr(self.study), **there})

    @functools.cached_property
    def devices(self) -> pd.DataFrame:
        """Devices with their sampled and derived parameters, one row each; columns carry their units."""
        return self._directory.devices()

    @functools.cached_property
    def samples(self) -> pd.DataFrame:
        """Error rate and energies of each device, direction and pulse; failed ones have a status."""
        return self._directory.samples()

    @functools.cached_property
    def surface(self) -> WriteSurface:
        """Surface of the run; its `dataset` is an xarray.Dataset."""
        return WriteSurface.of_run(self.path)

    @functools.cached_property
    def read_surface(self) -> ReadSurface:
        """Read surface of the run, if its study says how cells are read."""
        return ReadSurface.of_run(self.path)

    @functools.cached_property
    def tradeoffs(self) -> dict[str, pd.DataFrame]:
        """Tables of `mtjchar tradeoff` in the directory and in those inside it, by directory name."""
        files = sorted([*self.path.glob("tradeoff.csv"), *self.path.glob("*/tradeoff.csv")])
        return {file.parent.name: read_tradeoff(file) for file in files}


def example_run() -> Run:
    """Open the small finished run that comes with mtjchar.

    Its study is `mtjchar.load_study("example")`: the cell of the demo, 128 devices, 6 amplitudes and 12
    durations.

    Examples
    --------
    >>> run = example_run()
    >>> pulse = run.surface.cheapest_pulse(run.surface.directions[0], ber=1e-6)
    >>> round(1e9 * pulse.duration_s, 1), round(1e12 * pulse.energy_J, 2)
    (21.0, 0.8)
    """
    return Run(data_path() / "example_run")
