"""Docstrings of exported cells fold, so that prose and algorithm stay side by side.

The fold is HTML's own `<details>`, which needs no script. It stands inside the one
`<pre>` of the cell and adds no character to its text: the copy button copies the whole
cell. On paper the first line stands alone; the API reference has the whole text.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from sxlit_book import captions, cells, notebook


class folded_code(nodes.literal_block):  # noqa: N801 (docutils names nodes so)
    """A code block whose docstrings fold; other builders see a plain block."""


def long_docstrings(code: str) -> list[tuple[int, int]]:
    """First and last line (from 1) of each docstring of more than one line."""
    spans = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        first = node.body[0]
        match first:
            case ast.Expr(value=ast.Constant(value=str())):
                last = first.end_lineno or first.lineno
                if first.lineno > node.lineno and last > first.lineno:
                    spans.append((first.lineno, last))
    return sorted(spans)


def fold(html: str, spans: Sequence[tuple[int, int]]) -> str:
    """Wrap the given lines of a highlighted block in `<details>`.

    Pygments closes every span at the end of its line, so that lines can be wrapped.
    """
    start = html.index("<pre>") + len("<pre>")
    end = html.rindex("</pre>")
    lines = html[start:end].splitlines(keepends=True)
    opening = '<details class="sxlit-docstring"><summary>'
    # The styles put an ellipsis behind the summary, so its line must end after it.
    newline = '<span class="sxlit-newline">\n</span>'
    for first, last in spans:
        summary = lines[first - 1].removesuffix("\n")
        lines[first - 1] = f"{opening}{summary}</summary>{newline}"
        lines[last - 1] += "</details>"
    return html[:start] + "".join(lines) + html[end:]


def _visit(self: HTML5Translator, node: folded_code) -> None:
    written = len(self.body)
    try:
        self.visit_literal_block(node)
    except nodes.SkipNode:
        block = "".join(self.body[written:])
        self.body[written:] = [fold(block, node["docstrings"])]
        raise


def _depart(self: HTML5Translator, node: folded_code) -> None:
    self.depart_literal_block(node)


def _fold(app: Sphinx, doctree: nodes.document) -> None:
    exports = cells.of(app.env)
    for cell, node in captions.shown(doctree):
        box = captions.source(node)
        if box is None or notebook.label(app.env.docname, cell) not in exports:
            continue
        for block in list(box.findall(nodes.literal_block)):
            spans = long_docstrings(block.astext())
            if spans:
                folded = folded_code(
                    block.rawsource, block.astext(), **block.attributes
                )
                folded["docstrings"] = spans
                block.replace_self(folded)


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.add_node(folded_code, html=(_visit, _depart))
    app.connect("doctree-read", _fold)
