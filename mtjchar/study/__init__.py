"""Studies, as frozen models and as files."""

import warnings
from typing import Any

from mtjchar.cells.base import Direction
from mtjchar.cells.stt import tables as stt_tables
from mtjchar.cells.stt.stack import Stack
from mtjchar.cells.stt.stack_files import load_stack
from mtjchar.cells.stt.tables import Cell, ExternalField, Junction, Line, SecondTransistor
from mtjchar.cells.transistor import Transistor
from mtjchar.cells.variability import Spread
from mtjchar.study.load import load_study
from mtjchar.study.models import AmplitudeRange, DurationRange, Pulse, Study, Sweep
from mtjchar.study.scenarios import scenarios

__all__ = [
    "AmplitudeRange",
    "Cell",
    "Direction",
    "DurationRange",
    "ExternalField",
    "Junction",
    "Line",
    "Pulse",
    "SecondTransistor",
    "Spread",
    "Stack",
    "Study",
    "Sweep",
    "Transistor",
    "load_stack",
    "load_study",
    "scenarios",
]

_MOVED = {"DIRECTIONS": "DIRECTIONS", "Variability": "SttVariability"}  # kept for one release


def __getattr__(name: str) -> Any:
    if name in _MOVED:
        warnings.warn(
            f"mtjchar.study.{name} is now mtjchar.cells.stt.tables.{_MOVED[name]}; the old name goes with "
            "the next release.",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(stt_tables, _MOVED[name])
    raise AttributeError(f"module 'mtjchar.study' has no attribute {name!r}")
