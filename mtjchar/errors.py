"""Errors that mtjchar raises on purpose.

Every message names the thing, the value, the allowed values and the remedy. It can be shown to a user
unchanged.
"""

from __future__ import annotations

import difflib
import traceback
import unicodedata
from collections.abc import Iterable

__all__ = [
    "ClusterError",
    "ConvergenceError",
    "InputError",
    "MissingToolError",
    "MtjcharError",
    "NoMarginError",
    "OutsideGridError",
    "SimulationError",
    "StartError",
    "StorageError",
    "UnreachableError",
    "WorkerError",
    "clipped",
    "did_you_mean",
    "printable",
]


def printable(text: str, *, keep: str = "") -> str:
    r"""Escape characters that act on a terminal or end a line, such as ``\x1b``, and bytes that are no UTF-8.

    Parameters
    ----------
    text : str
        May contain names of files, ngspice's messages or other external text.
    keep : str, optional
        Characters to leave unchanged.
    """
    if text.isprintable():
        return text
    blank = "Zs"  # of all widths
    return "".join(
        character
        if character.isprintable() or character in keep or unicodedata.category(character) == blank
        else _written_out(character)
        for character in text
    )


def _written_out(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file's name
        number -= 0xDC00
    form = "x{:02x}" if number < 0x100 else "u{:04x}" if number < 0x10000 else "U{:08x}"
    return "\\" + form.format(number)


class MtjcharError(Exception):
    """Base of every error that mtjchar raises on purpose."""


class InputError(MtjcharError, ValueError):
    """A request or an input file is wrong; the command line exits with 2.

    Parameters
    ----------
    thing : str
        The wrong item: a file and key, a column, an argument.
    value : object
        The value found.
    allowed : str
        Values that would have been accepted.
    remedy : str, optional
        What to do about it, if that does not follow from `allowed`.
    problem : str, optional
        The message before the remedy, as a sentence, if value and allowed values do not explain the problem:
        the item is missing, or cannot be read.
    """

    def __init__(
        self, thing: str, *, value: object, allowed: str, remedy: str = "", problem: str = ""
    ) -> None:
        self.thing, self.value, self.allowed, self.remedy = thing, value, allowed, remedy
        self.problem = problem
        end = "" if allowed.endswith("?") else "."
        message = problem or f"{thing}: got {_shown(value)}; allowed: {allowed}{end}"
        super().__init__(f"{message} {remedy}" if remedy else message)

    def within(self, place: str) -> InputError:
        """Return this error with a place, such as the file, in front of the message."""
        problem = f"{place}: {self.problem}" if self.problem else ""
        return _rebuild(type(self), f"{place}: {self.thing}", self.value, self.allowed, self.remedy, problem)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword arguments when the error crosses a process boundary."""
        return (_rebuild, (type(self), self.thing, self.value, self.allowed, self.remedy, self.problem))


def _shown(value: object) -> str:
    if isinstance(value, float):
        value = float(f"{value:.12g}")  # sums and conversions round: 0.3, not 0.30000000000000004
    try:
        return clipped(repr(value))
    except (ValueError, RecursionError):  # thousands of digits, or of lists in lists
        return f"a value of type {type(value).__name__} that is too long to show"


def clipped(text: str, longest: int = 200) -> str:
    """Shorten a text from a file for a message."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Suggest the known name that is most similar to an unknown one; empty if none is similar.

    Examples
    --------
    >>> did_you_mean("duratoin", ["amplitude", "duration"])
    'Did you mean duration?'
    """
    close = difflib.get_close_matches(str(name), list(known), 1)
    return f"Did you mean {close[0]}?" if close else ""


def _rebuild(
    kind: type[InputError], thing: str, value: object, allowed: str, remedy: str, problem: str
) -> InputError:
    return kind(thing, value=value, allowed=allowed, remedy=remedy, problem=problem)


class OutsideGridError(InputError):
    """A surface was asked for a pulse outside the grid it was made on."""


class NoMarginError(InputError):
    """A cell cannot be sensed: the mean sense margin of a state is nowhere positive."""


class UnreachableError(MtjcharError):
    """No pulse, or no read, within the limits reaches the requested rates."""


class ConvergenceError(MtjcharError):
    """A fit has not reached the minimum of its deviance."""


class SimulationError(MtjcharError):
    """Ngspice failed; the message contains ngspice's own words.

    Parameters
    ----------
    message : str
    status : {"failed", "not_converged", "cut"}, optional
        Value of the column `status` for a sample that could not be computed for this reason.
    """

    def __init__(self, message: str, *, status: str = "failed") -> None:
        super().__init__(message)
        self.status = status


class WorkerError(MtjcharError):
    """A process crashed during a computation, or took too long and was stopped.

    Parameters
    ----------
    message : str
    status : {"crashed", "timed_out", "failed", "error"}
        ``error``: an unexpected error of the program.
    from_outside : bool
        Whether it was most likely ended from outside: by a user, a batch system, or the kernel for lack of
        memory.
    exit_code : int, optional
        Exit code of the process, if it has ended and the code is known; negative: the signal that ended it.
    """

    def __init__(
        self,
        message: str,
        *,
        status: str = "crashed",
        from_outside: bool = False,
        exit_code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.from_outside, self.exit_code = status, from_outside, exit_code

    @classmethod
    def unknown(cls, error: Exception) -> WorkerError:
        """Make a worker error from an error of the program: first its message, then its traceback."""
        summary = traceback.format_exception_only(error)[-1].strip()
        return cls("\n".join([summary, *traceback.format_exception(error)]).strip(), status="error")


class StartError(MtjcharError):
    """No worker can start: its process ends because of its script or a limit, or is killed."""


class ClusterError(StartError):
    """A cluster cannot do the work: its scheduler is gone, or other versions are installed there."""


class StorageError(MtjcharError):
    """A result could not be written: a full disk, a quota, a file system that is gone."""


class MissingToolError(MtjcharError):
    """A required program or library is not installed; the message explains how to install it."""
