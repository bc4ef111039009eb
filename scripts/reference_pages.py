"""Write the pages that follow from the program: the command line, and the keys of a study.

    .venv/bin/python -m scripts.reference_pages docs/generated

`make docs` does the same. Words about the keys stand in ``docs/study_keys.toml``.
"""

from __future__ import annotations

import math
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from mtjchar.cells.sot.tables import SotTables
from mtjchar.cells.stt.tables import SttTables, SttVariability
from mtjchar.cells.variability import CUT, Spread, Variability
from mtjchar.cli.app import app
from mtjchar.fields import InUnit, words_of_range
from mtjchar.study.models import Pulse, Sweep
from mtjchar.units import compact

__all__ = ["Key", "commands", "commands_page", "sot_keys", "study_keys", "study_page", "write_pages"]

DOCS = Path(__file__).resolve().parent.parent / "docs"

Row = tuple[str, ...]


def _table(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


# ---- the command line ----


def commands(group: TyperGroup | None = None, name: str = "mtjchar") -> Iterator[tuple[str, Any]]:
    """Yield every command with its whole name, such as ``mtjchar run``."""
    for word, command in (group or typer.main.get_group(app)).commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def _of_command(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name)
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    what = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or "--help" in parameter.opts:
            continue
        argument = parameter.param_type_name == "argument"
        rows.append((f"`{parameter.metavar if argument else record[0]}`", _plain(record[1])))
    table = _table(("argument or option", "meaning"), rows)
    return f"## `{name}`\n\n```text\n{usage}\n```\n\n{_plain(what)}\n\n{table if rows else ''}\n"


def _plain(text: str) -> str:
    """Return a text of the help as Markdown that shows it as it is."""
    for mark in "\\`*_<[":
        text = text.replace(mark, f"\\{mark}")
    text = text.replace("--", "\\-\\-")
    return re.sub(r"docs/(\w+)\.md", r"[\1](../\1.md)", text)


def commands_page() -> str:
    """Return the page of the command line, as Markdown."""
    every = list(commands())
    overview = _table(
        ("command", "what it does"),
        [
            (f"[`{name}`](#{name.replace(' ', '-')})", _plain(command.help.split("\n\n")[0]))
            for name, command in every
        ],
    )
    return (
        "# Commands\n\n"
        "This page is made from the program. Every command prints its part with `--help`. `mtjchar\n"
        "--debug …` shows the traceback of an error, `mtjchar --version` the version. Exit status:\n"
        "0 done, 1 the work failed, 2 the request was wrong.\n\n"
        + overview
        + "\n\n"
        + "\n".join(_of_command(*one) for one in every)
    )


# ---- the keys of a study ----


class Key(NamedTuple):
    """A key of a study file.

    Attributes
    ----------
    table : str
        Name of the table that it stands in; empty at the top.
    name : str
    kind : str
        Type and unit.
    default, allowed, meaning : str
    """

    table: str
    name: str
    kind: str
    default: str
    allowed: str
    meaning: str


def _meanings() -> dict[str, dict[str, str]]:
    return tomllib.loads((DOCS / "study_keys.toml").read_text(encoding="utf-8"))


def _inner(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a table."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Spread:
            return kind
    return None


def _annotations(field: FieldInfo) -> list[Any]:
    inner = [part for kind in get_args(field.annotation) for part in getattr(kind, "__metadata__", ())]
    return [*field.metadata, *inner]


def _unit(field: FieldInfo) -> str:
    return next((part.unit for part in _annotations(field) if isinstance(part, InUnit)), "")


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [f'`"{choice}"`' for choice in get_args(annotation)]
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _kind(field: FieldInfo) -> str:
    """Return the type of a key in words, with its unit."""
    text, origin = str(field.annotation), get_origin(field.annotation)
    if field.annotation is Spread:
        return "number or text with unit"
    if origin is dict or _inner(field) is not None:
        return "table"
    if origin is tuple or text.startswith("tuple"):
        return f"list of texts with unit, {unit}" if (unit := _unit(field)) else "list"
    if unit := _unit(field):
        return f"text with unit, {unit}"
    if _choices(field.annotation) or "str" in text:
        return "text"
    return "whole number" if field.annotation is int else "number"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value in ((), {}) or (isinstance(value, float) and math.isnan(value)):
        return "none"
    if isinstance(value, Spread):
        return "no spread"
    if isinstance(value, BaseModel | dict):
        return "all defaults"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{one}"' for one in value) + "]`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return compact(value, _unit(field)) if _unit(field) else f"{value:g}"


def _allowed(field: FieldInfo) -> str:
    if field.annotation is Spread:
        return f"relative: 0 to below {1 / CUT:g}"
    return words_of_range(field) or ", ".join(_choices(field.annotation))


def _of_model(model: type[BaseModel], table: str, meanings: Mapping[str, Mapping[str, str]]) -> Iterator[Key]:
    later = []
    for name, field in model.model_fields.items():
        meaning = next(
            meanings[own.__name__][name] for own in model.__mro__ if name in meanings.get(own.__name__, {})
        )
        kind = _kind(field)
        if issubclass(model, Variability) and model.units.get(name):
            kind += f", {model.units[name]}"
        yield Key(table, name, kind, _default(field), _allowed(field), meaning)
        if (inner := _inner(field)) is not None:
            later.append((inner, f"{table}.{name}" if table else name))
    for inner, name in later:
        yield from _of_model(inner, name, meanings)


def study_keys() -> list[Key]:
    """Return every key that a study of an STT cell may have, a table after the other."""
    meanings = _meanings()
    files = meanings["Files"]
    keys = list(_of_model(SttTables, "", meanings))
    keys += [Key("", "stack_overrides", "table", "none", "keys of the stack", files["stack_overrides"])]
    keys += [
        Key("", name, "table", default, "", files[name])
        for name, default in (("pulse", "all defaults"), ("sweep", "required"))
    ]
    keys += [*_of_model(Pulse, "pulse", meanings), *_of_model(Sweep, "sweep", meanings)]
    keys += [Key("variability", "wafer", "text", "none", "a path, relative to the study", files["wafer"])]
    for coefficient in SttVariability.area_coefficients.values():
        keys.append(
            Key(
                "variability",
                coefficient.key,
                f"text with unit, {coefficient.unit}",
                "none",
                "at least 0",
                files[coefficient.key],
            )
        )
    return sorted(keys, key=_place)


def sot_keys() -> list[Key]:
    """Return the keys of a study of SOT cells in tables that differ from those of STT cells."""
    keys = _of_model(SotTables, "", _meanings())
    own = ("channel", "cell", "cell.assist", "variability")
    return sorted((key for key in keys if key.table in own), key=_place)


def _place(key: Key) -> tuple[int, str]:
    order = ("", "stack", "junction", "channel", "cell", "read", "pulse", "variability", "sweep")
    return order.index(key.table.split(".")[0]), key.table


def _values(key: Key) -> str:
    default = key.default if key.default == "required" else f"default: {key.default}"
    return "<br>".join(part for part in (key.kind, key.allowed, default) if part)


def study_page() -> str:
    """Return the page of the keys of a study, as Markdown."""
    keys = study_keys()
    parts = [
        "# Keys of a study",
        "This page is made from the models that read a study. [The study file](../study.md) has the rules,\n"
        'an example, and what the keys do. A text with a unit is a string such as `"40 nm"`, in any unit of\n'
        "that dimension. The value of a key has a type, a range or a list of choices, and a default.",
    ]
    parts += _tables(keys)
    parts += [
        "# Keys of SOT cells",
        'A study with `kind = "sot"` in `[cell]` has the following tables in place of those above, and\n'
        "the same others. [SOT cells](../sot.md) has an example.",
        *_tables(sot_keys()),
    ]
    return "\n\n".join(parts) + "\n"


def _tables(keys: Sequence[Key]) -> list[str]:
    """Sections with the keys of each table."""
    parts = []
    for table in dict.fromkeys(key.table for key in keys):
        rows = [(f"`{key.name}`", key.meaning, _values(key)) for key in keys if key.table == table]
        parts.append(f"## `[{table}]`" if table else "## Top level")
        parts.append(_table(("key", "meaning", "value"), rows))
    return parts


def write_pages(folder: Path) -> None:
    """Write both pages into a folder, and leave those alone that have not changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"commands.md": commands_page(), "study_keys.md": study_page()}.items():
        file = folder / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
