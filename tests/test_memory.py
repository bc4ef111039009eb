import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mtjchar.errors import InputError
from mtjchar.network.memory import ApproximateMemory, PerDirection, WriteConditions, WriteLedger

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
    counts = {name: [0, 0] for name in ("switching", "redundant", "failed")}
    for before, wanted, after in zip(old.tolist(), new.tolist(), stored.tolist(), strict=True):
        for plane in range(bits):
            was, want, is_now = (word >> plane & 1 for word in (before, wanted, after))
            direction = 0 if want == 1 else 1
            if was == want:
                counts["redundant"][direction] += 1
                assert is_now == want
            else:
                counts["switching"][direction] += 1
                counts["failed"][direction] += is_now != want
    return WriteLedger(**{name: PerDirection(*pair) for name, pair in counts.items()})


@settings(deadline=None)
@given(words_before_and_after(), rates, rates, st.integers(0, 2**32 - 1))
def test_ledger_and_words_are_those_of_single_bit_writes(words, p_to_ap, ap_to_p, seed):
    bits, old, new = words
    memory = ApproximateMemory(old, bits)
    ledger = memory.write(new, conditions(p_to_ap, ap_to_p), np.random.default_rng(seed))
    assert ledger == ledger_bit_by_bit(old, new, memory.words, bits)
    assert memory.ledger == ledger
    assert memory.words.max(initial=0) < 2**bits
    for direction in range(2):
        rate = (p_to_ap, ap_to_p)[direction]
        if rate in (0.0, 1.0):
            assert ledger.failed[direction] == rate * ledger.switching[direction]


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
        failed[index] = memory.write(np.zeros(2, dtype=np.uint8), conditions(0.0, rate), rng).failed.ap_to_p
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


def test_ledger_adds_up_over_writes():
    rng = np.random.default_rng(4)
    memory = ApproximateMemory(np.zeros((5, 7), dtype=np.uint8), 8)
    ledgers = [
        memory.write(rng.integers(0, 256, (5, 7), dtype=np.uint8), conditions(0.2, 0.1), rng)
        for _ in range(10)
    ]
    assert memory.ledger == sum(ledgers, start=WriteLedger())
    assert sum(memory.ledger.switching) + sum(memory.ledger.redundant) == 10 * 5 * 7 * 8


def test_energy_by_hand():
    # 0b0011 over 0b0101: bit 0 is 1 over 1, bit 1 is 1 over 0, bit 2 is 0 over 1, bit 3 is 0 over 0.
    memory = ApproximateMemory(np.array([0b0101], dtype=np.uint8), 4)
    here = conditions(0.0, 0.0)
    ledger = memory.write(np.array([0b0011], dtype=np.uint8), here, np.random.default_rng(0))
    assert ledger == WriteLedger(
        switching=PerDirection(1, 1), redundant=PerDirection(1, 1), failed=PerDirection(0, 0)
    )
    assert ledger.energy_J(here) == pytest.approx((1.0 + 1.5 + 0.8 + 2.1) * 1e-12, rel=1e-14)


def test_failed_writes_cost_the_switching_energy():
    memory = ApproximateMemory(np.zeros(3, dtype=np.uint8), 8)
    here = conditions(1.0, 0.0)
    ledger = memory.write(np.full(3, 0xFF, dtype=np.uint8), here, np.random.default_rng(0))
    assert ledger.failed.p_to_ap == 24
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
    ledger = memory.write(new, conditions(0.5, 0.5), np.random.default_rng(3))
    assert ledger == ledger_bit_by_bit(old.ravel(), new.ravel(), memory.words.ravel(), 12)


@pytest.mark.parametrize("rate", [-1e-9, 1.0000001, float("nan")])
def test_error_rate_out_of_range(rate):
    with pytest.raises(InputError, match=r"error_rate of ap_to_p: got .*; allowed: 0 to 1"):
        conditions(0.0, rate)


@pytest.mark.parametrize("name", list(ENERGIES))
@pytest.mark.parametrize("energy", [-1e-15, float("nan"), float("inf")])
def test_energy_out_of_range(name, energy):
    with pytest.raises(InputError, match=rf"{name} of p_to_ap: got .*; allowed: finite, 0 J or more"):
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
    assert memory.ledger == WriteLedger()
