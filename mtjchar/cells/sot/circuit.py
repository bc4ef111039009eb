"""Currents of SOT cells and energies of the pulse edges, measured in ngspice.

A deck contains only numbers, the names in this file, checked settings and a checked path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.interpolate import make_interp_spline

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.base import Direction, Pulses
from mtjchar.cells.sot.tables import SotTables
from mtjchar.cells.transistor_netlist import transistor_text
from mtjchar.errors import SimulationError
from mtjchar.physics import tunneling
from mtjchar.spice.libraries import circuit_with, library
from mtjchar.spice.ngspice import Simulator, simulator
from mtjchar.units import ZERO_CELSIUS
from mtjchar.work import done

__all__ = ["COSINES", "Currents", "EdgeTimes", "batch_deck", "cell_parameters", "commands_by_hand", "measure"]

COSINES = np.linspace(-1.0, 1.0, 9)
"""Cosines between the layers at which currents are measured."""

_SETTLED = 10.0  # time constants of the lines
_EDGE_STEP = 0.1  # of the shorter edge: largest step of a transient
_LEAST_TIME = 1e-12  # s, for lines without capacitance

Points = Sequence[tuple[float, float]]


class EdgeTimes(NamedTuple):
    """Division of a pulse into rise, plateau and fall, s.

    Rise and fall have four parts each: two equal parts for the ramp, and two equal parts for the time in
    which the lines settle. The plateau is shorter than the duration by `outside`.
    """

    rise: FloatArray  # (4,)
    fall: FloatArray  # (4,)
    outside: float

    @classmethod
    def of(cls, tables: SotTables, pulses: Pulses) -> EdgeTimes:
        """Divide the pulses of a sweep."""
        settled = _SETTLED * line_time(tables)
        lag = min(settled, pulses.shortest - pulses.in_duration)
        rise, fall = (
            0.5 * np.repeat([ramp, max(after, _LEAST_TIME)], 2)
            for ramp, after in ((pulses.rise, lag), (pulses.fall, settled))
        )
        return cls(rise, fall, pulses.in_duration + float(rise[2:].sum()))


class Currents(NamedTuple):
    """Behaviour of a batch of cells in one direction.

    The first axis of the arrays over `COSINES` is the phase. The phases are the plateau of the pulse, the
    plateau with the assist pulse, and the assist pulse alone. Without an assist pulse there is only the
    first phase.

    Attributes
    ----------
    channel_A : ndarray, shape (phases, devices, amplitudes, cosines)
        Mean of the currents in both halves of the channel, with its sign.
    junction_A, junction_V : ndarray, same shape
        From the free to the reference layer.
    power_W : ndarray, same shape
        Delivered by the drivers of all lines.
    rise, fall : ndarray, shape (devices, amplitudes, 4, 2)
        Current in the channel, and voltage of the junction, as ratios to those of the plateau. They are means
        over the parts of the edges (see `EdgeTimes`).
    rise_J, fall_J : ndarray, shape (devices, amplitudes, 2)
        Energy that the drivers deliver outside the plateau, with the junction in P and in AP. It includes the
        word lines.
    assist_J : ndarray, shape (devices, amplitudes, 2)
        Energy of the edges of the assist pulse.
    failure, status, note : ndarray of str, shape (devices, amplitudes)
        As in `mtjchar.cells.base.Driven`.
    """

    channel_A: FloatArray
    junction_A: FloatArray
    junction_V: FloatArray
    power_W: FloatArray
    rise: FloatArray
    fall: FloatArray
    rise_J: FloatArray
    fall_J: FloatArray
    assist_J: FloatArray
    failure: WordArray
    status: WordArray
    note: WordArray


class _Levels(NamedTuple):
    """Levels of the drivers in one phase, V: both write lines, read line, gate of the read transistor."""

    bit: float
    source: float
    read: float
    gate: float

    @classmethod
    def of(cls, tables: SotTables, direction: Direction, amplitude: float, phase: int) -> _Levels:
        cell = tables.cell
        positive = tables.polarity(direction) > 0.0
        pulse = 0.0 if phase == 2 else float(amplitude)
        favours_p = 1.0 if direction == "ap_to_p" else -1.0
        read = 0.0
        if cell.topology == "2t" and cell.reads_in_write:
            read = 0.5 * pulse - (cell.junction_bias if phase < 2 else 0.0)
            if phase > 0 and cell.assist is not None:
                read -= favours_p * cell.assist.amplitude
        reads = cell.topology == "3t" or cell.junction_bias != 0.0 or phase > 0
        gate = cell.read_gate if reads else 0.0
        return cls(pulse if positive else 0.0, 0.0 if positive else pulse, read, gate)


def line_time(tables: SotTables) -> float:
    """Longest time constant of the lines, s. The connection of the lines only shortens it."""
    cell = tables.cell
    lines = [cell.bitline, cell.sourceline, *([cell.readline] if cell.topology == "2t" else [])]
    return max(line.resistance * line.capacitance for line in lines)


def cell_parameters(tables: SotTables, devices: pd.DataFrame) -> pd.DataFrame:
    """Parameters of the cell's subcircuit for held magnetizations, one row per device."""
    cell, two = tables.cell, tables.cell.topology == "3t"
    values = {
        "rbl": cell.bitline.resistance,
        "cbl": cell.bitline.capacitance,
        "rsl": cell.sourceline.resistance,
        "csl": cell.sourceline.capacitance,
        "ww": cell.transistor.width,
        "lw": cell.transistor.length,
        "dvthw": devices["threshold_voltage_V"],
        "betaw": devices["current_factor"],
        "wr": cell.read_width,
        "lr": cell.transistor.length,
        "dvthr": devices["read_threshold_voltage_V"],
        "betar": devices["read_current_factor"],
        "rp": devices["parallel_resistance_ohm"],
        "tmr": devices["tmr"],
        "vhalf": tables.stack.tmr_half_bias,
        "rho": devices["channel_resistivity_ohm_m"],
        "tch": devices["channel_thickness_m"],
        "wch": devices["channel_width_m"],
        "lch": devices["channel_length_m"],
    }
    if two:
        values |= {"dvthw2": values["dvthw"], "betaw2": values["betaw"]}
    else:
        values |= {"rrl": cell.readline.resistance, "crl": cell.readline.capacitance}
    return pd.DataFrame(values, index=devices.index).astype(float)


def _nodes(tables: SotTables) -> dict[str, str]:
    """Nodes of the drivers, by their letter: lines first, then word lines."""
    lines = {"b": "abl", "s": "asl"} | ({"r": "arl"} if tables.cell.topology == "2t" else {})
    return {**lines, "w": "aww", "g": "arw"}


def batch_deck(tables: SotTables, cells: pd.DataFrame) -> str:
    """Write a deck with one cell for each row of `cells`, all on the same pulse.

    Parameters
    ----------
    tables : SotTables
    cells : DataFrame
        As `cell_parameters` returns them.

    Returns
    -------
    str
        SPICE text. Nodes ``abl``, ``asl``, ``arl``, ``aww`` and ``arw`` are the outputs of the drivers of bit
        line, source line, read line and both word lines. ``vmz`` sets the cosine between the layers. Cell k
        is ``xk``. Its drivers are ``ebk``, ``esk``, ``erk``, ``ewk`` and ``egk``.
    """
    cell = tables.cell
    name = f"cell_sot_{cell.topology}"
    # The read transistor has another width: a kit has a subcircuit for each size.
    netlist = "\n".join(
        line.replace("access_transistor", "read_transistor") if line.startswith("Xr ") else line
        for line in library(f"{name}.lib").splitlines()
    )
    circuit = circuit_with(
        "mtjchar SOT batch",
        [
            library("mtj_held.lib"),
            library("mtj_sot_held.lib"),
            transistor_text(cell.transistor),
            transistor_text(cell.read_transistor, "read_transistor", loaded=cell.transistor.file is not None),
            netlist,
        ],
    )
    nodes = _nodes(tables)
    for node in nodes.values():
        circuit.V(node, node, circuit.gnd, "dc 0 pwl(0 0 1 0)")
    circuit.V("mz", "mz", circuit.gnd, 0)
    saved = [f"v({node})" for node in nodes.values()]
    for k, parameters in enumerate(cells.to_dict("records")):
        for letter, node in nodes.items():
            circuit.VCVS(f"{letter}{k}", f"{letter}{k}", circuit.gnd, node, circuit.gnd, voltage_gain=1)
            saved.append(f"i(e{letter}{k})")
        probes = [f"{probe}{k}" for probe in ("left", "right", "tap", "top")]
        circuit.X(
            str(k), name, *(f"{letter}{k}" for letter in nodes), "mz", *probes,
            **{str(key): repr(float(value)) for key, value in parameters.items()},
        )  # fmt: skip
        saved += [f"v({probe})" for probe in probes]
    settings = [f".options temp={cell.temperature - ZERO_CELSIUS!r} method=trap reltol=1e-5"]
    if cell.transistor.options:
        settings.append(f".options {cell.transistor.options}")
    settings += [f".save {each}" for each in saved]
    return "\n".join([str(circuit), *settings, ".end"])


def measure(tables: SotTables, devices: pd.DataFrame, direction: Direction, pulses: Pulses) -> Currents:
    """Measure currents and energies of a batch of cells.

    If ngspice cannot solve one cell, the other cells do not fail. The batch is divided into halves until this
    cell is alone with one amplitude. Its row then gives the reason.

    Parameters
    ----------
    tables : SotTables
    devices : DataFrame
        As `mtjchar.cells.sot.device.derive` returns them.
    direction : {"p_to_ap", "ap_to_p"}
    pulses : Pulses
        Their durations have no effect, except for the shortest of the sweep.
    """
    try:
        return _measure_batch(tables, devices, direction, pulses)
    except SimulationError as error:
        if len(devices) > 1:
            half = len(devices) // 2
            parts = [measure(tables, part, direction, pulses) for part in (devices[:half], devices[half:])]
            return _joined(parts, 0)
        if len(pulses.amplitude_V) > 1:
            parts = [
                measure(tables, devices, direction, pulses.at(amplitude)) for amplitude in pulses.amplitude_V
            ]
            return _joined(parts, 1)
        return _failed(tables, error)


def _joined(parts: list[Currents], axis: int) -> Currents:
    columns = zip(Currents._fields, zip(*parts, strict=True), strict=True)
    later = ("channel_A", "junction_A", "junction_V", "power_W")
    return Currents(
        *(np.concatenate(column, axis=axis + 1 if name in later else axis) for name, column in columns)
    )


def _phases(tables: SotTables) -> int:
    return 1 if tables.cell.assist is None else 3


def _failed(tables: SotTables, error: SimulationError) -> Currents:
    line = np.full((_phases(tables), 1, 1, len(COSINES)), np.nan)
    shape, energy = np.full((1, 1, 4, 2), np.nan), np.full((1, 1, 2), np.nan)
    words = (np.array([[word]], dtype=object) for word in (str(error), error.status, ""))
    return Currents(line, line, line, line, shape, shape, energy, energy, energy, *words)


def _measure_batch(
    tables: SotTables, devices: pd.DataFrame, direction: Direction, pulses: Pulses
) -> Currents:
    amplitudes, count = pulses.amplitude_V, len(devices)
    cells = cell_parameters(tables, devices)
    over_cosines = np.empty((4, _phases(tables), count, len(amplitudes), len(COSINES)))
    shapes = np.empty((2, count, len(amplitudes), 4, 2))
    energies = np.zeros((3, count, len(amplitudes), 2))
    resistance = devices["channel_resistance_ohm"].to_numpy()[:, None]
    ngspice = simulator()
    with ngspice.circuit(batch_deck(tables, cells), tables.cell.transistor.variables):
        for k, amplitude in enumerate(amplitudes):
            done(k / len(amplitudes))
            for phase in range(_phases(tables)):
                levels = _Levels.of(tables, direction, float(amplitude), phase)
                _hold(ngspice, tables, levels)
                vectors = ngspice.analyse(f"dc vmz -1 1 {2.0 / (len(COSINES) - 1)!r}", "v-sweep", 1.0)
                voltage = _between(vectors, "tap", "top", count)
                over_cosines[:, phase, :, k] = (
                    _between(vectors, "left", "right", count) / resistance,
                    _junction_current(cells, COSINES, voltage),
                    voltage,
                    _power(tables, vectors, count, ("b", "s", "r")),
                )
            plateau = over_cosines[:, :, :, k]
            edges = _edges(ngspice, tables, direction, pulses, float(amplitude), plateau)
            shapes[:, :, k], energies[:, :, k] = edges
    nothing = np.full((count, len(amplitudes)), "", dtype=object)
    ok = np.full(nothing.shape, "ok", dtype=object)
    channel, junction, voltage, power = over_cosines
    rise, fall = shapes
    return Currents(
        channel,
        junction,
        voltage,
        power,
        rise,
        fall,
        energies[0],
        energies[1],
        energies[2],
        nothing,
        ok,
        nothing,
    )


def _hold(ngspice: Simulator, tables: SotTables, levels: _Levels) -> None:
    """Set all drivers to the levels of a phase."""
    values = {"b": levels.bit, "s": levels.source, "r": levels.read}
    values |= {"w": tables.cell.wordline_voltage, "g": levels.gate}
    for letter, node in _nodes(tables).items():
        ngspice.exec_command(f"alter v{node} dc = {values[letter]!r}")


def _edges(
    ngspice: Simulator,
    tables: SotTables,
    direction: Direction,
    pulses: Pulses,
    amplitude: float,
    plateau: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Simulate a pulse: shapes (2, cells, 4, 2) of rise and fall, and energies (3, cells, 2).

    `plateau` has channel_A, junction_A, junction_V and power_W over phases, cells and cosines. The junction
    is held in P and then in AP. The shapes are means of both.
    """
    times, count = EdgeTimes.of(tables, pulses), plateau.shape[2]
    length = 1e-10 + _SETTLED * line_time(tables)
    shapes, energies = np.zeros((2, count, 4, 2)), np.zeros((3, count, 2))
    _, _, voltage, power = plateau[:, 0]
    rise = pulses.rise + np.concatenate([[0.0], np.cumsum(times.rise)])
    fall = pulses.rise + pulses.rise + length + np.concatenate([[0.0], np.cumsum(times.fall)])
    for column, (held, place) in enumerate(((1.0, -1), (-1.0, 0))):
        if column == 1 and not tables.cell.reads_in_write:
            energies[..., 1] = energies[..., 0]
            shapes *= 2.0
            break
        ngspice.exec_command(f"alter vmz dc = {held!r}")
        time, vectors = _run(ngspice, tables, direction, pulses, amplitude, length, assisted=False)
        current = _between(vectors, "left", "right", count)
        static = _static(time, current, fall[0])
        across = _between(vectors, "tap", "top", count)
        for row, ends in enumerate((rise, fall)):
            shapes[row, :, :, 0] += 0.5 * _mean(time, current, ends) / static[:, None]
            shapes[row, :, :, 1] += 0.5 * _ratio(_mean(time, across, ends), voltage[:, place])
        total = _energy(tables, time, vectors, count, np.array([rise[-1], fall[0]]))
        # Lines that have not settled at the end of the rise settle on the plateau.
        energies[0, :, column] = total[:, :2].sum(axis=1) - power[:, place] * (fall[0] - rise[-1])
        energies[1, :, column] = total[:, 2]
        if tables.cell.assist is not None:
            energies[2, :, column] = _assist_energy(
                ngspice,
                tables,
                direction,
                pulses,
                amplitude,
                plateau[3, :, :, place],
                energies[:2, :, column],
            )
    return shapes, energies


def _assist_energy(
    ngspice: Simulator,
    tables: SotTables,
    direction: Direction,
    pulses: Pulses,
    amplitude: float,
    power: FloatArray,
    edges: FloatArray,
) -> FloatArray:
    """Energy of the edges of an assist pulse within a longer write pulse, (cells,).

    `power` is that of the phases (phases, cells), `edges` the energy of the edges of the write pulse.
    """
    assist, times = tables.cell.assist, EdgeTimes.of(tables, pulses)
    assert assist is not None
    length = (
        2.0 * pulses.rise + assist.delay + assist.duration + pulses.fall + 2.0 * _SETTLED * line_time(tables)
    )
    time, vectors = _run(ngspice, tables, direction, pulses, amplitude, length, assisted=True)
    total = _energy(tables, time, vectors, power.shape[1], np.empty(0))[:, 0]
    plain = length - float(times.rise[2:].sum()) - assist.duration
    return np.asarray(total - edges.sum(axis=0) - power[0] * plain - power[1] * assist.duration)


def _run(
    ngspice: Simulator,
    tables: SotTables,
    direction: Direction,
    pulses: Pulses,
    amplitude: float,
    length: float,
    *,
    assisted: bool,
) -> tuple[FloatArray, Mapping[str, FloatArray]]:
    """Run one pulse. The word lines are high from before the pulse until the lines are discharged."""
    up, down, start = pulses.rise, pulses.fall, pulses.rise
    levels = [_Levels.of(tables, direction, amplitude, phase) for phase in range(_phases(tables))]
    ends = (start, start + up, start + up + length, start + up + length + down)
    off = ends[-1] + _SETTLED * line_time(tables)

    def trapezoid(level: float) -> Points:
        return [(0.0, 0.0), (ends[0], 0.0), (ends[1], level), (ends[2], level), (ends[3], 0.0)]

    read: Points = trapezoid(levels[0].read)
    gate: Points = [(0.0, 0.0), (up, levels[0].gate), (off, levels[0].gate), (off + down, 0.0)]
    if assisted and tables.cell.assist is not None:
        assist = (ends[1] + _LEAST_TIME + tables.cell.assist.delay, tables.cell.assist.duration)
        read = _with_step(read, levels[0].read, levels[1].read, assist, pulses)
        gate = _with_step(gate, levels[0].gate, levels[1].gate, assist, pulses)
    word = [
        (0.0, 0.0),
        (up, tables.cell.wordline_voltage),
        (off, tables.cell.wordline_voltage),
        (off + down, 0.0),
    ]
    waves = {"b": trapezoid(levels[0].bit), "s": trapezoid(levels[0].source), "r": read, "w": word, "g": gate}
    for letter, node in _nodes(tables).items():
        numbers = " ".join(f"{float(time)!r} {float(level)!r}" for time, level in waves[letter])
        ngspice.exec_command(f"alter v{node} dc = 0")
        ngspice.exec_command(f"alter @v{node}[pwl] = [ {numbers} ]")
    stop = float(off + down + _SETTLED * line_time(tables))
    step = _EDGE_STEP * min(up, down)
    vectors = ngspice.analyse(f"tran {step!r} {stop!r} 0 {step!r}", "time", stop)
    return vectors["time"], vectors


def _with_step(
    points: Points, before: float, level: float, assist: tuple[float, float], pulses: Pulses
) -> Points:
    """Add an assist pulse, (begin of its rise, duration), to a level that is constant there."""
    begin, duration = assist
    end = max(begin + 0.5 * (pulses.rise - pulses.fall) + duration, begin + pulses.rise + _LEAST_TIME)
    step = [(begin, before), (begin + pulses.rise, level), (end, level), (end + pulses.fall, before)]
    return sorted([*points, *step])


def commands_by_hand(tables: SotTables, direction: Direction, pulses: Pulses) -> list[str]:
    """Commands for ngspice that measure currents in a deck, for each amplitude."""
    commands = []
    for amplitude in pulses.amplitude_V:
        levels = _Levels.of(tables, direction, float(amplitude), 0)
        values = {"b": levels.bit, "s": levels.source, "r": levels.read}
        values |= {"w": tables.cell.wordline_voltage, "g": levels.gate}
        commands += [f"alter v{node} dc = {values[letter]!r}" for letter, node in _nodes(tables).items()]
        commands.append(f"dc vmz -1 1 {2.0 / (len(COSINES) - 1)!r}")
    return commands


def _per_cell(vectors: Mapping[str, FloatArray], pattern: str, cells: int) -> FloatArray:
    return np.stack([vectors[pattern.format(k)] for k in range(cells)])


def _between(vectors: Mapping[str, FloatArray], one: str, other: str, cells: int) -> FloatArray:
    """Voltage between two probes of each cell."""
    return _per_cell(vectors, one + "{}", cells) - _per_cell(vectors, other + "{}", cells)


def _junction_current(cells: pd.DataFrame, cosine: FloatArray, voltage: FloatArray) -> FloatArray:
    rp, tmr, half = (cells[name].to_numpy()[:, None] for name in ("rp", "tmr", "vhalf"))
    return voltage * tunneling.conductance(cosine, rp, tunneling.tmr_at_bias(tmr, voltage, half))


def _power(
    tables: SotTables, vectors: Mapping[str, FloatArray], cells: int, letters: Sequence[str]
) -> FloatArray:
    """Power that drivers deliver. Power that flows back into a driver is lost."""
    nodes, power = _nodes(tables), np.zeros(())
    for letter in letters:
        if letter in nodes:
            current = _per_cell(vectors, "e" + letter + "{}#branch", cells)
            power = power + np.maximum(-vectors[nodes[letter]] * current, 0.0)
    return np.asarray(power)


def _energy(
    tables: SotTables, time: FloatArray, vectors: Mapping[str, FloatArray], cells: int, ends: FloatArray
) -> FloatArray:
    """Energy of all drivers up to each of the `ends`, and after the last, (cells, ends + 1)."""
    power = _power(tables, vectors, cells, ("b", "s", "r", "w", "g"))
    energy = make_interp_spline(time, power, k=1, axis=1).antiderivative()
    return np.diff(energy(np.concatenate([time[:1], ends, time[-1:]])), axis=1)


def _static(time: FloatArray, wave: FloatArray, at: float) -> FloatArray:
    """Value of waveforms (cells, times) just before the fall."""
    return np.array([np.interp(at, time, row) for row in wave])


def _mean(time: FloatArray, wave: FloatArray, ends: FloatArray) -> FloatArray:
    """Means of waveforms (cells, times) between the ends."""
    integral = make_interp_spline(time, wave, k=1, axis=1).antiderivative()
    return np.asarray(np.diff(integral(ends), axis=1) / np.diff(ends))


def _ratio(values: FloatArray, static: FloatArray) -> FloatArray:
    """Values (cells, parts) over static ones (cells,); 0 where there is hardly any voltage."""
    scale = static[:, None] * np.ones_like(values)
    return np.divide(values, scale, out=np.zeros_like(values), where=np.abs(scale) > 1e-3)
