"""What is to be characterized, as frozen models and as a file."""

from mtjchar.cells.base import Direction
from mtjchar.cells.stt.stack import Stack
from mtjchar.cells.stt.tables import DIRECTIONS, Cell, ExternalField, Junction, Line
from mtjchar.cells.transistor import Transistor
from mtjchar.cells.variability import Spread
from mtjchar.study.load import load_stack, load_study
from mtjchar.study.models import AmplitudeRange, DurationRange, Pulse, Study, Sweep

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
    "load_stack",
    "load_study",
]
