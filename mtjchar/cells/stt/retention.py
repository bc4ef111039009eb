r"""Retention of junctions: escape rates of devices at any temperature.

A junction flips between its wells as a Markov chain of two states, at the rates of leaving each for good. In
the axial case, also in a field B along z, these are those of `mtjchar.physics.passage.escape_rate` with the
overdrive i = -B/B_k out of P and B/B_k out of AP, whose barriers are Delta (1 - i)^2 (W. F. Brown, Phys. Rev.
130, 1677 (1963), doi:10.1103/PhysRev.130.1677). In any other field, and for an ellipse, i is taken from the
barrier, i = 1 - sqrt(barrier/Delta): the exponent is exact, and the prefactor is that of the axial case.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.device import wells_of
from mtjchar.cells.stt.film_laws import FilmLaws
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy
from mtjchar.physics.passage import escape_rate

__all__ = ["escape_rates"]

_LEAST_BARRIER = 3.0
_DEVICES = 128  # at a time, for the memory


def escape_rates(tables: SttTables, devices: pd.DataFrame, temperature: float) -> FloatArray:
    """Rates at which devices leave P and AP without current.

    Parameters
    ----------
    tables : SttTables
        Of the study that the devices are from.
    devices : DataFrame
        As `mtjchar.cells.stt.device.derive` returns it, at the temperature of the study's cell.
    temperature : float
        K, within `mtjchar.physics.anisotropy.TEMPERATURE_RANGE`.

    Returns
    -------
    ndarray, shape (devices, 2)
        1/s.

    Raises
    ------
    InputError
        If the temperature is out of range, or a barrier is below 3 kB T, so that the state is not stable.
    """
    low, high = anisotropy.TEMPERATURE_RANGE
    if not low <= temperature <= high:
        raise InputError("temperature", value=temperature, allowed=f"{low:g} to {high:g} K")
    hot, relaxation_time = _at(tables, devices, temperature)
    field = tables.cell.external_field
    found = wells_of(hot, (field.x, field.y, field.z))
    barriers = np.stack([found.barrier_p, found.barrier_ap], axis=1)
    if not (barriers >= _LEAST_BARRIER).all():
        row = int(np.flatnonzero(~(barriers >= _LEAST_BARRIER).all(axis=1))[0])
        raise InputError(
            f"barrier of device {devices['device'].iloc[row]} at {temperature:g} K, over kB T",
            value=round(float(barriers[row].min()), 3),
            allowed=f"at least {_LEAST_BARRIER:g} out of both states",
            remedy="Lower the temperature, or leave such devices out: they hold nothing.",
        )
    stability = hot["thermal_stability"].to_numpy()[:, None]
    overdrive = 1.0 - np.sqrt(barriers / stability)
    parts = [slice(start, start + _DEVICES) for start in range(0, len(devices), _DEVICES)]
    reduced = np.concatenate([escape_rate(overdrive[part], stability[part]) for part in parts])
    return np.asarray(reduced / relaxation_time[:, None])


def _at(tables: SttTables, devices: pd.DataFrame, temperature: float) -> tuple[pd.DataFrame, FloatArray]:
    """Return the arguments of `wells_of` at another temperature, and t_D, s."""
    column = {name: devices[name].to_numpy(dtype=np.float64) for name in devices.columns}
    here, there = FilmLaws(tables.stack, tables.cell.temperature), FilmLaws(tables.stack, temperature)
    # Magnetization and anisotropy are proportional to their values at 300 K.
    magnetization = there.magnetization(column["saturation_magnetization_A_per_m"] / here.magnetization(1.0))
    interfacial = there.interfacial_anisotropy(
        column["interfacial_anisotropy_J_per_m2"] / here.interfacial_anisotropy(1.0)
    )
    stiffness = column.get("exchange_stiffness_J_per_m")
    free = there.free_layer(
        column["free_layer_thickness_m"],
        column["diameter_m"],
        magnetization,
        interfacial,
        column["spin_polarization"],  # for the critical current alone, which nothing here depends on
        column["damping"],
        aspect_ratio=tables.junction.aspect_ratio,
        exchange_stiffness=None
        if stiffness is None
        else there.exchange_stiffness(stiffness / here.exchange_stiffness(1.0)),
        nucleation_diameter=column.get("nucleation_diameter_m"),
    )
    hot = devices.assign(
        saturation_magnetization_A_per_m=magnetization,
        anisotropy_field_T=free.anisotropy_field,
        thermal_stability=free.stability,
    )
    return hot, free.relaxation_time
