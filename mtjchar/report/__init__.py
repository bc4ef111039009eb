"""A run as one HTML page: sliders that answer as `mtjchar query` does, figures, tables and limits."""

from mtjchar.report.page import write_report
from mtjchar.report.tables import (
    Section,
    cheapest_pulses,
    compared_knobs,
    device_spread,
    sample_counts,
    trade_off,
)

__all__ = [
    "Section",
    "cheapest_pulses",
    "compared_knobs",
    "device_spread",
    "sample_counts",
    "trade_off",
    "write_report",
]
