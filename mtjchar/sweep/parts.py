"""The stored parts of a sweep, and the parts that are added to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mtjchar.errors import SimulationError
from mtjchar.sweep.events import Report
from mtjchar.sweep.part_folders import SAMPLES, PartFolder
from mtjchar.sweep.schedule import Done
from mtjchar.sweep.store import RunDirectory
from mtjchar.sweep.tasks import Work

__all__ = ["Parts", "check_versions"]


class Parts:
    """Parts of one kind in a run directory; those that belong to no task of the plan are removed.

    Parameters
    ----------
    directory : RunDirectory
    plan : iterable of mtjchar.sweep.tasks.Work
    report : Report
    of : PartFolder, optional
    versions : mapping, optional
        Of the programs that made other parts of the run.

    Attributes
    ----------
    versions : dict
        Of the programs that made the parts.
    """

    def __init__(
        self,
        directory: RunDirectory,
        plan: Iterable[Work],
        report: Report,
        of: PartFolder = SAMPLES,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self._directory, self._report, self._of = directory, report, of
        self._names: dict[tuple[str, int, int], str] = {}
        stored = directory.inspect_parts({self._part(task) for task in plan}, of)
        for words in stored.discarded:
            report.say(f"{words}; it is done again")
        if stored.outdated:  # all of them, where a grid has grown
            first, *others = stored.outdated
            many = f" and {len(others)} more parts do not" if others else " does not"
            report.say(f"{first}{many} belong to this sweep; removed")
        self._whole, self.versions = stored.whole, {**stored.versions, **(versions or {})}

    def files(self, tasks: Iterable[Work]) -> list[Path]:
        """Return the files of tasks that are done, in their order."""
        return [self._whole[name] for name in map(self._part, tasks) if name in self._whole]

    def todo(self, tasks: Sequence[Work]) -> list[Work]:
        """Return the tasks that are not done."""
        return [task for task in tasks if self._part(task) not in self._whole]

    def keep(self, done: Done, counted: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows) -> None:
        """Write a part; `counted` gives its rows the columns by which failures are counted."""
        check_versions(self._directory.path, done.versions, self.versions)
        self.versions = {**self.versions, **done.versions}
        part = self._part(done.task)
        self._whole[part] = self._directory.write_part(part, done.samples, done.versions, self._of)
        self._report.tally.add(counted(done.samples))
        self._report.part()

    def _part(self, task: Work) -> str:
        """Return the name of a part; each takes a millisecond to compute, and there may be many thousands."""
        key = task.direction, int(task.devices["device"].iloc[0]), len(task.devices)
        if key not in self._names:
            self._names[key] = task.part
        return self._names[key]


def check_versions(path: Path, done: Mapping[str, str], stored: Mapping[str, str]) -> None:
    """Refuse a result of other programs than those that made the stored parts.

    Raises
    ------
    SimulationError
        The message names both.
    """
    both = done.keys() & stored.keys()
    if any(done[name] != stored[name] for name in both):
        raise SimulationError(
            f"{path} holds samples made with {_in_words(stored)}; a worker has "
            f"{_in_words(done)}. Use those versions, or another directory."
        )


def _in_words(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
