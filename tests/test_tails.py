"""Extrapolated error rates: how they are marked, and how often other intervals hold."""

import importlib.util
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from common import ROOT
from scipy.special import ndtr
from scipy.stats import binom

from mtjchar.export import export_surface, load_surface
from mtjchar.plotting import surface_figures
from mtjchar.report import cheapest_pulses
from mtjchar.report.pulses import answers
from mtjchar.surfaces import WriteSurface, fit_model, surface_from_counts, tails
from mtjchar.surfaces.levers import compare_levers
from mtjchar.surfaces.search import pulse_at


def script():
    """The script that measures the coverage, as a module."""
    spec = importlib.util.spec_from_file_location("tail_coverage", ROOT / "scripts/tail_coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COVERAGE = script()
RATE = "write error rate"
SAMPLES = 300


# ---- coverage ---------------------------------------------------------------------------------------


def test_level_of_a_known_population():
    # Analytic, far below saturation: E exp(a + g t) of a normal t cut at 5 sigma is
    # exp(a + g^2/2) [Phi(5 - g) - Phi(-5 - g)]/[Phi(5) - Phi(-5)].
    level = COVERAGE.level_for(1e-12, 3.0, 1)
    share = (ndtr(2.0) - ndtr(-8.0)) / (ndtr(5.0) - ndtr(-5.0))
    assert np.exp(level + 4.5) * share == pytest.approx(1e-12, rel=1e-4)


@pytest.mark.parametrize(
    ("parameters", "gradient"), [(1, 6.0), (1, 8.0), (2, 4.5), (2, 6.0), (2, 8.0), (5, 8.0)]
)
def test_intervals_in_the_tail_hold_the_exact_rate(parameters, gradient):
    # Exact by convolution. 300 samples of 256 devices, seeds 0 to 299. At least 90 % have to hold; with a
    # true coverage of 95 % fewer do by chance at 1.5e-4. Own measurement: 93 % at least.
    assert binom.cdf(0.9 * SAMPLES - 1, SAMPLES, 0.95) < 1.6e-4
    for one in COVERAGE.coverage(gradient, parameters, 256, SAMPLES).values():
        assert one.held >= 0.9
        assert one.effective >= tails.ENOUGH_DEVICES


@pytest.mark.parametrize(
    ("shifted", "devices", "gradient"),
    [
        (True, 64, 5.0),
        (True, 64, 8.0),
        (False, 64, 1.5),
        (False, 256, 1.0),
        (False, 256, 2.0),
        (False, 32, 1.0),
    ],
)
def test_what_is_not_called_extrapolated_is_right(shifted, devices, gradient):
    # As above: of all answers at most 10 % show an interval that misses.
    for one in COVERAGE.coverage(gradient, 2, devices, SAMPLES, shifted=shifted).values():
        assert one.wrong <= 0.1


@pytest.mark.parametrize(("shifted", "devices"), [(True, 64), (False, 256)])
def test_what_no_device_reaches_is_called_extrapolated(shifted, devices):
    for one in COVERAGE.coverage(8.0, 2, devices, SAMPLES, shifted=shifted).values():
        assert one.shown < 0.05


# ---- answers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def thin(analytic_surface):
    """The analytic surface, carried by 100 devices at 1 ns and by one at 60 ns."""
    data = analytic_surface.dataset.copy(deep=True)
    data["quantile"] = [0.5, 0.999]
    share = np.log(data["duration"] / 1e-9) / np.log(60.0)
    data["effective_devices"] = data["ber"] * 0.0 + 100.0 ** (1.0 - share)
    return WriteSurface(data)


def test_effective_devices_are_interpolated_in_their_logarithm(thin):
    assert float(thin.effective_devices("p_to_ap", 0.71, thin.durations[3])) == pytest.approx(
        100.0 ** (1.0 - 3.0 / 24.0), rel=1e-9
    )
    first, last = thin.durations[3:5]
    middle = float(thin.effective_devices("p_to_ap", 0.71, 0.5 * (first + last)))
    assert middle == pytest.approx(100.0 ** (1.0 - 3.5 / 24.0), rel=1e-9)
    with pytest.raises(ValueError, match=r"outside|grid"):
        thin.effective_devices("p_to_ap", 2.0, 5e-9)


def test_fewer_than_fifteen_devices_are_extrapolated(thin):
    few = thin.effective_devices("ap_to_p", 0.5, thin.durations) < 15.0
    assert 0 < few.sum() < few.size
    np.testing.assert_array_equal(thin.is_extrapolated("ap_to_p", 0.5, thin.durations), few)
    rate = thin.stated_rate("ap_to_p", 0.5, 40e-9)
    assert rate.extrapolated
    assert not rate.bound
    assert "extrapolated: too few devices" in rate.in_words()
    assert "95 %" not in rate.in_words()
    assert rate.interval_in_words() == "extrapolated"
    assert "95 %" in thin.stated_rate("ap_to_p", 0.5, 2e-9).in_words()


def test_rates_below_what_is_verified_are_bounds(analytic_surface):
    assert float(analytic_surface.ber("p_to_ap", 1.2, 60e-9)) < 1e-30
    rate = analytic_surface.stated_rate("p_to_ap", 1.2, 60e-9)
    assert (rate.ber, rate.lower, rate.upper) == (1e-18, 0.0, 1e-18)
    assert rate.bound
    assert rate.extrapolated
    assert rate.in_words().startswith("below 1e-18")
    assert rate.interval_in_words() == "below 1.0e-18"


def test_cheapest_pulse_for_a_rate_that_is_not_verified(analytic_surface):
    found = analytic_surface.cheapest_pulse("p_to_ap", 1e-25)
    assert float(analytic_surface.ber("p_to_ap", *found[:2])) == pytest.approx(1e-25)
    assert (found.ber, found.ber_lower, found.ber_upper, found.bound) == (1e-18, 0.0, 1e-18, True)
    assert found.extrapolated
    assert not analytic_surface.cheapest_pulse("p_to_ap", 1e-12).extrapolated


def test_the_worse_direction_tells_how_many_devices_carry_it(thin):
    found = pulse_at(thin, "both", 0.6, 9e-9)
    worse = max(thin.directions, key=lambda one: float(thin.ber(one, 0.6, 9e-9)))
    assert found.effective_devices == float(thin.effective_devices(worse, 0.6, 9e-9))


def test_surfaces_that_do_not_say_are_extrapolated_only_below_what_is_verified(analytic_surface):
    old = WriteSurface(analytic_surface.dataset.drop_vars("effective_devices"))
    assert np.isnan(old.stated_rate("p_to_ap", 0.5, 5e-9).effective_devices)
    assert not old.is_extrapolated("p_to_ap", 0.5, 5e-9)
    assert old.is_extrapolated("p_to_ap", 1.2, 60e-9)


def test_rows_of_counts_are_devices_where_there_are_several():
    pulses = itertools.product(["p_to_ap"], [0.5, 0.6], [5e-9, 9e-9])
    table = pd.DataFrame(pulses, columns=["direction", "amplitude_V", "duration_s"])
    table["trials"], table["errors"] = 1000, [90, 40, 9, 0]
    one = surface_from_counts(table)
    assert np.isnan(one.dataset["effective_devices"]).all()
    assert not one.dataset["extrapolated"].any()
    three = surface_from_counts(pd.concat([table] * 3))
    assert float(three.effective_devices("p_to_ap", 0.5, 5e-9)) == pytest.approx(3.0)
    assert three.is_extrapolated("p_to_ap", 0.5, 5e-9)


def test_levers_and_report_say_it(thin):
    table = compare_levers(thin, "p_to_ap", [1e-3, 1e-9])
    assert table["effective_devices"].notna().all()
    assert table["extrapolated"].tolist() == (table["effective_devices"] < 15.0).tolist()
    assert table["extrapolated"].any()
    section = cheapest_pulses(thin)
    assert section.columns[-1] == "effective devices"
    assert "extrapolated" in {row[-2] for row in section.rows}
    assert "p_to_ap:" in section.text
    asked = answers(thin, "p_to_ap", (0.8, 8e-9))
    marked = {
        (mark, "extrapolated" in text) for mark, text in zip(asked.marks, asked.rows[RATE], strict=True)
    }
    assert marked == {(0, False), (1, True)}
    assert asked.remarks[1] == f"E{tails.rule()[1:]}."
    plain = WriteSurface(thin.dataset.isel(duration=slice(0, 8)))
    assert plain.extrapolation_in_words() == []
    assert set(answers(plain, "p_to_ap", (0.8, 2e-9)).marks) == {0}


def test_figures_mark_the_region(thin, tmp_path):
    surface_figures(thin, tmp_path, compare_levers(thin, "p_to_ap", [1e-3, 1e-9]))
    for figure in ("ber_map", "ber_against_duration"):
        # matplotlib leaves the text of an SVG in a comment: an entry of the legend, and what it means.
        text = (tmp_path / f"{figure}.svg").read_text()
        assert "<!-- extrapolated -->" in text
        assert "extrapolated: too few devices carry" in text


@pytest.mark.slow
def test_model_says_that_few_devices_carry_its_points(thin):
    assert "too few effective devices carry" in fit_model(thin).report()


# ---- files ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def characterized(characterized_surface, thin):
    """With units and provenance, and the variables that `average_devices` writes."""
    data = characterized_surface.dataset.assign(effective_devices=thin.dataset["effective_devices"])
    data["extrapolated"] = (data["ber"].dims, WriteSurface(data).extrapolated_points())
    return WriteSurface(data)


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "nc", "npz"])
def test_tables_carry_devices_and_flag(characterized, tmp_path, ending):
    out = tmp_path / f"surface.{ending}"
    export_surface(characterized, "netcdf" if ending == "nc" else ending, out)
    back = load_surface(out)
    assert back.dataset["extrapolated"].dtype == bool
    for name in ("effective_devices", "extrapolated"):
        np.testing.assert_array_equal(back.dataset[name], characterized.dataset[name])
    if ending == "csv":
        head = out.read_text().splitlines()[0].split(",")
        assert {"effective_devices", "extrapolated"} <= set(head)


@pytest.mark.parametrize("format_", ["verilog-a", "verilog-a-table", "ngspice-table"])
def test_circuit_models_say_where_they_extrapolate(characterized, tmp_path, format_):
    out = tmp_path / "cell.va"
    export_surface(characterized, format_, out)
    text = out.read_text()
    assert "error rates of the grid are extrapolated" in text
    assert "below 1e-18" in text
    assert "-18.0)" in text


@pytest.mark.parametrize("format_", ["nvsim", "nvmexplorer", "nvmain"])
def test_operating_points_say_that_they_are_extrapolated(characterized, tmp_path, format_):
    from mtjchar.export import Settings

    for ber, words in ((1e-9, "extrapolated: too few devices"), (1e-25, "below 1e-18")):
        export_surface(characterized, format_, tmp_path / "out", Settings(ber=ber))
        assert words in (tmp_path / "out").read_text()


def test_command_line_says_it(characterized, call, tmp_path, monkeypatch):
    from mtjchar.cli import answers

    monkeypatch.setattr(answers, "load_surface", lambda _: characterized)
    at = ("query", tmp_path, "--direction", "p_to_ap", "--amplitude", "1.2 V", "--duration", "60 ns")
    assert "below 1e-18" in call(*at)[1]
    answer = json.loads(call(*at, "--json")[1])
    assert answer["extrapolated"] is True
    assert answer["bound"] is True
    assert (answer["ber"], answer["ber_lower"], answer["ber_upper"]) == (1e-18, 0.0, 1e-18)
    assert answer["effective_devices"] == pytest.approx(1.0)
    code, out, _ = call("pulse", tmp_path, "--direction", "p_to_ap", "--ber", "1e-9")
    assert code == 0
    assert "extrapolated: too few devices" in out
