"""A study at corners and temperatures: one folder, one request, the worst case. In the real ngspice."""

import dataclasses
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from common import DEMO, ROOT, InPlace, looks
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from test_compare import scenario
from test_pulses import FINE, energy_of, rate_of
from test_transistor_probe import DEVICE, ENDS, HEAD, MODEL, written

import mtjchar
from mtjchar import plotting
from mtjchar.cells import KINDS, CellKind
from mtjchar.cli.comparison import print_comparison, short_names
from mtjchar.cli.runs import _listed
from mtjchar.errors import InputError, UnreachableError
from mtjchar.plotting.comparison import _styles
from mtjchar.study import Transistor, load_study
from mtjchar.study.scenarios import _name, scenarios
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.comparison import compare
from mtjchar.surfaces.search import cheapest_pulse_of_all
from mtjchar.sweep.events import Ahead, Report
from mtjchar.sweep.run import run_scenarios, run_sweep

# A library as kits have it: one section for switches, one for each corner, which moves the threshold.
LIBRARY = f"""
.lib init
.param spread=0
.endl
.lib tt
.param shift=0
.lib "lib.lib" device
.endl
.lib ff
.param shift=-0.05
.lib "lib.lib" device
.endl
.lib ss
.param shift=0.05
.lib "lib.lib" device
.endl
.lib empty
.param shift=0
.endl
.lib device
{HEAD}{DEVICE.replace("{dvth}", "{dvth+shift+spread}")}{MODEL}{ENDS}
.endl
"""
NAMES = ["tt_m40C", "tt_125C", "ss_m40C", "ss_125C"]


class Here(InPlace):
    """Takes the place of the processes of a sweep: everything is done in the test's own."""

    def __init__(self, _workers=None):
        super().__init__()

    def submit_within(self, _limit, function, *args):
        return self.submit(function, *args)

    def shutdown(self, **_how):
        pass


@pytest.fixture(autouse=True)
def here(monkeypatch):
    for module in ("run", "trial"):
        monkeypatch.setattr(f"mtjchar.sweep.{module}.LocalPool", Here)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    file = written(tmp_path_factory.mktemp("kit"), LIBRARY, "lib.lib")
    transistor = Transistor(model=str(file), section=("init", "tt"), subcircuit="nfet")
    pulses = {"amplitude": {"start": 0.6, "stop": 1.0, "points": 2},
              "duration": {"start": 2e-9, "stop": 30e-9, "points": 4}}  # fmt: skip
    return DEMO.with_(cell={"transistor": transistor}, sweep={**pulses, "devices": 2})


@pytest.fixture(scope="module")
def studies(study):
    return scenarios(study, corners=["tt", "ss"], temperatures=["-40 degC", "125 degC"])


def parts(path):
    return {file.name: file.read_bytes() for file in sorted((path / "samples").iterdir())}


# ---- the studies -----------------------------------------------------------------------------------


def test_studies_are_named_and_differ_in_nothing_else(study, studies):
    assert list(studies) == NAMES
    one = studies["ss_m40C"]
    assert one.cell.transistor.section == ("init", "ss")
    assert one.cell.temperature == 233.15  # exactly: it is the lowest that is allowed
    back = one.with_(cell={"temperature": 300.0, "transistor": study.cell.transistor})
    assert back == study


def test_one_of_both_is_enough(study):
    assert list(scenarios(study, corners=["ff", "tt"])) == ["ff", "tt"]
    assert list(scenarios(DEMO, temperatures=[300.0, "85 degC"])) == ["300K", "85C"]


def test_corners_of_a_kit():
    kit = DEMO.with_(cell={"transistor": Transistor(model="gf180mcu", width=1e-6, length=280e-9)})
    there = scenarios(kit, corners=["tt", "fs"])
    assert [one.cell.transistor.corner for one in there.values()] == ["tt", "fs"]
    with pytest.raises(InputError, match=r"cell\.transistor\.corner: got 'typical'; allowed: one of tt, ff"):
        scenarios(kit, corners=["typical"])


@pytest.mark.parametrize(
    ("kelvin", "name"),
    [
        (233.15, "m40C"), (273.15, "0C"), (298.15, "25C"), (300.0, "300K"), (310.65, "37.5C"),
        (263.05, "m10.1C"), (398.15, "125C"),
    ],
)  # fmt: skip
def test_names_of_temperatures(kelvin, name):
    assert _name(kelvin) == name


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({}, "neither corners nor temperatures"),
        ({"corners": []}, r"corners: got \[\]; allowed: at least one"),
        ({"corners": ["tt", "TT"]}, "corners: got 'TT'; allowed: each once"),
        ({"corners": ["tt", "xx"]}, r"cell\.transistor\.section: got 'xx'; allowed: sections .*ff, init, ss"),
        ({"corners": ["../tt"]}, "corners: got '../tt'; allowed: names of letters"),
        ({"corners": [""]}, "corners: got ''; allowed: names of letters"),
        ({"temperatures": []}, r"temperatures: got \[\]; allowed: at least one"),
        (
            {"temperatures": ["25 degC", 298.15]},
            "got 298.15; allowed: each once. .* as 25 degC",
        ),
        ({"temperatures": ["125 C"]}, "got '125 C'; .* Did you mean '125 degC'"),
        ({"temperatures": ["125"]}, "got '125'; .* Degrees Celsius are degC"),
        ({"temperatures": [float("nan")]}, "got nan; allowed: finite"),
        (
            {"temperatures": ["-41 degC"]},
            r"got '-41 degC'; allowed: 233.15 K to .* \(-40 degC to 125",
        ),
    ],
)
def test_wrong_lists(study, lists, message):
    with pytest.raises(InputError, match=message):
        scenarios(study, **lists)


@pytest.mark.parametrize(
    ("transistor", "message"),
    [
        ({"model": "generic"}, r"model: got 'generic'; allowed: for the corner 'ff' .* or leave corners out"),
        ({"model": "ideal", "on_resistance": 2e3}, r"model: got 'ideal'; .* sections of a library"),
        (
            {"model": None, "subcircuit": "nfet"},
            r"section: got ''; .* sections of a library",
        ),
    ],
)
def test_transistors_without_corners(study, transistor, message):
    one = Transistor(**{**transistor, "model": transistor["model"] or study.cell.transistor.model})
    with pytest.raises(InputError, match=rf"cell\.transistor\.{message}"):
        one.at_corner("ff")


def test_a_kind_of_cell_need_not_have_corners():
    for question, value in ((CellKind.at_corner, "ff"), (CellKind.at_temperature, 300.0)):
        with pytest.raises(InputError, match="a cell of the kind stt has none"):
            question(KINDS["stt"], None, value)


# ---- the runs --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(studies, tmp_path_factory):
    """All scenarios, and what was told of them."""
    folder, events, steps = tmp_path_factory.mktemp("finished") / "out", [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtjchar.sweep.trial.LocalPool", Here)
        run_scenarios(
            studies, folder, executor=InPlace(), log=events.append,
            progress=lambda done, total: steps.append((done, total)),
        )  # fmt: skip
    return folder, events, steps


def test_each_scenario_is_the_run_of_its_study(finished, studies, tmp_path):
    folder = finished[0]
    assert sorted(path.parent.name for path in folder.glob("*/study.toml")) == sorted(NAMES)
    for name, study in studies.items():
        assert load_study(folder / name / "study.toml") == study
    run_sweep(studies["ss_m40C"], tmp_path / "alone", executor=InPlace())
    assert parts(folder / "ss_m40C") == parts(tmp_path / "alone")
    # A threshold that is 50 mV higher leaves less current, and colder junctions need more.
    rates = {name: mtjchar.Run(folder / name).samples["write_error_rate"].mean() for name in NAMES}
    assert rates["ss_m40C"] > rates["tt_m40C"] > rates["tt_125C"]
    assert rates["ss_m40C"] > rates["ss_125C"] > rates["tt_125C"]


def test_progress_and_time_are_of_the_whole(finished):
    _, events, steps = finished
    total = 4 * 2 * 2 * 2 * 4  # scenarios, directions, devices, amplitudes, durations
    assert {number for _, number in steps} == {total}
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (total, total)
    told = [event for event in events if event["event"] in ("start", "part")]
    assert [event["scenario"] for event in told] == [name for name in NAMES for _ in range(3)]
    (end,) = (event for event in events if event["event"] == "end")
    assert (end["done"], "scenario" in end) == (total, False)
    (time,) = (event["text"] for event in events if "ngspice loads the transistor" in event.get("text", ""))
    assert "the 4 sweeps take at most some" in time


def test_what_a_scenario_had_before_counts_from_the_start():
    events = []
    report = Report(None, events.append)
    report.expect({"a": Ahead(5, 10), "b": Ahead(10, 10)})
    samples = pd.DataFrame({"direction": "up", "amplitude_V": 1.0, "status": ["ok"] * 5, "reason": ""})
    for name, found in (("a", 1), ("b", 2)):
        report.begin(name)
        for _ in range(found):
            report.tally.add(samples)
        report.start(10)
        if name == "a":
            report.tally.add(samples.assign(status="failed", reason="none"))
            report.part()
        report.end()
    done = [(event["event"], event["done"], event["total"], event["failed"]) for event in events]
    assert done == [
        ("start", 15, 20, 0), ("part", 20, 20, 5), ("failures", 20, 20, 5),
        ("start", 20, 20, 5), ("end", 20, 20, 5),
    ]  # fmt: skip


def test_a_second_call_goes_on_and_redoes_nothing(finished, studies, tmp_path):
    two = {name: studies[name] for name in ("ss_m40C", "ss_125C")}

    def stop(done, total):
        if 0 < done < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_scenarios(two, tmp_path / "out", executor=InPlace(), progress=stop)
    assert not (tmp_path / "out" / "ss_125C").exists()
    again = InPlace()
    run_scenarios(two, tmp_path / "out", executor=again)
    # Of ss_m40C one of two parts was there.
    assert [task.study.cell.temperature for task in again.tasks] == [233.15, 398.15, 398.15]
    for name in two:
        assert parts(tmp_path / "out" / name) == parts(finished[0] / name)
    idle = InPlace()
    run_scenarios(two, tmp_path / "out", executor=idle)
    assert idle.tasks == []


def test_a_folder_of_other_scenarios_is_refused(finished, study, studies):
    folder = finished[0]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    other = {name: one.with_(sweep={"seed": 9}) for name, one in studies.items()}
    with pytest.raises(InputError, match=r"s._\w+.study\.toml: sweep\.seed: got 9; allowed: 1"):
        run_scenarios(other, folder, executor=InPlace())
    few = {name: studies[name] for name in NAMES[:3]}
    with pytest.raises(InputError, match=r"got 'ss_125C'; allowed: scenarios of this request: tt_m40C"):
        run_scenarios(few, folder, executor=InPlace())
    with pytest.raises(InputError, match=r"got 'study\.toml'; allowed: scenarios of this request"):
        run_scenarios(scenarios(study, corners=["tt"]), folder / "tt_m40C", executor=InPlace())
    with pytest.raises(InputError, match="scenarios: got 'a/b'; allowed: names"):
        run_scenarios({"a/b": study}, folder, executor=InPlace())
    with pytest.raises(InputError, match=r"scenarios: got \[\]"):
        run_scenarios({}, folder, executor=InPlace())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_all_are_tried_before_the_first_sweep(study, tmp_path):
    # In the corner ff of this library the width has no effect.
    text = LIBRARY.replace('.param shift=-0.05\n.lib "lib.lib" device', f"{HEAD}{DEVICE}{MODEL}{ENDS}")
    ff = text.split(".lib ff")[1].split(".endl")[0]
    file = written(tmp_path, text.replace(ff, ff.replace("w={w}", "w=300n")), "lib.lib")
    moved = study.with_(cell={"transistor": study.cell.transistor.model_copy(update={"model": str(file)})})
    here = InPlace()
    with pytest.raises(InputError, match=r"ff: cell\.transistor\.width: got "):
        run_scenarios(scenarios(moved, corners=["tt", "ff"]), tmp_path / "out", executor=here)
    assert here.tasks == []


def test_a_nominal_device_without_two_states_is_refused_by_scenario(study, tmp_path):
    # Delta is 23 at -40 degC and 4.5 at 125 degC.
    weak = study.with_(stack={"interfacial_anisotropy": 1.16e-3}, variability={"interfacial_anisotropy": 0.0})
    there = scenarios(weak, temperatures=["-40 degC", "125 degC"])
    with pytest.raises(InputError, match=r"^125C: thermal stability .* got 4\.5\d+; allowed: at least 5"):
        run_scenarios(there, tmp_path / "out", executor=InPlace())
    assert not (tmp_path / "out").exists()


# ---- the command -----------------------------------------------------------------------------------


@pytest.fixture
def file(study, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(study.to_toml(), encoding="utf-8")
    return path


@pytest.fixture
def without_figures(monkeypatch):
    """Figures take a second each; here it is counted how often they are made."""
    drawn = []

    def mark(_surface, folder):
        drawn.append(folder.name)
        for name in ("tables", "figures"):
            (folder / name).mkdir(exist_ok=True)

    monkeypatch.setattr("mtjchar.cli.runs._tables_and_figures", mark)
    monkeypatch.setattr("mtjchar.plotting.comparison_figure", lambda _comparison, _folder: [])
    return drawn


def test_command_runs_and_compares_all(file, tmp_path, call, without_figures):
    out, names = tmp_path / "out", ["ss_m40C", "ss_125C"]
    asked = ("run", file, "--out", out, "--corners", "ss", "--temperatures", "-40 degC, 125 degC")
    code, text, err = call(*asked)
    assert code == 0, err
    assert without_figures == names
    assert "worst of 2 scenarios" in text
    worst = pd.read_csv(out / "worst_case.csv").set_index("direction")
    # Cold junctions need more current, and their transistor is slow.
    assert worst["own_pulse_in"].tolist() == ["ss_m40C"] * 3
    assert worst["limited_by"].tolist() == ["ss_m40C"] * 3
    results = pd.read_csv(out / "comparison.csv")
    assert results["scenario"].tolist() == names * 3
    # The second time only what has no surface is made anew.
    (out / "ss_m40C" / "surface.nc").unlink()
    files = {path: path.stat().st_mtime_ns for path in (out / "ss_125C").rglob("*.*")}
    kept = (out / "worst_case.csv").read_text()
    assert call(*asked)[0] == 0
    assert without_figures == [*names, "ss_m40C"]
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert (out / "worst_case.csv").read_text() == kept


def test_a_scenario_without_a_surface_does_not_hold_up_the_others(file, tmp_path, call, without_figures):
    # The section has no transistor.
    out = tmp_path / "out"
    code, text, err = call("run", file, "--out", out, "--corners", "tt,empty,ss")
    assert code == 1
    assert without_figures == ["tt", "ss"]
    assert f"runs in {out}: tt, ss" in text
    assert "empty: " in err
    assert pd.read_csv(out / "worst_case.csv")["limited_by"].tolist() == ["ss"] * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--corners", ""), r"corners: got []"),
        (("--corners", "tt,,ss"), "corners: got ''"),
        (("--corners", "tt,tt"), "corners: got 'tt'; allowed: each once"),
        (("--corners", "tt,xx"), "cell.transistor.section: got 'xx'"),
        (("--temperatures", " "), "temperatures: got []"),
        (("--temperatures", "25 degC,125 C"), "Did you mean '125 degC'?"),
        (("--temperatures", "25 degC,25 degC"), "each once"),
        (("--temperatures", "200 degC"), "(-40 degC to 125 degC)"),
        (("--corners", "tt", "--temperatures", "0 K"), "233.15 K to 398.15 K"),
    ],
)
def test_wrong_requests(file, tmp_path, call, options, message):
    code, _, err = call("run", file, "--out", tmp_path / "out", *options)
    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()


# ---- the worst case --------------------------------------------------------------------------------


def changed(surface, rate=1.0, energy=1.0, **grid):
    """The surface with all rates to a power and all energies times a factor, on a part of its grid."""
    dataset = surface.dataset.copy(deep=True)
    for name in ("ber", "ber_lower", "ber_upper", "ber_quantile"):
        dataset[name] = dataset[name] ** rate
    for name in ("energy", "redundant_energy"):
        dataset[name] = energy * dataset[name]
    return WriteSurface(dataset.sel(**{axis: slice(*ends) for axis, ends in grid.items()}))


@pytest.mark.parametrize("target", ["p_to_ap", "both"])
def test_no_pulse_that_holds_in_all_is_cheaper(analytic_surface, target):
    # Brute force as in test_pulses.py: 0.8 million pulses, 2 mV and 0.2 % apart; the grids differ.
    dear = changed(analytic_surface, 1.0, 1.5, amplitude=(0.5, 1.2))
    lowest = float(dear.amplitudes[0])
    bent = analytic_surface.dataset.copy(deep=True)
    bent["ber"] = bent["ber"] ** (0.6 + 0.4 * (bent["amplitude"] - 0.4))
    surfaces = [dear, WriteSurface(bent)]
    fine = FINE[0][FINE[0] >= lowest][:, None], FINE[1]
    rate = np.max([rate_of(one, target, *fine) for one in surfaces], axis=0)
    energy = np.max([energy_of(one, target, *fine) for one in surfaces], axis=0)
    for ber in (1e-9, 1e-3):
        found = cheapest_pulse_of_all(surfaces, target, ber)
        pulse = found.amplitude_V, found.duration_s
        assert max(rate_of(one, target, *pulse) for one in surfaces) <= ber * (1.0 + 1e-9)
        assert found.ber == pytest.approx(max(rate_of(one, target, *pulse) for one in surfaces))
        assert found.energy_J == pytest.approx(max(energy_of(one, target, *pulse) for one in surfaces))
        assert found.energy_J <= energy[rate <= ber].min() * 1.001


@settings(max_examples=6, deadline=None)
@given(factors=st.lists(st.tuples(st.floats(0.7, 1.3), st.floats(0.5, 2.0)), min_size=1, max_size=3))
def test_a_further_scenario_never_makes_it_cheaper(analytic_surface, factors):
    surfaces = [changed(analytic_surface, *one) for one in factors]
    found = cheapest_pulse_of_all(surfaces, "p_to_ap", 1e-6)
    assert cheapest_pulse_of_all(surfaces[::-1], "p_to_ap", 1e-6).energy_J == pytest.approx(found.energy_J)
    for one in surfaces:
        # The search finds the least energy within 0.1 %.
        assert found.energy_J >= one.cheapest_pulse("p_to_ap", 1e-6).energy_J * 0.999
    assert found.energy_J >= cheapest_pulse_of_all(surfaces[:1], "p_to_ap", 1e-6).energy_J * 0.999


def test_one_surface_alone_is_its_own_worst_case(analytic_surface):
    alone = cheapest_pulse_of_all([analytic_surface], "both", 1e-7)
    assert alone == analytic_surface.cheapest_pulse("both", 1e-7)


@pytest.fixture(scope="module")
def comparison(analytic_surface, tmp_path_factory):
    """Four scenarios by construction: where each number is worst is known."""
    folder = tmp_path_factory.mktemp("worst")
    made = {
        "plain": analytic_surface,
        "slow": changed(analytic_surface, rate=0.8),
        "dear": changed(analytic_surface, energy=1.6),
        "fast": changed(analytic_surface, rate=1.2, energy=0.5),
    }
    runs = [
        scenario(folder / name, surface, temperature=300.0 + number)
        for number, (name, surface) in enumerate(made.items())
    ]
    return compare(runs, ber=1e-6)


def test_worst_case_names_the_scenarios(comparison):
    worst = comparison.worst_case.set_index("direction")
    assert list(worst.index) == ["p_to_ap", "ap_to_p", "both"]
    assert set(worst["limited_by"]) == {"slow"}
    assert set(worst["energy_in"]) == {"dear"}
    assert set(worst["own_pulse_in"]) == {"dear"}
    assert set(worst["reference_in"]) == {"slow"}
    results = comparison.results.set_index(["direction", "scenario"])
    for target in worst.index:
        assert worst.loc[target, "own_pulse_energy_J"] == results.loc[(target, "dear"), "energy_J"]
        assert worst.loc[target, "reference_ber"] == results.loc[(target, "slow"), "reference_ber"]
        # The dear one takes 1.6 times what it takes where the slow one's pulse is needed.
        assert worst.loc[target, "energy_J"] == pytest.approx(
            1.6 * results.loc[(target, "slow"), "energy_J"], rel=1e-3
        )


def test_where_none_holds_in_all(analytic_surface, tmp_path):
    short = changed(analytic_surface, duration=(1e-9, 4e-9))
    surfaces = [analytic_surface, short]
    with pytest.raises(UnreachableError):
        cheapest_pulse_of_all(surfaces, "both", 1e-9)
    apart = [changed(analytic_surface, amplitude=ends) for ends in ((0.4, 0.7), (0.8, 1.2))]
    with pytest.raises(InputError, match="amplitude of the surfaces: got 'grids that have none in common'"):
        cheapest_pulse_of_all(apart, "both", 1e-9)
    made = {"long": analytic_surface, "short": short, "high": apart[1]}
    for names, fails in ((("long", "short"), "long"), (("short", "high"), "short")):
        runs = [scenario(tmp_path / "".join(names) / name, made[name]) for name in names]
        worst = compare(runs, ber=1e-9).worst_case.set_index("direction").loc["both"]
        assert np.isnan(worst[["amplitude_V", "energy_J", "own_pulse_energy_J"]].astype(float)).all()
        assert worst["own_pulse_in"] == "short"
        assert worst["limited_by"] in (fails, "high")


# ---- on one page -----------------------------------------------------------------------------------


def many(comparison, names):
    """The comparison with as many scenarios as there are names, which differ in corner and temperature."""
    surface = next(iter(comparison.surfaces.values()))
    rows = comparison.results[comparison.results["scenario"] == "plain"]
    results = [rows[rows["direction"] == one].assign(scenario=names[0]) for one in rows["direction"]]
    results = pd.concat([one.assign(scenario=name) for one in results for name in names])
    differences = pd.DataFrame(
        [[f"{233.15 + 10 * (k % 3):g} K" for k in range(len(names))],
         [f"['init', 'c{k // 3}']" for k in range(len(names))]],
        index=pd.Index(["cell.temperature", "cell.transistor.section"], name="key"), columns=names,
    )  # fmt: skip
    words = ["limited_by", "energy_in", "own_pulse_in", "reference_in"]
    worst = comparison.worst_case.assign(**dict.fromkeys(words, names[-1]))
    return dataclasses.replace(
        comparison, surfaces=dict.fromkeys(names, surface), differences=differences, results=results,
        worst_case=worst,
    )  # fmt: skip


SHORT = [
    f"{corner}_{celsius}C" for corner in ("tt", "ff", "ss", "sf", "fs") for celsius in ("m40", "25", "125")
]
LONG = [f"2026-11-27_lot7_{name}_retention_baked_at_150C" for name in SHORT]
ODD = [f"{'x' * 40}{letter}{'y' * 40}" for letter in "abc"]


@pytest.mark.parametrize("names", [SHORT, LONG, ODD, ["a", "b"]])
def test_the_page_fits_80_columns_and_cuts_nothing(comparison, names, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_comparison(many(comparison, names))
    text = capsys.readouterr().out
    lines = text.splitlines()
    # The lines below the table explain the short names; the terminal breaks them.
    assert all(len(line) <= 80 for line in lines if " is " not in line)
    assert "…" not in text
    shown = short_names(names)
    assert all(name in text for name in names)
    for short in shown.values():
        assert sum(f" {short} " in f" {line} " for line in lines) >= 3
    assert text.count("plain") == 0


def test_the_page_has_a_command_that_works():
    page = (ROOT / "docs/transistors.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^mtjchar run (.* --corners .*)$", page, re.MULTILINE)
    file, *options = shlex.split(line)
    lists = {name: _listed(options[options.index(f"--{name}") + 1]) for name in ("corners", "temperatures")}
    names = list(scenarios(load_study(file), **lists))
    shown = page.split("cheapest pulse for a BER of 1e-09, by direction")[1].split("```")[0]
    assert re.findall(r"^both +(\S+)", shown, re.MULTILINE) == names
    assert max(map(len, shown.splitlines())) <= 80


def test_short_names():
    assert list(short_names(SHORT).values()) == SHORT
    assert list(short_names(LONG).values()) == SHORT
    assert list(short_names(ODD).values()) == ["s1", "s2", "s3"]
    assert list(short_names(["run-of-today-300", "run-of-today-398"]).values()) == ["300", "398"]
    # Nothing is left of the first without the words of all.
    assert list(short_names(["a_name_too_long", "a_name_too_long_b"]).values()) == ["long", "long_b"]


def test_lines_differ_beside_their_colour(comparison):
    styles = _styles(many(comparison, SHORT))
    # Colours stand for the five corners, styles for the three temperatures.
    assert len({str(style["color"]) for style in styles.values()}) == 5
    assert len({str(style["linestyle"]) for style in styles.values()}) == 3
    assert len({(str(style["linestyle"]), style["marker"]) for style in styles.values()}) == 15
    assert styles["tt_m40C"]["color"] == styles["tt_125C"]["color"]
    assert styles["tt_125C"]["linestyle"] == styles["fs_125C"]["linestyle"]
    plain = _styles(comparison)
    assert len({str(style["color"]) for style in plain.values()}) == 4
    assert len({str(style["linestyle"]) for style in plain.values()}) == 4
    several = _styles(many(comparison, [f"n{k}" for k in range(45)])).values()
    assert len({str(style) for style in several}) == 45
    assert len({(str(style["linestyle"]), style["marker"]) for style in several}) == 42


def test_scenarios_are_drawn_into_the_axes_they_are_given(comparison):
    first = next(iter(comparison.surfaces.values()))
    upper, lower = Figure().subplots(2)
    assert plotting.scenario_error_rates(comparison, "ap_to_p", upper) is upper
    assert plotting.scenario_energies(comparison, "both", lower) is lower
    assert upper.get_title() == first.title("ap_to_p")
    lines = {line.get_label(): line for line in upper.lines}
    assert list(lines) == list(comparison.surfaces)
    for name, surface in comparison.surfaces.items():
        rate = surface.ber("ap_to_p", first.nominal_amplitude, 1e-9 * lines[name].get_xdata())
        np.testing.assert_allclose(lines[name].get_ydata(), rate, rtol=1e-9)
    names = [line.get_label() for line in lower.lines]
    assert names == [*comparison.surfaces, "pulse that holds in all"]
    assert len(set(looks(upper))) == 4


def test_figure_shows_the_pulse_that_holds_in_all(comparison, tmp_path, monkeypatch):
    kept = []
    none = pd.DataFrame(columns=["scenario", "direction", "pulse_ber", "energy_J"])
    monkeypatch.setattr("mtjchar.plotting.comparison.energy_curves", lambda _: none)
    monkeypatch.setattr("mtjchar.plotting.comparison.save", lambda figure, *_: kept.append(figure) or [])
    plotting.comparison_figure(comparison, Path(tmp_path))
    (figure,) = kept
    stars = [axes.lines[-1].get_xydata()[0] for axes in figure.axes[3:]]
    worst = comparison.worst_case
    np.testing.assert_allclose(stars, np.stack([worst["ber"], 1e12 * worst["energy_J"]], axis=1))
