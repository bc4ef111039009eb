"""The access transistor of a cell."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from mtjchar.cells.kits import CORNERS, INSTANCE, KITS, installed
from mtjchar.errors import InputError, MissingToolError
from mtjchar.fields import Description, Length, Number, Resistance, inconsistent
from mtjchar.spice.transistor_file import PLAIN_PATH, clean

__all__ = ["Parameter", "Transistor"]

_SETTING = re.compile(
    r"set [A-Za-z]\w{0,63}(?:=[\w.+-]{1,64})?|option [A-Za-z]\w{0,63}=[\w.+-]{1,64}", re.ASCII
)
_OWN_SETTINGS = (
    # Settings that mtjchar makes itself, for the circuit or along the ladder of retries.
    *("num_threads", "controlswait", "temp", "method", "reltol", "trtol", "chgtol"),
    *("gmin", "itl1", "itl2", "itl4"),
    # Settings that would cut or change the waveforms, write files, or search for files elsewhere.
    *("interp", "autostop", "nosubckt", "noparse", "ngdebug", "autorun", "rawfile", "sourcepath", "inputdir"),
)
_WORD_PATH = re.compile(PLAIN_PATH.pattern.replace(" ", ""))  # ngspice's commands end at a blank
_KITS = ", ".join(f'"{kit}"' for kit in KITS)
_MODELS = f'allowed: "ideal", "generic", an open kit ({_KITS}) or the path of a SPICE file'

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_IN_FILE_ONLY = {
    "section": "sections of a library",
    "pins": "pins of a subcircuit",
    "parameters": "names of parameters of a subcircuit",
    "extra": "further parameters of a subcircuit",
    "init": "settings",
    "osdi": "compiled Verilog-A models",
}
_IN_KIT_ONLY = ("device", "corner")


class Parameter(Description):
    """Name of a parameter in a subcircuit, and the factor on its value in SI units."""

    name: str = Field(pattern=f"^{_NAME}$")
    factor: Number = Field(default=1.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.name if self.factor == 1.0 else handler(self)


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _file(value: str, info: ValidationInfo, allowed: str, plain: re.Pattern[str]) -> str:
    """Absolute path of a file that a study names; relative paths start from the study's folder."""
    folder = Path(info.context["file"]).parent if info.context else Path()
    expanded = os.path.expandvars(value)
    try:
        path = folder / Path(expanded).expanduser()
    except RuntimeError:  # no such user
        path = folder / expanded
    try:
        path = path.resolve()
        is_there = path.is_file()
    except (OSError, ValueError):  # too long, or with a null byte
        is_there = False
    if not is_there and not (info.context and info.context.get("written")):
        unset = ", in which a variable is not set" if "$" in str(path) else ""
        raise ValueError(f"{allowed}; there is none at {str(path)[:200]!r}{unset}")
    # The path is written into a netlist or a command: no character may start another one there.
    if not plain.fullmatch(str(path)):
        blanks = "digits, blanks and" if plain is PLAIN_PATH else "digits and"
        raise ValueError(f"{allowed}, its whole path of letters, {blanks} ._/+@%=-, not {str(path)[:200]!r}")
    return str(path)


_Section = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{1,64}$")]
_ExtraName = Annotated[str, Field(pattern=f"^{_NAME}$")]


class Transistor(Description):
    """The access transistor.

    `model` is ``"ideal"`` (a resistor `on_resistance`), ``"generic"`` (the 28-nm-class NMOS that comes
    with mtjchar), the name of an open process design kit (`mtjchar.cells.kits`), or the path of a SPICE file
    that defines the subcircuit `subcircuit`.

    For a kit, `device` is the transistor by its name there and `corner` one of tt, ff, ss, sf and fs. `extra`
    holds instance parameters: number of fingers, areas of the diffusions and the like.

    All other keys are for a file. `section` names sections of a library. `pins` gives the function of the
    subcircuit's pins, in its order: drain, gate, source, bulk. `parameters` gives its names for
    width ``w`` and length ``l`` (m), shift of the threshold ``dvth`` (V), and multiplier ``m``.
    Without a name for ``dvth`` a source at the gate shifts the threshold. `extra` holds further parameters
    with their values. `init` holds lines that a foundry kit needs in ``.spiceinit``: ``set name``, ``set
    name=value`` or ``option name=value``. `osdi` names compiled Verilog-A models (OSDI libraries) that the
    file uses; they are machine code, which ngspice runs.
    """

    model: str = "generic"
    device: str | None = None
    corner: Literal["tt", "ff", "ss", "sf", "fs"] | None = None
    section: Annotated[tuple[_Section, ...], BeforeValidator(_several)] = ()
    subcircuit: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")
    width: Length = Field(default=300e-9, gt=20e-9, lt=100e-6)
    length: Length = Field(default=30e-9, ge=20e-9, lt=10e-6)
    on_resistance: Resistance | None = Field(default=None, gt=0, lt=1e7)
    pins: tuple[Literal["d", "g", "s", "b"], ...] = ("d", "g", "s", "b")
    parameters: dict[Literal["w", "l", "dvth", "m"], Parameter] = Field(
        default={name: Parameter(name=name) for name in ("w", "l", "dvth")}
    )
    extra: dict[_ExtraName, Number] = Field(default={})
    init: tuple[str, ...] = ()
    osdi: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()

    @model_validator(mode="before")
    @classmethod
    def _complete_kit(cls, value: Any) -> Any:
        if not isinstance(value, dict) or (kit := KITS.get(str(value.get("model")))) is None:
            return value
        return {"device": kit.devices[0], "corner": CORNERS[0], **value}

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: str, info: ValidationInfo) -> str:
        if value in ("ideal", "generic"):
            return value
        if value in KITS:
            if not (info.context and info.context.get("written")):
                try:
                    installed(value)
                except MissingToolError as error:
                    raise ValueError(f"{_MODELS}; {error}") from error
            return value
        return _file(value, info, _MODELS, PLAIN_PATH)

    @field_validator("osdi")
    @classmethod
    def _check_osdi(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(_file(each, info, "allowed: paths of OSDI libraries", _WORD_PATH) for each in value)

    @field_validator("pins")
    @classmethod
    def _check_pins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(value.count(pin) != 1 for pin in "dgs"):
            raise ValueError(
                'allowed: "d", "g", "s" and "b" in the order of the subcircuit; d, g and s once each'
            )
        return value

    @field_validator("init")
    @classmethod
    def _settings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for line in value:
            # ngspice would run text after a semicolon or between backquotes.
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
        for name in _IN_FILE_ONLY:
            if getattr(self, name) == type(self).model_fields[name].default:
                table.pop(name, None)  # so that parts of runs keep their names from before the key existed
        for name in _IN_KIT_ONLY:
            if getattr(self, name) is None:
                table.pop(name, None)
        return table

    @property
    def file(self) -> Path | None:
        """The user's SPICE file; None for the models that come with mtjchar, and for kits."""
        return None if self.model in ("ideal", "generic", *KITS) else Path(self.model)

    @property
    def has_multiplier(self) -> bool:
        """Whether the current can be multiplied by a factor."""
        return self.model in ("generic", *KITS) or (self.file is not None and "m" in self.parameters)

    @property
    def variables(self) -> tuple[str, ...]:
        """Commands that ngspice needs before it loads a deck."""
        settings = tuple(line for line in self.init if line.startswith("set "))
        return (*settings, *(f"osdi {file}" for file in self.osdi))

    @property
    def options(self) -> str:
        """Options among `init`, in the form of a deck."""
        return " ".join(line.removeprefix("option ") for line in self.init if line.startswith("option "))

    def at_corner(self, name: str) -> Self:
        """Return this transistor at a process corner: that of a kit, or a section that replaces the last one.

        Parameters
        ----------
        name : str
            Corner of the kit, or section of the library. Earlier sections stay, because they set switches.

        Raises
        ------
        InputError
            If the model is neither a kit nor a file with sections, or has no such corner.
        """
        if self.model in KITS:
            if name not in CORNERS:
                raise InputError("cell.transistor.corner", value=name, allowed=f"one of {', '.join(CORNERS)}")
            return self.model_copy(update={"corner": name})
        if not self.section:
            key, value = ("model", self.model) if self.file is None else ("section", "")
            raise InputError(
                f"cell.transistor.{key}", value=value,
                allowed=f"for the corner {name!r} an open kit ({_KITS}), or sections of a library",
                remedy="Name them in the study, or leave corners out.",
            )  # fmt: skip
        sections = (*self.section[:-1], name)
        clean(self.model, sections)  # refuses a section that does not exist
        return self.model_copy(update={"section": sections})

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.model == "ideal") != (self.on_resistance is not None):
            raise inconsistent("on_resistance", 'a resistance with model = "ideal", and only there')
        if (self.file is None) != (self.subcircuit is None):
            raise inconsistent(
                "subcircuit", "the name of the subcircuit where model is a SPICE file, and only there"
            )
        for name, what in _IN_FILE_ONLY.items():
            given = getattr(self, name) != type(self).model_fields[name].default
            if given and self.file is None and not (name == "extra" and self.model in KITS):
                raise inconsistent(name, f"no {what}, or the path of a SPICE file as model")
        self._check_kit()
        names = [parameter.name.lower() for parameter in self.parameters.values()]
        names += [name.lower() for name in self.extra]
        if len(set(names)) != len(names):
            raise inconsistent("parameters", "each parameter of the subcircuit once, with those of extra")
        return self

    def _check_kit(self) -> None:
        kit = KITS.get(self.model)
        if kit is None:
            for name in _IN_KIT_ONLY:
                if getattr(self, name) is not None:
                    raise inconsistent(name, f"no {name}, or an open kit as model ({_KITS})")
            return
        if self.device not in kit.devices:
            raise inconsistent("device", f"an n-channel transistor of {self.model}: {', '.join(kit.devices)}")
        if unknown := self.extra.keys() - INSTANCE.keys():
            raise inconsistent("extra", f"{', '.join(INSTANCE)}, not {min(unknown)}")
        fingers = self.extra.get("nf", 1.0)
        if fingers < 1.0 or not fingers.is_integer():
            raise inconsistent("extra", "nf, the number of fingers, a whole number from 1")
