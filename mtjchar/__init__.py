"""Characterize write errors and write energy of STT-MRAM cells.

The way of the data: `load_study` reads what to characterize, `sweep` runs it through ngspice and
Fokker-Planck, `average_devices` averages them, and a `WriteSurface` answers.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtjchar import errors, physics
    from mtjchar.study import Study, load_study
    from mtjchar.surfaces import WriteSurface, average_devices
    from mtjchar.sweep.run import sweep

__all__ = ["Study", "WriteSurface", "average_devices", "errors", "load_study", "physics", "sweep"]

# Loaded when first used: `import mtjchar` shall not load PySpice and what it draws in.
_HOME = {
    "Study": "mtjchar.study",
    "WriteSurface": "mtjchar.surfaces",
    "average_devices": "mtjchar.surfaces",
    "load_study": "mtjchar.study",
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
