r"""Back-hopping: a strong pulse that has written a bit destroys it again.

While the pulse is still on, the spin torque that holds the written state pulls the reference layer out of its
own state. The reference layer hops; the free layer, under the current that has written it, follows; and both
go on [1]_. Single-shot measurements show these two steps, and that the layer beside the barrier hops because
it is too weakly coupled to the rest of the reference system [2]_. A soft interface region is another
explanation of error rates that rise with the voltage [3]_. This module describes any of them by one macrospin
that can escape, with a critical current, a thermal stability and a relaxation time of its own.

The probability S that it has not escaped in a time is the write error rate of that macrospin,
`mtjchar.physics.long_pulses.write_error_rate`. It starts to compete once the bit is written. The whole
duration counts here, which makes the loss too high: the time after the write is shorter. The difference is
small in a pulse that is long compared with the write, as one with a low error rate is.

Every hop inverts the bit, and the next one begins anew. With the hazard -d ln S/dt for each, the number of
hops is Poisson distributed with the mean -ln S, and the bit is lost if the number is odd [4]_:

.. math:: E = \tfrac{1}{2} (1 - S^2).                                                            (1)

For rare hops this is the probability of one escape, 1 - S. After many hops the state is random: E = 1/2. A
hop after which the free layer does not follow is counted here, although the bit then survives: in [2]_ the
state after such a hop mostly relaxes back to the written one. Critical current and stability from error rates
contain that.

Write and loss are independent, and a hop does not repair a failed write:

.. math:: \mathrm{WER}_{total} = 1 - (1 - \mathrm{WER}) (1 - E).                                 (2)

References
----------
.. [1] C. Abert et al., Back hopping in spin-transfer-torque devices, possible origin and counter measures,
   arXiv:1702.06604.
.. [2] T. Devolder et al., Phys. Rev. B 102, 184406 (2020), doi:10.1103/PhysRevB.102.184406, arXiv:2006.05108.
.. [3] C. Safranski and J. Z. Sun, arXiv:1905.13253.
.. [4] J. R. Norris, Markov Chains, Cambridge University Press (1997), example 1.1.4,
   doi:10.1017/CBO9780511810633, with both rates equal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray
from mtjchar.physics import long_pulses
from mtjchar.physics.fokker_planck import at_constant_overdrive

__all__ = ["combined", "log_survival", "loss_probability"]


def log_survival(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    """Natural logarithm of the probability S that the competing macrospin has not escaped.

    `mtjchar.physics.rate_table.log_error_rate` returns the same from a table, for fits.

    Parameters
    ----------
    overdrive : array_like
        Current over the critical current of the competing escape, I/I_b. Values outside -1 to 50 are replaced
        by the nearer limit.
    stability : array_like
        Thermal stability of the competing macrospin, 5 to 250.
    reduced_time : array_like
        Time over its relaxation time, at least 0, without an upper limit.

    Returns
    -------
    ndarray
        At most 0, of the shape that the arguments broadcast to: minus the mean number of hops. Rare escapes
        have the relative accuracy of `mtjchar.physics.long_pulses.log_exponent`.

    Raises
    ------
    InputError
        For values that are not finite, or a stability or time out of range.
    """
    i = np.clip(np.asarray(overdrive, dtype=np.float64), *long_pulses.OVERDRIVE)
    with np.errstate(over="ignore"):
        exponent = at_constant_overdrive(long_pulses.log_exponent, i, stability, reduced_time)
        return np.asarray(-np.exp(exponent))


def loss_probability(log_survival: npt.ArrayLike) -> FloatArray:
    """Probability E that hops have inverted the bit at the end of the pulse, equation 1.

    Parameters
    ----------
    log_survival : array_like
        Natural logarithm of the probability of no hop, at most 0.

    Returns
    -------
    ndarray
        0 to 1/2, with a relative accuracy of rounding however small it is.

    Examples
    --------
    >>> loss_probability([0.0, -1.0, -np.inf]).round(4).tolist()
    [0.0, 0.4323, 0.5]
    """
    return np.asarray(0.0 - 0.5 * np.expm1(2.0 * np.asarray(log_survival, dtype=np.float64)))


def combined(log_error_rate: npt.ArrayLike, log_survival: npt.ArrayLike) -> FloatArray:
    """Natural logarithm of the error rate of a write that back-hopping can undo, equation 2.

    Parameters
    ----------
    log_error_rate : array_like
        Natural logarithm of the error rate without back-hopping, at most 0; minus infinity is allowed.
    log_survival : array_like
        Natural logarithm of the probability of no hop, at most 0; 0 is no back-hopping.

    Returns
    -------
    ndarray
        At most 0, of the shape that the arguments broadcast to. Error rates far below 1, and distances from 1
        far below 1, keep their relative accuracy. Without back-hopping it is `log_error_rate` itself.

    Examples
    --------
    >>> [f"{rate:.6g}" for rate in np.exp(combined(np.log([1e-15, 1e-3, 1.0]), -2e-15))]
    ['3e-15', '0.001', '1']
    """
    failed = np.asarray(log_error_rate, dtype=np.float64)
    lost = loss_probability(log_survival)
    written = -np.expm1(np.minimum(failed, 0.0))  # rounding may put the logarithm of a rate of 1 above 0
    with np.errstate(divide="ignore"):
        low = np.logaddexp(failed, np.log(written) + np.log(lost))
        high = np.log1p(-written * (1.0 - lost))
    return np.asarray(np.where(lost > 0.0, np.where(low < np.log(0.5), low, high), failed))
