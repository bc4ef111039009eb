"""Two tunnel barriers in series, with a free layer between two reference layers.

The free layer has a reference layer on each side, behind a barrier each. A current that is positive from the
free to the first reference layer passes the second barrier from its reference layer to the free layer. Where
the second reference layer is antiparallel to the first, both torques act in the same direction [1]_, [2]_.
Where it is parallel, they oppose each other. Each barrier has its own resistance, TMR and torque; the same
current flows through both, and the voltage divides. Electrons tunnel through one barrier after the other; the
effect of spin that they keep in between is left out.

V_1 and V_2 are the voltages of the barriers, positive with the current. R_1 and R_2 are their resistances
with parallel layers at each of them. eta and epsilon are those of `mtjchar.physics.torque`. s is 1 for
antiparallel and -1 for parallel reference layers. The damping-like field along the first reference layer is

    a_J = hbar/(2 e Ms V_F) (eta_1 V_1/R_1 + s eta_2 V_2/R_2)        per voltage
    a_J = hbar/(e Ms V_F) (epsilon_1 + s P_2/2) I                    per current

Here it is given as the voltage, or the current, of the first barrier alone that has the same torque.

References
----------
.. [1] Z. Diao et al., Appl. Phys. Lett. 90, 132508 (2007), doi:10.1063/1.2717556 (abstract): two MgO barriers
   of different resistances, antiparallel reference layers, sequential tunnelling; Jc0 2 to 3 times smaller,
   and the directions more alike.
.. [2] D. C. Worledge, IEEE Magn. Lett. 8, 4306505 (2017), doi:10.1109/LMAG.2017.2707331 (abstract): up to ten
   times smaller switching currents, by the large torque per current of the antiparallel state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.physics import tunneling
from mtjchar.physics.torque import TorqueLaw, spin_torque_efficiency

__all__ = ["Barrier", "DoubleBarrier"]

_ROUNDS = 40  # of Newton's iteration with bisection; it is then exact to 1e-14


class Barrier(NamedTuple):
    """One tunnel barrier; arrays that broadcast.

    Attributes
    ----------
    parallel : ndarray
        Resistance with parallel layers, ohm.
    tmr : ndarray
        At zero bias.
    half_bias : ndarray
        Voltage that halves the TMR, V.
    """

    parallel: FloatArray
    tmr: FloatArray
    half_bias: FloatArray

    def current(self, voltage: FloatArray, cosine: FloatArray) -> FloatArray:
        """Return the current, A, at a voltage (V) of either sign and a cosine between its layers."""
        bias = tunneling.tmr_at_bias(self.tmr, voltage, self.half_bias)
        return np.asarray(voltage * tunneling.conductance(cosine, self.parallel, bias))

    def voltage(self, current: FloatArray, cosine: FloatArray) -> FloatArray:
        """Voltage, V, at a current (A) of either sign and a cosine between its layers."""
        own = tunneling.voltage_at_current(np.abs(current), cosine, self.parallel, self.tmr, self.half_bias)
        return np.asarray(np.sign(current) * own)

    def slope(self, voltage: FloatArray, cosine: FloatArray) -> FloatArray:
        """Differential conductance dI/dV, 1/ohm."""
        # I R/Vh = x (x^2 + 1 + a)/(x^2 + 1 + TMR), as in tunneling.voltage_at_current.
        square, a = (voltage / self.half_bias) ** 2, 0.5 * self.tmr * (1.0 + cosine)
        denominator = square + 1.0 + self.tmr
        share = (square + 1.0 + a) / denominator
        return np.asarray((share + 2.0 * square * (self.tmr - a) / denominator**2) / self.parallel)

    def resistance(self, cosine: FloatArray) -> FloatArray:
        """Resistance at zero bias, ohm."""
        return np.asarray(1.0 / tunneling.conductance(cosine, self.parallel, self.tmr))


class DoubleBarrier(NamedTuple):
    """Both barriers of a junction.

    Attributes
    ----------
    first, second : Barrier
    side : float
        Direction of the second reference layer along the first one: 1 parallel, -1 antiparallel.
    ratio : ndarray
        Efficiency eta of the second torque over that of the first.
    """

    first: Barrier
    second: Barrier
    side: FloatArray
    ratio: FloatArray

    def over(self, axes: int) -> DoubleBarrier:
        """Add axes of length 1 at the end of every array, for values over further quantities."""

        def wide(values: FloatArray) -> FloatArray:
            return values.reshape(values.shape + (1,) * axes) if values.ndim else values

        first, second = (Barrier(*map(wide, barrier)) for barrier in (self.first, self.second))
        return DoubleBarrier(first, second, self.side, wide(self.ratio))

    def first_voltage(self, voltage: FloatArray, m_z: FloatArray) -> FloatArray:
        """Voltage of the first barrier, V, of one across both (V); broadcasts."""
        total = np.abs(voltage)
        cosine = self.side * m_z
        shape = np.broadcast_shapes(total.shape, np.shape(cosine), np.shape(self.first.parallel))
        low, high = np.zeros(shape), np.broadcast_to(total, shape)
        resistances = self.first.resistance(m_z), self.second.resistance(cosine)
        found = np.asarray(high * resistances[0] / (resistances[0] + resistances[1]))
        for _ in range(_ROUNDS):
            # The current of the first barrier less that of the second rises with the voltage of the first.
            excess = self.first.current(found, m_z) - self.second.current(total - found, cosine)
            low, high = np.where(excess < 0.0, found, low), np.where(excess > 0.0, found, high)
            slope = self.first.slope(found, m_z) + self.second.slope(total - found, cosine)
            next_one = found - excess / slope
            inside = (next_one >= low) & (next_one <= high)
            next_one = np.where(inside, next_one, 0.5 * (low + high))
            if np.all(np.abs(next_one - found) <= 1e-14 * total):
                break
            found = next_one
        return np.asarray(np.sign(voltage) * found)

    def current(self, voltage: FloatArray, m_z: FloatArray) -> FloatArray:
        """Return the current, A, at a voltage across both barriers (V)."""
        return self.first.current(self.first_voltage(voltage, m_z), m_z)

    def resistance(self, m_z: FloatArray) -> FloatArray:
        """Resistance of both at zero bias, ohm."""
        return self.first.resistance(m_z) + self.second.resistance(self.side * m_z)

    def torque_voltage(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Voltage of the first barrier alone that has the torque of both voltages (V)."""
        weight = self.ratio * self.first.parallel / self.second.parallel
        return np.asarray(first - self.side * weight * second)

    def torque_current(self, current: FloatArray, lambda_: FloatArray, m_z: FloatArray) -> FloatArray:
        """Return the current of the first barrier alone with the torque of a current (A) through both."""
        # The second torque has Lambda = 1, and epsilon = P/2.
        one = spin_torque_efficiency(np.ones(1), lambda_, m_z)
        return np.asarray(current * (1.0 - self.side * self.ratio * 0.5 / one))

    def critical_currents(
        self, critical: FloatArray, law: TorqueLaw, lambda_: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Critical currents of the parallel and of the antiparallel state of the first barrier, A.

        Parameters
        ----------
        critical : ndarray
            That of the parallel state with the first barrier alone, A; one-dimensional.
        law : {"voltage", "current"}
        lambda_ : ndarray
            Asymmetry of the first torque; used with a torque per current only.

        Returns
        -------
        tuple of ndarray
            Infinite where parallel reference layers cancel the torque.
        """
        found = []
        for m_z in (np.array(1.0), np.array(-1.0)):

            def acting(current: FloatArray, m_z: FloatArray = m_z) -> FloatArray:
                if law == "current":
                    efficiency = 2.0 * spin_torque_efficiency(np.ones(1), lambda_, m_z)
                    return self.torque_current(current, lambda_, m_z) * efficiency
                first = self.first.voltage(current, m_z)
                second = self.second.voltage(current, self.side * m_z)
                return self.torque_voltage(first, second) / self.first.parallel

            found.append(_solve(acting, critical))
        return found[0], found[1]


_DOUBLINGS = 10  # a current above 1000 times that of the first barrier alone switches nothing
_HALVINGS = 60


def _solve(acting: Callable[[FloatArray], FloatArray], critical: FloatArray) -> FloatArray:
    """Smallest current whose torque is that of `critical`, by bisection; infinite if there is none."""
    low, high = np.zeros_like(critical), critical.copy()
    for _ in range(_DOUBLINGS):
        high = np.where(acting(high) < critical, 2.0 * high, high)
    reached = acting(high) >= critical
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = acting(middle) < critical
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(reached, 0.5 * (low + high), np.inf)
