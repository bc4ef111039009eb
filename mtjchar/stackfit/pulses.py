"""Rows of switching and threshold tables as arrays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS

__all__ = ["Pulses", "Rows"]


class Rows(Protocol):
    """Inputs of the parameters of a device: direction, temperature and diameter of each row."""

    @property
    def reverse(self) -> BoolArray:
        """AP to P."""

    @property
    def temperature(self) -> FloatArray:
        """K."""

    @property
    def diameter(self) -> FloatArray | None:
        """m, or None if it is that of the fit in all rows."""


@dataclass(frozen=True)
class Pulses:
    """Rows of switching or threshold tables, as arrays of shape (rows,).

    Attributes
    ----------
    amplitude : ndarray
        V or A, above 0 in the direction of the row.
    voltage : ndarray of bool
        Whether `amplitude` is a voltage.
    duration : ndarray
        s.
    reverse : ndarray of bool
        AP to P.
    temperature : ndarray
        K.
    order : ndarray or None
        Place in the order of the measurement, from -1/2 (first row) to 1/2 (last row); None: not known.
    diameter : ndarray or None
        m; None: that of the fit.
    """

    amplitude: FloatArray
    voltage: BoolArray
    duration: FloatArray
    reverse: BoolArray
    temperature: FloatArray
    order: FloatArray | None = None
    diameter: FloatArray | None = None

    @classmethod
    def of(cls, rows: pd.DataFrame, temperature: float) -> Pulses:
        """Make pulses from the rows of tables; rows without a temperature are at `temperature`."""
        empty = pd.Series(np.nan, index=rows.index)
        volts = rows.get("amplitude_V", empty).to_numpy(dtype=np.float64)
        amperes = rows.get("current_A", empty).to_numpy(dtype=np.float64)
        voltage = np.isfinite(volts)
        direction = rows.get("direction", pd.Series(DIRECTIONS[0], index=rows.index)).fillna(DIRECTIONS[0])
        kelvin = rows.get("temperature_K", empty).to_numpy(dtype=np.float64)
        return cls(
            np.where(voltage, volts, amperes),
            voltage,
            rows["duration_s"].to_numpy(dtype=np.float64),
            (direction == DIRECTIONS[1]).to_numpy(),
            np.where(np.isfinite(kelvin), kelvin, temperature),
            _order(rows),
            _diameter(rows),
        )

    @property
    def directions(self) -> tuple[str, ...]:
        """Directions of the rows."""
        return tuple(direction for k, direction in enumerate(DIRECTIONS) if np.any(self.reverse == bool(k)))

    @property
    def at_rest(self) -> BoolArray:
        """Where nothing drives, so that a bit can come back: retention."""
        return np.asarray(self.amplitude == 0.0)

    def spans(self, *, ordered: bool = False) -> tuple[FloatArray, FloatArray]:
        """Shortest and longest duration of the rows that differ from each row in the duration alone, s.

        If the model depends on the order of the measurement (`ordered`), rows also differ in that.
        """
        count = self.reverse.shape[-1]
        # Of many sets of parameters the first decides: the same rows then belong together in all of them.
        columns = [self.amplitude.reshape(-1, count)[0], self.voltage, self.reverse, self.temperature]
        if self.diameter is not None:
            columns.append(np.nan_to_num(self.diameter))
        if ordered and self.order is not None:
            columns.append(self.order)
        _, group = np.unique(np.stack(columns), axis=1, return_inverse=True)
        group = group.ravel()
        shortest, longest = (np.full((*self.duration.shape[:-1], count), end) for end in (np.inf, 0.0))
        np.minimum.at(shortest.T, group, self.duration.T)
        np.maximum.at(longest.T, group, self.duration.T)
        return shortest[..., group], longest[..., group]

    def backwards(self) -> Pulses:
        """Return the same rows from the other state."""
        return dataclasses.replace(self, reverse=~self.reverse)

    def at(self, amplitude: FloatArray) -> Pulses:
        """Return the same rows with other amplitudes, of shape (..., rows)."""
        return dataclasses.replace(self, amplitude=amplitude)


def _order(rows: pd.DataFrame) -> FloatArray | None:
    """Place of each row in its file, or None if there is only one."""
    if "line" not in rows or len(rows) < 2:
        return None
    files = rows.get("file", pd.Series("", index=rows.index)).astype(str).to_numpy()
    place = rows["line"].groupby(files).rank(method="first")
    last = place.groupby(files).transform("max")
    return ((place - 0.5) / last - 0.5).to_numpy(dtype=np.float64)


def _diameter(rows: pd.DataFrame) -> FloatArray | None:
    """Diameter of the junction of each row, NaN for that of the fit; None if no row gives one."""
    given = rows.get("diameter_m")
    return None if given is None or given.isna().all() else given.to_numpy(dtype=np.float64)
