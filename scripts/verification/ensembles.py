"""The numpy ensembles: error rates against Fokker-Planck, distributions against Boltzmann, orders."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import constants, stats
from scipy.integrate import cumulative_simpson

from mtjchar.physics import fokker_planck, llgs
from mtjchar.physics.anisotropy import GAMMA
from mtjchar.physics.llgs import Macrospin
from verification.report import COLOURS, Row, at_most, between, figure, plain_ticks

FloatArray = npt.NDArray[np.float64]

ALARM = 1e-9
"""False-alarm rate of every statistical comparison here."""

FIELD = 0.3  # T
TEMPERATURE = 300.0
AFTER = 2.0  # t_D of relaxation after a pulse


def layer(stability: float, damping: float, field: float = FIELD, **more: Any) -> Macrospin:
    """Return a perpendicular layer of this stability."""
    volume = 2.0 * stability * constants.k * TEMPERATURE / (1e6 * field)
    return Macrospin(1e6, volume, damping, field, TEMPERATURE, **more)


def generator(seed: int) -> np.random.Generator:
    """Return numpy's fastest generator."""
    return np.random.Generator(np.random.SFC64(seed))


# ---- error rates ----


class Pulse(NamedTuple):
    """Constant overdrive on a layer, and durations (t_D) with error rates from 0.9 to 1e-3."""

    stability: float
    overdrive: float
    durations: tuple[float, ...]


PULSES = (
    Pulse(20.0, 1.2, (2.0, 4.0, 8.5, 14.2)),
    Pulse(40.0, 2.0, (1.35, 2.0, 3.4, 5.1)),
    Pulse(60.0, 3.0, (0.94, 1.27, 2.0, 2.85)),
)


def count_errors(
    pulse: Pulse, ensemble: str, walkers: int, seed: int
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Count what is still in the well at +1 after each duration and the relaxation.

    Returns
    -------
    tuple of ndarray
        Durations as they were, a whole number of steps, t_D; walkers that failed.
    """
    rng = generator(seed)
    spin = layer(pulse.stability, 0.1)
    t_d, current = spin.relaxation_time, -pulse.overdrive * spin.critical_current
    m = llgs.equilibrium(spin, walkers, rng)
    durations = t_d * np.array(pulse.durations)
    drive = {"duration": durations[-1], "current": current, "record": durations, "rng": rng}
    if ensemble == "vector":
        step = 0.05 / (GAMMA * FIELD)  # rad of precession over its rate
        times, states = llgs.simulate(spin, m, step=step, **drive)
        ends = [llgs.simulate(spin, one, duration=AFTER * t_d, step=step, rng=rng).m[0, 2] for one in states]
    else:
        step = 0.01 * t_d
        times, states = llgs.simulate_reduced(spin, m[2], step=step, **drive)
        ends = [
            llgs.simulate_reduced(spin, one, duration=AFTER * t_d, step=step, rng=rng).m_z[0]
            for one in states
        ]
    return times / t_d, np.array([int((m_z > 0.0).sum()) for m_z in ends])


def interval(errors: int, walkers: int) -> tuple[float, float]:
    """95 % interval of a rate, Clopper and Pearson."""
    found = stats.binomtest(errors, walkers).proportion_ci(0.95)
    return float(found.low), float(found.high)


def within_chance(errors: int, walkers: int, rate: float, alarm: float = ALARM) -> bool:
    """Whether so many errors, or fewer or more, are as likely as `alarm`."""
    low, high = (stats.binom.ppf(share, walkers, rate) for share in (alarm / 2, 1 - alarm / 2))
    return bool(low <= errors <= high)


WALKERS = {"vector": 30_000, "reduced": 200_000}


def error_rates() -> list[Row]:
    """Compare both ensembles with Fokker-Planck."""
    rows = []
    with figure("ensembles") as (ax,):
        for pulse, colour, seed in zip(PULSES, COLOURS, itertools.count(31), strict=False):
            tau = np.geomspace(0.5, 1.1 * pulse.durations[-1], 200)
            label = f"Δ {pulse.stability:g}, i {pulse.overdrive:g}"
            ax.semilogy(
                tau,
                fokker_planck.write_error_rate(pulse.overdrive, pulse.stability, tau),
                color=colour,
                lw=1,
                label=label,
            )
            for ensemble, marker, shift in (("vector", "o", -0.012), ("reduced", "s", 0.012)):
                walkers = WALKERS[ensemble]
                durations, errors = count_errors(pulse, ensemble, walkers, seed)
                expected = fokker_planck.write_error_rate(pulse.overdrive, pulse.stability, durations)
                intervals = np.array([interval(int(k), walkers) for k in errors])
                rates = errors / walkers
                ax.errorbar(
                    durations * (1.0 + shift),
                    rates,
                    np.abs(intervals.T - rates),
                    fmt=marker,
                    ms=4.5,
                    mfc="none",
                    color=colour,
                    capsize=3,
                    lw=1,
                )
                for tau_one, k, (low, high), truth in zip(
                    durations.tolist(), errors.tolist(), intervals.tolist(), expected.tolist(), strict=True
                ):
                    rows.append(
                        Row(
                            f"error rate, {ensemble} ensemble",
                            f"{label}, τ {tau_one:.3f}; {walkers:,} walkers",
                            f"Fokker-Planck: {truth:.4g}",
                            f"{k / walkers:.4g} ({low:.4g} to {high:.4g})",
                            f"chance {ALARM:g}",
                            within_chance(k, walkers, truth),
                        )
                    )
        ax.set(
            xlabel="pulse duration, $t_D$",
            xscale="log",
            ylabel="error rate",
            ylim=(3e-4, 1.3),
            title="line: Fokker-Planck; circles: vector ensemble, squares: reduced (95 %)",
        )
        plain_ticks(ax, [0.5, 1, 2, 4, 8, 16])
        ax.legend(frameon=False, loc="lower left")
    return rows


# ---- equilibrium ----


IN_PLANE = 0.4  # T, mu0 Ms (ny - nx)


def elliptic(damping: float) -> Macrospin:
    """Return a low layer whose axes differ: 8 kT from z to x, 24 kT from z to y."""
    field = 0.2
    volume = 2.0 * 8.0 * constants.k * TEMPERATURE / (1e6 * field)
    ny = IN_PLANE / (constants.mu_0 * 1e6)
    return Macrospin(1e6, volume, damping, field, TEMPERATURE, demagnetizing=(0.0, ny, 0.0))


def boltzmann(spin: Macrospin, component: int) -> Callable[[FloatArray], FloatArray]:
    """Distribution function of one component of m, without current and field, by quadrature.

    The energy of the macrospin is written again here; nothing of the package's equilibrium is used.
    """
    scale = spin.magnetization * spin.volume / (2.0 * constants.k * spin.temperature)
    field = -constants.mu_0 * spin.magnetization * np.array(spin.demagnetizing)
    field[2] += spin.anisotropy_field
    cosine = np.linspace(-1.0, 1.0, 8001)[:, None]
    azimuth = 2.0 * np.pi * (np.arange(256) + 0.5) / 256
    around = 1.0 - cosine**2
    a, b = field[(component + 1) % 3], field[(component + 2) % 3]
    exponent = field[component] * cosine**2 + around * (a * np.cos(azimuth) ** 2 + b * np.sin(azimuth) ** 2)
    density = np.exp(scale * (exponent - field.max())).mean(axis=1)
    whole = cumulative_simpson(density, x=cosine[:, 0], initial=0)
    return lambda value: np.interp(value, cosine[:, 0], whole / whole[-1])


def folded(distribution: Callable[[FloatArray], FloatArray]) -> Callable[[FloatArray], FloatArray]:
    """Distribution of the magnitude, for a density that is even."""
    return lambda value: 2.0 * distribution(value) - 1.0


def distances(spin: Macrospin, m: FloatArray) -> list[float]:
    """Kolmogorov and Smirnov's distance of m_x, m_y and |m_z| from Boltzmann's distribution."""
    x, y, z = (boltzmann(spin, component) for component in range(3))
    return [
        float(stats.kstest(sample, expected).statistic)  # type: ignore[arg-type]  # arrays, which it takes
        for sample, expected in ((m[0], x), (m[1], y), (np.abs(m[2]), folded(z)))
    ]


def kolmogorov_limit(count: float, alarm: float = ALARM) -> float:
    """Largest distance that chance leaves (Massart's bound)."""
    return float(np.sqrt(np.log(2.0 / alarm) / (2.0 * count)))


def thermalized(walkers: int, damping: float = 0.2, seed: int = 41) -> tuple[Macrospin, FloatArray]:
    """States after 6 t_D from the pole; m_x and m_y forget their start, 0, as exp(-2 t/t_D) here."""
    spin = elliptic(damping)
    start = np.repeat([[0.0], [0.0], [1.0]], walkers, axis=1)
    step = 0.05 / (GAMMA * IN_PLANE)
    m = llgs.simulate(spin, start, duration=6.0 * spin.relaxation_time, step=step, rng=generator(seed)).m[0]
    return spin, m


# ---- orders ----


class _Repeated:
    """Gives out prepared normal numbers, one array a step, in the place of a generator."""

    def __init__(self, numbers: Iterable[FloatArray]) -> None:
        self._numbers = iter(numbers)

    def standard_normal(self, out: FloatArray) -> None:
        out[...] = next(self._numbers)


class Orders(NamedTuple):
    """Steps (s), root mean square and mean of the change when each is halved, standard error of the mean."""

    steps: FloatArray
    strong: FloatArray
    weak: FloatArray
    error: FloatArray


def halved_steps(ensemble: str, blocks: int, seed: int = 51) -> Orders:
    """Follow the same Wiener paths with steps that are halved again and again.

    Strong: distance of the end points. Weak: difference of the means of m_z (vector: of m_x as well, the
    larger one counts); the paths in common take most of the scatter out of it.
    """
    vector = ensemble == "vector"
    spin = layer(10.0 if vector else 40.0, 0.3, 0.2)
    current = -2.0 * spin.critical_current
    t_d, fine, walkers = spin.relaxation_time, 512, 2000
    duration = fine * 0.2e-12 if vector else 0.8 * t_d
    halvings = (16, 8, 4, 2, 1)
    strong, means = [], []
    for block in range(blocks):
        rng = generator(seed + block)
        noise = rng.standard_normal(
            (2 * fine, 3, walkers) if vector else (2 * fine, walkers)
        )  # of half a step
        ends = []
        for coarser in halvings:
            halves = noise.reshape(-1, coarser, *noise.shape[1:]).sum(axis=1) / np.sqrt(coarser)
            # The second half of the noise of a step comes together with the first half of the next.
            inner = halves[1:-1:2] + halves[2::2] if vector else halves[::2] + halves[1::2]
            summed = [halves[0], *inner / np.sqrt(2.0), halves[-1]] if vector else inner / np.sqrt(2.0)
            arguments: dict[str, Any] = {
                "duration": duration,
                "step": duration * coarser / fine,
                "rng": _Repeated(summed),
                "current": current,
            }
            if vector:
                start = np.repeat([[np.sin(0.8)], [0.0], [np.cos(0.8)]], walkers, axis=1)
                ends.append(llgs.simulate(spin, start, **arguments).m[0])
            else:
                ends.append(llgs.simulate_reduced(spin, np.full(walkers, 0.7), **arguments).m_z)
        changes = [a - b for a, b in itertools.pairwise(ends)]
        strong.append([np.mean((change**2).sum(axis=0)) for change in changes])
        means.append([change.mean(axis=1) for change in changes])
    mean = np.mean(means, axis=0)
    error = np.std(means, axis=0, ddof=1) / np.sqrt(blocks)
    which = np.arange(len(mean)), np.abs(mean).argmax(axis=1)
    steps = duration / fine * np.array(halvings[:-1])
    return Orders(steps, np.sqrt(np.mean(strong, axis=0)), np.abs(mean[which]), error[which])


def slope(steps: FloatArray, values: FloatArray) -> float:
    """Order from a line through the logarithms."""
    return float(np.polyfit(np.log(steps), np.log(values), 1)[0])


def orders() -> list[Row]:
    """Measure strong and weak orders of both ensembles with noise."""
    rows = []
    with figure("orders", columns=2) as axes:
        for ax, ensemble, theory, rate in ((axes[0], "vector", 0.5, 2.0), (axes[1], "reduced", 1.0, 1.0)):
            found = halved_steps(ensemble, 40)
            picoseconds = found.steps * 1e12
            for name, values, error, colour, order in (
                ("strong", found.strong, 0.0 * found.error, COLOURS[0], theory),
                ("weak", found.weak, 1.96 * found.error, COLOURS[1], rate),
            ):
                ax.errorbar(picoseconds, values, error, fmt="o", color=colour, capsize=3, label=name)
                guide = values[0] * (picoseconds / picoseconds[0]) ** order
                ax.plot(picoseconds, guide, ":", color=colour, lw=1, label=f"slope {order:g}")
            ax.set(
                xscale="log",
                yscale="log",
                xlabel="step, ps",
                ylabel="change of m when the step is halved",
                title=f"{ensemble} ensemble, noise",
            )
            plain_ticks(ax, [round(one, 2) for one in picoseconds])
            ax.legend(
                frameon=False,
                ncols=2,
                loc="upper left",
                bbox_to_anchor=(0.0, 0.8 if ensemble == "vector" else 1.0),
            )
            strong, weak = slope(found.steps, found.strong), slope(found.steps, found.weak)
            rows += [
                between(
                    f"strong order, {ensemble} ensemble",
                    "same noise, steps halved; i 2",
                    f"theory: {theory:g}",
                    strong,
                    theory - 0.1,
                    theory + 0.5,
                ),
                between(
                    f"weak order, {ensemble} ensemble",
                    "the same, mean of m; 80,000 walkers",
                    "theory: 1 at least",
                    weak,
                    0.8,
                    2.3,
                )
                if ensemble == "reduced"
                else at_most(
                    f"weak error, {ensemble} ensemble",
                    f"the same, mean of m; step of {picoseconds[0]:.2g} ps; 80,000 walkers",
                    f"theory: order 2; standard error {found.error[0]:.1g}",
                    float(found.weak[0]),
                    6.2 * float(found.error[0]),
                ),
            ]
    return rows
