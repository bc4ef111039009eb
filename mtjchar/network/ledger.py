"""Conditions of a write, and the counts and energies of many writes.

A cell is written in two directions, those of its kind in `mtjchar.cells.CellKind.directions`: the first
writes 1 over 0, the second 0 over 1. A bit that already has the written value cannot fail. If it is driven,
it costs the redundant energy of its direction: 1 over 1 counts as the first, 0 over 0 as the second.

In these arrays the bit planes are along the second to last axis, plane k being the bit of value 2**k in a
word, and the directions along the last one, first the direction that writes 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from mtjchar.arrays import FloatArray, IntArray
from mtjchar.errors import InputError
from mtjchar.network.reads import ReadConditions, energies_of_states, rates_of_states

__all__ = ["PerDirection", "WriteConditions", "WriteLedger", "WrongReads"]


class PerDirection(NamedTuple):
    """One number for each write direction.

    Attributes
    ----------
    to_one : float
        For writing bit 1.
    to_zero : float
        For writing bit 0.
    """

    to_one: float
    to_zero: float


@dataclass(frozen=True, eq=False)
class WriteConditions:
    """Effect of the pulses on a bit, and the method of a write.

    Attributes
    ----------
    error_rate : array_like of float, shape (2,), (bits, 2) or (devices, bits, 2)
        Probability, 0 to 1, that a bit that has to switch does not, for each direction; with a second axis
        for each bit plane (of length 1: the same for all), with a third for each device that a cell can
        be. Without the third axis every cell has the error rate of the population.
    switching_energy_J, redundant_energy_J : array_like of float, shape (2,) or (bits, 2)
        Mean energy of writing a bit that has to switch, whether it does or not, and of a bit that
        already has the written value; J, finite, not negative.
    read_before_write : bool
        Whether all bits are read first and only changing ones are driven.
    retries : int
        With 1 or more every pulse is followed by a read of the bit, and a bit that has not switched is
        written again, at most this many times.
    read_energy_J : array_like of float, shape () or (2,)
        Energy of reading one bit, or one in state 0 and one in state 1; J, finite, not negative.
    read_error_rate, read_disturb_rate : array_like of float, shape (2,)
        Probability, 0 to 1, that a read of a bit in state 0, and of one in state 1, gives the other value;
        and that it flips the bit. They are for the reads of `read_before_write` and `retries`, see
        `mtjchar.network.reads.ReadConditions`.
    device_weight : array_like of float, shape (devices,), optional
        Share of each device in the population, in any unit; required with error rates of devices.

    Raises
    ------
    InputError
        If a number or a shape is out of range.
    """

    error_rate: npt.ArrayLike
    switching_energy_J: npt.ArrayLike
    redundant_energy_J: npt.ArrayLike
    read_before_write: bool = False
    retries: int = 0
    read_energy_J: npt.ArrayLike = 0.0
    device_weight: npt.ArrayLike | None = None
    read_error_rate: npt.ArrayLike = (0.0, 0.0)
    read_disturb_rate: npt.ArrayLike = (0.0, 0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "error_rate", _per_bit("error_rate", self.error_rate, 3))
        for name in ("switching_energy_J", "redundant_energy_J"):
            object.__setattr__(self, name, _per_bit(name, getattr(self, name), 2))
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise InputError("retries", value=self.retries, allowed="an integer, 0 or more")
        energies_of_states("read_energy_J", self.read_energy_J)
        for name in ("read_error_rate", "read_disturb_rate"):
            rates = rates_of_states(name, getattr(self, name), 1.0)
            if rates.ndim > 1:
                raise InputError(f"shape of {name}", value=rates.shape, allowed="(2,), of the population")
            object.__setattr__(self, name, rates)
        if self.rates.ndim == 3:
            self._check_weights()

    def _check_weights(self) -> None:
        weight = np.asarray(() if self.device_weight is None else self.device_weight, dtype=np.float64)
        devices = len(self.rates)
        if (
            weight.shape != (devices,)
            or not (np.isfinite(weight) & (weight >= 0.0)).all()
            or weight.sum() <= 0
        ):
            raise InputError(
                "device_weight",
                value=self.device_weight,
                allowed=f"{devices} finite numbers, 0 or more, not all 0: one for each device of error_rate",
            )
        object.__setattr__(self, "device_weight", _read_only(weight))

    @property
    def rates(self) -> FloatArray:
        """`error_rate` as an array of shape (bits or 1, 2) or (devices, bits or 1, 2)."""
        return np.asarray(self.error_rate)

    @property
    def reads(self) -> ReadConditions:
        """Errors, disturb and energy of the reads."""
        return ReadConditions(self.read_error_rate, self.read_disturb_rate, self.read_energy_J)

    @property
    def reads_may_be_wrong(self) -> bool:
        """Whether writes have reads that can be wrong or flip a bit."""
        return bool(self.read_before_write or self.retries) and not self.reads.never_wrong

    def with_reads(self, reads: ReadConditions) -> WriteConditions:
        """Return the same conditions with these reads.

        Raises
        ------
        InputError
            If `reads` have rates of devices.
        """
        return replace(
            self,
            read_energy_J=reads.energy_J,
            read_error_rate=reads.error_rate,
            read_disturb_rate=reads.disturb_rate,
        )

    def check_bits(self, bits: int) -> None:
        """Refuse conditions for words of another length.

        Raises
        ------
        InputError
            If an array has neither one row nor one for each of `bits` bits.
        """
        for name in ("error_rate", "switching_energy_J", "redundant_energy_J"):
            planes = getattr(self, name).shape[-2]
            if planes not in (1, bits):
                raise InputError(
                    f"bit planes of {name}",
                    value=planes,
                    allowed=f"{bits}, as the words have, or one for all",
                )


def _per_bit(name: str, values: npt.ArrayLike, most: int) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    if not 1 <= array.ndim <= most or array.shape[-1] != 2:
        shapes = "(2,), (bits, 2)" + (" or (devices, bits, 2)" if most == 3 else "")
        raise InputError(f"shape of {name}", value=array.shape, allowed=shapes)
    array = np.atleast_2d(array)
    if name == "error_rate":
        wrong, allowed = ~((array >= 0.0) & (array <= 1.0)), "0 to 1"
    else:
        wrong, allowed = ~(np.isfinite(array) & (array >= 0.0)), "finite, 0 J or more"
    if wrong.any():
        place = tuple(int(axis[0]) for axis in np.nonzero(wrong))
        direction = PerDirection._fields[place[-1]]
        raise InputError(f"{name} of {direction}", value=float(array[place]), allowed=allowed)
    return _read_only(array)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


class WrongReads(NamedTuple):
    """What wrong reads and disturb did to writes; arrays of int64, shape (bits, 2); they add up.

    Attributes
    ----------
    skipped : ndarray
        Bits that had to switch and were not driven, because the read before the write was wrong.
    needless : ndarray
        Pulses on bits that already had the written value, because a read was wrong or flipped the bit.
    stopped : ndarray
        Bits that had not switched and were not written again, because the read after the pulse was wrong.
    disturbed : ndarray
        Bits that a read flipped: those that became 1, then those that became 0.
    """

    skipped: IntArray
    needless: IntArray
    stopped: IntArray
    disturbed: IntArray

    @classmethod
    def none(cls, bits: int) -> WrongReads:
        """Return the counts of reads that are never wrong."""
        return cls(*(np.zeros((bits, 2), dtype=np.int64) for _ in cls._fields))

    def plus(self, other: WrongReads) -> WrongReads:
        """Return the sum of both, count by count."""
        return WrongReads(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, eq=False)
class WriteLedger:
    """Numbers of single-bit writes, per bit plane and direction; ledgers add up.

    Attributes
    ----------
    switching : ndarray of int64, shape (bits, 2)
        Bits that had to switch, including those that failed. If the read before the write flips a bit, this
        counts what is left to do after it.
    redundant : ndarray of int64, shape (bits, 2)
        Bits that already had the written value.
    retried : ndarray of int64, shape (bits, 2)
        Pulses beyond the first on bits that did not have the written value.
    failed : ndarray of int64, shape (bits, 2)
        Bits that do not have the written value in the end: the pulses failed, or a read was wrong.
    wrong_reads : WrongReads, optional
        Effects of wrong reads and disturb; None if no read was ever wrong.
    """

    switching: IntArray
    redundant: IntArray
    retried: IntArray
    failed: IntArray
    wrong_reads: WrongReads | None = None

    @classmethod
    def empty(cls, bits: int) -> WriteLedger:
        """Ledger of no writes."""
        switching, redundant, retried, failed = np.zeros((4, bits, 2), dtype=np.int64)
        return cls(switching, redundant, retried, failed)

    def __add__(self, other: WriteLedger) -> WriteLedger:
        wrong = None
        if self.wrong_reads is not None or other.wrong_reads is not None:
            wrong = self.misread.plus(other.misread)
        return WriteLedger(
            self.switching + other.switching,
            self.redundant + other.redundant,
            self.retried + other.retried,
            self.failed + other.failed,
            wrong,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WriteLedger):
            return NotImplemented
        pairs = zip((*self.counts(), *self.misread), (*other.counts(), *other.misread), strict=True)
        return all(np.array_equal(a, b) for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]

    def counts(self) -> tuple[IntArray, ...]:
        """Return the counts of writes, in the order of the attributes, without `wrong_reads`."""
        return self.switching, self.redundant, self.retried, self.failed

    @property
    def misread(self) -> WrongReads:
        """`wrong_reads`, zeros if there are none."""
        return self.wrong_reads or WrongReads.none(len(self.switching))

    def reads(self, conditions: WriteConditions) -> IntArray:
        """Count the reads that belong to these writes.

        Read-before-write reads every bit once; with retries, every pulse is followed by a read.

        Parameters
        ----------
        conditions : WriteConditions
            Those of all the writes.

        Returns
        -------
        ndarray of int64, shape (bits, 2)
            By the direction in which the bit was to be written.
        """
        every = self.switching + self.redundant
        first = every if conditions.read_before_write else np.zeros_like(every)
        return first + self._pulses(conditions) if conditions.retries else first

    def reads_of_states(self, conditions: WriteConditions) -> IntArray:
        """Count the same reads by the state that they found.

        Parameters
        ----------
        conditions : WriteConditions
            Those of all the writes.

        Returns
        -------
        ndarray of int64, shape (bits, 2)
            Of bits in state 0 and in state 1.
        """
        ones = np.zeros(len(self.switching), dtype=np.int64)
        if conditions.read_before_write:
            ones += self._ones()
        if conditions.retries:
            # After a pulse the bit has the written value, except where it has not switched. Without disturb
            # each of these pulses has a retry, or is the last of a bit that stays wrong.
            unswitched = self.retried + self.failed - self.misread.skipped
            ones += self._pulses(conditions)[:, 0] - unswitched[:, 0] + unswitched[:, 1]
        # A flipped bit has a count of its state after the flip: the read found the other one.
        ones += self.misread.disturbed @ np.array([-1, 1])
        return np.stack([self.reads(conditions).sum(axis=-1) - ones, ones], axis=-1)

    def _ones(self) -> IntArray:
        """Bits that were 1 before their write, shape (bits,)."""
        return np.asarray(self.redundant[:, 0] + self.switching[:, 1])

    def _pulses(self, conditions: WriteConditions) -> IntArray:
        """Pulses, shape (bits, 2)."""
        wanted = 0 if conditions.read_before_write else self.redundant
        return self.switching + wanted + self.retried - self.misread.skipped + self.misread.needless

    def energy_by_cause_J(
        self, conditions: WriteConditions, computing_reads: float | None = None
    ) -> dict[str, FloatArray]:
        """Return the energy of these writes by its causes.

        Parameters
        ----------
        conditions : WriteConditions
            Those of all the writes; for writes under several conditions use one ledger each.
        computing_reads : float, optional
            Reads of all cells between two writes by passes that compute; their energy is then included.

        Returns
        -------
        dict of ndarray, shape (bits, 2)
            J, by ``switching`` (first pulses on bits that had to change), ``redundant`` (pulses on bits that
            have the written value; with read-before-write none, except because of wrong reads), ``retries``
            and ``reads`` (before and after pulses). If computing reads are given, also by ``computing``.
            Pulses are by direction, reads by the state that they found.
        """
        switching, redundant = (
            np.asarray(one) for one in (conditions.switching_energy_J, conditions.redundant_energy_J)
        )
        wanted = 0 if conditions.read_before_write else self.redundant
        reads = conditions.reads
        causes = {
            "switching": (self.switching - self.misread.skipped) * switching,
            "redundant": (wanted + self.misread.needless) * redundant,
            "retries": self.retried * switching,
            "reads": reads.energy_of(self.reads_of_states(conditions)),
        }
        if computing_reads is not None:
            ones = self._ones()
            zeros = (self.switching + self.redundant).sum(axis=-1) - ones
            causes["computing"] = reads.energy_of(computing_reads * np.stack([zeros, ones], axis=-1))
        return causes

    def energy_J(self, conditions: WriteConditions) -> float:
        """Return the energy of these writes, J; the sum of `energy_by_cause_J` without computing."""
        return float(sum(part.sum() for part in self.energy_by_cause_J(conditions).values()))
