"""The junction as a model for other circuit simulators: a netlist of mtjchar with the values of a study."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import pandas as pd

from mtjchar.cells.stt.netlist import cell_parameters, refuse_heated_tables
from mtjchar.cells.stt.tables import SttTables
from mtjchar.errors import InputError
from mtjchar.spice.libraries import library

__all__ = ["REFUSED", "pspice", "thermal_angle", "verilog_a"]

REFUSED = {
    "back_hopping_current_density": "none: the reference layer of the exported junction is fixed",
    "back_hopping_stability": "none, as back_hopping_current_density",
}
"""Keys of a stack that no exported junction has, and what is allowed instead."""

_DECLARED = r"(?m)^(.*parameter real {name} = )[^ ;]+"


def verilog_a(tables: SttTables, device: pd.DataFrame, name: str) -> str:
    """Write the Verilog-A module of ``mtj_llgs.va``.

    Parameters
    ----------
    tables : SttTables
    device : DataFrame
        One row, as `mtjchar.cells.stt.device.derive` returns it.
    name : str
        Of the module.

    Notes
    -----
    The film's parameters are those at 300 K, because the module has the temperature laws of `Stack`.

    Raises
    ------
    InputError
        If the stack has one of the keys `REFUSED`.
    """
    _check(tables)
    stack, field, derived = tables.stack, tables.cell.external_field, device.iloc[0]
    _refuse_second_barrier(tables)
    for key in stack.over_temperature:
        raise InputError(
            f"stack.{key}",
            value=f"a table from {stack.over_temperature[key].range[0]:g} K",
            allowed="none in the Verilog-A module, which has the exponents of the stack",
            remedy="The format spice-model has the values at the temperature of the study. Or describe the "
            "film by magnetization_exponent and anisotropy_exponent.",
        )
    of_stack = (
        "free_layer_thickness", "saturation_magnetization", "interfacial_anisotropy", "damping",
        "spin_polarization", "slonczewski_lambda", "field_like_torque", "resistance_area_product", "tmr",
        "tmr_half_bias", "barrier_thickness", "vcma_coefficient", "reference_tilt", "exchange_stiffness",
        "nucleation_diameter", "curie_temperature", "magnetization_exponent", "anisotropy_exponent",
        "polarization_exponent", "resistance_exponent",
        *(("thermal_resistance_area", "thermal_time") if stack.heats else ()),
    )  # fmt: skip
    # Without an exchange stiffness or a nucleation diameter the module has 0.
    values: dict[str, float] = {key: float(getattr(stack, key) or 0.0) for key in of_stack}
    values |= {key: float(getattr(tables.junction, key)) for key in ("diameter", "aspect_ratio")}
    values |= {f"demagnetizing_{axis}": float(derived[f"demagnetizing_{axis}"]) for axis in "xyz"}
    values |= {f"field_{axis}": float(getattr(field, axis)) for axis in "xyz"}
    values["pervolt"] = float(stack.torque == "voltage")
    values["theta0"] = thermal_angle(derived)
    text = library("mtj_llgs.va")
    for parameter, value in values.items():
        text, replaced = re.subn(_DECLARED.format(name=parameter), rf"\g<1>{value + 0!r}", text)
        assert replaced == 1, parameter
    text = re.sub(r"(?m)^(.*parameter .*;) *//", lambda found: f"{found[1]:<75} //", text)
    return text.replace("module mtj(", f"module {name}(")


def pspice(tables: SttTables, device: pd.DataFrame, name: str) -> str:
    """Write subcircuits in the syntax that PSpice, LTspice and Xyce have in common.

    Parameters
    ----------
    tables, device
        As in `verilog_a`.
    name : str
        Beginning of the names of the subcircuits: ``NAME_vector`` and, with axial symmetry,
        ``NAME_axial``.

    Notes
    -----
    If the stack has a thermal resistance, these are the models that their own current heats.

    Raises
    ------
    InputError
        As `verilog_a`.
    """
    _refuse_second_barrier(tables)
    _check(tables)
    refuse_heated_tables(tables)
    values = {str(key): float(value) for key, value in cell_parameters(tables, device).iloc[0].items()}
    values["u0"] = math.atanh(math.cos(thermal_angle(device.iloc[0])))
    models = ["vector", *(["axial"] if tables.axially_symmetric else [])]
    heated = "_heated" if tables.stack.heats else ""
    return "\n".join(
        re.sub(
            rf"(?m)^(\.SUBCKT|\.ENDS) mtj_{model}{heated}\b",
            rf"\1 {name}_{model}",
            _with_defaults(library(f"mtj_{model}{heated}_pspice.lib"), values),
        )
        for model in models
    )


def _refuse_second_barrier(tables: SttTables) -> None:
    second = tables.stack.second_barrier
    if second is not None:
        raise InputError(
            "stack.second_barrier",
            value=f"a reference layer {second.reference} to the first one",
            allowed="none in the models for other simulators, which have one barrier",
            remedy="Tables of error rates and energies (csv, verilog-a) have no such limit.",
        )


def _check(tables: SttTables) -> None:
    for key, allowed in REFUSED.items():
        if (value := getattr(tables.stack, key)) is not None:
            raise InputError(
                f"stack.{key}", value=value, allowed=allowed,
                remedy="Export the junction of a run without it; its error rates are then those without it.",
            )  # fmt: skip


def thermal_angle(derived: pd.Series[float]) -> float:
    """Angle to the axis, rad, whose energy is that of two degrees of freedom: Delta sin^2 = 1."""
    return math.asin(1.0 / math.sqrt(float(derived["thermal_stability"])))


def _with_defaults(text: str, values: Mapping[str, float]) -> str:
    """Replace the defaults of the subcircuit: ``PARAMS:`` and the continuations of its line."""
    head, rest = text.rsplit("PARAMS:", 1)
    declared = re.match(r"[^\n]*(?:\n\+[^\n]*)*", rest)
    assert declared is not None
    defaults = re.sub(
        r"(\w+)=(\S+)",
        lambda found: f"{found[1]}={values[found[1]] + 0.0!r}" if found[1] in values else found[0],
        declared[0],
    )
    return f"{head}PARAMS:{defaults}{rest[declared.end() :]}"
