"""Current of a cell over its amplitude, up to a factor: the physical forms of the surface model."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import lmfit
import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray

__all__ = [
    "ALL_FORMS",
    "SATURATING",
    "SATURATING_TUNNELLING",
    "SIMPLE_FORMS",
    "TUNNELLING",
    "CurrentForm",
    "FittedCurrent",
    "ShapeParameter",
    "add_shape",
    "fit_current",
    "prior_residuals",
    "shape_of",
]

_ITERATIONS = 20


class ShapeParameter(NamedTuple):
    """A parameter of a form, its range in the search, and the width of its prior."""

    name: str
    unit: str
    guess: float
    least: float
    most: float
    width: float  # standard deviation of a prior around the guess, for parameters that the data leave open


class CurrentForm(NamedTuple):
    """Current over amplitude (V), up to a factor; `shape` follows the order of `parameters`."""

    name: str
    parameters: tuple[ShapeParameter, ...]
    current: Callable[[FloatArray, FloatArray], FloatArray]


def _tunnelling(amplitude: FloatArray, shape: FloatArray) -> FloatArray:
    excess, half_bias = shape
    square = (amplitude / half_bias) ** 2
    return np.asarray(amplitude * (1.0 + square) / (1.0 + excess + square))


def _saturating(amplitude: FloatArray, shape: FloatArray) -> FloatArray:
    drive = _drive(amplitude, shape)
    return _junction_voltage(drive, np.full_like(drive, shape[1]))


def _saturating_tunnelling(amplitude: FloatArray, shape: FloatArray) -> FloatArray:
    pinch_off, strength, excess, half_bias = *shape[:2], *shape[4:]
    drive = _drive(amplitude, shape)
    resistance = np.full_like(drive, 1.0 + excess)
    # The resistance depends on the voltage that it determines. It changes slowly, so the iteration converges.
    for _ in range(_ITERATIONS):
        voltage = _junction_voltage(drive, strength * resistance)
        square = (pinch_off * voltage / half_bias) ** 2
        resistance = (1.0 + excess + square) / (1.0 + square)
    return np.asarray(voltage / resistance)


def _drive(amplitude: FloatArray, shape: FloatArray) -> FloatArray:
    """Transistor without a junction: its current over that at full saturation."""
    pinch_off, _, modulation, softness = shape[:4]

    def charge(voltage: npt.ArrayLike) -> FloatArray:
        return np.asarray(np.logaddexp(0.0, np.asarray(voltage) / softness) * softness)

    full = charge(pinch_off) ** 2
    return np.asarray((full - charge(pinch_off - amplitude) ** 2) / full + modulation * amplitude)


def _junction_voltage(drive: FloatArray, strength: FloatArray) -> FloatArray:
    """Voltage y of the junction, over the pinch-off voltage: the root of y = k (D - 2 y + y^2)."""
    linear = 1.0 + 2.0 * strength
    under_root = np.maximum(linear**2 - 4.0 * strength**2 * drive, 1e-9)
    return np.asarray((linear - np.sqrt(under_root)) / (2.0 * strength))


TUNNELLING = CurrentForm(
    "tunnelling",
    (
        ShapeParameter("tmr", "", 0.8, 0.0, 8.0, 2.0),
        ShapeParameter("half_bias", "V", 0.6, 0.1, 5.0, 1.0),
    ),
    _tunnelling,
)
"""Transistor fully on. The junction's resistance falls with bias from 1 + tmr to 1:
I ~ V (1 + V^2/Vh^2)/(1 + tmr + V^2/Vh^2)."""

SATURATING = CurrentForm(
    "saturating",
    (
        ShapeParameter("pinch_off", "V", 0.85, 0.2, 4.0, 1.0),
        ShapeParameter("strength", "", 2.5, 0.02, 30.0, 5.0),
        ShapeParameter("modulation", "1/V", 0.05, -0.5, 0.5, 0.2),
        ShapeParameter("softness", "V", 0.08, 0.005, 0.5, 0.1),
    ),
    _saturating,
)
"""The junction raises the source voltage of the transistor: I ~ F(Vp - V_junction) - F(Vp - V), F the square
of a softened ramp (EKV: C. Enz, F. Krummenacher, E. Vittoz, Analog Integr. Circ. Sig. Process. 8, 83 (1995),
doi:10.1007/BF01239381), solved for a constant resistance of the junction."""

SATURATING_TUNNELLING = CurrentForm(
    "saturating and tunnelling", SATURATING.parameters + TUNNELLING.parameters, _saturating_tunnelling
)
"""Both: the resistance of the junction that raises the source voltage falls with its bias."""

SIMPLE_FORMS = (TUNNELLING, SATURATING)
ALL_FORMS = (*SIMPLE_FORMS, SATURATING_TUNNELLING)


class FittedCurrent(NamedTuple):
    """Current over amplitude, A."""

    form: CurrentForm
    shape: FloatArray
    factor: float
    criterion: float  # Akaike's, for the choice of the form

    def __call__(self, amplitude: FloatArray) -> FloatArray:
        """Return the current at amplitudes in V."""
        return self.factor * self.form.current(amplitude, self.shape)


def add_shape(parameters: lmfit.Parameters, form: CurrentForm) -> None:
    """Append the parameters of a form to those of a fit."""
    for parameter in form.parameters:
        parameters.add(parameter.name, value=parameter.guess, min=parameter.least, max=parameter.most)


def shape_of(parameters: lmfit.Parameters, form: CurrentForm) -> FloatArray:
    """Extract the parameters of a form."""
    return np.array([parameters[parameter.name].value for parameter in form.parameters])


def prior_residuals(shape: FloatArray, form: CurrentForm) -> FloatArray:
    """Distance from the guesses over their widths."""
    return np.array(
        [
            (value - parameter.guess) / parameter.width
            for value, parameter in zip(shape, form.parameters, strict=True)
        ]
    )


def fit_current(amplitude: FloatArray, current: FloatArray, error: FloatArray) -> FittedCurrent:
    """Fit currents (A) at amplitudes (V) by the best form; all of shape (amplitudes,).

    `error` is the relative standard error of the currents. The form with the smallest Akaike
    criterion is taken, corrected for few points (C. M. Hurvich, C.-L. Tsai, Biometrika 76, 297 (1989),
    doi:10.1093/biomet/76.2.297), because parameters that the currents do not determine give wrong values
    outside.
    """
    return min(
        (_fit_form(form, amplitude, current, error) for form in ALL_FORMS), key=lambda fit: fit.criterion
    )


def _fit_form(
    form: CurrentForm, amplitude: FloatArray, current: FloatArray, error: FloatArray
) -> FittedCurrent:
    def deviation(shape: FloatArray) -> tuple[FloatArray, float]:
        raw = form.current(amplitude, shape) / current
        # The factor that minimizes the sum of ((factor raw - 1)/error)^2.
        factor = float((raw / error**2).sum() / ((raw / error) ** 2).sum())
        return (factor * raw - 1.0) / error, factor

    def residual(parameters: lmfit.Parameters) -> FloatArray:
        shape = shape_of(parameters, form)
        return np.concatenate([deviation(shape)[0], 0.1 * prior_residuals(shape, form)])

    start = lmfit.Parameters()
    add_shape(start, form)
    fitted = lmfit.minimize(residual, start, method="least_squares", calc_covar=False)
    shape = shape_of(fitted.params, form)
    left, factor = deviation(shape)
    count, free = len(current), len(shape) + 1
    penalty = 2.0 * free * count / (count - free - 1) if count > free + 1 else np.inf
    return FittedCurrent(form, shape, factor, float((left**2).sum() + penalty))
