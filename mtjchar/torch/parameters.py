"""Parameters of a PyTorch module in an approximate memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from mtjchar.arrays import IntArray
from mtjchar.errors import InputError
from mtjchar.network.allocation import Pulses
from mtjchar.network.encoding import Code, FixedPoint
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.tradeoff import write_conditions
from mtjchar.network.trainer import ROUNDINGS, Rounding
from mtjchar.surfaces import WriteSurface
from mtjchar.torch.bank import Bank, Stored

__all__ = ["MemoryParameters"]


class MemoryParameters:
    """Parameters of a module in an approximate memory.

    Every parameter of the module is an array of fixed-point words, each bit of which is a cell. The module
    computes with the stored values. A step of an attached optimizer computes new values from
    them as usual. These are then rounded and written, bits that have to switch may fail, and the parameters
    get the stored values. The optimizer's state, such as momenta, and the buffers of the module are
    in ordinary memory. The memory starts programmed: the first values cost nothing and have no errors.

    A step writes the parameters of its optimizer that have a gradient; others are not driven. A
    parameter that several modules share is stored once.

    Parameters
    ----------
    model : torch.nn.Module
        With parameters of type float32 or float64, on their final device: move the model before. Buffers are
        not stored.
    conditions : WriteConditions or WriteSurface
        Error rates and energies of a write; or the surface that provides them, with `pulses`.
    pulses : Pulses, optional
        With a surface: the pulse of each bit plane and direction, or one for all planes.
    code : {"gray", "twos_complement", "offset_binary", "sign_magnitude"}
        See `mtjchar.network.encoding`.
    bits : int
        Bits per word, as `FixedPoint` allows.
    full_scale : float or dict of str to float, optional
        Magnitude of the lowest value, for all parameters or for each by its name. The default is
        the smallest power of two that is at least twice the largest magnitude of the parameter's first
        values. If these are all 0, those of the other parameters of its submodule are used; if those are 0
        too, it is 1.
    rounding : {"stochastic", "nearest"}
        Conversion of a value to a level. With ``nearest``, steps below half a level are lost.
    seed : int
        Seed of all randomness, 0 or more. Parameters on several devices have separate generators.

    Attributes
    ----------
    conditions : WriteConditions
        Of every write.
    fixed_points : dict of str to FixedPoint
        Code and scale of each parameter, by its name.

    Raises
    ------
    InputError
        If the model has no parameters, or some of another type, if a name in `full_scale` is unknown, or
        a number is out of range.

    Notes
    -----
    On a CPU the positions of failures are drawn, by geometric gaps if failures are rare and otherwise among
    the changing bits. On other devices there is a random number of 53 bits for each bit, in calls whose
    shapes do not depend on data: a step does not wait for the device. Counts are kept on the device.

    Examples
    --------
    >>> import torch
    >>> from mtjchar.network.ledger import WriteConditions
    >>> from mtjchar.torch import MemoryParameters
    >>> model = torch.nn.Linear(20, 10)
    >>> optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    >>> conditions = WriteConditions((0.1, 0.1), (1e-12, 1e-12), (1e-12, 1e-12), read_before_write=True)
    >>> memory = MemoryParameters(model, conditions, seed=1)
    >>> handle = memory.attach(optimizer)
    >>> model(torch.ones(1, 20)).square().sum().backward()
    >>> optimizer.step()  # writes
    >>> int((memory.ledger.switching + memory.ledger.redundant).sum())  # 210 words of 8 bits
    1680
    """

    def __init__(
        self,
        model: torch.nn.Module,
        conditions: WriteConditions | WriteSurface,
        *,
        pulses: Pulses | None = None,
        code: Code = "gray",
        bits: int = 8,
        full_scale: float | Mapping[str, float] | None = None,
        rounding: Rounding = "stochastic",
        seed: int,
    ) -> None:
        if rounding not in ROUNDINGS:
            raise InputError("rounding", value=rounding, allowed=" or ".join(map(repr, ROUNDINGS)))
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InputError("seed", value=seed, allowed="an integer, 0 or more")
        self.conditions = _conditions(conditions, pulses)
        self.conditions.check_bits(bits)
        parameters = _parameters(model)
        scales = _scales(parameters, full_scale)
        self.fixed_points = {name: FixedPoint(bits, scale, code) for name, scale in scales.items()}
        by_device: dict[torch.device, list[Stored]] = {}
        for name, parameter in parameters.items():
            stored = Stored(name, parameter, self.fixed_points[name])
            by_device.setdefault(parameter.device, []).append(stored)
        seeds = np.random.SeedSequence(seed).generate_state(len(by_device), np.uint64)
        with torch.no_grad():
            self._banks = [
                Bank(stored, self.conditions, rounding == "stochastic", _generator(device, int(one)))
                for (device, stored), one in zip(by_device.items(), seeds, strict=True)
            ]

    def attach(self, optimizer: torch.optim.Optimizer) -> torch.utils.hooks.RemovableHandle:
        """Attach an optimizer, so that its steps write the parameters.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            Any optimizer with some of the module's parameters, in any groups; its other parameters stay in
            ordinary memory.

        Returns
        -------
        torch.utils.hooks.RemovableHandle
            Its `remove` detaches the optimizer.

        Raises
        ------
        InputError
            If the optimizer has none of the parameters.
        """
        if not any(bank.chosen(_of(optimizer)) for bank in self._banks):
            raise InputError(
                "optimizer",
                value=type(optimizer).__name__,
                allowed="one with parameters of the module",
                remedy="Make it from model.parameters() of the same module.",
            )

        def write(optimizer: torch.optim.Optimizer, *_: object) -> None:
            self.write(one for one in _of(optimizer) if one.grad is not None)

        return optimizer.register_step_post_hook(write)

    @torch.no_grad()
    def write(self, parameters: Iterable[torch.nn.Parameter] | None = None) -> None:
        """Write the present values of parameters, and set the parameters to the stored values.

        An attached optimizer does this after each step; call it yourself for values that were changed
        otherwise.

        Parameters
        ----------
        parameters : iterable of torch.nn.Parameter, optional
            Parameters to write; parameters of other modules are ignored. Default: all.

        Raises
        ------
        InputError
            If a value is not a number, or the parameters have moved to another device. On a GPU values are
            only checked when the ledger is read.
        """
        given = None if parameters is None else list(parameters)
        for bank in self._banks:
            chosen = bank.every if given is None else bank.chosen(given)
            if chosen:
                bank.write(chosen)

    @property
    def ledger(self) -> WriteLedger:
        """Sum over all writes and parameters so far; waits for a GPU, and takes as long as 50 writes."""
        return sum(self.ledgers.values(), WriteLedger.empty(self._bits))

    @property
    def ledgers(self) -> dict[str, WriteLedger]:
        """Writes of each parameter so far, by its name."""
        return {name: WriteLedger(*counts) for name, counts in self._counts().items()}

    @property
    def energy_J(self) -> float:
        """Energy of all writes so far, J."""
        return self.ledger.energy_J(self.conditions)

    def words(self, name: str) -> torch.Tensor:
        """Return the words of a parameter, a copy.

        Parameters
        ----------
        name : str
            Name of `torch.nn.Module.named_parameters`.

        Returns
        -------
        Tensor of uint8 or int16, shape of the parameter
            int16 for words of more than 8 bits; words of 16 bits use the sign bit.
        """
        for bank in self._banks:
            for one, place in zip(bank.stored, bank.places, strict=True):
                if one.name == name:
                    return bank.words[place].reshape(one.parameter.shape).clone()
        raise InputError("parameter", value=name, allowed=", ".join(self.fixed_points))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that changes, and the scales.

        Returns
        -------
        dict
            For `load_state_dict`; of tensors, numbers and strings, so that ``torch.load`` reads it with
            ``weights_only=True``.
        """
        counts = self._counts()
        parameters = {
            one.name: {
                "full_scale": one.fixed_point.full_scale,
                "words": self.words(one.name),
                "counts": torch.from_numpy(counts[one.name]),
                "device_of_cell": None if bank.device_of_cell is None else bank.device_of_cell[place].clone(),
            }
            for bank in self._banks
            for one, place in zip(bank.stored, bank.places, strict=True)
        }
        generators = [(bank.generator.device.type, bank.generator.get_state()) for bank in self._banks]
        return {"code": self._code, "bits": self._bits, "parameters": parameters, "generators": generators}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state, with its scales; the parameters are set to the values of its words.

        Parameters
        ----------
        state : dict
            From `state_dict` of a memory with the same conditions and with parameters of the same
            names and shapes. Generators continue from it on devices of the same kind; on others they are not
            changed.

        Raises
        ------
        InputError
            If names, shapes, code or bits differ, or only one of both has cells that are devices.
        """
        for key, own in (("code", self._code), ("bits", self._bits)):
            if state[key] != own:
                raise InputError(f"{key} of the state", value=state[key], allowed=repr(own))
        kept = state["parameters"]
        shapes = {name: tuple(one["words"].shape) for name, one in kept.items()}
        own_shapes = {one.name: tuple(one.parameter.shape) for bank in self._banks for one in bank.stored}
        if shapes != own_shapes:
            raise InputError("parameters of the state", value=shapes, allowed=f"{own_shapes}")
        for bank in self._banks:
            bank.load([kept[one.name] for one in bank.stored])
            self.fixed_points |= {one.name: one.fixed_point for one in bank.stored}
        for bank, (kind, generator) in zip(self._banks, state["generators"], strict=False):
            if bank.generator.device.type == kind:
                bank.generator.set_state(generator.cpu())

    @property
    def _bits(self) -> int:
        return next(iter(self.fixed_points.values())).bits

    @property
    def _code(self) -> Code:
        return next(iter(self.fixed_points.values())).code

    def _counts(self) -> dict[str, IntArray]:
        """Arrays of each parameter's ledger, shape (4, bits, 2)."""
        for bank in self._banks:
            bank.sum_up()
        counts = {
            one.name: counts
            for bank in self._banks
            for one, counts in zip(bank.stored, bank.counts, strict=True)
        }
        return {name: counts[name].copy() for name in self.fixed_points}


def _of(optimizer: torch.optim.Optimizer) -> Iterator[torch.nn.Parameter]:
    """All parameters of an optimizer, of all groups."""
    return (one for group in optimizer.param_groups for one in group["params"])


def _parameters(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Parameters by name, each once, without empty ones; checked."""
    parameters = {name: one for name, one in model.named_parameters() if one.numel()}
    if not parameters:
        raise InputError("parameters of the model", value=0, allowed="1 or more")
    for name, one in parameters.items():
        if one.dtype not in (torch.float32, torch.float64):
            raise InputError(
                f"type of {name}",
                value=str(one.dtype),
                allowed="torch.float32 or torch.float64",
                remedy="Shorter types lose small steps before they are rounded. Keep the parameters in "
                "float32 and compute with torch.autocast.",
            )
        if one.device.type == "meta" or not torch.isfinite(one).all():
            raise InputError(f"values of {name}", value=str(one.device), allowed="finite numbers")
    return parameters


def _scales(
    parameters: Mapping[str, torch.nn.Parameter], given: float | Mapping[str, float] | None
) -> dict[str, float]:
    """Full scale of each parameter."""
    if given is not None and not isinstance(given, Mapping):
        return dict.fromkeys(parameters, given)
    given = given or {}
    for name in given:
        if name not in parameters:
            raise InputError("parameter in full_scale", value=name, allowed=", ".join(parameters))
    largest = {name: float(one.detach().abs().max()) for name, one in parameters.items()}
    of_module: dict[str, float] = {}
    for name, value in largest.items():
        module = name.rpartition(".")[0]
        of_module[module] = max(value, of_module.get(module, 0.0))
    scales = {}
    for name, value in largest.items():
        magnitude = value or of_module[name.rpartition(".")[0]]
        scales[name] = given.get(name, 2.0 ** math.ceil(math.log2(2.0 * magnitude)) if magnitude else 1.0)
    return scales


def _conditions(conditions: WriteConditions | WriteSurface, pulses: Pulses | None) -> WriteConditions:
    if isinstance(conditions, WriteConditions):
        if pulses is not None:
            raise InputError(
                "pulses",
                value=pulses,
                allowed="none with WriteConditions",
                remedy="Give them with a surface.",
            )
        if conditions.reads_may_be_wrong:
            raise InputError(
                "error and disturb rates of reads",
                value=max(conditions.reads.worst_error_rate, conditions.reads.worst_disturb_rate),
                allowed="0 with read-before-write or retries: the memory of PyTorch reads without errors",
                remedy="Use mtjchar.network.memory.ApproximateMemory, or set both rates to 0.",
            )
        return conditions
    if pulses is None:
        raise InputError(
            "pulses",
            value=None,
            allowed="mtjchar.network.allocation.Pulses with a surface",
            remedy="surface.cheapest_pulse or mtjchar.network.allocation.allocate choose some.",
        )
    return write_conditions(conditions, pulses)


def _generator(device: torch.device, seed: int) -> torch.Generator:
    # manual_seed takes signed numbers of 64 bits on all devices.
    return torch.Generator(device).manual_seed(seed >> 1)
