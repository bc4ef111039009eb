"""What a training costs in a memory whose writes do not fail.

Such a training is the error-free one, whatever the memory does to spend less: its account follows from how
often bits, words and check bits change.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray, IntArray
from mtjchar.network.allocation import Pulses
from mtjchar.network.correction import CheckBits, allowed_error_rate
from mtjchar.network.encoding import Words
from mtjchar.network.ledger import WriteLedger
from mtjchar.network.levers import ExactDesign
from mtjchar.network.planes import count_ones
from mtjchar.network.termination import Detector, write_energy
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.grid import RELIABLE, refined
from mtjchar.surfaces.search import shortest_durations

__all__ = ["Activity", "ActivityCounter", "ExactAccount", "account_of", "reliable_pulses"]


class Activity(NamedTuple):
    """What changes in a memory without errors, beyond its `WriteLedger`; summed over all writes.

    Attributes
    ----------
    in_changed_words : ndarray of int64, shape (bits, 2)
        Bits that already were what was written, in words of which another bit changed; those of value 1
        first.
    check_switching, check_redundant : ndarray of int64, shape (2,)
        Check bits that changed, and others, see `CheckBits`.
    cells, check_cells : int
        Numbers of cells that hold words and check bits.
    """

    in_changed_words: IntArray
    check_switching: IntArray
    check_redundant: IntArray
    cells: int
    check_cells: int


class ActivityCounter:
    """Observe the writes of an error-free training.

    An instance is what `mtjchar.network.trainer.train` takes as ``watch``.

    Parameters
    ----------
    bits : int
        Bits a word.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._in_changed_words = np.zeros((bits, 2), dtype=np.int64)
        self._checks: CheckBits | None = None
        self._cells = 0

    def __call__(self, old: Words, new: Words) -> None:
        """Take note of one write of all words."""
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
        """What was observed so far."""
        checks = self._checks
        if checks is None:
            none = np.zeros(2, dtype=np.int64)
            return Activity(self._in_changed_words, none, none, 0, 0)
        return Activity(self._in_changed_words, checks.switching, checks.redundant, self._cells, checks.cells)


class ExactAccount(NamedTuple):
    """Numbers and energies of writes; arrays of shape (bits, 2), with check bits one row more, the last.

    Attributes
    ----------
    switching, redundant, driven_redundant, reads : ndarray
        Bits that had to switch, others, those of them that are driven all the same, and reads.
    switching_J, redundant_J, reads_J : ndarray
        What they cost.
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
        """Energy of all pulses and of the reads that go with them, J."""
        return self.write_energy_J + float(self.reads_J.sum())


def account_of(
    design: ExactDesign,
    surface: WriteSurface,
    pulses: Pulses,
    ledger: WriteLedger,
    activity: Activity,
    *,
    read_energy_J: float,
    detector: Detector,
) -> ExactAccount:
    """Give the account of an error-free training.

    Parameters
    ----------
    design : ExactDesign
    surface : WriteSurface
        With both directions.
    pulses : Pulses
        One for each direction, shape (1, 2), as `reliable_pulses` gives them.
    ledger, activity : WriteLedger, Activity
        Of a training without errors, in the code and with the momentum of the design.
    read_energy_J : float
        Energy of reading one bit, J.
    detector : Detector
        For early termination.

    Returns
    -------
    ExactAccount

    Notes
    -----
    With words skipped, a check bit is driven only if it changes: which word of its block changed is known
    anyway.
    """
    switching, redundant, in_changed_words = ledger.switching, ledger.redundant, activity.in_changed_words
    if design.correction:
        switching = np.vstack([switching, activity.check_switching])
        redundant = np.vstack([redundant, activity.check_redundant])
        in_changed_words = np.vstack([in_changed_words, np.zeros(2, dtype=np.int64)])
    driven = {"nothing": redundant, "words": in_changed_words, "bits": np.zeros_like(redundant)}[design.skip]
    reads = np.zeros_like(redundant) if design.skip == "nothing" else switching + redundant
    energies = (_energies(design, surface, pulses, detector, switching=kind) for kind in (True, False))
    switching_J, redundant_J = (np.asarray(n * e) for n, e in zip((switching, driven), energies, strict=True))
    reads_J = np.asarray(reads * read_energy_J)
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
        How often bits of each direction switch, and others are written.
    bits : int
        Bits a word, which say how many data bits a corrected block has.
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
    common = surface.cheapest_pulse("both", rate, vary="duration")
    amplitudes, durations = np.full((1, 2), common.amplitude_V), np.full((1, 2), common.duration_s)
    if not design.pulse_per_direction:
        return Pulses(amplitudes, durations)
    ended = detector if design.early_termination else None
    levels = refined(surface.amplitudes)
    switching = ledger.switching.sum(axis=0)
    redundant = ledger.redundant.sum(axis=0) * (design.skip != "bits")
    for k, direction in enumerate(surface.bit_directions):
        shortest = shortest_durations(surface, direction, levels, np.array([rate]))[0]
        there = np.isfinite(shortest)
        at = levels[there], shortest[there]
        cost = switching[k] * write_energy(surface, direction, *at, ended)
        cost += redundant[k] * write_energy(surface, direction, *at, ended, switching=False)
        best = int(np.argmin(cost))
        amplitudes[0, k], durations[0, k] = at[0][best], at[1][best]
    return Pulses(amplitudes, durations)


def _energies(
    design: ExactDesign, surface: WriteSurface, pulses: Pulses, detector: Detector, *, switching: bool
) -> FloatArray:
    """Energy of a write in each direction, J, shape (1, 2)."""
    ended = detector if design.early_termination else None
    columns = [
        write_energy(
            surface, direction, pulses.amplitude_V[:, k], pulses.duration_s[:, k], ended, switching=switching
        )
        for k, direction in enumerate(surface.bit_directions)
    ]
    return np.stack(columns, axis=-1)
