"""API entries of modules that need a framework: read, not imported.

`{eval-rst}` has `.. drop-in:: sxlit.torch.cross_entropy` where it has `autofunction`
for others. The entry is the same; signature and docstring come from the source.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import sxlit

PACKAGE = Path(sxlit.__file__).parent


def read(path: str) -> tuple[str, list[str]]:
    """The signature without annotations, and the lines of the docstring."""
    _, module, name = path.split(".")
    tree = ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name == name:
            arguments = function.args
            for argument in (*arguments.args, *arguments.kwonlyargs):
                argument.annotation = None
            text = inspect.cleandoc(ast.get_docstring(function) or "")
            return f"{path}({ast.unparse(arguments)})", text.splitlines()
    raise LookupError(f"sxlit/{module}.py has no function {name}")


class DropIn(SphinxDirective):
    """One function of a module that this environment cannot import."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = self.arguments[0]
        signature, lines = read(path)
        self.env.app.emit(
            "autodoc-process-docstring", "function", path, None, {}, lines
        )
        text = [f".. py:function:: {signature}", "", *(f"   {line}" for line in lines)]
        found = nodes.Element()
        self.state.nested_parse(StringList(text, source=path), 0, found)
        return found.children


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.add_directive("drop-in", DropIn)
