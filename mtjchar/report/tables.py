"""Tables of a report."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mtjchar.errors import MtjcharError
from mtjchar.export.provenance import study_of
from mtjchar.network.tradeoff import band_in_words, one_line, shown
from mtjchar.plotting.bitwise import TITLES
from mtjchar.surfaces import BitwiseSurface, ReadSurface, WriteSurface
from mtjchar.surfaces.grid import RELIABLE, targets
from mtjchar.surfaces.read_search import MINIMIZE, USUAL_DISTURB, USUAL_ERROR
from mtjchar.surfaces.tails import VERIFIED_RATE
from mtjchar.sweep.failures import Tally
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory
from mtjchar.units import compact

__all__ = [
    "TARGETS", "Section", "cheapest_pulses", "compared_knobs", "device_spread", "operations", "read_points",
    "sample_counts", "trade_off", "trade_off_files",
]  # fmt: skip

TARGETS = (1e-6, RELIABLE)
"""Error rates whose cheapest pulses the page has."""

_KNOB_RATES = (1e-3, 1e-6, RELIABLE)
_KNOBS = {"duration": "duration alone", "amplitude": "amplitude alone", "both": "both"}


class Section(NamedTuple):
    """A table of the page.

    Attributes
    ----------
    title : str
    columns : list of str
    rows : list of list of str
    text : str
        What has to be said of it; may be empty.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    text: str


def cheapest_pulses(surface: WriteSurface) -> Section:
    """Tabulate the cheapest pulses for two error rates."""
    rows, text = [], ["Energy is that of a switching write; of one pulse for both, the mean of all writes."]
    for target in TARGETS:
        for direction in targets(surface):
            row = [f"{target:.0e}", surface.title(direction)]
            try:
                pulse = surface.cheapest_pulse(direction, target)
            except MtjcharError as error:
                rows.append([*row, "-", "-", "-", "-", "-"])
                text.append(str(error))
                continue
            rows.append(
                [
                    *row,
                    f"{pulse.amplitude_V:.3f} V",
                    f"{1e9 * pulse.duration_s:.2f} ns",
                    f"{1e12 * pulse.energy_J:.3f} pJ",
                    pulse.rate.interval_in_words(),
                    "-" if np.isnan(pulse.effective_devices) else f"{pulse.effective_devices:.3g}",
                ]
            )
    text += surface.extrapolation_in_words()
    columns = [
        "write error rate",
        "direction",
        "amplitude",
        "duration",
        "energy of a write",
        "95 % interval",
        "effective devices",
    ]
    return Section("Cheapest pulses", columns, rows, " ".join(text))


def compared_knobs(surface: WriteSurface, levers: pd.DataFrame) -> Section:
    """Tabulate the energy of the cheapest pulse by the knob that is turned, for three error rates.

    Parameters
    ----------
    surface : WriteSurface
    levers : DataFrame
        As `mtjchar.surfaces.levers.lever_table` returns it.
    """
    rows = []
    for rate in _KNOB_RATES:
        for target in targets(surface):
            of_rate = levers[(levers["direction"] == target) & np.isclose(levers["ber"] / rate, 1.0)]
            energies = of_rate.set_index("lever")["energy_J"]
            cells = [
                "out of reach" if np.isnan(energies[knob]) else f"{1e12 * energies[knob]:.3f} pJ"
                for knob in _KNOBS
            ]
            saved = 1.0 - energies["both"] / energies["duration"]
            rows.append(
                [
                    f"{rate:.0e}",
                    surface.title(target),
                    *cells,
                    "-" if np.isnan(saved) else f"{100.0 * saved:.0f} %",
                ]
            )
    return Section(
        "The two knobs compared",
        ["write error rate", "direction", *_KNOBS.values(), "saved by both, against duration alone"],
        rows,
        "Duration alone: at the nominal amplitude. Amplitude alone: at the duration that reaches "
        f"{RELIABLE:g} at the nominal amplitude.",
    )


def device_spread(directory: RunDirectory, surface: WriteSurface) -> Section:
    """Tabulate what devices there were."""
    devices, nominal = directory.devices(), Population(study_of(surface)).nominal().iloc[0]
    weight = devices["weight"].to_numpy(dtype=np.float64)
    rows = []
    for column, (name, unit, factor) in surface.kind.columns.items():
        if column not in devices:  # of a run of an earlier version
            continue
        values = factor * devices[column].to_numpy(dtype=np.float64)
        mean = float(np.average(values, weights=weight))
        deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=weight)))
        shown = (factor * float(nominal[column]), mean, deviation)
        rows.append([f"{name} ({unit})" if unit else name, *(f"{value:.4g}" for value in shown)])
    return Section(
        "Devices",
        ["", "nominal", "mean", "standard deviation"],
        rows,
        f"{len(devices)} devices, each with its weight.",
    )


def read_points(surface: ReadSurface) -> Section:
    """Tabulate the fastest and the cheapest read with the usual rates."""
    rows, text = [], f"Read error rate at most {USUAL_ERROR:g}, disturb rate at most {USUAL_DISTURB:g}."
    for minimize, name in zip(MINIMIZE, ("fastest", "cheapest"), strict=True):
        try:
            point = surface.operating_point(USUAL_ERROR, USUAL_DISTURB, minimize)
        except MtjcharError as error:
            text = f"{text} {error}"
            break
        rows.append(
            [
                name,
                compact(point.voltage_V, "V", 4),
                compact(point.time_s, "s", 4),
                compact(point.energy_J, "J", 3),
                f"{point.read_error_rate:.1e}",
                f"{point.disturb_rate:.1e}",
                surface.margin_in_words(point.margin),
                "extrapolated" if point.extrapolated else "-",
            ]
        )
    columns = [
        "read", "read voltage", "sensing time", "energy", "read error rate", "disturb rate", "sense margin",
        "rates",
    ]  # fmt: skip
    return Section("Operating points of reads", columns, rows, text)


def operations(surface: BitwiseSurface) -> Section:
    """Tabulate bitwise operations, each at the read of the grid with its lowest error rate."""
    rows = []
    for name in surface.operations:
        voltage, time = surface.best_read(name)
        point = surface.point(name, voltage, time)
        low = point.error_rate < VERIFIED_RATE
        rows.append(
            [
                TITLES[name],
                compact(voltage, "V", 4),
                compact(time, "s", 4),
                compact(point.energy_J, "J", 3),
                f"below {VERIFIED_RATE:.0e}" if low else f"{point.error_rate:.1e}",
                f"{point.disturb_rate:.1e}",
                _or_none(point.largest_offset, compact(point.largest_offset, surface.level_unit, 3)),
                _or_none(point.smallest_contrast, f"{point.smallest_contrast:.3g}"),
                _or_none(point.largest_spread, f"{point.largest_spread:.3g} times"),
                "extrapolated" if point.extrapolated or low else "-",
            ]
        )
    columns = [
        "operation", "read voltage", "sensing time", "energy", "error rate", "disturb rate",
        "offset for 1e-6, at most", "TMR for 1e-6, at least", "spread for 1e-6, at most", "rates",
    ]  # fmt: skip
    text = (
        "Error rate of the worst combination of inputs. Offset, TMR and spread are changed one at a time; "
        "the spread is a multiple of the study's. None: no value is sufficient."
    )
    return Section("Bitwise operations at their best reads", columns, rows, text)


def _or_none(value: float, words: str) -> str:
    return "none" if np.isnan(value) else words


def sample_counts(directory: RunDirectory) -> Section:
    """Tabulate what became of the simulations."""
    tally = Tally()
    for file in sorted((directory.path / "samples").glob("*.parquet")):
        tally.add(directory.read_part(file, ["direction", "amplitude_V", "status", "reason"]))
    return Section(
        "Samples",
        ["status", "samples"],
        [[status, f"{count:,}"] for status, count in sorted(tally.status.items())],
        tally.words() or "A sample is a device, a direction and a pulse; none failed.",
    )


def trade_off_files(folder: Path) -> list[Path]:
    """List the tables of `mtjchar tradeoff` in a run directory and in the folders of it."""
    return sorted([*folder.glob("tradeoff.csv"), *folder.glob("*/tradeoff.csv")])


def trade_off(name: str, table: pd.DataFrame) -> Section:
    """Tabulate what trainings in this memory can save: exact designs first."""
    rows = [
        [
            row["lever"],
            row["code"],
            f"{row['ber']:.2g}",
            f"{1e6 * row['programming_energy_J']:.4g}",
            f"{row['energy_saved_fraction']:.1%}",
            band_in_words(row),
            f"{row['accuracy_drop_points']:.2f} ± {row['accuracy_drop_ci95']:.2f}",
            "no write fails" if row["exact"] else "writes may fail",
            "not shown" if row["not_shown"] else "holds",
            ", ".join(words for flag, words in _FLAGS.items() if row.get(flag, False)) or "-",
        ]
        for row in shown(table).to_dict("records")
    ]
    columns = [
        "lever", "code", "BER", "energy of a training (µJ)", "saved", "band (%)", "loss (points)",
        "writes", "at most 1 point lost", "pulses",
    ]  # fmt: skip
    return Section(f"Trade-off: {name}", columns, rows, one_line(table))


_FLAGS = {
    "at_edge": "at the edge of the sweep",
    "at_limit": "at the highest error rate allowed",
    "extrapolated": "error rate extrapolated",
}
