"""Fit a junction and its film to tester data, with uncertainties."""

from mtjchar.stackfit.film import Film
from mtjchar.stackfit.fit import VARY, fit_stack
from mtjchar.stackfit.model import UNITS as PARAMETERS
from mtjchar.stackfit.result import FitWarning, StackFit, compare
from mtjchar.stackfit.stackfile import fitted_stack, write_stack
from mtjchar.stackfit.tables import Table, read_table, read_tables

__all__ = [
    "PARAMETERS",
    "VARY",
    "Film",
    "FitWarning",
    "StackFit",
    "Table",
    "compare",
    "fit_stack",
    "fitted_stack",
    "read_table",
    "read_tables",
    "write_stack",
]
