from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjchar.network.ledger import WriteConditions
from mtjchar.network.masks import kinds_at, ones, ones_at, random_ones
from mtjchar.network.memory import ApproximateMemory

DIGITS = 7
rates = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))


def dtype_for(bits):
    return np.uint8 if bits <= 8 else np.uint16


@st.composite
def words_and_rates(draw, most_bits=16):
    bits = draw(st.integers(1, most_bits))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    words, after = rng.integers(0, 2**bits, (2, draw(st.integers(0, 40))), dtype=dtype_for(bits))
    planes = draw(st.sampled_from([1, bits]))
    table = [[draw(rates), draw(rates)] for _ in range(planes)]
    return bits, words, after, np.array(table)


def digits_for(words, count, rng):
    """Draw random bits as `random_ones` does: for words of 16 bits, or pairs of 8, that are not 0."""
    pairs = np.concatenate([words, np.zeros(words.nbytes % 2, words.dtype)]).view(np.uint16)
    where = pairs != 0
    size = int(where.sum())
    drawn = rng.integers(0, 2**64, (count, -(-size // 4)), dtype=np.uint64).view(np.uint16)[:, :size]
    full = np.zeros((count, pairs.size), np.uint16)
    full[:, where] = drawn
    return full.view(words.dtype).tolist()


def bit_by_bit(words, after, rates, rng):
    """Draw with the same random bits, each bit by itself, with fractions: a uniform number below the rate?

    A random bit says whether the number's digit is that of the rate.
    """
    exact = [[Fraction(rate) for rate in row] for row in rates.tolist()]
    count = next((n for n in range(DIGITS) if all(x * 2**n % 1 == 0 for row in exact for x in row)), DIGITS)
    agrees = digits_for(words, count, rng)
    drawn, left = [0] * len(words), []
    for index, (word, direction) in enumerate(zip(words.tolist(), after.tolist(), strict=True)):
        for plane in range(8 * words.itemsize):
            if not word >> plane & 1:
                continue
            rate = exact[plane if len(exact) > 1 else 0][1 - (direction >> plane & 1)]
            for digit in range(count):
                if not agrees[digit][index] >> plane & 1:
                    one = rate == 1 or floor(rate * 2 ** (digit + 1)) % 2 == 1
                    drawn[index] |= one << plane
                    break
            else:
                left.append((index, plane, Fraction(1) if rate == 1 else rate * 2**count % 1))
    if any(0 < x < 1 and x * 2**count % 1 for row in exact for x in row):
        for (index, plane, rest), number in zip(left, rng.random(len(left)).tolist(), strict=True):
            drawn[index] |= (Fraction(number) < rest) << plane
    else:
        for index, plane, rest in left:
            drawn[index] |= (rest == 1) << plane
    return np.array(drawn, dtype=words.dtype)


def places_of(words, after):
    """Index, plane and direction of each one, in order."""
    return [
        (index, plane, 1 - (direction >> plane & 1))
        for index, (word, direction) in enumerate(zip(words.tolist(), after.tolist(), strict=True))
        for plane in range(16)
        if word >> plane & 1
    ]


@settings(deadline=None, max_examples=200)
@given(words_and_rates(), st.integers(0, 2**32 - 1))
def test_ones_are_drawn_as_bit_by_bit(drawn_from, seed):
    _, words, after, rates = drawn_from
    fast = random_ones(words, after, rates, np.random.default_rng(seed))
    assert fast.dtype == words.dtype
    np.testing.assert_array_equal(fast, bit_by_bit(words, after, rates, np.random.default_rng(seed)))


class Given:
    """A generator that draws what it is given: all digits there are, and a double."""

    def __init__(self, number):
        self.number = number

    def integers(self, low, high, size, dtype):
        assert (low, high) == (0, 2**64)
        words = np.arange(2**DIGITS)
        drawn = [255 * (words >> digit & 1).astype(np.uint8) for digit in range(size[0])]
        return np.array(drawn).view(dtype)

    def random(self, count):
        assert count == 1
        return np.array([self.number])


@settings(deadline=None)
@given(st.floats(0, 1, exclude_min=True, exclude_max=True), st.integers(0, 7), st.booleans())
def test_the_probability_is_the_rate(rate, plane, to_one):
    # Exact: of all 2**7 first digits as many as the rate has steps of 2**-7 are drawn, and one more if a
    # double is below what is left of it.
    if rate * 2**DIGITS % 1 == 0:
        return
    steps, rest = divmod(Fraction(rate) * 2**DIGITS, 1)
    words = np.full(2**DIGITS, 1 << plane, dtype=np.uint8)
    table = np.zeros((8, 2))
    table[plane, 1 - to_one] = rate
    for number, more in ((float(rest), 0), (np.nextafter(float(rest), 0.0), 1), (0.0, 1)):
        assert Fraction(float(rest)) == rest
        drawn = random_ones(words, to_one * words, table, Given(number))
        assert np.count_nonzero(drawn) == steps + more


@pytest.mark.parametrize("rate", [0.0, 0.5, 0.625, 1.0])
def test_rates_of_few_digits_need_no_doubles(rate):
    class Whole:
        def __init__(self):
            self.rng = np.random.default_rng(1)

        def integers(self, *args, **kwargs):
            return self.rng.integers(*args, **kwargs)

    # 100,000 bits; 6.2 deviations of the binomial, false-alarm rate 6e-10 a case.
    words = np.ones(100_000, dtype=np.uint16)
    drawn = int(random_ones(words, words, np.array([[rate, 0.3125]]), Whole()).sum())
    assert abs(drawn - 1e5 * rate) <= 6.2 * (1e5 * rate * (1 - rate)) ** 0.5


@settings(deadline=None)
@given(words_and_rates(), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_writes_at_high_rates_are_those_of_single_bits(drawn_from, writes, retries, seed):
    # Words and all of the ledger, retries by plane and direction too, against the reference above. A bit that
    # another pulse is for has a double of its own.
    bits, old, new, rates = drawn_from
    rates = rates + (rates == rates.max()) * 0.1 * (1.0 - rates)
    rng, slow_rng = np.random.default_rng(seed), np.random.default_rng(seed)
    memory = ApproximateMemory(old, bits)
    here = WriteConditions(rates, (1e-12, 1e-12), (1e-12, 1e-12), retries=retries)
    failed, retried = np.zeros((2, bits, 2), dtype=int)
    for wanted in [new, old, new][:writes]:
        still = places_of(bit_by_bit(memory.words ^ wanted, wanted, rates, slow_rng), wanted)
        for _ in range(retries):
            for _, plane, direction in still:
                retried[plane, direction] += 1
            numbers = slow_rng.random(len(still)).tolist()
            still = [
                (index, plane, direction)
                for (index, plane, direction), number in zip(still, numbers, strict=True)
                if number < rates[plane if len(rates) > 1 else 0, direction]
            ]
        expected = wanted.copy()
        for index, plane, direction in still:
            failed[plane, direction] += 1
            expected[index] ^= 1 << plane
        memory.write(wanted, here, rng)
        np.testing.assert_array_equal(memory.words, expected)
    np.testing.assert_array_equal(memory.ledger.failed, failed)
    np.testing.assert_array_equal(memory.ledger.retried, retried)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_places_by_hand(dtype):
    words, after = np.array([[0b101, 0, 0b10], [0b001, 0, 0b10]], dtype=dtype)
    length = 8 * words.itemsize
    place = ones(words)
    assert place.tolist() == [0, 2, 2 * length + 1]
    assert kinds_at(after, place).tolist() == [0, 5, 2]
    assert ones_at(after, place).tolist() == [True, False, True]
