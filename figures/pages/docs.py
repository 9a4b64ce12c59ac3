"""What the documentation shows of a run: the README's table of results, the gallery, the pictures, the errata."""

import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from figures.control.grid import N_DEMOS, TASKS
from figures.control.judgements import claim_id
from figures.pages.pictures import small_png
from figures.pages.report import BOUNDS, EMPIRICAL, ERRATA, EXPERIMENTS
from figures.running.artifacts import atomic, save_text
from figures.running.registry import EXPERIMENTS, figure_module, figure_names
from theory.claims import EMPIRICAL_SOURCES, Result
from theory.results import all_results

RECORD = "verdicts.json"
"""In ``docs/``: the verdicts that the documentation shows, so that it can be made again and compared."""

_STEP_KEYS = ("id", "result", "form", "verdict", "evidence")
_CLAIM_KEYS = ("id", "source", "figure", "verdict", "evidence", "relation", "interval", "bound")
_INTRODUCTION = (
    "Made by `make docs` from finished runs. `python paper_repro.py --only NAME` makes one of the figures again; "
    "their numbers and intervals stand in `out/report.html`."
)
_PICTURE = (1280, 1000)
"""Width and height of the picture of the report, in pixels."""


def write_docs(root: Path, folders: Sequence[Path]) -> list[str]:
    """Write the documentation's generated parts from finished runs.

    Parameters
    ----------
    root : Path
        The checkout.
    folders : sequence of Path
        Output folders. A figure is taken from the first that has it, the steps and the report from the first that holds
        a whole run: so figures of full settings can stand before a quick run of everything.

    Returns
    -------
    list of str
        What could not be made, in sentences.

    Raises
    ------
    FileNotFoundError
        If no folder holds a whole run.
    """
    record, whole = record_of(folders), whole_run(folders)
    docs = root / "docs"
    for name, figure in record["figures"].items():
        with atomic(docs / f"{name}.png") as file:
            file.write(small_png(Path(figure.pop("folder")) / f"{name}.png"))
    save_text(docs / RECORD, record_json(record))
    save_text(docs / "gallery.md", gallery(record))
    save_text(docs / "errata.md", (whole / "errata.md").read_text(encoding="utf-8"))
    readme = (root / "README.md").read_text(encoding="utf-8")
    save_text(root / "README.md", with_blocks(readme, record))
    problems = [f"{name} is in none of the folders, and not in the gallery" for name in lacking_figures(record)]
    return problems + photograph(whole / "report.html", docs / "report.png")


def whole_run(folders: Sequence[Path]) -> Path:
    """Return the first folder that holds a whole run; arguments and errors as `write_docs`."""
    for folder in folders:
        if (folder / "verdicts.json").exists():
            return folder
    raise FileNotFoundError(f"no whole run in {', '.join(map(str, folders))}: verdicts.json is not there")


def record_of(folders: Sequence[Path]) -> dict[str, Any]:
    """Collect the verdicts and figures of runs, as ``docs/verdicts.json`` holds them; figures also have their folder.

    Arguments and errors as `write_docs`.
    """
    steps = json.loads((whole_run(folders) / "verdicts.json").read_text(encoding="utf-8"))["steps"]
    figures, claims = {}, []
    for name in figure_names():
        folder = next((f for f in folders if (f / f"{name}.json").exists() and (f / f"{name}.png").exists()), None)
        if folder is None:
            continue
        held = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        figures[name] = {"profile": held["profile"], "seed": held["seed"], "folder": str(folder)}
        claims += [{key: claim[key] for key in _CLAIM_KEYS} for claim in held["claims"]]
    return {
        "schema": 1,
        "figures": figures,
        "steps": [{key: step[key] for key in _STEP_KEYS} for step in steps],
        "claims": claims,
    }


def record_json(record: Mapping[str, Any]) -> str:
    """Lay the record out with one step or claim a line, so that a change can be read."""
    parts = [f'"schema": {record["schema"]}', f'"figures": {_rows(record["figures"].items(), "{}")}']
    parts += [f'"{key}": {_rows(((None, entry) for entry in record[key]), "[]")}' for key in ("steps", "claims")]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rows(entries: Iterable[tuple[str | None, Any]], brackets: str) -> str:
    lines = [("" if key is None else f'"{key}": ') + json.dumps(entry, ensure_ascii=False) for key, entry in entries]
    return brackets[0] + "\n " + ",\n ".join(lines) + "\n" + brackets[1]


def lacking_figures(record: Mapping[str, Any]) -> list[str]:
    """Figures of this checkout that the record does not have."""
    return [name for name in figure_names() if name not in record["figures"]]


def differences(record: Mapping[str, Any], verdicts: Mapping[str, Any]) -> list[str]:
    """In what a fresh run differs from the record, in sentences.

    All steps are compared, and the claims of figures that were made with the same profile; claims of the paper's
    experiments may come out anew. Figures that the run left out are no difference.

    Parameters
    ----------
    record : mapping
        Content of ``docs/verdicts.json``.
    verdicts : mapping
        Content of a run's ``verdicts.json``.
    """
    shown = {name for name, figure in record["figures"].items() if figure["profile"] == verdicts["profile"]}
    shown -= {entry["figure"] for entry in verdicts["left_out"]}
    fresh, held = _comparable(verdicts, shown), _comparable(record, shown)
    new = {claim["figure"] for claim in verdicts["claims"]} - set(record["figures"])
    found = [f"{name} is not in the documentation" for name in new]
    found += [f"{'/'.join(name)} is not in the documentation" for name in fresh if name not in held]
    found += [f"{'/'.join(name)} is in the documentation and not in the run" for name in held if name not in fresh]
    found += [
        f"{'/'.join(name)} is {held[name]} in the documentation and {verdict} in the run"
        for name, verdict in fresh.items()
        if held.get(name, verdict) != verdict
    ]
    return sorted(found)


def _comparable(verdicts: Mapping[str, Any], figures: Collection[str]) -> dict[tuple[str, ...], str]:
    steps: dict[tuple[str, ...], str] = {
        ("step", s["result"], s["id"], s["form"]): s["verdict"] for s in verdicts["steps"]
    }
    claims: dict[tuple[str, ...], str] = {
        ("claim", c["figure"], c["id"]): c["verdict"]
        for c in verdicts["claims"]
        if c["source"] not in EMPIRICAL_SOURCES and c["figure"] in figures
    }
    return {**steps, **claims}


# --- tables and pages -------------------------------------------------------------------------------------------------


def with_blocks(readme: str, record: Mapping[str, Any]) -> str:
    """Return the README with its generated blocks made anew.

    Parameters
    ----------
    readme : str
        With a pair of lines ``<!-- NAME: made by make docs -->`` and ``<!-- end NAME -->`` for each block.
    record : mapping
        As `record_of` returns it.

    Raises
    ------
    ValueError
        If the lines of a block are not there exactly once.
    """
    blocks = {
        "results": results_table(all_results(), record["steps"]),
        "claims": claims_table(record),
        "control": control_table(record),
    }
    for name, block in blocks.items():
        begin, end = f"<!-- {name}: made by make docs -->\n", f"<!-- end {name} -->"
        if readme.count(begin) != 1 or readme.count(end) != 1:
            raise ValueError(f"README.md must have the lines {begin.strip()!r} and {end!r} once each")
        before, _, rest = readme.partition(begin)
        readme = before + begin + block + end + rest.partition(end)[2]
    return readme


def results_table(results: Sequence[Result], steps: Sequence[Mapping[str, Any]]) -> str:
    """Return a summary and the table of results with their verdicts, as Markdown.

    Parameters
    ----------
    results : sequence of Result
    steps : sequence of mapping
        Entries as `theory.claims.decide` returns them.
    """
    by_form = {form: [s for s in steps if s["form"] == form] for form in ("printed", "corrected", "companion")}
    lines = [
        f"Of the paper's {len(by_form['printed'])} steps and statements, as printed: {_tally(by_form['printed'])}. "
        f"Their corrections: {_tally(by_form['corrected'])}. Our own {len(by_form['companion'])}: "
        f"{_tally(by_form['companion'])}.",
        "",
    ]
    lines += ["| result | where | as printed | corrected or ours | all its steps |", "|---|---|---|---|---|"]
    for result in results:
        mine = [step for step in steps if step["result"] == result.id]
        stated = {step["form"]: step["verdict"] for step in mine if step["id"] == result.id}
        reach = {step.id: step.severity for step in result.steps if step.form == "printed"}
        printed = stated.pop("printed", "")
        if printed == "refuted":
            printed = f"refuted ({reach[result.id]})"
        other = next(iter(stated.values()), "" if any(step["form"] == "printed" for step in mine) else "proved")
        if not stated and other and any(step["verdict"] != "proved" for step in mine):
            other = "see its steps"
        lines.append(f"| {result.title} | {result.source} | {printed} | {other} | {_tally(mine)} |")
    return "\n".join(lines) + "\n"


def claims_table(record: Mapping[str, Any]) -> str:
    """Return how the claims about computed data came out, by source, as Markdown."""
    groups = [("this project's own", [c for c in record["claims"] if c["source"] not in EMPIRICAL_SOURCES])]
    groups += [
        (f"{name}: {text}", [c for c in record["claims"] if c["source"] == name]) for name, text in EMPIRICAL.items()
    ]
    lines = ["| claims about computed data | how they came out |", "|---|---|"]
    lines += [f"| {name} | {_tally(claims) or 'not put to a test yet'} |" for name, claims in groups]
    return "\n".join(lines) + "\n"


CONTROL = {
    "finetuned, PostBC - BC": "after: PostBC minus BC",
    "finetuned, PostBC - sigma-BC": "after: PostBC minus sigma-BC",
    "finetuned at equal pretrained success, PostBC - sigma-BC": "after, at equal success before",
    "pretrained at equal noise, PostBC - sigma-BC": "before, at equal noise",
    "finetuned at equal noise, PostBC - sigma-BC": "after, at equal noise",
}
"""Comparisons of `fig_tradeoff` that the README shows, and their names there."""


def control_table(record: Mapping[str, Any]) -> str:
    """Return how PostBC compares with BC and sigma-BC before and after DSRL, task by task, as Markdown."""
    claims = {claim["id"]: claim for claim in record["claims"] if claim["figure"] == "fig_tradeoff"}
    lines = [f"| task | {' | '.join(CONTROL.values())} |", "|---" * (1 + len(CONTROL)) + "|"]
    for task in TASKS:
        names = [claim_id(f"tradeoff {task} {N_DEMOS} DSRL {what}") for what in CONTROL]
        if any(name in claims for name in names):
            lines.append(f"| {task} | {' | '.join(_entry(claims.get(name)) for name in names)} |")
    return "\n".join(lines) + "\n"


def _entry(claim: Mapping[str, Any] | None) -> str:
    if claim is None:
        return ""
    low, high = claim["interval"]
    verdict = "" if claim["verdict"] == "inconclusive" else f"**{claim['verdict']}** "
    return f"{verdict}[{low:.2f}, {high:.2f}]"


def _tally(entries: Iterable[Mapping[str, Any]]) -> str:
    counts = Counter(entry["verdict"] for entry in entries)
    return ", ".join(f"{n} {'hold' if name == 'holds' and n != 1 else name}" for name, n in sorted(counts.items()))


def gallery(record: Mapping[str, Any]) -> str:
    """Return the page of all figures, as Markdown, in the order of the report.

    Parameters
    ----------
    record : mapping
        As `record_of` returns it.
    """
    order = [*(result.id for result in all_results()), BOUNDS, ERRATA, EXPERIMENTS]
    names = sorted(record["figures"], key=lambda name: (order.index(_section(name)), name))
    lines = ["# All figures", "", _INTRODUCTION, ""]
    lines += [f"- [{figure_module(name).TITLE}](#{name})" for name in names]
    for name in names:
        module, profile = figure_module(name), record["figures"][name]["profile"]
        verdicts = _tally(c for c in record["claims"] if c["figure"] == name) or "none"
        lines += ["", f'<a id="{name}"></a>', "", f"## {module.TITLE}", "", f"![{module.TITLE}]({name}.png)", ""]
        lines += [module.CAPTION, "", f"`{name}`, {profile} settings. Claims: {verdicts}."]
    return "\n".join(lines) + "\n"


def _section(name: str) -> str:
    return str(getattr(figure_module(name), "SECTION", EXPERIMENTS))


def photograph(page: Path, picture: Path) -> list[str]:
    """Take a picture of the report's first screen with Chromium; return why not, in sentences, where there is none.

    Parameters
    ----------
    page : Path
        The report.
    picture : Path
        A PNG, left as it is where there is no browser or no report.
    """
    program = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
    )
    if not program or not page.exists():
        return [f"{picture.name} is left as it was: no {'report' if program else 'Chromium'} was found"]
    with tempfile.TemporaryDirectory() as folder:
        taken = Path(folder) / "page.png"
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
        ]
        size = f"--window-size={_PICTURE[0]},{_PICTURE[1]}"
        command = [program, *options, size, f"--screenshot={taken}", page.resolve().as_uri()]
        subprocess.run(command, capture_output=True, check=False, timeout=120)
        if not taken.exists():
            return [f"{picture.name} is left as it was: Chromium took no picture"]
        content = small_png(taken)
    with atomic(picture) as file:
        file.write(content)
    return []
