"""Levels below 0 V, second transistors and drivers: against circuits by hand and other methods."""

import re
import tomllib

import numpy as np
import pytest
import tomli_w
from common import DEMO, ROOT
from driven_cells import DIRECTIONS, LOWS, WRITTEN, cell_of, ideal
from scipy.integrate import trapezoid
from scipy.optimize import brentq
from study_cases import changed, load, refusal
from test_measure import charge_energy

from mtjchar.cells.stt import axial, trial
from mtjchar.cells.stt.drivers import EdgeTimes
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.supply import supply_energies
from mtjchar.cells.stt.tables import WordLine
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.errors import InputError
from mtjchar.study import Line, Transistor
from mtjchar.study.load import read_written
from mtjchar.sweep.failures import deck
from mtjchar.sweep.population import Population
from mtjchar.sweep.tasks import Task, characterize


def low_of(study, direction):
    """Level of the line that is not driven high, by the convention on the current."""
    to_sourceline = (direction == "ap_to_p") == (study.cell.free_layer_to == "bitline")
    return study.cell.sourceline_low if to_sourceline else study.cell.bitline_low


def lines_of(study, direction, **columns):
    return load_lines(study, cell_of(study, **columns), direction, study.pulses)


# ---- levels below 0 V -------------------------------------------------------------------------------


def test_what_is_not_given_is_not_written():
    # Names of parts have the digest of the study as it is written: it has to be that of before.
    written = DEMO.model_dump(mode="json")
    newer = {"wordline_low", "bitline_low", "sourceline_low", "second_transistor", "driver"}
    assert not newer & set(written["cell"])
    assert "shape" not in written["pulse"]
    device = Population(DEMO).nominal()
    explicit = DEMO.with_(cell={"wordline_low": 0.0, "bitline_low": 0.0}, pulse={"shape": None})
    assert Task(explicit, device, "p_to_ap").part == Task(DEMO, device, "p_to_ap").part
    lower = DEMO.with_(cell={"wordline_low": -0.1})
    assert Task(lower, device, "p_to_ap").part != Task(DEMO, device, "p_to_ap").part
    assert lower.model_dump(mode="json")["cell"]["wordline_low"] == "-0.1 V"


@pytest.mark.parametrize("free_layer_to", ["bitline", "sourceline"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_amplitude_is_what_is_between_the_lines(direction, free_layer_to):
    # Analytic: a linear switch sees the difference alone.
    lines, lower = (lines_of(ideal(free_layer_to=free_layer_to, **lows), direction) for lows in ({}, LOWS))
    np.testing.assert_allclose(lower.current_A, lines.current_A, rtol=1e-6)
    # ngspice's steps follow the levels.
    np.testing.assert_allclose(lower.rise, lines.rise, rtol=0, atol=2e-4)


LEVEL_1 = """.subckt nmos d g s b w=1u l=1u dvth=0
M1 d g s b n w={w} l={l}
.model n nmos level=1 vto={0.4+dvth} kp=2m gamma=0 lambda=0.1 is=1e-30
.ends
"""


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_low_level_adds_to_the_voltage_of_the_gate(direction, tmp_path):
    # Analytic: without body effect and junctions only differences count. All levels 0.3 V up, lines at rest
    # aside, are a low level of 0 V and a word line at 1.7 V.
    (tmp_path / "nmos.lib").write_text(LEVEL_1)
    transistor = Transistor(model=str(tmp_path / "nmos.lib"), subcircuit="nmos")
    below = DEMO.with_(cell={"transistor": transistor, "sourceline_low": -0.3, "bitline_low": -0.3})
    above = DEMO.with_(cell={"transistor": transistor, "wordline_voltage": 1.7})
    plain = DEMO.with_(cell={"transistor": transistor})
    below, above, plain = (
        lines_of(study.with_(sweep={"amplitude": {"points": 2}}), direction)
        for study in (below, above, plain)
    )
    np.testing.assert_allclose(below.current_A, above.current_A, rtol=1e-6)
    np.testing.assert_allclose(below.junction_voltage_V, above.junction_voltage_V, rtol=1e-6)
    assert np.all(below.current_A > plain.current_A)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("capacitance", "line"), [(2e-12, 200.0), (2e-13, 10.0)])
def test_energy_of_lines_that_go_up_and_down(direction, capacitance, line):
    study = ideal(line=line, capacitance=capacitance, **LOWS)
    lines = lines_of(study, direction, rp=1e12)  # nothing flows through the junction
    low, amplitudes = low_of(study, direction), study.sweep.amplitude.values()
    high = amplitudes + low
    # Analytic: each driver charges its own line, one to a positive and one to a negative level.
    expected = charge_energy(capacitance, line, high, 1e-10) + charge_energy(capacitance, line, low, 1e-10)
    got = (lines.rise_energy_J + lines.fall_energy_J).sum(axis=2)[0]
    np.testing.assert_allclose(got, np.stack([expected, expected], axis=1), rtol=3e-3)
    stored = 0.5 * capacitance * (high**2 + low**2)
    np.testing.assert_allclose(lines.line_energy_J[0], np.stack([stored, stored], axis=1), rtol=1e-6)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_supplies_of_both_levels_give_the_charge(direction):
    def supplied(capacitance):
        study = ideal(line=10.0, capacitance=capacitance, supply_voltage=1.5, **LOWS)
        study = study.with_(stack={"tmr": 1e-4})
        device, pulses = Population(study).nominal(), study.pulses
        lines = load_lines(study, cell_parameters(study, device), direction, pulses)
        found = axial.average_over_noise(study, device, direction, lines, pulses)
        return study, np.stack(supply_energies(study, direction, lines, pulses.amplitude_V, found))[:, 0]

    study, bare = supplied(0.0)
    resistance = Population(study).nominal()["parallel_resistance_ohm"].iloc[0] + 1020.0
    low, amplitudes = low_of(study, direction), study.sweep.amplitude.values()
    current, durations = amplitudes / resistance, study.sweep.duration.values()
    # By hand: the current flows from the supply of 1.5 V to that of the low level.
    np.testing.assert_allclose(bare, np.stack([(1.5 - low) * current[:, None] * durations] * 2), rtol=1e-3)
    # By hand: C V of each line, at its supply. The junction's current lags behind by R_line C in the rise,
    # and comes from the lines in the fall.
    _, with_lines = supplied(1e-12)
    up = 1e-12 * (amplitudes + low - 20.0 * current) - 0.5 * study.pulse.fall * current
    down = 1e-12 * (-low - 20.0 * current) - 0.5 * study.pulse.fall * current
    expected = np.broadcast_to((1.5 * up - low * down)[:, None], (2, 2, 2))
    np.testing.assert_allclose(with_lines - bare, expected, rtol=2e-3)


def test_word_line_that_rests_below_zero_takes_the_whole_swing():
    wire = WordLine(resistance=400.0, capacitance=20e-15, cells=1)
    lines = lines_of(ideal(wordline=wire, wordline_low=-0.4), "ap_to_p")
    delivered, supplied = lines.word_line_J[0].T
    # Analytic: a ramp of 0.1 ns onto 20 fF behind half of 400 ohm, upwards and downwards; where voltage and
    # current have the same sign, the driver delivers.
    time, constant = np.linspace(0.0, 2e-10, 200_001), 4e-12
    ramp = np.minimum(time / 1e-10, 1.0)
    slope = 20e-15 * 1.8 / 1e-10
    grown = 1.0 - np.exp(-np.minimum(time, 1e-10) / constant)
    current = slope * grown * np.exp(-np.maximum(time - 1e-10, 0.0) / constant)
    power = np.maximum((-0.4 + 1.8 * ramp) * current, 0.0) + np.maximum((1.8 * ramp - 1.4) * current, 0.0)
    np.testing.assert_allclose(delivered, trapezoid(power, time), rtol=6e-3)  # steps of a tenth of the ramp
    # C V^2 of the swing, from both supplies together.
    np.testing.assert_allclose(supplied, 20e-15 * 1.8**2, rtol=1e-3)


def test_whole_write_begins_with_the_word_line_at_rest():
    def energy(low):
        wire = WordLine(resistance=1.0, capacitance=640e-15, cells=1)
        study = DEMO.with_(cell={"wordline": wire, "wordline_low": low})
        write = write_waveforms(study, cell_of(study, u0=-6.0), "p_to_ap", study.pulses.at(0.4, 1e-9))
        return write.energy_J[0]

    # Analytic: on the way down to its level the driver delivers C V^2/2, and nothing for getting there first.
    assert energy(-0.4) - energy(0.0) == pytest.approx(0.5 * 640e-15 * 0.4**2, rel=0.01)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_whole_write_at_low_levels_is_load_line_and_edges(direction):
    study = DEMO.with_(cell={**LOWS, "wordline_low": -0.2})
    device = cell_of(study, u0=WRITTEN[direction] * 6.0)
    pulses = study.pulses.at(0.9, 6e-9)
    write = write_waveforms(study, device, direction, pulses)
    lines = load_lines(study, device, direction, pulses)
    state = 1 if direction == "p_to_ap" else 0
    edges = (lines.rise_energy_J + lines.fall_energy_J).sum(axis=2)[0, 0, state]
    plateau = 6e-9 - EdgeTimes.of(study, study.pulses).outside
    current = lines.current_A[0, 0, 0 if direction == "p_to_ap" else -1]
    assert write.energy_J[0] == pytest.approx(0.9 * current * plateau + edges, rel=5e-3)


def test_transistor_is_tried_at_its_levels(tmp_path, monkeypatch):
    (tmp_path / "nmos.lib").write_text(LEVEL_1)
    transistor = Transistor(model=str(tmp_path / "nmos.lib"), subcircuit="nmos")
    study = DEMO.with_(cell={"transistor": transistor, "wordline_low": -0.1, **LOWS})
    probes = []

    def probe(*arguments, **levels):
        probes.append((levels, trial_probe(*arguments, **levels)))
        return probes[-1][1]

    trial_probe = trial.probe_transistor
    monkeypatch.setattr(trial, "probe_transistor", probe)
    trial.try_nominal(study.tables, Population(study).nominal(), DIRECTIONS, study.pulses.at(1.2))
    levels, found = probes[0]
    assert levels == {"temperature": 300.0, "gate": 1.4, "drain": 0.3, "source": -0.3, "gate_low": -0.1}
    # Shichman and Hodges, W/L = 10: kp W/L (Vgs - Vto - Vds/2) Vds (1 + lambda Vds), Vgs = 1.7, Vds = 0.6 V.
    assert found.current_A == pytest.approx(2e-2 * (1.3 - 0.3) * 0.6 * 1.06, rel=1e-3)


def test_deck_by_hand_has_the_levels():
    study = DEMO.with_(cell={"sourceline_low": -0.3, "wordline_low": -0.1})
    failed = characterize(
        Task(study.with_(sweep={"amplitude": {"points": 2}}), Population(study).nominal(), "ap_to_p")
    )
    text = deck(study, Population(study).nominal(), "ap_to_p", failed[:1])
    assert "alter vabl dc = 0.1\n" in text.replace("0.10000000000000003", "0.1")
    assert "alter vasl dc = -0.3\n" in text
    assert "alter @vw[pulse] = [ -0.1 1.4 " in text


# ---- a second transistor ----------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["bitline", "sourceline"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ideal_transistor_in_series_is_a_resistance_of_its_line(direction, position):
    select = {"model": "ideal", "on_resistance": 300.0, "position": position, "gate_voltage": 1.8}
    study = DEMO.with_(cell={"supply_voltage": 1.5, **LOWS}, sweep={"amplitude": {"points": 2}})
    longer = study.with_(cell={position: Line(resistance=500.0)})
    study = study.with_(cell={"second_transistor": select})
    got, expected = (
        characterize(Task(each, Population(each).nominal(), direction)) for each in (study, longer)
    )
    for column in ("write_error_rate", "energy_J", "redundant_energy_J"):
        np.testing.assert_allclose(got[column], expected[column], rtol=1e-6)
    # What a gate that goes down pushes onto a line does not reach the driver: the way there is off by then.
    np.testing.assert_allclose(got["supply_energy_J"], expected["supply_energy_J"], rtol=5e-4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ideal_transistors_in_parallel_have_half_the_resistance(direction):
    two = {"model": "ideal", "on_resistance": 1000.0, "position": "parallel"}
    both = lines_of(ideal(second_transistor=two), direction)
    half = lines_of(ideal(transistor=Transistor(model="ideal", on_resistance=500.0)), direction)
    np.testing.assert_allclose(both.current_A, half.current_A, rtol=1e-6)
    np.testing.assert_allclose(both.rise_energy_J, half.rise_energy_J, rtol=1e-5)


def test_generic_transistors_in_parallel_load_the_word_line_with_both_gates():
    lines = [
        lines_of(
            DEMO.with_(cell={"second_transistor": second}, sweep={"amplitude": {"points": 2}}), "ap_to_p"
        )
        for second in (None, {"position": "parallel"})
    ]
    alone, both = lines
    assert np.all(both.current_A > 1.05 * alone.current_A)
    np.testing.assert_allclose(
        both.word_line_J, 2.0 * alone.word_line_J, rtol=0.06
    )  # the channel has another voltage
    assert not both.select_J.any()


PASSES = (
    LEVEL_1
    + """.subckt plain d g s b w=1u l=1u dvth=0
R1 d s 1k
.ends
"""
)


def test_transistor_in_series_passes_what_its_gate_lets_it(tmp_path):
    (tmp_path / "two.lib").write_text(PASSES)
    access = Transistor(model=str(tmp_path / "two.lib"), subcircuit="plain")
    select = {"model": str(tmp_path / "two.lib"), "subcircuit": "nmos", "position": "bitline"}
    select |= {"gate_voltage": 1.1, "width": 300e-9, "length": 30e-9}
    study = DEMO.with_(
        cell={"transistor": access, "second_transistor": select, "temperature": 300.15},
        stack={"tmr": 1e-6},
        sweep={"amplitude": {"points": 2}},
    )
    lines = lines_of(study, "ap_to_p")
    rest = Population(study).nominal()["parallel_resistance_ohm"].iloc[0] + 1400.0
    for k, amplitude in enumerate(study.sweep.amplitude.values()):

        def excess(node, amplitude=amplitude):
            # Shichman and Hodges, W/L = 10, Vto = 0.4 V, saturated where the drain is above 0.7 V.
            over, across = 1.1 - node - 0.4, amplitude - node
            linear = min(across, over)
            return 2e-2 * (over - 0.5 * linear) * linear * (1.0 + 0.1 * across) - node / rest

        node = brentq(excess, 0.0, min(amplitude, 0.7), xtol=1e-14)
        np.testing.assert_allclose(lines.current_A[0, k], node / rest, rtol=1e-4)
    assert lines.current_A[0, 1, 0] < 0.7 / rest  # whatever the amplitude, here 1.2 V


@pytest.mark.parametrize(("position", "direction"), [("bitline", "ap_to_p"), ("sourceline", "ap_to_p")])
def test_whole_write_with_a_transistor_in_series_is_load_line_and_edges(position, direction):
    select = {"position": position, "gate_voltage": 2.0, "width": 2e-6}
    wire = Line(capacitance=200e-15)
    study = DEMO.with_(cell={"second_transistor": select, "bitline": wire, "sourceline": wire})
    device = cell_of(study, u0=WRITTEN[direction] * 6.0)
    pulses = study.pulses.at(0.9, 6e-9)
    write = write_waveforms(study, device, direction, pulses)
    lines = load_lines(study, device, direction, pulses)
    edges = lines.rise_energy_J.sum(axis=2) + lines.fall_energy_J.sum(axis=2)
    plateau = 6e-9 - EdgeTimes.of(study, study.pulses).outside
    expected = 0.9 * lines.current_A[0, 0, -1] * plateau + edges[0, 0, 0]
    assert write.energy_J[0] == pytest.approx(expected, rel=5e-3)
    # The gate is charged to 2 V and discharged: 2 um with about 1 fF/um, energy from charge and voltage.
    delivered, supplied = lines.select_J[0, 0]
    assert 0.3 < delivered / supplied < 0.9
    assert 1e-15 < supplied / 2.0**2 < 4e-15


def test_transistor_of_another_size_of_a_kit_stands_in_series():
    access = {"model": "sky130", "width": 1e-6, "length": 150e-9}
    select = {**access, "width": 5e-6, "position": "bitline", "gate_voltage": 1.8}
    alone, both = (
        lines_of(DEMO.with_(cell={"transistor": Transistor(**access), "second_transistor": second,
                                  "wordline_voltage": 1.8}, sweep={"amplitude": {"points": 2}}), "p_to_ap")
        for second in (None, select)
    )  # fmt: skip
    assert np.all(both.status == "ok")
    assert np.all((both.current_A < alone.current_A) & (both.current_A > 0.8 * alone.current_A))


def test_second_transistor_of_a_file_is_tried(tmp_path):
    (tmp_path / "two.lib").write_text(PASSES)
    access = Transistor(model=str(tmp_path / "two.lib"), subcircuit="nmos")
    select = {"model": str(tmp_path / "two.lib"), "subcircuit": "plain"}
    select |= {"position": "bitline", "gate_voltage": 2.0}
    study = DEMO.with_(cell={"transistor": access, "second_transistor": select})
    with pytest.raises(InputError, match=r"cell\.second_transistor\.width: got .* plain \(w\)"):
        trial.try_nominal(study.tables, Population(study).nominal(), DIRECTIONS, study.pulses.at(1.2))


# ---- a driver with a supply of its own --------------------------------------------------------------

DRIVER = (
    PASSES
    + """.subckt buffer vdd vss in out
Bup vdd out i=v(vdd,out)/300*0.5*(1+tanh((v(in)-0.5*v(vdd))*4000))
Bdown out vss i=v(out,vss)/300*0.5*(1+tanh((0.5*v(vdd)-v(in))*4000))
.ends
"""
)


def driven(file, *, capacitance, stack=None, **driver):
    """Make a cell with drivers of 300 ohm that switch at half of their supply, and one with ideal sources."""
    file.write_text(DRIVER)
    wire, longer = (
        Line(resistance=200.0, capacitance=capacitance),
        Line(resistance=500.0, capacitance=capacitance),
    )
    driver = {"subcircuit": "buffer", "pins": ("vdd", "vss", "in", "out"), "settling": 50e-12, **driver}
    grid = {
        "amplitude": {"start": 0.6, "points": 2},
        "duration": {"start": 2e-9, "stop": 6e-9, "points": 2},
    }
    base = DEMO.with_(sweep=grid, stack=stack or {})
    access = Transistor(model=str(file), subcircuit="plain")
    return (
        base.with_(cell={"transistor": access, "driver": driver, "bitline": wire, "sourceline": wire}),
        base.with_(
            cell={
                "transistor": Transistor(model="ideal", on_resistance=1000.0),
                "bitline": longer,
                "sourceline": longer,
            },
            pulse={"rise": 1e-12, "fall": 1e-12},
        ),
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_energy_of_drivers_is_the_charge_from_their_supply(direction, tmp_path):
    study, _ = driven(tmp_path / "driver.lib", capacitance=200e-15, stack={"tmr": 1e-4})
    got = characterize(Task(study, Population(study).nominal(), direction))
    resistance = Population(study).nominal()["parallel_resistance_ohm"].iloc[0] + 2000.0
    volt, duration = got["amplitude_V"], got["duration_s"]
    # By hand: V/R from half rise to half fall, and the charge of the line, at V (1 - r/R) with r = 500 ohm.
    # The voltages at both lines lag behind by about r C, that of the junction by r C (R - 2 r)/R.
    share = 500.0 / resistance
    charge = volt / resistance * duration + 200e-15 * volt * (1.0 - share - share * (1.0 - 2.0 * share))
    np.testing.assert_allclose(got["energy_J"], volt * charge, rtol=1e-3)
    np.testing.assert_allclose(got["redundant_energy_J"], volt * charge, rtol=1e-3)


@pytest.mark.parametrize("free_layer_to", ["bitline", "sourceline"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_drivers_that_switch_at_once_are_sources_behind_their_resistance(direction, free_layer_to, tmp_path):
    studies = driven(tmp_path / "driver.lib", capacitance=20e-15)
    got, expected = (
        characterize(Task(each, Population(each).nominal(), direction))
        for each in (each.with_(cell={"free_layer_to": free_layer_to}) for each in studies)
    )
    assert np.all(got["status"] == "ok")
    # A source that is up within 1 ps delivers at its full voltage, as the supply does.
    np.testing.assert_allclose(got["write_error_rate"], expected["write_error_rate"], rtol=5e-3)
    np.testing.assert_allclose(got["energy_J"], expected["energy_J"], rtol=2e-3)
    np.testing.assert_allclose(got["redundant_energy_J"], expected["redundant_energy_J"], rtol=2e-3)


def test_driver_that_leaks_pays_for_it(tmp_path):
    leaking = DRIVER.replace("Bdown", "Rleak vdd vss 10k\nBdown")
    study, _ = driven(tmp_path / "driver.lib", capacitance=0.0)
    sound = characterize(Task(study, Population(study).nominal(), "ap_to_p"))
    (tmp_path / "driver.lib").write_text(leaking)
    got = characterize(Task(study, Population(study).nominal(), "ap_to_p"))
    # By hand: two drivers, V^2/10 kohm each, for the duration and what stands around it (within 1 ns).
    more, power = got["energy_J"] - sound["energy_J"], 2.0 * got["amplitude_V"] ** 2 / 1e4
    assert np.all(more > power * got["duration_s"])
    assert np.all(more < power * (got["duration_s"] + 1e-9))
    np.testing.assert_allclose(got["write_error_rate"], sound["write_error_rate"], rtol=1e-6)


def test_driver_that_is_not_in_the_file_fails_with_the_reason(tmp_path):
    study, _ = driven(tmp_path / "driver.lib", capacitance=0.0, subcircuit="missing")
    samples = characterize(Task(study, Population(study).nominal(), "ap_to_p"))
    assert set(samples["status"]) == {"failed"}
    assert "missing" in samples["reason"].iloc[0]


def test_whole_write_refuses_a_driver(tmp_path):
    study, _ = driven(tmp_path / "driver.lib", capacitance=0.0)
    with pytest.raises(InputError, match=r"cell\.driver: got 'buffer'; allowed: none in a whole write"):
        write_waveforms(study, cell_of(study, u0=2.0), "p_to_ap", study.pulses.at(0.7, 2e-9))


@pytest.mark.parametrize(
    ("table", "keys", "key", "words"),
    [
        (
            "cell",
            {"transistor": {"model": "generic"}},
            "cell.driver.subcircuit",
            ["SPICE file", "may include others"],
        ),
        ("cell", {"sourceline_low": "-0.1 V"}, "cell.sourceline_low", ["none with cell.driver"]),
        ("cell", {"supply_voltage": "2 V"}, "cell.supply_voltage", ["energy_J is at that"]),
        (
            "cell",
            {"second_transistor": {"position": "bitline", "gate_voltage": "2 V"}},
            "cell.second_transistor",
            ["none with cell.driver"],
        ),
        (
            "cell",
            {"external_field": {"x": "5 mT"}},
            "cell.driver",
            ["here they are counted (cell.external_field.x"],
        ),
        (
            "pulse",
            {"shape": [["0 s", 0], ["1 ps", 1], ["2 ps", 1], ["3 ps", 0]]},
            "cell.driver",
            ["has a shape"],
        ),
        (
            "cell",
            {"driver": {"subcircuit": "b", "pins": ["in", "out", "vdd"]}},
            "cell.driver.pins",
            ["once each"],
        ),
        (
            "cell",
            {"driver": {"subcircuit": "b", "settling": "20 ns"}},
            "cell.driver.settling",
            ["at most 10 ns"],
        ),
        ("cell", {"driver": {"subcircuit": "b; quit"}}, "cell.driver.subcircuit", ["pattern"]),
        ("cell", {"driver": "buffer"}, "cell.driver", ["a table"]),
    ],
)
def test_driver_that_is_refused(folder, table, keys, key, words):
    (folder / "user.lib").write_text(DRIVER)
    data = changed("cell.transistor", {"model": "user.lib", "subcircuit": "plain"})
    data["cell"]["driver"] = {"subcircuit": "buffer"}
    data[table] = {**data[table], **keys}
    message = refusal(folder, data)
    assert f"{key}: got " in message
    for word in words:
        assert word in message


# ---- the page ---------------------------------------------------------------------------------------


def test_examples_of_the_page_load(folder):
    (folder / "array.lib").write_text(DRIVER)
    examples = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/drivers.md").read_text(), re.DOTALL)
    assert len(examples) == 4
    studies = []
    for example in map(tomllib.loads, examples):
        data = changed("sweep.duration.start", "2 ns")
        for table, keys in example.items():
            data[table] = {**data[table], **keys}
        studies.append(load(folder, data))
        assert read_written(studies[-1].to_toml(), "study.toml of a run") == studies[-1]
    levels, second, driver, shape = studies
    assert levels.cell.sourceline_low == -0.3
    assert second.cell.second_transistor.gate_voltage == 2.0
    assert driver.cell.driver.pins == ("vdd", "vss", "in", "out")
    assert shape.pulses.shape.highest == 1.4


# ---- what is refused --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("cell.wordline_low", "0.1 V", ["'0.1 V'", "at least -2 V and at most 0 V"]),
        ("cell.wordline_low", "-3 V", ["'-3 V'", "at least -2 V and at most 0 V"]),
        ("cell.wordline_low", -0.1, ["-0.1", "string with a unit"]),
        ("cell.bitline_low", "0.3 V", ["'0.3 V'", "at least -0.5 V and at most 0 V"]),
        ("cell.sourceline_low", "-0.6 V", ["'-0.6 V'", "at least -0.5 V and at most 0 V"]),
        ("cell.sourceline_low", "-0.45 V", ["'-0.45 V'", "-0.4 V to 0 V", "other line would be below 0 V"]),
    ],
)
def test_levels_that_are_refused(folder, key, value, words):
    message = refusal(folder, changed(key, value))
    assert f"{key}: got " in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"gate_voltage": "2 V"}, ["second_transistor.position is missing (required)."]),
        ({"position": "drain"}, ["'drain'", "'bitline', 'sourceline' or 'parallel'"]),
        ({"position": "bitline"}, ["second_transistor.gate_voltage", "a voltage with position"]),
        ({"position": "parallel", "gate_voltage": "2 V"}, ["'2 V'", 'none with "parallel"']),
        ({"position": "bitline", "gate_voltage": "0 V"}, ["'0 V'", "above 0 V and at most 10 V"]),
        ({"position": "parallel", "on_resistance": "1 kohm"}, ["second_transistor.on_resistance", '"ideal"']),
        ({"position": "parallel", "colour": 1}, ["colour", "position, gate_voltage"]),
        ({"position": "parallel", "model": "user.lib", "subcircuit": "n"}, ["that of cell.transistor"]),
        (
            {
                "position": "parallel",
                "model": "two.lib",
                "subcircuit": "nmos",
                "init": ["set ngbehavior=hsa"],
            },
            ["second_transistor.init", "cell.transistor holds for both"],
        ),
    ],
)
def test_second_transistor_that_is_refused(folder, second, words):
    for name in ("user.lib", "two.lib"):
        (folder / name).write_text(PASSES)
    data = changed("cell.second_transistor", second)
    if second.get("model") == "two.lib":
        data["cell"]["transistor"] = {"model": "two.lib", "subcircuit": "nmos"}
    message = refusal(folder, data)
    for word in ("cell.second_transistor", *words):
        assert word in message
    assert "is missing" in message or ("got " in message and "allowed: " in message)


def test_supply_has_to_reach_the_high_level_alone(folder):
    data = changed("cell.supply_voltage", "1 V")
    data["cell"] |= {"bitline_low": "-0.25 V", "sourceline_low": "-0.25 V"}
    (folder / "study.toml").write_text(tomli_w.dumps(data))  # 1.2 V less 0.25 V
    assert "cell.supply_voltage" in refusal(folder, changed("cell.supply_voltage", "1 V"))
    data["cell"]["supply_voltage"] = "0.9 V"
    assert "at least the largest amplitude of the sweep over the low level, 0.95 V" in refusal(folder, data)
