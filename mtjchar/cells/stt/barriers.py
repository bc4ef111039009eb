"""What acts on the free layer: the torque of one tunnel barrier, or of two in series."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.film_laws import FilmLaws
from mtjchar.cells.stt.tables import SttTables
from mtjchar.physics import torque, tunneling
from mtjchar.physics.double_barrier import Barrier, DoubleBarrier

__all__ = ["Acting", "FirstBarrier", "acting_on", "barriers", "barriers_of_cells", "first_barrier"]


class FirstBarrier(NamedTuple):
    """What the first barrier of devices would be by itself; arrays of shape (devices,).

    Attributes
    ----------
    parallel : ndarray
        Resistance in P, ohm.
    critical_current : ndarray
        Critical current from P to AP, A.
    """

    parallel: FloatArray
    critical_current: FloatArray


def first_barrier(tables: SttTables, devices: pd.DataFrame) -> FirstBarrier:
    """Return the first barrier of devices, as `derive` returns them; without a second one, the junction."""
    column = {name: devices[name].to_numpy(dtype=np.float64) for name in devices.columns}
    stack, kelvin = tables.stack, np.asarray(tables.cell.temperature)
    if stack.second_barrier is None:
        return FirstBarrier(column["parallel_resistance_ohm"], column["critical_current_A"])
    efficiency = torque.symmetric_efficiency(column["spin_polarization"], stack.torque)
    return FirstBarrier(
        tunneling.parallel_resistance(column["resistance_area_product_ohm_m2"], column["diameter_m"]),
        torque.critical_current(column["damping"], column["thermal_stability"], kelvin, efficiency),
    )


def barriers(tables: SttTables, devices: pd.DataFrame) -> DoubleBarrier | None:
    """Return both barriers of devices, at the temperature of the cell; None if the stack has one.

    Parameters
    ----------
    tables : SttTables
    devices : DataFrame
        As `derive` returns it.

    Returns
    -------
    DoubleBarrier or None
        Of shape (devices,). The second barrier has no spread but that of the diameter, and the temperature
        laws of the first one.
    """
    stack, second = tables.stack, tables.stack.second_barrier
    if second is None:
        return None
    laws = FilmLaws(stack, tables.cell.temperature)
    column = {name: devices[name].to_numpy(dtype=np.float64) for name in devices.columns}
    diameter, one = column["diameter_m"], np.ones(len(devices))
    half_bias = column.get("tmr_half_bias_V", stack.tmr_half_bias * one)
    own_half_bias = half_bias if second.tmr_half_bias is None else second.tmr_half_bias * one
    product = laws.resistance_area_product(second.resistance_area_product)
    efficiency = torque.symmetric_efficiency(laws.polarization(second.spin_polarization), stack.torque)
    return DoubleBarrier(
        Barrier(
            tunneling.parallel_resistance(column["resistance_area_product_ohm_m2"], diameter),
            column["tmr"],
            half_bias,
        ),
        Barrier(tunneling.parallel_resistance(product, diameter), laws.tmr(second.tmr) * one, own_half_bias),
        np.array(second.side),
        efficiency / torque.symmetric_efficiency(column["spin_polarization"], stack.torque),
    )


def barriers_of_cells(cells: pd.DataFrame) -> DoubleBarrier | None:
    """Return both barriers from the parameters of a netlist, shape (cells, 1); None if there is one.

    Parameters
    ----------
    cells : DataFrame
        As `mtjchar.cells.stt.netlist.cell_parameters` returns them.
    """
    if "rp2" not in cells:
        return None
    column = {name: cells[name].to_numpy(dtype=np.float64)[:, None] for name in cells.columns}
    return DoubleBarrier(
        Barrier(column["rp"], column["tmr"], column["vhalf"]),
        Barrier(column["rp2"], column["tmr2"], column["vhalf2"]),
        column["side2"],
        column["torque2"] / column["torque"],
    )


class Acting(NamedTuple):
    """What acts on the free layer on load lines, as if the first barrier were the only one.

    Attributes
    ----------
    drive : ndarray, shape (devices, amplitudes, points)
        Current (A) or voltage (V) of the first barrier alone that has the torque, positive towards the
        written state; divided by the symmetric efficiency, so that the angular dependence is still to come.
    voltage_V : ndarray, shape (devices, amplitudes, points)
        Of the first barrier, from the free to the reference layer.
    first : FirstBarrier
    """

    drive: FloatArray
    voltage_V: FloatArray
    first: FirstBarrier


def acting_on(
    tables: SttTables, devices: pd.DataFrame, m_z: FloatArray, current: FloatArray, voltage: FloatArray
) -> Acting:
    """Split load lines between the barriers and add their torques.

    Parameters
    ----------
    tables : SttTables
    devices : DataFrame
        As `mtjchar.cells.stt.device.derive` returns them.
    m_z : ndarray, shape (points,)
    current : ndarray, shape (devices, amplitudes, points)
        A, positive towards the written state.
    voltage : ndarray, shape (devices, amplitudes, points)
        V, of the whole junction, from the free to the reference layer.
    """
    first, both = first_barrier(tables, devices), barriers(tables, devices)
    per_voltage = tables.stack.torque == "voltage"
    if both is None:
        return Acting(np.abs(voltage) if per_voltage else current, voltage, first)
    both = both.over(2)
    lambda_ = np.asarray(devices.get("slonczewski_lambda", tables.stack.slonczewski_lambda), dtype=np.float64)
    if not per_voltage:
        drive = both.torque_current(current, lambda_.reshape(-1, 1, 1), m_z)
        return Acting(drive, np.sign(voltage) * both.first.voltage(current, m_z), first)
    one = both.first_voltage(np.abs(voltage), m_z)
    return Acting(both.torque_voltage(one, np.abs(voltage) - one), np.sign(voltage) * one, first)
