"""Figures of theory and of tabular processes, where probabilities and returns are computed exactly."""
