"""Load lines and energies of the pulse edges of a batch of cells, measured in ngspice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev
from scipy.interpolate import make_interp_spline

from mtjchar.arrays import FloatArray, IndexArray, WordArray
from mtjchar.cells.base import Direction, Pulses
from mtjchar.cells.stt.barriers import barriers_of_cells
from mtjchar.cells.stt.drivers import (
    EdgeTimes,
    Levels,
    Simulates,
    delivered,
    drawn,
    driven_node,
    edge_plateau,
    gate_energies,
    gate_levels,
    line_energy,
    line_energy_at_supply,
    lost_in_drivers,
    per_cell,
    pulse_start,
    run_pulse,
    set_supply,
)
from mtjchar.cells.stt.netlist import batch_deck
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import SimulationError
from mtjchar.physics import tunneling
from mtjchar.spice.ngspice import Simulator, simulator
from mtjchar.work import done

__all__ = [
    "LADDER",
    "M_Z_POINTS",
    "LoadLine",
    "Rung",
    "commands_by_hand",
    "held_states",
    "load_line_command",
    "load_lines",
]

M_Z_POINTS = 9
_LOAD_LINES = 0.2  # share of the time that the load lines take, on the demo
# Edges are measured in steps of this share of the shorter one. Shapes are then within 2e-3 of those at steps
# of 0.5 ps, compared with 1.3e-2 for ngspice's own steps.
_EDGE_STEP = 0.1
_EDGE_SHARE = 1.0 / 150.0  # of the whole pulse: no shorter steps than that
_SHAPE_SHARE = 1.0 / 1000.0  # of the whole pulse, if most of it may have long steps
# The shapes of edges change slowly with the amplitude. If there are more amplitudes than these, some are
# simulated and the others follow by a polynomial, unless its last terms show that it has not converged.
_EDGE_AMPLITUDES = 6
_EDGE_TOLERANCE = 5e-3


class LoadLine(NamedTuple):
    """Behaviour of a batch of cells while the pulse is on, in one direction.

    Attributes
    ----------
    m_z : ndarray, shape (points,)
        Cosine between the layers, m_z if the reference layer is not tilted: from -1 (antiparallel) to 1
        (parallel).
    current_A : ndarray, shape (devices, amplitudes, points)
        Through the junction, positive in the direction that favours the written state.
    delivered_A : ndarray, shape (devices, amplitudes, points)
        Power that the drivers deliver over the amplitude: the current, except for drivers with a supply.
    junction_voltage_V : ndarray, shape (devices, amplitudes, points)
        From the free to the reference layer.
    rise, fall, rise_voltage, fall_voltage : ndarray, shape (devices, amplitudes, parts, 2 or 3)
        Current and junction voltage over those of the plateau, means in each part of the edges (see
        `EdgeTimes`), with the junction held in `held_states`: in P, in AP, halfway. With two barriers the
        voltage is that of `mtjchar.physics.double_barrier.DoubleBarrier.torque_voltage`.
    rise_energy_J, fall_energy_J : ndarray, shape (devices, amplitudes, parts, 2)
        Energy that the drivers deliver in each of these parts to the junction, to the lines and, in the
        first and the last part, to the word line.
    line_energy_J : ndarray, shape (devices, amplitudes, 2)
        Energy stored on the capacitances of both lines on the plateau.
    ramp_loss_J : ndarray, shape (devices, amplitudes, 2, 2)
        Energy lost in the drivers of both lines during rise and fall, scaled as in `lost_in_drivers`. Last
        axis: P, AP.
    word_line_J : ndarray, shape (devices, amplitudes, 2)
        Energy that the word-line driver delivers, and the energy from supplies of both its levels.
    select_J : ndarray, shape (devices, amplitudes, 2)
        The same for the driver of the gate of a transistor in series with a line; zeros without one.
    failure : ndarray of str, shape (devices, amplitudes)
        Reason why there are no numbers (which are then NaN); empty if there are.
    status : ndarray of str, shape (devices, amplitudes)
        ``ok``; without numbers ``not_converged``, ``cut`` or ``failed``.
    note : ndarray of str, shape (devices, amplitudes)
        The successful rung of the ladder of retries; empty if none was needed.
    """

    m_z: FloatArray
    current_A: FloatArray
    delivered_A: FloatArray
    junction_voltage_V: FloatArray
    rise: FloatArray
    fall: FloatArray
    rise_voltage: FloatArray
    fall_voltage: FloatArray
    rise_energy_J: FloatArray
    fall_energy_J: FloatArray
    line_energy_J: FloatArray
    ramp_loss_J: FloatArray
    word_line_J: FloatArray
    select_J: FloatArray
    failure: WordArray
    status: WordArray
    note: WordArray


class Rung(NamedTuple):
    """Changed settings for a retry in ngspice."""

    name: str
    step: float  # over the usual one
    options: str


_AS_USUAL = Rung("", 1.0, "")
LADDER = (
    Rung("step over 10", 0.1, ""),
    Rung("step over 10, gmin 1e-10, more iterations", 0.1, "gmin=1e-10 itl1=1000 itl2=1000 itl4=200"),
    Rung(
        "step over 10, gmin 1e-10, more iterations, method gear",
        0.1,
        "gmin=1e-10 itl1=1000 itl2=1000 itl4=200 method=gear",
    ),
)
"""Retries, in this order, for a cell without a solution."""


def load_lines(tables: SttTables, cells: pd.DataFrame, direction: Direction, pulses: Pulses) -> LoadLine:
    """Measure load lines and edge energies of a batch of cells in ngspice.

    A cell that ngspice cannot solve does not fail the others: the batch is halved until the cell
    is alone, with one amplitude. If no solution was found, it is then tried again along `LADDER`, and
    `note` names the successful rung. If none succeeds, its rows give the reason.

    For more than seven amplitudes the edges are simulated at six; see `docs/sweeps.md`.

    Parameters
    ----------
    tables : SttTables
    cells : DataFrame
        As `mtjchar.cells.stt.netlist.cell_parameters` returns them.
    direction : {"p_to_ap", "ap_to_p"}
    pulses : Pulses
        Their durations have no effect, except for the shortest of the sweep.
    """
    try:
        return _measure_batch(tables, cells, direction, pulses)
    except SimulationError as error:
        if len(cells) > 1:
            half = len(cells) // 2
            parts = [load_lines(tables, part, direction, pulses) for part in (cells[:half], cells[half:])]
            return _joined(parts, axis=0)
        if len(pulses.amplitude_V) > 1:
            parts = [
                load_lines(tables, cells, direction, pulses.at(amplitude)) for amplitude in pulses.amplitude_V
            ]
            return _joined(parts, axis=1)
        return _insist(tables, cells, direction, pulses, error)


def _insist(
    tables: SttTables, cell: pd.DataFrame, direction: Direction, pulses: Pulses, error: SimulationError
) -> LoadLine:
    """Climb the ladder with one cell at one amplitude; the first error is reported."""
    for rung in LADDER if error.status != "failed" else ():
        try:
            lines = _measure_batch(tables, cell, direction, pulses, rung)
        except SimulationError:
            continue
        return lines._replace(note=np.array([[f"{error.status} at first; solved with {rung.name}"]], object))
    return _failed(str(error), error.status, tables, pulses)


def _joined(parts: list[LoadLine], axis: int) -> LoadLine:
    columns = list(zip(*parts, strict=True))[1:]
    return LoadLine(parts[0].m_z, *(np.concatenate(column, axis=axis) for column in columns))


def _failed(reason: str, status: str, tables: SttTables, pulses: Pulses) -> LoadLine:
    line, times = np.full((1, 1, M_Z_POINTS), np.nan), EdgeTimes.of(tables, pulses)
    words = (np.array([[word]], dtype=object) for word in (reason, status, ""))
    m_z, energy = np.linspace(-1.0, 1.0, M_Z_POINTS), np.full((1, 1, 2), np.nan)
    losses = np.full((1, 1, 2, 2), np.nan)
    states = len(held_states(pulses))
    rise, fall = (np.full((1, 1, len(parts), states), np.nan) for parts in (times.rise, times.fall))
    edges = (rise, fall, rise, fall, rise[..., :2], fall[..., :2])
    return LoadLine(m_z, line, line, line, *edges, energy, losses, energy, energy, *words)


def _measure_batch(
    tables: SttTables, cells: pd.DataFrame, direction: Direction, pulses: Pulses, rung: Rung = _AS_USUAL
) -> LoadLine:
    amplitudes = pulses.amplitude_V
    m_z = np.linspace(-1.0, 1.0, M_Z_POINTS)
    high = driven_node(tables, direction)
    shape = (len(cells), len(amplitudes))
    current, voltage, from_supply, output = np.empty((4, *shape, M_Z_POINTS))
    chosen, drop = _edge_amplitudes(amplitudes), np.zeros((*shape, M_Z_POINTS))
    columns = _Columns.of(EdgeTimes.of(tables, pulses), len(gate_levels(tables.cell)))
    ngspice = simulator()
    deck = batch_deck(tables, cells, held=True, options=rung.options)
    with ngspice.circuit(deck, tables.cell.transistor.variables):
        for k, amplitude in enumerate(amplitudes):
            levels = Levels.of(tables, direction, amplitude)
            _set_levels(ngspice, tables, levels)
            done(_LOAD_LINES * k / len(amplitudes))
            vectors = ngspice.analyse(load_line_command(), "v-sweep", 1.0)
            voltage[:, k] = _junction_voltage(tables, vectors, len(cells))
            if tables.cell.driver is None:
                current[:, k] = -per_cell(vectors, "e" + high[1] + "{}#branch", len(cells))
            else:
                current[:, k] = np.abs(_junction_current(cells, m_z, voltage[:, k]))
                from_supply[:, k] = drawn(vectors, len(cells), levels)
                output[:, k] = per_cell(vectors, "o" + high[1] + "{}", len(cells))
            if tables.cell.select is not None:
                before = levels.high if high[1] == tables.cell.select.position[0] else levels.low
                drop[:, k] = np.abs(before - per_cell(vectors, "n{}", len(cells)))
        at_held = [int(0.5 * (held + 1.0) * (M_Z_POINTS - 1)) for held in held_states(pulses)]
        delivering = current if tables.cell.driver is None else from_supply
        plateau = voltage[:, :, at_held], delivering[:, :, at_held]

        def measured(places: IndexArray) -> FloatArray:
            edges = []
            for count, k in enumerate(places):
                done(_LOAD_LINES + (1.0 - _LOAD_LINES) * count / len(places))
                levels = Levels.of(tables, direction, amplitudes[k])
                at_rest = [edge[:, k] for edge in plateau]
                edges.append(_edges(ngspice, tables, pulses, cells, levels, at_rest, rung))
            return np.stack(edges, axis=1)

        edges = measured(chosen)
        if len(chosen) < len(amplitudes):
            smooth = _over_amplitude(amplitudes, chosen, edges, columns)
            edges = measured(np.arange(len(amplitudes))) if smooth is None else smooth
    nothing = np.full(shape, "", dtype=object)
    shapes = np.moveaxis(edges, -1, -2)  # (cells, amplitudes, what, states)
    in_both = shapes[..., :2]
    squared = amplitudes[:, None, None] ** 2
    gates = in_both[:, :, columns.gates].mean(axis=-1)
    on_lines = (
        line_energy(tables, direction, current[:, :, [-1, 0]], amplitudes[:, None], drop[:, :, [-1, 0]])
        if tables.cell.driver is None
        else line_energy_at_supply(
            tables, direction, current[:, :, [-1, 0]], amplitudes[:, None], output[:, :, [-1, 0]]
        )
    )
    return LoadLine(
        m_z,
        current,
        delivering,
        voltage,
        shapes[:, :, columns.rise],
        shapes[:, :, columns.fall],
        shapes[:, :, columns.rise_voltage],
        shapes[:, :, columns.fall_voltage],
        in_both[:, :, columns.rise_energy] * squared,
        in_both[:, :, columns.fall_energy] * squared,
        on_lines,
        in_both[:, :, columns.loss] * squared,
        gates[..., :2],
        gates[..., 2:] if gates.shape[-1] > 2 else np.zeros_like(gates),
        nothing,
        np.full(shape, "ok", object),
        nothing,
    )


def _set_levels(ngspice: Simulates, tables: SttTables, levels: Levels) -> None:
    """Set all lines to their levels on the plateau."""
    gates = [(node, level) for node, _, level in gate_levels(tables.cell)]
    set_supply(ngspice, tables, levels)
    for node, level in ((levels.driven, levels.high), (levels.other, levels.low), *gates):
        ngspice.exec_command(f"alter v{node} dc = {level!r}")


class _Columns(NamedTuple):
    """Positions of the quantities of `_edges` along its last axis."""

    rise: slice
    fall: slice
    rise_voltage: slice
    fall_voltage: slice
    rise_energy: slice
    fall_energy: slice
    loss: slice
    gates: slice

    @classmethod
    def of(cls, times: EdgeTimes, gates: int = 1) -> _Columns:
        counts = [*(3 * [len(times.rise), len(times.fall)]), 2, 2 * gates]
        ends = np.cumsum(counts).tolist()
        return cls(*(slice(end - count, end) for end, count in zip(ends, counts, strict=True)))

    @property
    def energies(self) -> tuple[slice, ...]:
        """Quantities that are compared with their sum: energies of edges, losses, gates."""
        return slice(self.rise_energy.start, self.fall_energy.stop), self.loss, self.gates


def _edges(
    ngspice: Simulator,
    tables: SttTables,
    pulses: Pulses,
    cells: pd.DataFrame,
    levels: Levels,
    plateau: list[FloatArray],
    rung: Rung,
) -> FloatArray:
    """Simulate the edges of a pulse, shape (cells, states, columns).

    The junction is held in `held_states`. The columns are means of current and voltage over those of the
    plateau in the parts of rise and fall; over the square of the amplitude, the energies of the same parts
    and the losses of the drivers in rise and fall; and both energies of the word line. `plateau` holds
    voltage and current in these states, (cells, states).
    """
    times, length = EdgeTimes.of(tables, pulses), edge_plateau(tables)
    cell, start, amplitude = tables.cell, pulse_start(tables, pulses), levels.amplitude
    columns = _Columns.of(times, len(gate_levels(cell)))
    rise, fall = (
        begin + np.concatenate([[0.0], np.cumsum(parts)])
        for begin, parts in ((start, times.rise), (start + pulses.lead + length, times.fall))
    )
    step = rung.step * _edge_step(tables, pulses)
    voltage, current = plateau
    result = np.empty((*voltage.shape, columns.gates.stop))
    for state, held in enumerate(held_states(pulses)):
        ngspice.exec_command(f"alter vmz dc = {held!r}")
        time, vectors = run_pulse(ngspice, tables, pulses, levels, length, step)
        result[:, state, : columns.fall_voltage.stop] = _edge_shapes(
            cells, held, voltage[:, state], time, _junction_voltage(tables, vectors, len(cells)), rise, fall
        )
        # The word line goes up before the rise and down after the fall: with the first part and the last.
        energy = delivered(time, vectors, len(cells), np.concatenate([rise[1:], fall[:-1]]))
        loss = lost_in_drivers(time, vectors, len(cells), levels, cell.supply_voltage)
        result[:, state, columns.loss] = np.diff(loss([time[0], rise[-1], time[-1]]), axis=1) / amplitude**2
        result[:, state, columns.gates] = gate_energies(time, vectors, len(cells), gate_levels(cell))
        # Lines that have not settled at the end of the rise settle on the plateau.
        static = amplitude * current[:, state] * (fall[0] - rise[-1])
        settling = len(times.rise)
        energy[:, settling - 1] += energy[:, settling] - static
        result[:, state, columns.energies[0]] = np.delete(energy, settling, axis=1) / amplitude**2
    return result


def _edge_step(tables: SttTables, pulses: Pulses) -> float:
    """Largest step for the measurement of edges, s."""
    # If edges are short compared with everything else, ngspice's own steps resolve them.
    times = EdgeTimes.of(tables, pulses)
    whole = edge_plateau(tables) + float(times.rise.sum() + times.fall.sum())
    share = _EDGE_SHARE if pulses.shape is None else _SHAPE_SHARE
    return max(_EDGE_STEP * pulses.shortest_ramp, share * whole)


def held_states(pulses: Pulses) -> tuple[float, ...]:
    """Cosines between the layers at which edges are measured: P, AP; with steps also halfway.

    On a ramp the ratio to the plateau is nearly linear between P and AP. On a step of 0.7 of
    the amplitude this would make the current 1 % wrong halfway.
    """
    return (1.0, -1.0) if all(len(edge) == 2 for edge in pulses.edges) else (1.0, -1.0, 0.0)


def _edge_amplitudes(amplitudes: FloatArray) -> IndexArray:
    """Positions of the amplitudes with simulated edges: near Chebyshev's points, including the ends."""
    count = len(amplitudes)
    if count <= _EDGE_AMPLITUDES + 1:
        return np.arange(count)
    angle = np.pi * (np.arange(_EDGE_AMPLITUDES) + 0.5) / _EDGE_AMPLITUDES
    points = -np.cos(angle) / np.cos(angle[0])
    return np.unique(np.abs(_from_minus_one_to_one(amplitudes)[:, None] - points).argmin(axis=0))


def _over_amplitude(
    amplitudes: FloatArray, chosen: IndexArray, edges: FloatArray, columns: _Columns
) -> FloatArray | None:
    """Interpolate along axis 1, from the chosen amplitudes to all of them; None if that is not accurate."""
    x, degree = _from_minus_one_to_one(amplitudes), len(chosen) - 1
    values = np.moveaxis(edges, 1, 0)
    flat = values.reshape(len(chosen), -1)
    coefficients = np.linalg.solve(chebyshev.chebvander(x[chosen], degree), flat)
    # Shares of the current are of the size 1; energies are compared with their sum.
    size = np.ones_like(values)
    for energies in columns.energies:
        size[..., energies] = values[..., energies].sum(axis=-1, keepdims=True)
    # The second to last term may be larger; it is checked because either can vanish by symmetry.
    end = np.maximum(np.abs(coefficients[-1]), np.abs(coefficients[-2]) / 3.0)
    if np.any(end > _EDGE_TOLERANCE * size.reshape(len(chosen), -1).max(axis=0)):
        return None
    between = chebyshev.chebvander(x, degree) @ coefficients
    between[chosen] = flat
    return np.moveaxis(between.reshape(len(amplitudes), *values.shape[1:]), 0, 1)


def _from_minus_one_to_one(values: FloatArray) -> FloatArray:
    return np.asarray(2.0 * (values - values[0]) / (values[-1] - values[0]) - 1.0)


def load_line_command() -> str:
    """Command that sweeps the cosine between the layers over its points."""
    return f"dc vmz -1 1 {2.0 / (M_Z_POINTS - 1)!r}"


class _Recorder:
    """Records the commands for a simulator."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def exec_command(self, command: str) -> str:
        self.commands.append(command)
        return ""

    def analyse(self, command: str, axis: str, stop: float) -> Mapping[str, FloatArray]:
        self.commands.append(command)
        return {axis: np.empty(0)}


def commands_by_hand(tables: SttTables, direction: Direction, pulses: Pulses) -> list[str]:
    """Commands for ngspice that measure load line and edges in a deck of held magnetizations."""
    recorder = _Recorder()
    for amplitude in pulses.amplitude_V:
        levels = Levels.of(tables, direction, amplitude)
        _set_levels(recorder, tables, levels)
        recorder.exec_command(load_line_command())
        for held in held_states(pulses):
            recorder.exec_command(f"alter vmz dc = {held!r}")
            run_pulse(recorder, tables, pulses, levels, edge_plateau(tables), _edge_step(tables, pulses))
    return recorder.commands


def _junction_voltage(tables: SttTables, vectors: Mapping[str, FloatArray], cells: int) -> FloatArray:
    """From the free to the reference layer, V."""
    sign = 1.0 if tables.cell.free_layer_to == "bitline" else -1.0
    return sign * (per_cell(vectors, "t{}", cells) - per_cell(vectors, "d{}", cells))


def _junction_current(cells: pd.DataFrame, cosine: FloatArray, voltage: FloatArray) -> FloatArray:
    """Return the current of the junctions at voltages of shape (cells, …), A."""
    both = barriers_of_cells(cells)
    if both is not None:
        return both.current(voltage, cosine)
    rp, tmr, half = (cells[name].to_numpy()[:, None] for name in ("rp", "tmr", "vhalf"))
    return voltage * tunneling.conductance(cosine, rp, tunneling.tmr_at_bias(tmr, voltage, half))


def _acting_voltage(cells: pd.DataFrame, cosine: FloatArray, voltage: FloatArray) -> FloatArray:
    """Return the voltage that determines the torque, V, from those of the junctions, (cells, …)."""
    both = barriers_of_cells(cells)
    if both is None:
        return voltage
    first = both.first_voltage(voltage, cosine)
    return both.torque_voltage(first, voltage - first)


def _edge_shapes(
    cells: pd.DataFrame,
    cosine: float,
    plateau: FloatArray,
    time: FloatArray,
    voltage: FloatArray,
    *windows: FloatArray,
) -> FloatArray:
    """Mean currents, then voltages, over those of the plateau in the parts of windows, given by their limits.

    Shape (cells, 2 times the parts of all windows). The driver's current includes the charge of the lines;
    the junction's follows from its own voltage, here of shape (cells, times), on the plateau (cells,).
    """
    at, static = np.array(cosine), plateau[:, None]
    currents = (_junction_current(cells, at, voltage), _junction_current(cells, at, static))
    voltages = (_acting_voltage(cells, at, voltage), _acting_voltage(cells, at, static))
    means = []
    for waveform, level in (currents, voltages):
        integral = make_interp_spline(time, waveform, k=1, axis=1).antiderivative()
        for edges in windows:
            mean = np.diff(integral(edges), axis=1) / np.diff(edges)
            means.append(np.divide(mean, level, out=np.zeros_like(mean), where=level != 0.0))
    return np.concatenate(means, axis=1)
