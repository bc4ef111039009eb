"""Terms of a fit that its data do not determine: they are left out, so that they do not stall the search.

A parameter without an effect on the data, or with the same effect as others, leaves a valley without an end.
Derivatives there are rounding errors, and steps along them lead nowhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from mtjchar.stackfit.minimize import Minimum, inverse
from mtjchar.stackfit.parameters import Parameter
from mtjchar.stackfit.problem import Problem, optional_values
from mtjchar.stackfit.search import lowest, minimize_table, rivals, scales, table_minima
from mtjchar.stackfit.terms import TERMS

__all__ = ["search_determined"]

_RESOLVED = 3e-4  # part of a derivative that no other parameter gives; central differences are off by 1e-4
_WORTHLESS = 0.5  # relative standard error
_REACH = 1.96  # standard errors
_LEAST_RISE = 2.0  # of the deviance for each parameter, above which Akaike's criterion asks for it


def search_determined(
    problem: Problem, first: Mapping[str, float], count: int, given: Mapping[str, float]
) -> tuple[Problem, Minimum, tuple[Parameter, ...]]:
    """Find the lowest deviance without the terms that the data do not determine.

    Parameters
    ----------
    problem, first, count
        As of `mtjchar.stackfit.search.search`.
    given : mapping
        Values that parameters keep if they are left out.

    Returns
    -------
    problem : Problem
        Without the parameters that are left out: they have the given values, or those of the stack, or
        their effects are absent.
    minimum : Minimum
    left_out : tuple of Parameter
        A parameter of a term is left out if its standard error is above half of its value, if its interval
        leaves the bounds of the search, or if other parameters have the same effect; and if the deviance
        by the table rises by less than 2 without it, or by 2 for each parameter that needs the other.
    """
    whole, minima = problem, table_minima(problem, first, count)
    minimum, asked, left_out = minima[0], set[str](), list[Parameter]()
    while names := _undetermined(problem, minimum, asked):
        kept = [k for k, name in enumerate(problem.free) if name not in names]
        less = _without(problem, names, given)
        lower = minimize_table(less, minimum.vector[kept])
        if lower.square > minimum.square + _LEAST_RISE * len(names):
            asked |= names
            continue
        left_out += [parameter for parameter in problem.parameters if parameter.name in names]
        problem, minimum = less, lower
    if left_out:
        kept = [k for k, name in enumerate(whole.free) if name in problem.free]
        minima = rivals([minimum, *(minimize_table(problem, other.vector[kept]) for other in minima[1:])])
    return problem, lowest(problem, [minimum.vector for minimum in minima]), tuple(left_out)


def _undetermined(problem: Problem, minimum: Minimum, asked: set[str]) -> set[str]:
    """Parameters to leave out next: that with the largest uncertainty, and the rest of its term."""
    size = scales(problem, minimum.vector)
    slope = minimum.jacobian * size
    length = np.linalg.norm(slope, axis=0)
    # Standard errors over those of each parameter alone: they are large where parameters have equal effects.
    unit = np.where(length > 0.0, length, 1.0)
    shared = np.sqrt(np.diag(inverse(slope / unit)))
    error = shared * size / unit
    found = []
    for k, parameter in enumerate(problem.parameters):
        if not parameter.optional or parameter.name in asked:
            continue
        place = minimum.vector[k]
        low, high = problem.bounds[parameter.name]
        vague = not parameter.zero_is_result and error[k] > _WORTHLESS * abs(place)
        low_end = place - _REACH * error[k] < low and low != parameter.physical_minimum
        open_ = low_end or place + _REACH * error[k] > high
        if length[k] == 0.0 or shared[k] > 1.0 / _RESOLVED or vague or open_:
            found.append((np.inf if length[k] == 0.0 else error[k] / size[k], parameter.name))
    if not found:
        return set()
    name = max(found)[1]
    whole = [term.parameters for term in TERMS.values() if term.whole and name in term.parameters]
    return {name, *(other for others in whole for other in others)} & set(problem.free)


def _without(problem: Problem, names: set[str], given: Mapping[str, float]) -> Problem:
    """Return the problem without some parameters."""
    others = tuple(parameter for parameter in problem.parameters if parameter.name not in names)
    known = {**optional_values(problem.model.film), **given}
    # A term that needs all of its parameters is absent unless all of them are known.
    parts = {
        name
        for term in TERMS.values()
        if term.whole and not set(term.parameters) <= set(known)
        for name in term.parameters
    }
    kept = {name: value for name, value in known.items() if name in names - parts}
    return dataclasses.replace(problem, parameters=others, fixed={**problem.fixed, **kept})
