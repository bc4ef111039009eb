"""Time steps of the Fokker-Planck equation: rational approximations of the exponential of its operator.

References
----------
.. [1] S. P. Norsett, BIT 18, 323 (1978): rational approximations of the exponential with one real pole.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import comb, roots_laguerre

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.physics._banded import Factors, factorize

# exp(x) is approximated by sum_k c_k (1 - g x)^-k to order 8; with 1/g this root of the Laguerre polynomial
# L_8, c_0 vanishes at the end of a step and the method is L-stable [1]: one factorization, eight solves.
_ORDER = 8
_POLE = 1.0 / float(np.sort(roots_laguerre(_ORDER)[0])[3])
_TAYLOR = np.array([[comb(k + m - 1, m) * _POLE**m for k in range(_ORDER + 1)] for m in range(_ORDER + 1)])
_TAYLOR[:, 0] = np.eye(_ORDER + 1)[0]
# Row k: coefficients of c_k as a polynomial of the fraction theta of the step.
_DENSE = np.linalg.inv(_TAYLOR) / [math.factorial(m) for m in range(_ORDER + 1)]
_END = _DENSE.sum(axis=1)
_INTEGRAL = _DENSE @ (1.0 / np.arange(1.0, _ORDER + 2))  # over the step

COURANT = 0.6  # step times overdrive; errors stay below 3e-4 (docs/verification.md)
_CARRIED = 0.6  # the same if no error rate is read out between the steps: errors stay below 1e-6
_GROWTH = 3.0  # of the steps of a density that settles
_BETWEEN_CHECKS = 3  # steps
_SETTLED = 1e-4  # error rate below which a straight line of its logarithm is taken for the final decay
_SHAPED = 1e-5  # distance of a density from its final shape
_ROUNDING = 1e-12  # of a time
_STRAIGHT = 1e-6  # relative change of the slope per step


class WriteStatistics(NamedTuple):
    """Averages of a pulse over thermal noise; arrays of shape (devices, durations)."""

    error_rate: FloatArray
    integral: FloatArray
    final: FloatArray  # rate of growth of the integral with the plateau at its end


class Mode(NamedTuple):
    """Slowest mode of a constant drive; NaN if rounding spoils it."""

    rate: FloatArray  # (devices,), per t_D
    right: FloatArray  # (points, devices): the error rate over the state at the start, up to a factor
    left: FloatArray  # (points, devices): the density that keeps its shape, up to a factor

    def some(self, chosen: BoolArray | IndexArray) -> Mode:
        """Return the modes of some of the devices."""
        return Mode(*(part[..., chosen] for part in self))


def propagate(
    bands: FloatArray, fields: FloatArray, reduced_time: FloatArray, fastest: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Propagate fields, shape (points, fields, devices), through one constant drive.

    Returns the final fields, and the time integral of the last one.
    """
    steps = math.ceil(float(np.max(reduced_time * fastest, initial=0.0)) / COURANT)
    step = reduced_time / max(steps, 1)
    factors = factorize(-_POLE * step * bands)
    integral = np.zeros_like(fields[:, -1])
    for _ in range(steps):
        stages, fields = _step(factors, fields)
        for share, stage in zip(_INTEGRAL, stages, strict=True):
            integral += share * stage[:, -1]
    return fields, step * integral


def _step(factors: Factors, fields: FloatArray) -> tuple[list[FloatArray], FloatArray]:
    """Stages of a step, and the fields at its end."""
    stages = [fields]
    for _ in range(_ORDER):
        stages.append(factors.solve(stages[-1]))
    end = sum((_END[k] * stages[k] for k in range(2, _ORDER + 1)), _END[1] * stages[1])
    return stages, end


def carry(
    bands: FloatArray,
    density: FloatArray,
    reduced_time: FloatArray,
    fastest: FloatArray,
    mode: Mode,
    waits: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Propagate a density until it has settled in its slowest mode, and by that mode from there on.

    Parameters
    ----------
    bands : ndarray, shape (5, points, devices)
        Of the forward operator, the transposed generator.
    density : ndarray, shape (points, devices)
    reduced_time, fastest : ndarray, shape (devices,)
        Length of the drive, and its largest magnitude, at least 1.
    mode : Mode
        Slowest mode of the generator; with NaN the whole time is propagated.
    waits : ndarray of bool, shape (devices,)
        Whether a barrier holds the density: its steps then grow while it settles.

    Returns
    -------
    tuple of ndarray
        The density at the end, up to a factor, and the logarithm of that factor. The density has settled if
        its distance from the mode, integrated, is below 1e-5 of it. The rest decays faster than the mode.
    """
    end, logarithm = np.empty_like(density), np.zeros_like(reduced_time)
    overlap = (mode.left * mode.right).sum(axis=0)
    active, remaining, step = np.arange(len(fastest)), reduced_time.copy(), _CARRIED / fastest
    while len(active):
        own, left = mode.some(active), remaining[active]
        # The steps of a device must not depend on the other devices, so that differences are smooth.
        count = np.clip(np.ceil(left / step[active]), 1.0, _BETWEEN_CHECKS)
        taken = np.minimum(step[active], left / count)
        factors = factorize(-_POLE * taken * bands[:, :, active])
        before = density.sum(axis=0)
        fields = density[:, None]
        for number in range(int(count.max())):
            fields = np.where(number < count, _step(factors, fields)[1], fields)
        density = fields[:, 0]
        remaining[active] = left = left - count * taken
        share = (density * own.right).sum(axis=0) / overlap[active]
        away = np.abs(density - share * own.left).sum(axis=0)
        settled = away < _SHAPED * np.abs(share * own.left).sum(axis=0)
        done = left <= _ROUNDING * reduced_time[active]
        end[:, active] = np.where(settled & ~done, share * own.left, density)
        logarithm[active] = np.where(settled & ~done, -own.rate * left, 0.0)
        # A step of the decay of all of it is at most 1; the error of order 9 is then 1e-6.
        decay = np.maximum(np.log(before / density.sum(axis=0)), 0.0) / (count * taken)
        grown = np.minimum(_GROWTH * step[active], 1.0 / np.maximum(decay, 1e-9))
        step[active] = np.where(waits[active], np.maximum(grown, step[active]), step[active])
        going = ~(settled | done)
        active, density = active[going], density[:, going]
    return end, logarithm


class _March(NamedTuple):
    """Result of the time steps: for each device all steps that were computed for it."""

    moments: FloatArray  # (steps, stages, fields, devices), means over the density after the rise
    logarithms: FloatArray  # (steps + 1, devices), of the error rate at the ends of the steps
    last: IndexArray  # (devices,), the last step


def march(
    bands: FloatArray, fields: FloatArray, weight: FloatArray, step: FloatArray, longest: FloatArray
) -> _March:
    """Step every device to its longest duration, or until its error rate falls exponentially."""
    factors = factorize(-_POLE * step * bands)
    last = np.maximum(np.ceil(longest / step).astype(np.intp), 1) - 1
    steps = int(last.max()) + 1
    # Zeros, because sums also include steps that are not computed for a device.
    moments = np.zeros((steps, _ORDER + 1, fields.shape[1], fields.shape[2]))
    logarithms = np.zeros((steps + 1, fields.shape[2]))
    active = np.arange(fields.shape[2])
    for taken in range(steps):
        stages, fields = _step(factors, fields)
        for k, stage in enumerate(stages):
            moments[taken, k][:, active] = np.einsum("zd,zfd->fd", weight, stage)
        rate = _END @ moments[taken, :, 0][:, active]
        logarithms[taken + 1, active] = np.log(rate.clip(np.finfo(float).tiny))
        if (taken + 1) % _BETWEEN_CHECKS == 0:
            slopes = np.diff(logarithms[taken - 2 : taken + 2, active], axis=0)
            bend = np.abs(np.diff(slopes, axis=0)).max(axis=0)
            straight = (rate < _SETTLED) & (bend <= _STRAIGHT * np.abs(slopes[-1]))
            going = ~straight & (last[active] > taken)
            last[active] = np.where(going, last[active], np.minimum(last[active], taken))
            if not going.any():
                break
            if not going.all():
                active, weight, fields = active[going], weight[:, going], fields[:, :, going]
                factors = factors.keep(going)
    return _March(moments, logarithms, last)


def read_out(march: _March, step: FloatArray, tau: FloatArray) -> WriteStatistics:
    """Evaluate the dense output of the steps at the requested durations."""
    device = np.arange(len(step))[:, None]
    position = tau / step[:, None]
    index = np.minimum(position.astype(np.intp), march.last[:, None])
    theta = position - index
    inside = np.minimum(theta, 1.0)
    stage = march.moments[index, :, :, device]  # (devices, durations, stages, fields)

    powers = inside[..., None] ** np.arange(_ORDER + 1)
    rate = np.einsum("dtm,km,dtk->dt", powers, _DENSE, stage[..., 0])
    # Beyond the last step the logarithm of the error rate is extrapolated as a straight line.
    end = march.logarithms[march.last + 1, device[:, 0]][:, None]
    slope = np.minimum(end - march.logarithms[march.last, device[:, 0]][:, None], 0.0)
    rate = np.clip(np.where(theta > 1.0, np.exp(end + slope * (theta - 1.0)), rate), 0.0, 1.0)

    if march.moments.shape[2] == 1:
        return WriteStatistics(rate, np.zeros_like(rate), np.zeros_like(rate))
    integrated = powers * (inside / np.arange(1.0, _ORDER + 2)[:, None, None]).transpose(1, 2, 0)
    partial = np.einsum("dtm,km,dtk->dt", integrated, _DENSE, stage[..., 1])
    whole = np.einsum("k,skd->sd", _INTEGRAL, march.moments[:, :, 1])
    before = np.concatenate([np.zeros_like(whole[:1]), np.cumsum(whole, axis=0)])[index, device]
    final = np.einsum("dtm,km,dtk->dt", powers, _DENSE, stage[..., 1])
    after = final * np.maximum(theta - 1.0, 0.0)
    return WriteStatistics(rate, step[:, None] * (before + partial + after), final)
