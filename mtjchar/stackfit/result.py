"""Result of a fit, in the form of lmfit: parameters, intervals, correlations, residuals, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import lmfit
import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.display import html_table
from mtjchar.errors import InputError
from mtjchar.physics.anisotropy import REFERENCE_TEMPERATURE
from mtjchar.stackfit import report
from mtjchar.stackfit.data.tables import Table
from mtjchar.stackfit.diagnosis import SYSTEMATIC, Diagnosis
from mtjchar.stackfit.film import Device, Film
from mtjchar.stackfit.likelihood import tail_probability
from mtjchar.stackfit.linear_exponent import SHORTEST, linear_exponent
from mtjchar.stackfit.loops import coercive_fields
from mtjchar.stackfit.parameters import DIRECTIONAL, Parameter, directional_name, names_of, value_in
from mtjchar.stackfit.problem import Problem, pulse_temperatures
from mtjchar.stackfit.profile import ROOT_RISE, Interval
from mtjchar.stackfit.pulses import Pulses
from mtjchar.stackfit.wafer import WaferFit
from mtjchar.study import Stack

__all__ = ["FitWarning", "Quantity", "StackFit", "compare", "device_of", "parameter_names"]

_OF_DEVICE = ("stability", "anisotropy_field")  # also keys of a stack, if they were measured
_STATIONARY = 0.01  # distance to the minimum, over the inflation: a tenth of a standard error
_WORTHLESS = 0.5  # relative standard error above which a value is not a measurement


class Quantity(NamedTuple):
    """Quantities derived from the parameters, in a direction or in both."""

    root: str
    direction: str | None
    unit: str


class FitWarning(UserWarning):
    """A problem of the data or the fit that its numbers do not show."""


@dataclass(frozen=True)
class StackFit:
    """Result of `mtjchar.stackfit.fit_stack`.

    Attributes
    ----------
    params : lmfit.Parameters
        Values in SI units, with ``stderr`` and ``correl`` of the free ones.
    problem : Problem
        Data and model; ``problem.free`` names the free parameters, in the order of `vector` and `covariance`.
    vector : ndarray
        Values of the free parameters.
    covariance : ndarray
        Of the free parameters, including `inflation`.
    deviance : float
        Sum of squares of all residuals, error rates by the Fokker-Planck solver.
    distance : float
        Estimated distance to the minimum: the amount by which a further Gauss-Newton step would lower the
        deviance.
    expected_deviance : float
        Its expected value for a correct model: the degrees of freedom, or less if few counts
        are expected.
    deviance_scale : float
        Variance of the deviance over twice its mean: 1 for chi-square, different if few counts are expected.
    dispersion : float
        `deviance` over `expected_deviance`.
    inflation : float
        Factor of variances for over-dispersion: `dispersion` if it is above 1 at 1 % significance and the
        residuals have no pattern, else 1.
    profiles : tuple of Interval or None
        95 % profile-likelihood intervals, infinite if a bound was reached first.
    diagnosis : Diagnosis
        Whether the residuals have a pattern, and its likely causes.
    tables : tuple of Table
    wafer : WaferFit or None
        Spread of the devices of a wafer table; its means are the film's if they did not vary.
    messages : tuple of str
        Warnings.
    left_out : tuple of Parameter
        Parameters of requested terms that the data do not determine, and that the fit left out.
    """

    params: lmfit.Parameters
    problem: Problem
    vector: FloatArray
    covariance: FloatArray
    deviance: float
    distance: float
    expected_deviance: float
    deviance_scale: float
    dispersion: float
    inflation: float
    profiles: tuple[Interval, ...] | None
    diagnosis: Diagnosis
    tables: tuple[Table, ...]
    wafer: WaferFit | None
    messages: tuple[str, ...]
    left_out: tuple[Parameter, ...] = ()

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        free = ", ".join(self.problem.free) or "none"
        fit = f"{self.problem.rows} rows, dispersion {self.dispersion:.3g}, {state}"
        return f"StackFit(parameters {free}; {fit})"

    def _repr_html_(self) -> str:
        rows = {
            "rows": self.problem.rows,
            "dispersion": f"{self.dispersion:.3g} (p-value {self.probability:.2g})",
            "AIC, BIC": f"{self.aic:.5g}, {self.bic:.5g}",
            "state": "converged" if self.converged else "not converged",
            **{f"warning {k}": message for k, message in enumerate(self.messages, 1)},
        }
        parameters = self.table().to_html(float_format="{:.4g}".format) if len(self.vector) else ""
        return html_table("StackFit", rows, parameters)

    @property
    def converged(self) -> bool:
        """Whether the deviance is stationary: within a tenth of a standard error of its minimum."""
        return self.distance <= self.allowed_distance

    @property
    def allowed_distance(self) -> float:
        """Largest distance to the minimum of a converged fit, in units of the deviance."""
        return _STATIONARY * self.inflation

    @property
    def film(self) -> Film | None:
        """Initial junction of the fit."""
        return self.problem.model.film

    @property
    def values(self) -> dict[str, float]:
        """All parameters of the model, SI."""
        return self.problem.values(self.vector)

    @property
    def aic(self) -> float:
        """Akaike's criterion, deviance + 2 k; comparable between fits of the same data."""
        return self.deviance + 2.0 * len(self.vector)

    @property
    def bic(self) -> float:
        """Bayesian criterion, deviance + k ln(rows)."""
        return self.deviance + len(self.vector) * float(np.log(max(self.problem.rows, 1)))

    @property
    def probability(self) -> float:
        """Probability of this deviance or a larger one for a correct model."""
        return tail_probability(self.deviance, self.expected_deviance, self.deviance_scale)

    @property
    def undetermined(self) -> dict[str, str]:
        """Parameters that the data do not determine, and measurements that would."""
        remedies = {parameter.name: parameter.remedy for parameter in self.left_out}
        for k, parameter in enumerate(self.problem.parameters):
            # A value at a bound of physics is a result; a value at a bound of the search is not.
            name, least = parameter.name, parameter.physical_minimum
            ends = [bound for bound in self.problem.bounds[name] if bound != least]
            error, interval = float(np.sqrt(self.covariance[k, k])), self._interval(k)
            open_ended = not np.all(np.isfinite(interval))
            if interval.lower == least:
                open_ended |= interval.upper - least > _WORTHLESS * least
            vague = not parameter.zero_is_result and not error <= _WORTHLESS * abs(self.vector[k])
            stuck = np.isclose(self.vector[k], ends, rtol=1e-3, atol=0.0).any()
            if open_ended or vague or stuck:
                remedies[name] = parameter.remedy
        return remedies

    def _interval(self, k: int) -> Interval:
        """95 % interval of a free parameter; it ends at bounds of physics."""
        reach = ROOT_RISE * float(np.sqrt(self.covariance[k, k]))
        lower, upper = self.vector[k] - reach, self.vector[k] + reach
        if self.profiles is not None:
            lower, upper = self.profiles[k]
        return Interval(max(lower, self.problem.parameters[k].physical_minimum), upper)

    def table(self) -> pd.DataFrame:
        """Parameters with standard errors, 95 % intervals, whether data determine them, and temperatures."""
        error = np.sqrt(np.diag(self.covariance))
        undetermined = self.undetermined
        rows = []
        for k, parameter in enumerate(self.problem.parameters):
            name = parameter.name
            lower, upper = self._interval(k)
            rows.append(
                {
                    "parameter": name, "value": self.vector[k], "standard_error": error[k], "lower": lower,
                    "upper": upper, "unit": parameter.unit, "determined": name not in undetermined,
                    "temperature_K": self._temperature_of(parameter.root),
                }
            )  # fmt: skip
        columns = [
            "parameter", "value", "standard_error", "lower", "upper", "unit", "determined", "temperature_K",
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns).set_index("parameter")

    @property
    def coercive(self) -> pd.DataFrame:
        """Fields at which the loops switched, see `mtjchar.stackfit.loops.coercive_fields`."""
        return coercive_fields(self.problem.data.loops) if len(self.problem.data.loops) else pd.DataFrame()

    def correlation(self) -> pd.DataFrame:
        """Correlations of the free parameters."""
        error = np.sqrt(np.diag(self.covariance))
        with np.errstate(invalid="ignore", divide="ignore"):
            matrix = self.covariance / np.outer(error, error)
        return pd.DataFrame(matrix, index=self.problem.free, columns=self.problem.free)

    def derived(self) -> pd.DataFrame:
        """Return the derived quantities, with standard errors to first order."""
        quantities, function = self._derived()
        value, covariance = self.propagate(function)
        return pd.DataFrame(
            {
                "value": value, "standard_error": np.sqrt(np.diag(covariance)),
                "unit": [quantity.unit for quantity in quantities],
                "temperature_K": [self._temperature_of(quantity.root) for quantity in quantities],
            },
            index=[directional_name(quantity.root, quantity.direction) for quantity in quantities],
        )  # fmt: skip

    def _temperature_of(self, root: str) -> float:
        """Temperature (K) at which a fitted or derived value holds: a stack's are at 300 K."""
        in_stack = self.film is not None and root in Stack.model_fields and root not in _OF_DEVICE
        return REFERENCE_TEMPERATURE if in_stack else self.problem.temperature

    def temperatures(self, table: Table) -> list[float]:
        """Temperatures (K) of the rows of a table; those of a wafer are at 300 K."""
        if table.kind == "wafer":
            return [REFERENCE_TEMPERATURE]
        given = table.rows.get("temperature_K", pd.Series(np.nan, index=table.rows.index))
        return [float(kelvin) for kelvin in np.unique(given.fillna(self.problem.temperature))]

    def propagate(
        self, function: Callable[[Mapping[str, float]], Sequence[float]]
    ) -> tuple[FloatArray, FloatArray]:
        """Value and covariance of a function of the parameters, to first order (delta method)."""

        def at(vector: FloatArray) -> FloatArray:
            return np.array(function(self.problem.values(vector)), dtype=np.float64)

        step = 1e-3 * np.sqrt(np.diag(self.covariance))
        columns = []
        for k in range(len(self.vector)):
            shift = np.zeros_like(self.vector)
            shift[k] = max(step[k], 1e-9 * abs(self.vector[k]))
            columns.append((at(self.vector + shift) - at(self.vector - shift)) / (2.0 * shift[k]))
        value = at(self.vector)
        gradient = np.stack(columns, axis=-1) if columns else np.zeros((len(value), 0))
        return value, np.asarray(gradient @ self.covariance @ gradient.T)

    def _derived(self) -> tuple[list[Quantity], Callable[[Mapping[str, float]], list[float]]]:
        film = self.film
        fitted = {parameter.direction for parameter in self.problem.parameters}
        directions = [
            direction for direction in self.problem.directions if direction is None or direction in fitted
        ]
        field_is_free = film is not None and "anisotropy_field" in self.problem.free
        of_device = {"switching_efficiency": "1/A"}
        if film is not None:
            of_device |= {"interfacial_anisotropy": "J/m^2", "damping": "", "spin_polarization": ""}
        if film is not None and not field_is_free:
            of_device |= {"anisotropy_field": "T"}
        once = {"activation_volume": "m^3", "activation_volume_over_junction": ""} if field_is_free else {}
        durations = self.activated_durations
        if durations is not None:
            of_device |= {"linear_exponent_stability": "", "linear_exponent_critical_current": "A"}

        def of(values: Mapping[str, float], direction: str | None) -> dict[str, float]:
            device = device_of(values, direction)
            derived = {"switching_efficiency": float(device.stability / device.critical_current)}
            if durations is not None:
                conventional = linear_exponent(device, durations)
                derived |= {
                    f"linear_exponent_{name}": value for name, value in conventional._asdict().items()
                }
            if film is not None:
                own = film.with_values(values)
                derived |= {name: float(value) for name, value in own.film(device)._asdict().items()}
                derived["anisotropy_field"] = float(own.anisotropy_field(device.stability))
            return derived

        def function(values: Mapping[str, float]) -> list[float]:
            out = []
            for direction in directions:
                derived = of(values, direction)
                out += [derived[name] for name in of_device]
            if film is not None and field_is_free:
                ratio = float(film.moment_ratio(values["stability"], values["anisotropy_field"]))
                out += [ratio * film.volume, ratio]
            return out

        quantities = [
            Quantity(name, direction, unit) for direction in directions for name, unit in of_device.items()
        ]
        return [*quantities, *(Quantity(name, None, unit) for name, unit in once.items())], function

    @property
    def activated_durations(self) -> tuple[float, float] | None:
        """Shortest and longest duration of the data in which switching is thermally activated, s.

        None if the data have no such pulses.
        """
        # Bits at rest are not driven: they do not show how the barrier falls with the current.
        every = [
            rows["duration_s"][~pulses.at_rest]
            for rows, pulses in zip(
                self.problem.data[:2], (self.problem.pulses, self.problem.thresholds), strict=True
            )
            if pulses is not None
        ]
        if not every:
            return None
        values = self.values
        slowest = max(float(values[name]) for name in names_of("relaxation_time") if name in values)
        activated = pd.concat(every)
        activated = activated[activated > SHORTEST * slowest]
        if activated.nunique() < 2:
            return None
        return float(activated.min()), float(activated.max())

    def log_error_rate(self, values: Mapping[str, float], pulses: Pulses) -> FloatArray:
        """Natural logarithm of the error rate, by the Fokker-Planck solver."""
        return -np.exp(self.problem.model.solved_log_exponent(values, pulses))

    def error_rate(
        self,
        direction: str,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        current: bool = False,
        temperature: float | None = None,
    ) -> FloatArray:
        """Write error rate of the fitted device.

        Parameters
        ----------
        direction : {"p_to_ap", "ap_to_p"}
        amplitude, duration : array_like
            V (A with ``current=True``) and s; they broadcast.
        current : bool, optional
        temperature : float, optional
            K; default: that of the fit.
        """
        pulses, shape = self._pulses(direction, amplitude, duration, current, temperature)
        return np.exp(self.log_error_rate(self.values, pulses)).reshape(shape)

    def error_rate_interval(
        self,
        direction: str,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        current: bool = False,
        temperature: float | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Bounds of the 95 % interval of `error_rate`; normal in ln(-ln WER), by the delta method."""
        pulses, shape = self._pulses(direction, amplitude, duration, current, temperature)

        def log_exponent(values: Mapping[str, float]) -> Sequence[float]:
            return [float(value) for value in self.problem.model.solved_log_exponent(values, pulses)]

        center, covariance = self.propagate(log_exponent)
        reach = ROOT_RISE * np.sqrt(np.maximum(np.diag(covariance), 0.0))
        lower, upper = np.exp(-np.exp(center + reach)), np.exp(-np.exp(center - reach))
        return lower.reshape(shape), upper.reshape(shape)

    def amplitude(
        self,
        direction: str,
        error_rate: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        current: bool = False,
        temperature: float | None = None,
    ) -> FloatArray:
        """Amplitude at which the fitted device has a write error rate.

        Parameters
        ----------
        direction : {"p_to_ap", "ap_to_p"}
        error_rate, duration : array_like
            Above 0 and below 1, and s; they broadcast.
        current : bool, optional
            Return amperes instead of volts.
        temperature : float, optional
            K; default: that of the fit.
        """
        rate = np.asarray(error_rate, dtype=np.float64)
        if not np.all((rate > 0.0) & (rate < 1.0)):
            raise InputError("error_rate", value=rate.tolist(), allowed="above 0 and below 1")
        pulses, shape = self._pulses(direction, np.ones_like(rate), duration, current, temperature)
        wanted = np.broadcast_to(np.log(-np.log(rate)), shape).ravel()
        return self.problem.model.solved_threshold(self.values, pulses, wanted).reshape(shape)

    def _pulses(
        self,
        direction: str,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        current: bool,
        temperature: float | None,
    ) -> tuple[Pulses, tuple[int, ...]]:
        if direction not in DIRECTIONS:
            raise InputError("direction", value=direction, allowed=" or ".join(DIRECTIONS))
        if not current and self.film is None:
            raise InputError("current", value=current, allowed="True, as the fit has no resistance")
        level, time = np.broadcast_arrays(
            np.asarray(amplitude, dtype=np.float64), np.asarray(duration, dtype=np.float64)
        )
        for thing, given, valid, words in (
            ("amplitude", level, level >= 0.0, "finite, 0 (at rest) or above"),
            ("duration", time, time > 0.0, "finite, above 0"),
        ):
            if not np.all(np.isfinite(given) & valid):
                raise InputError(thing, value=given.tolist(), allowed=words)
        count = level.size
        kelvin = self.problem.temperature if temperature is None else temperature
        pulses = Pulses(
            level.ravel(), np.full(count, not current), time.ravel(),
            np.full(count, direction == DIRECTIONS[1]), np.full(count, kelvin),
        )  # fmt: skip
        return pulses, level.shape

    def points(self) -> pd.DataFrame:
        """Rows with the predictions of the model: ``kind``, ``observed``, ``expected`` and ``residual``.

        Residuals are in standard errors: signed roots of the deviance for counts, where ``observed`` and
        ``expected`` are shares that switched; amplitudes for thresholds; resistances for R-V.
        """
        values, data = self.values, self.problem.data
        parts = []
        if self.problem.pulses is not None:
            rate = np.exp(self.problem.log_error_rate(self.vector))
            switched = data.switching["switched"] / data.switching["trials"]
            parts.append(data.switching.assign(kind="switching", observed=switched, expected=1.0 - rate))
        if len(data.thresholds):
            pulses = Pulses.of(data.thresholds, self.problem.temperature)
            wanted = self.problem.observations.threshold_log_exponent
            expected = self.problem.model.solved_threshold(values, pulses, wanted)
            parts.append(
                data.thresholds.assign(kind="threshold", observed=pulses.amplitude, expected=expected)
            )
        if len(data.resistance):
            parts.append(
                data.resistance.assign(
                    kind="resistance", observed=data.resistance["resistance_ohm"],
                    expected=self.problem.resistance(values),
                )
            )  # fmt: skip
        if len(data.loops):
            stays = self.problem.log_staying(self.vector)
            parts.append(
                data.loops.assign(
                    kind="loop", observed=data.loops["switched"] / data.loops["trials"],
                    expected=-np.expm1(stays),
                )
            )  # fmt: skip
        residual = self.problem.residuals(self.vector)
        return pd.concat([pd.DataFrame(), *parts], ignore_index=True).assign(residual=residual)

    def report(self) -> str:
        """Describe the fit in words, similar to `lmfit.fit_report`."""
        lines = report.data_lines(self.tables, self.temperatures)
        if len(self.vector):
            kelvin, problem = self.problem.temperature, self.problem
            lines += [
                *self._quality_lines(),
                *report.loop_lines(self.coercive),
                *report.parameter_lines(
                    problem.parameters, self.table(), kelvin, pulse_temperatures(problem),
                    systematic=self.diagnosis.systematic,
                ),
                *report.derived_lines(self.derived(), kelvin, self.activated_durations),
                *report.correlation_lines(self.correlation()),
            ]  # fmt: skip
        if self.wafer is not None:
            lines += self.wafer.report().splitlines()
        return "\n".join([*lines, *report.remark_lines(self.undetermined, self.messages)])

    def _quality_lines(self) -> list[str]:
        """Describe how well the model fits the data, and whether the search has converged."""
        lines = [
            "[[Fit]]",
            f"    rows {self.problem.rows}, parameters {len(self.vector)}",
            f"    deviance {self.deviance:.4g} by the Fokker-Planck solver, expected "
            f"{self.expected_deviance:.4g}: dispersion {self.dispersion:.3g} (p-value "
            f"{self.probability:.2g})",
            f"    {'converged' if self.converged else 'NOT CONVERGED'}: gradient norm {self.distance:.1g} in "
            f"units of the deviance (allowed: {self.allowed_distance:.2g})",
            f"    AIC {self.aic:.5g}, BIC {self.bic:.5g}",
        ]
        if self.problem.pulses is not None or self.problem.thresholds is not None:
            lines.append(f"    torque per {self.problem.model.law}")
        if self.inflation > 1.0:
            lines.append(f"    standard errors and intervals widened by {np.sqrt(self.inflation):.3g}")
        if self.diagnosis.systematic:
            lines.append(f"    {SYSTEMATIC}")
        return lines


def device_of(values: Mapping[str, float], direction: str | None = None) -> Device:
    """Device parameters from the values of a model, in a direction or in both."""
    return Device(*(np.asarray(value_in(values, root, direction)) for root in DIRECTIONAL))


def compare(fits: Mapping[str, StackFit]) -> pd.DataFrame:
    """Compare models that were fitted to the same data.

    Parameters
    ----------
    fits : mapping of str to StackFit

    Returns
    -------
    DataFrame
        One row per model, best AIC first: ``parameters``, ``deviance``, ``dispersion``, ``aic``, ``bic`` and
        their distances from the best. Nested models can also be compared by the fall of the deviance, which
        is distributed like chi-square with the number of additional parameters as degrees of freedom.
    """
    first = next(iter(fits.values()))
    for name, fit in fits.items():
        if {table.sha256 for table in fit.tables} != {table.sha256 for table in first.tables}:
            raise InputError("fits to compare", value=name, allowed="fits of the same tables")
    table = pd.DataFrame(
        {
            name: {
                "parameters": len(fit.vector), "deviance": fit.deviance, "dispersion": fit.dispersion,
                "aic": fit.aic, "bic": fit.bic,
            }
            for name, fit in fits.items()
        }
    ).T  # fmt: skip
    table = table.assign(
        delta_aic=table["aic"] - table["aic"].min(), delta_bic=table["bic"] - table["bic"].min()
    )
    return table.sort_values("aic")


def parameter_names(fit: StackFit, root: str) -> list[str]:
    """Free parameters of one quantity: itself, or one for each direction."""
    return [parameter.name for parameter in fit.problem.parameters if parameter.root == root]
