"""Every fenced block of the README, CONTRIBUTING.md and docs/ is run, or held against what it names."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import paper_repro
from continuous.dsrl import DSRL
from figures.running.registry import figure_names
from theory.results import all_results

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"(\.venv/bin/)?python\b")
SLOW = ("finetune_dsrl(",)
"""What a script contains that takes longer than some seconds."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page: the page, the line of its fence, its language and its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a shell block, with the output that the page shows after the block."""

    block: Block
    text: str
    shown_output: str = ""

    def __str__(self):
        return f"{self.block}: {self.text}"


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block(page=page, line=text.count("\n", 0, match.start()) + 1, language=match[1], text=match[2])
        for match in FENCE.finditer(text)
    ]


def commands_of(page):
    """Commands of a page's shell blocks; output that is shown belongs to the last command before it."""
    commands = []
    for block in blocks_of(page):
        if block.language == "sh":
            lines = block.text.replace("\\\n", " ").splitlines()
            parts = [part.strip() for line in lines for part in line.partition("#")[0].split("&&")]
            commands += [Command(block=block, text=part) for part in parts if part]
        elif block.language == "text":
            last = commands.pop()
            commands.append(Command(block=last.block, text=last.text, shown_output=block.text))
    return commands


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
SCRIPTS = [block for block in BLOCKS if block.language == "python" and "def test_" not in block.text]
COMMANDS = [command for page in PAGES for command in commands_of(page)]


def run(*arguments, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600)


def marked_slow(things, is_slow):
    """Parameters of a test, named by their place on the page."""
    return [pytest.param(one, id=str(one), marks=[pytest.mark.slow] if is_slow(one) else []) for one in things]


# --- nothing escapes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_fenced_block_has_a_language_that_a_test_handles(block):
    """Python is run as a script or by pytest, commands are run or checked, and text is the output of a command."""
    assert block.language in ("python", "sh", "text")
    if block.language == "python":
        assert block in SCRIPTS or "from hypothesis import" in block.text
    if block.language == "text":
        before = [other for other in BLOCKS if other.page == block.page and other.line < block.line]
        assert any(other.language == "sh" for other in before), "text without a command that prints it"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_show_code_in_fences_and_close_them(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("\n```") == 2 * len(blocks_of(page))
    outside = FENCE.sub("", text)
    assert not re.search(r"\n\n {4}\S", outside), "an indented block, which no test sees"


# --- scripts ----------------------------------------------------------------------------------------------------------


def check_costs_and_coverage(printed, _):
    rows = re.findall(r"loss (-?[\d.]+)  coverage ([\d.]+)", printed)
    assert len(rows) >= 2
    assert float(rows[0][1]) == 0.0  # BC
    assert all(float(coverage) > 0 for _, coverage in rows[1:])


def check_noise_and_saved_policy(printed, folder):
    rows = re.findall(r"success ([\d.]+)  noise added ([\d.]+)", printed)
    assert [float(added) > 0 for _, added in rows] == [False, True, True]
    assert (folder / "policy.npz").exists()


def check_curve(printed, _):
    rows = re.findall(r"(\d+) steps  success ([01]\.\d+)", printed)
    assert [int(steps) for steps, _ in rows] == sorted({int(steps) for steps, _ in rows})
    assert rows[0][0] == "0"
    assert len(rows) == 1 + DSRL().rounds // DSRL().evaluate_every


def check_two_successes(printed, _):
    assert re.fullmatch(r"BC +success [01]\.\d\d\nPostBC success [01]\.\d\d\n", printed)


def check_written_demonstrations(_, folder):
    assert (folder / "demos.csv").exists()


def check_rising_pass_rates(printed, _):
    rates = [float(rate) for rate in re.findall(r"pass@\d+ ([01]\.\d\d)  \[", printed)]
    assert len(rates) == 4
    assert rates == sorted(rates)


def check_bounds_below_pass_rates(printed, _):
    rows = [tuple(map(float, row)) for row in re.findall(r"pass@\d+ +([01]\.\d+)  at least ([01]\.\d+)", printed)]
    assert len(rows) == 6
    assert all(bound <= exact for exact, bound in rows)
    assert rows[-1][1] > 0


def check_noise_of_dimension(printed, _):
    rows = dict(re.findall(r"(uniform noise|PostBC) ([\d.]+)", printed))
    assert float(rows["PostBC"]) > 10 * float(rows["uniform noise"]) > 0


def check_mean_return(printed, _):
    assert re.fullmatch(r"mean return -\d+\n", printed)


CHECKS = {
    "coverage {gamma": check_costs_and_coverage,
    "StateAccess(": check_mean_return,
    "save_policy(": check_noise_and_saved_policy,
    "finetune_dsrl(": check_curve,
    "evaluate(task": check_two_successes,
    "FactoredLane(": check_noise_of_dimension,
    "write_demonstrations(": check_written_demonstrations,
    "play_tries(": check_rising_pass_rates,
    "pass_at_k_bound(": check_bounds_below_pass_rates,
}
"""What a script promises, by a phrase that it contains: the first that fits."""


@pytest.mark.parametrize("block", marked_slow(SCRIPTS, lambda block: any(word in block.text for word in SLOW)))
def test_a_script_of_a_page_runs_and_does_what_it_promises(block, tmp_path):
    done = run("-c", block.text, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check = next(check for phrase, check in CHECKS.items() if phrase in block.text)
    check(done.stdout, tmp_path)


# --- commands ---------------------------------------------------------------------------------------------------------


def check_make(words):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words[1:]:
        variable, is_variable, _ = word.partition("=")
        assert re.search(rf"^{variable} \?=" if is_variable else rf"^(\w+ )?{word}:", makefile, re.MULTILINE), word


def check_install(words):
    """`pip install` names the file of versions, and extras that there are."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert words[3:6] == ["install", "-c", "constraints.txt"]
    extras = re.findall(r"^\.\[(\w+)\]$", "\n".join(words[6:]), re.MULTILINE)
    assert len(extras) == len(words[6:])
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras)


def check_pytest(words):
    assert set(words[3:]) <= {"-q", "-x", "-m", "slow", "test_mine.py"} | {
        f"tests/{p.name}" for p in ROOT.glob("tests/*")
    }


def check_options(words, capsys):
    """A program accepts all options of a command: it refuses nothing but one more, that does not exist."""
    if words[1] == "paper_repro.py":
        main, arguments = paper_repro.main, words[2:]
    elif words[2] == "benchmarks":  # has no function that parses; names are checked by `check_names`
        assert not any(word.startswith("-") for word in words[3:])
        return
    else:
        main, arguments = importlib.import_module(f"{words[2]}.__main__").main, words[3:]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--no-such-option"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith("error: unrecognized arguments: --no-such-option\n")


def check_names(words):
    """Names of results, figures and benchmarks are such."""
    named = {words[i + 1] for i, word in enumerate(words) if word == "--only" and "paper_repro.py" in words}
    assert named <= {result.id for result in all_results()} | set(figure_names())
    if words[1:3] == ["-m", "benchmarks"]:
        assert all((ROOT / "benchmarks" / f"bench_{name}.py").exists() for name in words[3:])


PROGRAMS = ("tabular", "figures", "benchmarks")


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_of_a_page_names_what_exists(command, capsys):
    words = shlex.split(PYTHON.sub("python", command.text))
    if words[0] == "make":
        check_make(words)
    elif words == [".ci/run"]:
        assert os.access(ROOT / ".ci" / "run", os.X_OK)
    elif words[0] == "export":
        assert words[1].partition("=")[0] in ("POSTBC_DATA", "OPENBLAS_NUM_THREADS")
    elif words[:3] == ["python", "-m", "venv"]:
        assert words[3:] == [".venv"]
    elif words[:3] == ["python", "-m", "pip"]:
        check_install(words)
    elif words[:3] == ["python", "-m", "pytest"]:
        check_pytest(words)
    elif words[0] == "python" and words[1].startswith("figures/lessons/"):
        assert (ROOT / words[1]).exists()  # they are run in tests/test_figures_lessons.py
    elif words[:2] == ["python", "paper_repro.py"] or (words[:2] == ["python", "-m"] and words[2] in PROGRAMS):
        check_names(words)
        check_options(words, capsys)
    else:
        pytest.fail("no test knows how to check this command")


HELP = (
    (paper_repro.main, []),
    *((importlib.import_module("tabular.__main__").main, [name]) for name in ("audit", "plan")),
    *((importlib.import_module("figures.__main__").main, [name]) for name in ("docs", "grid")),
)
"""Programs of the project, as functions with their sub-command."""


def test_options_that_a_page_names_are_options_of_a_program(capsys):
    for main, arguments in HELP:
        with pytest.raises(SystemExit):
            main([*arguments, "--help"])
    offered = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    named = {option for page in PAGES for option in re.findall(r"`(--[a-z-]+)", page.read_text(encoding="utf-8"))}
    assert named <= offered


def is_run(command):
    """Commands that are run: on data in the folder, or on single results and figures."""
    audits = " -m tabular " in command.text
    return audits or ("paper_repro.py" in command.text and ("--only" in command.text or "--list" in command.text))


def takes_long(command):
    return "paper_repro.py" in command.text and "--list" not in command.text


@pytest.mark.parametrize("command", marked_slow(filter(is_run, COMMANDS), takes_long))
def test_a_command_of_a_page_runs_and_prints_what_is_shown(command, tmp_path):
    for script in SCRIPTS:
        if script.page == command.block.page and "write_demonstrations(" in script.text:
            assert run("-c", script.text, cwd=tmp_path).returncode == 0
    words = shlex.split(PYTHON.sub("python", command.text))[1:]
    if words[0] == "paper_repro.py":
        words[0] = ROOT / words[0]
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(command.shown_output)


# --- links ------------------------------------------------------------------------------------------------------------


def anchors_of(page):
    """Anchors of a page's headings, as GitHub makes them, and those that are written."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "results" / "README.md"], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_and_pictures_of_a_page_lead_to_files_and_headings(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors_of(found), target


PATH = re.compile(r"`((?:theory|tabular|continuous|figures|tests|benchmarks|results|docs)/[\w./]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_paths_of_the_checkout_that_a_page_names_exist(page):
    named = set(PATH.findall(page.read_text(encoding="utf-8")))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
