"""The laws of a junction on a channel: quantities derived from sampled parameters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.footprint import Footprint, strip_area
from mtjchar.cells.outlook import Outlook
from mtjchar.cells.sot.tables import SotTables
from mtjchar.cells.stt import device as pillar
from mtjchar.cells.stt.film_laws import volume
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, spin_orbit, torque
from mtjchar.physics.wells import Vector, Wells, wells
from mtjchar.units import compact

__all__ = [
    "COLUMNS",
    "check_nominal",
    "derive",
    "footprint",
    "foresee",
    "hot",
    "in_frame",
    "refusal",
    "wells_of",
]

COLUMNS = {
    **{
        name: column
        for name, column in pillar.COLUMNS.items()
        if name not in ("threshold_voltage", "current_factor")
    },
    "threshold_voltage": "threshold_voltage_V",
    "current_factor": "current_factor",
    "read_threshold_voltage": "read_threshold_voltage_V",
    "read_current_factor": "read_current_factor",
    "spin_hall_angle": "spin_hall_angle",
    "field_like_ratio": "field_like_ratio",
    "channel_thickness": "channel_thickness_m",
    "channel_width": "channel_width_m",
    "channel_length": "channel_length_m",
    "channel_resistivity": "channel_resistivity_ohm_m",
    "external_field": "external_field_factor",
}
"""Sampled columns of the device table, by their names in a study."""

_LEAST_STABILITY = 5.0
_STABILITY_RANGE = (5.0, 200.0)
_USUAL_STABILITY = (20.0, 120.0)


def in_frame(tables: SotTables, vector: Vector) -> Vector:
    """Return a vector in the frame of the easy axis.

    The third axis of this frame is the easy axis. The first one is the next easiest direction. For a
    perpendicular layer these are z and x. For an in-plane layer they are x (the long axis of the junction)
    and y.
    """
    x, y, z = vector
    return (y, z, x) if tables.in_plane else (x, y, z)


def derive(tables: SotTables, sampled: pd.DataFrame) -> pd.DataFrame:
    """Add the quantities derived from the sampled parameters at the temperature of the cell.

    Parameters
    ----------
    tables : SotTables
    sampled : DataFrame
        With the columns `COLUMNS`, values at 300 K.

    Returns
    -------
    DataFrame
        With the columns of `mtjchar.cells.stt.device.derive` and ``hard_axis_field_T`` (field between both
        hard axes, at least 0), ``channel_resistance_ohm``, ``damping_like_field_T_per_A`` and
        ``threshold_current_A`` (of the channel, without noise). In a layer with its easy axis in the plane,
        ``anisotropy_field_T`` is the field between the long and the short axis. Stability, relaxation time,
        barriers and critical currents are then those of the in-plane easy axis.
    """
    table = pillar.derive(tables.pillar, sampled)
    column = {name: table[name].to_numpy(dtype=np.float64) for name in table.columns}
    in_plane = anisotropy.in_plane_field(
        column["saturation_magnetization_A_per_m"], column["demagnetizing_x"], column["demagnetizing_y"]
    )
    if tables.in_plane:
        table = table.assign(**_in_plane(tables, column, in_plane))
    else:
        table = table.assign(hard_axis_field_T=in_plane)
    both = wells_of(tables, table)
    section = column["channel_width_m"] * column["channel_thickness_m"]
    per_current = spin_orbit.damping_like_field(
        1.0 / section,
        column["spin_hall_angle"],
        column["saturation_magnetization_A_per_m"],
        column["free_layer_thickness_m"],
    )
    table = table.assign(
        barrier_p=both.barrier_p,
        barrier_ap=both.barrier_ap,
        channel_resistance_ohm=spin_orbit.channel_resistance(
            column["channel_resistivity_ohm_m"],
            column["channel_thickness_m"],
            column["channel_width_m"],
            column["channel_length_m"],
        ),
        damping_like_field_T_per_A=per_current,
    )
    return table.assign(threshold_current_A=_threshold_field(tables, table) / np.abs(per_current))


def footprint(tables: SotTables) -> Footprint:
    """Widths of all transistors and area of the cell.

    A 2T cell has a strip of diffusion for each transistor. A 3T cell has one strip for all of them.
    """
    cell, feature = tables.cell, tables.cell.transistor.length
    write, read = cell.transistor.width, cell.read_width
    if cell.topology == "3t":
        return Footprint(2.0 * write + read, strip_area(max(write, read), feature, gates=3))
    return Footprint(write + read, strip_area(write, feature) + strip_area(read, feature))


def _in_plane(tables: SotTables, column: dict[str, FloatArray], easy: FloatArray) -> dict[str, FloatArray]:
    """Columns of a layer with its easy axis in the plane. `easy` is the field between both axes there, T."""
    magnetization, damping = column["saturation_magnetization_A_per_m"], column["damping"]
    out = -column["anisotropy_field_T"]  # between x and z
    free_volume = volume(column["diameter_m"], column["free_layer_thickness_m"])
    kelvin = np.asarray(tables.cell.temperature)
    stability = anisotropy.thermal_stability(0.5 * easy * magnetization, free_volume, kelvin)
    # J. Z. Sun, Phys. Rev. B 62, 570 (2000), doi:10.1103/PhysRevB.62.570: the mean of both stiffness fields.
    efficiency = torque.symmetric_efficiency(column["spin_polarization"], tables.stack.torque)
    critical = torque.critical_current(damping, stability, kelvin, efficiency) * (0.5 + 0.5 * out / easy)
    reverse = column["critical_current_ap_to_p_A"] / column["critical_current_A"]
    return {
        "anisotropy_field_T": easy,
        "hard_axis_field_T": out - easy,
        "thermal_stability": stability,
        "relaxation_time_s": (1.0 + damping**2) / (damping * anisotropy.GAMMA * 0.5 * (easy + out)),
        "critical_current_A": critical,
        "critical_current_ap_to_p_A": critical * reverse,
    }


def _threshold_field(tables: SotTables, table: pd.DataFrame) -> FloatArray:
    """Damping-like field at which the state before a write becomes unstable, without noise, T."""
    easy, factor = table["anisotropy_field_T"].to_numpy(), table["external_field_factor"].to_numpy()
    if tables.in_plane:
        across = abs(tables.channel.spins[0])
        out = easy + table["hard_axis_field_T"].to_numpy()
        threshold = spin_orbit.in_plane_threshold_field(
            table["damping"].to_numpy(), easy, out, field_like=table["field_like_ratio"].to_numpy()
        )
        return np.asarray(threshold / across)
    along = np.minimum(abs(tables.field_along_current) * factor, 0.999 * np.abs(easy))
    return spin_orbit.perpendicular_threshold_field(easy, along)


def wells_of(tables: SotTables, devices: pd.DataFrame) -> Wells:
    """Energy wells of devices from their derived columns, in the frame of `in_frame`."""
    field = tables.cell.external_field
    vector = in_frame(tables, (field.x, field.y, field.z))
    stability, easy, hard, factor = (
        devices[name].to_numpy(dtype=np.float64)
        for name in ("thermal_stability", "anisotropy_field_T", "hard_axis_field_T", "external_field_factor")
    )
    parts = []
    for value in np.unique(factor):
        here = factor == value
        x, y, z = (float(value * component) for component in vector)
        parts.append((here, wells(stability[here], easy[here], np.maximum(hard[here], 0.0), (x, y, z))))
    result = np.full((4, len(devices)), np.nan)
    for here, found in parts:
        result[:, here] = found
    return Wells(*result)


def check_nominal(tables: SotTables, device: pd.DataFrame) -> None:
    """Refuse a nominal device without two stable states, one row of `derive`.

    Raises
    ------
    InputError
        If its easy axis is not that of the study, or if the barrier out of P or AP is below 5 kB T.
    """
    row = device.iloc[0]
    field = float(row["anisotropy_field_T"])
    if tables.in_plane:
        field = -field - float(row["hard_axis_field_T"])
    if (field < 0.0) != tables.in_plane:
        found = "in-plane" if field < 0.0 else "perpendicular"
        raise InputError(
            "cell.easy_axis",
            value=tables.cell.easy_axis,
            allowed=f'"{found}": with this stack the field between z and x is {compact(field, "T", 3)}',
            remedy="Or change interfacial_anisotropy, free_layer_thickness or saturation_magnetization.",
        )
    least = min(row["barrier_p"], row["barrier_ap"])
    if not least >= _LEAST_STABILITY:
        raise InputError(
            "barrier out of P and AP that follows from stack, junction, cell.temperature and "
            "cell.external_field, over kB T",
            value=round(float(least), 3),
            allowed=f"at least {_LEAST_STABILITY:g}",
            remedy=f"The thermal stability without field is {row['thermal_stability']:.3g}. Lower the field, "
            "or raise interfacial_anisotropy (in the plane: aspect_ratio) or the diameter.",
        )


def refusal(devices: pd.DataFrame) -> WordArray:
    """Reasons why devices cannot be characterized, shape (devices,); empty if they can."""
    low, high = _STABILITY_RANGE
    words = []
    for stability, p, ap in devices[["thermal_stability", "barrier_p", "barrier_ap"]].to_numpy():
        if not low <= stability <= high:
            words.append(f"thermal stability {stability:.3g} is outside {low:g} to {high:g}")
        elif not min(p, ap) >= _LEAST_STABILITY:
            words.append(
                f"no stable state: barriers of {p:.3g} (P) and {ap:.3g} kB T (AP), below {_LEAST_STABILITY:g}"
            )
        else:
            words.append("")
    return np.array(words, dtype=object)


def foresee(tables: SotTables, device: pd.DataFrame, amplitude: float) -> Outlook:
    """Estimate the largest current in the channel of one device, without a voltage drop at transistors.

    `amplitude` is in V.
    """
    row, cell = device.iloc[0], tables.cell
    lines = cell.bitline.resistance + cell.sourceline.resistance
    current = amplitude / (float(row["channel_resistance_ohm"]) + lines)
    overdrive = current / float(row["threshold_current_A"])
    warnings = []
    low, high = _USUAL_STABILITY
    stability = float(row["thermal_stability"])
    if not low <= stability <= high:
        warnings.append(
            f"A thermal stability of {stability:.4g} is unusual for a memory ({low:g} to "
            f"{high:g}): look at the anisotropy, the thickness and the diameter."
        )
    if overdrive < 1.0:
        warnings.append(
            f"No pulse reaches the threshold: at {amplitude:g} V the channel and the lines alone allow "
            f"{compact(current, 'A', 3)} of {compact(float(row['threshold_current_A']), 'A', 3)}. Raise "
            "sweep.amplitude, or lower the resistance of the channel or its cross section."
        )
    if words := hot(tables, device, current, f"{amplitude:g} V with a transistor without resistance"):
        warnings.append(words)
    causes = tables.preferences
    if len(set(causes.values())) > 1:
        first, *others = causes
        against = next(other for other in others if causes[other] != causes[first])
        warnings.append(
            f"{first} and {against} favour opposite states in the same write; the lines are driven so that "
            f"{first} favours the state written."
        )
    bounds = dict.fromkeys(("p_to_ap", "ap_to_p"), overdrive)
    return Outlook(bounds, tuple(warnings), across="the channel and the lines")


def hot(tables: SotTables, device: pd.DataFrame, current: float, where: str) -> str:
    """Warning that a current (A) in the channel of one device may melt it; empty if it does not."""
    row, limit = device.iloc[0], tables.channel.largest_current_density
    density = abs(current) / (float(row["channel_width_m"]) * float(row["channel_thickness_m"]))
    if density <= limit or not math.isfinite(density):
        return ""
    return (
        f"The channel may melt: a current density of {compact(density, 'A/m^2', 3)} at {where}, above "
        f"channel.largest_current_density = {compact(limit, 'A/m^2', 3)}. Lower sweep.amplitude, or make the "
        "channel wider or thicker."
    )
