"""The bounds of the paper's results and of R1 to R6, as plain functions."""
