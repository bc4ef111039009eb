"""Error rates and energies of writes by the channel, from thermal ensembles.

For each device and amplitude, `[sweep] trials` macrospins are simulated through the pulse, with the currents
that ngspice has measured. Those that end in the wrong well are counted.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import constants

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.cells.base import Averages, Counting, Direction, Pulses
from mtjchar.cells.sot.circuit import COSINES, Currents, EdgeTimes
from mtjchar.cells.sot.device import in_frame, wells_of
from mtjchar.cells.sot.tables import SotTables
from mtjchar.cells.stt.film_laws import volume
from mtjchar.cells.stt.line_series import power_series
from mtjchar.cells.stt.rare_writes import Drive, SplitPulse, split_rates
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.physics import llgs, torque
from mtjchar.physics.spin_orbit import SpinOrbitTorque
from mtjchar.physics.wells import WriteWells
from mtjchar.work import done

__all__ = ["count_failures", "macrospin", "spin_orbit_torque"]

_SPLITTING = 1  # key of the random numbers of splitting
_WALKERS = 24576  # in one ensemble, but at least those of one amplitude
_LOOKS = 40  # checks of the relaxing magnetizations, half a relaxation time apart
_SMALL = 1e-6


def macrospin(tables: SotTables, device: pd.Series[Any]) -> llgs.Macrospin:
    """Macrospin of a device, a row of `mtjchar.cells.sot.device.derive`, in the frame of its easy axis.

    The fields between its axes are those of the device and include the shape. `demagnetizing` has only the
    difference between both hard axes. With a torque per voltage, `polarization` is the efficiency
    P/(1 + P^2), and the current that determines the torque is V/R_P.
    """
    per_voltage = tables.stack.torque == "voltage"
    magnetization, field = device["saturation_magnetization_A_per_m"], tables.cell.external_field
    share = device["thermal_stability"] / device.get("coherent_stability", device["thermal_stability"])
    if tables.in_plane:
        share = 1.0  # walls are those of perpendicular layers
    efficiency = torque.symmetric_efficiency(np.asarray(device["spin_polarization"]), tables.stack.torque)
    tilt, factor = tables.stack.reference_tilt, device["external_field_factor"]
    x, y, z = in_frame(tables, (field.x, field.y, field.z))
    hard = max(float(device["hard_axis_field_T"]), 0.0) / (constants.mu_0 * magnetization)
    return llgs.Macrospin(
        magnetization=magnetization,
        volume=float(volume(device["diameter_m"], device["free_layer_thickness_m"]) * share),
        damping=device["damping"],
        anisotropy_field=device["anisotropy_field_T"],
        temperature=tables.cell.temperature,
        polarization=float(efficiency * share),
        lambda_=tables.stack.slonczewski_lambda,
        field_like=0.0 if per_voltage else tables.stack.field_like_torque,
        demagnetizing=(0.0, hard, 0.0),
        reference=(float(np.sin(tilt)), 0.0, float(np.cos(tilt))),
        field=(factor * x, factor * y, factor * z),
    )


def spin_orbit_torque(tables: SotTables, device: pd.Series[Any]) -> SpinOrbitTorque:
    """Torque of the channel of a device, in the frame of its easy axis."""
    return SpinOrbitTorque(
        float(device["damping_like_field_T_per_A"]),
        in_frame(tables, tables.channel.spins),
        float(device["field_like_ratio"]),
    )


def count_failures(
    tables: SotTables,
    devices: pd.DataFrame,
    direction: Direction,
    currents: Currents,
    pulses: Pulses,
    counting: Counting,
) -> Averages:
    """Count the failures of `counting.trials` simulated writes of each device and pulse.

    Notes
    -----
    An ensemble starts from Boltzmann's distribution in the initial well, in the external field. It passes
    through the rise and the plateau, with the assist pulse if there is one. At the end of each plateau, a
    copy of it passes through the fall and the rest of the assist pulse, and relaxes without drive. It relaxes
    until each magnetization is 12 kB T (or half the smaller barrier, if that is less) below the saddle, or
    for twenty relaxation times. Then the side of the saddle counts. A rate of 0 means less than 3/trials at
    95 % confidence.

    The power of the drivers is a linear function of the current through the junction between its values in P
    and AP. If the read transistor is off, the power does not depend on the magnetization. If it is on,
    another ensemble starts in the new state. It gives the energy of redundant writes.

    With `counting.splitting`, error rates come from `mtjchar.physics.splitting`, with a standard error. With
    an assist pulse, and at pulses where splitting is not reliable, the rate is counted all the same and the
    standard error is NaN. See `mtjchar.cells.stt.rare_writes.split_rates`.

    The random numbers follow from `counting.seed`, the number of the device, and the direction.
    """
    shape = (len(devices), len(pulses.amplitude_V), len(pulses.duration_s))
    rate, energy, redundant = np.full((3, *shape), np.nan)
    target = -1.0 if direction == DIRECTIONS[0] else 1.0
    deviation = np.full_like(rate, np.nan) if counting.splitting else None
    wells, times = wells_of(tables, devices), EdgeTimes.of(tables, pulses)
    together = max(_WALKERS // counting.trials, 1)
    for k, row in enumerate(devices.to_dict("records")):
        done(k / len(devices))
        device = pd.Series(row)
        key = (int(row["device"]), DIRECTIONS.index(direction))
        rng = _generator(counting.seed, *key)
        solved = np.flatnonzero(currents.failure[k] == "")
        for group in (solved[start : start + together] for start in range(0, len(solved), together)):
            write = _Write.of(
                tables, device, currents, k, group, times, WriteWells.of(wells, k, target), pulses
            )
            rate[k, group], energy[k, group] = write.simulate(-target, counting.trials, rng)
            if deviation is not None and tables.cell.assist is None:
                rate[k, group], deviation[k, group] = split_rates(
                    write.well, write.split(tables.in_plane), write.plateaus, counting.trials, rate[k, group],
                    _generator(counting.seed, *key, _SPLITTING, int(group[0])),
                )  # fmt: skip
            redundant[k, group] = energy[k, group]
            if tables.cell.reads_in_write:
                _, redundant[k, group] = write.simulate(target, counting.trials, rng)
    return Averages(rate, energy, redundant, currents.failure, standard_error=deviation)


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


class _Drive(NamedTuple):
    """Drive of one device at several amplitudes: power series in the cosine m.p, (terms, amplitudes)."""

    channel: FloatArray  # A
    junction: FloatArray  # A, from the free to the reference layer
    torque: FloatArray | None  # A, if the current does not determine the torque
    softening: FloatArray | None  # T, change of the anisotropy field by VCMA
    along: FloatArray | None  # T, field-like torque per voltage

    def shaped(self, channel: FloatArray, voltage: FloatArray) -> _Drive:
        """Drive in a part of an edge, from ratios (amplitudes,) to the plateau."""
        return _Drive(
            self.channel * channel,
            self.junction * voltage,
            None if self.torque is None else self.torque * voltage,
            None if self.softening is None else self.softening * voltage,
            None if self.along is None else self.along * voltage**2,
        )

    def advance(
        self,
        spin: llgs.Macrospin,
        torque_: SpinOrbitTorque,
        m: FloatArray,
        amplitude: IndexArray,
        duration: float,
        step: float,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """States (3, walkers) after a duration (s) with the drive of each one's amplitude, and charges."""
        if not len(amplitude):
            return m, np.empty(0)
        field = None
        if self.softening is not None:
            field = self.softening[:, amplitude]
            field[0] += spin.anisotropy_field
        end = llgs.simulate_on_load_line(
            spin,
            m,
            duration=duration,
            step=step,
            current=self.junction[:, amplitude],
            anisotropy_field=field,
            torque_current=None if self.torque is None else self.torque[:, amplitude],
            reference_field=None if self.along is None else self.along[:, amplitude],
            spin_orbit=torque_,
            channel_current=self.channel[:, amplitude],
            rng=rng,
        )
        return end.m[-1], end.charge[-1]


class _SplitDrive(NamedTuple):
    """A drive as `mtjchar.cells.stt.rare_writes` requires it."""

    torque: SpinOrbitTorque
    drive: _Drive
    only_holds: bool

    def start(self, m: FloatArray) -> FloatArray:
        """States from magnetizations (3, walkers) at rest."""
        return m

    def advance(
        self,
        spin: llgs.Macrospin,
        state: FloatArray,
        amplitude: IndexArray,
        duration: float,
        step: float,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """States and charges after a duration (s)."""
        return self.drive.advance(spin, self.torque, state, amplitude, duration, step, rng)

    def relax(
        self, spin: llgs.Macrospin, state: FloatArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States after a duration (s) without drive."""
        step = llgs.largest_step(spin)
        return np.asarray(llgs.simulate(spin, state, duration=duration, step=step, rng=rng).m[-1])


class _Write(NamedTuple):
    """A write of one device at several amplitudes."""

    spin: llgs.Macrospin
    torque: SpinOrbitTorque
    well: WriteWells
    rise: list[tuple[_Drive, float]]  # parts with their lengths, s
    fall: list[tuple[_Drive, float]]
    phases: list[_Drive]  # plateau, with the assist pulse, the assist pulse alone
    power: list[tuple[FloatArray, FloatArray]]  # of each phase: W without and V per current of the junction
    edges: tuple[FloatArray, FloatArray]  # J, (amplitudes, 2): rise and fall, in P and in AP
    overhead: FloatArray  # J, (amplitudes, 2), of the edges of the assist pulse
    plateaus: FloatArray  # s, (durations,)
    assist: tuple[float, float]  # begin and end on the time axis of the plateau, s; empty without
    step: float  # s

    @classmethod
    def of(
        cls,
        tables: SotTables,
        device: pd.Series[Any],
        currents: Currents,
        k: int,
        group: IndexArray,
        times: EdgeTimes,
        well: WriteWells,
        pulses: Pulses,
    ) -> _Write:
        """Use device `k` at a group of amplitudes from measured currents."""
        spin, torque_ = macrospin(tables, device), spin_orbit_torque(tables, device)
        phases = [
            _drive(tables, spin, device, currents, phase, k, group)
            for phase in range(len(currents.channel_A))
        ]
        rise, fall = (
            [
                (phases[0].shaped(part[:, 0], part[:, 1]), float(length))
                for part, length in zip(_fourth_order(shape[k, group]), lengths, strict=True)
            ]
            for shape, lengths in ((currents.rise, times.rise), (currents.fall, times.fall))
        )
        lag, begin, end = float(times.rise[2:].sum()), 0.0, 0.0
        if (assist := tables.cell.assist) is not None:
            # The plateau begins half a ramp and a lag after half the rise.
            begin = max(assist.delay - 0.5 * pulses.rise - lag, 0.0)
            end = max(assist.delay + assist.duration - 0.5 * pulses.rise - lag, begin)
        drives = [*phases, *(drive for drive, _ in (*rise, *fall))]
        step = min(_longest_step(spin, torque_, drive) for drive in drives)
        return cls(
            spin, torque_, well, rise, fall, phases,
            [_power(currents, phase, k, group) for phase in range(len(phases))],
            (currents.rise_J[k, group], currents.fall_J[k, group]), currents.assist_J[k, group],
            np.maximum(pulses.duration_s - times.outside, 0.0), (begin, end), step,
        )  # fmt: skip

    def simulate(self, start: float, trials: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Error rate and mean energy (J), (amplitudes, durations), of writes of a state, 1: P, -1: AP."""
        count = len(self.edges[0])
        amplitude = np.repeat(np.arange(count), trials)
        m = llgs.equilibrium(
            self.spin, len(amplitude), rng, well=(0.0, 0.0, start), least=start * self.well.saddle
        )
        for drive, length in self.rise:
            m, _ = self._advance(drive, m, amplitude, length, rng)
        energy, taken = np.zeros((count, len(self.plateaus))), np.zeros(count)
        wrong, now = np.zeros(energy.shape), 0.0
        for k, plateau in enumerate(self.plateaus.tolist()):
            for phase, length in self._between(now, plateau):
                m, charge = self._advance(self.phases[phase], m, amplitude, length, rng)
                taken += self._taken(phase, length, charge, amplitude, trials)
            now = plateau
            failed, after = self._finish(m, amplitude, plateau, trials, rng)
            wrong[:, k] = failed
            energy[:, k] = taken + after + self._edge_energy(start, failed)
        return wrong, energy

    def _between(self, now: float, then: float) -> list[tuple[int, float]]:
        """Phases of the plateau between two times, with their lengths."""
        begin, end = self.assist
        cuts = [now, *(cut for cut in (begin, end) if now < cut < then), then]
        return [
            (int(begin <= 0.5 * (low + high) < end), high - low)
            for low, high in itertools.pairwise(cuts)
            if high > low
        ]

    def _finish(
        self, m: FloatArray, amplitude: IndexArray, plateau: float, trials: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Fall, rest of the assist pulse and relaxation: share of failures, and energy (J) after the fall."""
        energy = np.zeros(len(self.edges[0]))
        for drive, length in self.fall:
            m, _ = self._advance(drive, m, amplitude, length, rng)
        begin, end = self.assist
        now = plateau + sum(length for _, length in self.fall)
        if end > now:
            if begin > now:
                m = self._rest(m, begin - now, rng)
                now = begin
            m, charge = self._advance(self.phases[2], m, amplitude, end - now, rng)
            energy = self._taken(2, end - now, charge, amplitude, trials)
        failed = ~self._relaxed(m, rng)
        return np.bincount(amplitude, failed, minlength=len(energy)) / trials, energy

    def _edge_energy(self, start: float, failed: FloatArray) -> FloatArray:
        """Energy of the edges (amplitudes,), with the share of magnetizations that are not written."""
        before, written = (0 if state > 0.0 else 1 for state in (start, self.well.target))
        rise, fall = self.edges
        unwritten = 1 - written
        after = failed * fall[:, unwritten] + (1.0 - failed) * fall[:, written]
        begin, end = self.assist
        overhead = self.overhead[:, before] if end > begin else 0.0
        return np.asarray(rise[:, before] + after + overhead)

    def _taken(
        self, phase: int, length: float, charge: FloatArray, amplitude: IndexArray, trials: int
    ) -> FloatArray:
        """Mean energy of the drivers in a part of the plateau, (amplitudes,)."""
        constant, per_current = self.power[phase]
        mean = np.bincount(amplitude, charge, minlength=len(constant)) / trials
        return np.asarray(constant * length + per_current * mean)

    def split(self, in_plane: bool) -> SplitPulse:
        """Return the pulse for splitting; it has no assist pulse."""
        # Only the spins of an in-plane layer are along its easy axis and hold it in its new state.
        edges: list[list[tuple[Drive, float]]] = [
            [(_SplitDrive(self.torque, drive, in_plane), length) for drive, length in edge]
            for edge in (self.rise, self.fall)
        ]
        rise, fall = edges
        spin, plateau = self.spin, self.phases[0]
        field = abs(self.torque.field_per_current) * float(np.abs(plateau.channel).max())
        # A torque across the easy axis turns the magnetization at the rate gamma B_DL, not by precession.
        overdrive = 1.0 + field / (spin.damping * spin.anisotropy_field)
        return SplitPulse(spin, rise, _SplitDrive(self.torque, plateau, in_plane), fall, self.step, overdrive)

    def _advance(
        self, drive: _Drive, m: FloatArray, amplitude: IndexArray, length: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """States after a length of time (s), and the charges through the junction, A s."""
        return drive.advance(self.spin, self.torque, m, amplitude, length, self.step, rng)

    def _rest(self, m: FloatArray, length: float, rng: np.random.Generator) -> FloatArray:
        step = llgs.largest_step(self.spin)
        return np.asarray(llgs.simulate(self.spin, m, duration=length, step=step, rng=rng).m[-1])

    def _relaxed(self, m: FloatArray, rng: np.random.Generator) -> BoolArray:
        """Whether states end on the written side without drive."""
        written, left = self.well.written(m), np.flatnonzero(~self.well.settled(self.spin, m))
        m = m[:, left]
        for _ in range(_LOOKS):
            if not len(left):
                break
            m = self._rest(m, 0.5 * self.spin.relaxation_time, rng)
            written[left] = self.well.written(m)
            unsettled = ~self.well.settled(self.spin, m)
            left, m = left[unsettled], m[:, unsettled]
        return written


def _drive(
    tables: SotTables,
    spin: llgs.Macrospin,
    device: pd.Series[Any],
    currents: Currents,
    phase: int,
    k: int,
    group: IndexArray,
) -> _Drive:
    """Drive of device `k` in a phase."""
    channel, junction, volts = (
        each[phase, k, group] for each in (currents.channel_A, currents.junction_A, currents.junction_V)
    )
    parallel, stack = float(device["parallel_resistance_ohm"]), tables.stack
    per_voltage = stack.torque == "voltage"
    series = _series(channel)
    if not tables.cell.reads_in_write:
        nothing = np.zeros((1, len(group)))
        return _Drive(series, nothing, None, None, None)
    # Ki falls by xi V/t_barrier, hence mu0 Hk = 2 Ki/(t Ms) + ... by 2 xi V/(t_barrier t Ms).
    moment = device["free_layer_thickness_m"] * device["saturation_magnetization_A_per_m"]
    vcma = -2.0 * stack.vcma_coefficient / (stack.barrier_thickness * moment)
    ratio = stack.field_like_torque if per_voltage else 0.0
    return _Drive(
        series,
        _series(junction),
        _series(volts / parallel) if per_voltage else None,
        _series(vcma * volts) if vcma else None,
        _series(ratio * spin.torque_per_current / parallel * volts**2) if ratio else None,
    )


def _series(values: FloatArray) -> FloatArray:
    """Power series through values over the cosines; one term if they are constant."""
    scale = np.abs(values).max()
    if np.ptp(values, axis=1).max() <= _SMALL * scale:
        return np.asarray(values.mean(axis=1)[None])
    return power_series(COSINES, values)


def _power(currents: Currents, phase: int, k: int, group: IndexArray) -> tuple[FloatArray, FloatArray]:
    """Power of the drivers (W) as a constant, and its part per current of the junction (V)."""
    power, junction = currents.power_W[phase, k, group], currents.junction_A[phase, k, group]
    span = junction[:, -1] - junction[:, 0]
    slope = np.divide(power[:, -1] - power[:, 0], span, out=np.zeros_like(span), where=np.abs(span) > 1e-12)
    return power[:, 0] - slope * junction[:, 0], slope


def _longest_step(spin: llgs.Macrospin, torque_: SpinOrbitTorque, drive: _Drive) -> float:
    field = np.zeros((1, 1)) if drive.softening is None else drive.softening.copy()
    field[0] += spin.anisotropy_field
    acting = drive.junction if drive.torque is None else drive.torque
    across = torque_.largest_field_per_current * drive.channel
    return llgs.largest_step_on_load_line(spin, acting, field, drive.along, across)


def _fourth_order(means: FloatArray) -> FloatArray:
    """Constant drives equivalent to a varying one, (parts, amplitudes, quantities), from means in its parts.

    Commutator-free Magnus integrator of order 4 (A. Alvermann, H. Fehske, J. Comput. Phys. 230, 5930 (2011),
    doi:10.1016/j.jcp.2011.04.006): for two halves with means a and b, a - (b - a)/6 and b + (b - a)/6.
    """
    first, second = means[:, ::2], means[:, 1::2]
    sixth = (second - first) / 6.0
    return np.stack([first - sixth, second + sixth], axis=2).reshape(means.shape).swapaxes(0, 1)
