"""The tables of a study: stack, junction, cell, pulse, variability and sweep.

The models are frozen, refuse unknown keys, and hold SI numbers. In files every dimensioned value is a
string with a unit (``"40 nm"``); from Python a plain float is taken as SI.
"""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import tomli_w
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from mtjchar.errors import InputError
from mtjchar.fields import (
    Capacitance,
    Count,
    Description,
    Duration,
    FluxDensity,
    Length,
    Number,
    Resistance,
    Temperature,
    Voltage,
    inconsistent,
)
from mtjchar.study.stack import Stack
from mtjchar.units import format_quantity, parse_quantity

Direction = Literal["p_to_ap", "ap_to_p"]
DIRECTIONS: tuple[Direction, Direction] = ("p_to_ap", "ap_to_p")

FloatArray = npt.NDArray[np.float64]

_CUT = 5.0  # normal distributions of the variability are cut at this many standard deviations


class Junction(Description):
    """A stack patterned to a circle or an ellipse.

    `diameter` is that of the circle of equal area, `aspect_ratio` the long axis (along x) over the short
    one (along y).
    """

    diameter: Length = Field(gt=5e-9, lt=500e-9)
    aspect_ratio: Number = Field(default=1.0, ge=1, le=5)


class Line(Description):
    """A bit or source line: driver and wire together, as one resistance and one capacitance."""

    resistance: Resistance = Field(default=200.0, gt=0, lt=1e6)
    capacitance: Capacitance = Field(default=20e-15, ge=0, lt=1e-11)


class WordLine(Description):
    """The wire of a word line: `cells` on it are written together and share it.

    It turns on the transistors of `half_selected` further cells, with nothing on their bit lines.
    """

    resistance: Resistance = Field(gt=0, lt=1e6)
    capacitance: Capacitance = Field(ge=0, lt=1e-9)
    cells: Count = Field(ge=1, le=100_000)
    half_selected: Count = Field(default=0, ge=0, le=1_000_000)

    @property
    def share(self) -> tuple[float, float]:
        """Resistance (ohm) and capacitance (F) of one written cell, in lumps with the delay of the wire."""
        # The voltage at the end of a wire follows as behind half its resistance (Elmore); cells in parallel.
        return 0.5 * self.resistance * self.cells, self.capacitance / self.cells


PLAIN_PATH = re.compile(r"[A-Za-z0-9_./ +@%=-]+")
"""Paths that can stand in a netlist: nothing in them starts another line, a comment or a command."""
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
    def _found(cls, value: str, info: ValidationInfo) -> str:
        if value in ("ideal", "generic"):
            return value
        folder = Path(info.context["file"]).parent if info.context else Path()
        path = folder / value
        try:
            path = path.resolve()
            found = path.is_file()
        except (OSError, ValueError):  # too long, or with a null byte
            found = False
        if not found and not (info.context and info.context.get("written")):
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


class ExternalField(Description):
    """Uniform external field, B in T: z along the junction's axis, x along its long axis."""

    x: FluxDensity = Field(default=0.0, ge=-2, le=2)
    y: FluxDensity = Field(default=0.0, ge=-2, le=2)
    z: FluxDensity = Field(default=0.0, ge=-2, le=2)


class Cell(Description):
    """A junction with its access transistor, lines and drivers (1T-1MTJ).

    With `supply_voltage`, from which the drivers of bit and source lines take their charge, samples have the
    energy at the supply too.
    """

    temperature: Temperature = Field(default=300.0, ge=233.15, le=398.15)
    external_field: ExternalField = ExternalField()
    wordline_voltage: Voltage = Field(default=1.4, gt=0, le=5)
    supply_voltage: Voltage | None = Field(default=None, gt=0, le=10)
    wordline: WordLine | None = None
    free_layer_to: Literal["bitline", "sourceline"] = "bitline"
    bitline: Line = Line()
    sourceline: Line = Line()
    transistor: Transistor = Transistor()


class Pulse(Description):
    """The write pulse; a duration runs from half rise to half fall.

    `amplitude` is the nominal one, the starting point of what is compared: the study's only where it is
    given, otherwise the middle of the amplitudes that are swept.
    """

    rise: Duration = Field(default=100e-12, ge=1e-12, le=10e-9)
    fall: Duration = Field(default=100e-12, ge=1e-12, le=10e-9)
    amplitude: Voltage | None = Field(default=None, gt=0, le=5)


class Spread(Description):
    """A standard deviation, relative to the nominal value or absolute in SI.

    With `per_root_area`, `sigma` is in SI times m, to be divided by the root of the transistor's width times
    length (M. J. M. Pelgrom et al., IEEE J. Solid-State Circuits 24, 1433 (1989),
    doi:10.1109/JSSC.1989.572629); see `Study.spreads`.
    """

    sigma: float
    relative: bool
    per_root_area: bool = False


_SPREAD_UNITS = {
    "diameter": "m",
    "free_layer_thickness": "m",
    "saturation_magnetization": "A/m",
    "interfacial_anisotropy": "J/m^2",
    "damping": "",
    "spin_polarization": "",
    "resistance_area_product": "ohm*m^2",
    "tmr": "",
    "threshold_voltage": "V",
    "current_factor": "",
}
_AREA_COEFFICIENTS = {
    "threshold_voltage": ("avt", "V*m", "2 mV*um"),
    "current_factor": ("abeta", "m", "1 %*um"),
}
"""Key of Pelgrom's coefficient by parameter, its unit, and an example."""
DRAWN_ONLY = ("tmr_half_bias", "slonczewski_lambda")
"""Keys of the stack that have no spread of their own, but an uncertainty where a fit says so."""

_NO_SPREAD = Spread(sigma=0.0, relative=True)


class FitCovariance(Description):
    """What a fit does not know of the stack: a normal distribution around the stack of the study.

    `parameters` are keys of the stack that devices sample, or of `DRAWN_ONLY`, `values` the fitted ones (SI),
    `covariance` theirs. A study file names the fitted stack file instead.
    """

    parameters: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()

    @model_validator(mode="after")
    def _square(self) -> Self:
        count = len(self.parameters)
        allowed = sorted({*_SPREAD_UNITS, *DRAWN_ONLY} - {*_AREA_COEFFICIENTS, "diameter"})
        if not set(self.parameters) <= set(allowed):
            raise inconsistent("parameters", f"some of {', '.join(allowed)}")
        if len(self.values) != count or [len(row) for row in self.covariance] != [count] * count:
            raise inconsistent("covariance", "one value and one row and column for each parameter")
        matrix = np.array(self.covariance).reshape(count, count)
        scale = np.sqrt(np.abs(np.diag(matrix))) + 1e-300
        normed = matrix / np.outer(scale, scale)
        if count and (np.abs(normed - normed.T).max() > 1e-6 or np.linalg.eigvalsh(normed).min() < -1e-6):
            raise inconsistent("covariance", "a symmetric matrix without negative eigenvalues")
        return self


class Variability(Description):
    """Standard deviations of normal distributions, cut at 5 sigma; relative where no unit is given.

    `threshold_voltage` is the access transistor's and has to be absolute; `current_factor` multiplies its
    current. Both may be given by Pelgrom's coefficients ``avt`` and ``abeta``.
    `correlation` holds correlations of two parameters, by their names with a blank between them. With `fit`,
    stacks are drawn from its covariance.
    """

    diameter: Spread = _NO_SPREAD
    free_layer_thickness: Spread = _NO_SPREAD
    saturation_magnetization: Spread = _NO_SPREAD
    interfacial_anisotropy: Spread = _NO_SPREAD
    damping: Spread = _NO_SPREAD
    spin_polarization: Spread = _NO_SPREAD
    resistance_area_product: Spread = _NO_SPREAD
    tmr: Spread = _NO_SPREAD
    threshold_voltage: Spread = Spread(sigma=0.0, relative=False)
    current_factor: Spread = _NO_SPREAD
    correlation: dict[str, Number] = Field(default={})
    fit: FitCovariance = FitCovariance()

    @field_validator(*_SPREAD_UNITS, mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if name in _AREA_COEFFICIENTS and isinstance(value, dict):
            return _per_root_area(name, value)
        unit = _SPREAD_UNITS[name]
        allowed = f"allowed: a relative number from 0 to below {1 / _CUT:g}"
        if isinstance(value, str):
            try:
                value = Spread(sigma=parse_quantity(value, unit), relative=False)
            except InputError as error:
                raise ValueError(f"{allowed}, or {error.allowed}") from error
        elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
            value = Spread(sigma=min(value, 1.0), relative=True)
        too_large = isinstance(value, Spread) and value.relative and value.sigma >= 1 / _CUT
        if not isinstance(value, Spread) or value.sigma < 0 or (too_large and not value.per_root_area):
            raise ValueError(f"{allowed}, or a string with a unit")
        if name == "threshold_voltage" and value.relative and value.sigma:
            raise ValueError('allowed: a voltage, such as "15 mV", or { avt = "2 mV*um" }')
        return value

    @field_validator("correlation")
    @classmethod
    def _correlated(cls, value: dict[str, float]) -> dict[str, float]:
        matrix = _correlation_matrix(value)
        if matrix is None or np.linalg.eigvalsh(matrix).min() < 1e-9:
            raise ValueError(
                'allowed: pairs of different parameters such as "diameter tmr" = 0.3, each once, '
                "between -1 and 1, that can go together"
            )
        return value

    @model_serializer
    def _write(self) -> dict[str, Any]:
        table: dict[str, Any] = {name: _written(name, spread) for name, spread in self.items()}
        if self.correlation:
            table["correlation"] = dict(self.correlation)
        if self.fit.parameters:
            table["fit"] = self.fit.model_dump(mode="json")
        return table

    def correlation_matrix(self) -> FloatArray:
        """Correlations of the sampled parameters, in the order of `items`."""
        matrix = _correlation_matrix(self.correlation)
        assert matrix is not None  # checked when it was read
        return matrix

    def items(self) -> list[tuple[str, Spread]]:
        """Names and spreads, in the fixed order that the sampled dimensions have."""
        return [(name, getattr(self, name)) for name in _SPREAD_UNITS]


def _per_root_area(name: str, table: dict[str, Any]) -> Spread:
    """Read Pelgrom's coefficient."""
    key, unit, example = _AREA_COEFFICIENTS[name]
    allowed = f'allowed: {{ {key} = "{example}" }}, a number of at least 0 with a unit of that dimension'
    if set(table) != {key} or not isinstance(table[key], str):
        raise ValueError(allowed)
    try:
        coefficient = parse_quantity(table[key], unit)
    except InputError as error:
        raise ValueError(allowed) from error
    if coefficient < 0.0:
        raise ValueError(allowed)
    return Spread(sigma=coefficient, relative=name == "current_factor", per_root_area=True)


def _written(name: str, spread: Spread) -> Any:
    """Spread as a study file gives it."""
    if spread.per_root_area:
        key, unit, _ = _AREA_COEFFICIENTS[name]
        return {key: format_quantity(spread.sigma, unit)}
    return spread.sigma if spread.relative else format_quantity(spread.sigma, _SPREAD_UNITS[name])


def _correlation_matrix(pairs: dict[str, float]) -> FloatArray | None:
    """Matrix of correlations; None where the pairs are not understood."""
    names, matrix = list(_SPREAD_UNITS), np.eye(len(_SPREAD_UNITS))
    for pair, value in pairs.items():
        two = pair.split()
        if len(two) != 2 or not set(two) <= set(names) or two[0] == two[1] or not abs(value) < 1.0:
            return None
        place = names.index(two[0]), names.index(two[1])
        if matrix[place]:
            return None
        matrix[place] = matrix[place[::-1]] = value
    return matrix


class _Range(Description):
    points: Count = Field(ge=2, le=1000)
    spacing: Literal["linear", "log", "refined"] = "linear"
    start: float
    stop: float
    grid: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.start < self.stop:
            raise inconsistent("stop", "more than start")
        if self.grid is not None and (
            self.spacing != "refined"
            or len(self.grid) != self.points
            or (self.grid[0], self.grid[-1]) != (self.start, self.stop)
            or any(low >= high for low, high in itertools.pairwise(self.grid))
        ):
            raise inconsistent(
                "grid", "as many ascending values as points, from start to stop, where refined"
            )
        return self

    def values(self) -> FloatArray:
        """Return the grid, ascending, shape (points,).

        Raises
        ------
        InputError
            Where it is to be refined and no sweep has placed its points.
        """
        if self.spacing == "refined":
            if self.grid is None:
                raise InputError(
                    "spacing", value=self.spacing, allowed="a grid whose points a sweep has placed",
                    remedy="study.toml in the run directory has it.",
                )  # fmt: skip
            return np.array(self.grid)
        spaced = np.linspace if self.spacing == "linear" else np.geomspace
        return spaced(self.start, self.stop, self.points)


class AmplitudeRange(_Range):
    """Amplitudes in V."""

    start: Voltage = Field(gt=0, le=5)
    stop: Voltage = Field(gt=0, le=5)
    grid: tuple[Voltage, ...] | None = None


class DurationRange(_Range):
    """Durations in s."""

    spacing: Literal["linear", "log", "refined"] = "log"
    start: Duration = Field(gt=0, le=1e-3)
    stop: Duration = Field(gt=0, le=1e-3)
    grid: tuple[Duration, ...] | None = None


class Sweep(Description):
    """The grid of pulses, and how many devices are put through it.

    `trials` is the number of thermal writes per device, direction and amplitude from which errors are
    counted where the study is not `Study.axially_symmetric`; otherwise it has no effect. With `precision`
    (decades) the sweep ends as soon as the 95 % interval of every error rate from 1e-9 to 0.9 is narrower,
    and `devices` is the largest number that it takes for that. Where the spacing of a range is ``"refined"``
    the sweep places its points, more of them where error rates change, and keeps them as its ``grid``.
    """

    directions: tuple[Direction, ...] = Field(default=DIRECTIONS, min_length=1, max_length=2)
    amplitude: AmplitudeRange
    duration: DurationRange
    devices: Count = Field(default=1000, ge=1, le=1_000_000)
    seed: Count = Field(default=1, ge=0, lt=2**63)
    trials: Count = Field(default=1000, ge=10, le=100_000)
    precision: Number | None = Field(default=None, gt=0, le=10)

    @field_validator("directions")
    @classmethod
    def _once_each(cls, value: tuple[Direction, ...]) -> tuple[Direction, ...]:
        if len(set(value)) != len(value):
            raise ValueError("allowed: each direction once")
        return value


class Study(Description):
    """Everything that determines a characterization; two equal studies give the same table."""

    stack: Stack
    junction: Junction
    cell: Cell = Cell()
    pulse: Pulse = Pulse()
    variability: Variability = Variability()
    sweep: Sweep

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        edges = (self.pulse.rise + self.pulse.fall) / 2
        if self.sweep.duration.start < edges:
            raise inconsistent(
                "sweep.duration.start", f"at least half the rise plus half the fall of the pulse, {edges!r} s"
            )
        amplitude = self.sweep.amplitude
        if self.pulse.amplitude and not amplitude.start <= self.pulse.amplitude <= amplitude.stop:
            raise inconsistent(
                "pulse.amplitude", f"within sweep.amplitude, {amplitude.start!r} to {amplitude.stop!r} V"
            )
        supply = self.cell.supply_voltage
        if supply is not None and supply < amplitude.stop:
            raise inconsistent(
                "cell.supply_voltage", f"at least the largest amplitude of the sweep, {amplitude.stop!r} V"
            )
        for key, given in (
            ("sweep.precision", self.sweep.precision is not None),
            ("sweep.amplitude.spacing", self.sweep.amplitude.spacing == "refined"),
            ("sweep.duration.spacing", self.sweep.duration.spacing == "refined"),
        ):
            if given and not self.axially_symmetric:
                raise inconsistent(
                    key, f"only where error rates are computed; here they are counted ({self.asymmetries[0]})"
                )
        for name, spread in self.spreads():
            nominal = self.nominal(name)
            sigma = spread.sigma * nominal if spread.relative else spread.sigma
            if name != "threshold_voltage" and _CUT * sigma >= nominal:
                largest = format_quantity(nominal / _CUT, _SPREAD_UNITS[name])
                raise inconsistent(
                    f"variability.{name}",
                    f"below {largest}, a fifth of the nominal value, so that every sample is physical",
                )
        if self.variability.current_factor.sigma and self.cell.transistor.model != "generic":
            raise inconsistent(
                "variability.current_factor",
                'no spread, or cell.transistor.model = "generic": other models have no parameter for it',
            )
        fit = self.variability.fit
        for name, fitted in zip(fit.parameters, fit.values, strict=True):
            if not math.isclose(fitted, self.nominal(name), rel_tol=1e-6):
                raise inconsistent(
                    "variability.fit",
                    f"the fit of this study's stack, with {name} = {self.nominal(name)!r}, not {fitted!r}",
                )
        return self

    @property
    def nominal_amplitude(self) -> float:
        """The amplitude that comparisons start from, V."""
        middle = (self.sweep.amplitude.start + self.sweep.amplitude.stop) / 2
        return self.pulse.amplitude or middle

    @property
    def asymmetries(self) -> tuple[str, ...]:
        """What breaks the symmetry around z, in words, key and value each; empty where nothing does."""
        field, tilt, aspect = self.cell.external_field, self.stack.reference_tilt, self.junction.aspect_ratio
        broken = {
            f"cell.external_field.x = {field.x:g} T": field.x != 0.0,
            f"cell.external_field.y = {field.y:g} T": field.y != 0.0,
            f"stack.reference_tilt = {tilt:g} rad": tilt != 0.0,
            f"junction.aspect_ratio = {aspect:g}": aspect != 1.0,
        }
        return tuple(words for words, applies in broken.items() if applies)

    @property
    def axially_symmetric(self) -> bool:
        """Whether m_z alone describes the magnetization: no field in the plane, no tilt, a circle."""
        return not self.asymmetries

    def nominal(self, name: str) -> float:
        """Nominal value of a sampled parameter, SI: shift of the threshold voltage 0, current factor 1."""
        if name in _AREA_COEFFICIENTS:
            return {"threshold_voltage": 0.0, "current_factor": 1.0}[name]
        return float(getattr(self.junction if name == "diameter" else self.stack, name))

    def spreads(self) -> list[tuple[str, Spread]]:
        """Names and spreads of the sampled parameters, Pelgrom's coefficients over the root of the area."""
        transistor = self.cell.transistor
        root = math.sqrt(transistor.width * transistor.length)
        return [
            (
                name,
                Spread(sigma=spread.sigma / root, relative=spread.relative)
                if spread.per_root_area
                else spread,
            )
            for name, spread in self.variability.items()
        ]

    def to_toml(self) -> str:
        """Write the study out in full, all defaults included; `load_study` reads the same study back."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))
