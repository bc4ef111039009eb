"""The laws of a junction: quantities derived from its film, its diameter and its temperature."""

from __future__ import annotations

import contextlib
import math
from typing import NoReturn

import numpy as np
import pandas as pd
from pydantic import ValidationError

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.outlook import Outlook
from mtjchar.cells.stt.barriers import barriers, first_barrier
from mtjchar.cells.stt.film_laws import FilmLaws
from mtjchar.cells.stt.stack import Stack
from mtjchar.cells.stt.tables import DIRECTIONS, SttTables
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, fokker_planck, reversal, torque, tunneling
from mtjchar.physics.wells import Wells, wells
from mtjchar.units import compact

__all__ = [
    "ASSUMED_STIFFNESS",
    "COLUMNS",
    "DRAWN_COLUMNS",
    "check_nominal",
    "derive",
    "draw_stacks",
    "foresee",
    "refusal",
    "wells_of",
]

ASSUMED_STIFFNESS = 20e-12
"""Exchange stiffness, J/m, for warnings about stacks without one: measured on 1 nm of FeCoB by spin waves in
pillars (T. Devolder et al., arXiv:1602.07421, abstract)."""

COLUMNS = {
    "diameter": "diameter_m",
    "free_layer_thickness": "free_layer_thickness_m",
    "saturation_magnetization": "saturation_magnetization_A_per_m",
    "interfacial_anisotropy": "interfacial_anisotropy_J_per_m2",
    "damping": "damping",
    "spin_polarization": "spin_polarization",
    "resistance_area_product": "resistance_area_product_ohm_m2",
    "tmr": "tmr",
    "threshold_voltage": "threshold_voltage_V",
    "current_factor": "current_factor",
}
"""Sampled columns of the device table, by their names in a study."""

DRAWN_COLUMNS = {
    "tmr_half_bias": "tmr_half_bias_V",
    "slonczewski_lambda": "slonczewski_lambda",
    "exchange_stiffness": "exchange_stiffness_J_per_m",
    "nucleation_diameter": "nucleation_diameter_m",
}
"""Columns of the device table if `draw_stacks` draws them; otherwise all devices have the stack's values."""

_LEAST_STABILITY = 5.0
_COSINES = 33
_USUAL_STABILITY = (20.0, 120.0)  # of devices that are built to hold bits for seconds to decades


def derive(tables: SttTables, sampled: pd.DataFrame) -> pd.DataFrame:
    """Add the quantities derived from the sampled parameters at the temperature of the cell.

    The columns of temperature-dependent parameters are overwritten by their values at that temperature.

    Parameters
    ----------
    tables : SttTables
    sampled : DataFrame
        With the columns `COLUMNS`, values at 300 K.

    Returns
    -------
    DataFrame
        With ``device`` and the derived columns ``anisotropy_field_T``, ``thermal_stability``,
        ``relaxation_time_s``, ``critical_current_A`` (of P to AP), ``critical_current_ap_to_p_A``,
        ``parallel_resistance_ohm``,
        ``antiparallel_resistance_ohm`` (at zero bias; of both barriers, if there are two),
        ``demagnetizing_x``, ``demagnetizing_y``,
        ``demagnetizing_z``, ``barrier_p`` and ``barrier_ap`` (out of the wells in the external field, over
        kB T) added; with back-hopping also ``back_hopping_current_A`` and ``back_hopping_stability``. If only
        a part of the layer fluctuates as one macrospin (see `mtjchar.physics.reversal`),
        ``thermal_stability`` is that of this part, and ``coherent_stability`` that of the whole layer is
        added too. If the easy direction is in the plane, the first two are negative, and those that follow
        have no meaning.

    Notes
    -----
    Anisotropy field, stability, relaxation time and critical current refer to the path over the long
    axis, without external field.
    """
    stack = tables.stack
    column = {name: sampled[name].to_numpy(dtype=np.float64) for name in sampled.columns}
    laws = FilmLaws(stack, tables.cell.temperature)
    thickness, diameter, damping = column["free_layer_thickness_m"], column["diameter_m"], column["damping"]
    magnetization = laws.magnetization(column["saturation_magnetization_A_per_m"])
    interfacial = laws.interfacial_anisotropy(column["interfacial_anisotropy_J_per_m2"])
    tmr = laws.tmr(column["tmr"])
    polarization = laws.polarization(column["spin_polarization"])
    product = laws.resistance_area_product(column["resistance_area_product_ohm_m2"])
    aspect = tables.junction.aspect_ratio
    nx, ny, nz = anisotropy.demagnetizing_factors_elliptic(thickness, diameter, aspect, stack.demagnetization)
    stiffness = column.get("exchange_stiffness_J_per_m")
    if stiffness is not None:
        sampled = sampled.assign(exchange_stiffness_J_per_m=laws.exchange_stiffness(stiffness))
    free = laws.free_layer(
        thickness,
        diameter,
        magnetization,
        interfacial,
        polarization,
        damping,
        aspect_ratio=aspect,
        exchange_stiffness=sampled.get("exchange_stiffness_J_per_m"),
        nucleation_diameter=column.get("nucleation_diameter_m"),
    )
    parallel = tunneling.parallel_resistance(product, diameter)
    lambda_, half_bias = (
        column.get(DRAWN_COLUMNS[key], np.asarray(getattr(stack, key)))
        for key in ("slonczewski_lambda", "tmr_half_bias")
    )
    table = sampled.assign(
        saturation_magnetization_A_per_m=magnetization,
        interfacial_anisotropy_J_per_m2=interfacial,
        spin_polarization=polarization,
        resistance_area_product_ohm_m2=product,
        tmr=tmr,
        anisotropy_field_T=free.anisotropy_field,
        thermal_stability=free.stability,
        relaxation_time_s=free.relaxation_time,
        critical_current_A=free.critical_current,
        critical_current_ap_to_p_A=torque.reverse_critical_current(
            free.critical_current, stack.torque, lambda_, parallel, tmr, half_bias
        ),
        parallel_resistance_ohm=parallel,
        antiparallel_resistance_ohm=parallel * (1.0 + tmr),
        demagnetizing_x=nx,
        demagnetizing_y=ny,
        demagnetizing_z=nz,
    )
    if any(map(math.isfinite, stack.wall_and_nucleus)):
        table = table.assign(coherent_stability=free.coherent_stability)
    both = barriers(tables, table)
    if both is not None:
        currents = both.critical_currents(free.critical_current, stack.torque, lambda_)
        table = table.assign(
            critical_current_A=currents[0],
            critical_current_ap_to_p_A=currents[1],
            parallel_resistance_ohm=both.resistance(np.array(1.0)),
            antiparallel_resistance_ohm=both.resistance(np.array(-1.0)),
        )
    wells = wells_of(table, _field(tables))
    table = table.assign(barrier_p=wells.barrier_p, barrier_ap=wells.barrier_ap)
    if stack.back_hopping_current_density is not None and stack.back_hopping_stability is not None:
        area = 0.25 * np.pi * diameter**2
        warming = tables.cell.temperature / anisotropy.REFERENCE_TEMPERATURE
        table = table.assign(
            back_hopping_current_A=stack.back_hopping_current_density * area,
            back_hopping_stability=stack.back_hopping_stability / warming,
        )
    table.insert(0, "device", np.arange(len(table)))
    return table


def check_nominal(tables: SttTables, device: pd.DataFrame) -> None:
    """Refuse a nominal device without two stable states.

    Parameters
    ----------
    tables : SttTables
    device : DataFrame
        One row, as `derive` returns it.

    Raises
    ------
    InputError
        If its thermal stability, or in an external field the barrier out of P or AP, is below 5 kB T.
    """
    stability = float(device["thermal_stability"].iloc[0])
    if not stability >= _LEAST_STABILITY:
        raise InputError(
            "thermal stability that follows from stack, junction.diameter and cell.temperature",
            value=round(stability, 3),
            allowed=f"at least {_LEAST_STABILITY:g}",
            remedy="Raise interfacial_anisotropy (or the stability or anisotropy_field in its place) or the "
            "diameter, or lower saturation_magnetization, free_layer_thickness or the temperature.",
        )
    if not _least_barrier(tables, device, 1.0) >= _LEAST_STABILITY:
        _refuse_field(tables, device)


def _field(tables: SttTables, fraction: float = 1.0) -> tuple[float, float, float]:
    field = tables.cell.external_field
    return fraction * field.x, fraction * field.y, fraction * field.z


def _least_barrier(tables: SttTables, device: pd.DataFrame, fraction: float) -> float:
    """Smaller barrier of one device in a fraction of its field, over kB T."""
    wells = wells_of(device, _field(tables, fraction))
    return float(min(wells.barrier_p[0], wells.barrier_ap[0]))


def _refuse_field(tables: SttTables, device: pd.DataFrame) -> NoReturn:
    # The barriers fall with the field: bisect for the largest field that leaves two states.
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        stable = _least_barrier(tables, device, middle) >= _LEAST_STABILITY
        low, high = (middle, high) if stable else (low, middle)
    field = tables.cell.external_field
    raise InputError(
        "cell.external_field",
        value={axis: value for axis, value in zip("xyz", _field(tables), strict=True) if value},
        allowed=f"a field that leaves barriers of at least {_LEAST_STABILITY:g} kB T out of P and AP, in "
        f"this direction at most {compact(low * math.hypot(field.x, field.y, field.z), 'T', 4)}",
        remedy="Lower the field, or raise the thermal stability by interfacial_anisotropy or the diameter.",
    )


def _unstable(devices: pd.DataFrame) -> WordArray:
    """Reasons why devices have no two stable states, shape (devices,); empty if they have.

    Parameters
    ----------
    devices : DataFrame
        As `derive` returns it. The barriers out of P and AP must be at least 5 kB T.
    """
    barriers = devices[["barrier_p", "barrier_ap"]].to_numpy()
    reasons = [
        f"no stable state: barriers of {p:.3g} (P) and {ap:.3g} kB T (AP), below {_LEAST_STABILITY:g}"
        if min(p, ap) < _LEAST_STABILITY
        else ""
        for p, ap in barriers
    ]
    return np.array(reasons, dtype=object)


def wells_of(devices: pd.DataFrame, field: tuple[float, float, float]) -> Wells:
    """Energy wells of devices, from their derived columns, in a field (T); see `mtjchar.physics.wells`.

    All energies are those of the part that fluctuates as one macrospin.
    """
    column = {name: devices[name].to_numpy(dtype=np.float64) for name in devices.columns}
    in_plane = anisotropy.in_plane_field(
        column["saturation_magnetization_A_per_m"], column["demagnetizing_x"], column["demagnetizing_y"]
    )
    return wells(column["thermal_stability"], column["anisotropy_field_T"], in_plane, field)


def foresee(tables: SttTables, device: pd.DataFrame, amplitude: float) -> Outlook:
    """Bound the overdrive of one device, without any voltage drop (V) at transistor and lines."""
    row = {name: np.asarray(float(device[name].iloc[0])) for name in device.columns}
    stack, m_z = tables.stack, np.array([1.0, -1.0])
    lambda_ = np.asarray(stack.slonczewski_lambda)
    both, first = barriers(tables, device), first_barrier(tables, device)
    drive = np.full(2, amplitude) / row["parallel_resistance_ohm"]
    if both is not None:
        m_z = np.linspace(1.0, -1.0, _COSINES)  # the resistance of both may be lowest in between
        one = both.first_voltage(np.full(_COSINES, amplitude), m_z)
        drive = both.torque_voltage(one, amplitude - one) / first.parallel
        if stack.torque == "current":
            drive = both.torque_current(both.first.current(one, m_z), lambda_, m_z)
    elif stack.torque == "current":
        tmr = tunneling.tmr_at_bias(row["tmr"], np.asarray(amplitude), np.asarray(stack.tmr_half_bias))
        drive = amplitude * tunneling.conductance(m_z, row["parallel_resistance_ohm"], tmr)
    # With one barrier, conductance times efficiency is monotone in m_z: the larger end is the largest of all.
    efficiency = 2.0 * torque.spin_torque_efficiency(np.ones(1), lambda_, m_z)
    bound = float(np.max(drive * efficiency) / first.critical_current[0])
    largest = dict.fromkeys(DIRECTIONS, bound)
    warnings = []
    low, high = _USUAL_STABILITY
    stability = float(row["thermal_stability"])
    if not low <= stability <= high:
        warnings.append(
            f"A thermal stability of {stability:.4g} is unusual for a memory ({low:g} to "
            f"{high:g}): look at the anisotropy, the thickness and the diameter."
        )
    warnings += _width(tables, row)
    if not row["antiparallel_resistance_ohm"] > row["parallel_resistance_ohm"]:
        warnings.append(
            "The junction has no higher resistance in AP than in P, which a read needs: lower "
            "second_barrier.resistance_area_product or second_barrier.tmr."
        )
    if bound < 1.0:
        warnings.append(
            f"No pulse reaches Ic0: at {amplitude:g} V even the junction alone has an overdrive below 1. "
            "Raise sweep.amplitude, or lower the resistance-area product or the critical current."
        )
    return Outlook(largest, tuple(warnings))


def _width(tables: SttTables, row: dict[str, FloatArray]) -> list[str]:
    """Warn about a junction that is too wide to reverse as one macrospin."""
    stack, aspect = tables.stack, tables.junction.aspect_ratio
    given = stack.exchange_stiffness
    stiffness = FilmLaws(stack, tables.cell.temperature).exchange_stiffness(given or ASSUMED_STIFFNESS)
    energy = 0.5 * row["anisotropy_field_T"] * row["saturation_magnetization_A_per_m"]
    # Beyond this a domain wall, along the short axis, has less energy than the coherent barrier.
    widest = float(reversal.critical_diameter(energy, stiffness)) / math.sqrt(aspect)
    diameter = float(row["diameter_m"])
    share = float(row["thermal_stability"] / row.get("coherent_stability", row["thermal_stability"]))
    warnings = []
    if share < 1.0:
        warnings.append(
            f"At {compact(diameter, 'm', 3)} the barrier is {100.0 * share:.0f} % of that of coherent "
            "reversal. This share of the free layer is computed as one macrospin; the rest follows at once."
        )
    if diameter > widest:
        lower = float(reversal.coherent_share(energy, diameter, stiffness, aspect_ratio=aspect))
        words = "the" if given else "an assumed"
        warnings.append(
            f"The diameter of {compact(diameter, 'm', 3)} is beyond {compact(widest, 'm', 3)}, which is "
            f"16/pi sqrt(A/K_eff) with {words} exchange stiffness A of "
            f"{compact(given or ASSUMED_STIFFNESS, 'J/m')}: the junction reverses by a domain wall, whose "
            f"barrier is {100.0 * lower:.0f} % of the coherent one."
            + ("" if given else " Give the stack its exchange_stiffness.")
        )
    return warnings


def refusal(devices: pd.DataFrame) -> WordArray:
    """Reasons why devices cannot be characterized, shape (devices,); empty if they can."""
    stability = devices["thermal_stability"].to_numpy()
    low, high = fokker_planck.STABILITY_RANGE
    outside = [f"thermal stability {value:.3g} is outside {low:g} to {high:g}" for value in stability]
    return np.where((stability >= low) & (stability <= high), _unstable(devices), outside)


def draw_stacks(tables: SttTables, seed: int, count: int) -> dict[str, FloatArray]:
    """Draw stacks from the covariance of the study's fit: `count` values of each parameter, SI.

    Notes
    -----
    Normal around the study's values; values outside the limits of a stack file are drawn again.
    """
    fit = tables.variability.fit
    if not fit.parameters:
        return {}
    rng = np.random.default_rng([seed, count])
    values, covariance = np.array(fit.values), np.array(fit.covariance)
    scale = np.sqrt(np.diag(covariance)) + 1e-300
    spread, axes = np.linalg.eigh(covariance / np.outer(scale, scale))
    root = axes * np.sqrt(np.maximum(spread, 0.0))
    kept: list[FloatArray] = []
    for _ in range(100 * count):
        drawn = values + scale * (root @ rng.normal(size=len(values)))
        data = {**tables.stack.model_dump(), **dict(zip(fit.parameters, map(float, drawn), strict=True))}
        with contextlib.suppress(ValidationError):
            Stack.model_validate(data)
            kept.append(drawn)
        if len(kept) == count:
            return dict(zip(fit.parameters, np.array(kept).T, strict=True))
    raise InputError(
        "variability.fit",
        value=dict(zip(fit.parameters, scale.tolist(), strict=True)),
        allowed="standard errors with which a stack stays within its limits",
        remedy="The data of the fit do not determine it: measure what its report names.",
    )
