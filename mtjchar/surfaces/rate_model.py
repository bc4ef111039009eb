"""Population error rate of a closed model: a nominal device, a current over amplitude, and two spreads."""

from __future__ import annotations

from typing import NamedTuple

import lmfit
import numpy as np
from scipy.special import logsumexp

from mtjchar.arrays import FloatArray
from mtjchar.physics.rate_table import log_error_rate_on_load_line
from mtjchar.physics.tunneling import voltage_at_current
from mtjchar.surfaces.cell_current import (
    SATURATING_TUNNELLING,
    SIMPLE_FORMS,
    CurrentForm,
    FittedCurrent,
    add_shape,
    prior_residuals,
)

__all__ = ["DEVICE", "SE_FLOOR", "Junction", "Load", "RateFit", "fit_rate", "log10_ber"]

DEVICE = {
    "stability": "",
    "critical_voltage": "V",
    "relaxation_time": "s",
    "delay": "s",
    "overdrive_spread": "",
    "stability_spread": "",
}
"""Parameters of every form, with units; those of the current follow."""

SE_FLOOR = 0.01
"""Smallest standard error that a point is given, decades."""

_NODES = 15
_NS = 1e-9  # the fit uses times in ns: a search over numbers of order one

_nodes, _weights = np.polynomial.hermite_e.hermegauss(_NODES)
_LOG_WEIGHTS = np.log(_weights / _weights.sum())


class Junction(NamedTuple):
    """The nominal junction of a torque per voltage."""

    parallel_resistance: float  # ohm
    tmr: float  # at zero bias
    half_bias: float  # V
    start: float  # m_z before the write

    def voltage(self, current: FloatArray, m_z: float) -> FloatArray:
        """Voltage (V) at a current (A)."""
        numbers = (m_z, self.parallel_resistance, self.tmr, self.half_bias)
        return voltage_at_current(current, *map(np.asarray, numbers))


class Load(NamedTuple):
    """Currents of the cell with the junction held in the state before and after the write."""

    before: FittedCurrent
    after: FittedCurrent
    junction: Junction | None = None  # None with a torque per current

    def feedback(self, amplitude: FloatArray) -> FloatArray:
        """Relative change of the torque when the junction switches, at a fixed angle, 1."""
        before, after = self.before(amplitude), self.after(amplitude)
        if self.junction is not None:
            start = self.junction.start
            before, after = self.junction.voltage(before, start), self.junction.voltage(after, -start)
        return np.maximum(after / before - 1.0, -0.9)


class RateFit(NamedTuple):
    """The error rate of one direction."""

    form: CurrentForm
    values: FloatArray  # DEVICE, then the parameters of the form
    covariance: FloatArray
    load: Load | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values."""
        return (*DEVICE, *(parameter.name for parameter in self.form.parameters))

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the values."""
        return (*DEVICE.values(), *(parameter.unit for parameter in self.form.parameters))

    def log10_ber(self, amplitude: FloatArray, duration: FloatArray) -> FloatArray:
        """Decimal logarithm of the error rate; amplitude (V) and duration (s) of one shape."""
        return log10_ber(self.values, self.form, self.load, amplitude, duration)

    def standard_error(self, amplitude: FloatArray, duration: FloatArray) -> FloatArray:
        """Of `log10_ber`, from the covariance of the parameters, to first order (delta method)."""
        steps = 0.03 * np.sqrt(np.diag(self.covariance))
        gradient = self.gradient(amplitude, duration, steps)
        variance = np.einsum("...i,ij,...j->...", gradient, self.covariance, gradient)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def gradient(self, amplitude: FloatArray, duration: FloatArray, steps: FloatArray) -> FloatArray:
        """Differentiate `log10_ber` to each value, last axis, by central differences."""
        columns = []
        for step in np.diag(steps):
            up, down = (self._replace(values=self.values + sign * step) for sign in (1.0, -1.0))
            change = up.log10_ber(amplitude, duration) - down.log10_ber(amplitude, duration)
            columns.append(change / (2.0 * step.max()))
        return np.stack(columns, axis=-1)


def log10_ber(
    values: FloatArray, form: CurrentForm, load: Load | None, amplitude: FloatArray, duration: FloatArray
) -> FloatArray:
    """Decimal logarithm of the mean error rate of the devices.

    Parameters
    ----------
    values : ndarray
        `DEVICE` in SI units, then the parameters of the form.
    form : CurrentForm
    load : Load or None
        None: the overdrive is the same before and after the junction switches.
    amplitude, duration : ndarray
        V and s, of one shape.

    Notes
    -----
    Gauss-Hermite quadrature over one normal variable x: overdrives i (1 + s_i x), stabilities
    Delta (1 + s_D x). The critical current is proportional to Delta, so that s_D comes out negative.
    """
    stability, critical, relaxation, delay, spread, stability_spread = values[: len(DEVICE)]
    shape = values[len(DEVICE) :]
    overdrive = form.current(amplitude, shape) / form.current(np.array([critical]), shape)
    feedback = np.zeros_like(amplitude) if load is None else load.feedback(amplitude)
    devices = log_error_rate_on_load_line(
        np.maximum(overdrive[..., None] * (1.0 + spread * _nodes), 1e-3),
        feedback[..., None],
        np.maximum(stability * (1.0 + stability_spread * _nodes), 1.0),
        ((duration - delay) / relaxation)[..., None],
    )
    return np.asarray(logsumexp(devices + _LOG_WEIGHTS, axis=-1) / np.log(10.0))


def fit_rate(
    amplitude: FloatArray,
    duration: FloatArray,
    observed: FloatArray,
    error: FloatArray,
    load: Load | None,
    good_enough: float,
) -> tuple[RateFit, float]:
    """Fit with the form of the current that fits best.

    Parameters
    ----------
    amplitude, duration, observed, error : ndarray, shape (points,)
        V, s, decimal logarithm of the error rate and its standard error.
    load : Load or None
    good_enough : float
        Decades. The richest form of the current is tried only if a simpler one misses a point by more.

    Returns
    -------
    RateFit
    float
        Chi-square over degrees of freedom.
    """
    total = np.hypot(error, SE_FLOOR)

    def square(fit: RateFit) -> float:
        return float(np.sum(_distance(fit, amplitude, duration, observed, total) ** 2))

    def tried(form: CurrentForm) -> RateFit:
        return _fit_form(form, load, amplitude, duration, observed, total)

    def criterion(fit: RateFit) -> float:
        # Akaike's criterion: a further parameter must lower chi-square by 2; otherwise the simpler form
        # extrapolates better.
        return square(fit) + 2.0 * len(fit.values)

    fit = min((tried(form) for form in SIMPLE_FORMS), key=criterion)
    if np.abs(fit.log10_ber(amplitude, duration) - observed).max() > good_enough:
        fit = min(fit, tried(SATURATING_TUNNELLING), key=criterion)
    reduced = square(fit) / max(len(observed) - len(fit.values), 1)
    return fit._replace(covariance=_covariance(fit, amplitude, duration, error, total, reduced)), reduced


def _distance(
    fit: RateFit, amplitude: FloatArray, duration: FloatArray, observed: FloatArray, total: FloatArray
) -> FloatArray:
    return (fit.log10_ber(amplitude, duration) - observed) / total


def _fit_form(
    form: CurrentForm,
    load: Load | None,
    amplitude: FloatArray,
    duration: FloatArray,
    observed: FloatArray,
    total: FloatArray,
) -> RateFit:
    unit = np.array([1.0, 1.0, _NS, _NS, 1.0, 1.0] + [1.0] * len(form.parameters))

    def as_fit(parameters: lmfit.Parameters) -> RateFit:
        values = np.array([parameter.value for parameter in parameters.values()]) * unit
        return RateFit(form, values, np.zeros((len(values), len(values))), load)

    def residual(parameters: lmfit.Parameters) -> FloatArray:
        fit = as_fit(parameters)
        prior = prior_residuals(fit.values[len(DEVICE) :], form)
        return np.concatenate([_distance(fit, amplitude, duration, observed, total), prior])

    start = _start(form, amplitude, duration)
    # Steps of the search in the natural size of each parameter.
    scale = [10.0, 0.1, 0.3, 0.1, 0.02, 0.05] + [0.3 * parameter.width for parameter in form.parameters]
    fitted = lmfit.minimize(
        residual, start, method="least_squares", calc_covar=False, max_nfev=120, x_scale=scale
    )
    return as_fit(fitted.params)


def _start(form: CurrentForm, amplitude: FloatArray, duration: FloatArray) -> lmfit.Parameters:
    start = lmfit.Parameters()
    longest = float(duration.max()) / _NS
    start.add("stability", value=45.0, min=15.0, max=140.0)
    start.add("critical_voltage", value=0.8 * float(amplitude.min()), min=0.02, max=3.0 * amplitude.max())
    start.add("relaxation_time", value=min(1.0, 0.05 * longest), min=1e-4 * longest, max=longest)
    start.add("delay", value=0.0, min=-0.2 * longest, max=0.2 * longest)
    start.add("overdrive_spread", value=0.04, min=1e-4, max=0.15)
    start.add("stability_spread", value=-0.04, min=-0.25, max=0.25)
    add_shape(start, form)
    return start


def _covariance(
    fit: RateFit,
    amplitude: FloatArray,
    duration: FloatArray,
    error: FloatArray,
    total: FloatArray,
    reduced: float,
) -> FloatArray:
    """Covariance of the parameters, with independent errors and with errors that all points share.

    Every point of a surface averages the same sampled devices, so their errors are almost fully correlated.
    The second term is the effect on the parameters of all points being one standard error too high.
    """
    scale = np.maximum(
        np.abs(fit.values), 1e-3 * np.array([1, 1, _NS, _NS, 1, 1] + [1] * len(fit.form.parameters))
    )
    jacobian = fit.gradient(amplitude, duration, 1e-4 * scale) * scale / total[:, None]
    prior = np.zeros(len(scale))
    prior[len(DEVICE) :] = scale[len(DEVICE) :] / [parameter.width for parameter in fit.form.parameters]
    inverse = np.linalg.pinv(jacobian.T @ jacobian + np.diag(prior**2), hermitian=True)
    common = inverse @ (jacobian.T @ (error / total))
    covariance = max(reduced, 1.0) * inverse + np.outer(common, common)
    return np.asarray(covariance * np.outer(scale, scale))
