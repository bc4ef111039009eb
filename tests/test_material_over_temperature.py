"""Measured tables of a film over temperature, and exponents given from outside."""

import numpy as np
import pytest
from common import DEMO, with_values
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants
from stackfit_cases import FILM
from study_cases import changed, refusal

from mtjchar.cells.stt.compact import pspice, verilog_a
from mtjchar.cells.stt.film_laws import Exponents, FilmLaws
from mtjchar.cells.stt.over_temperature import MagnetizationTable
from mtjchar.cells.stt.retention import escape_rates
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy
from mtjchar.stackfit import Film
from mtjchar.study import load_study
from mtjchar.sweep.population import Population

KELVIN = (250.0, 300.0, 350.0, 390.0)
RANGE = "250 K to 390 K"
STACK = DEMO.stack
MAGNETIZATION = {"temperature": KELVIN, "value": (1.30e6, 1.257e6, 1.20e6, 1.14e6)}
INTERFACIAL = {"temperature": KELVIN, "value": (1.33e-3, 1.25e-3, 1.15e-3, 1.07e-3)}
TABLES = {"magnetization": MAGNETIZATION, "interfacial_anisotropy": INTERFACIAL}


def measured(*names, **further):
    return with_values(STACK, **{f"{name}_over_temperature": TABLES[name] for name in names}, **further)


def film_field(stack, kelvin=300.0, diameter=None):
    """Anisotropy field of a stack, T, by hand: 2 Ki/(t Ms) - mu0 (Nz - Nx) Ms."""
    laws = FilmLaws(stack, kelvin)
    magnetization = laws.magnetization(stack.saturation_magnetization)
    nx, nz = 0.0, 1.0
    if diameter is not None:
        nx, nz = anisotropy.demagnetizing_factors(
            np.array(stack.free_layer_thickness), np.array(diameter), stack.demagnetization
        )
    interfacial = laws.interfacial_anisotropy(stack.interfacial_anisotropy)
    moment = stack.free_layer_thickness * magnetization
    return 2 * interfacial / moment - constants.mu_0 * (nz - nx) * magnetization


def test_values_at_measured_temperatures_are_the_measured_ones():
    laws = FilmLaws(measured("magnetization", "interfacial_anisotropy"), np.array(KELVIN))
    # Scaled to the stack's values at 300 K, 1.257 MA/m and about 1.25 mJ/m^2.
    scale = STACK.interfacial_anisotropy / 1.25e-3
    np.testing.assert_allclose(laws.magnetization(1.257e6), MAGNETIZATION["value"], rtol=1e-12)
    found = laws.interfacial_anisotropy(STACK.interfacial_anisotropy)
    np.testing.assert_allclose(found, np.array(INTERFACIAL["value"]) * scale, rtol=1e-12)
    # The polarization follows the measured magnetization by its exponent.
    ratio = np.array(MAGNETIZATION["value"]) / 1.257e6
    np.testing.assert_allclose(laws.polarization(0.6), 0.6 * ratio**STACK.polarization_exponent, rtol=1e-12)


def test_a_table_of_the_exponents_is_the_exponents():
    # Analytic: the table has the values of the laws at every 10 K; in between the interpolation is off.
    kelvin = np.arange(240.0, 391.0, 10.0)
    laws = FilmLaws(STACK, kelvin)
    tables = {
        "magnetization_over_temperature": laws.magnetization(STACK.saturation_magnetization),
        "interfacial_anisotropy_over_temperature": laws.interfacial_anisotropy(STACK.interfacial_anisotropy),
    }
    stack = with_values(
        STACK, **{key: {"temperature": tuple(kelvin), "value": tuple(value)} for key, value in tables.items()}
    )
    at = {"temperature": 358.15}
    first, second = (
        Population(DEMO.with_(stack=one, cell=at)).nominal().iloc[0]
        for one in ({}, {key: getattr(stack, key) for key in tables})
    )
    columns = ["saturation_magnetization_A_per_m", "thermal_stability", "critical_current_A", "tmr"]
    # K_eff is a tenth of Ki: own measurement 2e-5.
    np.testing.assert_allclose(second[columns].tolist(), first[columns].tolist(), rtol=1e-4)


@given(st.lists(st.floats(1e5, 2e6), min_size=3, max_size=8).map(lambda values: sorted(values, reverse=True)))
def test_what_falls_with_temperature_falls_in_between(values):
    kelvin = tuple(np.linspace(240.0, 400.0, len(values)))
    table = MagnetizationTable(temperature=kelvin, value=tuple(values))
    found = table.at(np.linspace(240.0, 400.0, 200))
    assert np.all(np.diff(found) <= 1e-6)
    assert found.max() <= values[0] * (1 + 1e-12)
    assert found.min() >= values[-1] * (1 - 1e-12)
    np.testing.assert_allclose(table.at(kelvin), values, rtol=1e-12)


@pytest.mark.parametrize("diameter", [None, 60e-9])
@pytest.mark.parametrize("names", [(), ("magnetization",)])
def test_a_measured_anisotropy_field_is_that_of_the_film_or_of_the_junction(names, diameter):
    at_300k = float(film_field(STACK, diameter=diameter))
    values = tuple(at_300k + shift for shift in (0.03, 0.0, -0.04, -0.09))
    table = {"temperature": KELVIN, "value": values, "diameter": diameter}
    stack = measured(*names, anisotropy_field_over_temperature=table)
    np.testing.assert_allclose(film_field(stack, np.array(KELVIN), diameter), values, rtol=1e-9, atol=1e-9)
    if diameter is not None:
        hot = DEMO.with_(
            stack={"anisotropy_field_over_temperature": table}, junction={"diameter": 60e-9},
            cell={"temperature": 350.0},
        )  # fmt: skip
        assert Population(hot).nominal()["anisotropy_field_T"].iloc[0] == pytest.approx(values[2], rel=1e-9)


def test_tables_are_scaled_to_the_stack_and_contradictions_refused():
    low = {"temperature": KELVIN, "value": tuple(0.96 * value for value in MAGNETIZATION["value"])}
    stack = with_values(STACK, magnetization_over_temperature=low)
    found = FilmLaws(stack, 300.0).magnetization(stack.saturation_magnetization)
    assert found == pytest.approx(1.257e6, rel=1e-12)
    # A row of other values in emu/cm^3 would be a thousand times smaller.
    for key, unit, factor, name in (
        ("magnetization", "kA/m", 1e-3, "saturation_magnetization"),
        ("interfacial_anisotropy", "mJ/m^2", 1e3, "interfacial_anisotropy"),
    ):
        values = [f"{0.9 * value * factor!r} {unit}" for value in TABLES[key]["value"]]
        table = {"temperature": ["-20 degC", "300 K", "350 K", "390 K"], "value": values}
        with pytest.raises(InputError, match=rf"{key}_over_temperature.*the {name} of the stack at 300 K"):
            DEMO.with_(stack={f"{key}_over_temperature": table})
    both = {"anisotropy_field_over_temperature": {"temperature": KELVIN, "value": (0.1,) * 4}}
    with pytest.raises(ValueError, match=r"none beside interfacial_anisotropy_over_temperature"):
        measured("interfacial_anisotropy", **both)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"temperature": ["300 K", "280 K"], "value": ["1.25 MA/m"] * 2}, "in ascending order"),
        ({"temperature": ["310 K", "350 K"], "value": ["1.25 MA/m"] * 2}, "on both sides of 300 K"),
        ({"temperature": ["300 K", "350 K"], "value": ["1.25 MA/m"] * 3}, "as many values as temperatures"),
        ({"temperature": ["300 K", "350 K"], "value": ["1.25 MA/m", "-1 MA/m"]}, "above 10 kA/m"),
        ({"temperature": ["300 K", "350 K"], "value": ["1.25 MA/m", "1 T"]}, "dimension of A/m"),
        ({"temperature": ["300 K"], "value": ["1.25 MA/m"]}, "at least 2 items"),
        ({"temperatures": ["300 K"], "value": ["1.25 MA/m"]}, "Did you mean temperature"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, table, says):
    message = refusal(tmp_path, changed("stack.magnetization_over_temperature", table))
    assert "stack.magnetization_over_temperature" in message
    assert says in message


def test_temperatures_outside_a_table_are_refused_with_its_range():
    stack = measured("magnetization")
    with pytest.raises(InputError, match=rf"{RANGE}, the range of magnetization_over_temperature"):
        FilmLaws(stack, np.array([300.0, 395.0]))
    study = DEMO.with_(stack={"magnetization_over_temperature": MAGNETIZATION})
    with pytest.raises(InputError, match=rf"cell\.temperature.*{RANGE}"):
        study.with_(cell={"temperature": 240.0})
    with pytest.raises(InputError, match=RANGE):
        escape_rates(study.tables, Population(study).nominal(), 395.0)
    with pytest.raises(InputError, match=RANGE):
        Film(stack, 40e-9, 395.0)


def test_retention_is_that_of_the_hot_cell():
    # By itself: rates at 350 K of devices derived at 300 K and at 350 K.
    tables = {f"{name}_over_temperature": table for name, table in TABLES.items()}
    cold, hot = (DEMO.with_(stack=tables, cell={"temperature": kelvin}) for kelvin in (300.0, 350.0))
    rates = [escape_rates(one.tables, Population(one).nominal(), 350.0) for one in (cold, hot)]
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-9)


def test_a_study_with_tables_is_read_and_written(tmp_path):
    field = {"temperature": ["-40 degC", "27 degC", "125 degC"], "value": ["0.2 T", "0.17 T", "0.1 T"],
             "diameter": "40 nm"}  # fmt: skip
    study = DEMO.with_(
        stack={"magnetization_over_temperature": MAGNETIZATION, "anisotropy_field_over_temperature": field}
    )
    assert study.stack.anisotropy_field_over_temperature.temperature == (233.15, 300.15, 398.15)
    file = tmp_path / "study.toml"
    file.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(file) == study
    assert study.stack.unused_exponents == ("magnetization_exponent", "anisotropy_exponent")
    # A study without tables is written as before, so that parts of runs keep their names.
    assert STACK.unused_exponents == ()
    assert not [key for key in DEMO.model_dump(mode="json")["stack"] if "over_temperature" in key]


def test_the_verilog_module_has_no_tables():
    study = DEMO.with_(stack={"magnetization_over_temperature": MAGNETIZATION})
    device = Population(study).nominal()
    with pytest.raises(InputError, match=r"magnetization_over_temperature.*spice-model"):
        verilog_a(study.tables, device, "mtj")
    assert "mtj_axial" in pspice(study.tables, device, "mtj")


# ---- exponents from outside ----

KEYS = ("magnetization_exponent", "anisotropy_exponent", "polarization_exponent", "resistance_exponent")


def all_laws(laws):
    return np.array(
        [
            laws.magnetization(1.2e6), laws.interfacial_anisotropy(1.3e-3), laws.polarization(0.6),
            laws.tmr(1.2), laws.resistance_area_product(5e-12),
        ]
    )  # fmt: skip


def test_exponents_of_the_stack_are_the_default_bit_for_bit():
    kelvin = np.linspace(240.0, 390.0, 7)
    assert np.array_equal(
        all_laws(FilmLaws(STACK, kelvin)), all_laws(FilmLaws(STACK, kelvin, Exponents.of(STACK)))
    )
    assert Exponents.of(STACK) == tuple(getattr(STACK, key) for key in KEYS)


def test_exponents_broadcast_with_the_temperatures():
    values = {
        "magnetization_exponent": np.array([[1.3], [1.7]]), "anisotropy_exponent": np.array([[2.0], [3.0]]),
        "polarization_exponent": np.array([[0.8], [1.2]]), "resistance_exponent": np.array([[-0.1], [0.1]]),
    }  # fmt: skip
    kelvin = np.linspace(240.0, 390.0, 5)
    found = all_laws(FilmLaws(STACK, kelvin, Exponents.of(STACK, values)))
    assert found.shape == (5, 2, 5)
    for k in range(2):
        own = with_values(STACK, **{key: float(value[k, 0]) for key, value in values.items()})
        np.testing.assert_allclose(found[:, k], all_laws(FilmLaws(own, kelvin)), rtol=1e-14)


def test_a_film_takes_exponents_there_and_back():
    hot = Film(FILM.stack, FILM.diameter, 358.15)
    device = hot.nominal()
    hot = hot.with_values({"anisotropy_exponent": 2.9, "magnetization_exponent": 1.2})
    film = hot.film(device)
    back = hot.device(film, 358.15)
    np.testing.assert_allclose(np.array(back), np.array(device), rtol=1e-12)
    # The same stack with these exponents as its own.
    own = Film(
        with_values(FILM.stack, anisotropy_exponent=2.9, magnetization_exponent=1.2), FILM.diameter, 358.15
    )
    np.testing.assert_array_equal(np.array(own.film(device)), np.array(film))
    kelvin = np.array([300.0, 330.0])
    for name, numbers in (
        ("magnetization", ()), ("parallel_resistance", (5e-12,)), ("tmr", (1.2,)),
    ):  # fmt: skip
        found = getattr(hot, name)(kelvin, *numbers)
        np.testing.assert_array_equal(found, getattr(own, name)(kelvin, *numbers))
    np.testing.assert_array_equal(hot.anisotropy_field(50.0, kelvin), own.anisotropy_field(50.0, kelvin))
