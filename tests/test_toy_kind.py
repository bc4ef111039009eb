"""A kind of cell that lives here, from study file to training: nothing outside `mtjchar.cells` knows it."""

import itertools
import json
from types import SimpleNamespace
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import pytest
from bars import bars
from common import InPlace

from mtjchar.cells import KINDS, Averages, CellKind, CellTables, FileTables
from mtjchar.cells.base import CellDescription
from mtjchar.cells.variability import NO_SPREAD, Spread, Variability
from mtjchar.errors import InputError
from mtjchar.fields import Description, Number, Place, Resistance
from mtjchar.files import read_toml
from mtjchar.network.tradeoff import tradeoff
from mtjchar.network.trainer import TrainingPlan
from mtjchar.study import load_study
from mtjchar.surfaces import WriteSurface
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep

STUDY = """
[cell]
kind = "toy"
resistance = "5 kohm"
rate_constant = 5e12
[variability]
resistance = 0.02
[sweep]
amplitude = { start = "0.5 V", stop = "2 V", points = 4 }
duration = { start = "1 ns", stop = "100 ns", points = 6 }
devices = 64
seed = 5
"""


class ToyVariability(Variability):
    units: ClassVar[dict[str, str]] = {"resistance": "ohm"}
    resistance: Spread = NO_SPREAD


class ToyTable(Description):
    kind: Literal["toy"]
    resistance: Resistance
    rate_constant: Number


class ToyTables(CellTables):
    cell: ToyTable
    variability: ToyVariability = ToyVariability()

    def nominal(self, name):
        return getattr(self.cell, name)


class ToyCell(CellKind[ToyTables]):
    """A resistor that switches at a rate that grows with its current: WER = exp(-k I t), E = V I t."""

    name = "toy"
    directions = ("set", "reset")
    titles: ClassVar[dict[str, str]] = {"set": "SET", "reset": "RESET"}
    tables = ToyTables
    sampled: ClassVar[dict[str, str]] = {"resistance": "resistance_ohm"}
    file_keys: ClassVar[dict[str, tuple[str, ...]]] = {"cell": ("material",)}
    device_columns = ("resistance_ohm",)

    def complete_tables(self, data, file):
        cell = dict(data["cell"])
        if "material" not in cell:
            return FileTables(data)
        other = file.parent / cell.pop("material")
        cell["rate_constant"] = read_toml(other, "material file")["rate_constant"]
        places = {("cell", "rate_constant"): Place(other, ("rate_constant",))}
        return FileTables({**data, "cell": cell}, places, (f"{other}: measured at one voltage",))

    def derive(self, tables, sampled):
        return sampled.assign(device=np.arange(len(sampled)))

    def drive(self, tables, devices, direction, pulses):
        current = pulses.amplitude_V / devices[["resistance_ohm"]].to_numpy()
        fine = np.full(current.shape, "", dtype=object)
        return SimpleNamespace(
            current=current, failure=fine, status=np.where(fine == "", "ok", fine), note=fine
        )

    def average(self, tables, devices, direction, driven, pulses, counting):
        slower = {"set": 1.0, "reset": 0.8}[direction]
        charge = driven.current[..., None] * pulses.duration_s
        rate = np.exp(-slower * tables.cell.rate_constant * charge)
        energy = pulses.amplitude_V[:, None] * charge
        return Averages(rate, energy, 0.9 * energy, driven.failure)

    def describe(self, tables):
        return CellDescription("toy", f"A resistor of {tables.cell.resistance:g} ohm.")


@pytest.fixture(scope="module", autouse=True)
def toy():
    KINDS["toy"] = ToyCell()
    yield
    del KINDS["toy"]


@pytest.fixture(scope="module")
def study_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("toy") / "study.toml"
    file.write_text(STUDY, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def run(study_file):
    return run_sweep(load_study(study_file), study_file.parent / "run", executor=InPlace())


@pytest.fixture
def surface(run, call):
    assert call("surface", run)[0] == 0
    return WriteSurface.load(run / "surface.nc")


def test_study_is_read_checked_and_written(study_file, tmp_path):
    study = load_study(study_file)
    assert study.sweep.directions == ("set", "reset")
    assert study.cell.resistance == 5000.0
    again = tmp_path / "again.toml"
    again.write_text(study.to_toml(), encoding="utf-8")
    assert load_study(again) == study
    assert study.with_(cell={"resistance": 4e3}).cell.resistance == 4e3


def test_a_table_can_take_values_from_another_file(study_file, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY.replace("rate_constant = 5e12", 'material = "material.toml"'), encoding="utf-8")
    (tmp_path / "material.toml").write_text("rate_constant = 5e12", encoding="utf-8")
    with pytest.warns(UserWarning, match=r"material\.toml: measured at one voltage") as caught:
        assert load_study(file) == load_study(study_file)
    assert caught[0].filename == __file__
    # What is wrong there is said with that file's name and key.
    (tmp_path / "material.toml").write_text('rate_constant = "fast"', encoding="utf-8")
    with pytest.warns(match="at one voltage"), pytest.raises(InputError, match="a plain number") as refused:
        load_study(file)
    assert str(refused.value).startswith(f"{tmp_path / 'material.toml'}: rate_constant: got 'fast'")
    (tmp_path / "material.toml").unlink()
    with pytest.raises(InputError, match=r"Cannot read material file .*: it does not exist"):
        load_study(file)


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        ('kind = "toy"', 'kind = "joy"', "cell.kind", "one of stt, sot, toy"),
        ("seed = 5", 'directions = ["p_to_ap"]', "sweep.directions", "each direction once: set or reset"),
        ("[variability]", "[variability]\ntmr = 0.1", "variability.tmr", "one of resistance, correlation"),
        ("[variability]", "[stack]\n[variability]", "stack", "one of cell, pulse, variability, sweep"),
        (
            "[variability]",
            "[stack_overrides]\ntmr = 1.0\n[variability]",
            "stack_overrides",
            "one of cell, pulse",
        ),
        ("[cell]", 'stack = "film.toml"\n[cell]', "stack", "one of cell, pulse"),
        ("[cell]", "[cell]\ncolour = 1", "cell.colour", "one of kind, resistance, rate_constant, material"),
        ('"5 kohm"', '"5 m"', "cell.resistance", "ohm"),
    ],
)
def test_wrong_studies_are_refused_in_the_words_of_the_kind(tmp_path, old, new, key, allowed):
    file = tmp_path / "study.toml"
    file.write_text(STUDY.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_study(file)
    assert f"{key}: got " in str(caught.value)
    assert allowed in str(caught.value)


def test_devices_vary_as_the_study_says(run):
    resistance = pd.read_parquet(run / "devices.parquet")["resistance_ohm"]
    # 64 of a normal distribution of 100 ohm around 5 kohm: Sobol points, so within 1 and 10 per cent.
    assert resistance.mean() == pytest.approx(5000.0, rel=0.01)
    assert resistance.std() == pytest.approx(100.0, rel=0.1)


def test_surface_is_the_mean_of_the_law(run, surface):
    devices = Population(load_study(run / "study.toml")).nominal()
    assert len(devices) == 1
    resistance = pd.read_parquet(run / "devices.parquet")["resistance_ohm"].to_numpy()
    for direction, (volt, time) in itertools.product(surface.directions, [(0.5, 1e-9), (1.0, 1e-9)]):
        slower = {"set": 1.0, "reset": 0.8}[direction]
        weight = pd.read_parquet(run / "devices.parquet")["weight"].to_numpy()
        law = np.average(np.exp(-slower * 5e12 * volt / resistance * time), weights=weight)
        np.testing.assert_allclose(surface.ber(direction, volt, time), law, rtol=1e-6)  # the law, by hand


def test_query_pulse_and_table(run, surface, call, tmp_path):
    options = ("--amplitude", "1 V", "--duration", "1 ns", "--json")
    code, out, _ = call("query", run, "--direction", "reset", *options)
    assert code == 0
    assert json.loads(out)["ber"] == pytest.approx(float(surface.ber("reset", 1.0, 1e-9)))
    code, out, _ = call("pulse", run, "--direction", "both", "--ber", "1e-6", "--json")
    assert code == 0
    assert json.loads(out)["ber"] <= 1e-6 * (1 + 1e-9)
    code, _, error = call("query", run, "--direction", "p_to_ap", *options)
    assert code == 2
    assert "p_to_ap" in error
    assert "set" in error
    table = tmp_path / "table.csv"
    code, _, error = call("export", run, "--format", "csv", "--out", table)
    assert (code, error) == (0, "")
    assert set(pd.read_csv(table, comment="#")["direction"]) == {"set", "reset"}


def test_report(run, surface, call, tmp_path):
    page = tmp_path / "report.html"
    assert call("report", run, "--out", page)[0] == 0
    text = page.read_text(encoding="utf-8")
    assert "A resistor of 5000 ohm." in text
    assert surface.title("reset") == "RESET"
    assert surface.dataset.attrs["cell_kind"] == "toy"
    assert "RESET" in text


@pytest.mark.usefixtures("surface")
def test_what_only_junctions_have_is_refused(run, call, tmp_path):
    code, _, error = call("export", run, "--format", "nvsim", "--out", tmp_path / "cell.cell")
    assert code == 2
    assert "Traceback" not in error


def test_training(surface, tmp_path):
    plan = TrainingPlan(hidden=(8,), epochs=1, batch_size=20)
    options = {"plan": plan, "seeds": 2, "rates": (1e-2, 0.3), "search_steps": 0, "levers": ("duration",)}
    result = tradeoff(surface, bars(tmp_path), **options, workers=1)
    assert {"reliable", "duration"} == set(result.table["lever"])
    cheaper = result.table[result.table["lever"] == "duration"]
    assert (cheaper["energy_saved_fraction"] > 0.0).all()
