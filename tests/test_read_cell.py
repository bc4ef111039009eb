"""Reads of a cell: levels, energies, disturb rates and refusals."""

import numpy as np
import pandas as pd
import pytest
from common import DEMO
from scipy import constants
from scipy.integrate import trapezoid
from test_netlists import by_hand

from mtjchar.cells.stt import read as reading
from mtjchar.cells.stt import read_checks
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.read_disturb import CellDrive, disturb_rates, largest_overdrive
from mtjchar.cells.stt.read_netlist import Column, Seat, read_deck, single_cells
from mtjchar.cells.stt.read_waveforms import Timeline, set_read
from mtjchar.errors import InputError, SimulationError
from mtjchar.physics import sensing
from mtjchar.physics.passage import escape_rate
from mtjchar.spice.ngspice import simulator
from mtjchar.study import load_study
from mtjchar.sweep.population import Population

LINE, INPUT, ON = 40e-15, 10e-15, 1000.0
IDEAL = {
    "transistor": {"model": "ideal", "on_resistance": ON, "width": 300e-9, "length": 30e-9},
    "bitline": {"resistance": 1.0, "capacitance": LINE},
    "sourceline": {"resistance": 1.0, "capacitance": 0.0},
}
OF_AMPLIFIER = {"input_capacitance": INPUT, "energy": 7e-15}
GRID = {
    "voltage": {"start": 0.05, "stop": 0.15, "points": 3},
    "time": {"start": 0.2e-9, "stop": 1e-9, "points": 5},
    "amplifier": OF_AMPLIFIER,
}
SPACER = {"resistance_area_product": 0.5e-12, "spin_polarization": 0.3, "reference": "antiparallel"}
# An ideal transistor of 5 mV around 50 mV at its gate, which rises to 1.4 V in 100 ps.
TURNED_ON = 100e-12 * 0.05 / 1.4


def ideal(mode, line="bitline", **read):
    """The demo with an ideal transistor and a TMR that hardly depends on the voltage."""
    cell = (
        IDEAL
        if line == "bitline"
        else {**IDEAL, "bitline": IDEAL["sourceline"], "sourceline": IDEAL["bitline"]}
    )
    return DEMO.with_(
        cell=cell, stack={"tmr_half_bias": 9.9}, read={"mode": mode, "sensed_line": line, **GRID, **read}
    )


def sensed(study, devices=None):
    tables = study.tables
    devices = Population(study).nominal() if devices is None else devices
    reads = study.kind.reads(tables)
    return devices, reads, study.kind.sense(tables, devices, reads)


def resistances(device):
    return [float(device[f"{state}_resistance_ohm"].iloc[0]) for state in ("parallel", "antiparallel")]


@pytest.mark.parametrize("line", ["bitline", "sourceline"])
@pytest.mark.parametrize("mode", ["discharge", "charge", "current"])
def test_levels_and_energies_are_the_closed_forms_with_an_ideal_transistor(mode, line):
    device, reads, read = sensed(ideal(mode, line))
    assert np.all(read.status == "ok")
    voltage, time = reads.voltage_V[:, None], reads.time_s - TURNED_ON
    capacitance, until = LINE + INPUT, time + 50e-12  # half of the fall counts
    for state, junction in enumerate(resistances(device)):
        path = junction + ON + 2.0
        if mode == "discharge":
            level = sensing.discharged_level(voltage, time, path, capacitance)
            energy = capacitance * voltage**2 + 0.0 * until
        elif mode == "charge":
            level = sensing.charged_level(voltage, time, path, capacitance)
            energy = voltage * capacitance * sensing.charged_level(voltage, until, path, capacitance)
        else:
            level = voltage / path + 0.0 * time
            energy = capacitance * voltage**2 + voltage**2 / path * until
        scale = voltage.max() if mode != "current" else level.max()
        np.testing.assert_allclose(read.level[0, state], level, atol=3e-3 * scale)
        np.testing.assert_allclose(read.energy_J[0, state] - 7e-15, energy, rtol=1e-2)
    assert reads.one_is_higher == (mode == "discharge")
    higher = read.level[0, 1] > read.level[0, 0]
    assert np.all(higher == reads.one_is_higher)


def test_noise_is_that_of_both_lines():
    reads = DEMO.kind.reads(ideal("discharge").tables)
    one = constants.k * 300.0 / (LINE + INPUT)
    # The reference has two lines with two inputs.
    assert reads.noise == pytest.approx(np.sqrt(1.5 * one))
    series = DEMO.kind.reads(ideal("discharge", reference={"cells": "series"}).tables)
    assert series.noise == pytest.approx(np.sqrt(2.0 * one))
    # Averages over the shortest time, 0.2 ns, of the cell in P (3979 ohm and the lines) and half of it.
    current = np.sqrt(1.5 * 2.0 * constants.k * 300.0 / (3981.0 * 0.2e-9))
    assert DEMO.kind.reads(ideal("current").tables).noise == pytest.approx(current, rel=1e-3)
    assert (reads.unit, reads.offset) == ("V", 5e-3)


def test_energy_agrees_with_the_waveforms_of_a_whole_read():
    # The word line falls after the decision, which `sense` replaces by half of its fall: here it does fall.
    study = DEMO.with_(read={"mode": "current", **GRID})
    device, reads, read = sensed(study)
    tables, ngspice = study.tables, simulator()
    timeline = Timeline.of(tables, tables.read, reads.time_s)
    deck = read_deck(tables, tables.read, cell_parameters(tables, device), single_cells(1))
    decision = timeline.lead + reads.time_s[-1]
    with ngspice.circuit(deck):
        set_read(ngspice, tables, tables.read, timeline, reads.voltage_V[-1], [1.0])
        points = [
            (0, 0),
            (timeline.lead, 0),
            (timeline.lead + 1e-10, 1.4),
            (decision, 1.4),
            (decision + 1e-10, 0),
        ]
        numbers = " ".join(f"{time!r} {level!r}" for time, level in points)
        ngspice.exec_command(f"alter @vw[pwl] = [ {numbers} ]")
        stop = float(decision + 3e-10)
        vectors = ngspice.analyse(f"tran 1p {stop!r} 0 1p", "time", stop)
    time = vectors["time"]
    line = reads.voltage_V[-1] * trapezoid(-vectors["ea0#branch"], time)
    rising = time < decision
    word = 1.4 * trapezoid(-vectors["ew0#branch"][rising], time[rising])
    assert word > 0.05 * line
    expected = line + word + 7e-15
    assert float(read.energy_J[0, 0, -1, -1]) == pytest.approx(expected, rel=1e-2)


def test_disturb_grows_at_the_rate_of_escape():
    # At a fixed voltage across the junction, all else being small, the drive is constant over m_z and time.
    cell = {**IDEAL, "transistor": {**IDEAL["transistor"], "on_resistance": 1.0}}
    study = DEMO.with_(
        cell=cell,
        stack={"tmr_half_bias": 9.9},
        read={
            "mode": "current",
            "voltage": {"start": 0.05, "stop": 0.09, "points": 3},
            "time": {"start": 30e-9, "stop": 60e-9, "points": 2},
        },
    )
    device, reads, read = sensed(study)
    row = device.iloc[0]
    overdrive = reads.voltage_V / (row["parallel_resistance_ohm"] * row["critical_current_A"])
    stability, between = float(row["thermal_stability"]), 30e-9 / float(row["relaxation_time_s"])
    # The current from bit line to source line, and from the free layer, favours P: it drives AP.
    found = np.diff(read.disturb_rate[0, 1], axis=1)[:, 0] / between
    in_range = stability * (1.0 - overdrive) ** 2 > 10.0
    assert in_range.sum() >= 2
    np.testing.assert_allclose(found[in_range], escape_rate(overdrive, stability)[in_range], rtol=0.03)
    # Neel and Brown, W. F. Brown, Phys. Rev. 130, 1677 (1963), for a high barrier: within their 20 %.
    barrier = stability * (1.0 - overdrive) ** 2
    brown = np.sqrt(stability / np.pi) * (1.0 - overdrive) * (1.0 - overdrive**2) * np.exp(-barrier)
    np.testing.assert_allclose(found[in_range], brown[in_range], rtol=0.25)


@pytest.mark.parametrize("law", ["voltage", "current"])
def test_either_polarity_drives_one_state_and_holds_the_other(law):
    for line, driven in (("bitline", 1), ("sourceline", 0)):
        study = DEMO.with_(read={"mode": "current", "sensed_line": line, **GRID}, stack={"torque": law})
        _, _, read = sensed(study)
        rate = read.disturb_rate[0, :, :, -1]
        assert np.all(rate > 0.0)
        assert np.all(np.diff(rate[driven]) > 0.0)
        assert np.all(np.diff(rate[1 - driven]) < 0.0)
        turned = DEMO.with_(
            read={"mode": "current", "sensed_line": line, **GRID},
            stack={"torque": law},
            cell={"free_layer_to": "sourceline"},
        )
        _, _, other = sensed(turned)
        rate = other.disturb_rate[0, :, :, -1]
        assert np.all(np.diff(rate[1 - driven]) > 0.0)


def test_line_that_fades_disturbs_less_than_one_that_stays():
    rates = {
        mode: sensed(DEMO.with_(read={"mode": mode, **GRID}))[2].disturb_rate
        for mode in ("discharge", "current")
    }
    assert np.all(rates["discharge"][0, 1, -1, -1] < 0.1 * rates["current"][0, 1, -1, -1])


@pytest.mark.parametrize(("start", "largest"), [(1.0, 1.2), (-1.0, 0.9)])
def test_a_line_that_the_state_discharges_agrees_with_trajectories(start, largest):
    # The line loses its voltage through a junction whose m_z moves: trajectories know both, the equation for
    # m_z knows the line of the held states only. Times over t_D; R_P = 1, the rest of the path 0.4.
    stability, tmr, rest, constant, longest = 20.0, 1.24, 0.4, 1.5, 3.0
    count, length = 20_000, 0.01
    rng = np.random.default_rng(7)

    def resistance(m_z):
        return (1.0 + tmr) / (1.0 + 0.5 * tmr * (1.0 + m_z))

    def moved(z, drive):
        # Ito form of the Fokker-Planck equation of docs/verification.md.
        noise = np.sqrt((1.0 - z * z) / stability * length) * rng.standard_normal(count)
        after = z + (-(drive - z) * (1.0 - z * z) - z / stability) * length + noise
        after = np.where(after > 1.0, 2.0 - after, after)
        return np.where(after < -1.0, -2.0 - after, after)

    z = np.full(count, 0.97)
    for _ in range(200):
        z = moved(z, 0.0)
    z, line = np.abs(z), np.full(count, largest * (1.0 + rest))
    capacitance = constant / (1.0 + rest)
    for _ in range(round(longest / length)):
        path = resistance(start * z) + rest
        z = moved(z, line * (path - rest) / path)
        line *= np.exp(-length / (capacitance * path))
    for _ in range(300):
        z = moved(z, 0.0)
    counted = np.mean(z < 0.0)

    row = (
        Population(DEMO)
        .nominal()
        .assign(
            thermal_stability=stability,
            relaxation_time_s=1.0,
            critical_current_A=1.0,
            parallel_resistance_ohm=1.0,
        )
    )
    edges = np.linspace(0.0, longest, 101)
    middle = 0.5 * (edges[1:] + edges[:-1])
    paths = resistance(np.array([1.0, -1.0])) + rest
    # Towards AP from P, and the other way round.
    cell = -start * largest * (1.0 + rest) * np.exp(-middle / (capacitance * paths[:, None]))
    shares = (1.0 - rest / paths)[:, None]
    drive = CellDrive(cell[None, :, None], (cell * shares)[None, :, None])
    rates = disturb_rates(DEMO.tables, row, drive, edges, np.array([100]))
    found = float(rates[0, 0 if start > 0.0 else 1, 0, 0])
    # About 80 of 20,000: 1 in 1,000 seeds would be outside of 0.16 decades.
    assert np.log10(found / counted) == pytest.approx(0.0, abs=0.2)


def test_voltages_between_simulated_ones_follow():
    # 12 voltages are interpolated from 6; each by itself is simulated.
    study = DEMO.with_(read={**GRID, "voltage": {"start": 0.05, "stop": 0.2, "points": 12}})
    device, reads, read = sensed(study)
    tables = study.tables
    for place in (1, 4, 9):
        one = study.kind.sense(tables, device, reads._replace(voltage_V=reads.voltage_V[place : place + 1]))
        np.testing.assert_allclose(read.level[:, :, place], one.level[:, :, 0], atol=1e-3 * 0.2)
        np.testing.assert_allclose(read.energy_J[:, :, place], one.energy_J[:, :, 0], rtol=2e-3)
        np.testing.assert_allclose(
            np.log10(read.disturb_rate[:, :, place]), np.log10(one.disturb_rate[:, :, 0]), atol=0.02
        )


# ---- references and several cells ----


def test_references_are_means_of_both_states():
    device = Population(DEMO).nominal()
    four = pd.concat([device] * 4, ignore_index=True)
    low, high = (value + ON + 2.0 for value in resistances(device))
    means = {"parallel": 0.5 * (1.0 / low + 1.0 / high), "series": 2.0 / (low + high)}
    for cells, conductance in means.items():
        study = ideal("current", reference={"cells": cells})
        reads = study.kind.reads(study.tables)
        level = study.kind.sense_reference(study.tables, four, reads)
        expected = np.broadcast_to(conductance * reads.voltage_V[:, None], level.mean.shape)
        np.testing.assert_allclose(level.mean, expected, rtol=3e-3)
        assert np.all(level.deviation < 1e-6 * level.mean)


def test_spread_of_a_reference_resistance_is_that_of_its_level():
    study = ideal("current", reference={"resistance": 6000.0, "spread": 0.03})
    device = Population(study).nominal()
    reads = study.kind.reads(study.tables)
    level = study.kind.sense_reference(study.tables, device, reads)
    path = 6000.0 + ON + 2.0
    # The first terms of a Taylor series of 1/R.
    mean = reads.voltage_V[:, None] / path * (1.0 + (180.0 / path) ** 2)
    np.testing.assert_allclose(level.mean, np.broadcast_to(mean, level.mean.shape), rtol=3e-3)
    np.testing.assert_allclose(level.deviation / level.mean, 180.0 / path, rtol=1e-2)


def test_spread_of_reference_cells_is_that_of_their_levels():
    study = ideal("current", reference={"cells": "parallel"})
    devices = pd.concat([Population(study).nominal()] * 6, ignore_index=True)
    scale = np.array([1.0, 1.0, 1.1, 1.1, 0.9, 0.9])
    devices = devices.assign(parallel_resistance_ohm=devices["parallel_resistance_ohm"] * scale)
    reads = study.kind.reads(study.tables)
    level = study.kind.sense_reference(study.tables, devices, reads)
    low, high = resistances(devices)
    currents = [0.5 / (low * s + ON + 2.0) + 0.5 / (high * s + ON + 2.0) for s in scale[::2]]
    expected = np.std(currents, ddof=1) / np.mean(currents)
    np.testing.assert_allclose(level.deviation / level.mean, expected, rtol=2e-2)


def test_too_few_cells_make_no_reference():
    study = ideal("current", reference={"cells": "series"})
    with pytest.raises(InputError, match="at least 4"):
        study.kind.sense_reference(study.tables, Population(study).nominal(), study.kind.reads(study.tables))


def test_cells_on_one_bit_line_add_their_currents():
    study = ideal("current")
    tables, device = study.tables, Population(study).nominal()
    cells = cell_parameters(tables, pd.concat([device] * 2, ignore_index=True))
    column = Column((((Seat(0, 0),), (Seat(1, 1),)),))
    reads = study.kind.reads(tables)
    both = reading.measure_columns(tables, cells, [column], reads.voltage_V, reads.time_s, [1.0, -1.0])
    low, high = (value + ON for value in resistances(device))
    # Both lines have 1 ohm, which hardly changes the sum.
    expected = reads.voltage_V[:, None] * (1.0 / low + 1.0 / high)
    level = both.waveforms.level[0]
    np.testing.assert_allclose(level, np.broadcast_to(expected, level.shape), rtol=3e-3)


def test_bench_runs_by_hand_and_agrees_with_a_study():
    measured = by_hand("tb_cell_read.cir")
    study = DEMO.with_(
        read={
            "voltage": {"start": 0.1, "stop": 0.2, "points": 2},
            "time": {"start": 0.2e-9, "stop": 0.3e-9, "points": 2},
        }
    )
    _, _, read = sensed(study)
    for state, name in enumerate(("level_p", "level_ap")):
        assert float(read.level[0, state, -1, -1]) == pytest.approx(measured[name], abs=1e-3)
    assert measured["level_p"] < measured["level_reference"] < measured["level_ap"]


# ---- failures and refusals ----


def test_a_device_without_a_solution_does_not_fail_the_others(monkeypatch):
    study = ideal("discharge")
    devices = pd.concat([Population(study).nominal()] * 3, ignore_index=True)
    devices = devices.assign(tmr=[1.24, 1.0, 1.24])
    whole = reading._measured

    def fails(tables, cells, columns, voltages, *rest):
        rows = {seat.row for column in columns for pair in column.pairs for branch in pair for seat in branch}
        if 1 in rows and voltages[-1] > 0.12:
            raise SimulationError("no solution", status="not_converged")
        return whole(tables, cells, columns, voltages, *rest)

    monkeypatch.setattr(reading, "_measured", fails)
    _, _, read = sensed(study, devices)
    assert read.status.tolist() == [["ok"] * 3, ["ok", "ok", "not_converged"], ["ok"] * 3]
    assert read.failure[1, 2] == "no solution"
    assert np.isnan(read.level[1, :, 2]).all()
    assert np.isnan(read.disturb_rate[1, :, 2]).all()
    assert np.isfinite(read.disturb_rate[1, :, :2]).all()
    assert np.isfinite(read.energy_J[[0, 2]]).all()


def refused(**changes):
    with pytest.raises(InputError) as error:
        tried(DEMO.with_, changes)
    return str(error.value)


def tried(make, changes):
    study = make(**changes)
    device = Population(study).nominal()
    study.kind.try_nominal(study.tables, device, ["p_to_ap"], study.pulses.at(1.0))


def test_a_voltage_that_writes_is_refused_with_the_largest_that_does_not():
    grid = {"start": 0.1, "stop": 0.5, "points": 5}
    message = refused(read={"mode": "current", "voltage": grid})
    assert "read.voltage.stop" in message
    allowed = float(message.split("at most ")[1].split(" V")[0])
    assert 0.2 < allowed < 0.35
    below = {"start": 0.1, "stop": allowed, "points": 3}
    tried(DEMO.with_, {"read": {"mode": "current", "voltage": below}})
    assert "read.voltage.stop" in refused(
        read={"mode": "current", "voltage": {"start": 0.1, "stop": 1.02 * allowed, "points": 3}}
    )


def test_the_largest_voltage_does_not_depend_on_the_grid():
    # Interpolation alone named voltages that were then refused: the overdrive is not proportional.
    grid = {"start": 0.05, "stop": 1.1, "points": 2}
    message = refused(read={"mode": "discharge", "voltage": grid})
    number, unit = message.split("at most ")[1].split(":")[0].split()
    allowed = float(number) * {"mV": 1e-3, "V": 1.0}[unit]
    tried(DEMO.with_, {"read": {"mode": "discharge", "voltage": {**grid, "stop": allowed}}})


@pytest.mark.parametrize("mode", ["discharge", "charge", "current"])
@pytest.mark.parametrize("line", ["bitline", "sourceline"])
def test_what_is_refused_without_a_simulation_writes_in_one(mode, line):
    # By hand: a read that does not write has at most Ic0, with which the line loses Ic0 t/C until the word
    # line is up, 0.1 ns. The ideal transistor's 2 kohm and both lines' 400 ohm are in series.
    device = Population(DEMO).nominal().iloc[0]
    towards_p = (mode == "charge") == (line == "sourceline")
    current = device["critical_current_ap_to_p_A" if towards_p else "critical_current_A"]
    resistance = device[f"{'antiparallel' if towards_p else 'parallel'}_resistance_ohm"] + 2400.0
    limit = current * (resistance + (0.0 if mode == "current" else 0.1e-9 / 23e-15))
    ideal = {"transistor": {"model": "ideal", "on_resistance": 2000.0}}

    def of(highest):
        grid = {"start": 0.5 * highest, "stop": highest, "points": 2}
        return DEMO.with_(cell=ideal, read={"mode": mode, "sensed_line": line, "voltage": grid})

    Population(of(0.999 * limit)).nominal()
    study = of(1.001 * limit)
    with pytest.raises(InputError, match=r"read\.voltage\.stop.*writes with any transistor"):
        Population(study).nominal()
    with pytest.raises(InputError, match=r"read\.voltage\.stop.*from there on a read writes"):
        read_checks.check_circuit(study.tables, Population(DEMO).nominal())


def test_overdrive_of_the_junction_alone_is_above_that_of_its_reads():
    # Bound: the transistor and the lines only take voltage away. By hand: the current of 0.2 V on the
    # junction in P over Ic0, which is larger than that of AP over its own.
    study = DEMO.with_(read={"mode": "current"})
    device, reads = Population(study).nominal(), study.kind.reads(study.tables)
    bound = study.kind.foresee(study.tables, device, 1.0).read_overdrive
    in_p = 0.2 / device["parallel_resistance_ohm"].iloc[0] / device["critical_current_A"].iloc[0]
    assert bound == pytest.approx(in_p, rel=1e-6)
    drive, _ = reading.driven(study.tables, device, reads)
    simulated = float(largest_overdrive(study.tables, device, drive).max())
    assert 0.6 * bound < simulated < bound
    assert DEMO.kind.foresee(DEMO.tables, device, 1.0).read_overdrive is None


@pytest.mark.parametrize("mode", ["discharge", "charge"])
def test_a_line_that_has_long_settled_is_refused_without_a_simulation(mode):
    late = {"start": 50e-9, "stop": 90e-9, "points": 3}
    with pytest.raises(InputError, match="margin of at most"):
        Population(DEMO.with_(read={"mode": mode, "time": late})).nominal()
    # Such times are none where a current is sensed, and where the line is long enough.
    Population(DEMO.with_(read={"mode": "current", "time": late})).nominal()
    Population(DEMO.with_(read={"mode": mode, "time": late, "line_capacitance": 5e-12})).nominal()


@pytest.mark.parametrize(
    ("read", "words"),
    [
        ({"reference": {"resistance": 2000.0}}, "got '2 kΩ'; allowed: between 3.979 k"),
        ({"reference": {"resistance": 20e3}}, "read.reference.resistance"),
        ({"reference": {"spread": 0.1}}, "spread"),
        ({"reference": {"resistance": 6e3, "cells": "series"}}, "read.reference.cells: got 'series'"),
        ({"amplifier": {"offset": -1e-3}}, "read.amplifier.offset: got -0.001; allowed: at least 0"),
        ({"mode": "current", "amplifier": {"current_offset": -1e-6}}, "at least 0"),
        ({"mode": "current", "amplifier": {"offset": 1e-3}}, "give current_offset"),
        ({"amplifier": {"current_offset": 2e-6}}, "give offset"),
        ({"time": {"start": 50e-12, "stop": 1e-9, "points": 3}}, "at least the rise of the word line"),
        ({"line_capacitance": 1e-12}, "at least the time constant of the bitline"),
        ({"time": {"start": 50e-9, "stop": 90e-9, "points": 3}}, "margin of at most"),
        ({"precharge": 0.02}, "precharge"),
        ({"mode": "charge", "precharge": 0.1}, "less than the smallest read voltage"),
        ({"voltage": {"start": 0.2, "stop": 0.1, "points": 3}}, "more than start"),
        ({"mode": "guess"}, "discharge"),
    ],
)  # fmt: skip
def test_reads_that_cannot_be_are_refused(read, words):
    assert words in refused(read=read)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stack": {"thermal_resistance_area": 1e-9, "thermal_time": 1e-9}}, "0 with [read]"),
        ({"stack": {"second_barrier": SPACER}}, "none with [read]"),
        ({"cell": {"external_field": {"x": 0.01}}}, "none where error rates are counted"),
        ({"stack": {"reference_tilt": 0.05}}, "reference_tilt = 50 mrad"),
        ({"junction": {"aspect_ratio": 1.2}}, "aspect_ratio = 1.2"),
    ],
)
def test_stacks_whose_reads_are_not_modelled_are_refused(changes, words):
    message = refused(read={"mode": "discharge"}, **changes)
    assert words in message
    assert "Leave one of both out" in message
    assert len(message) < 400  # the whole study in a message helps nobody


def test_a_study_without_reads_is_written_as_before(tmp_path):
    assert "[read" not in DEMO.to_toml()
    assert DEMO.kind.reads(DEMO.tables) is None
    study = DEMO.with_(
        read={"mode": "charge", "precharge": 0.01, "reference": {"resistance": 6e3, "spread": 0.02}}
    )
    file = tmp_path / "study.toml"
    file.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(file) == study


def test_precharge_of_a_line_that_is_charged():
    _, reads, read = sensed(ideal("charge", precharge=0.03))
    low = resistances(Population(DEMO).nominal())[0] + ON + 2.0
    expected = sensing.charged_level(
        reads.voltage_V[:, None], reads.time_s - TURNED_ON, low, LINE + INPUT, 0.03
    )
    np.testing.assert_allclose(read.level[0, 0], expected, atol=5e-4)
