"""`python -m tabular audit DATA`: what demonstrations cover; `python -m tabular plan`: how many are needed."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tabular.advice import Question, UnrecordedAction
from tabular.audit import audit
from tabular.audit_data import read_tally
from tabular.audit_page import audit_text, page, plan_text
from tabular.audit_records import AuditReport, PlanReport, PlanRow, PlanTable, as_json
from tabular.plan import ANY_POSITIVE
from tabular.policies import BC, MixtureEstimator, log_choice, postbc
from theory.base.files import remove_partial_files, whole_file

LEVELS = (0.01, 0.1, 0.5)
"""Levels of coverage that a plan shows if none is given."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns
    -------
    int
        0, or 2 if the data or an argument are refused; the reason goes to the error output.
    """
    options = _parser().parse_args(arguments)
    try:
        name, report, text = _audit(options) if options.command == "audit" else _plan(options)
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            remove_partial_files(options.out)
            content = json.dumps(as_json(report), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
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


def _audit(options: argparse.Namespace) -> tuple[str, AuditReport, str]:
    level = 0.1 if options.coverage is None else options.coverage
    question = Question(
        delta=options.delta, loss=options.loss, level=level, n_states=options.states, stationary=options.stationary
    )
    rng = np.random.default_rng(options.seed)
    tally = read_tally(
        options.data, rng, n_actions=options.actions, actions_file=options.actions_file, n_folds=options.folds
    )
    report = audit(tally, question)
    return "audit", report, audit_text(report)


def _plan(options: argparse.Namespace) -> tuple[str, PlanReport, str]:
    A = options.actions
    action = UnrecordedAction(
        occupancy=options.occupancy, probability=options.probability, n_actions=A, visits=options.visits
    )
    default = log_choice(options.states, A, options.horizon, options.delta, options.alpha)
    chosen = default if options.prior_mass is None else postbc(options.alpha, options.prior_mass)
    policies: dict[str, MixtureEstimator] = {"BC": BC, "PostBC": chosen}
    levels = LEVELS if options.coverage is None else (options.coverage,)
    shown = [("above 0", ANY_POSITIVE), *((f"{level:g} p", level) for level in levels)]
    plan = PlanTable(
        unit="demonstrations",
        delta=options.delta,
        rows=[
            PlanRow(
                level=name,
                visits=action.visits,
                occupancy=action.occupancy,
                probability=action.probability,
                needed=action.demonstrations_needed(policies, level, options.delta),
            )
            for name, level in shown
        ],
        policy=chosen,
        curve=action.coverage_curve(policies, levels[len(levels) // 2]),
    )
    given = "given" if options.prior_mass is not None else f"L'/2 for {options.states} states, {options.horizon} steps"
    about = f"  PostBC: alpha = {chosen.alpha:g}, lambda = {chosen.prior_mass:.3g} ({given}); {A} actions"
    return "plan", PlanReport(plan=plan), f"{plan_text(plan)}\n{about}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tabular", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (_add_audit, _add_plan):
        command = add(commands)
        command.add_argument("--delta", type=float, default=0.05, help="allowed probability of failure (default: 0.05)")
        command.add_argument(
            "--coverage",
            type=float,
            metavar="GAMMA",
            help="an action of probability p counts as covered from GAMMA p on",
        )
    return parser


def _add_audit(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    command = commands.add_parser("audit", help="what a data set covers", allow_abbrev=False)
    add = command.add_argument
    add("data", type=Path, metavar="DATA", help="csv or npz with episode, step, state, action[, n_actions]")
    sizes = command.add_mutually_exclusive_group()
    sizes.add_argument("--actions", type=int, metavar="N", help="number of actions in every state")
    sizes.add_argument("--actions-file", type=Path, metavar="CSV", help="number of actions by state: state,n_actions")
    add("--states", type=int, metavar="N", help="number of states (default: the number in the data)")
    add("--stationary", action="store_true", help="pool the steps: one policy for all of them")
    add("--loss", type=float, help="tolerated loss, for rewards in [0, 1] a step (default: 5 %% of the horizon)")
    add("--folds", type=int, default=10, metavar="N", help="folds of episodes in cross-validation (default: 10)")
    add("--seed", type=_seed, default=0, metavar="N", help="seed of the folds (default: 0)")
    add("--out", type=Path, default=Path("out"), metavar="DIR", help="output folder (default: out)")
    return command


def _add_plan(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    command = commands.add_parser(
        "plan", help="how many demonstrations cover an action (needs no data)", allow_abbrev=False
    )
    add = command.add_argument
    add("--occupancy", type=float, required=True, metavar="W", help="probability of the state at its step")
    add("--probability", type=float, required=True, metavar="P", help="probability of the action in the state")
    add("--actions", type=int, default=10, metavar="N", help="number of actions (default: 10)")
    add("--states", type=int, default=100, metavar="N", help="number of states (default: 100)")
    add("--horizon", type=int, default=10, metavar="N", help="number of steps (default: 10)")
    add("--alpha", type=float, default=1.0, help="alpha of PostBC (default: 1)")
    add("--prior-mass", type=float, metavar="LAMBDA", help="lambda of PostBC (default: L'/2)")
    add(
        "--visits", type=int, default=0, metavar="N", help="visits to the state so far, without the action (default: 0)"
    )
    add("--out", type=Path, metavar="DIR", help="write plan.json and plan.html to this folder")
    return command


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0; got {value}")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
