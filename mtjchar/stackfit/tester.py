"""Effects of the tester on the pulses that reach the cell and on the counts.

The values of a fit name them: `gain`, `rise_time` and `dead_time` change the pulses; `missed_writes` and
`false_switches` change the counts. A value that is missing means that the effect is absent.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.stackfit.likelihood import log_exponent_of
from mtjchar.stackfit.parameters import Values
from mtjchar.stackfit.pulses import Pulses

__all__ = ["as_applied", "as_counted"]

_LEAST_DURATION = 1e-12  # s


def as_applied(values: Values, pulses: Pulses) -> Pulses:
    """Pulses as they arrive at the cell.

    Parameters
    ----------
    values : mapping
        ``gain``: factor of all amplitudes. ``rise_time`` (s): time constant of an exponential approach to the
        amplitude. ``dead_time`` (s): time by which pulses are too short.
    pulses : Pulses

    Notes
    -----
    A pulse that approaches its amplitude exponentially loses the share tau/t (1 - exp(-t/tau)) of its
    area. The amplitude is lowered by this share, so that the error holds to first order in tau/t.
    """
    amplitude = pulses.amplitude
    if "gain" in values:
        amplitude = amplitude * values["gain"]
    if "rise_time" in values:
        time = np.maximum(values["rise_time"], 1e-15) / pulses.duration
        amplitude = amplitude * (1.0 + time * np.expm1(-1.0 / time))
    duration = pulses.duration
    if "dead_time" in values:
        duration = np.maximum(duration - values["dead_time"], _LEAST_DURATION)
    return dataclasses.replace(pulses, amplitude=amplitude, duration=duration)


def as_counted(values: Values, log_exponent: FloatArray) -> FloatArray:
    """ln(-ln WER) as the tester counts it.

    Parameters
    ----------
    values : mapping
        ``missed_writes``: share of writes that never switch: stuck bits, missed pulses, reads of the old
        state. ``false_switches``: share of writes that count as switched before the pulse: incomplete resets,
        reads of the new state.
    log_exponent : ndarray
        ln(-ln WER) of the cell.
    """
    if not {"missed_writes", "false_switches"} & set(values):
        return log_exponent
    missed, false = values.get("missed_writes", 0.0), values.get("false_switches", 0.0)
    # The share that switches keeps its digits if it is small.
    switched = false + (1.0 - missed - false) * -np.expm1(-np.exp(log_exponent))
    failed = missed + (1.0 - missed - false) * np.exp(-np.exp(log_exponent))
    return log_exponent_of(switched, failed)
