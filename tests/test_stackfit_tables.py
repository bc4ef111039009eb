"""Tables of testers: units, mappings, and what is refused, with its place."""

import re

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import GOOD, HEADER, written

from mtjchar.errors import InputError
from mtjchar.stackfit import read_table, read_tables, table_of


def refusal(path, columns=None):
    with pytest.raises(InputError) as caught:
        read_table(path, columns)
    return str(caught.value)


def test_units_are_in_the_names(tmp_path):
    table = read_table(written(tmp_path, "# tester 4\n\n" + HEADER + GOOD + "ap_to_p,0.6e3,20,1000,3\n"))
    assert table.kind == "switching"
    assert table.rows["amplitude_V"].to_list() == pytest.approx([0.5, 0.6], rel=1e-14)
    assert table.rows["duration_s"].to_list() == pytest.approx([1e-8, 2e-8], rel=1e-14)
    assert table.rows["direction"].to_list() == ["p_to_ap", "ap_to_p"]
    assert table.rows["line"].to_list() == [4, 5]
    assert len(table.sha256) == 64


@pytest.mark.parametrize(
    ("header", "row", "column", "value"),
    [
        ("duration_us,current_uA,current_error_nA", "1,80,500", "current_error_A", 5e-7),
        ("duration_s,current_mA,probability", "1e-8,0.08,0.3", "probability", 0.3),
        ("voltage_mV,resistance_kohm,state", "-200,4.2,AP", "resistance_ohm", 4200.0),
        ("field_Oe,resistance_ohm,sweep_rate_mT_per_s", "100,4000,20", "field_T", 0.01),
        # mu0 times 1 kA/m.
        ("field_kA/m,resistance_ohm,sweep_rate_T_per_s", "1,4000,20", "field_T", 1.2566370614e-3),
        (
            "diameter_nm,resistance_area_product_ohm_um2,tmr",
            "40,5,1.2",
            "resistance_area_product_ohm_m2",
            5e-12,
        ),
        ("diameter_nm,tmr,temperature_degC", "40,1.1,85", "diameter_m", 4e-8),
    ],
)
def test_kinds_and_units(tmp_path, header, row, column, value):
    table = read_table(written(tmp_path, f"{header}\n{row}\n"))
    assert table.rows[column].iloc[0] == pytest.approx(value, rel=1e-9)


def test_degrees_have_an_offset(tmp_path):
    text = HEADER.strip() + ",temperature_degC\n" + GOOD.strip() + ",85\n"
    assert read_table(written(tmp_path, text)).rows["temperature_K"].iloc[0] == pytest.approx(358.15)


@pytest.mark.parametrize(
    ("outcome", "value", "switched"),
    [("failures", "588", 412), ("probability", "0.412", 412), ("switched", "412", 412)],
)
def test_outcomes(tmp_path, outcome, value, switched):
    text = f"direction;current_uA;duration_ns;trials;{outcome}\nAP2P;50;10;1000;{value}\n"
    assert read_table(written(tmp_path, text)).rows["switched"].iloc[0] == switched


def test_parquet_and_rows_in_memory(tmp_path):
    rows = pd.DataFrame(
        {
            "direction": ["p_to_ap"],
            "amplitude_V": [0.5],
            "duration_ns": [10.0],
            "trials": [100],
            "switched": [7],
        }
    )
    rows.to_parquet(tmp_path / "data.parquet")
    for table in (*read_tables([tmp_path / "data.parquet"]), table_of(rows)):
        assert table.rows["duration_s"].iloc[0] == pytest.approx(1e-8)
        assert table.rows["switched"].iloc[0] == 7


def test_mapping(tmp_path):
    columns = written(
        tmp_path,
        '[columns]\namplitude = { name = "Vp", unit = "mV" }\nduration = { name = "tp", unit = "ns" }\n'
        'trials = "N"\nfailures = "err"\n[values]\ndirection = "AP->P"\ntemperature = "85 degC"\n',
        "columns.toml",
    )
    table = read_table(written(tmp_path, "Vp,tp,N,err\n500,10,1000,10\n"), columns)
    row = table.rows.iloc[0]
    assert (row["direction"], row["switched"]) == ("ap_to_p", 990.0)
    assert row["amplitude_V"] == pytest.approx(0.5)
    assert row["temperature_K"] == pytest.approx(358.15)


@pytest.mark.parametrize(
    ("row", "column", "value", "allowed"),
    [
        ("P->AP,500,10,1000,nan", "switched", "'nan'", "a whole number from 0 to the trials"),
        ("P->AP,500,10,1000,1001", "switched", "'1001'", "a whole number from 0 to the trials"),
        ("P->AP,500,10,1000,-1", "switched", "'-1'", "a whole number"),
        ("P->AP,500,10,1000,2.5", "switched", "'2.5'", "a whole number"),
        ("P->AP,500,10,0,0", "trials", "'0'", "at least 1"),
        ("P->AP,-500,10,1000,3", "amplitude_mV", "'-500'", "a positive number"),
        ("P->AP,500,inf,1000,3", "duration_ns", "'inf'", "a positive number"),
        ("P->AP,500,,1000,3", "duration_ns", "''", "a positive number"),
        ("up,500,10,1000,3", "direction", "'up'", "p_to_ap or ap_to_p"),
    ],
)
def test_bad_rows_are_refused_with_their_place(tmp_path, row, column, value, allowed):
    path = written(tmp_path, HEADER + GOOD + row + "\n")
    message = refusal(path)
    assert message.startswith(f"{path}, line 3, {column}: got {value}; allowed: ")
    assert allowed in message
    assert "--skip-bad" in message
    table = read_table(path, skip_bad=True)
    assert (len(table.rows), table.skipped) == (1, 1)


def test_probability_outside_of_0_to_1(tmp_path):
    text = "direction,current_uA,duration_ns,trials,probability\nP->AP,50,10,100,1.2\n"
    assert "line 2, probability: got '1.2'; allowed: 0 to 1" in refusal(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("direction,amplitude,duration_ns,trials,switched\n" + GOOD, "column amplitude: got 'no unit'"),
        ("direction,amplitude_ns,duration_ns,trials,switched\n" + GOOD, "unit of column amplitude_ns"),
        ("direction,amplitude_furlongsx,duration_ns,trials,switched\n" + GOOD, "unit of column"),
        ("what,ever\n1,2\n", "No known column found. The file has what, ever."),
        ("amplitude_mV,duration_ns,trials,switched\n500,10,100,3\n", "a column direction"),
        (HEADER + "P->AP,500,10,1000\n", "line 2: got 'P->AP,500,10,1000'; allowed: 5 values"),
        (
            "direction,amplitude_mV,current_uA,duration_ns,trials,switched\nP->AP,1,2,3,4,4\n",
            "one of the two",
        ),
        ("amplitude_mV,amplitude_V,duration_ns\n1,2,3\n", "one column of amplitude"),
        (HEADER + "up,500,10,1000,3\n", "p_to_ap or ap_to_p"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    assert message in refusal(written(tmp_path, text))


def test_nothing_but_bad_rows(tmp_path):
    with pytest.raises(InputError, match="1 bad rows and no other"):
        read_table(written(tmp_path, HEADER + "up,500,10,1000,3\n"), skip_bad=True)


def test_missing_and_unreadable_files(tmp_path):
    assert "it does not exist" in refusal(tmp_path / "none.csv")
    assert "a Parquet file" in refusal(written(tmp_path, "no parquet", "data.parquet"))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    assert "no rows" in refusal(binary)
    binary.write_bytes(b"\x7fELF\x02\x01\x01")
    assert "allowed: text, a spreadsheet (.xlsx), Parquet, HDF5 or MATLAB" in refusal(binary)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[columns]\nvolts = 'V'\n", "columns.volts"),
        ("[columns]\namplitude = 1.5\n", re.escape('{ name = "...", unit = "..." }')),
        ("[columns]\namplitude = 'V'\n", "columns.amplitude: got 'V'; allowed: a column of the data"),
        ("[values]\ntemperature = 85\n", "values.temperature"),
        ("[values]\nvolts = 85\n", "values.volts"),
        ("[other]\n", "other"),
        ("no toml", "a TOML file with"),
    ],
)
def test_bad_mappings(tmp_path, text, message):
    columns = written(tmp_path, text, "columns.toml")
    data = written(tmp_path, HEADER + GOOD)
    assert re.search(message, refusal(data, columns))


@pytest.mark.parametrize("stack", [1, 2])
def test_published_points(stack):
    # The points of the issue that asked for them, as they were read off the figure.
    table = read_table(f"data/published/hu2019_stack{stack}.csv")
    assert table.kind == "thresholds"
    first = {1: (3e-9, 159e-6, 9), 2: (3e-9, 110e-6, 13)}[stack]
    row = table.rows.iloc[0]
    assert (row["duration_s"], row["current_A"], len(table.rows)) == pytest.approx(first)
    assert np.allclose(table.rows["current_error_A"], 1e-6)
