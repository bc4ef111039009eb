"""Trade-offs whose reads come from a read surface: energies of both states, errors, disturb."""

import json

import numpy as np
import pandas as pd
import pytest
from bars import bars
from common import InPlace
from read_cases import STUDY, DividerCell

from mtjchar.cells import KINDS
from mtjchar.errors import InputError, UnreachableError
from mtjchar.network import kept
from mtjchar.network.kept import Outcome
from mtjchar.network.ledger import WriteLedger, WrongReads
from mtjchar.network.reads import ReadConditions, most_reliable_reads
from mtjchar.network.results import read_tradeoff
from mtjchar.network.tradeoff import tradeoff
from mtjchar.network.trainer import TrainingPlan
from mtjchar.network.trainings import Trainings
from mtjchar.surfaces import ReadSurface

PLAN = TrainingPlan(hidden=(8,), epochs=1, batch_size=20)
OPTIONS = {
    "plan": PLAN, "seeds": 2, "most_seeds": 2, "rates": (0.1,), "search_steps": 0,
    "levers": ("skip_unchanged", "duration", "read_before_write"), "workers": 1,
}  # fmt: skip
CELLS = 8 * (101 * 8 + 9 * 10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bars(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def kept_file(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "trainings.jsonl"


@pytest.fixture(scope="module")
def plain(analytic_surface, folder, kept_file):
    return tradeoff(analytic_surface, folder, **OPTIONS, kept=kept_file)


def with_reads(analytic_surface, folder, kept_file, reads, **options):
    return tradeoff(analytic_surface, folder, **{**OPTIONS, **options}, kept=kept_file, reads=reads)


def test_energies_of_both_states_are_a_bill_for_the_same_trainings(
    plain, analytic_surface, folder, kept_file
):
    # Analytic: the share of ones is the same in the bill of 20 fJ for zeros alone, and for ones alone.
    lines = kept_file.read_text().splitlines()
    tables = [
        with_reads(analytic_surface, folder, kept_file, ReadConditions(energy_J=energies)).table
        for energies in ((20e-15, 0.0), (0.0, 20e-15), (10e-15, 40e-15))
    ]
    assert kept_file.read_text().splitlines() == lines
    zeros, ones, both = tables
    for column in ("read_energy_J", "computing_energy_J"):
        np.testing.assert_allclose(zeros[column] + ones[column], plain.table[column], rtol=1e-12)
        np.testing.assert_allclose(both[column], 0.5 * zeros[column] + 2.0 * ones[column], rtol=1e-12)
    # Half of the bits of small weights in two's complement are ones, not all or none.
    reads = plain.table["reads"] > 0.0
    assert (zeros["read_energy_J"][reads] > 0.0).all()
    assert (ones["read_energy_J"][reads] > 0.0).all()
    assert (zeros["computing_energy_J"] > 0.0).all()
    np.testing.assert_allclose(plain.table["computing_reads"], 2 * 20 * CELLS, rtol=1e-12)
    assert plain.table["reads_assumed"].all()
    sums = both["programming_energy_J"] + both["computing_energy_J"]
    np.testing.assert_allclose(both["total_energy_J"], sums, rtol=1e-12)


def test_wrong_reads_are_in_trainings_of_levers_that_read(plain, analytic_surface, folder, kept_file):
    before = len(kept_file.read_text().splitlines())
    reads = ReadConditions((1e-3, 2e-3), (1e-4, 0.0), 20e-15, voltage_V=0.1, time_s=3e-9)
    result = with_reads(analytic_surface, folder, kept_file, reads)
    table = result.table
    assert not table["reads_assumed"].any()
    assert (table["read_error_rate"] == 2e-3).all()
    assert (table["read_disturb_rate"] == 1e-4).all()
    # `duration` reads nothing: its trainings are the same ones.
    np.testing.assert_array_equal(
        table[table["lever"] == "duration"]["programming_energy_J"],
        plain.table[plain.table["lever"] == "duration"]["programming_energy_J"],
    )
    rows = table[table["lever"] == "read_before_write"]
    assert (rows[["skipped", "needless", "disturbed"]] > 0.0).all(axis=None)
    assert (rows["redundant_energy_J"] > 0.0).all()
    assert (rows["stopped"] == 0.0).all()
    others = table[table["lever"] != "read_before_write"]
    assert (others[["skipped", "needless", "stopped", "disturbed"]] == 0.0).all(axis=None)
    assert len(kept_file.read_text().splitlines()) > before
    # A design that skips what it reads as unchanged is not exact with such reads.
    rows = table.set_index("lever")
    assert rows.loc["skip_unchanged", "verdict"] == "not shown"
    assert not rows.loc["skip_unchanged", "confirmed"]
    assert rows.loc["reliable", "verdict"] == "holds"
    skips = result.designs["design"].str.contains("skip")
    assert result.designs[skips]["verdict"].eq("not shown").all()
    plain_ones = ~(skips | result.designs["design"].str.contains("momentum"))
    assert result.designs[plain_ones]["verdict"].eq("holds").all()
    # The ledger has the same energies.
    parts = result.ledger.groupby(["lever", "row_ber", "confirmed"]).sum(numeric_only=True)
    parts = parts[["switching_J", "redundant_J", "retries_J", "reads_J"]].sum(axis=1)
    for row in table.itertuples():
        assert parts[row.lever, row.ber, row.confirmed] == pytest.approx(row.programming_energy_J, rel=1e-12)


def test_reads_as_reliable_as_writes_keep_exact_designs(analytic_surface, folder, kept_file):
    reads = ReadConditions((1e-9, 1e-10), (1e-12, 0.0), 20e-15, voltage_V=0.1, time_s=3e-9)
    table = with_reads(analytic_surface, folder, kept_file, reads, levers=("skip_unchanged",)).table
    assert table["verdict"].eq("holds").all()


def test_computing_errors_make_other_trainings_and_no_exact_design(analytic_surface, folder, kept_file):
    reads = ReadConditions((3e-3, 3e-3), energy_J=20e-15)
    options = {"levers": ("duration", "pulse_per_direction"), "rates": (1e-3,)}
    plain = with_reads(analytic_surface, folder, kept_file, reads, **options).table
    wrong = with_reads(analytic_surface, folder, kept_file, reads, **options, computing_errors=True).table
    searched = [each[each["verdict"] == "searched"] for each in (plain, wrong)]
    # 3e-3 of the bits become wrong words in each of 20 updates: more than half of a training's loss.
    assert float(searched[1]["accuracy_mean"].iloc[0]) < float(searched[0]["accuracy_mean"].iloc[0])
    assert plain.set_index("lever").loc["pulse_per_direction", "verdict"] == "holds"
    assert wrong.set_index("lever").loc["pulse_per_direction", "verdict"] == "not shown"


def test_two_energies_are_refused(analytic_surface, folder):
    with pytest.raises(InputError, match="read_energy_J: got 1e-14; allowed: none with `reads`"):
        tradeoff(analytic_surface, folder, reads=ReadConditions(), read_energy_J=1e-14)


def test_finished_trainings_keep_wrong_reads(tmp_path):
    counts = [np.full((2, 2), k) for k in range(8)]
    outcome = Outcome(0.5, WriteLedger(*counts[:4], WrongReads(*counts[4:])))
    kept.add(tmp_path / "kept.jsonl", "a", outcome)
    kept.add(tmp_path / "kept.jsonl", "b", Outcome(0.25, WriteLedger(*counts[:4])))
    found = kept.load(tmp_path / "kept.jsonl")
    assert found["a"].ledger == outcome.ledger
    assert found["b"].ledger.wrong_reads is None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a kind of cell that has closed forms of its reads, with read.nc."""
    from mtjchar.study import load_study
    from mtjchar.surfaces import average_devices, average_reads
    from mtjchar.sweep.run import run_sweep

    KINDS["divider"] = DividerCell()
    file = tmp_path_factory.mktemp("divider") / "study.toml"
    text = STUDY.replace("points = 3", "points = 8").replace("devices = 1000", "devices = 100")
    file.write_text(text.replace("[read]", '[read]\noffset = "1 mV"'), encoding="utf-8")
    out = file.parent / "run"
    run_sweep(load_study(file), out=out, executor=InPlace())
    for average in (average_devices, average_reads):
        average(out)
    yield out
    del KINDS["divider"]


def test_most_reliable_reads_are_those_of_a_fine_search(run):
    # Brute force over a grid of 300 x 300 points: no read that disturbs less than the limit is right more
    # often, except by the distance of its points.
    surface = ReadSurface.of_run(run)
    for disturb in (1e-9, 1e-15):
        reads = most_reliable_reads(surface, disturb=disturb)
        assert reads.worst_disturb_rate <= disturb
        voltages = np.linspace(surface.voltages[0], surface.voltages[-1], 300)[:, None]
        times = np.geomspace(surface.times[0], surface.times[-1], 300)
        allowed = surface.disturb_rate(voltages, times) <= disturb
        lowest = surface.read_error_rate(voltages, times)[allowed].min()
        assert np.log10(reads.worst_error_rate) == pytest.approx(np.log10(lowest), abs=0.2)
    with pytest.raises(UnreachableError, match=r"No read of the read surface has a disturb rate of 1e-200"):
        most_reliable_reads(surface, disturb=1e-200)


def test_default_reads_are_the_most_reliable_where_none_is_reliable(run, call, tmp_path, monkeypatch):
    surface = ReadSurface.of_run(run)
    monkeypatch.setattr("mtjchar.network.reads.READ_ERROR", 1e-200)
    code, said, error = asked(call, run, tmp_path, "--json")
    assert code == 0, error
    assert "The reads of lowest error rate are used" in " ".join(error.split())
    reads, expected = json.loads(said)["reads"], most_reliable_reads(surface)
    assert reads["error_rate"] == np.asarray(expected.error_rate).tolist()
    assert max(reads["disturb_rate"]) <= 1e-12


def asked(call, run, out, *options):
    return call(
        "tradeoff", run, "--dataset", "digits", "--out", out, "--levers", "read_before_write", "--seeds", "2",
        "--most-seeds", "2", "--search-steps", "0", "--epochs", "1", "--workers", "1", *options,
    )  # fmt: skip


def test_command_takes_the_reads_of_the_run(run, call, tmp_path):
    code, said, error = asked(call, run, tmp_path, "--read-error", "1e-6", "--read-disturb", "1e-8", "--json")
    assert code == 0, error
    answer = json.loads(said)
    surface = ReadSurface.of_run(run)
    point = surface.operating_point(1e-6, 1e-8, "energy")
    reads = answer["reads"]
    assert not reads["assumed"]
    assert (reads["voltage_V"], reads["time_s"]) == (point.voltage_V, point.time_s)
    assert max(reads["error_rate"]) == pytest.approx(point.read_error_rate, rel=1e-12)
    assert max(reads["error_rate"]) <= 1e-6 * (1.0 + 1e-9)
    assert max(reads["disturb_rate"]) <= 1e-8
    assert np.mean(reads["energy_J"]) == pytest.approx(point.energy_J, rel=1e-12)
    table = read_tradeoff(tmp_path / "tradeoff.csv")
    assert not table["reads_assumed"].any()
    row = table[table["lever"] == "read_before_write"].iloc[0]
    assert row["read_energy_J"] == pytest.approx(row["reads"] * point.energy_J, rel=1e-9)

    code, said, _ = asked(call, run, tmp_path, "--read-energy", "20 fJ")
    assert code == 0
    assert "Reads: 20 fJ a bit, without errors, assumed." in said
    assert "The energy of a read is assumed." in said
    assert pd.read_csv(tmp_path / "tradeoff.csv")["reads_assumed"].all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--read-error", "1e-6", "--read-energy", "20 fJ"], "--read-error: got 1e-06; allowed: none with"),
        (["--read-error", "2"], "--read-error: got 2.0; allowed: above 0, below 1"),
        (["--read-disturb", "0"], "--read-disturb: got 0.0; allowed: above 0, below 1"),
        (["--read-energy", "-1 fJ"], "--read-energy: got '-1 fJ'; allowed: 0 J or more"),
        (["--read-energy", "20 fJ", "--computing-errors"], "--computing-errors has no effect"),
        (["--read-error", "1e-300", "--read-disturb", "1e-300"], "No read on the grid has a read error rate"),
    ],
)
def test_bad_requests_are_refused(run, call, tmp_path, options, message):
    code, _, error = asked(call, run, tmp_path, *options)
    assert code in (1, 2)
    assert message in " ".join(error.split())


def test_read_errors_need_a_read_surface(call, tmp_path, characterized_surface, monkeypatch):
    monkeypatch.setattr("mtjchar.cli.training.load_surface", lambda _folder: characterized_surface)
    code, _, error = asked(call, tmp_path, tmp_path / "out", "--read-disturb", "1e-9")
    assert code == 2
    assert "--read-disturb: got 1e-09; allowed: none for a run without a read surface" in " ".join(
        error.split()
    )


def test_trainings_without_wrong_reads_are_found_again(folder):
    # Keys of finished trainings do not depend on the energies of reads, nor on rates where nothing is read.
    from dataclasses import replace

    from mtjchar.network.ledger import WriteConditions
    from mtjchar.network.passes import PassReads
    from mtjchar.network.trainings import Job

    conditions = WriteConditions((0.1, 0.1), (1e-12, 1e-12), (1e-12, 1e-12))
    wrong = {"read_error_rate": (0.1, 0.0)}
    with Trainings(folder, workers=1) as trainings:
        key = trainings._key(Job(PLAN, conditions, 1))
        same = (
            replace(conditions, read_before_write=True, read_energy_J=(1e-14, 2e-14)),
            replace(conditions, **wrong),
        )
        assert {trainings._key(Job(PLAN, each, 1)) for each in same} == {key}
        assert trainings._key(Job(PLAN, conditions, 1, passes=PassReads(ReadConditions()))) == key
        other = replace(conditions, read_before_write=True, **wrong)
        assert trainings._key(Job(PLAN, other, 1)) != key
        reads = PassReads(ReadConditions((0.1, 0.0)))
        assert trainings._key(Job(PLAN, conditions, 1, passes=reads)) != key
