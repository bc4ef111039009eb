"""Check bits: the code of M. Y. Hsiao, IBM J. Res. Dev. 14, 395 (1970), doi:10.1147/rd.144.0395."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from mtjchar.network.correction import BLOCK_BITS, CheckBits, allowed_error_rate, parity_check_columns


def columns_and_check_bits(data_bits):
    """Give all columns of the parity-check matrix as numbers: of the data bits, then of the check bits."""
    columns = [int(column) for column in parity_check_columns(data_bits)]
    check_bits = max(columns).bit_length()
    return [*columns, *(1 << k for k in range(check_bits))], check_bits


@pytest.mark.parametrize("data_bits", range(1, BLOCK_BITS + 1))
def test_columns_are_different_and_odd_and_no_more_than_are_needed(data_bits):
    columns, check_bits = columns_and_check_bits(data_bits)
    assert len(set(columns)) == len(columns) == data_bits + check_bits
    assert all(column.bit_count() % 2 == 1 for column in columns)
    # Analytic: c check bits have 2**(c-1) columns of odd weight, c of them those of the check bits.
    assert 2 ** (check_bits - 1) - check_bits >= data_bits
    assert check_bits == 3 or 2 ** (check_bits - 2) - (check_bits - 1) < data_bits


def test_64_bits_have_8_check_bits_of_least_weight():
    # Published: Hsiao's (72, 64) code has 8 columns of weight 1, 56 of weight 3 and 8 of weight 5.
    columns, check_bits = columns_and_check_bits(64)
    assert check_bits == 8
    weights = np.bincount([column.bit_count() for column in columns])
    assert weights.tolist() == [0, 8, 0, 56, 0, 8]


@pytest.mark.parametrize("data_bits", [60, 64])
def test_each_single_error_is_corrected_and_each_double_one_detected(data_bits):
    # By enumeration: the syndrome of an error is the sum of the columns of the bits that are wrong.
    columns, _ = columns_and_check_bits(data_bits)
    singles = set(columns)
    assert len(singles) == len(columns)
    assert 0 not in singles
    doubles = {one ^ other for one, other in combinations(columns, 2)}
    assert 0 not in doubles
    assert not singles & doubles


def slow_checks(words, bits):
    """Check bits of all blocks, one by one, from the matrix."""
    of_block = BLOCK_BITS // bits
    columns = [int(column) for column in parity_check_columns(of_block * bits)]
    check_bits = max(columns).bit_length()
    checks = []
    for first in range(0, len(words), of_block):
        data = [int(word) >> k & 1 for word in words[first : first + of_block] for k in range(bits)]
        for check in range(check_bits):
            checks.append(
                sum(bit * (column >> check & 1) for bit, column in zip(data, columns, strict=False)) % 2
            )
    return checks


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1, 2, 3, 4, 8, 12, 16]), st.integers(1, 90), st.integers(1, 4), st.integers(0, 2**32))
def test_changes_are_those_of_the_matrix(bits, count, writes, seed):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << bits, (writes + 1, count)).astype(np.uint8 if bits <= 8 else np.uint16)
    counted = CheckBits(words[0], bits)
    switching, redundant = [0, 0], [0, 0]
    for before, after in pairwise(words):
        counted.write(after)
        for old, new in zip(slow_checks(before, bits), slow_checks(after, bits), strict=True):
            (switching if old != new else redundant)[0 if new else 1] += 1
    assert counted.switching.tolist() == switching
    assert counted.redundant.tolist() == redundant
    assert counted.cells == len(slow_checks(words[0], bits))
    assert sum(switching) + sum(redundant) == writes * counted.cells


def test_blocks_of_whole_words():
    assert [CheckBits.data_bits(bits) for bits in (1, 2, 3, 8, 12, 16)] == [64, 64, 63, 64, 60, 64]


@settings(max_examples=50, deadline=None)
@given(st.floats(-11.0, -2.1), st.integers(1, BLOCK_BITS))
def test_allowed_rate_against_the_binomial_sum(exponent, data_bits):
    reliable = 10.0**exponent
    rate = allowed_error_rate(reliable, data_bits)
    bits = len(columns_and_check_bits(data_bits)[0])
    # Analytic: two or more wrong of all bits, as likely as one or more of the data bits at `reliable`.
    two_or_more = sum(binom.pmf(k, bits, rate) for k in range(2, bits + 1))
    assert two_or_more == pytest.approx(-np.expm1(data_bits * np.log1p(-reliable)), rel=1e-6, abs=0.0)
    assert rate > reliable
    assert allowed_error_rate(1.1 * reliable, data_bits) > rate


def test_allowed_rate_against_drawn_blocks():
    # Binomial, 4e5 blocks each, 6.1 sigma of the difference: false-alarm rate 1e-9.
    rng, blocks, reliable = np.random.default_rng(17), 400_000, 5e-3
    rate = allowed_error_rate(reliable)
    corrected = rng.binomial(72, rate, blocks) >= 2
    plain = rng.binomial(64, reliable, blocks) >= 1
    share = 0.5 * (corrected.mean() + plain.mean())
    assert share > 0.2
    assert abs(corrected.mean() - plain.mean()) < 6.1 * np.sqrt(2.0 * share * (1.0 - share) / blocks)
