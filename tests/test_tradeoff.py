"""The experiment: cheaper pulses, trained networks, one line."""

import gzip
import struct

import numpy as np
import pandas as pd
import pytest

from mtjchar.errors import InputError, UnreachableError
from mtjchar.network.tradeoff import best, one_line, tradeoff, write_conditions
from mtjchar.network.trainer import TrainingPlan
from mtjchar.surfaces import WriteSurface

PLAN = TrainingPlan(hidden=(8,), epochs=1, batch_size=20)
COLUMNS = [
    "lever",
    "code",
    "bits",
    "ber",
    "amplitude_V",
    "duration_s",
    "programming_energy_J",
    "energy_saved_fraction",
    "accuracy_mean",
    "accuracy_ci95",
    "accuracy_drop_points",
    "accuracy_drop_ci95",
    "seeds",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of bars in the four IDX files: class k has row k bright."""
    folder = tmp_path_factory.mktemp("bars")
    rng = np.random.default_rng(11)
    for name, count in (("train", 400), ("t10k", 200)):
        labels = rng.integers(0, 10, count).astype(np.uint8)
        images = rng.integers(0, 60, (count, 10, 10)).astype(np.uint8)
        images[np.arange(count), labels] += 150
        with gzip.open(folder / f"{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(struct.pack(">IIII", 0x803, count, 10, 10) + images.tobytes())
        with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">II", 0x801, count) + labels.tobytes())
    return str(folder)


@pytest.fixture(scope="module")
def table(analytic_surface, folder):
    return tradeoff(analytic_surface, folder, plan=PLAN, seeds=3, rates=(1e-2, 0.3), workers=2)


def test_table_is_complete(table):
    assert list(table.columns) == COLUMNS
    assert table["lever"].value_counts().to_dict() == {
        "reliable": 1,
        "duration": 2,
        "amplitude": 2,
        "both": 2,
    }
    assert np.isfinite(table.drop(columns=["lever", "code"]).to_numpy(dtype=float)).all()
    assert (table["seeds"] == 3).all()


def test_reliable_pulse_is_the_reference(table):
    reliable = table.iloc[0]
    assert reliable["amplitude_V"] == 0.8  # the nominal amplitude of the surface
    assert reliable["ber"] <= 1e-9 * (1.0 + 1e-9)
    assert reliable["energy_saved_fraction"] == 0.0
    assert reliable["accuracy_drop_points"] == 0.0  # 8e4 bit writes at 1e-9: a failure has a chance of 1e-4


def test_cheaper_pulses_save_energy_and_high_rates_cost_accuracy(table):
    cheap = table[table["lever"] != "reliable"]
    assert (cheap["energy_saved_fraction"] > 0.0).all()
    assert (cheap.groupby("lever")["energy_saved_fraction"].diff().dropna() > 0.0).all()


def test_energy_is_the_sum_over_writes(table, analytic_surface):
    # Analytic: every update writes all 898 words of 8 bits; 20 updates. The mean energy of a write lies
    # between that of the cheapest and that of the dearest kind of write of that pulse.
    writes = 20 * 8 * (101 * 8 + 9 * 10)
    for row in table.itertuples():
        pulse = analytic_surface.cheapest_pulse("both", 0.5, vary="duration")._replace(
            amplitude_V=row.amplitude_V, duration_s=row.duration_s
        )
        conditions = write_conditions(analytic_surface, pulse)
        energies = [*conditions.switching_energy_J, *conditions.redundant_energy_J]
        assert min(energies) < row.programming_energy_J / writes < max(energies)


def test_workers_do_not_change_the_table(table, analytic_surface, folder):
    again = tradeoff(analytic_surface, folder, plan=PLAN, seeds=3, rates=(1e-2, 0.3), workers=1)
    pd.testing.assert_frame_equal(table, again, check_exact=True)


def test_finished_trainings_are_not_done_again(table, analytic_surface, folder, tmp_path):
    kept = tmp_path / "trainings.jsonl"
    options = {"plan": PLAN, "seeds": 3, "rates": (1e-2, 0.3), "kept": kept}
    calls = []
    first = tradeoff(analytic_surface, folder, **options, progress=lambda *call: calls.append(call))
    pd.testing.assert_frame_equal(first, table, check_exact=True)
    assert calls[0] == (0, 24)  # error-free, reliable and 3 x 2 pulses, 3 seeds each
    lines = kept.read_text().splitlines()
    assert len(lines) == 24
    # As after a kill: ten are there, the eleventh is cut.
    kept.write_text("\n".join([*lines[:10], lines[10][:50]]) + "\n")
    calls.clear()
    again = tradeoff(analytic_surface, folder, **options, progress=lambda *call: calls.append(call))
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert calls[0] == (10, 24)
    other = tradeoff(analytic_surface, folder, **{**options, "plan": TrainingPlan(hidden=(7,), epochs=1)})
    assert not other["accuracy_mean"].equals(table["accuracy_mean"])


def _rows(*rows):
    columns = ["lever", "energy_saved_fraction", "accuracy_drop_points"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(accuracy_drop_ci95=0.1, amplitude_V=0.8, duration_s=3e-9, ber=0.01)


def test_best_is_the_largest_saving_within_a_point():
    table = _rows(
        ("reliable", 0.0, 0.0), ("duration", 0.5, 0.2), ("duration", 0.7, 0.99), ("duration", 0.8, 1.01),
        ("amplitude", 0.6, 2.0), ("both", 0.75, 0.5), ("both", 0.6, 0.1),
    )  # fmt: skip
    assert best(table)[["lever", "energy_saved_fraction"]].to_numpy().tolist() == [
        ["duration", 0.7],
        ["both", 0.75],
    ]
    assert one_line(table).startswith(
        "75.0% of the programming energy is saved at a loss of 0.50 ± 0.10 points"
    )


def test_best_where_nothing_is_good_enough():
    assert one_line(_rows(("reliable", 0.0, 0.0), ("both", 0.6, 2.0))).startswith("No pulse saved")


def test_what_cannot_be_done_is_refused(analytic_surface, folder, tmp_path):
    with pytest.raises(InputError, match="seeds: got 1; allowed: 2 or more"):
        tradeoff(analytic_surface, folder, seeds=1)
    with pytest.raises(InputError, match="both directions"):
        tradeoff(WriteSurface(analytic_surface.dataset.sel(direction=["p_to_ap"])), folder)
    with pytest.raises(InputError, match="nothing-here"):
        tradeoff(analytic_surface, str(tmp_path / "nothing-here"))
    with pytest.raises(UnreachableError, match="1e-09"):
        tradeoff(WriteSurface(analytic_surface.dataset.isel(duration=slice(0, 8))), folder)
