"""Junctions that are too wide to reverse as one macrospin: walls and nuclei, in devices, ensembles and films.

Seeds are fixed; the comparison of an ensemble would fail for a right program and another seed with a
probability of 1e-9.
"""

import json

import numpy as np
import pandas as pd
import pytest
from common import DEMO, ROOT, InPlace, with_values
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants, special, stats
from scipy.sparse import diags_array
from scipy.sparse.linalg import spsolve

import mtjchar
from mtjchar.cells.base import Counting
from mtjchar.cells.stt import axial, langevin
from mtjchar.cells.stt.compact import pspice
from mtjchar.cells.stt.device import foresee
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.retention import escape_rates
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy
from mtjchar.physics.reversal import anisotropy_of_barrier, coherent_share, critical_diameter
from mtjchar.report.chapters import limits
from mtjchar.stackfit import Film, fit_stack, pulses_at, read_table, simulate_counts, table_of, write_stack
from mtjchar.stackfit.film import Device
from mtjchar.study import load_stack
from mtjchar.surfaces import WriteSurface, average_devices
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep

ALARM = 1e-9
# Perpendicular also as a film, so that K_eff hardly depends on the diameter.
STRONG = {"interfacial_anisotropy": 1.6e-3}
WALL = {**STRONG, "exchange_stiffness": 12e-12}
NUCLEUS = {**STRONG, "nucleation_diameter": 35e-9}


def study(diameter=70e-9, cell=None, **stack):
    return DEMO.with_(stack=stack, junction={"diameter": diameter}, cell=cell or {})


def nominal(*arguments, **stack):
    return Population(study(*arguments, **stack)).nominal().iloc[0]


# ---- the barrier ----


def test_critical_diameter_by_hand():
    # sqrt(20e-12/1e5) = 14.142 nm, 16/pi = 5.0930.
    assert float(critical_diameter(1e5, 20e-12)) == pytest.approx(72.025e-9, rel=1e-4)
    assert float(critical_diameter(-1e5, 20e-12)) == np.inf


def test_wall_and_coherent_barrier_meet_at_the_critical_diameter():
    # 4 sqrt(A K) d t and K pi/4 d^2 t, analytic.
    energy, stiffness, thickness = 2e5, 15e-12, 1.5e-9
    width = np.linspace(10e-9, 300e-9, 50)
    coherent = energy * np.pi / 4 * width**2 * thickness
    wall = 4.0 * np.sqrt(stiffness * energy) * width * thickness
    found = coherent * coherent_share(energy, width, stiffness)
    np.testing.assert_allclose(found, np.minimum(coherent, wall), rtol=1e-12)
    assert np.all(np.diff(found) > 0.0)


def saddle_share(size, rings=40, sectors=40):
    """Barrier over K V of a disc of diameter `size` sqrt(A/K), with exchange and a local K alone.

    At the saddle the angle u to the plane is odd in x and even in y, and makes the integral of
    |grad u|^2 + cos(u)^2 stationary: Newton's method on finite volumes of a quarter of the disc.
    """
    step, turn = 0.5 * size / rings, 0.5 * np.pi / sectors
    radius = (np.arange(rings) + 0.5) * step
    angle = (np.arange(sectors) + 0.5) * turn
    between = (radius[:-1] + 0.5 * step) * turn / step  # neighbouring rings
    around = step / (radius * turn)  # neighbouring sectors
    shape = rings, sectors
    out = np.zeros(shape)
    out[:-1] = between[:, None]
    along = np.zeros(shape)
    along[:, :-1] = around[:, None]
    diagonal = out + np.roll(out, 1, axis=0) + along + np.roll(along, 1, axis=1)
    diagonal[:, -1] += 2.0 * around  # u = 0 on the wall, at half a cell
    stiffness = diags_array(
        [diagonal.ravel(), -out.ravel()[:-sectors], -out.ravel()[:-sectors],
         -along.ravel()[:-1], -along.ravel()[:-1]],
        offsets=[0, sectors, -sectors, 1, -1],
    ).tocsc()  # fmt: skip
    area = np.repeat(radius * step * turn, sectors)
    x = np.outer(radius, np.cos(angle)).ravel()
    u = np.arctan(np.sinh(x))  # a wall in an infinite film
    for _ in range(30):
        slope = 2.0 * stiffness @ u - area * np.sin(2.0 * u)
        change = spsolve(2.0 * stiffness - diags_array(2.0 * area * np.cos(2.0 * u)).tocsc(), -slope)
        u = u + change
    assert np.abs(change).max() < 1e-9
    return (u @ (stiffness @ u) + area @ np.cos(u) ** 2) / area.sum()


def test_the_smaller_barrier_is_an_upper_bound_of_the_saddle():
    # Truth: the saddle of exchange and local anisotropy. Coherent rotation becomes unstable where the first
    # odd mode of the disc does, d = 2 j'_11 sqrt(A/K).
    onset = 2.0 * special.jnp_zeros(1, 1)[0]
    assert onset == pytest.approx(3.682, abs=1e-3)
    sizes = np.array([0.99 * onset, 1.05 * onset, 16 / np.pi, 7.0, 10.0, 20.0])
    exact = np.array([saddle_share(size) for size in sizes])
    excess = coherent_share(1.0, sizes, 1.0) / exact - 1.0
    assert exact[0] == pytest.approx(1.0, abs=1e-9)
    assert exact[1] < 0.999
    assert np.all(excess > -1e-9)
    assert excess.argmax() == 2
    # The docstring's 13 %, and "approaches the wall's".
    assert excess[2] == pytest.approx(0.132, abs=0.002)
    assert excess[-1] < 0.006


FILMS = {
    "energy": st.floats(1e4, 1e6), "width": st.floats(6e-9, 490e-9),
    "stiffness": st.floats(1e-12, 1e-10), "nucleus": st.floats(6e-9, 490e-9),
}  # fmt: skip


@given(**FILMS)
def test_share_is_of_the_smallest_barrier_and_has_an_inverse(energy, width, stiffness, nucleus):
    share = float(coherent_share(energy, width, stiffness, nucleus))
    assert 0.0 < share <= 1.0
    assert share <= float(coherent_share(energy, width, stiffness))
    assert share <= float(coherent_share(energy, width, nucleation_diameter=nucleus))
    assert float(coherent_share(energy, 1.01 * width, stiffness, nucleus)) <= share
    barrier = share * energy * np.pi / 4 * width**2 * 1.2e-9
    back = float(anisotropy_of_barrier(barrier, width, 1.2e-9, stiffness, nucleus))
    assert back == pytest.approx(energy, rel=1e-9)


def test_stiff_and_unlimited_layers_are_coherent():
    widths = np.geomspace(5e-9, 500e-9, 20)
    np.testing.assert_array_equal(coherent_share(1e5, widths), 1.0)
    np.testing.assert_array_equal(coherent_share(-1e5, widths, 1e-12), 1.0)
    # Up to the critical diameter, whose root of A brings it anywhere.
    np.testing.assert_array_equal(coherent_share(1e5, widths, 1e-9), 1.0)
    assert float(anisotropy_of_barrier(-1e-19, 50e-9, 1e-9, 1e-12)) < 0.0


# ---- the device ----


def test_a_wall_lowers_the_stability_and_nothing_else():
    coherent, wall = nominal(**STRONG), nominal(**WALL)
    energy = 0.5 * coherent["anisotropy_field_T"] * coherent["saturation_magnetization_A_per_m"]
    # 4 sqrt(A K_eff) d t over kB T.
    barrier = 4.0 * np.sqrt(12e-12 * energy) * 70e-9 * coherent["free_layer_thickness_m"]
    assert wall["thermal_stability"] == pytest.approx(barrier / (constants.k * 300.0), rel=1e-9)
    assert wall["coherent_stability"] == coherent["thermal_stability"] > 1.5 * wall["thermal_stability"]
    changed = ["thermal_stability", "barrier_p", "barrier_ap"]
    pd.testing.assert_series_equal(wall.drop([*changed, "coherent_stability"]), coherent.drop(changed))
    assert "coherent_stability" not in coherent


def test_a_nucleus_has_the_stability_of_its_own_volume():
    # Measured (H. Sato et al., Appl. Phys. Lett. 99, 042501 (2011), abstract): from 44 nm to 76 nm the
    # stability is almost constant and the critical current rises with the area. The areas are 1 to 2.98.
    small, large = (nominal(width, **NUCLEUS) for width in (44e-9, 76e-9))
    energies = [
        0.5 * one["anisotropy_field_T"] * one["saturation_magnetization_A_per_m"] for one in (small, large)
    ]
    moment = np.pi / 4 * 35e-9**2 * small["free_layer_thickness_m"]
    for one, energy in zip((small, large), energies, strict=True):
        assert one["thermal_stability"] == pytest.approx(energy * moment / (constants.k * 300.0), rel=1e-9)
    # What is left is K_eff, by the demagnetizing factors.
    ratio = energies[1] / energies[0]
    assert large["thermal_stability"] / small["thermal_stability"] == pytest.approx(ratio)
    assert 0.8 < ratio < 1.0
    assert large["critical_current_A"] / small["critical_current_A"] == pytest.approx(ratio * (76 / 44) ** 2)


def test_switching_efficiency_is_no_longer_constant():
    # Coherent: Ic0/Delta is 4 alpha e kB T/(hbar eta) at all sizes. A wall has Delta ~ d and Ic0 ~ d^2.
    widths = (15e-9, 20e-9, 100e-9, 200e-9)
    devices = [nominal(width, **WALL) for width in widths]
    cost = np.array([one["critical_current_A"] / one["thermal_stability"] for one in devices])
    assert cost[1] == pytest.approx(cost[0], rel=1e-9)
    energies = [one["anisotropy_field_T"] for one in devices]
    assert cost[3] / cost[2] == pytest.approx(2.0 * np.sqrt(energies[3] / energies[2]), rel=1e-9)


def test_the_wall_of_an_ellipse_crosses_its_short_axis():
    asked = study(**WALL).with_(junction={"aspect_ratio": 2.25})
    device = Population(asked).nominal().iloc[0]
    energy = 0.5 * device["anisotropy_field_T"] * device["saturation_magnetization_A_per_m"]
    barrier = 4.0 * np.sqrt(12e-12 * energy) * 70e-9 / 1.5 * device["free_layer_thickness_m"]
    assert device["thermal_stability"] == pytest.approx(barrier / (constants.k * 300.0), rel=1e-9)


def test_warmth_lowers_exchange_and_anisotropy():
    # Mean field: A is proportional to Ms^2; K_eff by the laws of the stack.
    hot, cold = (nominal(cell={"temperature": kelvin}, **WALL) for kelvin in (380.0, 300.0))
    energies, moments = (
        hot[name] / cold[name] for name in ("anisotropy_field_T", "saturation_magnetization_A_per_m")
    )
    expected = np.sqrt(moments**2 * moments * energies) * 300.0 / 380.0
    assert hot["thermal_stability"] / cold["thermal_stability"] == pytest.approx(expected, rel=1e-9)


def test_a_measured_stability_keeps_its_value():
    table = {"value": 60.0, "diameter": 90e-9}
    given = {key: value for key, value in dict(DEMO.stack).items() if key != "interfacial_anisotropy"}
    for further in ({"exchange_stiffness": 3e-12}, {"nucleation_diameter": 40e-9}):
        stack = type(DEMO.stack).model_validate({**given, "stability": table, **further})
        device = nominal(90e-9, **dict(stack))
        assert device["thermal_stability"] == pytest.approx(60.0, rel=1e-9)
        assert device["coherent_stability"] > 80.0


def test_a_field_acts_on_the_same_part():
    field = {"external_field": {"z": 0.02}}
    device = nominal(cell=field, **WALL)
    h = 0.02 / device["anisotropy_field_T"]
    expected = device["thermal_stability"] * (1.0 + np.array([h, -h])) ** 2
    np.testing.assert_allclose(device[["barrier_p", "barrier_ap"]].astype(float), expected, rtol=1e-9)


@pytest.mark.parametrize("stack", [WALL, NUCLEUS], ids=["wall", "nucleus"])
def test_retention_at_another_temperature_is_that_of_its_study(stack):
    stack = {**stack, "interfacial_anisotropy": 1.35e-3}
    cold, hot = study(50e-9, **stack), study(50e-9, cell={"temperature": 358.15}, **stack)
    rates = [escape_rates(one.tables, Population(one).nominal(), 358.15) for one in (cold, hot)]
    np.testing.assert_allclose(*rates, rtol=1e-9)


def test_a_fitted_stiffness_varies_between_stacks():
    # As a fit leaves it in a stack file: one value, and its covariance.
    stack = {**WALL, "exchange_stiffness": 12e-12}
    spread = {"parameters": ["exchange_stiffness"], "values": [12e-12], "covariance": [[1e-24]]}
    asked = study(cell={"temperature": 350.0}, **stack).with_(variability={"fit": spread})
    devices = Population(asked).draw()
    stiffness = devices["exchange_stiffness_J_per_m"]
    ratio = float(nominal(cell={"temperature": 350.0}, **stack)["saturation_magnetization_A_per_m"])
    ratio /= DEMO.stack.saturation_magnetization
    assert stiffness.mean() == pytest.approx(12e-12 * ratio**2, rel=0.1)
    assert stiffness.nunique() == devices["replicate"].nunique()
    energy = 0.5 * devices["anisotropy_field_T"] * devices["saturation_magnetization_A_per_m"]
    share = coherent_share(energy, devices["diameter_m"], stiffness)
    np.testing.assert_allclose(
        devices["thermal_stability"], share * devices["coherent_stability"], rtol=1e-12
    )
    same = escape_rates(asked.tables, devices, 350.0)
    np.testing.assert_allclose(
        same[:, 0], escape_rates(study(cell={"temperature": 350.0}, **stack).tables, devices, 350.0)[:, 0]
    )


# ---- ensembles and circuits ----


@pytest.mark.parametrize("law", ["voltage", "current"])
@pytest.mark.parametrize("stack", [WALL, NUCLEUS], ids=["wall", "nucleus"])
def test_ensemble_and_netlist_have_the_rates_of_the_device(stack, law):
    asked = study(**stack, torque=law)
    device = Population(asked).nominal()
    row = device.iloc[0]
    spin = langevin.macrospin(asked.tables, row)
    assert spin.stability == pytest.approx(row["thermal_stability"], rel=1e-9)
    assert spin.critical_current == pytest.approx(row["critical_current_A"], rel=1e-9)
    assert spin.relaxation_time == pytest.approx(row["relaxation_time_s"], rel=1e-9)
    # The axial model: a_J = alpha bk at Ic0, t_D from alpha and bk, the thermal drift from delta.
    cell = cell_parameters(asked.tables, device).iloc[0]
    assert cell["delta"] == row["thermal_stability"]
    assert cell["alpha"] * cell["bk"] / cell["torque"] == pytest.approx(row["critical_current_A"], rel=1e-9)
    slow = anisotropy.relaxation_time(np.asarray(cell["alpha"]), np.asarray(cell["bk"]))
    assert float(slow) == pytest.approx(row["relaxation_time_s"], rel=1e-12)
    # What PSpice's users take the thermal field from: alpha bk/(gamma Delta) for 2 alpha kB T/(gamma Ms V).
    brown = 2.0 * spin.damping * constants.k * spin.temperature / (spin.magnetization * spin.volume)
    assert cell["alpha"] * cell["bk"] / cell["delta"] == pytest.approx(brown, rel=1e-9)
    assert f"delta={float(cell['delta'])!r}" in pspice(asked.tables, device, "junction")


@pytest.mark.parametrize("direction", ["p_to_ap", "ap_to_p"])
def test_counted_errors_are_those_of_fokker_planck(direction):
    # A tilt of 1e-6 rad breaks the symmetry and changes nothing. Binomial limits.
    trials, amplitudes, durations = 3000, np.array([0.7, 0.9]), np.geomspace(2e-9, 8e-9, 4)
    asked = study(50e-9, exchange_stiffness=3e-12, reference_tilt=1e-6)
    devices = Population(asked).nominal()
    assert devices["thermal_stability"].iloc[0] < 0.7 * devices["coherent_stability"].iloc[0]
    lines = load_lines(asked, cell_parameters(asked, devices), direction, asked.pulses.at(amplitudes))
    pulses = asked.pulses.at(amplitudes, durations)
    counted = langevin.count_failures(asked, devices, direction, lines, pulses, Counting(trials, 5))
    expected = axial.average_over_noise(asked, devices, direction, lines, pulses)
    whole = axial.average_over_noise(
        asked, devices.assign(thermal_stability=devices["coherent_stability"]), direction, lines, pulses
    )
    rate = expected.error_rate
    alarm = ALARM / (2 * rate.size)
    low, high = stats.binom.ppf([[[[alarm / 2]]], [[[1 - alarm / 2]]]], trials, rate)
    failures = counted.error_rate * trials
    assert np.all((failures >= low) & (failures <= high))
    # The test tells the part from the whole.
    low, high = stats.binom.ppf([[[[alarm / 2]]], [[[1 - alarm / 2]]]], trials, whole.error_rate)
    assert np.any((failures < low) | (failures > high))


# ---- warnings ----


def test_wide_junctions_are_announced_with_the_number():
    def warnings(asked):
        return " ".join(foresee(asked.tables, Population(asked).nominal(), 1.2).warnings)

    # K_eff of the demo's film at 80 nm, and the critical diameter of 20 pJ/m, by `critical_diameter`.
    device = nominal(80e-9, **STRONG)
    energy = 0.5 * device["anisotropy_field_T"] * device["saturation_magnetization_A_per_m"]
    widest = 1e9 * float(critical_diameter(energy, 20e-12))
    assert widest < 80.0
    assumed, given = warnings(study(80e-9, **STRONG)), warnings(study(80e-9, **WALL))
    assert f"beyond {widest:.3g} nm" in assumed
    assert "an assumed exchange stiffness A of 20 pJ/m" in assumed
    assert f"beyond {widest * np.sqrt(0.6):.3g} nm" in given
    assert "assumed" not in given
    assert "% of that of coherent reversal" in given
    assert "wall" not in warnings(study(20e-9, **WALL))
    assert "wall" not in warnings(DEMO)


def test_a_report_has_the_number_among_its_limits():
    surface = mtjchar.example_run().surface
    wide = DEMO.with_(junction={"diameter": 90e-9}, stack=STRONG)
    shown = limits(WriteSurface(surface.dataset.assign_attrs(study=wide.to_toml())))
    assert any("The diameter of 90 nm is beyond" in point for point in shown)


def test_answers_carry_the_warnings_of_their_run(tmp_path, call):
    pulses = {
        "amplitude": {"start": 0.6, "stop": 1.2, "points": 3},
        "duration": {"start": 2e-9, "stop": 3e-8, "points": 3},
        "devices": 2,
    }
    wide = DEMO.with_(junction={"diameter": 60e-9}, stack={"exchange_stiffness": 4e-12}, sweep=pulses)
    run = run_sweep(wide, tmp_path / "run", executor=InPlace())
    surface = average_devices(run)
    plain = run_sweep(DEMO.with_(sweep=pulses), tmp_path / "plain", executor=InPlace())
    assert average_devices(plain).warnings == ()
    assert "warnings" not in average_devices(plain).dataset.attrs
    assert any("The diameter of 60 nm is beyond" in words for words in surface.warnings)
    for command in (
        ("query", run, "--amplitude", "1 V", "--duration", "10 ns", "--json"),
        ("pulse", run, "--ber", "0.99", "--json"),
        ("export", run, "--format", "csv", "--out", tmp_path / "table.csv"),
        ("compare", run, plain, "--out", tmp_path / "compared", "--json"),
    ):
        code, out, error = call(*command)
        assert code == 0, error
        if "--json" in command:
            json.loads(out)
        assert "The diameter of 60 nm is beyond" in " ".join(error.split())


@pytest.mark.parametrize(
    ("key", "value"),
    [("exchange_stiffness", 1.0), ("nucleation_diameter", 1e-6), ("exchange_stiffness", -1e-12)],
)
def test_impossible_values_are_refused(key, value):
    with pytest.raises(InputError, match=key):
        study(**{key: value})


# ---- the film of a fit ----


@pytest.mark.parametrize("stack", [STRONG, WALL, NUCLEUS], ids=["coherent", "wall", "nucleus"])
def test_film_gives_the_devices_of_all_sizes(stack):
    # The other way round through the study: mtjchar.cells.stt.device.derive.
    film = Film(with_values(DEMO.stack, **stack), 60e-9)
    widths, kelvins = np.array([30e-9, 60e-9, 90e-9]), np.array([300.0, 340.0, 358.15])
    found = film.device_at(film.nominal(), kelvins, widths)
    resistance = film.parallel_resistance(kelvins, film.stack.resistance_area_product, widths)
    for k, (width, kelvin) in enumerate(zip(widths, kelvins, strict=True)):
        device = nominal(width, {"temperature": kelvin}, **stack)
        assert found.stability[k] == pytest.approx(device["thermal_stability"], rel=1e-9)
        assert found.critical_current[k] == pytest.approx(device["critical_current_A"], rel=1e-9)
        assert found.relaxation_time[k] == pytest.approx(device["relaxation_time_s"], rel=1e-9)
        assert resistance[k] == pytest.approx(device["parallel_resistance_ohm"], rel=1e-9)
        field = film.anisotropy_field(found.stability[k], kelvin, width)
        assert float(field) == pytest.approx(device["anisotropy_field_T"], rel=1e-9)


@given(
    st.floats(15.0, 120.0),
    st.floats(1e-5, 2e-4),
    st.floats(3e-10, 5e-9),
    st.floats(1e-12, 1e-10),
    st.sampled_from([250.0, 300.0, 390.0]),
)
def test_film_and_device_are_one_for_one(stability, current, time, stiffness, kelvin):
    film = Film(with_values(DEMO.stack, **STRONG), 60e-9, kelvin)
    device = Device(*map(np.asarray, (stability, current, time)))
    back = film.with_values({"exchange_stiffness": stiffness}).device_at(device, kelvin)
    values = film.with_values({"exchange_stiffness": stiffness}).film(device)
    # No damping gives a relaxation time below 2/(gamma mu0 Hk).
    assert np.allclose(back, device, rtol=1e-9) or np.isnan(values.damping)


def test_stiffness_broadcasts_and_its_limit_is_coherent():
    film = Film(with_values(DEMO.stack, **STRONG), 30e-9)
    device, widths = film.nominal(), np.array([20e-9, 50e-9, 80e-9])
    sets = np.array([[5e-12], [20e-12], [1e-9], [np.inf]])
    found = film.with_values({"exchange_stiffness": sets}).device_at(device, 300.0, widths)
    assert found.stability.shape == (4, 3)
    coherent = film.device_at(device, 300.0, widths)
    np.testing.assert_allclose(found.stability[2:], np.broadcast_to(coherent.stability, (2, 3)), rtol=1e-12)
    assert np.all(np.diff(found.stability[:3, 1:], axis=0) > 0.0)
    share = film.with_values({"exchange_stiffness": sets}).coherent_share(device.stability)
    assert np.all(np.diff(share[:, 0]) >= 0.0)
    assert share[-1, 0] == pytest.approx(1.0, rel=1e-12)


# ---- tables of several diameters ----

PULSES = """direction,amplitude_V,duration_ns,trials,switched,{0}
p_to_ap,0.5,10,100,40,{1}
p_to_ap,0.6,10,100,70,
"""


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("diameter_m", "6e-8"),
        ("diameter_nm", "60"),
        ("d (nm)", "60"),
        ("Diameter [um]", "0.06"),
        ("d_nm", "60"),
    ],
)
def test_rows_have_their_diameter(tmp_path, header, value):
    path = tmp_path / "switching.csv"
    path.write_text(PULSES.format(header, value))
    table = read_table(path)
    assert (table.kind, table.unused) == ("switching", ())
    assert table.rows["diameter_m"].iloc[0] == pytest.approx(60e-9)
    assert np.isnan(table.rows["diameter_m"].iloc[1])


def test_thresholds_and_files_have_a_diameter(tmp_path):
    path = tmp_path / "d35nm.csv"
    path.write_text("amplitude_V,duration_ns,direction,wer\n0.5,10,p_to_ap,1e-3\n")
    rules = tmp_path / "rules.toml"
    rules.write_text('["d{diameter}nm.csv"]\n')
    assert read_table(path, rules).rows["diameter_m"].tolist() == pytest.approx([35e-9])
    rules.write_text('values = { diameter = "40 nm" }\n')
    table = read_table(path, rules)
    assert table.kind == "thresholds"
    assert table.rows["diameter_m"].tolist() == pytest.approx([40e-9])


def test_dwell_times_of_two_diameters_are_counted_apart(tmp_path):
    path = tmp_path / "rtn.csv"
    path.write_text("state,dwell_time_us,diameter_nm\nP,3,30\nP,5,30\nP,40,50\nP,60,50\n")
    rows = read_table(path).rows
    assert sorted(1e9 * rows["diameter_m"]) == pytest.approx([30.0, 50.0])
    assert rows["switched"].tolist() == [2.0, 2.0]


def test_impossible_diameters_are_refused(tmp_path):
    path = tmp_path / "switching.csv"
    path.write_text(PULSES.format("diameter_nm", "6000"))
    with pytest.raises(InputError, match=r"line 2, diameter_nm.*above 5 nm and below 500 nm"):
        read_table(path)


def test_shipped_stacks_are_unchanged():
    for file in (ROOT / "data/stacks").glob("*.toml"):
        assert load_stack(file).wall_and_nucleus == (np.inf, np.inf)


def test_a_fit_of_a_wide_junction_leaves_a_stack_with_its_device(tmp_path):
    film = Film(with_values(DEMO.stack, exchange_stiffness=3e-12), 50e-9)
    assert film.coherent_share(film.nominal().stability) < 0.7
    rows = simulate_counts(
        film, pulses_at(film, np.geomspace(1e-9, 1e-7, 3), (0.1, 0.5, 0.9)), np.random.default_rng(1)
    )
    fit = fit_stack([table_of(rows)], film)
    write_stack(fit, tmp_path / "fitted.toml")
    stack = load_stack(tmp_path / "fitted.toml")
    assert stack.exchange_stiffness == 3e-12
    found = Film(stack, 50e-9).nominal()
    assert [float(one) for one in found] == pytest.approx(
        [fit.values[name] for name in ("stability", "critical_current", "relaxation_time")], rel=1e-6
    )
