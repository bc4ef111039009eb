"""The command that fits a stack to tester data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mtjchar.cli import completion
from mtjchar.cli.common import AsJson, console, error_console, print_json, quantity, writable, writable_file
from mtjchar.errors import InputError, did_you_mean
from mtjchar.units import parse_quantity

_DIAMETER = typer.Option(
    parser=quantity("m", "diameter"),
    metavar="D",
    help='Diameter of the junction, such as "40 nm" (default: the mean diameter of a wafer table).',
)
_TEMPERATURE = typer.Option(
    parser=quantity("K", "temperature"),
    metavar="T",
    help='Temperature, such as "85 degC", of rows that give none; results are reported at it '
    "(default: 300 K).",
)


def fit(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Measured tables: text, .xlsx, Parquet, HDF5, MATLAB, also packed with gzip or zip.",
        ),
    ],
    stack: Annotated[
        Path | None,
        typer.Option(
            "--stack",
            metavar="STACK",
            help="Stack file (TOML) or name of a stack: initial values, and the values that are not fitted.",
            autocompletion=completion.files_or("stacks"),
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FITTED", help="Stack file (TOML) to write.")
    ] = None,
    diameter: Annotated[float | None, _DIAMETER] = None,
    vary: Annotated[
        str | None,
        typer.Option(
            "--vary",
            metavar="NAME,...",
            help="Parameters to fit; all others keep the value of STACK. Default: the parameters that DATA "
            "can determine, out of stability, critical_current, relaxation_time and, with R-H loops, "
            "offset_field.",
        ),
    ] = None,
    per_direction: Annotated[
        str,
        typer.Option(
            "--per-direction",
            metavar="NAME,...",
            help="Parameters fitted separately for each write direction.",
        ),
    ] = "",
    terms: Annotated[
        str,
        typer.Option(
            "--terms",
            metavar="NAME,...",
            help="Effects beyond one macrospin with ideal pulses that are fitted too, such as self_heating; "
            "auto: those that DATA ask for, by comparison. docs/fitting.md lists them.",
        ),
    ] = "",
    fix: Annotated[
        str,
        typer.Option(
            "--fix",
            metavar="NAME=VALUE,...",
            help='Known values of parameters, which replace those of STACK, such as "series_resistance=120 '
            'ohm". A parameter that varies starts there.',
        ),
    ] = "",
    temperature: Annotated[float | None, _TEMPERATURE] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules",
            "--columns",
            metavar="FILE",
            help="File (TOML) with names and units of columns, values that all rows share, and words.",
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print how each file is understood; fit and write nothing.")
    ] = False,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="Use the rows of this device alone.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="EXPRESSION",
            help='Use the rows for which this holds, such as "temperature_K < 330"; --show has the columns.',
        ),
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip bad rows and report how many.")] = False,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="Name of the new stack.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="TEXT", help="Source of the data.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Directory for figures.")
    ] = None,
    narrow: Annotated[
        str | None,
        typer.Option(
            "--narrow",
            metavar="NAME",
            help="Also plan the pulses that would best reduce the uncertainty of this parameter.",
        ),
    ] = None,
    accept_unconverged: Annotated[
        bool, typer.Option("--accept-unconverged", help="Write FITTED even if the fit has not converged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fit a stack to tester data: values, intervals, and what the data do not determine.

    DATA are tables of switching counts, switching thresholds, R-V curves and R-H loops, which are fitted
    together. Wafer tables give the spread of devices. docs/tester_files.md describes the files. A study can
    use FITTED as its stack.
    """
    from mtjchar.stackfit import read_tables
    from mtjchar.stackfit.data.show import table_answer, table_lines

    if show:
        tables = read_tables(data, rules, skip_bad=skip_bad, device=device, where=where)
        if as_json:
            print_json([table_answer(table) for table in tables])
        for table in () if as_json else tables:
            console.print("\n".join(table_lines(table)), highlight=False)
        return
    stack, out = _needed("--stack", stack), _needed("--out", out)
    from mtjchar import plotting
    from mtjchar.stackfit import Film, compare_terms, next_measurements, write_stack
    from mtjchar.stackfit.design import check_plan
    from mtjchar.stackfit.fit import solve
    from mtjchar.stackfit.setup import set_up
    from mtjchar.stackfit.stackfile import check_names
    from mtjchar.study import load_stack

    writable_file(out, [*data, stack, *([] if rules is None else [rules])])
    if figures is not None:
        writable(figures, "--figures")
    believed = load_stack(stack)
    check_names(believed, name, reference)
    tables = read_tables(data, rules, skip_bad=skip_bad, device=device, where=where)
    if diameter is None:
        diameter = _mean_diameter(tables)
    film = Film(believed, diameter, 300.0 if temperature is None else temperature)
    varied, split = None if vary is None else _names(vary), _names(per_direction)
    start, added, comparison = _known(fix), _names(terms), None
    if added == ["auto"]:
        with error_console.status("Comparing terms") as status:
            comparison = compare_terms(
                tables, film, vary=varied, per_direction=split, start=start,
                progress=lambda model: status.update(f"Comparing terms: {model}"),
            )  # fmt: skip
        result = comparison.fit
        if narrow is not None:
            check_plan(result.problem, narrow)
    else:
        setup = set_up(tables, film, varied, split, start, added)
        if narrow is not None:
            check_plan(setup.problem, narrow)
        result = solve(setup)
    # On a terminal they are in the report, and are not repeated.
    for message in result.messages if as_json or not console.is_terminal else ():
        error_console.print(f"Warning: {message}", style="yellow", highlight=False)
    plan = None if narrow is None else next_measurements(result, narrow)
    _print(result, narrow, plan, as_json, comparison)
    if figures is not None:
        plotting.fit_figures(result, figures, narrow)
    # Last: a film without such values is an error, and the report explains its cause.
    write_stack(result, out, name, reference, accept_unconverged=accept_unconverged)
    if not as_json:
        console.print(f"wrote {out}", highlight=False)


def _needed(option: str, value: Path | None) -> Path:
    if value is None:
        raise InputError(
            option, value=None, allowed="a file", problem=f"{option} is missing (required).",
            remedy="Only --show does without it.",
        )  # fmt: skip
    return value


def _print(result: Any, narrow: str | None, plan: Any, as_json: bool, comparison: Any) -> None:
    if as_json:
        compared = {} if comparison is None else {"terms": comparison.answer()}
        print_json({**_answer(result), **compared, "next": None if plan is None else plan.to_dict("records")})
        return
    console.print(result.report(), highlight=False)
    if comparison is not None:
        console.print(comparison.report(), highlight=False)
    if plan is not None:
        kelvin, plan = plan["temperature_K"].iloc[0], plan.drop(columns="temperature_K")
        title = f"[[Next measurements]] that narrow {narrow}, 10000 writes each, at {kelvin:g} K"
        console.print(title, highlight=False)
        console.print(plan.to_string(index=False, float_format="{:.4g}".format), highlight=False)
        console.print(
            f"    probability: that a write switches; standard_error: of {narrow} after measuring this row "
            "and all rows above it; narrowing: that error divided by the present one",
            highlight=False,
        )


def _mean_diameter(tables: Any) -> float:
    from mtjchar.stackfit import fit_wafer

    wafers = [table for table in tables if table.kind == "wafer"]
    if wafers and "diameter_m" in wafers[0].rows:
        return float(fit_wafer(*wafers).parameters["mean"]["diameter"])
    raise InputError(
        "--diameter", value=None, allowed='the diameter of the junction, such as "40 nm"',
        problem='--diameter is missing: give the diameter of the junction, such as "40 nm".',
        remedy="A wafer table with diameters gives it too.",
    )  # fmt: skip


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _known(text: str) -> dict[str, float]:
    """Values of parameters by their names, SI."""
    from mtjchar.stackfit import PARAMETERS
    from mtjchar.stackfit.parameters import ALIASES, names_of

    allowed = [full for name in PARAMETERS for full in names_of(name)]
    known = {}
    for part in _names(text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in allowed:
            alias = f"{ALIASES[name]} is the fitted parameter." if name in ALIASES else ""
            raise InputError(
                "--fix", value=part, allowed='parameters with a value, such as "series_resistance=120 ohm"',
                remedy=alias or did_you_mean(name, allowed),
            )  # fmt: skip
        root = next(root for root in PARAMETERS if name in names_of(root))
        known[name] = parse_quantity(value, PARAMETERS[root], thing=f"--fix {name}")
    return known


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
