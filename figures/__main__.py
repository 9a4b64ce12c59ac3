"""The documentation's generated parts: `python -m figures docs [DIR ...]`, or `--check DIR` after a run."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0, or 1 where the documentation does not agree with the run, and 2 for a bad command line."""
    from figures import _docs

    parser = argparse.ArgumentParser(prog="python -m figures", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    docs = commands.add_parser("docs", help="write README's tables, docs/gallery.md and the pictures")
    docs.add_argument("folders", nargs="*", type=Path, default=[Path("out")], metavar="DIR",
                      help="output folders, the preferred first; one holds a whole run (default: out)")  # fmt: skip
    docs.add_argument("--check", action="store_true", help="write nothing; compare with the whole run")
    options = parser.parse_args(arguments)
    try:
        whole = _docs.whole_run(options.folders) / "verdicts.json"
    except FileNotFoundError as error:
        parser.error(str(error))
    if not options.check:
        print("\n".join(_docs.write_docs(ROOT, options.folders)) or "README.md and docs/ are made anew")
        return 0
    record = json.loads((ROOT / "docs" / _docs.RECORD).read_text(encoding="utf-8"))
    found = _docs.differences(record, json.loads(whole.read_text(encoding="utf-8")))
    print("\n".join([*found, "run `make docs`"]) if found else "the documentation agrees with the run", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
