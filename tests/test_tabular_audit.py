"""The audit: each statistic against a count by hand or an enumeration; the command line and what it writes."""

import itertools
import json
import math
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular import __main__ as command
from tabular.advice import Question, UnrecordedAction, needed_with_any, recommendation
from tabular.audit import audit, good_turing, held_out_likelihood, probabilities, visit_shares, zero_estimates
from tabular.audit_data import read_tally
from tabular.audit_page import audit_text
from tabular.audit_records import as_json
from tabular.policies import BC, posterior
from theory.bounds.r1_suboptimality import r1_bound, r1_simple_bound
from theory.bounds.r3_coverage import best_prior_mass, r3_coverage
from theory.statistics.probability import mean_interval

ROOT = Path(__file__).resolve().parents[1]

HEAD = "episode,step,state,action\n"


def csv_of(tmp_path, episodes, name="data.csv"):
    """Episodes as lists of (state, action)."""
    path = tmp_path / name
    rows = [f"{e},{h},{s},{a}\n" for e, episode in enumerate(episodes) for h, (s, a) in enumerate(episode)]
    path.write_text(HEAD + "".join(rows))
    return path


def tally_of(tmp_path, episodes, n_actions=3, n_folds=10):
    return read_tally(csv_of(tmp_path, episodes), np.random.default_rng(0), n_actions=n_actions, n_folds=n_folds)


FOUR = [[(0, 0), (1, 1)], [(0, 0), (1, 2)], [(0, 1), (2, 0)], [(0, 2), (1, 1)]]


def test_visit_shares_equal_a_count_by_hand(tmp_path):
    tally = tally_of(tmp_path, FOUR)
    shares = visit_shares(tally, tally)
    assert shares.classes == ["1", "2-4", "5-19", "20+"]
    assert shares.by_step == [[0, 1, 0, 0], [0.25, 0.75, 0, 0]]
    assert shares.overall == [0.125, 0.875, 0, 0]
    assert shares.rows == [4, 4]
    pooled = visit_shares(tally_of(tmp_path, [[(0, 0)] * 5, [(1, 0), (0, 0)]]), tally.without_steps())
    assert pooled.steps == [0, 1, 2, 3, 4]


def test_with_pooled_steps_a_row_counts_the_visits_of_its_state_over_all_steps(tmp_path):
    tally = tally_of(tmp_path, [[(0, 0)] * 4, [(1, 0), (0, 0)]])
    shares = visit_shares(tally, tally.without_steps())  # state 0: 5 visits; state 1: 1
    assert shares.by_step[0] == [0.5, 0, 0.5, 0]
    assert shares.overall == pytest.approx([1 / 6, 0, 5 / 6, 0])


def by_brute_force(episodes, n_actions, alpha, mass):
    """Leave one episode out: shares of rows of probability 0 and in unseen cells, and the log-probabilities."""
    zero = unseen = rows = 0
    logs = []
    for held in range(len(episodes)):
        rest = [e for i, e in enumerate(episodes) if i != held]
        seen = Counter((h, s) for e in rest for h, (s, _) in enumerate(e))
        recorded = Counter((h, s, a) for e in rest for h, (s, a) in enumerate(e))
        for h, (s, a) in enumerate(episodes[held]):
            rows += 1
            n, k = seen[h, s], recorded[h, s, a]
            zero += n > 0 and k == 0
            unseen += n == 0
            weight = Fraction(1) if n == 0 else Fraction(alpha) * Fraction(mass) / (n + Fraction(mass))
            chance = (1 - weight) * Fraction(k, max(n, 1)) + weight / n_actions
            logs.append(math.log(chance) if chance else -math.inf)
    return zero / rows, unseen / rows, logs


episodes_drawn = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=2), min_size=2, max_size=6
)


@given(episodes_drawn, st.sampled_from([(0.0, 1.0), (1.0, 3.0), (0.25, 2.0)]))
def test_leaving_one_episode_out_is_what_good_and_turing_estimate(tmp_path_factory, episodes, policy):
    tally = tally_of(tmp_path_factory.mktemp("data"), episodes, n_folds=len(episodes))
    zero, unseen, logs = by_brute_force(episodes, 3, *policy)
    estimates, turing = zero_estimates(tally), good_turing(tally)
    assert estimates.zero.mean == pytest.approx(zero) == pytest.approx(turing.actions)
    assert estimates.unseen.mean == pytest.approx(unseen) == pytest.approx(turing.cells)
    entry = held_out_likelihood(tally, "one", *policy)
    finite = [x for x in logs if x > -math.inf]
    assert entry.minus_infinity == (len(finite) < len(logs))
    assert entry.impossible == pytest.approx(1 - len(finite) / len(logs))
    if entry.minus_infinity:
        assert entry.mean is None
    else:
        assert entry.mean == pytest.approx(sum(logs) / len(logs))
    if finite:
        assert entry.mean_of_possible == pytest.approx(sum(finite) / len(finite))


def test_the_interval_is_students_over_folds_of_equal_size(tmp_path):
    tally = tally_of(tmp_path, FOUR, n_folds=4)
    shares = []
    for held in range(4):
        rest = [e for i, e in enumerate(FOUR) if i != held]
        missed = [
            (h, s) in {(h, e[h][0]) for e in rest} and (h, s, a) not in {(h, *e[h]) for e in rest}
            for h, (s, a) in enumerate(FOUR[held])
        ]
        shares.append(sum(missed) / 2)
    low, high = zero_estimates(tally).zero.interval
    wanted = mean_interval(shares)
    assert (low, high) == pytest.approx((max(0.0, wanted.low), min(1.0, wanted.high)))


def test_with_one_episode_nothing_is_estimated_by_holding_out(tmp_path):
    tally = tally_of(tmp_path, FOUR[:1])
    assert zero_estimates(tally) is None
    assert held_out_likelihood(tally, "BC", 0.0, 1.0).mean is None
    report = audit(tally, Question())
    json.dumps(as_json(report), allow_nan=False)


KEYS = {
    "data": "episodes rows horizon states_found states_stated largest_number_of_actions actions_stated stationary cells "
    "folds",
    "visits": "classes all steps rows by_step",
    "zero": "zero unseen steps zero_by_step",
    "good_turing": "cells actions",
    "recommendation": "delta tolerated_loss lambda any_process estimate upper",
    "plan": "unit delta level alpha_shown alpha_tolerated rows curve",
}


def test_the_json_of_an_audit_has_the_keys_that_others_read(tmp_path):
    written = as_json(audit(tally_of(tmp_path, FOUR), Question()))
    assert list(written) == ["schema", "data", "visits", "zero", "good_turing", "likelihood", "recommendation", "plan"]
    for part, keys in KEYS.items():
        assert list(written[part]) == keys.split()
    likelihood = "policy alpha lambda mean interval minus_infinity impossible mean_of_possible"
    assert {tuple(entry) for entry in written["likelihood"]} == {tuple(likelihood.split())}
    assert list(written["plan"]["rows"][0]) == ["cell", "visits", "occupancy", "probability", "needed"]
    assert list(written["plan"]["curve"]) == ["occupancy", "probability", "visits", "more", "covered"]
    assert list(written["recommendation"]["upper"]) == ["loss_of_bc", "alpha", "loss", "gamma"]
    assert list(written["zero"]["zero"]) == ["mean", "interval"]


def test_numbers_of_actions_by_state_count(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("episode,step,state,action,n_actions\n0,0,a,u,5\n1,0,b,u,2\n")
    tally = read_tally(path, np.random.default_rng(0))
    none = np.zeros((2, 1), np.int64)
    assert probabilities(tally, none, none, 1.0, 1.0).ravel().tolist() == [0.2, 0.5]
    one = np.ones((2, 1), np.int64)  # K = 1 of n = 1, lambda = A: 2/(1 + A)
    own = np.array([5.0, 2.0])
    assert probabilities(tally, one, one, 1.0, own).ravel() == pytest.approx([2 / 6, 2 / 3])


def test_the_estimate_of_the_loss_is_r1s_bound_at_one_demonstration_less_on_average(tmp_path):
    """Enumerate all data of three demonstrations in two states that last two steps."""
    T, A = 3, 3
    question = Question(delta=0.1, loss=100.0)
    mass = best_prior_mass(2, A, 2, 0.1)
    averages = {"bc": 0.0, "posterior": 0.0}
    for starts in itertools.product((0, 1), repeat=T):
        chance = math.prod((0.25, 0.75)[s] for s in starts)
        found = recommendation(tally_of(tmp_path, [[(s, 0), (s, 0)] for s in starts], A), 2, question)
        averages["bc"] += chance * found.estimate.loss_of_bc
        assert found.estimate.alpha == 1.0
        averages["posterior"] += chance * found.estimate.loss
    w = [[0.25, 0.75], [0.25, 0.75]]
    assert averages["bc"] == pytest.approx(r1_bound(w, A, T - 1, 0.0, mass))
    assert averages["posterior"] == pytest.approx(r1_bound(w, A, T - 1, 1.0, mass))


def test_the_recommended_alpha_is_the_largest_whose_bound_is_tolerated(tmp_path):
    episodes = [[(0, i % 3)] for i in range(2000)]
    for loss in (0.004, 1e-9, 1.0):
        found = recommendation(tally_of(tmp_path, episodes), 4, Question(delta=0.1, loss=loss))
        mass = found.prior_mass
        assert mass == best_prior_mass(4, 3, 1, 0.1)
        way = found.any_process
        assert way.loss_of_bc == pytest.approx(r1_simple_bound(4, 3, 1, 2000, 0.0, mass))
        if way.alpha is None:
            assert way.loss_of_bc > loss
            continue
        assert way.loss == pytest.approx(r1_simple_bound(4, 3, 1, 2000, way.alpha, mass))
        assert way.gamma == r3_coverage(4, 3, 1, 0.1, way.alpha, mass)
        assert way.loss <= loss * (1 + 1e-12)
        if way.alpha < 1:
            assert way.loss == pytest.approx(loss)
    margin = 2 / 3 * math.sqrt(2 * math.log(2 / 0.1) / 2000)
    assert found.upper.loss_of_bc == pytest.approx(found.estimate.loss_of_bc + margin)


def test_pooled_steps_have_no_guarantee(tmp_path):
    report = audit(tally_of(tmp_path, FOUR), Question(stationary=True))
    assert report.recommendation is None
    assert report.plan.unit.startswith("recorded steps")
    assert report.data.cells == 3


def test_a_row_of_a_plan_also_shows_when_bc_gives_the_action_any_probability():
    action = UnrecordedAction(occupancy=0.1, probability=0.2, n_actions=4, visits=2)
    row = needed_with_any(action, {"BC": BC, "posterior": posterior(4)}, 0.3, 0.1)
    assert list(row) == ["BC, above 0", "BC", "posterior"]
    assert row["BC, above 0"] == math.ceil(math.log(0.1) / math.log1p(-0.02))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delta": 0.0}, "delta must be above 0"),
        ({"loss": -1.0}, "loss must be above 0"),
        ({"level": 2.0}, "level must be at most 1"),
        ({"n_states": 0}, "n_states must be at least 1"),
    ],
)
def test_a_planned_question_outside_its_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Question(**arguments)


def test_an_audit_with_too_few_states_or_one_action_is_refused(tmp_path):
    tally = tally_of(tmp_path, FOUR)
    with pytest.raises(ValueError, match="n_states must be at least 3, the number found in the data; got 2"):
        audit(tally, Question(n_states=2))
    with pytest.raises(ValueError, match="only one action"):
        audit(read_tally(csv_of(tmp_path, [[(0, 0)]]), np.random.default_rng(0)), Question())
    with pytest.raises(TypeError, match="a Tally and a Question"):
        audit(tally, None)


# --- the command line -------------------------------------------------------------------------------------------------


def test_two_audits_of_one_data_set_write_equal_bytes(tmp_path, capsys):
    data = csv_of(tmp_path, FOUR * 10)
    for out in ("a", "b"):
        assert command.main(["audit", str(data), "--actions", "3", "--out", str(tmp_path / out)]) == 0
    shown = capsys.readouterr().out
    for text in ("minus infinity", "Good-Turing", "ESTIMATE, no guarantee", "how many more demonstrations"):
        assert text in shown or text == "minus infinity"
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"audit.json", "audit.html"}
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    page = (tmp_path / "a" / "audit.html").read_text()
    assert page.count("<svg") == 3
    assert "http" not in page
    assert json.loads((tmp_path / "a" / "audit.json").read_text())["data"]["episodes"] == 40


def test_shares_are_printed_for_all_rows_and_for_blocks_of_steps(tmp_path):
    uneven = [[(0, 0)] * 7, [(0, 0)] * 7, [(1, 0), (0, 0)]]  # 16 rows in 7 steps, so two steps a block at first
    lines = audit_text(audit(tally_of(tmp_path, uneven), Question())).split("\n\n")[1].split("\n")
    assert [line.split()[:-5] for line in lines[2:]] == [
        ["all", "steps"],
        ["steps", "0", "to", "1"],  # 1 row in a cell of its own, 2 + 3 in cells of two and three
        ["steps", "2", "to", "3"],
        ["step", "4"],
        ["step", "5"],
        ["step", "6"],
    ]
    assert [line.split()[-5:-1] for line in lines[2:4]] == [
        ["6.2", "93.8", "0.0", "0.0"],
        ["16.7", "83.3", "0.0", "0.0"],
    ]


def test_the_text_says_where_a_likelihood_is_minus_infinity(tmp_path, capsys):
    assert command.main(["audit", str(csv_of(tmp_path, FOUR)), "--actions", "3", "--out", str(tmp_path / "o")]) == 0
    assert "BC                                        minus infinity" in capsys.readouterr().out


@pytest.mark.parametrize("extra", [["--actions", "2"], ["--delta", "2"], ["--coverage", "0"], ["--states", "1"]])
def test_an_audit_that_is_refused_writes_nothing(tmp_path, capsys, extra):
    data = csv_of(tmp_path, FOUR)
    assert command.main(["audit", str(data), *extra, "--out", str(tmp_path / "out")]) == 2
    assert "refused: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_names_in_the_data_cannot_write_into_the_page(tmp_path):
    data = csv_of(tmp_path, [[("<script>", "<b>")], [("<script>", "<i>")]])
    assert command.main(["audit", str(data), "--out", str(tmp_path / "out")]) == 0
    assert "<script>" not in (tmp_path / "out" / "audit.html").read_text()


def test_a_plan_needs_no_data(tmp_path, capsys):
    asked = ["plan", "--occupancy", "0.01", "--probability", "0.1", "--delta", "0.05"]
    assert command.main(asked) == 0
    shown = capsys.readouterr().out
    assert "2995" in shown
    assert command.main([*asked, "--coverage", "0.3", "--prior-mass", "4", "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "plan.json").read_text())
    assert [row["level"] for row in report["plan"]["rows"]] == ["above 0", "0.3 p"]
    assert "<svg" in (tmp_path / "plan.html").read_text()
    assert command.main(["plan", "--occupancy", "0", "--probability", "0.1"]) == 2
    assert "occupancy must be above 0" in capsys.readouterr().err


def peak_of(*arguments):
    """Peak memory in megabytes, and the output, of a command in a process of its own."""
    program = (
        "import re, sys; from tabular.__main__ import main; code = main(sys.argv[1:]); "  # ru_maxrss begins with the parent's
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]; "
        "print(int(peak) // 1024, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr), done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_actions(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("episode,step,state,action\n0,0,a,x\n0,1,b,y\n1,0,a,x\n1,1,b,x\n2,0,a,y\n2,1,c,x\n")
    few, many = (peak_of("audit", str(data), "--actions", number)[0] for number in ("4", "1000000"))
    assert many < few + 50
    few, many = (
        peak_of("plan", "--occupancy", "0.01", "--probability", "1e-4", "--actions", number)[0]
        for number in ("4", "1000")
    )
    assert many < few + 50
    assert many < 500


def test_a_plan_with_infinite_prior_mass_is_written_and_a_search_that_gave_up_is_named(tmp_path, capsys):
    arguments = ("--occupancy", "0.01", "--probability", "1e-5", "--prior-mass", "inf", "--out", str(tmp_path))
    assert command.main(["plan", *arguments]) == 0
    plan = json.loads((tmp_path / "plan.json").read_text())["plan"]
    assert plan["policy"] == {"alpha": 1.0, "lambda": None}
    assert [row["needed"]["BC"] for row in plan["rows"]] == [29957322] * 3 + ["not found: over 2000000 visits"]
    assert "29957322" in capsys.readouterr().out
    assert "not found: over 2000000 visits" in (tmp_path / "plan.html").read_text()


@pytest.mark.parametrize("occupancy", ["1e-17", "1e-30", "1e-250"])
def test_a_plan_for_a_state_that_is_hardly_ever_visited_is_a_plan(occupancy, capsys):
    assert command.main(["plan", "--occupancy", occupancy, "--probability", "0.5"]) == 0
    assert capsys.readouterr().out.count("\n") > 5


def test_a_plan_whose_numbers_have_no_end_is_refused(capsys):
    assert command.main(["plan", "--occupancy", "1e-320", "--probability", "0.5"]) == 2
    assert "occupancy * probability must be above 1e-290" in capsys.readouterr().err
