"""Methods that make writes cheaper: levers that let writes fail, and designs in which none fails.

References
----------
P. Zhou, B. Zhao, J. Yang, Y. Zhang, "Energy reduction for STT-RAM using early write termination", ICCAD
2009, doi:10.1145/1687399.1687448. J. Park, T. Zheng, M. Erez, M. Orshansky, IEEE Trans. VLSI Syst. 24, 1351
(2016), doi:10.1109/TVLSI.2015.2449739: a circuit that ends a write when the bit has switched.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Literal, NamedTuple, get_args

from mtjchar.errors import InputError, did_you_mean
from mtjchar.network.encoding import Code

__all__ = [
    "ALL_EXACT",
    "BASELINE",
    "DESIGNS",
    "EXACT",
    "LEVERS",
    "MAIN_LEVERS",
    "ExactDesign",
    "Lever",
    "PulseChoice",
    "Skip",
    "chosen_levers",
]

BASELINE = "reliable"
"""Name of the reference design for savings: no lever at all."""

PulseChoice = Literal["duration", "amplitude", "both", "bit_planes"]
Skip = Literal["nothing", "words", "bits"]


class Lever(NamedTuple):
    """A method that makes writes cheaper but lets them fail.

    Attributes
    ----------
    vary : {"duration", "amplitude", "both", "bit_planes"}
        Quantity to optimize of one pulse for all bits and both directions, or a pulse for each bit plane and
        direction.
    code : str
        See `mtjchar.network.encoding.FixedPoint`.
    read_before_write : bool
        Whether only bits that have to change are driven.
    early_termination : bool
        Whether a detector ends the pulse of a bit once it has switched.
    momentum : bool
        Whether the training has momentum, see `mtjchar.network.trainer.TrainingPlan`.
    """

    vary: PulseChoice
    code: Code = "twos_complement"
    read_before_write: bool = False
    early_termination: bool = False
    momentum: bool = False


class ExactDesign(NamedTuple):
    """A memory whose writes do not fail, and its methods to save energy.

    Attributes
    ----------
    code : str
        See `mtjchar.network.encoding.FixedPoint`.
    skip : {"nothing", "words", "bits"}
        Whether words, or bits, are read first and driven only if they change.
    pulse_per_direction : bool
        Whether each direction has its own cheapest reliable pulse. Otherwise both have one pulse, at the
        study's nominal amplitude.
    early_termination : bool
        Whether a detector ends the pulse of a bit once it has switched, or at once if it does not have to.
    correction : bool
        Whether a code that corrects one wrong bit of a block allows a shorter pulse, see
        `mtjchar.network.correction`.
    momentum : bool
        Whether the training has momentum.
    """

    code: Code = "twos_complement"
    skip: Skip = "nothing"
    pulse_per_direction: bool = False
    early_termination: bool = False
    correction: bool = False
    momentum: bool = False

    @property
    def name(self) -> str:
        """Description of the design, in words with plus signs in between."""
        parts = {
            "gray": self.code == "gray",
            f"skip {self.skip}": self.skip != "nothing",
            "pulse per direction": self.pulse_per_direction,
            "early termination": self.early_termination,
            "correction": self.correction,
            "momentum": self.momentum,
        }
        return " + ".join(part for part, there in parts.items() if there) or BASELINE


LEVERS: dict[str, Lever] = {
    "duration": Lever("duration"),
    "amplitude": Lever("amplitude"),
    "both": Lever("both"),
    "code": Lever("both", code="gray"),
    "bit_planes": Lever("bit_planes"),
    "read_before_write": Lever("duration", read_before_write=True),
    "all": Lever("bit_planes", code="gray", read_before_write=True),
    "all_but_code": Lever("bit_planes", read_before_write=True),
    "all_but_bit_planes": Lever("both", code="gray", read_before_write=True),
    "all_but_read_before_write": Lever("bit_planes", code="gray"),
    "all_with_momentum": Lever("bit_planes", code="gray", read_before_write=True, momentum=True),
    "all_with_termination": Lever("bit_planes", code="gray", early_termination=True),
}
"""Levers that let writes fail, by name."""

EXACT: dict[str, ExactDesign] = {
    "gray": ExactDesign(code="gray"),
    "skip_unchanged_words": ExactDesign(skip="words"),
    "skip_unchanged": ExactDesign(skip="bits"),
    "pulse_per_direction": ExactDesign(pulse_per_direction=True),
    "early_termination": ExactDesign(early_termination=True),
    "ecc": ExactDesign(correction=True),
    "momentum": ExactDesign(momentum=True),
}
"""Exact designs with one method each, by name."""

_CODES: tuple[Code, ...] = ("twos_complement", "gray")

ALL_EXACT = {"all_exact": True, "all_exact_but_termination": False}
"""Names of the exact design of lowest programming energy, and whether it may have early termination, which
needs a circuit of its own."""

DESIGNS: tuple[ExactDesign, ...] = tuple(
    ExactDesign(code, skip, *switches)
    for code in _CODES
    for skip in get_args(Skip)
    for switches in product((False, True), repeat=4)
)
"""All combinations from which `ALL_EXACT` is chosen."""

MAIN_LEVERS = (
    "skip_unchanged", "all_exact_but_termination", "all_exact", "duration", "amplitude", "both", "code",
    "bit_planes", "read_before_write", "all", "all_with_termination",
)  # fmt: skip
"""Default levers: exact designs, each lever alone, and all together."""


def chosen_levers(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Sort names into exact designs and levers that let writes fail; one named twice counts once.

    Raises
    ------
    InputError
        For a name that is not in `EXACT`, `ALL_EXACT` or `LEVERS`.

    Examples
    --------
    >>> chosen_levers(["duration", "ecc", "duration"])
    (['ecc'], ['duration'])
    """
    exact, approximate = [], []
    for name in dict.fromkeys(names):
        if name in LEVERS:
            approximate.append(name)
        elif name in EXACT or name in ALL_EXACT:
            exact.append(name)
        else:
            known = (*LEVERS, *EXACT, *ALL_EXACT)
            raise InputError("lever", value=name, allowed=", ".join(known), remedy=did_you_mean(name, known))
    return exact, approximate
