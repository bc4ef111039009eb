"""R-H loops, alone and with pulses: what comes back, what is shared, what is refused or warned of."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stackfit_cases import FAR, FILM, STACK, TRUTH, counts, distances, fit_stack_quietly, written

from mtjchar.errors import InputError
from mtjchar.physics import long_pulses
from mtjchar.stackfit import Film, fit_stack, fitted_stack, read_table, simulate_loops, table_of
from mtjchar.stackfit.data.field_steps import FieldSteps, steps_of
from mtjchar.stackfit.loops import coercive_fields, log_staying
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.setup import set_up

OFFSET = {**TRUTH, "offset_field": 0.006}
FIELD = float(FILM.anisotropy_field(TRUTH["stability"]))
GRID = np.arange(-0.25, 0.25, 1e-3)
NAMES = [*TRUTH, "offset_field"]


def swept(seed, values=OFFSET, loops=60, film=FILM, **options):
    return simulate_loops(film, GRID, loops, np.random.default_rng(seed), values=values, **options)


@pytest.fixture(scope="module")
def loops():
    return table_of(swept(26), "loops.csv")


@pytest.fixture(scope="module")
def pulses():
    return table_of(counts(27, OFFSET), "pulses.csv")


# ---- the model ----


def test_rate_of_a_swept_field():
    # Analytic: the logarithm of staying is minus the time times the rate, for a small step. The field helps
    # towards P by the offset, and hinders towards AP.
    one = np.ones(1)
    for towards_p, acting in ((1.0, 0.09), (-1.0, 0.07)):
        steps = FieldSteps(0.08 * one, 0.0800001 * one, towards_p * one, 2.0 * one, 300.0 * one)
        expected = -1e-7 / 2.0 * long_pulses.decay_rate(acting / 0.18, 45.0) / 1e-9
        assert log_staying(steps, 45.0 * one, 0.18 * one, 1e-9 * one, 0.01) == pytest.approx(
            expected, rel=5e-3
        )


@settings(deadline=None)  # the first call computes the table of rates
@given(st.floats(0.02, 0.12), st.floats(1e-4, 4e-3), st.floats(20.0, 90.0), st.sampled_from([-1.0, 1.0]))
def test_a_step_is_its_two_halves(start, width, stability, towards_p):
    places = np.array([start, start + 0.5 * width, start + width])
    halves, whole = (
        FieldSteps(a, b, *np.array([towards_p, 1.0, 300.0])[:, None] * np.ones(len(a)))
        for a, b in ((places[:-1], places[1:]), (places[:1], places[2:]))
    )
    values = (np.array([stability]), np.array([0.18]), np.array([1e-9]))
    parts = log_staying(halves, *(np.repeat(one, 2) for one in values), 0.005)
    assert log_staying(whole, *values, 0.005) == pytest.approx([parts.sum()], rel=1e-3)


def test_switching_fields_are_distributed_as_the_barrier_says():
    # Kurkijarvi's equation 1, integrated here: mean and scatter of 400 switches, 6.2 standard errors.
    own = swept(28, loops=400, sweep_rate=0.05)
    fields = coercive_fields(steps_of(table_of(own))).iloc[0]
    place = np.linspace(0.0, 0.15, 601)
    for branch, sign in (("upwards", 1.0), ("downwards", -1.0)):
        h = np.clip((place + sign * OFFSET["offset_field"]) / FIELD, 0.0, None)
        rate = long_pulses.decay_rate(h, TRUTH["stability"]) / TRUTH["relaxation_time"] / 0.05
        left = np.exp(-np.r_[0.0, np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(place))])
        density = rate * left
        mean = np.trapezoid(density * place, place)
        scatter = np.sqrt(np.trapezoid(density * (place - mean) ** 2, place))
        assert sign * fields[branch] == pytest.approx(mean, abs=FAR * scatter / np.sqrt(400.0))
        # The steps of 1 mT add their own variance, 1/12 mT^2.
        wider = np.hypot(scatter, 1e-3 / np.sqrt(12.0))
        assert fields[f"{branch}_deviation"] == pytest.approx(wider, rel=FAR / np.sqrt(2.0 * 400.0))


def test_anisotropy_field_at_other_temperatures():
    model, kelvin = SwitchingModel(FILM), np.array([300.0, 358.15])
    one = np.ones(2)
    steps = FieldSteps(0.08 * one, 0.081 * one, one, one, kelvin)
    nominal = nominal_values(FILM)
    device = model.device(nominal, steps)
    # The film's own at both temperatures, by mtjchar.physics.anisotropy.
    hot = Film(STACK, 40e-9, 358.15)
    expected = [float(film.anisotropy_field(film.nominal().stability)) for film in (FILM, hot)]
    assert model.anisotropy_field(nominal, steps, device.stability) == pytest.approx(expected, rel=1e-12)
    # A field of its own is that of the fit's temperature, and goes along.
    own = model.anisotropy_field({**nominal, "anisotropy_field": 0.15}, steps, device.stability)
    assert own == pytest.approx([0.15, 0.15 * expected[1] / expected[0]], rel=1e-12)


def test_many_sets_of_parameters_have_what_each_has(loops, pulses):
    # Sets that differ only in what loops do not show are computed once; here each is also asked of the model.
    names = [*NAMES, "anisotropy_field"]
    problem = set_up([loops, pulses], FILM, names, (), {}).problem
    center = np.array([{**OFFSET, "anisotropy_field": FIELD}[name] for name in problem.free])
    rng = np.random.default_rng(42)
    sets = center * np.where(rng.random((100, len(center))) < 0.5, 1.0, 1.0 + 0.05 * rng.random(len(center)))
    expected = [problem.model.log_staying(problem.values(one), problem.observations.steps) for one in sets]
    for _ in range(2):  # what is known from before is the same
        np.testing.assert_array_equal(problem.log_staying(sets), expected)
        np.testing.assert_array_equal(problem.log_staying(sets[3]), expected[3])


# ---- loops alone ----


def test_loops_alone(loops):
    start = {"relaxation_time": TRUTH["relaxation_time"]}
    fit = fit_stack([loops], FILM, start=start)
    assert fit.problem.free == ("stability", "offset_field")
    assert max(map(abs, distances(fit, OFFSET).values())) < FAR
    assert not fit.messages
    field = fit_stack([loops], FILM, vary=["stability", "anisotropy_field", "offset_field"], start=start)
    assert max(map(abs, distances(field, {**OFFSET, "anisotropy_field": FIELD}).values())) < FAR
    # Without the moment of the film mean and scatter of the fields have to tell both.
    assert (
        field.table().loc["stability", "standard_error"]
        > 5.0 * fit.table().loc["stability", "standard_error"]
    )
    assert fitted_stack(field).damping > 0.0


def test_both_ways_of_counting_the_field(loops):
    # The same loops with the field turned around: the same device, the center turned around.
    turned = loops.rows.assign(field_T=-loops.rows["field_T"]).drop(columns=["file", "line"])
    fits = [fit_stack_quietly([one], FILM, intervals=False) for one in (loops, table_of(turned))]
    assert fits[1].vector == pytest.approx(fits[0].vector, rel=1e-6)
    (there, back) = (fit.coercive.iloc[0] for fit in fits)
    assert back["center"] == pytest.approx(-there["center"])
    assert (there["polarity"], back["polarity"]) == (1.0, -1.0)
    # Positive towards P, a field shifts the loop the other way.
    assert there["center"] == pytest.approx(-0.006, abs=FAR * there["upwards_deviation"] / np.sqrt(120.0))


def test_without_a_film(loops):
    names = ["stability", "anisotropy_field", "offset_field"]
    fit = fit_stack([loops], vary=names, start={"relaxation_time": TRUTH["relaxation_time"]})
    assert max(map(abs, distances(fit, {**OFFSET, "anisotropy_field": FIELD}).values())) < FAR
    with pytest.raises(InputError, match="anisotropy_field: got 'no stack'"):
        fit_stack([loops])
    with pytest.raises(InputError, match="relaxation_time: got 'no stack'"):
        fit_stack([loops], vary=names)


# ---- loops and pulses ----


@pytest.fixture(scope="module")
def joint(loops, pulses):
    return fit_stack([loops, pulses], FILM)


def test_loops_and_pulses_together(loops, pulses, joint):
    assert joint.problem.free == tuple(NAMES)
    assert max(map(abs, distances(joint, OFFSET).values())) < FAR
    assert not joint.messages
    # Two-sided, by chance 1e-9.
    assert 5e-10 < joint.probability < 1.0 - 5e-10
    alone = [
        fit_stack([pulses], FILM, vary=NAMES, intervals=False),
        fit_stack([loops], FILM, intervals=False),
    ]
    for name in ("stability", "offset_field"):
        errors = [float(fit.table().loc[name, "standard_error"]) for fit in alone]
        assert joint.table().loc[name, "standard_error"] < 0.95 * min(errors)
    assert set(joint.points()["kind"]) == {"switching", "loop"}
    report = joint.report()
    for words in ("[[R-H loops]] loops.csv: a rising field makes the layers parallel", "coercive field"):
        assert words in report


def test_a_field_of_its_own(loops, pulses):
    fit = fit_stack([loops, pulses], FILM, vary=[*NAMES, "anisotropy_field"])
    assert max(map(abs, distances(fit, {**OFFSET, "anisotropy_field": FIELD}).values())) < FAR
    assert not fit.messages
    ratio = fit.derived().loc["activation_volume_over_junction"]
    assert ratio["value"] == pytest.approx(1.0, abs=FAR * ratio["standard_error"])
    assert fit.derived().loc["activation_volume", "value"] == pytest.approx(ratio["value"] * FILM.volume)


def test_a_moment_that_is_not_the_junctions():
    # Reversal of half of the junction: the field that goes with the stability is twice as large.
    half = {**OFFSET, "anisotropy_field": 2.0 * FIELD}
    grid = np.arange(-0.45, 0.45, 1e-3)
    rows = simulate_loops(FILM, grid, 60, np.random.default_rng(29), values=half)
    own = table_of(counts(30, half), "pulses.csv")
    tables = [table_of(rows, "loops.csv"), own]
    fit = fit_stack_quietly(tables, FILM, vary=[*NAMES, "anisotropy_field"], intervals=False)
    ratio = fit.derived().loc["activation_volume_over_junction"]
    assert ratio["value"] == pytest.approx(0.5, abs=FAR * ratio["standard_error"])
    (message,) = fit.messages
    assert re.search(r"0\.(49|5)\d* ± 0\.0\d+ times that of the junction, 2\.05e-18 A m\^2", message)
    # 40 nm times the root of one half.
    assert re.search(r"28\.\d nm would agree", message)
    # Kept, the moment makes loops and pulses contradict each other.
    kept = " ".join(fit_stack_quietly(tables, FILM, intervals=False).messages)
    assert "do not go together" in kept
    assert "anisotropy_field in vary leaves them open" in kept


def test_loops_of_another_stack(pulses):
    other = table_of(swept(31, {**OFFSET, "stability": 56.0}), "other.csv")
    fit = fit_stack_quietly([other, pulses], FILM, intervals=False)
    message = next(one for one in fit.messages if "do not go together" in one)
    assert message.startswith("loops (other.csv) and the other tables")
    found = re.search(r"stability ([\d.]+) ± [\d.]+ by the loops, ([\d.]+) ± [\d.]+ by the others", message)
    # What either was made with; the loops' field is by the film's moment.
    assert [float(one) for one in found.groups()] == pytest.approx([56.0, 48.0], rel=0.03)


def test_several_temperatures():
    truth = {**nominal_values(FILM), "offset_field": 0.004}
    rows = [swept(32 + k, truth, temperature=kelvin) for k, kelvin in enumerate((300.0, 358.15))]
    fit = fit_stack([table_of(pd.concat(rows))], FILM)
    assert max(map(abs, distances(fit, truth).values())) < FAR


def test_one_table_at_another_temperature_than_the_pulses():
    truth = {**nominal_values(FILM), "offset_field": 0.004}
    hot = swept(34, truth, temperature=358.15)
    fit = fit_stack([table_of(hot), table_of(counts(35, truth))], FILM)
    assert max(map(abs, distances(fit, truth).values())) < FAR
    assert not fit.messages


def test_sweep_rates_of_decades_tell_the_stability():
    rows = [swept(36 + k, sweep_rate=rate) for k, rate in enumerate((1e-2, 1.0, 100.0))]
    names, start = ["stability", "anisotropy_field", "offset_field"], dict(list(TRUTH.items())[2:])
    errors = []
    for own in (rows[1:2] * 3, rows):
        fit = fit_stack_quietly([table_of(pd.concat(own))], FILM, vary=names, start=start)
        errors.append(float(fit.table().loc["stability", "standard_error"]))
    assert max(map(abs, distances(fit, {**OFFSET, "anisotropy_field": FIELD}).values())) < FAR
    assert errors[1] < 0.7 * errors[0]


# ---- what cannot be ----


def refused(rows, message, film=FILM, **options):
    with pytest.raises(InputError, match=message) as caught:
        fit_stack([table_of(rows, "loops.csv")], film, **options)
    return str(caught.value)


def test_bad_loops():
    rows = swept(37, loops=20)
    refused(swept(37, loops=3), "switches upwards: got 3")
    refused(rows.drop(columns="sweep_rate_T_per_s"), "sweep_rate: got 'missing'")
    refused(rows.assign(resistance_ohm=4e3), "two states")
    turned = rows.assign(field_T=np.where(np.arange(len(rows)) < len(rows) // 2, 1.0, -1.0) * rows["field_T"])
    refused(turned, "switches that do not go with the field: got '40 of 40'; allowed: at most 10%")
    # Every field read twice, switched at the second reading: while the field stands still.
    twice = rows.loc[rows.index.repeat(2)].reset_index(drop=True)
    twice.loc[1::2, "resistance_ohm"] = rows["resistance_ohm"].shift(-1, fill_value=8e3).to_numpy()
    refused(twice, "switches that do not go with the field")


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_fields_wrong_by_a_thousand(factor):
    rows = swept(38, loops=20)
    rows["field_T"] *= factor
    assert "Is the unit of the column right" in refused(rows, "loops.csv: coercive field")
    names = ["stability", "anisotropy_field", "offset_field"]
    refused(rows, "loops.csv: coercive field", None, vary=names, start={"relaxation_time": 1e-9})


@pytest.mark.parametrize(
    ("name", "table"),
    [("critical_current", "switching or thresholds"), ("tmr", "resistance or switching or thresholds")],
)
def test_parameters_that_loops_do_not_show(loops, name, table):
    with pytest.raises(InputError, match=f"vary: got '{name}'.*{name} shows in tables of {table}"):
        fit_stack([loops], FILM, vary=["stability", name])


def test_a_field_without_loops(pulses):
    with pytest.raises(InputError, match="anisotropy_field shows in tables of loops"):
        fit_stack([pulses], FILM, vary=["stability", "anisotropy_field"])


def test_one_stability_where_there_are_loops(loops, pulses):
    with pytest.raises(InputError, match="vary offset_field instead"):
        fit_stack([loops, pulses], FILM, per_direction=["stability"])
    with pytest.raises(InputError, match="with pulses in both directions"):
        fit_stack([loops], FILM, vary=["relaxation_time"], per_direction=["relaxation_time"])
    fit = fit_stack_quietly([loops, pulses], FILM, per_direction=["critical_current"], intervals=False)
    assert "critical_current_p_to_ap" in fit.problem.free


def test_a_shift_that_is_not_fitted(loops):
    fit = fit_stack_quietly([loops], FILM, vary=["stability"], intervals=False)
    message = next(one for one in fit.messages if "centred" in one)
    assert re.search(r"centred at -[\d.]+ mT, by the fit at 0 T: vary offset_field", message)


def test_steps_and_scatter_that_are_said():
    rough = simulate_loops(FILM, np.arange(-0.24, 0.25, 0.02), 40, np.random.default_rng(39), values=OFFSET)
    fit = fit_stack_quietly([table_of(rough)], FILM, intervals=False)
    assert any("steps of 20 mT are wider than the switching field scatters" in one for one in fit.messages)
    # Two devices, with the stability kept: their fields scatter more than those of one.
    mixed = pd.concat([swept(40), swept(41, {**OFFSET, "anisotropy_field": 1.3 * FIELD})])
    fit = fit_stack_quietly(
        [table_of(mixed)], FILM, vary=["anisotropy_field", "offset_field"], intervals=False
    )
    assert any("the switching fields scatter" in one for one in fit.messages)


# ---- averaged loops ----


def averaged(loops, seed):
    """Loops one by one, and their mean over the field."""
    rows = simulate_loops(FILM, np.arange(-0.2, 0.2, 1e-3), loops, np.random.default_rng(seed), values=OFFSET)
    place = np.arange(len(rows)) % (len(rows) // loops)
    return rows, rows.groupby(place).mean()


def test_the_mean_of_loops_has_the_steps_of_all():
    rows, mean = averaged(100, 51)
    expected = steps_of(table_of(rows)).drop(columns=["line", "file"])
    for own in (mean.assign(averages=100), mean.assign(loops=100)):
        found = steps_of(table_of(own)).drop(columns=["line", "file"])
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_like=True)
    with pytest.raises(InputError, match=r"at least 10.*\[values\] averages = 100"):
        steps_of(table_of(mean))


@pytest.mark.parametrize(("state", "words"), [((0, 1), "0 1"), ((1, -1), "1 -1")])
def test_the_mean_state_of_loops(tmp_path, state, words):
    rows, mean = averaged(40, 52)
    low, high = rows["resistance_ohm"].min(), rows["resistance_ohm"].max()
    share = (mean["resistance_ohm"] - low) / (high - low)
    table = pd.DataFrame({"field_T": mean["field_T"], "state": state[0] + (state[1] - state[0]) * share})
    p, ap = words.split()
    rules = f'values = {{ averages = 40, sweep_rate = "1 T/s" }}\nwords = {{ "{p}" = "p", "{ap}" = "ap" }}\n'
    found = read_table(written(tmp_path, table.to_csv(index=False)), written(tmp_path, rules, "rules.toml"))
    numbers = ["trials", "switched", "towards_p"]
    expected = steps_of(table_of(rows))[numbers]
    pd.testing.assert_frame_equal(steps_of(found)[numbers], expected, check_dtype=False)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_fit_of_averaged_loops(noise):
    _, mean = averaged(100, 53)
    rng = np.random.default_rng(54)
    mean["resistance_ohm"] *= 1.0 + noise * rng.standard_normal(len(mean))
    table = table_of(mean.assign(averages=100))
    fit = fit_stack_quietly([table], FILM, vary=["stability", "offset_field"], starts=1, intervals=False)
    # Two values within 6.2 standard errors: a false alarm in 1e-9 of the seeds.
    assert all(abs(far) < FAR for far in distances(fit, OFFSET).values())
    assert fit.probability > 1e-3
