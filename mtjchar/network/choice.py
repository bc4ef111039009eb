"""The pulses of a lever at an error rate, and the resulting write conditions of a memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.network.allocation import HIGHEST_RATE, Demand, Pulses, PulseTable, allocate
from mtjchar.network.exact import ExactAccount, account_of, nominal_pulse, reliable_pulses
from mtjchar.network.kept import Outcome
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.levers import ExactDesign, Lever
from mtjchar.network.reads import ReadConditions
from mtjchar.network.termination import Detector, write_energy
from mtjchar.surfaces import DeviceRates, WriteSurface
from mtjchar.surfaces.grid import RELIABLE

__all__ = ["Carried", "Memory", "Setting", "one_pulse", "write_conditions"]

# A rate of the allocation's table is at most this much below the allowed one.
_LIMIT_SLACK = 0.95
# The search for reads reaches the allowed rate up to rounding.
_RELIABLE_SLACK = 1e-6
# The search for a pulse reaches the end of the grid up to rounding.
_EDGE_SLACK = 1e-6


class Carried(NamedTuple):
    """Reliability of the error rates of pulses.

    Attributes
    ----------
    effective_devices : float
        Smallest effective number of devices over pulses and directions.
    extrapolated : bool
        Whether an error rate is extrapolated.
    at_edge : bool
        Whether a pulse is at the edge of the surface's grid, outside which a cheaper one may exist.
    """

    effective_devices: float
    extrapolated: bool
    at_edge: bool


@dataclass(frozen=True, eq=False)
class Setting:
    """A lever at an error rate, before it is measured.

    Attributes
    ----------
    name : str
        Of the lever.
    lever : Lever
    rate : float
        Requested error rate.
    ber : float
        Error rate of the pulses, that of the worse direction; for pulses by bit plane the rate at which equal
        errors in all planes would cause the same squared error of the weights.
    pulses : Pulses
    conditions : WriteConditions
    carried : Carried
    at_limit : bool
        Whether a pulse has the highest error rate that the choice by bit plane allows.
    """

    name: str
    lever: Lever
    rate: float
    ber: float
    pulses: Pulses
    conditions: WriteConditions
    carried: Carried
    at_limit: bool


@dataclass(frozen=True)
class Memory:
    """A memory made of the cells of a surface.

    Parameters
    ----------
    surface : WriteSurface
        With both directions.
    reads : ReadConditions
        Reads that belong to writes.
    retries : int
        Pulses beyond the first, see `WriteConditions`.
    devices : DeviceRates, optional
        With it each cell is a device of the sweep.
    detector : Detector
        For levers with early termination.
    """

    surface: WriteSurface
    reads: ReadConditions
    retries: int = 0
    devices: DeviceRates | None = None
    detector: Detector = field(default_factory=Detector)

    @property
    def reads_reliably(self) -> bool:
        """Whether reads are wrong, or flip a bit, no more often than the writes of the baseline fail."""
        worst = max(self.reads.worst_error_rate, self.reads.worst_disturb_rate)
        return worst <= RELIABLE * (1.0 + _RELIABLE_SLACK)

    @property
    def directions(self) -> tuple[Direction, Direction]:
        """Directions that write a 1 and a 0."""
        return self.surface.bit_directions

    def setting(self, name: str, lever: Lever, rate: float, demand: Demand) -> Setting:
        """Choose the pulses of a lever for an error rate.

        Raises
        ------
        UnreachableError
            If no pulse of the surface has the rate.
        """
        if lever.vary == "bit_planes":
            table = self._ended_table if lever.early_termination else self._table
            pulses = allocate(table, demand, rate, read_before_write=lever.read_before_write)
        else:
            kept = float(self.reliable_pulses().duration_s[0, 0])
            pulse = self.surface.cheapest_pulse("both", rate, vary=lever.vary, duration=kept)
            pulses = one_pulse(pulse.amplitude_V, pulse.duration_s)
        detector = self.detector if lever.early_termination else None
        conditions = replace(
            write_conditions(self.surface, pulses, detector=detector).with_reads(self.reads),
            read_before_write=lever.read_before_write,
            retries=self.retries,
        )
        rates = conditions.rates
        planes = lever.vary == "bit_planes"
        ber = (demand.harm * rates).sum() / demand.harm.sum() if planes else rates.max()
        if self.devices is not None:
            of_devices = write_conditions(self.surface, pulses, devices=self.devices)
            conditions = replace(
                conditions, error_rate=of_devices.error_rate, device_weight=of_devices.device_weight
            )
        return Setting(
            name, lever, rate, float(ber), pulses, conditions, self.carried(pulses),
            at_limit=planes and bool((rates >= _LIMIT_SLACK * HIGHEST_RATE).any()),
        )  # fmt: skip

    def reliable_pulses(self) -> Pulses:
        """Return the pulse of the baseline: the study's nominal amplitude, and 1e-9 in both directions.

        Raises
        ------
        UnreachableError
            If no duration of the surface reaches that.
        """
        pulse = nominal_pulse(self.surface, RELIABLE)
        return one_pulse(pulse.amplitude_V, pulse.duration_s)

    def baseline(self) -> WriteConditions:
        """Return the conditions of the baseline; errors as `reliable_pulses`."""
        return write_conditions(self.surface, self.reliable_pulses())

    def carried(self, pulses: Pulses) -> Carried:
        """Describe the reliability of the error rates of pulses."""
        effective, extrapolated = [], []
        for k, direction in enumerate(self.surface.bit_directions):
            at = pulses.amplitude_V[:, k], pulses.duration_s[:, k]
            effective.append(self.surface.effective_devices(direction, *at))
            extrapolated.append(self.surface.is_extrapolated(direction, *at))
        return Carried(
            float(np.fmin.reduce(np.ravel(effective))),
            bool(np.any(extrapolated)),
            _at_edge(self.surface, pulses),
        )

    def exact_pulses(self, design: ExactDesign, ledger: WriteLedger, bits: int) -> Pulses:
        """Choose the pulses of an exact design, see `mtjchar.network.exact.reliable_pulses`."""
        return reliable_pulses(design, self.surface, ledger, bits, self.detector)

    def account(self, design: ExactDesign, pulses: Pulses, outcome: Outcome) -> ExactAccount:
        """Compute the energy of an error-free training with counted activity, for an exact design."""
        assert outcome.activity is not None
        return account_of(
            design, self.surface, pulses, outcome.ledger, outcome.activity,
            read_energy_J=self.reads.energy_J, detector=self.detector,
        )  # fmt: skip

    @functools.cached_property
    def _table(self) -> PulseTable:
        return PulseTable.of(self.surface)

    @functools.cached_property
    def _ended_table(self) -> PulseTable:
        return PulseTable.of(self.surface, self.detector)


def one_pulse(amplitude: float, duration: float) -> Pulses:
    """Return one pulse, V and s, for all bits and both directions."""
    return Pulses(np.full((1, 2), amplitude), np.full((1, 2), duration))


def _at_edge(surface: WriteSurface, pulses: Pulses) -> bool:
    sides = (pulses.amplitude_V, surface.amplitudes), (pulses.duration_s, surface.durations)
    return any(
        bool((np.abs(values / end - 1.0) < _EDGE_SLACK).any())
        for values, grid in sides
        for end in (grid[0], grid[-1])
    )


def write_conditions(
    surface: WriteSurface,
    pulses: Pulses,
    *,
    devices: DeviceRates | None = None,
    detector: Detector | None = None,
) -> WriteConditions:
    """Return error rates and energies of pulses, from the surface.

    Parameters
    ----------
    surface : WriteSurface
        With both directions.
    pulses : Pulses
    devices : DeviceRates, optional
        With it the error rates are those of each device.
    detector : Detector, optional
        With it the energies are those of terminated writes.
    """

    def each(value: Callable[..., NDArray[Any]], **options: bool) -> FloatArray:
        columns = [
            value(direction, pulses.amplitude_V[:, k], pulses.duration_s[:, k], **options)
            for k, direction in enumerate(surface.bit_directions)
        ]
        return np.stack(columns, axis=-1)

    energy = functools.partial(write_energy, surface, detector=detector)
    return WriteConditions(
        error_rate=each(surface.ber) if devices is None else each(devices.rates),
        switching_energy_J=each(energy, switching=True),
        redundant_energy_J=each(energy, switching=False),
        device_weight=None if devices is None else devices.weight,
    )
