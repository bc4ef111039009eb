"""Checks of loops: impossible fields before a fit; scatter, conflicts with pulses, and moment after it."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.stackfit.data.field_steps import FieldSteps
from mtjchar.stackfit.loops import coercive_fields, scatter
from mtjchar.stackfit.minimize import inverse
from mtjchar.stackfit.problem import Problem
from mtjchar.stackfit.result import StackFit
from mtjchar.stackfit.search import minimize_solved
from mtjchar.units import compact

__all__ = ["check_loops", "check_plausible_fields"]

_SCATTER = 0.3  # relative difference from the model's above which a message appears
_COERCIVE = (5e-4, 5.0)  # T, without a film
_COERCIVE_OVER_FILM = (0.02, 5.0)  # over the film's anisotropy field
_UNLIKELY = 1e-3  # probability below which a message appears
_FAR = 5.0  # standard errors


def check_plausible_fields(problem: Problem) -> None:
    """Check that coercive fields are possible for the film, or for any junction."""
    film = problem.model.film
    low, high = _COERCIVE
    allowed = f"{compact(low, 'T')} to {compact(high, 'T')}"
    if film is not None:
        field = float(film.anisotropy_field(film.nominal().stability))
        low, high = (share * field for share in _COERCIVE_OVER_FILM)
        allowed = (
            f"{compact(low, 'T', 3)} to {compact(high, 'T', 3)}, "
            f"for an anisotropy field of {compact(field, 'T', 3)} of the film"
        )
    for file, row in coercive_fields(problem.data.loops).iterrows():
        if not low <= row["coercive"] <= high:
            raise InputError(
                f"{file}: coercive field", value=compact(row["coercive"], "T", 3), allowed=allowed,
                remedy="Is the unit of the column right, and is this the device of the stack?",
            )  # fmt: skip


def check_loops(fit: StackFit) -> list[str]:
    """Messages about the loops of a fit; none if there are none."""
    if not len(fit.problem.data.loops):
        return []
    return [*_steps(fit), *_scatter(fit), *_shifted(fit), *_conflict(fit), *_moment(fit)]


def _steps(fit: StackFit) -> list[str]:
    steps = FieldSteps.of(fit.problem.data.loops, fit.problem.temperature)
    width = float(np.median(steps.stop - steps.start))
    fields = fit.coercive
    spread = float(fields[["upwards_deviation", "downwards_deviation"]].to_numpy().mean())
    if width <= spread:
        return []
    return [
        f"steps of {compact(width, 'T', 3)} are wider than the switching field scatters, "
        f"{compact(spread, 'T', 3)}: "
        "finer steps would determine the stability better"
    ]


def _scatter(fit: StackFit) -> list[str]:
    compared = scatter(fit.problem.data.loops, fit.problem.log_staying(fit.vector))
    # The standard deviation of n normal values is known to 1/sqrt(2 n).
    allowed = np.maximum(_SCATTER, _FAR / np.sqrt(2.0 * compared["events"]))
    return [
        f"{file}: the switching fields scatter {ratio:.2g} times as much as the model says: several devices, "
        "drift, or a reversal that is not coherent"
        for file, ratio in compared["ratio"][np.abs(compared["ratio"] - 1.0) > allowed].items()
    ]


def _shifted(fit: StackFit) -> list[str]:
    if "offset_field" in fit.problem.free:
        return []
    offset = fit.values["offset_field"]
    messages = []
    for file, row in fit.coercive.iterrows():
        error = np.hypot(row["upwards_deviation"], row["downwards_deviation"]) / 2.0 / np.sqrt(row["loops"])
        expected = -row["polarity"] * offset
        if abs(row["center"] - expected) > _FAR * error:
            messages.append(
                f"{file}: loops are centred at {compact(row['center'], 'T', 3)}, by the fit at "
                f"{compact(expected, 'T', 3)}: vary offset_field"
            )
    return messages


def _conflict(fit: StackFit) -> list[str]:
    """Whether loops and the other tables require different parameters.

    The joint deviance exceeds the sum of those of both alone like chi-square, with as many degrees
    of freedom as there are shared parameters (M. Maltoni, T. Schwetz, Phys. Rev. D 68, 033020 (2003),
    doi:10.1103/PhysRevD.68.033020).
    """
    problem = fit.problem
    others = tuple(kind for kind in problem.data.kinds if kind != "loops")
    if not set(others) & {"switching", "thresholds"}:
        return []
    alone, pulses = _Part.of(fit, ("loops",)), _Part.of(fit, others)
    shared = [name for name in alone.problem.free if name in pulses.problem.free]
    if not shared:
        return []
    rise = (fit.deviance - alone.deviance - pulses.deviance) / fit.inflation
    chance = float(stats.chi2.sf(max(rise, 0.0), len(shared)))
    if chance > _UNLIKELY:
        return []
    files = sorted(set(problem.data.loops["file"].astype(str)))
    asked = "; ".join(
        f"{name} {alone.words(name)} by the loops, {pulses.words(name)} by the others" for name in shared
    )
    remedy = (
        "another device or stack, or a reversal that is not coherent"
        if "anisotropy_field" in problem.free
        else "another device or stack, a reversal that is not coherent, or a wrong diameter or magnetization "
        "(anisotropy_field in vary leaves them open)"
    )
    return [
        f"loops ({', '.join(files)}) and the other tables do not go together: deviance {rise:.3g} above that "
        f"of both alone (by chance {chance:.1g}), alone they ask for {asked}: {remedy}"
    ]


@dataclasses.dataclass(frozen=True)
class _Part:
    """Some of the tables, fitted alone, starting from the joint best fit."""

    problem: Problem
    vector: FloatArray
    deviance: float
    error: FloatArray

    @classmethod
    def of(cls, fit: StackFit, kinds: tuple[str, ...]) -> _Part:
        whole = fit.problem
        # Loops determine at most the logarithm of the relaxation time.
        left_out = {"relaxation_time"} if kinds == ("loops",) else set()
        chosen = [
            k
            for k, parameter in enumerate(whole.parameters)
            if set(parameter.tables) & set(kinds) and parameter.root not in left_out
        ]
        problem = whole.only(kinds, [whole.parameters[k] for k in chosen], fit.vector)
        minimum = minimize_solved(problem, fit.vector[chosen])
        size = np.sqrt(np.diag(fit.covariance))[chosen] + 1e-12 * np.abs(fit.vector[chosen])
        error = size * np.sqrt(np.diag(inverse(minimum.jacobian * size)))
        return cls(problem, minimum.vector, minimum.square, error)

    def words(self, name: str) -> str:
        """Value with its standard error."""
        k = self.problem.free.index(name)
        return f"{self.vector[k]:.4g} ± {self.error[k]:.2g}"


def _moment(fit: StackFit) -> list[str]:
    """Whether stability and anisotropy field imply the moment of the junction."""
    film = fit.film
    if film is None or "anisotropy_field" not in fit.problem.free:
        return []
    derived = fit.derived().T["activation_volume_over_junction"]
    ratio, error = derived[["value", "standard_error"]].to_numpy(dtype=np.float64)
    own = float(film.with_values(fit.values).coherent_share(fit.values["stability"]))
    if 2.0 * stats.norm.sf(abs(ratio - own) / error) > _UNLIKELY:
        return []
    moment = film.volume * float(film.magnetization(film.temperature))
    return [
        f"stability and anisotropy field imply a moment of {ratio * moment:.3g} ± {error * moment:.2g} A m^2 "
        f"(stability = moment times field over 2 kT), {ratio:.3g} ± {error:.2g} times that of the junction, "
        f"{moment:.3g} A m^2: a reversal that is not coherent (an activation volume below the junction's), "
        f"or a wrong magnetization, thickness or diameter ({compact(film.diameter * np.sqrt(ratio), 'm', 3)} "
        "would agree)"
    ]
