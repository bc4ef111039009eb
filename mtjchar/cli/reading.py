"""Commands that ask the surfaces of reads: read query, read point and read bitwise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mtjchar.cli.common import (
    READ_VOLTAGES_ASKED,
    SENSING_TIMES_ASKED,
    AsJson,
    RunFolder,
    answer_table,
    console,
    one_of,
    print_json,
    warn,
)
from mtjchar.errors import InputError, NoMarginError
from mtjchar.surfaces.tails import VERIFIED_RATE
from mtjchar.units import compact

if TYPE_CHECKING:
    from mtjchar.surfaces.bitwise_surface import BitwisePoint
    from mtjchar.surfaces.read_grid import State
    from mtjchar.surfaces.read_surface import ReadSurface

_MOST_READS = 100_000
_WIDEST = 120  # of a table, characters
_TARGET = 1e-6  # error rate for which a surface says what an operation needs
_EXTRAPOLATED = "extrapolated: too few devices carry it"


class Minimize(StrEnum):
    """What an operating point has the least of."""

    time = "time"
    energy = "energy"


def query(
    folder: RunFolder,
    voltage: Annotated[list[Any] | None, READ_VOLTAGES_ASKED] = None,
    time: Annotated[list[Any] | None, SENSING_TIMES_ASKED] = None,
    as_json: AsJson = False,
) -> None:
    """Print read error rate, disturb rate, sense margin and energy of reads.

    Of several voltages and times all combinations are answered. Rates and margin are those of the worse
    state, the energy is the mean of both states.
    """
    reads = _asked(voltage, time)
    surface = _load(folder)
    answers = [_answer(surface, *read) for read in reads]
    if as_json:
        print_json(answers[0] if len(answers) == 1 else answers)
    elif len(answers) == 1:
        console.print(_one_answer(surface, answers[0]))
    else:
        console.print(_table_of_answers(surface, answers), width=_WIDEST)


def _asked(
    voltage: Sequence[Sequence[float]] | None, time: Sequence[Sequence[float]] | None
) -> list[tuple[float, float]]:
    """Combine the voltages and times of the options."""
    for option, values in (("--voltage", voltage), ("--time", time)):
        if not values:
            raise InputError(
                option, value=None, allowed="at least one value", problem=f"{option} is missing.",
                remedy="Give --voltage and --time.",
            )  # fmt: skip
    levels, times = (list(itertools.chain(*values or ())) for values in (voltage, time))
    if len(levels) * len(times) > _MOST_READS:
        raise InputError(
            "--voltage, --time", value=len(levels) * len(times), allowed=f"at most {_MOST_READS:,} reads"
        )
    return list(itertools.product(levels, times))


def point(
    folder: RunFolder,
    error: Annotated[
        float, typer.Option(metavar="RATE", help="Read error rate to reach, above 0 and below 1.")
    ],
    disturb: Annotated[
        float, typer.Option(metavar="RATE", help="Disturb rate of a read to stay below, above 0 and below 1.")
    ],
    minimize: Annotated[Minimize, typer.Option(help="What the read has the least of.")] = Minimize.time,
    as_json: AsJson = False,
) -> None:
    """Find the fastest or the cheapest read that reaches a read error rate and a disturb rate.

    Both rates are those of the worse state.
    """
    surface = _load(folder)
    found = surface.operating_point(error, disturb, minimize.value)
    if as_json:
        print_json({**found._asdict(), "margin_unit": surface.margin_unit})
        return
    answer = _answer(surface, found.voltage_V, found.time_s)
    table = answer_table()
    table.add_row("read voltage", compact(found.voltage_V, "V", 4))
    table.add_row("sensing time", compact(found.time_s, "s", 4))
    for label, words in _lines(surface, answer):
        table.add_row(label, words)
    console.print(table)
    for what, value, grid in (
        ("read voltage", found.voltage_V, surface.voltages),
        ("sensing time", found.time_s, surface.times),
    ):
        if min(abs(value - grid[0]), abs(value - grid[-1])) <= 1e-6 * grid[-1]:
            console.print(f"The {what} is at the edge of the grid. A better read may lie beyond it.")


def bitwise(
    folder: RunFolder,
    operation: Annotated[
        str, typer.Option(metavar="NAME", help="and, or, xor or majority, if the study asks for it.")
    ],
    voltage: Annotated[list[Any] | None, READ_VOLTAGES_ASKED] = None,
    time: Annotated[list[Any] | None, SENSING_TIMES_ASKED] = None,
    as_json: AsJson = False,
) -> None:
    """Print error rate, energy and references of an operation of cells that are read at once.

    Of several voltages and times all combinations are answered. The error rate is that of the worst inputs,
    the energy is the mean of all.
    """
    from mtjchar.surfaces import BitwiseSurface

    reads = _asked(voltage, time)
    surface = BitwiseSurface.of_run(folder)
    if operation not in surface.operations:
        raise one_of("--operation", operation, surface.operations)
    points = [surface.point(operation, *read) for read in reads]
    if as_json:
        answers = [
            {"operation": operation, "voltage_V": volts, "time_s": seconds, **_without_nan(point._asdict())}
            for (volts, seconds), point in zip(reads, points, strict=True)
        ]
        print_json(answers[0] if len(answers) == 1 else answers)
        return
    for (volts, seconds), point in zip(reads, points, strict=True):
        if len(points) > 1:
            console.print(f"{compact(volts, 'V', 4)}, {compact(seconds, 's', 4)}", highlight=False)
        console.print(_of_operation(point, surface.level_unit))


def _of_operation(point: BitwisePoint, unit: str) -> Table:
    table = answer_table()
    doubt = f"   ({_EXTRAPOLATED})" if point.extrapolated else ""
    if point.error_rate < VERIFIED_RATE:
        doubt = f"   (extrapolated, verified to {VERIFIED_RATE:g})"
    table.add_row("error rate", f"{point.error_rate:.4g}{doubt}")
    table.add_row("", ", ".join(f"{inputs}: {rate:.3g}" for inputs, rate in point.error_rates.items()))
    for level, resistance in zip(point.reference, point.reference_resistance_ohm, strict=True):
        own = f"   ({compact(resistance, 'ohm', 4)} for each junction)" if not math.isnan(resistance) else ""
        table.add_row("reference", f"{compact(level, unit, 4)}{own}")
    table.add_row("disturb rate", f"{point.disturb_rate:.3g}")
    table.add_row("energy", compact(point.energy_J, "J", 4))
    small, large = "none is small enough", "none in the range is large enough"
    spread = f"at most {point.largest_spread:.3g} times the study's"
    for name, value, words, none in (
        ("offset for 1e-6", point.largest_offset, f"at most {compact(point.largest_offset, unit, 3)}", small),
        ("TMR for 1e-6", point.smallest_contrast, f"at least {point.smallest_contrast:.3g}", large),
        ("spread for 1e-6", point.largest_spread, spread, small),
    ):
        if math.isnan(value) and point.error_rate <= _TARGET:
            words = "not known: a read of the grid beside this one has none"
        elif math.isnan(value):
            words = none
        table.add_row(name, words)
    return table


def _without_nan(answer: dict[str, Any]) -> dict[str, Any]:
    """Put null in place of NaN, which JSON does not have."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and math.isnan(value) else value

    return {name: plain(value) for name, value in answer.items()}


def _load(folder: Any) -> ReadSurface:
    from mtjchar.surfaces import ReadSurface
    from mtjchar.surfaces.read_search import check_margin

    surface = ReadSurface.of_run(folder)
    try:
        check_margin(surface)
    except NoMarginError as error:
        warn(str(error), loud=True)
    return surface


def _answer(surface: ReadSurface, voltage: float, time: float) -> dict[str, Any]:
    """Everything about a read: of the worse state, and of each."""
    worse = _numbers(surface, voltage, time, None)
    states = [{"state": state, **_numbers(surface, voltage, time, state)} for state in (0, 1)]
    unit = {"margin_unit": surface.margin_unit}
    return {"voltage_V": voltage, "time_s": time, **worse, **unit, "states": states}


def _numbers(surface: ReadSurface, voltage: float, time: float, state: State | None) -> dict[str, Any]:
    read = voltage, time, state
    lower, upper = surface.interval("read_error_rate", *read)
    low, high = surface.interval("disturb_rate", *read)
    return {
        "read_error_rate": float(surface.read_error_rate(*read)),
        "read_error_rate_lower": float(lower),
        "read_error_rate_upper": float(upper),
        "extrapolated": bool(surface.is_extrapolated(*read)),
        "disturb_rate": float(surface.disturb_rate(*read)),
        "disturb_rate_lower": float(low),
        "disturb_rate_upper": float(high),
        "disturb_extrapolated": bool(surface.is_disturb_extrapolated(*read)),
        "margin": float(surface.margin(*read)),
        "margin_deviations": float(surface.margin_deviations(*read)),
        "energy_J": float(surface.energy(*read)),
    }


def _one_answer(surface: ReadSurface, answer: Mapping[str, Any]) -> Table:
    table = answer_table()
    for label, words in _lines(surface, answer):
        table.add_row(label, words)
    return table


def _lines(surface: ReadSurface, answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    def interval(rate: str, flag: str) -> str:
        if answer[flag]:
            return f"   ({_EXTRAPOLATED})"
        return f"   (95 %: {answer[f'{rate}_lower']:.3g} to {answer[f'{rate}_upper']:.3g})"

    def of_states(name: str) -> str:
        return ", ".join(f"state {one['state']}: {one[name]:.3g}" for one in answer["states"])

    margin = f"{surface.margin_in_words(answer['margin'])}, {answer['margin_deviations']:.3g} deviations"
    return [
        (
            "read error rate",
            f"{answer['read_error_rate']:.4g}{interval('read_error_rate', 'extrapolated')}",
        ),
        ("", of_states("read_error_rate")),
        (
            "disturb rate",
            f"{answer['disturb_rate']:.4g}{interval('disturb_rate', 'disturb_extrapolated')}",
        ),
        ("", of_states("disturb_rate")),
        ("sense margin", margin),
        ("energy", compact(answer["energy_J"], "J", 4)),
    ]


def _table_of_answers(surface: ReadSurface, answers: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("read", "", "read error", "95 % interval", "disturb", "margin", "deviations", "energy"):
        table.add_column(title, justify="left" if title == "95 % interval" else "right", no_wrap=True)
    for answer in answers:
        interval = f"{answer['read_error_rate_lower']:.1e} to {answer['read_error_rate_upper']:.1e}"
        table.add_row(
            compact(answer["voltage_V"], "V", 4),
            compact(answer["time_s"], "s", 4),
            f"{answer['read_error_rate']:.3g}",
            "extrapolated" if answer["extrapolated"] else interval,
            f"{answer['disturb_rate']:.3g}",
            surface.margin_in_words(answer["margin"]),
            f"{answer['margin_deviations']:.3g}",
            compact(answer["energy_J"], "J", 3),
        )
    return table
