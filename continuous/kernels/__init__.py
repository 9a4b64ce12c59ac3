"""The compiled loops of the continuous half, one file per subject; no file calls compiled code of another.

Numba's disk cache does not notice that a callee in another file has changed: the caller would keep using the old one
and silently give a wrong number. Networks and the finetuners that train them are therefore in one file.
"""
