"""Surfaces of write error rate and write energy over amplitude and duration."""

from mtjchar.surfaces.population import fit_surface
from mtjchar.surfaces.surface import CheapestPulse, Vary, WriteSurface

__all__ = ["CheapestPulse", "Vary", "WriteSurface", "fit_surface"]
