"""Importance sampling: weights, the pilot, and populations whose error rate is known exactly."""

import shutil

import numpy as np
import pandas as pd
import pytest
from common import DEMO, InPlace
from scipy.integrate import quad
from scipy.interpolate import RectBivariateSpline
from scipy.stats import norm

from mtjchar.cells.stt.device import COLUMNS
from mtjchar.cells.stt.tables import DIRECTIONS, SttVariability
from mtjchar.physics.fokker_planck import write_error_rate
from mtjchar.statistics import effective_number, replicate_interval, weighted_mean
from mtjchar.study import Line, Pulse, Spread, Transistor
from mtjchar.surfaces import average_devices
from mtjchar.sweep import importance
from mtjchar.sweep.importance import Shift
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory

TWO = SttVariability(
    damping=Spread(sigma=0.04, relative=True), resistance_area_product=Spread(sigma=0.05, relative=True)
)
DAMPING, PRODUCT = list(COLUMNS).index("damping"), list(COLUMNS).index("resistance_area_product")


def study(devices=256, seed=3, variability=TWO, **sweep_of):
    """Constant current, constant in m_z too: ideal transistor, no TMR, edges and lines without delay."""
    line = Line(resistance=200.0, capacitance=0.0)
    numbers = {
        "directions": ("p_to_ap",),
        "amplitude": {"start": 0.4, "stop": 0.6, "points": 2},
        "duration": {"start": 1e-9, "stop": 40e-9, "points": 14},
        "devices": devices,
        "seed": seed,
    }
    transistor = Transistor(model="ideal", on_resistance=1000.0)
    return DEMO.with_(
        stack={"tmr": 1e-6, "torque": "current"},
        cell={"transistor": transistor, "bitline": line, "sourceline": line},
        pulse=Pulse(rise=1e-12, fall=1e-12),
        variability=variability,
        sweep={**numbers, **sweep_of},
    )


def device_rate(one, amplitude, damping, product):
    """Error rates (..., durations) at standardized parameters, i and t_D as docs/glossary.md has them."""
    alpha, nominal = one.stack.damping * (1 + 0.04 * damping), Population(one).nominal().iloc[0]
    resistance = nominal["parallel_resistance_ohm"] * (1 + 0.05 * product) + 1000.0 + 2 * 200.0
    overdrive = amplitude / resistance / (nominal["critical_current_A"] * alpha / one.stack.damping)
    t_d = (1 + alpha**2) / (alpha * 1.760859e11 * nominal["anisotropy_field_T"])
    reduced = one.sweep.duration.values() / t_d[..., None]
    return write_error_rate(overdrive[..., None], nominal["thermal_stability"], reduced)


def exact_population(one, amplitude, nodes=32):
    """Population error rate by Gauss-Legendre quadrature over both normal distributions, cut at 5 sigma."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    x, w = 5.0 * x, w * norm.pdf(5.0 * x)
    w = w / w.sum()
    rate = device_rate(one, amplitude, x[:, None], x[None, :])
    return np.einsum("i,j,ijt->t", w, w, rate)


# ---- weights ----------------------------------------------------------------------------------------

PAIR = Shift(np.array([[0.6, 0.8], [1.0, 0.0]]), np.array([4.0, 2.5]))


@pytest.mark.parametrize("t", [-30.0, -5.0, -1.0, 0.0, 1.0, 2.0, 3.9, 6.0, 30.0])
@pytest.mark.parametrize("reach", [1.2, 5.0])
def test_weight_is_the_integral_it_stands_for(t, reach):
    # scipy's quadrature of the mixture density over the standard normal one.
    integral, _ = quad(lambda c: np.exp(c * t - 0.5 * c * c), 0.0, reach, epsabs=0.0)
    shift = Shift(np.array([[1.0, 0.0]]), np.array([reach]))
    weight = np.exp(importance.log_weight(shift, np.array([[t, 7.0]])))[0]
    assert weight == pytest.approx(reach / integral, rel=1e-8)


def test_weight_of_a_mixture_is_that_of_the_mean_density():
    x = np.array([[0.3, -1.0], [2.0, 3.0]])
    single = [np.exp(-importance.log_weight(Shift(u[None], c[None]), x)) for u, c in zip(*PAIR, strict=True)]
    np.testing.assert_allclose(np.exp(-importance.log_weight(PAIR, x)), np.mean(single, axis=0), rtol=1e-12)


def test_weighted_devices_are_distributed_as_the_study_says():
    # Standard normal distribution. 4096 Sobol points: own measurement within 0.01, four times that here.
    x, weight = importance.draw(PAIR, [0, 1], 4096, 1)
    assert weight.mean() == pytest.approx(1.0, abs=0.01)
    assert weighted_mean(x, weight) == pytest.approx(0.0, abs=0.04)
    np.testing.assert_allclose(weighted_mean(x[:, :, None] * x[:, None, :], weight), np.eye(2), atol=0.04)
    assert np.abs(x).max() <= 5.0


@pytest.mark.parametrize("size", [0.5, 2.0, 3.5])
def test_exponential_error_rates_have_their_exact_mean(size):
    # Analytic: E exp(g.x) = exp(g^2/2). 2,000 devices, own measurement within 2 %.
    x, weight = importance.draw(PAIR, [0, 1], 2000, 2)
    rate = np.exp(-30.0 + size * x @ PAIR.directions[0])
    assert weighted_mean(rate, weight) == pytest.approx(np.exp(-30.0 + 0.5 * size**2), rel=0.05)
    # Plain sampling would be carried by about 2000 exp(-g^2) devices: 0.01 at 3.5.
    assert effective_number(rate, weight) > 300


def test_what_lies_beyond_the_cut_has_no_weight():
    shift = Shift(np.array([[1.0, 0.0]]), np.array([5.0]))
    x, weight = importance.draw(shift, [0, 1], 1024, 1)
    assert 0 < np.sum(weight == 0.0) < 200
    assert np.all(np.abs(x[weight == 0.0]).max(axis=1) == 5.0)
    assert np.all(np.abs(x[weight > 0.0]) <= 5.0)


def test_first_devices_do_not_depend_on_how_many_there_are():
    few, many = (importance.draw(PAIR, [0, 1], count, 1) for count in (100, 500))
    np.testing.assert_array_equal(few[0], many[0][:100])
    np.testing.assert_array_equal(few[1], many[1][:100])
    other, _ = importance.draw(PAIR, [0, 1], 100, 2)
    assert not np.any(other == few[0])


def test_table_has_the_parameters_of_the_draw():
    shift = Shift(np.eye(len(COLUMNS))[[DAMPING]], np.array([3.0]))
    table = importance.sample_shifted(study(100), shift)
    normal, weight = importance.draw(shift, [DAMPING, PRODUCT], 100, 3)
    np.testing.assert_array_equal(table["weight"], weight)
    assert table["replicate"].tolist() == [k % 16 for k in range(100)]
    pd.testing.assert_frame_equal(
        table.drop(columns=["weight", "replicate"]), Population(study()).at(normal), check_exact=True
    )


# ---- the pilot --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "worth"),
    [
        (study(64), True),
        (study(63), False),
        (study(variability=SttVariability()), False),
        (study(1000).with_(stack={**DEMO.stack.model_dump(), "reference_tilt": 0.1}), False),
    ],
    ids=["enough", "few", "no-spread", "counted"],
)
def test_a_pilot_is_run_where_there_may_be_a_tail(one, worth):
    assert importance.worth_a_pilot(one) is worth


def test_pilot_is_the_nominal_device_and_its_neighbours():
    table = importance.pilot_devices(study())
    relative = table[["damping", "resistance_area_product_ohm_m2"]] / [
        DEMO.stack.damping,
        DEMO.stack.resistance_area_product,
    ]
    expected = [[1, 1], [1.04, 1], [0.96, 1], [1, 1.05], [1, 0.95]]
    np.testing.assert_allclose(relative, expected, rtol=1e-12)


def made_up(one, slope, nominal, directions=("p_to_ap",)):
    """Samples of a pilot with ln WER = -nominal t + slope.x, t from 0 to 1 over the durations."""
    amplitudes, durations = one.sweep.amplitude.values(), one.sweep.duration.values()
    index = pd.MultiIndex.from_product(
        [range(5), directions, amplitudes, durations],
        names=["device", "direction", "amplitude_V", "duration_s"],
    )
    x = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    time = np.linspace(0.0, 1.0, len(durations))
    log_rate = (x @ slope)[:, None, None, None] - nominal * time
    shape = (5, len(directions), len(amplitudes), len(durations))
    rate = np.exp(np.broadcast_to(log_rate, shape))
    return pd.DataFrame({"write_error_rate": rate.ravel()}, index=index).reset_index()


def test_shift_follows_the_gradient():
    shift = importance.find_shift(study(), made_up(study(), np.array([1.8, -2.4]), 60.0))
    assert shift.directions.shape == (2, len(COLUMNS))  # one for each of two amplitudes
    np.testing.assert_allclose(shift.directions[:, [DAMPING, PRODUCT]], [[0.6, -0.8]] * 2, atol=1e-12)
    assert shift.reach.tolist() == [3.6, 3.6]


def test_reach_is_limited():
    shift = importance.find_shift(study(), made_up(study(), np.array([9.0, 0.0]), 60.0))
    assert shift.reach.tolist() == [8.0, 8.0]


@pytest.mark.parametrize(
    ("slope", "nominal"), [([0.5, 0.5], 60.0), ([2.0, 2.0], 13.0)], ids=["hardly any spread", "no tail"]
)
def test_plain_sampling_where_it_does(slope, nominal):
    assert importance.find_shift(study(), made_up(study(), np.array(slope), nominal)) is None


def test_last_digits_of_the_pilot_change_nothing():
    samples = made_up(study(), np.array([1.81, -2.42]), 60.0)
    first = importance.find_shift(study(), samples)
    noise = 1.0 + 1e-9 * np.random.default_rng(1).normal(size=len(samples))
    again = importance.find_shift(
        study(), samples.assign(write_error_rate=samples["write_error_rate"] * noise)
    )
    np.testing.assert_array_equal(first.directions, again.directions)
    np.testing.assert_array_equal(first.reach, again.reach)


def test_amplitude_that_failed_is_left_out():
    samples = made_up(study(), np.array([1.8, -2.4]), 60.0)
    samples.loc[(samples["device"] == 3) & (samples["amplitude_V"] == 0.6), "write_error_rate"] = np.nan
    assert len(importance.find_shift(study(), samples).reach) == 1
    assert importance.find_shift(study(), samples.assign(write_error_rate=np.nan)) is None


# ---- through the sweep ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with importance sampling; not to be changed."""
    path = tmp_path_factory.mktemp("importance") / "run"
    return run_sweep(study(), path, executor=InPlace())


def test_sweep_draws_weighted_devices(run):
    devices = RunDirectory.open(run).devices()
    assert devices["weight"].nunique() > 250
    assert devices["weight"].mean() == pytest.approx(1.0, abs=0.02)
    # Weak: the larger damping and resistance.
    assert devices["damping"].mean() > 1.03 * DEMO.stack.damping


@pytest.mark.parametrize("amplitude", [0.4, 0.6])
def test_population_error_rate_is_exact_to_a_tenth_of_a_decade(run, amplitude):
    # Fokker-Planck over the two normal distributions, by quadrature: nothing of sampling or circuit in it.
    surface = average_devices(run)
    exact = exact_population(study(), amplitude)
    shown = (exact > 1e-15) & (exact < 0.5)
    assert shown.sum() >= 5
    assert exact[shown].min() < 1e-12
    error = np.log10(surface.dataset["ber"].sel(amplitude=amplitude).to_numpy()[0] / exact)
    # Own measurement: within 0.014.
    assert np.abs(error[shown]).max() < 0.1


def test_few_devices_no_longer_carry_the_tail(run):
    surface = average_devices(run)
    data = surface.dataset.sel(direction="p_to_ap")
    tail = (data["ber"] > 1e-15) & (data["ber"] < 1e-9)
    assert int(tail.sum()) >= 2
    assert float(data["effective_devices"].where(tail).min()) > 40
    width = (data["ber_upper"] - data["ber_lower"]) / data["ber"]
    assert float(width.where(tail).max()) < 0.6  # own measurement: 0.30
    assert "importance sampling" in surface.dataset.attrs["sampling"]
    assert "Student" in surface.dataset.attrs["interval"]
    plain = Population(study()).draw()
    normal = (
        (plain["damping"] / DEMO.stack.damping - 1) / 0.04,
        (plain["resistance_area_product_ohm_m2"] / DEMO.stack.resistance_area_product - 1) / 0.05,
    )
    rate = device_rate(study(), 0.4, *(x.to_numpy() for x in normal))
    assert effective_number(rate, np.ones(len(rate)))[-1] < 20


@pytest.mark.slow
def test_demo_knows_its_tail_to_thirty_percent(tmp_path):
    # The goal is 2,000 devices at 1e-12; own measurement: 256 have widths below 0.27 on these pulses.
    numbers = {
        "amplitude": {"start": 0.7, "stop": 1.0, "points": 2},
        "duration": {"start": 8e-9, "stop": 32e-9, "points": 6},
        "devices": 256,
    }
    one = DEMO.with_(sweep=numbers)
    data = average_devices(run_sweep(one, tmp_path / "run", executor=InPlace())).dataset
    near = (data["ber"] > 1e-14) & (data["ber"] < 1e-10)
    assert set(np.nonzero(near.to_numpy())[0]) == {0, 1}  # in both directions
    width = ((data["ber_upper"] - data["ber_lower"]) / data["ber"]).where(near)
    assert float(width.max()) < 0.3
    assert float(data["effective_devices"].where(near).min()) > 80


def test_going_on_keeps_the_devices_that_are_there(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    before = pd.read_parquet(copy / "devices.parquet")
    marked = before.assign(weight=before["weight"] * 1.25)
    marked.to_parquet(copy / "devices.parquet", index=False)
    (copy / "sweep.json").unlink()  # it holds the checksum of what was there
    part = next((copy / "samples").iterdir())
    content = part.read_bytes()
    part.unlink()
    run_sweep(study(), copy, executor=InPlace())
    pd.testing.assert_frame_equal(pd.read_parquet(copy / "devices.parquet"), marked, check_exact=True)
    assert part.read_bytes() == content


@pytest.mark.slow
def test_number_of_workers_changes_nothing(tmp_path):
    one = study(64, directions=DIRECTIONS, duration={"start": 5e-9, "stop": 30e-9, "points": 2})
    here, there = (
        run_sweep(one, tmp_path / "here", executor=InPlace()),
        run_sweep(one, tmp_path / "there", workers=2),
    )
    devices = [RunDirectory.open(path).devices() for path in (here, there)]
    pd.testing.assert_frame_equal(*devices, check_exact=True)
    assert devices[0]["weight"].nunique() > 32
    pd.testing.assert_frame_equal(*(RunDirectory.open(path).samples() for path in (here, there)))


# ---- intervals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("varied", [[DAMPING], [DAMPING, PRODUCT]], ids=["one", "two"])
def test_intervals_cover_the_exact_error_rate(varied):
    # 500 repetitions of 256 devices: other seeds, same pilot. Their error rates come from a table of exact
    # ones by interpolation over the varied parameters, not from 500 sweeps. Binomial: with a true coverage of
    # 95 % fewer than 440 or more than 498 by chance at 4e-10; measured: 92 to 97 %.
    one = study()
    grid = np.linspace(-5.0, 5.0, 21)
    table = np.log(device_rate(one, 0.5, grid[:, None], grid[None, :]))
    x, w = np.polynomial.legendre.leggauss(200)
    x, w = 5.0 * x, w * norm.pdf(5.0 * x)
    w = w / w.sum()
    pulses = [2, 6, 9, 11]
    rates = [RectBivariateSpline(grid, grid, table[:, :, pulse]) for pulse in pulses]
    across = (x, w) if len(varied) == 2 else (np.zeros(1), np.ones(1))
    exact = np.array([w @ np.exp(rate(x, across[0])) @ across[1] for rate in rates])
    assert exact[0] > 0.1
    assert exact[-1] < 1e-11
    directions = np.zeros((2, len(COLUMNS)))
    directions[:, varied] = np.array([[0.8, 0.6], [0.6, 0.8]])[:, : len(varied)]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    shift = Shift(directions, np.array([2.5, 3.5]))
    covered = np.zeros(len(pulses))
    for seed in range(500):
        normal, weight = importance.draw(shift, varied, 256, seed)
        rate = np.exp(
            np.stack([one_rate.ev(normal[:, DAMPING], normal[:, PRODUCT]) for one_rate in rates], 1)
        )
        lower, upper = replicate_interval(rate, weight, np.arange(256) % 16)
        covered += (lower <= exact) & (exact <= upper)
    assert np.all((covered >= 440) & (covered <= 498)), covered
