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

The thermal field is white. Over a time dt the mean of each Cartesian component has the standard
deviation [3]_

    sigma_B = sqrt(2 alpha kB T / (gamma Ms V dt)).                                                   (3)

It has the sense of Stratonovich, in which the length of m stays 1 and Boltzmann's distribution is
stationary [4]_. Its precession and damping together are Brownian motion on the sphere. Therefore the noise
and the rest of the equation are solved one after the other. Half of the noise of a step comes before the
rest, and half of it afterwards [5]_:

- noise: a normal vector with the standard deviation gamma sigma_B dt/sqrt(1 + alpha^2) per component is added
  to m, and the sum is projected to the sphere.
- the rest: the scheme of Runge and Kutta of order 4. It leaves the sphere by less than its own error and only
  radially, so the projection does not change the order.

Diffusion on a sphere does not depend on how it is turned. Hence precession at a constant rate has no part in
the error of this splitting, and a step may be a large part of a radian as long as it is a small part of the
relaxation time.

A channel below the free layer adds its spin-orbit torque, with B_DL instead of a_J, beta B_DL instead of b_J
and the polarization sigma of its spins instead of p, to equations 1 and 2; see `mtjchar.physics.spin_orbit`.

If everything is symmetric around z, m_z is a diffusion process by itself. `simulate_reduced` computes only
m_z, with steps of the relaxation instead of the precession.

References
----------
.. [1] J. C. Slonczewski, J. Magn. Magn. Mater. 247, 324 (2002), doi:10.1016/S0304-8853(02)00291-3.
.. [2] J. Z. Sun, Phys. Rev. B 62, 570 (2000), doi:10.1103/PhysRevB.62.570.
.. [3] W. F. Brown, Phys. Rev. 130, 1677 (1963), doi:10.1103/PhysRev.130.1677.
.. [4] J. L. Garcia-Palacios and F. J. Lazaro, Phys. Rev. B 58, 14937 (1998),
   doi:10.1103/PhysRevB.58.14937.
.. [5] G. Strang, SIAM J. Numer. Anal. 5, 506 (1968), doi:10.1137/0705041; for small noise G. N. Milstein and
   M. V. Tretyakov, SIAM J. Sci. Comput. 18, 1067 (1997), doi:10.1137/S1064827594278575.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.polynomial.polynomial import polyval

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.physics._ensembles import (
    ChannelDrive,
    Ensemble,
    LoadedEnsemble,
    Plan,
    ReducedEnsemble,
    Waveform,
    sampled,
    step_limit,
)
from mtjchar.physics._heated import HeatedDrive, HeatedEnsemble
from mtjchar.physics._macrospin import Macrospin, energy, equilibrium
from mtjchar.physics.spin_orbit import SpinOrbitTorque

__all__ = [
    "HeatedDrive",
    "HeatedTrajectory",
    "LoadedTrajectory",
    "Macrospin",
    "ReducedTrajectory",
    "Trajectory",
    "energy",
    "equilibrium",
    "largest_step",
    "largest_step_on_load_line",
    "simulate",
    "simulate_heated",
    "simulate_on_load_line",
    "simulate_reduced",
]

# Largest number of walkers that advance together: 200 bytes each, 70 in the reduced ensemble, have to fit
# into the L2 cache; below 2,000 the overhead of the calls dominates.
_BLOCK = 6144


class Trajectory(NamedTuple):
    """Records of `simulate`: times (records,), s, and m of shape (records, 3, walkers)."""

    times: FloatArray
    m: FloatArray


class ReducedTrajectory(NamedTuple):
    """Records of `simulate_reduced`: times (records,), s, and m_z of shape (records, walkers)."""

    times: FloatArray
    m_z: FloatArray


class LoadedTrajectory(NamedTuple):
    """Records of `simulate_on_load_line`.

    Attributes
    ----------
    times : ndarray, shape (records,)
        s.
    m : ndarray, shape (records, 3, walkers)
        Unit vectors.
    charge : ndarray, shape (records, walkers)
        Time integral of each walker's current from the start, A s.
    channel_charge : ndarray, shape (records, walkers)
        The same for the current in the channel; 0 without a channel.
    """

    times: FloatArray
    m: FloatArray
    charge: FloatArray
    channel_charge: FloatArray


class HeatedTrajectory(NamedTuple):
    """Records of `simulate_heated`.

    Attributes
    ----------
    times : ndarray, shape (records,)
        s.
    m : ndarray, shape (records, 3, walkers)
        Unit vectors.
    rise : ndarray, shape (records, walkers)
        Temperature of each walker above that of the macrospin, K.
    charge : ndarray, shape (records, walkers)
        Time integral of each walker's current from the start, A s.
    """

    times: FloatArray
    m: FloatArray
    rise: FloatArray
    charge: FloatArray


def simulate(
    macrospin: Macrospin,
    initial: npt.ArrayLike,
    *,
    duration: float,
    step: float,
    current: Waveform = 0.0,
    anisotropy_field: Waveform | None = None,
    spin_orbit: SpinOrbitTorque | None = None,
    channel_current: Waveform = 0.0,
    record: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> Trajectory:
    """Simulate an ensemble of independent macrospins through a pulse.

    Parameters
    ----------
    macrospin : Macrospin
        The free layer, the same for all walkers.
    initial : array_like, shape (3,) or (3, walkers)
        Initial unit vectors; see `equilibrium`.
    duration : float
        s, at least 0.
    step : float
        Largest time step, s, at most `largest_step`; shortened so that a whole number fills `duration`.
    current : float or callable
        Current from the free to the reference layer, A, or a function of the time in s. Divide a pulse with
        a jump into two calls; within a call it would be smeared over one step.
    anisotropy_field : float or callable, optional
        Replaces `macrospin.anisotropy_field`, T: voltage control of the anisotropy.
    spin_orbit : SpinOrbitTorque, optional
        Torque of a channel below the free layer.
    channel_current : float or callable
        Current in the channel, A; used with `spin_orbit` only.
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
        For input out of range; if the step is too long, the message gives the longest one.

    Notes
    -----
    Equations 1 to 3 of the module. Without noise the order is 4 in the step, or 2 if the current or the field
    has kinks between the steps. With noise the weak order is 2 and the strong order 1/2.
    """
    m = _checked_vectors(initial)
    plan = Plan.make(macrospin, duration, step, current, anisotropy_field, record, rng)
    channel, further = None, 0.0
    if spin_orbit is not None:
        waveform = sampled("channel_current", channel_current, plan.halves())
        further = spin_orbit.largest_field_per_current * float(np.abs(waveform).max())
        channel = ChannelDrive(spin_orbit, macrospin.damping, plan, waveform, 0)
    plan.refuse_above(plan.largest_step(macrospin, further))
    states = np.empty((len(plan.recorded), 3, m.shape[1]))
    for part in _blocks(m.shape[1]):
        ensemble = Ensemble(macrospin, m[:, part], plan, channel)
        for row in plan.walk(ensemble.advance, rng):
            states[row, :, part] = ensemble.m
    return Trajectory(plan.times(), states)


def simulate_on_load_line(
    macrospin: Macrospin,
    initial: npt.ArrayLike,
    *,
    duration: float,
    step: float,
    current: npt.ArrayLike,
    anisotropy_field: npt.ArrayLike | None = None,
    torque_current: npt.ArrayLike | None = None,
    reference_field: npt.ArrayLike | None = None,
    spin_orbit: SpinOrbitTorque | None = None,
    channel_current: npt.ArrayLike | None = None,
    record: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> LoadedTrajectory:
    """Simulate an ensemble in circuits, where each walker has the current of its own angle to the reference.

    Parameters
    ----------
    macrospin, initial, duration, step, record, rng
        As in `simulate`.
    current : array_like, shape (terms,) or (terms, walkers)
        Current from the free to the reference layer, A: coefficients of a power series in the cosine m.p,
        ascending, the same for all walkers or separate for each.
    anisotropy_field : array_like, shape (terms,) or (terms, walkers), optional
        The same for the anisotropy field, T, instead of `macrospin.anisotropy_field`, if the voltage that
        controls it depends on the angle too.
    torque_current : array_like, shape (terms,) or (terms, walkers), optional
        The same for the current that determines the torque, A, if that is not `current`: V/R_P for a
        torque per voltage V, with P/(1 + P^2) for `macrospin.polarization`.
    reference_field : array_like, shape (terms,) or (terms, walkers), optional
        The same for a field along the reference layer, T: a field-like torque that is proportional to the
        square of the voltage.
    spin_orbit : SpinOrbitTorque, optional
        Torque of a channel below the free layer.
    channel_current : array_like, shape (terms,) or (terms, walkers), optional
        The same for the current in the channel, A; needed with `spin_orbit`, and used with it only. If the
        junction draws a part of it, that is the mean of the currents on both sides of the junction.

    Returns
    -------
    LoadedTrajectory
        Recorded times, states and the charges that have flowed through each walker and below it.

    Raises
    ------
    InputError
        As in `simulate`, and for coefficients of another shape.

    Notes
    -----
    The scheme is that of `simulate`; the charge is the weighted sum over the stages of each step.
    For currents that change in time, such as those of an edge of a pulse, call it several times.
    """
    m = _checked_vectors(initial)
    field = macrospin.anisotropy_field if anisotropy_field is None else anisotropy_field
    series = _checked_series("current", current, m.shape[1])
    axial = _checked_series("anisotropy_field", field, m.shape[1])
    named = {"torque_current": torque_current, "reference_field": reference_field}
    others = {
        name: None if each is None else _checked_series(name, each, m.shape[1])
        for name, each in named.items()
    }
    below = _channel_series(spin_orbit, channel_current, m.shape[1])
    plan = Plan.make(macrospin, duration, step, 0.0, None, record, rng)
    acting = series if others["torque_current"] is None else others["torque_current"]
    across = None if spin_orbit is None or below is None else spin_orbit.largest_field_per_current * below
    plan.refuse_above(largest_step_on_load_line(macrospin, acting, axial, others["reference_field"], across))
    states = np.empty((len(plan.recorded), 3, m.shape[1]))
    charge, channel_charge = np.zeros((2, len(plan.recorded), m.shape[1]))
    for part in _blocks(m.shape[1]):
        own, field = _of(part, series), _of(part, axial)
        optional = {name: None if each is None else _of(part, each) for name, each in others.items()}
        channel = None
        if spin_orbit is not None and below is not None:
            channel = ChannelDrive(
                spin_orbit, macrospin.damping, plan, list(_of(part, below)), part.stop - part.start
            )
        ensemble = LoadedEnsemble(macrospin, m[:, part], plan, own, field, **optional, channel=channel)
        for row in plan.walk(ensemble.advance, rng):
            states[row, :, part] = ensemble.m
            charge[row, part] = ensemble.charge
            if channel is not None:
                channel_charge[row, part] = channel.charge
    return LoadedTrajectory(plan.times(), states, charge, channel_charge)


def simulate_heated(
    macrospin: Macrospin,
    initial: npt.ArrayLike,
    rise: npt.ArrayLike,
    *,
    duration: float,
    step: float,
    drive: HeatedDrive,
    record: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> HeatedTrajectory:
    """Simulate an ensemble in circuits, where the current of each walker heats it.

    Parameters
    ----------
    macrospin, initial, duration, step, record, rng
        As in `simulate`. Of the macrospin the damping, the asymmetry, the ratio of the field-like torque, the
        external field and the reference layer count. All that depends on the temperature is in `drive`.
    rise : array_like, shape () or (walkers,)
        Initial temperature above that of the macrospin, K.
    drive : HeatedDrive
        Polynomials in the cosine m.p and in the rise.

    Returns
    -------
    HeatedTrajectory

    Raises
    ------
    InputError
        As in `simulate`.

    Notes
    -----
    The scheme is that of `simulate`. The rise obeys equation 1 of `mtjchar.physics.heating`.
    """
    m = _checked_vectors(initial)
    start = np.broadcast_to(np.asarray(rise, dtype=np.float64), m.shape[1:])
    plan = Plan.make(macrospin, duration, step, 0.0, None, record, rng)
    plan.refuse_above(drive.largest_step(macrospin, float(start.max())))
    states = np.empty((len(plan.recorded), 3, m.shape[1]))
    rises, charge = np.empty((2, len(plan.recorded), m.shape[1]))
    for part in _blocks(m.shape[1]):
        ensemble = HeatedEnsemble(macrospin, m[:, part], start[part], plan, drive.of(part))
        for row in plan.walk(ensemble.advance, rng):
            states[row, :, part] = ensemble.m
            rises[row, part], charge[row, part] = ensemble.rise, ensemble.charge
    return HeatedTrajectory(plan.times(), states, rises, charge)


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
    r"""Simulate m_z alone for an ensemble of axially symmetric macrospins.

    Parameters
    ----------
    macrospin : Macrospin
        Axially symmetric: Nx = Ny, reference layer and external field along z.
    initial : array_like, shape () or (walkers,)
        Initial m_z, -1 to 1.
    duration, step, current, anisotropy_field, record, rng
        As in `simulate`. The step resolves the relaxation, not the precession, so it may be about
        1/alpha times longer; 0.02 t_D is suitable.

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
    The polar angle obeys, in the sense of both Ito and Stratonovich,

    .. math:: d\theta = [-c(z) \sin\theta + \tfrac{1}{2} s^2 \cot\theta] dt + s\, dW,

    with z = cos(theta), c = gamma/(1 + alpha^2) [alpha (B_k z + B_z) + (1 + alpha field_like) a_J p_z] and
    s^2 = 2 alpha gamma kB T / ((1 + alpha^2) Ms V). This is the Fokker-Planck equation that
    `mtjchar.physics.fokker_planck` solves. In u = artanh(z) the noise grows as cosh(u) and in theta the
    drift diverges at the poles; here a step is a displacement in the tangent plane, d along the meridian
    and s sqrt(dt) across it, followed by a projection to the sphere, which is regular at the poles:

    .. math:: z \to (z - \sin\theta\, d) / \sqrt{1 + d^2 + s^2 dt}.

    Heun's scheme for the drift in d: order 2 without noise, with it strong order 1 away from the poles and
    weak order 1. The step across the meridian has a fixed length, which saves half of the random numbers.
    As a consequence no walker comes closer to the pole than 1 - z = (dt/t_D)/(2 Delta), where a fraction
    dt/t_D of the thermal distribution lies. The mean of 1 - z is off by less than half of that fraction.
    Error rates at steps of 0.02 to 0.03 t_D agreed with the Fokker-Planck equation within 2 % at 0.06 and
    within the counting error of 6 % at 1.3e-3 (200,000 walkers). A step takes about 20 ns a walker.
    """
    z = _checked_cosines(initial)
    _refuse_asymmetry(macrospin)
    plan = Plan.make(macrospin, duration, step, current, anisotropy_field, record, rng)
    plan.refuse_above(plan.largest_reduced_step(macrospin))
    states = np.empty((len(plan.recorded), len(z)))
    for part in _blocks(len(z)):
        ensemble = ReducedEnsemble(macrospin, z[part], plan)
        for row in plan.walk(ensemble.advance, rng):
            states[row, part] = ensemble.z
    return ReducedTrajectory(plan.times(), states)


def largest_step(macrospin: Macrospin, current: float = 0.0, spin_orbit_field: float = 0.0) -> float:
    """Longest step that `simulate` accepts at a current of this magnitude (A), s.

    `spin_orbit_field` is the magnitude of both fields of a channel, T
    (`SpinOrbitTorque.largest_field_per_current`).

    Near an equilibrium the scheme multiplies a displacement that grows by a and precesses by phi = gamma B dt
    per step by exp(z), z = a + i phi, times exp(-a phi^4/24 - phi^6/144). The step is limited such that this
    changes a growth of alpha phi (1e-3 phi for a smaller damping) by at most 0.1 %. At that limit the
    logarithm of an error rate is off by about 0.1 % of itself: 2 % of a rate of 1e-9. Further limits are phi
    of 0.4 and thermal rotations of 0.1 rms per step.
    """
    return step_limit(macrospin, abs(current), macrospin.anisotropy_field, abs(spin_orbit_field))


def largest_step_on_load_line(
    macrospin: Macrospin,
    torque_current: FloatArray,
    anisotropy_field: FloatArray,
    reference_field: FloatArray | None,
    spin_orbit_field: FloatArray | None = None,
) -> float:
    """Longest step that `simulate_on_load_line` accepts, s; its series, of shape (terms, walkers).

    `spin_orbit_field` is the series of both fields of a channel, T: the series of its current times
    `SpinOrbitTorque.largest_field_per_current`.
    """
    cosine = np.linspace(-1.0, 1.0, 33)
    largest = float(np.abs(polyval(cosine, torque_current)).max())
    further = sum(
        float(np.abs(polyval(cosine, each)).max())
        for each in (reference_field, spin_orbit_field)
        if each is not None
    )
    fields = polyval(cosine, anisotropy_field)
    return min(
        step_limit(macrospin, largest, float(field), further) for field in (fields.min(), fields.max())
    )


def _blocks(walkers: int) -> list[slice]:
    """Parts of nearly equal size."""
    edges = np.linspace(0, walkers, -(-walkers // _BLOCK) + 1).astype(int).tolist()
    return [slice(*pair) for pair in itertools.pairwise(edges)]


def _of(walkers: slice, series: FloatArray) -> FloatArray:
    """Coefficients of some walkers, (terms, walkers), or the ones of all, (terms, 1)."""
    return series[:, walkers] if series.shape[1] > 1 else series


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


def _channel_series(
    torque: SpinOrbitTorque | None, current: npt.ArrayLike | None, walkers: int
) -> FloatArray | None:
    if torque is None and current is None:
        return None
    if torque is None or current is None:
        raise InputError(
            "spin_orbit" if torque is None else "channel_current",
            value=None,
            allowed="both spin_orbit and channel_current, or neither",
        )
    return _checked_series("channel_current", current, walkers)


def _checked_series(thing: str, series: npt.ArrayLike, walkers: int) -> FloatArray:
    values = np.asarray(series, dtype=np.float64)
    values = values.reshape(-1, 1) if values.ndim < 2 else values
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] not in (1, walkers):
        raise InputError(
            thing, value=np.shape(series), allowed=f"coefficients of shape (terms,) or (terms, {walkers})"
        )
    if not np.isfinite(values).all():
        raise InputError(thing, value=float(values[~np.isfinite(values)][0]), allowed="finite coefficients")
    return values


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
