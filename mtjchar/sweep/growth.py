"""Growth of a finished run: more devices, wider and finer ranges of pulses.

The first devices of a study do not depend on the number of devices. Their samples do not either, except in a
last part that was not full, because devices are simulated in fixed batches (`mtjchar.sweep.tasks`). With
another grid all samples change, because the pulses of a device are simulated together.
"""

from __future__ import annotations

from mtjchar.study import AmplitudeRange, DurationRange, Study
from mtjchar.units import compact

__all__ = ["MAY_BE", "in_words", "is_more"]

_AXES = ("amplitude", "duration")
MAY_BE = {
    "sweep.devices": " or more",
    **{f"sweep.{axis}.{end}": " or more" for axis in _AXES for end in ("stop", "points")},
    **{f"sweep.{axis}.start": " or less" for axis in _AXES},
}
"""Keys in which a study may grow, and the allowed direction."""


def is_more(key: str, there: Study, asked: Study) -> bool:
    """Whether a run grows in a key in which its study and the requested one differ."""
    old, new = there.sweep, asked.sweep
    if key == "sweep.devices":
        return new.devices > old.devices
    _, _, place = key.partition("sweep.")
    axis, _, end = place.partition(".")
    if axis not in _AXES:
        return False
    before: AmplitudeRange | DurationRange = getattr(old, axis)
    after: AmplitudeRange | DurationRange = getattr(new, axis)
    larger = {
        "start": after.start <= before.start,
        "stop": after.stop >= before.stop,
        "points": after.points >= before.points,
    }
    if end == "grid":  # the positions follow from the other keys
        return any(getattr(before, name) != getattr(after, name) for name in larger)
    return larger.get(end, False)


def in_words(there: Study, asked: Study) -> list[str]:
    """Describe in words by what a study is larger than the one of the run."""
    words = []
    old, new = there.sweep, asked.sweep
    if new.devices != old.devices:
        words.append(f"from {old.devices} to {new.devices} devices")
    for name, unit in zip(_AXES, "Vs", strict=True):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            ranges = [
                f"{axis.points} from {compact(axis.start, unit)} to {compact(axis.stop, unit)}"
                for axis in (before, after)
            ]
            words.append(f"the {name}s: {ranges[1]} instead of {ranges[0]}")
    return words
