"""The torque per voltage: through netlists, averages over noise, ensembles, fits, and the words about it."""

import warnings

import numpy as np
import pytest
from circuit_ensemble import simulate
from common import DEMO, with_values
from hypothesis import given
from hypothesis import strategies as st
from stackfit_cases import FILM
from test_write_energy import DIRECTIONS, SLOW, samples, study

from mtjchar.cells.base import Counting
from mtjchar.cells.stt import axial
from mtjchar.cells.stt.langevin import count_failures
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.errors import InputError
from mtjchar.physics import torque, tunneling
from mtjchar.stackfit import Film, FitWarning, fit_stack, fitted_stack, pulses_at, simulate_counts, table_of
from mtjchar.stackfit.problem import nominal_values
from mtjchar.study import Study
from mtjchar.sweep.population import Population

PER_VOLTAGE = {"torque": "voltage"}
NO_BIAS = {"tmr_half_bias": 9.9, "tmr": 1.5}
"""The TMR falls to 1.495 at 0.58 V, about what the junction has of 0.7 V."""


@given(polarization=st.floats(0.05, 0.95), m_z=st.floats(-1.0, 1.0))
def test_both_laws_are_one_at_zero_bias(polarization, m_z):
    # Analytic, J. C. Slonczewski, Phys. Rev. B 71, 024411 (2005): Lambda^2 = 1 + TMR, eta = P/(1 + P^2), with
    # Julliere's TMR = 2 P^2/(1 - P^2). The torque of a unit voltage and R_P:
    p, z = np.array(polarization), np.array(m_z)
    tmr = 2 * p**2 / (1 - p**2)
    current = tunneling.conductance(z, np.ones(()), tmr)
    eta = torque.symmetric_efficiency(p, "voltage")
    assert torque.spin_torque_efficiency(eta, np.sqrt(1 + tmr), z) * current == pytest.approx(
        0.5 * eta, rel=1e-9
    )


@given(st.floats(0.001, 0.999))
def test_polarization_and_efficiency_are_inverse(polarization):
    for law in ("voltage", "current"):
        eta = torque.symmetric_efficiency(np.array(polarization), law)
        assert torque.polarization_of(eta, law) == pytest.approx(polarization, rel=1e-7)


def test_more_efficiency_than_full_polarization_has_is_above_1():
    # Analytic: P/(1 + P^2) is 1/2 at most. A search goes through such values, so they are no NaN, and there
    # and back is the identity.
    eta = np.array([0.5, 0.51, 0.9])
    found = torque.polarization_of(eta, "voltage")
    assert np.all(found[1:] > 1.0)
    assert torque.symmetric_efficiency(found, "voltage") == pytest.approx(eta, rel=1e-12)


@given(
    current=st.floats(0.0, 1e-3),
    m_z=st.floats(-1.0, 1.0),
    tmr=st.floats(0.0, 20.0),
    half_bias=st.floats(0.05, 10.0),
)
def test_voltage_at_a_current_carries_it(current, m_z, tmr, half_bias):
    one = [np.asarray(x) for x in (current, m_z, 4e3, tmr, half_bias)]
    volt = tunneling.voltage_at_current(*one)
    bias = tunneling.tmr_at_bias(one[3], volt, one[4])
    assert volt * tunneling.conductance(one[1], one[2], bias) == pytest.approx(current, rel=1e-9, abs=1e-18)


@pytest.mark.parametrize(("direction", "expected"), [("p_to_ap", 19.0e-9), ("ap_to_p", 10.2e-9)])
def test_demo_with_constant_torkance(direction, expected):
    # Another program, an independent review: the demo's nominal device at 0.8 V reaches 1e-9 after 19.0 and
    # 10.2 ns, with Sato and Ishii's factors. Three figures are given.
    stack = {"torque": "voltage", "demagnetization": "sato-ishii", "interfacial_anisotropy": 1.3e-3}
    asked = DEMO.with_(stack=stack)
    device, amplitudes, durations = (
        Population(asked).nominal(),
        np.array([0.8]),
        np.linspace(8e-9, 24e-9, 161),
    )
    lines = load_lines(asked, cell_parameters(asked, device), direction, asked.pulses.at(amplitudes))
    found = axial.average_over_noise(asked, device, direction, lines, asked.pulses.at(amplitudes, durations))
    assert np.interp(9.0, -np.log10(found.error_rate[0, 0]), durations) == pytest.approx(expected, abs=6e-11)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_writes_are_those_of_the_other_law_at_zero_bias(direction):
    # Analytic, as above; the voltage moves the TMR by some 0.1 % while the magnetization turns.
    polarization = 0.65 / (1 + 0.65**2)
    per_current = {
        "torque": "current",
        "slonczewski_lambda": np.sqrt(2.495),
        "spin_polarization": polarization,
    }
    first, second = (
        samples(study((1.5e-9, 5e-9), 0.7, stack={**NO_BIAS, **stack}), direction)
        for stack in (PER_VOLTAGE, per_current)
    )
    rates = first["write_error_rate"].to_numpy(), second["write_error_rate"].to_numpy()
    np.testing.assert_allclose(np.log(rates[0]), np.log(rates[1]), rtol=5e-3)
    assert rates[0].min() < 0.1
    np.testing.assert_allclose(first["energy_J"], second["energy_J"], rtol=2e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("line", "edge"), [({"resistance": 200.0, "capacitance": 20e-15}, 1e-10), (SLOW, 2e-10)]
)
def test_writes_are_those_of_trajectories_in_the_circuit(direction, line, edge):
    # Another method, with a bias dependence of the TMR: Langevin trajectories, the nodes integrated along.
    # Three and 3.5 standard errors.
    asked = study((2e-9, 4e-9), 0.8, line=line, rise=edge, fall=edge, stack=PER_VOLTAGE)
    got, device = samples(asked, direction).iloc[0], Population(asked).nominal().iloc[0]
    ensemble = simulate(asked, device, direction, 0.8, 2e-9, walkers=4000, seed=3)
    failed = ensemble.failed.mean()
    assert abs(got["write_error_rate"] - failed) < 0.02 * failed + 3.5 * np.sqrt(failed * (1 - failed) / 4000)
    error, mean = ensemble.energy.std() / np.sqrt(4000), ensemble.energy.mean()
    assert abs(got["energy_J"] - mean) < 0.003 * mean + 3.0 * error


def tilted(asked):
    """Return a study whose symmetry a reference layer breaks by 1e-6 rad.

    Unchecked: `with_` refuses a refined grid where errors are counted; here its points are given.
    """
    return asked.model_copy(update={"stack": asked.stack.model_copy(update={"reference_tilt": 1e-6})})


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_counted_writes_are_computed_ones(direction):
    # A tilt of 1e-6 rad breaks the symmetry and changes nothing; the field-like torque acts along the axis.
    # 4000 writes: 5 standard errors, a false alarm in 1.5 million.
    asked = study((1.5e-9, 5e-9), 0.8, stack={**PER_VOLTAGE, "field_like_torque": 1.5})
    asked = tilted(asked.with_(sweep={"trials": 4000}))
    device, amplitudes, durations = Population(asked).nominal(), np.array([0.8]), np.array([1.8e-9, 2.5e-9])
    lines = load_lines(asked, cell_parameters(asked, device), direction, asked.pulses.at(amplitudes))
    pulses = asked.pulses.at(amplitudes, durations)
    counting = Counting(asked.sweep.trials, asked.sweep.seed)
    computed = axial.average_over_noise(asked, device, direction, lines, pulses)
    counted = count_failures(asked, device, direction, lines, pulses, counting)
    rate = computed.error_rate
    assert np.all(np.abs(counted.error_rate - rate) < 5 * np.sqrt(rate * (1 - rate) / 4000))
    assert np.all((rate > 0.002) & (rate < 0.9))
    np.testing.assert_allclose(counted.energy_J, computed.energy_J, rtol=0.01)


def crossing(asked, device, direction):
    """Time at which m_z passes 0 in a write of 0.8 V without noise, s."""
    cells = cell_parameters(asked, device).assign(u0=2.0 if direction == "p_to_ap" else -2.0, delta=1e9)
    write = write_waveforms(asked, cells, direction, asked.pulses.at(0.8, 8e-9))
    return float(np.interp(0.0, -np.sign(cells["u0"].iloc[0]) * write.m_z[0], write.time_s))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_switching_time_of_both_netlists(direction):
    own = {**PER_VOLTAGE, "field_like_torque": 1.5, "vcma_coefficient": 2e-14}
    flat = study((1.5e-9, 5e-9), 0.8, stack=own)
    device = Population(flat).nominal()
    times = [crossing(asked, device, direction) for asked in (flat, tilted(flat))]
    assert times[1] == pytest.approx(times[0], rel=1e-3)
    # Against equation of motion without noise: du/dt with the voltage of the divider, by hand.
    cell = cell_parameters(flat, device).iloc[0]
    assert times[0] == pytest.approx(by_hand(cell, direction), rel=2e-3)


def by_hand(cell, direction):
    """Time from the first rise of the word line to m_z = 0; edges of 100 ps, lines that follow at once."""
    gamma, sign = 1.760859e11, 1.0 if direction == "ap_to_p" else -1.0
    u, time, step = -2.0 * sign, 0.0, 2e-13
    series = 1000.0 + 400.0
    while u * sign < 0.0:
        m_z, supply = np.tanh(u), 0.8 * np.clip((time - 1e-10 - 4e-12) / 1e-10, 0.0, 1.0)
        volt = supply
        for _ in range(6):
            bias = cell["tmr"] / (1 + (volt / cell["vhalf"]) ** 2)
            conductance = (2 + bias + bias * m_z) / (2 * (1 + bias)) / cell["rp"]
            volt = supply / (1 + series * conductance)
        signed = sign * volt
        a_j = cell["torque"] * signed / cell["rp"]
        b_j = cell["fieldlike"] * cell["torque"] / cell["rp"] * signed**2
        field = (cell["bk"] + cell["vcma"] * signed) * m_z + b_j
        u += step * gamma / (1 + cell["alpha"] ** 2) * (cell["alpha"] * field + a_j)
        time += step
    return time


def test_a_field_like_torque_favours_one_state_in_both_directions():
    rates = {}
    for direction in DIRECTIONS:
        for ratio in (0.0, 1.5):
            asked = study((1.5e-9, 5e-9), 0.7, stack={**PER_VOLTAGE, "field_like_torque": ratio})
            rates[direction, ratio] = samples(asked, direction)["write_error_rate"].iloc[-1]
    # b_J is along the reference layer whatever the sign of the voltage: it helps towards P alone.
    assert rates["ap_to_p", 1.5] < rates["ap_to_p", 0.0]
    assert rates["p_to_ap", 1.5] > rates["p_to_ap", 0.0]


def test_critical_currents_of_both_directions():
    device = Population(study((1.5e-9, 5e-9), 0.7, stack=PER_VOLTAGE)).nominal().iloc[0]
    # By hand: 23.90 uA times 1 + 0.65^2, see the reference device; R_P = 5 ohm um^2/(pi/4 (35 nm)^2).
    critical = 23.90e-6 * (1 + 0.65**2)
    volt = critical * 5e-12 / (0.25 * np.pi * 35e-9**2)
    assert device["critical_current_A"] == pytest.approx(critical, rel=5e-4)
    tmr = 1.5 / (1 + (volt / 0.5) ** 2)
    assert device["critical_current_ap_to_p_A"] == pytest.approx(critical / (1 + tmr), rel=5e-4)
    old = Population(study((1.5e-9, 5e-9), 0.7, stack={"slonczewski_lambda": 1.5})).nominal().iloc[0]
    assert old["critical_current_ap_to_p_A"] == pytest.approx(old["critical_current_A"] / 2.25, rel=1e-12)


def test_an_asymmetry_goes_with_a_torque_per_current_alone():
    with pytest.raises(ValueError, match=r'slonczewski_lambda.*torque = "current"'):
        study((1.5e-9, 5e-9), 0.7, stack={**PER_VOLTAGE, "slonczewski_lambda": 1.2})


def test_a_stack_without_the_key_has_a_torque_per_voltage():
    asked = study((1.5e-9, 5e-9), 0.7).model_dump(mode="json", exclude_none=True)
    del asked["stack"]["torque"]
    assert Study.model_validate(asked).stack.torque == "voltage"


# ---- fits ----

VOLTAGE_FILM = Film(with_values(FILM.stack, **PER_VOLTAGE), FILM.diameter)
NAMES = ("stability", "critical_current", "relaxation_time")


def counts(film, *, current, seed=1, **values):
    pulses = pulses_at(
        film, np.geomspace(2e-9, 1e-6, 5), (0.05, 0.3, 0.6, 0.9), current=current, values=values or None
    )
    rng = np.random.default_rng(seed)
    return simulate_counts(film, pulses, rng, trials=10_000, values=values or None)


@pytest.mark.slow
@pytest.mark.parametrize("current", [False, True], ids=["volts", "amperes"])
def test_a_fit_finds_the_film_that_made_the_counts(current):
    truth = {"stability": 48.0, "critical_current": 7.3e-5, "relaxation_time": 1.05e-9}
    rows = counts(VOLTAGE_FILM, current=current, **truth)
    fit = fit_stack([table_of(rows)], VOLTAGE_FILM, vary=NAMES)
    assert fit.converged
    for name, value in truth.items():
        parameter = fit.params[name]
        assert abs(parameter.value - value) < 4.0 * parameter.stderr
    stack = fitted_stack(fit)
    assert stack.torque == "voltage"
    # The stack gives the device that was fitted.
    device = Film(stack, VOLTAGE_FILM.diameter).nominal()
    assert float(device.critical_current) == pytest.approx(fit.values["critical_current"], rel=1e-6)


def test_in_amperes_the_law_is_that_of_the_load_line():
    # Analytic at zero bias: a torque per current with Lambda^2 = 1 + TMR and the same critical current.
    flat = {"tmr_half_bias": 9.9}
    volts, amperes = (
        Film(with_values(FILM.stack, **flat, **other), FILM.diameter)
        for other in (PER_VOLTAGE, {"torque": "current"})
    )
    own = {name: nominal_values(volts)[name] for name in NAMES}
    tmr = volts.stack.tmr
    pulses = pulses_at(volts, [3e-9, 1e-7], (0.1, 0.5, 0.9), current=True)
    rates = [
        simulate_counts(film, pulses, np.random.default_rng(1), trials=10**9, values={**own, **more})[
            "switched"
        ]
        for film, more in ((volts, {}), (amperes, {"slonczewski_lambda": np.sqrt(1 + tmr)}))
    ]
    np.testing.assert_allclose(rates[0] / 1e9, rates[1] / 1e9, atol=4e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "fitted", "current"), [("current", "voltage", True), ("voltage", "current", False)]
)
def test_data_of_the_other_law_are_told(made, fitted, current):
    films = {law: Film(with_values(FILM.stack, torque=law), FILM.diameter) for law in (made, fitted)}
    rows = counts(films[made], current=current)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = fit_stack([table_of(rows)], films[fitted], vary=NAMES)
    words = " ".join(fit.messages)
    assert f'Likely cause: a torque that goes with the {made} (torque = "{made}"' in words
    assert f"a torque per {made} describes the data far better: after a short fit its deviance is" in words


def test_no_asymmetry_is_fitted_beside_a_torque_per_voltage():
    rows = counts(VOLTAGE_FILM, current=False)
    with pytest.raises(InputError, match=r'slonczewski_lambda.*torque = "current"'):
        fit_stack([table_of(rows)], VOLTAGE_FILM, vary=[*NAMES, "slonczewski_lambda"])
