"""SOT cells: junctions on a channel that writes them by spin-orbit torque."""
