"""Limits below which an error rate is not verified, and the words for rates beyond them.

An error rate is extrapolated if too few devices determine it, or if it is lower than the range in which the
solver and the sampling are verified. docs/surfaces.md gives the measured coverage of intervals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray

__all__ = [
    "ENOUGH_ATTRIBUTE",
    "ENOUGH_DEVICES",
    "VERIFIED_RATE",
    "WARNINGS_ATTRIBUTE",
    "StatedRate",
    "enough_of_plain_sample",
    "is_extrapolated",
    "rule",
]


ENOUGH_DEVICES = 15.0
"""Effective devices from which on the interval of an error rate has its stated coverage."""

_ENOUGH_PLAIN, _SHARE_PLAIN = 25.0, 0.2  # in replicates of devices without weights

VERIFIED_RATE = 1e-18
"""Lowest error rate that the solver and the sampling are verified at."""

WARNINGS_ATTRIBUTE = "warnings"
"""Attribute with the limits of the model that the cell is beyond, a sentence a line, if there are some."""

ENOUGH_ATTRIBUTE = "enough_devices"
"""Attribute of a surface: the effective devices that it requires; `ENOUGH_DEVICES` if it is missing."""


class StatedRate(NamedTuple):
    """Error rate of one pulse with its interval, bound and reliability.

    Parameters
    ----------
    ber : float
        Error rate; 1e-18 if it is lower.
    lower, upper : float
        95 % interval; with `bound` 0 and the bound, with `extrapolated` without guaranteed coverage.
    bound : bool
        Whether the rate is only known to be below `upper`.
    effective_devices : float
        Effective number of devices that determine the rate; NaN if it is not known or nothing varies.
    extrapolated : bool
        Whether too few devices determine the rate, or it is below 1e-18.
    """

    ber: float
    lower: float
    upper: float
    bound: bool
    effective_devices: float
    extrapolated: bool

    def in_words(self) -> str:
        """Rate and interval, or the reason why there is no interval."""
        if self.bound:
            return self._bound_in_words()
        if self.extrapolated:
            return f"{self.ber:.4g}   (extrapolated: too few devices carry it)"
        return f"{self.ber:.4g}   (95 %: {self.lower:.3g} to {self.upper:.3g})"

    def interval_in_words(self) -> str:
        """Interval or bound alone, short enough for a table."""
        if self.bound:
            return f"below {self.upper:.1e}"
        return "extrapolated" if self.extrapolated else f"{self.lower:.1e} to {self.upper:.1e}"

    def _bound_in_words(self) -> str:
        if self.ber <= VERIFIED_RATE:
            return f"below {self.upper:.3g}   (extrapolated, verified to {VERIFIED_RATE:g})"
        return f"below {self.upper:.3g} (95 %)"


def enough_of_plain_sample(devices: int) -> float:
    """Effective devices that an interval requires for a plain sample in replicates.

    The effective number is itself too high if the devices that determine the tail were never drawn; it
    is then small compared with the number of devices.
    """
    return max(_ENOUGH_PLAIN, _SHARE_PLAIN * devices)


def rule(enough_devices: float = ENOUGH_DEVICES) -> str:
    """State when error rates are extrapolated, for files and footnotes."""
    return (
        f"extrapolated: fewer than {enough_devices:g} effective devices carry the error rate, or it is below "
        f"{VERIFIED_RATE:g}, the lowest rate that is verified; lower rates read 'below {VERIFIED_RATE:g}'"
    )


def is_extrapolated(
    ber: npt.ArrayLike, effective_devices: npt.ArrayLike, enough_devices: float = ENOUGH_DEVICES
) -> BoolArray:
    """Whether error rates are extrapolated, see `rule`; an effective number of NaN counts as enough."""
    return (np.asarray(ber) < VERIFIED_RATE) | (np.asarray(effective_devices) < enough_devices)
