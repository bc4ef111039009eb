"""Cells with drivers and pulses of their own, for the tests of both."""

from common import DEMO

from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.study import Line, Transistor
from mtjchar.sweep.population import Population

DIRECTIONS = ("p_to_ap", "ap_to_p")
WRITTEN = {"p_to_ap": -1.0, "ap_to_p": 1.0}
LOWS = {"bitline_low": -0.2, "sourceline_low": -0.3}
TRAPEZOID = [[0.0, 0.0], [1e-10, 1.0], [3e-9, 1.0], [3.1e-9, 0.0]]
SHAPES = {
    "boost": [[0, 0], [1e-10, 1.4], [1.5e-9, 1.4], [1.6e-9, 1], [5e-9, 1], [5.1e-9, 0]],
    "step before": [[0, 0], [1e-10, 0.6], [3e-9, 0.6], [3.1e-9, 1], [5e-9, 1], [5.1e-9, 0]],
    "step after": [[0, 0], [1e-10, 1], [3e-9, 1], [3.1e-9, 0.6], [5e-9, 0.6], [5.1e-9, 0]],
    "slopes": [[0, 0], [1e-10, 0.5], [3e-9, 1], [4e-9, 1], [5.1e-9, 0]],
    "long fall": [[0, 0], [1e-10, 1], [3e-9, 1], [3.1e-9, 0.9], [7e-9, 0]],
    "overshoot": [[0, 0], [1e-10, 1.6], [3e-10, 1], [4e-9, 1], [4.1e-9, 0.3], [4.2e-9, 0]],
}


def ideal(
    *, line=200.0, capacitance=20e-15, shape=None, law="voltage", start=0.7, durations=(4e-9, 7e-9), **cell
):
    """Change the demo: an ideal transistor, two amplitudes, two durations."""
    wire = Line(resistance=line, capacitance=capacitance)
    transistor = Transistor(model="ideal", on_resistance=1000.0)
    return DEMO.with_(
        cell={"transistor": transistor, "bitline": wire, "sourceline": wire, **cell},
        pulse={"shape": shape},
        stack={"torque": law},
        sweep={
            "amplitude": {"start": start, "stop": start + 0.5, "points": 2},
            "duration": {"start": durations[0], "stop": durations[1], "points": 2},
        },
    )


def cell_of(study, **columns):
    return cell_parameters(study, Population(study).nominal()).assign(**columns)
