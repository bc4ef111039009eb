"""Logs of single pulses, repeated writes, telegraph signals, and bits at rest, as counts of switched bits."""

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import FILM, TRUTH, fit_stack_quietly, written

from mtjchar.errors import InputError
from mtjchar.plotting import data_and_model, fit_figures
from mtjchar.stackfit import (
    Film,
    FitWarning,
    fit_stack,
    next_measurements,
    pulses_at,
    read_table,
    simulate_counts,
    table_of,
)
from mtjchar.stackfit.checks.fit import check_fit
from mtjchar.stackfit.data.states import threshold_of
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.pulses import Pulses


def file_with(folder, lines):
    return written(folder, "\n".join([*lines, ""]))


def rules_with(folder, text):
    return written(folder, text, "rules.toml")


# ---- logs of single pulses ----


def log_of(pulses, rng, stuck=False):
    """Rows of a log; a P to AP write switches with 70 %, one from AP to P always."""
    state, rows = "p", []
    for k in range(pulses):
        direction = ("p_to_ap", "ap_to_p")[k % 2]
        start, end = direction.split("_to_")
        before = state
        if not stuck and state == start and (direction == "ap_to_p" or rng.random() < 0.7):
            state = end
        rows.append((direction, before, state))
    return rows


def test_logs_with_resistances_before_and_after(tmp_path):
    rng = np.random.default_rng(11)
    rows = log_of(400, rng)
    ohm = {"p": 2000.0, "ap": 4200.0}
    read = [(d, ohm[b] * rng.normal(1.0, 0.02), ohm[a] * rng.normal(1.0, 0.02)) for d, b, a in rows]
    lines = ["direction,amplitude_V,duration_ns,R_before_ohm,R_after_ohm"]
    lines += [f"{d},0.8,10,{before:.5g},{after:.5g}" for d, before, after in read]
    table = read_table(file_with(tmp_path, lines))
    trials = [(d, a != b) for d, b, a in rows if d.startswith(f"{b}_")]
    assert table.kind == "switching"
    assert list(zip(table.rows["direction"], table.rows["switched"] > 0, strict=True)) == trials
    failed = len(rows) - len(trials)
    assert f"{failed} pulses found the bit in the state they write (a reset failed): no trials" in table.notes
    # Without the column before, what was read after the pulse above counts; the first pulse has none.
    short = [",".join(line.split(",")[:3] + line.split(",")[4:]) for line in lines]
    again = read_table(file_with(tmp_path, short))
    assert len(again.rows) == len(table.rows) - 1
    assert again.rows["switched"].to_list() == table.rows["switched"].to_list()[1:]


def test_logs_with_states_and_signs(tmp_path):
    rows = log_of(100, np.random.default_rng(12))
    lines = ["amplitude_V,duration_ns,state_before,state_after"]
    lines += [f"{0.8 if d == 'ap_to_p' else -0.8},10,{'01'[b == 'ap']},{'01'[a == 'ap']}" for d, b, a in rows]
    rules = rules_with(tmp_path, 'positive = "ap_to_p"\nwords = { "0" = "p", "1" = "ap" }\n')
    table = read_table(file_with(tmp_path, lines), rules)
    trials = [(d, a != b) for d, b, a in rows if d.startswith(f"{b}_")]
    assert list(zip(table.rows["direction"], table.rows["switched"] > 0, strict=True)) == trials


def test_a_stuck_device_is_counted(tmp_path):
    rng = np.random.default_rng(13)
    lines = ["device,direction,amplitude_V,duration_ns,state_before,state_after"]
    for device, stuck in (("good", False), ("bad", True)):
        lines += [f"{device},{d},0.8,10,{b},{a}" for d, b, a in log_of(60, rng, stuck=stuck)]
    table = read_table(file_with(tmp_path, lines))
    assert "never changed their state (stuck): bad (1 devices)" in table.notes


def test_resistances_after_repeated_writes(tmp_path):
    rng = np.random.default_rng(14)
    switched = [3, 17, 20]
    lines = ["direction,amplitude_V,duration_ns," + ",".join(f"R_{k}" for k in range(1, 21))]
    for number, amplitude in zip(switched, (0.6, 0.7, 0.8), strict=True):
        ohm = np.where(np.arange(20) < number, 4400.0, 2000.0) * rng.normal(1.0, 0.01, 20)
        lines.append(f"p_to_ap,{amplitude},10," + ",".join(f"{value:.1f}" for value in ohm))
    table = read_table(file_with(tmp_path, lines))
    assert table.rows["trials"].to_list() == [20.0] * 3
    assert table.rows["switched"].to_list() == switched
    table = read_table(file_with(tmp_path, [*lines[:3], lines[3].rsplit(",", 2)[0] + ",,"]))
    assert table.rows["trials"].to_list() == [20.0, 20.0, 18.0]


def test_resistances_of_one_state_alone(tmp_path):
    lines = [
        "direction,amplitude_V,duration_ns,R_after_ohm",
        *["p_to_ap,0.5,10,2000", "p_to_ap,0.5,10,2010"] * 9,
    ]
    with pytest.raises(InputError, match=r"do not form two groups.*threshold = \"2 kohm\""):
        read_table(file_with(tmp_path, lines))
    rules = rules_with(tmp_path, 'values = { threshold = "3 kohm" }\n')
    assert not read_table(file_with(tmp_path, lines), rules).rows["switched"].any()


def test_threshold_between_two_groups():
    rng = np.random.default_rng(15)
    values = np.concatenate([rng.normal(2000.0, 40.0, 300), rng.normal(3000.0, 60.0, 20)])
    assert 2160.0 < threshold_of(values, "R") < 2760.0  # 4 standard deviations from either
    with pytest.raises(InputError, match="do not form two groups"):
        threshold_of(rng.normal(2000.0, 40.0, 300), "R")


def test_times_of_a_telegraph_signal(tmp_path):
    rng = np.random.default_rng(16)
    times = {"P": rng.exponential(2e-3, 400), "AP": rng.exponential(5e-4, 400)}
    lines = ["state,dwell_time_ms"]
    lines += [f"{s},{1e3 * times[s][k]:.6g}" for k in range(400) for s in ("P", "AP")]
    rows = read_table(file_with(tmp_path, lines)).rows.set_index("direction")
    for direction, of_state in (("p_to_ap", times["P"]), ("ap_to_p", times["AP"])):
        row = rows.loc[direction]
        assert row["switched"] == 400
        # Rate of the geometric distribution that the steps have: -ln(1 - p)/dt; the mean of 400 exponential
        # times is known to 5 %, and steps of a tenth of it leave that.
        rate = -np.log1p(-row["switched"] / row["trials"]) / row["duration_s"]
        assert rate == pytest.approx(1.0 / of_state.mean(), rel=0.01)


# ---- bits at rest ----


def test_only_counts_can_be_at_rest(tmp_path):
    rows = ["p_to_ap,0,10,1000,3", "ap_to_p,0,10,1000,4"]
    table = read_table(file_with(tmp_path, ["direction,amplitude_V,duration_h,trials,switched", *rows]))
    assert table.rows["amplitude_V"].to_list() == [0.0, 0.0]
    np.testing.assert_allclose(table.rows["duration_s"], 36000.0)
    # A threshold is an amplitude, and without a direction a sign is needed.
    thresholds = ["direction,amplitude_V,duration_h", "p_to_ap,0,10"]
    signed = ["amplitude_V,duration_h,trials,switched", "0,10,1000,3", "-0.5,10,1000,3"]
    for lines, rules in ((thresholds, ""), (signed, 'positive = "ap_to_p"')):
        with pytest.raises(InputError, match=r"line 2, amplitude_V: got '0'; allowed: a positive number"):
            read_table(file_with(tmp_path, lines), rules_with(tmp_path, rules))


def baked(stability, rng):
    """Counts of bits that lose their state without a drive, by the rates of both wells."""
    rows = [
        (direction, 0.0, time, kelvin)
        for direction in ("p_to_ap", "ap_to_p")
        for kelvin in (340.0, 380.0)
        for time in (1.0, 30.0, 1e3, 1e7)
    ]
    pulses = pd.DataFrame(rows, columns=["direction", "amplitude_V", "duration_s", "temperature_K"])
    values = {"stability": stability}
    return simulate_counts(FILM, pulses, rng, trials=2000, values=values)


def test_bits_at_rest_come_back_and_show_the_stability():
    counts = baked(38.0, np.random.default_rng(17))
    longest = counts[counts["duration_s"] == 1e7]
    # Two equal states: half of 2000, known to 22.
    np.testing.assert_allclose(longest["switched"], 1000.0, atol=5 * 22)
    fit = fit_stack([table_of(counts)], FILM, vary=["stability"], starts=1)
    value, error = fit.table().loc["stability", ["value", "standard_error"]]
    assert abs(value - 38.0) < 4.0 * error
    assert fit.probability > 1e-3


def test_rate_at_rest_is_that_of_neel_and_brown():
    # W. F. Brown, Phys. Rev. 130, 1677 (1963), equation 4.47: a well is left with the rate
    # sqrt(Delta/pi) exp(-Delta)/t_D; the next term is of the order 1/Delta.
    delta, time = 40.0, 1e3
    values = {
        **TRUTH,
        "stability": delta,
        "resistance_area_product": 5e-12,
        "tmr": 1.24,
        "tmr_half_bias": 0.5,
    }
    rows = pd.DataFrame({"direction": ["p_to_ap"], "amplitude_V": [0.0], "duration_s": [time]})
    exponent = SwitchingModel(FILM).solved_log_exponent(values, Pulses.of(rows, 300.0))
    rate = np.sqrt(delta / np.pi) * np.exp(-delta) / TRUTH["relaxation_time"]
    assert np.exp(exponent[0]) / time == pytest.approx(rate, rel=2.0 / delta)


def test_figures_and_plans_leave_bits_at_rest_out(tmp_path):
    rng = np.random.default_rng(18)
    pulses = pulses_at(FILM, [5e-9, 1e-7], (0.3, 0.7), values=TRUTH)
    driven = simulate_counts(FILM, pulses, rng, trials=2000, values={"stability": 38.0})
    tables = [table_of(baked(38.0, rng)), table_of(driven)]
    both = fit_stack_quietly(tables, FILM, vary=["stability"], starts=1, intervals=False)
    names = {path.stem for path in fit_figures(both, tmp_path, "stability")}
    assert names == {"fit_switching", "fit_retention", "next_measurement"}
    # At most a hundred times the longest pulse, whatever the bakes.
    assert (next_measurements(both, "stability", points=1)["duration_s"] < 1.1e-5).all()
    alone = fit_stack_quietly(tables[:1], FILM, vary=["stability"], starts=1, intervals=False)
    for line in data_and_model(alone, "rest").get_lines():
        # Half of the bits at most, of two equal states; 0.011 is the standard error of 2000 bits.
        assert np.nanmax(line.get_ydata()) < 0.5 + 5.0 * 0.011
    assert alone.activated_durations is None
    assert {path.stem for path in fit_figures(alone, tmp_path / "rest")} == {"fit_retention"}
    with pytest.raises(InputError, match="fit: got 'no pulses'"):
        next_measurements(alone, "stability")


# ---- hot bakes ----


def test_a_hot_bake_comes_back_with_a_warning():
    kelvin, hours = (473.15, 483.15), (0.3, 3.0, 30.0)
    rows = [(way, 0.0, 3600.0 * t, at) for way in ("p_to_ap", "ap_to_p") for at in kelvin for t in hours]
    pulses = pd.DataFrame(rows, columns=["direction", "amplitude_V", "duration_s", "temperature_K"])
    known = {"relaxation_time": TRUTH["relaxation_time"]}
    counts = simulate_counts(
        FILM, pulses, np.random.default_rng(55), trials=2000, values={"stability": 90.0, **known}
    )
    with pytest.warns(
        FitWarning, match=r"rows at 483.15 K were converted to 300 K.*anisotropy_exponent of 2\.28"
    ):
        fit = fit_stack([table_of(counts)], FILM, vary=["stability"], start=known, starts=1, intervals=False)
    value, error = fit.table().loc["stability", ["value", "standard_error"]]
    assert abs(value - 90.0) < 6.2 * error  # a false alarm in 6e-10 of the seeds
    # Where the exponent itself is fitted, the stack's has no part in the result.
    both = fit_stack_quietly(
        [table_of(counts)],
        FILM,
        vary=["stability", "anisotropy_exponent"],
        start=known,
        starts=1,
        intervals=False,
    )
    assert not any("were converted" in message for message in check_fit(both))


def test_films_end_below_the_curie_temperature():
    stack = FILM.stack.model_copy(update={"curie_temperature": 600.0, "interfacial_anisotropy": 2e-3})
    with pytest.raises(InputError, match="temperature: got '500 K'; allowed: up to 450 K, 75% of the Curie"):
        Film(stack, FILM.diameter, 500.0)
