"""The command line, as a user calls it, on a small study with the real ngspice."""

import dataclasses
import html.parser
import json
import re
import shutil
import subprocess
import sys

import matplotlib.image
import pandas as pd
import pytest
import xarray as xr
from common import ROOT

from mtjchar.cli.common import console
from mtjchar.errors import InputError
from mtjchar.network import tradeoff as tradeoff_module
from mtjchar.network.levers import DESIGNS
from mtjchar.network.results import read_tradeoff
from mtjchar.network.tradeoff import COLUMNS, READ_ENERGIES, best, shown
from mtjchar.network.trainer import PLANS, TrainingPlan
from mtjchar.surfaces import WriteSurface

STUDY = """
stack = "{stacks}/ikeda2010.toml"
[stack_overrides]
resistance_area_product = "5 ohm*um^2"
[junction]
diameter = "40 nm"
[cell.transistor]
width = "300 nm"
[variability]
diameter = 0.03
[sweep]
amplitude = {{ start = "0.6 V", stop = "1.0 V", points = 3 }}
duration = {{ start = "1 ns", stop = "30 ns", points = 6 }}
devices = 8
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY.format(stacks=ROOT / "data/stacks"))
    return path


@pytest.fixture(scope="module")
def run(study):
    """A run directory made by `mtjchar run` in a process of its own."""
    out = study.parent / "run"
    command = [sys.executable, "-m", "mtjchar.cli", "run", str(study), "--out", str(out), "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cheapest pulse for a write error rate of 1e-9" in done.stdout
    return out


def test_run_leaves_what_is_described(run):
    assert {"study.toml", "devices.parquet", "samples", "surface.nc", "tables", "figures"} <= {
        path.name for path in run.iterdir()
    }
    table = pd.read_csv(run / "tables" / "surface.csv")
    assert len(table) == 2 * 3 * 6
    assert {"direction", "lever", "ber", "energy_J"} <= set(pd.read_csv(run / "tables" / "knobs.csv"))
    for name in ("ber_map", "energy_map", "ber_against_duration", "ber_against_amplitude", "knobs"):
        assert (run / "figures" / f"{name}.svg").stat().st_size > 0
        picture = matplotlib.image.imread(run / "figures" / f"{name}.png")
        assert picture.shape[0] > 400
        assert picture[..., :3].std() > 0.05  # not an empty sheet


def test_a_second_run_computes_nothing_again(run, study, call):
    before = {path: path.stat().st_mtime_ns for path in (run / "samples").iterdir()}
    assert call("sweep", study, "--out", run)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in (run / "samples").iterdir()} == before


def test_query(run, call):
    at = ("query", run, "--direction", "p_to_ap", "--amplitude", "800 mV", "--duration", "0.008 us")
    code, out, _ = call(*at, "--json")
    answer = json.loads(out)
    assert code == 0
    assert set(answer) == {
        "direction", "amplitude_V", "duration_s",
        "ber", "ber_lower", "ber_upper", "bound", "effective_devices", "extrapolated",
        "energy_J", "redundant_energy_J",
    }  # fmt: skip
    assert answer["bound"] is False
    assert 0.0 <= answer["ber_lower"] <= answer["ber"] <= answer["ber_upper"] <= 1.0
    code, out, _ = call(*at)
    assert code == 0
    assert f"{1e15 * answer['energy_J']:.4g} fJ" in out


@pytest.mark.parametrize("vary", ["amplitude", "duration", "both"])
@pytest.mark.parametrize("direction", ["p_to_ap", "both"])
def test_pulse(run, call, vary, direction):
    code, out, err = call("pulse", run, "--direction", direction, "--ber", "1e-3", "--vary", vary, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert set(answer) == {
        "direction", "amplitude_V", "duration_s", "ber", "energy_J",
        "ber_lower", "ber_upper", "ber_slope_per_V", "ber_slope_per_s", "bound",
        "effective_devices", "extrapolated",
    }  # fmt: skip
    assert answer["ber_lower"] <= answer["ber"] <= answer["ber_upper"]
    assert answer["ber"] <= 1.001e-3
    assert answer["ber_slope_per_V"] < 0.0
    assert answer["ber_slope_per_s"] < 0.0
    one = "p_to_ap" if direction == "both" else direction
    pulse = ("--amplitude", f"{answer['amplitude_V']!r} V", "--duration", f"{answer['duration_s']!r} s")
    asked = json.loads(call("query", run, "--direction", one, *pulse, "--json")[1])
    assert asked["ber"] <= answer["ber"] * (1.0 + 1e-6)


def test_pulse_within_limits(run, call):
    asked = ("pulse", run, "--direction", "both", "--ber", "1e-2", "--max-amplitude", "750 mV")
    code, out, err = call(*asked, "--max-duration", "25 ns", "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["amplitude_V"] <= 0.75
    assert answer["duration_s"] <= 25e-9
    code, out, _ = call(*asked)
    assert code == 0
    assert re.search(r"decades per V, .* decades per ns", out)
    code, _, err = call(*asked, "--max-duration", "1.1 ns")
    assert code == 1
    assert "0.75 V for 1.1 ns, has 0." in err


def test_a_pulse_at_the_edge_of_the_sweep_is_called_one(run, call):
    surface = WriteSurface.load(run / "surface.nc")
    v, last = float(surface.amplitudes[1]), float(surface.durations[-1])
    rates = [float(surface.ber("p_to_ap", v, t)) for t in (0.5 * last, last)]
    for rate, said in zip(rates, (False, True), strict=True):
        asked = (
            "--direction",
            "p_to_ap",
            "--vary",
            "duration",
            "--amplitude",
            f"{v!r} V",
            "--ber",
            repr(rate),
        )
        code, out, err = call("pulse", run, *asked)
        assert code == 0, err
        assert ("The duration is at the edge of the sweep" in out) == said
        assert "The amplitude" not in out  # it was given


def test_no_number_of_a_comparison_is_cut(run, copy_of_run, call, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "width", 80)
    other = tmp_path / "a-run-directory-of-a-name-that-is-longer-than-most-are"
    shutil.move(copy_of_run, other)
    code, out, err = call("compare", run, other, "--out", tmp_path / "out")
    assert code == 0, err
    table = pd.read_csv(tmp_path / "out" / "comparison.csv")
    for row in table.itertuples():
        assert f"{1e9 * row.duration_s:.2f}" in out
        assert f"{row.reference_ber:.2g}" in out


def test_a_bound_is_called_one(run, call, tmp_path):
    # As counted writes leave it: no error in 1000 at any pulse, so below 3e-3 (rule of three).
    copy = tmp_path / "counted"
    shutil.copytree(run, copy)
    with xr.open_dataset(copy / "surface.nc", engine="h5netcdf") as dataset:
        counted = dataset.load()
    counted["trials"], counted["errors"] = (xr.full_like(counted["ber"], n) for n in (1000.0, 0.0))
    counted["ber"], counted["ber_lower"], counted["ber_upper"] = (
        xr.full_like(counted["ber"], rate) for rate in (3e-3, 0.0, 3e-3)
    )
    counted.to_netcdf(copy / "surface.nc", engine="h5netcdf")
    at = ("query", copy, "--direction", "p_to_ap", "--amplitude", "0.8 V", "--duration", "8 ns")
    assert "below 0.003 (95 %)" in call(*at)[1]
    answer = json.loads(call(*at, "--json")[1])
    assert answer["bound"] is True
    assert answer["ber_lower"] == 0.0
    assert answer["ber"] == pytest.approx(3e-3)
    pulse = ("pulse", copy, "--direction", "p_to_ap", "--ber", "1e-2")
    assert json.loads(call(*pulse, "--json")[1])["bound"] is True
    assert "below 0.003 (95 %)" in call(*pulse)[1]


@pytest.fixture
def copy_of_run(run, tmp_path):
    """A second scenario: the same run at what its study then calls another temperature."""
    copy = tmp_path / "hot"
    shutil.copytree(run, copy)
    study = copy / "study.toml"
    text = study.read_text()
    assert 'temperature = "300.0 K"' in text
    text = text.replace('temperature = "300.0 K"', 'temperature = "398.0 K"')
    study.write_text(text)
    (copy / "sweep.json").unlink()  # which knows the study that was swept
    surface = WriteSurface.load(copy / "surface.nc")
    WriteSurface(surface.dataset.assign_attrs(study=text)).save(copy / "surface.nc")
    return copy


def test_a_surface_of_another_study_is_refused(run, copy_of_run, call):
    shutil.copy(run / "surface.nc", copy_of_run)
    code, _, err = call(
        "query", copy_of_run, "--direction", "p_to_ap", "--amplitude", "0.8 V", "--duration", "5 ns"
    )
    assert code == 2
    assert re.search(r"surface.nc: got 'a file of another study'.*Run `mtjchar surface`", err)


def test_compare(run, copy_of_run, call, tmp_path):
    out = tmp_path / "comparison"
    code, text, err = call("compare", run, copy_of_run, "--out", out, "--ber", "1e-6")
    assert code == 0, err
    assert re.search(r"cell.temperature +300 K +398 K", text)
    assert "cheapest pulse for a BER of 1e-06" in text
    assert len(pd.read_csv(out / "comparison.csv")) == 3 * 2
    assert pd.read_csv(out / "differences.csv").to_numpy().tolist() == [
        ["cell.temperature", "300 K", "398 K"]
    ]
    assert {path.name for path in out.iterdir()} == {
        "comparison.csv", "worst_case.csv", "differences.csv", "comparison.png", "comparison.svg",
    }  # fmt: skip
    code, text, _ = call("compare", run, copy_of_run, "--out", out, "--ber", "1e-6", "--json")
    answer = json.loads(text)
    assert answer["differences"] == {"cell.temperature": {"run": "300 K", "hot": "398 K"}}
    pulse = json.loads(call("pulse", run, "--direction", "both", "--ber", "1e-6", "--json")[1])
    (worst,) = (row for row in answer["worst_case"] if row["direction"] == "both")
    # The copy has the same surface: what holds in one holds in both.
    assert worst["energy_J"] == pytest.approx(answer["results"][4]["energy_J"], rel=1e-9)
    row = answer["results"][4]
    assert (row["direction"], row["scenario"]) == ("both", "run")
    assert {name: row[name] for name in ("amplitude_V", "duration_s", "energy_J")} == {
        name: pulse[name] for name in ("amplitude_V", "duration_s", "energy_J")
    }


def test_compare_without_a_reference_or_a_pulse_leaves_gaps(run, copy_of_run, call, tmp_path):
    # 1e-290 is out of reach of any grid.
    asked = ("compare", run, copy_of_run, "--out", tmp_path / "out", "--ber", "1e-290")
    code, text, _ = call(*asked, "--json")
    assert code == 0
    assert all(row["energy_J"] is None for row in json.loads(text)["results"])
    code, text, _ = call(*asked)
    assert code == 0
    assert re.search(r"both +hot +- +- +-", text)


def test_export(run, call, tmp_path):
    assert call("export", run, "--format", "csv", "--out", tmp_path / "t.csv")[0] == 0
    exported, kept = pd.read_csv(tmp_path / "t.csv"), pd.read_csv(run / "tables" / "surface.csv")
    pd.testing.assert_frame_equal(exported, kept)


def test_doctor(call):
    code, out, _ = call("doctor", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["ok"]
    assert {"libngspice", "ngspice", "fashion-mnist"} <= {check["name"] for check in answer["checks"]}
    assert call("doctor")[0] == 0


def test_doctor_names_what_is_missing(call, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code, out, _ = call("doctor")
    assert code == 1
    assert "MISSING" in out
    assert "apt install ngspice" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("frobnicate", "frobnicate"),
        ("run none.toml --out {out}", r"Cannot read study file '.*none.toml': it does not exist\."),
        ("sweep {study} --out {run} --seed 9", r"study.toml: sweep.seed: got 9; allowed: 1, as in the study"),
        ("sweep {study} --out {run} --devices 0", "devices"),
        (
            "query {run} --direction p_to_ap --amplitude 3ns --duration 8ns",
            r"amplitude: got '3ns'.*nanosecond",
        ),
        ("query {run} --direction p_to_ap --amplitude 0.8 --duration 8ns", r"amplitude: got '0.8'"),
        (
            "query {run} --direction up --amplitude 0.8V --duration 8ns",
            r"--direction: got 'up'; allowed: 'p_to_ap' or 'ap_to_p' or 'both'\.",
        ),
        ("pulse {run} --direction up --ber 1e-3", r"--direction: got 'up'; allowed: .* or 'both'"),
        (
            "query {run} --direction p_to_ap --amplitude 9V --duration 8ns",
            r"amplitude: got '9 V'; allowed: 0.6 V to 1 V",
        ),
        ("query {out} --direction p_to_ap --amplitude 0.8V --duration 8ns", "no study.toml"),
        ("pulse {run} --direction p_to_ap --ber 3", r"ber: got 3.0; allowed"),
        (
            "pulse {run} --direction both --ber 1e-3 --max-amplitude 0.1V",
            r"max_amplitude: got '0.1 V'; .*0.6 V",
        ),
        ("pulse {run} --direction both --ber 1e-3 --max-duration 1V", r"max duration: got '1V'"),
        (
            "pulse {run} --direction both --ber 1e-3 --amplitude 0.8V",
            r"--amplitude fixes the amplitude, so it needs --vary duration.* --max-amplitude",
        ),
        ("pulse {run} --direction both --ber 1e-3 --vary duration --duration 3ns", r"--vary amplitude"),
        ("compare {run} --out {out}", r"run directories: got .*; allowed: two or more"),
        ("compare {run} {run}/../run --out {out}", r"allowed: each directory once"),
        ("compare {run} {out} --out {out}", r"no study.toml"),
        ("compare {run} {run} --out {out} --ber x", r"'--ber': .* valid number"),
        ("export {run} --format xyz --out {out}", r"format: got 'xyz'; allowed: csv"),
        ("export {run} --format csv --out {out}/a/b.csv", "--out: got .*a file in a directory that exists"),
        ("tradeoff {run} --dataset nothing-here --out {out}", "nothing-here"),
        (
            "tradeoff {run} --dataset digits --network resnet --out {out}",
            "'resnet' is not one of 'perceptron', 'convolutional', 'binarized'",
        ),
        (
            "tradeoff {run} --dataset digits --levers both,magic --out {out}",
            "lever: got 'magic'; allowed: dur",
        ),
        ("tradeoff {run} --dataset digits --read-energy 20ps --out {out}", "read energy: got '20ps'"),
        (
            "tradeoff {run} --dataset digits --cells some --out {out}",
            "'some' is not one of 'population', 'dev",
        ),
        (
            "tradeoff {run} --dataset digits --bits 1 --out {out}",
            "bits: got 1; allowed: an integer from 2 to 16",
        ),
        (
            "tradeoff {run} --dataset digits --network binarized --bits 8 --out {out}",
            "bits: got 8; allowed: 1 for a binarized",
        ),
        (
            "tradeoff {run} --dataset digits --batch-size 0 --out {out}",
            "batch_size: got 0; allowed: 1 or more",
        ),
        (
            "tradeoff {run} --dataset digits --accumulate 0 --out {out}",
            "accumulate: got 0; allowed: 1 or more",
        ),
        (
            "tradeoff {run} --dataset digits --lr -1 --out {out}",
            "learning_rate: got -1.0; allowed: finite, above",
        ),
        (
            "tradeoff {run} --dataset digits --learning-rate fast --out {out}",
            "Invalid value for '--learning-rate' .*valid number",
        ),
        (
            "tradeoff {run} --dataset digits --full-scale 1e9 --out {out}",
            "full_scale: got 1000000000.0; allowed",
        ),
        (
            "tradeoff {run} --dataset digits --full-scale big --out {out}",
            "--full-scale: got 'big'; allowed: a num",
        ),
        (
            "tradeoff {run} --dataset digits --full-scale 1,2,3 --workers 1 --out {out}",
            r"full_scale: got \(1.0, 2.0, 3.0\); allowed: 2 numbers, one for each layer",
        ),
        (
            "tradeoff {run} --dataset digits --optimizer rmsprop --out {out}",
            "'rmsprop' is not one of 'sgd', 'momentum', 'adam'",
        ),
        (
            "tradeoff {run} --dataset digits --rounding down --out {out}",
            "'down' is not one of 'stochastic', 'nearest'",
        ),
        (
            "tradeoff {run} --dataset digits --seeds 5 --most-seeds 4 --out {out}",
            "most_seeds: got 4; allowed: 5 or more, the seeds of the search",
        ),
        (
            "tradeoff {run} --dataset digits --optimizer adam --levers all_with_momentum --out {out}",
            "lever: got 'all_with_momentum'; allowed: levers without momentum",
        ),
        (
            "tradeoff {run} --dataset digits --optimizer momentum --levers momentum --out {out}",
            "lever: got 'momentum'; .* Take the plan's optimizer 'sgd', or leave the lever out",
        ),
        ("tradeoff {run} --dataset digits --other {out} --out {run}/x", "no study.toml"),
        (
            "tradeoff {run} --dataset digits --computing-reads x --out {out}",
            "'x' is not one of 'batch', 'image'",
        ),
        ("tradeoff {run} --dataset digits --levers , --out {out}", "lever: got ''; allowed: dur"),
        ("surface {out}", "no study.toml"),
    ],
)
def test_bad_requests_end_with_2_and_say_what_is_wrong(run, study, call, tmp_path, arguments, says):
    filled = arguments.format(run=run, study=study, out=tmp_path / "x").split()
    code, _, err = call(*filled)
    assert code == 2
    assert re.search(says, err)


def test_a_junction_without_two_states_is_refused_with_the_file(study, call, tmp_path):
    weak = study.with_name("weak.toml")
    weak.write_text(
        study.read_text().replace("[junction]", 'interfacial_anisotropy = "1.12 mJ/m^2"\n[junction]')
    )
    code, _, err = call("run", weak, "--out", tmp_path / "x")
    assert code == 2
    assert re.search(r"weak.toml: thermal stability .*: got .*; allowed: at least 5", err)
    assert "interfacial_anisotropy" in err
    assert not (tmp_path / "x").exists()


def test_a_field_that_leaves_one_state_is_refused_with_the_file(study, call, tmp_path):
    strong = study.with_name("strong.toml")
    strong.write_text(
        study.read_text().replace("[cell.", '[cell]\nexternal_field = { x = "300 mT" }\n[cell.')
    )
    code, _, err = call("sweep", strong, "--out", tmp_path / "x")
    assert code == 2
    assert re.search(r"strong.toml: cell.external_field: got .*0.3.*; allowed: .* at most 0.\d+ T", err)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ("", {}),
        ("--optimizer momentum", {"optimizer": "momentum", "learning_rate": pytest.approx(0.03)}),
        ("--optimizer adam", {"optimizer": "adam", "learning_rate": 1e-3}),
        ("--optimizer adam --lr 0.01", {"optimizer": "adam", "learning_rate": 0.01}),
        (
            "--bits 3 --full-scale 0.5 --batch-size 25 --learning-rate 0.2 --rounding nearest --accumulate 4 "
            "--epochs 7",
            {
                "bits": 3, "full_scale": 0.5, "batch_size": 25, "learning_rate": 0.2, "rounding": "nearest",
                "accumulate": 4, "epochs": 7,
            },
        ),
        ("--full-scale 0.25,0.5", {"full_scale": (0.25, 0.5)}),
        ("--full-scale initial", {"full_scale": "initial"}),
    ],
)  # fmt: skip
def test_options_of_the_training_make_the_plan(run, call, tmp_path, monkeypatch, options, changes):
    plans = []

    def stopped(_surface, _dataset, plan, **_):
        plans.append(plan)
        raise InputError("stopped", value=0, allowed="nothing")

    monkeypatch.setattr(tradeoff_module, "tradeoff", stopped)
    code, _, _ = call("tradeoff", run, "--dataset", "digits", "--out", tmp_path / "x", *options.split())
    assert code == 2
    assert dataclasses.asdict(plans[0]) == {**dataclasses.asdict(TrainingPlan()), **changes}


def test_another_optimizer_than_a_plan_of_adam_needs_a_rate(run, call, tmp_path, monkeypatch):
    monkeypatch.setitem(PLANS, "perceptron", TrainingPlan(optimizer="adam", learning_rate=1e-3))
    command = ["tradeoff", run, "--dataset", "digits", "--out", tmp_path / "x", "--optimizer", "sgd"]
    code, _, err = call(*command)
    assert code == 2
    assert "--learning-rate is missing: sgd needs one, because the plan is for adam." in err


def test_tradeoff_on_digits(run, call, tmp_path):
    out = tmp_path / "tradeoff"
    command = [
        "tradeoff", run, "--dataset", "digits", "--out", out, "--levers", "duration,read_before_write",
        "--seeds", "2", "--epochs", "1", "--workers", "1",
    ]  # fmt: skip
    code, said, _ = call(*command)
    assert code == 0
    assert "Baseline: two's complement, 8 bits, 0.8 V for" in said
    lines = (out / "trainings.jsonl").read_text().splitlines()
    table = read_tradeoff(out / "tradeoff.csv")
    assert set(table["lever"]) == {"reliable", "duration", "read_before_write"}
    ledger = pd.read_csv(out / "ledger.csv")
    assert len(ledger) == 16 * len(table)
    assert (out / "figures" / "tradeoff.png").stat().st_size > 10_000

    designs = pd.read_csv(out / "exact_designs.csv")
    assert list(designs.columns) == [*COLUMNS, "design"]
    assert len(designs) == len(DESIGNS)
    by_energy = pd.read_csv(out / "read_energies.csv")
    assert by_energy["read_energy_J"].unique().tolist() == list(READ_ENERGIES)
    assert set(by_energy["lever"]) == set(best(table)["lever"])

    # Another read energy is another bill for the same trainings.
    code, answer, _ = call(*command, "--read-energy", "40 fJ", "--json")
    assert code == 0
    assert (out / "trainings.jsonl").read_text().splitlines() == lines
    answer = json.loads(answer)
    assert answer["baseline"]["lever"] == "reliable"
    reads = [row["read_energy_J"] for row in answer["rows"]]
    assert reads == pytest.approx((2.0 * table["read_energy_J"]).tolist(), rel=1e-12)
    assert all(row["lever"] == lever and row["confirmed"] for lever, row in answer["best"].items())

    # Cells that stay the devices they are have other trainings.
    code, answer, _ = call(*command, "--cells", "devices", "--json")
    assert code == 0
    rows = json.loads(answer)["rows"]
    assert len((out / "trainings.jsonl").read_text().splitlines()) > len(lines)
    assert {row["ber"] for row in rows} >= {table["ber"][0]}

    # The report of a run tells the trade-offs in it.
    folder = shutil.copytree(run, tmp_path / "run")
    shutil.copytree(out, folder / "digits")
    assert call("report", folder, "--out", tmp_path / "report.html")[0] == 0
    page = _Page()
    page.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    told = {row[0]: row for row in page.rows if row[0] in ("reliable", "duration", "read_before_write")}
    rows = shown(read_tradeoff(out / "tradeoff.csv")).set_index("lever")
    assert list(told) == list(rows.index)
    for lever, row in told.items():
        expected = rows.loc[lever]
        assert row[4] == f"{expected['energy_saved_fraction']:.1%}"
        lower, upper = 100 * expected["energy_saved_lower"], 100 * expected["energy_saved_upper"]
        assert row[5] == f"{lower:.1f} to {upper:.1f}"
        assert row[7] == ("no write fails" if lever == "reliable" else "writes may fail")
        assert row[8] == ("not shown" if expected["not_shown"] else "holds")
        assert ("edge" in row[9]) == expected["at_edge"]


class _Page(html.parser.HTMLParser):
    """Cells of the tables, and what the page asks others for."""

    def __init__(self):
        super().__init__()
        self.rows, self.asked, self._cell = [], [], False

    def handle_starttag(self, tag, attributes):
        self.asked += [value for name, value in attributes if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        self._cell = tag in ("td", "th")

    def handle_data(self, data):
        if self._cell:
            self.rows[-1].append(data)
            self._cell = False


def test_report(run, call, tmp_path):
    out = tmp_path / "report.html"
    assert call("report", run, "--out", out)[::2] == (0, "")
    page = _Page()
    page.feed(out.read_text(encoding="utf-8"))
    # Opens without a network: links lead to parts of the page, and pictures are in it.
    assert all(one.startswith(("#", "data:")) for one in page.asked)
    surface = WriteSurface.load(run / "surface.nc")
    found = surface.cheapest_pulse("p_to_ap", 1e-6)
    row = next(row for row in page.rows if row[:2] == ["1e-06", "P → AP"])
    assert row[2:5] == [
        f"{found.amplitude_V:.3f} V",
        f"{1e9 * found.duration_s:.2f} ns",
        f"{1e12 * found.energy_J:.3f} pJ",
    ]
    samples = surface.dataset.attrs["devices"] * 2 * surface.amplitudes.size * surface.durations.size
    assert ["ok", f"{samples:,}"] in page.rows
    assert ["seed", str(surface.dataset.attrs["seed"])] in page.rows


def test_report_of_what_is_not_there(run, call, tmp_path):
    code, _, error = call("report", tmp_path, "--out", tmp_path / "report.html")
    assert code == 2
    assert "run directory: got" in error
    code, _, error = call("report", run, "--out", tmp_path / "nowhere" / "report.html")
    assert code == 2
    assert "--out: got" in error
    assert "allowed: a file in a directory that exists" in error


def test_work_that_fails_ends_with_1(run, call):
    code, _, err = call("pulse", run, "--direction", "p_to_ap", "--ber", "1e-290")
    assert code == 1
    assert "No pulse on the grid reaches 1e-290" in err


@pytest.mark.parametrize(
    "command",
    ["", "doctor", "run", "sweep", "surface", "query", "pulse", "compare", "export", "report", "tradeoff"],
)
def test_help(call, command):
    code, out, _ = call(*command.split(), "--help")
    assert code == 0
    assert "Usage: mtjchar" in out
