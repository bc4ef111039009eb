"""The netlists without noise: against each other, against the ensemble's equation, and over the step."""

from __future__ import annotations

from unittest import mock

import numpy as np
import numpy.typing as npt
from scipy import constants
from scipy.interpolate import CubicSpline

from mtjchar.cells.stt.netlist import AXIAL_TOLERANCES, cell_parameters
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.physics import llgs
from mtjchar.physics.anisotropy import GAMMA
from mtjchar.physics.llgs import Macrospin
from mtjchar.spice.ngspice import Simulator, simulator
from mtjchar.study import load_study
from mtjchar.sweep.population import Population
from verification.decks import follow, library
from verification.report import COLOURS, Row, at_most, between, figure, plain_ticks

FloatArray = npt.NDArray[np.float64]

STEP = 0.5e-12  # recommended in netlists/mtj_llgs.lib
MAGNETIZATION = 1.58 / constants.mu_0  # Ikeda's stack, 40 nm
VOLUME = 0.25 * np.pi * 40e-9**2 * 1.3e-9


def direction(polar: float, azimuth: float) -> FloatArray:
    """Return the unit vector of two angles."""
    return np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])


def crossing(time: FloatArray, m_z: FloatArray) -> float:
    """Time of the first zero of m_z, between the points along artanh(m_z), which is nearly straight."""
    u = np.arctanh(np.clip(m_z, -1 + 1e-15, 1 - 1e-15))
    k = int(np.flatnonzero(np.diff(np.sign(u)))[0])
    return float(time[k] - u[k] * (time[k + 1] - time[k]) / (u[k + 1] - u[k]))


# ---- vector netlist against axial netlist ----


def cell_write(model: str, line: str, volt: float, stop: float) -> tuple[FloatArray, FloatArray]:
    """Write the cell of the test benches with a pulse on one line; time and m_z."""
    high, low = ("bl", "sl") if line == "bitline" else ("sl", "bl")
    start = -2.5 if high == "bl" else 2.5
    deck = "\n".join(
        [
            "cell",
            library("mtj_axial.lib")
            if model == "axial"
            else library("mtj_llgs.lib") + library("mtj_vector.lib"),
            library("nmos_generic.lib"),
            library("cell_1t1mtj.lib"),
            "Vwl wl 0 1.4",
            f"V{low} {low} 0 0",
            f"V{high} {high} 0 pulse(0 {volt!r} 0.1n 0.1n 0.1n 1)",
            "Xc bl sl wl mz top drain cell_free_layer_to_bitline rp=3979 tmr=1.24 vhalf=0.5 alpha=0.027",
            f"+ bk=0.1726 torque=99.4 lambda=1.3 fieldlike=0.3 vcma=-0.05 delta=1e9 u0={start}",
            ".options method=trap",
            ".save v(mz)",
            ".end",
        ]
    )
    with simulator().circuit(deck):
        vectors = simulator().analyse(f"tran 1p {stop!r} 0 {STEP!r} uic", "time", stop)
    return vectors["time"][1:].copy(), vectors["mz"][1:].copy()


def axial() -> list[Row]:
    """Compare switching times of both netlists in the cell."""
    rows = []
    with figure("axial", columns=2) as axes:
        for ax, line, name, volts in (
            (axes[0], "bitline", "AP → P", (0.6, 0.8, 1.0)),
            (axes[1], "sourceline", "P → AP", (0.7, 0.9, 1.2)),
        ):
            for colour, volt in zip(COLOURS, volts, strict=False):
                shown = {}
                for model in ("axial", "vector"):
                    shown[model] = cell_write(model, line, volt, 4e-9)
                found, expected = (crossing(*shown[model]) - 0.1e-9 for model in ("vector", "axial"))
                how = f"cell, {name}, {volt:g} V, generic NMOS, Λ 1.3, field-like 0.3, VCMA"
                rows.append(
                    at_most(
                        "switching time, vector netlist",
                        how,
                        f"axial netlist: {expected * 1e9:.4f} ns",
                        abs(found / expected - 1),
                        5e-3,
                    )
                )
                ax.plot(shown["axial"][0] * 1e9, shown["axial"][1], color=colour, lw=3.5, alpha=0.35)
                ax.plot(
                    shown["vector"][0] * 1e9, shown["vector"][1], color=colour, lw=1.1, label=f"{volt:g} V"
                )
            ax.set(xlabel="time, ns", ylabel="$m_z$", title=name + ": axial (broad), vector (thin)")
            ax.legend(title="amplitude", frameon=False)
    return rows


# ---- vector netlist against the ensemble's equation ----

CURRENT = -8e-5
VCMA = -0.05  # T/V, at 1 kohm


def every_term() -> Macrospin:
    """Ikeda's layer with an elliptic shape, tilt, field, asymmetry and field-like torque; cold."""
    tilt = np.sin(0.15)
    return Macrospin(
        MAGNETIZATION,
        VOLUME,
        0.027,
        1.5912,
        0.0,
        polarization=0.62,
        lambda_=1.5,
        field_like=0.3,
        demagnetizing=(0.025, 0.04, 0.935),
        reference=(tilt, 0.0, np.sqrt(1 - tilt**2)),
        field=(0.02, -0.03, 0.01),
    )


def ensemble_path(duration: float, step: float, records: int = 2001) -> tuple[FloatArray, FloatArray]:
    """Time and m, (times, 3), by `llgs.simulate`."""
    times, m = llgs.simulate(
        every_term(),
        direction(0.3, 0.4),
        duration=duration,
        step=step,
        current=CURRENT,
        anisotropy_field=1.5912 + VCMA * CURRENT * 1e3,
        record=np.linspace(0, duration, records),
    )
    return times, m[:, :, 0]


def netlist_path(duration: float, step: float = STEP) -> tuple[FloatArray, FloatArray]:
    """Time and m, (times, 3), by the vector netlist."""
    start = direction(0.3, 0.4)[:, None]
    time, m = follow(every_term(), start, duration=duration, step=step, current=CURRENT, vcma=VCMA)
    return time, m[0].T


def trajectory() -> list[Row]:
    """Compare the vector netlist with `llgs.simulate`, all terms, no noise."""
    duration, step = 5e-9, 1e-13
    times, m = ensemble_path(duration, step)
    time, found = netlist_path(duration)
    difference = np.abs(found - CubicSpline(times, m)(time))
    with figure("trajectory", columns=2) as (left, right):
        for name, component, colour in zip("xyz", m.T, COLOURS, strict=False):
            left.plot(times * 1e9, component, color=colour, lw=1, label=f"$m_{name}$")
        left.set(xlabel="time, ns", ylabel="m", title="trajectory, all terms", ylim=(-1.08, 1.35))
        left.legend(frameon=False, loc="upper right", ncols=3, bbox_to_anchor=(1.0, 1.02))
        right.semilogy(time * 1e9, difference.max(axis=1).clip(1e-9), color=COLOURS[0], lw=0.7)
        right.axhline(1e-3, color=COLOURS[1], ls="--", lw=1)
        right.text(3.0, 1.2e-3, "limit", color=COLOURS[1])
        right.set(
            xlabel="time, ns",
            ylabel="largest difference",
            title="vector netlist less llgs",
            ylim=(1e-8, 3e-3),
        )
    how = "5 ns, step 0.5 ps; tilt 0.15, ellipse, field, Λ 1.5, field-like 0.3, VCMA; switches"
    truth = "llgs.simulate, step 0.1 ps"
    return [
        at_most("m(t), vector netlist", how + ", at 5 ns", truth, float(difference[-1].max()), 1e-3),
        at_most("m(t), vector netlist", how + ", at all times", truth, float(difference.max()), 1e-3),
    ]


# ---- energy and precession ----


def energy_drift(program: str, duration: float = 5e-9) -> float:
    """Largest change of the energy without damping and current, over Ms V times the span of the fields."""
    spin = Macrospin(
        MAGNETIZATION, VOLUME, 0.0, 1.5912, 0.0, demagnetizing=(0.025, 0.04, 0.935), field=(0.02, -0.03, 0.01)
    )
    start = direction(1.0, 0.4)
    if program == "netlist":
        m = follow(spin, start[:, None], duration=duration, step=STEP)[1][0]
    else:
        m = (
            llgs.simulate(spin, start, duration=duration, step=STEP, record=np.linspace(0, duration, 501))
            .m[:, :, 0]
            .T
        )
    linear = np.array([0.0, 0.0, 1.5912]) - 1.58 * np.array(spin.demagnetizing)
    energy = -0.5 * linear @ m**2 - np.array(spin.field) @ m
    return float(np.abs(energy - energy[0]).max() / np.ptp(linear))


KITTEL = {  # name: demagnetizing factors, start, field along z or x
    "circular, field along the axis": ((0.034, 0.034, 0.932), direction(0.01, 0.0), (0.0, 0.0, 0.1)),
    "elliptic, field along the axis": ((0.025, 0.04, 0.935), direction(0.01, 0.0), (0.0, 0.0, 0.1)),
    "elliptic, in the plane": ((0.025, 0.04, 0.935), direction(np.pi / 2, 0.01), (0.4, 0.0, 0.0)),
}


def kittel(name: str) -> float:
    """Kittel, Phys. Rev. 73, 155 (1948): gamma/(2 pi) sqrt(product of the two stiffness fields), Hz."""
    (nx, ny, nz), _, field = KITTEL[name]
    if field[2]:
        axial_field = field[2] + 1.5912
        product = (axial_field - 1.58 * (nz - nx)) * (axial_field - 1.58 * (nz - ny))
    else:
        product = (field[0] + 1.58 * (ny - nx)) * (field[0] + 1.58 * (nz - nx) - 1.5912)
    return float(GAMMA * np.sqrt(product) / (2 * np.pi))


def measured_frequency(name: str, program: str, periods: int = 8) -> float:
    """Frequency of the precession at an angle of 0.01, Hz."""
    factors, start, field = KITTEL[name]
    spin = Macrospin(MAGNETIZATION, VOLUME, 0.0, 1.5912, 0.0, demagnetizing=factors, field=field)
    duration = (periods + 0.5) / kittel(name)
    if program == "netlist":
        time, m = follow(spin, start[:, None], duration=duration, step=STEP, keep="y")
        signal = m[0, 0]
    else:
        time, m = llgs.simulate(
            spin, start, duration=duration, step=STEP / 2, record=np.linspace(0, duration, 2001)
        )
        signal = m[:, 1, 0]
    roots = CubicSpline(time, signal).roots(extrapolate=False)
    roots = roots[roots > 0.2 / kittel(name)]
    return float(0.5 / np.polyfit(np.arange(len(roots)), roots, 1)[0])


def precession() -> list[Row]:
    """Check energy and frequency without damping."""
    rows = []
    names = {"netlist": ("vector netlist", "step 0.5 ps"), "llgs": ("llgs.simulate", "step 0.25 ps")}
    for program, (shown, step) in names.items():
        how = "no damping, 5 ns, elliptic, field, from 1 rad, step 0.5 ps"
        rows.append(
            at_most(
                f"energy, {shown}", how, "kept; in units of the anisotropy span", energy_drift(program), 2e-3
            )
        )
        for name in KITTEL:
            found, expected = measured_frequency(name, program), kittel(name)
            rows.append(
                at_most(
                    f"precession, {shown}",
                    f"{name}, 8 periods, {step}",
                    f"Kittel: {expected / 1e9:.4f} GHz",
                    abs(found / expected - 1),
                    5e-4,
                )
            )
    return rows


# ---- step size ----


def sweep_cell(step: float | None = None, finer: float = 1.0) -> tuple[float, int]:
    """Switching time of the demo's nominal cell from half rise, s, and the number of time points.

    Parameters
    ----------
    step : float, optional
        In the place of the largest step that `mtjchar.cells.stt.waveforms` asks for, s.
    finer : float, optional
        The error of one step that ngspice allows itself is divided by this.
    """
    study = load_study("data/studies/demo.toml").with_(read=None)
    cells = cell_parameters(study.tables, Population(study).nominal()).assign(u0=-2.5)
    analyse = Simulator.analyse

    def replaced(self: Simulator, command: str, axis: str, stop: float) -> object:
        words = command.split()
        if step is not None:
            words[1], words[4] = repr(step / 5.0), repr(step)
        self.exec_command(f"option trtol={AXIAL_TOLERANCES['trtol'] / float(finer)!r}")
        return analyse(self, " ".join(words), axis, stop)

    with mock.patch.object(Simulator, "analyse", replaced):
        write = write_waveforms(study.tables, cells, "ap_to_p", study.pulses.at(0.8, 8e-9))
    half = 1.5 * study.pulse.rise
    return crossing(write.time_s, write.m_z[0]) - half, len(write.time_s)


def steps() -> list[Row]:
    """Measure error against step for both netlists."""
    reference = sweep_cell(0.5e-12)[0]
    finer = 8.0 ** np.arange(-2, 4)
    crossings, counts = np.transpose([sweep_cell(finer=one) for one in finer])
    errors = np.abs(crossings / reference - 1)
    used = int(np.flatnonzero(finer == 1.0)[0])

    duration = 2e-9
    times, coarse = ensemble_path(duration, 2e-13)
    truth = CubicSpline(times, (16 * ensemble_path(duration, 1e-13)[1] - coarse) / 15)
    vector_sizes = np.array([4e-12, 2e-12, 1e-12, 0.5e-12, 0.25e-12])
    vector_errors = []
    for size in vector_sizes:
        time, m = netlist_path(duration, float(size))
        vector_errors.append(float(np.abs(m - truth(time)).max()))
    order = np.polyfit(np.log(vector_sizes), np.log(vector_errors), 1)[0]
    with figure("steps", columns=2) as (left, right):
        left.loglog(counts, errors, "o-", color=COLOURS[0])
        left.loglog(
            counts[used], errors[used], "o", ms=11, mfc="none", color=COLOURS[1], label="tolerance used"
        )
        left.loglog(
            counts, errors[used] * (counts[used] / counts) ** 2, ":", color=COLOURS[4], label="order 2"
        )
        left.set(
            xlabel="time points that ngspice takes",
            ylabel="relative error of the switching time",
            title="axial netlist in the cell",
        )
        right.loglog(vector_sizes * 1e12, vector_errors, "o-", color=COLOURS[0])
        right.loglog(
            0.5, vector_errors[3], "o", ms=11, mfc="none", color=COLOURS[1], label="step recommended"
        )
        guide = vector_errors[0] * (vector_sizes / vector_sizes[0]) ** 2
        right.loglog(vector_sizes * 1e12, guide, ":", color=COLOURS[4], label="order 2")
        right.set(
            xlabel="largest step, ps", ylabel="largest error of m in 2 ns", title="vector netlist, all terms"
        )
        plain_ticks(left, counts.tolist())
        plain_ticks(right, (vector_sizes * 1e12).tolist())
        for ax in (left, right):
            ax.legend(frameon=False)
    return [
        at_most(
            "switching time, axial netlist",
            f"demo's cell, 0.8 V, {counts[used]:.0f} time points",
            f"largest step 0.5 ps: {reference * 1e9:.4f} ns",
            float(errors[used]),
            2e-3,
        ),
        at_most(
            "switching time, axial netlist",
            f"the same, error of a step 1/{finer[used + 2]:g}, {counts[used + 2]:.0f} time points",
            "as above",
            float(errors[used + 2]),
            2e-4,
        ),
        at_most(
            "m(t), vector netlist",
            "2 ns, all terms, step 0.5 ps",
            "llgs.simulate, extrapolated to step 0",
            vector_errors[3],
            1e-3,
        ),
        between(
            "order of the vector netlist",
            "the same, steps 4 to 0.25 ps",
            "trapezoidal rule: 2",
            float(order),
            1.8,
            2.2,
            "{:.2f}",
        ),
    ]
