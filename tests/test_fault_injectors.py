"""The fault injectors of docs/export.md: NumPy, PyTorch and JAX, as they are printed."""

import gc
import os
import re
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from common import ROOT

from mtjchar.export import export_surface
from mtjchar.network.choice import one_pulse, write_conditions
from mtjchar.network.memory import ApproximateMemory
from mtjchar.surfaces import WriteSurface

FILES = {
    "csv": "ber.csv", "parquet": "ber.parquet", "json": "ber.json", "netcdf": "ber.nc", "npz": "ber.npz",
    "ber-matrix": "ber-matrix.npz",
}  # fmt: skip
RATES = {"p_to_ap": 0.03, "ap_to_p": 0.2}
TYPES = ["int8", "uint8", "int16", "float32"]
# Binomial, 6.1 sigma: false-alarm rate 1e-9 a comparison.
SIGMAS = 6.1


@pytest.fixture(scope="module")
def documented(characterized_surface, tmp_path_factory):
    """Variables of the Python in docs/export.md, run from its beginning with the files it names."""
    code = re.findall(r"(?s)```python\n(.*?)```", (ROOT / "docs/export.md").read_text(encoding="utf-8"))
    before, folder = Path.cwd(), tmp_path_factory.mktemp("export")
    os.chdir(folder)
    try:
        Path("run").mkdir()
        characterized_surface.save("run/surface.nc")
        for format_, name in FILES.items():
            export_surface(characterized_surface, format_, name)
        variables = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # lines for a reader, who closes no file
            exec("\n".join(code), variables)
            gc.collect()
    finally:
        os.chdir(before)
    return {**variables, "folder": folder}


def by_numpy(names, old, new, seed):
    return names["write"](old, new, RATES, np.random.default_rng(seed))


def by_torch(names, old, new, seed):
    as_tensors = torch.from_numpy(old), torch.from_numpy(new)
    return names["write_torch"](*as_tensors, RATES, torch.Generator().manual_seed(seed)).numpy()


def by_jax(names, old, new, seed):
    return np.asarray(names["write_jax"](jnp.asarray(old), jnp.asarray(new), RATES, jax.random.key(seed)))


INJECTORS = [by_numpy, by_torch, by_jax]


def bits_of(words):
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("inject", INJECTORS)
def test_bits_fail_at_the_rate_of_their_direction(documented, inject, dtype):
    drawn = np.random.default_rng(1).integers(0, 256, (2, 300, 50 * np.dtype(dtype).itemsize), dtype=np.uint8)
    drawn[..., 3::4] &= 0x3F  # no NaN among the numbers of float32, which a copy may change
    old, new = drawn.view(dtype)
    after = inject(documented, old, new, 3)
    assert (after.dtype, after.shape) == (new.dtype, new.shape)
    was, shall, bits = map(bits_of, (old, new, after))
    assert (bits[was == shall] == shall[was == shall]).all()
    # A 1 is the antiparallel state, as in the memory.
    for direction, written in (("p_to_ap", 1), ("ap_to_p", 0)):
        switching = (was != shall) & (shall == written)
        failed, rate = (bits != shall)[switching].sum(), RATES[direction]
        spread = np.sqrt(rate * (1.0 - rate) * switching.sum())
        assert abs(failed - rate * switching.sum()) < SIGMAS * spread
        assert failed > 100


@pytest.mark.parametrize("inject", INJECTORS)
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_no_bit_and_every_bit_fails(documented, monkeypatch, inject, rate):
    monkeypatch.setitem(RATES, "p_to_ap", rate)
    monkeypatch.setitem(RATES, "ap_to_p", rate)
    old, new = np.random.default_rng(2).integers(-128, 128, (2, 40, 30), dtype=np.int8)
    np.testing.assert_array_equal(inject(documented, old, new, 1), old if rate else new)


def test_small_rates_are_not_lost(documented, monkeypatch):
    # 4e6 bits at 6e-6 give 24 failures on average; none or 60 and more have a probability of 5e-10 (Poisson).
    monkeypatch.setitem(RATES, "p_to_ap", 6e-6)
    old, new = np.zeros(500_000, dtype=np.uint8), np.full(500_000, 255, dtype=np.uint8)
    for inject in INJECTORS:
        assert 0 < bits_of(inject(documented, old, new, 5) ^ new).sum() < 60


@pytest.mark.parametrize("inject", INJECTORS)
def test_the_seed_alone_decides(documented, inject):
    old, new = np.random.default_rng(4).integers(-128, 128, (2, 40, 30), dtype=np.int8)
    first, again, other = (inject(documented, old, new, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_rates_between_the_points_are_those_of_the_surface(documented, characterized_surface):
    rng = np.random.default_rng(6)
    for amplitude, duration in zip(rng.uniform(0.4, 1.2, 30), rng.uniform(1e-9, 20e-9, 30), strict=True):
        rates = documented["error_rates"](documented["folder"] / "ber-matrix.npz", amplitude, duration)
        for direction in characterized_surface.directions:
            expected = float(characterized_surface.ber(direction, amplitude, duration))
            assert rates[direction] == pytest.approx(expected, rel=1e-9)


def test_rates_outside_the_table_are_refused(documented):
    for pulse in ((0.3, 8e-9), (1.3, 8e-9), (0.8, 0.5e-9), (0.8, 61e-9)):
        with pytest.raises(ValueError, match="outside the table"):
            documented["error_rates"](documented["folder"] / "ber-matrix.npz", *pulse)


def test_the_edge_is_inside_however_it_is_written(documented):
    assert documented["error_rates"](documented["folder"] / "ber-matrix.npz", 12 * 0.1, 60 * 1e-9)


def test_rates_of_a_grid_of_ones_own(documented, characterized_surface, tmp_path):
    from mtjchar.export import Settings

    settings = Settings(amplitudes=[0.7, 0.8], durations=[2e-9, 8e-9])
    export_surface(characterized_surface, "ber-matrix", tmp_path / "t.npz", settings)
    rates = documented["error_rates"](tmp_path / "t.npz", 0.8, 8e-9)
    assert rates["ap_to_p"] == pytest.approx(float(characterized_surface.ber("ap_to_p", 0.8, 8e-9)))


def test_bits_of_the_injector_are_those_of_the_memory(documented, characterized_surface: WriteSurface):
    # P to AP writes a 1, see docs/architecture.md: ones over zeros fail at its rate in the exported file, and
    # in the memory; 4 comparisons.
    rates = documented["error_rates"](documented["folder"] / "ber-matrix.npz", 0.8, 2e-9)
    zeros, ones = np.zeros(50_000, dtype=np.uint8), np.full(50_000, 255, dtype=np.uint8)
    conditions = write_conditions(characterized_surface, one_pulse(0.8, 2e-9))
    bits = 8 * zeros.size
    for old, new, direction in ((zeros, ones, "p_to_ap"), (ones, zeros, "ap_to_p")):
        memory = ApproximateMemory(old, 8)
        memory.write(new, conditions, np.random.default_rng(8))
        injected = documented["write"](old, new, rates, np.random.default_rng(9))
        for after in (memory.words, injected):
            failed, rate = np.unpackbits(after ^ new).sum(), rates[direction]
            assert abs(failed - rate * bits) < SIGMAS * np.sqrt(rate * (1.0 - rate) * bits)
    # The other direction's rate would not pass: it is further away than twice what is allowed.
    apart = abs(rates["p_to_ap"] - rates["ap_to_p"]) * bits
    assert apart > 2.0 * SIGMAS * np.sqrt(max(rates.values()) * bits)
