"""Terms of the model beyond one macrospin with ideal pulses: their parameters, and the data that show them.

Each term can be left out, fixed or fitted. It is absent by default. It is present if one of its parameters
varies, has a starting value, or is in the stack. Models with and without a term are nested.
`mtjchar.stackfit.comparison` compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtjchar.errors import InputError, did_you_mean
from mtjchar.stackfit.problem import Problem
from mtjchar.stackfit.pulses import Pulses

__all__ = ["TERMS", "Term", "parameters_of", "terms_for"]

_SAME_ORDER = 0.9  # correlation above which a drift cannot be told from an effect of the pulses


@dataclass(frozen=True)
class Term:
    """A term of the model.

    Attributes
    ----------
    name : str
    words : str
        The effect, for a report.
    parameters : tuple of str
        Names of its parameters in `mtjchar.stackfit.PARAMETERS`.
    shows : callable
        Whether the data of a problem can show the term.
    needs_film : bool
        Whether the term needs the film of a stack.
    whole : bool
        Whether the term needs all of its parameters.
    """

    name: str
    words: str
    parameters: tuple[str, ...]
    shows: Callable[[Problem], bool]
    needs_film: bool = False
    whole: bool = False


def _has_pulses(problem: Problem) -> bool:
    return bool(_groups(problem))


def _has_counts(problem: Problem) -> bool:
    return problem.pulses is not None and not np.all(problem.pulses.at_rest)


def _has_volts(problem: Problem) -> bool:
    return any(np.any(group.voltage & ~group.at_rest) for group in _groups(problem))


def _has_power(problem: Problem) -> bool:
    return problem.model.film is not None and _has_pulses(problem)


def _has_order(problem: Problem) -> bool:
    """Whether rows have an order that is not that of their amplitudes, durations or temperatures."""
    for group in _groups(problem):
        if group.order is None:
            continue
        pulses = [np.log(group.duration), group.amplitude, group.temperature]
        if all(np.ptp(x) == 0.0 or abs(np.corrcoef(group.order, x)[0, 1]) < _SAME_ORDER for x in pulses):
            return True
    return False


def _has_both_directions(problem: Problem) -> bool:
    directions = {direction for group in _groups(problem) for direction in group.directions}
    return len(directions) == 2 and (problem.model.film is not None or "anisotropy_field" in problem.fixed)


def _has_both_directions_in_volts(problem: Problem) -> bool:
    return _has_both_directions(problem) and _has_volts(problem)


def _has_asymmetry(problem: Problem) -> bool:
    return _has_both_directions(problem) and problem.model.law == "current"


def _has_temperatures(problem: Problem) -> bool:
    film = problem.model.film
    if film is None or film.stack.unused_exponents:
        return False
    return len(np.unique(np.concatenate([np.empty(0), *_column(problem, "temperature")]))) > 1


def _has_diameters(problem: Problem) -> bool:
    known = [column for column in _column(problem, "diameter") if column is not None]
    return len(np.unique(np.concatenate([np.empty(0), *known]))) > 1


def _column(problem: Problem, name: str) -> list[Any]:
    return [getattr(group, name) for group in (problem.pulses, problem.thresholds) if group is not None]


def _groups(problem: Problem) -> list[Pulses]:
    """Return the groups of rows with pulses, without groups that have only bits at rest."""
    both = problem.pulses, problem.thresholds
    return [group for group in both if group is not None and not np.all(group.at_rest)]


_TABLE = (
    Term("dead_time", "pulses that are shorter or longer than stated", ("dead_time",), _has_pulses),
    Term("rise_time", "slow edges of the pulses", ("rise_time",), _has_pulses),
    Term("series_resistance", "a resistance before the junction", ("series_resistance",), _has_volts),
    Term("missed_writes", "writes that never switch", ("missed_writes",), _has_counts),
    Term(
        "false_switches", "writes that count as switched before the pulse", ("false_switches",), _has_counts
    ),
    Term(
        "critical_current_spread",
        "critical currents that differ over an array",
        ("critical_current_spread",),
        _has_counts,
    ),
    Term("stability_spread", "stabilities that differ over an array", ("stability_spread",), _has_counts),
    Term("drift", "a critical current that drifts during the measurement", ("drift",), _has_order),
    Term("offset_field", "an offset field", ("offset_field",), _has_both_directions),
    Term("torque_asymmetry", "a torque that depends on the angle", ("slonczewski_lambda",), _has_asymmetry),
    Term(
        "self_heating",
        "heating of the junction by the pulse",
        ("thermal_resistance_area", "thermal_time"),
        _has_power,
        needs_film=True,
        whole=True,
    ),
    Term(
        "back_hopping",
        "bits that are lost again at high amplitudes",
        ("back_hopping_current", "back_hopping_stability"),
        _has_counts,
        whole=True,
    ),
    Term(
        "temperature_laws",
        "an anisotropy and a polarization that follow other powers of the magnetization",
        ("anisotropy_exponent", "polarization_exponent"),
        _has_temperatures,
        needs_film=True,
    ),
    Term(
        "second_barrier",
        "the torque of a second barrier in series",
        ("second_torque", "series_resistance"),
        _has_both_directions_in_volts,
        needs_film=True,
    ),
    Term(
        "sub_volume",
        "a reversal by a domain wall in large junctions",
        ("exchange_stiffness",),
        _has_diameters,
    ),
)

TERMS: Mapping[str, Term] = {term.name: term for term in _TABLE}
"""Terms by their names."""


def parameters_of(names: Sequence[str]) -> list[str]:
    """Parameters of terms.

    Raises
    ------
    InputError
        For a name that is not a term.
    """
    for name in names:
        if name not in TERMS:
            raise InputError("terms", value=name, allowed=", ".join(TERMS), remedy=did_you_mean(name, TERMS))
    return list(dict.fromkeys(parameter for name in names for parameter in TERMS[name].parameters))


def terms_for(problem: Problem) -> list[Term]:
    """Terms that the data of a problem can show and that the problem does not have yet."""
    roots = {parameter.root for parameter in problem.parameters}
    return [term for term in _TABLE if term.shows(problem) and not set(term.parameters) <= roots]
