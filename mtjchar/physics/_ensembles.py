"""Blocks of walkers that advance together, and their steps; see `llgs` for the equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.errors import InputError
from mtjchar.physics._macrospin import Macrospin, field_diagonal, thermal_diffusion
from mtjchar.physics.anisotropy import GAMMA
from mtjchar.physics.spin_orbit import SpinOrbitTorque

Waveform = float | Callable[[float], float]

# The scheme of Runge and Kutta multiplies exp(z), z = a + i phi, of a growth a and a precession phi per step,
# by exp(-a phi^4/24 - phi^6/144). The step is limited such that this changes a growth of alpha phi by at most
# 0.1 %.
_GROWTH_ERROR = 1e-3
_SMALLEST_DAMPING = 1e-3
_ANGLES = np.linspace(0.01, 0.4, 391)
LARGEST_KICK = 0.1
_LARGEST_RELAXATION = 0.1
_HALF = math.sqrt(0.5)  # of a kick, whose variance is proportional to the time
# Classical scheme of Runge and Kutta: time of each stage in half steps, its weight in the mean over the step,
# and the part of the step from its start to the next stage.
_STAGES = ((0, 1.0 / 6.0, 0.5), (1, 1.0 / 3.0, 0.5), (1, 1.0 / 3.0, 1.0), (2, 1.0 / 6.0, 0.0))


def step_limit(macrospin: Macrospin, current: float, anisotropy: float, further: float = 0.0) -> float:
    """Longest step (s) at a current (A), an anisotropy and a further field (T); see `llgs.largest_step`."""
    angle = largest_angle(macrospin)
    torque = macrospin.lambda_**2 * macrospin.torque_per_current * current
    field = (
        float(np.ptp(field_diagonal(macrospin, anisotropy)))
        + float(np.linalg.norm(macrospin.field))
        + further
        + torque * math.hypot(1.0, macrospin.field_like)
    )
    kick = LARGEST_KICK**2 / max(thermal_diffusion(macrospin), np.finfo(float).tiny)
    return min(angle / (GAMMA * field) if field else np.inf, kick)


def largest_angle(macrospin: Macrospin) -> float:
    """Largest precession in a step, rad."""
    error = _ANGLES**4 / 24.0 + _ANGLES**5 / (144.0 * max(macrospin.damping, _SMALLEST_DAMPING))
    return float(_ANGLES[error <= _GROWTH_ERROR].max())


class Plan(NamedTuple):
    """Steps to take, the drive at both ends and in the middle of each, and the steps to record."""

    steps: int
    dt: float
    asked: float
    current: FloatArray
    anisotropy: FloatArray
    recorded: IndexArray

    @classmethod
    def make(
        cls,
        macrospin: Macrospin,
        duration: float,
        step: float,
        current: Waveform,
        anisotropy: Waveform | None,
        record: npt.ArrayLike | None,
        rng: np.random.Generator | None,
    ) -> Plan:
        """Check the request and sample the drive at the times of the steps."""
        if not (math.isfinite(duration) and duration >= 0.0):
            raise InputError("duration", value=duration, allowed="finite, at least 0, in s")
        if not (math.isfinite(step) and step > 0.0):
            raise InputError("step", value=step, allowed="finite, positive, in s")
        if rng is None and macrospin.temperature > 0.0 and macrospin.damping > 0.0:
            raise InputError(
                "rng",
                value=rng,
                allowed="a numpy.random.Generator above 0 K",
                remedy="For example numpy.random.Generator(numpy.random.SFC64(seed)).",
            )
        # A duration that is a multiple of the step up to rounding gets no additional step.
        steps = math.ceil(duration / step * (1.0 - 1e-12))
        dt = duration / steps if steps else step
        times = _halves(steps, dt)
        wanted = np.atleast_1d(np.asarray(duration if record is None else record, dtype=np.float64))
        if wanted.ndim > 1 or not np.all((wanted >= 0.0) & (wanted <= duration * (1.0 + 1e-12))):
            raise InputError("record", value=record, allowed=f"times from 0 to {duration:g} s")
        if np.any(np.diff(wanted) < 0.0):
            raise InputError("record", value=record, allowed="ascending times")
        return cls(
            steps,
            dt,
            step,
            sampled("current", current, times),
            sampled(
                "anisotropy_field", macrospin.anisotropy_field if anisotropy is None else anisotropy, times
            ),
            np.minimum(np.rint(wanted / dt), steps).astype(np.intp),
        )

    def halves(self) -> FloatArray:
        """Return the times of the ends and middles of all steps, s, shape (2 * steps + 1,)."""
        return _halves(self.steps, self.dt)

    def times(self) -> FloatArray:
        """Return the times of the records, s."""
        return np.asarray(self.recorded * self.dt, dtype=np.float64)

    def largest_step(self, macrospin: Macrospin, further: float = 0.0) -> float:
        """Longest step of the vector ensembles, s, with a further field (T)."""
        current = float(np.abs(self.current).max())
        extremes = float(self.anisotropy.min()), float(self.anisotropy.max())
        return min(step_limit(macrospin, current, extreme, further) for extreme in extremes)

    def largest_reduced_step(self, macrospin: Macrospin) -> float:
        """Longest step of the reduced ensemble, s."""
        damping = macrospin.damping
        shape = macrospin.effective_field - macrospin.anisotropy_field
        torque = macrospin.lambda_**2 * macrospin.torque_per_current * np.abs(self.current).max()
        rate = (GAMMA / (1.0 + damping**2)) * (
            damping * (np.abs(self.anisotropy + shape).max() + abs(macrospin.field[2]))
            + abs(1.0 + damping * macrospin.field_like) * torque
        )
        kick = LARGEST_KICK**2 / max(thermal_diffusion(macrospin), np.finfo(float).tiny)
        return min(_LARGEST_RELAXATION / float(rate) if rate else np.inf, kick)

    def refuse_above(self, limit: float) -> None:
        """Raise InputError for a step above the limit."""
        if self.steps and self.dt > limit * (1.0 + 1e-9):
            raise InputError(
                "step",
                value=self.asked,
                allowed=f"at most {limit:.4g} s for these fields and currents",
                remedy="Shorten the step.",
            )

    def walk(
        self,
        advance: Callable[[int, np.random.Generator | None, bool, bool], None],
        rng: np.random.Generator | None,
    ) -> Iterator[int]:
        """Advance, and yield every row that is recorded when its time is reached.

        `advance` gets a step, and whether it is the first after and the last before a record.
        """
        taken = 0
        for row, wanted in enumerate(self.recorded.tolist()):
            for step in range(taken, wanted):
                advance(step, rng, step == taken, step == wanted - 1)
            taken = wanted
            yield row


def _halves(steps: int, dt: float) -> FloatArray:
    return np.asarray(np.arange(2 * steps + 1) * (0.5 * dt), dtype=np.float64)


def sampled(thing: str, waveform: Waveform, times: FloatArray) -> FloatArray:
    """Values of a waveform, shape (times,)."""
    if callable(waveform):
        values = np.array([float(waveform(float(time))) for time in times])
    else:
        values = np.full(len(times), float(waveform))
    if not np.isfinite(values).all():
        raise InputError(thing, value=float(values[~np.isfinite(values)][0]), allowed="finite at all times")
    return values


class ChannelDrive:
    """Spin-orbit torque on one block of walkers.

    `current` is the one in the channel, A: an array (2 * steps + 1,) at the times of the plan, or a power
    series in the cosine m.p, a list of arrays (walkers,) or (1,). With a series, the charge is integrated.
    """

    def __init__(
        self,
        torque: SpinOrbitTorque,
        damping: float,
        plan: Plan,
        current: FloatArray | list[FloatArray],
        walkers: int,
    ) -> None:
        scale = GAMMA * plan.dt / (1.0 + damping**2)
        self._waveform = current if isinstance(current, np.ndarray) else None
        self._series = [] if isinstance(current, np.ndarray) else current
        self._current, self._part, self._sum = np.empty(walkers), np.empty(walkers), np.zeros(walkers)
        self._dt = plan.dt
        # Equations 1 and 2 of `llgs`, with sigma instead of p: angles per step over the current.
        rows = [(row, scale * torque.field_per_current * s) for row, s in enumerate(torque.polarization) if s]
        self.precession = [(row, (torque.field_like - damping) * angle) for row, angle in rows]
        self.damping = [(row, (1.0 + damping**2) * angle) for row, angle in rows]

    @property
    def constant(self) -> bool:
        """Whether the current is the same at all times and cosines."""
        return len(self._series) == 1

    @property
    def charge(self) -> FloatArray:
        """Time integral of the current below each walker, A s."""
        return self._dt * self._sum

    def current(self, half: int, cosine: FloatArray, weight: float) -> float | FloatArray:
        """Compute the current (A) at a half step and at cosines; `weight` is that of the stage."""
        if self._waveform is not None:
            return float(self._waveform[half])
        power_series(self._series, cosine, self._current)
        self._sum += np.multiply(self._current, weight, out=self._part)
        return self._current


class Ensemble:
    """State and work arrays of one block of walkers; angles per step (rad) instead of fields."""

    def __init__(
        self, macrospin: Macrospin, initial: FloatArray, plan: Plan, channel: ChannelDrive | None = None
    ) -> None:
        self.m = initial.copy()
        self._channel = channel
        self._cosine = np.zeros(self.m.shape[1])
        self._predicted, self._increment, self._field, self._slope, self._product = (
            np.zeros_like(self.m) for _ in range(5)
        )
        self._row, self._other, self._efficiency = (np.empty(self.m.shape[1]) for _ in range(3))
        damping = macrospin.damping
        scale = GAMMA * plan.dt / (1.0 + damping**2)
        self._damping = damping
        self._cross = 1.0 + damping**2
        # With s^2 = thermal_diffusion * dt, the mean cosine and the mean of its square after a kick are those
        # of Brownian motion, exp(-s^2) and (1 + 2 exp(-3 s^2))/3, up to terms of s^6.
        self._sigma = math.sqrt(-math.expm1(-thermal_diffusion(macrospin) * plan.dt))
        self._external = scale * np.asarray(macrospin.field, dtype=np.float64)[:, None]
        shape = scale * field_diagonal(macrospin, 0.0)
        self._shape_y: float | FloatArray = float(shape[1])
        self._elliptic = bool(shape[1] != 0.0)
        self._axial = (scale * plan.anisotropy + shape[2]).tolist()
        self._torque = (scale * macrospin.torque_per_current * plan.current).tolist()
        self._reference = [(row, p) for row, p in enumerate(macrospin.reference) if p]
        self._along = macrospin.field_like - damping
        self._square = macrospin.lambda_**2

    def advance(self, step: int, rng: np.random.Generator | None, first: bool, last: bool) -> None:
        """Step `step`: half a kick, the motion without noise, half a kick; those of neighbours are one."""
        m, increment, slope = self.m, self._increment, self._slope
        if rng is not None:
            self._kick(rng, _HALF if first else 1.0)
        now = m
        for half, weight, reach in _STAGES:
            self._slopes(now, 2 * step + half, weight, slope)
            if half == 0:
                np.multiply(slope, weight, out=increment)
            else:
                increment += np.multiply(slope, weight, out=self._product)
            if reach:
                self._prepare(reach)
                now = np.add(m, np.multiply(slope, reach, out=self._predicted), out=self._predicted)
        np.add(m, increment, out=m)
        if rng is None:
            self._project()
        elif last:
            self._kick(rng, _HALF)

    def _kick(self, rng: np.random.Generator, share: float) -> None:
        """Thermal rotation of a step, times `share`, and a projection to the sphere."""
        if self._sigma:
            rng.standard_normal(out=self._product)
            self.m += np.multiply(self._product, share * self._sigma, out=self._product)
        self._project()

    def _project(self) -> None:
        m, product, length = self.m, self._product, self._row
        np.multiply(m, m, out=product)
        np.add(product[0], product[1], out=length)
        np.add(length, product[2], out=length)
        np.sqrt(length, out=length)
        np.divide(m, length, out=m)

    def _prepare(self, reach: float) -> None:
        """Prepare the next stage, which is at `reach` of the step."""

    def _drive(
        self, m: FloatArray, half: int, weight: float
    ) -> tuple[float | FloatArray, FloatArray | None, FloatArray | None]:
        """Angles per step of the field along z over m_z, of the damping-like torque, of a field along p.

        At a half step; `weight` is that of the stage in integrals over the step.
        """
        del weight
        return self._axial[half], self._damping_like(m, self._torque[half]), None

    def _slopes(self, m: FloatArray, half: int, weight: float, out: FloatArray) -> None:
        """Store dm/dt of equations 1 and 2 without noise, times the step, in `out`."""
        field, product, row, other = self._field, self._product, self._row, self._other
        np.copyto(field, self._external)
        axial, torque, along = self._drive(m, half, weight)
        field[2] += np.multiply(m[2], axial, out=row)
        if self._elliptic:
            field[1] += np.multiply(m[1], self._shape_y, out=row)
        if torque is not None:
            for component, p in self._reference:  # equation 1
                field[component] += np.multiply(torque, self._along * p, out=row)
        if along is not None:
            for component, p in self._reference:
                field[component] += np.multiply(along, p, out=row)
        channel = self._channel
        below = 0.0 if channel is None else channel.current(half, self._cosine, weight)
        if channel is not None:
            for component, factor in channel.precession:
                field[component] += np.multiply(below, factor, out=row)

        # out = -(m x B_1)
        for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            np.multiply(m[c], field[b], out=row)
            np.multiply(m[b], field[c], out=other)
            np.subtract(row, other, out=out[a])

        # Equation 2, and -m x (m x B_2) = B_2 - m (m.B_2) on the sphere.
        np.multiply(field, self._damping, out=field)
        if torque is not None:
            for component, p in self._reference:
                field[component] += np.multiply(torque, self._cross * p, out=row)
        if channel is not None:
            for component, factor in channel.damping:
                field[component] += np.multiply(below, factor, out=row)
        np.multiply(m, field, out=product)
        np.add(product[0], product[1], out=row)
        np.add(row, product[2], out=row)
        np.multiply(m, row, out=product)
        np.subtract(field, product, out=field)
        np.add(out, field, out=out)

    def _damping_like(self, m: FloatArray, torque: float) -> FloatArray | None:
        """Angle gamma a_J dt / (1 + alpha^2); None without current."""
        if not torque:
            return None
        efficiency, other = self._efficiency, self._other
        if self._square == 1.0:
            efficiency.fill(torque)
            return efficiency
        efficiency.fill(self._square + 1.0)
        for component, p in self._reference:
            efficiency += np.multiply(m[component], (self._square - 1.0) * p, out=other)
        return np.divide(2.0 * self._square * torque, efficiency, out=efficiency)


class LoadedEnsemble(Ensemble):
    """An `Ensemble` whose drive is a power series in m.p, and which integrates the charge of its walkers.

    `current` (A) and `anisotropy` (T) have the shape (terms, walkers) or (terms, 1). So have
    `torque_current` (A), which determines the torque instead of `current`, and `reference_field` (T), a
    field along the reference layer.
    """

    def __init__(
        self,
        macrospin: Macrospin,
        initial: FloatArray,
        plan: Plan,
        current: FloatArray,
        anisotropy: FloatArray,
        torque_current: FloatArray | None = None,
        reference_field: FloatArray | None = None,
        channel: ChannelDrive | None = None,
    ) -> None:
        super().__init__(macrospin, initial, plan, channel)
        self._softened, self._sum, self._field_along = (np.zeros(self.m.shape[1]) for _ in range(3))
        self._dt = plan.dt
        scale = GAMMA * plan.dt / (1.0 + macrospin.damping**2)
        self._per_ampere = scale * macrospin.torque_per_current
        self._current = list(current)
        self._torque_current = None if torque_current is None else list(torque_current)
        self._reference_field = None if reference_field is None else list(scale * reference_field)
        axial = scale * anisotropy
        axial[0] += scale * field_diagonal(macrospin, 0.0)[2]
        self._series = list(axial)
        # Nothing depends on the cosine if only a constant current in a channel acts.
        self._idle = not (
            np.any(current) or len(axial) > 1 or torque_current is not None or reference_field is not None
        ) and (channel is None or channel.constant)

    @property
    def charge(self) -> FloatArray:
        """Time integral of the current of each walker, A s."""
        return self._dt * self._sum

    def _drive(
        self,
        m: FloatArray,
        half: int,
        weight: float,
    ) -> tuple[float | FloatArray, FloatArray | None, FloatArray | None]:
        del half  # the drive does not depend on the time
        if self._idle:
            return self._series[0], None, None
        cosine, torque, other = self._cosine, self._efficiency, self._other
        (first, along_first), *further = self._reference
        np.multiply(m[first], along_first, out=cosine)
        for component, p in further:
            cosine += np.multiply(m[component], p, out=other)
        power_series(self._current, cosine, torque)
        self._sum += np.multiply(torque, weight, out=other)
        if self._torque_current is not None:
            power_series(self._torque_current, cosine, torque)
        np.multiply(torque, self._per_ampere, out=torque)
        if self._square != 1.0:
            np.multiply(torque, 2.0 * self._square, out=torque)
            np.multiply(cosine, self._square - 1.0, out=other)
            other += self._square + 1.0
            np.divide(torque, other, out=torque)
        along = None
        if self._reference_field is not None:
            along = self._field_along
            power_series(self._reference_field, cosine, along)
        if len(self._series) == 1:
            return self._series[0], torque, along
        power_series(self._series, cosine, self._softened)
        return self._softened, torque, along


def power_series(coefficients: list[FloatArray], x: FloatArray, out: FloatArray) -> FloatArray:
    """Horner's scheme, into `out`."""
    if len(coefficients) == 1:
        np.copyto(out, coefficients[0])
        return out
    np.multiply(x, coefficients[-1], out=out)
    for coefficient in coefficients[-2:0:-1]:
        np.add(out, coefficient, out=out)
        np.multiply(out, x, out=out)
    return np.add(out, coefficients[0], out=out)


class ReducedEnsemble:
    """State and work arrays of one block of walkers of which only m_z is computed."""

    def __init__(self, macrospin: Macrospin, initial: FloatArray, plan: Plan) -> None:
        self.z = initial.copy()
        self._noise, self._sine, self._first, self._displacement, self._row, self._other, self._predicted = (
            np.zeros_like(self.z) for _ in range(7)
        )
        damping = macrospin.damping
        scale = GAMMA * plan.dt / (1.0 + damping**2)
        self._variance = thermal_diffusion(macrospin) * plan.dt
        shape = macrospin.effective_field - macrospin.anisotropy_field
        self._linear = (scale * damping * (plan.anisotropy + shape)).tolist()
        self._external = scale * damping * macrospin.field[2]
        pole = macrospin.reference[2]
        torque = (1.0 + damping * macrospin.field_like) * pole * macrospin.torque_per_current
        self._torque = (scale * torque * plan.current).tolist()
        self._square = macrospin.lambda_**2
        self._asymmetry = (self._square - 1.0) * pole

    def advance(self, step: int, rng: np.random.Generator | None, *_: bool) -> None:
        """One step from `step` to `step + 1`."""
        z, first, displacement = self.z, self._first, self._displacement
        noisy = rng is not None and self._variance > 0.0
        if rng is not None and noisy:
            rng.standard_normal(out=self._noise)
            np.multiply(self._noise, math.sqrt(self._variance), out=self._noise)
        self._drift(z, 2 * step, first)
        np.copyto(self._other, self._sine)
        np.add(first, self._noise, out=displacement)
        self._move(displacement, self._other, self._predicted)
        self._drift(self._predicted, 2 * step + 2, displacement)
        np.add(displacement, first, out=displacement)
        np.multiply(displacement, 0.5, out=displacement)
        np.add(displacement, self._noise, out=displacement)
        self._move(displacement, self._other, z)

    def _drift(self, z: FloatArray, half: int, out: FloatArray) -> None:
        """Store -c sin(theta) dt in `out` and sin(theta) in its own array."""
        sine, row = self._sine, self._row
        np.multiply(z, z, out=sine)
        np.subtract(1.0, sine, out=sine)
        np.maximum(sine, 0.0, out=sine)  # rounding
        np.sqrt(sine, out=sine)
        np.multiply(z, -self._linear[half], out=out)
        torque = self._torque[half]
        if torque and self._asymmetry:
            np.multiply(z, self._asymmetry, out=row)
            row += self._square + 1.0
            np.divide(2.0 * self._square * torque, row, out=row)
            row += self._external
            np.subtract(out, row, out=out)
        elif torque or self._external:
            out -= torque + self._external
        np.multiply(out, sine, out=out)

    def _move(self, displacement: FloatArray, sine: FloatArray, out: FloatArray) -> None:
        """Displace along the meridian and by one standard deviation across it, back to the sphere."""
        row = self._row
        np.multiply(displacement, displacement, out=row)
        np.add(row, 1.0 + self._variance, out=row)
        np.sqrt(row, out=row)
        np.multiply(sine, displacement, out=out if out is not self.z else self._sine)
        np.subtract(self.z, out if out is not self.z else self._sine, out=out)
        np.divide(out, row, out=out)
