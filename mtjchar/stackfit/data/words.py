"""Words of tables for directions and states."""

from __future__ import annotations

__all__ = ["DIRECTIONS", "OPPOSITE", "STATES"]

DIRECTIONS = {
    **dict.fromkeys(("ptoap", "pap", "p2ap"), "p_to_ap"),
    **dict.fromkeys(("aptop", "app", "ap2p"), "ap_to_p"),
}
"""Directions, by what is left of a word without case and marks."""

STATES = {"p": "p", "ap": "ap", "parallel": "p", "antiparallel": "ap"}
"""States, likewise."""

OPPOSITE = {"p": "ap", "ap": "p"}
"""The state that a write leads to, by the one it starts in."""
