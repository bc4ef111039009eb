"""Terms of the measurement in the model: dead time, writes that are missed, and false switches."""

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import FAR, FILM, TRUTH, distances, fit_stack_quietly

from mtjchar.stackfit import compare, pulses_at, simulate_counts, table_of

TESTER = {"dead_time": 4e-10, "missed_writes": 0.02, "false_switches": 0.01}


def measured(values, seed):
    """Counts on the curves, and far above and below them, where the shares of all writes show."""
    on = pulses_at(FILM, np.geomspace(1e-9, 1e-6, 5), (0.1, 0.5, 0.9), values=TRUTH)
    drive = next(name for name in ("amplitude_V", "current_A") if name in on)
    pulses = pd.concat([on, *(on[::3].assign(**{drive: factor * on[drive][::3]}) for factor in (0.3, 1.5))])
    counts = simulate_counts(FILM, pulses, np.random.default_rng(seed), values={**TRUTH, **values})
    return table_of(counts)


def fitted(table, names):
    return fit_stack_quietly([table], FILM, vary=[*TRUTH, *names], starts=1, intervals=False)


def test_terms_of_the_tester_come_back_and_are_preferred():
    table = measured(TESTER, 21)
    fits = {"all": fitted(table, TESTER)}
    # Six values within 6.2 standard errors: a false alarm in 3e-9 of the seeds.
    assert all(abs(far) < FAR for far in distances(fits["all"], {**TRUTH, **TESTER}).values())
    assert fits["all"].probability > 1e-3
    fits["without dead time"] = fitted(table, ["missed_writes", "false_switches"])
    ranked = compare(fits)
    assert ranked.index[0] == "all"
    assert (ranked[["aic", "bic"]].iloc[1] > ranked[["aic", "bic"]].iloc[0] + 100.0).all()


def test_terms_that_are_not_there_are_zero():
    fit = fitted(measured({}, 22), TESTER)
    assert all(abs(far) < FAR for far in distances(fit, {**TRUTH, **dict.fromkeys(TESTER, 0.0)}).values())


@pytest.mark.parametrize(("name", "value"), [("dead_time", 4e-10), ("missed_writes", 0.02)])
def test_a_term_that_is_known_can_be_fixed(name, value):
    table = measured({name: value}, 23)
    fit = fit_stack_quietly(
        [table], FILM, vary=list(TRUTH), start={name: value}, starts=1, intervals=False
    )  # fmt: skip
    assert all(abs(far) < FAR for far in distances(fit, TRUTH).values())
