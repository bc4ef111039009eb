"""Reading of tester tables, their columns and units, and loops as field steps."""
