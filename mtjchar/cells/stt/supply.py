"""Energy of a write at the supply, for the designer of an array."""

from __future__ import annotations

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.cells.base import Averages, Direction
from mtjchar.cells.stt.measure import LoadLine
from mtjchar.cells.stt.netlist import low_level
from mtjchar.cells.stt.tables import SttTables

__all__ = ["supply_energies"]


def supply_energies(
    tables: SttTables, direction: Direction, lines: LoadLine, amplitudes: FloatArray, averages: Averages
) -> tuple[FloatArray, FloatArray]:
    """Energy that the supplies deliver in a switching and in a redundant write, J.

    Parameters
    ----------
    tables : SttTables
        With `Cell.supply_voltage`.
    direction : {"p_to_ap", "ap_to_p"}
    lines : LoadLine
    amplitudes : ndarray
        V.
    averages : Averages
        Of these load lines.

    Returns
    -------
    tuple of ndarray
        Of shape (devices, amplitudes, durations).

    Notes
    -----
    Drivers take all charge that they deliver from the supply, whatever the voltage on the line:

    E = VDD Q + V_WL [Q_WL + (h/n) (Q_WL - C V_WL/n)]

    with Q the charge of the driven line and Q_WL that of the word line for one cell, at its own supply V_WL:
    the gate and an n-th of the wire's capacitance C. The n cells that are written together share the gates
    of h half-selected cells. Levels below 0 V have their own supplies: that of the other line delivers
    |V_low| Q' more, with the charge Q' that flows back there, that of the word line |V_WL,low| Q_WL. The gate
    of a transistor in series with a line has its charge times its own voltage.
    """
    cell, states = tables.cell, slice(None, None, 1 if direction == "p_to_ap" else -1)
    assert cell.supply_voltage is not None
    # (devices, amplitudes, 2, 1): rise, fall
    before, after = np.moveaxis(lines.ramp_loss_J[..., states], -1, 0)[..., None]
    delivered, word_line = np.moveaxis(lines.word_line_J, -1, 0)[..., None]
    select_delivered, select = np.moveaxis(lines.select_J, -1, 0)[..., None]
    failed = averages.error_rate
    ramp_loss = before[:, :, 0] + failed * before[:, :, 1] + (1.0 - failed) * after[:, :, 1]
    ratio = (cell.supply_voltage - low_level(tables, direction)) / amplitudes[:, None]
    if cell.wordline is not None:
        gate = word_line - cell.wordline.share[1] * (cell.wordline_voltage - cell.wordline_low) ** 2
        word_line = word_line + cell.wordline.half_selected / cell.wordline.cells * gate
    delivered, gates = delivered + select_delivered, word_line + select
    return (
        ratio * (averages.energy_J - delivered + ramp_loss) + gates,
        ratio * (averages.redundant_energy_J - delivered + after.sum(axis=2)) + gates,
    )
