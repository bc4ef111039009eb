r"""Error rates of macrospins without symmetry from the Fokker-Planck equation on the sphere.

A reference for ensembles and splitting. It has no random numbers and uses nothing of `mtjchar`. Fields are in
units of the anisotropy field B_k between z and x, times in units of t_D = (1 + alpha^2)/(alpha gamma B_k).
The density rho(m) on the unit sphere obeys [1]_, [2]_

.. math:: \dot\rho = -\nabla \cdot (\rho\, w \times m) + \frac{1}{2\Delta} \nabla^2 \rho,           (1)

    w = [B_1 + m x B_2]/alpha,                                                                        (2)
    B_1 = h + m_z z - s m_y y + (beta - alpha) a p,   B_2 = alpha B_1 + (1 + alpha^2) a p,            (3)

with the external field h, the ellipse s = mu0 Ms (Ny - Nx)/B_k, and for each torque the strength a = a_J/B_k,
the direction p and the field-like ratio beta. Equations 2 and 3 are Gilbert's equation solved for dm/dt
= w x m. The diffusion is the one that makes exp(-E/kT) stationary without torques [1]_.

With the rotations R = m x nabla, div(rho w x m) is the sum of R_j (w_j rho) over x, y and z, and the
Laplacian that of R_j^2. On spherical harmonics all are sparse [3]_: R = i L with the angular momentum L,

    L_z Y_lm = m Y_lm,   (L_x + i L_y) Y_lm = sqrt(l(l + 1) - m(m + 1)) Y_l,m+1,                      (4)
    z Y_lm = c_l+1,m Y_l+1,m + c_lm Y_l-1,m,   c_lm = sqrt((l^2 - m^2)/(4 l^2 - 1)),                  (5)
    x = -i [L_y, z],   y = i [L_x, z].                                                                (6)

Equations 1 to 6 give a matrix on all harmonics up to a degree. The exponential of it takes the density
through a pulse of constant drive. At a stability of 30 rates change by less than 1e-10 between the
degrees 70 and 85.

References
----------
.. [1] W. F. Brown, Phys. Rev. 130, 1677 (1963), doi:10.1103/PhysRev.130.1677.
.. [2] W. T. Coffey, Y. P. Kalmykov, J. Appl. Phys. 112, 121301 (2012), doi:10.1063/1.4754272.
.. [3] A. R. Edmonds, Angular Momentum in Quantum Mechanics, Princeton (1957), chapter 2.
   Equation 5 is DLMF 14.10.3 with normalized functions, https://dlmf.nist.gov/14.10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import expm_multiply, splu

FloatArray = npt.NDArray[np.float64]
Vector = tuple[float, float, float]

_REST = 10.0  # t_D, of an implicit step of the relaxation
_RESTS = 6


class Layer(NamedTuple):
    """Free layer: stability Delta, damping, external field over B_k, ellipse s."""

    stability: float
    damping: float
    field: Vector = (0.0, 0.0, 0.0)
    ellipse: float = 0.0


class Torque(NamedTuple):
    """Torque towards a direction: a_J/B_k, p, beta."""

    strength: float
    direction: Vector
    field_like: float = 0.0


def error_rates(
    layer: Layer,
    torques: Sequence[Torque],
    durations: FloatArray,
    *,
    target: float,
    saddle: float = 0.0,
    degree: int = 60,
) -> FloatArray:
    """Write error rates of rectangular pulses, shape (durations,); durations in t_D, ascending.

    The start is Boltzmann's distribution beyond `saddle` (m_z) on the side that is not the target (1 or -1).
    Thermal hops over the barrier at rest do not count, see `ends_there`. Rates are defined up to about
    exp(-the barrier at rest).
    """
    side = (-1.0, saddle) if target > 0.0 else (saddle, 1.0)
    wrong = ends_there(layer, side, degree)
    density = projected(lambda m: np.exp(-energy(layer, m) - layer.stability), side, degree)
    density /= density[0] * np.sqrt(4.0 * np.pi)
    driven = generator(layer, torques, degree)
    rates = []
    for time in np.diff(durations, prepend=0.0):
        density = expm_multiply(time * driven, density)
        rates.append(float(wrong @ density))
    return np.array(rates)


def energy(layer: Layer, m: FloatArray) -> FloatArray:
    """Energy of states (3, ...) over kB T, 0 along x without field."""
    along = np.tensordot(np.array(layer.field), m, 1)
    return np.asarray(-layer.stability * (m[2] ** 2 - layer.ellipse * m[1] ** 2 + 2.0 * along))


def ends_there(layer: Layer, side: tuple[float, float], degree: int) -> FloatArray:
    """Probability to end between two m_z without drive, of each state: coefficients of a function of m.

    It obeys the adjoint equation. Only the end counts, so long steps of implicit Euler will do: each divides
    all that relaxes at a rate above 1/t_D by at least 11. Thermal hops grow linearly in time: twice the
    probability after some steps, less that after twice as many, has none.
    """
    at_rest = generator(layer, (), degree)
    solver = splu(sparse.csc_array(sparse.eye_array(at_rest.shape[0]) - _REST * at_rest.T))
    after = [projected(lambda m: np.ones(m.shape[1:]), side, degree)]
    for _ in range(2 * _RESTS):
        after.append(solver.solve(after[-1]))
    return np.asarray(2.0 * after[_RESTS] - after[2 * _RESTS])


def generator(layer: Layer, torques: Sequence[Torque], degree: int) -> Any:
    """Sparse matrix of equation 1 on the real harmonics up to a degree, per t_D."""
    # Two degrees more, so that products of components are exact in the part that is kept.
    m, rotation = operators(degree + 2)
    one, alpha = sparse.eye_array(m[0].shape[0]), layer.damping
    h = layer.field
    field = [h[0] * one, h[1] * one - layer.ellipse * m[1], h[2] * one + m[2]]
    pull = [0.0 * one] * 3
    for torque in torques:
        for j, p in enumerate(torque.direction):
            field[j] = field[j] + (torque.field_like - alpha) * torque.strength * p * one
            pull[j] = pull[j] + (1.0 + alpha**2) * torque.strength * p * one
    second = [alpha * first + more for first, more in zip(field, pull, strict=True)]  # equation 3
    total = 0.0 * one
    for j in range(3):
        k, n = (j + 1) % 3, (j + 2) % 3
        turn = (field[j] + m[k] @ second[n] - m[n] @ second[k]) / alpha  # equation 2
        total = total + rotation[j] @ (rotation[j] / (2.0 * layer.stability) - turn)  # equation 1
    kept = sparse.csr_array(total)[: (degree + 1) ** 2, : (degree + 1) ** 2]
    kept.data[np.abs(kept.data) < 1e-12] = 0.0
    kept.eliminate_zeros()
    return kept


def operators(degree: int) -> tuple[list[Any], list[Any]]:
    """Products with x, y, z and rotations around x, y, z, as sparse matrices on the real harmonics."""
    ell, m = _degrees(degree)
    shape, row = (len(ell), len(ell)), np.arange(len(ell))
    up, low = row[m < ell], row[ell < degree]
    raising: Any = sparse.csr_array((np.sqrt(1.0 * (ell * (ell + 1) - m * (m + 1))[up]), (up + 1, up)), shape)
    lx, ly = 0.5 * (raising + raising.T), -0.5j * (raising - raising.T)  # equation 4
    lz: Any = sparse.csr_array((m.astype(np.float64), (row, row)), shape)
    z: Any = sparse.csr_array((_coupling(ell[low] + 1, m[low]), (low + 2 * ell[low] + 2, low)), shape)
    z = z + z.T  # equation 5
    x, y = -1j * (ly @ z - z @ ly), 1j * (lx @ z - z @ lx)  # equation 6
    real = _real(degree)

    def changed(matrix: Any) -> Any:
        return sparse.csr_array((real.conj() @ matrix @ real.T).real)

    return [changed(each) for each in (x, y, z)], [changed(1j * each) for each in (lx, ly, lz)]


def projected(
    function: Callable[[FloatArray], FloatArray], side: tuple[float, float], degree: int
) -> FloatArray:
    """Coefficients on the real harmonics of a function of m (3, ...) that is 0 outside two m_z."""
    points, weight = np.polynomial.legendre.leggauss(4 * degree)
    half = 0.5 * (side[1] - side[0])
    z, weight = side[0] + half * (points + 1.0), half * weight
    angle = 2.0 * np.pi * np.arange(4 * degree) / (4 * degree)
    sine = np.sqrt(1.0 - z**2)
    m = np.stack(
        [np.outer(sine, np.cos(angle)), np.outer(sine, np.sin(angle)), np.outer(z, np.ones(len(angle)))]
    )
    # Columns: integrals over the azimuth with exp(-i m phi), times the weights of z.
    around = np.fft.fft(function(m), axis=1) * (2.0 * np.pi / len(angle)) * weight[:, None]
    found = np.zeros((degree + 1) ** 2, dtype=complex)
    diagonal = np.full(len(z), np.sqrt(0.25 / np.pi))
    for order in range(degree + 1):
        # Y_mm from Y_m-1,m-1 (Condon and Shortley's sign), higher degrees by equation 5.
        if order:
            diagonal = -diagonal * sine * np.sqrt((2 * order + 1) / (2 * order))
        before, here = np.zeros(len(z)), diagonal
        for each in range(order, degree + 1):
            found[each * (each + 1) + order] = here @ around[:, order]
            found[each * (each + 1) - order] = (-1) ** order * (here @ around[:, -order])
            after = z * here - _coupling(each, order) * before
            before, here = here, after / _coupling(each + 1, order)
    return np.asarray((_real(degree).conj() @ found).real)


def _degrees(degree: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Degree l and order m of each harmonic; number l (l + 1) + m."""
    ell = np.repeat(np.arange(degree + 1), 2 * np.arange(degree + 1) + 1)
    return ell, np.arange(len(ell)) - ell * (ell + 1)


def _coupling(ell: npt.ArrayLike, m: npt.ArrayLike) -> FloatArray:
    """c_lm of equation 5."""
    ell, m = np.asarray(ell, dtype=np.float64), np.asarray(m, dtype=np.float64)
    return np.asarray(np.sqrt((ell * ell - m * m) / (4.0 * ell * ell - 1.0)))


def _real(degree: int) -> Any:
    """Real harmonics as sums of complex ones: sqrt(2) times their real (m > 0) or imaginary part (m < 0)."""
    _, m = _degrees(degree)
    row = np.arange(len(m))
    plus, zero = row[m > 0], row[m == 0]
    minus, sign = plus - 2 * m[plus], (-1.0) ** m[plus]
    root = np.sqrt(0.5) * np.ones(len(plus))
    value = np.concatenate([np.ones(len(zero)), root * sign, root, -1j * root * sign, 1j * root])
    place = np.concatenate([zero, plus, plus, minus, minus]), np.concatenate([zero, plus, minus, plus, minus])
    return sparse.csr_array((value, place), (len(m), len(m)))
