"""Checks of data before a fit, and of the results after it."""
