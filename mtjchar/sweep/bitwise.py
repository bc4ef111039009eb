"""The bitwise reads of a sweep, after its reads: the curves, the pilot, and the groups of cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtjchar.errors import InputError, SimulationError
from mtjchar.sweep import bitwise_population, read_store
from mtjchar.sweep.bitwise_tasks import CurveTask, GroupTask, bitwise_of, plan_groups
from mtjchar.sweep.events import Report
from mtjchar.sweep.part_folders import GROUP_SAMPLES
from mtjchar.sweep.parts import Parts, check_versions
from mtjchar.sweep.population import Population
from mtjchar.sweep.reading import Complete, as_counted
from mtjchar.sweep.schedule import Done
from mtjchar.sweep.store import RunDirectory

__all__ = ["run_bitwise"]


def run_bitwise(directory: RunDirectory, complete: Complete, report: Report) -> None:
    """Complete the bitwise reads of a run; nothing if its study asks for none, or they are there.

    Parameters
    ----------
    directory : RunDirectory
    complete : callable
        Does tasks and yields each when it is complete.
    report : Report

    Raises
    ------
    SimulationError
        If the nominal cells could not be simulated, or stored parts were made by other programs.
    StorageError
        If a file cannot be written.
    """
    study = directory.study
    if bitwise_of(study) is None:
        return
    versions = directory.record().versions
    _make_curves(directory, complete, report)
    devices = _groups(directory, complete, report)
    tasks = plan_groups(study, devices)
    parts = Parts(directory, tasks, report, GROUP_SAMPLES, versions)
    needed = ["voltage_V", "status", "reason"]
    for file in parts.files(tasks):
        report.tally.add(as_counted(directory.read_part(file, needed, GROUP_SAMPLES)))
    report.part()
    for done in complete(parts.todo(tasks)):
        parts.keep(done, as_counted)
    if directory.record().versions != parts.versions:
        directory.note(versions=parts.versions)


def _make_curves(directory: RunDirectory, complete: Complete, report: Report) -> None:
    """Simulate the curves of nominal cells, if they are not stored."""
    try:
        read_store.read_table(directory, "bitwise_curves")
    except InputError:
        _say_damaged(directory, report, "bitwise_curves")
    else:
        return
    nominal = Population(directory.study).nominal()
    done = next(iter(complete([CurveTask(directory.study, nominal)])))
    if (done.samples["status"] != "ok").any():
        raise SimulationError(
            f"The nominal cells of the bitwise reads could not be simulated: {done.samples['reason'].iloc[0]}"
        )
    _check(directory, done)
    table = done.samples.drop(columns=["status", "reason"])
    read_store.write_table(directory, "bitwise_curves", table, done.versions)


def _groups(directory: RunDirectory, complete: Complete, report: Report) -> pd.DataFrame:
    """Return the stored cells of all groups, or draw them."""
    study = directory.study
    try:
        return read_store.read_table(directory, "bitwise_devices")
    except InputError:
        _say_damaged(directory, report, "bitwise_devices")
    shift = None
    if bitwise_population.worth_a_pilot(study):
        done = next(iter(complete([GroupTask(study, bitwise_population.pilot_groups(study))])))
        _check(directory, done)
        if np.all(done.samples["status"] == "ok"):
            shift = bitwise_population.find_group_shift(study, done.samples)
    devices = bitwise_population.draw_groups(study, shift)
    words = None
    if shift is not None:
        words = {"directions": shift.directions.tolist(), "reach": shift.reach.tolist()}
    directory.note(bitwise_shift=words)
    read_store.write_table(directory, "bitwise_devices", devices, {})
    return devices


def _check(directory: RunDirectory, done: Done) -> None:
    check_versions(directory.path, done.versions, directory.record().versions)


def _say_damaged(directory: RunDirectory, report: Report, name: str) -> None:
    if getattr(directory.record(), f"{name}_sha256") is not None:
        report.say(f"{name}.parquet is missing or damaged; it is made again")
