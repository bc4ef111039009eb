"""The STT cell as a kind of cell."""

from __future__ import annotations

from mtjchar.cells.base import CellKind, ColumnLabel

__all__ = ["SttCell"]


class SttCell(CellKind):
    """A junction that is written by a spin-polarized current through it, with an access transistor."""

    name = "stt"
    directions = ("p_to_ap", "ap_to_p")
    titles = {"p_to_ap": "P → AP", "ap_to_p": "AP → P"}  # noqa: RUF012, of the class
    columns = {  # noqa: RUF012
        "diameter_m": ColumnLabel("diameter", "nm", 1e9),
        "resistance_area_product_ohm_m2": ColumnLabel("resistance-area product", "Ω µm²", 1e12),
        "tmr": ColumnLabel("TMR", "", 1.0),
        "anisotropy_field_T": ColumnLabel("μ0 Hk", "mT", 1e3),
        "thermal_stability": ColumnLabel("Δ", "", 1.0),
        "critical_current_A": ColumnLabel("Ic0, P → AP", "µA", 1e6),
        "critical_current_ap_to_p_A": ColumnLabel("Ic0, AP → P", "µA", 1e6),
        "relaxation_time_s": ColumnLabel("t_D", "ns", 1e9),
        "parallel_resistance_ohm": ColumnLabel("R_P", "kΩ", 1e-3),
        "antiparallel_resistance_ohm": ColumnLabel("R_AP", "kΩ", 1e-3),
        "threshold_voltage_V": ColumnLabel("threshold voltage, shift", "mV", 1e3),
        "current_factor": ColumnLabel("current factor of the transistor, over the nominal one", "", 1.0),
    }
    compared = ("thermal_stability", "critical_current_A", "parallel_resistance_ohm")
    headlines = {  # noqa: RUF012
        "thermal_stability": ColumnLabel("Δ", "", 1.0),
        "critical_current_A": ColumnLabel("Ic0", "µA", 1e6),
    }
