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

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
BUILT = ROOT / "_build"
RECORDS = ROOT / "conformance" / "sxlit_conformance" / "records"
GENERATED = BOOK / "_generated"
# What pages include from there, and the format of the report that it is.
TABLES = {"matrix.md": "md", "semantics.md": "semantics"}


class BookError(Exception):
    """The book cannot be built; the message is for the person who asked for it."""


def environment() -> dict[str, str]:
    """The environment in which both packages are imported from this checkout."""
    paths = [str(ROOT), str(ROOT / "conformance"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def tables(records: Path = RECORDS, target: Path = GENERATED) -> None:
    """Render what pages show of the committed records, never a stale one."""
    for name, form in TABLES.items():
        table(records, target / name, form)


def table(records: Path, target: Path, form: str) -> None:
    target.unlink(missing_ok=True)
    found = sorted(str(path) for path in records.glob("*.jsonl"))
    if not found:
        raise BookError(
            f"expected records in {records}, found none: the conformance page shows "
            "them; run `nox -s conformance -- --write`, or restore them from git"
        )
    command = [sys.executable, "-m", "sxlit_conformance", "report", *found]
    report = subprocess.run(
        [*command, "--format", form],
        env=environment(),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if report.returncode or not report.stdout.strip():
        raise BookError(
            f"sxlit_conformance report gave no {target.stem} (exit "
            f"{report.returncode}); its message is above"
        )
    target.parent.mkdir(exist_ok=True)
    target.write_text(report.stdout, encoding="utf-8")


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
        tables()
        page = build()
    except BookError as error:
        print(f"tools/book.py: {error}", file=sys.stderr)
        return 1
    print(f"The book is built: open {page}\n{page.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
