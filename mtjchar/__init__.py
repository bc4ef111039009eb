"""Characterize write errors and write energy of STT-MRAM cells."""
