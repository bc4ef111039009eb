"""Terminal output of `mtjchar tradeoff`."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from rich.table import Table

from mtjchar.cli.common import PlainConsole, console
from mtjchar.network.tradeoff import band_in_words, shown

__all__ = ["print_read_energies", "print_tradeoff"]

_WIDEST = 1000  # more than a table needs, and small enough to be fast


def print_tradeoff(table: pd.DataFrame) -> None:
    """Print the baseline, the exact designs and the best of each lever, one row each.

    µJ is the programming energy: writes, and the reads that go with them. Computing reads are beside
    it.
    """
    lines = _table(
        ["lever"],
        [
            "V", "ns", "BER to 1", "to 0", "µJ", "writes", "reads", "compute", "saved", "band",
            "loss, points",
        ],
    )  # fmt: skip
    energies = 1e6 * table["programming_energy_J"]
    decimals = _decimals(energies.max())
    chosen = shown(table)
    for heading, rows in (
        ("no write fails", chosen[chosen["exact"]]),
        ("writes may fail", chosen[~chosen["exact"]]),
    ):
        if not rows.empty:
            lines.add_row(f"{heading}:")
        for row in rows.to_dict("records"):
            lines.add_row(
                f"{row['lever']}{_marks(row)}",
                f"{row['amplitude_V']:.3f}",
                f"{1e9 * row['duration_s']:.1f}",
                f"{row['ber_to_one']:.0e}",
                f"{row['ber_to_zero']:.0e}",
                f"{1e6 * row['programming_energy_J']:.{decimals}f}",
                f"{1e6 * row['write_energy_J']:.{decimals}f}",
                f"{1e6 * row['read_energy_J']:.{decimals}f}",
                f"{1e6 * row['computing_energy_J']:.{decimals}f}",
                f"{row['energy_saved_fraction']:.1%}",
                band_in_words(row),
                f"{row['accuracy_drop_points']:.2f} ± {row['accuracy_drop_ci95']:.2f}",
            )
    _print(lines)
    for mark, (flag, words) in _MARKS.items():
        if chosen[flag].any():
            console.print(f"{mark} {words}", highlight=False)


_MARKS = {
    "*": ("at_edge", "A pulse lies on the edge of the sweep: a wider one may find cheaper pulses."),
    "+": ("at_limit", "A pulse has the highest error rate that the choice by bit plane allows."),
    "~": ("extrapolated", "Error rates are extrapolated from too few devices."),
    "?": ("not_shown", "It is not shown that the loss is at most one point."),
}


def _marks(row: Mapping[Hashable, Any]) -> str:
    return "".join(mark for mark, (flag, _) in _MARKS.items() if row[flag])


def print_read_energies(table: pd.DataFrame) -> None:
    """Print programming energies over the energy of a read, with the best exact design below."""
    energies = table["read_energy_J"].unique()
    lines = _table(["µJ where a read takes"], [f"{1e15 * energy:.3g} fJ" for energy in energies])
    spent = table.pivot_table(
        index="lever", columns="read_energy_J", values="programming_energy_J", sort=False
    )
    decimals = _decimals(1e6 * spent.to_numpy().max())
    for lever, row in spent.iterrows():
        lines.add_row(str(lever), *(f"{1e6 * value:.{decimals}f}" for value in row))
    first = table.groupby("read_energy_J", sort=False).first()
    exact = first["programming_energy_J"] / (1.0 - first["saved_against_exact_fraction"])
    lines.add_row("best exact design", *(f"{1e6 * value:.{decimals}f}" for value in exact))
    _print(lines)
    for design, rows in first.groupby("best_exact", sort=False):
        at = ", ".join(f"{1e15 * energy:.3g}" for energy in rows.index)
        console.print(f"Best exact design at {at} fJ: {design}.", highlight=False)


def _decimals(largest: float) -> int:
    """Count the decimals that give four digits of the largest of some energies, at least one."""
    return max(1, 3 - math.floor(math.log10(largest)))


def _print(table: Table) -> None:
    """Print a table in its own width: wrapped lines are better than cut numbers."""
    needed = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
    PlainConsole(width=max(console.width, needed)).print(table)


def _table(words: list[str], numbers: list[str]) -> Table:
    lines = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in words:
        lines.add_column(name, no_wrap=True)
    for name in numbers:
        lines.add_column(name, justify="right", no_wrap=True)
    return lines
