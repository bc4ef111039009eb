"""Accounts of writes that do not fail, against counting and billing bit by bit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_correction import slow_checks

from mtjchar.network.correction import BLOCK_BITS, CheckBits, allowed_error_rate
from mtjchar.network.exact import ActivityCounter, account_of, nominal_pulse, reliable_pulses
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.levers import ALL_EXACT, BASELINE, DESIGNS, EXACT, ExactDesign, chosen_levers
from mtjchar.network.memory import ApproximateMemory
from mtjchar.network.termination import Detector, terminated_energy

READ = 30e-15, 45e-15  # of a 0, and of a 1
DETECTOR = Detector(power_W=7e-6, delay_s=0.4e-9)
DIRECTIONS = ("p_to_ap", "ap_to_p")  # that write a 1, and a 0
WITHOUT_ERRORS = WriteConditions((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))


def written(bits, count, writes, seed, share=0.5):
    """Random words, of which each write changes a share."""
    rng = np.random.default_rng(seed)
    kind = np.uint8 if bits <= 8 else np.uint16
    words = [rng.integers(0, 1 << bits, count).astype(kind)]
    for _ in range(writes):
        other = rng.integers(0, 1 << bits, count).astype(kind)
        words.append(np.where(rng.random(count) < share, other, words[-1]))
    return words


def counted(bits, words):
    """Ledger of a memory without errors, and activity."""
    memory, counter = ApproximateMemory(words[0], bits), ActivityCounter(bits)
    for new in words[1:]:
        counter(memory.words, new)
        memory.write(new, WITHOUT_ERRORS, np.random.default_rng(0))
    return memory.ledger, counter.activity


def slow_bits(bits, words):
    """All writes of single bits: plane, check bits one above the highest; old, new, if its word changes."""
    for before, after in pairwise(words):
        for old_word, new_word in zip(before.tolist(), after.tolist(), strict=True):
            for plane in range(bits):
                yield plane, old_word >> plane & 1, new_word >> plane & 1, old_word != new_word
        for old, new in zip(slow_checks(before, bits), slow_checks(after, bits), strict=True):
            yield bits, old, new, old != new


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([2, 3, 4, 8, 12]), st.integers(1, 70), st.integers(1, 4), st.integers(0, 2**32))
def test_activity_is_that_of_counting_each_bit(bits, count, writes, seed):
    words = written(bits, count, writes, seed)
    ledger, activity = counted(bits, words)
    switching, redundant, in_changed = np.zeros((3, bits + 1, 2), dtype=int)
    for plane, old, new, word_changes in slow_bits(bits, words):
        where = plane, 0 if new else 1
        switching[where] += old != new
        redundant[where] += old == new
        in_changed[where] += old == new and word_changes
    np.testing.assert_array_equal(ledger.switching, switching[:-1])
    np.testing.assert_array_equal(ledger.redundant, redundant[:-1])
    np.testing.assert_array_equal(activity.in_changed_words, in_changed[:-1])
    np.testing.assert_array_equal(activity.check_switching, switching[-1])
    np.testing.assert_array_equal(activity.check_redundant, redundant[-1])
    assert activity.cells == count * bits
    assert activity.check_cells == len(slow_checks(words[0], bits))


def slow_bill(design, surface, pulses, bits, words):
    """Energy of pulses and of reads, J, bit by bit."""
    costs = {}
    for k, direction in enumerate(DIRECTIONS):
        pulse = direction, pulses.amplitude_V[0, k], pulses.duration_s[0, k]
        for switching in (True, False):
            if design.early_termination:
                cost = terminated_energy(surface, *pulse, DETECTOR, switching=switching)
            else:
                cost = surface.energy(*pulse, switching=switching)
            costs[switching, 1 - k] = float(cost)
    spent, read = 0.0, 0.0
    for plane, old, new, word_changes in slow_bits(bits, words):
        if plane == bits and not design.correction:
            continue
        if design.skip != "nothing":
            read += READ[old]
        if old != new or design.skip == "nothing" or (design.skip == "words" and word_changes):
            spent += costs[old != new, new]
    return spent, read


@pytest.fixture(scope="module")
def writes():
    # 11 words of 12 bits, 5 of them a block: the last block is not full.
    words = written(12, 11, 4, 3)
    return words, *counted(12, words)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: f"{design.code} {design.name}")
def test_bill_of_every_design_is_that_of_each_bit(design, analytic_surface, writes):
    words, ledger, activity = writes
    pulses = reliable_pulses(design, analytic_surface, ledger, 12, DETECTOR)
    account = account_of(
        design, analytic_surface, pulses, ledger, activity, read_energy_J=READ, detector=DETECTOR
    )
    spent, read = slow_bill(design, analytic_surface, pulses, 12, words)
    assert account.write_energy_J == pytest.approx(spent, rel=1e-12)
    assert account.reads_J.sum() == pytest.approx(read, rel=1e-12)
    assert account.programming_energy_J == pytest.approx(spent + read, rel=1e-12)
    planes = 13 if design.correction else 12
    assert {array.shape for array in account} == {(planes, 2)}
    # What the pulses reach: 1e-9, or with correction what makes a block as good.
    allowed = allowed_error_rate(1e-9, 60) if design.correction else 1e-9
    for k, direction in enumerate(DIRECTIONS):
        rate = analytic_surface.ber(direction, pulses.amplitude_V[0, k], pulses.duration_s[0, k])
        assert rate <= allowed * (1.0 + 1e-6)


def test_bill_without_any_device_is_the_ledger_of_the_memory(analytic_surface, writes):
    _, ledger, activity = writes
    pulses = reliable_pulses(ExactDesign(), analytic_surface, ledger, 12, DETECTOR)
    assert (pulses.amplitude_V == 0.8).all()
    energies = [
        [
            float(analytic_surface.energy(one, 0.8, pulses.duration_s[0, 0], switching=kind))
            for one in DIRECTIONS
        ]
        for kind in (True, False)
    ]
    for skip, first in (("nothing", False), ("bits", True)):
        account = account_of(
            ExactDesign(skip=skip), analytic_surface, pulses, ledger, activity,
            read_energy_J=READ, detector=DETECTOR,
        )  # fmt: skip
        conditions = WriteConditions((0.0, 0.0), *energies, read_before_write=first, read_energy_J=READ)
        assert account.programming_energy_J == pytest.approx(ledger.energy_J(conditions), rel=1e-12)


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from([design for design in DESIGNS if not design.pulse_per_direction]),
    st.lists(st.integers(0, 10**9), min_size=32, max_size=32),
)
def test_a_pulse_for_each_direction_is_the_cheapest_of_all_reliable_ones(analytic_surface, design, counts):
    numbers = np.array(counts).reshape(2, 8, 2)
    none = np.zeros((8, 2), dtype=np.int64)
    ledger = WriteLedger(numbers[0] + 1, numbers[1], none, none)
    detector = DETECTOR
    own = reliable_pulses(design._replace(pulse_per_direction=True), analytic_surface, ledger, 8, detector)
    rate = allowed_error_rate(1e-9) if design.correction else 1e-9
    redundant = ledger.redundant.sum(axis=0) * (design.skip != "bits")

    def cost(k, amplitude, duration):
        def energy(switching):
            pulse = DIRECTIONS[k], amplitude, duration
            if design.early_termination:
                return float(terminated_energy(analytic_surface, *pulse, detector, switching=switching))
            return float(analytic_surface.energy(*pulse, switching=switching))

        return ledger.switching[:, k].sum() * energy(True) + redundant[k] * energy(False)

    for k, direction in enumerate(DIRECTIONS):
        chosen = cost(k, own.amplitude_V[0, k], own.duration_s[0, k])
        for amplitude in (0.5, 0.7, 0.9, 1.2):
            pulse = analytic_surface.cheapest_pulse(direction, rate, vary="duration", amplitude=amplitude)
            # 0.2 %: what lies between the amplitudes of the refined grid.
            assert chosen <= cost(k, amplitude, pulse.duration_s) * 1.002


def test_names_of_designs():
    assert len(set(DESIGNS)) == len(DESIGNS) == 2 * 3 * 2**4
    assert len({design.name for design in DESIGNS}) == len(DESIGNS)
    assert ExactDesign().name == BASELINE == "reliable"
    assert DESIGNS[0] == ExactDesign()
    assert set(EXACT.values()) <= set(DESIGNS)
    design = ExactDesign("gray", "bits", correction=True, momentum=True)
    assert design.name == "gray + skip bits + correction + momentum"
    every = [*EXACT, *ALL_EXACT, "all"]
    assert chosen_levers([*every, *every]) == ([*EXACT, *ALL_EXACT], ["all"])


def test_the_nominal_pulse_is_searched_for_once(analytic_surface):
    pulse = nominal_pulse(analytic_surface, 1e-9)
    assert pulse is nominal_pulse(analytic_surface, 1e-9)
    assert pulse == analytic_surface.cheapest_pulse("both", 1e-9, vary="duration")


def test_correction_of_a_block_of_short_words():
    assert CheckBits.data_bits(3) == 63 < BLOCK_BITS
    assert allowed_error_rate(1e-9, 63) > allowed_error_rate(1e-9, 64)
