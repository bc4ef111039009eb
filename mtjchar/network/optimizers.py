"""Optimizers: the step for a gradient, and the storage of an optimizer's state.

B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Comput. Math. Math.
Phys. 4 (5), 1 (1964), doi:10.1016/0041-5553(64)90137-5: momentum.
I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep
learning", ICML 2013, PMLR 28 (3), 1139: momentum of stochastic gradients.
D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from mtjchar.network.encoding import FixedPoint
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.memory import ApproximateMemory

__all__ = [
    "OPTIMIZERS",
    "STATE_ROWS",
    "Adam",
    "ApproximateState",
    "GradientDescent",
    "Momentum",
    "Optimizer",
    "OptimizerName",
    "OrdinaryState",
    "State",
    "usual_learning_rate",
]

OptimizerName = Literal["sgd", "momentum", "adam"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)

STATE_ROWS: dict[OptimizerName, int] = {"sgd": 0, "momentum": 1, "adam": 2}
"""Numbers in the state of each optimizer per parameter."""


class State(Protocol):
    """State of an optimizer from update to update: rows of one number per parameter, initially 0.

    Attributes
    ----------
    resolution : float
        Distance of neighbouring values; 0 for floating point.
    """

    resolution: float

    def read(self) -> NDArray[np.float32]:
        """Return the numbers, shape (rows, parameters); the caller may change the array."""

    def write(self, values: NDArray[np.float32]) -> None:
        """Store other numbers, in the array that `read` has returned."""


class OrdinaryState:
    """State in ordinary memory: float32, without errors, and its energy is not counted.

    Parameters
    ----------
    rows, parameters : int
    """

    resolution = 0.0

    def __init__(self, rows: int, parameters: int) -> None:
        self._values = np.zeros((rows, parameters), dtype=np.float32)

    def read(self) -> NDArray[np.float32]:
        """Return the numbers, see `State`."""
        return self._values

    def write(self, values: NDArray[np.float32]) -> None:
        """Store other numbers, see `State`."""
        self._values = values


class ApproximateState:
    """State in approximate memory: a word for each number, all of them written with each update.

    Parameters
    ----------
    code : FixedPoint
        Code of the words; its full scale is in units of the gradient.
    memory : ApproximateMemory
        Memory of the words, shape (rows, parameters).
    conditions : WriteConditions
        Of every write.
    noise : numpy.random.Generator, optional
        Source of stochastic rounding; without it numbers are rounded to the nearest level.
    failures : numpy.random.Generator
        Source of the failures.
    """

    def __init__(
        self,
        code: FixedPoint,
        memory: ApproximateMemory,
        conditions: WriteConditions,
        noise: np.random.Generator | None,
        failures: np.random.Generator,
    ) -> None:
        self.resolution = code.lsb
        self._code, self._memory, self._conditions = code, memory, conditions
        self._noise, self._failures = noise, failures

    @property
    def ledger(self) -> WriteLedger:
        """All writes so far."""
        return self._memory.ledger

    def read(self) -> NDArray[np.float32]:
        """Return the numbers, see `State`."""
        return self._code.decode(self._memory.words)

    def write(self, values: NDArray[np.float32]) -> None:
        """Store other numbers, see `State`; they are rounded, and bits may fail."""
        self._memory.write(self._code.encode(values, self._noise), self._conditions, self._failures)


class Optimizer(Protocol):
    """Interface of an optimizer."""

    def change(self, gradient: NDArray[Any], rate: np.float32) -> None:
        """Replace a gradient by the change of the parameters.

        Parameters
        ----------
        gradient : ndarray of float, shape (parameters,)
            Derivative of the loss with respect to each parameter; overwritten.
        rate : float32
            Learning rate.
        """


class GradientDescent:
    """The gradient times the learning rate, downwards, without a state.

    Examples
    --------
    >>> gradient = np.array([2.0, -1.0], dtype=np.float32)
    >>> GradientDescent().change(gradient, np.float32(0.5))
    >>> gradient.tolist()
    [-1.0, 0.5]
    """

    def change(self, gradient: NDArray[Any], rate: np.float32) -> None:
        """Replace the gradient by the change, see `Optimizer`."""
        gradient *= -rate


class Momentum:
    """Gradient descent with momentum: the velocity is a sum of gradients with decaying weights.

    Parameters
    ----------
    state : State
        One row, the velocity v.
    momentum : float
        Remaining share of the velocity after an update, μ, from 0 to below 1.

    Notes
    -----
    v is in units of the gradient, as in PyTorch; the velocity of Sutskever et al. is -rate times it. The two
    differ if the learning rate changes, because here it acts on the whole of v at once.

    Examples
    --------
    >>> momentum = Momentum(OrdinaryState(1, 1), momentum=0.5)
    >>> for _ in range(3):
    ...     gradient = np.ones(1, dtype=np.float32)
    ...     momentum.change(gradient, np.float32(1.0))
    ...     print(gradient[0])
    -1.0
    -1.5
    -1.75
    """

    def __init__(self, state: State, momentum: float) -> None:
        self._state, self._momentum = state, momentum

    def change(self, gradient: NDArray[Any], rate: np.float32) -> None:
        """Replace the gradient by the change, see `Optimizer`."""
        values = self._state.read()
        (velocity,) = values
        # Sutskever et al. (2013), equation 1: v = μ v + g.
        velocity *= self._momentum
        velocity += gradient
        self._state.write(values)
        # Equation 2.
        np.multiply(velocity, -rate, out=gradient)


class Adam:
    """Adam: means of the gradient and of its square, and their ratio as the step.

    Parameters
    ----------
    state : State
        Two rows: the mean of the gradient m, and the root of the mean of its square √v. The root has the
        unit and about the size of the gradient, so that one code fits both.
    betas : tuple of float
        β1 and β2: remaining shares of m and of v after an update, from 0 to below 1.
    epsilon : float
        Added to the root in the ratio. With a finite resolution of the state it is at least that, since a
        root of 0 then represents all values below a level.

    Examples
    --------
    With a constant gradient, every step is that of its sign.

    >>> adam = Adam(OrdinaryState(2, 2), betas=(0.9, 0.999), epsilon=0.0)
    >>> for _ in range(2):
    ...     gradient = np.array([0.125, -4.0], dtype=np.float32)
    ...     adam.change(gradient, np.float32(0.25))
    ...     print(gradient.round(5).tolist())
    [-0.25, 0.25]
    [-0.25, 0.25]
    """

    def __init__(self, state: State, betas: tuple[float, float], epsilon: float) -> None:
        self._state, self._betas = state, betas
        self._epsilon = max(epsilon, state.resolution)
        self._updates = 0

    def change(self, gradient: NDArray[Any], rate: np.float32) -> None:
        """Replace the gradient by the change, see `Optimizer`."""
        self._updates += 1
        first, second = self._betas
        values = self._state.read()
        mean, root = values
        # Kingma and Ba (2015), algorithm 1, line by line, with √v instead of v.
        mean *= first
        mean += (1 - first) * gradient
        root *= root
        root *= second
        root += (1 - second) * gradient**2
        np.sqrt(root, out=root)
        unbiased_root = root / np.float32(np.sqrt(1 - second**self._updates))
        unbiased_root += self._epsilon
        np.multiply(mean, -rate / np.float32(1 - first**self._updates), out=gradient)
        gradient /= unbiased_root
        self._state.write(values)


def usual_learning_rate(optimizer: OptimizerName, plain: float, momentum: float) -> float:
    """Return a learning rate to start with, from that of plain gradient descent.

    A velocity adds up to 1/(1 - μ) gradients, as long as these stay the same, so its rate is 1 - μ of
    the plain one. Adam's is 0.001 (Kingma and Ba 2015, algorithm 1).

    Parameters
    ----------
    optimizer : {"sgd", "momentum", "adam"}
    plain : float
        Learning rate of ``sgd``.
    momentum : float
        μ.

    Examples
    --------
    >>> usual_learning_rate("momentum", plain=0.3, momentum=0.75)
    0.075
    """
    return {"sgd": plain, "momentum": plain * (1 - momentum), "adam": 1e-3}[optimizer]
