"""The memory of PyTorch parameters against the one of numpy, a slow count, and the exact error rates."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from mtjchar.errors import InputError
from mtjchar.network.allocation import Pulses
from mtjchar.network.encoding import CODES, FixedPoint
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.memory import ApproximateMemory
from mtjchar.torch import MemoryParameters
from mtjchar.torch.bank import Bank, Stored
from mtjchar.torch.codec import Codec
from mtjchar.torch.counter import TensorCounter
from mtjchar.torch.failures import DenseDraws, SparseDraws

CPU = torch.device("cpu")
WAYS = [SparseDraws, DenseDraws]
GIVEN = dict.fromkeys(["first.weight", "first.bias", "norm.weight", "norm.bias", "last.weight"], 2.0)


def conditions(*rates, **options):
    return WriteConditions(rates, (1.0e-12, 1.5e-12), (0.8e-12, 2.1e-12), **options)


class Tied(nn.Module):
    """Shares weights of two layers, has a buffer, a frozen parameter and one without a gradient."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.norm = nn.Linear(6, 6), nn.BatchNorm1d(6)
        self.last = nn.Linear(6, 6, bias=False)
        self.shared = nn.Linear(6, 6, bias=False)
        self.shared.weight = self.last.weight
        self.frozen = nn.Parameter(torch.full((3,), 0.3), requires_grad=False)
        self.unused = nn.Parameter(torch.full((2,), 0.7))

    def forward(self, x):
        return self.shared(torch.relu(self.last(self.norm(torch.relu(self.first(x))))))


def step(model, optimizer, seed=0):
    torch.manual_seed(seed)
    optimizer.zero_grad()
    model(torch.randn(20, 6)).square().mean().backward()
    optimizer.step()


def as_uint(words):
    """Words as numpy's memory has them."""
    array = words.numpy()
    return array if array.dtype == np.uint8 else array.view(np.uint16)


# ---- codes ----------------------------------------------------------------------------------------------


class GivenNoise:
    """The bits that numpy's generator gives to `FixedPoint.encode`."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def shared(self, steps):
        return torch.tensor([int(self._rng.integers(0, steps))])

    def words(self, count, dtype):
        drawn = self._rng.integers(0, 1 << 64, -(-count * dtype.itemsize // 8), dtype=np.uint64)
        return torch.from_numpy(drawn.view(np.uint8 if dtype == torch.uint8 else np.int16)[:count].copy())


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(CODES),
    st.integers(2, 16),
    st.floats(1e-3, 10.0),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_words_and_values_are_those_of_fixed_point(code, bits, full_scale, stochastic, seed):
    # Values within and beyond the range, levels, and middles between two levels.
    fixed = FixedPoint(bits, full_scale, code)
    rng = np.random.default_rng(seed)
    levels = rng.integers(-(2 ** (bits - 1)) - 3, 2 ** (bits - 1) + 3, 300) + rng.choice(
        [0.0, 0.5, 0.31], 300
    )
    values = (levels * np.float32(fixed.lsb)).astype(np.float32)
    values[:2] = np.inf, -np.inf
    codec = Codec(bits, code, CPU)
    lsb = float(np.float32(fixed.lsb))
    dtype = torch.float32 if bits <= 8 else torch.float64
    scaled = codec.scaled(
        torch.from_numpy(values), torch.full((300,), 1.0 / lsb, dtype=torch.float64).to(dtype)
    )
    words = codec.words(scaled, GivenNoise(seed) if stochastic else None)
    expected = fixed.encode(values, np.random.default_rng(seed) if stochastic else None)
    np.testing.assert_array_equal(as_uint(words), expected)
    shown = codec.levels(words) * torch.tensor(np.float32(fixed.lsb))
    np.testing.assert_array_equal(shown.numpy(), fixed.decode(expected))


def test_stochastic_rounding_keeps_the_mean():
    # Share of ups of 400,000 values at 0.3 of a level: binomial, and what all values of a call share moves it
    # by up to 2**-9. Tested against both ends; false-alarm rate 1e-9.
    parameter = nn.Parameter(torch.zeros(400_000))
    stored = [Stored("w", parameter, FixedPoint(8, 128.0, "gray"))]
    with torch.no_grad():
        bank = Bank(stored, conditions(0.0, 0.0), True, torch.Generator().manual_seed(5))
        parameter.fill_(0.3)
        bank.write((0,))
        ups = int(parameter.sum())
    assert set(parameter.unique().tolist()) == {0.0, 1.0}
    assert stats.binom.sf(ups, 400_000, 0.3 + 2**-9) > 0.5e-9
    assert stats.binom.cdf(ups, 400_000, 0.3 - 2**-9) > 0.5e-9


# ---- failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("rate", [(1e-3, 4e-3), (0.5, 3e-5), (0.02, 0.02)])
def test_failure_rate_of_every_bit_plane_and_direction(way, bits, rate):
    # As tests/test_memory.py holds numpy's memory: binomial test on 150,000 words, about 37,000 writes for
    # each plane and direction. 24 cells at most, each at 1e-9: false-alarm rate below 2.4e-8 a case.
    old, wanted, failed = drawn_failures(way, bits, conditions(*rate), 150_000, 11)
    for plane in range(bits):
        was, want, fails = ((words >> plane) & 1 for words in (old, wanted, failed))
        assert not (fails & (was == want)).any()
        for direction in range(2):
            attempts = (was != want) & (want == 1 - direction)
            attempted, missed = int(attempts.sum()), int(fails[attempts].sum())
            assert attempted > 36_000
            assert stats.binomtest(missed, attempted, rate[direction]).pvalue > 1e-9


def drawn_failures(way, bits, those, count, seed, device_of_cell=None, changing=None):
    """Old words, new words and failures, unsigned."""
    rng = np.random.default_rng(seed)
    old, wanted = rng.integers(0, 2**bits, (2, count), dtype=np.uint8 if bits <= 8 else np.uint16)
    if changing is not None:
        old, wanted = (np.full(count, one, dtype=old.dtype) for one in changing)
    as_tensor = [torch.from_numpy(one if bits <= 8 else one.view(np.int16)) for one in (old, wanted)]
    draws = way(those, bits, torch.Generator().manual_seed(seed), CPU)
    failed = draws.failed(as_tensor[0] ^ as_tensor[1], as_tensor[1], device_of_cell)
    return old, wanted, as_uint(failed)


@pytest.mark.parametrize("way", WAYS)
def test_planes_have_their_own_rates_and_cells_those_of_their_device(way):
    # Binomial tests of 4 planes, 2 directions and 3 devices at 1e-9 each: false-alarm rate 2.4e-8 a case.
    rates = np.random.default_rng(2).uniform(0.0, 0.6, (3, 4, 2))
    those = conditions(0.0, 0.0)
    those = WriteConditions(rates, (1.0, 1.0), (1.0, 1.0), device_weight=(1.0, 1.0, 1.0))
    devices = torch.from_numpy(np.random.default_rng(3).integers(0, 3, (90_000, 4), dtype=np.int32))
    old, wanted, failed = drawn_failures(way, 4, those, 90_000, 4, devices)
    for plane in range(4):
        was, want, fails = ((words >> plane) & 1 for words in (old, wanted, failed))
        for direction in range(2):
            for device in range(3):
                attempts = (was != want) & (want == 1 - direction) & (devices[:, plane].numpy() == device)
                missed, attempted = int(fails[attempts].sum()), int(attempts.sum())
                assert stats.binomtest(missed, attempted, rates[device, plane, direction]).pvalue > 1e-9


@pytest.mark.parametrize("way", WAYS)
def test_bits_of_a_word_fail_independently(way):
    # Chi-square of the 256 patterns of failures against independent bits: false-alarm rate 1e-9 a case.
    rate = 0.3
    _, _, failed = drawn_failures(way, 8, conditions(rate, 0.0), 200_000, 12, changing=(0, 255))
    ones = np.array([word.bit_count() for word in range(256)])
    expected = 200_000 * rate**ones * (1 - rate) ** (8 - ones)
    assert stats.chisquare(np.bincount(failed, minlength=256), expected).pvalue > 1e-9


@pytest.mark.parametrize("way", WAYS)
def test_number_of_failures_of_a_write_is_binomial(way):
    # Chi-square of the failures in each of 4,000 writes of 512 bits at 0.01, where places are drawn by gaps
    # and a write has 5: false-alarm rate 1e-9 a case.
    draws = way(conditions(0.01, 0.01), 8, torch.Generator().manual_seed(14), CPU)
    changed = torch.full((64,), 255, dtype=torch.uint8)
    failed = np.array(
        [int(np.unpackbits(draws.failed(changed, changed, None).numpy()).sum()) for _ in range(4000)]
    )
    expected = 4000 * np.append(stats.binom.pmf(np.arange(13), 512, 0.01), stats.binom.sf(12, 512, 0.01))
    assert stats.chisquare(np.bincount(np.minimum(failed, 13), minlength=14), expected).pvalue > 1e-9


@pytest.mark.parametrize("way", WAYS)
def test_rates_below_the_steps_of_float32_are_kept(way):
    # Of 4 million numbers of float32, whose steps are 6e-8 and less, 0.2 would be 0. A rate of 1e-16 is kept
    # as a step of float64, 1.1e-16: false-alarm rate 5e-10.
    _, _, failed = drawn_failures(way, 8, conditions(1e-16, 1e-16), 500_000, 15, changing=(0, 255))
    assert not failed.any()


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(WAYS), st.integers(1, 16), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_certain_and_impossible_failures(way, bits, count, seed):
    old, wanted, failed = drawn_failures(way, bits, conditions(1.0, 0.0), count, seed)
    np.testing.assert_array_equal(failed, ~old & wanted)


def test_what_a_gpu_runs_asks_for_no_data():
    # Tensors of the device "meta" have shapes and no data: what needs any raises.
    for bits in (8, 12):
        for rates, weight in (((0.1, 0.2), None), (np.full((3, 1, 2), 0.1), np.ones(3))):
            parameters = [nn.Parameter(torch.empty(shape, device="meta")) for shape in ((10, 20), (3,))]
            stored = [Stored("", one, FixedPoint(bits, 1.0, "gray")) for one in parameters]
            those = WriteConditions(rates, (1.0, 1.0), (1.0, 1.0), retries=1, device_weight=weight)
            with torch.no_grad():
                bank = Bank(stored, those, True, torch.Generator())
                bank.write((0, 1))
                bank.write((1,))
            assert bank.words.shape == (203,)
            with pytest.raises(RuntimeError, match="meta"):
                bank.sum_up()


# ---- ledger ---------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 20), st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(1, 12))
def test_counters_count_each_plane_of_each_tensor(writes, lengths, bits):
    rng = np.random.default_rng(writes)
    counter, expected = TensorCounter(bits), np.zeros((len(lengths), bits), dtype=int)
    for _ in range(writes):
        words = rng.integers(0, 2**bits, sum(lengths), dtype=np.uint8 if bits <= 8 else np.uint16)
        counter.count(torch.from_numpy(words if bits <= 8 else words.view(np.int16)))
        parts = np.split(words, np.cumsum(lengths)[:-1])
        expected += [[int((part >> plane & 1).sum()) for plane in range(bits)] for part in parts]
    np.testing.assert_array_equal(counter.by_tensor(lengths), expected)


@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from([4, 8, 11]), st.sampled_from([0.0, 5e-3, 0.3, 1.0]), st.integers(0, 2), st.integers(0, 99)
)
def test_ledger_is_that_of_single_bit_writes(bits, rate, retries, seed):
    # Sets of parameters change from write to write, also to more than have counters of their own.
    rng = np.random.default_rng(seed)
    model = nn.ParameterDict({name: torch.zeros(size) for name, size in (("a", (3, 5)), ("b", 7), ("c", 1))})
    memory = MemoryParameters(
        model,
        conditions(rate, rate / 2, retries=retries),
        bits=bits,
        full_scale=1.0,
        rounding="nearest",
        seed=seed,
    )
    fixed = memory.fixed_points["a"]
    expected = {name: WriteLedger.empty(bits) for name in model}
    for _ in range(12):
        chosen = [name for name in model if rng.random() < 0.6]
        before = {name: as_uint(memory.words(name)) for name in model}
        wanted = {}
        with torch.no_grad():
            for name in chosen:
                model[name].copy_(torch.from_numpy(rng.uniform(-1.2, 1.2, model[name].shape)))
                wanted[name] = fixed.encode(model[name].numpy())
        memory.write(model[name] for name in chosen)
        for name in model:
            stored = as_uint(memory.words(name))
            np.testing.assert_array_equal(model[name].detach().numpy(), fixed.decode(stored))
            if name in chosen:
                count_bits(expected[name], before[name], wanted[name], stored)
            else:
                np.testing.assert_array_equal(stored, before[name])
    for name, ledger in memory.ledgers.items():
        for kind in ("switching", "redundant", "failed"):
            np.testing.assert_array_equal(getattr(ledger, kind), getattr(expected[name], kind))
        assert (ledger.retried <= retries * ledger.switching).all()
        assert (ledger.failed * retries <= ledger.retried).all()
    if rate == 1.0:
        np.testing.assert_array_equal(memory.ledger.retried[:, 0], retries * memory.ledger.switching[:, 0])
    assert memory.ledger == sum(memory.ledgers.values(), WriteLedger.empty(bits))
    assert memory.energy_J == memory.ledger.energy_J(memory.conditions)


def count_bits(ledger, before, wanted, stored):
    for was_word, want_word, is_word in zip(before.flat, wanted.flat, stored.flat, strict=True):
        for plane in range(len(ledger.switching)):
            was, want, now = (int(word) >> plane & 1 for word in (was_word, want_word, is_word))
            ledger.switching[plane, 1 - want] += was != want
            ledger.redundant[plane, 1 - want] += was == want
            ledger.failed[plane, 1 - want] += now != want


@pytest.mark.parametrize("retries", [1, 3])
def test_retries_are_as_many_as_failures_before_them(retries):
    # Of n bits that have to switch a mean of n(r + r^2 + ...) is tried again; each sum of failures is
    # binomial given the one before. Normal within 6 deviations of at most sqrt(3 mean): false-alarm rate
    # below 8e-9 a case.
    rate, words = 0.3, 50_000
    model = nn.ParameterDict({"w": torch.zeros(words)})
    memory = MemoryParameters(model, conditions(rate, rate, retries=retries), full_scale=1.0, seed=1)
    with torch.no_grad():
        model["w"].fill_(1.0)
    memory.write()
    ledger = memory.ledger
    tried = ledger.switching.sum(axis=0)
    mean = tried * sum(rate**k for k in range(1, retries + 1))
    np.testing.assert_array_less(abs(ledger.retried.sum(axis=0) - mean), 6 * np.sqrt(3 * mean) + 1e-9)
    last = tried * rate ** (retries + 1)
    np.testing.assert_array_less(abs(ledger.failed.sum(axis=0) - last), 6 * np.sqrt(last) + 1e-9)


# ---- against numpy's memory -----------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [4, 8, 12])
@pytest.mark.parametrize("code", CODES)
def test_without_failures_it_is_numpys_memory_bit_for_bit(code, bits):
    # The same gradients in both, rounding to the nearest. The rate is a power of two, so that the product is
    # exact and it does not matter whether the sum is fused with it.
    rng = np.random.default_rng(7)
    model = nn.ParameterDict(
        {
            name: torch.from_numpy(rng.normal(0, 0.3, shape).astype(np.float32))
            for name, shape in SHAPES.items()
        }
    )
    scales = {"a": 1.0, "b": 0.7, "c": 0.3}
    fixed = {name: FixedPoint(bits, scales[name], code) for name in SHAPES}
    plain = {
        name: ApproximateMemory(fixed[name].encode(one.detach().numpy()), bits) for name, one in model.items()
    }
    memory = MemoryParameters(
        model, conditions(0.0, 0.0), code=code, bits=bits, full_scale=scales, rounding="nearest", seed=1
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    memory.attach(optimizer)
    for _ in range(30):
        for name, one in model.items():
            gradient = rng.normal(0, 0.1, one.shape).astype(np.float32)
            one.grad = torch.from_numpy(gradient)
            values = fixed[name].decode(plain[name].words) - np.float32(0.25) * gradient
            plain[name].write(fixed[name].encode(values), memory.conditions, rng)
        optimizer.step()
    for name in SHAPES:
        np.testing.assert_array_equal(as_uint(memory.words(name)), plain[name].words)
        assert memory.ledgers[name] == plain[name].ledger


SHAPES = {"a": (20, 15), "b": (11,), "c": (4, 3, 3, 3)}


@pytest.mark.parametrize("way", WAYS)
def test_failures_are_distributed_as_those_of_numpys_memory(way):
    # The same words written 60 times in both: failed of switching bits, by plane and direction, in Fisher's
    # exact test of both counts. 16 tests at 1e-9: false-alarm rate 1.6e-8 a case.
    rates = np.random.default_rng(8).uniform(0.005, 0.5, (8, 2))
    those = WriteConditions(rates, (1.0, 1.0), (1.0, 1.0))
    rng = np.random.default_rng(9)
    numpys = ApproximateMemory(np.zeros(2000, dtype=np.uint8), 8)
    draws, failures = way(those, 8, torch.Generator().manual_seed(9), CPU), np.zeros((2, 8, 2), dtype=int)
    for _ in range(60):
        before = numpys.words
        wanted = rng.integers(0, 256, 2000, dtype=np.uint8)
        numpys.write(wanted, those, rng)
        changed = torch.from_numpy(before ^ wanted)
        failed = draws.failed(changed, torch.from_numpy(wanted), None).numpy()
        for plane in range(8):
            for direction in range(2):
                of = (wanted >> plane & 1) == 1 - direction
                failures[0, plane, direction] += int((failed[of] >> plane & 1).sum())
                failures[1, plane, direction] += int(((before ^ wanted)[of] >> plane & 1).sum())
    own, tried = failures
    for plane, direction in np.ndindex(8, 2):
        theirs, their_tries = (
            getattr(numpys.ledger, kind)[plane, direction] for kind in ("failed", "switching")
        )
        assert tried[plane, direction] == their_tries
        table = [[own[plane, direction], their_tries - own[plane, direction]], [theirs, their_tries - theirs]]
        assert stats.fisher_exact(table).pvalue > 1e-9


# ---- optimizers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
        lambda p: torch.optim.RMSprop(p, lr=0.01),
        lambda p: torch.optim.Adagrad(p, lr=0.1),
    ],
)
def test_any_optimizer_writes_what_has_a_gradient(make):
    model = Tied()
    memory = MemoryParameters(model, conditions(0.1, 0.1), full_scale=GIVEN, seed=1)
    optimizer = make(model.parameters())
    memory.attach(optimizer)
    for seed in range(4):
        step(model, optimizer, seed)
    ledgers = memory.ledgers
    assert set(ledgers) == {*GIVEN, "frozen", "unused"}  # the shared weight once
    sizes = dict(model.named_parameters())
    for name, ledger in ledgers.items():
        written = 0 if name in ("frozen", "unused") else 4
        every = ledger.switching + ledger.redundant
        assert every.sum() == written * 8 * sizes[name].numel()
        fixed, words = memory.fixed_points[name], as_uint(memory.words(name))
        np.testing.assert_array_equal(sizes[name].detach().numpy(), fixed.decode(words))
    assert model.shared.weight is model.last.weight
    assert int(model.norm.num_batches_tracked) == 4  # buffers are left alone


def test_a_step_is_that_of_the_optimizer_rounded_and_written():
    # Without failures, to the nearest: a copy of both in ordinary memory makes the same step.
    model, copy = Tied(), Tied()
    memory = MemoryParameters(model, conditions(0.0, 0.0), full_scale=GIVEN, rounding="nearest", seed=1)
    copy.load_state_dict(model.state_dict())
    groups = [
        [
            {"params": one.first.parameters(), "lr": 0.02},
            {"params": one.last.parameters(), "weight_decay": 0.3},
        ]
        for one in (model, copy)
    ]
    optimizer, plain = (torch.optim.AdamW(one, lr=0.05) for one in groups)
    schedules = [torch.optim.lr_scheduler.StepLR(one, 1, 0.5) for one in (optimizer, plain)]
    memory.attach(optimizer)
    for seed in range(3):
        step(model, optimizer, seed)
        step(copy, plain, seed)
        for (name, one), other in zip(copy.named_parameters(), model.parameters(), strict=True):
            fixed = memory.fixed_points[name]
            with torch.no_grad():
                one.copy_(torch.from_numpy(fixed.decode(fixed.encode(one.numpy()))))
            assert torch.equal(one, other)
        for schedule in schedules:
            schedule.step()
    assert memory.ledgers["norm.weight"] == WriteLedger.empty(8)  # in no group


def test_a_closure_writes_once_a_step():
    model = Tied()
    memory = MemoryParameters(model, conditions(0.0, 0.0), full_scale=GIVEN, seed=1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=5)
    handle = memory.attach(optimizer)
    inputs = torch.randn(20, 6)

    def closure():
        optimizer.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    ledger = memory.ledgers["first.weight"]
    assert (ledger.switching + ledger.redundant).sum() == 36 * 8
    handle.remove()
    optimizer.step(closure)
    assert memory.ledgers["first.weight"] == ledger


def test_a_scaler_of_gradients_skips_steps_that_write_nothing():
    model = Tied()
    memory = MemoryParameters(model, conditions(0.1, 0.1), full_scale=GIVEN, seed=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    memory.attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for overflow in (False, True):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(torch.randn(20, 6)).float().square().mean()
        scaler.scale(loss * float("inf") if overflow else loss).backward()
        scaler.step(optimizer)
        scaler.update()
        counted = memory.ledgers["last.weight"]
        assert (counted.switching + counted.redundant).sum() == 36 * 8


# ---- saving, scales, errors -----------------------------------------------------------------------------


@pytest.mark.parametrize("of_devices", [False, True])
def test_a_loaded_state_goes_on_as_if_nothing_had_happened(tmp_path, of_devices):
    rates = np.full((3, 1, 2), 0.2) if of_devices else (0.2, 0.2)
    weight = (1.0, 2.0, 3.0) if of_devices else None
    those = WriteConditions(rates, (1e-12, 1e-12), (1e-12, 1e-12), device_weight=weight)

    def made(seed):
        model = Tied()
        with torch.no_grad():
            model.last.weight *= seed  # other scales
        memory = MemoryParameters(model, those, seed=seed)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        memory.attach(optimizer)
        return model, memory, optimizer

    model, memory, optimizer = made(1)
    for seed in range(3):
        step(model, optimizer, seed)
    torch.save([one.state_dict() for one in (model, memory, optimizer)], tmp_path / "state.pt")
    other = made(5)
    for one, state in zip(other, torch.load(tmp_path / "state.pt", weights_only=True), strict=True):
        one.load_state_dict(state)
    for made_model, _, made_optimizer in ((model, memory, optimizer), other):
        for seed in range(3, 6):
            step(made_model, made_optimizer, seed)
    for name in memory.fixed_points:
        assert torch.equal(memory.words(name), other[1].words(name))
    assert memory.ledgers == other[1].ledgers
    assert memory.fixed_points == other[1].fixed_points


def test_states_of_other_memories_are_refused():
    memory = MemoryParameters(Tied(), conditions(0.0, 0.0), seed=1)
    state = memory.state_dict()
    for other in (
        MemoryParameters(Tied(), conditions(0.0, 0.0), bits=4, seed=1),
        MemoryParameters(Tied(), conditions(0.0, 0.0), code="offset_binary", seed=1),
        MemoryParameters(nn.Linear(3, 3), conditions(0.0, 0.0), seed=1),
        MemoryParameters(
            Tied(), WriteConditions(np.zeros((2, 1, 2)), (1, 1), (1, 1), device_weight=(1, 1)), seed=1
        ),
    ):
        with pytest.raises(InputError, match="of the state"):
            other.load_state_dict(state)


def test_scales_follow_from_the_first_values():
    model = Tied()
    with torch.no_grad():
        model.first.weight.copy_(torch.full((6, 6), 0.3))
        model.first.bias.zero_()  # as the weights
        model.unused.zero_()  # as `frozen`, the other parameter of the model itself
        model.norm.weight.fill_(0.5)  # twice that is a power of two
        model.last.weight.zero_()  # nothing to go by
    memory = MemoryParameters(model, conditions(0.0, 0.0), full_scale={"norm.bias": 0.25}, seed=1)
    assert {name: one.full_scale for name, one in memory.fixed_points.items()} == {
        "first.weight": 1.0, "first.bias": 1.0, "norm.weight": 1.0, "norm.bias": 0.25,
        "last.weight": 1.0, "frozen": 1.0, "unused": 1.0,
    }  # fmt: skip


def test_the_same_seed_gives_the_same_words_and_another_does_not():
    def words(seed):
        model = Tied()
        memory = MemoryParameters(model, conditions(0.3, 0.3), full_scale=GIVEN, seed=seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
        memory.attach(optimizer)
        torch.manual_seed(seed * 100)  # PyTorch's own generator has no part in it
        for k in range(3):
            step(model, optimizer, k)
        return memory.words("first.weight")

    assert torch.equal(words(1), words(1))
    assert not torch.equal(words(1), words(2))


def test_wrong_requests_are_refused_in_words():
    model, those = nn.Linear(3, 3), conditions(0.0, 0.0)
    wrong = {
        "type of weight": lambda: MemoryParameters(nn.Linear(3, 3, dtype=torch.bfloat16), those, seed=1),
        "parameters of the model": lambda: MemoryParameters(nn.ReLU(), those, seed=1),
        "parameter in full_scale": lambda: MemoryParameters(model, those, full_scale={"x": 1.0}, seed=1),
        "rounding": lambda: MemoryParameters(model, those, rounding="down", seed=1),
        "seed": lambda: MemoryParameters(model, those, seed=-1),
        "pulses": lambda: MemoryParameters(model, those, pulses=Pulses([[1, 1]], [[1, 1]]), seed=1),
        "code": lambda: MemoryParameters(model, those, code="x", seed=1),
        "bit planes": lambda: MemoryParameters(model, conditions((0.1, 0.1), (0.1, 0.1)), seed=1),
        "optimizer": lambda: MemoryParameters(model, those, seed=1).attach(
            torch.optim.SGD(nn.Linear(3, 3).parameters(), lr=1.0)
        ),
        "parameter": lambda: MemoryParameters(model, those, seed=1).words("x"),
    }
    for thing, call in wrong.items():
        with pytest.raises(InputError, match=thing):
            call()


def test_values_that_are_no_numbers_and_moved_parameters_are_refused():
    model = nn.Linear(3, 3)
    memory = MemoryParameters(model, conditions(0.0, 0.0), seed=1)
    with torch.no_grad():
        model.weight[0, 0] = float("nan")
    with pytest.raises(InputError, match="values to write"):
        memory.write()
    moved = nn.Linear(3, 3)
    memory = MemoryParameters(moved, conditions(0.0, 0.0), seed=1)
    torch.utils.swap_tensors(moved.weight, nn.Parameter(torch.empty(3, 3, device="meta")))
    with pytest.raises(InputError, match="device of the parameters"):
        memory.write()
