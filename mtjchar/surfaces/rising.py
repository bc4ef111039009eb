"""Surfaces whose error rates rise again: attributes that name the directions and the reason.

Error rates of other surfaces only fall with amplitude and duration, and interpolation holds them to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["REASON_ATTRIBUTE", "RISING_ATTRIBUTE", "attributes", "rising_directions"]

RISING_ATTRIBUTE = "rising_directions"
"""Attribute with the directions, separated by blanks."""

REASON_ATTRIBUTE = "rising_reason"
"""Attribute with the reason, in a few words."""


def attributes(reasons: Mapping[str, str]) -> dict[str, str]:
    """Attributes of a surface, from the reason of each direction; none if all rates only fall."""
    if not reasons:
        return {}
    return {
        RISING_ATTRIBUTE: " ".join(reasons),
        REASON_ATTRIBUTE: "; ".join(dict.fromkeys(reasons.values())),
    }


def rising_directions(attrs: Mapping[Any, Any]) -> tuple[str, ...]:
    """Directions in which error rates may rise with amplitude and duration."""
    return tuple(str(attrs.get(RISING_ATTRIBUTE, "")).split())
