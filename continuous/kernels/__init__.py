"""The compiled loops of the continuous half, one file a subject; no file calls compiled code of another.

Numba's disk cache does not notice that a callee in another file has changed: the caller would go on with the old one
and give a wrong number without a word. Networks and the finetuners that train them therefore stand in one file.
"""
