"""Departures of a tester, a table or a device from the model of a fit, each with one size.

Each cause changes the error rates of the model to those of the rows if it acted. Size 0 is the
model itself. `mtjchar.stackfit.diagnosis` determines how much better it describes the data.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.physics.torque import TorqueLaw
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.parameters import Values, names_of
from mtjchar.stackfit.pulses import Pulses

__all__ = [
    "ARROWS",
    "Cause",
    "Effect",
    "Rows",
    "Setting",
    "added",
    "after_place",
    "amplitude_factor",
    "amplitude_offset",
    "back_hopping",
    "ceiling",
    "clipping",
    "direction_time",
    "duration_law",
    "edges",
    "floor",
    "heating",
    "in_proportion",
    "labelled",
    "mixed_populations",
    "multiplied",
    "other_law",
    "polarity",
    "power_law",
    "read_errors",
    "scaled",
    "stuck",
    "thermometer",
    "voltage_anisotropy",
    "warmer",
    "with_anisotropy",
    "with_current",
    "with_stability",
]

_LEAST = 1e-300  # error rate: its logarithm stays finite

ARROWS = {"p_to_ap": "P->AP", "ap_to_p": "AP->P"}
"""Directions in the notation of messages."""


@dataclass(frozen=True)
class Rows:
    """Pulses of a table, and properties of their rows.

    Attributes
    ----------
    pulses : Pulses
    order : ndarray
        Position of the row in its file, from -1 to 1.
    repeat : ndarray
        Number of earlier rows with the same pulse.
    labels : DataFrame
        Columns ``file`` and ``device`` if the data have them.
    correction : ndarray
        Factor of the table's logarithm of the error rate.
    share : ndarray
        Of the largest amplitude of the data, in the same unit.
    power : ndarray
        Dissipated before the write, over the largest of the data.
    voltage : ndarray
        Over the junction before the write, over the largest of the data; above 0 for P to AP.
    """

    pulses: Pulses
    order: FloatArray
    repeat: FloatArray
    labels: pd.DataFrame
    correction: FloatArray
    share: FloatArray
    power: FloatArray
    voltage: FloatArray


@dataclass(frozen=True)
class Setting:
    """Context of a cause: the model with its values, and rows."""

    model: SwitchingModel
    temperature: float
    values: Values
    pulses: Pulses
    rows: Rows

    def rate(self, values: Values | None = None, pulses: Pulses | None = None) -> FloatArray:
        """Logarithm of the error rate with other values or pulses."""
        if values is None and pulses is None:
            return self._own_rate
        own = self.values if values is None else values
        return self.rows.correction * self.model.log_error_rate(
            own, self.pulses if pulses is None else pulses
        )

    @functools.cached_property
    def _own_rate(self) -> FloatArray:
        return self.rows.correction * self.model.log_error_rate(self.values, self.pulses)


Effect = Callable[[float, Setting], FloatArray]


@dataclass(frozen=True)
class Cause:
    """A departure from the model with one size.

    Attributes
    ----------
    key : str
        Causes with the same key are variants; only the best of them counts.
    words : callable
        Text of the cause for a size.
    effect : callable
        Logarithm of the error rate of each row for a size and a `Setting`.
    unit : float
        Size of a small departure, for derivatives.
    bounds : tuple of float
    tries : tuple of float
        Starting sizes, in `unit`.
    even : bool
        The effect depends on the square of the size.
    """

    key: str
    words: Callable[[float], str]
    effect: Effect
    unit: float
    bounds: tuple[float, float]
    tries: tuple[float, ...] = (-30.0, -5.0, 5.0, 30.0)
    even: bool = False

    def size(self, coordinate: float) -> float:
        """Size for a coordinate of a search, such that the effect has a slope at 0."""
        return self.unit * float(np.sqrt(max(coordinate, 0.0)) if self.even else coordinate)

    def coordinate(self, size: float) -> float:
        """Inverse of `size`."""
        return (size / self.unit) ** 2 if self.even else size / self.unit


def scaled(values: Values, root: str, factor: FloatArray | float) -> dict[str, Any]:
    """Return values with one device parameter multiplied, in both directions."""
    names = names_of(root)
    return {name: value * factor if name in names else value for name, value in values.items()}


def with_anisotropy(values: Values, factor: FloatArray) -> dict[str, Any]:
    """Return values for an anisotropy field times a factor: Delta and Ic0 rise with it, t_D falls."""
    changed = scaled(scaled(values, "stability", factor), "critical_current", factor)
    return scaled(changed, "relaxation_time", 1.0 / factor)


def _changed(pulses: Pulses, **change: Any) -> Pulses:
    own = {name: getattr(pulses, name) for name in Pulses.__dataclass_fields__}
    return Pulses(**{**own, **change})


def _factor(size: FloatArray | float) -> FloatArray:
    return np.maximum(1.0 + np.asarray(size, dtype=np.float64), 0.05)


# ---- pulses ----


def amplitude_factor(size: float, at: Setting) -> FloatArray:
    """Increase all amplitudes by a share."""
    return at.rate(pulses=at.pulses.at(at.pulses.amplitude * _factor(size)))


def amplitude_offset(size: float, at: Setting) -> FloatArray:
    """Add a voltage or a current to all amplitudes."""
    # Sizes are shares of the largest amplitude, for volts and amperes.
    share = np.maximum(at.pulses.amplitude / np.maximum(at.rows.share, 1e-9), 0.0)
    return at.rate(
        pulses=at.pulses.at(np.maximum(at.pulses.amplitude + size * share, 1e-3 * at.pulses.amplitude))
    )


def clipping(size: float, at: Setting) -> FloatArray:
    """Limit amplitudes to the largest one minus a share."""
    most = (1.0 - size) * at.pulses.amplitude / np.maximum(at.rows.share, 1e-9)
    return at.rate(pulses=at.pulses.at(np.minimum(at.pulses.amplitude, most)))


def edges(size: float, at: Setting) -> FloatArray:
    """Reduce the area of each pulse by a time (s) at its amplitude."""
    kept = _factor(-size / at.pulses.duration)
    return at.rate(pulses=at.pulses.at(at.pulses.amplitude * kept))


def heating(size: float, at: Setting) -> FloatArray:
    """Heat the junction in proportion to the power; the size is the rise in K at the largest power."""
    if at.model.film is None:
        return at.rate(with_anisotropy(at.values, _factor(-size / 300.0 * at.rows.power)))
    # The film's laws end well below the Curie temperature.
    warm = np.clip(at.pulses.temperature + size * at.rows.power, 200.0, 700.0)
    return at.rate(pulses=_changed(at.pulses, temperature=warm))


def voltage_anisotropy(size: float, at: Setting) -> FloatArray:
    """Change the anisotropy in proportion to the voltage, with the sign of the direction."""
    return at.rate(with_anisotropy(at.values, _factor(size * at.rows.voltage)))


def other_law(size: float, at: Setting) -> FloatArray:
    """Interpolate between the error rates of this torque law and the other one."""
    law: TorqueLaw = "current" if at.model.law == "voltage" else "voltage"
    other = replace(at, model=replace(at.model, torque=law)).rate()
    return (1.0 - size) * at.rate() + size * other


def added(name: str, neutral: float) -> Effect:
    """Return the effect of adding to a value of the model."""
    return lambda size, at: at.rate({**at.values, name: at.values.get(name, neutral) + size})


def multiplied(name: str) -> Effect:
    """Return the effect of raising a value of the model by a share."""
    return lambda size, at: at.rate({**at.values, name: at.values[name] * (1.0 + size)})


def polarity(size: float, at: Setting) -> FloatArray:
    """Make the critical currents of the directions differ by a share."""
    sign = np.where(at.pulses.reverse, -0.5, 0.5)
    return at.rate(scaled(at.values, "critical_current", _factor(-size * sign)))


def direction_time(size: float, at: Setting) -> FloatArray:
    """Make pulses of P to AP shorter by half a time (s), those of AP to P longer."""
    sign = np.where(at.pulses.reverse, -0.5, 0.5)
    shorter = np.maximum(at.pulses.duration - size * sign, 1e-12)
    return at.rate(pulses=_changed(at.pulses, duration=shorter))


# ---- outcomes ----


def _with_missed_writes(chance: FloatArray | float, log_rate: FloatArray) -> FloatArray:
    """Let writes that would have switched fail with this probability."""
    rate = np.exp(log_rate)
    return np.log(np.maximum(rate + chance * (1.0 - rate), _LEAST))


def _with_false_switches(chance: FloatArray | float, log_rate: FloatArray) -> FloatArray:
    """Count failed writes as switched with this probability."""
    return np.asarray(log_rate + np.log(np.maximum(1.0 - np.asarray(chance), 1e-12)))


def _in_direction(at: Setting, direction: str | None) -> FloatArray:
    if direction is None:
        return np.ones_like(at.pulses.amplitude)
    return np.where(at.pulses.reverse == (direction == "ap_to_p"), 1.0, 0.0)


def ceiling(direction: str | None) -> Effect:
    """Return the effect of a share of writes that never switch."""
    return lambda size, at: _with_missed_writes(size * _in_direction(at, direction), at.rate())


def floor(direction: str | None) -> Effect:
    """Return the effect of a share of writes that have switched before the pulse."""
    return lambda size, at: _with_false_switches(size * _in_direction(at, direction), at.rate())


def read_errors(size: float, at: Setting) -> FloatArray:
    """Let a share of the reads give the other state."""
    rate = np.exp(at.rate())
    return np.log(np.maximum(rate * (1.0 - 2.0 * size) + size, _LEAST))


def stuck(state: str) -> Effect:
    """Return the effect of a share of bits that are stuck in a state."""
    away, towards = ("p_to_ap", "ap_to_p") if state == "P" else ("ap_to_p", "p_to_ap")

    def effect(size: float, at: Setting) -> FloatArray:
        return _with_false_switches(
            size * _in_direction(at, towards), _with_missed_writes(size * _in_direction(at, away), at.rate())
        )

    return effect


def back_hopping(direction: str | None, power: float) -> Effect:
    """Return the effect of failures that rise as a power of the amplitude."""

    def effect(size: float, at: Setting) -> FloatArray:
        chance = size * np.minimum(at.rows.share, 1.2) ** power * _in_direction(at, direction)
        return _with_missed_writes(np.minimum(chance, 0.999), at.rate())

    return effect


# ---- populations, drift, sources ----


def mixed_populations(change: Callable[[Values, FloatArray], Values], weight: float) -> Effect:
    """Return the effect of two kinds of devices, or moments; the size is their distance."""

    def effect(size: float, at: Setting) -> FloatArray:
        low, high = (np.asarray(_factor(distance)) for distance in (-weight * size, (1.0 - weight) * size))
        low_rate, high_rate = (at.rate(change(at.values, factor)) for factor in (low, high))
        # A trial far from the best fit can have values that no device has. Its rates are not numbers, and it
        # is rejected.
        with np.errstate(invalid="ignore"):
            return np.asarray(np.logaddexp(np.log1p(-weight) + low_rate, np.log(weight) + high_rate))

    return effect


def with_current(values: Values, factor: FloatArray) -> Values:
    """Return values with another critical current."""
    return scaled(values, "critical_current", factor)


def with_stability(values: Values, factor: FloatArray) -> Values:
    """Return values with another stability."""
    return scaled(values, "stability", factor)


def in_proportion(
    change: Callable[[Values, FloatArray], Values], place: Callable[[Setting], FloatArray]
) -> Effect:
    """Return the effect of values that change in proportion to a property of the rows."""
    return lambda size, at: at.rate(change(at.values, _factor(size * place(at))))


def after_place(place: float) -> Callable[[Setting], FloatArray]:
    """Return 1 for rows after a place in their file, 0 for those before."""
    return lambda setting: np.where(setting.rows.order > 2.0 * place - 1.0, 1.0, 0.0)


def warmer(place: Callable[[Setting], FloatArray]) -> Effect:
    """Return the effect of an additional temperature (K) of some rows."""

    def effect(size: float, at: Setting) -> FloatArray:
        kelvin = np.clip(at.pulses.temperature + size * place(at), 150.0, 700.0)
        return at.rate(pulses=_changed(at.pulses, temperature=kelvin))

    return effect


def labelled(column: str, name: str) -> Callable[[Setting], FloatArray]:
    """Return 1 for rows of a file or device, 0 for the others."""
    return lambda at: np.asarray(at.rows.labels[column] == name, dtype=np.float64)


def _warmth(at: Setting) -> FloatArray:
    return np.log(at.pulses.temperature / at.temperature)


def power_law(change: Callable[[Values, FloatArray], Values]) -> Effect:
    """Return the effect of values with a further power of the temperature."""
    return lambda size, at: at.rate(change(at.values, np.exp(np.clip(size * _warmth(at), -2.0, 2.0))))


def thermometer(size: float, at: Setting) -> FloatArray:
    """Scale the differences of temperatures from that of the fit by a share."""
    kelvin = at.temperature + (1.0 + size) * (at.pulses.temperature - at.temperature)
    return at.rate(pulses=_changed(at.pulses, temperature=np.clip(kelvin, 150.0, 700.0)))


def duration_law(size: float, at: Setting) -> FloatArray:
    """Change the stability by a share per decade of the duration."""
    decades = np.log10(at.pulses.duration / 1e-8)
    return at.rate(scaled(at.values, "stability", _factor(size * decades)))
