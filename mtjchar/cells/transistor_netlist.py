"""The access transistor in a deck."""

from __future__ import annotations

from typing import NamedTuple

from mtjchar.cells.kits import KITS, SUBCIRCUIT, kit_model
from mtjchar.cells.transistor import Parameter, Transistor
from mtjchar.spice import transistor_file
from mtjchar.spice.libraries import library

__all__ = ["TransistorSource", "source_of", "transistor_text"]

_IN_CELL = {"m": "beta"}  # names in the cell for parameters of a transistor, if they differ
_OF_KIT = {name: Parameter(name=name) for name in ("w", "l", "dvth", "m")}


class TransistorSource(NamedTuple):
    """Source of a transistor's subcircuit that does not come with mtjchar.

    Attributes
    ----------
    name : str
        File, or kit with its version, for messages.
    text : str
        SPICE lines that define the subcircuit in a deck.
    read : str
        The same with sections and included files inserted: the text that ngspice reads.
    digest : str
        Of the text that ngspice reads.
    random : tuple of str
        Lines with functions that draw random numbers.
    left_out : tuple of str
        Omitted lines of the files, in words that name file and line.
    """

    name: str
    text: str
    read: str
    digest: str
    random: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def source_of(transistor: Transistor | None) -> TransistorSource | None:
    """Find the subcircuit of a transistor; None without one, and for the models of mtjchar.

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


def transistor_text(transistor: Transistor, name: str = "access_transistor", *, loaded: bool = False) -> str:
    """Write the subcircuit `name` with the pins d, g, s, b and w, l, dvth and beta.

    If its file is already `loaded` in the deck for another transistor, its text is not repeated.
    """
    if transistor.model == "generic":
        return library("nmos_generic.lib").replace("access_transistor", name)
    if (source := source_of(transistor)) is None:
        # The subcircuit's default is the only place where the resistance can be set for the whole deck.
        text = library("nmos_ideal.lib").replace("access_transistor", name)
        return text.replace("ron=1k", f"ron={transistor.on_resistance!r}")
    of_kit = transistor.model in KITS
    subcircuit, named = (SUBCIRCUIT, _OF_KIT) if of_kit else (transistor.subcircuit, transistor.parameters)
    text, subcircuit = ("" if loaded else source.text), str(subcircuit)
    if of_kit and name != "access_transistor":
        # Each size of a kit's transistor has its own text, with the same names in it.
        text, subcircuit = (part.replace("kit_", f"{name}_kit_") for part in (text, subcircuit))
    parameters = [
        f"{parameter.name}={{{_IN_CELL.get(ours, ours)}{_times(parameter.factor)}}}"
        for ours, parameter in named.items()
    ]
    parameters += [f"{extra}={value!r}" for extra, value in transistor.extra.items()]
    shifts_itself = "dvth" in named
    nodes = ["gate" if pin == "g" and not shifts_itself else pin for pin in transistor.pins]
    return "\n".join(
        [
            text,
            f".subckt {name} d g s b w=300n l=30n dvth=0 beta=1",
            *([] if shifts_itself else ["Vshift g gate {dvth}"]),
            " ".join(["Xu", *nodes, subcircuit, *parameters]),
            f".ends {name}",
        ]
    )


def _times(factor: float) -> str:
    return "" if factor == 1.0 else f"*{factor!r}"
