"""Reads of STT cells: levels and energies from ngspice, disturb rates from the Fokker-Planck equation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev, hermite_e

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.cells.reading import Reads, ReferenceLevel, Sensed
from mtjchar.cells.sensing import Read
from mtjchar.cells.stt.film_laws import FilmLaws
from mtjchar.cells.stt.measure import LADDER, Rung
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.read_disturb import CellDrive, disturb_rates
from mtjchar.cells.stt.read_netlist import Column, Seat, read_deck, single_cells
from mtjchar.cells.stt.read_waveforms import Timeline, Waveforms, run_read
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import InputError, SimulationError
from mtjchar.physics import sensing, tunneling
from mtjchar.spice.ngspice import simulator

__all__ = [
    "Measured",
    "driven",
    "measure_columns",
    "reads_of",
    "reference_columns",
    "reference_level",
    "sense",
]

_P, _AP = 1.0, -1.0
_AS_USUAL = Rung("", 1.0, "")
# Waveforms change slowly with the read voltage. Of more voltages than these, some are simulated and the
# others follow by a polynomial, unless its last term shows that it has not converged.
_VOLTAGES = 6
_TOLERANCES = (1e-3, 1e-3, 5e-3, 5e-3)  # of level, energy, and means of both voltages over short steps
_RATE_TOLERANCE = 3e-4  # of the logarithms of disturb rates
_NODES = 5  # of the quadrature over the spread of a resistance
_RESISTOR = {"tmr": 0.0, "rp2": 1e-3, "tmr2": 0.0}


def reads_of(tables: SttTables) -> Reads | None:
    """Return the reads of a study, with the offset and the thermal noise of its amplifier."""
    read = tables.read
    if read is None:
        return None
    return Reads(
        read.voltage.values(),
        read.time.values(),
        read.unit,
        # A cell in AP keeps the charge of its line longer, and conducts less.
        read.mode == "discharge",
        read.offset,
        _noise(tables, read),
    )


def _noise(tables: SttTables, read: Read) -> float:
    """Thermal noise of both inputs together."""
    cell, pairs = tables.cell, 2 if read.reference.cells == "parallel" else 1
    line = getattr(cell, read.sensed_line)
    if read.mode == "current":
        # An upper estimate: the cell in P, without its transistor, and the shortest time.
        product = FilmLaws(tables.stack, cell.temperature).resistance_area_product(
            tables.stack.resistance_area_product
        )
        parallel = float(tunneling.parallel_resistance(product, np.array(tables.junction.diameter)))
        path = parallel + cell.bitline.resistance + cell.sourceline.resistance
        own = float(sensing.current_noise(path, read.time.start, cell.temperature))
    else:
        capacitance = (read.line_capacitance or line.capacitance) + read.amplifier.input_capacitance
        own = float(sensing.voltage_noise(capacitance, cell.temperature))
    return own * float(np.sqrt(1.0 + 1.0 / pairs))


def _asked(tables: SttTables) -> Read:
    if tables.read is None:
        raise InputError("read", value=None, allowed="a table [read], which says how cells are read")
    return tables.read


class Measured(NamedTuple):
    """Waveforms of columns; shape (columns, voltages, times or steps). NaN where there is a failure.

    Attributes
    ----------
    waveforms : Waveforms
    failure, status, note : ndarray of str, shape (columns, voltages)
        As in `Sensed`.
    """

    waveforms: Waveforms
    failure: np.ndarray
    status: np.ndarray
    note: np.ndarray


def measure_columns(
    tables: SttTables,
    cells: pd.DataFrame,
    columns: Sequence[Column],
    voltages: FloatArray,
    sensing_times: FloatArray,
    cosines: Sequence[float],
) -> Measured:
    """Read columns of held cells at all voltages.

    A column that ngspice cannot solve does not fail the others: they are halved until it is alone, with one
    voltage, and then tried again along `mtjchar.cells.stt.measure.LADDER`.

    Parameters
    ----------
    tables : SttTables
        With a table ``[read]``.
    cells : DataFrame
        As `mtjchar.cells.stt.netlist.cell_parameters` returns them.
    columns : sequence of Column
        Of rows of `cells`.
    voltages : ndarray, shape (voltages,)
        V, ascending.
    sensing_times : ndarray, shape (times,)
        s, ascending.
    cosines : sequence of float
        Cosine between the layers for each state of the columns' seats: 1 is P, -1 AP.
    """
    timeline = Timeline.of(tables, _asked(tables), sensing_times)
    return _insistent(tables, cells, columns, voltages, timeline, cosines)


def _insistent(
    tables: SttTables,
    cells: pd.DataFrame,
    columns: Sequence[Column],
    voltages: FloatArray,
    timeline: Timeline,
    cosines: Sequence[float],
) -> Measured:
    try:
        return _measured(tables, cells, columns, voltages, timeline, cosines, _AS_USUAL)
    except SimulationError as error:
        if len(columns) > 1:
            half = len(columns) // 2
            parts = [
                _insistent(tables, cells, part, voltages, timeline, cosines)
                for part in (columns[:half], columns[half:])
            ]
            return _joined(parts, axis=0)
        if len(voltages) > 1:
            parts = [
                _insistent(tables, cells, columns, voltages[k : k + 1], timeline, cosines)
                for k in range(len(voltages))
            ]
            return _joined(parts, axis=1)
        for rung in LADDER if error.status != "failed" else ():
            try:
                solved = _measured(tables, cells, columns, voltages, timeline, cosines, rung)
            except SimulationError:
                continue
            note = np.array([[f"{error.status} at first; solved with {rung.name}"]], object)
            return solved._replace(note=note)
        return _failed(error, timeline)


def _measured(
    tables: SttTables,
    cells: pd.DataFrame,
    columns: Sequence[Column],
    voltages: FloatArray,
    timeline: Timeline,
    cosines: Sequence[float],
    rung: Rung,
) -> Measured:
    read, ngspice = _asked(tables), simulator()
    pairs = [len(column.pairs) for column in columns]
    used = sorted({seat.row for column in columns for pair in column.pairs for b in pair for seat in b})
    rows = {row: place for place, row in enumerate(used)}
    placed = [_renumbered(column, rows) for column in columns]
    deck = read_deck(tables, read, cells.iloc[used], placed, rung.options)
    with ngspice.circuit(deck, tables.cell.transistor.variables):

        def at(voltage: float) -> Waveforms:
            return run_read(ngspice, tables, read, timeline, voltage, cosines, pairs, rung.step)

        chosen = _chosen(voltages)
        some = [at(voltages[place]) for place in chosen]
        stacked = Waveforms(*(np.stack(values, axis=1) for values in zip(*some, strict=True)))
        if len(chosen) < len(voltages):
            smooth = _at_all(voltages, chosen, stacked)
            if smooth is None:
                every = [at(voltage) for voltage in voltages]
                smooth = Waveforms(*(np.stack(values, axis=1) for values in zip(*every, strict=True)))
            stacked = smooth
    shape = (len(columns), len(voltages))
    return Measured(
        stacked, np.full(shape, "", object), np.full(shape, "ok", object), np.full(shape, "", object)
    )


def _renumbered(column: Column, rows: dict[int, int]) -> Column:
    return Column(
        tuple(
            tuple(tuple(seat._replace(row=rows[seat.row]) for seat in branch) for branch in pair)
            for pair in column.pairs
        )
    )


def _joined(parts: Sequence[Measured], axis: int) -> Measured:
    waveforms = Waveforms(
        *(
            np.concatenate(values, axis=axis)
            for values in zip(*(part.waveforms for part in parts), strict=True)
        )
    )
    words = (
        np.concatenate([getattr(part, name) for part in parts], axis=axis)
        for name in ("failure", "status", "note")
    )
    return Measured(waveforms, *words)


def _failed(error: SimulationError, timeline: Timeline) -> Measured:
    times, steps = (np.full((1, 1, count), np.nan) for count in (len(timeline.ends), len(timeline.edges) - 1))
    words = (np.array([[word]], dtype=object) for word in (str(error), error.status, ""))
    return Measured(Waveforms(times, times, steps, steps), *words)


def _chosen(voltages: FloatArray) -> IndexArray:
    """Positions of the voltages that are simulated: near Chebyshev's points, including the ends."""
    if len(voltages) <= _VOLTAGES + 1:
        return np.arange(len(voltages))
    angle = np.pi * (np.arange(_VOLTAGES) + 0.5) / _VOLTAGES
    points = -np.cos(angle) / np.cos(angle[0])
    return np.unique(np.abs(_from_minus_one_to_one(voltages)[:, None] - points).argmin(axis=0))


def _at_all(voltages: FloatArray, chosen: IndexArray, waveforms: Waveforms) -> Waveforms | None:
    """Interpolate waveforms from the chosen voltages to all; None if that is not accurate."""
    found = []
    for values, tolerance in zip(waveforms, _TOLERANCES, strict=True):
        between = _over_voltage(voltages, chosen, values, tolerance)
        if between is None:
            return None
        found.append(between)
    return Waveforms(*found)


def _over_voltage(
    voltages: FloatArray, chosen: IndexArray, values: FloatArray, tolerance: float
) -> FloatArray | None:
    """Interpolate along axis 1, from the chosen voltages to all; None if that is not accurate."""
    x, degree = _from_minus_one_to_one(voltages), len(chosen) - 1
    moved = np.moveaxis(values, 1, 0)
    flat = moved.reshape(len(chosen), -1)
    coefficients = np.linalg.solve(chebyshev.chebvander(x[chosen], degree), flat)
    end = np.maximum(np.abs(coefficients[-1]), np.abs(coefficients[-2]) / 3.0)
    if not end.max() <= tolerance * np.abs(flat).max():
        return None
    between = chebyshev.chebvander(x, degree) @ coefficients
    return np.moveaxis(between.reshape(len(voltages), *moved.shape[1:]), 0, 1)


def _from_minus_one_to_one(values: FloatArray) -> FloatArray:
    return np.asarray(2.0 * (values - values[0]) / (values[-1] - values[0]) - 1.0)


def driven(
    tables: SttTables, devices: pd.DataFrame, reads: Reads
) -> tuple[CellDrive, tuple[Measured, Measured]]:
    """Measure single cells in P and in AP; returns what drives their junctions too."""
    cells = cell_parameters(tables, devices)
    in_p, in_ap = (
        measure_columns(tables, cells, single_cells(len(cells)), reads.voltage_V, reads.time_s, [cosine])
        for cosine in (_P, _AP)
    )
    cell, junction = (
        np.stack([getattr(one.waveforms, name) for one in (in_p, in_ap)], axis=1)
        for name in ("cell_voltage", "junction_voltage")
    )
    return CellDrive(cell, junction), (in_p, in_ap)


def sense(tables: SttTables, devices: pd.DataFrame, reads: Reads) -> Sensed:
    """Simulate reads of each device in both states, at all voltages and times.

    Parameters
    ----------
    tables : SttTables
        With a table ``[read]``.
    devices : DataFrame
        As `mtjchar.cells.stt.device.derive` returns them, each with two stable states.
    reads : Reads
        As `reads_of` returns them, or with other voltages and times.
    """
    read = _asked(tables)
    drive, both = driven(tables, devices, reads)
    level, energy = (
        np.stack([getattr(one.waveforms, name) for one in both], axis=1) for name in ("level", "energy_J")
    )
    failed = both[0].failure != ""
    failure, status = (
        np.where(failed, getattr(both[0], name), getattr(both[1], name)) for name in ("failure", "status")
    )
    missing = failure != ""
    for values in (level, energy, *drive):
        np.moveaxis(values, 1, 2)[missing] = np.nan
    disturb = disturbed(tables, devices, drive, reads)
    beyond = np.isnan(disturb).any(axis=(1, 3)) & ~missing
    failure = np.where(beyond, "the drive is beyond the range of the Fokker-Planck solution", failure)
    for values in (level, energy):
        np.moveaxis(values, 1, 2)[beyond] = np.nan
    note = np.where(both[0].note != "", both[0].note, both[1].note)
    return Sensed(level, disturb, energy + read.amplifier.energy, failure, status, note)


def disturbed(tables: SttTables, devices: pd.DataFrame, drive: CellDrive, reads: Reads) -> FloatArray:
    """Disturb rates at all voltages; those between some of them by a polynomial of their logarithms."""
    timeline = Timeline.of(tables, _asked(tables), reads.time_s)
    chosen = _chosen(reads.voltage_V)
    some = CellDrive(*(values[:, :, chosen] for values in drive))
    rates = disturb_rates(tables, devices, some, timeline.edges, timeline.ends)
    if len(chosen) == len(reads.voltage_V):
        return rates
    logarithm = np.log(np.moveaxis(rates, 2, 1))  # (devices, voltages, 2, times)
    result, others = np.empty((len(devices), *drive.cell.shape[1:3], rates.shape[-1])), list[int]()
    for k in range(len(devices)):
        between = _over_voltage(reads.voltage_V, chosen, logarithm[k : k + 1], _RATE_TOLERANCE)
        if between is None:
            others.append(k)
        else:
            result[k] = np.minimum(np.exp(np.moveaxis(between[0], 0, 1)), 1.0)
    if others:
        own = CellDrive(*(values[others] for values in drive))
        result[others] = disturb_rates(tables, devices.iloc[others], own, timeline.edges, timeline.ends)
    return result


def reference_columns(read: Read, devices: int) -> list[Column]:
    """Columns of a reference that consists of cells, from rows of a table; state 0 is P, state 1 AP."""
    if read.reference.cells == "parallel":
        return [Column((((Seat(k, 0),),), ((Seat(k + 1, 1),),))) for k in range(0, devices - 1, 2)]
    return [
        Column((((Seat(k, 0), Seat(k + 1, 1)), (Seat(k + 2, 0), Seat(k + 3, 1))),))
        for k in range(0, devices - 3, 4)
    ]


def reference_level(tables: SttTables, devices: pd.DataFrame, reads: Reads) -> ReferenceLevel:
    """Simulate the reference of the sense amplifier.

    Parameters
    ----------
    tables : SttTables
        With a table ``[read]``.
    devices : DataFrame
        Drawn from the distribution itself, as `mtjchar.cells.stt.device.derive` returns them. A reference of
        cells is made of two or four of them; at least one is needed for a resistance, whose transistor is
        that of the first one.
    reads : Reads

    Raises
    ------
    InputError
        If there are too few devices.
    SimulationError
        If no reference has a solution.
    """
    read = _asked(tables)
    cells = cell_parameters(tables, devices)
    if read.reference.resistance is not None:
        return _of_resistance(tables, cells, reads, read.reference.resistance, read.reference.spread)
    columns = reference_columns(read, len(cells))
    if not columns:
        needed = 2 if read.reference.cells == "parallel" else 4
        raise InputError("devices of the reference", value=len(cells), allowed=f"at least {needed}")
    measured = measure_columns(tables, cells, columns, reads.voltage_V, reads.time_s, [_P, _AP])
    level = measured.waveforms.level[(measured.failure == "").all(axis=1)]
    if not len(level):
        raise SimulationError(str(measured.failure[0, 0]), status=str(measured.status[0, 0]))
    deviation = level.std(axis=0, ddof=1) if len(level) > 1 else np.zeros(level.shape[1:])
    return ReferenceLevel(level.mean(axis=0), deviation)


def _of_resistance(
    tables: SttTables, cells: pd.DataFrame, reads: Reads, resistance: float, spread: float
) -> ReferenceLevel:
    """Level of a resistance in place of a junction, integrated over its normal distribution."""
    nodes, weights = hermite_e.hermegauss(_NODES) if spread else (np.zeros(1), np.ones(1))
    weights = weights / weights.sum()
    own = pd.concat([cells.iloc[:1]] * len(nodes), ignore_index=True)
    given = {name: value for name, value in _RESISTOR.items() if name in own}
    own = own.assign(rp=resistance * (1.0 + spread * nodes), dvth=0.0, beta=1.0, **given)
    measured = measure_columns(tables, own, single_cells(len(own)), reads.voltage_V, reads.time_s, [_P])
    if (measured.failure != "").any():
        first = tuple(np.argwhere(measured.failure != "")[0])
        raise SimulationError(str(measured.failure[first]), status=str(measured.status[first]))
    level = measured.waveforms.level
    mean = np.tensordot(weights, level, axes=1)
    deviation = np.sqrt(np.tensordot(weights, (level - mean) ** 2, axes=1))
    return ReferenceLevel(mean, deviation)
