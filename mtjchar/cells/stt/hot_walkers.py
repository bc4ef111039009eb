"""Walkers of counted errors that their own current heats.

Each walker has a temperature of its own. Load line, film and noise at that temperature are polynomials of the
rise through three temperatures: within 1e-3 for rises up to 100 K.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.polynomial.polynomial import polyval
from scipy import constants

from mtjchar.arrays import FloatArray, IndexArray, WordArray
from mtjchar.cells.stt.film_laws import volume
from mtjchar.cells.stt.hot_junction import HotJunctions, on_load_lines
from mtjchar.cells.stt.line_series import power_series, shaped
from mtjchar.cells.stt.measure import LoadLine
from mtjchar.cells.stt.tables import SttTables
from mtjchar.physics import anisotropy, heating, llgs, torque

__all__ = ["HotDrive", "too_hot"]


_NODES = 0.5 - 0.5 * np.cos(np.pi * (np.arange(3) + 0.5) / 3)  # of the rise over the largest one: Chebyshev's


class HotDrive(NamedTuple):
    """Drive of one device at several amplitudes: coefficients (terms, powers of the rise, amplitudes)."""

    current: FloatArray  # A, positive from the free to the reference layer
    target: FloatArray  # K
    torque: FloatArray  # T
    softening: FloatArray | None  # T
    along: FloatArray | None  # T
    axial: FloatArray  # (powers,), T, without softening
    in_plane: FloatArray  # (powers,), T
    noise: FloatArray  # (powers,)
    thermal_time: float
    largest: float  # K
    per_volt: bool

    @classmethod
    def of(
        cls,
        tables: SttTables,
        device: pd.Series,
        lines: LoadLine,
        k: int,
        group: IndexArray,
        vcma: float,
        longest: float,
    ) -> HotDrive:
        """Use the plateaus of device `k` at some amplitudes from load lines, in pulses up to a time (s)."""
        junctions = on_load_lines(tables, device, lines, k)
        reached = junctions.largest_rise(longest, lines.current_A.shape[1]).max(axis=0)[group].max()
        above = max(_power_ratio(lines.rise, lines.rise_voltage, k, group), 1.0)
        above = max(_power_ratio(lines.fall, lines.fall_voltage, k, group), above)
        largest = above * float(reached)
        nodes = largest * _NODES
        at_nodes = [
            _Point.of(junctions, lines, k, group, vcma, np.array(junctions.ambient + rise)) for rise in nodes
        ]
        per_power = np.linalg.inv(np.vander(nodes, increasing=True))

        def series(values: list[FloatArray]) -> FloatArray:
            """Coefficients of values of shape (amplitudes, points) at the nodes."""
            stacked = power_series(lines.m_z, np.concatenate(values))
            by_node = stacked.reshape(len(stacked), len(nodes), len(group))
            return np.asarray(np.einsum("pn,tna->tpa", per_power, by_node))

        per_volt = tables.stack.torque == "voltage"
        return cls(
            series([point.current for point in at_nodes]),
            series([point.target for point in at_nodes]),
            series([point.torque for point in at_nodes]),
            series([point.softening for point in at_nodes]) if vcma else None,
            series([point.along for point in at_nodes])
            if per_volt and tables.stack.field_like_torque
            else None,
            per_power @ np.array([point.axial for point in at_nodes]),
            per_power @ np.array([point.in_plane for point in at_nodes]),
            per_power @ np.array([point.noise for point in at_nodes]),
            tables.stack.thermal_time,
            largest,
            per_volt,
        )

    @property
    def only_holds(self) -> bool:
        """Whether a magnetization in its new well may be left there: its temperature still changes."""
        return False

    def shaped(self, current: FloatArray, voltage: FloatArray) -> HotDrive:
        """Drive in a part of an edge, from ratios to the plateau."""

        def each(series: FloatArray, *ratios: FloatArray) -> FloatArray:
            for ratio in ratios:
                powers = range(series.shape[1])
                series = np.stack([shaped(series[:, power], ratio) for power in powers], axis=1)
            return series

        acting = voltage if self.per_volt else current
        return self._replace(
            current=each(self.current, current),
            target=each(self.target, current, voltage),
            torque=each(self.torque, acting),
            softening=None if self.softening is None else each(self.softening, voltage),
            along=None if self.along is None else each(self.along, voltage, voltage),
        )

    def _for(self, amplitude: IndexArray) -> llgs.HeatedDrive:
        """Drive of walkers at their amplitudes."""
        axial = self.axial[None, :, None]
        if self.softening is not None:
            axial = self.softening[..., amplitude]
            axial[0] += self.axial[:, None]
        return llgs.HeatedDrive(
            self.current[..., amplitude],
            self.target[..., amplitude],
            self.torque[..., amplitude],
            axial,
            None if self.along is None else self.along[..., amplitude],
            self.in_plane[:, None],
            self.noise[:, None],
            self.thermal_time,
        )

    def longest_step(self, spin: llgs.Macrospin) -> float:
        """Step requested from `llgs`, s."""
        return self._for(np.arange(self.current.shape[2])).largest_step(spin, self.largest)

    def start(self, m: FloatArray) -> FloatArray:
        """States (4, walkers), with the rise in the last row, from states (3, walkers) at rest."""
        return np.concatenate([m, np.zeros_like(m[:1])])

    def current_at(self, spin: llgs.Macrospin, state: FloatArray, amplitude: IndexArray) -> FloatArray:
        """Currents of walkers, A."""
        per_term = [polyval(state[3], term[:, amplitude], tensor=False) for term in self.current]
        return np.asarray(polyval(np.asarray(spin.reference) @ state[:3], np.array(per_term), tensor=False))

    def advance(
        self,
        spin: llgs.Macrospin,
        state: FloatArray,
        amplitude: IndexArray,
        duration: float,
        step: float,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """States (4, walkers) after a duration (s), and the charge of each walker."""
        if not len(amplitude):
            return state, np.empty(0)
        end = llgs.simulate_heated(
            spin, state[:3], state[3], duration=duration, step=step, drive=self._for(amplitude), rng=rng
        )
        return np.concatenate([end.m[-1], end.rise[-1:]]), end.charge[-1]

    def acting_on(self, spin: llgs.Macrospin) -> FloatArray:
        """Series of the current that determines the torque at rest, A, (terms, amplitudes)."""
        return np.asarray(self.torque[:, 0] / spin.torque_per_current)

    def relax(
        self, spin: llgs.Macrospin, state: FloatArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States (4, walkers) after a duration (s) without drive, while they cool."""
        zero = np.zeros((1, 1, 1))
        drive = self._for(np.zeros(1, dtype=np.intp))._replace(
            current=zero, target=zero, torque=zero, axial=self.axial[None, :, None], along=None
        )
        step = drive.largest_step(spin, self.largest)
        end = llgs.simulate_heated(
            spin, state[:3], state[3], duration=duration, step=step, drive=drive, rng=rng
        )
        return np.concatenate([end.m[-1], end.rise[-1:]])

    def held_current(self, cosines: list[FloatArray], plateaus: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean current in the written well, A, over each plateau (s) and at its end.

        `cosines` are those of states in the well, (walkers,), for each amplitude. The results have the shape
        (amplitudes, durations); they follow the mean power.
        """
        mean, last = np.zeros((2, len(cosines), len(plateaus)))
        for k, cosine in enumerate(cosines):
            current, target = (
                polyval(cosine, series[..., k]).mean(axis=1) for series in (self.current, self.target)
            )
            course = heating.course(
                functools.partial(_polynomial, target),
                ambient=[0.0],
                thermal_resistance=[1.0],
                thermal_time=self.thermal_time,
                shortest=float(plateaus.min()),
                longest=float(plateaus.max()),
            )
            begin = np.concatenate([[0.0], course.end[:-1, 0]])
            spent = np.clip(plateaus[:, None], begin, course.end[:, 0]) - begin
            at = polyval(course.mean[:, 0], current)
            mean[k] = (spent @ at) / np.maximum(plateaus, 1e-300)
            last[k] = at[np.searchsorted(course.end[:, 0], plateaus)]
        return mean, last


class _Point(NamedTuple):
    """What acts at one temperature; the first ones have the shape (amplitudes, points)."""

    current: FloatArray
    target: FloatArray
    torque: FloatArray
    softening: FloatArray
    along: FloatArray
    axial: float
    in_plane: float
    noise: float

    @classmethod
    def of(
        cls,
        junctions: HotJunctions,
        lines: LoadLine,
        k: int,
        group: IndexArray,
        vcma: float,
        kelvin: FloatArray,
    ) -> _Point:
        tables, laws = junctions.tables, junctions.laws(kelvin)
        column = {name: float(values[0]) for name, values in junctions.column.items()}
        magnetization = float(laws.magnetization(column["saturation_magnetization_A_per_m"]))
        interfacial = float(laws.interfacial_anisotropy(column["interfacial_anisotropy_J_per_m2"]))
        efficiency = torque.symmetric_efficiency(
            laws.polarization(column["spin_polarization"]), tables.stack.torque
        )
        thickness = column["free_layer_thickness_m"]
        free_volume = float(volume(column["diameter_m"], thickness))
        nx, ny, nz = (column[f"demagnetizing_{axis}"] for axis in "xyz")
        # a_J = hbar/(2 e Ms V) eta I, with V/R_P for I in a torque per voltage, see `mtjchar.physics.torque`.
        per_current = constants.hbar * float(efficiency) / (2.0 * constants.e * magnetization * free_volume)
        damping = column["damping"]
        # The thermal field acts in the part that fluctuates as one macrospin.
        free = junctions.free_layer(kelvin)
        share = float(free.stability[0] / free.coherent_stability[0])
        inertia = (1.0 + damping**2) * magnetization * free_volume * share
        diffusion = 2.0 * damping * anisotropy.GAMMA * constants.k * float(kelvin) / inertia

        points = np.tile(lines.m_z[:, None], lines.current_A.shape[1])
        at = junctions.same_conductance(points, np.full_like(points, kelvin))
        sign = np.sign(lines.junction_voltage_V[k, group].mean(axis=1))[:, None]
        amperes, volts = (each(at).T[group] for each in (junctions.amperes, junctions.volts))
        parallel = float(junctions.parallel_resistance(kelvin)[0])
        acting = volts / parallel if tables.stack.torque == "voltage" else amperes
        return cls(
            sign * amperes,
            float(junctions.thermal_resistance[0]) * amperes * volts,
            per_current * sign * acting,
            vcma / float(laws.magnetization(1.0)) * sign * volts,
            tables.stack.field_like_torque * per_current / parallel * volts**2,
            2.0 * interfacial / (thickness * magnetization) - constants.mu_0 * magnetization * (nz - nx),
            -constants.mu_0 * magnetization * (ny - nx),
            float(np.sqrt(diffusion)),
        )


def _polynomial(coefficients: FloatArray, x: FloatArray) -> FloatArray:
    return np.asarray(polyval(x, coefficients))


def too_hot(tables: SttTables, devices: pd.DataFrame, lines: LoadLine, longest: float) -> WordArray:
    """Reasons why there are no numbers, (devices, amplitudes), with those of junctions that get too hot."""
    failure = lines.failure.copy()
    for k, device in enumerate(devices.to_dict("records")):
        junctions = on_load_lines(tables, pd.Series(device), lines, k)
        rise = junctions.largest_rise(longest, lines.current_A.shape[1])
        kelvin = junctions.ambient + rise.max(axis=0)
        for amplitude in np.flatnonzero((kelvin >= junctions.highest) & (failure[k] == "")):
            failure[k, amplitude] = junctions.without_laws(kelvin[amplitude])
    return failure


def _power_ratio(current: FloatArray, voltage: FloatArray, k: int, group: IndexArray) -> float:
    """Largest power on an edge over that of the plateau."""
    return float((current * voltage)[k, group].max())
