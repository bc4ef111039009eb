"""Cells that are written by a spin-polarized current through the junction (STT, 1T-1MTJ)."""
