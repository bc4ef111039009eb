"""Spin-orbit torque: its signs, its thresholds, and macrospins with a channel below them.

The conventions are those of docs/torque.md, "Spin-orbit torque".
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import constants, integrate, optimize

from mtjchar.errors import InputError
from mtjchar.physics import llgs, spin_orbit
from mtjchar.physics.spin_orbit import SpinOrbitTorque, polarization

GAMMA = 1.760859e11  # rad/(s T)
MS, THICKNESS = 1.2e6, 1.2e-9
VOLUME = THICKNESS * np.pi * 20e-9**2
ACROSS = SpinOrbitTorque(1.0)  # 1 T/A along y: currents below are fields in T


def perpendicular(**changes):
    values = {"damping": 0.1, "anisotropy_field": 0.2, "temperature": 0.0} | changes
    return llgs.Macrospin(MS, VOLUME, **values)


def generator(seed):
    return np.random.Generator(np.random.SFC64(seed))


def unit(*components):
    return np.array(components) / np.linalg.norm(components)


# Every term at once.

EVERYTHING = llgs.Macrospin(
    MS, VOLUME, 0.05, 0.25, temperature=0.0, lambda_=1.3, field_like=0.2, demagnetizing=(0.02, 0.03, 0.0),
    reference=(np.sin(0.2), 0.0, np.cos(0.2)), field=(0.02, -0.01, 0.015),
)  # fmt: skip
CHANNEL = SpinOrbitTorque(250.0, polarization(0.3, 0.1), 0.25)
JUNCTION_SERIES, ANISOTROPY_SERIES = np.array([-5e-5, 2e-5, 1e-6]), np.array([0.25, 0.01])
CHANNEL_SERIES = np.array([-6e-4, 8e-5, 2e-6])


def gilbert(_, state):
    """Gilbert's implicit form as it stands, the 3 x 3 system solved numerically, and both charges."""
    spin, m = EVERYTHING, state[:3]
    pinned, sigma = np.array(spin.reference), np.array(CHANNEL.polarization)
    current, axial, channel = (
        np.polynomial.polynomial.polyval(m @ pinned, series)
        for series in (JUNCTION_SERIES, ANISOTROPY_SERIES, CHANNEL_SERIES)
    )
    square = spin.lambda_**2
    stt = 2.0 * square * spin.torque_per_current * current / (square + 1.0 + (square - 1.0) * (m @ pinned))
    sot = CHANNEL.field_per_current * channel
    field = np.array(spin.field) - constants.mu_0 * MS * np.array(spin.demagnetizing) * m
    field[2] += axial * m[2]
    slope = -GAMMA * np.cross(m, field + spin.field_like * stt * pinned + CHANNEL.field_like * sot * sigma)
    slope -= GAMMA * np.cross(m, np.cross(m, stt * pinned + sot * sigma))
    cross = np.array([[0.0, -m[2], m[1]], [m[2], 0.0, -m[0]], [-m[1], m[0], 0.0]])
    return [*np.linalg.solve(np.eye(3) - spin.damping * cross, slope), 1e4 * current, 1e4 * channel]


def test_trajectory_and_charges_with_every_term_and_fourth_order_convergence():
    # Independent DOP853 at rtol 1e-11 of Gilbert's form, over 3 ns with a switching event.
    start, duration = unit(0.3, 0.1, 1.0), 3e-9
    truth = integrate.solve_ivp(
        gilbert, (0.0, duration), [*start, 0.0, 0.0], "DOP853", rtol=1e-11, atol=1e-13
    ).y[:, -1]
    assert truth[2] < 0.0
    errors = []
    for step in (2e-12, 1e-12):
        end = llgs.simulate_on_load_line(
            EVERYTHING, start, duration=duration, step=step, current=JUNCTION_SERIES,
            anisotropy_field=ANISOTROPY_SERIES, spin_orbit=CHANNEL, channel_current=CHANNEL_SERIES,
        )  # fmt: skip
        np.testing.assert_allclose(end.m[0, :, 0], truth[:3], rtol=0, atol=1e-9)
        charges = np.array([end.charge[0, 0], end.channel_charge[0, 0]])
        errors.append(charges / (1e-4 * truth[3:]) - 1.0)
    # The end is an equilibrium. The charges have the errors of the whole trajectory.
    assert np.abs(errors[-1]).max() < 1e-8
    np.testing.assert_allclose(np.log2(errors[0] / errors[1]), 4.0, atol=0.3)


def test_waveform_of_the_channel_is_followed():
    # Analytic: alone, without damping, B_DL turns m towards y: m_y = tanh(gamma times the integral of
    # B_DL). A field along y has no effect on m_y, so neither has the field-like part.
    spin = perpendicular(damping=0.0, anisotropy_field=0.0)
    torque = SpinOrbitTorque(100.0, field_like=0.5)
    duration = 2e-10
    times, m = llgs.simulate(
        spin, [1.0, 0.0, 0.0], duration=duration, step=1e-13, spin_orbit=torque,
        channel_current=lambda time: 5e-4 * time / duration, record=np.linspace(0.0, duration, 21),
    )  # fmt: skip
    expected = np.tanh(GAMMA * 100.0 * 5e-4 * times**2 / (2.0 * duration))
    np.testing.assert_allclose(m[:, 1, 0], expected, atol=1e-5)


# Limits in which other terms, tested elsewhere, do the same.


def test_spins_along_the_reference_layer_act_as_a_current_through_the_junction():
    # The sign of the torque is that of the junction's: with sigma = p, equal fields do the same, step by
    # step with the same random numbers.
    spin = perpendicular(temperature=300.0, field_like=0.3)
    start = llgs.equilibrium(spin, 200, generator(1))
    arguments = {"duration": 2e-10, "step": 1e-12}
    current = -2.0 * spin.critical_current
    through = llgs.simulate(spin, start, current=current, rng=generator(2), **arguments).m
    channel = SpinOrbitTorque(spin.torque_per_current, (0.0, 0.0, 1.0), field_like=0.3)
    below = llgs.simulate(
        spin, start, spin_orbit=channel, channel_current=current, rng=generator(2), **arguments
    ).m
    np.testing.assert_allclose(below, through, rtol=0, atol=1e-11)


def test_field_like_part_is_a_field_along_the_spins():
    spin = perpendicular(temperature=300.0)
    start = llgs.equilibrium(spin, 200, generator(1))
    arguments = {"duration": 2e-10, "step": 1e-12}
    field = 0.05 * np.array(polarization(0.4, 0.2))
    external = llgs.simulate(replace(spin, field=tuple(field)), start, rng=generator(2), **arguments).m
    channel = SpinOrbitTorque(1e-9, polarization(0.4, 0.2), field_like=0.05e9)
    below = llgs.simulate(spin, start, spin_orbit=channel, channel_current=1.0, rng=generator(2), **arguments)
    np.testing.assert_allclose(below.m, external, rtol=0, atol=1e-6)


@pytest.mark.parametrize("channel_current", [[0.0], [0.0, 0.0, 0.0]])
def test_no_channel_current_is_no_channel_to_the_bit(channel_current):
    spin = replace(EVERYTHING, temperature=300.0)
    start = llgs.equilibrium(spin, 100, generator(1))
    arguments = {"duration": 1e-10, "step": 5e-13, "current": JUNCTION_SERIES}
    without = llgs.simulate_on_load_line(spin, start, rng=generator(2), **arguments)
    zero = llgs.simulate_on_load_line(
        spin, start, spin_orbit=CHANNEL, channel_current=channel_current, rng=generator(2), **arguments
    )
    assert np.array_equal(zero.m, without.m)
    assert np.array_equal(zero.charge, without.charge)
    assert not zero.channel_charge.any()
    assert not without.channel_charge.any()
    # And a channel without torque.
    none = llgs.simulate_on_load_line(
        spin, start, spin_orbit=SpinOrbitTorque(0.0), channel_current=[1e-3], rng=generator(2), **arguments
    )
    assert np.array_equal(none.m, without.m)
    assert none.channel_charge[0] == pytest.approx(1e-13, rel=1e-12)


def test_series_and_waveform_and_blocks_of_walkers_agree():
    # 7,000 walkers are two blocks; each one alone by the other function.
    spin, walkers = perpendicular(), 7000
    start = np.repeat(unit(0.1, 0.2, 1.0)[:, None], walkers, axis=1)
    currents = np.linspace(-0.1, 0.1, walkers)
    arguments = {"duration": 5e-11, "step": 1e-12, "spin_orbit": ACROSS}
    end = llgs.simulate_on_load_line(
        spin, start, current=[0.0], channel_current=currents[None, :], **arguments
    )
    np.testing.assert_allclose(end.channel_charge[0], currents * 5e-11, atol=1e-24)
    for k in (0, 1234, walkers - 1):
        alone = llgs.simulate(spin, start[:, k], channel_current=currents[k], **arguments)
        np.testing.assert_allclose(end.m[0, :, k], alone.m[0, :, 0], rtol=0, atol=1e-13)


# Signs.


@pytest.mark.parametrize(("current", "angle"), list(itertools.product([1.0, -1.0], [0.3, -0.3])))
@pytest.mark.parametrize("azimuth", [0.0, np.pi / 2, -2.0])
def test_positive_current_and_angle_pull_m_along_normal_times_current(current, angle, azimuth):
    # Convention: sigma = z x (direction of the current). At 3e12 A/m^2 its field exceeds all others.
    torque = SpinOrbitTorque.of_channel(angle, MS, THICKNESS, 50e-9, 4e-9, azimuth=azimuth)
    direction = np.cross([0.0, 0.0, 1.0], [np.cos(azimuth), np.sin(azimuth), 0.0])
    m = llgs.simulate(
        perpendicular(), unit(0.1, 0.1, 1.0), duration=2e-9, step=3e-13, spin_orbit=torque,
        channel_current=current * 3e12 * 50e-9 * 4e-9,
    ).m[0, :, 0]  # fmt: skip
    assert np.sign(current * angle) * (m @ direction) > 0.9


def written(spin, channel_current, *, azimuth=0.0, tilt=0.0, current=0.0):
    """m_z after a pulse in the channel (T at 1 T/A) and, if there is one, a longer one in the junction."""
    torque = SpinOrbitTorque(1.0, polarization(azimuth, tilt))
    ends = []
    for start in (unit(0.05, 0.02, 1.0), unit(0.05, 0.02, -1.0)):
        arguments = {"step": 1e-12, "spin_orbit": torque}
        m = llgs.simulate(
            spin, start, duration=1e-9, channel_current=channel_current, current=current, **arguments
        ).m[0, :, 0]
        m = llgs.simulate(spin, m, duration=1e-9, current=current, **arguments).m[0, :, 0]
        ends.append(llgs.simulate(spin, m, duration=4e-9, **arguments).m[0, 2, 0])
    return ends


@pytest.mark.parametrize(("drive", "field"), list(itertools.product([0.09, -0.09], [0.04, -0.04])))
@pytest.mark.parametrize("azimuth", [0.0, np.pi / 2, 2.5])
def test_product_of_field_and_current_decides_the_state(drive, field, azimuth):
    # Convention: a positive current with a field along it favours P, from either state. In T: 0.09 is
    # between Bk/2 - Bx/sqrt(2) = 0.072 and Bk/2 + Bx/sqrt(2) = 0.128.
    along = (field * np.cos(azimuth), field * np.sin(azimuth), 0.0)
    for m_z in written(perpendicular(field=along), drive, azimuth=azimuth):
        assert np.sign(drive * field) * m_z > 0.9


@pytest.mark.parametrize(("drive", "tilt"), list(itertools.product([0.12, -0.12], [0.1, -0.1])))
def test_product_of_tilt_and_current_decides_the_state(drive, tilt):
    # Without a field. The pull towards sigma, which has a component along z, is the sign.
    for m_z in written(perpendicular(), drive, tilt=tilt):
        assert np.sign(drive * tilt) * m_z > 0.9


@pytest.mark.parametrize(("drive", "sign"), list(itertools.product([0.12, -0.12], [1.0, -1.0])))
def test_current_through_the_junction_decides_the_state_whatever_the_channels(drive, sign):
    # Without a field or a tilt; a positive current favours P.
    spin = perpendicular(damping=0.02)
    for m_z in written(spin, drive, current=2.0 * sign * spin.critical_current):
        assert sign * m_z > 0.9


def test_nothing_breaks_the_symmetry_without_field_tilt_and_junction():
    # Analytic: rotation by pi around sigma and both signs; m starts with m_z and -m_z, and ends so.
    torque = SpinOrbitTorque(1.0)
    starts = np.stack([unit(0.05, 0.02, 1.0), unit(-0.05, 0.02, -1.0)], axis=1)
    m = llgs.simulate(
        perpendicular(), starts, duration=1e-9, step=1e-12, spin_orbit=torque, channel_current=0.12
    ).m[0]
    assert m[2, 0] == pytest.approx(-m[2, 1], abs=1e-12)
    assert m[0, 0] == pytest.approx(-m[0, 1], abs=1e-12)
    assert m[1, 0] == pytest.approx(m[1, 1], abs=1e-12)


# Thresholds.


def rise_slowly(spin, start, fields, torque=ACROSS, hold=15e-9):
    """States of walkers, one for each damping-like field (T), after a rise in 22 ns and a hold."""
    m = np.repeat(np.asarray(start)[:, None], len(fields), axis=1)
    step = 0.95 * llgs.largest_step(spin, 0.0, torque.largest_field_per_current * float(np.max(fields)))
    arguments = {"step": step, "current": [0.0], "spin_orbit": torque}
    levels = np.concatenate([np.linspace(0.0, 0.9, 12), np.linspace(0.92, 1.0, 11)])
    for level in levels:
        current = [np.asarray(fields) * level]
        m = llgs.simulate_on_load_line(
            spin, m, duration=hold if level == 1.0 else 1e-9, channel_current=current, **arguments
        ).m[-1]
    return m


@pytest.mark.parametrize("damping", [0.05, 0.2])
@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.2])
def test_threshold_of_a_perpendicular_layer_is_lee_s(damping, ratio):
    # Lee et al., doi:10.1063/1.4798288, to first order in the field, where that is within 2 % (up to
    # 0.22 Bk), and the exact maximum of the static balance. From AP, which the field and the current leave.
    spin = perpendicular(damping=damping, field=(ratio * 0.2, 0.0, 0.0))
    exact = float(spin_orbit.perpendicular_threshold_field(0.2, ratio * 0.2))
    fields = exact * np.linspace(0.96, 1.04, 41)
    m = rise_slowly(spin, unit(0.01, 0.0, -1.0), fields)
    # Below the threshold m is at rest in the plane of z and the current, and on its side.
    left = (m[2] > -0.3) | (np.abs(m[1]) > 0.1)
    assert left[-1]
    assert not left[0]
    found = fields[left].min()
    assert np.all(left[fields >= found])
    assert found == pytest.approx(exact, rel=0.01)
    assert found == pytest.approx(
        float(spin_orbit.linear_perpendicular_threshold_field(0.2, ratio * 0.2)), rel=0.02
    )


def test_threshold_against_the_field_is_higher():
    # The state that field and current favour is left only above Bk/2 + Bx/sqrt(2).
    spin = perpendicular(field=(0.02, 0.0, 0.0))
    exact = float(spin_orbit.perpendicular_threshold_field(0.2, -0.02))
    m = rise_slowly(spin, unit(0.01, 0.0, 1.0), exact * np.array([0.985, 1.015]))
    assert abs(m[1, 0]) < 1e-3
    assert m[2, 0] > 0.5
    assert abs(m[1, 1]) > 0.5


@pytest.mark.parametrize("ratio", [-0.4, 0.0, 0.1, 0.5, 1.0])
def test_exact_threshold_is_the_maximum_of_the_balance_and_lee_s_expression(ratio):
    # A numerical maximum, and the root as Lee et al. write it.
    balance = optimize.minimize_scalar(
        lambda polar: np.cos(polar) * (ratio - np.sin(polar)), bounds=(0.0, np.pi / 2), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip
    found = float(spin_orbit.perpendicular_threshold_field(0.3, 0.3 * ratio))
    assert found == pytest.approx(-0.3 * balance.fun, abs=1e-9)
    published = (8.0 + 20.0 * ratio**2 - ratio**4 - ratio * (8.0 + ratio**2) ** 1.5) / 32.0
    assert found == pytest.approx(0.3 * np.sqrt(max(published, 0.0)), abs=1e-9)


@pytest.mark.parametrize(
    ("ratio", "off"), [(0.22, -0.019), (0.4, -0.097), (-0.22, -0.008)], ids=lambda value: str(value)
)
def test_stated_errors_of_the_linear_threshold(ratio, off):
    linear, exact = (
        float(function(0.2, 0.2 * ratio))
        for function in (
            spin_orbit.linear_perpendicular_threshold_field,
            spin_orbit.perpendicular_threshold_field,
        )
    )
    assert linear / exact - 1.0 == pytest.approx(off, abs=1e-3)


@pytest.mark.parametrize(
    ("damping", "along", "field_like"), [(0.03, 0.0, 0.0), (0.05, 5e-3, 0.0), (0.05, -5e-3, 2.0)]
)
def test_threshold_of_an_in_plane_layer_across_the_current(damping, along, field_like):
    # The linearized equation: alpha (B + (B_1 + B_2)/2) = (1 + alpha beta) B_DL. Easy axis x, the current
    # along y, so sigma = -x; m starts along +x, at 0.6 degrees.
    in_plane, out_of_plane = 0.05, 0.8
    factor = in_plane / (constants.mu_0 * MS)  # Ny - Nx
    spin = perpendicular(
        damping=damping, anisotropy_field=-out_of_plane, demagnetizing=(0.0, factor, 0.0),
        reference=(1.0, 0.0, 0.0), field=(along, 0.0, 0.0),
    )  # fmt: skip
    expected = float(
        spin_orbit.in_plane_threshold_field(
            damping, in_plane, out_of_plane, along=along, field_like=field_like
        )
    )
    torque = SpinOrbitTorque(1.0, polarization(np.pi / 2), field_like)
    fields = expected * np.array([0.98, 1.02])
    step = 0.5 * llgs.largest_step(spin, 0.0, torque.largest_field_per_current * fields[1])
    start = np.repeat(unit(1.0, 0.01, 0.0)[:, None], 2, axis=1)
    duration = 0.3e-9 / damping
    _, m, _, _ = llgs.simulate_on_load_line(
        spin, start, duration=duration, step=step, current=[0.0], spin_orbit=torque,
        channel_current=[fields], record=np.linspace(0.0, duration, 3001),
    )  # fmt: skip
    amplitude = np.abs(m[:, 1])
    early, late = amplitude[:600].max(axis=0), amplitude[-600:].max(axis=0)
    assert late[0] < early[0]
    assert late[1] > early[1]


# Closed forms, and bad input.


def test_field_of_a_current_density():
    # hbar theta J/(2 e Ms t) by hand: 3.2911e-16 V s * 0.3 * 1e12 / (1e6 * 1e-9).
    field = spin_orbit.damping_like_field(1e12, 0.3, 1e6, 1e-9)
    assert field == pytest.approx(3.29106e-16 * 0.3 * 1e12 / 1e-3, rel=1e-5)
    assert spin_orbit.current_density(field, 0.3, 1e6, 1e-9) == pytest.approx(1e12)
    torque = SpinOrbitTorque.of_channel(-0.3, 1e6, 1e-9, 80e-9, 4e-9, field_like=0.2)
    assert torque.field_per_current * 1e12 * 80e-9 * 4e-9 == pytest.approx(-field)
    assert torque.largest_field_per_current == pytest.approx(
        abs(torque.field_per_current) * np.hypot(1.0, 0.2)
    )
    assert torque.polarization == (-0.0, 1.0, 0.0)


def test_closed_forms_broadcast():
    shape = (3, 4)
    angle, density = np.linspace(0.1, 0.3, 3)[:, None], np.linspace(1e11, 1e12, 4)
    assert spin_orbit.damping_like_field(density, angle, 1e6, 1e-9).shape == shape
    assert spin_orbit.channel_resistance(2e-6, 4e-9, angle, density).shape == shape
    assert spin_orbit.perpendicular_threshold_field(angle, 0.01 * np.ones(4)).shape == shape
    assert spin_orbit.in_plane_threshold_field(angle, np.ones(4), 1.0).shape == shape


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"field_per_current": np.nan}, "field_per_current"),
        ({"field_like": np.inf}, "field_like"),
        ({"polarization": (0.0, 1.0, 1.0)}, "polarization"),
        ({"polarization": (np.nan, 1.0, 0.0)}, "polarization"),
    ],
)
def test_bad_torques_are_refused(changes, named):
    with pytest.raises(InputError, match=rf"^SpinOrbitTorque\.{named}: got .*allowed"):
        SpinOrbitTorque(**({"field_per_current": 100.0} | changes))


def test_channel_and_torque_go_together():
    arguments = {"duration": 1e-11, "step": 1e-13, "current": [0.0]}
    for given, missing in (
        ({"spin_orbit": ACROSS}, "channel_current"),
        ({"channel_current": [1.0]}, "spin_"),
    ):
        with pytest.raises(InputError, match=rf"^{missing}.*both"):
            llgs.simulate_on_load_line(perpendicular(), unit(0.1, 0.0, 1.0), **given, **arguments)
    with pytest.raises(InputError, match=r"^channel_current: got .*coefficients"):
        llgs.simulate_on_load_line(
            perpendicular(), unit(0.1, 0.0, 1.0), spin_orbit=ACROSS, channel_current=[np.nan], **arguments
        )
    with pytest.raises(InputError, match=r"^channel_current: got .*finite"):
        llgs.simulate(
            perpendicular(), unit(0.1, 0.0, 1.0), duration=1e-11, step=1e-13, spin_orbit=ACROSS,
            channel_current=np.inf,
        )  # fmt: skip


def test_step_limit_counts_the_fields_of_the_channel():
    spin, torque = perpendicular(), SpinOrbitTorque(1.0, field_like=1.0)
    limit = llgs.largest_step(spin, 0.0, torque.largest_field_per_current * 0.5)
    assert limit < 0.5 * llgs.largest_step(spin)
    arguments = {"duration": 1e-10, "spin_orbit": torque}
    for function, drive in (
        (llgs.simulate, {"channel_current": -0.5}),
        (llgs.simulate_on_load_line, {"current": [0.0], "channel_current": [0.3, -0.2]}),
    ):
        with pytest.raises(InputError, match=rf"^step: got .*; allowed: at most {limit:.4g} s"):
            function(spin, unit(0.1, 0.0, 1.0), step=1.1 * limit, **drive, **arguments)
        function(spin, unit(0.1, 0.0, 1.0), step=limit, **drive, **arguments)
