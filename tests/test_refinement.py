"""Grids whose points the sweep places: `spacing = "refined"`."""

import numpy as np
import pytest
import xarray as xr
from common import DEMO
from hypothesis import given
from hypothesis import strategies as st

from mtjchar.errors import InputError
from mtjchar.study import Study, load_study
from mtjchar.surfaces import WriteSurface, average_devices
from mtjchar.sweep import refinement
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.tasks import Task, characterize

AMPLITUDES, DURATIONS = 8, 17


def study(spacing=("refined", "refined"), points=(AMPLITUDES, DURATIONS), **changed):
    amplitude, duration = (
        {"spacing": how, "points": count} for how, count in zip(spacing, points, strict=True)
    )
    # Per current, because the measured errors below are of that law.
    return DEMO.with_(
        stack={"torque": "current"},
        sweep={"amplitude": amplitude, "duration": duration, "devices": 2, **changed},
    )


# ---- the division of an axis ------------------------------------------------------------------------


def test_without_changes_the_axis_is_divided_evenly():
    axis = np.linspace(2.0, 5.0, 31)
    np.testing.assert_allclose(refinement.divide(axis, np.zeros(30), 7), np.linspace(2.0, 5.0, 7))


def test_half_of_the_shares_are_length_and_half_are_change():
    # Analytic: all change in the last tenth, which holds 0.05 + 0.5 of the shares.
    axis, change = np.linspace(0.0, 1.0, 11), np.zeros(10)
    change[-1] = 3.0
    points = refinement.divide(axis, change, 12)
    assert points[4] == pytest.approx(4 / 11 / 0.5, abs=1e-12)
    np.testing.assert_allclose(np.diff(points)[-6:], 0.1 / (11 * 0.55), rtol=1e-9)


@given(
    change=st.lists(st.floats(0.0, 1e3), min_size=3, max_size=60),
    points=st.integers(2, 40),
)
def test_points_ascend_from_end_to_end(change, points):
    axis = np.linspace(-3.0, 4.0, len(change) + 1)
    placed = refinement.divide(axis, np.array(change), points)
    assert (placed[0], placed[-1]) == pytest.approx((-3.0, 4.0), abs=1e-12)
    assert np.all(np.diff(placed) > 0.0)
    # Half of all shares are length: no interval is longer than twice the even one.
    assert np.diff(placed).max() <= 2.0 * 7.0 / (points - 1) * (1.0 + 1e-9)


# ---- through the sweep ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two devices; not to be changed."""
    return run_sweep(study(), tmp_path_factory.mktemp("refined") / "run", workers=1)


def test_the_run_keeps_its_grid_and_goes_on_with_it(run):
    placed = load_study(run / "study.toml").sweep
    assert len(placed.amplitude.grid) == AMPLITUDES
    assert len(placed.duration.grid) == DURATIONS
    assert placed.duration.grid[:: DURATIONS - 1] == (DEMO.sweep.duration.start, DEMO.sweep.duration.stop)
    before = {part.name: part.stat().st_mtime_ns for part in (run / "samples").iterdir()}
    assert run_sweep(study(), run, workers=1) == run
    assert {part.name: part.stat().st_mtime_ns for part in (run / "samples").iterdir()} == before
    surface = average_devices(run)
    np.testing.assert_array_equal(surface.amplitudes, placed.amplitude.grid)
    with pytest.raises(InputError, match=r"sweep\.seed"):
        run_sweep(study(seed=9), run, workers=1)


def test_fewer_points_are_closer_to_the_truth(run):
    # The nominal device itself, on a grid five times finer, from 0.9 to 1e-9. Own measurement: the largest
    # error of 8 x 17 points is 0.06 decade placed and 0.24 evenly, of the demo's 12 x 25 it is 0.08.
    fine = study(("linear", "log"), (36, 81))
    placed = load_study(run / "study.toml")
    errors = {}
    for name, one in {
        "placed": placed,
        "even": study(("linear", "log")),
        "demo": study(("linear", "log"), (12, 25)),
    }.items():
        errors[name] = largest_error(surface_of(one), fine)
    assert errors["placed"] < 0.5 * errors["even"]
    assert errors["placed"] < errors["demo"]
    assert errors["placed"] < 0.1


def nominal_rates(one):
    """Error rates of the nominal device over direction, amplitude and duration."""
    device = refinement.pilot(one)[1]
    rates = [characterize(Task(one, device, way))["write_error_rate"] for way in one.sweep.directions]
    return np.stack(rates).reshape(2, one.sweep.amplitude.points, one.sweep.duration.points)


def surface_of(one):
    dims = ("direction", "amplitude", "duration")
    rate = np.maximum(nominal_rates(one), 1e-300)
    return WriteSurface(
        xr.Dataset(
            dict.fromkeys(("ber", "energy", "redundant_energy"), (dims, rate)),
            coords={
                "direction": list(one.sweep.directions),
                "amplitude": one.sweep.amplitude.values(),
                "duration": one.sweep.duration.values(),
            },
        )
    )


def largest_error(surface, fine):
    truth = nominal_rates(fine)
    grid = fine.sweep.amplitude.values()[:, None], fine.sweep.duration.values()
    found = np.stack([surface.ber(one, *grid) for one in fine.sweep.directions])
    shown = (truth <= 0.9) & (truth >= 1e-9)
    assert shown.sum() > 500
    return np.abs(np.log10(found[shown] / truth[shown])).max()


# ---- what is refused --------------------------------------------------------------------------------


def test_a_grid_that_nobody_has_placed():
    with pytest.raises(InputError, match="a grid whose points a sweep has placed"):
        study().sweep.amplitude.values()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"amplitude": {"grid": [0.4, 0.8, 1.2], "spacing": "linear"}}, "where refined"),
        ({"amplitude": {"grid": [0.4, 1.2]}}, "as many ascending values as points"),
        ({"amplitude": {"grid": [0.4, 1.3, 1.2]}}, "as many ascending values as points"),
        ({"amplitude": {"grid": [0.5, 0.8, 1.2]}}, "from start to stop"),
    ],
)
def test_grids_that_do_not_fit_their_range(changed, message):
    data = study(points=(3, 3)).model_dump(mode="json", exclude_none=True)
    for name, keys in changed.items():
        data["sweep"][name] |= {
            key: [f"{each} V" for each in value] if key == "grid" else value for key, value in keys.items()
        }
    with pytest.raises(ValueError, match=message):
        Study.model_validate(data)


def test_counted_error_rates_are_not_refined():
    data = study().model_dump(mode="json", exclude_none=True)
    data["stack"]["reference_tilt"] = "2 deg"
    with pytest.raises(ValueError, match="only where error rates are computed"):
        Study.model_validate(data)
