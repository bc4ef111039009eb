"""Worst case of several scenarios: the cheapest pulse for all, and the worst scenario for each number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mtjchar.errors import OutsideGridError, UnreachableError
from mtjchar.surfaces.grid import SurfaceGrid, Target, directions_of, targets
from mtjchar.surfaces.levers import OUT_OF_REACH
from mtjchar.surfaces.search import cheapest_pulse_of_all, pulse_at, strongest_pulse

__all__ = ["worst_case"]


def worst_case(surfaces: Mapping[str, SurfaceGrid], results: pd.DataFrame) -> pd.DataFrame:
    """Find the cheapest pulse that reaches the rate in all scenarios, and the worst scenario for each number.

    Parameters
    ----------
    surfaces : mapping of str to SurfaceGrid
        By scenario.
    results : DataFrame
        The table of `mtjchar.surfaces.comparison.Comparison`.

    Returns
    -------
    DataFrame
        A row per direction, with one for ``both``: `direction` and `ber`. The pulse as `amplitude_V`,
        `duration_s`, `energy_J` (the largest of its energies) and `extrapolated`; NaN if none reaches the
        rate in all. `limited_by`: the scenario where it fails most often (without a pulse: where the
        strongest one does). `energy_in`: the scenario where it takes most. `own_pulse_energy_J`: the largest
        energy of a scenario's own cheapest pulse, and `own_pulse_in`: that scenario; if scenarios have none:
        NaN, and the first of them. `reference_ber`: the highest one at the reference pulse, and
        `reference_in`: its scenario.
    """
    first = next(iter(surfaces.values()))
    rows = []
    for target in targets(first):
        own = results[results["direction"] == target]
        rows.append(
            {"direction": target, "ber": own["ber"].iloc[0]}
            | _holding_in_all(surfaces, target, float(own["ber"].iloc[0]))
            | _worst(own, "energy_J", "own_pulse_energy_J", "own_pulse_in", unknown_is_worst=True)
            | _worst(own, "reference_ber", "reference_ber", "reference_in", unknown_is_worst=False)
        )
    return pd.DataFrame(rows)


def _holding_in_all(
    surfaces: Mapping[str, SurfaceGrid], target: Target, ber: float
) -> dict[str, float | bool | str]:
    pulse, limited_by, energy_in = OUT_OF_REACH, "", ""
    strongest: tuple[float, float] | None = None
    try:
        pulse = cheapest_pulse_of_all(list(surfaces.values()), target, ber)
        strongest = pulse.amplitude_V, pulse.duration_s
        energies = {name: pulse_at(one, target, *strongest).energy_J for name, one in surfaces.items()}
        energy_in = max(energies, key=energies.__getitem__)
    except UnreachableError:
        strongest = strongest_pulse(list(surfaces.values()), target)
    except OutsideGridError:
        pass
    if strongest is not None:
        rates = {
            name: max(float(one.ber(each, *strongest)) for each in directions_of(one, target))
            for name, one in surfaces.items()
        }
        limited_by = max(rates, key=rates.__getitem__)
    return {
        "amplitude_V": pulse.amplitude_V,
        "duration_s": pulse.duration_s,
        "energy_J": pulse.energy_J,
        "extrapolated": pulse.extrapolated,
        "limited_by": limited_by,
        "energy_in": energy_in,
    }


def _worst(
    results: pd.DataFrame, column: str, value: str, where: str, *, unknown_is_worst: bool
) -> dict[str, float | str]:
    """Return the largest value of a column and its scenario."""
    values = results[column].to_numpy(dtype=np.float64)
    unknown = np.isnan(values)
    if unknown.all() and not unknown_is_worst:
        return {value: np.nan, where: ""}
    worst = int(np.argmax(np.where(unknown, np.inf if unknown_is_worst else -np.inf, values)))
    return {value: float(values[worst]), where: str(results["scenario"].iloc[worst])}
