"""Verilog-A modules for log10 of the write error rate and the energies of a write.

One module for each direction, in two forms. `self_contained` finds the grid cell by nested conditions,
which every compiler supports (OpenVAF has neither arrays nor ``$table_model``). `with_tables` is short and
reads the values from files by ``$table_model`` (Spectre, HSPICE).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mtjchar.export.files import Files, text
from mtjchar.export.grid import (
    FINEST,
    LOWEST_LOG,
    PINS,
    QUANTITIES,
    Grid,
    coarsest,
    grids,
    identifier,
    limits_in_words,
)
from mtjchar.export.operating_point import Settings
from mtjchar.export.provenance import comment
from mtjchar.surfaces import WriteSurface

__all__ = ["self_contained", "with_tables"]

_VARIABLES = {"log10_ber": "p", "energy": "e", "redundant_energy": "r"}


def self_contained(surface: WriteSurface, out: Path, _: Settings) -> Files:
    """Write one file, with bilinear interpolation in the analog block."""
    sampled = coarsest(surface)  # compilers take seconds for a thousand cells
    return {out: text(_file(surface, sampled, identifier(out), _search))}


def with_tables(surface: WriteSurface, out: Path, _: Settings) -> Files:
    """Write the module and, beside it, one table for each direction and quantity."""
    sampled = grids(surface, FINEST)
    name = identifier(out)
    tables = {
        (grid.direction, quantity): f"{name}_{grid.direction}_{quantity}.tbl"
        for grid in sampled
        for quantity in QUANTITIES
    }

    def look_up(grid: Grid) -> list[str]:
        return [
            f'{_VARIABLES[quantity]} = $table_model(v, t, "{tables[grid.direction, quantity]}", "1C,1C");'
            for quantity in QUANTITIES
        ]

    files: Files = {
        out.with_name(tables[grid.direction, quantity]): text(_table(grid, quantity))
        for grid in sampled
        for quantity in QUANTITIES
    }
    return {**files, out: text(_file(surface, sampled, name, look_up))}


def _file(
    surface: WriteSurface, sampled: list[Grid], name: str, analog: Callable[[Grid], list[str]]
) -> list[str]:
    title = [
        "Write error rate and energy of an STT-MRAM cell, by mtjchar",
        *limits_in_words(sampled[0]),
        *surface.extrapolation_in_words(),
    ]
    lines = [*comment(surface, title, "//"), "", '`include "disciplines.vams"']
    for grid in sampled:
        lines += ["", *_module(f"{name}_{grid.direction}", grid, analog(grid))]
    return lines


def _module(name: str, grid: Grid, analog: list[str]) -> list[str]:
    low, high = float(grid.amplitudes[0]), float(grid.amplitudes[-1])
    shortest, longest = float(grid.durations[0]), float(grid.durations[-1])
    return [
        f"module {name}({', '.join(PINS)});",
        f"  input {', '.join(PINS[:2])};",
        f"  output {', '.join(PINS[2:])};",
        f"  electrical {', '.join(PINS)};",
        "  real v, t, x, y, p, e, r;",
        "  analog begin",
        f"    v = min(max(V(amplitude), {low!r}), {high!r});",
        f"    t = min(max(V(duration), {shortest!r}), {longest!r});",
        *(f"    {line}" for line in analog),
        f"    p = max(p, {LOWEST_LOG!r});",
        *(f"    V({quantity}) <+ {variable};" for quantity, variable in _VARIABLES.items()),
        "  end",
        "endmodule",
    ]


def _search(grid: Grid) -> list[str]:
    """Nested conditions down to the grid cell, first along the amplitude and then along the duration."""

    def along_duration(i: int) -> list[str]:
        return _halve("t", grid.durations.tolist(), 0, len(grid.durations) - 1, lambda j: _cell(grid, i, j))

    return _halve("v", grid.amplitudes.tolist(), 0, len(grid.amplitudes) - 1, along_duration)


def _halve(
    variable: str, nodes: list[float], first: int, last: int, leaf: Callable[[int], list[str]]
) -> list[str]:
    if last - first == 1:
        return leaf(first)
    middle = (first + last) // 2
    below = _halve(variable, nodes, first, middle, leaf)
    above = _halve(variable, nodes, middle, last, leaf)
    return [
        f"if ({variable} < {nodes[middle]!r}) begin",
        *(f" {line}" for line in below),
        "end else begin",
        *(f" {line}" for line in above),
        "end",
    ]


def _cell(grid: Grid, i: int, j: int) -> list[str]:
    """Bilinear interpolation within one cell of the grid."""
    v, t = grid.amplitudes[i : i + 2].tolist(), grid.durations[j : j + 2].tolist()
    lines = [f"x = (v - {v[0]!r}) / {v[1] - v[0]!r};", f"y = (t - {t[0]!r}) / {t[1] - t[0]!r};"]
    for quantity, variable in _VARIABLES.items():
        (a, b), (c, d) = grid.values[quantity][i : i + 2, j : j + 2].tolist()
        lines.append(f"{variable} = {a!r} + x * ({c - a!r}) + y * ({b - a!r} + x * ({d - c - b + a!r}));")
    return lines


def _table(grid: Grid, quantity: str) -> list[str]:
    nodes = [(amplitude, time) for amplitude in grid.amplitudes.tolist() for time in grid.durations.tolist()]
    values = grid.values[quantity].ravel().tolist()
    return [
        f"# amplitude_V duration_ns {quantity}{'' if quantity == 'log10_ber' else '_pJ'}",
        *(f"{v!r} {t!r} {value!r}" for (v, t), value in zip(nodes, values, strict=True)),
    ]
