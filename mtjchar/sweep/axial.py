"""Averages over thermal noise where m_z alone describes the magnetization: load lines into Fokker-Planck."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.polynomial import chebyshev

from mtjchar.physics import fokker_planck, long_pulses, torque
from mtjchar.spice.measure import EDGE_PARTS, EdgeTimes, LoadLine
from mtjchar.spice.netlist import cell_parameters
from mtjchar.study import Direction, Study

FloatArray = npt.NDArray[np.float64]
FunctionOfZ = Callable[[FloatArray], FloatArray]

_SYSTEMS = 384  # solved together: large enough for numpy, small enough for the processor's cache


class Averages(NamedTuple):
    """What devices do on average over thermal noise; shape (devices, amplitudes, durations)."""

    error_rate: FloatArray
    energy_J: FloatArray  # of a write that has to switch
    redundant_energy_J: FloatArray  # of a write of what is there already
    failure: npt.NDArray[np.object_]  # (devices, amplitudes): why there are no numbers, empty where there are


def average_over_noise(
    study: Study,
    devices: pd.DataFrame,
    direction: Direction,
    lines: LoadLine,
    amplitudes: FloatArray,
    durations: FloatArray,
) -> Averages:
    """Solve the Fokker-Planck equation for all devices and pulses.

    Parameters
    ----------
    study : Study
        Axially symmetric.
    devices : DataFrame
        As `mtjchar.sweep.sampling.derive` returns them, each with two stable states.
    direction : {"p_to_ap", "ap_to_p"}
    lines : LoadLine
        Of these devices and amplitudes.
    amplitudes, durations : ndarray
        V and s.
    """
    overdrive = _overdrive(study, devices, direction, lines)
    highest = np.abs(overdrive).max(axis=2) * np.maximum(
        np.maximum(lines.rise, lines.fall).max(axis=(2, 3)), 1.0
    )
    limit = fokker_planck.OVERDRIVE_LIMIT
    failure = np.where(highest > limit, f"overdrive above {limit:g}", lines.failure)
    solved = failure == ""
    rate, energy, redundant = np.full((3, *solved.shape, len(durations)), np.nan)
    for some in _groups(len(devices), len(amplitudes)):
        part = np.zeros_like(solved)
        part[:, some] = solved[:, some]
        if part.any():
            writes = _Writes.of(study, devices, direction, lines, overdrive, amplitudes, part)
            rate[part], energy[part], redundant[part] = writes.average(durations)
    return Averages(rate, energy, redundant, failure)


def _groups(devices: int, amplitudes: int) -> list[slice]:
    """Neighbouring amplitudes that are solved together: they need about as many steps and points."""
    together = max(_SYSTEMS // devices, 1)
    return [slice(start, start + together) for start in range(0, amplitudes, together)]


def _overdrive(study: Study, devices: pd.DataFrame, direction: Direction, lines: LoadLine) -> FloatArray:
    """Overdrive on the points of the load line, shape (devices, amplitudes, points), ordered by m_z."""
    column = {name: devices[name].to_numpy()[:, None, None] for name in devices.columns}
    stack = study.stack
    # The critical current is that of the symmetric torque; its angular dependence enters here, once.
    one = np.ones(1)
    lambda_ = np.asarray(devices.get("slonczewski_lambda", stack.slonczewski_lambda))[..., None, None]
    symmetric = torque.spin_torque_efficiency(one, one, lines.m_z)
    asymmetry = torque.spin_torque_efficiency(one, lambda_, lines.m_z) / symmetric
    field_like = 1.0 + column["damping"] * stack.field_like_torque
    overdrive = lines.current_A / column["critical_current_A"] * asymmetry * field_like
    # A field that the voltage adds to Hk acts like an overdrive -dHk/Hk z, z counted from the start state.
    vcma = cell_parameters(study, devices)["vcma"].to_numpy()[:, None, None]
    softening = vcma * lines.junction_voltage_V / column["anisotropy_field_T"]
    start = 1.0 if direction == "p_to_ap" else -1.0
    return np.asarray(overdrive - softening * start * lines.m_z)


class _Writes(NamedTuple):
    """One system of equations for each device and amplitude; functions of z, +1 being the start."""

    study: Study
    start: float  # m_z of the state before the write
    stability: FloatArray  # (systems,)
    relaxation_time: FloatArray  # (systems,), s
    field: FloatArray  # (systems,), over the anisotropy field, positive towards the start
    overdrive: FunctionOfZ
    power: FunctionOfZ  # W
    rise: FloatArray  # (systems, EDGE_PARTS, 2) as in LoadLine
    fall: FloatArray
    edge_energy: FloatArray  # (systems, 2), in P and in AP, J

    @classmethod
    def of(
        cls,
        study: Study,
        devices: pd.DataFrame,
        direction: Direction,
        lines: LoadLine,
        overdrive: FloatArray,
        amplitudes: FloatArray,
        solved: npt.NDArray[np.bool_],
    ) -> _Writes:
        device, amplitude = np.nonzero(solved)
        column = {name: devices[name].to_numpy()[device] for name in devices.columns}
        start = 1.0 if direction == "p_to_ap" else -1.0
        to_coefficients = np.linalg.inv(chebyshev.chebvander(start * lines.m_z, len(lines.m_z) - 1))

        def series(values: FloatArray) -> FunctionOfZ:
            coefficients = to_coefficients @ values.T
            return lambda z: np.asarray(chebyshev.chebval(z, coefficients, tensor=False), dtype=np.float64)

        return cls(
            study,
            start,
            column["thermal_stability"],
            column["relaxation_time_s"],
            start * study.cell.external_field.z / column["anisotropy_field_T"],
            series(overdrive[solved]),
            series(lines.current_A[solved] * amplitudes[amplitude, None]),
            lines.rise[solved],
            lines.fall[solved],
            lines.edge_energy_J[solved],
        )

    def average(self, durations: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Error rate, energy of a switching and of a redundant write, each (systems, durations)."""
        edges = EdgeTimes.of(self.study)
        plateau = np.maximum(durations - edges.outside, 0.0)
        t_d = self.relaxation_time[:, None]
        statistics = long_pulses.write_statistics(
            self.overdrive,
            self.stability,
            plateau / t_d,
            self.power,
            field=self.field,
            rise=self._stages(self.rise, edges.rise),
            fall=self._stages(self.fall, edges.fall),
        )
        # Edges: the rise meets the state before the write, the fall the one after it.
        before, after = self.edge_energy.T[:: int(self.start), :, None]
        failed = statistics.error_rate
        ends = 0.5 * (before * (1.0 + failed) + after * (1.0 - failed))
        # A redundant write holds the state: 1 - |m_z| averages 1/(2 Delta (1 + i - h)) in the well.
        bottom = np.full_like(self.stability, -1.0)
        stiffness = 1.0 - self.field + np.maximum(self.overdrive(bottom), 0.0)
        held = self.power(bottom + 0.5 / (self.stability * stiffness))[:, None]
        return failed, statistics.integral * t_d + ends, held * plateau + after

    def _stages(self, shape: FloatArray, duration: float) -> list[fokker_planck.Stage]:
        in_p, in_ap = np.moveaxis(_fourth_order(shape), -1, 0)  # (systems, parts)
        mean, half = 0.5 * (in_p + in_ap), 0.5 * self.start * (in_p - in_ap)

        def drive(part: int) -> FunctionOfZ:
            return lambda z: self.overdrive(z) * (mean[:, part] + half[:, part] * z)

        time = duration / EDGE_PARTS / self.relaxation_time
        return [fokker_planck.Stage(drive(part), time) for part in range(EDGE_PARTS)]


def _fourth_order(means: FloatArray) -> FloatArray:
    """Constant drives that stand for a varying one, from its means in an even number of equal parts.

    Commutator-free Magnus integrator of order 4 (A. Alvermann, H. Fehske, J. Comput. Phys. 230, 5930 (2011),
    doi:10.1016/j.jcp.2011.04.006), which for two halves with means a and b takes a - (b - a)/6 and
    b + (b - a)/6. Shape (systems, parts, states) as in `LoadLine`.
    """
    first, second = means[:, ::2], means[:, 1::2]
    sixth = (second - first) / 6.0
    return np.stack([first - sixth, second + sixth], axis=2).reshape(means.shape)
