"""`mtjchar fit`, as a user calls it."""

import functools
import json
import os
import shutil
import tomllib

import matplotlib.image
import numpy as np
import pytest

from mtjchar.stackfit import Film, pulses_at, simulate_counts, simulate_loops
from mtjchar.study import load_stack, load_study

STACK = "tests/reference/per_current.toml"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    film = Film(load_stack(STACK), 40e-9)
    pulses = pulses_at(film, [2e-9, 2e-8, 1e-6], [0.2, 0.8])
    rows = simulate_counts(film, pulses, np.random.default_rng(1), trials=2000)
    path = tmp_path_factory.mktemp("fit") / "counts.csv"
    rows.to_csv(path, index=False)
    return path


@pytest.fixture
def fit(call):
    return functools.partial(call, "fit")


def test_fit_with_figures_and_a_plan(data, tmp_path, fit):
    out = tmp_path / "fitted.toml"
    code, text, error = fit(
        data, "--stack", STACK, "--diameter", "40 nm", "--vary", "stability,critical_current", "--out", out,
        "--figures", tmp_path / "figures", "--narrow", "stability",
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert "[[Parameters]]" in text
    assert "[[Next measurements]] that narrow stability" in text
    content = tomllib.loads(out.read_text(encoding="utf-8"))
    assert content["fit"]["parameters"] == ["interfacial_anisotropy", "spin_polarization"]
    assert content["damping"] == 0.027
    for name in ("fit_switching", "next_measurement"):
        picture = matplotlib.image.imread(tmp_path / "figures" / f"{name}.png")
        assert picture[..., :3].std() > 0.05  # not an empty sheet


def test_diameter_of_the_wafer_is_taken_where_none_is_given(data, tmp_path, fit):
    wafer = tmp_path / "wafer.csv"
    diameters = 40.0 + np.linspace(-1.0, 1.0, 21)
    wafer.write_text("diameter_nm\n" + "\n".join(map(str, diameters)), encoding="utf-8")
    fitted = []
    for given in ((data, wafer), (data, "--diameter", "40 nm")):
        out = tmp_path / "fitted.toml"
        code, _, error = fit(*given, "--stack", STACK, "--vary", "stability", "--out", out)
        assert (code, error) == (0, "")
        fitted.append(tomllib.loads(out.read_text(encoding="utf-8"))["interfacial_anisotropy"])
    # The mean of the table is 40 nm.
    assert fitted[0] == fitted[1]


@pytest.fixture(scope="module")
def loops(data):
    film = Film(load_stack(STACK), 40e-9)
    rows = simulate_loops(film, np.arange(-0.2, 0.2, 1e-3), 30, np.random.default_rng(2))
    path = data.parent / "loops.csv"
    rows.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def wafer(data):
    values = [40.0, 6.0, 1.1] * (1.0 + 0.03 * np.random.default_rng(3).normal(size=(50, 3)))
    path = data.parent / "wafer.csv"
    lines = [",".join(map(str, row)) for row in values]
    path.write_text("diameter_nm,resistance_area_product_ohm_um2,tmr\n" + "\n".join(lines), encoding="utf-8")
    return path


def test_loops_alone(loops, tmp_path, fit):
    out = tmp_path / "fitted.toml"
    asked = (loops, "--stack", STACK, "--diameter", "40 nm", "--out", out)
    code, text, error = fit(
        *asked, "--vary", "stability,anisotropy_field,offset_field", "--figures", tmp_path / "figures"
    )
    assert (code, error) == (0, "")
    assert "[[R-H loops]] loops.csv: a rising field makes the layers parallel" in text
    content = tomllib.loads(out.read_text(encoding="utf-8"))
    # Made with the stack's own values: a stability of 43, 2 kT times that over Ms V, and no offset.
    for name, truth in (("stability", 42.98), ("anisotropy_field", 0.1734), ("offset_field", 0.0)):
        found = content["fit"]["device"][name]
        assert abs(found["value"] - truth) < 6.2 * found["standard_error"]  # by chance 6e-10
    assert matplotlib.image.imread(tmp_path / "figures" / "fit_loops.png")[..., :3].std() > 0.05
    # Without --vary what loops tell.
    code, text, _ = fit(*asked, "--json")
    answer = json.loads(text)
    assert (code, list(answer["device"])) == (0, ["stability", "offset_field"])
    assert answer["loops"][str(loops)]["loops"] == 30
    code, _, error = fit(*asked, "--vary", "stability,critical_current")
    assert code == 2
    assert "critical_current shows in tables of switching or thresholds" in error


def test_loops_and_pulses(data, loops, tmp_path, fit):
    errors = {}
    for name, tables in (("pulses", [data]), ("both", [loops, data])):
        out = tmp_path / f"{name}.toml"
        code, _, error = fit(*tables, "--stack", STACK, "--diameter", "40 nm", "--out", out)
        assert (code, error) == (0, "")
        content = tomllib.loads(out.read_text(encoding="utf-8"))
        errors[name] = content["fit"]["device"]["stability"]["standard_error"]
    assert errors["both"] < errors["pulses"]
    assert [one["kind"] for one in content["fit"]["data"]] == ["loops", "switching"]


def test_a_wafer_alone_and_the_study_that_takes_it(wafer, tmp_path, fit):
    out = tmp_path / "fitted.toml"
    code, text, error = fit(wafer, "--stack", STACK, "--out", out)
    assert (code, error) == (0, "")
    assert "[[Wafer]] 50 devices" in text
    content = tomllib.loads(out.read_text(encoding="utf-8"))
    assert [one["file"] for one in content["fit"]["data"]] == ["wafer.csv"]
    code, text, _ = fit(wafer, "--stack", STACK, "--out", out, "--json")
    assert json.loads(text)["variability"] == content["fit"]["variability"]
    study = tmp_path / "study.toml"
    study.write_text(
        'stack = "fitted.toml"\n[junction]\ndiameter = "40 nm"\n[variability]\nwafer = "fitted.toml"\n'
        "[sweep]\n"
        'amplitude = { start = "0.3 V", stop = "1 V", points = 3 }\n'
        'duration = { start = "1 ns", stop = "30 ns", points = 4 }\n',
        encoding="utf-8",
    )
    read = load_study(study)
    assert read.variability.tmr.sigma == content["fit"]["variability"]["tmr"]
    assert read.stack.tmr == content["fit"]["variability"]["means"]["tmr"]["value"]


def test_json_and_bad_rows(data, tmp_path, fit):
    spoilt = tmp_path / "spoilt.csv"
    spoilt.write_text(data.read_text(encoding="utf-8") + "p_to_ap,0.5,1e-8,2000,nan\n", encoding="utf-8")
    asked = (spoilt, "--stack", STACK, "--diameter", "40 nm", "--out", tmp_path / "fitted.toml")
    code, _, error = fit(*asked)
    assert code == 2
    assert f"{spoilt}, line 14, switched: got 'nan'" in error
    code, text, _ = fit(*asked, "--skip-bad", "--json")
    assert code == 0
    answer = json.loads(text)
    assert answer["data"][0]["skipped"] == 1
    assert answer["device"]["stability"]["value"] == pytest.approx(43.0, rel=0.2)
    assert answer["next"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--diameter", "40 s"), "diameter"),
        (("--diameter", "40 nm", "--vary", "colour"), "vary: got 'colour'"),
        (("--diameter", "40 nm", "--stack", "none.toml"), "Cannot read stack file 'none.toml'"),
        (("--diameter", "40 nm", "--out", "none/fitted.toml"), "a file in a directory that exists"),
        (("--diameter", "40 nm", "--columns", "none.toml"), "Cannot read rules file 'none.toml'"),
        (("--diameter", "40 nm", "--narrow", "colour"), "parameter: got 'colour'"),
        ((), "--diameter"),
    ],
)
def test_wrong_requests(data, tmp_path, fit, arguments, message):
    defaults = ["--stack", STACK, "--out", str(tmp_path / "fitted.toml")]
    kept = [
        one
        for pair in zip(defaults[::2], defaults[1::2], strict=True)
        if pair[0] not in arguments
        for one in pair
    ]
    code, _, error = fit(data, *kept, *arguments)
    assert code == 2
    assert message in error
    assert not (tmp_path / "fitted.toml").exists()


def test_a_misfit_is_said_and_kept_in_the_file(data, tmp_path, fit):
    lines = data.read_text(encoding="utf-8").splitlines()
    header, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    place = header.index("switched")
    for row in rows[::3]:
        row[place] = "1000"
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("\n".join(",".join(row) for row in [header, *rows]), encoding="utf-8")
    code, _, error = fit(
        wrong,
        "--stack",
        STACK,
        "--diameter",
        "40 nm",
        "--vary",
        "critical_current",
        "--out",
        tmp_path / "f.toml",
    )
    assert code == 0
    assert "does not describe the data" in error
    content = tomllib.loads((tmp_path / "f.toml").read_text(encoding="utf-8"))
    assert "does not describe the data" in content["fit"]["warnings"][0]
    assert content["fit"]["inflation"] > 2.0


def test_fit_of_a_file_with_an_odd_name(data, tmp_path, fit):
    odd = tmp_path / os.fsdecode(b"a\xff\x1b[31m[red]$x$.csv")
    shutil.copy(data, odd)
    out = tmp_path / os.fsdecode(b"f\xff[b].toml")
    code, text, error = fit(
        odd, "--stack", STACK, "--diameter", "40 nm", "--vary", "stability,critical_current", "--out", out
    )  # fmt: skip
    assert (code, error) == (0, "")
    shown = r"a\xff\x1b[31m[red]$x$.csv"
    assert shown in text
    assert text.endswith("f\\xff[b].toml\n")
    assert tomllib.loads(out.read_text(encoding="utf-8"))["fit"]["data"][0]["file"] == shown
