"""Fits of the measurements in data/published: the tables of docs/published.md.

    .venv/bin/python -m scripts.published                     all of them
    .venv/bin/python -m scripts.published --only rehm         those whose name contains a word
    .venv/bin/python -m scripts.published --terms             which terms of the model the first one asks for

The first table has the fits: parameters with standard errors, dispersion, and what the diagnosis names. The
second compares the slopes of data/published/rehm2023_slopes.csv with what the fit to rehm2023_amplitude.csv
predicts. The third has the temperature laws of the film of data/published/rehm2021_film.csv, which
data/stacks/rehm2021.toml uses. The last has the regressions of the thresholds of
data/published/murray2018_thresholds.csv, by the method of their source.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table as Shown
from scipy.optimize import curve_fit

import mtjchar
from mtjchar.arrays import FloatArray
from mtjchar.stackfit import Film, FitWarning, StackFit, compare_terms, fit_stack, read_tables

__all__ = ["CASES", "Case", "film_laws", "fitted", "main", "regressions", "slopes"]

PUBLISHED = mtjchar.data_path() / "published"
UNITS = {"critical_current": (1e6, "µA"), "relaxation_time": (1e9, "ns"), "dead_time": (1e9, "ns")}
DEVICE = ("stability", "critical_current", "relaxation_time")
MU0 = 4e-7 * np.pi  # T m/A
SATURATED = 'direction == "p_to_ap" and duration_s > 0.015'
"""Rows of murray2018_thresholds.csv at positive currents, without the first loop, which began unsaturated."""
ATTEMPT_TIME = 1e-9  # s; the source of murray2018_thresholds.csv assumes it
LARGEST_CURIE_TEMPERATURE = 1450.0  # K; a stack allows less than 1500 K


@dataclass(frozen=True)
class Case:
    """One fit of published measurements.

    Attributes
    ----------
    files : tuple of str
        Names in data/published, without ".csv".
    stack, diameter : str or None, float
        Stack that comes with mtjchar, and the diameter of the junction in m. Without a stack, amplitudes are
        currents.
    vary : tuple of str or None
        Fitted parameters; None: those that the tables determine.
    per_direction : tuple of str
        Parameters with a value for each direction.
    device : str or None
        Device of the file.
    where : str or None
        Rows of the file.
    """

    files: tuple[str, ...]
    stack: str | None = None
    diameter: float = 40e-9
    vary: tuple[str, ...] | None = None
    per_direction: tuple[str, ...] = ()
    device: str | None = None
    where: str | None = None

    @property
    def name(self) -> str:
        """Files, device and rows."""
        parts = [" + ".join(self.files), *filter(None, (self.device and f"device {self.device}", self.where))]
        return ", ".join(parts)


CASES = (
    Case(("hu2019_stack1",)),
    Case(("hu2019_stack2",)),
    Case(("rehm2023_amplitude",), "rehm2021"),
    Case(("rehm2023_amplitude",), "rehm2021", vary=(*DEVICE, "missed_writes")),
    Case(("rehm2023_duration",), "rehm2021"),
    Case(("rehm2023_duration",), "rehm2021", vary=(*DEVICE, "dead_time")),
    Case(("rehm2023_amplitude", "rehm2023_duration"), "rehm2021", vary=(*DEVICE, "dead_time")),
    Case(("hikstor2026_probability",), device="A", where='direction == "p_to_ap"', vary=DEVICE[1:]),
    Case(("hikstor2026_probability",), device="A", where='direction == "ap_to_p"', vary=DEVICE[1:]),
    Case(("hikstor2026_probability",), device="B", where='direction == "p_to_ap"', vary=DEVICE[1:]),
    Case(("hikstor2026_probability",), device="B", where='direction == "ap_to_p"', vary=DEVICE[1:]),
    Case(("hikstor2026_thresholds",), per_direction=("critical_current",)),
    Case(("murray2018_thresholds",), per_direction=("critical_current",)),
    Case(("murray2018_thresholds",), where=SATURATED),
    Case(("murray2018_thresholds",), where='direction == "ap_to_p"'),
)


COMPARED = (CASES[0],)
"""Those that `--terms` compares models for; the Rehm data, with heating and arrays, take minutes."""


def compared(case: Case) -> None:
    """Print which terms a case asks for."""
    paths = [PUBLISHED / f"{name}.csv" for name in case.files]
    film = None if case.stack is None else Film(mtjchar.load_stack(case.stack), case.diameter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        found = compare_terms(read_tables(paths), film, intervals=False)
    print(f"{case.name}: dispersion {found.fit.dispersion:.3g}, converged: {found.fit.converged}")
    print(found.report())
    print(_values(found.fit), flush=True)


def fitted(case: Case) -> StackFit:
    """Fit one case, without intervals."""
    paths = [PUBLISHED / f"{name}.csv" for name in case.files]
    film = None if case.stack is None else Film(mtjchar.load_stack(case.stack), case.diameter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return fit_stack(
            read_tables(paths, device=case.device, where=case.where), film,
            vary=None if case.vary is None else list(case.vary),
            per_direction=list(case.per_direction), intervals=False, starts=1,
        )  # fmt: skip


def slopes(fit: StackFit) -> pd.DataFrame:
    """Measured and predicted slopes of the share of writes that switch, where it is one half.

    Parameters
    ----------
    fit : StackFit
        To data/published/rehm2023_amplitude.csv.

    Returns
    -------
    DataFrame
        duration_ns; amplitude_V of one half, predicted; slope_per_V, slope_per_K and their predictions.
        Slopes over the amplitude are differences over 2 %. Slopes over the temperature are those between 295
        and 305 K, as the source has them.
    """
    table = pd.read_csv(PUBLISHED / "rehm2023_slopes.csv", comment="#")
    duration = table["duration_ns"].to_numpy() * 1e-9
    half = fit.amplitude("p_to_ap", 0.5, duration)

    def share(factor: float, temperature: float) -> FloatArray:
        return 1.0 - fit.error_rate("p_to_ap", factor * half, duration, temperature=temperature)

    table["amplitude_V"] = half
    table["predicted_per_V"] = (share(1.01, 300.0) - share(0.99, 300.0)) / (0.02 * half)
    table["predicted_per_K"] = (share(1.0, 305.0) - share(1.0, 295.0)) / 10.0
    return table


def film_laws() -> dict[str, tuple[float, float]]:
    """Exponents of the film of data/published/rehm2021_film.csv, with their standard errors.

    The laws are those of a stack: Ms = M0 (1 - (T/T*)^n) and Ki ~ Ms^k, with T* = 1450 K.
    """
    table = pd.read_csv(PUBLISHED / "rehm2021_film.csv", comment="#")
    temperature, moment, effective = table.to_numpy(dtype=np.float64).T

    def law(kelvin: FloatArray, at_zero: float, exponent: float) -> FloatArray:
        return at_zero * (1.0 - (kelvin / LARGEST_CURIE_TEMPERATURE) ** exponent)

    values, covariance = curve_fit(law, temperature, moment, [moment[0], 1.5])
    interfacial = effective + 0.5 * MU0 * moment**2 * mtjchar.load_stack("rehm2021").free_layer_thickness
    line, spread = np.polyfit(np.log(moment), np.log(interfacial), 1, cov=True)
    return {
        "magnetization_exponent": (float(values[1]), float(np.sqrt(covariance[1, 1]))),
        "anisotropy_exponent": (float(line[0]), float(np.sqrt(spread[0, 0]))),
    }


def regressions() -> dict[str, tuple[float, float]]:
    """Stability and critical current (A) of data/published/murray2018_thresholds.csv by its source's method.

    A straight line is fitted to the thresholds over the logarithm of the duration, in units of 1 ns. The
    critical current is the line at 1 ns. The stability is that current over the fall of the line per unit of
    the logarithm (Pulse_Switching.ipynb of the source). At positive currents the first loop is left out.
    """
    table = pd.read_csv(PUBLISHED / "murray2018_thresholds.csv", comment="#")
    table["duration_s"] = table["duration_ns"] * 1e-9
    found = {}
    for where in (SATURATED, 'direction == "ap_to_p"'):
        rows = table.query(where)
        slope, current = np.polyfit(np.log(rows["duration_s"] / ATTEMPT_TIME), rows["current_uA"] * 1e-6, 1)
        found[str(rows["direction"].iloc[0])] = (float(-current / slope), float(current))
    return found


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="word in the names of the cases")
    parser.add_argument("--terms", action="store_true", help="compare models with and without terms")
    options = parser.parse_args()
    if options.terms:
        for case in COMPARED:
            compared(case)
        return
    chosen = [case for case in CASES if options.only in case.name]
    shown = Shown(title="Fits of data/published")
    for name in ("data", "rows", "fitted", "dispersion", "converged", "the diagnosis names"):
        shown.add_column(name)
    console, fits = Console(width=190), {}
    for case in chosen:
        fits[case] = fit = fitted(case)
        rows = sum(len(table.rows) for table in fit.tables)
        shown.add_row(
            case.name,
            str(rows),
            _values(fit),
            f"{fit.dispersion:.3g}",
            "yes" if fit.converged else "no",
            _named(fit),
        )
    console.print(shown)
    if CASES[2] in fits:
        console.print(slopes(fits[CASES[2]]).round(4).to_string(index=False))
        console.print(film_laws())
    if any(case.files == ("murray2018_thresholds",) for case in chosen):
        console.print(regressions())


def _values(fit: StackFit) -> str:
    derived = fit.derived()
    table = pd.concat([fit.table(), derived[derived.index.str.startswith("linear_exponent")]])
    texts = []
    for name, row in table.iterrows():
        factor, unit = next((UNITS[key] for key in UNITS if key in str(name)), (1.0, ""))
        texts.append(
            f"{name} {factor * row['value']:.4g} ± {factor * row['standard_error']:.2g} {unit}".strip()
        )
    return "\n".join(texts)


def _named(fit: StackFit) -> str:
    found = fit.diagnosis
    if found.places:
        first = found.places[0][0]
        return f"{first.words} ({100.0 * first.explained:.0f} %)"
    return "; ".join(found.scatter) or found.pattern or "nothing"


if __name__ == "__main__":
    main()
