"""The closed model of a surface: its table of error rates, its fit, its intervals, its statements."""

import numpy as np
import pytest
import xarray as xr
from common import DEMO

from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.errors import InputError
from mtjchar.physics.fokker_planck import write_error_rate, write_statistics
from mtjchar.physics.rate_table import log_error_rate, log_error_rate_on_load_line
from mtjchar.surfaces import WriteSurface, average_devices
from mtjchar.surfaces.cell_current import SATURATING, SATURATING_TUNNELLING, TUNNELLING, fit_current
from mtjchar.surfaces.closed_model import fit_model
from mtjchar.surfaces.rate_model import Junction, Load, RateFit
from mtjchar.sweep.run import run_sweep

AMPLITUDES, DURATIONS = np.linspace(0.4, 1.2, 9), np.geomspace(1e-9, 60e-9, 21)
GRID = AMPLITUDES[:, None], DURATIONS[None, :]
LN10 = np.log(10.0)

# Parameters of the surface that is made from the model itself.
TRUE = np.array([45.0, 0.4, 1.2e-9, 0.1e-9, 0.04, -0.06, 0.8, 0.5])
NOISE = 0.03  # standard error of log10 BER
# Constant overdrive V/0.35 V of devices with Delta = 50 and a spread of the overdrive.
CRITICAL, STABILITY, RELAXATION, SPREAD = 0.35, 50.0, 1.1e-9, 0.05


def surface_of(log, width, energy=None, after=5e3, amplitudes=AMPLITUDES, durations=DURATIONS):
    """A surface of one direction from log10 BER, with 95 % intervals.

    A redundant write meets the resistance `after`, a switching one takes the same if its energy is not given.
    """
    redundant = amplitudes[:, None] ** 2 / after * durations + 1e-15
    energy = redundant if energy is None else energy
    dims, reach = ("direction", "amplitude", "duration"), 1.959964 * width
    return WriteSurface(
        xr.Dataset(
            {
                "ber": (dims, 10.0 ** log[None]),
                "ber_lower": (dims, 10.0 ** (log - reach)[None]),
                "ber_upper": (dims, 10.0 ** (log + reach)[None]),
                "energy": (dims, energy[None]),
                "redundant_energy": (dims, redundant[None]),
            },
            coords={"direction": ["p_to_ap"], "amplitude": amplitudes, "duration": durations},
        )
    )


def exact_log_ber(amplitude, duration):
    """Fokker-Planck for each device, quadrature over 31."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    overdrive = np.maximum(np.asarray(amplitude)[..., None] / CRITICAL * (1.0 + SPREAD * nodes), 0.0)
    rate = write_error_rate(overdrive, STABILITY, np.asarray(duration)[..., None] / RELAXATION)
    return np.log10(rate @ weights / weights.sum())


@pytest.fixture(scope="module")
def exact_model():
    return fit_model(surface_of(exact_log_ber(*GRID), 0.005))


@pytest.fixture(scope="module")
def own_log():
    rate = RateFit(TUNNELLING, TRUE, np.zeros((len(TRUE), len(TRUE))), None)
    return rate.log10_ber(*np.broadcast_arrays(*GRID))


def test_table_meets_the_equation():
    rng = np.random.default_rng(1)
    i, delta = rng.uniform(0.3, 4.0, (60, 1)), np.exp(rng.uniform(np.log(20), np.log(140), (60, 1)))
    # Times up to about 1e-20.
    tau = rng.uniform(0.0, 1.0, (60, 12)) * np.minimum(45.0 / (np.abs(i - 1.0) + 0.3), 60.0)
    exact = write_error_rate(i, delta, tau)
    shown = exact < 0.9999
    error = np.abs(log_error_rate(i, delta, tau) - np.log(exact))
    assert np.all((error < np.maximum(0.01, 1e-3 * np.abs(np.log(exact))))[shown])


def test_load_line_maps_to_a_constant_overdrive():
    rng = np.random.default_rng(2)
    i, change, delta = rng.uniform(0.6, 3.0, 60), rng.uniform(-0.4, 0.6, 60), rng.uniform(30.0, 70.0, 60)
    tau = rng.uniform(0.0, 25.0, (60, 12))
    exact = write_statistics(lambda z: i * (1.0 + 0.5 * change * (1.0 - z)), delta, tau).error_rate
    mapped = log_error_rate_on_load_line(*(values[:, None] for values in (i, change, delta)), tau)
    shown = (exact < 0.9999) & (exact > 1e-16)
    assert np.abs(mapped[shown] - np.log(exact[shown])).max() < 0.005 * LN10


@pytest.mark.parametrize(
    ("form", "shape"),
    [
        (TUNNELLING, [1.1, 0.4]),
        (SATURATING, [0.8, 2.0, 0.04, 0.1]),
        (SATURATING_TUNNELLING, [0.8, 2.0, 0.04, 0.1, 0.6, 0.5]),
    ],
)
def test_current_forms_are_found_again(form, shape):
    current = 2e-4 * form.current(AMPLITUDES, np.array(shape))
    fitted = fit_current(AMPLITUDES, current, np.full(len(AMPLITUDES), 1e-4))
    assert fitted(AMPLITUDES) == pytest.approx(current, rel=1e-3)


def test_junction_of_constant_resistance_is_a_special_case():
    shape = [0.8, 2.0, 0.04, 0.1]
    simple = SATURATING.current(AMPLITUDES, np.array(shape))
    both = SATURATING_TUNNELLING.current(AMPLITUDES, np.array([*shape, 0.0, 0.5]))
    assert both == pytest.approx(simple, rel=1e-12)


def test_parameters_come_back(own_log):
    # Normal noise: one of eight values beyond 6 standard errors by chance at 2e-8.
    noise = np.random.default_rng(3).normal(0.0, NOISE, own_log.shape)
    model = fit_model(surface_of(np.minimum(own_log + noise, 0.0), np.full_like(own_log, NOISE)))
    table = model.parameters("p_to_ap")
    assert table.attrs["form"] == "tunnelling"
    distance = (table["value"].to_numpy() - TRUE) / table["standard_error"].to_numpy()
    assert np.abs(distance).max() < 6.0
    assert np.all(np.diag(table["correlation"]) == pytest.approx(1.0))
    assert 0.3 < model.fits["p_to_ap"].reduced_chi_square < 2.0


def test_exact_surface_between_the_points(exact_model):
    rng = np.random.default_rng(4)
    amplitude, duration = rng.uniform(0.4, 1.2, 20), np.exp(rng.uniform(np.log(1e-9), np.log(60e-9), 20))
    exact = exact_log_ber(amplitude, duration)
    error = np.log10(exact_model.ber("p_to_ap", amplitude, duration)) - exact
    assert np.abs(error[exact > -12.0]).max() < 0.1


def test_exact_surface_outside_of_the_grid(exact_model):
    # Down to 1e-12 beyond either end of the amplitudes and of the durations.
    amplitude = np.array([1.3, 1.5, 1.5, 0.37, 0.37, 0.45, 0.5])
    duration = np.array([4e-9, 2e-9, 4e-9, 20e-9, 60e-9, 80e-9, 0.9e-9])
    exact = exact_log_ber(amplitude, duration)
    assert exact[exact > -12.0].min() < -5.0
    error = np.log10(exact_model.ber("p_to_ap", amplitude, duration)) - exact
    assert np.abs(error[exact > -12.0]).max() < 0.1


def test_interval_holds_the_exact_rate_and_grows_with_distance(exact_model):
    duration = np.array([60.0, 90.0, 150.0, 300.0, 600.0]) * 1e-9
    lower, upper = exact_model.ber_interval("p_to_ap", 0.4, duration)
    assert np.all(np.diff(np.log(upper / lower)) > 0.0)
    exact = 10.0 ** exact_log_ber(np.full(2, 0.4), duration[:2])
    assert np.all((lower[:2] <= exact) & (exact <= upper[:2]))
    lower, upper = exact_model.ber_interval("p_to_ap", np.array([1.2, 1.4, 1.7, 2.5]), 4e-9)
    assert np.all(np.diff(np.log(upper / lower)) > 0.0)


def two_states(amplitude, durations):
    """log10 BER and energy of a switching write at one amplitude: 5 kohm before it, 8 kohm after it."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)

    def conductance(z):
        return 0.5 * ((1.0 + z) / 5e3 + (1.0 - z) / 8e3)

    result = write_statistics(
        lambda z: amplitude / CRITICAL * (1.0 + SPREAD * nodes) * conductance(z) * 5e3,
        np.full(15, STABILITY),
        np.tile(durations / RELAXATION, (15, 1)),
        lambda z: amplitude**2 * conductance(z),
    )
    rate, energy = (np.tensordot(weights, each, 1) / weights.sum() for each in result[:2])
    return np.log10(rate), energy * RELAXATION + 1e-15


@pytest.mark.slow
def test_interval_of_the_energy_holds_the_exact_one_and_grows_with_distance():
    # Exact: Fokker-Planck for each device with its own load line, mean power over the density.
    log, energy = np.moveaxis([two_states(one, DURATIONS) for one in AMPLITUDES], 1, 0)
    model = fit_model(surface_of(log, 0.005, energy, after=8e3))
    # On the grid's amplitudes and up to half a width beyond: a 95 % interval is to hold nine in ten at least.
    rng = np.random.default_rng(5)
    held = []
    for amplitude, duration in zip(rng.uniform(0.3, 1.6, 40), rng.uniform(1e-9, 60e-9, 40), strict=True):
        exact = two_states(amplitude, np.array([duration]))[1][0]
        lower, upper = model.energy_interval("p_to_ap", amplitude, duration)
        held.append(lower <= exact <= upper)
        assert not 0.4 < amplitude < 1.2 or upper - lower < 0.025 * exact
    assert np.mean(held) >= 0.9
    lower, upper = model.energy_interval("p_to_ap", np.array([1.2, 1.4, 1.8, 2.5]), 4e-9, switching=False)
    assert np.all(np.diff((upper - lower) / (upper + lower)) > 0.0)


@pytest.mark.parametrize("switching", [True, False])
def test_energy_of_a_resistor(exact_model, switching):
    energy = exact_model.energy("p_to_ap", [0.5, 1.5], [7e-9, 100e-9], switching=switching)
    assert energy == pytest.approx([0.25 / 5e3 * 7e-9 + 1e-15, 2.25 / 5e3 * 100e-9 + 1e-15], rel=0.01)


def test_report_of_a_good_fit(exact_model):
    report = exact_model.report()
    assert "NOT GOOD ENOUGH" not in report
    assert "is off by more than 0.1 decade" in report
    assert "critical_voltage" in report


def test_misfit_is_stated_with_its_place(own_log):
    deformed = own_log.copy()
    deformed[4, 5:15] *= 1.3
    model = fit_model(surface_of(deformed, np.full_like(own_log, 0.03)))
    assert "NOT GOOD ENOUGH" in model.report()
    worst = np.abs(model.residuals("p_to_ap")["log10_ber"]).fillna(0.0)
    assert float(worst.max()) > 0.1
    place = worst.argmax(...)
    assert f"at {AMPLITUDES[int(place['amplitude'])]:.4g} V" in model.report()


def test_surface_without_energies(own_log):
    width = np.full_like(own_log, 0.03)
    model = fit_model(surface_of(own_log, width, energy=np.full_like(own_log, np.nan)))
    assert "energy: none in the surface" in model.report()
    with pytest.raises(InputError, match="a surface that holds energies"):
        model.energy("p_to_ap", 0.8, 5e-9)


@pytest.mark.parametrize("rows", [slice(0, 3), slice(0, 9)])
def test_too_few_points_are_refused(own_log, rows):
    columns = slice(None) if rows.stop == 3 else slice(0, 2)
    log = own_log[rows, columns]
    surface = surface_of(
        log, np.full_like(log, 0.03), amplitudes=AMPLITUDES[rows], durations=DURATIONS[columns]
    )
    with pytest.raises(InputError, match=r"points of p_to_ap with an error rate between 1e-15 and 0.9999"):
        fit_model(surface)


def test_no_point_in_range_is_refused(own_log):
    with pytest.raises(InputError, match="got '0 at 0 amplitudes'"):
        fit_model(surface_of(np.zeros_like(own_log), np.zeros_like(own_log)))


@pytest.mark.parametrize("answer", ["ber", "ber_interval", "energy"])
def test_wrong_questions_are_refused(exact_model, answer):
    ask = getattr(exact_model, answer)
    with pytest.raises(InputError, match="direction: got 'ap_to_p'"):
        ask("ap_to_p", 0.8, 5e-9)
    with pytest.raises(InputError, match=r"amplitude: got -0.8"):
        ask("p_to_ap", -0.8, 5e-9)
    with pytest.raises(InputError, match="duration: got nan"):
        ask("p_to_ap", 0.8, np.nan)


@pytest.mark.parametrize("answer", ["parameters", "residuals"])
def test_unknown_direction(exact_model, answer):
    with pytest.raises(InputError, match="direction: got 'up'"):
        getattr(exact_model, answer)("up")


@pytest.mark.parametrize(("start", "sign"), [(1.0, 1.0), (-1.0, -1.0)])
def test_a_torque_per_voltage_changes_with_the_voltage_of_the_junction(start, sign):
    # By hand: 4 kohm in P, twice that in AP whatever the bias, 2 kohm in series: V_P = V/1.5, V_AP = V/1.25.
    currents = {1.0: lambda volt: volt / 6e3, -1.0: lambda volt: volt / 10e3}
    junction = Junction(4e3, 1.0, 1e6, start)
    load = Load(currents[start], currents[-start], junction)
    volt = np.array([0.5, 1.0])
    expected = (1.5 / 1.25) ** sign - 1.0
    assert load.feedback(volt) == pytest.approx([expected, expected], rel=1e-6)
    # Per current it goes the other way.
    assert np.all(np.sign(load._replace(junction=None).feedback(volt)) == -np.sign(expected))


@pytest.mark.slow
def test_model_of_the_demo_has_its_stability_and_relaxation_time(tmp_path):
    # Another way: the nominal device, Delta 40.0 and t_D 1.30 ns, of which the model sees error rates and
    # energies alone. Without the voltage of the junction the stabilities are 34 and 56.
    study = DEMO.with_(sweep={"amplitude": {"points": 8}, "duration": {"points": 17}, "devices": 64})
    model = fit_model(average_devices(run_sweep(study, tmp_path / "run", workers=2)))
    for direction in DIRECTIONS:
        found = model.parameters(direction)
        assert found.sel(parameter="stability")["value"] == pytest.approx(40.0, rel=0.15)
        assert found.sel(parameter="relaxation_time")["value"] == pytest.approx(1.30e-9, rel=0.05)
