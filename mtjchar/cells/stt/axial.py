"""Averages over thermal noise with axial symmetry: Fokker-Planck equation on load lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.polynomial import chebyshev

from mtjchar.arrays import FloatArray
from mtjchar.cells.base import Averages, Direction, Pulses
from mtjchar.cells.stt.barriers import Acting, acting_on
from mtjchar.cells.stt.drivers import EdgeTimes
from mtjchar.cells.stt.measure import LoadLine
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.tables import SttTables
from mtjchar.physics import back_hopping, fokker_planck, long_pulses, torque
from mtjchar.work import done

__all__ = [
    "FunctionOfZ",
    "average_over_noise",
    "between_states",
    "fourth_order",
    "of_both_edges",
    "share_of_p",
    "torque_drive",
]

FunctionOfZ = Callable[[FloatArray], FloatArray]

_SYSTEMS = 384  # solved together: large enough for numpy, small enough for the CPU's cache


def average_over_noise(
    tables: SttTables,
    devices: pd.DataFrame,
    direction: Direction,
    lines: LoadLine,
    pulses: Pulses,
) -> Averages:
    """Solve the Fokker-Planck equation for all devices and pulses.

    Parameters
    ----------
    tables : SttTables
        Axially symmetric.
    devices : DataFrame
        As `mtjchar.cells.stt.device.derive` returns them, each with two stable states.
    direction : {"p_to_ap", "ap_to_p"}
    lines : LoadLine
        Of these devices and amplitudes.
    pulses : Pulses

    Notes
    -----
    With back-hopping, error rates contain the loss of written bits; energies do not change.
    """
    amplitudes, durations = pulses.amplitude_V, pulses.duration_s
    highest = _highest_overdrive(tables, devices, direction, lines, amplitudes)
    limit = fokker_planck.OVERDRIVE_LIMIT
    failure = np.where(highest > limit, f"overdrive above {limit:g}", lines.failure)
    solved = failure == ""
    rate, energy, redundant = np.full((3, *solved.shape, len(durations)), np.nan)
    edges = EdgeTimes.of(tables, pulses)
    for group in _groups(len(devices), len(amplitudes)):
        done(group.start / len(amplitudes))
        part = np.zeros_like(solved)
        part[:, group] = solved[:, group]
        if part.any():
            writes = _Writes.of(tables, devices, direction, lines, amplitudes, part)
            rate[part], energy[part], redundant[part] = writes.average(durations, edges)
            if direction in tables.hopping_directions:
                rate[part] = _after_hops(devices, direction, lines, part, rate[part], durations)
    return Averages(rate, energy, redundant, failure)


def _after_hops(
    devices: pd.DataFrame,
    direction: Direction,
    lines: LoadLine,
    solved: npt.NDArray[np.bool_],
    error_rate: FloatArray,
    durations: FloatArray,
) -> FloatArray:
    """Error rate (systems, durations) with back-hopping, at the current of the plateau in the written state.

    Energies do not change to first order: a bit that hops has taken the current of the written state before.
    """
    column = {name: devices[name].to_numpy()[np.nonzero(solved)[0]] for name in devices.columns}
    written = 0 if direction == "p_to_ap" else -1
    log_survival = back_hopping.log_survival(
        (lines.current_A[solved][:, written] / column["back_hopping_current_A"])[:, None],
        column["back_hopping_stability"][:, None],
        durations / column["relaxation_time_s"][:, None],
    )
    with np.errstate(divide="ignore"):
        return np.exp(back_hopping.combined(np.log(error_rate), log_survival))


def _groups(devices: int, amplitudes: int) -> list[slice]:
    """Neighbouring amplitudes that are solved together, because they need about as many steps and points."""
    together = max(_SYSTEMS // devices, 1)
    return [slice(start, start + together) for start in range(0, amplitudes, together)]


def _highest_overdrive(
    tables: SttTables, devices: pd.DataFrame, direction: Direction, lines: LoadLine, amplitudes: FloatArray
) -> FloatArray:
    """Largest magnitude of the overdrive in any part of a pulse, shape (devices, amplitudes)."""
    writes = _Writes.of(
        tables, devices, direction, lines, amplitudes, np.ones_like(lines.failure, dtype=np.bool_)
    )
    drive = np.abs(writes.overdrive(np.linspace(-1.0, 1.0, 33)[:, None])).max(axis=0)
    parts = np.concatenate([writes.rise, writes.fall], axis=1)
    highest = drive * np.maximum(parts.max(axis=(1, 2)), 1.0)
    return np.asarray(highest.reshape(lines.failure.shape))


def torque_drive(
    tables: SttTables, devices: pd.DataFrame, lines: LoadLine
) -> tuple[Acting, FloatArray, FloatArray]:
    """Return what drives the torque, and its edge shapes: those of the current or of the voltage."""
    acting = acting_on(tables, devices, lines.m_z, lines.current_A, lines.junction_voltage_V)
    if tables.stack.torque == "voltage":
        return acting, lines.rise_voltage, lines.fall_voltage
    return acting, lines.rise, lines.fall


def largest_overdrive(tables: SttTables, device: pd.DataFrame, lines: LoadLine) -> float:
    """Return the largest overdrive on the load line of one device at one amplitude, over all m_z."""
    acting, _, _ = torque_drive(tables, device, lines)
    critical = float(acting.first.critical_current[0])
    if tables.stack.torque == "voltage":
        critical *= float(acting.first.parallel[0])
    lambda_ = np.asarray(tables.stack.slonczewski_lambda)
    efficiency = 2.0 * torque.spin_torque_efficiency(np.ones(1), lambda_, lines.m_z)
    return float(np.max(acting.drive[0, 0] * efficiency) / critical)


def between_states(in_both: FloatArray, share: FloatArray) -> FloatArray:
    """Interpolate between values in P and in AP (last axis); a share of 1 is P."""
    return np.asarray(in_both[..., 1] + (in_both[..., 0] - in_both[..., 1]) * share)


def share_of_p(value: FloatArray, in_p: FloatArray, in_ap: FloatArray) -> FloatArray:
    """Position of currents or powers between those in P, 1, and in AP, 0; 1/2 if both are the same."""
    span = np.broadcast_to(in_p - in_ap, value.shape)
    share = np.divide(value - in_ap, span, out=np.full_like(value, 0.5), where=span != 0.0)
    return np.clip(share, 0.0, 1.0)


def of_both_edges(rise: FloatArray, fall: FloatArray) -> FloatArray:
    """Sum energies over the parts of both edges, each of shape (systems, its parts, states)."""
    parts = max(rise.shape[1], fall.shape[1])
    rise, fall = (np.pad(edge, ((0, 0), (0, parts - edge.shape[1]), (0, 0))) for edge in (rise, fall))
    return np.asarray((rise + fall).sum(axis=1))


def _remembering(function: FunctionOfZ) -> FunctionOfZ:
    """Cache the last result: all stages of a pulse request the values on the same grid."""
    last: list[FloatArray] = []

    def remembered(z: FloatArray) -> FloatArray:
        if not last or last[0] is not z:
            last[:] = z, function(z)
        return last[1]

    return remembered


class _Writes(NamedTuple):
    """One system of equations for each device and amplitude; functions of z, +1 being the start."""

    start: float  # m_z of the state before the write
    stability: FloatArray  # (systems,)
    relaxation_time: FloatArray  # (systems,), s
    field: FloatArray  # (systems,), over the anisotropy field, positive towards the start
    overdrive: FunctionOfZ
    power: FunctionOfZ  # W
    share: FunctionOfZ  # position of the power between that in P, 1, and in AP, 0
    rise: FloatArray  # (systems, parts, 2 or 3), the drive over that of the plateau in P, in AP, halfway
    fall: FloatArray
    rise_energy: FloatArray  # (systems, parts, 2), J
    fall_energy: FloatArray
    line_energy: FloatArray  # (systems, 2)

    @classmethod
    def of(
        cls,
        tables: SttTables,
        devices: pd.DataFrame,
        direction: Direction,
        lines: LoadLine,
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

        acting, rise, fall = torque_drive(tables, devices, lines)
        drive, voltage = acting.drive[solved], acting.voltage_V[solved]
        critical = acting.first.critical_current[device][:, None]
        field_like = tables.stack.field_like_torque * column["damping"][:, None]
        if tables.stack.torque == "voltage":
            # Over R_P Ic0; b_J is proportional to V^2 and favours one state, in both directions.
            parallel = acting.first.parallel[device][:, None]
            field_like = field_like * voltage
            driven = series(drive * (1.0 + field_like) / (parallel * critical))
        else:
            driven = series(drive * (1.0 + field_like) / critical)
        # The angular dependence of a torque per current is applied here only. It is not part of the series,
        # because it is too steep for the points near the antiparallel state.
        lambda_ = np.asarray(column.get("slonczewski_lambda", tables.stack.slonczewski_lambda))
        # A field that the voltage adds to Hk acts like an overdrive -dHk/Hk z, with z = 1 before the write.
        vcma = cell_parameters(tables, devices)["vcma"].to_numpy()[device]
        softening = voltage * (vcma / column["anisotropy_field_T"])[:, None]
        softened = series(softening * start * lines.m_z) if np.any(vcma) else None

        def overdrive(z: FloatArray) -> FloatArray:
            # The efficiency of the symmetric torque is 1/2.
            own = driven(z) * 2.0 * torque.spin_torque_efficiency(np.ones(1), lambda_, start * z)
            return own if softened is None else own - softened(z)

        power = _remembering(series(lines.delivered_A[solved] * amplitudes[amplitude, None]))
        in_p, in_ap = (power(np.full(len(device), z)) for z in (start, -start))
        return cls(
            start,
            column["thermal_stability"],
            column["relaxation_time_s"],
            start * tables.cell.external_field.z / column["anisotropy_field_T"],
            _remembering(overdrive),
            power,
            _remembering(lambda z: share_of_p(power(z), in_p, in_ap)),
            fourth_order(rise[solved]),
            fourth_order(fall[solved]),
            fourth_order(lines.rise_energy_J[solved]),
            fourth_order(lines.fall_energy_J[solved]),
            lines.line_energy_J[solved],
        )

    def average(self, durations: FloatArray, edges: EdgeTimes) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Error rate, energy of a switching and of a redundant write, each (systems, durations)."""
        plateau = np.maximum(durations - edges.outside, 0.0)
        t_d = self.relaxation_time[:, None]
        in_joule = 1.0 / self.relaxation_time[:, None]
        statistics = long_pulses.write_statistics(
            self.overdrive,
            self.stability,
            plateau / t_d,
            self.power,
            field=self.field,
            rise=self._stages(self.rise, self.rise_energy, edges.rise),
            fall=self._stages(self.fall, self.fall_energy, edges.fall),
            # The energy stored on the lines changes once the junction has switched: the drivers deliver the
            # difference.
            stored=self._between_states(self.line_energy * in_joule),
        )
        z_start = np.ones_like(self.stability)
        before = self._between_states(self.line_energy)(z_start)[:, None]
        # A redundant write holds the state: 1 - |m_z| averages 1/(2 Delta (1 + i - h)) in the well.
        stiffness = 1.0 - self.field + np.maximum(self.overdrive(-z_start), 0.0)
        well = -z_start + 0.5 / (self.stability * stiffness)
        edge_energy = of_both_edges(self.rise_energy, self.fall_energy)
        redundant = self.power(well)[:, None] * plateau + self._between_states(edge_energy)(well)[:, None]
        return statistics.error_rate, statistics.integral * t_d - before, redundant

    def _between_states(self, in_both: FloatArray) -> FunctionOfZ:
        """Interpolate between values in P and in AP, shape (systems, 2), in proportion to the current."""
        return lambda z: between_states(in_both, self.share(z))

    def _stages(self, shape: FloatArray, energy: FloatArray, times: FloatArray) -> list[fokker_planck.Stage]:
        in_p, in_ap, *halfway = np.moveaxis(shape, -1, 0)  # (systems, parts)
        mean, half = 0.5 * (in_p + in_ap), 0.5 * self.start * (in_p - in_ap)
        bend = [value - mean for value in halfway]

        def drive(part: int) -> FunctionOfZ:
            def over_plateau(z: FloatArray) -> FloatArray:
                ratio: FloatArray = mean[:, part] + half[:, part] * z
                for bent in bend:
                    ratio += bent[:, part] * (1.0 - z * z)
                return ratio

            return lambda z: self.overdrive(z) * over_plateau(z)

        return [
            fokker_planck.Stage(
                drive(part), time / self.relaxation_time, self._between_states(energy[:, part] / time)
            )
            for part, time in enumerate(times.tolist())
        ]


def fourth_order(means: FloatArray) -> FloatArray:
    """Constant drives that are equivalent to a varying one, from its means in an even number of equal parts.

    Commutator-free Magnus integrator of order 4 (A. Alvermann, H. Fehske, J. Comput. Phys. 230, 5930 (2011),
    doi:10.1016/j.jcp.2011.04.006), which for two halves with means a and b takes a - (b - a)/6 and
    b + (b - a)/6. Shape (systems, parts, states) as in `LoadLine`.
    """
    first, second = means[:, ::2], means[:, 1::2]
    sixth = (second - first) / 6.0
    return np.stack([first - sixth, second + sixth], axis=2).reshape(means.shape)
