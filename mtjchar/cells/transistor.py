"""The access transistor of a cell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from mtjchar.fields import Description, Length, Resistance, inconsistent
from mtjchar.spice.transistor_file import PLAIN_PATH

__all__ = ["Transistor"]

_SETTING = re.compile(
    r"set [A-Za-z]\w{0,63}(?:=[\w.+-]{1,64})?|option [A-Za-z]\w{0,63}=[\w.+-]{1,64}", re.ASCII
)
_OWN_SETTINGS = (
    # What mtjchar sets itself, for the circuit or along the ladder of retries.
    *("num_threads", "controlswait", "temp", "method", "reltol", "trtol", "chgtol"),
    *("gmin", "itl1", "itl2", "itl4"),
    # What would cut or change the waveforms that it reads, write files, or look for files elsewhere.
    *("interp", "autostop", "nosubckt", "noparse", "ngdebug", "autorun", "rawfile", "sourcepath", "inputdir"),
)
_MODELS = 'allowed: "ideal", "generic" or the path of a SPICE file'


class Transistor(Description):
    """The access transistor.

    `model` is ``"ideal"`` (a resistor `on_resistance`), ``"generic"`` (the 28-nm-class NMOS that comes
    with mtjchar), or the path of a SPICE file that defines the subcircuit `subcircuit` with the pins
    drain, gate, source, bulk and the parameters ``w``, ``l`` (m) and ``dvth`` (V). `init` holds lines that a
    foundry's kit wants in ``.spiceinit``: ``set name``, ``set name=value`` or ``option name=value``.
    """

    model: str = "generic"
    subcircuit: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")
    width: Length = Field(default=300e-9, gt=20e-9, lt=100e-6)
    length: Length = Field(default=30e-9, ge=20e-9, lt=10e-6)
    on_resistance: Resistance | None = Field(default=None, gt=0, lt=1e7)
    init: tuple[str, ...] = ()

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: str, info: ValidationInfo) -> str:
        if value in ("ideal", "generic"):
            return value
        folder = Path(info.context["file"]).parent if info.context else Path()
        path = folder / value
        try:
            path = path.resolve()
            is_there = path.is_file()
        except (OSError, ValueError):  # too long, or with a null byte
            is_there = False
        if not is_there and not (info.context and info.context.get("written")):
            raise ValueError(f"{_MODELS}; there is none at {str(path)[:200]!r}")
        # The path ends up in a netlist: nothing that could start another SPICE line gets there.
        if not PLAIN_PATH.fullmatch(str(path)):
            raise ValueError(
                f"{_MODELS}, its whole path of letters, digits, blanks and ._/+@%=-, not {str(path)[:200]!r}"
            )
        return str(path)

    @field_validator("init")
    @classmethod
    def _settings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for line in value:
            # ngspice would run what follows a semicolon or stands between backquotes.
            if not _SETTING.fullmatch(line):
                raise ValueError(
                    'allowed: lines such as "set ngbehavior=hsa", "set ng_nomodcheck", "option scale=1e-6", '
                    f"of letters, digits and _.+-, not {line[:80]!r}"
                )
            name = line.split(" ", 1)[1].split("=")[0]
            if name.lower() in _OWN_SETTINGS:
                raise ValueError(f"allowed: what mtjchar does not set or need itself, not {name}")
        return value

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = handler(self)
        if not self.init:
            table.pop("init", None)  # so that parts of runs keep the names that they had without the key
        return table

    @property
    def file(self) -> Path | None:
        """The user's SPICE file; None for the models that come with mtjchar."""
        return None if self.model in ("ideal", "generic") else Path(self.model)

    @property
    def variables(self) -> tuple[str, ...]:
        """Commands among `init` that ngspice needs before it loads a deck."""
        return tuple(line for line in self.init if line.startswith("set "))

    @property
    def options(self) -> str:
        """Options among `init`, as a deck has them."""
        return " ".join(line.removeprefix("option ") for line in self.init if line.startswith("option "))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.model == "ideal") != (self.on_resistance is not None):
            raise inconsistent("on_resistance", 'a resistance with model = "ideal", and only there')
        if (self.model in ("ideal", "generic")) != (self.subcircuit is None):
            raise inconsistent(
                "subcircuit", "the name of the subcircuit where model is a SPICE file, and only there"
            )
        if self.init and self.model in ("ideal", "generic"):
            raise inconsistent("init", "no settings, or the path of a SPICE file as model")
        return self
