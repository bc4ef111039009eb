"""Rows of a fit as systems of equations: rows that differ only in the duration are solved together."""

from __future__ import annotations

import numpy as np

from mtjchar.arrays import FloatArray, IndexArray

__all__ = ["together"]


def together(
    columns: FloatArray, time: FloatArray
) -> tuple[FloatArray, FloatArray, tuple[IndexArray, IndexArray]]:
    """Find the different systems of some rows, and the durations of each.

    Parameters
    ----------
    columns : ndarray, shape (rows, columns)
        Numbers that define the system of each row.
    time : ndarray, shape (rows,)
        Its duration.

    Returns
    -------
    systems : ndarray, shape (systems, columns)
    times : ndarray, shape (systems, durations)
        Missing ones repeat the longest, which costs nothing.
    place : tuple of ndarray
        System and duration of each row.
    """
    systems, system_of_row = np.unique(columns, axis=0, return_inverse=True)
    system_of_row = system_of_row.ravel()
    order = np.argsort(system_of_row, kind="stable")
    counts = np.bincount(system_of_row)
    column = np.empty_like(system_of_row)
    column[order] = np.arange(len(system_of_row)) - np.repeat(np.cumsum(counts) - counts, counts)
    longest = np.zeros(len(systems))
    np.maximum.at(longest, system_of_row, time)
    times = np.repeat(longest[:, None], counts.max(), axis=1)
    times[system_of_row, column] = time
    return systems, times, (system_of_row, column)
