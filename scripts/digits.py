"""Make the files of data/digits again, from scikit-learn's copy of the data set.

Needs scikit-learn, which mtjchar does not: `pip install scikit-learn`, then `python scripts/digits.py`.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

FOLDER = Path(__file__).resolve().parent.parent / "data" / "digits"
TRAINING_IMAGES = 1437


def write(name: str, array: np.ndarray) -> None:
    """Write an IDX file of unsigned bytes; the same array gives the same file."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    data = gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)
    (FOLDER / f"{name}.gz").write_bytes(data)


def main() -> None:
    """Write all four."""
    digits = load_digits()
    # As in MNIST, 255 is the largest value; 16 levels are told apart as before.
    images = np.rint(digits.images * (255 / 16))
    for part, rows in (("train", slice(TRAINING_IMAGES)), ("t10k", slice(TRAINING_IMAGES, None))):
        write(f"{part}-images-idx3-ubyte", images[rows])
        write(f"{part}-labels-idx1-ubyte", digits.target[rows])


if __name__ == "__main__":
    main()
