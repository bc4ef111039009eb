"""What does a fit say of data that are spoiled? Simulated tables with something wrong in them, fitted.

    .venv/bin/python scripts/fit_spoiled.py                   all ways of spoiling, and clean data
    .venv/bin/python scripts/fit_spoiled.py --only drift      one way

Prints the table of docs/fitting.md: for each way the largest deviation of a fitted value from the truth in
standard errors, and the causes that the warning names first and second, with the first seed. The last column
counts the seeds with which all values are within three standard errors or the cause is among the first two.
Counts are drawn from the Fokker-Planck solver.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from mtjchar.stackfit import Film, FitWarning, StackFit, fit_stack, pulses_at, table_of
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses
from mtjchar.study import load_stack

FloatArray = npt.NDArray[np.float64]
Values = Mapping[str, Any]

DURATIONS = np.geomspace(1e-9, 1e-6, 8)
LEVELS = (0.90, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35)  # over the amplitude at which half of the writes succeed
DEVICE = ("stability", "critical_current", "relaxation_time")
TRIALS = 10_000


def sato() -> Film:
    """Sato's double interface at 20 nm."""
    return Film(load_stack("data/stacks/sato2013.toml"), 20e-9)


def ikeda() -> Film:
    """Ikeda's stack with a thin barrier at 40 nm."""
    stack = load_stack("data/stacks/ikeda2010.toml").model_copy(
        update={"resistance_area_product": 5e-12, "torque": "current"}
    )
    return Film(stack, 40e-9)


def design(junction: Film, current: bool = False, temperatures: tuple[float, ...] = ()) -> pd.DataFrame:
    """Pulses of a tester: both directions, eight durations, seven amplitudes."""
    middle = pulses_at(junction, DURATIONS, [0.5], current=current)
    column = "current_A" if current else "amplitude_V"
    rows = pd.concat([middle.assign(**{column: level * middle[column]}) for level in LEVELS])
    rows = rows.sort_values(["direction", "duration_s", column], ignore_index=True)
    if not temperatures:
        return rows
    return pd.concat([rows.assign(temperature_K=one) for one in temperatures], ignore_index=True)


@dataclasses.dataclass
class Tester:
    """Draws counts of pulses, by the solver."""

    junction: Film
    rows: pd.DataFrame
    rng: np.random.Generator
    trials: int = TRIALS

    @property
    def pulses(self) -> Pulses:
        """Pulses as the table has them."""
        return Pulses.of(self.rows, 300.0)

    @property
    def order(self) -> FloatArray:
        """From 0 at the first row to 1 at the last."""
        return np.linspace(0.0, 1.0, len(self.rows))

    @property
    def sign(self) -> FloatArray:
        """1 for P to AP, -1 for AP to P."""
        return np.where(self.pulses.reverse, -1.0, 1.0)

    def rate(self, pulses: Pulses | None = None, **factors: Any) -> FloatArray:
        """Error rates with values of the device multiplied, or others set by name."""
        values: dict[str, Any] = dict(nominal_values(self.junction))
        for name, one in factors.items():
            if name == "anisotropy":
                for key, power in zip(DEVICE, (1.0, 1.0, -1.0), strict=True):
                    values[key] = values[key] * np.asarray(one) ** power
            elif name in DEVICE:
                values[name] = values[name] * one
            else:
                values[name] = one
        model = SwitchingModel(self.junction)
        return np.clip(model.solved_error_rate(values, pulses or self.pulses), 0.0, 1.0)

    def changed(self, **change: Any) -> Pulses:
        """Return pulses that differ from what the table says."""
        own = {one.name: getattr(self.pulses, one.name) for one in dataclasses.fields(Pulses)}
        return Pulses(**{**own, **change})

    def count(self, error_rate: FloatArray, trials: int | None = None) -> pd.DataFrame:
        """Table with counts."""
        n = self.trials if trials is None else trials
        switched = self.rng.binomial(n, np.clip(1.0 - error_rate, 0.0, 1.0))
        return self.rows.assign(trials=n, switched=switched)


Spoil = Callable[[Tester, float], pd.DataFrame]


def _heating(tester: Tester, kelvin: float) -> pd.DataFrame:
    pulses = tester.pulses
    power = pulses.amplitude**2 / np.where(pulses.reverse, 1.7, 1.0)
    return tester.count(
        tester.rate(tester.changed(temperature=pulses.temperature + kelvin * power / power.max()))
    )


def _back_hopping(tester: Tester, share: float) -> pd.DataFrame:
    pulses, rate = tester.pulses, tester.rate()
    ends = 0.93 * pulses.amplitude.max()
    back = share / (1.0 + np.exp((ends - pulses.amplitude) / (0.04 * ends)))
    return tester.count(rate + (1.0 - rate) * back)


def _two_devices(tester: Tester, shift: float) -> pd.DataFrame:
    one = tester.rate(critical_current=1.0 - 0.5 * shift)
    return tester.count(0.5 * (one + tester.rate(critical_current=1.0 + 0.5 * shift)))


def _overstated(tester: Tester, factor: float) -> pd.DataFrame:
    few = tester.count(tester.rate(), trials=int(tester.trials / factor))
    return few.assign(trials=tester.trials, switched=(factor * few["switched"]).astype(int))


def _swapped(tester: Tester, field: float) -> pd.DataFrame:
    rows = tester.count(tester.rate(offset_field=field))
    return rows.assign(direction=rows["direction"].map({"p_to_ap": "ap_to_p", "ap_to_p": "p_to_ap"}))


def _left_out(tester: Tester, kelvin: float) -> pd.DataFrame:
    warm = np.where(tester.order > 0.5, 300.0 + kelvin, 300.0)
    return tester.count(tester.rate(tester.changed(temperature=warm))).drop(columns="temperature_K")


def _wrong_rows(tester: Tester, count: float) -> pd.DataFrame:
    rows = tester.count(tester.rate())
    share = rows["switched"] / rows["trials"]
    inside = np.flatnonzero((share > 0.05) & (share < 0.95))
    wrong = tester.rng.choice(inside, int(count), replace=False)
    rows.loc[wrong, "switched"] = rows["trials"][wrong] - rows["switched"][wrong]
    return rows


def _unsteady(tester: Tester, size: float) -> pd.DataFrame:
    noise = 1.0 + size * tester.rng.standard_normal(len(tester.rows))
    return tester.count(tester.rate(tester.pulses.at(tester.pulses.amplitude * noise)))


def _by_time(change: Callable[[Tester, FloatArray], FloatArray]) -> Spoil:
    return lambda tester, size: tester.count(change(tester, 1.0 + size * tester.order))


@dataclasses.dataclass(frozen=True)
class Way:
    """A way of spoiling data.

    Attributes
    ----------
    name, size : str
        What is done.
    spoil : callable
    sizes : tuple of float
        A large and a small one.
    causes : tuple of str
        Keys of the diagnosis that name it.
    options : dict
        Of the tester: ``current``, ``temperatures``, ``junction``; of the fit: ``vary``.
    """

    name: str
    size: str
    spoil: Spoil
    sizes: tuple[float, ...]
    causes: tuple[str, ...]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


TWO = {"temperatures": (300.0, 358.0)}
DEVICES = ("two parts", "drift")

WAYS = [
    Way("series resistance", "{:g} ohm", lambda t, c: t.count(t.rate(series_resistance=c)),
        (300.0, 50.0), ("series resistance",), {"junction": ikeda}),
    Way("tester gain", "{:+.0%}", lambda t, c: t.count(t.rate(t.pulses.at(t.pulses.amplitude * (1 + c)))),
        (0.05, 0.01), ("gain",)),
    Way("offset of the amplitude", "{:g} V",
        lambda t, c: t.count(t.rate(t.pulses.at(t.pulses.amplitude + c))),
        (0.02, 0.003), ("amplitude offset",)),
    Way("clipped amplitudes", "{:.0%} of the largest", lambda t, c: t.count(t.rate(t.pulses.at(np.minimum(
        t.pulses.amplitude, (1 - c) * t.pulses.amplitude.max())))), (0.25, 0.15), ("clipping",)),
    Way("pulses too short", "{:g} s", lambda t, c: t.count(t.rate(t.changed(duration=t.pulses.duration - c))),
        (2e-10, 2e-11), ("pulse duration",)),
    Way("pulses too long", "{:g} s", lambda t, c: t.count(t.rate(t.changed(duration=t.pulses.duration + c))),
        (2e-10, 2e-11), ("pulse duration",)),
    Way("slow edges", "{:g} s", lambda t, c: t.count(t.rate(t.pulses.at(t.pulses.amplitude * (
        1 - c / t.pulses.duration * (1 - np.exp(-t.pulses.duration / c)))))), (1e-10, 2e-11),
        ("pulse edges",)),
    Way("two populations", "Ic0 {:.0%} apart", _two_devices, (0.1, 0.03), ("two populations",)),
    Way("drift", "Ic0 {:+.1%} over the table", _by_time(lambda t, f: t.rate(critical_current=f)),
        (0.02, 0.004), ("drift",)),
    Way("drift of the anisotropy", "{:+.1%} over the table", _by_time(lambda t, f: t.rate(anisotropy=f)),
        (0.03, 0.006), ("drift",)),
    Way("stuck at 0.99", "{:.2%} never switch", lambda t, c: t.count(t.rate() + (1 - t.rate()) * c),
        (0.01, 0.0005), ("stuck bits",)),
    Way("stuck bits in P", "{:.2%}", lambda t, c: t.count(np.where(t.pulses.reverse, t.rate() * (1 - c),
        c + t.rate() * (1 - c))), (0.01, 0.0005), ("stuck bits",)),
    Way("heating", "{:g} K", _heating, (30.0, 5.0), ("heating",)),
    Way("back-hopping", "{:.1%} at the largest", _back_hopping, (0.1, 0.003), ("back-hopping",)),
    Way("read errors", "{:.2%}", lambda t, c: t.count(c + (1 - 2 * c) * t.rate()), (0.01, 0.0005),
        ("read errors",)),
    Way("incomplete reset", "{:.2%}", lambda t, c: t.count((1 - c) * t.rate()), (0.02, 0.001),
        ("incomplete reset",)),
    Way("a temperature left out", "{:g} K warmer", _left_out, (58.0, 5.0), ("two parts",), TWO),
    Way("wrong temperature exponent", "anisotropy, T^{:g}", lambda t, c: t.count(t.rate(
        anisotropy=(t.pulses.temperature / 300) ** c)), (-1.0, -0.05), ("temperature law",), TWO),
    Way("a wrong temperature", "{:+g} K of 58", lambda t, c: t.count(t.rate(t.changed(temperature=np.where(
        t.pulses.temperature > 300, 358 + c, 300)))), (-10.0, -1.5), ("temperature law",), TWO),
    Way("overstated trials", "{:g} times", _overstated, (4.0, 2.0), ("trials",)),
    Way("VCMA", "{:+.1%} at the largest", lambda t, c: t.count(t.rate(
        anisotropy=1 + c * t.sign * t.pulses.amplitude / t.pulses.amplitude.max())), (0.05, 0.005),
        ("voltage-controlled anisotropy",)),
    Way("stray field left out", "{:g} T", lambda t, c: t.count(t.rate(offset_field=c)), (0.01, 0.001),
        ("offset field",)),
    Way("asymmetric torque left out", "lambda {:g}", lambda t, c: t.count(t.rate(slonczewski_lambda=c)),
        (1.2, 1.01), ("torque asymmetry",)),
    Way("wrong TMR", "{:g}", lambda t, c: t.count(t.rate(tmr=c)), (1.2, 1.02), ("TMR",)),
    Way("swapped directions", "{:g} T stray field", _swapped, (0.0,), ("swapped",)),
    Way("swapped directions, in A, offset fitted", "{:g} T stray field", _swapped, (0.01,), ("swapped",),
        {"current": True, "vary": [*DEVICE, "offset_field"]}),
    Way("wrong rows", "{:g}", _wrong_rows, (3.0, 1.0), ("outliers", "wrong (")),
    Way("unsteady amplitude", "{:.1%} a row", _unsteady, (0.02, 0.005), ("amplitudes that differ",)),
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a fit made of a set: largest deviation in standard errors, and where the cause is named."""

    deviation: float
    named: int  # 1, 2; 0: not
    first: str
    second: str

    @property
    def fine(self) -> bool:
        """Whether the values hold, or the cause is among the first two."""
        return self.deviation <= 3.0 or self.named in (1, 2)


class Designs:
    """Pulses of each design, found once."""

    def __init__(self) -> None:
        self._rows: dict[str, pd.DataFrame] = {}

    def tester(self, options: Mapping[str, Any], rng: np.random.Generator) -> Tester:
        """Return a tester with the pulses of a design."""
        own = {key: one for key, one in options.items() if key in ("current", "temperatures")}
        junction = options.get("junction", sato)
        key = f"{junction.__name__} {own}"
        if key not in self._rows:
            self._rows[key] = design(junction(), **own)
        return Tester(junction(), self._rows[key], rng)


def fitted(tester: Tester, rows: pd.DataFrame, vary: list[str] | None = None) -> StackFit:
    """Fit a table, warnings kept in the fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return fit_stack([table_of(rows)], tester.junction, vary=vary, starts=1, intervals=False)


def outcome(designs: Designs, way: Way, size: float, seed: int) -> Outcome:
    """Spoil, fit, and look for the cause in the warnings."""
    rng = np.random.default_rng([seed, WAYS.index(way), way.sizes.index(size)])
    tester = designs.tester(way.options, rng)
    fit = fitted(tester, way.spoil(tester, size), way.options.get("vary"))
    places = [tuple((one.key, one.words) for one in place) for place in fit.diagnosis.places]
    places += [((words, words),) for words in fit.diagnosis.scatter]
    if any("swapped" in message for message in fit.messages):
        places.insert(0, (("swapped", "swapped directions"),))
    named = [k + 1 for k, place in enumerate(places) if any(_is(way, key) for key, _ in place)]
    return Outcome(_deviation(fit, tester, size), named[0] if named else 0, *_shown(places))


def _is(way: Way, key: str) -> bool:
    return any(one in key for one in way.causes)


def _shown(places: list[tuple[tuple[str, str], ...]]) -> tuple[str, str]:
    first, second = (
        "; or ".join([words for _, words in place[:1]] + [key for key, _ in place[1:]])
        for place in [*places, (), ()][:2]
    )
    return first or "no warning", second


def _deviation(fit: StackFit, tester: Tester, size: float) -> float:
    truth = nominal_values(tester.junction)
    if "offset_field" in fit.problem.free:
        truth["offset_field"] = size
    table = fit.table()
    distances = [
        abs(table.loc[name, "value"] - truth[name]) / table.loc[name, "standard_error"]
        for name in table.index
    ]
    return float(max(distances))


def show_ways(designs: Designs, ways: list[Way], seeds: list[int]) -> None:
    """Print a row of the table for each way and size: the first seed in full, of all a count."""
    print("| what is wrong | size | deviation, σ | named first | second | fine |")
    print("|---|---|---|---|---|---|")
    for way in ways:
        for size in way.sizes:
            found = [outcome(designs, way, size, seed) for seed in seeds]
            first, fine = found[0], sum(one.fine for one in found)
            cells = [way.name, way.size.format(size), f"{first.deviation:.1f}", first.first, first.second]
            print("|", " | ".join([*cells, f"{fine} of {len(found)}"]), "|", flush=True)


def show_clean(designs: Designs, count: int, seed: int) -> None:
    """Count the alarms of clean data: counts of many and of few trials, and thresholds."""
    for name, draw in (
        ("1e4 trials", _counts(10_000)),
        ("50 trials", _counts(50)),
        ("thresholds", _thresholds),
    ):
        alarms = 0
        for number in range(count):
            tester = designs.tester({}, np.random.default_rng([seed, 1000, number]))
            alarms += fitted(tester, draw(tester)).diagnosis.alarm
        print(f"clean data, {name}: {alarms} alarms in {count} sets")


def _counts(trials: int) -> Callable[[Tester], pd.DataFrame]:
    return lambda tester: tester.count(tester.rate(), trials=trials)


def _thresholds(tester: Tester) -> pd.DataFrame:
    rows = tester.rows.iloc[LEVELS.index(1.0) :: len(LEVELS)]
    noise = 1.0 + 0.01 * tester.rng.standard_normal(len(rows))
    return rows.assign(amplitude_V=rows["amplitude_V"] * noise, probability=0.5)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="name of one way")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sets", type=int, default=3, help="data sets of each way and size")
    parser.add_argument("--clean", type=int, default=50, help="clean data sets of each kind")
    options = parser.parse_args()
    ways = [way for way in WAYS if options.only in (None, way.name)]
    seeds = [options.seed + k for k in range(options.sets)]
    with threadpool_limits(1):
        designs = Designs()
        show_ways(designs, ways, seeds)
        if options.only is None and options.clean:
            show_clean(designs, options.clean, options.seed)


if __name__ == "__main__":
    main()
