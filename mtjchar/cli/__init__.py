"""The command line."""

from __future__ import annotations

import sys
import warnings

from mtjchar.cli.common import error_console
from mtjchar.cli.ends import ended


def main() -> None:
    """Run the command line, and end with an exit code and a message."""
    warnings.showwarning = _show_warning
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    sys.exit(ended(lambda: _call(arguments), arguments, debug=debug))


def _call(arguments: list[str]) -> None:
    from mtjchar.cli.app import app  # imported here, so that a library that does not load gives a message

    app(arguments, prog_name="mtjchar")


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    error_console.print(f"Warning: {message}", style="yellow", markup=False, highlight=False)
