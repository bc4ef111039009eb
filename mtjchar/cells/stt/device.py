"""The laws of a junction: quantities derived from its film, its diameter and its temperature."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.base import Outlook
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
    "FilmLaws",
    "FreeLayer",
    "check_nominal",
    "derive",
    "draw_stacks",
    "foresee",
    "refusal",
    "volume",
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
_USUAL_STABILITY = (20.0, 120.0)  # of devices that are built to hold bits for seconds to decades


class FreeLayer(NamedTuple):
    """Quantities that determine switching; arrays of one shape.

    Attributes
    ----------
    anisotropy_field : ndarray
        mu0 Hk, T; negative if the easy direction is in the plane.
    stability : ndarray
        Thermal stability Delta, the barrier over kB T; negative in the same case.
    critical_current : ndarray
        Ic0 of the parallel state, A: of the uniform magnetization of the whole layer.
    relaxation_time : ndarray
        t_D, s.
    coherent_stability : ndarray
        K_eff V/(kB T): `stability` unless only a part of the layer fluctuates as one macrospin.
    """

    anisotropy_field: FloatArray
    stability: FloatArray
    critical_current: FloatArray
    relaxation_time: FloatArray
    coherent_stability: FloatArray


def volume(diameter: npt.ArrayLike, thickness: npt.ArrayLike) -> FloatArray:
    """Volume of a free layer, m^3, from its diameter (of the circle of equal area) and thickness, m."""
    return np.asarray(0.25 * np.pi * np.asarray(diameter) ** 2 * np.asarray(thickness))


@dataclass(frozen=True)
class FilmLaws:
    """Temperature dependence of the film of a stack, and the properties of its free layer.

    The methods take values at 300 K, or at `given_at`, of one device or of many, and return those at
    `temperature`, by the laws of `Stack`.

    Parameters
    ----------
    stack : Stack
        Provides the exponents, the Curie temperature, the torque law and the kind of demagnetizing factors.
    temperature : array_like
        K.
    given_at : float
        Temperature of the values that the methods take, K.
    """

    stack: Stack
    temperature: npt.ArrayLike
    given_at: float = anisotropy.REFERENCE_TEMPERATURE

    @property
    def _ratio(self) -> FloatArray:
        """Ms at the temperature over Ms at that of the given values."""
        curie = np.asarray(self.stack.curie_temperature)
        exponent = np.asarray(self.stack.magnetization_exponent)
        here, given = (
            anisotropy.magnetization_ratio(np.asarray(kelvin, dtype=np.float64), curie, exponent)
            for kelvin in (self.temperature, self.given_at)
        )
        return np.asarray(here / given)

    def magnetization(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Saturation magnetization, A/m."""
        return np.asarray(np.asarray(at_300k) * self._ratio)

    def interfacial_anisotropy(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Interfacial anisotropy, J/m^2."""
        return np.asarray(np.asarray(at_300k) * self._ratio**self.stack.anisotropy_exponent)

    def polarization(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Spin polarization."""
        return np.asarray(np.asarray(at_300k) * self._ratio**self.stack.polarization_exponent)

    def tmr(self, at_300k: npt.ArrayLike) -> FloatArray:
        """TMR at zero bias, with the polarization of both layers: Julliere's TMR = 2 P^2/(1 - P^2)."""
        tmr, ratio = np.asarray(at_300k), self._ratio**self.stack.polarization_exponent
        square = tmr / (2.0 + tmr) * ratio**2
        return np.asarray(2.0 * square / (1.0 - square))

    def resistance_area_product(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Resistance-area product, ohm m^2."""
        warming = np.asarray(self.temperature) / self.given_at
        return np.asarray(np.asarray(at_300k) * warming**self.stack.resistance_exponent)

    def exchange_stiffness(self, at_300k: npt.ArrayLike) -> FloatArray:
        """Exchange stiffness, J/m; infinite where it is infinite at 300 K."""
        # In mean field it is the exchange energy of neighbours, proportional to the square of their moments.
        return np.asarray(np.asarray(at_300k) * self._ratio**2)

    def free_layer(
        self,
        thickness: npt.ArrayLike,
        diameter: npt.ArrayLike,
        magnetization: FloatArray,
        interfacial_anisotropy: FloatArray,
        polarization: FloatArray,
        damping: npt.ArrayLike,
        *,
        aspect_ratio: float = 1.0,
        exchange_stiffness: npt.ArrayLike | None = None,
        nucleation_diameter: npt.ArrayLike | None = None,
    ) -> FreeLayer:
        """Free layer of a junction, from the film at the temperature; SI.

        Exchange stiffness (J/m, also at the temperature) and nucleation diameter (m) are by default those of
        the stack; infinite values are coherent reversal.
        """
        own_stiffness, own_nucleus = self.stack.wall_and_nucleus
        if exchange_stiffness is None:
            exchange_stiffness = self.exchange_stiffness(own_stiffness)
        if nucleation_diameter is None:
            nucleation_diameter = own_nucleus
        kelvin = np.asarray(self.temperature, dtype=np.float64)
        energy = anisotropy.effective_anisotropy(
            interfacial_anisotropy,
            np.asarray(thickness),
            magnetization,
            np.asarray(diameter),
            aspect_ratio,
            self.stack.demagnetization,
        )
        field = anisotropy.anisotropy_field(energy, magnetization)
        coherent = anisotropy.thermal_stability(energy, volume(diameter, thickness), kelvin)
        share = reversal.coherent_share(
            energy, diameter, exchange_stiffness, nucleation_diameter, aspect_ratio
        )
        efficiency = torque.symmetric_efficiency(polarization, self.stack.torque)
        return FreeLayer(
            field,
            coherent * share,
            # The current that makes the uniform state unstable turns the whole layer, whatever the path of
            # the reversal that follows: P. Bouquin et al., arXiv:1809.03353.
            torque.critical_current(np.asarray(damping), coherent, kelvin, efficiency),
            anisotropy.relaxation_time(np.asarray(damping), field),
            coherent,
        )


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
        ``antiparallel_resistance_ohm`` (at zero bias), ``demagnetizing_x``, ``demagnetizing_y``,
        ``demagnetizing_z``, ``barrier_p`` and ``barrier_ap`` (out of the wells in the external field, over
        kB T) added. If only a part of the layer fluctuates as one macrospin (see
        `mtjchar.physics.reversal`), ``thermal_stability`` is that of this part, and ``coherent_stability``
        that of the whole layer is added too. If the easy direction is in the plane, the first two are
        negative, and those that follow have no meaning.

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
    wells = wells_of(table, _field(tables))
    table = table.assign(barrier_p=wells.barrier_p, barrier_ap=wells.barrier_ap)
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
    drive = np.full(2, amplitude) / row["parallel_resistance_ohm"]
    if stack.torque == "current":
        tmr = tunneling.tmr_at_bias(row["tmr"], np.asarray(amplitude), np.asarray(stack.tmr_half_bias))
        drive = amplitude * tunneling.conductance(m_z, row["parallel_resistance_ohm"], tmr)
    # Conductance times efficiency is monotone in m_z, so that the larger end is the largest of all.
    efficiency = 2.0 * torque.spin_torque_efficiency(np.ones(1), np.asarray(stack.slonczewski_lambda), m_z)
    bound = float(np.max(drive * efficiency) / row["critical_current_A"])
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
