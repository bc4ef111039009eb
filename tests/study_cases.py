"""Studies as TOML data, and what happens when they are loaded; for the tests of study and stack files."""

import tomllib

import pytest
import tomli_w
from common import DEMO_FILE, ROOT

from mtjchar.errors import InputError
from mtjchar.study import load_study

DATA = ROOT / "data"
STACKS = sorted((DATA / "stacks").glob("*.toml"))
REMOVED = object()


def plain():
    """A complete study as TOML data, the stack inline, without reads."""
    data = tomllib.loads(DEMO_FILE.read_text(encoding="utf-8"))
    del data["read"]
    data["stack"] = tomllib.loads((DATA / "stacks" / "ikeda2010.toml").read_text(encoding="utf-8"))
    return data


def changed(key, value):
    data = plain()
    *path, last = key.split(".")
    table = data
    for part in path:
        table = table.setdefault(part, {})
    if value is REMOVED:
        del table[last]
    else:
        table[last] = value
    return data


def load(folder, data):
    file = folder / "study.toml"
    file.write_text(tomli_w.dumps(data), encoding="utf-8")
    return load_study(file)


def refusal(folder, data):
    with pytest.raises(InputError) as caught:
        load(folder, data)
    return str(caught.value)
