"""Wafer tables: spread and correlations of devices, means of a stack, and the way into a study."""
