"""Tables for ngspice's XSPICE code model ``table2d``, and the subcircuits that use them.

The format of a table file is defined in ``src/xspice/icm/table/table2D/cfunc.mod`` of ngspice: numbers of
columns and rows, the columns' and the rows' coordinates, then the rows; lines with an asterisk are skipped.
If ngspice 39 does not find a table, it only prints a line. The output then stays at 0 V, which would be an
error rate of 1.
"""

from __future__ import annotations

from pathlib import Path

from mtjchar.export.files import Files, text
from mtjchar.export.grid import FINEST, LOWEST_LOG, PINS, QUANTITIES, Grid, grids, identifier, limits_in_words
from mtjchar.export.operating_point import Settings
from mtjchar.export.provenance import comment
from mtjchar.surfaces import WriteSurface

__all__ = ["ngspice_table"]

_MISSING = "table_not_found"
"""Node that ngspice names if a table is missing."""

_SHIFT = 1.0
"""Lowers log10 of the error rate inside the subcircuit: a table gives -1 V or less, a missing one 0 V."""


def ngspice_table(surface: WriteSurface, out: Path, _: Settings) -> Files:
    """Write a file with one subcircuit for each direction and, beside it, their tables."""
    sampled = grids(surface, FINEST)
    name = identifier(out)
    title = [
        "Write error rate and energy of an STT-MRAM cell for ngspice, by mtjchar",
        *limits_in_words(sampled[0]),
        *surface.extrapolation_in_words(),
        "ngspice looks for the tables in the directory it runs in, in that of the main netlist,",
        f"and in the one NGSPICE_INPUT_DIR names. Without them an analysis fails at node {_MISSING}.",
    ]
    lines = comment(surface, title, "*")
    files: Files = {}
    for grid in sampled:
        stem = f"{name}_{grid.direction}"
        lines += ["", *_subcircuit(stem, grid)]
        for quantity in QUANTITIES:
            files[out.with_name(f"{stem}_{quantity}.table")] = text(_table(grid, quantity))
    return {**files, out: text(lines)}


def _subcircuit(stem: str, grid: Grid) -> list[str]:
    # The output of table2d is 0 outside its table, an error rate of 1: the inputs are limited to the table.
    limits = {"amplitude": grid.amplitudes, "duration": grid.durations}
    lines = [f".subckt {stem} {' '.join(PINS)}"]
    for pin, nodes in limits.items():
        low, high = float(nodes[0]), float(nodes[-1])
        lines.append(f"b{pin} {pin}_in 0 v = min(max(v({pin}), {low!r}), {high!r})")
    for quantity in QUANTITIES:
        table = f"{stem}_{quantity}"
        output, offset = ("log10_ber_table", -_SHIFT) if quantity == "log10_ber" else (quantity, 0.0)
        lines += [
            f"a{quantity} %v(amplitude_in) %v(duration_in) %v({output}) {quantity}_table",
            f'.model {quantity}_table table2d(offset={offset!r} gain=1.0 order=2 file="{table}.table")',
        ]
    found = f"(v(log10_ber_table) < {-_SHIFT / 2!r}) && (v(energy) > 0) && (v(redundant_energy) > 0)"
    return [
        *lines,
        f"blog10_ber log10_ber 0 v = max(v(log10_ber_table) + {_SHIFT!r}, {LOWEST_LOG!r})",
        # Without a table the equation of this voltage has no solution, so no operating point converges.
        f"b{_MISSING} {_MISSING} 0 v = ({found}) ? 0 : ((v({_MISSING}) > 0) ? -1 : 1)",
        ".ends",
    ]


def _table(grid: Grid, quantity: str) -> list[str]:
    columns, rows = grid.amplitudes.tolist(), grid.durations.tolist()
    return [
        f"* {quantity}{'' if quantity == 'log10_ber' else ', pJ'}, {grid.direction}",
        str(len(columns)),
        str(len(rows)),
        "* columns: amplitude, V",
        _line(columns),
        "* rows: duration, ns",
        _line(rows),
        "* values",
        *map(_line, grid.values[quantity].T.tolist()),
    ]


def _line(numbers: list[float]) -> str:
    return " ".join(map(repr, numbers))
