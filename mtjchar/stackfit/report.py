"""Parts of a report: a fit in words, similar to `lmfit.fit_report`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.stackfit.data.tables import Table
from mtjchar.stackfit.linear_exponent import ATTEMPT_TIME
from mtjchar.stackfit.parameters import Parameter
from mtjchar.units import compact

__all__ = [
    "correlation_lines",
    "data_lines",
    "derived_lines",
    "loop_lines",
    "parameter_lines",
    "remark_lines",
]

_STRONG = 0.9  # correlation


def data_lines(tables: Iterable[Table], temperatures: Callable[[Table], Sequence[float]]) -> list[str]:
    """Describe each table, and its temperatures (K)."""
    lines = ["[[Data]]"]
    for table in tables:
        skipped = f", {table.skipped} bad rows dropped" if table.skipped else ""
        kelvin = temperatures(table)
        span = f"{kelvin[0]:g} K" if len(kelvin) == 1 else f"{kelvin[0]:g} to {kelvin[-1]:g} K"
        unused = f"; not used: {', '.join(table.unused)}" if table.unused else ""
        lines.append(
            f"    {table.path.name}: {table.kind}, {len(table.rows)} rows{skipped}, at {span}{unused}"
        )
    return lines


def loop_lines(coercive: pd.DataFrame) -> list[str]:
    """Describe the switching fields of loops, see `mtjchar.stackfit.loops.coercive_fields`."""
    lines = []
    for file, row in coercive.iterrows():
        way = "parallel" if row["polarity"] > 0.0 else "antiparallel"
        lines += [
            f"[[R-H loops]] {Path(str(file)).name}: a rising field makes the layers {way}",
            *(
                f"    {branch}: {int(row['loops'])} switches at {compact(row[branch], 'T', 4)}, standard "
                f"deviation {compact(row[f'{branch}_deviation'], 'T', 3)}"
                for branch in ("upwards", "downwards")
            ),
            f"    coercive field {compact(row['coercive'], 'T', 4)}, center {compact(row['center'], 'T', 3)}",
        ]
    return lines


def parameter_lines(
    parameters: Iterable[Parameter],
    table: pd.DataFrame,
    temperature: float,
    measured: FloatArray,
    *,
    systematic: bool,
) -> list[str]:
    """Describe the fitted parameters.

    Parameters
    ----------
    parameters : iterable of Parameter
        Those of the table.
    table : DataFrame
        See `mtjchar.stackfit.StackFit.table`.
    temperature : float
        K, of the fit.
    measured : ndarray
        Temperatures of the pulses, K, that of most of them first.
    systematic : bool
        Whether the residuals have a pattern.
    """
    share = "not 95 %" if systematic else "95 %"
    lines = [f"[[Parameters]] at {temperature:g} K"]
    if len(measured) and temperature not in measured:
        lines.append(
            f"    no pulse is at this temperature: from {measured[0]:g} K by the exponents of the stack; "
            f'--temperature "{measured[0]:g} K" reports them there'
        )
    for parameter, (_, row) in zip(parameters, table.iterrows(), strict=True):
        mark = "" if row["determined"] else "   NOT DETERMINED"
        bound = ", its bound," if row["lower"] == parameter.physical_minimum > -np.inf else ""
        lines.append(
            f"    {parameter.name:27s} {row['value']:11.5g} +- {row['standard_error']:8.2g} "
            f"{row['unit']:9s} ({share}: {_end(row['lower'])}{bound} to {_end(row['upper'])}){mark}"
            f"{_elsewhere(row['temperature_K'], temperature)}"
        )
    return lines


def derived_lines(
    derived: pd.DataFrame, temperature: float, activated: tuple[float, float] | None
) -> list[str]:
    """Describe the quantities derived from the parameters.

    Parameters
    ----------
    derived : DataFrame
        See `mtjchar.stackfit.StackFit.derived`.
    temperature : float
        K, of the fit.
    activated : tuple of float or None
        Shortest and longest pulse with thermally activated switching, s.
    """
    lines = [f"[[Derived]] at {temperature:g} K"]
    for name, row in derived.iterrows():
        number = f"{row['value']:11.5g} +- {row['standard_error']:8.2g} {row['unit']}"
        lines.append(f"    {name:31s} {number.rstrip()}{_elsewhere(row['temperature_K'], temperature)}")
    if activated is not None:
        span = " to ".join(compact(duration, "s", 4) for duration in activated)
        lines.append(
            "    (linear_exponent, as most papers quote: barrier linear in the current, attempt time "
            f"{compact(ATTEMPT_TIME, 's')}, pulses of {span})"
        )
    return lines


def correlation_lines(correlation: pd.DataFrame) -> list[str]:
    """List strongly correlated parameters."""
    matrix, names = correlation.to_numpy(), list(correlation.index)
    strong = [
        f"    {names[k]} and {names[j]}: {matrix[j, k]:+.3f}"
        for j in range(len(names))
        for k in range(j)
        if abs(matrix[j, k]) > _STRONG
    ]
    return ["[[Correlations]] (above 0.9)", *strong] if strong else []


def remark_lines(undetermined: Mapping[str, str], messages: Iterable[str]) -> list[str]:
    """List the parameters that the data do not determine, and the warnings."""
    return [
        *(f"[[Not determined]] {name}: measure {remedy}" for name, remedy in undetermined.items()),
        *(f"[[Warning]] {message}" for message in messages),
    ]


def _elsewhere(kelvin: float, temperature: float) -> str:
    """Temperature of a value, if it is not that of the fit."""
    return "" if kelvin == temperature else f"   at {kelvin:g} K"


def _end(value: float) -> str:
    return "open" if not np.isfinite(value) else f"{value:.4g}"
