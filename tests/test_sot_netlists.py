"""The three-terminal junction and its cells in ngspice, against `llgs`, circuit theory and energy balance."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from numpy.polynomial.polynomial import polyfit
from scipy import constants

from mtjchar.physics import llgs, spin_orbit, tunneling
from mtjchar.spice.libraries import netlist_folder
from mtjchar.spice.ngspice import simulator

NGSPICE = shutil.which("ngspice")
FREE = ("mtj_llgs.lib", "mtj_sot.lib")
HELD = ("mtj_held.lib", "mtj_sot_held.lib")
STEP = 0.5e-12  # recommended in mtj_llgs.lib up to 0.3 T

MS, THICKNESS, VOLUME = 1e6, 1.2e-9, 1.2e-9 * np.pi * 25e-9**2
JUNCTION = {"rp": 4e3, "tmr": 1.2, "vhalf": 0.5, "alpha": 0.05, "bk": 0.2, "torque": 60.0, "u0": 2.5}
CHANNEL = {"rho": 1.6e-6, "tch": 4e-9, "wch": 80e-9, "lch": 100e-9, "sot": 257.0}
RESISTANCE = 500.0  # rho lch/(wch tch)
EVERYTHING = JUNCTION | CHANNEL | {
    "lambda": 1.3, "fieldlike": 0.2, "vcma": -0.05, "bx": -0.03, "by": -0.01, "bz": 0.005, "shape": 0.03,
    "theta_p": 0.15, "phi0": 0.4, "sotlike": 0.3, "phi_c": 0.3, "tilt_c": 0.1,
}  # fmt: skip


def library(*names):
    return [(netlist_folder() / name).read_text(encoding="utf-8") for name in names]


def words(parameters):
    return " ".join(f"{key}={float(value)!r}" for key, value in parameters.items())


def run(lines, command, stop, save):
    """Vectors of a transient by name, without the row at t = 0 (unsolved with uic)."""
    deck = "\n".join(["deck", *lines, ".options method=trap", f".save {save}", ".end"])
    with simulator().circuit(deck):
        vectors = simulator().analyse(command, "time", stop)
    return {name: np.asarray(values)[1:] for name, values in vectors.items()}


def operating(lines, source, low, high, save):
    """Vectors of a sweep of a source at two values."""
    deck = "\n".join(["deck", *lines, f".save {save}", ".end"])
    with simulator().circuit(deck):
        return simulator().analyse(f"dc {source.lower()} {low!r} {high!r} {high - low!r}", "v-sweep", high)


# Resistances.


@pytest.mark.parametrize("cosine", [-1.0, 0.3, 1.0])
def test_resistances_of_channel_and_tap(cosine):
    # Analytic: rho l/(w t) between the ends, the junction and half of it from an end to the reference
    # layer, and a quarter with both ends grounded.
    small = 1e-3
    half_open = ["Vl l 0 0", "X1 l r t ref mz mtj_sot " + words(JUNCTION | CHANNEL), f"Vm mz 0 {cosine}"]
    expected = float(spin_orbit.channel_resistance(1.6e-6, 4e-9, 80e-9, 100e-9))
    assert expected == pytest.approx(RESISTANCE)
    junction = 1.0 / tunneling.conductance(cosine, 4e3, 1.2)
    for further, resistance in (
        (["Vr r 0 0", "Rref ref 0 1e15"], expected),
        (["Rr r 0 1e15", "Vref ref 0 0"], 0.5 * expected + junction),
    ):
        vectors = operating([*library(*HELD), *half_open, *further], "Vl", -small, small, "i(vl) v(t) v(l)")
        # TMR at 1 mV is 4e-6 below that at 0, and the open end has 1e15 ohm.
        assert small / -vectors["vl#branch"][-1] == pytest.approx(resistance, rel=2e-5)
    both = ["Vl l 0 0", "Vr r 0 0", "Vref ref 0 0", half_open[1], half_open[2]]
    vectors = operating([*library(*HELD), *both], "Vref", -small, small, "i(vref) v(t)")
    assert small / -vectors["vref#branch"][-1] == pytest.approx(0.25 * expected + junction, rel=2e-5)


@pytest.mark.parametrize("voltages", [(0.5, 0.0, 0.2), (0.0, 0.5, 0.4), (-0.3, 0.2, -0.4)])
def test_held_and_free_junction_have_the_same_currents(voltages):
    # Both files are the same circuit at the m at which the free one starts.
    sources = [f"V{pin} {pin} 0 {value}" for pin, value in zip(("l", "r", "ref"), voltages, strict=True)]
    tanh = float(np.tanh(JUNCTION["u0"]))
    save = "i(vl) i(vr) i(vref) v(t)"
    ends = []
    for files, mz in ((FREE, []), (HELD, [f"Vm mz 0 {tanh!r}"])):
        lines = [*library(*files), *sources, *mz, "X1 l r t ref mz mtj_sot " + words(JUNCTION | CHANNEL)]
        ends.append(run(lines, "tran 1e-16 1e-15 0 1e-16 uic", 1e-15, save))
    for name in ("vl#branch", "vr#branch", "vref#branch", "t"):
        assert ends[0][name][-1] == pytest.approx(ends[1][name][-1], rel=1e-4)


# Motion.


def macrospin(p, temperature=0.0):
    """`llgs.Macrospin` of parameters of the netlist."""
    polarization = p["torque"] * 2.0 * constants.e * MS * VOLUME / constants.hbar
    return llgs.Macrospin(
        MS, VOLUME, p["alpha"], p["bk"], temperature=temperature, polarization=polarization,
        lambda_=p.get("lambda", 1.0), field_like=p.get("fieldlike", 0.0),
        demagnetizing=(0.0, p.get("shape", 0.0) / (constants.mu_0 * MS), 0.0),
        reference=(np.sin(p.get("theta_p", 0.0)), 0.0, np.cos(p.get("theta_p", 0.0))),
        field=(p.get("bx", 0.0), p.get("by", 0.0), p.get("bz", 0.0)),
    )  # fmt: skip


def torque_of(p):
    direction = spin_orbit.polarization(p.get("phi_c", 0.0), p.get("tilt_c", 0.0))
    return spin_orbit.SpinOrbitTorque(p["sot"], direction, p.get("sotlike", 0.0))


def start_of(p):
    m_z, phi = np.tanh(p["u0"]), p.get("phi0", 0.0)
    sine = np.sqrt(1.0 - m_z**2)
    return np.array([sine * np.cos(phi), sine * np.sin(phi), m_z])


def circuit_series(lines, cosines, probes):
    """Power series in the cosine of combinations of node voltages, from the held junction."""
    rows = []
    for cosine in cosines:
        end = run([*lines, f"Vm mz 0 {float(cosine)!r}"], "tran 1e-10 4e-9 uic", 4e-9, " ".join(probes))
        rows.append([end[re.sub(r"v\((.*)\)", r"\1", probe)][-1] for probe in probes])
    return np.array(rows).T


@pytest.mark.parametrize("terms", ["spin orbit", "everything"])
def test_trajectory_is_that_of_llgs(terms):
    # `llgs.simulate_on_load_line`, itself tested against DOP853, on the load lines of the held junction:
    # sources at both ends and, through 1 kohm, at the reference layer. 1e-3 after 3 ns.
    p = EVERYTHING if terms == "everything" else JUNCTION | CHANNEL | {"bx": -0.03}
    source = ["Vl l 0 0.18", "Vr r 0 -0.06", "Vs s 0 0.45", "Rs s ref 1k"]
    device = "X1 l r t ref mz mtj_sot " + words(p)
    save = "v(x1.mx) v(x1.my) v(mz) v(l) v(r) v(t) v(ref)"
    step = 0.2e-12
    lines = [*library(*FREE), *source, device]
    netlist = run(lines, f"tran {step!r} 3e-9 0 {step!r} uic", 3e-9, save)
    m = np.stack([netlist["x1.mx"], netlist["x1.my"], netlist["mz"]])

    cosines = np.cos(np.pi * (np.arange(9) + 0.5) / 9)
    tap, reference = circuit_series([*library(*HELD), *source, device], cosines, ["v(t)", "v(ref)"])
    current = polyfit(cosines, (reference - 0.45) / 1e3, 6)
    channel = polyfit(cosines, np.full(9, 0.24 / RESISTANCE), 0)
    anisotropy = polyfit(cosines, p["bk"] + p.get("vcma", 0.0) * (tap - reference), 6)
    times, expected, _, _ = llgs.simulate_on_load_line(
        macrospin(p), start_of(p), duration=3e-9, step=0.1e-12, current=current, anisotropy_field=anisotropy,
        spin_orbit=torque_of(p), channel_current=channel, record=np.linspace(0.0, 3e-9, 3001),
    )  # fmt: skip
    off = [np.abs(np.interp(netlist["time"], times, expected[:, k, 0]) - m[k]).max() for k in range(3)]
    assert expected[0, 2, 0] > 0.9
    assert expected[-1, 2, 0] < -0.2  # with a switching event
    assert max(off) < 1e-3


@pytest.mark.parametrize(
    ("voltage", "field"), [(0.175, 0.04), (0.175, -0.04), (-0.175, 0.04), (-0.175, -0.04)]
)
def test_product_of_field_and_current_decides_the_state(voltage, field):
    # Convention of docs/torque.md: P if the current flows along the field.
    for u0 in (2.5, -2.5):
        p = JUNCTION | CHANNEL | {"bx": field, "u0": u0, "alpha": 0.1}
        lines = [*library(*FREE), f"Vl l 0 pulse({voltage} 0 1n 1p 1p 1)", "Vr r 0 0", "Rref ref 0 1e12"]
        lines.append("X1 l r t ref mz mtj_sot " + words(p))
        end = run(lines, "tran 1e-12 4e-9 0 1e-12 uic", 4e-9, "v(mz)")
        assert np.sign(voltage * field) * end["mz"][-1] > 0.9


def test_layer_in_the_plane_with_its_easy_axis_across_the_current_is_that_of_llgs():
    # Easy axis x, current along y: the parameters as the header of mtj_sot.lib gives them. Above the
    # threshold the precession grows, and m_x, the cosine between the layers, changes its sign.
    p = JUNCTION | CHANNEL | {
        "bk": -0.25, "shape": 0.03, "theta_p": np.pi / 2, "phi_c": np.pi / 2, "u0": 0.0, "phi0": 0.1,
        "sotlike": 0.2,
    }  # fmt: skip
    threshold = float(spin_orbit.in_plane_threshold_field(0.05, 0.03, 0.25, field_like=0.2))
    voltage = 4.0 * threshold / p["sot"] * RESISTANCE
    lines = [*library(*FREE), f"Vl l 0 {voltage!r}", "Vr r 0 0", "Rref ref 0 1e12"]
    lines.append("X1 l r t ref mz mtj_sot " + words(p))
    netlist = run(lines, "tran 2e-13 3e-9 0 2e-13 uic", 3e-9, "v(x1.mx) v(x1.my) v(mz)")
    m = np.stack([netlist["x1.mx"], netlist["x1.my"], netlist["mz"]])
    times, expected = llgs.simulate(
        macrospin(p), start_of(p), duration=3e-9, step=0.1e-12, spin_orbit=torque_of(p),
        channel_current=voltage / RESISTANCE, record=np.linspace(0.0, 3e-9, 3001),
    )  # fmt: skip
    assert expected[0, 0, 0] > 0.9
    assert expected[-1, 0, 0] < -0.9
    for k in range(3):
        np.testing.assert_allclose(m[k], np.interp(netlist["time"], times, expected[:, k, 0]), atol=1e-3)


def test_without_spin_orbit_torque_it_is_the_vector_junction():
    # The same equations: mtj_vector.lib with half of the channel in series, sot = 0.
    p = EVERYTHING | {"sot": 0.0, "torque": 300.0}
    here = [*library(*FREE), "Vl l 0 -0.9", "Vref ref 0 0", "Rr r 0 1e12"]
    here.append("X1 l r t ref mz mtj_sot " + words(p))
    junction = {key: value for key, value in p.items() if key not in {*CHANNEL, "sotlike", "phi_c", "tilt_c"}}
    there = [*library("mtj_llgs.lib", "mtj_vector.lib"), "Vl l 0 -0.9", f"Rh l t {RESISTANCE / 2}"]
    there.append("X1 t 0 mz mtj " + words(junction))
    ends = [run(lines, "tran 1e-12 3e-9 0 5e-13 uic", 3e-9, "v(mz) v(t)") for lines in (here, there)]
    times = np.linspace(1e-11, 2.9e-9, 300)
    mz, tap = ([np.interp(times, end["time"], end[name]) for end in ends] for name in ("mz", "t"))
    assert mz[0][-1] < -0.9
    np.testing.assert_allclose(mz[0], mz[1], atol=1e-4)
    np.testing.assert_allclose(tap[0], tap[1], atol=1e-4)


# Cells.

LINES = {"rbl": 200.0, "cbl": 1e-17, "rsl": 200.0, "csl": 1e-17}
CELLS = {
    "2t": (
        "Xcell bl sl rl wwl rwl mz left right tap top cell_sot_2t rrl=200 crl=1e-17 ww=600n ",
        "Vrl rl 0 0.1",
    ),
    "3t": ("Xcell bl sl wwl rwl mz left right tap top cell_sot_3t ww=300n wr=200n ", "Vrl rl 0 0"),
}


@pytest.mark.parametrize("kind", ["2t", "3t"])
@pytest.mark.parametrize(("bl", "sl", "target"), [(0.9, 0.0, 1.0), (0.0, 0.9, -1.0)])
def test_write_of_a_cell_is_that_of_llgs_on_its_load_lines(kind, bl, sl, target):
    # Final state, and the energy of all drivers from the waveforms of a full transient against charges on
    # load lines of the held junction: 1 %. Nearly without capacitances, so that there are no edges; a field
    # along the current that is strong enough for both directions and against the junction's torque.
    p = JUNCTION | CHANNEL | {"bx": 0.06, "u0": -target * 2.5, "torque": 20.0}
    device, read_line = CELLS[kind]
    drive = [
        f"Vbl bl 0 {bl}", f"Vsl sl 0 {sl}", read_line, "Vwwl wwl 0 1.4", "Vrwl rwl 0 1.4",
        device + words(p | LINES),
    ]  # fmt: skip
    common = library(f"cell_sot_{kind}.lib", "nmos_ideal.lib")
    duration = 2e-9
    save = "v(mz) v(left) v(right) v(tap) v(top) i(vbl) i(vsl) i(vrl)"
    wave = run([*library(*FREE), *common, *drive], "tran 1e-12 2e-9 0 5e-13 uic", duration, save)
    assert target * wave["mz"][-1] > 0.3
    rail = 0.1 if kind == "2t" else 0.0
    power = -bl * wave["vbl#branch"] - sl * wave["vsl#branch"] - rail * wave["vrl#branch"]
    settled = wave["time"] > 1e-11
    energy = np.trapezoid(power[settled], wave["time"][settled])

    cosines = np.cos(np.pi * (np.arange(7) + 0.5) / 7)
    probes = [f"v({node})" for node in ("left", "right", "tap", "top")]
    left, right, tap, _ = circuit_series([*library(*HELD), *common, *drive], cosines, probes)
    into, out = (left - tap) / (0.5 * RESISTANCE), (tap - right) / (0.5 * RESISTANCE)
    end = llgs.simulate_on_load_line(
        macrospin(p), start_of(p), duration=duration, step=2e-13, current=polyfit(cosines, into - out, 5),
        spin_orbit=torque_of(p), channel_current=polyfit(cosines, 0.5 * (into + out), 5),
        record=[1e-11, 2e-9],
    )  # fmt: skip
    assert end.m[-1, 2, 0] == pytest.approx(wave["mz"][-1], abs=2e-3)
    junction, channel = np.diff(end.charge[:, 0])[0], np.diff(end.channel_charge[:, 0])[0]
    # Kirchhoff: the source line takes the channel's right half; the bit line gives the left one and, in the
    # 3T cell, what the junction takes from it.
    from_sl = -(channel - 0.5 * junction)
    from_bl = channel + 0.5 * junction - (junction if kind == "3t" else 0.0)
    from_rl = -junction if kind == "2t" else 0.0
    assert bl * from_bl + sl * from_sl + rail * from_rl == pytest.approx(energy, rel=0.01)


@pytest.mark.parametrize("kind", ["2t", "3t"])
def test_resistance_of_a_cell(kind):
    # Analytic with ideal transistors of 1 kohm: lines, one or two write transistors, channel; read: lines,
    # transistor, junction in P and half of the channel.
    device, _ = CELLS[kind]
    lines = [
        *library(*HELD, f"cell_sot_{kind}.lib", "nmos_ideal.lib"), "Vbl bl 0 0", "Vsl sl 0 0", "Vm mz 0 1",
        *(["Vrl rl 0 0"] if kind == "2t" else []), device + words(JUNCTION | CHANNEL),
    ]  # fmt: skip
    write = 400.0 + RESISTANCE + (1e3 if kind == "2t" else 0.5e3)
    vectors = operating([*lines, "Vw wwl 0 1.4", "Vr rwl 0 0"], "Vbl", -1e-3, 1e-3, "i(vbl)")
    assert 1e-3 / -vectors["vbl#branch"][-1] == pytest.approx(write, rel=1e-4)
    driver = "rl" if kind == "2t" else "bl"
    read = 400.0 + 1e3 + 4e3 + 0.5 * RESISTANCE
    vectors = operating([*lines, "Vw wwl 0 0", "Vr rwl 0 1.4"], f"V{driver}", -1e-3, 1e-3, f"i(v{driver})")
    assert 1e-3 / -vectors[f"v{driver}#branch"][-1] == pytest.approx(read, rel=1e-4)


def by_hand(name):
    assert NGSPICE, "the program ngspice is not on PATH; apt install ngspice"
    done = subprocess.run(
        [NGSPICE, "-b", name], cwd=netlist_folder(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in (done.stdout + done.stderr).lower()
    return {key: float(value) for key, value in re.findall(r"^(\w+)\s+=\s+(\S+)", done.stdout, re.MULTILINE)}


def test_benches_write_both_states_by_hand():
    two, three = by_hand("tb_sot_2t.cir"), by_hand("tb_sot_3t.cir")
    # The field and the current together: P, then AP.
    assert two["mz_after_first"] > 0.95
    assert two["mz_after_second"] < -0.95
    assert two["channel_second"] < 0.0 < two["channel_first"]
    # The junction's current decides: AP with the bit line high, then P.
    assert three["mz_after_first"] < -0.95
    assert three["mz_after_second"] > 0.95
    assert three["junction_first"] < 0.0 < three["junction_second"]
    # Bounds: V^2/R over the pulse, R between lines with channel alone and with 4 kohm of transistors.
    for name in ("energy_first", "energy_second"):
        assert 0.9**2 / 5e3 * 1e-9 < two[name] < 1.1 * 0.9**2 / 900.0 * 1e-9
