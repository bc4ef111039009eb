"""R-V curves that contradict the stack, or themselves: the fit says so."""

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import FILM, TRUTH, counts

from mtjchar.stackfit import FitWarning, fit_stack, table_of

RESISTANCES = ("resistance_area_product", "tmr", "tmr_half_bias")
VOLTAGE = np.linspace(0.02, 0.8, 10)


def curves(factor=1.0, tmr=FILM.stack.tmr, **columns):
    """R-V of both states with 0.3 % of noise; `factor` on all resistances."""
    parallel = factor * FILM.stack.resistance_area_product / (0.25 * np.pi * FILM.diameter**2)
    bias = (VOLTAGE / FILM.stack.tmr_half_bias) ** 2
    exact = np.r_[np.full(10, parallel), parallel * (1.0 + tmr / (1.0 + bias))]
    noise = 1.0 + 0.003 * np.random.default_rng(5).normal(size=20)
    rows = {
        "voltage_V": np.tile(VOLTAGE, 2),
        "state": ["P"] * 10 + ["AP"] * 10,
        "resistance_ohm": exact * noise,
    }
    return table_of(pd.DataFrame({**rows, **columns}))


def said(tables, **options):
    with pytest.warns(FitWarning) as caught:
        fit = fit_stack(tables, FILM, **options)
    return fit, " | ".join(str(one.message) for one in caught)


def test_curves_that_the_stack_describes_say_nothing():
    # The fixture turns warnings into errors.
    fit = fit_stack([curves(), table_of(counts(3))], FILM)
    assert fit.dispersion == pytest.approx(1.0, abs=0.6)


@pytest.mark.parametrize("vary", [tuple(TRUTH), (*TRUTH, "tmr")])
def test_curves_of_another_product_than_the_fit_keeps(vary):
    fit, messages = said([curves(1.6), table_of(counts(3))], vary=vary)
    assert "resistances in P are 1.6 times what the stack's resistance_area_product" in messages
    assert "--vary" in messages
    # The scatter of the curves is their noise, not their distance from the stack.
    assert fit.dispersion > 100.0


def test_curves_of_another_tmr_than_the_fit_keeps():
    _, messages = said([curves(tmr=2.0), table_of(counts(3))], vary=(*TRUTH, "resistance_area_product"))
    assert "resistances in AP are" in messages
    assert "name tmr in what is fitted" in messages


def test_swapped_states():
    _, messages = said([curves(state=["AP"] * 10 + ["P"] * 10)], vary=RESISTANCES)
    assert "the states look swapped" in messages


def test_resistances_in_a_unit_1e3_off():
    _, messages = said([curves(200.0)], vary=RESISTANCES)
    assert "resistance_area_product comes out 200 times that of the stack" in messages
    assert "unit" in messages
