"""One module a figure: what is computed, what is claimed of it, and how it is drawn."""
