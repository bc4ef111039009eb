"""Columns that hold the outcome of writes, and columns that only look like one."""

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import fit_stack_quietly, written

from mtjchar.errors import InputError
from mtjchar.export.operating_point import Settings
from mtjchar.export.tables import csv
from mtjchar.stackfit import Film, pulses_at, read_table
from mtjchar.stackfit.data.outcomes import share_of
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses
from mtjchar.study import load_stack

PULSE = "direction,amplitude_V,duration_ns"
VALUES = "P->AP,0.5,10"
LN10 = 2.302585092994046


def table(folder, columns, *rows):
    text = "".join(f"{VALUES},{row}\n" for row in rows)
    return written(folder, f"{PULSE},{columns}\n{text}")


def refusal(path, columns=None, **options):
    with pytest.raises(InputError) as caught:
        read_table(path, columns, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "failures"),
    [
        ("wer", "0.003", 3),
        ("WER", "0.003", 3),
        ("ber", "0.003", 3),
        ("BER", "0.003", 3),
        ("error_rate", "0.003", 3),
        ("write_error_rate", "0.003", 3),
        ("Write Error Rate", "0.003", 3),
        ("log10_wer", "-2.5228787452803374", 3),  # log10(0.003)
        ("log10(WER)", "-2.5228787452803374", 3),
        ("log10_ber", "-inf", 0),
        ("log10_error_rate", "0", 1000),
        ("ln_wer", "-5.809142990314027", 3),  # ln(0.003)
        ("wer_percent", "0.3", 3),
        ("wer_%", "0.3", 3),
        ("WER (%)", "0.3", 3),
        ("error_rate_percent", "0.3", 3),
        ("errors_percent", "0.3", 3),
        ("failures_pct", "0.3", 3),
        ("probability", "0.997", 3),
        ("Probability", "0.997", 3),
        ("probability_percent", "99.7", 3),
        ("switched_percent", "99.7", 3),
        ("switched_%", "99.7", 3),
        ("Errors", "3", 3),
        ("Switched", "997", 3),
    ],
)
def test_outcomes_with_trials_are_counts(tmp_path, name, value, failures):
    read = read_table(table(tmp_path, f"Trials,{name}", f"1000,{value}"))
    assert (read.kind, read.rows["switched"].to_list(), read.unused) == ("switching", [1000.0 - failures], ())


@pytest.mark.parametrize(
    ("name", "value", "logarithm", "probability"),
    [
        # ln(error rate) by hand; next to 1 it is minus the share that switches.
        ("wer", "1e-6", -6.0 * LN10, 1.0 - 1e-6),
        ("wer", "1e-20", -20.0 * LN10, 1.0),
        ("log10_wer", "-20", -20.0 * LN10, 1.0),
        ("log10_wer", "-1e-12", -1e-12 * LN10, 1e-12 * LN10),
        ("ln_error_rate", "-46", -46.0, 1.0),
        ("wer_percent", "1e-4", -6.0 * LN10, 1.0 - 1e-6),
        ("probability", "1e-20", -1e-20, 1e-20),
        ("probability_percent", "1e-18", -1e-20, 1e-20),
        ("log10_probability", "-20", -1e-20, 1e-20),
        ("probability", "0.25", np.log(0.75), 0.25),
        ("switched_percent", "25", np.log(0.75), 0.25),
    ],
)
def test_outcomes_without_trials_are_thresholds(tmp_path, name, value, logarithm, probability):
    read = read_table(table(tmp_path, name, value))
    assert (read.kind, read.unused) == ("thresholds", ())
    assert read.rows["ln_error_rate"].to_list() == pytest.approx([logarithm], rel=1e-12)
    assert read.rows["probability"].to_list() == pytest.approx([probability], rel=1e-12)


def test_thresholds_without_a_share_are_those_of_one_half(tmp_path):
    rows = read_table(written(tmp_path, f"{PULSE},amplitude_error_mV\n{VALUES},4\n")).rows
    assert rows[["probability", "ln_error_rate", "amplitude_error_V"]].to_numpy() == pytest.approx(
        np.array([[0.5, -0.6931471805599453, 0.004]])
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("wer", "0", "above 0 and below 1, as without trials a share that is all or none"),
        ("wer", "1", "above 0 and below 1,"),
        ("wer", "1.0e0", "above 0 and below 1,"),
        ("wer", "-1e-6", "above 0 and below 1,"),
        ("wer", "nan", "above 0 and below 1,"),
        ("wer_percent", "100", "above 0 and below 100,"),
        ("wer_percent", "0", "above 0 and below 100,"),
        ("log10_wer", "0", "-300 or more, and below 0,"),
        ("log10_wer", "-inf", "-300 or more, and below 0,"),
        ("log10_wer", "6", "-300 or more, and below 0,"),
        ("log10_wer", "500", "-300 or more, and below 0,"),
        ("ln_wer", "0.1", "-690.8 or more, and below 0,"),
        ("probability", "0", "above 0 and below 1,"),
        ("probability", "1", "above 0 and below 1,"),
    ],
)
def test_shares_that_hold_no_amplitude_are_bad_rows(tmp_path, name, value, allowed):
    path = table(tmp_path, name, value, {"log10_wer": "-6", "ln_wer": "-6"}.get(name, "0.5"))
    message = refusal(path)
    assert f"line 2, {name}: got '{value}'; allowed: {allowed}" in message
    assert "1 values are bad; --skip-bad" in message
    read = read_table(path, skip_bad=True)
    assert (len(read.rows), read.skipped) == (1, 1)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("wer", "1.2", "0 to 1 (name it ..._percent if it is in percent)"),
        ("wer_percent", "101", "0 to 100"),
        ("log10_wer", "3", "-300 to 0, or -inf"),
        ("log10_wer", "500", "-300 to 0, or -inf"),
        ("log10_wer", "", "-300 to 0, or -inf"),
    ],
)
def test_counts_from_shares_that_are_none(tmp_path, name, value, allowed):
    message = refusal(table(tmp_path, f"trials,{name}", f"1000,{value}"))
    assert f"line 2, {name}: got '{value}'; allowed: {allowed}" in message


@pytest.mark.parametrize(
    ("columns", "good", "bad", "named"),
    [
        ("trials,switched,probability", "1000,412,0.41", "1000,412,0.588", "probability: got '0.588'"),
        ("trials,failures,wer", "1000,3,0.003", "1000,3,0.997", "wer: got '0.997'"),
        ("trials,switched,wer_percent", "1000,412,59", "1000,412,41", "wer_percent: got '41'"),
        ("wer,probability", "1e-7,1", "1e-7,0.5", "probability: got '0.5'"),
        ("wer,log10_wer", "1e-2,-2", "1e-2,-0.1", "wer: got '1e-2'"),
    ],
)
def test_two_outcomes_have_to_agree(tmp_path, columns, good, bad, named):
    assert read_table(table(tmp_path, columns, good)).unused == ()
    message = refusal(table(tmp_path, columns, good, bad))
    assert f"line 3, {named}; allowed: what the other column" in message


def test_names_and_values_in_a_mapping(tmp_path):
    path = table(tmp_path, "WER_mean", "1e-9")
    for text in ('[columns]\nwer = "WER_mean"\n', '[columns]\nWER = "WER_mean"\n'):
        read = read_table(path, written(tmp_path, text, "columns.toml"))
        assert read.rows["ln_error_rate"].to_list() == pytest.approx([-9.0 * LN10])
    bare = written(tmp_path, f"{PULSE}\n{VALUES}\n")
    columns = written(tmp_path, "[values]\nlog10_wer = -9\n", "columns.toml")
    assert read_table(bare, columns).rows["ln_error_rate"].to_list() == pytest.approx([-9.0 * LN10])
    columns = written(tmp_path, "[values]\nwer = 0\n", "columns.toml")
    assert "columns.toml: values.wer: got 0; allowed: above 0 and below 1" in refusal(bare, columns)
    columns = written(tmp_path, "[values]\nwerr = 0\n", "columns.toml")
    assert "or probability, error_rate, wer or ber, also log10_... and ..._percent" in refusal(bare, columns)


@pytest.mark.parametrize(
    "name", ["wer_mean", "log_wer", "lg_wer", "wer_ppm", "log10_wer_percent", "errors_log10"]
)
def test_names_that_do_not_say_their_scale_are_no_shares(name):
    assert share_of(name) is None


# ---- columns that only look like an outcome, a resistance or a number of trials ----

LIKE_OUTCOMES = [
    "n_switched", "Nswitch", "nSwitched", "N_sw", "fail_count", "failed", "errors_total", "n_err",
    "bit_errors", "error", "err", "psw", "Psw", "p_sw", "p_switch", "PSwitch", "switching_probability",
    "switch_rate", "prob", "Prob (%)", "yield", "Yield_percent", "WER_mean", "WERmean", "wer_lower",
    "log_wer", "logBER", "ber_q95", "success", "n_success", "passed", "n_pass", "not_switched",
    "unswitched", "flips", "n_flip", "outcome", "result", "state_after", "final_state", "count",
    "percent", "n_ap", "error_count", "switched_bits", "wer_error",
]  # fmt: skip
LIKE_RESISTANCES = [
    "Rp", "R", "R_AP_ohm", "RAP", "resistance", "resistance_1", "Resistance_kohm", "R_low", "Rmax",
    "load_ohm", "mr", "MR_percent", "TMR_percent", "R_MTJ", "R_high", "conductance_uS", "RA_ohm_um2",
    "Rs", "R (kΩ)", "dR_R",
]  # fmt: skip
LIKE_TRIALS = ["N", "n_trials", "nTrials", "shots", "n_shots", "attempts", "num_writes", "cycles", "n_tot"]
LIKE_NEITHER = [
    "comment", "site", "timestamp", "x", "y", "wafer", "lot", "row", "run", "die_x", "r", "radius_mm",
    "operator", "probe_card", "problem", "amplifier", "switch_matrix", "switching_field_mT", "V_err",
    "error_code", "position_error", "berth", "Wert", "RH", "humidity_percent", "pulse_id", "rise_ns",
    "state", "read_voltage_mV", "voltage_V", "photoresist", "sequence", "cycle", "compliance_uA",
    "number", "passivation", "note", "date",
]  # fmt: skip


@pytest.mark.parametrize("name", LIKE_OUTCOMES)
def test_names_that_look_like_an_outcome_are_refused(tmp_path, name):
    beside = (f"trials,switched,{name}", "1000,412,1")
    # Alone, the state after a pulse makes the table a log of pulses.
    for columns, row in (beside,) if name == "state_after" else ((name, "1"), beside):
        message = refusal(table(tmp_path, columns, row))
        assert f"column {name}: got 'a name that looks like the outcome of writes" in message
        assert "name it in a file for --rules: [columns] " in message
        assert "Or remove it from the table." in message


@pytest.mark.parametrize("name", LIKE_RESISTANCES)
def test_names_that_look_like_a_resistance_are_refused(tmp_path, name):
    path = table(tmp_path, name, "1")
    if name == "resistance_1":
        assert "looks like a resistance" in refusal(path)
    else:
        assert f"column {name}: got 'a name that looks like a resistance" in refusal(path)


def test_a_known_name_that_the_kind_of_table_does_not_use(tmp_path):
    for name in ("resistance_kohm", "tmr", "resistance_area_product_ohm_um2"):
        assert f"column {name}: got 'a name that looks like a resistance" in refusal(
            table(tmp_path, name, "4")
        )
    rows = "voltage_V,resistance_ohm,state\n0.1,4000,P\n"
    assert read_table(written(tmp_path, rows)).unused == ()
    rows = "field_mT,resistance_ohm,sweep_rate_mT_per_s\n10,4000,50\n"
    assert read_table(written(tmp_path, rows)).unused == ()
    rows = "field_mT,resistance_ohm,sweep_rate_mT_per_s,switched\n10,4000,50,1\n"
    assert "column switched: got 'a name that looks like the outcome" in refusal(written(tmp_path, rows))
    rows = "diameter_nm,tmr,Rap_ohm\n40,1.1,4000\n"
    assert "column Rap_ohm: got 'a name that looks like a resistance" in refusal(written(tmp_path, rows))


@pytest.mark.parametrize("name", LIKE_TRIALS)
def test_names_that_look_like_trials_are_refused_without_trials(tmp_path, name):
    message = refusal(table(tmp_path, f"wer,{name}", "1e-3,1000"))
    assert f"column {name}: got 'a name that looks like a number of trials" in message
    assert f'[columns] trials = "{name}"' in message
    # Beside trials it is something else.
    if "trial" not in name.lower():
        assert read_table(table(tmp_path, f"trials,wer,{name}", "100,0.01,7")).unused == (name,)


@pytest.mark.parametrize("name", LIKE_NEITHER)
def test_other_names_are_merely_unused(tmp_path, name):
    assert read_table(table(tmp_path, f"wer,{name}", "1e-3,1")).unused == (name,)


def test_the_mapped_columns_of_a_tester(tmp_path):
    text = "Vp,tp,N,Nswitch\n500,10,1000,412\n"
    columns = written(
        tmp_path,
        '[columns]\namplitude = { name = "Vp", unit = "mV" }\nduration = { name = "tp", unit = "ns" }\n'
        'trials = "N"\nswitched = "Nswitch"\n[values]\ndirection = "AP->P"\n',
        "columns.toml",
    )
    assert read_table(written(tmp_path, text), columns).rows["switched"].to_list() == [412.0]


def test_error_rates_that_mtjchar_exported(tmp_path, analytic_surface):
    for path, content in csv(analytic_surface, tmp_path / "surface.csv", Settings()).items():
        if path.suffix == ".csv":
            path.write_bytes(content)
    message = refusal(tmp_path / "surface.csv")
    assert "got 'error rates of a surface, which mtjchar computed" in message
    assert "allowed: measurements of one device" in message
    # The remedy of the message.
    kept = pd.read_csv(tmp_path / "surface.csv")[["direction", "amplitude_V", "duration_s", "ber"]]
    kept[(kept["ber"] > 0.0) & (kept["ber"] < 1.0)].to_csv(tmp_path / "kept.csv", index=False)
    assert read_table(tmp_path / "kept.csv").kind == "thresholds"


# ---- a fit of them ----


def test_a_fit_of_amplitudes_at_an_error_rate(tmp_path):
    """Amplitudes at 1e-6 without noise give back the film they are from."""
    film = Film(load_stack("data/stacks/sato2013.toml"), 20e-9)
    true = nominal_values(film)
    pulses = pulses_at(film, np.geomspace(3e-9, 1e-6, 6), [0.5])
    rate = np.full(len(pulses), 1e-6)
    volts = SwitchingModel(film).solved_threshold(true, Pulses.of(pulses, 300.0), np.log(-np.log(rate)))
    path = tmp_path / "wer.csv"
    pulses.assign(amplitude_V=volts, wer=rate).to_csv(path, index=False)
    fit = fit_stack_quietly([read_table(path)], film, intervals=False)
    for name in ("stability", "critical_current", "relaxation_time"):
        # The amplitudes are from the model itself: what is left is the search.
        assert fit.values[name] == pytest.approx(true[name], rel=1e-3)
