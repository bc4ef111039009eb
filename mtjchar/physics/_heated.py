"""Walkers that their own current heats: a block of them, and their drive; see `llgs.simulate_heated`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.physics._ensembles import LARGEST_KICK, Ensemble, Plan, largest_angle, power_series
from mtjchar.physics._macrospin import Macrospin
from mtjchar.physics.anisotropy import GAMMA


class HeatedDrive(NamedTuple):
    """What acts on a heated walker: polynomials in the cosine m.p and in the rise of its temperature, K.

    Attributes
    ----------
    current, target, torque, axial : ndarray, shape (terms, powers, walkers or 1)
        Current, A; R_th P, the rise that it approaches, K; damping-like field a_J at Lambda = 1, T;
        anisotropy and demagnetizing field between z and x over m_z, T. Coefficients of cosine^i rise^j.
    along : ndarray or None
        The same for a field along the reference layer, T.
    in_plane : ndarray, shape (powers, walkers or 1)
        Demagnetizing field between y and x over m_y, T, 0 or negative.
    noise : ndarray, shape (powers, walkers or 1)
        Square root of the variance of the thermal rotation per time, `thermal_diffusion`, 1/sqrt(s).
    thermal_time : float
        s.
    """

    current: FloatArray
    target: FloatArray
    torque: FloatArray
    axial: FloatArray
    along: FloatArray | None
    in_plane: FloatArray
    noise: FloatArray
    thermal_time: float

    def of(self, walkers: slice) -> HeatedDrive:
        """Drive of some walkers."""

        def some(each: FloatArray) -> FloatArray:
            return each[..., walkers] if each.shape[-1] > 1 else each

        return HeatedDrive(
            some(self.current),
            some(self.target),
            some(self.torque),
            some(self.axial),
            None if self.along is None else some(self.along),
            some(self.in_plane),
            some(self.noise),
            self.thermal_time,
        )

    def largest_step(self, macrospin: Macrospin, rise: float) -> float:
        """Longest step up to a rise of the temperature (K), s; limited as in `llgs.largest_step`."""
        cosine, kelvin = np.meshgrid(np.linspace(-1.0, 1.0, 33), [0.0, 0.5 * rise, rise])
        extremes = [
            float(np.abs(np.polynomial.polynomial.polyval2d(cosine, kelvin, each)).max())
            for each in (self.axial, self.torque, *(() if self.along is None else (self.along,)))
        ]
        shape, noise = (
            float(np.abs(np.polynomial.polynomial.polyval(kelvin, each)).max())
            for each in (self.in_plane, self.noise)
        )
        torque = macrospin.lambda_**2 * extremes[1] * math.hypot(1.0, macrospin.field_like)
        field = extremes[0] + shape + torque + sum(extremes[2:]) + float(np.linalg.norm(macrospin.field))
        return min(largest_angle(macrospin) / (GAMMA * field), (LARGEST_KICK / max(noise, 1e-300)) ** 2)


class HeatedEnsemble(Ensemble):
    """An `Ensemble` with a temperature for each walker, and the charge that has flowed through it.

    `rise` is the temperature above that of the macrospin, K. Its equation is solved exactly for a constant
    power: to each stage for that of the stage before, and over the step for the mean over the stages.
    """

    def __init__(
        self, macrospin: Macrospin, initial: FloatArray, rise: FloatArray, plan: Plan, drive: HeatedDrive
    ) -> None:
        super().__init__(macrospin, initial, plan)
        self.rise = rise.copy()
        self._now = rise.copy()  # of the stage
        self._at_rise, self._sum, self._field_along = np.zeros((3, self.m.shape[1]))
        self._heat, self._along_z, self._scratch, self._shape = np.zeros((4, self.m.shape[1]))
        self._approached = np.zeros(self.m.shape[1])
        self._dt, self._thermal_time = plan.dt, drive.thermal_time
        scale = GAMMA * plan.dt / (1.0 + macrospin.damping**2)
        self._current, self._target = list(drive.current), list(drive.target)
        self._drive_torque, self._drive_axial = list(scale * drive.torque), list(scale * drive.axial)
        self._reference_field = None if drive.along is None else list(scale * drive.along)
        self._in_plane = list(scale * drive.in_plane)
        self._elliptic = bool(np.any(drive.in_plane))
        self._noise_strength = list(math.sqrt(plan.dt) * drive.noise)

    @property
    def charge(self) -> FloatArray:
        """Time integral of the current of each walker, A s."""
        return self._dt * self._sum

    def _kick(self, rng: np.random.Generator, share: float) -> None:
        rng.standard_normal(out=self._product)
        power_series(self._noise_strength, self.rise, self._at_rise)
        np.multiply(self._at_rise, share, out=self._at_rise)
        self.m += np.multiply(self._product, self._at_rise, out=self._product)
        self._project()

    def advance(self, step: int, rng: np.random.Generator | None, first: bool, last: bool) -> None:
        """Step `step`, see `Ensemble.advance`."""
        self._heat.fill(0.0)
        np.copyto(self._now, self.rise)
        super().advance(step, rng, first, last)
        self._heat_up(1.0, self._heat, self.rise)

    def _prepare(self, reach: float) -> None:
        self._heat_up(reach, self._approached, self._now)

    def _heat_up(self, reach: float, target: FloatArray, out: FloatArray) -> None:
        """Rise after a part of the step on its way to `target`."""
        kept = math.exp(-reach * self._dt / self._thermal_time)
        np.multiply(self.rise, kept, out=out)
        out += np.multiply(target, 1.0 - kept, out=self._at_rise)

    def _drive(
        self,
        m: FloatArray,
        half: int,
        weight: float,
    ) -> tuple[float | FloatArray, FloatArray | None, FloatArray | None]:
        del half  # the drive does not depend on the time
        cosine, torque, other = self._cosine, self._efficiency, self._other
        cosine.fill(0.0)
        for component, p in self._reference:
            cosine += np.multiply(m[component], p, out=other)
        if self._elliptic:
            self._shape_y = power_series(self._in_plane, self._now, self._shape)
        self._sum += np.multiply(self._evaluate(self._current, torque), weight, out=other)
        self._evaluate(self._target, self._approached)
        self._heat += np.multiply(self._approached, weight, out=other)
        self._evaluate(self._drive_torque, torque)
        if self._square != 1.0:
            np.multiply(torque, 2.0 * self._square, out=torque)
            np.multiply(cosine, self._square - 1.0, out=other)
            other += self._square + 1.0
            np.divide(torque, other, out=torque)
        along = None
        if self._reference_field is not None:
            along = self._evaluate(self._reference_field, self._field_along)
        return self._evaluate(self._drive_axial, self._along_z), torque, along

    def _evaluate(self, coefficients: list[FloatArray], out: FloatArray) -> FloatArray:
        """Horner's scheme in the cosine, with coefficients that are polynomials of the rise."""
        power_series(list(coefficients[-1]), self._now, out)
        for coefficient in coefficients[-2::-1]:
            np.multiply(out, self._cosine, out=out)
            out += power_series(list(coefficient), self._now, self._scratch)
        return out
