"""Pulses by bit plane: what failures do, and the cheapest choice."""

import itertools

import numpy as np
import pytest

from mtjchar.errors import InputError
from mtjchar.network.allocation import Demand, Pilot, PulseTable, allocate
from mtjchar.network.encoding import CODES, FixedPoint


def test_pilot_by_hand():
    # 8 bits, 1 lsb = 1: from -1 to 0 every bit falls. If bit k alone stays, the word is 2**k, and the lowest
    # value where k is 7: an error of 2**k each.
    code = FixedPoint(8, full_scale=128.0)
    pilot = Pilot(code)
    pilot(code.encode(np.array([-1.0, 5.0])), code.encode(np.array([0.0, 5.0])))
    np.testing.assert_array_equal(pilot.harm[:, 0], 0.0)
    np.testing.assert_array_equal(pilot.harm[:, 1], 4.0 ** np.arange(8))


@pytest.mark.parametrize("code", CODES)
def test_pilot_against_every_failure_one_by_one(code):
    code = FixedPoint(6, full_scale=0.5, code=code)
    rng = np.random.default_rng(1)
    old, new = (code.encode(rng.uniform(-0.5, 0.5, 300)) for _ in range(2))
    pilot = Pilot(code)
    pilot(old, new)
    harm = np.zeros((6, 2))
    for before, wanted in zip(old.tolist(), new.tolist(), strict=True):
        for plane in range(6):
            if (before ^ wanted) >> plane & 1:
                stored = np.array([wanted ^ (1 << plane), wanted], dtype=np.uint8)
                left, right = code.decode(stored) / code.lsb
                harm[plane, 1 - (wanted >> plane & 1)] += (left - right) ** 2
    np.testing.assert_allclose(pilot.harm, harm, rtol=1e-6)


def small_table(rng, pulses):
    """Pulses of which stronger ones cost more and fail less."""
    strength = np.sort(rng.uniform(0.2, 3.0, pulses))
    rate = np.exp(-np.outer([2.0, 3.0], strength))
    energy = np.outer([1.0, 1.4], strength)
    return PulseTable(strength, 1e-9 * strength, rate, energy * 1e-12, 0.9e-12 * energy)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_allocation_against_all_choices(seed, first):
    # Brute force over 7**4 choices. A multiplier finds only choices on the convex hull: none of the others
    # with that squared error or less is cheaper.
    rng = np.random.default_rng(seed)
    table = small_table(rng, 7)
    demand = Demand(
        rng.uniform(1, 9, (2, 2)), rng.uniform(9, 90, (2, 2)), rng.uniform(1, 9, (2, 2)) * [[1], [4]]
    )
    cost = demand.switching[..., None] * table.switching_energy_J
    cost = cost + (0.0 if first else 1.0) * demand.redundant[..., None] * table.redundant_energy_J
    error = demand.harm[..., None] * table.error_rate
    choices = np.array(list(itertools.product(range(7), repeat=4))).reshape(-1, 2, 2)
    pick = (np.arange(2)[:, None], np.arange(2))
    costs, errors = (np.array([one[(*pick, choice)].sum() for choice in choices]) for one in (cost, error))
    for rate in (0.03, 0.1, 0.3):
        pulses = allocate(table, demand, rate, read_before_write=first)
        found = np.searchsorted(table.amplitude_V, pulses.amplitude_V)
        squared = error[(*pick, found)].sum()
        assert squared <= rate * demand.harm.sum()
        assert cost[(*pick, found)].sum() <= costs[errors <= squared * (1 + 1e-12)].min() * (1 + 1e-12)
        # And no choice on the hull lies between: the next dearer multiplier step would break the limit.
        np.testing.assert_array_equal(pulses.duration_s, table.duration_s[found])


def test_bits_that_matter_more_get_stronger_pulses():
    table = small_table(np.random.default_rng(5), 500)
    demand = Demand(np.ones((8, 2)), np.ones((8, 2)), 4.0 ** np.arange(8)[:, None] * np.ones((1, 2)))
    pulses = allocate(table, demand, 0.05)
    assert (np.diff(pulses.amplitude_V, axis=0) >= 0.0).all()
    assert pulses.amplitude_V[0, 0] < pulses.amplitude_V[-1, 0]
    # One pulse for all at this rate costs more.
    one = np.argmax((table.error_rate <= 0.05).all(axis=0))
    assert pulses.amplitude_V.mean() < table.amplitude_V[one]


def test_table_holds_the_surface(analytic_surface):
    table = PulseTable.of(analytic_surface)
    assert len(table.amplitude_V) == 89 * 193
    for k in (0, 1234, 17176):
        pulse = table.amplitude_V[k], table.duration_s[k]
        for d, direction in enumerate(("p_to_ap", "ap_to_p")):
            assert table.error_rate[d, k] == analytic_surface.ber(direction, *pulse)
            assert table.switching_energy_J[d, k] == analytic_surface.energy(direction, *pulse)
            assert table.redundant_energy_J[d, k] == analytic_surface.energy(
                direction, *pulse, switching=False
            )


def test_what_cannot_be_is_refused():
    table = small_table(np.random.default_rng(6), 5)
    demand = Demand(*np.ones((3, 8, 2)))
    for rate in (0.0, 1.0):
        with pytest.raises(InputError, match=f"rate: got {rate}; allowed: an error rate above 0 and below 1"):
            allocate(table, demand, rate)
    with pytest.raises(
        InputError, match=r"rate: got 1e-09; allowed: what the surface's strongest pulses reach"
    ):
        allocate(table, demand, 1e-9)
