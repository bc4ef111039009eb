"""Reference probabilities under drives that hold the state: writes tests/reference/held_drives.csv anew.

    PYTHONPATH=scripts python -m verification.held_reference

Needs mpmath and some five minutes. Nothing of `mtjchar` is used, and no method of it: the adjoint equation
for p = 1 - q in Legendre polynomials, and the contour integral of its resolvent, of
`verification.reference`, in 130 digits. No cells, no time steps, no sums of positive terms. The whole
axis is solved: a magnetization that has switched can come back over the barrier from -1.

Before the drive: exp(-Delta (1 - z^2)) on z > 0. After it: the probability to end in the well at -1,
dp/dz ~ -exp(-Delta z^2) / (1 - z^2) (1 - (z/w)^20)^8 for |z| < w = min(1 - 1/(2 Delta), sqrt(16/Delta)), the
definition of `mtjchar.physics`. Where it ends determines probabilities below exp(-Delta).

A drive that fades is i exp(-tau/fading), as means over steps: four of 0.025, then growing by a factor of
about 1.25 up to 40, see `edges`.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mpmath import mp, mpf

from verification import reference

FILE = Path(__file__).resolve().parents[2] / "tests/reference/held_drives.csv"
HEADER = """\
# Probability that a drive that holds the state switches nevertheless, axially symmetric macrospin.
# Made by: PYTHONPATH=scripts python -m verification.held_reference (mpmath, 130 digits; see its docstring).
# fading: time constant of the drive over t_D, 0 for a constant one. error: change with fewer polynomials.
stability,overdrive,fading,reduced_time,probability,error
"""
DIGITS, POINTS = 130, 130
CONSTANT = ((25.0, -0.5), (43.0, -0.2), (43.0, -0.5), (43.0, -0.9), (80.0, -0.5), (80.0, -0.9))
TIMES = (3.0, 8.5, 12.0, 20.0, 60.0)
FADING, FADES = (43.0, -0.8, 6.0), (16, 22, 25, 28, 31)  # the last ones: numbers of steps


def edges() -> npt.NDArray[np.float64]:
    """Edges of the steps of a drive that fades, over t_D."""
    growing = np.geomspace(0.1, 40.0, 1 + math.ceil(math.log(400.0) / math.log(1.25)))
    return np.concatenate([np.linspace(0.0, 0.1, 5), growing[1:]])


def polynomials(delta: float) -> int:
    """How many are needed: found by trial."""
    return 300 if delta < 50.0 else 420


@functools.cache
def start_and_end(delta: float) -> tuple[list[mpf], list[mpf]]:
    """Moments of the initial density, and Legendre coefficients of the probability to fall to -1."""
    count = polynomials(delta)
    rule = reference.nodes(count // 2 + 220)
    density = [weight * mp.exp(-delta * (1 - z * z)) for z, weight in rule]
    norm = mp.fsum(density)
    start = reference.moments(
        [z for z, _ in rule], [value / norm for value in density], derivative=False, count=count
    )
    well = min(1 - 1 / (2 * mpf(delta)), mp.sqrt(16 / mpf(delta)))
    inside = [well * z for z, _ in rule]
    slope = [
        weight * mp.exp(-delta * z * z) * (1 - (z / well) ** 20) ** 8
        for z, (_, weight) in zip(inside, rule, strict=True)
    ]
    # (1 - z^2) p' against P'_n, which are orthogonal with that weight; p - 1/2 is odd.
    raw = reference.moments(inside, slope, derivative=True, count=count)
    total = 2 * mp.fsum(value / (1 - z * z) for z, value in zip(inside, slope, strict=True))
    end = [-raw[n] * (2 * n + 1) / (n * (n + 1)) / total if n % 2 else mpf(0) for n in range(count)]
    end[0] = mpf("0.5")
    return start, end


def probability(delta: float, stages: list[tuple[float, float]], count: int) -> mpf:
    """Probability after stages (overdrive, time over t_D), with `count` polynomials."""
    start, end = (coefficients[:count] for coefficients in start_and_end(delta))
    for overdrive, length in reversed(stages):
        end = reference.propagated(reference.generator(delta, overdrive, count), end, length, POINTS)
    return mp.fdot(start, end)


def main() -> None:
    """Compute the probabilities and write the file."""
    mp.dps = DIGITS
    cases = [(delta, i, 0.0, tau, [(i, tau)]) for delta, i in CONSTANT for tau in TIMES]
    delta, i, fading = FADING
    levels = -i * fading * np.diff(np.exp(-edges() / fading)) / np.diff(edges())
    stages = list(zip(map(float, levels), map(float, np.diff(edges())), strict=True))
    cases += [(delta, i, fading, float(edges()[last]), stages[:last]) for last in FADES]
    lines = [HEADER]
    for delta, i, fading, tau, parts in cases:
        value, fewer = (probability(delta, parts, int(share * polynomials(delta))) for share in (1.0, 0.9))
        error = float(fewer / value - 1)
        lines.append(f"{delta:g},{i:g},{fading:g},{tau:.9g},{mp.nstr(value, 7)},{error:.1e}\n")
        print(lines[-1], end="", flush=True)
    FILE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
