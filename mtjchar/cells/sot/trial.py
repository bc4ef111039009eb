"""Trial of the nominal cell in ngspice before a sweep."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtjchar.cells.base import Direction, Pulses, Trial
from mtjchar.cells.sot.circuit import measure
from mtjchar.cells.sot.device import hot
from mtjchar.cells.sot.tables import SotTables
from mtjchar.errors import InputError
from mtjchar.units import compact

__all__ = ["try_nominal"]

_NOTHING = 0.02  # of the threshold: below that a pulse has no visible effect


def try_nominal(
    tables: SotTables, device: pd.DataFrame, directions: Sequence[Direction], pulses: Pulses
) -> Trial:
    """Compare the current in the channel with its threshold and with the largest current density.

    Parameters
    ----------
    tables : SotTables
    device : DataFrame
        The nominal one, one row.
    directions : sequence of str
    pulses : Pulses
        With one amplitude, the highest.

    Raises
    ------
    InputError
        If hardly any current flows in the channel.
    """
    start, words = time.monotonic(), list[str]()
    threshold, volts = float(device["threshold_current_A"].iloc[0]), float(pulses.amplitude_V[0])
    for direction in directions:
        currents = measure(tables, device, direction, pulses)
        if currents.status[0, 0] == "failed":
            return Trial(failure=("failed", str(currents.failure[0, 0])))
        if currents.status[0, 0] != "ok":
            continue
        # With an assist pulse beside the write pulse too, not by itself.
        flowing = float(np.abs(currents.channel_A[:2]).max())
        where = f"{direction}, {compact(volts, 'V')}"
        if flowing < _NOTHING * threshold:
            raise InputError(
                "cell",
                value=f"{compact(flowing, 'A', 3)} in the channel ({where}), the highest amplitude",
                allowed="a cell that conducts, so that a write can succeed",
                remedy="Look at cell.wordline_voltage, cell.transistor, the resistances of the lines, the "
                "channel and sweep.amplitude.",
            )
        if flowing < threshold:
            words.append(
                f"the current in the channel never reaches its threshold: {compact(flowing, 'A', 3)} of "
                f"{compact(threshold, 'A', 3)} ({where}). Look at cell.wordline_voltage, cell.transistor, "
                "channel and sweep.amplitude"
            )
        if too_hot := hot(tables, device, flowing, where):
            words.append(too_hot)
    device_s = (time.monotonic() - start) / len(directions)
    return Trial(tuple(dict.fromkeys(words)), (), 0.0, device_s)
