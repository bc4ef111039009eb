r"""Comparison of models with and without terms: which terms the data ask for.

Terms are added one at a time (forward selection). Each further term starts at the best model so far, whose
correction of the table by the solver serves again: the table shows which terms can lower the deviance by
enough, and only those are fitted by the solver. Models are ranked by the extended Bayesian criterion [1]_,

.. math:: \mathrm{EBIC} = \mathrm{deviance} + k \ln n + 2 \ln \binom{P}{q},                  (1)

with k parameters, n rows, and q of the P terms that the data could show. Its last part accounts for the
choice among P terms: without it, about one of three good data sets would ask for a term that is not there, if
P is 12. A term is added as long as this lowers the criterion. Akaike's and the Bayesian criterion, and the
p-value of the likelihood ratio against the model without the term [2]_, are given beside it.

References
----------
.. [1] J. Chen, Z. Chen, Biometrika 95, 759 (2008), doi:10.1093/biomet/asn034, with gamma = 1.
.. [2] S. S. Wilks, Ann. Math. Stat. 9, 60 (1938), doi:10.1214/aoms/1177732360.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mtjchar.arrays import FloatArray
from mtjchar.stackfit.data.tables import Table
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.fit import solve
from mtjchar.stackfit.minimize import Minimum
from mtjchar.stackfit.problem import Correction, Problem
from mtjchar.stackfit.result import StackFit
from mtjchar.stackfit.search import (
    corrected,
    minimize_briefly,
    minimize_solved,
    minimize_table,
    search,
)
from mtjchar.stackfit.setup import set_up
from mtjchar.stackfit.terms import TERMS, Term, parameters_of, terms_for

__all__ = ["TermComparison", "compare_terms"]

_BASE = "no further term"
_CLOSE = 15.0  # of the criterion: models of the table that are so close to the best one are solved
# Fall of the table's deviance, over the one that a term needs, from which on a model is solved. The table is
# off by at most a factor of two in -ln WER.
_HOPE = 0.25
_LEADS = 2  # starting points from which a minimization is completed


@dataclass(frozen=True)
class TermComparison:
    """Models with and without terms, and the fit of the best one.

    Attributes
    ----------
    table : DataFrame
        One row per model, best first; the index names its terms. Columns: ``parameters``, ``deviance``,
        ``aic``, ``bic``, ``ebic``, ``likelihood_ratio_p`` (against the model without its last term, NaN for
        the first model) and ``solved`` (whether the deviance is that of the Fokker-Planck solver; others are
        close to it).
    terms : tuple of str
        Terms that the data ask for.
    fit : StackFit
        With these terms.
    """

    table: pd.DataFrame
    terms: tuple[str, ...]
    fit: StackFit

    def answer(self) -> dict[str, Any]:
        """Return the comparison as plain numbers and text, for JSON."""
        rows = self.table.astype(object).where(self.table.notna(), None)
        return {"chosen": list(self.terms), "models": rows.to_dict(orient="index")}

    def report(self) -> str:
        """Describe the comparison in words."""
        lines = ["[[Terms]]"]
        if self.terms:
            words = "; ".join(f"{TERMS[name].words} ({name})" for name in self.terms)
            lines.append(f"    the data ask for {words}")
        else:
            lines.append("    the data ask for no further term")
        lines.append(f"    {'model':<44} {'k':>2} {'deviance':>9} {'AIC':>9} {'BIC':>9} {'EBIC':>9}  p-value")
        for name, row in self.table.iterrows():
            chance = row["likelihood_ratio_p"]
            lines.append(
                f"    {name:<44} {row['parameters']:2.0f} {row['deviance']:9.5g} {row['aic']:9.5g} "
                f"{row['bic']:9.5g} {row['ebic']:9.5g}  {'' if np.isnan(chance) else f'{chance:.1e}'}"
            )
        lines.append(
            "    k: fitted parameters; EBIC: BIC with a penalty for the choice among terms, the lowest is "
            "best; p-value: of the last term, by the likelihood ratio"
        )
        return "\n".join(lines)


class _Model(NamedTuple):
    """A model of some terms, at its minimum."""

    terms: tuple[str, ...]
    problem: Problem
    minimum: Minimum
    chance: float  # p-value of the last term
    solved: bool
    known: Correction | None = None  # of the model without the last term, NaN for its parameters

    @property
    def values(self) -> dict[str, float]:
        """Free parameters at the minimum."""
        return dict(zip(self.problem.free, map(float, self.minimum.vector), strict=True))


def compare_terms(
    tables: Sequence[Table],
    film: Film | None = None,
    *,
    vary: Sequence[str] | None = None,
    per_direction: Sequence[str] = (),
    start: Mapping[str, float] | None = None,
    terms: Iterable[str] | None = None,
    intervals: bool = True,
    progress: Callable[[str], None] | None = None,
) -> TermComparison:
    """Find the terms that the data ask for, and fit the model with them.

    Parameters
    ----------
    tables, film, vary, per_direction, start, intervals
        As for `mtjchar.stackfit.fit_stack`.
    terms : iterable of str, optional
        Names of `mtjchar.stackfit.TERMS` to choose from; default: all that the data can show. Terms with a
        parameter in `start` keep its value.
    progress : callable, optional
        Called with the terms of each model before it is fitted.

    Returns
    -------
    TermComparison

    Raises
    ------
    InputError
        As for `mtjchar.stackfit.fit_stack`, and for unknown terms.
    """
    given, known = dict(start or {}), None if terms is None else set(terms)
    parameters_of(sorted(known or ()))
    setup = set_up(tables, film, vary, per_direction, given)
    roots = list(dict.fromkeys(parameter.root for parameter in setup.problem.parameters))
    best = _Model((), setup.problem, search(setup.problem, setup.start, 3), np.nan, True)
    choice = [
        term
        for term in terms_for(best.problem)
        if (known is None or term.name in known) and not given.keys() & set(term.parameters)
    ]
    seen = {best.terms: best}
    while True:
        models, own = [], corrected(best.problem, best.minimum).correction
        assert isinstance(own, Correction)  # `corrected` makes one
        for term in choice:
            if term.name not in best.terms:
                if progress is not None:
                    progress(" + ".join([*best.terms, term.name]))
                varied = [*roots, *parameters_of([*best.terms, term.name])]
                values = {**given, **best.values}
                wider = set_up(tables, film, varied, per_direction, values)
                models.append(_screened(best, own, term, wider.problem, wider.start))
        models = _solved(models, best, len(choice))
        seen.update({model.terms: model for model in models})
        top = min([best, *models], key=lambda model: _criterion(model, len(choice)))
        if top is best:
            break
        best = top
    varied = [*roots, *parameters_of(best.terms)]
    final = set_up(tables, film, varied, per_direction, {**given, **best.values})
    fit = solve(final, intervals=intervals, best=best.minimum)
    return TermComparison(_table(seen.values(), len(choice)), best.terms, fit)


def _screened(
    best: _Model, own: Correction, term: Term, problem: Problem, first: Mapping[str, float]
) -> _Model:
    """Minimum with one more term by the table, with the correction of the model without the term."""
    places = [problem.free.index(name) for name in best.problem.free]
    slope = np.full((problem.rows, len(problem.free)), np.nan)
    slope[:, places] = own.slope
    center = np.array([first[name] for name in problem.free])
    center[places] = own.center
    known = Correction(center, own.shift, slope)
    wider = problem.corrected(known._replace(slope=np.nan_to_num(slope)))
    brief = [minimize_briefly(wider, start) for start in _starts(term, problem, center)]
    leads = sorted(brief, key=lambda minimum: minimum.square)[:_LEADS]
    minima = [minimize_table(wider, lead.vector) for lead in leads]
    lowest = min(minima, key=lambda minimum: minimum.square)
    return _Model((*best.terms, term.name), problem, lowest, _chance(best, problem, lowest), False, known)


def _chance(best: _Model, problem: Problem, minimum: Minimum) -> float:
    """Return the p-value of the last term, by the likelihood ratio."""
    fall = max(best.minimum.square - minimum.square, 0.0)
    return float(stats.chi2.sf(fall, len(problem.free) - len(best.problem.free)))


def _starts(term: Term, problem: Problem, center: FloatArray) -> list[FloatArray]:
    """Points to start from: the other parameters at their values, those of the term at several."""
    own = [k for k, parameter in enumerate(problem.parameters) if parameter.root in term.parameters]
    tries = []
    for k in own:
        low, high = problem.bounds[problem.free[k]]
        tries.append(np.unique(np.clip([center[k], *problem.parameters[k].search], low, high)))
    starts = []
    for values in itertools.product(*tries):
        vector = center.copy()
        vector[own] = values
        starts.append(vector)
    return starts


def _solved(models: Sequence[_Model], best: _Model, choice: int) -> list[_Model]:
    """Return the same models, by the solver those that can be better than the best one so far."""
    least = min((_criterion(model, choice) for model in models), default=np.inf)
    return [
        _by_solver(model, best)
        if _criterion(model, choice) < least + _CLOSE and _has_hope(model, best, choice)
        else model
        for model in models
    ]


def _has_hope(model: _Model, best: _Model, choice: int) -> bool:
    """Whether the deviance by the table falls enough for the term to be worth a fit by the solver."""
    fall = best.minimum.square - model.minimum.square
    needed = fall + _criterion(model, choice) - _criterion(best, choice)
    return fall > _HOPE * needed


def _by_solver(model: _Model, best: _Model) -> _Model:
    minimum = minimize_solved(model.problem, model.minimum.vector, model.known)
    chance = _chance(best, model.problem, minimum)
    return model._replace(minimum=minimum, chance=chance, solved=True)


def _criterion(model: _Model, choice: int) -> float:
    """Return the extended Bayesian criterion."""
    parameters, rows = len(model.minimum.vector), max(model.problem.rows, 1)
    # [1], eq. (1) of this module
    chosen = math.log(math.comb(choice, len(model.terms)))
    return model.minimum.square + parameters * math.log(rows) + 2.0 * chosen


def _table(models: Iterable[_Model], choice: int) -> pd.DataFrame:
    rows = {
        " + ".join(model.terms) or _BASE: {
            "parameters": len(model.minimum.vector),
            "deviance": model.minimum.square,
            "aic": model.minimum.square + 2.0 * len(model.minimum.vector),
            "bic": model.minimum.square + len(model.minimum.vector) * math.log(max(model.problem.rows, 1)),
            "ebic": _criterion(model, choice),
            "likelihood_ratio_p": model.chance,
            "solved": model.solved,
        }
        for model in models
    }
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("ebic")
