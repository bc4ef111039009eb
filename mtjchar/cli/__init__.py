"""The command line."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from mtjchar.cli import answers, fitting, runs, training
from mtjchar.cli.common import error_console
from mtjchar.cli.ends import ended

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _everywhere(
    debug: Annotated[  # taken out of the arguments before: here for the help
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Characterize write errors and write energy of STT-MRAM cells."""


for command in (
    runs.doctor,
    runs.run,
    runs.sweep,
    runs.surface,
    answers.query,
    answers.pulse,
    answers.compare,
    answers.export,
    answers.report,
    fitting.fit,
    training.tradeoff,
):
    app.command()(command)


def main() -> None:
    """Run the command line, and end with a code and a message in words."""
    warnings.showwarning = _show_warning
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [one for one in arguments if one != "--debug"]
    sys.exit(ended(lambda: app(arguments, prog_name="mtjchar"), arguments, debug=debug))


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    error_console.print(f"Warning: {message}", style="yellow", markup=False, highlight=False)
