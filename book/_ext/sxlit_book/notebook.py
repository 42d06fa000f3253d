"""What a notebook says about export: pure functions on its JSON, no Sphinx.

A directive is a comment `#| word argument` among the first lines of a code cell.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

_DIRECTIVE = re.compile(r"#\s?\|\s*(\w+)\s*(.*?)\s*$")
_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*\s*$")
_EXPORTS = {"export": False, "exports": False, "exporti": True}
_FRAMEWORKS = ("torch", "tensorflow", "jax")


@dataclass(frozen=True)
class Export:
    """One exported cell: where it stands, and where its code went."""

    docname: str
    cell: str
    section: str
    module: str
    internal: bool
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """The cell's anchor, unique in the whole book (a PDF is one page)."""
        return label(self.docname, self.cell)


def chapter(docname: str) -> str:
    """The chapter's number, from the file name: `03_floating_point` is "3".

    The second half of a chapter is "9b", an appendix has a letter alone. A page without
    a number gives the empty string.
    """
    found = re.match(r"(\d+[a-z]?|[A-Z])_", PurePosixPath(docname).name)
    return (found[1].lstrip("0") or "0") if found else ""


def chapter_words(docname: str) -> str:
    """`chapter 3` or `appendix A`; for an unnumbered page its name."""
    number = chapter(docname)
    if not number:
        return docname
    return f"{'chapter' if number[0].isdigit() else 'appendix'} {number}"


def label(docname: str, cell: str) -> str:
    """The anchor of a cell: `cell-3-softmax`.

    A chapter has further pages, one a framework: on `15_jax` it is `cell-15-jax-loss`.
    """
    page, last = chapter(docname) or docname, docname.rpartition("_")[2]
    return "-".join(["cell", page, *{last}.intersection(_FRAMEWORKS), cell]).lower()


def split(source: str) -> tuple[dict[str, str], str]:
    """Separate the directives at the top of a cell from its code."""
    directives: dict[str, str] = {}
    lines = source.splitlines()
    for number, line in enumerate(lines):
        found = _DIRECTIVE.match(line)
        if found:
            directives[found[1]] = found[2]
        elif line.strip():
            return directives, "\n".join(lines[number:])
    return directives, ""


def text(cell: Mapping[str, Any]) -> str:
    """The source of a cell, which nbformat stores as a string or as lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def defined(code: str) -> tuple[str, ...]:
    """The public names that a cell defines at its top level, in order."""
    names: list[str] = []
    for node in ast.parse(code).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
            case ast.Assign(targets=targets):
                names += [
                    target.id for target in targets if isinstance(target, ast.Name)
                ]
    return tuple(name for name in dict.fromkeys(names) if not name.startswith("_"))


def _headings(markdown: str) -> Iterator[str]:
    fence = ""
    for line in markdown.splitlines():
        opening = re.match(r"\s*(`{3,}|~{3,}|:{3,})", line)
        if opening and not fence:
            fence = opening[1]
        elif opening and opening[1].startswith(fence):
            fence = ""
        elif not fence and (found := _HEADING.match(line)):
            yield found[1]


def exports(notebook: Mapping[str, Any], docname: str) -> Iterator[Export]:
    """Every exported cell of a notebook, in order."""
    default = section = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for section in _headings(text(cell)):  # noqa: B007 (the last one stays)
                pass
        if cell["cell_type"] != "code":
            continue
        directives, code = split(text(cell))
        default = directives.get("default_exp", default)
        for word in directives.keys() & _EXPORTS.keys():
            yield Export(
                docname=docname,
                cell=cell["id"],
                section=section,
                module=directives[word] or default,
                internal=_EXPORTS[word],
                names=defined(code),
            )


def strip(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook as it is shown: no directives, every cell's id in its metadata.

    A cell of directives alone is tagged, so that nothing of it is shown. (MyST-NB
    hands a cell's metadata on to the page, but not its id.)
    """
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            directives, code = split(text(cell))
            metadata = {**cell["metadata"], "sxlit_cell": cell.get("id", "")}
            if directives and not code:
                metadata["tags"] = [*metadata.get("tags", ()), "remove-cell"]
            cell = {**cell, "source": code, "metadata": metadata}
        shown.append(cell)
    return {**notebook, "cells": shown}
