"""Measurement of a user's transistor alone in ngspice before a sweep.

A SPICE file can load and still not do what the study says: a parameter that the subcircuit does not have is
ignored silently, and random functions give other numbers with each load. Therefore the behaviour of the
transistor is measured.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.integrate import trapezoid

from mtjchar.arrays import FloatArray
from mtjchar.cells.transistor import Transistor
from mtjchar.cells.transistor_netlist import source_of, transistor_text
from mtjchar.errors import InputError, SimulationError
from mtjchar.spice.ngspice import simulator

__all__ = ["TransistorProbe", "check_parameters", "probe_transistor"]

_CHANGE = 2e-3  # of width and length: small enough to stay within the bin of a model for one size
_SHIFT = 2e-3  # V, of the threshold
_UNCHANGED = 1e-7  # relative: equal transistors are equal to rounding
_MOST_LINES = 12
# Messages of ngspice for every deck, and while it searches for an operating point.
_CHATTER = re.compile(
    r"Doing analysis|\s*Reference value|No\. of Data|Using |Initial Tran|Seed value|Note: |Trying|One succ"
)
_MATTERS = re.compile(r"warning|error|ignored|unrecognized|unknown|illegal|invalid|fatal", re.IGNORECASE)
_CONTINUED = re.compile(r"\n\s*\+")
# A number alone: an expression may follow the study's temperature. Names of devices begin with their kind.
_OWN_TEMPERATURE = re.compile(r"[mrcdqjb]\w*\s[^;$]*?\s(temp\s*=\s*[\d.+-]\S*)", re.IGNORECASE)
_INSTANCE = re.compile(r"\bx\d+(?:[.:]xu)?[.:]", re.IGNORECASE)
_OURS = {
    "w": ("cell.transistor.width", "width"),
    "l": ("cell.transistor.length", "length"),
    "dvth": ("variability.threshold_voltage", "shift of the threshold"),
    "m": ("variability.current_factor", "multiplier"),
}


class TransistorProbe(NamedTuple):
    """Measured properties of a transistor.

    Attributes
    ----------
    current_A : float
        Through the drain, with the word line up.
    changes : mapping
        Relative change of the current with that of a parameter, by the parameter's key in
        `Transistor.parameters`; empty if the model does not allow a change.
    words : tuple of str
        Messages of ngspice for the file, one line each.
    load_s : float
        Time that ngspice takes to load it, s.
    """

    current_A: float
    changes: Mapping[str, float]
    words: tuple[str, ...]
    load_s: float


class _Reading(NamedTuple):
    values: FloatArray  # (transistors, 4): currents with the word line up and down, charges of drain and gate
    celsius: float
    words: tuple[str, ...]
    load_s: float


def probe_transistor(
    transistor: Transistor,
    *,
    temperature: float,
    gate: float,
    drain: float,
    source: float = 0.0,
    gate_low: float = 0.0,
) -> TransistorProbe:
    """Load the transistor of a file and measure it: nominal, and with each parameter changed.

    Parameters
    ----------
    transistor : Transistor
        With a file.
    temperature : float
        K
    gate, drain, source, gate_low : float
        V, over the bulk; `gate` with the word line up, `gate_low` with it down.

    Raises
    ------
    InputError
        If its file sets another temperature, or draws random numbers.
    SimulationError
        With ngspice's own reason, if it cannot be loaded or solved.
    """
    _refuse_own_temperature(transistor)
    names: list[str] = [
        name for name in ("w", "l", "dvth", "m") if name in transistor.parameters or name == "dvth"
    ]
    at = _Point(temperature, gate, drain, source, gate_low)
    reading, tried = _read_with_changes(transistor, names, at)
    if abs(reading.celsius + 273.15 - temperature) > 1e-3:
        raise InputError(
            "cell.transistor.model", value=f"{transistor.model}, which sets {reading.celsius:g} degC",
            allowed=f"a file without a temperature, so that that of the study holds, {temperature:g} K",
        )  # fmt: skip
    _refuse_random(transistor, reading, tried, at)
    currents = reading.values[:, 0]
    changes = _difference(currents[2:], currents[:1]).tolist()  # none if the model allows no change
    return TransistorProbe(
        float(currents[0]), dict(zip(names, changes, strict=False)), reading.words, reading.load_s
    )


def check_parameters(
    transistor: Transistor, probe: TransistorProbe, *, shifted: bool, table: str = "cell.transistor"
) -> None:
    """Refuse a transistor whose current does not depend on a parameter that the study varies.

    Parameters
    ----------
    transistor : Transistor
    probe : TransistorProbe
        Of a transistor that conducts.
    shifted : bool
        Whether the study shifts the threshold.
    table : str, optional
        Table of the study that describes it.

    Raises
    ------
    InputError
        The message names the parameter and the remedy.
    """
    for name, change in probe.changes.items():
        if change > _UNCHANGED or (name == "dvth" and not shifted):
            continue
        key, what = _OURS[name]
        parameter = transistor.parameters[name].name if name in transistor.parameters else "the gate source"
        rest = {ours: other.name for ours, other in transistor.parameters.items() if ours != name}
        names = ", ".join(f'{ours} = "{other}"' for ours, other in rest.items())
        instead = (
            "a source at the gate then shifts the threshold"
            if name == "dvth"
            else f"{what} is then what the subcircuit has by itself"
        )
        raise InputError(
            key.replace("cell.transistor", table),
            value=f"a {what} that does not change the current of {transistor.subcircuit} ({parameter})",
            allowed=f"a subcircuit with a parameter for the {what}, and its name in {table}.parameters",
            remedy=f"Give the name that the subcircuit has for it, such as {{ {name} = "
            f'"{name.upper()}" }}, or leave it out: parameters = {{ {names} }}; {instead}.',
        )


class _Point(NamedTuple):
    """Temperature (K) and voltages over the bulk (V)."""

    temperature: float
    gate: float
    drain: float
    source: float
    gate_low: float


_Change = dict[str, float]  # of the wrapper's parameters


def _read_with_changes(
    transistor: Transistor, names: Sequence[str], at: _Point
) -> tuple[_Reading, list[_Change]]:
    """Measure a transistor twice unchanged, then with each of the parameters changed, if it allows that."""
    first: SimulationError | None = None
    for share in (1.0, -1.0):
        tried: list[_Change] = [{}, {}, *(_changed(transistor, name, share) for name in names)]
        try:
            return _measured(transistor, tried, at), tried
        except SimulationError as error:
            if first is None:
                first, nominal = error, _measured(transistor, [{}, {}], at)
    # A model for one size only; the study has no other.
    return nominal, [{}, {}]


def _changed(transistor: Transistor, name: str, share: float) -> _Change:
    nominal = {"w": transistor.width, "l": transistor.length, "m": 1.0}
    if name == "dvth":
        return {"dvth": share * _SHIFT}
    return {"beta" if name == "m" else name: nominal[name] * (1.0 + share * _CHANGE)}


def _measured(transistor: Transistor, changes: Sequence[_Change], at: _Point, seed: int = 1) -> _Reading:
    """Load transistors beside each other, each with its own sources, and measure currents and charges."""
    gate, low = at.gate, at.gate_low
    nominal = {"w": transistor.width, "l": transistor.length, "dvth": 0.0, "beta": 1.0}
    lines = [
        ".title mtjchar probe", transistor_text(transistor),
        f"Vwl wl 0 dc 0 pulse({low!r} {gate!r} 100p 100p 100p 1)", "Bcelsius celsius 0 v = temper",
        "Rcelsius celsius 0 1k", f"Vs s 0 {at.source!r}",
    ]  # fmt: skip
    for k, change in enumerate(changes):
        values = " ".join(f"{name}={value!r}" for name, value in (nominal | change).items())
        lines += [
            f"Vd{k} d{k} 0 {at.drain!r}",
            f"Vg{k} g{k} wl 0",
            f"X{k} d{k} g{k} s 0 access_transistor {values}",
        ]
    lines += [f".options temp={at.temperature - 273.15!r} method=trap reltol=1e-6", ".end"]
    if transistor.options:
        lines.insert(-1, f".options {transistor.options}")
    ngspice = simulator()
    ngspice.exec_command(f"setseed {seed}")
    start = time.monotonic()
    with ngspice.circuit("\n".join(lines), transistor.variables):
        load_s = time.monotonic() - start
        words = ngspice.words_on_loading.splitlines()
        static = ngspice.analyse(f"dc vwl {low!r} {gate!r} {gate - low!r}", "v-sweep", gate)
        words += [line for line in ngspice.words.splitlines() if _MATTERS.search(line)]
        dynamic = ngspice.analyse("tran 10p 400p", "time", 400e-12)
    drains, gates = ([f"v{pin}{k}#branch" for k in range(len(changes))] for pin in "dg")
    currents = -np.stack([static[name] for name in drains])
    charges = [[trapezoid(dynamic[name], dynamic["time"]) for name in pins] for pins in (drains, gates)]
    return _Reading(
        np.column_stack([currents[:, -1], currents[:, 0], *charges]),
        float(static["celsius"][-1]),
        _in_short(words),
        load_s,
    )


def _in_short(words: list[str]) -> tuple[str, ...]:
    """Collect ngspice's messages for the file, each line once for all instances."""
    lines = [_INSTANCE.sub("", line).strip() for line in words if not _CHATTER.match(line)]
    once = [line for line in dict.fromkeys(lines) if line]
    more = [f"and {len(once) - _MOST_LINES} lines more"] if len(once) > _MOST_LINES else []
    return tuple(once[:_MOST_LINES] + more)


def _difference(value: FloatArray, reference: FloatArray) -> FloatArray:
    return np.asarray(np.abs(value - reference) / np.maximum(np.abs(reference), 1e-18))


def _refuse_own_temperature(transistor: Transistor) -> None:
    """Refuse an instance with a temperature, which overrides that of the deck in ngspice."""
    source = source_of(transistor)
    for line in "" if source is None else _CONTINUED.sub(" ", source.read).splitlines():
        if found := _OWN_TEMPERATURE.match(line.strip()):
            raise InputError(
                "cell.transistor.model",
                value=f"{transistor.model}, with an instance at a temperature of its own: "
                f"{' '.join(line.split())[:100]}",
                allowed="instances at the temperature of the study",
                remedy=f"Remove {found[1].strip()}; dtemp, of models that have it, adds to the study's.",
            )


def _refuse_random(transistor: Transistor, reading: _Reading, tried: Sequence[_Change], at: _Point) -> None:
    """Refuse random numbers that have an effect; some of a kit are multiplied with 0 by its own switch."""
    source = source_of(transistor)
    random = () if source is None else source.random
    first, second = reading.values[:2]
    differ = bool(np.any(_difference(second, first) > _UNCHANGED))
    if random and not differ:
        again = _measured(transistor, tried, at, seed=2).values[0]
        differ = bool(np.any(_difference(again, first) > _UNCHANGED))
    if differ:
        raise InputError(
            "cell.transistor.model",
            value=f"{transistor.model}, which draws random numbers"
            + (f" ({random[0][:100]})" if random else ""),
            allowed="a file that gives the same transistor each time: ngspice draws for every instance and "
            "each time it loads one",
            remedy="Switch the mismatch of the kit off (such as .param mc_mm_switch=0, or another section), "
            "and give its spread as variability.threshold_voltage.",
        )
