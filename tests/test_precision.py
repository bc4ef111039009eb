"""As many devices as the wanted interval takes, and no more."""

import numpy as np
import pytest
from common import DEMO, InPlace

from mtjchar.cells.stt.device import COLUMNS
from mtjchar.cells.stt.tables import SttVariability
from mtjchar.errors import InputError
from mtjchar.statistics import replicate_interval
from mtjchar.study import Spread, Study, Transistor
from mtjchar.surfaces import average_devices
from mtjchar.sweep import importance, precision
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory


def study(**changed):
    """One direction, twelve pulses, two varied parameters, a transistor that is a resistor."""
    spread = {name: Spread(sigma=0.04, relative=True) for name in ("damping", "resistance_area_product")}
    numbers = {
        "directions": ("p_to_ap",),
        "amplitude": {"start": 0.4, "stop": 0.6, "points": 2},
        "duration": {"start": 2e-9, "stop": 30e-9, "points": 6},
        "devices": 600,
        "seed": 3,
    }
    transistor = Transistor(model="ideal", on_resistance=1000.0)
    return DEMO.with_(
        cell={"transistor": transistor}, variability=SttVariability(**spread), sweep={**numbers, **changed}
    )


def widest(surface):
    data = surface.dataset
    shown = (data["ber"] >= 1e-9) & (data["ber"] <= 0.9)
    assert int(shown.sum()) >= 3
    return float(np.log10(data["ber_upper"] / data["ber_lower"]).where(shown).max())


@pytest.fixture(scope="module")
def reached(tmp_path_factory):
    """A sweep that ends early, and what it took."""
    here, said = InPlace(), []
    path = tmp_path_factory.mktemp("precision") / "run"
    run_sweep(study(precision=0.1), path, executor=here, log=lambda what: said.append(what.get("text", "")))
    return (
        path,
        [device for task in here.tasks for device in task.devices["device"]],
        [text for text in said if text],
    )


def test_sweep_ends_when_the_interval_is_reached(reached):
    path, ran, said = reached
    used = RunDirectory.open(path).record().devices_used
    assert used in (128, 256, 512)
    assert len(RunDirectory.open(path).devices()) == used
    assert set(ran) == set(range(used))
    surface = average_devices(path)
    assert surface.dataset.attrs["devices"] == used
    assert widest(surface) <= 0.1
    assert said[-1].startswith(f"{used} devices: the widest interval is 0.")
    assert RunDirectory.open(path).record().interval_decades == pytest.approx(widest(surface), rel=1e-9)


def test_it_would_not_have_been_reached_with_fewer(reached):
    _, _, said = reached
    rounds = [float(text.split()[-2]) for text in said]
    assert all(width > 0.1 for width in rounds[:-1])
    assert rounds[-1] <= 0.1


def test_going_on_does_nothing_more(reached):
    path, _, _ = reached
    before = {file.name for file in (path / "samples").iterdir()}
    here = InPlace()
    run_sweep(study(precision=0.1), path, executor=here)
    assert here.tasks == []
    assert {file.name for file in (path / "samples").iterdir()} == before


def test_all_devices_are_taken_where_that_is_not_enough(tmp_path):
    one = study(precision=1e-4, devices=150)
    assert precision.rounds(one) == [128, 150]
    run_sweep(one, tmp_path / "run", executor=InPlace())
    assert RunDirectory.open(tmp_path / "run").record().devices_used == 150
    assert widest(average_devices(tmp_path / "run")) > 1e-4


def test_counted_error_rates_have_no_precision():
    with pytest.raises(ValueError, match="only where error rates are computed; here they are counted"):
        Study.model_validate(
            {
                **study(precision=0.1).model_dump(mode="json"),
                "cell": {"external_field": {"x": "10 mT"}},
            }
        )
    with pytest.raises(ValueError, match=r"sweep\.precision: got 0\.0; allowed: above 0\."):
        study(precision=0.0)
    assert not issubclass(ValueError, InputError)


# ---- devices in replicates --------------------------------------------------------------------------


def test_plain_devices_come_in_replicates():
    one = study(devices=256)
    devices = importance.sample_replicates(one)
    assert set(devices["weight"]) == {1.0}
    assert np.bincount(devices["replicate"]).tolist() == [16] * 16
    # More of them begin with the same ones.
    more = importance.sample_replicates(study(devices=512))
    np.testing.assert_array_equal(devices["damping"], more["damping"][:256])
    # Normal distributions: each replicate of 16 Sobol points has its mean within a fifth of a deviation.
    normal = (devices["damping"] / DEMO.stack.damping - 1.0) / 0.04
    assert normal.groupby(devices["replicate"]).mean().abs().max() < 0.2
    assert normal.std() == pytest.approx(1.0, abs=0.05)
    fixed = set(COLUMNS.values()) - {"damping", "resistance_area_product_ohm_m2"}
    assert all(devices[name].nunique() == 1 for name in fixed)


def test_interval_of_plain_replicates_covers_the_mean():
    # Analytic: of exp(s z), z normal and cut at 5 sigma, the mean is exp(s^2/2) to 1e-6. At least 95 % of 200
    # intervals have to hold it; binomial: fewer than 165 by chance at 3e-11.
    covered = 0
    for seed in range(200):
        devices = importance.sample_replicates(study(devices=128, seed=seed))
        normal = (devices["damping"].to_numpy() / DEMO.stack.damping - 1.0) / 0.04
        values = np.exp(0.5 * normal)[:, None]
        lower, upper = replicate_interval(values, np.ones(128), devices["replicate"].to_numpy())
        covered += lower[0] <= np.exp(0.125) <= upper[0]
    assert covered >= 165
