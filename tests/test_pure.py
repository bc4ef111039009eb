"""The write without state, against the memory that keeps one; compiled and mapped by JAX."""

import doctest
import re

import jax
import numpy as np
from common import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mtjchar.network import pure
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.memory import ApproximateMemory


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 16), st.integers(0, 30), st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0]))
def test_certain_writes_are_those_of_the_memory(bits, count, to_one, to_zero):
    rng = np.random.default_rng(bits + count)
    dtype = np.uint8 if bits <= 8 else np.uint16
    words, wanted = rng.integers(0, 2**bits, (2, count, 2), dtype=dtype)
    memory = ApproximateMemory(words, bits)
    memory.write(wanted, WriteConditions((to_one, to_zero), (1, 1), (1, 1)), rng)
    stored, counts = pure.write(words, wanted, (to_one, to_zero), rng.random((bits, count, 2)))
    np.testing.assert_array_equal(stored, memory.words)
    ledger = memory.ledger
    np.testing.assert_array_equal(counts, [ledger.switching, ledger.redundant, ledger.failed])


def test_jax_compiles_it_and_gives_the_same():
    rng = np.random.default_rng(1)
    words, wanted = rng.integers(0, 256, (2, 5, 100), dtype=np.uint8)
    rates, uniform = rng.random((8, 2)), rng.random((8, 5, 100), dtype=np.float32)
    expected = pure.write(words, wanted, rates.astype(np.float32), uniform)
    compiled = jax.jit(lambda *arrays: pure.write(*arrays, xp=jax.numpy))
    for one, other in zip(compiled(words, wanted, rates, uniform), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert compiled(words, wanted, rates, uniform)[0].dtype == np.uint8


def test_failures_of_keys_of_jax_are_binomial():
    # 8 planes and 2 directions of 20,000 words, each at 1e-9: false-alarm rate below 1.6e-8.
    rates = np.linspace(0.01, 0.6, 16).reshape(8, 2)

    @jax.jit
    def write(words, wanted, key):
        return pure.write(words, wanted, rates, jax.random.uniform(key, (8, *words.shape)), xp=jax.numpy)

    words, wanted = np.random.default_rng(2).integers(0, 256, (2, 20_000), dtype=np.uint8)
    _, counts = write(words, wanted, jax.random.key(3))
    switching, _, failed = np.asarray(counts)
    for place in np.ndindex(8, 2):
        assert stats.binomtest(int(failed[place]), int(switching[place]), rates[place]).pvalue > 1e-9


def test_the_example_of_the_function_runs():
    tried = doctest.testmod(pure)
    assert tried.attempted > 0
    assert tried.failed == 0


def test_the_example_of_the_page_runs_as_printed():
    page = (ROOT / "docs/torch.md").read_text(encoding="utf-8")
    (code,) = [one for one in re.findall(r"(?s)```python\n(.*?)```", page) if "import jax" in one]
    names = {}
    exec(code, names)
    assert names["stored"].shape == (1000,)
    assert int(names["counts"][:2].sum()) == 8000
