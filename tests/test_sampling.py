"""Sampled devices: distributions, seeds, and what follows from the parameters."""

import numpy as np
import pandas as pd
import pytest
from common import DEMO

from mtjchar.cells.stt.device import COLUMNS, derive, refusal
from mtjchar.cells.stt.tables import SttVariability
from mtjchar.errors import InputError
from mtjchar.study import ExternalField, Spread, Transistor
from mtjchar.sweep import population
from mtjchar.sweep.population import Population
from mtjchar.units import parse_quantity

EVERYTHING = SttVariability.model_validate(
    {
        "diameter": 0.03,
        "free_layer_thickness": "0.005 nm",
        "saturation_magnetization": 0.002,
        "interfacial_anisotropy": 0.004,
        "damping": 0.1,
        "spin_polarization": "0.01",
        "resistance_area_product": "0.2 ohm*um^2",
        "tmr": 0.05,
        "threshold_voltage": "15 mV",
        "current_factor": 0.05,
    }
)


def field(**components):
    return ExternalField(**components)


def study(devices=256, seed=1, variability=EVERYTHING, *, stack=None, junction=None, **cell):
    return DEMO.with_(
        stack=stack or {}, junction=junction or {}, cell=cell, variability=variability,
        sweep={"devices": devices, "seed": seed},
    )  # fmt: skip


def test_same_seed_same_table():
    pd.testing.assert_frame_equal(Population(study()).draw(), Population(study()).draw(), check_exact=True)


def test_other_seed_other_table():
    one, other = Population(study(seed=1)).draw(), Population(study(seed=2)).draw()
    for column in COLUMNS.values():
        assert not np.any(one[column].to_numpy() == other[column].to_numpy())


@pytest.mark.parametrize("devices", [1, 2, 3, 5, 100, 127, 128, 129, 1000])
def test_any_number_of_devices(devices):
    table = Population(study(devices)).draw()
    assert table["device"].tolist() == list(range(devices))
    assert np.all(np.isfinite(table.to_numpy()))


def test_first_devices_do_not_depend_on_how_many_there_are():
    few, many = Population(study(100)).draw(), Population(study(500)).draw()
    pd.testing.assert_frame_equal(few, many.head(100), check_exact=True)


@pytest.mark.parametrize(("name", "column"), COLUMNS.items())
def test_distribution_of_each_parameter(name, column):
    spread = getattr(EVERYTHING, name)
    sigma = (
        spread.sigma * (DEMO.stack.tmr if name == "tmr" else study().nominal(name))
        if (spread.relative)
        else spread.sigma
    )
    assert sigma > 0
    standard = np.sort((Population(study(1024)).draw()[column] - study().nominal(name)) / sigma)
    # The study's own numbers. A scrambled Sobol sequence has one point in each 1024th of a dimension:
    # mean and deviation are within a few 1/1024; those of independent points would be within 0.1.
    assert np.mean(standard) == pytest.approx(0.0, abs=0.005)
    assert np.std(standard) == pytest.approx(1.0, abs=0.01)
    # Normal: quantiles of the standard normal distribution, from tables.
    quantiles = np.interp([0.0228, 0.1587, 0.5, 0.8413, 0.9772], (np.arange(1024) + 0.5) / 1024, standard)
    np.testing.assert_allclose(quantiles, [-2, -1, 0, 1, 2], atol=0.03)


def test_parameters_do_not_depend_on_each_other():
    table = Population(study(1024)).draw()[list(COLUMNS.values())]
    correlation = np.corrcoef(table.to_numpy().T)
    # Independent points would scatter by 1/sqrt(1024) = 0.031.
    assert np.max(np.abs(correlation - np.eye(len(COLUMNS)))) < 0.1


def test_what_has_no_spread_has_its_nominal_value():
    table = Population(
        study(50, variability=SttVariability(diameter=Spread(sigma=0.02, relative=True)))
    ).draw()
    for name, column in COLUMNS.items():
        if name == "diameter":
            assert table[column].nunique() == 50
        else:
            np.testing.assert_allclose(table[column], study().nominal(name), rtol=1e-14, atol=0)


def test_distributions_end_at_five_sigma(monkeypatch):
    # The ends of the unit interval, where a normal distribution has no end.
    class Ends:
        def __init__(self, dimensions, **_):
            self.dimensions = dimensions

        def random_base2(self, _):
            return np.repeat([[0.0], [1.0]], self.dimensions, axis=1)

    monkeypatch.setattr(population.qmc, "Sobol", Ends)
    variability = SttVariability(diameter=Spread(sigma=0.19, relative=True), threshold_voltage="10 mV")
    table = Population(study(2, variability=variability)).draw()
    np.testing.assert_allclose(table["diameter_m"], 40e-9 * (1 + 0.19 * np.array([-5, 5])), rtol=1e-12)
    np.testing.assert_allclose(table["threshold_voltage_V"], [-0.05, 0.05], rtol=1e-12)


def test_nominal_device_is_that_of_the_stack():
    device = Population(study()).nominal().iloc[0]
    for name, column in COLUMNS.items():
        assert device[column] == pytest.approx(study().nominal(name), rel=1e-14, abs=0)
    # Published: Delta about 40 (Ikeda 2010), which the stack gives; Ic0 = 4 alpha e kB T 40/(hbar eta) with
    # eta = 0.62/(1 + 0.62^2); t_D and R_P by hand: (1 + a^2)/(a gamma B), 5 ohm um^2/(pi/4 (40 nm)^2).
    assert device["thermal_stability"] == pytest.approx(40.0, rel=1e-9)
    assert device["critical_current_A"] == pytest.approx(43.85e-6 * (1 + 0.62**2), abs=0.02e-6)
    field = device["anisotropy_field_T"]
    assert device["relaxation_time_s"] == pytest.approx(
        (1 + 0.027**2) / (0.027 * 1.760859e11 * field), rel=1e-12, abs=0
    )
    assert device["parallel_resistance_ohm"] == pytest.approx(5e-12 / (np.pi / 4 * 40e-9**2), rel=1e-12)
    assert device["antiparallel_resistance_ohm"] == pytest.approx(2.24 * device["parallel_resistance_ohm"])


def test_delta_is_half_ms_hk_v_over_kt():
    table = Population(study(64, temperature=350.0)).draw()
    volume = np.pi / 4 * table["diameter_m"] ** 2 * table["free_layer_thickness_m"]
    # Analytic: Delta = mu0 Hk Ms V/(2 kB T), and Ic0 = 4 alpha e kB T Delta/(hbar eta), eta =
    # P/(1 + P^2); CODATA constants.
    delta = table["anisotropy_field_T"] * table["saturation_magnetization_A_per_m"] * volume
    np.testing.assert_allclose(table["thermal_stability"], delta / (2 * 1.380649e-23 * 350), rtol=1e-12)
    current = 4 * table["damping"] * 1.602176634e-19 * 1.380649e-23 * 350 * table["thermal_stability"]
    expected = current * (1 / table["spin_polarization"] + table["spin_polarization"]) / 1.054571817e-34
    np.testing.assert_allclose(table["critical_current_A"], expected, rtol=1e-9)


def test_at_300_kelvin_nothing_is_scaled():
    sampled = Population(study(16)).draw()[list(COLUMNS.values())]
    table = derive(study(16), sampled)
    for column in COLUMNS.values():
        if column == "tmr":  # through Julliere's formula and back: rounding
            np.testing.assert_allclose(table[column], sampled[column], rtol=1e-14)
        else:
            np.testing.assert_array_equal(table[column], sampled[column])


@pytest.mark.parametrize("kelvin", [233.15, 260.0, 350.0, 398.15])
def test_temperature_scaling(kelvin):
    laws = {"curie_temperature": 1120.0, "magnetization_exponent": 1.5, "anisotropy_exponent": 2.18,
            "polarization_exponent": 1.2, "resistance_exponent": -0.05}  # fmt: skip
    cold, hot = (Population(study(stack=laws, temperature=k)).nominal().iloc[0] for k in (300.0, kelvin))
    # Analytic: the laws of the docstring of Stack, written again.
    m = (1 - (kelvin / 1120) ** 1.5) / (1 - (300 / 1120) ** 1.5)
    expected = {
        "saturation_magnetization_A_per_m": m,
        "interfacial_anisotropy_J_per_m2": m**2.18,
        "spin_polarization": m**1.2,
        "resistance_area_product_ohm_m2": (kelvin / 300) ** -0.05,
        "damping": 1.0,
        "diameter_m": 1.0,
        "free_layer_thickness_m": 1.0,
    }
    for column, factor in expected.items():
        assert hot[column] / cold[column] == pytest.approx(factor, rel=1e-12, abs=0)
    # Julliere: TMR = 2 P^2/(1 - P^2), with P^2 scaled.
    square = 1.24 / 3.24 * m**2.4
    assert hot["tmr"] == pytest.approx(2 * square / (1 - square), rel=1e-12, abs=0)
    assert (hot["thermal_stability"] < cold["thermal_stability"]) == (kelvin > 300)


@pytest.mark.parametrize(
    "change",
    [
        {"stack": {"interfacial_anisotropy": 1.12e-3}},
        {"stack": {"interfacial_anisotropy": 0.5e-3}},  # in the plane: Delta is negative
        {"stack": {"free_layer_thickness": 1.6e-9}},
        {"stack": {"interfacial_anisotropy": 1.15e-3}, "temperature": 398.15},
    ],
    ids=["barely", "far", "thick", "hot"],
)
def test_nominal_device_without_two_states_is_refused(change):
    with pytest.raises(InputError) as refusal:
        Population(study(**change)).nominal()
    message = str(refusal.value)
    assert "thermal stability" in message
    assert f"got {refusal.value.value!r}" in message
    assert refusal.value.value < 5
    assert "allowed: at least 5" in message
    for remedy in ("interfacial_anisotropy", "junction.diameter", "free_layer_thickness", "temperature"):
        assert remedy in message


def test_what_is_refused_hot_may_do_at_room_temperature():
    assert (
        Population(study(stack={"interfacial_anisotropy": 1.15e-3})).nominal()["thermal_stability"].iloc[0]
        > 5
    )


def test_field_along_the_axis_changes_the_barriers_and_nothing_else():
    plain, shifted = Population(study()).nominal(), Population(study(external_field=field(z=0.02))).nominal()
    h = 0.02 / plain["anisotropy_field_T"]
    # Analytic: Delta (1 +- h)^2.
    np.testing.assert_allclose(shifted["barrier_p"], plain["thermal_stability"] * (1 + h) ** 2, rtol=1e-12)
    np.testing.assert_allclose(shifted["barrier_ap"], plain["thermal_stability"] * (1 - h) ** 2, rtol=1e-12)
    same = [name for name in plain if not name.startswith("barrier")]
    pd.testing.assert_frame_equal(plain[same], shifted[same], check_exact=True)


def test_stability_of_an_ellipse_is_the_barrier_over_its_long_axis():
    table = Population(study(16, junction={"aspect_ratio": 1.4})).draw()
    np.testing.assert_allclose(table["barrier_p"], table["thermal_stability"], rtol=1e-12)
    # Analytic: Delta = [Ki/t - mu0 (Nz - Nx) Ms^2/2] V/(kB T), V that of the circle of equal area.
    thickness = table["free_layer_thickness_m"]
    shape = 0.5 * 4e-7 * np.pi * (table["demagnetizing_z"] - table["demagnetizing_x"])
    energy = (
        table["interfacial_anisotropy_J_per_m2"] / thickness
        - shape * table["saturation_magnetization_A_per_m"] ** 2
    )
    volume = np.pi / 4 * table["diameter_m"] ** 2 * thickness
    np.testing.assert_allclose(table["thermal_stability"], energy * volume / (1.380649e-23 * 300), rtol=1e-7)
    assert np.all(table["demagnetizing_x"] < table["demagnetizing_y"])


@pytest.mark.parametrize(
    "components", [{"z": 0.3}, {"z": -0.15}, {"x": 0.18}, {"x": 0.05, "y": -0.05, "z": 0.1}]
)
def test_field_that_leaves_no_two_states_is_refused(components):
    with pytest.raises(InputError) as refusal:
        Population(study(external_field=field(**components))).nominal()
    message = str(refusal.value)
    assert message.startswith(f"cell.external_field: got {components}; allowed: ")
    assert "interfacial_anisotropy" in message
    largest = parse_quantity(message.split("at most ")[1].split(". ")[0], "T")
    direction = np.array(list(components.values()))
    direction /= np.linalg.norm(direction)
    for factor, accepted in ((0.999, True), (1.001, False)):
        inside = dict(zip(components, factor * largest * direction, strict=True))
        if accepted:
            device = Population(study(external_field=field(**inside))).nominal()
            # What "at most" means: the smaller barrier is 5 kB T.
            assert device[["barrier_p", "barrier_ap"]].to_numpy().min() == pytest.approx(5.0, abs=0.1)
        else:
            with pytest.raises(InputError, match=r"cell\.external_field"):
                Population(study(external_field=field(**inside))).nominal()


def test_sampled_devices_without_two_states_say_why():
    weak = study(64, external_field=field(z=0.11))
    devices = Population(weak).draw()
    reasons = refusal(devices)
    failed = devices[["barrier_p", "barrier_ap"]].to_numpy().min(axis=1) < 5
    assert 0 < failed.sum() < 64
    assert [reason != "" for reason in reasons] == failed.tolist()
    assert all(reason.startswith("no stable state: barriers of ") for reason in reasons[failed])


# ---- mismatch of the transistor ---------------------------------------------------------------------


def mismatch(width, length, **variability):
    """Make a study with another transistor and only this variability."""
    transistor = Transistor(width=width, length=length)
    return DEMO.with_(cell={"transistor": transistor}, variability=SttVariability(**variability))


def test_pelgroms_coefficients_over_the_root_of_the_area():
    # By hand: sqrt(300 nm x 30 nm) = 94.868 nm; 2 mV um/94.868 nm = 21.082 mV, 1 % um/94.868 nm = 10.541 %
    # (doi:10.1109/JSSC.1989.572629). Four times the area halves both.
    given = {"threshold_voltage": {"avt": "2 mV*um"}, "current_factor": {"abeta": "1 %*um"}}
    one = np.zeros((1, len(COLUMNS)))
    one[0, list(COLUMNS).index("threshold_voltage")] = 1.0
    one[0, list(COLUMNS).index("current_factor")] = -1.0
    for width, length, share in ((300e-9, 30e-9, 1.0), (600e-9, 60e-9, 0.5), (1.2e-6, 30e-9, 0.5)):
        device = Population(mismatch(width, length, **given)).at(one).iloc[0]
        assert device["threshold_voltage_V"] == pytest.approx(21.082e-3 * share, rel=1e-4)
        assert device["current_factor"] == pytest.approx(1.0 - 0.10541 * share, rel=1e-4)


def test_spread_of_drawn_transistors_is_pelgroms():
    asked = mismatch(300e-9, 30e-9, threshold_voltage={"avt": "2 mV*um"}, current_factor={"abeta": "1 %*um"})
    asked = asked.with_(sweep={"devices": 4096})
    devices = Population(asked).draw()
    # By hand, as above; Sobol points: closer than the 1.1 % of 4096 independent draws.
    assert devices["threshold_voltage_V"].std() == pytest.approx(21.082e-3, rel=0.01)
    assert devices["current_factor"].std() == pytest.approx(0.10541, rel=0.01)
    assert abs(np.corrcoef(devices["threshold_voltage_V"], devices["current_factor"])[0, 1]) < 0.05
