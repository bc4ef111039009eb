"""The table ``[read]`` of a study: how a cell on a bit line and a source line is read.

A read has one line at the read voltage and the other at 0 V. The word line then goes up, and a current flows
through the cell. After the sensing time a sense amplifier compares the cell's column with a reference column.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mtjchar.cells.bitwise import Bitwise
from mtjchar.cells.ranges import TimeRange, VoltageRange
from mtjchar.fields import (
    Capacitance,
    Current,
    Description,
    Duration,
    Energy,
    Number,
    Resistance,
    Voltage,
    inconsistent,
)
from mtjchar.units import compact

__all__ = ["Read", "Reference", "SenseAmplifier"]


class SenseAmplifier(Description):
    """The amplifier that compares a column with the reference.

    `offset` (V) and `current_offset` (A, of mode ``"current"``) are standard deviations of normal
    distributions. The defaults are those of a pair of transistors of 0.16 um^2 each with Pelgrom's
    coefficient of 2 mV um [1]_ and a gate capacitance of 20 fF/um^2 (1.7 nm of oxide); of the offset on a
    junction of 5 kohm; and, assumed, of 5 fF of its nodes that change by 1 V.

    References
    ----------
    .. [1] M. J. M. Pelgrom et al., IEEE J. Solid-State Circuits 24, 1433 (1989),
       doi:10.1109/JSSC.1989.572629.
    """

    offset: Voltage = Field(default=5e-3, ge=0, le=1)
    current_offset: Current = Field(default=1e-6, ge=0, le=1e-3)
    input_capacitance: Capacitance = Field(default=3e-15, ge=0, le=1e-12)
    energy: Energy = Field(default=5e-15, ge=0, le=1e-9)


class Reference(Description):
    """What the sense amplifier compares a column with.

    Either `resistance` (ohm) in place of the junction of a cell, with a relative standard deviation `spread`,
    or `cells` of the study, with their variability: ``"parallel"``, two columns with a cell in P and one in
    AP whose lines are connected, or ``"series"``, a column with two branches, each of a cell in P and one in
    AP. Both have the mean of P and AP, of the conductance or of the resistance. Without either key, the
    reference is ``cells = "parallel"``.
    """

    resistance: Resistance | None = Field(default=None, gt=0, lt=1e9)
    spread: Number = Field(default=0.0, ge=0, le=0.2)
    cells: Literal["parallel", "series"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _cells_by_default(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("resistance") is None and given.get("cells") is None:
            return {**given, "cells": "parallel"}
        return given

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.resistance is not None and self.cells is not None:
            raise inconsistent("cells", "none where the reference is a resistance")
        if self.resistance is None and self.spread:
            raise inconsistent("spread", "0 where cells are the reference: they have the study's variability")
        return self


class Read(Description):
    """How a cell is read, and the read voltages and sensing times that are simulated.

    In the modes ``"discharge"`` and ``"charge"`` the amplifier compares voltages of `sensed_line`, which is
    not driven any more. It is at the read voltage and is discharged through the cell, or it is at
    `precharge` and is charged through the cell from the other line, which is at the read voltage. In the mode
    ``"current"`` the sensed line stays at the read voltage, and the amplifier compares the currents into it.

    The read current flows out of the sensed line, and into it in the mode ``"charge"``. Which state it
    favours depends on `sensed_line`, and on which line is on the side of the free layer.

    `line_capacitance` is that of the sensed line, and `wordline_voltage` the high level of the word line;
    those of a write if they are not given. `rise` and `fall` are the ramps of the word line. A sensing time
    begins with the rise and ends with the decision, when the word line begins to fall. The default grid suits
    the lines of a short column, 20 fF, and voltages below those that write (assumed).
    """

    mode: Literal["discharge", "charge", "current"] = "discharge"
    sensed_line: Literal["bitline", "sourceline"] = "bitline"
    voltage: VoltageRange = VoltageRange(start=0.05, stop=0.2, points=12)
    time: TimeRange = TimeRange(start=0.1e-9, stop=2e-9, points=20)
    precharge: Voltage = Field(default=0.0, ge=0, le=5)
    line_capacitance: Capacitance | None = Field(default=None, gt=0, lt=1e-11)
    wordline_voltage: Voltage | None = Field(default=None, gt=0, le=5)
    rise: Duration = Field(default=100e-12, ge=1e-12, le=10e-9)
    fall: Duration = Field(default=100e-12, ge=1e-12, le=10e-9)
    reference: Reference = Reference()
    amplifier: SenseAmplifier = SenseAmplifier()
    bitwise: Bitwise | None = None

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        if self.precharge and self.mode != "charge":
            raise inconsistent(
                "precharge", f'0 V where mode = "{self.mode}": the sensed line starts at the read voltage'
            )
        if self.precharge >= self.voltage.start:
            raise inconsistent("precharge", "less than the smallest read voltage, voltage.start")
        if self.time.start < self.rise:
            raise inconsistent("time.start", f"at least the rise of the word line, {compact(self.rise, 's')}")
        own, other = ("current_offset", "offset") if self.mode == "current" else ("offset", "current_offset")
        if getattr(self.amplifier, other) != SenseAmplifier.model_fields[other].default:
            raise inconsistent(f"amplifier.{other}", f'none where mode = "{self.mode}": give {own}')
        return self

    @property
    def unit(self) -> str:
        """Unit of the compared levels: A for currents, V for voltages."""
        return "A" if self.mode == "current" else "V"

    @property
    def offset(self) -> float:
        """Standard deviation of the amplifier's offset, in `unit`."""
        return self.amplifier.current_offset if self.mode == "current" else self.amplifier.offset

    @property
    def current_from(self) -> str:
        """Line from which the read current flows."""
        other = {"bitline": "sourceline", "sourceline": "bitline"}
        return other[self.sensed_line] if self.mode == "charge" else self.sensed_line
