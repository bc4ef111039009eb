"""Load lines and energies of the pulse edges of a batch of cells, measured in ngspice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev
from scipy.integrate import trapezoid
from scipy.interpolate import BSpline, make_interp_spline

from mtjchar.arrays import FloatArray, IndexArray, WordArray
from mtjchar.cells.base import Direction, Pulses
from mtjchar.cells.stt.netlist import batch_deck, high_line
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import SimulationError
from mtjchar.physics import tunneling
from mtjchar.spice.ngspice import Simulator, simulator

__all__ = [
    "EDGE_PARTS",
    "HELD",
    "LADDER",
    "M_Z_POINTS",
    "EdgeTimes",
    "LoadLine",
    "Rung",
    "commands_by_hand",
    "delivered",
    "driven_node",
    "edge_plateau",
    "load_line_command",
    "load_lines",
    "per_cell",
    "run_pulse",
]

M_Z_POINTS = 9
EDGE_PARTS = 4
_SETTLED = 10.0  # time constants of the lines
_BENT = 2.0  # likewise, in which the current changes most after a ramp

# Edges are measured in steps of this share of the shorter one: shapes are then within 2e-3 of those at steps
# of 0.5 ps, against 1.3e-2 where ngspice is left alone with its steps.
_EDGE_STEP = 0.1
_EDGE_SHARE = 1.0 / 150.0  # of the whole pulse: no shorter steps than that
# What edges do changes slowly with the amplitude: of more amplitudes than these some are simulated, the
# others follow by a polynomial, unless its last terms say that it has not settled.
_EDGE_AMPLITUDES = 6
_EDGE_TOLERANCE = 5e-3


class LoadLine(NamedTuple):
    """What a batch of cells does while the pulse is on, in one direction.

    Attributes
    ----------
    m_z : ndarray, shape (points,)
        Cosine between the layers, m_z where the reference layer is not tilted: from -1 (antiparallel) to 1
        (parallel).
    current_A : ndarray, shape (devices, amplitudes, points)
        Through the junction, positive in the direction that favours the state written.
    junction_voltage_V : ndarray, shape (devices, amplitudes, points)
        From the free to the reference layer.
    rise, fall, rise_voltage, fall_voltage : ndarray, shape (devices, amplitudes, EDGE_PARTS, 2)
        Current and junction voltage over those of the plateau, means in each part of the edges (see
        `EdgeTimes`), with the junction held in P and in AP.
    rise_energy_J, fall_energy_J : ndarray, shape (devices, amplitudes, EDGE_PARTS, 2)
        What the drivers deliver in each of these parts, likewise: to the junction, to the lines and, in the
        first and the last part, to the word line.
    line_energy_J : ndarray, shape (devices, amplitudes, 2)
        Energy stored on the capacitances of both lines on the plateau.
    ramp_loss_J : ndarray, shape (devices, amplitudes, 2, 2)
        Charge of the driven line in rise and fall, times the amplitude, less the energy delivered: what the
        driver itself takes from a supply of the amplitude. Last axis: P, AP.
    word_line_J : ndarray, shape (devices, amplitudes, 2)
        Energy that the word-line driver delivers, and its charge times `wordline_voltage`.
    failure : ndarray of str, shape (devices, amplitudes)
        Why there are no numbers (which then are NaN); empty where there are.
    status : ndarray of str, shape (devices, amplitudes)
        ``ok``; where there are no numbers ``not_converged``, ``cut`` or ``failed``.
    note : ndarray of str, shape (devices, amplitudes)
        What it took: the rung of the ladder of retries that helped; empty where none was needed.
    """

    m_z: FloatArray
    current_A: FloatArray
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
    failure: WordArray
    status: WordArray
    note: WordArray


class Rung(NamedTuple):
    """A way to ask ngspice for the same thing again."""

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
"""What is tried in turn with a cell that has found no solution."""


class EdgeTimes(NamedTuple):
    """How a pulse is divided into rise, plateau and fall, in s.

    The rise ends when the lines have followed the driver, as far as the shortest duration of the sweep leaves
    time for that; the fall ends when they are empty. Each is divided into EDGE_PARTS parts, two and two of
    the same length: `rise` and `fall` are their lengths. The plateau, of constant current if m_z is constant,
    is shorter than the duration by `outside`.
    """

    rise: FloatArray
    fall: FloatArray
    outside: float

    @classmethod
    def of(cls, tables: SttTables, pulses: Pulses) -> EdgeTimes:
        """Divide the pulses of a sweep."""
        ramps = 0.5 * (pulses.rise + pulses.fall)
        line_time = _line_time(tables)
        settled = _SETTLED * line_time
        lag = min(settled, pulses.shortest - ramps)

        def parts(ramp: float, lag: float) -> FloatArray:
            # The current follows the ramp, then approaches its end exponentially: shorter parts at first.
            whole = ramp + lag
            first = min(0.5 * whole, ramp + _BENT * line_time)
            return 0.5 * np.array([first, first, whole - first, whole - first])

        return cls(parts(pulses.rise, lag), parts(pulses.fall, settled), ramps + lag)


def load_lines(tables: SttTables, cells: pd.DataFrame, direction: Direction, pulses: Pulses) -> LoadLine:
    """Measure load lines and edge energies of a batch of cells in ngspice.

    A cell that ngspice cannot solve does not take the others with it: the batch is halved until the cell
    stands alone, with one amplitude. Where no solution was found it is then asked again, along `LADDER`; what
    helped stands in `note`. Its rows say why they are empty where nothing did.

    Of more than seven amplitudes the edges are simulated at six; see `docs/sweeps.md`.

    Parameters
    ----------
    tables : SttTables
    cells : DataFrame
        As `mtjchar.cells.stt.netlist.cell_parameters` returns them.
    direction : {"p_to_ap", "ap_to_p"}
    pulses : Pulses
        Their durations have no effect, but the shortest of the sweep.
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
    """Climb the ladder with one cell at one amplitude; the first error is what is reported."""
    for rung in LADDER if error.status != "failed" else ():
        try:
            lines = _measure_batch(tables, cell, direction, pulses, rung)
        except SimulationError:
            continue
        return lines._replace(note=np.array([[f"{error.status} at first; solved with {rung.name}"]], object))
    return _failed(str(error), error.status)


def _joined(parts: list[LoadLine], axis: int) -> LoadLine:
    columns = list(zip(*parts, strict=True))[1:]
    return LoadLine(parts[0].m_z, *(np.concatenate(column, axis=axis) for column in columns))


def _failed(reason: str, status: str) -> LoadLine:
    line, edge = np.full((1, 1, M_Z_POINTS), np.nan), np.full((1, 1, EDGE_PARTS, 2), np.nan)
    words = (np.array([[word]], dtype=object) for word in (reason, status, ""))
    m_z, energy = np.linspace(-1.0, 1.0, M_Z_POINTS), np.full((1, 1, 2), np.nan)
    losses = np.full((1, 1, 2, 2), np.nan)
    edges = (edge, edge, edge, edge, edge, edge)
    return LoadLine(m_z, line, line, *edges, energy, losses, energy, *words)


def _measure_batch(
    tables: SttTables, cells: pd.DataFrame, direction: Direction, pulses: Pulses, rung: Rung = _AS_USUAL
) -> LoadLine:
    amplitudes = pulses.amplitude_V
    m_z = np.linspace(-1.0, 1.0, M_Z_POINTS)
    high = driven_node(tables, direction)
    shape = (len(cells), len(amplitudes))
    current, voltage = np.empty((2, *shape, M_Z_POINTS))
    chosen = _edge_amplitudes(amplitudes)
    ngspice = simulator()
    deck = batch_deck(tables, cells, held=True, options=rung.options)
    with ngspice.circuit(deck, tables.cell.transistor.variables):
        for k, amplitude in enumerate(amplitudes):
            ngspice.exec_command(f"alter v{high} dc = {float(amplitude)!r}")
            ngspice.exec_command(f"alter vw dc = {tables.cell.wordline_voltage!r}")
            vectors = ngspice.analyse(load_line_command(), "v-sweep", 1.0)
            current[:, k] = -per_cell(vectors, "e" + high[1] + "{}#branch", len(cells))
            voltage[:, k] = _junction_voltage(tables, vectors, len(cells))

        def measured(places: IndexArray) -> FloatArray:
            plateau = voltage[:, :, [-1, 0]], current[:, :, [-1, 0]]
            edges = [
                _edges(
                    ngspice,
                    tables,
                    pulses,
                    cells,
                    high,
                    float(amplitudes[k]),
                    [edge[:, k] for edge in plateau],
                    rung,
                )
                for k in places
            ]
            return np.stack(edges, axis=1)

        edges = measured(chosen)
        if len(chosen) < len(amplitudes):
            smooth = _over_amplitude(amplitudes, chosen, edges)
            edges = measured(np.arange(len(amplitudes))) if smooth is None else smooth
    nothing = np.full(shape, "", dtype=object)
    shapes = np.moveaxis(edges, -1, -2)  # (cells, amplitudes, what, states)
    energy = shapes[:, :, _ENERGY] * amplitudes[:, None, None] ** 2
    return LoadLine(
        m_z,
        current,
        voltage,
        shapes[:, :, _RISE],
        shapes[:, :, _FALL],
        shapes[:, :, _RISE_VOLTAGE],
        shapes[:, :, _FALL_VOLTAGE],
        energy[:, :, :EDGE_PARTS],
        energy[:, :, EDGE_PARTS:],
        _line_energy(tables, high, current[:, :, [-1, 0]], amplitudes[:, None]),
        shapes[:, :, _LOSS] * amplitudes[:, None, None] ** 2,
        shapes[:, :, _WORD].mean(axis=-1),
        nothing,
        np.full(shape, "ok", object),
        nothing,
    )


def _line_energy(tables: SttTables, high: str, current: FloatArray, amplitude: FloatArray) -> FloatArray:
    """Energy stored on the capacitances of the lines at constant current, J."""
    driven, other = tables.cell.bitline, tables.cell.sourceline
    if high == "asl":
        driven, other = other, driven
    on_driven, on_other = amplitude - driven.resistance * current, other.resistance * current
    return 0.5 * (driven.capacitance * on_driven**2 + other.capacitance * on_other**2)


# What `_edges` returns, along its last axis: currents, voltages, energies of both edges, losses, word line.
_RISE, _FALL, _RISE_VOLTAGE, _FALL_VOLTAGE = (slice(k * EDGE_PARTS, (k + 1) * EDGE_PARTS) for k in range(4))
_ENERGY = slice(4 * EDGE_PARTS, 6 * EDGE_PARTS)
_LOSS, _WORD = slice(_ENERGY.stop, _ENERGY.stop + 2), slice(_ENERGY.stop + 2, _ENERGY.stop + 4)


def _edges(
    ngspice: Simulator,
    tables: SttTables,
    pulses: Pulses,
    cells: pd.DataFrame,
    high: str,
    amplitude: float,
    plateau: list[FloatArray],
    rung: Rung,
) -> FloatArray:
    """Simulate what the edges of a pulse do, shape (cells, 2, 6 EDGE_PARTS + 4).

    With the junction held in P and in AP; means of current and voltage over those of the plateau in the parts
    of rise and fall; over the square of the amplitude the energies of the same parts, and what the driver
    loses in rise and fall; both energies of the word line. `plateau` holds voltage and current in these
    states, (cells, 2).
    """
    times, length = EdgeTimes.of(tables, pulses), edge_plateau(tables)
    rise, fall = (
        start + np.concatenate([[0.0], np.cumsum(parts)])
        for start, parts in (
            (_start(tables, pulses), times.rise),
            (_start(tables, pulses) + pulses.rise + length, times.fall),
        )
    )
    step = rung.step * _edge_step(tables, pulses)
    result = np.empty((len(cells), 2, _WORD.stop))
    voltage, current = plateau
    for state, held in enumerate(HELD):
        ngspice.exec_command(f"alter vmz dc = {held!r}")
        time, vectors = run_pulse(ngspice, tables, pulses, high, amplitude, length, step)
        result[:, state, : _ENERGY.start] = _edge_shapes(
            cells, held, voltage[:, state], time, _junction_voltage(tables, vectors, len(cells)), rise, fall
        )
        # The word line goes up before the rise and down after the fall: with the first part and the last.
        energy = delivered(time, vectors, len(cells), np.concatenate([rise[1:], fall[:-1]]))
        loss = _lost_in_driver(time, vectors, len(cells), high, amplitude)
        result[:, state, _LOSS] = np.diff(loss([time[0], rise[-1], time[-1]]), axis=1) / amplitude**2
        result[:, state, _WORD] = _word_line(time, vectors, len(cells), tables.cell.wordline_voltage)
        # Lines that have not settled when the rise ends do so on the plateau.
        static = amplitude * current[:, state] * (fall[0] - rise[-1])
        energy[:, EDGE_PARTS - 1] += energy[:, EDGE_PARTS] - static
        result[:, state, _ENERGY] = np.delete(energy, EDGE_PARTS, axis=1) / amplitude**2
    return result


def _edge_step(tables: SttTables, pulses: Pulses) -> float:
    """Largest step with which edges are measured, s."""
    # Edges that are short against everything else are resolved by ngspice's own choice of steps.
    times = EdgeTimes.of(tables, pulses)
    whole = edge_plateau(tables) + float(times.rise.sum() + times.fall.sum())
    return max(_EDGE_STEP * min(pulses.rise, pulses.fall), _EDGE_SHARE * whole)


HELD = (1.0, -1.0)
"""Cosines between the layers with which the edges are measured: P, AP."""


def _edge_amplitudes(amplitudes: FloatArray) -> IndexArray:
    """Places of the amplitudes at which edges are simulated: near Chebyshev's points, the ends among them."""
    count = len(amplitudes)
    if count <= _EDGE_AMPLITUDES + 1:
        return np.arange(count)
    angle = np.pi * (np.arange(_EDGE_AMPLITUDES) + 0.5) / _EDGE_AMPLITUDES
    points = -np.cos(angle) / np.cos(angle[0])
    return np.unique(np.abs(_from_minus_one_to_one(amplitudes)[:, None] - points).argmin(axis=0))


def _over_amplitude(amplitudes: FloatArray, chosen: IndexArray, edges: FloatArray) -> FloatArray | None:
    """Interpolate along axis 1, from the chosen amplitudes to all of them; None if that is not accurate."""
    x, degree = _from_minus_one_to_one(amplitudes), len(chosen) - 1
    values = np.moveaxis(edges, 1, 0)
    flat = values.reshape(len(chosen), -1)
    coefficients = np.linalg.solve(chebyshev.chebvander(x[chosen], degree), flat)
    # Shares of the current are of the size 1; energies are compared with their sum.
    size = np.ones_like(values)
    for energies in (_ENERGY, _LOSS, _WORD):
        size[..., energies] = values[..., energies].sum(axis=-1, keepdims=True)
    # The last term but one may be larger; it is looked at because either can vanish by symmetry.
    end = np.maximum(np.abs(coefficients[-1]), np.abs(coefficients[-2]) / 3.0)
    if np.any(end > _EDGE_TOLERANCE * size.reshape(len(chosen), -1).max(axis=0)):
        return None
    between = chebyshev.chebvander(x, degree) @ coefficients
    between[chosen] = flat
    return np.moveaxis(between.reshape(len(amplitudes), *values.shape[1:]), 0, 1)


def _from_minus_one_to_one(values: FloatArray) -> FloatArray:
    return np.asarray(2.0 * (values - values[0]) / (values[-1] - values[0]) - 1.0)


def driven_node(tables: SttTables, direction: Direction) -> str:
    """Node of `batch_deck` that is driven to the amplitude."""
    return "abl" if high_line(tables, direction) == "bitline" else "asl"


def load_line_command() -> str:
    """Command that sweeps the cosine between the layers over its points."""
    return f"dc vmz -1 1 {2.0 / (M_Z_POINTS - 1)!r}"


class _Recorder:
    """Notes the commands that a simulator is given."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def exec_command(self, command: str) -> None:
        self.commands.append(command)

    def analyse(self, command: str, axis: str, _stop: float) -> dict[str, FloatArray]:
        self.commands.append(command)
        return {axis: np.empty(0)}


def commands_by_hand(tables: SttTables, direction: Direction, pulses: Pulses) -> list[str]:
    """Commands for ngspice that measure load line and edges with a deck of held magnetizations."""
    recorder, high = _Recorder(), driven_node(tables, direction)
    for amplitude in pulses.amplitude_V:
        recorder.exec_command(f"alter v{high} dc = {float(amplitude)!r}")
        recorder.exec_command(f"alter vw dc = {tables.cell.wordline_voltage!r}")
        recorder.exec_command(load_line_command())
        for held in HELD:
            recorder.exec_command(f"alter vmz dc = {held!r}")
            run_pulse(
                recorder,
                tables,
                pulses,
                high,
                float(amplitude),
                edge_plateau(tables),
                _edge_step(tables, pulses),
            )
    return recorder.commands


def edge_plateau(tables: SttTables) -> float:
    """Length of the plateau of the pulse on which edges are measured, s."""
    return 1e-10 + _SETTLED * _line_time(tables)


def _junction_voltage(tables: SttTables, vectors: Mapping[str, FloatArray], cells: int) -> FloatArray:
    """From the free to the reference layer, V."""
    sign = 1.0 if tables.cell.free_layer_to == "bitline" else -1.0
    return sign * (per_cell(vectors, "t{}", cells) - per_cell(vectors, "d{}", cells))


def _edge_shapes(
    cells: pd.DataFrame,
    cosine: float,
    plateau: FloatArray,
    time: FloatArray,
    voltage: FloatArray,
    *windows: FloatArray,
) -> FloatArray:
    """Mean currents, then voltages, over those of the plateau in the parts of windows, given by their limits.

    Shape (cells, 2 times the parts of all windows). The driver's current has the charge of the lines in it;
    the junction's follows from its own voltage, here of shape (cells, times), on the plateau (cells,).
    """
    rp, tmr, half = (cells[name].to_numpy()[:, None] for name in ("rp", "tmr", "vhalf"))

    def current(v: FloatArray) -> FloatArray:
        return v * tunneling.conductance(np.array(cosine), rp, tunneling.tmr_at_bias(tmr, v, half))

    static = plateau[:, None]
    means = []
    for waveform, level in ((current(voltage), current(static)), (voltage, static)):
        integral = make_interp_spline(time, waveform, k=1, axis=1).antiderivative()
        for edges in windows:
            mean = np.diff(integral(edges), axis=1) / np.diff(edges)
            means.append(np.divide(mean, level, out=np.zeros_like(mean), where=level != 0.0))
    return np.concatenate(means, axis=1)


def _line_time(tables: SttTables) -> float:
    """Longest time constant of the lines, s: what connects them only shortens it."""
    return max(line.resistance * line.capacitance for line in (tables.cell.bitline, tables.cell.sourceline))


def _word_line_time(tables: SttTables) -> float:
    """Time constant of the word line's wire, s."""
    return math.prod(tables.cell.wordline.share) if tables.cell.wordline else 0.0


def _start(tables: SttTables, pulses: Pulses) -> float:
    """Time at which the pulse begins to rise, s: the word line is up by then."""
    return pulses.rise + _SETTLED * _word_line_time(tables)


def run_pulse(
    ngspice: Simulator | _Recorder,
    tables: SttTables,
    pulses: Pulses,
    high: str,
    amplitude: float,
    plateau: float,
    largest_step: float | None = None,
    options: str = "",
) -> tuple[FloatArray, Mapping[str, FloatArray]]:
    """Run one write pulse; the word line is up before the pulse rises and until the lines are empty."""
    rise, fall = pulses.rise, pulses.fall
    settle = _SETTLED * _line_time(tables)
    start = _start(tables, pulses)
    off = start + rise + plateau + fall + settle
    shapes = {
        high: (amplitude, start, rise, fall, plateau),
        "w": (tables.cell.wordline_voltage, 0.0, rise, fall, off - rise),
    }
    for node, (level, delay, up, down, width) in shapes.items():
        numbers = " ".join(repr(float(number)) for number in (0.0, level, delay, up, down, width))
        ngspice.exec_command(f"alter v{node} dc = 0")
        ngspice.exec_command(f"alter @v{node}[pulse] = [ {numbers} ]")
    stop = off + fall + settle + _SETTLED * _word_line_time(tables)
    step = min(rise, fall) / 5.0
    largest_step = largest_step or 5.0 * step
    vectors = ngspice.analyse(f"tran {step!r} {stop!r} 0 {largest_step!r} {options}", "time", stop)
    return vectors["time"], vectors


def delivered(
    time: FloatArray, vectors: Mapping[str, FloatArray], cells: int, ends: FloatArray | None = None
) -> FloatArray:
    """Energy that each cell's drivers deliver, J; what flows back into a driver is lost, not regained.

    One column for the time up to each of the `ends` (s, ascending), one for what follows.
    """
    power = np.zeros((cells, len(time)))
    for line, node in (("b", "abl"), ("s", "asl"), ("w", "w")):
        power += np.maximum(-vectors[node] * per_cell(vectors, "e" + line + "{}#branch", cells), 0.0)
    energy = make_interp_spline(time, power, k=1, axis=1).antiderivative()
    limits = np.concatenate([time[:1], np.empty(0) if ends is None else ends, time[-1:]])
    return np.diff(energy(limits), axis=1)


def _lost_in_driver(
    time: FloatArray, vectors: Mapping[str, FloatArray], cells: int, high: str, amplitude: float
) -> BSpline:
    """Energy, over time, that a supply of the amplitude would deliver and the driver keeps, J."""
    current = np.maximum(-per_cell(vectors, "e" + high[1] + "{}#branch", cells), 0.0)
    return make_interp_spline(time, (amplitude - vectors[high]) * current, k=1, axis=1).antiderivative()


def _word_line(time: FloatArray, vectors: Mapping[str, FloatArray], cells: int, level: float) -> FloatArray:
    """Energy that each word-line driver delivers, and its charge times the word line's voltage, J."""
    current = np.maximum(-per_cell(vectors, "ew{}#branch", cells), 0.0)
    powers = (vectors["w"] * current, level * current)
    return np.stack([trapezoid(power, time, axis=1) for power in powers], axis=1)


def per_cell(vectors: Mapping[str, FloatArray], pattern: str, cells: int) -> FloatArray:
    """Stack the vectors of all cells, (cells, times), from a pattern of their names."""
    return np.stack([vectors[pattern.format(k)] for k in range(cells)])
