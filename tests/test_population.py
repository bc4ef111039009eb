"""Estimates over devices, and surfaces of counted writes."""

import itertools

import numpy as np
import pandas as pd
import pytest
from common import DEMO
from scipy.stats import binomtest

from mtjchar import statistics
from mtjchar.errors import InputError, SimulationError, UnreachableError
from mtjchar.surfaces import WriteSurface, average_devices, surface_from_counts
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory

KEYS = ["device", "direction", "amplitude_V", "duration_s"]


# ---- estimates --------------------------------------------------------------------------------------


def test_weighted_mean_and_effective_number_by_hand():
    values = np.array([[1.0, 4.0], [3.0, np.nan], [5.0, 8.0]])
    weight = np.array([1.0, 2.0, 1.0])
    np.testing.assert_allclose(statistics.weighted_mean(values, weight), [3.0, 6.0])
    # (1 + 6 + 5)^2/(1 + 36 + 25) and (4 + 8)^2/(16 + 64).
    np.testing.assert_allclose(statistics.effective_number(values, weight), [144 / 62, 144 / 80])


def test_effective_number_of_rates_whose_squares_underflow():
    rate = np.array([[1e-250], [1e-250], [1e-290]])
    np.testing.assert_allclose(statistics.effective_number(rate, np.ones(3)), [2.0])
    assert np.isnan(statistics.effective_number(0.0 * rate, np.ones(3)))


def test_quantiles_of_equal_weights_are_those_of_numpy():
    values = np.random.default_rng(1).normal(size=(101, 3))
    found = statistics.weighted_quantiles(values, np.full(101, 0.3), (0.0, 0.05, 0.5, 0.777, 1.0))
    np.testing.assert_allclose(found.T, np.quantile(values, (0.0, 0.05, 0.5, 0.777, 1.0), axis=0), atol=1e-12)


def test_weights_are_as_good_as_copies():
    # Devices with weights 1 to 9 against as many copies of each.
    rng = np.random.default_rng(2)
    values, copies = rng.normal(size=400), rng.integers(1, 10, 400)
    found = statistics.weighted_quantiles(values[:, None], copies.astype(float), (0.05, 0.5, 0.95))
    np.testing.assert_allclose(found[0], np.quantile(np.repeat(values, copies), (0.05, 0.5, 0.95)), atol=0.05)


def test_devices_without_weight_or_result_count_for_nothing():
    values, weight = np.array([[9.0], [1.0], [np.nan], [2.0]]), np.array([0.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(statistics.weighted_quantiles(values, weight, (0.0, 1.0)), [[1.0, 2.0]])
    np.testing.assert_allclose(statistics.weighted_mean(values, weight), [1.5])
    assert np.isnan(statistics.weighted_quantiles(np.full((2, 1), np.nan), np.ones(2), (0.5,)))


def test_replicate_interval_by_hand():
    # Two replicates with means 1 and 3, overall 2: the mean's error is 1, Student's t with 1 degree 12.706.
    values, replicate = np.array([[0.5], [2.0], [1.5], [4.0]]), np.array([0, 1, 0, 1])
    lower, upper = statistics.replicate_interval(values, np.ones(4), replicate)
    factor = np.exp(12.7062 * 1.0 / 2.0)
    np.testing.assert_allclose([lower[0], upper[0]], [2.0 / factor, 2.0 * factor], rtol=1e-4)


def test_replicates_that_agree_leave_no_interval():
    lower, upper = statistics.replicate_interval(np.full((8, 1), 0.3), np.ones(8), np.arange(8) % 4)
    np.testing.assert_allclose([lower[0], upper[0]], [0.3, 0.3], rtol=1e-12)


@pytest.mark.parametrize(("errors", "trials"), [(0, 10), (1, 1000), (7, 1000), (999, 1000), (10, 10)])
def test_counted_interval_is_that_of_scipy(errors, trials):
    found = statistics.clopper_pearson(errors, trials)
    if errors:
        exact = binomtest(errors, trials).proportion_ci(0.95, method="exact")
        assert found.rate == pytest.approx(errors / trials, rel=1e-14)
        assert (found.lower, found.upper) == pytest.approx((exact.low, exact.high), rel=1e-9)
    else:
        # One-sided: no error among n writes has the chance (1 - p)^n, 5 % at the bound.
        bound = binomtest(0, trials, alternative="less").proportion_ci(0.95, method="exact").high
        assert found.rate == found.upper == pytest.approx(bound, rel=1e-9)
        assert (1.0 - found.upper) ** trials == pytest.approx(0.05, rel=1e-9)
        assert found.lower == 0.0


def test_counted_intervals_cover():
    # Exact binomial: Clopper and Pearson cover at least 95 %. Below 92 % of 2000 by chance: 2e-9.
    rng = np.random.default_rng(3)
    for rate in (3e-4, 2e-3, 0.05, 0.5):
        found = statistics.clopper_pearson(rng.binomial(2000, rate, 2000), 2000)
        assert np.mean((found.lower <= rate) & (rate <= found.upper)) > 0.92


# ---- runs whose errors are counted ------------------------------------------------------------------


def tilted(devices=20, trials=100):
    """A study without axial symmetry, two amplitudes, four durations."""
    return DEMO.with_(
        stack={"reference_tilt": 0.05},
        sweep={
            "amplitude": {"start": 0.5, "stop": 1.0, "points": 2},
            "duration": {"start": 1e-9, "stop": 8e-9, "points": 4},
            "devices": devices,
            "trials": trials,
        },
    )


def counted_run(path):
    """A run directory of it with made-up counts: errors at the first two durations only."""
    one = tilted()
    directory = RunDirectory.create(path, one, Population(one).draw())
    rng = np.random.default_rng(4)
    for direction in one.sweep.directions:
        index = pd.MultiIndex.from_product(
            [range(20), [direction], one.sweep.amplitude.values(), one.sweep.duration.values()], names=KEYS
        )
        table = pd.DataFrame(index=index).reset_index()
        chance = np.select([table["duration_s"] < 1.5e-9, table["duration_s"] < 3e-9], [0.4, 0.02], 0.0)
        table["write_error_rate"] = rng.binomial(100, chance) / 100
        table["energy_J"] = table["amplitude_V"] ** 2 / 5e3 * table["duration_s"]
        table["redundant_energy_J"] = 1.1 * table["energy_J"]
        table["trials"], table["status"], table["reason"] = 100, "ok", ""
        directory.write_part(direction, table)
    return directory


def test_counted_errors_are_pooled(tmp_path):
    directory = counted_run(tmp_path / "run")
    data = average_devices(directory.path).dataset
    assert np.all(data["trials"] == 2000)
    table = directory.samples()
    for (direction, amplitude, duration), rows in table.groupby(KEYS[1:]):
        cell = data.sel(direction=direction, amplitude=amplitude, duration=duration)
        errors = round(100 * rows["write_error_rate"].sum())
        assert int(cell["errors"]) == errors
        if errors:
            exact = binomtest(errors, 2000).proportion_ci(0.95, method="exact")
            assert float(cell["ber"]) == pytest.approx(errors / 2000, rel=1e-12)
            assert float(cell["ber_lower"]) <= exact.low * (1 + 1e-9)
            assert float(cell["ber_upper"]) >= exact.high * (1 - 1e-9)
            assert 0 < float(cell["effective_devices"]) <= 20
        else:
            assert float(cell["ber"]) == float(cell["ber_upper"]) == pytest.approx(1 - 0.05 ** (1 / 2000))
            assert float(cell["ber_lower"]) == 0.0
    assert "95 % upper bound" in data.attrs["counts"]
    assert "Clopper-Pearson" in data.attrs["interval"]


@pytest.mark.parametrize("vary", ["duration", "amplitude", "both"])
def test_counts_claim_nothing_below_their_resolution(tmp_path, vary):
    surface = average_devices(counted_run(tmp_path / "run").path)
    at = 8e-9 if vary == "amplitude" else None
    for ber in (1e-9, 1.4e-3):  # no error among 2000 writes: 1.5e-3 at 95 %
        with pytest.raises(UnreachableError, match=f"reaches {ber:g}\\."):
            surface.cheapest_pulse(
                "p_to_ap", ber, vary=vary, duration=at, amplitude=0.5 if vary == "duration" else None
            )
    assert surface.cheapest_pulse("p_to_ap", 1e-2).ber <= 1e-2
    amplitude, duration = np.linspace(0.5, 1.0, 41)[:, None], np.geomspace(1e-9, 8e-9, 41)
    assert surface.ber("p_to_ap", amplitude, duration).min() >= 0.99 * (1 - 0.05 ** (1 / 2000))


@pytest.mark.parametrize("damage", ["missing", "cut", "short"])
def test_damaged_device_table_is_named(tmp_path, damage):
    directory = counted_run(tmp_path / "run")
    file = directory.path / "devices.parquet"
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-80])
    else:
        pd.read_parquet(file).head(7).to_parquet(file, index=False)
    with pytest.raises(
        InputError, match=r"(devices: got|Cannot read device table) .*devices\.parquet.*Run `mtjchar sweep`"
    ):
        average_devices(directory.path)


def test_failures_of_devices_that_carry_the_tail_are_not_left_out(tmp_path):
    # Three of 200 devices failed, with 0.1 % of the weight: little of the population, maybe all of its tail.
    one = tilted(devices=200)
    weight = np.where(np.arange(200) < 3, 0.001 * 200 / 3, 1.0)
    devices = Population(one).draw().assign(weight=weight, replicate=np.arange(200) % 16)
    directory = RunDirectory.create(tmp_path / "run", one, devices)
    for direction in one.sweep.directions:
        index = pd.MultiIndex.from_product(
            [range(200), [direction], one.sweep.amplitude.values(), one.sweep.duration.values()], names=KEYS
        )
        table = pd.DataFrame(index=index).reset_index()
        failed = table["device"] < 3
        numbers = {"write_error_rate": 0.5, "energy_J": 1e-12, "redundant_energy_J": 1e-12}
        table = table.assign(**{name: np.where(failed, np.nan, value) for name, value in numbers.items()})
        table = table.assign(trials=0, status=np.where(failed, "failed", "ok"), reason="diverged")
        directory.write_part(direction, table)
    with pytest.raises(SimulationError, match=r"up to 1\.50% at one pulse"):
        average_devices(directory.path)


# ---- surfaces from a table of counts ----------------------------------------------------------------


def counts(**changed):
    """Two directions, three amplitudes, three durations, one row each."""
    rows = itertools.product(("p_to_ap", "ap_to_p"), (0.5, 0.6, 0.7), (2e-9, 4e-9, 8e-9))
    table = pd.DataFrame(rows, columns=["direction", "amplitude_V", "duration_s"])
    table["trials"] = 10_000
    table["errors"] = [5000, 400, 20, 3000, 100, 5, 1000, 9, 0] * 2
    return table.assign(**changed)


def test_table_of_counts_becomes_a_surface(tmp_path):
    table = counts(energy_J=1e-12, redundant_energy_J=2e-12)
    surface = surface_from_counts(table)
    for row in table.itertuples():
        expected = row.errors / row.trials or 1 - 0.05 ** (1 / row.trials)
        assert surface.ber(row.direction, row.amplitude_V, row.duration_s) == pytest.approx(expected)
    assert surface.nominal_amplitude == pytest.approx(0.6)
    assert surface.directions == ("p_to_ap", "ap_to_p")
    assert surface.cheapest_pulse("both", 1e-3).ber == pytest.approx(1e-3)
    with pytest.raises(UnreachableError):
        surface.cheapest_pulse("p_to_ap", 1e-6)
    surface.save(tmp_path / "surface.nc")
    assert WriteSurface.load(tmp_path / "surface.nc").dataset.identical(surface.dataset)


def test_longer_pulses_are_no_worse_than_shorter_ones():
    # No error among 10 writes says little, where 400 among 10,000 were seen at a shorter pulse.
    table = counts()
    table.loc[5, ["trials", "errors"]] = 10, 0
    surface = surface_from_counts(table)
    assert float(surface.dataset["ber"][0, 1, 2]) == pytest.approx(1 - 0.05 ** (1 / 10))
    assert surface.ber("p_to_ap", 0.6, 8e-9) == pytest.approx(20 / 10_000)


def test_rows_of_one_pulse_are_pooled():
    # Binomial maximum likelihood: errors and trials of all rows together.
    more = counts(trials=2000, errors=np.tile([1000, 90, 6, 500, 10, 0, 200, 0, 0], 2))
    surface = surface_from_counts(pd.concat([counts(), more]).sample(frac=1.0, random_state=1))
    cell = surface.dataset.sel(direction="ap_to_p", amplitude=0.5, duration=4e-9)
    assert (int(cell["errors"]), int(cell["trials"])) == (490, 12_000)
    assert float(cell["ber"]) == pytest.approx(490 / 12_000)
    none = surface.dataset.sel(direction="ap_to_p", amplitude=0.7, duration=8e-9)
    assert float(none["ber"]) == pytest.approx(1 - 0.05 ** (1 / 12_000))
    assert np.isnan(none["effective_devices"])


def test_devices_that_differ_widen_the_interval():
    # 30 devices with errors from 0 to 40 %: as one binomial count the interval would be 3 times narrower.
    rate = np.random.default_rng(5).uniform(0.0, 0.4, 30)
    table = pd.concat([counts(trials=1000, errors=int(1000 * one)) for one in rate])
    cell = surface_from_counts(table).dataset.isel(direction=0, amplitude=0, duration=0)
    binomial = binomtest(int(cell["errors"]), 30_000).proportion_ci(0.95, method="exact")
    error = rate.std() / np.sqrt(30)
    assert float(cell["ber_upper"] - cell["ber_lower"]) == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert binomial.high - binomial.low < 2 * error


def test_energies_that_are_not_known_are_nan():
    table = counts(energy_J=1e-12)
    table.loc[3, "energy_J"] = np.nan
    data = surface_from_counts(table).dataset
    assert int(data["energy"].isnull().sum()) == 1
    assert bool(data["redundant_energy"].isnull().all())


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("errors", 10_001, "row 4, errors: got 10001; allowed: a whole number from 0 to the trials"),
        ("errors", -1, "row 4, errors: got -1"),
        ("errors", np.nan, "row 4, errors: got nan"),
        ("errors", 0.5, "row 4, errors: got 0.5"),
        ("trials", 0, "row 4, trials: got 0; allowed: a whole number, at least 1"),
        ("trials", np.nan, "row 4, trials: got nan"),
        ("trials", np.inf, "row 4, trials: got inf"),
        ("direction", "up", "row 4, direction: got 'up'; allowed: 'p_to_ap' or 'ap_to_p'"),
        ("amplitude_V", -0.5, "row 4, amplitude_V: got -0.5; allowed: a positive number"),
        ("duration_s", np.nan, "row 4, duration_s: got nan"),
        ("duration_s", "4 ns", "row 4, duration_s: got '4 ns'"),
        ("energy_J", -1.0, "row 4, energy_J: got -1.0; allowed: a positive number, or NaN"),
    ],
)
def test_rows_that_cannot_be_are_refused_by_number(column, value, named):
    table = counts(energy_J=1e-12).astype({column: object})
    table.loc[4, column] = value
    with pytest.raises(InputError) as refusal:
        surface_from_counts(table)
    assert named in str(refusal.value)


def test_incomplete_tables_are_refused():
    with pytest.raises(InputError, match=r"no row for p_to_ap at 0\.6 V for 4 ns"):
        surface_from_counts(counts().drop(index=4))
    with pytest.raises(InputError, match="There is no errors"):
        surface_from_counts(counts().drop(columns="errors"))
    with pytest.raises(InputError, match="no rows"):
        surface_from_counts(counts().head(0))
    with pytest.raises(InputError, match=r"duration_s: got .* at least two values"):
        surface_from_counts(counts().query("duration_s == 4e-9"))
    with pytest.raises(InputError, match=r"nominal_amplitude: got '0\.9 V'; allowed: 0\.5 V to 0\.7 V"):
        surface_from_counts(counts(), 0.9)
