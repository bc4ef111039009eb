"""What `mtjchar fit` says, and where: report, JSON, files, figures and errors."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from mtjchar.stackfit import Film, pulses_at, simulate_counts
from mtjchar.study import load_stack

STACK = "data/stacks/ikeda2010.toml"
FILM = Film(load_stack(STACK), 40e-9)


def counts_file(path, film, durations=(2e-9, 2e-8, 1e-6), values=None, trials=2000, temperature=None):
    """Simulated counts of a film as a table of a tester."""
    pulses = pulses_at(film, durations, [0.2, 0.8], values=values)
    if temperature is not None:
        pulses["temperature_K"] = temperature
    rows = simulate_counts(film, pulses, np.random.default_rng(1), trials=trials, values=values)
    rows.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return counts_file(tmp_path_factory.mktemp("fit") / "counts.csv", FILM)


@pytest.fixture
def fit(call, tmp_path):
    """`mtjchar fit` of tables with the stack and diameter that they are from, into fitted.toml."""

    def fit(*arguments):
        given = [str(one) for one in arguments]
        for name, value in (
            ("--stack", STACK), ("--diameter", "40 nm"), ("--out", tmp_path / "fitted.toml"),
        ):  # fmt: skip
            given += [] if name in given else [name, value]
        return call("fit", *given)

    return fit


def test_open_intervals_are_null_in_json(tmp_path, fit):
    # A few writes with short pulses leave the stability open.
    few = counts_file(tmp_path / "few.csv", FILM, durations=(2e-9, 4e-9), trials=12)
    code, text, _ = fit(few, "--vary", "stability,critical_current,relaxation_time", "--json")
    assert code == 0
    interval = json.loads(text)["device"]["stability"]["interval"]
    assert None in interval
    content = tomllib.loads((tmp_path / "fitted.toml").read_text(encoding="utf-8"))
    assert np.inf in np.abs(content["fit"]["device"]["stability"]["interval"])


@pytest.mark.parametrize("option", ["data", "--stack", "--columns"])
def test_input_files_are_never_overwritten(data, tmp_path, fit, option):
    contents = {"data": data.read_bytes(), "--stack": Path(STACK).read_bytes(), "--columns": b"[columns]\n"}
    own = tmp_path / "input"
    own.write_bytes(contents[option])
    other = tmp_path / "." / "input"  # another name of the same file
    given = [own] if option == "data" else [data, option, own]
    code, _, error = fit(*given, "--out", other)
    assert code == 2
    assert "--out: got" in error
    assert "a file that is not read" in error
    assert own.read_bytes() == contents[option]


def test_places_that_cannot_be_written_are_refused_first(data, tmp_path, fit, call):
    code, _, error = fit("no-such-table.csv", "--out", tmp_path)
    assert code == 2
    assert "allowed: a file that can be written. It is a directory." in error
    code, _, error = fit("no-such-table.csv", "--figures", data)
    assert code == 2
    assert "--figures: got" in error
    assert "a directory that can be written" in error
    code, _, error = call("report", "no-such-run", "--out", tmp_path)
    assert code == 2
    assert "It is a directory." in error
