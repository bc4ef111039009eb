"""The command for training in the memory: tradeoff."""

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
    load_reads,
    load_surface,
    print_json,
    progress_bar,
    quantity,
    warn,
    writable,
    write_table,
)
from mtjchar.errors import InputError, UnreachableError
from mtjchar.units import compact

if TYPE_CHECKING:
    from mtjchar.network.reads import ReadConditions
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
    """Rounding of updated values to levels."""

    stochastic = "stochastic"
    nearest = "nearest"


class ReadsChoice(StrEnum):
    """How often a computing pass reads the memory."""

    batch = "batch"
    image = "image"


class Cells(StrEnum):
    """Source of the error rates of a cell."""

    population = "population"
    devices = "devices"


def tradeoff(
    folder: RunFolder,
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="fashion-mnist, digits, or a folder with the four IDX files.")
    ],
    out: Out,
    network: Annotated[
        NetworkName, typer.Option(help="Network to train; see docs/networks.md.")
    ] = NetworkName.perceptron,
    levers: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="Levers to try; see docs/memory.md. Without write errors: gray, skip_unchanged_words, "
            "skip_unchanged, pulse_per_direction, early_termination, ecc, momentum, all_exact, "
            "all_exact_but_termination. With write errors: duration, amplitude, both, code, bit_planes, "
            "read_before_write, all, all_but_code, all_but_bit_planes, all_but_read_before_write, "
            "all_with_momentum, all_with_termination. Default: skip_unchanged, both all_exact, every single "
            "lever with write errors, all, and all_with_termination.",
        ),
    ] = "",
    seeds: Annotated[
        int, typer.Option(min=2, metavar="N", help="Trainings per pulse during the search.")
    ] = 5,
    most_seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Largest number of new trainings per pulse to confirm a loss of at most one percentage "
            "point; at least --seeds (default: 20).",
        ),
    ] = None,
    search_steps: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Error rates to try between the last rate within and the first rate beyond the accuracy "
            "limit.",
        ),
    ] = 3,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Passes over the training images.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Images per batch.")] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", "--lr", metavar="RATE", help="Learning rate in the first epoch."),
    ] = None,
    optimizer: Annotated[
        OptimizerChoice | None,
        typer.Option(help="Optimizer; its state is in ordinary memory, and momentum is 0.9."),
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(metavar="N", help="Batches whose gradients are averaged per update.")
    ] = None,
    bits: Annotated[int | None, typer.Option(metavar="N", help="Bits per weight, 2 to 16.")] = None,
    full_scale: Annotated[
        str | None,
        typer.Option(
            metavar="S[,S...]",
            help="Magnitude of the lowest weight: one number, one number per layer, or 'initial' to derive "
            "it from the initial weights of each layer.",
        ),
    ] = None,
    rounding: Annotated[
        RoundingChoice | None, typer.Option(help="Rounding of updated weights to levels.")
    ] = None,
    read_energy: Annotated[
        float | None,
        typer.Option(
            parser=quantity("J", "read energy"),
            metavar="E",
            help="Assumed energy to read one bit, without read errors. Default: the read surface of the run; "
            'if it has none, "20 fJ".',
        ),
    ] = None,
    read_error: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Highest error rate of the reads from the read surface; the cheapest read within both rates "
            "is used. Default: 1e-9, or the lowest of the read surface if that is higher.",
        ),
    ] = None,
    read_disturb: Annotated[
        float | None,
        typer.Option(
            metavar="RATE", help="Highest probability that such a read flips the bit (default: 1e-12)."
        ),
    ] = None,
    computing_reads: Annotated[
        ReadsChoice, typer.Option(help="Reads of the memory during a pass: one per batch or one per image.")
    ] = ReadsChoice.batch,
    computing_errors: Annotated[
        bool,
        typer.Option(
            "--computing-errors",
            help="Passes compute with what they read, errors included, and their reads disturb the cells.",
        ),
    ] = False,
    other: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Run of the same study with another stack, such as one at the end of its interval; it "
            "widens the energy band. Repeat the option for more runs.",
        ),
    ] = None,
    retries: Annotated[int, typer.Option(min=0, metavar="N", help="Extra pulses after a failed verify.")] = 0,
    cells: Annotated[
        Cells,
        typer.Option(
            help="Error rates of each cell: the population mean, or those of one device of the sweep."
        ),
    ] = Cells.population,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Train a network in the memory: programming energy against accuracy, without and with write errors.

    An error rate counts as acceptable if new trainings confirm that at most one percentage point of accuracy
    is lost. Finished trainings are kept; after an interruption, run the same command to continue.
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
    reads = _reads(folder, read_energy, read_error, read_disturb)
    if computing_errors and reads.never_wrong:
        raise InputError(
            "--computing-errors", value=True, allowed="none where reads have no errors",
            problem="--computing-errors has no effect: the reads are assumed, without errors.",
            remedy="Leave it out, or give a run of a study with a table [read].",
        )  # fmt: skip
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
            reads=reads,
            computing_reads=computing_reads.value,
            computing_errors=computing_errors,
            other_surfaces=[load_surface(each) for each in other or ()],
            retries=retries,
            devices=DeviceRates.load(folder, surface) if cells is Cells.devices else None,
            kept=out / "trainings.jsonl",
            workers=workers,
            progress=progress,
        )
    table = tables.table
    by_read_energy = experiment.over_read_energies(tables, experiment.read_energies(reads))
    write_table(table, out / "tradeoff.csv")
    write_table(tables.ledger, out / "ledger.csv")
    write_table(tables.designs, out / "exact_designs.csv")
    write_table(by_read_energy, out / "read_energies.csv")
    plotting.tradeoff_figure(table, by_read_energy, out / "figures")
    if as_json:
        chosen = {row["lever"]: row for row in experiment.best(table).to_dict(orient="records")}
        baseline = table.iloc[0].to_dict()
        rows = table.to_dict(orient="records")
        print_json({"baseline": baseline, "rows": rows, "best": chosen, "reads": _described(reads)})
        return
    print_tradeoff(table)
    console.print(f"Reads: {reads.in_words()}.", highlight=False)
    print_read_energies(by_read_energy)
    console.print(experiment.one_line(table), highlight=False)


def _reads(folder: Path, energy: float | None, error: float | None, disturb: float | None) -> ReadConditions:
    """Choose the reads: of the run's read surface, or assumed ones without errors."""
    from mtjchar.network.reads import (
        READ_DISTURB,
        READ_ERROR,
        ReadConditions,
        most_reliable_reads,
        read_conditions,
    )
    from mtjchar.network.tradeoff import READ_ENERGY

    if energy is not None and energy < 0.0:
        raise InputError("--read-energy", value=compact(energy, "J"), allowed="0 J or more")
    surface = None if energy is not None else load_reads(folder)
    for option, rate in {"--read-error": error, "--read-disturb": disturb}.items():
        if rate is not None and not 0.0 < rate < 1.0:
            raise InputError(option, value=rate, allowed="above 0, below 1")
        if rate is None or surface is not None:
            continue
        if energy is not None:
            raise InputError(
                option, value=rate, allowed="none with --read-energy, whose reads have no errors",
                remedy="Leave one of them out.",
            )  # fmt: skip
        raise InputError(
            option, value=rate, allowed="none for a run without a read surface (read.nc)",
            remedy="A study with a table [read] has one.",
        )  # fmt: skip
    if surface is None:
        return ReadConditions(energy_J=READ_ENERGY if energy is None else energy)
    disturb = READ_DISTURB if disturb is None else disturb
    if error is not None:
        return read_conditions(surface, error=error, disturb=disturb)
    try:
        return read_conditions(surface, error=READ_ERROR, disturb=disturb)
    except UnreachableError:
        reads = most_reliable_reads(surface, disturb=disturb)
        warn(
            f"No read has an error rate of {READ_ERROR:g} and a disturb rate of {disturb:g}. The reads of "
            f"lowest error rate are used: {reads.in_words()}."
        )
        return reads


def _described(reads: ReadConditions) -> dict[str, Any]:
    """Return reads as JSON; the rates and energies are those of state 0 and state 1."""
    import numpy as np

    return {
        "assumed": reads.assumed,
        "voltage_V": reads.voltage_V,
        "time_s": reads.time_s,
        "error_rate": np.asarray(reads.error_rate).tolist(),
        "disturb_rate": np.asarray(reads.disturb_rate).tolist(),
        "energy_J": np.asarray(reads.energy_J).tolist(),
        "extrapolated": reads.extrapolated,
    }


def _plan(network: NetworkName, **options: Any) -> TrainingPlan:
    """Change the network's plan by the given options."""
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
                allowed="a number",
                problem=f"--learning-rate is missing: {optimizer} needs one, because the plan is for "
                f"{plan.optimizer}.",
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
            allowed='a number, one number per layer separated by commas, or "initial"',
        ) from error
    return scales if len(scales) > 1 else scales[0]
