"""Fits of data that cannot tell, and of data with something wrong in them: never a confident wrong answer."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from common import with_values
from stackfit_cases import DURATIONS, FAR, FILM, SHARES, STACK, counts, distances

from mtjchar.errors import InputError
from mtjchar.stackfit import (
    Film,
    FitWarning,
    fit_stack,
    fitted_stack,
    pulses_at,
    read_table,
    simulate_counts,
    table_of,
)
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses


@pytest.fixture(scope="module")
def rows():
    return counts(1)


# ---- what data cannot tell, and what is wrong with them ----


def warned(rows, film=FILM, **options):
    with pytest.warns(FitWarning) as caught:
        fit_stack([table_of(rows)], film, **options)
    return " ".join(str(one.message) for one in caught)


def test_long_pulses_alone_do_not_tell_the_relaxation_time():
    rng = np.random.default_rng(20)
    pulses = pulses_at(FILM, [1e-5, 1e-4, 1e-3], [0.3, 0.7], current=True, directions=["p_to_ap"])
    rows = simulate_counts(FILM, pulses, rng, trials=100)
    message = warned(rows)
    assert "relaxation_time is not determined by these data; measure pulses of a few t_D" in message


def test_two_stacks_in_one_file(rows):
    other = {"stability": 55.0, "critical_current": 6.2e-5, "relaxation_time": 0.9e-9}
    mixed = pd.concat([rows, counts(21, other)])
    assert "another device or stack" in warned(mixed)
    same = simulate_counts(
        FILM, rows[["direction", "amplitude_V", "duration_s"]], np.random.default_rng(22), values=other
    )
    message = warned(pd.concat([rows, same]))
    assert "rows of one and the same pulse contradict each other" in message
    assert re.search(r"the worst: \w+, [\d.]+ V, [\de.-]+ s", message)
    labelled = pd.concat([rows.assign(device="a"), same.assign(device="b")])
    message = warned(labelled)
    assert "2 devices are fitted as one" in message
    assert re.search(r"mean residual by device: a [+-][\d.]+, b [+-][\d.]+", message)


def test_swapped_directions(rows):
    other = {"p_to_ap": "ap_to_p", "ap_to_p": "p_to_ap"}
    swapped = rows.assign(direction=rows["direction"].map(other))
    assert "the directions look swapped" in warned(swapped)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = fit_stack([table_of(swapped)], FILM)
    with pytest.raises(InputError, match="fitted "):
        fitted_stack(fit)


@pytest.mark.parametrize(
    ("column", "factor", "message"),
    [
        ("amplitude_V", 1e3, "largest amplitude of the data"),
        ("amplitude_V", 1e-3, "largest amplitude of the data"),
        ("duration_s", 1e-3, "duration: got"),
    ],
)
def test_units_wrong_by_a_thousand(rows, column, factor, message):
    with pytest.raises(InputError, match=message) as caught:
        fit_stack([table_of(rows.assign(**{column: factor * rows[column]}))], FILM)
    assert "Is the unit of the column right" in str(caught.value)


def test_durations_too_long_by_a_thousand(rows):
    message = warned(rows.assign(duration_s=1e3 * rows["duration_s"]))
    assert "is a unit wrong by a factor" in message
    assert "does not describe the data" in message


def test_currents_without_a_film(rows):
    table = read_table("data/published/hu2019_stack2.csv")
    for factor in (1e3, 1e-3):
        wrong = table.rows.assign(current_A=factor * table.rows["current_A"])
        with pytest.raises(InputError, match="largest current of the data"):
            fit_stack([table_of(wrong.drop(columns=["file", "line"]))])
    with pytest.raises(InputError, match="amplitudes in V: got 'no stack'"):
        fit_stack([table_of(rows)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.assign(switched=0), "no write switched"),
        (lambda rows: rows.assign(switched=rows["trials"]), "all writes switched"),
        (lambda rows: rows[rows["duration_s"] == DURATIONS[2]], "durations of the data"),
        (lambda rows: rows.assign(switched=rows["trials"] - rows["switched"]), "Are these failures"),
        (lambda rows: rows.head(2), "at least as many as the 3 parameters"),
    ],
)
def test_data_that_cannot_tell(rows, change, message):
    with pytest.raises(InputError, match=message):
        fit_stack([table_of(change(rows))], FILM)


def test_a_single_duration_tells_two_parameters():
    one = counts(23, nominal_values(FILM))
    fit = fit_stack(
        [table_of(one[one["duration_s"] == DURATIONS[2]])], FILM, vary=["stability", "critical_current"]
    )
    assert max(map(abs, distances(fit, nominal_values(FILM)).values())) < FAR


def test_values_instead_of_counts():
    pulses = pulses_at(FILM, DURATIONS, SHARES)
    rate = SwitchingModel(FILM).solved_error_rate(nominal_values(FILM), Pulses.of(pulses, 300.0))
    smooth = pulses.assign(trials=10_000, switched=np.rint(10_000 * (1.0 - rate)))
    assert "better than chance allows" in warned(smooth)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vary": ["colour"]}, "vary: got 'colour'"),
        ({"vary": []}, "at least one parameter"),
        ({"per_direction": ["tmr"]}, "per_direction: got 'tmr'"),
        ({"vary": ["stability"], "per_direction": ["critical_current"]}, "per_direction"),
    ],
)
def test_wrong_wishes(rows, options, message):
    with pytest.raises(InputError, match=message):
        fit_stack([table_of(rows)], FILM, **options)


def test_parameters_that_data_do_not_depend_on():
    pulses = pulses_at(FILM, DURATIONS, SHARES, current=True)
    rows = simulate_counts(FILM, pulses, np.random.default_rng(24))
    with pytest.raises(InputError, match="vary: got 'tmr'; allowed: parameters that these data depend on"):
        fit_stack([table_of(rows)], FILM, vary=["stability", "tmr"])


def test_films_that_are_none():
    for arguments, message in (((STACK, 1e-9), "diameter"), ((STACK, 40e-9, 3.0), "temperature")):
        with pytest.raises(InputError, match=message):
            Film(*arguments)
    flat = with_values(STACK, interfacial_anisotropy=0.8e-3)
    with pytest.raises(InputError, match="thermal stability of"):
        Film(flat, 40e-9)


def test_counts_where_next_to_none_are_expected_are_a_misfit():
    # At a twentieth of the critical current nothing switches in 20 ns, whatever the relaxation time: the rows
    # expect no deviance, and one percent switched is far from it.
    critical = float(FILM.nominal().critical_current)
    rows = pd.DataFrame(
        {
            "direction": "p_to_ap",
            "current_A": critical * np.array([0.02, 0.03, 0.04, 0.05]),
            "duration_s": 20e-9,
            "trials": 10_000,
            "switched": [100, 200, 150, 120],
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = fit_stack([table_of(rows)], FILM, vary=["relaxation_time"])
    assert fit.messages[0].startswith("the model does not describe the data")
    assert fit.expected_deviance < 0.5
    assert fit.dispersion > 1e4
    assert fit.probability < 1e-12
