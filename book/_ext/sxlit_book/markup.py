"""Docstrings are written as the chapters are; this turns them into reStructuredText.

In a docstring `x` is code, $x$ a formula, `sxlit.softmax` a link, `thm-softmax-error`
a theorem, and a paragraph may begin with `Error:` or `Source:`. That reads well in an
editor and in help(), which no Sphinx role does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from sphinx.application import Sphinx

from sxlit_book import public

# A doctest runs up to the next blank line, and is left alone.
_DOCTEST = re.compile(r"(^[ ]*>>> (?:.*\n?)(?:[ ]*\S.*\n?)*)", re.MULTILINE)
_MARKED = re.compile(
    r"(?P<role>:\w+(?::\w+)?:`[^`]*`)|``[^`]+``"
    r"|`(?P<code>[^`]+)`"
    r"|\$\$(?P<display>[^$]+)\$\$"
    r"|\$(?P<formula>[^$]+)\$"
)
_LEAD = re.compile(r"^(\s*)(At the edges|Error|Source|Theorems?): ", re.MULTILINE)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _replacement(names: Collection[str]) -> Callable[[re.Match[str]], str]:
    def replace(found: re.Match[str]) -> str:
        if formula := found["formula"] or found["display"]:
            return f":math:`{_one_line(formula)}`"
        if not found["code"]:
            return found[0]
        code = _one_line(found["code"])
        if code in names:
            return f":py:obj:`{code}`"
        if code.startswith("thm-"):
            return f":prf:ref:`{code}`"
        return f"``{code}``"

    return replace


def to_rst(docstring: str, names: Collection[str]) -> str:
    """Translate a docstring; `names` are the paths that can be linked."""
    parts = _DOCTEST.split(docstring)
    for index in range(0, len(parts), 2):
        marked = _MARKED.sub(_replacement(names), parts[index])
        parts[index] = _LEAD.sub(r"\1**\2:** ", marked)
    return "".join(parts)


def _translate(
    app: Sphinx, kind: str, path: str, value: object, options: object, lines: list[str]
) -> None:
    if path.startswith("sxlit"):
        names = public.names(app.config.sxlit_modules)
        lines[:] = to_rst("\n".join(lines), names).split("\n")


def register(app: Sphinx) -> None:
    """Take part in the build, before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _translate, priority=400)
