"""What people see of a trade-off: printed tables, figure, report; and tables that are read again."""

import re

import numpy as np
import pandas as pd
import pytest
from common import ROOT, looks
from matplotlib.figure import Figure

from mtjchar import plotting
from mtjchar.cli import common, tradeoff_tables
from mtjchar.errors import InputError
from mtjchar.network.levers import ALL_EXACT, EXACT, LEVERS
from mtjchar.network.results import read_tradeoff
from mtjchar.network.tradeoff import COLUMNS, READ_ENERGIES
from mtjchar.report import trade_off

EARLIER = [
    "lever", "code", "bits", "ber", "amplitude_V", "duration_s", "programming_energy_J", "switching_energy_J",
    "redundant_energy_J", "retry_energy_J", "read_energy_J", "energy_saved_fraction", "energy_saved_ci95",
    "accuracy_mean", "accuracy_ci95", "accuracy_drop_points", "accuracy_drop_ci95", "seeds", "confirmed",
    "effective_devices", "extrapolated",
]  # fmt: skip


def table_of(levers, scale=1.0):
    """A table with a row of each lever, with wide numbers, and all flags."""
    rows = []
    for k, lever in enumerate(levers):
        exact = lever not in LEVERS
        row = dict.fromkeys(COLUMNS, 0.25)
        row |= {
            "lever": lever, "exact": exact, "code": "twos_complement", "bits": 8, "ber": 1.234e-10,
            "ber_to_one": 1.234e-10, "ber_to_zero": 1.234e-10, "amplitude_V": 1.234, "duration_s": 123.4e-9,
            "programming_energy_J": scale * (1.0 - 0.01 * k), "read_energy_J": 0.5 * scale,
            "write_energy_J": 0.5 * scale, "energy_saved_fraction": 0.01 * k, "energy_saved_lower": -1.2351,
            "energy_saved_upper": 0.9876, "accuracy_drop_points": -12.34, "accuracy_drop_ci95": 10.12,
            "seeds": 20, "confirmed": True, "verdict": "holds", "extrapolated": not exact,
            "at_edge": k % 2 == 1, "at_limit": not exact, "saved_against_exact_fraction": -0.5,
            "reads_assumed": True,
        }  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)[list(COLUMNS)]


@pytest.fixture
def printed(monkeypatch, capsys):
    """Print on a terminal of 80 columns."""
    monkeypatch.setattr(tradeoff_tables, "console", common.PlainConsole(width=80))

    def printed(print_, table):
        print_(table)
        return capsys.readouterr().out

    return printed


EVERY = ["reliable", *EXACT, *ALL_EXACT, *LEVERS]


def test_no_number_is_cut_on_a_narrow_terminal(printed):
    table = table_of(EVERY, scale=1234e-6)
    table.loc[0, "energy_saved_lower"] = np.nan
    # One that does not hold has all marks.
    table.loc[table["lever"] == "all_but_read_before_write", "accuracy_drop_points"] = 98.76
    table.loc[table["lever"] == "all_but_read_before_write", "at_edge"] = True
    text = printed(tradeoff_tables.print_tradeoff, table)
    assert "…" not in text
    lines = text.splitlines()
    words = {line.split()[0]: line for line in lines if line.strip()}
    for name in EVERY:
        (row,) = [word for word in words if word.rstrip("*+~?") == name]
        assert words[row].split("  ")[0] == row
        assert "1.234" in words[row]
        assert "123.4" in words[row]
        assert words[row].count("1e-10") == 2
        assert ("not known" if name == "reliable" else "-123.5 to 98.8") in words[row]
        assert ("98.76 ± 10.12" if "?" in row else "-12.34 ± 10.12") in words[row]
    assert "all_but_read_before_write*+~?" in words
    # Exact designs come first, each part under its heading.
    order = [line for line in lines if line.startswith(("no write", "writes may", "reliable", "duration"))]
    assert [line.split()[0] for line in order] == ["no", "reliable", "writes", "duration+~"]
    for mark in "*+~?":
        assert sum(line.startswith(f"{mark} ") for line in lines) == 1


def test_marks_that_nobody_has_are_not_explained(printed):
    table = table_of(["reliable", "both"]).assign(at_edge=False, at_limit=False, extrapolated=False)
    text = printed(tradeoff_tables.print_tradeoff, table)
    assert not any(line.startswith(("*", "+", "~", "?")) for line in text.splitlines())


def by_read_energy(levers, scale):
    return pd.DataFrame(
        [
            {
                "read_energy_J": energy, "lever": lever, "exact": lever not in LEVERS,
                "programming_energy_J": scale * (k + 1), "write_energy_J": scale,
                "energy_saved_fraction": 0.5, "best_exact": "gray" if energy > 6e-14 else "gray + skip bits",
                "saved_against_exact_fraction": 1.0 - (k + 1) / 0.5, "writes_of_exact_over_writes": 2.0,
            }
            for energy in READ_ENERGIES
            for k, lever in enumerate(levers)
        ]
    )  # fmt: skip


def test_table_over_read_energies(printed):
    # Small networks take nanojoule: four digits are there.
    text = printed(tradeoff_tables.print_read_energies, by_read_energy(EVERY[1:], 1.25e-9))
    assert "…" not in text
    lines = {" ".join(line.split("  ")[0].split()): line for line in text.splitlines()}
    assert "0.00125" in lines["gray"]
    assert lines["gray"].count("0.00125") == len(READ_ENERGIES)
    # By hand: 1 - E/B = 1 - (k + 1)/0.5 with E = 1.25 nJ (k + 1), so B is half of 1.25 nJ.
    assert lines["best exact design"].count("0.00063") == len(READ_ENERGIES)
    assert "20 fJ" in text
    assert "250 fJ" in text
    assert "Best exact design at 20, 50 fJ: gray + skip bits." in text
    assert "Best exact design at 100, 150, 200, 250 fJ: gray." in text


def test_figure(tmp_path):
    table = table_of(EVERY)
    table.loc[3, ["energy_saved_lower", "energy_saved_upper"]] = np.nan
    searched = table[~table["exact"]].assign(confirmed=False, verdict="searched")
    table = pd.concat([table, searched], ignore_index=True)
    files = plotting.tradeoff_figure(table, by_read_energy(EVERY[1:], 1e-6), tmp_path)
    assert all(file.stat().st_size > 10_000 for file in files)


def test_lines_of_trade_offs_differ_beside_the_colour():
    searched = table_of(EVERY).assign(confirmed=False, verdict="searched")
    shown = looks(plotting.losses(pd.concat([table_of(EVERY), searched]), Figure().subplots()))
    assert len(shown) == len(set(shown)) == len(EVERY)
    shown = looks(plotting.energies_over_reads(by_read_energy(EVERY[1:], 1e-6), Figure().subplots()))
    assert len(shown) == len(set(shown)) == len(EVERY)  # with the best exact design


def test_what_holds_is_filled():
    table = table_of(["reliable", "both", "all"])
    table.loc[table["lever"] == "all", "verdict"] = "not shown"
    axes = plotting.losses(table, Figure().subplots())
    large = {line.get_marker(): line for line in axes.lines if line.get_markersize() > 8.0}
    assert [line.get_markerfacecolor() == "white" for line in large.values()] == [False, True]


def test_new_tables_are_read(tmp_path):
    table = table_of(EVERY)
    table.loc[2, ["energy_saved_lower", "energy_saved_upper"]] = np.nan  # not known
    table.to_csv(tmp_path / "tradeoff.csv", index=False)
    pd.testing.assert_frame_equal(read_tradeoff(tmp_path / "tradeoff.csv"), table)
    section = trade_off("run", read_tradeoff(tmp_path / "tradeoff.csv"))
    assert [row[0] for row in section.rows] == EVERY
    assert [row[5] for row in section.rows[:3]] == ["-123.5 to 98.8"] * 2 + ["not known"]
    assert {row[7] for row in section.rows[:10]} == {"no write fails"}
    assert {row[7] for row in section.rows[10:]} == {"writes may fail"}
    assert {len(row) for row in section.rows} == {len(section.columns)}
    assert section.rows[11][9] == (
        "at the edge of the sweep, at the highest error rate allowed, error rate extrapolated"
    )
    assert section.rows[0][9] == "-"


def test_tables_of_earlier_versions_are_read(tmp_path):
    table = table_of(["reliable", "both", "all"])[EARLIER]
    table.loc[2, "accuracy_drop_points"] = -9.0  # the interval ends above one point
    table.to_csv(tmp_path / "tradeoff.csv", index=False)
    pd.testing.assert_frame_equal(read_tradeoff(tmp_path / "tradeoff.csv"), table)
    section = trade_off("run", read_tradeoff(tmp_path / "tradeoff.csv"))
    assert [[row[0], *row[5:6], *row[7:]] for row in section.rows] == [
        ["reliable", "not known", "no write fails", "holds", "-"],
        ["both", "not known", "writes may fail", "holds", "error rate extrapolated"],
        ["all", "not known", "writes may fail", "not shown", "error rate extrapolated"],
    ]
    assert section.text.startswith("1.0% is saved by writes that may fail, at a loss of")


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("verdict", 3, "column verdict: got 'a value that is no text'"),
        ("at_edge", "maybe", "column at_edge: got .*; allowed: True and False"),
        ("exact", 0.5, "column exact: got .*; allowed: True and False"),
        ("ber_to_one", 2.0, "column ber_to_one: got 2.0; allowed: finite numbers from 0 to 1"),
        ("reads", np.nan, "column reads: got nan"),
        ("total_energy_J", -1.0, "column total_energy_J: got -1.0"),
        ("energy_saved_lower", np.inf, "column energy_saved_lower: got inf"),
        ("saved_against_exact_fraction", 1.5, "column saved_against_exact_fraction: got 1.5"),
        ("check_cells_fraction", "x", "column check_cells_fraction: got .*; allowed: numbers"),
    ],
)
def test_damaged_columns_are_refused(tmp_path, column, value, says):
    table = table_of(EVERY).astype({column: object})
    table[column] = value
    table.to_csv(tmp_path / "tradeoff.csv", index=False)
    with pytest.raises(InputError, match=says):
        read_tradeoff(tmp_path / "tradeoff.csv")


def test_help_and_documentation_name_every_lever(call):
    code, text, _ = call("tradeoff", "--help")
    assert code == 0
    page = (ROOT / "docs/memory.md").read_text(encoding="utf-8")
    for name in EVERY[1:]:
        assert re.search(rf"\b{name}\b", text), name
        assert f"`{name}`" in page, name
    for column in ("energy_saved_lower", "at_edge", "computing_energy_J", "check_cells_fraction"):
        assert f"`{column}`" in page
