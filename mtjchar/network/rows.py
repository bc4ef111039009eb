"""Tables of a trade-off: rows of the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.errors import UnreachableError
from mtjchar.network.allocation import Pulses
from mtjchar.network.choice import Memory
from mtjchar.network.experiment import Experiment, MeasuredDesign, MeasuredSetting
from mtjchar.network.ledger import WriteConditions, WriteLedger, WrongReads
from mtjchar.statistics import mean_half_width

__all__ = ["design_ledger", "design_row", "setting_ledger", "setting_row"]

Row = dict[str, Any]


def setting_row(
    experiment: Experiment, measured: MeasuredSetting, others: Sequence[Memory], passes: float
) -> Row:
    """Make the row of a lever at an error rate.

    `others` are memories of other surfaces, for the band. `passes` are reads of all cells between two writes.
    """
    setting = measured.setting
    accuracy = np.array([outcome.test_accuracy for outcome in measured.outcomes])
    ledgers = [outcome.ledger for outcome in measured.outcomes]
    parts = [ledger.energy_by_cause_J(setting.conditions) for ledger in ledgers]
    mean = {name: float(np.mean([part[name].sum() for part in parts])) for name in parts[0]}
    reads = np.mean([ledger.reads(setting.conditions).sum() for ledger in ledgers])
    rates = setting.conditions.rates
    if setting.conditions.device_weight is not None:
        rates = np.average(rates, axis=0, weights=np.asarray(setting.conditions.device_weight))
    fraction = 1.0 - measured.energies.mean() / measured.baseline_J.mean()
    low, high = _band(fraction, measured.saved, _saved_elsewhere(experiment, measured, others))
    return {
        "lever": setting.name,
        "exact": False,
        "code": setting.lever.code,
        "bits": experiment.plan.bits,
        "ber": setting.ber,
        "ber_to_one": float(rates[..., 0].max()),
        "ber_to_zero": float(rates[..., 1].max()),
        "amplitude_V": float(setting.pulses.amplitude_V.mean()),
        "duration_s": float(setting.pulses.duration_s.mean()),
        **_energies(mean["switching"], mean["redundant"], mean["retries"], mean["reads"], float(reads)),
        "energy_saved_fraction": fraction,
        "energy_saved_ci95": mean_half_width(measured.saved),
        "energy_saved_lower": low,
        "energy_saved_upper": high,
        **_accuracies(accuracy, measured.drops, measured.drop_half_width),
        "seeds": len(measured.outcomes),
        "confirmed": measured.verdict != "searched",
        "verdict": measured.verdict,
        **setting.carried._asdict(),
        "at_limit": setting.at_limit,
        "check_cells_fraction": 0.0,
        **_reading(experiment.memory, ledgers, setting.conditions.reads_may_be_wrong),
        "computing_energy_J": _computing_J(experiment.memory, ledgers, passes),
    }


def design_row(
    experiment: Experiment, measured: MeasuredDesign, others: Sequence[Memory], passes: float
) -> Row:
    """Make the row of an exact design, without the name of its lever; see `setting_row`."""
    accounts, design, memory = measured.accounts, measured.design, experiment.memory
    accuracy = np.array([outcome.test_accuracy for outcome in measured.outcomes])
    baseline = experiment.baseline_energy_J(measured.error_free)
    rates = [
        float(
            memory.surface.ber(direction, measured.pulses.amplitude_V[0, k], measured.pulses.duration_s[0, k])
        )
        for k, direction in enumerate(memory.directions)
    ]
    saved = 1.0 - measured.energies / baseline
    elsewhere = []
    for other in others:
        try:
            elsewhere.append(_design_saved(experiment, measured, other))
        except UnreachableError:
            elsewhere.append(float("nan"))
    fraction = 1.0 - measured.energies.mean() / baseline.mean()
    ledgers = [outcome.ledger for outcome in measured.outcomes]
    low, high = _band(fraction, saved, elsewhere)
    return {
        "lever": "",
        "exact": True,
        "code": design.code,
        "bits": experiment.plan.bits,
        "ber": max(rates),
        "ber_to_one": rates[0],
        "ber_to_zero": rates[1],
        "amplitude_V": float(measured.pulses.amplitude_V.mean()),
        "duration_s": float(measured.pulses.duration_s.mean()),
        **_energies(
            float(np.mean([account.switching_J.sum() for account in accounts])),
            float(np.mean([account.redundant_J.sum() for account in accounts])),
            0.0,
            float(np.mean([account.reads_J.sum() for account in accounts])),
            float(np.mean([account.reads.sum() for account in accounts])),
        ),
        "energy_saved_fraction": fraction,
        "energy_saved_ci95": mean_half_width(saved),
        "energy_saved_lower": low,
        "energy_saved_upper": high,
        **_accuracies(accuracy, measured.drops, measured.drop_half_width),
        "seeds": len(accounts),
        "confirmed": measured.reads_reliably,
        "verdict": measured.verdict,
        **memory.carried(measured.pulses)._asdict(),
        "at_limit": False,
        "check_cells_fraction": measured.check_cells / measured.cells,
        **_reading(memory, ledgers, wrong=False),
        "computing_energy_J": _computing_J(memory, ledgers, passes),
        "design": design.name,
    }


def _energies(switching: float, redundant: float, retries: float, reads_J: float, reads: float) -> Row:
    writes = switching + redundant + retries
    return {
        "programming_energy_J": writes + reads_J,
        "write_energy_J": writes,
        "switching_energy_J": switching,
        "redundant_energy_J": redundant,
        "retry_energy_J": retries,
        "read_energy_J": reads_J,
        "reads": reads,
    }


def _reading(memory: Memory, ledgers: Sequence[WriteLedger], wrong: bool) -> Row:
    """Rates of the reads, and mean numbers of their effects on the writes of a training."""
    effects = zip(*(ledger.misread for ledger in ledgers), strict=True)
    return {
        "read_error_rate": memory.reads.worst_error_rate,
        "read_disturb_rate": memory.reads.worst_disturb_rate,
        **{
            name: float(np.mean([each.sum() for each in counts])) if wrong else 0.0
            for name, counts in zip(WrongReads._fields, effects, strict=True)
        },
    }


def _computing_J(memory: Memory, ledgers: Sequence[WriteLedger], passes: float) -> float:
    """Mean energy of the reads of passes, by the states of the cells between the writes, J."""
    energies = WriteConditions((0.0, 0.0), (0.0, 0.0), (0.0, 0.0)).with_reads(memory.reads)
    parts = [ledger.energy_by_cause_J(energies, passes)["computing"] for ledger in ledgers]
    return float(np.mean([part.sum() for part in parts]))


def _accuracies(accuracy: FloatArray, drops: FloatArray, drop_half_width: float) -> Row:
    return {
        "accuracy_mean": accuracy.mean(),
        "accuracy_ci95": mean_half_width(accuracy),
        "accuracy_drop_points": drops.mean(),
        "accuracy_drop_ci95": drop_half_width,
    }


def _band(fraction: float, saved: FloatArray, elsewhere: Sequence[float]) -> tuple[float, float]:
    """Return the ends of a band: those of the seeds' interval, moved to the extremes of all surfaces.

    NaN if a surface has no such pulses: the band is then not known.
    """
    values = np.array([fraction, *elsewhere])
    half_width = mean_half_width(saved)
    return float(values.min() - half_width), float(values.max() + half_width)


def _saved_elsewhere(
    experiment: Experiment, measured: MeasuredSetting, others: Sequence[Memory]
) -> list[float]:
    """Return the savings on other surfaces at the same error rates, for the same writes."""
    setting = measured.setting
    demand = experiment.demand(setting.lever.code, setting.lever.momentum)
    saved = []
    for other in others:
        try:
            there = other.setting(setting.name, setting.lever, setting.rate, demand)
            baseline = other.baseline()
        except UnreachableError:
            saved.append(float("nan"))
            continue
        spent = sum(outcome.ledger.energy_J(there.conditions) for outcome in measured.outcomes)
        saved.append(1.0 - spent / sum(plain.ledger.energy_J(baseline) for plain in measured.plain))
    return saved


def _design_saved(experiment: Experiment, measured: MeasuredDesign, other: Memory) -> float:
    design = measured.design
    pulses = other.exact_pulses(design, measured.outcomes[0].ledger, experiment.plan.bits)
    baseline = other.baseline()
    spent = sum(other.account(design, pulses, outcome).programming_energy_J for outcome in measured.outcomes)
    return 1.0 - spent / sum(plain.ledger.energy_J(baseline) for plain in measured.error_free)


def setting_ledger(measured: MeasuredSetting, bits: int, directions: Sequence[Direction]) -> list[Row]:
    """Make the rows of a lever in the ledger: means of a training by bit plane and direction."""
    setting, conditions = measured.setting, measured.setting.conditions
    ledgers = [outcome.ledger for outcome in measured.outcomes]
    counts = {name: _mean(ledgers, name) for name in ("switching", "redundant", "retried", "failed")}
    counts["driven_redundant"] = counts["redundant"] * (not conditions.read_before_write)
    counts["reads"] = np.mean([ledger.reads(conditions) for ledger in ledgers], axis=0)
    parts = [ledger.energy_by_cause_J(conditions) for ledger in ledgers]
    energy = {f"{name}_J": np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
    rates = conditions.rates
    if conditions.device_weight is not None:
        rates = np.average(rates, axis=0, weights=np.asarray(conditions.device_weight))
    head = {
        "lever": setting.name, "code": setting.lever.code, "row_ber": setting.ber,
        "confirmed": measured.verdict != "searched",
    }  # fmt: skip
    return _by_plane(head, bits, directions, setting.pulses, {"ber": rates, **counts, **energy})


def design_ledger(name: str, measured: MeasuredDesign, memory: Memory) -> list[Row]:
    """Make the rows of an exact design in the ledger; check bits have the plane above the highest."""
    accounts, directions = measured.accounts, memory.directions
    pulses = measured.pulses
    rates = np.stack(
        [
            memory.surface.ber(direction, pulses.amplitude_V[:, k], pulses.duration_s[:, k])
            for k, direction in enumerate(directions)
        ],
        axis=-1,
    )
    counts = {
        count: _mean(accounts, count) for count in ("switching", "redundant", "driven_redundant", "reads")
    }
    none = np.zeros_like(counts["switching"])
    energy = {
        "switching_J": _mean(accounts, "switching_J"), "redundant_J": _mean(accounts, "redundant_J"),
        "retries_J": none, "reads_J": _mean(accounts, "reads_J"),
    }  # fmt: skip
    head = {
        "lever": name, "code": measured.design.code, "row_ber": float(rates.max()),
        "confirmed": measured.reads_reliably,
    }  # fmt: skip
    columns = {"ber": rates, **counts, "retried": none, "failed": none, **energy}
    return _by_plane(head, len(none), directions, pulses, columns)


def _by_plane(
    head: Row, planes: int, directions: Sequence[Direction], pulses: Pulses, columns: dict[str, FloatArray]
) -> list[Row]:
    every = {"amplitude_V": pulses.amplitude_V, "duration_s": pulses.duration_s, **columns}
    columns = {name: np.broadcast_to(values, (planes, 2)) for name, values in every.items()}
    return [
        {**head, "bit": plane, "direction": direction, **{n: v[plane, k] for n, v in columns.items()}}
        for plane in range(planes)
        for k, direction in enumerate(directions)
    ]


def _mean(accounts: Sequence[object], name: str) -> FloatArray:
    return np.asarray(np.mean([getattr(account, name) for account in accounts], axis=0))
