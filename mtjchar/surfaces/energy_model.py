"""Write energies of a closed model: the currents of the two states, and the energy of the pulse's edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import PchipInterpolator

from mtjchar.arrays import FloatArray
from mtjchar.surfaces.cell_current import fit_current
from mtjchar.surfaces.rate_model import Load

__all__ = ["EnergyFit", "LogRate", "extrapolation_error", "fit_energy", "fit_load"]

LogRate = Callable[[FloatArray, FloatArray], FloatArray]

_ENERGY_ERROR = 1e-3  # relative, of a mean time before the switching that is computed on a grid
_FORM_ERROR = 1e-3  # relative: no form is exact
_ENOUGH = 6  # amplitudes, so that some can be left out
_time_nodes, _time_weights = np.polynomial.legendre.leggauss(40)


class EnergyFit(NamedTuple):
    """Energies of one direction.

    Redundant: V I_after(V) T + E_edge. Switching: V I_after(V) T + V [I_before(V) - I_after(V)] T_s + E_edge
    with T_s the mean time before the switching, the integral of the error rate from 0 to T. The energy of the
    edges is a sum over word line (1), lines (V, V^2) and times with either current (V I_before, V I_after).
    """

    load: Load
    switching_edge: FloatArray  # coefficients of `_edge_terms`
    redundant_edge: FloatArray

    def energy(
        self, amplitude: FloatArray, duration: FloatArray, log10_ber: LogRate, *, switching: bool
    ) -> FloatArray:
        """Energy in J; amplitude (V) and duration (s) of one shape."""
        body = _body(self.load, amplitude, duration, log10_ber, switching)
        edge = self.switching_edge if switching else self.redundant_edge
        return np.asarray(body + _edge_terms(self.load, amplitude) @ edge)


def fit_load(
    amplitude: FloatArray, duration: FloatArray, ber: FloatArray, switching: FloatArray, redundant: FloatArray
) -> Load:
    """Find the currents of the two states from energies over a grid, shape (amplitudes, durations)."""
    waiting = _waiting_on_grid(duration, ber)
    currents = np.empty((4, len(amplitude)))
    for k, (level, mean, of_switching, of_redundant) in enumerate(
        zip(amplitude, waiting, switching, redundant, strict=True)
    ):
        terms = np.stack([mean, duration - mean, np.ones_like(duration)], axis=1)
        before, before_error = _slope(terms, of_switching)
        after, after_error = _slope(np.stack([duration, np.ones_like(duration)], axis=1), of_redundant)
        currents[:, k] = before / level, before_error / before, after / level, after_error / after
    currents[1::2] = np.hypot(currents[1::2], _FORM_ERROR)
    return Load(fit_current(amplitude, *currents[:2]), fit_current(amplitude, *currents[2:]))


def fit_energy(
    load: Load,
    amplitude: FloatArray,
    duration: FloatArray,
    switching: FloatArray,
    redundant: FloatArray,
    log10_ber: LogRate,
) -> EnergyFit:
    """Fit the energy of the edges to energies over a grid, shape (amplitudes, durations)."""
    level, time = np.broadcast_arrays(amplitude[:, None], duration[None, :])
    edges = []
    for energy, kind in ((switching, True), (redundant, False)):
        rest = energy - _body(load, level, time, log10_ber, kind)
        terms = _edge_terms(load, level).reshape(energy.size, -1) / energy.reshape(-1, 1)
        edges.append(np.asarray(np.linalg.lstsq(terms, (rest / energy).ravel(), rcond=None)[0], np.float64))
    return EnergyFit(load, *edges)


def extrapolation_error(
    amplitude: FloatArray,
    duration: FloatArray,
    ber: FloatArray,
    switching: FloatArray,
    redundant: FloatArray,
    log10_ber: LogRate,
) -> tuple[float, float]:
    """Relative error of either energy at one grid width outside, measured by leaving amplitudes out.

    The amplitudes at both ends are predicted from those between. The error is taken as proportional to the
    distance. With fewer than `_ENOUGH` amplitudes none can be left out, and the error is 1.
    """
    if len(amplitude) < _ENOUGH:
        return 1.0, 1.0
    margin = len(amplitude) // _ENOUGH
    inner, outer = slice(margin, -margin), np.r_[:margin, -margin:0]
    given = amplitude[inner], duration, ber[inner], switching[inner], redundant[inner]
    load = fit_load(*given)
    fit = fit_energy(load, amplitude[inner], duration, switching[inner], redundant[inner], log10_ber)
    level, time = np.broadcast_arrays(amplitude[outer, None], duration)
    width = given[0][-1] - given[0][0]
    distance = np.where(level < given[0][0], given[0][0] - level, level - given[0][-1]) / width
    errors = [
        (fit.energy(level, time, log10_ber, switching=kind) / energy[outer] - 1.0) / distance
        for energy, kind in ((switching, True), (redundant, False))
    ]
    return float(np.sqrt(np.mean(errors[0] ** 2))), float(np.sqrt(np.mean(errors[1] ** 2)))


def _edge_terms(load: Load, amplitude: FloatArray) -> FloatArray:
    powers = amplitude * load.before(amplitude), amplitude * load.after(amplitude)
    return np.stack([np.ones_like(amplitude), amplitude, amplitude**2, *powers], axis=-1)


def _body(
    load: Load, amplitude: FloatArray, duration: FloatArray, log10_ber: LogRate, switching: bool
) -> FloatArray:
    after = load.after(amplitude)
    held = amplitude * after * duration
    if not switching:
        return held
    return held + amplitude * (load.before(amplitude) - after) * _waiting(amplitude, duration, log10_ber)


def _waiting(amplitude: FloatArray, duration: FloatArray, log10_ber: LogRate) -> FloatArray:
    """Mean time before the switching, s: the integral of the error rate over the duration."""
    # Times are dense near 0, where the rate falls even for a long pulse: t = T u^3.
    u = 0.5 * (1.0 + _time_nodes)
    weights = 1.5 * u**2 * _time_weights
    level = np.broadcast_to(amplitude[..., None], (*amplitude.shape, len(u)))
    rate = 10.0 ** log10_ber(level, duration[..., None] * u**3)
    return np.asarray(duration * (rate @ weights))


def _waiting_on_grid(duration: FloatArray, ber: FloatArray) -> FloatArray:
    """Estimate the same from the rates of the surface, shape (amplitudes, durations), and 1 at 0."""
    knots = np.concatenate([[0.0], duration])
    rates = np.concatenate([np.ones((len(ber), 1)), ber], axis=1)
    fine = np.unique(np.concatenate([np.linspace(0.0, 1.0, 4001) ** 3 * duration[-1], duration]))
    course = PchipInterpolator(knots, rates, axis=1)(fine)
    mean = cumulative_simpson(course, x=fine, axis=1, initial=0.0)
    return np.asarray(mean[:, np.searchsorted(fine, duration)])


def _slope(terms: FloatArray, energy: FloatArray) -> tuple[float, float]:
    """First coefficient of linear least squares of relative deviations, and its standard error.

    The error is that of energies off by 1e-3. If every write has switched long before the shortest pulse
    ends, the data do not distinguish the power before the switching from the energy of the edges.
    """
    scaled = terms / energy[:, None]
    inverse = np.linalg.pinv(scaled)
    return float(inverse[0].sum()), _ENERGY_ERROR * float(np.linalg.norm(inverse[0]))
