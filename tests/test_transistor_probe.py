"""The nominal device that is tried before a sweep, with files of real kits' kind; in the real ngspice."""

import json

import numpy as np
import pytest
from common import DEMO, InPlace
from study_cases import changed as changed_data
from study_cases import load, refusal

from mtjchar.cells.stt import trial
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.transistor_probe import probe_transistor
from mtjchar.errors import InputError, SimulationError
from mtjchar.spice.libraries import library
from mtjchar.spice.ngspice import simulator
from mtjchar.spice.transistor_file import clean, expand
from mtjchar.study import Transistor, load_study
from mtjchar.sweep import tasks
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory
from mtjchar.sweep.tasks import Task, fail_task, time_limit
from mtjchar.sweep.trial import _try_here

# The generic transistor's card, under another name, as a foundry would give it.
CARD = library("nmos_generic.lib").split(".model", 1)[1].split(".ends")[0]
MODEL = f".model{CARD}".replace("nmos_28", "nch")
HEAD = ".subckt nfet d g s b w=300n l=30n dvth=0\n"
DEVICE = "M1 d g s b nch w={w} l={l} delvto={dvth}\n"
ENDS = ".ends\n"
NMOS = HEAD + DEVICE + MODEL + ENDS


def study(file, sweep=None, cell=None, **transistor):
    given = {"model": str(file), "subcircuit": "nfet", **transistor}
    small = {
        "amplitude": {"start": 0.6, "stop": 0.8, "points": 2},
        "duration": {"start": 1e-9, "stop": 4e-9, "points": 3},
        "devices": 2,
    }
    cell = {**(cell or {}), "transistor": Transistor(**given)}
    return DEMO.with_(cell=cell, sweep={**small, **(sweep or {})})


def written(folder, text, name="nfet.lib", encoding="utf-8"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def current(one):
    """Current on the load line of the nominal cell at 0.8 V, A."""
    lines = load_lines(one, cell_parameters(one, Population(one).nominal()), "p_to_ap", one.pulses.at(0.8))
    assert lines.failure[0, 0] == ""
    return lines.current_A[0, 0]


class Here:
    """Takes the place of the process in which a sweep tries the nominal device."""

    def __init__(self, _workers):
        pass

    def submit_within(self, _limit, function, *args):
        return InPlace().submit(function, *args)

    def shutdown(self, **_how):
        pass


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr("mtjchar.sweep.trial.LocalPool", Here)


GENERIC = DEMO.with_(cell={"transistor": {"width": 300e-9}})


# ---- what works: the generic transistor in many forms has the generic transistor's current -----------

CONTINUED = "* mobility and saturation"
FORMS = {
    "as it is": NMOS,
    "upper case": NMOS.upper().replace("{W}", "{w}"),
    "tabs": NMOS.replace(" w={w}", "\tw={w}"),
    "CRLF": NMOS.replace("\n", "\r\n"),
    "no final newline": NMOS.removesuffix("\n"),
    ".end": f"{NMOS}.end\n",
    "byte order mark": f"\ufeff{NMOS}",
    ".protect": f".protect\n{NMOS}.unprotect\n",
    ".prot": f".prot\n{NMOS}.unprot\n",
    "; before a continuation": NMOS.replace(CONTINUED, "; mobility"),
    "$ before a continuation": NMOS.replace(CONTINUED, "$ mobility"),
    "// before a continuation": NMOS.replace(CONTINUED, "// mobility"),
    "comments in a row": NMOS.replace(CONTINUED, "; mobility\n* and\n\n; saturation"),
    "comments at the end of lines": NMOS.replace("minv=0.05", "minv=0.05 ; x")
    .replace("cit=0", "cit=0 $ x")
    .replace("pdiblc2=0.001", "pdiblc2=0.001 // x"),
    "blank lines between continuations": NMOS.replace(CONTINUED, "\n\n"),
    "parameters before": f".param v0=0.46\n{NMOS}".replace("vth0=0.46", "vth0={v0}"),
    "parameters in quotes": f".param v0='0.4+0.06'\n{NMOS}".replace("vth0=0.46", "vth0='v0'"),
    "params:": NMOS.replace("b w=300n", "b params: w=300n"),
    "blanks around =": NMOS.replace("w={w}", "w = {w}").replace("vth0=0.46", "vth0 = 0.46"),
    "level 54": NMOS.replace("level=14", "level=54"),
    "names like ours": f".param rp=1 tmr=5 alpha=3 beta=7 dvth=9 rbl=3 gamma=1\n{NMOS}",
    "card in a wrapper": f"{MODEL}{HEAD}{DEVICE}{ENDS}",
    "temperature": f".temp 125\n{NMOS}",
    "temperature, continued": f".TEMP\n+ 125\n{NMOS}",
    "temperature, with =": f".temp=125\n{NMOS}",
    "temperature as an option": f".options temp=125 tnom=27\n{NMOS}",
    "random functions that are switched off": f".param sw=0\n{NMOS}".replace(
        "vth0=0.46", "vth0='0.46+sw*agauss(0,0.03,1)'"
    ),
}


@pytest.fixture(scope="module")
def expected():
    return current(GENERIC)


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_files_give_the_same_transistor(tmp_path, expected, form):
    one = study(written(tmp_path, FORMS[form]))
    np.testing.assert_allclose(current(one), expected, rtol=1e-6)
    assert _try_here(one).words == ()


def test_latin_1_and_four_files_deep(tmp_path, expected):
    file = written(tmp_path, f"* 5 \u00b5m, 27 \u00b0C\n{NMOS}", encoding="latin-1")
    np.testing.assert_allclose(current(study(file)), expected, rtol=1e-6)
    written(tmp_path, MODEL, "a/b/c/card.mod")
    written(tmp_path, '.include "c/card.mod"\n', "a/b/third.lib")
    written(tmp_path, ".inc b/third.lib\n", "a/second.lib")
    file = written(tmp_path, f'.include "a/second.lib"\n{HEAD}{DEVICE}{ENDS}', "top.lib")
    np.testing.assert_allclose(current(study(file)), expected, rtol=1e-6)


def library_of_corners(folder):
    """A library of two corners whose sections take another one of the same file, as kits have it."""
    written(folder, f"{HEAD}{DEVICE.replace('{dvth}', '{dvth+dv}')}{MODEL}{ENDS}", "kit/sub/dev.inc")
    return written(
        folder,
        ".lib tt\n.param dv=0\n.lib 'corners.lib' mos\n.endl tt\n"
        ".lib ss\n.param dv=0.05\n.lib 'corners.lib' mos\n.endl ss\n"
        '.lib mos\n.include "sub/dev.inc"\n.endl mos\n',
        "kit/corners.lib",
    )


def test_sections_are_those_of_the_library(tmp_path, expected, monkeypatch):
    file = library_of_corners(tmp_path)
    np.testing.assert_allclose(current(study(file, section="TT")), expected, rtol=1e-6)
    slow = current(study(file, section="ss"))
    assert np.all(np.abs(slow) < np.abs(expected))
    # Two sections of a file, and a wrapper that names one; the path with a variable and with ~.
    two = written(
        tmp_path, f".lib low\n.param dv=0.05\n.endl\n.lib mos\n.include '{file.parent}/sub/dev.inc'\n.endl\n"
    )
    np.testing.assert_allclose(current(study(two, section=["low", "mos"])), slow, rtol=1e-6)
    wrapper = written(tmp_path, '.lib "kit/corners.lib" ss\n', "wrapper.lib")
    np.testing.assert_allclose(current(study(wrapper)), slow, rtol=1e-6)
    monkeypatch.setenv("KIT", str(file.parent))
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("$KIT/corners.lib", "~/kit/corners.lib"):
        assert study(path, section="ss").cell.transistor.model == str(file)
    with pytest.raises(InputError, match=r"cell\.transistor\.section: got 'ff'; allowed: .*: mos, ss, tt"):
        current(study(file, section="ff"))


def test_unset_variable_in_a_path_is_named(tmp_path):
    data = changed_data("cell.transistor", {"model": "$NOWHERE/x.lib", "subcircuit": "nfet"})
    assert "in which a variable is not set" in refusal(tmp_path, data)


def test_pins_parameters_and_extra_are_those_of_the_subcircuit(tmp_path, expected):
    file = written(
        tmp_path,
        ".subckt nfet b g s d width=1 lg=1 nf=7 mult=1\n"
        "M1 d g s b nch w={width*1u*nf} l={lg*1u} m={mult}\n" + MODEL + ENDS,
    )
    names = {"w": {"name": "width", "factor": 1e6}, "l": {"name": "LG", "factor": 1e6}, "m": "mult"}
    one = study(file, pins=("b", "g", "s", "d"), parameters=names, extra={"nf": 1})
    np.testing.assert_allclose(current(one), expected, rtol=1e-6)
    assert _try_here(one).words == ()
    assert current(one.with_(cell={"transistor": {"width": 600e-9}}))[0] > 1.1 * expected[0]


def test_keys_for_kits_are_written_and_read(tmp_path):
    library_of_corners(tmp_path)
    data = changed_data("cell.transistor", {
        "model": "kit/corners.lib", "subcircuit": "nfet", "section": "tt", "pins": ["d", "g", "s"],
        "parameters": {"w": "W", "l": {"name": "L", "factor": 1e6}}, "extra": {"nf": 2},
    })  # fmt: skip
    one = load(tmp_path, data)
    (tmp_path / "again.toml").write_text(one.to_toml())
    assert load_study(tmp_path / "again.toml") == one
    # Without these keys a study is written, and its parts are named, as before there were any.
    plain = load(tmp_path, changed_data("cell.transistor", {"model": "kit/corners.lib", "subcircuit": "n"}))
    assert not {"section", "pins", "parameters", "extra"} & set(plain.cell.transistor.model_dump())
    assert len({Task(a, Population(a).nominal(), "p_to_ap").part for a in (one, plain)}) == 2


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("section", "t t", "section"),
        ("section", "tt\n.end", "section"),
        ("pins", ["d", "g", "g", "b"], "d, g and s once each"),
        ("pins", ["d", "g", "s", "x"], "pins"),
        ("parameters", {"w": "w l=1"}, "parameters.w"),
        ("parameters", {"width": "w"}, "parameters"),
        ("parameters", {"w": "a", "l": "A"}, "each parameter of the subcircuit once"),
        ("parameters", {"w": {"name": "w", "factor": 0}}, "factor"),
        ("extra", {"n f": 1}, "extra"),
        ("extra", {"nf": "1}"}, "extra"),
        ("extra", {"W": 1}, "each parameter of the subcircuit once"),
    ],
)
def test_what_is_no_name_pin_or_section_is_refused(tmp_path, key, value, words):
    written(tmp_path, NMOS)
    data = changed_data("cell.transistor", {"model": "nfet.lib", "subcircuit": "nfet", key: value})
    assert words in refusal(tmp_path, data)


def test_keys_for_kits_need_a_file(tmp_path):
    for key, value in (("section", "tt"), ("pins", ["s", "g", "d", "b"]), ("extra", {"nf": 1})):
        data = changed_data("cell.transistor", {"model": "generic", key: value})
        assert f"cell.transistor.{key}: got" in refusal(tmp_path, data)


def test_gate_source_shifts_the_threshold(tmp_path):
    file = written(tmp_path, NMOS.replace(" dvth=0", "").replace(" delvto={dvth}", ""))
    by_gate = study(file, parameters={"w": "w", "l": "l"})
    assert _try_here(by_gate).words == ()
    cells = cell_parameters(by_gate, Population(by_gate).nominal())
    lines = load_lines(by_gate, cells.assign(dvth=0.03), "p_to_ap", by_gate.pulses.at(0.8))
    # The transistor sees the word line less the shift.
    lower = by_gate.with_(cell={"wordline_voltage": DEMO.cell.wordline_voltage - 0.03})
    np.testing.assert_allclose(lines.current_A[0, 0], current(lower), rtol=1e-6)
    assert np.all(lines.current_A[0, 0] < 0.99 * current(by_gate))


@pytest.mark.parametrize("resistance", [1e-3, 1e4])
def test_lines_of_any_resistance(tmp_path, resistance):
    lines = {"bitline": {"resistance": resistance}, "sourceline": {"resistance": resistance}}
    assert current(study(written(tmp_path, NMOS)).with_(cell=lines))[0] > 0.0


# ---- 1: parameters without an effect ----------------------------------------------------------------

WITHOUT = {
    "w": ("cell.transistor.width", ("w={w}", "w=300n")),
    "l": ("cell.transistor.length", ("l={l}", "l=30n")),
    "dvth": ("variability.threshold_voltage", (" delvto={dvth}", "")),
}


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("name", WITHOUT)
def test_parameter_without_an_effect_is_refused_with_the_remedy(tmp_path, name, declared):
    key, (before, after) = WITHOUT[name]
    head = HEAD if declared else " ".join(word for word in HEAD.split() if not word.startswith(f"{name}="))
    file = written(tmp_path, f"{head}\n{DEVICE.replace(before, after)}{MODEL}{ENDS}")
    rest = ", ".join(f'{other} = "{other}"' for other in WITHOUT if other != name)
    with pytest.raises(InputError) as refused:
        _try_here(study(file))
    assert str(refused.value).startswith(f"{key}: got ")
    assert f"parameters = {{ {rest} }}" in str(refused.value)
    # The remedy helps.
    _try_here(study(file, parameters={other: other for other in WITHOUT if other != name}))


def test_threshold_that_the_study_does_not_spread_needs_no_parameter(tmp_path):
    file = written(tmp_path, HEAD + DEVICE.replace(" delvto={dvth}", "") + MODEL + ENDS)
    _try_here(study(file).with_(variability={"threshold_voltage": "0 V"}))


def test_multiplier_without_an_effect_is_refused(tmp_path):
    names = {"w": "w", "l": "l", "dvth": "dvth", "m": "mult"}
    with pytest.raises(InputError, match=r"variability\.current_factor: got"):
        _try_here(study(written(tmp_path, NMOS), parameters=names))


def test_model_of_one_size_is_taken_and_said(tmp_path):
    text = NMOS.replace("level=14", "level=14 lmin=29n lmax=31n wmin=2.9999u wmax=3.0001u")
    text = text.replace(".model nch", ".model nch.1")
    trial_ = _try_here(study(written(tmp_path, text), width=3e-6))
    assert "whether these parameters have an effect was not tried" in " ".join(trial_.words)


# ---- 2: temperature ---------------------------------------------------------------------------------


# ngspice 39 knows temp and dtemp for MOSFETs of the first levels, not for BSIM4.
LEVEL_1 = """.subckt nfet d g s b w=300n l=300n
M1 d g s b nl1 w={w} l={l} GIVEN
.model nl1 nmos level=1 vto=0.4 kp=200u
.ends
"""


def level_1(folder, given):
    file = written(folder, LEVEL_1.replace("GIVEN", given))
    return Transistor(
        model=str(file), subcircuit="nfet", length=300e-9, parameters={"w": {"name": "w"}, "l": {"name": "l"}}
    )


@pytest.mark.parametrize("given", ["temp=125", "TEMP = 125", "nrd=0 temp=1.25e2", "\n+ temp=125"])
def test_instance_at_a_temperature_of_its_own_is_refused(tmp_path, given):
    with pytest.raises(InputError, match=r"of its own: M1 d g s b nl1 .*Remove (?i:temp)"):
        probe_transistor(level_1(tmp_path, given), temperature=300.0, gate=1.4, drain=0.4)


@pytest.mark.parametrize("given", ["dtemp=5", "nrd=0", "; temp=125"])
def test_instances_that_follow_the_study_are_not(tmp_path, given):
    cold, hot = (
        probe_transistor(level_1(tmp_path, given), temperature=kelvin, gate=1.4, drain=0.4).current_A
        for kelvin in (300.0, 350.0)
    )
    assert abs(hot / cold - 1.0) > 0.01


def test_temperature_of_the_study_holds(tmp_path):
    file = written(tmp_path, f".temp 125\n{NMOS}")
    words = f"{file}, line 1: a temperature, where that of the study holds, is left out"
    assert clean(str(file)).left_out == (words,)
    at = {"gate": 1.4, "drain": 0.4}
    plain = Transistor(model=str(written(tmp_path, NMOS, "plain.lib")), subcircuit="nfet")
    with_temp = Transistor(model=str(file), subcircuit="nfet")
    cold, hot = (
        [probe_transistor(one, temperature=kelvin, **at).current_A for one in (plain, with_temp)]
        for kelvin in (300.0, 398.0)
    )
    assert cold[0] == cold[1]
    assert hot[0] == hot[1]
    assert hot[0] < 0.97 * cold[0]


# ---- 3: what ngspice says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (NMOS.replace("voff=-0.09", "voff=-0.09 nosuch=3"), "unrecognized parameter (nosuch) - ignored"),
        (NMOS + NMOS.replace("vth0=0.46", "vth0=0.6"), "redefinition of .subckt nfet, ignored"),
        (NMOS.replace("M1", "=x\nM1"), "Unusual leading characters"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_ngspice_says_of_the_file_is_shown_once_and_kept(tmp_path, text, words):
    one, said = study(written(tmp_path, text)), []
    for _ in range(2):
        run_sweep(one, tmp_path / "run", executor=InPlace(), log=lambda event: said.append(event.get("text")))
    shown = [line for line in said if line and words in line]
    assert len(shown) == 1
    assert shown[0].startswith(f"ngspice says of {tmp_path / 'nfet.lib'}: ")
    assert RunDirectory.open(tmp_path / "run").record().trial == shown


def test_ngspice_says_nothing_of_a_good_file(tmp_path):
    assert _try_here(study(written(tmp_path, NMOS))).words == ()


# ---- 4: what ngspice has read -----------------------------------------------------------------------


def test_digest_is_of_what_ngspice_reads(tmp_path):
    file = library_of_corners(tmp_path)
    included = tmp_path / "kit/sub/dev.inc"

    def digests():
        return [expand(str(file), (section,)).digest for section in ("tt", "ss")]

    first = digests()
    assert first[0] != first[1]
    before = included.read_text()
    included.write_text(before.replace("vth0=0.46", "vth0=0.50"))
    assert not set(first) & set(digests())
    included.write_text(before)
    assert digests() == first
    # Only in one section.
    file.write_text(file.read_text().replace("dv=0.05", "dv=0.06"))
    assert digests()[0] == first[0]
    assert digests()[1] != first[1]


def test_digest_has_the_data_files_of_code_models(tmp_path):
    file = written(tmp_path, '.model t filesource (file="table.txt" amploffset=[0])\n' + NMOS)
    data = written(tmp_path, "0 1\n", "table.txt")
    before = expand(str(file)).digest
    data.write_text("0 200\n")
    assert expand(str(file)).digest != before


@pytest.mark.usefixtures("here")
def test_included_file_that_changes_is_not_mixed_in(tmp_path):
    file = library_of_corners(tmp_path)
    included = tmp_path / "kit/sub/dev.inc"
    one = study(file, section="tt")
    run_sweep(one, tmp_path / "run", executor=InPlace())
    assert "vth0=0.46" in (tmp_path / "run/transistor/read-corners.lib").read_text()
    included.write_text(included.read_text().replace("vth0=0.46", "vth0=0.50"))
    with pytest.raises(InputError, match="changed since this sweep began, or one that it includes"):
        run_sweep(one, tmp_path / "run", executor=InPlace())


@pytest.mark.usefixtures("here")
def test_file_that_changes_while_a_sweep_runs_ends_it(tmp_path, monkeypatch):
    file, done = written(tmp_path, NMOS), []
    real = tasks.compute

    def compute(task):
        done.append(task)
        if len(done) == 2:
            file.write_text(NMOS.replace("vth0=0.46", "vth0=0.50"))
        return real(task)

    monkeypatch.setattr(tasks, "compute", compute)
    with pytest.raises(SimulationError, match=r"made with .*transistor \w+.*; a worker has .*transistor"):
        run_sweep(study(file), tmp_path / "run", executor=InPlace())


@pytest.mark.usefixtures("here")
def test_run_of_an_earlier_version_goes_on(tmp_path):
    # It has noted the digest of the top file alone.
    one = study(written(tmp_path, NMOS))
    run_sweep(one, tmp_path / "run", executor=InPlace())
    record = json.loads((tmp_path / "run/sweep.json").read_text())
    del record["transistor_read_sha256"]
    (tmp_path / "run/sweep.json").write_text(json.dumps(record))
    again = InPlace()
    run_sweep(one, tmp_path / "run", executor=again)
    assert again.tasks == []


# ---- 5: cells that do not conduct -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "transistor"),
    [
        (NMOS, {"pins": ("g", "d", "s", "b")}),
        (NMOS, {"pins": ("d", "s", "g", "b")}),
        (NMOS.replace("nmos level", "pmos level").replace("vth0=0.46", "vth0=-0.46"), {}),
    ],
    ids=["drain and gate", "gate and source", "p-channel"],
)
def test_cell_that_does_not_conduct_is_refused_with_its_overdrive(tmp_path, text, transistor):
    with pytest.raises(
        InputError, match=r"the current never reaches Ic0: at 0\.8 V.* largest overdrive"
    ) as no:
        _try_here(study(written(tmp_path, text), **transistor))
    assert "Look at cell.wordline_voltage, cell.transistor (an n-channel one? pins" in str(no.value)


def test_overdrive_below_1_is_said_and_swept():
    low = DEMO.with_(cell={"wordline_voltage": 0.6}, sweep={"amplitude": {"start": 0.3, "stop": 0.4}})
    (words,) = _try_here(low).words
    assert words.startswith("the current never reaches Ic0: at 0.4 V, the highest amplitude")
    assert _try_here(DEMO).words == ()


def test_overdrive_is_the_current_over_ic0():
    device = Population(DEMO).nominal()
    lines = load_lines(DEMO, cell_parameters(DEMO, device), "p_to_ap", DEMO.pulses.at(0.8))
    overdrive = trial.largest_overdrive(DEMO, device, lines)
    # The demo's torque is one per current or per voltage; by hand, with lambda = 1.
    critical = device["critical_current_A"].iloc[0]
    drive = lines.current_A
    if DEMO.stack.torque == "voltage":
        drive = lines.junction_voltage_V / device["parallel_resistance_ohm"].iloc[0]
    assert overdrive == pytest.approx(np.abs(drive).max() / critical, rel=1e-9)


# ---- 6: random numbers ------------------------------------------------------------------------------

DRAWS = ["agauss(0,0.03,1)", "gauss(0.01,0.5,1)", "aunif(0,0.03)", "unif(0.01,0.5)", "limit(0,0.03)"]


@pytest.mark.parametrize("function", DRAWS)
@pytest.mark.parametrize("place", ["model", "parameter", "instance"])
def test_random_functions_are_refused(tmp_path, function, place):
    text = {
        "model": NMOS.replace("vth0=0.46", f"vth0='0.46+{function}'"),
        "parameter": f".param dv={function}\n{NMOS}".replace("{dvth}", "{dvth+dv}"),
        "instance": NMOS.replace("{dvth}", f"'dvth+{function}'"),
    }[place]
    with pytest.raises(InputError, match="which draws random numbers") as refused:
        _try_here(study(written(tmp_path, text)))
    assert function.split("(")[0] in str(refused.value)


def test_random_capacitances_and_noise_are_refused(tmp_path):
    for text in (
        NMOS.replace("cgso=1.8e-10", "cgso='1.8e-10*(1+agauss(0,0.1,1))'"),
        NMOS.replace("M1", "I9 d s trnoise(1u 10p 0 0)\nM1"),
    ):
        with pytest.raises(InputError, match="which draws random numbers"):
            _try_here(study(written(tmp_path, text)))


# ---- 7: one load, ngspice's reason, and limits ------------------------------------------------------

BROKEN = {
    "model type": (NMOS.replace("nmos level", "nmoss level"), "could not find a valid modelname"),
    "undefined": (NMOS.replace("vth0=0.46", "vth0={nothing}"), "Undefined parameter [nothing]"),
    "instance": (NMOS.replace("delvto", "nosuch"), "unknown parameter (nosuch)"),
    "include": (f'.include "gone.lib"\n{NMOS}', "gone.lib"),
    "subcircuit": (NMOS.replace("nfet", "pfet"), "unknown subckt"),
    "no parameters": (".subckt nfet d g s b\nR1 d s 2k\n.ends\n", "Mismatch: 0 formal but 3 actual params"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_first_line_has_the_reason(tmp_path, fault):
    text, reason = BROKEN[fault]
    status, words = _try_here(study(written(tmp_path, text))).failure
    assert status == "failed"
    assert reason.lower() in words.splitlines()[0].lower()


@pytest.mark.usefixtures("here")
def test_typo_costs_one_trial(tmp_path, monkeypatch):
    text, reason = BROKEN["undefined"]
    # Not one task comes to ngspice: the trial has said it all.
    monkeypatch.setattr(tasks, "compute", None)
    said = []
    run_sweep(
        study(written(tmp_path, text), sweep={"devices": 500}), tmp_path / "run", executor=InPlace(),
        log=lambda event: said.append(event.get("text", "")),
    )  # fmt: skip
    table = RunDirectory.open(tmp_path / "run").samples()
    assert set(table["status"]) == {"failed"}
    assert table["reason"].str.split("\n").str[0].str.lower().str.contains(reason.lower(), regex=False).all()
    assert reason.lower() in said[-2].lower()
    assert said[-2].startswith("6000 of 6000 samples failed")


def test_typo_ends_the_command_with_1_and_the_reason(tmp_path, call):
    text, reason = BROKEN["instance"]
    (tmp_path / "study.toml").write_text(study(written(tmp_path, text)).to_toml())
    code, _, said = call("sweep", tmp_path / "study.toml", "--out", tmp_path / "run", "--workers", 1)
    assert code == 1
    assert reason in " ".join(said.split())


def test_wrong_request_ends_the_command_with_2(tmp_path, call):
    (tmp_path / "study.toml").write_text(study(written(tmp_path, NMOS), pins=("g", "d", "s", "b")).to_toml())
    code, _, said = call("sweep", tmp_path / "study.toml", "--out", tmp_path / "run", "--workers", 1)
    assert code == 2
    assert not (tmp_path / "run" / "study.toml").exists()
    assert "the current never reaches Ic0" in " ".join(said.split())


@pytest.mark.usefixtures("here")
def test_load_counts_apart_from_the_limit_and_is_told(tmp_path):
    one, said = study(written(tmp_path, NMOS)), []
    run_sweep(one, tmp_path / "run", executor=InPlace(), log=lambda event: said.append(event.get("text", "")))
    assert any(text.startswith("ngspice loads the transistor in ") for text in said)
    assert RunDirectory.open(tmp_path / "run").record().load_s > 0.0
    task = Task(one, Population(one).nominal(), "p_to_ap")
    assert time_limit(task, None, 21.0) - time_limit(task, None) == pytest.approx(210.0)
    assert time_limit(task, 3.0, 21.0) - time_limit(task, 3.0) == pytest.approx(210.0)


def test_failed_task_has_a_row_for_every_pulse():
    task = Task(DEMO, Population(DEMO).nominal(), "p_to_ap")
    table = fail_task("failed", "ngspice said so", task).samples.table(task)
    assert len(table) == task.rows
    assert set(table["reason"]) == {"ngspice said so"}


def test_simulator_is_sound_after_all_that():
    assert simulator().ngspice_version
    assert current(GENERIC)[0] > 0.0
