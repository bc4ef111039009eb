"""Every block of the pages in docs, as printed and in order, each page in a folder of its own."""

import sys

import pytest
from common import ROOT
from pages import GIVEN, PageRun, blocks, matches

PAGES = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
NOT_RUN = 40
"""How many blocks may say why they are not run."""


@pytest.fixture
def page_run(tmp_path, monkeypatch, capsys, call):
    monkeypatch.chdir(tmp_path)
    for name in GIVEN:
        if name.startswith("$"):
            monkeypatch.setenv(name[1:], "")  # so that what a page sets is undone
    yield PageRun(tmp_path, call, lambda: capsys.readouterr().out)
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_blocks_run_as_printed(page_run, page):
    page_run.prepare(page)
    for block in blocks(page):
        if not block.reason:
            page_run.run(block)


def test_few_blocks_are_not_run_and_say_why():
    left_out = [block for page in ["README.md", *PAGES] for block in blocks(page) if block.reason]
    for block in left_out:
        print(block, block.reason)
    assert len(left_out) <= NOT_RUN
    assert all(len(block.reason.split()) > 1 for block in left_out)


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ("energy  600.9 fJ", "energy 601.1 fJ\n", False),
        ("energy  600.9 fJ", "energy 600.8 fJ\n", True),
        ("1.25e-06 (95 %)", "1.26e-06 (95 %)", True),
        ("1.25e-06", "1.27e-06", False),
        ("64 devices", "65 devices", False),
        ("one ... four", "one two three four", True),
        ("one ... four", "one two three", False),
        ("...", "anything", True),
        ("one two ... two", "one two", False),
        ("a ... c ... e", "a b c d e", True),
        ("a ... x ... e", "a b c d e", False),
    ],
)
def test_outputs_are_compared_word_by_word(expected, got, same):
    assert matches(expected, got) == same
