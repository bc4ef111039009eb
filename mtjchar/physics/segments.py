r"""Pulses whose parameters change in steps: a junction that heats up while it is written.

Within a segment of the pulse the overdrive, the stability and the time t_D are constant in time. The equation
is that of `mtjchar.physics.fokker_planck`, with the parameters of the segment. The density before the pulse
and the relaxation after it belong to the stability at rest, before anything has heated up.

If there are many durations, the density is propagated forward through the whole segments before a duration.
The probability of an error is propagated backward from the duration to the start of its own segment. If a
segment is long compared with the relaxation in the well, the density keeps its shape and decays with the
slowest rate of the segment, as in `mtjchar.physics.long_pulses`.

If there are one or two durations, the density is propagated forward up to each of them
(`mtjchar.physics._time_steps.carry`). Its steps grow while it settles behind a barrier. Once it has the shape
of the slowest mode of the segment, the rest of the segment is that mode's decay.

If the switching is rare, the error rate is lost to rounding. With Lambda_k(t) for -ln WER of a pulse that has
the parameters of segment k from its start, by `mtjchar.physics.rare_switching`, it then is

.. math:: -\ln\mathrm{WER}(t) = \sum_k [\Lambda_k(\min(t, t_{k+1})) - \Lambda_k(t_k)],                 (1)

summed over the segments that begin at t_k < t. Each term is the integral of a rate. It assumes that the
density in the well has had the drive of the segment since the start of the pulse. This is exact for equal
segments, and for those that begin when the density in the well has settled, after a few t_D.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck, long_pulses, rare_switching
from mtjchar.physics._banded import factorize, transposed
from mtjchar.physics._grid import Grid, apply, points_of
from mtjchar.physics._time_steps import COURANT, Mode, carry, march, propagate, read_out
from mtjchar.physics.fokker_planck import FunctionOfZ, of_some
from mtjchar.physics.long_pulses import HANDOVER

__all__ = ["Segment", "log_error_rate", "log_exponent", "mean_integral"]

_PROBE = np.linspace(-1.0, 1.0, 33)[:, None]
_TOGETHER = 384  # devices: enough for numpy, few enough for the CPU's cache
_FEW = 2.5  # durations per device, up to which each has its own propagation
_SHORT = 8.0  # reduced time times the larger of 1 and the overdrive; no density settles sooner
_SETTLING = 100.0  # reduced time after which a density is settled in a well, but has not left it


class Segment(NamedTuple):
    """Part of a pulse with constant parameters.

    Attributes
    ----------
    overdrive : callable
        i(z), as for `mtjchar.physics.fokker_planck.write_statistics`, with the Ic0 of the segment.
    stability : ndarray, shape (devices,)
        Delta of the segment, 5 to 250; at most about that at rest, for which the grid is made.
    relaxation_time : ndarray, shape (devices,)
        t_D of the segment, s.
    end : ndarray, shape (devices,)
        Time since the start of the pulse, s; infinite in the last segment.
    observable : callable, optional
        f(z), like `overdrive`; for example the power in W.
    stored : callable, optional
        s(z), like `overdrive`: a function of the state, in units of the observable times s, whose mean at the
        end of a pulse that ends in this segment is added to the integral.
    after : sequence of Segment, optional
        What follows a pulse that ends in this segment, with `end` since the end of the pulse, finite.

    Notes
    -----
    The axial field h of the functions below is that over the anisotropy field at rest. Where the anisotropy
    field of a segment is another one, h' there, its overdrive includes the change, i - (h' - h).
    """

    overdrive: FunctionOfZ
    stability: FloatArray
    relaxation_time: FloatArray
    end: FloatArray
    observable: FunctionOfZ | None = None
    stored: FunctionOfZ | None = None
    after: Sequence[Segment] = ()


def log_error_rate(
    segments: Sequence[Segment],
    duration: npt.ArrayLike,
    *,
    stability_at_rest: npt.ArrayLike,
    field: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Natural logarithm of the write error rate.

    Parameters
    ----------
    segments : sequence of Segment
        In the order of time.
    duration : array_like, shape (devices, durations)
        Time from the start of the first segment to the end of the pulse, s, at least 0.
    stability_at_rest : array_like, shape (devices,)
        Delta before and after the pulse, without field, 5 to 250.
    field : array_like, shape (devices,), optional
        Axial field over the anisotropy field at rest, h, always on; positive if it holds the state before
        the write. Magnitude below 1.

    Returns
    -------
    ndarray, shape (devices, durations)
        With the accuracy of `mtjchar.physics.long_pulses.write_statistics`, and without a lower limit.

    Raises
    ------
    InputError
        For values that are not finite or out of range, and for segments that do not follow each other.
    """
    return _Problem.of(segments, duration, stability_at_rest, field).log_error_rate()


def log_exponent(
    segments: Sequence[Segment],
    duration: npt.ArrayLike,
    *,
    stability_at_rest: npt.ArrayLike,
    field: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Natural logarithm of -ln(write error rate), also where the switching is rare.

    Parameters
    ----------
    segments, duration, stability_at_rest, field
        As for `log_error_rate`.

    Returns
    -------
    ndarray, shape (devices, durations)
        At least -690.8. As `mtjchar.physics.long_pulses.log_exponent`, with equation 1 of the module if the
        switching is rare.

    Raises
    ------
    InputError
        As `log_error_rate`.
    """
    problem = _Problem.of(segments, duration, stability_at_rest, field)
    # The same way for all devices, so that differences between them are smooth: a fit takes derivatives.
    device, column = _distinct(problem.duration)
    few = len(device) < _FEW * len(problem.rest)
    one = (
        problem.some(device)._replace(duration=problem.duration[device, column][:, None]) if few else problem
    )
    logarithm = np.empty_like(one.duration)
    order = np.argsort(one.steps(), kind="stable")  # together: those that need about as many
    for start in range(0, len(order), _TOGETHER):
        part = one.some(order[start : start + _TOGETHER])
        logarithm[order[start : start + _TOGETHER]] = (
            part.at_one_duration()[:, None] if few else part.log_error_rate()
        )
    if few:
        every = np.full_like(problem.duration, np.nan)
        every[device, column] = logarithm[:, 0]
        logarithm = _with_repeated(every, problem.duration)
    exponent = np.log(np.maximum(-logarithm, rare_switching.LEAST))
    return long_pulses.with_rare_switching(exponent, problem.barrier, problem.rare_switching)


def _distinct(duration: FloatArray) -> tuple[IndexArray, IndexArray]:
    """Devices and columns of the different durations of each device, shape (devices, durations)."""
    order = np.argsort(duration, axis=1, kind="stable")
    sorted_ = np.take_along_axis(duration, order, axis=1)
    first = np.diff(sorted_, axis=1, prepend=-1.0) > 0.0
    device, place = np.nonzero(first)
    return device, order[device, place]


def _with_repeated(values: FloatArray, duration: FloatArray) -> FloatArray:
    """Fill in values, NaN where a duration repeats one of the same device."""
    for column in np.flatnonzero(np.isnan(values).any(axis=0)):
        same = (duration == duration[:, column, None]) & ~np.isnan(values)
        values[:, column] = values[np.arange(len(values)), same.argmax(axis=1)]
    return values


def mean_integral(
    segments: Sequence[Segment],
    duration: npt.ArrayLike,
    *,
    stability_at_rest: npt.ArrayLike,
    field: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Mean time integral of the observable, over the pulse and the parts after it.

    Parameters
    ----------
    segments, duration, stability_at_rest, field
        As for `log_error_rate`. Each segment has an observable.

    Returns
    -------
    ndarray, shape (devices, durations)
        In units of the observable times s.

    Raises
    ------
    InputError
        As `log_error_rate`.
    """
    return _Problem.of(segments, duration, stability_at_rest, field).mean_integral()


class _Problem(NamedTuple):
    segments: Sequence[Segment]
    duration: FloatArray  # (devices, durations), s
    rest: FloatArray  # this and the next ones (devices,)
    field: FloatArray
    fastest: FloatArray
    barrier: BoolArray
    points: int  # of the grid: that of all devices, so that differences between them are smooth

    @classmethod
    def of(
        cls,
        segments: Sequence[Segment],
        duration: npt.ArrayLike,
        stability_at_rest: npt.ArrayLike,
        field: npt.ArrayLike,
    ) -> _Problem:
        rest, time = (np.asarray(values, dtype=np.float64) for values in (stability_at_rest, duration))
        h = np.broadcast_to(np.asarray(field, dtype=np.float64), rest.shape)
        _check(segments, time)
        everything = [*segments, *(part for segment in segments for part in segment.after)]
        probe = _PROBE * np.ones_like(rest)
        drives = [part.overdrive(probe) - h for part in everything]
        fastest = np.max([np.abs(drive).max(axis=0) for drive in drives], axis=0)
        for stability in (rest, *(part.stability for part in everything)):
            fokker_planck.check(fastest, stability, h)
        barrier = np.any([(drive - probe).min(axis=0) < 0.0 for drive in drives[: len(segments)]], axis=0)
        fastest = np.maximum(fastest, 1.0)
        points = points_of(rest, fastest, h, barrier, whole=False) if len(rest) else 0
        return cls(segments, time, rest, h, fastest, barrier, points)

    def some(self, chosen: IndexArray) -> _Problem:
        """Return the problem of some of the devices."""

        def own(segment: Segment) -> Segment:
            return Segment(
                of_some(segment.overdrive, chosen, len(self.rest)),
                segment.stability[chosen],
                segment.relaxation_time[chosen],
                segment.end[chosen],
                after=tuple(own(part) for part in segment.after),
            )

        return _Problem(
            [own(segment) for segment in self.segments],
            self.duration[chosen],
            self.rest[chosen],
            self.field[chosen],
            self.fastest[chosen],
            self.barrier[chosen],
            self.points,
        )

    def steps(self) -> FloatArray:
        """Return the number of time steps up to the longest duration, (devices,), up to a factor."""
        longest, total = self.duration.max(axis=1, initial=0.0), np.zeros_like(self.rest)
        for segment, begin, _ in self._pieces():
            length = np.maximum(np.minimum(longest, segment.end) - begin, 0.0)
            total += np.minimum(length / segment.relaxation_time * self.fastest, HANDOVER)
        return total

    def _pieces(self) -> Iterator[tuple[Segment, FloatArray, BoolArray]]:
        """Segments that are needed, their starts (devices,), and the durations that end in them."""
        begin = np.zeros_like(self.rest)
        for segment in self.segments:
            ends = (self.duration <= segment.end[:, None]) & (self.duration > begin[:, None])
            yield segment, begin, ends | (self.duration == 0.0) if segment is self.segments[0] else ends
            if not (self.duration > segment.end[:, None]).any():
                return
            begin = segment.end

    def _grid(self, *, whole: bool) -> Grid:
        return Grid.make(self.rest, self.fastest, self.field, self.barrier, whole=whole, least=self.points)

    def _decay_rate(self, segment: Segment, some: BoolArray) -> FloatArray:
        """Slowest rate of some devices in a segment, per t_D of the segment."""
        drive = of_some(segment.overdrive, some, len(some))
        return long_pulses.slowest_decay(drive, segment.stability[some], self.field[some]).rate

    def at_one_duration(self) -> FloatArray:
        """Logarithm of the error rate, (devices,): the density is propagated up to the end of the pulse."""
        grid = self._grid(whole=False)
        density, scale, duration = grid.weight, np.zeros_like(self.rest), self.duration[:, 0]
        of_fall: dict[int, FloatArray] = {}  # equal falls are solved once
        result = np.zeros_like(self.rest)
        for segment, begin, several in self._pieces():
            bands, ends = grid.generator(segment.overdrive(grid.z), segment.stability), several[:, 0]
            length = np.maximum(np.minimum(duration, segment.end) - begin, 0.0) / segment.relaxation_time
            within = np.flatnonzero(length > 0.0)
            mode = self._mode(segment, bands, density, length, within)
            own, fastest = transposed(bands[:, :, within]), self.fastest[within]
            carried, decay = carry(
                own, density[:, within], length[within], fastest, mode, self.barrier[within]
            )
            total = carried.sum(axis=0)
            density = density.copy()
            density[:, within] = carried / total
            scale[within] += np.log(total) + decay
            if ends.any():
                if id(segment.after) not in of_fall:
                    of_fall[id(segment.after)] = self._relaxed(grid, segment)
                remains = (density * of_fall[id(segment.after)]).sum(axis=0)
                result = np.where(ends, scale + np.log(np.maximum(remains, np.finfo(float).tiny)), result)
        return np.minimum(result, 0.0)

    def _mode(
        self, segment: Segment, bands: FloatArray, density: FloatArray, length: FloatArray, within: IndexArray
    ) -> Mode:
        """Slowest modes of the devices `within` a segment; NaN where it is too short to settle."""
        shape = (len(density), len(within))
        mode = Mode(np.full(len(within), np.nan), np.full(shape, np.nan), np.full(shape, np.nan))
        places = np.flatnonzero(length[within] * self.fastest[within] > _SHORT)
        if len(places):
            long = within[places]
            own = fokker_planck.slowest_mode(bands[:, :, long], density[:, long], density[:, long])
            drive = of_some(segment.overdrive, long, len(self.rest))
            mode.rate[places] = long_pulses.or_by_escape(
                own.rate, drive, segment.stability[long], self.field[long]
            )
            mode.right[:, places], mode.left[:, places] = own.right, own.left
        return mode

    def log_error_rate(self) -> FloatArray:
        """Logarithm of the error rate, (devices, durations): propagated back to each segment's start."""
        grid = self._grid(whole=False)
        weight, scale = grid.weight, np.zeros_like(self.rest)  # the density is exp(scale) times the weights
        of_fall: dict[int, FloatArray] = {}  # equal falls are solved once
        handover, step = HANDOVER / self.fastest, COURANT / self.fastest
        result = np.zeros_like(self.duration)
        for segment, begin, ends in self._pieces():
            bands = grid.generator(segment.overdrive(grid.z), segment.stability)
            tau = np.maximum(self.duration - begin[:, None], 0.0) / segment.relaxation_time[:, None]
            goes_on = (self.duration > segment.end[:, None]).any(axis=1)
            length = np.where(goes_on, segment.end - begin, 0.0) / segment.relaxation_time
            # The tail of the segment has the slowest rate only.
            late = (ends & (tau > handover[:, None])).any(axis=1) | (length > handover)
            rate = np.zeros_like(self.rest)
            if late.any():
                rate[late] = self._decay_rate(segment, late)
            if ends.any():
                if id(segment.after) not in of_fall:
                    of_fall[id(segment.after)] = self._relaxed(grid, segment)
                remains = of_fall[id(segment.after)]
                near = np.where(ends, np.minimum(tau, handover[:, None]), 0.0)
                marched = march(bands, remains[:, None], weight, step, near.max(axis=1, initial=0.0))
                now = np.log(np.maximum(read_out(marched, step, near).error_rate, np.finfo(float).tiny))
                tail = rate[:, None] * np.maximum(tau - handover[:, None], 0.0)
                result = np.where(ends, scale[:, None] + now - tail, result)
            if goes_on.any():
                through = np.minimum(length, handover)
                weight = propagate(transposed(bands), weight[:, None], through, self.fastest)[0][:, 0]
                total = weight.sum(axis=0)
                weight /= total
                scale += np.log(total) - rate * np.maximum(length - handover, 0.0)
        return np.minimum(result, 0.0)

    def _relaxed(self, grid: Grid, segment: Segment) -> FloatArray:
        """Probability of an error for each state at the end of a pulse that ends in the segment."""
        remains = grid.relaxed()
        for part, length in _backwards(segment.after):
            bands = grid.generator(part.overdrive(grid.z), part.stability)
            fields = remains[:, None]
            remains = propagate(bands, fields, length / part.relaxation_time, self.fastest)[0][:, 0]
        return remains

    def mean_integral(self) -> FloatArray:
        """Mean integral of the observables, (devices, durations)."""
        grid = self._grid(whole=True)
        weight, sooner = grid.weight, np.zeros_like(self.rest)
        handover, step = HANDOVER / self.fastest, COURANT / self.fastest
        result = np.zeros_like(self.duration)
        of_fall: dict[tuple[int, int], FloatArray] = {}
        for segment, begin, ends in self._pieces():
            t_d = segment.relaxation_time
            drive, observed = segment.overdrive(grid.z), _observed(segment, grid.z) * t_d
            bands = grid.generator(drive, segment.stability)
            tau = np.maximum(self.duration - begin[:, None], 0.0) / t_d[:, None]
            goes_on = (self.duration > segment.end[:, None]).any(axis=1)
            length = np.where(goes_on, segment.end - begin, 0.0) / t_d
            if ends.any():
                fall = id(segment.after), id(segment.stored)
                if fall not in of_fall:
                    of_fall[fall] = self._later(grid, segment)
                later = of_fall[fall]
                near = np.where(ends, np.minimum(tau, handover[:, None]), 0.0)
                # d/dtau <s> = <L s> with the generator L: the mean of s at the end is one more integral.
                fields = np.stack([grid.relaxed(), observed + apply(bands, later)], axis=1)
                marched = march(bands, fields, weight, step, near.max(axis=1, initial=0.0))
                seen = read_out(marched, step, near)
                tail = self._tail(segment, seen.final, np.where(ends, tau - handover[:, None], 0.0))
                before = sooner + (weight * later).sum(axis=0)
                result = np.where(ends, before[:, None] + seen.integral + tail, result)
            if goes_on.any():
                through = np.minimum(length, handover)
                back = transposed(bands)
                end, integral = propagate(back, weight[:, None], through, self.fastest)
                weight = end[:, 0]
                sooner = sooner + (integral * observed).sum(axis=0)
                beyond = np.maximum(length - handover, 0.0)
                long = beyond > 0.0
                if long.any():
                    settled = _in_other_well(back[:, :, long])
                    rate, excess = self._decay_rate(segment, long), weight[:, long] - settled
                    share = -np.expm1(-rate * beyond[long])
                    seen_on = (observed[:, long] * settled).sum(axis=0) * beyond[long]
                    sooner[long] += seen_on + (observed[:, long] * excess).sum(axis=0) * share / rate
                    weight[:, long] -= excess * share
        return result

    def _later(self, grid: Grid, segment: Segment) -> FloatArray:
        """Integral after the pulse for each state at its end, in a pulse that ends in the segment."""
        later = np.zeros_like(grid.z) if segment.stored is None else np.array(segment.stored(grid.z))
        for part, length in _backwards(segment.after):
            bands = grid.generator(part.overdrive(grid.z), part.stability)
            t_d = part.relaxation_time
            fields = np.stack([later, _observed(part, grid.z) * t_d], axis=1)
            ends, integral = propagate(bands, fields, length / t_d, self.fastest)
            later = ends[:, 0] + integral
        return later

    def _tail(self, segment: Segment, final: FloatArray, beyond: FloatArray) -> FloatArray:
        """Integral beyond the handover, by equation 2 of `mtjchar.physics.long_pulses`."""
        tail = np.zeros_like(beyond)
        late = np.asarray((beyond > 0.0).any(axis=1))
        if late.any() and segment.observable is not None:
            drive, seen = (of_some(each, late, len(late)) for each in (segment.overdrive, segment.observable))
            after = long_pulses.mean_after(drive, seen, segment.stability[late], self.field[late])
            after *= segment.relaxation_time[late]
            time, rate = np.maximum(beyond[late], 0.0), self._decay_rate(segment, late)[:, None]
            excess = final[late] - after[:, None]
            tail[late] = after[:, None] * time - excess * np.expm1(-rate * time) / rate
        return tail

    def rare_switching(self, device: IndexArray, duration: IndexArray) -> FloatArray:
        """Exponent -ln WER of some pulses by equation 1, (pulses,)."""
        time, total = self.duration[device, duration], np.zeros(len(device))
        for number, (segment, begin, _) in enumerate(self._pieces()):
            within = np.flatnonzero((time > begin[device]) | (number == 0))
            own, t_d = device[within], segment.relaxation_time[device[within]]
            both = [np.minimum(time[within], segment.end[own]), begin[own]]
            later, sooner = (
                -np.log1p(-np.minimum(self._chance(segment, own, each / t_d), 0.5))
                for each in (both if number else both[:1] * 2)
            )
            total[within] += later - sooner if number else later
        return np.maximum(total, rare_switching.LEAST)

    def _chance(self, segment: Segment, device: IndexArray, tau: FloatArray) -> FloatArray:
        return rare_switching.switching_probability(
            segment.overdrive, segment.stability, self.field, device, tau, at_rest=self.rest
        )


def _check(segments: Sequence[Segment], duration: FloatArray) -> None:
    valid = (duration >= 0.0) & np.isfinite(duration)
    if not np.all(valid):
        raise InputError(
            "duration", value=float(duration[~valid].flat[0]), allowed="finite, at least 0, in s"
        )
    ends = [segment.end for segment in segments]
    if not ends or not np.all(np.isinf(ends[-1])):
        raise InputError(
            "segments",
            value=[float(np.max(end)) for end in ends],
            allowed="at least one segment, the last one with an infinite end",
        )
    if any(np.any(after < before) for before, after in itertools.pairwise(ends)):
        raise InputError("segments", value="ends that do not ascend", allowed="segments in the order of time")


def _backwards(parts: Sequence[Segment]) -> Iterator[tuple[Segment, FloatArray]]:
    """Parts after the pulse and their lengths (s), the last one first."""
    for number in range(len(parts) - 1, -1, -1):
        begin = parts[number - 1].end if number else 0.0
        yield parts[number], parts[number].end - begin


def _observed(segment: Segment, z: FloatArray) -> FloatArray:
    if segment.observable is None:
        raise InputError("segments", value="a segment without an observable", allowed="one in each segment")
    return segment.observable(z)


def _in_other_well(back: FloatArray) -> FloatArray:
    """Density that is settled in the well at z = -1, from the bands of the forward operator."""
    density = np.zeros(back.shape[1:])
    density[0] = 1.0
    return factorize(-_SETTLING * back).solve(density[:, None])[:, 0]
