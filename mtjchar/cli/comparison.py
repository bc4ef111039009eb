"""Scenarios side by side: their files, and what stands on the terminal, which 80 columns are enough for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from mtjchar.cli.common import console, number_or_dash, writable, write_table
from mtjchar.units import compact

if TYPE_CHECKING:
    import pandas as pd

    from mtjchar.surfaces.comparison import Comparison

__all__ = ["comparison_as_json", "print_comparison", "short_names", "write_comparison"]

_MARK = "*"
"""Stands behind the numbers of pulses whose error rates are extrapolated."""

_SIZES = {
    "transistor_width_m": ("width of all transistors (nm)", 1e9),
    "area_F2": ("area (F²)", 1.0),
}
"""Columns of `Comparison.results` with the sizes of cells: label, and factor from SI."""

_LONGEST = 12  # letters of a name, so that all columns fit
_GAP = 2
_LAYOUT: dict[str, Any] = {
    "title_justify": "left",
    "box": None,
    "pad_edge": False,
    "padding": (0, _GAP, 0, 0),
}


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Shorten names of scenarios so that their tables fit; those that fit stay.

    Words that all of them begin or end with are left out. Where that is not enough they become s1, s2, ...
    """
    if all(len(name) <= _LONGEST for name in names):
        return dict(zip(names, names, strict=True))
    words = [re.split(r"[\W_]+", name) for name in names]
    first, last = _shared(words), _shared([word[::-1] for word in words])
    short = ["_".join(word[first : len(word) - last]) for word in words]
    # A word of all may be all that some have.
    if not all(0 < len(name) <= _LONGEST for name in short) or len(set(short)) < len(names):
        short = [f"s{number}" for number in range(1, len(names) + 1)]
    return dict(zip(names, short, strict=True))


def _shared(words: Sequence[Sequence[str]]) -> int:
    """Count the words with which all begin, leaving each at least one."""
    count = 0
    while all(len(word) > count + 1 and word[count] == words[0][count] for word in words):
        count += 1
    return count


def write_comparison(comparison: Comparison, out: Path) -> str:
    """Write tables and figure into a folder; returns what to say of it."""
    from mtjchar import plotting

    writable(out)
    write_table(comparison.results, out / "comparison.csv")
    write_table(comparison.worst_case, out / "worst_case.csv")
    write_table(comparison.differences.reset_index(allow_duplicates=True), out / "differences.csv")
    plotting.comparison_figure(comparison, out)
    further = _of_reads(comparison)
    for name, table in further.items():
        write_table(table, out / f"{name}.csv")
    names = "".join(f"{name}.csv, " for name in further)
    return (
        f"wrote {out}/comparison.csv, worst_case.csv, {names}differences.csv, comparison.png and "
        "comparison.svg"
    )


def _of_reads(comparison: Comparison) -> dict[str, pd.DataFrame]:
    """Tables of reads and bitwise operations that have rows, by name."""
    names = ("reads", "worst_reads", "bitwise")
    return {name: getattr(comparison, name) for name in names if len(getattr(comparison, name))}


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """Give the comparison as JSON has it."""
    reference = comparison.reference
    return {
        "differences": comparison.differences.to_dict(orient="index"),
        "reference": None if reference is None else reference._asdict(),
        "results": comparison.results.to_dict(orient="records"),
        "worst_case": comparison.worst_case.to_dict(orient="records"),
        **{name: table.to_dict(orient="records") for name, table in _of_reads(comparison).items()},
    }


def print_comparison(comparison: Comparison) -> None:
    """Show what differs, the answers of each scenario, and the worst case."""
    names = short_names(list(comparison.surfaces))
    _print_differences(comparison.differences, names)
    _print_results(comparison, names)
    _print_sizes(comparison.results, names)
    _print_worst_case(comparison.worst_case, names)
    further = _of_reads(comparison)
    for name, show in (
        ("reads", _print_reads),
        ("worst_reads", _print_worst_reads),
        ("bitwise", _print_bitwise),
    ):
        if name in further:
            show(further[name], names)
    reference = comparison.reference
    marked = comparison.results[["extrapolated", "reference_extrapolated"]].to_numpy().any()
    if marked or any(table["extrapolated"].any() for table in further.values()):
        console.print(
            f"{_MARK} extrapolated: too few effective devices carry the error rate", highlight=False
        )
    console.print(
        "reference: none, no duration of the first run has 1e-9 at its nominal amplitude"
        if reference is None
        else f"reference: {reference.amplitude_V:g} V for {1e9 * reference.duration_s:.3g} ns",
        highlight=False,
    )
    for name, short in names.items():
        if name != short:
            console.print(f"{short} is {name}", highlight=False)


def _print_differences(differences: pd.DataFrame, names: dict[str, str]) -> None:
    """Show the keys that differ: a column a scenario where that fits, otherwise a line a value."""
    if not len(differences):
        console.print("The studies do not differ.", highlight=False)
        return
    table = differences.rename(columns=names).reset_index()
    needed = sum(_GAP + max(map(len, [str(name), *table[name]])) for name in table) - _GAP
    if needed <= console.width:
        shown = Table("key", *names.values(), title="what differs", **_LAYOUT)
        for row in table.itertuples(index=False):
            shown.add_row(*row)
        console.print(shown, highlight=False)
        return
    console.print("what differs", style="italic", highlight=False)
    for key, values in differences.iterrows():
        console.print(str(key), highlight=False)
        shown = Table(show_header=False, **_LAYOUT)
        shown.add_column(overflow="fold", max_width=console.width // 2)
        shown.add_column(overflow="fold")
        for value in dict.fromkeys(values):
            of = [names[str(name)] for name, other in values.items() if other == value]
            shown.add_row(f"  {value or '-'}", ", ".join(of))
        console.print(shown, highlight=False)


def _print_results(comparison: Comparison, names: dict[str, str]) -> None:
    results = comparison.results
    headlines = {
        f"median_{column}": label._replace(label=f"median\n{label.label}")
        for surface in comparison.surfaces.values()
        for column, label in surface.kind.headlines.items()
    }
    shown = Table(title=f"cheapest pulse for a BER of {results['ber'].iloc[0]:g}, by direction", **_LAYOUT)
    shown.add_column("", overflow="fold")
    shown.add_column("scenario", overflow="fold")
    # Each header stands over a number of six to eight letters.
    medians = [label + (f"\n({unit})" if unit else "") for label, unit, _ in headlines.values()]
    for name in ("V", "ns", "pJ", "BER at\nref.", "median\ndevice", *medians):
        shown.add_column(name, justify="right", overflow="fold")
    rows: list[Any] = list(results.itertuples())
    for row in rows:
        shown.add_row(
            row.direction,
            names[row.scenario],
            number_or_dash(row.amplitude_V, ".3f"),
            number_or_dash(1e9 * row.duration_s, ".2f"),
            number_or_dash(1e12 * row.energy_J, ".3f") + _MARK * row.extrapolated,
            number_or_dash(row.reference_ber, ".2g") + _MARK * row.reference_extrapolated,
            number_or_dash(row.reference_median_device_ber, ".2g"),
            *(
                number_or_dash(label.factor * getattr(row, column), ".1f")
                for column, label in headlines.items()
            ),
        )
    console.print("")
    console.print(shown, highlight=False)


def _print_sizes(results: pd.DataFrame, names: dict[str, str]) -> None:
    """Show the sizes of the cells where they differ."""
    sizes = {name: size for name, size in _SIZES.items() if results[name].nunique() > 1}
    if not sizes:
        return
    shown = Table(title="sizes of the cells", **_LAYOUT)
    shown.add_column("scenario", overflow="fold")
    for label, _ in sizes.values():
        shown.add_column(label, justify="right", overflow="fold")
    for row in results.drop_duplicates("scenario").to_dict("records"):
        shown.add_row(
            names[row["scenario"]],
            *(number_or_dash(factor * row[column], ".0f") for column, (_, factor) in sizes.items()),
        )
    console.print("")
    console.print(shown, highlight=False)


def _print_reads(reads: pd.DataFrame, names: dict[str, str]) -> None:
    """Show the operating points of reads, two lines a scenario."""
    from mtjchar.surfaces.read_search import USUAL_DISTURB, USUAL_ERROR

    title = f"reads with an error rate of {USUAL_ERROR:g} and a disturb rate of {USUAL_DISTURB:g}"
    shown = Table(title=title, **_LAYOUT)
    for name in ("scenario", "least"):
        shown.add_column(name, overflow="fold")
    for name in ("V", "ns", "fJ", "error\nrate", "disturb\nrate", "margin", "largest,\nin s.d."):
        shown.add_column(name, justify="right", overflow="fold")
    rows: list[Any] = list(reads.itertuples())
    for row in rows:
        shown.add_row(
            names[row.scenario],
            row.minimize,
            number_or_dash(row.voltage_V, ".3f"),
            number_or_dash(1e9 * row.time_s, ".3f"),
            number_or_dash(1e15 * row.energy_J, ".2f") + _MARK * row.extrapolated,
            number_or_dash(row.read_error_rate, ".2g"),
            number_or_dash(row.disturb_rate, ".2g"),
            "-" if math.isnan(row.margin) else compact(row.margin, row.margin_unit, 3),
            number_or_dash(row.largest_margin_deviations, ".2f"),
        )
    console.print("")
    console.print(shown, highlight=False)


def _print_worst_reads(worst: pd.DataFrame, names: dict[str, str]) -> None:
    """Show the reads that hold in all scenarios, a column each."""
    shown = Table("read for all scenarios", **_LAYOUT)
    for minimize in worst["minimize"]:
        shown.add_column(f"least {minimize}", justify="right", overflow="fold")
    rows: list[Any] = list(worst.itertuples())
    shown.add_row("read voltage (V)", *(number_or_dash(row.voltage_V, ".3f") for row in rows))
    shown.add_row("sensing time (ns)", *(number_or_dash(1e9 * row.time_s, ".3f") for row in rows))
    for label, column, where, factor, form in (
        ("highest error rate", "read_error_rate", "error_in", 1.0, ".2g"),
        ("highest disturb rate", "disturb_rate", "disturb_in", 1.0, ".2g"),
        ("smallest margin (s.d.)", "margin_deviations", "margin_in", 1.0, ".2f"),
        ("highest energy (fJ)", "energy_J", "energy_in", 1e15, ".2f"),
    ):
        values = [
            number_or_dash(factor * getattr(row, column), form)
            + _MARK * (row.extrapolated and "rate" in column)
            for row in rows
        ]
        shown.add_row(label, *values)
        shown.add_row("  in", *(names.get(getattr(row, where), "-") for row in rows))
    console.print("")
    console.print(shown, highlight=False)


def _print_bitwise(bitwise: pd.DataFrame, names: dict[str, str]) -> None:
    """Show each operation at its best read, a line a scenario."""
    unit = "/".join(f"m{unit}" for unit in dict.fromkeys(bitwise["level_unit"]))
    shown = Table(title="bitwise operations, each at the read with its lowest error rate", **_LAYOUT)
    for name in ("", "scenario"):
        shown.add_column(name, overflow="fold")
    for name in ("V", "ns", "fJ", "error\nrate", f"offset for\n1e-6 ({unit})", "TMR for\n1e-6"):
        shown.add_column(name, justify="right", overflow="fold")
    rows: list[Any] = list(bitwise.sort_values("operation", kind="stable").itertuples())
    for row in rows:
        shown.add_row(
            row.operation,
            names[row.scenario],
            number_or_dash(row.voltage_V, ".3f"),
            number_or_dash(1e9 * row.time_s, ".3f"),
            number_or_dash(1e15 * row.energy_J, ".2f"),
            number_or_dash(row.error_rate, ".2g") + _MARK * row.extrapolated,
            number_or_dash(1e3 * row.largest_offset, ".2g"),
            number_or_dash(row.smallest_contrast, ".2f"),
        )
    console.print("")
    console.print(shown, highlight=False)


def _print_worst_case(worst: pd.DataFrame, names: dict[str, str]) -> None:
    """Show the worst case, a column a direction."""
    shown = Table(f"worst of {len(names)} scenarios", **_LAYOUT)
    for direction in worst["direction"]:
        shown.add_column(direction, justify="right", overflow="fold")
    rows: list[Any] = list(worst.itertuples())

    def add(label: str, values: Iterable[str]) -> None:
        shown.add_row(label, *values)

    add("pulse for all: amplitude (V)", (number_or_dash(row.amplitude_V, ".3f") for row in rows))
    add("  its duration (ns)", (number_or_dash(1e9 * row.duration_s, ".2f") for row in rows))
    add(
        "  its energy, at most (pJ)",
        (number_or_dash(1e12 * row.energy_J, ".3f") + _MARK * row.extrapolated for row in rows),
    )
    add("  takes most in", (names.get(row.energy_in, "-") for row in rows))
    add("  fails most in", (names.get(row.limited_by, "-") for row in rows))
    add("dearest own pulse (pJ)", (number_or_dash(1e12 * row.own_pulse_energy_J, ".3f") for row in rows))
    add("  in", (names.get(row.own_pulse_in, "-") for row in rows))
    add("highest BER at ref.", (number_or_dash(row.reference_ber, ".2g") for row in rows))
    add("  in", (names.get(row.reference_in, "-") for row in rows))
    console.print("")
    console.print(shown, highlight=False)
