"""Ngspice as a library, one simulator per process."""

from __future__ import annotations

import contextlib
import ctypes.util
import functools
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PySpice.Spice.NgSpice.Shared import NgSpiceCircuitError, NgSpiceCommandError, NgSpiceShared, ffi

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError, MissingToolError, SimulationError

__all__ = ["FloatArray", "Simulator", "find_library", "simulator"]


_OLDEST = 39
_HOW_TO_GET = (
    "Debian, Ubuntu: apt install libngspice0; Homebrew: brew install libngspice; conda: ngspice-lib."
)
# Lines of every answer, or lines about the library as a whole and not the deck.
_CHATTER = (
    "Note: No compatibility mode",
    "Circuit: ",
    "Numparam warning: overwriting",
    "Error: ngspice.dll cannot recover",
)


def find_library() -> str:
    """Path or name of libngspice for the dynamic loader.

    Debian's package has only ``libngspice.so.0``, which PySpice does not look for.

    Raises
    ------
    MissingToolError
        If there is none; the message explains how to install it.
    """
    given = os.environ.get("NGSPICE_LIBRARY_PATH")
    if given:
        # Relative to the current folder, which differs when it is loaded; a bare name is resolved by the
        # loader.
        return str(Path(given).resolve()) if os.sep in given else given
    for prefix in (Path(sys.prefix), Path("/opt/homebrew"), Path("/usr/local")):
        for name in ("libngspice.so.0", "libngspice.so", "libngspice.dylib"):
            if (prefix / "lib" / name).is_file():
                return str(prefix / "lib" / name)
    library = ctypes.util.find_library("ngspice")
    if library:
        return library
    raise MissingToolError(f"The library libngspice was not found. {_HOW_TO_GET}")


_TRY = (
    "import ctypes, sys\n"
    "try:\n"
    "    library = ctypes.CDLL(sys.argv[1])\n"
    "    library.ngSpice_Init_Sync, library.ngSpice_Init, library.ngSpice_Circ, library.ngSpice_AllVecs\n"
    "except (OSError, AttributeError) as error:\n"
    "    print(error)\n"
    "else:\n"
    "    print('ngspice', flush=True)\n"
)


@functools.cache
def _flaw(library: str) -> str:
    """Describe the error of a requested library, empty if there is none.

    It is tried in another process, because a library may end the program that loads it.
    """
    if os.sep in library and not Path(library).exists():
        return "it does not exist"
    if Path(library).is_dir():
        return "it is a folder"
    if Path(library).is_file() and Path(library).stat().st_size == 0:
        return "it is empty"
    command = [sys.executable, "-I", "-S", "-c", _TRY, library]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired:
        return "the program that loads it hangs"
    except OSError:  # no process could be started; an error of the library then shows later
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    if lines and lines[-1] == "ngspice":
        return ""
    last_words = f": {lines[-1].removeprefix(f'{library}: ')}" if lines else ""
    if done.returncode != 0:
        return f"it ends the program that loads it (exit code {done.returncode}){last_words}"
    kind = "it is a library, but not ngspice" if "undefined symbol" in last_words else "it does not load"
    return f"{kind}{last_words}"


@contextlib.contextmanager
def _private_folder() -> Iterator[None]:
    """Work in a new folder with an empty .spiceinit.

    When it starts, ngspice runs the file of that name in the working directory, or otherwise in the home
    folder. Its commands could change results and start any program. While it searches for the home folder,
    ngspice also crashes for a user without a passwd entry.
    """
    here = os.open(".", os.O_RDONLY)
    try:
        with tempfile.TemporaryDirectory(prefix="mtjchar-") as folder:
            Path(folder, ".spiceinit").touch()
            os.chdir(folder)
            try:
                yield
            finally:
                os.fchdir(here)
    finally:
        os.close(here)


class Simulator(NgSpiceShared):  # type: ignore[misc]
    """The ngspice of this process; get it from `simulator`."""

    _declared = False  # whether PySpice has declared ngspice's functions to cffi, which it may do only once
    _on_loading = ""  # messages of ngspice for the loaded circuit

    def __init__(self) -> None:
        type(self).LIBRARY_PATH = find_library()
        # PySpice reports every line of newer versions as an error; relevant messages are kept in `words`.
        logging.getLogger("PySpice").setLevel(logging.CRITICAL)
        given = os.environ.get("NGSPICE_LIBRARY_PATH")
        remedy = f"NGSPICE_LIBRARY_PATH is set to {given!r}: fix or unset it. " if given else ""
        flaw = _flaw(self.LIBRARY_PATH) if given else ""
        try:
            if not flaw:
                with _private_folder():
                    super().__init__()
        except (OSError, AttributeError, NameError) as error:  # cffi's and PySpice's
            flaw = f"{error}"
        if flaw:
            raise MissingToolError(
                f"libngspice does not load: {self.LIBRARY_PATH}: {flaw}. {remedy}{_HOW_TO_GET}"
            )
        if (self.ngspice_version or 0) < _OLDEST:
            number = self.ngspice_version
            version = f"is version {number}" if number else "does not say its version"
            raise MissingToolError(
                f"libngspice {self.LIBRARY_PATH} {version}; {_OLDEST} or newer is needed. "
                f"{remedy}{_HOW_TO_GET}"
            )
        # Two OpenMP threads in BSIM4 slow a batch down, by 3 to 12 times.
        self.exec_command("set num_threads=1")
        # Commands in a deck would be delayed without end. Those that begin with pre_ are not stopped.
        self.exec_command("set controlswait")
        self._variables: tuple[str, ...] = ()

    def _load_library(self, verbose: bool) -> None:
        if self._declared:
            self._ngspice_shared = ffi.dlopen(self.library_path)
        else:
            super()._load_library(verbose)
            type(self)._declared = True

    def restart(self) -> None:
        """Unload the library and load it again.

        After an error that ngspice calls fatal (a parameter that is not a number, a missing file), it refuses
        every following circuit, even valid ones, and up to version 43 only reloading helps.
        """
        ffi.dlclose(self._ngspice_shared)
        self.__init__()  # type: ignore[misc]

    @functools.cached_property
    def loads_osdi(self) -> bool:
        """Whether this ngspice can load compiled Verilog-A models (OSDI libraries)."""
        self.exec_command("osdi")
        return "no such command" not in self.words

    @property
    def words(self) -> str:
        """Messages of ngspice to the last command, each line once."""
        lines = dict.fromkeys([*self._stdout, *self._stderr])
        return "\n".join(line for line in lines if line.strip() and not line.startswith(_CHATTER))

    @property
    def words_on_loading(self) -> str:
        """Messages of ngspice to the present circuit when it was loaded."""
        return self._on_loading

    def exec_command(self, command: str, join_lines: bool = True) -> str | list[str]:
        """Run a command; its success is judged by its results, not by its messages.

        Raises
        ------
        SimulationError
            If ngspice has stopped working.
        """
        try:
            with contextlib.suppress(NgSpiceCommandError):
                super().exec_command(command)
        except NameError as error:  # PySpice's, for a return code other than 0
            raise SimulationError(_failure(f"ngspice gave up at {command!r}", self.words)) from error
        return self.stdout if join_lines else list(self._stdout)

    @contextlib.contextmanager
    def circuit(self, deck: str, variables: tuple[str, ...] = ()) -> Iterator[None]:
        """Load a circuit for a with block; memory stays constant only if it is removed.

        Parameters
        ----------
        deck : str
        variables : tuple of str
            Commands that set variables or load OSDI libraries before the deck is loaded. They apply to the
            following circuits with the same commands, and to no others.

        Raises
        ------
        InputError
            If an OSDI library cannot be loaded.
        SimulationError
            If ngspice refuses the circuit. After this or any other error in the block ngspice is
            restarted, so that the next circuit is not affected.
        """
        try:
            self._set(variables)
            try:
                self.load_circuit(deck)
            except (NgSpiceCircuitError, NameError) as error:
                raise SimulationError(_failure("ngspice refused the circuit", self.words)) from error
            # Most errors in a deck leave ngspice without a circuit, but PySpice treats them as plain
            # messages.
            self._on_loading = self.words
            yield
        except BaseException:
            self.restart()
            raise
        self.destroy()
        self.remove_circuit()

    def _set(self, variables: tuple[str, ...]) -> None:
        if variables == self._variables:
            return
        if self._variables:
            self.restart()  # the former value of a variable is not known
        for command in variables:
            if command.startswith("osdi "):
                self._load_osdi(command.removeprefix("osdi "))
            else:
                self.exec_command(command)
        self._variables = variables

    def _load_osdi(self, file: str) -> None:
        version = self.ngspice_version
        if not self.loads_osdi:
            raise InputError(
                "cell.transistor.osdi",
                value=file,
                allowed=f"no file: ngspice {version} ({self.LIBRARY_PATH}) was built without OSDI",
                remedy="Take one with it, such as Debian 13's or a build with --enable-osdi, and name its "
                "library in NGSPICE_LIBRARY_PATH. `mtjchar doctor` says what it can.",
            )
        self.exec_command(f"osdi {file}")
        if re.search("error", self.words, re.IGNORECASE):
            raise InputError(
                "cell.transistor.osdi",
                value=file,
                allowed=f"a library that ngspice {version} loads. It says: {self.words.splitlines()[0]}",
                remedy="Compile the Verilog-A model for this machine, with OpenVAF for example.",
            )

    def analyse(self, command: str, axis: str, stop: float) -> Mapping[str, FloatArray]:
        """Run an analysis of the present circuit and return its vectors.

        Parameters
        ----------
        command : str
            A ``dc`` or ``tran`` line.
        axis : str
            Name of its independent vector.
        stop : float
            Last value that the axis must reach: a waveform that ends earlier is a failure.

        Raises
        ------
        SimulationError
            With ngspice's messages, if there is no result, or one that is cut or not finite.
        """
        self.destroy()
        self.exec_command(command)
        words = self.words
        if self.last_plot == "const":
            all_words = f"{self._on_loading}\n{words}"
            raise SimulationError(
                _failure(f"ngspice gave no result for {command!r}", all_words),
                status="not_converged" if _no_solution(all_words) else "failed",
            )
        vectors = {name.lower(): vector._data for name, vector in self.plot(None, self.last_plot).items()}
        reached = vectors.get(axis, np.empty(0))
        if len(reached) == 0 or abs(reached[-1] - stop) > 1e-6 * max(abs(stop), 1e-15):
            last = float(reached[-1]) if len(reached) else None
            raise SimulationError(
                _failure(f"ngspice ended {command!r} at {axis} = {last!r}, before {stop!r}", words),
                status="cut" if axis == "time" else "not_converged",
            )
        if not all(np.all(np.isfinite(vector)) for vector in vectors.values()):
            raise SimulationError(
                _failure(f"ngspice gave values that are not finite for {command!r}", words),
                status="not_converged",
            )
        return vectors


# A line that gives the reason, among those that give the place or general advice.
_REASON = re.compile(
    r"undefined|un(?:known|implemented|recognized|able)|could not|can't|cannot|mismatch of|mismatch:|no such"
    r"|not found|malformed|too (?:few|many|small)|out of range|singular|convergence|syntax|illegal|invalid"
    r"|incorrect",
    re.IGNORECASE,
)


# A line that gives the place, not the reason.
_PLACE = re.compile(r"(?:netlist )?line no\. *\d+:?$|please check", re.IGNORECASE)


def _failure(what: str, words: str) -> str:
    """Make a message whose first line has ngspice's reason; all its messages follow."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    others = [line for line in lines if not _PLACE.match(line)]
    reason = next((line for line in others if _REASON.search(line)), next(iter(others or lines), ""))
    return f"{what}: {reason}\n{words}" if reason else f"{what}:"


def _no_solution(words: str) -> bool:
    """Whether ngspice, by its messages, accepted the deck but found no operating point."""
    text = words.lower()
    return any(sign in text for sign in ("convergence", "iteration limit", "timestep too small", "singular"))


@functools.cache
def simulator() -> Simulator:
    """Return the one simulator of this process; two in one process crash."""
    return Simulator()
