"""Programming energy of a training over its recognition rate.

The baseline is a reliable pulse: 8-bit words (or the plan's) in two's complement, the study's nominal
amplitude, and the duration that brings the error rate of the population to 1e-9 in both directions. Exact
designs save energy without a failing write; levers let writes fail. Each is tried separately and all
together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mtjchar.errors import InputError
from mtjchar.network.choice import Memory, write_conditions
from mtjchar.network.experiment import LARGEST_LOSS, Experiment, MeasuredDesign
from mtjchar.network.levers import (
    ALL_EXACT,
    BASELINE,
    EXACT,
    LEVERS,
    MAIN_LEVERS,
    ExactDesign,
    chosen_levers,
)
from mtjchar.network.passes import COMPUTING_READS, ComputingReads, PassReads, reads_of_epoch
from mtjchar.network.reads import ReadConditions
from mtjchar.network.rows import Row, design_ledger, design_row, setting_ledger, setting_row
from mtjchar.network.termination import Detector
from mtjchar.network.trainer import TrainingPlan
from mtjchar.network.trainings import Trainings
from mtjchar.surfaces import DeviceRates, WriteSurface
from mtjchar.units import compact

__all__ = [
    "BASELINE",
    "COLUMNS",
    "COMPUTING_READS",
    "LARGEST_LOSS",
    "LEVERS",
    "MAIN_LEVERS",
    "MOST_SEEDS",
    "RATES",
    "READ_ENERGIES",
    "READ_ENERGY",
    "SEARCH_STEPS",
    "ComputingReads",
    "Tradeoff",
    "band_in_words",
    "baseline_in_words",
    "best",
    "one_line",
    "over_read_energies",
    "read_energies",
    "shown",
    "tradeoff",
    "warnings_of",
    "write_conditions",
]

RATES = (3e-2, 0.1, 0.3)
"""Error rates at which every lever is tried, before the search between them."""

SEARCH_STEPS = 3
"""Bisection steps, in log10, between the last rate that holds and the first that does not."""

MOST_SEEDS = 20
"""Largest number of fresh seeds to show that a setting holds."""

READ_ENERGY = 20e-15
"""Energy of reading a bit, J. Assumed: 0.1 V for 5 ns over about 6 kohm of cell and lines is 8 fJ, and the
rest is for word line and sense amplifier."""

READ_ENERGIES = (20e-15, 50e-15, 100e-15, 150e-15, 200e-15, 250e-15)
"""Energies of a read for the comparison of designs, J. With periphery, published designs at 22 nm take 112 to
124 fJ a bit."""


class Tradeoff(NamedTuple):
    """Result of a trade-off.

    Attributes
    ----------
    table : DataFrame
        A row per lever and error rate, and one for the baseline and each exact design, see `COLUMNS`.
    ledger : DataFrame
        A row for each of these, bit plane and direction: pulse, error rate, mean numbers of writes per
        training (switching, redundant, driven_redundant, retried, failed, reads) and their energies. Check
        bits of a correction have the plane above the highest.
    designs : DataFrame
        Rows as in `table` for all exact designs that the plan allows; column ``design`` lists the methods of
        each.
    """

    table: pd.DataFrame
    ledger: pd.DataFrame
    designs: pd.DataFrame


COLUMNS = {
    "lever": "name in `LEVERS` or `EXACT`; ``reliable`` for the baseline",
    "exact": "whether no write fails",
    "code": "of the words; ``signs`` of a binarized network",
    "bits": "bits a word",
    "ber": "error rate, the worse direction's; for pulses by bit plane the rate of the same squared error",
    "ber_to_one": "error rate of writing a 1, of the worst bit plane",
    "ber_to_zero": "error rate of writing a 0, of the worst bit plane",
    "amplitude_V": "V; for pulses by bit plane or direction the mean",
    "duration_s": "s; likewise",
    "programming_energy_J": "writes and the reads that go with them, mean over seeds",
    "write_energy_J": "pulses alone",
    "switching_energy_J": "first pulses on bits that have to switch",
    "redundant_energy_J": "pulses on other bits",
    "retry_energy_J": "further pulses",
    "read_energy_J": "reads that go with writes",
    "reads": "number of these",
    "energy_saved_fraction": "of the baseline's programming energy",
    "energy_saved_ci95": "half width, from the seeds",
    "energy_saved_lower": "lower end of the band: seeds, interval of the surface, other surfaces",
    "energy_saved_upper": "upper end of the band",
    "accuracy_mean": "recognition rate, mean over seeds",
    "accuracy_ci95": "half width, Student's t",
    "accuracy_drop_points": "mean paired difference to error-free writes",
    "accuracy_drop_ci95": "half width, of all looks at fresh seeds together",
    "seeds": "trainings",
    "confirmed": "whether these are fresh seeds, which had no part in the choice",
    "verdict": "``searched``, or of fresh seeds: ``holds``, ``loses more``, ``not shown``",
    "effective_devices": "fewest that carry an error rate of the row's pulses",
    "extrapolated": "whether any of these rates is extrapolated",
    "at_edge": "whether a pulse lies on the edge of the surface's grid",
    "at_limit": "whether a pulse has the highest error rate that the choice by bit plane allows",
    "check_cells_fraction": "cells of check bits, for each cell of words",
    "computing_energy_J": "reads of the passes that compute",
    "total_energy_J": "programming and computing",
    "saved_against_exact_fraction": "of the programming energy of the best exact design",
    "computing_reads": "number of reads of cells by passes that compute",
    "read_error_rate": "of a read that belongs to a write, of the worse state",
    "read_disturb_rate": "likewise",
    "reads_assumed": "whether the energy of a read is assumed; otherwise it is from a read surface",
    "skipped": "bits that had to switch and were not driven, because a read was wrong",
    "needless": "pulses on bits that had the written value, because a read was wrong",
    "stopped": "bits that had not switched and were not written again, because a read was wrong",
    "disturbed": "bits that a read flipped",
}
"""Columns of the table of a trade-off."""


def tradeoff(
    surface: WriteSurface,
    dataset: str,
    *,
    plan: TrainingPlan | None = None,
    levers: Iterable[str] = MAIN_LEVERS,
    seeds: int = 5,
    most_seeds: int = MOST_SEEDS,
    rates: Iterable[float] = RATES,
    search_steps: int = SEARCH_STEPS,
    read_energy_J: float | None = None,
    reads: ReadConditions | None = None,
    computing_reads: ComputingReads = "batch",
    computing_errors: bool = False,
    detector: Detector | None = None,
    retries: int = 0,
    devices: DeviceRates | None = None,
    other_surfaces: Sequence[WriteSurface] = (),
    kept: str | Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tradeoff:
    """Train with cheaper and cheaper pulses, with several seeds each.

    For each lever the error rates are tried first. The search then narrows down the rate at which the loss is
    one point. The setting with the largest saving is trained again with more and more fresh seeds, until the
    interval of the loss is below one point or cannot get there. Then the next one gets its own seeds.

    Parameters
    ----------
    surface : WriteSurface
        With both directions.
    dataset : str
        Name or folder, see `mtjchar.network.datasets.load_dataset`.
    plan : TrainingPlan, optional
        Plan of the training, except for the code; default: the default plan.
    levers : iterable of str, optional
        Names in `LEVERS`, `EXACT` or `ALL_EXACT`; a repeated name counts once.
    seeds : int, optional
        Trainings per pulse in the search, at least 2. The error-free network is trained with the same initial
        weights, batches and rounding for each seed.
    most_seeds : int, optional
        Largest number of fresh seeds of a pulse, at least `seeds`.
    rates : iterable of float, optional
        Error rates to try first, each above 0 and below 1.
    search_steps : int, optional
        Rates to try between the last that holds and the first that does not.
    read_energy_J : float, optional
        Energy of reading one bit, J, of reads without errors; default: `READ_ENERGY`, an assumption.
    reads : ReadConditions, optional
        Errors, disturb and energy of reads instead, from `mtjchar.network.reads.read_conditions`.
    computing_reads : {"batch", "image"}, optional
        Whether the forward and the backward pass read the memory once per batch or once per image.
    computing_errors : bool, optional
        Whether the passes of levers compute with what they read, errors included, and disturb the cells.
        Otherwise they compute with the stored words.
    detector : Detector, optional
        Detector of designs with early termination; default: the default one.
    retries : int, optional
        Pulses beyond the first on bits that have not switched, for all levers; every pulse is then followed
        by a read.
    devices : DeviceRates, optional
        With it each cell is permanently a device of the sweep; without, each has the population's mean
        rates.
    other_surfaces : sequence of WriteSurface, optional
        Surfaces of the same study for other parameters of the stack, such as the ends of a fit's intervals.
        Their savings at the same error rates widen the band of the saving.
    kept : str or Path, optional
        File to which every finished training is added, see `mtjchar.network.trainings.Trainings`.
    workers : int, optional
        Number of processes; default: one for each core. The results do not depend on it.
    progress : callable, optional
        Called with the number of finished trainings and the number of all known ones.

    Returns
    -------
    Tradeoff

    Raises
    ------
    InputError
        For a surface of one direction or without energies, another surface of other directions, an unknown
        lever, too few seeds, an optimizer's state in MRAM, or a data set that cannot be read.
    UnreachableError
        If no duration reaches 1e-9 at the nominal amplitude.
    """
    plan = plan or TrainingPlan()
    exact, approximate = chosen_levers(levers)
    if seeds < 2:
        raise InputError("seeds", value=seeds, allowed="2 or more, for an interval")
    if most_seeds < seeds:
        raise InputError("most_seeds", value=most_seeds, allowed=f"{seeds} or more, the seeds of the search")
    if computing_reads not in COMPUTING_READS:
        raise InputError("computing_reads", value=computing_reads, allowed=" or ".join(COMPUTING_READS))
    if reads is not None and read_energy_J is not None:
        raise InputError(
            "read_energy_J", value=read_energy_J, allowed="none with `reads`, which have energies"
        )
    if reads is None:
        reads = ReadConditions(energy_J=READ_ENERGY if read_energy_J is None else read_energy_J)
    if plan.state_full_scale is not None:
        raise InputError(
            "state_full_scale",
            value=plan.state_full_scale,
            allowed="none: a trade-off has the parameters alone in its memory",
            remedy="Leave what the optimizer remembers in ordinary memory.",
        )
    _check_surfaces(surface, other_surfaces)
    memory = Memory(surface, reads, retries, devices, detector or Detector())
    passes = PassReads(reads, computing_reads) if computing_errors else None
    bounds = (surface.at_bound("lower"), surface.at_bound("upper"))
    others = [Memory(each, reads, retries, None, memory.detector) for each in (*bounds, *other_surfaces)]
    with Trainings(dataset, None if kept is None else Path(kept), workers, progress) as trainings:
        experiment = Experiment(memory, plan, seeds, most_seeds, trainings, passes)
        _check_momentum(experiment, (*exact, *approximate))
        designs = experiment.designs()
        experiment.search(approximate, rates, search_steps)
        experiment.prove(approximate)
        of_epoch = reads_of_epoch(trainings.images, plan.batch_size, computing_reads)
        updates = math.ceil(math.ceil(trainings.images / plan.batch_size) / plan.accumulate)
        cells = trainings.cells(plan)
    tables = _tables(experiment, designs, exact, approximate, others, of_epoch / updates)
    return _with_sums(tables, plan.epochs * of_epoch * cells, reads.assumed)


def _check_surfaces(surface: WriteSurface, others: Iterable[WriteSurface]) -> None:
    if len(surface.directions) != 2:
        raise InputError("directions of the surface", value=surface.directions, allowed="both directions")
    for each in (surface, *others):
        if set(each.directions) != set(surface.directions):
            raise InputError(
                "directions of another surface",
                value=", ".join(each.directions),
                allowed=f"{' and '.join(surface.directions)}, as the surface has",
                remedy="Sweep both directions of the same kind of cell.",
            )
        if not each.knows_energy:
            raise InputError(
                "energy of a surface",
                value="not known",
                allowed="known for all its pulses",
                remedy="Count the writes with their energies.",
            )


def _check_momentum(experiment: Experiment, names: Iterable[str]) -> None:
    for name in names:
        design = LEVERS.get(name) or EXACT.get(name) or ExactDesign()
        if design.momentum and not experiment.allows_momentum:
            raise InputError(
                "lever",
                value=name,
                allowed="levers without momentum for a plan with an optimizer of its own",
                remedy="Take the plan's optimizer 'sgd', or leave the lever out.",
            )


def _tables(
    experiment: Experiment,
    measured: Sequence[MeasuredDesign],
    exact: Sequence[str],
    approximate: Sequence[str],
    others: Sequence[Memory],
    passes: float,
) -> Tradeoff:
    """Assemble the tables, without sums; `passes` are reads of all cells between two writes."""
    plan, memory = experiment.plan, experiment.memory
    designs = {each.design: design_row(experiment, each, others, passes) for each in measured}
    named = {BASELINE: ExactDesign(), **{name: _exact_design(name, designs) for name in exact}}
    settings = [setting for name in approximate for setting in experiment.measured(name)]
    table = pd.DataFrame(
        [
            *({**designs[design], "lever": name} for name, design in named.items()),
            *(setting_row(experiment, setting, others, passes) for setting in settings),
        ]
    ).drop(columns="design")
    accounts = {each.design: each for each in measured}
    ledger = pd.DataFrame(
        [
            *(row for name, design in named.items() for row in design_ledger(name, accounts[design], memory)),
            *(row for setting in settings for row in setting_ledger(setting, plan.bits, memory.directions)),
        ]
    )
    tables = Tradeoff(table, ledger, pd.DataFrame(designs.values()))
    if plan.binarized:
        for each in tables:
            each["code"] = "signs"
    return tables


def _exact_design(name: str, designs: dict[ExactDesign, Row]) -> ExactDesign:
    """Return the design of a name, also if the name means the best of all."""
    if name in EXACT:
        return EXACT[name]
    return min(
        (
            design
            for design, row in designs.items()
            if row["verdict"] == "holds" and (ALL_EXACT[name] or not design.early_termination)
        ),
        key=lambda design: float(designs[design]["programming_energy_J"]),
    )


def _with_sums(tables: Tradeoff, computing_reads: int, assumed: bool) -> Tradeoff:
    """Add computing reads, also of check bits, and the saving relative to the best exact design."""
    good = tables.designs[tables.designs["verdict"] == "holds"]
    least = good["programming_energy_J"].min()
    table, ledger, designs = tables
    for each in (table, designs):
        share = each["check_cells_fraction"] + 1.0
        each["computing_reads"] = computing_reads * share
        each["reads_assumed"] = assumed
        each["computing_energy_J"] *= share
        each["total_energy_J"] = each["programming_energy_J"] + each["computing_energy_J"]
        each["saved_against_exact_fraction"] = 1.0 - each["programming_energy_J"] / least
    return Tradeoff(table[list(COLUMNS)], ledger, designs[[*COLUMNS, "design"]])


def read_energies(reads: ReadConditions) -> tuple[float, ...]:
    """Energies of a read to compare designs over: `READ_ENERGIES`, from that of the reads of a cell on.

    Parameters
    ----------
    reads : ReadConditions
        If they are of a read surface, their energy, mean of both states, is the first; smaller ones are left
        out.
    """
    if reads.assumed:
        return READ_ENERGIES
    own = reads.mean_energy_J
    return (own, *(energy for energy in READ_ENERGIES if energy > own))


def over_read_energies(tables: Tradeoff, energies_J: Sequence[float] = READ_ENERGIES) -> pd.DataFrame:
    """Compare the savings of each lever with those of exact designs, over the energy of a read.

    Parameters
    ----------
    tables : Tradeoff
        Without retries the trainings are the same for each energy.
    energies_J : sequence of float, optional
        Energies of reading a bit, J.

    Returns
    -------
    DataFrame
        A row per energy and lever (`best` row of each, and the exact ones): ``read_energy_J``, ``lever``,
        ``exact``, ``programming_energy_J``, ``write_energy_J``, ``energy_saved_fraction`` relative to the
        baseline, which does not read; and relative to the exact design of lowest programming energy at this
        energy of a read: ``best_exact`` (its methods), ``saved_against_exact_fraction``, and
        ``writes_of_exact_over_writes``, the ratio of the energies of their pulses.
    """
    table, _, designs = tables
    baseline = table[table["lever"] == BASELINE].iloc[0]
    rows = pd.concat([table[table["exact"] & (table["lever"] != BASELINE)], _approximate(best(table))])
    good = designs[designs["verdict"] == "holds"]
    parts = []
    for energy in energies_J:
        exact_energy = good["write_energy_J"] + energy * good["reads"]
        exact = good.iloc[int(exact_energy.argmin())]
        spent = rows["write_energy_J"] + energy * rows["reads"]
        parts.append(
            pd.DataFrame(
                {
                    "read_energy_J": energy,
                    "lever": rows["lever"],
                    "exact": rows["exact"],
                    "programming_energy_J": spent,
                    "write_energy_J": rows["write_energy_J"],
                    "energy_saved_fraction": 1.0 - spent / baseline["write_energy_J"],
                    "best_exact": exact["design"],
                    "saved_against_exact_fraction": 1.0 - spent / exact_energy.min(),
                    "writes_of_exact_over_writes": exact["write_energy_J"] / rows["write_energy_J"],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def best(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each lever, the row with the largest saving at a loss that is shown to be at most 1 point.

    Parameters
    ----------
    table : DataFrame
        As `tradeoff` returns it. If rows are confirmed, only those count.

    Returns
    -------
    DataFrame
        No row for a lever whose interval of the loss always extends beyond 1 point.
    """
    loss = table["accuracy_drop_points"] + table["accuracy_drop_ci95"]
    good = table[(table["lever"] != BASELINE) & (loss <= LARGEST_LOSS)]
    if table["confirmed"].any():
        good = good[good["confirmed"]]
    return good.loc[good.groupby("lever", sort=False)["energy_saved_fraction"].idxmax()]


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each lever, for display: exact designs, then levers that let writes fail.

    Parameters
    ----------
    table : DataFrame
        As `tradeoff` returns it, or of an earlier version.

    Returns
    -------
    DataFrame
        The baseline, all other exact designs, and for each lever the `best` row, or the last one if none
        holds. Additional columns: ``exact``, also if an earlier version has not written it, and
        ``not_shown``, whether it is not shown that the loss is small.
    """
    good = best(table)
    exact = _is_exact(table)
    baseline = table[table["lever"] == BASELINE].tail(1)
    designs = table[exact & (table["lever"] != BASELINE)]
    others = table[~exact & (table["lever"] != BASELINE)]
    rest = others[~others["lever"].isin(good["lever"])].groupby("lever", sort=False).tail(1)
    levers = others.loc[sorted([*good.index.intersection(others.index), *rest.index])]
    order = [*baseline.index, *designs.index, *levers.index]
    return table.loc[order].assign(
        exact=[True] * (len(baseline) + len(designs)) + [False] * len(levers),
        not_shown=[index not in good.index and index not in baseline.index for index in order],
    )


def one_line(table: pd.DataFrame) -> str:
    """Describe the savings by exact designs, and the additional ones by letting writes fail."""
    rows = best(table)
    exact, approximate = (rows[_is_exact(rows) == kind] for kind in (True, False))
    parts = []
    if not exact.empty:
        row = exact.sort_values("energy_saved_fraction").iloc[-1]
        parts.append(
            f"{row['energy_saved_fraction']:.1%} of the programming energy is saved without a write that "
            f"fails (lever {row['lever']})."
        )
    if approximate.empty:
        parts.append(f"No pulse is shown to save at a loss of at most {LARGEST_LOSS:g} point.")
    else:
        row = approximate.sort_values("energy_saved_fraction").iloc[-1]
        others = ", ".join(f"{other.lever} {other.energy_saved_fraction:.1%}" for other in rows.itertuples())
        parts.append(
            f"{row['energy_saved_fraction']:.1%} is saved by writes that may fail, at a loss of "
            f"{row['accuracy_drop_points']:.2f} ± {row['accuracy_drop_ci95']:.2f} points of recognition rate "
            f"(allowed: {LARGEST_LOSS:g}; lever {row['lever']}{_against_exact(row)}; best of each: {others})."
        )
    if bool(table.get("reads_assumed", pd.Series(False)).any()):
        parts.append("The energy of a read is assumed.")
    return " ".join([*parts, baseline_in_words(table), *warnings_of(rows)])


def _against_exact(row: pd.Series[Any]) -> str:
    saved = row.get("saved_against_exact_fraction")
    if saved is None:
        return ""
    return f", {abs(saved):.0%} {'less' if saved >= 0.0 else 'more'} than the best exact design"


def band_in_words(row: Mapping[Hashable, Any]) -> str:
    """Write the band of a row's saving, in per cent; tables of earlier versions have none."""
    lower, upper = (row.get(f"energy_saved_{end}", math.nan) for end in ("lower", "upper"))
    if math.isnan(lower) or math.isnan(upper):
        return "not known"
    return f"{100 * lower:.1f} to {100 * upper:.1f}"


def warnings_of(rows: pd.DataFrame) -> list[str]:
    """Describe the rows of a table whose error rates or pulses need caution."""
    reasons = {
        "extrapolated": "Error rates of {} are extrapolated from too few devices.",
        "at_edge": "Pulses of {} lie on the edge of the sweep: a wider one may find cheaper pulses.",
        "at_limit": "Pulses of {} have the highest error rate that the choice by bit plane allows.",
    }
    lines = []
    for flag, words in reasons.items():
        if flag in rows and (flagged := rows[rows[flag].astype(bool)]["lever"].unique()).size:
            lines.append(words.format(", ".join(flagged)))
    return lines


def _is_exact(rows: pd.DataFrame) -> pd.Series[bool]:
    # Tables of earlier versions have no exact designs.
    return rows["exact"].astype(bool) if "exact" in rows else pd.Series(False, index=rows.index)


def _approximate(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~_is_exact(rows)]


def baseline_in_words(table: pd.DataFrame) -> str:
    """Describe the baseline of the savings."""
    row = table[table["lever"] == BASELINE].iloc[0]
    code = "signs" if row["code"] == "signs" else "two's complement"
    return (
        f"Baseline: {code}, {row['bits']} bits, {compact(row['amplitude_V'], 'V', 4)} for "
        f"{compact(row['duration_s'], 's', 4)}, BER {row['ber']:.0e} or less in both directions"
        f"{', extrapolated from too few devices' if row.get('extrapolated', False) else ''}."
    )
