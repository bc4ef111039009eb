r"""Rare write errors of the vector model, by splitting of weighted walkers.

Plain counting resolves error rates down to about 3/trials. Here each walker has a weight. At several
instants of the pulse, walkers that may still fail are cloned, and the clones share the weight. Of many
similar walkers, some are left out. So an error rate of 1e-9 has as many walkers as one of 1e-2 [1]_, [2]_.

The walkers are sorted into bins of their energy. In the initial well, E is the energy above the bottom and
E_b is the barrier. The edges are

.. math:: E_b 2^{-k}, \quad k = 0, 1, 2, \ldots                                                      (1)

In the written well there is an edge 12 kT below the saddle. If the drive can act against this well, there
are further edges, from 3 to 24 kT below the saddle. Above the saddle the wells are one, and the edges are 4,
8 and 16 kT above it.

Each occupied bin gets the same number of walkers. This is the weighted ensemble of Huber and Kim [3]_. A
fifth of the walkers is spread over the bins by weight, for slow survivors. A bin of total weight W has n
places. In it, a walker of weight w gets n w/W copies, each of weight W/n. Systematic resampling along the
energy rounds the number of copies. The expected weight at any state does not change, whatever the bins are
[4]_. Therefore the mean of the error rate is exact for any number of walkers. The bins only determine its
scatter.

Survivors of a fast pulse are not a random sample of the survivors at an earlier time. Near the bottom of the
well, the distance from the axis grows as exp((i - 1) t/t_D) at the overdrive i. Before this growth is
stronger, noise moves walkers by about kT/(i - 1) in energy. So the late survivors descend from walkers within
about kT/(i - 1) of the bottom. The present survivors fill the well evenly, so only one in E_b (i - 1)/kT of
them is such a walker. Cloning at the barrier alone would copy the other walkers, without benefit. The bins of
equation 1 reach down to kT/(i - 1). A walker needs the constant time ln 2/(2(i - 1)) t_D to pass from one
edge to the next. The start needs no bias, because it is not rare. The chance to survive falls as
exp(-(i - 1) E/kT), so a share of 1/i of Boltzmann's distribution exp(-E/kT) causes the errors of long pulses.

Walkers within 3 kT of the bottom of the written well are in equilibrium there. If the drive only holds them,
they stop: they return with a probability of about exp(-E_b/kT). If the drive can act against the well, they
go on, in bins of their own. `SplitRates.returned` is the part of the error rate that comes from their
returns.

References
----------
.. [1] R. J. Allen, D. Frenkel and P. R. ten Wolde, J. Chem. Phys. 124, 024102 (2006), doi:10.1063/1.2140273.
.. [2] F. Cerou and A. Guyader, Stoch. Anal. Appl. 25, 417 (2007), doi:10.1080/07362990601139628.
.. [3] G. A. Huber and S. Kim, Biophys. J. 70, 97 (1996), doi:10.1016/S0006-3495(96)79552-8.
.. [4] B. W. Zhang, D. Jasnow and D. M. Zuckerman, J. Chem. Phys. 132, 054107 (2010), doi:10.1063/1.3306345.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from numpy.polynomial.polynomial import polyval
from scipy import stats

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.errors import InputError
from mtjchar.physics import llgs
from mtjchar.physics._macrospin import field_diagonal
from mtjchar.physics.wells import WriteWells, wells

__all__ = [
    "REPLICAS",
    "Dynamics",
    "RectangularPulse",
    "SplitRates",
    "relaxed",
    "split",
    "systematic",
    "write_error_rate",
]

_GROWTH = 0.125  # of the logarithm of a displacement, between two instants of cloning
_LEAST = 1e-20  # error rate below which a replica of a system ends: nothing is verified below 1e-18
_EDGES = np.array([-12.0, 0.0, 4.0, 8.0, 16.0])  # kB T above the saddle: further bins
_EDGES_OF_RETURNS = np.array([-24.0, -16.0, -12.0, -9.0, -6.0, -3.0, 0.0, 4.0, 8.0, 16.0])
_DEEP = -12.0  # kB T, bins of the written well below get no walkers by weight
_CARRIED = 0.2  # share of the walkers that is spread over the bins by weight, for slow survivors anywhere
_LOOKS = 20  # checks of the relaxing magnetizations, half a relaxation time apart
REPLICAS = 8
"""Replicas of a study's cells."""


class Dynamics(Protocol):
    """Motion of walkers of several systems (such as amplitudes) through a pulse.

    States have the shape (components, walkers). Their first three rows are the unit vector. `system`, of
    shape (walkers,), is the number of the system of each walker. Durations are in s.
    """

    def rise(self, state: FloatArray, system: IndexArray, rng: np.random.Generator) -> FloatArray:
        """States after the rise of the pulse."""

    def plateau(
        self, state: FloatArray, system: IndexArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States after a part of the plateau."""

    def fall(self, state: FloatArray, system: IndexArray, rng: np.random.Generator) -> FloatArray:
        """States after the fall of the pulse."""

    def rest(
        self, state: FloatArray, system: IndexArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States after a time without drive."""


class SplitRates(NamedTuple):
    """Error rates from independent replicas.

    Attributes
    ----------
    replicas : ndarray, shape (replicas, systems, durations)
        Error rate from each replica. The expected value of each is the error rate.
    returned : ndarray, shape (replicas, systems, durations)
        The part of `replicas` from walkers that were in equilibrium in the written well and came back.
    unseen : ndarray, shape (replicas, systems, durations)
        Estimate of the returns that `replicas` leaves out. After the pulse, a walker that is deep in the
        written well counts as written: 12 kT below the saddle, or half the smaller barrier if that is less.
        It returns with a probability of about exp(-depth/kT). This is negligible if the drive holds it in its
        well.
    """

    replicas: FloatArray
    returned: FloatArray
    unseen: FloatArray

    @property
    def error_rate(self) -> FloatArray:
        """Mean over the replicas, (systems, durations)."""
        # Rounding can lift the sum of all weights above 1.
        return np.asarray(np.minimum(self.replicas.mean(axis=0), 1.0))

    @property
    def standard_error(self) -> FloatArray:
        """Standard error of `error_rate`, from the scatter of the replicas, (systems, durations)."""
        return np.asarray(self.replicas.std(axis=0, ddof=1) / np.sqrt(len(self.replicas)))

    def interval(self) -> tuple[FloatArray, FloatArray]:
        """95 % interval of the error rate by Student's t, symmetric around the logarithm of the mean."""
        mean = self.error_rate
        relative = self.standard_error / np.maximum(mean, np.finfo(float).tiny)
        reach = np.exp(stats.t.ppf(0.975, len(self.replicas) - 1) * relative)
        return mean / reach, np.minimum(mean * reach, 1.0)


class _Walkers(NamedTuple):
    """Walkers of all groups.

    A group is one replica of one system. Its number is system * replicas + replica.
    """

    state: FloatArray  # (components, walkers)
    weight: FloatArray  # (walkers,)
    group: IndexArray
    written: BoolArray  # whether the walker, or an ancestor, was in equilibrium in the written well

    def chosen(self, which: IndexArray | BoolArray) -> _Walkers:
        """Return some of them."""
        return _Walkers(self.state[:, which], self.weight[which], self.group[which], self.written[which])


def write_error_rate(
    macrospin: llgs.Macrospin,
    current: npt.ArrayLike,
    duration: npt.ArrayLike,
    *,
    target: float,
    walkers: int = 1000,
    replicas: int = 16,
    holds: bool = True,
    rng: np.random.Generator,
) -> SplitRates:
    """Write error rates of a macrospin for rectangular pulses, without symmetry.

    Parameters
    ----------
    macrospin : Macrospin
        Perpendicular free layer with two wells, above 0 K.
    current : array_like, shape (terms,) or (terms, systems)
        Current from the free to the reference layer, A: coefficients of a power series in the cosine m.p, as
        for `llgs.simulate_on_load_line`.
    duration : array_like, shape (durations,)
        s, ascending, at least 0. One run gives all of them.
    target : float
        1 for a write to m_z > 0 (P), -1 to m_z < 0 (AP).
    walkers : int, optional
        Walkers of each replica, at least 100. At most this many move at the same time.
    replicas : int, optional
        At least 4.
    holds : bool, optional
        Whether the current holds a magnetization in the written well; see `split`.
    rng : numpy.random.Generator

    Returns
    -------
    SplitRates
        An error is a magnetization that relaxes to the initial side of the saddle after the pulse.

    Raises
    ------
    InputError
        For input out of range, and for a macrospin without two wells.
    """
    durations = np.atleast_1d(np.asarray(duration, dtype=np.float64))
    _check(durations, target, walkers, replicas)
    series = np.asarray(current, dtype=np.float64)
    series = series[:, None] if series.ndim == 1 else series
    both = wells(
        macrospin.stability,
        macrospin.effective_field,
        -float(field_diagonal(macrospin, 0.0)[1]),
        macrospin.field,
    )
    if not min(both.barrier_p[0], both.barrier_ap[0]) > 0.0:
        raise InputError("macrospin", value="no two wells", allowed="a barrier between two stable states")
    well = WriteWells.of(both, 0, target)
    systems = series.shape[1]
    m = llgs.equilibrium(
        macrospin,
        systems * replicas * walkers,
        rng,
        well=(0.0, 0.0, -target),
        least=-target * well.saddle,
    )
    dynamics = _Current(macrospin, series)
    at_start = np.abs(polyval(-target * macrospin.reference[2], series)).max()
    overdrive = float(at_start / macrospin.critical_current)
    return split(
        macrospin, well, dynamics, m, durations, systems, replicas, holds=holds, overdrive=overdrive, rng=rng
    )


def split(
    macrospin: llgs.Macrospin,
    well: WriteWells,
    dynamics: Dynamics,
    initial: FloatArray,
    plateaus: FloatArray,
    systems: int,
    replicas: int,
    *,
    holds: bool,
    overdrive: float,
    rng: np.random.Generator,
) -> SplitRates:
    """Write error rates of several systems in replicas.

    Parameters
    ----------
    macrospin : Macrospin
        The free layer, for the energy of states and its relaxation time.
    well : WriteWells
    dynamics : Dynamics
    initial : ndarray, shape (components, systems * replicas * walkers)
        Initial states, those of one replica of one system together.
    plateaus : ndarray, shape (durations,)
        Durations of the plateau, s, ascending.
    systems, replicas : int
    holds : bool
        Whether the drive holds a magnetization in the written well. If it does, walkers in equilibrium there
        stop, and their weight is that of successful writes. Otherwise they go on, in bins of their own.
    overdrive : float
        Largest overdrive. It sets the time between two instants of cloning: t_D/8 over the larger of 1 and
        `overdrive` - 1. In this time the logarithm of an unstable displacement grows by at most an eighth.
    rng : numpy.random.Generator
    """
    groups = systems * replicas
    places = initial.shape[1] // groups
    group = np.repeat(np.arange(groups), places)
    start = dynamics.rise(initial, group // replicas, rng)
    walkers = _Walkers(start, np.full(len(group), 1.0 / places), group, np.zeros(len(group), dtype=np.bool_))
    growth = max(overdrive - 1.0, 1.0)
    # Below kB T over the growth, noise is faster than the drive.
    levels = 1 + max(int(np.ceil(np.log2(well.barriers[0] * growth))), 1)
    edges = _EDGES if holds else _EDGES_OF_RETURNS
    longest = _GROWTH * macrospin.relaxation_time / growth
    failed, returned, unseen = np.zeros((3, groups, len(plateaus)))
    for k, (before, after) in enumerate(itertools.pairwise([0.0, *plateaus.tolist()])):
        parts = int(np.ceil((after - before) / longest))
        for _ in range(parts if len(walkers.group) else 0):
            walkers = _resampled(macrospin, well, walkers, places, levels, edges, rng)
            system = walkers.group // replicas
            moved = dynamics.plateau(walkers.state, system, (after - before) / parts, rng)
            held = well.held(macrospin, moved[:3])
            walkers = walkers._replace(state=moved, written=walkers.written | held)
            if holds:
                walkers = walkers.chosen(~held)
        left = np.bincount(walkers.group, walkers.weight, groups)
        ended = (left > 0.0) & (left < _LEAST)
        failed[ended, k:] = left[ended, None]
        walkers = walkers.chosen(~ended[walkers.group])
        if len(walkers.group):
            wrong, below = _ends(macrospin, well, dynamics, walkers, walkers.group // replicas, rng)
            failed[:, k] += np.bincount(walkers.group, wrong, groups)
            returned[:, k] = np.bincount(walkers.group, wrong * walkers.written, groups)
            unseen[:, k] = np.bincount(walkers.group, below, groups)
    shape = (systems, replicas, len(plateaus))
    return SplitRates(*(each.reshape(shape).swapaxes(0, 1) for each in (failed, returned, unseen)))


def _ends(
    macrospin: llgs.Macrospin,
    well: WriteWells,
    dynamics: Dynamics,
    walkers: _Walkers,
    system: IndexArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Weights of walkers that do not end on the written side, and that would return from deep in it."""
    state = dynamics.fall(walkers.state, system, rng)
    deep = well.settled(macrospin, state[:3]) & well.written(state)
    depth = well.saddle_energy - llgs.energy(macrospin, state[:3])
    wrong = ~relaxed(macrospin, well, dynamics, state, system, rng)
    return np.asarray(walkers.weight * wrong), walkers.weight * np.where(deep, np.exp(-depth), 0.0)


def relaxed(
    macrospin: llgs.Macrospin,
    well: WriteWells,
    dynamics: Dynamics,
    state: FloatArray,
    system: IndexArray,
    rng: np.random.Generator,
) -> BoolArray:
    """Whether states end on the written side without drive.

    A state moves until it is settled in a well, or for ten relaxation times. Then its side of the saddle
    counts.
    """
    written, left = well.written(state), np.flatnonzero(~well.settled(macrospin, state[:3]))
    state = state[:, left]
    for _ in range(_LOOKS):
        if not len(left):
            break
        state = dynamics.rest(state, system[left], 0.5 * macrospin.relaxation_time, rng)
        written[left] = well.written(state)
        unsettled = ~well.settled(macrospin, state[:3])
        left, state = left[unsettled], state[:, unsettled]
    return written


class RectangularPulse:
    """Edges of rectangular pulses, for `Dynamics`: they take no time, and states stay as they are."""

    def rise(self, state: FloatArray, system: IndexArray, rng: np.random.Generator) -> FloatArray:
        """Return the states."""
        del system, rng
        return state

    fall = rise


@dataclass(frozen=True)
class _Current(RectangularPulse):
    """`Dynamics` of a pulse of the current through the junction."""

    macrospin: llgs.Macrospin
    current: FloatArray  # (terms, systems)

    def plateau(
        self, state: FloatArray, system: IndexArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        if not len(system):
            return state
        field = np.array([[self.macrospin.anisotropy_field]])
        step = llgs.largest_step_on_load_line(self.macrospin, self.current, field, None)
        end = llgs.simulate_on_load_line(
            self.macrospin, state, duration=duration, step=step, current=self.current[:, system], rng=rng
        )
        return np.asarray(end.m[-1])

    def rest(
        self,
        state: FloatArray,
        system: IndexArray,
        duration: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        del system
        step = llgs.largest_step(self.macrospin)
        return np.asarray(llgs.simulate(self.macrospin, state, duration=duration, step=step, rng=rng).m[-1])


def _resampled(
    macrospin: llgs.Macrospin,
    well: WriteWells,
    walkers: _Walkers,
    places: int,
    levels: int,
    edges: FloatArray,
    rng: np.random.Generator,
) -> _Walkers:
    """Give each occupied bin of each group the same number of walkers."""
    level, height = well.level(macrospin, walkers.state[:3], levels, edges)
    bins = levels + len(edges) + 1
    cell = walkers.group * bins + level
    count = (int(walkers.group[-1]) + 1) * bins
    occupied = (np.bincount(cell, minlength=count) > 0).reshape(-1, bins)
    carried = np.bincount(cell, walkers.weight, count).reshape(-1, bins)
    carried[:, levels : levels + int(np.sum(edges <= _DEEP))] = (
        0.0  # deep in the written well: done, unless they return
    )
    share = (1.0 - _CARRIED) * occupied / np.maximum(occupied.sum(axis=1, keepdims=True), 1)
    share += _CARRIED * carried / np.maximum(carried.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    each = np.maximum(np.rint(places * share), 1).astype(np.intp).ravel()[cell]
    order = np.lexsort((height, cell))
    copies, weight = systematic(walkers.weight[order], cell[order], each[order], rng)
    chosen = np.repeat(order, copies)
    return walkers.chosen(chosen)._replace(weight=np.repeat(weight, copies))


def systematic(
    weight: FloatArray, cell: IndexArray, places: IndexArray, rng: np.random.Generator
) -> tuple[IndexArray, FloatArray]:
    """Copy and remove sorted walkers so that all walkers of one cell have equal weights.

    A cell is one bin of one group.

    Parameters
    ----------
    weight : ndarray, shape (walkers,)
    cell : ndarray of int, shape (walkers,)
        Number of the cell of each walker, ascending.
    places : ndarray of int, shape (walkers,)
        Number of copies that all walkers of the cell get together.
    rng : numpy.random.Generator

    Returns
    -------
    copies : ndarray of int, shape (walkers,)
        Copies of each walker. The expected value is `places` times its share of the weight of the cell.
    weight : ndarray, shape (walkers,)
        Weight of each copy: the weight of the cell over `places`.
    """
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    size = np.diff(first, append=len(cell))
    total = np.add.reduceat(weight, first)
    # Shares of a cell, not weights: a heavy cell must not round away the walkers of a light one.
    share = weight / np.repeat(total, size) * places
    upper = np.cumsum(share)
    upper -= np.repeat(upper[first] - share[first], size)
    upper[first + size - 1] = places[first]
    upper = np.floor(upper + np.repeat(rng.random(len(first)), size))
    lower = np.concatenate([[0.0], upper[:-1]])
    lower[first] = 0.0
    return (upper - lower).astype(np.intp), np.repeat(total, size) / places


def _check(durations: FloatArray, target: float, walkers: int, replicas: int) -> None:
    if (
        durations.ndim != 1
        or not np.all(np.isfinite(durations))
        or np.any(np.diff(durations, prepend=0.0) < 0)
    ):
        raise InputError("duration", value=durations.tolist(), allowed="ascending times from 0, in s")
    if target not in (1.0, -1.0):
        raise InputError("target", value=target, allowed="1 (P) or -1 (AP)")
    for name, value, least in (("walkers", walkers, 100), ("replicas", replicas, 4)):
        if value < least:
            raise InputError(name, value=value, allowed=f"at least {least}")
