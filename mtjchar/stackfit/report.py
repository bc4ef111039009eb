"""A fit in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtjchar.stackfit.diagnosis import SYSTEMATIC
from mtjchar.stackfit.linear_exponent import ATTEMPT_TIME
from mtjchar.stackfit.problem import pulse_temperatures
from mtjchar.stackfit.setup import PHYSICAL_BOUNDS

if TYPE_CHECKING:
    from mtjchar.stackfit.result import StackFit

_STRONG = 0.9  # correlation


def report(fit: StackFit) -> str:
    """Return everything about a fit in words, as `lmfit.fit_report` does it."""
    lines = ["[[Data]]"]
    for table in fit.tables:
        skipped = f", {table.skipped} bad rows dropped" if table.skipped else ""
        kelvin = fit.temperatures(table)
        span = f"{kelvin[0]:g} K" if len(kelvin) == 1 else f"{kelvin[0]:g} to {kelvin[-1]:g} K"
        unused = f"; not used: {', '.join(table.unused)}" if table.unused else ""
        lines.append(
            f"    {table.path.name}: {table.kind}, {len(table.rows)} rows{skipped}, at {span}{unused}"
        )
    if len(fit.vector):
        lines += _fitted(fit)
    if fit.wafer is not None:
        lines += fit.wafer.report().splitlines()
    lines += [f"[[Not determined]] {name}: measure {remedy}" for name, remedy in fit.undetermined.items()]
    lines += [f"[[Warning]] {message}" for message in fit.messages]
    return "\n".join(lines)


def _fitted(fit: StackFit) -> list[str]:
    """Likelihood, loops and parameters."""
    lines = [
        "[[Fit]]",
        f"    rows {fit.problem.rows}, parameters {len(fit.vector)}",
        f"    deviance {fit.deviance:.4g} by the Fokker-Planck solver, expected {fit.expected_deviance:.4g}: "
        f"dispersion {fit.dispersion:.3g} (p-value {fit.probability:.2g})",
        f"    {'converged' if fit.converged else 'NOT CONVERGED'}: gradient norm {fit.distance:.1g} in units "
        f"of the deviance (allowed: {fit.allowed_distance:.2g})",
        f"    AIC {fit.aic:.5g}, BIC {fit.bic:.5g}",
    ]
    if fit.problem.pulses is not None or fit.problem.thresholds is not None:
        lines.append(f"    torque per {fit.problem.model.law}")
    if fit.inflation > 1.0:
        lines.append(f"    standard errors and intervals widened by {np.sqrt(fit.inflation):.3g}")
    if fit.diagnosis.systematic:
        lines.append(f"    {SYSTEMATIC}")
    for file, row in fit.coercive.iterrows():
        way = "parallel" if row["polarity"] > 0.0 else "antiparallel"
        lines += [
            f"[[R-H loops]] {Path(str(file)).name}: a rising field makes the layers {way}",
            *(
                f"    {branch}: {int(row['loops'])} switches at {1e3 * row[branch]:.4g} mT, standard "
                f"deviation {1e3 * row[f'{branch}_deviation']:.3g} mT"
                for branch in ("upwards", "downwards")
            ),
            f"    coercive field {1e3 * row['coercive']:.4g} mT, center {1e3 * row['center']:+.3g} mT",
        ]
    lines += _parameters(fit)
    strong = _strong(fit)
    if strong:
        lines += ["[[Correlations]] (above 0.9)", *strong]
    return lines


def _parameters(fit: StackFit) -> list[str]:
    """Fitted and derived values, and the temperature at which they hold."""
    kelvin = fit.problem.temperature

    def other(row: pd.Series) -> str:
        return "" if row["temperature_K"] == kelvin else f"   at {row['temperature_K']:g} K"

    share = "not 95 %" if fit.diagnosis.systematic else "95 %"
    lines = [f"[[Parameters]] at {kelvin:g} K"]
    measured = pulse_temperatures(fit.problem)
    if len(measured) and kelvin not in measured:
        lines.append(
            f"    no pulse is at this temperature: from {measured[0]:g} K by the exponents of the stack; "
            f'--temperature "{measured[0]:g} K" reports them there'
        )
    for name, row in fit.table().iterrows():
        mark = "" if row["determined"] else "   NOT DETERMINED"
        bound = ", its bound," if row["lower"] == PHYSICAL_BOUNDS.get(str(name)) else ""
        lines.append(
            f"    {name:27s} {row['value']:11.5g} +- {row['standard_error']:8.2g} {row['unit']:9s} "
            f"({share}: {_end(row['lower'])}{bound} to {_end(row['upper'])}){mark}{other(row)}"
        )
    lines.append(f"[[Derived]] at {kelvin:g} K")
    for name, row in fit.derived().iterrows():
        number = f"{row['value']:11.5g} +- {row['standard_error']:8.2g} {row['unit']}"
        lines.append(f"    {name:31s} {number.rstrip()}{other(row)}")
    durations = fit.activated_durations
    if durations is not None:
        span = " to ".join(f"{1e9 * one:.4g} ns" for one in durations)
        lines.append(
            "    (linear_exponent, as most papers quote: barrier linear in the current, attempt time "
            f"{1e9 * ATTEMPT_TIME:g} ns, pulses of {span})"
        )
    return lines


def _end(value: float) -> str:
    return "open" if not np.isfinite(value) else f"{value:.4g}"


def _strong(fit: StackFit) -> list[str]:
    matrix = fit.correlation().to_numpy()
    names = fit.problem.free
    return [
        f"    {names[k]} and {names[j]}: {matrix[j, k]:+.3f}"
        for j in range(len(names))
        for k in range(j)
        if abs(matrix[j, k]) > _STRONG
    ]
