"""Junctions with two barriers: limits, netlists against numpy, averages over noise, what is refused.

Seeds are fixed; all comparisons of the statistical test together would fail for a right program and another
seed with a probability of 1e-9.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from circuit_ensemble import simulate
from common import DEMO
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from test_netlists import junction
from test_write_energy import DIRECTIONS, samples, study

from mtjchar.cells.base import Counting
from mtjchar.cells.stt import axial
from mtjchar.cells.stt.barriers import acting_on, barriers, barriers_of_cells, first_barrier
from mtjchar.cells.stt.compact import pspice, verilog_a
from mtjchar.cells.stt.langevin import count_failures
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import batch_deck, cell_parameters
from mtjchar.cells.stt.portrait import portraits
from mtjchar.errors import InputError
from mtjchar.physics.double_barrier import Barrier, DoubleBarrier
from mtjchar.spice.ngspice import simulator
from mtjchar.stackfit import Film
from mtjchar.study import load_study
from mtjchar.sweep.population import Population

ALARM = 1e-9
GAMMA = 1.760859e11  # rad/(s T)
TIMES = (1.5e-9, 2e-9, 5e-9)
LAWS = ("voltage", "current")


def second(reference="antiparallel", **keys):
    return {"reference": reference, "resistance_area_product": 1e-12, "spin_polarization": 0.65, **keys}


def double(law="voltage", amplitude=0.7, own=None, **stack):
    return study(
        TIMES, amplitude, stack={"torque": law, **stack, "second_barrier": second() if own is None else own}
    )


def nominal(asked):
    return Population(asked).nominal().iloc[0]


def rates(asked, direction):
    return samples(asked, direction)["write_error_rate"].to_numpy()


# ---- physics ----


@given(
    voltage=st.floats(-2.0, 2.0), m_z=st.floats(-1.0, 1.0), side=st.sampled_from([1.0, -1.0]),
    resistance=st.floats(1e-3, 1e3), tmr=st.floats(0.0, 20.0), tmr2=st.floats(0.0, 20.0),
    half=st.floats(0.05, 10.0), half2=st.floats(0.05, 10.0),
)  # fmt: skip
def test_the_same_current_flows_through_both_barriers(voltage, m_z, side, resistance, tmr, tmr2, half, half2):
    first, other = (
        Barrier(*map(np.array, numbers)) for numbers in ((4e3, tmr, half), (4e3 * resistance, tmr2, half2))
    )
    both, volt, z = DoubleBarrier(first, other, np.array(side), np.ones(())), np.array(voltage), np.array(m_z)
    one = both.first_voltage(volt, z)
    through = first.current(one, z)
    # Kirchhoff's laws; the current is within 1e-12 of that of the whole voltage at the smaller resistance.
    scale = abs(voltage) / 4e3 / min(1.0, resistance)
    assert abs(other.current(volt - one, side * z) - through) <= 1e-12 * scale
    assert abs(one) <= abs(voltage)
    # The inverse and the derivative of a barrier's current.
    assert first.voltage(through, z) == pytest.approx(one, rel=1e-9, abs=1e-15)
    step = 1e-5 * half
    change = first.current(one + step, z) - first.current(one - step, z)
    assert change / (2 * step) == pytest.approx(first.slope(one, z), rel=1e-5)


def test_critical_currents_of_a_symmetric_junction_are_equal_and_small():
    # Analytic, at zero bias with Julliere's TMR = 2 P^2/(1 - P^2): with antiparallel reference layers one of
    # the barriers always has antiparallel layers, so that eta (1 + 1 + TMR) I = const, or
    # Ic0 = (1 - P^4)/(2 P) 4 alpha e kB T Delta/hbar. One barrier has (1 + P^2)/P: 2/(1 - P^2) times more.
    for polarization in (0.3, 0.65, 0.9):
        tmr = 2 * polarization**2 / (1 - polarization**2)
        one = Barrier(np.array([4e3]), np.array([tmr]), np.array([1e4]))
        both = DoubleBarrier(one, one, np.array(-1.0), np.ones(1))
        found = both.critical_currents(np.array([40e-6]), "voltage", np.ones(1))
        expected = 40e-6 * (1 - polarization**2) / 2
        np.testing.assert_allclose(found, [[expected]] * 2, rtol=1e-6)
        assert both.resistance(np.array(1.0)) == pytest.approx(both.resistance(np.array(-1.0)), rel=1e-12)
    # Published: D. C. Worledge, doi:10.1109/LMAG.2017.2707331, abstract: ten times smaller at large P.
    assert 9.5 < 40e-6 / expected < 11.0


@pytest.mark.parametrize("law", LAWS)
def test_critical_currents_without_tmr_are_those_of_the_sum_of_the_torques(law):
    # Analytic: every barrier has eta I; parallel reference layers oppose each other.
    one = Barrier(np.array([4e3]), np.array([0.0]), np.array([0.5]))
    for side, expected in ((-1.0, 40e-6 / 1.4), (1.0, 40e-6 / 0.6)):
        both = DoubleBarrier(one, one._replace(parallel=np.array([900.0])), np.array(side), np.array([0.4]))
        found = both.critical_currents(np.array([40e-6]), law, np.ones(1))
        np.testing.assert_allclose(found, [[expected]] * 2, rtol=1e-9)
    cancelled = DoubleBarrier(one, one, np.array(1.0), np.ones(1))
    assert np.isinf(cancelled.critical_currents(np.array([40e-6]), law, np.ones(1))).all()


# ---- the cell ----


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_barrier_without_torque_and_resistance_is_none(law, direction):
    nothing = second(resistance_area_product=1e-16, spin_polarization=0.0)
    with_it, without = double(law, own=nothing), study(TIMES, 0.7, stack={"torque": law})
    # Its 0.1 ohm is 1e-5 of the loop; d ln(BER)/d ln(V) is about 10.
    np.testing.assert_allclose(rates(with_it, direction), rates(without, direction), rtol=5e-4)
    devices = [nominal(asked) for asked in (with_it, without)]
    columns = ["critical_current_A", "critical_current_ap_to_p_A", "parallel_resistance_ohm", "barrier_p"]
    np.testing.assert_allclose(devices[0][columns].tolist(), devices[1][columns].tolist(), rtol=3e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("reference", "total"), [("antiparallel", 0.65), ("parallel", 0.35)])
def test_per_current_a_barrier_without_tmr_is_a_series_resistance_and_polarization(
    direction, reference, total
):
    # Analytic: the same current has both torques, P_1 +- P_2, and the barrier is a resistance in the loop.
    own = second(reference, spin_polarization=0.15, resistance_area_product=1e-12)
    asked = double("current", spin_polarization=0.5, own=own)
    area = 0.25 * np.pi * asked.junction.diameter**2
    transistor = {"model": "ideal", "on_resistance": 1000.0 + 1e-12 / area}
    one = study(TIMES, 0.7, stack={"spin_polarization": total}).with_(cell={"transistor": transistor})
    expected = samples(one, direction)
    got = samples(asked, direction)
    # The edges charge the lines through the other end of the resistance: 0.3 % of the energy.
    np.testing.assert_allclose(got["write_error_rate"], expected["write_error_rate"], rtol=2e-3)
    np.testing.assert_allclose(got["energy_J"], expected["energy_J"], rtol=3e-3)


@pytest.mark.parametrize("law", LAWS)
def test_equal_barriers_with_antiparallel_references_have_equal_directions(law):
    # By symmetry: turning the junction over exchanges the directions.
    own = second(resistance_area_product=5e-12, tmr=1.5)
    asked = double(law, own=own)
    device = nominal(asked)
    assert device["critical_current_A"] == pytest.approx(device["critical_current_ap_to_p_A"], rel=1e-9)
    assert device["parallel_resistance_ohm"] == pytest.approx(device["antiparallel_resistance_ohm"])
    found = [rates(asked, direction) for direction in DIRECTIONS]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    (warning,) = asked.kind.foresee(asked.tables, Population(asked).nominal(), 0.7).warnings
    assert "no higher resistance in AP" in warning


def test_half_the_current_switches_with_twice_the_torque():
    # Analytic, without TMR: the same current has twice the torque of one barrier.
    device, one = (
        nominal(asked)
        for asked in (
            double(own=second(resistance_area_product=5e-12), tmr=1e-6),
            study(TIMES, 0.7, stack={"torque": "voltage", "tmr": 1e-6}),
        )
    )
    columns = ["critical_current_A", "critical_current_ap_to_p_A"]
    np.testing.assert_allclose(device[columns].tolist(), 0.5 * one[columns].to_numpy(float), rtol=1e-5)
    assert device["parallel_resistance_ohm"] == pytest.approx(2.0 * one["parallel_resistance_ohm"], rel=1e-5)


def test_the_junction_of_both_barriers_has_a_smaller_tmr():
    device = nominal(double())
    # By hand: RA of 5 and 1 ohm um^2, TMR 1.5 of the first one alone: 1.5 * 5/6.
    tmr = device["antiparallel_resistance_ohm"] / device["parallel_resistance_ohm"] - 1.0
    assert tmr == pytest.approx(1.5 * 5 / 6, rel=1e-12)


def test_the_second_barrier_follows_the_temperature_laws():
    laws = {"polarization_exponent": 1.2, "resistance_exponent": -0.3}
    hot = double(own=second(tmr=0.4), **laws).with_(cell={"temperature": 380.0})
    device = Population(hot).nominal()
    both = barriers(hot.tables, device)
    # By hand: m = [1 - (T/Tc)^1.5]/[1 - (300/Tc)^1.5] with Tc = 1100 K; Julliere's TMR with both P.
    m = (1 - (380 / 1100) ** 1.5) / (1 - (300 / 1100) ** 1.5)
    square = 0.4 / 2.4 * m**2.4
    assert both.second.tmr[0] == pytest.approx(2 * square / (1 - square), rel=1e-12)
    area = 0.25 * np.pi * 35e-9**2
    assert both.second.parallel[0] == pytest.approx(1e-12 / area * (380 / 300) ** -0.3, rel=1e-12)
    assert both.ratio[0] == pytest.approx(1.0, rel=1e-12)


# ---- netlists ----

PARAMETERS = {
    "rp": 4000.0, "tmr": 1.5, "vhalf": 0.4, "alpha": 0.02, "bk": 0.25, "torque": 140.0, "delta": 50.0,
    "rp2": 1500.0, "tmr2": 0.6, "vhalf2": 0.7, "torque2": 90.0, "side2": -1.0,
}  # fmt: skip


def both_of(parameters):
    """Return both barriers of a netlist."""
    values = {key: np.array(value) for key, value in parameters.items()}
    return DoubleBarrier(
        Barrier(values["rp"], values["tmr"], values["vhalf"]),
        Barrier(values["rp2"], values["tmr2"], values["vhalf2"]),
        values["side2"],
        values["torque2"] / values["torque"],
    )


@pytest.mark.parametrize("volt", [-0.8, 0.1, 1.0])
@pytest.mark.parametrize("m_z", [-1.0, -0.3, 1.0])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_current_of_the_held_netlist(side, m_z, volt):
    parameters = {**PARAMETERS, "side2": side}
    deck = junction("mtj_held_double.lib", f"Vm mz 0 {m_z}", f"Vj free 0 {volt}", parameters)
    with simulator().circuit(deck):
        found = -simulator().analyse(f"dc vj {volt} {volt} 1", "v-sweep", volt)["vj#branch"][-1]
    assert found == pytest.approx(by_hand(parameters, volt, m_z)[2], rel=1e-6)


def by_hand(parameters, volt, m_z):
    """Voltages of both barriers and the current, A, by a root search of its own."""
    p = SimpleNamespace(**parameters)

    def through(volt, parallel, tmr, half, cosine):
        bias = tmr / (1 + (volt / half) ** 2)
        return volt / parallel * (2 + bias + bias * cosine) / (2 * (1 + bias))

    def excess(one):
        return through(one, p.rp, p.tmr, p.vhalf, m_z) - through(
            volt - one, p.rp2, p.tmr2, p.vhalf2, p.side2 * m_z
        )

    one = brentq(excess, min(volt, 0.0), max(volt, 0.0), xtol=1e-15) if volt else 0.0
    return one, volt - one, through(one, p.rp, p.tmr, p.vhalf, m_z)


@pytest.mark.parametrize("changed", [{"pervolt": 1.0}, {"pervolt": 0.0, "lambda": 1.3}], ids=LAWS)
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_switching_time_of_the_axial_netlist(sign, side, changed):
    # Another program: scipy's integrator, on the equation of the header with the voltages by the root search.
    parameters = {**PARAMETERS, "vcma": 0.03, "bz": 0.01, "side2": side, "u0": -2.3 * sign, **changed}
    if side > 0.0:
        parameters["torque2"] = 20.0
    p, volt, lambda_ = SimpleNamespace(**parameters), 0.9 * sign, parameters.get("lambda", 1.0)

    def slope(_, u):
        m_z = float(np.tanh(u[0]))
        one, other, current = by_hand(parameters, volt, m_z)
        if p.pervolt:
            a_j = p.torque * one / p.rp - side * p.torque2 * other / p.rp2
        else:
            bent = 2 * lambda_**2 / ((lambda_**2 + 1) + (lambda_**2 - 1) * m_z)
            a_j = (p.torque * bent - side * p.torque2) * current
        field = (p.bk + p.vcma * one) * m_z + p.bz - p.bk * np.sinh(2 * u[0]) / (4 * p.delta)
        return [GAMMA / (1 + p.alpha**2) * (p.alpha * field + a_j)]

    def crossing(_, u):
        return u[0]

    crossing.terminal = True
    event = solve_ivp(slope, (0, 60e-9), [p.u0], rtol=1e-8, atol=1e-9, events=crossing).t_events[0]
    deck = junction("mtj_axial_double.lib", "", f"Vj free 0 {volt!r}", parameters)
    with simulator().circuit(deck):
        vectors = simulator().analyse("tran 2p 30n 0 2p uic", "time", 30e-9)
    found = float(np.interp(0.0, sign * vectors["mz"], vectors["time"]))
    assert found == pytest.approx(event[0], rel=1e-3)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_load_lines_and_torques_are_those_of_the_circuit(law, direction):
    asked = double(law, own=second(tmr=0.5, tmr_half_bias=0.8))
    device, pulses = Population(asked).nominal(), asked.pulses.at(np.array([0.7]))
    cells = cell_parameters(asked, device)
    lines = load_lines(asked, cells, direction, pulses)
    parameters, sign = cells.iloc[0].to_dict(), 1.0 if direction == "ap_to_p" else -1.0
    acting = acting_on(asked, device, lines.m_z, lines.current_A, lines.junction_voltage_V)
    for k, m_z in enumerate(lines.m_z):
        # 1000 ohm of the transistor and 400 ohm of the lines are in series.
        volt = brentq(lambda v, z=m_z: v + 1400.0 * by_hand(parameters, v, z)[2] - 0.7, 0.0, 0.7)
        one, other, current = by_hand(parameters, volt, m_z)
        assert lines.junction_voltage_V[0, 0, k] == pytest.approx(sign * volt, rel=1e-5)
        assert acting.voltage_V[0, 0, k] == pytest.approx(sign * one, rel=1e-5)
        ratio = parameters["torque2"] / parameters["torque"]
        sum_ = one / parameters["rp"] + ratio * other / parameters["rp2"]
        expected = sum_ * parameters["rp"] if law == "voltage" else (1.0 + ratio) * current
        assert acting.drive[0, 0, k] == pytest.approx(expected, rel=1e-5)
    # By hand: hbar eta/(2 e Ms V) of the netlist, and 4 alpha e kB T Delta/(hbar eta): a_J = alpha Bk at Ic0.
    own = first_barrier(asked, device)
    critical = float(parameters["alpha"] * parameters["bk"] / parameters["torque"])
    assert own.critical_current[0] == pytest.approx(critical, rel=1e-9)
    np.testing.assert_allclose(barriers_of_cells(cells).second.parallel, parameters["rp2"])


@pytest.mark.parametrize("law", LAWS)
def test_overdrive_is_bounded_by_that_of_the_junction_alone(law):
    line = {"resistance": 1.0, "capacitance": 1e-15}
    own = second(resistance_area_product=4e-12, tmr=1.2)
    ideal = {"transistor": {"model": "ideal", "on_resistance": 1.0}, "bitline": line, "sourceline": line}
    asked = double(law, own=own).with_(cell=ideal)
    device = Population(asked).nominal()
    for direction, bound in asked.kind.foresee(asked.tables, device, 0.7).largest_overdrive.items():
        lines = load_lines(asked, cell_parameters(asked, device), direction, asked.pulses.at(0.7))
        assert 0.97 * bound < axial.largest_overdrive(asked.tables, device, lines) < bound * (1 + 1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_torque_turns_the_whole_layer_where_a_part_fluctuates(law):
    # The torque field over the damping field, which no path of reversal changes.
    wide = double(law, exchange_stiffness=4e-12)
    device = nominal(wide)
    assert device["thermal_stability"] < 0.9 * device["coherent_stability"]
    columns = ["critical_current_A", "critical_current_ap_to_p_A"]
    np.testing.assert_allclose(device[columns].tolist(), nominal(double(law))[columns].tolist(), rtol=1e-12)
    own, cell = (
        first_barrier(wide, Population(wide).nominal()),
        cell_parameters(wide, Population(wide).nominal()).iloc[0],
    )
    assert own.critical_current[0] == pytest.approx(cell["alpha"] * cell["bk"] / cell["torque"], rel=1e-9)


def test_critical_current_is_where_the_overdrive_is_one():
    asked = double(own=second(tmr=0.5))
    device = Population(asked).nominal()
    both, own = barriers(asked, device), first_barrier(asked, device)
    for m_z, column in ((1.0, "critical_current_A"), (-1.0, "critical_current_ap_to_p_A")):
        current, z = device[column].to_numpy(), np.array(m_z)
        volts = both.first.voltage(current, z), both.second.voltage(current, -z)
        overdrive = both.torque_voltage(*volts) / (own.parallel * own.critical_current)
        np.testing.assert_allclose(overdrive, 1.0, rtol=1e-9)


# ---- averages over noise ----


@pytest.mark.slow
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_writes_are_those_of_trajectories_in_the_circuit(direction):
    # Another method: trajectories with the nodes of the circuit and both voltages. 3 and 3.5 standard errors.
    asked = double(amplitude=0.55, own=second(spin_polarization=0.5, tmr=0.6, tmr_half_bias=0.4))
    got, device = samples(asked, direction).iloc[1], nominal(asked)
    ensemble = simulate(asked, device, direction, 0.55, TIMES[1], walkers=4000, seed=5)
    failed = ensemble.failed.mean()
    assert 0.01 < failed < 0.95
    assert abs(got["write_error_rate"] - failed) < 0.02 * failed + 3.5 * np.sqrt(failed * (1 - failed) / 4000)
    error, mean = ensemble.energy.std() / np.sqrt(4000), ensemble.energy.mean()
    assert abs(got["energy_J"] - mean) < 0.003 * mean + 3.0 * error


def tilted(asked):
    """Return a study whose symmetry a reference layer breaks by 1e-6 rad; unchecked, for its refined grid."""
    return asked.model_copy(update={"stack": asked.stack.model_copy(update={"reference_tilt": 1e-6})})


CASES = [
    ("voltage", {"own": second(tmr=0.4)}, (1.2e-9, 1.8e-9)),
    (
        "current",
        {"own": second("parallel", spin_polarization=0.2), "slonczewski_lambda": 1.3},
        (1.8e-9, 3e-9),
    ),
]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("law", "changes", "times"), CASES, ids=LAWS)
def test_counted_writes_are_computed_ones(direction, law, changes, times):
    # Another method: Langevin ensembles of three-dimensional macrospins, within binomial limits.
    trials = 2000
    asked = tilted(double(law, amplitude=0.6, **changes).with_(sweep={"trials": trials}))
    device, durations = Population(asked).nominal(), np.array(times)
    pulses = asked.pulses.at(np.array([0.6]), durations)
    lines = load_lines(asked, cell_parameters(asked, device), direction, pulses)
    computed = axial.average_over_noise(asked, device, direction, lines, pulses)
    counted = count_failures(asked, device, direction, lines, pulses, Counting(trials, 1))
    alarm = ALARM / (len(CASES) * 2 * len(durations))
    low, high = stats.binom.ppf([[alarm / 2], [1 - alarm / 2]], trials, computed.error_rate[0, 0])
    failures = counted.error_rate[0, 0] * trials
    assert np.all((failures >= low) & (failures <= high))
    assert np.any((computed.error_rate > 0.005) & (computed.error_rate < 0.9))
    np.testing.assert_allclose(counted.energy_J, computed.energy_J, rtol=0.015)


# ---- files, exports, refusals ----


def test_a_study_with_a_second_barrier_is_read_and_written(tmp_path):
    own = second(resistance_area_product="1 ohm*um^2", tmr_half_bias="0.6 V")
    asked = DEMO.with_(stack={"second_barrier": own})
    assert asked.stack.second_barrier.resistance_area_product == pytest.approx(1e-12)
    file = tmp_path / "study.toml"
    file.write_text(asked.to_toml(), encoding="utf-8")
    assert load_study(file) == asked
    # A study without it is written as before, so that parts of runs keep their names.
    assert "second_barrier" not in DEMO.model_dump(mode="json")["stack"]


@pytest.mark.parametrize(
    ("stack", "says"),
    [
        (
            {"second_barrier": second("parallel", spin_polarization=0.7)},
            r"smaller torque than that of the first",
        ),
        (
            {"second_barrier": second(), "field_like_torque": 0.1},
            r"field_like_torque.*0 with a second_barrier",
        ),
        ({"second_barrier": second("sideways")}, r"second_barrier\.reference"),
        ({"second_barrier": second(tmr=-0.1)}, r"second_barrier\.tmr"),
        (
            {"second_barrier": second(), "thermal_resistance_area": 1e-10, "thermal_time": 1e-9},
            r"thermal_resistance_area.*0 with a second_barrier",
        ),
    ],
)
def test_what_is_no_second_barrier_is_refused(stack, says):
    with pytest.raises(InputError, match=says):
        DEMO.with_(stack=stack)


def test_what_has_one_barrier_refuses_two():
    asked = DEMO.with_(stack={"second_barrier": second()})
    device = Population(asked).nominal()
    for write in (verilog_a, pspice):
        with pytest.raises(InputError, match=r"second_barrier.*one barrier"):
            write(asked.tables, device, "mtj")
    with pytest.raises(InputError, match=r"second_barrier.tmr of the stack.*constant resistance"):
        Film(DEMO.with_(stack={"second_barrier": second(tmr=0.5)}).stack, 40e-9)
    elliptic = asked.with_(junction={"aspect_ratio": 1.2})
    cells = cell_parameters(elliptic, Population(elliptic).nominal())
    assert "Bg2 free layer" in batch_deck(elliptic, cells, held=True)
    with pytest.raises(InputError, match=r"second_barrier.*none in waveforms without axial symmetry"):
        batch_deck(elliptic, cells.assign(u0=2.0), held=False)


def test_figures_of_a_report_have_both_barriers():
    asked = double()
    device = Population(asked).nominal()
    pulses = {direction: asked.pulses.at(np.array([0.7]), np.array([5e-9])) for direction in DIRECTIONS}
    *_, resistance = portraits(asked.tables, device, pulses, dict.fromkeys(DIRECTIONS, "write"))
    at_rest = [curve.y[len(curve.y) // 2] for curve in resistance.curves]
    columns = ["parallel_resistance_ohm", "antiparallel_resistance_ohm"]
    np.testing.assert_allclose(1e3 * np.array(at_rest), device.iloc[0][columns].tolist(), rtol=1e-6)


def test_first_barrier_of_one_is_the_junction():
    device = Population(DEMO).nominal()
    own = first_barrier(DEMO.tables, device)
    assert own.parallel[0] == device["parallel_resistance_ohm"].iloc[0]
    assert own.critical_current[0] == device["critical_current_A"].iloc[0]
    assert barriers(DEMO.tables, device) is None
    assert "rp2" not in cell_parameters(DEMO, device)
