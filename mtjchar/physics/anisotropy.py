"""Anisotropy, thermal stability and relaxation time of a perpendicular free layer, circular or elliptic.

References
----------
.. [1] M. Sato and Y. Ishii, J. Appl. Phys. 66, 983 (1989), doi:10.1063/1.343481: demagnetizing factors of
   cylinders.
.. [2] S. Ikeda et al., Nat. Mater. 9, 721 (2010), doi:10.1038/nmat2804.
.. [3] M. Beleggia, M. De Graef, Y. T. Millev, D. A. Goode, G. Rowlands, J. Phys. D 38, 3333 (2005),
   doi:10.1088/0022-3727/38/18/001: demagnetizing factors of elliptic cylinders.
.. [4] R. I. Joseph, J. Appl. Phys. 37, 4639 (1966), doi:10.1063/1.1708110: of circular ones, exactly.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import constants, special

from mtjchar.arrays import FloatArray

__all__ = [
    "GAMMA",
    "REFERENCE_TEMPERATURE",
    "REST_RANGE",
    "TEMPERATURE_RANGE",
    "UP_TO_CURIE",
    "Demagnetization",
    "anisotropy_field",
    "demagnetizing_factors",
    "demagnetizing_factors_elliptic",
    "effective_anisotropy",
    "in_plane_field",
    "interfacial_anisotropy",
    "magnetization_ratio",
    "relaxation_time",
    "thermal_stability",
]

GAMMA = 1.760859e11
"""Gyromagnetic ratio of the electron, rad/(s T)."""

REFERENCE_TEMPERATURE = 300.0
"""Temperature at which the values of a stack hold, K."""

TEMPERATURE_RANGE = (233.15, 398.15)
"""Lowest and highest temperature of a device, K: -40 and 125 degC."""

REST_RANGE = (TEMPERATURE_RANGE[0], 573.15)
"""Lowest and highest temperature of a measured device, K: bakes up to 300 degC, where films are annealed."""

UP_TO_CURIE = 0.75
"""Share of the Curie temperature up to which `magnetization_ratio` is used; near it Bloch's law fails."""

Demagnetization = Literal["exact", "sato-ishii"]
"""Demagnetizing factors: exact ones of the uniformly magnetized cylinder [4]_, or approximate ones [1]_."""


def demagnetizing_factors(
    thickness: FloatArray, diameter: FloatArray, method: Demagnetization = "exact"
) -> tuple[FloatArray, FloatArray]:
    """Demagnetizing factors (Nx, Nz) of a cylinder along a diameter and along its axis.

    Parameters
    ----------
    thickness, diameter : ndarray
        m, positive, any shapes that broadcast.
    method : {"exact", "sato-ishii"}, optional
        Joseph's exact (magnetometric) factors [4]_, 1e-8 of 1 - Nz or better; or the approximation of Sato
        and Ishii [1]_, for comparison with published work: its Nz is off by up to 2.6 %.

    Returns
    -------
    tuple of ndarray
        Nx and Nz, dimensionless, 2 Nx + Nz = 1.
    """
    if method == "sato-ishii":
        # [1], approximation for the cylinder, r = diameter/2.
        nz = 1.0 / (1.0 + 2.0 * thickness / (0.5 * diameter * np.sqrt(np.pi)))
        return (1.0 - nz) / 2.0, nz
    planar = _planar_factors(np.asarray(thickness / diameter, dtype=np.float64))
    return 0.5 * planar, 1.0 - planar


_SHAPE_POINTS = 64  # of a periodic function: the mean is exact to 1e-10 up to an aspect ratio of 5


def demagnetizing_factors_elliptic(
    thickness: FloatArray, diameter: FloatArray, aspect_ratio: float, method: Demagnetization = "exact"
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Demagnetizing factors (Nx, Ny, Nz) of an elliptic cylinder along its long, short and upright axis.

    Parameters
    ----------
    thickness, diameter : ndarray
        m, positive, any shapes that broadcast; `diameter` of the circle of equal area.
    aspect_ratio : float
        Long over short axis, 1 to 5.
    method : {"exact", "sato-ishii"}, optional
        See `demagnetizing_factors`. With ``sato-ishii`` Nz is that of the circle of equal area and only Nx:Ny
        is exact, which makes the in-plane shape anisotropy field 20 to 30 % low.

    Returns
    -------
    tuple of ndarray
        Dimensionless, sum 1, Nx <= Ny.

    Notes
    -----
    With the half axes a and b, [3]_ gives, in the variables of its shape function,

        N_i = a b/pi ∫d²κ [J1(q)/q]² (κ_i/κ)² {1 - [1 - exp(-κ t)]/(κ t)},  q² = (a κ_x)² + (b κ_y)²,

    whose integral over q at a fixed direction is that of a circle of radius s = q/κ, known in complete
    elliptic integrals [4]_. The result is a mean over the direction psi of (a κ_x, b κ_y):

        N_i = < (1 - Nz_circle(t/s)) (s/a_i)² (cos²(psi), sin²(psi))_i >,  1/s² = cos²(psi)/a² + sin²(psi)/b².
    """
    nx, nz = demagnetizing_factors(thickness, diameter, method)
    if aspect_ratio == 1.0:
        return nx, nx, nz
    angle = (np.arange(_SHAPE_POINTS) + 0.5) * (np.pi / _SHAPE_POINTS)
    # In units of sqrt(a b): a = sqrt(aspect_ratio), b = 1/a; cos(psi)/a and sin(psi)/b.
    along, across = np.cos(angle) / np.sqrt(aspect_ratio), np.sin(angle) * np.sqrt(aspect_ratio)
    radius = 1.0 / np.hypot(along, across)
    relative = np.asarray(thickness / diameter, dtype=np.float64)[..., None] / radius
    planar = _planar_factors(relative) * radius**2
    x, y = (planar * along**2).mean(axis=-1), (planar * across**2).mean(axis=-1)
    if method == "exact":
        return x, y, 1.0 - x - y
    share = x / (x + y)
    return (1.0 - nz) * share, (1.0 - nz) * (1.0 - share), nz


_THIN = 1e-4  # height over diameter below which the closed form cancels


def _planar_factors(relative: FloatArray) -> FloatArray:
    """Exact 1 - Nz = Nx + Ny of a circular cylinder from its height over its diameter [4]."""
    height = np.maximum(relative, _THIN)
    m = 1.0 / (1.0 + height**2)
    # [4] has h^2 K(m) + (1 - h^2) E(m); K - E = m R_D(0, 1 - m, 1)/3 does not cancel for a long cylinder.
    bracket = (1.0 - m) / 3.0 * special.elliprd(0.0, 1.0 - m, 1.0) + special.ellipe(m)
    planar = 4.0 / (3.0 * np.pi * height) * (np.sqrt(1.0 + height**2) * bracket - 1.0)
    # Its limit for a flat one, to the order of the height squared.
    thin = np.minimum(relative, _THIN)
    flat = 2.0 * thin / np.pi * (np.log(4.0 / thin) - 0.5)
    return np.asarray(np.where(relative < _THIN, flat, planar))


def magnetization_ratio(temperature: FloatArray, curie: FloatArray, exponent: FloatArray) -> FloatArray:
    """Ms(T)/Ms(300 K) by a generalized Bloch law, for temperatures (K) below the Curie temperature."""
    return (1.0 - (temperature / curie) ** exponent) / (1.0 - (REFERENCE_TEMPERATURE / curie) ** exponent)


def effective_anisotropy(
    interfacial: FloatArray,
    thickness: FloatArray,
    magnetization: FloatArray,
    diameter: FloatArray,
    aspect_ratio: float = 1.0,
    method: Demagnetization = "exact",
) -> FloatArray:
    """Effective perpendicular anisotropy K_eff, J/m^3; negative if the easy direction is in the plane.

    For an ellipse it is that towards the long axis, over which the path from P to AP passes.

    Parameters
    ----------
    interfacial : ndarray
        Ki, J/m^2.
    thickness, diameter : ndarray
        Of the free layer, m.
    magnetization : ndarray
        Saturation magnetization Ms, A/m.
    aspect_ratio : float
        Long over short axis of the junction, 1 to 5; `diameter` is that of the circle of equal area.
    method : {"exact", "sato-ishii"}, optional
        See `demagnetizing_factors`.
    """
    nx, _, nz = demagnetizing_factors_elliptic(thickness, diameter, aspect_ratio, method)
    # K_eff = Ki/t - mu0 (Nz - Nx) Ms^2 / 2, see [2] for the film (Nz = 1, Nx = 0).
    return interfacial / thickness - 0.5 * constants.mu_0 * (nz - nx) * magnetization**2


def interfacial_anisotropy(
    effective: FloatArray,
    thickness: FloatArray,
    magnetization: FloatArray,
    diameter: FloatArray | None,
    method: Demagnetization = "exact",
) -> FloatArray:
    """Interfacial anisotropy Ki, J/m^2, of a disc whose effective anisotropy is known.

    Parameters
    ----------
    effective : ndarray
        K_eff, J/m^3.
    thickness, magnetization : ndarray
        m and A/m.
    diameter : ndarray or None
        m; None for a film that is not patterned.
    method : {"exact", "sato-ishii"}, optional
        See `demagnetizing_factors`.
    """
    if diameter is None:
        return thickness * (effective + 0.5 * constants.mu_0 * magnetization**2)
    shape = effective_anisotropy(np.asarray(0.0), thickness, magnetization, diameter, method=method)
    return thickness * (effective - shape)


def anisotropy_field(anisotropy: FloatArray, magnetization: FloatArray) -> FloatArray:
    """Effective anisotropy field mu0 Hk = 2 K_eff / Ms, T."""
    return 2.0 * anisotropy / magnetization


def in_plane_field(magnetization: FloatArray, nx: FloatArray, ny: FloatArray) -> FloatArray:
    """Shape anisotropy field of an ellipse in its plane, mu0 Ms (Ny - Nx), T; 0 for a circle."""
    return constants.mu_0 * magnetization * (ny - nx)


def thermal_stability(anisotropy: FloatArray, volume: FloatArray, temperature: FloatArray) -> FloatArray:
    """Thermal stability Delta = K_eff V / (kB T), which equals mu0 Ms Hk V / (2 kB T); dimensionless."""
    return anisotropy * volume / (constants.k * temperature)


def relaxation_time(damping: FloatArray, field: FloatArray) -> FloatArray:
    """Time t_D, the unit of reduced time, s: (1 + alpha^2) / (alpha gamma mu0 Hk), field in T."""
    return (1.0 + damping**2) / (damping * GAMMA * field)
