"""The commands put together."""

from __future__ import annotations

from typing import Annotated

import typer

from mtjchar.cli import answers, fitting, runs, starting, training

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
