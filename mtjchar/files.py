"""Reading external files safely, and writing files completely or not at all.

A file is written under a temporary name, synced and renamed. If any step fails, the old file is unchanged
and no partial file is left. Reading refuses files that are not regular, because reading them might never end,
and files above a stated size.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtjchar.errors import InputError, MtjcharError, StorageError, clipped

__all__ = [
    "MOST_DATA",
    "MOST_TEXT",
    "checksum",
    "is_file",
    "is_folder",
    "make_folder",
    "read_bytes",
    "read_text",
    "read_toml",
    "sealed",
    "storing",
    "write_bytes",
    "write_text",
    "write_together",
]

MOST_TEXT = 10_000_000
"""Largest size in bytes of a study, a stack or another file of keys."""

MOST_DATA = 1_000_000_000
"""Largest size in bytes of a table, a surface or another file of numbers."""

_REMEDIES = {
    errno.ENOSPC: "Make room",
    errno.EDQUOT: "Make room within your quota",
    errno.EFBIG: "Raise the limit of the file size (`ulimit -f`)",
    errno.EIO: "Check the disk",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`)",
    errno.EACCES: "Choose a place that you may write to",
    errno.EPERM: "Choose a place that you may write to",
    errno.EROFS: "Choose another file system",
    errno.ENAMETOOLONG: "Choose a shorter name",
}
# Errors of a badly chosen place; all other errors are failures of the system.
_WRONG_PLACE = {
    errno.ENOENT: "",
    errno.EISDIR: "",
    errno.ENOTDIR: "A file stands where a directory has to be.",
    errno.EEXIST: "A file stands where a directory has to be.",
    errno.ENXIO: "Nobody reads from this pipe.",
}
_WRONG_DIRECTORY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EINVAL)
# Errors of file systems that cannot sync, or cannot sync folders; some network file systems are among them.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file, completely or not at all: after an error an existing file is unchanged.

    Raises
    ------
    InputError, StorageError
        As for `storing`.
    """
    write_together({Path(path): content})


def write_text(path: str | Path, text: str) -> None:
    """Write a file of text in UTF-8, completely or not at all; errors as for `write_bytes`."""
    # Bytes of names that are no UTF-8 are escaped, so that they do not cause an error after all the work.
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files; none is renamed before all are on the disk.

    Parameters
    ----------
    contents : mapping of Path to bytes
        The last file is renamed last: if it exists, so do the others.

    Raises
    ------
    InputError, StorageError
        As for `storing`.
    """
    with contextlib.ExitStack() as parts:
        written = {path: parts.enter_context(_temporary(path, content)) for path, content in contents.items()}
        for path in contents:
            with storing(path):
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, "It is a directory")
        with contextlib.ExitStack() as new:
            for path, part in written.items():
                if not path.exists():
                    new.callback(_remove, path)
                with storing(path):
                    part.replace(path)
                    _sync_folder(path.parent)
            new.pop_all()


def make_folder(path: str | Path) -> None:
    """Make a folder and its parents if they are missing; errors as for `storing`."""
    with storing(path, "directory"):
        Path(path).mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def storing(path: str | Path, what: str = "file") -> Iterator[None]:
    """Convert errors of the system in a with block to errors of mtjchar about a file or a directory.

    Raises
    ------
    InputError
        If nothing can be written at this place: the directory is missing, or another file has its name; for
        a directory also if it is not permitted, or if its name is too long.
    StorageError
        For every other error. The message states which files are safe and gives the remedy.
    """
    try:
        yield
    except MtjcharError:
        raise
    except OSError as error:
        why, number = error.strerror or str(error), error.errno or 0
        if number in _WRONG_PLACE or (what == "directory" and number in _WRONG_DIRECTORY):
            remedy = f"{why}. {_WRONG_PLACE.get(number, '')}".rstrip()
            raise InputError(
                what, value=str(path), allowed=f"a {what} that can be written", remedy=remedy
            ) from error
        remedy = _REMEDIES.get(number, "Fix that")
        raise StorageError(
            f"{path} cannot be written: {why}. Nothing half-written is left, and finished results are kept. "
            f"{remedy}, then run the same command again."
        ) from error
    except ValueError as error:  # a null byte in the path
        raise InputError(
            what, value=str(path), allowed=f"a {what} that can be written", remedy=f"{error}."
        ) from error


@contextlib.contextmanager
def _temporary(path: Path, content: bytes) -> Iterator[Path]:
    """Write a file beside its final place; inside the with block it can be renamed to that place."""
    with storing(path):
        handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    part = Path(name)
    try:
        with storing(path):
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                _sync(file.fileno())
            part.chmod(0o666 & ~_umask())
        yield part
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a renaming survive a loss of power, if the file system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it is writable but not readable
        return
    try:
        _sync(handle)
    finally:
        os.close(handle)


def _sync(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def is_file(path: str | Path) -> bool:
    """Whether a regular file exists; False for a name that cannot be a file, too."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Whether a folder exists; False for a name that cannot be a folder, too."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


_SEAL = "record_sha256"


def checksum(content: bytes) -> str:
    """Return the checksum by which mtjchar knows its files again: 16 digits of SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def sealed(record: Mapping[str, object]) -> dict[str, object]:
    """Return a record with the checksum of the rest of it as ``record_sha256``.

    If the checksum is right, nobody has changed the record since.
    """
    rest = {name: value for name, value in record.items() if name != _SEAL}
    return {**rest, _SEAL: checksum(json.dumps(rest, sort_keys=True).encode())}


def read_bytes(
    path: str | Path, thing: str, *, allowed: str, remedy: str = "", most: int = MOST_TEXT
) -> bytes:
    """Read a file that may be missing, not a regular file, or far too large.

    Parameters
    ----------
    path : str or Path
    thing : str
        Description of the file, for messages.
    allowed : str
        Description of an acceptable file, for messages.
    remedy : str, optional
        How to obtain a correct file, for messages.
    most : int, optional
        Largest allowed number of bytes.

    Raises
    ------
    InputError
        If it cannot be read, is a folder, a pipe or a device, or is larger than `most`.
    """

    def refuse(why: str) -> InputError:
        return _unreadable(path, thing, why, allowed, remedy)

    try:
        # Opening a pipe without a writer would block.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                raise refuse(f"it is a pipe or a device. Allowed: {allowed}")
            if about.st_size > most:
                raise refuse(f"it has {about.st_size:,} bytes; at most {most:,} are read. Allowed: {allowed}")
            # The buffer has the requested size: a file of /proc has a content, but reports no size.
            return file.read(min(most, about.st_size + 1_000_000))
    except MtjcharError:
        raise
    except FileNotFoundError as error:
        raise refuse("it does not exist") from error
    except IsADirectoryError as error:
        raise refuse("it is a directory") from error
    except OSError as error:
        raise refuse(error.strerror or str(error)) from error
    except ValueError as error:  # a null byte in the path
        raise refuse(str(error)) from error


def read_toml(path: str | Path, thing: str) -> dict[str, Any]:
    """Read a TOML file; `thing` describes the file for messages.

    Raises
    ------
    InputError
        If it cannot be read, or is not TOML in UTF-8.
    """
    content = read_bytes(path, thing, allowed="a TOML file")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # errors of TOML and of UTF-8 are ValueErrors
        raise InputError(str(path), value=str(error), allowed="TOML, UTF-8") from error


def read_text(path: str | Path, thing: str, *, allowed: str, remedy: str = "", most: int = MOST_TEXT) -> str:
    """Read a file of text in UTF-8; parameters and errors as for `read_bytes`, and for other encodings."""
    content = read_bytes(path, thing, allowed=allowed, remedy=remedy, most=most)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(
            path, thing, f"it is not UTF-8 text: {error}. Allowed: {allowed}", allowed, remedy
        ) from error


def _unreadable(path: str | Path, thing: str, why: str, allowed: str, remedy: str) -> InputError:
    problem = f"Cannot read {thing} {clipped(repr(str(path)))}: {why}."
    return InputError(thing, value=str(path), allowed=allowed, remedy=remedy, problem=problem)
