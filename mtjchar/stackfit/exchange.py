"""Fit of the data with the two directions exchanged."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.stackfit.cause_fits import World, minimize
from mtjchar.stackfit.causes import Rows
from mtjchar.stackfit.parameters import directional_name
from mtjchar.stackfit.problem import Data, Problem
from mtjchar.stackfit.search import minimize_solved, put, without_spreads

__all__ = ["Exchange", "exchange"]

_AS_WELL = 4.0  # deviance
_FALL, _BETTER = 25.0, 0.5  # of the deviance, above which the labels look wrong
_HOPELESS = 200.0  # deviance above that of the fit for which the table is sufficient
_DIFFERENT = 2.0  # standard errors
_CURRENTS = (0.7, 1.0, 1.4)  # using the resistance of the other state changes the current


@dataclass(frozen=True)
class Exchange:
    """Best fit with the directions exchanged.

    Attributes
    ----------
    deviance, kept : float
        With the directions exchanged and as labelled, both by the solver; by the table of error rates
        if that shows that the exchanged directions are far worse.
    values : dict
        Free parameters with the directions exchanged.
    different : tuple of str
        Parameters that differ from those of the fit by more than two standard errors.
    """

    deviance: float
    kept: float
    values: dict[str, float]
    different: tuple[str, ...]

    @property
    def better(self) -> bool:
        """Whether the labels look wrong."""
        return self.deviance < min(self.kept - _FALL, _BETTER * self.kept)

    @property
    def as_well(self) -> bool:
        """Whether the data do not show which direction is which, although the values depend on it."""
        as_well = self.kept - _FALL < self.deviance < self.kept + _AS_WELL
        return bool(self.different) and as_well


def exchange(problem: Problem, vector: FloatArray) -> Exchange | None:
    """Fit with the directions exchanged; None if the data do not have both.

    Parameters
    ----------
    problem : Problem
    vector : ndarray
        Free parameters at the lowest deviance.
    """
    # Devices that are equal show whether exchanged directions are far worse, in a ninth of the time.
    equal, places = without_spreads(problem)
    world = World.of(equal, vector[places])
    if len({bool(reverse) for rows in world.blocks for reverse in rows.pulses.reverse}) < 2:
        return None
    unchanged, _ = _fitted(world, False, [world.best])
    deviance, found = _fitted(world, True, _starts(equal, world.best))
    exchanged = put(vector, places, found)
    if deviance < unchanged + _HOPELESS:
        best = minimize_solved(_exchanged(problem), exchanged)
        unchanged = float(np.sum(problem.residuals(vector) ** 2))
        deviance, exchanged = best.square, best.vector
    values = dict(zip(problem.free, map(float, exchanged), strict=True))
    error = put(np.full(len(vector), np.inf), places, np.maximum(world.unit, 1e-12))
    different = tuple(
        name for k, name in enumerate(problem.free) if abs(exchanged[k] - vector[k]) > _DIFFERENT * error[k]
    )
    forward, backward = (
        values.get(directional_name("critical_current", direction)) for direction in DIRECTIONS
    )
    if forward is not None and backward is not None and forward < 0.98 * backward:
        # The torque is weaker in P: this is no better guess than the labels.
        different = ()
    return Exchange(deviance, unchanged, values, different)


def _fitted(world: World, exchanged: bool, starts: list[FloatArray]) -> tuple[float, FloatArray]:
    # The correction of the table belongs to the labelled directions: neither fit uses it.
    blocks = tuple(_turned(rows) if exchanged else _plain(rows) for rows in world.blocks)
    other = dataclasses.replace(world, blocks=blocks)
    low, high = ((limit - world.best) / world.unit for limit in world.limits)
    minima = [
        minimize(
            lambda x: other.residuals(world.best + world.unit * x),
            (start - world.best) / world.unit,
            low,
            high,
        )
        for start in starts
    ]
    x, square = min(minima, key=lambda minimum: minimum[1])
    return square, world.best + world.unit * x


def _exchanged(problem: Problem) -> Problem:
    other = dict(zip(DIRECTIONS, reversed(DIRECTIONS), strict=True))
    data = Data(
        *(
            rows.assign(direction=rows["direction"].map(other)) if "direction" in rows else rows
            for rows in problem.data
        )
    )
    return problem.with_data(data)


def _plain(rows: Rows) -> Rows:
    return dataclasses.replace(rows, correction=np.ones_like(rows.correction))


def _turned(rows: Rows) -> Rows:
    return dataclasses.replace(
        _plain(rows), pulses=dataclasses.replace(rows.pulses, reverse=~rows.pulses.reverse)
    )


def _starts(problem: Problem, vector: FloatArray) -> list[FloatArray]:
    """Points from which the exchanged data are fitted: values are transferred to the other direction."""
    values = dict(zip(problem.free, vector, strict=True))
    turned = vector.copy()
    opposite: dict[str, str] = dict(zip(DIRECTIONS, reversed(DIRECTIONS), strict=True))
    for k, parameter in enumerate(problem.parameters):
        if parameter.direction is not None:
            name = directional_name(parameter.root, opposite[parameter.direction])
            turned[k] = values.get(name, vector[k])
        if parameter.root == "offset_field":
            turned[k] = -vector[k]
    asymmetries = (None, 1.0, 1.3) if "slonczewski_lambda" in problem.free else (None,)
    volts = any(rows is not None and rows.voltage.any() for rows in (problem.pulses,))
    starts: list[FloatArray] = []
    for factor, asymmetry, base in itertools.product(
        _CURRENTS if volts else (1.0,), asymmetries, (turned, vector)
    ):
        start = base.copy()
        for k, parameter in enumerate(problem.parameters):
            if parameter.root == "critical_current":
                start[k] *= factor
            if parameter.root == "slonczewski_lambda" and asymmetry is not None:
                start[k] = asymmetry
        if not any(np.array_equal(start, other) for other in starts):
            starts.append(start)
    return starts
