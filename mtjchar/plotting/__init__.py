"""Figures, as PNG and SVG."""

from mtjchar.plotting.comparison import comparison_figure
from mtjchar.plotting.fits import fit_figures, next_figure
from mtjchar.plotting.inference import inference_figure
from mtjchar.plotting.surfaces import surface_figures
from mtjchar.plotting.tradeoff import tradeoff_figure

__all__ = [
    "comparison_figure",
    "fit_figures",
    "inference_figure",
    "next_figure",
    "surface_figures",
    "tradeoff_figure",
]
