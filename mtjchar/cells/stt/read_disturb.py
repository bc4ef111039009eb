"""Probability that a read flips a cell: Fokker-Planck equation in the drive of its waveforms.

The drive changes during a read: the word line turns the cell on, and a line that is discharged or charged
loses its voltage. `mtjchar.physics.changing_drive` follows it.

The voltage of a line depends on the way of m_z until then, which the equation for m_z alone does not know. On
a way from the state before the read to z the mean cosine is taken to be halfway, and the logarithm of the
voltage is interpolated to it between the waveforms in both states. Against simulated trajectories of m_z and
line together, rates were 0 to 0.25 decades too high (tests/test_read_cell.py, docs/reading.md). The junction
gets its share of the voltage at each m_z, which follows from its shares in P and in AP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.cells.stt.barriers import first_barrier
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.tables import SttTables
from mtjchar.physics import changing_drive, fokker_planck, torque, tunneling

__all__ = ["CellDrive", "disturb_rates", "largest_overdrive"]

_LEAST_VOLTAGE = 1e-9  # V, of a cell
_LEAST_SHARE = 1e-3  # of the junction in the voltage of its cell: below that the transistor is off
_SYSTEMS = 64  # solved together: small enough for the CPU's cache
_COSINES = 5  # at which the largest overdrive is looked for


class CellDrive(NamedTuple):
    """Mean voltages in the steps of reads of devices; shape (devices, 2, voltages, steps), P first.

    Attributes
    ----------
    cell : ndarray
        From the end of the bit line to that of the source line, V.
    junction : ndarray
        From the free to the reference layer, V.
    """

    cell: FloatArray
    junction: FloatArray

    @property
    def share(self) -> FloatArray:
        """Magnitude of the junction's share in the voltage of the cell."""
        share = np.ones_like(self.cell)
        np.divide(np.abs(self.junction), np.abs(self.cell), out=share, where=np.abs(self.cell) > 1e-5)
        return np.clip(share, _LEAST_SHARE, 1.0)


class _Systems(NamedTuple):
    """One system for each device and voltage, in one state; arrays of shape (systems,) if not said."""

    start: float  # m_z
    tables: SttTables
    column: Mapping[str, FloatArray]  # of the table of devices
    vcma: FloatArray  # over the anisotropy field, 1/V
    scale: FloatArray  # of the drive, V or A
    cell: FloatArray  # (steps, systems), V, positive towards P, in the state before the read
    change: FloatArray  # logarithm of that in the other state over it, (steps, systems)
    mean: FloatArray  # of 1 over the shares in P and in AP, (steps, systems)
    half: FloatArray  # of their difference

    @classmethod
    def of(
        cls, tables: SttTables, devices: pd.DataFrame, drive: CellDrive, state: int, rows: IndexArray
    ) -> _Systems:
        device, voltage = rows.T
        column = {name: devices[name].to_numpy()[device] for name in devices.columns}
        first = first_barrier(tables, devices)
        scale = first.critical_current[device]
        if tables.stack.torque == "voltage":
            scale = scale * first.parallel[device]
        towards_p = 1.0 if tables.cell.free_layer_to == "bitline" else -1.0
        # Log of both; where nothing flows yet or any more the sign does not matter.
        logarithm = np.log(np.maximum(np.abs(drive.cell[device, :, voltage]), _LEAST_VOLTAGE))
        inverse = 1.0 / drive.share[device, :, voltage]  # (systems, 2, steps)
        vcma = cell_parameters(tables, devices)["vcma"].to_numpy()[device] / column["anisotropy_field_T"]
        return cls(
            (1.0, -1.0)[state],
            tables,
            column,
            vcma,
            scale,
            towards_p * drive.cell[device, state, voltage].T,
            (logarithm[:, 1 - state] - logarithm[:, state]).T,
            0.5 * (inverse[:, 0] + inverse[:, 1]).T,
            0.5 * (inverse[:, 0] - inverse[:, 1]).T,
        )

    def overdrive(self, z: FloatArray, step: int) -> FloatArray:
        """Mean overdrive in a step at z, shape (points, systems); z = 1 is the state before the read."""
        stack, m_z = self.tables.stack, self.start * z
        # A divider: 1 over the share grows linearly with the conductance of the junction, and that with m_z.
        voltage = self.cell[step] * np.exp(self.change[step] * (0.25 * (1.0 - z)))
        voltage /= self.mean[step] + self.half[step] * m_z
        field_like = stack.field_like_torque * self.column["damping"]
        if stack.torque == "voltage":
            driven = voltage * (1.0 + field_like * voltage)
        else:
            half_bias = self.column.get("tmr_half_bias_V", np.asarray(stack.tmr_half_bias))
            tmr = tunneling.tmr_at_bias(self.column["tmr"], voltage, half_bias)
            driven = voltage * tunneling.conductance(m_z, self.column["parallel_resistance_ohm"], tmr)
            lambda_ = np.asarray(self.column.get("slonczewski_lambda", stack.slonczewski_lambda))
            driven = driven * (1.0 + field_like)
            driven = driven * 2.0 * torque.spin_torque_efficiency(np.ones(1), lambda_, m_z)
        # Positive towards P is away from AP.
        own = -self.start / self.scale * driven
        return np.asarray(own if stack.vcma_coefficient == 0.0 else own - self.vcma * voltage * z)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Smallest and largest overdrive over z and the steps."""
        z = np.linspace(-1.0, 1.0, _COSINES)[:, None] * np.ones_like(self.scale)
        values = np.stack([self.overdrive(z, step) for step in range(len(self.cell))])
        return values.min(axis=(0, 1)), values.max(axis=(0, 1))


def disturb_rates(
    tables: SttTables, devices: pd.DataFrame, drive: CellDrive, edges: FloatArray, ends: IndexArray
) -> FloatArray:
    """Probability that reads flip devices, shape (devices, 2, voltages, times).

    Parameters
    ----------
    tables : SttTables
        Axially symmetric, with one barrier, and without heating.
    devices : DataFrame
        As `mtjchar.cells.stt.device.derive` returns them, each with two stable states.
    drive : CellDrive
    edges : ndarray, shape (steps + 1,)
        Of the steps, s.
    ends : ndarray of int, shape (times,)
        Edges at which reads end.

    Notes
    -----
    NaN where a drive is beyond the range of the Fokker-Planck solution.
    """
    count, _, voltages, _ = drive.cell.shape
    result = np.full((count, 2, voltages, len(ends)), np.nan)
    known = np.isfinite(drive.cell).all(axis=(1, 3)) & np.isfinite(drive.junction).all(axis=(1, 3))
    # Systems of about the same barrier and drive need about as many cells.
    rows = np.argwhere(known.T)[:, ::-1]
    for state in (0, 1):
        for first in range(0, len(rows), _SYSTEMS):
            part = rows[first : first + _SYSTEMS]
            systems = _Systems.of(tables, devices, drive, state, part)
            smallest, largest = systems.bounds()
            inside = np.maximum(largest, -smallest) <= fokker_planck.OVERDRIVE_LIMIT
            if not inside.all():
                part = part[inside]
                systems = _Systems.of(tables, devices, drive, state, part)
                smallest, largest = systems.bounds()
            column = systems.column
            rates = changing_drive.switching_probability(
                systems.overdrive,
                column["thermal_stability"],
                systems.start * tables.cell.external_field.z / column["anisotropy_field_T"],
                np.diff(edges)[:, None] / column["relaxation_time_s"],
                largest=largest,
                smallest=smallest,
            )
            result[part[:, 0], state, part[:, 1]] = rates[ends - 1].T
    return result


def largest_overdrive(tables: SttTables, devices: pd.DataFrame, drive: CellDrive) -> FloatArray:
    """Largest overdrive of either state during reads, shape (devices, voltages)."""
    count, _, voltages, _ = drive.cell.shape
    rows = np.argwhere(np.ones((count, voltages), dtype=np.bool_))
    both = [_Systems.of(tables, devices, drive, state, rows).bounds()[1] for state in (0, 1)]
    return np.asarray(np.maximum(*both).reshape(count, voltages))
