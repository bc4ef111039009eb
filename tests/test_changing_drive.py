"""Small probabilities of switching in a drive that changes."""

from pathlib import Path

import numpy as np
import pytest

from mtjchar.physics import changing_drive, fokker_planck, rare_switching
from mtjchar.physics.passage import escape_rate

HELD = np.genfromtxt(
    Path(__file__).parent / "reference/held_drives.csv", delimiter=",", names=True, skip_header=3
)


def constant(overdrive, stability, longest, steps=40):
    """Probabilities at equal steps up to a time, one system, in a constant drive."""
    drive = np.array([overdrive])
    return changing_drive.switching_probability(
        lambda z, _: np.full_like(z, overdrive), np.array([stability]), np.zeros(1),
        np.full((steps, 1), longest / steps), largest=drive, smallest=drive,
    )[:, 0]  # fmt: skip


@pytest.mark.parametrize(
    ("overdrive", "stability", "longest"),
    [
        (0.5, 43.0, 0.3),
        (0.5, 43.0, 3.0),
        (0.5, 43.0, 30.0),
        (0.9, 43.0, 3.0),
        (0.3, 80.0, 0.3),
        (0.3, 80.0, 30.0),
    ],
)
def test_constant_drive_agrees_with_the_transform(overdrive, stability, longest):
    # Another method for the same equation: a Laplace transform, with 1e-20 and below.
    found = constant(overdrive, stability, longest)
    expected = rare_switching.switching_probability(
        lambda z: np.full_like(z, overdrive), np.array([stability]), np.zeros(1), np.zeros(40, np.intp),
        longest * np.arange(1, 41) / 40,
    )  # fmt: skip
    assert expected[0] < 1e-7
    np.testing.assert_allclose(np.log10(found), np.log10(expected), atol=0.04)


@pytest.mark.parametrize(("overdrive", "stability"), [(0.3, 40.0), (0.3, 60.0), (0.5, 60.0)])
def test_growth_in_time_is_the_rate_of_escape(overdrive, stability):
    # Delta (1 - i)^2 is 15 to 29, in the range of the passage time.
    found = constant(overdrive, stability, 40.0, 80)
    rate = (found[-1] - found[39]) / 20.0
    assert rate == pytest.approx(float(escape_rate(overdrive, stability)), rel=0.02)


def test_a_drive_that_fades_agrees_with_the_solver_of_writes():
    # As stages of a write: the density itself, whose complement has 1e-12 at best. Delta = 20 is low enough.
    stability, lengths = np.array([20.0]), np.full(40, 0.05)
    level = 1.2 * np.exp(-np.cumsum(lengths))
    found = changing_drive.switching_probability(
        lambda z, step: np.full_like(z, level[step]), stability, np.zeros(1), lengths[:, None],
        largest=np.array([1.2]), smallest=np.zeros(1),
    )  # fmt: skip
    stages = [
        fokker_planck.Stage(lambda z, own=own: np.full_like(z, own), np.array([length]))
        for own, length in zip(level, lengths, strict=True)
    ]
    whole = fokker_planck.write_statistics(
        lambda z: np.zeros_like(z), stability, np.zeros((1, 1)), lambda z: np.zeros_like(z), rise=stages
    )
    expected = 1.0 - float(whole.error_rate[0, 0])
    assert 1e-6 < expected < 1e-2
    assert float(found[-1, 0]) == pytest.approx(expected, rel=0.03)


def test_a_drive_that_holds_lowers_the_probability():
    without, held = constant(0.0, 43.0, 3.0), constant(-0.5, 43.0, 3.0)
    assert np.all(held < without)
    assert np.all(held > 0.0)
    assert np.all(np.diff(held) < 0.0)


@pytest.mark.parametrize(("overdrive", "stability"), [(-0.2, 80.0), (-0.5, 43.0), (-0.5, 80.0)])
def test_a_constant_drive_that_holds_agrees_with_the_steps(overdrive, stability):
    # The sum over the contour was too high by 4 to 8 decades at i = -0.5.
    expected = constant(overdrive, stability, 6.0, 60)
    found = rare_switching.switching_probability(
        lambda z: np.full_like(z, overdrive), np.array([stability]), np.zeros(1), np.zeros(60, np.intp),
        6.0 * np.arange(1, 61) / 60,
    )  # fmt: skip
    assert np.all(np.diff(found) < 0.0)
    np.testing.assert_allclose(np.log10(found), np.log10(expected), atol=0.04)


def test_constant_drives_that_hold_meet_the_reference():
    # Expected: scripts/verification/held_reference.py, Legendre polynomials in 130 digits, no time steps. Two
    # methods up to 8 t_D and one after it: long implicit steps are as good. Largest at 1e-61: 0.056 decades.
    table = HELD[HELD["fading"] == 0.0]
    device, tau = np.arange(len(table)), table["reduced_time"]
    found = rare_switching.switching_probability(
        lambda z: table["overdrive"] * np.ones_like(z), table["stability"], np.zeros(len(table)), device, tau
    )
    assert table["probability"].min() < 1e-66
    assert tau.max() > 7.0 * changing_drive.SETTLED
    deviation = np.log10(found / table["probability"])
    # By definition a bit that has switched stays so. Over a barrier below 1 kT it returns.
    stays = (table["stability"] * (1.0 + table["overdrive"]) ** 2 > 1.0) | (tau <= 20.0)
    assert (~stays).sum() == 2
    assert np.abs(deviation[stays]).max() < 0.06
    assert np.median(np.abs(deviation)) < 0.01
    assert np.all(deviation[~stays] > 0.0)


def test_a_fading_drive_that_holds_meets_the_reference():
    # Expected: as above, with the same steps; the probability falls to 1e-28 and rises as the drive fades.
    table = HELD[HELD["fading"] > 0.0]
    start, fading, stability = (table[name][0] for name in ("overdrive", "fading", "stability"))
    growing = np.geomspace(0.1, 40.0, 1 + int(np.ceil(np.log(400.0) / np.log(1.25))))
    edges = np.concatenate([np.linspace(0.0, 0.1, 5), growing[1:]])
    level = -start * fading * np.diff(np.exp(-edges / fading)) / np.diff(edges)
    found = changing_drive.switching_probability(
        lambda z, step: np.full_like(z, level[step]), np.array([stability]), np.zeros(1),
        np.diff(edges)[:, None], largest=np.zeros(1), smallest=np.array([level.min()]),
    )[:, 0]  # fmt: skip
    assert found.min() < 1e-27
    places = np.abs(edges[1:, None] / table["reduced_time"] - 1.0).argmin(axis=0)
    np.testing.assert_allclose(np.log10(found[places] / table["probability"]), 0.0, atol=0.03)


def test_drives_that_hold_and_disturb_are_solved_together():
    # Each pulse has the value that it has alone, in any order and beyond the time of settling.
    levels, delta, tau = np.array([-0.5, 0.4]), np.array([43.0, 60.0]), np.array([0.3, 20.0, 3.0, 3.0])
    device = np.array([0, 1, 1, 0])
    solve = rare_switching.switching_probability
    together = solve(lambda z: levels * np.ones_like(z), delta, np.zeros(2), device, tau)
    for which, (one, time) in enumerate(zip(device, tau, strict=True)):
        own = levels[one]
        alone = solve(
            lambda z, own=own: np.full_like(z, own), delta[[one]], np.zeros(1), np.zeros(1, np.intp),
            np.array([time]),
        )  # fmt: skip
        assert np.log(together[which]) == pytest.approx(np.log(alone[0]), abs=0.02)


def test_a_short_drive_is_far_from_a_constant_one():
    # The bound by the largest drive is too high by decades: reads need the drive as it fades.
    level = 0.9 * np.exp(-np.arange(40) / 4.0)
    faded = changing_drive.switching_probability(
        lambda z, step: np.full_like(z, level[step]), np.array([43.0]), np.zeros(1), np.full((40, 1), 0.05),
        largest=np.array([0.9]), smallest=np.zeros(1),
    )  # fmt: skip
    assert float(faded[-1, 0]) < 1e-8 * constant(0.9, 43.0, 2.0)[-1]
