"""What the sliders of a report show: a table of answers for each direction, worked out beforehand.

The page computes nothing. Each pulse that a slider can take has its answer in the table, in the words of
`mtjchar query`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.tails import VERIFIED_RATE, rule
from mtjchar.units import compact

__all__ = ["Answers", "answers", "extrapolated_in_words", "steps"]

_MOST_STEPS = 80
_ROUND = np.array([1.0, 2.0, 5.0, 10.0])
# Of each decade, as resistors are graded (IEC 60063, series E24).
_E24 = np.array([
    1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8,
    7.5, 8.2, 9.1,
])  # fmt: skip
_SAME = 1e-3
_LOWEST_DRAWN = 1e-30  # far below all axes


class Answers(NamedTuple):
    """Answers for all pulses that the sliders of one direction can take.

    Attributes
    ----------
    direction, title : str
    amplitude_V, duration_s : list of float
        Where the sliders can stand.
    amplitudes, durations : list of str
        The same in words.
    rows : dict
        For each line of the answer the texts of all pulses, amplitude by amplitude.
    marks : list of int
        For each pulse 0, or 1 if its error rate is extrapolated, or 2 if only a bound is known.
    remarks : list of str
        What has to be said of each mark.
    log_rate : list of float
        log10 of the error rate of each pulse, for the figures.
    start : tuple of int
        Where the sliders stand at first: places of amplitude and duration.
    """

    direction: Direction
    title: str
    amplitude_V: list[float]
    duration_s: list[float]
    amplitudes: list[str]
    durations: list[str]
    rows: dict[str, list[str]]
    marks: list[int]
    remarks: list[str]
    log_rate: list[float]
    start: tuple[int, int]


def steps(grid: FloatArray, between: FloatArray) -> FloatArray:
    """Join the points of a grid with round values between them; of a fine grid take its own points alone.

    Parameters
    ----------
    grid : ndarray, shape (points,)
        Ascending.
    between : ndarray
        Round values.

    Returns
    -------
    ndarray
        Ascending, from the first point to the last one, at most 80 values.
    """
    inside = between[(between > grid[0]) & (between < grid[-1])]
    new = (np.abs(inside[:, None] - grid) > _SAME * grid).all(axis=1)
    joined = np.sort(np.concatenate([grid, inside[new]]))
    if len(joined) <= _MOST_STEPS:
        return joined
    return np.asarray(grid[np.unique(np.linspace(0, len(grid) - 1, _MOST_STEPS).round().astype(int))])


def _round_amplitudes(grid: FloatArray) -> FloatArray:
    """About 40 multiples of 1, 2 or 5 times a power of ten."""
    least = (grid[-1] - grid[0]) / 40.0
    decade = 10.0 ** np.floor(np.log10(least))
    step = decade * float(_ROUND[np.searchsorted(_ROUND, least / decade * (1.0 - 1e-9))])
    return _decimals(np.arange(np.ceil(grid[0] / step), np.floor(grid[-1] / step) + 1.0) * step)


def _round_durations(grid: FloatArray) -> FloatArray:
    decades = np.arange(np.floor(np.log10(grid[0])), np.floor(np.log10(grid[-1])) + 1.0)
    return _decimals((10.0 ** decades[:, None] * _E24).ravel())


def _decimals(values: FloatArray) -> FloatArray:
    """Give each value the float that its short decimal text stands for: 0.6, not 0.6000000000000001."""
    return np.array([float(f"{value:.6g}") for value in values])


def answers(surface: WriteSurface, direction: Direction, start: tuple[float, float]) -> Answers:
    """Answer all pulses that the sliders of a direction can take, as `mtjchar query` does.

    Parameters
    ----------
    surface : WriteSurface
    direction : str
        One of `surface.directions`.
    start : tuple of float
        Amplitude and duration, V and s: the sliders stand nearest to them at first.
    """
    amplitude = steps(surface.amplitudes, _round_amplitudes(surface.amplitudes))
    duration = steps(surface.durations, _round_durations(surface.durations))
    pulses = amplitude[:, None], duration
    stated = surface.stated_rates(direction, *pulses)
    rows = {"write error rate": [one.in_words() for one in stated]}
    rows["effective devices"] = [
        "-" if np.isnan(one.effective_devices) else f"{one.effective_devices:.3g}" for one in stated
    ]
    unknown = [one.bound and one.ber > VERIFIED_RATE for one in stated]
    for quantile in surface.dataset["quantile"].to_numpy().tolist() if "quantile" in surface.dataset else ():
        values = surface.device_ber(direction, *pulses, quantile=quantile).ravel().tolist()
        # Where no error was counted no quantile is known.
        rows[_quantile_in_words(quantile)] = [
            _rate_in_words(value, none) for value, none in zip(values, unknown, strict=True)
        ]
    for label, options in _energies(surface).items():
        energy: Any = 1e12 * surface.energy(direction, *pulses, **options)
        rows[label] = [f"{value:.4g} pJ" for value in energy.ravel().tolist()]
    log_rate = np.log10(np.maximum(surface.ber(direction, *pulses), _LOWEST_DRAWN)).round(3)
    return Answers(
        direction,
        surface.title(direction),
        amplitude.tolist(),
        duration.tolist(),
        [compact(value, "V", 4) for value in amplitude],
        [compact(value, "s", 4) for value in duration],
        rows,
        [2 if one.bound and not one.extrapolated else int(one.extrapolated) for one in stated],
        ["", extrapolated_in_words(surface), _BOUND],
        log_rate.ravel().tolist(),
        (
            int(np.abs(amplitude - start[0]).argmin()),
            int(np.abs(np.log(duration / start[1])).argmin()),
        ),
    )


_BOUND = (
    "A bound. No error was counted at a pulse of the sweep beside this one, so the rate is below the bound."
)


def extrapolated_in_words(surface: WriteSurface) -> str:
    """Say in a sentence when an error rate is extrapolated."""
    text = rule(surface.enough_devices)
    return f"{text[0].upper()}{text[1:]}."


def _quantile_in_words(quantile: float) -> str:
    if quantile == 0.5:
        return "median device"
    return f"device at the {100.0 * quantile:g} % quantile"


def _rate_in_words(value: float, unknown: bool) -> str:
    if unknown:
        return "-"
    return f"{value:.3g}" if value >= VERIFIED_RATE else f"below {VERIFIED_RATE:g}"


def _energies(surface: WriteSurface) -> dict[str, dict[str, bool]]:
    """Energies that the surface has: options of `SurfaceGrid.energy` by what people read."""
    if not surface.knows_energy:
        return {}
    known: dict[str, dict[str, bool]] = {
        "energy, switching write": {},
        "energy, redundant write": {"switching": False},
    }
    if surface.knows_supply_energy:
        known["switching write, at the supply"] = {"at_supply": True}
        known["redundant write, at the supply"] = {"switching": False, "at_supply": True}
    return known
