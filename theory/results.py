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
    r2_r3_coverage,
    r4_frontier,
    r6_trajectory,
)

R5 = Result(
    "r5",
    "The failures, sharp",
    "R5",
    (b1_bc_fails.R5_1, b2_uniform_fails.R5_2, b3_visits.R5_3),
    statement="B.1 holds for 1 <= T <= 1/(8 eps) with a gap of 2 eps; B.2 forces alpha <= 2(1 - (1 - 4 "
    "eps)^(1/H)); Lemma 3 needs only "
    "lambda >= 1.2551 log(SH/delta).",
    meaning="The two failures hold for more demonstrations and with larger gaps than the paper states, and Lemma 3 "
    "needs a third of the prior mass.",
    latex=r"T\le\tfrac1{8\epsilon},\qquad \gamma\le\alpha\le 2\bigl(1-(1-4\epsilon)^{1/H}\bigr),\qquad "
    r"\lambda\ge1.2551\log\tfrac{SH}{\delta}",
    assumptions=("those of the three results",),
)


def all_results() -> tuple[Result, ...]:
    """List every result with its steps.

    Returns
    -------
    tuple of Result
        The paper's from B.1 to C, then r1 to r6. Ids are unique.
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
        *r2_r3_coverage.RESULTS,
        r4_frontier.RESULT,
        R5,
        r6_trajectory.RESULT,
    )
