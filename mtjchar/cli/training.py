"""The command that trains in the memory: tradeoff."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtjchar.cli.common import (
    AsJson,
    Out,
    RunFolder,
    Workers,
    console,
    load_surface,
    print_json,
    progress_bar,
    quantity,
    warn,
    writable,
    write_table,
)
from mtjchar.errors import InputError

if TYPE_CHECKING:
    from mtjchar.network.scales import FullScale
    from mtjchar.network.trainer import TrainingPlan


class NetworkName(StrEnum):
    """Network to train; names as in `mtjchar.network.trainer.PLANS`."""

    perceptron = "perceptron"
    convolutional = "convolutional"
    binarized = "binarized"


class OptimizerChoice(StrEnum):
    """Optimizer; names as in `mtjchar.network.optimizers.OPTIMIZERS`."""

    sgd = "sgd"
    momentum = "momentum"
    adam = "adam"


class RoundingChoice(StrEnum):
    """How updated values become levels."""

    stochastic = "stochastic"
    nearest = "nearest"


class ReadsChoice(StrEnum):
    """How often a pass that computes reads the memory."""

    batch = "batch"
    image = "image"


class Cells(StrEnum):
    """What error rates a cell has."""

    population = "population"
    devices = "devices"


def tradeoff(
    folder: RunFolder,
    dataset: Annotated[str, typer.Option(help="fashion-mnist, digits, or a folder with the four IDX files.")],
    out: Out,
    network: Annotated[
        NetworkName, typer.Option(help="What is trained, see docs/networks.md.")
    ] = NetworkName.perceptron,
    levers: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="What to try, see docs/memory.md. No write fails: gray, skip_unchanged_words, "
            "skip_unchanged, pulse_per_direction, early_termination, ecc, momentum, all_exact, "
            "all_exact_but_termination. Writes may fail: duration, amplitude, both, code, bit_planes, "
            "read_before_write, all, all_but_code, all_but_bit_planes, all_but_read_before_write, "
            "all_with_momentum, all_with_termination. If not given: skip_unchanged, both all_exact, each "
            "that may fail alone, all, and all_with_termination.",
        ),
    ] = "",
    seeds: Annotated[int, typer.Option(min=2, help="Trainings for each pulse of the search.")] = 5,
    most_seeds: Annotated[
        int | None,
        typer.Option(
            help="Most fresh seeds for a pulse to show that its loss is at most one point, at least "
            "--seeds; 20 if not given."
        ),
    ] = None,
    search_steps: Annotated[
        int, typer.Option(min=0, help="Rates to try between the last that holds and the first that does not.")
    ] = 3,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training images.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images of a batch.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", "--lr", help="In the first epoch.")
    ] = None,
    optimizer: Annotated[
        OptimizerChoice | None,
        typer.Option(help="Momentum is 0.9; what it remembers is in ordinary memory."),
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Batches whose gradients are averaged for an update.")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="Bits of a weight, 2 to 16.")] = None,
    full_scale: Annotated[
        str | None,
        typer.Option(
            metavar="S[,S...]",
            help="Magnitude of the lowest weight: a number, one for each layer, or 'initial', by the initial "
            "weights of each.",
        ),
    ] = None,
    rounding: Annotated[
        RoundingChoice | None, typer.Option(help="How updated weights become levels.")
    ] = None,
    read_energy: Annotated[
        float | None,
        typer.Option(
            parser=quantity("J", "read energy"), metavar="E", help='Of one bit, "20 fJ" if not given.'
        ),
    ] = None,
    computing_reads: Annotated[
        ReadsChoice, typer.Option(help="Whether a pass reads the memory once for a batch or for each image.")
    ] = ReadsChoice.batch,
    other: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Run of the same study with another stack, such as one at the end of its interval: widens "
            "the band. Can be given again.",
        ),
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="Further pulses on bits that a read finds unswitched.")
    ] = 0,
    cells: Annotated[
        Cells,
        typer.Option(help="Error rates of a cell: the population's mean, or those of a device of the sweep."),
    ] = Cells.population,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Train in the memory: programming energy against recognition rate, exact and with writes that may fail.

    A lever holds where the loss is shown to be at most one point, by seeds that the search has not
    had. Finished trainings are kept in OUT; the same command goes on after an interruption.
    """
    from mtjchar import plotting
    from mtjchar.cli.tradeoff_tables import print_read_energies, print_tradeoff
    from mtjchar.network import tradeoff as experiment
    from mtjchar.surfaces import DeviceRates
    from mtjchar.sweep.lock import locked

    plan = _plan(
        network,
        optimizer=optimizer and optimizer.value,
        accumulate=accumulate,
        rounding=rounding and rounding.value,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        bits=bits,
        full_scale=None if full_scale is None else _full_scale(full_scale),
    )
    surface = load_surface(folder)
    writable(out)
    with locked(out, say=warn), progress_bar("training", "trainings") as progress:
        tables = experiment.tradeoff(
            surface,
            dataset,
            plan=plan,
            levers=[name.strip() for name in levers.split(",")] if levers else experiment.MAIN_LEVERS,
            seeds=seeds,
            most_seeds=max(seeds, experiment.MOST_SEEDS) if most_seeds is None else most_seeds,
            search_steps=search_steps,
            read_energy_J=experiment.READ_ENERGY if read_energy is None else read_energy,
            computing_reads=computing_reads.value,
            other_surfaces=[load_surface(each) for each in other or ()],
            retries=retries,
            devices=DeviceRates.load(folder, surface) if cells is Cells.devices else None,
            kept=out / "trainings.jsonl",
            workers=workers,
            progress=progress,
        )
    table = tables.table
    by_read_energy = experiment.over_read_energies(tables)
    write_table(table, out / "tradeoff.csv")
    write_table(tables.ledger, out / "ledger.csv")
    write_table(tables.designs, out / "exact_designs.csv")
    write_table(by_read_energy, out / "read_energies.csv")
    plotting.tradeoff_figure(table, by_read_energy, out / "figures")
    if as_json:
        chosen = {row["lever"]: row for row in experiment.best(table).to_dict(orient="records")}
        baseline = table.iloc[0].to_dict()
        print_json({"baseline": baseline, "rows": table.to_dict(orient="records"), "best": chosen})
        return
    print_tradeoff(table)
    print_read_energies(by_read_energy)
    console.print(experiment.one_line(table), highlight=False)


def _plan(network: NetworkName, **options: Any) -> TrainingPlan:
    """Change the network's plan by the options that are given."""
    from mtjchar.network.optimizers import usual_learning_rate
    from mtjchar.network.trainer import PLANS

    plan = PLANS[network]
    given = {name: value for name, value in options.items() if value is not None}
    optimizer = given.get("optimizer", plan.optimizer)
    if optimizer != plan.optimizer and "learning_rate" not in given:
        if plan.optimizer != "sgd":
            raise InputError(
                "--learning-rate",
                value=None,
                allowed=f"a number, with another optimizer than {plan.optimizer}, the plan's",
            )
        given["learning_rate"] = usual_learning_rate(optimizer, plan.learning_rate, plan.momentum)
    return dataclasses.replace(plan, **given)


def _full_scale(text: str) -> FullScale:
    """Read a full scale, or one for each layer."""
    if text == "initial":
        return "initial"
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            "--full-scale",
            value=text,
            allowed='a number, numbers with commas between, one for each layer, or "initial"',
        ) from error
    return scales if len(scales) > 1 else scales[0]
