"""Checks of the results of a fit: misfit and its causes, implausible and undetermined values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.physics.anisotropy import TEMPERATURE_RANGE
from mtjchar.stackfit.checks.loops import check_loops
from mtjchar.stackfit.checks.resistance import check_resistance
from mtjchar.stackfit.diagnosis import SYSTEMATIC, Diagnosis, Finding
from mtjchar.stackfit.exchange import Exchange, exchange
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.likelihood import tail_probability
from mtjchar.stackfit.other_law import other_law
from mtjchar.stackfit.parameters import DIRECTIONAL, directional_name, names_of
from mtjchar.stackfit.problem import pulse_temperatures
from mtjchar.stackfit.result import StackFit
from mtjchar.stackfit.terms import terms_for
from mtjchar.stackfit.wafer import IN_STACK
from mtjchar.units import compact

__all__ = ["check_fit", "likely"]

_EXPONENT = 0.1  # by which exponents of films differ
_FAR = 10.0  # factor between a fitted value and the film's
_SMOOTH = 1e-6  # probability of such a small deviance
_SPOKEN = 3  # causes of one place that are listed with their size
_PLACES = 2


def check_fit(fit: StackFit) -> list[str]:
    """Return the messages about the results of a fit."""
    other = exchange(fit.problem, fit.vector)
    messages = [
        *_dispersed(fit, other), *_torque_law(fit), *_swapped(fit, other), *_too_good(fit), *_film(fit),
        *check_resistance(fit), *check_loops(fit), *_wafer_resistance(fit), *_hot(fit),
    ]  # fmt: skip
    absent = {parameter.name for parameter in fit.left_out}
    for name, remedy in fit.undetermined.items():
        kept = "and keeps its value" if name in fit.problem.fixed else "and was left out of the fit"
        without = f" {kept}" if name in absent else ""
        messages.append(f"{name} is not determined by these data{without}; measure {remedy}")
    return messages


def _hot(fit: StackFit) -> list[str]:
    """Say how much the stability depends on an exponent of the stack, if it converted hot rows."""
    film, at_fit = fit.problem.model.film, fit.problem.temperature
    hottest = float(np.max(pulse_temperatures(fit.problem), initial=at_fit))
    if film is None or hottest <= TEMPERATURE_RANGE[1] or hottest == at_fit:
        return []
    if "anisotropy_exponent" in fit.values:
        return []
    exponent = film.stack.anisotropy_exponent
    other = replace(film, stack=film.stack.model_copy(update={"anisotropy_exponent": exponent + _EXPONENT}))
    fitted = float(np.mean([fit.values[name] for name in names_of("stability") if name in fit.values]))
    as_measured = _stability_at(film, fitted, hottest)
    # The stability at one temperature is linear in that at another one, as both are in Ki.
    low, high = (_stability_at(other, share * fitted, hottest) for share in (1.0, 2.0))
    moved = (as_measured - low) / (high - low)
    return [
        f"rows at {hottest:g} K were converted to {at_fit:g} K by the exponents of the stack, which are not "
        f"fitted. With an anisotropy_exponent of {exponent + _EXPONENT:.3g} instead of {exponent:.3g} the "
        f"stability would be {100.0 * abs(moved):.2g} % {'larger' if moved > 0.0 else 'smaller'}. "
        f'--temperature "{hottest:g} K" gives the values as measured'
    ]


def _stability_at(film: Film, stability: float, temperature: float) -> float:
    """Stability at a temperature, K, of a film with a stability at that of the fit."""
    device = film.nominal()._replace(stability=np.asarray(stability))
    return float(film.device(film.film(device), temperature).stability)


def _dispersed(fit: StackFit, other: Exchange | None) -> list[str]:
    """Describe the departure of the data from the model, and its possible causes."""
    diagnosis = fit.diagnosis
    if not diagnosis.alarm:
        return []
    points = fit.points()
    worst = points.iloc[int(points["residual"].abs().to_numpy().argmax())]
    message = (
        f"the model does not describe the data: deviance {fit.dispersion:.3g} times what is expected "
        f"(p-value {diagnosis.chance:.1g}), worst residual {worst['residual']:+.1f} standard errors in "
        f"{worst['file']}, line {worst['line']}"
    )
    if not diagnosis.systematic:
        return [message + _by_source(points) + ". " + _scattered(diagnosis)]
    swapped = _look_swapped(fit, other)
    causes = "Likely cause: the directions are swapped" if swapped else likely(diagnosis)
    pattern = f". {diagnosis.pattern[:1].upper()}{diagnosis.pattern[1:]}" if diagnosis.pattern else ""
    compare = "; --terms auto (compare_terms) fits such effects as terms of the model"
    more = compare if terms_for(fit.problem) else ""
    return [f"{message}{pattern}{_by_source(points)}. {causes}{more}. {SYSTEMATIC.capitalize()}"]


def _torque_law(fit: StackFit) -> list[str]:
    """Say that the other torque law describes the data far better."""
    if not fit.diagnosis.poor:
        return []
    begin = np.array([fit.params[name].init_value for name in fit.problem.free])
    other = other_law(fit.problem, (fit.vector, begin), fit.deviance)
    if other is None or not other.better:
        return []
    return [
        f"a torque per {other.law} describes the data far better: after a short fit its deviance is "
        f"{other.deviance:.4g}, that of the torque per {fit.problem.model.law} is {other.kept:.4g}. "
        f'Give the stack torque = "{other.law}"'
    ]


def likely(diagnosis: Diagnosis) -> str:
    """Sentence about the likely causes of a pattern, the best ones first."""
    if not diagnosis.places and diagnosis.scatter:
        return "No known cause explains the pattern; for the scatter, likely causes are " + "; or ".join(
            diagnosis.scatter
        )
    if not diagnosis.places:
        return "None of the known causes explains it; the device may not be one rigid magnetization"
    first, *more = diagnosis.places[:_PLACES]
    share = max(finding.explained for finding in first)
    share_words = f"{100.0 * share:.3g} % of the excess deviance"
    lead = f"Likely cause: {_alternatives(first)}; this would explain {share_words}"
    if len(first) > 1:
        lead = (
            f"Likely causes, which these data do not distinguish: {_alternatives(first)}; each would explain "
            f"about {share_words}"
        )
    rest = "".join(
        f". Less likely: {_alternatives(place)} ({100.0 * place[0].explained:.3g} %)" for place in more
    )
    return lead + rest


def _alternatives(place: tuple[Finding, ...]) -> str:
    words = [finding.words for finding in place[:_SPOKEN]]
    keys = [finding.key for finding in place[_SPOKEN:]]
    return "; or ".join(words) + (f"; or also {', '.join(keys)}" if keys else "")


def _scattered(diagnosis: Diagnosis) -> str:
    if not diagnosis.scatter:
        return "The noise is larger than stated"
    return "The residuals scatter more than stated, without a pattern. Likely cause: " + "; or ".join(
        diagnosis.scatter
    )


def _too_good(fit: StackFit) -> list[str]:
    smaller = 1.0 - tail_probability(fit.deviance, fit.expected_deviance, fit.deviance_scale)
    if fit.problem.rows < 10 or smaller > _SMOOTH:
        return []
    return [
        "the data agree with the model better than chance allows, deviance "
        f"{fit.dispersion:.2g} times what is expected: are the trials and errors as stated, or are these "
        "smoothed or simulated values?"
    ]


def _by_source(points: pd.DataFrame) -> str:
    """Describe which files or devices deviate, and in which direction."""
    for column in ("device", "file"):
        if column in points and points[column].nunique() > 1:
            means = points.groupby(column)["residual"].mean().round(1)
            return f"; mean residual by {column}: " + ", ".join(
                f"{name} {value:+g}" for name, value in means.items()
            )
    return ""


def _look_swapped(fit: StackFit, other: Exchange | None) -> bool:
    """Whether exchanged directions describe the data far better than anything else."""
    if other is None or not (other.better and fit.diagnosis.alarm):
        return False
    rivals = [finding.deviance for place in fit.diagnosis.places for finding in place]
    return other.deviance < min(rivals, default=np.inf)


def _swapped(fit: StackFit, other: Exchange | None) -> list[str]:
    """Warn if the data fit as well, or much better, with the directions exchanged."""
    if other is None:
        return []
    if _look_swapped(fit, other):
        return [
            f"the directions look swapped: with p_to_ap and ap_to_p exchanged the deviance falls from "
            f"{other.kept:.4g} to {other.deviance:.4g}; check the polarity of the pulses and the labels"
        ]
    if not other.as_well:
        return []
    values = ", ".join(
        f"{parameter.name} {other.values[parameter.name]:.4g} {parameter.unit}".rstrip()
        for parameter in fit.problem.parameters
        if parameter.name in other.different
    )
    return [
        "the directions may be swapped: with p_to_ap and ap_to_p exchanged the data fit as well, with "
        f"{values}; these data do not show which direction is which, so check the polarity of the pulses and "
        "the labels"
    ]


def _film(fit: StackFit) -> list[str]:
    """Fitted values that are implausible for the film, or that no film has."""
    film, values, messages = fit.film, fit.values, []
    currents = [
        values[name]
        for name in (directional_name("critical_current", direction) for direction in DIRECTIONS)
        if name in values
    ]
    if len(currents) == 2 and currents[0] < 0.98 * currents[1]:
        messages.append(
            f"the critical current of p_to_ap, {compact(currents[0], 'A', 4)}, is below that of ap_to_p, "
            f"{compact(currents[1], 'A', 4)}, though the torque is the weaker one in P: the directions may "
            "be swapped, or a stray field acts"
        )
    if film is None:
        return messages
    nominal = film.nominal()
    for root in DIRECTIONAL:
        expected = float(getattr(nominal, root))
        for name in [parameter.name for parameter in fit.problem.parameters if parameter.root == root]:
            factor = fit.params[name].value / expected
            if not 1.0 / _FAR < factor < _FAR:
                messages.append(
                    f"{name} comes out {factor:.3g} times that of the stack: is a unit wrong by a factor "
                    "(durations, amplitudes), or the diameter?"
                )
    for derived, row in fit.derived().iterrows():
        name = str(derived)
        if name in names_of("spin_polarization") and not row["value"] < 1.0:
            messages.append(
                f"{name} would be {row['value']:.3g}, above 1: critical current, damping and diameter do not "
                "go together"
            )
        if name in names_of("damping") and not 1e-4 < row["value"] < 0.5:
            messages.append(
                f"{name} would be {row['value']:.3g}: relaxation time and stability do not go together"
            )
    return messages


def _wafer_resistance(fit: StackFit) -> list[str]:
    """Pulses in volts of one device, with the mean resistance of many."""
    wafer, pulses = fit.wafer, fit.problem.pulses
    if wafer is None or pulses is None or not pulses.voltage.any():
        return []
    spreads = {
        name: float(wafer.parameters["relative"][name])
        for name in IN_STACK
        if name in wafer.parameters.index and name not in fit.problem.free
    }
    if not spreads:
        return []
    words = " and ".join(f"{name} (standard deviation {spread:.1%})" for name, spread in spreads.items())
    return [
        f"pulses in V take the wafer's mean {words}; one device has its own, which the standard errors leave "
        f"out: add R-V of the device and vary {' and '.join(spreads)}"
    ]


def _heated(fit: StackFit) -> list[str]:
    """Temperatures of heated junctions beyond those for which the laws of a film are made."""
    groups = [group for group in (fit.problem.pulses, fit.problem.thresholds) if group is not None]
    if "thermal_resistance_area" not in fit.values or not groups:
        return []
    hottest = max(float(fit.problem.model.hottest(fit.values, group).max()) for group in groups)
    limit = TEMPERATURE_RANGE[1]
    if hottest <= limit:
        return []
    return [
        f"the fit heats junctions up to {hottest:.0f} K before they switch, beyond the {limit:g} K up to "
        "which the temperature laws of a stack are meant: leave the largest powers out, or give the stack "
        "measured values over temperature"
    ]
