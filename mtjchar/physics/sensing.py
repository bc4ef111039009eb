"""Closed forms of reading: lines that a cell charges or discharges, thermal noise, errors of a comparison.

They hold for a cell of constant resistance and lines of one capacitance; ngspice has neither limit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import constants
from scipy.special import log_ndtr, ndtr

from mtjchar.arrays import FloatArray

__all__ = [
    "charged_level",
    "current_noise",
    "discharged_level",
    "divided",
    "error_rate",
    "log_error_rate",
    "voltage_noise",
]


def divided(voltage: npt.ArrayLike, resistance: npt.ArrayLike, in_series: npt.ArrayLike) -> FloatArray:
    """Voltage (V) across a resistance (ohm) that has another one in series with it, at a total voltage."""
    own = np.asarray(resistance, np.float64)
    return np.asarray(np.asarray(voltage) * own / (own + np.asarray(in_series)))


def discharged_level(
    voltage: npt.ArrayLike, time: npt.ArrayLike, resistance: npt.ArrayLike, capacitance: npt.ArrayLike
) -> FloatArray:
    """Voltage of a line that a resistance discharges to 0 V.

    Parameters
    ----------
    voltage : array_like
        Of the line at time 0, V.
    time : array_like
        s, at least 0.
    resistance, capacitance : array_like
        Of the whole path to 0 V, ohm, and of the line, F. They broadcast with the others.
    """
    constant = np.asarray(resistance, np.float64) * np.asarray(capacitance, np.float64)
    return np.asarray(np.asarray(voltage) * np.exp(-np.asarray(time) / constant))


def charged_level(
    voltage: npt.ArrayLike,
    time: npt.ArrayLike,
    resistance: npt.ArrayLike,
    capacitance: npt.ArrayLike,
    precharge: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Voltage of a line at `precharge` (V) that a resistance charges from a driver at `voltage` (V)."""
    missing = np.asarray(voltage, np.float64) - np.asarray(precharge)
    return np.asarray(np.asarray(voltage) - discharged_level(missing, time, resistance, capacitance))


def voltage_noise(capacitance: npt.ArrayLike, temperature: npt.ArrayLike) -> FloatArray:
    """Compute the standard deviation (V) of the voltage of a capacitance (F) at a temperature (K).

    It is the same while a resistance charges or discharges it: the noise that fades is replaced.
    """
    # Equipartition: the mean energy of the capacitance is kB T/2.
    return np.asarray(np.sqrt(constants.k * np.asarray(temperature) / np.asarray(capacitance, np.float64)))


def current_noise(resistance: npt.ArrayLike, time: npt.ArrayLike, temperature: npt.ArrayLike) -> FloatArray:
    """Compute the standard deviation (A) of a current in a resistance (ohm), averaged over a time (s).

    At a temperature T (K) the power density is 4 kB T/R. An average over a time t has the bandwidth 1/(2 t).
    """
    # H. Nyquist, Phys. Rev. 32, 110 (1928), doi:10.1103/PhysRev.32.110, eq. (8) for the current.
    power = 2.0 * constants.k * np.asarray(temperature, np.float64)
    return np.asarray(np.sqrt(power / (np.asarray(resistance) * np.asarray(time))))


def error_rate(margin: npt.ArrayLike, deviation: npt.ArrayLike) -> FloatArray:
    """Probability that a normally distributed offset exceeds a margin.

    Parameters
    ----------
    margin : array_like
        Positive where the comparison is right without an offset.
    deviation : array_like
        Standard deviation of offset and noise, in the unit of the margin, at least 0. Without deviation the
        result is 0, 1, or for a margin of 0 one half.

    Returns
    -------
    ndarray
        With full relative accuracy down to 1e-300.
    """
    return np.asarray(ndtr(-_distance(margin, deviation)))


def log_error_rate(margin: npt.ArrayLike, deviation: npt.ArrayLike) -> FloatArray:
    """Natural logarithm of `error_rate`, also where the rate is below the smallest number."""
    return np.asarray(log_ndtr(-_distance(margin, deviation)))


def _distance(margin: npt.ArrayLike, deviation: npt.ArrayLike) -> FloatArray:
    """Margin in standard deviations, infinite without deviation."""
    margin, deviation = np.broadcast_arrays(np.asarray(margin, np.float64), np.asarray(deviation, np.float64))
    sure = np.where(margin == 0.0, 0.0, np.copysign(np.inf, margin))
    sure = np.where(np.isnan(margin), np.nan, sure)
    return np.asarray(np.divide(margin, deviation, out=sure, where=deviation > 0.0))
