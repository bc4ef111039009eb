"""Other people's macrospin: cmtj (PyPI) against `llgs.simulate`, where cmtj is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import constants, stats
from scipy.interpolate import CubicSpline

from mtjchar.physics import fokker_planck, llgs
from mtjchar.physics.anisotropy import GAMMA
from mtjchar.physics.llgs import Macrospin
from verification import ensembles
from verification.circuits import crossing, direction
from verification.ensembles import ALARM
from verification.report import COLOURS, Row, at_most, figure

FloatArray = npt.NDArray[np.float64]

THICKNESS = 1e-9  # cmtj takes thickness and area; only their product matters here
PER_TESLA = 795774.715459  # cmtj's conversion from T to A/m
GYRATION = 220880.0  # m/(A s), cmtj's value, 0.2 % below that of the electron


@contextlib.contextmanager
def same_gyromagnetic_ratio() -> Iterator[Any]:
    """Give cmtj the gyromagnetic ratio of mtjchar for a while; yield the package."""
    import cmtj

    cmtj.constants.PhysicalConstants.set_gyromagnetic_ratio(GAMMA / PER_TESLA)
    try:
        yield cmtj
    finally:
        cmtj.constants.PhysicalConstants.set_gyromagnetic_ratio(GYRATION)


def junction(cmtj: Any, spin: Macrospin, start: FloatArray, current: float = 0.0) -> Any:
    """Build the same free layer in cmtj, without field-like torque."""
    tesla = constants.mu_0 * spin.magnetization
    demagnetizing = [
        cmtj.CVector(*row) for row in np.diag(np.asarray(spin.demagnetizing, dtype=float)).tolist()
    ]
    layer = cmtj.Layer.createSTTLayer(
        "free",
        mag=cmtj.CVector(*start.tolist()),
        anis=cmtj.CVector(0.0, 0.0, 1.0),
        Ms=tesla,
        thickness=THICKNESS,
        cellSurface=spin.volume / THICKNESS,
        demagTensor=demagnetizing,
        damping=spin.damping,
        SlonczewskiSpacerLayerParameter=spin.lambda_,
        beta=0.0,
        spinPolarisation=spin.polarization,
    )
    layer.setReferenceLayer(cmtj.CVector(*spin.reference))
    built = cmtj.Junction([layer])
    constant = cmtj.ScalarDriver.getConstantDriver
    built.setLayerAnisotropyDriver("free", constant(0.5 * spin.anisotropy_field * spin.magnetization))
    built.setLayerCurrentDriver("free", constant(current * THICKNESS / spin.volume))
    field = [value * PER_TESLA for value in spin.field]
    built.setLayerExternalFieldDriver("free", cmtj.AxialDriver(*(constant(value) for value in field)))
    if spin.temperature:
        built.setLayerTemperatureDriver("free", constant(spin.temperature))
    return built


def logged(built: Any) -> tuple[FloatArray, FloatArray]:
    """Time and m, (3, times), of the last run."""
    log = built.getLog()
    return np.array(log["time"]), np.array([log[f"free_m{c}"] for c in "xyz"])


def without_noise(cmtj: Any) -> tuple[list[Row], dict[str, tuple[FloatArray, ...]]]:
    """Compare a damped precession in three dimensions, and a switching time."""
    spin = Macrospin(
        1e6, 1.6e-24, 0.05, 0.3, 0.0, demagnetizing=(0.01, 0.06, 0.05), field=(0.02, 0.03, -0.01)
    )
    start, duration, step = direction(1.2, 0.4), 2e-9, 1e-13
    built = junction(cmtj, spin, start)
    built.runSimulation(duration, step, 10 * step, solverMode=cmtj.SolverMode.RK4)
    time, theirs = logged(built)
    times, m = llgs.simulate(spin, start, duration=duration, step=step, record=np.linspace(0, duration, 2001))
    # cmtj logs a state with the time at which its last step began.
    shift = step
    inside = time + shift < duration
    difference = np.abs(theirs - CubicSpline(times, m[:, :, 0])(time + shift).T)[:, inside]

    # cmtj's torque has no part along m x p. In the form of Landau and Lifshitz that is a field-like torque of
    # alpha times the damping-like one, which takes 1 + alpha^2 off the current.
    tilt, current = np.sin(0.2), -3.0 * spin.critical_current
    driven = replace(spin, lambda_=1.5, field_like=spin.damping, reference=(tilt, 0.0, np.sqrt(1 - tilt**2)))
    built = junction(cmtj, driven, start, current * (1.0 + spin.damping**2))
    built.runSimulation(duration, step, 10 * step, solverMode=cmtj.SolverMode.RK4)
    with_torque = logged(built)[1]
    m_driven = llgs.simulate(
        driven, start, duration=duration, step=step, current=current, record=np.linspace(0, duration, 2001)
    ).m[:, :, 0]
    off = np.abs(with_torque - CubicSpline(times, m_driven)(time + shift).T)[:, inside]

    axial = ensembles.layer(40.0, 0.05)
    cold = replace(axial, temperature=0.0)
    current, start = -2.0 * cold.critical_current, direction(0.1, 0.0)
    duration = 6.0 * cold.relaxation_time
    built = junction(cmtj, cold, start, current)
    built.runSimulation(duration, step, 10 * step, solverMode=cmtj.SolverMode.RK4)
    own_time, own = logged(built)
    found = crossing(own_time + shift, own[2])
    times_z, z = llgs.simulate(
        cold, start, duration=duration, step=2e-13, current=current, record=np.linspace(0, duration, 4001)
    )
    expected = crossing(times_z, z[:, 2, 0])
    truth = "cmtj, Runge-Kutta 4, step 0.1 ps"
    how = "2 ns, elliptic, field in three directions, step 0.1 ps"
    rows = [
        at_most("m(t), llgs.simulate", "no current, " + how, truth, float(difference.max()), 1e-3),
        at_most("m(t), llgs.simulate", "current, Λ 1.5, tilt 0.2, " + how, truth, float(off.max()), 1e-3),
        at_most(
            "switching time, llgs.simulate",
            f"i = 2 from 0.1 rad, axial: {expected * 1e9:.5f} ns",
            f"cmtj: {found * 1e9:.5f} ns",
            abs(expected / found - 1.0),
            1e-3,
        ),
    ]
    return rows, {"llgs": (times, *m_driven.T), "cmtj": (time + shift, *with_torque)}


def with_noise(cmtj: Any, runs: int = 4000) -> tuple[list[Row], FloatArray]:
    """Compare an equilibrium and a switching probability; cmtj's Heun scheme."""
    spin = ensembles.layer(20.0, 0.5)
    t_d, samples = spin.relaxation_time, 20_000
    step, spacing = 0.05 / (GAMMA * ensembles.FIELD), 3.0 * t_d
    steps = round(spacing / step)
    built = junction(cmtj, spin, direction(0.2, 0.0))
    built.setLayerSeed("free", 81)
    built.runSimulation(samples * spacing, spacing / steps, spacing, solverMode=cmtj.SolverMode.Heun)
    theirs = np.abs(logged(built)[1][2][4:])
    start = np.repeat([[0.0], [0.0], [1.0]], samples, axis=1)
    ours = llgs.simulate(spin, start, duration=8.0 * t_d, step=step, rng=ensembles.generator(82)).m[0, 2]
    truth = ensembles.folded(ensembles.boltzmann(spin, 2))
    two = stats.ks_2samp(theirs, np.abs(ours))
    own = stats.kstest(theirs, truth)  # type: ignore[arg-type]  # of arrays, which it takes
    means = [float(np.mean(1.0 - sample**2)) for sample in (np.abs(ours), theirs)]
    rows = [
        Row(
            "equilibrium of |m_z|, llgs.simulate",
            f"Δ 20, α 0.5, {samples:,} states each; mean of 1 - m_z²: {means[0]:.5f} and {means[1]:.5f}",
            "cmtj, two samples of Kolmogorov and Smirnov",
            f"distance {two.statistic:.4f}, p = {two.pvalue:.2g}",
            f"p ≥ {ALARM:g}",
            bool(two.pvalue >= ALARM),
        ),
        Row(
            "equilibrium of |m_z|, cmtj",
            "the same states",
            "Boltzmann, by quadrature",
            f"distance {own.statistic:.4f}, p = {own.pvalue:.2g}",
            f"p ≥ {ALARM:g}",
            bool(own.pvalue >= ALARM),
        ),
    ]

    spin = ensembles.layer(40.0, 0.5)
    t_d, overdrive, tau = spin.relaxation_time, 2.0, 2.5
    current = -overdrive * spin.critical_current
    duration, after = tau * t_d, 2.0 * t_d
    steps = round(duration / step)
    states = llgs.equilibrium(spin, runs, ensembles.generator(83))
    ends = np.empty(runs)
    idle = cmtj.ScalarDriver.getConstantDriver(0.0)
    for run, state in enumerate(states.T):
        built = junction(cmtj, spin, state, current)
        built.setLayerSeed("free", 84 + run)
        built.runSimulation(duration, duration / steps, duration, solverMode=cmtj.SolverMode.Heun)
        built.clearLog()
        built.setLayerCurrentDriver("free", idle)
        built.runSimulation(after, duration / steps, after, solverMode=cmtj.SolverMode.Heun)
        ends[run] = built.getLayerMagnetisation("free").z
    theirs = int((ends > 0.0).sum())
    rng = ensembles.generator(85)
    m = llgs.equilibrium(spin, 20 * runs, rng)
    m = llgs.simulate(spin, m, duration=duration, step=step, current=current, rng=rng).m[0]
    m = llgs.simulate(spin, m, duration=after, step=step, rng=rng).m[0]
    ours = int((m[2] > 0.0).sum())
    table = [[theirs, runs - theirs], [ours, 20 * runs - ours]]
    chance = float(stats.fisher_exact(np.array(table)).pvalue)
    low, high = ensembles.interval(theirs, runs)
    truth_rate = float(fokker_planck.write_error_rate(overdrive, 40.0, tau))
    rows.append(
        Row(
            "error rate, llgs.simulate",
            f"Δ 40, i 2, τ 2.5: {ours / (20 * runs):.4f} of {20 * runs:,}; Fokker-Planck {truth_rate:.4f}",
            f"cmtj: {theirs / runs:.4f} ({low:.4f} to {high:.4f}) of {runs:,}",
            f"p = {chance:.2g}, Fisher's test",
            f"p ≥ {ALARM:g}",
            chance >= ALARM,
        )
    )
    return rows, np.asarray(ends)


def cmtj_cases() -> list[Row]:
    """Run all cases; the version of cmtj stands in each row."""
    with same_gyromagnetic_ratio() as cmtj:
        rows, paths = without_noise(cmtj)
        rows += with_noise(cmtj)[0]
    with figure("cmtj") as (ax,):
        for k, (name, colour) in enumerate(zip("xyz", COLOURS, strict=False), 1):
            time, theirs = paths["cmtj"][0], paths["cmtj"][k]
            ax.plot(paths["llgs"][0] * 1e9, paths["llgs"][k], color=colour, lw=1, label=f"$m_{name}$")
            ax.plot(time[::12] * 1e9, theirs[::12], ".", ms=3.5, color=colour)
        ax.set(
            xlabel="time, ns",
            ylabel="m",
            xlim=(-0.02, 0.8),
            title="line: llgs.simulate; points: cmtj (current, Λ 1.5, tilt, elliptic)",
        )
        ax.legend(frameon=False, loc="upper right")
    release = f"cmtj {version('cmtj')}"
    return [row._replace(expected=row.expected.replace("cmtj", release)) for row in rows]
