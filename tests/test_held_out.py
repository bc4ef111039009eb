"""Rows of the sample table that the surface has not seen: cells of ngspice, between the points of a grid."""

import numpy as np
import pytest
from common import DEMO

from mtjchar.surfaces import WriteSurface, average_devices
from mtjchar.sweep.run import run_sweep


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory):
    """The surface of all rows of a sweep, and that of every second amplitude and duration: the demo's grid.

    A surface averages at each pulse over the devices: that of some rows has these rows of the dataset.
    """
    study = DEMO.with_(sweep={"amplitude": {"points": 23}, "duration": {"points": 49}, "devices": 20})
    whole = average_devices(run_sweep(study, tmp_path_factory.mktemp("held_out"), workers=2))
    every_second = slice(0, None, 2)
    kept = WriteSurface(whole.dataset.isel(amplitude=every_second, duration=every_second))
    np.testing.assert_allclose(kept.amplitudes, DEMO.sweep.amplitude.values())
    np.testing.assert_allclose(kept.durations, DEMO.sweep.duration.values())
    return whole, kept


@pytest.mark.parametrize("direction", DEMO.sweep.directions)
def test_rates_of_rows_that_were_held_out(surfaces, direction):
    # Expected: the rows themselves, averaged over the same devices.
    whole, kept = surfaces
    truth = whole.dataset["ber"].sel(direction=direction).to_numpy()
    found = kept.ber(direction, whole.amplitudes[:, None], whole.durations)
    between = np.ones(truth.shape, dtype=bool)
    between[::2, ::2] = False
    shown = between & (truth <= 0.5) & (truth >= 1e-12)
    assert shown.sum() > 200
    # Own measurement: within 0.05.
    assert np.abs(np.log10(found / truth))[shown].max() < 0.1


@pytest.mark.parametrize("switching", [True, False])
@pytest.mark.parametrize("direction", DEMO.sweep.directions)
def test_energies_of_rows_that_were_held_out(surfaces, direction, switching):
    whole, kept = surfaces
    name = "energy" if switching else "redundant_energy"
    truth = whole.dataset[name].sel(direction=direction).to_numpy()
    found = kept.energy(direction, whole.amplitudes[:, None], whole.durations, switching=switching)
    # Own measurement: within 0.5 %.
    np.testing.assert_allclose(found, truth, rtol=0.01)
