"""Waveforms of columns that are read, simulated in ngspice with held magnetizations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import PchipInterpolator

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.cells.sensing import Read
from mtjchar.cells.stt.drivers import Simulates, per_cell
from mtjchar.cells.stt.tables import SttTables

__all__ = ["Timeline", "Waveforms", "line_times", "run_read", "set_read"]

_SETTLED = 10.0  # time constants of the lines before the word line rises
_PASSING = 3e-3  # ohm m, resistance times width of a column select; an upper estimate
_SWITCH = 10e-12  # s, in which the switch opens
_IN_RISE = 8  # steps of the drive during the rise of the word line
_GROWTH = 1.25  # of later steps
_LARGEST_STEP = 0.1  # of ngspice, of the middle sensing time


class Timeline(NamedTuple):
    """Times of a read, s, from the beginning of the word line's rise.

    Attributes
    ----------
    lead : float
        Time before, in which the lines go to their voltages.
    sensing : ndarray, shape (times,)
        Decisions of the amplifier. The word line begins to fall then; half of its fall counts as read.
    edges : ndarray, shape (steps + 1,)
        Steps in which the drive of the junction is averaged, to the end of the last read.
    ends : ndarray of int, shape (times,)
        The edges at which reads end.
    """

    lead: float
    sensing: FloatArray
    edges: FloatArray
    ends: IndexArray

    @classmethod
    def of(cls, tables: SttTables, read: Read, sensing: FloatArray) -> Timeline:
        """Plan the reads of a study with these sensing times (s, ascending)."""
        ends = sensing + 0.5 * read.fall
        edges = list(np.linspace(0.0, read.rise, _IN_RISE + 1))
        for end in ends:
            count = max(math.ceil(math.log(end / edges[-1]) / math.log(_GROWTH)), 1)
            edges += list(np.geomspace(edges[-1], end, count + 1)[1:])
        lead = read.rise + _SETTLED * max(line_times(tables, read).values()) + _SWITCH
        places = np.searchsorted(edges, ends * (1.0 - 1e-12))
        return cls(lead, sensing, np.array(edges), places)

    @property
    def stop(self) -> float:
        """Time of the simulation from its own beginning, s."""
        return self.lead + float(self.edges[-1])


def line_times(tables: SttTables, read: Read) -> dict[str, float]:
    """Time constants of both lines, s, that of the sensed line with the amplifier's input."""
    times = {}
    for name in ("bitline", "sourceline"):
        line = getattr(tables.cell, name)
        resistance, capacitance = line.resistance, line.capacitance
        select = tables.cell.select
        if select is not None and select.position == name:
            resistance += select.on_resistance or _PASSING / select.width
        if name == read.sensed_line:
            capacitance = read.line_capacitance or capacitance
            capacitance += read.amplifier.input_capacitance
        times[name] = resistance * capacitance
    return times


class Waveforms(NamedTuple):
    """Reads of columns at one voltage; shape (columns, times) or (columns, steps) of a `Timeline`.

    Attributes
    ----------
    level : ndarray, shape (columns, times)
        At the amplifier when it decides, V or A.
    energy_J : ndarray, shape (columns, times)
        That supplies at the levels of lines, word line and column select give until the end of each read.
    cell_voltage : ndarray, shape (columns, steps)
        Mean from the end of the bit line to that of the source line, V.
    junction_voltage : ndarray, shape (columns, steps)
        Mean across the junction of the first cell, from the free to the reference layer, V.
    """

    level: FloatArray
    energy_J: FloatArray
    cell_voltage: FloatArray
    junction_voltage: FloatArray


def run_read(
    ngspice: Simulates,
    tables: SttTables,
    read: Read,
    timeline: Timeline,
    voltage: float,
    cosines: Sequence[float],
    pairs: Sequence[int],
    step: float = 1.0,
) -> Waveforms:
    """Read all columns of a deck of `read_deck` at one voltage.

    Parameters
    ----------
    ngspice : Simulates
        With that deck loaded.
    tables : SttTables
    read : Read
    timeline : Timeline
    voltage : float
        V.
    cosines : sequence of float
        Cosine between the layers for each state source: 1 is P, -1 AP.
    pairs : sequence of int
        Pairs of lines of each column: the current is that of one.
    step : float, optional
        Largest step over the usual one.
    """
    levels = set_read(ngspice, tables, read, timeline, voltage, cosines)
    largest = step * _LARGEST_STEP * (timeline.lead + float(timeline.sensing[len(timeline.sensing) // 2]))
    vectors = ngspice.analyse(
        f"tran {0.2 * largest!r} {timeline.stop!r} 0 {largest!r}", "time", timeline.stop
    )
    time, columns = vectors["time"] - timeline.lead, len(pairs)
    if read.mode == "current":
        waveform = -per_cell(vectors, "ea{}#branch", columns) / np.array(pairs)[:, None]
    else:
        waveform = per_cell(vectors, "s{}", columns)
    bitline, drain, sourceline = (per_cell(vectors, node + "{}", columns) for node in "bdl")
    junction = bitline - drain if tables.cell.free_layer_to == "bitline" else drain - bitline
    return Waveforms(
        PchipInterpolator(time, waveform, axis=1)(timeline.sensing),
        _given(time, vectors, levels, columns, timeline.edges[timeline.ends]),
        _step_means(time, bitline - sourceline, timeline.edges),
        _step_means(time, junction, timeline.edges),
    )


def set_read(
    ngspice: Simulates,
    tables: SttTables,
    read: Read,
    timeline: Timeline,
    voltage: float,
    cosines: Sequence[float],
) -> dict[str, tuple[float, float]]:
    """Set the sources of a deck for a read; returns low and high level of the drivers, V."""
    cell, volts = tables.cell, float(voltage)
    sensed = read.precharge if read.mode == "charge" else volts
    levels = {
        "a": (0.0, sensed),
        "o": (0.0, volts if read.mode == "charge" else 0.0),
        "w": (cell.wordline_low, read.wordline_voltage or cell.wordline_voltage),
    }
    for place, cosine in enumerate(cosines):
        ngspice.exec_command(f"alter vmz{place} dc = {float(cosine)!r}")
    rise, lead, stop = read.rise, timeline.lead, timeline.stop
    for node in "ao":
        _set_points(ngspice, node, [(0.0, 0.0), (rise, levels[node][1]), (stop, levels[node][1])])
    low, high = levels["w"]
    _set_points(ngspice, "w", [(0.0, low), (lead, low), (lead + rise, high), (stop + rise, high)])
    opened = 1.0 if read.mode == "current" else 0.0
    _set_points(ngspice, "en", [(0.0, 1.0), (lead - _SWITCH, 1.0), (lead, opened), (stop, opened)])
    if cell.select is not None and cell.select.gate_voltage is not None:
        gate = cell.select.gate_voltage
        levels["c"] = (0.0, gate)
        _set_points(ngspice, "c", [(0.0, 0.0), (rise, gate), (stop, gate)])
    return levels


def _set_points(ngspice: Simulates, node: str, points: Sequence[tuple[float, float]]) -> None:
    numbers = " ".join(f"{time!r} {level!r}" for time, level in points)
    ngspice.exec_command(f"alter v{node} dc = {points[0][1]!r}")
    ngspice.exec_command(f"alter @v{node}[pwl] = [ {numbers} ]")


def _given(
    time: FloatArray,
    vectors: Mapping[str, FloatArray],
    levels: Mapping[str, tuple[float, float]],
    columns: int,
    ends: FloatArray,
) -> FloatArray:
    """Energy that supplies at both levels of each driver give until some times, J."""
    energy = np.zeros((columns, len(ends)))
    for node, (low, high) in levels.items():
        if high == low == 0.0:
            continue
        current = -per_cell(vectors, "e" + node + "{}#branch", columns)
        charge = cumulative_trapezoid(current, time, axis=1, initial=0)
        until = np.stack([np.interp(ends, time, row) for row in charge])
        # The charge goes back at the low level.
        energy += (high - low if node in "wc" else high) * until
    return energy


def _step_means(time: FloatArray, waveform: FloatArray, edges: FloatArray) -> FloatArray:
    """Means of a waveform between edges."""
    integral = PchipInterpolator(time, waveform, axis=1).antiderivative()
    return np.asarray(np.diff(integral(edges), axis=1) / np.diff(edges))
