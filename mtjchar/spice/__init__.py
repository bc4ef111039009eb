"""The cell in ngspice, through PySpice."""
