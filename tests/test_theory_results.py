import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from figures.running.verdicts import step_entry
from theory.claims import Outcome, Severity, decide
from theory.engines import proof, steps
from theory.engines.formulas import judge_point
from theory.engines.fraction_bounds import log_bounds
from theory.engines.proof import decide_formula
from theory.engines.tactics import by_identity
from theory.errata import errata, errata_markdown
from theory.proofs.b4_cases import constant_estimator
from theory.proofs.coverage_cases import all_arms_seen, smallest_coupon_witness
from theory.results import all_results

DIGEST = (
    [f"B1.{i}" for i in range(1, 7)]
    + [f"B2.{i}" for i in range(1, 15)]
    + [f"B3.{i}" for i in range(1, 23)]
    + [f"B4.{i}" for i in range(1, 9)]
    + [f"C.{i}" for i in range(1, 5)]
)
STATEMENTS = [
    "prop-bc-fails",
    "prop-uniform-fails",
    "lemma-coverage",
    "lemma-suboptimality",
    "lemma-visits",
    "lemma-first-visit",
    "thm-main",
    "lemma-hellinger",
    "thm-lower-bound",
    "lemma-gaussian-posterior",
    "lemma-perturbation",
]
COMPANION = ["r1", "r2", "r3", "r4", "r5", "r6", "r7"]
FALSE_AS_PRINTED = {
    "B1.4": "typing error",
    "prop-bc-fails": "condition",
    "B2.1": "typing error",
    "B2.3": "condition",
    "B2.9": "proof only",
    "B2.11": "condition",
    "B2.12": "typing error",
    "B3.3": "typing error",
    "B3.7": "statement",
    "lemma-coverage": "statement",
    "B3.20": "condition",
    "lemma-first-visit": "condition",
    "B3.21": "condition",
    "B3.22": "condition",
    "thm-main": "condition",
    "B4.1": "proof only",
    "B4.3": "proof only",
    "B4.8": "constant",
    "thm-lower-bound": "constant",
    "thm-lower-bound-condition": "condition",
    "thm-lower-bound-corollary": "constant",
    "C.1": "typing error",
}
RESULTS = all_results()
STEPS = [step for result in RESULTS for step in result.steps]


@pytest.fixture(scope="module")
def decided():
    return decide(RESULTS)


@pytest.fixture(scope="module")
def verdicts(decided):
    return [step_entry(d) for d in decided]


@pytest.fixture
def fresh():
    """Steps remember their outcomes; a test that bends the judge needs them to forget, before and after."""
    steps.forget_outcomes()
    yield
    steps.forget_outcomes()


# --- what exists ------------------------------------------------------------------------------------------------------


def test_every_step_of_the_paper_and_every_statement_is_decided_in_its_printed_form():
    printed = {step.id for step in STEPS if step.form == "printed"}
    assert printed >= {*DIGEST, *STATEMENTS}


def test_the_results_are_the_papers_then_ours():
    assert [result.id for result in RESULTS] == [*STATEMENTS, *COMPANION]


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: r.id)
def test_every_result_is_stated_in_words_and_formulas_with_its_assumptions(result):
    assert result.title
    assert result.source
    assert result.statement
    assert result.latex
    assert result.assumptions
    assert result.latex.count("{") == result.latex.count("}")


def test_steps_show_the_relations_that_decide_them():
    shown = [step for step in STEPS if step.relations]
    assert len(shown) > 70
    assert all(step.relation is None or step.relations == (step.relation,) for step in STEPS)
    assert all(str(relation) for step in shown for relation in step.relations)


def test_a_step_stands_once_in_each_form():
    keys = [(result.id, step.id, step.form) for result in RESULTS for step in result.steps]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("step", [s for s in STEPS if s.form == "companion"], ids=lambda s: s.id)
def test_companion_steps_have_ids_r1_to_r7(step):
    assert re.fullmatch(r"R[1-7]\.\d(-kappa)?|r[1-7]", step.id)


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_every_verdict_is_as_expected(verdicts):
    assert [v for v in verdicts if not v["expected"]] == []


def test_the_documentation_shows_these_verdicts(verdicts):
    """The README's table is made of that file; run `make docs` after a change."""
    shown = json.loads((Path(__file__).parents[1] / "docs" / "verdicts.json").read_text(encoding="utf-8"))["steps"]
    assert shown == [{key: verdict[key] for key in shown[0]} for verdict in verdicts]


def test_no_step_is_undecided(verdicts):
    assert [v["id"] for v in verdicts if v["verdict"] == "undecided"] == []


def test_exactly_the_known_errors_are_refuted(verdicts):
    assert {v["id"] for v in verdicts if v["verdict"] == "refuted"} == set(FALSE_AS_PRINTED)


def test_corrected_and_companion_forms_are_proved(verdicts):
    weak = {v["id"]: v["verdict"] for v in verdicts if v["form"] != "printed" and v["verdict"] != "proved"}
    assert weak == {}


def test_a_check_on_cases_alone_is_not_called_a_proof(verdicts):
    assert {v["id"] for v in verdicts if v["verdict"] == "supported"} == {"B3.19"}


def test_severities_are_stated_where_a_printed_step_is_refuted_and_nowhere_else():
    assert {s.id: s.severity for s in STEPS if s.severity} == FALSE_AS_PRINTED
    assert all(s.why for s in STEPS if s.severity)


def test_verdicts_are_entries_of_json_with_witnesses(verdicts):
    assert json.loads(json.dumps(verdicts, allow_nan=False)) == verdicts
    assert all(v["witness"] for v in verdicts if v["verdict"] == "refuted")


@pytest.mark.parametrize("step", [s for s in STEPS if s.relation is not None and s.severity], ids=lambda s: s.id)
def test_a_witness_breaks_the_printed_relation_when_put_in_by_hand(step):
    witness = step.decide().witness
    point = tuple(Fraction(str(witness[s.name])) for s in step.relation.symbols)
    assert judge_point(step.relation, point) is False


# --- no verdict from a constant ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [s for s in STEPS if s.relation is not None], ids=lambda s: f"{s.id}-{s.form}")
def test_flipping_the_sign_of_a_relation_flips_its_verdict(step):
    before, after = step.decide().verdict, decide_formula(step.relation.reversed()).verdict
    assert before in ("proved", "refuted")
    if before == "proved" and not (step.relation.relation != "==" and by_identity(step.relation)):
        assert after == "refuted"  # an inequality between equals holds both ways


@pytest.mark.slow
def test_flipping_every_formula_changes_every_verdict_that_rests_on_one(fresh, monkeypatch):
    """Joint steps: with all relations between formulas turned round, no proof survives."""
    honest = {id(step): step.decide().verdict for step in STEPS}
    steps.forget_outcomes()
    monkeypatch.setattr(
        steps, "decide_formula", lambda formula, *tactics, points=(): decide_formula(formula.reversed())
    )
    monkeypatch.setattr(proof, "compare", lambda left, relation, right: not COMPARE(left, relation, right))
    survivors = [s.id for s in STEPS if s.decide().verdict == "proved" and honest[id(s)] == "proved"]
    assert survivors == []


COMPARE = proof.compare


@pytest.mark.parametrize(
    "id",
    ["B2.1", "B2.11", "B2.12", "B3.7", "lemma-coverage", "lemma-first-visit", "thm-main", "thm-lower-bound", "B3.19"],
)
def test_turning_the_comparison_of_numbers_round_flips_verdicts_on_cases(id, fresh, monkeypatch):
    step = next(s for s in STEPS if s.id == id and s.form == "printed")
    before = step.decide()
    steps.forget_outcomes()
    monkeypatch.setattr(proof, "compare", lambda left, relation, right: not COMPARE(left, relation, right))
    after = step.decide()
    assert (after.verdict, after.witness) != (before.verdict, before.witness)


# --- the known errors, by hand ----------------------------------------------------------------------------------------


def test_the_witness_against_lemma_one_stands_on_its_own():
    n_actions, used, n_demos = smallest_coupon_witness(Fraction(9, 10))
    assert 100 <= n_actions <= 400
    log_upper = log_bounds(Fraction(10, 9))[1]
    printed = min(Fraction(1, used) / (64 * log_upper), Fraction(1, 2 * n_actions))
    assert Fraction(1, n_demos + n_actions) < printed  # an action that never occurred falls below the bound
    assert all_arms_seen(used, n_demos) < Fraction(1, 10)  # and one such action exists with probability above delta


def test_all_arms_seen_is_the_share_of_all_listed_draws():
    import itertools

    for arms, draws in ((1, 1), (2, 3), (3, 3), (3, 5)):
        hits = sum(len(set(d)) == arms for d in itertools.product(range(arms), repeat=draws))
        assert all_arms_seen(arms, draws) == Fraction(hits, arms**draws)


def test_the_witness_against_the_lower_bound_stands_on_its_own(verdicts):
    witness = next(v["witness"] for v in verdicts if v["id"] == "thm-lower-bound" and v["form"] == "printed")
    a, t, alpha, xi = witness["A"], witness["T"], Fraction(witness["alpha"]), Fraction(witness["xi"])
    coverage, loss = constant_estimator(a, alpha, xi)
    assert t <= 1 / (4 * alpha)
    assert loss <= xi
    assert xi / (2 * a * alpha) < coverage <= 4 * xi / ((a - 1) * alpha)


# --- errata -----------------------------------------------------------------------------------------------------------


def test_the_errata_list_every_refuted_step_with_a_proved_correction(decided):
    entries = errata(decided)
    assert {e.id for e in entries} == set(FALSE_AS_PRINTED)
    assert all(e.corrected.outcome.verdict == "proved" for e in entries)


def test_the_errata_open_with_the_most_severe(decided):
    order = list(Severity.__args__)[::-1]
    ranks = [order.index(e.severity) for e in errata(decided)]
    assert ranks == sorted(ranks)


def test_the_errata_depend_on_the_decided_steps_alone(decided):
    text = errata_markdown(decided)
    assert text == errata_markdown(list(decided))
    assert text.endswith("\n")
    for id in FALSE_AS_PRINTED:
        assert f"### {id} " in text
    proved = [replace(d, outcome=Outcome(verdict="proved", evidence="exact", detail="")) for d in decided]
    assert "###" not in errata_markdown(proved)


def test_docs_errata_md_is_the_text_that_the_steps_give(decided):
    document = Path(__file__).resolve().parents[1] / "docs" / "errata.md"
    assert document.read_text(encoding="utf-8") == errata_markdown(decided)


def test_the_errata_say_which_version_they_are_about(decided):
    assert "arXiv 2512.16911v1" in errata_markdown(decided)
    assert "Later versions may differ" in errata_markdown(decided)
