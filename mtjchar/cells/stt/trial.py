"""The nominal cell, tried in ngspice before a sweep relies on it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd

from mtjchar.cells.base import Direction, Pulses, Trial
from mtjchar.cells.stt.axial import largest_overdrive
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.tables import SttTables
from mtjchar.cells.transistor_netlist import source_of
from mtjchar.cells.transistor_probe import TransistorProbe, check_parameters, probe_transistor
from mtjchar.errors import InputError, SimulationError
from mtjchar.units import compact

__all__ = ["try_nominal"]

_NOTHING = 0.02  # overdrive below which no durations of a study see a difference to no current at all


def try_nominal(
    tables: SttTables, device: pd.DataFrame, directions: Sequence[Direction], pulses: Pulses
) -> Trial:
    """Probe the transistor of a file, and find how far the current goes beyond Ic0.

    Parameters
    ----------
    tables : SttTables
    device : DataFrame
        The nominal one, one row.
    directions : sequence of str
    pulses : Pulses
        With one amplitude, the highest.

    Raises
    ------
    InputError
        If the transistor does not do what the study asks, or the cell does not conduct.
    """
    transistor, probe, words = tables.cell.transistor, None, []
    if source_of(transistor) is not None:
        try:
            probe = probe_transistor(
                transistor,
                temperature=tables.cell.temperature,
                gate=tables.cell.wordline_voltage,
                drain=0.5 * float(pulses.amplitude_V[0]),
            )
        except SimulationError as error:
            words.append(f"{transistor.model} by itself: {str(error).splitlines()[0]}")
        else:
            words += _of_file(tables, probe)
    start = time.monotonic()
    cells = cell_parameters(tables, device)
    overdrive = {}
    for direction in directions:
        lines = load_lines(tables, cells, direction, pulses)
        if lines.status[0, 0] == "failed":
            return Trial(failure=("failed", str(lines.failure[0, 0])))
        if lines.status[0, 0] == "ok":
            overdrive[direction] = largest_overdrive(tables, device, lines)
    load_s = 0.0 if probe is None else probe.load_s
    device_s = max((time.monotonic() - start) / len(directions) - load_s, 0.0)
    words += _below_critical(tables, overdrive, float(pulses.amplitude_V[0]))
    if probe is not None:
        shifted = tables.variability.threshold_voltage.sigma > 0.0
        check_parameters(transistor, probe, shifted=shifted)
    return Trial(tuple(words), (), load_s, device_s)


def _of_file(tables: SttTables, probe: TransistorProbe) -> list[str]:
    file, said = tables.cell.transistor.model, []
    if probe.words:
        said.append(f"ngspice says of {file}: " + "; ".join(probe.words))
    if not probe.changes:
        said.append(
            f"{file}: ngspice does not take the model with another width, length or threshold; whether these "
            "parameters have an effect was not tried"
        )
    return said


def _below_critical(tables: SttTables, overdrive: dict[Direction, float], amplitude: float) -> list[str]:
    """Say where the current never reaches Ic0, and refuse a cell that does not conduct."""
    low = {direction: value for direction, value in overdrive.items() if value < 1.0}
    if not low:
        return []
    met = " and ".join(f"{value:.3g} ({direction})" for direction, value in low.items())
    look = (
        "Look at cell.wordline_voltage, cell.transistor (an n-channel one? pins in the order of the "
        "subcircuit? its width), the resistances of the lines and sweep.amplitude"
    )
    words = (
        f"the current never reaches Ic0: at {compact(amplitude, 'V')}, the highest amplitude, the largest "
        f"overdrive of the nominal device is {met}"
    )
    # A voltage that takes the anisotropy away may switch without a current.
    if min(low.values()) < _NOTHING and tables.stack.vcma_coefficient == 0.0:
        raise InputError(
            "cell",
            value=words,
            allowed="a cell that conducts, so that a write can succeed",
            remedy=f"{look}.",
        )
    return [f"{words}. {look}"]
