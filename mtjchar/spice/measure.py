"""What ngspice tells of a batch of cells: load lines, energies of the pulse edges, whole writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.integrate import trapezoid
from scipy.interpolate import make_interp_spline

from mtjchar.errors import SimulationError
from mtjchar.physics import tunneling
from mtjchar.spice.netlist import AXIAL_STEP, VECTOR_CELLS, batch_deck, high_line, vector_step
from mtjchar.spice.ngspice import Simulator, simulator
from mtjchar.study import Direction, Study

FloatArray = npt.NDArray[np.float64]

M_Z_POINTS = 9
EDGE_PARTS = 4
_SETTLED = 10.0  # time constants of the lines


class LoadLine(NamedTuple):
    """What a batch of cells does while the pulse is on, in one direction.

    Attributes
    ----------
    m_z : ndarray, shape (points,)
        Cosine between the layers, m_z where the reference layer is not tilted: from -1 (antiparallel) to 1
        (parallel).
    current_A : ndarray, shape (devices, amplitudes, points)
        Through the junction, positive in the direction that favours the state written.
    junction_voltage_V : ndarray, shape (devices, amplitudes, points)
        From the free to the reference layer.
    rise, fall : ndarray, shape (devices, amplitudes, EDGE_PARTS, 2)
        Current over that of the plateau, mean in each of equal parts of the edges (see `EdgeTimes`), with the
        junction held in P and in AP.
    edge_energy_J : ndarray, shape (devices, amplitudes, 2)
        What a write takes outside its plateau, with the junction held in P and in AP: the edges, and the
        charge of the lines and of the word line.
    failure : ndarray of str, shape (devices, amplitudes)
        Why there are no numbers (which then are NaN); empty where there are.
    """

    m_z: FloatArray
    current_A: FloatArray
    junction_voltage_V: FloatArray
    rise: FloatArray
    fall: FloatArray
    edge_energy_J: FloatArray
    failure: npt.NDArray[np.object_]


class EdgeTimes(NamedTuple):
    """How a pulse is divided into rise, plateau and fall, in s.

    The rise ends when the lines have followed the driver, as far as the shortest duration of the sweep leaves
    time for that; the fall ends when they are empty. The plateau, of constant current if m_z is constant, is
    shorter than the duration by `outside`.
    """

    rise: float
    fall: float
    outside: float

    @classmethod
    def of(cls, study: Study) -> EdgeTimes:
        """Divide the pulses of a study."""
        ramps = 0.5 * (study.pulse.rise + study.pulse.fall)
        lag = min(_SETTLED * _line_time(study), study.sweep.duration.start - ramps)
        return cls(study.pulse.rise + lag, study.pulse.fall + _SETTLED * _line_time(study), ramps + lag)


class Write(NamedTuple):
    """Waveforms of one pulse on a batch of cells whose magnetizations are free to move, no noise."""

    time_s: FloatArray  # (times,)
    # (devices, times), from the driver of the high line, positive towards the state written: the junction's
    # current and, at the edges, the charge of the line.
    current_A: FloatArray
    m_z: FloatArray  # (devices, times)
    energy_J: FloatArray  # (devices,), delivered by bit-line, source-line and word-line drivers
    m: FloatArray | None  # (devices, times, 3), in the vector model; None in the axial one


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
    line, edge = np.full((1, 1, M_Z_POINTS), np.nan), np.full((1, 1, EDGE_PARTS, 2), np.nan)
    failure = np.array([[reason]], dtype=object)
    return LoadLine(
        np.linspace(-1.0, 1.0, M_Z_POINTS), line, line, edge, edge, np.full((1, 1, 2), np.nan), failure
    )


def _measure_batch(
    study: Study, cells: pd.DataFrame, direction: Direction, amplitudes: FloatArray
) -> LoadLine:
    m_z = np.linspace(-1.0, 1.0, M_Z_POINTS)
    high = "abl" if high_line(study, direction) == "bitline" else "asl"
    shape = (len(cells), len(amplitudes))
    current, voltage = np.empty((2, *shape, M_Z_POINTS))
    rise, fall = np.empty((2, *shape, EDGE_PARTS, 2))
    energy = np.empty((*shape, 2))
    times = EdgeTimes.of(study)
    ngspice = simulator()
    with ngspice.circuit(batch_deck(study, cells, held=True)):
        for k, amplitude in enumerate(amplitudes):
            ngspice.exec_command(f"alter v{high} dc = {float(amplitude)!r}")
            ngspice.exec_command(f"alter vw dc = {study.cell.wordline_voltage!r}")
            vectors = ngspice.analyse(f"dc vmz -1 1 {2.0 / (M_Z_POINTS - 1)!r}", "v-sweep", 1.0)
            current[:, k] = -_per_cell(vectors, "e" + high[1] + "{}#branch", len(cells))
            voltage[:, k] = _junction_voltage(study, vectors, len(cells))
            for state, (held, point) in enumerate(((1.0, -1), (-1.0, 0))):
                ngspice.exec_command(f"alter vmz dc = {held!r}")
                plateau = 1e-10 + _SETTLED * _line_time(study)
                time, vectors = _pulse(ngspice, study, high, float(amplitude), plateau)
                rise[:, k, :, state], fall[:, k, :, state] = _edge_shapes(
                    cells, held, voltage[:, k, point], time, _junction_voltage(study, vectors, len(cells)),
                    (study.pulse.rise, times.rise), (2.0 * study.pulse.rise + plateau, times.fall),
                )  # fmt: skip
                explicit = plateau + 0.5 * (study.pulse.rise + study.pulse.fall) - times.outside
                static = amplitude * current[:, k, point] * explicit
                energy[:, k, state] = _delivered(time, vectors, len(cells)) - static
    return LoadLine(m_z, current, voltage, rise, fall, energy, np.full(shape, "", dtype=object))


def _junction_voltage(study: Study, vectors: Mapping[str, FloatArray], cells: int) -> FloatArray:
    """From the free to the reference layer, V."""
    sign = 1.0 if study.cell.free_layer_to == "bitline" else -1.0
    return sign * (_per_cell(vectors, "t{}", cells) - _per_cell(vectors, "d{}", cells))


def _edge_shapes(
    cells: pd.DataFrame,
    cosine: float,
    plateau: FloatArray,
    time: FloatArray,
    voltage: FloatArray,
    *windows: tuple[float, float],
) -> list[FloatArray]:
    """Mean currents over those of the plateau in equal parts of windows (start, length), each (cells, parts).

    The driver's current has the charge of the lines in it; the junction's follows from its own voltage, here
    of shape (cells, times), on the plateau (cells,).
    """
    rp, tmr, half = (cells[name].to_numpy()[:, None] for name in ("rp", "tmr", "vhalf"))

    def current(v: FloatArray) -> FloatArray:
        return v * tunneling.conductance(np.array(cosine), rp, tunneling.tmr_at_bias(tmr, v, half))

    charge = make_interp_spline(time, current(voltage), k=1, axis=1).antiderivative()
    static = current(plateau[:, None])
    means = []
    for start, length in windows:
        edges = np.linspace(start, start + length, EDGE_PARTS + 1)
        mean = np.diff(charge(edges), axis=1) / np.diff(edges)
        means.append(np.divide(mean, static, out=np.zeros_like(mean), where=static != 0.0))
    return means


def write_waveforms(
    study: Study, cells: pd.DataFrame, direction: Direction, amplitude: float, duration: float
) -> Write:
    """Simulate one write with free magnetizations and no noise.

    The magnetizations start at the column ``u0`` of `cells`, artanh(m_z), and where the study is not axially
    symmetric at the azimuth ``phi0``, rad (0 if there is no such column).

    Parameters
    ----------
    study : Study
        Chooses the model: axial where it is axially symmetric, otherwise the vector model, which resolves
        the precession and takes some hundred times longer.
    cells : DataFrame
        As `mtjchar.spice.netlist.cell_parameters` returns them, with the columns of the start. More than 60
        cells of the vector model are simulated in several decks.
    direction : {"p_to_ap", "ap_to_p"}
    amplitude, duration : float
        V and s, positive.

    Raises
    ------
    SimulationError
        If ngspice does not reach the end of the pulse.
    """
    amplitude, duration = float(amplitude), float(duration)  # a numpy float does not print as a number
    if study.axially_symmetric:
        return _write(study, cells, direction, amplitude, duration)
    starts = range(0, len(cells), VECTOR_CELLS)
    first, *others = (
        _write(study, cells[start : start + VECTOR_CELLS], direction, amplitude, duration) for start in starts
    )
    return _merged(first, others)


def _write(
    study: Study, cells: pd.DataFrame, direction: Direction, amplitude: float, duration: float
) -> Write:
    high = "abl" if high_line(study, direction) == "bitline" else "asl"
    count = len(cells)
    largest = AXIAL_STEP if study.axially_symmetric else vector_step(cells, amplitude)
    ngspice = simulator()
    with ngspice.circuit(batch_deck(study, cells, held=False)):
        plateau = duration - 0.5 * (study.pulse.rise + study.pulse.fall)
        time, vectors = _pulse(ngspice, study, high, amplitude, plateau, largest, "uic")
        current = -_per_cell(vectors, "e" + high[1] + "{}#branch", count)
        m_z = _per_cell(vectors, "m{}", count)
        m = None
        if not study.axially_symmetric:
            m_x, m_y = (_per_cell(vectors, "x{}.xj.m" + axis, count) for axis in "xy")
            m = np.stack([m_x, m_y, m_z], axis=-1)
        return Write(time, current, m_z, _delivered(time, vectors, count), m)


def _merged(first: Write, others: list[Write]) -> Write:
    """Bring the waveforms of several decks to the times of the first one."""

    def at_times(write: Write, waveforms: FloatArray) -> FloatArray:
        return np.stack([np.interp(first.time_s, write.time_s, waveform) for waveform in waveforms])

    current, m_z, energy = [first.current_A], [first.m_z], [first.energy_J]
    m = [] if first.m is None else [first.m]
    for write in others:
        current.append(at_times(write, write.current_A))
        m_z.append(at_times(write, write.m_z))
        energy.append(write.energy_J)
        if write.m is not None:
            m.append(np.stack([at_times(write, write.m[..., axis]) for axis in range(3)], axis=-1))
    return Write(
        first.time_s,
        np.concatenate(current),
        np.concatenate(m_z),
        np.concatenate(energy),
        np.concatenate(m) if m else None,
    )


def _line_time(study: Study) -> float:
    """Time constant of the lines, s."""
    return sum(line.resistance * line.capacitance for line in (study.cell.bitline, study.cell.sourceline))


def _pulse(
    ngspice: Simulator,
    study: Study,
    high: str,
    amplitude: float,
    plateau: float,
    largest_step: float | None = None,
    options: str = "",
) -> tuple[FloatArray, Mapping[str, FloatArray]]:
    """Run one write pulse; the word line is up before the pulse rises and until the lines are empty."""
    rise, fall = study.pulse.rise, study.pulse.fall
    settle = _SETTLED * _line_time(study)
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
    largest_step = largest_step or 5.0 * step
    vectors = ngspice.analyse(f"tran {step!r} {stop!r} 0 {largest_step!r} {options}", "time", stop)
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
