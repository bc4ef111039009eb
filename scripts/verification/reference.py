"""Reference error rates in 50 digits: writes tests/reference/fokker_planck.csv anew.

    python scripts/verification/reference.py

Needs mpmath (`pip install mpmath`; with gmpy2 beside it five minutes, without some twenty). The points
(stability, overdrive, reduced time) are those of the file; the rates are computed. Nothing of `mtjchar` is
used, and no method of it: the adjoint equation

    dq/dtau = -(i - z)(1 - z^2) dq/dz + d/dz [(1 - z^2) dq/dz] / (2 Delta)

couples each Legendre coefficient of q to four neighbours only. The exponential of that matrix is a contour
integral of its resolvent (Weideman and Trefethen, Math. Comp. 76, 1341 (2007), the cotangent contour), each
point of which is one solution of a banded system; the error falls by a fixed factor with every point. The
error rate is the product of q with the Legendre moments of exp(-Delta (1 - z^2)) on z > 0.

After the pulse: q(z, 0) is the probability to end in the well at +1 without drive,

    dq/dz ~ exp(-Delta z^2) / (1 - z^2) (1 - (z/w)^p)^16  for |z| < w = 1 - 1/(2 Delta), else 0,

with p = 16. The last factor ends it smoothly at the floor of the wells; where it ends is a matter of
definition, which reaches error rates of the order of exp(-Delta). The column `definition` is the relative
change of the rate with p = 32. Following the density for six t_D without drive instead gives the same within
1e-5 (Delta = 20, i = 8, rate 0.1; p = 8 would be off by 3e-4 there) and adds what escapes in that time, 3e-8
at Delta = 20.
"""

from __future__ import annotations

import csv
import functools
import sys
from pathlib import Path

import mpmath
from mpmath import mp, mpf

FILE = Path(__file__).resolve().parents[2] / "tests/reference/fokker_planck.csv"
HEADER = """\
# Write error rates of the axially symmetric macrospin, constant overdrive, relaxation included.
# Made by: python scripts/verification/reference.py (mpmath {version}, {digits} digits; see its docstring).
# definition: relative change of the rate with another end of the committor in the wells.
# error: relative change of the rate with fewer Legendre polynomials and contour points.
"""
DIGITS = 50
MOST = 500  # Legendre polynomials at the largest Delta and overdrive
mp.dps = DIGITS


def moments(values: list[mpf], weights: list[mpf], *, derivative: bool, count: int = MOST) -> list[mpf]:
    """Sum `weights` times P_n or its derivative over the points, for n below `count`."""
    before, now = [mpf(0)] * len(values), [mpf(1)] * len(values)
    slope_before, slope = [mpf(0)] * len(values), [mpf(0)] * len(values)
    result = []
    for n in range(count):
        result.append(mp.fdot(weights, slope if derivative else now))
        up, down = mpf(2 * n + 1) / (n + 1), mpf(n) / (n + 1)
        if derivative:  # P'_{n+1} = P'_{n-1} + (2n + 1) P_n
            following = [b + (2 * n + 1) * p for b, p in zip(slope_before, now, strict=True)]
            slope_before, slope = slope, following
        following = [up * z * p - down * b for z, p, b in zip(values, now, before, strict=True)]
        before, now = now, following
    return result


@functools.cache
def nodes(count: int) -> list[tuple[mpf, mpf]]:
    """Return Gauss and Legendre's nodes and weights on 0 to 1, by Newton's method."""
    found = []
    for k in range(1, count + 1):
        x = mp.cos(mp.pi * (k - mpf("0.25")) / (count + mpf("0.5")))
        change = mpf(1)
        while abs(change) > mpf(10) ** (4 - mp.dps):
            before, now = mpf(1), x
            for n in range(1, count):
                before, now = now, ((2 * n + 1) * x * now - n * before) / (n + 1)
            slope = count * (x * now - before) / (x * x - 1)
            change = now / slope
            x -= change
        found.append(((1 + x) / 2, 1 / ((1 - x * x) * slope**2)))
    return found


@functools.cache
def start_and_end(delta: float, power: int) -> tuple[list[mpf], list[mpf]]:
    """Moments of the initial density, and Legendre coefficients of the committor."""
    # Polynomials of degree 16 p + MOST times exp(Delta z^2), on half of the axis.
    rule = nodes(8 * power + MOST // 2 + 100)
    z, weight = [list(column) for column in zip(*rule, strict=True)]
    density = [w * mp.exp(-delta * (1 - x * x)) for x, w in rule]
    norm = mp.fsum(density)
    density = [value / norm for value in density]
    well = 1 - 1 / (2 * mpf(delta))
    inside = [well * x for x in z]
    slope = [
        w * mp.exp(-delta * x * x) * (1 - (x / well) ** power) ** 16
        for x, w in zip(inside, weight, strict=True)
    ]
    # (1 - z^2) q' against P'_n, which are orthogonal with that weight; q - 1/2 is odd.
    raw = moments(inside, slope, derivative=True)
    committor = [raw[n] * (2 * n + 1) / (n * (n + 1)) if n % 2 else mpf(0) for n in range(MOST)]
    total = 2 * mp.fsum(committor)
    committor = [value / total for value in committor]
    committor[0] = mpf("0.5")
    return moments(z, density, derivative=False), committor


def generator(delta: float, overdrive: float, count: int) -> list[list[mpf]]:
    """Return rows of the operator in Legendre coefficients: couplings to n - 2, ..., n + 2."""
    delta, overdrive = mpf(delta), mpf(overdrive)

    def lift(k: int) -> mpf:  # (1 - z^2) P'_k = lift_k (P_{k-1} - P_{k+1})
        return mpf(k * (k + 1)) / (2 * k + 1)

    rows = []
    for n in range(count):
        # z P_k contributes to P_n from k = n - 1 and n + 1.
        below = mpf(n) / (2 * n - 1)
        above = mpf(n + 1) / (2 * n + 3)
        rows.append(
            [
                -below * lift(n - 2) if n >= 2 else mpf(0),
                overdrive * lift(n - 1) if n >= 1 else mpf(0),
                below * lift(n) - above * lift(n) - mpf(n * (n + 1)) / (2 * delta),
                -overdrive * lift(n + 1),
                above * lift(n + 2),
            ]
        )
    return rows


def resolvent(rows: list[list[mpf]], s: mpmath.mpc, right: list[mpf]) -> list[mpmath.mpc]:
    """Solve (s - L) x = right by elimination without pivoting."""
    size = len(rows)
    one, two, x = [None] * size, [None] * size, list(right)  # normalized rows: 1, one, two
    for n, (low2, low1, diagonal, up1, up2) in enumerate(rows):
        low1, pivot, over1, over2, value = -low1, s - diagonal, -up1, -up2, x[n]
        if n >= 2:
            low1 += low2 * one[n - 2]
            pivot += low2 * two[n - 2]
            value += low2 * x[n - 2]
        if n >= 1:
            pivot -= low1 * one[n - 1]
            over1 -= low1 * two[n - 1]
            value -= low1 * x[n - 1]
        inverse = 1 / pivot
        one[n], two[n], x[n] = over1 * inverse, over2 * inverse, value * inverse
    x[size - 2] -= one[size - 2] * x[size - 1]
    for n in range(size - 3, -1, -1):
        x[n] -= one[n] * x[n + 1] + two[n] * x[n + 2]
    return x


def error_rate(
    delta: float, overdrive: float, tau: float, *, count: int, points: int, power: int = 16
) -> mpf:
    """Error rate with `count` polynomials and `points` points of the contour."""
    start, end = (coefficients[:count] for coefficients in start_and_end(delta, power))
    rows = generator(delta, overdrive, count)
    return mp.fdot(start, propagated(rows, end, tau, points))


def propagated(rows: list[list[mpf]], end: list[mpf], tau: float, points: int) -> list[mpf]:
    """Apply exp(tau L) to coefficients, with `points` points of the contour."""
    result = [mpf(0)] * len(end)
    for k in range(points // 2):  # the other half is the conjugate
        theta = (2 * k + 1) * mp.pi / points
        scaled = mpf("0.6407") * theta
        s = mpmath.mpc(mpf("0.5017") * theta * mp.cot(scaled) - mpf("0.6122"), mpf("0.2645") * theta)
        derivative = mpmath.mpc(
            mpf("0.5017") * (mp.cot(scaled) - scaled / mp.sin(scaled) ** 2), mpf("0.2645")
        )
        weight = 2 * mp.exp(s * points) * derivative / mpf(tau)
        solved = resolvent(rows, s * points / mpf(tau), end)
        result = [old + (weight * one).imag for old, one in zip(result, solved, strict=True)]
    return result


def row(delta: float, overdrive: float, tau: float) -> tuple[mpf, float, float]:
    """Rate, its change with the definition, and its change with the resolution."""
    # Holds exp(-2 Delta (i + 1)(1 - z)); found by trial.
    count = 100 + int(12 * (delta * (overdrive + 1)) ** 0.5)
    rate = error_rate(delta, overdrive, tau, count=count, points=64)
    other = error_rate(delta, overdrive, tau, count=count, points=64, power=32)
    coarse = error_rate(delta, overdrive, tau, count=int(0.8 * count), points=52)
    return rate, float(other / rate - 1), float(coarse / rate - 1)


def main() -> None:
    """Compute the rates at the points of the file and write it."""
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(line for line in file if not line.startswith("#"))
        where = [tuple(line[name] for name in ("stability", "overdrive", "reduced_time")) for line in lines]
    written = [HEADER.format(version=mpmath.__version__, digits=DIGITS)]
    written.append("stability,overdrive,reduced_time,write_error_rate,definition,error\n")
    for point in where:
        rate, definition, error = row(*map(float, point))
        written.append(f"{','.join(point)},{mp.nstr(rate, 10)},{definition:.1e},{error:.1e}\n")
        print(written[-1], end="", file=sys.stderr)
    FILE.write_text("".join(written), encoding="utf-8")


if __name__ == "__main__":
    main()
