"""Wells and barriers in a field against Stoner and Wohlfarth's solution and a minimizer of scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mtjchar.physics.wells import wells


def energy(m, delta, bk, bs, field):
    """Equation 1 of the module, at unit vectors (3, ...)."""
    h = np.tensordot(np.array(field) / bk, m, axes=1)
    return -delta * (m[2] ** 2 - bs / bk * m[1] ** 2 + 2 * h)


@pytest.mark.parametrize("bz", [-0.15, -0.02, 0.0, 0.1])
@pytest.mark.parametrize("bs", [0.0, 0.05])
def test_axial_field(bz, bs):
    # Analytic: Delta (1 +- h)^2, the saddle at m_z = -h.
    found = wells([40.0, 60.0], 0.2, bs, (0.0, 0.0, bz))
    h = bz / 0.2
    np.testing.assert_allclose(found.barrier_p, np.array([40.0, 60.0]) * (1 + h) ** 2, rtol=1e-14)
    np.testing.assert_allclose(found.barrier_ap, np.array([40.0, 60.0]) * (1 - h) ** 2, rtol=1e-14)
    np.testing.assert_allclose(found.saddle, -h, rtol=1e-14)
    np.testing.assert_allclose(found.saddle_energy, [40 * h**2, 60 * h**2], rtol=1e-14)


@pytest.mark.parametrize(("bs", "axis"), [(0.0, 0), (0.0, 1), (0.07, 0)])
def test_field_in_the_plane(bs, axis):
    # Analytic: Delta (1 - h)^2 for both wells, where the field lies along the easy axis of the plane.
    field = [0.0, 0.0, 0.0]
    field[axis] = -0.05
    found = wells(40.0, 0.2, bs, tuple(field))
    np.testing.assert_allclose([found.barrier_p[0], found.barrier_ap[0]], 40.0 * 0.75**2, rtol=1e-5)
    assert found.saddle[0] == pytest.approx(0.0, abs=1e-6)


@settings(deadline=None, max_examples=200)
@given(st.floats(1e-3, 0.5), st.floats(0.01, 2 * np.pi), st.booleans())
def test_two_wells_inside_the_astroid_only(strength, angle, sideways):
    # Stoner and Wohlfarth: |Bx|^(2/3) + |Bz|^(2/3) < Bk^(2/3).
    across, along = strength * np.sin(angle), strength * np.cos(angle)
    reached = (abs(across) ** (2 / 3) + abs(along) ** (2 / 3)) / 0.2 ** (2 / 3)
    found = wells(40.0, 0.2, 0.0, (0.0, across, along) if sideways else (across, 0.0, along))
    least = min(found.barrier_p[0], found.barrier_ap[0])
    if reached > 1.0:
        assert least < 2e-3  # what the grid of polar angles takes for a well
    elif reached < 0.99:
        assert least > 0.0


def of_angles(x, *arguments):
    sine = np.sin(x[0])
    return energy(np.array([sine * np.cos(x[1]), sine * np.sin(x[1]), np.cos(x[0])]), *arguments)


def test_every_direction_against_a_minimizer():
    # Another program: scipy's minimize from both poles; the saddle by relaxing the highest of all points on
    # latitude circles is bounded from both sides: least energy on its latitude, and no lower on a fine grid.
    random = np.random.default_rng(3)
    for _ in range(20):
        field = tuple(random.uniform(-0.05, 0.05, 3))
        arguments = (40.0, 0.2, 0.06, field)
        found = wells(*arguments)
        start = np.arctan2(field[1], field[0])
        bottoms = [
            minimize(of_angles, [pole, start], arguments, method="Nelder-Mead", tol=1e-10).fun
            for pole in (0.05, np.pi - 0.05)
        ]
        saddle = found.saddle_energy[0]
        assert saddle - bottoms[0] == pytest.approx(found.barrier_p[0], abs=1e-3)
        assert saddle - bottoms[1] == pytest.approx(found.barrier_ap[0], abs=1e-3)
        z, phi = np.meshgrid(np.linspace(-1, 1, 2001), np.linspace(0, 2 * np.pi, 721), indexing="ij")
        sine = np.sqrt(1 - z**2)
        least = energy(np.array([sine * np.cos(phi), sine * np.sin(phi), z]), *arguments).min(axis=1)
        # On the saddle's latitude nothing lies lower; the lowest way from pole to pole passes it.
        assert np.interp(found.saddle[0], z[:, 0], least) == pytest.approx(saddle, abs=2e-3)
        between = np.abs(z[:, 0]) < 0.5
        assert least[between].max() == pytest.approx(saddle, abs=2e-3)


@pytest.mark.parametrize("field", [(0.0, 0.0, 0.3), (0.1, 0.0, 0.1), (0.0, 0.25, 0.0)])
def test_one_well_has_no_barriers(field):
    found = wells(40.0, 0.2, 0.0, field)
    assert found.barrier_p[0] == found.barrier_ap[0] == 0.0
    assert np.isnan(found.saddle[0])


def test_a_layer_in_the_plane_has_no_barriers():
    found = wells([-3.0, 40.0], [-0.02, 0.2], 0.0, (0.01, 0.0, 0.0))
    assert found.barrier_p[0] == 0.0
    assert found.barrier_p[1] > 30.0
