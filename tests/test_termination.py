"""Writes that end when the bit has switched, against the distribution of switching times."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from mtjchar.errors import InputError, OutsideGridError
from mtjchar.network.allocation import PulseTable
from mtjchar.network.termination import Detector, driven_time, terminated_energy, write_energy
from mtjchar.physics.fokker_planck import write_error_rate
from mtjchar.physics.passage import mean_passage_time, switching_time_quantile
from mtjchar.surfaces import WriteSurface

STABILITY = 45.0
UNIT = 0.5e-9  # s, the reduced time 1
VOLT = 2.0  # overdrive of 1 V
IDEAL = Detector(power_W=0.0, delay_s=0.0)
BEFORE, AFTER = 2e-5, 1.2e-5  # conductances of the cell, before and after switching, S
EDGE = 3e-15  # J, for each pulse


@pytest.fixture(scope="module")
def nominal():
    """Surface of one nominal device: Fokker-Planck error rates, and energies of two conductances."""
    directions = ["p_to_ap", "ap_to_p"]
    amplitude, duration = np.linspace(0.8, 2.0, 13), np.geomspace(0.2e-9, 40e-9, 60)
    rate = write_error_rate(VOLT * amplitude[:, None], STABILITY, duration / UNIT)
    rate = np.minimum.accumulate(np.maximum(rate, 1e-30), axis=1)
    # Analytic: mean time before switching within a pulse, by the trapezoidal rule on a fine grid.
    fine = np.geomspace(duration[0], duration[-1], 4001)
    survival = write_error_rate(VOLT * amplitude[:, None], STABILITY, fine / UNIT)
    steps = 0.5 * np.diff(fine) * (survival[:, 1:] + survival[:, :-1])
    until = duration[0] + np.concatenate([np.zeros((13, 1)), np.cumsum(steps, axis=1)], axis=1)
    before = np.stack([np.interp(duration, fine, row) for row in until])
    square = amplitude[:, None] ** 2
    energy = EDGE + square * (BEFORE * before + AFTER * (duration - before))
    redundant = EDGE + square * AFTER * duration
    dims = ("direction", "amplitude", "duration")
    values = {
        "ber": rate,
        "ber_lower": rate,
        "ber_upper": rate,
        "energy": energy,
        "redundant_energy": redundant,
    }
    return WriteSurface(
        xr.Dataset(
            {name: (dims, np.stack([one, one])) for name, one in values.items()},
            coords={"direction": directions, "amplitude": amplitude, "duration": duration},
            attrs={"nominal_amplitude_V": 1.0},
        )
    )


@pytest.mark.parametrize("amplitude", [0.8, 1.0, 1.25, 2.0])
def test_mean_time_is_that_of_passage(nominal, amplitude):
    # After 40 ns, 80 reduced times, all have switched. The mean passage time counts the first passage of
    # m_z = 0, the surface the side after relaxation: 1 % (test_passage.py). Interpolation adds below 1 %.
    mean = float(driven_time(nominal, "p_to_ap", amplitude, 40e-9)) / UNIT
    assert mean == pytest.approx(float(mean_passage_time(VOLT * amplitude, STABILITY)), rel=0.02)


@pytest.mark.parametrize(("amplitude", "share"), [(1.0, 0.1), (1.0, 0.9), (1.55, 0.5), (1.55, 0.99)])
def test_mean_time_of_pulses_that_end_before_all_have_switched(nominal, amplitude, share):
    # Analytic: the mean of min(t, T) over the distribution of switching times, for the pulse T by which
    # `share` of the writes have switched; the quantiles below by Gauss's rule.
    nodes, weights = np.polynomial.legendre.leggauss(16)
    shares = np.append(0.5 * share * (nodes + 1.0), share)
    *times, end = UNIT * switching_time_quantile(VOLT * amplitude, STABILITY, shares)
    expected = 0.5 * share * np.dot(weights, times) + (1.0 - share) * end
    assert float(driven_time(nominal, "p_to_ap", amplitude, end)) == pytest.approx(expected, rel=0.01)


def test_mean_time_is_the_integral_of_the_error_rate(nominal, analytic_surface):
    # Analytic: the mean of min(t, T) is the integral of the survival probability up to T. By scipy's quad.
    for surface in (nominal, analytic_surface):
        first = surface.durations[0]
        for amplitude in surface.amplitudes[[0, 5, -1]]:
            for end in (first, 2.3 * first, 11.0 * first, surface.durations[-1]):

                def survival(log_time, surface=surface, amplitude=amplitude):
                    return np.exp(log_time) * float(surface.ber("ap_to_p", amplitude, np.exp(log_time)))

                ends = np.log(first), np.log(min(end, surface.durations[-1] * (1 - 1e-12)))
                integral = quad(survival, *ends, limit=300, epsrel=1e-6)[0]
                time = float(driven_time(surface, "ap_to_p", amplitude, end))
                assert time == pytest.approx(first + integral, rel=1e-3)


def test_energy_is_that_of_the_two_conductances(nominal):
    # Analytic: edges, the conductance before switching until min(t, T), the one after it for the delay.
    for detector in (IDEAL, Detector(), Detector(power_W=3e-6, delay_s=1e-9)):
        for amplitude, end in ((1.0, 12e-9), (1.3, 8e-9), (2.0, 20e-9)):
            before = float(driven_time(nominal, "p_to_ap", amplitude, end))
            driven = min(before + detector.delay_s, end)
            expected = EDGE + amplitude**2 * (BEFORE * before + AFTER * (driven - before))
            expected += detector.power_W * driven
            energy = terminated_energy(nominal, "p_to_ap", amplitude, end, detector)
            assert float(energy) == pytest.approx(expected, rel=0.01)


def test_a_redundant_write_ends_after_the_delay(nominal):
    for delay in (0.0, 0.3e-9, 2e-9, 1.0):
        detector = Detector(power_W=5e-6, delay_s=delay)
        energy = terminated_energy(nominal, "ap_to_p", 1.2, 9e-9, detector, switching=False)
        driven = min(delay, 9e-9)
        # Analytic: as above. The slope of the interpolated energy is good for 1 %.
        assert float(energy) == pytest.approx(EDGE + (1.44 * AFTER + 5e-6) * driven, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.sampled_from(["p_to_ap", "ap_to_p"]), st.booleans())
def test_a_write_that_is_ended_costs_no_more_than_a_whole_one(
    nominal, analytic_surface, level, length, direction, switching
):
    for surface in (nominal, analytic_surface):
        amplitude = (1.0 - level) * surface.amplitudes[0] + level * surface.amplitudes[-1]
        duration = min(
            surface.durations[0] * (surface.durations[-1] / surface.durations[0]) ** length,
            surface.durations[-1],
        )
        pulse = direction, amplitude, duration
        whole = float(surface.energy(*pulse, switching=switching))
        ended = float(terminated_energy(surface, *pulse, IDEAL, switching=switching))
        late = float(terminated_energy(surface, *pulse, Detector(0.0, 1.0), switching=switching))
        assert 0.0 <= ended <= whole * (1.0 + 1e-9)
        assert late == pytest.approx(whole, rel=1e-9)
        assert (
            ended
            <= float(terminated_energy(surface, *pulse, Detector(0.0, 1e-10), switching=switching)) + 1e-24
        )
        # A detector takes its power for as long as the bit is driven, at most for the pulse.
        watched = float(terminated_energy(surface, *pulse, Detector(1e-5, 0.0), switching=switching))
        assert ended <= watched <= ended + 1e-5 * duration * (1.0 + 1e-9)


def test_the_shortest_pulse_is_a_whole_one(nominal, analytic_surface):
    for surface in (nominal, analytic_surface):
        pulse = "p_to_ap", surface.amplitudes, surface.durations[0]
        np.testing.assert_allclose(
            terminated_energy(surface, *pulse, IDEAL), surface.energy(*pulse), rtol=1e-9
        )


def test_shapes_broadcast_and_values_do_not_depend_on_their_company(analytic_surface):
    levels, ends = np.linspace(0.4, 1.2, 7)[:, None], np.geomspace(1e-9, 60e-9, 5)
    table = driven_time(analytic_surface, "p_to_ap", levels, ends)
    assert table.shape == (7, 5)
    single = driven_time(analytic_surface, "p_to_ap", levels[3, 0], ends[2])
    assert single.shape == ()
    assert float(single) == table[3, 2]
    assert (np.diff(table, axis=1) >= 0.0).all()
    assert (np.diff(table[:, 1:], axis=0) < 0.0).all()
    assert (table <= ends * (1.0 + 1e-12)).all()


def test_without_a_detector_a_write_lasts_to_the_end_of_the_pulse(analytic_surface):
    pulse = "p_to_ap", 0.8, 7e-9
    for switching in (True, False):
        assert write_energy(analytic_surface, *pulse, None, switching=switching) == analytic_surface.energy(
            *pulse, switching=switching
        )


def test_table_of_pulses_has_the_energies_of_ended_writes(analytic_surface):
    table, whole = PulseTable.of(analytic_surface, Detector()), PulseTable.of(analytic_surface)
    np.testing.assert_array_equal(table.duration_s, whole.duration_s)
    there = np.argwhere(np.isfinite(table.duration_s[1]))
    for rate, level in there[:: len(there) // 5]:
        pulse = "ap_to_p", table.amplitude_V[level], table.duration_s[1, rate, level]
        for energies, switching in ((table.switching_energy_J, True), (table.redundant_energy_J, False)):
            expected = terminated_energy(analytic_surface, *pulse, Detector(), switching=switching)
            assert energies[1, rate, level] == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("name", ["power_W", "delay_s"])
@pytest.mark.parametrize("value", [-1e-12, np.nan, np.inf])
def test_bad_detectors_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name} of the detector: got .*; allowed: finite, 0 [Ws] or more"):
        Detector(**{name: value})


@pytest.mark.parametrize("pulse", [(0.3, 5e-9), (0.8, 0.5e-9), (0.8, 100e-9)])
def test_pulses_outside_the_grid_are_refused(analytic_surface, pulse):
    with pytest.raises(OutsideGridError):
        driven_time(analytic_surface, "p_to_ap", *pulse)
