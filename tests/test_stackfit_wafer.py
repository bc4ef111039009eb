"""Wafer tables: spread and correlations of devices, means of a stack, and the way into a study."""

import re
import tomllib

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import FAR, FILM, STACK, TRUTH, counts, fit_stack_quietly, study_of

import mtjchar
from mtjchar.cells.stt.device import draw_stacks
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.errors import InputError
from mtjchar.stackfit import fit_stack, fit_wafer, table_of, write_stack
from mtjchar.study import load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory

MEAN, RELATIVE = np.array([40e-9, 6e-12, 1.2]), np.array([0.03, 0.05, 0.04])
COLUMNS = ["diameter_m", "resistance_area_product_ohm_m2", "tmr"]
DEVICES = 2000


def wafer(seed=28, devices=DEVICES):
    """Devices of a wafer: TMR and RA go against each other, the diameter goes its own way."""
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -0.6], [0.0, -0.6, 1.0]])
    normal = np.random.default_rng(seed).normal(size=(devices, 3)) @ np.linalg.cholesky(matrix).T
    return pd.DataFrame(MEAN * (1.0 + RELATIVE * normal), columns=COLUMNS)


@pytest.fixture(scope="module")
def fit():
    return fit_stack([table_of(wafer(), "wafer.csv")], FILM)


@pytest.fixture(scope="module")
def file(fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("wafer") / "fitted.toml"
    write_stack(fit, path, reference="wafer 7")
    return path


def test_spread_and_correlations(fit):
    found = fit.wafer
    error = found.parameters["standard_error"].to_numpy()
    # Of a normal distribution: sigma/sqrt(2 (n - 1)), and sigma/sqrt(n) for the mean.
    assert error == pytest.approx(RELATIVE / np.sqrt(2.0 * (DEVICES - 1.0)), rel=0.1)
    assert np.abs((found.parameters["relative"].to_numpy() - RELATIVE) / error).max() < FAR
    of_mean = found.parameters["mean_error"].to_numpy()
    assert of_mean == pytest.approx(MEAN * RELATIVE / np.sqrt(DEVICES), rel=0.1)
    assert np.abs((found.parameters["mean"].to_numpy() - MEAN) / of_mean).max() < FAR
    told = found.variability()["correlation"]
    # (1 - r^2)/sqrt(n): standard error of a correlation.
    assert told["resistance_area_product tmr"] == pytest.approx(-0.6, abs=FAR * 0.64 / np.sqrt(DEVICES))
    row = found.correlation.loc["resistance_area_product tmr"]
    assert row["standard_error"] == pytest.approx(0.64 / np.sqrt(DEVICES), rel=0.1)


def test_a_wafer_alone(fit, file):
    assert fit.problem.free == ()
    assert "[[Wafer]] 2000 devices" in fit.report()
    assert "[[Parameters]]" not in fit.report()
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    means = fit.wafer.parameters["mean"]
    assert content["resistance_area_product"] == f"{float(means['resistance_area_product'])!r} ohm*m^2"
    assert content["tmr"] == means["tmr"]
    assert content["fit"]["parameters"] == ["resistance_area_product", "tmr"]
    assert content["fit"]["values"] == means[["resistance_area_product", "tmr"]].to_list()
    of_mean = MEAN[1:] * RELATIVE[1:] / np.sqrt(DEVICES)
    assert content["fit"]["standard_errors"] == pytest.approx(of_mean, rel=0.1)
    covariance = np.array(content["fit"]["covariance"])
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert correlation == pytest.approx(-0.6, abs=FAR * 0.64 / np.sqrt(DEVICES))
    assert content["interfacial_anisotropy"] == f"{STACK.interfacial_anisotropy!r} J/m^2"
    found = content["fit"]["variability"]
    assert found["devices"] == DEVICES
    assert set(found["standard_errors"]) == {
        "diameter", "resistance_area_product", "tmr", "diameter resistance_area_product", "diameter tmr",
        "resistance_area_product tmr",
    }  # fmt: skip
    assert found["means"]["diameter"]["unit"] == "m"
    assert [(one["file"], one["kind"], len(one["sha256"])) for one in content["fit"]["data"]] == [
        ("wafer.csv", "wafer", 64)
    ]
    assert "# mean of the wafer, see [fit]" in file.read_text(encoding="utf-8")


def test_outliers_few_devices_and_several_tables():
    table = wafer(devices=200)
    table.loc[7, "tmr"] = 12.0
    messages = fit_stack_quietly([table_of(table)], FILM).messages
    assert "1 values of tmr lie beyond" in messages[0]
    with pytest.raises(InputError, match="at least 10"):
        fit_wafer(table_of(table.head(5)))
    halves = [table_of(wafer().iloc[part]) for part in (slice(0, 1000), slice(1000, None))]
    whole = fit_wafer(table_of(wafer()))
    assert fit_wafer(*halves).parameters["relative"].to_numpy() == pytest.approx(
        whole.parameters["relative"].to_numpy(), rel=1e-9
    )
    with pytest.raises(InputError, match="put them into one table"):
        fit_wafer(halves[0], table_of(wafer()[["tmr"]]))


def test_a_wafer_without_resistances(tmp_path):
    fit = fit_stack([table_of(wafer()[["diameter_m", "tmr"]])], FILM)
    write_stack(fit, tmp_path / "fitted.toml")
    content = tomllib.loads((tmp_path / "fitted.toml").read_text(encoding="utf-8"))
    # What it does not say stays as it was believed.
    assert content["resistance_area_product"] == f"{STACK.resistance_area_product!r} ohm*m^2"
    assert content["fit"]["parameters"] == ["tmr"]
    assert "resistance_area_product" not in content["fit"]["variability"]


def test_means_go_into_the_fit_of_pulses():
    pulses = table_of(counts(29, values={}))  # made with the RA of the stack, 5 ohm um^2
    devices = table_of(wafer())
    plain = fit_stack_quietly([pulses], FILM, intervals=False)
    with_wafer = fit_stack_quietly([pulses, devices], FILM, intervals=False)
    # The same voltages over 6 ohm um^2 are five sixths of the current; both directions have the wafer's TMR.
    assert with_wafer.film.stack.resistance_area_product == pytest.approx(6e-12, rel=0.01)
    ratio = with_wafer.values["critical_current"] / plain.values["critical_current"]
    assert ratio == pytest.approx(5.0 / 6.0, rel=0.02)
    (message,) = [one for one in with_wafer.messages if "wafer's mean" in one]
    assert re.search(r"resistance_area_product \(standard deviation [45]\.\d%\) and tmr", message)
    # Named, they are fitted, and the wafer's means are not taken.
    free = fit_stack_quietly(
        [pulses, devices], FILM, vary=["stability", "critical_current", "tmr"], intervals=False
    )
    assert free.film.stack.tmr == STACK.tmr
    assert free.film.stack.resistance_area_product == pytest.approx(6e-12, rel=0.01)


def test_sampled_devices_are_those_of_the_wafer(fit, file):
    devices = Population(study_of(file.parent, 'wafer = "fitted.toml"', devices=4096)).draw()
    stated = fit.wafer.variability()
    # Scrambled Sobol points scatter less than random ones: these bounds are those of random ones, 6.2 sigma.
    for name, column in zip(("diameter", "resistance_area_product", "tmr"), COLUMNS, strict=True):
        relative = devices[column].std() / devices[column].mean()
        assert relative == pytest.approx(stated[name], rel=FAR / np.sqrt(2.0 * 4096))
    r = np.corrcoef(devices[COLUMNS].to_numpy().T)
    expected = stated["correlation"]["resistance_area_product tmr"]
    assert r[1, 2] == pytest.approx(expected, abs=FAR * 0.64 / 64.0)
    assert abs(r[0, 1]) < FAR / 64.0


def test_what_the_study_says_goes_first_and_is_written_out(fit, file, tmp_path):
    study = study_of(
        file.parent, 'diameter = "1 nm"\ndamping = 0.02\nwafer = "fitted.toml"\nfit = "fitted.toml"'
    )
    spreads = dict(study.variability.items())
    assert (spreads["diameter"].sigma, spreads["diameter"].relative) == (1e-9, False)
    assert spreads["damping"].sigma == 0.02
    assert spreads["tmr"].sigma == fit.wafer.variability()["tmr"]
    assert study.variability.fit.parameters == ("resistance_area_product", "tmr")
    # Written out in full it needs no other file.
    whole = tmp_path / "whole.toml"
    whole.write_text(study.to_toml(), encoding="utf-8")
    assert "wafer" not in tomllib.loads(study.to_toml())["variability"]
    assert load_study(whole) == study


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('wafer = "none.toml"', "variability.wafer` of"),
        ('wafer = "study.toml"', r"a stack file with a table \[fit\]"),
        (
            'wafer = "plain.toml"',
            r"a stack file with a table \[fit.variability\], which a wafer table leaves",
        ),
        ("wafers = 3", "variability.wafers: got 3; allowed: one of .*, wafer"),
        ("wafer = 3", "variability.wafer: got 3; allowed: the path of a fitted stack file"),
        ('wafer = "fitted.toml"\ntmr = 0.5', "variability.tmr: got 0.5"),
    ],
)
def test_wrong_wafers(file, more, message):
    fit = fit_stack_quietly([table_of(counts(29, values={}))], FILM, starts=0, intervals=False)
    write_stack(fit, file.parent / "plain.toml")
    with pytest.raises(InputError, match=message):
        study_of(file.parent, more)


# ---- what all devices share, but a fit does not know ----


def test_half_bias_and_asymmetry_are_drawn(tmp_path):
    values = {**TRUTH, "slonczewski_lambda": 1.15}
    voltage = np.tile(np.linspace(0.02, 0.8, 8), 2)
    state = np.repeat([0.0, 1.0], 8)
    parallel = 5e-12 / (0.25 * np.pi * 40e-9**2)
    exact = parallel * (1.0 + state * STACK.tmr / (1.0 + (voltage / STACK.tmr_half_bias) ** 2))
    noise = 1.0 + 0.01 * np.random.default_rng(31).normal(size=16)
    curve = {"voltage_V": voltage, "state": np.where(state, "AP", "P"), "resistance_ohm": exact * noise}
    names = [*TRUTH, "slonczewski_lambda", "tmr_half_bias"]
    fit = fit_stack([table_of(counts(30, values)), table_of(pd.DataFrame(curve))], FILM, vary=names)
    write_stack(fit, tmp_path / "fitted.toml")
    study = study_of(tmp_path, 'fit = "fitted.toml"', devices=16)
    draws = draw_stacks(study.tables, study.sweep.seed, 16)
    assert {"slonczewski_lambda", "tmr_half_bias"} <= set(draws)
    cells = cell_parameters(study, Population(study).draw())
    assert cells["lambda"].to_numpy() == pytest.approx(draws["slonczewski_lambda"], rel=1e-12)
    assert cells["vhalf"].to_numpy() == pytest.approx(draws["tmr_half_bias"], rel=1e-12)

    # A device with a drawn stack is the device of that stack: the whole way through ngspice.
    mtjchar.run_sweep(study, tmp_path / "run", workers=1)
    samples = RunDirectory.open(tmp_path / "run").samples()
    keys = ["direction", "amplitude_V", "duration_s"]
    own = {name: float(values[5]) for name, values in draws.items()}
    alone = study.with_(stack=own, variability=type(study.variability)(), sweep={"devices": 1})
    mtjchar.run_sweep(alone, tmp_path / "alone", workers=1)
    one = RunDirectory.open(tmp_path / "alone").samples().set_index(keys)
    rows = samples[samples["device"] == 5].set_index(keys).loc[one.index]
    for name in ("write_error_rate", "energy_J"):
        assert rows[name].to_numpy() == pytest.approx(one[name].to_numpy(), rel=1e-3)
    # And not that of the fit's own stack: the drawn ones differ from it.
    assert samples.groupby(keys)["energy_J"].std().min() > 0.0
