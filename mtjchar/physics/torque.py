"""Spin-transfer torque on the free layer.

Currents are positive from the free to the reference layer; such a current favours the parallel state.

There are two torque laws. In a tunnel junction the torque is proportional to the *voltage* and hardly depends
on the angle between the layers [3]_, [4]_. In a metallic multilayer it is proportional to the *current* [1]_.
With V across the junction, I through it and R_P its resistance in the parallel state, the damping-like field
is

    a_J = hbar/(e Ms V_F) epsilon I,     epsilon = P Lambda^2 / [(Lambda^2 + 1) + (Lambda^2 - 1) m.p]
    a_J = hbar/(2 e Ms V_F) eta V/R_P,   eta = P/(1 + P^2)

per current and per voltage, where V_F is the volume of the free layer. At zero bias the second law is the
first one with Lambda^2 = 1 + TMR and eta for P, because the conductance is proportional to the denominator of
epsilon.

References
----------
.. [1] J. C. Slonczewski, J. Magn. Magn. Mater. 247, 324 (2002), doi:10.1016/S0304-8853(02)00291-3.
.. [2] J. Z. Sun, Phys. Rev. B 62, 570 (2000), doi:10.1103/PhysRevB.62.570.
.. [3] J. C. Slonczewski, Phys. Rev. B 71, 024411 (2005), doi:10.1103/PhysRevB.71.024411.
.. [4] J. C. Slonczewski and J. Z. Sun, J. Magn. Magn. Mater. 310, 169 (2007),
   doi:10.1016/j.jmmm.2006.10.507.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import constants

from mtjchar.arrays import FloatArray
from mtjchar.physics import tunneling

__all__ = [
    "TorqueLaw",
    "critical_current",
    "damping_like_field",
    "polarization_of",
    "reverse_critical_current",
    "spin_torque_efficiency",
    "symmetric_efficiency",
]

TorqueLaw = Literal["voltage", "current"]
"""Quantity that the spin-transfer torque is proportional to."""


def symmetric_efficiency(polarization: FloatArray, law: TorqueLaw) -> FloatArray:
    """Efficiency eta of the critical current: P for a torque per current, P/(1 + P^2) per voltage.

    Parameters
    ----------
    polarization : ndarray
        Spin polarization P, 0 to 1. A value above 1, which no film has, gives half of it per voltage, so that
        a search can pass through such values.
    law : {"voltage", "current"}

    Examples
    --------
    >>> float(symmetric_efficiency(np.array(0.6), "voltage").round(4))
    0.4412
    """
    # [4]: the torque per voltage is hbar/(2 e) P/(1 + P^2) G_P sin(theta), G_P the conductance of P.
    if law == "current":
        return polarization
    return np.asarray(
        np.where(polarization > 1.0, 0.5 * polarization, polarization / (1.0 + polarization**2))
    )


def polarization_of(efficiency: FloatArray, law: TorqueLaw) -> FloatArray:
    """Inverse of `symmetric_efficiency`; above 1 if no film has such an efficiency."""
    if law == "current":
        return efficiency
    # The root below 1 of eta P^2 - P + eta = 0.
    root = np.sqrt(np.maximum(1.0 - 4.0 * efficiency**2, 0.0))
    return np.asarray(2.0 * efficiency / (1.0 + root))


def spin_torque_efficiency(polarization: FloatArray, lambda_: FloatArray, m_z: FloatArray) -> FloatArray:
    """Slonczewski's efficiency epsilon, dimensionless; P/2 if `lambda_` is 1.

    Parameters
    ----------
    polarization : ndarray
        Spin polarization P, 0 to 1.
    lambda_ : ndarray
        Slonczewski's asymmetry parameter Lambda, at least 1.
    m_z : ndarray
        Cosine of the angle between free and reference layer.
    """
    square = lambda_**2
    # [1], epsilon = P Lambda^2 / [(Lambda^2 + 1) + (Lambda^2 - 1) m.p].
    return polarization * square / ((square + 1.0) + (square - 1.0) * m_z)


def critical_current(
    damping: FloatArray, stability: FloatArray, temperature: FloatArray, efficiency: FloatArray
) -> FloatArray:
    """Critical current Ic0 of the parallel state, A.

    Parameters
    ----------
    damping : ndarray
        Gilbert damping alpha.
    stability : ndarray
        Thermal stability Delta at `temperature`.
    temperature : ndarray
        K.
    efficiency : ndarray
        Of `symmetric_efficiency`.

    Notes
    -----
    With either law the torque of a junction in P is that of Lambda = 1: a write from P to AP requires this
    current, and `reverse_critical_current` is that of the other direction.
    """
    # [2], Ic0 = 4 alpha e kB T Delta / (hbar eta).
    numerator = 4.0 * damping * constants.e * constants.k * temperature * stability
    return numerator / (constants.hbar * efficiency)


def reverse_critical_current(
    critical: FloatArray,
    law: TorqueLaw,
    lambda_: FloatArray,
    parallel: FloatArray,
    tmr: FloatArray,
    half_bias: FloatArray,
) -> FloatArray:
    """Critical current of the antiparallel state, A.

    Parameters
    ----------
    critical : ndarray
        That of the parallel state, A.
    law : {"voltage", "current"}
    lambda_ : ndarray
        Slonczewski's asymmetry parameter; used with a torque per current only.
    parallel : ndarray
        Resistance of the parallel state, ohm.
    tmr, half_bias : ndarray
        TMR at zero bias, and the voltage (V) that halves it.

    Examples
    --------
    A torque per voltage makes the voltages of both directions equal, and their currents differ by the TMR:

    >>> one = np.ones(())
    >>> float(reverse_critical_current(50e-6 * one, "voltage", one, 4e3 * one, one, 1e3 * one).round(7))
    2.5e-05
    """
    if law == "current":
        return critical / lambda_**2
    return critical / (1.0 + tunneling.tmr_at_bias(tmr, critical * parallel, half_bias))


def damping_like_field(
    current: FloatArray, efficiency: FloatArray, magnetization: FloatArray, volume: FloatArray
) -> FloatArray:
    """Damping-like field a_J = hbar epsilon I / (e Ms V), T, of a current (A) through the junction."""
    return constants.hbar * efficiency * current / (constants.e * magnetization * volume)
