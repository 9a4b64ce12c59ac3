"""The compiled loops of the tabular half, one file a subject; no file calls compiled code of another.

Numba's disk cache does not notice that a callee in another file has changed: the caller would go on with the old one
and give a wrong number without a word. A short function that two files need therefore stands in both,
and a test holds the copies together.

Kernels take read-only C-ordered arrays that the caller has checked, fill `out` arguments, and raise nothing. Inner
loops over dense rows and over the members of a family are compiled with `reassoc` and `contract`, that is, with the
freedom that BLAS takes too: the compiler chooses the order of the sum. NaN and infinity keep their meaning, and every
other kernel adds up in the order as written.
"""
