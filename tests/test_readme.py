"""The README's blocks as printed and in order, its Python in a process of its own, and its links."""

import re
import subprocess
import sys

import pytest
from common import ROOT
from pages import PageRun, blocks

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]


@pytest.mark.slow
def test_blocks_run_as_printed(tmp_path, monkeypatch, capsys, call):
    monkeypatch.chdir(tmp_path)
    page = PageRun(tmp_path, call, lambda: capsys.readouterr().out)
    run = [block for block in blocks("README.md") if not block.reason]
    commands = [line.split()[1] for line in run[0].text.splitlines()]
    assert commands == ["init", "check", "run", "query", "pulse", "export", "report"]
    for block in run:
        page.run(block)
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
