"""The experiment: cheaper pulses, trained networks, one line."""

import numpy as np
import pandas as pd
import pytest
from bars import bars

from mtjchar.errors import InputError, UnreachableError
from mtjchar.network.allocation import Pulses
from mtjchar.network.levers import EXACT
from mtjchar.network.reads import ReadConditions
from mtjchar.network.tradeoff import (
    LEVERS,
    MAIN_LEVERS,
    READ_ENERGIES,
    Tradeoff,
    baseline_in_words,
    best,
    one_line,
    over_read_energies,
    read_energies,
    shown,
    tradeoff,
    warnings_of,
    write_conditions,
)
from mtjchar.network.trainer import TrainingPlan
from mtjchar.surfaces import WriteSurface

PLAN = TrainingPlan(hidden=(8,), epochs=1, batch_size=20)
COLUMNS = [
    "lever", "exact", "code", "bits", "ber", "ber_to_one", "ber_to_zero", "amplitude_V", "duration_s",
    "programming_energy_J", "write_energy_J", "switching_energy_J", "redundant_energy_J", "retry_energy_J",
    "read_energy_J", "reads", "energy_saved_fraction", "energy_saved_ci95", "energy_saved_lower",
    "energy_saved_upper", "accuracy_mean", "accuracy_ci95", "accuracy_drop_points", "accuracy_drop_ci95",
    "seeds", "confirmed", "verdict", "effective_devices", "extrapolated", "at_edge", "at_limit",
    "check_cells_fraction", "computing_energy_J", "total_energy_J", "saved_against_exact_fraction",
    "computing_reads", "read_error_rate", "read_disturb_rate", "reads_assumed", "skipped", "needless",
    "stopped", "disturbed",
]  # fmt: skip
CELLS = 8 * (101 * 8 + 9 * 10)  # 898 words of 8 bits
UPDATES = 20  # of one epoch of 400 images
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
    assert set(searched.index) == set(MAIN_LEVERS) & set(LEVERS)
    assert searched.between(2, 3).all()  # two rates, and one between or beyond them
    assert np.isfinite(table.drop(columns=["lever", "code", "verdict"]).to_numpy(dtype=float)).all()
    assert (table[table["exact"] | ~table["confirmed"]]["seeds"] == 3).all()
    assert table["seeds"].isin([3, 6, 12, 20]).all()


def test_each_exact_design_has_one_row(result):
    table, ledger, designs = result
    exact = table[table["exact"]]
    assert list(exact["lever"]) == ["reliable", *(name for name in MAIN_LEVERS if name not in LEVERS)]
    assert exact["confirmed"].all()
    assert list(designs.columns) == [*COLUMNS, "design"]
    assert designs["design"].is_unique or designs[["design", "code"]].drop_duplicates().shape[0] == len(
        designs
    )
    assert len(designs) == 96
    assert (ledger[ledger["lever"].isin(exact["lever"])]["failed"] == 0).all()
    # The trainings without momentum are the error-free one, whatever the design.
    plain = designs[~designs["design"].str.contains("momentum")]
    assert (plain["accuracy_drop_points"] == 0.0).all()
    assert (plain["accuracy_drop_ci95"] == 0.0).all()
    good = designs[designs["verdict"] == "holds"]
    rows = exact.set_index("lever")
    assert rows.loc["all_exact", "programming_energy_J"] == good["programming_energy_J"].min()
    ended = good["design"].str.contains("early termination")
    assert (
        rows.loc["all_exact_but_termination", "programming_energy_J"]
        == good[~ended]["programming_energy_J"].min()
    )
    expected = 1.0 - table["programming_energy_J"] / good["programming_energy_J"].min()
    np.testing.assert_allclose(table["saved_against_exact_fraction"], expected, rtol=0.0, atol=1e-12)


def test_every_lever_that_holds_is_confirmed_with_fresh_seeds(table):
    for lever, rows in table[~table["exact"]].groupby("lever"):
        searched, confirmed = rows[~rows["confirmed"]], rows[rows["confirmed"]]
        assert set(searched["verdict"]) == {"searched"}
        upper = confirmed["accuracy_drop_points"] + confirmed["accuracy_drop_ci95"]
        lower = confirmed["accuracy_drop_points"] - confirmed["accuracy_drop_ci95"]
        verdicts = np.where(upper <= 1.0, "holds", np.where(lower > 1.0, "loses more", "not shown"))
        assert confirmed["verdict"].to_list() == verdicts.tolist()
        # What saved most of those that lost little comes first, and the first that holds ends it.
        little = searched[searched["accuracy_drop_points"] <= 1.0].sort_values("energy_saved_fraction")
        order = little["ber"].to_list()[::-1]
        tried = [ber for ber in order if ber in set(confirmed["ber"])]
        assert tried == order[: len(tried)], lever
        assert (confirmed["verdict"] == "holds").sum() <= 1
        held = confirmed[confirmed["verdict"] == "holds"]["ber"].to_list()
        further = set(confirmed["ber"]) - set(order)
        if held and further:
            assert held[0] == min(further) < min(order, default=1.0)
        elif held:
            assert held[0] == tried[-1]
    chosen = best(table)
    assert set(chosen["confirmed"]) == {True}
    assert set(chosen["verdict"]) == {"holds"}
    good = table[table["verdict"].eq("holds") & (table["lever"] != "reliable")]
    largest = good.groupby("lever")["energy_saved_fraction"].max()
    assert chosen.set_index("lever")["energy_saved_fraction"].to_dict() == largest.to_dict()


def test_computing_reads_are_in_the_account(table, analytic_surface, folder):
    # Analytic: forward and backward pass read all cells, once a batch: 20 batches. Or once an image: 400.
    assert (table["check_cells_fraction"] == 0.0).all()
    expected = 2 * UPDATES * CELLS * 20e-15
    np.testing.assert_allclose(table["computing_energy_J"], expected, rtol=1e-12)
    np.testing.assert_allclose(
        table["total_energy_J"], table["programming_energy_J"] + table["computing_energy_J"], rtol=1e-12
    )
    options = {**OPTIONS, "seeds": 2, "levers": ("ecc",), "workers": 1}
    by_image, ledger, designs = tradeoff(analytic_surface, folder, **options, computing_reads="image")
    rows = by_image.set_index("lever")
    assert rows.loc["reliable", "computing_energy_J"] == pytest.approx(2 * 400 * CELLS * 20e-15, rel=1e-12)
    # Analytic: 113 blocks of 8 words, 8 check bits each, which are read along.
    share = 113 * 8 / CELLS
    assert rows.loc["ecc", "check_cells_fraction"] == pytest.approx(share, rel=1e-12)
    assert rows.loc["ecc", "computing_energy_J"] == pytest.approx(
        (1.0 + share) * 2 * 400 * CELLS * 20e-15, rel=1e-12
    )
    check = ledger[(ledger["lever"] == "ecc") & (ledger["bit"] == 8)]
    assert check[["switching", "redundant"]].to_numpy().sum() == pytest.approx(113 * 8 * UPDATES, rel=1e-12)
    without = designs[~designs["design"].str.contains("correction")]
    assert (without["check_cells_fraction"] == 0.0).all()


def test_bands(table, analytic_surface, folder):
    upper, lower = table["energy_saved_upper"], table["energy_saved_lower"]
    assert (lower <= table["energy_saved_fraction"]).all()
    assert (table["energy_saved_fraction"] <= upper).all()
    half_width = table["energy_saved_ci95"]
    assert (upper - table["energy_saved_fraction"] >= half_width * (1.0 - 1e-9)).all()
    # A surface whose interval has no width: the band is that of the seeds.
    data = analytic_surface.dataset
    sure = WriteSurface(data.assign(ber_lower=data["ber"], ber_upper=data["ber"]))
    options = {
        **OPTIONS, "seeds": 2, "rates": (0.1,), "search_steps": 0, "workers": 1,
        "levers": ("ecc", "duration", "bit_planes"), "most_seeds": 2,
    }  # fmt: skip
    known = tradeoff(sure, folder, **options)
    for rows in (known.table, known.designs):
        for end, sign in (("lower", -1.0), ("upper", 1.0)):
            np.testing.assert_allclose(
                rows[f"energy_saved_{end}"],
                rows["energy_saved_fraction"] + sign * rows["energy_saved_ci95"],
                rtol=0.0, atol=1e-12,
            )  # fmt: skip
    # Another surface widens it; its pulses are twice as long, those for 1e-9 too, but for the rest.
    slow = WriteSurface(sure.dataset.assign(ber=sure.dataset["ber"] ** 0.7))
    wide = tradeoff(sure, folder, **options, other_surfaces=[slow])
    for rows, others in zip((known.table, known.designs), (wide.table, wide.designs), strict=True):
        np.testing.assert_array_equal(rows["energy_saved_fraction"], others["energy_saved_fraction"])
        assert (others["energy_saved_lower"] <= rows["energy_saved_lower"]).all()
        assert (others["energy_saved_upper"] >= rows["energy_saved_upper"]).all()
    width = wide.table["energy_saved_upper"] - wide.table["energy_saved_lower"]
    before = known.table["energy_saved_upper"] - known.table["energy_saved_lower"]
    assert (width[1:] > before[1:]).all()
    # One that reaches no reliable pulse leaves the band open.
    weak = WriteSurface(sure.dataset.assign(ber=np.maximum(sure.dataset["ber"], 1e-7)))
    unknown = tradeoff(sure, folder, **options, other_surfaces=[weak]).table
    assert unknown[["energy_saved_lower", "energy_saved_upper"]].isna().all(axis=None)


def test_reliable_pulse_is_the_baseline(table):
    for _, reliable in table[table["lever"] == "reliable"].iterrows():
        assert reliable["amplitude_V"] == 0.8  # the nominal amplitude of the surface
        assert reliable["ber"] <= 1e-9 * (1.0 + 1e-9)
        assert reliable["code"] == "twos_complement"
        assert reliable["exact"]
        assert reliable["energy_saved_fraction"] == 0.0
        assert reliable["accuracy_drop_points"] == 0.0  # no write fails
    assert baseline_in_words(table).startswith("Baseline: two's complement, 8 bits, 0.8 V for ")


def test_what_the_levers_are(table):
    rows = table.set_index("lever")
    assert set(rows.loc["code", "code"]) == set(rows.loc["all", "code"]) == {"gray"}
    assert set(rows.loc["bit_planes", "code"]) == {"twos_complement"}
    for lever in rows.index[~rows["exact"]].unique():
        first = LEVERS[lever].read_before_write
        assert (rows.loc[[lever], "redundant_energy_J"] == 0.0).all() == first
        assert (rows.loc[[lever], "read_energy_J"] > 0.0).all() == first
    assert (rows["retry_energy_J"] == 0.0).all()


def test_energy_is_the_sum_of_its_causes_and_of_the_ledger(result):
    table, ledger, _ = result
    causes = ["switching", "redundant", "retry", "read"]
    total = sum(table[f"{cause}_energy_J"] for cause in causes)
    np.testing.assert_allclose(total, table["programming_energy_J"], rtol=1e-12)
    np.testing.assert_allclose(table["write_energy_J"] + table["read_energy_J"], total, rtol=1e-12)
    np.testing.assert_allclose(table["read_energy_J"], table["reads"] * 20e-15, rtol=1e-12)
    by_row = ledger.groupby(["lever", "row_ber", "confirmed"], sort=False).sum(numeric_only=True)
    parts = by_row[["switching_J", "redundant_J", "retries_J", "reads_J"]].sum(axis=1)
    for row in table.itertuples():
        assert parts[row.lever, row.ber, row.confirmed] == pytest.approx(row.programming_energy_J, rel=1e-12)


def test_cheap_pulses_save_energy(table):
    searched = table[~table["confirmed"]]
    assert (searched["energy_saved_fraction"] > 0.0).all()
    assert (searched.groupby("lever")["energy_saved_fraction"].diff().dropna() > 0.0).all()


def test_read_before_write_is_the_same_training_with_another_bill(result):
    table, ledger, _ = result
    plain, first = (
        table[(table["lever"] == name) & ~table["confirmed"]] for name in ("duration", "read_before_write")
    )
    np.testing.assert_array_equal(plain["accuracy_mean"], first["accuracy_mean"])
    np.testing.assert_array_equal(plain["switching_energy_J"], first["switching_energy_J"])
    # Analytic: every update reads all 898 words of 8 bits; 20 updates.
    np.testing.assert_allclose(first["read_energy_J"], UPDATES * CELLS * 20e-15, rtol=1e-12)
    rows = ledger[ledger["lever"] == "read_before_write"]
    assert (rows["driven_redundant"] == 0.0).all()
    np.testing.assert_allclose(rows["reads"], rows["switching"] + rows["redundant"], rtol=1e-12)


def test_energy_is_the_sum_over_writes(table, analytic_surface):
    # Analytic: every update writes all 898 words of 8 bits; 20 updates. The mean energy of a write lies
    # between that of the cheapest and that of the dearest kind of write of that pulse.
    writes = UPDATES * CELLS
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
    first, _, _ = tradeoff(analytic_surface, folder, **options, progress=lambda *call: calls.append(call))
    wanted = table[table["lever"].isin(["reliable", "both", "all"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, wanted, check_exact=True)
    assert calls[0] == (0, 12)  # error-free in two codes, with and without momentum, 3 seeds each
    lines = kept.read_text().splitlines()
    assert len(lines) == calls[-1][0] == calls[-1][1]
    # As after a kill: ten are there, the eleventh is cut.
    kept.write_text("\n".join([*lines[:10], lines[10][:50]]) + "\n")
    # A lever that is named twice counts once.
    again, _, _ = tradeoff(analytic_surface, folder, **{**options, "levers": ("both", "all", "both")})
    pd.testing.assert_frame_equal(again, first, check_exact=True)
    assert sorted(kept.read_text().splitlines()) == sorted(lines)
    other = tradeoff(
        analytic_surface, folder, **{**options, "plan": TrainingPlan(hidden=(7,), epochs=1, batch_size=20)}
    )
    assert not other.table["accuracy_mean"].equals(first["accuracy_mean"])


def test_retries_are_paid_for(analytic_surface, folder):
    options = {
        **OPTIONS, "levers": ("read_before_write",), "rates": (0.3,), "search_steps": 0, "workers": 1,
    }  # fmt: skip
    plain, _, _ = tradeoff(analytic_surface, folder, **options)
    table, ledger, _ = tradeoff(analytic_surface, folder, **options, retries=2)
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
        ["duration", 0.5],
        ["both", 0.75],
    ]
    # That of 0.99 ± 0.1 is not shown to hold.
    assert one_line(table).startswith(
        "75.0% is saved by writes that may fail, at a loss of 0.50 ± 0.10 points of recognition rate "
        "(allowed: 1; lever both; best of each: duration 50.0%, both 75.0%). Baseline: two's complement"
    )


def test_confirmed_rows_decide():
    table = _rows(
        ("reliable", 0.0, 0.0), ("both", 0.7, 0.9), ("both", 0.6, 0.5), ("both", 0.7, 1.2), ("both", 0.6, 0.6)
    )
    table["confirmed"] = [False, False, False, True, True]
    assert best(table)[["energy_saved_fraction", "accuracy_drop_points"]].to_numpy().tolist() == [[0.6, 0.6]]


def test_best_where_nothing_is_good_enough():
    assert one_line(_rows(("reliable", 0.0, 0.0), ("both", 0.6, 2.0))).startswith(
        "No pulse is shown to save at a loss of at most 1 point. Baseline: two's complement"
    )


def test_one_line_tells_exact_designs_first(result):
    table = result.table
    rows = best(table)
    exact, approximate = (
        rows[rows["exact"] == kind]["energy_saved_fraction"].max() for kind in (True, False)
    )
    line = one_line(table)
    assert line.startswith(
        f"{exact:.1%} of the programming energy is saved without a write that fails (lever all_exact). "
        f"{approximate:.1%} is saved by writes that may fail, at a loss of "
    )
    top = rows[~rows["exact"]].sort_values("energy_saved_fraction").iloc[-1]
    against = top["saved_against_exact_fraction"]
    assert f"{abs(against):.0%} {'less' if against >= 0 else 'more'} than the best exact design" in line
    dear = table.assign(saved_against_exact_fraction=-0.25)
    assert "25% more than the best exact design" in one_line(dear)
    assert line.endswith(" ".join(warnings_of(rows)))


def test_flags_say_where_a_pulse_lies(table):
    # The grid is from 0.4 to 1.2 V and from 1 to 60 ns: seen from the rows of one pulse.
    single = table[
        table["lever"].isin(["reliable", "duration", "amplitude", "both", "code", "read_before_write"])
    ]
    edge = single["amplitude_V"].isin([0.4, 1.2]) | single["duration_s"].isin([1e-9, 60e-9])
    assert (single["at_edge"] == edge).all()
    assert not single["at_limit"].any()
    planes = table[table["lever"].isin(["bit_planes", "all", "all_with_termination"])]
    highest = planes[["ber_to_one", "ber_to_zero"]].max(axis=1)
    assert (planes["at_limit"] == (highest >= 0.475)).all()
    assert planes["at_limit"].any()
    rows = pd.DataFrame(
        {"lever": ["a", "b", "c"], "at_edge": [True, False, True], "at_limit": [False, True, False],
         "extrapolated": False}
    )  # fmt: skip
    assert warnings_of(rows) == [
        "Pulses of a, c lie on the edge of the sweep: a wider one may find cheaper pulses.",
        "Pulses of b have the highest error rate that the choice by bit plane allows.",
    ]
    assert warnings_of(rows[["lever"]]) == []


def test_rows_for_people(table):
    rows = shown(table)
    assert rows["lever"].is_unique
    assert list(rows["lever"]) == list(table["lever"].unique())
    held = set(best(table)["lever"])
    assert set(rows[rows["not_shown"]]["lever"]) == set(table["lever"]) - held - {"reliable"}
    # Of an earlier version, without exact designs; a lever that never holds has its last row.
    old = shown(_rows(("reliable", 0.0, 0.0), ("duration", 0.5, 0.2), ("both", 0.6, 2.0), ("both", 0.7, 3.0)))
    assert old[["lever", "energy_saved_fraction", "exact", "not_shown"]].to_numpy().tolist() == [
        ["reliable", 0.0, True, False], ["duration", 0.5, False, False], ["both", 0.7, False, True],
    ]  # fmt: skip


def test_read_energies_by_hand():
    def row(lever, exact, write, reads, saved, verdict="holds", **more):
        return {
            "lever": lever, "exact": exact, "write_energy_J": write, "reads": reads, "confirmed": True,
            "energy_saved_fraction": saved, "accuracy_drop_points": 0.0, "accuracy_drop_ci95": 0.1,
            "verdict": verdict, **more,
        }  # fmt: skip

    table = pd.DataFrame(
        [
            row("reliable", True, 100.0, 0.0, 0.0), row("skip_unchanged", True, 20.0, 4.0, 0.8),
            row("all", False, 2.0, 4.0, 0.97), row("code", False, 5.0, 0.0, 0.95),
        ]
    )  # fmt: skip
    designs = pd.DataFrame(
        [
            row("", True, 10.0, 4.0, 0.9, design="skip bits"), row("", True, 30.0, 0.0, 0.7, design="gray"),
            row("", True, 1.0, 0.0, 0.99, "not shown", design="momentum"),
        ]
    )  # fmt: skip
    by_energy = over_read_energies(Tradeoff(table, pd.DataFrame(), designs), (1.0, 10.0))
    # By hand: at 1 J a read skip bits costs 10 + 4, at 10 J 10 + 40, more than gray's 30.
    expected = [
        [1.0, "skip_unchanged", True, 24.0, 20.0, 0.76, "skip bits", 1 - 24 / 14, 0.5],
        [1.0, "all", False, 6.0, 2.0, 0.94, "skip bits", 1 - 6 / 14, 5.0],
        [1.0, "code", False, 5.0, 5.0, 0.95, "skip bits", 1 - 5 / 14, 2.0],
        [10.0, "skip_unchanged", True, 60.0, 20.0, 0.4, "gray", 1 - 60 / 30, 1.5],
        [10.0, "all", False, 42.0, 2.0, 0.58, "gray", 1 - 42 / 30, 15.0],
        [10.0, "code", False, 5.0, 5.0, 0.95, "gray", 1 - 5 / 30, 6.0],
    ]
    columns = [
        "read_energy_J", "lever", "exact", "programming_energy_J", "write_energy_J", "energy_saved_fraction",
        "best_exact", "saved_against_exact_fraction", "writes_of_exact_over_writes",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(by_energy, pd.DataFrame(expected, columns=columns), check_dtype=False)
    # Where no lever holds, the exact designs are left.
    none = over_read_energies(
        Tradeoff(table.assign(accuracy_drop_points=[0.0, 0.0, 2.0, 2.0]), pd.DataFrame(), designs), (1.0,)
    )
    assert list(none["lever"]) == ["skip_unchanged"]


def test_read_energies_start_at_those_of_the_cell():
    # By definition; assumed reads leave the usual ones.
    own = ReadConditions(energy_J=(5e-15, 7e-15), voltage_V=0.2, time_s=1e-9)
    assert read_energies(own) == pytest.approx((6e-15, *READ_ENERGIES))
    dear = ReadConditions(energy_J=(90e-15, 90e-15), voltage_V=0.2, time_s=1e-9)
    assert read_energies(dear) == pytest.approx((90e-15, *READ_ENERGIES[2:]))
    assert read_energies(ReadConditions(energy_J=40e-15)) == READ_ENERGIES


def test_read_energies_are_the_bills_of_other_runs(result, analytic_surface, folder):
    by_energy = over_read_energies(result, (20e-15, 100e-15))
    table = result.table.set_index("lever")
    same = by_energy[by_energy["read_energy_J"] == 20e-15].set_index("lever")
    for lever in EXACT.keys() & same.index:
        assert same.loc[lever, "programming_energy_J"] == pytest.approx(
            table.loc[lever, "programming_energy_J"], rel=1e-12
        )
    dear = tradeoff(
        analytic_surface,
        folder,
        **{**OPTIONS, "levers": ("skip_unchanged",)},
        workers=1,
        read_energy_J=100e-15,
    )
    there = by_energy[by_energy["read_energy_J"] == 100e-15].set_index("lever").loc["skip_unchanged"]
    row = dear.table.set_index("lever").loc["skip_unchanged"]
    for column in ("programming_energy_J", "energy_saved_fraction", "saved_against_exact_fraction"):
        assert there[column] == pytest.approx(row[column], rel=1e-9)


def test_what_cannot_be_done_is_refused(analytic_surface, folder, tmp_path):
    with pytest.raises(InputError, match="seeds: got 1; allowed: 2 or more"):
        tradeoff(analytic_surface, folder, seeds=1)
    with pytest.raises(
        InputError, match="lever: got 'magic'; allowed: duration, amplitude, both, code, bit_planes"
    ):
        tradeoff(analytic_surface, folder, levers=["both", "magic"])
    with pytest.raises(InputError, match="most_seeds: got 4; allowed: 5 or more, the seeds of the search"):
        tradeoff(analytic_surface, folder, most_seeds=4)
    with pytest.raises(InputError, match="computing_reads: got 'x'; allowed: batch or image"):
        tradeoff(analytic_surface, folder, computing_reads="x")
    for optimizer in ("momentum", "adam"):
        plan = TrainingPlan(hidden=(8,), optimizer=optimizer)
        with pytest.raises(InputError, match="lever: got 'momentum'; allowed: levers without momentum"):
            tradeoff(analytic_surface, folder, plan=plan, levers=("duration", "momentum"))
    with pytest.raises(InputError, match=r"state_full_scale: got 1.0; allowed: none"):
        tradeoff(analytic_surface, folder, plan=TrainingPlan(optimizer="momentum", state_full_scale=1.0))
    half = WriteSurface(analytic_surface.dataset.sel(direction=["p_to_ap"]))
    with pytest.raises(
        InputError, match="directions of another surface: got 'p_to_ap'; allowed: p_to_ap and"
    ):
        tradeoff(analytic_surface, folder, other_surfaces=[half])
    unknown = WriteSurface(
        analytic_surface.dataset.assign(energy=analytic_surface.dataset["energy"] * np.nan)
    )
    with pytest.raises(InputError, match="energy of a surface: got 'not known'"):
        tradeoff(analytic_surface, folder, other_surfaces=[unknown])
    with pytest.raises(InputError, match="both directions"):
        tradeoff(WriteSurface(analytic_surface.dataset.sel(direction=["p_to_ap"])), folder)
    with pytest.raises(InputError, match="nothing-here"):
        tradeoff(analytic_surface, str(tmp_path / "nothing-here"))
    with pytest.raises(UnreachableError, match="1e-09"):
        tradeoff(WriteSurface(analytic_surface.dataset.isel(duration=slice(0, 8))), folder)
