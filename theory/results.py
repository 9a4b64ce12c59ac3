"""All results, in the paper's order, then the companion's."""

from theory.claims import Result
from theory.proofs import (
    b1_bc_fails,
    b2_uniform_fails,
    b3_coverage,
    b3_suboptimality,
    b3_visits,
    b4_lower_bound,
    c_gaussian,
    r1_suboptimality,
    r2_coverage,
    r3_coverage,
    r4_frontier,
    r5_sharp_failures,
    r6_trajectory,
    r7_factored,
)


def all_results() -> tuple[Result, ...]:
    """List every result with its steps.

    Returns
    -------
    tuple of Result
        The paper's from B.1 to C, then r1 to r7. Ids are unique.
    """
    coverage, visits, first_visit = b3_coverage.RESULT, *b3_visits.RESULTS
    suboptimality, main = b3_suboptimality.RESULTS
    return (
        b1_bc_fails.RESULT,
        b2_uniform_fails.RESULT,
        coverage,
        suboptimality,
        visits,
        first_visit,
        main,
        *b4_lower_bound.RESULTS,
        *c_gaussian.RESULTS,
        r1_suboptimality.RESULT,
        r2_coverage.RESULT,
        r3_coverage.RESULT,
        r4_frontier.RESULT,
        r5_sharp_failures.RESULT,
        r6_trajectory.RESULT,
        r7_factored.RESULT,
    )
