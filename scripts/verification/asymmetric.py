"""Splitting of writes without axial symmetry, against the Fokker-Planck equation on the sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import constants, stats

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.physics import fokker_planck, llgs, splitting
from mtjchar.physics.spin_orbit import SpinOrbitTorque
from mtjchar.physics.splitting import SplitRates
from mtjchar.physics.wells import WriteWells, wells
from verification import spherical_harmonics as reference
from verification.ensembles import ALARM, generator
from verification.report import COLOURS, Row, at_most, between, figure
from verification.spherical_harmonics import Layer, Torque

STABILITY = 30.0
FIELD = 0.4  # T
MAGNETIZATION = 1e6  # A/m
TEMPERATURE = 300.0
SCHEME = 0.04
"""What the steps of splitting may change in the logarithm of a rate, see `llgs.largest_step`."""


class Case(NamedTuple):
    """A pulse on a layer without axial symmetry; fields over B_k, times over t_D."""

    name: str
    durations: tuple[float, ...]
    damping: float = 0.1
    overdrive: float = 0.0  # of the current through the junction
    tilt: float = 0.0  # of the reference layer, rad
    field_like: float = 0.0
    channel: float = 0.0  # damping-like field of the channel, its spins along y
    channel_field_like: float = 0.0
    field: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ellipse: float = 0.0
    target: float = -1.0
    holds: bool = True  # whether the drive holds a magnetization that is written
    degree: int = 60

    @property
    def reference_layer(self) -> tuple[float, float, float]:
        """Direction of the reference layer."""
        return math.sin(self.tilt), 0.0, math.cos(self.tilt)

    def layer(self) -> Layer:
        """Return the layer of the reference."""
        return Layer(STABILITY, self.damping, self.field, self.ellipse)

    def torques(self) -> list[Torque]:
        """Return the torques of the reference."""
        # Overdrive 1: a_J (1 + alpha beta) = alpha B_k, from equation 2 of `llgs` for small angles.
        strength = self.target * self.overdrive * self.damping / (1.0 + self.damping * self.field_like)
        found = [Torque(strength, self.reference_layer, self.field_like)]
        if self.channel:
            found.append(Torque(self.target * self.channel, (0.0, 1.0, 0.0), self.channel_field_like))
        return found

    def macrospin(self) -> llgs.Macrospin:
        """Return the layer in SI units."""
        x, y, z = self.field
        return llgs.Macrospin(
            MAGNETIZATION,
            STABILITY * constants.k * TEMPERATURE / (0.5 * MAGNETIZATION * FIELD),
            self.damping,
            FIELD,
            TEMPERATURE,
            field_like=self.field_like,
            demagnetizing=(0.0, self.ellipse * FIELD / (constants.mu_0 * MAGNETIZATION), 0.0),
            reference=self.reference_layer,
            field=(FIELD * x, FIELD * y, FIELD * z),
        )

    def well(self) -> WriteWells:
        """Return both wells."""
        return WriteWells.of(
            wells(STABILITY, FIELD, self.ellipse * FIELD, self.macrospin().field), 0, self.target
        )


CASES = (
    Case(
        "tilt of 0.4 rad, field-like 0.2", (2, 4, 6, 8, 11, 14),
        overdrive=2.0, tilt=0.4, field_like=0.2, degree=70,
    ),
    Case("field (0.1, 0.03, −0.02)", (2, 3, 4, 6, 8, 10), overdrive=2.0, field=(0.1, 0.03, -0.02)),
    Case("ellipse 0.3, to P", (2, 3, 4, 6, 8, 10), overdrive=2.0, ellipse=0.3, target=1.0, degree=70),
    Case(
        "tilt of 0.3 rad, field-like 0.2, field (−0.1, 0.05, 0), ellipse 0.3", (2, 3, 4, 6, 8, 10),
        overdrive=2.5, tilt=0.3, field_like=0.2, field=(-0.1, 0.05, 0.0), ellipse=0.3, degree=75,
    ),
    Case(
        "spin-orbit torque 0.2, field-like 0.3, field (0.1, 0, 0), assist i 2", (2, 3, 4, 6, 8, 10),
        overdrive=2.0, channel=0.2, channel_field_like=0.3, field=(0.1, 0.0, 0.0), degree=65,
    ),
    Case(
        "spin-orbit torque 0.35, field (0.3, 0, 0), α 0.3", (1, 2, 3, 4, 5, 6),
        damping=0.3, channel=0.35, field=(0.3, 0.0, 0.0), holds=False,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class _Channel(splitting.RectangularPulse):
    """`splitting.Dynamics` of rectangular pulses in the channel and through the junction."""

    macrospin: llgs.Macrospin
    torque: SpinOrbitTorque
    channel: float  # A
    current: float  # A

    def plateau(
        self, state: FloatArray, system: IndexArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States after a part of the pulse."""
        return self._moved(state, system, duration, 1.0, rng)

    def rest(
        self, state: FloatArray, system: IndexArray, duration: float, rng: np.random.Generator
    ) -> FloatArray:
        """States after a time without drive."""
        return self._moved(state, system, duration, 0.0, rng)

    def _moved(
        self,
        state: FloatArray,
        system: IndexArray,
        duration: float,
        drive: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        if not len(system):
            return state
        field = drive * self.torque.largest_field_per_current
        end = llgs.simulate(
            self.macrospin,
            state,
            duration=duration,
            step=llgs.largest_step(self.macrospin, drive * self.current, field),
            current=drive * self.current,
            spin_orbit=self.torque,
            channel_current=drive * self.channel,
            rng=rng,
        )
        return np.asarray(end.m[-1])


def exact(case: Case) -> FloatArray:
    """Error rates of the reference, (durations,)."""
    return reference.error_rates(
        case.layer(), case.torques(), np.array(case.durations, dtype=np.float64),
        target=case.target, saddle=case.well().saddle, degree=case.degree,
    )  # fmt: skip


def split(case: Case, walkers: int, replicas: int, seed: int) -> SplitRates:
    """Error rates of the same pulses by splitting, one system."""
    spin, rng = case.macrospin(), generator(seed)
    times = np.array(case.durations) * spin.relaxation_time
    current = case.target * case.overdrive * spin.critical_current
    if not case.channel:
        return splitting.write_error_rate(
            spin, [current], times, target=case.target, walkers=walkers, replicas=replicas, rng=rng
        )
    well = case.well()
    # A current of 1 A has the field of the case.
    torque = SpinOrbitTorque(FIELD * case.channel, (0.0, 1.0, 0.0), case.channel_field_like)
    initial = llgs.equilibrium(
        spin, replicas * walkers, rng, well=(0.0, 0.0, -case.target), least=-case.target * well.saddle
    )
    return splitting.split(
        spin, well, _Channel(spin, torque, case.target, current), initial, times, 1, replicas,
        holds=case.holds, overdrive=2.0, rng=rng,
    )  # fmt: skip


def within(found: SplitRates, expected: FloatArray, alarm: float) -> npt.NDArray[np.bool_]:
    """Whether rates differ by chance and `SCHEME`, in a two-sided test of this false-alarm rate each."""
    rate = found.error_rate[0]
    reach = stats.t.isf(0.5 * alarm, len(found.replicas) - 1) * found.standard_error[0] / rate
    return np.asarray(np.abs(np.log(rate / expected)) < reach + SCHEME)


def held(found: SplitRates, expected: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether the 95 % intervals hold the expected rates."""
    lower, upper = (bound[0] for bound in found.interval())
    return np.asarray((lower <= expected) & (expected <= upper))


def rows() -> list[Row]:
    """Compare the reference with `fokker_planck`, and splitting with the reference."""
    found = [_axial()]
    good = []
    with figure("asymmetric") as (ax,):
        for k, (case, colour) in enumerate(zip(CASES, COLOURS, strict=True)):
            expected, rates = exact(case), split(case, 500, 32, seed=31 + k)
            chance, (lower, upper) = within(rates, expected, ALARM), (bound[0] for bound in rates.interval())
            good += held(rates, expected).tolist()
            for n in range(1, len(expected), 2):
                rate, low, high = rates.error_rate[0, n], lower[n], upper[n]
                found.append(
                    Row(
                        "error rate, splitting",
                        f"{case.name}; τ {case.durations[n]}",
                        f"spherical harmonics: {expected[n]:.3g}",
                        f"{rate:.2g} ({low:.2g} to {high:.2g})",
                        f"chance {ALARM:g}, {SCHEME:.0%}",
                        bool(chance[n]),
                    )
                )
            ax.semilogy(case.durations, expected, color=colour, lw=1, label=case.name)
            error = np.abs(rates.interval() - rates.error_rate)[:, 0]
            ax.errorbar(case.durations, rates.error_rate[0], error, fmt="o", ms=3.5, mfc="none", color=colour)
        ax.set(xlabel="duration over t_D", ylabel="error rate", title="splitting (points), harmonics (lines)")
        ax.legend(frameon=False, fontsize=6, loc="lower left")
    share, count = float(np.mean(good)), len(good)
    found.append(
        between("95 % intervals that hold", f"{count} rates", "0.95 of independent ones", share, 0.75, 1.0)
    )
    return found


def _axial() -> Row:
    """Compare the reference itself with the axially symmetric solver."""
    tau, damping = np.array([2.0, 4.0, 6.0, 8.0, 10.0]), 0.1
    known = fokker_planck.write_error_rate(2.0, STABILITY, tau)
    drive = [Torque(2.0 * damping, (0.0, 0.0, -1.0))]
    rates = reference.error_rates(Layer(STABILITY, damping), drive, tau, target=-1.0, degree=70)
    return at_most(
        "error rate, spherical harmonics, relative",
        f"axial, Δ 30, i 2, τ 2 to 10: {known[0]:.2g} to {known[-1]:.1e}",
        "fokker_planck.write_error_rate",
        float(np.abs(rates / known - 1.0).max()),
        1e-4,
    )
