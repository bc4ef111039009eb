"""Inputs that are no files, or far too large: each is refused in words, and without filling memory."""

import gzip
import os
import signal
import struct
import tracemalloc
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stackfit_cases import GOOD, HEADER, written

from mtjchar.errors import InputError
from mtjchar.network.datasets import load_dataset
from mtjchar.stackfit import read_table, read_tables
from mtjchar.stackfit.data import limits

IMAGES = "train-images-idx3-ubyte"


@pytest.fixture(autouse=True)
def guard():
    """End a test that waits for a pipe, in the place of the whole suite."""

    def give_up(*_):
        raise TimeoutError("an input was waited for")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def refusal(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert len(message) < 2000
    return message


# ---- no files ----


def pipe(path):
    os.mkfifo(path)


def link_to_itself(path):
    path.symlink_to(path)


def device(path):
    path.symlink_to("/dev/zero")


def unreadable(path):
    path.symlink_to("/proc/self/mem")


NO_FILES = [
    (pipe, "it is a pipe or a device"),
    (device, "it is a pipe or a device"),
    (link_to_itself, "Too many levels of symbolic links"),
    (unreadable, "Input/output error"),
]


@pytest.mark.parametrize(("make", "why"), [*NO_FILES, (os.mkdir, "it is a directory")])
@pytest.mark.parametrize("name", ["data.csv", "data.parquet", "columns.toml"])
def test_no_file(tmp_path, make, why, name):
    path = tmp_path / name
    make(path)
    good = written(tmp_path, HEADER + GOOD, "good.csv")
    arguments = ([good], path) if name == "columns.toml" else ([path],)
    message = refusal(read_tables, *arguments)
    kind = "rules file" if name == "columns.toml" else "data file"
    assert message.startswith(f"Cannot read {kind} '{path}': {why}.")
    # Said once, not wrapped into itself.
    assert message.count("Cannot read") == 1


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "", "a\udcff"])
def test_names_that_no_file_has(tmp_path, name):
    good = written(tmp_path, HEADER + GOOD)
    assert refusal(read_tables, [name]).startswith("Cannot read data file ")
    assert refusal(read_tables, [good], name).startswith("Cannot read rules file ")
    if name:
        assert refusal(load_dataset, name).startswith("data set: got ")


# ---- CSV ----


def test_csv_larger_than_is_read(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"")
    os.truncate(path, limits.MOST_BYTES + 1)
    message = refusal(read_table, path)
    assert "at most 100,000,000 bytes; a larger table in several files" in message
    assert "it has 100,000,001 bytes; at most 100,000,000 are read." in message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "a" * 200_000 + ",b\n1,2\n",
            "line 1: got '200,002 characters'; allowed: at most 100,000 characters",
        ),
        (HEADER + "P->AP," + "1" * 200_000 + ",1,1,1\n", "line 2: got '200,012 characters'"),
        ("c," * 1500 + "c\n1\n", "got '1,501 columns'; allowed: at most 1,000 columns"),
        (",".join(map(str, range(1_000_000))) + "\n", "line 1: got '6,888,889 characters'"),
        ("\n" * 1_000_001, "got '1,000,001 lines'; allowed: at most 1,000,000 lines. Split the table"),
        ("\r" * 1_000_001, "got '1,000,001 lines'"),
        (",".join(f"c{k}" for k in range(1000)) + "\n" + "\n".join("1" * 10_001), "got '10,001,000 values'"),
        ("x" * 201 + ",b\n1,2\n", "name of column 1: got 'xxx"),
        (HEADER.strip() + ",device\n" + GOOD.strip() + "," + "x" * 201, "line 2, device: got 'xxx"),
        ("", "got 'no rows'"),
        (HEADER + GOOD + "\0", "got 'zero bytes'"),
        (HEADER + '"P->AP,1,2,3,4\n', "line 2: got '\"P->AP,1,2,3,4'; allowed: 5 values"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_csv_that_is_no_table(tmp_path, text, found):
    assert found in refusal(read_table, written(tmp_path, text))


def test_many_columns_do_not_fill_a_message(tmp_path):
    text = ",".join(f"column_{k}" for k in range(1000)) + "\n" + ",".join("1" * 1000) + "\n"
    path = written(tmp_path, text)
    message = refusal(read_table, path)
    assert "The file has column_0, column_1," in message
    assert "column_45, and 954 more." in message
    columns = written(tmp_path, '[columns]\ntrials = "N"\n', "columns.toml")
    paths = [written(tmp_path, text, f"{k}.csv") for k in range(5)]
    assert "and 954 more; and 4 more)" in refusal(read_tables, paths, columns)


def test_lone_carriage_returns_and_a_mark_of_byte_order(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + GOOD).replace("\n", "\r").encode())
    assert read_table(path).rows["line"].to_list() == [2]


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("amplitude_mV", "1e999", "a positive number"),
        ("amplitude_mV", "1" + "0" * 400, "a positive number"),
        ("amplitude_mV", "9" * 5000, "a positive number"),
        ("amplitude_mV", "1e300", r"1e-30 to 1e\+30 in SI units"),
        ("amplitude_mV", "1e-300", r"1e-30 to 1e\+30 in SI units"),
        ("amplitude_mV", "４００", "a positive number"),
        ("amplitude_mV", "1_000", "a positive number"),
        ("duration_ns", "nan", "a positive number"),
        ("trials", "1e300", "a whole number, at least 1, at most 1e"),
        ("trials", "1e16", "a whole number, at least 1, at most 1e"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_numbers_that_are_none(tmp_path, column, value, allowed):
    names = HEADER.strip().split(",")
    row = dict(zip(names, GOOD.strip().split(","), strict=True)) | {column: value}
    path = written(tmp_path, HEADER + GOOD + ",".join(row.values()) + "\n")
    with pytest.raises(InputError, match=f"line 3, {column}: got .*allowed: {allowed}") as caught:
        read_table(path)
    assert len(str(caught.value)) < 2000
    assert read_table(path, skip_bad=True).skipped == 1


# ---- Parquet ----

ROW = {
    "direction": ["P->AP"],
    "amplitude_mV": [500.0],
    "duration_ns": [10.0],
    "trials": [1000],
    "switched": [412],
}


def parquet(folder, table):
    path = folder / "data.parquet"
    pq.write_table(table, path)
    return path


def repeated(text, rows):
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array([text]))


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (lambda: {"a": pa.nulls(50_000_000, pa.int8())}, "got '50,000,000 rows'; allowed: at most 1,000,000"),
        (lambda: {"a": [b"x" * 100_000_001]}, "got '100,000,\\d+ bytes unpacked'; allowed: at most 100,000"),
        (
            lambda: {"a": pa.ListArray.from_arrays([0, 20_000_000], pa.nulls(20_000_000, pa.int8()))},
            "got '20,000,000 values'; allowed: at most 10,000,000",
        ),
        (lambda: {f"c{k}": [1] for k in range(1001)}, "got '1,001 columns'"),
        (lambda: {"a" * 201: [1]}, "name of column 1: got 'aaa"),
        (lambda: {"a": repeated("x" * 100_000, 100_000)}, "column a: got 'a text of 100,000 characters'"),
        (lambda: {}, "got 'no rows'"),
        (lambda: ROW | {"amplitude_mV": [[1.0, 2.0]]}, "line 1, amplitude_mV: got 'list<element: double>'"),
        (lambda: ROW | {"temperature_K": [{"a": 1}]}, "line 1, temperature_K: got 'struct<a: int64>'"),
        (lambda: ROW | {"duration_ns": pa.array([10], pa.duration("ns"))}, "duration_ns: got Timedelta"),
        (lambda: ROW | {"note": pa.array([2**31 - 1], pa.date32())}, "got 'year 5881580 is out of range'"),
    ],
)
def test_parquet_that_is_no_table(tmp_path, columns, found):
    path = parquet(tmp_path, pa.table(columns()))
    assert path.stat().st_size < 10_000_000
    with pytest.raises(InputError, match=found) as caught:
        read_table(path)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(range(256)) + b"PAR1"])
def test_parquet_that_is_none(tmp_path, content):
    path = tmp_path / "data.parquet"
    path.write_bytes(content)
    assert "allowed: a Parquet file" in refusal(read_table, path)


def test_parquet_with_columns_of_other_types(tmp_path):
    more = {"wave": [[1.0, 2.0]], "time": pa.array([10**15], pa.timestamp("us")), "lot": repeated("L7", 1)}
    table = read_table(parquet(tmp_path, pa.table(ROW | more)))
    assert table.rows["amplitude_V"].to_list() == [0.5]
    assert table.unused == ("wave", "time", "lot")


def test_parquet_with_columns_without_names(tmp_path):
    arrays = [pa.array(one) for one in [*ROW.values(), [1], [2]]]
    assert len(read_table(parquet(tmp_path, pa.table(arrays, names=[*ROW, "", " "]))).rows) == 1
    path = tmp_path / "data.parquet"
    # The index of pandas is a column as well, and numbers are names.
    pd.DataFrame(ROW).assign(**{"0": 5}).set_index("direction").to_parquet(path)
    assert read_table(path).unused == ("0",)


# ---- files for --columns ----

TOO_LONG = "x" * 15_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = " + "[" * 8000 + "]" * 8000, "It is nested too deep."),
        ("[columns]\n" + ".".join("a" * 5000) + " = 1", "columns.a: got a value of type dict that is too"),
        ("[values]\ntrials = " + "9" * 5000, "A whole number in it has thousands of digits."),
        ("[values]\ntrials = 0x" + "f" * 5000, "values.trials: got a value of type int that is too long"),
        ("[values]\ntrials = 1" + "0" * 400, "values.trials: got 1000"),
        ("[values]\nwer = 1" + "0" * 400, "values.wer: got 1000"),
        ("[values]\ntrials = 1e999", "values.trials: got inf; allowed: a whole number"),
        ("[values]\ntrials = nan", "values.trials: got nan"),
        ('[values]\nduration = "nan s"', "values.duration: got 'nan s'"),
        ('[values]\nduration = "1e999 s"', "values.duration: got '1e999 s'"),
        ('[values]\nduration = "1e300 s"', "values.duration: got '1e300 s'; allowed: 1e-30 to 1e+30"),
        ('[values]\nduration = "１０ ns"', "values.duration: got '１０ ns'"),
        ("[values]\ndirection = 1979-05-27", "values.direction: got datetime.date(1979, 5, 27)"),
        (f'[values]\ndevice = "{TOO_LONG}"', "values.device: got 'xxx"),
        (f"[values]\n{TOO_LONG} = 1", "xxx... (15000 characters): got 1; allowed: one of amplitude"),
        (f"{TOO_LONG} = 1", "xxx... (15000 characters): got 1; allowed: columns, values, words"),
        (f'[columns]\ntrials = "{TOO_LONG}"', "columns.trials: got 'xxx"),
        (f'[columns]\n"wer{" " * 15_000}" = 5', "columns.wer: got 5"),
        (f"[columns.{TOO_LONG[:9000]}]\n[columns.{TOO_LONG[:9000]}]", "Cannot declare"),
        ("#" * 20_001, "it has 20,001 bytes; at most 20,000 are read."),
        ('[values]\ndevice = "\0"', "Illegal character"),
        ("[values]\n".encode("utf-16"), "it is not UTF-8 text"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_columns_that_are_none(tmp_path, text, found):
    columns = tmp_path / "columns.toml"
    columns.write_bytes(text if isinstance(text, bytes) else text.encode())
    # What a shared value is for has to be missing among the columns.
    shared = "duration" in str(text)
    bare = (
        "direction,amplitude_mV\nP->AP,500\n" if shared else HEADER.replace(",trials", "") + "P->AP,5,10,4\n"
    )
    assert found in refusal(read_tables, [written(tmp_path, bare)], columns)


def test_columns_with_a_mark_of_byte_order(tmp_path):
    columns = tmp_path / "columns.toml"
    columns.write_bytes(b'\xef\xbb\xbf[values]\ndevice = "D7"\n')
    assert read_table(written(tmp_path, HEADER + GOOD), columns).rows["device"].to_list() == ["D7"]


# ---- data sets ----


def header(*shape):
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)


def zeros_packed(before, count):
    """Many zeros behind a header, packed into a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(before)] + [packer.compress(bytes(10**7)) for _ in range(count // 10**7)]
    return b"".join([*parts, packer.flush()])


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 6), ("t10k", 4)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header(count, 3, 2) + bytes(6 * count))
        labels = bytes(k % 2 for k in range(count))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(header(count) + labels)
    return tmp_path


@pytest.mark.parametrize(("make", "why"), NO_FILES)
def test_data_set_of_no_files(folder, make, why):
    (folder / IMAGES).unlink()
    make(folder / IMAGES)
    message = refusal(load_dataset, folder)
    assert message.startswith(f"Cannot read data set '{folder / IMAGES}': ")
    assert why in message


def test_data_set_in_a_pipe(tmp_path):
    pipe(tmp_path / "pipe")
    assert "existing folder" in refusal(load_dataset, tmp_path / "pipe")


def test_data_set_with_a_folder_beside_the_file(folder):
    # As copies of MNIST have it.
    content = (folder / IMAGES).read_bytes()
    (folder / IMAGES).unlink()
    (folder / IMAGES).mkdir()
    assert "got 'no such file'" in refusal(load_dataset, folder)
    (folder / "train-images.idx3-ubyte").write_bytes(content)
    assert load_dataset(folder).image_shape == (3, 2)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        (IMAGES, header(*[2**32 - 1] * 3), "shape of .*got \\(4294967295, .*at most 10,000,000 images or"),
        (IMAGES, header(0, 2**32 - 1, 2**32 - 1), "shape of .*allowed: at least one pixel or label"),
        (IMAGES, header(1, 2000, 2000), "1,000,000 pixels in an image"),
        ("train-labels-idx1-ubyte", header(10**9), "got \\(1000000000,\\).*10,000,000 images or labels"),
        (IMAGES, gzip.compress(header(2000, 1000, 1000), mtime=0), "1,000,000,000 bytes in all"),
        (IMAGES, gzip.compress(b"", mtime=0), "magic number .*got ''"),
        (IMAGES, gzip.compress(header(6, 3, 2) + bytes(36), mtime=0) + b"more", "a complete gzip file"),
    ],
)
def test_data_set_that_is_too_large(folder, name, content, found):
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=found):
        load_dataset(folder)


def test_data_set_file_larger_than_is_read(folder):
    os.truncate(folder / IMAGES, 2_000_000_000)
    assert "it has 2,000,000,000 bytes; at most 1,000,000,000 are read." in refusal(load_dataset, folder)


@pytest.mark.parametrize(
    ("before", "found"),
    [(b"xxxx", "magic number"), (header(6, 3, 2), "got 'more than 36 bytes'.*Something follows the data")],
)
def test_no_more_is_unpacked_than_the_header_says(folder, before, found):
    (folder / IMAGES).write_bytes(zeros_packed(before, 10**8))
    tracemalloc.start()
    with pytest.raises(InputError, match=found):
        load_dataset(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_packed_in_several_members(folder):
    content = (folder / IMAGES).read_bytes()
    (folder / IMAGES).write_bytes(gzip.compress(content[:10]) + gzip.compress(content[10:]) + bytes(100))
    assert load_dataset(folder).image_shape == (3, 2)
