"""Surfaces from counted writes: tester data, Langevin runs."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar import statistics
from mtjchar.arrays import BoolArray
from mtjchar.cells import KINDS, CellKind, kinds_with
from mtjchar.cells.kinds import kind_of
from mtjchar.errors import InputError
from mtjchar.surfaces.average import COUNTED, QUANTILES, surface_dataset
from mtjchar.surfaces.schema import KIND_ATTRIBUTE
from mtjchar.surfaces.surface import WriteSurface
from mtjchar.units import compact

__all__ = ["surface_from_counts"]

_REQUIRED = ("direction", "amplitude_V", "duration_s", "trials", "errors")
_ENERGIES = {"energy": "energy_J", "redundant_energy": "redundant_energy_J"}


def surface_from_counts(
    table: pd.DataFrame, nominal_amplitude: float | None = None, *, kind: str | None = None, seed: int = 1
) -> WriteSurface:
    """Make a surface from counted writes.

    Parameters
    ----------
    table : DataFrame
        Columns ``direction`` (those of one cell kind), ``amplitude_V``, ``duration_s``, ``trials`` and
        ``errors``; optionally ``energy_J`` and ``redundant_energy_J``, the mean energy of one write, NaN
        if it is not known. Several rows of one pulse, such as several devices, are pooled. Every pulse of
        the grid needs a row, in each direction that occurs.
    nominal_amplitude : float, optional
        V, within the amplitudes: the amplitude at which comparisons start. Default: the middle amplitude.
    kind : str, optional
        Name of the cell kind, one of `mtjchar.cells.KINDS`. Default: ``stt`` if its directions have these
        names, otherwise the only kind that has them.
    seed : int, optional
        Seed of the bootstrap.

    Returns
    -------
    WriteSurface
        ``ber`` is the binomial maximum likelihood errors/trials; without any error it is the 95 % upper
        bound, never 0. The interval is that of Clopper and Pearson, united with that of a bootstrap over the
        rows of a pulse. Quantiles are those of the rows' errors/trials and include their counting noise. The
        rows count as devices for ``effective_devices``, which is NaN if a pulse has a single row.

    Raises
    ------
    InputError
        For a missing column or pulse, or an impossible row; rows are numbered from 0.

    Examples
    --------
    >>> import itertools, pandas as pd
    >>> pulses = itertools.product(["p_to_ap"], [0.5, 0.6], [5e-9, 9e-9])
    >>> table = pd.DataFrame(pulses, columns=["direction", "amplitude_V", "duration_s"])
    >>> table["trials"], table["errors"] = 1000, [90, 40, 9, 0]
    >>> surface = surface_from_counts(table)
    >>> [float(f"{surface.ber('p_to_ap', 0.6, t):.3g}") for t in (5e-9, 9e-9)]
    [0.009, 0.00299]
    """
    table = _checked(table)
    cell = _kind(table["direction"].unique().tolist(), kind)
    directions = [direction for direction in cell.directions if (table["direction"] == direction).any()]
    amplitudes, durations = (np.unique(table[name]) for name in ("amplitude_V", "duration_s"))
    level = 0.5 * (amplitudes[0] + amplitudes[-1]) if nominal_amplitude is None else nominal_amplitude
    if not amplitudes[0] <= level <= amplitudes[-1]:
        raise InputError(
            "nominal_amplitude",
            value=compact(level, "V"),
            allowed=f"{compact(amplitudes[0], 'V')} to {compact(amplitudes[-1], 'V')}, as counted",
        )
    groups = dict(iter(table.groupby(["direction", "amplitude_V", "duration_s"])))
    pulses = list(itertools.product(directions, amplitudes, durations))
    rng = np.random.default_rng(seed)
    estimates = [_pulse(_rows(groups, pulse), rng) for pulse in pulses]
    grid = (len(directions), len(amplitudes), len(durations))
    values = {
        name: np.reshape([pulse[name] for pulse in estimates], (*grid, *np.shape(estimates[0][name])))
        for name in estimates[0]
    }
    attributes = {
        KIND_ATTRIBUTE: cell.name,
        "seed": seed,
        "nominal_amplitude_V": float(level),
        "interval": "95 %, Clopper-Pearson of the pooled counts, united with a percentile bootstrap over the "
        f"rows, {statistics.RESAMPLES} resamples",
        "counts": COUNTED,
    }
    return WriteSurface(surface_dataset(directions, amplitudes, durations, values, attributes))


def _kind(directions: list[str], name: str | None) -> CellKind[Any]:
    """Cell kind of the table: the one of this name, the default one, or the only possible one."""
    if name is not None and name not in KINDS:
        raise InputError("kind", value=name, allowed=f"one of {', '.join(KINDS)}")
    kinds = [kind for kind in kinds_with(directions) if name in (None, kind.name)]
    if not kinds:
        possible = KINDS.values() if name is None else [KINDS[name]]
        raise InputError(
            "table of counts: direction",
            value=", ".join(directions),
            allowed="directions of one kind of cell: "
            + ", or ".join(dict.fromkeys(" and ".join(kind.directions) for kind in possible)),
        )
    default = kind_of({})
    if default in kinds:  # as for a study without a kind
        return default
    if len(kinds) > 1:
        raise InputError(
            "kind", value=name, allowed=f"one of {', '.join(kind.name for kind in kinds)}",
            remedy="These kinds of cells have directions of the same names.",
        )  # fmt: skip
    return kinds[0]


def _rows(
    groups: Mapping[tuple[Hashable, ...], pd.DataFrame], pulse: tuple[str, float, float]
) -> pd.DataFrame:
    if pulse not in groups:
        raise InputError(
            "table of counts",
            value=f"no row for {pulse[0]} at {compact(pulse[1], 'V')} for {compact(pulse[2], 's')}",
            allowed="a row for every amplitude and duration, in each direction",
            remedy="Count the missing pulses, or leave out the amplitude or duration that lacks them.",
        )
    return groups[pulse]


def _pulse(rows: pd.DataFrame, rng: np.random.Generator) -> dict[str, npt.NDArray[np.generic]]:
    """Estimate all variables of one pulse."""
    trials, errors = rows["trials"].to_numpy(dtype=np.float64), rows["errors"].to_numpy(dtype=np.float64)
    rate = errors / trials
    pooled = statistics.clopper_pearson(errors.sum(), trials.sum())
    lower, upper, effective = pooled.lower, pooled.upper, np.asarray(np.nan)
    if len(rows) > 1:  # a single row may be one device or a whole array
        lower, upper = statistics.bootstrap(rate, rng, trials)
        effective = statistics.effective_number(rate, trials)
    energies = {
        name: statistics.weighted_mean(rows[column].to_numpy(dtype=np.float64), trials)
        for name, column in _ENERGIES.items()
    }
    return {
        "ber": pooled.rate,
        "ber_lower": np.minimum(lower, pooled.lower),
        "ber_upper": np.maximum(upper, pooled.upper),
        "ber_quantile": statistics.weighted_quantiles(rate, trials, QUANTILES),
        "effective_devices": effective,
        "trials": np.asarray(trials.sum(), dtype=np.int64),
        "errors": np.asarray(errors.sum(), dtype=np.int64),
        **energies,
    }


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its energy columns, after a check of every row."""
    for name in _REQUIRED:
        if name not in table:
            raise InputError(
                "table of counts",
                value=list(table.columns),
                allowed=f"the columns {', '.join(_REQUIRED)}",
                remedy=f"There is no {name}.",
            )
    table = table.reset_index(drop=True).assign(
        **{column: np.nan for column in _ENERGIES.values() if column not in table}
    )
    if not len(table):
        raise InputError("table of counts", value="no rows", allowed="a row for every pulse")
    directions = list(dict.fromkeys(one for kind in KINDS.values() for one in kind.directions))
    known = table["direction"].isin(directions).to_numpy()
    _refuse(table, "direction", ~known, " or ".join(map(repr, directions)))
    numbers = {
        name: pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
        for name in (*_REQUIRED[1:], *_ENERGIES.values())
    }
    for name in ("amplitude_V", "duration_s"):
        value = numbers[name]
        _refuse(table, name, ~((value > 0.0) & np.isfinite(value)), "a positive number")
    trials, errors = numbers["trials"], numbers["errors"]
    with np.errstate(invalid="ignore"):
        whole = (trials >= 1.0) & np.isfinite(trials) & (trials == np.floor(trials))
        _refuse(table, "trials", ~whole, "a whole number, at least 1")
        fits = (errors >= 0.0) & (errors <= trials) & (errors == np.floor(errors))
        _refuse(table, "errors", ~fits, "a whole number from 0 to the trials of the row")
        for name in _ENERGIES.values():
            _refuse(
                table,
                name,
                table[name].notna().to_numpy() & ~((numbers[name] > 0.0) & np.isfinite(numbers[name])),
                "a positive number, or NaN where it is not known",
            )
    for name in ("amplitude_V", "duration_s"):
        if len(np.unique(numbers[name])) < 2:
            raise InputError(
                f"table of counts: {name}",
                value=np.unique(numbers[name]).tolist(),
                allowed="at least two values, to interpolate between",
            )
    return table.assign(**numbers)


def _refuse(table: pd.DataFrame, column: str, bad: BoolArray, allowed: str) -> None:
    """Refuse the first bad row by its number, counted from 0."""
    if not bad.any():
        return
    row = int(np.argmax(bad))
    value = table[column].iloc[row]
    raise InputError(
        f"table of counts, row {row}, {column}",
        value=value.item() if isinstance(value, np.generic) else value,
        allowed=allowed,
        remedy=f"{int(bad.sum())} of {len(bad)} rows are like that.",
    )
