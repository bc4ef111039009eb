"""Run the comparisons of docs/verification.md: `make verify`, or one part with --only NAME.

Prints every comparison, writes the tables into the page and the figures beside it; exit 1 if one is beyond
its limit. Some five minutes on one core. cmtj (`pip install cmtj`) takes part where it is installed.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits
from verification import (
    asymmetric,
    circuits,
    energies,
    ensembles,
    formulas,
    langevin,
    packages,
    solver,
    torque_law,
)
from verification.report import Row

PAGE = Path(__file__).resolve().parents[1] / "docs/verification.md"

PARTS: dict[str, Callable[[], list[Row]]] = {
    "axial": circuits.axial,
    "trajectory": circuits.trajectory,
    "precession": circuits.precession,
    "steps": circuits.steps,
    "orders": ensembles.orders,
    "fokker-planck": solver.fokker_planck_rows,
    "rare": solver.rare_rows,
    "ensembles": ensembles.error_rates,
    "asymmetric": asymmetric.rows,
    "equilibrium": langevin.equilibrium,
    "langevin": langevin.error_rates,
    "energies": energies.energies,
    "torque": torque_law.laws,
    "formulas": formulas.formulas,
    "cmtj": packages.cmtj_cases,
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; can be given again")
    asked = parser.parse_args().only or list(PARTS)
    console = Console(width=150)
    failed = 0
    with threadpool_limits(1):
        for name in asked:
            if name == "cmtj" and not find_spec("cmtj"):
                console.print("cmtj is not installed: pip install cmtj")
                continue
            start = time.perf_counter()
            rows = PARTS[name]()
            console.print(table(name, rows, time.perf_counter() - start))
            write(name, rows)
            failed += sum(not row.passed for row in rows)
    console.print(f"{failed} beyond the limit" if failed else "all within their limits")
    return 1 if failed else 0


def table(name: str, rows: list[Row], seconds: float) -> Table:
    """Lay out the rows of one part."""
    shown = Table("what", "how", "expected", "measured", "limit", "", title=f"{name} ({seconds:.0f} s)")
    shown.title_justify = "left"
    for row in rows:
        shown.add_row(*row[:5], "pass" if row.passed else "[bold red]FAIL")
    return shown


def write(name: str, rows: list[Row]) -> None:
    """Put the rows between the marks of this part in the page."""
    lines = ["| what | how | expected | measured | limit | |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = [cell.replace("|", r"\|") for cell in row[:5]]
        lines.append("| " + " | ".join([*cells, "pass" if row.passed else "**fail**"]) + " |")
    text = PAGE.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not marks.search(text):
        raise SystemExit(f"docs/verification.md has no place for the table of {name!r}")
    PAGE.write_text(
        marks.sub(lambda found: found[1] + "\n".join(lines) + "\n" + found[2], text), encoding="utf-8"
    )


if __name__ == "__main__":
    sys.exit(main())
