"""What `mtjchar query` is asked: one pulse, a grid of them or a table, and what a surface says of each."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mtjchar.cli.common import check_direction, one_of
from mtjchar.errors import InputError, OutsideGridError, clipped
from mtjchar.files import MOST_DATA, read_text
from mtjchar.surfaces.grid import targets
from mtjchar.surfaces.tails import VERIFIED_RATE, StatedRate

if TYPE_CHECKING:
    from mtjchar.surfaces import WriteSurface

__all__ = ["Question", "answers", "questions", "read_pulses", "stated_rate"]

_MOST_PULSES = 100_000
_COLUMNS = ("amplitude_V", "duration_s")


class Question(NamedTuple):
    """A pulse that is asked for.

    Attributes
    ----------
    direction : str
        One that the surface has, ``both``, or empty for all of them.
    amplitude_V, duration_s : float
    place : str
        Where it is from, for messages; empty for the command line.
    """

    direction: str
    amplitude_V: float
    duration_s: float
    place: str = ""


def questions(direction: str, amplitudes: Sequence[float], durations: Sequence[float]) -> list[Question]:
    """Ask for every duration at every amplitude.

    Raises
    ------
    InputError
        If there are too many.
    """
    _check_count("--amplitude, --duration", len(amplitudes) * len(durations))
    return [Question(direction, *pulse) for pulse in itertools.product(amplitudes, durations)]


def read_pulses(file: Path, direction: str) -> list[Question]:
    """Read a table of pulses.

    Parameters
    ----------
    file : Path
        CSV with the columns amplitude_V, duration_s and, if the pulses differ in it, direction. Further
        columns are not read; lines that begin with ``#`` are comments.
    direction : str
        For rows that have none.

    Raises
    ------
    InputError
        Naming the file, and column or row.
    """
    thing = f"--pulses {file}"
    allowed = "a CSV file with the columns amplitude_V and duration_s"
    text = read_text(file, "--pulses", allowed=allowed, most=MOST_DATA).removeprefix("\ufeff")
    (_, header), *rows = _lines(text, thing) or [(0, [])]
    for name in (*_COLUMNS, "direction"):
        if header.count(name) > 1 or (name in _COLUMNS and name not in header):
            how = "two columns" if name in header else "no column"
            raise InputError(
                thing, value=header, allowed=allowed, problem=f"{thing} has {how} {name}.",
                remedy=f"Allowed: {allowed}. Its first line: {clipped(','.join(header))!r}.",
            )  # fmt: skip
    if not rows:
        raise InputError(thing, value="no rows", allowed="one row for each pulse")
    _check_count(thing, len(rows))
    asked = []
    for number, row in rows:
        place = f"{thing}, line {number}"
        if len(row) != len(header):
            raise InputError(place, value=",".join(row), allowed=f"{len(header)} values, as the header has")
        cells = dict(zip(header, row, strict=True))
        volts, seconds = (_number(f"{place}, {name}", cells[name]) for name in _COLUMNS)
        asked.append(Question(cells.get("direction") or direction, volts, seconds, place))
    return asked


def _lines(text: str, thing: str) -> list[tuple[int, list[str]]]:
    """Take a CSV apart: cells of each line that is neither empty nor a comment, by its number."""
    reader = csv.reader(io.StringIO(text), strict=True)
    lines = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells) and not cells[0].startswith("#"):
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        raise InputError(
            f"{thing}, line {reader.line_num}", value=str(error), allowed="a line of CSV"
        ) from error
    return lines


def _check_count(thing: str, count: int) -> None:
    if count > _MOST_PULSES:
        raise InputError(
            thing, value=f"{count:,} pulses", allowed=f"at most {_MOST_PULSES:,}",
            remedy="For a whole table use `mtjchar export` with --amplitudes and --durations.",
        )  # fmt: skip


def _number(thing: str, text: object) -> float:
    try:
        value = float(str(text))
    except ValueError:
        value = np.nan
    if not 0.0 < value < np.inf:
        unit = "V" if thing.endswith("V") else "s"
        raise InputError(thing, value=text, allowed=f"a number above 0, in {unit}, without a unit")
    return value


def answers(surface: WriteSurface, asked: Sequence[Question]) -> list[dict[str, Any]]:
    """Say what each pulse does, in each of the directions that are asked for.

    Returns
    -------
    list of dict
        In the order of the questions and, of one, of the surface's directions with ``both`` last. Keys are
        those of `mtjchar query --json`.

    Raises
    ------
    InputError
        For a direction that the surface does not have, or a pulse outside its grid, by its place.
    """
    one_direction = {each: (each,) for each in surface.directions}
    known = {"": targets(surface), **one_direction}
    if len(surface.directions) > 1:
        known["both"] = targets(surface)
    for question in asked:
        if question.direction not in known:
            allowed = [name for name in known if name]
            if question.place:
                raise one_of(f"{question.place}, direction", question.direction, allowed)
            check_direction(question.direction, allowed)
    amplitude, duration = (np.array([question[k] for question in asked]) for k in (1, 2))
    try:
        columns = {each: _columns(surface, each, amplitude, duration) for each in surface.directions}
    except OutsideGridError as error:
        raise _placed(error, surface, asked) from error
    if "both" in known:
        columns["both"] = _for_both([columns[each] for each in surface.directions])
    return [
        {
            "direction": target,
            "amplitude_V": question.amplitude_V,
            "duration_s": question.duration_s,
            **{name: values[k].item() for name, values in columns[target].items()},
        }
        for k, question in enumerate(asked)
        for target in known[question.direction]
    ]


def stated_rate(answer: Mapping[str, Any]) -> StatedRate:
    """Take the error rate out of an answer."""
    names = ("ber", "ber_lower", "ber_upper", "bound", "effective_devices", "extrapolated")
    return StatedRate(*(answer[name] for name in names))


def _columns(surface: WriteSurface, direction: str, *pulse: Any) -> dict[str, Any]:
    """Everything about pulses in one direction; error rates as `WriteSurface.stated_rate` has them."""
    lower, upper = surface.ber_interval(direction, *pulse)
    columns = {
        "ber": np.maximum(surface.ber(direction, *pulse), VERIFIED_RATE),
        "ber_lower": lower,
        "ber_upper": upper,
        "bound": surface.is_bound(direction, *pulse),
        "effective_devices": surface.effective_devices(direction, *pulse),
        "extrapolated": surface.is_extrapolated(direction, *pulse),
        "energy_J": surface.energy(direction, *pulse),
        "redundant_energy_J": surface.energy(direction, *pulse, switching=False),
    }
    if surface.knows_supply_energy:
        for name, switching in (("supply_energy_J", True), ("redundant_supply_energy_J", False)):
            columns[name] = surface.energy(direction, *pulse, switching=switching, at_supply=True)
    return columns


def _for_both(columns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One pulse for all directions: the worse error rate, and the mean energies."""
    worst = np.argmax([each["ber"] for each in columns], axis=0)
    return {
        name: np.mean([each[name] for each in columns], axis=0)
        if name.endswith("energy_J")
        else np.choose(worst, [each[name] for each in columns])
        for name in columns[0]
    }


def _placed(error: OutsideGridError, surface: WriteSurface, asked: Sequence[Question]) -> InputError:
    """Name the row of the first pulse outside the grid, where it is from a table."""
    for question in asked:
        try:
            surface.ber(surface.directions[0], question.amplitude_V, question.duration_s)
        except OutsideGridError as outside:
            return outside.within(question.place) if question.place else outside
    return error
