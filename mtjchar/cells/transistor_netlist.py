"""The access transistor in a deck."""

from __future__ import annotations

from mtjchar.cells.transistor import Transistor
from mtjchar.spice import transistor_file
from mtjchar.spice.libraries import library

__all__ = ["transistor_text"]


def transistor_text(transistor: Transistor) -> str:
    """Write the subcircuit ``access_transistor`` with the pins d, g, s, b and w, l, dvth and beta."""
    if transistor.model == "generic":
        return library("nmos_generic.lib")
    if transistor.model == "ideal":
        # The subcircuit's default is the one place where the resistance can be set for the whole deck.
        return library("nmos_ideal.lib").replace("ron=1k", f"ron={transistor.on_resistance!r}")
    return "\n".join(
        [
            transistor_file.clean(transistor.model).text,
            ".subckt access_transistor d g s b w=300n l=30n dvth=0 beta=1",
            f"Xu d g s b {transistor.subcircuit} w={{w}} l={{l}} dvth={{dvth}}",
            ".ends access_transistor",
        ]
    )
