"""Figures of fits: everything that the data have is drawn, on axes that show both tails."""

import itertools

import numpy as np
import pandas as pd
import pytest
from common import looks
from matplotlib.figure import Figure
from stackfit_cases import FILM, fit_stack_quietly

from mtjchar.errors import InputError
from mtjchar.plotting import correlation_map, data_and_model, fit_figures, narrowing_map, residuals
from mtjchar.plotting.axes import MARKERS
from mtjchar.plotting.fit_curves import Styles, switching_figure, thresholds_figure, time_words
from mtjchar.stackfit import pulses_at, simulate_counts, simulate_loops, table_of
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses

BOTH = ("p_to_ap", "ap_to_p")
ARROWS = {"down": "$\\downarrow$", "up": "$\\uparrow$"}


def fitted(*rows):
    options = {"vary": ["critical_current"], "intervals": False, "starts": 1}
    return fit_stack_quietly([table_of(one) for one in rows], FILM, **options)


def counted(durations, shares=(0.1, 0.5, 0.9), trials=1000, kelvin=None, **options):
    pulses = pulses_at(FILM, durations, shares, **options)
    if kelvin is not None:
        pulses["temperature_K"] = kelvin
    return simulate_counts(FILM, pulses, np.random.default_rng(3), trials=trials)


def thresholds(durations, rates, kelvin=(300.0,)):
    names = ["direction", "duration_s", "wer", "temperature_K"]
    rows = pd.DataFrame(itertools.product(BOTH[:1], durations, rates, kelvin), columns=names)
    pulses = Pulses.of(rows.assign(amplitude_V=1.0), 300.0)
    found = SwitchingModel(FILM).solved_threshold(
        nominal_values(FILM), pulses, np.log(-np.log(rows["wer"].to_numpy()))
    )
    return rows.assign(amplitude_V=found)


def panels(figure):
    """Upper panels by their titles."""
    return {axes.get_title(): axes for axes in figure.axes if axes.get_title()}


def curves(axes):
    """Curves of the model by their labels."""
    return {
        line.get_label(): line.get_xydata().T
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    }


def drawn(axes):
    """Places of all data in a panel, arrows included."""
    found = [
        line.get_xydata() for line in axes.get_lines() if line.get_marker() in (*MARKERS, *ARROWS.values())
    ]
    return np.concatenate([one[np.isfinite(one).all(axis=1)] for one in found])


@pytest.mark.parametrize("number", [3, 8, 9, 40])
def test_every_duration_has_a_curve(number):
    durations = np.geomspace(2e-9, 1e-6, number)
    fit = fitted(counted(durations, trials=200))
    figure = switching_figure(fit)
    found = panels(figure)
    assert list(found) == ["P → AP", "AP → P"]
    for axes in found.values():
        assert len(curves(axes)) == number
        assert axes.get_yscale() == "logit"
    # Few have a legend with a marker and a line each, many a colour bar.
    named = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    if number <= 8:
        assert [time_words(one) for one in durations] == [one for one in named if "limit" not in one]
        lines = {(one.get_marker(), one.get_linestyle()) for one in figure.legends[0].get_lines()}
        assert len(lines) == len(named)
    else:
        assert figure.axes[-1].get_ylabel() == "duration"
        assert not [one for one in named if "limit" not in one]


def test_curves_are_those_of_the_fit_at_the_temperature_of_the_rows():
    fit = fitted(counted([2e-8]), counted([2e-8], kelvin=358.15))
    found = panels(switching_figure(fit))
    for kelvin, direction in itertools.product((300.0, 358.15), BOTH):
        title = {"p_to_ap": "P → AP", "ap_to_p": "AP → P"}[direction]
        amplitude, rate = curves(found[f"{title}, {kelvin:g} K"])["20 ns"]
        assert rate == pytest.approx(
            fit.error_rate(direction, amplitude, 2e-8, temperature=kelvin), rel=1e-12
        )
    alone = fitted(counted([2e-8], kelvin=358.15))
    amplitude, rate = curves(panels(switching_figure(alone))["P → AP"])["20 ns"]
    assert rate == pytest.approx(alone.error_rate("p_to_ap", amplitude, 2e-8, temperature=358.15), rel=1e-12)
    assert np.abs(rate - alone.error_rate("p_to_ap", amplitude, 2e-8)).max() > 0.05


def test_volts_and_amperes_have_panels_of_their_own():
    rows = [counted([2e-8], current=True, directions=BOTH[:1]), counted([2e-8], directions=BOTH[:1])]
    figure = switching_figure(fitted(*rows))
    upper = [axes for axes in figure.axes if axes.get_title()]
    labels = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    assert labels == ["amplitude (V)", "current (µA)"]
    for axes, row, factor in zip(upper, reversed(rows), (1.0, 1e6), strict=True):
        places = factor * row[next(one for one in row if one in ("current_A", "amplitude_V"))]
        assert np.unique(drawn(axes)[:, 0]) == pytest.approx(np.unique(places))


def test_a_direction_that_was_measured_at_one_temperature_only():
    rows = [counted([2e-8], directions=BOTH[:1]), counted([2e-8], directions=BOTH[1:], kelvin=350.0)]
    figure = switching_figure(fitted(*rows))
    assert list(panels(figure)) == ["P → AP, 300 K", "AP → P, 350 K"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["write error rate", "residual (σ)"] * 2


def test_counts_of_none_and_all_are_limits():
    rows = counted([2e-8], shares=(0.2, 0.4, 0.6, 0.8), directions=BOTH[:1]).sort_values("amplitude_V")
    rows["switched"] = [0, 300, 700, 1000]
    figure = switching_figure(fitted(rows))
    axes = panels(figure)["P → AP"]
    # 1 - 0.05^(1/1000): no or only failures have a chance of 5 % there.
    limit = 2.99124e-3
    for marker, rate in ((ARROWS["down"], limit), (ARROWS["up"], 1.0 - limit)):
        (arrow,) = [one for one in axes.get_lines() if one.get_marker() == marker and len(one.get_xdata())]
        assert arrow.get_ydata() == pytest.approx([rate], rel=1e-5)
    assert sorted(drawn(axes)[:, 1]) == pytest.approx([limit, 0.3, 0.7, 1.0 - limit], rel=1e-5)
    low, high = axes.get_ylim()
    assert 0.0 < low < limit
    assert 1.0 - limit < high < 1.0
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["20 ns", "none failed:\n95 % upper limit", "all failed:\n95 % lower limit"]


def test_error_bars_of_counts_hold_the_standard_deviation():
    rows = counted([2e-8], shares=(0.3, 0.7), directions=BOTH[:1])
    axes = panels(switching_figure(fitted(rows)))["P → AP"]
    bars = np.concatenate([one.get_segments() for one in axes.collections])
    rate = 1.0 - rows["switched"] / rows["trials"]
    expected = np.sqrt(rate * (1.0 - rate) / rows["trials"])
    # Jeffreys' interval next to the normal one: 1000 trials.
    assert np.ptp(bars[:, :, 1], axis=1) / 2.0 == pytest.approx(expected.to_numpy(), rel=0.01)


def test_a_sweep_of_durations_is_drawn_over_the_duration():
    rows = pd.DataFrame(
        itertools.product(BOTH, np.geomspace(2e-9, 5e-8, 20), [0.25, 0.3]),
        columns=["direction", "duration_s", "amplitude_V"],
    )
    fit = fitted(simulate_counts(FILM, rows, np.random.default_rng(4)))
    figure = switching_figure(fit)
    axes = panels(figure)["P → AP"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "logit")
    assert list(curves(axes)) == ["0.25 V", "0.3 V"]
    duration, rate = curves(axes)["0.3 V"]
    assert rate == pytest.approx(fit.error_rate("p_to_ap", 0.3, 1e-9 * duration), rel=1e-9)
    assert np.unique(drawn(axes)[:, 0]) == pytest.approx(1e9 * np.unique(rows["duration_s"]))
    figure.draw_without_rendering()
    lower = next(one for one in figure.axes if one.get_xlabel())
    low, high = lower.get_xlim()
    ticks = [text.get_text() for text in lower.get_xticklabels() if low <= text.get_position()[0] <= high]
    assert (lower.get_xlabel(), ticks) == ("duration (ns)", ["2", "5", "10", "20", "50"])


def test_threshold_curves_have_the_error_rate_of_their_rows():
    rows = thresholds([3e-9, 3e-8, 3e-7], [0.5, 1e-6], (300.0, 358.15))
    fit = fitted(rows)
    found = panels(thresholds_figure(fit))
    for kelvin in (300.0, 358.15):
        axes = found[f"P → AP, {kelvin:g} K"]
        assert sorted(curves(axes)) == ["0.5", "1e-06"]
        for label, (duration, amplitude) in curves(axes).items():
            rates = fit.error_rate("p_to_ap", amplitude, 1e-9 * duration, temperature=kelvin)
            # Between the points of a grid of the amplitude.
            assert np.log(rates) == pytest.approx(np.log(float(label)), rel=0.02)
        own = rows[rows["temperature_K"] == kelvin]
        assert np.unique(drawn(axes)[:, 1]) == pytest.approx(np.unique(own["amplitude_V"]))
        # 1 % where the table has no error.
        bars = np.concatenate([one.get_segments() for one in axes.collections])
        assert np.ptp(bars[:, :, 1], axis=1) == pytest.approx(0.02 * bars[:, :, 1].mean(axis=1), rel=1e-6)


def test_thresholds_of_one_duration_are_drawn_over_the_amplitude():
    rows = thresholds([1e-8], [0.9, 0.5, 0.1])
    figure = thresholds_figure(fitted(rows))
    axes = panels(figure)["P → AP"]
    assert axes.get_yscale() == "logit"
    assert sorted(drawn(axes)[:, 1]) == pytest.approx([0.1, 0.5, 0.9])
    assert list(curves(axes)) == ["10 ns"]


def test_thresholds_without_a_direction_are_drawn():
    rows = thresholds([1e-8, 1e-7], [0.5]).drop(columns=["direction", "temperature_K"])
    rows = rows.rename(columns={"amplitude_V": "current_A"}).assign(current_A=[6e-5, 5e-5])
    axes = panels(thresholds_figure(fitted(rows)))["direction not stated"]
    assert sorted(drawn(axes)[:, 1]) == pytest.approx([50.0, 60.0])


@pytest.fixture(scope="module")
def complete():
    """A fit with data of all kinds, at two temperatures."""
    volts = np.linspace(-0.4, 0.4, 5)
    curve = pd.DataFrame({"voltage_V": volts, "resistance_ohm": 3979.0 + 10.0 * volts**2, "state": "P"})
    loops = simulate_loops(FILM, np.arange(-0.25, 0.25, 4e-3), 10, np.random.default_rng(5), sweep_rate=0.1)
    rows = [counted([2e-8]), counted([2e-8], kelvin=350.0), thresholds([1e-8], [0.5, 0.1]), curve, loops]
    options = {"vary": ["critical_current", "stability"], "intervals": False, "starts": 1}
    return fit_stack_quietly([table_of(one) for one in rows], FILM, **options)


@pytest.mark.parametrize("kind", ["switching", "threshold", "resistance", "loop"])
def test_each_kind_is_drawn_into_the_axes_it_is_given(complete, kind):
    upper, lower = Figure().subplots(2)
    assert data_and_model(complete, kind, ax=upper) is upper
    assert residuals(complete, kind, ax=lower) is lower
    assert upper.get_xlabel() == lower.get_xlabel()
    assert (upper.get_ylabel() != "", lower.get_ylabel()) == (True, "residual (σ)")
    # All residuals of the panel are drawn.
    points = complete.points()
    own = points[points["kind"] == kind]
    if kind in ("switching", "threshold"):
        kelvin = own["temperature_K"].fillna(300.0)
        own = own[(own["direction"] == "p_to_ap") & (kelvin == 300.0)]
    shown = np.concatenate([line.get_ydata() for line in lower.lines if line.get_marker() in MARKERS])
    assert set(np.round(shown, 9)) <= set(np.round(own["residual"], 9))
    assert len(shown) == len(own) or kind == "loop"  # of loops: where some have switched, not all


def test_a_panel_is_chosen(complete):
    axes = data_and_model(complete, "switching", "ap_to_p", Figure().subplots(), temperature=350.0)
    assert axes.get_title() == "AP → P, 350 K"
    amplitude, rate = curves(axes)["20 ns"]
    expected = complete.error_rate("ap_to_p", amplitude, 2e-8, temperature=350.0)
    assert rate == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match=r"temperature 400.*300 K"):
        residuals(complete, "switching", temperature=400.0)
    with pytest.raises(InputError, match="kind of data to draw"):
        data_and_model(fitted(counted([2e-8])), "loop")


def test_correlations_have_their_numbers(complete):
    axes = correlation_map(complete, Figure().subplots())
    table = complete.correlation()
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[0, 0] == texts[1, 1] == "1.0"
    assert float(texts[1, 0]) == pytest.approx(table.iloc[0, 1], abs=0.0501)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(table.index)
    assert axes.images[0].colorbar.ax.get_ylabel() == "correlation"


def test_the_map_of_the_next_measurement_has_times_with_units(complete):
    axes = narrowing_map(complete, "stability", "p_to_ap", Figure().subplots())
    axes.figure.draw_without_rendering()
    low, high = axes.get_xlim()
    ticks = [text.get_text() for text in axes.get_xticklabels() if low <= text.get_position()[0] <= high]
    assert {"10 ns", "100 ns", "1 µs"} <= set(ticks)
    assert "standard error of stability" in axes.collections[0].colorbar.ax.get_ylabel()


def test_curves_differ_beside_their_colour():
    styles = Styles.of(np.arange(1.0, 43.0), str, "")
    assert len({(str(styles(k)["linestyle"]), styles(k)["marker"]) for k in np.arange(1.0, 43.0)}) == 42


def test_loops_differ_beside_their_colour(complete):
    shown = looks(data_and_model(complete, "loop", ax=Figure().subplots()))
    assert len(set(shown)) == len(shown) == 2


def test_figures_of_all_kinds_have_residuals_and_units(tmp_path):
    volts = np.linspace(-0.4, 0.4, 5)
    curve = pd.DataFrame({"voltage_V": volts, "resistance_ohm": 3979.0 + 10.0 * volts**2, "state": "P"})
    paths = fit_figures(fitted(counted([2e-8]), thresholds([1e-8], [0.5, 0.1]), curve), tmp_path)
    names = ["fit_switching", "fit_thresholds", "fit_resistance"]
    assert [one.name for one in paths] == [f"{name}.{end}" for name in names for end in ("png", "svg")]
    assert all(one.stat().st_size > 5000 for one in paths)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5e-11, "0.05 ns"),
        (9.9999e-10, "1 ns"),
        (6.93e-9, "6.93 ns"),
        (1e-6, "1 µs"),
        (2e-3, "2 ms"),
        (30.0, "30 s"),
    ],
)
def test_durations_in_words(seconds, words):
    assert time_words(seconds) == words
