"""The pages that are made from the program name every command, option and key of a study."""

import re
import tomllib

import pytest
import yaml
from common import ROOT
from pydantic import BaseModel

from mtjchar.cells.kinds import KINDS
from mtjchar.cells.sot.tables import SotTables
from mtjchar.cells.variability import Spread
from mtjchar.study.load import load_study
from mtjchar.study.models import Pulse, Sweep
from scripts.reference_pages import (
    _of_model,
    commands,
    commands_page,
    sot_keys,
    study_keys,
    study_page,
    write_pages,
)

EVERY = list(commands())


@pytest.mark.parametrize(("name", "command"), EVERY, ids=[name for name, _ in EVERY])
def test_every_argument_and_option_of_a_command_is_on_its_page(name, command):
    part = commands_page().split(f"## `{name}`\n")[1].split("\n## ")[0]
    parameters = [each for each in command.params if not getattr(each, "hidden", False)]
    assert parameters
    for parameter in parameters:
        words = [parameter.metavar] if parameter.param_type_name == "argument" else parameter.opts
        for word in words:
            assert re.search(rf"`[^`\n]*{re.escape(word)}[^`\n]*` \|", part), word
        help_text = parameter.help.split()[0].strip(".,;:")
        assert help_text in part, help_text


def fields(model, table):
    """Tables and keys of a model, as TOML has them."""
    for name, field in model.model_fields.items():
        yield table, name
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Spread:
                yield from fields(kind, f"{table}.{name}" if table else name)


def test_every_key_of_a_study_is_on_its_page_once():
    models = [
        *fields(KINDS["stt"].tables, ""),
        *fields(Pulse, "pulse"),
        *fields(Sweep, "sweep"),
    ]
    in_files = [("", "stack_overrides"), ("", "pulse"), ("", "sweep"), ("variability", "wafer")]
    pelgrom = [("variability", "avt"), ("variability", "abeta")]
    keys = [(key.table, key.name) for key in study_keys()]
    assert sorted(keys) == sorted([*models, *in_files, *pelgrom])
    page = study_page()
    for table, name in keys:
        part = page.split(f"## `[{table}]`" if table else "## Top level")[1].split("\n## ")[0]
        assert f"| `{name}` |" in part, (table, name)


def test_every_key_of_sot_cells_is_on_its_page_once():
    in_all = {"", "stack", "junction", "cell.transistor", "cell.external_field"}
    models = [one for one in fields(KINDS["sot"].tables, "") if one[0].split(".")[0] not in in_all]
    others = {table for table, _ in models} - {"channel", "cell", "cell.assist", "variability"}
    # Tables with the keys of those of STT cells.
    assert others <= {"cell.bitline", "cell.sourceline", "cell.readline", "cell.external_field"} | {
        table for table in others if table.startswith("cell.transistor")
    }
    keys = [(key.table, key.name) for key in sot_keys()]
    assert sorted(keys) == sorted(one for one in models if one[0] not in others)
    part = study_page().split("# Keys of SOT cells")[1]
    for table, name in keys:
        assert f"| `{name}` |" in part.split(f"## `[{table}]`")[1].split("\n## ")[0], (table, name)


def test_every_key_has_a_type_a_default_and_a_meaning():
    for key in [*study_keys(), *sot_keys()]:
        assert all((key.kind, key.default, key.meaning)), key
        assert key.meaning[0].isupper() or key.meaning[0] == "`", key
        assert key.meaning.endswith("."), key


def test_no_meaning_is_left_over():
    words = tomllib.loads((ROOT / "docs/study_keys.toml").read_text(encoding="utf-8"))
    used = {key.meaning for key in [*study_keys(), *sot_keys(), *_of_model(SotTables, "", words)]}
    assert {meaning for table in words.values() for meaning in table.values()} <= used


def test_limits_of_the_page_are_those_of_the_models(tmp_path):
    # A key of each sort; what stands there is compared with docs/study.md by hand.
    by_name = {(key.table, key.name): key for key in study_keys()}
    assert by_name["junction", "diameter"].allowed == "above 5 nm and below 500 nm"
    assert by_name["junction", "diameter"].default == "required"
    assert by_name["cell", "temperature"].allowed == "at least 233.15 K and at most 398.15 K"
    assert by_name["cell.transistor", "width"].default == "300 nm"
    assert by_name["sweep", "devices"][2:5] == ("whole number", "1000", "at least 1 and at most 1000000")
    assert load_study("demo").sweep.devices <= 1000000
    write_pages(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"commands.md", "study_keys.md"}


def test_citation_file_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == "GPL-3.0-or-later"
    assert [author["name"] for author in citation["authors"]] == [one["name"] for one in project["authors"]]
