"""A write as a function without state, for libraries that compile such functions.

`ApproximateMemory` and `mtjchar.torch.MemoryParameters` keep words and counts, and draw few numbers if few
bits fail. The function here has no state: its arguments are words and random numbers, its results words and
counts. It uses the common functions of numpy's and JAX's arrays, so that JAX can compile and map it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["write"]


def write(words: Any, wanted: Any, error_rate: Any, uniform: Any, *, xp: Any = np) -> tuple[Any, Any]:
    """Write words, with a random number for each bit.

    Parameters
    ----------
    words, wanted : array of unsigned integers, shape (...)
        The present words and those to write, of one type and shape.
    error_rate : array of float, shape (2,) or (bits, 2)
        Probability, 0 to 1, that a bit that has to become 1, or 0, does not; one for all bit planes or one
        for each.
    uniform : array of float, shape (bits, ...)
        Random numbers, 0 or more and below 1, for each bit of each word, lowest plane first. Error rates are
        accurate up to the steps of these numbers: an error rate below 2**-23 needs more than float32.
    xp : module, optional
        Module with the functions for these arrays: numpy or ``jax.numpy``.

    Returns
    -------
    stored : array of unsigned integers, shape (...)
        The words after the write.
    counts : array of int, shape (3, bits, 2)
        Bits that had to switch, those that already had the written value, and those that failed, for each
        plane and direction, as in `WriteLedger`; the direction that writes 1 first.

    Examples
    --------
    >>> import numpy as np
    >>> from mtjchar.network import pure
    >>> words, wanted = np.array([0, 3, 5], dtype=np.uint8), np.array([1, 3, 4], dtype=np.uint8)
    >>> stored, counts = pure.write(words, wanted, np.array([0.0, 1.0]), np.full((4, 3), 0.5))
    >>> stored
    array([1, 3, 5], dtype=uint8)
    >>> counts[:, 0].tolist()  # of the lowest plane: switching, redundant, failed
    [[1, 1], [1, 0], [0, 1]]
    """
    bits = uniform.shape[0]
    # One row per plane.
    planes = xp.arange(bits).astype(words.dtype).reshape((bits,) + (1,) * (uniform.ndim - 1))
    was, want = ((array[None] >> planes) & 1 == 1 for array in (words, wanted))
    rates = xp.broadcast_to(xp.asarray(error_rate), (bits, 2))
    to_one, to_zero = (rates[:, k].reshape(planes.shape) for k in range(2))
    changes = was != want
    fails = changes & (uniform < xp.where(want, to_one, to_zero))
    stored = wanted ^ xp.sum(fails.astype(words.dtype) << planes, axis=0, dtype=words.dtype)
    axes = tuple(range(1, uniform.ndim))
    kinds = (changes, ~changes, fails)
    counts = [[xp.sum(kind & way, axis=axes) for way in (want, ~want)] for kind in kinds]
    return stored, xp.asarray(counts).transpose(0, 2, 1)
