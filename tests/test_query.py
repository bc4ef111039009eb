"""`mtjchar query` for one pulse, several, and a table of pulses; its answers equal those of the surface."""

import importlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import mtjchar
from mtjchar.cli import questions
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.stored import unchanged_surface

RUN = mtjchar.data_path() / "example_run"
KEYS = {
    "direction", "amplitude_V", "duration_s", "ber", "ber_lower", "ber_upper", "bound", "effective_devices",
    "extrapolated", "energy_J", "redundant_energy_J",
}  # fmt: skip


@pytest.fixture(scope="module")
def checked():
    """The surface of the example run, read in full."""
    return WriteSurface.load(RUN / "surface.nc")


@pytest.fixture
def query(call):
    """Ask the example run; a list or an object of JSON."""

    def query(*options):
        code, out, err = call("query", RUN, *options, "--json")
        assert code == 0, err
        return json.loads(out)

    return query


@pytest.fixture
def refused(call):
    """Ask the example run for what it has to refuse; the message."""

    def refused(*options):
        code, out, err = call("query", RUN, *options)
        assert (code, out) == (2, "")
        return err

    return refused


@pytest.fixture
def table(tmp_path):
    def table(content):
        file = tmp_path / "pulses.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return table


def test_one_pulse_in_one_direction_is_an_object(query, checked):
    answer = query("--direction", "ap_to_p", "--amplitude", "0.7 V", "--duration", "5 ns")
    assert set(answer) == KEYS
    assert (answer["direction"], answer["amplitude_V"], answer["duration_s"]) == ("ap_to_p", 0.7, 5e-9)
    rate = checked.stated_rate("ap_to_p", 0.7, 5e-9)
    assert (answer["ber"], answer["ber_lower"], answer["ber_upper"]) == rate[:3]
    assert (answer["bound"], answer["effective_devices"], answer["extrapolated"]) == rate[3:]
    assert answer["energy_J"] == checked.energy("ap_to_p", 0.7, 5e-9)


def test_without_a_direction_each_is_answered_and_one_pulse_for_both(query):
    answers = query("--amplitude", "0.7 V", "--duration", "5 ns")
    assert [answer["direction"] for answer in answers] == ["p_to_ap", "ap_to_p", "both"]
    assert answers == query("--direction", "both", "--amplitude", "0.7 V", "--duration", "5 ns")
    first, second, both = answers
    worse = max(first, second, key=lambda answer: answer["ber"])
    for key in ("ber", "ber_lower", "ber_upper", "effective_devices"):
        assert both[key] == worse[key]
    for key in ("energy_J", "redundant_energy_J"):
        assert both[key] == (first[key] + second[key]) / 2.0


def test_both_agrees_with_pulse(query, call):
    cheapest = json.loads(call("pulse", RUN, "--ber", "1e-4", "--json")[1])
    assert cheapest["direction"] == "both"
    at = [f"{cheapest['amplitude_V']!r} V", "--duration", f"{cheapest['duration_s']!r} s"]
    both = query("--amplitude", *at)[-1]
    assert both["ber"] == cheapest["ber"]
    # `pulse` bills the mean of switching and redundant writes.
    mean = (both["energy_J"] + both["redundant_energy_J"]) / 2.0
    assert mean == pytest.approx(cheapest["energy_J"], rel=1e-12)


def test_several_pulses_are_all_combinations(query):
    at = ("--direction", "p_to_ap", "--amplitude", "0.7 V, 0.8 V", "--amplitude", "0.9 V")
    answers = query(*at, "--duration", "4 ns:9 ns:3")
    pulses = [(answer["amplitude_V"], answer["duration_s"]) for answer in answers]
    wanted = [(volts, time) for volts in (0.7, 0.8, 0.9) for time in (4e-9, 6e-9, 9e-9)]
    np.testing.assert_allclose(pulses, wanted, rtol=1e-12)
    for answer in answers[::4]:  # as if asked alone, to the bit
        one = (f"{answer['amplitude_V']!r} V", "--duration", f"{answer['duration_s']!r} s")
        assert query("--direction", "p_to_ap", "--amplitude", *one) == answer


def test_a_table_of_pulses(query, table):
    file = table(
        "\ufeff# from the bench\nname,amplitude_V, duration_s,direction\n\n"
        "a,0.7,5e-9,\nb,0.8,6e-9,ap_to_p\nc,0.9,8e-9,both\n"
    )
    answers = query("--pulses", file, "--direction", "p_to_ap")
    assert [(answer["direction"], answer["amplitude_V"]) for answer in answers] == [
        ("p_to_ap", 0.7), ("ap_to_p", 0.8), ("p_to_ap", 0.9), ("ap_to_p", 0.9), ("both", 0.9),
    ]  # fmt: skip
    assert answers[1] == query("--direction", "ap_to_p", "--amplitude", "0.8 V", "--duration", "6e-9 s")
    alone = query("--pulses", table("amplitude_V,duration_s\n0.7,5e-9\n"), "--direction", "p_to_ap")
    assert alone == answers[:1]  # a table is answered by a list, however short it is


def test_the_terminal_shows_one_table(call):
    code, out, _ = call("query", RUN, "--amplitude", "0.7 V", "--duration", "5 ns, 8 ns")
    assert code == 0
    head, *lines = out.splitlines()
    assert "BER" in head
    assert [line.split()[0] for line in lines] == 2 * ["p_to_ap", "ap_to_p", "both"]
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "--amplitude is missing. Give --amplitude and --duration, or a table"),
        (("--duration", "5 ns"), "--amplitude is missing"),
        (("--amplitude", "0.7 V"), "--duration is missing"),
        (("--amplitude", "0.7 V,", "--duration", "5 ns"), "amplitude: got ''"),
        (("--amplitude", "0.5 V:0.9 V:none", "--duration", "5 ns"), "START:STOP:POINTS"),
        (("--amplitude", "0.7 V, 9 V", "--duration", "5 ns"), "amplitude: got '9 V'; allowed: 0.5 V to 1 V"),
        (("--amplitude", "0.5 V:1 V:1000", "--duration", "3 ns:9 ns:1000"), "at most 100,000"),
        (("--direction", "up", "--amplitude", "0.7 V", "--duration", "5 ns"), "or 'both'"),
    ],
)
def test_what_is_refused(refused, options, says):
    assert says in refused(*options)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "has no column amplitude_V"),
        ("amplitude,duration_s\n0.7,5e-9\n", "has no column amplitude_V"),
        ("amplitude_V;duration_s\n0,7;5e-9\n", "has no column amplitude_V"),
        ("amplitude_V,amplitude_V,duration_s\n0.7,0.8,5e-9\n", "has two columns amplitude_V"),
        ("amplitude_V,duration_s\n", "got 'no rows'"),
        ("amplitude_V,duration_s\n0.7,5e-9,1\n", "line 2: got '0.7,5e-9,1'; allowed: 2 values"),
        ("amplitude_V,duration_s\n\n0.7\n", "line 3: got '0.7'; allowed: 2 values"),
        ("amplitude_V,duration_s\n0.7,5 ns\n", "line 2, duration_s: got '5 ns'; allowed: a number above 0"),
        ("amplitude_V,duration_s\n-0.7,5e-9\n", "line 2, amplitude_V: got '-0.7'"),
        ("amplitude_V,duration_s\nnan,5e-9\n", "line 2, amplitude_V: got 'nan'"),
        ("amplitude_V,duration_s\n0.7,1e999\n", "line 2, duration_s: got '1e999'"),
        ("amplitude_V,duration_s\n0.7,5e-9\n9,5e-9\n", "line 3: amplitude: got '9 V'"),
        ("amplitude_V,duration_s,direction\n0.7,5e-9,up\n", "line 2, direction: got 'up'"),
        ('amplitude_V,duration_s\n"0.7,5e-9\n', "line 2: got 'unexpected end of data'"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_tables_that_are_refused(refused, table, content, says):
    file = table(content)
    message = refused("--pulses", file)
    assert says in message
    assert file.name in message


def test_a_table_that_is_too_long(refused, table, monkeypatch):
    monkeypatch.setattr(questions, "_MOST_PULSES", 5)
    file = table("amplitude_V,duration_s\n" + 6 * "0.7,5e-9\n")
    assert "got '6 pulses'; allowed: at most 5. For a whole table use" in refused("--pulses", file)


def test_a_table_that_is_not_there_and_one_too_many(refused, table, tmp_path):
    assert "it does not exist" in refused("--pulses", tmp_path / "none.csv")
    assert "it is a directory" in refused("--pulses", tmp_path)
    file = table("amplitude_V,duration_s\n0.7,5e-9\n")
    assert "--amplitude and --pulses cannot be given together" in refused(
        "--pulses", file, "--amplitude", "0.7 V"
    )


def test_a_surface_of_one_direction_has_no_both(checked, call, monkeypatch, tmp_path):
    one = WriteSurface(checked.dataset.isel(direction=[1]))
    monkeypatch.setattr(importlib.import_module("mtjchar.cli.answers"), "load_surface", lambda _: one)
    at = ("query", tmp_path, "--amplitude", "0.7 V", "--duration", "5 ns", "--json")
    assert [answer["direction"] for answer in json.loads(call(*at)[1])] == ["ap_to_p"]
    assert "allowed: 'ap_to_p'." in call(*at, "--direction", "both")[2]
    assert json.loads(call("pulse", tmp_path, "--ber", "1e-3", "--json")[1])["direction"] == "ap_to_p"


def test_an_unchanged_surface_is_read_as_it_is(checked):
    stored = unchanged_surface(RUN)
    assert set(checked.dataset.variables) == {name for name in checked.dataset.variables if name in stored}
    for name, variable in checked.dataset.variables.items():
        np.testing.assert_array_equal(stored[name], variable.to_numpy())
        assert stored[name].dtype.kind == variable.dtype.kind
    assert stored.dataset().identical(checked.dataset)
    assert WriteSurface.of_run(RUN).to_netcdf() == checked.to_netcdf()


@pytest.mark.parametrize("changed", ["study.toml", "surface.nc", "sweep.json", "nothing to compare"])
def test_what_was_changed_is_checked(tmp_path, changed):
    run = tmp_path / "run"
    shutil.copytree(RUN, run)
    assert unchanged_surface(run) is not None
    if changed == "surface.nc":
        with xr.open_dataset(RUN / "surface.nc", engine="h5netcdf") as dataset:
            dataset.load().assign_attrs(more=1).to_netcdf(run / changed, engine="h5netcdf")
    elif changed == "sweep.json":
        record = json.loads((run / changed).read_text())
        record["load_s"] = 1.5  # which is allowed, but not what the run has left
        (run / changed).write_text(json.dumps(record))
    elif changed == "study.toml":
        (run / changed).write_text(f"# mine\n{(run / changed).read_text()}")
    else:
        (run / "sweep.json").write_text("[" * 100_000)
    assert unchanged_surface(run) is None
    if changed != "nothing to compare":
        assert WriteSurface.of_run(run).ber("p_to_ap", 0.7, 5e-9) == WriteSurface.of_run(RUN).ber(
            "p_to_ap", 0.7, 5e-9
        )


def test_a_surface_of_a_new_run_is_vouched_for(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(RUN, run)
    (run / "sweep.json").write_text("{}")
    mtjchar.average_devices(run)
    assert unchanged_surface(run) is None  # no checksum of the study: it has to be read
    shutil.copy(RUN / "sweep.json", run)
    mtjchar.average_devices(run)
    assert unchanged_surface(run) is not None


def test_help_says_what_both_means():
    done = subprocess.run(
        [sys.executable, "-m", "mtjchar", "query", "--help"], capture_output=True, text=True, check=True
    )
    assert "one pulse that serves both" in " ".join(done.stdout.split())
