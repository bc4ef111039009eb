"""The command line, as a user calls it, on a small study with the real ngspice."""

import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pandas as pd
import pytest

from mtjchar.cli import main

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
    path.write_text(STUDY.format(stacks=Path("data/stacks").resolve()))
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


@pytest.fixture
def call(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mtjchar", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call


def test_run_leaves_what_is_described(run):
    assert {"study.toml", "devices.parquet", "samples", "surface.nc", "tables", "figures"} <= {
        path.name for path in run.iterdir()
    }
    table = pd.read_csv(run / "tables" / "surface.csv")
    assert len(table) == 2 * 3 * 6
    for name in ("ber_map", "energy_map", "ber_against_duration", "ber_against_amplitude"):
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
    assert set(answer) == {"ber", "ber_lower", "ber_upper", "energy_J", "redundant_energy_J"}
    assert 0.0 <= answer["ber_lower"] <= answer["ber"] <= answer["ber_upper"] <= 1.0
    code, out, _ = call(*at)
    assert code == 0
    assert f"{1e12 * answer['energy_J']:.4g} pJ" in out


@pytest.mark.parametrize("vary", ["amplitude", "duration", "both"])
@pytest.mark.parametrize("direction", ["p_to_ap", "both"])
def test_pulse(run, call, vary, direction):
    code, out, err = call("pulse", run, "--direction", direction, "--ber", "1e-3", "--vary", vary, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert set(answer) == {"amplitude_V", "duration_s", "ber", "energy_J"}
    assert answer["ber"] <= 1.001e-3
    one = "p_to_ap" if direction == "both" else direction
    pulse = ("--amplitude", f"{answer['amplitude_V']!r} V", "--duration", f"{answer['duration_s']!r} s")
    asked = json.loads(call("query", run, "--direction", one, *pulse, "--json")[1])
    assert asked["ber"] <= answer["ber"] * (1.0 + 1e-6)


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
        ("run none.toml --out {out}", r"none.toml.*allowed: a TOML file that can be read"),
        ("sweep {study} --out {run} --seed 9", r"study.toml: sweep.seed: got 9; allowed: 1, as in the study"),
        ("sweep {study} --out {run} --devices 0", "devices"),
        (
            "query {run} --direction p_to_ap --amplitude 3ns --duration 8ns",
            r"amplitude: got '3ns'.*nanosecond",
        ),
        ("query {run} --direction p_to_ap --amplitude 0.8 --duration 8ns", r"amplitude: got '0.8'"),
        ("query {run} --direction up --amplitude 0.8V --duration 8ns", "up"),
        (
            "query {run} --direction p_to_ap --amplitude 9V --duration 8ns",
            r"amplitude: got 9.0; allowed: 0.6 to 1 V",
        ),
        ("query {out} --direction p_to_ap --amplitude 0.8V --duration 8ns", "no study.toml"),
        ("pulse {run} --direction p_to_ap --ber 3", r"ber: got 3.0; allowed"),
        ("export {run} --format xyz --out {out}", r"format: got 'xyz'; allowed: csv"),
        ("export {run} --format csv --out {out}/a/b.csv", "can be written"),
        ("tradeoff {run} --dataset nothing-here --out {out}", "nothing-here"),
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
        study.read_text().replace("[junction]", 'interfacial_anisotropy = "1.17 mJ/m^2"\n[junction]')
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


def test_work_that_fails_ends_with_1(run, call):
    code, _, err = call("pulse", run, "--direction", "p_to_ap", "--ber", "1e-290")
    assert code == 1
    assert "No pulse of the surface has an error rate of 1e-290" in err


@pytest.mark.parametrize(
    "command", ["", "doctor", "run", "sweep", "surface", "query", "pulse", "export", "tradeoff"]
)
def test_help(call, command):
    code, out, _ = call(*command.split(), "--help")
    assert code == 0
    assert "Usage: mtjchar" in out
