"""The code cells of a notebook, and what keeps them from being exported at all.

A problem, here and in the files beside this one, is a line for who has to mend it.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from literate import BOOK, PACKAGE

DIRECTIVE = re.compile(r"#\| (?:default_exp \w+|exporti?(?: \w+)?)")
STRAY_DIRECTIVE = re.compile(r"\s*#\s*\|\s*(?:default_exp|export)")


@dataclass(frozen=True)
class Cell:
    """A code cell as it stands in the notebook, its directives apart."""

    notebook: str
    id: str
    directives: tuple[str, ...]
    body: str

    @property
    def where(self) -> str:
        return f"{BOOK}/{self.notebook} #{self.id}"

    @property
    def trace(self) -> str:
        """The comment that nbdev puts above the cell's text in a module."""
        return f"# %% ../{self.where}"

    @property
    def exported(self) -> bool:
        return any(line.startswith("#| export") for line in self.directives)

    @property
    def is_docstring(self) -> bool:
        match ast.parse(self.body).body:
            case [ast.Expr(ast.Constant(str()))]:
                return True
        return False


def read_cells(path: Path) -> list[Cell]:
    """The code cells of a notebook; ValueError says in one line why there are none."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = [(c["cell_type"], c["id"], "".join(c["source"])) for c in cells]
    except ValueError as error:
        raise ValueError(f"is not JSON in UTF-8: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "is not a notebook of format 4.5, whose every cell has a cell_type, an id "
            f"and a source: {type(error).__name__} {error}"
        ) from error
    return [_cell(path.name, id, text) for kind, id, text in sources if kind == "code"]


def _cell(notebook: str, id: str, source: str) -> Cell:
    lines = source.split("\n")
    directives = tuple(takewhile(lambda line: line.startswith("#|"), lines))
    body = "\n".join(lines[len(directives) :]).strip("\n")
    return Cell(notebook, id, directives, body)


def broken_cells(cells: Sequence[Cell]) -> Iterator[str]:
    """What keeps the cells of one notebook from being exported at all."""
    for where, count in Counter(cell.where for cell in cells).items():
        if count > 1:
            yield f"{where}: {count} cells have this id; ids are unique"
    defaults = [c for c in cells if c.directives and "default_exp" in c.directives[0]]
    for cell in defaults[1:]:
        yield f"{cell.where}: a second default_exp; write '#| export MODULE' here"
    for cell in defaults:
        if cell.body:
            yield f"{cell.where}: code below default_exp; move it to its own cell"
    for cell in cells:
        yield from _broken_directives(cell, has_default=bool(defaults))
        if cell.exported:
            yield from _broken_code(cell)


def _broken_directives(cell: Cell, *, has_default: bool) -> Iterator[str]:
    for line in cell.directives:
        if not DIRECTIVE.fullmatch(line):
            yield (
                f"{cell.where}: unknown directive {line!r}; there are "
                "'#| default_exp MODULE', '#| export', '#| export MODULE', "
                "'#| exporti', '#| exporti MODULE'"
            )
        elif line in ("#| export", "#| exporti") and not has_default:
            yield f"{cell.where}: {line!r} in a notebook without default_exp"
        elif line.endswith(" __init__"):
            yield f"{cell.where}: {PACKAGE}/__init__.py is written by hand"
    if len(cell.directives) > 1:
        yield f"{cell.where}: more than one directive; split the cell"
    for line in cell.body.split("\n"):
        if STRAY_DIRECTIVE.match(line):
            what = f"{line!r} does nothing here; a directive is the cell's first line"
            yield f"{cell.where}: {what}"


def _broken_code(cell: Cell) -> Iterator[str]:
    if not cell.body:
        yield f"{cell.where}: exports nothing: there is no code below it"
    try:
        tree = ast.parse(cell.body)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        yield f"{cell.where}: syntax error in line {line} of its code: {error}"
        return
    if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree)):
        yield f"{cell.where}: relative import; write 'from {PACKAGE}.x import y'"
