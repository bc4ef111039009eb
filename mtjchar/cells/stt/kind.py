"""The STT cell as a cell kind."""

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
    Portrait,
    Pulses,
    Trial,
)
from mtjchar.cells.bitwise import Bitwise
from mtjchar.cells.footprint import Footprint, strip_area
from mtjchar.cells.outlook import Outlook
from mtjchar.cells.reading import Reads, ReferenceLevel, Sensed, SensedTogether
from mtjchar.cells.stt import device, stack_files
from mtjchar.cells.stt.tables import DIRECTIONS, SttTables, SttVariability
from mtjchar.cells.transistor import Transistor
from mtjchar.errors import InputError
from mtjchar.physics.anisotropy import TEMPERATURE_RANGE
from mtjchar.units import ZERO_CELSIUS, compact

if TYPE_CHECKING:
    from mtjchar.cells.stt import measure

__all__ = ["SttCell"]

# The simulation is imported on use: queries of a surface do not need it.


class SttCell(CellKind[SttTables]):
    """A junction written by a spin-polarized current through it, with an access transistor."""

    name = "stt"
    directions = DIRECTIONS
    titles: ClassVar[Mapping[Direction, str]] = {"p_to_ap": "P → AP", "ap_to_p": "AP → P"}
    tables = SttTables
    file_keys: ClassVar[Mapping[str, tuple[str, ...]]] = {"": ("stack_overrides",), "variability": ("wafer",)}
    instead: ClassVar[Mapping[str, str]] = {"stack": "a table, or the path of a stack file"}
    sampled: ClassVar[Mapping[str, str]] = device.COLUMNS
    device_columns = (
        "diameter_m", "damping", "tmr", "resistance_area_product_ohm_m2", "threshold_voltage_V",
        "current_factor", "anisotropy_field_T", "thermal_stability", "relaxation_time_s",
        "critical_current_A", "parallel_resistance_ohm", "antiparallel_resistance_ohm",
    )  # fmt: skip
    columns: ClassVar[Mapping[str, ColumnLabel]] = {
        "diameter_m": ColumnLabel("diameter", "nm", 1e9),
        "resistance_area_product_ohm_m2": ColumnLabel("resistance-area product", "Ω µm²", 1e12),
        "tmr": ColumnLabel("TMR", "", 1.0),
        "anisotropy_field_T": ColumnLabel("μ0 Hk", "mT", 1e3),
        "thermal_stability": ColumnLabel("Δ", "", 1.0),
        "critical_current_A": ColumnLabel("Ic0, P → AP", "µA", 1e6),
        "critical_current_ap_to_p_A": ColumnLabel("Ic0, AP → P", "µA", 1e6),
        "relaxation_time_s": ColumnLabel("t_D", "ns", 1e9),
        "parallel_resistance_ohm": ColumnLabel("R_P", "kΩ", 1e-3),
        "antiparallel_resistance_ohm": ColumnLabel("R_AP", "kΩ", 1e-3),
        "threshold_voltage_V": ColumnLabel("threshold voltage, shift", "mV", 1e3),
        "current_factor": ColumnLabel("current factor of the transistor, over the nominal one", "", 1.0),
    }
    compared = ("thermal_stability", "critical_current_A", "parallel_resistance_ohm")
    headlines: ClassVar[Mapping[str, ColumnLabel]] = {
        "thermal_stability": ColumnLabel("Δ", "", 1.0),
        "critical_current_A": ColumnLabel("Ic0", "µA", 1e6),
    }

    least_split = 400  # about four for each bin and replica
    limits = (
        "The free layer is one macrospin without domain walls. It heats up only with a thermal resistance.",
        "A junction wider than 16/π √(A/K_eff) reverses by a domain wall. Its barrier is that of the wall if "
        "the stack has an exchange stiffness A; otherwise it is the coherent one, which is too high.",
        "All fluctuations are thermal. Defects, wear and breakdown of the barrier are not in the model.",
        "Thermal stability is a small difference of large terms. It decides the error rates: measure it.",
        "The bulk of the access transistor is at 0 V. Decoders and sense amplifiers take no energy here.",
    )

    def describe(self, tables: SttTables) -> CellDescription:
        """Describe the cell in a few words, for the header of a report."""
        stack, heating = tables.stack, ""
        if stack.heats:
            product = 1e12 * stack.thermal_resistance_area
            heating = f"The current heats it: {product:g} K µm²/W, {compact(stack.thermal_time, 's')}. "
        return CellDescription(
            stack.name,
            f"Junction of {compact(tables.junction.diameter, 'm')} at {tables.cell.temperature:g} K. "
            f"{heating}Stack: {stack.reference}.",
        )

    def portraits(
        self, tables: SttTables, devices: pd.DataFrame, pulses: Mapping[Direction, Pulses]
    ) -> list[Portrait]:
        """Draw resistance over voltage, load lines, and writes of the devices."""
        from mtjchar.cells.stt import portrait

        return portrait.portraits(tables, devices, pulses, self.titles)

    def complete_tables(self, data: dict[str, Any], file: Path) -> FileTables:
        """Read the stack and the spread of a fit, if the study names their files."""
        return stack_files.complete_tables(data, file, spreads=set(SttVariability.model_fields) - {"fit"})

    def upgrade_tables(self, data: dict[str, Any]) -> dict[str, Any]:
        """Add the values of the stack that older versions did not write."""
        return stack_files.upgrade_tables(data)

    def draws_nominal(self, tables: SttTables) -> bool:
        """Whether the study names a fit whose uncertainty is used."""
        return bool(tables.variability.fit.parameters)

    def draw_nominal(self, tables: SttTables, seed: int, count: int) -> dict[str, FloatArray]:
        """Draw stacks from the covariance of the study's fit."""
        columns = {**device.COLUMNS, **device.DRAWN_COLUMNS}
        drawn = device.draw_stacks(tables, seed, count)
        return {columns[name]: values for name, values in drawn.items()}

    def derive(self, tables: SttTables, sampled: pd.DataFrame) -> pd.DataFrame:
        """Add the quantities derived from the sampled parameters at the temperature of the cell."""
        return device.derive(tables, sampled)

    def check_nominal(self, tables: SttTables, device_: pd.DataFrame) -> None:
        """Refuse a nominal device without two stable states, or that the reads of the study do not suit."""
        device.check_nominal(tables, device_)
        if tables.read is not None:
            from mtjchar.cells.stt import read_checks

            read_checks.check_grid(tables, device_)

    def refusal(self, tables: SttTables, devices: pd.DataFrame) -> WordArray:
        """Reasons why devices cannot be characterized, shape (devices,); empty if they can."""
        return device.refusal(devices)

    def counted(self, tables: SttTables) -> str:
        """Name what breaks the symmetry around z; errors are then counted."""
        return next(iter(tables.asymmetries), "")

    def rising(self, tables: SttTables) -> Mapping[Direction, str]:
        """Directions with back-hopping."""
        return dict.fromkeys(tables.hopping_directions, "back-hopping")

    def further_columns(self, tables: SttTables) -> tuple[str, ...]:
        """Energies at the supply, if there is one."""
        return () if tables.cell.supply_voltage is None else ("supply_energy_J", "redundant_supply_energy_J")

    def escape_rates(self, tables: SttTables, devices: pd.DataFrame, temperature: float) -> FloatArray:
        """Rates of leaving P and AP over the barrier, 1/s, shape (devices, 2)."""
        from mtjchar.cells.stt import retention

        return retention.escape_rates(tables, devices, temperature)

    def reads(self, tables: SttTables) -> Reads | None:
        """Return the reads of the study; None if it asks for none."""
        from mtjchar.cells.stt import read

        return read.reads_of(tables)

    def sense_reference(self, tables: SttTables, devices: pd.DataFrame, reads: Reads) -> ReferenceLevel:
        """Simulate the reference of the sense amplifier, made of `devices` if it consists of cells."""
        from mtjchar.cells.stt import read

        return read.reference_level(tables, devices, reads)

    def sense(self, tables: SttTables, devices: pd.DataFrame, reads: Reads) -> Sensed:
        """Simulate reads of each device in both states, at all voltages and times."""
        from mtjchar.cells.stt import read

        return read.sense(tables, devices, reads)

    def bitwise(self, tables: SttTables) -> Bitwise | None:
        """Return the table ``[read.bitwise]``."""
        return None if tables.read is None else tables.read.bitwise

    def reads_together(self, tables: SttTables, cells: int) -> Reads | None:
        """Return the reads of groups of cells on one bit line, compared with a column of as many."""
        from mtjchar.cells.stt import read_bitwise

        return read_bitwise.reads_together(tables, cells)

    def resistances(self, device: pd.DataFrame) -> tuple[float, float]:
        """Resistances of a device in P and in AP at low voltage, ohm."""
        parallel = float(device["parallel_resistance_ohm"].iloc[0])
        return parallel, parallel * (1.0 + float(device["tmr"].iloc[0]))

    def sense_together(
        self, tables: SttTables, devices: pd.DataFrame, reads: Reads, cells: int, contrast: float = 1.0
    ) -> SensedTogether:
        """Simulate reads of groups of cells on one bit line in all combinations of their states."""
        from mtjchar.cells.stt import read_bitwise

        return read_bitwise.sense_together(tables, devices, reads, cells, contrast)

    def sense_resistances(
        self, tables: SttTables, device: pd.DataFrame, reads: Reads, cells: int, resistance: FloatArray
    ) -> FloatArray:
        """Simulate reads of columns of resistances in place of the device's junction."""
        from mtjchar.cells.stt import read_bitwise

        return read_bitwise.sense_resistances(tables, device, reads, cells, resistance)

    def foresee(self, tables: SttTables, device_: pd.DataFrame, amplitude: float) -> Outlook:
        """Bound the overdrive of writes and reads, and report unusual values."""
        from mtjchar.cells.stt import read_checks

        outlook = device.foresee(tables, device_, amplitude)
        return outlook._replace(read_overdrive=read_checks.overdrive_of_junction(tables, device_))

    def transistor(self, tables: SttTables) -> Transistor:
        """Access transistor."""
        return tables.cell.transistor

    def footprint(self, tables: SttTables) -> Footprint:
        """Width and area of the access transistor, and of one in parallel; not of a column select."""
        cell = tables.cell
        second = cell.second_transistor if cell.select is None else None
        width = cell.transistor.width + (0.0 if second is None else second.width)
        return Footprint(width, strip_area(width, cell.transistor.length))

    def at_corner(self, tables: SttTables, corner: str) -> Mapping[str, Any]:
        """Set the access transistor to a corner."""
        return {"cell": {"transistor": tables.cell.transistor.at_corner(corner)}}

    def at_temperature(self, tables: SttTables, temperature: float) -> Mapping[str, Any]:
        """Set the temperature of junction and transistor."""
        lowest, highest = TEMPERATURE_RANGE
        if not lowest <= temperature <= highest:
            raise InputError(
                "cell.temperature", value=f"{temperature:g} K",
                allowed=f"{lowest:g} K to {highest:g} K ({lowest - ZERO_CELSIUS:g} degC to "
                f"{highest - ZERO_CELSIUS:g} degC)",
            )  # fmt: skip
        return {"cell": {"temperature": temperature}}

    def drive(
        self, tables: SttTables, devices: pd.DataFrame, direction: Direction, pulses: Pulses
    ) -> measure.LoadLine:
        """Measure load lines and energies of the edges in ngspice."""
        from mtjchar.cells.stt import measure, netlist

        return measure.load_lines(tables, netlist.cell_parameters(tables, devices), direction, pulses)

    def average(
        self,
        tables: SttTables,
        devices: pd.DataFrame,
        direction: Direction,
        driven: measure.LoadLine,
        pulses: Pulses,
        counting: Counting,
    ) -> Averages:
        """Solve the Fokker-Planck equation, or count errors without axial symmetry."""
        from mtjchar.cells.stt import axial, langevin
        from mtjchar.cells.stt.supply import supply_energies

        if tables.axially_symmetric:
            averages = axial.average_over_noise(tables, devices, direction, driven, pulses)
        else:
            averages = langevin.count_failures(tables, devices, direction, driven, pulses, counting)
        if tables.cell.supply_voltage is None:
            return averages
        return averages._replace(
            further=supply_energies(tables, direction, driven, pulses.amplitude_V, averages)
        )

    def try_nominal(
        self, tables: SttTables, device_: pd.DataFrame, directions: Sequence[Direction], pulses: Pulses
    ) -> Trial:
        """Probe the transistor of a file, determine how far the current exceeds Ic0, and try reads."""
        from mtjchar.cells.stt import read_checks, trial

        tried = trial.try_nominal(tables, device_, directions, pulses)
        if not tried.failure:
            read_checks.check_circuit(tables, device_)
        return tried

    def deck(
        self, tables: SttTables, device_: pd.DataFrame, direction: Direction, pulses: Pulses
    ) -> tuple[list[str], list[str]]:
        """Lines of a deck for one device, and the commands that measure its load lines and edges."""
        from mtjchar.cells.stt import measure, netlist

        lines = netlist.batch_deck(tables, netlist.cell_parameters(tables, device_), held=True).splitlines()
        return lines, measure.commands_by_hand(tables, direction, pulses)

    def compact_model(self, tables: SttTables, device_: pd.DataFrame, language: str, name: str) -> str:
        """Write the junction, a macrospin with its thermal field, for other circuit simulators."""
        from mtjchar.cells.stt.compact import pspice, verilog_a

        write = {"verilog-a": verilog_a, "pspice": pspice}[language]
        return write(tables, device_, name)
