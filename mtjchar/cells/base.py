"""The interface of a cell kind, which all layers above `mtjchar.cells` use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.bitwise import Bitwise
from mtjchar.cells.footprint import Footprint
from mtjchar.cells.outlook import Outlook
from mtjchar.cells.pulse_shape import Point, PulseShape
from mtjchar.cells.reading import Reads, ReferenceLevel, Sensed, SensedTogether
from mtjchar.cells.transistor import Transistor
from mtjchar.cells.variability import Spread, Variability
from mtjchar.errors import InputError
from mtjchar.fields import Description, Place

__all__ = [
    "Averages", "CellDescription", "CellKind", "CellTables", "ColumnLabel", "Counting", "Curve", "Direction",
    "Driven", "FileTables", "Grid", "Portrait", "Pulses", "TablesT", "Trial",
]  # fmt: skip

Direction = str
"""Name of a write direction, one of `CellKind.directions`."""


class ColumnLabel(NamedTuple):
    """Display of a column of the table of devices.

    Attributes
    ----------
    label : str
    unit : str
        Empty for a pure number.
    factor : float
        From the column's SI unit to this one.
    """

    label: str
    unit: str
    factor: float


class Grid(NamedTuple):
    """The sweep of a study, as far as a kind needs it to check its tables.

    Attributes
    ----------
    lowest, highest : float
        Amplitudes, V.
    computed_only : tuple of str
        Keys of the study that require computed error rates, not counted ones.
    shaped : bool
        Whether the edges of the pulses are not plain ramps.
    """

    lowest: float
    highest: float
    computed_only: tuple[str, ...]
    shaped: bool = False


class FileTables(NamedTuple):
    """Tables of a study file, including the values that come from other files.

    Attributes
    ----------
    data : dict
        The tables, as the models read them.
    places : mapping
        Places of values that are not in the study file under their own keys, by these keys.
    warnings : tuple of str
        Warnings about the other files.
    """

    data: dict[str, Any]
    places: Mapping[tuple[str, ...], Place] = MappingProxyType({})
    warnings: tuple[str, ...] = ()


class CellTables(Description):
    """Tables of a study that belong to the cell kind: all except ``[pulse]`` and ``[sweep]``.

    A kind derives its own class from this one. One of the tables is ``[cell]`` with the key ``kind``.
    """

    variability: Variability

    def nominal(self, name: str) -> float:
        """Nominal value of a sampled parameter, SI."""
        raise NotImplementedError

    def spreads(self) -> list[tuple[str, Spread]]:
        """Names and spreads of the sampled parameters, in the order of `CellKind.sampled`."""
        return self.variability.items()

    def check(self, grid: Grid) -> None:
        """Refuse tables that contradict each other or the pulses of the sweep; see `inconsistent`."""


class Pulses(NamedTuple):
    """Write pulses: all amplitudes with all durations, of one shape.

    Attributes
    ----------
    rise, fall : float
        Of the ramps, s; with a `shape`, those of the word line alone.
    shortest : float
        Shortest duration of the sweep, s; the lines have to settle within it.
    amplitude_V : ndarray, shape (amplitudes,)
    duration_s : ndarray, shape (durations,)
        Ascending, from half rise to half fall.
    shape : PulseShape, optional
        Replaces the ramps.
    """

    rise: float
    fall: float
    shortest: float
    amplitude_V: FloatArray
    duration_s: FloatArray
    shape: PulseShape | None = None

    @property
    def lead(self) -> float:
        """Time from the beginning of a pulse to that of its plateau, s."""
        return self.rise if self.shape is None else self.shape.lead

    @property
    def trail(self) -> float:
        """Time from the end of the plateau to that of the pulse, s."""
        return self.fall if self.shape is None else self.shape.trail

    @property
    def shortest_ramp(self) -> float:
        """Shortest straight piece of either edge, s."""
        ramps = min(self.rise, self.fall)
        return ramps if self.shape is None else min(ramps, self.shape.shortest_segment)

    @property
    def in_duration(self) -> float:
        """Part of a duration outside the plateau, s."""
        return 0.5 * (self.rise + self.fall) if self.shape is None else self.shape.in_duration

    @property
    def edges(self) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
        """Points of both edges, in the form of `PulseShape`."""
        if self.shape is None:
            return ((0.0, 0.0), (self.rise, 1.0)), ((0.0, 1.0), (self.fall, 0.0))
        return self.shape

    def at(self, amplitude: npt.ArrayLike, duration: npt.ArrayLike | None = None) -> Pulses:
        """Return pulses of the same shape with other amplitudes (V) and, if given, durations (s)."""
        durations = self.duration_s if duration is None else np.atleast_1d(np.asarray(duration, np.float64))
        return self._replace(
            amplitude_V=np.atleast_1d(np.asarray(amplitude, np.float64)), duration_s=durations
        )


class Counting(NamedTuple):
    """How errors are counted if they are not computed.

    Attributes
    ----------
    trials : int
        Simulated writes of each device and pulse.
    seed : int
    splitting : bool
        Whether the writes are weighted walkers that are split, for rates far below 1/trials.
    """

    trials: int
    seed: int
    splitting: bool = False


class Driven(Protocol):
    """Results of a simulator for each device and amplitude. A kind adds the inputs of its averages.

    Attributes
    ----------
    failure : ndarray of str, shape (devices, amplitudes)
        Reason why there are no numbers; empty if there are.
    status : ndarray of str, shape (devices, amplitudes)
        ``ok``, or how it failed.
    note : ndarray of str, shape (devices, amplitudes)
        The successful retry; may be empty.
    """

    @property
    def failure(self) -> WordArray:
        """Reason why there are no numbers, empty if there are."""

    @property
    def status(self) -> WordArray:
        """``ok``, or how the simulation failed."""

    @property
    def note(self) -> WordArray:
        """The successful retry, empty if none was needed."""


class Averages(NamedTuple):
    """Averages of devices over noise; shape (devices, amplitudes, durations).

    Attributes
    ----------
    error_rate : ndarray
        Probability that a bit that has to switch does not.
    energy_J : ndarray
        Of a write that has to switch.
    redundant_energy_J : ndarray
        Of a redundant write: the bit already has the new value.
    failure : ndarray of str, shape (devices, amplitudes)
        Reason why there are no numbers; empty if there are.
    further : tuple of ndarray
        The columns that `CellKind.further_columns` names.
    standard_error : ndarray or None
        Of `error_rate` from `Counting.splitting`; NaN where it is counted all the same. None otherwise.
    """

    error_rate: FloatArray
    energy_J: FloatArray
    redundant_energy_J: FloatArray
    failure: WordArray
    further: tuple[FloatArray, ...] = ()
    standard_error: FloatArray | None = None


class Trial(NamedTuple):
    """Results of the trial of the nominal device before a sweep.

    Attributes
    ----------
    words : tuple of str
        Messages for the user.
    failure : tuple of str
        Status and reason with which every device will fail; empty if the nominal one works.
    load_s : float
        Time that the simulator takes to load a user's transistor, s; 0 without one.
    device_s : float
        Simulation time of a device at one amplitude, s.
    """

    words: tuple[str, ...] = ()
    failure: tuple[str, str] | tuple[()] = ()
    load_s: float = 0.0
    device_s: float = 0.0


class CellDescription(NamedTuple):
    """Introduction of a cell in a report.

    Attributes
    ----------
    name : str
    words : str
        A sentence or two.
    """

    name: str
    words: str


class Curve(NamedTuple):
    """A line of a `Portrait`.

    Attributes
    ----------
    name : str
    x, y : ndarray, shape (points,)
        In the units of the portrait's labels.
    """

    name: str
    x: FloatArray
    y: FloatArray


class Portrait(NamedTuple):
    """A figure of a cell for a report, from its kind.

    Attributes
    ----------
    title, x_label, y_label : str
        The labels with their units.
    curves : tuple of Curve
        Empty where they could not be computed.
    text : str
        What the figure shows, or why there is none.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    text: str


TablesT = TypeVar("TablesT", bound=CellTables)


class CellKind(ABC, Generic[TablesT]):
    """A cell kind. It receives its tables, devices and pulses, never a whole study.

    Attributes
    ----------
    name : str
        Value of ``[cell] kind`` in a study.
    directions : tuple of str
        Names of the two write directions. The first writes a 1 over a 0, the second a 0 over a 1.
    titles : mapping
        Title of each direction in figures.
    tables : type
        Its tables of a study.
    file_keys : mapping
        Keys that only a study file has, since `complete_tables` replaces them, by table (``""`` at the top).
    instead : mapping
        Values that a study file may have in place of a table, by its key, if not only a table is allowed.
    sampled : mapping
        Sampled columns of the table of devices, by the parameters' names in ``[variability]``.
    device_columns : tuple of str
        Columns of that table that must contain numbers when it is read again.
    columns : mapping
        Columns of the table of devices that a report shows, in its order.
    compared : tuple of str
        Columns of the table of devices whose medians are given in a comparison of runs.
    headlines : mapping
        Columns of `compared` that are shown in its table on the terminal, with short labels.
    limits : tuple of str
        Sentences that say what its model leaves out; a report prints them.
    least_split : int
        Least number of walkers of `Counting.splitting`; 0 if the kind cannot split.
    """

    name: ClassVar[str]
    directions: ClassVar[tuple[Direction, Direction]]
    titles: ClassVar[Mapping[Direction, str]]
    tables: ClassVar[type[CellTables]]
    file_keys: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    instead: ClassVar[Mapping[str, str]] = {}
    sampled: ClassVar[Mapping[str, str]]
    device_columns: ClassVar[tuple[str, ...]]
    columns: ClassVar[Mapping[str, ColumnLabel]] = {}
    compared: ClassVar[tuple[str, ...]] = ()
    headlines: ClassVar[Mapping[str, ColumnLabel]] = {}
    limits: ClassVar[tuple[str, ...]] = ()
    least_split: ClassVar[int] = 0

    @abstractmethod
    def derive(self, tables: TablesT, sampled: pd.DataFrame) -> pd.DataFrame:
        """Add the derived quantities and the column ``device`` to sampled parameters."""

    @abstractmethod
    def drive(self, tables: TablesT, devices: pd.DataFrame, direction: Direction, pulses: Pulses) -> Any:
        """Simulate the circuit of each device at each amplitude: a `Driven`."""

    @abstractmethod
    def average(
        self,
        tables: TablesT,
        devices: pd.DataFrame,
        direction: Direction,
        driven: Any,
        pulses: Pulses,
        counting: Counting,
    ) -> Averages:
        """Average error rate and energies over the noise of each device, from what `drive` returned."""

    @abstractmethod
    def describe(self, tables: TablesT) -> CellDescription:
        """Describe the cell in a few words, for the header of a report."""

    def portraits(
        self, tables: TablesT, devices: pd.DataFrame, pulses: Mapping[Direction, Pulses]
    ) -> list[Portrait]:
        """Draw the cell and a few of its devices, for a report.

        Parameters
        ----------
        tables : CellTables
        devices : DataFrame
            As `derive` returns it, the nominal device first; the index has their names.
        pulses : mapping
            For each direction one amplitude and one duration.
        """
        return []

    def complete_tables(self, data: dict[str, Any], file: Path) -> FileTables:
        """Complete the raw tables of a study file with values from other files.

        Parameters
        ----------
        data : dict
            All tables of the file. It is not changed.
        file : Path
            The study file. Paths in it are relative to its folder.

        Raises
        ------
        InputError
            If another file cannot be read, or lacks a required value.
        """
        return FileTables(data)

    def upgrade_tables(self, data: dict[str, Any]) -> dict[str, Any]:
        """Add values that older versions of mtjchar did not write to raw tables."""
        return data

    def draws_nominal(self, tables: TablesT) -> bool:
        """Whether nominal values are uncertain, and drawn by `draw_nominal`."""
        return False

    def draw_nominal(self, tables: TablesT, seed: int, count: int) -> dict[str, FloatArray]:
        """Draw uncertain nominal values: `count` of each, by column; empty if none is uncertain."""
        return {}

    def check_nominal(self, tables: TablesT, device: pd.DataFrame) -> None:
        """Raise an `InputError` if the device without variability cannot hold two states."""

    def refusal(self, tables: TablesT, devices: pd.DataFrame) -> WordArray:
        """Reasons why devices cannot be characterized, shape (devices,); empty if they can."""
        return np.full(len(devices), "", dtype=object)

    def counted(self, tables: TablesT) -> str:
        """Return the reason why error rates have to be counted; empty if they are computed."""
        return ""

    def rising(self, tables: TablesT) -> Mapping[Direction, str]:
        """Directions in which error rates may rise with amplitude and duration, and the reason of each.

        In all others they only fall.
        """
        return {}

    def further_columns(self, tables: TablesT) -> tuple[str, ...]:
        """Columns of the samples beside error rate and energies; names of energies end in ``energy_J``."""
        return ()

    def escape_rates(self, tables: TablesT, devices: pd.DataFrame, temperature: float) -> FloatArray:
        """Rates of leaving the states 0 and 1 without a write or a read, 1/s, shape (devices, 2).

        `devices` is a table as `derive` returns it; `temperature` in K may differ from that of the study.
        """
        raise InputError(
            "cell.kind", value=self.name, allowed="a kind of cell that says how long it holds its states"
        )

    def reads(self, tables: TablesT) -> Reads | None:
        """Return the reads of the study; None if it asks for none."""
        return None

    def sense_reference(self, tables: TablesT, devices: pd.DataFrame, reads: Reads) -> ReferenceLevel:
        """Simulate the reference of the sense amplifier.

        `devices` are drawn from the distribution itself; a reference that consists of cells is made of them.
        """
        raise self._not_read()

    def sense(self, tables: TablesT, devices: pd.DataFrame, reads: Reads) -> Sensed:
        """Simulate reads of each device in both states, at all voltages and times."""
        raise self._not_read()

    def bitwise(self, tables: TablesT) -> Bitwise | None:
        """Return the bitwise operations of the study; None if it asks for none."""
        return None

    def reads_together(self, tables: TablesT, cells: int) -> Reads | None:
        """Return the reads of groups of cells on one bit line, compared with a column of as many."""
        return None

    def resistances(self, device: pd.DataFrame) -> tuple[float, float]:
        """Resistances (ohm) of a device's storage element in the states 0 and 1, at low voltage."""
        raise self._not_read()

    def sense_together(
        self, tables: TablesT, devices: pd.DataFrame, reads: Reads, cells: int, contrast: float = 1.0
    ) -> SensedTogether:
        """Simulate reads of groups of cells on one bit line, whose word lines go up together.

        `devices` are the cells of the first group, those of the second, and so on; `contrast` multiplies the
        relative difference of the resistances of each, its TMR if it is a junction.
        """
        raise self._not_read()

    def sense_resistances(
        self, tables: TablesT, device: pd.DataFrame, reads: Reads, cells: int, resistance: FloatArray
    ) -> FloatArray:
        """Simulate reads of columns of `cells` resistances (ohm) in place of the device's storage element.

        The result has the shape (resistances, voltages, times); a failure is a `SimulationError`.
        """
        raise self._not_read()

    def _not_read(self) -> InputError:
        return InputError("cell.kind", value=self.name, allowed="a kind of cell whose reading is modelled")

    def foresee(self, tables: TablesT, device: pd.DataFrame, amplitude: float) -> Outlook:
        """Describe the nominal device at the highest amplitude (V), without a simulation."""
        return Outlook()

    def transistor(self, tables: TablesT) -> Transistor | None:
        """Access transistor of the cell, if it has one that a netlist describes."""
        return None

    def footprint(self, tables: TablesT) -> Footprint | None:
        """Widths of the transistors of a cell and its estimated area; None if the kind has none."""
        return None

    def at_corner(self, tables: TablesT, corner: str) -> Mapping[str, Any]:
        """Return the changes of the tables at a process corner, in the form of `mtjchar.study.Study.with_`.

        Raises
        ------
        InputError
            If the cell has no such corner.
        """
        raise InputError(
            "corner", value=corner, allowed=f"no corner: a cell of the kind {self.name} has none"
        )

    def at_temperature(self, tables: TablesT, temperature: float) -> Mapping[str, Any]:
        """Return the changes of the tables at a temperature, K, in the form of `mtjchar.study.Study.with_`.

        Raises
        ------
        InputError
            If the cell has no temperature, or does not allow this one.
        """
        raise InputError(
            "temperature", value=f"{temperature:g} K",
            allowed=f"no temperature: a cell of the kind {self.name} has none",
        )  # fmt: skip

    def try_nominal(
        self, tables: TablesT, device: pd.DataFrame, directions: Sequence[Direction], pulses: Pulses
    ) -> Trial:
        """Try the nominal device at one amplitude, in the simulator.

        Raises
        ------
        InputError
            If the circuit does not do what the study requires.
        """
        return Trial()

    def deck(
        self, tables: TablesT, device: pd.DataFrame, direction: Direction, pulses: Pulses
    ) -> tuple[list[str], list[str]] | None:
        """Lines of a deck for one device, and the commands of its analyses; None if there is no deck."""
        return None

    def compact_model(self, tables: TablesT, device: pd.DataFrame, language: str, name: str) -> str:
        """Write the storage element as a model for other circuit simulators.

        Parameters
        ----------
        tables : CellTables
        device : DataFrame
            One row, as `derive` returns it.
        language : {"verilog-a", "pspice"}
            ``pspice`` is the syntax that PSpice, LTspice and Xyce have in common.
        name : str
            Beginning of all names in the model.

        Raises
        ------
        InputError
            If the kind has no such model.
        """
        raise InputError(
            "cell.kind", value=self.name, allowed="a kind of cell with a compact model for other simulators"
        )
