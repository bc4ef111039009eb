"""Transistor files with commands for ngspice in them, and settings that a kit needs; in the real ngspice."""

import re

import numpy as np
import pytest
from common import DEMO
from study_cases import changed as changed_data
from study_cases import load, refusal

from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import batch_deck, cell_parameters
from mtjchar.cells.stt.tables import SttVariability
from mtjchar.errors import InputError
from mtjchar.spice.ngspice import simulator
from mtjchar.spice.transistor_file import clean
from mtjchar.study import Transistor, load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory
from mtjchar.sweep.tasks import Task

NMOS = ".subckt n d g s b w=1u l=1u dvth=0\nR1 d s {1k*300n/w*l/30n + dvth*1k}\nR2 g b 1meg\n.ends\n"


def study(file, **changed):
    transistor = Transistor(model=str(file), subcircuit="n", **changed)
    sweep = {
        "amplitude": {"start": 0.6, "stop": 0.8, "points": 2},
        "duration": {"start": 1e-9, "stop": 4e-9, "points": 3},
        "devices": 1,
    }
    return DEMO.with_(cell={"transistor": transistor}, variability=SttVariability(), sweep=sweep)


def failures_of(one):
    """Why ngspice gave no load line; empty where it did."""
    cells = cell_parameters(one, Population(one).nominal())
    return load_lines(one, cells, "p_to_ap", one.pulses.at(np.array([0.8]))).failure[0, 0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of files, the working directory another one; commands put a file `mark` there."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "kit").mkdir()
    return tmp_path


COMMANDS = [
    ".control\nshell touch mark\n.endc",
    "   .CONTROL\nshell touch mark\n  .EndC",
    ".controls\nshell touch mark\n.endc",
    ".control\npre_shell touch mark\n.endc",
    ".control\nshell touch mark",
    "*#shell touch mark",
    " \t*# shell touch mark",
    ";#shell touch mark",
    "$#shell touch mark",
    ".title *ng_script\nshell touch mark\n*#shell touch mark",
    "* one line for ngspice\f*#shell touch mark\n*#shell touch mark",
    "\f.control\nshell touch mark\n.endc\n*#shell touch mark",
    "* one line for ngspice\u2028.control\u2028shell touch mark\n*#shell touch mark",
]


def executed(folder, commands):
    """Whether ngspice executes commands in a file that is included as it is."""
    file, mark = folder / "nmos.lib", folder / "elsewhere" / "mark"
    file.write_text(f"{NMOS}{commands}\n", encoding="utf-8")
    simulator().exec_command("unset controlswait")
    try:
        with simulator().circuit(f'.title t\n.include "{file}"\nV1 a 0 1\nR1 a 0 1k\n.end'):
            pass
    finally:
        simulator().exec_command("set controlswait")
    there = mark.exists()
    mark.unlink(missing_ok=True)
    return there


def test_ngspice_by_itself_executes_such_lines(folder):
    # Otherwise there is nothing to test.
    assert all(executed(folder, commands) for commands in COMMANDS[:9])
    assert not executed(folder, "*##shell touch mark")


@pytest.mark.parametrize("commands", COMMANDS)
def test_commands_are_left_out_and_named(folder, commands):
    file = folder / "nmos.lib"
    file.write_text(f"{NMOS}{commands}\n", encoding="utf-8")
    failure = failures_of(study(file))
    assert failure == "" or (".title" in commands and "shell touch mark" in failure)
    assert list((folder / "elsewhere").iterdir()) == []
    words = clean(str(file)).left_out[0]
    assert re.fullmatch(rf"{re.escape(str(file))}, line [567]: a .*, is left out", words)


@pytest.mark.parametrize(
    "line",
    [
        '.include "kit/more.lib"', ".inc kit/more.lib", ".INCLUDE 'kit/more.lib'", ".includes kit/more.lib",
        '.lib "kit/more.lib" tt', ".lib kit/more.lib TT", ".LIB '{folder}/kit/more.lib' tt",
        '.include "{folder}/kit/more.lib"', '.include "kit/outer.lib"', '.lib "a blank/more.lib" tt',
    ],
)  # fmt: skip
def test_commands_in_included_files_are_left_out(folder, line):
    more = f".lib tt\n*#shell touch mark\n{NMOS}.control\nshell touch mark\n.endc\n.endl\n"
    if "lib tt" not in line and " tt" not in line.lower():
        more = f"*#shell touch mark\n{NMOS}.control\nshell touch mark\n.endc\n"
    for place in ("kit", "a blank"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "more.lib").write_text(more)
    (folder / "kit" / "outer.lib").write_text('.include "../kit/more.lib"\n')
    file = folder / "nmos.lib"
    file.write_text(f"* title\n{line.format(folder=folder)}\n")
    assert failures_of(study(file)) == ""
    assert list((folder / "elsewhere").iterdir()) == []
    words = " ".join(clean(str(file)).left_out)
    assert "more.lib, line" in words
    assert "a .control block" in words
    assert "a line that ngspice executes as a command" in words


def test_files_without_commands_are_included_as_they_are(folder):
    (folder / "kit" / "more.lib").write_text("*## a heading\n* text\n" + NMOS)
    file = folder / "nmos.lib"
    file.write_text('.include "kit/more.lib"\n')
    assert clean(str(file)) == (f'.include "{file}"', ())
    assert failures_of(study(file)) == ""
    # What becomes of a file is seen: it is looked through again.
    (folder / "kit" / "more.lib").write_text("*#shell touch mark\n" + NMOS)
    assert clean(str(file)).text.startswith(".subckt n")
    assert len(clean(str(file)).left_out) == 1


def test_library_is_found_beside_the_file_that_names_it(folder):
    # A kit's usual form: a section that takes another one of its file. ngspice 39 alone does not find it.
    (folder / "kit" / "more.lib").write_text(
        f".lib tt\n.lib 'more.lib' mos\n.endl tt\n.lib mos\n{NMOS}.endl mos\n"
    )
    file = folder / "kit" / "nmos.lib"
    file.write_text(".lib 'more.lib' tt\n")
    assert clean(str(file)).left_out == ()
    assert clean(str(file)).text == NMOS
    assert failures_of(study(file)) == ""


@pytest.mark.parametrize(
    "name", ["more.lib;x", "`touch mark`", "$HOME/more.lib", "a{b}.lib", "m\u00f6re.lib"]
)
def test_strange_names_of_files_are_left_out(folder, name):
    file = folder / "nmos.lib"
    file.write_text(f'.include "{name}"\n{NMOS}', encoding="utf-8")
    assert clean(str(file)).left_out[0].startswith(f"{file}, line 1: the name of a file")
    # Of a library that is not there ngspice would take the first word.
    (folder / "a").write_text(".lib tt\n*#shell touch mark\n.endl\n")
    file.write_text(f'.lib "{folder}/a b.lib" tt\n.include "a\fb.lib"\n{NMOS}')
    assert clean(str(file)).left_out[0].startswith(f"{file}, line 1: the name of a file")
    assert f'.include "{folder}/a b.lib"' in clean(str(file)).text
    file.write_text(f'.include "{name}"\n{NMOS}', encoding="utf-8")
    assert failures_of(study(file)) == ""
    assert list((folder / "elsewhere").iterdir()) == []


def test_models_that_start_programs_and_circles_are_refused(folder):
    file = folder / "nmos.lib"
    file.write_text('.model p d_process(process_file="touch")\n' + NMOS)
    assert "a code model that starts a program" in clean(str(file)).left_out[0]
    file.write_text('*# x\n.include "nmos.lib"\n')
    with pytest.raises(InputError, match="a file that does not include itself"):
        clean(str(file))


def test_sweep_says_and_notes_what_it_leaves_out_and_keeps_decks_without_it(folder):
    file = folder / "nmos.lib"
    # A node without a solution.
    file.write_text(
        NMOS.replace("R1", "B1 0 x i = 1m*exp(40*v(x))\nR3 x 0 1meg\nR1")
        + ".control\nshell touch mark\n.endc\n"
    )
    one, said = study(file, init=("set ngbehavior=hsa",)), []
    words = f"{file}, line 7: a .control block, which holds commands for ngspice, is left out"
    run_sweep(one, folder / "run", workers=1, log=lambda what: said.append(what.get("text")))
    assert said.count(words) == 1
    assert RunDirectory.open(folder / "run").record().left_out == [words]
    with pytest.warns(UserWarning, match="line 7: a .control block"):
        run_sweep(one, folder / "run", workers=1)
    kept = (folder / "run" / "failures" / "p_to_ap-0000000.cir").read_text()
    assert "shell" not in kept
    assert "* needs this line in .spiceinit: set ngbehavior=hsa\n" in kept
    assert list((folder / "elsewhere").iterdir()) == []


# ---- settings ---------------------------------------------------------------------------------------


def with_init(*lines):
    data = changed_data("cell.transistor.init", list(lines))
    data["cell"]["transistor"] |= {"model": "nmos.lib", "subcircuit": "n"}
    return data


def test_settings_are_part_of_the_study(tmp_path):
    (tmp_path / "nmos.lib").write_text(NMOS)
    lines = ("set ngbehavior=hsa", "set ng_nomodcheck", "option scale=1e-6")
    one = load(tmp_path, with_init(*lines))
    assert one.cell.transistor.init == lines
    (tmp_path / "again.toml").write_text(one.to_toml())
    assert load_study(tmp_path / "again.toml") == one
    without = load(tmp_path, with_init())
    assert "init" not in without.to_toml()
    assert len({Task(study, Population(study).nominal(), "p_to_ap").part for study in (one, without)}) == 2


@pytest.mark.parametrize(
    "line",
    [
        "shell touch mark", "set x=`touch mark`", "set x=1; shell touch mark", "set x=1\nshell touch mark",
        "set", "set x = 1", "option x", "option a=1 b=2", "set a=1 b=2", "set x=$home", "set x=(1)", "setx=1",
        "Set x=1", "unset x", "set 1x", "set x=a/b", "option scale={1}", "", "set x > mark", "set \u00fc=1",
    ],
)  # fmt: skip
def test_other_commands_are_refused(tmp_path, line):
    (tmp_path / "nmos.lib").write_text(NMOS)
    words = refusal(tmp_path, with_init(line))
    assert "cell.transistor.init" in words
    assert 'lines such as "set ngbehavior=hsa"' in words


@pytest.mark.parametrize(
    "line", ["set num_threads=8", "option reltol=1", "set TEMP=3", "option gmin=1", "set ngdebug"]
)
def test_what_mtjchar_sets_or_needs_is_refused(tmp_path, line):
    (tmp_path / "nmos.lib").write_text(NMOS)
    assert "what mtjchar does not set or need itself" in refusal(tmp_path, with_init(line))


def test_settings_without_a_file_are_refused(tmp_path):
    assert "cell.transistor.init" in refusal(tmp_path, changed_data("cell.transistor.init", ["set x"]))


def test_variables_are_set_before_the_deck_and_do_not_outlive_the_study(tmp_path):
    file = tmp_path / "nmos.lib"
    file.write_text(NMOS)
    plain, special = (
        study(file),
        study(file, init=("set mtjchar_test=7", "set ngbehavior=hsa", "option scale=1")),
    )
    assert failures_of(special) == ""
    assert "7" in simulator().exec_command("echo $mtjchar_test")
    assert failures_of(special) == ""
    assert failures_of(plain) == ""
    assert "7" not in simulator().exec_command("echo $mtjchar_test")
    assert ".options scale=1\n" in batch_deck(
        special, cell_parameters(special, Population(special).nominal()), held=True
    )
