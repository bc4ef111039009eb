"""Figures: drawn into axes, or written as PNG and SVG."""

from mtjchar.plotting.cells import device_tail, portrait
from mtjchar.plotting.comparison import comparison_figure, scenario_energies, scenario_error_rates
from mtjchar.plotting.fits import (
    correlation_map,
    data_and_model,
    fit_figures,
    narrowing_map,
    next_figure,
    residuals,
)
from mtjchar.plotting.inference import accuracy_over_time, inference_figure, wrong_bits_over_time
from mtjchar.plotting.reading import ReadPlots, read_figures
from mtjchar.plotting.surfaces import SurfacePlots, surface_figures
from mtjchar.plotting.tradeoff import energies_over_reads, losses, tradeoff_figure

__all__ = [
    "ReadPlots",
    "SurfacePlots",
    "accuracy_over_time",
    "comparison_figure",
    "correlation_map",
    "data_and_model",
    "device_tail",
    "energies_over_reads",
    "fit_figures",
    "inference_figure",
    "losses",
    "narrowing_map",
    "next_figure",
    "portrait",
    "read_figures",
    "residuals",
    "scenario_energies",
    "scenario_error_rates",
    "surface_figures",
    "tradeoff_figure",
    "wrong_bits_over_time",
]
