"""What `mtjchar fit` says, and where: report, JSON, files, figures and errors."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtjchar.cli.common import console
from mtjchar.stackfit import Film, pulses_at, simulate_counts
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses
from mtjchar.study import load_stack

STACK = "tests/reference/per_current.toml"
FILM = Film(load_stack(STACK), 40e-9)


def counts_file(path, film, durations=(2e-9, 2e-8, 1e-6), values=None, trials=2000, temperature=None):
    """Simulated counts of a film as a table of a tester."""
    pulses = pulses_at(film, durations, [0.2, 0.8], values=values)
    if temperature is not None:
        pulses["temperature_K"] = temperature
    rows = simulate_counts(film, pulses, np.random.default_rng(1), trials=trials, values=values)
    rows.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return counts_file(tmp_path_factory.mktemp("fit") / "counts.csv", FILM)


@pytest.fixture
def fit(call, tmp_path):
    """`mtjchar fit` of tables with the stack and diameter that they are from, into fitted.toml."""

    def fit(*arguments):
        given = [str(one) for one in arguments]
        for name, value in (
            ("--stack", STACK), ("--diameter", "40 nm"), ("--out", tmp_path / "fitted.toml"),
        ):  # fmt: skip
            given += [] if name in given else [name, value]
        return call("fit", *given)

    return fit


def test_open_intervals_are_null_in_json(tmp_path, fit):
    # A few writes with short pulses leave the stability open.
    few = counts_file(tmp_path / "few.csv", FILM, durations=(2e-9, 4e-9), trials=12)
    code, text, _ = fit(few, "--vary", "stability,critical_current,relaxation_time", "--json")
    assert code == 0
    interval = json.loads(text)["device"]["stability"]["interval"]
    assert None in interval
    content = tomllib.loads((tmp_path / "fitted.toml").read_text(encoding="utf-8"))
    assert np.inf in np.abs(content["fit"]["device"]["stability"]["interval"])


@pytest.mark.parametrize("option", ["data", "--stack", "--rules"])
def test_input_files_are_never_overwritten(data, tmp_path, fit, option):
    contents = {"data": data.read_bytes(), "--stack": Path(STACK).read_bytes(), "--rules": b"[columns]\n"}
    own = tmp_path / "input"
    own.write_bytes(contents[option])
    other = tmp_path / "." / "input"  # another name of the same file
    given = [own] if option == "data" else [data, option, own]
    code, _, error = fit(*given, "--out", other)
    assert code == 2
    assert "--out: got" in error
    assert "a file that is not read" in error
    assert own.read_bytes() == contents[option]


def test_places_that_cannot_be_written_are_refused_first(data, tmp_path, fit, call):
    code, _, error = fit("no-such-table.csv", "--out", tmp_path)
    assert code == 2
    assert "allowed: a file that can be written. It is a directory." in error
    code, _, error = fit("no-such-table.csv", "--figures", data)
    assert code == 2
    assert "--figures: got" in error
    assert "a directory that can be written" in error
    code, _, error = call("report", "no-such-run", "--out", tmp_path)
    assert code == 2
    assert "It is a directory." in error


def test_the_report_comes_before_a_stack_that_cannot_be(data, tmp_path, fit):
    swapped = tmp_path / "swapped.csv"
    turned = {"p_to_ap": "ap_to_p", "ap_to_p": "p_to_ap"}
    rows = pd.read_csv(data)
    rows.assign(direction=rows["direction"].map(turned)).to_csv(swapped, index=False)
    figures = tmp_path / "figures"
    code, text, error = fit(swapped, "--figures", figures)
    assert code == 2
    assert "Error: fitted damping: got nan" in error
    assert "[[Parameters]]" in text
    assert "the directions look swapped" in text
    assert "wrote" not in text
    assert (figures / "fit_switching.png").exists()
    assert not (tmp_path / "fitted.toml").exists()
    code, text, _ = fit(swapped, "--json")
    assert code == 2
    assert json.loads(text)["device"]["stability"]["value"] > 0.0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--name", "n" * 201, "Error: name: got 'nnn"),
        ("--reference", "r" * 401, "Error: reference: got 'rrr"),
        ("--narrow", "tmr", "Error: parameter: got 'tmr'; allowed: stability, critical_current"),
    ],
)
def test_what_is_wrong_whatever_the_fit_is_refused_before_it(data, fit, monkeypatch, option, value, message):
    def fitted(*_, **__):
        raise AssertionError("fitted before the check")

    monkeypatch.setattr("mtjchar.stackfit.fit.solve", fitted)
    code, _, error = fit(data, option, value)
    assert code == 2
    assert message in error


def with_asymmetry(path, ratio):
    """Counts of a device whose currents differ between the directions by a ratio."""
    current = float(FILM.nominal().critical_current)
    values = {"critical_current_p_to_ap": current * ratio, "critical_current_ap_to_p": current}
    return counts_file(path, FILM, values=values)


def test_an_asymmetry_below_1_by_noise_is_1(tmp_path, fit):
    data = with_asymmetry(tmp_path / "counts.csv", 0.998)
    code, text, _ = fit(data, "--vary", "critical_current", "--per-direction", "critical_current")
    assert code == 0
    assert "[[Warning]] the critical current of p_to_ap is below that of ap_to_p, within their errors" in text
    content = tomllib.loads((tmp_path / "fitted.toml").read_text(encoding="utf-8"))
    found = dict(zip(content["fit"]["parameters"], content["fit"]["standard_errors"], strict=True))
    assert content["slonczewski_lambda"] == 1.0
    assert 1e-4 < found["slonczewski_lambda"] < 0.01  # what is not known of it is kept
    # One current for both: that of the stack, between the two fitted ones.
    device = content["fit"]["device"]
    low, high = (device[f"critical_current_{one}"]["value"] for one in ("p_to_ap", "ap_to_p"))
    with pytest.warns(UserWarning, match="its fit warned"):
        stack = load_stack(tmp_path / "fitted.toml")
    assert low < float(Film(stack, 40e-9).nominal().critical_current) < high


def test_an_asymmetry_far_below_1_is_an_error_after_the_report(tmp_path, fit):
    data = with_asymmetry(tmp_path / "counts.csv", 0.8)
    code, text, error = fit(data, "--vary", "critical_current", "--per-direction", "critical_current")
    assert code == 2
    assert "[[Parameters]]" in text
    assert "fitted slonczewski_lambda: got 0.89" in error
    assert "the directions are swapped" in error
    assert not (tmp_path / "fitted.toml").exists()


@pytest.fixture(scope="module")
def hot(tmp_path_factory):
    """Counts at 85 degC of a device with the stack's film."""
    path = tmp_path_factory.mktemp("hot") / "hot.csv"
    return counts_file(path, Film(FILM.stack, 40e-9, 358.15), temperature=358.15)


def test_the_report_says_what_was_not_used(data, fit, tmp_path):
    more = tmp_path / "more.csv"
    header, *rows = Path(data).read_text().splitlines()
    more.write_text("\n".join([f"{header},lot", *(f"{row},L7" for row in rows)]))
    assert "more.csv: switching, 12 rows, at 300 K; not used: lot\n" in fit(more)[1]
    assert "not used" not in fit(data)[1]


def test_the_report_says_at_which_temperature(data, hot, fit):
    vary = ("--vary", "stability,critical_current,tmr")
    _, text, _ = fit(data, *vary)
    assert "counts.csv: switching, 12 rows, at 300 K" in text
    assert "[[Parameters]] at 300 K\n" in text
    assert "[[Derived]] at 300 K\n" in text
    assert "no pulse is at" not in text
    _, text, _ = fit(hot, *vary)
    assert "hot.csv: switching, 12 rows, at 358.15 K" in text
    assert "[[Parameters]] at 300 K\n" in text
    assert "no pulse is at this temperature" in text
    at_300 = ("tmr", "interfacial_anisotropy", "spin_polarization", "damping")
    _, text, _ = fit(hot, *vary, "--temperature", "85 degC")
    assert "[[Parameters]] at 358.15 K\n" in text
    assert "[[Derived]] at 358.15 K\n" in text
    assert "no pulse is at" not in text
    lines = {line.split()[0]: line for line in text.splitlines() if " +- " in line}
    assert {name for name, line in lines.items() if line.endswith("at 300 K")} == set(at_300)
    _, text, _ = fit(hot, *vary, "--temperature", "85 degC", "--json")
    answer = json.loads(text)
    assert answer["data"][0]["temperatures_K"] == [358.15]
    found = {name: one["temperature_K"] for name, one in {**answer["device"], **answer["derived"]}.items()}
    assert {name for name, kelvin in found.items() if kelvin == 300.0} == set(at_300)
    assert found["stability"] == found["anisotropy_field"] == 358.15


def test_the_next_measurement_is_planned_at_the_temperature_of_the_data(hot, data, fit):
    code, text, _ = fit(hot, "--vary", "critical_current", "--narrow", "critical_current")
    assert code == 0
    assert "that narrow critical_current, 10000 writes each, at 358.15 K\n" in text
    assert "narrowing: that error divided by the present one" in text
    code, text, _ = fit(hot, "--vary", "critical_current", "--narrow", "critical_current", "--json")
    planned = pd.DataFrame(json.loads(text)["next"])
    assert set(planned["temperature_K"]) == {358.15}
    # The film at 85 degC, which the counts are from, switches as the plan says.
    pulses = Pulses.of(planned, 300.0)
    model = SwitchingModel(FILM)
    share = 1.0 - np.exp(model.log_error_rate(nominal_values(FILM), pulses))
    assert share == pytest.approx(planned["probability"], abs=0.1)
    _, text, _ = fit(data, "--vary", "critical_current", "--narrow", "critical_current")
    assert "10000 writes each, at 300 K\n" in text


def test_a_symmetric_torque_is_determined_at_its_bound(data, tmp_path, fit):
    vary = ("--vary", "stability,critical_current,relaxation_time,slonczewski_lambda")
    code, text, error = fit(data, *vary)
    assert (code, error) == (0, "")  # no advice either
    line = next(line for line in text.splitlines() if line.split()[0] == "slonczewski_lambda")
    assert "(95 %: 1, its bound, to 1.0" in line
    assert "NOT DETERMINED" not in line
    content = tomllib.loads((tmp_path / "fitted.toml").read_text(encoding="utf-8"))
    lower, upper = content["fit"]["device"]["slonczewski_lambda"]["interval"]
    assert lower == 1.0 < upper < 1.1
    assert content["fit"]["undetermined"] == []


def test_an_asymmetry_that_one_direction_does_not_tell_is_undetermined(tmp_path, fit):
    table = pd.read_csv(counts_file(tmp_path / "both.csv", FILM, trials=20))
    one = tmp_path / "one.csv"
    table[table["direction"] == "ap_to_p"].to_csv(one, index=False)
    code, text, _ = fit(one, "--vary", "critical_current,slonczewski_lambda")
    assert code == 0
    assert "[[Not determined]] slonczewski_lambda: measure both directions" in text


def test_a_terminal_has_warnings_once(tmp_path, fit, monkeypatch):
    data = with_asymmetry(tmp_path / "counts.csv", 0.998)
    asked = (data, "--vary", "critical_current", "--per-direction", "critical_current")
    for terminal in (True, False):
        monkeypatch.setattr(type(console), "is_terminal", terminal)
        _, text, error = fit(*asked)
        assert text.count("within their errors") == 1
        # Where the report goes elsewhere the warning does not go with it unseen.
        assert error.count("within their errors") == int(not terminal)
    monkeypatch.setattr(type(console), "is_terminal", True)
    _, text, error = fit(*asked, "--json")
    assert "within their errors" in json.loads(text)["warnings"][0]
    assert error.count("within their errors") == 1
