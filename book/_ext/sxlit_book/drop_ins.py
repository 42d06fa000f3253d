"""API entries of modules that need a framework: read, not imported.

`{eval-rst}` has `.. drop-in:: sxlit.torch.cross_entropy` where it has `autofunction`
for others. The entry is the same; signature and docstring come from the source.
"""

from __future__ import annotations

import ast
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import sxlit

MODULES = frozenset({"sxlit.torch", "sxlit.jax"})
PACKAGE = Path(sxlit.__file__).parent


class Entry:
    """A function that was read, not imported: its signature and its docstring."""

    def __init__(self, function: ast.FunctionDef) -> None:
        arguments = function.args
        for argument in (*arguments.args, *arguments.kwonlyargs):
            argument.annotation = None
        self.signature = f"{function.name}({ast.unparse(arguments)})"
        self.__doc__ = ast.get_docstring(function)


def entries(module: str) -> dict[str, Entry]:
    """What the module's __all__ promises, by the path under which it is imported."""
    path = PACKAGE / f"{module.removeprefix('sxlit.')}.py"
    tree, promised = ast.parse(path.read_text("utf-8")), []
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            promised = ast.literal_eval(node.value)
    return {
        f"{module}.{node.name}": Entry(node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in promised
    }


class DropIn(SphinxDirective):
    """One function of a module that this environment cannot import."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = self.arguments[0]
        module = path.rpartition(".")[0]
        entry = entries(module)[path]
        lines = (entry.__doc__ or "").splitlines()
        self.env.app.emit(
            "autodoc-process-docstring", "function", path, None, {}, lines
        )
        text = [
            f".. py:function:: {entry.signature}",
            f"   :module: {module}",
            "",
            *(f"   {line}" for line in lines),
        ]
        found = nodes.Element()
        self.state.nested_parse(StringList(text, source=path), 0, found)
        return found.children


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.add_directive("drop-in", DropIn)
