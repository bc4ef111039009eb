"""The tables of a study of an SOT cell: stack, junction, channel, cell and variability."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from mtjchar.cells.base import CellTables, Grid
from mtjchar.cells.stt.stack import Stack
from mtjchar.cells.stt.tables import DIRECTIONS, Cell, ExternalField, Junction, Line, SttTables
from mtjchar.cells.transistor import Transistor
from mtjchar.cells.variability import CUT, NO_SPREAD, AreaCoefficient, Spread, Variability
from mtjchar.fields import (
    Angle,
    Description,
    Duration,
    InUnit,
    Length,
    Number,
    Temperature,
    Voltage,
    inconsistent,
)
from mtjchar.physics.anisotropy import TEMPERATURE_RANGE
from mtjchar.physics.spin_orbit import polarization
from mtjchar.units import compact

__all__ = ["AssistPulse", "Channel", "SotTables", "SotVariability", "ThreeTerminalCell"]

_SMALL = 1e-9  # of a direction: below that a component is 0


class Channel(Description):
    """The channel below the junction. Its current writes.

    `spin_hall_angle` is that of the damping-like torque, with its sign. `field_like_ratio` is the field-like
    torque over the damping-like torque. docs/torque.md defines the signs. The junction is at the middle of
    the channel. `angle` is the direction of a positive current in the plane, from x, the long axis of the
    junction. `spin_tilt` is the angle of the spins out of the plane. It describes an easy axis that is tilted
    by this angle from the normal of the film, across the current. Above `largest_current_density` there is a
    warning that the channel may melt.
    """

    spin_hall_angle: Number = Field(ge=-5, le=5)
    field_like_ratio: Number = Field(default=0.0, ge=-10, le=10)
    thickness: Length = Field(gt=0.5e-9, lt=100e-9)
    width: Length = Field(gt=5e-9, lt=5e-6)
    length: Length = Field(gt=5e-9, lt=50e-6)
    resistivity: Annotated[float, InUnit("ohm*m")] = Field(gt=1e-8, lt=1e-3)
    angle: Angle = Field(default=0.0, ge=-math.pi, le=math.pi)
    spin_tilt: Angle = Field(default=0.0, ge=-math.pi / 2, le=math.pi / 2)
    largest_current_density: Annotated[float, InUnit("A/m^2")] = Field(default=5e12, gt=1e9, lt=1e15)

    @model_validator(mode="after")
    def _writes(self) -> Self:
        if self.spin_hall_angle == 0.0:
            raise inconsistent(
                "spin_hall_angle", "a value other than 0, positive or negative: without it nothing is written"
            )
        return self

    @property
    def spins(self) -> tuple[float, float, float]:
        """Polarization of the spins of a positive current."""
        return polarization(self.angle, self.spin_tilt)


class AssistPulse(Description):
    """A pulse of the read line during a write. Its spin-transfer torque favours the state written.

    `amplitude` is the voltage between the middle of the write lines and the driver of the read line. The
    pulse begins at `delay` after the half rise of the write pulse. It may end after the write pulse.
    """

    amplitude: Voltage = Field(gt=0, le=2)
    delay: Duration = Field(default=0.0, ge=0, le=1e-6)
    duration: Duration = Field(ge=10e-12, le=1e-6)


class ThreeTerminalCell(Description):
    """A junction on a channel, with the transistors that write and read it, their lines and drivers.

    With `topology` ``"2t"`` one transistor writes. It is between the bit line and the channel. The other end
    of the channel is at the source line. A second transistor connects the reference layer to the read line.
    With ``"3t"``, two transistors of the same size write in parallel. The third one connects the bit line and
    the reference layer and helps to write. There is no read line. `transistor` is the write transistor.
    `read_width` is the width of the read transistor, which is otherwise the same.

    The write lines are at 0 V at rest. In a write one of them goes to the amplitude. The read transistor of a
    2T cell is on in a write only with `junction_bias` or during `assist`. `junction_bias` is the voltage from
    the middle of the write lines to the driver of the read line. It lasts as long as the pulse. A positive
    voltage favours P.
    """

    kind: Literal["sot"]
    topology: Literal["2t", "3t"] = "2t"
    easy_axis: Literal["perpendicular", "in-plane"] = "perpendicular"
    temperature: Temperature = Field(default=300.0, ge=TEMPERATURE_RANGE[0], le=TEMPERATURE_RANGE[1])
    external_field: ExternalField = ExternalField()
    junction_bias: Voltage = Field(default=0.0, ge=-2, le=2)
    assist: AssistPulse | None = None
    wordline_voltage: Voltage = Field(default=1.4, gt=0, le=5)
    read_wordline_voltage: Voltage | None = Field(default=None, gt=0, le=5)
    bitline: Line = Line()
    sourceline: Line = Line()
    readline: Line = Line()
    transistor: Transistor = Transistor()
    read_width: Length = Field(default=100e-9, gt=20e-9, lt=100e-6)

    @model_validator(mode="after")
    def _read_path(self) -> Self:
        if self.topology == "3t":
            others = {
                "junction_bias": self.junction_bias != 0.0,
                "assist": self.assist is not None,
                "readline": self.readline != Line(),
            }
            for key, given in others.items():
                if given:
                    raise inconsistent(
                        key,
                        'none with topology = "3t": the reference layer is at the bit line, and the '
                        'amplitude determines its current; topology = "2t" has a read line',
                    )
        return self

    @property
    def read_transistor(self) -> Transistor:
        """The transistor at the reference layer."""
        return self.transistor.model_copy(update={"width": self.read_width})

    @property
    def reads_in_write(self) -> bool:
        """Whether the read transistor is on in a write."""
        return self.topology == "3t" or self.junction_bias != 0.0 or self.assist is not None

    @property
    def read_gate(self) -> float:
        """Level of the word line of the read transistor in a write, V."""
        if not self.reads_in_write:
            return 0.0
        return self.wordline_voltage if self.read_wordline_voltage is None else self.read_wordline_voltage

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = handler(self)
        if self.topology == "3t":
            table.pop("readline", None)
        return table


_OF_STACK = (
    "free_layer_thickness", "saturation_magnetization", "interfacial_anisotropy", "damping",
    "spin_polarization", "resistance_area_product", "tmr",
)  # fmt: skip
_SHIFTS = ("threshold_voltage", "read_threshold_voltage")
_FACTORS = ("external_field", "current_factor", "read_current_factor")


class SotVariability(Variability):
    """Standard deviations of normal distributions, cut at 5 sigma; relative if no unit is given.

    `threshold_voltage` and `current_factor` are those of the write transistor. A 3T cell has one value for
    both transistors that write. `external_field` is the spread of a factor of the field.
    """

    units: ClassVar[dict[str, str]] = {
        "diameter": "m",
        "free_layer_thickness": "m",
        "saturation_magnetization": "A/m",
        "interfacial_anisotropy": "J/m^2",
        "damping": "",
        "spin_polarization": "",
        "resistance_area_product": "ohm*m^2",
        "tmr": "",
        "threshold_voltage": "V",
        "current_factor": "",
        "read_threshold_voltage": "V",
        "read_current_factor": "",
        "spin_hall_angle": "",
        "field_like_ratio": "",
        "channel_thickness": "m",
        "channel_width": "m",
        "channel_length": "m",
        "channel_resistivity": "ohm*m",
        "external_field": "",
    }
    area_coefficients: ClassVar[dict[str, AreaCoefficient]] = {
        "threshold_voltage": AreaCoefficient("avt", "V*m", "2 mV*um", relative=False),
        "current_factor": AreaCoefficient("abeta", "m", "1 %*um", relative=True),
        "read_threshold_voltage": AreaCoefficient("avt", "V*m", "2 mV*um", relative=False),
        "read_current_factor": AreaCoefficient("abeta", "m", "1 %*um", relative=True),
    }
    absolute: ClassVar[dict[str, str]] = dict.fromkeys(
        _SHIFTS, 'a voltage, such as "15 mV", or { avt = "2 mV*um" }'
    )

    diameter: Spread = NO_SPREAD
    free_layer_thickness: Spread = NO_SPREAD
    saturation_magnetization: Spread = NO_SPREAD
    interfacial_anisotropy: Spread = NO_SPREAD
    damping: Spread = NO_SPREAD
    spin_polarization: Spread = NO_SPREAD
    resistance_area_product: Spread = NO_SPREAD
    tmr: Spread = NO_SPREAD
    threshold_voltage: Spread = Spread(sigma=0.0, relative=False)
    current_factor: Spread = NO_SPREAD
    read_threshold_voltage: Spread = Spread(sigma=0.0, relative=False)
    read_current_factor: Spread = NO_SPREAD
    spin_hall_angle: Spread = NO_SPREAD
    field_like_ratio: Spread = NO_SPREAD
    channel_thickness: Spread = NO_SPREAD
    channel_width: Spread = NO_SPREAD
    channel_length: Spread = NO_SPREAD
    channel_resistivity: Spread = NO_SPREAD
    external_field: Spread = NO_SPREAD


class SotTables(CellTables):
    """Stack, junction, channel, cell and variability."""

    stack: Stack
    junction: Junction
    channel: Channel
    cell: ThreeTerminalCell
    variability: SotVariability = SotVariability()

    @model_validator(mode="before")
    @classmethod
    def _not_read(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("read") is not None:
            raise inconsistent(
                "read", "no table [read] in a study of SOT cells: their reads are not modelled"
            )
        return given

    @property
    def pillar(self) -> SttTables:
        """The junction by itself, as the tables of an STT cell."""
        cell = Cell(temperature=self.cell.temperature, external_field=self.cell.external_field)
        return SttTables(stack=self.stack, junction=self.junction, cell=cell)

    @property
    def in_plane(self) -> bool:
        """Whether the easy axis is the long axis of the junction, x."""
        return self.cell.easy_axis == "in-plane"

    @property
    def field_along_current(self) -> float:
        """Component of the external field along a positive current, T."""
        field, angle = self.cell.external_field, self.channel.angle
        return field.x * math.cos(angle) + field.y * math.sin(angle)

    @property
    def preferences(self) -> dict[str, float]:
        """Causes that decide which state a positive current writes, with 1 for P and -1 for AP.

        The first one decides which line is high in a write. Empty if a write would be random.
        """
        channel, found = self.channel, dict[str, float]()
        sign = math.copysign(1.0, channel.spin_hall_angle)
        x, _, z = channel.spins
        along = self.field_along_current
        if self.in_plane:
            if abs(x) > _SMALL:
                found["channel.angle"] = math.copysign(sign, sign * x)
            return found
        # docs/torque.md: a positive current along x with a positive angle and a field along x favour P.
        if abs(along) > _SMALL:
            found["cell.external_field"] = math.copysign(1.0, sign * along)
        if abs(z) > _SMALL:
            found["channel.spin_tilt"] = math.copysign(1.0, sign * z)
        if self.cell.topology == "3t":
            # The bit line is high: the current through the junction comes from the reference layer.
            found['cell.topology = "3t"'] = -1.0
        elif self.cell.assist is not None:
            found.setdefault("cell.assist", 1.0)
        return found

    def polarity(self, direction: str) -> float:
        """Sign of the current in the channel that writes in a direction."""
        positive_favours = next(iter(self.preferences.values()))
        return positive_favours if direction == DIRECTIONS[1] else -positive_favours

    def nominal(self, name: str) -> float:
        """Nominal value of a sampled parameter, SI: shifts of threshold voltages 0, factors 1."""
        if name in _SHIFTS:
            return 0.0
        if name in _FACTORS:
            return 1.0
        if name == "diameter":
            return self.junction.diameter
        if name in _OF_STACK:
            return float(getattr(self.stack, name))
        return float(getattr(self.channel, name.removeprefix("channel_")))

    def spreads(self) -> list[tuple[str, Spread]]:
        """Names and spreads of the sampled parameters.

        Pelgrom's coefficients are divided by the root of the area.
        """
        cell = self.cell
        writing = 2 if cell.topology == "3t" else 1
        areas = {
            "threshold_voltage": writing * cell.transistor.width * cell.transistor.length,
            "read_threshold_voltage": cell.read_width * cell.transistor.length,
        }
        areas |= {"current_factor": areas["threshold_voltage"]}
        areas |= {"read_current_factor": areas["read_threshold_voltage"]}
        return [
            (
                name,
                Spread(sigma=spread.sigma / math.sqrt(areas[name]), relative=spread.relative)
                if spread.per_root_area
                else spread,
            )
            for name, spread in self.variability.items()
        ]

    def check(self, grid: Grid) -> None:
        """Refuse tables that contradict each other or the pulses of the sweep."""
        self._check_stack()
        self._check_geometry()
        if not self.preferences:
            self._refuse_random()
        if grid.shaped:
            raise inconsistent(
                "pulse.shape", "none with an SOT cell; pulse.rise and pulse.fall are its edges"
            )
        if grid.computed_only:
            raise inconsistent(
                grid.computed_only[0],
                "only where error rates are computed; those of an SOT cell are counted",
            )
        for name, spread in self.spreads():
            nominal = abs(self.nominal(name))
            sigma = spread.sigma * nominal if spread.relative else spread.sigma
            if name not in _SHIFTS and sigma and CUT * sigma >= nominal:
                largest = compact(nominal / CUT, self.variability.units[name])
                raise inconsistent(
                    f"variability.{name}",
                    f"below {largest}, a fifth of the nominal value, so that every sample is physical",
                )
        for name in ("current_factor", "read_current_factor"):
            if getattr(self.variability, name).sigma and not self.cell.transistor.has_multiplier:
                raise inconsistent(
                    f"variability.{name}",
                    'no spread, or cell.transistor.model = "generic" or an open kit: other models have no '
                    "parameter for it, unless cell.transistor.parameters names one of a SPICE file as m",
                )

    def _check_stack(self) -> None:
        if self.in_plane:
            for key in ("vcma_coefficient", "reference_tilt"):
                if getattr(self.stack, key):
                    raise inconsistent(
                        f"stack.{key}", '0 with cell.easy_axis = "in-plane", whose model does not have it'
                    )
        unsupported = {
            "second_barrier": self.stack.second_barrier is not None,
            "thermal_resistance_area": self.stack.heats,
            "back_hopping_current_density": self.stack.back_hopping_current_density is not None,
        }
        for key, given in unsupported.items():
            if given:
                raise inconsistent(f"stack.{key}", "none in an SOT cell, whose model does not have it")

    def _check_geometry(self) -> None:
        width, diameter = self.channel.width, self.junction.diameter
        aspect, angle = self.junction.aspect_ratio, self.channel.angle
        # Width of the ellipse across the current.
        long, short = diameter * math.sqrt(aspect), diameter / math.sqrt(aspect)
        across = math.hypot(long * math.sin(angle), short * math.cos(angle))
        if width < across * (1.0 - 1e-9):
            raise inconsistent(
                "channel.width",
                f"at least {compact(across, 'm', 4)}, the size of the junction across the current",
            )
        if self.in_plane and self.junction.aspect_ratio == 1.0:
            raise inconsistent(
                "junction.aspect_ratio",
                'above 1 with cell.easy_axis = "in-plane": a circle has no easy axis in the plane',
            )

    def _refuse_random(self) -> None:
        if self.in_plane:
            raise inconsistent(
                "channel.angle",
                'a current across the easy axis, such as "90 deg", with cell.easy_axis = "in-plane": the '
                "spins would be perpendicular to both states and make a write random",
            )
        raise inconsistent(
            "cell.external_field",
            "a field with a component along the current, or a channel.spin_tilt, or a cell.assist (or "
            'topology = "3t"): without any of them a write of a perpendicular layer would be random',
        )
