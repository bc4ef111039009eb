"""The command that fits a stack to tester data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mtjchar.cli.common import AsJson, console, error_console, print_json, quantity, writable, writable_file
from mtjchar.errors import InputError

_DIAMETER = typer.Option(
    parser=quantity("m", "diameter"),
    metavar="D",
    help='Of the junction, "40 nm"; the mean of a wafer table with diameters if not given.',
)
_TEMPERATURE = typer.Option(
    parser=quantity("K", "temperature"),
    metavar="T",
    help="Of rows without one, and at which stability, critical current, relaxation time and fields are "
    'reported; 300 K if not given, "85 degC".',
)


def fit(
    data: Annotated[list[Path], typer.Argument(metavar="DATA...", help="Tables, CSV or Parquet.")],
    stack: Annotated[Path, typer.Option("--stack", help="Stack file (TOML) with what is believed so far.")],
    out: Annotated[Path, typer.Option("--out", metavar="FITTED", help="Stack file to write (TOML).")],
    diameter: Annotated[float | None, _DIAMETER] = None,
    vary: Annotated[
        str | None,
        typer.Option(
            "--vary",
            metavar="NAME,...",
            help="Parameters to fit; the others keep the stack's. If not given what DATA tell of stability, "
            "critical_current and relaxation_time, and with loops offset_field.",
        ),
    ] = None,
    per_direction: Annotated[
        str,
        typer.Option("--per-direction", metavar="NAME,...", help="Those with a value in each direction."),
    ] = "",
    temperature: Annotated[float | None, _TEMPERATURE] = None,
    columns: Annotated[
        Path | None, typer.Option("--columns", help="TOML file that names columns and their units.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Drop bad rows and say how many.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="Name of the new stack.")] = None,
    reference: Annotated[str | None, typer.Option("--reference", help="Where the data are from.")] = None,
    figures: Annotated[Path | None, typer.Option("--figures", help="Directory for figures.")] = None,
    narrow: Annotated[
        str | None,
        typer.Option(
            "--narrow",
            metavar="NAME",
            help="Parameter: which pulses to measure next, at the data's temperature.",
        ),
    ] = None,
    accept_unconverged: Annotated[
        bool, typer.Option("--accept-unconverged", help="Write FITTED even if the fit has not converged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fit a stack to tester data: values, intervals, and what the data cannot tell.

    DATA are tables of switching counts, switching thresholds, R-V curves and R-H loops, fitted together, and
    wafer tables for the spread of devices; docs/fitting.md has the formats. FITTED goes into a study.
    """
    from mtjchar import plotting
    from mtjchar.stackfit import Film, next_measurements, read_tables, write_stack
    from mtjchar.stackfit.design import check_plan
    from mtjchar.stackfit.fit import solve
    from mtjchar.stackfit.setup import set_up
    from mtjchar.stackfit.stackfile import check_names
    from mtjchar.study import load_stack

    writable_file(out, [*data, stack, *([] if columns is None else [columns])])
    if figures is not None:
        writable(figures, "--figures")
    believed = load_stack(stack)
    check_names(believed, name, reference)
    tables = read_tables(data, columns, skip_bad=skip_bad)
    if diameter is None:
        diameter = _mean_diameter(tables)
    film = Film(believed, diameter, 300.0 if temperature is None else temperature)
    varied, split = None if vary is None else _names(vary), _names(per_direction)
    setup = set_up(tables, film, varied, split, {})
    if narrow is not None:
        check_plan(setup.problem, narrow)
    result = solve(setup)
    # A terminal has them in the report, and need not have them twice.
    for message in result.messages if as_json or not console.is_terminal else ():
        error_console.print(f"Warning: {message}", style="yellow", highlight=False)
    plan = None if narrow is None else next_measurements(result, narrow)
    _print(result, narrow, plan, as_json)
    if figures is not None:
        plotting.fit_figures(result, figures, narrow)
    # Last: a film that has no such values is an error, and the report says how it came about.
    write_stack(result, out, name, reference, accept_unconverged=accept_unconverged)
    if not as_json:
        console.print(f"wrote {out}", highlight=False)


def _print(result: Any, narrow: str | None, plan: Any, as_json: bool) -> None:
    if as_json:
        print_json({**_answer(result), "next": None if plan is None else plan.to_dict("records")})
        return
    console.print(result.report(), highlight=False)
    if plan is not None:
        kelvin, plan = plan["temperature_K"].iloc[0], plan.drop(columns="temperature_K")
        title = f"[[Next measurements]] that narrow {narrow}, 10000 writes each, at {kelvin:g} K"
        console.print(title, highlight=False)
        console.print(plan.to_string(index=False, float_format="{:.4g}".format), highlight=False)
        console.print(
            f"    probability: of a write to switch; standard_error: of {narrow} once this row and those "
            "above it are measured; narrowing: that over the present one",
            highlight=False,
        )


def _mean_diameter(tables: Any) -> float:
    from mtjchar.stackfit import fit_wafer

    wafers = [table for table in tables if table.kind == "wafer"]
    if wafers and "diameter_m" in wafers[0].rows:
        return float(fit_wafer(*wafers).parameters["mean"]["diameter"])
    raise InputError(
        "--diameter", value=None, allowed='that of the junction, such as "40 nm"',
        remedy="Or give a wafer table that has diameters.",
    )  # fmt: skip


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _answer(result: Any) -> dict[str, Any]:
    from mtjchar.stackfit.stackfile import fit_table

    return {
        **fit_table(result),
        "dispersion": result.dispersion,
        "aic": result.aic,
        "bic": result.bic,
        "derived": result.derived().to_dict(orient="index"),
        "correlation": result.correlation().to_dict(),
        "loops": result.coercive.to_dict(orient="index"),
    }
