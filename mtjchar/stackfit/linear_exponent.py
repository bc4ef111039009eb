r"""The conventional thermal stability: that of a barrier that falls linearly with the current.

Switching data are most often described by

.. math:: P = 1 - \exp\{-(t/\tau_0) \exp[-\Delta_{lin} (1 - I/I_{c0,lin})]\},\; \tau_0 = 1\,\mathrm{ns},   (1)

see [1]_. The barrier of a macrospin whose torque acts along the axis is Delta (1 - I/Ic0)^2 instead. Equation
1 therefore gives another Delta for the same device, which depends on the range of durations.

References
----------
.. [1] R. H. Koch, J. A. Katine, J. Z. Sun, Phys. Rev. Lett. 92, 088302 (2004),
   doi:10.1103/PhysRevLett.92.088302.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtjchar.physics import rate_table
from mtjchar.stackfit.film import Device

__all__ = ["ATTEMPT_TIME", "SHORTEST", "LinearExponent", "linear_exponent"]

ATTEMPT_TIME = 1e-9
"""tau_0, s."""

SHORTEST = 30.0
"""Duration over the relaxation time, below which switching is not thermally activated."""

_DURATIONS = 25
_OVERDRIVES = np.linspace(0.0, 1.0, 201)


class LinearExponent(NamedTuple):
    """Parameters of equation 1."""

    stability: float
    critical_current: float  # A


def linear_exponent(device: Device, durations: tuple[float, float]) -> LinearExponent:
    """Fit equation 1 to the median switching currents of a macrospin, by least squares over ln t.

    Parameters
    ----------
    device : Device
        Of the macrospin: Delta from 10 to 250, Ic0 in A, t_D in s.
    durations : tuple of float
        Shortest and longest pulse, s; the shortest should be above 30 t_D.

    Returns
    -------
    LinearExponent

    Examples
    --------
    >>> found = linear_exponent(Device(*map(np.asarray, (60.0, 50e-6, 1e-9))), (1e-7, 1e-3))
    >>> round(found.stability, 1), round(1e6 * found.critical_current, 1)
    (34.4, 42.2)
    """
    stability, critical_current, relaxation_time = map(float, device)
    time = np.geomspace(*durations, _DURATIONS)
    # Half of the writes succeed if the rate times the duration is ln 2; the rate rises with the overdrive.
    rate = rate_table.log_decay_rate(_OVERDRIVES, stability)
    overdrive = np.interp(np.log(np.log(2.0) * relaxation_time / time), rate, _OVERDRIVES)
    # (1) at P = 1/2: I/Ic0_lin = 1 - ln(t/(tau_0 ln 2))/Delta_lin, a straight line.
    reduced = np.log(time / (ATTEMPT_TIME * np.log(2.0)))
    intercept, slope = np.polynomial.polynomial.polyfit(reduced, overdrive, 1)
    return LinearExponent(float(-intercept / slope), float(intercept * critical_current))
