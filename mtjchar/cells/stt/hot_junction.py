"""Junctions that are hotter than their cell: film, resistance and operating point.

ngspice measures the load line of a cell with a junction at the temperature of the cell. The rest of the cell
only sees the conductance of the junction. A hot junction at one angle therefore has the operating point of
the cold one at the angle with the same conductance. Its current, voltage and power follow from the load line,
without a further simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.film_laws import FilmLaws, FreeLayer
from mtjchar.cells.stt.measure import LoadLine
from mtjchar.cells.stt.tables import SttTables
from mtjchar.physics import heating, tunneling

__all__ = ["BELOW_CURIE", "HotJunctions", "Series", "on_load_lines", "series_of"]

Series = Callable[[FloatArray], FloatArray]
"""Takes cosines between the layers, shape (points, systems), and returns values of the same shape."""

BELOW_CURIE = 0.98
"""Share of the Curie temperature up to which the laws of a stack are used."""

_ROUNDING = 1e-9
_ROUNDS = 3  # of the iteration for the angle with the same conductance; the voltage changes slowly with it


def series_of(cosine: FloatArray, values: FloatArray) -> Series:
    """Interpolate values (systems, points) between points of the cosine, and go on along the tangent.

    The tangent is needed where a hot junction conducts better than the cold one in P.
    """
    to_coefficients = np.linalg.inv(chebyshev.chebvander(cosine, len(cosine) - 1))
    coefficients = to_coefficients @ values.T
    slope = chebyshev.chebder(coefficients)

    def evaluate(at: FloatArray) -> FloatArray:
        inside = np.clip(at, -1.0, 1.0)
        value = chebyshev.chebval(inside, coefficients, tensor=False)
        if np.any(np.abs(at - inside) > _ROUNDING):
            value = value + (at - inside) * chebyshev.chebval(inside, slope, tensor=False)
        return np.asarray(value, dtype=np.float64)

    return evaluate


@dataclass(frozen=True)
class HotJunctions:
    """Junctions, each on its load line, at any temperature.

    The methods take temperatures (K) of shape (points, systems), or any that broadcasts with it. Above
    `highest` they use the laws at that temperature.

    Parameters
    ----------
    tables : SttTables
    column : mapping of ndarray, shape (systems,)
        Columns of the table of devices, at the temperature of the cell.
    volts, amperes : callable
        Magnitudes of the voltage across the junction and of its current on the load line.
    """

    tables: SttTables
    column: Mapping[str, FloatArray]
    volts: Series
    amperes: Series

    @property
    def ambient(self) -> float:
        """Temperature of the cell, K."""
        return self.tables.cell.temperature

    @property
    def thermal_resistance(self) -> FloatArray:
        """R_th of each junction, K/W, from the product with its area."""
        area = 0.25 * np.pi * self.column["diameter_m"] ** 2
        return np.asarray(self.tables.stack.thermal_resistance_area / area)

    def laws(self, temperature: FloatArray) -> FilmLaws:
        """Laws of the film for values at the temperature of the cell."""
        lower, upper = np.fmax(temperature, self.ambient), self.highest
        return FilmLaws(self.tables.stack, np.fmin(lower, upper), given_at=self.ambient)

    @property
    def highest(self) -> float:
        """Highest temperature with laws, K: near the Curie temperature, or the end of a measured table."""
        stack = self.tables.stack
        ends = [table.range[1] for table in stack.over_temperature.values()]
        return min(BELOW_CURIE * stack.curie_temperature, *ends, math.inf)

    def without_laws(self, temperature: float) -> str:
        """Say that a junction is hotter than the laws of its stack."""
        near = "near its Curie temperature"
        if self.highest < BELOW_CURIE * self.tables.stack.curie_temperature:
            near = f"above {self.highest:g} K, where a table of the stack over temperature ends"
        return f"the junction heats to {temperature:.0f} K, {near}"

    def free_layer(self, temperature: FloatArray) -> FreeLayer:
        """Free layer at a temperature."""
        laws, column = self.laws(temperature), self.column
        stiffness = column.get("exchange_stiffness_J_per_m")
        return laws.free_layer(
            column["free_layer_thickness_m"],
            column["diameter_m"],
            laws.magnetization(column["saturation_magnetization_A_per_m"]),
            laws.interfacial_anisotropy(column["interfacial_anisotropy_J_per_m2"]),
            laws.polarization(column["spin_polarization"]),
            column["damping"],
            aspect_ratio=self.tables.junction.aspect_ratio,
            exchange_stiffness=None if stiffness is None else laws.exchange_stiffness(stiffness),
            nucleation_diameter=column.get("nucleation_diameter_m"),
        )

    def parallel_resistance(self, temperature: FloatArray) -> FloatArray:
        """R_P, ohm."""
        return self.laws(temperature).resistance_area_product(self.column["parallel_resistance_ohm"])

    def same_conductance(self, cosine: FloatArray, temperature: FloatArray) -> FloatArray:
        """Cosine at which the cold junction has the conductance of the hot one at `cosine`.

        It may lie outside -1 to 1.
        """
        cold_parallel, cold_tmr = self.column["parallel_resistance_ohm"], self.column["tmr"]
        half_bias = np.asarray(self.column.get("tmr_half_bias_V", self.tables.stack.tmr_half_bias))
        hot_parallel = self.parallel_resistance(temperature)
        hot_tmr = self.laws(temperature).tmr(cold_tmr)
        found = cosine
        for _ in range(_ROUNDS):
            volts = self.volts(found)
            hot, cold = (tunneling.tmr_at_bias(tmr, volts, half_bias) for tmr in (hot_tmr, cold_tmr))
            conductance = tunneling.conductance(cosine, hot_parallel, hot)
            found = (2.0 * (1.0 + cold) * cold_parallel * conductance - 2.0 - cold) / cold
        return np.asarray(found)

    def heat(self, cosine: FloatArray, temperature: FloatArray) -> FloatArray:
        """Power that heats the junction, V I, W."""
        at = self.same_conductance(cosine, temperature)
        return self.volts(at) * self.amperes(at)

    def largest_rise(self, longest: float, systems: int) -> FloatArray:
        """Rise of the temperature in AP and in P at the end of pulses of a time (s), K, (2, systems)."""
        states = np.array([[-1.0], [1.0]]) * np.ones(systems)
        steady = heating.steady_temperature(
            lambda kelvin: self.heat(states, kelvin),
            ambient=self.ambient,
            thermal_resistance=self.thermal_resistance * np.ones_like(states),
        )
        share = -np.expm1(-longest / self.tables.stack.thermal_time)
        return np.asarray(share * (steady - self.ambient))


def on_load_lines(tables: SttTables, device: pd.Series, lines: LoadLine, k: int) -> HotJunctions:
    """Junctions of one device on its load lines, one for each amplitude.

    `device` is a row of `mtjchar.cells.stt.device.derive`, `k` its position in the load lines. The columns
    have the shape (1,).
    """
    return HotJunctions(
        tables,
        {str(name): np.array([float(value)]) for name, value in device.items()},
        series_of(lines.m_z, np.abs(lines.junction_voltage_V[k])),
        series_of(lines.m_z, np.abs(lines.current_A[k])),
    )
