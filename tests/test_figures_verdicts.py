"""The JSON of verdicts: strict, complete, and the same layout for every reader."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from figures.running.finished import FinishedFigure, LeftOut, Run
from figures.running.verdicts import claim_entry, figure_json, step_entry, verdicts_json
from theory.claims import Claim, Interval, Outcome, Result, Step, decide

NUMBERS = st.floats(allow_nan=False)
INTERVALS = st.tuples(NUMBERS, NUMBERS).map(lambda ends: Interval(*sorted(ends)))


def claim(source="R1", relation="<=", interval=None, bound=1.0):
    return Claim(
        id="an-id",
        source=source,
        relation=relation,
        interval=interval or Interval(0, 0.5),
        bound=bound,
        evidence="exact",
        detail="A plain sentence.",
    )


def figure(*claims):
    return FinishedFigure(name="fig_x", title="X", caption="What X is.", section="r1", also=(), claims=claims)


def step(id, form, verdict, witness=None):
    outcome = Outcome(verdict=verdict, evidence="exact", detail="detail", witness=witness)
    return Step(id=id, form=form, statement="0 <= 1", decide=lambda: outcome)


def steps():
    both = (step("a", "printed", "refuted", {"T": 3}), step("b", "companion", "proved"))
    return decide([Result(id="r", title="t", source="s", steps=both)])


@given(INTERVALS, st.sampled_from(["<=", ">="]), NUMBERS)
def test_the_entry_of_a_claim_has_its_verdict_and_null_for_infinity(interval, relation, bound):
    judged = claim("R1", relation, interval, bound)
    entry = json.loads(json.dumps(claim_entry(judged, "fig_x"), allow_nan=False))
    assert list(entry) == [
        "id", "source", "figure", "verdict", "evidence", "relation", "interval", "bound", "detail"
    ]  # fmt: skip
    assert entry["verdict"] == judged.verdict
    assert entry["interval"] == [x if math.isfinite(x) else None for x in (interval.low, interval.high)]
    assert entry["bound"] == (bound if math.isfinite(bound) else None)
    assert (entry["id"], entry["figure"], entry["source"], entry["relation"]) == ("an-id", "fig_x", "R1", relation)


def test_the_entries_of_steps_have_their_verdicts_and_witnesses():
    assert [step_entry(decided) for decided in steps()] == [
        {"id": "a", "result": "r", "form": "printed", "verdict": "refuted", "evidence": "exact", "expected": False,
         "detail": "detail", "witness": {"T": 3}},
        {"id": "b", "result": "r", "form": "companion", "verdict": "proved", "evidence": "exact", "expected": True,
         "detail": "detail", "witness": None},
    ]  # fmt: skip


def test_the_verdicts_of_a_run_hold_every_step_claim_and_figure_that_was_left_out():
    run = Run(
        profile="quick",
        seed=3,
        steps=tuple(steps()),
        figures=(figure(claim(), claim("E1", bound=0.1)),),
        left_out=(LeftOut(figure="fig_y", needs=("folder/file.csv",)),),
    )
    content = json.loads(json.dumps(verdicts_json(run), allow_nan=False))
    assert list(content) == ["schema", "profile", "seed", "ok", "steps", "claims", "left_out"]
    assert (content["schema"], content["profile"], content["seed"], content["ok"]) == (1, "quick", 3, False)
    assert [entry["id"] for entry in content["steps"]] == ["a", "b"]
    assert [(entry["figure"], entry["verdict"]) for entry in content["claims"]] == [
        ("fig_x", "holds"),
        ("fig_x", "inconclusive"),
    ]
    assert content["left_out"] == [{"figure": "fig_y", "needs": ["folder/file.csv"]}]


def test_a_run_is_as_expected_if_its_steps_are_and_its_claims_hold_or_are_empirical():
    def run(steps, *claims):
        return Run(profile="quick", seed=0, steps=tuple(steps), figures=(figure(*claims),))

    assert run(steps()[1:], claim(), claim("E2", bound=-1.0)).as_expected
    assert not run(steps(), claim()).as_expected
    assert not run(steps()[1:], claim("R1", bound=0.1)).as_expected


def test_the_file_of_a_figure_has_its_origin_and_its_claims():
    origin = {"figure": "fig_x", "profile": "quick", "seed": 0, "settings": {"n": 3}}
    content = figure_json(figure(claim()), origin)
    assert content == {"schema": 1, **origin, "claims": [claim_entry(claim(), "fig_x")]}
