"""The surface: estimate, interpolation, answers, file."""

import shutil

import numpy as np
import pandas as pd
import pytest
from common import DEMO
from conftest import analytic_energy, analytic_log_rate
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjchar.errors import InputError, OutsideGridError, SimulationError, UnreachableError
from mtjchar.statistics import bootstrap
from mtjchar.surfaces import WriteSurface, average_devices
from mtjchar.sweep.failures import Tally, count_failed, share_to_allow, worst_share
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory

DIRECTIONS = ("p_to_ap", "ap_to_p")
AMPLITUDES = st.floats(0.4, 1.2)
DURATIONS = st.floats(1e-9, 60e-9)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_rate_between_the_grid_points(analytic_surface, direction):
    # Analytic surface; 0.1 decade is what a device engineer is promised where the rate is above 1e-12.
    rng = np.random.default_rng(1)
    amplitude, duration = rng.uniform(0.4, 1.2, 2000), np.exp(rng.uniform(np.log(1e-9), np.log(60e-9), 2000))
    exact = analytic_log_rate(direction, amplitude, duration)
    shown = exact > -12.0
    error = np.log10(analytic_surface.ber(direction, amplitude, duration)) - exact
    assert np.abs(error[shown]).max() < 0.1


@pytest.mark.parametrize("switching", [True, False])
def test_energy_between_the_grid_points(analytic_surface, switching):
    rng = np.random.default_rng(2)
    amplitude, duration = rng.uniform(0.4, 1.2, 500), rng.uniform(1e-9, 60e-9, 500)
    exact = analytic_energy("ap_to_p", amplitude, duration, switching)
    energy = analytic_surface.energy("ap_to_p", amplitude, duration, switching=switching)
    np.testing.assert_allclose(energy, exact, rtol=0.01)


def test_the_grid_points_are_kept(analytic_surface):
    surface = analytic_surface
    at = surface.amplitudes[:, None], surface.durations
    np.testing.assert_allclose(
        np.log(surface.ber("p_to_ap", *at)), np.log(surface.dataset["ber"][0].to_numpy()), rtol=1e-9
    )


@settings(deadline=None, max_examples=300, derandomize=True)
@given(AMPLITUDES, AMPLITUDES, DURATIONS, DURATIONS, st.sampled_from(DIRECTIONS))
def test_rate_never_rises_with_amplitude_or_duration(analytic_surface, a, b, s, t, direction):
    (a, b), (s, t) = sorted((a, b)), sorted((s, t))
    weak, strong = analytic_surface.ber(direction, a, s), analytic_surface.ber(direction, b, t)
    assert strong <= weak * (1.0 + 1e-12)


def test_rate_stays_monotone_where_the_samples_are_noisy(analytic_surface):
    rng = np.random.default_rng(3)
    noisy = analytic_surface.dataset.copy(deep=True)
    noisy["ber"] = noisy["ber"] * np.exp(rng.normal(0.0, 0.3, noisy["ber"].shape))
    surface = WriteSurface(noisy)
    amplitude, duration = np.linspace(0.4, 1.2, 301)[:, None], np.geomspace(1e-9, 60e-9, 301)
    rate = surface.ber("p_to_ap", amplitude, duration)
    assert (np.diff(rate, axis=0) <= 1e-12 * rate[:-1]).all()
    assert (np.diff(rate, axis=1) <= 1e-12 * rate[:, :-1]).all()
    assert rate.max() <= 1.0


def test_shapes_broadcast(analytic_surface):
    assert np.shape(analytic_surface.ber("p_to_ap", 0.8, 8e-9)) == ()
    assert analytic_surface.ber("p_to_ap", np.ones((3, 1)) * 0.8, np.ones(4) * 8e-9).shape == (3, 4)
    lower, upper = analytic_surface.ber_interval("p_to_ap", 0.8, [8e-9, 9e-9])
    assert lower.shape == upper.shape == (2,)


@pytest.mark.parametrize(
    ("amplitude", "duration", "named"),
    [(1.3, 8e-9, "amplitude"), (0.8, 0.1e-9, "duration"), (np.nan, 8e-9, "nan")],
)
def test_outside_the_grid_is_refused(analytic_surface, amplitude, duration, named):
    with pytest.raises(OutsideGridError, match=named):
        analytic_surface.ber("p_to_ap", amplitude, duration)


def test_extrapolation_is_linear_in_log_rate_and_time(analytic_surface):
    # Analytic: far in the tail the made-up rate falls by 2.5/ns/V x 0.2 V x 2 ns = 1 in its logarithm.
    rate = analytic_surface.ber("p_to_ap", 0.5, np.array([60e-9, 62e-9, 64e-9, 66e-9]), extrapolate=True)
    np.testing.assert_allclose(np.diff(np.log(rate)), -1.0, rtol=0.02)


def test_unknown_direction(analytic_surface):
    with pytest.raises(InputError, match=r"direction: got 'up'; allowed: 'p_to_ap' or 'ap_to_p'"):
        analytic_surface.ber("up", 0.8, 8e-9)


@pytest.mark.parametrize("direction", [*DIRECTIONS, "both"])
@pytest.mark.parametrize("vary", ["duration", "amplitude", "both"])
@pytest.mark.parametrize("ber", [1e-9, 1e-4, 0.1])
def test_cheapest_pulse_reaches_the_rate_and_no_cheaper_one_does(analytic_surface, direction, vary, ber):
    surface = analytic_surface
    found = surface.cheapest_pulse(direction, ber, vary=vary, duration=15e-9 if vary == "amplitude" else None)
    assert found.ber <= ber * (1.0 + 1e-9)
    directions = DIRECTIONS if direction == "both" else (direction,)
    kinds = (True, False) if direction == "both" else (True,)
    amplitude = np.array([found.amplitude_V]) if vary == "duration" else np.linspace(0.4, 1.2, 201)
    duration = np.array([found.duration_s]) if vary == "amplitude" else np.geomspace(1e-9, 60e-9, 401)
    at = amplitude[:, None], duration
    reaches = np.all([surface.ber(one, *at) <= ber for one in directions], axis=0)
    energy = np.mean(
        [surface.energy(one, *at, switching=kind) for one in directions for kind in kinds], axis=0
    )
    # Brute force over a grid of pulses, 4 mV and 1 % apart; tests/test_pulses.py has finer ones and limits.
    assert found.energy_J <= energy[reaches].min() * 1.001


def test_cheapest_pulse_out_of_reach(analytic_surface):
    with pytest.raises(UnreachableError, match=r"No duration at 0.8 V reaches 1e-200. .* 60 ns, has"):
        analytic_surface.cheapest_pulse("p_to_ap", 1e-200, vary="duration")


@pytest.mark.parametrize("ber", [0.0, 1.0, -1.0, 3.0, float("nan")])
def test_cheapest_pulse_refuses_what_is_no_rate(analytic_surface, ber):
    with pytest.raises(InputError, match="above 0 and below 1"):
        analytic_surface.cheapest_pulse("p_to_ap", ber)


def test_cheapest_pulse_refuses_an_unknown_lever(analytic_surface):
    with pytest.raises(InputError, match="vary: got 'phase'"):
        analytic_surface.cheapest_pulse("p_to_ap", 1e-3, vary="phase")


def test_file_round_trip(analytic_surface, tmp_path):
    analytic_surface.save(tmp_path / "surface.nc")
    loaded = WriteSurface.load(tmp_path / "surface.nc")
    assert loaded.dataset.identical(analytic_surface.dataset)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["surface.nc"]


def test_file_that_is_no_surface(tmp_path):
    with pytest.raises(InputError, match="mtjchar surface"):
        WriteSurface.load(tmp_path / "surface.nc")
    (tmp_path / "surface.nc").write_bytes(b"no NetCDF")
    with pytest.raises(InputError, match="surface file"):
        WriteSurface.load(tmp_path / "surface.nc")


def test_table_has_units_in_its_names_and_the_right_rows(analytic_surface):
    table = analytic_surface.to_frame()
    assert list(table.columns) == [
        "direction", "amplitude_V", "duration_s", "ber", "ber_lower", "ber_upper", "effective_devices",
        "energy_J", "redundant_energy_J", "device_ber_q5", "device_ber_q50",
    ]  # fmt: skip
    assert len(table) == 2 * 12 * 25
    row = table.iloc[371]
    cell = analytic_surface.dataset.sel(
        direction=row["direction"], amplitude=row["amplitude_V"], duration=row["duration_s"]
    )
    assert row["ber"] == float(cell["ber"])
    assert row["device_ber_q5"] == float(cell["ber_quantile"][0])


def test_bootstrap_interval_covers_the_mean():
    # Binomial: of 500 repetitions at 95 %, fewer than 440 or more than 498 by chance at 4e-10. The lognormal
    # is what spread does to error rates.
    covered = 0
    for seed in range(500):
        rng = np.random.default_rng([7, seed])
        rate = np.exp(rng.normal(0.0, 0.5, (200, 1, 1)))
        lower, upper = bootstrap(rate, rng)
        covered += lower[0, 0] <= np.exp(0.125) <= upper[0, 0]
    assert 440 <= covered <= 498


@pytest.fixture
def run_directory(tmp_path):
    """A run directory with samples that are made up: 200 devices, 2 amplitudes, 3 durations."""
    study = DEMO.model_dump(mode="json")
    study["sweep"].update(
        devices=200,
        amplitude={"start": "0.5 V", "stop": "1 V", "points": 2},
        duration={"start": "1 ns", "stop": "9 ns", "points": 3},
    )
    study = type(DEMO).model_validate(study)
    directory = RunDirectory.create(tmp_path / "run", study, Population(study).draw())
    rng = np.random.default_rng(5)
    for direction in DIRECTIONS:
        index = pd.MultiIndex.from_product(
            [range(200), [direction], study.sweep.amplitude.values(), study.sweep.duration.values()],
            names=["device", "direction", "amplitude_V", "duration_s"],
        )
        table = pd.DataFrame(index=index).reset_index()
        table["write_error_rate"] = np.exp(-table["duration_s"] * 1e9 * table["amplitude_V"]) * rng.uniform(
            0.5, 1.0, len(table)
        )
        table["energy_J"], table["redundant_energy_J"], table["trials"] = 1e-12, 2e-12, 0
        table["status"], table["reason"] = "ok", ""
        directory.write_part(direction, table)
    return directory


def _fail(directory, devices):
    (part,) = (directory.path / "samples").glob("p_to_ap.*")
    table = pd.read_parquet(part)
    part.unlink()
    rows = table["device"].isin(devices)
    table.loc[rows, ["write_error_rate", "energy_J", "redundant_energy_J"]] = np.nan
    table.loc[rows, ["status", "reason"]] = "failed", "diverged"
    directory.write_part("p_to_ap", table)
    return table


def test_estimate_is_the_mean_over_devices(run_directory):
    surface = average_devices(run_directory.path)
    table = run_directory.samples()
    means = table.groupby(["direction", "amplitude_V", "duration_s"])["write_error_rate"].mean()
    for (direction, amplitude, duration), mean in means.items():
        cell = surface.dataset.sel(direction=direction, amplitude=amplitude, duration=duration)
        assert float(cell["ber"]) == pytest.approx(mean, rel=1e-12)
        assert float(cell["ber_lower"]) < mean < float(cell["ber_upper"])
        assert (
            float(cell["ber_quantile"][0]) < float(cell["ber_quantile"][1]) < float(cell["ber_quantile"][3])
        )
    assert WriteSurface.load(run_directory.path / "surface.nc").dataset.identical(surface.dataset)


def test_few_failures_are_left_out_with_a_warning(run_directory):
    table = _fail(run_directory, [17])
    with pytest.warns(
        UserWarning, match="6 of 2400 samples failed, up to 0.50% at one pulse; the first: diverged"
    ):
        surface = average_devices(run_directory.path)
    mean = table.groupby("duration_s")["write_error_rate"].mean().iloc[0]
    assert float(surface.dataset["ber"].sel(direction="p_to_ap").isel(duration=0).mean()) == pytest.approx(
        mean
    )


def test_many_failures_refuse_a_surface(run_directory):
    _fail(run_directory, range(10))
    with pytest.raises(SimulationError, match=r"60 of 2400 samples failed, up to 5.00% .* diverged"):
        average_devices(run_directory.path)
    assert not (run_directory.path / "surface.nc").exists()


def test_failures_are_counted_and_weighted_in_one_place(run_directory):
    # By hand: devices 0 and 1 of the 200 failed at each pulse of one direction; 0 weighs 5, 1 nothing.
    table = _fail(run_directory, [0, 1])
    tally = Tally()
    for half in (table.iloc[:700], table.iloc[700:]):  # parts of a sweep, in turn
        tally.add(half)
    assert (tally.failed, tally.samples, tally.worst_share) == (12, len(table), 0.01)
    weight = table["device"].map({0: 5.0, 1: 0.0}).fillna(1.0)
    assert worst_share(count_failed(table, weight.to_numpy())) == pytest.approx(5.0 / 203.0)
    assert [share_to_allow(share) for share in (0.011, 0.02, 0.995)] == [0.02, 0.02, 1.0]


def test_missing_samples_refuse_a_surface(run_directory):
    next((run_directory.path / "samples").glob("p_to_ap.*")).unlink()
    with pytest.raises(SimulationError, match="holds 1200 of 2400 samples"):
        average_devices(run_directory.path)
    shutil.rmtree(run_directory.path / "samples")
    with pytest.raises(InputError, match="mtjchar sweep"):
        average_devices(run_directory.path)
