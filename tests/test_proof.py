"""How a lever is searched and proved, with trainings whose losses are known."""

from collections import defaultdict

import numpy as np
import pytest
from bars import bars
from scipy.stats import binom

from mtjchar.network import trainings
from mtjchar.network.exact import Activity
from mtjchar.network.experiment import looks, verdict_of
from mtjchar.network.kept import Outcome
from mtjchar.network.ledger import WriteLedger
from mtjchar.network.tradeoff import best, tradeoff
from mtjchar.network.trainer import TrainingPlan
from mtjchar.statistics import expected_half_width, mean_half_width

PLAN = TrainingPlan(hidden=(8,), epochs=1, batch_size=20)
SEEDS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bars(tmp_path_factory.mktemp("bars"))


@pytest.fixture
def run(analytic_surface, folder, monkeypatch):
    """Run a trade-off of trainings that are not done: gives the tables, and the seeds of each error rate."""

    def run(loss, levers=("duration",), writes=lambda _rate: 1.0, **options):
        seeds = defaultdict(list)

        def train(_dataset, job):
            rate = float(job.conditions.rates.max())
            counts = np.full((8, 2), round(1000 * (writes(rate) if rate else 1.0)))
            none = np.zeros((8, 2), dtype=np.int64)
            ledger = WriteLedger(counts, 9 * counts, none, none)
            if rate:
                seeds[rate].append(job.seed)
                lost = loss(rate, job.seed)
            else:
                lost = 0.0
            activity = Activity(counts, counts[0], counts[0], 64, 8) if job.count_activity else None
            harm = np.ones((8, 2)) * 4.0 ** np.arange(8)[:, None] if job.pilot else None
            return Outcome(0.9 - 0.01 * lost, ledger, harm, activity)

        monkeypatch.setattr(trainings, "_train_one", train)
        settings = {"seeds": SEEDS, "most_seeds": 12, "search_steps": 0, "rates": (0.01, 0.1, 0.3), **options}
        tables = tradeoff(analytic_surface, folder, plan=PLAN, levers=levers, workers=1, **settings)
        return tables.table[~tables.table["exact"]], dict(seeds)

    return run


def fresh(seeds):
    """Seeds that had no part in the search."""
    return [seed for seed in seeds if seed >= SEEDS]


def rate_of(rates, wanted):
    """The rate of `rates` that is meant: that of a pulse is the one asked for, but for rounding."""
    (rate,) = [rate for rate in rates if rate == pytest.approx(wanted, rel=1e-6)]
    return rate


def test_what_saves_most_is_tried_first_not_the_highest_rate(run):
    # Trainings at 0.3 take ten times as many writes: 0.1 saves more.
    table, seeds = run(lambda _rate, _seed: 0.0, writes=lambda rate: 10.0 if rate > 0.2 else 1.0)
    proved = table[table["confirmed"]]
    assert proved["ber"].to_list() == pytest.approx([0.1])
    assert proved["verdict"].to_list() == ["holds"]
    assert best(table)["ber"].to_list() == pytest.approx([0.1])
    searched = table[~table["confirmed"]]
    assert searched.set_index("ber")["energy_saved_fraction"].idxmax() == pytest.approx(0.1)
    assert {rate for rate, there in seeds.items() if fresh(there)} == {rate_of(seeds, 0.1)}


def test_a_higher_rate_that_holds_is_not_passed_over(run):
    # The rate between loses more: it is not where the search ends.
    table, _ = run(lambda rate, _seed: 3.0 if 0.05 < rate < 0.2 else 0.1)
    assert best(table)["ber"].to_list() == pytest.approx([0.3])


def test_the_next_candidate_gets_seeds_of_its_own(run):
    # Fresh seeds lose at 0.3 and at 0.1.
    table, seeds = run(lambda rate, seed: 5.0 if seed >= SEEDS and rate > 0.05 else 0.2)
    proved = table[table["confirmed"]].set_index("ber")["verdict"]
    assert proved.to_list() == ["holds", "loses more", "loses more"]
    tried = [set(fresh(seeds[rate_of(seeds, rate)])) for rate in (0.3, 0.1, 0.01)]
    assert all(tried)
    assert not tried[0] & tried[1]
    assert not tried[0] & tried[2]
    assert not tried[1] & tried[2]
    assert best(table)["ber"].to_list() == pytest.approx([0.01])


def test_below_the_lowest_rate_by_half_decades(run):
    table, seeds = run(lambda rate, seed: 5.0 if seed >= SEEDS and rate > 2e-4 else 0.2)
    proved = table[table["confirmed"]].sort_values("ber", ascending=False)
    expected = [0.3, 0.1, 0.01, 10**-2.5, 1e-3, 10**-3.5, 1e-4]
    assert proved["ber"].to_list() == pytest.approx(expected, rel=1e-6)
    assert proved["verdict"].to_list() == ["loses more"] * 6 + ["holds"]
    every = [seed for there in seeds.values() for seed in fresh(there)]
    assert len(every) == len(set(every))


def test_nothing_is_tried_for_ever(run):
    table, _ = run(lambda _rate, seed: 5.0 if seed >= SEEDS else 0.2)
    assert (table[table["confirmed"]]["verdict"] == "loses more").all()
    assert table["ber"].min() >= 1e-7
    assert best(table).empty


def test_a_hopeless_one_gets_no_more_seeds(run):
    # Mean 0.9, scatter 1: even the most seeds would leave 0.9 + 0.8.
    table, seeds = run(lambda _rate, seed: 0.9 + (seed % 3 - 1.0) if seed >= SEEDS else 0.5)
    proved = table[table["confirmed"]]
    assert (proved["verdict"] == "not shown").all()
    assert (proved["seeds"] == SEEDS).all()
    assert {len(fresh(there)) for there in seeds.values()} == {SEEDS}
    assert best(table).empty


@pytest.mark.parametrize(
    ("most", "numbers"), [(3, [3]), (7, [3, 6, 7]), (12, [3, 6, 12]), (24, [3, 6, 12, 24])]
)
def test_more_seeds_until_it_is_decided_and_no_more_than_the_most(run, most, numbers):
    assert looks(SEEDS, most) == numbers
    # Mean 0.4: three seeds leave more than a point open, more of them do not.
    table, seeds = run(lambda _rate, seed: 0.4 + 0.25 * (seed % 3 - 1.0), rates=(0.3,), most_seeds=most)
    proved = table[(table["confirmed"]) & (table["ber"] > 0.2)].iloc[0]
    assert proved["seeds"] in numbers
    assert len(fresh(seeds[rate_of(seeds, 0.3)])) == proved["seeds"] <= most
    losses = 0.4 + 0.25 * (np.arange(SEEDS, SEEDS + proved["seeds"]) % 3 - 1.0)
    # The bars have 200 test images: an image is half a point.
    half_width = mean_half_width(losses, len(numbers), 0.5)
    assert proved["accuracy_drop_ci95"] == pytest.approx(half_width, rel=1e-9)
    assert proved["verdict"] == ("holds" if 0.4 + half_width <= 1.0 else "not shown")
    assert proved["verdict"] == ("not shown" if most == 3 else "holds")


def test_levers_are_proved_beside_each_other(run):
    table, _ = run(lambda rate, _seed: 5.0 if rate > 0.2 else 0.1, levers=("duration", "both"))
    rows = best(table).set_index("lever")
    assert list(rows.index) == ["duration", "both"]
    assert rows.loc["duration", "ber"] == pytest.approx(0.1)
    assert rows.loc["both", "ber"] == pytest.approx(0.1)


def test_verdicts():
    # By hand: two seeds, Student's t 12.7062 at 1 degree of freedom; half width 12.7062 x 0.1 = 1.27.
    assert mean_half_width(np.array([0.1, 0.3])) == pytest.approx(1.27062, rel=1e-5)
    assert verdict_of(np.array([0.1, 0.3])) == "not shown"
    assert verdict_of(np.array([0.45, 0.45])) == "holds"
    assert verdict_of(np.array([2.45, 2.45])) == "loses more"
    assert verdict_of(np.array([1.0, 1.0, 1.0])) == "holds"
    # Equal losses of so few test images may be chance: sqrt(0.5**2 / 12 / 2) x 12.7062 = 1.30.
    assert verdict_of(np.array([0.0, 0.0]), step=0.5) == "not shown"
    assert mean_half_width(np.zeros(2), step=0.5) == pytest.approx(1.29682, rel=1e-4)
    assert expected_half_width(np.array([0.1, 0.3]), 2) == mean_half_width(np.array([0.1, 0.3]))
    assert expected_half_width(np.array([0.1, 0.3]), 8) < mean_half_width(np.array([0.1, 0.3])) / 2.0


@pytest.mark.parametrize(
    ("seeds", "most", "scatter", "step"),
    [(5, 20, 0.6, 0.01), (2, 20, 0.3, 0.01), (3, 12, 1.0, 0.5), (2, 2, 0.2, 0.5), (2, 16, 0.15, 0.5)],
)
def test_a_loss_of_a_point_seldom_passes_for_less(seeds, most, scatter, step):
    # True mean loss 1, the most that is allowed, normal scatter, counted in whole images. The interval of all
    # looks together has 95 %: at most 2.5 % of the proofs hold. False-alarm rate 1e-9 each (binomial).
    rng, proofs, numbers = np.random.default_rng(5), 600, looks(seeds, most)
    held = 0
    for losses in np.round(rng.normal(1.0, scatter, (proofs, most)) / step) * step:
        for number in numbers:
            verdict = verdict_of(losses[:number], len(numbers), step)
            if verdict != "not shown":
                held += verdict == "holds"
                break
    assert held <= binom.isf(1e-9, proofs, 0.025)
