"""The application with all commands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from mtjchar.cli import answers, fitting, reading, runs, starting, training
from mtjchar.cli.common import console

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class _Command(TyperCommand):
    """A command whose help names its arguments without types and braces."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [each for each in self.get_params(ctx) if each.param_type_name == "argument"]
        return ["[OPTIONS]", *(str(each.metavar) for each in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):
            if (row := parameter.get_help_record(ctx)) is not None:
                is_argument = parameter.param_type_name == "argument"
                rows[parameter.param_type_name].append(
                    (str(parameter.metavar), row[1]) if is_argument else row
                )
        for title, lines in zip(("Arguments", "Options"), rows.values(), strict=True):
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)


def _version(asked: bool) -> None:
    if asked:
        console.print(f"mtjchar {version('mtjchar')}", highlight=False)
        raise typer.Exit


@app.callback()
def _everywhere(
    debug: Annotated[  # removed from the arguments before; listed here for the help
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    version_: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Characterize write errors, read errors and energies of STT-MRAM cells."""


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
    app.command(cls=_Command)(command)

_reads = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Ask how often a read is wrong or disturbs, what it costs, and which read is best.",
)
_reads.command(cls=_Command)(reading.query)
_reads.command(cls=_Command)(reading.point)
app.add_typer(_reads, name="read")
