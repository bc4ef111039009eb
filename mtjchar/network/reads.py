"""Reads of the cells of a memory: how often they are wrong, how often they flip a bit, what they cost.

State 0 is the one that stores a 0, P in an STT cell; state 1 is the other one. Arrays have the states along
the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError, UnreachableError
from mtjchar.surfaces.grid import refined
from mtjchar.surfaces.read_grid import STATES
from mtjchar.units import compact

if TYPE_CHECKING:  # not needed for reads that are given as numbers
    from mtjchar.surfaces import ReadSurface
    from mtjchar.surfaces.read_search import Minimize

__all__ = [
    "READ_DISTURB",
    "READ_ERROR",
    "ReadConditions",
    "energies_of_states",
    "most_reliable_reads",
    "rates_of_states",
    "read_conditions",
]

READ_ERROR = 1e-9
"""Default of the largest error rate of a read: reads are then as reliable as the writes of the baseline."""

READ_DISTURB = 1e-12
"""Default of the largest probability that a read flips its bit. Cells are read far more often than they are
written."""

_TIE = 1e-9  # relative


@dataclass(frozen=True, eq=False)
class ReadConditions:
    """Errors, disturb and energy of a read.

    A read gives the value of the state before it, or with the error rate the other value. Then it flips the
    state with the disturb rate, whatever value it gave.

    Attributes
    ----------
    error_rate : array_like of float, shape (2,) or (devices, 2)
        Probability, 0 to 1, that the read of a bit in state 0, and of one in state 1, gives the other value;
        the bit itself does not change.
    disturb_rate : array_like of float, shape (2,) or (devices, 2)
        Probability, 0 to 1, that the read flips the bit.
    energy_J : array_like of float, shape () or (2,)
        Mean energy of reading a bit in state 0, and of one in state 1; J, finite, not negative.
    voltage_V, time_s : float, optional
        Read voltage and sensing time, if the numbers are from a read surface.
    extrapolated : bool
        Whether too few devices carry a rate.

    Raises
    ------
    InputError
        If a number or a shape is out of range.

    Examples
    --------
    A read current that drives towards state 0 disturbs only ones:

    >>> reads = ReadConditions(error_rate=(1e-6, 1e-6), disturb_rate=(0.0, 1e-12))
    """

    error_rate: npt.ArrayLike = (0.0, 0.0)
    disturb_rate: npt.ArrayLike = (0.0, 0.0)
    energy_J: npt.ArrayLike = (0.0, 0.0)
    voltage_V: float | None = None
    time_s: float | None = None
    extrapolated: bool = False

    def __post_init__(self) -> None:
        for name in ("error_rate", "disturb_rate"):
            object.__setattr__(self, name, rates_of_states(name, getattr(self, name), 1.0))
        object.__setattr__(self, "energy_J", energies_of_states("energy_J", self.energy_J))

    @property
    def never_wrong(self) -> bool:
        """Whether no read is wrong and none flips a bit."""
        return not (np.any(self.error_rate) or np.any(self.disturb_rate))

    @property
    def worst_error_rate(self) -> float:
        """Higher error rate of both states."""
        return float(np.max(self.error_rate))

    @property
    def worst_disturb_rate(self) -> float:
        """Higher disturb rate of both states."""
        return float(np.max(self.disturb_rate))

    @property
    def mean_energy_J(self) -> float:
        """Energy of reading a bit, mean of both states, J."""
        return float(np.asarray(self.energy_J, dtype=np.float64).mean())

    @property
    def assumed(self) -> bool:
        """Whether they are not from a read surface."""
        return self.voltage_V is None

    def in_words(self) -> str:
        """Describe energy, rates, voltage and time."""
        zero, one = np.asarray(self.energy_J)
        energy = (
            compact(zero, "J", 3)
            if zero == one
            else f"{compact(zero, 'J', 3)} (0), {compact(one, 'J', 3)} (1)"
        )
        words = [f"{energy} a bit"]
        if self.voltage_V is not None and self.time_s is not None:
            words.append(f"at {compact(self.voltage_V, 'V', 3)} for {compact(self.time_s, 's', 3)}")
        if self.never_wrong:
            words.append("without errors")
        else:
            words.append(
                f"error rate {self.worst_error_rate:.1e}, disturb rate {self.worst_disturb_rate:.1e}"
            )
        words += ["extrapolated from too few devices"] * self.extrapolated + ["assumed"] * self.assumed
        return ", ".join(words)

    def energy_of(self, reads: npt.ArrayLike) -> FloatArray:
        """Return the energies of some reads, J.

        Parameters
        ----------
        reads : array_like, shape (..., 2)
            Numbers of reads of bits in state 0 and in state 1.

        Returns
        -------
        ndarray, shape (..., 2)
        """
        return np.asarray(np.asarray(reads) * self.energy_J)


def read_conditions(
    surface: ReadSurface,
    *,
    error: float = READ_ERROR,
    disturb: float = READ_DISTURB,
    minimize: Minimize = "energy",
) -> ReadConditions:
    """Return the reads of a memory at the operating point of a read surface.

    Parameters
    ----------
    surface : ReadSurface
    error, disturb : float, optional
        Largest allowed error rate and disturb rate, of the worse state; above 0 and below 1.
    minimize : {"energy", "time"}, optional
        Whether the cheapest or the fastest of these reads is taken.

    Returns
    -------
    ReadConditions
        Rates and energies of both states at that point, means of the population.

    Raises
    ------
    InputError
        If a rate is out of range.
    UnreachableError
        If no read of the surface has these rates.
    """
    for name, rate in (("error", error), ("disturb", disturb)):
        if not 0.0 < rate < 1.0:
            raise InputError(f"{name} rate of the reads", value=rate, allowed="above 0, below 1")
    point = surface.operating_point(error, disturb, minimize)
    return _at(surface, point.voltage_V, point.time_s)


def most_reliable_reads(surface: ReadSurface, *, disturb: float = READ_DISTURB) -> ReadConditions:
    """Return the reads of lowest error rate that disturb rarely.

    Parameters
    ----------
    surface : ReadSurface
    disturb : float, optional
        Largest allowed disturb rate, of the worse state; above 0 and below 1.

    Returns
    -------
    ReadConditions
        At a voltage and a time of the surface's grid, refined eight times. Of equal error rates, the
        cheapest.

    Raises
    ------
    UnreachableError
        If all reads disturb more often.
    """
    voltages, times = np.meshgrid(refined(surface.voltages), refined(surface.times), indexing="ij")
    flipped = surface.disturb_rate(voltages, times)
    allowed = flipped <= disturb
    if not allowed.any():
        raise UnreachableError(
            f"No read of the read surface has a disturb rate of {disturb:g}; the lowest is "
            f"{flipped.min():.2g}."
        )
    wrong = np.where(allowed, surface.read_error_rate(voltages, times), np.inf)
    lowest = wrong <= wrong.min() * (1.0 + _TIE)
    place = np.argmin(np.where(lowest, surface.energy(voltages, times), np.inf))
    return _at(surface, float(voltages.flat[place]), float(times.flat[place]))


def _at(surface: ReadSurface, voltage: float, time: float) -> ReadConditions:
    at = voltage, time
    error_rate, disturb_rate, energy = (
        [float(value(*at, state=state)) for state in STATES]
        for value in (surface.read_error_rate, surface.disturb_rate, surface.energy)
    )
    extrapolated = surface.is_extrapolated(*at) | surface.is_disturb_extrapolated(*at)
    return ReadConditions(error_rate, disturb_rate, energy, *at, bool(extrapolated))


def rates_of_states(name: str, values: npt.ArrayLike, most: float) -> FloatArray:
    """Check rates of both states, and return them as a read-only array.

    Raises
    ------
    InputError
        If the shape is neither (2,) nor (devices, 2), or a rate is not from 0 to `most`.
    """
    rates = np.array(values, dtype=np.float64)
    if rates.ndim not in (1, 2) or rates.shape[-1] != 2 or rates.size == 0:
        raise InputError(f"shape of {name}", value=rates.shape, allowed="(2,) or (devices, 2)")
    valid: BoolArray = np.isfinite(rates) & (rates >= 0.0) & (rates <= most)
    if not valid.all():
        allowed = "0 to 1" if most == 1.0 else "finite, at least 0"
        raise InputError(name, value=float(rates[~valid].flat[0]), allowed=allowed)
    rates.flags.writeable = False
    return rates


def energies_of_states(name: str, values: npt.ArrayLike) -> FloatArray:
    """Check the energy of reading a bit, or one for each state; return a read-only array of shape (2,).

    Raises
    ------
    InputError
        If the shape is another one, or an energy is negative or not finite.
    """
    given = np.array(values, dtype=np.float64)
    if given.shape not in ((), (2,)):
        raise InputError(f"shape of {name}", value=given.shape, allowed="one number, or (2,)")
    valid = np.isfinite(given) & (given >= 0.0)
    if not valid.all():
        raise InputError(name, value=float(given[~valid].flat[0]), allowed="finite, 0 J or more")
    return np.broadcast_to(given, (2,))
