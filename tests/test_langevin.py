"""Errors counted from ensembles, against the Fokker-Planck equation where the symmetry is hardly broken.

Seeds are fixed; all comparisons of a statistical test together would fail for a right program and another
seed with a probability of 1e-9.
"""

import numpy as np
import pandas as pd
import pytest
from common import DEMO
from scipy import stats

from mtjchar.cells.base import Counting
from mtjchar.cells.stt import axial, langevin
from mtjchar.cells.stt.langevin import count_failures
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.physics import llgs
from mtjchar.study import ExternalField, Line, Transistor
from mtjchar.sweep.population import Population
from mtjchar.sweep.tasks import Task, characterize

ALARM = 1e-9
AMPLITUDES = np.array([0.6, 0.8])
DURATIONS = np.geomspace(1.8e-9, 6e-9, 5)


def count(asked, devices, direction, lines, amplitudes, durations):
    counting = Counting(asked.sweep.trials, asked.sweep.seed)
    return count_failures(asked, devices, direction, lines, asked.pulses.at(amplitudes, durations), counting)


def study(*, tilt=0.0, aspect=1.0, trials=1000, seed=1, stack=None, **field):
    return DEMO.with_(
        stack={"reference_tilt": tilt, "torque": "current", **(stack or {})},
        junction={"aspect_ratio": aspect},
        cell={"external_field": ExternalField(**field)},
        sweep={"trials": trials, "seed": seed},
    )


def both(asked, direction, method=None, devices=None, amplitudes=AMPLITUDES):
    devices = Population(asked).nominal() if devices is None else devices
    lines = load_lines(asked, cell_parameters(asked, devices), direction, asked.pulses.at(amplitudes))
    if method is None:
        return count(asked, devices, direction, lines, amplitudes, DURATIONS)
    return method(asked, devices, direction, lines, asked.pulses.at(amplitudes, DURATIONS))


@pytest.mark.parametrize(
    ("direction", "changes"),
    [
        ("p_to_ap", {}),
        ("ap_to_p", {}),
        ("p_to_ap", {"z": 0.02}),
        ("ap_to_p", {"stack": {"slonczewski_lambda": 1.3, "field_like_torque": 0.2}}),
        ("p_to_ap", {"stack": {"vcma_coefficient": 30e-15}}),
        ("ap_to_p", {"z": 0.01, "stack": {"torque": "voltage", "vcma_coefficient": 30e-15}}),
    ],
    ids=["down", "up", "field", "torque", "vcma", "voltage"],
)
def test_rates_and_energies_are_those_of_fokker_planck(direction, changes):
    # A tilt of 1e-6 rad breaks the symmetry and changes nothing. Binomial limits.
    asked = study(tilt=1e-6, trials=4000, **changes)
    assert not asked.axially_symmetric
    counted, expected = (both(asked, direction, method) for method in (None, axial.average_over_noise))
    assert np.all(counted.failure == "")
    alarm = ALARM / (5 * counted.error_rate.size)
    low, high = stats.binom.ppf([[[[alarm / 2]]], [[[1 - alarm / 2]]]], 4000, expected.error_rate)
    failures = counted.error_rate * 4000
    np.testing.assert_allclose(failures, np.rint(failures), atol=1e-9)
    assert np.all((failures >= low) & (failures <= high))
    assert np.any(expected.error_rate > 0.2)
    assert np.any(expected.error_rate < 0.01)
    # Own measurement: 2e-3 and 1e-4.
    np.testing.assert_allclose(counted.energy_J, expected.energy_J, rtol=0.01)
    np.testing.assert_allclose(counted.redundant_energy_J, expected.redundant_energy_J, rtol=2e-3)


@pytest.mark.parametrize(
    "broken",
    [{"x": 0.01}, {"y": -0.01}, {"tilt": 0.1}, {"aspect": 1.3}, {"x": 5e-3, "z": -0.01, "tilt": 0.05}],
)
def test_rates_fall_with_duration_and_amplitude(broken):
    rate, energy, redundant, *_ = both(
        study(**broken, trials=500), "p_to_ap", amplitudes=np.array([0.5, 0.7, 0.9])
    )
    # The same walkers at every duration: only those on their way back can make it rise.
    assert np.all(np.diff(rate, axis=2) < 0.02)
    # Independent walkers from one amplitude to the next: twice the largest standard error 1/(2 sqrt(500)).
    assert np.all(np.diff(rate, axis=1) < 2 * 0.0224)
    assert rate[0, 0, 0] > 0.5
    assert rate[0, -1, -1] < 0.05
    assert np.all(np.diff(energy, axis=2) > 0)
    assert np.all(np.diff(redundant, axis=2) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["p_to_ap", "ap_to_p"])
def test_rates_with_field_tilt_and_ellipse_are_those_of_the_plain_ensemble(direction):
    # Without TMR, lines and edges the current is constant: `llgs.simulate`, all walkers through the pulse
    # and ten relaxation times after it, then the sign of m_z.
    line = Line(resistance=100.0, capacitance=0.0)
    asked = study(tilt=0.2, aspect=1.2, x=0.02, y=0.01, trials=3000, stack={"tmr": 1e-4})
    ideal = {
        "transistor": Transistor(model="ideal", on_resistance=800.0),
        "bitline": line,
        "sourceline": line,
    }
    asked = asked.with_(cell=ideal, pulse={"rise": 1e-12, "fall": 1e-12})
    counted = both(asked, direction, amplitudes=np.array([0.6]))
    device = Population(asked).nominal().iloc[0]
    spin, sign = langevin.macrospin(asked, device), -1.0 if direction == "p_to_ap" else 1.0
    # Ohm: drivers and lines 200 ohm, transistor 800 ohm.
    current = sign * 0.6 / (1000.0 + device["parallel_resistance_ohm"])
    rng = np.random.Generator(np.random.SFC64(7))
    m = llgs.equilibrium(spin, 3000, rng, well=(0.0, 0.0, -sign))
    step = 0.5 * llgs.largest_step(spin, current)
    pulse = llgs.simulate(
        spin, m, duration=DURATIONS[-1], step=step, current=current, record=DURATIONS, rng=rng
    )
    after = [
        llgs.simulate(spin, state, duration=10 * spin.relaxation_time, step=step, rng=rng).m[-1]
        for state in pulse.m[[0, 2, 4]]
    ]
    expected = np.mean(sign * np.stack(after)[:, 2] < 0.0, axis=1)
    rate = counted.error_rate[0, 0, [0, 2, 4]]
    assert np.any((expected > 0.1) & (expected < 0.9))
    pooled = 0.5 * (rate + expected)
    limit = stats.norm.isf(ALARM / 12) * np.sqrt(2.0 * pooled * (1.0 - pooled) / 3000 + 1.0 / 3000**2)
    assert np.all(np.abs(rate - expected) < limit)
    # Power times time; both wells have the same resistance.
    np.testing.assert_allclose(counted.energy_J[0, 0], 0.6 * abs(current) * DURATIONS, rtol=0.01)


def test_results_depend_on_neither_batch_nor_other_amplitudes_failing():
    asked = study(x=0.01, trials=50)
    devices = Population(asked.with_(sweep={"devices": 3})).draw()
    cells = cell_parameters(asked, devices)
    lines = load_lines(asked, cells, "ap_to_p", asked.pulses.at(AMPLITUDES))
    together = count(asked, devices, "ap_to_p", lines, AMPLITUDES, DURATIONS)
    part = lines._replace(
        **{name: getattr(lines, name)[2:] for name in lines._fields if name != "m_z"},
    )
    alone = count(asked, devices.iloc[2:], "ap_to_p", part, AMPLITUDES, DURATIONS)
    for name in ("error_rate", "energy_J", "redundant_energy_J", "failure"):
        np.testing.assert_array_equal(getattr(together, name)[2:], getattr(alone, name))
    assert together.standard_error is None  # only splitting has one
    # Another seed, other trials.
    reseeded = asked.with_(sweep={"seed": 2})
    other = count(reseeded, devices.iloc[2:], "ap_to_p", part, AMPLITUDES, DURATIONS)
    assert np.any(other.energy_J != alone.energy_J)
    # A cell that ngspice could not solve has no numbers, and leaves those of the others.
    failure = lines.failure.copy()
    failure[1] = "ngspice did not"
    current = lines.current_A.copy()
    current[1] = np.nan
    some = count(
        asked, devices, "ap_to_p", lines._replace(failure=failure, current_A=current), AMPLITUDES, DURATIONS
    )
    assert np.all(np.isnan(some.error_rate[1]))
    assert np.all(some.failure[1] == "ngspice did not")
    np.testing.assert_array_equal(some.error_rate[[0, 2]], together.error_rate[[0, 2]])


def test_amplitudes_may_advance_in_several_ensembles(monkeypatch):
    asked = study(x=0.01, trials=400)
    together = both(asked, "p_to_ap").error_rate
    monkeypatch.setattr(langevin, "_WALKERS", 1)
    apart = both(asked, "p_to_ap").error_rate
    # Other random numbers: 7 standard errors of a difference.
    error = np.sqrt((together * (1 - together) + apart * (1 - apart)) / 400 + 1 / 400**2)
    assert np.all(np.abs(together - apart) < 7 * error)


@pytest.mark.parametrize("broken", [{}, {"z": 0.02}, {"x": 0.02}, {"tilt": 0.05}, {"aspect": 1.3}])
def test_a_sweep_counts_where_the_symmetry_is_broken(broken):
    grid = {"amplitude": {"points": 2}, "duration": {"points": 3, "stop": 5e-9}}
    asked = study(**broken, trials=20).with_(sweep=grid)
    samples = characterize(Task(asked, Population(asked).nominal(), "ap_to_p"))
    assert np.all(samples["status"] == "ok")
    twentieths = 20 * samples["write_error_rate"].to_numpy()
    assert np.all(np.abs(twentieths - np.rint(twentieths)) < 1e-9) != asked.axially_symmetric


def test_macrospin_is_that_of_the_device():
    asked = study(tilt=0.1, aspect=1.4, x=0.01, z=-0.02)
    device = Population(asked).nominal().iloc[0]
    spin = langevin.macrospin(asked, pd.Series(device))
    # The same quantities by another way: `derive`.
    assert spin.effective_field == pytest.approx(device["anisotropy_field_T"], rel=1e-9)
    assert spin.stability == pytest.approx(device["thermal_stability"], rel=1e-9)
    assert spin.critical_current == pytest.approx(device["critical_current_A"], rel=1e-9)
    assert spin.reference == pytest.approx((np.sin(0.1), 0.0, np.cos(0.1)))
    assert spin.field == (0.01, 0.0, -0.02)
