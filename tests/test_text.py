"""Names and messages that look like markup, formulas or commands: shown as they are, wherever they go."""

import io
import json
import os
import re
import tomllib

import numpy as np
import pandas as pd
import pytest
import tomli_w
from test_compare import scenario

from mtjchar.cli import common
from mtjchar.cli.common import PlainConsole, progress_bar, write_table
from mtjchar.errors import InputError, printable
from mtjchar.export import Settings, export_surface
from mtjchar.export.provenance import comment
from mtjchar.files import write_text
from mtjchar.surfaces import WriteSurface

MARKUP = ["[red]x[]", "o[", ":smile:", "$\\frac{", "_hidden", "a$b$", "{{7*7}}", "<script>alert(1)", "=1+1"]
ACTING = ["a\x1b[31mb", "c\r\nd\x07\x9b", "e\u202ef\u2066", os.fsdecode(b"by\xff\xfete"), "g\x7f\u2028h"]
SHOWN = [r"a\x1b[31mb", r"c\x0d\x0ad\x07\x9b", r"e\u202ef\u2066", r"by\xff\xfete", r"g\x7f\u2028h"]
ODD = MARKUP + ACTING
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"]


def run_of(path, surface, **settings):
    """A run directory with a surface of its study."""
    scenario(path, surface, **settings)
    own = surface.dataset.assign_attrs(study=(path / "study.toml").read_text(encoding="utf-8"))
    WriteSurface(own).save(path / "surface.nc")
    return path


def acts(text):
    """Whether something in a text acts on a terminal, or cannot be written."""
    return not text.replace("\n", "").isprintable()


@pytest.mark.parametrize(("text", "shown"), list(zip(ACTING, SHOWN, strict=True)))
def test_what_acts_is_written_out(text, shown):
    assert printable(text) == shown


def test_printable_text_and_what_is_to_be_kept_stay():
    for text in [*MARKUP, "Δ µ0 ± 5 %, 95\u00a0%", "\\x1b"]:
        assert printable(text) == text
    assert printable("a\n\tb\r", keep="\n\t") == "a\n\tb\\x0d"


# ---- terminal ---------------------------------------------------------------------------------------


def shown_by_console(*things, **settings):
    file = io.StringIO()
    PlainConsole(file=file, width=200, **settings).print(*things)
    return file.getvalue()


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("terminal", [False, True])
def test_console_shows_text_as_it_is(text, terminal):
    from rich.table import Table

    table = Table(text, title=text)
    table.add_row(text)
    shown = printable(text, keep="\n")  # a line break is one
    for thing, count in ((text, 1), (table, 3)):
        output = shown_by_console(thing, force_terminal=terminal, color_system=None)
        output = re.sub(r"\x1b\[[0-9;]*m", "", output)
        assert not acts(output)
        assert all(output.count(line) == count for line in shown.split("\n"))
        output.encode()


def test_bar_shows_text_as_it_is(capsys, monkeypatch):
    monkeypatch.setattr(common.error_console, "_force_terminal", True)
    with progress_bar("[red]x[/y]", "[/z]") as bar:
        bar(1, 2)
    assert "[red]x[/y]" in capsys.readouterr().err


def test_commands_say_names_as_they_are(characterized_surface, tmp_path, call):
    names = ["=a\x1b[31m[red]x[] $\\frac{", os.fsdecode(b"_by\xff\xfete\r\x07")]
    runs = [
        run_of(tmp_path / name, characterized_surface, temperature=300.0 + k) for k, name in enumerate(names)
    ]
    out = tmp_path / f"out {names[1]}"
    code, output, errors = call("compare", *runs, "--out", out)
    assert code == 0, errors
    assert not acts(output + errors)
    assert f"wrote {printable(str(out))}/comparison.csv" in output
    assert all(printable(name) in output for name in names)
    scenarios = pd.read_csv(out / "comparison.csv")["scenario"].unique().tolist()
    assert scenarios == [f"'{printable(names[0])}", printable(names[1])]
    assert list(pd.read_csv(out / "differences.csv").columns) == ["key", *scenarios]
    code, output, errors = call("export", runs[1], "--format", "csv", "--out", out / names[0])
    assert code == 0, errors
    assert output.endswith(f"wrote {printable(str(out / names[0]))}\n")
    code, output, errors = call("report", tmp_path / names[1] / "none", "--out", out / "report")
    assert code == 2
    assert not acts(output + errors)


# ---- figures and tables -----------------------------------------------------------------------------


def test_names_in_legends_are_whole():
    from matplotlib.figure import Figure

    from mtjchar.plotting.files import plain

    for name in ODD:
        figure = Figure()
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], label=plain(name))
        (text,) = axes.legend().get_texts()
        figure.savefig(io.BytesIO())
        preprocessed, mathtext = text._preprocess_math(text.get_text())
        assert not mathtext
        assert preprocessed.strip() == printable(name)


def test_formulas_are_text_in_tables_for_spreadsheets(tmp_path):
    cells = ["=1+1", "+a", "-5 mT", "@x", "\tx", "-0.5", "1e-9", "plain", "'x", "\r=1", "=\x1b"]
    table = pd.DataFrame({"=name": cells, "number": np.linspace(-1, 1, len(cells)), "yes": True})
    write_table(table, tmp_path / "table.csv")
    read = pd.read_csv(tmp_path / "table.csv", dtype={"'=name": str}, lineterminator="\n")
    expected = ["'=1+1", "'+a", "'-5 mT", "'@x", "'\tx", "-0.5", "1e-9", "plain", "'x", "'\r=1", "'=\\x1b"]
    assert read["'=name"].tolist() == expected
    np.testing.assert_array_equal(read["number"], table["number"])
    assert read["yes"].all()


def test_report_shows_markup_as_text(characterized_surface, tmp_path, call, monkeypatch):
    monkeypatch.setattr(
        "mtjchar.report.chapters.read_tradeoff", pd.read_csv
    )  # which does not check the words
    monkeypatch.setattr("mtjchar.report.tables.one_line", lambda _: "<i>all</i>")
    attributes = {"</script><script>alert(1)": '"><img src=x onerror=alert(2)>', "note": "{{7*7}} a\x1bb"}
    surface = WriteSurface(characterized_surface.dataset.assign_attrs(attributes))
    run = run_of(tmp_path / "run", surface)
    row = {
        "lever": ["reliable", "<b>x"], "code": "</td>", "ber": 1e-9, "programming_energy_J": 1e-6,
        "energy_saved_fraction": 0.1, "accuracy_drop_points": 0.1, "accuracy_drop_ci95": 0.1,
        "confirmed": True,
    }  # fmt: skip
    folder = run / os.fsdecode(b"<script>alert(3)\xff\x1b{{7*7}}")
    folder.mkdir()
    pd.DataFrame(row).to_csv(folder / "tradeoff.csv", index=False)
    code, _, errors = call("report", run, "--out", tmp_path / "report.html")
    assert code == 0, errors
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "alert(1)" in page
    assert "<img" not in page
    assert re.search(r"<script>alert|</script><script>alert|<b>x|<i>all", page) is None
    assert "Trade-off: &lt;script&gt;alert(3)\\xff\\x1b{{7*7}}" in page
    assert "{{7*7}} a\\x1bb" in page


# ---- files for other programs -----------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["*", ";", "//"])
def test_no_attribute_leaves_its_comment(characterized_surface, mark):
    words = [f"a{one}.control" for one in [*BREAKS, "\\", "*/", "\x00", "\x1a"]]
    words += ["b\\", f"c*/{'d' * 9000}", "#shell touch mark", "\\\\", "$(x)`y`"]
    attributes = {f"key{number}\n-CellArea": one for number, one in enumerate(words)}
    surface = WriteSurface(characterized_surface.dataset.assign_attrs(attributes))
    lines = comment(surface, ["title\nsecond"], mark)
    for line in lines:
        assert line == mark or line.startswith(f"{mark} ")
        assert line.isprintable()
        assert not line.endswith("\\")
        assert len(line) <= 1010
    assert not any(line.startswith("*#") for line in lines)


@pytest.mark.parametrize(
    "form", ["nvsim", "nvmexplorer", "nvmain", "verilog-a", "verilog-a-table", "ngspice-table"]
)
def test_exports_hold_no_line_of_an_attribute(characterized_surface, tmp_path, form):
    attributes = {f"key{k}": f"a{one}INJECTED" for k, one in enumerate([*BREAKS, "\x00"])}
    surface = WriteSurface(characterized_surface.dataset.assign_attrs(attributes))
    name = os.fsdecode(b"x\xff.y\x1b[0m")
    settings = Settings(ber=1e-6) if form.startswith("nv") else Settings()
    for path in export_surface(surface, form, tmp_path / name, settings):
        text = path.read_bytes().decode("utf-8")
        assert not acts(text)
        starts = ("//", ";", "*", "    ")  # the last: JSON, which has escapes of its own
        assert all(line.startswith(starts) for line in text.split("\n") if "INJECTED" in line)


def test_names_that_nvmexplorer_gets_are_plain(characterized_surface, tmp_path):
    out = tmp_path / "-x;$(touch mark) [y]-1.2.json"
    export_surface(characterized_surface, "nvmexplorer", out, Settings(ber=1e-6))
    document = json.loads(out.read_text(encoding="utf-8"))
    names = {document["experiment"]["exp_name"], document["custom_cells"][0]["name"]}
    assert names == {"x___touch_mark___y_-1.2"}


@pytest.mark.parametrize("name", ODD + [f"a{one}b" for one in BREAKS])
def test_toml_brings_every_name_back(name, tmp_path):
    stored = printable(name, keep="".join(BREAKS))
    write_text(tmp_path / "file.toml", tomli_w.dumps({"name": stored}))
    assert tomllib.loads((tmp_path / "file.toml").read_text(encoding="utf-8")) == {"name": stored}


def test_bytes_that_are_no_utf8_are_written_out(tmp_path):
    write_text(tmp_path / "file", os.fsdecode(b"a\xff"))
    assert (tmp_path / "file").read_text() == "a\\udcff"
    assert "\udcff" not in str(InputError("x", value=os.fsdecode(b"\xff"), allowed="y"))
