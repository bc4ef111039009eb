"""Trainings of levers: the search for the cheapest pulse that keeps the loss small, and its proof."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.errors import UnreachableError
from mtjchar.network.allocation import Demand, Pulses
from mtjchar.network.choice import Memory, Setting
from mtjchar.network.encoding import Code
from mtjchar.network.exact import ExactAccount
from mtjchar.network.kept import Outcome
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.levers import DESIGNS, LEVERS, ExactDesign
from mtjchar.network.optimizers import usual_learning_rate
from mtjchar.network.passes import PassReads
from mtjchar.network.trainer import TrainingPlan
from mtjchar.network.trainings import Job, Trainings
from mtjchar.statistics import expected_half_width, mean_half_width

__all__ = [
    "LARGEST_LOSS",
    "Experiment",
    "MeasuredDesign",
    "MeasuredSetting",
    "Verdict",
    "looks",
    "verdict_of",
]

LARGEST_LOSS = 1.0
"""Largest loss of recognition rate, in points, of an acceptable pulse."""

Verdict = Literal["searched", "holds", "loses more", "not shown"]

MOMENTUM = 0.9
"""For levers with momentum. The learning rate is a tenth with it: the steps add up to the same."""

# A seed that no training of the search or the proof uses.
_PILOT_SEED = 1 << 30
_LOWEST_RATE = 1e-7  # of the search


def looks(seeds: int, most_seeds: int) -> list[int]:
    """Return the numbers of seeds after which a proof may end: doubled each time, up to the largest.

    Examples
    --------
    >>> looks(5, 20)
    [5, 10, 20]
    """
    numbers = [seeds]
    while numbers[-1] < most_seeds:
        numbers.append(min(2 * numbers[-1], most_seeds))
    return numbers


def verdict_of(drops: FloatArray, looks: int = 1, step: float = 0.0) -> Verdict:
    """Judge a loss by its 95 % interval.

    Parameters
    ----------
    drops : ndarray, shape (seeds,)
        Loss of each seed, points.
    looks, step : int, float, optional
        See `mtjchar.statistics.mean_half_width`.

    Returns
    -------
    Verdict
        ``holds`` if the upper end is at most `LARGEST_LOSS`, ``loses more`` if the lower end is above
        it, else ``not shown``.

    Examples
    --------
    >>> verdict_of(np.array([0.1, 0.3, 0.2]))
    'holds'
    """
    loss, half_width = float(drops.mean()), mean_half_width(drops, looks, step)
    if loss + half_width <= LARGEST_LOSS:
        return "holds"
    return "loses more" if loss - half_width > LARGEST_LOSS else "not shown"


class MeasuredSetting(NamedTuple):
    """Outcomes of a setting with those of the error-free trainings of the same seeds.

    Attributes
    ----------
    setting : Setting
    outcomes, error_free : list of Outcome
        Of each seed. The error-free trainings have the plan of the setting, and two's complement.
    plain : list of Outcome
        Error-free trainings in the plan of the baseline, with the same seeds.
    baseline_J : ndarray, shape (seeds,)
        Programming energy of the baseline.
    verdict : Verdict
        ``searched`` for seeds of the search; for fresh seeds that of `verdict_of`.
    looks : int
        Number of possible looks with more seeds, which widens the interval.
    step : float
        Points of one test image.
    """

    setting: Setting
    outcomes: list[Outcome]
    error_free: list[Outcome]
    plain: list[Outcome]
    baseline_J: FloatArray
    verdict: Verdict
    looks: int
    step: float

    @property
    def drops(self) -> FloatArray:
        """Loss of each seed, points."""
        return _drops(self.error_free, self.outcomes)

    @property
    def drop_half_width(self) -> float:
        """Half the width of the 95 % interval of the mean loss, points."""
        return mean_half_width(self.drops, self.looks, self.step)

    @property
    def energies(self) -> FloatArray:
        """Programming energy of each seed, J."""
        return np.array([outcome.ledger.energy_J(self.setting.conditions) for outcome in self.outcomes])

    @property
    def saved(self) -> FloatArray:
        """Share of the baseline's energy saved by each seed."""
        return np.asarray(1.0 - self.energies / self.baseline_J)

    def judged(self) -> MeasuredSetting:
        """Return the same result with the verdict of its seeds."""
        return self._replace(verdict=verdict_of(self.drops, self.looks, self.step))

    def is_hopeless(self, most_seeds: int) -> bool:
        """Whether even the largest number of seeds would not show that it holds, at the present loss."""
        half_width = expected_half_width(self.drops, most_seeds, self.looks, self.step)
        return float(self.drops.mean()) + half_width > LARGEST_LOSS


class MeasuredDesign(NamedTuple):
    """Energies of an exact design.

    Attributes
    ----------
    design : ExactDesign
    pulses : Pulses
    accounts : list of ExactAccount
        Of each seed.
    outcomes, error_free : list of Outcome
        Of each seed, in the plan of the design and in that of the baseline.
    step : float
        Points of one test image; 0 if the loss is 0 for all seeds.
    reads_reliably : bool
        Whether it has no reads that can be wrong more often than a write of the baseline fails.
    """

    design: ExactDesign
    pulses: Pulses
    accounts: list[ExactAccount]
    outcomes: list[Outcome]
    error_free: list[Outcome]
    step: float
    reads_reliably: bool = True

    @property
    def check_cells(self) -> int:
        """Cells that hold check bits."""
        activity = self.outcomes[0].activity
        return activity.check_cells if self.design.correction and activity is not None else 0

    @property
    def cells(self) -> int:
        """Cells that hold words."""
        activity = self.outcomes[0].activity
        return 0 if activity is None else activity.cells

    @property
    def energies(self) -> FloatArray:
        """Programming energy of each seed, J."""
        return np.array([account.programming_energy_J for account in self.accounts])

    @property
    def drops(self) -> FloatArray:
        """Loss of each seed relative to the baseline, points."""
        return _drops(self.error_free, self.outcomes)

    @property
    def drop_half_width(self) -> float:
        """Half the width of the 95 % interval of the mean loss, points."""
        return mean_half_width(self.drops, step=self.step)

    @property
    def verdict(self) -> Verdict:
        """Result of `verdict_of` for the loss; ``not shown`` with reads that are often wrong."""
        return verdict_of(self.drops, step=self.step) if self.reads_reliably else "not shown"


def _drops(error_free: Sequence[Outcome], outcomes: Sequence[Outcome]) -> FloatArray:
    pairs = zip(error_free, outcomes, strict=True)
    return np.array([100.0 * (free.test_accuracy - outcome.test_accuracy) for free, outcome in pairs])


@dataclass
class _Proof:
    """State of the proof of a lever.

    Attributes
    ----------
    name : str
    candidates : list of Setting
        Not tried yet, the one with the largest saving last.
    setting : Setting or None
        The present setting; None if there is none left.
    attempt, look : int
        Number of settings tried before, and of increases of its seeds.
    """

    name: str
    candidates: list[Setting]
    setting: Setting | None = None
    attempt: int = 0
    look: int = 0


class Experiment:
    """Trainings of all levers, and their results.

    Parameters
    ----------
    memory : Memory
    plan : TrainingPlan
    seeds : int
        Of each setting in the search, and initially in a proof.
    most_seeds : int
        Largest number in a proof.
    trainings : Trainings
    passes : PassReads, optional
        Reads of the passes that compute; without them the passes compute with the stored words.
    """

    def __init__(
        self,
        memory: Memory,
        plan: TrainingPlan,
        seeds: int,
        most_seeds: int,
        trainings: Trainings,
        passes: PassReads | None = None,
    ) -> None:
        self._passes = passes
        self.memory, self.plan = memory, plan
        self.seeds = range(seeds)
        self._trainings = trainings
        self._looks = looks(seeds, most_seeds)
        self._step = 100.0 / trainings.test_images
        self._demands: dict[tuple[Code, bool], Demand] = {}
        self._searched: list[MeasuredSetting] = []
        self._proved: list[MeasuredSetting] = []
        self._baseline = memory.baseline()

    def search(self, levers: Sequence[str], rates: Iterable[float], steps: int) -> None:
        """Train all levers at some rates, then between the last with a small loss and the next."""
        rates = sorted(rates)
        self._search([setting for name in levers for setting in self._settings(name, rates)])
        for _ in range(steps):
            self._search([setting for name in levers for setting in self._between(name)])

    def prove(self, levers: Sequence[str]) -> None:
        """Train the setting with the largest saving with more and more fresh seeds, until it is decided.

        If it is not shown to hold, the setting with the largest saving of the rest follows, with its own
        seeds; if none is left, a rate half a decade lower.
        """
        proofs = [_Proof(name, self._candidates(name)) for name in levers]
        for proof in proofs:
            proof.setting = proof.candidates.pop() if proof.candidates else None
        while running := [(proof, proof.setting) for proof in proofs if proof.setting is not None]:
            measured = self._measure([(setting, self._fresh(proof)) for proof, setting in running])
            for (proof, _), judged in zip(running, [each.judged() for each in measured], strict=True):
                last = proof.look == len(self._looks) - 1
                if judged.verdict == "not shown" and not last and not judged.is_hopeless(self._looks[-1]):
                    proof.look += 1
                else:
                    self._proved.append(judged)
                    self._turn_to_next(proof, judged)

    def designs(self) -> list[MeasuredDesign]:
        """Return the energies of all exact designs that the plan allows."""
        possible = [
            design
            for design in DESIGNS
            if (self.allows_momentum or not design.momentum)
            and (design.code == "twos_complement" or not self.plan.binarized)
        ]
        variants = sorted({(design.code, design.momentum) for design in possible})
        self._trainings.outcomes(
            [self._observed(*variant, seed) for variant in variants for seed in self.seeds]
        )
        return [self.measured_design(design) for design in possible]

    @property
    def allows_momentum(self) -> bool:
        """Whether momentum can be added to the plan."""
        return self.plan.optimizer == "sgd" and not self.plan.binarized

    def measured_design(self, design: ExactDesign) -> MeasuredDesign:
        """Return the energies of an exact design.

        Raises
        ------
        UnreachableError
            If no pulse of the surface is reliable.
        """
        outcomes, error_free = (
            self._trainings.outcomes([self._observed(*variant, seed) for seed in self.seeds])
            for variant in ((design.code, design.momentum), ("twos_complement", False))
        )
        pulses = self.memory.exact_pulses(design, outcomes[0].ledger, self.plan.bits)
        accounts = [self.memory.account(design, pulses, outcome) for outcome in outcomes]
        # Without momentum the training is the baseline's, image by image.
        step = self._step if design.momentum else 0.0
        reliably = self.memory.reads_reliably or (design.skip == "nothing" and self._passes is None)
        return MeasuredDesign(design, pulses, accounts, outcomes, error_free, step, reliably)

    def measured(self, name: str) -> list[MeasuredSetting]:
        """Return the results of a lever: the search, then the proof, each in the order of the rates."""
        return [
            measured
            for part in (self._searched, self._proved)
            for measured in sorted(part, key=lambda measured: measured.setting.ber)
            if measured.setting.name == name
        ]

    def demand(self, code: Code, momentum: bool) -> Demand:
        """Observe an error-free training, with a seed that no other training has."""
        if (code, momentum) not in self._demands:
            job = self._job(code, momentum, _error_free(), _PILOT_SEED)._replace(pilot=True)
            (outcome,) = self._trainings.outcomes([job])
            assert outcome.harm is not None
            counts = outcome.ledger
            self._demands[code, momentum] = Demand(
                counts.switching.astype(float), counts.redundant.astype(float), outcome.harm
            )
        return self._demands[code, momentum]

    def baseline_energy_J(self, outcomes: Iterable[Outcome]) -> FloatArray:
        """Programming energy of the baseline for the writes of each error-free training, J."""
        return np.array([outcome.ledger.energy_J(self._baseline) for outcome in outcomes])

    def _settings(self, name: str, rates: Iterable[float]) -> list[Setting]:
        """Return the lever's settings at these rates, without known ones and those out of reach."""
        lever = LEVERS[name]
        demand = self.demand(lever.code, lever.momentum)
        known = {measured.setting.ber for measured in self.measured(name)}
        settings = []
        for rate in rates:
            try:
                setting = self.memory.setting(name, lever, rate, demand)
            except UnreachableError:
                continue
            if setting.ber not in known:
                known.add(setting.ber)
                settings.append(setting)
        return settings

    def _between(self, name: str) -> list[Setting]:
        """Return the setting in the middle between the last with a small loss and the first with a larger."""
        rows = self.measured(name)
        if not rows:
            return []
        first_bad = next((k for k, row in enumerate(rows) if row.drops.mean() > LARGEST_LOSS), len(rows))
        low = rows[first_bad - 1].setting.ber if first_bad else 0.1 * rows[0].setting.ber
        high = rows[first_bad].setting.ber if first_bad < len(rows) else 1.0
        return self._settings(name, [float(np.sqrt(low * high))])

    def _search(self, settings: Sequence[Setting]) -> None:
        self._searched += self._measure([(setting, self.seeds) for setting in settings])

    def _candidates(self, name: str) -> list[Setting]:
        """Return the settings with a small loss in the search, the one with the largest saving last."""
        rows = [row for row in self.measured(name) if row.drops.mean() <= LARGEST_LOSS]
        return [row.setting for row in sorted(rows, key=lambda row: float(row.saved.mean()))]

    def _fresh(self, proof: _Proof) -> range:
        """Return the seeds of the attempt, which no other attempt has, as many as the look requires."""
        first = len(self.seeds) + proof.attempt * self._looks[-1]
        return range(first, first + self._looks[proof.look])

    def _turn_to_next(self, proof: _Proof, tried: MeasuredSetting) -> None:
        proof.setting, proof.attempt, proof.look = None, proof.attempt + 1, 0
        if tried.verdict == "holds":
            return
        lower = np.sqrt(0.1) * tried.setting.ber
        if not proof.candidates and lower >= _LOWEST_RATE:
            proof.candidates = self._settings(proof.name, [float(lower)])
        if proof.candidates:
            proof.setting = proof.candidates.pop()

    def _measure(self, wanted: Sequence[tuple[Setting, range]]) -> list[MeasuredSetting]:
        """Train settings and the error-free network, with the same seeds."""
        pairs = [
            (self._setting_jobs(setting, seeds), self._references(setting, seeds))
            for setting, seeds in wanted
        ]
        self._trainings.outcomes([job for pair in pairs for jobs in pair for job in jobs])  # all at once
        rows = []
        for (setting, seeds), (jobs, references) in zip(wanted, pairs, strict=True):
            error_free = self._trainings.outcomes(references)
            plain = error_free
            if setting.lever.momentum:
                plain = self._trainings.outcomes(self._plain(seeds))
            searched = seeds == self.seeds
            rows.append(
                MeasuredSetting(
                    setting, self._trainings.outcomes(jobs), error_free, plain,
                    self.baseline_energy_J(plain),
                    "searched" if searched else "not shown", 1 if searched else len(self._looks),
                    self._step,
                )
            )  # fmt: skip
        return rows

    def _setting_jobs(self, setting: Setting, seeds: range) -> list[Job]:
        lever = setting.lever
        jobs = [self._job(lever.code, lever.momentum, setting.conditions, seed) for seed in seeds]
        return [job._replace(passes=self._passes) for job in jobs]

    def _references(self, setting: Setting, seeds: range) -> list[Job]:
        return [self._job("twos_complement", setting.lever.momentum, _error_free(), seed) for seed in seeds]

    def _plain(self, seeds: range) -> list[Job]:
        return [self._job("twos_complement", False, _error_free(), seed) for seed in seeds]

    def _observed(self, code: Code, momentum: bool, seed: int) -> Job:
        return self._job(code, momentum, _error_free(), seed)._replace(count_activity=True)

    def _job(self, code: Code, momentum: bool, conditions: WriteConditions, seed: int) -> Job:
        plan = self.plan
        if momentum:
            rate = usual_learning_rate("momentum", plan.learning_rate, MOMENTUM)
            plan = replace(plan, optimizer="momentum", momentum=MOMENTUM, learning_rate=rate)
        # Signs have one code: the lever has no effect.
        return Job(plan if plan.binarized else replace(plan, code=code), conditions, seed)


def _error_free() -> WriteConditions:
    """Conditions of a memory without errors; energies do not affect a training."""
    return WriteConditions((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
