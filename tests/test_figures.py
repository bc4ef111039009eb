"""Figures as functions of axes, ticks that can be read, and what objects show of themselves."""

import ast
import doctest
import itertools
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from common import DEMO, ROOT, looks
from matplotlib import color_sequences, colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import mtjchar
import mtjchar.plotting.surfaces
from mtjchar.display import html_table
from mtjchar.plotting import accuracy_over_time, energies_over_reads, surface_figures, wrong_bits_over_time
from mtjchar.plotting.axes import COLOURS, LINES, MARKERS, line_style, logarithmic_axis, marker_style, plain
from mtjchar.surfaces import resample

matplotlib.use("agg")


def fresh():
    return Figure(layout="constrained").subplots()


def ticks(axis):
    """Labels within the limits of an axis, as drawn."""
    axis.figure.draw_without_rendering()
    low, high = sorted(axis.get_view_interval())
    labels = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for place, label in labels if low <= place <= high]


# ---- surfaces ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ber_map", "energy_map", "ber_against_duration", "ber_against_amplitude"])
def test_a_figure_is_drawn_into_the_axes_it_is_given(analytic_surface, name):
    axes = fresh()
    assert getattr(analytic_surface.plot, name)("ap_to_p", ax=axes) is axes
    assert axes.get_title() == analytic_surface.title("ap_to_p")
    first = getattr(analytic_surface.plot, name)(ax=fresh())
    assert first.get_title() == analytic_surface.title("p_to_ap")


def test_without_axes_there_is_a_figure_of_its_own(analytic_surface):
    from matplotlib import pyplot

    axes = analytic_surface.plot.ber_map()
    assert axes.get_figure().number in pyplot.get_fignums()
    pyplot.close("all")


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        ([1e-9, 60e-9], ["1", "2", "5", "10", "20", "50"]),
        ([2e-9, 7e-9], ["2", "3", "5", "7"]),  # no power of ten between
        ([1.2e-9, 4e-9], ["1.5", "2", "3"]),
    ],
)
@pytest.mark.parametrize("name", ["ber_map", "ber_against_duration"])
def test_times_are_plain_numbers(analytic_surface, durations, expected, name):
    surface = resample(analytic_surface, durations=np.geomspace(*durations, 9))
    axes = getattr(surface.plot, name)(ax=fresh())
    assert ticks(axes.xaxis) == expected
    assert {label.get_text() for label in axes.xaxis.get_minorticklabels()} <= {""}


def test_colour_bars_have_units(analytic_surface):
    for plot, words in (
        (analytic_surface.plot.energy_map, "energy of a switching write (pJ)"),
        (analytic_surface.plot.ber_map, "write error rate"),
    ):
        bar = plot(ax=fresh()).collections[0].colorbar
        assert bar.ax.get_ylabel() == words
    bar = analytic_surface.plot.energy_map(ax=fresh(), switching=False).collections[0].colorbar
    assert bar.ax.get_ylabel() == "energy of a redundant write (pJ)"
    assert all(float(text) > 0.0 for text in ticks(bar.ax.yaxis))  # plain numbers


def test_curves_differ_in_line_style_beside_the_colour(analytic_surface):
    for name, number in (("ber_against_duration", 6), ("ber_against_amplitude", 6), ("device_quantiles", 3)):
        shown = looks(getattr(analytic_surface.plot, name)(ax=fresh()))
        assert len(shown) == len(set(shown)) == number


def test_styles_of_many_lines():
    def distinct(styles, *keys):
        return len({tuple(str(style[key]) for key in keys) for style in styles})

    lines, marked = [line_style(k) for k in range(36)], [marker_style(k) for k in range(42)]
    assert len(COLOURS) == len(LINES) == distinct(lines[:6], "color") == distinct(lines[:6], "linestyle")
    assert distinct(lines, "color", "linestyle") == 36
    assert distinct(marked, "linestyle", "marker") == len(LINES) * len(MARKERS) == 42


# Linear RGB of full deuteranopia and protanopia: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE
# Trans. Vis. Comput. Graph. 15, 1291 (2009), doi:10.1109/TVCG.2009.113, severity 1.0 of their table.
SEEN = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
}  # fmt: skip
# From linear sRGB to XYZ under D65 (IEC 61966-2-1), and its white.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colours, seen):
    """CIE 1976 L*a*b* of colours as somebody with this deficiency sees them."""
    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = ((np.clip(linear @ np.array(seen).T, 0.0, 1.0) @ XYZ.T) / XYZ.sum(axis=1)).T
    f = [np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116) for t in (x, y, z)]
    return np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])], axis=-1)


def least_difference(colours, seen):
    """Smallest CIE 1976 difference between two of the colours."""
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab(colours, seen), 2))


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_colours_differ_for_the_colour_blind(seen):
    assert least_difference(COLOURS, seen) > 15.0
    assert least_difference(colormaps["viridis"](np.linspace(0.0, 0.88, 6)), seen) > 15.0
    # Matplotlib's own colours, which the figures do not take.
    assert least_difference(color_sequences["tab10"], seen) < 7.5


def test_curves_show_the_rates_of_the_surface(analytic_surface):
    axes = analytic_surface.plot.ber_against_duration(ax=fresh())
    line = axes.lines[0]
    expected = analytic_surface.ber("p_to_ap", 0.4, 1e-9 * line.get_xdata())
    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-9)
    assert line.get_label() == "0.4 V"


def test_quantiles_of_devices_are_those_of_the_surface(analytic_surface):
    axes = analytic_surface.plot.device_quantiles("ap_to_p", ax=fresh(), amplitude=0.7)
    assert axes.get_title() == f"{analytic_surface.title('ap_to_p')}, 0.7 V"
    found = {line.get_label(): line for line in axes.lines}
    assert set(found) == {"mean", "50 % of the devices", "5 % of the devices"}
    for label, quantile in (("50 % of the devices", 0.5), ("5 % of the devices", 0.05)):
        pulses = 0.7, 1e-9 * found[label].get_xdata()
        expected = analytic_surface.device_ber("ap_to_p", *pulses, quantile=quantile)
        known = ~analytic_surface.is_bound("ap_to_p", *pulses)  # the mean is above 1e-18
        assert known.sum() > 100
        np.testing.assert_allclose(found[label].get_ydata()[known], expected[known], rtol=1e-9)
        assert np.isnan(found[label].get_ydata()[~known]).all()
    nominal = analytic_surface.plot.device_quantiles(ax=fresh())
    assert f"{analytic_surface.nominal_amplitude:g} V" in nominal.get_title()


def test_axes_that_share_energies_show_all_of_them(analytic_surface):
    rows = {"ber": [1e-9, 1e-6], "pulse_ber": [1e-9, 1e-6]}
    table = pd.concat(
        pd.DataFrame({**rows, "direction": target, "energy_J": [2e-12 * size, 1e-12 * size], "lever": lever})
        for target, size in (("p_to_ap", 1.0), ("both", 3.0))
        for lever in ("duration", "amplitude", "both")
    )
    pair = Figure().subplots(1, 2, sharey=True)
    for target, axes in zip(("p_to_ap", "both"), pair, strict=True):
        analytic_surface.plot.cheapest_pulses(target, axes, table)
    low, high = pair[0].get_ylim()
    assert low == 0.0
    assert 6.0 < high < 7.0


def test_cheapest_pulses_take_a_table_that_is_there(analytic_surface):
    rows = {"direction": "both", "ber": [1e-9, 1e-6], "pulse_ber": [1e-9, 1e-6], "energy_J": [2e-12, 1e-12]}
    table = pd.concat([pd.DataFrame({**rows, "lever": lever}) for lever in ("duration", "amplitude", "both")])
    axes = analytic_surface.plot.cheapest_pulses("both", fresh(), table)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [2.0, 1.0])
    assert axes.get_ylabel() == "mean energy of all writes (pJ)"


def test_files_are_drawn_by_the_same_functions(analytic_surface, tmp_path, monkeypatch):
    drawn, written = [], []
    monkeypatch.setattr("mtjchar.plotting.surfaces.save", lambda *_: written.append(_[2]) or [])
    monkeypatch.setattr(
        "mtjchar.plotting.surfaces.SurfacePlots.ber_map", lambda *_: drawn.append(1) or fresh()
    )
    rows = {
        "direction": ["p_to_ap"],
        "lever": ["both"],
        "ber": [1e-9],
        "pulse_ber": [1e-9],
        "energy_J": [1.0],
    }
    surface_figures(analytic_surface, tmp_path, pd.DataFrame(rows))
    assert len(drawn) == 2
    assert written == ["ber_map", "ber_against_duration", "ber_against_amplitude", "energy_map", "knobs"]


def test_the_documented_figure(analytic_surface, tmp_path, monkeypatch):
    from matplotlib import pyplot

    page = (ROOT / "docs/answers.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"(?s)```python\n(.*?)```", page) if "surface.plot" in block)
    monkeypatch.chdir(tmp_path)
    for name in ("run-300", "run"):  # of the page, and of the docstrings
        (tmp_path / name).mkdir()
        analytic_surface.save(f"{name}/surface.nc")
    exec(code, {})
    assert (tmp_path / "ap_to_p.png").stat().st_size > 10_000
    assert doctest.testmod(mtjchar.plotting.surfaces).attempted == 4
    pyplot.close("all")


# ---- axes -------------------------------------------------------------------------------------------


def test_numbers_of_ticks():
    assert [plain(x) for x in (1.0, 0.05, 1e-4, 2e5, 0.1 + 0.2)] == ["1", "0.05", "0.0001", "200000", "0.3"]


@pytest.mark.parametrize("decades", [0.2, 1.0, 1.8, 3.0, 9.0])
@pytest.mark.parametrize("start", [1.0, 4.9])
def test_a_logarithmic_axis_has_some_ticks_and_not_too_many(start, decades):
    axes = fresh()
    axes.set(xscale="log", xlim=(start, start * 10.0**decades))
    logarithmic_axis(axes.xaxis, np.array([start, start * 10.0**decades]))
    assert 1 <= len(ticks(axes.xaxis)) <= 12


# ---- tables of trainings and inference --------------------------------------------------------------


@pytest.mark.parametrize("draw", [accuracy_over_time, wrong_bits_over_time])
def test_inference_over_time(draw):
    table = pd.DataFrame(
        {
            "time_s": [0.0, 2.0, 5.0, 8.0], "reads": 0, "accuracy_mean": 0.9, "accuracy_ci95": 0.01,
            "wrong_bits_fraction": [0.0, 0.01, 0.02, 0.03],
        }
    )  # fmt: skip
    axes = draw(table, fresh())
    assert axes.get_xlabel() == "time after programming (s)"
    assert ticks(axes.xaxis) == ["2", "3", "5", "7"]


@pytest.mark.parametrize("draw", [accuracy_over_time, wrong_bits_over_time])
def test_lines_of_inference_differ_beside_the_colour(draw):
    rows = [
        {
            "time_s": time,
            "reads": reads,
            "accuracy_mean": 0.9,
            "accuracy_ci95": 0.01,
            "wrong_bits_fraction": 0.1,
        }
        for time in (1.0, 10.0)
        for reads in range(8)
    ]
    shown = looks(draw(pd.DataFrame(rows), fresh()))
    assert len(shown) == len(set(shown)) == 8


def test_energies_over_reads():
    table = pd.DataFrame(
        {
            "lever": ["both", "both"], "read_energy_J": [0.0, 1e-14], "programming_energy_J": [2e-6, 7e-6],
            "saved_against_exact_fraction": 0.5, "exact": False,
        }
    )  # fmt: skip
    axes = energies_over_reads(table, fresh())
    assert axes.get_ylabel().endswith("(µJ)")
    assert all(float(text) > 0.0 for text in ticks(axes.yaxis))


# ---- objects ----------------------------------------------------------------------------------------


def test_figures_are_named_and_loaded_late():
    code = (
        "import sys, mtjchar; from mtjchar.surfaces import WriteSurface; assert WriteSurface.plot;"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_only_figures_are_named_above_their_layer():
    named = []
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "mtjchar").rglob("*.py")]
    for text in (text for text in texts if "Figures(" in text):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Figures":
                named.append([argument.value for argument in node.args])
    assert sorted(named) == [
        ["mtjchar.plotting.bitwise", "BitwisePlots"],
        ["mtjchar.plotting.reading", "ReadPlots"],
        ["mtjchar.plotting.surfaces", "SurfacePlots"],
    ]


def test_objects_say_what_they_are_in_a_line(characterized_surface):
    assert repr(characterized_surface) == (
        "WriteSurface(p_to_ap and ap_to_p, 0.4 V to 1.2 V (12 values), 1 ns to 60 ns (25 values), "
        "256 devices)"
    )
    assert repr(DEMO).startswith("Study('Ikeda 2010")
    assert repr(DEMO).endswith("1 ns to 60 ns (25 values), 256 devices, seed 1)")
    assert "\n" not in repr(DEMO)
    assert "ber_map" in repr(characterized_surface.plot)


def test_objects_show_themselves_in_notebooks(characterized_surface):
    page = characterized_surface._repr_html_()
    assert "<table>" in page
    assert "P → AP, AP → P" in page
    page = DEMO._repr_html_()
    assert "Junction of 40 nm at 300 K" in page
    assert "[sweep.amplitude]" in page


def test_a_run_shows_itself(characterized_surface, tmp_path):
    from mtjchar.sweep.population import Population
    from mtjchar.sweep.store import RunDirectory

    RunDirectory.create(tmp_path / "run", DEMO, Population(DEMO).nominal().assign(weight=1.0, replicate=0))
    page = mtjchar.Run(tmp_path / "run")._repr_html_()
    assert "none yet: `mtjchar surface`" in page
    characterized_surface.save(tmp_path / "run/surface.nc")
    assert "surface.nc" in mtjchar.Run(tmp_path / "run")._repr_html_()


def test_tables_show_markup_as_text():
    page = html_table("<b>", {"a<i>": "x\x1b<script>"})
    assert "&lt;b&gt;" in page
    assert "a&lt;i&gt;" in page
    assert "x\\x1b&lt;script&gt;" in page
