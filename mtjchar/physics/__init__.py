"""Macrospin physics of a magnetic tunnel junction, with numpy and scipy only."""
