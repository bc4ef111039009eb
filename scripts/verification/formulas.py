"""Parts of a sweep against formulas: shape, rare switching, load line, supply, mismatch, tails."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tail_coverage
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import j1

from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.physics import anisotropy, fokker_planck, long_pulses
from mtjchar.study import Direction, Study, load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.tasks import Task, characterize
from verification.energies import reference, study_of
from verification.report import Row, at_most, between

FloatArray = npt.NDArray[np.float64]

_BARE = {"resistance": 200.0, "capacitance": 0.0}
_SERIES = 1400.0  # ohm: the reference device's transistor, and both lines


def formulas() -> list[Row]:
    """All rows."""
    return [*shape(), rare(), *map(load_line, DIRECTIONS), *supply(), mismatch(), tail()]


def shape() -> list[Row]:
    """Demagnetizing factor of a disc against Bessel functions, and the stability that follows."""
    ratio = 1.3 / 20.0  # thickness over radius
    # Uniform magnetization along the axis of a cylinder, its surface charges in cylindrical waves.
    integral, _ = quad(lambda x: (j1(x) / x) ** 2 * -np.expm1(-ratio * x), 0.0, 2e4, limit=20000)
    found = float(anisotropy.demagnetizing_factors(np.array(1.3e-9), np.array(40e-9))[1])
    study = load_study("data/studies/demo.toml")
    published = study.with_(stack={"interfacial_anisotropy": 1.3e-3})
    stability = Population(published).nominal()["thermal_stability"].iloc[0]
    expected = 2.0 / ratio * integral
    return [
        at_most("Nz, difference", "1.3 nm, 40 nm", f"integral of J1: {expected:.5f}", found - expected, 2e-5),
        between("Δ of Ikeda's film, published Ki", "40 nm", "by hand: 55.3", float(stability), 55.2, 55.4),
    ]


def rare(stability: float = 40.0, overdrive: float = 0.3) -> Row:
    """Error rate after the mean first passage time, which two integrals give."""

    def density(z: float) -> float:
        return float(np.exp(-stability * (2.0 * overdrive * z - z * z - (2.0 * overdrive - 1.0))))

    def slowness(z: float) -> float:
        inside, _ = quad(density, z, 1.0, points=[max(z, 0.98)], epsrel=1e-10)
        return 2.0 * stability * inside / ((1.0 - z * z) * density(z))

    mean, _ = quad(slowness, -0.9, 1.0 - 1e-12, points=[overdrive], epsrel=1e-8, limit=400)
    exponent = long_pulses.log_exponent(
        lambda z: np.full_like(z, overdrive), np.array([stability]), np.array([[mean]])
    )
    return at_most(
        "-ln of the error rate, difference from 1",
        f"Δ {stability:g}, i {overdrive:g}, τ {mean:.3g}",
        "mean first passage time by quadrature",
        float(np.exp(exponent[0, 0])) - 1.0,
        2e-3,
    )


def bare(direction: Direction, **stack: object) -> Study:
    """Study of the reference device without capacitances, with edges of 1 ps."""
    table = reference()
    own = table[(table["lines"] == "default") & (table["direction"] == direction)].reset_index(drop=True)
    lines = {"bitline": _BARE, "sourceline": _BARE}
    return study_of(own).with_(stack=stack, cell=lines, pulse={"rise": 1e-12, "fall": 1e-12})


def load_line(direction: Direction) -> Row:
    """Error rates with an asymmetry of 3 against the divider of junction and resistances, angle by angle."""
    study = bare(direction, slonczewski_lambda=3.0)
    device, amplitude = Population(study).nominal().iloc[0], float(study.sweep.amplitude.values()[0])
    start = 1.0 if direction == "p_to_ap" else -1.0

    def current(m_z: float) -> float:
        def excess(volt: float) -> float:
            tmr = device["tmr"] / (1.0 + (volt / study.stack.tmr_half_bias) ** 2)
            conductance = (2.0 + tmr + tmr * m_z) / (2.0 * (1.0 + tmr)) / device["parallel_resistance_ohm"]
            return float(volt * conductance - (amplitude - volt) / _SERIES)

        return float(amplitude - brentq(excess, 0.0, amplitude)) / _SERIES

    def overdrive(z: FloatArray) -> FloatArray:
        through = np.array([current(start * float(one)) for one in z.ravel()]).reshape(z.shape)
        found: FloatArray = through / device["critical_current_A"] * 18.0 / (10.0 + 8.0 * start * z)
        return found

    samples = characterize(Task(study, Population(study).nominal(), direction))
    samples = samples[samples["amplitude_V"] == amplitude]
    tau = samples["duration_s"].to_numpy() / device["relaxation_time_s"]
    expected = fokker_planck.write_statistics(overdrive, [device["thermal_stability"]], [tau]).error_rate[0]
    away = np.log(samples["write_error_rate"].to_numpy()) / np.log(expected) - 1.0
    return at_most(
        "logarithm of the error rate, relative",
        f"{direction}, {amplitude:g} V, torque per current, Λ 3",
        "divider by hand, at every m_z",
        float(np.abs(away).max()),
        5e-3,
    )


def supply() -> list[Row]:
    """Energy at the supply of a junction of constant resistance: charge times voltage."""
    rows = []
    for direction in DIRECTIONS:
        study = bare(direction, tmr=1e-4)
        study = study.with_(cell={"supply_voltage": 1.5})
        device = Population(study).nominal()
        samples = characterize(Task(study, device, direction))
        resistance = float(device["parallel_resistance_ohm"].iloc[0]) + _SERIES
        by_hand = 1.5 * samples["amplitude_V"] / resistance * samples["duration_s"]
        away = float((samples["supply_energy_J"] / by_hand - 1.0).abs().max())
        rows.append(
            at_most("energy at the supply, relative", f"{direction}, 1.5 V", "by hand: VDD V t/R", away, 2e-3)
        )
    return rows


def mismatch() -> Row:
    """Spread of the threshold voltage of 4096 devices against Pelgrom's law."""
    study = load_study("data/studies/demo.toml").model_dump(mode="json")
    study["variability"]["threshold_voltage"] = {"avt": "2 mV*um"}
    study["sweep"]["devices"] = 4096
    sigma = 1e3 * float(Population(Study.model_validate(study)).draw()["threshold_voltage_V"].std())
    expected = 2.0 / np.sqrt(0.3 * 0.03)
    # A standard deviation of 4096 draws has a standard error of 1.1 %; Sobol points are closer.
    return between(
        "σ of the threshold, mV", "2 mV µm, 300 nm × 30 nm", f"2/√(0.3 · 0.03) = {expected:.2f}",
        sigma, 0.99 * expected, 1.01 * expected,
    )  # fmt: skip


def tail() -> Row:
    """Share of 95 % intervals that hold the exact rate of a population far in its tail."""
    held = min(one.held for one in tail_coverage.coverage(8.0, 2, 256, 300).values())
    return between(
        "95 % intervals that hold, share", "slope 8, 2 parameters, 256 devices, 300 samples, 1e-9 and 1e-12",
        "exact rate by convolution", held, 0.9, 0.99,
    )  # fmt: skip
