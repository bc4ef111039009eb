"""Checks of surface files; a file that fails them is refused, never repaired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from mtjchar.cells import KINDS, CellKind, kinds_with
from mtjchar.errors import InputError
from mtjchar.surfaces import rising, tails

__all__ = ["KIND_ATTRIBUTE", "check", "kind_of"]

KIND_ATTRIBUTE = "cell_kind"
"""Attribute with the name of the cell kind, one of `mtjchar.cells.KINDS`."""

_PULSES = ("direction", "amplitude", "duration")
_MOST_VALUES = 50_000_000
_SLACK = 1e-9  # relative, for a bound: rounding of text formats


class _Values(NamedTuple):
    """Allowed values of a variable."""

    low: float
    high: float
    unknown: bool = False  # whether NaN is allowed for an unknown value
    required: bool = False
    dims: tuple[str, ...] = _PULSES


_VARIABLES = {
    "ber": _Values(0.0, 1.0, required=True),
    "ber_lower": _Values(0.0, 1.0),
    "ber_upper": _Values(0.0, 1.0),
    "ber_quantile": _Values(0.0, 1.0, dims=(*_PULSES, "quantile")),
    "effective_devices": _Values(0.0, np.inf, unknown=True),
    "extrapolated": _Values(0.0, 1.0),
    "trials": _Values(0.0, np.inf),
    "errors": _Values(0.0, np.inf),
    "energy": _Values(0.0, np.inf, unknown=True, required=True),
    "redundant_energy": _Values(0.0, np.inf, unknown=True, required=True),
    "supply_energy": _Values(0.0, np.inf, unknown=True),
    "redundant_supply_energy": _Values(0.0, np.inf, unknown=True),
}


def kind_of(dataset: xr.Dataset) -> CellKind[Any] | None:
    """Return the cell kind of a surface; None if there is no such kind.

    A surface of a version that did not write the kind's name has the first kind with its directions.
    """
    directions = dataset["direction"].to_numpy().tolist()
    kinds = kinds_with(directions)
    if KIND_ATTRIBUTE in dataset.attrs:
        kinds = [kind for kind in kinds if kind.name == dataset.attrs[KIND_ATTRIBUTE]]
    return next(iter(kinds), None)


def directions_allowed(dataset: xr.Dataset) -> str:
    """Name the directions that a surface may have: those of its kind, or of any kind if it names none."""
    name = dataset.attrs.get(KIND_ATTRIBUTE)
    kinds = [KINDS[name]] if name in KINDS else KINDS.values()
    return ", or ".join(dict.fromkeys(" and ".join(kind.directions) for kind in kinds))


def check(dataset: xr.Dataset, thing: str, remedy: str = "") -> None:
    """Refuse a dataset that is not a surface.

    Parameters
    ----------
    dataset : xarray.Dataset
        May be read lazily from its file: sizes are checked first.
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

    for name, values in _VARIABLES.items():
        if name not in dataset:
            if values.required:
                raise refuse(name, "no such variable", f"a surface, with {name}")
            continue
        if dataset[name].dims != values.dims:
            dims = ", ".join(map(str, dataset[name].dims)) or "none"
            raise refuse(f"dimensions of {name}", dims, ", ".join(values.dims))
        if dataset[name].size > _MOST_VALUES:
            raise refuse(f"size of {name}", dataset[name].size, f"at most {_MOST_VALUES:,} values")
    _check_coordinates(dataset, refuse)
    for name, values in _VARIABLES.items():
        if name in dataset:
            _check_values(name, dataset[name].to_numpy(), values, refuse)
    _check_order(dataset, refuse)
    _check_attributes(dataset, refuse)


_Refuse = Callable[[str, object, str], InputError]


def _check_coordinates(dataset: xr.Dataset, refuse: _Refuse) -> None:
    kind = dataset.attrs.get(KIND_ATTRIBUTE, next(iter(KINDS)))
    if not isinstance(kind, str) or kind not in KINDS:
        raise refuse(f"attribute {KIND_ATTRIBUTE}", kind, f"one of {', '.join(KINDS)}")
    directions = dataset.get("direction")
    names = [] if directions is None else directions.to_numpy().tolist()
    if not names or len(set(map(str, names))) != len(names) or kind_of(dataset) is None:
        raise refuse("direction", names, f"{directions_allowed(dataset)}, one or both, each once")
    for name, most in (("amplitude", np.inf), ("duration", np.inf), ("quantile", 1.0)):
        if name not in dataset.dims:
            continue
        grid = dataset[name].to_numpy() if name in dataset.coords else np.empty(0)
        least = 1 if name == "quantile" else 2
        good = grid.dtype.kind in "fiu" and grid.ndim == 1 and len(grid) >= least
        if not (good and np.isfinite(grid).all() and (grid > 0.0).all() and (grid <= most).all()):
            raise refuse(name, _shown(grid), f"{least} or more finite numbers above 0")
        if not (np.diff(grid) > 0.0).all():
            raise refuse(name, _shown(grid), "ascending values")


def _check_values(name: str, array: npt.NDArray[np.generic], values: _Values, refuse: _Refuse) -> None:
    allowed = f"numbers from {values.low:g} to {values.high:g}"
    if np.isinf(values.high):
        allowed = f"finite numbers, {values.low:g} or more"
    if values.unknown:
        allowed += ", or NaN where it is not known"
    if array.dtype.kind not in "fiub":
        raise refuse(name, f"values of the type {array.dtype}", allowed)
    numbers = np.asarray(array, dtype=np.float64)
    slack = _SLACK * (1.0 if np.isinf(values.high) else values.high)
    wrong = ~((numbers >= values.low) & (numbers <= values.high + slack) & np.isfinite(numbers))
    if values.unknown:
        wrong &= ~np.isnan(numbers)
    if wrong.any():
        raise refuse(name, f"{wrong.sum()} of {wrong.size} values, the first {numbers[wrong][0]!r}", allowed)


def _check_order(dataset: xr.Dataset, refuse: _Refuse) -> None:
    """Refuse intervals that do not contain their error rate."""
    rate = dataset["ber"].to_numpy()
    for name, sign in (("ber_lower", -1.0), ("ber_upper", 1.0)):
        if name in dataset and (sign * (dataset[name].to_numpy() - rate) < -_SLACK * rate).any():
            side = "at most" if sign < 0.0 else "at least"
            raise refuse(name, "on the wrong side of ber", f"{side} ber everywhere")


def _check_attributes(dataset: xr.Dataset, refuse: _Refuse) -> None:
    for name, required in (("nominal_amplitude_V", True), ("enough_devices", False)):
        value = dataset.attrs.get(name)
        if value is None and not required:
            continue
        number = np.asarray(value)
        good = number.ndim == 0 and number.dtype.kind in "fiu" and 0.0 < number < np.inf
        if not good:
            raise refuse(f"attribute {name}", value, "a finite number above 0")
    texts = (rising.RISING_ATTRIBUTE, rising.REASON_ATTRIBUTE, tails.WARNINGS_ATTRIBUTE)
    for name in ("study", "mtjchar_version", *texts):
        if not isinstance(dataset.attrs.get(name, ""), str):
            raise refuse(f"attribute {name}", dataset.attrs[name], "text")
    kind = kind_of(dataset)
    known = () if kind is None else kind.directions
    if not set(rising.rising_directions(dataset.attrs)) <= set(known):
        raise refuse(
            f"attribute {rising.RISING_ATTRIBUTE}", dataset.attrs[rising.RISING_ATTRIBUTE],
            f"some of {', '.join(known)}, separated by blanks",
        )  # fmt: skip


def _shown(grid: npt.NDArray[np.generic]) -> object:
    return grid.tolist() if grid.size <= 8 else f"{grid.size} values of the type {grid.dtype}"
