"""Sampled devices: the parameters that vary, and what follows from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import qmc, truncnorm

from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, torque, tunneling
from mtjchar.study import Spread, Study

FloatArray = npt.NDArray[np.float64]

_CUT = 5.0

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
}
"""Columns of the device table that are sampled, by their names in a study."""

_LEAST_STABILITY = 5.0


def sample_devices(study: Study) -> pd.DataFrame:
    """Draw the devices of a study.

    Returns
    -------
    DataFrame
        One row a device, in order: the sampled parameters at 300 K (`COLUMNS`), and what follows from
        them at the temperature of the cell (see `derive`).

    Notes
    -----
    Scrambled Sobol points through the inverse of the normal distributions cut at 5 sigma. The same study
    and seed give the same table.
    """
    spreads = study.variability.items()
    rng = np.random.default_rng(study.sweep.seed)
    sobol = qmc.Sobol(len(spreads), rng=rng)
    points = sobol.random_base2(max(int(np.ceil(np.log2(study.sweep.devices))), 0))[: study.sweep.devices]
    normal = truncnorm(-_CUT, _CUT).ppf(points)
    table = {
        COLUMNS[name]: _spread(study.nominal(name), spread, normal[:, k])
        for k, (name, spread) in enumerate(spreads)
    }
    return derive(study, pd.DataFrame(table))


def nominal_device(study: Study) -> pd.DataFrame:
    """Return the device without variability, as a table of one row like that of `sample_devices`.

    Raises
    ------
    InputError
        If its thermal stability is below 5: then there are no two states to write.
    """
    table = {COLUMNS[name]: [study.nominal(name)] for name, _ in study.variability.items()}
    device = derive(study, pd.DataFrame(table))
    stability = float(device["thermal_stability"].iloc[0])
    if not stability >= _LEAST_STABILITY:
        raise InputError(
            "thermal stability that follows from stack, junction.diameter and cell.temperature",
            value=round(stability, 3),
            allowed=f"at least {_LEAST_STABILITY:g}",
            remedy="Raise interfacial_anisotropy or the diameter, or lower saturation_magnetization, "
            "free_layer_thickness or the temperature.",
        )
    return device


def _spread(nominal: float, spread: Spread, normal: FloatArray) -> FloatArray:
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
        ``relaxation_time_s``, ``critical_current_A``, ``parallel_resistance_ohm`` and
        ``antiparallel_resistance_ohm`` (at zero bias) added. The first two are negative, and those that
        follow are not meaningful, where the easy direction lies in the plane.
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

    energy = anisotropy.effective_anisotropy(interfacial, thickness, magnetization, diameter)
    field = anisotropy.anisotropy_field(energy, magnetization)
    stability = anisotropy.thermal_stability(energy, 0.25 * np.pi * diameter**2 * thickness, kelvin)
    parallel = tunneling.parallel_resistance(product, diameter)
    table = sampled.assign(
        saturation_magnetization_A_per_m=magnetization,
        interfacial_anisotropy_J_per_m2=interfacial,
        spin_polarization=polarization,
        resistance_area_product_ohm_m2=product,
        tmr=tmr,
        anisotropy_field_T=field,
        thermal_stability=stability,
        relaxation_time_s=anisotropy.relaxation_time(damping, field),
        critical_current_A=torque.critical_current(damping, stability, kelvin, polarization),
        parallel_resistance_ohm=parallel,
        antiparallel_resistance_ohm=parallel * (1.0 + tmr),
    )
    table.insert(0, "device", np.arange(len(table)))
    return table


def _tmr_at(tmr: FloatArray, polarization_ratio: FloatArray) -> FloatArray:
    """Scale the TMR with the polarization of both layers by Julliere's formula, TMR = 2 P^2/(1 - P^2)."""
    square = tmr / (2.0 + tmr) * polarization_ratio**2
    return 2.0 * square / (1.0 - square)
