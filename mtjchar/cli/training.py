"""The command that trains in the memory: tradeoff."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from mtjchar.cli.common import (
    AsJson,
    Out,
    RunFolder,
    Workers,
    console,
    load_surface,
    print_json,
    progress_bar,
    writable,
)


class NetworkName(StrEnum):
    """Network to train; names as in `mtjchar.network.trainer.PLANS`."""

    perceptron = "perceptron"
    convolutional = "convolutional"
    binarized = "binarized"


def tradeoff(
    folder: RunFolder,
    dataset: Annotated[str, typer.Option(help="digits, fashion-mnist, or a folder with the four IDX files.")],
    out: Out,
    network: Annotated[
        NetworkName, typer.Option(help="What is trained, see docs/networks.md.")
    ] = NetworkName.perceptron,
    seeds: Annotated[int, typer.Option(min=2, help="Trainings for each pulse.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 3,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Train at cheaper and cheaper pulses: programming energy against recognition rate.

    Finished trainings are kept in OUT; the same command goes on after an interruption.
    """
    from mtjchar import plotting
    from mtjchar.network import tradeoff as experiment
    from mtjchar.network.trainer import PLANS

    surface = load_surface(folder)
    writable(out)
    with progress_bar("training", "trainings") as progress:
        table = experiment.tradeoff(
            surface,
            dataset,
            plan=dataclasses.replace(PLANS[network], epochs=epochs),
            seeds=seeds,
            kept=out / "trainings.jsonl",
            workers=workers,
            progress=progress,
        )
    table.to_csv(out / "tradeoff.csv", index=False)
    plotting.tradeoff_figure(table, out / "figures")
    best = experiment.best(table)
    if as_json:
        chosen = {row["lever"]: row for row in best.to_dict(orient="records")}
        print_json({"rows": table.to_dict(orient="records"), "best": chosen})
        return
    _print_tradeoff(table)
    console.print(experiment.one_line(table), highlight=False)


def _print_tradeoff(table: Any) -> None:
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    shown.add_column("lever", no_wrap=True)
    for name in ("V", "ns", "BER", "mJ", "saved", "accuracy %", "drop, points"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in table.itertuples():
        shown.add_row(
            row.lever,
            f"{row.amplitude_V:.3f}",
            f"{1e9 * row.duration_s:.2f}",
            f"{row.ber:.1e}",
            f"{1e3 * row.programming_energy_J:.3f}",
            f"{row.energy_saved_fraction:.1%}",
            f"{100 * row.accuracy_mean:.2f} ± {100 * row.accuracy_ci95:.2f}",
            f"{row.accuracy_drop_points:.2f} ± {row.accuracy_drop_ci95:.2f}",
        )
    console.print(shown)
