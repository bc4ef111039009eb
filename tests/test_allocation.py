"""Pulses by bit plane: what failures do, and the cheapest choice."""

import itertools

import numpy as np
import pytest

from mtjchar.errors import InputError, UnreachableError
from mtjchar.network.allocation import HIGHEST_RATE, Demand, Pilot, PulseTable, allocate
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


def small_table(rng, rates, amplitudes=3):
    """Rates of which lower ones cost more, with pulses of some amplitudes each."""
    rate = np.append(0.001, np.exp(np.sort(rng.uniform(np.log(0.001), np.log(0.5), rates - 1))))
    energy = -np.log(rate)[:, None] * rng.uniform(1.0, 2.0, amplitudes) * np.array([1.0, 1.4])[:, None, None]
    level = np.linspace(0.4, 1.2, amplitudes)
    return PulseTable(rate, level, 1e-9 * energy / level, 1e-12 * energy, 0.9e-12 * energy)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_allocation_against_all_choices(seed, first):
    # Brute force over all 7**4 choices of a rate for each of four planes. A multiplier finds choices on the
    # convex hull: none of the others with that squared error or less is cheaper.
    rng = np.random.default_rng(seed)
    table = small_table(rng, 7)
    demand = Demand(
        rng.uniform(1, 9, (4, 2)), rng.uniform(9, 90, (4, 2)), 4.0 ** np.arange(4)[:, None] * np.ones((1, 2))
    )
    cost = np.zeros((4, 7))
    for plane in range(4):
        for k in range(7):
            for d in range(2):
                energies = demand.switching[plane, d] * table.switching_energy_J[d, k]
                if not first:
                    energies = energies + demand.redundant[plane, d] * table.redundant_energy_J[d, k]
                cost[plane, k] += energies.min()
    harm = demand.harm.sum(axis=1)
    choices = np.array(list(itertools.product(range(7), repeat=4)))
    costs = np.array([cost[np.arange(4), choice].sum() for choice in choices])
    errors = table.rate[choices] @ harm
    for rate in (0.03, 0.1, 0.3):
        pulses = allocate(table, demand, rate, read_before_write=first)
        found = [
            int(np.flatnonzero((table.duration_s[0] == duration).any(axis=1))[0])
            for duration in pulses.duration_s[:, 0]
        ]
        squared = table.rate[found] @ harm
        assert squared <= rate * harm.sum()
        assert cost[np.arange(4), found].sum() <= costs[errors <= squared * (1 + 1e-12)].min() * (1 + 1e-12)


def test_bits_that_matter_more_get_stronger_pulses():
    table = small_table(np.random.default_rng(5), 300, amplitudes=1)
    demand = Demand(np.ones((8, 2)), np.ones((8, 2)), 4.0 ** np.arange(8)[:, None] * np.ones((1, 2)))
    pulses = allocate(table, demand, 0.05)
    rates = table.rate[
        [int(np.flatnonzero(table.duration_s[0] == one)[0]) for one in pulses.duration_s[:, 0]]
    ]
    assert (np.diff(rates) <= 0.0).all()
    # Analytic: rates that minimize the sum of -ln(r) for a given sum of h r go with 1/h, up to the cap.
    # Neighbours among the 300 rates are 2 % apart on average.
    free = (rates < 0.9 * HIGHEST_RATE) & (rates > 0.002)
    assert free.sum() >= 3
    np.testing.assert_allclose(np.diff(np.log(rates[free])), -np.log(4.0), atol=0.2)


def test_both_directions_of_a_plane_have_the_same_rate(analytic_surface):
    rng = np.random.default_rng(7)
    demand = Demand(rng.uniform(1, 9, (8, 2)), rng.uniform(99, 100, (8, 2)), rng.uniform(1, 99, (8, 2)))
    pulses = allocate(PulseTable.of(analytic_surface), demand, 0.01)
    rates = [
        analytic_surface.ber(one, pulses.amplitude_V[:, d], pulses.duration_s[:, d])
        for d, one in enumerate(("p_to_ap", "ap_to_p"))
    ]
    np.testing.assert_allclose(*rates, rtol=1e-6)
    assert demand.harm.sum(axis=1) @ rates[0] == pytest.approx(0.01 * demand.harm.sum(), rel=0.03)
    assert demand.harm.sum(axis=1) @ rates[0] <= 0.01 * demand.harm.sum() * (1 + 1e-9)


def test_table_holds_the_surface(analytic_surface):
    table = PulseTable.of(analytic_surface)
    for d, direction in enumerate(("p_to_ap", "ap_to_p")):
        for k in (0, 211, 399):
            there = np.flatnonzero(np.isfinite(table.duration_s[d, k]))
            for a in there[[0, len(there) // 2]]:
                pulse = table.amplitude_V[a], table.duration_s[d, k, a]
                assert analytic_surface.ber(direction, *pulse) == pytest.approx(table.rate[k], rel=1e-9)
                assert table.switching_energy_J[d, k, a] == analytic_surface.energy(direction, *pulse)
                assert table.redundant_energy_J[d, k, a] == analytic_surface.energy(
                    direction, *pulse, switching=False
                )


def test_what_cannot_be_is_refused():
    table = small_table(np.random.default_rng(6), 5)
    demand = Demand(*np.ones((3, 8, 2)))
    for rate in (0.0, 1.0):
        with pytest.raises(InputError, match=f"rate: got {rate}; allowed: an error rate above 0 and below 1"):
            allocate(table, demand, rate)
    with pytest.raises(
        UnreachableError, match=r"rate: got 1e-09; allowed: what the surface's strongest pulses reach"
    ):
        allocate(table, demand, 1e-9)
