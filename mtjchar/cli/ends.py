"""How a command ends: one place for errors, interrupts and closed terminals.

Exit 0: done; 1: the work failed; 2: the request was wrong; 130: interrupted. A message gives the reason.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from mtjchar.cli.common import error_console
from mtjchar.cli.interrupts import interrupts
from mtjchar.errors import InputError, MtjcharError, printable

INTERRUPTED = 130  # exit code of a program that Ctrl-C has ended, as shells report it

_SAFE = "Nothing half-written is left, and finished results are kept."


def ended(program: Callable[[], object], arguments: list[str], *, debug: bool) -> int:
    """Run a program and return its exit code; after an error, print a message.

    Parameters
    ----------
    program : callable
        May raise any exception.
    arguments : list of str
        Of the command, for messages.
    debug : bool
        Whether to show the traceback of an error as well.
    """
    _open_closed_streams()
    try:
        with interrupts.watched():
            code = _code_of(program)
            sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException as error:
        if debug:
            error_console.print(traceback.format_exc(), highlight=False)
        # Errors caused by an interrupt are not errors of the program.
        code = INTERRUPTED if interrupts.asked else _report_error(error, shlex.join(["mtjchar", *arguments]))
    if code == INTERRUPTED:
        error_console.print("Interrupted. Finished results are kept. Run the same command to continue.")
    _drop_what_cannot_be_written()
    return code


def _code_of(program: Callable[[], object]) -> int:
    try:
        program()
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    return 0


def _report_error(error: BaseException, command: str) -> int:
    """Print the reason why a command ended; return the exit code."""
    command = command if len(command) <= 200 else f"{command[:200]}..."
    if isinstance(error, BrokenPipeError):
        return 1
    if isinstance(error, MtjcharError):
        words = str(error)
    elif isinstance(error, OSError):
        file = "" if error.filename is None else f" ({error.filename})"
        words = (
            f"{command}: {error.strerror or error}{file}. {_SAFE} Fix that, then run the same command again."
        )
    elif isinstance(error, ImportError):
        words = (
            f"{command}: a library does not load: {error}. Repair the installation or raise the memory limit."
        )
    elif isinstance(error, MemoryError):
        words = f"{command}: not enough memory. {_SAFE} Give it more memory, fewer workers or fewer devices."
    else:
        description = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        words = (
            f"{command}: unexpected error: {description}. {_SAFE} Run the command with --debug "
            "to see where it happened, and please report it."
        )
    try:
        error_console.print(f"Error: {words}", style="red", highlight=False)
    except MemoryError:  # colours need memory too
        sys.stderr.write(f"Error: {printable(words)}\n")
    return 2 if isinstance(error, InputError) else 1


def _open_closed_streams() -> None:
    """Replace standard streams that were closed before the start by the null device.

    Otherwise the next opened file takes their place, and receives the output of libraries.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(handle)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (to the very end)


def _drop_what_cannot_be_written() -> None:
    """Keep the interpreter from complaining about a closed or full standard output once more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
