"""Answers from reads: commands, figures, comparisons, exports, the report."""

import json
import shutil

import bitwise_cases
import numpy as np
import pandas as pd
import pytest
from common import DEMO, InPlace
from read_cases import DividerCell, study_of

from mtjchar import plotting
from mtjchar.cells.bitwise import Bitwise
from mtjchar.errors import InputError
from mtjchar.export import Settings, export_surface
from mtjchar.physics.bitwise import OPERATIONS
from mtjchar.report.chapters import chapters, reference_pulses
from mtjchar.surfaces import BitwiseSurface, ReadSurface, WriteSurface, average_devices, average_reads
from mtjchar.surfaces.bitwise_average import bitwise_dataset
from mtjchar.surfaces.comparison import compare
from mtjchar.surfaces.read_search import USUAL_DISTURB, USUAL_ERROR, read_of_all
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory
from mtjchar.units import compact

pytestmark = pytest.mark.usefixtures("divider")


# ---- answers ----


def test_query(divider_run, divider_reads, call):
    code, out, _ = call("read", "query", divider_run, "--voltage", "0.4 V", "--time", "5 ns", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["read_error_rate"] == pytest.approx(float(divider_reads.read_error_rate(0.4, 5e-9)))
    assert answer["read_error_rate_lower"] <= answer["read_error_rate"] <= answer["read_error_rate_upper"]
    assert answer["disturb_rate"] == pytest.approx(float(divider_reads.disturb_rate(0.4, 5e-9)))
    assert answer["margin"] == pytest.approx(float(divider_reads.margin(0.4, 5e-9)))
    assert answer["energy_J"] == pytest.approx(float(divider_reads.energy(0.4, 5e-9)))
    assert [one["state"] for one in answer["states"]] == [0, 1]
    code, out, _ = call("read", "query", divider_run, "--voltage", "0.4 V", "--time", "5 ns")
    assert code == 0
    assert "sense margin" in out
    assert "mV" in out


def test_query_of_many_reads(divider_run, call):
    many = ("--voltage", "0.2 V, 0.4 V", "--voltage", "0.5 V", "--time", "2 ns:8 ns:3")
    code, out, _ = call("read", "query", divider_run, *many, "--json")
    assert code == 0
    assert len(json.loads(out)) == 9
    code, out, _ = call("read", "query", divider_run, *many)
    assert code == 0
    assert len(out.strip().splitlines()) == 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("query", "--voltage", "0.4 V"), "--time is missing"),
        (("query", "--voltage", "3 ns", "--time", "5 ns"), "voltage"),
        (("query", "--voltage", "9 V", "--time", "5 ns"), "0.1 V to 0.5 V"),
        (("point", "--error", "3", "--disturb", "1e-9"), "above 0 and below 1"),
    ],
)
def test_wrong_questions_end_with_2(divider_run, call, options, words):
    command, *rest = options
    code, _, error = call("read", command, divider_run, *rest)
    assert code == 2
    assert words in error


def test_point(divider_run, divider_reads, call):
    options = ("--error", "1e-9", "--disturb", "1e-12")
    code, out, _ = call("read", "point", divider_run, *options, "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["time_s"] == pytest.approx(divider_reads.operating_point(1e-9, 1e-12).time_s)
    assert set(answer) >= {
        "voltage_V",
        "read_error_rate",
        "disturb_rate",
        "margin",
        "energy_J",
        "margin_unit",
    }
    code, out, _ = call("read", "point", divider_run, *options, "--minimize", "energy")
    assert code == 0
    assert "sensing time" in out
    assert "edge of the grid" in out
    code, _, error = call("read", "point", divider_run, "--error", "1e-15", "--disturb", "1e-12")
    assert code == 1
    assert "The lowest read error rate" in error


def test_surface_command_writes_tables_and_figures(divider_run, call, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(divider_run, copy)
    (copy / "read.nc").unlink()
    code, out, _ = call("surface", copy)
    assert code == 0
    assert "read.nc" in out
    assert "read: fastest with a read error rate of 1e-09" in out
    assert len(pd.read_csv(copy / "tables/read.csv")) == 2 * 6 * 8
    assert (copy / "figures/read_window.png").stat().st_size > 10_000
    assert (copy / "figures/read_margin.svg").exists()


def test_figures(divider_reads):
    """The window is filled, both limits have their lines, and the points are the operating points."""
    axes = divider_reads.plot.window()
    labels = axes.get_legend_handles_labels()[1] or [t.get_text() for t in axes.get_legend().get_texts()]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[:3] == ["both hold", "read error rate 1e-09", "disturb rate 1e-12"]
    assert labels
    point = divider_reads.operating_point(USUAL_ERROR, USUAL_DISTURB)
    places = [line.get_xydata()[0] for line in axes.lines if len(line.get_xydata()) == 1]
    assert any(np.allclose(place, (1e9 * point.time_s, point.voltage_V)) for place in places)
    none = divider_reads.plot.window(error=1e-15)
    assert "no read has" in none.get_title()
    lowest = [text.get_text() for text in none.get_legend().get_texts()][-1]
    assert lowest.startswith("lowest read error rate")
    assert divider_reads.plot.margin().get_ylabel() == "sense margin (mV)"
    plotting.read_figures  # noqa: B018 (listed)


# ---- comparisons and exports ----


def test_comparison_has_reads(divider_run, tmp_path, call):
    study = study_of(tmp_path, read={"offset": 5e-3}, sweep={"devices": 200})
    other = run_sweep(study, tmp_path / "worse", executor=InPlace())
    average_devices(other)
    average_reads(other)
    reads = compare([divider_run, other]).reads
    assert reads["minimize"].tolist() == ["time", "energy"] * 2
    own = ReadSurface.of_run(divider_run).operating_point(USUAL_ERROR, USUAL_DISTURB)
    assert reads["time_s"].iloc[0] == pytest.approx(own.time_s)
    assert np.isnan(reads["time_s"].iloc[2])  # 5 mV of offset are too much for 1e-9
    assert reads["largest_margin_deviations"].iloc[0] > reads["largest_margin_deviations"].iloc[2]
    code, out, _ = call("compare", divider_run, other, "--out", tmp_path / "compared")
    assert code == 0
    assert "reads with an error rate of 1e-09" in out
    assert len(pd.read_csv(tmp_path / "compared/reads.csv")) == 4
    code, out, _ = call("compare", divider_run, other, "--out", tmp_path / "compared", "--json")
    assert len(json.loads(out)["reads"]) == 4


@pytest.mark.parametrize("format_", ["csv", "parquet", "json", "netcdf", "npz"])
def test_table_formats_have_a_table_of_reads(divider_run, divider_reads, tmp_path, format_):
    out = tmp_path / {"netcdf": "t.nc"}.get(format_, f"t.{format_}")
    written = export_surface(WriteSurface.of_run(divider_run), format_, out, Settings(reads=divider_reads))
    beside = out.with_name(f"t_read{out.suffix}")
    assert beside in written
    assert written[-1] == out
    expected = divider_reads.dataset["read_error_rate"].to_numpy().ravel()
    read = {
        "csv": lambda: pd.read_csv(beside)["read_error_rate"],
        "parquet": lambda: pd.read_parquet(beside)["read_error_rate"],
        "json": lambda: json.loads(beside.read_text())["columns"]["read_error_rate"],
        "netcdf": lambda: ReadSurface.load(beside).dataset["read_error_rate"],
        "npz": lambda: np.load(beside)["read_error_rate"],
    }[format_]()
    np.testing.assert_allclose(np.ravel(read), expected, rtol=1e-12)


@pytest.mark.parametrize("format_", ["nvsim", "nvmexplorer"])
def test_cell_files_have_the_read_of_the_run(characterized_surface, divider_reads, tmp_path, format_):
    """The fastest read with the usual rates; without a read surface the numbers are as before."""
    point = divider_reads.operating_point(USUAL_ERROR, USUAL_DISTURB)
    texts = []
    for reads in (divider_reads, None):
        export_surface(characterized_surface, format_, tmp_path / "c", Settings(ber=1e-6, reads=reads))
        texts.append((tmp_path / "c").read_text())
    own, assumed = texts
    assert "Read, from the read surface of the run" in own
    assert "Assumed: read voltage 0.1 V" in assumed
    if format_ == "nvsim":
        assert f"-ReadVoltage (V): {point.voltage_V:.6g}" in own
        assert f"-MinSenseVoltage (mV): {1e3 * point.margin:.6g}" in own
        assert f"-ReadPower (uW): {1e6 * point.energy_J / point.time_s:.6g}" in own
        assert "-ReadMode: voltage" in own
        assert "-ReadMode: current" in assumed
        return
    cell = json.loads(own)["custom_cells"][0]
    assert cell["read_voltage"] == pytest.approx(point.voltage_V)
    assert cell["read_power"] == pytest.approx(1e6 * point.energy_J / point.time_s)
    assert json.loads(assumed)["custom_cells"][0]["read_voltage"] == 0.1


def test_export_of_a_run_takes_its_reads(divider_run, call, tmp_path):
    code, out, _ = call("export", divider_run, "--format", "csv", "--out", tmp_path / "t.csv")
    assert code == 0
    assert "t_read.csv" in out


@pytest.mark.parametrize(
    "command",
    [
        ("export", "--format", "csv", "--out", "table.csv"),
        ("compare", "other", "--out", "compared"),
        ("tradeoff", "--dataset", "digits", "--out", "training"),
        ("report", "--out", "page.html"),
    ],
)
def test_reads_that_are_asked_for_are_not_left_out(divider_run, call, tmp_path, monkeypatch, command):
    # A lost read.nc is not a study without reads: numbers without reads, or of assumed ones, would be given.
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(divider_run, copy)
    shutil.copytree(divider_run, tmp_path / "other")
    (copy / "read.nc").unlink()
    name, *options = command
    code, _, error = call(name, copy, *options)
    assert code == 2
    words = " ".join(error.split())
    assert "read.nc': it does not exist. Run `mtjchar surface DIR` to make it" in words


def test_check_counts_reads(call, tmp_path):
    # 2 states x 12 voltages x 20 times, the default grid, of each device.
    file = tmp_path / "study.toml"
    study = DEMO.with_(read={})
    file.write_text(study.to_toml())
    code, out, _ = call("check", file, "--json")
    assert code == 0
    first = json.loads(out)
    assert first["read_samples"] == study.sweep.devices * 2 * 12 * 20
    # By hand: 2 ms for each state, device and simulated voltage, measured by `scripts/bench.py --only reads`.
    assert first["read_seconds"] == pytest.approx(2e-3 * 2 * study.sweep.devices * 6)
    assert "samples; about" in " ".join(call("check", file)[1].split())
    # 2 cells in 4 combinations, and as much as 32 groups beside.
    file.write_text(study.with_(read={"bitwise": {"tuples": 128}}).to_toml())
    second = json.loads(call("check", file, "--json")[1])
    assert second["read_seconds"] - first["read_seconds"] == pytest.approx(2e-3 * 8 * (128 + 32) * 6)
    assert "128 groups of cells" in call("check", file)[1]
    file.write_text(study.with_(read=None).to_toml())
    without = json.loads(call("check", file, "--json")[1])
    assert (without["read_samples"], without["read_seconds"]) == (0, 0)
    assert without["seconds"] == pytest.approx(first["seconds"] - first["read_seconds"])
    assert "reads:" not in call("check", file)[1]


def test_report_has_a_chapter_of_reads(divider_run, divider_reads):
    directory = RunDirectory.open(divider_run)
    written = WriteSurface.of_run(divider_run)
    found = {one.name: one for one in chapters(directory, written, reference_pulses(written))}["reads"]
    assert len(found.drawings) == 2
    point = divider_reads.operating_point(USUAL_ERROR, USUAL_DISTURB)
    assert found.sections[0].rows[0][1] == compact(point.voltage_V, "V", 4)
    assert [row[0] for row in found.sections[0].rows] == ["fastest", "cheapest"]


@pytest.fixture(scope="module")
def scenarios(divider_run, tmp_path_factory):
    """Two runs, the second with another offset and bitwise operations of cells with half the TMR."""
    folder = tmp_path_factory.mktemp("scenarios")
    study = study_of(folder, read={"offset": 3.2e-3}, sweep={"devices": 200})
    other = run_sweep(study, folder / "worse", executor=InPlace())
    average_devices(other)
    average_reads(other)
    first = folder / "first"
    shutil.copytree(divider_run, first)
    for path, tmr in ((first, bitwise_cases.TMR), (other, 0.5 * bitwise_cases.TMR)):
        dataset = bitwise_dataset(
            bitwise_cases.analytic_groups(tmr=tmr), bitwise_cases.READS, list(OPERATIONS[2].values()),
            bitwise_cases.analytic_curves(), None, {},
        )  # fmt: skip
        BitwiseSurface(dataset).save(path / "bitwise.nc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DividerCell, "bitwise", lambda *_: Bitwise())
        yield first, other


@pytest.mark.parametrize("minimize", ["time", "energy"])
def test_a_read_for_all_scenarios_is_the_best_of_a_fine_grid(scenarios, minimize):
    """Brute force over the worse of both surfaces; see the same test of one surface."""
    surfaces = [ReadSurface.of_run(path) for path in scenarios]
    voltage, time = np.linspace(0.1, 0.5, 801)[:, None], np.geomspace(1e-9, 20e-9, 2001)
    good = np.all([one.read_error_rate(voltage, time) <= USUAL_ERROR for one in surfaces], axis=0)
    good &= np.all([one.disturb_rate(voltage, time) <= USUAL_DISTURB for one in surfaces], axis=0)
    energy = np.max([one.energy(voltage, time) for one in surfaces], axis=0)
    best = np.broadcast_to(time, good.shape)[good].min() if minimize == "time" else energy[good].min()
    worst = compare(scenarios).worst_reads.set_index("minimize").loc[minimize]
    own = worst["time_s"] if minimize == "time" else worst["energy_J"]
    assert 0.97 * best < own <= best * (1.0 + 1e-9)
    at = worst["voltage_V"], worst["time_s"]
    for column, where, rates in (
        ("read_error_rate", "error_in", [float(one.read_error_rate(*at)) for one in surfaces]),
        ("disturb_rate", "disturb_in", [float(one.disturb_rate(*at)) for one in surfaces]),
    ):
        assert worst[column] == pytest.approx(max(rates))
        assert worst[where] == ("first", "worse")[int(np.argmax(rates))]
    assert worst["margin_deviations"] == pytest.approx(
        min(float(one.margin_deviations(*at)) for one in surfaces)
    )


def test_scenarios_without_a_common_read_have_none(divider_reads):
    far = divider_reads.dataset.assign_coords(time=100.0 * divider_reads.times)
    assert read_of_all([divider_reads, ReadSurface(far)]) is None
    assert read_of_all([divider_reads], error=1e-15) is None


def test_comparison_has_the_operations_at_their_best_reads(scenarios, call, tmp_path):
    found = compare(scenarios).bitwise.set_index(["scenario", "operation"])
    assert len(found) == 6
    for name, path in zip(("first", "worse"), scenarios, strict=True):
        surface = BitwiseSurface.of_run(path)
        read = surface.best_read("xor")
        point, row = surface.point("xor", *read), found.loc[(name, "xor")]
        assert (row["voltage_V"], row["time_s"]) == read
        assert row["error_rate"] == point.error_rate
        np.testing.assert_equal(
            (row["largest_offset"], row["smallest_contrast"]), (point.largest_offset, point.smallest_contrast)
        )
    assert found.loc[("worse", "xor"), "error_rate"] > found.loc[("first", "xor"), "error_rate"]
    code, out, _ = call("compare", *scenarios, "--out", tmp_path / "compared")
    assert code == 0
    assert "read for all scenarios" in out
    assert "bitwise operations, each at the read with its lowest error rate" in out
    assert max(len(line) for line in out.splitlines() if not line.startswith("wrote")) <= 80
    assert len(pd.read_csv(tmp_path / "compared/bitwise.csv")) == 6
    assert len(pd.read_csv(tmp_path / "compared/worst_reads.csv")) == 2


def test_operations_that_are_asked_for_are_not_left_out(scenarios, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(scenarios[1], copy)
    (copy / "bitwise.nc").unlink()
    with pytest.raises(InputError, match=r"bitwise\.nc'?: it does not exist"):
        compare([scenarios[0], copy])
    written = WriteSurface.of_run(copy)
    with pytest.raises(InputError, match=r"bitwise\.nc'?: it does not exist"):
        chapters(RunDirectory.open(copy), written, reference_pulses(written))


def test_report_has_a_chapter_of_operations(scenarios):
    path = scenarios[0]
    written, surface = WriteSurface.of_run(path), BitwiseSurface.of_run(path)
    every = {one.name: one for one in chapters(RunDirectory.open(path), written, reference_pulses(written))}
    found = every["bitwise"]
    assert len(found.drawings) == 2
    rows = found.sections[0].rows
    assert [row[0] for row in rows] == ["AND", "OR", "XOR"]
    point = surface.point("and", *surface.best_read("and"))
    assert rows[0][3] == compact(point.energy_J, "J", 3)
    assert rows[0][7] == f"{point.smallest_contrast:.3g}"
    assert rows[1][7] == "none"  # OR has no TMR that is large enough
