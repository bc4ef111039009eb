"""Surfaces of write error rate and write energy over amplitude and duration."""

import warnings
from typing import Any

from mtjchar.surfaces.average import average_devices
from mtjchar.surfaces.closed_model import SurfaceModel, fit_model
from mtjchar.surfaces.compare import Comparison, compare
from mtjchar.surfaces.counts import surface_from_counts
from mtjchar.surfaces.devices import DeviceRates
from mtjchar.surfaces.grid import CheapestPulse, Vary
from mtjchar.surfaces.levers import compare_levers
from mtjchar.surfaces.resample import resample
from mtjchar.surfaces.search import pulse_at
from mtjchar.surfaces.surface import WriteSurface

__all__ = [
    "CheapestPulse",
    "Comparison",
    "DeviceRates",
    "SurfaceModel",
    "Vary",
    "WriteSurface",
    "average_devices",
    "compare",
    "compare_levers",
    "fit_model",
    "pulse_at",
    "resample",
    "surface_from_counts",
]

_RENAMED = {"fit_surface": "average_devices", "knobs": "compare_levers"}  # kept for one release


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warnings.warn(
            f"mtjchar.surfaces.{name} is now {_RENAMED[name]}; the old name goes with the next release.",
            DeprecationWarning,
            stacklevel=2,
        )
        return globals()[_RENAMED[name]]
    raise AttributeError(f"module 'mtjchar.surfaces' has no attribute {name!r}")
