"""Words of all parameters on one device, written together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mtjchar.arrays import FloatArray, IntArray
from mtjchar.errors import InputError
from mtjchar.network.encoding import FixedPoint
from mtjchar.network.ledger import WriteConditions
from mtjchar.torch.codec import Codec, RoundingNoise
from mtjchar.torch.counter import TensorCounter
from mtjchar.torch.failures import draws_for

__all__ = ["Bank", "Stored"]

# Sets of tensors written together that have counters; when there are more all are summed up.
_MOST_PARTS = 8


@dataclass(frozen=True, eq=False)
class Stored:
    """A parameter in the memory.

    Attributes
    ----------
    name : str
        Name of `torch.nn.Module.named_parameters`.
    parameter : torch.nn.Parameter
        Parameter of the model.
    fixed_point : FixedPoint
        Its code and scale.
    """

    name: str
    parameter: torch.nn.Parameter
    fixed_point: FixedPoint


class _Part:
    """Tensors that a step writes together: their scales, and the counts of their writes.

    Parameters
    ----------
    tensors : sequence of int
        Positions of the tensors in the bank.
    stored : sequence of Stored
        All tensors of the bank.
    dtype : torch.dtype
        Type in which values are rounded.
    """

    def __init__(self, tensors: Sequence[int], stored: Sequence[Stored], dtype: torch.dtype) -> None:
        chosen = [stored[k] for k in tensors]
        bits, device = chosen[0].fixed_point.bits, chosen[0].parameter.device
        self.tensors = list(tensors)
        self.parameters: list[torch.Tensor] = [one.parameter for one in chosen]
        self.lengths = [parameter.numel() for parameter in self.parameters]
        # As in `FixedPoint`: the lsb that decoded values are multiples of.
        lsb = np.array([np.float32(one.fixed_point.lsb) for one in chosen], dtype=np.float64)
        self.lsb = torch.from_numpy(np.repeat(lsb, self.lengths)).to(device, torch.float32)
        self.per_lsb = torch.from_numpy(np.repeat(1.0 / lsb, self.lengths)).to(device, dtype)
        self._bits = bits
        self.clear()

    def clear(self) -> None:
        """Count from zero."""
        self.writes = 0
        self.rising, self.falling, self.ones = (TensorCounter(self._bits) for _ in range(3))
        self.retried, self.failed = ((TensorCounter(self._bits), TensorCounter(self._bits)) for _ in range(2))

    def counts(self) -> IntArray:
        """Arrays of a `WriteLedger` for each tensor, shape (tensors, 4, bits, 2)."""
        counters = (self.rising, self.falling, self.ones, *self.retried, *self.failed)
        rising, falling, ones, *others = (counter.by_tensor(self.lengths) for counter in counters)
        zeros = self.writes * np.array(self.lengths)[:, None] - ones
        # A redundant 1 is a 1 that must not become 0, a redundant 0 one that must not become 1.
        pairs = ((rising, falling), (ones - falling, zeros - rising), others[:2], others[2:])
        return np.stack([np.stack(pair, axis=-1) for pair in pairs], axis=1)


class Bank:
    """Words of parameters on one device, all in one code.

    Parameters
    ----------
    stored : sequence of Stored
        Parameters on one device, of one code and number of bits; they are set to the values of their words.
    conditions : WriteConditions
        Of every write.
    stochastic : bool
        Whether rounding is stochastic; that of the first values is to the nearest level.
    generator : torch.Generator
        Source of all randomness, on that device.

    Attributes
    ----------
    words : Tensor of uint8 or int16, shape (words,)
        Content of the memory, tensor after tensor. A write makes a new one.
    counts : ndarray of int64, shape (tensors, 4, bits, 2)
        Arrays of a `WriteLedger` for each tensor, as of the last `sum_up`.
    device_of_cell : Tensor of int32, shape (words, bits), or None
        Device of each cell, with error rates of devices.
    """

    def __init__(
        self,
        stored: Sequence[Stored],
        conditions: WriteConditions,
        stochastic: bool,
        generator: torch.Generator,
    ) -> None:
        self.stored, self.generator = list(stored), generator
        code, self.device = stored[0].fixed_point, stored[0].parameter.device
        single = code.bits <= 8 and all(one.parameter.dtype == torch.float32 for one in stored)
        self._dtype = torch.float32 if single else torch.float64
        self._codec = Codec(code.bits, code.code, self.device)
        self._noise = RoundingNoise(generator, self.device) if stochastic else None
        self._draws = draws_for(conditions, code.bits, generator, self.device)
        self._retries = conditions.retries
        ends = np.cumsum([one.parameter.numel() for one in stored]).tolist()
        self.places = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        self.counts = np.zeros((len(stored), 4, code.bits, 2), dtype=np.int64)
        self.device_of_cell = None
        if conditions.device_weight is not None:
            weight = np.asarray(conditions.device_weight)
            self.device_of_cell = _devices(weight, (ends[-1], code.bits), generator, self.device)
        self._least = torch.zeros((), dtype=self._dtype, device=self.device)
        self._parts: dict[tuple[int, ...], _Part] = {}
        self._index = {id(one.parameter): k for k, one in enumerate(stored)}
        every = self._part(self.every)
        self.words = self._codec.words(self._scaled(every), None)
        self._show(every, self.words)

    @property
    def every(self) -> tuple[int, ...]:
        """All tensors."""
        return tuple(range(len(self.stored)))

    def chosen(self, parameters: Iterable[torch.nn.Parameter]) -> tuple[int, ...]:
        """Tensors of some parameters, in ascending order, without those of other memories."""
        found = {self._index.get(id(one), -1) for one in parameters} - {-1}
        return tuple(sorted(found))

    def write(self, tensors: tuple[int, ...]) -> None:
        """Write the present values of some parameters, and set these to the stored values."""
        part = self._part(tensors)
        wanted = self._codec.words(self._scaled(part), self._noise)
        before = self._of(self.words, part)
        changed = before ^ wanted
        part.writes += 1
        part.rising.count(changed & wanted)
        part.falling.count(changed & before)
        part.ones.count(before)
        stored = wanted
        if not self._draws.none:
            stored = wanted ^ self._failures(part, changed, wanted, before)
        if len(part.tensors) == len(self.stored):
            self.words = stored
        else:
            self.words = self.words.clone()  # counters hold the old ones
            for k, words in zip(part.tensors, stored.split_with_sizes(part.lengths), strict=True):
                self.words[self.places[k]] = words
        self._show(part, stored)

    def load(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Restore the state of `MemoryParameters.state_dict` for each tensor.

        Raises
        ------
        InputError
            If cells are devices in only one of both.
        """
        cells = [state["device_of_cell"] for state in states]
        if (self.device_of_cell is None) != (cells[0] is None):
            raise InputError(
                "device_of_cell of the state",
                value="none" if cells[0] is None else "one for each cell",
                allowed="what the error rates of the conditions need",
            )
        self.stored = [
            replace(one, fixed_point=replace(one.fixed_point, full_scale=state["full_scale"]))
            for one, state in zip(self.stored, states, strict=True)
        ]
        self._parts.clear()
        self.words = torch.cat([state["words"].reshape(-1) for state in states]).to(self.device)
        self.counts = np.stack([state["counts"].cpu().numpy() for state in states])
        if self.device_of_cell is not None:
            self.device_of_cell = torch.cat(cells).to(self.device)
        self._show(self._part(self.every), self.words)

    def sum_up(self) -> None:
        """Update `counts`.

        Raises
        ------
        InputError
            If a written value was not a number; on a GPU this is checked only here.
        """
        self._check_numbers()
        for part in self._parts.values():
            self.counts[part.tensors] += part.counts()
            part.clear()

    def _part(self, tensors: tuple[int, ...]) -> _Part:
        if tensors not in self._parts:
            if len(self._parts) >= _MOST_PARTS:
                self.sum_up()
                self._parts.clear()
            self._parts[tensors] = _Part(tensors, self.stored, self._dtype)
        return self._parts[tensors]

    def _of(self, values: torch.Tensor, part: _Part) -> torch.Tensor:
        """Words of a part, or their devices, from those of all tensors."""
        if len(part.tensors) == len(self.stored):
            return values
        return torch.cat([values[self.places[k]] for k in part.tensors])

    def _scaled(self, part: _Part) -> torch.Tensor:
        """Return the values that the parameters have in units of their lsb."""
        if any(parameter.device != self.device for parameter in part.parameters):
            raise InputError(
                "device of the parameters",
                value=str(part.parameters[0].device),
                allowed=str(self.device),
                remedy="Move the model first, then make its MemoryParameters.",
            )
        values = torch.cat([parameter.detach().reshape(-1) for parameter in part.parameters])
        scaled = self._codec.scaled(values, part.per_lsb)
        self._least = torch.minimum(self._least, scaled.amin())  # propagates NaN
        if self.device.type == "cpu":
            self._check_numbers()
            return scaled
        return scaled.nan_to_num_()

    def _check_numbers(self) -> None:
        if math.isnan(self._least):
            raise InputError(
                "values to write",
                value=math.nan,
                allowed="numbers",
                remedy="Look for a division by zero or an overflow in the loss or its gradient.",
            )

    def _failures(
        self, part: _Part, changed: torch.Tensor, wanted: torch.Tensor, before: torch.Tensor
    ) -> torch.Tensor:
        """Draw and count the bits that have not switched in the end."""
        devices = None if self.device_of_cell is None else self._of(self.device_of_cell, part)
        failed = self._draws.failed(changed, wanted, devices)
        for _ in range(self._retries):
            part.retried[0].count(failed & wanted)
            part.retried[1].count(failed & before)
            failed = self._draws.failed(failed, wanted, devices)
        part.failed[0].count(failed & wanted)
        part.failed[1].count(failed & before)
        return failed

    def _show(self, part: _Part, words: torch.Tensor) -> None:
        """Set the parameters of a part to the values of these words."""
        values = (self._codec.levels(words) * part.lsb).split_with_sizes(part.lengths)
        shaped = [value.view_as(one) for value, one in zip(values, part.parameters, strict=True)]
        torch._foreach_copy_(part.parameters, shaped)


def _devices(
    weight: FloatArray, shape: tuple[int, ...], generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """Draw the device of each cell, like `mtjchar.network.memory.draw_devices`."""
    cumulative = torch.from_numpy(np.cumsum(weight)).to(device)
    drawn = torch.rand(shape, dtype=torch.float64, generator=generator, device=device)
    return torch.searchsorted(cumulative, drawn * cumulative[-1], right=True).to(torch.int32)
