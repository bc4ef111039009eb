"""The commands put together."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from mtjchar.cli import answers, fitting, runs, starting, training
from mtjchar.cli.common import console

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        console.print(f"mtjchar {version('mtjchar')}", highlight=False)
        raise typer.Exit


@app.callback()
def _everywhere(
    debug: Annotated[  # taken out of the arguments before: here for the help
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    version_: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Characterize write errors and write energy of STT-MRAM cells."""


for command in (
    runs.doctor,
    starting.init,
    starting.stacks,
    starting.studies,
    starting.check,
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
