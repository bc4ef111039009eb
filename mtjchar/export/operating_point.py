"""The operating point of a format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from mtjchar.errors import InputError
from mtjchar.surfaces import CheapestPulse, ReadSurface, WriteSurface, pulse_at
from mtjchar.surfaces.grid import Target

__all__ = ["OPERATING_POINT", "Settings", "check_operating_point", "pulse"]


@dataclass(frozen=True)
class Settings:
    """Settings of the user; None leaves the choice to the format.

    Parameters
    ----------
    ber : float, optional
        Error rate of the operating point.
    amplitude : float, optional
        V; with `ber` it is fixed, with `duration` it is the pulse itself.
    duration : float, optional
        s; with `ber` it is fixed, with `amplitude` it is the pulse itself.
    feature_size : float, optional
        m, the F of areas and widths; default: the length of the access transistor.
    cell_area : float, optional
        In F^2; default: an assumption from the width of the access transistor.
    clock : float, optional
        Hz, of the memory's interface; default: an assumption.
    amplitudes, durations : sequence of float, optional
        V and s: the grid of a complete table; default: the surface's own.
    reads : ReadSurface, optional
        Of the same run. Formats that have no place for it leave it out.
    """

    ber: float | None = None
    amplitude: float | None = None
    duration: float | None = None
    feature_size: float | None = None
    cell_area: float | None = None
    clock: float | None = None
    amplitudes: Sequence[float] | None = None
    durations: Sequence[float] | None = None
    reads: ReadSurface | None = None

    def __post_init__(self) -> None:
        for name in ("feature_size", "cell_area", "clock"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < float("inf"):
                raise InputError(name, value=value, allowed="a positive number")

    def given(self) -> dict[str, Any]:
        """Names and values of the settings that a user has given; the reads are none of them."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "reads"}
        return {name: value for name, value in chosen.items() if value is not None}


OPERATING_POINT = frozenset({"ber", "amplitude", "duration"})
"""Settings that choose an operating point."""


def check_operating_point(format_: str, settings: Settings) -> None:
    """Refuse settings that do not choose exactly one operating point.

    Parameters
    ----------
    format_ : str
        Name of the format, for the message.
    settings : Settings

    Raises
    ------
    InputError
        If the operating point is missing, incomplete or given twice.
    """
    given = {name: value for name, value in settings.given().items() if name in OPERATING_POINT}
    pulse_known = {"amplitude", "duration"} <= set(given)
    if ("ber" in given) != pulse_known:
        return
    problem = f"{format_} needs an operating point: add --ber 1e-6"
    if pulse_known:
        problem = (
            f"{format_} needs one operating point: give --ber, or --amplitude and --duration, not all three"
        )
    elif given:
        (name,) = given
        other = "duration" if name == "amplitude" else "amplitude"
        problem = f"{problem} or --{other}, as --{name} alone is not one"
    raise InputError(
        "operating point", value=given, allowed="ber, or amplitude and duration", problem=f"{problem}."
    )


def pulse(surface: WriteSurface, direction: Target, settings: Settings) -> CheapestPulse:
    """Find the pulse of the operating point: the cheapest for an error rate, or the given one.

    Parameters
    ----------
    surface : WriteSurface
        With both directions.
    direction : str
        One of `surface.directions`, or ``both``: one pulse for both directions, see
        `WriteSurface.cheapest_pulse`.
    settings : Settings
        ``ber``, with a fixed ``amplitude`` or ``duration`` if given; or ``amplitude`` and
        ``duration`` without ``ber``, as `check_operating_point` allows.

    Raises
    ------
    InputError
        If the surface lacks a direction.
    OutsideGridError
        If the pulse is outside the surface's grid.
    UnreachableError
        If no pulse of the surface reaches the error rate.
    """
    directions = surface.kind.directions
    if set(surface.directions) != set(directions):
        raise InputError(
            "directions of the surface",
            value=", ".join(surface.directions),
            allowed=" and ".join(directions),
            remedy="Sweep both directions: the format has a value for each.",
        )
    ber, amplitude, duration = settings.ber, settings.amplitude, settings.duration
    if ber is None:
        assert amplitude is not None
        assert duration is not None
        return pulse_at(surface, direction, amplitude, duration)
    if amplitude is not None:
        return surface.cheapest_pulse(direction, ber, vary="duration", amplitude=amplitude)
    if duration is not None:
        return surface.cheapest_pulse(direction, ber, vary="amplitude", duration=duration)
    return surface.cheapest_pulse(direction, ber)
