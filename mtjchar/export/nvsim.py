"""Cell descriptions for NVSim, and for NVMExplorer, which drives NVSim.

The keys are those that NVSim's ``MemCell.cpp`` (github.com/SEAL-UCSB/NVSim) and NVMExplorer's
``nvmexplorer_src/tentpoles.py`` (github.com/lpentecost/NVMExplorer) read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mtjchar.export.cell import Cell, Write, describe_cell
from mtjchar.export.files import Files, text
from mtjchar.export.operating_point import Settings
from mtjchar.export.provenance import comment
from mtjchar.surfaces import WriteSurface
from mtjchar.units import compact

__all__ = ["nvmexplorer", "nvsim"]


def nvsim(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """Write a ``.cell`` file for NVSim at one operating point."""
    cell = describe_cell(surface, settings)
    title = ["STT-MRAM cell for NVSim, by mtjchar", *_operating_point(cell), *cell.assumptions]
    # NVSim skips lines that do not start with one of its keys, but hangs on an empty first line.
    lines = [*comment(surface, title, "//"), *_cell_lines(cell)]
    return {out: text(lines)}


def nvmexplorer(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """Write a configuration for NVMExplorer with one custom STT cell at one operating point."""
    cell = describe_cell(surface, settings)
    # NVMExplorer uses it in names of files and commands.
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", out.stem).lstrip("-.") or "cell"
    document = {
        "experiment": {
            "exp_name": name,
            "cell_type": ["STT"],
            "process_node": round(1e9 * cell.feature_size),
            "opt_target": ["ReadEDP"],
            "capacity": [1],
            "bits_per_cell": [1],
            "traffic": ["generic"],
            "simulator": "nvsim",
            "nvsim_path": "./nvmexplorer_src/nvsim_src/nvsim",
            "output_path": "./output",
            "custom_cells": "True",
        },
        "custom_cells": [_custom_cell(cell, name)],
        "provenance": {
            "operating_point": _operating_point(cell),
            "assumptions": cell.assumptions,
            **{str(name): str(value) for name, value in surface.dataset.attrs.items()},
        },
    }
    return {out: text([json.dumps(document, indent=2)])}


def _operating_point(cell: Cell) -> list[str]:
    return [
        f"{name}: {compact(write.amplitude, 'V')}, {compact(write.duration, 's')}, "
        f"write error rate {write.rate.in_words()}"
        for name, write in (("SET", cell.set), ("RESET", cell.reset))
    ]


def _cell_lines(cell: Cell) -> list[str]:
    return [
        "-MemCellType: MRAM",
        f"-CellArea (F^2): {cell.area:.6g}",
        f"-CellAspectRatio: {cell.aspect_ratio:.6g}",
        f"-ResistanceOn (ohm): {cell.resistance_on:.6g}",
        f"-ResistanceOff (ohm): {cell.resistance_off:.6g}",
        f"-ReadMode: {cell.read.mode}",
        f"-ReadVoltage (V): {cell.read.voltage:.6g}",
        f"-MinSenseVoltage (mV): {1e3 * cell.read.least_sense_voltage:.6g}",
        f"-ReadPower (uW): {1e6 * cell.read.power:.6g}",
        *_write_lines("Reset", cell.reset),
        *_write_lines("Set", cell.set),
        "-AccessType: CMOS",  # before the width, which NVSim reads only for a CMOS cell
        f"-AccessCMOSWidth (F): {cell.access_width:.6g}",
        f"-VoltageDropAccessDevice (V): {cell.access_drop:.6g}",
    ]


def _write_lines(name: str, write: Write) -> list[str]:
    return [
        f"-{name}Mode: current",
        f"-{name}Current (uA): {1e6 * write.current:.6g}",
        f"-{name}Pulse (ns): {1e9 * write.duration:.6g}",
        f"-{name}Energy (pJ): {1e12 * write.energy:.6g}",
    ]


def _custom_cell(cell: Cell, name: str) -> dict[str, Any]:
    custom: dict[str, Any] = {
        "cell_type": "STT",
        "name": name,
        "cell_size_F2": cell.area,
        "access_CMOS_width": cell.access_width,
        "r_on": cell.resistance_on,
        "r_off": cell.resistance_off,
        "read_mode": cell.read.mode,
        "read_voltage": cell.read.voltage,
        "min_sense_voltage": 1e3 * cell.read.least_sense_voltage,
        "read_power": 1e6 * cell.read.power,
    }
    for prefix, write in (("reset", cell.reset), ("set", cell.set)):
        custom |= {
            f"{prefix}_mode": "current",
            f"{prefix}_current": 1e6 * write.current,
            f"{prefix}_pulse": 1e9 * write.duration,
            f"{prefix}_energy": 1e12 * write.energy,
        }
    return custom
