"""Reads of groups of STT cells on one bit line, whose word lines go up together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.reading import Reads, SensedTogether
from mtjchar.cells.sensing import Reference
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.read import disturbed, measure_columns, reads_of
from mtjchar.cells.stt.read_disturb import CellDrive
from mtjchar.cells.stt.read_netlist import Column, Seat
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import SimulationError
from mtjchar.physics.bitwise import combinations

__all__ = ["reads_together", "sense_resistances", "sense_together"]

_COSINES = (1.0, -1.0)  # of the states 0 and 1, P and AP
_RESISTOR = {"tmr": 0.0, "rp2": 1e-3, "tmr2": 0.0}


def reads_together(tables: SttTables, cells: int) -> Reads | None:
    """Return the reads of groups of cells; the reference is a column of as many cells.

    Reads and reference have the same thermal noise: of a line's capacitance, or of the currents of all cells.
    """
    if tables.read is None:
        return None
    # The thermal noise of a reference that is one column, as of a resistance.
    one_column = tables.read.model_copy(update={"reference": Reference(resistance=1.0)})
    reads = reads_of(tables.model_copy(update={"read": one_column}))
    if reads is None or reads.unit == "V":
        return reads
    return reads._replace(noise=reads.noise * float(np.sqrt(cells)))


def sense_together(
    tables: SttTables, devices: pd.DataFrame, reads: Reads, cells: int, contrast: float = 1.0
) -> SensedTogether:
    """Simulate reads of groups of cells in all combinations of their states.

    Parameters
    ----------
    tables : SttTables
        With a table ``[read]``.
    devices : DataFrame
        As `mtjchar.cells.stt.device.derive` returns them, each with two stable states: the cells of the first
        group, those of the second, and so on.
    reads : Reads
        As `reads_together` returns them, or with other voltages and times.
    cells : int
        Number of cells of a group.
    contrast : float, optional
        Factor of the TMR of each cell.
    """
    assert tables.read is not None, "a read of tables without [read]"
    if contrast != 1.0:
        devices = devices.assign(tmr=contrast * devices["tmr"])
    groups, states = len(devices) // cells, combinations(cells)
    columns = [
        Column((tuple((Seat(group * cells + place, int(state)),) for place, state in enumerate(row)),))
        for group in range(groups)
        for row in states
    ]
    wired = _with_word_lines(tables, cells)
    measured = measure_columns(
        wired, cell_parameters(wired, devices), columns, reads.voltage_V, reads.time_s, _COSINES
    )
    shape = (groups, len(states))
    level, energy, cell, junction = (
        values.reshape(*shape, *values.shape[1:]) for values in measured.waveforms
    )
    failure, status, note = (
        _first_word(words.reshape(*shape, -1), usual)
        for words, usual in ((measured.failure, ""), (measured.status, "ok"), (measured.note, ""))
    )
    for values in (level, energy, cell, junction):
        np.moveaxis(values, 1, 2)[failure != ""] = np.nan
    disturb = np.empty_like(level)
    # The first cell in P and in AP, beside the same states of the others.
    for others in range(len(states) // 2):
        pair = [others, others + len(states) // 2]
        drive = CellDrive(cell[:, pair], junction[:, pair])
        disturb[:, pair] = disturbed(wired, devices[::cells], drive, reads)
    beyond = np.isnan(disturb).any(axis=(1, 3)) & (failure == "")
    failure = np.where(beyond, "the drive is beyond the range of the Fokker-Planck solution", failure)
    for values in (level, energy):
        np.moveaxis(values, 1, 2)[beyond] = np.nan
    return SensedTogether(level, disturb, energy, tables.read.amplifier.energy, failure, status, note)


def sense_resistances(
    tables: SttTables, device: pd.DataFrame, reads: Reads, cells: int, resistance: FloatArray
) -> FloatArray:
    """Simulate reads of columns of equal cells with resistances for junctions.

    Parameters
    ----------
    tables : SttTables
        With a table ``[read]``.
    device : DataFrame
        One row, as `mtjchar.cells.stt.device.derive` returns it; its transistor is taken.
    reads : Reads
    cells : int
        Number of cells of a column.
    resistance : ndarray, shape (resistances,)
        In place of each junction, ohm.

    Returns
    -------
    ndarray, shape (resistances, voltages, times)
        Level at the input of the amplifier.

    Raises
    ------
    SimulationError
        If ngspice cannot solve a column.
    """
    own = pd.concat([cell_parameters(tables, device)] * len(resistance), ignore_index=True)
    own = own.assign(rp=resistance, **{name: value for name, value in _RESISTOR.items() if name in own})
    columns = [Column((((Seat(row, 0),),) * cells,)) for row in range(len(own))]
    wired = _with_word_lines(tables, cells)
    measured = measure_columns(wired, own, columns, reads.voltage_V, reads.time_s, _COSINES)
    if (measured.failure != "").any():
        first = tuple(np.argwhere(measured.failure != "")[0])
        raise SimulationError(str(measured.failure[first]), status=str(measured.status[first]))
    return measured.waveforms.level


def _with_word_lines(tables: SttTables, cells: int) -> SttTables:
    """Give all gates of a column the wires of as many word lines, which go up together."""
    wire = tables.cell.wordline
    if wire is None:
        return tables
    update = {"resistance": wire.resistance / cells, "capacitance": wire.capacitance * cells}
    cell = tables.cell.model_copy(update={"wordline": wire.model_copy(update=update)})
    return tables.model_copy(update={"cell": cell})


def _first_word(words: WordArray, usual: str) -> WordArray:
    """Of each group and voltage the first word that is not the usual one, shape (groups, voltages)."""
    place = (words != usual).argmax(axis=1)
    return np.take_along_axis(words, place[:, None], axis=1)[:, 0]
