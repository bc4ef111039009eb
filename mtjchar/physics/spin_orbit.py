r"""Spin-orbit torque of a current in a channel below the free layer.

The current in a heavy metal injects spins into the free layer [1]_. Their polarization sigma is a unit vector
along (normal of the film) x (current). J is the current density, theta the spin Hall angle, and beta the
field-like ratio. The torque is

.. math:: \dot m_{SOT} = -\gamma B_{DL}\, m \times (m \times \sigma) - \gamma \beta B_{DL}\, m \times \sigma,

    B_DL = hbar theta J/(2 e Ms t).                                                                   (1)

`llgs` adds this torque to that of the current through the junction. The section "Spin-orbit torque" of
docs/torque.md defines all signs. A positive current along x with a positive theta pulls m towards y. With a
field along x it favours P, m_z = +1.

References
----------
.. [1] L. Liu, O. J. Lee, T. J. Gudmundsen, D. C. Ralph, R. A. Buhrman, Phys. Rev. Lett. 109, 096602 (2012),
   doi:10.1103/PhysRevLett.109.096602.
.. [2] K.-S. Lee, S.-W. Lee, B.-C. Min, K.-J. Lee, Appl. Phys. Lett. 102, 112410 (2013),
   doi:10.1063/1.4798288, arXiv:1210.3442.
.. [3] J. Z. Sun, Phys. Rev. B 62, 570 (2000), doi:10.1103/PhysRevB.62.570.
.. [4] L. You et al., Proc. Natl. Acad. Sci. 112, 10310 (2015), doi:10.1073/pnas.1507474112.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import constants

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.physics._macrospin import Vector

__all__ = [
    "SpinOrbitTorque",
    "channel_resistance",
    "current_density",
    "damping_like_field",
    "in_plane_threshold_field",
    "linear_perpendicular_threshold_field",
    "perpendicular_threshold_field",
    "polarization",
]


@dataclass(frozen=True)
class SpinOrbitTorque:
    """Torque of the channel on a macrospin, SI units.

    Parameters
    ----------
    field_per_current : float
        Damping-like field over the current in the channel, T/A. Its sign is that of the spin Hall angle. See
        `of_channel`.
    polarization : tuple of float
        Direction sigma of the spins for a positive current, a unit vector; see `polarization`.
    field_like : float
        Ratio beta of the field along sigma to the damping-like field. It can include the magnetic field of
        the current itself. Above a wide channel of the thickness d this field is mu0 J d/2 along -sigma.

    Raises
    ------
    InputError
        For values that are not finite, or a direction that is not a unit vector.
    """

    field_per_current: float
    polarization: Vector = (0.0, 1.0, 0.0)
    field_like: float = 0.0

    def __post_init__(self) -> None:
        for name, allowed in (("field_per_current", "finite, in T/A"), ("field_like", "finite")):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise InputError(f"SpinOrbitTorque.{name}", value=value, allowed=allowed)
        direction = np.asarray(self.polarization, dtype=np.float64)
        if direction.shape != (3,) or not abs(float(direction @ direction) - 1.0) < 1e-6:
            raise InputError(
                "SpinOrbitTorque.polarization",
                value=self.polarization,
                allowed="three components of a unit vector",
            )

    @classmethod
    def of_channel(
        cls,
        spin_hall_angle: float,
        magnetization: float,
        free_layer_thickness: float,
        width: float,
        thickness: float,
        *,
        azimuth: float = 0.0,
        tilt: float = 0.0,
        field_like: float = 0.0,
    ) -> SpinOrbitTorque:
        """Torque of a channel whose current fills a cross section of `width` times `thickness` (m).

        The other parameters are those of `damping_like_field` and `polarization`.
        """
        field = damping_like_field(
            1.0 / (width * thickness), spin_hall_angle, magnetization, free_layer_thickness
        )
        return cls(float(field), polarization(azimuth, tilt), field_like)

    @property
    def largest_field_per_current(self) -> float:
        """Magnitude of both fields together over the current, T/A."""
        return abs(self.field_per_current) * math.hypot(1.0, self.field_like)


def polarization(azimuth: float = 0.0, tilt: float = 0.0) -> Vector:
    """Direction sigma of the injected spins, (normal of the film) x (current).

    Parameters
    ----------
    azimuth : float
        Direction of a positive current in the plane of the film, rad from x towards y.
    tilt : float
        Angle of sigma out of the xy plane towards z, rad. It describes a perpendicular layer whose easy
        axis z is tilted by this angle from the normal of the film, across the current [4]_. It also describes
        a channel that injects spins with a component along z.

    Examples
    --------
    >>> tuple(round(each, 3) for each in polarization())
    (-0.0, 1.0, 0.0)
    """
    return -math.sin(azimuth) * math.cos(tilt), math.cos(azimuth) * math.cos(tilt), math.sin(tilt)


def damping_like_field(
    density: npt.ArrayLike,
    spin_hall_angle: npt.ArrayLike,
    magnetization: npt.ArrayLike,
    thickness: npt.ArrayLike,
) -> FloatArray:
    """Damping-like field B_DL of a current density in the channel, T.

    Parameters
    ----------
    density : array_like
        Current density J in the channel, A/m^2.
    spin_hall_angle : array_like
        Spin Hall angle theta: spin current that the free layer absorbs over charge current, with sign.
    magnetization : array_like
        Ms, A/m.
    thickness : array_like
        Thickness t of the free layer, m.

    Examples
    --------
    >>> float(damping_like_field(1e12, 0.3, 1e6, 1e-9).round(4))
    0.0987
    """
    theta, moment = _array(spin_hall_angle), _array(magnetization) * _array(thickness)
    # [2]: hbar theta J/(2 e Ms t).
    return np.asarray(constants.hbar * theta * _array(density) / (2.0 * constants.e * moment))


def current_density(
    field: npt.ArrayLike,
    spin_hall_angle: npt.ArrayLike,
    magnetization: npt.ArrayLike,
    thickness: npt.ArrayLike,
) -> FloatArray:
    """Compute the current density, A/m^2, of a damping-like field (T); inverse of `damping_like_field`."""
    return np.asarray(_array(field) / damping_like_field(1.0, spin_hall_angle, magnetization, thickness))


def channel_resistance(
    resistivity: npt.ArrayLike, thickness: npt.ArrayLike, width: npt.ArrayLike, length: npt.ArrayLike
) -> FloatArray:
    """Resistance between the ends of the channel, ohm, from the resistivity (ohm m) and lengths (m).

    The junction is at the middle of the channel. If one end of the channel is open, the junction and half of
    the channel are in series between the reference layer and the other end.

    Examples
    --------
    >>> float(channel_resistance(2e-6, 4e-9, 80e-9, 160e-9).round(3))
    1000.0
    """
    return np.asarray(_array(resistivity) * _array(length) / (_array(width) * _array(thickness)))


def perpendicular_threshold_field(anisotropy_field: npt.ArrayLike, field: npt.ArrayLike) -> FloatArray:
    """Damping-like field B_DL above which a perpendicular layer leaves its state, T.

    Parameters
    ----------
    anisotropy_field : array_like
        Effective field B_k of the perpendicular layer, T, positive. It includes the demagnetization.
    field : array_like
        Field B_x along the current, T, from -B_k to B_k. It is positive if field and current together favour
        the other state, and negative if they favour the present state.

    Notes
    -----
    The threshold is without noise, for a current that rises slowly, with sigma in the plane and without
    field-like torque. Then m turns in the plane of z and the current, where it is perpendicular to sigma. m
    has a stable direction as long as B_DL < B_k sin(theta) cos(theta) - B_x cos(theta) at some angle theta to
    z. The largest value of the right side is the threshold. It does not depend on the damping. With a fast
    rise and a damping below about 0.03, precession leads to lower thresholds [2]_.
    """
    scale = _array(anisotropy_field)
    h = _array(field) / scale
    # The derivative vanishes at this sine. The square of the result is that of [2],
    # (Hk^2/32) [8 + 20 h^2 - h^4 - h (8 + h^2)^(3/2)].
    sine = 0.25 * (h + np.sqrt(8.0 + h**2))
    return np.asarray(scale * np.sqrt(1.0 - np.minimum(sine, 1.0) ** 2) * (sine - h))


def linear_perpendicular_threshold_field(anisotropy_field: npt.ArrayLike, field: npt.ArrayLike) -> FloatArray:
    """Threshold of `perpendicular_threshold_field` to first order in the field, B_k/2 - B_x/sqrt(2), T.

    Its value is too low by 1.9 % at B_x = 0.22 B_k, by 10 % at 0.4 B_k, and by 0.8 % at -0.22 B_k.
    """
    # [2]: J_c = (2 e/hbar) (Ms t/theta) (Hk/2 - Hx/sqrt(2)), for fields along the current far below Hk.
    return np.asarray(0.5 * _array(anisotropy_field) - _array(field) / math.sqrt(2.0))


def in_plane_threshold_field(
    damping: npt.ArrayLike,
    in_plane_field: npt.ArrayLike,
    out_of_plane_field: npt.ArrayLike,
    *,
    along: npt.ArrayLike = 0.0,
    field_like: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Damping-like field B_DL above which a layer with its easy axis across the current precesses away, T.

    Parameters
    ----------
    damping : array_like
        Gilbert damping alpha.
    in_plane_field, out_of_plane_field : array_like
        Fields B_1 and B_2 of anisotropy and shape, T, positive. B_1 is between the easy axis and the other
        axis in the plane, B_2 between the easy axis and the normal of the film.
    along : array_like
        External field B along the magnetization, T. It is negative if it favours the other state.
    field_like : array_like
        Ratio beta.

    Notes
    -----
    The threshold is without noise, with sigma against m. The trace of the linearized equation is twice the
    rate at which the precession around the easy axis grows. It vanishes at
    (1 + alpha beta) B_DL = alpha [B + (B_1 + B_2)/2], the condition of an in-plane spin valve [3]_. The
    formula holds while the motion is a precession, that is while alpha and beta B_DL are small.
    """
    alpha = _array(damping)
    mean = _array(along) + 0.5 * (_array(in_plane_field) + _array(out_of_plane_field))
    # [3], the damping of the mean stiffness field balances the damping-like torque.
    return np.asarray(alpha * mean / (1.0 + alpha * _array(field_like)))


def _array(value: npt.ArrayLike) -> FloatArray:
    return np.asarray(value, dtype=np.float64)
