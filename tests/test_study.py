import copy
import re
import tomllib
import warnings
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
import study_cases
import tomli_w
from common import DEMO, DEMO_FILE, ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from study_cases import DATA, REMOVED, STACKS, changed, load, plain, refusal

from mtjchar.cells.stt.tables import SttTables, SttVariability
from mtjchar.errors import InputError
from mtjchar.study import (
    AmplitudeRange,
    DurationRange,
    Junction,
    Spread,
    Stack,
    Study,
    Transistor,
    load_stack,
    load_study,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


# ---- what is right ----


def test_demo_study():
    study = load_study(DEMO_FILE)
    # Read off the two files, in SI: the override replaces the 18 ohm um^2 of the stack.
    assert study.stack.resistance_area_product == pytest.approx(5e-12, rel=1e-15)
    assert study.stack.tmr == 1.24
    assert study.junction.diameter == pytest.approx(40e-9, rel=1e-15)
    assert study.cell.bitline.capacitance == pytest.approx(20e-15, rel=1e-15)
    assert study.variability.diameter == Spread(sigma=0.03, relative=True)
    assert study.variability.threshold_voltage.sigma == pytest.approx(15e-3, rel=1e-15)
    assert not study.variability.threshold_voltage.relative
    assert study.sweep.directions == ("p_to_ap", "ap_to_p")
    # By hand: the middle of 0.4 V and 1.2 V.
    assert study.nominal_amplitude == pytest.approx(0.8, rel=1e-15)
    assert study.nominal("diameter") == study.junction.diameter
    assert study.nominal("tmr") == 1.24
    assert study.nominal("threshold_voltage") == 0.0


def test_field_tilt_and_ellipse_are_read_and_written(tmp_path):
    data = changed("cell.external_field", {"x": "5 mT", "z": "-0.01 T"})
    data["stack"]["reference_tilt"] = "2 deg"
    data["junction"]["aspect_ratio"] = 1.5
    data["sweep"]["trials"] = 200
    study = load(tmp_path, data)
    field = study.cell.external_field
    assert (field.x, field.y, field.z) == pytest.approx((5e-3, 0.0, -0.01), rel=1e-15)
    assert study.stack.reference_tilt == pytest.approx(np.pi / 90, rel=1e-15)  # by hand
    assert study.junction.aspect_ratio == 1.5
    assert study.sweep.trials == 200
    again = tmp_path / "again.toml"
    again.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(again) == study


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("cell.external_field", {"z": "50 mT"}, None),
        ("cell.external_field", {"x": "1 mT"}, "cell.external_field.x = 1 mT"),
        ("cell.external_field", {"y": "-1 mT"}, "cell.external_field.y = -1 mT"),
        ("stack.reference_tilt", "0.1 rad", "stack.reference_tilt = 0.1 rad"),
        ("junction.aspect_ratio", 2, "junction.aspect_ratio = 2"),
    ],
)
def test_what_breaks_the_axial_symmetry(folder, key, value, words):
    study = load(folder, changed(key, value))
    assert study.axially_symmetric == (words is None)
    assert study.asymmetries == ((words,) if words else ())
    assert load_study(DEMO_FILE).axially_symmetric


@pytest.mark.parametrize("file", STACKS, ids=lambda file: file.stem)
def test_stacks_that_come_along_load_and_cite(file, folder):
    data = {**plain(), "stack": str(file)}
    del data["stack_overrides"]
    stack = load(folder, data).stack
    assert re.match(r"(doi:10\.|arXiv:)", stack.reference)
    # Every number has its source or "assumed" beside it.
    for line in file.read_text(encoding="utf-8").splitlines():
        if re.match(r"\w+ = ", line) and not line.startswith(("name", "reference")):
            assert len(line.partition("#")[2].strip()) > 5, line


def test_stack_path_is_relative_to_the_study(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "ikeda.toml").write_bytes(STACKS[0].read_bytes())
    assert load(tmp_path / "a", {**plain(), "stack": "../ikeda.toml"}) == load(tmp_path, plain())


@pytest.mark.parametrize("fit", [{"warnings": ["two stacks may be mixed"]}, {"warnings": 3}, 3])
def test_warnings_of_a_fit_are_said_again(tmp_path, fit):
    file = tmp_path / "fitted.toml"
    written = {**plain()["stack"], "demagnetization": "exact", "fit": fit}
    file.write_text(tomli_w.dumps(written), encoding="utf-8")
    data = {**plain(), "stack_overrides": {}}
    stack = load(tmp_path, data).stack
    said = fit == {"warnings": ["two stacks may be mixed"]}
    for read in (lambda: load_stack(file), lambda: load(tmp_path, {**data, "stack": "fitted.toml"}).stack):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert read() == stack
        wanted = [f"{file}: its fit warned: two stacks may be mixed"] if said else []
        assert [str(one.message) for one in caught] == wanted
        assert all(one.filename in (__file__, study_cases.__file__) for one in caught)


def test_written_out_study_reads_back_equal(tmp_path):
    study = load_study(DEMO_FILE)
    file = tmp_path / "study.toml"
    file.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(file) == study
    assert load_study(file).to_toml() == study.to_toml()
    # Complete: defaults are written out, with their units.
    assert tomllib.loads(study.to_toml())["stack"]["barrier_thickness"] == "1e-09 m"


@settings(deadline=None, max_examples=50)
@given(
    diameter=st.floats(6e-9, 4e-7),
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(
        lambda text: text.strip() and text.isprintable()
    ),
    tmr=st.floats(0.1, 19),
    sigma=st.floats(0, 0.199),
    threshold=st.floats(0, 0.05),
    amplitudes=st.lists(st.floats(0.01, 5), min_size=2, max_size=2, unique=True).map(sorted),
    points=st.integers(2, 1000),
    seed=st.integers(0, 2**63 - 1),
    resistance=st.none() | st.floats(1, 1e6),
)
def test_any_study_reads_back_equal(
    folder, diameter, name, tmr, sigma, threshold, amplitudes, points, seed, resistance
):
    data = DEMO.model_dump()
    data["junction"]["diameter"] = diameter
    data["stack"].update(name=name, tmr=tmr)
    data["variability"] = SttVariability(
        diameter=sigma,
        damping=Spread(sigma=0.001, relative=False),
        threshold_voltage=Spread(sigma=threshold, relative=False),
    )
    data["sweep"]["amplitude"].update(start=amplitudes[0], stop=amplitudes[1], points=points)
    data["sweep"]["seed"] = seed
    data["cell"]["transistor"].update(
        model="ideal" if resistance else "generic", on_resistance=resistance, subcircuit=None
    )
    study = Study(**data)
    file = folder / "again.toml"
    file.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(file) == study


def test_python_takes_plain_numbers_as_si_and_strings_with_units():
    assert Junction(diameter=40e-9) == Junction(diameter="40 nm") == Junction(diameter=np.float64(40e-9))
    assert SttVariability(diameter=0.03).diameter == Spread(sigma=0.03, relative=True)
    assert SttVariability(diameter="1 nm").diameter == Spread(sigma=1e-9, relative=False)


def test_descriptions_are_frozen_and_compare_by_value():
    junction = Junction(diameter=40e-9)
    with pytest.raises(ValidationError):
        junction.diameter = 50e-9
    assert load_study(DEMO_FILE) == load_study(DEMO_FILE)


def test_grids():
    # By hand.
    linear = AmplitudeRange(start=0.4, stop=1.2, points=5)
    np.testing.assert_allclose(linear.values(), [0.4, 0.6, 0.8, 1.0, 1.2], rtol=1e-15)
    log = DurationRange(start=1e-9, stop=1e-7, points=3)
    np.testing.assert_allclose(log.values(), [1e-9, 1e-8, 1e-7], rtol=1e-14)


@settings(deadline=None)
@given(st.floats(1e-12, 1e-4), st.floats(1.001, 10), st.integers(2, 50), st.sampled_from(["linear", "log"]))
def test_grids_ascend_from_start_to_stop(start, factor, points, spacing):
    values = DurationRange(start=start, stop=start * factor, points=points, spacing=spacing).values()
    assert len(values) == points
    assert (values[0], values[-1]) == pytest.approx((start, start * factor), rel=1e-14)
    assert np.all(np.diff(values) > 0)


def test_transistor_of_a_file(tmp_path):
    (tmp_path / "my nmos.lib").write_text(".subckt nmos d g s b w=1 l=1 dvth=0\n.ends\n")
    study = load(tmp_path, changed("cell.transistor", {"model": "my nmos.lib", "subcircuit": "nmos"}))
    # Relative to the study, whole afterwards: the study is copied into run directories.
    assert study.cell.transistor.model == str((tmp_path / "my nmos.lib").resolve())
    (tmp_path / "elsewhere").mkdir()
    again = tmp_path / "elsewhere" / "study.toml"
    again.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(again) == study


def test_transistor_given_relative_in_python_becomes_whole(tmp_path, monkeypatch):
    (tmp_path / "nmos.lib").write_text("*\n")
    monkeypatch.chdir(tmp_path)
    assert Transistor(model="nmos.lib", subcircuit="nmos").model == str((tmp_path / "nmos.lib").resolve())


# ---- what is wrong: key, value, words that have to be in the message ----

WRONG = [
    ("junctoin", {"diameter": "40 nm"}, ["junctoin", "one of", "junction", "stack_overrides"]),
    ("cell.bitline.resistence", "1 ohm", ["resistence", "'1 ohm'", "one of resistance, capacitance"]),
    ("stack.thickness", "1 nm", ["stack.thickness", "'1 nm'", "free_layer_thickness"]),
    ("variability.gamma", 0.1, ["variability.gamma", "0.1", "one of diameter"]),
    ("junction.diameter", "40 ns", ["'40 ns'", "'1 m'", "nanosecond"]),
    ("junction.diameter", 40e-9, ["4e-08", "string with a unit", '"1 m"']),
    ("junction.diameter", "40", ["'40'", "'1 m'"]),
    ("junction.diameter", "nan m", ["'nan m'", "finite"]),
    ("junction.diameter", "-40 nm", ["'-40 nm'", "above 5 nm and below 500 nm"]),
    ("junction.diameter", True, ["True", "string with a unit"]),
    ("junction.diameter", REMOVED, ["required"]),
    ("stack", REMOVED, ["stack", "required"]),
    ("stack.free_layer_thickness", "-1 nm", ["'-1 nm'", "above 200 pm and below 10 nm"]),
    ("stack.tmr", 0, ["got 0;", "above 0 and below 20"]),
    ("stack.tmr", -1.0, ["-1.0", "above 0 and below 20"]),
    ("stack.tmr", "1.2", ["'1.2'", "plain number"]),
    ("stack.tmr", True, ["True", "plain number"]),
    ("stack.tmr", float("nan"), ["nan"]),
    ("stack.tmr", float("inf"), ["inf", "finite"]),
    ("stack.tmr", REMOVED, ["required"]),
    ("stack.name", "two\nlines", ["two\\nlines", "one line"]),
    ("stack.name", " ", ["at least 1"]),
    ("stack", 3, ["got 3;", "path of a stack file"]),
    ("stack_overrides", 3, ["got 3;", "table"]),
    ("stack_overrides.tmr", -2.0, ["-2.0", "above 0 and below 20"]),
    ("stack_overrides.colour", "red", ["'red'", "one of name"]),
    ("cell", 3, ["got 3;", "a table"]),
    ("cell.external_field", "5 mT", ["'5 mT'", "a table"]),
    ("cell.external_field.x", "2100 mT", ["'2100 mT'", "at least -2 T and at most 2 T"]),
    ("cell.external_field.x", 0.01, ["0.01", "string with a unit", '"1 T"']),
    ("cell.external_field.z", "5 A/m", ["'5 A/m'", "'1 T'"]),
    ("cell.external_field.r", "5 mT", ["'5 mT'", "one of x, y, z"]),
    ("stack.reference_tilt", "90 deg", ["'90 deg'", "at least 0 rad and below 1.57"]),
    ("stack.reference_tilt", "-1 deg", ["'-1 deg'", "at least 0 rad"]),
    ("stack.reference_tilt", "2", ["'2'", '"2 deg"']),
    ("stack.reference_tilt", "2 %", ["'2 %'", '"2 deg"']),
    ("stack.reference_tilt", "2 mm", ["'2 mm'", '"2 deg"']),
    ("stack.reference_tilt", 0.1, ["0.1", "string with a unit"]),
    ("junction.aspect_ratio", 0.9, ["0.9", "at least 1 and at most 5"]),
    ("junction.aspect_ratio", "2", ["'2'", "plain number"]),
    ("sweep.trials", 9, ["got 9;", "at least 10 and at most 100000"]),
    ("cell.free_layer_to", "wordline", ["'wordline'", "bitline", "sourceline"]),
    ("cell.temperature", "200 degC", ["'200 degC'", "398.15"]),
    ("pulse.rise", "0 s", ["'0 s'", "at least 1 ps and at most 10 ns"]),
    ("pulse.amplitude", "6 V", ["'6 V'", "above 0 V and at most 5 V"]),
    ("pulse.amplitude", "1.3 V", ["'1.3 V'", "sweep.amplitude, 0.4 V to 1.2 V"]),
    ("sweep.amplitude.stop", "0.3 V", ["'0.3 V'", "more than start"]),
    ("sweep.amplitude.stop", "0.4 V", ["'0.4 V'", "more than start"]),
    ("sweep.amplitude.points", 1, ["got 1;", "at least 2 and at most 1000"]),
    ("sweep.amplitude.points", 2.5, ["2.5", "integer"]),
    ("sweep.amplitude.points", True, ["True", "plain number"]),
    ("sweep.amplitude.spacing", "cubic", ["'cubic'", "'linear', 'log' or 'refined'"]),
    ("sweep.duration.start", "99 ps", ["'99 ps'", "at least half the rise"]),
    ("sweep.directions", ["p_to_ap", "p_to_ap"], ["p_to_ap", "each direction once"]),
    ("sweep.directions", [], ["[]", "at least 1"]),
    ("sweep.directions", "p_to_ap", ["'p_to_ap'"]),
    ("sweep.devices", 0, ["got 0;", "at least 1 and at most 1000000"]),
    ("sweep.devices", 10**400, ["sweep.devices"]),
    ("sweep.seed", -1, ["-1", "at least 0"]),
    ("variability.diameter", 0.2, ["got 0.2;", "from 0 to below 0.2"]),
    ("variability.diameter", -0.1, ["-0.1", "from 0 to below 0.2"]),
    ("variability.diameter", True, ["True", "relative number"]),
    ("variability.diameter", float("nan"), ["nan", "relative number"]),
    ("variability.diameter", float("inf"), ["inf", "relative number"]),
    ("variability.diameter", 10**400, ["relative number"]),
    ("variability.diameter", "3 V", ["'3 V'", "relative number", "'1 m'"]),
    ("variability.diameter", "-1 nm", ["'-1 nm'", "from 0"]),
    ("variability.diameter", "9 nm", ["'9 nm'", "a fifth of the nominal value"]),
    ("variability.diameter", {"sigma": 0.1, "relative": True}, ["sigma, relative", "relative number"]),
    ("variability.threshold_voltage", 0.1, ["got 0.1;", "15 mV", 'avt = "2 mV*um"']),
    ("variability.threshold_voltage", {"avt": "2 mV"}, ["avt", 'avt = "2 mV*um"', "that dimension"]),
    ("variability.threshold_voltage", {"avt": "2 %*um"}, ['avt = "2 mV*um"']),
    ("variability.threshold_voltage", {"avt": 2e-9}, ['avt = "2 mV*um"']),
    ("variability.threshold_voltage", {"avt": "-2 mV*um"}, ["at least 0"]),
    ("variability.threshold_voltage", {"abeta": "1 %*um"}, ["abeta", 'avt = "2 mV*um"']),
    ("variability.threshold_voltage", {"avt": "2 mV*um", "sigma": 1}, ['avt = "2 mV*um"']),
    ("variability.current_factor", {"abeta": "1 mV*um"}, ['abeta = "1 %*um"']),
    ("variability.current_factor", {"abeta": "1 %"}, ['abeta = "1 %*um"']),
    ("variability.current_factor", {"avt": "2 mV*um"}, ['abeta = "1 %*um"']),
    ("variability.current_factor", "15 mV", ["'15 mV'", "relative number"]),
    ("variability.current_factor", {"abeta": "2 %*um"}, ["below 0.2", "fifth of the nominal value"]),
    ("variability.diameter", {"avt": "2 mV*um"}, ["relative number"]),
    ("cell.supply_voltage", "1 V", ["'1 V'", "largest amplitude"]),
    ("cell.supply_voltage", 1.5, ["got 1.5;", "string with a unit"]),
    ("cell.wordline", "1 kohm", ["'1 kohm'", "a table"]),
    ("cell.transistor.on_resistance", "1 kohm", ["'1 kohm'", '"ideal"']),
    ("cell.transistor.subcircuit", "nmos", ["'nmos'", "only there"]),
    ("cell.transistor.model", "", ["SPICE file"]),
    ("cell.transistor.model", "none.lib", ["'none.lib'", '"generic"', "there is none"]),
    ("cell.transistor.model", 3, ["got 3;", "string"]),
    ("cell.transistor.model", "x\0", ["SPICE file"]),
    ("cell.transistor.model", "x" * 5000, ["SPICE file"]),
]


@pytest.mark.parametrize(("key", "value", "words"), WRONG, ids=[f"{w[0]}-{i}" for i, w in enumerate(WRONG)])
def test_refusal_names_file_key_value_and_what_is_allowed(folder, key, value, words):
    message = refusal(folder, changed(key, value))
    missing, place = value is REMOVED, f"{folder / 'study.toml'}: {key}"
    assert message.startswith(f"{place} is missing (required)." if missing else f"{place}: got ")
    for word in words:
        assert word in message
    assert message.count("allowed") == (0 if missing else 1)
    assert "\n" not in message
    assert len(message) - len(str(folder)) < 900


def test_mismatch_by_area_is_read_and_written(tmp_path):
    data = changed("variability.threshold_voltage", {"avt": "2 mV*um"})
    data["variability"]["current_factor"] = {"abeta": "1 %*um"}
    study = load(tmp_path, data)
    again = tmp_path / "again.toml"
    again.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(again) == study
    assert study.variability.threshold_voltage.sigma == pytest.approx(2e-9, rel=1e-12)  # V m
    spreads = dict(study.spreads())
    # By hand: over sqrt(300 nm x 30 nm) = 94.868 nm.
    assert spreads["threshold_voltage"].sigma == pytest.approx(21.082e-3, rel=1e-4)
    assert spreads["current_factor"].sigma == pytest.approx(0.10541, rel=1e-4)


@pytest.mark.parametrize("spread", [0.02, {"abeta": "0.5 %*um"}])
def test_current_factor_needs_the_transistor_that_has_it(folder, spread):
    data = changed("variability.current_factor", spread)
    data["cell"]["transistor"] = {"model": "ideal", "on_resistance": "1 kohm"}
    message = refusal(folder, data)
    assert "variability.current_factor: got " in message
    assert 'cell.transistor.model = "generic"' in message
    (folder / "user.lib").write_text(".subckt n d g s b w=1 l=1 dvth=0\nR1 d s 1k\n.ends\n")
    data["cell"]["transistor"] = {"model": "user.lib", "subcircuit": "n"}
    assert "no parameter for it" in refusal(folder, data)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("cells", 0, ["got 0;", "at least 1"]),
        ("half_selected", -1, ["got -1;", "at least 0"]),
        ("capacitance", "1 kohm", ["'1 kohm'", "dimension of F"]),
        ("resistance", "2 Mohm", ["'2 Mohm'", "below 1 MΩ"]),
        ("wire", 3, ["one of resistance, capacitance, cells, half_selected"]),
    ],
)
def test_word_line_that_is_wrong(folder, key, value, words):
    wire = {"resistance": "1 kohm", "capacitance": "60 fF", "cells": 32, key: value}
    message = refusal(folder, changed("cell.wordline", wire))
    assert f"cell.wordline.{key}: got " in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ('thermal_resistance_area = "1000 K*um^2/W"', "thermal_time"),
        ("back_hopping_stability = 40", "back_hopping_current_density"),
    ],
)
def test_a_key_that_an_override_asks_for_is_one_of_the_study(tmp_path, override, key):
    file = tmp_path / "study.toml"
    text = (ROOT / "data/studies/demo.toml").read_text(encoding="utf-8")
    stack = (ROOT / "data/stacks/ikeda2010.toml").as_posix()
    text = text.replace('stack = "../stacks/ikeda2010.toml"', f'stack = "{stack}"')
    file.write_text(text.replace("[stack_overrides]", f"[stack_overrides]\n{override}"), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        load_study(file)
    assert str(refused.value).startswith(f"{file}: stack_overrides.{key} is missing; allowed: ")


def test_ideal_transistor_needs_its_resistance(folder):
    message = refusal(folder, changed("cell.transistor", {"model": "ideal"}))
    assert "cell.transistor.on_resistance is missing; " in message
    assert "a resistance with model" in message


@pytest.mark.parametrize(
    "name",
    ["a\nb.lib", 'a".lib', "a'.lib", "a;b.lib", "a$b.lib", "a\\b.lib", "a{b}.lib", "a\n.control\nb.lib"],
)
def test_file_names_that_could_start_another_line_of_spice_are_refused(tmp_path, name):
    # The file does exist: it is the name that is refused.
    (tmp_path / name).write_text("*\n")
    message = refusal(tmp_path, changed("cell.transistor", {"model": name, "subcircuit": "nmos"}))
    assert "cell.transistor.model: got " in message
    assert repr(name) in message
    assert "letters, digits" in message


@pytest.mark.parametrize(
    "name", ["a b", "a\n.control", "a\nshell x", 'a"', "1a", "a;b", "a{b}", "ü", "", "a" * 65, ".control", 3]
)
def test_subcircuit_names_that_could_do_so_are_refused(tmp_path, name):
    (tmp_path / "n.lib").write_text("*\n")
    message = refusal(tmp_path, changed("cell.transistor", {"model": "n.lib", "subcircuit": name}))
    assert "cell.transistor.subcircuit: got " in message
    assert repr(name) in message


def test_transistor_file_without_subcircuit_is_refused(tmp_path):
    (tmp_path / "n.lib").write_text("*\n")
    message = refusal(tmp_path, changed("cell.transistor", {"model": "n.lib"}))
    assert "cell.transistor.subcircuit is missing; " in message
    assert "name of the subcircuit" in message


def test_further_complaints_are_counted(folder):
    data = changed("junction.diameter", "4 V")
    data["stack"]["tmr"] = -1.0
    data["sweep"]["devices"] = 0
    message = refusal(folder, data)
    assert "stack.tmr: got -1.0" in message
    assert "2 more errors." in message


def test_an_error_in_the_stack_file_names_the_stack_file_and_its_own_key(tmp_path):
    text = STACKS[0].read_text(encoding="utf-8")
    (tmp_path / "film.toml").write_text(re.sub(r"(?m)^tmr = .*$", "tmr = -1.5", text), encoding="utf-8")
    data = {**plain(), "stack": "film.toml"}
    message = refusal(tmp_path, data)
    assert message.startswith(f"{tmp_path / 'film.toml'}: tmr: got -1.5; allowed: ")
    # An override mends it, and a wrong override is the study's.
    data["stack_overrides"] = {"tmr": 1.0}
    assert load(tmp_path, data).stack.tmr == 1.0
    data["stack_overrides"] = {"tmr": -2.5}
    assert refusal(tmp_path, data).startswith(f"{tmp_path / 'study.toml'}: stack_overrides.tmr: got -2.5")


def test_missing_and_unreadable_files(tmp_path):
    missing = tmp_path / "none.toml"
    with pytest.raises(InputError, match=r"Cannot read study file .*: it does not exist") as caught:
        load_study(missing)
    assert str(missing) in str(caught.value)
    with pytest.raises(InputError, match="directory"):
        load_study(tmp_path)
    message = refusal(tmp_path, {**plain(), "stack": "film.toml"})
    for word in (str(tmp_path / "study.toml"), "stack", "film.toml", "it does not exist"):
        assert word in message
    assert "stack" in refusal(tmp_path, {**plain(), "stack": ""})
    assert "null byte" in refusal(tmp_path, {**plain(), "stack": "a\0b"})


@pytest.mark.parametrize(
    "content",
    [b"a = ", b"\x00\xff\xfe", b"\x89PNG\r\n\x1a\n", b"a = 1\na = 2", b"= 3", b"a = " + b"[" * 5000],
)
def test_what_is_no_toml_is_refused(tmp_path, content):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(InputError, match="TOML") as caught:
        load_study(file)
    assert str(file) in str(caught.value)
    message = refusal(tmp_path, {**plain(), "stack": "bad.toml"})
    assert message.startswith(f"{file}: ")


def test_empty_study_says_what_is_required(tmp_path):
    assert "stack is missing (required)." in refusal(tmp_path, {})


def positions(table, path=()):
    for key, value in table.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from positions(value, (*path, key))


leaves = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.sampled_from([10**400, "1 m", "1 V", "nan", "generic", "ideal", "1e999 m", "1/0 m"]),
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abmodelstrp_", min_size=1, max_size=6), inner, max_size=3)
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted({*positions(plain()), ("pulse", "amplitude")})), anything)
def test_any_value_anywhere_is_a_study_or_an_input_error(folder, position, value):
    data = copy.deepcopy(plain())
    table = data
    for key in position[:-1]:
        table = table[key]
    table[position[-1]] = value
    try:
        study = load(folder, data)
    except InputError as error:
        assert str(folder) in str(error)  # noqa: PT017, any other exception fails the test
    else:
        assert isinstance(study, Study)


def test_stack_states_every_number_with_a_range():
    # No number is taken unlimited: bad input has to end here, not in the simulator.
    for name, field in Stack.model_fields.items():
        tables = [one for one in get_args(field.annotation) if isinstance(one, type(BaseModel))]
        if get_origin(field.annotation) is Literal:
            continue
        for inner in [two for one in tables for two in one.model_fields.values()] or [field]:
            assert inner.metadata or get_origin(inner.annotation) is Literal, name


# ---- the reference in docs ----

REFERENCE = ROOT / "docs/study.md"


def described(model):
    for name, field in model.model_fields.items():
        yield name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from described(kind)


def test_reference_describes_every_key():
    in_tables = {
        key
        for line in REFERENCE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
        for key in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    # Spread's attributes are of Python, no keys of a file; Pelgrom's coefficients stand in for one.
    only_in_files = {"stack_overrides", "wafer", "avt", "abeta"}
    of_python = {"tables", "sigma", "relative", "per_root_area"}
    assert in_tables == {*described(Study), *described(SttTables), *only_in_files} - of_python


def test_example_of_the_reference_loads(tmp_path):
    example = re.search(r"```toml\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)[1]
    (tmp_path / "study.toml").write_text(example.replace("../stacks", str(DATA / "stacks")), encoding="utf-8")
    study = load_study(tmp_path / "study.toml")
    # The example is the demo with more devices and the default amplitude written out, without reads.
    assert study.with_(sweep={"devices": 256}, pulse={"amplitude": None}) == DEMO
