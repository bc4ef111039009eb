"""What ngspice tells of a batch of cells: load lines, energies of the pulse edges, whole writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.integrate import trapezoid

from mtjchar.errors import SimulationError
from mtjchar.spice.netlist import batch_deck, high_line
from mtjchar.spice.ngspice import Simulator, simulator
from mtjchar.study import Direction, Study

FloatArray = npt.NDArray[np.float64]

M_Z_POINTS = 9


class LoadLine(NamedTuple):
    """What a batch of cells does while the pulse is on, in one direction.

    Attributes
    ----------
    m_z : ndarray, shape (points,)
        From -1 (antiparallel) to 1 (parallel).
    current_A : ndarray, shape (devices, amplitudes, points)
        Through the junction, positive in the direction that favours the state written.
    junction_voltage_V : ndarray, shape (devices, amplitudes, points)
        From the free to the reference layer.
    edge_energy_J : ndarray, shape (devices, amplitudes, 2)
        What a write takes beyond amplitude x current x duration, with the junction held in P and in AP:
        charge of the lines and of the word line, less what the edges save. Can be negative.
    failure : ndarray of str, shape (devices, amplitudes)
        Why there are no numbers (which then are NaN); empty where there are.
    """

    m_z: FloatArray
    current_A: FloatArray
    junction_voltage_V: FloatArray
    edge_energy_J: FloatArray
    failure: npt.NDArray[np.object_]


class Write(NamedTuple):
    """Waveforms of one pulse on a batch of cells whose magnetizations are free to move, no noise."""

    time_s: FloatArray  # (times,)
    current_A: FloatArray  # (devices, times), through the junction, positive towards the state written
    m_z: FloatArray  # (devices, times)
    energy_J: FloatArray  # (devices,), delivered by bit-line, source-line and word-line drivers


def load_lines(study: Study, cells: pd.DataFrame, direction: Direction, amplitudes: FloatArray) -> LoadLine:
    """Measure load lines and edge energies of a batch of cells in ngspice.

    A cell that ngspice cannot solve does not take the others with it: the batch is halved until the cell
    stands alone, and its rows say why they are empty.

    Parameters
    ----------
    study : Study
    cells : DataFrame
        As `mtjchar.spice.netlist.cell_parameters` returns them.
    direction : {"p_to_ap", "ap_to_p"}
    amplitudes : ndarray
        V, positive.
    """
    try:
        return _measure_batch(study, cells, direction, amplitudes)
    except SimulationError as error:
        if len(cells) > 1:
            half = len(cells) // 2
            parts = [load_lines(study, part, direction, amplitudes) for part in (cells[:half], cells[half:])]
            return _joined(parts, axis=0)
        if len(amplitudes) > 1:
            parts = [load_lines(study, cells, direction, amplitude) for amplitude in amplitudes[:, None]]
            return _joined(parts, axis=1)
        return _failed(str(error))


def _joined(parts: list[LoadLine], axis: int) -> LoadLine:
    columns = list(zip(*parts, strict=True))[1:]
    return LoadLine(parts[0].m_z, *(np.concatenate(column, axis=axis) for column in columns))


def _failed(reason: str) -> LoadLine:
    nothing = np.full((1, 1, M_Z_POINTS), np.nan)
    failure = np.array([[reason]], dtype=object)
    return LoadLine(np.linspace(-1.0, 1.0, M_Z_POINTS), nothing, nothing, nothing[..., :2], failure)


def _measure_batch(
    study: Study, cells: pd.DataFrame, direction: Direction, amplitudes: FloatArray
) -> LoadLine:
    m_z = np.linspace(-1.0, 1.0, M_Z_POINTS)
    high = "abl" if high_line(study, direction) == "bitline" else "asl"
    sign = 1.0 if study.cell.free_layer_to == "bitline" else -1.0
    shape = (len(cells), len(amplitudes))
    current, voltage = np.empty((2, *shape, M_Z_POINTS))
    edges = np.empty((*shape, 2))
    ngspice = simulator()
    with ngspice.circuit(batch_deck(study, cells, held=True)):
        for k, amplitude in enumerate(amplitudes):
            ngspice.exec_command(f"alter v{high} dc = {float(amplitude)!r}")
            ngspice.exec_command(f"alter vw dc = {study.cell.wordline_voltage!r}")
            vectors = ngspice.analyse(f"dc vmz -1 1 {2.0 / (M_Z_POINTS - 1)!r}", "v-sweep", 1.0)
            current[:, k] = -_per_cell(vectors, "e" + high[1] + "{}#branch", len(cells))
            voltage[:, k] = sign * (
                _per_cell(vectors, "t{}", len(cells)) - _per_cell(vectors, "d{}", len(cells))
            )
            for state, held in enumerate((1.0, -1.0)):
                ngspice.exec_command(f"alter vmz dc = {held!r}")
                plateau = 1e-10 + 10.0 * _line_time(study)
                time, vectors = _pulse(ngspice, study, high, float(amplitude), plateau)
                duration = plateau + 0.5 * (study.pulse.rise + study.pulse.fall)
                static = amplitude * current[:, k, 0 if held < 0 else -1] * duration
                edges[:, k, state] = _delivered(time, vectors, len(cells)) - static
    return LoadLine(m_z, current, voltage, edges, np.full(shape, "", dtype=object))


def write_waveforms(
    study: Study, cells: pd.DataFrame, direction: Direction, amplitude: float, duration: float
) -> Write:
    """Simulate one write with free magnetizations and no noise.

    The magnetizations start at the column ``u0`` of `cells`, which is artanh(m_z).

    Raises
    ------
    SimulationError
        If ngspice does not reach the end of the pulse.
    """
    high = "abl" if high_line(study, direction) == "bitline" else "asl"
    amplitude, duration = float(amplitude), float(duration)  # a numpy float does not print as a number
    ngspice = simulator()
    with ngspice.circuit(batch_deck(study, cells, held=False)):
        plateau = duration - 0.5 * (study.pulse.rise + study.pulse.fall)
        time, vectors = _pulse(ngspice, study, high, amplitude, plateau, options="uic")
        current = -_per_cell(vectors, "e" + high[1] + "{}#branch", len(cells))
        m_z = _per_cell(vectors, "m{}", len(cells))
        return Write(time, current, m_z, _delivered(time, vectors, len(cells)))


def _line_time(study: Study) -> float:
    """Time constant of the lines, s."""
    return sum(line.resistance * line.capacitance for line in (study.cell.bitline, study.cell.sourceline))


def _pulse(
    ngspice: Simulator, study: Study, high: str, amplitude: float, plateau: float, options: str = ""
) -> tuple[FloatArray, Mapping[str, FloatArray]]:
    """Run one write pulse; the word line is up before the pulse rises and until the lines are empty."""
    rise, fall = study.pulse.rise, study.pulse.fall
    settle = 10.0 * _line_time(study)
    off = rise + rise + plateau + fall + settle
    shapes = {
        high: (amplitude, rise, rise, fall, plateau),
        "w": (study.cell.wordline_voltage, 0.0, rise, fall, off - rise),
    }
    for node, (level, delay, up, down, width) in shapes.items():
        numbers = " ".join(repr(float(number)) for number in (0.0, level, delay, up, down, width))
        ngspice.exec_command(f"alter v{node} dc = 0")
        ngspice.exec_command(f"alter @v{node}[pulse] = [ {numbers} ]")
    stop = off + fall + settle
    step = min(rise, fall) / 5.0
    vectors = ngspice.analyse(f"tran {step!r} {stop!r} 0 {5.0 * step!r} {options}", "time", stop)
    return vectors["time"], vectors


def _delivered(time: FloatArray, vectors: Mapping[str, FloatArray], cells: int) -> FloatArray:
    """Energy that each cell's drivers deliver, J; what flows back into a driver is lost, not regained."""
    energy = np.zeros(cells)
    for line, node in (("b", "abl"), ("s", "asl"), ("w", "w")):
        power = -vectors[node] * _per_cell(vectors, "e" + line + "{}#branch", cells)
        energy += trapezoid(np.maximum(power, 0.0), time, axis=1)
    return energy


def _per_cell(vectors: Mapping[str, FloatArray], pattern: str, cells: int) -> FloatArray:
    return np.stack([vectors[pattern.format(k)] for k in range(cells)])
