"""Messages about what is nearly right: keys, units, names, and tables of our own given to a fit."""

import doctest

import pandas as pd
import pytest
from common import DEMO_FILE, ROOT

from mtjchar import errors
from mtjchar.cells.stt.stack_files import load_stack
from mtjchar.errors import InputError, did_you_mean
from mtjchar.export import export_surface
from mtjchar.stackfit.data.tables import read_table
from mtjchar.study import load_study
from mtjchar.units import parse_quantity

STACK = ROOT / "data/stacks/ikeda2010.toml"


def refused(tmp_path, old, new):
    """Message about the demo study with a text replaced."""
    text = DEMO_FILE.read_text().replace("../stacks/ikeda2010.toml", str(STACK))
    assert old in text
    (tmp_path / "study.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_study(tmp_path / "study.toml")
    return str(caught.value).removeprefix(f"{tmp_path}/study.toml: ")


@pytest.mark.parametrize(
    ("old", "new", "thing", "meant"),
    [
        ("diameter =", "diametr =", "junction.diametr", "diameter"),
        ("[junction]", "[juncton]", "juncton", "junction"),
        ("[sweep]", "[swep]", "swep", "sweep"),
        ("devices =", "device =", "sweep.device", "devices"),
        ("points = 12", "point = 12", "sweep.amplitude.point", "points"),
        ("[junction]", '[junction]\ntemperature = "300 K"', "junction.temperature", "cell.temperature"),
        (
            'resistance_area_product = "5 ohm*um^2"',
            'resistance_area_produkt = "5 ohm*um^2"',
            "stack_overrides.resistance_area_produkt",
            "resistance_area_product",
        ),
        ("tmr =", "tmrr =", "variability.tmrr", "tmr"),
    ],
)
def test_an_unknown_key_comes_first_with_the_nearest_known_one(tmp_path, old, new, thing, meant):
    message = refused(tmp_path, old, new)
    assert message.startswith(f"{thing}: got ")
    assert f"There is no such key. Did you mean {meant}?" in message


def test_a_key_like_no_other_gets_no_suggestion(tmp_path):
    message = refused(tmp_path, "[cell]", "[cell]\nxyzzy = 3")
    assert message.startswith("cell.xyzzy: got 3")
    assert message.endswith("There is no such key.")


def test_an_unknown_key_of_a_stack_file(tmp_path):
    (tmp_path / "stack.toml").write_text(STACK.read_text().replace("damping =", "dampning ="))
    with pytest.raises(InputError, match=r"stack\.toml: dampning: got .*Did you mean damping\?"):
        load_stack(tmp_path / "stack.toml")


@pytest.mark.parametrize(
    ("text", "unit", "meant"),
    [
        ("125 C", "K", "125 degC"),
        ("125 F", "K", "125 degF"),
        ("25 c", "K", "25 degC"),
        ("300 k", "K", "300 K"),
        ("5 nS", "s", "5 ns"),
        ("40 NM", "m", "40 nm"),
        ("300 Nm", "m", "300 nm"),
        ("30 mt", "T", "30 mT"),
        ("1 v", "V", "1 V"),
        ("5 kOhm", "ohm", "5 kohm"),
        ("5 ohm*um2", "ohm*m^2", "5 ohm*um^2"),
    ],
)
def test_a_unit_that_is_nearly_one(text, unit, meant):
    with pytest.raises(InputError) as caught:
        parse_quantity(text, unit)
    assert str(caught.value).endswith(f"Did you mean '{meant}'?")
    parse_quantity(meant, unit)


@pytest.mark.parametrize(("text", "unit"), [("40 V", "m"), ("1 C", "F"), ("3", "V"), ("5 degC^2", "K")])
def test_another_quantity_gets_no_suggestion(text, unit):
    with pytest.raises(InputError) as caught:
        parse_quantity(text, unit)
    assert "mean" not in str(caught.value)


def test_the_unit_of_a_key(tmp_path):
    message = refused(tmp_path, '"300 K"', '"125 C"')
    assert message.startswith("cell.temperature: got '125 C'")
    assert message.endswith("The unit given is coulomb. Did you mean '125 degC'?")


def test_names(tmp_path, characterized_surface):
    assert did_you_mean("p-to-ap", ["p_to_ap", "ap_to_p"]) == "Did you mean p_to_ap?"
    assert did_you_mean(7, ["p_to_ap"]) == ""
    with pytest.raises(InputError, match=r"Did you mean verilog-a\?"):
        export_surface(characterized_surface, "verlog-a", tmp_path / "t")
    assert doctest.testmod(errors).attempted == 1


# ---- tables of our own ------------------------------------------------------------------------------

SAMPLES = {
    "device": [0], "direction": ["p_to_ap"], "amplitude_V": [0.8], "duration_s": [8e-9],
    "write_error_rate": [0.1], "energy_J": [1e-12], "redundant_energy_J": [1e-12], "status": ["ok"],
}  # fmt: skip
DEVICES = {"diameter_m": [4e-8], "tmr": [1.2], "thermal_stability": [50.0], "weight": [1.0], "replicate": [0]}
PULSES = {"direction": ["p_to_ap"], "lever": ["both"], "ber": [1e-9], "pulse_ber": [1e-9]}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (SAMPLES, "samples of a sweep"),
        (DEVICES, "sampled devices of a sweep"),
        (PULSES, "cheapest pulses of a surface"),
        ({"lever": ["both"], "programming_energy_J": [1e-6]}, "a trade-off"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_of_our_own_are_named(tmp_path, table, says, form):
    path = tmp_path / f"table.{form}"
    frame = pd.DataFrame(table)
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    with pytest.raises(InputError, match=f"table.{form}: got '{says}.*, which mtjchar computed"):
        read_table(path)


@pytest.mark.parametrize("format_", ["csv", "parquet", "netcdf", "npz", "json"])
def test_exported_surfaces_are_named(tmp_path, characterized_surface, format_):
    path = tmp_path / f"ber.{format_}"
    export_surface(characterized_surface, format_, path)
    with pytest.raises(
        InputError, match=r"got '(error rates of a surface|a surface in|an archive|an exported surface)"
    ):
        read_table(path)


@pytest.mark.parametrize("left_out", [["redundant_energy_J"], ["redundant_energy_J", "effective_devices"]])
def test_a_surface_is_known_by_any_of_its_own_columns(tmp_path, characterized_surface, left_out):
    export_surface(characterized_surface, "csv", tmp_path / "ber.csv")
    pd.read_csv(tmp_path / "ber.csv").drop(columns=left_out).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match="error rates of a surface, which mtjchar computed"):
        read_table(tmp_path / "t.csv")


def test_what_the_remedy_says_is_read(tmp_path, characterized_surface):
    export_surface(characterized_surface, "csv", tmp_path / "ber.csv")
    table = pd.read_csv(tmp_path / "ber.csv")[["direction", "amplitude_V", "duration_s", "ber"]]
    table[(table["ber"] > 0.0) & (table["ber"] < 1.0)].to_csv(tmp_path / "t.csv", index=False)
    assert read_table(tmp_path / "t.csv").kind == "thresholds"


def test_a_run_directory_is_named(tmp_path):
    (tmp_path / "study.toml").write_text("")
    with pytest.raises(InputError, match="got 'a run directory of mtjchar'"):
        read_table(tmp_path)
