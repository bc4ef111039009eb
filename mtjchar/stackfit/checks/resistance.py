"""Checks of R-V curves after a fit: swapped states, units, another stack."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtjchar.stackfit.result import StackFit
from mtjchar.units import compact

__all__ = ["check_resistance"]

_OFF = 0.05  # relative difference of the resistances from the stack's, above which a message appears
_FAR = 5.0  # factor between a fitted value and the stack's
_SHOWN = {"P": ("resistance_area_product",), "AP": ("resistance_area_product", "tmr")}


def check_resistance(fit: StackFit) -> list[str]:
    """Messages about the R-V curves of a fit; none without such curves."""
    rows = fit.problem.data.resistance
    if not len(rows):
        return []
    swapped = _swapped(rows)
    return swapped or [*_far(fit), *_off(fit, rows)]


def _swapped(rows: pd.DataFrame) -> list[str]:
    """Resistance falls with the bias in AP, so that only the lowest voltages of each state compare."""
    lowest = rows.assign(size=rows["voltage_V"].abs()).sort_values("size").groupby("state").head(3)
    means = lowest.groupby("state")["resistance_ohm"].mean()
    if len(means) < 2 or means["ap"] > means["p"]:
        return []
    return [
        f"near zero bias the resistance in AP, {compact(means['ap'], 'ohm', 4)}, is not above that in P, "
        f"{compact(means['p'], 'ohm', 4)}: the states look swapped, "
        "and resistance_area_product and tmr mean nothing"
    ]


def _far(fit: StackFit) -> list[str]:
    """Fitted values that are far from the stack's."""
    assert fit.film is not None  # resistances need one
    messages = []
    for name in ("resistance_area_product", "tmr"):
        factor = fit.values[name] / getattr(fit.film.stack, name) if name in fit.problem.free else 1.0
        if not 1.0 / _FAR < factor < _FAR:
            messages.append(
                f"{name} comes out {factor:.3g} times that of the stack: is a unit of the resistances wrong "
                "by a factor, or the diameter?"
            )
    return messages


def _off(fit: StackFit, rows: pd.DataFrame) -> list[str]:
    """Curves that contradict fixed values of the fit."""
    factors = rows["resistance_ohm"].to_numpy(dtype=float) / fit.problem.resistance(fit.values)
    messages = []
    for state, names in _SHOWN.items():
        here = (rows["state"] == state.lower()).to_numpy()
        fixed = [name for name in names if name not in fit.problem.free]
        factor = float(np.median(factors[here])) if here.any() else 1.0
        if fixed and abs(factor - 1.0) > _OFF:
            messages.append(
                f"resistances in {state} are {factor:.3g} times what the stack's {' and '.join(fixed)} and "
                "the diameter give, which this fit keeps: currents of pulses in V are off by as much; name "
                f"{' and '.join(fixed)} in what is fitted (--vary)"
            )
    return messages
