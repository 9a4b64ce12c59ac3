"""Engines that prove or refute a formula, and the formulas themselves."""
