"""The access transistor in a deck."""

from __future__ import annotations

from typing import NamedTuple

from mtjchar.cells.kits import KITS, SUBCIRCUIT, kit_model
from mtjchar.cells.transistor import Parameter, Transistor
from mtjchar.spice import transistor_file
from mtjchar.spice.libraries import library

__all__ = ["TransistorSource", "source_of", "transistor_text"]

_IN_CELL = {"m": "beta"}  # what the cell calls parameters of a transistor, where it is something else
_OF_KIT = {name: Parameter(name=name) for name in ("w", "l", "dvth", "m")}


class TransistorSource(NamedTuple):
    """Where the subcircuit of a transistor comes from that is not mtjchar's own.

    Attributes
    ----------
    name : str
        File, or kit with its version, as messages have it.
    text : str
        SPICE lines that define the subcircuit in a deck.
    read : str
        The same with sections and included files in their places: what ngspice reads.
    digest : str
        Of what ngspice reads.
    random : tuple of str
        Lines with functions that draw random numbers.
    left_out : tuple of str
        What is missing of the files, in words that name file and line.
    """

    name: str
    text: str
    read: str
    digest: str
    random: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def source_of(transistor: Transistor | None) -> TransistorSource | None:
    """Find the subcircuit of a transistor; None without one, and for the models that come with mtjchar.

    Raises
    ------
    InputError
        If a file cannot be read, includes itself, or has no such section; if a kit has no such size.
    MissingToolError
        If the kit is not installed.
    """
    if transistor is None:
        return None
    if transistor.model in KITS:
        model = kit_model(
            transistor.model, str(transistor.device), str(transistor.corner),
            width=transistor.width, length=transistor.length, fingers=transistor.extra.get("nf", 1.0),
        )  # fmt: skip
        return TransistorSource(model.name, model.text, model.text, model.digest)
    if transistor.file is None:
        return None
    cleaned = transistor_file.clean(transistor.model, transistor.section)
    expanded = transistor_file.expand(transistor.model, transistor.section, transistor.osdi)
    return TransistorSource(
        transistor.model, cleaned.text, expanded.text, expanded.digest, expanded.random, cleaned.left_out
    )


def transistor_text(transistor: Transistor) -> str:
    """Write the subcircuit ``access_transistor`` with the pins d, g, s, b and w, l, dvth and beta."""
    if transistor.model == "generic":
        return library("nmos_generic.lib")
    if (source := source_of(transistor)) is None:
        # The subcircuit's default is the one place where the resistance can be set for the whole deck.
        return library("nmos_ideal.lib").replace("ron=1k", f"ron={transistor.on_resistance!r}")
    of_kit = transistor.model in KITS
    subcircuit, named = (SUBCIRCUIT, _OF_KIT) if of_kit else (transistor.subcircuit, transistor.parameters)
    parameters = [
        f"{parameter.name}={{{_IN_CELL.get(ours, ours)}{_times(parameter.factor)}}}"
        for ours, parameter in named.items()
    ]
    parameters += [f"{name}={value!r}" for name, value in transistor.extra.items()]
    shifts_itself = "dvth" in named
    nodes = ["gate" if pin == "g" and not shifts_itself else pin for pin in transistor.pins]
    return "\n".join(
        [
            source.text,
            ".subckt access_transistor d g s b w=300n l=30n dvth=0 beta=1",
            *([] if shifts_itself else ["Vshift g gate {dvth}"]),
            " ".join(["Xu", *nodes, str(subcircuit), *parameters]),
            ".ends access_transistor",
        ]
    )


def _times(factor: float) -> str:
    return "" if factor == 1.0 else f"*{factor!r}"
