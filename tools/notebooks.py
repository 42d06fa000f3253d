"""Lint the committed notebooks of the book, or run them and write their outputs.

    python tools/notebooks.py [NOTEBOOK ...]            lint; exit 1 on any problem
    python tools/notebooks.py --write [NOTEBOOK ...]    run from top to bottom, and save

With --write, chapter 11 also keeps its loss curves, which it only compares otherwise.
Only a notebook whose name ends in _NAME may import the framework NAME: it runs in an
environment of its own, and the others must run without.

nbval compares what a cell prints with what is committed, but it passes a cell that was
committed unrun, and it says nothing about magics, tags that switch it off, or files
that every editor writes differently. The lint does. It asks for an output only where
none can be right: after `print(...)`, `display(...)` and `plt.show()` at the top level
of a cell, and after a last line that is a value.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

BOOK = "book"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_METADATA = frozenset({"tags", "mystnb"})  # mystnb: a figure's caption and alt text
TAGS = frozenset(
    {
        "hide-cell",
        "hide-input",
        "hide-output",
        "nbval-ignore-output",
        "raises-exception",
        "remove-cell",
        "remove-input",
        "remove-output",
    }
)
SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
MADE_UP_ID = re.compile(r"(?=.*\d)[0-9a-f]{8}")  # what Jupyter gives a new cell
MAGIC = re.compile(r"\s*(?:[%!?]|.*\?\s*$|\w+\s*=\s*[%!])")
NBVAL_COMMENT = re.compile(r"\s*#+\s*(?:PYTEST_VALIDATE|NBVAL)_\w+")
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home|Users|root|tmp|var|usr|opt|mnt|private|work)/\w"
    r"|(?<!\w)[A-Za-z]:\\\w"
)
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FRAMEWORKS = {
    "torch": {"torch"},
    "tensorflow": {"tensorflow", "keras"},
    "jax": {"jax", "optax"},
}
WRITE_CURVES = "SXLIT_WRITE_CURVES"  # read by book/digits.py
SECONDS = 600  # for one cell


@dataclass(frozen=True)
class Problem:
    """One line for the person who has to mend it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


# ------------------------------------------------------------------------ the lint


def lint(path: Path, name: str) -> Iterator[Problem]:
    """Everything that is wrong with one notebook."""
    raw = path.read_bytes()
    try:
        fields = json.loads(raw)
        version = (fields["nbformat"], fields["nbformat_minor"])
        ids = Counter(cell["id"] for cell in fields["cells"])
        twice = [id for id, count in ids.items() if count > 1]
        if not twice:  # nbformat would give one of them another id
            nbformat.validate(fields)
    except ValueError as error:
        yield Problem(name, f"is not JSON in UTF-8: {error}")
        return
    except (KeyError, TypeError, nbformat.ValidationError) as error:
        what = str(error).split("\n")[0]
        yield Problem(name, f"is not a notebook: {type(error).__name__}: {what}")
        return
    for id in twice:
        yield Problem(f"{name} #{id}", f"{ids[id]} cells have this id")
    if twice:
        return
    if version != (4, 5):
        yield Problem(name, f"has format {version[0]}.{version[1]}, not 4.5")
        return
    if fields["metadata"] != METADATA:
        yield Problem(name, f"its metadata is not {METADATA}; --write sets it")
    notebook = nbformat.reads(raw.decode(), as_version=4)
    if raw != serialized(notebook):
        yield Problem(name, "is not written as nbformat writes it; --write does so")
    expected = 0
    for cell in notebook.cells:
        expected += cell["cell_type"] == "code"
        if cell["cell_type"] == "code":
            for what in _foreign_imports(cell["source"], path.stem):
                yield Problem(f"{name} #{cell['id']}", what)
        for what in (*_any_cell(cell), *_code_cell(cell, expected)):
            yield Problem(f"{name} #{cell['id']}", what)


def serialized(notebook: Any) -> bytes:
    """The one way in which a notebook is written down."""
    text: str = nbformat.writes(notebook)
    return (text.rstrip("\n") + "\n").encode()


def _foreign_imports(source: str, stem: str) -> Iterator[str]:
    """Frameworks that this notebook's environment lacks."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # said elsewhere
        return
    plain = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    parts = {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    imported = {module.split(".")[0] for module in plain | parts}
    own = FRAMEWORKS.get(stem.rpartition("_")[2], set())
    for module in sorted(imported & set().union(*FRAMEWORKS.values()) - own):
        yield f"imports {module}, which only a page of its own environment may"


def _any_cell(cell: Any) -> Iterator[str]:
    if not SLUG.fullmatch(cell["id"]) or MADE_UP_ID.fullmatch(cell["id"]):
        yield "its id is no readable slug such as 'row-state'"
    for key in cell["metadata"].keys() - KEPT_METADATA:
        yield f"has metadata {key!r}; cells have tags, and mystnb for a figure's text"
    for tag in cell["metadata"].get("tags", []):
        if tag not in TAGS:
            yield f"has the tag {tag!r}; allowed are {', '.join(sorted(TAGS))}"
    if ABSOLUTE_PATH.search(cell["source"]):
        yield "names an absolute path, which is another one elsewhere"


def _code_cell(cell: Any, expected: int) -> Iterator[str]:
    if cell["cell_type"] != "code":
        return
    source, outputs = cell["source"], cell["outputs"]
    raises = "raises-exception" in cell["metadata"].get("tags", [])
    if not source.strip():
        yield "is empty"
        return
    if any(NBVAL_COMMENT.match(line) for line in source.split("\n")):
        yield "steers nbval by a comment, which would be printed; use a tag"
    tree = None
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        lines = source.split("\n")
        line = lines[min((error.lineno or 1), len(lines)) - 1]
        kind = "a magic" if MAGIC.match(line) else "a syntax error"
        yield f"is not plain Python, {kind} in {line.strip()!r}: {error.msg}"
    else:
        names = (n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
        if "get_ipython" in names:
            yield "calls get_ipython(), hence needs IPython"
    if cell["execution_count"] is None:
        yield "has not been run; run: nox -s notebooks -- --write"
        return
    if cell["execution_count"] != expected:
        yield (
            f"was run as [{cell['execution_count']}] where a run from top to bottom "
            f"gives [{expected}]"
        )
    yield from _wrong_outputs(outputs, raises=raises)
    if tree is not None and not raises:
        for what, present in _due(source, tree, outputs):
            if not present:
                yield f"lacks the output of {what}; run it again"


def _wrong_outputs(outputs: Sequence[Any], *, raises: bool) -> Iterator[str]:
    errors = [out["ename"] for out in outputs if out["output_type"] == "error"]
    if errors and not raises:
        yield f"ended in {errors[0]}, without the tag raises-exception"
    if raises and not errors:
        yield "has the tag raises-exception, and no exception among its outputs"
    if any(out.get("name") == "stderr" for out in outputs):
        yield "writes to stderr; catch its warnings (np.errstate, warnings)"
    if any(ABSOLUTE_PATH.search(text) for text in _texts(outputs)):
        yield "its output names an absolute path, which is another one elsewhere"


def _texts(outputs: Sequence[Any]) -> Iterator[str]:
    for out in outputs:
        yield out.get("text", "")
        yield from out.get("traceback", [])
        for kind, value in out.get("data", {}).items():
            if kind.startswith("text/"):
                yield value


def _due(
    source: str, tree: ast.Module, outputs: Sequence[Any]
) -> Iterator[tuple[str, bool]]:
    """The outputs that cannot but be there, and whether they are."""
    printed = any(out.get("name") == "stdout" for out in outputs)
    shown = any(out["output_type"] == "display_data" for out in outputs)
    drawn = any(
        out["output_type"] == "display_data" and kind.startswith("image/")
        for out in outputs
        for kind in out.get("data", {})
    )
    result = any(out["output_type"] == "execute_result" for out in outputs)
    for statement in tree.body:
        match statement:
            case ast.Expr(ast.Call(ast.Name("print"), keywords=keywords)):
                if all(
                    word.arg == "sep" for word in keywords
                ):  # end="" may print nothing
                    yield "print(...)", printed
            case ast.Expr(ast.Call(ast.Name("display"), [_, *_])):
                yield "display(...)", shown
            case ast.Expr(ast.Call(ast.Attribute(ast.Name("plt"), "show"))):
                yield "plt.show()", drawn
    if tree.body and _is_value(tree.body[-1]) and not _is_quiet(source):
        yield f"its last line, {ast.unparse(tree.body[-1])!r:.60}", result


def _is_value(statement: ast.stmt) -> bool:
    """Whether IPython prints it: an expression that is not None, as far as one sees.

    The value of a call is anybody's guess. A name could be None, but then its line does
    nothing and may go.
    """
    match statement:
        case ast.Expr(ast.Constant(None)):
            return False
        case ast.Expr(
            ast.Constant()
            | ast.Name()
            | ast.Attribute()
            | ast.Subscript()
            | ast.Compare()
            | ast.BinOp()
            | ast.UnaryOp()
            | ast.JoinedStr()
            | ast.Tuple()
            | ast.List()
            | ast.Set()
            | ast.Dict()
            | ast.ListComp()
            | ast.SetComp()
            | ast.DictComp()
        ):
            return True
    return False


def _is_quiet(source: str) -> bool:
    """Whether the cell ends in ';', after which IPython prints no value."""
    passed = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [t.string for t in tokens if t.type not in passed][-1] == ";"


# --------------------------------------------------------------------- running them


def run(path: Path, name: str) -> Iterator[Problem]:
    """Run a notebook from top to bottom and save it; a failing one is left alone."""
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    # Only the kernel of this very interpreter: a "python3" that somebody has installed
    # for their account may be another Python.
    specs = KernelSpecManager(kernel_dirs=[])
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs),
        timeout=SECONDS,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute(cleanup_kc=True)
    except CellExecutionError as error:
        failed = [c["id"] for c in notebook.cells if c.get("execution_count")][-1]
        traceback = ANSI_COLOUR.sub("", error.traceback)
        what = f"{error.ename}; the notebook is left as it was\n{traceback}"
        yield Problem(f"{name} #{failed}", what)
        return
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        kept = {key: value for key, value in cell["metadata"].items() if value}
        kept = {key: value for key, value in kept.items() if key in KEPT_METADATA}
        cell["metadata"] = nbformat.from_dict(kept)
    nbformat.validate(notebook)
    path.write_bytes(serialized(notebook))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--write", action="store_true", help="run them and save outputs"
    )
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("--root", type=Path, default=here, help="the repository")
    parser.add_argument(
        "notebooks", nargs="*", type=Path, help="default: the whole book"
    )
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    paths = [path.resolve() for path in options.notebooks]
    paths = paths or sorted((root / BOOK).glob("*.ipynb"))
    for path in paths:
        if not path.is_file():
            parser.error(f"there is no file {path}")
    if not paths:
        parser.error(f"there are no notebooks in {root / BOOK}")

    if options.write:
        os.environ[WRITE_CURVES] = "1"
    problems = []
    for path in paths:
        name = path.relative_to(root).as_posix() if root in path.parents else str(path)
        if options.write:
            failed = list(run(path, name))
            problems += failed
            if failed:
                continue
            print(f"{name}: run and written")
        problems += lint(path, name)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
        return 1
    print(f"{len(paths)} notebook{'s' if len(paths) > 1 else ''}: run, with outputs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
