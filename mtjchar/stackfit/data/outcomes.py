"""Names of columns that hold the outcome of writes, and names that only look like one.

A share of writes can be a plain number, in percent, or its decimal logarithm, and can be that of the
writes that switched or of those that failed. An unused column that looks like an outcome or a resistance
is refused: otherwise the table would be misinterpreted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError

__all__ = ["COUNTS", "Share", "plain_name", "refuse_series", "refuse_trials", "refuse_unused", "share_of"]

COUNTS = ("switched", "failures")
_FAILED = ("wer", "ber", "error_rate", "write_error_rate", "bit_error_rate")
_SWITCHED = ("probability",)
_FAILED_PERCENT = (*_FAILED, "failures", "errors", "failed")
_SWITCHED_PERCENT = (*_SWITCHED, "switched")
_PERCENT = re.compile(r"(?P<name>.+?)_(percent|pct|%)")
_LOGARITHM = re.compile(r"(?P<form>(minus_)?(log10|ln))_(?P<name>.+)")
_LOGARITHM_BEHIND = re.compile(r"(?P<name>.+)_(?P<form>log10|ln)")
_MINUS = re.compile(r"\s*[-\u2212\u2013]\s*(?=(log10|ln)(?![a-z]))", re.IGNORECASE)
# Natural logarithm of the base; negative for the exponent n of 10^-n.
_BASES = {"log10": float(np.log(10.0)), "ln": 1.0}
_BASES |= {f"minus_{form}": -base for form, base in _BASES.items()}
_LEAST = -300.0  # decimal logarithm
_LEAST_SERIES = 3  # numbered columns that look like repeats

_OF_WRITES = "(prob|rate|ratio|fraction|share|count|number|total|percent|pct|%)"
_OUTCOME = re.compile(
    rf"""
    (^|_)(wer|ber)(_|\d|$|mean|avg|median|max|min|std|sd|log|err) | ^(log|ln|lg)(10|e)?_?(wer|ber) |
    fail | success | yield | prob(?!e|lem) | (un|non|not_?)switch | switch(ed|es)($|_) |
    (^|_)(n|p|num|nr|no|count|number_of)_*sw(itch\w*)?($|_) | ^switch($|_{_OF_WRITES}) |
    switching_?({_OF_WRITES}|event) | (^|_)sw_?{_OF_WRITES} |
    ^err(or)?s?$ | (^|_)errors($|_) | (^|_)(n|p|num|bit|bits|write|total)_*err(or)?s?($|_) |
    err(or)?_?{_OF_WRITES} | (^|_)(flips|flipped|toggled|passed)($|_) |
    (^|_)(n|p|num)_*(flip|flips|flipped|toggled|reversed|pass|passed|ok|good|bad)($|_) |
    ^(outcomes?|results?|share|fraction|pct|percent|%|counts?)$ | (^|_)(n|counts?|num)_(p|ap|0|1)($|_) |
    (final|end|after|post|read|new)_*state | state_*(final|end|after|post|read|new)
    """,
    re.VERBOSE,
)
_TRIALS = re.compile(
    r"""
    ^n$ | trial | attempt | ^(shots|pulses|writes|cycles|repetitions|repeats|reps|events|samples|total)$ |
    ^n_*tot(al)?$ | ^(n|num|nr|no|number_of|total)_*(shot|pulse|write|cycle|event|sample|rep|meas)\w*$
    """,
    re.VERBOSE,
)
# RH is left out, because it more often means humidity than a high resistance.
_RESISTANCE = re.compile(
    r"""
    resistanc | resistiv | conductanc | (^|_)[km]?ohms?($|_) | ω | (^|_)(tmr|mr|lrs|hrs)($|_) |
    ^r_*(p|ap|l|hi|lo|high|low|min|max|on|off|mtj|read|sense|dc|ac|s|series|ref|load|\d|lrs|hrs)($|_) |
    ^r_h($|_) | ^ra($|_) | ^(d|delta)_r($|_)
    """,
    re.VERBOSE,
)

_SHEET = re.compile(
    r"(ohms?|\u03a9|\u2126)\s*(/|per)\s*(sq|\u25a1)", re.IGNORECASE
)  # of a film, not of a junction


@dataclass(frozen=True)
class Share:
    """Representation of a share of writes in a column.

    Attributes
    ----------
    failed : bool
        Whether it is the share of the writes that failed; otherwise of those that switched.
    form : {"plain", "percent", "log10", "ln", "minus_log10", "minus_ln"}
    """

    failed: bool
    form: str

    @property
    def logarithm(self) -> float:
        """Natural logarithm of the base of logarithmic values, negative with a minus; 0 for other values."""
        return _BASES.get(self.form, 0.0)

    @property
    def allowed(self) -> str:
        """Allowed values, for a share with counts."""
        if self.logarithm < 0.0:
            return f"0 to {self._least:.4g}, or inf"
        if self.logarithm:
            return f"{self._least:.4g} to 0, or -inf (name it -{self.form}(...) if it has no minus)"
        return "0 to 100" if self.form == "percent" else "0 to 1 (name it ..._percent if it is in percent)"

    @property
    def allowed_inside(self) -> str:
        """Allowed values, for a share that belongs to an amplitude."""
        if self.logarithm < 0.0:
            inside = f"above 0, up to {self._least:.4g}"
        elif self.logarithm:
            inside = f"{self._least:.4g} or more, and below 0"
        else:
            inside = "above 0 and below 100" if self.form == "percent" else "above 0 and below 1"
        return f"{inside}, as without trials a share that is all or none belongs to no amplitude"

    @property
    def _least(self) -> float:
        return _LEAST * _BASES["log10"] / self.logarithm

    def valid(self, values: FloatArray) -> BoolArray:
        """Whether values are shares."""
        if self.logarithm:
            own = np.sign(self.logarithm) * values
            return np.asarray((own <= 0.0) & ((own >= -abs(self._least)) | (own == -np.inf)))
        return np.asarray((values >= 0.0) & (values <= (100.0 if self.form == "percent" else 1.0)))

    def inside(self, values: FloatArray) -> BoolArray:
        """Whether values are shares between none and all."""
        if self.logarithm:
            return np.asarray(self.valid(values) & np.isfinite(values) & (values != 0.0))
        return np.asarray(
            self.valid(values) & (values > 0.0) & (values < (100.0 if self.form == "percent" else 1.0))
        )

    def plain(self, values: FloatArray) -> FloatArray:
        """Shares as plain numbers."""
        if self.logarithm:
            return np.exp(self.logarithm * values)
        return values / 100.0 if self.form == "percent" else values

    def log_rest(self, values: FloatArray) -> FloatArray:
        """Natural logarithm of the other share, accurate however small this one is."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.logarithm:
                own = self.logarithm * values
                # For 1 - e^x, each of the two forms keeps the digits that the other one loses.
                return np.where(own > -0.7, np.log(-np.expm1(own)), np.log1p(-np.exp(own)))
            return np.asarray(np.log1p(-self.plain(values)))

    def log_error_rate(self, values: FloatArray) -> FloatArray:
        """Natural logarithm of the error rate."""
        if not self.failed:
            return self.log_rest(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.logarithm * values if self.logarithm else np.log(self.plain(values))


def plain_name(header: str) -> str:
    """Return a name in lower case with underscores between its words: ``log10(WER)`` is ``log10_wer``.

    The minus of ``-log10(WER)`` becomes a word, ``minus_log10_wer``.
    """
    header = _MINUS.sub("minus_", header, count=1) if _MINUS.match(header) else header
    return re.sub(r"[^\w%]+|_+", "_", header.strip().replace("%", "_%").lower()).strip("_")


def share_of(name: str) -> Share | None:
    """Interpret a name as a share of writes, if possible; case and marks between words do not matter."""
    own = plain_name(name)
    failed: tuple[str, ...] = _FAILED
    switched: tuple[str, ...] = _SWITCHED
    form = "plain"
    if percent := _PERCENT.fullmatch(own):
        own, form, failed, switched = percent["name"], "percent", _FAILED_PERCENT, _SWITCHED_PERCENT
    elif logarithm := _LOGARITHM.fullmatch(own) or _LOGARITHM_BEHIND.fullmatch(own):
        own, form = logarithm["name"], logarithm["form"]
    return Share(own in failed, form) if own in (*failed, *switched) else None


def _words(header: str) -> str:
    """Name with underscores between its words, those in camel case included."""
    return plain_name(re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", header))


def _looks_like(pattern: re.Pattern[str], header: str) -> bool:
    # nSwitched is two words, Nswitch is one.
    return any(pattern.search(name) for name in (plain_name(header), _words(header)))


def refuse_unused(path: Path, headers: Iterable[str]) -> None:
    """Refuse unused columns whose names look like an outcome or a resistance."""
    for header in headers:
        if _looks_like(_OUTCOME, header):
            key = _key_like(header)
            allowed = "switched or failures beside trials; or probability, error_rate, wer or ber"
            example = f'{key} = "{header}"'
            remedy = f"{_rename(example)} log10_ or -log10_ in front or _percent behind is read too."
            raise _ignored(path, header, "the outcome of writes", allowed, remedy)
        if header == "R" or (_looks_like(_RESISTANCE, header) and not _SHEET.search(header)):
            allowed = (
                "resistance with its unit, beside voltage or field; for wafers resistance_area_product or tmr"
            )
            remedy = _rename(f'resistance = {{ name = "{header}", unit = "ohm" }}')
            raise _ignored(path, header, "a resistance", allowed, remedy)


def _key_like(header: str) -> str:
    """Return what a column that looks like an outcome most probably is, for an example."""
    name = _words(header)
    if re.search(r"wer|ber|err\w*_(rate|prob|share|percent)", name):
        return "log10_wer" if re.search(r"log|lg|ln", name) else "wer"
    if re.search(r"fail|err", name):
        return "failures"
    return (
        "probability"
        if re.search(r"prob|rate|ratio|yield|share|frac|(^|_)p_*sw|%|pct|percent", name)
        else "switched"
    )


def refuse_series(path: Path, headers: Iterable[str]) -> None:
    """Refuse numbered columns in a table that would leave them out: they are repeats by another name."""
    numbered: dict[str, list[str]] = {}
    for header in headers:
        if found := re.fullmatch(r"(.*?)\d+(\D*)", header):
            numbered.setdefault("#".join(found.groups()), []).append(header)
    for same in numbered.values():
        if len(same) >= _LEAST_SERIES:
            raise InputError(
                f"{path}, columns {same[0]} to {same[-1]}",
                value="numbered columns that the fit would ignore",
                allowed="R_1, R_2, ... (resistances), state_1, state_2, ... or switched_1, switched_2, ...",
                remedy="Rename them so, or remove them from the table.",
            )  # fmt: skip


def refuse_trials(path: Path, headers: Iterable[str]) -> None:
    """Refuse columns that look like a number of trials in a table without trials."""
    for header in headers:
        if _looks_like(_TRIALS, header):
            example = f'trials = "{header}"'
            remedy = f"{_rename(example)} Without trials a row is an amplitude at an error rate."
            raise _ignored(path, header, "a number of trials", "trials", remedy)


def _ignored(path: Path, header: str, like: str, allowed: str, remedy: str) -> InputError:
    value = f"a name that looks like {like}, but that the fit would ignore"
    return InputError(f"{path}, column {header}", value=value, allowed=allowed, remedy=remedy)


def _rename(example: str) -> str:
    named = f"name it in a file for --rules: [columns] {example}"
    return f"Rename the column, or {named}. Or remove it from the table."
