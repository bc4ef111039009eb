"""Groups of rows and trends for the tests of the residuals of a fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.stackfit.causes import ARROWS, Rows, Setting
from mtjchar.units import compact

__all__ = ["Pattern", "patterns_of", "runs_chance"]

_CUTS = 6  # positions at which a quantity is cut in two, at most
_LEVELS = 8  # values of a quantity that are tested one by one, at most
_LEAST = 3  # rows of a group
_TELLING = 0.5  # mean square of a residual below which its sign gives no information


@dataclass(frozen=True)
class Pattern:
    """A shift of the log-odds of switching, in proportion to a weight of each row.

    Attributes
    ----------
    words : str
        Rows that are shifted.
    weight : ndarray
        Of all rows of pulses.
    group : ndarray of bool or None
        Rows of a group; None for trends.
    blocks : tuple of Rows
        To which the weights belong, one after the other.
    """

    words: str
    weight: FloatArray
    group: BoolArray | None
    blocks: tuple[Rows, ...]
    unit: float = 0.1
    bounds: tuple[float, float] = (-20.0, 20.0)

    def size(self, coordinate: float) -> float:
        """Shift of the log-odds for a coordinate of a search."""
        return self.unit * coordinate

    def coordinate(self, size: float) -> float:
        """Inverse of `size`."""
        return size / self.unit

    def effect(self, size: float, at: Setting) -> FloatArray:
        """Logarithm of the error rate of the rows."""
        start = 0
        for rows in self.blocks:
            if rows is at.rows:
                break
            start += len(rows.order)
        shift = size * self.weight[start : start + len(at.rows.order)]
        log_rate = np.minimum(at.rate(), -1e-16)
        switching = np.log(-np.expm1(log_rate))
        # A trial far from the best fit can have values that no device has. Its rates are not numbers, and it
        # is rejected.
        with np.errstate(invalid="ignore"):
            return np.asarray(log_rate - np.logaddexp(log_rate, switching + shift))


def patterns_of(blocks: Sequence[Rows], expected: FloatArray) -> list[Pattern]:
    """Return groups and trends by direction, duration, amplitude, temperature, file, device, order.

    `expected` is the share of the writes of each row that should switch.
    """
    pulses = [rows.pulses for rows in blocks]
    own = tuple(blocks)
    reverse = np.concatenate([block.reverse for block in pulses])
    groups: list[tuple[str, BoolArray]] = []
    trends: list[tuple[str, FloatArray]] = []
    directions = [(f"{ARROWS[name]} rows", reverse == k) for k, name in enumerate(ARROWS)]
    directions = [group for group in directions if group[1].any()]
    if len(directions) == 2:
        groups += directions
        directions.append(("rows", np.ones_like(reverse)))
    for words, inside in directions:
        for name, value, text in _quantities(blocks):
            groups += [
                (f"{words} {rest}", inside & group) for rest, group in _split(value, inside, text, name)
            ]
            center = _standard(value, inside)
            if center is not None:
                trends += [(f"{words}, {name}", center), (f"{words}, {name}, curvature", center**2)]
    groups += [
        ("rows that should rarely switch (below 1 %)", expected < 0.01),
        ("rows that should nearly always switch (above 99 %)", expected > 0.99),
        ("rows that should switch in 10 to 90 % of the writes", (expected > 0.1) & (expected < 0.9)),
    ]
    for column in ("file", "device"):
        labels = np.concatenate([rows.labels[column].to_numpy() for rows in blocks])
        names = list(dict.fromkeys(labels))
        groups += [(f"rows of {column} {name}", labels == name) for name in names[:_LEVELS] if len(names) > 1]
    seen, patterns = set(), []
    for words, group in groups:
        if _LEAST <= group.sum() < len(group) and group.tobytes() not in seen:
            seen.add(group.tobytes())
            patterns.append(Pattern(words, group.astype(np.float64), group, own))
    return patterns + [Pattern(words, weight, None, own) for words, weight in trends]


def _quantities(blocks: Sequence[Rows]) -> Iterator[tuple[str, FloatArray, str]]:
    """Name, values, and formatter of a quantity."""
    pulses = [rows.pulses for rows in blocks]
    yield "duration", np.log(np.concatenate([block.duration for block in pulses])), "s"
    volts = np.concatenate([block.voltage for block in pulses])
    if volts.all() or not volts.any():
        yield "amplitude", np.concatenate([block.amplitude for block in pulses]), "V" if volts.all() else "A"
    yield "temperature", np.concatenate([block.temperature for block in pulses]), "K"
    yield "order", np.concatenate([rows.order for rows in blocks]), ""


def _split(value: FloatArray, inside: BoolArray, unit: str, name: str) -> Iterator[tuple[str, BoolArray]]:
    """Parts of the rows from a value on, up to it, and at single values."""
    levels = np.unique(value[inside])
    if len(levels) < 2:
        return
    cuts = levels[1:] if len(levels) <= _CUTS + 1 else np.unique(
        np.quantile(value[inside], np.linspace(0.0, 1.0, _CUTS + 2)[1:-1], method="higher")
    )  # fmt: skip
    for cut in cuts:
        yield f"from {_written(cut, unit, name)} on", value >= cut
        yield f"below {_written(cut, unit, name)}", value < cut
    if len(levels) <= _LEVELS and name != "order":
        for level in levels:
            yield f"at {_written(level, unit, name)}", value == level


def _written(value: float, unit: str, name: str) -> str:
    if name == "duration":
        return compact(np.exp(value), "s", 3)
    if name == "order":
        return f"{50.0 * (value + 1.0):.0f} % of the table"
    return compact(value, unit, 3)


def _standard(value: FloatArray, inside: BoolArray) -> FloatArray | None:
    spread = float(np.std(value[inside]))
    if not spread > 0.0:
        return None
    return np.where(inside, (value - value[inside].mean()) / spread, 0.0)


def runs_chance(
    blocks: Sequence[Rows], residual: FloatArray, mean: FloatArray
) -> Iterator[tuple[str, float]]:
    """Probability of so few runs of one sign, in row and pulse order (Wald and Wolfowitz)."""
    pulses = [rows.pulses for rows in blocks]
    reverse, duration, amplitude = (
        np.concatenate([getattr(block, name) for block in pulses])
        for name in ("reverse", "duration", "amplitude")
    )
    order = np.concatenate([rows.order for rows in blocks])
    files = np.concatenate([rows.labels["file"].to_numpy() for rows in blocks]).astype(str)
    count = len(order)
    for words, keys in (
        ("neighbouring rows of the table", (order, files)),
        ("pulses of neighbouring amplitudes", (amplitude, duration, reverse)),
    ):
        place = np.lexsort(keys)
        telling = place[mean[:count][place] > _TELLING]
        yield f"{words} lie on the same side of the model", _runs(residual[telling] > 0.0)


def _runs(above: BoolArray) -> float:
    more, less = int(above.sum()), int((~above).sum())
    if min(more, less) < 5:
        return 1.0
    count = more + less
    expected = 1.0 + 2.0 * more * less / count
    variance = (expected - 1.0) * (expected - 2.0) / (count - 1.0)
    runs = 1 + int(np.count_nonzero(above[1:] != above[:-1]))
    return float(stats.norm.cdf((runs + 0.5 - expected) / np.sqrt(variance)))
