"""A study: pulses and sweep, beside the tables of its cell kind.

The models are frozen, refuse unknown keys, and hold SI numbers. In files every dimensioned value is a
string with a unit (``"40 nm"``); from Python a plain float is taken as SI.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
import tomli_w
from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)  # fmt: skip

from mtjchar.arrays import FloatArray
from mtjchar.cells.base import CellKind, CellTables, Direction, Grid, Pulses
from mtjchar.cells.kinds import KINDS, kind_of
from mtjchar.cells.pulse_shape import Point, PulseShape
from mtjchar.cells.ranges import AmplitudeRange, DurationRange
from mtjchar.display import html_table
from mtjchar.fields import Count, Description, Duration, Number, Voltage, first_complaint, inconsistent
from mtjchar.units import compact

__all__ = ["AmplitudeRange", "DurationRange", "Pulse", "Study", "Sweep"]


_POINTS = 'allowed: a list of points [time, fraction], such as [["0 s", 0], ["100 ps", 1], …]'


def _pairs(value: Any) -> Any:
    if value is not None and (
        not isinstance(value, list | tuple)
        or any(not isinstance(point, list | tuple) or len(point) != 2 for point in value)
    ):
        raise ValueError(_POINTS)
    return value


class Pulse(Description):
    """The write pulse; a duration is from half rise to half fall.

    `rise` and `fall` are the ramps of the pulse and of the word line. With `shape`, points of time (s) and
    fraction of the amplitude, they are those of the word line alone. The plateau of the shape, where two
    neighbours have the fraction 1, is stretched to the duration; the points before and after it keep
    their times.

    `amplitude` is the nominal one, at which comparisons start. It is the study's own only if it is
    given; otherwise it is the middle of the swept amplitudes.
    """

    rise: Duration = Field(default=100e-12, ge=1e-12, le=10e-9)
    fall: Duration = Field(default=100e-12, ge=1e-12, le=10e-9)
    amplitude: Voltage | None = Field(default=None, gt=0, le=5)
    shape: Annotated[tuple[tuple[Duration, Number], ...] | None, BeforeValidator(_pairs)] = None

    @field_validator("shape")
    @classmethod
    def _has_a_plateau(cls, value: tuple[Point, ...] | None) -> tuple[Point, ...] | None:
        if value is not None:
            PulseShape.of(value)
        return value

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = handler(self)
        if self.shape is None:
            table.pop("shape", None)  # so that parts of runs keep their names from before the key existed
        return table

    def swept(self, shortest: float, amplitude_V: FloatArray, duration_s: FloatArray) -> Pulses:
        """Return pulses of this kind for a sweep with the given shortest duration (s)."""
        shape = None if self.shape is None else PulseShape.of(self.shape)
        return Pulses(self.rise, self.fall, shortest, amplitude_V, duration_s, shape)


class Sweep(Description):
    """The grid of pulses, and the number of devices.

    `directions` are some of those of the cell kind; a study without the key has all of them.

    `trials` is the number of thermal writes per device, direction and amplitude from which errors are
    counted if the cell kind cannot compute them; otherwise it has no effect. With `rare_events`
    ``"splitting"`` as many weighted walkers are split, which resolve rates far below 1/trials. With
    `precision` (decades) the sweep ends as soon as the 95 % interval of every error rate from 1e-9 to 0.9
    is narrower, and `devices` is the largest number that it may use. If the spacing of a range is
    ``"refined"``, the sweep places its points, more of them where error rates change, and keeps them as its
    ``grid``.
    """

    directions: tuple[Direction, ...] = ()
    amplitude: AmplitudeRange
    duration: DurationRange
    devices: Count = Field(default=1000, ge=1, le=1_000_000)
    seed: Count = Field(default=1, ge=0, lt=2**63)
    trials: Count = Field(default=1000, ge=10, le=100_000)
    rare_events: Literal["count", "splitting"] = "count"
    precision: Number | None = Field(default=None, gt=0, le=10)

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = handler(self)
        if self.rare_events == "count":
            # Parts of runs keep their names from before the key existed.
            table.pop("rare_events", None)
        return table

    @property
    def samples(self) -> int:
        """Number of samples: devices, directions, amplitudes and durations multiplied."""
        return len(self.directions) * self.devices * self.amplitude.points * self.duration.points


class Study(Description):
    """Everything that determines a characterization; two equal studies give the same table.

    Beside ``[pulse]`` and ``[sweep]`` a study has the tables of its cell kind (``[cell] kind``; STT without
    this key). They are also attributes of the study: `study.cell` is `study.tables.cell`.
    """

    tables: Any  # the `CellTables` of the kind; only the kind knows the class
    pulse: Pulse = Pulse()
    sweep: Sweep

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        """Collect the keys that belong to the cell kind."""
        if not isinstance(data, dict) or isinstance(data.get("tables"), CellTables):
            return data
        own = {key: value for key, value in data.items() if key not in ("pulse", "sweep")}
        return {"tables": own, **{key: data[key] for key in ("pulse", "sweep") if key in data}}

    @field_validator("tables", mode="plain")
    @classmethod
    def _of_kind(cls, value: Any, info: ValidationInfo) -> CellTables:
        if isinstance(value, CellTables):
            return value
        return kind_of(value).tables.model_validate(value, context=info.context)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._complete_directions()
        start = self.sweep.duration.start
        edges = self.pulse.swept(start, np.empty(0), np.empty(0)).in_duration
        if start < edges:
            what = (
                "half the rise plus half the fall of the pulse"
                if self.pulse.shape is None
                else "what the edges of pulse.shape have of the duration"
            )
            raise inconsistent("sweep.duration.start", f"at least {what}, {compact(edges, 's')}")
        amplitude = self.sweep.amplitude
        if self.pulse.amplitude and not amplitude.start <= self.pulse.amplitude <= amplitude.stop:
            raise inconsistent(
                "pulse.amplitude",
                f"within sweep.amplitude, {compact(amplitude.start, 'V')} to {compact(amplitude.stop, 'V')}",
            )
        if self.split:
            self._check_splitting()
        computed_only = (
            ("sweep.precision", self.sweep.precision is not None),
            ("sweep.amplitude.spacing", self.sweep.amplitude.spacing == "refined"),
            ("sweep.duration.spacing", self.sweep.duration.spacing == "refined"),
        )
        computed = tuple(key for key, given in computed_only if given)
        grid = Grid(amplitude.start, amplitude.stop, computed, self.pulse.shape is not None)
        self.tables.check(grid)
        return self

    def _check_splitting(self) -> None:
        least = self.kind.least_split
        if not least:
            raise inconsistent(
                "sweep.rare_events", f'"count": cells of the kind {self.kind.name} cannot split'
            )
        if self.sweep.trials < least:
            raise inconsistent("sweep.trials", f'at least {least} with rare_events = "splitting"')

    def _complete_directions(self) -> None:
        known, asked = self.kind.directions, self.sweep.directions
        none = not asked and "directions" in self.sweep.model_fields_set
        if none or not set(asked) <= set(known) or len(set(asked)) != len(asked):
            raise inconsistent("sweep.directions", f"at least 1, each direction once: {' or '.join(known)}")
        self._fill_directions()

    def _fill_directions(self) -> None:
        if not self.sweep.directions:
            # The model is frozen, but no other code uses it yet.
            sweep = self.sweep.model_copy(update={"directions": self.kind.directions})
            object.__setattr__(self, "sweep", sweep)

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Put the tables of the kind beside the others."""
        written: dict[str, Any] = handler(self)
        own = written.pop("tables")
        last = {"variability": own.pop("variability")} if "variability" in own else {}
        return {**own, "pulse": written.pop("pulse"), **last, **written}

    def __getattr__(self, name: str) -> Any:
        # Only for errors that pydantic has not found.
        if not name.startswith("_") and name != "tables" and hasattr(self.tables, name):
            return getattr(self.tables, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the study, with values replaced unchecked; `with_` checks them."""
        update = dict(update or {})
        own = {key: update.pop(key) for key in list(update) if key in type(self.tables).model_fields}
        if own:
            update["tables"] = self.tables.model_copy(update=own)
        copied = super().model_copy(update=update, deep=deep)
        copied._fill_directions()
        return copied

    @property
    def kind(self) -> CellKind[Any]:
        """The cell kind."""
        return next(kind for kind in KINDS.values() if type(self.tables) is kind.tables)

    @property
    def pulses(self) -> Pulses:
        """The pulses of the sweep.

        Raises
        ------
        InputError
            If a range is to be refined and no sweep has placed its points.
        """
        sweep = self.sweep
        return self.pulse.swept(sweep.duration.start, sweep.amplitude.values(), sweep.duration.values())

    @property
    def counted(self) -> str:
        """Reason why error rates are counted; empty if they are computed."""
        return self.kind.counted(self.tables)

    @property
    def split(self) -> bool:
        """Whether counted error rates come from splitting, with standard errors."""
        return bool(self.counted) and self.sweep.rare_events == "splitting"

    def with_(self, **changes: Any) -> Study:
        """Return a study with some values changed, checked like any other.

        Parameters
        ----------
        **changes
            By table: a mapping of keys to new values (tables within tables likewise), or a whole table.
            Numbers are SI, strings have a unit.

        Raises
        ------
        InputError
            If a value is not allowed, or values contradict each other; the message names the key and the
            allowed values.

        Examples
        --------
        >>> from mtjchar import load_study
        >>> study = load_study("data/studies/demo.toml")
        >>> hot = study.with_(cell={"temperature": 350.0}, sweep={"devices": 8})
        >>> hot.cell.temperature, hot.sweep.devices, hot.sweep.seed
        (350.0, 8, 1)
        """
        own = {key: value for key, value in changes.items() if key not in ("pulse", "sweep")}
        rest = {key: value for key, value in changes.items() if key in ("pulse", "sweep")}
        return _changed(self, {**rest, "tables": _changed(self.tables, own)})

    def __repr__(self) -> str:
        return f"Study({self.kind.describe(self.tables).name!r}, {', '.join(self._grid_in_words())})"

    def _repr_html_(self) -> str:
        about = self.kind.describe(self.tables)
        rows = {"cell": about.name, "nominal device": about.words, "pulses": "; ".join(self._grid_in_words())}
        complete = f"<details><summary>study.toml</summary><pre>{html.escape(self.to_toml())}</pre></details>"
        return html_table("Study", rows, complete)

    def _grid_in_words(self) -> list[str]:
        sweep = self.sweep
        axes = [
            f"{compact(axis.start, unit)} to {compact(axis.stop, unit)} ({axis.points} values)"
            for axis, unit in ((sweep.amplitude, "V"), (sweep.duration, "s"))
        ]
        return [" and ".join(sweep.directions), *axes, f"{sweep.devices} devices", f"seed {sweep.seed}"]

    @property
    def nominal_amplitude(self) -> float:
        """The amplitude at which comparisons start, V."""
        middle = (self.sweep.amplitude.start + self.sweep.amplitude.stop) / 2
        return self.pulse.amplitude or middle

    def to_toml(self) -> str:
        """Write the complete study, including all defaults; `load_study` reads the same study back."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


_Table = TypeVar("_Table", bound=Description)


def _changed(table: _Table, changes: Mapping[str, Any], place: tuple[str, ...] = ()) -> _Table:
    """Return a table with some of its values changed, also in nested tables; `place` is for messages."""
    values = {name: getattr(table, name) for name in type(table).model_fields}
    for key, value in changes.items():
        before = values.get(key)
        if isinstance(before, Description) and isinstance(value, Mapping):
            values[key] = _changed(before, value, (*place, key))
        else:
            values[key] = value
    try:
        return type(table).model_validate(values)
    except ValidationError as error:
        complaint = first_complaint(error)
        raise complaint.error(".".join([*place, *complaint.keys])) from error
