"""Surfaces of write error rate and write energy over amplitude and duration."""

from mtjchar.surfaces.compare import Comparison, compare
from mtjchar.surfaces.counts import surface_from_counts
from mtjchar.surfaces.devices import DeviceRates
from mtjchar.surfaces.model import SurfaceModel, fit_model
from mtjchar.surfaces.population import fit_surface
from mtjchar.surfaces.pulses import knobs, pulse_at
from mtjchar.surfaces.surface import CheapestPulse, Vary, WriteSurface

__all__ = [
    "CheapestPulse",
    "Comparison",
    "DeviceRates",
    "SurfaceModel",
    "Vary",
    "WriteSurface",
    "compare",
    "fit_model",
    "fit_surface",
    "knobs",
    "pulse_at",
    "surface_from_counts",
]
