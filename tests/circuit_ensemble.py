"""Langevin trajectories of m_z in a cell with an ideal transistor, the nodes of both lines integrated along.

A reference that shares no code with the package: no load line, no parts of edges, no Fokker-Planck equation.
"""

import itertools
from typing import NamedTuple

import numpy as np

HBAR, E, K_B = 1.054571817e-34, 1.602176634e-19, 1.380649e-23


class Ensemble(NamedTuple):
    """What `simulate` returns, one value a walker."""

    failed: np.ndarray
    energy: np.ndarray  # J, of both drivers


def simulate(study, device, direction, amplitude, duration, *, walkers, seed, redundant=False, step=2.5e-4):
    """Take walkers through one write.

    Ito equation of the Fokker-Planck equation of W. H. Butler et al. (doi:10.1109/TMAG.2012.2209122),
    dz = [-(i - z)(1 - z^2) - z/Delta] dtau + sqrt((1 - z^2)/Delta) dW with z = 1 before the write, by Euler's
    method; Kirchhoff's equations of both nodes by Heun's. `step` is over t_D; the junction relaxes
    without drive for 8 t_D after the pulse.
    """
    cell, stack, pulse = study.cell, study.stack, study.pulse
    assert stack.vcma_coefficient == stack.field_like_torque == cell.external_field.z == 0.0
    delta, t_d = device["thermal_stability"], device["relaxation_time_s"]
    efficiency = device["spin_polarization"]
    if stack.torque == "voltage":
        efficiency /= 1 + efficiency**2
    critical = 4 * device["damping"] * E * K_B * cell.temperature * delta / (HBAR * efficiency)
    square, start = stack.slonczewski_lambda**2, 1.0 if direction == "p_to_ap" else -1.0
    on, rp, tmr, half = (
        cell.transistor.on_resistance,
        device["parallel_resistance_ohm"],
        device["tmr"],
        stack.tmr_half_bias,
    )
    driven, other, low = cell.bitline, cell.sourceline, cell.sourceline_low
    if (direction == "ap_to_p") != (cell.free_layer_to == "bitline"):
        driven, other, low = other, driven, cell.bitline_low
    rng = np.random.default_rng(seed)
    z = _thermal(delta, walkers, rng) * (-1.0 if redundant else 1.0)
    volts, junction, energy = np.zeros((2, walkers)), np.zeros(walkers), np.zeros(walkers)
    dt = step * t_d
    ends, fractions = _corners(pulse, duration)

    second, other_volts = stack.second_barrier, np.zeros(walkers)
    if second is not None:  # at 300 K, with a torque per voltage
        area = 0.25 * np.pi * device["diameter_m"] ** 2
        rp, rp2 = device["resistance_area_product_ohm_m2"] / area, second.resistance_area_product / area
        side = 1.0 if second.reference == "parallel" else -1.0
        efficiency2 = second.spin_polarization / (1 + second.spin_polarization**2)

    def conductance_of(volt, parallel, tmr, half, cosine):
        bias = tmr / (1 + (volt / half) ** 2)
        return (2 + bias + bias * cosine) / (2 * (1 + bias)) / parallel

    def currents(volts, fraction):
        nonlocal junction, other_volts
        across = volts[0] - volts[1]
        for _ in range(2):  # the bias changes little in a step
            conductance = conductance_of(junction, rp, tmr, half, start * z)
            series = on
            if second is not None:
                behind = conductance_of(other_volts, rp2, second.tmr, second.tmr_half_bias, side * start * z)
                series = on + 1 / behind
            junction = across / (1 + series * conductance)
            if second is not None:
                other_volts = junction * conductance / behind
        through, delivered = junction * conductance, (fraction * high - volts[0]) / driven.resistance
        returned = (volts[1] - fraction * low) / other.resistance
        power = np.maximum(fraction * high * delivered, 0.0) + np.maximum(-fraction * low * returned, 0.0)
        return (
            through,
            power,
            np.stack(
                [
                    (delivered - through) / driven.capacitance,
                    (through - returned) / other.capacitance,
                ]
            ),
        )

    settle = 12 * max(line.resistance * line.capacitance for line in (driven, other))
    time = np.arange(0.0, ends[-1] + settle, dt)
    source, high = np.interp(time, ends, fractions), amplitude + low
    through = np.zeros(walkers)
    for now, then in itertools.pairwise(source):
        through, power, slope = currents(volts, now)
        _, later, slope_later = currents(volts + dt * slope, then)
        volts += 0.5 * dt * (slope + slope_later)
        energy += 0.5 * dt * (power + later)
        if stack.torque == "voltage":
            overdrive = junction / (rp * critical)
            if second is not None:
                overdrive -= side * efficiency2 / efficiency * other_volts / (rp2 * critical)
        else:
            overdrive = through / critical * 2 * square / (square + 1 + (square - 1) * start * z)
        z = _moved(z, overdrive, delta, step, rng)
    for _ in range(int(8 / step / 4)):
        z = _moved(z, 0.0, delta, 4 * step, rng)
    return Ensemble(z > 0.0, energy)


def _corners(pulse, duration):
    """Times of the corners of a pulse, and what part of the amplitude is on then."""
    if pulse.shape is None:
        rise, fall = pulse.rise, pulse.fall
        return [0.0, rise, duration + 0.5 * (rise - fall), duration + 0.5 * (rise + fall)], [
            0.0,
            1.0,
            1.0,
            0.0,
        ]
    time, fraction = np.array(pulse.shape).T
    # From half rise to half fall: the corners after the beginning of the plateau move by what it is longer.
    fine = np.linspace(0.0, time[-1], 1_000_001)
    above = fine[np.interp(fine, time, fraction) >= 0.5]
    longer = duration - (above[-1] - above[0])
    begins = np.flatnonzero((fraction[:-1] == 1.0) & (fraction[1:] == 1.0))[0]
    return time + longer * (np.arange(len(time)) > begins), fraction


def _moved(z, overdrive, delta, step, rng):
    sine = 1.0 - z * z
    drift = -(overdrive - z) * sine - z / delta
    return np.clip(z + step * drift + np.sqrt(sine * step / delta) * rng.normal(size=z.shape), -1.0, 1.0)


def _thermal(delta, walkers, rng):
    """Boltzmann's distribution exp(Delta z^2) on 0 < z < 1, by the inverse of its integral."""
    grid = 1.0 - np.linspace(0.0, 1.0, 20001) ** 2
    density = np.exp(-delta * (1.0 - grid**2))
    integral = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * -np.diff(grid))])
    return np.interp(rng.uniform(size=walkers), integral / integral[-1], grid)
