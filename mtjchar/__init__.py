"""Characterize write errors and write energy of MRAM cells.

`load_study` reads a study, `run_sweep` simulates it with ngspice and the Fokker-Planck equation,
`average_devices` averages over the devices, and the resulting `WriteSurface` answers queries. If the study
says how cells are read, `average_reads` and `ReadSurface` do the same for reads. A `Run` opens the content of
a run directory. `scenarios` makes a study for each corner and temperature, and `run_scenarios`
runs them.

Examples
--------
>>> import mtjchar
>>> study = mtjchar.load_study("data/studies/demo.toml")
>>> study.sweep.devices
256
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtjchar import (
        cells,
        errors,
        export,
        network,
        physics,
        plotting,
        report,
        stackfit,
        study,
        surfaces,
        sweep,
        units,
    )
    from mtjchar.run import Run, example_run
    from mtjchar.shipped import data_path
    from mtjchar.study import Study, load_stack, load_study, scenarios
    from mtjchar.surfaces import ReadSurface, WriteSurface, average_devices, average_reads
    from mtjchar.sweep.run import run_scenarios, run_sweep

__all__ = [
    "ReadSurface", "Run", "Study", "WriteSurface", "average_devices", "average_reads", "cells", "data_path",
    "errors", "example_run", "export", "load_stack", "load_study", "network", "physics", "plotting",
    "report", "run_scenarios", "run_sweep", "scenarios", "stackfit", "study", "surfaces", "sweep", "units",
]  # fmt: skip

# Loaded when first used, so that `import mtjchar` does not load PySpice and its dependencies.
_HOME = {
    "ReadSurface": "mtjchar.surfaces",
    "Run": "mtjchar.run",
    "Study": "mtjchar.study",
    "WriteSurface": "mtjchar.surfaces",
    "average_devices": "mtjchar.surfaces",
    "average_reads": "mtjchar.surfaces",
    "data_path": "mtjchar.shipped",
    "example_run": "mtjchar.run",
    "load_stack": "mtjchar.study",
    "load_study": "mtjchar.study",
    "run_scenarios": "mtjchar.sweep.run",
    "run_sweep": "mtjchar.sweep.run",
    "scenarios": "mtjchar.study",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("mtjchar")
    if name == "fit_surface":  # the name before; kept for one release
        warnings.warn(
            "mtjchar.fit_surface is now average_devices; the old name goes with the next release.",
            DeprecationWarning,
            stacklevel=2,
        )
        return importlib.import_module("mtjchar.surfaces").average_devices
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in __all__:
        return importlib.import_module(f"mtjchar.{name}")
    raise AttributeError(f"module 'mtjchar' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
