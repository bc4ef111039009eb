"""Stack files: three ways to give the anisotropy, and files of older versions."""

import tomllib

import numpy as np
import pytest
import tomli_w
from common import DEMO, DEMO_FILE
from study_cases import DATA, load, plain, refusal

from mtjchar.cells.stt.stack import ANISOTROPIES
from mtjchar.study import Junction, load_stack, load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory

# ---- one of three ways to give the anisotropy ----


def stack_with(**keys):
    """Ikeda's stack with these keys in the place of its anisotropy."""
    stack = {key: value for key, value in plain()["stack"].items() if key not in ANISOTROPIES}
    return {**plain(), "stack": {**stack, **keys}}


def test_measured_stability_is_that_of_the_junction(tmp_path):
    given = {"value": 52.5, "diameter": "40 nm"}
    for method in ("exact", "sato-ishii"):
        one = load(tmp_path, stack_with(stability=given, demagnetization=method))
        assert Population(one).nominal()["thermal_stability"].iloc[0] == pytest.approx(52.5, rel=1e-12)
    assert one.stack.stability is None  # what follows is in interfacial_anisotropy
    # Written out it is the interfacial anisotropy, with which the study reads back equal.
    written = tomllib.loads(one.to_toml())["stack"]
    assert "stability" not in written
    assert load(tmp_path, tomllib.loads(one.to_toml())) == one


def test_measured_field_is_that_of_the_junction_or_of_the_film(tmp_path):
    one = load(tmp_path, stack_with(anisotropy_field={"value": "0.21 T", "diameter": "40 nm"}))
    assert Population(one).nominal()["anisotropy_field_T"].iloc[0] == pytest.approx(0.21, rel=1e-12)
    film = load(tmp_path, stack_with(anisotropy_field={"value": "0.21 T"}))
    # By hand: Ki = t Ms (B + mu0 Ms)/2.
    magnetization = 1.257e6
    by_hand = 1.3e-9 * magnetization * (0.21 + 4e-7 * np.pi * magnetization) / 2
    assert film.stack.interfacial_anisotropy == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({}, "stack.interfacial_anisotropy is missing; allowed: exactly one of interfacial_anisotropy, "
             "stability, anisotropy_field; given: none"),
        ({"interfacial_anisotropy": "1.3 mJ/m^2", "stability": {"value": 40, "diameter": "40 nm"}},
         "given: interfacial_anisotropy, stability"),
        ({"anisotropy_field": {"value": "0.2 T"}, "stability": {"value": 40, "diameter": "40 nm"}},
         "given: stability, anisotropy_field"),
        ({"stability": {"value": 40}}, "stack.stability.diameter"),
        ({"stability": {"value": 2, "diameter": "40 nm"}}, "stability.value: got 2; allowed: at least 5"),
        ({"stability": {"value": 40, "diameter": "40 V"}}, "stack.stability.diameter: got '40 V'"),
        ({"stability": {"value": 40, "diameter": "40 nm", "temperature": "300 K"}}, "one of value, diameter"),
        ({"stability": 40}, "stack.stability: got 40; allowed: a table"),
        ({"anisotropy_field": {"value": "-0.2 T"}}, "field.value: got '-0.2 T'; allowed: above 0 T"),
        ({"stability": {"value": 900, "diameter": "6 nm"}}, "stack.stability: got 'a table"),
        ({"interfacial_anisotropy": "1.3 mJ/m^2", "demagnetization": "osborn"}, "stack.demagnetization"),
    ],
)  # fmt: skip
def test_anisotropy_that_is_not_given_once_is_refused(tmp_path, keys, named):
    assert named in refusal(tmp_path, stack_with(**keys))


def test_override_of_the_anisotropy_replaces_any(tmp_path):
    data = {**plain(), "stack_overrides": {"interfacial_anisotropy": "1.31 mJ/m^2"}}
    assert load(tmp_path, data).stack.interfacial_anisotropy == pytest.approx(1.31e-3)
    data = {**plain(), "stack_overrides": {"stability": {"value": 60, "diameter": "40 nm"}}}
    assert Population(load(tmp_path, data)).nominal()["thermal_stability"].iloc[0] == pytest.approx(60.0)
    # What is measured stays where another number changes.
    data = {**plain(), "stack_overrides": {"free_layer_thickness": "1.4 nm"}}
    assert Population(load(tmp_path, data)).nominal()["thermal_stability"].iloc[0] == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("file", "diameter", "stability"), [("ikeda2010", 40e-9, 40.0), ("sato2013", 20e-9, 58.0)]
)
def test_shipped_stacks_have_their_published_stability(file, diameter, stability):
    # Published: Ikeda 2010, about 40 at 40 nm; abstract of Sato 2013, 58 at 20 nm.
    stack = load_stack(DATA / "stacks" / f"{file}.toml")
    one = DEMO.with_(stack=stack, junction=Junction(diameter=diameter))
    assert Population(one).nominal()["thermal_stability"].iloc[0] == pytest.approx(stability, rel=1e-9)


@pytest.mark.parametrize(
    ("key", "today", "before"), [("demagnetization", "exact", "sato-ishii"), ("torque", "voltage", "current")]
)
def test_files_that_older_versions_wrote_keep_their_meaning(tmp_path, key, today, before):
    # They had no such key: Sato and Ishii's factors, a torque per current.
    data = tomllib.loads(load_study(DEMO_FILE).to_toml())
    del data["stack"][key]
    load(tmp_path, data)
    assert getattr(load_study(tmp_path / "study.toml").stack, key) == today
    assert getattr(load_study(tmp_path / "study.toml", written=True).stack, key) == before
    assert getattr(RunDirectory.open(tmp_path).study.stack, key) == before
    fitted = tmp_path / "fitted.toml"
    fitted.write_text(tomli_w.dumps({**data["stack"], "fit": {}}), encoding="utf-8")
    assert getattr(load_stack(fitted), key) == before
