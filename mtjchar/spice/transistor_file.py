"""The user's transistor file and all files that it includes, without hidden commands.

While it loads a deck, ngspice executes lines between ``.control`` and ``.endc``, and text after a comment
mark and ``#``: such commands can start any program. These lines are found, named and removed, and so is a
temperature, because that of the study applies. A file without such lines, also in included files, is included
unchanged; any other file becomes part of the deck.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from mtjchar.errors import InputError
from mtjchar.files import MOST_DATA, read_bytes

__all__ = ["PLAIN_PATH", "Cleaned", "Expanded", "clean", "expand"]

PLAIN_PATH = re.compile(r"[A-Za-z0-9_./ +@%=-]+")
"""Paths that are safe in a netlist: no character starts another line, a comment or a command."""
_BLOCK = "a .control block, which holds commands for ngspice"
_COMMAND = "a line that ngspice executes as a command"
_PROGRAM = "a code model that starts a program or loads a library"
_STRANGE = "the name of a file that ngspice and mtjchar may read differently"
_TEMPERATURE = "a temperature, where that of the study holds"

# ngspice recognizes them by these beginnings, and does not join such lines with continuations.
_REFERENCE = re.compile(r"\.(inc|lib)\S*[ \t]+(?:[\"']([^\"']*)[\"']|(\S+))(.*)", re.IGNORECASE)
_SECTION = re.compile(r"[\s\"']*([^\s\"'$;]*)")
# "*#" starts a command, and so do ";#" and "$#", which ngspice converts to "*#"; "*##" is a comment.
_HIDDEN = re.compile(r"[*;$]#(?!#)")
# .temp overrides a later .options temp in ngspice; of two .options the last one applies.
_SETS_TEMPERATURE = re.compile(r"\.temp(?![A-Za-z])", re.IGNORECASE)
# Cards of other simulators around an encrypted part, which ngspice refuses; the content is plain text here.
_PROTECTION = re.compile(r"\.(?:un)?prot(?:ect)?\b", re.IGNORECASE)
_LINE_COMMENT = re.compile(r"[;$]|//")
_RANDOM = re.compile(r"\b(?:agauss|gauss|aunif|unif|limit)\s*\(|\btr(?:noise|random)\b", re.IGNORECASE)
_DATA_FILE = re.compile(r"\bfile\s*=\s*[\"']?([^\"'\s]+)", re.IGNORECASE)
_STARTS_PROGRAM = re.compile(r"\bd_(?:process|cosim)\b", re.IGNORECASE)  # of ngspice 42 and newer


class Cleaned(NamedTuple):
    """Replacement of a transistor file in a deck.

    Attributes
    ----------
    text : str
        SPICE lines: one that includes the file, or its content.
    left_out : tuple of str
        Omitted lines of the files, in words that name file and line.
    """

    text: str
    left_out: tuple[str, ...]


class Expanded(NamedTuple):
    """Text that ngspice reads of a transistor file, with sections and included files inserted.

    Attributes
    ----------
    text : str
        SPICE lines.
    digest : str
        Of these lines, of the data files that they name, and of the OSDI libraries.
    random : tuple of str
        Lines with functions that draw random numbers.
    """

    text: str
    digest: str
    random: tuple[str, ...]


class _Reference(NamedTuple):
    file: Path
    section: str  # of a library, in lower case; empty for the whole file
    as_written: bool  # whether ngspice finds this file by the written path

    @property
    def inlined(self) -> bool:
        """Whether ngspice 39 would not find it: it takes no blank in the name of a library."""
        return bool(self.section) and " " in str(self.file)

    @property
    def strange(self) -> bool:
        """Whether ngspice may misread the name of the file."""
        return not PLAIN_PATH.fullmatch(str(self.file)) or (self.inlined and not _is_file(self.file))

    @property
    def line(self) -> str:
        """The line that refers to the file from any folder."""
        return f'.lib "{self.file}" {self.section}' if self.section else f'.include "{self.file}"'


class _Line(NamedTuple):
    text: str
    section: str  # of a library, that the line is part of; empty outside of sections
    reference: _Reference | None


class _File(NamedTuple):
    lines: list[_Line]
    left_out: dict[str, list[int]]  # numbers of lines by their kind
    rewritten: list[int]  # numbers of lines that ngspice misreads

    @property
    def references(self) -> list[_Reference]:
        return [line.reference for line in self.lines if line.reference is not None]


_Stamps = dict[Path, tuple[int, int] | None]
_known: dict[tuple[str, tuple[str, ...]], tuple[_Stamps, Cleaned, Expanded]] = {}


def clean(path: str, sections: tuple[str, ...] = ()) -> Cleaned:
    """Check a transistor file and all files that it includes; again only if one of them has changed.

    Parameters
    ----------
    path : str
        As the model of a `mtjchar.study.Transistor`.
    sections : tuple of str, optional
        Sections of the file, if it is a library with ``.lib NAME`` and ``.endl``; the whole file otherwise.

    Raises
    ------
    InputError
        If the file cannot be read, includes itself, or has no such section.
    """
    return _looked_through(path, sections)[1]


def expand(path: str, sections: tuple[str, ...] = (), osdi: tuple[str, ...] = ()) -> Expanded:
    """Return the text that ngspice reads of a transistor file and of all included files.

    Parameters
    ----------
    path, sections
        As in `clean`.
    osdi : tuple of str, optional
        Compiled models that the file uses.

    Raises
    ------
    InputError
        If the file cannot be read, includes itself, or has no such section.
    """
    expanded = _looked_through(path, sections)[2]
    if not osdi:
        return expanded
    digest = hashlib.sha256(expanded.digest.encode())
    for file in osdi:
        digest.update(read_bytes(Path(file), "OSDI library", allowed="a file to read", most=MOST_DATA))
    return expanded._replace(digest=digest.hexdigest()[:16])


def _looked_through(path: str, sections: tuple[str, ...]) -> tuple[_Stamps, Cleaned, Expanded]:
    known = _known.get((path, sections))
    if known is None or known[0] != {file: _stamp(file) for file in known[0]}:
        files = _all_files(Path(path))
        lines = _whole(Path(path), sections, files, set(files))
        data = _data_files(lines, Path(path).parent)
        stamps = {file: _stamp(file) for file in (*files, *data)}
        cleaned = _cleaned(Path(path), sections, files)
        known = _known[path, sections] = stamps, cleaned, _expanded(lines, data)
    return known


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a null byte
        return False


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _cleaned(path: Path, sections: tuple[str, ...], files: dict[Path, _File]) -> Cleaned:
    lines = _whole(path, sections, files, _to_change(files))
    left_out = (
        f"{file}, {_numbers(numbers)}: {what}, is left out"
        for file, content in files.items()
        for what, numbers in content.left_out.items()
    )
    return Cleaned("\n".join(lines), tuple(left_out))


def _whole(path: Path, sections: tuple[str, ...], files: dict[Path, _File], changed: set[Path]) -> list[str]:
    """Lines of a deck for a file, or for sections of it."""
    there = sorted({line.section for line in files[path].lines} - {""})
    lines = []
    for section in sections or ("",):
        reference = _Reference(path, section.lower(), True)
        if section and section.lower() not in there:
            raise InputError(
                "cell.transistor.section", value=section,
                allowed=f"sections of {path}: {', '.join(there) or 'it has none'}",
            )  # fmt: skip
        if path in changed or reference.inlined:
            lines += _content(path, reference.section, files, changed, (reference,) if section else ())
        else:
            lines.append(reference.line)
    return lines


def _data_files(lines: list[str], folder: Path) -> list[Path]:
    """Existing files with numbers that code models read."""
    names = dict.fromkeys(match[1] for line in lines if "=" in line for match in _DATA_FILE.finditer(line))
    return [path for path in (_find(name, folder) for name in names) if _is_file(path)]


def _expanded(lines: list[str], data: list[Path]) -> Expanded:
    text = "\n".join(lines)
    digest = hashlib.sha256(text.encode())
    for file in data:
        digest.update(read_bytes(file, "transistor file", allowed="a file to read", most=MOST_DATA))
    random = (line.strip() for line in lines if not line.startswith("*") and _RANDOM.search(line))
    return Expanded(text, digest.hexdigest()[:16], tuple(random))


def _numbers(numbers: list[int], most: int = 5) -> str:
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers[:most]))}{more}"


def _all_files(first: Path) -> dict[Path, _File]:
    """Read a file and the existing files that it includes; ngspice reports missing ones."""
    files = {first: _read(first)}
    waiting = files[first].references
    while waiting:
        path = waiting.pop(0).file
        if path not in files and _is_file(path):
            files[path] = _read(path)
            waiting += files[path].references
    return files


def _to_change(files: dict[Path, _File]) -> set[Path]:
    """Files that cannot be included unchanged, and those that include one of them."""
    changed: set[Path] = set()
    more = {
        path
        for path, content in files.items()
        if content.left_out
        or content.rewritten
        or not all(reference.as_written for reference in content.references)
    }
    while more:
        changed |= more
        more = {
            path
            for path, content in files.items()
            if path not in changed and any(reference.file in changed for reference in content.references)
        }
    return changed


def _content(
    path: Path, section: str, files: dict[Path, _File], changed: set[Path], within: tuple[_Reference, ...]
) -> list[str]:
    """Lines of a file, or of a section of it, with the lines of changed included files."""
    lines = []
    for line in files[path].lines:
        if line.section != section:
            continue
        reference = line.reference
        if reference is None:
            lines.append(line.text)
        elif reference in within:
            raise InputError(
                "transistor file", value=str(reference.file), allowed="a file that does not include itself"
            )
        elif reference.file in changed or reference.inlined:
            lines += _content(reference.file, reference.section, files, changed, (*within, reference))
        else:
            lines.append(reference.line)
    return lines


def _read(path: Path) -> _File:
    """Read a file without lines that ngspice would execute."""
    content = read_bytes(path, "transistor file", allowed="a SPICE file", most=MOST_DATA)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    cleaned, section, in_block, what = _File([], {}, []), "", False, ""
    if text.startswith("\ufeff"):  # a byte order mark, which for ngspice is part of the first word
        text = text[1:]
        cleaned.rewritten.append(1)
    for number, raw in enumerate(text.split("\n"), 1):
        # One line for PySpice too, which splits lines at more characters than ngspice does.
        line = " ".join(raw.splitlines()).strip()
        word = line[:8].lower()
        if in_block and not word.startswith((".endc", ".endl")):
            continue
        in_block = word == ".control"
        if line.startswith("@"):  # the end of the file for ngspice
            break
        reference = _reference(line, path.parent)
        if reference and line != raw.strip():
            reference = reference._replace(as_written=False)
        if what := _executed(line, reference, left_out=what):
            cleaned.left_out.setdefault(what, []).append(number)
            continue
        # Only the deck's own title has a meaning: "*ng_script" there makes commands of all lines.
        if word.startswith((".endc", ".title")):
            continue
        if _PROTECTION.match(line):
            cleaned.rewritten.append(number)
            continue
        if reference is None and (starts := _REFERENCE.match(line)):
            section = (starts[2] or starts[3] or "").lower()
        elif word.startswith(".endl"):
            section = ""
        else:
            if line.startswith("+") and _uncomment(cleaned.lines):
                cleaned.rewritten.append(number)
            cleaned.lines.append(_Line(line, section, reference))
    return cleaned


def _uncomment(lines: list[_Line]) -> bool:
    """Mark comments before a continuation for ngspice, which appends the continuation to other comments."""
    changed = False
    for place in range(len(lines) - 1, -1, -1):
        text = lines[place].text
        if _LINE_COMMENT.match(text):
            lines[place] = lines[place]._replace(text=f"*{text}")
            changed = True
        elif text and not text.startswith("*"):
            break
    return changed


def _executed(line: str, reference: _Reference | None, left_out: str) -> str:
    """Describe a line that ngspice must not read; empty for all others.

    `left_out` is the description of the previous line: a continuation of it is removed with it.
    """
    if left_out == _TEMPERATURE and line.startswith("+"):
        return left_out
    if _SETS_TEMPERATURE.match(line):
        return _TEMPERATURE
    if line[:8].lower() == ".control":
        return _BLOCK
    if _HIDDEN.match(line):
        return _COMMAND
    if _STARTS_PROGRAM.search(line) and not line.startswith("*"):
        return _PROGRAM
    return _STRANGE if reference and reference.strange else ""


def _reference(line: str, folder: Path) -> _Reference | None:
    """Interpret a line that includes a file or a section of one; None for all others."""
    if (match := _REFERENCE.match(line)) is None:
        return None
    kind, quoted, bare, rest = match.groups()
    name = bare if quoted is None else quoted
    path = _find(name, folder)
    if kind.lower() == "inc":
        beside = path == folder / name and _is_file(path)
        plain = PLAIN_PATH.fullmatch(name) is not None and "//" not in name
        return _Reference(path, "", plain and (Path(name).is_absolute() or beside))
    section = _SECTION.match(rest)
    if section and section[1] and not section[1].startswith(("//", "*")):
        # ngspice 39 searches for other libraries in the working directory.
        return _Reference(path, section[1].lower(), Path(name).is_absolute() and " " not in name)
    # The start of a section; in ngspice's PSpice mode, a file that is included.
    return _Reference(path, "", False) if _is_file(path) else None


def _find(name: str, folder: Path) -> Path:
    """Find an included file where ngspice searches for it."""
    if name.startswith("~/"):
        return Path(name).expanduser()
    places = [folder, Path.cwd()]
    if given := os.environ.get("NGSPICE_INPUT_DIR"):
        places.append(Path(given))
    return next((place / name for place in places if _is_file(place / name)), folder / name)
