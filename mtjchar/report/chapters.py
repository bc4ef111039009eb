"""What stands in a report: its chapters, each with figures and tables."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mtjchar.cells import Direction
from mtjchar.errors import InputError, UnreachableError
from mtjchar.export.provenance import study_of
from mtjchar.network.results import read_tradeoff
from mtjchar.plotting.cells import device_tail, portrait
from mtjchar.plotting.tradeoff import losses
from mtjchar.report.drawings import Drawing, Place, draw
from mtjchar.report.pulses import extrapolated_in_words
from mtjchar.report.tables import (
    TARGETS,
    Section,
    compared_knobs,
    device_spread,
    operations,
    read_points,
    sample_counts,
    trade_off,
    trade_off_files,
)
from mtjchar.surfaces import BitwiseSurface, ReadSurface, WriteSurface
from mtjchar.surfaces.devices import DeviceRates
from mtjchar.surfaces.grid import targets
from mtjchar.surfaces.levers import lever_table
from mtjchar.surfaces.read_search import USUAL_DISTURB, USUAL_ERROR
from mtjchar.sweep.bitwise_tasks import bitwise_of
from mtjchar.sweep.population import Population
from mtjchar.sweep.read_tasks import reads_of
from mtjchar.sweep.store import RunDirectory
from mtjchar.units import compact

__all__ = ["Chapter", "ReferencePulse", "chapters", "limits", "reference_pulses"]

_STRONG, _WEAK = 0.05, 0.999  # quantiles of the devices that are drawn beside the nominal one
_DRAWN = {
    "exact",
    "verdict",
    "energy_saved_lower",
    "energy_saved_upper",
}  # what a figure of a trade-off needs


class ReferencePulse(NamedTuple):
    """The pulse at which devices are looked at.

    Attributes
    ----------
    amplitude_V, duration_s : float
    """

    amplitude_V: float
    duration_s: float

    def in_words(self) -> str:
        """Amplitude and duration."""
        return f"{compact(self.amplitude_V, 'V', 4)}, {compact(self.duration_s, 's', 4)}"


class Chapter(NamedTuple):
    """A chapter of the page.

    Attributes
    ----------
    name : str
        In the address of a link.
    title : str
    text : str
        What stands above the figures; may be empty.
    drawings : list of Drawing
    sections : list of Section
        Tables, below the figures.
    """

    name: str
    title: str
    text: str
    drawings: list[Drawing]
    sections: list[Section]


def reference_pulses(surface: WriteSurface) -> dict[Direction, ReferencePulse]:
    """For each direction the shortest pulse of nominal amplitude that reaches 1e-6, or the longest of all."""
    pulses = {}
    for direction in surface.directions:
        try:
            found = surface.cheapest_pulse(direction, TARGETS[0], vary="duration")
            pulses[direction] = ReferencePulse(found.amplitude_V, found.duration_s)
        except (UnreachableError, InputError):  # out of reach, or the nominal amplitude was not swept
            amplitude = np.clip(surface.nominal_amplitude, surface.amplitudes[0], surface.amplitudes[-1])
            pulses[direction] = ReferencePulse(float(amplitude), float(surface.durations[-1]))
    return pulses


def chapters(
    directory: RunDirectory, surface: WriteSurface, pulses: Mapping[Direction, ReferencePulse]
) -> list[Chapter]:
    """Draw and tabulate a run."""
    counts = sample_counts(directory)  # which reads all samples: damaged ones are refused here
    rates, why = _rates(directory, surface)
    all_of_them = [
        _error_rates(surface),
        *([_energies(surface)] if surface.knows_energy else []),
        _cell(directory, surface, pulses, rates),
        _devices(directory, surface, pulses, rates, why),
        *_reads(directory),
        *_operations(directory),
        Chapter("simulations", "Simulations", "", [], [counts]),
        *_trade_offs(directory),
    ]
    return [one for one in all_of_them if one.text or one.drawings or one.sections]


def _rates(directory: RunDirectory, surface: WriteSurface) -> tuple[DeviceRates | None, str]:
    """Error rates of the single devices; where they are not known, why."""
    try:
        rates = DeviceRates.load(directory.path, surface)
    except InputError as error:
        return None, str(error)
    return (rates, "") if len(rates.weight) else (None, "No device has a result at every pulse.")


def _error_rates(surface: WriteSurface) -> Chapter:
    drawings = [
        draw(
            f"{name}-{direction}",
            functools.partial(getattr(surface.plot, name), direction),
            f"Write error rate over {axis}, {surface.title(direction)}",
            f"{surface.title(direction)}: write error rate over the {axis}. Bands: 95 % intervals. "
            "Thick line and cross: the pulse of the sliders.",
            place=Place(direction, axis, "rate"),
        )
        for name, axis in (("ber_against_duration", "duration"), ("ber_against_amplitude", "amplitude"))
        for direction in surface.directions
    ]
    text = f"{extrapolated_in_words(surface)} Such rates are hatched on maps and pale in curves."
    return Chapter(
        "error-rate", "Write error rate", text if surface.extrapolated_points().any() else "", drawings, []
    )


def _energies(surface: WriteSurface) -> Chapter:
    levers = lever_table(surface)
    drawings = [
        draw(
            f"energy_map-{direction}",
            functools.partial(surface.plot.energy_map, direction),
            f"Energy of a switching write over duration and amplitude, {surface.title(direction)}",
            f"{surface.title(direction)}: mean energy of a switching write. Cross: the pulse of the sliders.",
            place=Place(direction, "duration", "amplitude"),
            is_map=True,
        )
        for direction in surface.directions
    ]
    drawings += [
        draw(
            f"cheapest-{target}",
            _with_legend(functools.partial(surface.plot.cheapest_pulses, target, table=levers)),
            f"Energy of the cheapest pulse over its write error rate, {surface.title(target)}",
            f"{surface.title(target)}: energy of the cheapest pulse over its write error rate. The knobs are "
            "the duration, the amplitude, or both.",
        )
        for target in targets(surface)
    ]
    return Chapter(
        "energy", "Energy and the two knobs",
        "A shorter or lower pulse costs less and fails more often.",
        drawings, [compared_knobs(surface, levers)],
    )  # fmt: skip


def _with_legend(plot: Callable[..., Axes]) -> Callable[[Axes], Axes]:
    """Draw a figure that shares its legend with others as one that stands alone."""

    def alone(axes: Axes) -> Axes:
        plot(ax=axes).legend(fontsize=8, edgecolor="none", framealpha=0.7)
        return axes

    return alone


def _cell(
    directory: RunDirectory,
    surface: WriteSurface,
    pulses: Mapping[Direction, ReferencePulse],
    rates: DeviceRates | None,
) -> Chapter:
    study = study_of(surface)
    devices = _few_devices(directory, surface, pulses, rates)
    drawn = study.kind.portraits(
        study.tables, devices, {name: study.pulses.at(*pulse) for name, pulse in pulses.items()}
    )
    drawings = [
        draw(f"cell-{k}", functools.partial(portrait, one), one.title, f"{one.title}. {one.text}")
        for k, one in enumerate(drawn)
        if one.curves
    ]
    missing = [f"{one.title}: {one.text}" for one in drawn if not one.curves]
    return Chapter("cell", "The cell", " ".join(missing), drawings, [])


def _few_devices(
    directory: RunDirectory,
    surface: WriteSurface,
    pulses: Mapping[Direction, ReferencePulse],
    rates: DeviceRates | None,
) -> pd.DataFrame:
    """Nominal device, a strong one and a weak one, with these names as the index."""
    nominal = Population(study_of(surface)).nominal()
    nominal.index = pd.Index(["nominal device"])
    devices = directory.devices()
    if rates is None or not set(nominal.columns) <= set(devices.columns) or len(rates.weight) < 2:
        return nominal
    # Whatever the direction: where one fails often the other tends to as well.
    logs: Any = sum(
        np.log10(np.maximum(rates.rates(direction, *pulse), 1e-300)) for direction, pulse in pulses.items()
    )
    order = np.argsort(logs)
    share = np.cumsum(rates.weight[order]) / rates.weight.sum()
    names = {
        f"strong device ({100.0 * _STRONG:g} % are stronger)": _STRONG,
        f"weak device ({100.0 * (1.0 - _WEAK):.3g} % are weaker)": _WEAK,
    }
    places = [order[min(int(np.searchsorted(share, at)), len(order) - 1)] for at in names.values()]
    few = devices.iloc[rates.rows[places]][list(nominal.columns)].set_axis(list(names), axis="index")
    return pd.concat([nominal, few])


def _devices(
    directory: RunDirectory,
    surface: WriteSurface,
    pulses: Mapping[Direction, ReferencePulse],
    rates: DeviceRates | None,
    why: str,
) -> Chapter:
    drawings = []
    for direction, pulse in pulses.items() if rates is not None else ():
        assert rates is not None
        title = surface.title(direction)
        drawings.append(
            draw(
                f"devices-{direction}",
                functools.partial(device_tail, rates, direction, *pulse),
                f"Share of devices above a write error rate, {title}",
                f"{title}, {pulse.in_words()}: share of the devices whose own write error rate is above a "
                "value, and share of the BER that they carry. To the right is the weak tail.",
            )
        )
    text = "The BER is a mean over devices. Weak devices can carry most of it."
    if why:
        text = f"{text} The error rates of single devices are not drawn. {why}"
    return Chapter(
        "devices", "Devices and their weak tail", text, drawings, [device_spread(directory, surface)]
    )


def _reads(directory: RunDirectory) -> list[Chapter]:
    """Draw the read surface, if the study asks for reads."""
    if reads_of(directory.study) is None:
        return []
    surface = ReadSurface.of_run(directory.path)
    limits = f"a read error rate of {USUAL_ERROR:g} and a disturb rate of {USUAL_DISTURB:g}"
    drawings = [
        draw(
            "read-window",
            surface.plot.window,
            "Read error rate over sensing time and read voltage",
            f"Read error rate of the worse state, and the reads with at most {limits}.",
            wide=True,
        ),
        draw(
            "read-margin",
            surface.plot.margin,
            "Sense margin over sensing time",
            "Mean sense margin of the worse state at some read voltages.",
        ),
    ]
    return [Chapter("reads", "Reads", "", drawings, [read_points(surface)])]


def _operations(directory: RunDirectory) -> list[Chapter]:
    """Draw the bitwise operations, if there are some."""
    if bitwise_of(directory.study) is None:
        return []
    surface = BitwiseSurface.of_run(directory.path)
    drawings = [
        draw(
            "bitwise-truth",
            lambda axes: surface.plot.truth_tables(ax=axes),
            "Truth tables with error rates",
            "Result of each operation for each combination of states, and how often it is wrong.",
            is_map=True,
            wide=True,
        ),
        draw(
            "bitwise-time",
            lambda axes: surface.plot.against_time(ax=axes),
            "Error rate of operations over sensing time",
            "Error rate of the worst combination of inputs.",
        ),
    ]
    return [Chapter("bitwise", "Bitwise operations", "", drawings, [operations(surface)])]


def _trade_offs(directory: RunDirectory) -> list[Chapter]:
    found = []
    for k, file in enumerate(trade_off_files(directory.path)):
        table, name = read_tradeoff(file), file.parent.name
        section = trade_off(name, table)
        drawings = []
        if set(table.columns) >= _DRAWN:
            drawings.append(
                draw(
                    f"tradeoff-{k}",
                    functools.partial(losses, table),
                    "Recognition rate over programming energy",
                    "Recognition rate over programming energy, both against writes without errors. "
                    "Stars have fresh seeds; a filled star is shown to lose at most one point.",
                    wide=True,
                )
            )
        found.append(Chapter(f"trade-off-{k}", section.title, "", drawings, [section]))
    return found


def limits(surface: WriteSurface) -> list[str]:
    """Say what the numbers of a run do not say, a point each."""
    attributes = surface.dataset.attrs
    points = [
        "The values hold for the pulses of the sweep. Between its points they are interpolated. Beyond them "
        "the page says nothing.",
        extrapolated_in_words(surface),
        "The interval holds for the devices that were drawn from the variability of the study. It does not "
        "hold for errors of the model or of the study's values.",
    ]
    if "interval" in attributes:
        points.append(f"How the interval was found: {attributes['interval']}.")
    if "errors" in surface.dataset:
        points.append("Errors were counted. Where none was seen, there is an upper bound and no rate.")
    if surface.knows_energy:
        points.append(
            "Energies are means of one write at the lines of the cell."
            + (
                ""
                if surface.knows_supply_energy
                else " Losses between the supply and the drivers are not known."
            )
        )
    study = study_of(surface)
    nominal = Population(study).nominal()
    outlook = study.kind.foresee(study.tables, nominal, study.sweep.amplitude.stop)
    return [*points, *surface.kind.limits, *outlook.warnings]
