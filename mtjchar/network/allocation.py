"""Choice of a pulse for each bit plane and direction that minimizes the energy of a training.

The effect of a failed write on a weight depends on its bit plane: in two's complement the error is 2**k
levels. From the number of switching writes of each plane in a training, and the contribution of a failure to
the squared error of the weights, a Lagrange multiplier gives the cheapest choice of pulses for a given
squared error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.errors import InputError, UnreachableError
from mtjchar.network.binarized import Signs
from mtjchar.network.encoding import FixedPoint, Words
from mtjchar.network.termination import Detector, write_energy
from mtjchar.surfaces.grid import SurfaceGrid, refined
from mtjchar.surfaces.search import shortest_durations

__all__ = ["HIGHEST_RATE", "Demand", "Pilot", "PulseTable", "Pulses", "allocate"]

HIGHEST_RATE = 0.5
"""Highest error rate of a chosen pulse. A bit that fails more often than not stays unchanged: its errors are
no longer independent from write to write, which the sum of their squares assumes."""

_LOWEST_RATE = 1e-9
_RATES = 400  # error rates to choose from, in steps of 2 % near the highest
_ROUNDS = 80  # of the bisection, each halving an interval of 60 decades


class Demand(NamedTuple):
    """Writes of a training; arrays of shape (bits, 2).

    Attributes
    ----------
    switching, redundant : ndarray
        Numbers of writes of bits that have to switch and of others.
    harm : ndarray
        Sum over the switching writes of the squared error of the word's value, in lsb**2, if that bit
        alone were to keep its old value.
    """

    switching: FloatArray
    redundant: FloatArray
    harm: FloatArray


class Pulses(NamedTuple):
    """A pulse for each bit plane and direction, or for all of them; arrays of shape (bits or 1, 2).

    Attributes
    ----------
    amplitude_V, duration_s : ndarray
    """

    amplitude_V: FloatArray
    duration_s: FloatArray


class Pilot:
    """Observe the writes of a training and compute its demand.

    An instance can be used as ``watch`` of `mtjchar.network.trainer.train`.

    Parameters
    ----------
    code : FixedPoint or Signs
        Code of the words.
    """

    def __init__(self, code: FixedPoint | Signs) -> None:
        self._bits = code.bits
        self._values = code.values / np.float32(code.lsb)
        self.harm = np.zeros((code.bits, 2))

    def __call__(self, old: Words, new: Words) -> None:
        """Record one write of all words."""
        where = np.flatnonzero(old != new)
        old, new = old.reshape(-1)[where], new.reshape(-1)[where]
        changed, written = old ^ new, self._values[new]
        for plane in range(self._bits):
            bit = new.dtype.type(1 << plane)
            error = (self._values[new ^ bit] - written) ** 2
            switches, to_one = changed & bit != 0, new & bit != 0
            self.harm[plane] += error[switches & to_one].sum(), error[switches & ~to_one].sum()


class PulseTable(NamedTuple):
    """Pulses to choose from: the shortest one for each error rate and amplitude.

    Attributes
    ----------
    rate : ndarray, shape (rates,)
        Error rates, ascending.
    amplitude_V : ndarray, shape (amplitudes,)
    duration_s, switching_energy_J, redundant_energy_J : ndarray, shape (2, rates, amplitudes)
        For each direction; durations and energies are infinite if no pulse of the surface has the rate.
    """

    rate: FloatArray
    amplitude_V: FloatArray
    duration_s: FloatArray
    switching_energy_J: FloatArray
    redundant_energy_J: FloatArray

    @classmethod
    def of(cls, surface: SurfaceGrid, detector: Detector | None = None) -> PulseTable:
        """Use the amplitudes of the surface's refined grid and rates from 1e-9 to `HIGHEST_RATE`.

        Parameters
        ----------
        surface : SurfaceGrid
            With both directions.
        detector : Detector, optional
            With it the energies are those of terminated writes.
        """
        rates = np.geomspace(_LOWEST_RATE, HIGHEST_RATE, _RATES)
        levels = refined(surface.amplitudes)
        shape = (2, _RATES, len(levels))
        duration, switching, redundant = (np.full(shape, np.inf) for _ in range(3))
        for d, direction in enumerate(surface.bit_directions):
            duration[d] = shortest_durations(surface, direction, levels, rates)
            reachable = np.isfinite(duration[d])
            pulses = direction, np.broadcast_to(levels, reachable.shape)[reachable], duration[d][reachable]
            switching[d][reachable] = write_energy(surface, *pulses, detector)
            redundant[d][reachable] = write_energy(surface, *pulses, detector, switching=False)
        return cls(rates, levels, duration, switching, redundant)


def allocate(table: PulseTable, demand: Demand, rate: float, *, read_before_write: bool = False) -> Pulses:
    """Choose the pulses of lowest energy for a given squared error of the weights.

    Parameters
    ----------
    table : PulseTable
        Pulses to choose from.
    demand : Demand
        Of the training.
    rate : float
        The allowed squared error, as the error rate, above 0 and below 1, at which equal errors in
        all planes and directions would cause it.
    read_before_write : bool
        Whether redundant writes are not driven.

    Returns
    -------
    Pulses
        Shape (bits, 2).

    Raises
    ------
    InputError
        If `rate` is out of range.
    UnreachableError
        If no choice from the table reaches it.

    Notes
    -----
    Both directions of a plane get the same error rate r, each by its own pulse: if one failed more often than
    the other, the weights would drift. The minimized energy is E = sum over planes k of E_k(r_k), subject to
    sum of h_k r_k <= rate * sum of h_k, with harm h and E_k(r) the energy of a plane's writes: for each
    direction the minimum of s E_s + n E_r over the pulses with rate r, with s switching and n redundant
    writes. With a multiplier λ each plane separately chooses the rate, up to `HIGHEST_RATE`, that minimizes
    E_k(r) + λ h_k r, and λ is the smallest one that satisfies the limit (H. Everett, Oper. Res. 11, 399
    (1963), doi:10.1287/opre.11.3.399).
    """
    if not 0.0 < rate < 1.0:
        raise InputError("rate", value=rate, allowed="an error rate above 0 and below 1")
    # Over bit plane, direction, rate and amplitude.
    energy = demand.switching[:, :, None, None] * table.switching_energy_J
    if not read_before_write:
        energy = energy + demand.redundant[:, :, None, None] * table.redundant_energy_J
    # A direction that is never written costs nothing, whatever the pulse.
    energy = np.where(np.isfinite(table.duration_s), energy, np.inf)
    best_amplitude = np.argmin(energy, axis=-1)
    cost = energy.min(axis=-1).sum(axis=1)
    error = demand.harm.sum(axis=1)[:, None] * np.where(np.isfinite(cost), table.rate, np.inf)
    limit = rate * demand.harm.sum()
    if not error.min(axis=-1).sum() <= limit:
        raise UnreachableError(
            f"rate: got {rate}; allowed: what the surface's strongest pulses reach. Sweep a larger grid."
        )

    def chosen(log_price: float) -> IndexArray:
        return np.asarray(np.argmin(cost + 10.0**log_price * error, axis=-1))

    def within(choice: IndexArray) -> bool:
        return bool(np.take_along_axis(error, choice[:, None], axis=-1).sum() <= limit)

    # Between a multiplier at which errors do not matter and one at which energy does not.
    scale = np.log10(cost[np.isfinite(cost)].max() / max(demand.harm.max(), 1e-300))
    low, high = scale - 30.0, scale + 30.0
    for _ in range(_ROUNDS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if within(chosen(middle)) else (middle, high)
    best = chosen(high)
    at = best_amplitude[np.arange(len(best)), :, best]
    return Pulses(table.amplitude_V[at], table.duration_s[np.arange(2), best[:, None], at])
