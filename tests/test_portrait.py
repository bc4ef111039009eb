"""Figures of a cell and its devices: what a kind hands to a report, and how they are drawn."""

import shutil

import numpy as np
import pytest
from common import DEMO
from matplotlib.figure import Figure

import mtjchar
from mtjchar.cells.stt import portrait as stt_portrait
from mtjchar.errors import InputError, SimulationError
from mtjchar.plotting import device_tail, portrait
from mtjchar.report.chapters import _devices, _few_devices, _rates, limits, reference_pulses
from mtjchar.statistics import weighted_mean
from mtjchar.surfaces import DeviceRates
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory

RUN = mtjchar.example_run()
PULSES = {name: DEMO.pulses.at(0.8, 12e-9) for name in DEMO.sweep.directions}


@pytest.fixture(scope="module")
def nominal():
    device = Population(DEMO).nominal()
    device.index = ["nominal device"]
    return device


@pytest.fixture(scope="module")
def drawn(nominal):
    return {one.title: one for one in DEMO.kind.portraits(DEMO.tables, nominal, PULSES)}


@pytest.fixture(scope="module")
def rates():
    return DeviceRates.load(RUN.path, RUN.surface)


def test_resistance_is_that_of_the_device(drawn, nominal):
    parallel, antiparallel = drawn["Resistance of the junction"].curves
    device = nominal.iloc[0]
    # At zero bias, and in P at every bias: docs/study.md.
    np.testing.assert_allclose(1e3 * parallel.y, device["parallel_resistance_ohm"], rtol=1e-12)
    at_zero = np.interp(0.0, antiparallel.x, antiparallel.y)
    assert 1e3 * at_zero == pytest.approx(device["antiparallel_resistance_ohm"], rel=1e-12)
    assert antiparallel.y[0] < at_zero


@pytest.mark.parametrize("title", ["Load line, P → AP", "Load line, AP → P"])
def test_load_lines_end_on_the_curves_of_the_junction(drawn, title):
    in_p, in_ap, *lines = drawn[title].curves
    assert len(lines) == 2
    for line in lines:
        # From AP to P. Both come from the law of the junction; ngspice solves it to its reltol of 1e-3.
        for curve, end in ((in_ap, 0), (in_p, -1)):
            assert line.y[end] == pytest.approx(np.interp(line.x[end], curve.x, curve.y), rel=2e-3)
        # What the junction does not take, transistor and lines do.
        assert line.x.max() < 0.8


@pytest.mark.parametrize(
    ("title", "start"), [("State during a write, P → AP", 1.0), ("State during a write, AP → P", -1.0)]
)
def test_a_write_ends_in_the_other_state(drawn, title, start):
    (line,) = drawn[title].curves
    assert line.name == "nominal device"
    assert line.y[0] == pytest.approx(start, abs=0.05)
    assert line.y[-1] == pytest.approx(-start, abs=0.01)
    assert line.x[-1] > 12.0  # ns


@pytest.mark.parametrize("broken", ["load_lines", "write_waveforms"])
def test_without_ngspice_a_figure_says_why_it_is_missing(nominal, monkeypatch, broken):
    def fail(*_):
        raise SimulationError("no ngspice here")

    monkeypatch.setattr(stt_portrait, broken, fail)
    missing = [one for one in DEMO.kind.portraits(DEMO.tables, nominal, PULSES) if not one.curves]
    assert len(missing) == (2 if broken == "load_lines" else 4)
    assert all(one.text == "Not drawn: ngspice could not compute it here. no ngspice here" for one in missing)


def test_portraits_are_drawn_with_their_labels(drawn):
    for one in drawn.values():
        axes = portrait(one, Figure().subplots())
        assert axes.get_title() == one.title
        assert axes.get_xlabel() == one.x_label
        assert [line.get_label() for line in axes.lines] == [curve.name for curve in one.curves]
        styles = [(line.get_linestyle(), line.get_color()) for line in axes.lines]
        assert len(set(styles)) == len(styles)


def test_the_tail_of_the_devices(rates):
    direction, pulse = RUN.surface.directions[0], (0.8, 10e-9)
    axes = device_tail(rates, direction, *pulse, ax=Figure().subplots())
    devices, carried = axes.lines[:2]
    own = rates.rates(direction, *pulse)
    for value in np.quantile(own, [0.1, 0.5, 0.9]):
        # By its definition, on devices that lie beside the value.
        place = np.flatnonzero(devices.get_xdata() >= value)[-1]
        at = devices.get_xdata()[place]
        above = own >= at
        assert devices.get_ydata()[place] == pytest.approx(rates.weight[above].sum() / rates.weight.sum())
        share = (rates.weight * own)[above].sum() / (rates.weight * own).sum()
        assert carried.get_ydata()[place] == pytest.approx(share)
    assert weighted_mean(own, rates.weight) == pytest.approx(axes.lines[2].get_xdata()[0], rel=1e-6)
    with pytest.raises(InputError, match="devices: got 0"):
        device_tail(DeviceRates(RUN.surface, np.empty(0), {}), direction, *pulse)


def test_weak_and_strong_devices_are(rates):
    directory, surface = RunDirectory.open(RUN.path), RUN.surface
    pulses = reference_pulses(surface)
    few = _few_devices(directory, surface, pulses, rates)
    assert few.index[0] == "nominal device"
    assert [name.split()[0] for name in few.index] == ["nominal", "strong", "weak"]
    for direction, pulse in pulses.items():
        # The pulse reaches 1e-6 with the nominal amplitude, by its definition.
        assert float(surface.ber(direction, *pulse)) == pytest.approx(1e-6, rel=1e-3)
        rows = [
            int(np.flatnonzero(directory.devices()["device"] == few["device"].iloc[k])[0]) for k in (1, 2)
        ]
        strong, weak = rates.rates(direction, *pulse)[rows]
        assert weak > 1e-6 > strong


def test_samples_that_are_missing_leave_a_page(tmp_path):
    folder = shutil.copytree(RUN.path, tmp_path / "run")
    shutil.rmtree(folder / "samples")
    directory, surface = RunDirectory.open(folder), RUN.surface
    devices = _devices(directory, surface, reference_pulses(surface), *_rates(directory, surface))
    assert devices.drawings == []
    assert "The error rates of single devices are not drawn." in devices.text


def test_limits_name_what_the_run_has():
    said = " ".join(limits(RUN.surface))
    assert "Student's t" in said
    assert "Losses between the supply and the drivers are not known." in said
    assert all(limit in said for limit in RUN.study.kind.limits)


def test_the_tail_of_devices_that_are_alike():
    # Rates that differ by rounding only: there were warnings of matplotlib, which are errors here.
    direction, pulse = RUN.surface.directions[0], (0.8, 10e-9)
    mean = float(RUN.surface.ber(direction, *pulse))

    class Alike(DeviceRates):
        def rates(self, *_):
            return np.array([mean * (1.0 + 1e-15)])

    axes = device_tail(Alike(RUN.surface, np.ones(1), {}), direction, *pulse, ax=Figure().subplots())
    low, high = axes.get_xlim()
    assert low < 0.6 * mean
    assert high > 1.9 * mean
