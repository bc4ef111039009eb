"""Driver signals of a write: levels, timing, energy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from scipy.integrate import trapezoid
from scipy.interpolate import BSpline, make_interp_spline

from mtjchar.arrays import FloatArray
from mtjchar.cells.base import Direction, Pulses
from mtjchar.cells.pulse_shape import SHORTEST_SEGMENT, Point, lengths
from mtjchar.cells.stt.netlist import high_line, low_level
from mtjchar.cells.stt.tables import Cell, SttTables

__all__ = [
    "EdgeTimes",
    "Levels",
    "Simulates",
    "delivered",
    "drawn",
    "driven_node",
    "edge_plateau",
    "gate_energies",
    "gate_levels",
    "line_energy",
    "line_energy_at_supply",
    "lost_in_drivers",
    "per_cell",
    "pulse_start",
    "run_pulse",
    "set_supply",
]

_SETTLED = 10.0  # time constants of the lines
_BENT = 2.0  # time constants in which the current changes most after a ramp
_PASSING = 3e-3  # ohm m, resistance times width of a transistor that passes a high level; an upper estimate
_LONGEST_SLOPE = 0.5e-9  # s, of two parts of an edge in which the drive changes


class Simulates(Protocol):
    """Interface of a simulator for `run_pulse`."""

    def exec_command(self, command: str) -> str | None:
        """Execute a command."""

    def analyse(self, command: str, axis: str, stop: float) -> Mapping[str, FloatArray]:
        """Run an analysis."""


class Levels(NamedTuple):
    """Levels of the lines at an amplitude, in V; at rest both lines are at 0 V.

    Attributes
    ----------
    driven, other : str
        Nodes of `mtjchar.cells.stt.netlist.batch_deck`, of the line at the higher level and of the other.
    high, low : float
        Their levels.
    """

    driven: str
    other: str
    high: float
    low: float

    @classmethod
    def of(cls, tables: SttTables, direction: Direction, amplitude: float) -> Levels:
        """Levels of a write at an amplitude, V."""
        low = low_level(tables, direction)
        nodes = ("abl", "asl") if high_line(tables, direction) == "bitline" else ("asl", "abl")
        # Plain floats: numpy's floats do not print as numbers.
        return cls(*nodes, float(amplitude) + low, low)

    @property
    def amplitude(self) -> float:
        """Voltage of the drivers between both lines, V."""
        return self.high - self.low


class EdgeTimes(NamedTuple):
    """Division of a pulse into rise, plateau and fall, in s.

    The rise ends when the lines have followed the driver, as far as the shortest duration of the sweep
    allows; the fall ends when they are empty. `rise` and `fall` are the lengths of their parts, in pairs of
    equal length: four parts for a ramp, more for an edge with more points. The plateau, of constant current
    if m_z is constant, is shorter than the duration by `outside`.
    """

    rise: FloatArray
    fall: FloatArray
    outside: float

    @classmethod
    def of(cls, tables: SttTables, pulses: Pulses) -> EdgeTimes:
        """Divide the pulses of a sweep."""
        line_time = _line_time(tables)
        settled = _SETTLED * line_time
        lag = min(settled, pulses.shortest - pulses.in_duration)

        def parts(edge: Sequence[Point], lag: float) -> FloatArray:
            # The current follows the edge, then approaches its end exponentially: shorter parts at first.
            *before, ramp = lengths(edge)
            pairs = [
                part for k, length in enumerate(before) for part in _cut(length, line_time, edge[k : k + 2])
            ]
            if before:
                # For any slope; a single ramp has the same parts as without a shape.
                *slope, ramp = _cut(ramp, 0.0, edge[-2:])
                pairs += slope
            whole = ramp + lag
            first = min(0.5 * whole, ramp + _BENT * line_time)
            return 0.5 * np.repeat([*pairs, first, whole - first], 2)

        leading, trailing = pulses.edges
        return cls(parts(leading, lag), parts(trailing, settled), pulses.in_duration + lag)


def _cut(length: float, line_time: float, ends: Sequence[Point]) -> list[float]:
    """Cut a segment of an edge: one part in which the lines follow, then short parts where it slopes."""
    first = _BENT * line_time
    rest = length - first
    if first < SHORTEST_SEGMENT or rest < SHORTEST_SEGMENT:
        first, rest = 0.0, length
    count = math.ceil(rest / _LONGEST_SLOPE) if ends[0][1] != ends[1][1] else 1
    return [*([first] if first else []), *([rest / count] * count)]


def driven_node(tables: SttTables, direction: Direction) -> str:
    """Node of `batch_deck` that is driven to the higher level."""
    return "abl" if high_line(tables, direction) == "bitline" else "asl"


def edge_plateau(tables: SttTables) -> float:
    """Length of the plateau of the pulse that measures the edges, s."""
    return 1e-10 + _SETTLED * _line_time(tables)


def _line_time(tables: SttTables) -> float:
    """Longest time constant of the lines, s: their connection only shortens it.

    For drivers with their own settling time, a share of that.
    """
    cell, select = tables.cell, tables.cell.select
    resistance = {"bitline": cell.bitline.resistance, "sourceline": cell.sourceline.resistance}
    if select is not None:
        # If it is not known, an upper estimate: the parts of edges are then longer than necessary.
        resistance[select.position] += select.on_resistance or _PASSING / select.width
    of_lines = max(
        resistance["bitline"] * cell.bitline.capacitance,
        resistance["sourceline"] * cell.sourceline.capacitance,
    )
    return of_lines if cell.driver is None else of_lines + cell.driver.settling / _SETTLED


def _word_line_time(tables: SttTables) -> float:
    """Time constant of the word line's wire, s."""
    return math.prod(tables.cell.wordline.share) if tables.cell.wordline else 0.0


def pulse_start(tables: SttTables, pulses: Pulses) -> float:
    """Time at which the pulse begins to rise, s: the word line is up by then."""
    return pulses.rise + _SETTLED * _word_line_time(tables)


def run_pulse(
    ngspice: Simulates,
    tables: SttTables,
    pulses: Pulses,
    levels: Levels,
    plateau: float,
    largest_step: float | None = None,
    options: str = "",
) -> tuple[FloatArray, Mapping[str, FloatArray]]:
    """Run one write pulse; the word line is up before the pulse rises and until the lines are empty."""
    rise, fall = pulses.rise, pulses.fall
    settle = _SETTLED * _line_time(tables)
    start = pulse_start(tables, pulses)
    off = start + pulses.lead + plateau + pulses.trail + settle
    for node, level in ((levels.driven, levels.high), (levels.other, levels.low)):
        if node == levels.driven or level != 0.0:  # a line that stays at rest needs no pulse
            _set_pulse(ngspice, pulses, node, level, start, plateau)
    set_supply(ngspice, tables, levels)
    for node, rest, level in gate_levels(tables.cell):
        _set_trapezoid(ngspice, node, rest, level, 0.0, rise, fall, off - rise)
    stop = off + fall + settle + _SETTLED * _word_line_time(tables)
    step = pulses.shortest_ramp / 5.0
    largest_step = largest_step or 5.0 * step
    vectors = ngspice.analyse(f"tran {step!r} {stop!r} 0 {largest_step!r} {options}", "time", stop)
    return vectors["time"], vectors


def gate_levels(cell: Cell) -> list[tuple[str, float, float]]:
    """Nodes of the drivers of gates with their levels at rest and in a write, V: the word line first."""
    levels = [("w", cell.wordline_low, cell.wordline_voltage)]
    if cell.select is not None and cell.select.gate_voltage is not None:
        levels.append(("c", 0.0, cell.select.gate_voltage))
    return levels


def set_supply(ngspice: Simulates, tables: SttTables, levels: Levels) -> None:
    """Set the supply of drivers that are subcircuits to the amplitude."""
    if tables.cell.driver is not None:
        ngspice.exec_command(f"alter vp dc = {levels.amplitude!r}")


def _set_pulse(
    ngspice: Simulates, pulses: Pulses, node: str, level: float, start: float, plateau: float
) -> None:
    if pulses.shape is None:
        _set_trapezoid(ngspice, node, 0.0, level, start, pulses.rise, pulses.fall, plateau)
        return
    points = [(0.0, 0.0), *pulses.shape.points(start, plateau)]
    numbers = " ".join(f"{time!r} {fraction * level!r}" for time, fraction in points)
    ngspice.exec_command(f"alter v{node} dc = 0")
    ngspice.exec_command(f"alter @v{node}[pwl] = [ {numbers} ]")


def _set_trapezoid(
    ngspice: Simulates,
    node: str,
    rest: float,
    level: float,
    delay: float,
    up: float,
    down: float,
    width: float,
) -> None:
    numbers = " ".join(repr(float(number)) for number in (rest, level, delay, up, down, width))
    ngspice.exec_command(f"alter v{node} dc = {rest!r}")
    ngspice.exec_command(f"alter @v{node}[pulse] = [ {numbers} ]")


def delivered(
    time: FloatArray, vectors: Mapping[str, FloatArray], cells: int, ends: FloatArray | None = None
) -> FloatArray:
    """Energy that each cell's drivers deliver, J; charge that flows back into a driver is lost.

    One column for the time up to each of the `ends` (s, ascending), one for what follows.
    """
    power = np.zeros((cells, len(time)))
    for line, node in (("b", "abl"), ("s", "asl"), ("w", "w"), ("c", "c"), ("p", "p")):
        if node not in vectors:
            continue  # no transistor in series, no driver with a supply
        power += np.maximum(-vectors[node] * per_cell(vectors, "e" + line + "{}#branch", cells), 0.0)
    energy = make_interp_spline(time, power, k=1, axis=1).antiderivative()
    limits = np.concatenate([time[:1], np.empty(0) if ends is None else ends, time[-1:]])
    return np.diff(energy(limits), axis=1)


def lost_in_drivers(
    time: FloatArray, vectors: Mapping[str, FloatArray], cells: int, levels: Levels, supply: float | None
) -> BSpline:
    """Energy, over time, that the drivers of both lines take from supplies and do not deliver, J.

    The supplies are `supply` (V; that of the high level if None) and one at the low level. Both are scaled so
    that on the plateau they deliver as much as the drivers: the amplitude times the current.
    """
    below = -levels.low
    # Both supplies together equal the drivers' voltage: each gets its share of the amplitude.
    share = below * levels.amplitude / ((levels.high if supply is None else supply) + below)
    given = np.maximum(-per_cell(vectors, "e" + levels.driven[1] + "{}#branch", cells), 0.0)
    power = (levels.amplitude - share - vectors[levels.driven]) * given
    if below:
        taken = np.maximum(per_cell(vectors, "e" + levels.other[1] + "{}#branch", cells), 0.0)
        # At rest the line is at ground, and its charge costs nothing.
        power += np.where(vectors[levels.other] < 0.0, (share + vectors[levels.other]) * taken, 0.0)
    return make_interp_spline(time, power, k=1, axis=1).antiderivative()


def gate_energies(
    time: FloatArray, vectors: Mapping[str, FloatArray], cells: int, gates: Sequence[tuple[str, float, float]]
) -> FloatArray:
    """Energy that each driver of a gate delivers, and the energy from supplies of both its levels, J.

    Two columns for each of the `gate_levels`.
    """
    powers = []
    for node, low, high in gates:
        current = -per_cell(vectors, "e" + node + "{}#branch", cells)
        up, down = np.maximum(current, 0.0), np.maximum(-current, 0.0)
        powers += [np.maximum(vectors[node] * current, 0.0), high * up - low * down]
    return np.stack([trapezoid(power, time, axis=1) for power in powers], axis=1)


def drawn(vectors: Mapping[str, FloatArray], cells: int, levels: Levels) -> FloatArray:
    """Return the current that drivers with a supply draw from it and from their inputs, A, positive."""
    return -per_cell(vectors, "ep{}#branch", cells) - per_cell(
        vectors, "e" + levels.driven[1] + "{}#branch", cells
    )


def line_energy_at_supply(
    tables: SttTables, direction: Direction, current: FloatArray, amplitude: FloatArray, output: FloatArray
) -> FloatArray:
    """Energy for the charge of the line that a driver with a supply raises, at constant current, J.

    `output` is the voltage (V) at the output of that driver.
    """
    line = tables.cell.bitline if high_line(tables, direction) == "bitline" else tables.cell.sourceline
    return np.asarray(amplitude * line.capacitance * (output - line.resistance * current))


def line_energy(
    tables: SttTables, direction: Direction, current: FloatArray, amplitude: FloatArray, drop: FloatArray
) -> FloatArray:
    """Energy stored on the capacitances of the lines at constant current, J.

    `drop` is the voltage (V) at the transistor that is in series with one of them.
    """
    cell, low, high = tables.cell, low_level(tables, direction), high_line(tables, direction)
    driven, other = cell.bitline, cell.sourceline
    if high == "sourceline":
        driven, other = other, driven
    on_driven, on_other = amplitude + low - driven.resistance * current, low + other.resistance * current
    if cell.select is not None and cell.select.position == high:
        on_driven = on_driven - drop
    elif cell.select is not None:
        on_other = on_other + drop
    return np.asarray(0.5 * (driven.capacitance * on_driven**2 + other.capacitance * on_other**2))


def per_cell(vectors: Mapping[str, FloatArray], pattern: str, cells: int) -> FloatArray:
    """Stack the vectors of all cells, (cells, times), from a pattern of their names."""
    return np.stack([vectors[pattern.format(k)] for k in range(cells)])
