import doctest
import math
import pickle
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjchar import units
from mtjchar.errors import (
    InputError,
    MissingToolError,
    MtjcharError,
    OutsideGridError,
    SimulationError,
    UnreachableError,
)
from mtjchar.units import compact, format_quantity, parse_quantity

UNITS = ["m", "V", "s", "ohm", "F", "K", "A/m", "J/m^2", "ohm*m^2", "J/(V*m)", ""]


def test_message_names_thing_value_allowed_and_remedy():
    error = InputError("amplitude", value="9 V", allowed="0.4 V to 1.2 V", remedy="Sweep further.")
    assert str(error) == "amplitude: got '9 V'; allowed: 0.4 V to 1.2 V. Sweep further."
    assert str(InputError("ber", value=3, allowed="0 to 1")) == "ber: got 3; allowed: 0 to 1."


def test_rounding_is_not_shown():
    assert str(InputError("x", value=0.1 + 0.2, allowed="y")) == "x: got 0.3; allowed: y."
    assert str(InputError("x", value=np.float64(1e-9 * 1.7), allowed="y")) == "x: got 1.7e-09; allowed: y."
    assert InputError("x", value=0.1 + 0.2, allowed="y").value == 0.1 + 0.2
    assert str(InputError("x", value=math.nan, allowed="y")) == "x: got nan; allowed: y."


def test_long_values_are_cut_in_the_message_and_kept_in_the_error():
    error = InputError("name", value="x" * 5000, allowed="short names")
    assert len(str(error)) < 300
    assert "5002 characters" in str(error)  # 5000 and two quotes
    assert error.value == "x" * 5000


@pytest.mark.parametrize("kind", [InputError, OutsideGridError])
def test_a_place_goes_in_front_of_an_error(kind):
    error = kind("amplitude", value=3.0, allowed="0.4 V to 1.2 V", remedy="Sweep more.").within("study.toml")
    assert type(error) is kind
    assert str(error) == "study.toml: amplitude: got 3.0; allowed: 0.4 V to 1.2 V. Sweep more."


@pytest.mark.parametrize("kind", [InputError, OutsideGridError])
def test_input_errors_cross_a_process_boundary(kind):
    error = pickle.loads(pickle.dumps(kind("a", value=1.5, allowed="b", remedy="c")))
    assert type(error) is kind
    assert (error.thing, error.value, error.allowed, error.remedy) == ("a", 1.5, "b", "c")
    assert str(error) == "a: got 1.5; allowed: b. c"


def test_kinds_of_errors():
    # The command line tells them apart: what was asked for is wrong (exit 2), or the work failed (exit 1).
    assert issubclass(InputError, ValueError)
    assert issubclass(OutsideGridError, InputError)
    for kind in (InputError, UnreachableError, SimulationError, MissingToolError):
        assert issubclass(kind, MtjcharError)
    for kind in (UnreachableError, SimulationError, MissingToolError):
        assert not issubclass(kind, InputError)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [  # By the definition of the units; 0 degC = 273.15 K.
        ("40 nm", "m", 40e-9),
        ("40nm", "m", 40e-9),
        ("  40 nm ", "m", 40e-9),
        ("-.5e1 V", "V", -5.0),
        ("+5. V", "V", 5.0),
        ("5 ohm*um^2", "ohm*m^2", 5e-12),
        ("5 Ω*µm²", "ohm*m^2", 5e-12),
        ("5 ohm um**2", "ohm*m^2", 5e-12),
        ("5 Ω·µm²", "ohm*m^2", 5e-12),
        ("1.3 mJ/m^2", "J/m^2", 1.3e-3),
        ("1.3 mJ*m^-2", "J/m^2", 1.3e-3),
        ("30 fJ/(V*m)", "J/(V*m)", 30e-15),
        ("30 fJ/V/m", "J/(V*m)", 30e-15),
        ("1257 kA/m", "A/m", 1.257e6),
        ("0.3 T", "T", 0.3),
        ("100 ps", "s", 1e-10),
        ("20 fF", "F", 20e-15),
        ("2 MHz", "1/s", 2e6),
        ("2 1/s", "1/s", 2.0),
        ("85 degC", "K", 358.15),
        ("85 °C", "K", 358.15),
        ("0.027", "", 0.027),
        ("5 %", "", 0.05),
        ("1 mohm", "ohm", 1e-3),
        ("1 Mohm", "ohm", 1e6),
    ],
)
def test_quantities_with_units(text, unit, expected):
    assert parse_quantity(text, unit) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nm",
        "forty nm",
        "40 NM",  # pint has no such unit
        "40",
        "40 V",
        "40 nm^2",
        "nan nm",
        "inf m",
        "-inf m",
        "1e999 m",
        "1e308 km",  # overflows on conversion
        "1,5 nm",  # no decimal comma: would be read as 15
        "5 0 nm",  # two numbers: would be multiplied
        "1 nm 5",
        "2*3 nm",
        "1_000 nm",
        "0x10 nm",
        "1j m",
        "[1] m",
        "(1 +/- 0.1) m",
        "1 m**9**9**9**9",  # would never end
        "1 m**(9**9)",
        "1 m^10",
        "9**9**9**9 m",
        "1 )m(",
        "1 m\n.control",
        "1 m; 2 m",
        "__import__('os')",
        "1 m\0",
        "1" * 5000 + " m",
    ],
)
def test_what_is_no_length_is_refused_by_name(text):
    with pytest.raises(InputError) as caught:
        parse_quantity(text, "m", thing="--diameter")
    message = str(caught.value)
    assert message.startswith("--diameter: got ")
    assert repr(text)[:100] in message
    assert "such as '1 m'" in message
    assert len(message) < 400


def test_wrong_dimension_says_which_it_is():
    with pytest.raises(InputError, match="The unit given is nanosecond"):
        parse_quantity("40 ns", "m")


@pytest.mark.parametrize("text", ["3 V", "", "x", "nan", "1 m"])
def test_what_is_no_pure_number_is_refused(text):
    with pytest.raises(InputError, match="without a unit"):
        parse_quantity(text, "", thing="damping")


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(UNITS))
def test_written_quantities_read_back_as_the_same_float(value, unit):
    again = parse_quantity(format_quantity(value, unit), unit)
    assert again == value
    assert math.copysign(1.0, again) == math.copysign(1.0, value)


def test_numpy_numbers_are_written_like_others():
    assert format_quantity(np.float64(4e-8), "m") == "4e-08 m"
    assert format_quantity(np.float64(0.5), "") == "0.5"


@pytest.mark.parametrize(
    ("value", "unit", "digits", "text"),
    [  # By hand.
        (1.7000000000000001e-09, "m", 6, "1.7 nm"),
        (999.9999996e-12, "s", 6, "1 ns"),  # not 1000 ps
        (0.8, "V", 6, "0.8 V"),
        (0.0999, "V", 6, "99.9 mV"),
        (1000.0, "K", 6, "1000 K"),
        (5e-12, "ohm*m^2", 6, "5 Ω·µm²"),
        (1.257e6, "A/m", 6, "1.257 MA/m"),
        (1.3e-3, "J/m^2", 6, "1.3 mJ/m²"),
        (163e-9, "A", 2, "160 nA"),
        (-2e-3, "V", 6, "-2 mV"),
        (0.0, "m", 6, "0 m"),
        (0.125, "", 2, "0.12"),
        (math.inf, "s", 6, "inf s"),
        (np.float64(4e-8), "m", 6, "40 nm"),
    ],
)
def test_numbers_for_people(value, unit, digits, text):
    assert compact(value, unit, digits) == text


@settings(deadline=None)
@given(st.floats(1e-18, 1e9), st.sampled_from([unit for unit in UNITS if unit]))
def test_numbers_for_people_read_back_but_for_rounding(value, unit):
    assert parse_quantity(compact(value, unit), unit) == pytest.approx(value, rel=0.6e-5)


def test_units_as_files_of_mtjchar_have_them_load_no_pint():
    code = (
        "import sys; from mtjchar.units import parse_quantity;"
        "parse_quantity('5e-12 ohm*m^2', 'ohm*m^2'); print('pint' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_examples_of_units():
    tried = doctest.testmod(units)
    assert tried.failed == 0
    assert tried.attempted == 4


@settings(deadline=None)
@given(st.floats(1e-6, 1e6), st.sampled_from([("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("k", 1e3), ("G", 1e9)]))
def test_prefixes_scale(value, prefix):
    name, factor = prefix
    assert parse_quantity(f"{value!r} {name}V", "V") == pytest.approx(value * factor, rel=1e-14)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_finite_number_or_an_input_error(text):
    try:
        value = parse_quantity(text, "V")
    except InputError as error:
        assert str(error)  # noqa: PT017, any other exception fails the test
    else:
        assert math.isfinite(value)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(-1e5, 1e5).filter(lambda x: x == 0.0 or abs(x) > 1e-18),
    st.integers(-14, 0),
    st.sampled_from(["V", "s", "J"]),
    st.sampled_from(["", "f", "p", "n", "u", "µ", "m", "k", "M"]),
    st.integers(1, 7),
)
def test_prefixes_are_read_and_written_as_by_pint(number, power, unit, prefix, digits):
    value = number * 10.0**power
    text = f"{value!r} {prefix}{unit}"
    ours = parse_quantity(text, unit), compact(value, unit, digits)
    with mock.patch.object(units, "_PREFIXED", ()):
        assert ours == (parse_quantity(text, unit), compact(value, unit, digits))
