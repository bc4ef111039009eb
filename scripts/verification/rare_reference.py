"""Reference probabilities of rare switching: writes tests/reference/rare_switching.csv anew.

    python scripts/verification/rare_reference.py

Needs numpy alone and three minutes. Nothing of `mtjchar` is used. x = sqrt((1 - z)/2) is cut into equal
cells, with hops between neighbours whose rates hold the stationary density of the drive,
exp(-2 Delta int (i - h - z) dz), in detailed balance. The matrix of the probabilities to go from
cell to cell in a short time is a sum of products of positive numbers (uniformization: A. Jensen, Skand.
Aktuarietidskr. 36, 87 (1953)), and so are its squares up to the time asked for: no number in it loses
relative accuracy, however small. The logarithm of the probability is extrapolated to infinitely many cells
from three numbers of them; the column `error` is what the last extrapolation changed.

Before the pulse: exp(-Delta (1 - z^2 + 2 h (1 - z))) on z > -h. After it: the probability to end in the well
at -1 without drive, dp/dz ~ exp(-Delta (z + h)^2)/(1 - z^2) to where that is some 14 kT down, as in
`verification.reference`. What has reached z = -1 + 1/Delta has switched for good.

The load line is i(z) = i [1 + a (1 - z)/2] (1 + b)/(1 + b z), b = (L^2 - 1)/(L^2 + 1) with Slonczewski's L.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

FILE = Path(__file__).resolve().parents[2] / "tests/reference/rare_switching.csv"
COLUMNS = ("stability", "overdrive", "feedback", "slonczewski_lambda", "field", "reduced_time")
HEADER = """\
# Probability that a pulse switches (1 - write error rate) of the axially symmetric macrospin.
# Made by: python scripts/verification/rare_reference.py; see its docstring.
# feedback: a of the load line. error: relative change with the number of cells, after extrapolation.
"""
CELLS = (240, 360, 540)


def chain(row: tuple[float, ...], cells: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rates of hops, shape (cells, cells), weights before the pulse, probabilities to fall after it."""
    delta, overdrive, feedback, lambda_, field, _ = row
    bent = (lambda_**2 - 1.0) / (lambda_**2 + 1.0)
    end = math.sqrt(1.0 - 0.5 / delta)
    edges = np.linspace(0.0, end, cells + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])

    def force(z: FloatArray) -> FloatArray:
        drive = overdrive * (1.0 + 0.5 * feedback * (1.0 - z)) * (1.0 + bent) / (1.0 + bent * z)
        return np.asarray(drive - field - z)

    # Differences of Phi between a middle and the next one, and half of it, by Gauss and Legendre.
    nodes, weights = np.polynomial.legendre.leggauss(6)

    def rise(first: FloatArray, last: FloatArray) -> FloatArray:
        x = 0.5 * (first + last)[:, None] + 0.5 * (last - first)[:, None] * nodes
        slope = 2.0 * delta * force(1.0 - 2.0 * x**2) * -4.0 * x
        return np.asarray(slope @ weights * 0.5 * (last - first))

    step = edges[1]
    volume = 2.0 * np.diff(edges**2)
    inner = edges[1:-1]
    hop = inner * (1.0 - inner**2) / (2.0 * delta * step)  # D over dz/dx and the step
    rates = np.zeros((cells, cells))
    k = np.arange(cells - 1)
    rates[k, k + 1] = hop * np.exp(-rise(middle[:-1], inner)) / volume[:-1]
    rates[k + 1, k] = hop * np.exp(rise(inner, middle[1:])) / volume[1:]
    z = 1.0 - 2.0 * middle**2
    weight = volume * np.exp(-delta * (1.0 - z) * (1.0 + z + 2.0 * field))
    share = np.clip((math.sqrt(0.5 + 0.5 * field) - edges[:-1]) / step, 0.0, 1.0)
    weight *= share
    at = 1.0 - 2.0 * edges[1:] ** 2
    past = np.abs(at + field)
    well = np.minimum(1.0 - 0.5 / delta + field * np.sign(at + field), math.sqrt(16.0 / delta))
    ending = np.maximum(1.0 - (past / well) ** 16, 0.0) ** 16
    change = np.exp(-delta * past**2) * ending / (edges[1:] * (1.0 - edges[1:] ** 2))
    falls = np.concatenate([[0.0], np.cumsum(change)])
    return rates, weight / weight.sum(), (falls / falls[-1])[:-1]


def probability(row: tuple[float, ...], cells: int) -> float:
    """Probability that the pulse switches."""
    rates, weight, falls = chain(row, cells)
    rates[-1] = 0.0  # the last cell is where nothing comes back from
    falls[-1] = 1.0
    leaving = rates.sum(axis=1)
    fastest = leaving.max()
    stay = rates / fastest
    stay[np.diag_indices(cells)] = 1.0 - leaving / fastest
    squarings = max(0, math.ceil(math.log2(row[-1] * fastest)))
    mean = row[-1] * fastest / 2**squarings
    # Uniformization: sum over numbers of hops, all terms positive.
    term = math.exp(-mean) * np.eye(cells)
    total = term.copy()
    for count in range(1, 25):
        term = term @ stay * (mean / count)
        total += term
    for _ in range(squarings):
        total = total @ total
        total /= total.sum(axis=1, keepdims=True)
    return float(weight @ (total @ falls))


def extrapolated(row: tuple[float, ...]) -> tuple[float, float]:
    """Probability, and its relative change with the last number of cells."""
    values = [math.log(probability(row, cells)) for cells in CELLS]
    square = [(CELLS[0] / cells) ** 2 for cells in CELLS]
    first, second = (
        (values[k + 1] * square[k] - values[k] * square[k + 1]) / (square[k] - square[k + 1]) for k in (0, 1)
    )
    return math.exp(second), abs(second - first)


def draw() -> list[tuple[float, ...]]:
    """Choose devices and pulses: constant overdrive, load lines, fields."""
    rng = np.random.default_rng(13)
    # First a junction of 20 nm, read by currents that hardly ever switch it.
    rows: list[tuple[float, ...]] = [
        (58.03, overdrive, 0.0, 1.0, 0.0, 20.6) for overdrive in (0.13, 0.2, 0.26, 0.33)
    ]
    for kind, count in (("constant", 36), ("load line", 14), ("field", 14)):
        while count:
            delta, tau = np.exp(rng.uniform(np.log([25.0, 1.0]), np.log([120.0, 1000.0])))
            overdrive, feedback, field = rng.uniform([-0.2, -0.5, -0.4], [0.9, 1.0, 0.4])
            lambda_ = rng.uniform(1.0, 1.6)
            if kind == "constant":
                feedback, lambda_ = 0.0, 1.0
            if kind != "field":
                field = 0.0
            row = tuple(float(f"{value:.4g}") for value in (delta, overdrive, feedback, lambda_, field, tau))
            if 1e-18 < probability(row, CELLS[0]) < 0.5:
                rows.append(row)
                count -= 1
    return rows


def main() -> None:
    """Compute the probabilities and write the file."""
    lines = [HEADER, ",".join([*COLUMNS, "probability", "error"]) + "\n"]
    for row in draw():
        value, error = extrapolated(row)
        lines.append(",".join([*(f"{one:g}" for one in row), f"{value:.6e}", f"{error:.1e}"]) + "\n")
    FILE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
