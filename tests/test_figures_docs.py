"""The documentation's generated parts: what they show is what the recorded run says, and all of it is there."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from PIL import Image

from figures import __main__ as command
from figures.pages import docs
from figures.pages.docs import photograph, write_docs
from figures.pages.docs_record import (
    ClaimSummary,
    Record,
    WholeRun,
    collect_record,
    differences,
    lacking_figures,
    read_record,
    read_run,
    record_json,
)
from figures.pages.docs_tables import (
    PARTS,
    claims_table,
    control_table,
    gallery,
    made_pages,
    results_table,
    summary,
    with_parts,
)
from figures.running.registry import figure_names
from theory.results import all_results

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
RECORD = read_record(DOCS / "verdicts.json")
NAMES = ["fig_bc_fails", "fig_estimators"]


def claim(figure, id="a", source="R1", verdict="holds", interval=(0, 1)):
    return ClaimSummary(
        id=id,
        source=source,
        figure=figure,
        verdict=verdict,
        evidence="exact",
        relation="<=",
        interval=interval,
        bound=2,
    )


def record_of_claims(*claims):
    return Record(figures={}, steps=(), claims=claims)


def checkout(root):
    """A folder with the pages that have generated parts, and nothing else on them."""
    (root / "docs").mkdir()
    for page, parts in PARTS.items():
        blocks = "".join(f"<!-- {name}: made by make docs -->\n<!-- end {name} -->\n" for name in parts)
        (root / page).write_text(f"before\n{blocks}after\n")


def run_folder(path, names=NAMES, profile="quick", colour="white", verdict="holds", whole=True):
    path.mkdir()
    claims = [{**asdict(claim(name, verdict=verdict)), "detail": "x"} for name in names]
    for name, entry in zip(names, claims, strict=True):
        (path / f"{name}.json").write_text(json.dumps({"profile": profile, "seed": 0, "claims": [entry]}))
        Image.new("RGB", (40, 20), colour).save(path / f"{name}.png")
    if whole:
        steps = [asdict(step) | {"expected": True} for step in RECORD.steps]
        content = {"profile": profile, "steps": steps, "claims": claims, "left_out": []}
        (path / "verdicts.json").write_text(json.dumps(content))
        (path / "errata.md").write_text("# Errata\n")
    return path


# --- what is committed ------------------------------------------------------------------------------------------------


def test_pages_with_generated_parts_show_what_the_record_says():
    """After a change of results or figures: `make repro docs`, or `make docs FROM=...` with finished runs."""
    for path, text in made_pages(ROOT, RECORD).items():
        assert path.read_text(encoding="utf-8") == text


def test_a_record_that_is_written_and_read_is_the_same(tmp_path):
    (tmp_path / "verdicts.json").write_text(record_json(RECORD), encoding="utf-8")
    assert read_record(tmp_path / "verdicts.json") == RECORD


def test_the_gallery_is_that_of_the_record_and_has_every_figure():
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == gallery(RECORD)
    assert (DOCS / "verdicts.json").read_text(encoding="utf-8") == record_json(RECORD)
    assert lacking_figures(RECORD) == []


def test_every_picture_of_the_documentation_is_used_and_there_and_small():
    pages = [path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")]
    shown = {picture for text in pages for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)}
    assert {path.name for path in DOCS.glob("*.png")} == shown
    assert sum(path.stat().st_size for path in DOCS.iterdir()) < 6e6


# --- the table of results ---------------------------------------------------------------------------------------------


def rows(table):
    return {cells[1]: cells for line in table.splitlines()[4:] for cells in [[c.strip() for c in line.split("|")]]}


def test_a_row_of_the_results_says_how_the_statement_came_out_as_printed_and_corrected():
    found = rows(results_table(all_results(), RECORD.steps))
    assert len(found) == len(all_results())
    assert found["PostBC covers every demonstrated action"][3:5] == ["refuted (statement)", "proved"]
    assert found["PostBC loses little against BC"][3:5] == ["proved", ""]
    assert found["Suboptimality without the logarithm"][3:5] == ["", "proved"]
    assert found["Sharp forms of the failures"][3:5] == ["", "proved"]


def test_the_summary_of_the_results_counts_steps_by_form():
    steps = [
        replace(RECORD.steps[0], form=form, verdict=verdict)
        for form, verdict in (
            ("printed", "proved"),
            ("printed", "refuted"),
            ("corrected", "proved"),
            ("companion", "undecided"),
        )
    ]
    assert results_table(all_results(), steps).startswith(
        "Of the paper's 2 steps and statements, as printed: 1 proved, 1 refuted. Their corrections: 1 proved. "
        "Our own 1 steps: 1 undecided.\n\n| result |"
    )


def test_the_paragraph_of_the_readme_counts_steps_and_the_projects_own_claims():
    record = Record(figures={}, steps=RECORD.steps[:1], claims=(claim("f"), claim("f", "b", "E1", "violated")))
    text = summary(record)
    assert text.startswith("In numbers: of the paper's 1 steps and statements, as printed: 1 proved.")
    assert text.endswith("Our own claims about computed data: 1 holds.\n")


def test_another_verdict_on_a_step_gives_another_table_of_results():
    before = results_table(all_results(), RECORD.steps)
    for i in (0, len(RECORD.steps) - 1):
        steps = [replace(step, verdict="undecided") if k == i else step for k, step in enumerate(RECORD.steps)]
        assert "1 undecided" in results_table(all_results(), steps)
        assert results_table(all_results(), steps) != before


def test_claims_of_the_papers_experiments_are_counted_apart():
    found = claims_table(
        record_of_claims(claim("f"), claim("f", "b"), claim("f", "c", "E2", "violated"), claim("f", "d", "E2"))
    )
    assert "| this project's own | 2 hold |" in found
    assert re.search(r"\| E2: .* \| 1 holds, 1 violated \|", found)
    assert re.search(r"\| E4: .* \| not tested yet \|", found)


def test_the_table_of_control_has_a_row_for_each_task_and_names_each_verdict_but_a_tie():
    after = [
        claim("fig_tradeoff", f"tradeoff-{task}-10-DSRL-finetuned-PostBC-{rival}", "E2", verdict, ends)
        for task, rival, verdict, ends in (
            ("push", "BC", "inconclusive", (-0.125, 0.5)),
            ("stick", "BC", "holds", (0.061, 0.25)),
            ("stick", "sigma-BC", "violated", (-0.25, -0.061)),
        )
    ]
    head, rule, *lines = control_table(record_of_claims(*after)).splitlines()
    assert head.startswith("| task | after: PostBC minus BC | after: PostBC minus sigma-BC |")
    assert rule.count("---") == head.count("|") - 1
    assert lines == [
        "| stick | **holds** [0.06, 0.25] | **violated** [-0.25, -0.06] |  |  |  |",
        "| push | [-0.12, 0.50] |  |  |  |  |",
    ]
    assert control_table(record_of_claims(claim("fig_dsrl", after[0].id))).count("\n") == 2


def test_a_page_without_the_markers_of_a_part_is_refused():
    with pytest.raises(ValueError, match=r"README\.md must have the lines"):
        with_parts("# Nothing\n", {"summary": "text"}, "README.md")


# --- making it --------------------------------------------------------------------------------------------------------


def test_a_figure_is_taken_from_the_first_folder_that_has_it(tmp_path):
    full = run_folder(tmp_path / "full", NAMES[:1], "full", "red", whole=False)
    quick = run_folder(tmp_path / "quick", NAMES, "quick", "blue")
    checkout(tmp_path)
    problems = write_docs(tmp_path, [full, quick])
    record = read_record(tmp_path / "docs" / "verdicts.json")
    assert {name: shown.profile for name, shown in record.figures.items()} == {NAMES[0]: "full", NAMES[1]: "quick"}
    for name, colour in zip(NAMES, ((255, 0, 0), (0, 0, 255)), strict=True):
        with Image.open(tmp_path / "docs" / f"{name}.png") as picture:
            assert picture.convert("RGB").getpixel((5, 5)) == colour
    for path, text in made_pages(tmp_path, record).items():
        assert path.read_text() == text
        assert text.startswith("before\n")
        assert text.endswith("after\n")
    assert "| this project's own | 2 hold |" in (tmp_path / "docs" / "findings_theory.md").read_text()
    assert (tmp_path / "docs" / "gallery.md").read_text() == gallery(record)
    assert (tmp_path / "docs" / "errata.md").read_text() == "# Errata\n"
    assert len(problems) == len(figure_names()) - 2 + 1  # and no report to take a picture of


def test_a_folder_without_a_whole_run_is_refused(tmp_path):
    part = run_folder(tmp_path / "part", whole=False)
    with pytest.raises(FileNotFoundError, match="no whole run in"):
        collect_record([part])


def test_a_picture_of_a_page_is_taken_where_there_is_a_browser(tmp_path, monkeypatch):
    (tmp_path / "page.html").write_text("<body style='background: #ff0000'></body>")
    assert photograph(tmp_path / "none.html", tmp_path / "x.png")
    monkeypatch.setattr(docs.shutil, "which", lambda _: None)
    assert "no Chromium was found" in photograph(tmp_path / "page.html", tmp_path / "x.png")[0]
    assert not (tmp_path / "x.png").exists()
    monkeypatch.undo()
    if photograph(tmp_path / "page.html", tmp_path / "x.png"):
        pytest.skip("no browser: on Debian, apt install chromium")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size[0] == 1280
        assert picture.convert("RGB").getpixel((600, 500)) == (255, 0, 0)


# --- comparing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def record(tmp_path):
    found = collect_record([run_folder(tmp_path / "run")])
    return replace(found, claims=(*found.claims, claim(NAMES[0], "e", "E1")))


def run_of(record, **changes):
    run = WholeRun(profile="quick", steps=record.steps, claims=record.claims, left_out=())
    return replace(run, **changes)


def test_a_run_is_read_with_the_figures_that_it_left_out(tmp_path):
    folder = run_folder(tmp_path / "run")
    content = json.loads((folder / "verdicts.json").read_text())
    content["left_out"] = [{"figure": "fig_icu", "needs": ["x"]}]
    (folder / "verdicts.json").write_text(json.dumps(content))
    claims = (claim(NAMES[0]), claim(NAMES[1]))
    assert read_run(folder) == WholeRun(profile="quick", steps=RECORD.steps, claims=claims, left_out=("fig_icu",))


def test_a_run_with_the_records_verdicts_differs_in_nothing(record):
    assert differences(record, run_of(record)) == []


def test_steps_and_claims_in_which_a_run_differs_from_the_record_are_named(record):
    claims = record.claims
    broken = (replace(claims[0], verdict="violated"), *claims[1:])
    assert differences(record, run_of(record, claims=broken)) == [
        "claim/fig_bc_fails/a is holds in the documentation and violated in the run"
    ]
    more = (*claims, claim("fig_new"))
    assert differences(record, run_of(record, claims=more)) == ["fig_new is not in the documentation"]
    more = (*claims, claim(NAMES[0], "new"))
    assert differences(record, run_of(record, claims=more)) == [f"claim/{NAMES[0]}/new is not in the documentation"]
    assert differences(record, run_of(record, claims=claims[1:])) == [
        "claim/fig_bc_fails/a is in the documentation and not in the run"
    ]
    steps = (replace(record.steps[0], verdict="refuted"), *record.steps[1:])
    assert "step/prop-bc-fails/B1.1/printed is proved" in differences(record, run_of(record, steps=steps))[0]


def test_figures_left_out_and_claims_of_the_papers_experiments_are_no_difference(record):
    claims = tuple(c for c in record.claims if c.figure != NAMES[0])
    assert differences(record, run_of(record, claims=claims, left_out=(NAMES[0],))) == []
    other = tuple(replace(c, verdict="violated") if c.source == "E1" else c for c in record.claims)
    assert differences(record, run_of(record, claims=other)) == []


def test_claims_of_another_profile_are_not_compared_and_steps_are(record):
    broken = tuple(replace(c, verdict="violated") for c in record.claims)
    assert differences(record, run_of(record, profile="full", claims=broken)) == []
    steps = (replace(record.steps[0], verdict="refuted"), *record.steps[1:])
    assert len(differences(record, run_of(record, profile="full", steps=steps))) == 1


def test_the_docs_command_writes_compares_and_refuses_a_folder_without_a_run(tmp_path, monkeypatch, capsys):
    folder = run_folder(tmp_path / "run")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    checkout(tmp_path)
    assert command.main(["docs", str(folder)]) == 0
    assert command.main(["docs", "--check", str(folder)]) == 0
    changed = run_folder(tmp_path / "changed", verdict="violated")
    assert command.main(["docs", "--check", str(changed)]) == 1
    assert "run `make docs`" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        command.main(["docs", str(tmp_path / "nowhere")])
    assert stop.value.code == 2
