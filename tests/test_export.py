"""Complete tables and the way back; what `mtjchar export` refuses."""

import csv
import json
import re
import zipfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr
from common import ROOT

from mtjchar.errors import InputError, OutsideGridError, UnreachableError
from mtjchar.export import FORMATS, Settings, export_surface, load_surface
from mtjchar.surfaces import WriteSurface

COMPLETE = {"csv": ".csv", "parquet": ".parquet", "json": ".json", "netcdf": ".nc", "npz": ".npz"}
AT_A_POINT = ["nvsim", "nvmexplorer", "nvmain"]
SCHEMA = json.loads((files("mtjchar.export") / "surface.schema.json").read_text())


def richer(surface):
    """The surface with what may come: counts, a row of its own, further dimensions, numbers that are none."""
    dataset = surface.dataset.copy(deep=True)
    dims = ("direction", "amplitude", "duration")
    rng = np.random.default_rng(1)
    dataset["trials"] = (dims, rng.integers(0, 2**62, dataset["ber"].shape))
    effective = rng.uniform(1.0, 256.0, dataset["ber"].shape)
    effective[0, 0, :3] = np.nan, np.inf, -np.inf
    dataset["effective_samples"] = (dims, effective)
    dataset["critical_current"] = (("direction",), rng.normal(size=2), {"units": "A"})
    dataset["edge_energy"] = (("amplitude", "direction"), rng.normal(size=(12, 2)), {"units": "J"})
    dataset["energy_quantile"] = (
        ("quantile", *dims),
        rng.normal(size=(2, *dataset["ber"].shape)),
        {"units": "J"},
    )
    dataset["replicate_ber"] = ((*dims, "replicate"), rng.uniform(size=(*dataset["ber"].shape, 3)))
    dataset["half_width"] = (("replicate",), np.array([0.1, np.nan, 0.3], dtype=np.float32))
    dataset["fitted"] = (("direction",), np.array([True, False]))
    return WriteSurface(
        dataset.assign_coords(
            temperature=((), 358.15, {"units": "K"}), corner=("direction", ["slow", "fast"])
        ).assign_attrs(shares=np.array([0.5, 0.25]), limit=1e-300)
    )


@pytest.mark.parametrize("format_", COMPLETE)
@pytest.mark.parametrize("make", [lambda surface: surface, richer], ids=["as it is", "richer"])
def test_round_trip(characterized_surface, tmp_path, format_, make):
    surface = make(characterized_surface)
    path = tmp_path / f"surface{COMPLETE[format_]}"
    export_surface(surface, format_, path)
    loaded = load_surface(path)
    assert loaded.dataset.identical(surface.dataset)
    assert {name: v.dtype.kind for name, v in loaded.dataset.variables.items() if v.dtype.kind in "fib"} == {
        name: v.dtype.kind for name, v in surface.dataset.variables.items() if v.dtype.kind in "fib"
    }
    assert loaded.ber("p_to_ap", 0.77, 7e-9) == surface.ber("p_to_ap", 0.77, 7e-9)


def test_round_trips_follow_each_other(characterized_surface, tmp_path):
    """A surface that came from one file goes into the next, text types and all."""
    surface = characterized_surface
    for format_, suffix in COMPLETE.items():
        export_surface(surface, format_, tmp_path / f"surface{suffix}")
        surface = load_surface(tmp_path / f"surface{suffix}")
    assert surface.dataset.identical(characterized_surface.dataset)


def test_one_direction_alone(characterized_surface, tmp_path):
    surface = WriteSurface(characterized_surface.dataset.sel(direction=["ap_to_p"]))
    for format_, suffix in COMPLETE.items():
        export_surface(surface, format_, tmp_path / f"surface{suffix}")
        assert load_surface(tmp_path / f"surface{suffix}").dataset.identical(surface.dataset)


@pytest.mark.parametrize("format_", COMPLETE)
def test_every_complete_table_holds_provenance(characterized_surface, tmp_path, format_):
    path = tmp_path / f"surface{COMPLETE[format_]}"
    export_surface(characterized_surface, format_, path)
    attributes = load_surface(path).dataset.attrs
    assert "Ikeda" in attributes["study"]
    assert attributes["seed"] == 1
    assert attributes["interval"] == "95 %, made up"
    assert attributes["mtjchar_version"] == version("mtjchar")


def test_csv_as_pandas_and_spreadsheets_read_it(analytic_surface, tmp_path):
    export_surface(analytic_surface, "csv", tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv")
    # The names that tables of mtjchar have had from the beginning, in that order.
    assert list(table.columns) == [
        "direction", "amplitude_V", "duration_s", "ber", "ber_lower", "ber_upper",
        "effective_devices", "energy_J", "redundant_energy_J", "device_ber_q5", "device_ber_q50",
    ]  # fmt: skip
    reference = analytic_surface.to_frame()
    pd.testing.assert_frame_equal(table[list(reference.columns)], reference, check_dtype=False, rtol=1e-15)
    with (tmp_path / "t.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 1 + 2 * 12 * 25
    metadata = json.loads((tmp_path / "t.csv-metadata.json").read_text())
    # CSV on the Web: one description a column, in the order of the columns.
    assert metadata["@context"] == "http://www.w3.org/ns/csvw"
    assert metadata["url"] == "t.csv"
    columns = metadata["tableSchema"]["columns"]
    assert [column["name"] for column in columns] == list(table.columns)
    assert [column["datatype"] for column in columns] == ["string"] + 10 * ["double"]


def test_columns_of_what_may_come(characterized_surface, tmp_path):
    surface = richer(characterized_surface)
    export_surface(surface, "parquet", tmp_path / "t.parquet")
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert {
        "trials", "effective_samples", "critical_current_A", "edge_energy_J", "temperature_K", "corner",
        "device_energy_q5_J", "device_ber_q50", "replicate_ber_replicate2",
    } <= set(table.columns)  # fmt: skip
    assert table["trials"].dtype == np.int64
    row = table.iloc[333]
    at = {"direction": row["direction"], "amplitude": row["amplitude_V"], "duration": row["duration_s"]}
    cell = surface.dataset.sel(at)
    assert row["device_energy_q5_J"] == float(cell["energy_quantile"][0])
    assert row["edge_energy_J"] == float(cell["edge_energy"])
    assert row["temperature_K"] == 358.15


def test_parquet_holds_the_description_in_its_schema(characterized_surface, tmp_path):
    export_surface(characterized_surface, "parquet", tmp_path / "t.parquet")
    metadata = json.loads(pq.read_schema(tmp_path / "t.parquet").metadata[b"mtjchar"])
    assert metadata["variables"]["energy_J"]["unit"] == "J"


def test_netcdf_as_xarray_reads_it(characterized_surface, tmp_path):
    export_surface(characterized_surface, "netcdf", tmp_path / "t.nc")
    with xr.open_dataset(tmp_path / "t.nc", engine="h5netcdf") as dataset:
        assert dataset["duration"].attrs["units"] == "s"
        assert dataset.load().identical(characterized_surface.dataset)


@pytest.mark.parametrize("make", [lambda surface: surface, richer], ids=["as it is", "richer"])
def test_json_keeps_to_its_schema(characterized_surface, tmp_path, make):
    export_surface(make(characterized_surface), "json", tmp_path / "t.json")
    text = (tmp_path / "t.json").read_text()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    validator.validate(document)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("format_version",), 2),
        (("variables", "ber", "values"), [[[1.5]]]),
        (("variables", "duration_s", "values"), [-1e-9]),
        (("variables", "direction", "values"), ["up"]),
        (("variables", "energy_J", "unit"), None),
        (("dimensions", "duration"), 0),
        (("surprise",), 1),
    ],
)
def test_the_schema_refuses_what_is_no_surface(characterized_surface, tmp_path, where, value):
    export_surface(characterized_surface, "json", tmp_path / "t.json")
    document = json.loads((tmp_path / "t.json").read_text())
    table = document
    for key in where[:-1]:
        table = table[key]
    table[where[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(document)


def test_npz_is_what_the_documentation_says(characterized_surface, tmp_path):
    export_surface(characterized_surface, "npz", tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as table:
        assert table["ber"].shape == (2, 12, 25)
        assert table["direction"].tolist() == ["p_to_ap", "ap_to_p"]
        np.testing.assert_array_equal(table["duration_s"], characterized_surface.durations)
        np.testing.assert_array_equal(table["energy_J"], characterized_surface.dataset["energy"])
        assert json.loads(str(table["description"]))["variables"]["ber"]["dims"] == [
            "direction", "amplitude", "duration",
        ]  # fmt: skip


def reverse_csv_rows(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")


def sort_csv_rows(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *sorted(lines[1:], key=lambda line: line.split(",")[3])]) + "\n")


def edit_json(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def save_npy(path):
    with path.open("wb") as file:
        np.save(file, np.ones(3))


def as_version_2(document):
    document["format_version"] = 2


DAMAGES = [
    ("csv", lambda path: Path(f"{path}-metadata.json").unlink(), "metadata.json beside it.*copy both"),
    ("csv", sort_csv_rows, "another order"),
    ("csv", reverse_csv_rows, "amplitude: got .*ascending"),
    ("csv", lambda path: path.write_text(path.read_text().rsplit("\n", 2)[0]), "rows: got 599; allowed: 600"),
    ("csv", lambda path: path.write_text(path.read_text().replace("energy_J", "energy")), "energy_J"),
    ("csv", lambda path: path.write_text(path.read_text().replace("1e-09", "short")), r"t\.csv"),
    ("csv", lambda path: edit_json(Path(f"{path}-metadata.json"), lambda m: m.pop("notes")), "description"),
    ("parquet", lambda path: path.write_bytes(path.read_bytes()[:-20]), r"t\.parquet.*whole file"),
    ("parquet", lambda path: pd.DataFrame({"a": [1]}).to_parquet(path), "description with format"),
    ("json", lambda path: path.write_text(path.read_text()[:1000]), r"t\.json.*whole file"),
    ("json", lambda path: path.write_text("[" * 100_000), r"t\.json"),
    ("json", lambda path: path.write_text("{}"), "description with format"),
    ("json", lambda path: edit_json(path, as_version_2), "format_version: got 2; allowed: 1"),
    ("json", lambda path: edit_json(path, lambda m: m["variables"].pop("ber")), "with ber"),
    ("json", lambda path: edit_json(path, lambda m: m["variables"]["ber"].pop("dims")), "ber: dims"),
    ("json", lambda path: edit_json(path, lambda m: m["variables"]["ber"].pop("values")), "ber: got"),
    ("json", lambda path: edit_json(path, lambda m: m["dimensions"].update(duration=24)), r"shape \(.*24\)"),
    ("json", lambda path: edit_json(path, lambda m: m["dimensions"].pop("duration")), "that are listed"),
    ("netcdf", lambda path: path.write_bytes(b"no NetCDF"), "surface file"),
    ("npz", lambda path: path.write_bytes(path.read_bytes()[:500]), r"t\.npz.*whole file"),
    ("npz", lambda path: np.savez(path, ber=np.ones(3)), "description with format"),
    ("npz", lambda path: path.write_bytes(b""), r"t\.npz"),
    ("npz", lambda path: save_npy(path), "npz archive"),
]  # fmt: skip


@pytest.mark.parametrize(("format_", "damage", "says"), DAMAGES)
def test_damaged_files_are_refused(characterized_surface, tmp_path, format_, damage, says):
    path = tmp_path / f"t{COMPLETE[format_]}"
    export_surface(characterized_surface, format_, path)
    damage(path)
    with pytest.raises(InputError, match=f"(?s){says}"):
        load_surface(path)


@pytest.mark.parametrize("suffix", COMPLETE.values())
def test_files_that_are_not_there(tmp_path, suffix):
    with pytest.raises(InputError, match=re.escape(f"none{suffix}")):
        load_surface(tmp_path / f"none{suffix}")


def test_a_file_of_an_unknown_kind(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt.*\.csv, \.parquet, \.json, \.nc, \.npz"):
        load_surface(tmp_path / "none.txt")


@pytest.mark.parametrize("written", ["0.0.3", "7.1", "soon"])
@pytest.mark.parametrize("format_", FORMATS)
def test_surfaces_of_other_versions_are_refused(characterized_surface, tmp_path, format_, written):
    surface = WriteSurface(characterized_surface.dataset.assign_attrs(mtjchar_version=written))
    settings = Settings(ber=1e-3) if format_ in AT_A_POINT else None
    with pytest.raises(
        InputError, match=rf"mtjchar_version of the surface: got '{written}'; allowed: .*\.\*, this"
    ):
        export_surface(surface, format_, tmp_path / "t", settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", AT_A_POINT)
@pytest.mark.parametrize(
    ("chosen", "error", "says"),
    [
        ({}, InputError, r"^\w+ needs an operating point: add --ber 1e-6\.$"),
        ({"amplitude": 0.8}, InputError, "operating point: .* --amplitude alone is not one"),
        ({"duration": 8e-9}, InputError, "operating point: .* --duration alone is not one"),
        (
            {"ber": 1e-3, "amplitude": 0.8, "duration": 8e-9},
            InputError,
            "one operating point: .* not all three",
        ),
        ({"ber": 2.0}, InputError, "ber: got 2.0; allowed"),
        ({"ber": 1e-3, "amplitude": 9.0}, OutsideGridError, "amplitude: got '9 V'"),
        ({"amplitude": 0.8, "duration": 1.0}, OutsideGridError, "duration: got '1 s'"),
        ({"ber": 1e-290, "amplitude": 0.4}, UnreachableError, "1e-290"),
    ],
)
def test_operating_points_that_are_none(characterized_surface, tmp_path, format_, chosen, error, says):
    with pytest.raises(error, match=says):
        export_surface(characterized_surface, format_, tmp_path / "t", Settings(**chosen))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", AT_A_POINT)
def test_an_operating_point_needs_both_directions(characterized_surface, tmp_path, format_):
    surface = WriteSurface(characterized_surface.dataset.sel(direction=["ap_to_p"]))
    with pytest.raises(InputError, match=r"directions of the surface: got 'ap_to_p'.*Sweep both"):
        export_surface(surface, format_, tmp_path / "t", Settings(ber=1e-3))


@pytest.mark.parametrize(
    ("study", "says"),
    [
        (None, "attribute study of the surface: got None"),
        ("no [TOML", "attribute study of the surface: got .*allowed: TOML"),
        ("[stack]\nname = 3", "attribute study of the surface: .*got"),
    ],
)
def test_a_cell_needs_the_study(analytic_surface, tmp_path, study, says):
    attributes = {} if study is None else {"study": study}
    surface = WriteSurface(analytic_surface.dataset.assign_attrs(attributes))
    with pytest.raises(InputError, match=says):
        export_surface(surface, "nvsim", tmp_path / "t.cell", Settings(ber=1e-3))


@pytest.mark.parametrize("name", ["feature_size", "cell_area", "clock"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_settings_that_are_no_sizes(name, value):
    with pytest.raises(InputError, match=f"{name}: got .*allowed: a positive number"):
        Settings(**{name: value})


def test_settings_that_a_format_does_not_take(characterized_surface, tmp_path):
    with pytest.raises(
        InputError, match=r"--ber does not apply to csv; it is for nvsim, nvmexplorer and nvmain"
    ):
        export_surface(characterized_surface, "csv", tmp_path / "t.csv", Settings(ber=1e-3))
    with pytest.raises(
        InputError, match=r"--feature-size does not apply to nvmain; it is for nvsim and nvmexplorer"
    ):
        export_surface(characterized_surface, "nvmain", tmp_path / "t", Settings(ber=1e-3, feature_size=3e-8))


@pytest.mark.parametrize("format_", FORMATS)
def test_targets_that_cannot_be_written(characterized_surface, tmp_path, format_):
    settings = Settings(ber=1e-3) if format_ in AT_A_POINT else None
    (tmp_path / "folder").mkdir()
    for out, says in [("folder", "It is a directory"), ("none/t", "can be written.*No such file")]:
        with pytest.raises(InputError, match=f"file: got .*{says}"):
            export_surface(characterized_surface, format_, tmp_path / out, settings)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


@pytest.mark.parametrize(
    ("format_", "beside"),
    [
        ("csv", "t.csv-metadata.json"),
        ("ngspice-table", "t_ap_to_p_energy.table"),
        ("verilog-a-table", "t_p_to_ap_log10_ber.tbl"),
    ],
)
def test_nothing_is_left_where_one_file_of_several_cannot_be_written(
    characterized_surface, tmp_path, format_, beside
):
    (tmp_path / beside).mkdir()
    with pytest.raises(InputError, match=f"file: got .*{re.escape(beside)}.*It is a directory"):
        export_surface(characterized_surface, format_, tmp_path / "t.csv")
    assert [path.name for path in tmp_path.iterdir()] == [beside]


def test_all_files_are_whole_before_the_first_is_renamed(characterized_surface, tmp_path):
    """A value that JSON cannot hold stops the writing; the older files stay."""
    export_surface(characterized_surface, "csv", tmp_path / "t.csv")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    broken = WriteSurface(characterized_surface.dataset.assign_attrs(interval=float("nan")))
    with pytest.raises(InputError, match="attribute interval"):
        export_surface(broken, "csv", tmp_path / "t.csv")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture
def run_folder(characterized_surface, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "study.toml").write_text(characterized_surface.dataset.attrs["study"])
    characterized_surface.save(folder / "surface.nc")
    return folder


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_from_the_command_line(run_folder, call, tmp_path, format_):
    (tmp_path / "out").mkdir()
    point = ("--ber", "1e-3") if format_ in AT_A_POINT else ()
    out = tmp_path / "out" / "My table.x"
    code, said, err = call("export", run_folder, "--format", format_, "--out", out, *point)
    assert code == 0, err
    written = {line.removeprefix("wrote ") for line in said.splitlines()}
    assert written == {str(path) for path in (tmp_path / "out").iterdir()}
    assert str(out) in written


def test_operating_point_from_the_command_line(run_folder, call, tmp_path):
    at = ("--amplitude", "800 mV", "--duration", "8 ns", "--feature-size", "28 nm", "--cell-area", "40")
    assert call("export", run_folder, "--format", "nvmexplorer", "--out", tmp_path / "t.json", *at)[0] == 0
    cell = json.loads((tmp_path / "t.json").read_text())["custom_cells"][0]
    assert (cell["set_pulse"], cell["cell_size_F2"]) == pytest.approx((8.0, 40.0))
    assert cell["access_CMOS_width"] == pytest.approx(300 / 28)


def test_another_grid_from_the_command_line(characterized_surface, run_folder, call, tmp_path):
    grid = ("--amplitudes", "0.75 V, 800 mV, 0.7 V", "--durations", "2 ns : 18 ns : 3")
    assert call("export", run_folder, "--format", "csv", "--out", tmp_path / "t.csv", *grid)[0] == 0
    table = load_surface(tmp_path / "t.csv")
    assert table.amplitudes == pytest.approx([0.7, 0.75, 0.8])
    assert table.durations == pytest.approx([2e-9, 6e-9, 18e-9])
    expected = characterized_surface.ber("ap_to_p", 0.75, 6e-9)
    assert table.ber("ap_to_p", 0.75, 6e-9) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--format xyz", r"format: got 'xyz'; allowed: csv, parquet, json, netcdf, npz, ber-matrix, nvsim"),
        ("--format nvsim", "operating point"),
        ("--format csv --ber 1e-3", "--ber does not apply to csv; it is for nvsim, nvmexplorer and nvmain."),
        ("--format nvsim --ber 1e-3 --feature-size 28", "feature size: got '28'"),
        ("--format nvmain --ber 1e-3 --clock 3ns", "clock: got '3ns'"),
        ("--format csv --amplitudes 0.7V", "amplitudes: got .0.7.; allowed: two or more"),
        ("--format csv --amplitudes 0.7V,3V", "amplitude: got '3 V'; allowed: 0.4 V to 1.2 V"),
        ("--format csv --durations 2ns:4ns", "durations: got '2ns:4ns'; allowed: .*START:STOP:POINTS"),
        ("--format csv --durations 2ns:4ns:1", "durations: got .*START:STOP:POINTS"),
        ("--format csv --durations 0ns:4ns:5", "durations: got '0 s'; allowed: durations above 0"),
        ("--format csv --durations 2ns,4V", "durations: got '4V'"),
        (
            "--format verilog-a --durations 2ns,4ns",
            "--durations does not apply to verilog-a; it is for csv, .*ber-matrix",
        ),
    ],
)
def test_bad_requests_from_the_command_line(run_folder, call, tmp_path, arguments, says):
    code, _, err = call("export", run_folder, "--out", tmp_path / "t", *arguments.split())
    assert code == 2
    assert re.search(says, err)
    assert not (tmp_path / "t").exists()


def test_the_help_lists_every_format(call):
    _, said, _ = call("export", "--help")
    words = set(re.findall(r"[\w-]+", said))
    assert set(FORMATS) <= words


def test_the_schema_is_in_the_wheel(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(".").build(directory=str(tmp_path), versions=["standard"])
    assert "mtjchar/export/surface.schema.json" in zipfile.ZipFile(wheel).namelist()


def test_the_documentation_names_every_format():
    text = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    assert set(FORMATS) <= set(re.findall(r"`([\w-]+)`", text))
