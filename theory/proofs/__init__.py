"""Proof steps, one module per result: the paper's as printed and corrected (`b1` to `b4`, `c`), and R1 to R7.

`theory.bounds` has the bounds as functions under the same names. `*_cases` and `chernoff` hold what several steps
share.
"""
