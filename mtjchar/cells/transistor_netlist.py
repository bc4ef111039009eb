"""The access transistor in a deck."""

from __future__ import annotations

from mtjchar.cells.transistor import Transistor
from mtjchar.spice import transistor_file
from mtjchar.spice.libraries import library

__all__ = ["transistor_text"]


def transistor_text(transistor: Transistor, name: str = "access_transistor", *, loaded: bool = False) -> str:
    """Write the subcircuit `name` with the pins d, g, s, b and w, l, dvth and beta.

    Without the text of its file where that is `loaded`, since the deck has it for another transistor.
    """
    if transistor.model == "generic":
        return library("nmos_generic.lib").replace("access_transistor", name)
    if transistor.model == "ideal":
        # The subcircuit's default is the one place where the resistance can be set for the whole deck.
        text = library("nmos_ideal.lib").replace("access_transistor", name)
        return text.replace("ron=1k", f"ron={transistor.on_resistance!r}")
    parameters = [
        f"{parameter.name}={{{_IN_CELL.get(ours, ours)}{_times(parameter.factor)}}}"
        for ours, parameter in transistor.parameters.items()
    ]
    parameters += [f"{name}={value!r}" for name, value in transistor.extra.items()]
    shifts_itself = "dvth" in transistor.parameters
    nodes = ["gate" if pin == "g" and not shifts_itself else pin for pin in transistor.pins]
    return "\n".join(
        [
            *([] if loaded else [transistor_file.clean(transistor.model, transistor.section).text]),
            f".subckt {name} d g s b w=300n l=30n dvth=0 beta=1",
            *([] if shifts_itself else ["Vshift g gate {dvth}"]),
            " ".join(["Xu", *nodes, str(transistor.subcircuit), *parameters]),
            f".ends {name}",
        ]
    )


_IN_CELL = {"m": "beta"}  # what the cell calls parameters of a transistor, where it is something else


def _times(factor: float) -> str:
    return "" if factor == 1.0 else f"*{factor!r}"
