"""Exact probabilities of counts, intervals for sampled quantities, and paired comparisons."""
