"""Files as testers and their programs write them: each form of one table gives the same rows."""

import gzip
import io
import zipfile

import h5py
import numpy as np
import openpyxl
import pandas as pd
import pytest
from instrument_rows import NAMES, ROWS
from scipy import io as scipy_io

from mtjchar.errors import InputError
from mtjchar.stackfit import read_table, read_tables


def lines_of(separator=",", names=NAMES, rows=ROWS, write=str):
    return [separator.join(names), *(separator.join(map(write, row)) for row in rows)]


def comma(value):
    return str(value).replace(".", ",")


def thousands(value):
    return f'"{value:,}"' if isinstance(value, int) else str(value)


HEADLESS = [line.replace("p_to_ap", "0").replace("ap_to_p", "1") for line in lines_of(" ")[1:]]
PREAMBLE = ["Instrument: pulse generator 7", "Date: 2024-05-02", "Lot A7, wafer 3, 300 K"]

TEXTS = {
    "commas": lines_of(),
    "tabs": lines_of("\t"),
    "bars": lines_of("|"),
    "semicolons, decimal commas": lines_of(";", write=comma),
    "blanks": lines_of("   "),
    "excel's first line": ["sep=;", *lines_of(";")],
    "header in a comment": [f"# {lines_of(' ')[0]}", *lines_of(" ")[1:]],
    "header in a comment with !": [f"!{lines_of(',')[0]}", *lines_of(",")[1:]],
    "comment above the header": ["# made by hand, 5 rows", *lines_of()],
    "preamble": [*PREAMBLE, *lines_of()],
    "preamble and markers": [*PREAMBLE, "[DATA]", *lines_of("\t"), "[END]", "2 errors, 3 warnings"],
    "row of units": [
        "direction,amplitude,duration,trials,switched", ",V,ns,,", *lines_of()[1:],
    ],
    "row of units in brackets": [
        "direction;amplitude;duration;trials;switched", "-;[V];[ns];-;-", *lines_of(";")[1:],
    ],
    "units in brackets": ["Direction,Amplitude (V),Duration [ns],Trials,Switched", *lines_of()[1:]],
    "units in brackets between blanks": [
        "# direction amplitude (V) duration (ns) trials () switched ()", *lines_of(" ")[1:],
    ],
    "thousands": lines_of(write=thousands),
    "thousands with blanks": lines_of(";", write=lambda value: f"{value:,}".replace(",", " ")
                                      if isinstance(value, int) else str(value)),
    "line breaks in quotation marks": [
        'direction,amplitude_V,duration_ns,trials,"switched', '"',
        *(f'{line}' for row in ROWS for line in (f'{",".join(map(str, row[:-1]))},"{row[-1]}', '"')),
    ],
    "empty cells at the end": [f"{line},," for line in lines_of()],
    "footer": [*lines_of(), "", "end of file"],
    "footer of several cells": [*lines_of(), "", "operator,somebody"],
    "blank lines": [line for pair in zip(lines_of(), [""] * 6, strict=True) for line in pair],
    "further columns": [f"{line},{more}" for line, more in zip(lines_of(), ["site", *"abcde"], strict=True)],
}  # fmt: skip


def same(table):
    expected = pd.DataFrame(ROWS, columns=NAMES)
    found = table.rows
    assert table.kind == "switching"
    assert found["direction"].to_list() == expected["direction"].to_list()
    for name, key, unit in (
        ("amplitude_V", "amplitude_V", 1.0),
        ("duration_s", "duration_ns", 1e-9),
        ("trials", "trials", 1.0),
        ("switched", "switched", 1.0),
    ):
        np.testing.assert_allclose(found[name].astype(float), unit * expected[key], rtol=1e-12)
    return table


def file_with(folder, lines, name="data.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return path


def rules_with(folder, text):
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", TEXTS)
def test_forms_of_text(tmp_path, form):
    same(read_table(file_with(tmp_path, TEXTS[form])))


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends_of_other_systems(tmp_path, line_end):
    path = tmp_path / "data.csv"
    path.write_bytes(line_end.join(lines_of()).encode())
    table = same(read_table(path))
    assert table.rows["line"].to_list() == [2, 3, 4, 5, 6]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    table = same(read_table(file_with(tmp_path, TEXTS["line breaks in quotation marks"])))
    assert table.rows["line"].to_list() == [3, 5, 7, 9, 11]
    table = same(read_table(file_with(tmp_path, TEXTS["preamble and markers"])))
    assert table.rows["line"].to_list() == [6, 7, 8, 9, 10]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode(tmp_path, encoding):
    same(read_table(file_with(tmp_path, lines_of(), encoding=encoding)))


@pytest.mark.parametrize(
    ("encoding", "header", "current"),
    [
        ("latin-1", "direction,current (µA),duration_ns,trials,switched,Größe", 1e-6),
        ("cp1252", "direction,current_µA,duration_ns,trials,switched,Maß", 1e-6),
        ("cp932", "direction,current_uA,duration_ns,trials,switched,測定", 1e-6),
        ("utf-8", "direction,current (μA),duration_ns,trials,switched,測定", 1e-6),
    ],
)
def test_encodings_before_unicode(tmp_path, encoding, header, current):
    lines = [header, *(f"{line},x" for line in lines_of()[1:])]
    table = read_table(file_with(tmp_path, lines, encoding=encoding))
    np.testing.assert_allclose(table.rows["current_A"], [current * row[1] for row in ROWS])


def test_an_encoding_that_the_rules_name(tmp_path):
    path = file_with(
        tmp_path, ["направление,amplitude_V,duration_ns,trials,switched", *lines_of()[1:]], encoding="koi8-r"
    )
    rules = rules_with(tmp_path, 'encoding = "koi8-r"\ncolumns = { direction = "направление" }\n')
    same(read_table(path, rules))


# ---- archives, spreadsheets, arrays ----


def test_packed_files(tmp_path):
    text = "\n".join(lines_of()).encode()
    packed = tmp_path / "data.csv.gz"
    packed.write_bytes(gzip.compress(text))
    same(read_table(packed))
    archive = tmp_path / "lot.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("day 1/a.csv", text)
        file.writestr("__MACOSX/day 1/._a.csv", b"\0\0")
        file.writestr("b.csv.gz", gzip.compress(text))
    first, second = read_tables([archive])
    assert [str(one.path.relative_to(tmp_path)) for one in (same(first), same(second))] == [
        "lot.zip/day 1/a.csv",
        "lot.zip/b.csv",
    ]


def test_archives_that_unpack_into_too_much(tmp_path):
    packed = tmp_path / "data.csv.gz"
    packed.write_bytes(gzip.compress(b"0" * 100_000_001))
    with pytest.raises(InputError, match="more than 100,000,000 bytes unpacked"):
        read_table(packed)
    archive = tmp_path / "lot.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in "abc":
            file.writestr(f"{name}.csv", b"0" * 40_000_000)
    with pytest.raises(InputError, match="more than 100,000,000 bytes unpacked"):
        read_tables([archive])


@pytest.mark.parametrize("name", ["data.csv.gz", "lot.zip", "book.xlsx", "log.mat", "log.h5"])
def test_damaged_files(tmp_path, name):
    starts = {
        "data.csv.gz": gzip.compress(b"abcdef")[:12], "lot.zip": b"PK\x03\x04 and no more",
        "book.xlsx": b"PK\x03\x04 and no more of xl/", "log.mat": b"MATLAB 5.0 MAT-file, and no more",
        "log.h5": b"\x89HDF\r\n\x1a\n and no more",
    }  # fmt: skip
    path = tmp_path / name
    path.write_bytes(starts[name])
    with pytest.raises(InputError, match=name):
        read_table(path)


def test_spreadsheets(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "notes"
    sheet = book.create_sheet("run 1")
    for row in [["Lot A7"], [], NAMES, *map(list, ROWS), [], ["made by somebody"]]:
        sheet.append(row)
    book.remove(book["notes"])
    book.save(tmp_path / "book.xlsx")
    table = same(read_table(tmp_path / "book.xlsx"))
    assert table.path.name == "run 1"
    assert table.rows["line"].to_list() == [4, 5, 6, 7, 8]


def columns():
    frame = pd.DataFrame(ROWS, columns=NAMES)
    return {name: frame[name].to_numpy() for name in NAMES}


def test_matlab(tmp_path):
    arrays = {**columns(), "direction": np.array([row[0] for row in ROWS], dtype=object)}
    scipy_io.savemat(tmp_path / "flat.mat", {**arrays, "temperature_K": 300.0})
    table = same(read_table(tmp_path / "flat.mat"))
    assert set(table.rows["temperature_K"]) == {300.0}
    scipy_io.savemat(tmp_path / "nested.mat", {"run": {"first": arrays, "second": arrays}})
    assert [same(table).path.name for table in read_tables([tmp_path / "nested.mat"])] == ["first", "second"]


def test_hdf5(tmp_path):
    with h5py.File(tmp_path / "log.h5", "w") as file:
        group = file.create_group("run")
        for name, values in columns().items():
            key, _, unit = name.partition("_")
            if name == "direction":
                group[name] = list(values)
            else:
                group[key] = values
                group[key].attrs["unit"] = unit
        file["records"] = pd.DataFrame(ROWS, columns=NAMES).drop(columns="direction").to_records(index=False)
    tables = read_tables(
        [tmp_path / "log.h5"], rules_with(tmp_path, '["log.h5"]\nvalues = {direction="p_to_ap"}')
    )
    assert [table.path.name for table in tables] == ["records", "run"]
    assert len(tables[0].rows) == len(ROWS)
    same(tables[1])


# ---- headers that only rules explain ----


def test_columns_by_number(tmp_path):
    lines = [line.replace("ap_to_p", "1").replace("p_to_ap", "0") for line in lines_of(" ")[1:]]
    path = file_with(tmp_path, lines, "data.dat")
    with pytest.raises(InputError, match=r"no header found. Line 1 has numbers already"):
        read_table(path)
    rules = rules_with(
        tmp_path,
        'words = { "0" = "p_to_ap", "1" = "ap_to_p" }\n'
        "[columns]\ndirection = 1\namplitude = { column = 2, unit = \"V\" }\n"
        'duration = { column = 3, unit = "ns" }\ntrials = 4\nswitched = 5\n',
    )  # fmt: skip
    same(read_table(path, rules))
    same(read_table(file_with(tmp_path, [*PREAMBLE, *lines], "data.dat"), rules))


def test_lines_to_skip(tmp_path):
    lines = ["direction,amplitude_V,duration_ns,trials,switched", "p_to_ap,1,1,1,1", *lines_of()]
    same(read_table(file_with(tmp_path, lines), rules_with(tmp_path, "skip_rows = 2\n")))


SIGNED = [("Vp_V,tp_ns,N,sw"), *(f"{-v if d == 'p_to_ap' else v},{t},{n},{s}" for d, v, t, n, s in ROWS)]
SHORT = (
    'columns = { amplitude = { name = "Vp_V", unit = "V" }, duration = { name = "tp_ns", unit = "ns" }, '
    'trials = "N", switched = "sw" }\n'
)


def test_signed_amplitudes(tmp_path):
    path = file_with(tmp_path, SIGNED)
    with pytest.raises(InputError, match="pulses have signs, but nothing says which direction is positive"):
        read_table(path, rules_with(tmp_path, SHORT))
    table = same(read_table(path, rules_with(tmp_path, SHORT + 'positive = "ap_to_p"\n')))
    assert "the sign of the pulse is its direction: positive is ap_to_p" in table.notes
    turned = read_table(path, rules_with(tmp_path, SHORT + 'positive = "p_to_ap"\n'))
    assert turned.rows["direction"].to_list() == [
        {"p_to_ap": "ap_to_p"}.get(row[0], "p_to_ap") for row in ROWS
    ]


def test_signs_beside_directions(tmp_path):
    signed = [(d, -v if d == "p_to_ap" else v, *rest) for d, v, *rest in ROWS]
    same(read_table(file_with(tmp_path, lines_of(rows=signed))))
    signed[0] = (signed[0][0], -signed[0][1], *signed[0][2:])  # one of three of this direction
    with pytest.raises(InputError, match=r"line 3, amplitude_V: got '-0\.949'"):
        read_table(file_with(tmp_path, lines_of(rows=signed)))


@pytest.mark.parametrize(
    ("column", "words", "rules"),
    [
        ("direction", {"p_to_ap": "W1", "ap_to_p": "W0"}, 'words = { "W1" = "p_to_ap", "W0" = "ap_to_p" }'),
        ("direction", {"p_to_ap": "1", "ap_to_p": "-1"}, 'words = { "1" = "p_to_ap", "-1" = "ap_to_p" }'),
        ("direction", {"p_to_ap": "1.0", "ap_to_p": "0.0"}, 'words = { "1" = "p_to_ap", "0" = "ap_to_p" }'),
        ("direction", {"p_to_ap": "P", "ap_to_p": "AP"}, 'words = { "P" = "p_to_ap", "AP" = "ap_to_p" }'),
        ("initial_state", {"p_to_ap": "P", "ap_to_p": "AP"}, ""),
        ("initial_state", {"p_to_ap": "0", "ap_to_p": "1"}, 'words = { "0" = "p", "1" = "ap" }'),
    ],
)
def test_words_for_directions_and_states(tmp_path, column, words, rules):
    rows = [(words[direction], *rest) for direction, *rest in ROWS]
    path = file_with(tmp_path, lines_of(names=[column, *NAMES[1:]], rows=rows))
    if rules:
        with pytest.raises(InputError, match=r"in a file for --rules: words = \{"):
            read_table(path)
    same(read_table(path, rules_with(tmp_path, rules)))


def test_values_in_the_names_of_files(tmp_path):
    for name in ("A7_d12_300K.csv", "A7_d13_350K.csv"):
        file_with(tmp_path, lines_of(), name)
    rules = rules_with(tmp_path, '["{lot}_{die}_{temperature}K.csv"]\n')
    tables = read_tables(sorted(tmp_path.glob("*.csv")), rules)
    assert [set(table.rows["temperature_K"]) for table in tables] == [{300.0}, {350.0}]
    assert [set(table.rows["device"]) for table in tables] == [{"A7/d12"}, {"A7/d13"}]
    (chosen,) = read_tables(sorted(tmp_path.glob("*.csv")), rules, where="temperature_K < 330")
    assert set(chosen.rows["die"]) == {"d12"}
    (chosen,) = read_tables(sorted(tmp_path.glob("*.csv")), rules, device="A7/d13")
    assert set(chosen.rows["temperature_K"]) == {350.0}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"device": "x"}, "device: got 'x'; allowed: nothing: the tables name no devices"),
        (
            {"where": "temperature_K < 330"},
            "where: got 'temperature_K < 330'; allowed: an expression of ampl",
        ),
        ({"where": "amplitude_V"}, "where: got 'amplitude_V'.*not true or false"),
        ({"where": "amplitude_V > 9"}, "an expression that holds for some rows"),
        ({"where": "amplitude_V >"}, "where: got 'amplitude_V >'"),
    ],
)
def test_rows_that_cannot_be_chosen(tmp_path, options, says):
    with pytest.raises(InputError, match=says):
        read_tables([file_with(tmp_path, lines_of())], **options)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[colums]\ntrials = "N"', r"colums: got .*pattern of files.*Did you mean columns\?"),
        ('["*.csv"]\ncolum = 1', r'\*\.csv\.colum: got 1; allowed: columns, values.*Did you mean columns\?'),
        ('["x*.csv"]\nskip_rows = 1', r"a pattern of one of the files \(data.csv\)"),
        ('positive = "up"', r'positive: got \'up\'; allowed: "p_to_ap" or "ap_to_p"'),
        ("skip_rows = -1", "skip_rows: got -1; allowed: a number of lines"),
        ("skip_rows = true", "skip_rows: got True"),
        ('encoding = "klingon"', "encoding: got 'klingon'; allowed: the name of an encoding"),
        ('words = { "W1" = "up" }', "words.W1: got 'up'; allowed: p_to_ap or ap_to_p, or p or ap"),
        ("columns = { trials = 9 }", r"columns\.trials: got 9; allowed: a column of the data"),
        ("columns = { trials = 0 }", r"columns\.trials: got 0; allowed: the name of a column, or its number"),
        ('columns = { duration = "tp" }', r"columns\.duration: got 'tp'; allowed: a column of the data"),
        ("columns = { duration = 1.5 }", r"columns\.duration: got 1.5; allowed: .*with a unit \{ name"),
        ('matrix = { rows = "amplitude_V" }', r"matrix: got .*allowed: names of columns"),
    ],
)  # fmt: skip
def test_rules_that_are_wrong(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        read_table(file_with(tmp_path, lines_of()), rules_with(tmp_path, text))


# ---- several tables in a file ----


def test_blocks_with_headers_of_their_own(tmp_path):
    curve = ["voltage_mV,resistance_ohm,state", "10,2000,P", "10,4400,AP", "100,1990,P"]
    path = file_with(tmp_path, [*PREAMBLE, *lines_of(), "", "[RV]", *curve])
    first, second = read_tables([path])
    same(first)
    assert second.kind == "resistance"
    assert second.rows["resistance_ohm"].to_list() == [2000.0, 4400.0, 1990.0]
    with pytest.raises(InputError, match="got '2 tables'"):
        read_table(path)


def test_blocks_under_one_header(tmp_path):
    first, *rest = lines_of()
    tables = read_tables([file_with(tmp_path, [first, *rest[:3], "[SECOND]", *rest[3:]])])
    assert [len(table.rows) for table in tables] == [3, 2]
    tables = read_tables([file_with(tmp_path, [first, *rest[:3], "", first, *rest[3:]])])
    assert [len(table.rows) for table in tables] == [3, 2]


def test_a_row_that_was_cut_off_is_no_footer(tmp_path):
    for cut in ("p_to_ap,0.8066", "p_to_ap,0.8066,5.0,10"):
        with pytest.raises(InputError, match=f"line 7: got '{cut}'; allowed: 5 values"):
            read_table(file_with(tmp_path, [*lines_of(), cut]))


def test_a_matrix(tmp_path):
    lines = ["V \\ ns;5;10;30", "0,5;0,1;0,25;0,5", "0,6;0,3;0,55;"]
    rules = rules_with(
        tmp_path,
        'matrix = { rows = "amplitude_V", columns = "duration_ns", values = "probability" }\n'
        'values = { trials = 1000, direction = "p_to_ap" }\n',
    )
    rows = read_table(file_with(tmp_path, lines), rules).rows
    assert rows["switched"].to_list() == [100, 250, 500, 300, 550]
    np.testing.assert_allclose(rows["duration_s"], [5e-9, 1e-8, 3e-8, 5e-9, 1e-8])
    assert rows["amplitude_V"].to_list() == [0.5, 0.5, 0.5, 0.6, 0.6]


# ---- other quantities ----


def test_currents_of_a_curve_are_resistances(tmp_path):
    lines = ["voltage_mV,current_uA,state", "100,50,P", "-100,-50,P", "100,25,AP"]
    rows = read_table(file_with(tmp_path, lines)).rows
    np.testing.assert_allclose(rows["resistance_ohm"], [2000.0, 2000.0, 4000.0])
    # At zero voltage there is no resistance; elsewhere the current has a sign.
    table = read_table(file_with(tmp_path, [*lines, "0,0,P"]))
    assert len(table.rows) == 3
    assert "1 rows at zero voltage have no resistance" in table.notes
    with pytest.raises(InputError, match="a number of the sign of the voltage, not 0"):
        read_table(file_with(tmp_path, [*lines, "100,0,P"]))


def test_wafers_by_their_two_resistances(tmp_path):
    rng = np.random.default_rng(3)
    parallel = rng.normal(4000.0, 100.0, 20)
    lines = ["diameter_nm,R_P_ohm,R_AP_ohm", *(f"40,{value},{2.2 * value}" for value in parallel)]
    table = read_table(file_with(tmp_path, lines))
    np.testing.assert_allclose(table.rows["tmr"], 1.2)
    np.testing.assert_allclose(table.rows["resistance_area_product_ohm_m2"], parallel * np.pi * 20e-9**2)


def test_tmr_in_percent(tmp_path):
    for header, value in (("tmr_percent", "120"), ("TMR (%)", "120"), ("tmr", "1.2")):
        table = read_table(file_with(tmp_path, [f"{header},diameter_nm", *[f"{value},40"] * 10]))
        np.testing.assert_allclose(table.rows["tmr"], 1.2)


def test_period_of_a_field_gives_its_sweep_rate(tmp_path):
    lines = ["field_mT,resistance_ohm,period_s", "-100,2000,8", "0,2000,8", "100,4000,8", "0,4000,8"]
    rows = read_table(file_with(tmp_path, lines)).rows
    # From -100 mT to 100 mT and back in 8 s.
    np.testing.assert_allclose(rows["sweep_rate_T_per_s"], 0.4 / 8.0)


def test_show_describes_the_files(tmp_path, call):
    path = file_with(tmp_path, TEXTS["preamble and markers"], "log.txt")
    code, out, _ = call("fit", path, "--show")
    assert code == 0
    for words in ("switching, 5 rows", "separated by tabs", "header line 5", "duration_s: 5e-09 to 1e-08"):
        assert words in out
    code, out, _ = call("fit", path, "--show", "--json")
    assert '"kind": "switching"' in out
    code, _, err = call("fit", path)
    assert code == 2
    assert "--stack is missing (required)" in err


def test_a_spreadsheet_in_memory_is_not_taken_for_an_own_file(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(3))
    (tmp_path / "surface.npz").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match=r"an archive, such as an exported \.npz"):
        read_table(tmp_path / "surface.npz")
