r"""Barrier of a free layer that is too wide to reverse as one macrospin.

A small disc reverses coherently, over the barrier K_eff V. A larger one reverses by a domain wall that sweeps
through it [1]_. The wall has the energy 4 sqrt(A K_eff) per area [2]_, and is longest in the middle of the
disc, where its length is the diameter d:

.. math:: E = 4 \sqrt{A K_\mathrm{eff}}\, d\, t.                                                     (1)

Equation 1 is below K_eff V = K_eff pi/4 d^2 t if

.. math:: d > \frac{16}{\pi} \sqrt{A/K_\mathrm{eff}}.                                                (2)

Junctions of CoFeB and MgO were measured whose stability does not depend on the diameter, 44 nm to 81 nm, and
is proportional to the thickness [3]_, [4]_. Their authors describe this by a sub-volume whose reversal starts
that of the layer: E = K_eff pi/4 d_n^2 t with a fixed diameter d_n, equation 3.

In each case the barrier over K_eff V is the share of the volume that fluctuates as one macrospin.

References
----------
.. [1] G. D. Chaves-O'Flynn, E. Vanden-Eijnden, D. L. Stein, A. D. Kent, J. Appl. Phys. 113, 023912 (2013),
   arXiv:1208.5233: reversal by a wall; the barrier of a disc rises with its size beyond the critical size,
   but less, and is below that of coherent reversal.
.. [2] A. Hubert and R. Schaefer, Magnetic Domains (Springer, 1998): the Bloch wall.
.. [3] H. Sato et al., Appl. Phys. Lett. 99, 042501 (2011), doi:10.1063/1.3617429.
.. [4] H. Sato et al., arXiv:1208.5828: 48 nm to 81 nm.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray

__all__ = ["anisotropy_of_barrier", "coherent_share", "critical_diameter"]


def critical_diameter(anisotropy: npt.ArrayLike, exchange_stiffness: npt.ArrayLike) -> FloatArray:
    """Diameter beyond which the barrier of a domain wall is below the coherent one, m: equation 2.

    Parameters
    ----------
    anisotropy : array_like
        K_eff, J/m^3.
    exchange_stiffness : array_like
        A, J/m; infinite for coherent reversal at any size.

    Returns
    -------
    ndarray
        Infinite where K_eff is not positive, because there is no barrier then.
    """
    energy, stiffness = _floats(anisotropy, exchange_stiffness)
    positive = energy > 0.0
    length = np.sqrt(stiffness / np.where(positive, energy, 1.0))
    return np.where(positive, 16.0 / np.pi * length, np.inf)


def coherent_share(
    anisotropy: npt.ArrayLike,
    diameter: npt.ArrayLike,
    exchange_stiffness: npt.ArrayLike = np.inf,
    nucleation_diameter: npt.ArrayLike = np.inf,
    aspect_ratio: float = 1.0,
) -> FloatArray:
    """Share of a free layer that fluctuates as one macrospin: its barrier over K_eff V, above 0, at most 1.

    Parameters
    ----------
    anisotropy : array_like
        K_eff, J/m^3; any shapes that broadcast.
    diameter : array_like
        m, of the circle of equal area.
    exchange_stiffness : array_like, optional
        A, J/m; infinite if no domain wall forms.
    nucleation_diameter : array_like, optional
        Diameter d_n of the sub-volume that starts the switching, m; infinite if there is none.
    aspect_ratio : float, optional
        Long over short axis of the junction. A wall crosses it along the short one.

    Notes
    -----
    The smallest of the three barriers counts. With exchange and a local K_eff alone, the barrier of a disc
    is a smooth function of d/sqrt(A/K_eff). Solved numerically, it leaves the coherent one at 3.68 and
    approaches the wall's from below. The smaller of both is an upper bound: it is exact for small and large
    discs, and 13 % too high at the crossing (equation 2), where it is worst.

    Examples
    --------
    >>> float(coherent_share(1e5, 144e-9, 20e-12).round(4))
    0.5002
    """
    width, nucleus = _floats(diameter, nucleation_diameter)
    # The wall is shorter than the diameter by the root of the aspect ratio.
    wall = critical_diameter(anisotropy, exchange_stiffness) / (width * np.sqrt(aspect_ratio))
    return np.asarray(np.minimum(np.minimum(wall, (nucleus / width) ** 2), 1.0))


def anisotropy_of_barrier(
    barrier: npt.ArrayLike,
    diameter: npt.ArrayLike,
    thickness: npt.ArrayLike,
    exchange_stiffness: npt.ArrayLike = np.inf,
    nucleation_diameter: npt.ArrayLike = np.inf,
) -> FloatArray:
    """Effective anisotropy K_eff, J/m^3, of a circular free layer whose barrier (J) is known.

    The inverse of `coherent_share`, for the same arguments, and the thickness in m. K_eff is negative where
    the barrier is.
    """
    energy, width, height = _floats(barrier, diameter, thickness)
    stiffness, nucleus = _floats(exchange_stiffness, nucleation_diameter)
    started = 0.25 * np.pi * width**2 * np.minimum((nucleus / width) ** 2, 1.0)
    coherent = energy / (started * height)
    # Every barrier rises with K_eff, so that the smallest of them needs the largest. Equation 1, for K_eff.
    wall = (np.maximum(energy, 0.0) / (4.0 * width * height)) ** 2 / stiffness
    return np.asarray(np.where(coherent > 0.0, np.maximum(coherent, wall), coherent))


def _floats(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    return tuple(np.asarray(value, dtype=np.float64) for value in values)
