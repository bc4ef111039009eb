"""Exports for simulators, each read the way its consumer reads it."""

import csv
import json
import math
import re
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from common import DEMO, HAS_OPENVAF_PY, HAS_SIMULATORS
from scipy.interpolate import RegularGridInterpolator

from mtjchar.export import Settings, export_surface
from mtjchar.export.grid import coarsest
from mtjchar.spice.ngspice import simulator
from mtjchar.study import Study
from mtjchar.surfaces import WriteSurface
from mtjchar.sweep.population import Population

DIRECTIONS = ("p_to_ap", "ap_to_p")
AT_1E6 = Settings(ber=1e-6)


def scan_nvsim(path):
    """A cell file as NVSim's MemCell::ReadCellFromFile reads it (SEAL-UCSB/NVSim, MemCell.cpp).

    Lines are matched by their beginnings, in the order of NVSim's conditions; sscanf then needs the whole
    key with its unit, and takes a number, or a word. A key that does not fit leaves what was there before.
    """
    numbers = {
        "-CellArea": "-CellArea (F^2):", "-CellAspectRatio": "-CellAspectRatio:",
        "-ResistanceOn": "-ResistanceOn (ohm):", "-ResistanceOff": "-ResistanceOff (ohm):",
        "-ReadVoltage": "-ReadVoltage (V):", "-ReadPower": "-ReadPower (uW):",
        "-MinSenseVoltage": "-MinSenseVoltage (mV):", "-ResetVoltage": "-ResetVoltage (V):",
        "-ResetCurrent": "-ResetCurrent (uA):", "-ResetPulse": "-ResetPulse (ns):",
        "-ResetEnergy": "-ResetEnergy (pJ):", "-SetVoltage": "-SetVoltage (V):",
        "-SetCurrent": "-SetCurrent (uA):", "-SetPulse": "-SetPulse (ns):", "-SetEnergy": "-SetEnergy (pJ):",
        "-AccessCMOSWidth": "-AccessCMOSWidth (F):",
        "-VoltageDropAccessDevice": "-VoltageDropAccessDevice (V):",
    }  # fmt: skip
    words = {"-MemCellType", "-ReadMode", "-ResetMode", "-SetMode", "-AccessType"}
    found = {}
    text = path.read_text()
    assert not text.startswith("\n"), "fscanf would never get past an empty first line"
    # "%[^\n]\n": to the end of the line, then over all white space.
    for line in re.split(r"\n\s*", text.rstrip()):
        assert len(line) < 5000, "NVSim's buffer"
        key = next(
            (key for key in sorted([*words, *numbers], key=len, reverse=True) if line.startswith(key)), None
        )
        if key in words:
            found[key[1:]] = re.match(rf"{key}: *(\S+)", line)[1]
        elif key is not None:
            if key == "-AccessCMOSWidth":
                assert found["AccessType"] == "CMOS", "ignored with a warning otherwise"
            value = re.match(re.escape(numbers[key]).replace(r"\ ", r"\s*") + r"\s*([-+0-9.e]+)", line)
            found[key[1:]] = float(value[1])
        else:
            assert not line.startswith("-"), line
    return found


def test_nvsim(characterized_surface, tmp_path):
    surface = characterized_surface
    export_surface(surface, "nvsim", tmp_path / "t.cell", AT_1E6)
    cell = scan_nvsim(tmp_path / "t.cell")
    # The keys of NVSim's own sample_STTRAM.cell, with ReadPower from sample_STTRAM_aggressive.cell.
    assert set(cell) == {
        "MemCellType", "CellArea", "CellAspectRatio", "ResistanceOn", "ResistanceOff", "ReadMode",
        "ReadVoltage", "ReadPower", "MinSenseVoltage", "ResetMode", "ResetCurrent", "ResetPulse",
        "ResetEnergy", "SetMode", "SetCurrent", "SetPulse", "SetEnergy", "AccessType", "AccessCMOSWidth",
        "VoltageDropAccessDevice",
    }  # fmt: skip
    assert (cell["MemCellType"], cell["AccessType"]) == ("MRAM", "CMOS")
    assert {cell["ReadMode"], cell["SetMode"], cell["ResetMode"]} == {"current"}
    # By hand: 5 ohm um^2 on a circle of 40 nm, TMR 1.24 of the demo study; a transistor of 300 on 30 nm.
    assert cell["ResistanceOn"] == pytest.approx(5.0 / (math.pi * 0.02**2), rel=1e-5)
    assert cell["ResistanceOff"] == pytest.approx(2.24 * cell["ResistanceOn"], rel=1e-5)
    assert cell["AccessCMOSWidth"] == pytest.approx(10.0)
    assert cell["CellArea"] == pytest.approx(33.0)  # 3 (W/F + 1)
    for prefix, direction in (("Set", "ap_to_p"), ("Reset", "p_to_ap")):
        best = surface.cheapest_pulse(direction, 1e-6)
        assert cell[f"{prefix}Pulse"] == pytest.approx(1e9 * best.duration_s, rel=1e-5)
        assert cell[f"{prefix}Energy"] == pytest.approx(1e12 * best.energy_J, rel=1e-5)
        # The surface is that of resistors: 5 kohm and 7 kohm (analytic_energy), so I = V/R.
        current = best.amplitude_V / {"p_to_ap": 5e3, "ap_to_p": 7e3}[direction]
        assert cell[f"{prefix}Current"] == pytest.approx(1e6 * current, rel=5e-3)
    # The redundant ap_to_p write finds 7 kohm times 1.1: less R_P and two lines of 200 ohm is the transistor.
    loop = 7.7e3
    assert cell["ReadPower"] == pytest.approx(1e6 * 0.1**2 / loop, rel=5e-3)
    drop = 0.1 * (loop - cell["ResistanceOn"] - 400.0) / loop
    assert cell["VoltageDropAccessDevice"] == pytest.approx(drop, rel=1e-2)


def test_nvsim_with_an_ideal_transistor_and_chosen_sizes(characterized_surface, tmp_path):
    study = DEMO.model_dump(mode="json", exclude_none=True)
    study["cell"]["transistor"] = {"model": "ideal", "on_resistance": "1 kohm", "width": "300 nm"}
    text = Study.model_validate(study).to_toml()
    surface = WriteSurface(characterized_surface.dataset.assign_attrs(study=text))
    settings = Settings(amplitude=0.8, duration=8e-9, feature_size=60e-9, cell_area=50.0)
    export_surface(surface, "nvsim", tmp_path / "t.cell", settings)
    cell = scan_nvsim(tmp_path / "t.cell")
    assert (cell["AccessCMOSWidth"], cell["CellArea"]) == pytest.approx((5.0, 50.0))
    assert cell["SetPulse"] == cell["ResetPulse"] == pytest.approx(8.0)
    loop = cell["ResistanceOn"] + 1000.0 + 400.0
    assert cell["VoltageDropAccessDevice"] == pytest.approx(0.1 * 1000.0 / loop, rel=1e-5)


def test_operating_points_where_one_lever_is_fixed(characterized_surface, tmp_path):
    for fixed, vary in (({"amplitude": 0.8}, "duration"), ({"duration": 15e-9}, "amplitude")):
        export_surface(characterized_surface, "nvsim", tmp_path / "t.cell", Settings(ber=1e-6, **fixed))
        best = characterized_surface.cheapest_pulse("ap_to_p", 1e-6, vary=vary, **fixed)
        assert scan_nvsim(tmp_path / "t.cell")["SetPulse"] == pytest.approx(1e9 * best.duration_s, rel=1e-5)


def nvmexplorer_cell(config):
    """Cells that NVMExplorer's run.py and gen_custom_cell (tentpoles.py) make for NVSim from a config."""
    experiment = config["experiment"]
    assert "custom_cells" in experiment  # otherwise it takes cells of its own
    assert experiment["simulator"] in ("nvsim", "destiny")
    for key in ("cell_type", "opt_target", "capacity", "bits_per_cell", "traffic"):
        assert isinstance(experiment[key], list)
    # The defaults of STTRAMCellConfig (cell_cfgs.py), replaced by what the config names.
    known = {
        "cell_size_F2": 54, "access_CMOS_width": 6, "r_on": 3000, "r_off": 6000, "read_mode": "current",
        "read_voltage": 0.25, "min_sense_voltage": 25, "read_power": 30, "reset_mode": "current",
        "reset_current": 80, "reset_pulse": 10, "reset_energy": 1, "set_mode": "current", "set_current": 80,
        "set_pulse": 10, "set_energy": 1, "mlc": 1, "read_floating": False,
    }  # fmt: skip
    cells = {}
    for cell_type in experiment["cell_type"]:
        for custom in config["custom_cells"]:
            if custom["cell_type"] == cell_type == "STT":
                unknown = set(custom) - set(known) - {"cell_type", "name"}
                assert not unknown, "NVMExplorer would leave its default in their place"
                cells[custom["name"]] = {**known, **custom}
    return cells


def test_nvmexplorer_agrees_with_nvsim(characterized_surface, tmp_path):
    export_surface(characterized_surface, "nvsim", tmp_path / "t.cell", AT_1E6)
    export_surface(characterized_surface, "nvmexplorer", tmp_path / "cell one.json", AT_1E6)
    config = json.loads((tmp_path / "cell one.json").read_text())
    assert config["experiment"]["process_node"] == 30
    cell, direct = nvmexplorer_cell(config)["cell_one"], scan_nvsim(tmp_path / "t.cell")
    names = {
        "cell_size_F2": "CellArea", "access_CMOS_width": "AccessCMOSWidth", "r_on": "ResistanceOn",
        "r_off": "ResistanceOff", "read_voltage": "ReadVoltage", "min_sense_voltage": "MinSenseVoltage",
        "read_power": "ReadPower", "reset_current": "ResetCurrent", "reset_pulse": "ResetPulse",
        "reset_energy": "ResetEnergy", "set_current": "SetCurrent", "set_pulse": "SetPulse",
        "set_energy": "SetEnergy",
    }  # fmt: skip
    for name, key in names.items():
        assert cell[name] == pytest.approx(direct[key], rel=1e-5), name
    assert "Ikeda" in config["provenance"]["study"]


def read_nvmain(path):
    """A configuration as NVMain's Config::Read reads it (SEAL-UCSB/NVmain, src/Config.cpp).

    Blank lines and comments from ';' on are dropped; strtok at blanks gives the key and then the value, and
    what follows is ignored.
    """
    values = {}
    for line in path.read_text().splitlines():
        kept = line.strip(" \t\r\n").partition(";")[0]
        if kept:
            key, value, *_ = kept.split(" ")
            values[key] = value
    return values


@pytest.mark.parametrize(("clock", "megahertz"), [(None, 400), (1333e6, 1333)])
def test_nvmain(characterized_surface, tmp_path, clock, megahertz):
    surface = characterized_surface
    export_surface(surface, "nvmain", tmp_path / "t.config", Settings(ber=1e-6, clock=clock))
    values = read_nvmain(tmp_path / "t.config")
    best = surface.cheapest_pulse("both", 1e-6)
    assert int(values["CLK"]) == megahertz
    assert int(values["tWP"]) == math.ceil(best.duration_s * megahertz * 1e6)
    assert float(values["Ewrpb"]) == pytest.approx(1e9 * best.energy_J, rel=1e-5)
    # SubArray::Write adds Ewr for a burst of tBURST x RATE x BusWidth bits, and Eset, Ereset for its bits.
    bits = int(values["tBURST"]) * int(values["RATE"]) * int(values["BusWidth"])
    assert float(values["Ewr"]) == pytest.approx(bits * float(values["Ewrpb"]), rel=1e-5)
    assert values["EnergyModel"] == "energy"
    assert values["Eset"] == values["Ereset"] == "0"
    assert "=" not in values.values()


def test_nvmain_does_not_round_whole_cycles_up(characterized_surface, tmp_path):
    export_surface(characterized_surface, "nvmain", tmp_path / "t", Settings(amplitude=0.8, duration=7.5e-9))
    assert read_nvmain(tmp_path / "t")["tWP"] == "3"  # 7.5 ns of 2.5 ns


@pytest.mark.parametrize("format_", ["nvsim", "nvmain", "verilog-a", "verilog-a-table", "ngspice-table"])
def test_comments_hold_the_whole_study(characterized_surface, tmp_path, format_):
    settings = AT_1E6 if format_ in ("nvsim", "nvmain") else None
    export_surface(characterized_surface, format_, tmp_path / "t.x", settings)
    comments = [
        found[1]
        for line in (tmp_path / "t.x").read_text().splitlines()
        if (found := re.match(r"(?://|;|\*) ?(.*)", line))
    ]
    assert "seed: 1" in comments
    study = Study.model_validate(tomllib.loads("\n".join(comments[comments.index("study:") + 1 :])))
    assert study.to_toml() == characterized_surface.dataset.attrs["study"]
    assert float(Population(study).nominal()["thermal_stability"].iloc[0]) > 5.0


@pytest.fixture(scope="module")
def pulses():
    """Amplitudes (V) and durations (ns) between the grid points, on them, and at the edges."""
    rng = np.random.default_rng(1)
    amplitude = np.concatenate([rng.uniform(0.4, 1.2, 100), np.linspace(0.4, 1.2, 12), [0.4, 1.2]])
    duration = np.concatenate(
        [np.exp(rng.uniform(0.0, np.log(60.0), 100)), np.geomspace(1.0, 60.0, 12), [60.0, 1.0]]
    )
    return amplitude, duration


def expected(surface, direction, amplitude, duration):
    """What the pins shall say: log10 of the error rate, at least -18, and pJ."""
    at = amplitude, 1e-9 * duration
    return np.stack([
        np.maximum(np.log10(surface.ber(direction, *at)), -18.0),
        1e12 * surface.energy(direction, *at),
        1e12 * surface.energy(direction, *at, switching=False),
    ])  # fmt: skip


def openvaf(path, module, amplitude, duration):
    """Compile with OpenVAF and evaluate: with the output pins at 0 V a branch's residual is its voltage."""
    import openvaf_py

    model = next(model for model in openvaf_py.compile_va(str(path)) if model.name == module)
    names = [node["name"] for node in model.get_dae_system()["nodes"]]
    rows = [names.index(f"flow({pin})") for pin in ("log10_ber", "energy", "redundant_energy")]
    zeros = dict.fromkeys([*model.param_names, *model.init_param_names], 0.0)
    values = []
    for level, time in zip(amplitude, duration, strict=True):
        residuals, _ = model.run_init_eval({**zeros, "V(amplitude)": level, "V(duration)": time})
        values.append([residuals[row][0] for row in rows])
    return np.array(values).T


def evas(path, module, amplitude, duration):
    """Drive the module through the pulses in a transient of EVAS, one a nanosecond."""
    waves = [
        " ".join(f"{k}n {value!r} {k}.5n {value!r}" for k, value in enumerate(values.tolist()))
        for values in (amplitude, duration)
    ]
    bench = path.with_name("bench.scs")
    bench.write_text(
        f'simulator lang=spectre\nglobal 0\nahdl_include "{path.name}"\n'
        f"VA (a 0) vsource type=pwl wave=[{waves[0]}]\nVT (t 0) vsource type=pwl wave=[{waves[1]}]\n"
        f"X1 (a t p e r) {module}\ntran tran stop={len(amplitude)}n maxstep=0.25n\n"
        "save a:17e t:17e p:17e e:17e r:17e\n"
    )
    command = [sys.executable, "-m", "evas", "simulate", bench.name, "-o", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent)
    assert done.returncode == 0, done.stdout[-2000:]
    with (path.parent / "out" / "tran.csv").open() as file:
        rows = np.array([[float(cell) for cell in row.values()] for row in csv.DictReader(file)])
    at = [np.abs(rows[:, 0] - (1e-9 * k + 0.25e-9)).argmin() for k in range(len(amplitude))]
    np.testing.assert_allclose(rows[at, 1], amplitude, rtol=1e-9)
    np.testing.assert_allclose(rows[at, 2], duration, rtol=1e-9)
    return rows[at, 3:].T


# openvaf-py has no wheel for Python 3.13, EVAS none but for Linux on x86-64: those that are there.
SIMULATORS = [tool for tool, there in ((openvaf, HAS_OPENVAF_PY), (evas, HAS_SIMULATORS)) if there]


@pytest.mark.parametrize("run", SIMULATORS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_self_contained_verilog_a(characterized_surface, pulses, tmp_path, run, direction):
    export_surface(characterized_surface, "verilog-a", tmp_path / "My cell-2.va")
    values = run(tmp_path / "My cell-2.va", f"my_cell_2_{direction}", *pulses)
    reference = expected(characterized_surface, direction, *pulses)
    # Bilinear against the surface's cubics; measured 0.02 decades, docs/export.md promises 0.1.
    assert np.abs(values[0] - reference[0]).max() < 0.03
    np.testing.assert_allclose(values[1:], reference[1:], rtol=0.01)


@pytest.mark.parametrize("run", SIMULATORS)
def test_self_contained_verilog_a_is_exact_on_the_grid_and_flat_beyond(characterized_surface, tmp_path, run):
    export_surface(characterized_surface, "verilog-a", tmp_path / "t.va")
    dataset = characterized_surface.dataset
    grid = np.meshgrid(dataset["amplitude"][::3], 1e9 * dataset["duration"][::8])
    beyond = np.array([[0.0, 2.0, 0.8, 0.8], [10.0, 10.0, 0.0, 99.0]])
    edge = np.array([[0.4, 1.2, 0.8, 0.8], [10.0, 10.0, 1.0, 60.0]])
    on_grid = np.reshape(grid, (2, -1))
    values = run(tmp_path / "t.va", "t_ap_to_p", *np.hstack([on_grid, beyond, edge]))
    reference = expected(characterized_surface, "ap_to_p", *on_grid)
    np.testing.assert_allclose(values[:, :-8], reference, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(values[:, -8:-4], values[:, -4:], rtol=1e-12)


@pytest.mark.parametrize("step", [2, 3, 6])
def test_a_coarse_sweep_gets_a_finer_module(characterized_surface, pulses, step):
    """On fewer sweep points the surface bends more between them; docs/export.md promises the same."""
    surface = WriteSurface(
        characterized_surface.dataset.isel(amplitude=slice(0, None, step), duration=slice(0, None, step))
    )
    amplitude = np.interp(pulses[0], [0.4, 1.2], surface.amplitudes[[0, -1]])
    duration = np.clip(pulses[1], *(1e9 * surface.durations[[0, -1]]))
    for grid in coarsest(surface):
        exact = expected(surface, grid.direction, amplitude, duration)
        for quantity, reference in zip(grid.values, exact, strict=True):
            at = RegularGridInterpolator((grid.amplitudes, grid.durations), grid.values[quantity])
            off = np.abs(at((amplitude, duration)) - reference)
            if quantity == "log10_ber":
                assert off[reference > -12.0].max() < 0.1
            else:
                assert (off < 0.01 * reference).all()
    assert len(coarsest(surface)[0].durations) > len(surface.durations)


def table_model(path, amplitude, duration):
    """$table_model with "1C,1C" as the Verilog-AMS manual, section 9.21, has it: isolines, linear, clamped.

    A line holds the coordinates, outermost first, and the value; comments start with '#'. Points with the
    same first coordinate are an isoline, and within one the second coordinate rises.
    """
    rows = np.loadtxt(path, comments="#")
    levels, first = np.unique(rows[:, 0], return_index=True)
    assert (np.diff(first) > 0).all()
    isolines = np.split(rows, first[1:])
    values = np.array([np.interp(duration, line[:, 1], line[:, 2]) for line in isolines])
    return np.array(
        [np.interp(level, levels, column) for level, column in zip(amplitude, values.T, strict=True)]
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_verilog_a_with_tables(characterized_surface, pulses, tmp_path, direction):
    out = tmp_path / "Cell.va"
    written = export_surface(characterized_surface, "verilog-a-table", out)
    text = out.read_text()
    module = re.search(rf"(?s)module cell_{direction}\((.*?)\);(.*?)endmodule", text)
    assert module[1].split(", ") == ["amplitude", "duration", "log10_ber", "energy", "redundant_energy"]
    calls = re.findall(r'(\w) = \$table_model\(v, t, "(.*?)", "1C,1C"\);', module[2])
    contributions = dict(re.findall(r"V\((\w+)\) <\+ (\w);", module[2]))
    assert {tmp_path / name for _, name in calls} <= set(written)
    values = {variable: table_model(tmp_path / name, *pulses) for variable, name in calls}
    assert f"{calls[0][0]} = max({calls[0][0]}, -18.0);" in module[2]
    values[calls[0][0]] = np.maximum(values[calls[0][0]], -18.0)
    found = np.stack([values[contributions[pin]] for pin in ("log10_ber", "energy", "redundant_energy")])
    reference = expected(characterized_surface, direction, *pulses)
    np.testing.assert_allclose(found[0], reference[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[1:], reference[1:], rtol=1e-3)


@pytest.mark.parametrize("format_", ["verilog-a", "verilog-a-table"])
def test_verilog_a_keeps_to_what_spectre_takes(characterized_surface, tmp_path, format_):
    """EVAS has no two-dimensional tables from files, but reads and checks the module."""
    export_surface(characterized_surface, format_, tmp_path / "t.va")
    command = [sys.executable, "-m", "evas", "lint", str(tmp_path / "t.va"), "--spectre-strict"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def ngspice(folder, file, subcircuit, amplitude, duration):
    """One instance of the subcircuit for each pulse, in one operating point of ngspice."""
    lines = ["tables", (folder / file).read_text()]
    for k, (level, time) in enumerate(zip(amplitude.tolist(), duration.tolist(), strict=True)):
        lines += [
            f"va{k} a{k} 0 dc {level!r}", f"vt{k} t{k} 0 dc {time!r}",
            f"x{k} a{k} t{k} p{k} e{k} r{k} {subcircuit}",
        ]  # fmt: skip
    with simulator().circuit("\n".join([*lines, ".end"])):
        vectors = simulator().analyse("tran 1n 1n", "time", 1e-9)
    return np.array([[vectors[f"{pin}{k}"][-1] for k in range(len(amplitude))] for pin in "per"])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("where", ["working directory", "NGSPICE_INPUT_DIR"])
def test_ngspice_tables(characterized_surface, pulses, tmp_path, monkeypatch, direction, where):
    if where == "working directory":
        monkeypatch.chdir(tmp_path)
    else:
        monkeypatch.setenv("NGSPICE_INPUT_DIR", str(tmp_path))
    export_surface(characterized_surface, "ngspice-table", tmp_path / "Cell.sub")
    some = [values[::10] for values in pulses]
    values = ngspice(tmp_path, "Cell.sub", f"cell_{direction}", *some)
    reference = expected(characterized_surface, direction, *some)
    # ngspice's own tolerance of node voltages is 1e-6 V and 1e-3 of the value.
    np.testing.assert_allclose(values[0], reference[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(values[1:], reference[1:], rtol=1e-3)


def test_ngspice_stays_at_the_edge_beyond_the_grid(characterized_surface, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export_surface(characterized_surface, "ngspice-table", tmp_path / "t.sub")
    beyond = np.array([0.0, 2.0, 0.8, 0.8]), np.array([10.0, 10.0, 0.0, 99.0])
    edge = np.array([0.4, 1.2, 0.8, 0.8]), np.array([10.0, 10.0, 1.0, 60.0])
    values = ngspice(tmp_path, "t.sub", "t_ap_to_p", *beyond)
    np.testing.assert_allclose(
        values, expected(characterized_surface, "ap_to_p", *edge), rtol=1e-3, atol=1e-6
    )


MISSING_TABLE = """test
.include t.sub
va a 0 0.8
vt t 0 8
x1 a t p e r t_p_to_ap
.control
{analysis}
print vecmin(p)
.endc
.end
"""


@pytest.mark.parametrize("missing", [None, "log10_ber", "energy", "redundant_energy"])
@pytest.mark.parametrize("analysis", ["op", "tran 1n 2n", "tran 1n 2n uic", "dc va 0.5 1 0.1"])
def test_ngspice_fails_without_a_table(characterized_surface, tmp_path, missing, analysis):
    export_surface(characterized_surface, "ngspice-table", tmp_path / "t.sub")
    if missing:
        (tmp_path / f"t_p_to_ap_{missing}.table").unlink()
    (tmp_path / "t.cir").write_text(MISSING_TABLE.format(analysis=analysis))
    done = subprocess.run(
        ["ngspice", "-b", "t.cir"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    said = done.stdout + done.stderr
    printed = re.search(r"^vecmin\(p\) = (\S+)", done.stdout, flags=re.MULTILINE)
    if missing is None:
        amplitude = 1.0 if analysis.startswith("dc") else 0.8
        reference = np.log10(characterized_surface.ber("p_to_ap", amplitude, 8e-9))
        assert float(printed[1]) == pytest.approx(float(reference), rel=1e-3)
        assert "trouble" not in said
    else:
        assert printed is None
        assert 'trouble with node "x1.table_not_found"' in said
