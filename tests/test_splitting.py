"""Splitting of rare write errors against the Fokker-Planck equation, plain counts, and its own scatter.

Seeds are fixed; the limits of each statistical test would fail for a right program and another seed with a
probability below 1e-4. scripts/splitting_coverage.py measures the coverage of the intervals at length.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import constants, stats
from test_langevin import study

from mtjchar.cells.base import Counting
from mtjchar.cells.stt import axial, rare_writes
from mtjchar.cells.stt.langevin import count_failures
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck, llgs, splitting
from mtjchar.physics.wells import WriteWells, wells
from mtjchar.surfaces import average_devices
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory
from mtjchar.sweep.tasks import COUNTED_ALL_THE_SAME, Task, characterize

STABILITY = 40.0


def macrospin(damping=0.3, **changes):
    magnetization, field, temperature = 1e6, 0.4, 300.0
    volume = STABILITY * constants.k * temperature / (0.5 * magnetization * field)
    return llgs.Macrospin(magnetization, volume, damping, field, temperature, **changes)


def generator(seed):
    return np.random.Generator(np.random.SFC64(seed))


def test_systematic_resampling_keeps_the_expected_weights():
    cell = np.array([0, 0, 0, 3, 3, 7])
    weight = np.array([0.5, 1e-9, 0.2, 1e-12, 3e-12, 0.1])
    places = np.array([4, 4, 4, 2, 2, 5])
    rng = generator(1)
    draws = [splitting.systematic(weight, cell, places, rng) for _ in range(5_000)]
    copies = np.array([copied for copied, _ in draws])
    # Every cell has its places, whatever the draw, and its weight.
    assert np.all(copies[:, :3].sum(axis=1) == 4)
    assert np.all(copies[:, 3:5].sum(axis=1) == 2)
    assert np.all(copies[:, 5] == 5)
    carried = copies * np.array([each for _, each in draws])
    np.testing.assert_allclose(carried[:, :3].sum(axis=1), weight[:3].sum(), rtol=1e-12)
    # On average each walker keeps its weight; a copy more or less: a standard error below 0.5/sqrt(5,000).
    expected = places * weight / np.array([0.7 + 1e-9] * 3 + [4e-12] * 2 + [0.1])
    np.testing.assert_allclose(copies.mean(axis=0), expected, atol=4.5 * 0.0071)


def test_bins_halve_the_barrier_and_part_the_wells():
    spin = macrospin()
    well = WriteWells.of(wells(STABILITY, 0.4, 0.0, (0.0, 0.0, 0.0)), 0, -1.0)
    # Analytic: E/Delta above the bottom is sin^2 of the polar angle.
    edges = np.array([-12.0, 0.0, 8.0])
    share = np.array([0.9, 0.4, 0.2, 1e-3, 0.9, 1e-3])
    z = np.sqrt(1.0 - share) * np.array([1, 1, 1, 1, -1, -1])
    level, height = well.level(spin, np.stack([np.sqrt(share), 0 * z, z]), 6, edges)
    # In the written well by the depth below the saddle: 4 and 39.96 kT.
    assert level.tolist() == [0, 1, 2, 5, 6 + 1, 6]
    np.testing.assert_allclose(height, STABILITY * (share - 1.0), rtol=1e-12)
    hard = macrospin(demagnetizing=(0.0, 0.03, 0.0))
    above = well.level(hard, np.array([[0.0], [1.0], [0.0]]), 6, edges)[0]
    assert above.tolist() == [6 + 2]  # 3.8 kT


@pytest.mark.slow
def test_rates_from_1e_1_to_1e_9_are_those_of_fokker_planck():
    spin = macrospin()
    tau = np.array([3.0, 4.0, 6.0, 8.0, 10.0, 12.0])
    exact = np.stack([fokker_planck.write_error_rate(overdrive, STABILITY, tau) for overdrive in (2.0, 1.6)])
    current = -spin.critical_current * np.array([[2.0, 1.6]])
    found = splitting.write_error_rate(
        spin, current, tau * spin.relaxation_time, target=-1.0, walkers=500, rng=generator(2)
    )
    assert exact.max() > 0.1
    assert exact.min() < 1e-9
    assert found.error_rate.shape == (2, 6)
    assert np.all(found.returned == 0.0)
    # Own measurement: 5 to 16 %. The scheme adds 3 % at 1e-9.
    relative = found.standard_error / found.error_rate
    assert np.all(relative < 0.25)
    limit = stats.t.isf(1e-5, len(found.replicas) - 1) * relative + 0.04
    assert np.all(np.abs(np.log(found.error_rate / exact)) < limit)
    lower, upper = found.interval()
    assert np.mean((lower < exact) & (exact < upper)) > 0.5


@pytest.mark.slow
def test_intervals_hold_the_rate_in_repetitions():
    spin, tau = macrospin(), np.array([3.0, 5.0])
    exact = fokker_planck.write_error_rate(2.0, STABILITY, tau)
    held = []
    for seed in range(16):
        found = splitting.write_error_rate(
            spin,
            [-2.0 * spin.critical_current],
            tau * spin.relaxation_time,
            target=-1.0,
            walkers=150,
            replicas=8,
            rng=generator(100 + seed),
        )
        lower, upper = (bound[0] for bound in found.interval())
        held.append((lower <= exact) & (exact <= upper))
    # 16 repetitions at 92 % and more: fewer than 9 in 4e-6 of cases.
    assert np.all(np.sum(held, axis=0) >= 9)


@pytest.mark.slow
@pytest.mark.parametrize("target", [-1.0, 1.0])
def test_rates_with_tilt_field_and_ellipse_are_those_of_plain_trials(target):
    tilt = 0.15
    spin = macrospin(
        demagnetizing=(0.0, 0.02, 0.0),
        reference=(np.sin(tilt), 0.0, np.cos(tilt)),
        field=(0.02, 0.01, -0.01),
    )
    current, times = target * 2.0 * spin.critical_current, np.array([2.5, 4.0]) * spin.relaxation_time
    found = splitting.write_error_rate(spin, [current], times, target=target, walkers=300, rng=generator(3))
    trials, rng = 6000, generator(4)
    step = 0.25 * llgs.largest_step(spin, current)
    m = llgs.equilibrium(spin, trials, rng, well=(0.0, 0.0, -target))
    pulse = llgs.simulate(spin, m, duration=times[-1], step=step, current=current, record=times, rng=rng)
    both = wells(STABILITY, 0.4, constants.mu_0 * 1e6 * 0.02, spin.field)
    for k, state in enumerate(pulse.m):
        after = llgs.simulate(spin, state, duration=8 * spin.relaxation_time, step=2 * step, rng=rng).m[-1]
        failures = int(np.sum(target * (after[2] - both.saddle[0]) < 0.0))
        rate, error = found.error_rate[0, k], found.standard_error[0, k]
        assert failures > 20
        scatter = np.hypot(error, np.sqrt(rate * (1 - rate) / trials))
        assert abs(failures / trials - rate) < stats.t.isf(1e-5, 15) * scatter


@pytest.mark.slow
def test_returns_from_the_written_well_are_followed_and_stated():
    # The drive changes sign with m_z: i = 1.2 in the initial well, and -1 in the written one: it flattens it.
    # The Fokker-Planck equation has the error rate of that, too.
    spin, tau = macrospin(), np.array([15.0, 45.0])
    exact = fokker_planck.write_statistics(
        lambda z: 0.1 + 1.1 * z, np.array([STABILITY]), tau[None, :]
    ).error_rate[0]
    found = splitting.write_error_rate(
        spin,
        np.array([-0.1, -1.1]) * spin.critical_current,
        tau * spin.relaxation_time,
        target=-1.0,
        walkers=300,
        holds=False,
        rng=generator(5),
    )
    limit = stats.t.isf(1e-5, 15) * found.standard_error[0]
    assert np.all(np.abs(found.error_rate[0] - exact) < limit)
    assert np.all(found.standard_error < 0.2 * found.error_rate)
    share = found.returned.mean(axis=0)[0] / found.error_rate[0]
    assert share[0] < 0.05 < share[1]
    # Walkers deep in the written well stay there.
    assert np.all(found.unseen.mean(axis=0) < 1e-4 * exact)


def test_writes_that_all_fail_have_the_rate_1():
    # A drive that holds the initial state. 102 walkers in bins of unequal sizes: sums of their weights round.
    spin = macrospin()
    for seed in range(3):
        found = splitting.write_error_rate(
            spin, [0.5 * spin.critical_current], np.linspace(0.0, 2.0, 5) * spin.relaxation_time,
            target=-1.0, walkers=102, replicas=7, rng=generator(seed),
        )  # fmt: skip
        assert np.all(found.error_rate <= 1.0)
        np.testing.assert_allclose(found.error_rate, 1.0, rtol=1e-12)


def test_pulses_below_what_is_verified_end_early():
    spin = macrospin()
    found = splitting.write_error_rate(
        spin,
        [-20.0 * spin.critical_current],
        np.array([1.0, 2.0, 500.0]) * spin.relaxation_time,
        target=-1.0,
        walkers=100,
        replicas=4,
        rng=generator(6),
    )
    assert np.all(found.error_rate[0, 1:] < 1e-15)
    assert found.error_rate[0, 2] <= 1e-20


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"duration": [2e-9, 1e-9]}, "duration: got"),
        ({"duration": [-1e-9]}, "duration: got"),
        ({"target": 0.0}, r"target: got 0\.0; allowed: 1 \(P\) or -1 \(AP\)"),
        ({"walkers": 50}, "walkers: got 50; allowed: at least 100"),
        ({"replicas": 3}, "replicas: got 3; allowed: at least 4"),
        ({"macrospin": macrospin(field=(0.0, 0.0, 0.5))}, "no two wells"),
    ],
)
def test_bad_input_is_refused(changes, words):
    given = {"macrospin": macrospin(), "current": [1e-5], "duration": [1e-9], "target": 1.0} | changes
    with pytest.raises(InputError, match=words):
        splitting.write_error_rate(
            given.pop("macrospin"), given.pop("current"), given.pop("duration"), **given, rng=generator(1)
        )


AMPLITUDES, DURATIONS = np.array([0.7, 0.9]), np.array([2e-9, 4e-9, 8e-9])


def in_cell(asked, direction, splits, trials=1600):
    devices = Population(asked).nominal()
    pulses = asked.pulses.at(AMPLITUDES, DURATIONS)
    lines = load_lines(asked, cell_parameters(asked, devices), direction, pulses)
    counted = count_failures(asked, devices, direction, lines, pulses, Counting(trials, 3, splits))
    return counted, axial.average_over_noise(asked, devices, direction, lines, pulses)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("direction", "stack"),
    [("p_to_ap", {}), ("ap_to_p", {"torque": "voltage", "vcma_coefficient": 30e-15})],
    ids=["current", "vcma"],
)
def test_rates_of_cells_are_those_of_fokker_planck(direction, stack):
    # A tilt of 1e-6 rad breaks the symmetry and changes nothing. Load line and edges are the cell's.
    asked = study(tilt=1e-6, stack=stack)
    split, exact = in_cell(asked, direction, splits=True)
    plain, _ = in_cell(asked, direction, splits=False)
    assert plain.standard_error is None
    assert exact.error_rate.min() < 1e-6
    relative = split.standard_error / split.error_rate
    assert np.all(relative < 0.6)
    limit = stats.t.isf(1e-5, splitting.REPLICAS - 1) * relative + 0.05
    assert np.all(np.abs(np.log(split.error_rate / exact.error_rate)) < limit)
    # Energies are those of the counted walkers, to the bit.
    np.testing.assert_array_equal(split.energy_J, plain.energy_J)
    np.testing.assert_array_equal(split.redundant_energy_J, plain.redundant_energy_J)


def sweep(**changes):
    keys = {"rare_events": "splitting", "trials": 1600, "directions": ("p_to_ap",), "devices": 2}
    grid = {
        "amplitude": {"start": 0.7, "stop": 0.9, "points": 2},
        "duration": {"start": 2e-9, "stop": 6e-9, "points": 3},
    }
    return study(x=0.005).with_(sweep={**keys, **grid, **changes})


def test_a_study_requires_it_and_default_studies_do_not_have_the_key():
    asked = sweep()
    assert asked.split
    assert 'rare_events = "splitting"' in asked.to_toml()
    assert "rare_events" not in sweep(rare_events="count").to_toml()
    # Where error rates are computed it has no effect, as trials have none.
    assert not asked.with_(cell={"external_field": {"x": 0.0}}).split
    with pytest.raises(InputError, match="allowed: at least 400 with rare_events"):
        sweep(trials=100)


@pytest.mark.slow
def test_surface_has_rates_far_below_one_over_trials(tmp_path):
    asked = sweep()
    devices = Population(asked).draw()
    samples = characterize(Task(asked, devices, "p_to_ap"))
    assert np.all(samples["status"] == "ok")
    rate, error = samples["write_error_rate"].to_numpy(), samples["standard_error"].to_numpy()
    assert rate.min() < 1e-5
    assert np.all(error[np.isfinite(error)] > 0.0)
    directory = RunDirectory.create(tmp_path / "run", asked, devices)
    directory.write_part("one", samples)
    data = average_devices(directory.path).dataset.sel(direction="p_to_ap")
    cube = rate.reshape(2, 2, 3)
    np.testing.assert_allclose(data["ber"], cube.mean(axis=0), rtol=1e-12)
    # Both devices' errors, in squares, with Student's t of the replicas.
    together = np.sqrt((error.reshape(2, 2, 3) ** 2).sum(axis=0)) / 2
    reach = stats.t.ppf(0.975, splitting.REPLICAS - 1) * together / cube.mean(axis=0)
    assert np.all(data["ber_upper"] >= data["ber"] * np.exp(np.minimum(reach, 0.0)))
    assert np.all(np.log(data["ber"] / data["ber_lower"]) >= reach * (1 - 1e-9))
    assert np.all(data["errors"] > 0)
    assert "splitting" in data.attrs["counts"]


@pytest.mark.slow
def test_unreliable_splitting_is_counted_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(rare_writes, "_LARGEST_ERROR", 0.0)
    short = {"duration": {"start": 1e-9, "stop": 2e-9, "points": 2}, "devices": 1}
    asked = sweep(**short)
    devices = Population(asked).draw()
    samples = characterize(Task(asked, devices, "p_to_ap"))
    assert samples["standard_error"].isna().all()
    assert np.all(samples["note"] == COUNTED_ALL_THE_SAME)
    failures = 1600 * samples["write_error_rate"].to_numpy()
    np.testing.assert_allclose(failures, np.rint(failures), atol=1e-9)
    # Pooled as counts: the surface is that of a study that counts.
    directory = RunDirectory.create(tmp_path / "split", asked, devices)
    directory.write_part("one", samples)
    split = average_devices(directory.path).dataset
    plain = sweep(**short, rare_events="count")
    directory = RunDirectory.create(tmp_path / "plain", plain, devices)
    directory.write_part("one", samples.drop(columns="standard_error"))
    counted = average_devices(directory.path).dataset
    for name in ("ber", "ber_lower", "ber_upper", "trials", "errors"):
        np.testing.assert_allclose(split[name], counted[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("rate", "counted", "differs"),
    [(0.1, 0.1, False), (0.1, 0.2, True), (0.3, 0.1, True), (1e-9, 0.0, False), (1e-9, 0.01, True)],
)
def test_counts_that_contradict_splitting_are_noticed(rate, counted, differs):
    found = rare_writes._contradicted(*(np.array([each]) for each in (rate, 0.05 * rate, counted)), 1000)
    assert bool(found[0]) == differs


def test_damaged_standard_errors_are_refused(tmp_path):
    asked = sweep()
    devices = Population(asked).draw()
    table = pd.DataFrame(
        {
            "device": [0], "direction": ["p_to_ap"], "amplitude_V": [0.7], "duration_s": [2e-9],
            "write_error_rate": [0.1], "energy_J": [1e-13], "redundant_energy_J": [1e-13], "trials": [800],
            "status": ["ok"], "reason": [""], "standard_error": [-1.0],
        }
    )  # fmt: skip
    directory = RunDirectory.create(tmp_path / "run", asked, devices)
    directory.write_part("one", table)
    with pytest.raises(InputError, match="column standard_error: got -1"):
        directory.samples()
