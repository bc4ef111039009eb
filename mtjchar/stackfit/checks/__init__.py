"""What can be wrong with data before a fit, and what the numbers of a fit do not show."""
