r"""Temperature of a junction that its own current heats.

The free layer of a junction has one temperature T. A power P raises it towards T_0 + R_th P, with the thermal
resistance R_th to the surroundings at T_0, and it follows with one thermal time:

.. math:: dT/dt = (T_0 + R_{th} P - T)/\tau_{th}.                                                    (1)

This is the lumped form of heat conduction out of a pillar, whose temperature follows several time constants
[1]_. The temperature of junctions over their voltage, and how fast they heat up, have been measured [2]_.

The power depends on the state. Until a magnetization crosses the barrier, the power is about that of the
state before the write. `course` therefore follows the temperature of a junction that has not switched. On
the way to the barrier the power changes as 1 - m_z, which grows as exp(g t) along the most probable path.
The temperature follows such a change with the share

.. math:: w = 1/(1 + g \tau_{th}),                                                                   (2)

so that at m_z on that path it is the temperature of the waiting junction plus w times the change of R_th
P(m_z). With an overdrive i, g = 2 abs(1 - i)/t_D in the well: the escape over a barrier is the relaxation
into the well, reversed in time. If the thermal time is short compared with t_D, w is 1; if it is long, w is
0. Equation 2 is exact near the well and approximate further up the barrier.

The sign of the current, which decides whether the electrons give their energy to the free or to the
reference layer, is not in equation 1.

References
----------
.. [1] C.-Y. You, S.-S. Ha, H.-W. Lee, arXiv:0906.2248: temperature of a nanopillar over time.
.. [2] A. Chavent et al., Phys. Rev. Appl. 6, 034003 (2016), doi:10.1103/PhysRevApplied.6.034003,
   arXiv:1609.08385: temperature of junctions over power and time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray

__all__ = [
    "Course",
    "advance",
    "course",
    "equivalent_overdrive",
    "mean_of_switched",
    "path_share",
    "steady_temperature",
]

PowerOfTemperature = Callable[[FloatArray], FloatArray]

_STEADY = 4.0  # thermal times after which 98 % of the rise is reached
_UP_TO_SHORTEST = 4  # segments up to the shortest duration, with equal steps of the temperature
_BEYOND = 8  # segments up to the longest duration, each longer by the same ratio
_FIRST_SHARE = 0.01  # of the longest duration: the least shortest one
_ROUNDS = 4  # of the iteration for the power at the mean temperature of a segment
_STEADY_ROUNDS = 60


class Course(NamedTuple):
    """Segments of a pulse with their mean temperatures; arrays of shape (segments, devices)."""

    end: FloatArray  # s, since the start of the first segment; infinite in the last one
    mean: FloatArray  # K
    final: FloatArray  # K, at the end of the segment


def advance(
    temperature: npt.ArrayLike, length: npt.ArrayLike, target: npt.ArrayLike, thermal_time: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Temperature at the end of a time with constant power, and its mean over that time.

    Parameters
    ----------
    temperature : array_like
        At the start, K.
    length : array_like
        s, at least 0, may be infinite.
    target : array_like
        T_0 + R_th P, K.
    thermal_time : array_like
        s, above 0.

    Returns
    -------
    tuple of ndarray
        The solution of equation 1 at the end, and its mean, K; the shape that the arguments broadcast to.

    Examples
    --------
    >>> end, mean = advance(300.0, 1e-9, 400.0, 1e-9)
    >>> float(end.round(3)), float(mean.round(3))
    (363.212, 336.788)
    """
    start, goal = np.asarray(temperature, dtype=np.float64), np.asarray(target, dtype=np.float64)
    x = np.asarray(length, dtype=np.float64) / np.asarray(thermal_time, dtype=np.float64)
    mean = np.where(x > 0.0, -np.expm1(-x) / np.where(x > 0.0, x, 1.0), 1.0)
    return goal + (start - goal) * np.exp(-x), goal + (start - goal) * mean


def steady_temperature(
    power: PowerOfTemperature, *, ambient: npt.ArrayLike, thermal_resistance: npt.ArrayLike
) -> FloatArray:
    """Temperature at which a junction that does not switch stays, K.

    Parameters
    ----------
    power : callable
        P(T): takes temperatures of shape (devices,), K, and returns W.
    ambient : array_like, shape (devices,)
        T_0, K.
    thermal_resistance : array_like, shape (devices,)
        R_th, K/W.

    Notes
    -----
    The fixed point of T = T_0 + R_th P(T), by iteration from T_0. It converges because the power of a tunnel
    junction hardly depends on its temperature: the resistance of P is nearly constant, that of AP falls with
    the TMR.
    """
    resistance, surroundings = (np.asarray(each, dtype=np.float64) for each in (thermal_resistance, ambient))
    temperature = surroundings * np.ones_like(resistance)
    for _ in range(_STEADY_ROUNDS):
        before = temperature
        temperature = surroundings + resistance * power(before)
        if np.all(np.abs(temperature - before) <= 1e-6):
            break
    return np.asarray(temperature, dtype=np.float64)


def course(
    power: PowerOfTemperature,
    *,
    ambient: npt.ArrayLike,
    thermal_resistance: npt.ArrayLike,
    thermal_time: npt.ArrayLike,
    shortest: npt.ArrayLike,
    longest: npt.ArrayLike,
    start: npt.ArrayLike | None = None,
) -> Course:
    """Temperature of junctions that stay in their state, in segments of a pulse with constant voltage.

    Parameters
    ----------
    power, ambient, thermal_resistance
        As for `steady_temperature`; the power is that of the state before the write.
    thermal_time : array_like
        tau_th, s, above 0; one for all devices, or shape (devices,).
    shortest, longest : array_like
        Durations between which the pulses end, s; of all devices, or shape (devices,).
    start : array_like, shape (devices,), optional
        Temperature at the start, K; `ambient` by default.

    Returns
    -------
    Course
        Each segment has its mean temperature. Up to the shortest duration there are four, between which the
        temperature rises by equal steps; from there to the longest duration, or to four thermal times, eight
        more, each longer by the same ratio. A pulse that ends within one of them has the temperature of the
        whole segment. If pulses are longer than four thermal times, the last segment has the final
        temperature. The last segment has no end.
    """
    resistance, surroundings = (np.asarray(each, dtype=np.float64) for each in (thermal_resistance, ambient))
    temperature = np.asarray(surroundings if start is None else start, dtype=np.float64) * np.ones_like(
        resistance
    )
    time_constant = np.asarray(thermal_time, dtype=np.float64) * np.ones_like(temperature)
    first, last = (np.asarray(each, dtype=np.float64) for each in (shortest, longest))
    ends = _ends(first, last, time_constant)
    begin, means, finals = np.zeros_like(temperature), list[FloatArray](), list[FloatArray]()
    for end in ends:
        mean = final = temperature
        for _ in range(_ROUNDS):
            target = surroundings + resistance * power(mean)
            final, mean = advance(temperature, end - begin, target, time_constant)
        begin, temperature = end, final
        means.append(mean)
        finals.append(final)
    if np.any(ends[-1] < last):
        steady = steady_temperature(power, ambient=ambient, thermal_resistance=resistance)
        ends, means, finals = [*ends, np.empty(0)], [*means, steady], [*finals, steady]
    ends[-1] = np.full_like(temperature, np.inf)
    return Course(np.array(ends), np.array(means), np.array(finals))


def _ends(shortest: FloatArray, longest: FloatArray, thermal_time: FloatArray) -> list[FloatArray]:
    """Divide the time up to the longest duration, or until the temperature is steady: ends, s.

    Their number does not depend on the values, and they change continuously with them, as a fit needs it.
    """
    last = np.minimum(longest, _STEADY * thermal_time)
    first = np.clip(shortest, _FIRST_SHARE * last, last)
    reached = -np.expm1(-first / thermal_time)
    # The last ends are exact: a pulse of that duration shall not reach into the next segment.
    ends = [-thermal_time * np.log1p(-reached * k / _UP_TO_SHORTEST) for k in range(1, _UP_TO_SHORTEST)]
    ends.append(first)
    if np.any(last > first):
        ends += [first * (last / first) ** (k / _BEYOND) for k in range(1, _BEYOND)]
        ends.append(last)
    return ends


def path_share(drive: FloatArray, relaxation_time: FloatArray, thermal_time: npt.ArrayLike) -> FloatArray:
    """Share w of equation 2, by which the temperature follows the power on the way out of the well.

    Parameters
    ----------
    drive : ndarray
        Overdrive less axial field over the anisotropy field, i - h, in the well.
    relaxation_time : ndarray
        t_D, s.
    thermal_time : array_like
        tau_th, s.

    Examples
    --------
    >>> float(path_share(np.array(0.5), np.array(1e-9), 1e-9))
    0.5
    """
    return np.asarray(1.0 / (1.0 + 2.0 * np.abs(1.0 - drive) * np.asarray(thermal_time) / relaxation_time))


def equivalent_overdrive(
    z: FloatArray,
    overdrive: FloatArray,
    field: FloatArray,
    stability_ratio: FloatArray,
    field_at_rest: FloatArray,
) -> FloatArray:
    """Overdrive that has the ratio of drift and diffusion of another temperature, with the well's diffusion.

    Parameters
    ----------
    z : ndarray
    overdrive, field : ndarray
        i and h at the temperature at z.
    stability_ratio : ndarray
        Delta at the temperature at z over that in the well.
    field_at_rest : ndarray
        h of the equation that is solved. That equation subtracts it from the overdrive.

    Notes
    -----
    In the equation of `mtjchar.physics.fokker_planck` that ratio is 2 Delta (i - h - z). All arguments
    broadcast.
    """
    return np.asarray(z + field_at_rest + stability_ratio * (overdrive - field - z))


def mean_of_switched(
    remaining: FloatArray, length: FloatArray, crossing: FloatArray, target: FloatArray, thermal_time: float
) -> FloatArray:
    """Mean temperature, in each segment, of the junctions that have switched, K.

    Parameters
    ----------
    remaining : ndarray, shape (segments + 1, devices)
        Share of junctions that have not switched, at the start of the pulse and at the ends of the segments.
    length : ndarray, shape (segments, devices)
        s, finite.
    crossing : ndarray, shape (segments, devices)
        Temperature with which junctions switch, K.
    target : ndarray, shape (segments, devices)
        T_0 + R_th P of the state that is written, K.
    thermal_time : float
        tau_th, s.

    Notes
    -----
    Within a segment junctions switch at a constant rate. With their number N, equation 1 gives for the sum of
    T - target over them, S: dS/dt = dN/dt (crossing - target) - S/tau_th.
    """
    result = np.empty_like(length)
    sums = np.zeros_like(length[0])
    for k in range(len(length)):
        switching = np.maximum(remaining[k] - remaining[k + 1], 0.0)
        x = length[k] / thermal_time
        safe = np.where(x > 0.0, x, 1.0)
        settled = switching / safe * (crossing[k] - target[k])  # rate times tau_th
        mean = settled + (sums - settled) * np.where(x > 0.0, -np.expm1(-x) / safe, 1.0)
        number = np.maximum(1.0 - 0.5 * (remaining[k] + remaining[k + 1]), 1e-300)
        # Where nearly none has switched, rounding must not leave the interval of the two temperatures.
        share = np.clip(mean / np.where(number > 1e-9, number, np.inf), *_between(crossing[k] - target[k]))
        result[k] = target[k] + np.where(number > 1e-9, share, crossing[k] - target[k])
        sums = settled + (sums - settled) * np.exp(-x)
    return result


def _between(difference: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.minimum(difference, 0.0), np.maximum(difference, 0.0)
