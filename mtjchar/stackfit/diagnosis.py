"""Test of the residuals of a fit for patterns, and their likely causes.

A cause is a departure from the model with one size (`mtjchar.stackfit.causes`). The model is fitted again
with it, including all free parameters; the fall of the deviance measures how much the cause explains. A
pattern is tested in the same way by a shift of the log-odds of some rows: one direction, durations or
amplitudes beyond a value, a file, rows late in a file. Both are likelihood-ratio tests [1]_; with remaining
scatter they are F tests. Their p-values are multiplied by the number of tests (Bonferroni), so that a fit of
good data causes an alarm in at most one of a thousand cases.

References
----------
.. [1] P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed. (1989), 4.4 and 4.5.
.. [2] A. Wald, J. Wolfowitz, Ann. Math. Stat. 11, 147 (1940), doi:10.1214/aoms/1177731909: runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.stackfit.cause_fits import World, fit_size, look
from mtjchar.stackfit.cause_list import causes_of
from mtjchar.stackfit.causes import Cause, Setting
from mtjchar.stackfit.likelihood import tail_probability
from mtjchar.stackfit.patterns import Pattern, patterns_of, runs_chance
from mtjchar.stackfit.problem import Data, Problem

__all__ = ["FALSE_ALARMS", "SYSTEMATIC", "Diagnosis", "Finding", "diagnose"]

FALSE_ALARMS = 1e-3
"""Largest false-alarm rate of all tests together, for a fit that describes its data."""

SYSTEMATIC = "systematic deviations: intervals are not 95 % intervals"
"""Label of the intervals of a fit whose residuals have a pattern."""

_SHARES = {"deviance": 0.25, "causes": 0.5, "patterns": 0.25}  # of the false alarms
_TIE = 6.0  # deviance below which data do not distinguish two causes
_LOOK = 12.0  # fall of the deviance to first order above which a cause is fitted
_FITTED = 30  # causes, at most
_OUTLIER = 4.5  # standard errors
_OUTLIERS = 0.1  # share of rows
_SCATTERED = 3.0  # remaining dispersion above which scatter is taken for uneven
_ROBUST = 12.0  # square of a normal value, by chance 5e-4


@dataclass(frozen=True)
class Finding:
    """A cause, fitted.

    Attributes
    ----------
    key : str
        Kind of the cause.
    words : str
        The cause with its size.
    deviance : float
        Remaining deviance with the cause.
    explained : float
        Share of the deviance above its expectation that the cause explains.
    chance : float
        Probability of such a large fall for good data, times the number of causes.
    """

    key: str
    words: str
    deviance: float
    explained: float
    chance: float


@dataclass(frozen=True)
class Diagnosis:
    """Result of the tests of residuals.

    Attributes
    ----------
    deviance, expected : float
        Of the fit, and on average for good data.
    chance : float
        Probability of such a large deviance.
    pattern : str
        Description of the deviating rows; empty if no pattern is significant.
    places : tuple of tuple of Finding
        Causes, best first; the data do not distinguish those of one place.
    scatter : tuple of str
        Causes of scatter, best first, if the deviance is too large and no cause of a pattern is found.
    """

    deviance: float
    expected: float
    chance: float
    pattern: str
    places: tuple[tuple[Finding, ...], ...]
    scatter: tuple[str, ...]

    @property
    def systematic(self) -> bool:
        """Whether the residuals have a pattern: intervals are then not 95 % intervals, however wide."""
        return bool(self.pattern or self.places)

    @property
    def poor(self) -> bool:
        """Whether the deviance is larger than for good data."""
        return self.chance < FALSE_ALARMS * _SHARES["deviance"]

    @property
    def alarm(self) -> bool:
        """Whether anything is wrong."""
        return self.poor or self.systematic


def diagnose(problem: Problem, vector: FloatArray) -> Diagnosis:
    """Test the residuals of a fit, and find possible causes of their pattern.

    Parameters
    ----------
    problem : Problem
    vector : ndarray
        Free parameters at the lowest deviance.
    """
    world = World.of(problem, vector)
    expected = world.expected
    chance = tail_probability(world.deviance, expected, world.deviance_scale)
    good = Diagnosis(world.deviance, expected, chance, "", (), ())
    if not world.blocks or world.rows <= len(vector) + 1:
        return good
    causes = _causes(world)
    scatter = _scatter(world) if good.poor else []
    if causes and scatter and _explains_more(world, scatter[0][0], causes[0]):
        return dataclasses.replace(good, scatter=tuple(words for _, words in scatter))
    pattern = _pattern(world)
    places = _places([*causes, *_outliers(world)], world) if causes or pattern else ()
    return dataclasses.replace(
        good,
        pattern=pattern or (_strongest(world) if causes else ""),
        places=places,
        scatter=() if causes else tuple(words for _, words in scatter),
    )


def _explains_more(world: World, scatter: float, cause: Finding) -> bool:
    """Whether uneven scatter alone is more likely than a cause with even scatter."""
    factor = cause.deviance / max(world.expected, 1.0)
    return factor > 1.0 and scatter + _TIE < world.telling * (np.log(factor) + 1.0)


# ---- causes ----


def _significance(world: World, before: float, after: float) -> float:
    """Probability of such a large fall of the deviance by one parameter, given the scatter."""
    freedom = max(world.expected - 1.0, 1.0)
    fall = max(before - after, 0.0)
    if after > freedom:
        return float(stats.f.sf(fall / (after / freedom), 1.0, freedom))
    return float(stats.chi2.sf(fall, 1.0))


def _causes(world: World) -> list[Finding]:
    """Causes that describe the data better than chance allows; only the best variant of each."""
    if all(np.all(block.pulses.at_rest) for block in world.blocks):
        return []  # the causes are faults of pulses
    causes = causes_of(world.problem, world.blocks)
    looks = [(*look(world, cause, cause.tries), cause) for cause in causes]
    chosen = sorted((entry for entry in looks if entry[0] > _LOOK), key=lambda entry: -entry[0])[:_FITTED]
    findings: dict[str, Finding] = {}
    allowed = FALSE_ALARMS * _SHARES["causes"]
    for _, start, cause in chosen:
        square, size = fit_size(world, cause, start)
        chance = min(1.0, len(causes) * _significance(world, world.deviance, square))
        if chance > allowed:
            continue
        if cause.key not in findings or square < findings[cause.key].deviance:
            findings[cause.key] = Finding(
                cause.key, cause.words(size), square, _explained(world, square), chance
            )
    return sorted(findings.values(), key=lambda finding: finding.deviance)


def _explained(world: World, left: float) -> float:
    least = min(world.expected, left)
    return float(np.clip((world.deviance - left) / max(world.deviance - least, 1e-9), 0.0, 1.0))


def _places(findings: Sequence[Finding], world: World) -> tuple[tuple[Finding, ...], ...]:
    """Group the causes that the data do not distinguish."""
    places: list[list[Finding]] = []
    for finding in sorted(findings, key=lambda finding: finding.deviance):
        noise = max(1.0, places[-1][0].deviance / max(world.expected, 1.0)) if places else 1.0
        if places and finding.deviance - places[-1][0].deviance < _TIE * noise:
            places[-1].append(finding)
        else:
            places.append([finding])
    return tuple(map(tuple, places))


def _outliers(world: World) -> list[Finding]:
    """Find a few wrong rows; the remaining deviance has a penalty for their choice."""
    kept = np.ones(world.rows, dtype=bool)
    most = max(1, int(_OUTLIERS * world.rows))
    residual, vector = world.residual, world.best.copy()
    for _ in range(most):
        worst = int(np.argmax(np.where(kept, np.abs(residual), 0.0)))
        if abs(residual[worst]) < _OUTLIER:
            break
        kept[worst] = False
        for _ in range(4):
            slopes = world.slopes(vector, world.unit)[kept]
            step, *_ = np.linalg.lstsq(slopes, -residual[kept], rcond=1e-10)
            vector = np.clip(vector + world.unit * step, *world.limits)
            residual = world.residuals(vector)
    dropped = int((~kept).sum())
    if not dropped or abs(residual[kept]).max() > _OUTLIER:
        return []
    left = float(residual[kept] @ residual[kept])
    penalized = left + dropped * (1.0 + 2.0 * np.log(world.rows))
    if penalized > world.deviance:
        return []
    named = ", ".join(_row_names(world.problem.data, np.flatnonzero(~kept))[:3])
    words = f"{dropped} row{'s' if dropped > 1 else ''} that {'are' if dropped > 1 else 'is'} wrong ({named})"
    return [Finding("outliers", words, penalized, _explained(world, penalized), 0.0)]


def _row_names(data: Data, rows: Sequence[int] | IndexArray) -> list[str]:
    names = [
        f"{row.get('file', 'data')}, line {row.get('line', k + 1)}"
        for table in data
        for k, row in enumerate(table.to_dict("records"))
    ]
    return [names[int(k)] for k in rows]


# ---- patterns and scatter ----


def _pattern(world: World) -> str:
    """Describe the rows that lie above or below the model, if that is significant."""
    patterns = patterns_of(world.blocks, world.expected_share)
    allowed = FALSE_ALARMS * _SHARES["patterns"] / (len(patterns) + 2)
    looks = sorted(
        ((*look(world, pattern, ()), pattern) for pattern in patterns), key=lambda entry: -entry[0]
    )
    for fall, start, pattern in looks[:4]:
        if fall < _LOOK:
            break
        square, _ = fit_size(world, pattern, start)
        if _significance(world, world.deviance, square) < allowed and _steady(world, pattern, square):
            return _strongest(world)
    runs = [
        words for words, chance in runs_chance(world.blocks, world.residual, world.mean) if chance < allowed
    ]
    return runs[0] if runs else ""


def _steady(world: World, pattern: Pattern, left: float) -> bool:
    """Whether a pattern is one of many rows, with remaining scatter: that of each row may differ."""
    if left < _SCATTERED * world.expected:
        return True
    step = 0.05
    slope = world.away(world.residuals(world.best, pattern, pattern.size(step)) - world.base)
    # H. White, Econometrica 48, 817 (1980), doi:10.2307/1912934: a variance for residuals of unequal ones.
    square = float(slope @ world.base) ** 2 / max(float(np.sum((slope * world.base) ** 2)), 1e-300)
    return square > _ROBUST


def _strongest(world: World) -> str:
    """Describe the group of rows whose mean residual explains most of the deviance."""
    groups = [
        (pattern.words, pattern.group)
        for pattern in patterns_of(world.blocks, world.expected_share)
        if pattern.group is not None
    ]
    if not groups:
        return ""
    pulses = world.residual[: len(groups[0][1])]
    words, group = max(groups, key=lambda entry: pulses[entry[1]].sum() ** 2 / entry[1].sum())
    mean = float(pulses[group].mean())
    return (
        f"{words} lie {'above' if mean > 0.0 else 'below'} the model ({int(group.sum())} rows, mean residual "
        f"{mean:+.1f} standard errors)"
    )


def _scatter(world: World) -> list[tuple[float, str]]:
    """Causes of scatter, best first, by -2 ln of the likelihood of normal residuals with its variance."""
    square = world.residual**2
    factor = world.deviance / max(world.expected, 1.0)
    trials = (
        world.telling * (np.log(factor) + 1.0),
        f"fewer trials than stated, about one of {factor:.3g} (shots counted more than once)",
    )
    step = 1e-4
    slope = (_shaken(world, 1.0 + step) - _shaken(world, 1.0 - step)) / (2.0 * step)
    sizes = np.geomspace(1e-4, 0.2, 60)
    variance = 1.0 + (sizes[:, None] * slope) ** 2
    likelihood = np.sum(np.log(variance) + square / variance, axis=1)
    best = int(np.argmin(likelihood))
    amplitudes = (
        float(likelihood[best]),
        f"amplitudes that differ from row to row by about {100.0 * sizes[best]:.2g} % (settings that do not "
        "repeat)",
    )
    return sorted([trials, amplitudes, *((finding.deviance, finding.words) for finding in _outliers(world))])


def _shaken(world: World, factor: float) -> FloatArray:
    def effect(size: float, at: Setting) -> FloatArray:
        return at.rate(pulses=at.pulses.at(at.pulses.amplitude * size))

    cause = Cause("", str, effect, 1.0, (0.0, 2.0))
    return world.residuals(world.best, cause, factor)
