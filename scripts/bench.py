"""Speed figures, side by side in one run: `make bench` prints them, docs/benchmarks.md keeps a run.

Machines are noisy: every figure is the median of several rounds in which all candidates of a table take
turns, and what counts is the ratio of two candidates, not a time. ARGS="--only physics" for a part.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from benchmarks import fitting, kits, network, physics, reading, sot, sweeps
from benchmarks.timing import processor
from rich.console import Console
from rich.table import Table

PARTS: dict[str, Callable[[], list[Table]]] = {
    "physics": physics.tables,
    "network": network.tables,
    "sweeps": sweeps.tables,
    "reads": reading.tables,
    "sot": sot.tables,
    "kits": kits.tables,
    "fitting": fitting.tables,
}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; can be given again")
    console = Console(width=110)
    console.print(f"On {processor()}, {os.cpu_count()} cores.", highlight=False)
    for name in parser.parse_args().only or PARTS:
        for table in PARTS[name]():
            console.print(table)


if __name__ == "__main__":
    main()
