"""All results, in the paper's order, ours last."""

from theory.claims import Result


def all_results() -> tuple[Result, ...]:
    """Every result with its steps."""
    return ()
