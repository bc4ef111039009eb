"""Short fit of the data with the other torque law, for data that the law of the stack does not describe."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.physics.torque import TorqueLaw
from mtjchar.stackfit.problem import Problem
from mtjchar.stackfit.search import approached, bounds_of, minimize_table, put, without_spreads

__all__ = ["OtherLaw", "other_law"]

_CURRENTS = (0.7, 1.0, 1.4)  # critical currents of the laws differ by the efficiency of the torque
_FALL, _BETTER = 25.0, 0.5  # of the deviance, above which the other law is far better


class OtherLaw(NamedTuple):
    """A fit with the other torque law, near that with the law of the stack.

    Attributes
    ----------
    law : {"voltage", "current"}
    deviance : float
        Its deviance by the solver, near its minimum.
    kept : float
        Deviance with the law of the stack.
    """

    law: TorqueLaw
    deviance: float
    kept: float

    @property
    def better(self) -> bool:
        """Whether the other law describes the data far better."""
        return self.deviance < min(self.kept - _FALL, _BETTER * self.kept)


def other_law(problem: Problem, vectors: Sequence[FloatArray], deviance: float) -> OtherLaw | None:
    """Fit with the other torque law, from some points; None if the laws cannot be exchanged.

    Parameters
    ----------
    problem : Problem
    vectors : sequence of ndarray
        Free parameters at the end of the fit, and where it started: an end with the wrong law can be far off.
    deviance : float
        At the end of the fit, by the solver.

    Notes
    -----
    Nothing is searched: the table's minima near these points, then few steps of
    `mtjchar.stackfit.search.approached`. The true minimum can only be lower.
    """
    asymmetric = problem.fixed.get("slonczewski_lambda", 1.0) != 1.0 or "slonczewski_lambda" in problem.free
    if problem.model.film is None or asymmetric or not (problem.pulses or problem.thresholds):
        return None
    law: TorqueLaw = "current" if problem.model.law == "voltage" else "voltage"
    model = dataclasses.replace(problem.model, torque=law)
    other = dataclasses.replace(problem, model=model, correction=None)
    equal, places = without_spreads(other)
    starts = []
    for vector, factor in itertools.product(vectors, _CURRENTS):
        start = vector[places].copy()
        for k, parameter in enumerate(equal.parameters):
            if parameter.root == "critical_current":
                start[k] *= factor
        starts.append(start)
    minima = [minimize_table(equal, np.clip(start, *bounds_of(equal).T)) for start in starts]
    best = min(minima, key=lambda minimum: minimum.square)
    end, _ = approached(other, put(vectors[0], places, best.vector))
    return OtherLaw(law, float(np.sum(other.solved_residuals(end) ** 2)), deviance)
