"""The macrospin: its parameters, its energy and its thermal equilibrium.

References
----------
.. [1] W. F. Brown, Phys. Rev. 130, 1677 (1963), doi:10.1103/PhysRev.130.1677.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import constants

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.physics.anisotropy import GAMMA

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Macrospin:
    """A free layer that rotates coherently, SI units.

    Parameters
    ----------
    magnetization : float
        Saturation magnetization Ms, A/m, positive.
    volume : float
        m^3, positive.
    damping : float
        Gilbert damping alpha, 0 to 1.
    anisotropy_field : float
        Field mu0 Hk of the uniaxial anisotropy along z, T; positive if z is the easy direction. With
        all demagnetizing factors 0 this is the effective field of the film, including its shape.
    temperature : float
        K, at least 0; 0 switches the thermal field off.
    polarization : float
        Spin polarization P, 0 to 1.
    lambda_ : float
        Slonczewski's asymmetry Lambda, at least 1; 1 makes the torque symmetric.
    field_like : float
        Ratio of the field-like to the damping-like torque.
    demagnetizing : tuple of float
        Demagnetizing factors (Nx, Ny, Nz), each 0 to 1.
    reference : tuple of float
        Direction p of the reference layer, a unit vector.
    field : tuple of float
        External field, T.

    Raises
    ------
    InputError
        For values that are not finite or out of range.
    """

    magnetization: float
    volume: float
    damping: float
    anisotropy_field: float
    temperature: float = 300.0
    polarization: float = 0.6
    lambda_: float = 1.0
    field_like: float = 0.0
    demagnetizing: Vector = (0.0, 0.0, 0.0)
    reference: Vector = (0.0, 0.0, 1.0)
    field: Vector = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        tiny = np.finfo(float).tiny
        for name, low, high, allowed in (
            ("magnetization", tiny, np.inf, "finite, positive, in A/m"),
            ("volume", tiny, np.inf, "finite, positive, in m^3"),
            ("damping", 0.0, 1.0, "0 to 1"),
            ("anisotropy_field", -np.inf, np.inf, "finite, in T"),
            ("temperature", 0.0, np.inf, "finite, at least 0, in K"),
            ("polarization", 0.0, 1.0, "0 to 1"),
            ("lambda_", 1.0, np.inf, "finite, at least 1"),
            ("field_like", -np.inf, np.inf, "finite"),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise InputError(f"Macrospin.{name}", value=value, allowed=allowed)
        for name, allowed in (
            ("demagnetizing", "three factors, 0 to 1"),
            ("reference", "three components of a unit vector"),
            ("field", "three finite components, in T"),
        ):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            valid = value.shape == (3,) and bool(np.isfinite(value).all())
            if valid and name == "demagnetizing":
                valid = bool(np.all((value >= 0.0) & (value <= 1.0)))
            if valid and name == "reference":
                valid = abs(float(value @ value) - 1.0) < 1e-6
            if not valid:
                raise InputError(f"Macrospin.{name}", value=getattr(self, name), allowed=allowed)

    @property
    def torque_per_current(self) -> float:
        """Damping-like field per current at Lambda = 1, hbar P / (2 e Ms V), T/A."""
        return constants.hbar * self.polarization / (2.0 * constants.e * self.magnetization * self.volume)

    @property
    def effective_field(self) -> float:
        """Anisotropy field between z and x including the shape, mu0 (Hk - Ms (Nz - Nx)), T."""
        nx, _, nz = self.demagnetizing
        return self.anisotropy_field - constants.mu_0 * self.magnetization * (nz - nx)

    @property
    def stability(self) -> float:
        """Thermal stability Delta from `effective_field`; infinite at 0 K."""
        energy = 0.5 * self.magnetization * self.volume * self.effective_field
        return (
            energy / (constants.k * self.temperature) if self.temperature else math.copysign(np.inf, energy)
        )

    @property
    def relaxation_time(self) -> float:
        """Time t_D = (1 + alpha^2) / (alpha gamma mu0 Hk) from `effective_field`, s; infinite undamped."""
        rate = self.damping * GAMMA * self.effective_field
        return (1.0 + self.damping**2) / rate if rate else np.inf

    @property
    def critical_current(self) -> float:
        """Current that makes m = p unstable in the axial case at Lambda = 1, magnitude, A.

        From equation 2 for small angles; with `field_like` 0 it is Ic0 = 4 alpha e kB T Delta / (hbar P).
        """
        torque = (1.0 + self.damping * self.field_like) * self.torque_per_current
        return self.damping * self.effective_field / torque


def equilibrium(
    macrospin: Macrospin,
    walkers: int,
    rng: np.random.Generator,
    *,
    well: Vector = (0.0, 0.0, 1.0),
    least: float = 0.0,
) -> FloatArray:
    """Draw states from Boltzmann's distribution on one side of the sphere, without current.

    Parameters
    ----------
    macrospin : Macrospin
        The free layer, above 0 K.
    walkers : int
        Number of states, at least 1.
    rng : numpy.random.Generator
        The source of randomness.
    well : tuple of float
        Direction, any length, along the axis through the energy minimum, such as (0, 0, 1) or (0, 0, -1)
        for a perpendicular layer.
    least : float
        Only states whose cosine to `well` is above this value are drawn, -1 to below 1. In a field, the
        value of the saddle excludes the other well, see `mtjchar.physics.wells`.

    Returns
    -------
    ndarray, shape (3, walkers)
        Unit vectors, independent and exact (rejection sampling).

    Raises
    ------
    InputError
        At 0 K, for no walkers, for a direction without length, for `least` out of range.
    """
    length = float(np.linalg.norm(well))
    if macrospin.temperature == 0.0:
        raise InputError(
            "Macrospin.temperature", value=0.0, allowed="above 0 K here", remedy="At 0 K give the states."
        )
    if walkers < 1:
        raise InputError("walkers", value=walkers, allowed="at least 1")
    if np.shape(well) != (3,) or not (math.isfinite(length) and length > 0.0):
        raise InputError("well", value=well, allowed="three components of a vector with a length")

    if not -1.0 <= least < 1.0:
        raise InputError("least", value=least, allowed="a cosine from -1 to below 1")

    basis = _basis(np.asarray(well, dtype=np.float64) / length)
    floor, lowest = _energy_floor(macrospin, basis, least)
    directions: list[FloatArray] = []
    missing = walkers
    while missing > 0:
        proposals = min(64 * missing + 1024, 1 << 18)
        z = rng.uniform(lowest, 1.0, proposals)
        m = basis @ _on_sphere(z, rng.uniform(0.0, 2.0 * np.pi, proposals))
        accepted = rng.random(proposals) < np.exp(floor - energy(macrospin, m))
        directions.append(m[:, accepted][:, :missing])
        missing -= directions[-1].shape[1]
    return np.concatenate(directions, axis=1)


def thermal_diffusion(macrospin: Macrospin) -> float:
    """Variance per time of the thermal rotation around each transverse axis, 1/s."""
    alpha, energy = macrospin.damping, constants.k * macrospin.temperature
    # From sigma_B = sqrt(2 alpha kB T / (gamma Ms V dt)) [1], precession and damping added in squares.
    inertia = (1.0 + alpha**2) * macrospin.magnetization * macrospin.volume
    return 2.0 * alpha * GAMMA * energy / inertia


def _basis(axis: FloatArray) -> FloatArray:
    """Orthonormal vectors as columns, the last one parallel to `axis`."""
    other = np.eye(3)[int(np.argmin(np.abs(axis)))]
    first = np.cross(other, axis)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(axis, first), axis], axis=1)


def _on_sphere(z: FloatArray, azimuth: FloatArray) -> FloatArray:
    radius = np.sqrt(1.0 - z**2)
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), z])


def field_diagonal(macrospin: Macrospin, anisotropy: float) -> FloatArray:
    """Anisotropy and demagnetizing field per component of m, T, up to a multiple of m without effect."""
    nx, ny, nz = macrospin.demagnetizing
    scale = constants.mu_0 * macrospin.magnetization
    return np.array([0.0, -scale * (ny - nx), anisotropy - scale * (nz - nx)])


def energy(macrospin: Macrospin, m: FloatArray) -> FloatArray:
    """Energy of states (3, ...) in units of kB T, anisotropy, shape and field; 0 along x without field.

    A multiple of m.m is left out.
    """
    scale = macrospin.magnetization * macrospin.volume / (constants.k * macrospin.temperature)
    diagonal = field_diagonal(macrospin, macrospin.anisotropy_field)
    return -scale * (0.5 * diagonal @ m**2 + np.asarray(macrospin.field) @ m)


def _energy_floor(macrospin: Macrospin, basis: FloatArray, least: float) -> tuple[float, float]:
    """Lower bound of the energy (kB T) above a cosine, and the lowest cosine worth a proposal."""
    widest = math.acos(least)
    polar, azimuth = np.linspace(0.0, widest, 257), np.linspace(0.0, 2.0 * np.pi, 513)
    z, phi = (grid.ravel() for grid in np.meshgrid(np.cos(polar), azimuth, indexing="ij"))
    on_grid = energy(macrospin, basis @ _on_sphere(z, phi)).reshape(257, 513)
    # Between the points of the grid the minimum can be lower by at most curvature * distance^2 / 2.
    scale = macrospin.magnetization * macrospin.volume / (constants.k * macrospin.temperature)
    curvature = scale * (
        np.ptp(field_diagonal(macrospin, macrospin.anisotropy_field)) + np.linalg.norm(macrospin.field)
    )
    distance_squared = (0.5 * widest / 256) ** 2 + (np.pi / 512) ** 2
    floor = float(on_grid.min() - 0.5 * curvature * distance_squared)
    # States 40 kB T above the floor have a probability of 4e-18 per accepted state.
    reached = int(np.flatnonzero(on_grid.min(axis=1) < floor + 40.0).max())
    return floor, max(float(np.cos(polar[min(reached + 2, 256)])), least)
