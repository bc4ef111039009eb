"""A pulse for each bit plane and direction, such that a training costs least.

What a failed write does to a weight depends on its bit plane: in two's complement the error is 2**k levels.
Given how often the bits of each plane switch in a training, and what a failure there adds to the squared
error of the weights, the cheapest choice of pulses for a given squared error follows from a Lagrange
multiplier.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtjchar.errors import InputError
from mtjchar.network.binarized import Signs
from mtjchar.network.encoding import FixedPoint, Words
from mtjchar.network.ledger import FloatArray, PerDirection
from mtjchar.surfaces.surface import WriteSurface, refined

_ROUNDS = 80  # of the bisection, each halving an interval of 60 decades


class Demand(NamedTuple):
    """What a training asks of its memory; arrays of shape (bits, 2).

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
    """Observe the writes of a training and find what it demands.

    An instance is what `mtjchar.network.trainer.train` takes as ``watch``.

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
        """Take note of one write of all words."""
        where = np.flatnonzero(old != new)
        old, new = old.reshape(-1)[where], new.reshape(-1)[where]
        changed, written = old ^ new, self._values[new]
        for plane in range(self._bits):
            bit = new.dtype.type(1 << plane)
            error = (self._values[new ^ bit] - written) ** 2
            switches, to_one = changed & bit != 0, new & bit != 0
            self.harm[plane] += error[switches & to_one].sum(), error[switches & ~to_one].sum()


class PulseTable(NamedTuple):
    """Pulses to choose from, n of them; rates and energies have the directions along the first axis.

    Attributes
    ----------
    amplitude_V, duration_s : ndarray, shape (n,)
    error_rate, switching_energy_J, redundant_energy_J : ndarray, shape (2, n)
    """

    amplitude_V: FloatArray
    duration_s: FloatArray
    error_rate: FloatArray
    switching_energy_J: FloatArray
    redundant_energy_J: FloatArray

    @classmethod
    def of(cls, surface: WriteSurface) -> PulseTable:
        """Take all pulses on the refined grid of a surface."""
        grid = np.meshgrid(refined(surface.amplitudes), refined(surface.durations), indexing="ij")
        level, time = (axis.ravel() for axis in grid)
        return cls(
            level,
            time,
            np.stack([surface.ber(one, level, time) for one in PerDirection._fields]),  # type: ignore[arg-type]
            *(
                np.stack(
                    [surface.energy(one, level, time, switching=kind) for one in PerDirection._fields]  # type: ignore[arg-type]
                )
                for kind in (True, False)
            ),
        )


def allocate(table: PulseTable, demand: Demand, rate: float, *, read_before_write: bool = False) -> Pulses:
    """Choose the pulses of least energy for a given squared error of the weights.

    Parameters
    ----------
    table : PulseTable
        Pulses to choose from.
    demand : Demand
        Of the training.
    rate : float
        The squared error that is allowed, as the error rate, above 0 and below 1, at which equal errors in
        all planes and directions would cause it.
    read_before_write : bool
        Whether redundant writes are left out.

    Returns
    -------
    Pulses
        Shape (bits, 2).

    Raises
    ------
    InputError
        If `rate` is out of range, or no choice from the table reaches it.

    Notes
    -----
    To be least: E = sum over planes k and directions d of (s E_s + n E_r), subject to
    sum of h r <= rate * sum of h, with s switching and n redundant writes, harm h, and energies E_s, E_r and
    error rate r of the pulse chosen for k and d. With a multiplier λ each k and d chooses for itself the
    pulse that minimizes s E_s + n E_r + λ h r, and λ is the least one that keeps to the limit
    (H. Everett, Oper. Res. 11, 399 (1963), doi:10.1287/opre.11.3.399). Errors are taken as independent and
    small, which leaves their squares to add up.
    """
    if not 0.0 < rate < 1.0:
        raise InputError("rate", value=rate, allowed="an error rate above 0 and below 1")
    energy = demand.switching[..., None] * table.switching_energy_J
    if not read_before_write:
        energy = energy + demand.redundant[..., None] * table.redundant_energy_J
    error = demand.harm[..., None] * table.error_rate
    limit = rate * demand.harm.sum()
    if error.min(axis=-1).sum() > limit:
        raise InputError(
            "rate",
            value=rate,
            allowed="what the surface's strongest pulses reach",
            remedy="Sweep a larger grid.",
        )

    def chosen(log_price: float) -> NDArray[np.intp]:
        return np.asarray(np.argmin(energy + 10.0**log_price * error, axis=-1))

    def within(choice: NDArray[np.intp]) -> bool:
        return bool(np.take_along_axis(error, choice[..., None], axis=-1).sum() <= limit)

    # Between a price at which errors do not matter and one at which energy does not.
    scale = np.log10(energy.max() / max(error.max(), 1e-300))
    low, high = scale - 30.0, scale + 30.0
    for _ in range(_ROUNDS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if within(chosen(middle)) else (middle, high)
    best = chosen(high)
    return Pulses(table.amplitude_V[best], table.duration_s[best])
