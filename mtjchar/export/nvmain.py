"""Write timing and energy for NVMain.

Keys, units and their use: ``src/Params.cpp``, ``src/Config.cpp`` and ``src/SubArray.cpp`` of
github.com/SEAL-UCSB/NVmain.
"""

from __future__ import annotations

import math
from pathlib import Path

from mtjchar.export.files import Files, text
from mtjchar.export.operating_point import Settings, pulse
from mtjchar.export.provenance import comment
from mtjchar.surfaces import WriteSurface
from mtjchar.units import compact

__all__ = ["CLOCK", "nvmain"]

CLOCK = 400e6
"""Hz, assumed: as in NVMain's STT-RAM example."""

_BUS_WIDTH, _BURST, _RATE = 64, 4, 2
_ROUNDING = 1e-9  # of a cycle: 5 ns at 400 MHz are two cycles, not three


def nvmain(surface: WriteSurface, out: Path, settings: Settings) -> Files:
    """Write configuration lines for NVMain, with one pulse for both directions, as NVMain has only one."""
    point = pulse(surface, "both", settings)
    # NVMain reads the clock as a whole number of MHz, and the cycles must refer to this clock.
    megahertz = max(round(1e-6 * (settings.clock or CLOCK)), 1)
    cycles = math.ceil(1e6 * megahertz * point.duration_s - _ROUNDING)
    bits = _BUS_WIDTH * _BURST * _RATE
    title = [
        "STT-MRAM writes for NVMain, by mtjchar; put these lines into a configuration of NVMain",
        "one pulse for both directions: "
        f"{compact(point.amplitude_V, 'V')}, {compact(point.duration_s, 's')}, "
        f"write error rate of the worse direction {point.rate.in_words()}",
        "tWP: cycles of CLK (MHz), rounded up. Ewrpb: nJ a bit, mean of the switching and the redundant",
        f"writes of both directions. Ewr: nJ, the {bits} bits of a burst (BusWidth x tBURST x RATE).",
        "Eset and Ereset would be added to Ewr, hence 0. Energies are those at the cell's lines, drivers",
        "without loss.",
    ]
    values = {
        "CLK": megahertz,
        "RATE": _RATE,
        "BusWidth": _BUS_WIDTH,
        "tBURST": _BURST,
        "tWP": cycles,
        "EnergyModel": "energy",
        "Ewr": f"{1e9 * bits * point.energy_J:.6g}",
        "Ewrpb": f"{1e9 * point.energy_J:.6g}",
        "Eset": 0,
        "Ereset": 0,
    }
    lines = [*comment(surface, title, ";"), *(f"{key} {value}" for key, value in values.items())]
    return {out: text(lines)}
