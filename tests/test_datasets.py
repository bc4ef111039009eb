import gzip
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import mtjchar.network.datasets as datasets
from mtjchar.errors import InputError, MissingToolError
from mtjchar.network.datasets import load_dataset


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def parts():
    rng = np.random.default_rng(1)
    return {
        "train-images-idx3-ubyte": rng.integers(0, 256, (6, 3, 2)),
        "train-labels-idx1-ubyte": np.array([0, 1, 2, 0, 1, 2]),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (4, 3, 2)),
        "t10k-labels-idx1-ubyte": np.array([2, 1, 0, 1]),
    }


@pytest.fixture
def folder(parts, tmp_path):
    for name, array in parts.items():
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def assert_names(error, *words):
    for word in words:
        assert str(word) in str(error.value)


@pytest.mark.parametrize("packed", [(), ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), "all"])
def test_reads_plain_and_gzipped_files(folder, parts, packed):
    for name in parts if packed == "all" else packed:
        plain = folder / name
        (folder / f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    dataset = load_dataset(str(folder))
    assert dataset.name == folder.name
    assert dataset.image_shape == (3, 2)
    assert dataset.classes == 3
    assert dataset.train_images.dtype == np.float32
    assert dataset.train_labels.dtype == np.int64
    # Exact: a byte b stands for b / 255.
    np.testing.assert_array_equal(
        dataset.train_images,
        parts["train-images-idx3-ubyte"].reshape(6, 6).astype(np.float32) / np.float32(255),
    )
    np.testing.assert_array_equal(
        np.rint(dataset.test_images * 255).reshape(4, 3, 2), parts["t10k-images-idx3-ubyte"]
    )
    np.testing.assert_array_equal(dataset.train_labels, parts["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(dataset.test_labels, parts["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize("name", ["fashion-mnist", "digits"])
def test_a_path_is_a_folder_even_if_it_looks_like_a_known_name(folder, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    for file in folder.glob("*ubyte"):
        file.rename(tmp_path / name / file.name)
    assert load_dataset(Path(name)).image_shape == (3, 2)


def test_packed_files_without_gz_in_their_names_and_names_with_a_dot(folder, parts):
    for name in parts:
        file = folder / name
        file.with_name(name.replace("-idx", ".idx")).write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    dataset = load_dataset(folder)
    np.testing.assert_array_equal(dataset.test_labels, parts["t10k-labels-idx1-ubyte"])


def test_a_file_is_no_folder(folder):
    with pytest.raises(InputError, match=r"data set: got .*an existing folder"):
        load_dataset(folder / "train-images-idx3-ubyte")


def test_images_in_place_of_labels(folder, parts):
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(parts["t10k-images-idx3-ubyte"]))
    with pytest.raises(InputError, match=r"got '00000803'; allowed: 00000801 \(unsigned bytes, 1 dim"):
        load_dataset(folder)


def test_an_empty_file(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(InputError, match=r"magic number of .*train-labels"):
        load_dataset(folder)


def test_the_plain_file_comes_first(folder):
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"not read")
    assert load_dataset(folder).image_shape == (3, 2)


@pytest.mark.parametrize(
    "name",
    [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ],
)
class TestDamage:
    def test_missing(self, folder, name):
        (folder / name).unlink()
        with pytest.raises(InputError, match="no such file") as error:
            load_dataset(folder)
        assert_names(error, name, folder)

    def test_wrong_magic_number(self, folder, name):
        content = bytearray((folder / name).read_bytes())
        content[2] = 0x0D
        (folder / name).write_bytes(content)
        with pytest.raises(InputError, match="magic number") as error:
            load_dataset(folder)
        assert_names(error, folder / name, "00000d0", "0000080")

    def test_short_header(self, folder, name):
        (folder / name).write_bytes((folder / name).read_bytes()[:6])
        with pytest.raises(InputError, match="header") as error:
            load_dataset(folder)
        assert_names(error, folder / name, "6")

    def test_truncated(self, folder, name):
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])
        with pytest.raises(InputError, match="cut short") as error:
            load_dataset(folder)
        assert_names(error, folder / name)

    def test_trailing_bytes(self, folder, name):
        (folder / name).write_bytes((folder / name).read_bytes() + b"\0")
        with pytest.raises(InputError, match="follows the data") as error:
            load_dataset(folder)
        assert_names(error, folder / name)

    @pytest.mark.parametrize("damage", ["cut", "not gzip", "flipped"])
    def test_damaged_gzip(self, folder, name, damage):
        packed = bytearray(gzip.compress((folder / name).read_bytes()))
        if damage == "flipped":
            packed[-6] ^= 0xFF  # in the checksum
        content = {"cut": packed[:-9], "not gzip": b"plain text", "flipped": packed}[damage]
        (folder / f"{name}.gz").write_bytes(content)
        (folder / name).unlink()
        with pytest.raises(InputError, match="complete gzip file") as error:
            load_dataset(folder)
        assert_names(error, folder / f"{name}.gz")

    def test_another_count(self, folder, name, parts):
        (folder / name).write_bytes(idx(parts[name][:-1]))
        with pytest.raises(InputError, match="number of labels") as error:
            load_dataset(folder)
        assert_names(error, name)


def test_test_images_of_another_shape(folder):
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((4, 2, 2))))
    with pytest.raises(InputError, match=r"t10k-images.*\(2, 2\).*\(3, 2\)"):
        load_dataset(folder)


def test_test_label_that_training_has_not(folder):
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([0, 1, 3, 2])))
    with pytest.raises(InputError, match=r"t10k-labels.*got 3; .*0 to 2"):
        load_dataset(folder)


def test_a_single_class(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(6)))
    with pytest.raises(InputError, match="two classes or more"):
        load_dataset(folder)


def test_no_images(folder):
    (folder / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((0, 3, 2))))
    with pytest.raises(InputError, match="at least one pixel"):
        load_dataset(folder)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError) as error:
        load_dataset("fashion-mnits")
    assert_names(error, "fashion-mnits", "digits, fashion-mnist", "folder", "train-images-idx3-ubyte")


def test_missing_package_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(datasets._PACKAGE_FOLDERS, "fashion-mnist", tmp_path / "none")
    with pytest.raises(MissingToolError, match=r"apt install dataset-fashion-mnist.*give a folder"):
        load_dataset("fashion-mnist")


def test_digits_as_published():
    # scikit-learn 1.9.1, load_digits: images of each class; sum of all pixels, which count 0 to 16.
    dataset = load_dataset("digits")
    assert dataset.name == "digits"
    assert dataset.image_shape == (8, 8)
    assert dataset.classes == 10
    assert (dataset.train_images.shape, dataset.test_images.shape) == ((1437, 64), (360, 64))
    counts = np.bincount(dataset.train_labels) + np.bincount(dataset.test_labels)
    np.testing.assert_array_equal(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert np.bincount(dataset.test_labels).min() >= 33
    pixels = 16 * np.concatenate([dataset.train_images, dataset.test_images])
    # Rounded to bytes: within half of 16/255 of an integer.
    assert np.abs(pixels - np.rint(pixels)).max() < 0.0314
    np.testing.assert_array_equal(np.unique(np.rint(pixels)), np.arange(17))
    assert np.rint(pixels).sum() == 561718


def test_digits_are_in_the_wheel(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(".").build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "import mtjchar.network.datasets as d; print(d.__file__, d.load_dataset('digits').image_shape)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "site", capture_output=True, text=True, check=True
    )
    file, shape = done.stdout.rstrip().split(maxsplit=1)
    assert Path(file).is_relative_to(tmp_path / "site")
    assert shape == "(8, 8)"


def test_fashion_mnist_as_published():
    dataset = load_dataset("fashion-mnist")
    # arXiv:1708.07747, section 2: 10 classes of 28 x 28 images, 6,000 each to train, 1,000 each to test.
    assert dataset.name == "fashion-mnist"
    assert dataset.image_shape == (28, 28)
    assert dataset.classes == 10
    assert dataset.train_images.shape == (60_000, 784)
    assert dataset.test_images.shape == (10_000, 784)
    np.testing.assert_array_equal(np.bincount(dataset.train_labels), np.full(10, 6_000))
    np.testing.assert_array_equal(np.bincount(dataset.test_labels), np.full(10, 1_000))
    assert dataset.train_images.min() == 0.0
    assert dataset.train_images.max() == 1.0
    # Mean and deviation that torchvision users normalize with, 0.2860 and 0.3530.
    assert dataset.train_images.mean(dtype=np.float64) == pytest.approx(0.2860, abs=5e-5)
    assert dataset.train_images.std(dtype=np.float64) == pytest.approx(0.3530, abs=5e-5)
