"""Fits of spoiled data name the cause, fits of good data name none."""

import dataclasses
import functools
import re
import warnings

import numpy as np
import pytest
from stackfit_cases import FILM, TRUTH, fit_stack_quietly

from mtjchar.stackfit import FitWarning, fit_stack, pulses_at, table_of
from mtjchar.stackfit.cause_fits import World
from mtjchar.stackfit.cause_list import causes_of
from mtjchar.stackfit.diagnosis import FALSE_ALARMS, SYSTEMATIC, diagnose
from mtjchar.stackfit.exchange import exchange
from mtjchar.stackfit.model import SwitchingModel, log_exponent_at
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses

DURATIONS, LEVELS = np.geomspace(1e-9, 1e-6, 5), (0.9, 0.95, 1.0, 1.05, 1.12, 1.3)
VALUES = {**nominal_values(FILM), **TRUTH}


def design(current=False):
    middle = pulses_at(FILM, DURATIONS, [0.5], values=VALUES, current=current)
    rows = middle.loc[middle.index.repeat(len(LEVELS))].reset_index(drop=True)
    column = "current_A" if current else "amplitude_V"
    rows[column] *= np.tile(LEVELS, len(middle))
    return rows


@pytest.fixture(scope="module")
def volts():
    return design()


@pytest.fixture(scope="module")
def good(volts):
    """Fit of good data."""
    return fitted(counted(volts, rates(volts), 9))


@pytest.fixture(scope="module")
def spoiled(volts):
    """Fits of spoiled data, by cause, made once."""

    @functools.cache
    def fit(cause):
        return fitted(counted(volts, SPOILED[cause](volts), 1))

    return fit


@pytest.fixture(scope="module")
def amperes():
    return design(current=True)


def rates(rows, values=None, **change):
    """Exact error rates of pulses that differ from what the table says."""
    pulses = dataclasses.replace(Pulses.of(rows, 300.0), **change)
    return SwitchingModel(FILM).solved_error_rate({**VALUES, **(values or {})}, pulses)


def counted(rows, rate, seed, trials=10_000):
    switched = np.random.default_rng(seed).binomial(trials, np.clip(1.0 - rate, 0.0, 1.0))
    return rows.assign(trials=trials, switched=switched)


def fitted(rows, **options):
    return fit_stack_quietly([table_of(rows)], FILM, starts=1, intervals=False, **options)


def named(fit, places=2):
    """Kinds of the causes of the first places."""
    return [one.key for place in fit.diagnosis.places[:places] for one in place]


def wider(rows, factor):
    return rates(rows, amplitude=rows["amplitude_V"].to_numpy() * factor)


def shorter(rows, by):
    return rates(rows, duration=rows["duration_s"].to_numpy() - by)


def late(rows):
    return np.linspace(0.0, 1.0, len(rows))


SPOILED = {
    "pulse duration": lambda rows: shorter(rows, 1e-10),
    "two populations": lambda rows: 0.5 * (wider(rows, 0.95) + wider(rows, 1.05)),
    "drift": lambda rows: wider(rows, 1.0 + 0.02 * late(rows)),
    "stuck bits": lambda rows: 0.01 + 0.99 * rates(rows),
    "read errors": lambda rows: 0.01 + 0.98 * rates(rows),
    "torque asymmetry": lambda rows: rates(rows, {"slonczewski_lambda": 1.2}),
    "offset field": lambda rows: rates(rows, {"offset_field": 5e-3}),
}


@pytest.mark.parametrize("cause", SPOILED)
def test_the_cause_is_among_the_first_two(spoiled, cause):
    fit = spoiled(cause)
    assert cause in named(fit)
    assert "swapped" not in " ".join(fit.messages)
    assert fit.diagnosis.systematic
    assert fit.inflation == 1.0
    assert SYSTEMATIC in fit.report()


def test_the_size_of_a_cause_is_told(spoiled):
    # Analytic: the 0.1 ns that were put in; standard errors of the size are below 1 %.
    said = re.search(r"pulses ([\d.]+) ps shorter than stated", " ".join(spoiled("pulse duration").messages))
    assert said is not None
    assert float(said[1]) == pytest.approx(100.0, rel=0.05)


def test_the_pattern_says_which_rows_lie_where(spoiled):
    fit = spoiled("stuck bits")
    assert "Rows that should nearly always switch (above 99 %) lie below the model" in " ".join(fit.messages)
    fit = spoiled("torque asymmetry")
    # A stronger torque in AP: more of those writes switch.
    assert fit.diagnosis.pattern.startswith("AP->P rows")
    assert "above the model" in fit.diagnosis.pattern


def test_scatter_without_a_pattern_widens_the_intervals(volts):
    few = counted(volts, rates(volts), 4, trials=1000)
    fit = fitted(few.assign(trials=10_000, switched=10 * few["switched"]))
    assert not fit.diagnosis.systematic
    assert fit.inflation > 3.0
    assert "fewer trials than stated" in " ".join(fit.diagnosis.scatter[:2])
    message = " ".join(fit.messages)
    assert "without a pattern" in message
    assert SYSTEMATIC not in message


def test_a_wrong_row_is_named(volts):
    rows = counted(volts, rates(volts), 5)
    share = rows["switched"] / rows["trials"]
    wrong = int(np.flatnonzero((share > 0.1) & (share < 0.3))[0])
    rows.loc[wrong, "switched"] = rows.loc[wrong, "trials"] - rows.loc[wrong, "switched"]
    fit = fitted(rows)
    line = fit.points()["line"].iloc[wrong]
    assert f"1 row that is wrong (table.csv, line {line})" in " ".join(fit.messages)


@pytest.mark.parametrize("trials", [10_000, 50])
def test_good_counts_have_no_alarm(volts, trials):
    # Three fits with at most FALSE_ALARMS each: an alarm by chance in at most three of 1000 cases.
    assert 3 * FALSE_ALARMS <= 0.003
    rate = rates(volts)
    fits = [fitted(counted(volts, rate, [6, seed], trials)) for seed in range(3)]
    assert [fit.diagnosis.pattern for fit in fits if fit.diagnosis.alarm] == []


def test_good_thresholds_have_no_alarm(volts):
    rows = volts.iloc[LEVELS.index(1.0) :: len(LEVELS)].assign(probability=0.5)
    rng = np.random.default_rng(7)
    fits = [
        fitted(rows.assign(amplitude_V=rows["amplitude_V"] * (1.0 + 0.01 * rng.standard_normal(len(rows)))))
        for _ in range(2)
    ]
    assert [fit.diagnosis.pattern for fit in fits if fit.diagnosis.alarm] == []


def test_thresholds_of_short_pulses_name_the_duration(volts):
    # Thresholds of pulses that are 0.2 ns shorter than stated, read to 0.3 %.
    rows = volts.iloc[LEVELS.index(1.0) :: len(LEVELS)].copy()
    true = Pulses.of(rows.assign(duration_s=rows["duration_s"] - 2e-10), 300.0)
    amplitude = SwitchingModel(FILM).solved_threshold(VALUES, true, np.full(len(rows), log_exponent_at(0.5)))
    noise = 1.0 + 0.003 * np.random.default_rng(8).standard_normal(len(rows))
    rows = rows.assign(amplitude_V=amplitude * noise, amplitude_error_V=0.003 * amplitude, probability=0.5)
    assert {"pulse duration", "pulse edges"} & set(named(fitted(rows)))


def test_no_size_is_no_departure(good):
    """Every cause of size 0 is the model, and its unit changes rows of these data."""
    world = World.of(good.problem, good.vector)
    np.testing.assert_allclose(world.base, good.problem.residuals(good.vector), atol=1e-6)
    for cause in causes_of(good.problem, world.blocks):
        np.testing.assert_allclose(world.residuals(world.best, cause, 0.0), world.base, atol=1e-6)
        size = cause.unit if cause.bounds[1] > 0.0 else -cause.unit
        if cause.key != "clipping":
            assert np.abs(world.residuals(world.best, cause, size) - world.base).max() > 1e-4, cause.key


@pytest.mark.parametrize(
    ("key", "more"),
    [
        # More rows switch than with the model: residuals of the same counts fall.
        ("gain", True), ("amplitude offset", True), ("incomplete reset", True),
        ("pulse duration", False), ("pulse edges", False), ("series resistance", False),
        ("stuck bits", False), ("back-hopping", False),
    ],
)  # fmt: skip
def test_signs_of_causes(good, key, more):
    world = World.of(good.problem, good.vector)
    cause = next(one for one in causes_of(good.problem, world.blocks) if one.key == key)
    change = world.residuals(world.best, cause, cause.unit) - world.base
    assert (change.sum() < 0.0) == more


# ---- directions exchanged ----


OTHER = {"p_to_ap": "ap_to_p", "ap_to_p": "p_to_ap"}


def test_swapped_directions_in_amperes_with_a_stray_field(amperes):
    rows = counted(amperes, rates(amperes, {"offset_field": 0.01}), 10)
    rows = rows.assign(direction=rows["direction"].map(OTHER))
    fit = fitted(rows, vary=["stability", "critical_current", "relaxation_time", "offset_field"])
    assert fit.values["offset_field"] < -0.008
    other = exchange(fit.problem, fit.vector)
    assert other is not None
    # Exchanging the directions and the sign of the field is the same thing in amperes.
    assert other.deviance == pytest.approx(other.kept, abs=0.1)
    assert other.values["offset_field"] == pytest.approx(-fit.values["offset_field"], rel=0.02)
    assert "the directions may be swapped" in " ".join(fit.messages)


def test_values_per_direction_in_amperes(amperes):
    rows = counted(amperes, rates(amperes, {"offset_field": 0.01}), 11)
    fit = fitted(rows, per_direction=["stability"])
    assert "the directions may be swapped" in " ".join(fit.messages)


def test_directions_that_volts_tell_apart(volts):
    rows = counted(volts, rates(volts, {"offset_field": 0.005}), 12)
    vary = ["stability", "critical_current", "relaxation_time", "offset_field"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitWarning)
        fit_stack([table_of(rows)], FILM, starts=1, intervals=False, vary=vary)
    swapped = rows.assign(direction=rows["direction"].map(OTHER))
    for options in ({"vary": vary}, {"per_direction": ["stability"]}, {}):
        assert "the directions look swapped" in " ".join(fitted(swapped, **options).messages)


def test_an_asymmetric_torque_in_amperes_tells_the_directions(amperes):
    rows = counted(amperes, rates(amperes, {"slonczewski_lambda": 1.2}), 13)
    vary = ["stability", "critical_current", "relaxation_time", "slonczewski_lambda"]
    assert "swapped" not in " ".join(fitted(rows, vary=vary).messages)
    swapped = rows.assign(direction=rows["direction"].map(OTHER))
    assert "the directions look swapped" in " ".join(fitted(swapped, vary=vary).messages)


def test_fits_without_pulses_have_no_causes(good):
    alone = good.problem.only((), good.problem.parameters, good.vector)
    assert not diagnose(alone, good.vector).alarm
