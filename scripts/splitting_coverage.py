"""Do the intervals of splitting hold what they promise? Against Fokker-Planck, from 1e-1 to 1e-9.

    .venv/bin/python scripts/splitting_coverage.py                 100 repetitions, about 3 minutes
    .venv/bin/python scripts/splitting_coverage.py --seed 1000     the same with other random numbers

An axially symmetric macrospin (stability 40, damping 0.1, overdrive 2) is written by `physics.splitting`,
in 16 replicas of 1000 walkers, again and again. Printed for each error rate: the mean over its exact value,
how often the 95 % interval holds the exact value, and the median half width of the interval. The last line
compares the processor time of one run with that of 1e4 plain trials of the same pulse, with the step of
counted errors. docs/verification.md keeps a run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import constants

from mtjchar.physics import fokker_planck, llgs, splitting

STABILITY, DAMPING, OVERDRIVE = 40.0, 0.1, 2.0
RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)
WALKERS, REPLICAS = 1000, 16
TRIALS = 10_000


def macrospin() -> llgs.Macrospin:
    """Macrospin of the comparison, mu0 Hk = 0.4 T at 300 K."""
    magnetization, field, temperature = 1e6, 0.4, 300.0
    volume = STABILITY * constants.k * temperature / (0.5 * magnetization * field)
    return llgs.Macrospin(
        magnetization=magnetization,
        volume=volume,
        damping=DAMPING,
        anisotropy_field=field,
        temperature=temperature,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first repetition")
    options = parser.parse_args()
    repetitions = options.repetitions
    spin = macrospin()
    current = -OVERDRIVE * spin.critical_current
    grid = np.linspace(1.0, 14.0, 400)
    exact = fokker_planck.write_error_rate(OVERDRIVE, STABILITY, grid)
    tau = np.interp(-np.log(RATES), -np.log(exact), grid)
    exact = fokker_planck.write_error_rate(OVERDRIVE, STABILITY, tau)

    rates, held, width = [], [], []
    start = time.process_time()
    for seed in range(options.seed, options.seed + repetitions):
        rng = np.random.Generator(np.random.SFC64(seed))
        found = splitting.write_error_rate(
            spin,
            [current],
            tau * spin.relaxation_time,
            target=-1.0,
            walkers=WALKERS,
            replicas=REPLICAS,
            rng=rng,
        )
        lower, upper = (bound[0] for bound in found.interval())
        rates.append(found.error_rate[0])
        held.append((lower <= exact) & (exact <= upper))
        width.append(0.5 * (upper - lower) / found.error_rate[0])
    each = (time.process_time() - start) / repetitions

    table = Table("error rate", "t/t_D", "mean / exact", "95 % interval holds it", "half width")
    for k, rate in enumerate(exact):
        table.add_row(
            f"{rate:.1e}",
            f"{tau[k]:.2f}",
            f"{np.mean(rates, axis=0)[k] / rate:.3f}",
            f"{np.mean(held, axis=0)[k]:.0%}",
            f"{np.median(width, axis=0)[k]:.0%}",
        )
    console = Console()
    console.print(table)

    rng = np.random.Generator(np.random.SFC64(repetitions))
    start = time.process_time()
    llgs.simulate(
        spin,
        llgs.equilibrium(spin, TRIALS, rng),
        duration=tau[-1] * spin.relaxation_time,
        step=0.5 * llgs.largest_step(spin, current),
        current=current,
        rng=rng,
    )
    plain = time.process_time() - start
    console.print(f"one run {each:.2f} s, {TRIALS} plain trials {plain:.2f} s of processor time")


if __name__ == "__main__":
    main()
