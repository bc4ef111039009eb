"""What `mtjchar tradeoff` prints."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from rich.table import Table

from mtjchar.cli.common import PlainConsole, console
from mtjchar.network.levers import BASELINE
from mtjchar.network.tradeoff import best

__all__ = ["print_read_energies", "print_tradeoff"]

_WIDTH = 112  # wider than a plain terminal: lines that wrap say more than numbers that are cut


def print_tradeoff(table: pd.DataFrame) -> None:
    """Print the baseline, the exact designs and the best of each lever, a row each."""
    shown = _table(["lever"], ["V", "ns", "BER to 1", "to 0", "µJ", "reads", "saved", "band", "loss, points"])
    energies = 1e6 * table["programming_energy_J"]
    decimals = max(1, 3 - math.floor(math.log10(energies.max())))  # four digits of the baseline's
    chosen = _chosen(table)
    for heading, rows in (
        ("no write fails", chosen[chosen["exact"]]),
        ("writes may fail", chosen[~chosen["exact"]]),
    ):
        if not rows.empty:
            shown.add_row(f"{heading}:")
        for row in rows.to_dict("records"):
            shown.add_row(
                f"{row['lever']}{_marks(row)}",
                f"{row['amplitude_V']:.3f}",
                f"{1e9 * row['duration_s']:.1f}",
                f"{row['ber_to_one']:.0e}",
                f"{row['ber_to_zero']:.0e}",
                f"{1e6 * row['programming_energy_J']:.{decimals}f}",
                f"{1e6 * row['read_energy_J']:.{decimals}f}",
                f"{row['energy_saved_fraction']:.1%}",
                f"{100 * row['energy_saved_lower']:.1f} to {100 * row['energy_saved_upper']:.1f}",
                f"{row['accuracy_drop_points']:.2f} ± {row['accuracy_drop_ci95']:.2f}",
            )
    PlainConsole(width=max(console.width, _WIDTH)).print(shown)
    for mark, (flag, words) in _MARKS.items():
        if chosen[flag].any():
            console.print(f"{mark} {words}", highlight=False)


def _chosen(table: pd.DataFrame) -> pd.DataFrame:
    """Choose the baseline, the exact designs, and of each lever the best row, or the last if none holds."""
    good = best(table)
    exact = table[table["exact"]]
    others = table[~table["exact"] & ~table["lever"].isin(good["lever"])]
    rows = pd.concat([exact, good[~good["exact"]], others.groupby("lever", sort=False).tail(1)])
    order = {lever: k for k, lever in enumerate(table["lever"].unique())}
    rows = rows.assign(not_shown=~rows["lever"].isin([*good["lever"], BASELINE]))
    return rows.sort_values("lever", key=lambda levers: levers.map(order))


_MARKS = {
    "*": ("at_edge", "A pulse lies on the edge of the sweep: a wider one may find cheaper pulses."),
    "+": ("at_limit", "A pulse has the highest error rate that the choice by bit plane allows."),
    "~": ("extrapolated", "Error rates are extrapolated from too few devices."),
    "?": ("not_shown", "It is not shown that the loss is at most one point."),
}


def _marks(row: Mapping[Hashable, Any]) -> str:
    return "".join(mark for mark, (flag, _) in _MARKS.items() if row[flag])


def print_read_energies(table: pd.DataFrame) -> None:
    """Print programming energies over the energy of a read, the best exact design below."""
    energies = table["read_energy_J"].unique()
    shown = _table(["µJ where a read takes"], [f"{1e15 * energy:.0f} fJ" for energy in energies])
    spent = table.pivot_table(
        index="lever", columns="read_energy_J", values="programming_energy_J", sort=False
    )
    for lever, row in spent.iterrows():
        shown.add_row(str(lever), *(f"{1e6 * value:.1f}" for value in row))
    first = table.groupby("read_energy_J", sort=False).first()
    exact = first["programming_energy_J"] / (1.0 - first["saved_against_exact_fraction"])
    shown.add_row("best exact design", *(f"{1e6 * value:.1f}" for value in exact))
    PlainConsole(width=max(console.width, _WIDTH)).print(shown)
    for design, rows in first.groupby("best_exact", sort=False):
        at = ", ".join(f"{1e15 * energy:.0f}" for energy in rows.index)
        console.print(f"Best exact design at {at} fJ: {design}.", highlight=False)


def _table(words: list[str], numbers: list[str]) -> Table:
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in words:
        shown.add_column(name, no_wrap=True)
    for name in numbers:
        shown.add_column(name, justify="right", no_wrap=True)
    return shown
