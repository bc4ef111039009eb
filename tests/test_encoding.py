import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from mtjchar.errors import InputError
from mtjchar.network.encoding import CODES, FixedPoint, check_words

codes = st.builds(
    FixedPoint,
    bits=st.integers(2, 16),
    full_scale=st.sampled_from([2.0**-5, 0.5, 1.0, 8.0]),
    code=st.sampled_from(CODES),
)
values = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(max_dims=3, max_side=20),
    elements=st.floats(-20, 20, width=32),
)


def test_two_s_complement_words():
    # By hand: level k of 8 bits at full scale 1 is k / 128, its word k modulo 256.
    code = FixedPoint(bits=8, full_scale=1.0)
    levels = np.array([0, 1, -1, 127, -128, 64, -64])
    expected = np.array([0x00, 0x01, 0xFF, 0x7F, 0x80, 0x40, 0xC0], dtype=np.uint8)
    words = code.encode(levels / 128)
    assert words.dtype == np.uint8
    np.testing.assert_array_equal(words, expected)
    np.testing.assert_array_equal(code.decode(expected), levels / 128)


@pytest.mark.parametrize(("bits", "signed"), [(8, np.int8), (16, np.int16)])
def test_words_are_the_machine_s_own_integers(bits, signed):
    # Another program: numpy's signed integers, which are two's complement.
    code = FixedPoint(bits, full_scale=2.0)
    levels = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
    words = code.encode(levels * code.lsb)
    np.testing.assert_array_equal(words.view(signed), levels)


def lowest(code):
    return code.lsb - code.full_scale if code.code == "sign_magnitude" else -code.full_scale


WORDS_OF_FOUR_BITS = {
    # Levels -8 to 7. Gray: the reflected binary code as Gray's patent lists it.
    "twos_complement": "1000 1001 1010 1011 1100 1101 1110 1111 0000 0001 0010 0011 0100 0101 0110 0111",
    "offset_binary": "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1010 1011 1100 1101 1110 1111",
    "sign_magnitude": "1111 1111 1110 1101 1100 1011 1010 1001 0000 0001 0010 0011 0100 0101 0110 0111",
    "gray": "0000 0001 0011 0010 0110 0111 0101 0100 1100 1101 1111 1110 1010 1011 1001 1000",
}


@pytest.mark.parametrize("code", CODES)
def test_words_of_four_bits(code):
    expected = [int(word, 2) for word in WORDS_OF_FOUR_BITS[code].split()]
    words = FixedPoint(4, full_scale=8.0, code=code).encode(np.arange(-8.0, 8.0))
    assert words.tolist() == expected


WORDS_OF_FEW_BITS = {
    # By hand. Levels -2 to 1, and -4 to 3; sign-magnitude has no word for the lowest.
    ("twos_complement", 2): "10 11 00 01",
    ("offset_binary", 2): "00 01 10 11",
    ("sign_magnitude", 2): "11 11 00 01",
    ("gray", 2): "00 01 11 10",
    ("twos_complement", 3): "100 101 110 111 000 001 010 011",
    ("offset_binary", 3): "000 001 010 011 100 101 110 111",
    ("sign_magnitude", 3): "111 111 110 101 000 001 010 011",
    ("gray", 3): "000 001 011 010 110 111 101 100",
}


@pytest.mark.parametrize(("code", "bits"), WORDS_OF_FEW_BITS)
def test_words_of_two_and_three_bits(code, bits):
    expected = [int(word, 2) for word in WORDS_OF_FEW_BITS[code, bits].split()]
    levels = np.arange(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1))
    few = FixedPoint(bits, full_scale=2.0 ** (bits - 1), code=code)
    assert few.encode(levels).tolist() == expected
    for draws in extreme_draws(levels.size):
        assert few.encode(levels, draws).tolist() == expected
    decoded = few.decode(np.array(expected, dtype=np.uint8))
    lowest_level = levels[0] + (code == "sign_magnitude")
    np.testing.assert_array_equal(decoded, np.maximum(levels, lowest_level))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("bits", [2, 3])
def test_few_bits_go_up_as_often_as_they_should(code, bits):
    # By enumeration: every word of noise with every shared number, for values between each two levels. What
    # goes up is off by half a step of 2**-14 at most.
    few = FixedPoint(bits, full_scale=2.0 ** (bits - 1), code=code)
    noise = np.arange(256, dtype=np.uint8)
    lowest_level = int(lowest(few))
    for below in range(lowest_level, 2 ** (bits - 1) - 1):
        for fraction in (0.0, 2**-14, 0.25, 1 / 3, 0.5, 1 - 2**-14):
            ups = 0
            for shared in range(64):
                drawn = few.decode(few.encode(np.full(256, below + fraction), Given(shared, noise)))
                assert np.isin(drawn, [below, below + 1]).all()
                ups += np.count_nonzero(drawn == below + 1)
            assert abs(ups / (64 * 256) - fraction) <= 2**-15


@pytest.mark.parametrize("bits", range(2, 17))
def test_neighbours_in_gray_differ_in_one_bit(bits):
    code = FixedPoint(bits, full_scale=2.0 ** (bits - 1), code="gray")
    words = code.encode(np.arange(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1)))
    steps = words[1:] ^ words[:-1]
    np.testing.assert_array_equal(steps & (steps - 1), 0)  # a power of two
    assert len(np.unique(words)) == 2**bits


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 16])
def test_offset_binary_is_two_s_complement_with_the_highest_bit_inverted(bits):
    values = np.linspace(-1.0, 1.0, 1000)
    plain, offset = (
        FixedPoint(bits, code=code).encode(values) for code in ("twos_complement", "offset_binary")
    )
    np.testing.assert_array_equal(plain ^ offset, 1 << (bits - 1))


def test_minus_zero_of_sign_magnitude_is_zero_and_its_lowest_level_one_higher():
    code = FixedPoint(8, full_scale=128.0, code="sign_magnitude")
    assert code.decode(np.array([0x80], dtype=np.uint8))[0] == 0.0
    assert code.decode(code.encode(np.array([-np.inf, -128.0, -127.0]))).tolist() == [-127.0] * 3
    rng = np.random.default_rng(1)
    assert code.decode(code.encode(np.full(1000, -128.0), rng)).tolist() == [-127.0] * 1000


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("bits", range(2, 17))
def test_all_words_come_back(bits, code):
    code = FixedPoint(bits, full_scale=0.25, code=code)
    words = np.arange(2**bits).astype(code.word_dtype)
    decoded = code.decode(words)
    assert decoded.dtype == np.float32
    if code.code == "sign_magnitude":
        words, decoded = np.delete(words, 2 ** (bits - 1)), np.delete(decoded, 2 ** (bits - 1))  # minus zero
        assert decoded.min() == code.lsb - 0.25
    else:
        assert decoded.min() == -0.25
    assert decoded.max() == 0.25 - code.lsb
    np.testing.assert_array_equal(code.encode(decoded), words)
    # A level must not move, whatever the draw: many draws for each.
    for seed in range(10):
        np.testing.assert_array_equal(code.encode(decoded, np.random.default_rng(seed)), words)


class Given:
    """A generator that draws what it is given: one number, and words."""

    def __init__(self, number, words):
        self.number, self.words = number, words

    def integers(self, low, high, size=None, dtype=np.int64):
        drawn = np.int64(self.number) if size is None else self.words.view(dtype)[:size]
        assert np.all((drawn >= low) & (drawn < high))
        return drawn


def extreme_draws(count):
    yield Given(0, np.zeros(count, dtype=np.uint64))
    yield Given(63, np.full(count, 2**64 - 1, dtype=np.uint64))


@pytest.mark.parametrize("bits", range(2, 17))
def test_a_level_stays_at_the_extreme_draws(bits):
    code = FixedPoint(bits)
    words = np.arange(2**bits).astype(code.word_dtype)
    for draws in extreme_draws(words.size):
        np.testing.assert_array_equal(code.encode(code.decode(words), draws), words)


@settings(deadline=None)
@given(st.integers(2, 8), st.floats(1e-6, 1e6), st.sampled_from(CODES))
def test_levels_of_up_to_8_bits_stay_at_any_full_scale(bits, full_scale, code):
    code = FixedPoint(bits, full_scale, code)
    values = code.decode(np.arange(2**bits).astype(np.uint8))
    for draws in extreme_draws(values.size):
        np.testing.assert_array_equal(code.decode(code.encode(values, draws)), values)


@pytest.mark.parametrize("bits", [2, 3, 4, 7, 8, 13, 16])
def test_values_are_the_same_in_all_codes(bits):
    level = np.arange(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1))
    for name in CODES:
        code = FixedPoint(bits, full_scale=0.3, code=name)
        there = np.maximum(level, level[0] + (name == "sign_magnitude"))
        expected = there.astype(np.float32) * np.float32(code.lsb)
        np.testing.assert_array_equal(code.decode(code.encode(level * code.lsb)), expected)


@pytest.mark.parametrize("code", CODES)
def test_rounding_does_not_depend_on_the_code(code):
    values = np.random.default_rng(2).uniform(-0.9, 0.9, 1000).astype(np.float32)
    plain, other = FixedPoint(), FixedPoint(code=code)
    rounded = [one.decode(one.encode(values, np.random.default_rng(3))) for one in (plain, other)]
    np.testing.assert_array_equal(*rounded)


@settings(deadline=None)
@given(st.integers(2, 16), st.floats(1e-6, 1e6))
def test_all_words_come_back_at_any_full_scale_with_nearest_rounding(bits, full_scale):
    code = FixedPoint(bits, full_scale)
    words = np.arange(2**bits).astype(code.word_dtype)
    np.testing.assert_array_equal(code.encode(code.decode(words)), words)


@settings(deadline=None)
@given(codes, values)
def test_nearest_rounding_is_within_half_a_level(code, values):
    inside = np.clip(values, lowest(code), code.full_scale - code.lsb)
    assert np.abs(code.decode(code.encode(values)) - inside).max() <= code.lsb / 2


@settings(deadline=None)
@given(codes, values, st.integers(0, 2**32 - 1))
def test_stochastic_rounding_gives_a_neighbouring_level(code, values, seed):
    inside = np.clip(values, lowest(code), code.full_scale - code.lsb)
    decoded = code.decode(code.encode(values, np.random.default_rng(seed)))
    assert decoded.shape == values.shape
    assert np.abs(decoded - inside).max() < code.lsb


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("bits", "step"), [(8, 2**-14), (16, 2**-22)])
@pytest.mark.parametrize("level", [-100.75, -0.5, -0.01, 0.001, 0.00001, 0.3, 126.9])
def test_stochastic_rounding_goes_up_as_often_as_it_should(dtype, bits, step, level):
    # Analytic: over all the noise there is, as often as the level is above the one below.
    code = FixedPoint(bits, full_scale=2.0 ** (bits - 1))
    value = dtype(level)
    below = np.floor(value)
    noise = np.arange(2 ** (8 * code.word_dtype.itemsize)).astype(code.word_dtype)
    ups = 0
    for shared in range(64):
        levels = code.decode(code.encode(np.full(noise.size, value), Given(shared, noise)))
        assert np.isin(levels, [below, below + 1]).all()
        ups += np.count_nonzero(levels == below + 1)
    # float32 holds a level of 8 bits and its fraction in steps of 2**-16, and rounds to them.
    rounding = 2**-17 if bits == 8 and dtype is np.float32 else 0.0
    assert abs(ups / (64 * noise.size) - (float(value) - below)) <= step / 2 + rounding


@pytest.mark.parametrize("level", [-100.75, -0.5, -3 / 256, 1 / 256, 77 / 256, 126 + 230 / 256])
def test_values_of_a_call_are_rounded_independently_where_shared_bits_do_not_count(level):
    # Binomial with the fraction of the level, a multiple of 2**-8. False-alarm rate 1e-9.
    code = FixedPoint(bits=8, full_scale=128.0)
    count = 200_000
    levels = code.decode(code.encode(np.full(count, level), np.random.default_rng(7)))
    below = np.floor(level)
    ups = np.count_nonzero(levels == below + 1)
    assert ups + np.count_nonzero(levels == below) == count
    assert stats.binomtest(ups, count, level - below).pvalue > 1e-9


def test_shared_bits_move_the_values_of_a_call_together():
    # Analytic: f = 77.5/256 goes up with a probability of 77/256 or 78/256, equally often, so that the
    # variance of the number of those that do is n f (1 - f) + (n/512)**2 but for terms of 1/n. Chi-square for
    # the variance of 400 calls, two sides; false-alarm rate 1e-9.
    code, count, calls = FixedPoint(bits=8, full_scale=128.0), 80_000, 400
    rng, fraction = np.random.default_rng(8), 77.5 / 256
    ups = [np.count_nonzero(code.decode(code.encode(np.full(count, fraction), rng))) for _ in range(calls)]
    variance = count * fraction * (1 - fraction) + (count / 512) ** 2
    low, high = stats.chi2.ppf([0.5e-9, 1 - 0.5e-9], calls - 1)
    assert low < (calls - 1) * np.var(ups, ddof=1) / variance < high
    assert high * count * fraction * (1 - fraction) < low * variance * 1.5  # it tells the two apart


@pytest.mark.parametrize("full_scale", [0.2, 0.3, 0.7])
def test_levels_of_16_bits_do_not_creep(full_scale):
    # Regression: float32 rounds the value of a level, which moves 3.5e-4 of the words in a write, one way
    # more often than the other by 5e-5 at most; all go one way if encoded by an lsb that is not theirs.
    code, writes = FixedPoint(16, full_scale), 60
    first = np.arange(2**16).astype(np.uint16)
    words, rng = first, np.random.default_rng(9)
    for _ in range(writes):
        words = code.encode(code.decode(words), rng)
    levels, before = (one.view(np.int16).astype(int) for one in (words, first))
    assert abs(np.mean((levels - before) * np.sign(before))) / writes < 1e-4


@pytest.mark.parametrize("rng", [None, np.random.default_rng(3)])
def test_saturation(rng):
    code = FixedPoint(bits=6, full_scale=1.0)
    low, high = -1.0, 1.0 - 1 / 32
    decoded = code.decode(code.encode(np.array([-np.inf, -7.0, -1.0, high, high + 0.02, 7.0, np.inf]), rng))
    np.testing.assert_array_equal(decoded, [low, low, low, high, high, high, high])


def test_values_beyond_the_range_of_float32_saturate():
    values = np.array([3e38, -3e38], dtype=np.float32)
    assert FixedPoint().encode(values, np.random.default_rng(1)).tolist() == [0x7F, 0x80]


def test_draws_do_not_depend_on_the_values():
    code = FixedPoint()
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    code.encode(np.zeros(1000), one)
    code.encode(np.linspace(-9, 9, 1000), other)
    assert one.random() == other.random()


def test_same_draws_give_same_words():
    values = np.linspace(-1, 1, 1000, dtype=np.float32)
    words = [FixedPoint().encode(values, np.random.default_rng(2)) for _ in range(2)]
    np.testing.assert_array_equal(*words)


def test_no_values_and_a_single_one():
    assert FixedPoint().encode(np.zeros((0, 3))).shape == (0, 3)
    assert FixedPoint().decode(np.zeros((0, 3), dtype=np.uint8)).shape == (0, 3)
    for rng in (None, np.random.default_rng(1)):
        word = FixedPoint().encode(np.array(-1.0), rng)
        assert (word.shape, word.dtype, int(word)) == ((), np.uint8, 0x80)
    value = FixedPoint(6).decode(np.array(32, dtype=np.uint8))
    assert (value.shape, value.dtype, float(value)) == ((), np.float32, -1.0)


@pytest.mark.parametrize("bits", [1, 17, 8.0, True])
def test_bits_out_of_range(bits):
    with pytest.raises(InputError, match=rf"bits: got {bits}; allowed: an integer from 2 to 16"):
        FixedPoint(bits=bits)


def test_code_out_of_range():
    with pytest.raises(InputError, match="code: got 'excess'; allowed: 'twos_complement' or 'offset_binary'"):
        FixedPoint(code="excess")


@pytest.mark.parametrize("full_scale", [0.0, -1.0, np.inf, np.nan, 1e-7, 1e7])
def test_full_scale_out_of_range(full_scale):
    with pytest.raises(InputError, match=r"full_scale: got .*allowed: a number from 1e-6 to 1e6"):
        FixedPoint(full_scale=full_scale)


@pytest.mark.parametrize("rng", [None, np.random.default_rng(3)])
def test_not_a_number(rng):
    with pytest.raises(InputError, match=r"values to encode: got nan; allowed: numbers.*division by zero"):
        FixedPoint().encode(np.array([0.0, np.nan]), rng)


def test_words_of_another_type():
    with pytest.raises(InputError, match="type of the words: got 'uint16'; allowed: uint8, for 8 bits"):
        FixedPoint().decode(np.zeros(3, dtype=np.uint16))


def test_words_with_too_many_bits():
    with pytest.raises(InputError, match="word: got 64; allowed: 0 to 63, for 6 bits"):
        check_words(np.array([3, 64], dtype=np.uint8), 6)
