"""Error rates and energies of writes against trajectories in the same circuit; torque over the angle."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from circuit_ensemble import simulate
from scipy.optimize import brentq

from mtjchar.cells.base import Counting
from mtjchar.cells.stt import axial
from mtjchar.cells.stt.langevin import count_failures
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.study import Study
from mtjchar.sweep.population import Population
from mtjchar.sweep.tasks import Task, characterize

REFERENCE = pd.read_csv(Path(__file__).parent / "reference/write_energy.csv", comment="#")
DIRECTIONS = ("p_to_ap", "ap_to_p")
FAST, SLOW = {"resistance": 200.0, "capacitance": 20e-15}, {"resistance": 500.0, "capacitance": 150e-15}


def study(durations, amplitude, *, line=FAST, rise=100e-12, fall=100e-12, stack=None):
    """Make a study of the device of reference/write_energy.csv."""
    grid = {"start": durations[0], "stop": durations[-1], "points": len(durations), "spacing": "refined"}
    return Study.model_validate(
        {
            "stack": {
                "name": "reference", "reference": "tests/reference/write_energy.csv",
                "free_layer_thickness": 1.6e-9, "saturation_magnetization": 1e6,
                "interfacial_anisotropy": 1.13e-3, "demagnetization": "sato-ishii",
                "damping": 0.01, "spin_polarization": 0.65,
                "resistance_area_product": 5e-12, "tmr": 1.5, "tmr_half_bias": 0.5, "torque": "current",
                **(stack or {}),
            },
            "junction": {"diameter": 35e-9},
            "cell": {
                "transistor": {"model": "ideal", "on_resistance": 1000.0},
                "bitline": line, "sourceline": line,
            },
            "pulse": {"rise": rise, "fall": fall},
            "sweep": {
                "amplitude": {"start": amplitude, "stop": amplitude + 0.1, "points": 2},
                "duration": {**grid, "grid": durations}, "devices": 1,
            },
        }
    )  # fmt: skip


def samples(asked, direction):
    """Characterize the nominal device at the lower amplitude."""
    table = characterize(Task(asked, Population(asked).nominal(), direction))
    assert np.all(table["status"] == "ok")
    return table[table["amplitude_V"] == table["amplitude_V"].min()]


def test_reference_device_is_that_of_the_study():
    device = Population(study((1.5e-9, 5e-9), 0.7)).nominal().iloc[0]
    # The head of the table.
    assert device["thermal_stability"] == pytest.approx(61.72, rel=1e-4)
    assert device["critical_current_A"] == pytest.approx(23.90e-6, rel=5e-4)
    assert device["relaxation_time_s"] == pytest.approx(1.710e-9, rel=1e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("lines", "line", "rise"), [("default", FAST, 100e-12), ("slow", SLOW, 200e-12)])
def test_writes_are_those_of_the_reference(lines, line, rise, direction):
    expected = REFERENCE[(REFERENCE["lines"] == lines) & (REFERENCE["direction"] == direction)]
    durations = tuple(expected["duration_s"])
    asked = study(durations, expected["amplitude_V"].iloc[0], line=line, rise=rise, fall=rise)
    got = samples(asked, direction)
    # 0.3 %, and three standard errors of the trajectories.
    allowed = 0.003 * expected["energy_J"] + 3.0 * expected["energy_se_J"]
    assert np.all(np.abs(got["energy_J"].to_numpy() - expected["energy_J"]) < allowed)
    np.testing.assert_allclose(got["redundant_energy_J"], expected["redundant_energy_J"], rtol=3e-3)
    rate, error = expected["write_error_rate"].to_numpy(), expected["write_error_rate_se"].to_numpy()
    counted = np.isfinite(rate)
    off = np.abs(got["write_error_rate"].to_numpy() - rate)[counted]
    assert np.all(off < (0.02 * rate + 3.0 * error)[counted])


@pytest.mark.parametrize(
    ("direction", "amplitude", "changes"),
    [
        ("p_to_ap", 0.7, {"fall": 1e-9}),
        ("ap_to_p", 0.75, {"fall": 1e-9}),
        ("p_to_ap", 0.8, {"line": SLOW, "rise": 200e-12, "fall": 200e-12}),
        ("ap_to_p", 0.8, {"line": SLOW, "rise": 200e-12, "fall": 200e-12}),
    ],
    ids=["fall down", "fall up", "lines down", "lines up"],
)
def test_energy_of_edges_that_are_slower_than_the_switching(direction, amplitude, changes):
    # Another method: trajectories with the nodes of the circuit. Half sums of both states for the edges were
    # 1.7 % (fall) and 5.5 % (lines) off.
    asked = study((2e-9, 4e-9), amplitude, **changes)
    got = samples(asked, direction).iloc[0]
    device = Population(asked).nominal().iloc[0]
    ensemble = simulate(asked, device, direction, amplitude, 2e-9, walkers=4000, seed=1)
    error = ensemble.energy.std() / np.sqrt(4000)
    mean = ensemble.energy.mean()
    assert error < 1e-3 * mean
    assert abs(got["energy_J"] - mean) < 0.003 * mean + 3.0 * error
    failed = ensemble.failed.mean()
    assert abs(got["write_error_rate"] - failed) < 0.02 * failed + 3.5 * np.sqrt(failed * (1 - failed) / 4000)
    held = simulate(asked, device, direction, amplitude, 2e-9, walkers=200, seed=2, redundant=True)
    assert got["redundant_energy_J"] == pytest.approx(held.energy.mean(), rel=3e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_counted_writes_have_the_energy_of_computed_ones(direction):
    # Slow lines and a slow fall: the parts of both edges count. 2000 trials: a standard error of 0.1 %.
    asked = study((2e-9, 3e-9), 0.8, line=SLOW, rise=200e-12, fall=600e-12)
    asked = asked.with_(sweep={"trials": 2000})
    device, amplitudes = Population(asked).nominal(), np.array([0.8])
    lines = load_lines(asked, cell_parameters(asked, device), direction, asked.pulses.at(amplitudes))
    pulses = asked.pulses.at(amplitudes, np.array([2e-9, 3e-9]))
    counting = Counting(asked.sweep.trials, asked.sweep.seed)
    computed = axial.average_over_noise(asked, device, direction, lines, pulses)
    counted = count_failures(asked, device, direction, lines, pulses, counting)
    np.testing.assert_allclose(counted.energy_J, computed.energy_J, rtol=4e-3)
    np.testing.assert_allclose(counted.redundant_energy_J, computed.redundant_energy_J, rtol=1e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("lambda_", [1.0, 2.5, 3.0])
def test_overdrive_over_the_angle_is_slonczewskis(lambda_, direction):
    asked = study((1.5e-9, 5e-9), 0.7, stack={"slonczewski_lambda": lambda_})
    device = Population(asked).nominal()
    cell = cell_parameters(asked, device)
    lines = load_lines(asked, cell, direction, asked.pulses.at(np.array([0.7])))
    one = np.ones((1, 1), dtype=bool)
    overdrive = axial._Writes.of(asked, device, direction, lines, np.array([0.7]), one).overdrive
    start = 1.0 if direction == "p_to_ap" else -1.0
    rp, tmr, vhalf = cell[["rp", "tmr", "vhalf"]].to_numpy()[0]
    for z in np.linspace(-1.0, 1.0, 41):
        # Analytic: a divider of the junction, 1000 ohm and both lines; J. Magn. Magn. Mater. 247, 324 (2002).
        def excess(volt, m_z=start * z):
            bias = tmr / (1 + (volt / vhalf) ** 2)
            return volt * (2 + bias + bias * m_z) / (2 * (1 + bias)) / rp - (0.7 - volt) / 1400.0

        current = (0.7 - brentq(excess, 0.0, 0.7, xtol=1e-14)) / 1400.0
        square = lambda_**2
        expected = current / device["critical_current_A"].iloc[0] * 2 * square
        expected /= square + 1 + (square - 1) * start * z
        assert overdrive(np.full((1, 1), z))[0, 0] == pytest.approx(expected, rel=5e-4, abs=0)
