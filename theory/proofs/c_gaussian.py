"""Steps of `lemma-gaussian-posterior` and `lemma-perturbation` (C), for every number of observations.

Both sides transform alike under an invertible linear map of the action space, and such a map makes Sigma the identity
and Lambda_0 diagonal at once. So dimension 1 decides all; dimension 2 with full matrices is checked in addition.

Letters in dimension 1: sigma = Sigma, lambda0 = Lambda_0, total = sum_t x_t, draw = the prior draw. As functions:
`theory.bounds.c_gaussian`.
"""

from collections.abc import Callable

import sympy

from theory.claims import Outcome, Result
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, with_checks
from theory.engines.steps import above, between, joint_step, proves, step

MU, SUM, DRAW, OTHER = sympy.symbols("mu total draw mu2")
SIG, LAM, T = sympy.symbols("sigma lambda0 T")
REALS = tuple(between(s, -sympy.oo, sympy.oo, "()") for s in (MU, SUM, DRAW, OTHER))
SCALES = (between(SIG, 0, sympy.oo, "()"), between(LAM, 0, sympy.oo, "()"), above(T, 0, integer=True))
POST = 1 / (1 / LAM + T / SIG)


def log_density(prior_precision: sympy.Expr) -> sympy.Expr:
    """Log posterior density of mu up to a constant, in one dimension, by prior and likelihood."""
    return -(T * MU**2 - 2 * MU * SUM) / (2 * SIG) - prior_precision * MU**2 / 2


def posterior_density(mean: sympy.Expr, variance: sympy.Expr) -> sympy.Expr:
    """Log density of N(mean, variance) at mu, up to the same constant."""
    return -(MU**2 - 2 * MU * mean) / (2 * variance)


def _matrices() -> tuple[sympy.Matrix, sympy.Matrix, tuple[sympy.Symbol, ...]]:
    """Two general positive definite 2 x 2 matrices by their Cholesky factors."""
    names = sympy.symbols("a b c d e f", positive=True)
    a, b, c, d, e, f = names
    first, second = sympy.Matrix([[a, 0], [b, c]]), sympy.Matrix([[d, 0], [e, f]])
    return first * first.T, second * second.T, names


def _zero(matrix: sympy.Matrix, symbols: tuple[sympy.Symbol, ...]) -> Outcome:
    """Decide that every entry of a matrix is 0."""
    ranges = tuple(between(s, 0, sympy.oo, "()") for s in symbols)
    return all_of(*(proves(Formula(sympy.together(entry), "==", 0, ranges=ranges))() for entry in matrix))


def _two_dimensions(build: Callable[[sympy.Matrix, sympy.Matrix, sympy.Symbol], sympy.Matrix]) -> Outcome:
    sigma, prior, names = _matrices()
    count = sympy.Symbol("T", positive=True)
    return _zero(build(sigma, prior, count), (*names, count))


def _covariance_gap(sigma: sympy.Matrix, prior: sympy.Matrix, count: sympy.Symbol) -> sympy.Matrix:
    """T Sigma^-1 Sigma Sigma^-1 + Lambda_0^-1 Lambda_0 Lambda_0^-1 against the posterior's precision."""
    precision = prior.inv() + count * sigma.inv()
    spread = count * sigma.inv() * sigma * sigma.inv() + prior.inv() * prior * prior.inv()
    return (spread - precision).applyfunc(sympy.simplify)


C_1 = step(
    "C.1",
    "printed",
    "the prior N(0, Lambda_0) has log density -mu' Lambda_0 mu/2 (d = 1, against -mu^2/(2 lambda_0))",
    formula=Formula(-MU * LAM * MU / 2, "==", -(MU**2) / (2 * LAM), ranges=(REALS[0], SCALES[1])),
    points=[(1, 2)],
    severity="typing error",
    why="Lambda_0 should be Lambda_0^-1, as the posterior's precision uses it",
)
C_1C = step(
    "C.1",
    "corrected",
    "with -mu' Lambda_0^-1 mu/2, prior times likelihood is the density of N(Lambda_post Sigma^-1 sum x, Lambda_post)",
    formula=Formula(
        log_density(1 / LAM), "==", posterior_density(POST * SUM / SIG, POST), ranges=(REALS[0], REALS[1], *SCALES)
    ),
)
POSTERIOR = joint_step(
    "lemma-gaussian-posterior",
    "printed",
    "the posterior is N(Lambda_post Sigma^-1 sum x, Lambda_post), Lambda_post^-1 = Lambda_0^-1 + T Sigma^-1",
    parts=[C_1C.decide, proves(Formula(1 / POST, "==", 1 / LAM + T / SIG, ranges=SCALES))],
)
OBJECTIVE = (T * MU**2 - 2 * MU * SUM) / SIG + (MU - DRAW) ** 2 / LAM
MINIMISER = POST * (SUM / SIG + DRAW / LAM)
C_2 = joint_step(
    "C.2",
    "printed",
    "the minimiser is Lambda_post (Sigma^-1 sum x~ + Lambda_0^-1 mu~): normal equations, and the objective is convex",
    parts=[
        proves(Formula(sympy.diff(OBJECTIVE, MU).subs(MU, MINIMISER), "==", 0, ranges=(REALS[1], REALS[2], *SCALES))),
        proves(Formula(sympy.diff(OBJECTIVE, MU, 2), "==", 2 / POST, ranges=SCALES)),
    ],
)
C_3 = step(
    "C.3",
    "printed",
    "its mean over w_t and mu~ (both of mean 0) is Lambda_post Sigma^-1 sum x, the posterior mean",
    formula=Formula(MINIMISER.subs(DRAW, 0), "==", POST * SUM / SIG, ranges=(REALS[1], *SCALES)),
)
C_4 = joint_step(
    "C.4",
    "printed",
    "its covariance is Lambda_post (T Sigma^-1 + Lambda_0^-1) Lambda_post = Lambda_post",
    parts=[
        proves(Formula(POST**2 * (T * SIG / SIG**2 + LAM / LAM**2), "==", POST, ranges=SCALES)),
        lambda: _two_dimensions(_covariance_gap),
    ],
)
PERTURBATION = joint_step(
    "lemma-perturbation",
    "printed",
    "a regression on perturbed targets, regularised to a prior draw, is distributed as the posterior",
    parts=[lambda: with_checks(all_of(*(s.decide() for s in (C_2, C_3, C_4, POSTERIOR))))],
    why="a linear map of Gaussians is Gaussian, so mean and covariance decide its law",
)

RESULTS = (
    Result(
        id="lemma-gaussian-posterior",
        title="The posterior of a Gaussian mean",
        source="C, Lemma 6",
        steps=(C_1, C_1C, POSTERIOR),
        statement="The posterior of mu is N(Lambda_post Sigma^-1 sum_t x_t, Lambda_post) with Lambda_post^-1 = "
        "Lambda_0^-1 + T Sigma^-1.",
        meaning="For continuous actions with Gaussian noise, the posterior of the demonstrator's mean action after T "
        "demonstrations is a Gaussian whose width shrinks with T.",
        latex=r"\mu\mid x_{1:T}\sim\mathcal N\bigl(\Lambda_{\mathrm{post}}\Sigma^{-1}\textstyle\sum_t "
        r"x_t,\Lambda_{\mathrm{post}}\bigr)",
        assumptions=("Sigma and Lambda_0 positive definite",),
    ),
    Result(
        id="lemma-perturbation",
        title="Perturbed regressions sample the posterior",
        source="C, Lemma 7",
        steps=(C_2, C_3, C_4, PERTURBATION),
        statement="The minimiser of the perturbed, regularised least squares is distributed exactly as the posterior.",
        meaning="To draw from that posterior, fit a regression to targets with fresh noise, regularised towards a "
        "random draw from the prior. An ensemble of such fits is a sample of the posterior: the practical method "
        "relies on this.",
        latex=r"\hat\mu(\tilde x,\tilde\mu)\sim\mathcal N\bigl(\Lambda_{\mathrm{post}}\Sigma^{-1}\textstyle\sum_t "
        r"x_t,\Lambda_{\mathrm{post}}\bigr)",
        assumptions=("Sigma and Lambda_0 positive definite", "fresh, independent perturbations"),
    ),
)
