"""The compiled loops of the tabular half, one file per subject; no file calls compiled code of another.

Numba's disk cache does not notice that a callee in another file has changed: the caller would keep using the old one
and silently give a wrong number. A short function that two files need is therefore in both, and a
test checks that the copies agree.

Kernels take read-only C-ordered arrays that the caller has checked, fill `out` arguments, and raise nothing. Inner
loops over dense rows and over the members of a family are compiled with `reassoc` and `contract`, that is, with the
freedom that BLAS takes too: the compiler chooses the order of the sum. NaN and infinity keep their meaning, and every
other kernel adds up in the order as written.
"""
