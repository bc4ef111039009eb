r"""Thermal ensembles of macrospins: the stochastic Landau-Lifshitz-Gilbert-Slonczewski equation.

A free layer with magnetization m (unit vector), damping alpha and reference layer p obeys [1]_, [2]_

.. math:: \dot m = -\gamma\, m \times (B + b_J p) - \gamma a_J\, m \times (m \times p)
          + \alpha\, m \times \dot m,

    B   = anisotropy + demagnetizing + external + thermal field (tesla),
    a_J = hbar epsilon I / (e Ms V),  epsilon = P Lambda^2 / [(Lambda^2 + 1) + (Lambda^2 - 1) m.p],
    b_J = field_like * a_J.

A current I > 0 (from the free to the reference layer) pulls m towards p. With X for the right-hand side
without its last term, the cross product of m with the equation gives m x dm/dt = m x X - alpha dm/dt, hence
(1 + alpha^2) dm/dt = X + alpha m x X; and since m x [m x (m x p)] = -(m x p),

.. math:: \dot m = -\frac{\gamma}{1 + \alpha^2} [ m \times B_1 + m \times (m \times B_2) ],

    B_1 = B + (b_J - alpha a_J) p                                                                     (1)
    B_2 = alpha B + (a_J + alpha b_J) p = alpha B_1 + (1 + alpha^2) a_J p                             (2)

The thermal field is white; each Cartesian component of each step has the standard deviation [3]_

    sigma_B = sqrt(2 alpha kB T / (gamma Ms V dt)),                                                   (3)

and is read in the sense of Stratonovich, the one in which |m| stays 1 and Boltzmann's distribution is
stationary. Heun's scheme (predictor by Euler, corrector by the trapezoidal rule, the same noise in both)
converges to that reading; Euler's would not [4]_. Every step ends with a renormalization. The exact flow
keeps |m| = 1 and a Heun step leaves the sphere by less than its own error, in the radial direction alone, so
that going back to the nearest point of the sphere changes no order of convergence.

Where everything is symmetric around z, m_z is a diffusion of its own; `simulate_reduced` follows only that,
with steps of the relaxation instead of the precession.

References
----------
.. [1] J. C. Slonczewski, J. Magn. Magn. Mater. 247, 324 (2002), doi:10.1016/S0304-8853(02)00291-3.
.. [2] J. Z. Sun, Phys. Rev. B 62, 570 (2000), doi:10.1103/PhysRevB.62.570.
.. [3] W. F. Brown, Phys. Rev. 130, 1677 (1963), doi:10.1103/PhysRev.130.1677.
.. [4] J. L. Garcia-Palacios and F. J. Lazaro, Phys. Rev. B 58, 14937 (1998),
   doi:10.1103/PhysRevB.58.14937.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.errors import InputError
from mtjchar.physics._macrospin import Macrospin, equilibrium, field_diagonal, thermal_diffusion
from mtjchar.physics.anisotropy import GAMMA

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Waveform = float | Callable[[float], float]

__all__ = [
    "Macrospin",
    "ReducedTrajectory",
    "Trajectory",
    "equilibrium",
    "largest_step",
    "simulate",
    "simulate_reduced",
]

# Walkers that are advanced together at most: 200 bytes each, 70 in the reduced ensemble, have to stay about
# the L2 cache; below 2,000 the calls cost more than what they compute.
_BLOCK = 6144

# Heun's scheme amplifies a precession by phi per step by 1 + phi^4/8: as if the damping were smaller by
# phi^3/8. The step is limited such that this is at most 1 % of the damping.
_DAMPING_ERROR = 0.01
_SMALLEST_DAMPING = 1e-3
_LARGEST_ANGLE = 0.2
_LARGEST_KICK = 0.1
_LARGEST_RELAXATION = 0.1


class Trajectory(NamedTuple):
    """What `simulate` recorded: times (records,), s, and m of shape (records, 3, walkers)."""

    times: FloatArray
    m: FloatArray


class ReducedTrajectory(NamedTuple):
    """What `simulate_reduced` recorded: times (records,), s, and m_z of shape (records, walkers)."""

    times: FloatArray
    m_z: FloatArray


def simulate(
    macrospin: Macrospin,
    initial: npt.ArrayLike,
    *,
    duration: float,
    step: float,
    current: Waveform = 0.0,
    anisotropy_field: Waveform | None = None,
    record: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> Trajectory:
    """Follow an ensemble of independent macrospins through a pulse.

    Parameters
    ----------
    macrospin : Macrospin
        The free layer, the same for all walkers.
    initial : array_like, shape (3,) or (3, walkers)
        Unit vectors to start from; see `equilibrium`.
    duration : float
        s, at least 0.
    step : float
        Largest time step, s, at most `largest_step`; shortened so that a whole number fills `duration`.
    current : float or callable
        Current from the free to the reference layer, A, or a function of the time in s. A jump belongs
        between two calls of this function: inside it is smeared over one step.
    anisotropy_field : float or callable, optional
        Takes the place of `macrospin.anisotropy_field`, T: voltage control of the anisotropy.
    record : array_like, optional
        Times to record, s, ascending, 0 to `duration`; each is moved to the nearest step. Default: the end.
    rng : numpy.random.Generator, optional
        Needed above 0 K. ``Generator(SFC64(seed))`` is the fastest of numpy's.

    Returns
    -------
    Trajectory
        Recorded times and states. The same generator state gives the same result.

    Raises
    ------
    InputError
        For input out of range; for a step that is too long it names the longest one.

    Notes
    -----
    Equations 1 to 3 of the module. Order 2 in the step without noise; with noise weak order 1 and strong
    order 1/2. A step with all terms takes about 50 ns a walker on one core of an AMD EPYC with AVX-512, half
    of it for the random numbers.
    """
    m = _checked_vectors(initial)
    plan = _Plan.make(macrospin, duration, step, current, anisotropy_field, record, rng)
    plan.refuse_above(plan.largest_step(macrospin))
    states = np.empty((len(plan.recorded), 3, m.shape[1]))
    for part in _blocks(m.shape[1]):
        ensemble = _Ensemble(macrospin, m[:, part], plan)
        for row, state in plan.walk(ensemble.advance, ensemble.m, rng):
            states[row, :, part] = state
    return Trajectory(plan.times(), states)


def simulate_reduced(
    macrospin: Macrospin,
    initial: npt.ArrayLike,
    *,
    duration: float,
    step: float,
    current: Waveform = 0.0,
    anisotropy_field: Waveform | None = None,
    record: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> ReducedTrajectory:
    r"""Follow m_z alone of an ensemble of axially symmetric macrospins.

    Parameters
    ----------
    macrospin : Macrospin
        Axially symmetric: Nx = Ny, reference layer and external field along z.
    initial : array_like, shape () or (walkers,)
        m_z to start from, -1 to 1.
    duration, step, current, anisotropy_field, record, rng
        As in `simulate`. The step resolves the relaxation, not the precession, so that it may be about
        1/alpha times longer; 0.02 t_D is a good one.

    Returns
    -------
    ReducedTrajectory
        Recorded times and m_z.

    Raises
    ------
    InputError
        For input out of range, a macrospin without axial symmetry, a step that is too long.

    Notes
    -----
    The polar angle obeys, in the sense of Ito or Stratonovich alike,

    .. math:: d\theta = [-c(z) \sin\theta + \tfrac{1}{2} s^2 \cot\theta] dt + s\, dW,

    with z = cos(theta), c = gamma/(1 + alpha^2) [alpha (B_k z + B_z) + (1 + alpha field_like) a_J p_z] and
    s^2 = 2 alpha gamma kB T / ((1 + alpha^2) Ms V). This is the Fokker-Planck equation that
    `mtjchar.physics.fokker_planck` solves. In u = artanh(z) the noise grows as cosh(u) and in theta the
    drift diverges at the poles; here a step is a displacement in the tangent plane, d along the meridian
    and s sqrt(dt) across it, followed by a projection to the sphere, which is regular at the poles:

    .. math:: z \to (z - \sin\theta\, d) / \sqrt{1 + d^2 + s^2 dt}.

    Heun's scheme for the drift in d: order 2 without noise, with it strong order 1 away from the poles and
    weak order 1. The step across the meridian has a fixed length, which saves half of the random numbers;
    its price is that no walker comes closer to the pole than 1 - z = (dt/t_D)/(2 Delta), where a fraction
    dt/t_D of the thermal distribution lies. The mean of 1 - z is off by less than half of that fraction.
    Error rates at steps of 0.02 to 0.03 t_D agreed with the Fokker-Planck equation within 2 % at 0.06 and
    within the counting error of 6 % at 1.3e-3 (200,000 walkers). A step takes about 20 ns a walker.
    """
    z = _checked_cosines(initial)
    _refuse_asymmetry(macrospin)
    plan = _Plan.make(macrospin, duration, step, current, anisotropy_field, record, rng)
    plan.refuse_above(plan.largest_reduced_step(macrospin))
    states = np.empty((len(plan.recorded), len(z)))
    for part in _blocks(len(z)):
        ensemble = _ReducedEnsemble(macrospin, z[part], plan)
        for row, state in plan.walk(ensemble.advance, ensemble.z, rng):
            states[row, part] = state
    return ReducedTrajectory(plan.times(), states)


def largest_step(macrospin: Macrospin, current: float = 0.0) -> float:
    """Longest step that `simulate` accepts at a current of this magnitude (A), s.

    The precession by phi = gamma B dt per step acts like a change of the damping by -phi^3/8 in Heun's
    scheme. Allowed are 1 % of the damping (of 1e-3 where it is smaller), phi of 0.2 and thermal rotations
    of 0.1 rms per step.
    """
    return _largest_step(macrospin, abs(current), macrospin.anisotropy_field)


def _largest_step(macrospin: Macrospin, current: float, anisotropy: float) -> float:
    damping = max(macrospin.damping, _SMALLEST_DAMPING)
    angle = min(_LARGEST_ANGLE, (8.0 * _DAMPING_ERROR * damping) ** (1.0 / 3.0))
    torque = macrospin.lambda_**2 * macrospin.torque_per_current * current
    field = (
        float(np.ptp(field_diagonal(macrospin, anisotropy)))
        + float(np.linalg.norm(macrospin.field))
        + torque * math.hypot(1.0, macrospin.field_like)
    )
    kick = _LARGEST_KICK**2 / max(thermal_diffusion(macrospin), np.finfo(float).tiny)
    return min(angle / (GAMMA * field) if field else np.inf, kick)


class _Plan(NamedTuple):
    """Steps to take, the drive at both ends of each, and the steps to record."""

    steps: int
    dt: float
    asked: float
    current: FloatArray
    anisotropy: FloatArray
    recorded: IntArray

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
    ) -> _Plan:
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
        # A duration that is a multiple of the step but for rounding gets no additional step.
        steps = math.ceil(duration / step * (1.0 - 1e-12))
        dt = duration / steps if steps else step
        times = np.asarray(np.arange(steps + 1) * dt, dtype=np.float64)
        wanted = np.atleast_1d(np.asarray(duration if record is None else record, dtype=np.float64))
        if wanted.ndim > 1 or not np.all((wanted >= 0.0) & (wanted <= duration * (1.0 + 1e-12))):
            raise InputError("record", value=record, allowed=f"times from 0 to {duration:g} s")
        if np.any(np.diff(wanted) < 0.0):
            raise InputError("record", value=record, allowed="ascending times")
        return cls(
            steps,
            dt,
            step,
            _sampled("current", current, times),
            _sampled(
                "anisotropy_field", macrospin.anisotropy_field if anisotropy is None else anisotropy, times
            ),
            np.minimum(np.rint(wanted / dt), steps).astype(np.intp),
        )

    def times(self) -> FloatArray:
        """Of the records, s."""
        return np.asarray(self.recorded * self.dt, dtype=np.float64)

    def largest_step(self, macrospin: Macrospin) -> float:
        current = float(np.abs(self.current).max())
        extremes = float(self.anisotropy.min()), float(self.anisotropy.max())
        return min(_largest_step(macrospin, current, extreme) for extreme in extremes)

    def largest_reduced_step(self, macrospin: Macrospin) -> float:
        damping = macrospin.damping
        shape = macrospin.effective_field - macrospin.anisotropy_field
        torque = macrospin.lambda_**2 * macrospin.torque_per_current * np.abs(self.current).max()
        rate = (GAMMA / (1.0 + damping**2)) * (
            damping * (np.abs(self.anisotropy + shape).max() + abs(macrospin.field[2]))
            + abs(1.0 + damping * macrospin.field_like) * torque
        )
        kick = _LARGEST_KICK**2 / max(thermal_diffusion(macrospin), np.finfo(float).tiny)
        return min(_LARGEST_RELAXATION / float(rate) if rate else np.inf, kick)

    def refuse_above(self, limit: float) -> None:
        if self.steps and self.dt > limit * (1.0 + 1e-9):
            raise InputError(
                "step",
                value=self.asked,
                allowed=f"at most {limit:.4g} s for these fields and currents",
                remedy="Shorten the step.",
            )

    def walk(
        self,
        advance: Callable[[int, np.random.Generator | None], None],
        state: FloatArray,
        rng: np.random.Generator | None,
    ) -> Iterator[tuple[int, FloatArray]]:
        """Advance in place and hand out the state for every row that is to be recorded."""
        taken = 0
        for row, wanted in enumerate(self.recorded.tolist()):
            while taken < wanted:
                advance(taken, rng)
                taken += 1
            yield row, state


def _blocks(walkers: int) -> list[slice]:
    """Parts of nearly equal size."""
    edges = np.linspace(0, walkers, -(-walkers // _BLOCK) + 1).astype(int).tolist()
    return [slice(*pair) for pair in itertools.pairwise(edges)]


def _sampled(thing: str, waveform: Waveform, times: FloatArray) -> FloatArray:
    if callable(waveform):
        values = np.array([float(waveform(float(time))) for time in times])
    else:
        values = np.full(len(times), float(waveform))
    if not np.isfinite(values).all():
        raise InputError(thing, value=float(values[~np.isfinite(values)][0]), allowed="finite at all times")
    return values


def _checked_vectors(initial: npt.ArrayLike) -> FloatArray:
    m = np.asarray(initial, dtype=np.float64)
    m = m[:, None] if m.ndim == 1 else m
    if m.ndim != 2 or m.shape[0] != 3 or m.shape[1] == 0:
        raise InputError("initial", value=np.shape(initial), allowed="shape (3,) or (3, walkers)")
    length = np.sqrt(np.einsum("cn,cn->n", m, m))
    wrong = ~(np.abs(length - 1.0) < 1e-6)
    if wrong.any():
        raise InputError(
            "initial",
            value=m[:, wrong][:, 0].tolist(),
            allowed="unit vectors",
            remedy="Divide by the lengths.",
        )
    return np.asarray(m / length)


def _checked_cosines(initial: npt.ArrayLike) -> FloatArray:
    z = np.atleast_1d(np.asarray(initial, dtype=np.float64))
    if z.ndim != 1 or z.size == 0:
        raise InputError("initial", value=np.shape(initial), allowed="shape () or (walkers,)")
    wrong = ~(np.abs(z) <= 1.0)
    if wrong.any():
        raise InputError("initial", value=float(z[wrong][0]), allowed="m_z from -1 to 1")
    return z


def _refuse_asymmetry(macrospin: Macrospin) -> None:
    remedy = "Use simulate, which needs no symmetry."
    nx, ny, _ = macrospin.demagnetizing
    if nx != ny:
        raise InputError(
            "Macrospin.demagnetizing", value=macrospin.demagnetizing, allowed="Nx = Ny", remedy=remedy
        )
    for name in ("reference", "field"):
        value = getattr(macrospin, name)
        if value[0] != 0.0 or value[1] != 0.0:
            raise InputError(f"Macrospin.{name}", value=value, allowed="along z", remedy=remedy)


class _Ensemble:
    """State and work space of one block of walkers; angles per step (rad) in the place of fields."""

    def __init__(self, macrospin: Macrospin, initial: FloatArray, plan: _Plan) -> None:
        self.m = initial.copy()
        self._predicted, self._noise, self._field, self._slope, self._first, self._product = (
            np.zeros_like(self.m) for _ in range(6)
        )
        self._row, self._other, self._efficiency = (np.empty(self.m.shape[1]) for _ in range(3))
        damping = macrospin.damping
        scale = GAMMA * plan.dt / (1.0 + damping**2)
        self._damping = damping
        self._cross = 1.0 + damping**2
        # Equation 3, times gamma dt / (1 + alpha^2).
        self._sigma = math.sqrt(thermal_diffusion(macrospin) * plan.dt / (1.0 + damping**2))
        self._external = scale * np.asarray(macrospin.field, dtype=np.float64)
        shape = scale * field_diagonal(macrospin, 0.0)
        self._shape_y = float(shape[1])
        self._axial = (scale * plan.anisotropy + shape[2]).tolist()
        self._torque = (scale * macrospin.torque_per_current * plan.current).tolist()
        self._reference = [(row, p) for row, p in enumerate(macrospin.reference) if p]
        self._along = macrospin.field_like - damping
        self._square = macrospin.lambda_**2

    def advance(self, step: int, rng: np.random.Generator | None) -> None:
        """One Heun step from `step` to `step + 1`."""
        m, noise, predicted, first = self.m, self._noise, self._predicted, self._first
        if rng is not None and self._sigma:
            rng.standard_normal(out=noise)
            np.multiply(noise, self._sigma, out=noise)
        else:
            noise[...] = 0.0
        for row, value in enumerate(self._external.tolist()):
            if value:
                noise[row] += value

        self._slopes(m, step, first)
        np.add(m, first, out=predicted)
        self._slopes(predicted, step + 1, self._slope)
        np.add(first, self._slope, out=first)
        np.multiply(first, 0.5, out=first)
        np.add(m, first, out=m)

        product, length = self._product, self._row
        np.multiply(m, m, out=product)
        np.add(product[0], product[1], out=length)
        np.add(length, product[2], out=length)
        np.sqrt(length, out=length)
        np.divide(m, length, out=m)

    def _slopes(self, m: FloatArray, step: int, out: FloatArray) -> None:
        """Put dm/dt of equations 1 and 2, times the step, into `out`."""
        field, product, row, other = self._field, self._product, self._row, self._other
        np.copyto(field, self._noise)
        field[2] += np.multiply(m[2], self._axial[step], out=row)
        if self._shape_y:
            field[1] += np.multiply(m[1], self._shape_y, out=row)
        torque = self._damping_like(m, self._torque[step])
        if torque is not None:
            for component, p in self._reference:  # equation 1
                field[component] += np.multiply(torque, self._along * p, out=row)

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


class _ReducedEnsemble:
    """State and work space of one block of walkers of which only m_z is followed."""

    def __init__(self, macrospin: Macrospin, initial: FloatArray, plan: _Plan) -> None:
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

    def advance(self, step: int, rng: np.random.Generator | None) -> None:
        """One step from `step` to `step + 1`."""
        z, first, displacement = self.z, self._first, self._displacement
        noisy = rng is not None and self._variance > 0.0
        if rng is not None and noisy:
            rng.standard_normal(out=self._noise)
            np.multiply(self._noise, math.sqrt(self._variance), out=self._noise)
        self._drift(z, step, first)
        np.copyto(self._other, self._sine)
        np.add(first, self._noise, out=displacement)
        self._move(displacement, self._other, self._predicted)
        self._drift(self._predicted, step + 1, displacement)
        np.add(displacement, first, out=displacement)
        np.multiply(displacement, 0.5, out=displacement)
        np.add(displacement, self._noise, out=displacement)
        self._move(displacement, self._other, z)

    def _drift(self, z: FloatArray, step: int, out: FloatArray) -> None:
        """Put -c sin(theta) dt into `out` and sin(theta) into its own place."""
        sine, row = self._sine, self._row
        np.multiply(z, z, out=sine)
        np.subtract(1.0, sine, out=sine)
        np.maximum(sine, 0.0, out=sine)  # rounding
        np.sqrt(sine, out=sine)
        np.multiply(z, -self._linear[step], out=out)
        torque = self._torque[step]
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
