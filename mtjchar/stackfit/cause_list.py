"""Causes that `mtjchar.stackfit.diagnosis` tries: their texts, bounds and starting sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mtjchar.stackfit.causes import (
    ARROWS,
    Cause,
    Effect,
    Rows,
    added,
    after_place,
    amplitude_factor,
    amplitude_offset,
    back_hopping,
    ceiling,
    clipping,
    direction_time,
    duration_law,
    edges,
    floor,
    heating,
    in_proportion,
    labelled,
    mixed_populations,
    multiplied,
    other_law,
    polarity,
    power_law,
    read_errors,
    stuck,
    thermometer,
    voltage_anisotropy,
    warmer,
    with_anisotropy,
    with_current,
    with_stability,
)
from mtjchar.stackfit.problem import Problem
from mtjchar.units import compact

__all__ = ["causes_of"]

_FILES = 6  # largest number of files or devices that are tried as different
_HOPPING = (8.0, 20.0)  # powers of the amplitude: failures at the very largest ones
_JUMPS = (0.15, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85)  # places in the order of rows
_MINORITY = 0.1
_SAME = 0.9  # correlation of two divisions of the rows above which they count as one


def causes_of(problem: Problem, blocks: Sequence[Rows]) -> list[Cause]:
    """Causes that could affect the data of a problem, without those that the fit varies."""
    causes = [
        *_pulse_causes(blocks),
        *_outcome_causes(blocks),
        *_device_causes(problem, blocks),
        *_order_causes(problem, blocks),
    ]
    if np.ptp(np.concatenate([rows.pulses.temperature for rows in blocks])) > 0.0:
        causes += _temperature_causes()
    return causes


def _has_both_directions(blocks: Sequence[Rows]) -> bool:
    return len({bool(reverse) for rows in blocks for reverse in rows.pulses.reverse}) == 2


def _percent(text: str, less: str = "lower", more: str = "higher") -> Callable[[float], str]:
    return lambda c: text.format(f"{100.0 * abs(c):.2g} % {more if c > 0.0 else less}")


def _pulse_causes(blocks: Sequence[Rows]) -> list[Cause]:
    volts = any(rows.pulses.voltage.any() for rows in blocks)
    largest = max(float(rows.pulses.amplitude.max()) for rows in blocks)
    factor, unit = (1e3, "mV") if volts else (1e6, "uA")
    shortest = min(float(rows.pulses.duration.min()) for rows in blocks)
    few = (-60.0, -5.0, 5.0, 30.0, 60.0)

    def times(c: float) -> str:
        return f"pulses {compact(abs(c), 's', 2)} {'shorter' if c > 0.0 else 'longer'} than stated"

    causes = [
        Cause(
            "gain", _percent("amplitudes {} than stated (tester gain)"), amplitude_factor, 0.01, (-0.6, 1.5)
        ),
        Cause(
            "amplitude offset",
            lambda c: f"an offset of {factor * c:+.2g} {unit} on all amplitudes",
            amplitude_offset,
            0.005 * largest,
            (-0.5 * largest, 0.5 * largest),
        ),
        Cause(
            "clipping",
            lambda c: f"the largest amplitudes {100.0 * c:.2g} % lower than stated (clipping)",
            clipping,
            0.01,
            (0.0, 0.6),
            (3.0, 8.0, 15.0, 25.0),
        ),
        Cause(
            "pulse duration",
            lambda c: f"{times(c)} (vary dead_time)",
            added("dead_time", 0.0),
            0.01 * shortest,
            (-5.0 * shortest, 0.95 * shortest),
            few,
        ),
        Cause(
            "pulse edges",
            lambda c: (
                "slow edges: short pulses do not reach their amplitude (about "
                f"{compact(c, 's', 2)} of each pulse is lost)"
            ),
            edges,
            0.01 * shortest,
            (0.0, 0.9 * shortest),
            (5.0, 30.0),
        ),
    ]
    if volts:
        causes.append(
            Cause(
                "series resistance",
                lambda c: f"a series resistance of about {compact(c, 'ohm', 3)}",
                added("series_resistance", 0.0),
                20.0,
                (0.0, 2e4),
                (3.0, 15.0, 60.0),
            )
        )
    if _has_both_directions(blocks):
        causes += [
            Cause(
                "polarity",
                _percent(
                    "amplitudes of P->AP pulses {} than stated, relative to AP->P (the two "
                    "polarities of the tester)"
                ),
                polarity,
                0.01,
                (-0.8, 0.8),
            ),
            Cause(
                "pulse duration",
                lambda c: f"{times(c)} in P->AP, relative to AP->P",
                direction_time,
                0.01 * shortest,
                (-1.8 * shortest, 1.8 * shortest),
            ),
        ]
    return causes


def _share(key: str, text: str, effect: Effect) -> Cause:
    """Return a cause whose size is a share of the writes."""
    return Cause(
        key, lambda c: text.format(f"{100.0 * c:.2g} %"), effect, 1e-3, (0.0, 0.6), (2.0, 10.0, 50.0, 200.0)
    )


def _outcome_causes(blocks: Sequence[Rows]) -> list[Cause]:
    never = "{} of the writes%s never switch (stuck bits, missed pulses, read errors; vary missed_writes)"
    before = (
        "{} of the writes%s count as switched before the pulse (incomplete reset, read errors; vary "
        "false_switches)"
    )
    hopping = "{} of the writes%s fail at the largest amplitude (back-hopping)"
    both_directions = _has_both_directions(blocks)
    words = "{} of the reads are wrong (read errors; vary missed_writes and false_switches)"
    causes = [_share("read errors", words, read_errors)]
    for direction in (None, *ARROWS) if both_directions else (None,):
        of = f" of {ARROWS[direction]}" if direction else ""
        causes += [
            _share("stuck bits", never % of, ceiling(direction)),
            _share("incomplete reset", before % of, floor(direction)),
            *(_share("back-hopping", hopping % of, back_hopping(direction, power)) for power in _HOPPING),
        ]
    if both_directions:
        causes += [
            _share("stuck bits", f"{{}} of the bits are stuck in {state}", stuck(state))
            for state in ("P", "AP")
        ]
    return causes


def _device_causes(problem: Problem, blocks: Sequence[Rows]) -> list[Cause]:
    varied, film = {parameter.root for parameter in problem.parameters}, problem.model.film
    volts = any(rows.pulses.voltage.any() for rows in blocks)
    causes = [
        Cause(
            "heating",
            lambda c: f"heating by about {c:.2g} K at the largest amplitude",
            heating,
            2.0,
            (0.0, 300.0),
            (2.0, 10.0, 40.0),
        ),
        Cause(
            "two populations",
            lambda c: (
                f"two populations whose critical currents differ by {100.0 * c:.2g} % "
                "(two devices or stacks may be mixed, or amplitudes jitter)"
            ),
            mixed_populations(with_current, 0.5),
            0.02,
            (0.0, 1.5),
            (2.0, 5.0, 20.0),
            even=True,
        ),
        Cause(
            "two populations",
            lambda c: (
                f"two populations whose stabilities differ by {100.0 * c:.2g} % (two "
                "devices or stacks may be mixed)"
            ),
            mixed_populations(with_anisotropy, 0.5),
            0.02,
            (0.0, 1.5),
            (2.0, 5.0, 20.0),
            even=True,
        ),
        Cause(
            "two populations",
            _percent(
                "a tenth of the writes with a critical current {} than the others' (two "
                "devices or stacks may be mixed, or the device jumps between states)"
            ),
            mixed_populations(with_current, _MINORITY),
            0.02,
            (-0.8, 1.5),
            (-20.0, -5.0, 5.0, 20.0),
        ),
        Cause(
            "reversal",
            lambda c: (
                f"a stability that changes by {100.0 * c:+.2g} % a decade of the duration (a "
                "reversal that is not coherent, or heating)"
            ),
            duration_law,
            0.01,
            (-0.3, 0.3),
        ),
    ]
    if _has_both_directions(blocks):
        causes.append(
            Cause(
                "voltage-controlled anisotropy",
                lambda c: (
                    "an anisotropy that changes with the voltage (VCMA), by "
                    f"{100.0 * c:+.2g} % at the largest in P->AP and as much the other way in AP->P"
                ),
                voltage_anisotropy,
                0.01,
                (-0.6, 0.6),
                (-20.0, -5.0, 5.0, 20.0),
            )
        )
        law = problem.model.law
        if film is not None and "slonczewski_lambda" not in varied:
            other = "current" if law == "voltage" else "voltage"
            causes.append(
                Cause(
                    "torque law",
                    lambda _: f'a torque that goes with the {other} (torque = "{other}" in the stack)',
                    other_law,
                    0.05,
                    (0.8, 1.2),
                    (18.0, 20.0, 22.0),
                )
            )
        if law == "current" and "slonczewski_lambda" not in varied:
            low = 1.0 - problem.fixed.get("slonczewski_lambda", 1.0)
            causes.append(
                Cause(
                    "torque asymmetry",
                    lambda c: (
                        f"an asymmetric torque (slonczewski_lambda of about {1.0 - low + c:.3g}; vary it)"
                    ),
                    added("slonczewski_lambda", 1.0),
                    0.01,
                    (low, 2.0 + low),
                    (5.0, 20.0, 50.0),
                )
            )
        if "offset_field" not in varied and (film is not None or "anisotropy_field" in problem.fixed):
            causes.append(
                Cause(
                    "offset field",
                    lambda c: f"an offset field of about {compact(c, 'T', 2)} (vary offset_field)",
                    added("offset_field", 0.0),
                    1e-3,
                    (-0.15, 0.15),
                )
            )
    if volts and not len(problem.data.resistance):
        causes += [
            Cause("TMR", _percent(f"a {text} {{}} than the stack's"), multiplied(name), 0.01, (-0.8, 4.0))
            for name, text in (
                ("tmr", "TMR"),
                ("tmr_half_bias", "half-bias voltage of the TMR (tmr_half_bias)"),
            )
            if name not in varied
        ]
    return causes


def _own_steps(blocks: Sequence[Rows]) -> list[float]:
    """Positions of jumps in the row order that are not changes of direction, temperature, file or device."""
    order = np.concatenate([rows.order for rows in blocks])
    divisions = [
        np.concatenate([rows.pulses.reverse for rows in blocks]).astype(np.float64),
        np.concatenate([rows.pulses.temperature for rows in blocks]),
    ]
    for column in ("file", "device"):
        labels = np.concatenate([rows.labels[column].to_numpy() for rows in blocks])
        divisions += [(labels == label).astype(np.float64) for label in np.unique(labels)]
    divisions = [division for division in divisions if np.ptp(division) > 0.0]
    places = []
    for place in _JUMPS:
        after = (order > 2.0 * place - 1.0).astype(np.float64)
        if 0.0 < after.mean() < 1.0 and all(
            abs(np.corrcoef(after, division)[0, 1]) < _SAME for division in divisions
        ):
            places.append(place)
    return places


def _warmer_part(place: float) -> Cause:
    def words(c: float) -> str:
        return (
            f"a temperature {abs(c):.3g} K {'higher' if c > 0.0 else 'lower'} from {100.0 * place:.0f} % of "
            "the rows on (a temperature left out)"
        )

    return Cause(
        "two parts", words, warmer(after_place(place)), 2.0, (-150.0, 300.0), (-30.0, -10.0, 10.0, 30.0)
    )


def _order_causes(problem: Problem, blocks: Sequence[Rows]) -> list[Cause]:
    places = _own_steps(blocks)
    warms = problem.model.film is not None
    causes = [
        Cause(
            "drift",
            _percent(f"a {text} {{}} at the last row than at the first (drift)"),
            in_proportion(change, lambda at: 0.5 * at.rows.order),
            0.01,
            (-0.8, 0.8),
        )
        for text, change in (("critical current", with_current), ("stability", with_stability))
    ]
    words = (
        "{0} {{}} from {1:.0f} % of the rows on (another device or stack, a temperature left out, a jump of "
        "the device)"
    )
    for text, change in (("a critical current", with_current), ("an anisotropy", with_anisotropy)):
        causes += [
            Cause(
                "two parts",
                _percent(words.format(text, 100.0 * place)),
                in_proportion(change, after_place(place)),
                0.01,
                (-0.8, 0.8),
            )
            for place in places
        ]
    if warms:
        causes += [_warmer_part(place) for place in places]
    if any(rows.repeat.any() for rows in blocks):
        causes += [
            Cause(
                "two parts",
                _percent(
                    f"{text} {{}} where a pulse is repeated (another device, a temperature left out, drift)"
                ),
                in_proportion(change, lambda at: np.minimum(at.rows.repeat, 1.0)),
                0.01,
                (-0.8, 0.8),
            )
            for text, change in (("a critical current", with_current), ("an anisotropy", with_anisotropy))
        ]
    for column in ("file", "device"):
        names = list(dict.fromkeys(str(label) for rows in blocks for label in rows.labels[column]))
        for name in names[: _FILES if len(names) > 1 else 0]:
            causes += [
                Cause(
                    f"{column}s differ",
                    _percent(
                        f"{text} {{}} in {column} {name} than in the others (another "
                        "device, gain or temperature)"
                    ),
                    in_proportion(change, labelled(column, name)),
                    0.01,
                    (-0.8, 0.8),
                )
                for text, change in (("a critical current", with_current), ("an anisotropy", with_anisotropy))
            ]
    return causes


def _temperature_causes() -> list[Cause]:
    bounds = (-6.0, 6.0)
    return [
        Cause(
            "temperature law",
            lambda c: (
                "a stability that changes with temperature otherwise than the stack's "
                f"exponents say, by a further T^{c:+.2g} (or a wrong temperature)"
            ),
            power_law(with_anisotropy),
            0.05,
            bounds,
        ),
        Cause(
            "temperature law",
            lambda c: (
                "a critical current that changes with temperature otherwise than the "
                f"stack's exponents say, by a further T^{c:+.2g}"
            ),
            power_law(with_current),
            0.05,
            bounds,
        ),
        Cause(
            "temperature law",
            lambda c: (
                f"temperatures that differ {100.0 * abs(c):.2g} % "
                f"{'more' if c > 0.0 else 'less'} than stated (thermometer, or the stack's exponents)"
            ),
            thermometer,
            0.02,
            (-1.2, 2.0),
        ),
    ]
