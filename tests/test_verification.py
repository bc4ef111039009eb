"""Comparisons of docs/verification.md that no other test has, smaller than on the page.

The comparisons themselves are in scripts/verification. Every statistical test here has a fixed seed and a
false-alarm rate of 1e-9 per comparison.
"""

import re
import sys

import numpy as np
import pytest
from common import ROOT
from scipy.interpolate import CubicSpline

from mtjchar.physics import fokker_planck

sys.path.insert(0, str(ROOT / "scripts"))
import verify
from verification import circuits, ensembles, langevin, solver

FALSE_ALARM = ensembles.ALARM


def test_stated_false_alarm_rate():
    assert FALSE_ALARM == 1e-9  # as the head of this file and the page say


# ---- netlists without noise ----


@pytest.mark.parametrize(("line", "volt"), [("bitline", 0.8), ("sourceline", 0.9)])
def test_switching_time_of_the_vector_netlist_is_that_of_the_axial_one(line, volt):
    # Another netlist of the same cell, both directions, generic NMOS, asymmetry, field-like torque, VCMA.
    axial, vector = (
        circuits.crossing(*circuits.cell_write(m, line, volt, 4e-9)) for m in ("axial", "vector")
    )
    assert vector - 0.1e-9 == pytest.approx(axial - 0.1e-9, rel=5e-3, abs=0)


def test_vector_netlist_follows_the_ensemble_with_every_term():
    # Another program: llgs.simulate, step 0.2 ps, off by 1.2e-4 itself (measured against step 0).
    times, m = circuits.ensemble_path(5e-9, 2e-13, records=1001)
    time, found = circuits.netlist_path(5e-9)
    assert m[0, 2] > 0.9
    assert m[-1, 2] < -0.9
    np.testing.assert_allclose(found, CubicSpline(times, m)(time), rtol=0, atol=1e-3)


@pytest.mark.parametrize("program", ["netlist", "llgs"])
def test_energy_is_kept(program):
    # Analytic: dE/dt = 0 without damping and current; measured 1.6e-5 and 2e-6 of the anisotropy.
    assert circuits.energy_drift(program, 2e-9) < 1e-4


@pytest.mark.parametrize("program", ["netlist", "llgs"])
@pytest.mark.parametrize("name", circuits.KITTEL)
def test_precession_is_kittels(program, name):
    # Kittel, Phys. Rev. 73, 155 (1948). The angle of 0.01 costs 5e-5, the steps up to 8e-5.
    assert circuits.measured_frequency(name, program) == pytest.approx(circuits.kittel(name), rel=3e-4)


def test_step_of_the_axial_cell():
    # The same cell with a largest step of 1 ps. The trapezoidal rule is of order 2, the error of one step of
    # order 3: with 1/64 of it allowed, steps are a quarter as long and the error is a sixteenth. ngspice
    # chooses steps by estimates: a tenth is asked for; measured 1/13.6.
    truth, _ = circuits.sweep_cell(1e-12)
    at_used, points = circuits.sweep_cell()
    finer, more = circuits.sweep_cell(finer=64.0)
    errors = np.abs(np.array([at_used, finer]) / truth - 1)
    assert more > 2.5 * points
    assert errors[0] < 2e-3
    assert errors[1] < errors[0] / 10


# ---- Fokker-Planck ----

TABLE = solver.reference()


def test_reference_table_covers_what_it_should():
    # 50 digits, see scripts/verification/reference.py: its own error and where its definition ends.
    assert len(TABLE.stability) >= 60
    assert set(TABLE.stability) == {20.0, 40.0, 60.0, 90.0, 120.0}
    assert set(TABLE.overdrive) == {0.3, 0.6, 0.9, 1.2, 1.5, 2.0, 3.0, 5.0, 8.0}
    assert np.all((TABLE.write_error_rate < 0.91) & (TABLE.write_error_rate > 9e-16))
    assert np.all(np.abs(TABLE.error) < 1e-9)
    assert np.all(np.abs(TABLE.definition[TABLE.stability > 20]) < 1e-6)


@pytest.mark.parametrize("stability", np.unique(TABLE.stability))
def test_error_rates_are_those_of_the_reference(stability):
    # tests/reference/fokker_planck.csv, made by scripts/verification/reference.py in 50 digits.
    own = solver.Reference(*(column[stability == TABLE.stability] for column in TABLE))
    assert np.all(np.abs(solver.deviation(own)) < solver.LIMIT + np.abs(own.definition))


# ---- ensembles ----


@pytest.mark.parametrize("ensemble", ["vector", "reduced"])
@pytest.mark.parametrize(
    "pulse", ensembles.PULSES, ids=lambda pulse: f"{pulse.stability:g}-{pulse.overdrive:g}"
)
def test_error_rates_of_the_ensembles_from_most_to_one_in_a_thousand(pulse, ensemble):
    # Fokker-Planck; binomial, two sides, 1e-9 for each of four durations.
    walkers = 10_000 if ensemble == "vector" else 40_000
    durations, errors = ensembles.count_errors(pulse, ensemble, walkers, seed=5)
    expected = fokker_planck.write_error_rate(pulse.overdrive, pulse.stability, durations)
    assert expected[0] > 0.85
    assert expected[-1] < 1.2e-3
    for count, rate in zip(errors.tolist(), expected.tolist(), strict=True):
        assert ensembles.within_chance(count, walkers, rate, FALSE_ALARM)


def test_orders_of_the_vector_ensemble():
    # Theory: strong order 1/2, from successive halvings on the same paths. Weak order 2: the change of the
    # mean is below what can be measured, 0 within 6.2 standard errors (false-alarm rate 6e-10 each of two).
    found = ensembles.halved_steps("vector", 24)
    assert ensembles.slope(found.steps, found.strong) > 0.45
    assert np.all(found.weak[:2] < 6.2 * found.error[:2])
    assert found.error[0] < 2e-4


def test_weak_and_strong_order_of_the_reduced_ensemble():
    # Theory: 1 and 1, in the same way. Measured weak 1.44 with a standard error of 0.02; the limit is more
    # than six of these away.
    found = ensembles.halved_steps("reduced", 4)
    assert ensembles.slope(found.steps[:3], found.weak[:3]) > 1.0
    assert ensembles.slope(found.steps, found.strong) > 0.9


# ---- noise in ngspice, and equilibrium ----


@pytest.mark.parametrize(
    ("point", "trajectories"), list(zip(langevin.POINTS, (150, 150, 240, 360), strict=True)),
    ids=lambda value: f"{value.overdrive:g}-{value.stability:g}" if isinstance(value, langevin.Point) else "",
)  # fmt: skip
def test_error_rate_of_the_netlist_with_noise(point, trajectories):
    # Fokker-Planck; binomial, two sides, 1e-9 each. Rates of 0.9, 0.45, 0.08 and 0.01.
    errors = langevin.count_errors(point, trajectories, seed=7)
    expected = float(fokker_planck.write_error_rate(*point))
    assert ensembles.within_chance(errors, trajectories, expected, FALSE_ALARM)


@pytest.mark.parametrize("program", ["netlist", "llgs"])
def test_all_components_have_boltzmanns_distribution(program):
    # Quadrature over the sphere, written out in scripts/verification; Kolmogorov and Smirnov, 1e-9 each.
    if program == "netlist":
        spin, m, worth = langevin.thermalized(langevin.DECK, 8)
    else:
        worth = 20_000
        spin, m = ensembles.thermalized(worth)
    limit = ensembles.kolmogorov_limit(worth, FALSE_ALARM)
    assert max(ensembles.distances(spin, m)) < limit
    # The test can tell the axes from each other.
    if program == "llgs":
        assert min(ensembles.distances(spin, m[[1, 0, 2]])[:2]) > limit


# ---- the page ----


def test_page_holds_every_part():
    page = verify.PAGE.read_text(encoding="utf-8")
    for name in verify.PARTS:
        table = re.search(rf"<!-- table: {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)
        assert table, name
        assert "| pass |" in table[1]
    assert "**fail**" not in page
    figures = re.findall(r"\]\((figures/[^)]+)\)", page)
    assert figures
    assert all((ROOT / "docs" / figure).is_file() for figure in figures)
