"""Interpolation in numpy against scipy's classes, which it stands for: the same numbers to the bit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.interpolate import PchipInterpolator, RegularGridInterpolator

from mtjchar.surfaces.interpolation import GridInterpolator, monotone_cubic

SIZES = st.integers(2, 7)
# Values as tables have them: slopes of 0, plateaus, and turning points are common.
VALUES = st.one_of(st.integers(-4, 4).map(float), st.floats(-300.0, 300.0).map(lambda x: round(x, 6)))


@st.composite
def grids(draw):
    """Coordinates of rows and columns, a table, and points in and beyond it."""
    axes = [np.cumsum(draw(arrays(float, draw(SIZES), elements=st.floats(0.01, 3.0)))) for _ in range(2)]
    table = draw(arrays(float, tuple(map(len, axes)), elements=VALUES))
    points = [np.concatenate([axis, draw(arrays(float, 5, elements=st.floats(-5.0, 25.0)))]) for axis in axes]
    return *axes, table, *points


@settings(max_examples=60, deadline=None)
@given(grids())
def test_monotone_cubics_are_those_of_scipy(case):
    rows, columns, table, at_rows, at_columns = case
    np.testing.assert_array_equal(
        monotone_cubic(columns, table, at_columns), PchipInterpolator(columns, table, axis=1)(at_columns)
    )
    np.testing.assert_array_equal(
        monotone_cubic(rows, table.T, at_rows).T, PchipInterpolator(rows, table, axis=0)(at_rows)
    )


@settings(max_examples=60, deadline=None)
@given(grids())
def test_grids_are_interpolated_as_by_scipy(case):
    rows, columns, table, at_rows, at_columns = case
    row, column = np.broadcast_arrays(at_rows[:, None], at_columns)
    for values in (table, np.stack([table, 0.1 * table - 1.0], axis=-1)):
        scipys = RegularGridInterpolator((rows, columns), values, bounds_error=False, fill_value=None)
        np.testing.assert_array_equal(
            GridInterpolator(rows, columns, values)(row, column), scipys(np.stack([row, column], axis=-1))
        )


def test_a_cubic_stays_between_its_values():
    # What PCHIP is for: Fritsch and Butland (1984), figure 1, has data like these.
    knots, values = np.arange(6.0), np.array([0.0, 0.0, 0.0, -5.0, -5.2, -30.0])
    fine = monotone_cubic(knots, values, np.linspace(0.0, 5.0, 501))
    assert (np.diff(fine) <= 0.0).all()
    np.testing.assert_array_equal(fine[::100], values)
