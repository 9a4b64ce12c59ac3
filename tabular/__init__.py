"""Finite Markov decision processes, demonstrations, policies cloned from them, and their coverage.

Public functions check their arguments before any work and raise TypeError or ValueError; the message names the
argument, the value and the rule. Docstrings have a `Raises` section only for what is particular to a function.
"""
