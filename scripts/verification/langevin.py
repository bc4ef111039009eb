"""The vector netlist with its thermal field: error rates and equilibrium."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.physics import fokker_planck, llgs
from mtjchar.physics.anisotropy import GAMMA
from mtjchar.physics.llgs import Macrospin
from verification import ensembles
from verification.decks import follow
from verification.ensembles import ALARM
from verification.report import COLOURS, Row, at_most, figure

FloatArray = npt.NDArray[np.float64]

DECK = 30  # junctions; more in one deck cost more each
ANGLE = (
    0.1  # precession within a sampling time of the noise; wrong by its square over 12, 1e-3, in the variance
)
DAMPING = 0.5  # makes the relaxation short; in reduced time the error rate does not depend on it
AFTER = 1.5  # t_D of relaxation


class Point(NamedTuple):
    """Constant overdrive during tau, in t_D."""

    overdrive: float
    stability: float
    tau: float


POINTS = {
    Point(1.5, 30.0, 1.8): 300,
    Point(2.0, 40.0, 2.0): 300,
    Point(3.0, 60.0, 1.75): 600,
    Point(4.0, 30.0, 1.45): 1200,
}
"""Points and trajectories on the page; error rates 0.9, 0.45, 0.08 and 0.01."""


def count_errors(point: Point, trajectories: int, seed: int) -> int:
    """Count trajectories that end in the well at +1: thermal start, pulse, relaxation."""
    spin = ensembles.layer(point.stability, DAMPING)
    t_d, noise = spin.relaxation_time, ANGLE / (GAMMA * ensembles.FIELD)
    start = llgs.equilibrium(spin, trajectories, np.random.default_rng(seed))
    errors = 0
    for deck, first in enumerate(range(0, trajectories, DECK)):
        _, m = follow(
            spin,
            start[:, first : first + DECK],
            duration=(point.tau + AFTER) * t_d,
            step=0.5 * noise,
            current=-point.overdrive * spin.critical_current,
            pulse=point.tau * t_d,
            noise=noise,
            seed=1000 * seed + deck,
            keep="z",
        )
        errors += int((m[:, 0, -1] > 0.0).sum())
    return errors


def error_rates() -> list[Row]:
    """Compare trajectories of the netlist with Fokker-Planck."""
    rows = []
    with figure("langevin") as (ax,):
        for (point, trajectories), colour, seed in zip(
            POINTS.items(), COLOURS, itertools.count(61), strict=False
        ):
            errors = count_errors(point, trajectories, seed)
            low, high = ensembles.interval(errors, trajectories)
            expected = float(fokker_planck.write_error_rate(*point))
            label = f"Δ {point.stability:g}, i {point.overdrive:g}"
            rate = errors / trajectories
            rows.append(
                Row(
                    "error rate, netlist with noise",
                    f"{label}, τ {point.tau:g}; {errors} of {trajectories}",
                    f"Fokker-Planck: {expected:.4g}",
                    f"{rate:.4g} ({low:.3g} to {high:.3g})",
                    f"chance {ALARM:g}",
                    ensembles.within_chance(errors, trajectories, expected),
                )
            )
            tau = np.linspace(0.0, 3.0, 200)
            curve = fokker_planck.write_error_rate(point.overdrive, point.stability, tau)
            ax.semilogy(tau, curve, color=colour, lw=1, label=label)
            ax.errorbar(
                point.tau, rate, [[rate - low], [high - rate]], fmt="o", ms=5, color=colour, capsize=4
            )
        ax.set(
            xlabel="pulse duration, $t_D$",
            ylabel="error rate",
            ylim=(2e-3, 1.3),
            title="line: Fokker-Planck; points: ngspice with noise, 95 %",
        )
        ax.legend(frameon=False, loc="lower left")
    return rows


# ---- equilibrium ----

SPACING = 2.0  # t_D between two samples of a junction


def thermalized(junctions: int, samples: int, seed: int = 71) -> tuple[Macrospin, FloatArray, float]:
    """States of the netlist in equilibrium.

    Returns
    -------
    tuple
        The layer, m of shape (3, states), and how many independent states they are worth: with this damping
        and shape m_x and m_y turn around the axis and forget as exp(-2 t/t_D).
    """
    spin = ensembles.elliptic(DAMPING)
    t_d, noise = spin.relaxation_time, ANGLE / (GAMMA * ensembles.IN_PLANE)
    wanted = 6.0 * t_d + SPACING * t_d * np.arange(samples)
    found = []
    for deck, first in enumerate(range(0, junctions, DECK)):
        count = min(DECK, junctions - first)
        start = np.repeat([[0.0], [0.0], [1.0]], count, axis=1)
        time, m = follow(
            spin, start, duration=wanted[-1], step=0.5 * noise, noise=noise, seed=1000 * seed + deck
        )
        at = np.searchsorted(time, wanted * (1.0 - 1e-9))
        found.append(m[:, :, at].transpose(1, 0, 2).reshape(3, -1))
    states = np.concatenate(found, axis=1)
    memory = np.exp(-2.0 * SPACING)
    return spin, states, states.shape[1] * (1.0 - memory) / (1.0 + memory)


def equilibrium() -> list[Row]:
    """Compare the distributions of m_x, m_y and m_z with Boltzmann's."""
    rows = []
    names = ("m_x", "m_y", "|m_z|")
    walkers = 100_000
    spin, ensemble = ensembles.thermalized(walkers)
    _, netlist, worth = thermalized(2 * DECK, 30)
    cases = (
        ("llgs.simulate", f"{walkers:,} walkers, 6 t_D from the pole", ensemble, float(walkers)),
        (
            "vector netlist",
            f"{2 * DECK} junctions, {netlist.shape[1]} states {SPACING:g} t_D apart",
            netlist,
            worth,
        ),
    )
    for program, how, m, count in cases:
        for name, distance in zip(names, ensembles.distances(spin, m), strict=True):
            rows.append(
                at_most(
                    f"distribution of {name}, {program}",
                    how,
                    "Boltzmann, by quadrature (distance by Kolmogorov and Smirnov)",
                    distance,
                    ensembles.kolmogorov_limit(count),
                )
            )
    with figure("equilibrium", columns=3, height=3.2) as axes:
        for ax, name, component in zip(axes, "xyz", range(3), strict=True):
            edges = np.linspace(-1, 1, 61) if component < 2 else np.linspace(0.5, 1, 41)
            expected = ensembles.boltzmann(spin, component)
            fold = 1.0 if component < 2 else 2.0
            for (program, _, m, _), colour, style in zip(cases, COLOURS, ("-", "o"), strict=False):
                sample = m[component] if component < 2 else np.abs(m[component])
                bins = edges if style == "-" else edges[::4]
                counts, _ = np.histogram(sample, bins)
                density = counts / len(sample) / np.diff(bins)
                if style == "-":
                    ax.stairs(density, bins, color=colour, alpha=0.35, fill=True, label=program)
                else:
                    middle = 0.5 * (bins[1:] + bins[:-1])
                    spread = np.sqrt(np.maximum(counts, 1)) / len(sample) / np.diff(bins)
                    ax.errorbar(
                        middle, density, 1.96 * spread, fmt="o", ms=3, lw=0.8, color=colour, label=program
                    )
            fine = np.linspace(edges[0], edges[-1], 401)
            ax.plot(fine, fold * np.gradient(expected(fine), fine), color="black", lw=1, label="Boltzmann")
            ax.set(xlabel=f"$m_{name}$" if component < 2 else "$|m_z|$")
        axes[0].set_ylabel("probability density")
        axes[2].legend(frameon=False, fontsize=8)
    return rows
