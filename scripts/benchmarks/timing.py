"""Candidates that take turns, and the table of their times."""

from __future__ import annotations

import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

ROUNDS = 5

Candidates = dict[str, tuple[Callable[[], object], float]]
"""A call by its name, and the number of units of work in it."""


def timed(title: str, unit: str, candidates: Candidates) -> Table:
    """Time the candidates in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for call, _ in candidates.values():
        call()  # warm up
    for _ in range(ROUNDS):
        for name, (call, _) in candidates.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    table = Table("", f"median a {unit}", "least", "ratio", title=title, title_justify="left")
    medians = {name: statistics.median(seconds[name]) / units for name, (_, units) in candidates.items()}
    first = next(iter(medians.values()))
    for name, (_, units) in candidates.items():
        table.add_row(
            name, shown(medians[name]), shown(min(seconds[name]) / units), f"{medians[name] / first:.3g}"
        )
    return table


def processor() -> str:
    """Name the processor, on Linux with its family and model: virtual machines give many the same name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    keys = ("model name", "cpu family", "model")
    found = [re.search(rf"^{key}\s*: (.*)$", text, re.MULTILINE) for key in keys]
    name, family, model = (match[1] if match else "?" for match in found)
    return f"{name}, family {family}, model {model}"


def shown(seconds: float) -> str:
    """Write a time with a unit of its size."""
    size, unit = next(
        pair
        for pair in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
        if seconds >= pair[0] or pair[0] == 1e-9
    )
    return f"{seconds / size:.3g} {unit}"
