"""What a shell gets for Tab, as the script asks for it that typer gives out."""

import os
import shutil
import subprocess
import sys

import pytest

import mtjchar
from mtjchar.cli import completion
from mtjchar.export import FORMATS
from mtjchar.shipped import shipped

RUN = mtjchar.data_path() / "example_run"


def ask(words, *, variables=None, folder=None):
    """Complete the last word, as bash does."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    environment = {**os.environ, "_MTJCHAR_COMPLETE": "complete_bash", **asked, **(variables or {})}
    code = "from mtjchar.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=folder, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_are_completed():
    assert ask("mtjchar qu") == ["query"]
    assert {"read", "run", "report"} == set(ask("mtjchar r"))


def test_studies_and_files_are_completed(tmp_path):
    (tmp_path / "demo_of_mine.toml").touch()
    (tmp_path / "demonstration").mkdir()
    (tmp_path / "demo.txt").touch()
    assert ask("mtjchar check demo", folder=tmp_path) == ["demo", "demo_of_mine.toml", "demonstration/"]


def test_the_script_for_a_shell_is_given_out():
    if shutil.which("bash") is None:
        pytest.fail("bash is needed: apt install bash")
    environment = {**os.environ, "_MTJCHAR_COMPLETE": "source_bash"}
    done = subprocess.run(
        [sys.executable, "-c", "from mtjchar.cli import main; main()"],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    assert "_MTJCHAR_COMPLETE=complete_bash" in done.stdout
    subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


def test_formats_are_those_that_there_are():
    assert completion.formats("") == [name for names in completion.FORMATS.values() for name in names]
    assert set(completion.formats("")) == set(FORMATS)
    assert completion.formats("nv") == ["nvsim", "nvmexplorer", "nvmain"]


def test_directions_are_those_of_the_run():
    assert ask(f"mtjchar query {RUN} --direction p") == ["p_to_ap"]
    assert ask(f"mtjchar pulse {RUN} --direction b") == ["both"]
    assert ask(f"mtjchar query {RUN.parent} --direction p") == []


def test_stacks_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/ikeda_fit.toml").touch()
    (tmp_path / ".hidden.toml").touch()
    names = completion.files_or("stacks", files=False)("")
    assert names == list(shipped("stacks"))
    assert completion.files_or("stacks")("") == [*names, "ours/"]
    assert completion.files_or("stacks")("ours/ik") == ["ours/ikeda_fit.toml"]
    assert completion.files_or("stacks")(f"{tmp_path}/ours/") == [f"{tmp_path}/ours/ikeda_fit.toml"]
    assert completion.files_or("stacks")("none/") == []
    assert completion.files_or("stacks")(".h") == [".hidden.toml"]
