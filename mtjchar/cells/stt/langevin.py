"""Error rates and energies of writes without axial symmetry, counted from thermal ensembles.

Without axial symmetry (a field in the plane, a tilted reference layer or an elliptic junction) there is no
equation in m_z alone. Instead, `[sweep] trials` macrospins are simulated through the pulse of each device and
amplitude, with the current of its load line, and those that end in the wrong well are counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.polynomial.polynomial import polyval

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.cells.base import Averages, Counting, Direction, Pulses
from mtjchar.cells.stt.axial import between_states, fourth_order, of_both_edges, share_of_p
from mtjchar.cells.stt.barriers import Acting, acting_on
from mtjchar.cells.stt.device import wells_of
from mtjchar.cells.stt.drivers import EdgeTimes
from mtjchar.cells.stt.film_laws import volume
from mtjchar.cells.stt.hot_walkers import HotDrive, too_hot
from mtjchar.cells.stt.line_series import power_series, shaped
from mtjchar.cells.stt.measure import LoadLine
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.rare_writes import SplitPulse, split_rates
from mtjchar.cells.stt.tables import DIRECTIONS, SttTables
from mtjchar.physics import llgs, torque
from mtjchar.physics.wells import WriteWells
from mtjchar.work import done

__all__ = ["count_failures", "macrospin"]

_SPLITTING = 1  # key of the random numbers of splitting
_WALKERS = 24576  # in one ensemble, but at least those of one amplitude
_LOOKS = 20  # checks of the relaxing magnetizations, half a relaxation time apart


def count_failures(
    tables: SttTables,
    devices: pd.DataFrame,
    direction: Direction,
    lines: LoadLine,
    pulses: Pulses,
    counting: Counting,
) -> Averages:
    """Count the failures of `counting.trials` simulated writes of each device and pulse, or split them.

    Parameters
    ----------
    tables : SttTables
        Need not be axially symmetric.
    devices : DataFrame
        As `mtjchar.cells.stt.device.derive` returns them, each with two stable states.
    direction : {"p_to_ap", "ap_to_p"}
    lines : LoadLine
        Of these devices and amplitudes.
    pulses : Pulses
    counting : Counting

    Returns
    -------
    Averages
        Error rates are failures over trials, multiples of 1/trials. With `counting.splitting` they come from
        as many walkers of `mtjchar.physics.splitting`, with a standard error. It is NaN at pulses where
        splitting is not reliable: there the rate is still counted, see `split_rates`.

    Notes
    -----
    An ensemble starts from Boltzmann's distribution in the initial well, in the external field, and passes
    through the rise and the plateau. At the end of each plateau a copy of it passes through the fall and
    relaxes without drive until each magnetization is 12 kB T (or half the smaller barrier, if that is less)
    below the saddle between the wells, or for ten relaxation times. Then the side of the saddle counts.

    A rate of 0 means less than 3/trials at 95 % confidence, and the standard error of a rate p is
    sqrt(p (1 - p)/trials). Durations of one amplitude share their ensemble, so that the rates of neighbours
    are correlated. The scatter of the energies is below 1/sqrt(trials) of the part that depends on switching.

    The random numbers follow from `counting.seed`, the device's number and the direction alone, so that
    results do not depend on batches or workers. The amplitudes of a device advance together.
    """
    amplitudes, durations = pulses.amplitude_V, pulses.duration_s
    rate, energy, redundant = np.full((3, len(devices), len(amplitudes), len(durations)), np.nan)
    field, trials = tables.cell.external_field, counting.trials
    target = -1.0 if direction == "p_to_ap" else 1.0
    wells = wells_of(devices, (field.x, field.y, field.z))
    vcma = cell_parameters(tables, devices)["vcma"].to_numpy()
    deviation = np.full_like(rate, np.nan) if counting.splitting else None
    acting = acting_on(tables, devices, lines.m_z, lines.current_A, lines.junction_voltage_V)
    edges = EdgeTimes.of(tables, pulses)
    plateaus = np.maximum(durations - edges.outside, 0.0)
    longest = float(plateaus.max() + edges.rise.sum() + edges.fall.sum())
    failure = too_hot(tables, devices, lines, longest) if tables.stack.heats else lines.failure
    together = max(_WALKERS // trials, 1)
    for k, device in enumerate(devices.to_dict("records")):
        done(k / len(devices))
        spin = macrospin(tables, pd.Series(device))
        well = WriteWells.of(wells, k, target)
        rng = _generator(counting.seed, int(device["device"]), direction)
        solved = np.flatnonzero(failure[k] == "")
        for group in (solved[start : start + together] for start in range(0, len(solved), together)):
            plateau = _drive_of(tables, spin, device, lines, acting, k, group, float(vcma[k]), longest)
            pulse = _Pulse.of(spin, plateau, lines, k, group, target, edges)
            cosines = _held_cosines(spin, well, pulse.plateau, trials, rng)
            held, at_end = (target * each for each in pulse.plateau.held_current(cosines, plateaus))
            mean = _write(spin, well, pulse, plateaus, trials, held[:, 0], rng)
            edge = _EdgeEnergy.of(lines, k, group, target)
            volts = amplitudes[group, None]
            rate[k, group] = mean.error_rate
            if deviation is not None:
                own = _generator(counting.seed, int(device["device"]), direction, _SPLITTING, int(group[0]))
                rate[k, group], deviation[k, group] = split_rates(
                    well, pulse.split(spin, well), plateaus, trials, mean.error_rate, own
                )
            energy[k, group] = volts * mean.charge + edge.switching(mean)
            redundant[k, group] = volts * held * plateaus + edge.redundant(at_end)
    return Averages(rate, energy, redundant, failure, standard_error=deviation)


def macrospin(tables: SttTables, device: pd.Series) -> llgs.Macrospin:
    """Macrospin of a device, a row of `mtjchar.cells.stt.device.derive`, in the study's external field.

    With a torque per voltage, its `polarization` is the efficiency P/(1 + P^2), and the current
    that determines the torque is V/R_P.

    If only a part of the layer fluctuates as one macrospin, the volume is that of this part, and the
    `polarization` is less by the same share, so that the torque is that of the current on the whole layer.
    """
    per_voltage = tables.stack.torque == "voltage"
    thickness, magnetization = device["free_layer_thickness_m"], device["saturation_magnetization_A_per_m"]
    tilt, field = tables.stack.reference_tilt, tables.cell.external_field
    share = device["thermal_stability"] / device.get("coherent_stability", device["thermal_stability"])
    efficiency = torque.symmetric_efficiency(np.asarray(device["spin_polarization"]), tables.stack.torque)
    return llgs.Macrospin(
        magnetization=magnetization,
        volume=float(volume(device["diameter_m"], thickness) * share),
        damping=device["damping"],
        anisotropy_field=2.0 * device["interfacial_anisotropy_J_per_m2"] / (thickness * magnetization),
        temperature=tables.cell.temperature,
        polarization=float(efficiency * share),
        lambda_=device.get("slonczewski_lambda", tables.stack.slonczewski_lambda),
        field_like=0.0 if per_voltage else tables.stack.field_like_torque,
        demagnetizing=(device["demagnetizing_x"], device["demagnetizing_y"], device["demagnetizing_z"]),
        reference=(float(np.sin(tilt)), 0.0, float(np.cos(tilt))),
        field=(field.x, field.y, field.z),
    )


def _drive_of(
    tables: SttTables,
    spin: llgs.Macrospin,
    device: dict[Hashable, Any],
    lines: LoadLine,
    acting: Acting,
    k: int,
    group: IndexArray,
    vcma: float,
    longest: float,
) -> _Drive | HotDrive:
    """Plateaus of a device, a row of the table, at some amplitudes, in pulses up to a time (s)."""
    if tables.stack.heats:
        return HotDrive.of(tables, pd.Series(device), lines, k, group, vcma, longest)
    return _Drive.of(tables, spin, lines, acting, k, group, vcma)


def _generator(seed: int, device: int, direction: Direction, *further: int) -> np.random.Generator:
    key = (device, DIRECTIONS.index(direction), *further)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


class _Drive(NamedTuple):
    """Drive of one device by the cell at several amplitudes: power series in m.p."""

    current: FloatArray  # (terms, amplitudes), A, positive from the free to the reference layer
    softening: FloatArray | None  # (terms, amplitudes), T, change of the anisotropy field by VCMA
    torque: FloatArray | None  # (terms, amplitudes), A, if the current does not determine the torque
    field_like: FloatArray | None  # (terms, amplitudes), T, along the reference layer, per voltage
    per_voltage: bool

    @classmethod
    def of(
        cls, tables: SttTables, spin: llgs.Macrospin, lines: LoadLine, acting: Acting, k: int,
        group: IndexArray, vcma: float,
    ) -> _Drive:  # fmt: skip
        """Use the plateaus of device `k` at `some` amplitudes from load lines."""
        volts, ratio = acting.voltage_V[k, group], tables.stack.field_like_torque
        per_voltage, parallel = tables.stack.torque == "voltage", float(acting.first.parallel[k])
        target, torque_ = np.sign(volts), None
        if per_voltage:
            torque_ = power_series(lines.m_z, target * acting.drive[k, group] / parallel)
        elif tables.stack.second_barrier is not None:
            torque_ = power_series(lines.m_z, target * acting.drive[k, group])
        return cls(
            power_series(lines.m_z, target * lines.current_A[k, group]),
            power_series(lines.m_z, vcma * volts) if vcma else None,
            torque_,
            power_series(lines.m_z, ratio * spin.torque_per_current / parallel * volts**2)
            if per_voltage and ratio
            else None,
            per_voltage,
        )

    @property
    def only_holds(self) -> bool:
        """Whether the drive only holds a magnetization in its new well."""
        return self.softening is None and self.field_like is None

    def held_current(self, cosines: list[FloatArray], plateaus: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean current in the written well, A, over each plateau and at its end, (amplitudes, durations).

        `cosines` are those of states in the well, (walkers,), for each amplitude.
        """
        mean = [polyval(cosine, self.current[:, k]).mean() for k, cosine in enumerate(cosines)]
        held = np.array(mean)[:, None] * np.ones(len(plateaus))
        return held, held

    def start(self, m: FloatArray) -> FloatArray:
        """States of walkers from magnetizations (3, walkers) at rest."""
        return m

    def current_at(self, spin: llgs.Macrospin, state: FloatArray, amplitude: IndexArray) -> FloatArray:
        """Currents of walkers, A."""
        cosine = np.asarray(spin.reference) @ state
        return np.asarray(polyval(cosine, self.current[:, amplitude], tensor=False))

    def acting_on(self, spin: llgs.Macrospin) -> FloatArray:
        """Series of the current that determines the torque, A."""
        return self.acting

    @property
    def acting(self) -> FloatArray:
        """Series of the current that determines the torque, A."""
        return self.current if self.torque is None else self.torque

    def shaped(self, current: FloatArray, voltage: FloatArray) -> _Drive:
        """Drive in a part of an edge, from ratios to the plateau in the form of `shaped`."""
        return _Drive(
            shaped(self.current, current),
            None if self.softening is None else shaped(self.softening, voltage),
            None if self.torque is None else shaped(self.torque, voltage if self.per_voltage else current),
            None if self.field_like is None else shaped(shaped(self.field_like, voltage), voltage),
            self.per_voltage,
        )

    def advance(
        self,
        spin: llgs.Macrospin,
        m: FloatArray,
        amplitude: IndexArray,
        duration: float,
        step: float,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """States (3, walkers) after a duration (s) with the drive of each one's amplitude, and charges."""
        if not len(amplitude):
            return m, np.empty(0)
        field = np.array([[spin.anisotropy_field]])
        if self.softening is not None:
            field = self.softening[:, amplitude]
            field[0] += spin.anisotropy_field
        end = llgs.simulate_on_load_line(
            spin,
            m,
            duration=duration,
            step=step,
            current=self.current[:, amplitude],
            anisotropy_field=field,
            torque_current=None if self.torque is None else self.torque[:, amplitude],
            reference_field=None if self.field_like is None else self.field_like[:, amplitude],
            rng=rng,
        )
        return end.m[-1], end.charge[-1]

    def relax(
        self, spin: llgs.Macrospin, m: FloatArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States after a duration (s) without drive."""
        step = llgs.largest_step(spin)
        return np.asarray(llgs.simulate(spin, m, duration=duration, step=step, rng=rng).m[-1])

    def longest_step(self, spin: llgs.Macrospin) -> float:
        """Step requested from `llgs`, s."""
        field = np.zeros((1, 1)) if self.softening is None else self.softening.copy()
        field[0] += spin.anisotropy_field
        return llgs.largest_step_on_load_line(spin, self.acting, field, self.field_like)


class _Pulse(NamedTuple):
    """The parts of a pulse, at several amplitudes."""

    rise: list[_Drive | HotDrive]
    plateau: _Drive | HotDrive
    fall: list[_Drive | HotDrive]
    rise_parts: list[float]  # s
    fall_parts: list[float]
    held_in_fall: FloatArray  # (amplitudes, parts), current in the new state over that of the plateau
    step: float  # s

    @classmethod
    def of(
        cls,
        spin: llgs.Macrospin,
        plateau: _Drive | HotDrive,
        lines: LoadLine,
        k: int,
        group: IndexArray,
        target: float,
        edges: EdgeTimes,
    ) -> _Pulse:
        """Use the edges of the pulse of device `k` at `some` amplitudes from load lines."""
        rise, fall = (
            [
                plateau.shaped(*part)
                for part in zip(
                    *(fourth_order(each[k, group]).swapaxes(0, 1) for each in shapes), strict=True
                )
            ]
            for shapes in ((lines.rise, lines.rise_voltage), (lines.fall, lines.fall_voltage))
        )
        step = min(drive.longest_step(spin) for drive in (plateau, *rise, *fall))
        held_in_fall = fourth_order(lines.fall[k, group])[..., 0 if target > 0.0 else 1]
        return cls(rise, plateau, fall, edges.rise.tolist(), edges.fall.tolist(), held_in_fall, step)

    def split(self, spin: llgs.Macrospin, well: WriteWells) -> SplitPulse:
        """Return the pulse for splitting."""
        return SplitPulse(
            spin,
            list(zip(self.rise, self.rise_parts, strict=True)),
            self.plateau,
            list(zip(self.fall, self.fall_parts, strict=True)),
            self.step,
            float(_overdrive(spin, well.target, -well.target, self.plateau).max()),
        )


class _Means(NamedTuple):
    """Means over the walkers of one device at several amplitudes; currents in A, positive."""

    error_rate: FloatArray  # (amplitudes, durations)
    charge: FloatArray  # (amplitudes, durations), of the plateau, A s
    rise_current: FloatArray  # (amplitudes, parts)
    end_current: FloatArray  # (amplitudes, durations), at the end of the plateau
    fall_current: FloatArray  # (amplitudes, durations, parts)


class _EdgeEnergy(NamedTuple):
    """Energy of the drivers outside the plateau, J, and the currents there, A; last axis: P, AP."""

    rise: FloatArray  # (amplitudes, parts, 2)
    fall: FloatArray  # (amplitudes, parts, 2)
    line: FloatArray  # (amplitudes, 2), stored on the lines during the plateau
    rise_current: FloatArray  # (amplitudes, parts, 2)
    fall_current: FloatArray  # (amplitudes, parts, 2)
    current: FloatArray  # (amplitudes, 2)
    before: int  # position of the state before the write: 0 for P, 1 for AP

    @classmethod
    def of(cls, lines: LoadLine, k: int, group: IndexArray, target: float) -> _EdgeEnergy:
        """Use device `k` at `some` amplitudes from load lines."""
        current = lines.current_A[k, group][:, [-1, 0]]
        rise, fall, rise_current, fall_current = (
            fourth_order(each[k, group])
            for each in (lines.rise_energy_J, lines.fall_energy_J, lines.rise, lines.fall)
        )
        return cls(
            rise,
            fall,
            lines.line_energy_J[k, group],
            rise_current[..., :2] * current[:, None],
            fall_current[..., :2] * current[:, None],
            current,
            0 if target < 0.0 else 1,
        )

    def switching(self, mean: _Means) -> FloatArray:
        """Energy of writes that have to switch, (amplitudes, durations)."""
        rise = _at_current(self.rise, self.rise_current, mean.rise_current).sum(axis=1, keepdims=True)
        fall = _at_current(self.fall[:, None], self.fall_current[:, None], mean.fall_current).sum(axis=2)
        # The energy stored on the lines changes once the junction has switched: the drivers deliver the
        # difference.
        line = _at_current(self.line[:, None], self.current[:, None], mean.end_current)
        return np.asarray(rise + fall + line - self.line[:, self.before, None])

    def redundant(self, held: FloatArray) -> FloatArray:
        """Energy of redundant writes, from currents of the plateau (amplitudes, durations)."""
        edges = of_both_edges(self.rise, self.fall)
        return _at_current(edges[:, None], self.current[:, None], held)


def _at_current(energy: FloatArray, in_both: FloatArray, current: FloatArray) -> FloatArray:
    """Interpolate energies between P and AP to a current, from the currents in both states."""
    return between_states(energy, share_of_p(current, in_both[..., 0], in_both[..., 1]))


def _overdrive(spin: llgs.Macrospin, target: float, cosine: float, drive: _Drive | HotDrive) -> FloatArray:
    """Overdrive towards the target at a cosine to the reference layer, (amplitudes,)."""
    efficiency = torque.spin_torque_efficiency(np.ones(1), np.array(spin.lambda_), np.array(cosine))
    symmetric = torque.spin_torque_efficiency(np.ones(1), np.ones(1), np.zeros(1))
    acting = target * polyval(cosine, drive.acting_on(spin))
    return np.asarray(acting * efficiency / symmetric / spin.critical_current)


def _held_cosines(
    spin: llgs.Macrospin, well: WriteWells, drive: _Drive | HotDrive, trials: int, rng: np.random.Generator
) -> list[FloatArray]:
    """Cosines to the reference layer in redundant writes, (trials,), for each amplitude."""
    # Drive adds to the damping there: 1 - |m_z| falls as if the temperature were divided by 1 + overdrive.
    overdrive = np.maximum(_overdrive(spin, well.target, well.target, drive), 0.0)
    cosines = []
    for cooling in (1.0 + overdrive).tolist():
        m = llgs.equilibrium(
            replace(spin, temperature=spin.temperature / cooling),
            trials,
            rng,
            well=(0.0, 0.0, well.target),
            least=well.target * well.saddle,
        )
        cosines.append(np.asarray(spin.reference) @ m)
    return cosines


def _write(
    spin: llgs.Macrospin,
    well: WriteWells,
    pulse: _Pulse,
    plateaus: FloatArray,
    trials: int,
    held: FloatArray,
    rng: np.random.Generator,
) -> _Means:
    """Simulate the pulse for the walkers of one device.

    Without VCMA and field-like torque per voltage, a magnetization at the bottom of its new well under the
    drive, which then only holds it, is not simulated further and has the current `held`. With these two the
    drive can act against the well.
    """
    count, start, target = len(held), -well.target, well.target
    amplitude = np.repeat(np.arange(count), trials)
    at_rest_before = llgs.equilibrium(
        spin, len(amplitude), rng, well=(0.0, 0.0, start), least=start * well.saddle
    )
    m = pulse.plateau.start(at_rest_before)
    rise = np.empty((count, len(pulse.rise)))
    for k, (drive, time) in enumerate(zip(pulse.rise, pulse.rise_parts, strict=True)):
        m, flown = drive.advance(spin, m, amplitude, time, pulse.step, rng)
        rise[:, k] = target * np.bincount(amplitude, flown / time, minlength=count) / trials
    charge, end = np.zeros((2, count, len(plateaus)))
    total, at_rest = np.zeros(count), np.zeros((count, len(plateaus)))
    falling: list[FloatArray] = []
    origin: list[IndexArray] = []  # position of each falling magnetization in the result
    for k, (before, after) in enumerate(itertools.pairwise([0.0, *plateaus.tolist()])):
        total += held * (after - before) * (trials - np.bincount(amplitude, minlength=count))
        m, flown = pulse.plateau.advance(spin, m, amplitude, after - before, pulse.step, rng)
        total += target * np.bincount(amplitude, flown, minlength=count)
        charge[:, k] = total / trials
        if pulse.plateau.only_holds:
            followed = ~well.held(spin, m)
            m, amplitude = m[:, followed], amplitude[followed]
        at_rest[:, k] = 1.0 - np.bincount(amplitude, minlength=count) / trials
        current = pulse.plateau.current_at(spin, m, amplitude)
        end[:, k] = target * np.bincount(amplitude, current, minlength=count) / trials
        falling.append(m)
        origin.append(amplitude * len(plateaus) + k)
    m, place = np.concatenate(falling, axis=1), np.concatenate(origin)
    fall = np.empty((*charge.shape, len(pulse.fall)))
    for k, (drive, time) in enumerate(zip(pulse.fall, pulse.fall_parts, strict=True)):
        m, flown = drive.advance(spin, m, place // len(plateaus), time, pulse.step, rng)
        moving = target * np.bincount(place, flown / time, minlength=charge.size) / trials
        fall[..., k] = moving.reshape(charge.shape) + at_rest * (held * pulse.held_in_fall[:, k])[:, None]
    failures = np.bincount(place, ~_written_at_rest(spin, well, pulse, m, rng), charge.size)
    return _Means(failures.reshape(charge.shape) / trials, charge, rise, end + at_rest * held[:, None], fall)


def _written_at_rest(
    spin: llgs.Macrospin, well: WriteWells, pulse: _Pulse, m: FloatArray, rng: np.random.Generator
) -> BoolArray:
    """Whether states end on the written side without drive."""
    written, left = well.written(m), np.flatnonzero(~well.settled(spin, m[:3]))
    m = m[:, left]
    for _ in range(_LOOKS):
        if not len(left):
            break
        m = pulse.plateau.relax(spin, m, 0.5 * spin.relaxation_time, rng)
        written[left] = well.written(m)
        unsettled = ~well.settled(spin, m[:3])
        left, m = left[unsettled], m[:, unsettled]
    return written
