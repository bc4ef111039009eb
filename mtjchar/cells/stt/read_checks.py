"""Refusal of reads that write, that come too early, or whose reference is no reference."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.reading import Reads
from mtjchar.cells.sensing import Read
from mtjchar.cells.stt.read import driven, reads_of, reference_level
from mtjchar.cells.stt.read_disturb import CellDrive, largest_overdrive
from mtjchar.cells.stt.read_waveforms import line_times
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import InputError
from mtjchar.physics import sensing
from mtjchar.units import compact

__all__ = ["check_circuit", "check_grid", "overdrive_of_junction"]

_OF_REFERENCE = 4  # nominal devices, enough for any reference
_CORRECTIONS = 5  # of the largest voltage that does not write
_NOTHING = 1e-4  # of the largest current or read voltage: no margin
_WEAKEST = 9e-3  # ohm m, resistance times width of a transistor that is on; 5 times that of gf180mcu at 3.3 V
_SETTLED = 5.0  # time constants of the wire of a word line
_SHARES = np.linspace(0.0, 1.0, 201)  # of a range, for the largest value in it


def check_grid(tables: SttTables, device: pd.DataFrame) -> None:
    """Check reference and sensing times against the nominal device, without a simulation.

    Parameters
    ----------
    tables : SttTables
    device : DataFrame
        One row, as `mtjchar.cells.stt.device.derive` returns it.

    Raises
    ------
    InputError
        If the reference resistance is not between P and AP, a sensing time is below the time constant of the
        sensed line, or it is certain without a simulation that a read writes or that no read has a margin.
    """
    read = tables.read
    if read is None:
        return
    constant = line_times(tables, read)[read.sensed_line]
    if read.time.start < constant:
        raise InputError(
            "read.time.start",
            value=compact(read.time.start, "s"),
            allowed=f"at least the time constant of the {read.sensed_line} with the input of the amplifier, "
            f"{compact(constant, 's', 3)}",
            remedy="Start later, or lower the resistance or the capacitance of the line.",
        )
    given = [("read.reference.resistance", read.reference.resistance)]
    if read.bitwise is not None and read.bitwise.references != "optimal":
        given += [("read.bitwise.references", resistance) for resistance in read.bitwise.references]
    low, high = (float(device[f"{state}_resistance_ohm"].iloc[0]) for state in ("parallel", "antiparallel"))
    for key, resistance in given:
        if resistance is not None and not low < resistance < high:
            other = 'references = "optimal"' if "bitwise" in key else 'cells = "parallel"'
            raise InputError(
                key,
                value=compact(resistance, "ohm"),
                allowed=f"between {compact(low, 'ohm', 4)} and {compact(high, 'ohm', 4)}, P and AP of "
                "the nominal junction; the access transistor of the reference comes on top",
                remedy=f"For example {compact(float(np.sqrt(low * high)), 'ohm', 3)}, or {other}.",
            )
    _check_margin(tables, read, low, high)
    _check_voltage(tables, read, device)


def overdrive_of_junction(tables: SttTables, device: pd.DataFrame) -> float | None:
    """Bound the overdrive of reads: that of the junction alone at the largest voltage; None without reads."""
    read = tables.read
    if read is None:
        return None
    sign = 1.0 if read.current_from == "bitline" else -1.0
    of_layers = 1.0 if tables.cell.free_layer_to == "bitline" else -1.0
    cell = np.full((1, 2, 1, 1), sign * read.voltage.stop)
    return float(largest_overdrive(tables, device, CellDrive(cell, of_layers * cell))[0, 0])


def _check_margin(tables: SttTables, read: Read, low: float, high: float) -> None:
    """Refuse lines that have long been at the same voltage at the shortest sensing time.

    The worse margin is at most half of the difference between P and AP. All resistances of the transistor up
    to an upper estimate are tried, and all sensing times.
    """
    if read.mode == "current":
        return
    line = getattr(tables.cell, read.sensed_line)
    capacitance = (read.line_capacitance or line.capacitance) + read.amplifier.input_capacitance
    delay = read.rise + _of_word_line(tables)
    times = np.maximum(read.time.start - delay, 0.0) + (read.time.stop - read.time.start + delay) * _SHARES
    others = _SHARES[:, None] * _in_series(tables)
    span = read.voltage.stop - read.precharge
    levels = [sensing.discharged_level(span, times, state + others, capacitance) for state in (low, high)]
    best = 0.5 * float((levels[1] - levels[0]).max())
    if best <= _NOTHING * read.voltage.stop:
        raise _without_margin(best, read.unit)


def _check_voltage(tables: SttTables, read: Read, device: pd.DataFrame) -> None:
    """Refuse a read voltage that writes with any transistor that is on.

    A read that does not write has at most the critical current. Until the transistor is on, the line loses at
    most this current times that time; then the current is at least the line's voltage over all resistances.
    """
    on = read.rise + _of_word_line(tables)
    if tables.stack.vcma_coefficient != 0.0 or read.time.stop < on:
        return
    towards_p = (read.current_from == "bitline") == (tables.cell.free_layer_to == "bitline")
    state, name = ("antiparallel", "_ap_to_p") if towards_p else ("parallel", "")
    critical = float(device[f"critical_current{name}_A"].iloc[0])
    resistance = float(device[f"{state}_resistance_ohm"].iloc[0]) + _in_series(tables)
    line = getattr(tables.cell, read.sensed_line)
    capacitance = (read.line_capacitance or line.capacitance) + read.amplifier.input_capacitance
    lost = 0.0 if read.mode == "current" else on / capacitance
    writes = critical * (resistance + lost) + read.precharge
    if read.voltage.stop > writes:
        raise InputError(
            "read.voltage.stop",
            value=compact(read.voltage.stop, "V"),
            allowed=f"less than {compact(writes, 'V', 3)}, from where on a read writes with any transistor "
            "that is on. A simulation finds the largest voltage that does not write, which is lower",
            remedy="Lower read.voltage, or turn the current round by read.sensed_line.",
        )


def _in_series(tables: SttTables) -> float:
    """Upper estimate of the resistance in series with a junction that is read, ohm."""
    cell = tables.cell
    transistors = [cell.transistor, *([] if cell.select is None else [cell.select])]
    own = sum(one.on_resistance or _WEAKEST / one.width for one in transistors)
    return float(own + cell.bitline.resistance + cell.sourceline.resistance)


def _of_word_line(tables: SttTables) -> float:
    """Time that the wire of the word line takes to follow its driver, s."""
    wire = tables.cell.wordline
    return 0.0 if wire is None else _SETTLED * wire.share[0] * wire.share[1]


def _without_margin(best: float, unit: str) -> InputError:
    return InputError(
        "read",
        value=f"a margin of at most {compact(best, unit, 3)} at the nominal device",
        allowed="some read voltage and sensing time at which the reference is between the levels of P and AP",
        remedy="Look at read.reference, and at read.time: lines that are charged or discharged end at the "
        "same voltage.",
    )


def check_circuit(tables: SttTables, device: pd.DataFrame) -> None:
    """Check reads of the nominal device in ngspice.

    Raises
    ------
    InputError
        If a read voltage writes, or no read has a margin.
    """
    reads = reads_of(tables)
    if reads is None:
        return
    drive, both = driven(tables, device, reads)
    if any((one.failure != "").any() for one in both):
        return  # the rows of all devices will say so
    overdrive = largest_overdrive(tables, device, drive)[0]
    if (overdrive > 1.0).any():
        _refuse_voltage(tables, device, reads, overdrive)
    reference = reference_level(tables, pd.concat([device] * _OF_REFERENCE, ignore_index=True), reads)
    sign = 1.0 if reads.one_is_higher else -1.0
    level = np.stack([one.waveforms.level[0] for one in both])
    margins = sign * np.stack([reference.mean - level[0], level[1] - reference.mean])
    best = float(margins.min(axis=0).max())
    scale = float(np.abs(level).max()) if reads.unit == "A" else float(reads.voltage_V[-1])
    if best <= _NOTHING * scale:
        raise _without_margin(best, reads.unit)


def _refuse_voltage(tables: SttTables, device: pd.DataFrame, reads: Reads, overdrive: FloatArray) -> NoReturn:
    """Name the largest voltage that does not write; the overdrive is nearly proportional to the voltage."""
    voltages = reads.voltage_V
    largest = float(np.interp(1.0, np.maximum.accumulate([0.0, *overdrive]), [0.0, *voltages]))
    writes = float(voltages[np.argmax(overdrive > 1.0)])
    largest = 1e-3 * np.floor(1e3 * largest)
    # The grid may be too wide for interpolation: the voltage in the message has been read itself.
    for _ in range(_CORRECTIONS):
        drive, _both = driven(tables, device, reads._replace(voltage_V=largest * np.array([0.5, 1.0])))
        reached = float(largest_overdrive(tables, device, drive)[0].max())
        if reached <= 1.0:
            break
        largest = 1e-3 * np.floor(1e3 * min(largest / reached, largest - 1e-3))
    raise InputError(
        "read.voltage.stop",
        value=compact(float(voltages[-1]), "V"),
        allowed=f"at most {compact(largest, 'V')}: from there on a read writes (the overdrive of the nominal "
        f"device is {float(overdrive.max()):.3g}, above 1 from {compact(writes, 'V', 3)} on the grid)",
        remedy="Lower read.voltage, or turn the current round by read.sensed_line.",
    )
