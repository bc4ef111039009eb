"""Tables as testers write them: what is read in them, and what is refused instead of being guessed."""

import re

import numpy as np
import pandas as pd
import pytest
from common import with_values
from stackfit_cases import DURATIONS, FILM, GOOD, HEADER, SHARES, STACK, counts, fit_stack_quietly, written

from mtjchar.errors import InputError
from mtjchar.stackfit import (
    Film,
    FitWarning,
    fit_stack,
    pulses_at,
    read_table,
    read_tables,
    simulate_counts,
    simulate_loops,
    table_of,
)
from mtjchar.stackfit.data.field_steps import steps_of


def refusal(*arguments, **options):
    with pytest.raises(InputError) as caught:
        read_tables(*arguments, **options)
    return str(caught.value)


# ---- directions ----


def test_thresholds_in_volts_need_a_direction(tmp_path):
    path = written(tmp_path, "amplitude_mV,duration_s\n480,1e-8\n")
    message = refusal([path])
    assert "columns: got 'amplitude_mV, duration_s'; allowed: a column direction, with p_to_ap or" in message
    assert '[values] direction = "p_to_ap"' in message
    told = written(tmp_path, '[values]\ndirection = "AP->P"\n', "columns.toml")
    assert read_table(path, told).rows["direction"].to_list() == ["ap_to_p"]


CURRENTS = pd.DataFrame({"duration_ns": [5.0, 10.0, 100.0, 1e4], "current_uA": [80.0, 70.0, 60.0, 50.0]})


@pytest.mark.parametrize(
    ("film", "options", "named"),
    [
        (FILM, {"vary": ["critical_current"], "start": {"offset_field": 5e-3}}, "offset_field"),
        (FILM, {"vary": ["critical_current", "offset_field"]}, "offset_field"),
        (FILM, {"vary": ["critical_current", "slonczewski_lambda"]}, "slonczewski_lambda"),
        (
            Film(with_values(STACK, slonczewski_lambda=1.2), 40e-9),
            {"vary": ["critical_current"]},
            "slonczewski_lambda",
        ),
        (
            None,
            {"vary": ["critical_current"], "per_direction": ["critical_current"]},
            "critical_current_p_to_ap",
        ),
    ],
)
def test_thresholds_in_amperes_need_a_direction_where_it_shows(film, options, named):
    with pytest.raises(InputError, match=f"direction: got 'missing'.*{named} makes the directions differ"):
        fit_stack([table_of(CURRENTS)], film, **options)


def test_thresholds_in_amperes_without_a_direction():
    fits = [
        fit_stack_quietly([table_of(rows)], intervals=False)
        for rows in (CURRENTS, CURRENTS.assign(direction="ap_to_p"))
    ]
    # A symmetric torque is the same in both directions.
    assert np.allclose(fits[0].vector, fits[1].vector, rtol=1e-9)


def test_a_direction_is_not_dropped_whole(tmp_path):
    path = written(tmp_path, HEADER + GOOD + "AP->P,nan,10,1000,3\nAP->P,inf,10,1000,30\n")
    message = refusal([path])
    assert message.endswith("2 values are bad; without their rows nothing is left of ap_to_p.")
    message = refusal([path], skip_bad=True)
    assert "rows of ap_to_p: got 'all 2 bad, the first: line 3, amplitude_mV nan'" in message
    mixed = written(tmp_path, HEADER + GOOD + "AP->P,-500,10,1000,3\nAP->P,600,10,1000,30\n")
    assert read_table(mixed, skip_bad=True).skipped == 1


# ---- columns that are called otherwise, or not at all ----


def test_trials_without_an_outcome(tmp_path):
    path = written(tmp_path, "direction,amplitude_V,duration_s,trials,oops\nP->AP,0.5,1e-8,1000,3\n")
    message = refusal([path])
    assert "trials, but no outcome (direction, amplitude_V, duration_s, trials, oops)" in message
    assert "a column switched, failures or probability" in message


def test_errors_are_failures(tmp_path):
    text = "direction,amplitude_V,duration_s,trials,errors\nP->AP,0.5,1e-8,1000,3\n"
    assert read_table(written(tmp_path, text)).rows["switched"].to_list() == [997.0]
    text = text.replace("trials", "N")
    message = "got 'no trials (direction, amplitude_V, duration_s, N, errors)'; allowed: a column trials"
    assert message in refusal([written(tmp_path, text)])


def test_a_mapped_name_that_no_file_has(tmp_path):
    first = written(tmp_path, HEADER.replace("trials", "N") + GOOD, "first.csv")
    second = written(tmp_path, HEADER + GOOD, "second.csv")
    columns = written(tmp_path, '[columns]\ntrials = "N"\n', "columns.toml")
    assert len(read_tables([first, second], columns)) == 2
    message = refusal([second], columns)
    assert "columns.toml: columns.trials: got 'N'; allowed: a column of the data (second.csv: dir" in message


def test_columns_that_are_not_used_are_told(tmp_path):
    path = written(tmp_path, HEADER.strip() + ",lot,wafer\n" + GOOD.strip() + ",L7,3\n")
    table = read_table(path)
    assert table.unused == ("lot", "wafer")
    assert read_table(written(tmp_path, HEADER + GOOD)).unused == ()


def test_switched_and_failures_that_contradict_each_other(tmp_path):
    text = HEADER.strip() + ",failures\n" + GOOD.strip() + ",588\n"
    assert read_table(written(tmp_path, text)).rows["switched"].to_list() == [412.0]
    message = refusal([written(tmp_path, text + GOOD.strip() + ",5\n")])
    assert "line 3, failures: got '5'; allowed: trials less switched of the row" in message


# ---- values that all rows share ----

BARE = "amplitude_mV,duration_ns\n500,10\n"
LOOPS = "field_mT,resistance_ohm\n10,4000\n"


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        (
            HEADER + GOOD,
            'temperature = "85 K"',
            "values.temperature: got '85 K'; allowed: 233.15 K to 573.15",
        ),
        (
            "direction,amplitude_mV,duration_ns,switched\nP->AP,500,10,4\n",
            "trials = 1000.5",
            "values.trials: got 1000.5; allowed: a whole number, at least 1",
        ),
        (
            "direction,amplitude_mV,duration_ns\nP->AP,500,10\n",
            'amplitude_error = "-5 mV"',
            "values.amplitude_error: got '-5 mV'; allowed: a positive number",
        ),
        (
            "direction,amplitude_mV\nP->AP,500\n",
            'duration = "-5 ns"',
            "values.duration: got '-5 ns'; allowed: a positive number",
        ),
        (BARE, 'direction = "up"', "values.direction: got 'up'; allowed: p_to_ap or ap_to_p"),
        (BARE, "direction = 1", "values.direction: got 1; allowed: a string"),
        (HEADER + GOOD, 'trials = "1000 pulses"', "values.trials: got '1000 pulses'; allowed: a number"),
        (HEADER + GOOD, "trials = [1]", "values.trials: got [1]; allowed: a number"),
        (HEADER + GOOD, "trials = true", "values.trials: got True; allowed: a number"),
        (HEADER + GOOD, 'probability = "50 %"', "values.probability: got '50 %'; allowed: a number"),
        (
            "direction,amplitude_mV,duration_ns\nP->AP,500,10\n",
            "probability = 50",
            "values.probability: got 50; allowed: above 0 and below 1",
        ),
        (LOOPS, 'sweep_rate = "-50 mT/s"', "values.sweep_rate: got '-50 mT/s'; allowed: a positive number"),
        (LOOPS, 'sweep_rate = "0 mT/s"', "values.sweep_rate: got '0 mT/s'; allowed: a positive number"),
        (LOOPS, 'sweep_rate = "50 mT"', "values.sweep_rate: got '50 mT'"),
    ],
)
def test_shared_values_are_checked_as_columns_are(tmp_path, text, values, message):
    columns = written(tmp_path, f"[values]\n{values}\n", "columns.toml")
    found = refusal([written(tmp_path, text)], columns)
    assert f"columns.toml: {message}" in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns = 5\n", "columns: got 5; allowed: a table, [columns]"),
        ('values = "x"\n', "values: got 'x'; allowed: a table, [values]"),
        (
            '[columns]\namplitude = { name = "V", unit = 5 }\n',
            "columns.amplitude: got {'name': 'V', 'unit': 5}",
        ),
        ("[columns]\ntrials = { name = 5 }\n", "columns.trials: got {'name': 5}"),
    ],
)
def test_mappings_of_the_wrong_type(tmp_path, text, message):
    columns = written(tmp_path, text, "columns.toml")
    assert f"columns.toml: {message}" in refusal([written(tmp_path, HEADER + GOOD)], columns)


@pytest.mark.parametrize(
    ("rate", "expected"), [("500 Oe/s", 0.05), ("0.5 kOe/s", 0.05), ("50 mT/s", 0.05), ("2 T/s", 2.0)]
)
def test_shared_sweep_rates_in_oersted(tmp_path, rate, expected):
    columns = written(tmp_path, f'[values]\nsweep_rate = "{rate}"\n', "columns.toml")
    rows = read_table(written(tmp_path, LOOPS), columns).rows
    assert rows["sweep_rate_T_per_s"].iloc[0] == pytest.approx(expected)


def test_a_shared_device(tmp_path):
    columns = written(tmp_path, '[values]\ndevice = "D7"\n', "columns.toml")
    assert read_table(written(tmp_path, HEADER + GOOD), columns).rows["device"].to_list() == ["D7"]


# ---- ways to write a file ----


def semicolons(*rows):
    return "direction;amplitude_mV;duration_ns;trials;switched\n" + "".join(f"P->AP;{row}\n" for row in rows)


def test_decimal_commas(tmp_path):
    rows = read_table(written(tmp_path, semicolons("259,13;3,0;1000;54", "2,6e2;10;1000;54"))).rows
    assert rows["amplitude_V"].to_list() == pytest.approx([0.25913, 0.26])
    assert rows["duration_s"].to_list() == pytest.approx([3e-9, 1e-8])


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["259,13;3.5;1000;54"], "got '259,13'.*decimal points too"),
        (["259;3;1,000;54"], "got '1,000'.*no number that shows whether a comma is decimal"),
    ],
)
def test_commas_that_can_mean_two_things(tmp_path, rows, found):
    assert re.search(f"line 2: {found}", refusal([written(tmp_path, semicolons(*rows))]))


def test_decimal_commas_between_commas(tmp_path):
    message = refusal([written(tmp_path, HEADER + "P->AP,259,13,3,0,1000,54\n")])
    assert "allowed: 5 values, as many as the header has. Numbers have a decimal point" in message
    # A comma at the end of the line is an empty cell, which says nothing.
    assert len(read_table(written(tmp_path, HEADER + GOOD.strip() + ",\n")).rows) == 1


def test_quoted_fields(tmp_path):
    text = '"direction","amplitude_mV","duration_ns","trials","switched","note"\n"P->AP","5",3,4,1,"a, b"\n'
    assert read_table(written(tmp_path, text)).rows["switched"].to_list() == [1.0]


def test_the_separator_line_of_excel(tmp_path):
    table = read_table(written(tmp_path, "sep=,\n" + HEADER + GOOD))
    assert (len(table.rows), table.rows["line"].iloc[0]) == (1, 3)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_other_encodings(tmp_path, encoding):
    path = tmp_path / "data.csv"
    path.write_bytes(("# \u00b5m\n" + HEADER + GOOD).encode(encoding))
    assert read_table(path).rows["switched"].to_list() == [412.0]


def test_case_of_names(tmp_path):
    table = read_table(written(tmp_path, "Direction,AMPLITUDE_mV,Duration_ns\nP->AP,1,2\n"))
    assert table.rows["amplitude_V"].to_list() == [1e-3]
    message = refusal([written(tmp_path, "Direction,Amp_mV,Dur_ns\nP->AP,1,2\n")])
    assert "The file has Direction, Amp_mV, Dur_ns." in message
    assert "case of units counts" in message


def test_two_columns_of_one_name(tmp_path):
    text = HEADER.strip() + ",switched\n" + GOOD.strip() + ",3\n"
    assert "column switched: got 'two of this name'" in refusal([written(tmp_path, text)])


def test_ohms_with_a_capital(tmp_path):
    rows = read_table(written(tmp_path, "voltage_V,resistance_kOhm,state\n0.1,4.2,P\n")).rows
    assert rows["resistance_ohm"].to_list() == pytest.approx([4200.0])


# ---- rows without a temperature ----


def test_empty_temperatures_are_those_of_the_fit(tmp_path):
    text = HEADER.strip() + ",temperature_K\n" + GOOD.strip() + ",\n" + GOOD.strip() + ",350\n"
    assert read_table(written(tmp_path, text)).rows["temperature_K"].to_list() == [
        pytest.approx(np.nan, nan_ok=True),
        350.0,
    ]
    bad = text + GOOD.strip() + ",cold\n"
    assert "line 4, temperature_K: got 'cold'; allowed: 233.15 K to 573.15 K, or an empty" in refusal(
        [written(tmp_path, bad)]
    )


def test_loops_with_empty_temperatures():
    rows = simulate_loops(FILM, np.arange(-0.2, 0.2, 2e-3), 15, np.random.default_rng(2))
    if "temperature_K" in rows:
        rows = rows.drop(columns="temperature_K")
    plain = steps_of(table_of(rows))
    empty = steps_of(table_of(rows.assign(temperature_K=np.nan)))
    assert len(empty) == len(plain) > 0


# ---- single shots, repeats ----


@pytest.mark.parametrize("words", [(1, 0), ("True", "False")])
def test_single_shots_are_counted_by_pulse(words):
    counted = counts(31).head(8).assign(trials=40)
    counted["switched"] = [3, 11, 29, 37, 5, 13, 27, 36]
    single = counted.loc[counted.index.repeat(40)].reset_index(drop=True).assign(trials=1)
    at = single.groupby(["direction", "amplitude_V", "duration_s"], sort=False).cumcount()
    single["switched"] = np.where(at < single["switched"], *words)
    options = {"vary": ["stability", "critical_current"], "intervals": False, "starts": 1}
    fits = [fit_stack_quietly([table_of(rows)], FILM, **options) for rows in (counted, single)]
    for name in ("vector", "covariance", "dispersion"):
        assert np.allclose(*(getattr(fit, name) for fit in fits), rtol=1e-9)


def test_rows_of_few_trials_are_looked_at_by_pulse():
    few = counts(31).head(8).assign(trials=2, switched=2)
    both = pd.concat([few, few.assign(switched=0)])
    options = {"vary": ["critical_current"], "intervals": False, "starts": 1}
    assert fit_stack_quietly([table_of(both)], FILM, **options).problem.rows == 16


def test_single_shots_that_tell_nothing():
    never = counts(31).head(8).assign(trials=1, switched=0)
    for rows, found in (
        (never, "no write switched"),
        (never.assign(switched=[0, 1] * 4), "every pulse switched always or never"),
        (pd.concat([never, never.head(1).assign(switched=1)]), "got 1; allowed: at least as many as the 3"),
    ):
        with pytest.raises(InputError, match=found):
            fit_stack([table_of(rows)], FILM)


def test_rows_that_are_repeated():
    rows, options = counts(32), {"intervals": False, "starts": 1}
    with pytest.warns(FitWarning, match="rows are exact repeats of others, and count as data of their own"):
        fit_stack([table_of(rows, "a.csv"), table_of(rows, "b.csv")], FILM, **options)
    # The same pulses measured once more, and no warning.
    again = pulses_at(FILM, DURATIONS, SHARES)
    more = [simulate_counts(FILM, again, np.random.default_rng(seed), trials=1000) for seed in (33, 34)]
    fit = fit_stack_quietly([table_of(one) for one in more], FILM, **options)
    assert not [one for one in fit.messages if "repeats" in one]


def test_a_threshold_table_that_is_given_twice():
    # The column `line` tells these from rows that only have the same values.
    fit = fit_stack_quietly([table_of(CURRENTS)] * 2, intervals=False)
    assert [one for one in fit.messages if one.startswith("4 rows are exact repeats of others")]
    fit = fit_stack_quietly([table_of(pd.concat([CURRENTS, CURRENTS]))], intervals=False)
    assert not [one for one in fit.messages if "repeats" in one]
