"""Files that come with mtjchar: stacks and studies by their names, and their folder."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from mtjchar.files import is_file

__all__ = ["data_path", "named_file", "shipped"]


def data_path() -> Path:
    """Return the folder that contains stacks, studies and published points.

    It is beside the package in a checkout, and inside the package after an installation.

    Examples
    --------
    >>> import mtjchar
    >>> sorted(path.stem for path in (mtjchar.data_path() / "stacks").glob("ikeda*.toml"))
    ['ikeda2010']
    """
    package = Path(str(resources.files("mtjchar")))
    inside = package / "_data"
    return inside if inside.is_dir() else package.parent / "data"


def shipped(kind: str) -> dict[str, Path]:
    """Return files by their names.

    Parameters
    ----------
    kind : {"stacks", "studies"}

    Examples
    --------
    >>> "demo" in shipped("studies")
    True
    """
    return {file.stem: file for file in sorted((data_path() / kind).glob("*.toml"))}


def named_file(given: str | Path, kind: str, folder: Path = Path()) -> Path:
    """Find a file by its path, or by its name if it comes with mtjchar.

    Parameters
    ----------
    given : str or Path
        A path relative to `folder`. If there is no such file, a name without a suffix is looked up.
    kind : {"stacks", "studies"}
    folder : Path, optional

    Returns
    -------
    Path
        The given path if nothing is found: the caller reports what is missing.
    """
    path = folder / given
    known = shipped(kind).get(str(given))
    return path if known is None or is_file(path) else known
