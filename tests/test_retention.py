"""Networks that are programmed once and then wait and are read; escape rates of junctions."""

import dataclasses
import re

import numpy as np
import pytest
from common import DEMO, ROOT
from scipy import constants

from mtjchar.cells.stt.retention import escape_rates
from mtjchar.errors import InputError
from mtjchar.network.datasets import load_dataset
from mtjchar.network.inference import infer_over_time, program
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.reads import ReadConditions
from mtjchar.network.retention import Retention
from mtjchar.network.trainer import PLANS, train
from mtjchar.physics.closed_form import neel_brown_rate
from mtjchar.physics.passage import escape_rate
from mtjchar.plotting import inference_figure
from mtjchar.sweep.population import Population

PLAN = dataclasses.replace(PLANS["perceptron"], hidden=(30,), epochs=3, batch_size=20)
FOREVER = Retention((0.0, 0.0))
COLUMNS = [
    "time_s", "reads", "wrong_bits_fraction", "accuracy_mean", "accuracy_ci95", "accuracy_drop_points",
    "accuracy_drop_ci95", "seeds",
]  # fmt: skip


def conditions(rate, **options):
    return WriteConditions((rate, rate), (1e-12, 1e-12), (1e-12, 1e-12), **options)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(digits):
    return train(digits, PLAN, conditions(0.0), seed=0).words


def test_at_first_it_is_the_programmed_network(digits, trained):
    table = infer_over_time(
        digits, PLAN, [trained] * 3, conditions(0.1), Retention((1e-3, 1e-3)), time_s=[0.0, 1e3]
    )
    programmed = [program(digits, PLAN, trained, conditions(0.1), seed) for seed in range(3)]
    assert list(table.columns) == COLUMNS
    assert table["accuracy_mean"][0] == np.mean([each.test_accuracy for each in programmed])
    wrong = [np.unpackbits(each.words ^ trained).sum() / (8 * trained.size) for each in programmed]
    assert table["wrong_bits_fraction"][0] == pytest.approx(np.mean(wrong), rel=1e-14)
    assert table["accuracy_mean"][1] < table["accuracy_mean"][0]


def test_without_errors_nothing_changes(digits, trained):
    table = infer_over_time(
        digits, PLAN, [trained, trained], conditions(0.0), FOREVER, time_s=np.inf, reads=[0, 10**15]
    )
    assert (table["wrong_bits_fraction"] == 0.0).all()
    assert (table["accuracy_drop_points"] == 0.0).all()


def test_in_the_end_half_of_the_bits_are_wrong(digits, trained):
    # Equilibrium. Binomial, 6.1 deviations, false-alarm rate 1e-9 each; with k0 = 3 k1 zeros are a quarter.
    bits = 2 * 8 * trained.size
    ones = np.unpackbits(trained).mean()
    for rates, wrong in (((1.0, 1.0), 0.5), ((3.0, 1.0), 0.75 * (1.0 - ones) + 0.25 * ones)):
        table = infer_over_time(
            digits, PLAN, [trained, trained], conditions(0.0), Retention(rates), time_s=np.inf
        )
        assert abs(table["wrong_bits_fraction"][0] - wrong) < 6.1 * np.sqrt(0.25 / bits)
    assert table["accuracy_mean"][0] < 0.3


def test_wrong_bits_follow_the_rates_of_time_reads_and_errors(digits, trained):
    # Binomial, 6.1 deviations, false-alarm rate 1e-9 each. Expected: of zeros that leave at 1e-3/s after 30 s
    # 1 - exp(-0.03), nothing goes back; of ones that 20 reads disturb 1 - 0.99^20; read errors change 5 % of
    # what is there then.
    ones = np.unpackbits(trained).mean()
    cases = [
        (Retention((1e-3, 0.0)), ReadConditions(), (1.0 - ones) * -np.expm1(-0.03)),
        (FOREVER, ReadConditions(disturb_rate=(0.0, 0.01)), ones * (1.0 - 0.99**20)),
        (FOREVER, ReadConditions(error_rate=(0.05, 0.05)), 0.05),
    ]
    bits = 2 * 8 * trained.size
    for retention, reads, wrong in cases:
        table = infer_over_time(
            digits, PLAN, [trained, trained], conditions(0.0), retention,
            time_s=30.0, reads=20, read_conditions=reads,
        )  # fmt: skip
        deviation = np.sqrt(wrong * (1.0 - wrong) / bits)
        assert abs(table["wrong_bits_fraction"][0] - wrong) < 6.1 * deviation


def test_a_read_error_depends_on_the_state_that_is_read(digits, trained):
    # Ones are read as zeros always, zeros never as ones: after all cells went to 1, every bit reads 0.
    table = infer_over_time(
        digits, PLAN, [trained, trained], conditions(0.0), Retention((1.0, 0.0)),
        time_s=np.inf, read_conditions=ReadConditions(error_rate=(0.0, 1.0)),
    )  # fmt: skip
    assert table["wrong_bits_fraction"][0] == pytest.approx(np.unpackbits(trained).mean(), rel=1e-12)


def test_a_cell_stays_the_device_it_is(digits, trained):
    # Half of the cells are devices that no write switches and every read flips; half of these, by chance, are
    # wrong at first and the others after a read: both add up to their share of the cells. With another
    # device for the reads it would be three quarters. Binomial, 6.1 deviations, false-alarm rate 1e-9 each.
    weight = [1.0, 1.0]
    rates = [[[0.0, 0.0]], [[1.0, 1.0]]]
    here = WriteConditions(rates, (1e-12, 1e-12), (1e-12, 1e-12), device_weight=weight)
    bad = Retention([[0.0, 0.0], [1.0, 1.0]], weight)
    flip = ReadConditions(disturb_rate=[[0.0, 0.0], [1.0, 1.0]])
    still = Retention([[0.0, 0.0], [0.0, 0.0]], weight)
    networks = [trained, trained]
    table = infer_over_time(
        digits, PLAN, networks, here, still, time_s=0.0, reads=[0, 1, 2], read_conditions=flip
    )
    wrong = table["wrong_bits_fraction"].to_numpy()
    cells = 2 * 8 * trained.size
    assert abs(wrong[0] + wrong[1] - 0.5) < 6.1 * np.sqrt(0.25 / cells)
    assert wrong[2] == wrong[0]
    # After long every second bit of the bad half is wrong.
    late = infer_over_time(digits, PLAN, networks, here, bad, time_s=np.inf)["wrong_bits_fraction"][0]
    assert abs(late - 0.25) < 6.1 * np.sqrt(0.25 * 0.75 / cells)


def test_devices_change_nothing_where_they_are_alike(digits, trained):
    # Marginals alone depend on rates: the same seed, alike devices, the same table.
    one = infer_over_time(
        digits, PLAN, [trained] * 2, conditions(0.1), Retention((1e-3, 2e-3)), time_s=[1.0, 100.0]
    )
    alike = Retention(np.tile((1e-3, 2e-3), (5, 1)), np.ones(5))
    many = infer_over_time(digits, PLAN, [trained] * 2, conditions(0.1), alike, time_s=[1.0, 100.0])
    assert one.equals(many)


def test_more_time_and_reads_leave_more_wrong(digits, trained):
    # Each cell has one random number at all times, and nothing is wrong before: what is wrong only grows.
    table = infer_over_time(
        digits, PLAN, [trained] * 2, conditions(0.0), Retention((1e-6, 1e-6)),
        time_s=np.geomspace(1e3, 1e6, 4)[:, None], reads=[0, 10**3],
        read_conditions=ReadConditions(disturb_rate=(1e-6, 1e-6)),
    )  # fmt: skip
    wrong = table["wrong_bits_fraction"].to_numpy().reshape(4, 2)
    assert (np.diff(wrong, axis=0) > 0.0).all()
    assert (wrong[:, 1] > wrong[:, 0]).all()
    np.testing.assert_array_equal(table["reads"], [0, 10**3] * 4)


def test_words_of_two_bytes(digits):
    plan = dataclasses.replace(PLAN, bits=12)
    words = np.random.default_rng(0).integers(0, 1 << 12, plan.network_for(digits).parameters, np.uint16)
    table = infer_over_time(
        digits, plan, [words] * 2, conditions(0.0), Retention((1.0, 1.0)), time_s=[0.0, np.inf]
    )
    assert table["wrong_bits_fraction"][0] == 0.0
    # Binomial, 6.1 deviations, false-alarm rate 1e-9.
    assert abs(table["wrong_bits_fraction"][1] - 0.5) < 6.1 * np.sqrt(0.25 / (2 * 12 * words.size))


def test_rates_of_a_run():
    # Analytic: without field both barriers are Delta, and the high-barrier form holds within 1.5/Delta.
    devices = Population(DEMO).draw()
    retention = Retention.of_devices(DEMO, devices, 300.0)
    rates = np.asarray(retention.escape_rate)
    delta = devices["thermal_stability"].to_numpy()
    expected = neel_brown_rate(0.0, delta) / devices["relaxation_time_s"].to_numpy()
    np.testing.assert_array_equal(rates[:, 0], rates[:, 1])
    np.testing.assert_allclose(rates[:, 0], expected, rtol=1.5 / delta.min())
    np.testing.assert_array_equal(retention.device_weight, np.ones(256))


def test_at_another_temperature_devices_are_those_of_its_study():
    # The same device, derived at 350 K by the laws of the kind and by a study at 350 K.
    hot = DEMO.with_(cell={"temperature": 350.0})
    places = np.random.default_rng(3).normal(size=(7, len(Population(DEMO).parameters)))
    cold_devices, hot_devices = (Population(study).at(places) for study in (DEMO, hot))
    found = escape_rates(DEMO.tables, cold_devices, 350.0)
    np.testing.assert_allclose(found, escape_rates(hot.tables, hot_devices, 350.0), rtol=1e-9)
    np.testing.assert_allclose(
        escape_rates(hot.tables, hot_devices, 300.0),
        escape_rates(DEMO.tables, cold_devices, 300.0),
        rtol=1e-9,
    )
    assert (found > 100.0 * escape_rates(DEMO.tables, cold_devices, 300.0)).all()


def test_a_field_favours_its_side():
    # Detailed balance: the rates are to each other as the partition functions of the wells, which differ by
    # exp[2 Ms V B/(kB T)] and by their curvature, (1 - h)/(1 + h) with h = B/B_k, to leading order in
    # 1/Delta. The rates of passage hold it within their 1e-3.
    field = 2e-3
    study = DEMO.with_(cell={"external_field": {"z": field}})
    device = Population(study).nominal()
    rates = escape_rates(study.tables, device, 300.0)[0]
    moment = device["saturation_magnetization_A_per_m"] * np.pi / 4 * device["diameter_m"] ** 2
    moment = float((moment * device["free_layer_thickness_m"]).iloc[0])
    h = field / device["anisotropy_field_T"].iloc[0]
    ratio = np.exp(2.0 * moment * field / (constants.k * 300.0)) * (1.0 - h) / (1.0 + h)
    assert rates[1] / rates[0] == pytest.approx(ratio, rel=2e-3)
    delta, slow = device["thermal_stability"].iloc[0], device["relaxation_time_s"].iloc[0]
    np.testing.assert_allclose(rates * slow, escape_rate([-h, h], delta), rtol=1e-6)


def test_what_is_wrong_is_refused(digits, trained):
    def infer(*arguments, **options):
        return infer_over_time(digits, PLAN, *arguments, **{"time_s": 0.0, **options})

    with pytest.raises(InputError, match="number of trained networks: got 1"):
        infer([trained], conditions(0.0), FOREVER)
    with pytest.raises(InputError, match="shape of the words"):
        infer([trained, trained[:-1]], conditions(0.0), FOREVER)
    with pytest.raises(InputError, match=r"time: got -1\.0"):
        infer([trained] * 2, conditions(0.0), FOREVER, time_s=-1.0)
    rates = [[[0.0, 0.0]], [[1.0, 1.0]]]
    here = WriteConditions(rates, (0.0, 0.0), (0.0, 0.0), device_weight=[1.0, 2.0])
    other = Retention([[0.0, 0.0], [1.0, 1.0]], [1.0, 1.0])
    with pytest.raises(InputError, match="device_weight of retention: got '2 weights'"):
        infer([trained] * 2, here, other)
    with pytest.raises(InputError, match="disturb_rate of the reads: got '3 devices'"):
        infer([trained] * 2, here, FOREVER, read_conditions=ReadConditions(disturb_rate=np.zeros((3, 2))))
    with pytest.raises(InputError, match="error_rate of the reads: got '1 devices'"):
        infer([trained] * 2, conditions(0.0), FOREVER, read_conditions=ReadConditions([[0.0, 0.0]]))
    with pytest.raises(InputError, match=r"error_rate: got 1\.5; allowed: 0 to 1"):
        ReadConditions(error_rate=(0.0, 1.5))
    with pytest.raises(InputError, match=r"shape of escape_rate: got \(3,\)"):
        Retention((0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="escape_rate: got inf"):
        Retention((0.0, np.inf))
    with pytest.raises(InputError, match="device_weight: got None; allowed: 2 finite numbers"):
        Retention([[0.0, 0.0], [1.0, 1.0]])
    with pytest.raises(InputError, match="device_weight: got 'weights'"):
        Retention((0.0, 0.0), [1.0])


def test_junctions_that_hold_nothing_are_refused():
    devices = Population(DEMO).nominal()
    with pytest.raises(InputError, match=r"temperature: got 500\.0"):
        escape_rates(DEMO.tables, devices, 500.0)
    with pytest.raises(InputError, match="barrier of device 0 at 390 K"):
        escape_rates(DEMO.tables, devices.assign(interfacial_anisotropy_J_per_m2=1.10e-3), 390.0)


def test_the_example_of_the_page_runs(capsys):
    page = (ROOT / "docs/inference.md").read_text(encoding="utf-8")
    names = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], names)
    table = names["table"]
    assert list(table["time_s"]) == [0.0, 0.0, 86400.0, 86400.0, 3.15576e7, 3.15576e7]
    assert list(table["reads"]) == [0, 10**9] * 3
    # The disturb of 1e9 reads alone: half of the bits are ones, and 1 - exp(-0.01) of them flip.
    assert table["wrong_bits_fraction"][1] == pytest.approx(0.005, rel=0.25)
    assert capsys.readouterr().out.count("\n") > 6


def test_a_figure_of_times_and_one_of_reads(digits, trained, tmp_path):
    for name, time_s, reads in (("time", [0.0, 1.0, np.inf], [[0], [5]]), ("reads", 1.0, [0, 10, 100])):
        table = infer_over_time(
            digits, PLAN, [trained] * 2, conditions(0.0), Retention((1e-3, 1e-3)), time_s=time_s, reads=reads,
            read_conditions=ReadConditions(disturb_rate=(1e-4, 1e-4)),
        )  # fmt: skip
        files = inference_figure(table, tmp_path, name)
        assert [file.name for file in files] == [f"{name}.png", f"{name}.svg"]
        text = files[1].read_text(encoding="utf-8")
        assert "recognition rate" in text
        assert ("reads of every cell" in text) == (name == "reads")


def test_binarized_networks_have_to_be_given(digits):
    # Without errors and time it is the trained network, thresholds included.
    plan = dataclasses.replace(PLANS["binarized"], hidden=(20,), epochs=2, batch_size=20)
    results = [train(digits, plan, conditions(0.0), seed) for seed in range(2)]
    words = [result.words for result in results]
    with pytest.raises(InputError, match=r"network: got None; .*TrainingResult"):
        infer_over_time(digits, plan, words, conditions(0.0), FOREVER, time_s=0.0)
    networks = [result.network for result in results]
    with pytest.raises(InputError, match="number of networks: got 1; allowed: 2"):
        infer_over_time(digits, plan, words, conditions(0.0), FOREVER, time_s=0.0, networks=networks[:1])
    table = infer_over_time(digits, plan, words, conditions(0.0), FOREVER, time_s=0.0, networks=networks)
    assert table["accuracy_mean"][0] == np.mean([result.test_accuracy for result in results])
