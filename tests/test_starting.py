"""A first start: what ships by its name, a study to begin with, and what follows from it."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from common import ROOT
from study_cases import changed, load

import mtjchar
from mtjchar.cells.stt.axial import largest_overdrive
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.errors import InputError
from mtjchar.shipped import named_file, shipped
from mtjchar.study import load_stack, load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.tasks import Task, characterize


def test_studies_and_stacks_by_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_study("demo") == load_study(ROOT / "data/studies/demo.toml")
    assert load_stack("ikeda2010") == load_stack(ROOT / "data/stacks/ikeda2010.toml")
    text = (ROOT / "data/studies/demo.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(
        text.replace("../stacks/ikeda2010.toml", "sato2013"), encoding="utf-8"
    )
    assert load_study("mine.toml").tables.stack.name == load_stack("sato2013").name


def test_a_file_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "data/studies/gf180.toml", tmp_path / "demo")
    assert named_file("demo", "studies").resolve() == tmp_path / "demo"


def test_unknown_names_are_refused_as_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("demos", "demo.toml", "x" * 300, "de\0mo"):
        with pytest.raises(InputError, match="study file"):
            load_study(name)


def test_data_path_is_where_the_data_are():
    assert (mtjchar.data_path() / "stacks/ikeda2010.toml").is_file()


def test_lists(call):
    for command, kind in (("stacks", "stacks"), ("studies", "studies")):
        code, out, _ = call(command, "--json")
        assert code == 0
        assert {row["name"] for row in json.loads(out)} == set(shipped(kind))
        code, out, _ = call(command)
        assert code == 0
        assert all(name in out for name in shipped(kind))


# The film of pai2012 is magnetized in the plane: only the study sot_2t makes junctions of it.
@pytest.mark.parametrize("stack", [name for name in shipped("stacks") if name != "pai2012"])
def test_init_writes_a_study_that_loads(call, tmp_path, stack):
    code, out, _ = call("init", tmp_path / "new", "--stack", stack)
    assert code == 0
    assert "mtjchar check" in out
    study = load_study(tmp_path / "new/study.toml")
    assert study.tables.stack.name == load_stack(stack).name
    Population(study).nominal()


def test_init_overwrites_nothing(call, tmp_path):
    (tmp_path / "study.toml").write_text("mine")
    code, _, err = call("init", tmp_path)
    assert code == 2
    assert re.search("without study.toml.*edit the study", err)
    assert (tmp_path / "study.toml").read_text() == "mine"
    code, _, err = call("init", tmp_path / "x", "--stack", "ikeda")
    assert code == 2
    assert "ikeda2010, krizakova2022, mihajlovic2019, pai2012, rehm2021, sato2013" in err


def test_check_shows_what_devices_and_study_say(call):
    study = load_study("demo")
    code, out, _ = call("check", "demo", "--json")
    answer = json.loads(out)
    assert code == 0
    nominal, drawn = Population(study).nominal(), Population(study).draw()
    assert answer["nominal"]["thermal_stability"] == nominal["thermal_stability"].iloc[0]
    expected = np.quantile(drawn["critical_current_A"], [0.05, 0.95])
    np.testing.assert_allclose(answer["quantiles"]["critical_current_A"], expected)
    assert answer["samples"] == 256 * 2 * 12 * 25
    assert answer["complete"]["cell"]["transistor"]["model"] == "generic"
    code, out, _ = call("check", "demo")
    assert code == 0
    assert re.search(r"Δ +│ +│ 40 ", out)
    assert "153,600 samples" in out


def test_check_of_an_sot_cell_names_what_its_amplitude_is_across(call):
    code, out, _ = call("check", "sot_2t")
    assert code == 0
    assert "at 0.8 V across the channel and the lines alone" in out
    assert "estimated by splitting" in out  # sot_2t asks for it


@pytest.mark.parametrize("torque", ["voltage", "current"])
def test_overdrive_is_bounded_by_that_of_the_junction_alone(tmp_path, torque):
    """With an ideal transistor of 1 ohm and lines of 1 ohm the circuit's overdrive comes up to the bound."""
    data = changed("cell.transistor", {"model": "ideal", "on_resistance": "1 ohm"})
    data["stack_overrides"]["torque"] = torque
    for line in ("bitline", "sourceline"):
        data["cell"][line] = {"resistance": "1 ohm", "capacitance": "1 fF"}
    study = load(tmp_path, data)
    device = Population(study).nominal()
    bounds = study.kind.foresee(study.tables, device, 0.8).largest_overdrive
    for direction, bound in bounds.items():
        lines = load_lines(study, cell_parameters(study, device), direction, study.pulses.at(0.8))
        assert 0.97 * bound < largest_overdrive(study.tables, device, lines) < bound


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("sweep.amplitude", {"start": "50 mV", "stop": "100 mV", "points": 8}, "No pulse reaches Ic0"),
        ("stack_overrides.interfacial_anisotropy", "1.6 mJ/m^2", r"thermal stability of \d+.* is unusual"),
        ("sweep.duration", {"start": "1 ns", "stop": "9 ns", "points": 4}, "duration has 4 points"),
        ("variability.interfacial_anisotropy", 0.1, r"devices cannot be characterized; the first: "),
    ],
)
def test_check_warns(call, tmp_path, key, value, says):
    load(tmp_path, changed(key, value))
    code, _, err = call("check", tmp_path / "study.toml")
    assert code == 0
    assert re.search(says, " ".join(err.split()))


def test_check_names_the_file_of_a_device_without_two_states(call, tmp_path):
    load(tmp_path, changed("stack_overrides.interfacial_anisotropy", "1 mJ/m^2"))
    code, _, err = call("check", tmp_path / "study.toml")
    assert code == 2
    assert f"{tmp_path / 'study.toml'}: " in err


def test_check_refuses_a_size_that_a_kit_does_not_have(call, tmp_path):
    load(tmp_path, changed("cell.transistor", {"model": "sky130"}))
    code, _, err = call("check", tmp_path / "study.toml")
    assert code == 2
    assert "cell.transistor.length" in err


def test_example_run_is_what_its_study_gives_today():
    """Four devices, computed anew; regression. In another batch ngspice takes other steps: 1e-5 apart."""
    run = mtjchar.example_run()
    assert run.study == load_study("example")
    devices = run.devices.iloc[:4]
    samples = run.samples
    for direction in run.study.sweep.directions:
        again = characterize(Task(run.study, devices, direction))
        kept = samples[samples["device"].isin(devices["device"]) & (samples["direction"] == direction)]
        for column in ("write_error_rate", "energy_J"):
            np.testing.assert_allclose(kept[column], again[column], rtol=1e-4, atol=1e-30)


def test_example_run_is_small_and_holds_no_place_on_a_machine():
    folder = mtjchar.data_path() / "example_run"
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 1_000_000
    places = [str(place).encode() for place in (ROOT, Path.home(), tempfile.gettempdir())]
    assert not any(place in file.read_bytes() for file in files for place in places)
