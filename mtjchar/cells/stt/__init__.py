"""Cells that a spin-polarized current through the junction writes (STT, 1T-1MTJ)."""
