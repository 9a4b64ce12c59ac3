"""`python -m tabular audit DATA`: what demonstrations cover. `python -m tabular plan`: how many it takes."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tabular.advice import Question, plan_curve, plan_row
from tabular.audit import audit
from tabular.audit_data import read_tally
from tabular.audit_page import audit_text, page, plan_text
from tabular.plan import ANY_POSITIVE
from tabular.policies import BC, MixtureEstimator, log_choice, postbc
from theory.base.files import whole_file

LEVELS = (0.01, 0.1, 0.5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run.

    Returns
    -------
    int
        0; 2 if the data or an argument are refused, with the reason on the error output.
    """
    options = _parser().parse_args(arguments)
    try:
        name, report, text = _audit(options) if options.command == "audit" else _plan(options)
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            content = json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
            for suffix, written in ((".json", content), (".html", page(report))):
                with whole_file(options.out / f"{name}{suffix}") as file:
                    file.write(written.encode("utf-8"))
    except (ValueError, TypeError, OSError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    print(text)
    if options.out is not None:
        print(f"\nWritten: {options.out / name}.json and .html")
    return 0


def _audit(options: argparse.Namespace) -> tuple[str, dict[str, Any], str]:
    level = 0.1 if options.coverage is None else options.coverage
    question = Question(options.delta, options.loss, level, options.states, options.stationary)
    rng = np.random.default_rng(options.seed)
    tally = read_tally(
        options.data, rng, n_actions=options.actions, actions_file=options.actions_file, n_folds=options.folds
    )
    report = audit(tally, question)
    return "audit", report, audit_text(report)


def _plan(options: argparse.Namespace) -> tuple[str, dict[str, Any], str]:
    w, p, A, n = options.occupancy, options.probability, options.actions, options.visits
    default = log_choice(options.states, A, options.horizon, options.delta, options.alpha)
    ours = default if options.prior_mass is None else postbc(options.alpha, options.prior_mass)
    policies: dict[str, MixtureEstimator] = {"BC": BC, "PostBC": ours}
    levels = LEVELS if options.coverage is None else (options.coverage,)
    rows = []
    for level in levels:
        needed = plan_row(w, p, A, policies, level, options.delta, n)
        needed.pop("BC, above 0")
        rows.append({"level": f"{level:g} p", "occupancy": w, "visits": n, "probability": p, "needed": needed})
    any_at_all = plan_row(w, p, A, policies, ANY_POSITIVE, options.delta, n)
    any_at_all.pop("BC, above 0")
    rows.insert(0, {"level": "above 0", "occupancy": w, "visits": n, "probability": p, "needed": any_at_all})
    plan = {
        "unit": "demonstrations",
        "delta": options.delta,
        "rows": rows,
        "policy": {"alpha": ours.alpha, "lambda": ours.prior_mass},
        "curve": plan_curve(w, p, A, policies, levels[len(levels) // 2], n),
    }
    given = "given" if options.prior_mass is not None else f"L'/2 for {options.states} states, {options.horizon} steps"
    text = f"{plan_text(plan)}\n  PostBC: alpha = {ours.alpha:g}, lambda = {ours.prior_mass:.3g} ({given}); {A} actions"
    return "plan", {"schema": 1, "plan": plan}, text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tabular", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("audit", help="what a data set covers", allow_abbrev=False)
    one.add_argument("data", type=Path, metavar="DATA", help="csv or npz: episode, step, state, action[, n_actions]")
    sizes = one.add_mutually_exclusive_group()
    sizes.add_argument("--actions", type=int, metavar="N", help="number of actions of every state")
    sizes.add_argument("--actions-file", type=Path, metavar="CSV", help="state,n_actions: numbers of actions by state")
    one.add_argument("--states", type=int, metavar="N", help="number of states (default: of those found)")
    one.add_argument("--stationary", action="store_true", help="pool the steps")
    one.add_argument("--loss", type=float, help="tolerated loss, rewards in [0, 1] a step (default: 5 %% of the steps)")
    one.add_argument("--folds", type=int, default=10, metavar="N", help="folds of episodes (default: 10)")
    one.add_argument("--seed", type=_seed, default=0, metavar="N", help="seed of the folds (default: 0)")
    one.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="output folder (default: out)")
    two = commands.add_parser("plan", help="how many demonstrations it takes, with no data at all", allow_abbrev=False)
    two.add_argument("--occupancy", type=float, required=True, metavar="W", help="probability of the state at its step")
    two.add_argument("--probability", type=float, required=True, metavar="P", help="of the action there")
    two.add_argument("--actions", type=int, default=10, metavar="N", help="number of actions (default: 10)")
    two.add_argument("--states", type=int, default=100, metavar="N", help="number of states (default: 100)")
    two.add_argument("--horizon", type=int, default=10, metavar="N", help="number of steps (default: 10)")
    two.add_argument("--alpha", type=float, default=1.0, help="of PostBC (default: 1)")
    two.add_argument("--prior-mass", type=float, metavar="LAMBDA", help="of PostBC (default: L'/2)")
    two.add_argument(
        "--visits", type=int, default=0, metavar="N", help="visits so far, without the action (default: 0)"
    )
    two.add_argument("--out", type=Path, metavar="DIR", help="write plan.json and plan.html there")
    for command in (one, two):
        command.add_argument("--delta", type=float, default=0.05, help="allowed probability of failure (default: 0.05)")
        command.add_argument("--coverage", type=float, metavar="GAMMA", help="level: at least gamma p")
    return parser


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0; got {value}")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
