"""Bounds as plain functions, one module per result: the paper's (`b1` to `b4`, `c`) and the companion's (`r1` to `r7`).

`theory.proofs` has the steps of each result under the same name. `binomial` and `noise` serve several of them.
"""
