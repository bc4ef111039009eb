"""Retention of junctions on a channel: escape rates at any temperature."""

from __future__ import annotations

import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.sot.tables import SotTables
from mtjchar.cells.stt import retention as pillar
from mtjchar.errors import InputError

__all__ = ["escape_rates"]


def escape_rates(tables: SotTables, devices: pd.DataFrame, temperature: float) -> FloatArray:
    """Rates at which devices leave P and AP without current, 1/s, shape (devices, 2).

    They are those of the junction by itself, because the channel has no effect without a current. See
    `mtjchar.cells.stt.retention`.

    Raises
    ------
    InputError
        For a layer with its easy axis in the plane, and as for an STT cell.
    """
    if tables.in_plane:
        raise InputError(
            "cell.easy_axis",
            value=tables.cell.easy_axis,
            allowed='"perpendicular": the prefactor of an in-plane layer is not modelled',
        )
    return pillar.escape_rates(tables.pillar, devices, temperature)
