"""The netlists by themselves: test benches run by hand, and the junction against its equations."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from mtjchar.physics.anisotropy import GAMMA
from mtjchar.spice.libraries import netlist_folder
from mtjchar.spice.ngspice import simulator

NGSPICE = shutil.which("ngspice")


def by_hand(name, folder=None):
    """Run a netlist as a user does, and return what it measured."""
    assert NGSPICE, "the program ngspice is not on PATH; apt install ngspice"
    done = subprocess.run(
        [NGSPICE, "-b", name], cwd=folder or netlist_folder(), capture_output=True, text=True, timeout=60
    )
    words = done.stdout + done.stderr
    assert done.returncode == 0, words
    assert "error" not in words.lower(), words
    assert "failed" not in words.lower(), words
    return {
        key: float(number) for key, number in re.findall(r"^(\w+)\s+=\s+(\S+)", done.stdout, re.MULTILINE)
    }


# What is usual for NMOS of 28-nm-class logic processes with ordinary thresholds, per um of width at room
# temperature; wide ranges on purpose, for no single process is meant.
@pytest.mark.parametrize(
    ("measure", "low", "high"),
    [
        ("ion", 400e-6, 900e-6),  # A/um at 0.9 V on gate and drain
        ("ioff", 0.05e-9, 20e-9),  # A/um at 0.9 V on the drain
        ("ss_mv_per_decade", 75.0, 100.0),  # 59.5 mV is the limit at 27 degC, ln(10) kT/e
        ("ron_ohm_um", 200.0, 450.0),  # word line at 1.4 V, 50 mV on the drain
    ],
)
def test_generic_nmos_is_one_of_its_class(measure, low, high):
    assert low < by_hand("tb_nmos.cir")[measure] < high


def test_drain_induced_barrier_lowering_of_the_generic_nmos_is_that_of_its_class():
    measured = by_hand("tb_nmos.cir")
    shift = measured["vtlin"] - measured["vtsat"]
    # 50 to 150 mV/V is usual for 30 nm gates in bulk silicon; drain from 0.05 to 0.9 V.
    assert 0.05 < shift / (0.9 - 0.05) < 0.15
    # The constant-current thresholds themselves, V.
    assert 0.2 < measured["vtsat"] < measured["vtlin"] < 0.5


def test_both_writes_of_the_cell_bench_switch():
    measured = by_hand("tb_cell_write.cir")
    assert measured["mz_after_first"] > 0.98
    assert measured["mz_after_second"] < -0.98
    # Within their pulses, s.
    assert 0.3e-9 < measured["t_ap_to_p"] < 10.3e-9
    assert 12.3e-9 < measured["t_p_to_ap"] < 22.3e-9
    # Analytic bounds: V^2/R over 10 ns with R between R_P alone and R_AP plus 4 kohm for transistor and
    # lines, in series, and a tenth on top for charging the lines.
    for name, volt in (("energy_first", 0.9), ("energy_second", 1.1)):
        assert volt**2 / 13e3 * 10e-9 < measured[name] < 1.1 * volt**2 / 3979 * 10e-9


def test_cell_bench_runs_from_a_folder_with_a_blank(tmp_path):
    folder = tmp_path / "my netlists"
    shutil.copytree(netlist_folder(), folder)
    assert by_hand("tb_cell_write.cir", folder) == by_hand("tb_cell_write.cir")


def junction(file, m_z_source, source, parameters):
    words = " ".join(f"{key}={value!r}" for key, value in parameters.items())
    return "\n".join(
        [
            "junction alone",
            f'.include "{netlist_folder() / file}"',
            source,
            m_z_source,
            f"Xj free 0 mz mtj {words}",
            ".options reltol=1e-6 method=trap",
            ".save v(free) v(mz) i(vj)",
            ".end",
        ]
    )


@pytest.mark.parametrize("volt", [-0.8, -0.1, 0.3, 1.0])
@pytest.mark.parametrize("m_z", [-1.0, -0.3, 0.0, 1.0])
@pytest.mark.parametrize("file", ["mtj_held.lib", "mtj_axial.lib"])
def test_resistance_of_both_junctions(file, m_z, volt):
    rp, tmr, vhalf = 4000.0, 1.5, 0.4
    parameters = {"rp": rp, "tmr": tmr, "vhalf": vhalf}
    if file == "mtj_axial.lib":
        # 0.1 fs after the start the magnetization has not moved.
        parameters["u0"] = float(np.arctanh(np.clip(m_z, -1 + 1e-12, 1 - 1e-12)))
        command, axis, stop = "tran 1e-17 1e-16 uic", "time", 1e-16
        deck = junction(file, "", f"Vj free 0 {volt}", parameters)
    else:
        command, axis, stop = f"dc vj {volt} {volt} 1", "v-sweep", volt
        deck = junction(file, f"Vm mz 0 {m_z}", f"Vj free 0 {volt}", parameters)
    with simulator().circuit(deck):
        current = -simulator().analyse(command, axis, stop)["vj#branch"][-1]
    # Analytic: conductance linear in m_z between 1/R_P and 1/R_AP(V), R_AP = R_P (1 + TMR/(1 + (V/Vh)^2)).
    antiparallel = rp * (1 + tmr / (1 + (volt / vhalf) ** 2))
    conductance = 0.5 * (1 / rp + 1 / antiparallel) + 0.5 * (1 / rp - 1 / antiparallel) * m_z
    assert current == pytest.approx(volt * conductance, rel=1e-6, abs=0)


PARAMETERS = {"rp": 4000.0, "tmr": 1e-6, "alpha": 0.027, "bk": 0.1735, "torque": 99.4, "delta": 43.0}


def time_to_switch(current, u0, **changed):
    """Time at which a junction alone, at a constant current, passes m_z = 0 in ngspice, and its waveform."""
    deck = junction(
        "mtj_axial.lib", "", f"Vj x 0 0\nIj 0 free {current!r}", {**PARAMETERS, "u0": u0, **changed}
    )
    with simulator().circuit(deck):
        vectors = simulator().analyse("tran 20p 40n 0 20p uic", "time", 40e-9)
    m_z, time = vectors["mz"], vectors["time"]
    crossing = np.flatnonzero(np.diff(np.sign(m_z)))
    assert len(crossing) == 1
    before = int(crossing[0])
    share = m_z[before] / (m_z[before] - m_z[before + 1])
    return time[before] + share * (time[before + 1] - time[before]), m_z


def equation(current, *, rp, alpha, bk, torque, delta, lambda_=1.0, fieldlike=0.0, vcma=0.0, bz=0.0):
    """du/dt of u = artanh(m_z): the docs' equation, written again by hand."""

    def slope(_, u):
        m_z = np.tanh(u)
        efficiency = 2 * lambda_**2 / ((lambda_**2 + 1) + (lambda_**2 - 1) * m_z)
        field = alpha * ((bk + vcma * rp * current) * m_z + bz) - alpha * bk * np.sinh(2 * u) / (4 * delta)
        return GAMMA / (1 + alpha**2) * (field + (1 + alpha * fieldlike) * torque * current * efficiency)

    return slope


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"lambda": 1.6},
        {"fieldlike": 0.5},
        {"vcma": 0.05},
        {"bz": 0.03},
        {"bz": -0.03, "vcma": -0.02},
        {"lambda": 1.4, "fieldlike": -1.5, "vcma": -0.03, "delta": 60.0, "alpha": 0.01},
    ],
    ids=lambda changed: "+".join(changed) or "plain",
)
@pytest.mark.parametrize("direction", [1.0, -1.0], ids=["to_parallel", "to_antiparallel"])
def test_switching_time_is_that_of_the_equation(direction, changed):
    # Another program: scipy's integrator, 1e-9, on the same equation. The TMR is negligible, so that the
    # voltage at the junction is R_P times the current.
    current, u0 = direction * 100e-6, -direction * 2.5
    numbers = {key: value for key, value in {**PARAMETERS, **changed}.items() if key != "tmr"}
    numbers["lambda_"] = numbers.pop("lambda", 1.0)

    def crossing(_, u):
        return u[0]

    crossing.terminal = True
    expected = solve_ivp(
        equation(current, **numbers), (0, 40e-9), [u0], rtol=1e-9, atol=1e-10, events=crossing
    ).t_events[0]
    found, m_z = time_to_switch(current, u0, **changed)
    assert found == pytest.approx(expected[0], rel=5e-3, abs=0)
    assert direction * m_z[-1] > 0.97


def test_directions_are_mirror_images_at_equal_currents():
    # Analytic: with a symmetric torque the equation is odd in u and current.
    there, back = time_to_switch(100e-6, -2.5)[0], time_to_switch(-100e-6, 2.5)[0]
    assert there == pytest.approx(back, rel=1e-4, abs=0)


@pytest.mark.parametrize("bz", [0.25, -0.25])
def test_field_above_the_anisotropy_field_switches_by_itself(bz):
    # Analytic, no current, no thermal drift: du/dt = w (tanh u + h), w = gamma alpha bk/(1 + alpha^2), from
    # -u0 to 0 in [h u0 + ln(cosh(u0) - sinh(u0)/h)]/(w (h^2 - 1)); mirrored for a negative field.
    sign, u0 = float(np.sign(bz)), 2.5
    deck = junction(
        "mtj_axial.lib", "", "Vj x 0 0\nIj 0 free 0", {**PARAMETERS, "u0": -sign * u0, "bz": bz, "delta": 1e9}
    )
    with simulator().circuit(deck):
        vectors = simulator().analyse("tran 20p 8n 0 20p uic", "time", 8e-9)
    alpha, bk = PARAMETERS["alpha"], PARAMETERS["bk"]
    h, rate = abs(bz) / bk, GAMMA * alpha * bk / (1 + alpha**2)
    expected = (u0 * h + np.log(np.cosh(u0) - np.sinh(u0) / h)) / (rate * (h**2 - 1))
    by_quadrature = quad(lambda u: 1 / (rate * (np.tanh(u) + h)), -u0, 0)[0]
    assert expected == pytest.approx(by_quadrature, rel=1e-8)
    assert np.interp(0.0, sign * vectors["mz"], vectors["time"]) == pytest.approx(expected, rel=5e-3, abs=0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_without_current_the_magnetization_rests_at_the_thermal_angle(sign):
    deck = junction("mtj_axial.lib", "", "Vj x 0 0\nIj 0 free 0", {**PARAMETERS, "u0": sign * 1.0})
    with simulator().circuit(deck):
        m_z = simulator().analyse("tran 100p 40n 0 100p uic", "time", 40e-9)["mz"]
    # Analytic: tanh u = sinh(2u)/(4 Delta) has the root 1 - m_z^2 = 1/(2 Delta).
    assert m_z[-1] == pytest.approx(sign * np.sqrt(1 - 1 / (2 * PARAMETERS["delta"])), rel=1e-4, abs=0)
