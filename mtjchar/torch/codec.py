"""Conversion of values of many tensors to words; the same arithmetic as `FixedPoint`."""

from __future__ import annotations

import numpy as np
import torch

from mtjchar.network.encoding import Code, FixedPoint

__all__ = ["Codec", "RoundingNoise"]


class RoundingNoise:
    """Random bits of stochastic rounding: one integer for all values of a call, and one word for each.

    Parameters
    ----------
    generator : torch.Generator
        Source of the bits.
    device : torch.device
        That of the generator and the values.
    """

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self._generator, self._device = generator, device

    def shared(self, steps: int) -> torch.Tensor:
        """Draw an integer from 0 to `steps` - 1, shape (1,)."""
        return torch.randint(0, steps, (1,), generator=self._generator, device=self._device)

    def words(self, count: int, dtype: torch.dtype) -> torch.Tensor:
        """Draw `count` words of random bits, as many at a time as fit into 64."""
        drawn = torch.empty(-(-count * dtype.itemsize // 8), dtype=torch.int64, device=self._device)
        return drawn.random_(-(2**63), None, generator=self._generator).view(dtype)[:count]


class Codec:
    """One code for values of any scale, as tables on a device.

    Words of up to 8 bits are uint8. Longer ones are int16, for which PyTorch has more operations than for
    uint16; the bits are the same.

    Parameters
    ----------
    bits, code : int, str
        See `FixedPoint`.
    device : torch.device
        Device of the values.
    """

    # As many as FixedPoint shares.
    _SHARED_STEPS = 64

    def __init__(self, bits: int, code: Code, device: torch.device) -> None:
        self.bits = bits
        self._half = 1 << (bits - 1)
        unscaled = FixedPoint(bits, float(self._half), code)  # an lsb of 1: values are levels
        levels = np.arange(-self._half, self._half, dtype=np.float64)
        words = unscaled.encode(levels)
        self.word_dtype = torch.uint8 if bits <= 8 else torch.int16
        signed = words if bits <= 8 else words.view(np.int16)
        self._word_of_place = torch.from_numpy(signed).to(device)
        self._level_of_word = torch.from_numpy(unscaled.values.copy()).to(device)
        self._lowest = 1 - self._half if code == "sign_magnitude" else -self._half
        # A level and its fraction are stored in one integer of twice the length of a word.
        self._fraction_bits = 8 * self.word_dtype.itemsize
        self._integer = torch.int32 if bits <= 8 else torch.int64

    def scaled(self, values: torch.Tensor, per_lsb: torch.Tensor) -> torch.Tensor:
        """Return values as multiples of their lsb, within the range; NaN stays NaN."""
        return (values * per_lsb).clamp_(self._lowest, self._half - 1)

    def words(self, scaled: torch.Tensor, noise: RoundingNoise | None) -> torch.Tensor:
        """Round to levels, by the noise or to the nearest, ties to the even one, and return their words."""
        if noise is None:
            places = scaled.round_().add_(self._half).to(self._integer)
        else:
            # As `FixedPoint`: above 0, so that the conversion to integers rounds down.
            unit = 1 << self._fraction_bits
            shared = (noise.shared(self._SHARED_STEPS).to(scaled.dtype) + 0.5) / self._SHARED_STEPS
            places = scaled.mul_(unit).add_(shared + self._half * unit).to(self._integer)
            places += self._unsigned(noise.words(len(places), self.word_dtype), self._integer)
            places >>= self._fraction_bits
        return self._word_of_place.index_select(0, places.to(torch.int32))

    def levels(self, words: torch.Tensor) -> torch.Tensor:
        """Return the levels of words, float32."""
        return self._level_of_word.index_select(0, self._unsigned(words, torch.int32))

    def _unsigned(self, words: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        numbers = words.to(dtype)
        return numbers if self.word_dtype == torch.uint8 else numbers & 0xFFFF
