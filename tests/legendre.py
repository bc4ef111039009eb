"""The Fokker-Planck equation of the axially symmetric macrospin in Legendre polynomials of m_z.

A reference that shares no code with the package: a Galerkin method for the density, steps of constant drive
by the exponential of a matrix.
"""

import numpy as np
from numpy.polynomial import chebyshev, legendre
from scipy.linalg import expm

_TERMS = 100
_Z, _WEIGHT = legendre.leggauss(4 * _TERMS)
_P = legendre.legvander(_Z, _TERMS - 1)
_SLOPE = np.stack([legendre.legval(_Z, legendre.legder(row)) for row in np.eye(_TERMS)], axis=1)
_NORM = (2 * np.arange(_TERMS) + 1) / 2


def _flow(values):
    """Matrix of d/dz of (1 - z^2) times a flow that is given for each polynomial."""
    return -_NORM[:, None] * (_SLOPE.T @ ((_WEIGHT * (1 - _Z**2))[:, None] * values))


def error_rate(stability, pieces, relaxation=14.0):
    """Probability that a write fails.

    d rho/d tau = d/dz [(i - z)(1 - z^2) rho + (1 - z^2)/(2 Delta) d rho/dz], from exp(-Delta (1 - z^2)) at
    z > 0 (W. H. Butler et al., doi:10.1109/TMAG.2012.2209122). `pieces` are pairs of i(z), given at points
    that are Chebyshev's, and of a reduced time; then it relaxes without drive.
    """
    rest = _flow(-_Z[:, None] * _P + _SLOPE / (2 * stability))
    density = np.where(_Z > 0, np.exp(-stability * (1 - _Z**2)), 0.0)
    terms = _NORM * (_P.T @ (_WEIGHT * density))
    terms /= 2 * terms[0]
    for overdrive, time in [*pieces, (np.zeros(1), relaxation)]:
        points = chebyshev.chebpts1(len(overdrive))
        drive = chebyshev.chebval(_Z, chebyshev.chebfit(points, overdrive, len(overdrive) - 1))
        terms = expm(time * (rest + _flow(drive[:, None] * _P))) @ terms
    fine, weight = legendre.leggauss(4 * _TERMS)
    return float(terms @ (legendre.legvander(0.5 * (fine + 1), _TERMS - 1).T @ (0.5 * weight)))
