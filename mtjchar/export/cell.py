"""Values of a cell for memory simulators: resistances, sizes, and a write in each direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtjchar.cells import Direction
from mtjchar.cells.stt.kind import SttCell
from mtjchar.errors import InputError
from mtjchar.export.operating_point import Settings, pulse
from mtjchar.export.provenance import study_of
from mtjchar.study import Study
from mtjchar.surfaces import ReadPoint, ReadSurface, WriteSurface
from mtjchar.surfaces.read_search import USUAL_DISTURB, USUAL_ERROR, check_margin, usual_point
from mtjchar.surfaces.tails import StatedRate
from mtjchar.sweep.population import Population
from mtjchar.units import compact

__all__ = ["MIN_SENSE_VOLTAGE", "READ_VOLTAGE", "Cell", "CellRead", "Write", "describe_cell"]

READ_VOLTAGE = 0.1
"""V, assumed for a run without reads: read voltage of the cell, far below what writes."""

MIN_SENSE_VOLTAGE = 0.025
"""V, assumed for a run without reads: as in NVSim's sample cells."""


_SET, _RESET = "ap_to_p", "p_to_ap"  # to the low resistance, to the high one


@dataclass(frozen=True)
class Write:
    """A write in one direction at the operating point.

    Energies (J) are means over devices and over thermal noise of a switching and of a redundant write; the
    current (A) is the average output of the drivers, energy over amplitude times duration.
    """

    amplitude: float
    duration: float
    rate: StatedRate
    energy: float
    redundant_energy: float

    @property
    def current(self) -> float:
        """Mean current of the switching write, A."""
        return self.energy / (self.amplitude * self.duration)


@dataclass(frozen=True)
class CellRead:
    """A read of a cell: from the read surface of its run, or assumed.

    Voltages in V, power in W, the mean over the sensing time. `mode` is ``voltage`` or ``current``; `words`
    say where the values are from.
    """

    voltage: float
    least_sense_voltage: float
    power: float
    mode: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A cell in NVSim's terms, SI; areas and widths in units of the feature size F.

    `set` writes the low resistance (``ap_to_p``), `reset` the high one (``p_to_ap``).
    """

    resistance_on: float
    resistance_off: float
    feature_size: float
    access_width: float
    area: float
    aspect_ratio: float
    access_drop: float
    read: CellRead
    set: Write
    reset: Write

    @property
    def assumptions(self) -> list[str]:
        """Assumptions that neither surface nor study contains, in words."""
        return [
            "SET: to the low resistance (ap_to_p), bit 0 of mtjchar's memory; RESET: to the high resistance",
            "(p_to_ap), bit 1.",
            "Currents: mean over the pulse, energy / (amplitude x duration), of a switching write.",
            "Energies: of a switching write, at the cell's lines, drivers without loss.",
            "Resistances: nominal device, zero bias, temperature of the study.",
            f"Assumed: F = {compact(self.feature_size, 'm')}; cell area {self.area:.4g} F^2.",
            *self.read.words,
            "Access drop: of the parallel state at the read voltage; the access resistance is what the",
            "redundant ap_to_p write leaves over junction and lines, an upper bound.",
        ]


def describe_cell(surface: WriteSurface, settings: Settings) -> Cell:
    """Gather a cell's values at the operating point, the cheapest pulse for each direction.

    Raises
    ------
    InputError
        If the simulators' cell files do not support the kind of the cells.
    InputError, OutsideGridError, UnreachableError
        See `mtjchar.export.operating_point.pulse` and `mtjchar.export.provenance.study_of`.
    """
    _check_kind(surface)
    reset, set_ = (_write(surface, direction, settings) for direction in (_RESET, _SET))
    study = study_of(surface)
    device = Population(study).nominal().iloc[0]
    parallel = float(device["parallel_resistance_ohm"])
    access = _access_resistance(set_, study, parallel)
    loop = parallel + access + study.cell.bitline.resistance + study.cell.sourceline.resistance
    transistor = study.cell.transistor
    read = _read(settings.reads, loop)
    feature = settings.feature_size or transistor.length
    width = transistor.width / feature
    # X. Dong et al., IEEE Trans. CAD 31, 994 (2012), doi:10.1109/TCAD.2012.2185930: a cell with an MOS
    # access device takes 3 (W/L + 1) F^2; three F along the bit line, the transistor's width across.
    return Cell(
        resistance_on=parallel,
        resistance_off=float(device["antiparallel_resistance_ohm"]),
        feature_size=feature,
        access_width=width,
        area=settings.cell_area or 3.0 * (width + 1.0),
        aspect_ratio=3.0 / (width + 1.0),
        access_drop=read.voltage * access / loop,
        read=read,
        set=set_,
        reset=reset,
    )


_OTHER_FORMATS = "For cells of other kinds take a format that holds the whole surface, for example csv."


def _read(reads: ReadSurface | None, loop: float) -> CellRead:
    """Read of a cell whose parallel state has the resistance `loop` (ohm) with access and lines."""
    if reads is None:
        words = (
            f"Assumed: read voltage {compact(READ_VOLTAGE, 'V')}, "
            f"least sense voltage {compact(MIN_SENSE_VOLTAGE, 'V')}.",
            "Read power: of the parallel state at the read voltage.",
        )
        return CellRead(READ_VOLTAGE, MIN_SENSE_VOLTAGE, READ_VOLTAGE**2 / loop, "current", words)
    point, origin = _operating_point(reads)
    by_voltage = reads.margin_unit == "V"
    least = point.margin if by_voltage else MIN_SENSE_VOLTAGE
    sensed = "its mean margin" if by_voltage else "assumed, since currents are compared"
    more = f"Least sense voltage {compact(least, 'V', 4)}: {sensed}. Read power: energy over time."
    mode = "voltage" if by_voltage else "current"
    return CellRead(point.voltage_V, least, point.energy_J / point.time_s, mode, (*origin, more))


def _operating_point(reads: ReadSurface) -> tuple[ReadPoint, tuple[str, ...]]:
    """Fastest read with the usual rates, or that with the largest margin if none has them."""
    check_margin(reads)
    point = usual_point(reads)
    why = f"fastest with a read error rate of {USUAL_ERROR:g} and a disturb rate of {USUAL_DISTURB:g}"
    if point is None:
        margin = reads.dataset["margin_deviations"].min("state").to_numpy()
        voltage, time = np.unravel_index(int(np.argmax(margin)), margin.shape)
        point = reads.point_at(float(reads.voltages[voltage]), float(reads.times[time]))
        why = "largest margin; none has the usual rates"
    return point, (
        f"Read, from the read surface of the run: {compact(point.voltage_V, 'V', 4)}, "
        f"{compact(point.time_s, 's', 4)}, {compact(point.energy_J, 'J', 4)} ({why}),",
        f"read error rate {point.read_error_rate:.3g}, disturb rate {point.disturb_rate:.3g}"
        f"{', extrapolated' if point.extrapolated else ''}.",
    )


def _check_kind(surface: WriteSurface) -> None:
    if not set(surface.directions) <= {_SET, _RESET}:
        raise InputError(
            "directions of the surface",
            value=", ".join(surface.directions),
            allowed=f"{_SET} and {_RESET}, of a junction between two states",
            remedy=_OTHER_FORMATS,
        )
    if surface.kind.name != SttCell.name:
        raise InputError(
            "cell kind of the surface",
            value=surface.kind.name,
            allowed=f"{SttCell.name}: the files have one access transistor in series with the junction",
            remedy=_OTHER_FORMATS,
        )


def _write(surface: WriteSurface, direction: Direction, settings: Settings) -> Write:
    point = pulse(surface, direction, settings)
    amplitude, duration, energy = point.amplitude_V, point.duration_s, point.energy_J
    redundant = float(surface.energy(direction, amplitude, duration, switching=False))
    if not energy > 0.0:
        raise InputError(
            f"energy of {direction} at {compact(amplitude, 'V')} and {compact(duration, 's')}",
            value=energy,
            allowed="a positive energy",
            remedy="Choose a longer pulse: the current follows from the energy.",
        )
    return Write(amplitude, duration, point.rate, energy, redundant)


def _access_resistance(set_: Write, study: Study, parallel: float) -> float:
    """Resistance of the access transistor, ohm; from the write that starts in the parallel state."""
    loop = set_.amplitude**2 * set_.duration / set_.redundant_energy
    lines = study.cell.bitline.resistance + study.cell.sourceline.resistance
    if study.cell.transistor.on_resistance is not None:
        return float(study.cell.transistor.on_resistance)
    return max(float(loop - parallel - lines), 0.0)
