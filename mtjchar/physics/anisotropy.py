"""Anisotropy, thermal stability and relaxation time of a circular perpendicular free layer.

References
----------
.. [1] M. Sato and Y. Ishii, J. Appl. Phys. 66, 983 (1989), doi:10.1063/1.343481: demagnetizing factors of
   cylinders.
.. [2] S. Ikeda et al., Nat. Mater. 9, 721 (2010), doi:10.1038/nmat2804.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import constants

FloatArray = npt.NDArray[np.float64]

GAMMA = 1.760859e11
"""Gyromagnetic ratio of the electron, rad/(s T)."""

REFERENCE_TEMPERATURE = 300.0
"""Temperature at which the numbers of a stack hold, K."""


def demagnetizing_factors(thickness: FloatArray, diameter: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Demagnetizing factors (Nx, Nz) of a cylinder along a diameter and along its axis.

    Parameters
    ----------
    thickness, diameter : ndarray
        m, positive, any shapes that broadcast.

    Returns
    -------
    tuple of ndarray
        Nx and Nz, dimensionless, 2 Nx + Nz = 1. The approximation of [1]_ is meant for the whole range
        of aspect ratios.
    """
    # [1], approximation for the cylinder, r = diameter/2.
    nz = 1.0 / (1.0 + 2.0 * thickness / (0.5 * diameter * np.sqrt(np.pi)))
    return (1.0 - nz) / 2.0, nz


def magnetization_ratio(temperature: FloatArray, curie: FloatArray, exponent: FloatArray) -> FloatArray:
    """Ms(T)/Ms(300 K) by a generalized Bloch law, for temperatures (K) below the Curie temperature."""
    return (1.0 - (temperature / curie) ** exponent) / (1.0 - (REFERENCE_TEMPERATURE / curie) ** exponent)


def effective_anisotropy(
    interfacial: FloatArray, thickness: FloatArray, magnetization: FloatArray, diameter: FloatArray
) -> FloatArray:
    """Effective perpendicular anisotropy K_eff, J/m^3; negative where the easy direction is in the plane.

    Parameters
    ----------
    interfacial : ndarray
        Ki, J/m^2.
    thickness, diameter : ndarray
        Of the free layer, m.
    magnetization : ndarray
        Saturation magnetization Ms, A/m.
    """
    nx, nz = demagnetizing_factors(thickness, diameter)
    # K_eff = Ki/t - mu0 (Nz - Nx) Ms^2 / 2, see [2] for the film (Nz = 1, Nx = 0).
    return interfacial / thickness - 0.5 * constants.mu_0 * (nz - nx) * magnetization**2


def anisotropy_field(anisotropy: FloatArray, magnetization: FloatArray) -> FloatArray:
    """Effective anisotropy field mu0 Hk = 2 K_eff / Ms, T."""
    return 2.0 * anisotropy / magnetization


def thermal_stability(anisotropy: FloatArray, volume: FloatArray, temperature: FloatArray) -> FloatArray:
    """Thermal stability Delta = K_eff V / (kB T), which equals mu0 Ms Hk V / (2 kB T); dimensionless."""
    return anisotropy * volume / (constants.k * temperature)


def relaxation_time(damping: FloatArray, field: FloatArray) -> FloatArray:
    """Time t_D that reduced time is counted in, s: (1 + alpha^2) / (alpha gamma mu0 Hk), field in T."""
    return (1.0 + damping**2) / (damping * GAMMA * field)
