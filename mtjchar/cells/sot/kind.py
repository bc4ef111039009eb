"""The SOT cell as a cell kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.base import (
    Averages,
    CellDescription,
    CellKind,
    ColumnLabel,
    Counting,
    Direction,
    FileTables,
    Pulses,
    Trial,
)
from mtjchar.cells.footprint import Footprint
from mtjchar.cells.outlook import Outlook
from mtjchar.cells.sot import device
from mtjchar.cells.sot.tables import SotTables, SotVariability
from mtjchar.cells.stt import stack_files
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.cells.transistor import Transistor
from mtjchar.errors import InputError
from mtjchar.physics.anisotropy import TEMPERATURE_RANGE
from mtjchar.units import ZERO_CELSIUS, compact

if TYPE_CHECKING:
    from mtjchar.cells.sot import circuit

__all__ = ["SotCell"]

# The simulation is imported on use: queries of a surface do not need it.


class SotCell(CellKind[SotTables]):
    """A junction on a channel, written by spin-orbit torque, with two or three transistors."""

    name = "sot"
    directions = DIRECTIONS
    titles: ClassVar[Mapping[Direction, str]] = {DIRECTIONS[0]: "P → AP", DIRECTIONS[1]: "AP → P"}
    tables = SotTables
    file_keys: ClassVar[Mapping[str, tuple[str, ...]]] = {"": ("stack_overrides",)}
    instead: ClassVar[Mapping[str, str]] = {"stack": "a table, or the path of a stack file"}
    sampled: ClassVar[Mapping[str, str]] = device.COLUMNS
    device_columns = (
        *dict.fromkeys(device.COLUMNS.values()), "anisotropy_field_T", "hard_axis_field_T",
        "thermal_stability", "relaxation_time_s", "threshold_current_A", "channel_resistance_ohm",
        "damping_like_field_T_per_A", "parallel_resistance_ohm", "antiparallel_resistance_ohm",
    )  # fmt: skip
    columns: ClassVar[Mapping[str, ColumnLabel]] = {
        "diameter_m": ColumnLabel("diameter", "nm", 1e9),
        "anisotropy_field_T": ColumnLabel("μ0 Hk", "mT", 1e3),
        "thermal_stability": ColumnLabel("Δ", "", 1.0),
        "relaxation_time_s": ColumnLabel("t_D", "ns", 1e9),
        "spin_hall_angle": ColumnLabel("spin Hall angle", "", 1.0),
        "channel_resistance_ohm": ColumnLabel("resistance of the channel", "Ω", 1.0),
        "threshold_current_A": ColumnLabel("threshold current of the channel", "µA", 1e6),
        "parallel_resistance_ohm": ColumnLabel("R_P", "kΩ", 1e-3),
        "antiparallel_resistance_ohm": ColumnLabel("R_AP", "kΩ", 1e-3),
        "threshold_voltage_V": ColumnLabel("threshold voltage, shift", "mV", 1e3),
    }
    compared = (
        "thermal_stability",
        "threshold_current_A",
        "channel_resistance_ohm",
        "parallel_resistance_ohm",
    )
    headlines: ClassVar[Mapping[str, ColumnLabel]] = {
        "thermal_stability": ColumnLabel("Δ", "", 1.0),
        "threshold_current_A": ColumnLabel("I_th", "µA", 1e6),
    }

    least_split = 400  # as for STT cells
    limits = (
        "The free layer is one macrospin without domain walls. Layers wider than about 40 nm reverse "
        "from an edge, at lower currents than this model gives.",
        "The current is uniform in the cross section of the channel, and none of it flows in the free layer. "
        "Its magnetic field is left out, unless field_like_ratio includes it.",
        "Neither the channel nor the junction heats up. All fluctuations are thermal.",
        "The bulk of the transistors is at 0 V. Decoders and sense amplifiers take no energy here.",
    )

    def describe(self, tables: SotTables) -> CellDescription:
        """Describe the cell in a few words, for the header of a report."""
        channel, cell = tables.channel, tables.cell
        return CellDescription(
            tables.stack.name,
            f"{cell.topology.upper()} cell: {cell.easy_axis} junction of "
            f"{compact(tables.junction.diameter, 'm')} on a channel of {compact(channel.width, 'm')} "
            f"width and {compact(channel.thickness, 'm')} thickness, at {cell.temperature:g} K. "
            f"Stack: {tables.stack.reference}.",
        )

    def complete_tables(self, data: dict[str, Any], file: Path) -> FileTables:
        """Read the stack file and its table of the channel, if the study names a stack file."""
        return stack_files.complete_tables(data, file, set(SotVariability.model_fields), channel=True)

    def derive(self, tables: SotTables, sampled: pd.DataFrame) -> pd.DataFrame:
        """Add the quantities derived from the sampled parameters at the temperature of the cell."""
        return device.derive(tables, sampled)

    def check_nominal(self, tables: SotTables, device_: pd.DataFrame) -> None:
        """Refuse a nominal device without two stable states."""
        device.check_nominal(tables, device_)

    def refusal(self, tables: SotTables, devices: pd.DataFrame) -> WordArray:
        """Reasons why devices cannot be characterized, shape (devices,); empty if they can."""
        return device.refusal(devices)

    def counted(self, tables: SotTables) -> str:
        """Name the key that breaks the symmetry around z, so that errors are counted."""
        return 'cell.kind = "sot"'

    def rising(self, tables: SotTables) -> Mapping[Direction, str]:
        """Both directions of a perpendicular layer, because a strong current holds it between the states."""
        if tables.in_plane:
            return {}
        return dict.fromkeys(self.directions, "relaxation from between the states after strong pulses")

    def escape_rates(self, tables: SotTables, devices: pd.DataFrame, temperature: float) -> FloatArray:
        """Rates of leaving P and AP over the barrier, 1/s, shape (devices, 2)."""
        from mtjchar.cells.sot import retention

        return retention.escape_rates(tables, devices, temperature)

    def foresee(self, tables: SotTables, device_: pd.DataFrame, amplitude: float) -> Outlook:
        """Bound the current in the channel, and report unusual values."""
        return device.foresee(tables, device_, amplitude)

    def transistor(self, tables: SotTables) -> Transistor:
        """Transistor that writes."""
        return tables.cell.transistor

    def footprint(self, tables: SotTables) -> Footprint:
        """Widths of all transistors and area of the cell."""
        return device.footprint(tables)

    def at_corner(self, tables: SotTables, corner: str) -> Mapping[str, Any]:
        """Set all transistors to a corner."""
        return {"cell": {"transistor": tables.cell.transistor.at_corner(corner)}}

    def at_temperature(self, tables: SotTables, temperature: float) -> Mapping[str, Any]:
        """Set the temperature of junction, channel and transistors."""
        lowest, highest = TEMPERATURE_RANGE
        if not lowest <= temperature <= highest:
            raise InputError(
                "cell.temperature", value=f"{temperature:g} K",
                allowed=f"{lowest:g} K to {highest:g} K ({lowest - ZERO_CELSIUS:g} degC to "
                f"{highest - ZERO_CELSIUS:g} degC)",
            )  # fmt: skip
        return {"cell": {"temperature": temperature}}

    def drive(
        self, tables: SotTables, devices: pd.DataFrame, direction: Direction, pulses: Pulses
    ) -> circuit.Currents:
        """Measure currents and energies of the edges in ngspice."""
        from mtjchar.cells.sot import circuit

        return circuit.measure(tables, devices, direction, pulses)

    def average(
        self,
        tables: SotTables,
        devices: pd.DataFrame,
        direction: Direction,
        driven: circuit.Currents,
        pulses: Pulses,
        counting: Counting,
    ) -> Averages:
        """Count errors of thermal ensembles."""
        from mtjchar.cells.sot import writes

        return writes.count_failures(tables, devices, direction, driven, pulses, counting)

    def try_nominal(
        self, tables: SotTables, device_: pd.DataFrame, directions: Sequence[Direction], pulses: Pulses
    ) -> Trial:
        """Compare the current in the channel with its threshold and with the largest current density."""
        from mtjchar.cells.sot import trial

        return trial.try_nominal(tables, device_, directions, pulses)

    def deck(
        self, tables: SotTables, device_: pd.DataFrame, direction: Direction, pulses: Pulses
    ) -> tuple[list[str], list[str]]:
        """Lines of a deck for one device, and the commands that measure its currents."""
        from mtjchar.cells.sot import circuit

        lines = circuit.batch_deck(tables, circuit.cell_parameters(tables, device_)).splitlines()
        return lines, circuit.commands_by_hand(tables, direction, pulses)
