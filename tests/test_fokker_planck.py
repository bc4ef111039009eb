"""The solver marches the adjoint equation in artanh(z); the reference here does everything otherwise.

Reference: the density itself, in finite volumes over the polar angle with exponentially fitted fluxes (they
keep Boltzmann's distribution exactly), second order; two grids extrapolated by Richardson; time by LSODA.
What remains of its error, judged from the two grids, is below 3e-5. After the pulse it follows the density
for a while without drive instead of using a committor; from Delta = 20 up this makes no difference above
1e-7 of absolute error rate, the thermal escape in that time. Below Delta = 12 "the well it relaxes into" is
no sharp notion any more: the same comparison is off by 3 % at Delta = 5 and 0.3 % at 8 for error rates near
1, and has no meaning for small ones.
"""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.integrate import cumulative_simpson, solve_ivp

from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck
from mtjchar.physics.fokker_planck import write_error_rate, write_statistics

RELAXATION = (
    6.0  # t_D: motion towards the wells has died out by exp(-6) or more, at Delta = 20 nothing escapes
)


def bernoulli(x):
    small = np.abs(x) < 1e-6
    return np.where(small, 1 - x / 2, x / np.expm1(np.where(small, 1.0, x)))


class Density:
    """Finite volumes for the density equation of design section 5."""

    def __init__(self, stability, cells, field=0.0):
        edge = -np.cos(np.linspace(0, np.pi, cells + 1))
        self.z, self.width, self.stability = (edge[1:] + edge[:-1]) / 2, np.diff(edge), stability
        self.edge, self.distance, self.field = edge[1:-1], np.diff(self.z), field
        depth = 1 - self.z**2 + 2 * field * (1 - self.z)
        density = np.where(self.z > -field, np.exp(-stability * depth), 0)
        self.initial = density / (density @ self.width)

    def march(self, overdrive, density, times):
        diffusion = (1 - self.edge**2) / (2 * self.stability) / self.distance
        drift = overdrive(self.edge) - self.field - self.edge
        peclet = -2 * self.stability * drift * self.distance
        right, left = diffusion * bernoulli(-peclet), diffusion * bernoulli(peclet)

        def rate(_, rho):
            change, flux = np.zeros_like(rho), right * rho[:-1] - left * rho[1:]
            change[:-1] -= flux
            change[1:] += flux
            return change / self.width

        bands = np.zeros((3, len(density)))
        bands[0, 1:], bands[2, :-1] = left / self.width[:-1], right / self.width[1:]
        bands[1, :-1] -= right / self.width[:-1]
        bands[1, 1:] -= left / self.width[1:]
        solution = solve_ivp(
            rate,
            (0, times[-1]),
            density,
            method="LSODA",
            t_eval=times,
            jac=lambda *_: bands,
            lband=1,
            uband=1,
            rtol=1e-8,
            atol=1e-16,
        )
        assert solution.success
        return solution.y

    def error_rates(self, overdrive, times):
        return self.after_pulse([], overdrive, times, [])

    def after_pulse(self, rise, overdrive, times, fall):
        start, final = self.initial, [(np.zeros_like, RELAXATION)]
        for drive, time in rise:
            start = self.march(drive, start, np.array([time]))[:, 0]
        rates = []
        for rho in self.march(overdrive, start, times).T:
            for drive, time in [*fall, *final]:
                rho = self.march(drive, rho, np.array([time]))[:, 0]
            rates.append((rho * self.width)[self.z > -self.field].sum())
        return np.array(rates)

    def integrals(self, overdrive, observable, times):
        fine = np.unique(np.concatenate([np.linspace(0, times[-1], 601), times]))
        mean = (observable(self.z) * self.width) @ self.march(overdrive, self.initial, fine)
        return np.interp(times, fine, cumulative_simpson(mean, x=fine, initial=0))


def extrapolated(value, stability, *arguments, field=0.0):
    coarse, fine = (getattr(Density(stability, cells, field), value)(*arguments) for cells in (600, 1200))
    return (4 * fine - coarse) / 3


# Delta, i(z) = a + b z, durations: rates from 0.99 to 1e-6, torque asymmetry and load lines, either way.
CASES = [
    (20.0, 1.5, 0.0, [1.0, 3.0, 6.0]),
    (30.0, 3.0, 0.0, [0.5, 1.0, 3.0]),
    (30.0, 4.0, -1.0, [0.5, 2.0, 4.0]),
    (25.0, 0.8, 0.2, [3.0, 6.0, 12.0]),
    (40.0, 2.0, 0.5, [1.0, 4.0, 6.0]),
    (40.0, 2.0, -0.5, [3.0, 8.0, 12.0]),
    (60.0, 1.5, 0.0, [3.0, 9.0, 14.0]),
    (60.0, 8.0, 0.0, [0.3, 0.8, 1.2]),
    (120.0, 2.0, 0.0, [2.0, 5.0, 8.0]),
]
DELTA, A, B = (np.array(column) for column in list(zip(*CASES, strict=True))[:3])
TIMES = np.array([case[3] for case in CASES])


def linear(z):
    return A + B * z


@pytest.fixture(scope="module")
def statistics():
    return write_statistics(linear, DELTA, TIMES, observable=lambda z: 2.0 - z)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_error_rate_against_the_density(case, statistics):
    # Reference in this file. Measured: within 2e-4 (the time step; highest at 3e-4 from i = 3 up).
    expected = extrapolated("error_rates", DELTA[case], lambda z: A[case] + B[case] * z, TIMES[case])
    assert expected.min() > 5e-7  # well above what the reference leaves to thermal escape, except at 1e-3
    np.testing.assert_allclose(statistics.error_rate[case], expected, rtol=4e-4)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_integral_against_the_density(case, statistics):
    # Reference in this file; Delta = 120 is where a grid cut short of the well shows, at 1e-2.
    arguments = (lambda z: A[case] + B[case] * z, lambda z: 2.0 - z, TIMES[case])
    expected = extrapolated("integrals", DELTA[case], *arguments)
    np.testing.assert_allclose(statistics.integral[case], expected, rtol=1e-4)


@pytest.mark.parametrize(("stability", "field"), [(40.0, 0.0), (40.0, 0.25), (60.0, -0.3)])
def test_edges_and_field_against_the_density(stability, field):
    # Reference in this file; edges of two stages each, drives that depend on z. The edges change the rates by
    # factors of 2 to 20, what leaving one of them out would show.
    times = np.array([0.5, 2.0, 3.5])
    rise, fall = [(0.8, 0.1), (2.4, 0.15)], [(1.9, 0.2), (0.7, 0.1)]

    def drive(size):
        return lambda z: size * (1.0 + 0.1 * z)

    edges = [
        [fokker_planck.Stage(drive(size), np.array([time])) for size, time in edge] for edge in (rise, fall)
    ]
    got = write_statistics(
        drive(3.0), [stability], times[None], field=field, rise=edges[0], fall=edges[1]
    ).error_rate[0]
    reference = [[(drive(size), time) for size, time in edge] for edge in (rise, fall)]
    arguments = (reference[0], drive(3.0), times, reference[1])
    expected = extrapolated("after_pulse", stability, *arguments, field=field)
    np.testing.assert_allclose(got, expected, rtol=5e-4)
    plain = write_statistics(drive(3.0), [stability], times[None], field=field).error_rate[0]
    assert np.all(plain[1:] > 1.5 * got[1:])


def test_the_observable_is_averaged_over_what_the_rise_has_left():
    # Reference in this file.
    times, rise = np.array([0.2, 1.0, 3.0]), [(1.5, 0.3), (3.0, 0.5)]
    stages = [fokker_planck.Stage(lambda z, i=i: i + 0 * z, np.array([time])) for i, time in rise]
    got = write_statistics(lambda z: 4 + 0 * z, [40.0], times[None], lambda z: z, rise=stages).integral[0]
    expected = []
    for cells in (600, 1200):
        density = Density(40.0, cells)
        for i, time in rise:
            density.initial = density.march(lambda z, i=i: i + 0 * z, density.initial, np.array([time]))[:, 0]
        expected.append(density.integrals(lambda z: 4 + 0 * z, lambda z: z, times))
    np.testing.assert_allclose(got, (4 * expected[1] - expected[0]) / 3, rtol=2e-4)


def test_integral_at_the_highest_stability():
    # Reference in this file, long after switching: the mean stays within the lower well.
    times = np.array([2.0, 5.0])
    got = write_statistics(lambda z: 3 + 0 * z, [250.0], times[None], observable=lambda z: z).integral[0]
    expected = extrapolated("integrals", 250.0, lambda z: 3 + 0 * z, lambda z: z, times)
    np.testing.assert_allclose(got, expected, atol=3e-4)


def test_published_check_values():
    # Design section 5, converged to four digits: Delta = 60, i = 1.5.
    got = write_error_rate(1.5, 60.0, [5.0, 10.0, 20.0])
    np.testing.assert_allclose(got, [0.11543, 6.466e-4, 1.8893e-8], rtol=1e-3)


def test_thermally_activated_decay_follows_kramers():
    # Analytic: W. F. Brown, Phys. Rev. 130, 1677 (1963), high barriers: the rate in reduced time is
    # (1 - i^2)(1 - i) sqrt(Delta/pi) exp(-Delta (1 - i)^2), asymptotic in 1/barrier; below it by about
    # 1/barrier (barriers of 9.8, 14.7 and 7.5 kT here, measured 10 %, 6 % and 14 %).
    i, delta = np.array([0.3, 0.3, 0.5]), np.array([20.0, 30.0, 30.0])
    barrier = delta * (1 - i) ** 2
    kramers = (1 - i**2) * (1 - i) * np.sqrt(delta / np.pi) * np.exp(-barrier)
    early, late = write_error_rate(i[:, None], delta[:, None], [15.0, 30.0]).T
    ratio = np.log(early / late) / 15.0 / kramers
    assert np.all(np.abs(ratio - (1 - 1 / barrier)) < 0.3 / barrier)


def test_no_pulse_leaves_the_state():
    # Analytic: q(tau = 0) is 1 in the well. What a committor leaves over is of order exp(-Delta).
    delta = np.array([12.0, 20.0, 60.0, 250.0])
    assert np.all(1 - write_error_rate(2.0, delta, 0.0) < 20 * np.exp(-delta) * delta + 1e-14)


def test_holding_current_keeps_the_state():
    # Analytic: escape over (1 - i)^2 Delta, below 1e-50 at i = -3, Delta = 40. Rounding stays: the rows of
    # the generator, up to 1e5 in size, sum to 0 within 1e-11; there are 8 solves a step and 15 steps.
    assert write_error_rate(-3.0, 40.0, 3.0) == pytest.approx(1.0, abs=1e-8)


drives, stabilities = st.floats(0.3, 4.0), st.floats(12.0, 80.0)


@settings(deadline=None, max_examples=4, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.tuples(drives, stabilities), min_size=1, max_size=20))
def test_longer_pulses_fail_less_often(devices):
    i, delta = np.array(devices).T[..., None]
    rate = write_error_rate(i, delta, np.linspace(0, 3, 31))
    assert np.all((rate >= 0) & (rate <= 1))
    assert np.all(np.diff(rate, axis=1) <= 1e-6)  # measured: 2e-9


@settings(deadline=None, max_examples=4, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(st.lists(stabilities, min_size=1, max_size=4))
def test_stronger_pulses_fail_less_often(delta):
    i = np.linspace(0.3, 6, 8)[:, None, None]
    rate = write_error_rate(i, np.array(delta)[:, None], [0.5, 1.0, 2.0])
    assert np.all(np.diff(rate, axis=0) <= 1e-6)  # measured: 2e-9


def test_shape_is_what_the_arguments_broadcast_to():
    i, delta, tau = np.linspace(1, 3, 3)[:, None, None], np.array([[30.0], [40.0]]), np.linspace(0, 1, 4)
    rate = write_error_rate(i, delta, tau)
    assert rate.shape == (3, 2, 4)
    assert write_error_rate(1.5, 40.0, 0.5).shape == ()
    assert write_error_rate(1.5, 40.0, []).shape == (0,)
    assert write_error_rate(np.ones((0, 3)), 40.0, 1.0).shape == (0, 3)
    # Regression of the order: repeated and permuted elements get what each gets by itself.
    mixed = write_error_rate([3.0, 1.0, 3.0, 2.0], [40.0, 30.0, 40.0, 30.0], [1 / 3, 1.0, 1.0, 0.0])
    expected = [rate[2, 1, 1], rate[0, 0, 3], rate[2, 1, 3], rate[1, 0, 0]]
    np.testing.assert_allclose(mixed, expected, rtol=1e-4)


def test_a_device_gets_the_same_in_a_batch_and_alone():
    # The batch shares the number of grid points, the step is each device's own: equal but for the grid.
    i, delta, tau = np.array([1.5, 3.0, 0.5]), np.array([40.0, 90.0, 25.0]), np.array([[4.0], [1.5], [2.0]])
    batch = write_statistics(lambda z: i + 0 * z, delta, tau, lambda z: 1 + z)
    for k in range(3):
        one = slice(k, k + 1)
        alone = write_statistics(lambda z, k=k: i[k] + 0 * z, delta[one], tau[one], lambda z: 1 + z)
        np.testing.assert_allclose(alone.error_rate[0], batch.error_rate[k], rtol=1e-4)
        np.testing.assert_allclose(alone.integral[0], batch.integral[k], rtol=1e-4)


def test_the_observable_does_not_change_the_error_rate():
    # It widens the grid down to the lower well where Delta is above 80.
    tau = np.full((3, 1), 3.0)
    delta = np.array([20.0, 100.0, 250.0])
    plain = write_statistics(lambda z: 2 + 0 * z, delta, tau)
    both = write_statistics(lambda z: 2 + 0 * z, delta, tau, lambda z: z)
    np.testing.assert_allclose(both.error_rate, plain.error_rate, rtol=2e-5)
    assert np.all(plain.integral == 0)


def test_steps_that_a_device_is_not_marched_to_have_no_part(monkeypatch):
    # What memory held before must not matter: here numbers whose sums overflow.
    def hostile(shape, dtype=float, **_):
        return np.full(shape, 1e307, dtype)

    delta, tau = np.array([40.0, 40.0]), np.array([[0.5, 1.0], [20.0, 40.0]])
    expected = write_statistics(lambda z: 3 + 0 * z, delta, tau, lambda z: 1 + z)
    with monkeypatch.context() as patch:
        patch.setattr(np, "empty", hostile)
        got = write_statistics(lambda z: 3 + 0 * z, delta, tau, lambda z: 1 + z)
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_constant_observable_integrates_to_the_duration():
    # Analytic; 20 t_D lie beyond the end of the march for the fastest device.
    tau = np.array([[0.0, 0.3, 2.0, 5.0]] * 3)
    delta, i = np.array([10.0, 60.0, 120.0]), np.array([8.0, 2.0, 4.0])
    got = write_statistics(lambda z: i + 0 * z, delta, tau, lambda z: 3.0 + 0 * z).integral
    np.testing.assert_allclose(got, 3.0 * tau, rtol=1e-6, atol=1e-12)


def test_after_switching_the_magnetization_rests_in_the_lower_well():
    # Analytic, Boltzmann's distribution at z = -1: with a = 1/(2 Delta (1 + i)), x = 1 + z is distributed as
    # exp(-x/a + Delta x^2), <x> = a + 4 Delta a^3 + .... The solver's grid ends 0.2/Delta above the floor,
    # which costs 7e-5 at Delta = 20 (measured).
    delta, i = np.array([20.0, 60.0, 150.0]), 4.0
    got = write_statistics(lambda z: i + 0 * z, delta, np.array([[4.0, 5.0]] * 3), lambda z: z).integral
    a = 0.5 / (delta * (1 + i))
    np.testing.assert_allclose(np.diff(got)[:, 0], -1 + a + 4 * delta * a**3, atol=1e-4)


def test_tail_goes_on_exponentially():
    # Analytic: one slowest mode is left, log(WER) is linear in tau; its slope is the one before the end, read
    # over one step at 1e-16, where rounding shows: measured 0.2 % off.
    tau = np.array([10.0, 12.0, 14.0, 20.0, 26.0, 32.0, 60.0])
    rate = write_error_rate(3.0, 40.0, tau)
    assert np.all(rate > 0)
    assert rate[-1] < 1e-80
    slopes = np.diff(np.log(rate)) / np.diff(tau)
    resolved = np.diff(np.log(write_error_rate(3.0, 40.0, [6.0, 8.0])))[0] / 2
    np.testing.assert_allclose(slopes, resolved, rtol=5e-3)
    np.testing.assert_allclose(slopes[2:], slopes[1], rtol=1e-9)
    # Analytic: near z = 1 the motion leaves as exp(2 (i - 1) tau), and that rate survives thermal noise.
    assert resolved == pytest.approx(-4.0, rel=0.01)


@pytest.mark.parametrize(
    ("thing", "arguments", "value"),
    [
        ("overdrive", (51.0, 40.0, 1.0), "51"),
        ("overdrive", (-51.0, 40.0, 1.0), "51"),
        ("overdrive", (np.nan, 40.0, 1.0), "nan"),
        ("overdrive", ([1.0, np.inf], 40.0, 1.0), "inf"),
        ("stability", (1.0, 4.9, 1.0), "4.9"),
        ("stability", (1.0, [40.0, 251.0], 1.0), "251"),
        ("stability", (1.0, np.nan, 1.0), "nan"),
        ("reduced_time", (1.0, 40.0, -0.1), "-0.1"),
        ("reduced_time", (1.0, 40.0, [1.0, np.inf]), "inf"),
        ("reduced_time", (1.0, 40.0, np.nan), "nan"),
    ],
)
def test_values_out_of_range_are_refused_by_name(thing, arguments, value):
    with pytest.raises(InputError) as caught:
        write_error_rate(*arguments)
    assert caught.value.thing == thing
    assert value in str(caught.value)
    limits = {"overdrive": "50", "stability": "5 to 250", "reduced_time": "0 to 3000"}
    assert limits[thing] in caught.value.allowed


def test_limits_themselves_are_allowed():
    low, high = fokker_planck.STABILITY_RANGE
    rate = write_error_rate([fokker_planck.OVERDRIVE_LIMIT, 1.0, 1.0], [40.0, low, high], [0.02, 0.1, 0.1])
    assert np.all((rate > 0.5) & (rate <= 1.0))


@pytest.mark.parametrize("delta", [20.0, 30.0, 60.0, 120.0])
def test_tail_decays_with_the_leading_eigenvalue(delta):
    # Analytic: near z = 1 the adjoint operator has the eigenfunction exp(-2 Delta (i - 1)(1 - z)) with the
    # eigenvalue -2 (i - 1), -4 here; what comes back over the barrier is below 1e-90.
    rate = write_error_rate(3.0, delta, np.linspace(4.0, 9.0, 11))
    assert rate[-1] < 1e-13
    np.testing.assert_allclose(np.diff(np.log(rate)), -2.0, rtol=5e-3)


def test_low_barriers_leave_no_floor():
    # Analytic: the tail's rate near z = 1 is 2 (i(1) - 1) = 3.4, lowered by 1 % by noise here. What comes
    # back out of the other well, some exp(-20), belongs to retention and not to the write.
    delta, tau = np.array([20.0, 21.0, 23.0]), np.array([[10.0, 30.0, 60.0]] * 3)
    rate = write_statistics(lambda z: 2.2 + 0.5 * z + 0 * delta, delta, tau, lambda z: z).error_rate
    np.testing.assert_allclose(np.diff(np.log(rate)) / np.diff(tau), -3.4, rtol=0.03)
