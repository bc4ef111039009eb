"""`mtjchar fit`, as a user calls it."""

import json
import sys
import tomllib

import matplotlib.image
import numpy as np
import pytest

from mtjchar.cli import main
from mtjchar.stackfit import Film, pulses_at, simulate_counts
from mtjchar.study import load_stack

STACK = "data/stacks/ikeda2010.toml"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    film = Film(load_stack(STACK), 40e-9)
    pulses = pulses_at(film, [2e-9, 2e-8, 1e-6], [0.2, 0.8])
    rows = simulate_counts(film, pulses, np.random.default_rng(1), trials=2000)
    path = tmp_path_factory.mktemp("fit") / "counts.csv"
    rows.to_csv(path, index=False)
    return path


@pytest.fixture
def call(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mtjchar", "fit", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call


def test_fit_with_figures_and_a_plan(data, tmp_path, call):
    out = tmp_path / "fitted.toml"
    code, text, error = call(
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


def test_diameter_of_the_wafer_is_taken_where_none_is_given(data, tmp_path, call):
    wafer = tmp_path / "wafer.csv"
    diameters = 40.0 + np.linspace(-1.0, 1.0, 21)
    wafer.write_text("diameter_nm\n" + "\n".join(map(str, diameters)), encoding="utf-8")
    fitted = []
    for given in ((data, wafer), (data, "--diameter", "40 nm")):
        out = tmp_path / "fitted.toml"
        code, _, error = call(*given, "--stack", STACK, "--vary", "stability", "--out", out)
        assert (code, error) == (0, "")
        fitted.append(tomllib.loads(out.read_text(encoding="utf-8"))["interfacial_anisotropy"])
    # The mean of the table is 40 nm.
    assert fitted[0] == fitted[1]


def test_json_and_bad_rows(data, tmp_path, call):
    spoilt = tmp_path / "spoilt.csv"
    spoilt.write_text(data.read_text(encoding="utf-8") + "p_to_ap,0.5,1e-8,2000,nan\n", encoding="utf-8")
    asked = (spoilt, "--stack", STACK, "--diameter", "40 nm", "--out", tmp_path / "fitted.toml")
    code, _, error = call(*asked)
    assert code == 2
    assert f"{spoilt}, line 14, switched: got 'nan'" in error
    code, text, _ = call(*asked, "--skip-bad", "--json")
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
        (("--diameter", "40 nm", "--stack", "none.toml"), "stack file: got 'none.toml'"),
        (("--diameter", "40 nm", "--out", "none/fitted.toml"), "a file in a directory that exists"),
        (("--diameter", "40 nm", "--columns", "none.toml"), "columns: got 'none.toml'"),
        (("--diameter", "40 nm", "--narrow", "colour"), "parameter: got 'colour'"),
        ((), "--diameter"),
    ],
)
def test_wrong_requests(data, tmp_path, call, arguments, message):
    defaults = ["--stack", STACK, "--out", str(tmp_path / "fitted.toml")]
    kept = [
        one
        for pair in zip(defaults[::2], defaults[1::2], strict=True)
        if pair[0] not in arguments
        for one in pair
    ]
    code, _, error = call(data, *kept, *arguments)
    assert code == 2
    assert message in error
    assert not (tmp_path / "fitted.toml").exists()


def test_a_misfit_is_said_and_kept_in_the_file(data, tmp_path, call):
    lines = data.read_text(encoding="utf-8").splitlines()
    header, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    place = header.index("switched")
    for row in rows[::3]:
        row[place] = "1000"
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("\n".join(",".join(row) for row in [header, *rows]), encoding="utf-8")
    code, _, error = call(
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
