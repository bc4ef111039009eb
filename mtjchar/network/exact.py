"""Energy of a training in a memory whose writes do not fail.

Such a training is the error-free one, whatever the memory does to save energy: its energy follows from the
numbers of changed bits, words and check bits.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray, IntArray
from mtjchar.cells import Direction
from mtjchar.network.allocation import Pulses
from mtjchar.network.correction import CheckBits, allowed_error_rate
from mtjchar.network.encoding import Words
from mtjchar.network.ledger import WriteLedger
from mtjchar.network.levers import ExactDesign
from mtjchar.network.planes import count_ones
from mtjchar.network.reads import energies_of_states
from mtjchar.network.termination import Detector, write_energy
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.grid import RELIABLE, CheapestPulse, refined
from mtjchar.surfaces.search import shortest_durations

__all__ = ["Activity", "ActivityCounter", "ExactAccount", "account_of", "nominal_pulse", "reliable_pulses"]


class Activity(NamedTuple):
    """Changes in a memory without errors, in addition to its `WriteLedger`; summed over all writes.

    Attributes
    ----------
    in_changed_words : ndarray of int64, shape (bits, 2)
        Bits that already had the written value, in words in which another bit changed; those of value 1
        first.
    check_switching, check_redundant : ndarray of int64, shape (2,)
        Check bits that changed, and others, see `CheckBits`.
    cells, check_cells : int
        Numbers of cells for words and check bits.
    """

    in_changed_words: IntArray
    check_switching: IntArray
    check_redundant: IntArray
    cells: int
    check_cells: int


class ActivityCounter:
    """Observe the writes of an error-free training.

    An instance can be used as ``watch`` of `mtjchar.network.trainer.train`.

    Parameters
    ----------
    bits : int
        Bits per word.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._in_changed_words = np.zeros((bits, 2), dtype=np.int64)
        self._checks: CheckBits | None = None
        self._cells = 0

    def __call__(self, old: Words, new: Words) -> None:
        """Record one write of all words."""
        if self._checks is None:
            self._checks = CheckBits(old, self._bits)
            self._cells = old.size * self._bits
        self._checks.write(new)
        where = np.flatnonzero(old != new)
        before, after = old.reshape(-1)[where], new.reshape(-1)[where]
        every = after.dtype.type((1 << self._bits) - 1)
        self._in_changed_words[:, 0] += count_ones(before & after, self._bits)
        self._in_changed_words[:, 1] += count_ones(~(before | after) & every, self._bits)

    @property
    def activity(self) -> Activity:
        """Activity up to now."""
        checks = self._checks
        if checks is None:
            none = np.zeros(2, dtype=np.int64)
            return Activity(self._in_changed_words, none, none, 0, 0)
        return Activity(self._in_changed_words, checks.switching, checks.redundant, self._cells, checks.cells)


class ExactAccount(NamedTuple):
    """Numbers and energies of writes; arrays of shape (bits, 2), for check bits one row more, the last.

    Attributes
    ----------
    switching, redundant, driven_redundant, reads : ndarray
        Bits that had to switch, others, those of them that are driven nevertheless, and reads.
    switching_J, redundant_J, reads_J : ndarray
        Their energies.
    """

    switching: IntArray
    redundant: IntArray
    driven_redundant: IntArray
    reads: IntArray
    switching_J: FloatArray
    redundant_J: FloatArray
    reads_J: FloatArray

    @property
    def write_energy_J(self) -> float:
        """Energy of all pulses, J."""
        return float(self.switching_J.sum() + self.redundant_J.sum())

    @property
    def programming_energy_J(self) -> float:
        """Energy of all pulses and of the reads that belong to them, J."""
        return self.write_energy_J + float(self.reads_J.sum())


def account_of(
    design: ExactDesign,
    surface: WriteSurface,
    pulses: Pulses,
    ledger: WriteLedger,
    activity: Activity,
    *,
    read_energy_J: npt.ArrayLike,
    detector: Detector,
) -> ExactAccount:
    """Compute the energy of an error-free training.

    Parameters
    ----------
    design : ExactDesign
    surface : WriteSurface
        With both directions.
    pulses : Pulses
        One for each direction, shape (1, 2), from `reliable_pulses`.
    ledger, activity : WriteLedger, Activity
        Of a training without errors, in the code and with the momentum of the design.
    read_energy_J : array_like of float, shape () or (2,)
        Energy of reading one bit, or one in state 0 and one in state 1, J.
    detector : Detector
        For early termination.

    Returns
    -------
    ExactAccount

    Notes
    -----
    If unchanged words are skipped, a check bit is driven only if it changes: the changed word of its block is
    known anyway.
    """
    switching, redundant, in_changed_words = ledger.switching, ledger.redundant, activity.in_changed_words
    if design.correction:
        switching = np.vstack([switching, activity.check_switching])
        redundant = np.vstack([redundant, activity.check_redundant])
        in_changed_words = np.vstack([in_changed_words, np.zeros(2, dtype=np.int64)])
    driven = {"nothing": redundant, "words": in_changed_words, "bits": np.zeros_like(redundant)}[design.skip]
    is_read = int(design.skip != "nothing")
    # Bits that become 1 are read as 0; those that stay 1 are read as 1.
    of_state = energies_of_states("read_energy_J", read_energy_J)
    reads_J = np.asarray(is_read * (switching * of_state + redundant * of_state[::-1]))
    energies = (_energies(design, surface, pulses, detector, switching=kind) for kind in (True, False))
    switching_J, redundant_J = (np.asarray(n * e) for n, e in zip((switching, driven), energies, strict=True))
    reads = is_read * (switching + redundant)
    return ExactAccount(switching, redundant, driven, reads, switching_J, redundant_J, reads_J)


def reliable_pulses(
    design: ExactDesign, surface: WriteSurface, ledger: WriteLedger, bits: int, detector: Detector
) -> Pulses:
    """Choose the pulses of a design.

    Parameters
    ----------
    design : ExactDesign
    surface : WriteSurface
        With both directions.
    ledger : WriteLedger
        Numbers of switching and redundant writes in each direction.
    bits : int
        Bits per word, which determine the number of data bits of a corrected block.
    detector : Detector
        For early termination.

    Returns
    -------
    Pulses
        Shape (1, 2).

    Raises
    ------
    UnreachableError
        If no pulse of the surface is reliable.
    """
    rate = RELIABLE
    if design.correction:
        rate = allowed_error_rate(RELIABLE, CheckBits.data_bits(bits))
    common = nominal_pulse(surface, rate)
    amplitudes, durations = np.full((1, 2), common.amplitude_V), np.full((1, 2), common.duration_s)
    if not design.pulse_per_direction:
        return Pulses(amplitudes, durations)
    ended = detector if design.early_termination else None
    switching = ledger.switching.sum(axis=0)
    redundant = ledger.redundant.sum(axis=0) * (design.skip != "bits")
    for k, direction in enumerate(surface.bit_directions):
        choice = _reliable_choice(surface, direction, rate, ended)
        best = int(np.argmin(switching[k] * choice.switching_J + redundant[k] * choice.redundant_J))
        amplitudes[0, k], durations[0, k] = choice.amplitude_V[best], choice.duration_s[best]
    return Pulses(amplitudes, durations)


class _Choice(NamedTuple):
    """Reliable pulses of one direction, one per amplitude, and the cost of a write; shape (amplitudes,)."""

    amplitude_V: FloatArray
    duration_s: FloatArray
    switching_J: FloatArray
    redundant_J: FloatArray


# Many designs have the same choice of pulses, and the same pulses.
@functools.lru_cache(maxsize=64)
def _reliable_choice(
    surface: WriteSurface, direction: Direction, rate: float, detector: Detector | None
) -> _Choice:
    levels = refined(surface.amplitudes)
    shortest = shortest_durations(surface, direction, levels, np.array([rate]))[0]
    there = np.isfinite(shortest)
    pulses = levels[there], shortest[there]
    energies = (
        write_energy(surface, direction, *pulses, detector, switching=switching)
        for switching in (True, False)
    )
    return _Choice(*pulses, *energies)


@functools.lru_cache(maxsize=64)
def nominal_pulse(surface: WriteSurface, rate: float) -> CheapestPulse:
    """Return the pulse of the study's nominal amplitude with a rate in both directions; cached.

    Raises
    ------
    UnreachableError
        If no duration of the surface reaches it.
    """
    return surface.cheapest_pulse("both", rate, vary="duration")


def _energies(
    design: ExactDesign, surface: WriteSurface, pulses: Pulses, detector: Detector, *, switching: bool
) -> FloatArray:
    """Energy of a write in each direction, J, shape (1, 2)."""
    ended = detector if design.early_termination else None
    columns = [
        _write_energy(
            surface,
            direction,
            float(pulses.amplitude_V[0, k]),
            float(pulses.duration_s[0, k]),
            ended,
            switching,
        )
        for k, direction in enumerate(surface.bit_directions)
    ]
    return np.array([columns])


@functools.lru_cache(maxsize=1024)
def _write_energy(
    surface: WriteSurface,
    direction: Direction,
    amplitude: float,
    duration: float,
    detector: Detector | None,
    switching: bool,
) -> float:
    return float(write_energy(surface, direction, amplitude, duration, detector, switching=switching))
