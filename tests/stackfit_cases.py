"""What the tests of fits share: a film, its true device, and simulated counts."""

import warnings

import numpy as np
from common import ROOT, with_values

from mtjchar.stackfit import (
    Film,
    FitWarning,
    fit_stack,
    pulses_at,
    simulate_counts,
)
from mtjchar.study import load_stack, load_study

STACK = with_values(
    load_stack(ROOT / "data/stacks/ikeda2010.toml"), resistance_area_product=5e-12, torque="current"
)
FILM = Film(STACK, 40e-9)
TRUTH = {"stability": 48.0, "critical_current": 5.3e-5, "relaxation_time": 1.05e-9}
DURATIONS, SHARES = np.geomspace(1e-9, 1e-6, 5), (0.05, 0.3, 0.7, 0.95)
HEADER = "direction,amplitude_mV,duration_ns,trials,switched\n"
GOOD = "P->AP,500,10,1000,412\n"
FAR = 6.2  # standard errors: by chance 6e-10 for one normal value


def written(folder, text, name="data.csv"):
    """A table as a tester writes it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def counts(seed, values=TRUTH, **options):
    rng = np.random.default_rng(seed)
    return simulate_counts(
        FILM, pulses_at(FILM, DURATIONS, SHARES, values=values, **options), rng, values=values
    )


def distances(fit, truth):
    table = fit.table()
    return {
        name: (table.loc[name, "value"] - truth[name]) / table.loc[name, "standard_error"]
        for name in table.index
    }


def fit_stack_quietly(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return fit_stack(*arguments, **options)


STUDY = """
stack = "fitted.toml"
[junction]
diameter = "40 nm"
[variability]
{variability}
[sweep]
amplitude = {{ start = "0.3 V", stop = "1 V", points = 3 }}
duration = {{ start = "1 ns", stop = "30 ns", points = 4 }}
devices = {devices}
"""


def study_of(folder, variability, devices=64):
    """A study of the stack that was fitted, beside its file."""
    path = folder / "study.toml"
    path.write_text(STUDY.format(variability=variability, devices=devices), encoding="utf-8")
    return load_study(path)
