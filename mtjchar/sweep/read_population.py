"""Importance sampling of the devices that are read: those that read wrong, and those that are disturbed.

The offset of the amplifier, the noise and the reference are not drawn: a device with margin m is read wrong
with probability Q(m/s), s their common standard deviation. With m = m0 + g.x, x the standardized parameters,
completing the square in E[Q(m/s)] = Q(m0/r), r = sqrt(s^2 + g.g), shows which devices carry the mean:

    exp(-m^2/(2 s^2)) exp(-x.x/2)  is largest at  x = -c g/abs(g),  c = abs(g) m0/r^2,

and along that direction it is normal with standard deviation s/r. Across it devices are as they are drawn.
The shifts of the sample (`mtjchar.sweep.importance.Shift`) reach that far along the gradients that occur on
the grid. The disturb rate is an exponential of a barrier: its shift is the gradient of its logarithm, as for
writes.

Exponentials along the shifts have known means. They help to average the sample (`controls`): the rates of a
linear margin are nearly sums of them (A. B. Owen, Monte Carlo theory, methods and examples, 8.9 and 9.10).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import ndtr
from scipy.stats import truncnorm

from mtjchar.arrays import FloatArray
from mtjchar.cells.reading import Reads, ReferenceLevel
from mtjchar.cells.variability import CUT
from mtjchar.study import Study
from mtjchar.sweep import importance
from mtjchar.sweep.importance import FARTHEST, LEAST_DEVICES, Shift
from mtjchar.sweep.population import Population, sobol_points
from mtjchar.sweep.read_tasks import margin_column, read_device_count, total_deviation

__all__ = [
    "TOWARD", "controls", "draw_read_devices", "find_read_shift", "reference_devices", "worth_a_pilot",
]  # fmt: skip

TOWARD = "toward_"
"""Beginning of the names of columns with the distance of a device along a shift, standard deviations."""

_REFERENCE_DEVICES = 256
_EQUAL_DEVICES = 8  # without variability: enough for any reference that consists of cells
_REFERENCE_STREAM = 0x5EFE2E4CE  # so that references are none of the devices that are read
_MOST_VOLTAGES = 5
_FARTHEST_RATE = 9.0  # standard deviations: a rate of 1e-19, below what is verified
_AIM = 7.0  # standard deviations: a rate of 1e-12, at whose gradient devices are drawn
_LEAST_REACH = 1.0
_BEYOND = 1.5  # of the spread around the devices that carry the mean
_BEYOND_GRADIENT = 1.2
_BEYOND_CUT = 0.5
_UNDERFLOW = 1e-300
_SAME_DIRECTION = 0.98


def worth_a_pilot(study: Study) -> bool:
    """Whether devices are drawn in importance samples: there is variability, and at least 64 devices."""
    return read_device_count(study) >= LEAST_DEVICES and bool(Population(study).varied)


def reference_devices(study: Study) -> pd.DataFrame:
    """Draw the devices of which references are made, from the distribution itself, with a seed of their own.

    Returns
    -------
    DataFrame
        As `CellKind.derive` returns it; in random order, since neighbours of a Sobol sequence depend on each
        other and may become one reference. Without variability it has eight equal devices.
    """
    population = Population(study)
    varied = population.varied
    count = _REFERENCE_DEVICES if varied else _EQUAL_DEVICES
    normal = np.zeros((count, len(population.parameters)))
    if varied:
        rng = np.random.default_rng([study.sweep.seed, _REFERENCE_STREAM])
        points = rng.permutation(sobol_points(len(varied), count, rng))
        normal[:, varied] = truncnorm(-CUT, CUT).ppf(points)
    return population.at(normal)


def draw_read_devices(study: Study, shift: Shift | None) -> pd.DataFrame:
    """Draw the devices that are read: shifted ones, or without a shift devices as they are distributed.

    Returns
    -------
    DataFrame
        As `mtjchar.sweep.importance.sample_shifted` or `sample_replicates` returns it; with a shift, also
        the distance along each of its directions, in columns whose names begin with `TOWARD`.
    """
    count = read_device_count(study)
    study = study.model_copy(update={"sweep": study.sweep.model_copy(update={"devices": count})})
    if shift is None:
        return importance.sample_replicates(study)
    normal, _ = importance.draw(shift, Population(study).varied, count, study.sweep.seed)
    distance = dict(zip(_columns(shift), (normal @ shift.directions.T).T, strict=True))
    return importance.sample_shifted(study, shift).assign(**distance)


def controls(shift: Shift, devices: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Functions of devices with known means: densities of shifted distributions over the distribution's own.

    Parameters
    ----------
    shift : Shift
    devices : DataFrame
        As `draw_read_devices` returns it.

    Returns
    -------
    values : ndarray, shape (devices, functions)
    expected : ndarray, shape (functions,)
        Their means over the normal distributions cut at 5 sigma.

    Notes
    -----
    exp(c u.x - c^2/2) for each direction u, at every standard deviation c up to the reach. Its mean is a
    product over the parameters, Phi(5 - c u_k) - Phi(-5 - c u_k).
    """
    values, expected = [np.ones(len(devices))], [1.0]
    for name, direction, reach in zip(_columns(shift), shift.directions, shift.reach, strict=True):
        for c in np.arange(1.0, reach + 1.0):
            values.append(np.exp(c * devices[name].to_numpy() - 0.5 * c**2))
            expected.append(float(np.prod(ndtr(CUT - c * direction) - ndtr(-CUT - c * direction))))
    return np.stack(values, axis=1), np.array(expected)


def _columns(shift: Shift) -> list[str]:
    return [f"{TOWARD}{k}" for k in range(len(shift.reach))]


def find_read_shift(
    study: Study, reads: Reads, reference: ReferenceLevel, samples: pd.DataFrame
) -> Shift | None:
    """Determine from the reads of the pilot which devices read wrong or are disturbed.

    Parameters
    ----------
    study : Study
    reads : Reads
    reference : ReferenceLevel
    samples : DataFrame
        Of the devices of `mtjchar.sweep.importance.pilot_devices`, as `ReadSamples.table` returns them.

    Returns
    -------
    Shift or None
        None if no shift of a standard deviation or more is needed: a plain sample is then sufficient.

    Notes
    -----
    Gradients are taken at up to five read voltages, in each state. They are rounded, so that the devices of a
    study do not depend on a machine's last digits.
    """
    population = Population(study)
    varied = population.varied
    shape = (2 * len(varied) + 1, 2, len(reads.voltage_V), len(reads.time_s))
    margin, disturb = (
        samples[name].to_numpy().reshape(shape) for name in (margin_column(reads), "disturb_rate")
    )
    deviation = total_deviation(reads, reference)
    chosen = np.unique(np.linspace(0, shape[2] - 1, _MOST_VOLTAGES).round().astype(int))
    found: list[tuple[FloatArray, float]] = []
    for state in range(2):
        for voltage in chosen:
            found += _of_wrong_reads(margin[:, state, voltage], deviation[voltage])
            found += _of_disturbed(disturb[:, state, voltage, -1])
    directions: list[FloatArray] = []
    reach: list[float] = []
    for gradient, distance in found:
        direction = np.zeros(len(population.parameters))
        direction[varied] = np.round(gradient / np.linalg.norm(gradient), 2)
        direction /= np.linalg.norm(direction)
        # Beyond the cut of the largest component there is no device.
        distance = min(round(distance, 1), FARTHEST, (CUT + _BEYOND_CUT) / float(np.abs(direction).max()))
        same = [k for k, other in enumerate(directions) if direction @ other > _SAME_DIRECTION]
        if same:
            reach[same[0]] = max(reach[same[0]], distance)
        else:
            directions.append(direction)
            reach.append(distance)
    return Shift(np.array(directions), np.array(reach)) if directions else None


def _of_wrong_reads(margin: FloatArray, deviation: FloatArray) -> Iterator[tuple[FloatArray, float]]:
    """Yield the direction and distance of devices that read wrong in a state, at a read voltage.

    `margin` has the shape (pilot devices, times).
    """
    known = np.isfinite(margin).all(axis=0) & (margin[0] > 0.0)
    if not known.any():
        return
    gradient = 0.5 * (margin[1::2] - margin[2::2])[:, known]
    nominal, size = margin[0, known], np.linalg.norm(gradient, axis=0)
    total = np.sqrt(deviation[known] ** 2 + size**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.where(total > 0.0, nominal / total, np.inf)
        distance = np.where(total > 0.0, away * size / total, 0.0)
        spread = np.where(total > 0.0, deviation[known] / total, 0.0)
    relevant = away <= max(_FARTHEST_RATE, float(away.min()))
    farthest = float((distance + _BEYOND * spread)[relevant].max())
    if float(distance[relevant].max()) >= _LEAST_REACH:
        yield -gradient[:, np.argmin(np.abs(away - _AIM))], farthest


def _of_disturbed(rate: FloatArray) -> Iterator[tuple[FloatArray, float]]:
    """Yield the direction and distance of devices that a read disturbs; `rate` of the pilot devices."""
    if not np.isfinite(rate).all():
        return
    logarithm = np.log(np.maximum(rate, _UNDERFLOW))
    gradient = 0.5 * (logarithm[1::2] - logarithm[2::2])
    size = float(np.linalg.norm(gradient))
    if size > _LEAST_REACH:
        yield gradient, _BEYOND_GRADIENT * size
