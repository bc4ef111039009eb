"""Averages over thermal noise for junctions that their current heats, by segments of the pulse.

Each segment has the mean temperature of a junction that has not switched. Out of the well the temperature
follows the power of the load line as `mtjchar.physics.heating` describes it. On the far side of the barrier
it approaches the mean temperature of the junctions that have switched, which affects the energy only.

A temperature that depends on z makes the strength of the noise depend on z. The ratio of drift and diffusion,
which determines the density in the well and on the barrier and so the rate, is that of the temperature at z.
The diffusion itself is that of the well: on the barrier the magnetization is too slow or too fast by a few
percent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.stt.drivers import EdgeTimes
from mtjchar.cells.stt.hot_junction import HotJunctions
from mtjchar.physics import fokker_planck, heating, segments
from mtjchar.physics.fokker_planck import FunctionOfZ
from mtjchar.physics.heating import Course
from mtjchar.physics.segments import Segment

__all__ = ["Edge", "HotWrites"]

_SAME_FALL = 8.0  # K; a hundredth of the pulse at a temperature that is wrong by this has no effect
_SHORT_FALL = 1e-9  # s

AtTemperature = Callable[[FloatArray, FloatArray], FloatArray]
"""Takes z and temperatures, K, both of shape (points, systems)."""


class Edge(NamedTuple):
    """One edge of the pulse.

    Attributes
    ----------
    times : ndarray, shape (parts,)
        s.
    heat : ndarray, shape (systems, parts)
        Power in the state before the write over that on the plateau.
    ratio : sequence of callable
        Drive over that of the plateau, a function of z, for each part.
    energy : ndarray, shape (systems, parts, 2)
        Energy of the drivers in P and AP, J.
    """

    times: FloatArray
    heat: FloatArray
    ratio: list[FunctionOfZ]
    energy: FloatArray


class _Temperatures(NamedTuple):
    """Temperature over z in a segment; arrays of shape (systems,)."""

    well: FloatArray  # K, of a junction that has not switched
    share: FloatArray  # of the change of R_th P on the path out of the well
    switched: FloatArray  # K, mean of the junctions that have switched

    def differs(self, other: _Temperatures) -> bool:
        """Whether another fall of the pulse has to be computed."""
        both = ((self.well, other.well), (self.switched, other.switched))
        return any(bool(np.any(np.abs(one - two) > _SAME_FALL)) for one, two in both)


class HotWrites(NamedTuple):
    """One system of equations for each device and amplitude; functions of z, +1 being the start."""

    start: float  # m_z of the state before the write
    junctions: HotJunctions
    stability: FloatArray  # this and the next ones at rest, (systems,)
    field: FloatArray
    drive: AtTemperature  # overdrive at z on the plateau, over the critical current at the temperature
    power: AtTemperature  # W, from the drivers
    between_states: Callable[[FloatArray, FloatArray], FloatArray]
    """Interpolates energies in P and AP, (systems, 2), in proportion to the power, (points, systems)."""

    @property
    def _well(self) -> FloatArray:
        """Mean m_z at rest in the well, times the start, (systems,)."""
        return 1.0 - 0.5 / self.stability

    def _heat(self, z: FloatArray, temperature: FloatArray) -> FloatArray:
        return self.junctions.heat(self.start * z, temperature)

    @property
    def _thermal_time(self) -> float:
        return self.junctions.tables.stack.thermal_time

    def waiting(self, rise: Edge, plateau: FloatArray, side: float = 1.0) -> tuple[FloatArray, Course]:
        """Mean temperatures in the parts of the rise, and the course on the plateau, in a state that stays.

        `side` 1 is the state before the write, -1 the one that is written; `plateau` the durations, s.
        """
        junctions, temperature = self.junctions, np.full_like(self.stability, self.junctions.ambient)
        resistance, z = junctions.thermal_resistance, side * self._well
        parts = []
        for part, time in enumerate(rise.times.tolist()):
            power = self._heat(z, temperature) * rise.heat[:, part]
            target = junctions.ambient + resistance * power
            temperature, mean = heating.advance(temperature, time, target, self._thermal_time)
            parts.append(mean)
        course = heating.course(
            lambda kelvin: self._heat(z, kelvin),
            ambient=junctions.ambient,
            thermal_resistance=resistance,
            thermal_time=self._thermal_time,
            shortest=float(plateau.min()),
            longest=float(plateau.max()),
            start=temperature,
        )
        return np.array(parts), course

    def failures(self, rise: Edge, plateau: FloatArray) -> tuple[WordArray, FloatArray]:
        """Reasons why systems cannot be solved, (systems,), and their highest temperatures, K."""
        hottest = np.array([self.waiting(rise, plateau, side)[1].mean.max(axis=0) for side in (1.0, -1.0)])
        waiting, highest = hottest[0], hottest.max(axis=0)
        stability = self.junctions.free_layer(waiting).stability
        probe = np.linspace(-1.0, 1.0, 33)[:, None] * np.ones_like(waiting)
        overdrive = np.abs(self._drive_of(_Temperatures(waiting, 0.0 * waiting, waiting))(probe)).max(axis=0)
        least, _ = fokker_planck.STABILITY_RANGE
        reasons = np.full(len(waiting), "", dtype=object)
        for k in range(len(waiting)):
            if highest[k] >= self.junctions.highest:
                reasons[k] = self.junctions.without_laws(highest[k])
            elif stability[k] < least:
                reasons[k] = (
                    f"the junction heats to {waiting[k]:.0f} K, where its stability is {stability[k]:.3g}"
                )
            elif overdrive[k] > fokker_planck.OVERDRIVE_LIMIT:
                reasons[k] = f"overdrive above {fokker_planck.OVERDRIVE_LIMIT:g} in the hot junction"
        return reasons, highest

    def average(
        self, durations: FloatArray, edges: EdgeTimes, rise: Edge, fall: Edge, line_energy: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Error rate, energy of a switching and of a redundant write, each (systems, durations)."""
        plateau = np.maximum(durations - edges.outside, 0.0)
        before = float(rise.times.sum())
        in_rise, course = self.waiting(rise, plateau)
        well = np.concatenate([in_rise, course.mean])
        end = np.concatenate([np.cumsum(rise.times), before + course.end[:, 0]])
        share = self._path_share(well)
        asked = np.broadcast_to(before + plateau, (len(self.stability), len(plateau)))
        common = {"stability_at_rest": self.stability, "field": self.field}

        pulse = self._pulse([_Temperatures(*each) for each in zip(well, share, well, strict=True)],
                            end, rise, fall, line_energy)  # fmt: skip
        within = np.append(end[:-1], before + plateau.max())
        at_ends = np.broadcast_to(within, (len(self.stability), len(end)))
        rate = np.exp(segments.log_error_rate(pulse, np.concatenate([asked, at_ends], axis=1), **common))
        rate, remaining = rate[:, : len(plateau)], rate[:, len(plateau) :].T
        switched = self._switched(well, within, remaining)
        pulse = self._pulse([_Temperatures(*each) for each in zip(well, share, switched, strict=True)],
                            end, rise, fall, line_energy)  # fmt: skip
        energy = segments.mean_integral(pulse, asked, **common)
        z_start = np.ones((1, len(self.stability)))
        ambient = np.full_like(z_start, self.junctions.ambient)
        energy -= self.between_states(line_energy, self.power(z_start, ambient)).T
        return rate, energy, self._redundant(plateau, rise, fall)

    def _path_share(self, well: FloatArray) -> FloatArray:
        """Share of the power's change that the temperature follows on the way out of the well."""
        z = np.ones_like(self.stability)
        return np.array(
            [
                heating.path_share(
                    self.drive(z, kelvin) - self.field,
                    self.junctions.free_layer(kelvin).relaxation_time,
                    self._thermal_time,
                )
                for kelvin in well
            ]
        )

    def _switched(self, well: FloatArray, end: FloatArray, remaining: FloatArray) -> FloatArray:
        """Mean temperature of the junctions that have switched, (segments, systems)."""
        steady = heating.steady_temperature(
            lambda kelvin: self._heat(-self._well, kelvin),
            ambient=self.junctions.ambient,
            thermal_resistance=self.junctions.thermal_resistance,
        )
        start = np.ones((1, len(self.stability)))
        length = np.diff(np.concatenate([[0.0], end]))[:, None] * start
        remaining = np.concatenate([start, remaining])
        return heating.mean_of_switched(
            remaining, length, well, steady * np.ones_like(length), self._thermal_time
        )

    def _pulse(
        self, course: list[_Temperatures], end: FloatArray, rise: Edge, fall: Edge, line_energy: FloatArray
    ) -> list[Segment]:
        parts = len(rise.times)
        result: list[Segment] = []
        fallen_from, after = course[0], self._fall(course[0], fall)
        stored = self._interpolated(line_energy, course[0])
        for number, (temperatures, until) in enumerate(zip(course, end.tolist(), strict=True)):
            if fallen_from.differs(temperatures) or fall.times.sum() > _SHORT_FALL:
                fallen_from, after = temperatures, self._fall(temperatures, fall)
                stored = self._interpolated(line_energy, temperatures)
            in_rise = number < parts
            segment = self._segment(temperatures, until, rise.ratio[number] if in_rise else None)
            observable = (
                self._edge_power(rise, number, temperatures) if in_rise else self._power(temperatures)
            )
            result.append(
                segment._replace(
                    observable=observable,
                    stored=stored,
                    after=after,
                )
            )
        return result

    def _fall(self, temperatures: _Temperatures, fall: Edge) -> list[Segment]:
        """Segments after the pulse, from the temperatures at its end."""
        parts, until = [], 0.0
        for number, time in enumerate(fall.times.tolist()):
            ambient = self.junctions.ambient
            target = ambient + (temperatures.well - ambient) * fall.heat[:, number]
            kelvin, mean = heating.advance(temperatures.well, time, target, self._thermal_time)
            cooled = (mean - ambient) / np.maximum(temperatures.well - ambient, 1e-9)
            switched = ambient + (temperatures.switched - ambient) * np.clip(cooled, 0.0, 1.0)
            now = _Temperatures(mean, temperatures.share, switched)
            until += time
            segment = self._segment(now, until, fall.ratio[number])
            parts.append(segment._replace(observable=self._edge_power(fall, number, now)))
            temperatures = _Temperatures(kelvin, temperatures.share, switched)
        return parts

    def _segment(self, temperatures: _Temperatures, end: float, ratio: FunctionOfZ | None) -> Segment:
        free = self.junctions.free_layer(temperatures.well)
        drive = self._drive_of(temperatures, ratio)
        return Segment(drive, free.stability, free.relaxation_time, np.full_like(free.stability, end))

    def _temperature(self, z: FloatArray, temperatures: _Temperatures) -> FloatArray:
        """Temperature at z, (points, systems)."""
        well, share, switched = temperatures
        # The temperature hardly changes the difference between two states: it is that of the cold junction.
        cold = [
            self.junctions.volts(cosine) * self.junctions.amperes(cosine)
            for cosine in (self.start * np.maximum(z, 0.0), self.start * self._well)
        ]
        change = cold[0] - cold[1]
        path = well + share * self.junctions.thermal_resistance * change
        # Beyond the barrier the temperature decides only the power of those that have switched.
        beyond = np.clip(-z / self._well, 0.0, 1.0)
        return np.asarray(path + beyond * (switched - path))

    def _drive_of(self, temperatures: _Temperatures, ratio: FunctionOfZ | None = None) -> FunctionOfZ:
        """Overdrive that gives the drift over the diffusion at z, with the diffusion of the well."""
        reference = self.junctions.free_layer(temperatures.well)

        def overdrive(z: FloatArray) -> FloatArray:
            kelvin = self._temperature(z, temperatures)
            free = self.junctions.free_layer(kelvin)
            driven = self.drive(z, kelvin) if ratio is None else self.drive(z, kelvin) * ratio(z)
            # The field over the anisotropy field of the hot junction.
            field = self.field * self.junctions.column["anisotropy_field_T"] / free.anisotropy_field
            stiffness = free.stability / reference.stability
            return heating.equivalent_overdrive(z, driven, field, stiffness, self.field)

        return overdrive

    def _power(self, temperatures: _Temperatures) -> FunctionOfZ:
        return lambda z: self.power(z, self._temperature(z, temperatures))

    def _interpolated(self, in_both: FloatArray, temperatures: _Temperatures) -> FunctionOfZ:
        power = self._power(temperatures)
        return lambda z: self.between_states(in_both, power(z))

    def _edge_power(self, edge: Edge, number: int, temperatures: _Temperatures) -> FunctionOfZ:
        return self._interpolated(edge.energy[:, number] / edge.times[number], temperatures)

    def _redundant(self, plateau: FloatArray, rise: Edge, fall: Edge) -> FloatArray:
        """Energy of redundant writes, (systems, durations)."""
        _, course = self.waiting(rise, plateau, -1.0)
        overdrive = np.maximum(self.drive(-np.ones_like(self.stability), course.mean[-1]), 0.0)
        # A redundant write holds the state: 1 - |m_z| averages 1/(2 Delta (1 + i - h)) in the well.
        well = -1.0 + 0.5 / (self.stability * (1.0 - self.field + overdrive))
        begin = np.concatenate([[0.0], course.end[:-1, 0]])
        spent = np.clip(plateau[:, None], begin, course.end[:, 0]) - begin  # (durations, segments)
        power = np.array([self.power(well[None], kelvin[None])[0] for kelvin in course.mean])
        edges = np.concatenate([rise.energy, fall.energy], axis=1).sum(axis=1)
        last = self.power(well[None], np.full_like(well[None], self.junctions.ambient))
        return np.asarray((spent @ power).T + self.between_states(edges, last).T)
