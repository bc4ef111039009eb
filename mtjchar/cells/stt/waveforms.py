"""Whole writes in ngspice, with magnetizations that are free to move and no noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.base import Direction, Pulses
from mtjchar.cells.stt.drivers import Levels, delivered, per_cell, run_pulse
from mtjchar.cells.stt.netlist import AXIAL_STEP, VECTOR_CELLS, batch_deck, vector_step
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import InputError
from mtjchar.spice.ngspice import simulator

__all__ = ["Write", "write_waveforms"]


class Write(NamedTuple):
    """Waveforms of one pulse on a batch of cells whose magnetizations are free to move, no noise."""

    time_s: FloatArray  # (times,)
    # (devices, times), from the driver of the high line, positive towards the state written: the junction's
    # current and, at the edges, the charge of the line.
    current_A: FloatArray
    m_z: FloatArray  # (devices, times)
    energy_J: FloatArray  # (devices,), delivered by bit-line, source-line and word-line drivers
    m: FloatArray | None  # (devices, times, 3), in the vector model; None in the axial one
    temperature_K: FloatArray | None  # (devices, times), with a thermal resistance; None without


def write_waveforms(tables: SttTables, cells: pd.DataFrame, direction: Direction, pulses: Pulses) -> Write:
    """Simulate one write with free magnetizations and no noise.

    The magnetizations start at the column ``u0`` of `cells`, artanh(m_z), and without axial symmetry at the
    azimuth ``phi0``, rad (0 if there is no such column).

    Parameters
    ----------
    tables : SttTables
        They determine the model: axial with axial symmetry, otherwise the vector model, which resolves
        the precession and takes a few hundred times longer.
    cells : DataFrame
        As `mtjchar.cells.stt.netlist.cell_parameters` returns them, with the columns of the start. More than
        60 cells of the vector model are divided into several decks.
    direction : {"p_to_ap", "ap_to_p"}
    pulses : Pulses
        One amplitude and one duration.

    Raises
    ------
    InputError
        With drivers that are subcircuits: without an operating point they would have to start up first.
    SimulationError
        If ngspice does not reach the end of the pulse.
    """
    if tables.cell.driver is not None:
        raise InputError(
            "cell.driver", value=tables.cell.driver.subcircuit, allowed="none in a whole write",
            remedy="mtjchar.cells.stt.measure.load_lines takes it.",
        )  # fmt: skip
    if tables.axially_symmetric:
        return _write(tables, cells, direction, pulses)
    starts = range(0, len(cells), VECTOR_CELLS)
    first, *others = (
        _write(tables, cells[start : start + VECTOR_CELLS], direction, pulses) for start in starts
    )
    return _merged(first, others)


def _write(tables: SttTables, cells: pd.DataFrame, direction: Direction, pulses: Pulses) -> Write:
    # Plain floats: numpy's floats do not print as numbers.
    amplitude, duration = float(pulses.amplitude_V[0]), float(pulses.duration_s[0])
    levels, count = Levels.of(tables, direction, amplitude), len(cells)
    largest = AXIAL_STEP if tables.axially_symmetric else vector_step(cells, amplitude)
    ngspice = simulator()
    with ngspice.circuit(batch_deck(tables, cells, held=False), tables.cell.transistor.variables):
        plateau = duration - pulses.in_duration
        time, vectors = run_pulse(ngspice, tables, pulses, levels, plateau, largest, "uic")
        current = -per_cell(vectors, "e" + levels.driven[1] + "{}#branch", count)
        m_z = per_cell(vectors, "m{}", count)
        m = None
        if not tables.axially_symmetric:
            m_x, m_y = (per_cell(vectors, "x{}.xj.m" + axis, count) for axis in "xy")
            m = np.stack([m_x, m_y, m_z], axis=-1)
        kelvin = per_cell(vectors, "x{}.xj.kelvin", count) if tables.stack.heats else None
        return Write(time, current, m_z, delivered(time, vectors, count)[:, 0], m, kelvin)


def _merged(first: Write, others: list[Write]) -> Write:
    """Interpolate the waveforms of several decks to the times of the first one."""

    def at_times(write: Write, waveforms: FloatArray) -> FloatArray:
        return np.stack([np.interp(first.time_s, write.time_s, waveform) for waveform in waveforms])

    current, m_z, energy = [first.current_A], [first.m_z], [first.energy_J]
    m = [] if first.m is None else [first.m]
    kelvin = [] if first.temperature_K is None else [first.temperature_K]
    for write in others:
        current.append(at_times(write, write.current_A))
        m_z.append(at_times(write, write.m_z))
        energy.append(write.energy_J)
        if write.m is not None:
            m.append(np.stack([at_times(write, write.m[..., axis]) for axis in range(3)], axis=-1))
        if write.temperature_K is not None:
            kelvin.append(at_times(write, write.temperature_K))
    return Write(
        first.time_s,
        np.concatenate(current),
        np.concatenate(m_z),
        np.concatenate(energy),
        np.concatenate(m) if m else None,
        np.concatenate(kelvin) if kelvin else None,
    )
