"""Decks of vector junctions, from the same description of a free layer that the ensembles take."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import constants

from mtjchar.physics.llgs import Macrospin
from mtjchar.spice.libraries import netlist_folder
from mtjchar.spice.ngspice import simulator

FloatArray = npt.NDArray[np.float64]


def library(name: str) -> str:
    """Text of a netlist."""
    return (netlist_folder() / name).read_text(encoding="utf-8")


def follow(
    spin: Macrospin,
    start: FloatArray,
    *,
    duration: float,
    step: float,
    current: float = 0.0,
    pulse: float | None = None,
    noise: float = 0.0,
    seed: int = 1,
    keep: str = "xyz",
    **more: float,
) -> tuple[FloatArray, FloatArray]:
    """Follow junctions of netlists/mtj_llgs.lib, each driven by a current source of its own.

    Parameters
    ----------
    spin : Macrospin
        Free layer; its reference layer in the plane of x and z.
    start : ndarray, shape (3, junctions)
        Unit vectors.
    duration, step : float
        Stop time and largest step, s.
    current, pulse : float
        From the free to the reference layer, A, and for how long, s; all the time by default.
    noise : float
        Sampling time of the thermal field, s; 0: none.
    seed : int
        Of ngspice's random numbers.
    keep : str
        Components to return.
    more : float
        Further parameters of the subcircuit.

    Returns
    -------
    tuple of ndarray
        Times, s, and m of shape (junctions, components, times), without the row at 0, which ngspice writes
        before it has solved for anything.
    """
    parameters = {
        "rp": 1e3,
        "tmr": 0.0,
        "alpha": spin.damping,
        "torque": spin.torque_per_current,
        "lambda": spin.lambda_,
        "fieldlike": spin.field_like,
        "bi": spin.anisotropy_field,
        "bs": constants.mu_0 * spin.magnetization,
        **dict(zip(("nx", "ny", "nz"), spin.demagnetizing, strict=True)),
        "theta_p": np.arctan2(spin.reference[0], spin.reference[2]),
        "tnoise": noise,
        "temperature": spin.temperature,
        "moment": spin.magnetization * spin.volume,
        **more,
    }
    common = " ".join(f"{name}={float(value)!r}" for name, value in parameters.items())
    shape = f"pulse({float(current)!r} 0 {float(pulse)!r} 1f 1f 1)" if pulse else repr(float(current))
    lines = ["vector junctions", library("mtj_llgs.lib")]
    lines += [f"Vb{c} b{c} 0 {float(b)!r}" for c, b in zip("xyz", spin.field, strict=True)]
    for k, (x, y, z) in enumerate(start.T.tolist()):
        theta, phi = float(np.arctan2(np.hypot(x, y), z)), float(np.arctan2(y, x))
        lines += [
            f"I{k} 0 f{k} {shape}",
            f"X{k} f{k} 0 x{k} y{k} z{k} bx by bz mtj_llgs {common} theta0={theta!r} phi0={phi!r}",
            ".save " + " ".join(f"v({c}{k})" for c in keep),
        ]
    ngspice = simulator()
    with ngspice.circuit("\n".join([*lines, ".options method=trap", ".end"])):
        ngspice.exec_command(f"setseed {seed}")
        numbers = f"{float(noise or step)!r} {float(duration)!r} 0 {float(step)!r}"
        vectors = ngspice.analyse(f"tran {numbers} uic", "time", float(duration))
        m = np.array([[vectors[f"{c}{k}"][1:] for c in keep] for k in range(start.shape[1])])
        return vectors["time"][1:].copy(), m
