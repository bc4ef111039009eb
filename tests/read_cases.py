"""A kind of cell that is read by a resistive divider, whose population means follow from quadrature."""

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import SerializerFunctionWrapHandler, model_serializer
from scipy.special import ndtr
from scipy.stats import truncnorm
from test_toy_kind import ToyCell

from mtjchar.cells import CellTables, FileTables
from mtjchar.cells.base import CellDescription
from mtjchar.cells.reading import Reads, ReferenceLevel, Sensed
from mtjchar.cells.variability import CUT, NO_SPREAD, Spread, Variability
from mtjchar.fields import Description, Duration, Number, Resistance, Voltage
from mtjchar.study import load_study

STUDY = """
[cell]
kind = "divider"
resistance = "5 kohm"
high_resistance = "10 kohm"
stability = 60
rate_constant = 5e12
[read]
[variability]
resistance = 0.04
high_resistance = 0.04
stability = 0.04
[sweep]
amplitude = { start = "0.5 V", stop = "2 V", points = 3 }
duration = { start = "1 ns", stop = "100 ns", points = 3 }
devices = 1000
seed = 5
"""

LOAD, TIME_CONSTANT, CRITICAL, ATTEMPTS = 5e3, 2e-9, 1.0, 1e9  # ohm, s, V, 1/s


class DividerVariability(Variability):
    units: ClassVar[dict[str, str]] = {"resistance": "ohm", "high_resistance": "ohm", "stability": ""}
    resistance: Spread = NO_SPREAD
    high_resistance: Spread = NO_SPREAD
    stability: Spread = NO_SPREAD


class DividerTable(Description):
    kind: Literal["divider"]
    resistance: Resistance
    high_resistance: Resistance
    stability: Number
    rate_constant: Number


class DividerRead(Description):
    lowest: Voltage = 0.1
    highest: Voltage = 0.5
    voltages: int = 6
    shortest: Duration = 1e-9
    longest: Duration = 20e-9
    times: int = 8
    offset: Voltage = 3e-3
    noise: Voltage = 0.5e-3
    reference_is_varied: bool = True
    breaks_above: Voltage | None = None


class DividerTables(CellTables):
    cell: DividerTable
    read: DividerRead | None = None
    variability: DividerVariability = DividerVariability()

    def nominal(self, name):
        return getattr(self.cell, name)

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = handler(self)
        if self.read is None:
            written.pop("read", None)
        return written


class DividerCell(ToyCell):
    """The toy, read by a divider: V R/(R + load) (1 - exp(-t/tau)), against half of P and half of AP."""

    name = "divider"
    tables = DividerTables
    sampled: ClassVar[dict[str, str]] = {
        "resistance": "resistance_ohm", "high_resistance": "high_resistance_ohm", "stability": "stability",
    }  # fmt: skip
    file_keys: ClassVar[dict[str, tuple[str, ...]]] = {}
    calls: ClassVar[dict[str, int]] = {"sense": 0, "sense_reference": 0}

    def complete_tables(self, data, file):  # noqa: ARG002
        return FileTables(data)

    def describe(self, tables):  # noqa: ARG002
        return CellDescription("divider", "A divider.")

    def reads(self, tables):
        read = tables.read
        if read is None:
            return None
        voltage = np.linspace(read.lowest, read.highest, read.voltages)
        time = np.geomspace(read.shortest, read.longest, read.times)
        return Reads(voltage, time, "V", True, read.offset, read.noise)

    def sense_reference(self, tables, devices, reads):
        self.calls["sense_reference"] += 1
        level = self.level(devices, reads).mean(axis=1)
        deviation = level.std(axis=0) if tables.read.reference_is_varied else np.zeros(level.shape[1:])
        return ReferenceLevel(level.mean(axis=0), deviation)

    def level(self, devices, reads):
        """Level of both states, shape (devices, 2, voltages, times)."""
        resistance = devices[["resistance_ohm", "high_resistance_ohm"]].to_numpy()[:, :, None, None]
        return level(resistance, reads.voltage_V[:, None], reads.time_s)

    def sense(self, tables, devices, reads):
        self.calls["sense"] += 1
        found = self.level(devices, reads)
        stability = devices["stability"].to_numpy()[:, None, None, None]
        sign = np.array([1.0, -1.0])[:, None, None]
        disturb = disturb_rate(stability, sign * reads.voltage_V[:, None], reads.time_s)
        energy = reads.voltage_V[:, None] ** 2 / LOAD * reads.time_s + 1e-15
        failure = np.full((len(devices), len(reads.voltage_V)), "", dtype=object)
        if tables.read.breaks_above is not None:
            broken = devices["resistance_ohm"].to_numpy() == devices["resistance_ohm"].min()
            failure[np.ix_(broken, reads.voltage_V > tables.read.breaks_above)] = "ngspice: no convergence"
        status = np.where(failure == "", "ok", "not_converged").astype(object)
        note = np.full_like(failure, "")
        shape = found.shape
        return Sensed(found, disturb, np.broadcast_to(energy, shape), failure, status, note)


def level(resistance, voltage, time):
    """Level of a divider that settles, V."""
    return voltage * resistance / (resistance + LOAD) * -np.expm1(-time / TIME_CONSTANT)


def disturb_rate(stability, voltage, time):
    """Escape over a barrier that the read lowers (positive V) or raises."""
    return -np.expm1(-ATTEMPTS * time * np.exp(-stability * (1.0 - voltage / CRITICAL)))


def quadrature(study, reads, reference):
    """Means of read error rate and disturb rate, shape (2, voltages, times), over the cut distributions."""
    x = np.linspace(-CUT, CUT, 20_001)
    weight = truncnorm(-CUT, CUT).pdf(x) * (x[1] - x[0])
    weight[[0, -1]] *= 0.5
    cell, spread = study.cell, study.variability
    total = np.sqrt(reads.offset**2 + reads.noise**2 + reference.deviation**2)
    error = np.empty((2, len(reads.voltage_V), len(reads.time_s)))
    disturb = np.empty_like(error)
    for i, voltage in enumerate(reads.voltage_V):
        for j, time in enumerate(reads.time_s):
            for state, name in enumerate(("resistance", "high_resistance")):
                r = getattr(cell, name) * (1.0 + getattr(spread, name).sigma * x)
                margin = (level(r, voltage, time) - reference.mean[i, j]) * (1.0 if state else -1.0)
                error[state, i, j] = weight @ ndtr(-margin / total[i, j])
                stability = cell.stability * (1.0 + spread.stability.sigma * x)
                disturb[state, i, j] = weight @ disturb_rate(stability, (1 - 2 * state) * voltage, time)
    return error, disturb


def study_of(folder, text=STUDY, **changes):
    """Write a study of such cells into a folder, and load it."""
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    study = load_study(file)
    return study.with_(**changes) if changes else study
