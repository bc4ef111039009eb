"""Decks of columns of cells that are read, built from ``read_column.lib``.

A column has one input of the sense amplifier. One or more cells hang on its lines, side by side or in series;
a reference may have several pairs of lines that begin at the same input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from mtjchar.cells.sensing import Read
from mtjchar.cells.stt.netlist import transistors
from mtjchar.cells.stt.tables import SttTables
from mtjchar.spice.libraries import circuit_with, library

__all__ = ["Branch", "Column", "Seat", "read_deck", "single_cells"]

# Charges of lines are below ngspice's usual chgtol. Compared with steps of 3 ps, levels are then within 0.2 %
# of the read voltage at the shortest sensing time, and energies within 0.1 %.
_TOLERANCES = "reltol=1e-4 trtol=3 chgtol=1e-17"

_OF_CELL = (
    "w", "l", "dvth", "beta", "rp", "tmr", "vhalf", "alpha", "bk", "torque", "lambda", "fieldlike", "vcma",
    "pervolt", "delta", "bz", "bx", "by", "shape", "theta_p", "rp2", "tmr2", "vhalf2", "torque2", "side2",
)  # fmt: skip


class Seat(NamedTuple):
    """A cell in a column.

    Attributes
    ----------
    row : int
        Its row in the table of parameters.
    state : int
        Number k of the source ``vmzk`` that sets the cosine between its layers.
    """

    row: int
    state: int


Branch = tuple[Seat, ...]
"""Cells in series between the ends of a bit line and a source line."""


class Column(NamedTuple):
    """A column with one input of the sense amplifier.

    Attributes
    ----------
    pairs : tuple
        For each pair of lines the branches between their ends. All sensed lines begin at the same input.
    """

    pairs: tuple[tuple[Branch, ...], ...]


def single_cells(count: int) -> list[Column]:
    """Columns with one cell each, in the order of the table of parameters; ``vmz0`` sets the state."""
    return [Column((((Seat(row, 0),),),)) for row in range(count)]


def read_deck(
    tables: SttTables, read: Read, cells: pd.DataFrame, columns: Sequence[Column], options: str = ""
) -> str:
    """Write a deck with columns of held cells, all read at the same time.

    Parameters
    ----------
    tables : SttTables
    read : Read
    cells : DataFrame
        As `mtjchar.cells.stt.netlist.cell_parameters` returns them.
    columns : sequence of Column
    options : str, optional
        Further options of ngspice; a ``method`` replaces ``trap``.

    Returns
    -------
    str
        SPICE text. The sources ``va``, ``vo``, ``vw`` and ``ven`` drive the sensed lines, the other lines,
        the word lines (nodes ``a``, ``o`` and ``w``) and the switches of all columns; with a transistor in
        series with a line, ``vc`` its gate. ``vmz0``, ``vmz1``, ... set the states. Column k has its own
        drivers ``eak``, ``eok``, ``ewk`` and ``eck``, whose branch currents are saved, and the input ``sk``
        of the amplifier. Of its first pair of lines, ``bk`` and ``lk`` are the ends (bit line, source line),
        and ``dk`` is between junction and transistor of the first cell. An input has the capacitance of one
        amplifier for each pair of lines.
    """
    double = "" if tables.stack.second_barrier is None else "_double"
    circuit = circuit_with(
        "mtjchar read",
        [library(f"mtj_held{double}.lib"), *transistors(tables.cell), library("read_column.lib")],
    )
    select = tables.cell.select
    drivers = "aow" if select is None else "aowc"
    for node in drivers:
        circuit.V(node, node, circuit.gnd, "dc 0 pwl(0 0 1 0)")
    circuit.V("en", "en", circuit.gnd, "dc 1 pwl(0 1 1 1)")
    states = 1 + max(seat.state for column in columns for pair in column.pairs for b in pair for seat in b)
    for state in range(states):
        circuit.V(f"mz{state}", f"mz{state}", circuit.gnd, 0)
    saved = ["v(a)", "v(o)", "v(w)"]
    parameters = cells[[name for name in _OF_CELL if name in cells]].to_dict("records")
    for k, column in enumerate(columns):
        for driver in drivers:
            circuit.VCVS(f"{driver}{k}", f"{driver}{k}", circuit.gnd, driver, circuit.gnd, voltage_gain=1)
            saved.append(f"i(e{driver}{k})")
        gate = f"w{k}"
        if tables.cell.wordline is not None:
            gate = f"g{k}"
            resistance, capacitance = tables.cell.wordline.share
            circuit.R(f"w{k}", f"w{k}", gate, resistance)
            circuit.C(f"w{k}", gate, circuit.gnd, capacitance)
        input_capacitance = read.amplifier.input_capacitance * len(column.pairs)
        circuit.X(f"port{k}", "read_port", f"a{k}", "en", f"s{k}", cin=repr(input_capacitance))
        starts = {"bitline": f"s{k}", "sourceline": f"o{k}"}
        if read.sensed_line == "sourceline":
            starts = {"bitline": f"o{k}", "sourceline": f"s{k}"}
        for place, branches in enumerate(column.pairs):
            own = f"{k}" if place == 0 else f"{k}_{place}"
            _lines(circuit, tables, read, starts, k, own)
            for number, branch in enumerate(branches):
                name = own if number == 0 else f"{own}_b{number}"
                _branch(circuit, tables, parameters, branch, (f"b{own}", f"l{own}", gate), name)
        saved += [f"v(s{k})", f"v(b{k})", f"v(d{k})", f"v(l{k})"]
    celsius = tables.cell.temperature - 273.15
    method = "" if "method=" in options else " method=trap"
    settings = [f".options temp={celsius!r}{method} {_TOLERANCES} {options}".rstrip()]
    if tables.cell.transistor.options:
        settings.append(f".options {tables.cell.transistor.options}")
    return "\n".join([str(circuit), *settings, *(f".save {name}" for name in saved), ".end"])


def _lines(
    circuit: Any, tables: SttTables, read: Read, starts: dict[str, str], column: int, own: str
) -> None:
    """Add a pair of lines, from their starts to the nodes ``b`` and ``l``."""
    select = tables.cell.select
    for line, end in (("bitline", f"b{own}"), ("sourceline", f"l{own}")):
        start, wire = starts[line], getattr(tables.cell, line)
        if select is not None and select.position == line:
            circuit.X(
                f"c{own}", "second_transistor", start, f"c{column}", f"n{own}", circuit.gnd,
                w=repr(select.width), l=repr(select.length),
            )  # fmt: skip
            start = f"n{own}"
        capacitance = wire.capacitance
        if line == read.sensed_line and read.line_capacitance is not None:
            capacitance = read.line_capacitance
        circuit.X(f"{line}{own}", "read_line", start, end, r=repr(wire.resistance), c=repr(capacitance))


def _branch(
    circuit: Any,
    tables: SttTables,
    parameters: Sequence[Mapping[Any, float]],
    branch: Branch,
    nodes: tuple[str, str, str],
    name: str,
) -> None:
    """Add cells in series between the ends of a bit line and a source line."""
    bitline, sourceline, gate = nodes
    start = bitline
    for place, seat in enumerate(branch):
        own = name if place == 0 else f"{name}_{place}"
        end = sourceline if place == len(branch) - 1 else f"m{own}"
        circuit.X(
            own, f"read_cell_free_layer_to_{tables.cell.free_layer_to}", start, end, gate, f"mz{seat.state}",
            f"d{own}", **{key: repr(float(value)) for key, value in parameters[seat.row].items()},
        )  # fmt: skip
        start = end
