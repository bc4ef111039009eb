"""Trial of the nominal cell in ngspice before a sweep."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd

from mtjchar.cells.base import Direction, Pulses, Trial
from mtjchar.cells.stt.axial import largest_overdrive
from mtjchar.cells.stt.hot_junction import on_load_lines
from mtjchar.cells.stt.measure import LoadLine, load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.tables import Cell, SttTables
from mtjchar.cells.transistor import Transistor
from mtjchar.cells.transistor_netlist import source_of
from mtjchar.cells.transistor_probe import TransistorProbe, check_parameters, probe_transistor
from mtjchar.errors import InputError, SimulationError
from mtjchar.physics.anisotropy import TEMPERATURE_RANGE
from mtjchar.units import compact

__all__ = ["try_nominal"]

_NOTHING = 0.02  # overdrive below which a pulse has no visible effect at any duration of a study


def try_nominal(
    tables: SttTables, device: pd.DataFrame, directions: Sequence[Direction], pulses: Pulses
) -> Trial:
    """Probe the transistor of a file, and determine how far the current exceeds Ic0.

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
        If the transistor does not do what the study requires, or the cell does not conduct.
    """
    cell = tables.cell
    probes, words = dict[str, TransistorProbe](), list[str]()
    for table, transistor, gate, gate_low in (
        ("cell.transistor", cell.transistor, cell.wordline_voltage, cell.wordline_low),
        ("cell.second_transistor", _second(cell), *_second_gate(cell)),
    ):
        if transistor is None or source_of(transistor) is None:
            continue
        low = min(cell.bitline_low, cell.sourceline_low)
        try:
            probes[table] = probe_transistor(
                transistor,
                temperature=cell.temperature,
                gate=gate,
                drain=low + 0.5 * float(pulses.amplitude_V[0]),
                source=low,
                gate_low=gate_low,
            )
        except SimulationError as error:
            words.append(f"{transistor.model} by itself: {str(error).splitlines()[0]}")
        else:
            words += _of_file(transistor, probes[table])
    start = time.monotonic()
    cells = cell_parameters(tables, device)
    overdrive = {}
    for direction in directions:
        lines = load_lines(tables, cells, direction, pulses)
        if lines.status[0, 0] == "failed":
            return Trial(failure=("failed", str(lines.failure[0, 0])))
        if lines.status[0, 0] == "ok":
            overdrive[direction] = largest_overdrive(tables, device, lines)
            if tables.stack.heats:
                words += _too_hot(tables, device, lines, direction, pulses)
    load_s = sum(probe.load_s for probe in probes.values())
    device_s = max((time.monotonic() - start) / len(directions) - load_s, 0.0)
    words += _below_critical(tables, overdrive, float(pulses.amplitude_V[0]))
    shifted = tables.variability.threshold_voltage.sigma > 0.0
    if (access := probes.get("cell.transistor")) is not None:
        check_parameters(cell.transistor, access, shifted=shifted)
    if cell.second_transistor is not None and (second := probes.get("cell.second_transistor")) is not None:
        check_parameters(cell.second_transistor, second, shifted=False, table="cell.second_transistor")
    return Trial(tuple(dict.fromkeys(words)), (), load_s, device_s)


def _too_hot(
    tables: SttTables, device: pd.DataFrame, lines: LoadLine, direction: Direction, pulses: Pulses
) -> list[str]:
    """Report a junction that gets hotter than the laws of its stack are meant for."""
    longest = float(pulses.duration_s.max())
    junctions = on_load_lines(tables, device.iloc[0], lines, 0)
    hottest = tables.cell.temperature + junctions.largest_rise(longest, 1).max()
    highest = min(TEMPERATURE_RANGE[1], junctions.highest)
    volts = compact(float(pulses.amplitude_V[0]), "V")
    if hottest <= highest:
        return []
    return [
        f"the current heats the nominal junction to {hottest:.0f} K ({direction}, {volts}, "
        f"{compact(longest, 's')}); the temperature laws of the stack are meant for up to {highest:.0f} K. "
        f"Above {junctions.highest:.0f} K a device has no result. Look at stack.thermal_resistance_area and "
        "the largest amplitude"
    ]


def _second(cell: Cell) -> Transistor | None:
    """Return the second transistor with the first one's settings and OSDI libraries: they share a file."""
    if cell.second_transistor is None or cell.second_transistor.file is None:
        return cell.second_transistor
    told = {"init": cell.transistor.init, "osdi": cell.transistor.osdi}
    return cell.second_transistor.model_copy(update=told)


def _second_gate(cell: Cell) -> tuple[float, float]:
    """Voltages at the gate of the second transistor in a write and at rest, V."""
    if cell.select is None or cell.select.gate_voltage is None:
        return cell.wordline_voltage, cell.wordline_low
    return cell.select.gate_voltage, 0.0


def _of_file(transistor: Transistor, probe: TransistorProbe) -> list[str]:
    file, said = transistor.model, []
    if probe.words:
        said.append(f"ngspice says of {file}: " + "; ".join(probe.words))
    if not probe.changes:
        said.append(
            f"{file}: ngspice does not take the model with another width, length or threshold; whether these "
            "parameters have an effect was not tried"
        )
    return said


def _below_critical(tables: SttTables, overdrive: dict[Direction, float], amplitude: float) -> list[str]:
    """Report directions in which the current never reaches Ic0, and refuse a cell that does not conduct."""
    low = {direction: value for direction, value in overdrive.items() if value < 1.0}
    if not low:
        return []
    met = " and ".join(f"{value:.3g} ({direction})" for direction, value in low.items())
    look = (
        "Look at cell.wordline_voltage, cell.transistor (an n-channel one? pins in the order of the "
        "subcircuit? its width), the resistances of the lines and sweep.amplitude"
    )
    if tables.cell.select is not None:
        look += "; at cell.second_transistor, whose gate has to be above the level that it passes"
    words = (
        f"the current never reaches Ic0: at {compact(amplitude, 'V')}, the highest amplitude, the largest "
        f"overdrive of the nominal device is {met}"
    )
    # A voltage that cancels the anisotropy may switch without a current.
    if min(low.values()) < _NOTHING and tables.stack.vcma_coefficient == 0.0:
        raise InputError(
            "cell",
            value=words,
            allowed="a cell that conducts, so that a write can succeed",
            remedy=f"{look}.",
        )
    return [f"{words}. {look}"]
