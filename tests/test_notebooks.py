"""The notebooks run as they are stored, show what they promise, and their numbers are right."""

import itertools
import json
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from common import ROOT
from nbclient import NotebookClient
from scipy import stats

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FALSE_ALARM = 1e-9  # of every statistical check here
TIMEOUT = 300  # s, of one cell: many times what it takes on a free core


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_valid_and_without_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert not cell.metadata, cell.id
    for cell in code_cells(notebook):
        assert cell.outputs == [], cell.id
        assert cell.execution_count is None, cell.id


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_needs_nothing_but_the_package(path):
    source = "\n".join(cell.source for cell in code_cells(read(path)))
    for trick in ("sys.path", "chdir", "../", 'Path("..', "studies/", "stacks/"):
        assert trick not in source, trick
    # Figures have the colours and the ticks of the library.
    assert not re.search(r"semilog|loglog|tab:", source)


def test_the_quickstart_has_ten_cells():
    assert len(read(FOLDER / "quickstart.ipynb").cells) == 10


@pytest.fixture
def jupyter(tmp_path, monkeypatch):
    """Jupyter without what the user or the machine has set up for it: the kernel is this interpreter's."""
    for name in ("CONFIG", "DATA", "RUNTIME"):
        folder = tmp_path / name.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(folder))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")  # jupyter_core 5 warns where it is not set
    # What the kernel finds of this process's own settings would change what the user of a notebook sees.
    for name in ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "MPLBACKEND", "PYTHONWARNINGS"):
        monkeypatch.delenv(name, raising=False)


def execute(path, expressions, folder):
    """Run the notebook in a folder; returns it with outputs, and what the expressions give at its end."""
    notebook = read(path)
    items = ", ".join(f"{name!r}: {expression}" for name, expression in expressions.items())
    # default: for numpy's scalars and arrays
    source = (
        f"import json, sys\nprint(json.dumps([sys.executable, {{{items}}}], default=lambda x: x.tolist()))"
    )
    notebook.cells.append(nbformat.v4.new_code_cell(source, id="values"))
    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()  # raises with the traceback of a cell that fails
    # The kernel sends what is printed in as many pieces as its timer makes of it.
    outputs = notebook.cells.pop().outputs
    printed = "".join(output.text for output in outputs if output.get("name") == "stdout")
    executable, values = json.loads(printed)
    assert Path(executable).samefile(sys.executable)
    return notebook, values


def assert_no_warnings(notebook):
    for cell in code_cells(notebook):
        said = "".join(output.get("text", "") for output in cell.outputs)
        # PySpice 1.5 where the installer has not compiled it, with the line of its source.
        lines = [
            line for line in said.splitlines() if "warning" in line.lower() and "invalid escape" not in line
        ]
        assert not lines, f"{cell.id}: {said}"


def assert_figures(notebook):
    """Every cell that shows a figure has shown one, and it is not blank."""
    drawing = [cell for cell in code_cells(notebook) if "plt.show()" in cell.source]
    assert drawing
    for cell in drawing:
        pictures = [
            output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})
        ]
        assert len(pictures) == cell.source.count("plt.show()"), cell.id
        assert all(len(picture) > 10_000 for picture in pictures), cell.id


def assert_compact_model(values):
    # The solvers count what Fokker-Planck expects; binomial, two sides.
    counts = 0
    for solver, number in (("llgs", values["walkers"]), ("ngspice", values["junctions"])):
        for errors, rate in zip(values[f"errors_{solver}"], values[f"rate_{solver}"], strict=True):
            low, high = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], number, rate)
            assert low <= errors <= high, (solver, errors, rate * number)
            counts += 1
    assert counts == 9
    # A rate of 0 or 1 would agree with anything.
    assert all(0.002 < rate < 0.99 for rate in values["rate_llgs"] + values["rate_ngspice"])

    # Two integrations of one equation.
    assert values["difference"] < 0.02

    # Analytic: epsilon is P/2 at m_z = 1 for every Lambda, and Lambda^2 times that at m_z = -1.
    for direction, lambda_, current in values["critical"]:
        expected = values["Ic0"] / (lambda_**2 if direction == "ap_to_p" else 1.0)
        assert current == pytest.approx(expected, rel=1e-12)
    assert len(values["critical"]) == 6

    # Ic0 = 4 alpha e kB T Delta/(hbar eta), eta = P/(1 + P^2) with P = 0.62, of Ikeda's stack, whatever its
    # stability: 1.096 uA times 1.3844 for each unit.
    assert values["Ic0"] == pytest.approx(1.5175e-6 * values["delta"], rel=1e-3)

    # What the text says of the load line.
    lines = {row["direction"]: [] for row in values["overdrives"]}
    for row in values["overdrives"]:
        lines[row["direction"]].append([row["i at the start"], row["i at m_z = 0"], row["i at the end"]])
    for start, middle, end in lines["P → AP"]:
        assert 1.0 < start < middle < end
    for start, middle, end in lines["AP → P"]:
        assert start > middle > end > 1.0
    gain = {direction: line[-1][0] / line[-3][0] for direction, line in lines.items()}  # 1.2 V over 0.8 V
    assert gain["P → AP"] < 1.15
    assert gain["AP → P"] > 1.4
    # The start decides the error rate.
    for needed in values["needed"].values():
        assert needed["i at start"] == pytest.approx(needed["load line"], rel=0.05)
        assert abs(needed["i at m_z = 0"] / needed["load line"] - 1.0) > 0.05
    assert values["needed"]["p_to_ap"]["load line"] > 1.5 * values["needed"]["ap_to_p"]["load line"]


def assert_energy_accuracy(values):
    # Analytic: a step between neighbours changes one bit in Gray, nearly two on average in binary; a failed
    # write is then a step of one level. Mean error 0.1: binomial, 50,800 writes.
    steps = values["steps"]
    assert steps["gray"]["bits that change"] == 1.0
    assert steps["gray"]["largest error, levels"] == 1.0
    low, high = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], values["writes"], 0.1)
    assert low <= steps["gray"]["mean error, levels"] * values["writes"] <= high
    assert steps["twos_complement"]["bits that change"] == pytest.approx(2.0 - 7 / 254, abs=0.01)
    assert steps["twos_complement"]["largest error, levels"] == 128.0

    # What the text says: reading first saves most, and more together with the rest.
    saved = {row["lever"]: row["energy_saved_fraction"] for row in values["chosen"]}
    assert saved["all"] > saved["read_before_write"] > 0.9 > saved["code"] > 0.5
    assert all(row["confirmed"] and row["accuracy_drop_points"] <= 1.0 for row in values["chosen"])
    # Regression: 97.8 % of the bit writes are redundant.
    assert 0.95 < values["share"] < 0.995

    # High bits get stronger pulses, and a larger squared error weaker ones.
    rates = values["rates"]
    for target in rates.values():
        assert all(low <= high * 1.001 for high, low in itertools.pairwise(target))
        assert max(target) <= 0.5 * 1.001
    strict, _, loose = rates.values()
    assert all(low < high for low, high in zip(strict, loose, strict=True))


def assert_fit_new_stack(values):
    # What was simulated comes back: eight values within 6.2 standard errors, beyond by chance 5e-9.
    truth = {**values["truth"], "resistance_area_product": 5e-12, "tmr_half_bias": 0.5}
    for name, (value, error) in values["fitted"].items():
        assert abs(value - truth[name]) < 6.2 * error, name
        assert error < 0.1 * value, name
    assert 0.2 < values["dispersion"] < 2.5
    # A parameter that the truth does not have lowers the deviance by more than 40 by chance at 3e-10.
    assert values["gain"] < 40.0
    # Of 400 devices.
    assert values["wafer"]["diameter"] == pytest.approx(0.02, rel=0.3)
    assert values["wafer"]["correlation"]["resistance_area_product tmr"] == pytest.approx(-0.5, abs=0.25)
    assert "16 stacks drawn" in values["interval"]
    assert values["narrowing"] == sorted(values["narrowing"], reverse=True)
    lower, ber, upper = (np.array(values[name]) for name in ("lower", "ber", "upper"))
    assert np.all((lower <= ber) & (ber <= upper))
    assert ber.min() < 1e-6 < 0.1 < ber.max()


def assert_quickstart(values):
    # A pulse that is asked for has the error rate that is asked for, in its worse direction.
    assert max(values["rates"]) == pytest.approx(1e-6, rel=1e-3)
    assert max(values["own_rates"]) == pytest.approx(1e-6, rel=1e-3)
    assert values["own"] == [16, pytest.approx(3.6e-8)]


def assert_surfaces_and_tables(values):
    for lower, ber, upper in zip(values["lower"], values["ber"], values["upper"], strict=True):
        assert lower < ber < upper
    # What the text says: few devices cause most errors, and linear interpolation is wrong by far.
    assert values["median"] < values["mean"] < values["weak"]
    assert max(values["linear"]) > 5.0
    # log10 of the rate is interpolated between points of a finer grid.
    assert values["injected"] == pytest.approx(values["exact"], rel=0.01)
    assert abs(np.log(values["nearest"] / values["exact"])) > 1.0
    assert values["equal"]
    # Where the grid ends the amplitude cannot go lower.
    amplitude = {row["ber"]: row["energy_J"] for row in values["levers"] if row["lever"] == "amplitude"}
    assert amplitude[1e-3] == amplitude[1e-2]
    assert values["directions"] == ["p_to_ap", "ap_to_p"]


def assert_read_and_compute(values):
    for voltage, time, wrong, flipped, *_ in values["points"].values():
        assert 0.1 <= voltage <= 0.2
        assert 1e-10 <= time <= 1e-9
        assert wrong <= 1e-9 * 1.001
        assert flipped <= 1e-12
    fastest, cheapest = values["points"]["fastest"], values["points"]["cheapest"]
    assert fastest[1] < cheapest[1]
    assert fastest[5] > cheapest[5]
    assert values["margins"] == sorted(values["margins"])
    assert values["margins"][0] > 0.0
    # Boolean algebra, and regression: 1e-7 with 64 groups.
    assert values["results"] == [0, 1, 1, 0]
    assert 1e-9 < max(values["rates"]) < 1e-5
    assert values["xnors"] == pytest.approx(values["rates"], rel=1e-12)
    # Who does not read before a write has no such reads; who does drives fewer bits.
    lever = {row["lever"]: row for row in values["table"]}
    assert lever["both"]["read_energy_J"] == 0.0 < lever["read_before_write"]["read_energy_J"]
    assert lever["read_before_write"]["write_energy_J"] < 0.3 * lever["both"]["write_energy_J"]
    assert all(not row["reads_assumed"] for row in values["table"])


def assert_sot_cell(values):
    # Lee et al., doi:10.1063/1.4798288: B_k/2 - B_x/sqrt(2), exact without a field, 2 % low at 0.22 B_k.
    exact, linear = np.array(values["exact"]), np.array(values["linear"])
    assert exact[0] == pytest.approx(0.1, rel=1e-12)
    assert linear[20] == pytest.approx(0.1 - 0.04 / np.sqrt(2.0), rel=1e-12)
    assert exact[20] == pytest.approx(linear[20], rel=0.02)
    # What the text says: below the threshold it stays, above it switches.
    below, above = values["ends"]
    assert below < -0.9
    assert above > 0.9
    # A pulse that is asked for has the error rate that is asked for.
    assert values["rates"] == pytest.approx([1e-2, 1e-2], rel=1e-3)
    # docs/sot.md: the area of the published 3T cell is 32 % below that of the 2T cell.
    two, three = values["both"]["sot_2t"], values["both"]["sot_3t"]
    assert three["area_F2"] == pytest.approx(0.68 * two["area_F2"], rel=0.02)
    # What the text says: for the same error rate, its pulses are stronger or longer.
    assert three["amplitude_V"] > two["amplitude_V"] or three["duration_s"] > two["duration_s"]


CHECKS = {
    "quickstart": (
        {
            "rates": "[surface.ber(d, *found['both'][:2]) for d in surface.directions]",
            "own_rates": "[own.ber(d, *pulse[:2]) for d in own.directions]",
            "own": "[own.dataset.attrs['devices'], study.junction.diameter]",
        },
        assert_quickstart,
    ),
    "surfaces_and_tables": (
        {
            "lower": "lower", "ber": "ber", "upper": "upper", "linear": "linear.to_numpy() / ber",
            "median": "median", "mean": "mean", "weak": "weak",
            "injected": "injected", "exact": "exact", "nearest": "nearest",
            "equal": "again.dataset.equals(surface.dataset)", "levers": "levers.to_dict('records')",
            "directions": "list(surface.directions)",
        },
        assert_surfaces_and_tables,
    ),
    "fit_new_stack": (
        {
            "truth": "truth", "dispersion": "fit.dispersion", "wafer": "fit.wafer.variability()",
            "fitted": "{n: [v.value, v.stderr] for n, v in fit.params.items() if v.vary}",
            "gain": "float(fit.deviance - own.deviance)",
            "narrowing": "plan['narrowing'].tolist()", "interval": "surface.dataset.attrs['interval']",
            "ber": "surface.ber('p_to_ap', 0.7, surface.durations)",
            "lower": "surface.ber_interval('p_to_ap', 0.7, surface.durations)[0]",
            "upper": "surface.ber_interval('p_to_ap', 0.7, surface.durations)[1]",
        },
        assert_fit_new_stack,
    ),
    "compact_model": (
        {
            "walkers": "walkers", "junctions": "junctions", "errors_llgs": "errors_llgs",
            "errors_ngspice": "errors_ngspice", "rate_llgs": "rate_llgs", "rate_ngspice": "rate_ngspice",
            "difference": "difference", "Ic0": "Ic0", "delta": "delta", "needed": "needed",
            "critical": "[[*key, value] for key, value in critical_currents.items()]",
            "overdrives": "overdrives.to_dict('records')",
        },
        assert_compact_model,
    ),
    "read_and_compute": (
        {
            "points": "{name: list(point) for name, point in points.items()}", "margins": "margins",
            "rates": "list(xor.error_rates.values())", "xnors": "xnors.error_rate",
            "results": "[int(a) ^ int(b) for a, b in xor.error_rates]",
            "table": "json.loads(rows.to_json(orient='records'))",
        },
        assert_read_and_compute,
    ),
    "sot_cell": (
        {
            "exact": "exact", "linear": "linear", "ends": "[float(line[-1]) for line in m_z.values()]",
            "rates": "[max(s.ber(d, *found[n][:2]) for d in s.directions) for n, s in surfaces.items()]",
            "both": "both[['amplitude_V', 'duration_s', 'area_F2']].to_dict('index')",
        },
        assert_sot_cell,
    ),
    "energy_accuracy": (
        {
            "steps": "steps.to_dict('index')", "writes": "levels.size", "share": "share",
            "chosen": "chosen.to_dict('records')", "rates": "{str(key): rate for key, rate in rates.items()}",
        },
        assert_energy_accuracy,
    ),
}  # fmt: skip


@pytest.mark.usefixtures("jupyter")
@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_with_figures_and_right_numbers(path, tmp_path):
    # One test, so that no two workers of pytest-xdist run the same notebook.
    expressions, check = CHECKS[path.stem]
    (tmp_path / "empty").mkdir()
    notebook, values = execute(path, expressions, tmp_path / "empty")
    assert_no_warnings(notebook)
    assert_figures(notebook)
    check(values)
