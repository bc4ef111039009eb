"""Error rates far below 1/trials of writes without axial symmetry, by splitting of weighted walkers."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from scipy import stats

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.physics import llgs, splitting
from mtjchar.physics.wells import WriteWells

__all__ = ["Drive", "SplitPulse", "split_rates"]

_LARGEST_ERROR = 0.5  # standard error of a rate over the rate
_LARGEST_RETURN = 0.1  # of a rate
_CHANCE = 1e-6  # of counts that differ from splitting
_ERRORS = 3.0  # standard errors of splitting that counts may differ by


class Drive(Protocol):
    """Drive of one device at several amplitudes."""

    @property
    def only_holds(self) -> bool:
        """Whether the drive only holds a magnetization in its new well, so that it need not be followed."""

    def start(self, m: FloatArray) -> FloatArray:
        """States from magnetizations (3, walkers) at rest."""

    def advance(
        self,
        spin: llgs.Macrospin,
        state: FloatArray,
        amplitude: IndexArray,
        duration: float,
        step: float,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """States and charges after a duration (s)."""

    def relax(
        self, spin: llgs.Macrospin, state: FloatArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States after a duration (s) without drive."""


class SplitPulse(NamedTuple):
    """A pulse at several amplitudes as `splitting.Dynamics`."""

    spin: llgs.Macrospin
    rising: list[tuple[Drive, float]]  # parts of the edge, with their times in s
    top: Drive
    falling: list[tuple[Drive, float]]
    step: float  # s
    overdrive: float  # the largest

    def rise(self, state: FloatArray, system: IndexArray, rng: np.random.Generator) -> FloatArray:
        """States after the rise, from magnetizations at rest."""
        return self._through(self.rising, self.top.start(state), system, rng)

    def plateau(
        self, state: FloatArray, system: IndexArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States after a part of the plateau."""
        return self._through([(self.top, duration)], state, system, rng)

    def fall(self, state: FloatArray, system: IndexArray, rng: np.random.Generator) -> FloatArray:
        """States after the fall."""
        return self._through(self.falling, state, system, rng)

    def rest(
        self,
        state: FloatArray,
        system: IndexArray,
        duration: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        """States after a time without drive."""
        return self.top.relax(self.spin, state, duration, rng)

    def _through(
        self,
        parts: list[tuple[Drive, float]],
        state: FloatArray,
        system: IndexArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        for drive, time in parts:
            state, _ = drive.advance(self.spin, state, system, time, self.step, rng)
        return state


def split_rates(
    well: WriteWells,
    pulse: SplitPulse,
    plateaus: FloatArray,
    trials: int,
    counted: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Error rates of one device by splitting.

    Parameters
    ----------
    well : WriteWells
    pulse : SplitPulse
    plateaus : ndarray, shape (durations,)
        s.
    trials : int
        Number of walkers of each amplitude, and number of writes behind each counted rate.
    counted : ndarray, shape (amplitudes, durations)
        Counted error rates of the same pulses.
    rng : numpy.random.Generator

    Returns
    -------
    rate, standard_error : ndarray, shape (amplitudes, durations)
        Where splitting is not reliable, the rate is the counted one and its standard error is NaN.

    Notes
    -----
    Splitting is not reliable in these cases:

    - Its standard error is at least half the rate, and the counts have failures.
    - More than a tenth of the rate is, or would be, from magnetizations that were written and came back, by
      back-hopping or by precession over the barrier and back.
    - Its rate is 0, or the counts contradict it.
    """
    spin, systems, start = pulse.spin, len(counted), -well.target
    walkers = systems * splitting.REPLICAS * (trials // splitting.REPLICAS)
    found = splitting.split(
        spin,
        well,
        pulse,
        llgs.equilibrium(spin, walkers, rng, well=(0.0, 0.0, start), least=start * well.saddle),
        plateaus,
        systems,
        splitting.REPLICAS,
        holds=pulse.top.only_holds,
        overdrive=pulse.overdrive,
        rng=rng,
    )
    rate, error = found.error_rate, found.standard_error
    # Counts without a failure say less than a rate with a large error.
    reliable = (rate > 0.0) & ((error < _LARGEST_ERROR * rate) | (counted == 0.0))
    reliable &= (found.returned + found.unseen).mean(axis=0) <= _LARGEST_RETURN * rate
    reliable &= ~_contradicted(rate, error, counted, trials)
    return np.where(reliable, rate, counted), np.where(reliable, error, np.nan)


def _contradicted(rate: FloatArray, error: FloatArray, counted: FloatArray, trials: int) -> BoolArray:
    """Whether the counts are too improbable at every rate within some standard errors of splitting."""
    reach = np.exp(_ERRORS * error / np.maximum(rate, np.finfo(float).tiny))
    failures, low, high = np.rint(counted * trials), rate / reach, np.minimum(rate * reach, 1.0)
    more = stats.binom.sf(failures - 1.0, trials, high) < _CHANCE
    return np.asarray(more | (stats.binom.cdf(failures, trials, low) < _CHANCE))
