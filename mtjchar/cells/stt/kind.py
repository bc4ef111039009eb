"""The STT cell as a kind of cell."""

from __future__ import annotations

from mtjchar.cells.base import CellKind

__all__ = ["SttCell"]


class SttCell(CellKind):
    """A junction that is written by a spin-polarized current through it, with an access transistor."""

    name = "stt"
    directions = ("p_to_ap", "ap_to_p")
    titles = {"p_to_ap": "P → AP", "ap_to_p": "AP → P"}  # noqa: RUF012, of the class
