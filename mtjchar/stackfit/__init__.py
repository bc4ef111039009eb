"""Fit a junction and its film to tester data, with uncertainties."""

from mtjchar.stackfit.comparison import TermComparison, compare_terms
from mtjchar.stackfit.data.tables import Table, read_table, read_tables, table_of
from mtjchar.stackfit.design import information_map, next_measurements
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.fit import fit_stack
from mtjchar.stackfit.parameters import DEFAULT as VARY
from mtjchar.stackfit.parameters import UNITS as PARAMETERS
from mtjchar.stackfit.result import FitWarning, StackFit, compare
from mtjchar.stackfit.simulate import pulses_at, simulate_counts, simulate_loops
from mtjchar.stackfit.stackfile import fitted_stack, write_stack
from mtjchar.stackfit.terms import TERMS
from mtjchar.stackfit.wafer import WaferFit, fit_wafer

__all__ = [
    "PARAMETERS",
    "TERMS",
    "VARY",
    "Film",
    "FitWarning",
    "StackFit",
    "Table",
    "TermComparison",
    "WaferFit",
    "compare",
    "compare_terms",
    "fit_stack",
    "fit_wafer",
    "fitted_stack",
    "information_map",
    "next_measurements",
    "pulses_at",
    "read_table",
    "read_tables",
    "simulate_counts",
    "simulate_loops",
    "table_of",
    "write_stack",
]
