"""The Cartesian macrospin netlists/mtj_llgs.lib in ngspice, against independent integration and theory."""

import math
import re
import subprocess

import numpy as np
import pytest
from scipy import constants, stats
from scipy.integrate import quad, solve_ivp

from mtjchar.physics import fokker_planck, tunneling
from mtjchar.spice.libraries import netlist_folder
from mtjchar.spice.ngspice import simulator

GAMMA = 1.760859e11  # rad/(s T)
LIBRARY = (netlist_folder() / "mtj_llgs.lib").read_text(encoding="utf-8")
STEP = 0.5e-12  # largest step of the two test benches
FALSE_ALARM = 1e-9  # of every statistical test here

# Ikeda's stack at 40 nm and 5 ohm um^2 as in the test benches, and every further term switched on.
JUNCTION = {
    "rp": 3979.0, "tmr": 1.24, "vhalf": 0.5, "alpha": 0.027, "torque": 99.4, "lambda": 1.0, "fieldlike": 0.0,
    "vcma": 0.0, "bi": 1.5912, "bs": 1.58, "nx": 0.034, "ny": 0.034, "nz": 0.932, "theta0": 0.3, "phi0": 0.4,
    "theta_p": 0.0,
}  # fmt: skip
EVERYTHING = JUNCTION | {
    "lambda": 1.5, "fieldlike": 0.3, "vcma": -0.05, "nx": 0.025, "ny": 0.04, "nz": 0.935, "theta_p": 0.15,
}  # fmt: skip


def simulate(parameters, stop, step=STEP, voltage=0.0, field=(0.0, 0.0, 0.0), probes=()):
    """Time, m as (3, times), and the current through the junction, without the row at t = 0.

    With uic ngspice writes that row before it has solved for anything.
    """
    deck = "\n".join(
        [
            "one junction", LIBRARY, f"Vf f 0 {voltage!r}",
            *(f"Vb{c} b{c} 0 {b!r}" for c, b in zip("xyz", map(float, field), strict=True)),
            "X1 f 0 mx my mz bx by bz mtj_llgs " + " ".join(f"{k}={v!r}" for k, v in parameters.items()),
            ".options method=trap", ".save v(mx) v(my) v(mz) i(vf) " + " ".join(probes), ".end",
        ]
    )  # fmt: skip
    ngspice = simulator()
    with ngspice.circuit(deck):
        ngspice.exec_command("setseed 1")
        vectors = ngspice.analyse(f"tran {step!r} {stop!r} 0 {step!r} uic", "time", stop)
    m = np.stack([vectors[f"m{c}"] for c in "xyz"])[:, 1:]
    further = [vectors[re.sub(r"v\((.*)\)", r"\1", probe)][1:] for probe in probes]
    return vectors["time"][1:], m, -vectors["vf#branch"][1:], *further


def start(parameters):
    theta, phi = parameters["theta0"], parameters["phi0"]
    return np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


def gilbert(m, p, voltage, field):
    """dm/dt from Gilbert's implicit form as it stands, the 3 x 3 system solved numerically.

    Nothing of the netlist's algebra (its alpha cross terms) is used.
    """
    pinned = np.array([np.sin(p["theta_p"]), 0.0, np.cos(p["theta_p"])])
    cosine = m @ pinned
    bias_tmr = tunneling.tmr_at_bias(p["tmr"], voltage, p["vhalf"])
    current = voltage * tunneling.conductance(cosine, p["rp"], bias_tmr)
    square = p["lambda"] ** 2
    # Slonczewski: epsilon = P L^2/[(L^2 + 1) + (L^2 - 1) m.p]; torque is the field of P/2.
    damping_like = p["torque"] * current * 2.0 * square / ((square + 1.0) + (square - 1.0) * cosine)
    effective = field - p["bs"] * np.array([p["nx"], p["ny"], p["nz"]]) * m
    effective[2] += (p["bi"] + p["vcma"] * voltage) * m[2]
    torque = -GAMMA * np.cross(m, effective + p["fieldlike"] * damping_like * pinned)
    torque -= GAMMA * damping_like * np.cross(m, np.cross(m, pinned))
    cross = np.array([[0.0, -m[2], m[1]], [m[2], 0.0, -m[0]], [-m[1], m[0], 0.0]])
    return np.linalg.solve(np.eye(3) - p["alpha"] * cross, torque)


DRIVE = {"voltage": -0.4, "field": (0.02, -0.03, 0.01)}


@pytest.fixture(scope="module")
def reference():
    field = np.array(DRIVE["field"])
    solution = solve_ivp(
        lambda _, m: gilbert(m, EVERYTHING, DRIVE["voltage"], field), (0.0, 5e-9), start(EVERYTHING),
        method="DOP853", rtol=1e-10, atol=1e-12, dense_output=True,
    )  # fmt: skip
    return solution.sol


def test_trajectory_with_every_term_and_second_order_convergence(reference):
    # Independent DOP853 at rtol 1e-10 of Gilbert's form; it switches within the 5 ns.
    errors = []
    for step in (2e-12, 1e-12, STEP):
        time, m, _ = simulate(EVERYTHING, 5e-9, step=step, **DRIVE)
        errors.append(np.abs(m - reference(time)).max())
        assert np.abs(np.linalg.norm(m, axis=0) - 1.0).max() < 1e-3
    assert m[2, 0] > 0.9
    assert m[2, -1] < -0.9
    assert errors[-1] < 1e-3
    # Theory: trapezoidal rule, a factor 4 for each halved step.
    assert np.array(errors[:-1]) / errors[1:] == pytest.approx(4.0, abs=0.3)


def test_restoring_term_turns_nothing(reference):
    # It vanishes at |m| = 1: next to nothing, the default, ten times that, the distance from DOP853 is the
    # step's.
    errors, lengths = [], []
    for rate in (1e3, 5e9, 5e10):
        time, m, _ = simulate(EVERYTHING | {"restore": rate}, 5e-9, **DRIVE)
        errors.append(np.abs(m - reference(time)).max())
        lengths.append(np.abs(np.linalg.norm(m[:, -1]) - 1.0))
    assert max(errors) < 1e-3
    assert errors == pytest.approx([errors[0]] * 3, abs=1e-4)
    assert lengths[1] < 1e-3 * lengths[0]  # while it does hold the length


@pytest.mark.parametrize(("voltage", "target"), [(0.5, 1.0), (-0.5, -1.0)])
def test_current_from_free_to_reference_layer_favours_p(voltage, target):
    # Convention in docs/architecture.md; from either well, against the anisotropy where need be.
    for theta0 in (0.1, math.pi - 0.1):
        _, m, current = simulate(JUNCTION | {"theta0": theta0}, 6e-9, step=2e-12, voltage=voltage)
        assert m[2, -1] == pytest.approx(target, abs=1e-2)
        assert np.all(np.sign(current) == np.sign(voltage))


@pytest.mark.parametrize("lambda_", [1.0, 2.0])
@pytest.mark.parametrize("m_z", [-0.6, 0.6])
@pytest.mark.parametrize("current", [-1e-4, 1e-4])
def test_torque_at_an_angle(lambda_, m_z, current):
    # Analytic, p along z, no field: dm_z/dt = gamma/(1 + alpha^2) (1 + alpha fieldlike) a_J (1 - m_z^2) and
    # dm_y/dt = gamma/(1 + alpha^2) (fieldlike - alpha) a_J m_x where m_y = 0.
    p = JUNCTION | {
        "lambda": lambda_, "fieldlike": 0.4, "bi": 0.0, "bs": 0.0, "tmr": 0.0, "theta0": math.acos(m_z),
        "phi0": 0.0, "alpha": 0.1,
    }  # fmt: skip
    time, m, measured = simulate(p, 1e-12, step=1e-14, voltage=current * p["rp"])
    assert measured == pytest.approx(current, rel=1e-9)
    square = lambda_**2
    efficiency = 2.0 * square / ((square + 1.0) + (square - 1.0) * m_z)
    rate = GAMMA / 1.01 * efficiency * p["torque"] * current
    slope = (m[:, -1] - start(p)) / time[-1]
    # The slope changes by gamma a_J t = 2e-3 in the 1 ps, once or twice over.
    assert slope[2] == pytest.approx(1.04 * rate * (1 - m_z**2), rel=6e-3)
    assert slope[1] == pytest.approx(0.3 * rate * math.sqrt(1 - m_z**2), rel=2e-2)


@pytest.mark.parametrize("voltage", [0.02, -0.6])
@pytest.mark.parametrize("antiparallel", [False, True])
def test_resistance_of_a_tilted_junction(voltage, antiparallel):
    # mtjchar.physics.tunneling, with m along p and against it.
    p = EVERYTHING | {"phi0": 0.0, "theta0": EVERYTHING["theta_p"] + math.pi * antiparallel}
    _, _, current = simulate(p, 1e-14, step=1e-15, voltage=voltage)
    bias_tmr = tunneling.tmr_at_bias(1.24, voltage, 0.5)
    conductance = tunneling.conductance(-1.0 if antiparallel else 1.0, 3979.0, bias_tmr)
    assert current[-1] == pytest.approx(voltage * conductance, rel=1e-4)


def _frequency(time, signal):
    rising = np.flatnonzero((signal[:-1] < 0) & (signal[1:] >= 0))
    crossing = time[rising] - signal[rising] * (time[rising + 1] - time[rising]) / (
        signal[rising + 1] - signal[rising]
    )
    return (len(crossing) - 1) / (crossing[-1] - crossing[0])


@pytest.mark.parametrize(
    ("p", "field", "stiffness"),
    [
        # Kittel, Phys. Rev. 73, 155 (1948): omega = gamma sqrt(product of the two stiffness fields).
        ({"theta0": 0.01}, (0.0, 0.0, 0.1), (0.1 + 1.5912 - 0.91 * 1.58, 0.1 + 1.5912 - 0.895 * 1.58)),
        (
            {"theta0": math.pi / 2, "phi0": 0.01, "bi": 0.0},
            (0.2, 0.0, 0.0),
            (0.2 + 0.015 * 1.58, 0.2 + 0.91 * 1.58),
        ),
    ],
    ids=["along the axis", "in the plane"],
)  # fmt: skip
def test_precession_frequency(p, field, stiffness):
    p = EVERYTHING | {"alpha": 0.0, "theta_p": 0.0} | p
    time, m, _ = simulate(p, 1e-9, field=field)
    expected = GAMMA * math.sqrt(stiffness[0] * stiffness[1]) / (2 * math.pi)
    assert _frequency(time, m[1]) == pytest.approx(expected, rel=1e-3)


def test_energy_and_norm_are_kept_without_damping_and_current():
    # Analytic: dE/dt = 0. In units of Ms V: E = -B.m - bi m_z^2/2 + bs N m.m/2.
    field = np.array([0.02, -0.03, 0.01])
    p = EVERYTHING | {"alpha": 0.0, "theta0": 1.0}
    _, m, _ = simulate(p, 5e-9, field=tuple(field))
    factors = np.array([p["nx"], p["ny"], p["nz"]])
    energy = -field @ m - 0.5 * p["bi"] * m[2] ** 2 + 0.5 * p["bs"] * factors @ m**2
    assert np.ptp(energy) < 1e-3 * 0.17  # of the anisotropy field
    assert np.abs(np.linalg.norm(m, axis=0) - 1.0).max() < 1e-3


def test_switching_time_in_the_cell_is_that_of_the_axial_model():
    # mtj_axial.lib without its thermal term is the same equation where everything is axially symmetric.
    folder = netlist_folder()
    cell, axial, vector, ideal = (
        (folder / name).read_text(encoding="utf-8")
        for name in ("cell_1t1mtj.lib", "mtj_axial.lib", "mtj_vector.lib", "nmos_ideal.lib")
    )
    times = []
    for model in (axial, LIBRARY + vector):
        deck = "\n".join(
            [
                "cell", model, cell, ideal, "Vwl wl 0 1.4", "Vsl sl 0 0",
                "Vbl bl 0 pulse(0 0.9 0.1n 0.1n 0.1n 9n)",
                "Xc bl sl wl mz top drain cell_free_layer_to_bitline rp=3979 tmr=1.24 vhalf=0.5 alpha=0.027",
                "+ bk=0.1726 torque=99.4 lambda=1.3 fieldlike=0.3 vcma=-0.05 delta=1e9 u0=-2.5 bz=-0.03",
                ".options method=trap", ".save v(mz)", ".end",
            ]
        )  # fmt: skip
        with simulator().circuit(deck):
            vectors = simulator().analyse("tran 1p 4n 0 1p uic", "time", 4e-9)
        m_z = vectors["mz"][1:]
        assert m_z[0] < -0.9
        assert m_z[-1] > 0.9
        times.append(np.interp(0.0, m_z, vectors["time"][1:]))
    # counted from the start of the pulse
    assert times[1] - 0.1e-9 == pytest.approx(times[0] - 0.1e-9, rel=5e-3)


# Thermal noise. Strong damping makes the runs short and tells 1 + alpha^2 from 1; neither the equilibrium
# nor the error rate in reduced time depends on it.

DELTA, B_K, TEMPERATURE = 40.0, 0.3, 300.0
MOMENT = 2.0 * DELTA * constants.k * TEMPERATURE / B_K


def ensemble(polar, azimuth, alpha, stop, source):
    """m of many junctions in one deck, shape (junctions, 3, times), and the time."""
    lines = ["ensemble", LIBRARY, f"Vf f 0 {source}"]
    for k, (theta, phi) in enumerate(zip(polar.tolist(), azimuth.tolist(), strict=True)):
        lines += [
            f"X{k} f 0 x{k} y{k} z{k} 0 0 0 mtj_llgs rp=1k tmr=0 alpha={alpha} torque=100 bi={B_K} tnoise=1p",
            f"+ temperature={TEMPERATURE} moment={MOMENT!r} theta0={theta!r} phi0={phi!r}",
            f".save v(x{k}) v(y{k}) v(z{k})",
        ]
    ngspice = simulator()
    with ngspice.circuit("\n".join([*lines, ".options method=trap", ".end"])):
        ngspice.exec_command("setseed 1")
        vectors = ngspice.analyse(f"tran 1p {stop!r} 0 {STEP!r} uic", "time", stop)
    m = np.array([[vectors[f"{c}{k}"] for c in "xyz"] for k in range(len(polar))])
    return vectors["time"][1:], m[:, :, 1:]


def test_variance_of_the_thermal_field():
    # Brown, Phys. Rev. 130, 1677 (1963): sigma = sqrt(2 alpha kB T/(gamma Ms V dt)).
    p = JUNCTION | {"tnoise": 2e-12, "temperature": 250.0, "moment": 2.054e-18}
    probes = [f"v(x1.th{c})" for c in "xyz"]
    time, _, _, *fields = simulate(p, 4e-9, step=2e-12, probes=probes)
    middle = 2e-12 * (np.arange(1999) + 0.5)
    sigma = math.sqrt(2 * 0.027 * constants.k * 250.0 / (GAMMA * 2.054e-18 * 2e-12))
    values = np.stack([np.interp(middle, time, field) for field in fields]) / sigma
    count = len(middle)
    low, high = stats.chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], count)
    sums = (values**2).sum(axis=1)
    assert np.all((sums > low) & (sums < high))  # within 17 %
    limit = stats.norm.isf(FALSE_ALARM / 2) * math.sqrt(count)
    assert np.all(np.abs(values.sum(axis=1)) < limit)
    for a, b in ((0, 1), (1, 2), (2, 0)):  # independent components
        assert abs(values[a] @ values[b]) < limit
        assert abs(values[a, 1:] @ values[a, :-1]) < limit  # white


def test_same_seed_same_noise():
    p = JUNCTION | {"tnoise": 1e-12, "moment": 2.054e-18}
    first, again = (simulate(p, 2e-11)[1] for _ in range(2))
    assert np.array_equal(first, again)
    # and none without tnoise
    assert np.abs(first - simulate(JUNCTION, 2e-11)[1][:, -1:]).max() > 1e-3


def test_equilibrium_is_boltzmann_s():
    # Density in m_z: exp(-Delta (1 - z^2)); <m_x^2> = <m_y^2> = <1 - z^2>/2, which is 1/(2 Delta) at first.
    weight = quad(lambda z: math.exp(-DELTA * (1 - z * z)), 0, 1)[0]
    expected = 0.5 * quad(lambda z: (1 - z * z) * math.exp(-DELTA * (1 - z * z)), 0, 1)[0] / weight
    assert expected == pytest.approx(1 / (2 * DELTA), rel=0.02)
    alpha, count = 0.5, 48
    relaxation = (1 + alpha**2) / (alpha * GAMMA * B_K)  # 47 ps
    time, m = ensemble(np.zeros(count), np.zeros(count), alpha, 1.5e-9, "0")
    assert np.abs(np.linalg.norm(m, axis=1) - 1.0).max() < 1e-3
    # Cold at the start, which exp(-2 t/t_D) of the excess remembers.
    settled = time > 4 * relaxation
    step = np.diff(time, prepend=0.0)[settled]
    for squared in (m[:, 0, settled] ** 2, m[:, 1, settled] ** 2):
        means = (squared * step).sum(axis=1) / step.sum()
        # One mean a junction: independent, so Student's bound needs no correlation time.
        bound = stats.t.isf(FALSE_ALARM / 2, count - 1) * means.std(ddof=1) / math.sqrt(count)
        assert abs(means.mean() - expected) < bound
        assert bound < 0.25 * expected  # a temperature off by 1 + alpha^2 would show


def test_write_errors_are_those_of_fokker_planck():
    # Delta = 40, i = 2, tau = 2: error rate 0.450.
    alpha, overdrive, tau, count = 0.1, 2.0, 2.0, 60
    relaxation = (1 + alpha**2) / (alpha * GAMMA * B_K)
    duration = tau * relaxation
    voltage = -overdrive * alpha * B_K / 100.0 * 1e3  # a_J = i alpha bk, torque 100 T/A, rp 1 kohm
    random = np.random.default_rng(1)
    # Start as in Fokker-Planck: Boltzmann in the well at +1, by inversion on a grid.
    z = np.linspace(0.0, 1.0, 20001)
    cumulative = np.cumsum(np.exp(-DELTA * (1 - z * z)))
    polar = np.arccos(np.interp(random.random(count), cumulative / cumulative[-1], z))
    azimuth = random.uniform(0, 2 * math.pi, count)
    source = f"pulse({voltage!r} 0 {duration!r} 1f 1f 1)"
    _, m = ensemble(polar, azimuth, alpha, duration + 1.5 * relaxation, source)
    assert np.abs(np.linalg.norm(m, axis=1) - 1.0).max() < 1e-3
    errors = int((m[:, 2, -1] > 0).sum())
    rate = float(fokker_planck.write_error_rate(overdrive, DELTA, tau))
    low, high = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], count, rate)
    assert low <= errors <= high


@pytest.mark.parametrize("bench", ["tb_llgs_switching.cir", "tb_llgs_thermal.cir"])
def test_benches_run_by_hand(bench):
    done = subprocess.run(
        ["ngspice", "-b", bench],
        cwd=netlist_folder(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    result = {k: float(v) for k, v in re.findall(r"^(\w+)\s+=\s+(\S+)", done.stdout, re.MULTILINE)}
    assert "rror" not in done.stderr
    if bench == "tb_llgs_switching.cir":
        assert result["mz_after_first"] > 0.99
        assert result["mz_after_second"] < -0.99
        assert result["norm_min"] == pytest.approx(1.0, abs=1e-3)
        assert result["norm_max"] == pytest.approx(1.0, abs=1e-3)
    else:
        written = [result[f"mz{k}"] < 0 for k in range(1, 9)]
        assert result["not_switched"] == 8 - sum(written)
