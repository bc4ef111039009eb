"""Bitwise reads from the circuit to the answer: columns in ngspice, sampling, surface, files, commands."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from bitwise_cases import PARALLEL, READS, TMR, analytic_curves, analytic_groups, cells_levels
from common import DEMO, InPlace
from rich.console import Console
from scipy.special import ndtr

import mtjchar
from mtjchar import plotting
from mtjchar.cells.bitwise import Bitwise
from mtjchar.cli.reading import _of_operation
from mtjchar.errors import InputError, OutsideGridError, SimulationError
from mtjchar.export import Settings, export_surface
from mtjchar.physics import sensing
from mtjchar.physics.bitwise import OPERATIONS, combinations, error_rates, optimal_references
from mtjchar.surfaces import BitwiseSurface, average_bitwise, average_devices, average_reads
from mtjchar.surfaces.bitwise_average import References, bitwise_dataset
from mtjchar.surfaces.read_average import PopulationMean
from mtjchar.sweep import bitwise_population, importance, read_population
from mtjchar.sweep.bitwise_tasks import group_rows
from mtjchar.sweep.part_folders import GROUP_SAMPLES
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory

LINE, INPUT, ON = 40e-15, 10e-15, 1000.0
IDEAL = {
    "transistor": {"model": "ideal", "on_resistance": ON, "width": 300e-9, "length": 30e-9},
    "bitline": {"resistance": 1.0, "capacitance": LINE},
    "sourceline": {"resistance": 1.0, "capacitance": 0.0},
}
TURNED_ON = 100e-12 * 0.05 / 1.4  # the gate reaches the ideal transistor's 50 mV
GRID = {
    "voltage": {"start": 0.05, "stop": 0.15, "points": 2},
    "time": {"start": 0.15e-9, "stop": 0.5e-9, "points": 3},
}
SMALL = {
    "amplitude": {"points": 2, "start": 0.9, "stop": 1.0},
    "duration": {"points": 2, "start": 5e-9, "stop": 10e-9},
}


def ideal(mode="discharge", cells=2, **bitwise):
    read = {
        "mode": mode,
        **GRID,
        "amplifier": {"input_capacitance": INPUT},
        "bitwise": {"cells": cells, **bitwise},
    }
    return DEMO.with_(cell=IDEAL, stack={"tmr_half_bias": 9.9}, read=read)


# ---- the circuit ----


@pytest.mark.parametrize(
    ("mode", "cells"), [("discharge", 2), ("discharge", 3), ("charge", 2), ("current", 2)]
)
def test_levels_are_the_closed_forms_with_ideal_transistors(mode, cells):
    # Analytic: conductances in parallel discharge or charge one capacitance, or their currents add up.
    # Tolerance: that of single reads in tests/test_read_cell.py, the transistor turns on gradually.
    study = ideal(mode, cells)
    kind, tables, nominal = study.kind, study.tables, Population(study).nominal()
    reads = kind.reads_together(tables, cells)
    group = pd.concat([nominal] * cells, ignore_index=True)
    found = kind.sense_together(tables, group, reads, cells)
    assert np.all(found.status == "ok")
    assert np.all(found.failure == "")
    voltage, time = reads.voltage_V[:, None], reads.time_s - TURNED_ON
    low, high = kind.resistances(nominal)
    for inputs, states in enumerate(combinations(cells)):
        path = 1.0 / np.sum(1.0 / (np.where(states == 1, high, low) + ON)) + 2.0
        if mode == "discharge":
            level = sensing.discharged_level(voltage, time, path, LINE + INPUT)
        elif mode == "charge":
            level = sensing.charged_level(voltage, time, path, LINE + INPUT)
        else:
            level = voltage / path + 0.0 * time
        scale = voltage.max() if mode != "current" else level.max()
        np.testing.assert_allclose(found.level[0, inputs], level, atol=1e-2 * scale)
    assert reads.one_is_higher == (mode == "discharge")


def test_a_group_of_equal_resistances_is_between_the_cells():
    study = ideal()
    kind, tables, nominal = study.kind, study.tables, Population(study).nominal()
    reads = kind.reads_together(tables, 2)
    low, high = kind.resistances(nominal)
    found = kind.sense_together(tables, pd.concat([nominal] * 2, ignore_index=True), reads, 2)
    levels = kind.sense_resistances(tables, nominal, reads, 2, np.array([low, 0.5 * (low + high), high]))
    # By definition, resistors of R_P and R_AP are the cells in P and in AP; tmr_half_bias leaves 0.1 %.
    np.testing.assert_allclose(levels[[0, 2]], found.level[0, [0, 3]], atol=2e-4)
    assert np.all((levels[1] > levels[0]) & (levels[1] < levels[2]))


def test_energy_is_that_of_the_line_and_each_disturb_that_of_a_read():
    # Analytic: a line that is discharged had taken C V^2 from its driver; the ideal gates take nothing.
    study = ideal()
    kind, tables, nominal = study.kind, study.tables, Population(study).nominal()
    reads = kind.reads_together(tables, 2)
    found = kind.sense_together(tables, pd.concat([nominal] * 2, ignore_index=True), reads, 2)
    expected = (LINE + INPUT) * reads.voltage_V[:, None] ** 2 + 0.0 * reads.time_s
    np.testing.assert_allclose(
        found.energy_J[0], np.broadcast_to(expected, found.energy_J[0].shape), rtol=0.01
    )
    # A second cell takes the charge away faster, so that the current is shorter. It favours P here (the free
    # layer is at the bit line): AP is disturbed less than alone, and P, which it protects, more.
    alone = kind.sense(tables, nominal, reads).disturb_rate[0]
    ratio = found.disturb_rate[0, [0, 3]] / alone
    assert np.all((ratio[1] > 0.1) & (ratio[1] < 1.0))
    assert np.all((ratio[0] < 10.0) & (ratio[0] > 1.0))


def test_tmr_of_all_cells_is_multiplied_by_the_contrast():
    study = ideal()
    kind, tables = study.kind, study.tables
    group = pd.concat([Population(study).nominal()] * 2, ignore_index=True)
    reads = kind.reads_together(tables, 2)
    twice = kind.sense_together(tables, group, reads, 2, contrast=2.0)
    other = study.with_(stack={"tmr": 2.0 * study.stack.tmr})
    group = pd.concat([Population(other).nominal()] * 2, ignore_index=True)
    expected = kind.sense_together(other.tables, group, reads, 2)
    np.testing.assert_allclose(twice.level, expected.level, rtol=1e-9)


# ---- the table ----


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"cells": 3, "operations": ["xor"]}, "and, or, majority for 3 cells"),
        ({"operations": ["and", "and"]}, "each once"),
        ({"operations": []}, "each once"),
        ({"references": "best"}, 'allowed: "optimal", or a list'),
        ({"references": 3}, 'allowed: "optimal", or a list'),
        ({"cells": [2]}, "2 or 3"),
        ({"references": ["5 kohm"]}, "2 ascending resistances"),
        ({"references": ["7 kohm", "5 kohm"]}, "2 ascending resistances"),
        ({"spread": 0.01}, "they have no variability"),
        ({"cells": 4}, "2 or 3"),
    ],
)
def test_wrong_tables_are_refused(table, words):
    with pytest.raises(InputError, match=words):
        DEMO.with_(read={"bitwise": table})


def test_references_beyond_the_states_are_refused():
    study = DEMO.with_(read={"bitwise": {"references": ["2 kohm", "5 kohm"]}})
    with pytest.raises(InputError, match=r"read\.bitwise\.references.*between 3\.979 kΩ and 8\.913 kΩ"):
        Population(study).nominal()


def test_a_study_without_the_table_writes_none():
    assert "bitwise" not in DEMO.with_(read={}).to_toml()
    assert "bitwise" not in DEMO.to_toml()


# ---- averages ----


@pytest.fixture(scope="module")
def analytic():
    """The surface of cells of constant resistance."""
    operations = list(OPERATIONS[2].values())
    return BitwiseSurface(bitwise_dataset(analytic_groups(), READS, operations, analytic_curves(), None, {}))


def test_surface_has_the_rates_of_its_groups(analytic):
    # Formula of the module: equation 1 of physics.bitwise, averaged over the groups.
    groups, sigma = analytic_groups(), float(np.hypot(READS.offset, READS.noise))
    for place, (name, operation) in enumerate(OPERATIONS[2].items()):
        both = np.full(len(operation.thresholds), sigma)
        best = optimal_references(
            groups.level, operation, np.broadcast_to(both[:, None, None], (len(both), 3, 6))
        )
        expected = error_rates(groups.level, operation, best, both).mean(axis=0)
        np.testing.assert_allclose(analytic.dataset["error_rate"][place], expected, rtol=1e-12)
        voltage, time = READS.voltage_V[1], READS.time_s[2]
        np.testing.assert_allclose(analytic.error_rate(name, voltage, time), expected[:, 1, 2].max())
        np.testing.assert_allclose(analytic.references(name, voltage, time), best[:, 1, 2])
        energy = groups.energy_J[..., 1, 2].mean() + len(both) * groups.decision_J
        np.testing.assert_allclose(analytic.energy(name, voltage, time), energy)


def test_what_an_operation_needs_gives_1e_6():
    # Consistency: with the offset, the spread or the TMR that is said, the error rate is 1e-6. The TMR is
    # found with spreads that grow with the separation, which is not exact: within 0.15 decade here.
    quiet = READS._replace(offset=2e-3)
    groups, operation = analytic_groups(spread=0.005), OPERATIONS[2]["and"]
    found = BitwiseSurface(bitwise_dataset(groups, quiet, [operation], analytic_curves(), None, {}))
    point = found.point("and", READS.voltage_V[2], READS.time_s[3])

    def worst(reads, groups):
        data = bitwise_dataset(groups, reads, [operation], analytic_curves(), None, {})
        return float(data["error_rate"][0, :, 2, 3].max())

    assert worst(quiet._replace(offset=point.largest_offset), groups) == pytest.approx(1e-6, rel=1e-3)
    mean = groups.level.mean(axis=0)
    spread = groups._replace(level=mean + point.largest_spread * (groups.level - mean))
    assert worst(quiet, spread) == pytest.approx(1e-6, rel=1e-3)
    other = analytic_groups(spread=0.005, tmr=point.smallest_contrast)
    assert abs(np.log10(worst(quiet, other) / 1e-6)) < 0.15
    assert point.smallest_contrast != pytest.approx(TMR, rel=0.01)


def test_resistance_of_a_reference_gives_its_level(analytic):
    # Round trip: resistors of the stated resistance have the level of the reference.
    point = analytic.point("xor", READS.voltage_V[1], READS.time_s[2])
    curves = analytic_curves()
    for level, resistance in zip(point.reference, point.reference_resistance_ohm, strict=True):
        curve = curves.resistance_level[:, 1, 2]
        assert np.interp(resistance, curves.resistance, curve) == pytest.approx(level, rel=1e-6)
        assert PARALLEL < resistance < PARALLEL * (1.0 + TMR)


def test_given_references_are_no_better_than_the_best(analytic):
    middle = analytic.dataset["reference"].to_numpy()[2] + 2e-3
    given = References(middle, np.full_like(middle, 1e-3))
    operation = OPERATIONS[2]["xor"]
    data = bitwise_dataset(analytic_groups(), READS, [operation], analytic_curves(), given, {})
    best = analytic.dataset["error_rate"][2].max("inputs").to_numpy()
    assert np.all(data["error_rate"][0].max("inputs").to_numpy() >= best * (1.0 - 1e-6))
    np.testing.assert_array_equal(data["reference_deviation"][0], 1e-3)


def test_disturb_of_a_group_is_that_of_any_cell(analytic):
    # By hand: the first cell of bitwise_cases flips with 1e-12, with 2e-12 in state 1; cells are alike.
    np.testing.assert_allclose(analytic.dataset["disturb_rate"][:, 0, 0], [2e-12, 3e-12, 3e-12, 4e-12])


def test_surface_round_trip_and_damage(analytic, tmp_path):
    file = tmp_path / "bitwise.nc"
    analytic.save(file)
    xr.testing.assert_identical(BitwiseSurface.load(file).dataset, analytic.dataset)
    for change, words in (
        (lambda data: data.drop_vars("error_rate"), "no such variable"),
        (lambda data: data.assign(error_rate=data["error_rate"] - 2.0), "beyond 0 to 1"),
        (lambda data: data.assign_coords(time=data["time"].to_numpy()[::-1]), "ascending"),
    ):
        file.write_bytes(bytes(change(analytic.dataset).to_netcdf(engine="h5netcdf")))
        with pytest.raises(InputError, match=words):
            BitwiseSurface.load(file)
    file.write_bytes(b"no surface")
    with pytest.raises(InputError, match=r"a bitwise\.nc"):
        BitwiseSurface.load(file)
    with pytest.raises(InputError, match="and, or, xor"):
        analytic.error_rate("nand", 0.15, 1e-10)
    with pytest.raises(OutsideGridError, match=r"\[read\] voltage"):
        analytic.error_rate("and", 0.5, 1e-10)


def test_figure_has_the_truth_tables(analytic, tmp_path):
    files = plotting.bitwise_figures(analytic, tmp_path)
    assert [file.name for file in files] == ["bitwise.png", "bitwise.svg"]
    axes = analytic.plot.truth_tables(0.15, 1e-10)
    shown = [text.get_text() for text in axes.texts]
    assert shown[::2] == list("000101110110")
    assert shown[1].rstrip("*") == f"{float(analytic.error_rate('and', 0.15, 1e-10, '00')):.1e}"
    axes.figure.clear()


@pytest.mark.parametrize("format_", ["csv", "parquet", "json", "netcdf", "npz"])
def test_every_table_format_has_them(characterized_surface, analytic, tmp_path, format_):
    out = tmp_path / "tables.x"
    files = export_surface(characterized_surface, format_, out, Settings(bitwise=analytic))
    file, table = tmp_path / "tables_bitwise.x", analytic.to_frame()
    assert file in files
    if format_ == "csv":
        pd.testing.assert_frame_equal(pd.read_csv(file, dtype={"inputs": str}), table, check_dtype=False)
    elif format_ == "parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(file), table)
    elif format_ == "json":
        written = pd.DataFrame(json.loads(file.read_text(encoding="utf-8"))["columns"])
        np.testing.assert_array_equal(written["error_rate"], table["error_rate"])
    elif format_ == "netcdf":
        xr.testing.assert_identical(BitwiseSurface.load(file).dataset, analytic.dataset)
    else:
        with np.load(file) as arrays:
            np.testing.assert_array_equal(arrays["error_rate"], analytic.dataset["error_rate"])
            np.testing.assert_array_equal(arrays["energy_J"], analytic.dataset["energy"])
    assert {"voltage_V", "time_s", "energy_J", "reference1_V", "reference2_V", "largest_offset_V"} <= set(
        table
    )


# ---- the sweep ----


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of 64 groups of cells of the demo."""
    study = DEMO.with_(read={**GRID, "bitwise": {"tuples": 64}}, sweep={**SMALL, "devices": 4})
    path = run_sweep(study, tmp_path_factory.mktemp("bitwise") / "run", executor=InPlace())
    average_devices(path)
    average_reads(path)
    average_bitwise(path)
    return path


def test_weights_are_those_of_the_importance_sample(run):
    # Published: the mean weight of an importance sample is 1 (Owen, section 9.1). By symmetry, half of the
    # population is above 0 along any direction. False alarms: 2e-9 each, 6 standard errors.
    devices = pd.read_parquet(run / "bitwise_devices.parquet")
    groups = devices.iloc[::2]
    assert len(devices) == 128
    assert (devices["weight"].to_numpy()[::2] == devices["weight"].to_numpy()[1::2]).all()
    weight = groups["weight"].to_numpy()
    assert abs(weight.mean() - 1.0) < 6.0 * weight.std() / np.sqrt(len(weight))
    toward = groups["toward_0"].to_numpy()
    above = np.average(toward > 0.0, weights=weight)
    assert abs(above - 0.5) < 6.0 * np.sqrt(np.sum((weight / weight.sum()) ** 2))
    assert toward.mean() > 0.3  # the sample itself is shifted


@pytest.mark.parametrize(("margin", "rate"), [(13.0, 1.5e-4), (20.0, 1.5e-8)])
def test_population_mean_of_groups_is_that_of_the_closed_form(margin, rate):
    # Analytic: of a level that is linear in the parameters of both cells, Phi(-m/r), r^2 = sigma^2 + g.g; the
    # cut at 5 sigma takes less than 1 % of it. 256 groups, seeds 1 to 4, within 0.05 decade.
    population = Population(DEMO)
    size = len(population.parameters)
    varied = [cell * size + k for cell in (0, 1) for k in population.varied]
    gradient = 3.0 * np.ones(len(varied)) / np.sqrt(len(varied))
    pilot = np.full((1 + 2 * len(varied), 1), margin)
    pilot[1::2, 0] += gradient
    pilot[2::2, 0] -= gradient
    expected = float(ndtr(-margin / np.hypot(2.0, 3.0)))
    assert expected == pytest.approx(rate, rel=0.1)
    shift = read_population.shift_of(read_population.of_wrong_reads(pilot, np.array([2.0])), varied, 2 * size)
    for seed in range(1, 5):
        normal, weight = importance.draw(shift, varied, 256, seed)
        columns = {
            "weight": weight,
            "replicate": np.arange(256) % 16,
            **read_population.distances(shift, normal),
        }
        mean = PopulationMean(pd.DataFrame(columns), shift, drawn=False, seed=seed)
        rates = ndtr(-(margin + normal[:, varied] @ gradient) / 2.0)[:, None]
        found = mean.rates("error_rate", rates)
        assert abs(np.log10(found["error_rate"][0] / expected)) < 0.05
        assert mean.effective(rates, varied=True)[0] > 15.0


@pytest.mark.parametrize("cells", [2, 3])
def test_margins_of_the_pilot_are_those_of_cells_varied_one_by_one(cells):
    # Slow reference: R_P of each cell in turn, not of the first alone, is higher and lower.
    def level(place, step):
        parallel = PARALLEL * np.ones((1, cells))
        parallel[0, place] *= 1.0 + step
        return cells_levels(TMR, parallel, combinations(cells))[:, 1]

    asked = Bitwise(cells=cells)
    nominal = level(0, 0.0)
    pilot = np.stack([nominal, level(0, 0.05), level(0, -0.05)])
    ones = combinations(cells).sum(axis=1)
    found = iter(bitwise_population._margins(asked, pilot))
    for threshold in range(1, cells + 1):
        middle = 0.5 * (nominal[ones == threshold].mean(axis=0) + nominal[ones == threshold - 1].mean(axis=0))
        for inputs in np.flatnonzero((ones == threshold) | (ones == threshold - 1)):
            sign = 1.0 if ones[inputs] == threshold else -1.0
            margin = next(found)
            np.testing.assert_allclose(margin[0], sign * (nominal[inputs] - middle), rtol=1e-9)
            for place in range(cells):
                expected = 0.5 * sign * (level(place, 0.05) - level(place, -0.05))[inputs]
                np.testing.assert_allclose(margin[1 + 2 * place] - margin[0], expected, rtol=1e-6)
    assert next(found, None) is None


def test_three_cells_with_given_references(tmp_path):
    resistances = np.array([4.6e3, 6e3, 7.8e3])
    asked = {"cells": 3, "tuples": 2, "references": list(resistances), "spread": 0.02}
    grid = {
        "voltage": {"start": 0.1, "stop": 0.2, "points": 2},
        "time": {"start": 0.15e-9, "stop": 0.3e-9, "points": 2},
    }
    study = DEMO.with_(read={**grid, "bitwise": asked}, sweep={**SMALL, "devices": 2})
    surface = average_bitwise(run_sweep(study, tmp_path / "run", executor=InPlace()))
    kind, tables, nominal = study.kind, study.tables, Population(study).nominal()
    reads = kind.reads_together(tables, 3)
    assert surface.operations == ("and", "or", "majority")
    for operation, place in (("or", 0), ("majority", 1), ("and", 2)):
        # By definition: nominal cells with these resistances, and with those a standard deviation away.
        # ngspice takes other steps in another deck: within 0.05 % of the read voltage.
        level = kind.sense_resistances(
            tables, nominal, reads, 3, resistances[place] * np.array([0.98, 1.0, 1.02])
        )
        data = surface.dataset.sel(operation=operation, comparison=0)
        np.testing.assert_allclose(data["reference"], level[1], atol=1e-4)
        deviation = 0.5 * (level[2] - level[0])
        np.testing.assert_allclose(data["reference_deviation"], deviation, atol=1e-4)
        np.testing.assert_allclose(data["reference_resistance"], resistances[place], rtol=1e-6)


def test_samples_are_complete_and_finished_ones_stay(run):
    directory = RunDirectory.open(run)
    samples = directory.samples(GROUP_SAMPLES)
    assert len(samples) == group_rows(directory.study) == 64 * 4 * 2 * 3
    assert (samples["status"] == "ok").all()
    executor = InPlace()
    run_sweep(directory.study, run, executor=executor)
    assert executor.tasks == []
    assert np.isin(samples["device"], np.arange(0, 128, 2)).all()


def test_averages_are_those_of_the_samples(run):
    # Slow reference: the first comparison of AND at one read, from the table of samples alone.
    surface, samples = BitwiseSurface.of_run(run), RunDirectory.open(run).samples(GROUP_SAMPLES)
    weight = pd.read_parquet(run / "bitwise_devices.parquet")["weight"].to_numpy()[::2]
    voltage, time = surface.voltages[1], surface.times[0]
    rows = samples[(samples["voltage_V"] == voltage) & (samples["time_s"] == time)]
    level = rows["level_V"].to_numpy().reshape(64, 4)
    sigma = np.hypot(surface.dataset.attrs["offset"], surface.dataset.attrs["noise"])
    side = np.array([-1.0, -1.0, -1.0, 1.0])
    rate = ndtr(-side * (level - float(surface.references("and", voltage, time)[0])) / sigma)
    expected = np.average(rate, axis=0, weights=weight)
    data = surface.dataset.sel(operation="and", voltage=voltage, time=time)
    # The mean with control variates may replace the weighted one, within its interval.
    assert np.all(expected >= data["error_rate_lower"] / 1.5)
    assert np.all(expected <= data["error_rate_upper"] * 1.5)
    energy = np.average(rows["energy_J"].to_numpy().reshape(64, 4), axis=0, weights=weight) + 5e-15
    np.testing.assert_allclose(data["energy"], energy)


def test_commands(run, call, tmp_path):
    options = ["--operation", "xor", "--voltage", "0.15 V", "--time", "0.2 ns"]
    code, out, _ = call("read", "bitwise", run, *options, "--json")
    answer = json.loads(out)
    point = BitwiseSurface.of_run(run).point("xor", 0.15, 0.2e-9)
    assert code == 0
    assert answer["error_rate"] == pytest.approx(point.error_rate)
    assert answer["error_rates"] == pytest.approx(point.error_rates)
    assert answer["operation"] == "xor"
    assert "11:" in call("read", "bitwise", run, *options)[1]
    code, _, errors = call("read", "bitwise", run, "--operation", "nor", *options[2:])
    assert (code, "'and' or 'or' or 'xor'" in errors) == (2, True)
    assert call("export", run, "--format", "csv", "--out", tmp_path / "all.csv")[0] == 0
    assert (tmp_path / "all_bitwise.csv").is_file()
    assert mtjchar.Run(run).bitwise_surface.operations == ("and", "or", "xor")


def test_what_an_operation_needs_is_not_denied_beside_a_read_without_it(analytic, capsys):
    # Between a read with 1e-6 and one without, the error rate may still be below 1e-6: then some offset is
    # small enough, though interpolation does not show at which.
    data = analytic.dataset.copy(deep=True)
    data["error_rate"][:] = 1e-9
    data["largest_offset"][..., 1:] = np.nan
    surface = BitwiseSurface(data)
    time = float(np.sqrt(surface.times[0] * surface.times[1]))
    point = surface.point("xor", surface.voltages[0], time)
    assert np.isnan(point.largest_offset)
    Console().print(_of_operation(point, "V"))
    shown = capsys.readouterr().out
    assert "offset for 1e-6" in shown
    assert "not known: a read of the grid beside this one has none" in shown
    Console().print(_of_operation(point._replace(error_rate=1e-3), "V"))
    assert "none is small enough" in capsys.readouterr().out


def test_missing_samples_and_other_studies_are_refused(run, tmp_path):
    directory = RunDirectory.open(run)
    part = next(iter(sorted((run / "bitwise_samples").glob("*.parquet"))))
    away = tmp_path / part.name
    part.rename(away)
    with pytest.raises(SimulationError, match="samples of bitwise reads"):
        average_bitwise(run)
    away.rename(part)
    with pytest.raises(InputError):
        run_sweep(directory.study.with_(read={"bitwise": {"tuples": 80}}), run, executor=InPlace())
