"""A formula keeps the punctuation that touches it.

MathJax sets a formula as a box, and browsers may break a line on either side of a box:
a full stop would begin a line. What touches the formula is put into one span with it,
which the styles do not break.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

_BEFORE = re.compile(r"[(\[\u201c\u2018]+$")
_AFTER = re.compile(r"[.,;:!?)\]\u2019\u201d\u2026-]+")


def _take(node: nodes.Node | None, pattern: re.Pattern[str]) -> str:
    """Cut from a text beside a formula what touches the formula."""
    if not isinstance(node, nodes.Text):
        return ""
    text = node.astext()
    found = pattern.match(text) if pattern is _AFTER else pattern.search(text)
    if found is None:
        return ""
    node.parent.replace(node, nodes.Text(text[: found.start()] + text[found.end() :]))
    return found[0]


def keep_together(doctree: nodes.Element) -> None:
    """Wrap each formula with the brackets and the punctuation that touch it."""
    for formula in list(doctree.findall(nodes.math)):
        before = _take(formula.previous_sibling(), _BEFORE)
        after = _take(formula.next_node(descend=False, siblings=True), _AFTER)
        if before or after:
            span = nodes.inline(classes=["sxlit-together"])
            formula.replace_self(span)
            span += [nodes.Text(before), formula, nodes.Text(after)]


def _keep(app: Sphinx, doctree: nodes.document) -> None:
    keep_together(doctree)


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.connect("doctree-read", _keep)
