"""The experiment: cheaper pulses, trained networks, one line."""

import numpy as np
import pandas as pd
import pytest
from bars import bars

from mtjchar.errors import InputError, UnreachableError
from mtjchar.network import trainings
from mtjchar.network.allocation import Pulses
from mtjchar.network.tradeoff import (
    LEVERS,
    MAIN_LEVERS,
    baseline_in_words,
    best,
    one_line,
    tradeoff,
    write_conditions,
)
from mtjchar.network.trainer import TrainingPlan
from mtjchar.surfaces import WriteSurface

PLAN = TrainingPlan(hidden=(8,), epochs=1, batch_size=20)
COLUMNS = [
    "lever", "code", "bits", "ber", "amplitude_V", "duration_s", "programming_energy_J", "switching_energy_J",
    "redundant_energy_J", "retry_energy_J", "read_energy_J", "energy_saved_fraction", "energy_saved_ci95",
    "accuracy_mean", "accuracy_ci95", "accuracy_drop_points", "accuracy_drop_ci95", "seeds", "confirmed",
    "effective_devices", "extrapolated",
]  # fmt: skip
OPTIONS = {"plan": PLAN, "seeds": 3, "rates": (1e-2, 0.3), "search_steps": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bars(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def result(analytic_surface, folder):
    return tradeoff(analytic_surface, folder, **OPTIONS, workers=2)


@pytest.fixture(scope="module")
def table(result):
    return result.table


def test_table_is_complete(table):
    assert list(table.columns) == COLUMNS
    assert list(table["lever"].unique()) == ["reliable", *MAIN_LEVERS]
    searched = table[~table["confirmed"]]["lever"].value_counts()
    assert searched.pop("reliable") == 1
    assert searched.between(2, 3).all()  # two rates, and one between or beyond them
    assert np.isfinite(table.drop(columns=["lever", "code"]).to_numpy(dtype=float)).all()
    assert (table["seeds"] == 3).all()


def test_every_lever_that_holds_is_confirmed_with_fresh_seeds(table):
    for lever, rows in table[table["lever"] != "reliable"].groupby("lever"):
        searched, confirmed = rows[~rows["confirmed"]], rows[rows["confirmed"]]
        holds = searched[searched["accuracy_drop_points"] <= 1.0]
        further = set(confirmed["ber"]) - set(holds["ber"])
        assert max(further, default=0.0) < holds["ber"].min(), lever
        # From the largest rate that held downwards, until one holds again.
        assert confirmed["ber"].max() == holds["ber"].max()
        assert (confirmed.sort_values("ber")["accuracy_drop_points"][1:] > 1.0).all()
    assert set(best(table)["confirmed"]) == {True}


def test_reliable_pulse_is_the_baseline(table):
    for _, reliable in table[table["lever"] == "reliable"].iterrows():
        assert reliable["amplitude_V"] == 0.8  # the nominal amplitude of the surface
        assert reliable["ber"] <= 1e-9 * (1.0 + 1e-9)
        assert reliable["code"] == "twos_complement"
        assert reliable["energy_saved_fraction"] == 0.0
        assert (
            reliable["accuracy_drop_points"] == 0.0
        )  # 8e4 bit writes at 1e-9: a failure has a chance of 1e-4
    assert baseline_in_words(table).startswith("Baseline: two's complement, 8 bits, 0.800 V for ")


def test_what_the_levers_are(table):
    rows = table.set_index("lever")
    assert set(rows.loc["code", "code"]) == set(rows.loc["all", "code"]) == {"gray"}
    assert set(rows.loc["bit_planes", "code"]) == {"twos_complement"}
    for lever in rows.index.unique():
        first = LEVERS[lever].read_before_write if lever != "reliable" else False
        assert (rows.loc[[lever], "redundant_energy_J"] == 0.0).all() == first
        assert (rows.loc[[lever], "read_energy_J"] > 0.0).all() == first
    assert (rows["retry_energy_J"] == 0.0).all()


def test_energy_is_the_sum_of_its_causes_and_of_the_ledger(result):
    table, ledger = result
    causes = ["switching", "redundant", "retry", "read"]
    total = sum(table[f"{cause}_energy_J"] for cause in causes)
    np.testing.assert_allclose(total, table["programming_energy_J"], rtol=1e-12)
    by_row = ledger.groupby(["lever", "row_ber", "confirmed"], sort=False).sum(numeric_only=True)
    parts = by_row[["switching_J", "redundant_J", "retries_J", "reads_J"]].sum(axis=1)
    for row in table.itertuples():
        assert parts[row.lever, row.ber, row.confirmed] == pytest.approx(row.programming_energy_J, rel=1e-12)


def test_cheap_pulses_save_energy(table):
    searched = table[~table["confirmed"] & (table["lever"] != "reliable")]
    assert (searched["energy_saved_fraction"] > 0.0).all()
    assert (searched.groupby("lever")["energy_saved_fraction"].diff().dropna() > 0.0).all()


def test_read_before_write_is_the_same_training_with_another_bill(result):
    table, ledger = result
    plain, first = (
        table[(table["lever"] == name) & ~table["confirmed"]] for name in ("duration", "read_before_write")
    )
    np.testing.assert_array_equal(plain["accuracy_mean"], first["accuracy_mean"])
    np.testing.assert_array_equal(plain["switching_energy_J"], first["switching_energy_J"])
    # Analytic: every update reads all 898 words of 8 bits; 20 updates.
    np.testing.assert_allclose(first["read_energy_J"], 20 * 8 * (101 * 8 + 9 * 10) * 20e-15, rtol=1e-12)
    rows = ledger[ledger["lever"] == "read_before_write"]
    assert (rows["driven_redundant"] == 0.0).all()
    np.testing.assert_allclose(rows["reads"], rows["switching"] + rows["redundant"], rtol=1e-12)


def test_energy_is_the_sum_over_writes(table, analytic_surface):
    # Analytic: every update writes all 898 words of 8 bits; 20 updates. The mean energy of a write lies
    # between that of the cheapest and that of the dearest kind of write of that pulse.
    writes = 20 * 8 * (101 * 8 + 9 * 10)
    for row in table[table["lever"].isin(["reliable", "duration", "amplitude", "both", "code"])].itertuples():
        pulses = Pulses(np.full((1, 2), row.amplitude_V), np.full((1, 2), row.duration_s))
        conditions = write_conditions(analytic_surface, pulses)
        energies = np.stack([conditions.switching_energy_J, conditions.redundant_energy_J])
        assert energies.min() < row.programming_energy_J / writes < energies.max()


def test_workers_do_not_change_the_tables(result, analytic_surface, folder):
    again = tradeoff(analytic_surface, folder, **OPTIONS, workers=1)
    for one, other in zip(result, again, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_finished_trainings_are_not_done_again(table, analytic_surface, folder, tmp_path):
    kept = tmp_path / "trainings.jsonl"
    options = {**OPTIONS, "levers": ("both", "all"), "kept": kept, "workers": 1}
    calls = []
    first, _ = tradeoff(analytic_surface, folder, **options, progress=lambda *call: calls.append(call))
    wanted = table[table["lever"].isin(["reliable", "both", "all"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, wanted, check_exact=True)
    assert calls[0] == (0, 6)  # error-free and reliable, 3 seeds each
    lines = kept.read_text().splitlines()
    assert len(lines) == calls[-1][0] == calls[-1][1]
    # As after a kill: ten are there, the eleventh is cut.
    kept.write_text("\n".join([*lines[:10], lines[10][:50]]) + "\n")
    # A lever that is named twice counts once.
    again, _ = tradeoff(analytic_surface, folder, **{**options, "levers": ("both", "all", "both")})
    pd.testing.assert_frame_equal(again, first, check_exact=True)
    assert sorted(kept.read_text().splitlines()) == sorted(lines)
    other = tradeoff(
        analytic_surface, folder, **{**options, "plan": TrainingPlan(hidden=(7,), epochs=1, batch_size=20)}
    )
    assert not other.table["accuracy_mean"].equals(first["accuracy_mean"])


def test_fresh_seeds_that_lose_more_lead_below_the_lowest_rate_of_the_search(
    analytic_surface, folder, monkeypatch
):
    seeds, rate = 2, 0.05
    really = trainings._train_one

    def lossy(dataset, job):
        # Fresh seeds lose all above a rate that the search has not tried.
        lost = seeds <= job.seed < 2 * seeds and job.conditions.rates.max() > 0.2 * rate
        return really(dataset, job)._replace(test_accuracy=0.0 if lost else 0.9)

    monkeypatch.setattr(trainings, "_train_one", lossy)
    levers = ("duration", "all")
    table, _ = tradeoff(
        analytic_surface,
        folder,
        plan=PLAN,
        levers=levers,
        seeds=seeds,
        rates=(rate,),
        search_steps=0,
        workers=1,
    )
    for lever in levers:
        rows = table[(table["lever"] == lever) & table["confirmed"]]
        tried = rate * 10.0 ** (-0.5 * np.arange(len(rows)))[::-1]
        assert len(rows) >= 2
        assert rows["ber"].to_numpy() == pytest.approx(tried, rel=0.3)
        assert rows["accuracy_drop_points"].to_list() == [0.0] + [pytest.approx(90.0)] * (len(rows) - 1)
        assert best(table).set_index("lever")["ber"][lever] == rows["ber"].min()


def test_retries_are_paid_for(analytic_surface, folder):
    options = {
        **OPTIONS, "levers": ("read_before_write",), "rates": (0.3,), "search_steps": 0, "workers": 1,
    }  # fmt: skip
    plain, _ = tradeoff(analytic_surface, folder, **options)
    table, ledger = tradeoff(analytic_surface, folder, **options, retries=2)
    row, without = (
        one[(one["lever"] == "read_before_write") & ~one["confirmed"]].iloc[0] for one in (table, plain)
    )
    assert row["retry_energy_J"] > 0.0
    assert row["read_energy_J"] > without["read_energy_J"]
    rows = ledger[(ledger["lever"] == "read_before_write") & ~ledger["confirmed"]]
    # Of the pulses a share r fails, and r of the first retries: three trainings with 9000 retries each, so
    # that 6 % are more than 8 deviations.
    expected = (rows["switching"] * (rows["ber"] + rows["ber"] ** 2)).sum()
    assert rows["retried"].sum() == pytest.approx(expected, rel=0.06)


def _rows(*rows):
    columns = ["lever", "energy_saved_fraction", "accuracy_drop_points"]
    table = pd.DataFrame(rows, columns=columns)
    fixed = {"code": "gray", "accuracy_drop_ci95": 0.1, "amplitude_V": 0.8, "duration_s": 3e-9, "ber": 0.01}
    return table.assign(**fixed, bits=8, confirmed=False)


def test_best_is_the_largest_saving_within_a_point():
    table = _rows(
        ("reliable", 0.0, 0.0), ("duration", 0.5, 0.2), ("duration", 0.7, 0.99), ("duration", 0.8, 1.01),
        ("amplitude", 0.6, 2.0), ("both", 0.75, 0.5), ("both", 0.6, 0.1),
    )  # fmt: skip
    assert best(table)[["lever", "energy_saved_fraction"]].to_numpy().tolist() == [
        ["duration", 0.7],
        ["both", 0.75],
    ]
    assert one_line(table).startswith(
        "75.0% of the programming energy is saved at a loss of 0.50 ± 0.10 points"
    )


def test_confirmed_rows_decide():
    table = _rows(
        ("reliable", 0.0, 0.0), ("both", 0.7, 0.9), ("both", 0.6, 0.5), ("both", 0.7, 1.2), ("both", 0.6, 0.6)
    )
    table["confirmed"] = [False, False, False, True, True]
    assert best(table)[["energy_saved_fraction", "accuracy_drop_points"]].to_numpy().tolist() == [[0.6, 0.6]]


def test_best_where_nothing_is_good_enough():
    assert one_line(_rows(("reliable", 0.0, 0.0), ("both", 0.6, 2.0))).startswith("No pulse saved")


def test_what_cannot_be_done_is_refused(analytic_surface, folder, tmp_path):
    with pytest.raises(InputError, match="seeds: got 1; allowed: 2 or more"):
        tradeoff(analytic_surface, folder, seeds=1)
    with pytest.raises(
        InputError, match="lever: got 'magic'; allowed: duration, amplitude, both, code, bit_planes"
    ):
        tradeoff(analytic_surface, folder, levers=["both", "magic"])
    with pytest.raises(InputError, match="both directions"):
        tradeoff(WriteSurface(analytic_surface.dataset.sel(direction=["p_to_ap"])), folder)
    with pytest.raises(InputError, match="nothing-here"):
        tradeoff(analytic_surface, str(tmp_path / "nothing-here"))
    with pytest.raises(UnreachableError, match="1e-09"):
        tradeoff(WriteSurface(analytic_surface.dataset.isel(duration=slice(0, 8))), folder)
