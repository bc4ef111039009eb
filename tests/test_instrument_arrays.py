"""Spreadsheets, arrays and archives as programs write them: each is read as it was made, or refused."""

import io
import zipfile

import h5py
import numpy as np
import openpyxl
import pytest
from instrument_rows import (
    BY_NUMBER,
    HOT,
    MATRIX,
    MATRIX_RULES,
    NAMES,
    NUMBERS,
    ROWS,
    SWITCHING,
    compare,
    lines_of,
    read,
)
from scipy import io as scipy_io

from mtjchar.errors import InputError


def book_of(**sheets):
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
            for cell in sheet[sheet.max_row]:
                if isinstance(cell.value, np.float64):  # marks what is shown in percent
                    cell.number_format = "0.0%"
    book.save(file)
    return file.getvalue()


BLANK = [None, None]
PERCENT = [[*row[:4], np.float64(row[4] / row[3])] for row in ROWS]
BOOKS = {
    "titles, two header rows, units": book_of(run=[
        ["Switching, lot A7"], ["Pulse", None, None, "Result"],
        ["direction", "amplitude", "duration", "trials", "switched"], [None, "V", "ns"], *ROWS]),
    "sheets without tables": book_of(
        info=[["Operator", "me"], ["Wafer", 3]], data=[NAMES, *ROWS], notes=[["good"]]),
    "not at the corner": book_of(run=[[*BLANK, *NAMES], *([*BLANK, *row] for row in ROWS)]),
    "format of percent": book_of(run=[[*NAMES[:4], "probability"], *PERCENT]),
    "format and name of percent": book_of(run=[[*NAMES[:4], "probability (%)"], *PERCENT]),
    "directions as names of sheets": book_of(P_to_AP=[NAMES[1:], *(row[1:] for row in ROWS[:3])],
                                             AP_to_P=[NAMES[1:], *(row[1:] for row in ROWS[3:])]),
}  # fmt: skip


@pytest.mark.parametrize("form", BOOKS)
def test_spreadsheets(tmp_path, form):
    tables = read(tmp_path, BOOKS[form], name="book.xlsx")
    compare(tables, SWITCHING)
    if form == "sheets without tables":
        assert "no table: info, notes" in tables[0].notes


def test_sections_of_rules_for_sheets(tmp_path):
    first, second = ([NAMES[1:], *(row[1:] for row in part)] for part in (ROWS[:3], ROWS[3:]))
    book = book_of(first=first, second=second)
    rules = '[first]\nvalues = { direction = "p_to_ap" }\n[second]\nvalues = { direction = "ap_to_p" }\n'
    compare(read(tmp_path, book, rules, "book.xlsx"), SWITCHING)


def test_a_matrix_in_a_spreadsheet(tmp_path):
    head = [["Die", "A1"], [], [None, "Duration (ns)"], ["V", 5, 10]]
    rows = [[0.5, 0.1, 0.25], [0.6, 0.3], ["mean", 0.2, 0.25]]
    (table,) = read(tmp_path, book_of(run=[*head, *rows]), MATRIX_RULES, "book.xlsx")
    compare([table], {"switched": [100, 250, 300]})
    assert "ends before line 7: 'mean, 0.2, 0.25'" in table.notes


COLUMNS = {
    name: np.array([row[k] for row in ROWS], dtype=float if k else object) for k, name in enumerate(NAMES)
}
AXES = {"amplitude_V": np.array([0.5, 0.6]), "duration_ns": np.array([5.0, 10.0, 20.0]), "trials": 1000.0,
        "probability": np.array([[0.1, 0.25, 0.3], [0.3, 0.55, 0.7]])}  # fmt: skip
OVER_AXES = {"amplitude_V": [0.5] * 3 + [0.6] * 3, "duration_s": [5e-9, 1e-8, 2e-8] * 2,
             "switched": [100, 250, 300, 300, 550, 700]}  # fmt: skip
SIGNED = np.array([[1.0 if row[0] == "ap_to_p" else -1.0, *row[1:]] for row in ROWS])


def matlab(**variables):
    file = io.BytesIO()
    scipy_io.savemat(file, variables)
    return file.getvalue()


MATLAB = {
    "array of structures": (
        matlab(data=np.array(list(ROWS), dtype=[(name, object) for name in NAMES])), "", SWITCHING),
    "structure of units": (
        matlab(**{name.split("_")[0]: values for name, values in COLUMNS.items()},
               units={"amplitude": "V", "duration": "ns"}), "", SWITCHING),
    "matrix and names": (matlab(data=SIGNED, names=np.array(NAMES, dtype=object)), NUMBERS, SWITCHING),
    "matrix by number": (matlab(data=SIGNED), BY_NUMBER, SWITCHING),
    "longer vector": (matlab(**COLUMNS, log=np.arange(9.0)), "", SWITCHING),
    "axes": (matlab(**AXES), 'values = { direction = "p_to_ap" }\n', OVER_AXES),
}  # fmt: skip


@pytest.mark.parametrize("form", MATLAB)
def test_matlab(tmp_path, form):
    content, rules, expected = MATLAB[form]
    compare(read(tmp_path, content, rules, "log.mat"), expected)


def test_a_square_matrix_over_axes_needs_a_word(tmp_path):
    square = {**AXES, "duration_ns": AXES["duration_ns"][:2], "probability": AXES["probability"][:, :2]}
    with pytest.raises(InputError, match=r"as many rows as columns.*matrix = "):
        read(tmp_path, matlab(**square), 'values = { direction = "p_to_ap" }\n', "log.mat")
    compare(read(tmp_path, matlab(**square), MATRIX_RULES, "log.mat"), MATRIX)


def hdf5(fill):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def groups(file):
    """Groups with units and values as attributes, beside other groups."""
    group = file.create_group("entry/data")
    for name, values in COLUMNS.items():
        key, _, unit = name.partition("_")
        group[key] = values if name != "direction" else [row[0] for row in ROWS]
        if unit:
            group[key].attrs["Units"] = np.array([unit.encode()])
    group.attrs["temperature"], group.attrs["temperature_unit"], group.attrs["operator"] = 85.0, "degC", "me"
    file["entry/gain"], file["entry/image"] = np.arange(4.0), np.zeros((3, 4))


def directions(file):
    for way, part in (("ap_to_p", slice(3, 5)), ("p_to_ap", slice(0, 3))):
        group = file.create_group(f"{way}_runs")
        group.attrs["direction"] = way
        for name in NAMES[1:]:
            group[name] = COLUMNS[name][part]


def named_matrix(file):
    file.create_dataset("data", data=SIGNED).attrs["columns"] = NAMES


HDF5 = {
    "attributes": (groups, "", HOT),
    "directions": (directions, "", {name: values[3:] + values[:3] for name, values in SWITCHING.items()}),
    "names of a matrix": (named_matrix, NUMBERS, SWITCHING),
    "axes": (lambda file: file.update(AXES), 'values = { direction = "p_to_ap" }\n', OVER_AXES),
}


@pytest.mark.parametrize("form", HDF5)
def test_hdf5(tmp_path, form):
    fill, rules, expected = HDF5[form]
    compare(read(tmp_path, hdf5(fill), rules, "log.h5"), expected)


def test_archives_with_other_files(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "Measured on Monday.\nThanks.\n")
        archive.writestr("plot.png", b"\x89PNG\r\n\x1a\n\0\0\0")
        archive.writestr("a.csv", "\n".join(lines_of()))
    (table,) = read(tmp_path, file.getvalue(), name="lot.zip")
    compare([table], SWITCHING)
    assert "no table: readme.txt, plot.png" in table.notes
