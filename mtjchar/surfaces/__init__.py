"""Surfaces of write error rate and write energy over amplitude and duration."""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtjchar.surfaces.average import average_devices
    from mtjchar.surfaces.closed_model import SurfaceModel, fit_model
    from mtjchar.surfaces.comparison import Comparison, compare
    from mtjchar.surfaces.counts import surface_from_counts
    from mtjchar.surfaces.devices import DeviceRates
    from mtjchar.surfaces.grid import CheapestPulse, Vary
    from mtjchar.surfaces.levers import compare_levers
    from mtjchar.surfaces.read_average import average_reads
    from mtjchar.surfaces.read_grid import ReadPoint
    from mtjchar.surfaces.read_surface import ReadSurface
    from mtjchar.surfaces.resampling import resample
    from mtjchar.surfaces.search import cheapest_pulse_of_all, pulse_at
    from mtjchar.surfaces.surface import WriteSurface

__all__ = [
    "CheapestPulse",
    "Comparison",
    "DeviceRates",
    "ReadPoint",
    "ReadSurface",
    "SurfaceModel",
    "Vary",
    "WriteSurface",
    "average_devices",
    "average_reads",
    "cheapest_pulse_of_all",
    "compare",
    "compare_levers",
    "fit_model",
    "pulse_at",
    "resample",
    "surface_from_counts",
]

# Loaded when first used: queries need few of them, and pandas, lmfit and scipy take long to load.
_HOME = {
    "CheapestPulse": "grid",
    "Comparison": "comparison",
    "DeviceRates": "devices",
    "ReadPoint": "read_grid",
    "ReadSurface": "read_surface",
    "SurfaceModel": "closed_model",
    "Vary": "grid",
    "WriteSurface": "surface",
    "average_devices": "average",
    "average_reads": "read_average",
    "cheapest_pulse_of_all": "search",
    "compare": "comparison",
    "compare_levers": "levers",
    "fit_model": "closed_model",
    "pulse_at": "search",
    "resample": "resampling",
    "surface_from_counts": "counts",
}
_RENAMED = {"fit_surface": "average_devices", "knobs": "compare_levers"}  # kept for one release


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warnings.warn(
            f"mtjchar.surfaces.{name} is now {_RENAMED[name]}; the old name goes with the next release.",
            DeprecationWarning,
            stacklevel=2,
        )
        return __getattr__(_RENAMED[name])
    if name in _HOME:
        return getattr(importlib.import_module(f"mtjchar.surfaces.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mtjchar.surfaces' has no attribute {name!r}")
