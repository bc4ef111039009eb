"""Error rates of single devices between the swept pulses, and memories made of such devices."""

import numpy as np
import pytest
from scipy import stats

from mtjchar.errors import InputError, OutsideGridError
from mtjchar.network.allocation import Pulses
from mtjchar.network.memory import ApproximateMemory, draw_devices
from mtjchar.network.tradeoff import write_conditions
from mtjchar.network.trainer import TrainingPlan
from mtjchar.network.trainings import Job, Trainings
from mtjchar.surfaces import DeviceRates

DIRECTIONS = ("p_to_ap", "ap_to_p")


@pytest.fixture(scope="module")
def devices(analytic_surface):
    """Seven devices around the analytic surface, one of them weak."""
    weight = np.array([1.0, 2.0, 1.0, 0.5, 1.0, 3.0, 0.1])
    factor = np.array([0.3, 0.5, 0.8, 1.0, 1.3, 0.9, 30.0])[:, None, None]
    rates = {}
    for k, direction in enumerate(DIRECTIONS):
        cube = np.minimum(factor * analytic_surface.dataset["ber"].to_numpy()[k], 1.0)
        rates[direction] = cube
    return DeviceRates(analytic_surface, weight, rates)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_mean_is_the_surface_s_rate_and_devices_differ_as_they_did(devices, analytic_surface, direction):
    amplitude, duration = np.array([0.8, 0.57, 0.8, 1.01]), np.array([3e-9, 7.7e-9, 11e-9, 2.2e-9])
    rates = devices.rates(direction, amplitude, duration)
    assert rates.shape == (7, 4)
    assert (rates <= 1.0).all()
    mean = devices.weight @ rates / devices.weight.sum()
    np.testing.assert_allclose(mean, analytic_surface.ber(direction, amplitude, duration), rtol=1e-6)
    # Where no device's rate is cut at 1 the factors between them are the same at all pulses.
    np.testing.assert_allclose(rates[1] / rates[0], 0.5 / 0.3, rtol=1e-6)
    np.testing.assert_allclose(rates[6, 2] / rates[4, 2], 30.0 / 1.3, rtol=1e-6)


def test_pulses_of_any_shape(devices):
    amplitude, duration = np.array([[0.8], [1.01]]), np.array([3e-9, 2.2e-9, 7.7e-9])
    rates = devices.rates("p_to_ap", amplitude, duration)
    assert rates.shape == (7, 2, 3)
    for row, v in enumerate(amplitude.ravel()):
        for column, t in enumerate(duration):
            np.testing.assert_array_equal(rates[:, row, column], devices.rates("p_to_ap", v, t))
    assert devices.rates("p_to_ap", [], []).shape == (7, 0)


def test_pulses_outside_the_grid_are_refused(devices):
    with pytest.raises(OutsideGridError):
        devices.rates("p_to_ap", [1.3], [3e-9])


def test_failure_rates_of_a_memory_are_the_surface_s(analytic_surface):
    # Binomial test on a million words for each plane and direction, with a pulse each; 16 at 1e-9.
    rng = np.random.default_rng(1)
    pulses = Pulses(rng.uniform(0.6, 1.1, (8, 2)), rng.uniform(1.5e-9, 4e-9, (8, 2)))
    conditions = write_conditions(analytic_surface, pulses)
    old, new = rng.integers(0, 256, (2, 1_000_000), dtype=np.uint8)
    memory = ApproximateMemory(old, 8)
    memory.write(new, conditions, rng)
    ledger = memory.ledger
    for plane in range(8):
        for d, direction in enumerate(DIRECTIONS):
            pulse = pulses.amplitude_V[plane, d], pulses.duration_s[plane, d]
            rate = float(analytic_surface.ber(direction, *pulse))
            counts = int(ledger.failed[plane, d]), int(ledger.switching[plane, d])
            assert stats.binomtest(*counts, rate).pvalue > 1e-9
            np.testing.assert_allclose(
                [conditions.switching_energy_J[plane, d], conditions.redundant_energy_J[plane, d]],
                [analytic_surface.energy(direction, *pulse, switching=kind) for kind in (True, False)],
            )


def test_failure_rates_of_a_memory_of_devices_are_the_surface_s(devices, analytic_surface):
    # Given which cell is which device, the failures of each device's cells are binomial with its rate: 7
    # devices, 2 directions at 1e-9. Over all cells they are so with the surface's: cells are drawn by weight.
    rng = np.random.default_rng(2)
    pulses = Pulses(np.full((1, 2), 0.8), np.full((1, 2), 3e-9))
    conditions = write_conditions(analytic_surface, pulses, devices=devices)
    assert conditions.rates.shape == (7, 1, 2)
    of_cell = draw_devices(devices.weight, 500_000, 8, rng)
    old, new = rng.integers(0, 256, (2, 500_000), dtype=np.uint8)
    memory = ApproximateMemory(old, 8, of_cell)
    memory.write(new, conditions, rng)
    ledger = memory.ledger
    bits = [np.unpackbits(one[:, None], axis=1, bitorder="little") for one in (old, new, memory.words)]
    for d, direction in enumerate(DIRECTIONS):
        attempts = (bits[0] != bits[1]) & (bits[1] == 1 - d)
        failed = attempts & (bits[2] != bits[1])
        for kind in range(7):
            mine = of_cell == kind
            counts = int((failed & mine).sum()), int((attempts & mine).sum())
            assert stats.binomtest(*counts, float(conditions.rates[kind, 0, d])).pvalue > 1e-9
        counts = int(ledger.failed[:, d].sum()), int(ledger.switching[:, d].sum())
        assert stats.binomtest(*counts, float(analytic_surface.ber(direction, 0.8, 3e-9))).pvalue > 1e-9


def test_trainings_in_a_memory_of_devices(devices, analytic_surface):
    # Weak cells stay weak: with the same mean rate another training comes out, and the same one every time.
    pulses = Pulses(np.full((1, 2), 0.8), np.full((1, 2), 2e-9))
    plan = TrainingPlan(hidden=(8,), epochs=1, batch_size=50)
    alike, apart = (write_conditions(analytic_surface, pulses, devices=one) for one in (None, devices))
    with Trainings("digits", workers=1) as trainings:
        first, again, other = trainings.outcomes(
            [Job(plan, apart, 0), Job(plan, apart, 0), Job(plan, alike, 0)]
        )
    with Trainings("digits", workers=1) as trainings:
        (fresh,) = trainings.outcomes([Job(plan, apart, 0)])
    assert first.ledger == again.ledger == fresh.ledger
    assert first.ledger != other.ledger
    assert first.ledger.failed.sum() > 0


def test_samples_of_another_grid_are_refused(analytic_surface, tmp_path):
    with pytest.raises(InputError, match="run directory"):
        DeviceRates.load(tmp_path, analytic_surface)
