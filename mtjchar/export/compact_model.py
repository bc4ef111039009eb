"""The junction of a run as a compact model: a Verilog-A module, or subcircuits for PSpice and others."""

from __future__ import annotations

from pathlib import Path

from mtjchar.export.files import Files
from mtjchar.export.files import text as as_file
from mtjchar.export.grid import identifier
from mtjchar.export.operating_point import Settings
from mtjchar.export.provenance import comment, study_of
from mtjchar.surfaces import WriteSurface
from mtjchar.sweep.population import Population

__all__ = ["pspice", "verilog_a"]


def verilog_a(surface: WriteSurface, out: Path, _: Settings) -> Files:
    """Write one file with a Verilog-A module."""
    return _model(surface, out, "verilog-a", "//")


def pspice(surface: WriteSurface, out: Path, _: Settings) -> Files:
    """Write one file with subcircuits in the syntax that PSpice, LTspice and Xyce have in common."""
    return _model(surface, out, "pspice", "*")


def _model(surface: WriteSurface, out: Path, language: str, mark: str) -> Files:
    study = study_of(surface)
    population = Population(study)
    device = population.nominal()
    title = [
        "The junction of a study as a compact model, by mtjchar: the nominal device.",
        f"At {study.cell.temperature:g} K: thermal stability {device['thermal_stability'].iloc[0]:.4g}, "
        f"parallel and antiparallel resistance {device['parallel_resistance_ohm'].iloc[0]:.5g} and "
        f"{device['antiparallel_resistance_ohm'].iloc[0]:.5g} ohm,",
        f"critical current {device['critical_current_A'].iloc[0]:.4g} A (P to AP) and "
        f"{device['critical_current_ap_to_p_A'].iloc[0]:.4g} A (AP to P).",
        "",
    ]
    model = study.kind.compact_model(study.tables, device, language, identifier(out))
    return {out: as_file([*model.splitlines(), "", *comment(surface, title, mark)])}
