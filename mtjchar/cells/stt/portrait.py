"""Figures of an STT cell for a report: junction, load line, and writes of a few devices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.base import Curve, Direction, Portrait, Pulses
from mtjchar.cells.stt.barriers import barriers
from mtjchar.cells.stt.compact import thermal_angle
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.tables import SttTables
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.errors import MtjcharError
from mtjchar.physics import tunneling
from mtjchar.units import compact

__all__ = ["portraits"]

_POINTS = 121
_SHARES = (0.7, 1.0)  # of the amplitude: load lines
_NO_CURVES = "Not drawn: ngspice could not compute it here. "


def portraits(
    tables: SttTables,
    devices: pd.DataFrame,
    pulses: Mapping[Direction, Pulses],
    titles: Mapping[Direction, str],
) -> list[Portrait]:
    """Draw resistance over voltage, load lines, and writes; see `CellKind.portraits`.

    Load lines and writes are simulated in ngspice. Where that fails a figure has no curves, and says why.
    """
    drawn = [_load_lines(tables, devices.iloc[:1], name, one, titles[name]) for name, one in pulses.items()]
    writes = [_writes(tables, devices, name, one, titles[name]) for name, one in pulses.items()]
    # The directions side by side.
    drawn += [figure for figures in zip(*writes, strict=True) for figure in figures]
    highest = max(float(one.amplitude_V.max()) for one in pulses.values())
    return [*drawn, _resistance(tables, devices.iloc[:1], highest)]


def _conductance(tables: SttTables, device: pd.DataFrame, voltage: FloatArray) -> list[FloatArray]:
    """Conductance of a junction in P and in AP, 1/ohm."""
    both = barriers(tables, device)
    if both is not None:
        level = np.where(voltage == 0.0, 1e-9, voltage)
        return [both.current(level, np.asarray(m_z)) / level for m_z in (1.0, -1.0)]
    parallel, tmr = (device[name].to_numpy() for name in ("parallel_resistance_ohm", "tmr"))
    at_bias = tunneling.tmr_at_bias(tmr, voltage, np.asarray(tables.stack.tmr_half_bias))
    return [tunneling.conductance(np.asarray(m_z), parallel, at_bias) for m_z in (1.0, -1.0)]


def _resistance(tables: SttTables, device: pd.DataFrame, highest: float) -> Portrait:
    voltage = np.linspace(-highest, highest, _POINTS)
    curves = [
        Curve(name, voltage, 1e-3 / np.broadcast_to(conductance, voltage.shape))
        for name, conductance in zip(("P", "AP"), _conductance(tables, device, voltage), strict=True)
    ]
    return Portrait(
        "Resistance of the junction",
        "voltage of the junction (V)",
        "resistance (kΩ)",
        tuple(curves),
        "The nominal junction in its two states. The voltage is that of the junction alone.",
    )


def _load_lines(
    tables: SttTables, device: pd.DataFrame, direction: Direction, pulses: Pulses, title: str
) -> Portrait:
    amplitude = float(pulses.amplitude_V[0])
    name, x_label, y_label = f"Load line, {title}", "voltage of the junction (V)", "current (µA)"
    levels = np.array(_SHARES) * amplitude
    try:
        lines = load_lines(tables, cell_parameters(tables, device), direction, pulses.at(levels))
    except MtjcharError as error:
        return Portrait(name, x_label, y_label, (), f"{_NO_CURVES}{error}")
    if (failed := lines.failure[lines.failure != ""]).size:
        return Portrait(name, x_label, y_label, (), f"{_NO_CURVES}{failed[0]}")
    voltage = np.linspace(0.0, 1.05 * float(np.abs(lines.junction_voltage_V).max()), _POINTS)
    curves = [
        Curve(f"junction in {state}", voltage, 1e6 * voltage * conductance)
        for state, conductance in zip(("P", "AP"), _conductance(tables, device, voltage), strict=True)
    ]
    curves += [
        Curve(f"cell at {compact(level, 'V', 3)}", across, through)
        for level, across, through in zip(
            levels, np.abs(lines.junction_voltage_V[0]), 1e6 * lines.current_A[0], strict=True
        )
    ]
    text = (
        "What transistor and lines leave to the nominal junction while the pulse is on. "
        "A write moves along the line from one state of the junction to the other."
    )
    return Portrait(name, x_label, y_label, tuple(curves), text)


def _writes(
    tables: SttTables, devices: pd.DataFrame, direction: Direction, pulses: Pulses, title: str
) -> list[Portrait]:
    current = f"Current of a write, {title}", "time (ns)", "current of the driver (µA)"
    state = f"State during a write, {title}", "time (ns)", "cosine between the layers, m_z"
    start = 1.0 if direction == "p_to_ap" else -1.0
    angles = [thermal_angle(device) for _, device in devices.iterrows()]
    cells = cell_parameters(tables, devices).assign(u0=start * np.arctanh(np.cos(angles)))
    try:
        write = write_waveforms(tables, cells, direction, pulses)
    except MtjcharError as error:
        return [Portrait(*labels, (), f"{_NO_CURVES}{error}") for labels in (current, state)]
    pulse = f"{compact(float(pulses.amplitude_V[0]), 'V', 3)}, {compact(float(pulses.duration_s[0]), 's', 3)}"
    text = f"One write at {pulse}, without thermal noise. The magnetization starts at its mean thermal angle."

    def curves(values: FloatArray) -> tuple[Curve, ...]:
        return tuple(
            Curve(str(name), 1e9 * write.time_s, line)
            for name, line in zip(devices.index, values, strict=True)
        )

    return [
        Portrait(
            *current, curves(1e6 * write.current_A), f"{text} The peaks charge the line, and discharge it."
        ),
        Portrait(*state, curves(write.m_z), f"{text} 1 is P, -1 is AP."),
    ]
