"""What the paper states, what follows from it, and how each statement is decided. No simulation, no compiled code."""
