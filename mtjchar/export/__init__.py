"""Tables for other tools; ``docs/export.md`` describes each format."""

from mtjchar.export.formats import FORMATS, Format, export_surface
from mtjchar.export.operating_point import Settings
from mtjchar.export.tables import load_surface

__all__ = ["FORMATS", "Format", "Settings", "export_surface", "load_surface"]
