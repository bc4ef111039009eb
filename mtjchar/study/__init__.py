"""What is to be characterized, as frozen models and as a file."""

from mtjchar.study.load import load_stack, load_study
from mtjchar.study.models import (
    DIRECTIONS,
    AmplitudeRange,
    Cell,
    Direction,
    DurationRange,
    ExternalField,
    Junction,
    Line,
    Pulse,
    Spread,
    Study,
    Sweep,
    Transistor,
    Variability,
)
from mtjchar.study.stack import Stack

__all__ = [
    "DIRECTIONS",
    "AmplitudeRange",
    "Cell",
    "Direction",
    "DurationRange",
    "ExternalField",
    "Junction",
    "Line",
    "Pulse",
    "Spread",
    "Stack",
    "Study",
    "Sweep",
    "Transistor",
    "Variability",
    "load_stack",
    "load_study",
]
