"""What a file holds: archives unpacked, text decoded."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path

from mtjchar.errors import InputError
from mtjchar.stackfit.data.limits import MOST_BYTES, NoTableError

__all__ = ["decoded", "members"]

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by the bytes that a file begins with; those of UTF-32 before those of UTF-16, which they hold."""

_JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
_OTHER_THAN_TEXT = re.compile(r"[\ue000-\uf8ff\uff61-\uff9f]")  # private use; katakana of half width
_PACKED = (".xlsx", ".xlsm")  # archives that are one file to their users
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_MEMBERS = 1_000


def members(path: Path, content: bytes) -> list[tuple[Path, bytes]]:
    """Unpack gzip and zip; any other file is its own only member.

    Returns
    -------
    list of (Path, bytes)
        Name for messages, below that of the archive, and content.

    Raises
    ------
    InputError
        For an archive that is damaged, empty, locked, or unpacks into more than a table may have.
    """
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(content)) as file:
                unpacked = _bounded(path, file.read(MOST_BYTES + 1))
            inner = path.with_suffix("") if path.suffix.lower() in (".gz", ".gzip") else path
            return members(inner, unpacked)
        if content.startswith(b"PK\x03\x04") and path.suffix.lower() not in _PACKED:
            return _of_zip(path, content)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise InputError(
            str(path), value=str(error), allowed="a gzip or zip archive without password"
        ) from error
    return [(path, content)]


def _of_zip(path: Path, content: bytes) -> list[tuple[Path, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [entry for entry in archive.infolist() if not _is_hidden(entry)]
        if len(entries) > _MOST_MEMBERS:
            raise InputError(
                str(path), value=f"{len(entries):,} files", allowed=f"at most {_MOST_MEMBERS:,} files"
            )
        if any(entry.filename == "xl/workbook.xml" for entry in entries):  # a spreadsheet by another name
            return [(path, content)]
        unpacked: list[tuple[Path, bytes]] = []
        total = 0
        for entry in entries:
            with archive.open(entry) as file:
                inner = file.read(MOST_BYTES + 1 - total)
            total += len(inner)
            _bounded(path, inner, total)
            unpacked += members(path / entry.filename, inner)
    if not unpacked:
        raise InputError(str(path), value="an archive without files", allowed="at least one table in it")
    return unpacked


def _is_hidden(entry: zipfile.ZipInfo) -> bool:
    return entry.is_dir() or any(part.startswith((".", "__MACOSX")) for part in Path(entry.filename).parts)


def _bounded(path: Path, content: bytes, size: int | None = None) -> bytes:
    if (len(content) if size is None else size) > MOST_BYTES:
        raise InputError(
            str(path), value=f"more than {MOST_BYTES:,} bytes unpacked",
            allowed=f"at most {MOST_BYTES:,} bytes",
            remedy="Split the table into several files.",
        )  # fmt: skip
    return content


def decoded(path: Path, content: bytes, encoding: str = "") -> tuple[str, str]:
    """Decode text; returns it and the name of the encoding.

    Without `encoding` the mark at the start decides; then UTF-8; then Shift-JIS (cp932), where that gives
    Japanese words; then the Western European code page of Windows (cp1252), which has Latin-1 within it.

    Raises
    ------
    InputError
        For bytes that are no text, and for encodings that do not exist or do not fit.
    """
    marked = next((name for mark, name in _MARKS.items() if content.startswith(mark)), _unmarked(content))
    candidates = [encoding] if encoding else [marked] if marked else ["utf-8", "cp932", "cp1252", "cp932"]
    why = ""
    for place, name in enumerate(candidates):
        try:
            text = content.decode(name)
        except (UnicodeError, LookupError) as error:
            why = why or str(error)
            continue
        # Bytes that cp1252 does not have show the other one, in which a unit alone may be beyond ASCII.
        if name == "cp932" and place == 1 and not _is_japanese(text):
            continue
        if found := _CONTROL.search(text.rstrip().rstrip("\x1a")):
            why = "zero bytes" if found[0] == "\0" else f"the control character {found[0]!r}"
            break
        return text, name.removesuffix("-sig")
    raise NoTableError(
        str(path), value=why, allowed="text, a spreadsheet (.xlsx), Parquet, HDF5 or MATLAB",
        remedy='Save it as UTF-8, or name its encoding in a file for --rules: encoding = "cp932".',
    )  # fmt: skip


def _unmarked(content: bytes) -> str:
    """UTF-16 without a mark: every other byte of letters and digits is zero."""
    head = content[:200]
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(zeros) > 1 and zeros.count(0) > 0.8 * len(zeros):
            return name
    return ""


def _is_japanese(text: str) -> bool:
    return bool(_JAPANESE.search(text)) and not _OTHER_THAN_TEXT.search(text)
