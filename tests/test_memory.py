import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mtjchar.errors import InputError
from mtjchar.network.ledger import PerDirection, WriteConditions, WriteLedger
from mtjchar.network.masks import random_places
from mtjchar.network.memory import ApproximateMemory, draw_devices

ENERGIES = {
    "switching_energy_J": PerDirection(1.0e-12, 1.5e-12),
    "redundant_energy_J": PerDirection(0.8e-12, 2.1e-12),
}
rates = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))


def conditions(p_to_ap, ap_to_p):
    return WriteConditions(error_rate=PerDirection(p_to_ap, ap_to_p), **ENERGIES)


@st.composite
def words_before_and_after(draw):
    bits = draw(st.integers(1, 16))
    dtype = np.uint8 if bits <= 8 else np.uint16
    count = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    old, new = rng.integers(0, 2**bits, (2, count), dtype=dtype)
    same = rng.random(count) < draw(st.floats(0, 1))
    return bits, old, np.where(same, old, new).astype(dtype)


def ledger_bit_by_bit(old, new, stored, bits):
    """Count by looking at one bit after the other, and check that each is one a write can leave."""
    ledger = WriteLedger.empty(bits)
    for before, wanted, after in zip(old.tolist(), new.tolist(), stored.tolist(), strict=True):
        for plane in range(bits):
            was, want, is_now = (word >> plane & 1 for word in (before, wanted, after))
            direction = 0 if want == 1 else 1
            if was == want:
                ledger.redundant[plane, direction] += 1
                assert is_now == want
            else:
                ledger.switching[plane, direction] += 1
                ledger.failed[plane, direction] += is_now != want
    return ledger


@settings(deadline=None)
@given(words_before_and_after(), rates, rates, st.integers(0, 2**32 - 1))
def test_ledger_and_words_are_those_of_single_bit_writes(words, p_to_ap, ap_to_p, seed):
    bits, old, new = words
    memory = ApproximateMemory(old, bits)
    memory.write(new, conditions(p_to_ap, ap_to_p), np.random.default_rng(seed))
    ledger = memory.ledger
    assert ledger == ledger_bit_by_bit(old, new, memory.words, bits)
    assert memory.words.max(initial=0) < 2**bits
    for direction in range(2):
        rate = (p_to_ap, ap_to_p)[direction]
        if rate in (0.0, 1.0):
            np.testing.assert_array_equal(ledger.failed[:, direction], rate * ledger.switching[:, direction])


@settings(deadline=None)
@given(words_before_and_after())
def test_without_errors_the_words_are_exact_and_no_random_number_is_drawn(words):
    bits, old, new = words
    memory = ApproximateMemory(old, bits)
    rng = np.random.default_rng(1)
    memory.write(new, conditions(0.0, 0.0), rng)
    np.testing.assert_array_equal(memory.words, new)
    assert rng.bit_generator.state == np.random.default_rng(1).bit_generator.state


@settings(deadline=None)
@given(words_before_and_after(), st.integers(0, 2**32 - 1))
def test_certain_failure_leaves_everything(words, seed):
    bits, old, new = words
    memory = ApproximateMemory(old, bits)
    memory.write(new, conditions(1.0, 1.0), np.random.default_rng(seed))
    np.testing.assert_array_equal(memory.words, old)


@settings(deadline=None)
@given(words_before_and_after(), st.integers(0, 2**32 - 1))
def test_one_direction_fails_alone(words, seed):
    bits, old, new = words
    memory = ApproximateMemory(old, bits)
    memory.write(new, conditions(1.0, 0.0), np.random.default_rng(seed))
    np.testing.assert_array_equal(memory.words, old & new)


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("rate", [PerDirection(1e-3, 0.2), PerDirection(0.5, 3e-5)])
def test_failure_rate_of_every_bit_plane_and_direction(bits, rate):
    # Binomial test on a million words, about 250,000 writes for each plane and direction. 24 cells at
    # most, each at 1e-9: false-alarm rate below 2.4e-8 a case.
    rng = np.random.default_rng(11)
    dtype = np.uint8 if bits <= 8 else np.uint16
    old, new = rng.integers(0, 2**bits, (2, 1_000_000), dtype=dtype)
    memory = ApproximateMemory(old, bits)
    memory.write(new, conditions(*rate), rng)
    for plane in range(bits):
        was, want, is_now = ((words >> plane) & 1 for words in (old, new, memory.words))
        for direction in range(2):
            attempts = (was != want) & (want == 1 - direction)
            failed = int(np.count_nonzero(attempts & (is_now != want)))
            attempted = int(np.count_nonzero(attempts))
            assert attempted > 200_000
            assert stats.binomtest(failed, attempted, rate[direction]).pvalue > 1e-9


def test_bits_of_a_word_fail_independently():
    # Chi-square of the number of each of the 256 patterns of failures against independent bits:
    # false-alarm rate 1e-9.
    rate = 0.3
    memory = ApproximateMemory(np.zeros(500_000, dtype=np.uint8), 8)
    memory.write(np.full(500_000, 0xFF, dtype=np.uint8), conditions(rate, 0.0), np.random.default_rng(12))
    failures = np.array([8 - word.bit_count() for word in range(256)])
    expected = 500_000 * rate**failures * (1 - rate) ** (8 - failures)
    assert stats.chisquare(np.bincount(memory.words, minlength=256), expected).pvalue > 1e-9


def test_number_of_failures_of_a_write_is_binomial():
    # Chi-square of the failures in each of 20,000 writes of 16 bits: false-alarm rate 1e-9.
    rate, count, rng = 0.3, 20_000, np.random.default_rng(14)
    failed = np.empty(count, dtype=int)
    for index in range(count):
        memory = ApproximateMemory(np.full(2, 0xFF, dtype=np.uint8), 8)
        memory.write(np.zeros(2, dtype=np.uint8), conditions(0.0, rate), rng)
        failed[index] = sum(word.bit_count() for word in memory.words.tolist())
    # The rare counts from 11 on go together, as chi-square wants some five in each class.
    expected = count * np.append(stats.binom.pmf(np.arange(11), 16, rate), stats.binom.sf(10, 16, rate))
    assert stats.chisquare(np.bincount(np.minimum(failed, 11), minlength=12), expected).pvalue > 1e-9


def test_neighbouring_words_fail_independently():
    # Correlation of failures of one word with the next: normal with deviation 1/sqrt(n) if there is
    # none; 6.2 deviations, false-alarm rate 6e-10.
    count = 1_000_000
    memory = ApproximateMemory(np.zeros(count, dtype=np.uint8), 1)
    memory.write(np.ones(count, dtype=np.uint8), conditions(0.1, 0.0), np.random.default_rng(13))
    failed = memory.words == 0
    assert abs(np.corrcoef(failed[1:], failed[:-1])[0, 1]) < 6.2 / np.sqrt(count)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 16), st.integers(0, 40), rates, rates, st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_ledger_adds_up_over_writes(bits, writes, p_to_ap, ap_to_p, retries, seed):
    rng = np.random.default_rng(seed)
    old, *wanted = rng.integers(0, 2**bits, (writes + 1, 5), dtype=np.uint8 if bits <= 8 else np.uint16)
    memory = ApproximateMemory(old, bits)
    here = WriteConditions((p_to_ap, ap_to_p), **ENERGIES, retries=retries)
    slow = WriteLedger.empty(bits)
    for new in wanted:
        old = memory.words
        memory.write(new, here, rng)
        slow += ledger_bit_by_bit(old, new, memory.words, bits)
        ledger = memory.ledger  # asking in between changes nothing
        for name in ("switching", "redundant", "failed"):
            np.testing.assert_array_equal(getattr(ledger, name), getattr(slow, name))


def test_energy_by_hand():
    # 0b0011 over 0b0101: bit 0 is 1 over 1, bit 1 is 1 over 0, bit 2 is 0 over 1, bit 3 is 0 over 0.
    memory = ApproximateMemory(np.array([0b0101], dtype=np.uint8), 4)
    here = conditions(0.0, 0.0)
    memory.write(np.array([0b0011], dtype=np.uint8), here, np.random.default_rng(0))
    ledger = memory.ledger
    np.testing.assert_array_equal(ledger.switching, [[0, 0], [1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(ledger.redundant, [[1, 0], [0, 0], [0, 0], [0, 1]])
    assert ledger.failed.sum() == ledger.retried.sum() == ledger.reads(here).sum() == 0
    assert ledger.energy_J(here) == pytest.approx((1.0 + 1.5 + 0.8 + 2.1) * 1e-12, rel=1e-14)


def test_failed_writes_cost_the_switching_energy():
    memory = ApproximateMemory(np.zeros(3, dtype=np.uint8), 8)
    here = conditions(1.0, 0.0)
    memory.write(np.full(3, 0xFF, dtype=np.uint8), here, np.random.default_rng(0))
    ledger = memory.ledger
    np.testing.assert_array_equal(ledger.failed, [[3, 0]] * 8)
    assert ledger.energy_J(here) == pytest.approx(24e-12, rel=1e-14)


def test_same_seed_same_failures():
    stored = []
    for _ in range(2):
        memory = ApproximateMemory(np.zeros(1000, dtype=np.uint16), 16)
        memory.write(np.full(1000, 0xABCD, dtype=np.uint16), conditions(0.3, 0.0), np.random.default_rng(9))
        stored.append(memory.words)
    np.testing.assert_array_equal(*stored)


def test_words_are_a_snapshot():
    given_words = np.zeros(4, dtype=np.uint8)
    memory = ApproximateMemory(given_words, 8)
    given_words[:] = 7
    before = memory.words
    memory.write(given_words, conditions(0.0, 0.0), np.random.default_rng(0))
    given_words[:] = 9
    np.testing.assert_array_equal(before, 0)
    np.testing.assert_array_equal(memory.words, 7)
    with pytest.raises(ValueError, match="read-only"):
        memory.words[0] = 1


def test_any_memory_layout():
    old = np.arange(12, dtype=np.uint16).reshape(3, 4).T
    new = np.asfortranarray(np.arange(100, 112, dtype=np.uint16).reshape(4, 3))
    memory = ApproximateMemory(old, 12)
    memory.write(new, conditions(0.5, 0.5), np.random.default_rng(3))
    ledger = memory.ledger
    assert ledger == ledger_bit_by_bit(old.ravel(), new.ravel(), memory.words.ravel(), 12)


@pytest.mark.parametrize("rate", [-1e-9, 1.0000001, float("nan")])
def test_error_rate_out_of_range(rate):
    with pytest.raises(InputError, match=r"error_rate of to_zero: got .*; allowed: 0 to 1"):
        conditions(0.0, rate)


@pytest.mark.parametrize("name", list(ENERGIES))
@pytest.mark.parametrize("energy", [-1e-15, float("nan"), float("inf")])
def test_energy_out_of_range(name, energy):
    with pytest.raises(InputError, match=rf"{name} of to_one: got .*; allowed: finite, 0 J or more"):
        WriteConditions(error_rate=PerDirection(0.0, 0.0), **{**ENERGIES, name: PerDirection(energy, 0.0)})


@pytest.mark.parametrize("bits", [0, 17])
def test_bits_out_of_range(bits):
    with pytest.raises(InputError, match=rf"bits: got {bits}; allowed: 1 to 16"):
        ApproximateMemory(np.zeros(1, dtype=np.uint8), bits)


def test_words_that_do_not_fit():
    memory = ApproximateMemory(np.zeros((2, 3), dtype=np.uint8), 6)
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"shape of the words: got \(3, 2\); allowed: \(2, 3\)"):
        memory.write(np.zeros((3, 2), dtype=np.uint8), conditions(0.0, 0.0), rng)
    with pytest.raises(InputError, match="word: got 64; allowed: 0 to 63, for 6 bits"):
        memory.write(np.full((2, 3), 64, dtype=np.uint8), conditions(0.0, 0.0), rng)
    with pytest.raises(InputError, match="type of the words: got 'int64'; allowed: uint8, for 6 bits"):
        memory.write(np.zeros((2, 3), dtype=np.int64), conditions(0.0, 0.0), rng)
    assert memory.ledger == WriteLedger.empty(6)


def laddered(bits, devices=None):
    """Other error rates and energies for every plane and direction, and device."""
    rates = np.geomspace(0.5, 1e-3, 2 * bits).reshape(bits, 2)
    if devices:
        rates = np.minimum(rates * np.geomspace(0.1, 5.0, devices)[:, None, None], 1.0)
    energies = np.linspace(1e-12, 2e-12, 4 * bits).reshape(2, bits, 2)
    return rates, energies


# Highest error rates of three scales in this file: at each the failures are drawn in another way.
@pytest.mark.parametrize("scale", [1.0, 0.1, 0.02])
@pytest.mark.parametrize("bits", [8, 12])
def test_every_plane_and_direction_has_its_own_failure_rate(bits, scale):
    # Binomial test of each on a million words. 24 cells at most, each at 1e-9: false-alarm rate below
    # 2.4e-8 a case.
    rates, energies = laddered(bits)
    rng = np.random.default_rng(21)
    dtype = np.uint8 if bits <= 8 else np.uint16
    old, new = rng.integers(0, 2**bits, (2, 1_000_000), dtype=dtype)
    memory = ApproximateMemory(old, bits)
    memory.write(new, WriteConditions(scale * rates, *energies), rng)
    ledger = memory.ledger
    for plane in range(bits):
        was, want, is_now = ((words >> plane) & 1 for words in (old, new, memory.words))
        assert not np.any((was == want) & (is_now != want))
        for direction in range(2):
            attempts = (was != want) & (want == 1 - direction)
            failed = int(np.count_nonzero(attempts & (is_now != want)))
            assert ledger.failed[plane, direction] == failed
            assert ledger.switching[plane, direction] == np.count_nonzero(attempts) > 200_000
            expected = scale * rates[plane, direction]
            assert stats.binomtest(failed, int(attempts.sum()), expected).pvalue > 1e-9


def slow_energy(old, new, memory, conditions, ledger):
    """Energy of a write, one bit after the other; failures and retries by what the memory says of them."""
    switching, redundant = (
        np.asarray(one) for one in (conditions.switching_energy_J, conditions.redundant_energy_J)
    )
    energy = 0.0
    for before, wanted in zip(old.tolist(), new.tolist(), strict=True):
        for plane in range(memory.bits):
            was, want = before >> plane & 1, wanted >> plane & 1
            direction = 1 - want
            if conditions.read_before_write:
                energy += conditions.read_energy_J
                if was == want:
                    continue
            table = redundant if was == want else switching
            energy += table[plane if len(table) > 1 else 0, direction]
            if conditions.retries:
                energy += conditions.read_energy_J
    for plane in range(memory.bits):
        for direction in range(2):
            for _ in range(ledger.retried[plane, direction]):
                energy += switching[plane if len(switching) > 1 else 0, direction] + conditions.read_energy_J
    return energy


@settings(deadline=None, max_examples=60)
@given(words_before_and_after(), st.booleans(), st.integers(0, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_energy_is_the_sum_over_single_writes(words, read_first, retries, by_plane, seed):
    bits, old, new = words
    rates, energies = laddered(bits)
    one = slice(None) if by_plane else slice(0, 1)
    here = WriteConditions(rates[one], *energies[:, one], read_first, retries, read_energy_J=3e-14)
    memory = ApproximateMemory(old, bits)
    memory.write(new, here, np.random.default_rng(seed))
    ledger = memory.ledger
    counted = ledger_bit_by_bit(old, new, memory.words, bits)
    for name in ("switching", "redundant", "failed"):
        np.testing.assert_array_equal(getattr(ledger, name), getattr(counted, name))
    assert ledger.energy_J(here) == pytest.approx(slow_energy(old, new, memory, here, ledger), rel=1e-12)
    assert (ledger.retried <= retries * ledger.switching).all()
    assert (retries * ledger.failed <= ledger.retried).all()


def test_retries_by_hand():
    # Every pulse fails: 8 bits, a first pulse and two more each; a read after each of the 24.
    here = WriteConditions((1.0, 0.0), (1e-12, 0.0), (0.0, 0.0), True, retries=2, read_energy_J=1e-14)
    memory = ApproximateMemory(np.zeros(1, dtype=np.uint8), 8)
    memory.write(np.array([0xFF], dtype=np.uint8), here, np.random.default_rng(1))
    ledger = memory.ledger
    assert ledger.failed.sum() == 8
    assert ledger.retried.sum() == 16
    assert ledger.reads(here).sum() == 8 + 24
    causes = {name: part.sum() for name, part in ledger.energy_by_cause_J(here).items()}
    expected = {"switching": 8e-12, "redundant": 0.0, "retries": 16e-12, "reads": 32e-14}
    assert causes == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("retries", [1, 2])
def test_retries_take_the_failure_rate_to_a_power(retries):
    # Binomial with rate**2 or rate**3, and with rate if one pulse was repeated. False-alarm rate 2e-9 a case.
    rate, count = 0.2, 200_000
    memory = ApproximateMemory(np.zeros(count, dtype=np.uint8), 8)
    here = WriteConditions((rate, 0.0), (1e-12, 0.0), (0.0, 0.0), retries=retries)
    memory.write(np.full(count, 0xFF, dtype=np.uint8), here, np.random.default_rng(2))
    failed, retried = (int(one.sum()) for one in (memory.ledger.failed, memory.ledger.retried))
    assert stats.binomtest(failed, 8 * count, rate ** (retries + 1)).pvalue > 1e-9
    if retries == 1:
        assert stats.binomtest(retried, 8 * count, rate).pvalue > 1e-9


@pytest.mark.parametrize("high", [0.6, 0.1, 0.01])
def test_weak_cells_stay_weak(high):
    # Two kinds of devices, one that fails with the rate `high` and one that never does. Binomial test of
    # the failures of each plane's weak cells; false-alarm rate 8e-9.
    bits, count, rng = 8, 50_000, np.random.default_rng(3)
    devices = draw_devices(np.array([3.0, 1.0]), count, bits, rng)
    # Binomial with the devices' shares; false-alarm rate 1e-9.
    assert stats.binomtest(int(devices.sum()), count * bits, 0.25).pvalue > 1e-9
    memory = ApproximateMemory(np.zeros(count, dtype=np.uint8), bits, devices)
    rates = np.array([0.0, high])[:, None, None] * np.ones((1, 1, 2))
    here = WriteConditions(rates, (1e-12, 1e-12), (1e-12, 1e-12), device_weight=(3.0, 1.0))
    for word in (0xFF, 0x00, 0xFF):
        before = memory.words
        wanted = np.full(count, word, dtype=np.uint8)
        memory.write(wanted, here, rng)
        for plane in range(bits):
            switches, failed = ((one >> plane) & 1 == 1 for one in (before ^ wanted, memory.words ^ wanted))
            weak = devices[:, plane] == 1
            assert not np.any(failed & ~weak)
            attempts = int(np.count_nonzero(switches & weak))
            assert stats.binomtest(int(np.count_nonzero(failed)), attempts, high).pvalue > 1e-9


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_devices_with_their_own_rates_in_each_plane_and_direction(scale):
    # Binomial tests, 8 devices x 4 planes x 2 directions at 1e-9 each: false-alarm rate 6.4e-8 a case.
    bits, count, kinds, rng = 4, 400_000, 8, np.random.default_rng(4)
    rates, energies = laddered(bits, kinds)
    rates *= scale
    devices = draw_devices(np.ones(kinds), count, bits, rng)
    old, new = rng.integers(0, 2**bits, (2, count), dtype=np.uint8)
    memory = ApproximateMemory(old, bits, devices)
    memory.write(new, WriteConditions(rates, *energies, device_weight=np.ones(kinds)), rng)
    for plane in range(bits):
        was, want, is_now = ((words >> plane) & 1 for words in (old, new, memory.words))
        for kind in range(kinds):
            for direction in range(2):
                attempts = (was != want) & (want == 1 - direction) & (devices[:, plane] == kind)
                failed = int(np.count_nonzero(attempts & (is_now != want)))
                expected = rates[kind, plane, direction]
                assert stats.binomtest(failed, int(attempts.sum()), expected).pvalue > 1e-9


@pytest.mark.parametrize("rate", [1e-12, 1e-6, 1e-3, 0.1, 0.3, 0.5])
def test_random_places_are_binomial_ascending_and_even(rate):
    # Binomial test of their number and, where there are many, Kolmogorov-Smirnov of where they are; 2e-9.
    count = int(min(max(2e5 / rate, 1e6), 2e9)) if rate < 0.1 else 1_000_000
    places = random_places(count, rate, np.random.default_rng(5))
    assert np.all(np.diff(places) > 0)
    assert places.min(initial=0) >= 0
    assert places.max(initial=0) < count
    assert stats.binomtest(len(places), count, rate).pvalue > 1e-9
    if len(places) > 1000:
        assert stats.kstest(places / count, "uniform").pvalue > 1e-9


def test_lowest_rates_draw_nothing():
    # 1e-308 is about the smallest normal number; the probability of a position is below 1e-290.
    for rate in (5e-324, 1e-308, 1e-300):
        assert random_places(1000, rate, np.random.default_rng(7)).size == 0


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.149])
def test_gaps_of_random_places_are_geometric(rate):
    # Chi-square of the gaps; false-alarm rate 1e-9.
    gaps = np.diff(random_places(2_000_000, rate, np.random.default_rng(6)))
    last = int(3.0 / rate)
    expected = len(gaps) * np.append(stats.geom.pmf(np.arange(1, last), rate), stats.geom.sf(last - 1, rate))
    observed = np.bincount(np.minimum(gaps, last), minlength=last + 1)[1:]
    assert stats.chisquare(observed, expected).pvalue > 1e-9


def test_every_place_can_be_drawn():
    # The first and the last of ten at rate 0.1, binomial; false-alarm rate 2e-9.
    rng = np.random.default_rng(7)
    drawn = np.bincount(np.concatenate([random_places(10, 0.1, rng) for _ in range(50_000)]), minlength=10)
    for place in (0, 9):
        assert stats.binomtest(int(drawn[place]), 50_000, 0.1).pvalue > 1e-9


def test_low_rates_cost_no_draws():
    rng = np.random.default_rng(8)
    counted = []

    class Counting:
        def standard_exponential(self, size):
            counted.append(size)
            return rng.standard_exponential(size)

    for _ in range(100):
        random_places(1_000_000, 1e-6, Counting())
    assert sum(counted) < 100 * 20
    assert random_places(10, 0.0, None).size == 0
    assert random_places(10, 1.0, None).tolist() == list(range(10))
    assert random_places(0, 0.3, None).size == 0


def test_rates_for_other_words_are_refused():
    rates, energies = laddered(8)
    memory = ApproximateMemory(np.zeros(3, dtype=np.uint8), 6)
    wanted, rng = np.zeros(3, dtype=np.uint8), np.random.default_rng(0)
    with pytest.raises(InputError, match="bit planes of error_rate: got 8; allowed: 6, as the words have"):
        memory.write(wanted, WriteConditions(rates, *energies), rng)
    with pytest.raises(InputError, match=r"error_rate: got 'shape \(2, 1, 2\)'; .*device_of_cell"):
        memory.write(wanted, WriteConditions(np.zeros((2, 1, 2)), (0, 0), (0, 0), device_weight=(1, 1)), rng)
    with pytest.raises(InputError, match=r"shape of device_of_cell: got \(3, 2\); allowed: \(3, 6\)"):
        ApproximateMemory(np.zeros(3, dtype=np.uint8), 6, np.zeros((3, 2), dtype=int))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error_rate": (0.1,)}, r"shape of error_rate: got \(1,\); allowed: \(2,\), \(bits, 2\) or"),
        ({"error_rate": np.zeros((2, 2, 2))}, "device_weight: got None; allowed: 2 finite numbers"),
        ({"error_rate": np.zeros((2, 2, 2)), "device_weight": (0, 0)}, r"device_weight: got \(0, 0\)"),
        ({"switching_energy_J": np.zeros((2, 2, 2))}, r"shape of switching_energy_J: got \(2, 2, 2\)"),
        ({"retries": -1}, "retries: got -1; allowed: an integer, 0 or more"),
        ({"read_energy_J": float("nan")}, "read_energy_J: got nan; allowed: finite, 0 J or more"),
    ],
)
def test_conditions_out_of_range(change, message):
    with pytest.raises(InputError, match=message):
        WriteConditions(**{"error_rate": (0.0, 0.0), **ENERGIES, **change})
