"""What pulses determine, and counts and thresholds that are not what their columns say."""

import itertools

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import DURATIONS, FAR, FILM, distances, fit_stack_quietly

from mtjchar.errors import InputError
from mtjchar.stackfit import pulses_at, simulate_counts, table_of
from mtjchar.stackfit.checks.counts import check_rising_thresholds, divisor_messages
from mtjchar.stackfit.checks.rates import check_data
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses
from mtjchar.stackfit.setup import set_up

THREE = ("stability", "critical_current", "relaxation_time")
TRUE = nominal_values(FILM)
BOTH = ("p_to_ap", "ap_to_p")


def thresholds(durations, rates, directions=("p_to_ap",), kelvin=(300.0,), current=False):
    """Amplitudes at error rates, without noise."""
    column = "current_A" if current else "amplitude_V"
    names = ["direction", "duration_s", "wer", "temperature_K"]
    rows = pd.DataFrame(itertools.product(directions, durations, rates, kelvin), columns=names)
    pulses = Pulses.of(rows.assign(**{column: 1.0}), 300.0)
    return rows.assign(
        **{
            column: SwitchingModel(FILM).solved_threshold(
                TRUE, pulses, np.log(-np.log(rows["wer"].to_numpy()))
            )
        }
    )


def counted(durations, shares=(0.2, 0.8), **options):
    return simulate_counts(FILM, pulses_at(FILM, durations, shares, **options), np.random.default_rng(5))


def check(*rows, vary=THREE, **options):
    """Messages before a fit of tables; what it refuses is raised."""
    setup = set_up([table_of(one) for one in rows], FILM, vary, options.pop("split", ()), {})
    return check_data(setup.problem)


# ---- what pulses determine ----

TWO = THREE[:2]
ENOUGH = [
    # One duration: a position; a width with a second error rate; a curvature over two decades.
    (1, [thresholds([1e-8], [0.5])]),
    (1, [thresholds([1e-8], [0.5], BOTH)]),
    (2, [thresholds([1e-8], [0.9, 0.5, 0.1])]),
    (2, [thresholds([1e-8], [0.9, 0.1], BOTH)]),
    (2, [pd.concat([thresholds([1e-8], [0.5]), thresholds([1e-8], [0.1], BOTH[1:])])]),
    (3, [thresholds([1e-8], [0.9, 0.5, 1e-3])]),
    # Counts, counts beside thresholds, and one direction of each.
    (2, [counted([1e-8])]),
    (2, [counted([1e-8]), thresholds([1e-8], [0.5])]),
    (2, [counted([1e-8], directions=BOTH[:1]), thresholds([1e-8], [0.5], BOTH[1:])]),
    (3, [counted([1e-8]), thresholds([1e-6], [0.5])]),
    # Several durations or temperatures.
    (3, [thresholds([1e-8, 1e-7], [0.9, 0.1])]),
    (3, [thresholds([1e-8, 1e-7, 1e-6], [0.5])]),
    (3, [thresholds([1e-8, 1e-7], [0.5], BOTH)]),
    (2, [thresholds([1e-8, 1e-7], [0.5], BOTH, current=True)]),
    (3, [thresholds([1e-8], [0.9, 0.1], kelvin=(300.0, 350.0))]),
    (3, [counted([1e-8]).assign(temperature_K=300.0), counted([1e-8]).assign(temperature_K=350.0)]),
]


@pytest.mark.parametrize(("number", "rows"), ENOUGH)
def test_as_many_parameters_as_pulses_show(number, rows):
    rows = [pd.concat([one] * 3) if "wer" in one else one for one in rows]  # rows enough, and nothing new
    check(*rows, vary=THREE[:number])
    if number < 3:
        with pytest.raises(
            InputError, match=f"durations of the data: got .*; with these, vary at most {number}"
        ):
            check(*rows, vary=THREE[: number + 1])


def test_parameters_of_each_direction_need_pulses_of_their_own():
    rows = pd.concat([thresholds([1e-8, 1e-7], [0.9, 0.1]), thresholds([1e-8], [0.5], BOTH[1:])])
    options = {"vary": TWO, "split": ("critical_current",)}
    check(rows, **options)
    options["split"] = TWO
    with pytest.raises(
        InputError, match=r"to separate stability_ap_to_p, critical_current_ap_to_p; .* most 1"
    ):
        check(rows, **options)
    check(pd.concat([rows, thresholds([1e-8], [0.1], BOTH[1:])]), **options)


def test_a_fit_of_thresholds_of_one_duration():
    rows = thresholds([1e-8], [0.9, 0.5, 0.1])
    fit = fit_stack_quietly([table_of(rows)], FILM, vary=TWO, intervals=False)
    # The amplitudes are from the model itself: what is left is the search.
    assert [fit.values[name] for name in TWO] == pytest.approx([TRUE[name] for name in TWO], rel=1e-3)
    assert fit.table()["determined"].all()


def test_counts_that_never_switch_beside_thresholds():
    never = counted([2e-8], [0.5]).assign(switched=0, trials=1000)
    never["amplitude_V"] *= 0.3
    found = thresholds([3e-9, 3e-8, 3e-7], [0.5], BOTH)
    fit = fit_stack_quietly([table_of(never), table_of(found)], FILM, intervals=False)
    assert max(map(abs, distances(fit, TRUE).values())) < FAR
    with pytest.raises(InputError, match="switching rows of ap_to_p: got 'no write switched'"):
        check(never, found[found["direction"] == "p_to_ap"], vary=TWO, split=TWO[1:])


# ---- thresholds that fall ----


def test_thresholds_of_swapped_shares_are_refused():
    good = thresholds([1e-8, 1e-7], [0.9, 0.5, 0.1])
    check(good)
    swapped = good.rename(columns={"wer": "probability"})
    with pytest.raises(InputError, match="thresholds: got 'lower at the higher probability in 4 of 4 steps'"):
        check(swapped)


def test_thresholds_that_fall_by_their_errors_are_good():
    """200 tables of 4 steps whose scatter is their error.

    A step falls by 4 of its standard errors in 3e-5 of cases at most, so that one of the tables is refused by
    chance with a probability below 0.03.
    """
    rng = np.random.default_rng(7)
    rows = table_of(thresholds([1e-8, 1e-7], [0.55, 0.5, 0.45])).rows
    for _ in range(200):
        noise = 1.0 + 0.01 * rng.standard_normal(len(rows))
        check_rising_thresholds(rows.assign(amplitude_V=rows["amplitude_V"] * noise))


# ---- trials that were not made ----


def test_shots_that_were_counted_twice():
    fifty = simulate_counts(
        FILM, pulses_at(FILM, DURATIONS, np.linspace(0.1, 0.9, 6)), np.random.default_rng(11), trials=50
    )  # fmt: skip
    doubled = fifty.assign(trials=100, switched=2 * fifty["switched"])
    (message,) = [one for one in check(doubled) if "multiples of" in one]
    assert message.startswith(
        "table.csv: all counts of switched writes and of trials are multiples of 2 (p-value "
    )
    assert "only one of 2 stated trials was made" in message
    assert "too small by a factor of 1.41" in message
    assert not [one for one in check(fifty) if "multiples of" in one]


@pytest.mark.parametrize(
    ("made", "factor", "rows"), [(1000, 10, 12), (100, 100, 8), (200, 5, 20), (10_000, 1000, 5)]
)
def test_shots_that_were_counted_often(made, factor, rows):
    pulses = pulses_at(FILM, DURATIONS[:1], np.linspace(0.2, 0.8, rows), directions=["p_to_ap"])
    few = simulate_counts(FILM, pulses, np.random.default_rng(12), trials=made)
    many = table_of(few.assign(trials=factor * made, switched=factor * few["switched"])).rows
    (message,) = divisor_messages(many)
    assert f"are multiples of {factor} (p-value" in message
    assert f"too small by a factor of {np.sqrt(factor):.3g}" in message
    # Rows without both outcomes say nothing of the divisor, and never spoil it.
    more = pd.concat([many, many.assign(switched=0), many.assign(switched=many["trials"])])
    assert divisor_messages(more) == [message]
    # Another file in which it is otherwise does not hide it, nor is it accused.
    other = table_of(few, "other.csv").rows
    assert divisor_messages(pd.concat([many, other])) == [message]


def test_rounded_probabilities_are_no_counts():
    rows = simulate_counts(FILM, pulses_at(FILM, DURATIONS, (0.1, 0.3, 0.7)), np.random.default_rng(13))
    share = rows.pop("switched") / rows["trials"]
    assert not divisor_messages(table_of(rows.assign(probability=share)).rows)
    (message,) = divisor_messages(table_of(rows.assign(probability=share.round(2))).rows)
    assert "multiples of 100 (p-value" in message
    assert "the counts come from rounded probabilities" in message


@pytest.mark.parametrize("trials", [10, 100, 1000, 10_000])
@pytest.mark.parametrize("rows", [3, 30])
def test_counts_that_were_made_are_not_suspected(trials, rows):
    """Of 300 tables none is suspected: the bound is 1e-6 for each, 3e-4 for all of a case.

    Probabilities are as a tester finds them: from rare ones, where counts are small, to one half.
    """
    rng = np.random.default_rng(14)
    for _ in range(300):
        share = 10.0 ** rng.uniform(-np.log10(trials), -0.3, rows)
        table = pd.DataFrame({"file": "a.csv", "trials": trials, "switched": rng.binomial(trials, share)})
        assert divisor_messages(table) == []


def test_the_same_count_in_each_row_is_no_divisor():
    """Amplitudes that were looked for until half of the writes switch: counts next to half of the trials."""
    rng = np.random.default_rng(15)
    for _ in range(300):
        table = pd.DataFrame({"file": "a.csv", "trials": 20, "switched": rng.binomial(20, 0.5, 4)})
        assert divisor_messages(table) == []
