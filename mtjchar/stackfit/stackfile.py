"""A fit as a stack file: values, uncertainties, covariance, and the source of the data."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from pydantic import ValidationError
from scipy.linalg import block_diag

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.errors import ConvergenceError, InputError, printable
from mtjchar.fields import first_complaint
from mtjchar.files import write_text
from mtjchar.physics.anisotropy import REFERENCE_TEMPERATURE
from mtjchar.physics.torque import TorqueLaw, polarization_of, symmetric_efficiency
from mtjchar.stackfit.film import Device, Film
from mtjchar.stackfit.parameters import ALIASES, OPTIONAL, PARAMETERS, directional_name
from mtjchar.stackfit.problem import optional_values
from mtjchar.stackfit.result import StackFit, device_of, parameter_names
from mtjchar.stackfit.wafer import IN_STACK
from mtjchar.study import Stack

__all__ = [
    "check_names",
    "fit_table",
    "fitted_keys",
    "fitted_stack",
    "merged_current_message",
    "stack_values",
    "wafer_keys",
    "write_stack",
]

_FILM_KEYS = ("interfacial_anisotropy", "spin_polarization", "damping")
# Parameters that are not keys of the same name, or have a rule of their own.
_OF_DEVICE = ("stability", "anisotropy_field", "slonczewski_lambda", "back_hopping_stability")
_OF_HOPPING = {
    "back_hopping_current": "back_hopping_current_density",
    "back_hopping_stability": "back_hopping_stability",
}
_NOISE = 3.09  # standard errors: a larger one-sided deviation has a probability below one of a thousand


def fitted_keys(fit: StackFit) -> list[str]:
    """Keys of the stack with fitted values, in the order of `stack_values`."""
    keys = [key for key in _FILM_KEYS if parameter_names(fit, ALIASES[key])]
    both = all(
        directional_name("critical_current", direction) in fit.problem.free for direction in DIRECTIONS
    )
    if both or "slonczewski_lambda" in fit.problem.free:
        keys.append("slonczewski_lambda")
    same_name = [key for key in PARAMETERS if key in Stack.model_fields and key not in _OF_DEVICE]
    return [*keys, *(key for key in same_name if key in _changed(fit)), *_hopping_keys(fit)]


def _changed(fit: StackFit) -> set[str]:
    """Parameters that are fitted, or that are given and are not those of the stack."""
    assert fit.film is not None  # stack_values refuses
    given = {
        name
        for name, value in fit.problem.fixed.items()
        if name in OPTIONAL and value != getattr(fit.film.stack, name, value)
    }
    return {parameter.root for parameter in fit.problem.parameters} | given


def _hopping_keys(fit: StackFit) -> list[str]:
    """Keys of back-hopping, if it is fitted or given."""
    assert fit.film is not None  # stack_values refuses
    known = optional_values(fit.film)
    same = all(fit.values.get(name) == known.get(name) for name in _OF_HOPPING)
    return [] if same else list(_OF_HOPPING.values())


def _hopping_values(film: Film, values: Mapping[str, float]) -> dict[str, float]:
    """Keys of back-hopping from the parameters of a fit."""
    if not set(_OF_HOPPING) <= set(values):
        return {}
    warming = film.temperature / REFERENCE_TEMPERATURE
    return {
        "back_hopping_current_density": values["back_hopping_current"] / float(film.area()),
        "back_hopping_stability": values["back_hopping_stability"] * warming,
    }


def wafer_keys(fit: StackFit) -> list[str]:
    """Keys of the stack that are means of a wafer."""
    if fit.wafer is None:
        return []
    return [key for key in IN_STACK if key in fit.wafer.parameters.index and key not in fit.problem.free]


def stack_values(fit: StackFit) -> tuple[list[str], FloatArray, FloatArray]:
    """Keys of the stack, their values at 300 K (SI), and the covariance of these.

    Raises
    ------
    InputError
        If the fit had no film.

    Notes
    -----
    Values for a parameter with a separate value in each direction: the stability is the square of the mean
    root (a stray field h makes it Delta (1 +- h)^2), the relaxation time the mean. The critical currents give
    polarization and torque asymmetry, Lambda^2 = Ic0(p_to_ap)/Ic0(ap_to_p). If the asymmetry is below 1 and
    noise explains this in 999 of a thousand cases, it is 1, with the geometric mean of both currents. A
    torque per voltage has no further asymmetry: the geometric mean is written if noise explains the
    difference, in either direction. Means of a wafer are added with their standard errors, as independent of
    the fitted values.
    """
    if fit.film is None:
        raise InputError(
            "stack of a fit without a film", value=None, allowed="a fit with film=Film(stack, diameter)",
            remedy="Polarization and damping need magnetization, thickness and diameter.",
        )  # fmt: skip
    film, keys, means = fit.film, fitted_keys(fit), wafer_keys(fit)

    def function(values: Mapping[str, float]) -> list[float]:
        device, asymmetry = _symmetric(values, film.stack.torque, fit.problem.directions)
        film_values = film.with_values(values).film(device)._asdict()
        all_values = {
            **values, **film_values, **_hopping_values(film, values), "slonczewski_lambda": asymmetry
        }  # fmt: skip
        return [float(all_values[key]) for key in keys]

    value, covariance = fit.propagate(function)
    if "slonczewski_lambda" in keys:
        place = keys.index("slonczewski_lambda")
        noise = _NOISE * np.sqrt(covariance[place, place])
        if value[place] < 1.0 <= value[place] + noise:
            value[place] = 1.0
        if film.stack.torque == "voltage" and 1.0 < value[place] <= 1.0 + noise:
            value[place] = 1.0
    if fit.wafer is None or not means:
        return keys, value, covariance
    mean = fit.wafer.parameters.loc[means, "mean"].to_numpy(dtype=np.float64)
    return [*keys, *means], np.r_[value, mean], block_diag(covariance, fit.wafer.mean_covariance(means))


def merged_current_message(fit: StackFit) -> list[str]:
    """Warn if the currents of both directions are written as one."""
    current, back = (directional_name("critical_current", direction) for direction in DIRECTIONS)
    if fit.film is None or not {current, back} <= set(fit.problem.free):
        return []
    keys, values, _ = stack_values(fit)
    ratio, covariance = fit.propagate(lambda values: [float(np.sqrt(values[current] / values[back]))])
    fitted, error = float(ratio[0]), float(np.sqrt(covariance[0, 0]))
    if fit.film.stack.torque == "voltage" and abs(fitted - 1.0) < 2.0 * error:
        return []
    if values[keys.index("slonczewski_lambda")] != 1.0 or fitted == 1.0:
        return []
    place = "below" if fitted < 1.0 else "above"
    return [
        f"the critical current of p_to_ap is {place} that of ap_to_p, within their errors: the stack has "
        f"slonczewski_lambda 1 in the place of {fitted:.6g}, and the mean of both currents"
    ]


def _symmetric(
    values: Mapping[str, float], law: TorqueLaw, directions: Sequence[str | None]
) -> tuple[Device, float]:
    """One device for both directions, and the torque asymmetry."""
    asymmetry = float(values.get("slonczewski_lambda", 1.0))
    if len(directions) == 1:
        return device_of(values), asymmetry
    forward, backward = (device_of(values, direction) for direction in directions)
    devices = [
        device
        for device in (forward, backward)
        if np.isfinite(device.stability) and np.isfinite(device.critical_current)
    ]
    stability = np.asarray(np.mean([np.sqrt(device.stability) for device in devices]) ** 2)
    time = np.asarray(np.mean([device.relaxation_time for device in devices]))
    critical = devices[0].critical_current
    if len(devices) == 2 and directional_name("critical_current", DIRECTIONS[1]) in values:
        asymmetry = float(np.sqrt(forward.critical_current / backward.critical_current))
        if asymmetry < 1.0 or law == "voltage":  # by noise: there is one current
            critical = np.sqrt(forward.critical_current * backward.critical_current)
    return devices[0]._replace(
        stability=stability, relaxation_time=time, critical_current=critical
    ), asymmetry


def fitted_stack(fit: StackFit, name: str | None = None, reference: str | None = None) -> Stack:
    """Return the stack of the film with the fitted values in place of its own.

    Parameters
    ----------
    fit : StackFit
    name, reference : str, optional
        Of the new stack; default: the film's with a remark about the fit.

    Raises
    ------
    InputError
        If a value is outside the limits of a stack, or the fit had no film.
    """
    keys, values, _ = stack_values(fit)
    assert fit.film is not None  # stack_values refuses
    fitted = dict(zip(keys, map(float, values), strict=True))
    if fit.film.stack.torque == "voltage" and fitted.get("slonczewski_lambda", 1.0) != 1.0:
        raise InputError(
            "root of Ic0(p_to_ap)/Ic0(ap_to_p)", value=round(fitted["slonczewski_lambda"], 6),
            allowed='1 within its error, with torque = "voltage"',
            remedy="A torque per voltage has no further asymmetry: fit one critical_current, vary "
            'offset_field, or set torque = "current" in the stack.',
        )  # fmt: skip
    if fitted.get("slonczewski_lambda", 1.0) < 1.0:
        raise InputError(
            "fitted slonczewski_lambda", value=fitted["slonczewski_lambda"], allowed="at least 1",
            remedy="It is the root of Ic0(p_to_ap)/Ic0(ap_to_p), and in this model the torque in P is never "
            "the stronger one. A stray field acts (vary offset_field), or the directions are swapped.",
        )  # fmt: skip
    return _valid(
        fit.film.stack, name, reference, {**fitted, **_second_barrier(fit, fitted)},
        "Diameter, magnetization or units do not go with these data: see the warnings of the fit.",
    )  # fmt: skip


def _second_barrier(fit: StackFit, fitted: Mapping[str, float]) -> dict[str, Any]:
    """Second barrier of the stack, if its torque is fitted or given."""
    film, values = fit.film, fit.values
    assert film is not None  # stack_values refuses
    known = optional_values(film)
    changed = any(values.get(name) != known.get(name) for name in ("second_torque", "series_resistance"))
    if "second_torque" not in values or not changed:
        return {}
    law, laws = film.stack.torque, film.laws(film.temperature)
    first = laws.polarization(fitted.get("spin_polarization", film.stack.spin_polarization))
    own = polarization_of(abs(values["second_torque"]) * symmetric_efficiency(first, law), law)
    product = values.get("series_resistance", 0.0) * float(film.area())
    return {
        "second_barrier": {
            "reference": "antiparallel" if values["second_torque"] >= 0.0 else "parallel",
            "resistance_area_product": product / float(laws.resistance_area_product(1.0)),
            "spin_polarization": float(own / laws.polarization(1.0)),
        }
    }


def check_names(stack: Stack, name: str | None, reference: str | None) -> None:
    """Refuse a name or a reference that a stack may not have, before the fit starts."""
    _valid(stack, name, reference, {})


def _valid(
    base: Stack, name: str | None, reference: str | None, fitted: Mapping[str, Any], remedy: str = ""
) -> Stack:
    """Return a stack with fitted values in place of its own."""
    data = {
        **base.model_dump(),
        **fitted,
        "name": name or f"{base.name[:170]}, fitted",
        "reference": reference or base.reference,
    }
    try:
        return Stack.model_validate(data)
    except ValidationError as error:
        complaint = first_complaint(error)
        key = ".".join(complaint.keys)
        raise complaint.error(f"fitted {key}" if key in fitted else key, remedy) from error


def write_stack(
    fit: StackFit,
    path: str | Path,
    name: str | None = None,
    reference: str | None = None,
    *,
    accept_unconverged: bool = False,
) -> Stack:
    """Write a fit as a stack file, which studies read like any other.

    Parameters
    ----------
    fit : StackFit
    path : str or Path
    name, reference : str, optional
        As for `fitted_stack`.
    accept_unconverged : bool, optional
        Write a fit that has not converged, too.

    Returns
    -------
    Stack
        Content of the file. Its table ``[fit]`` has the uncertainties: ``[variability] fit`` of a study names
        the file to draw stacks from the covariance, ``[variability] wafer`` to use the spread of a wafer.

    Raises
    ------
    ConvergenceError
        If the fit has not converged.
    InputError
        As for `fitted_stack`.
    """
    if not (fit.converged or accept_unconverged):
        raise ConvergenceError(
            f"The fit has not converged: a further step would lower its deviance by {fit.distance:.2g} "
            f"(allowed: {fit.allowed_distance:.2g}). {path} was not written. Vary fewer parameters, or start "
            "closer to the solution; --accept-unconverged (accept_unconverged=True) writes the fit as it is."
        )
    stack = fitted_stack(fit, name, reference)
    content = {**stack.model_dump(mode="json", exclude_none=True), "fit": fit_table(fit)}
    text = _commented(tomli_w.dumps(content), fit)
    write_text(path, text)
    return stack


def fit_table(fit: StackFit) -> dict[str, Any]:
    """Results of a fit for the file."""
    keys, values, covariance = stack_values(fit)
    assert fit.film is not None  # stack_values refuses
    table = fit.table()
    return {
        "parameters": keys,
        "values": values.tolist(),
        "standard_errors": np.sqrt(np.diag(covariance)).tolist(),
        "covariance": covariance.tolist(),
        "diameter": f"{fit.film.diameter!r} m",
        "temperature": f"{fit.film.temperature!r} K",
        "deviance": float(fit.deviance),
        "converged": fit.converged,
        "gradient_norm": float(fit.distance),
        "expected_deviance": float(fit.expected_deviance),
        "inflation": float(fit.inflation),
        "undetermined": list(fit.undetermined),
        "warnings": [printable(message, keep="\n") for message in fit.messages],
        "mtjchar_version": version("mtjchar"),
        "date": datetime.date.today().isoformat(),
        "device": {
            str(name): {
                "value": float(row["value"]), "standard_error": float(row["standard_error"]),
                "interval": [float(row["lower"]), float(row["upper"])], "unit": row["unit"],
                "temperature_K": float(row["temperature_K"]),
            }
            for name, row in table.iterrows()
        },
        "data": [
            {
                "file": printable(data.path.name), "kind": data.kind, "rows": len(data.rows),
                "skipped": data.skipped, "temperatures_K": fit.temperatures(data), "sha256": data.sha256,
            }
            for data in fit.tables
        ],
        **({} if fit.wafer is None else {"variability": fit.wafer.content()}),
    }  # fmt: skip


def _commented(text: str, fit: StackFit) -> str:
    """Add the source of every number of the stack as a comment."""
    assert fit.film is not None  # stack_values refuses
    source = {
        **dict.fromkeys(fitted_keys(fit), "fitted, see [fit]"),
        **dict.fromkeys(wafer_keys(fit), "mean of the wafer, see [fit]"),
    }
    lines = []
    in_stack = True
    for line in text.split("\n")[:-1]:  # some characters of a string end lines elsewhere, not in TOML
        in_stack &= not line.startswith("[")
        key = line.split(" = ")[0]
        if in_stack and " = " in line and key not in ("name", "reference"):
            line += f"  # {source.get(key, f'as in {fit.film.stack.name}')}"
        lines.append(line)
    return "\n".join(lines) + "\n"
