"""The reference pages list what is public, and nothing that is not there."""

import ast
import re

from common import ROOT

PACKAGE = ROOT / "mtjchar"
FOLDERS = [
    "cells", "export", "network", "physics", "plotting", "report", "stackfit", "study", "surfaces", "sweep",
    "torch",
]  # fmt: skip
MODULES = ["errors", "run", "units"]


def public(path):
    """Names in a module's `__all__`; empty where it has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def expected():
    """Modules that have to be listed: a folder where it gives names on, otherwise the modules it names."""
    wanted = {f"mtjchar.{name}" for name in MODULES if public(PACKAGE / f"{name}.py")}
    for folder in FOLDERS:
        modules = {path.stem: path for path in (PACKAGE / folder).glob("*.py") if path.stem[0] != "_"}
        named = public(PACKAGE / folder / "__init__.py")
        assert named, folder
        wanted |= (
            {f"mtjchar.{folder}"} if named - set(modules) else {f"mtjchar.{folder}.{name}" for name in named}
        )
    return wanted


def listed():
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    return re.findall(r"^ +(mtjchar[\w.]*)$", text, flags=re.MULTILINE)


def test_public_modules_are_listed():
    missing = expected() - set(listed())
    assert not missing, sorted(missing)


def test_what_is_listed_is_there_once_and_public():
    names = listed()
    assert len(names) == len(set(names))
    for name in names:
        place = ROOT.joinpath(*name.split("."))
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        assert file.is_file(), name
        assert public(file), f"{name} has no __all__"
