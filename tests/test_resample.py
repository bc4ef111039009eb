"""Surfaces on another grid of pulses."""

import doctest
import importlib

import numpy as np
import pytest
import xarray as xr

from mtjchar.errors import InputError, OutsideGridError
from mtjchar.surfaces import WriteSurface, resample, schema


def counted(surface):
    """The surface with supply energies, counts, and rates below what is verified."""
    dataset = surface.dataset.copy()
    dims = dataset["ber"].dims
    dataset["supply_energy"], dataset["redundant_supply_energy"] = (
        1.5 * dataset["energy"],
        1.5 * dataset["redundant_energy"],
    )
    dataset["extrapolated"] = (dims, surface.extrapolated_points())
    dataset["trials"] = (dims, np.full(dataset["ber"].shape, 1000))
    dataset["errors"] = (dims, np.full(dataset["ber"].shape, 5))
    dataset["stack_temperature"] = ((), 300.0, {"units": "K"})
    return WriteSurface(dataset)


def test_values_are_those_of_the_surface(analytic_surface):
    surface = counted(analytic_surface)
    amplitudes, durations = [0.81, 0.43, 1.2], [1e-9, 7.7e-9, 50e-9]
    table = resample(surface, amplitudes, durations)
    schema.check(table.dataset, "resampled")
    np.testing.assert_allclose(table.amplitudes, [0.43, 0.81, 1.2])
    at = table.amplitudes[:, None], table.durations
    data = table.dataset.sel(direction="ap_to_p")
    np.testing.assert_array_equal(data["ber"], surface.ber("ap_to_p", *at))
    lower, upper = surface.ber_interval("ap_to_p", *at)
    np.testing.assert_array_equal(data["ber_lower"], lower)
    np.testing.assert_array_equal(data["ber_upper"], upper)
    median = surface.device_ber("ap_to_p", *at, quantile=0.5)
    np.testing.assert_array_equal(data["ber_quantile"].sel(quantile=0.5), median)
    redundant = surface.energy("ap_to_p", *at, switching=False, at_supply=True)
    np.testing.assert_array_equal(data["redundant_supply_energy"], redundant)
    np.testing.assert_array_equal(data["extrapolated"], surface.is_extrapolated("ap_to_p", *at))
    assert data["extrapolated"].dtype == bool


def test_what_cannot_be_interpolated_is_left_out(characterized_surface):
    surface = counted(characterized_surface)
    table = resample(surface, durations=[2e-9, 4e-9])
    assert set(surface.dataset) - set(table.dataset) == {"trials", "errors"}
    assert float(table.dataset["stack_temperature"]) == 300.0
    assert table.dataset["energy"].attrs == surface.dataset["energy"].attrs
    assert table.dataset.attrs == surface.dataset.attrs | {
        "resampled": "from 12 amplitudes, 0.4 V to 1.2 V, and 25 durations, 1 ns to 60 ns"
    }
    np.testing.assert_array_equal(table.amplitudes, surface.amplitudes)


def test_linear_interpolation_on_the_finer_grid_is_exact(analytic_surface):
    finer = resample(analytic_surface)
    rng = np.random.default_rng(1)
    amplitude, duration = rng.uniform(0.4, 1.2, 200), 10.0 ** rng.uniform(-9.0, np.log10(60e-9), 200)
    log_rates = np.log10(finer.dataset["ber"].sel(direction="p_to_ap"))
    linear = log_rates.interp(amplitude=xr.DataArray(amplitude), duration=xr.DataArray(duration))
    exact = np.log10(analytic_surface.ber("p_to_ap", amplitude, duration))
    # Rounding of 1e-16 in the rates and in the grid.
    np.testing.assert_allclose(linear, exact, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bad", [[], [0.8], [0.8, 0.8], [0.8, np.nan], [0.8, np.inf]])
def test_axes_that_are_no_grid(analytic_surface, bad):
    with pytest.raises(InputError, match=r"amplitudes: got .*allowed: two or more different finite values"):
        resample(analytic_surface, amplitudes=bad)


def test_pulses_outside_the_grid(analytic_surface):
    with pytest.raises(OutsideGridError, match="duration: got '70 ns'"):
        resample(analytic_surface, durations=[1e-9, 70e-9])


def test_the_example_of_the_docstring(analytic_surface, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    analytic_surface.save("run/surface.nc")
    module = importlib.import_module("mtjchar.surfaces.resampling")
    tried = doctest.testmod(module)
    assert (tried.attempted, tried.failed) == (3, 0)
