"""What a cell kind is asked about reading, and what it answers."""

from __future__ import annotations

from typing import NamedTuple

from mtjchar.arrays import FloatArray, WordArray

__all__ = ["Reads", "ReferenceLevel", "Sensed", "SensedTogether"]


class Reads(NamedTuple):
    """Reads of a study: all read voltages with all sensing times.

    Attributes
    ----------
    voltage_V : ndarray, shape (voltages,)
        Ascending, V.
    time_s : ndarray, shape (times,)
        Ascending, s, from the start of the read to the decision of the sense amplifier.
    unit : {"V", "A"}
        Unit of the levels that the sense amplifier compares.
    one_is_higher : bool
        Whether that is higher for a cell in state 1 than for one in state 0.
    offset : float
        Standard deviation of the sense amplifier's offset, in `unit`.
    noise : float
        Standard deviation of the thermal noise of both inputs of the amplifier together, in `unit`.
    """

    voltage_V: FloatArray
    time_s: FloatArray
    unit: str
    one_is_higher: bool
    offset: float
    noise: float


class ReferenceLevel(NamedTuple):
    """Level that the sense amplifier compares a cell with; shape (voltages, times).

    Attributes
    ----------
    mean : ndarray
        Over the variability of the reference, in `Reads.unit`.
    deviation : ndarray
        Standard deviation over that variability, in `Reads.unit`.
    """

    mean: FloatArray
    deviation: FloatArray


class Sensed(NamedTuple):
    """Reads of devices in both states; shape (devices, 2, voltages, times), state 0 first.

    Attributes
    ----------
    level : ndarray
        Level at the input of the sense amplifier at each sensing time, in `Reads.unit`.
    disturb_rate : ndarray
        Probability that the read flips the state.
    energy_J : ndarray
        Energy that drivers, word line, precharge and sense amplifier take in one read, J.
    failure : ndarray of str, shape (devices, voltages)
        Reason why there are no numbers (which are then NaN); empty if there are.
    status : ndarray of str, shape (devices, voltages)
        ``ok``, or how the simulation failed.
    note : ndarray of str, shape (devices, voltages)
        The successful retry; empty if none was needed.
    """

    level: FloatArray
    disturb_rate: FloatArray
    energy_J: FloatArray
    failure: WordArray
    status: WordArray
    note: WordArray


class SensedTogether(NamedTuple):
    """Reads of groups of cells on one bit line; shape (groups, combinations, voltages, times).

    The combinations of their states are in the order of `mtjchar.physics.bitwise.combinations`.

    Attributes
    ----------
    level : ndarray
        Common level at the input of the sense amplifier at each sensing time, in `Reads.unit`.
    disturb_rate : ndarray
        Probability that the read flips the state of the group's first cell.
    energy_J : ndarray
        Energy that drivers, word lines and precharge take in one read, J; without decisions.
    decision_J : float
        Energy of one decision of a sense amplifier, J.
    failure : ndarray of str, shape (groups, voltages)
        Reason why there are no numbers (which are then NaN); empty if there are.
    status : ndarray of str, shape (groups, voltages)
        ``ok``, or how the simulation failed.
    note : ndarray of str, shape (groups, voltages)
        The successful retry; empty if none was needed.
    """

    level: FloatArray
    disturb_rate: FloatArray
    energy_J: FloatArray
    decision_J: float
    failure: WordArray
    status: WordArray
    note: WordArray
