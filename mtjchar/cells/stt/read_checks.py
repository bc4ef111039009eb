"""Refusal of reads that write, that come too early, or whose reference is no reference."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.reading import Reads
from mtjchar.cells.stt.read import driven, reads_of, reference_level
from mtjchar.cells.stt.read_disturb import largest_overdrive
from mtjchar.cells.stt.read_waveforms import line_times
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import InputError
from mtjchar.units import compact

__all__ = ["check_circuit", "check_grid"]

_OF_REFERENCE = 4  # nominal devices, enough for any reference
_CORRECTIONS = 5  # of the largest voltage that does not write
_NOTHING = 1e-4  # of the largest current or read voltage: no margin


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
        If the reference resistance is not between P and AP, or a sensing time is below the time constant of
        the sensed line.
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
    if best > _NOTHING * scale:
        return
    raise InputError(
        "read",
        value=f"a margin of at most {compact(best, reads.unit, 3)} at the nominal device",
        allowed="some read voltage and sensing time at which the reference is between the levels of P and AP",
        remedy="Look at read.reference, and at read.time: lines that are charged or discharged end at the "
        "same voltage.",
    )


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
