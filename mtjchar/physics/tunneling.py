"""Electrical resistance of a magnetic tunnel junction.

References
----------
.. [1] J. C. Slonczewski, Phys. Rev. B 39, 6995 (1989), doi:10.1103/PhysRevB.39.6995: conductance linear in
   the cosine of the angle between the layers.
.. [2] Y. Zhang et al., IEEE Trans. Electron Devices 59, 819 (2012), doi:10.1109/TED.2011.2178416: compact
   model with TMR(V) = TMR(0) / (1 + V^2/Vh^2).
"""

from __future__ import annotations

import numpy as np

from mtjchar.arrays import FloatArray

__all__ = [
    "conductance",
    "parallel_resistance",
    "tmr_at_bias",
    "voltage_at_current",
    "voltage_behind_resistance",
]

_ROUNDS = 6  # of Newton's iteration: the voltage is then exact up to rounding


def parallel_resistance(resistance_area_product: FloatArray, diameter: FloatArray) -> FloatArray:
    """Resistance of the parallel state, ohm, of a circular junction (ohm m^2 and m)."""
    return resistance_area_product / (0.25 * np.pi * diameter**2)


def tmr_at_bias(tmr: FloatArray, voltage: FloatArray, half_bias: FloatArray) -> FloatArray:
    """TMR ratio at a voltage across the junction: halved at `half_bias`, even in the voltage.

    Measured curves fall more steeply near zero bias; the form holds to about 1 V.
    """
    # [2], bias dependence of the TMR.
    return tmr / (1.0 + (voltage / half_bias) ** 2)


def voltage_at_current(
    current: FloatArray, m_z: FloatArray, parallel: FloatArray, tmr: FloatArray, half_bias: FloatArray
) -> FloatArray:
    """Voltage across a junction that carries a current, V; broadcasts.

    Parameters
    ----------
    current : ndarray
        A, at least 0.
    m_z : ndarray
        Cosine of the angle between the layers.
    parallel : ndarray
        Resistance of the parallel state, ohm.
    tmr, half_bias : ndarray
        TMR at zero bias, and the voltage (V) that halves it.

    Examples
    --------
    >>> found = voltage_at_current(*map(np.asarray, (5e-5, -1.0, 4e3, 1.0, 0.5)))
    >>> float((found / (4e3 * (1.0 + tmr_at_bias(1.0, found, 0.5)))).round(12))
    5e-05
    """
    # With x = V/Vh, [1] and [2] give I R_P/Vh = x (x^2 + 1 + a)/(x^2 + 1 + TMR), a = TMR (1 + m_z)/2, which
    # rises with x. Newton's iteration starts at the larger of its bounds, those of P and of zero bias.
    low, a = current * parallel / half_bias, 0.5 * tmr * (1.0 + m_z)
    high = low * (1.0 + tmr) / (1.0 + a)
    x = high
    for _ in range(_ROUNDS):
        numerator, denominator = x**2 + 1.0 + a, x**2 + 1.0 + tmr
        share = numerator / denominator
        slope = share + 2.0 * x**2 * (tmr - a) / denominator**2
        x = np.clip(x - (x * share - low) / slope, low, high)
    return np.asarray(x * half_bias)


def voltage_behind_resistance(
    source: FloatArray,
    series: FloatArray,
    m_z: FloatArray,
    parallel: FloatArray,
    tmr: FloatArray,
    half_bias: FloatArray,
) -> FloatArray:
    """Voltage across a junction that a source drives through a resistance, V; broadcasts.

    Parameters
    ----------
    source : ndarray
        Voltage of the source, V, at least 0.
    series : ndarray
        Resistance between source and junction, ohm, at least 0.
    m_z, parallel, tmr, half_bias
        As for `voltage_at_current`.

    Examples
    --------
    >>> found = voltage_behind_resistance(*map(np.asarray, (0.6, 1e3, -1.0, 4e3, 1.0, 0.5)))
    >>> junction = 4e3 * (1.0 + tmr_at_bias(1.0, found, 0.5))
    >>> float((found * (1.0 + 1e3 / junction)).round(12))
    0.6
    """
    # With x = V/Vh and the notation above, x + (R_s/R_P) x (x^2 + 1 + a)/(x^2 + 1 + TMR) = V_s/Vh. The left
    # side rises with x; Newton's iteration starts at the larger of its bounds, zero bias and P.
    ratio, a = series / parallel, 0.5 * tmr * (1.0 + m_z)
    most = source / half_bias
    low, high = most / (1.0 + ratio), most / (1.0 + ratio * (1.0 + a) / (1.0 + tmr))
    x = high
    for _ in range(_ROUNDS):
        numerator, denominator = x**2 + 1.0 + a, x**2 + 1.0 + tmr
        share = numerator / denominator
        slope = 1.0 + ratio * (share + 2.0 * x**2 * (tmr - a) / denominator**2)
        x = np.clip(x - (x * (1.0 + ratio * share) - most) / slope, low, high)
    return np.asarray(x * half_bias)


def conductance(m_z: FloatArray, parallel: FloatArray, tmr: FloatArray) -> FloatArray:
    """Conductance, 1/ohm, with the free layer at `m_z` = cosine of the angle to the reference layer.

    Parameters
    ----------
    m_z : ndarray
        +1 in the parallel state, -1 in the antiparallel one.
    parallel : ndarray
        Resistance of the parallel state, ohm.
    tmr : ndarray
        TMR ratio at the applied voltage.
    """
    # [1], G = (G_P + G_AP)/2 + (G_P - G_AP)/2 cos(theta), with G_AP = G_P / (1 + TMR).
    return (2.0 + tmr + tmr * m_z) / (2.0 * (1.0 + tmr)) / parallel
