"""Writes whose reads may be wrong, against a slow memory that treats one bit after the other."""

from collections import Counter
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mtjchar.errors import InputError
from mtjchar.network.ledger import WriteConditions, WriteLedger, WrongReads
from mtjchar.network.memory import ApproximateMemory, draw_devices
from mtjchar.network.reads import ReadConditions, read_conditions

SWITCHING, REDUNDANT, READ = (1.0e-12, 1.5e-12), (0.8e-12, 2.1e-12), (3e-14, 5e-14)
EVENTS = ("switching", "redundant", "retried", "failed", *WrongReads._fields)


def here(error_rate, read_error, disturb, read_first, retries):
    return WriteConditions(
        error_rate, SWITCHING, REDUNDANT, read_first, retries, READ,
        read_error_rate=read_error, read_disturb_rate=disturb,
    )  # fmt: skip


def ones(words):
    return int(np.unpackbits(words.view(np.uint8)).sum())


class SlowMemory:
    """Cells in a list; each is read and written alone, and each event is counted and paid for."""

    def __init__(self, words, bits, conditions, happens):
        self.cells = [[int(word) >> plane & 1 for plane in range(bits)] for word in words]
        self.conditions, self.happens = conditions, happens
        self.counts = {name: np.zeros((bits, 2), dtype=int) for name in (*EVENTS, "reads")}
        self.energy = Counter()
        self.rates = np.broadcast_to(conditions.rates, (bits, 2))

    def read(self, cell, plane):
        state = cell[plane]
        self.energy["reads"] += READ[state]
        self.counts["reads"][plane, state] += 1
        value = state ^ self.happens(self.conditions.read_error_rate[state])
        if self.happens(self.conditions.read_disturb_rate[state]):
            cell[plane] ^= 1
            self.counts["disturbed"][plane, state] += 1  # from 0 to 1 first
        return value

    def pulse(self, cell, plane, value, cause):
        direction = 1 - value
        if cell[plane] == value:
            self.energy["redundant"] += REDUNDANT[direction]
            return
        self.energy[cause] += SWITCHING[direction]
        if not self.happens(self.rates[plane, direction]):
            cell[plane] = value

    def write(self, words):
        for cell, word in zip(self.cells, words.tolist(), strict=True):
            for plane in range(len(cell)):
                self.write_bit(cell, plane, word >> plane & 1)

    def write_bit(self, cell, plane, value):
        def count(name):
            self.counts[name][plane, 1 - value] += 1

        first = self.conditions.read_before_write
        driven = not first or self.read(cell, plane) != value
        count("redundant" if cell[plane] == value else "switching")
        if not driven and cell[plane] != value:
            count("skipped")
        left = 1 + self.conditions.retries
        while driven:
            further = left <= self.conditions.retries
            if cell[plane] == value and (first or further):
                count("needless")
            if cell[plane] != value and further:
                count("retried")
            self.pulse(cell, plane, value, "retries" if further else "switching")
            left -= 1
            if not self.conditions.retries:
                break
            switched = cell[plane] == value
            driven = self.read(cell, plane) != value and left > 0
            if not driven and left > 0 and not switched:
                count("stopped")
        if cell[plane] != value:
            count("failed")

    def words(self, dtype):
        return np.array([sum(bit << k for k, bit in enumerate(cell)) for cell in self.cells], dtype=dtype)


def assert_same(memory, slow, conditions):
    ledger = memory.ledger
    for name in EVENTS:
        got = getattr(ledger, name) if name in EVENTS[:4] else getattr(ledger.misread, name)
        np.testing.assert_array_equal(got, slow.counts[name], err_msg=name)
    np.testing.assert_array_equal(ledger.reads_of_states(conditions), slow.counts["reads"])
    assert ledger.reads(conditions).sum() == slow.counts["reads"].sum()
    for cause, part in ledger.energy_by_cause_J(conditions).items():
        assert part.sum() == pytest.approx(slow.energy[cause], rel=1e-12, abs=1e-30), cause
    assert ledger.energy_J(conditions) == pytest.approx(slow.energy.total(), rel=1e-12)


CERTAIN = list(product([0.0, 1.0], repeat=2))


@pytest.mark.parametrize("read_first", [False, True])
@pytest.mark.parametrize("retries", [0, 1, 2, 3])
def test_certain_events_are_those_of_single_bits(read_first, retries):
    # All combinations of writes that fail, reads that are wrong and reads that flip, each never or always.
    # Nothing is left to chance: every count, energy and word is the slow memory's.
    rng = np.random.default_rng(1)
    for error_rate, read_error, disturb in product(CERTAIN, repeat=3):
        conditions = here(error_rate, read_error, disturb, read_first, retries)
        words = rng.integers(0, 32, (4, 60)).astype(np.uint8)
        memory = ApproximateMemory(words[0], 5)
        slow = SlowMemory(words[0], 5, conditions, happens=bool)
        for new in words[1:]:
            memory.write(new, conditions, rng)
            slow.write(new)
            np.testing.assert_array_equal(memory.words, slow.words(np.uint8))
        assert_same(memory, slow, conditions)


@pytest.mark.parametrize(
    ("error_rate", "read_error", "disturb", "read_first", "retries"),
    [
        ((0.3, 0.2), (0.1, 0.25), (0.15, 0.05), True, 0),
        ((0.3, 0.2), (0.1, 0.25), (0.15, 0.05), True, 2),
        ((0.3, 0.2), (0.1, 0.25), (0.15, 0.05), False, 2),
        ((0.05, 0.01), (0.03, 0.004), (0.0, 0.02), True, 1),
        ((0.0, 0.0), (0.01, 0.0), (0.0, 0.0), True, 0),
    ],
)
def test_counts_are_distributed_as_those_of_single_bits(error_rate, read_error, disturb, read_first, retries):
    # Mean of each count by plane and direction over 60 memories of each kind, in standard errors of the
    # difference (at least that of 0.05 events, for counts that hardly vary). 9 counts x 6 x 5 cases
    # beyond 5.5: false-alarm rate 1e-5.
    conditions = here(error_rate, read_error, disturb, read_first, retries)
    words = np.random.default_rng(5).integers(0, 8, (3, 80)).astype(np.uint8)
    fast_counts, slow_counts = [], []
    for seed in range(60):
        rng, other = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
        memory = ApproximateMemory(words[0], 3)
        slow = SlowMemory(words[0], 3, conditions, lambda rate, other=other: bool(other.random() < rate))
        for new in words[1:]:
            memory.write(new, conditions, rng)
            slow.write(new)
        ledger = memory.ledger
        fast_counts.append([*ledger.counts(), *ledger.misread, ledger.reads_of_states(conditions)])
        slow_counts.append([slow.counts[name] for name in (*EVENTS, "reads")])
    fast, expected = np.array(fast_counts, dtype=float), np.array(slow_counts, dtype=float)
    error = np.sqrt((fast.var(axis=0) + expected.var(axis=0) + 0.05) / 60)
    assert np.abs((fast.mean(axis=0) - expected.mean(axis=0)) / error).max() < 5.5


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 16), st.integers(1, 50), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5),
    st.booleans(), st.integers(0, 2), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_ledger_balances(bits, count, rate, read_error, disturb, read_first, retries, seed):
    # Ones at the end minus ones at first, by the writes alone; and every bit of the end that is wrong is
    # counted as failed.
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if bits <= 8 else np.uint16
    words = rng.integers(0, 1 << bits, (3, count), dtype=dtype)
    conditions = here((rate, 0.5 * rate), (read_error, 0.1), (disturb, 0.0), read_first, retries)
    memory, failed = ApproximateMemory(words[0], bits), 0
    for new in words[1:]:
        memory.write(new, conditions, rng)
        failed += ones(memory.words ^ new)
    ledger = memory.ledger
    assert ledger.failed.sum() == failed
    assert (ledger.switching + ledger.redundant).sum() == 2 * bits * count
    for counts in (*ledger.counts(), *ledger.misread, ledger.reads_of_states(conditions)):
        assert (counts >= 0).all()


@pytest.mark.parametrize("rate", [(0.0, 0.0), (1e-3, 2e-3), (0.05, 0.02), (0.3, 0.2)])
@pytest.mark.parametrize("read_first", [False, True])
@pytest.mark.parametrize("retries", [0, 2])
def test_reads_without_errors_change_nothing(rate, read_first, retries):
    # The same random numbers, words and counts as conditions that know nothing of wrong reads.
    words = np.random.default_rng(2).integers(0, 256, (3, 20_000)).astype(np.uint8)
    contents, states = [], []
    for conditions in (
        WriteConditions(rate, SWITCHING, REDUNDANT, read_first, retries, read_energy_J=3e-14),
        here(rate, (0.0, 0.0), (0.0, 0.0), read_first, retries),
    ):
        memory, rng = ApproximateMemory(words[0], 8), np.random.default_rng(7)
        for new in words[1:]:
            memory.write(new, conditions, rng)
        contents.append((memory.words, memory.ledger))
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]
    np.testing.assert_array_equal(contents[0][0], contents[1][0])
    assert contents[0][1] == contents[1][1]
    assert contents[1][1].wrong_reads is None


def test_errors_of_reads_do_not_matter_where_nothing_is_read():
    conditions = here((0.1, 0.1), (0.5, 0.5), (0.5, 0.5), read_first=False, retries=0)
    assert not conditions.reads_may_be_wrong
    memory = ApproximateMemory(np.zeros(100, dtype=np.uint8), 8)
    memory.write(np.full(100, 255, dtype=np.uint8), conditions, np.random.default_rng(0))
    assert memory.ledger.wrong_reads is None


def test_a_wrong_read_leaves_a_bit_that_has_to_change():
    # 800,000 bits that have to become 1, a read of 0 is wrong with 1e-3, pulses never fail.
    # Binomial, false-alarm rate 1e-9.
    conditions = here((0.0, 0.0), (1e-3, 0.5), (0.0, 0.0), read_first=True, retries=0)
    memory = ApproximateMemory(np.zeros(100_000, dtype=np.uint8), 8)
    memory.write(np.full(100_000, 255, dtype=np.uint8), conditions, np.random.default_rng(3))
    ledger = memory.ledger
    skipped = int(ledger.misread.skipped.sum())
    assert skipped == ledger.failed.sum() == ones(~memory.words)
    assert stats.binomtest(skipped, 800_000, 1e-3).pvalue > 1e-9
    causes = ledger.energy_by_cause_J(conditions)
    assert causes["switching"].sum() == pytest.approx((800_000 - skipped) * SWITCHING[0], rel=1e-12)


def test_a_wrong_read_of_a_right_bit_costs_a_redundant_write_alone():
    conditions = here((0.9, 0.9), (0.5, 1e-2), (0.0, 0.0), read_first=True, retries=0)
    memory = ApproximateMemory(np.full(100_000, 255, dtype=np.uint8), 8)
    memory.write(memory.words, conditions, np.random.default_rng(4))
    ledger = memory.ledger
    needless = int(ledger.misread.needless.sum())
    assert stats.binomtest(needless, 800_000, 1e-2).pvalue > 1e-9
    assert ledger.failed.sum() == 0
    assert ledger.energy_by_cause_J(conditions)["redundant"].sum() == pytest.approx(
        needless * REDUNDANT[0], rel=1e-12
    )


def test_cells_of_devices_fail_with_their_own_rates():
    # Devices of error rates 0 and 1, and reads that are wrong: no cell of the first device is left with an
    # unswitched bit, except those that were not driven.
    weight = np.array([1.0, 1.0])
    of_cell = draw_devices(weight, 5000, 8, np.random.default_rng(1))
    rates = np.array([[[0.0, 0.0]], [[1.0, 1.0]]])
    conditions = WriteConditions(rates, SWITCHING, REDUNDANT, True, 1, READ, weight, (0.01, 0.0), (0.0, 0.0))
    memory = ApproximateMemory(np.zeros(5000, dtype=np.uint8), 8, of_cell)
    memory.write(np.full(5000, 255, dtype=np.uint8), conditions, np.random.default_rng(2))
    stored = memory.words[:, None] >> np.arange(8) & 1
    assert (stored[of_cell == 1] == 0).all()
    assert (stored[of_cell == 0] == 0).sum() <= memory.ledger.misread.skipped.sum()
    assert memory.ledger.failed.sum() == (stored == 0).sum()


def test_reading_gives_wrong_values_and_flips_bits():
    # 0.02 of the zeros are read as ones; each of 3 reads flips 0.01 of the ones. False-alarm rate 1e-9 each.
    reads = ReadConditions((0.02, 0.0), (0.0, 0.01), 1e-14)
    memory = ApproximateMemory(np.full(100_000, 0b0011, dtype=np.uint8), 4)
    seen = memory.read(reads, np.random.default_rng(1), times=3)
    flipped = ones(memory.words ^ 0b0011)
    assert stats.binomtest(flipped, 200_000, 1.0 - 0.99**3).pvalue > 1e-9
    assert (memory.words & 0b1100 == 0).all()
    assert stats.binomtest(ones(seen & 0b1100), 200_000, 0.02).pvalue > 1e-9
    # The ledger starts from the flipped content: a write of the old words has to bring the bits back.
    memory.write(np.full(100_000, 0b0011, dtype=np.uint8), here((0.0, 0.0), *[(0.0, 0.0)] * 2, False, 0),
                 np.random.default_rng(2))  # fmt: skip
    assert memory.ledger.switching.sum() == flipped
    assert memory.ledger.failed.sum() == 0


def test_reading_without_errors_draws_nothing():
    memory = ApproximateMemory(np.arange(16, dtype=np.uint8), 4)
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    np.testing.assert_array_equal(memory.read(ReadConditions(), rng, times=5), np.arange(16))
    assert rng.bit_generator.state == before


def test_energy_of_computing_reads_is_by_state():
    # Two writes of one word of 2 bits, and three reads before each: 00 at first, then 01.
    conditions = here((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), False, 0)
    memory = ApproximateMemory(np.zeros(1, dtype=np.uint8), 2)
    for word in (1, 3):
        memory.write(np.array([word], dtype=np.uint8), conditions, np.random.default_rng(0))
    causes = memory.ledger.energy_by_cause_J(conditions, computing_reads=3.0)
    np.testing.assert_allclose(causes["computing"], [[3 * READ[0], 3 * READ[1]], [6 * READ[0], 0.0]])
    assert "computing" not in memory.ledger.energy_by_cause_J(conditions)


def test_ledgers_with_and_without_wrong_reads_add_up():
    one = np.ones((2, 2), dtype=int)
    plain = WriteLedger(one, one, 0 * one, one)
    wrong = WriteLedger(one, one, one, one, WrongReads(one, one, one, one))
    both = plain + wrong
    assert both.misread == both.wrong_reads
    np.testing.assert_array_equal(both.switching, 2 * one)
    np.testing.assert_array_equal(both.wrong_reads.skipped, one)
    assert plain != wrong
    assert plain + plain == WriteLedger(2 * one, 2 * one, 0 * one, 2 * one, WrongReads.none(2))


class Surface:
    """A read surface of two states, which checks where it is asked."""

    def operating_point(self, error, disturb, minimize):
        assert (error, disturb, minimize) == (1e-6, 1e-8, "time")
        return SimpleNamespace(voltage_V=0.2, time_s=5e-9)

    def at(self, of_states):
        def value(voltage, time, state=None):
            assert (voltage, time) == (0.2, 5e-9)
            return np.array(of_states) if state is None else np.array(of_states)[state]

        return value

    def __init__(self):
        self.read_error_rate = self.at([1e-7, 1e-6])
        self.disturb_rate = self.at([0.0, 1e-9])
        self.energy = self.at([2e-14, 1e-14])
        self.is_extrapolated, self.is_disturb_extrapolated = self.at(True), self.at(False)


def test_reads_come_from_the_operating_point_of_a_surface():
    reads = read_conditions(Surface(), error=1e-6, disturb=1e-8, minimize="time")
    assert reads.error_rate.tolist() == [1e-7, 1e-6]
    assert reads.disturb_rate.tolist() == [0.0, 1e-9]
    assert reads.energy_J.tolist() == [2e-14, 1e-14]
    assert (reads.worst_error_rate, reads.worst_disturb_rate) == (1e-6, 1e-9)
    conditions = WriteConditions((0.0, 0.0), SWITCHING, REDUNDANT, True).with_reads(reads)
    assert conditions.reads_may_be_wrong
    assert (reads.voltage_V, reads.time_s, reads.extrapolated, reads.assumed) == (0.2, 5e-9, True, False)
    assert conditions.reads.energy_J.tolist() == [2e-14, 1e-14]


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda: read_conditions(Surface(), error=0.0), "error rate of the reads: got 0.0; allowed: above 0"),
        (lambda: read_conditions(Surface(), disturb=1.0), "disturb rate of the reads: got 1"),
        (lambda: ReadConditions(energy_J=(1e-15, -1e-15)), "energy_J: got -1e-15; allowed: finite, 0 J"),
        (lambda: ReadConditions(energy_J=(1, 2, 3)), "shape of energy_J: got .*allowed: one number, or"),
        (lambda: here((0, 0), (0, 2), (0, 0), True, 0), "read_error_rate: got 2.0; allowed: 0 to 1"),
        (lambda: here((0, 0), [[0, 0]], (0, 0), True, 0), "shape of read_error_rate: .*of the population"),
    ],
)
def test_bad_reads_are_refused(give, message):
    with pytest.raises(InputError, match=message):
        give()
