"""Junctions that their own current heats: the thermal node of the netlists, in ngspice and in Verilog-A."""

import math
import re

import numpy as np
import pytest
from common import DEMO, with_values
from scipy import constants
from scipy.integrate import solve_ivp, trapezoid
from study_cases import changed, load, refusal
from test_compact_model import GAMMA, Junction, exported, needs_vacask, vacask
from test_netlists import by_hand

from mtjchar.cells.stt.film_laws import FilmLaws
from mtjchar.cells.stt.netlist import batch_deck, cell_parameters
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.errors import InputError
from mtjchar.physics import tunneling
from mtjchar.spice.libraries import library
from mtjchar.spice.ngspice import simulator
from mtjchar.study import Study
from mtjchar.sweep.population import Population

AXIAL = ("mtj_film.lib", "mtj_axial_heated.lib")
VECTOR = ("mtj_film.lib", "mtj_llgs.lib", "mtj_llgs_heated.lib", "mtj_vector_heated.lib")
HEAT = {"thermal_resistance_area": 1.5e-9, "thermal_time": 1e-9}  # K m^2/W, s: 40 nm rise by tens of kelvin
EVERYTHING = {
    "field_like_torque": 0.3, "vcma_coefficient": 40e-15, "resistance_exponent": -0.3,
    "polarization_exponent": 0.8,
}  # fmt: skip
UNHEATED = {"thermal_resistance_area": 0.0, "thermal_time": 0.0}
LAWS = {"voltage": {}, "current": {"torque": "current", "slonczewski_lambda": 1.3}}


def study_with(stack=(), cell=(), junction=()):
    """The demo study whose junction is heated, with values changed."""
    names = ("stack", "junction", "cell", "variability", "pulse", "sweep")
    data = {name: getattr(DEMO, name) for name in names}
    for name, values in {"stack": HEAT | dict(stack), "cell": dict(cell), "junction": dict(junction)}.items():
        data[name] = with_values(data[name], **values)
    return Study.model_validate(data)


def parameters(study, **further):
    """Parameters of the subcircuit mtj of the nominal device, without those of the cell."""
    row = cell_parameters(study.tables, Population(study).nominal()).iloc[0]
    values = row.drop(["rbl", "cbl", "rsl", "csl", "w", "l", "dvth", "beta"]).to_dict()
    return values | further


def simulate(
    files, values, drive, stop, step, *, instance="Xj f 0 mz mtj {}", saved=("xj.kelvin",), variables=()
):
    """Vectors of one junction in ngspice from t = 0 on, without the row before the first solution."""
    words = " ".join(f"{key}={float(value)!r}" for key, value in values.items())
    texts = [library(name) if name.endswith(".lib") else name for name in files]
    deck = [
        "heated junction", *texts, drive, instance.format(words),
        ".options method=trap reltol=1e-6 chgtol=1e-16",
        ".save v(f) v(mz) i(vf) " + " ".join(f"v({name})" for name in saved), ".end",
    ]  # fmt: skip
    with simulator().circuit("\n".join(deck), variables):
        assert "error" not in simulator().words_on_loading.lower()
        simulator().exec_command("setseed 1")
        vectors = simulator().analyse(f"tran {step!r} {stop!r} 0 {step!r} uic", "time", stop)
    return {name: vector[1:] for name, vector in vectors.items()}


class HotJunction(Junction):
    """The nominal junction at any temperature: by `FilmLaws` and numpy's physics, from the film at 300 K."""

    def __init__(self, study):
        super().__init__(study)
        self.film = study.stack
        self.fixed = self.device
        self.resistance = self.film.thermal_resistance_area / (0.25 * math.pi * self.fixed["diameter_m"] ** 2)

    def at(self, kelvin):
        """Take on a temperature."""
        film, laws = self.film, FilmLaws(self.film, kelvin)
        diameter, thickness = self.fixed["diameter_m"], self.fixed["free_layer_thickness_m"]
        magnetization = laws.magnetization(film.saturation_magnetization)
        interfacial = laws.interfacial_anisotropy(film.interfacial_anisotropy)
        polarization = laws.polarization(film.spin_polarization)
        product = laws.resistance_area_product(film.resistance_area_product)
        free = laws.free_layer(thickness, diameter, magnetization, interfacial, polarization, film.damping)
        self.ms = float(magnetization)
        self.device = dict(self.fixed) | {
            "interfacial_anisotropy_J_per_m2": float(interfacial), "spin_polarization": float(polarization),
            "parallel_resistance_ohm": float(tunneling.parallel_resistance(product, diameter)),
            "tmr": float(laws.tmr(film.tmr)), "anisotropy_field_T": float(free.anisotropy_field),
            "thermal_stability": float(free.stability),
        }  # fmt: skip
        self.part = float(free.stability / free.coherent_stability)
        return self

    def warming(self, m, voltage, kelvin):
        """dT/dt, K/s."""
        end = self.study.cell.temperature + self.resistance * voltage * self.current(m, voltage)
        return (end - kelvin) / self.film.thermal_time

    def in_three_dimensions(self, start, voltage, stop):
        """m and T over time, as a function."""

        def slope(time, state):
            m, kelvin = state[:3], state[3]
            self.at(kelvin)
            return [*self.slope(m, voltage(time)), self.warming(m, voltage(time), kelvin)]

        return solve_ivp(
            slope, (0.0, stop), [*start, self.study.cell.temperature], method="DOP853", rtol=1e-8, atol=1e-10,
            dense_output=True, max_step=2e-11,
        ).sol  # fmt: skip

    def along_the_axis(self, u, voltage, stop):
        """u and T over time: m_z of Gilbert's equation at azimuth 0, and the drift that noise leaves."""

        def slope(time, state):
            u, kelvin = state
            self.at(kelvin)
            z = math.tanh(u)
            m = np.array([math.sqrt(max(1.0 - z * z, 0.0)), 0.0, z])
            alpha, device = self.alpha, self.device
            rate = GAMMA * alpha * device["anisotropy_field_T"] / (1.0 + alpha**2)
            drift = 0.25 * rate * math.sinh(2.0 * u) / device["thermal_stability"]
            return [
                self.slope(m, voltage(time))[2] / (1.0 - z * z) - drift,
                self.warming(m, voltage(time), kelvin),
            ]

        return solve_ivp(
            slope, (0.0, stop), [u, self.study.cell.temperature], method="DOP853", rtol=1e-9, atol=1e-9,
            dense_output=True, max_step=2e-11,
        ).sol  # fmt: skip


def pulse(time):
    """-0.7 V from 0.2 ns on, with a ramp of 0.1 ns: drives to AP."""
    return -0.7 * float(np.clip((time - 0.2e-9) / 0.1e-9, 0.0, 1.0))


PULSE = "Vf f 0 pulse(0 -0.7 0.2n 0.1n 0.1n 1 2)"


@pytest.mark.parametrize(("files", "step"), [(AXIAL, 10e-12), (VECTOR, 1e-12)], ids=["axial", "vector"])
def test_a_held_junction_warms_up_exponentially(files, step):
    # Analytic: in P the resistance does not change with the temperature (resistance_exponent = 0), so that
    # T = T0 + R_th V^2/R_P (1 - exp(-t/tau)). The voltage holds P; at u0 = 8 m_z is 1 to 2e-7.
    study = study_with()
    values = parameters(study, u0=8.0, delta=1e9)
    vectors = simulate(files, values, "Vf f 0 0.6", 3e-9, step)
    time, rise = vectors["time"], vectors["xj.kelvin"] - 300.0
    area = 0.25 * math.pi * study.junction.diameter**2
    end = HEAT["thermal_resistance_area"] / area * 0.6**2 / values["rp"]
    assert 50.0 < end < 200.0
    np.testing.assert_allclose(rise, -end * np.expm1(-time / HEAT["thermal_time"]), atol=2e-4 * end)
    assert np.ptp(vectors["mz"]) < 1e-6


@pytest.mark.parametrize(
    "cell", [{}, {"temperature": 358.15, "external_field": {"z": 0.01}}], ids=["300 K", "hot"]
)
@pytest.mark.parametrize("law", LAWS)
def test_axial_model_follows_its_equations(law, cell):
    # scipy's DOP853 on Gilbert's equation with the film of `FilmLaws` at each temperature.
    study = study_with(EVERYTHING | LAWS[law], cell)
    junction = HotJunction(study)
    expected = junction.along_the_axis(1.8, pulse, 3e-9)
    vectors = simulate(AXIAL, parameters(study, u0=1.8), PULSE, 3e-9, 2e-12)
    u, kelvin = expected(vectors["time"])
    assert np.tanh(u[-1]) < 0.0  # it has switched, and by a rise that matters
    assert kelvin.max() > study.cell.temperature + 30.0
    assert np.abs(vectors["mz"] - np.tanh(u)).max() < 1e-3
    assert np.abs(vectors["xj.kelvin"] - kelvin).max() < 1e-3 * (kelvin.max() - study.cell.temperature)
    current = [
        junction.at(hot).current(np.array([0.0, 0.0, z]), -0.7)
        for z, hot in zip(np.tanh(u[-100::10]), kelvin[-100::10], strict=True)
    ]
    np.testing.assert_allclose(-vectors["vf#branch"][-100::10], current, rtol=1e-3)


WIDE = {
    "wall": ({"interfacial_anisotropy": 1.5e-3, "exchange_stiffness": 1e-11}, {"diameter": 80e-9}),
    "nucleus": ({"nucleation_diameter": 30e-9}, {}),
}


@pytest.mark.parametrize("name", WIDE)
def test_thermal_drift_of_a_wide_junction(name):
    # Less than the whole layer fluctuates as one macrospin, and of a wall a part that changes with the
    # temperature. u, which rests where the torque balances the drift, by `FilmLaws.free_layer`.
    stack, junction = WIDE[name]
    study = study_with(EVERYTHING | stack, (), junction)
    values = parameters(study, u0=2.0)
    assert min(values["wall"], values["nucleus"]) < 0.7
    vectors = simulate(AXIAL, values, "Vf f 0 0.5", 5e-9, 5e-12)
    hot = HotJunction(study)
    u, kelvin = hot.along_the_axis(2.0, lambda _: 0.5, 5e-9)(vectors["time"])
    assert kelvin[-1] > 320.0
    late = vectors["time"] > 3e-9
    np.testing.assert_allclose(np.arctanh(vectors["mz"])[late], u[late], atol=2e-3)
    if name == "wall":
        parts = [hot.at(each).part for each in (kelvin[-1], 300.0)]
        assert abs(parts[0] / parts[1] - 1.0) > 0.01  # u would be off by half of it


def test_heat_makes_a_difference_to_that_write():
    # That the comparison above would see a missing law: without heat m_z is off by more than 0.1.
    study = study_with(EVERYTHING)
    heated = HotJunction(study).along_the_axis(1.8, pulse, 3e-9)
    cold = HotJunction(study_with(EVERYTHING | {"thermal_resistance_area": 1e-20}))
    unheated = cold.along_the_axis(1.8, pulse, 3e-9)
    time = np.linspace(0.0, 3e-9, 300)
    assert np.abs(np.tanh(heated(time)[0]) - np.tanh(unheated(time)[0])).max() > 0.1


FROM = np.array([math.sin(0.3) * math.cos(0.4), math.sin(0.3) * math.sin(0.4), math.cos(0.3)])
TILTED = (
    EVERYTHING | {"reference_tilt": 0.15},
    {"external_field": {"x": 0.01, "y": -0.005, "z": 0.003}},
    {"aspect_ratio": 1.5},
)


@pytest.fixture(scope="module", params=LAWS)
def tilted(request):
    """A heated study without any symmetry, and the trajectory of its junction from `FROM`."""
    stack, cell, junction = TILTED
    study = study_with(stack | LAWS[request.param], cell, junction)
    return study, HotJunction(study).in_three_dimensions(FROM, pulse, 3e-9)


def compared(vectors, trajectory, names=("xj.mx", "xj.my", "mz", "xj.kelvin")):
    """Largest distance of m, and of the temperature over its rise."""
    found = np.stack([vectors[name] for name in names])
    expected = trajectory(vectors["time"])
    rise = np.ptp(expected[3])
    assert expected[2, -1] < 0.0
    assert rise > 30.0
    distance = np.abs(found - expected).max(axis=1)
    return distance[:3].max(), distance[3] / rise


def test_vector_model_follows_its_equations(tilted):
    # The largest step is that of the netlist's header; the tolerance for m is that of test_mtj_llgs.py.
    study, trajectory = tilted
    values = parameters(study, u0=math.atanh(math.cos(0.3)), phi0=0.4)
    vectors = simulate(VECTOR, values, PULSE, 3e-9, 0.5e-12, saved=("xj.kelvin", "xj.mx", "xj.my"))
    of_m, of_temperature = compared(vectors, trajectory)
    assert of_m < 1e-3
    assert of_temperature < 1e-3


@pytest.mark.parametrize("files", [AXIAL, VECTOR], ids=["axial", "vector"])
def test_a_hot_junction_is_the_model_at_that_temperature(files):
    # A thermal time far below the motion and a power that does not change (constant current, no TMR): from
    # the start the junction has the temperature T0 + R_th I^2 R_P, and moves as an unheated one there.
    stack = {"thermal_time": 1e-13, "tmr": 1e-6, "resistance_exponent": -0.2}
    study, current, step = study_with(stack), -110e-6, 1e-12
    cold = parameters(study, u0=1.8, phi0=0.3)
    kelvin = 300.0
    for _ in range(60):  # R_P depends on the temperature; a contraction
        kelvin = 300.0 + cold["rth"] * current**2 * cold["rp"] * (kelvin / 300.0) ** -0.2
    assert kelvin > 330.0
    hot = parameters(study_with(stack | UNHEATED, {"temperature": kelvin}), u0=1.8, phi0=0.3)
    assert set(cold) - set(hot) == {
        "rth", "tauth", "temperature", "curie", "mexp", "kexp", "pexp", "rexp", "polarization", "bi",
        "wall", "nucleus",
    }  # fmt: skip
    drive = f"Vf x 0 0\nIf 0 f {current!r}"
    plain = ("mtj_axial.lib",) if files == AXIAL else ("mtj_llgs.lib", "mtj_vector.lib")
    found = simulate(files, cold, drive, 3e-9, step)
    expected = simulate(plain, hot, drive, 3e-9, step, saved=())
    late = found["time"] > 1e-12
    assert found["xj.kelvin"][late] == pytest.approx(kelvin, rel=1e-5)
    assert found["f"][late] == pytest.approx(
        np.interp(found["time"][late], expected["time"], expected["f"]), rel=1e-5
    )
    at_times = np.interp(found["time"], expected["time"], expected["mz"])
    assert found["mz"][-1] < 0.0
    # Both start one step, 1 ps, at another temperature: 1e-3 of the motion.
    assert np.abs(found["mz"] - at_times).max() < 2e-3


@pytest.mark.parametrize("state", [1.0, -1.0], ids=["P", "AP"])
def test_the_resistance_of_a_hot_state(state):
    # Analytic: R_P and R_AP at the voltage and temperature of the end, 20 thermal times after the start. The
    # voltage favours the state.
    study = study_with(EVERYTHING | {"thermal_time": 0.1e-9, "thermal_resistance_area": 5e-9})
    volt = 0.3 * state
    vectors = simulate(AXIAL, parameters(study, u0=6.0 * state, delta=1e9), f"Vf f 0 {volt!r}", 2e-9, 10e-12)
    kelvin, current = vectors["xj.kelvin"][-1], -vectors["vf#branch"][-1]
    junction = HotJunction(study).at(kelvin)
    assert kelvin - 300.0 == pytest.approx(junction.resistance * volt * current, rel=1e-5)
    assert kelvin > 325.0
    assert current == pytest.approx(junction.current(np.array([0.0, 0.0, state]), volt), rel=1e-5)


def test_heat_is_the_electrical_energy():
    # First law: what the source delivers leaves through R_th or is in the heat capacity tau/R_th.
    study = study_with(EVERYTHING)
    values = parameters(study, u0=1.8)
    vectors = simulate(AXIAL, values, "Vf f 0 pulse(0 -0.7 0.2n 0.1n 0.1n 2n 9n)", 4e-9, 2e-12)
    time, rise = vectors["time"], vectors["xj.kelvin"] - 300.0
    electrical = trapezoid(-vectors["vf#branch"] * vectors["f"], time)
    assert vectors["mz"][-1] < 0.0
    assert rise[-1] > 1.0
    # 1e-3: the trapezoidal rule at steps of 2 ps.
    assert values["tauth"] * rise[-1] + trapezoid(rise, time) == pytest.approx(
        values["rth"] * electrical, rel=1e-3
    )


def test_thermal_field_follows_the_temperature():
    # Brown: sigma^2 = 2 alpha kB T/(gamma Ms V dt). The same random numbers twice, at rest and heated;
    # without further fields along x the node fx is B_th.
    names = ("k", "xj.fx", "xj.ms", "xj.thx")
    shared = {
        "rp": 4e3, "tmr": 1.0, "alpha": 0.03, "bi": 1.6, "bs": 1.4, "nz": 1.0, "theta0": 0.01,
        "tnoise": 1e-12, "moment": 2e-18, "wall": 0.6, "tauth": 0.1e-9, "temperature": 300.0,
    }  # fmt: skip
    calm, hot = (
        simulate(
            VECTOR[:3], shared | {"rth": rth}, "Vf f 0 0.4", 0.5e-9, 1e-12, saved=names,
            instance="Xj f 0 mx my mz 0 0 0 k mtj_llgs_heated {}",
        )
        for rth in (0.0, 2e6)
    )  # fmt: skip
    kelvin, ms = hot["k"], 1.0 + hot["xj.ms"]
    assert kelvin[-1] > 370.0
    np.testing.assert_allclose(calm["k"], 300.0, rtol=1e-9)
    np.testing.assert_allclose(calm["xj.fx"], calm["xj.thx"], rtol=1e-6, atol=1e-9)
    # With a wall the fluctuating part is 0.6 at 300 K and goes with sqrt(A/K_eff), A ~ Ms^2, K_eff = bk Ms/2.
    part = np.sqrt(ms * 0.2 / (1.6 * ms**1.18 - 1.4 * ms))
    factor = np.sqrt(kelvin / (300.0 * ms * part))
    assert 1.02 < part[-1] < 1.0 / 0.6
    np.testing.assert_allclose(hot["xj.fx"], hot["xj.thx"] * factor, rtol=1e-6, atol=1e-9)
    expected = (1.0 - (kelvin[-1] / 1120.0) ** 1.5) / (1.0 - (300.0 / 1120.0) ** 1.5)
    assert ms[-1] == pytest.approx(expected, rel=1e-9)


def test_without_resistance_the_heated_models_are_the_others():
    # rth = 0: the same equations in other files; steps of 1 ps, so that both have the same ones.
    study = study_with(EVERYTHING)
    values = parameters(study, u0=1.8, rth=0.0)
    for heated, plain in ((AXIAL, ("mtj_axial.lib",)), (VECTOR, ("mtj_llgs.lib", "mtj_vector.lib"))):
        found = simulate(heated, values, PULSE, 2e-9, 1e-12)
        known = parameters(study_with(EVERYTHING | UNHEATED), u0=1.8)
        expected = simulate(plain, known, PULSE, 2e-9, 1e-12, saved=())
        assert np.ptp(found["mz"]) > 0.1
        for name in ("mz", "vf#branch"):
            at_times = np.interp(found["time"], expected["time"], expected[name])
            scale = np.abs(expected[name]).max()
            assert np.abs(found[name] - at_times).max() < 1e-5 * scale, (heated, name)
        assert found["xj.kelvin"] == pytest.approx(300.0, rel=1e-12)


def test_decks_without_resistance_are_as_they_were():
    # The models without a thermal node, and no further parameter: same waveforms, same speed.
    tables = DEMO.tables
    cells = cell_parameters(tables, Population(DEMO).nominal())
    assert "rth" not in cells
    for held in (True, False):
        deck = batch_deck(tables, cells if held else cells.assign(u0=2.5), held=held)
        assert library("cell_1t1mtj.lib").strip() in deck
        assert library("mtj_held.lib" if held else "mtj_axial.lib").strip() in deck
        assert not re.search(r"heated|kelvin|rth", deck)


def test_held_cells_have_the_temperature_of_their_parameters():
    heated, plain = (
        batch_deck(study.tables, cell_parameters(study.tables, Population(study).nominal()), held=True)
        for study in (study_with(), study_with(UNHEATED))
    )
    assert heated == plain


def test_the_cell_for_heated_junctions_is_the_other_cell():
    def code(name, *left_out):
        text = re.sub(r"(?m)^\*.*\n", "", library(name))
        return re.sub("|".join(map(re.escape, left_out)), "", text) if left_out else text

    declared = (
        "+ rth=0 tauth=1n temperature=300 curie=1120 mexp=1.5 kexp=2.18 pexp=1 rexp=0 polarization=0.62 "
        "bi=1.6 wall=1e9\n+ nucleus=1\n"
    )
    passed_on = (
        "+ rth={rth} tauth={tauth} temperature={temperature} curie={curie} mexp={mexp} kexp={kexp} "
        "pexp={pexp} rexp={rexp}\n+ polarization={polarization} bi={bi} wall={wall} nucleus={nucleus}\n"
    )
    assert code("cell_1t1mtj_heated.lib").count(declared) == 2
    two_barriers = (
        " rp2=1k tmr2=0 vhalf2=0.5 torque2=0 side2=-1",
        "+ rp2={rp2} tmr2={tmr2} vhalf2={vhalf2} torque2={torque2} side2={side2}\n",
    )
    assert code("cell_1t1mtj_heated.lib", declared, passed_on) == code("cell_1t1mtj.lib", *two_barriers)


@pytest.mark.parametrize("tilt", [0.0, 0.05], ids=["axial", "vector"])
def test_waveforms_of_a_cell_have_the_temperature(tilt):
    # The temperature balances the heat of the driver's current in R(m_z, V, T), by numpy, while the pulse is
    # at its level: that current then is the junction's.
    study = study_with({"reference_tilt": tilt})
    cells = cell_parameters(study.tables, Population(study).nominal()).assign(u0=1.8, phi0=0.3)
    pulses = study.pulses.at(0.9)._replace(duration_s=np.array([2e-9]))
    write = write_waveforms(study.tables, cells, "p_to_ap", pulses)
    assert write.temperature_K.shape == write.m_z.shape
    level = np.flatnonzero((write.time_s > 1e-9) & (write.time_s < 2e-9))
    level = level[:: max(1, len(level) // 300)]
    time, kelvin, current = (
        values[..., level] for values in (write.time_s, write.temperature_K[0], np.abs(write.current_A[0]))
    )
    junction = HotJunction(study)
    cosine = write.m_z[0] if tilt == 0.0 else write.m[0] @ junction.p
    heat = []
    for z, through, hot in zip(cosine[level], current, kelvin, strict=True):
        volt = through * cells["rp"].iloc[0]
        for _ in range(20):  # the voltage at this current: a contraction
            volt *= through / junction.at(hot).current(z * junction.p, volt)
        heat.append(volt * through)
    rise = cells["rth"].iloc[0] * np.array(heat) - (kelvin - 300.0)
    assert np.ptp(kelvin) > 5.0
    found = trapezoid(rise, time) / study.stack.thermal_time
    assert kelvin[-1] - kelvin[0] == pytest.approx(found, abs=2e-3 * (kelvin.max() - 300.0))


def test_bench_with_heat_switches_by_hand():
    measured, cold = by_hand("tb_cell_write_heated.cir"), by_hand("tb_cell_write.cir")
    assert measured["mz_after_first"] > 0.98
    assert measured["mz_after_second"] < -0.98
    assert 310.0 < measured["hottest"] < 400.0
    # Heat lowers the anisotropy by more than the polarization: both writes are faster.
    for name in ("t_ap_to_p", "t_p_to_ap"):
        assert measured[name] < cold[name]


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("stack.thermal_resistance_area", "-1e-9 K*m^2/W", "at least 0"),
        ("stack.thermal_resistance_area", "1e-9 K/W", "K.m"),
        ("stack.thermal_time", "-1 ns", "at least 0"),
    ],
)  # fmt: skip
def test_refused_values(tmp_path, key, value, allowed):
    data = changed(key, value)
    for name, usual in (("thermal_resistance_area", "1000 K*um^2/W"), ("thermal_time", "1 ns")):
        data["stack"].setdefault(name, usual)
    said = refusal(tmp_path, data)
    assert key in said
    assert re.search(allowed, said), said


def test_heat_needs_a_time(tmp_path):
    said = refusal(tmp_path, changed("stack.thermal_resistance_area", "1000 K*um^2/W"))
    assert "thermal_time" in said
    assert "above 0" in said
    data = changed("stack.thermal_resistance_area", "1000 K*um^2/W")
    data["stack"]["thermal_time"] = "1 ns"
    stack = load(tmp_path, data).stack
    assert stack.thermal_resistance_area == pytest.approx(1e-9)


@pytest.mark.parametrize("variables", [(), ("set ngbehavior=ltpsa",)], ids=["ngspice", "ltpsa"])
def test_vector_subcircuit_for_other_simulators(characterized_surface, tilted, tmp_path, variables):
    study, trajectory = tilted
    path = exported(characterized_surface, study, "spice-model", tmp_path / "j.lib")
    values = {"u0": math.atanh(math.cos(0.3)), "phi0": 0.4}
    vectors = simulate(
        [path.read_text()], values, PULSE, 3e-9, 0.5e-12, instance="Xj f 0 mz 0 0 0 j_vector PARAMS: {}",
        saved=("xj.kelvin", "xj.mx", "xj.my"), variables=variables,
    )  # fmt: skip
    of_m, of_temperature = compared(vectors, trajectory)
    assert of_m < 1e-3
    assert of_temperature < 1e-3


@pytest.mark.parametrize("variables", [(), ("set ngbehavior=ltpsa",)], ids=["ngspice", "ltpsa"])
@pytest.mark.parametrize("law", LAWS)
def test_axial_subcircuit_for_other_simulators(characterized_surface, tmp_path, law, variables):
    study = study_with(EVERYTHING | LAWS[law], {"temperature": 358.15})
    path = exported(characterized_surface, study, "spice-model", tmp_path / "j.lib")
    vectors = simulate(
        [path.read_text()], {"u0": 1.8}, PULSE, 3e-9, 2e-12, instance="Xj f 0 mz j_axial PARAMS: {}",
        variables=variables,
    )  # fmt: skip
    u, kelvin = HotJunction(study).along_the_axis(1.8, pulse, 3e-9)(vectors["time"])
    assert np.tanh(u[-1]) < 0.0
    assert np.abs(vectors["mz"] - np.tanh(u)).max() < 1e-3
    assert np.abs(vectors["xj.kelvin"] - kelvin).max() < 1e-3 * np.ptp(kelvin)


@needs_vacask
def test_module_warms_up_and_follows_the_trajectory(characterized_surface, tilted, tmp_path):
    study, trajectory = tilted
    exported(characterized_surface, study, "verilog-a-model", tmp_path / "junction.va")
    errors = []
    for step in (0.5e-12, 0.25e-12):
        vectors = vacask(
            tmp_path,
            [
                f"model junction junction step={step!r}",
                'v1 (f 0) vsource type="pulse" val0=0 val1=-0.7 delay=0.2n rise=0.1n fall=0.1n width=1',
                "x1 (f 0 mz) junction theta0=0.3 phi0=0.4",
            ],
            [
                f'  options temp={study.cell.temperature - 273.15!r} tran_method="trap"',
                "  options tran_lteratio=1000 reltol=1e-9 vntol=1e-12 abstol=1e-18 nr_convtol=1e-3",
                "  analysis t tran stop=3n step=1p",
            ],
        )["t"]  # fmt: skip
        vectors["kelvin"] = vectors["x1:rise"] + study.cell.temperature
        errors.append(compared(vectors, trajectory, ("x1:sx", "x1:sy", "x1:sz", "kelvin")))
    # As without heat (test_compact_model.py): the trapezoidal rule, and where VACASK ends its iterations.
    (of_m, of_temperature), finer = errors
    assert of_m < 1e-2
    assert of_temperature < 1e-3
    assert finer[0] < 0.6 * of_m


@needs_vacask
@pytest.mark.parametrize("name", ["coherent", *WIDE])
def test_module_at_rest_in_an_operating_point(characterized_surface, tmp_path, name):
    # Stationary: rise = R_th V I with the resistance at that temperature, and Brown's density of the noise
    # there. m stays at the thermal angle of the ambient temperature.
    stack, wide = WIDE.get(name, ({}, {}))
    study = study_with(EVERYTHING | stack, (), wide)
    exported(characterized_surface, study, "verilog-a-model", tmp_path / "junction.va")
    vectors = vacask(
        tmp_path,
        ["model junction junction", "v1 (f 0) vsource dc=0.5", "x1 (f 0 mz) junction"],
        [
            "  options temp=26.85 reltol=1e-9", "  analysis point op",
            '  analysis noise noise out="x1:hx" in="v1" from=1k to=1T mode="dec" points=1',
        ],
    )  # fmt: skip
    point = {name: values[0] for name, values in vectors["point"].items()}
    m = np.array([point[f"x1:s{axis}"] for axis in "xyz"])
    kelvin = 300.0 + point["x1:rise"]
    junction = HotJunction(study).at(kelvin)
    current = -point["v1:flow(br)"]
    assert kelvin > 330.0
    assert current == pytest.approx(junction.current(m, 0.5), rel=1e-6)
    assert kelvin - 300.0 == pytest.approx(junction.resistance * 0.5 * current, rel=1e-6)
    fluctuating = junction.ms * junction.volume * junction.part
    density = 4.0 * junction.alpha * constants.k * kelvin / (GAMMA * fluctuating)
    np.testing.assert_allclose(vectors["noise"]["onoise"], density, rtol=1e-6)


@pytest.mark.parametrize("format_", ["spice-model", "verilog-a-model"])
def test_films_with_tables_have_no_thermal_node(characterized_surface, tmp_path, format_):
    # The netlists have the exponents of a stack; load lines of the same cell are held at one temperature.
    table = {"temperature": (250.0, 300.0, 400.0), "value": (1.3e6, 1.2575e6, 1.1e6)}
    study = study_with({"magnetization_over_temperature": table})
    cells = cell_parameters(study.tables, Population(study).nominal())
    assert "heated" not in batch_deck(study.tables, cells, held=True)
    with pytest.raises(InputError, match=r"stack\.magnetization_over_temperature"):
        batch_deck(study.tables, cells.assign(u0=2.0), held=False)
    with pytest.raises(InputError, match=r"stack\.magnetization_over_temperature"):
        exported(characterized_surface, study, format_, tmp_path / "j")


def test_two_barriers_have_no_thermal_node():
    second = {"resistance_area_product": 1e-12, "spin_polarization": 0.5, "reference": "antiparallel"}
    with pytest.raises(InputError, match=r"thermal_resistance_area.*0 with a second_barrier"):
        DEMO.with_(stack={**HEAT, "second_barrier": second})
