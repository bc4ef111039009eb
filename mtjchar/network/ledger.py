"""Conditions of a write, and the counts and energies of many writes.

A cell is written in two directions, those of its kind in `mtjchar.cells.CellKind.directions`: the first
writes 1 over 0, the second 0 over 1. A bit that already has the written value cannot fail. If it is driven,
it costs the redundant energy of its direction: 1 over 1 counts as the first, 0 over 0 as the second.

In these arrays the bit planes are along the second to last axis, plane k being the bit of value 2**k in a
word, and the directions along the last one, first the direction that writes 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from mtjchar.arrays import FloatArray, IntArray
from mtjchar.errors import InputError

__all__ = ["PerDirection", "WriteConditions", "WriteLedger"]


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
    read_energy_J : float
        Energy of reading one bit, J, finite, not negative. Reads have no errors.
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
    read_energy_J: float = 0.0
    device_weight: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "error_rate", _per_bit("error_rate", self.error_rate, 3))
        for name in ("switching_energy_J", "redundant_energy_J"):
            object.__setattr__(self, name, _per_bit(name, getattr(self, name), 2))
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise InputError("retries", value=self.retries, allowed="an integer, 0 or more")
        if not (math.isfinite(self.read_energy_J) and self.read_energy_J >= 0.0):
            raise InputError("read_energy_J", value=self.read_energy_J, allowed="finite, 0 J or more")
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


@dataclass(frozen=True, eq=False)
class WriteLedger:
    """Numbers of single-bit writes, per bit plane and direction; ledgers add up.

    Attributes
    ----------
    switching : ndarray of int64, shape (bits, 2)
        Bits that had to switch, including those that failed.
    redundant : ndarray of int64, shape (bits, 2)
        Bits that already had the written value.
    retried : ndarray of int64, shape (bits, 2)
        Pulses beyond the first on bits of `switching`.
    failed : ndarray of int64, shape (bits, 2)
        Bits of `switching` that kept their old value in the end.
    """

    switching: IntArray
    redundant: IntArray
    retried: IntArray
    failed: IntArray

    @classmethod
    def empty(cls, bits: int) -> WriteLedger:
        """Ledger of no writes."""
        return cls(*(np.zeros((bits, 2), dtype=np.int64) for _ in fields(cls)))

    def __add__(self, other: WriteLedger) -> WriteLedger:
        return WriteLedger(*(a + b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WriteLedger):
            return NotImplemented
        return all(np.array_equal(a, b) for a, b in zip(self.counts(), other.counts(), strict=True))

    __hash__ = None  # type: ignore[assignment]

    def counts(self) -> tuple[IntArray, ...]:
        """All arrays, in the order of the attributes."""
        return tuple(getattr(self, field.name) for field in fields(self))

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
        if not conditions.retries:
            return first
        return first + (self.switching if conditions.read_before_write else every) + self.retried

    def energy_by_cause_J(self, conditions: WriteConditions) -> dict[str, FloatArray]:
        """Return the energy of these writes by its causes.

        Parameters
        ----------
        conditions : WriteConditions
            Those of all the writes; for writes under several conditions use one ledger each.

        Returns
        -------
        dict of ndarray, shape (bits, 2)
            J, by ``switching`` (first pulses on bits that had to change), ``redundant`` (pulses on others,
            none with read-before-write), ``retries`` and ``reads``.
        """
        switching = np.asarray(conditions.switching_energy_J)
        driven = 0.0 if conditions.read_before_write else np.asarray(conditions.redundant_energy_J)
        return {
            "switching": self.switching * switching,
            "redundant": self.redundant * driven,
            "retries": self.retried * switching,
            "reads": self.reads(conditions) * conditions.read_energy_J,
        }

    def energy_J(self, conditions: WriteConditions) -> float:
        """Return the energy of these writes, J; the sum of `energy_by_cause_J`."""
        return float(sum(part.sum() for part in self.energy_by_cause_J(conditions).values()))
