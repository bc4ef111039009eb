"""The command line.

Exit 0: done; 1: the work failed, and why; 2: the request was wrong.
"""

from __future__ import annotations

import sys
import warnings

import typer

from mtjchar.cli import answers, fitting, runs, training
from mtjchar.cli.common import error_console
from mtjchar.errors import InputError, MtjcharError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Characterize write errors and write energy of STT-MRAM cells.",
)
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
    """Run the command line; errors that mtjchar raises on purpose end without a traceback."""
    warnings.showwarning = _show_warning
    try:
        app(prog_name="mtjchar")
    except MtjcharError as error:
        error_console.print(f"Error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2 if isinstance(error, InputError) else 1)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    error_console.print(f"Warning: {message}", style="yellow", markup=False, highlight=False)
