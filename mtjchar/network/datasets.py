"""Image data sets in IDX files, the format of MNIST and Fashion-MNIST.

The format: two zero bytes, a type byte (0x08: unsigned byte), the number of dimensions, each
dimension as a big-endian 32-bit integer, then the data, last dimension fastest
(Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import gzip
import io
import math
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import IntArray
from mtjchar.errors import InputError, MissingToolError
from mtjchar.files import MOST_DATA, is_folder, read_bytes
from mtjchar.shipped import data_path

__all__ = ["Dataset", "load_dataset"]

_PACKAGE_FOLDERS = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}
_UNSIGNED_BYTE = 0x08
_GZIP = b"\x1f\x8b"  # no IDX file begins so
_MOST_IMAGES = 10_000_000
_MOST_PIXELS = 1_000_000  # of one image, each of which is an input of the network
_IMAGE_FILES = (
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
)


@dataclass(frozen=True)
class Dataset:
    """Labelled images for training and for testing.

    Attributes
    ----------
    name : str
        Known name, or name of the folder the data came from.
    train_images, test_images : ndarray of float32, shape (images, pixels)
        Pixels from 0 to 1, row by row.
    train_labels, test_labels : ndarray of int64, shape (images,)
        Class of each image, from 0 to `classes` - 1.
    image_shape : tuple of int
        Rows and columns of one image; their product is `pixels`.
    classes : int
        Number of classes.
    """

    name: str
    train_images: NDArray[np.float32]
    train_labels: IntArray
    test_images: NDArray[np.float32]
    test_labels: IntArray
    image_shape: tuple[int, int]
    classes: int


def load_dataset(name_or_folder: str | Path) -> Dataset:
    """Load a data set by its name or from a folder.

    Parameters
    ----------
    name_or_folder : str or Path
        ``"digits"``, 1797 images of 8 x 8 pixels that come with mtjchar (E. Alpaydin, C. Kaynak,
        doi:10.24432/C50P49, see ``data/digits``), ``"fashion-mnist"`` (H. Xiao, K. Rasul, R. Vollgraf,
        arXiv:1708.07747) as Debian's package ``dataset-fashion-mnist`` installs it, or a folder with
        the four files of MNIST, each plain or compressed with gzip; if both exist, the one without
        ``.gz`` at the end of its name is read. A `Path` is always a folder. A pixel of byte b becomes b/255.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If the folder or one of the four files is missing, or a file has another content than its name
        indicates, or is too large.
    MissingToolError
        If the Debian package of a known name is not installed.
    """
    if name_or_folder == "digits":
        return _load_folder("digits", data_path() / "digits")
    if isinstance(name_or_folder, str) and name_or_folder in _PACKAGE_FOLDERS:
        folder = _PACKAGE_FOLDERS[name_or_folder]
        if not is_folder(folder):
            raise MissingToolError(
                f"data set {name_or_folder}: {folder} does not exist. Run 'apt install "
                f"dataset-{name_or_folder}', or give a folder that holds {_IMAGE_FILES} (plain or .gz)."
            )
        return _load_folder(name_or_folder, folder)
    folder = Path(name_or_folder)
    if not is_folder(folder):
        raise InputError(
            "data set",
            value=str(name_or_folder),
            allowed=f"a known name ({', '.join(['digits', *_PACKAGE_FOLDERS])}) or an existing folder",
            remedy=f"The folder has to hold {_IMAGE_FILES} (plain or .gz).",
        )
    return _load_folder(folder.resolve().name, folder)


def _load_folder(name: str, folder: Path) -> Dataset:
    train_images, train_labels, train_label_file = _load_part(folder, "train")
    test_images, test_labels, test_label_file = _load_part(folder, "t10k")
    rows, columns = train_images.shape[1:]
    if test_images.shape[1:] != (rows, columns):
        raise InputError(
            f"images of t10k-images-idx3-ubyte in {folder}",
            value=test_images.shape[1:],
            allowed=f"the shape of the training images, {(rows, columns)}",
        )
    classes = int(train_labels.max()) + 1
    if classes < 2:
        raise InputError(f"labels of {train_label_file}", value=classes, allowed="two classes or more")
    if int(test_labels.max()) >= classes:
        raise InputError(
            f"labels of {test_label_file}",
            value=int(test_labels.max()),
            allowed=f"the classes of the training labels, 0 to {classes - 1}",
        )
    return Dataset(
        name=name,
        train_images=_scaled(train_images),
        train_labels=train_labels.astype(np.int64),
        test_images=_scaled(test_images),
        test_labels=test_labels.astype(np.int64),
        image_shape=(rows, columns),
        classes=classes,
    )


def _load_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Path]:
    image_file = _find(folder, f"{part}-images-idx3-ubyte")
    label_file = _find(folder, f"{part}-labels-idx1-ubyte")
    images = _read_idx(image_file, dimensions=3)
    labels = _read_idx(label_file, dimensions=1)
    if len(images) != len(labels):
        raise InputError(
            f"number of labels in {label_file}",
            value=len(labels),
            allowed=f"as many as {image_file} has images, {len(images)}",
        )
    return images, labels, label_file


def _find(folder: Path, name: str) -> Path:
    # Some copies of MNIST have a dot in their names: train-images.idx3-ubyte.
    for stem in (name, name.replace("-idx", ".idx")):
        for file in (folder / stem, folder / f"{stem}.gz"):
            if _is_there(file):
                return file
    raise InputError(
        f"file {name} or {name}.gz",
        value="no such file",
        allowed=f"a file in {folder}",
        remedy=f"A data set folder holds {_IMAGE_FILES}.",
    )


def _is_there(file: Path) -> bool:
    """Whether it is not a folder, which some copies have beside the file."""
    try:
        return not stat.S_ISDIR(file.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # reading it will show the reason


def _read_idx(file: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes; its header gives the shape."""
    content = read_bytes(
        file, "data set", allowed=f"an IDX file of at most {MOST_DATA:,} bytes", most=MOST_DATA
    )
    stream: io.BytesIO | gzip.GzipFile = io.BytesIO(content)
    if file.suffix == ".gz" or content.startswith(_GZIP):
        stream = gzip.GzipFile(fileobj=stream)
    try:
        shape = _read_shape(file, stream, dimensions)
        size = math.prod(shape)
        data = stream.read(size)
        after = stream.read(1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(str(file), value=str(error), allowed="a complete gzip file") from error
    if len(data) < size or after:
        raise InputError(
            f"data of {file} (unpacked)",
            value=f"more than {size} bytes" if after else f"{len(data)} bytes",
            allowed=f"{size} bytes, as its header says",
            remedy="Something follows the data." if after else "The file is cut short.",
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _read_shape(file: Path, stream: BinaryIO | gzip.GzipFile, dimensions: int) -> tuple[int, ...]:
    """Read the header, which gives the number of bytes that follow."""
    magic = struct.pack(">HBB", 0, _UNSIGNED_BYTE, dimensions)
    size = 4 + 4 * dimensions
    header = stream.read(size)
    if header[:4] != magic:
        raise InputError(
            f"magic number of {file}",
            value=header[:4].hex(),
            allowed=f"{magic.hex()} (unsigned bytes, {dimensions} dimensions)",
        )
    if len(header) < size:
        raise InputError(f"size of {file}", value=len(header), allowed=f"a header of {size} bytes")
    shape: tuple[int, ...] = struct.unpack_from(f">{dimensions}I", header, 4)
    if 0 in shape:
        raise InputError(f"shape of {file}", value=shape, allowed="at least one pixel or label")
    if shape[0] > _MOST_IMAGES or math.prod(shape[1:]) > _MOST_PIXELS or math.prod(shape) > MOST_DATA:
        raise InputError(
            f"shape of {file}",
            value=shape,
            allowed=f"at most {_MOST_IMAGES:,} images or labels, {_MOST_PIXELS:,} pixels in an image and "
            f"{MOST_DATA:,} bytes in all",
            remedy="Give fewer or smaller images.",
        )
    return shape


def _scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    scaled = images.reshape(len(images), -1).astype(np.float32)
    scaled /= np.float32(255)  # in place: the largest data sets are gigabytes
    return scaled
