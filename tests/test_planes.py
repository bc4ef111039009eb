import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjchar.network.planes import PlaneCounter, count_ones


@settings(deadline=None)
@given(st.integers(1, 16), st.integers(0, 70), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_counts_are_those_of_single_arrays(bits, arrays, size, seed):
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if bits <= 8 else np.uint16
    added = rng.integers(0, 2**bits, (arrays, size), dtype=dtype)
    before = added.copy()
    counter = PlaneCounter(bits)
    expected = np.zeros(bits, dtype=np.int64)
    np.testing.assert_array_equal(counter.counts(), expected)
    for words in added:
        counter.add(words)
        expected += [np.count_nonzero(words >> plane & 1) for plane in range(bits)]
        np.testing.assert_array_equal(counter.counts(), expected)
    np.testing.assert_array_equal(added, before)


def test_a_bit_that_is_always_1():
    # Analytic: a thousand arrays of 3 words with the lowest of two bits.
    counter = PlaneCounter(2)
    for _ in range(1000):
        counter.add(np.ones(3, dtype=np.uint8))
    assert counter.counts().tolist() == [3000, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ones_by_plane(dtype):
    # By hand.
    assert count_ones(np.array([0b01, 0b11, 0b10, 0b100], dtype=dtype), 4).tolist() == [2, 2, 1, 0]
