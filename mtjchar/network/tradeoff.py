"""Programming energy of a training against recognition rate.

The baseline is a reliable pulse: 8-bit words (or the plan's) in two's complement, the study's nominal
amplitude, and the duration that brings the error rate of the population to 1e-9 in both directions. Levers
make writes cheaper, each by itself and all together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.errors import InputError, UnreachableError
from mtjchar.network.allocation import Demand, Pulses, PulseTable, allocate
from mtjchar.network.encoding import Code
from mtjchar.network.kept import Outcome
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.trainer import TrainingPlan
from mtjchar.network.trainings import Job, Trainings
from mtjchar.statistics import mean_half_width
from mtjchar.surfaces import DeviceRates, WriteSurface
from mtjchar.surfaces.grid import RELIABLE

__all__ = [
    "BASELINE",
    "LARGEST_LOSS",
    "LEVERS",
    "MAIN_LEVERS",
    "RATES",
    "READ_ENERGY",
    "SEARCH_STEPS",
    "Lever",
    "PulseChoice",
    "Tradeoff",
    "baseline_in_words",
    "best",
    "one_line",
    "tradeoff",
    "write_conditions",
]

RATES = (3e-2, 0.1, 0.3)
"""Error rates that every lever is tried at, before the search between them."""

SEARCH_STEPS = 3
"""Halvings of the interval, in log10, between the last rate that holds and the first that does not."""

LARGEST_LOSS = 1.0
"""Loss of recognition rate, in points, up to which a pulse counts as good."""

READ_ENERGY = 20e-15
"""Energy of reading a bit, J. Assumed: 0.1 V for 5 ns over some 6 kohm of cell and lines are 8 fJ, the rest
is left for word line and sense amplifier."""

BASELINE = "reliable"

PulseChoice = Literal["duration", "amplitude", "both", "bit_planes"]


class Lever(NamedTuple):
    """What makes writes cheaper.

    Attributes
    ----------
    vary : {"duration", "amplitude", "both", "bit_planes"}
        What of one pulse for all bits and both directions may be chosen, or a pulse for each bit plane and
        direction.
    code : str
        See `mtjchar.network.encoding.FixedPoint`.
    read_before_write : bool
        Whether only bits that have to change are driven.
    """

    vary: PulseChoice
    code: Code = "twos_complement"
    read_before_write: bool = False


LEVERS: dict[str, Lever] = {
    "duration": Lever("duration"),
    "amplitude": Lever("amplitude"),
    "both": Lever("both"),
    "code": Lever("both", code="gray"),
    "bit_planes": Lever("bit_planes"),
    "read_before_write": Lever("duration", read_before_write=True),
    "all": Lever("bit_planes", code="gray", read_before_write=True),
    "all_but_code": Lever("bit_planes", read_before_write=True),
    "all_but_bit_planes": Lever("both", code="gray", read_before_write=True),
    "all_but_read_before_write": Lever("bit_planes", code="gray"),
}
"""Levers by name."""

MAIN_LEVERS = ("duration", "amplitude", "both", "code", "bit_planes", "read_before_write", "all")
"""Each lever alone, and all together."""


class Tradeoff(NamedTuple):
    """What came out.

    Attributes
    ----------
    table : DataFrame
        A row a lever and error rate: lever (``reliable`` for the baseline), code (``signs`` of a binarized
        network), bits, ber (the worse direction's; for pulses by bit plane the rate that allows the same
        squared error of the weights),
        amplitude_V, duration_s (for pulses by bit plane means over bits and directions),
        programming_energy_J (mean over seeds) and what it went to (switching_energy_J,
        redundant_energy_J, retry_energy_J, read_energy_J), energy_saved_fraction (against the baseline),
        energy_saved_ci95 (half width), accuracy_mean, accuracy_ci95 (half width, Student's t),
        accuracy_drop_points (mean paired difference to error-free writes of the baseline's code),
        accuracy_drop_ci95 (half width), seeds, confirmed: whether these are fresh seeds, which had no
        part in the choice of the error rate, effective_devices: the fewest that carry an error rate of the
        row's pulses, and whether any of these rates is extrapolated.
    ledger : DataFrame
        A row for each of these, bit plane and direction: pulse, error rate, mean numbers of writes a
        training (switching, redundant, driven_redundant, retried, failed, reads) and their energies.
    """

    table: pd.DataFrame
    ledger: pd.DataFrame


def tradeoff(
    surface: WriteSurface,
    dataset: str,
    *,
    plan: TrainingPlan | None = None,
    levers: Iterable[str] = MAIN_LEVERS,
    seeds: int = 5,
    rates: Iterable[float] = RATES,
    search_steps: int = SEARCH_STEPS,
    read_energy_J: float = READ_ENERGY,
    retries: int = 0,
    devices: DeviceRates | None = None,
    kept: str | Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tradeoff:
    """Train at cheaper and cheaper pulses, with several seeds each.

    For each lever the error rates are tried first; then the search narrows down where the loss passes one
    point; then the cheapest that held is trained again with as many fresh seeds. Where it does not hold with
    these, the next lower rate is, and where none is left, half a decade below.

    Parameters
    ----------
    surface : WriteSurface
        With both directions.
    dataset : str
        Name or folder, see `mtjchar.network.datasets.load_dataset`.
    plan : TrainingPlan, optional
        What to train, apart from the code; the default if not given.
    levers : iterable of str, optional
        Names in `LEVERS`; one that is named twice counts once.
    seeds : int, optional
        Trainings a pulse, at least 2. The error-free network is trained with the same initial weights,
        batches and rounding for each seed.
    rates : iterable of float, optional
        Error rates to try first, each above 0 and below 1.
    search_steps : int, optional
        Rates to try between the last that holds and the first that does not.
    read_energy_J : float, optional
        Energy of reading one bit, J.
    retries : int, optional
        Pulses beyond the first on bits that have not switched, for all levers; every pulse is then followed
        by a read.
    devices : DeviceRates, optional
        With it each cell is a device of the sweep and stays it; without, each has the population's mean
        rates.
    kept : str or Path, optional
        File that every finished training is added to, see `mtjchar.network.trainings.Trainings`.
    workers : int, optional
        Number of processes; one for each core if not given. The results do not depend on it.
    progress : callable, optional
        Called with the number of trainings done and the number of all that are known of.

    Returns
    -------
    Tradeoff

    Raises
    ------
    InputError
        For a surface of one direction, an unknown lever, too few seeds, or a data set that cannot be read.
    UnreachableError
        If no duration reaches 1e-9 at the nominal amplitude.
    """
    plan = plan or TrainingPlan()
    levers = tuple(dict.fromkeys(levers))
    for name in levers:
        if name not in LEVERS:
            raise InputError("lever", value=name, allowed=", ".join(LEVERS))
    if seeds < 2:
        raise InputError("seeds", value=seeds, allowed="2 or more, for an interval")
    if len(surface.directions) != 2:
        raise InputError("directions of the surface", value=surface.directions, allowed="both directions")
    memory = _Memory(surface, read_energy_J, retries, devices)
    baseline = memory.baseline()
    with Trainings(dataset, None if kept is None else Path(kept), workers, progress) as trainings:
        experiment = _Experiment(memory, plan, seeds, trainings)
        experiment.measure([baseline], 0)
        experiment.measure([s for name in levers for s in experiment.settings(name, sorted(rates))], 0)
        for _ in range(search_steps):
            experiment.measure([s for name in levers for s in experiment.between(name)], 0)
        experiment.confirm(levers, baseline)
    return experiment.results(levers)


def best(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each lever, the row with the largest saving at a loss of at most 1 point.

    Parameters
    ----------
    table : DataFrame
        As `tradeoff` returns it. Where rows are confirmed, only those count.

    Returns
    -------
    DataFrame
        No row for a lever that always loses more.
    """
    good = table[(table["lever"] != BASELINE) & (table["accuracy_drop_points"] <= LARGEST_LOSS)]
    if table["confirmed"].any():
        good = good[good["confirmed"]]
    return good.loc[good.groupby("lever", sort=False)["energy_saved_fraction"].idxmax()]


def one_line(table: pd.DataFrame) -> str:
    """Say how much programming energy is saved at a loss of at most 1 point, and against what."""
    rows = best(table)
    if rows.empty:
        return f"No pulse saved programming energy at a loss of at most {LARGEST_LOSS:g} point."
    row = rows.sort_values("energy_saved_fraction").iloc[-1]
    extrapolated = rows.get("extrapolated", pd.Series(False, index=rows.index))
    named = ", ".join(rows["lever"][extrapolated.astype(bool)])
    warning = f" Error rates of {named} are extrapolated from too few devices." if named else ""
    others = ", ".join(f"{other.lever} {other.energy_saved_fraction:.1%}" for other in rows.itertuples())
    return (
        f"{row['energy_saved_fraction']:.1%} of the programming energy is saved at a loss of "
        f"{row['accuracy_drop_points']:.2f} ± {row['accuracy_drop_ci95']:.2f} points of recognition rate "
        f"(allowed: {LARGEST_LOSS:g}; lever {row['lever']}; best of each: {others}). "
        f"{baseline_in_words(table)}{warning}"
    )


def baseline_in_words(table: pd.DataFrame) -> str:
    """Say what the savings are measured against."""
    row = table[table["lever"] == BASELINE].iloc[0]
    code = "signs" if row["code"] == "signs" else "two's complement"
    return (
        f"Baseline: {code}, {row['bits']} bits, {row['amplitude_V']:.3f} V for "
        f"{1e9 * row['duration_s']:.2f} ns, BER {row['ber']:.0e} or less in both directions"
        f"{', extrapolated from too few devices' if row.get('extrapolated', False) else ''}."
    )


@dataclass(frozen=True, eq=False)
class _Setting:
    """A row of the table before it is measured."""

    lever: str
    code: Code
    ber: float
    pulses: Pulses
    conditions: WriteConditions
    effective_devices: float  # of the pulse and direction that fewest devices carry
    extrapolated: bool


@dataclass(frozen=True)
class _Memory:
    """Conditions that pulses make in this memory."""

    surface: WriteSurface
    read_energy_J: float
    retries: int
    devices: DeviceRates | None

    def baseline(self) -> _Setting:
        pulse = self.surface.cheapest_pulse("both", RELIABLE, vary="duration")
        pulses = _one_pulse(pulse.amplitude_V, pulse.duration_s)
        conditions = write_conditions(self.surface, pulses, devices=self.devices)
        return _Setting(
            BASELINE, "twos_complement", pulse.ber, pulses, conditions, *_carried(self.surface, pulses)
        )

    def setting(self, name: str, rate: float, demand: Demand, table: PulseTable) -> _Setting:
        """Choose the pulses of a lever for an error rate."""
        lever = LEVERS[name]
        if lever.vary == "bit_planes":
            pulses = allocate(table, demand, rate, read_before_write=lever.read_before_write)
        else:
            kept = self.surface.cheapest_pulse("both", RELIABLE, vary="duration").duration_s
            pulse = self.surface.cheapest_pulse("both", rate, vary=lever.vary, duration=kept)
            pulses = _one_pulse(pulse.amplitude_V, pulse.duration_s)
        conditions = replace(
            write_conditions(self.surface, pulses),
            read_before_write=lever.read_before_write,
            retries=self.retries,
            read_energy_J=self.read_energy_J,
        )
        if lever.vary == "bit_planes":
            ber = float((demand.harm * conditions.rates).sum() / demand.harm.sum())
        else:
            ber = float(conditions.rates.max())
        if self.devices is not None:
            of_devices = write_conditions(self.surface, pulses, devices=self.devices)
            conditions = replace(
                conditions, error_rate=of_devices.error_rate, device_weight=of_devices.device_weight
            )
        return _Setting(name, lever.code, ber, pulses, conditions, *_carried(self.surface, pulses))


def _one_pulse(amplitude: float, duration: float) -> Pulses:
    return Pulses(np.full((1, 2), amplitude), np.full((1, 2), duration))


def _carried(surface: WriteSurface, pulses: Pulses) -> tuple[float, bool]:
    """Fewest effective devices that carry an error rate, and whether any rate is extrapolated."""
    effective, extrapolated = [], []
    for k, direction in enumerate(surface.bit_directions):
        at = pulses.amplitude_V[:, k], pulses.duration_s[:, k]
        effective.append(surface.effective_devices(direction, *at))
        extrapolated.append(surface.is_extrapolated(direction, *at))
    return float(np.fmin.reduce(np.ravel(effective))), bool(np.any(extrapolated))


def write_conditions(
    surface: WriteSurface, pulses: Pulses, *, devices: DeviceRates | None = None
) -> WriteConditions:
    """Give error rates and energies of pulses, from the surface.

    Parameters
    ----------
    surface : WriteSurface
        With both directions.
    pulses : Pulses
    devices : DeviceRates, optional
        With it the error rates are those of each device.
    """

    def each(value: Callable[..., NDArray[Any]], **options: bool) -> FloatArray:
        columns = [
            value(direction, pulses.amplitude_V[:, k], pulses.duration_s[:, k], **options)
            for k, direction in enumerate(surface.bit_directions)
        ]
        return np.stack(columns, axis=-1)

    return WriteConditions(
        error_rate=each(surface.ber) if devices is None else each(devices.rates),
        switching_energy_J=each(surface.energy),
        redundant_energy_J=each(surface.energy, switching=False),
        device_weight=None if devices is None else devices.weight,
    )


class _Measured(NamedTuple):
    """Outcomes of a setting with those of the error-free runs of the same seeds."""

    setting: _Setting
    outcomes: list[Outcome]
    error_free: list[Outcome]
    confirmed: bool

    @property
    def drops(self) -> FloatArray:
        """Loss of each seed, points."""
        pairs = zip(self.error_free, self.outcomes, strict=True)
        return np.array([100.0 * (free.test_accuracy - outcome.test_accuracy) for free, outcome in pairs])

    @property
    def energies(self) -> FloatArray:
        """Programming energy of each seed, J."""
        return np.array([outcome.ledger.energy_J(self.setting.conditions) for outcome in self.outcomes])

    @property
    def holds(self) -> bool:
        return float(self.drops.mean()) <= LARGEST_LOSS


class _Experiment:
    """Settings that are tried, and what came of them."""

    def __init__(self, memory: _Memory, plan: TrainingPlan, seeds: int, trainings: Trainings) -> None:
        self._memory, self._plan, self._seeds, self._trainings = memory, plan, seeds, trainings
        self._table = PulseTable.of(memory.surface)
        self._demands: dict[Code, Demand] = {}
        self._measured: list[_Measured] = []

    def settings(self, name: str, rates: Iterable[float]) -> list[_Setting]:
        """Give the lever's settings at these rates, without those that are known already or out of reach."""
        demand = self._demand(LEVERS[name].code)
        known = {measured.setting.ber for measured in self._of(name)}
        settings = []
        for rate in rates:
            try:
                setting = self._memory.setting(name, rate, demand, self._table)
            except UnreachableError:
                continue
            if setting.ber not in known:
                known.add(setting.ber)
                settings.append(setting)
        return settings

    def between(self, name: str) -> list[_Setting]:
        """Give the lever's setting in the middle between the last that holds and the first that does not."""
        rows = self._of(name)
        if not rows:
            return []
        first_bad = next((k for k, measured in enumerate(rows) if not measured.holds), len(rows))
        low = rows[first_bad - 1].setting.ber if first_bad else 0.1 * rows[0].setting.ber
        high = rows[first_bad].setting.ber if first_bad < len(rows) else 1.0
        return self.settings(name, [float(np.sqrt(low * high))])

    def measure(self, settings: Sequence[_Setting], first_seed: int) -> None:
        """Train all settings, and the error-free network, with the seeds from the first one on."""
        seeds = range(first_seed, first_seed + self._seeds)
        wanted: list[tuple[Code, WriteConditions]] = [
            ("twos_complement", _error_free()),
            *((setting.code, setting.conditions) for setting in settings),
        ]
        jobs = [self._job(code, conditions, seed) for code, conditions in wanted for seed in seeds]
        done = self._trainings.outcomes(jobs)
        error_free, *rows = (done[k : k + len(seeds)] for k in range(0, len(done), len(seeds)))
        self._measured += [
            _Measured(setting, outcomes, error_free, first_seed > 0)
            for setting, outcomes in zip(settings, rows, strict=True)
        ]

    def confirm(self, levers: Sequence[str], baseline: _Setting) -> None:
        """Train the best setting of each lever with fresh seeds; where it does not hold, a lower one."""
        candidates = {
            name: [measured.setting for measured in self._of(name) if measured.holds] for name in levers
        }
        candidates[BASELINE] = [baseline]
        while any(candidates.values()):
            tried = [settings.pop() for settings in candidates.values() if settings]
            self.measure(tried, self._seeds)
            for measured in self._measured[-len(tried) :]:
                name = measured.setting.lever
                if measured.holds:
                    candidates[name] = []
                elif not candidates[name] and name != BASELINE:
                    candidates[name] = self.settings(name, [float(np.sqrt(0.1) * measured.setting.ber)])

    def results(self, levers: Sequence[str]) -> Tradeoff:
        """Put the tables together."""
        rows = [measured for name in (BASELINE, *levers) for measured in self._of(name, confirmed=None)]
        against = {
            measured.confirmed: measured.energies for measured in rows if measured.setting.lever == BASELINE
        }
        table = [_row(measured, self._plan.bits, against[measured.confirmed]) for measured in rows]
        directions = self._memory.surface.bit_directions
        ledger = [line for measured in rows for line in _ledger_rows(measured, self._plan.bits, directions)]
        tables = Tradeoff(pd.DataFrame(table), pd.DataFrame(ledger))
        if self._plan.binarized:
            for each in tables:
                each["code"] = "signs"
        return tables

    def _of(self, name: str, confirmed: bool | None = False) -> list[_Measured]:
        """Give what was measured of a lever, in the order of the rates."""
        rows = [measured for measured in self._measured if measured.setting.lever == name]
        rows = [measured for measured in rows if confirmed is None or measured.confirmed == confirmed]
        return sorted(rows, key=lambda measured: (measured.confirmed, measured.setting.ber))

    def _demand(self, code: Code) -> Demand:
        """Observe an error-free training, with a seed that no other has."""
        if code not in self._demands:
            job = self._job(code, _error_free(), 2 * self._seeds)._replace(pilot=True)
            (outcome,) = self._trainings.outcomes([job])
            assert outcome.harm is not None
            counts = outcome.ledger
            self._demands[code] = Demand(
                counts.switching.astype(float), counts.redundant.astype(float), outcome.harm
            )
        return self._demands[code]

    def _job(self, code: Code, conditions: WriteConditions, seed: int) -> Job:
        # Signs have one code: the lever changes nothing.
        plan = self._plan if self._plan.binarized else replace(self._plan, code=code)
        return Job(plan, conditions, seed)


def _error_free() -> WriteConditions:
    """Conditions of a memory without errors; energies are no part of a training."""
    return WriteConditions((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))


def _row(measured: _Measured, bits: int, baseline: FloatArray) -> dict[str, object]:
    setting, energies = measured.setting, measured.energies
    accuracy = np.array([outcome.test_accuracy for outcome in measured.outcomes])
    saved = 1.0 - energies / baseline
    parts = [outcome.ledger.energy_by_cause_J(setting.conditions) for outcome in measured.outcomes]
    return {
        "lever": setting.lever,
        "code": setting.code,
        "bits": bits,
        "ber": setting.ber,
        "amplitude_V": float(setting.pulses.amplitude_V.mean()),
        "duration_s": float(setting.pulses.duration_s.mean()),
        "programming_energy_J": energies.mean(),
        "switching_energy_J": np.mean([part["switching"].sum() for part in parts]),
        "redundant_energy_J": np.mean([part["redundant"].sum() for part in parts]),
        "retry_energy_J": np.mean([part["retries"].sum() for part in parts]),
        "read_energy_J": np.mean([part["reads"].sum() for part in parts]),
        "energy_saved_fraction": 1.0 - energies.mean() / baseline.mean(),
        "energy_saved_ci95": mean_half_width(saved),
        "accuracy_mean": accuracy.mean(),
        "accuracy_ci95": mean_half_width(accuracy),
        "accuracy_drop_points": measured.drops.mean(),
        "accuracy_drop_ci95": mean_half_width(measured.drops),
        "seeds": len(measured.outcomes),
        "confirmed": measured.confirmed,
        "effective_devices": setting.effective_devices,
        "extrapolated": setting.extrapolated,
    }


def _ledger_rows(measured: _Measured, bits: int, directions: Sequence[Direction]) -> list[dict[str, object]]:
    """Mean account of a training by bit plane and direction."""
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
    pulse = {"amplitude_V": setting.pulses.amplitude_V, "duration_s": setting.pulses.duration_s, "ber": rates}
    columns = {
        name: np.broadcast_to(values, (bits, 2)) for name, values in {**pulse, **counts, **energy}.items()
    }
    return [
        {
            "lever": setting.lever, "code": setting.code, "row_ber": setting.ber,
            "confirmed": measured.confirmed, "bit": plane, "direction": direction,
            **{name: values[plane, k] for name, values in columns.items()},
        }
        for plane in range(bits)
        for k, direction in enumerate(directions)
    ]  # fmt: skip


def _mean(ledgers: list[WriteLedger], name: str) -> FloatArray:
    return np.asarray(np.mean([getattr(ledger, name) for ledger in ledgers], axis=0))
