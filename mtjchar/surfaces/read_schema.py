"""Checks of the files of read surfaces; a file that fails them is refused, never repaired."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from mtjchar.errors import InputError

__all__ = ["check_reads"]

_DIMS = ("state", "voltage", "time")
_MOST_VALUES = 50_000_000
_SLACK = 1e-9

_RATES = ("read_error_rate", "disturb_rate")
_VARIABLES = {
    **{f"{rate}{end}": (0.0, 1.0) for rate in _RATES for end in ("", "_lower", "_upper")},
    "read_error_rate_quantile": (0.0, 1.0),
    "extrapolated": (0.0, 1.0),
    "disturb_extrapolated": (0.0, 1.0),
    "effective_devices": (0.0, np.inf),
    "disturb_effective_devices": (0.0, np.inf),
    "margin": (-np.inf, np.inf),
    "margin_deviations": (-np.inf, np.inf),
    "energy": (0.0, np.inf),
}
"""Required variables with their lowest and highest values."""

_Refuse = Callable[[str, object, str], InputError]


def check_reads(dataset: xr.Dataset, thing: str, remedy: str = "") -> None:
    """Refuse a dataset that is not a read surface.

    Parameters
    ----------
    dataset : xarray.Dataset
    thing : str
        Description of the data, for messages.
    remedy : str, optional
        How to obtain a correct surface, for messages.

    Raises
    ------
    InputError
        Names the variable, coordinate or attribute, the error, and the allowed values.
    """

    def refuse(name: str, value: object, allowed: str) -> InputError:
        return InputError(f"{thing}: {name}", value=value, allowed=allowed, remedy=remedy)

    for name in _VARIABLES:
        if name not in dataset:
            raise refuse(name, "no such variable", f"a read surface, with {name}")
        wanted = (*_DIMS, "quantile") if name.endswith("_quantile") else _DIMS
        if dataset[name].dims != wanted:
            dims = ", ".join(map(str, dataset[name].dims)) or "none"
            raise refuse(f"dimensions of {name}", dims, ", ".join(wanted))
        if dataset[name].size > _MOST_VALUES:
            raise refuse(f"size of {name}", dataset[name].size, f"at most {_MOST_VALUES:,} values")
    _check_coordinates(dataset, refuse)
    for name, (low, high) in _VARIABLES.items():
        _check_values(name, dataset[name], low, high, refuse)
    for rate in _RATES:
        _check_interval(rate, dataset, refuse)
    _check_attributes(dataset, refuse)


def _check_coordinates(dataset: xr.Dataset, refuse: _Refuse) -> None:
    if "state" not in dataset.coords or dataset["state"].to_numpy().tolist() != [0, 1]:
        raise refuse("state", "other states", "0 and 1")
    for name, least in (("voltage", 2), ("time", 2), ("quantile", 1)):
        grid = dataset[name].to_numpy() if name in dataset.coords else np.empty(0)
        good = grid.dtype.kind in "fiu" and grid.ndim == 1 and len(grid) >= least
        if not (good and np.isfinite(grid).all() and (grid > 0.0).all()):
            raise refuse(name, grid.tolist()[:8], f"{least} or more finite numbers above 0")
        if not (np.diff(grid) > 0.0).all():
            raise refuse(name, grid.tolist()[:8], "ascending values")


def _check_values(name: str, array: xr.DataArray, low: float, high: float, refuse: _Refuse) -> None:
    allowed = f"numbers from {low:g} to {high:g}" if np.isfinite(high) else "finite numbers"
    if np.isfinite(low) and not np.isfinite(high):
        allowed += f", {low:g} or more"
    if array.dtype.kind not in "fiub":
        raise refuse(name, f"values of the type {array.dtype}", allowed)
    numbers = np.asarray(array.to_numpy(), dtype=np.float64)
    wrong = ~((numbers >= low) & (numbers <= high * (1.0 + _SLACK)) & np.isfinite(numbers))
    if name.endswith("effective_devices"):  # unknown where nothing varies, or the rate is 0
        wrong &= ~np.isnan(numbers)
    if wrong.any():
        raise refuse(name, f"{wrong.sum()} of {wrong.size} values, the first {numbers[wrong][0]!r}", allowed)


def _check_interval(rate: str, dataset: xr.Dataset, refuse: _Refuse) -> None:
    mean = dataset[rate].to_numpy()
    for end, sign in (("lower", -1.0), ("upper", 1.0)):
        if (sign * (dataset[f"{rate}_{end}"].to_numpy() - mean) < -_SLACK * mean).any():
            side = "at most" if sign < 0.0 else "at least"
            raise refuse(f"{rate}_{end}", f"on the wrong side of {rate}", f"{side} {rate} everywhere")


def _check_attributes(dataset: xr.Dataset, refuse: _Refuse) -> None:
    if dataset.attrs.get("margin_unit") not in ("V", "A"):
        raise refuse("attribute margin_unit", dataset.attrs.get("margin_unit"), "'V' or 'A'")
    enough = np.asarray(dataset.attrs.get("enough_devices", 1.0))
    if not (enough.ndim == 0 and enough.dtype.kind in "fiu" and 0.0 < enough < np.inf):
        raise refuse("attribute enough_devices", dataset.attrs["enough_devices"], "a finite number above 0")
    for name in ("study", "mtjchar_version"):
        if not isinstance(dataset.attrs.get(name, ""), str):
            raise refuse(f"attribute {name}", dataset.attrs[name], "text")
