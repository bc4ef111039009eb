"""The search for the cheapest pulse, what it says of a pulse, and the comparison of the levers."""

import numpy as np
import pytest
from conftest import analytic_energy, analytic_log_rate
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjchar.errors import InputError, OutsideGridError, UnreachableError
from mtjchar.plotting import surface_figures
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.grid import targets
from mtjchar.surfaces.levers import LEVER_RATES, compare_levers, lever_table
from mtjchar.surfaces.search import pulse_at

DIRECTIONS = ("p_to_ap", "ap_to_p")
TARGETS = (*DIRECTIONS, "both")
FINE = np.linspace(0.4, 1.2, 401)[:, None], np.geomspace(1e-9, 60e-9, 2001)


def energy_of(surface, target, amplitude, duration):
    """By definition: switching writes of a direction, all kinds of writes of both."""
    directions, kinds = (DIRECTIONS, (True, False)) if target == "both" else ((target,), (True,))
    return np.mean(
        [surface.energy(one, amplitude, duration, switching=kind) for one in directions for kind in kinds],
        axis=0,
    )


def rate_of(surface, target, amplitude, duration):
    directions = DIRECTIONS if target == "both" else (target,)
    return np.max([surface.ber(one, amplitude, duration) for one in directions], axis=0)


@pytest.fixture(scope="module")
def costly_edges(analytic_surface):
    """The analytic surface with an energy for each write on top: the optimum lies inside the grid."""
    dataset = analytic_surface.dataset.copy(deep=True)
    dataset["energy"] = dataset["energy"] + 2e-13 * dataset["amplitude"] ** 2 + 2e-13
    return WriteSurface(dataset)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("limits", [{}, {"max_amplitude": 0.731}, {"max_duration": 7.3e-9}])
@pytest.mark.parametrize("kind", ["analytic_surface", "costly_edges"])
def test_no_pulse_within_the_limits_is_cheaper(request, kind, target, limits):
    # Brute force over 0.8 million pulses, 2 mV and 0.2 % apart; 0.1 % is what is promised.
    surface = request.getfixturevalue(kind)
    rate, energy = rate_of(surface, target, *FINE), energy_of(surface, target, *FINE)
    allowed = (limits.get("max_amplitude", 2.0) >= FINE[0]) & (limits.get("max_duration", 1.0) >= FINE[1])
    for ber in (1e-12, 1e-7, 1e-3, 0.2):
        reaches = (rate <= ber) & allowed
        if not reaches.any():
            with pytest.raises(UnreachableError, match="The strongest allowed"):
                surface.cheapest_pulse(target, ber, **limits)
            continue
        found = surface.cheapest_pulse(target, ber, **limits)
        assert found.ber <= ber * (1.0 + 1e-9)
        assert found.amplitude_V <= limits.get("max_amplitude", 1.2)
        assert found.duration_s <= limits.get("max_duration", 60e-9)
        assert found.energy_J <= 1.001 * energy[reaches].min()
        at = found.amplitude_V, found.duration_s
        assert found.energy_J == pytest.approx(float(energy_of(surface, target, *at)), rel=1e-12)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.floats(0.45, 1.2), st.floats(2e-9, 60e-9), st.floats(-11.0, -1.0), st.sampled_from(TARGETS))
def test_a_wider_limit_never_costs_more(analytic_surface, highest, longest, log_ber, target):
    # 1e-6: the search ends 1/16^3 of a refined step from the optimum.
    try:
        tight = analytic_surface.cheapest_pulse(
            target, 10.0**log_ber, max_amplitude=highest, max_duration=longest
        )
    except UnreachableError:
        assert rate_of(analytic_surface, target, highest, longest) > 10.0**log_ber * (1.0 - 1e-9)
        return
    free = analytic_surface.cheapest_pulse(target, 10.0**log_ber)
    assert free.energy_J <= tight.energy_J * (1.0 + 1e-6)


def test_optimum_of_a_surface_that_has_a_closed_form(analytic_surface):
    # Far in the tail the made-up rate is exp(-(x - 2)), x = 2.5e9 (V - 0.3)(t - 0.4 ns), so that a BER b
    # needs t = 0.4 ns + c/(V - 0.3) with c = (2 - ln b)/2.5e9; V^2 t is least where
    # 2 (0.4 ns + c/(V - 0.3)) = V c/(V - 0.3)^2.
    c = (2.0 - np.log(1e-9)) / 2.5e9
    amplitude = np.linspace(0.31, 1.2, 1_000_001)
    duration = 0.4e-9 + c / (amplitude - 0.3)
    best = np.argmin(amplitude**2 * duration)
    assert 2.0 * duration[best] == pytest.approx(amplitude[best] * c / (amplitude[best] - 0.3) ** 2, rel=1e-4)
    found = analytic_surface.cheapest_pulse("p_to_ap", 1e-9)
    # What is left is the interpolation of the surface: 1 % in energy is what it promises.
    least = analytic_energy("p_to_ap", amplitude[best], duration[best], True)
    assert found.energy_J == pytest.approx(least, rel=0.01)
    assert found.amplitude_V == pytest.approx(amplitude[best], abs=0.03)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("amplitude", "duration"), [(0.8, 8e-9), (0.63, 5e-9), (1.1, 3.1e-9)])
def test_slopes_are_those_of_the_rate(analytic_surface, target, amplitude, duration):
    # Central differences of the closed form that the surface was made of; P to AP is the worse direction.
    worse = "ap_to_p" if target == "ap_to_p" else "p_to_ap"
    found = pulse_at(analytic_surface, target, amplitude, duration)
    by_amplitude = np.diff(analytic_log_rate(worse, amplitude + np.array([-1e-5, 1e-5]), duration)) / 2e-5
    by_duration = np.diff(analytic_log_rate(worse, amplitude, duration + np.array([-1e-14, 1e-14]))) / 2e-14
    # 5 %: the slope of what is interpolated to 0.1 decade, over two refined steps.
    assert found.ber_slope_per_V == pytest.approx(by_amplitude[0], rel=0.05)
    assert found.ber_slope_per_s == pytest.approx(by_duration[0], rel=0.05)


@pytest.mark.parametrize(("amplitude", "duration"), [(0.4, 1e-9), (1.2, 60e-9), (0.4, 60e-9)])
def test_slopes_at_the_corners_of_the_grid_are_one_sided(analytic_surface, amplitude, duration):
    found = pulse_at(analytic_surface, "p_to_ap", amplitude, duration)
    assert np.isfinite(found).all()
    assert found.ber_slope_per_V <= 0.0
    assert found.ber_slope_per_s <= 0.0


def test_interval_is_that_of_the_worse_direction(analytic_surface):
    # In the fixture the bounds are half and twice the rate, and P to AP is the worse direction.
    found = analytic_surface.cheapest_pulse("both", 1e-6)
    assert found.ber == pytest.approx(1e-6)
    assert found.ber_lower == pytest.approx(0.5e-6, rel=1e-6)
    assert found.ber_upper == pytest.approx(2e-6, rel=1e-6)
    assert not found.bound


@pytest.mark.parametrize(
    ("vary", "limits", "says"),
    [
        ("both", {"max_amplitude": 0.6, "max_duration": 3e-9}, r"0.6 V for 3 ns, has 0\.\d+\."),
        ("duration", {"max_duration": 3e-9}, r"No duration at 0.8 V reaches 1e-09. .* 3 ns, has 0\.\d+"),
        ("amplitude", {"max_amplitude": 0.5}, r"No amplitude for .* ns reaches 1e-09. .* 0.5 V, has \d"),
    ],
)
def test_out_of_reach_says_what_the_limits_do_reach(analytic_surface, vary, limits, says):
    with pytest.raises(UnreachableError, match=says):
        analytic_surface.cheapest_pulse("p_to_ap", 1e-9, vary=vary, **limits)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_amplitude": 0.39}, r"max_amplitude: got '0.39 V'; allowed: at least 0.4 V"),
        ({"max_duration": 1e-10}, r"max_duration: got '100 ps'; allowed: at least 1 ns"),
        ({"max_amplitude": float("nan")}, r"max_amplitude: got 'nan V'"),
    ],
)
def test_limits_that_leave_nothing_of_the_grid(analytic_surface, limits, says):
    with pytest.raises(OutsideGridError, match=says):
        analytic_surface.cheapest_pulse("p_to_ap", 1e-3, **limits)


@pytest.mark.parametrize(
    ("vary", "kept", "says"),
    [
        ("duration", {"max_amplitude": 0.7}, r"amplitude that is kept: got '0.8 V'; allowed: at most 0.7 V"),
        (
            "amplitude",
            {"duration": 9e-9, "max_duration": 8e-9},
            r"duration that is kept: got '9 ns'.* 8 ns",
        ),
    ],
)
def test_what_is_kept_has_to_be_within_the_limits(analytic_surface, vary, kept, says):
    with pytest.raises(InputError, match=says):
        analytic_surface.cheapest_pulse("p_to_ap", 1e-3, vary=vary, **kept)


def test_limits_beyond_the_grid_change_nothing(analytic_surface):
    wide = analytic_surface.cheapest_pulse("both", 1e-6, max_amplitude=5.0, max_duration=1.0)
    assert wide == analytic_surface.cheapest_pulse("both", 1e-6)


@pytest.mark.parametrize("target", TARGETS)
def test_levers(analytic_surface, target):
    table = compare_levers(analytic_surface, target, [1e-9, 1e-6, 1e-2])
    assert len(table) == 9
    energy = table.pivot(index="ber", columns="lever", values="energy_J")
    # By definition: the best of both is no dearer, and at 1e-9 shortening and lowering are the same pulse.
    assert (energy["both"] <= energy[["amplitude", "duration"]].min(axis=1) * (1.0 + 1e-9)).all()
    assert energy.loc[1e-9, "amplitude"] == pytest.approx(energy.loc[1e-9, "duration"], rel=1e-9)
    kept = table.groupby("lever")[["amplitude_V", "duration_s"]].nunique()
    assert kept.loc["duration", "amplitude_V"] == kept.loc["amplitude", "duration_s"] == 1
    np.testing.assert_allclose(table["pulse_ber"], table["ber"], rtol=1e-9)


def test_levers_out_of_reach_are_nan(analytic_surface):
    # To 12 ns the made-up rate at 0.8 V ends at exp(2 - 2.5 x 0.5 x 11.6) = 4e-6: no reliable pulse.
    short = WriteSurface(analytic_surface.dataset.sel(duration=slice(None, 12e-9)))
    table = compare_levers(short, "p_to_ap", [1e-9, 1e-2]).set_index(["lever", "ber"])["energy_J"]
    assert np.isnan(table[[("duration", 1e-9), ("amplitude", 1e-9), ("amplitude", 1e-2)]]).all()
    assert table[("duration", 1e-2)] > 0.0
    assert table[("both", 1e-9)] > 0.0


def test_levers_refuse_what_is_no_rate_or_direction(analytic_surface):
    with pytest.raises(InputError, match=r"ber: got 2.0"):
        compare_levers(analytic_surface, "p_to_ap", [1e-3, 2.0])
    with pytest.raises(InputError, match="direction: got 'up'"):
        compare_levers(analytic_surface, "up", [1e-3])


def test_lever_table_has_every_direction_there_is(analytic_surface):
    table = lever_table(analytic_surface)
    assert table["direction"].unique().tolist() == list(targets(analytic_surface)) == list(TARGETS)
    assert len(table) == 3 * 3 * len(LEVER_RATES)
    one = WriteSurface(analytic_surface.dataset.sel(direction=["ap_to_p"]))
    assert targets(one) == ("ap_to_p",)


@pytest.fixture(scope="module")
def counted(analytic_surface):
    """The analytic surface as 1e5 counted writes at each pulse would give it, without errors below 3e-5."""
    dataset = analytic_surface.dataset.drop_vars(["ber_quantile", "quantile"])
    errors = np.floor(1e5 * dataset["ber"] + 0.5).astype(int)
    # Three in 1e5: the 95 % bound of zero errors (rule of three).
    return WriteSurface(
        dataset.assign(
            trials=errors * 0 + 100_000,
            errors=errors,
            ber=(errors / 1e5).where(errors > 0, 3e-5),
            ber_lower=dataset["ber_lower"].where(errors > 0, 0.0),
            ber_upper=np.maximum(dataset["ber_upper"], 3e-5),
        )
    )


def test_where_no_error_was_counted_the_rate_is_a_bound(counted):
    amplitude, duration = counted.amplitudes, counted.durations
    without = counted.dataset["errors"].sel(direction="p_to_ap").to_numpy() == 0
    np.testing.assert_array_equal(counted.is_bound("p_to_ap", amplitude[:, None], duration), without)
    lower, upper = counted.ber_interval("p_to_ap", amplitude[:, None], duration)
    assert (lower[without] == 0.0).all()
    assert (lower[~without] > 0.0).all()
    assert (upper[without] >= 3e-5 * (1.0 - 1e-9)).all()


def test_between_a_rate_and_a_bound_is_a_bound(counted):
    without = counted.dataset["errors"].sel(direction="p_to_ap", amplitude=counted.amplitudes[5]) == 0
    k = int(np.argmax(without.to_numpy()))
    middle = counted.durations[k - 1 : k + 1].mean()
    at = counted.amplitudes[5], [counted.durations[k - 1], middle, counted.durations[k]]
    assert counted.is_bound("p_to_ap", *at).tolist() == [False, True, True]
    assert counted.ber_interval("p_to_ap", *at)[0][1] == 0.0


def test_a_surface_that_was_not_counted_has_bounds_only_below_what_is_verified(analytic_surface):
    rate = 10.0 ** analytic_log_rate("p_to_ap", *FINE)
    away = np.abs(np.log10(rate) + 18.0) > 0.5  # of the limit: between grid points it is interpolated
    below = analytic_surface.is_bound("p_to_ap", *FINE)
    np.testing.assert_array_equal(below[away], (rate < 1e-18)[away])
    assert below.any()
    np.testing.assert_array_equal(below, analytic_surface.is_extrapolated("p_to_ap", *FINE))
    lower, upper = analytic_surface.ber_interval("p_to_ap", *FINE)
    assert lower[below].max() == 0.0
    assert upper[below].min() == 1e-18


def test_a_pulse_on_a_bound_says_so(counted):
    assert pulse_at(counted, "both", 1.0, 30e-9).bound
    assert not counted.cheapest_pulse("both", 0.1).bound
    with pytest.raises(UnreachableError, match=r"has a rate below 3e-05 \(95 %\)"):
        counted.cheapest_pulse("both", 1e-9)


def test_device_quantile(analytic_surface):
    # In the fixture the 5 % quantile is a quarter of the rate, and the median the rate itself.
    rate = analytic_surface.ber("p_to_ap", 0.7, 6e-9)
    assert analytic_surface.device_ber("p_to_ap", 0.7, 6e-9) == pytest.approx(float(rate))
    weak = analytic_surface.device_ber("p_to_ap", 0.7, 6e-9, quantile=0.05)
    assert weak == pytest.approx(float(rate) / 4.0)
    with pytest.raises(InputError, match=r"quantile: got 0.9; allowed: 0.05 or 0.5"):
        analytic_surface.device_ber("p_to_ap", 0.7, 6e-9, quantile=0.9)


def test_device_quantile_of_a_surface_without(counted):
    with pytest.raises(InputError, match="no device quantiles"):
        counted.device_ber("p_to_ap", 0.7, 6e-9)


def test_counted_without_energies(counted, tmp_path):
    dataset = counted.dataset.copy(deep=True)
    dataset["energy"][0, 3, 4] = np.nan
    surface = WriteSurface(dataset)
    assert counted.knows_energy
    assert not surface.knows_energy
    assert np.isnan(surface.energy("p_to_ap", 0.8, [5e-9, 9e-9])).all()
    with pytest.raises(InputError, match="energy of the surface: got 'not known'"):
        surface.cheapest_pulse("p_to_ap", 0.1)
    found = surface.cheapest_pulse("p_to_ap", 0.1, vary="duration")
    assert found.ber == pytest.approx(0.1)
    assert np.isnan(found.energy_J)
    names = {path.stem for path in surface_figures(surface, tmp_path)}
    assert names == {"ber_map", "ber_against_duration", "ber_against_amplitude"}
