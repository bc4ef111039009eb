"""Back-hopping: a strong pulse destroys the bit that it has written."""

import json

import numpy as np
import pandas as pd
import pytest
from common import DEMO, InPlace
from conftest import analytic_log_rate

import mtjchar
from mtjchar.cells.stt.tables import SttVariability
from mtjchar.errors import InputError, UnreachableError
from mtjchar.export import Settings, export_surface
from mtjchar.export.tables import load_surface
from mtjchar.network.allocation import PulseTable
from mtjchar.network.termination import driven_time
from mtjchar.physics import back_hopping, long_pulses, rate_table, two_state
from mtjchar.study import Line, Pulse, Transistor
from mtjchar.study.load import read_written
from mtjchar.surfaces import WriteSurface, average_devices, fit_model, resample, rising, schema
from mtjchar.surfaces.search import Search, strongest_pulse
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep
from mtjchar.units import compact

DIRECTIONS = ("p_to_ap", "ap_to_p")


def test_without_back_hopping_the_error_rate_is_the_same_to_the_last_digit():
    logs = np.array([-np.inf, -700.0, -34.5, -1.0, -0.1, -1e-12, 0.0])
    assert np.array_equal(back_hopping.combined(logs, 0.0), logs)


def test_hops_invert_the_bit_like_a_markov_chain_of_two_states():
    # Another module's closed form: both rates equal, from rare hops to a random state.
    hops = np.geomspace(1e-18, 1e3, 43)
    flipped = two_state.flip_probabilities([1.0, 1.0], [0.0, 0.0], hops)[:, 0]
    assert back_hopping.loss_probability(-hops) == pytest.approx(flipped, rel=1e-12)
    assert back_hopping.loss_probability(-hops[0]) == pytest.approx(1e-18, rel=1e-12)
    assert back_hopping.loss_probability(-np.inf) == 0.5


def test_combination_is_exact_at_rates_near_0_and_near_1():
    # Equation 2 with E = 1e-15: to first order the rates add; of a write that nearly always fails, the
    # distance from 1 is multiplied by 1 - E.
    assert np.exp(back_hopping.combined(np.log(2e-15), -1e-15)) == pytest.approx(3e-15, rel=1e-9)
    assert back_hopping.combined(-1e-14, -np.inf) == pytest.approx(-0.5e-14, rel=1e-9)
    wer, hops = np.geomspace(1e-6, 0.999, 31)[:, None], np.geomspace(1e-6, 10.0, 29)
    by_hand = 1.0 - (1.0 - wer) * (1.0 - 0.5 * (1.0 - np.exp(-2.0 * hops)))
    assert np.exp(back_hopping.combined(np.log(wer), -hops)) == pytest.approx(by_hand, rel=1e-9)


def test_survival_falls_exponentially_with_the_rate_of_escape():
    # Equation 1 of long_pulses: below the critical current, far beyond t_D, -ln S is rate times time.
    times = np.array([1e4, 1e6])
    expected = long_pulses.decay_rate(0.6, 45.0) * times
    assert -back_hopping.log_survival(0.6, 45.0, times) == pytest.approx(expected, rel=2e-3)


def test_survival_far_above_the_critical_current_falls_as_the_linear_instability():
    # Butler et al., doi:10.1109/TMAG.2012.2209122: ln S falls at the rate 2 (i - 1).
    logs = back_hopping.log_survival(5.0, 60.0, np.array([3.0, 4.0]))
    assert logs[0] - logs[1] == pytest.approx(2.0 * (5.0 - 1.0), rel=0.02)


def test_a_table_gives_the_same_survival_for_fits():
    # The accuracy that rate_table promises in its docstring: 8 % of -ln S at overdrives from 0 to 1.
    i, tau = np.array([0.3, 0.6, 0.9])[:, None], np.array([5.0, 50.0])
    exact = back_hopping.log_survival(i, 50.0, tau)
    assert rate_table.log_error_rate(i, 50.0, tau) == pytest.approx(exact, rel=0.08)


def test_overdrives_beyond_the_solver_count_as_its_limit():
    beyond = back_hopping.log_survival([50.0, 80.0], 60.0, 0.05)
    assert beyond[0] == beyond[1] < 0.0


# Surfaces: the analytic one, with losses that grow with duration and amplitude.

FINE = np.linspace(0.4, 1.2, 401)[:, None], np.geomspace(1e-9, 60e-9, 601)


def log_survival(amplitude, duration):
    """Hops of a made-up layer: 1e-10 in 10 ns at 0.8 V, a decade more every 40 mV."""
    return -1e-10 * duration / 10e-9 * 10.0 ** ((amplitude - 0.8) / 0.04)


@pytest.fixture(scope="module", params=[("p_to_ap",), ("p_to_ap", "ap_to_p")], ids=" ".join)
def valley(request, analytic_surface):
    hopping = request.param
    dataset = analytic_surface.dataset.copy(deep=True)
    lost = log_survival(dataset["amplitude"].to_numpy()[:, None], dataset["duration"].to_numpy())
    for name in ("ber", "ber_lower", "ber_upper"):
        for k, direction in enumerate(analytic_surface.directions):
            if direction in hopping:
                dataset[name][k] = np.exp(back_hopping.combined(np.log(dataset[name][k].to_numpy()), lost))
    reasons = dict.fromkeys(hopping, "back-hopping")
    return WriteSurface(dataset.assign_attrs(rising.attributes(reasons)))


def directions_of(target):
    return DIRECTIONS if target == "both" else (target,)


def rates_of(surface, target, amplitude, duration):
    return np.max([surface.ber(one, amplitude, duration) for one in directions_of(target)], axis=0)


def test_interpolation_keeps_the_valley_and_other_directions_only_fall(valley):
    amplitude, duration = FINE
    exact = analytic_log_rate("p_to_ap", amplitude, duration) * np.log(10.0)
    exact = back_hopping.combined(exact, log_survival(amplitude, duration)) / np.log(10.0)
    rate = np.log10(valley.ber("p_to_ap", amplitude, duration))
    # 0.1 decade is promised without a valley. At its bottom two exponentials meet in a kink between points
    # that are 3 decades apart: there the rate may be too high. It is too low only at the corner below 1/2.
    shown, bottom = exact > -12.0, exact.min(axis=0)
    assert (rate - exact)[shown].min() > -0.2
    assert (rate - exact)[shown].max() < 0.8
    assert (rate - exact)[shown & (exact > bottom + 3.0)].max() < 0.1
    assert rate[-1, 300] > rate[200, 300] + 2.0
    falling = np.log10(valley.ber("ap_to_p", amplitude, duration))
    assert (np.diff(falling, axis=0) > 1e-9).any() == ("ap_to_p" in valley.rising)


@pytest.mark.parametrize("target", ["p_to_ap", "ap_to_p", "both"])
@pytest.mark.parametrize("limits", [{}, {"max_amplitude": 0.731}, {"max_duration": 17.3e-9}])
def test_cheapest_pulse_is_the_one_of_brute_force(valley, target, limits):
    # 240 000 pulses, 2 mV and 0.7 % apart; 0.1 % is what is promised.
    rate, kinds = rates_of(valley, target, *FINE), (True, False) if target == "both" else (True,)
    energy = np.mean(
        [valley.energy(one, *FINE, switching=kind) for one in directions_of(target) for kind in kinds], axis=0
    )
    allowed = (limits.get("max_amplitude", 2.0) >= FINE[0]) & (limits.get("max_duration", 1.0) >= FINE[1])
    found = 0
    for ber in (1e-11, 1e-9, 1e-7, 1e-3):
        reaches = (rate <= ber) & allowed
        if not reaches.any():
            continue
        pulse = valley.cheapest_pulse(target, ber, **limits)
        assert pulse.ber <= ber * (1.0 + 1e-9)
        assert pulse.energy_J <= energy[reaches].min() * 1.001
        found += 1
    assert found >= 2


@pytest.mark.parametrize("ber", [1e-7, 1e-5])
def test_a_pulse_stays_below_the_highest_amplitude(valley, ber):
    duration = 15e-9
    pulse = valley.cheapest_pulse("p_to_ap", ber, vary="amplitude", duration=duration)
    highest = Search.within([valley], "p_to_ap", ber).highest_amplitude(duration)
    # Lowest and highest amplitude that reach the rate, against a fine scan.
    scan = np.linspace(0.4, 1.2, 8001)
    reaching = scan[valley.ber("p_to_ap", scan, duration) <= ber]
    assert pulse.amplitude_V == pytest.approx(reaching[0], abs=2e-4)
    assert highest == pytest.approx(reaching[-1], abs=2e-4)
    assert highest < 1.1
    assert pulse.ber_slope_per_V < 0.0
    assert valley.ber("p_to_ap", highest + 1e-3, duration) > ber


def test_a_duration_is_the_shortest_one(valley):
    pulse = valley.cheapest_pulse("p_to_ap", 1e-8, vary="duration", amplitude=0.85)
    scan = np.geomspace(1e-9, 60e-9, 8001)
    reaching = scan[valley.ber("p_to_ap", 0.85, scan) <= 1e-8]
    assert pulse.duration_s == pytest.approx(reaching[0], rel=1e-3)
    assert reaching[-1] < 59e-9  # a longer pulse loses too many bits again


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"No pulse on the grid reaches 1e-17\. The lowest error rate, "),
        ({"vary": "amplitude", "duration": 9e-9}, r"No amplitude for 9 ns reaches 1e-17\."),
        ({"vary": "duration", "amplitude": 1.0}, r"No duration at 1 V reaches 1e-17\."),
    ],
)
def test_a_rate_below_the_floor_is_refused_with_the_floor(valley, options, words):
    with pytest.raises(UnreachableError, match=words) as refused:
        valley.cheapest_pulse("p_to_ap", 1e-17, **options)
    message = str(refused.value)
    assert "Stronger pulses have higher rates again: back-hopping." in message
    if options:
        # The floor that the message names is the lowest rate of a scan, at its pulse.
        fixed = options.get("amplitude", FINE[0][:, 0]), options.get("duration", FINE[1])
        rates = np.ravel(valley.ber("p_to_ap", *fixed))
        named = float(message.split("The lowest error rate, ")[1].split(", is")[0].split("   ")[0])
        assert named == pytest.approx(rates.min(), rel=0.2)


def test_where_the_grid_ends_before_the_valley_more_is_the_remedy(valley):
    with pytest.raises(UnreachableError, match=r"that of 0\.4727 V for 60 ns\. Allow stronger pulses"):
        valley.cheapest_pulse("p_to_ap", 1e-17, max_amplitude=0.474)


def test_beyond_the_grid_a_rate_that_may_rise_never_goes_on_falling(valley):
    low = WriteSurface(valley.dataset.isel(amplitude=slice(0, 4), duration=slice(0, 20)))
    edge = low.ber("p_to_ap", low.amplitudes[-1], low.durations[-1])
    beyond = low.ber("p_to_ap", [0.7, 0.8], low.durations[-1], extrapolate=True)
    assert (beyond == edge).all()
    assert low.ber("p_to_ap", low.amplitudes[-1], 60e-9, extrapolate=True) == edge
    # Where it rises at the edge, it goes on rising.
    high = valley.ber("p_to_ap", [1.2, 1.25], 10e-9, extrapolate=True)
    assert high[1] > 2.0 * high[0]


def test_files_and_tables_keep_the_valley(valley, tmp_path):
    valley.save(tmp_path / "surface.nc")
    loaded = WriteSurface.load(tmp_path / "surface.nc")
    assert loaded.rising == valley.rising
    assert loaded.rising_reason == "back-hopping"
    finer = resample(valley)
    assert finer.rising == valley.rising
    at = FINE[0], FINE[1][::10]
    assert finer.ber("p_to_ap", *at) == pytest.approx(valley.ber("p_to_ap", *at), rel=0.05)
    for format_ in ("csv", "json", "npz"):
        export_surface(valley, format_, tmp_path / f"surface.{format_}", Settings())
        assert load_surface(tmp_path / f"surface.{format_}").rising == valley.rising
    with pytest.raises(InputError, match="surface: attribute rising_directions"):
        schema.check(valley.dataset.assign_attrs(rising_directions="up"), "surface")


def test_the_closed_model_refuses_a_valley(valley):
    with pytest.raises(InputError, match=r"rise again in .*back-hopping"):
        fit_model(valley)


def test_terminated_writes_are_not_driven_longer_by_lost_bits(valley, analytic_surface):
    # A bit that is lost has switched before: its write has ended, as without back-hopping.
    there, without = (driven_time(one, "p_to_ap", 1.0, 40e-9) for one in (valley, analytic_surface))
    assert there == pytest.approx(without, rel=1e-3)
    # At 1.1 V already the shortest pulse loses 3e-4 of the bits: the time is an upper bound.
    there, without = (driven_time(one, "p_to_ap", 1.1, 60e-9) for one in (valley, analytic_surface))
    assert without < there < 1.1 * without


def test_a_memory_takes_pulses_below_the_highest_amplitude(valley):
    table = PulseTable.of(valley)
    k = int(np.searchsorted(table.rate, 1e-8))
    there = np.isfinite(table.duration_s[0, k])
    rate = valley.ber("p_to_ap", table.amplitude_V[there], table.duration_s[0, k, there])
    assert (rate <= table.rate[k] * (1.0 + 1e-9)).all()
    assert not there[-1]
    assert 0.8 < table.amplitude_V[there][-1] < 1.1


def test_the_worst_case_without_a_pulse_is_the_bottom_of_the_valley(valley):
    assert strongest_pulse([valley], "p_to_ap")[0] < 1.0


# From the study to the command line.

HOPPING = {"back_hopping_current_density": 1.6e11, "back_hopping_stability": 40.0}


def constant_current(**stack):
    """One device at a constant current V/R: ideal transistor, no TMR, edges and lines without delay."""
    line, transistor = Line(resistance=200.0, capacitance=0.0), Transistor(model="ideal", on_resistance=1e3)
    return DEMO.with_(
        stack={"tmr": 1e-6, "torque": "current", **stack},
        cell={"transistor": transistor, "bitline": line, "sourceline": line},
        pulse=Pulse(rise=1e-12, fall=1e-12),
        variability=SttVariability(),
        sweep={
            "amplitude": {"start": 0.4, "stop": 1.2, "points": 9},
            "duration": {"start": 2e-9, "stop": 30e-9, "points": 7},
            "devices": 1,
        },
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs without back-hopping, and with it from P to AP."""
    folder = tmp_path_factory.mktemp("back_hopping")
    studies = {
        "without": constant_current(),
        "with": constant_current(**HOPPING, back_hopping_direction="p_to_ap"),
    }
    for name, study in studies.items():
        run_sweep(study, folder / name, executor=InPlace())
        average_devices(folder / name)
    return folder


def test_a_sweep_loses_the_bits_of_the_formula_in_one_direction(runs):
    without, hopping = (mtjchar.Run(runs / name).samples for name in ("without", "with"))
    other = without["direction"] == "ap_to_p"
    assert other.sum() == 63
    pd.testing.assert_frame_equal(without[other], hopping[other])
    energies = ["energy_J", "redundant_energy_J"]
    pd.testing.assert_frame_equal(without[energies], hopping[energies])
    # Ohm's law, the area of the circle, and equations 1 and 2 of the module's docstring.
    before, after = without[~other], hopping[~other]
    device = mtjchar.Run(runs / "with").devices.iloc[0]
    current = after["amplitude_V"] / (device["parallel_resistance_ohm"] + 1000.0 + 2 * 200.0)
    overdrive = current / (1.6e11 * 0.25 * np.pi * 40e-9**2)
    survival = long_pulses.write_error_rate(
        overdrive, 40.0, after["duration_s"] / device["relaxation_time_s"]
    )
    expected = 1.0 - (1.0 - before["write_error_rate"]) * (1.0 - 0.5 * (1.0 - survival**2))
    np.testing.assert_allclose(after["write_error_rate"], expected, rtol=1e-4, atol=1e-14)
    assert after["write_error_rate"].iloc[-1] == pytest.approx(0.5, abs=1e-3)


def test_a_surface_of_a_run_knows_where_rates_rise(runs):
    without, hopping = (WriteSurface.of_run(runs / name) for name in ("without", "with"))
    assert (without.rising, hopping.rising, hopping.rising_reason) == ((), ("p_to_ap",), "back-hopping")
    assert "rising_directions" not in without.dataset.attrs
    rate = hopping.ber("p_to_ap", hopping.amplitudes, 5e-9)
    assert 0 < np.argmin(rate) < len(rate) - 1


def test_pulse_says_the_highest_amplitude_and_the_floor(runs, call):
    surface = WriteSurface.of_run(runs / "with")
    asked = "pulse", runs / "with", "--direction", "p_to_ap", "--ber"
    code, out, _ = call(*asked, "1e-3", "--json")
    answer = json.loads(out)
    assert code == 0
    at = answer["highest_amplitude_V"], answer["duration_s"]
    assert surface.ber("p_to_ap", *at) == pytest.approx(1e-3, rel=1e-6)
    assert answer["amplitude_V"] < at[0] < 1.2
    code, out, _ = call(*asked, "1e-3")
    assert f"highest amplitude {compact(at[0], 'V', 4)} (back-hopping)" in " ".join(out.split())
    # At the end of the grid every pulse fails less often than 0.6 (after many hops: 1/2).
    assert "highest amplitude 1.2 V (or more)" in " ".join(call(*asked, "0.6")[1].split())
    code, _, err = call(*asked, "1e-17")
    assert code == 1
    assert "higher rates again: back-hopping" in " ".join(err.split())
    floor = surface.dataset["ber"].sel(direction="p_to_ap").min()
    assert f"The lowest error rate, {float(floor):.3g}," in " ".join(err.split())
    # The other direction answers as without back-hopping.
    own, other = (
        json.loads(call("pulse", runs / name, "--direction", "ap_to_p", "--ber", "1e-6", "--json")[1])
        for name in ("with", "without")
    )
    assert own == other
    assert "highest_amplitude_V" not in own


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        (
            {"back_hopping_current_density": 1e11},
            r"back_hopping_stability.*back_hopping_current_density is given",
        ),
        ({"back_hopping_stability": 40.0}, r"back_hopping_current_density.*back_hopping_stability is given"),
        ({"back_hopping_direction": "p_to_ap"}, r"back_hopping_direction.*none without"),
        ({**HOPPING, "reference_tilt": 0.1}, r"back_hopping_current_density.*counted.*reference_tilt"),
        ({**HOPPING, "back_hopping_stability": 5.0}, r"back_hopping_stability.*10"),
    ],
)
def test_keys_that_do_not_fit_are_refused_by_name(stack, words):
    with pytest.raises(InputError, match=f"(?s){words}"):
        DEMO.with_(stack=stack)


def test_a_study_without_back_hopping_is_written_as_before():
    assert "back_hopping" not in DEMO.to_toml()
    study = DEMO.with_(stack=HOPPING)
    assert study.stack.back_hopping_direction == "both"
    assert read_written(study.to_toml(), "study") == study


def test_the_stability_of_the_hopping_layer_falls_with_the_temperature():
    hot = DEMO.with_(stack=HOPPING, cell={"temperature": 360.0})
    device = Population(hot).nominal().iloc[0]
    assert device["back_hopping_stability"] == pytest.approx(40.0 * 300.0 / 360.0)
    assert device["back_hopping_current_A"] == pytest.approx(1.6e11 * 0.25 * np.pi * 40e-9**2)


@pytest.mark.parametrize("format_", ["verilog-a-model", "spice-model"])
def test_an_exported_junction_has_a_fixed_reference_layer_and_is_refused(
    characterized_surface, tmp_path, format_
):
    study = DEMO.with_(stack=HOPPING)
    surface = WriteSurface(characterized_surface.dataset.assign_attrs(study=study.to_toml()))
    with pytest.raises(InputError, match=r"stack\.back_hopping_current_density"):
        export_surface(surface, format_, tmp_path / "model.x", Settings())
