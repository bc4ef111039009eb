"""Fits of a device and its film: what comes back, what the intervals hold, what is refused or warned of."""

import numpy as np
import pandas as pd
import pytest
from common import with_values
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from stackfit_cases import (
    DURATIONS,
    FAR,
    FILM,
    SHARES,
    STACK,
    TRUTH,
    counts,
    distances,
    fit_stack_quietly,
    study_of,
)

from mtjchar.cells.stt.device import draw_stacks
from mtjchar.errors import InputError
from mtjchar.physics import long_pulses
from mtjchar.stackfit import (
    Film,
    FitWarning,
    compare,
    fit_stack,
    fitted_stack,
    information_map,
    next_measurements,
    pulses_at,
    read_table,
    simulate_counts,
    table_of,
    write_stack,
)
from mtjchar.stackfit.film import Device, FilmValues
from mtjchar.stackfit.likelihood import deviance_moments, deviance_residuals, tail_probability
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses
from mtjchar.study import load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory


@pytest.fixture(scope="module")
def rows():
    return counts(1)


@pytest.fixture(scope="module")
def fit(rows):
    return fit_stack([table_of(rows)], FILM)


# ---- film, likelihood, model ----


@given(
    st.floats(15.0, 120.0),
    st.floats(1e-5, 2e-4),
    st.floats(3e-10, 5e-9),
    st.sampled_from([250.0, 300.0, 390.0]),
)
def test_film_and_device_are_one_for_one(stability, current, time, temperature):
    film = Film(with_values(STACK, interfacial_anisotropy=1.4e-3), 40e-9, temperature)
    device = Device(*map(np.asarray, (stability, current, time)))
    back = film.device(FilmValues(*film.film(device)), temperature)
    # No damping gives a relaxation time below 2/(gamma mu0 Hk).
    assert np.allclose(back, device, rtol=1e-9) or np.isnan(film.film(device).damping)


def test_film_meets_the_sampled_device():
    # The other way round through the study: mtjchar.cells.stt.device.derive, at 85 degC.
    study = load_study("data/studies/demo.toml")
    hot = study.with_(cell={"temperature": 358.15})
    device = Population(hot).nominal().iloc[0]
    found = Film(study.stack, 40e-9, 358.15).nominal()
    columns = ["thermal_stability", "critical_current_A", "relaxation_time_s"]
    assert [float(one) for one in found] == pytest.approx(device[columns].to_list(), rel=1e-12)


def test_deviance_is_the_likelihood():
    trials, switched = np.array([50.0, 200.0, 7.0, 9.0]), np.array([11.0, 180.0, 0.0, 9.0])
    rate = np.array([0.3, 0.2, 0.01, 0.4])  # of errors
    square = deviance_residuals(switched, trials, np.log(rate)) ** 2
    # Analytic: twice the logarithm of the likelihood over that of the observed shares.
    likelihood = stats.binom.logpmf(switched, trials, 1.0 - rate)
    saturated = stats.binom.logpmf(switched, trials, switched / trials)
    assert square == pytest.approx(2.0 * (saturated - likelihood), rel=1e-9)


def test_moments_of_the_deviance():
    trials, rate = np.array([1e4, 1e4, 30.0, 1e4]), np.array([0.5, 1e-4, 0.05, 1e-9])
    rng = np.random.default_rng(5)
    draws = rng.binomial(trials.astype(int), 1.0 - rate, (40_000, 4)).astype(float)
    square = deviance_residuals(draws, trials, np.log(rate)) ** 2
    mean, variance = deviance_moments(trials, np.log(rate))
    # Standard error of the means: sqrt(2/40000) = 0.007 at most 0.01; of the variances below 0.05.
    assert mean == pytest.approx(square.mean(axis=0), abs=0.06)
    assert variance == pytest.approx(square.var(axis=0), abs=0.3)


def test_tail_of_a_sum_of_few_counts():
    # 300 rows that switch once in a hundred sets: no chi-square, but one with the right two moments.
    trials, log_rate = np.full(300, 10.0), np.full(300, np.log1p(-1e-3))
    rng = np.random.default_rng(30)
    draws = rng.binomial(10, 1e-3, (4000, 300)).astype(float)
    deviance = (deviance_residuals(draws, trials, log_rate) ** 2).sum(axis=1)
    mean, variance = (one.sum() for one in deviance_moments(trials, log_rate))
    chance = np.array([tail_probability(one, mean, 0.5 * variance / mean) for one in deviance])
    # Of 4000 sets 40 are expected beyond 1 %; a chi-square of the same mean would have hundreds there.
    assert 5 < np.sum(chance < 0.01) < 110
    assert np.sum(stats.chi2.sf(deviance, mean) < 0.01) > 200


def test_current_drive_is_the_solver_itself():
    pulses = Pulses.of(
        pd.DataFrame({"current_A": [7e-5, 9e-5, 3e-5, 2.5e-5], "duration_s": [3e-9, 5e-9, 1e-6, 1.0]}), 300.0
    )
    nominal = nominal_values(FILM)
    i = pulses.amplitude / nominal["critical_current"]
    exact = long_pulses.write_error_rate(
        i, nominal["stability"], pulses.duration / nominal["relaxation_time"]
    )
    assert SwitchingModel(FILM).solved_error_rate(nominal, pulses) == pytest.approx(
        exact, rel=2e-3, abs=1e-12
    )


def test_voltages_of_a_junction():
    # Analytic: P to AP starts at V/R_P, AP to P at V/[R_P (1 + TMR(V))] with Lambda^2 = 2 times the torque.
    pulses = Pulses.of(
        pd.DataFrame({"amplitude_V": [0.5, 0.5], "duration_s": 1e-9, "direction": ["p_to_ap", "ap_to_p"]}),
        300.0,
    )
    values = {**nominal_values(FILM), "slonczewski_lambda": np.sqrt(2.0)}
    start, change, current = SwitchingModel(FILM).load_line(values, pulses, np.asarray(1e-4))
    parallel = 5e-12 / (0.25 * np.pi * 40e-9**2)
    assert start == pytest.approx([0.5 / parallel / 1e-4, 2.0 * 0.5 / (parallel * 1.62) / 1e-4])
    assert 1.0 + current == pytest.approx([1.0 / 1.62, 1.62])
    # At m_z = 0: mean of both conductances, and 2 Lambda^2/(Lambda^2 + 1) = 4/3 of the torque in P.
    middle = 0.5 * (1.0 + 1.0 / 1.62) * (4.0 / 3.0) * np.array([1.0, 1.62 / 2.0])
    assert 1.0 + 0.5 * change == pytest.approx(middle)


@pytest.mark.parametrize(("lambda_", "most"), [(1.0, 0.03), (1.2, 0.08)])
def test_table_and_solver_agree_on_load_lines(lambda_, most):
    values = {**nominal_values(FILM), "slonczewski_lambda": lambda_}
    pulses = Pulses.of(pulses_at(FILM, np.geomspace(1e-9, 1e-3, 7), SHARES, values=values), 300.0)
    model = SwitchingModel(FILM)
    error = np.exp(model.log_error_rate(values, pulses)) - model.solved_error_rate(values, pulses)
    # What is left a fit corrects at its end, by the solver.
    assert np.abs(error).max() < most


def test_threshold_is_where_the_share_switches():
    pulses = pulses_at(FILM, [1e-9, 1e-5], [0.01, 0.5, 0.99])
    rate = SwitchingModel(FILM).solved_error_rate(nominal_values(FILM), Pulses.of(pulses, 300.0))
    assert 1.0 - rate == pytest.approx([0.01, 0.5, 0.99] * 4, abs=1e-4)


# ---- what comes back ----


def test_parameters_come_back(fit):
    assert max(map(abs, distances(fit, TRUTH).values())) < FAR
    # Precise, or the distance would say nothing: 40 pulses of 1e4 writes.
    relative = fit.table()["standard_error"] / fit.table()["value"]
    assert relative.max() < 0.01
    # Deviance of 37 degrees of freedom outside of these by chance: 1e-9.
    low, high = stats.chi2.ppf([5e-10, 1.0 - 5e-10], 37)
    assert low < fit.deviance < high
    assert fit.messages == ()


def test_film_comes_back(fit):
    expected = FILM.film(Device(*map(np.asarray, TRUTH.values())))
    derived = fit.derived()
    for name, value in expected._asdict().items():
        row = derived.loc[name]
        assert abs(row["value"] - float(value)) < FAR * row["standard_error"]
    assert derived.loc["switching_efficiency", "value"] == pytest.approx(48.0 / 5.3e-5, rel=0.02)


def test_intervals_hold_the_truth():
    # 12 data sets; fewer than 4 of 12 intervals of a parameter hold it by chance at 4e-10 (binomial, 95 %);
    # scripts/fit_coverage.py counts 200.
    held = dict.fromkeys(TRUTH, 0)
    deviation = {name: [] for name in TRUTH}
    for seed in range(12):
        fit = fit_stack([table_of(counts(100 + seed))], FILM, starts=0)
        for name, row in fit.table().iterrows():
            held[name] += row["lower"] <= TRUTH[name] <= row["upper"]
            deviation[name].append((row["value"] - TRUTH[name]) / row["standard_error"])
    assert min(held.values()) >= 4
    # Bias below half a standard error; the mean of 12 is beyond 0.5 + 6.2/sqrt(12) by chance at 1e-9.
    assert max(abs(np.mean(one)) for one in deviation.values()) < 0.5 + FAR / np.sqrt(12.0)


def test_seconds_to_a_third_of_a_nanosecond():
    rng = np.random.default_rng(8)
    pulses = pulses_at(FILM, [0.3e-9, 3e-9, 1e-6, 1e-3, 1.0], SHARES, current=True, directions=["p_to_ap"])
    fit = fit_stack([table_of(simulate_counts(FILM, pulses, rng))], FILM)
    assert max(map(abs, distances(fit, nominal_values(FILM)).values())) < FAR


def test_all_tables_together():
    truth = {**nominal_values(FILM), **TRUTH, "slonczewski_lambda": 1.15, "tmr": 1.1, "tmr_half_bias": 0.55}
    rng = np.random.default_rng(11)
    voltage = np.linspace(0.02, 0.8, 10)
    parallel = 5e-12 / (0.25 * np.pi * 40e-9**2)
    antiparallel = parallel * (1.0 + 1.1 / (1.0 + (voltage / 0.55) ** 2))
    bias = pd.DataFrame(
        {
            "voltage_V": np.tile(voltage, 2), "state": ["P"] * 10 + ["AP"] * 10,
            "resistance_ohm": np.r_[np.full(10, parallel), antiparallel]
            * (1.0 + 0.003 * rng.normal(size=20)),
        }
    )  # fmt: skip
    threshold = pulses_at(FILM, np.geomspace(1e-8, 1e-4, 6), 0.5, values=truth)
    threshold["amplitude_V"] *= 1.0 + 0.005 * rng.normal(size=len(threshold))
    threshold["amplitude_error_V"] = 0.005 * threshold["amplitude_V"]
    names = [*TRUTH, "slonczewski_lambda", "resistance_area_product", "tmr", "tmr_half_bias"]
    tables = [table_of(counts(12, truth)), table_of(bias), table_of(threshold)]
    fit = fit_stack(tables, FILM, vary=names)
    assert max(map(abs, distances(fit, truth).values())) < FAR
    assert set(fit.points()["kind"]) == {"switching", "resistance", "threshold"}
    stack = fitted_stack(fit)
    assert stack.tmr == pytest.approx(1.1, rel=0.05)
    assert stack.slonczewski_lambda == pytest.approx(1.15, rel=0.05)


def test_several_temperatures():
    truth = nominal_values(FILM)
    pulses = pd.concat([pulses_at(FILM, DURATIONS, SHARES).assign(temperature_K=t) for t in (300.0, 358.15)])
    rows = simulate_counts(FILM, pulses.reset_index(drop=True), np.random.default_rng(13))
    fit = fit_stack([table_of(rows)], FILM)
    assert max(map(abs, distances(fit, truth).values())) < FAR


STUDY = """
stack = "{stack}"
[junction]
diameter = "40 nm"
[cell]
bitline = {{ resistance = "0.1 ohm", capacitance = "0 F" }}
sourceline = {{ resistance = "0.1 ohm", capacitance = "0 F" }}
[cell.transistor]
model = "ideal"
on_resistance = "0.1 ohm"
[pulse]
rise = "1 ps"
fall = "1 ps"
[sweep]
amplitude = {{ start = "0.3 V", stop = "3 V", points = 16 }}
duration = {{ start = "1 ns", stop = "100 ns", points = 5 }}
devices = 1
"""


def test_a_sweep_through_ngspice_comes_back(tmp_path):
    file = tmp_path / "study.toml"
    from pathlib import Path

    file.write_text(STUDY.format(stack=Path("data/stacks/ikeda2010.toml").resolve()))
    study = load_study(file)
    run_sweep(study, tmp_path / "run", workers=1)
    samples = RunDirectory.open(tmp_path / "run").samples()
    device = Population(study).nominal().iloc[0]
    truth = dict(
        zip(TRUTH, device[["thermal_stability", "critical_current_A", "relaxation_time_s"]], strict=True)
    )
    rate = samples["write_error_rate"].to_numpy()
    switched = np.random.default_rng(14).binomial(10_000, 1.0 - rate)
    rows = samples[["direction", "amplitude_V", "duration_s"]].assign(trials=10_000, switched=switched)
    fit = fit_stack([table_of(rows)], Film(study.stack, 40e-9))
    assert max(map(abs, distances(fit, truth).values())) < FAR
    assert fit.table()["standard_error"]["stability"] < 0.5


# ---- published points ----


def test_published_stack_2_is_one_macrospin():
    fit = fit_stack([read_table("data/published/hu2019_stack2.csv")])
    # Reading error 1 uA, six decades of time: chi-square of 10 degrees of freedom, rms below 1 uA.
    assert fit.probability > 0.05
    residual = fit.points()["residual"]
    assert np.sqrt(np.mean(residual**2)) < 1.0
    assert residual.abs().max() < 1.6
    assert not fit.undetermined
    # Least squares is not least maximum: at these values (regression) all points are within 1.15 uA.
    assert np.abs(fit.problem.residuals(np.array([116.2, 92.32e-6, 0.4455e-9]))).max() < 1.15


def test_published_stack_1_is_not():
    with pytest.warns(FitWarning, match="does not describe the data"):
        fit = fit_stack([read_table("data/published/hu2019_stack1.csv")])
    assert fit.dispersion > 10.0
    # Between the shortest and the longest pulses it lies on one side of the points, outside on the other.
    residual = fit.points()["residual"].to_numpy()
    assert np.sign(residual[np.abs(residual) > 0.5]).tolist() == [-1, 1, 1, 1, -1, -1, -1, 1]


# ---- what varies ----


def test_names_of_the_film_and_what_is_fixed():
    nominal = counts(15, nominal_values(FILM))
    fit = fit_stack([table_of(nominal)], FILM, vary=["interfacial_anisotropy", "spin_polarization"])
    assert fit.problem.free == ("stability", "critical_current")
    # The damping is kept, so that the relaxation time follows the stability: t_D Delta is constant.
    kept = fit.values["relaxation_time"] * fit.values["stability"]
    assert kept == pytest.approx(float(FILM.nominal().relaxation_time * FILM.nominal().stability))
    assert fit.derived().loc["damping", "value"] == pytest.approx(0.027, rel=1e-6)
    assert max(map(abs, distances(fit, nominal_values(FILM)).values())) < FAR


def test_polarization_kept():
    nominal = counts(16, nominal_values(FILM))
    fit = fit_stack([table_of(nominal)], FILM, vary=["stability", "damping"])
    assert fit.derived().loc["spin_polarization", "value"] == pytest.approx(0.62, rel=1e-6)


def test_one_value_in_each_direction():
    truth = {**TRUTH, "critical_current_p_to_ap": 6e-5, "critical_current_ap_to_p": 5e-5}
    fit = fit_stack([table_of(counts(17, truth))], FILM, per_direction=["critical_current"])
    assert set(fit.problem.free) == {
        "stability", "relaxation_time", "critical_current_p_to_ap", "critical_current_ap_to_p",
    }  # fmt: skip
    assert max(map(abs, distances(fit, truth).values())) < FAR
    assert fitted_stack(fit).slonczewski_lambda == pytest.approx(np.sqrt(6.0 / 5.0), rel=0.02)


def test_a_stray_field():
    truth = {**nominal_values(FILM), "offset_field": 0.008}
    names = [*TRUTH, "offset_field"]
    fit = fit_stack([table_of(counts(18, truth))], FILM, vary=names)
    assert max(map(abs, distances(fit, truth).values())) < FAR
    assert compare({"with": fit, "without": fit_stack_quietly([*fit.tables], FILM)}).index[0] == "with"


def test_nested_models(rows):
    table = [table_of(rows)]
    small, large = fit_stack(table, FILM), fit_stack(table, FILM, per_direction=["critical_current"])
    found = compare({"small": small, "large": large})
    # A parameter that is not needed lowers the deviance by more than 40 by chance at 3e-10.
    assert 0.0 <= found.loc["small", "deviance"] - found.loc["large", "deviance"] + 1e-3 < 40.0
    assert found.loc["small", "bic"] == pytest.approx(small.deviance + 3 * np.log(40))
    with pytest.raises(InputError, match="fits of the same tables"):
        compare({"one": small, "other": fit_stack([table_of(counts(19))], FILM, starts=0)})


def test_profile_of_a_nearly_normal_likelihood_is_the_usual_interval(fit):
    table = fit.table()
    half = 0.5 * (table["upper"] - table["lower"])
    assert half.to_numpy() == pytest.approx(1.96 * table["standard_error"].to_numpy(), rel=0.05)


def test_answers_of_a_fit(fit):
    rate = fit.error_rate("p_to_ap", [[0.2], [0.3]], [5e-9, 2e-8, 1e-7])
    lower, upper = fit.error_rate_interval("p_to_ap", [[0.2], [0.3]], [5e-9, 2e-8, 1e-7])
    assert rate.shape == (2, 3)
    assert np.all((lower < rate) & (rate < upper))
    assert set(fit.params) >= set(TRUTH)
    assert fit.params["stability"].stderr == pytest.approx(fit.table().loc["stability", "standard_error"])
    report = fit.report()
    for words in ("dispersion", "critical_current", "AIC", "spin_polarization"):
        assert words in report
    with pytest.raises(InputError, match="direction"):
        fit.error_rate("up", 0.3, 1e-9)
    with pytest.raises(InputError, match="amplitude"):
        fit.error_rate("p_to_ap", -0.3, 1e-9)


# ---- the next measurement ----


def test_next_measurement_narrows_as_foretold(rows, fit):
    plan = next_measurements(fit, "stability", points=3)
    assert list(plan["narrowing"]) == sorted(plan["narrowing"], reverse=True)
    # The stability is told by pulses longer than those there are.
    assert (plan["duration_s"] > DURATIONS.max()).all()
    more = simulate_counts(
        FILM, plan[["direction", "amplitude_V", "duration_s"]], np.random.default_rng(25), values=TRUTH
    )
    after = fit_stack([table_of(rows), table_of(more)], FILM)
    error = after.table().loc["stability", "standard_error"]
    assert error == pytest.approx(plan["standard_error"].iloc[-1], rel=0.1)


def test_planned_pulses_are_no_far_extrapolation(fit):
    # Analytic: the documented factor. A pulse of a third of the shortest duration would need more.
    largest = max(table["amplitude_V"].max() for table in fit.problem.data[:2] if len(table))
    plan = next_measurements(fit, "relaxation_time", points=3)
    assert plan["amplitude_V"].max() <= 1.5 * largest


def test_map_of_the_next_measurement(fit):
    table = information_map(
        fit,
        "critical_current",
        direction="p_to_ap",
        durations=np.array([1e-9, 1e-8]),
        amplitudes=np.linspace(0.05, 1, 20),
    )
    assert len(table) == 40
    assert table["narrowing"].max() <= 1.0
    # Where everything or nothing switches a count tells nothing.
    assert table.loc[table["probability"] < 1e-8, "narrowing"].min() > 0.999
    with pytest.raises(InputError, match="parameter: got 'colour'"):
        next_measurements(fit, "colour")


# ---- the stack file ----


@pytest.fixture(scope="module")
def file(fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("fit") / "fitted.toml"
    write_stack(fit, path, reference="tester 4, lot 12")
    return path


def test_stack_file_goes_into_a_study(fit, file, tmp_path):
    import tomllib

    text = file.read_text(encoding="utf-8")
    content = tomllib.loads(text)
    assert content["reference"] == "tester 4, lot 12"
    assert content["fit"]["data"][0]["sha256"] == fit.tables[0].sha256
    assert "damping = " in text.split("\n[fit]")[0]
    assert "# fitted, see [fit]" in text
    study = study_of(file.parent, 'diameter = 0.02\nfit = "fitted.toml"')
    device = Population(study).nominal().iloc[0]
    assert device["thermal_stability"] == pytest.approx(fit.values["stability"], rel=1e-9)
    assert device["critical_current_A"] == pytest.approx(fit.values["critical_current"], rel=1e-9)
    assert device["relaxation_time_s"] == pytest.approx(fit.values["relaxation_time"], rel=1e-9)
    # Written out in full it needs no other file.
    whole = tmp_path / "whole.toml"
    whole.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(whole) == study


def test_stacks_are_drawn_from_the_covariance(file):
    study = study_of(file.parent, 'diameter = 0.02\nfit = "fitted.toml"')
    draws = draw_stacks(study.tables, study.sweep.seed, 16)
    assert {name: len(values) for name, values in draws.items()} == {
        "interfacial_anisotropy": 16, "spin_polarization": 16, "damping": 16,
    }  # fmt: skip
    # In the directions of the covariance: 48 normal values; chi-square outside of these by chance 1e-9.
    deviation = np.array(list(draws.values())).T - np.array(study.variability.fit.values)
    square = np.einsum("dj,jk,dk->", deviation, np.linalg.inv(study.variability.fit.covariance), deviation)
    low, high = stats.chi2.ppf([5e-10, 1.0 - 5e-10], 48)
    assert low < square < high
    devices = Population(study).draw()
    assert devices["replicate"].to_numpy().tolist() == [k % 16 for k in range(64)]
    for number, group in devices.groupby("replicate"):
        assert group["damping"].to_numpy() == pytest.approx(draws["damping"][number], rel=1e-12)


def test_interval_of_a_surface_holds_what_the_fit_does_not_know(file):
    # A fit that knows little: twenty times the standard errors.
    import mtjchar

    study = study_of(file.parent, 'fit = "fitted.toml"', devices=16)
    covariance = study.variability.fit.covariance
    wide = tuple(tuple(400.0 * one for one in row) for row in covariance)
    widths = {}
    for name, own in (("known", covariance), ("vague", wide)):
        one = study.with_(variability={"fit": {"covariance": own}})
        run_sweep(one, file.parent / name, workers=1)
        surface = mtjchar.average_devices(file.parent / name)
        assert "stacks drawn" in surface.dataset.attrs["interval"]
        lower, upper = surface.ber_interval("p_to_ap", 0.65, 4e-9)
        assert lower <= surface.ber("p_to_ap", 0.65, 4e-9) <= upper
        widths[name] = float(np.log(upper / lower))
    assert widths["vague"] == pytest.approx(20.0 * widths["known"], rel=0.3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('fit = "none.toml"', "`variability.fit` of .*: it does not exist"),
        ('fit = "study.toml"', r"a stack file with a table \[fit\]"),
        ("fit = 3", "variability.fit"),
        ('correlation = { "diameter tmr" = 2.0 }', "variability.correlation"),
        ('correlation = { "diameter" = 0.2 }', "pairs of different parameters"),
        ('fit = "fitted.toml"\n[stack_overrides]\ndamping = 0.01', "the fit of this study's stack"),
    ],
)
def test_wrong_variability(file, more, message):
    with pytest.raises(InputError, match=message):
        study_of(file.parent, more)


def test_fit_without_a_film_has_no_stack():
    fit = fit_stack([read_table("data/published/hu2019_stack2.csv")], intervals=False, starts=1)
    with pytest.raises(InputError, match="stack of a fit without a film"):
        fitted_stack(fit)


def test_correlated_devices(file):
    study = study_of(file.parent, 'diameter = 0.02\ntmr = 0.04\ncorrelation = { "diameter tmr" = -0.6 }')
    normal = np.random.default_rng(29).normal(size=(20_000, 10))
    devices = Population(study).at(normal)
    r = np.corrcoef(devices["diameter_m"], devices["tmr"])[0, 1]
    assert r == pytest.approx(-0.6, abs=FAR * 0.64 / np.sqrt(20_000))
    assert devices["tmr"].std() / devices["tmr"].mean() == pytest.approx(0.04, rel=0.04)


# ---- posterior ----


def test_posterior_of_a_nearly_normal_likelihood(fit, tmp_path):
    from mtjchar.stackfit.posterior import corner_figure, posterior

    samples = posterior(fit, steps=120, burn=40)
    table = fit.table()
    assert list(samples.columns) == list(fit.problem.free)
    # The likelihood is nearly normal: mean within a standard error, and its spread.
    assert np.all(np.abs(samples.mean() - table["value"]) < table["standard_error"])
    assert (samples.std() / table["standard_error"]).to_numpy() == pytest.approx(1.0, abs=0.4)
    corner_figure(fit, samples, tmp_path / "corner.png")
    assert (tmp_path / "corner.png").stat().st_size > 10_000
