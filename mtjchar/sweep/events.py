"""Events of a sweep for its observers: progress, remaining time, messages and failures."""

from __future__ import annotations

import datetime
import time
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mtjchar.sweep import failures

__all__ = ["Ahead", "Report"]


class Ahead(NamedTuple):
    """Samples of a sweep that has not begun.

    Attributes
    ----------
    there : int
        Number that an earlier call has left.
    total : int
    """

    there: int
    total: int


class Report:
    """Reports the events of one sweep, or of several consecutive ones, to the observers.

    Parameters
    ----------
    progress, log : callable, optional
        As of `mtjchar.run_sweep`.

    Attributes
    ----------
    scenario : str
        Subject of the messages; empty if there is one sweep.
    tally : mtjchar.sweep.failures.Tally
        Of the running sweep.
    """

    def __init__(
        self,
        progress: Callable[[int, int], None] | None,
        log: Callable[[Mapping[str, object]], None] | None,
    ) -> None:
        self._progress, self._log = progress, log
        self._started: float | None = None
        self._before, self._shown = 0, 0
        self._ended, self._failed = 0, 0  # samples of the previous sweeps
        self._ahead: dict[str, Ahead] = {}
        self._at_work = Ahead(0, 0)
        self._warned: set[str] = set()
        self.scenario = ""
        self.tally = failures.Tally()

    def expect(self, ahead: Mapping[str, Ahead]) -> None:
        """Announce the sweeps to come, by the names of their scenarios."""
        self._ahead = dict(ahead)

    def begin(self, scenario: str) -> None:
        """Continue with the next announced sweep."""
        self._ended += self.tally.samples
        self._failed += self.tally.failed
        self.tally = failures.Tally()
        self.scenario, self._at_work = scenario, self._ahead.pop(scenario)

    def start(self, total: int) -> None:
        """Report the size of a sweep, after existing samples have been added to the tally."""
        self._at_work = Ahead(0, max(total, self.tally.samples))
        if self._started is None:
            self._started, self._before = time.monotonic(), self._done
        self._tell("start")

    def under_way(self, samples: float) -> None:
        """Say how many samples are about done of the parts that are at work."""
        if self._progress is not None:
            total = self._total
            self._shown = min(max(self._shown, self._done + int(samples)), total)
            self._progress(self._shown, total)

    def part(self) -> None:
        """Report that a part has been done."""
        self._tell("part")

    def say(self, text: str) -> None:
        """Report a message."""
        self._tell("note", text)

    def warn(self, text: str) -> None:
        """Report an important message, once."""
        if text in self._warned:
            return
        self._warned.add(text)
        if self._log is None:
            warnings.warn(f"{self.scenario}: {text}" if self.scenario else text, stacklevel=4)
        self.say(text)

    def workers(self, count: int, text: str) -> None:
        """Report that a cluster has no worker, or that it has some again."""
        self._tell("workers", text, workers=count)

    def end(self) -> None:
        """Report how a sweep ended."""
        if words := self.tally.words():
            self._tell("failures", words, worst_share=self.tally.worst_share)
        if not self._ahead:
            self.scenario = ""
            self._tell("end")

    @property
    def _total(self) -> int:
        return self._ended + self._at_work.total + sum(one.total for one in self._ahead.values())

    @property
    def _done(self) -> int:
        there = sum(one.there for one in self._ahead.values())
        return self._ended + max(self.tally.samples, self._at_work.there) + there

    def _tell(self, event: str, text: str = "", **more: object) -> None:
        done, total = self._done, self._total
        if self._progress is not None and event in ("start", "part"):
            self._shown = max(self._shown, done)  # a task that is tried again takes nothing back
            self._progress(self._shown, total)
        if self._log is None:
            return
        seconds = 0.0 if self._started is None else time.monotonic() - self._started
        rate = (done - self._before) / seconds if seconds > 0.0 else 0.0
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        numbers = {
            "done": done,
            "total": total,
            "failed": self._failed + self.tally.failed,
            "samples_per_s": round(rate, 1),
        }
        remaining = round((total - done) / rate, 1) if rate > 0.0 else None
        scenario = {"scenario": self.scenario} if self.scenario else {}
        words = {"text": text} if text else {}
        self._log(
            {"time": now, "event": event, **scenario, **numbers, "remaining_s": remaining, **words, **more}
        )
