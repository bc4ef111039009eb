"""The README's commands and its Python, as printed and in order, in an empty folder."""

import re
import shlex
import subprocess
import sys

import pytest
from common import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
START = README.split("## Start")[1]
COMMANDS = [
    line.split("  #")[0].strip() for line in re.search(r"```sh\n(.*?)```", START, re.DOTALL)[1].splitlines()
]
PYTHON = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]


@pytest.mark.slow
def test_commands(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    assert [command.split()[1] for command in COMMANDS] == [
        "init", "check", "run", "query", "pulse", "export", "report",
    ]  # fmt: skip
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        code, _, err = call(*arguments)
        assert (program, code) == ("mtjchar", 0), (command, err)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"study.toml", "run", "ber.csv", "ber.csv-metadata.json", "report.html"}


def test_python(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PYTHON],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Fokker-Planck at Delta 60, i 1.5, of docs/verification.md.
    assert re.search(r"\[0\.1154\d* 0\.000646\d* *\]", done.stdout)


def test_links():
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / link).exists(), link
