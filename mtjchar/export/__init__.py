"""Tables that other tools read."""

from mtjchar.export.formats import FORMATS, export_surface

__all__ = ["FORMATS", "export_surface"]
