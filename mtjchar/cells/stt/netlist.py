"""Decks for ngspice, built from the netlists that come with mtjchar.

A deck contains only numbers, the names in this file, checked settings and a checked path: no text of a study
can add a line of SPICE. `mtjchar.spice.transistor_file` checks the file at that path.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.base import Direction
from mtjchar.cells.stt.barriers import barriers
from mtjchar.cells.stt.film_laws import FilmLaws, volume
from mtjchar.cells.stt.tables import Cell, SttTables
from mtjchar.cells.transistor_netlist import transistor_text
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, reversal, torque
from mtjchar.spice.libraries import circuit_with, library

__all__ = [
    "AXIAL_STEP",
    "AXIAL_TOLERANCES",
    "VECTOR_CELLS",
    "batch_deck",
    "cell_parameters",
    "high_line",
    "low_level",
    "refuse_heated_tables",
    "transistors",
    "vector_step",
]

VECTOR_CELLS = 60
"""Most cells of the vector model in one deck; more slow each other down by their common steps."""

AXIAL_STEP = 0.5e-9
"""Largest time step of the axial model, s; ngspice takes shorter ones where the magnetization moves."""

AXIAL_TOLERANCES = {"reltol": 1e-4, "trtol": 0.35, "chgtol": 1e-13}
"""Options for ngspice's choice of steps in the axial model, see the header of mtj_axial.lib."""

_THERMAL = (
    "rth", "tauth", "temperature", "curie", "mexp", "kexp", "pexp", "rexp", "polarization", "bi", "wall",
    "nucleus",
)  # fmt: skip


def high_line(tables: SttTables, direction: Direction) -> str:
    """Return the line, bitline or sourceline, that is driven to the higher level.

    A current from the free to the reference layer favours P.
    """
    if direction == "ap_to_p":
        return tables.cell.free_layer_to
    return "sourceline" if tables.cell.free_layer_to == "bitline" else "bitline"


def low_level(tables: SttTables, direction: Direction) -> float:
    """Level in a write of the line that is not `high_line`, V."""
    cell = tables.cell
    return cell.sourceline_low if high_line(tables, direction) == "bitline" else cell.bitline_low


def cell_parameters(tables: SttTables, devices: pd.DataFrame) -> pd.DataFrame:
    """Parameters of the cell's subcircuit, one row per device, from a table of sampled devices.

    They are those of both models of the junction, ``mtj_axial.lib`` and ``mtj_vector.lib``; each ignores
    the parameters of the other. Those of a second barrier are there if the stack has one, and those of the
    heated models (``mtj_axial_heated.lib``, ``mtj_vector_heated.lib``) if it has a thermal resistance.
    """
    column = {name: devices[name].to_numpy(dtype=np.float64) for name in devices.columns}
    thickness, magnetization = column["free_layer_thickness_m"], column["saturation_magnetization_A_per_m"]
    free_volume = volume(column["diameter_m"], thickness)
    efficiency = torque.symmetric_efficiency(column["spin_polarization"], tables.stack.torque)
    shape = anisotropy.in_plane_field(magnetization, column["demagnetizing_x"], column["demagnetizing_y"])
    cell, stack, field = tables.cell, tables.stack, tables.cell.external_field
    # Ki falls by xi V/t_barrier, hence mu0 Hk = 2 Ki/(t Ms) + ... by 2 xi V/(t_barrier t Ms).
    barrier = stack.barrier_thickness
    vcma = -2.0 * stack.vcma_coefficient / (barrier * thickness * magnetization)
    per_current = torque.damping_like_field(np.ones(1), 0.5 * efficiency, magnetization, free_volume)
    both = barriers(tables, devices)
    parallel, second = column["parallel_resistance_ohm"], dict[str, FloatArray]()
    if both is not None:
        parallel = both.first.parallel
        second = {
            "rp2": both.second.parallel,
            "tmr2": both.second.tmr,
            "vhalf2": both.second.half_bias,
            "torque2": both.ratio * per_current,
            "side2": both.side,
        }
    parameters = pd.DataFrame(
        {
            "rbl": cell.bitline.resistance,
            "cbl": cell.bitline.capacitance,
            "rsl": cell.sourceline.resistance,
            "csl": cell.sourceline.capacitance,
            "w": cell.transistor.width,
            "l": cell.transistor.length,
            "dvth": devices["threshold_voltage_V"],
            "beta": devices["current_factor"],
            "rp": parallel,
            "tmr": devices["tmr"],
            "vhalf": devices.get("tmr_half_bias_V", stack.tmr_half_bias),
            "alpha": devices["damping"],
            "bk": devices["anisotropy_field_T"],
            "torque": per_current,
            "lambda": devices.get("slonczewski_lambda", stack.slonczewski_lambda),
            "fieldlike": stack.field_like_torque,
            "vcma": vcma,
            "pervolt": float(stack.torque == "voltage"),
            "delta": devices["thermal_stability"],
            "bz": field.z,
            "bx": field.x,
            "by": field.y,
            "shape": shape,
            "theta_p": stack.reference_tilt,
            **second,
        },
        index=devices.index,
    )
    return parameters.assign(**_thermal_parameters(tables, devices)).astype(float)


def _thermal_parameters(tables: SttTables, devices: pd.DataFrame) -> dict[str, pd.Series[float] | float]:
    """Further parameters of a cell whose junction its own current heats; none without thermal resistance."""
    stack = tables.stack
    if not stack.heats:
        return {}
    diameter, magnetization = devices["diameter_m"], devices["saturation_magnetization_A_per_m"]
    at_300k, own_nucleus = stack.wall_and_nucleus
    own_stiffness = FilmLaws(stack, tables.cell.temperature).exchange_stiffness(at_300k)
    stiffness = devices.get("exchange_stiffness_J_per_m", own_stiffness)
    nucleus = devices.get("nucleation_diameter_m", own_nucleus)
    # The wall's share of the layer, as in `mtjchar.physics.reversal.coherent_share`; 1e9 is no wall.
    energy = 0.5 * devices["anisotropy_field_T"] * magnetization
    wall = reversal.critical_diameter(energy, stiffness) / np.sqrt(tables.junction.aspect_ratio)
    values = (
        stack.thermal_resistance_area / (0.25 * np.pi * diameter**2),
        stack.thermal_time,
        tables.cell.temperature,
        stack.curie_temperature,
        stack.magnetization_exponent,
        stack.anisotropy_exponent,
        stack.polarization_exponent,
        stack.resistance_exponent,
        devices["spin_polarization"],
        2.0
        * devices["interfacial_anisotropy_J_per_m2"]
        / (devices["free_layer_thickness_m"] * magnetization),
        np.minimum(wall / diameter, 1e9),
        np.minimum((nucleus / diameter) ** 2, 1.0),
    )
    return dict(zip(_THERMAL, values, strict=True))


def vector_step(cells: pd.DataFrame, amplitude: float) -> float:
    """Largest time step, s, at which the trapezoidal rule resolves the precession in the vector model.

    Parameters
    ----------
    cells : DataFrame
        As `cell_parameters` returns them.
    amplitude : float
        V, across the cell.
    """
    field = np.linalg.norm(cells[["bx", "by", "bz"]].to_numpy(), axis=1)
    torque_field = cells["torque"] * cells["lambda"] ** 2 * abs(amplitude) / cells["rp"]
    per_volt = np.where(cells["pervolt"] == 1.0, abs(amplitude), 1.0)
    total = (
        cells["bk"].abs()
        + cells["shape"]
        + field
        + cells["vcma"].abs() * abs(amplitude)
        + torque_field * np.hypot(1.0, cells["fieldlike"] * per_volt)
    )
    # From the header of mtj_llgs.lib: 0.5 ps up to 0.3 T, in inverse proportion to larger fields.
    return float(min(0.5e-12, 0.5e-12 * 0.3 / total.max()))


def transistors(cell: Cell) -> list[str]:
    """Subcircuits ``access_transistor`` and, in series with a line, ``second_transistor``.

    A file is loaded once: the second transistor of a study uses the same file.
    """
    access, second = cell.transistor, cell.second_transistor
    if second is None:
        return [transistor_text(access)]
    other = transistor_text(second, "second_transistor", loaded=second.file is not None)
    if cell.select is not None:
        return [transistor_text(access), other]
    return [transistor_text(access, "first_transistor"), other, _PARALLEL.format(second=second)]


_PARALLEL = """.subckt access_transistor d g s b w=300n l=30n dvth=0 beta=1
X1 d g s b first_transistor w={{w}} l={{l}} dvth={{dvth}} beta={{beta}}
X2 d g s b second_transistor w={second.width!r} l={second.length!r}
.ends access_transistor"""


def _models(tables: SttTables, *, held: bool, heated: bool) -> tuple[list[str], str]:
    """Files of the junction's model, and the file of the cell that passes its parameters on."""
    second, vector = tables.stack.second_barrier, not held and not tables.axially_symmetric
    if vector and second is not None:
        raise InputError(
            "stack.second_barrier",
            value=f"a reference layer {second.reference} to the first one",
            allowed=f"none in waveforms without axial symmetry ({tables.asymmetries[0]})",
            remedy="Error rates have no such limit: they use load lines of the cell, and ensembles.",
        )
    if heated:
        refuse_heated_tables(tables)
        models = ["mtj_llgs.lib", "mtj_llgs_heated.lib", "mtj_vector_heated.lib"]
        return ["mtj_film.lib", *(models if vector else ["mtj_axial_heated.lib"])], "cell_1t1mtj_heated.lib"
    if vector:
        return ["mtj_llgs.lib", "mtj_vector.lib"], "cell_1t1mtj.lib"
    double = "" if second is None else "_double"
    return [f"mtj_held{double}.lib" if held else f"mtj_axial{double}.lib"], "cell_1t1mtj.lib"


def refuse_heated_tables(tables: SttTables) -> None:
    """Refuse a heated junction whose film has measured tables: the netlists have the exponents.

    Raises
    ------
    InputError
        If the stack has a thermal resistance and a table over temperature.
    """
    for key, table in tables.stack.over_temperature.items() if tables.stack.heats else ():
        raise InputError(
            f"stack.{key}",
            value=f"a table from {table.range[0]:g} K",
            allowed="none in a netlist of a junction that its current heats, which has the stack's exponents",
            remedy="Describe the film by magnetization_exponent and anisotropy_exponent, or leave out "
            "thermal_resistance_area. Error rates have no such limit.",
        )


def batch_deck(tables: SttTables, cells: pd.DataFrame, *, held: bool, options: str = "") -> str:
    """Write a deck with one cell for each row of `cells`, all on the same pulse.

    Parameters
    ----------
    tables : SttTables
    cells : DataFrame
        As `cell_parameters` returns them; further columns set where free magnetizations start: ``u0``,
        artanh(m_z), and for the vector model ``phi0``, azimuth in rad (0 if left out).
    held : bool
        Whether the source ``vmz`` sets the cosine between the layers (load lines, edges), or the
        magnetization is free to move: by the axial model with axial symmetry, otherwise by the vector
        model.
    options : str, optional
        Further options of ngspice, such as ``gmin=1e-10``; a ``method`` replaces ``trap``.

    Raises
    ------
    InputError
        For free magnetizations without axial symmetry and with a second barrier.

    Returns
    -------
    str
        SPICE text. Nodes ``abl``, ``asl`` and ``w`` carry the outputs of all bit-line, source-line and
        word-line drivers, from the sources ``vabl``, ``vasl`` and ``vw``. With a transistor in series
        with a line, ``c`` and ``vc`` are those of its gate, and the line begins at ``nk``. Drivers that
        are subcircuits have the supply ``p`` from ``vp``, those of cell k by ``epk``, and the outputs
        ``obk`` and ``osk``. Cell k is ``xk``. Its drivers are ``ebk``, ``esk``, ``ewk`` and ``eck``,
        whose branch currents are their output currents. If m is free to move, m_z is node ``mk``; in the
        vector model m_x and m_y are ``xk.xj.mx`` and ``xk.xj.my``. A deck of the vector model should not
        have more than `VECTOR_CELLS` cells. With a thermal resistance, node ``xk.xj.kelvin`` of a free
        junction carries its temperature. A held one has the temperature of its parameters.
    """
    vector = not held and not tables.axially_symmetric
    if held:
        cells = cells.drop(columns=list(_THERMAL), errors="ignore")
    heated = "rth" in cells
    junction, cell = _models(tables, held=held, heated=heated)
    circuit = circuit_with(
        "mtjchar batch",
        [*(library(name) for name in junction), *transistors(tables.cell), library(cell)],
    )
    select = tables.cell.select
    driver = tables.cell.driver
    nodes = {"b": "abl", "s": "asl", "w": "w"} | ({} if select is None else {"c": "c"})
    for node in nodes.values():
        circuit.V(node, node, circuit.gnd, "dc 0 pulse(0 0 0 1p 1p 1p)")
    if driver is not None:
        circuit.V("p", "p", circuit.gnd, 0)
    if held:
        circuit.V("mz", "mz", circuit.gnd, 0)
    kind = f"cell_free_layer_to_{tables.cell.free_layer_to}"
    saved, gates = [f"v({node})" for node in nodes.values()], list[str]()
    if driver is not None:
        saved.append("v(p)")
    for k, parameters in enumerate(cells.to_dict("records")):
        for line, node in nodes.items():
            circuit.VCVS(f"{line}{k}", f"{line}{k}", circuit.gnd, node, circuit.gnd, voltage_gain=1)
            saved.append(f"i(e{line}{k})")
        gate = f"w{k}"
        if tables.cell.wordline is not None:
            gate = f"g{k}"
            resistance, capacitance = tables.cell.wordline.share
            circuit.R(f"w{k}", f"w{k}", gate, resistance)
            circuit.C(f"w{k}", gate, circuit.gnd, capacitance)
        gates += dict.fromkeys((f"w{k}", gate))
        pins = {"bitline": f"b{k}", "sourceline": f"s{k}"}
        if driver is not None:
            circuit.VCVS(f"p{k}", f"p{k}", circuit.gnd, "p", circuit.gnd, voltage_gain=1)
            for line in ("b", "s"):
                ends = {"in": f"{line}{k}", "out": f"o{line}{k}", "vdd": f"p{k}", "vss": circuit.gnd}
                circuit.X(f"{line}{k}", driver.subcircuit, *(ends[pin] for pin in driver.pins))
            pins = {"bitline": f"ob{k}", "sourceline": f"os{k}"}
            saved += [f"i(ep{k})", f"v(ob{k})", f"v(os{k})"]
        if select is not None:
            circuit.X(
                f"c{k}", "second_transistor", pins[select.position], f"c{k}", f"n{k}", circuit.gnd,
                w=repr(select.width), l=repr(select.length),
            )  # fmt: skip
            pins[select.position] = f"n{k}"
            saved.append(f"v(n{k})")
        magnetization = "mz" if held else f"m{k}"
        circuit.X(
            str(k), kind, *pins.values(), gate, magnetization, f"t{k}", f"d{k}",
            **{str(name): repr(float(value)) for name, value in parameters.items()},
        )  # fmt: skip
        saved += [f"v(t{k})", f"v(d{k})"] if held else [f"v(m{k})"]
        saved += [f"v(x{k}.xj.m{axis})" for axis in "xy" if vector]
        saved += [f"v(x{k}.xj.kelvin)"] if heated else []
    celsius = tables.cell.temperature - 273.15
    free_and_axial = " ".join(f"{name}={value!r}" for name, value in AXIAL_TOLERANCES.items())
    tolerances = "reltol=1e-5" if held or vector else free_and_axial
    method = "" if "method=" in options else " method=trap"
    settings = [f".options temp={celsius!r}{method} {tolerances} {options}".rstrip()]
    if tables.cell.transistor.options:
        settings.append(f".options {tables.cell.transistor.options}")
    low = tables.cell.wordline_low
    if low and not held:
        # Without an operating point gates would begin at 0 V, and their drivers would deliver energy for the
        # way down.
        settings.append(".ic " + " ".join(f"v({node})={low!r}" for node in ("w", *gates)))
    settings += [f".save {name}" for name in saved]
    return "\n".join([str(circuit), *settings, ".end"])
