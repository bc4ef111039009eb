"""Wafer parametrics: the variability table of a study, with correlations.

References
----------
.. [1] R. A. Fisher, Metron 1, 3 (1921): the transformation artanh r of a correlation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.stackfit.data.tables import Table
from mtjchar.stackfit.film import Film
from mtjchar.statistics import NORMAL_QUANTILE

__all__ = ["IN_STACK", "WaferFit", "fit_wafer"]

_COLUMNS = {
    "diameter": "diameter_m",
    "resistance_area_product": "resistance_area_product_ohm_m2",
    "tmr": "tmr",
}
_UNITS = {"diameter": "m", "resistance_area_product": "ohm*m^2", "tmr": ""}
IN_STACK = ("resistance_area_product", "tmr")
"""Parameters whose means are values of a stack."""

_LEAST_DEVICES = 10
_OUTLIER = 6.0  # robust standard deviations
_LARGEST = 0.2  # largest relative standard deviation that a study allows


@dataclass(frozen=True)
class WaferFit:
    """Result of `fit_wafer`.

    Attributes
    ----------
    parameters : DataFrame
        ``mean`` with ``mean_error``, ``relative`` standard deviation with ``standard_error`` and 95 % bounds,
        ``unit``.
    correlation : DataFrame
        One row per pair: ``correlation`` with ``standard_error`` and its 95 % ``lower`` and ``upper``.
    devices : int
    messages : tuple of str
    """

    parameters: pd.DataFrame
    correlation: pd.DataFrame
    devices: int
    messages: tuple[str, ...]

    def film(self, film: Film, without: Sequence[str] = ()) -> Film:
        """Return the film with the wafer's means of stack parameters, except for the names in `without`."""
        means = {
            name: float(self.parameters["mean"][name])
            for name in IN_STACK
            if name in self.parameters.index and name not in without
        }
        return dataclasses.replace(film, stack=film.stack.model_copy(update=means))

    def mean_covariance(self, names: Sequence[str]) -> FloatArray:
        """Covariance of means: of their standard errors and the correlations of the devices."""
        matrix = np.diag([1.0] * len(names))
        for j, second in enumerate(names):
            for k, first in enumerate(names[:j]):
                matrix[j, k] = matrix[k, j] = self.correlation.loc[f"{first} {second}", "correlation"]
        error = self.parameters.loc[list(names), "mean_error"].to_numpy(dtype=np.float64)
        return np.asarray(matrix * np.outer(error, error))

    def variability(self) -> dict[str, Any]:
        """Table ``[variability]`` of a study; correlations whose interval excludes 0."""
        table: dict[str, Any] = {
            str(name): round(float(row["relative"]), 6) for name, row in self.parameters.iterrows()
        }
        significant = self.correlation[(self.correlation["lower"] > 0) | (self.correlation["upper"] < 0)]
        if len(significant):
            table["correlation"] = {
                str(pair): round(float(row["correlation"]), 4) for pair, row in significant.iterrows()
            }
        return table

    def content(self) -> dict[str, Any]:
        """Table ``[fit.variability]`` of a fitted stack file: `variability` with further results."""
        means = self.parameters.to_dict("index")
        return {
            **self.variability(),
            "devices": self.devices,
            "standard_errors": {
                **{str(name): row["standard_error"] for name, row in means.items()},
                **{str(pair): row["standard_error"] for pair, row in self.correlation.iterrows()},
            },
            "correlation_intervals": {
                str(pair): [row["lower"], row["upper"]] for pair, row in self.correlation.iterrows()
            },
            "means": {
                str(name): {"value": row["mean"], "standard_error": row["mean_error"], "unit": row["unit"]}
                for name, row in means.items()
            },
        }

    def report(self) -> str:
        """Describe the result in words."""
        lines = [f"[[Wafer]] {self.devices} devices"]
        for name, row in self.parameters.iterrows():
            lines.append(
                f"    {name:23s} mean {row['mean']:.5g} +- {row['mean_error']:.2g} {row['unit']}, standard "
                f"deviation {row['relative']:.2%} (95 %: {row['lower']:.2%} to {row['upper']:.2%})"
            )
        for pair, row in self.correlation.iterrows():
            lines.append(
                f"    correlation {pair}: {row['correlation']:+.3f} (95 %: {row['lower']:+.3f} to "
                f"{row['upper']:+.3f})"
            )
        return "\n".join(lines)


def fit_wafer(*tables: Table) -> WaferFit:
    """Estimate the spread of devices over a wafer, and the correlations of their parameters.

    Parameters
    ----------
    *tables : Table
        Of the kind wafer: diameter, resistance-area product and TMR, or some of them, one row per device.
        Several tables count as one wafer, so that differences between them are part of the spread.

    Returns
    -------
    WaferFit

    Raises
    ------
    InputError
        For fewer than ten devices, or tables with different columns.
    """
    first = tables[0]
    names = [name for name, column in _COLUMNS.items() if column in first.rows]
    for table in tables[1:]:
        own = [name for name, column in _COLUMNS.items() if column in table.rows]
        if own != names:
            raise InputError(
                f"{table.path}: columns", value=", ".join(own),
                allowed=f"those of {first.path}: {', '.join(names)}",
                remedy="A correlation needs both values of each device: put them into one table.",
            )  # fmt: skip
    values = np.concatenate(
        [table.rows[[_COLUMNS[name] for name in names]].to_numpy(dtype=np.float64) for table in tables]
    )
    count = len(values)
    if count < _LEAST_DEVICES:
        raise InputError(f"{first.path}: devices", value=count, allowed=f"at least {_LEAST_DEVICES}")
    mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=1)
    relative = deviation / mean
    # Of a normal distribution; in the logarithm, so that the interval stays above 0.
    error = relative / np.sqrt(2.0 * (count - 1))
    factor = np.exp(NORMAL_QUANTILE * error / relative)
    parameters = pd.DataFrame(
        {
            "mean": mean, "mean_error": deviation / np.sqrt(count), "relative": relative,
            "standard_error": error, "lower": relative / factor, "upper": relative * factor,
            "unit": [_UNITS[name] for name in names],
        },
        index=names,
    )  # fmt: skip
    return WaferFit(
        parameters, _correlations(names, values), count, tuple(_messages(names, values, relative))
    )


def _correlations(names: list[str], values: FloatArray) -> pd.DataFrame:
    rows = {}
    reach = NORMAL_QUANTILE / np.sqrt(len(values) - 3)
    for j, second in enumerate(names):
        for k, first in enumerate(names[:j]):
            r = float(np.corrcoef(values[:, k], values[:, j])[0, 1])
            bounds = np.tanh(np.arctanh(r) + reach * np.array([-1.0, 1.0]))  # [1]
            rows[f"{first} {second}"] = {
                "correlation": r, "standard_error": (1.0 - r**2) / np.sqrt(len(values) - 1.0),
                "lower": bounds[0], "upper": bounds[1],
            }  # fmt: skip
    return pd.DataFrame(rows, index=["correlation", "standard_error", "lower", "upper"]).T


def _messages(names: list[str], values: FloatArray, relative: FloatArray) -> list[str]:
    messages = []
    for k, name in enumerate(names):
        middle = np.median(values[:, k])
        robust = 1.4826 * np.median(np.abs(values[:, k] - middle))
        far = int(np.sum(np.abs(values[:, k] - middle) > _OUTLIER * robust))
        if far:
            messages.append(
                f"{far} values of {name} lie beyond {_OUTLIER:g} robust standard deviations: shorts, opens "
                "or wrong units among them make the spread too large"
            )
        if relative[k] >= _LARGEST:
            messages.append(
                f"the spread of {name}, {relative[k]:.2g}, is more than a study takes, {_LARGEST}"
            )
    return messages
