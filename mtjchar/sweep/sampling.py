"""Sampled devices: the parameters that vary, and what follows from them."""

from __future__ import annotations

import contextlib
import math
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError
from scipy.stats import qmc, truncnorm

from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, torque, tunneling
from mtjchar.physics.wells import Wells, wells
from mtjchar.study import Spread, Stack, Study

FloatArray = npt.NDArray[np.float64]

CUT = 5.0
"""Standard deviations at which the distributions end."""

REPLICATES = 16
"""Parts of a sample with a randomization of their own, where it has several."""

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
"""Columns of the device table that are sampled, by their names in a study."""

DRAWN_COLUMNS = {"tmr_half_bias": "tmr_half_bias_V", "slonczewski_lambda": "slonczewski_lambda"}
"""Columns of the device table where `draw_stacks` draws them; otherwise all devices have the stack's."""

_LEAST_STABILITY = 5.0


def sample_devices(study: Study) -> pd.DataFrame:
    """Draw the devices of a study as they are distributed.

    Returns
    -------
    DataFrame
        One row a device, in order: the sampled parameters at 300 K (`COLUMNS`), what follows from them at
        the temperature of the cell (see `derive`), ``weight``, here 1, and ``replicate``, here 0 or, with
        ``[variability] fit``, the number of the drawn stack (see also `mtjchar.sweep.importance`, which draws
        more of the weak devices).

    Notes
    -----
    Scrambled Sobol points through the inverse of the normal distributions cut at 5 sigma. The same study
    and seed give the same table.
    """
    rng = np.random.default_rng(study.sweep.seed)
    points = sobol_points(len(COLUMNS), study.sweep.devices, rng)
    stacks = REPLICATES if study.variability.fit.parameters else 1
    replicate = np.arange(len(points)) % stacks
    devices = devices_at(study, truncnorm(-CUT, CUT).ppf(points), replicate)
    return devices.assign(weight=1.0, replicate=replicate)


def sobol_points(dimensions: int, count: int, rng: np.random.Generator) -> FloatArray:
    """First points of a scrambled Sobol sequence, shape (count, dimensions)."""
    sobol = qmc.Sobol(dimensions, rng=rng)
    return np.asarray(sobol.random_base2(max(int(np.ceil(np.log2(count))), 0))[:count])


def devices_at(
    study: Study, normal: FloatArray, replicate: npt.NDArray[np.int64] | None = None
) -> pd.DataFrame:
    """Return devices at given places of their distributions.

    Parameters
    ----------
    study : Study
    normal : ndarray, shape (devices, parameters)
        Distance from the nominal value over the standard deviation, in the order of `COLUMNS`; independent:
        correlations of the study are put in here.
    replicate : ndarray of int, shape (devices,), optional
        Number of the drawn stack that each device has, see `draw_stacks`; if not given all have the study's
        own.

    Returns
    -------
    DataFrame
        As `derive` returns it.
    """
    if study.variability.correlation:
        root = np.linalg.cholesky(study.variability.correlation_matrix())
        normal = np.clip(normal @ root.T, -CUT, CUT)
    drawn = {} if replicate is None else draw_stacks(study)
    table = {}
    for k, (name, spread) in enumerate(study.spreads()):
        nominal = np.asarray(study.nominal(name))
        if name in drawn:
            nominal = drawn[name][replicate]
        table[COLUMNS[name]] = _spread(nominal, spread, normal[:, k])
    table |= {column: drawn[name][replicate] for name, column in DRAWN_COLUMNS.items() if name in drawn}
    return derive(study, pd.DataFrame(table))


def draw_stacks(study: Study) -> dict[str, FloatArray]:
    """Draw stacks from the covariance of the study's fit: `REPLICATES` values by parameter, SI.

    Notes
    -----
    Normal around the study's values, seeded by the study; what leaves the limits that a stack file has is
    drawn again.
    """
    fit = study.variability.fit
    if not fit.parameters:
        return {}
    rng = np.random.default_rng([study.sweep.seed, REPLICATES])
    values, covariance = np.array(fit.values), np.array(fit.covariance)
    scale = np.sqrt(np.diag(covariance)) + 1e-300
    spread, axes = np.linalg.eigh(covariance / np.outer(scale, scale))
    root = axes * np.sqrt(np.maximum(spread, 0.0))
    kept: list[FloatArray] = []
    for _ in range(100 * REPLICATES):
        drawn = values + scale * (root @ rng.normal(size=len(values)))
        data = {**study.stack.model_dump(), **dict(zip(fit.parameters, map(float, drawn), strict=True))}
        with contextlib.suppress(ValidationError):
            Stack.model_validate(data)
            kept.append(drawn)
        if len(kept) == REPLICATES:
            return dict(zip(fit.parameters, np.array(kept).T, strict=True))
    raise InputError(
        "variability.fit",
        value=dict(zip(fit.parameters, scale.tolist(), strict=True)),
        allowed="standard errors with which a stack stays within its limits",
        remedy="The data of the fit do not determine it: measure what its report names.",
    )


def nominal_device(study: Study) -> pd.DataFrame:
    """Return the device without variability, as a table of one row like that of `sample_devices`.

    Raises
    ------
    InputError
        If its thermal stability, or in an external field the barrier out of P or AP, is below 5 kB T: then
        there are no two states to write.
    """
    table = {COLUMNS[name]: [study.nominal(name)] for name, _ in study.spreads()}
    device = derive(study, pd.DataFrame(table))
    stability = float(device["thermal_stability"].iloc[0])
    if not stability >= _LEAST_STABILITY:
        raise InputError(
            "thermal stability that follows from stack, junction.diameter and cell.temperature",
            value=round(stability, 3),
            allowed=f"at least {_LEAST_STABILITY:g}",
            remedy="Raise interfacial_anisotropy (or the stability or anisotropy_field in its place) or the "
            "diameter, or lower saturation_magnetization, free_layer_thickness or the temperature.",
        )
    if not _least_barrier(study, device, 1.0) >= _LEAST_STABILITY:
        _refuse_field(study, device)
    return device


def _field(study: Study, fraction: float = 1.0) -> tuple[float, float, float]:
    field = study.cell.external_field
    return fraction * field.x, fraction * field.y, fraction * field.z


def _least_barrier(study: Study, device: pd.DataFrame, fraction: float) -> float:
    """Smaller barrier of one device in a fraction of the study's field, over kB T."""
    found = wells_of(device, _field(study, fraction))
    return float(min(found.barrier_p[0], found.barrier_ap[0]))


def _refuse_field(study: Study, device: pd.DataFrame) -> NoReturn:
    # The barriers fall with the field: halve the interval to the largest one that leaves two states.
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        stable = _least_barrier(study, device, middle) >= _LEAST_STABILITY
        low, high = (middle, high) if stable else (low, middle)
    field = study.cell.external_field
    raise InputError(
        "cell.external_field",
        value={axis: value for axis, value in zip("xyz", _field(study), strict=True) if value},
        allowed=f"a field that leaves barriers of at least {_LEAST_STABILITY:g} kB T out of P and AP, in "
        f"this direction at most {low * math.hypot(field.x, field.y, field.z):.4g} T",
        remedy="Lower the field, or raise the thermal stability by interfacial_anisotropy or the diameter.",
    )


def unstable(devices: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Why devices have no two states to write, shape (devices,); empty where they have.

    Parameters
    ----------
    devices : DataFrame
        As `derive` returns it. Barriers out of P and AP of at least 5 kB T are asked for.
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
    """Energy wells of devices, from their derived columns, in a field (T); see `mtjchar.physics.wells`."""
    column = {name: devices[name].to_numpy(dtype=np.float64) for name in devices.columns}
    in_plane = anisotropy.in_plane_field(
        column["saturation_magnetization_A_per_m"], column["demagnetizing_x"], column["demagnetizing_y"]
    )
    return wells(column["thermal_stability"], column["anisotropy_field_T"], in_plane, field)


def _spread(nominal: FloatArray, spread: Spread, normal: FloatArray) -> FloatArray:
    return nominal + (spread.sigma * nominal if spread.relative else spread.sigma) * normal


def derive(study: Study, sampled: pd.DataFrame) -> pd.DataFrame:
    """Add what follows from the sampled parameters at the temperature of the study's cell.

    The columns of temperature-dependent parameters are overwritten by their values at that temperature.

    Parameters
    ----------
    study : Study
    sampled : DataFrame
        With the columns `COLUMNS`, values at 300 K.

    Returns
    -------
    DataFrame
        With ``device`` and the derived columns ``anisotropy_field_T``, ``thermal_stability``,
        ``relaxation_time_s``, ``critical_current_A`` (of P to AP), ``critical_current_ap_to_p_A``,
        ``parallel_resistance_ohm``,
        ``antiparallel_resistance_ohm`` (at zero bias), ``demagnetizing_x``, ``demagnetizing_y``,
        ``demagnetizing_z``, ``barrier_p`` and ``barrier_ap`` (out of the wells in the external field, over
        kB T) added. The first two are negative, and those that follow are not meaningful, where the easy
        direction lies in the plane.

    Notes
    -----
    Anisotropy field, stability, relaxation time and critical current are those of the way over the long
    axis, without external field.
    """
    stack, kelvin = study.stack, np.array(study.cell.temperature)
    column = {name: sampled[name].to_numpy(dtype=np.float64) for name in sampled.columns}
    m = anisotropy.magnetization_ratio(
        kelvin, np.array(stack.curie_temperature), np.array(stack.magnetization_exponent)
    )
    thickness, diameter, damping = column["free_layer_thickness_m"], column["diameter_m"], column["damping"]
    magnetization = column["saturation_magnetization_A_per_m"] * m
    interfacial = column["interfacial_anisotropy_J_per_m2"] * m**stack.anisotropy_exponent
    tmr = _tmr_at(column["tmr"], m**stack.polarization_exponent)
    polarization = column["spin_polarization"] * m**stack.polarization_exponent
    warming = kelvin / anisotropy.REFERENCE_TEMPERATURE
    product = column["resistance_area_product_ohm_m2"] * warming**stack.resistance_exponent

    aspect = study.junction.aspect_ratio
    shape = stack.demagnetization
    nx, ny, nz = anisotropy.demagnetizing_factors_elliptic(thickness, diameter, aspect, shape)
    energy = anisotropy.effective_anisotropy(interfacial, thickness, magnetization, diameter, aspect, shape)
    field = anisotropy.anisotropy_field(energy, magnetization)
    stability = anisotropy.thermal_stability(energy, 0.25 * np.pi * diameter**2 * thickness, kelvin)
    parallel = tunneling.parallel_resistance(product, diameter)
    efficiency = torque.symmetric_efficiency(polarization, stack.torque)
    critical = torque.critical_current(damping, stability, kelvin, efficiency)
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
        anisotropy_field_T=field,
        thermal_stability=stability,
        relaxation_time_s=anisotropy.relaxation_time(damping, field),
        critical_current_A=critical,
        critical_current_ap_to_p_A=torque.reverse_critical_current(
            critical, stack.torque, lambda_, parallel, tmr, half_bias
        ),
        parallel_resistance_ohm=parallel,
        antiparallel_resistance_ohm=parallel * (1.0 + tmr),
        demagnetizing_x=nx,
        demagnetizing_y=ny,
        demagnetizing_z=nz,
    )
    found = wells_of(table, _field(study))
    table = table.assign(barrier_p=found.barrier_p, barrier_ap=found.barrier_ap)
    table.insert(0, "device", np.arange(len(table)))
    return table


def _tmr_at(tmr: FloatArray, polarization_ratio: FloatArray) -> FloatArray:
    """Scale the TMR with the polarization of both layers by Julliere's formula, TMR = 2 P^2/(1 - P^2)."""
    square = tmr / (2.0 + tmr) * polarization_ratio**2
    return 2.0 * square / (1.0 - square)
