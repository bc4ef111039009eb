"""Reading: tables of testers, their columns and units, and loops as steps of the field."""
