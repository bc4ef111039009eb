"""The Fokker-Planck solver against 50-digit references, and rare switching against positive matrices."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.physics import fokker_planck, long_pulses, passage
from verification.report import COLOURS, Row, at_most, figure

FloatArray = npt.NDArray[np.float64]

REFERENCE = Path(__file__).resolve().parents[2] / "tests/reference/fokker_planck.csv"
RARE_REFERENCE = REFERENCE.with_name("rare_switching.csv")
LIMIT = 5e-4


class Reference(NamedTuple):
    """Columns of the stored table."""

    stability: FloatArray
    overdrive: FloatArray
    reduced_time: FloatArray
    write_error_rate: FloatArray
    definition: FloatArray
    error: FloatArray


def reference() -> Reference:
    """Read the table; how it is made stands in its head and in `verification.reference`."""
    with REFERENCE.open(encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    names = tuple(lines[0].strip().split(","))
    if names != Reference._fields:
        raise ValueError(f"{REFERENCE.name}: columns {names}, expected {Reference._fields}")
    return Reference(*np.loadtxt(lines[1:], delimiter=",").T)


def deviation(table: Reference) -> FloatArray:
    """Relative error of `write_error_rate` at the points of the table."""
    found = fokker_planck.write_error_rate(table.overdrive, table.stability, table.reduced_time)
    return np.asarray(found / table.write_error_rate - 1.0)


def rare_rows() -> list[Row]:
    """Compare small probabilities of switching with products of positive matrices."""
    table = np.genfromtxt(RARE_REFERENCE, delimiter=",", names=True, skip_header=3)
    bent = (table["slonczewski_lambda"] ** 2 - 1.0) / (table["slonczewski_lambda"] ** 2 + 1.0)

    def drive(z: FloatArray) -> FloatArray:
        line = table["overdrive"] * (1.0 + 0.5 * table["feedback"] * (1.0 - z))
        return np.asarray(line * (1.0 + bent) / (1.0 + bent * z))

    tau, field = table["reduced_time"], table["field"]
    found = long_pulses.log_exponent(drive, table["stability"], tau[:, None], field=field)[:, 0]
    deviation = np.abs(found - np.log(-np.log1p(-table["probability"])))
    # Smaller ones depend on where in the well a write counts as done.
    defined = table["probability"] > np.exp(-table["stability"] * (1.0 + field) ** 2)
    rows = []
    for what, chosen, limit in (
        ("τ above 5, overdrive above 0", (tau > 5.0) & (table["overdrive"] > 0.0), 0.005),
        ("τ from 1, overdrive from −0.2", tau > 0.0, 0.06),
    ):
        own = defined & chosen
        least = table["probability"][own].min()
        rows.append(
            at_most(
                "probability of rare switching",
                f"{what}; {own.sum()} points down to {least:.0e}, with load lines and fields",
                "products of positive matrices",
                float(deviation[own].max()),
                limit,
            )
        )
    return rows


def fokker_planck_rows() -> list[Row]:
    """Compare with the table by decades of the rate, with the check values, and with the tail's slope."""
    table = reference()
    error = deviation(table)
    rate = table.write_error_rate
    rows = []
    for high, low in ((1.0, 1e-1), (1e-1, 1e-3), (1e-3, 1e-6), (1e-6, 1e-9), (1e-9, 1e-12), (1e-12, 1e-16)):
        inside = (rate <= high) & (rate > low)
        worst = np.flatnonzero(inside)[np.abs(error[inside]).argmax()]
        where = f"Δ {table.stability[worst]:g}, i {table.overdrive[worst]:g}, τ {table.reduced_time[worst]:g}"
        rows.append(
            at_most(
                f"error rates {low:g} to {high:g}",
                f"{inside.sum()} points, Δ 20 to 120, i 0.3 to 8; worst: {where}",
                "50-digit reference",
                float(np.abs(error[inside]).max()),
                LIMIT,
            )
        )
    first = (table.stability == 60.0) & (table.overdrive == 1.5)
    for tau, value in ((5.0, 0.11543), (10.0, 6.466e-4), (20.0, 1.8893e-8)):
        found = float(fokker_planck.write_error_rate(1.5, 60.0, tau))
        exact = float(rate[first & (table.reduced_time == tau)][0])
        rows.append(
            at_most(
                "check value of a first solution",
                f"Δ 60, i 1.5, τ {tau:g}: {found:.5g}; reference {exact:.5g}",
                f"{value:g}",
                abs(found / value - 1.0),
                1e-3,
            )
        )
    for stability in (60.0, 120.0):
        early, late = fokker_planck.write_error_rate(3.0, stability, [4.5, 5.5])
        slope = float(np.log(early / late))
        rows.append(
            at_most(
                "slope of the tail",
                f"Δ {stability:g}, i 3, τ 4.5 to 5.5: {slope:.5f}",
                "analytic for high Δ: 2(i - 1) = 4",
                abs(slope / 4.0 - 1.0),
                1e-3,
            )
        )
    tail = rate[first & (table.reduced_time >= 20.0)]
    early, late = fokker_planck.write_error_rate(1.5, 60.0, [20.0, 29.4])
    slope, expected = np.log(early / late) / 9.4, np.log(tail[0] / tail[-1]) / 9.4
    rows.append(
        at_most(
            "slope of the tail",
            f"Δ 60, i 1.5, τ 20 to 29.4: {slope:.5f}",
            f"50-digit reference: {expected:.5f}",
            float(abs(slope / expected - 1.0)),
            1e-4,
        )
    )
    early, late = fokker_planck.write_error_rate(0.5, 48.0, [500.0, 2500.0])
    slope = float(np.log(early / late)) / 2000.0
    escape = float(passage.escape_rate(0.5, 48.0))
    rows.append(
        at_most(
            "escape over the barrier",
            f"Δ 48, i 0.5, τ 500 to 2500: {slope:.5g}",
            f"quadrature of the mean passage time, physics.passage: {escape:.5g}",
            abs(slope / escape - 1.0),
            2e-3,
        )
    )
    with figure("fokker_planck") as (ax,):
        for stability, colour, marker in zip(np.unique(table.stability), COLOURS, "osD^v", strict=False):
            own = table.stability == stability
            ax.loglog(
                rate[own],
                np.abs(error[own]).clip(1e-7),
                marker,
                ms=4.5,
                mfc="none",
                color=colour,
                label=f"Δ {stability:g}",
            )
        ax.axhline(LIMIT, color=COLOURS[4], ls="--", lw=1)
        ax.text(2e-15, 1.15 * LIMIT, "limit", color=COLOURS[4])
        ax.set(
            xlabel="error rate",
            ylabel="relative error",
            title="write_error_rate less 50-digit reference",
            ylim=(1e-8, 2e-3),
            xlim=(3.0, 1e-16),
        )
        ax.legend(
            frameon=False, ncols=5, fontsize=8, loc="lower center", columnspacing=1.0, handletextpad=0.1
        )
    return rows
