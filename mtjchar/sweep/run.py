"""The sweep: simulation of every sampled device over the pulses of a study."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mtjchar.cells.base import Trial
from mtjchar.cells.transistor_netlist import source_of
from mtjchar.errors import InputError
from mtjchar.study import Study, load_study
from mtjchar.study.scenarios import check_names
from mtjchar.sweep import failures, importance, precision, refinement, trial
from mtjchar.sweep.cluster import workers_reported
from mtjchar.sweep.events import Ahead, Report
from mtjchar.sweep.lock import locked
from mtjchar.sweep.parts import Parts
from mtjchar.sweep.pool import LocalPool
from mtjchar.sweep.population import Population
from mtjchar.sweep.read_tasks import read_rows, reads_of
from mtjchar.sweep.reading import Reading
from mtjchar.sweep.schedule import Call, Done, complete
from mtjchar.sweep.store import RunDirectory, stored_rows
from mtjchar.sweep.tasks import Task, Work, fail_task, plan, run_task

__all__ = ["run_scenarios", "run_sweep"]

_MANY_DEVICES = 50_000
_DISK, _MEMORY = 30.0, 200.0  # bytes a sample, measured on the demo


def run_sweep(
    study: Study,
    out: str | Path,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    limit: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[Mapping[str, object]], None] | None = None,
) -> Path:
    """Run the sweep of a study into a directory, or resume an interrupted one.

    Parameters
    ----------
    study : Study
    out : str or Path
        Run directory; made if missing. Existing samples are not computed again.
    workers : int, optional
        Number of processes; default: one for each core. The samples do not depend on it.
    executor : concurrent.futures.Executor, optional
        Runs the tasks instead of mtjchar's own processes, for example that of a dask client. Its workers
        should be processes: of several threads of a process only one works at a time, since two simulators in
        one process crash.
    limit : float, optional
        s that a device may take in one direction before its worker counts as hanging; see
        `mtjchar.sweep.tasks.time_limit`.
    progress : callable, optional
        Called with the number of samples done and the number of all; if tasks run in processes
        of this machine, at least every second, and running tasks count with an estimate of their share.
    log : callable, optional
        Called with a mapping for each event: ``event`` (``start``, ``part``, ``note``,
        ``workers``, ``failures`` or ``end``), ``time``, ``done``, ``total``, ``failed`` (samples),
        ``samples_per_s``, ``remaining_s`` and, for messages, ``text``. Events ``workers``
        come from another thread: a cluster has no worker, or ``workers`` of them again. Events ``failures``
        have ``worst_share``, the largest share of failed samples at one direction and amplitude.

    Returns
    -------
    Path
        The run directory, with ``study.toml``, ``devices.parquet``, ``samples/`` and, after failures,
        ``failures/``; of a study with reads also ``read_devices.parquet``, ``read_reference.parquet`` and
        ``read_samples/``.

    Raises
    ------
    InputError
        If the directory contains another study or another command works in it, if the study's nominal device
        does not have two stable states, or if the limit is invalid.
    StorageError
        If a file cannot be written; finished parts are kept.
    SimulationError
        If existing samples were made with other versions of ngspice, PySpice or mtjchar, or a worker of
        a pool of the standard library died. A cell that ngspice cannot solve, or that ends its worker,
        is not an error but a row with a status.
    """
    Population(study).nominal()
    _check_limit(limit)
    path = Path(out)
    report = Report(progress, log)
    with locked(path, report.say), _pool(workers, executor) as pool, workers_reported(pool, report.workers):
        with trial.processes(pool) as local:
            way = _try(study, path, pool, local, limit, report)
        _tell_left_out(study, report)
        _tell_time([(study, way)], report)
        _carry_out(study, path, way, report)
    return path


def run_scenarios(
    studies: Mapping[str, Study],
    out: str | Path,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    limit: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[Mapping[str, object]], None] | None = None,
) -> dict[str, Path]:
    """Run or resume the sweeps of several studies, each in its own directory in one folder.

    All of them are checked, and the nominal device of each is tried, before the first sweep begins.

    Parameters
    ----------
    studies : mapping of str to Study
        By the names of their directories, for example from `mtjchar.scenarios`.
    out : str or Path
        Folder of the run directories; made if missing. It may contain some of these runs, and no others.
    workers, executor, limit
        As of `run_sweep`.
    progress : callable, optional
        Called with the number of samples done and the number of all, over all scenarios.
    log : callable, optional
        As of `run_sweep`. Numbers and ``remaining_s`` are over all scenarios. Each mapping has ``scenario``,
        its subject; ``end`` comes once.

    Returns
    -------
    dict of str to Path
        Run directories by name.

    Raises
    ------
    InputError
        If names cannot be those of folders, the folder contains other runs or other studies, or if
        `run_sweep` raises it.
    StorageError, SimulationError
        As `run_sweep`.

    Examples
    --------
    >>> from mtjchar import load_study, run_scenarios, scenarios
    >>> studies = scenarios(load_study("data/studies/demo.toml"), temperatures=["25 degC", "125 degC"])
    >>> run_scenarios(studies, "corners")  # doctest: +SKIP
    """
    check_names("scenarios", studies)
    for name, study in studies.items():
        with _said_of(name):
            Population(study).nominal()
            source_of(study.kind.transistor(study.tables))  # refuses sections and sizes that do not exist
    _check_limit(limit)
    folder = Path(out)
    paths = {name: folder / name for name in studies}
    _check_folder(folder, studies)
    report = Report(progress, log)
    with locked(folder, report.say), _pool(workers, executor) as pool, workers_reported(pool, report.workers):
        ways = {}
        with trial.processes(pool) as local:
            for name, study in studies.items():
                report.scenario = name
                with _said_of(name):
                    ways[name] = _try(study, paths[name], pool, local, limit, report)
                _tell_left_out(study, report)
        report.scenario = ""
        _tell_time([(studies[name], way) for name, way in ways.items()], report)
        report.expect(
            {
                name: Ahead(stored_rows(paths[name]), one.sweep.samples + read_rows(one))
                for name, one in studies.items()
            }
        )
        for name, study in studies.items():
            report.begin(name)
            with locked(paths[name], report.say):
                _carry_out(study, paths[name], ways[name], report)
    return paths


def _check_limit(limit: float | None) -> None:
    if limit is not None and not 0.0 < limit < math.inf:
        raise InputError("limit", value=limit, allowed="a finite number of seconds above 0")


@contextlib.contextmanager
def _said_of(scenario: str) -> Iterator[None]:
    """Add the name of the scenario to an error in a with block."""
    try:
        yield
    except InputError as error:
        raise error.within(scenario) from error


def _check_folder(folder: Path, studies: Mapping[str, Study]) -> None:
    """Refuse a folder that contains anything but runs of these studies."""
    there = sorted(file.parent.name for file in folder.glob("*/study.toml"))
    if (folder / "study.toml").exists():
        there = ["study.toml"]
    if others := [name for name in there if name not in studies]:
        raise InputError(
            f"folder of scenarios {folder}",
            value=", ".join(others),
            allowed=f"scenarios of this request: {', '.join(studies)}",
            remedy="It belongs to another request. Give another folder, or ask for those scenarios too.",
        )
    for name in there:
        RunDirectory.stored_devices(folder / name, _placed_before(studies[name], folder / name))


def _carry_out(study: Study, path: Path, way: _Way, report: Report) -> None:
    """Complete a sweep in a locked directory."""
    study = _placed(study, path, way, report)
    if study.sweep.devices >= _MANY_DEVICES:
        report.say(_size_in_words(study))
    directory, devices = _directory(study, path, way, report)
    if (left_out := _left_out(study)) and directory.record().left_out != left_out:
        directory.note(left_out=left_out)
    if way.trial is not None and (way.trial.words or way.trial.load_s):
        directory.note(trial=list(way.trial.words), load_s=way.trial.load_s)
    _Sweep(directory, devices, way, report).run()


def _size_in_words(study: Study) -> str:
    """Report beforehand the disk space and memory of a large sweep."""
    sweep, samples = study.sweep, study.sweep.samples
    disk, memory = (f"{1e-9 * size * samples:.3g} GB" for size in (_DISK, _MEMORY))
    return (
        f"{sweep.devices:,} devices and {samples:,} samples: the samples take some {disk} on the disk, and "
        f"the surface some {memory} of memory. Drawing the devices takes up to some minutes."
    )


class _Way(NamedTuple):
    """How tasks are done: the executor, the call, and the time limit."""

    pool: Executor
    limit: float | None
    trial: Trial | None  # of a new sweep
    load_s: float

    def complete(
        self,
        tasks: Iterable[Work],
        say: Callable[[str], None],
        under_way: Callable[[float], None] | None = None,
    ) -> Iterator[Done]:
        """Do tasks and yield each when it is complete."""
        call: Call = run_task
        if self.trial is not None and self.trial.failure:
            call = functools.partial(fail_task, *self.trial.failure)
        return complete(
            self.pool, tasks, call, say=say, limit=self.limit, load_s=self.load_s, under_way=under_way
        )


def _try(
    study: Study, path: Path, pool: Executor, local: LocalPool, limit: float | None, report: Report
) -> _Way:
    """Try the nominal device before a new sweep, or one that grows; a resumed one has done so."""
    if (path / "study.toml").exists() and not RunDirectory.growth(path, _placed_before(study, path)):
        load_s = 0.0
        with contextlib.suppress(InputError):  # a damaged record is ignored here
            load_s = RunDirectory(path, study).record().load_s
        return _Way(pool, limit, None, load_s)
    # On an external executor the generic transistor is not worth a process.
    worth = pool is local or source_of(study.kind.transistor(study.tables)) is not None
    tried = trial.try_study(study, local, limit, report.say) if worth else Trial()
    for words in tried.words:
        report.warn(words)
    return _Way(pool, limit, tried, tried.load_s)


def _tell_time(ways: Sequence[tuple[Study, _Way]], report: Report) -> None:
    """Estimate beforehand the time of the new sweeps."""
    if words := trial.estimate([(study, way.trial) for study, way in ways if way.trial is not None]):
        report.say(words)


def _placed_before(study: Study, path: Path) -> Study:
    """Place the points of refined ranges as in the existing run of the same study."""
    if refinement.to_place(study) and (path / "study.toml").exists():
        there = load_study(path / "study.toml", written=True)
        unplaced = refinement.without_grids(there).sweep
        if (unplaced.amplitude, unplaced.duration) == (study.sweep.amplitude, study.sweep.duration):
            return refinement.with_ranges(study, there.sweep.amplitude, there.sweep.duration)
    return study


def _placed(study: Study, path: Path, way: _Way, report: Report) -> Study:
    """Place the points of refined ranges, or take them from the existing run of the same study."""
    study = _placed_before(study, path)
    if not refinement.to_place(study):
        return study
    pilot, device = refinement.pilot(study)
    tasks = [Task(pilot, device, direction) for direction in study.sweep.directions]
    done = way.complete(tasks, report.say)
    return refinement.place(study, pd.concat([part.samples for part in done]))


def _directory(study: Study, path: Path, way: _Way, report: Report) -> tuple[RunDirectory, pd.DataFrame]:
    """Return the run directory and all devices that the study allows, newly drawn or existing."""
    devices = RunDirectory.stored_devices(path, study)
    if devices is not None:
        return RunDirectory(path, study), devices
    if (path / "study.toml").exists():
        grown = RunDirectory.growth(path, study)
        report.say(
            f"the run grows: {'; '.join(grown)}"
            if grown
            else "devices.parquet is missing or damaged; its devices are drawn again"
        )
    devices = _draw_devices(study, way, report)
    return RunDirectory.create(path, study, devices), devices


def _draw_devices(study: Study, way: _Way, report: Report) -> pd.DataFrame:
    """Draw the devices of a study, more of the weak ones if the pilot shows that they are needed."""
    if not importance.worth_a_pilot(study):
        return importance.sample_replicates(study)
    pilot = importance.pilot_devices(study)
    tasks = [Task(study, pilot, direction) for direction in study.sweep.directions]
    done = list(way.complete(tasks, report.say))
    shift = importance.find_shift(study, pd.concat([part.samples for part in done]))
    if shift is None:
        return importance.sample_replicates(study)
    return importance.sample_shifted(study, shift)


def _tell_left_out(study: Study, report: Report) -> None:
    """Report the lines of the user's transistor file that decks omit."""
    for words in _left_out(study):
        report.warn(words)


def _left_out(study: Study) -> list[str]:
    source = source_of(study.kind.transistor(study.tables))
    return [] if source is None else list(source.left_out)


class _Sweep:
    """The sweep of the devices of a run directory, in rounds until it is precise enough."""

    def __init__(
        self,
        directory: RunDirectory,
        devices: pd.DataFrame,
        way: _Way,
        report: Report,
    ) -> None:
        self._directory, self._devices, self._way = directory, devices, way
        self._report = report
        tasks = plan(directory.study, devices)
        digest = directory.record().transistor_read_sha256
        self._parts = Parts(directory, tasks, report, versions={"transistor": digest} if digest else None)
        for file in self._parts.files(tasks):
            report.tally.add(RunDirectory.read_part(file, ["direction", "amplitude_V", "status", "reason"]))

    def run(self) -> None:
        """Complete the sweep: the writes, then the reads."""
        study, directory = self._directory.study, self._directory
        for devices in precision.rounds(study):
            tasks = plan(study, self._devices.iloc[:devices])
            self._report.start(sum(task.rows for task in tasks) + read_rows(study))
            for done in self._complete(self._parts.todo(tasks)):
                failures.keep_decks(directory, done.samples, self._devices)
                self._parts.keep(done)
            words: dict[str, object] = {"devices_used": devices, "versions": self._parts.versions}
            if study.sweep.precision is not None:
                files = self._parts.files(tasks)
                words["interval_decades"] = precision.widest_interval(study, self._devices[:devices], files)
                self._report.say(
                    f"{devices} devices: the widest interval is {words['interval_decades']:.3f} decade"
                )
            if precision.is_precise_enough(study, words):
                break
        if any(getattr(directory.record(), key) != value for key, value in words.items()):
            directory.note(**words)
        if reads_of(study) is not None:
            Reading(directory, self._complete, self._report).run()
        self._report.end()

    def _complete(self, tasks: Iterable[Work]) -> Iterator[Done]:
        return self._way.complete(tasks, self._report.say, self._report.under_way)


@contextlib.contextmanager
def _pool(workers: int | None, executor: Executor | None) -> Iterator[Executor]:
    """Return the given executor, or processes that end with the block, at once after an error."""
    if executor is not None:
        yield executor
        return
    pool = LocalPool(workers)
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
