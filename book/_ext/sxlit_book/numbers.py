"""Chapters are numbered by their file names: 03_floating_point.ipynb is chapter 3.

Sphinx counts 1, 2, 3 whatever is missing. What it counted first, the chapter, is
replaced in every number that begins with it: sections, theorems, figures, equations.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from sxlit_book.notebook import chapter

_H1 = re.compile(r'<h1><span class="section-number">(\w+)\. </span>')


def _renumber(app: Sphinx, env: BuildEnvironment) -> list[str]:
    # Sphinx types these numbers as tuples of int; it prints them with str(), so that
    # an appendix may have its letter, and half a chapter, 9b, one of its own.
    sections: dict[str, dict[str, Any]] = env.toc_secnumbers
    figures: dict[str, dict[str, Any]] = env.toc_fignumbers
    changed = [docname for docname in sections if chapter(docname)]
    for docname in changed:
        number = chapter(docname)
        for counted in (sections[docname], *figures.get(docname, {}).values()):
            for key, value in counted.items():
                counted[key] = value and (number, *value[1:])
        links = env.tocs[docname].findall(nodes.reference)
        for node in (env.titles[docname], *links):
            if node.get("secnumber"):
                node["secnumber"] = (number, *node["secnumber"][1:])
    return changed


def say_chapter(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Write `Chapter 3` above a title where Sphinx wrote `3.` before it."""

    def words(found: re.Match[str]) -> str:
        kind = "Chapter" if found[1][0].isdigit() else "Appendix"
        return f'<h1><span class="sxlit-chapter">{kind} {found[1]} </span>'

    if "body" in context:
        context["body"] = _H1.sub(words, context["body"])


def register(app: Sphinx) -> None:
    """Take part in the build."""
    # After Sphinx's own collector, which listens to the same event.
    app.connect("env-get-updated", _renumber, priority=900)
    app.connect("html-page-context", say_chapter)
