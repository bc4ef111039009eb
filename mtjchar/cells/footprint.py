"""What a cell takes of the wafer: widths of transistors, and an estimate of its area."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Footprint", "strip_area"]


class Footprint(NamedTuple):
    """Size of a cell.

    Attributes
    ----------
    transistor_width_m : float
        Sum of the widths of its transistors.
    area_F2 : float
        Estimated area over F^2, with the length of the transistors for F; see `strip_area`.
    """

    transistor_width_m: float
    area_F2: float


def strip_area(width: float, feature: float, gates: int = 1) -> float:
    """Area of a strip of diffusion with transistors side by side, over F^2.

    Parameters
    ----------
    width : float
        Largest width of its transistors, m.
    feature : float
        F, m.
    gates : int
        Number of transistors in the strip; neighbours share a diffusion with its contact.

    Notes
    -----
    The rule of NVSim for one transistor, 3 (W/F + 1): a gate and two contacts, 1 F each, and 1 F between
    strips (X. Dong et al., IEEE Trans. CAD 31, 994 (2012), doi:10.1109/TCAD.2012.2185930). A further
    transistor adds a gate and a contact. Real layouts follow design rules that this does not know.

    Examples
    --------
    >>> strip_area(240e-9, 40e-9), strip_area(120e-9, 40e-9, gates=3)
    (21.0, 28.0)
    """
    return (1.0 + 2.0 * gates) * (width / feature + 1.0)
