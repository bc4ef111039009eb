"""The reads of a sweep, after its writes: the reference, the pilot, and the devices in both states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from mtjchar.cells.reading import Reads, ReferenceLevel
from mtjchar.errors import InputError, SimulationError
from mtjchar.sweep import importance, read_population, read_store
from mtjchar.sweep.events import Report
from mtjchar.sweep.part_folders import READ_SAMPLES
from mtjchar.sweep.parts import Parts, check_versions
from mtjchar.sweep.read_tasks import ReadTask, ReferenceTask, plan_reads, reads_of
from mtjchar.sweep.schedule import Done
from mtjchar.sweep.store import RunDirectory
from mtjchar.sweep.tasks import Work

__all__ = ["Reading", "as_counted"]

Complete = Callable[[Iterable[Work]], Iterator[Done]]


def as_counted(samples: pd.DataFrame) -> pd.DataFrame:
    """Give samples of reads the columns by which failures of writes are counted."""
    return samples.assign(direction="read", amplitude_V=samples["voltage_V"])


class Reading:
    """The reads of a run directory.

    Parameters
    ----------
    directory : RunDirectory
        Of a study with reads.
    complete : callable
        Does tasks and yields each when it is complete.
    report : Report
    """

    def __init__(self, directory: RunDirectory, complete: Complete, report: Report) -> None:
        self._directory, self._complete, self._report = directory, complete, report
        self._versions = directory.record().versions

    def run(self) -> None:
        """Complete the reads; what is there is not done again.

        Raises
        ------
        SimulationError
            If the reference could not be simulated, or stored parts were made by other programs.
        StorageError
            If a file cannot be written.
        """
        directory, study = self._directory, self._directory.study
        reads = reads_of(study)
        assert reads is not None, "reading of a study without reads"
        reference = self._reference(reads)
        devices = self._devices(reads, reference)
        tasks = plan_reads(study, devices, reference)
        parts = Parts(directory, tasks, self._report, READ_SAMPLES, self._versions)
        needed = ["voltage_V", "status", "reason"]
        for file in parts.files(tasks):
            self._report.tally.add(as_counted(directory.read_part(file, needed, READ_SAMPLES)))
        self._report.part()
        for done in self._complete(parts.todo(tasks)):
            parts.keep(done, as_counted)
        if directory.record().versions != parts.versions:
            directory.note(versions=parts.versions)

    def _reference(self, reads: Reads) -> ReferenceLevel:
        """Return the stored reference, or simulate it."""
        try:
            return read_store.read_reference(self._directory)
        except InputError:
            self._say_damaged("read_reference")
        study = self._directory.study
        done = next(iter(self._complete([ReferenceTask(study, read_population.reference_devices(study))])))
        if (
            done.samples["status"].iloc[0] != "ok"
            or not np.isfinite(
                done.samples[[f"mean_{reads.unit}", f"deviation_{reads.unit}"]].to_numpy()
            ).all()
        ):
            reason = done.samples["reason"].iloc[0] or "it gave no numbers"
            raise SimulationError(f"The reference of the reads could not be simulated: {reason}")
        self._check(done)
        table = done.samples.drop(columns=["status", "reason"])
        read_store.write_table(self._directory, "read_reference", table, done.versions)
        return read_store.read_reference(self._directory)

    def _devices(self, reads: Reads, reference: ReferenceLevel) -> pd.DataFrame:
        """Return the stored devices, or draw them."""
        try:
            return read_store.read_devices(self._directory)
        except InputError:
            self._say_damaged("read_devices")
        study, shift = self._directory.study, None
        if read_population.worth_a_pilot(study):
            pilot = ReadTask(study, importance.pilot_devices(study), reference)
            done = next(iter(self._complete([pilot])))
            self._check(done)
            shift = read_population.find_read_shift(study, reads, reference, done.samples)
        devices = read_population.draw_read_devices(study, shift)
        if shift is not None:
            words = {"directions": shift.directions.tolist(), "reach": shift.reach.tolist()}
            self._directory.note(read_shift=words)
        read_store.write_table(self._directory, "read_devices", devices, {})
        return devices

    def _check(self, done: Done) -> None:
        check_versions(self._directory.path, done.versions, self._versions)

    def _say_damaged(self, name: str) -> None:
        if getattr(self._directory.record(), f"{name}_sha256") is not None:
            self._report.say(f"{name}.parquet is missing or damaged; it is made again")
