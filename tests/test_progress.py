"""Progress of a sweep: within its tasks, and as lines where nobody looks at a terminal."""

import doctest
import importlib

import pytest
from common import DEMO

from mtjchar import work
from mtjchar.cli import common
from mtjchar.sweep import events, schedule
from mtjchar.sweep.run import run_sweep


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch):
    monkeypatch.setattr(work, "_listeners", [])


def test_the_examples_of_work():
    assert doctest.testmod(work).failed == 0


def test_parts_of_parts():
    heard = []
    work.heard_by(heard.append)
    work.done(0.25)
    with work.part(0.5, 1.0):
        work.done(0.0)
        with work.part(0.5, 0.75):
            work.done(1.0)
        work.done(1.0)
    work.done(1.0)
    assert heard == [0.25, 0.5, 0.875, 1.0, 1.0]


def test_an_error_does_not_leave_its_part_behind():
    heard = []
    work.heard_by(heard.append)
    with pytest.raises(ValueError, match="x"), work.part(0.5, 1.0):
        raise ValueError("x")
    work.done(0.5)
    assert heard == [0.5]


def test_a_sweep_of_one_part_shows_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "_EVERY", 0.02)
    small = DEMO.with_(
        sweep={
            "devices": 12,
            "directions": ("p_to_ap",),
            "amplitude": {"start": 0.6, "stop": 0.8, "points": 6},
        }
    )
    seen = []
    run_sweep(small, tmp_path / "run", workers=1, progress=lambda done, total: seen.append((done, total)))
    done, totals = zip(*seen, strict=True)
    assert set(totals) == {small.sweep.samples}
    assert list(done) == sorted(done)
    assert (done[0], done[-1]) == (0, small.sweep.samples)
    assert len({count for count in done if 0 < count < small.sweep.samples}) >= 3


def test_what_is_under_way_is_never_taken_back_nor_too_much():
    seen = []
    report = events.Report(lambda *counts: seen.append(counts[0]), None)
    report.start(100)
    for samples in (10.0, 30.4, 0.0, 500.0):
        report.under_way(samples)
    assert seen == [0, 10, 30, 30, 100]


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


def test_lines_come_at_growing_intervals(monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(importlib.import_module("mtjchar.cli.common"), "time", clock)
    with common.progress_bar("sweep", "samples") as bar:
        assert isinstance(bar, common.LogLines)  # pytest holds the streams: no terminal
        bar(1000, 11_000)
        bar.failed(3)
        for second in range(1, 21):
            clock.now = 100.0 + second
            bar(1000 + 100 * second, 11_000)
    lines = capsys.readouterr().err.splitlines()
    # At 2 s, then after 2 s and a quarter of the time so far: 4.5, 7.6, 11.5, 16.4 s, on the next second.
    assert [line.split()[1] for line in lines] == ["1,200", "1,500", "1,900", "2,400", "3,000"]
    assert lines[0] == "sweep: 1,200 of 11,000 samples (10 %), 3 failed, about 98 s left"


def test_a_line_without_any_progress_knows_no_end(monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(importlib.import_module("mtjchar.cli.common"), "time", clock)
    bar = common.LogLines("sweep", "samples")
    bar(0, 100)
    clock.now += 5.0
    bar(0, 100)
    clock.now += 50.0
    bar(100, 100)
    assert capsys.readouterr().err.splitlines() == [
        "sweep: 0 of 100 samples (0 %)", "sweep: 100 of 100 samples (100 %)",
    ]  # fmt: skip
