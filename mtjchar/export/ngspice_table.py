"""Tables for ngspice's XSPICE code model ``table2d``, and the subcircuits that use them.

The layout of a table file is the one in ``src/xspice/icm/table/table2D/cfunc.mod`` of ngspice: numbers of
columns and rows, the columns' and the rows' coordinates, then the rows; lines with an asterisk are skipped.
"""

from __future__ import annotations

from pathlib import Path

from mtjchar.export.files import Files, text
from mtjchar.export.grid import FINEST, LOWEST_LOG, PINS, QUANTITIES, Grid, grids, identifier, limits_in_words
from mtjchar.export.operating_point import Settings
from mtjchar.export.provenance import comment
from mtjchar.surfaces import WriteSurface

__all__ = ["ngspice_table"]


def ngspice_table(surface: WriteSurface, out: Path, _: Settings) -> Files:
    """Write a file with one subcircuit for each direction and, beside it, their tables."""
    sampled = grids(surface, FINEST)
    name = identifier(out)
    title = [
        "Write error rate and energy of an STT-MRAM cell for ngspice, by mtjchar",
        *limits_in_words(sampled[0]),
        *surface.extrapolation_in_words(),
        "ngspice looks for the tables in the directory it runs in, or in the one NGSPICE_INPUT_DIR names.",
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
    # table2d says 0 outside its table, which would be an error rate of 1: the inputs are kept inside.
    limits = {"amplitude": grid.amplitudes, "duration": grid.durations}
    lines = [f".subckt {stem} {' '.join(PINS)}"]
    for pin, nodes in limits.items():
        low, high = float(nodes[0]), float(nodes[-1])
        lines.append(f"b{pin} {pin}_in 0 v = min(max(v({pin}), {low!r}), {high!r})")
    for quantity in QUANTITIES:
        table = f"{stem}_{quantity}"
        output = "log10_ber_table" if quantity == "log10_ber" else quantity
        lines += [
            f"a{quantity} %v(amplitude_in) %v(duration_in) %v({output}) {quantity}_table",
            f'.model {quantity}_table table2d(offset=0.0 gain=1.0 order=2 file="{table}.table")',
        ]
    return [*lines, f"blog10_ber log10_ber 0 v = max(v(log10_ber_table), {LOWEST_LOG!r})", ".ends"]


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
