"""Macrospin ensembles against analytic solutions, Boltzmann's distribution and the Fokker-Planck equation.

Statistical tests have fixed seeds; each limit is so wide that a right program with another seed would fail
with a probability below 1e-7.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants, integrate, special, stats

from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck, llgs, torque
from mtjchar.physics.anisotropy import GAMMA
from mtjchar.physics.llgs import Macrospin

SIGMAS = 6.2  # two-sided false-alarm rate of 6e-10
ALARM = 1e-9


def generator(seed):
    return np.random.Generator(np.random.SFC64(seed))


def axial(stability=40.0, damping=0.02, temperature=300.0, **changes):
    """A perpendicular layer of 0.2 T and the stability asked for at 300 K."""
    volume = 2.0 * stability * constants.k * 300.0 / (1.2e6 * 0.2)
    return Macrospin(1.2e6, volume, damping, 0.2, temperature, **changes)


def elliptic(damping=0.02, temperature=300.0, **changes):
    """All terms at once: in-plane shape, tilted reference, field, asymmetric and field-like torque."""
    terms = {
        "lambda_": 1.4,
        "field_like": 0.3,
        "demagnetizing": (0.02, 0.05, 0.06),
        "reference": (0.6, 0.0, 0.8),
        "field": (0.01, -0.02, 0.015),
    }
    return axial(damping=damping, temperature=temperature, **(terms | changes))


def direction(polar, azimuth=0.3):
    return np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])


def reference_solution(spin, start, duration, current):
    """The implicit Gilbert form, solved for dm/dt as a 3 x 3 linear system: a derivation of its own."""
    nx, ny, nz = spin.demagnetizing
    linear = np.array([0, 0, spin.anisotropy_field]) - constants.mu_0 * spin.magnetization * np.array(
        [nx, ny, nz]
    )
    p, alpha = np.array(spin.reference), spin.damping

    def slope(_, m):
        efficiency = torque.spin_torque_efficiency(spin.polarization, spin.lambda_, m @ p)
        a = torque.damping_like_field(current, efficiency, spin.magnetization, spin.volume)
        field = linear * m + spin.field + spin.field_like * a * p
        undamped = -GAMMA * np.cross(m, field) - GAMMA * a * np.cross(m, np.cross(m, p))
        cross = np.array([[0, -m[2], m[1]], [m[2], 0, -m[0]], [-m[1], m[0], 0]])
        return np.linalg.solve(np.eye(3) - alpha * cross, undamped)

    solution = integrate.solve_ivp(slope, (0, duration), start, "DOP853", rtol=1e-11, atol=1e-13)
    return solution.y[:, -1]


@settings(deadline=None, max_examples=40)
@given(
    st.floats(0.05, 3.0),
    st.floats(0, 6.2),
    st.floats(-2e-4, 2e-4),
    st.floats(0.005, 0.5),
    st.integers(0, 2**32),
)
def test_walkers_stay_on_the_sphere(polar, azimuth, current, damping, seed):
    spin = elliptic(damping)
    step = 0.99 * llgs.largest_step(spin, current)
    m = llgs.simulate(
        spin, direction(polar, azimuth), duration=20 * step, step=step, current=current, rng=generator(seed)
    ).m
    np.testing.assert_allclose(np.linalg.norm(m, axis=1), 1.0, rtol=0, atol=4e-16)


@pytest.mark.parametrize("current", [0.0, 1e-4, -1e-4])
def test_all_terms_against_the_gilbert_form(current):
    # Truth: scipy on the implicit Gilbert form; error of order 4, (phi = 0.05)^4/120 times 40 rad.
    spin = elliptic(damping=0.1, temperature=0.0)
    start, duration = direction(1.0), 1e-9
    m = llgs.simulate(spin, start, duration=duration, step=1e-12, current=current).m[0, :, 0]
    np.testing.assert_allclose(m, reference_solution(spin, start, duration, current), rtol=0, atol=1e-5)


def test_order_four_without_noise():
    # Theory: Runge and Kutta, order 4. Truth: scipy, as above.
    spin, start, duration = elliptic(damping=0.1, temperature=0.0), direction(1.0), 4e-10
    truth = reference_solution(spin, start, duration, 1e-4)
    steps = np.array([3.2e-12, 1.6e-12, 8e-13])
    errors = [
        np.linalg.norm(
            llgs.simulate(spin, start, duration=duration, step=dt, current=1e-4).m[0, :, 0] - truth
        )
        for dt in steps
    ]
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(order, 4.0, atol=0.2)


def test_energy_is_kept_without_damping_and_current():
    # Theory: an amplitude loses phi^6/144 of itself per step; phi < 0.17 and 5000 steps: below 1e-3 of it.
    spin = elliptic(damping=0.0, temperature=0.0)
    step = llgs.largest_step(spin)
    starts = np.stack([direction(0.3), direction(1.2), direction(2.5)], axis=1)
    m = llgs.simulate(spin, starts, duration=5000 * step, step=step, record=[0.0, 5000 * step]).m
    factors = np.array(spin.demagnetizing)
    linear = np.array([0, 0, spin.anisotropy_field]) - constants.mu_0 * spin.magnetization * factors
    energy = -0.5 * np.einsum("c,rcn->rn", linear, m**2) - np.einsum("c,rcn->rn", spin.field, m)
    assert np.all(np.abs(energy[1] - energy[0]) < 2e-3 * np.ptp(linear))


def test_precession_frequency_is_kittels():
    # Analytic: f = gamma/(2 pi) (Bk + B), small angle; the sense is that of dm/dt = -gamma m x B.
    spin = axial(damping=0.0, temperature=0.0, field=(0.0, 0.0, 0.1))
    times = np.linspace(0.0, 2e-10, 41)
    trajectory = llgs.simulate(spin, direction(1e-3), duration=2e-10, step=1e-13, record=times)
    phase = np.unwrap(np.arctan2(trajectory.m[:, 1, 0], trajectory.m[:, 0, 0]))
    assert np.polyfit(trajectory.times, phase, 1)[0] == pytest.approx(GAMMA * 0.3, rel=1e-4)


@pytest.mark.parametrize("ensemble", ["vector", "reduced"])
def test_damped_relaxation(ensemble):
    # Analytic, axial without current: tan(theta) = tan(theta_0) exp(-t/t_D).
    spin = axial(temperature=0.0)
    duration, polar = 2.0 * spin.relaxation_time, 1.2
    if ensemble == "vector":
        m_z = llgs.simulate(spin, direction(polar), duration=duration, step=2e-13).m[0, 2, 0]
    else:
        step = 0.01 * spin.relaxation_time
        m_z = llgs.simulate_reduced(spin, np.cos(polar), duration=duration, step=step).m_z[0, 0]
    assert np.arccos(m_z) == pytest.approx(np.arctan(np.tan(polar) * np.exp(-2.0)), rel=5e-4)


@pytest.mark.parametrize("damping", [0.005, 0.02, 0.1, 0.3])
def test_growth_at_the_longest_step(damping):
    # Analytic: near the pole a displacement grows as exp((i - 1) t/t_D). 0.1 % of i is the stated limit.
    spin = axial(damping=damping, temperature=0.0)
    current = -3.0 * spin.critical_current
    m = llgs.simulate(
        spin,
        direction(1e-5),
        duration=4 * spin.relaxation_time,
        step=llgs.largest_step(spin, current),
        current=current,
    ).m[0, :, 0]
    assert np.log(np.hypot(m[0], m[1]) / 1e-5) == pytest.approx(2.0 * 4.0, abs=1e-3 * 3.0 * 4.0)


def test_critical_current():
    # Analytic: without noise the pole is stable below Ic0 and unstable above; the current that leaves the
    # parallel state is negative. The same Ic0 as in `torque`.
    spin = axial(damping=0.1)
    expected = torque.critical_current(0.1, spin.stability, 300.0, spin.polarization)
    assert spin.critical_current == pytest.approx(expected, rel=1e-12)
    cold = replace(spin, temperature=0.0)
    for factor, switched in ((-0.9, False), (-1.1, True), (1.1, False)):
        m = llgs.simulate(
            cold,
            direction(0.05),
            duration=80 * spin.relaxation_time,
            step=llgs.largest_step(spin, 1.2 * spin.critical_current),
            current=factor * spin.critical_current,
        ).m
        assert (m[0, 2, 0] < 0.0) == switched


@pytest.mark.parametrize("ensemble", ["vector", "reduced"])
@pytest.mark.parametrize(("lambda_", "field_like"), [(1.0, 0.0), (1.5, 0.2)])
def test_switching_time_of_the_axial_case(ensemble, lambda_, field_like):
    # Truth: du/dt = gamma/(1+alpha^2) [alpha Bk tanh u + (1 + alpha field_like) a_J(tanh u)] by quadrature.
    spin = axial(damping=0.05, temperature=0.0, lambda_=lambda_, field_like=field_like)
    current = -2.0 * spin.critical_current

    def inverse_rate(u):
        efficiency = torque.spin_torque_efficiency(spin.polarization, lambda_, np.tanh(u))
        a = torque.damping_like_field(current, efficiency, spin.magnetization, spin.volume)
        drift = spin.damping * 0.2 * np.tanh(u) + (1.0 + spin.damping * field_like) * a
        return -(1.0 + spin.damping**2) / (GAMMA * drift)

    polar = 0.1
    expected, _ = integrate.quad(inverse_rate, 0.0, np.arctanh(np.cos(polar)))
    t_d = spin.relaxation_time
    times = np.linspace(0.97, 1.03, 61) * expected
    pulse = {"duration": times[-1], "current": current, "record": times}
    if ensemble == "vector":
        times, m = llgs.simulate(spin, direction(polar), step=2e-13, **pulse)
        m_z = m[:, 2, 0]
    else:
        times, m_z = llgs.simulate_reduced(spin, np.cos(polar), step=2e-3 * t_d, **pulse)
        m_z = m_z[:, 0]
    crossing = np.interp(0.0, -m_z, times)
    assert crossing == pytest.approx(expected, rel=1e-3)


def test_order_two_of_the_reduced_ensemble_without_noise():
    # Theory: order 2. Truth: analytic relaxation, as above.
    spin = axial(temperature=0.0)
    t_d = spin.relaxation_time
    truth = np.cos(np.arctan(np.tan(1.2) * np.exp(-1.0)))
    errors = np.array(
        [
            abs(llgs.simulate_reduced(spin, np.cos(1.2), duration=t_d, step=h * t_d).m_z[0, 0] - truth)
            for h in (0.08, 0.04, 0.02)
        ]
    )
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 2.0, atol=0.15)


class _Repeated:
    """Gives out prepared normal numbers, one array a step, in the place of a generator."""

    def __init__(self, numbers):
        self._numbers = iter(numbers)

    def standard_normal(self, out):
        out[...] = next(self._numbers)


@pytest.mark.parametrize(("ensemble", "least"), [("vector", 0.45), ("reduced", 0.7)])
def test_strong_order_with_noise(ensemble, least):
    # Theory: 1/2 for the three noises of the vector, which do not commute, 1 for the single one.
    # The same Wiener paths at four resolutions; orders from successive differences of the end points.
    # The reduced walkers stay away from the poles, where sin(theta) is not smooth.
    spin, walkers, fine = axial(stability=10.0 if ensemble == "vector" else 40.0, damping=0.3), 1000, 512
    shape = (2 * fine, 3, walkers) if ensemble == "vector" else (2 * fine, walkers)
    noise = generator(5).standard_normal(shape)  # of half a step each
    duration = 512 * 0.25e-12 if ensemble == "vector" else 0.5 * spin.relaxation_time
    ends = []
    for coarser in (8, 4, 2, 1):
        halves = noise.reshape(-1, coarser, *shape[1:]).sum(axis=1) / np.sqrt(coarser)
        if ensemble == "vector":  # the second half of the noise of a step comes with the first of the next
            summed = [halves[0], *(halves[1:-1:2] + halves[2::2]) / np.sqrt(2.0), halves[-1]]
        else:
            summed = (halves[::2] + halves[1::2]) / np.sqrt(2.0)
        arguments = {"duration": duration, "step": duration * coarser / fine, "rng": _Repeated(summed)}
        if ensemble == "vector":
            start = np.repeat(direction(0.8)[:, None], walkers, axis=1)
            ends.append(llgs.simulate(spin, start, **arguments).m[0])
        else:
            ends.append(llgs.simulate_reduced(spin, np.full(walkers, 0.2), **arguments).m_z[0])
    differences = np.array([np.sqrt(np.mean((a - b) ** 2)) for a, b in itertools.pairwise(ends)])
    order = np.log2(differences[:-1] / differences[1:])
    assert np.all(order > least)


def boltzmann_cdf(stability):
    """Distribution function of m_z in the well, rho ~ exp(-Delta (1 - z^2)) on z > 0."""
    root = np.sqrt(stability)
    return lambda z: special.erfi(root * np.asarray(z)) / special.erfi(root)


def test_drawn_equilibrium_is_boltzmanns():
    # Analytic. Kolmogorov-Smirnov, false-alarm rate 1e-9 each.
    spin = axial(stability=12.0)
    m = llgs.equilibrium(spin, 20_000, generator(1))
    assert stats.kstest(m[2], boltzmann_cdf(12.0)).pvalue > ALARM
    azimuth = np.arctan2(m[1], m[0])
    assert stats.kstest(azimuth, "uniform", args=(-np.pi, 2 * np.pi)).pvalue > ALARM
    assert np.all(llgs.equilibrium(spin, 100, generator(2), well=(0, 0, -3))[2] < 0.0)


def test_drawn_equilibrium_with_all_terms():
    # Truth: means over the half sphere by quadrature on a grid; 6.2 standard errors, false alarms 6e-10 each.
    spin = elliptic(field=(0.03, -0.04, 0.015))
    m = llgs.equilibrium(spin, 40_000, generator(3))
    cosine, azimuth = np.meshgrid(
        (np.arange(2000) + 0.5) / 2000, (np.arange(400) + 0.5) * 2 * np.pi / 400, indexing="ij"
    )
    sine = np.sqrt(1 - cosine**2)
    grid = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])
    linear = np.array([0, 0, 0.2]) - constants.mu_0 * spin.magnetization * np.array(spin.demagnetizing)
    field_energy = 0.5 * np.einsum("c,cij->ij", linear, grid**2) + np.einsum("c,cij->ij", spin.field, grid)
    log_weight = spin.magnetization * spin.volume / (constants.k * 300.0) * field_energy
    weight = np.exp(log_weight - log_weight.max())
    for power in (1, 2):
        expected = np.einsum("cij,ij->c", grid**power, weight) / weight.sum()
        sample = m**power
        error = sample.std(axis=1) / np.sqrt(sample.shape[1])
        assert np.all(np.abs(sample.mean(axis=1) - expected) < SIGMAS * error)


@pytest.mark.parametrize("ensemble", ["vector", "reduced"])
def test_noise_leads_to_boltzmanns_distribution(ensemble):
    # Analytic; start at the pole, 5 t_D (what is left of the start: exp(-10)). False-alarm rate 1e-9 each;
    # the mean sees a noise power that is wrong by 4 % (vector) or 3 % (reduced).
    spin, walkers = axial(stability=40.0, damping=0.1), 20_000 if ensemble == "vector" else 100_000
    t_d = spin.relaxation_time
    if ensemble == "vector":
        start = np.repeat(direction(0.0)[:, None], walkers, axis=1)
        m = llgs.simulate(spin, start, duration=5 * t_d, step=2e-12, rng=generator(11)).m[0]
        m_z = m[2]
        # Transverse components are alike and independent of each other.
        for component in m[:2]:
            ordered = stats.kstest(component**2 / (m[0] ** 2 + m[1] ** 2), "beta", args=(0.5, 0.5))
            assert ordered.pvalue > ALARM
            assert abs(component.mean()) < SIGMAS * component.std() / np.sqrt(walkers)
    else:
        m_z = llgs.simulate_reduced(
            spin, np.ones(walkers), duration=5 * t_d, step=0.02 * t_d, rng=generator(12)
        ).m_z[0]
    # The reduced scheme is off by the step over t_D next to the pole and by half of it in the mean of 1 - z.
    bias = 0.0 if ensemble == "vector" else 0.02
    by_chance = np.sqrt(np.log(2.0 / ALARM) / (2.0 * walkers))  # Massart's bound
    assert stats.kstest(m_z, boltzmann_cdf(40.0)).statistic < bias + by_chance
    # Mean of z over exp(Delta z^2) on z > 0: expm1(Delta) / (2 Delta) over the norm.
    norm = 0.5 * np.sqrt(np.pi / 40.0) * special.erfi(np.sqrt(40.0))
    expected = np.expm1(40.0) / 80.0 / norm
    allowed = SIGMAS * m_z.std() / np.sqrt(walkers) + 0.5 * bias * (1.0 - expected)
    assert abs(m_z.mean() - expected) < allowed


@pytest.mark.parametrize("tau", [2.0, 3.0])
@pytest.mark.parametrize("ensemble", ["vector", "reduced"])
def test_error_rate_against_fokker_planck(ensemble, tau):
    # Truth: Fokker-Planck, 0.450 and 0.0740 at Delta = 40, i = 2. That counts as failed what ends in the well
    # at +1 after the pulse: here 2 t_D of relaxation and then the sign of m_z. Binomial, 6.2 sigma: 6e-10.
    spin = axial(damping=0.05)
    walkers = 4000 if ensemble == "vector" else 40_000
    t_d, current, rng = spin.relaxation_time, -2.0 * spin.critical_current, generator(21)
    m = llgs.equilibrium(spin, walkers, rng)
    if ensemble == "vector":
        m = llgs.simulate(spin, m, duration=tau * t_d, step=3e-12, current=current, rng=rng).m[0]
        m_z = llgs.simulate(spin, m, duration=2 * t_d, step=3e-12, rng=rng).m[0, 2]
    else:
        step = 0.02 * t_d
        m_z = llgs.simulate_reduced(spin, m[2], duration=tau * t_d, step=step, current=current, rng=rng).m_z[
            0
        ]
        m_z = llgs.simulate_reduced(spin, m_z, duration=2 * t_d, step=step, rng=rng).m_z[0]
    expected = float(fokker_planck.write_error_rate(2.0, 40.0, tau))
    spread = np.sqrt(expected * (1 - expected) / walkers)
    assert abs(np.mean(m_z > 0.0) - expected) < SIGMAS * spread


def test_same_seed_same_result():
    spin = elliptic()
    first, second, other = (
        llgs.simulate(
            spin,
            llgs.equilibrium(spin, 7000, rng),  # more than one block
            duration=2e-11,
            step=1e-12,
            current=5e-5,
            rng=rng,
        ).m
        for rng in (generator(1), generator(1), generator(2))
    )
    np.testing.assert_array_equal(first, second)
    assert not np.any(np.all(first == other, axis=1))


def test_records_and_waveforms():
    # Analytic: an anisotropy field given as a function takes the place of the macrospin's own; a record at
    # time 0 is the start; a recorded time is the nearest step's.
    spin = axial(temperature=0.0)
    start = np.stack([direction(0.3), direction(0.4)], axis=1)
    arguments = {"duration": 1e-11, "step": 1e-12, "current": lambda t: 1e-5 * t / 1e-11}
    times, m = llgs.simulate(spin, start, record=[0.0, 4.4e-12, 1e-11], **arguments)
    np.testing.assert_allclose(times, [0.0, 4e-12, 1e-11], rtol=1e-12)
    assert m.shape == (3, 3, 2)
    np.testing.assert_allclose(m[0], start, rtol=1e-15)
    stronger = llgs.simulate(spin, start, anisotropy_field=lambda _: 0.25, **arguments).m
    same = llgs.simulate(replace(spin, anisotropy_field=0.25), start, **arguments).m
    np.testing.assert_array_equal(stronger, same)


def test_step_limit_is_named_and_accepted():
    spin = axial()
    limit = llgs.largest_step(spin, 1e-4)
    with pytest.raises(InputError, match=rf"^step: got .*; allowed: at most {limit:.4g} s"):
        llgs.simulate(spin, direction(0.1), duration=1e-9, step=2 * limit, current=-1e-4, rng=generator(1))
    llgs.simulate(spin, direction(0.1), duration=10 * limit, step=limit, current=-1e-4, rng=generator(1))
    t_d = spin.relaxation_time
    with pytest.raises(InputError, match=r"^step"):
        llgs.simulate_reduced(spin, 0.9, duration=t_d, step=0.5 * t_d, rng=generator(1))


SERIES = np.array([8e-5, -2e-5, 5e-6])  # A, in powers of m.p
FIELD = np.array([0.2, 0.01, -0.005])  # T


def test_ensemble_on_a_load_line_against_the_gilbert_form():
    # Truth: scipy on the implicit Gilbert form with the current and the field of the angle; order 4 as above.
    spin = elliptic(damping=0.1, temperature=0.0)
    start, duration, p = direction(1.0), 1e-9, np.array(spin.reference)

    def slope(_, state):
        m = state[:3]
        series = (m @ p) ** np.arange(3)
        current, linear = SERIES @ series, -constants.mu_0 * spin.magnetization * np.array(spin.demagnetizing)
        linear[2] += FIELD @ series
        efficiency = torque.spin_torque_efficiency(spin.polarization, spin.lambda_, m @ p)
        a = torque.damping_like_field(current, efficiency, spin.magnetization, spin.volume)
        field = linear * m + spin.field + spin.field_like * a * p
        undamped = -GAMMA * np.cross(m, field) - GAMMA * a * np.cross(m, np.cross(m, p))
        cross = np.array([[0, -m[2], m[1]], [m[2], 0, -m[0]], [-m[1], m[0], 0]])
        return [*np.linalg.solve(np.eye(3) - spin.damping * cross, undamped), 1e4 * current]

    truth = integrate.solve_ivp(slope, (0, duration), [*start, 0.0], "DOP853", rtol=1e-11, atol=1e-13).y[
        :, -1
    ]
    errors = []
    for step in (2e-12, 1e-12):
        end = llgs.simulate_on_load_line(
            spin, start, duration=duration, step=step, current=SERIES, anisotropy_field=FIELD
        )
        errors.append(np.linalg.norm(end.m[0, :, 0] - truth[:3]))
        assert end.charge[0, 0] == pytest.approx(1e-4 * truth[3], rel=1e-5)
    assert errors[-1] < 1e-5
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.2)


def test_constant_load_line_is_the_constant_current():
    # The same steps by the other function, same random numbers: rounding.
    spin, arguments = elliptic(damping=0.05), {"duration": 1e-11, "step": 1e-12, "record": [5e-12, 1e-11]}
    start = llgs.equilibrium(spin, 50, generator(1))
    plain = llgs.simulate(spin, start, current=5e-5, rng=generator(2), **arguments)
    loaded = llgs.simulate_on_load_line(spin, start, current=[5e-5], rng=generator(2), **arguments)
    np.testing.assert_array_equal(loaded.times, plain.times)
    np.testing.assert_allclose(loaded.m, plain.m, rtol=0, atol=1e-13)
    np.testing.assert_allclose(loaded.charge, 5e-5 * loaded.times[:, None] * np.ones(50), rtol=1e-12)


def test_walkers_may_have_load_lines_of_their_own():
    # Each walker alone, without noise: 7,000 walkers are two blocks.
    spin = elliptic(damping=0.05, temperature=0.0)
    walkers = 7000
    start = np.repeat(direction(0.5)[:, None], walkers, axis=1)
    lines = SERIES[:, None] * np.linspace(-1.0, 1.0, walkers)
    fields = FIELD[:, None] * np.linspace(0.8, 1.0, walkers)
    arguments = {"duration": 1e-11, "step": 1e-12}
    m = llgs.simulate_on_load_line(spin, start, current=lines, anisotropy_field=fields, **arguments).m[0]
    for k in (0, 1234, walkers - 1):
        alone = llgs.simulate_on_load_line(
            spin, start[:, k], current=lines[:, k], anisotropy_field=fields[:, k], **arguments
        )
        np.testing.assert_allclose(m[:, k], alone.m[0, :, 0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["current", "anisotropy_field"])
@pytest.mark.parametrize("value", [[], np.zeros((2, 3)), np.zeros((2, 2, 2)), [np.nan], [0.1, np.inf]])
def test_bad_load_lines_are_refused(name, value):
    arguments = GOOD | {"current": [1e-5], name: value}
    with pytest.raises(InputError, match=rf"^{name}: got .*coefficients"):
        llgs.simulate_on_load_line(axial(), np.array([[0.0, 0.6], [0.0, 0.0], [1.0, 0.8]]), **arguments)


def test_step_limit_of_a_load_line_is_that_of_its_largest_current_and_field():
    spin = axial()
    stiff = replace(spin, anisotropy_field=0.25)
    limit = llgs.largest_step(stiff, 9e-5)
    arguments = {"current": [5e-5, -4e-5], "anisotropy_field": [0.2, 0.05], "duration": 1e-10}
    with pytest.raises(InputError, match=rf"^step: got .*; allowed: at most {limit:.4g} s"):
        llgs.simulate_on_load_line(spin, direction(0.1), step=1.1 * limit, rng=generator(1), **arguments)
    llgs.simulate_on_load_line(spin, direction(0.1), step=limit, rng=generator(1), **arguments)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_equilibrium_of_the_weaker_well_in_a_field(side):
    # Analytic: density exp(Delta (z^2 + 2 h z)) beyond the saddle, z = -h. At h = -0.5 the states between
    # z = 0 and the saddle at 0.5 are the other well's. Kolmogorov-Smirnov, false-alarm rate 1e-7.
    spin = axial(stability=40.0, field=(0.0, 0.0, -0.1 * side))
    m = llgs.equilibrium(spin, 20_000, generator(4), well=(0.0, 0.0, side), least=0.5)
    assert np.all(side * m[2] > 0.5)
    grid = np.linspace(0.5, 1.0, 200_001)
    weight = np.exp(40.0 * (grid**2 - grid))
    distribution = integrate.cumulative_trapezoid(weight, grid, initial=0.0)
    pvalue = stats.kstest(side * m[2], lambda z: np.interp(z, grid, distribution / distribution[-1])).pvalue
    assert pvalue > ALARM


def test_energy_of_states():
    # Analytic, in kB T: -Delta (m_z^2 + 2 B.m/B_k) of the axial layer; its depth is Delta.
    spin = axial(stability=40.0, field=(0.0, 0.0, 0.05))
    states = np.stack([direction(0.0), direction(0.5 * np.pi), direction(np.pi)], axis=1)
    np.testing.assert_allclose(llgs.energy(spin, states), [-40.0 * 1.5, 0.0, -40.0 * 0.5], atol=1e-9)


GOOD = {"duration": 1e-11, "step": 1e-12, "rng": generator(0)}


@pytest.mark.parametrize(
    ("changes", "thing"),
    [
        ({"duration": -1.0}, "duration"),
        ({"step": 0.0}, "step"),
        ({"step": np.nan}, "step"),
        ({"rng": None}, "rng"),
        ({"record": [2e-11]}, "record"),
        ({"record": [1e-11, 0.0]}, "record"),
        ({"current": np.inf}, "current"),
        ({"anisotropy_field": lambda _: np.nan}, "anisotropy_field"),
    ],
)
def test_bad_arguments_are_refused(changes, thing):
    with pytest.raises(InputError, match=rf"^{thing}: got"):
        llgs.simulate(axial(), direction(0.1), **(GOOD | changes))
    with pytest.raises(InputError, match=rf"^{thing}: got"):
        llgs.simulate_reduced(axial(), 0.9, **(GOOD | changes))


def test_bad_states_are_refused():
    for bad in ([0.0, 0.0, 2.0], np.zeros((2, 5)), np.zeros((3, 0)), [0.0, 0.0, np.nan]):
        with pytest.raises(InputError, match=r"^initial"):
            llgs.simulate(axial(), bad, **GOOD)
    for bad in (1.5, np.nan, [[0.5]], []):
        with pytest.raises(InputError, match=r"^initial"):
            llgs.simulate_reduced(axial(), bad, **GOOD)
    for bad in ({"walkers": 0}, {"well": (0, 0, 0)}, {"least": 1.0}):
        with pytest.raises(InputError, match=rf"^{next(iter(bad))}"):
            llgs.equilibrium(axial(), **({"walkers": 1, "rng": generator(0)} | bad))
    with pytest.raises(InputError, match="temperature"):
        llgs.equilibrium(axial(temperature=0.0), 1, generator(0))


@pytest.mark.parametrize(
    "changes",
    [{"reference": (0.6, 0.0, 0.8)}, {"field": (0.0, 0.1, 0.0)}, {"demagnetizing": (0.1, 0.2, 0.7)}],
)
def test_reduced_ensemble_needs_symmetry(changes):
    with pytest.raises(InputError, match=rf"^Macrospin.{next(iter(changes))}: got .* Use simulate"):
        llgs.simulate_reduced(axial(**changes), 0.9, **GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("magnetization", 0.0),
        ("volume", -1.0),
        ("damping", 1.5),
        ("anisotropy_field", np.nan),
        ("temperature", -1.0),
        ("polarization", 2.0),
        ("lambda_", 0.5),
        ("field_like", np.inf),
        ("demagnetizing", (0.0, 0.0, 2.0)),
        ("reference", (0.0, 0.0, 2.0)),
        ("field", (0.0, 0.0)),
    ],
)
def test_bad_macrospins_are_refused(name, value):
    with pytest.raises(InputError, match=rf"^Macrospin.{name}: got"):
        replace(axial(), **{name: value})
