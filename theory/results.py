"""All results, in the paper's order, then the companion's."""

from theory import (
    bc_fails_steps,
    coverage_companion,
    coverage_steps,
    gaussian_steps,
    lower_bound_companion,
    lower_bound_steps,
    suboptimality_companion,
    suboptimality_steps,
    trajectory_steps,
    uniform_fails_steps,
    visits_steps,
)
from theory.claims import Result

R5 = Result(
    "r5",
    "The failures, sharp",
    "R5",
    (bc_fails_steps.R5_1, uniform_fails_steps.R5_2, visits_steps.R5_3),
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
    coverage, visits, first_visit = coverage_steps.RESULT, *visits_steps.RESULTS
    suboptimality, main = suboptimality_steps.RESULTS
    return (
        bc_fails_steps.RESULT,
        uniform_fails_steps.RESULT,
        coverage,
        suboptimality,
        visits,
        first_visit,
        main,
        *lower_bound_steps.RESULTS,
        *gaussian_steps.RESULTS,
        suboptimality_companion.RESULT,
        *coverage_companion.RESULTS,
        lower_bound_companion.RESULT,
        R5,
        trajectory_steps.RESULT,
    )
