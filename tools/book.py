"""Build the book from the committed notebooks and records, and say where it is.

    python tools/book.py

Warnings are errors. `nox -s book` checks the export first, and then calls this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import accuracy
import checks
import zero
from sxlit_conformance import record, report, semantics

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
BUILT = ROOT / "_build"
RECORDS = ROOT / "conformance" / "sxlit_conformance" / "records"
LADDERS = BOOK / "_ladder"
GENERATED = BOOK / "_generated"
THEOREMS = ROOT / "tests" / "theorems.json"
ACCURACY = ROOT / "benchmarks" / "accuracy.csv"


class BookError(Exception):
    """The book cannot be built; the message is for the person who asked for it."""


def environment() -> dict[str, str]:
    """The environment in which both packages are imported from this checkout."""
    paths = [str(ROOT), str(ROOT / "conformance"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def generate(
    records: Path = RECORDS, theorems: Path = THEOREMS, target: Path = GENERATED
) -> None:
    """Render what the committed runs say, for the pages that show it; never stale."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    found = sorted(records.glob("*.jsonl"))
    if not found:
        raise BookError(
            f"expected records in {records}, found none: the conformance page shows "
            "them; run `nox -s conformance -- --write`, or restore them from git"
        )
    if not theorems.is_file():
        raise BookError(
            f"expected {theorems}, found nothing: it says which tests check which "
            "theorem; run `nox -s tests -- --write`, or restore it from git"
        )
    try:
        read = [one for path in found for one in record.read(path)]
    except record.RecordError as error:
        raise BookError(str(error)) from None
    (target / "matrix.md").write_text(report.markdown(read), encoding="utf-8")
    (target / "semantics.md").write_text(semantics.markdown(read), encoding="utf-8")
    tables = zero.pages(zero.ladders(LADDERS), read, LADDERS)
    (target / "zero.md").write_text(tables, encoding="utf-8")
    (target / "accuracy.md").write_text(accuracy.markdown(ACCURACY), encoding="utf-8")
    checks.write(theorems, read, target / "checks.json")


def build(builder: str = "html") -> Path:
    """Run Jupyter Book and return the first page."""
    output = BUILT / builder
    shutil.rmtree(output, ignore_errors=True)
    shutil.rmtree(BUILT / ".doctrees", ignore_errors=True)
    # The command of this very environment, whatever else is on PATH.
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [str(jupyter_book), "build", str(BOOK)]
    options = ["--config", str(ROOT / "_config.yml"), "--path-output", str(ROOT)]
    strict = ["-W", "--keep-going", "-n", "-q", "--builder", builder]
    done = subprocess.run(
        [*command, *options, *strict], cwd=ROOT, env=environment(), check=False
    )
    if done.returncode:
        raise BookError("the book was not built: see the warnings above")
    return output / ("index.html" if builder == "html" else "intro.html")


def main() -> int:
    """Build the HTML book."""
    try:
        generate()
        page = build()
    except BookError as error:
        print(f"tools/book.py: {error}", file=sys.stderr)
        return 1
    print(f"The book is built: open {page}\n{page.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
