"""Spin-transfer torque on the free layer.

Currents are positive from the free to the reference layer; such a current favours the parallel state.

References
----------
.. [1] J. C. Slonczewski, J. Magn. Magn. Mater. 247, 324 (2002), doi:10.1016/S0304-8853(02)00291-3.
.. [2] J. Z. Sun, Phys. Rev. B 62, 570 (2000), doi:10.1103/PhysRevB.62.570.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import constants

FloatArray = npt.NDArray[np.float64]


def spin_torque_efficiency(polarization: FloatArray, lambda_: FloatArray, m_z: FloatArray) -> FloatArray:
    """Slonczewski's efficiency epsilon, dimensionless; P/2 where `lambda_` is 1.

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
    damping: FloatArray, stability: FloatArray, temperature: FloatArray, polarization: FloatArray
) -> FloatArray:
    """Critical current Ic0 of the symmetric torque (eta = 2 epsilon = P), A.

    Parameters
    ----------
    damping : ndarray
        Gilbert damping alpha.
    stability : ndarray
        Thermal stability Delta at `temperature`.
    temperature : ndarray
        K.
    polarization : ndarray
        Spin polarization P; the angular dependence of the torque is applied to the overdrive.
    """
    # [2], Ic0 = 4 alpha e kB T Delta / (hbar eta).
    numerator = 4.0 * damping * constants.e * constants.k * temperature * stability
    return numerator / (constants.hbar * polarization)


def damping_like_field(
    current: FloatArray, efficiency: FloatArray, magnetization: FloatArray, volume: FloatArray
) -> FloatArray:
    """Damping-like field a_J = hbar epsilon I / (e Ms V), T, of a current (A) through the junction."""
    return constants.hbar * efficiency * current / (constants.e * magnetization * volume)
