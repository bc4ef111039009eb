r"""R-H loops: the barrier from the scatter of switching fields, and the field that lowers it.

While the field is swept against the magnetization the barrier falls, and the state is left at the rate of
`mtjchar.physics.long_pulses.decay_rate`: a field along the axis acts like an overdrive h = B/B_k, so that the
barrier is Delta (1 - h)^2, the exponent of coherent reversal. The switching field then has the distribution
of [1]_ and [2]_, here without their assumptions on the prefactor:

.. math:: P(B) = 1 - \exp\left[-\frac{1}{v} \int^B \frac{\lambda(b/B_k, \Delta)}{t_D}\, db\right],        (1)

v being the sweep rate. Field steps are independent trials for a device that has not switched yet, so
loops have a binomial likelihood, like pulses.

References
----------
.. [1] J. Kurkijarvi, Phys. Rev. B 6, 832 (1972), doi:10.1103/PhysRevB.6.832: switching under a swept drive.
.. [2] M. P. Sharrock, J. Appl. Phys. 76, 6413 (1994), doi:10.1063/1.358282: coercivity and time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.interpolate import make_interp_spline

from mtjchar.arrays import FloatArray
from mtjchar.physics import rate_table
from mtjchar.stackfit.data.field_steps import LEAST_EVENTS, FieldSteps

__all__ = ["FieldScale", "LogRate", "coercive_fields", "field_scale", "log_staying", "scatter"]

LogRate = Callable[[FloatArray, float], FloatArray]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_CURVE = 129  # points of the rate over the field: a cubic through them is within 1e-3 of its logarithm


def log_staying(
    steps: FieldSteps,
    stability: FloatArray,
    anisotropy_field: FloatArray,
    relaxation_time: FloatArray,
    offset: float,
    log_rate: LogRate = rate_table.log_decay_rate,
) -> FloatArray:
    """Logarithm of the probability that the state is not left in each step; equation 1.

    Parameters
    ----------
    steps : FieldSteps
    stability, anisotropy_field, relaxation_time : ndarray
        Of each step; T and s.
    offset : float
        Field in addition to the applied one, T, positive towards P.
    log_rate : callable, optional
        Logarithm of the rate of leaving per t_D, over h and of a stability.
    """
    width = steps.stop - steps.start
    applied = steps.start[:, None] + 0.5 * width[:, None] * (1.0 + _NODES)
    h = (applied + (steps.towards_p * offset)[:, None]) / anisotropy_field[:, None]
    h = np.clip(h, *rate_table.OVERDRIVE)
    places = np.linspace(0.0, max(float(h.max()), 0.1), _CURVE)
    rate = np.empty_like(h)
    for delta in np.unique(stability):
        own = stability == delta
        rate[own] = np.exp(make_interp_spline(places, log_rate(places, float(delta)))(h[own]))
    return np.asarray(-(rate @ _WEIGHTS) * 0.5 * width / steps.rate / relaxation_time)


def coercive_fields(steps: pd.DataFrame) -> pd.DataFrame:
    """Fields at which the state changed, with the sign of the table.

    Parameters
    ----------
    steps : DataFrame
        Rows of `steps_of`, of one or several tables.

    Returns
    -------
    DataFrame
        One row per file: ``upwards`` and ``downwards``, the mean switching fields, their standard
        deviations ``upwards_deviation`` and ``downwards_deviation``, ``coercive``, half the width of the
        loop, ``center`` (all T), ``loops``, the smaller number of switches, and ``polarity``, 1 if a
        rising field makes the layers parallel, else -1.
    """
    rows = {}
    for file, own in steps.groupby("file", sort=False):
        row: dict[str, float] = {}
        counts = []
        for branch, way in (("upwards", 1.0), ("downwards", -1.0)):
            events = own[(own["upwards"] == way) & (own["switched"] > 0.0)]
            place = way * 0.5 * (events["start_T"] + events["stop_T"]).to_numpy(dtype=np.float64)
            weight = events["switched"].to_numpy(dtype=np.float64)
            row[branch] = float(np.average(place, weights=weight))
            square = np.average((place - row[branch]) ** 2, weights=weight)
            row[f"{branch}_deviation"] = float(np.sqrt(square * weight.sum() / (weight.sum() - 1.0)))
            counts.append(int(weight.sum()))
        row["coercive"] = 0.5 * (row["upwards"] - row["downwards"])
        row["center"] = 0.5 * (row["upwards"] + row["downwards"])
        polarity = float((own["towards_p"] * own["upwards"]).iloc[0])
        rows[str(file)] = {**row, "loops": min(counts), "polarity": polarity}
    return pd.DataFrame(rows).T


class FieldScale(NamedTuple):
    """Mean coercive field of loops, and the field that shifts them, positive towards P; T."""

    coercive: float
    offset: float


def field_scale(loops: pd.DataFrame) -> FieldScale:
    """Scale of the fields of loops, from rows of `mtjchar.stackfit.data.field_steps.steps_of`."""
    fields = coercive_fields(loops)
    # The center of a loop is where the applied field cancels the other one.
    offset = -fields["polarity"] * fields["center"]
    return FieldScale(
        *(float(np.average(field, weights=fields["loops"])) for field in (fields["coercive"], offset))
    )


def scatter(steps: pd.DataFrame, log_stays: FloatArray) -> pd.DataFrame:
    """Compare the scatter of switching fields with that of the model.

    Parameters
    ----------
    steps : DataFrame
        Rows of `steps_of`.
    log_stays : ndarray
        Of these rows, see `log_staying`.

    Returns
    -------
    DataFrame
        One row per file: ``ratio`` of the standard deviations, near 1 if the model is right, and ``events``,
        the number of switches.
    """
    own = steps.assign(log=log_stays, place=0.5 * (steps["start_T"] + steps["stop_T"]))
    keys = ["file", "towards_p", "sweep_rate_T_per_s", *(["temperature_K"] if "temperature_K" in own else [])]
    rows = []
    for (file, *_), branch in own.groupby(keys, dropna=False):
        ordered = branch.sort_values("start_T")
        log, place, count = (
            ordered[name].to_numpy(dtype=np.float64) for name in ("log", "place", "switched")
        )
        if count.sum() < LEAST_EVENTS:
            continue
        leaves = np.exp(np.cumsum(log) - log) * -np.expm1(log)
        observed, expected = (
            float(np.average((place - np.average(place, weights=weights)) ** 2, weights=weights))
            for weights in (count, leaves)
        )
        events = float(count.sum())
        rows.append({"file": str(file), "events": events, "excess": events * observed / expected})
    total = pd.DataFrame(rows, columns=["file", "events", "excess"]).groupby("file").sum()
    return total.assign(ratio=np.sqrt(total["excess"] / total["events"]))[["ratio", "events"]]
