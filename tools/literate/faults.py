"""What is wrong with the modules as exported, whatever lies on the disk."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from literate import BOOK, PACKAGE, SHARED
from literate.drift import place_of_line
from literate.modules import Module


def broken_module(module: Module) -> Iterator[str]:
    """What is wrong with one module."""
    file, parts, docs, text = module.file, module.parts, module.docs, module.text
    places = ", ".join(f"{BOOK}/{p.notebook} #{p.cells[-1].id}" for p in parts)
    notebooks = {part.notebook for part in parts}
    if len(notebooks) > 1 and module.name not in SHARED:
        yield f"{file}: two notebooks export to it ({places}); a module has one"
    if len(notebooks) < len(parts):
        yield f"{file}: it is both default_exp and named ({places}); leave the name out"
    if len(docs) > 1:
        yield f"{docs[1].where}: a second docstring for {file}"
    try:
        compile(text, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = place_of_line(text, error.lineno or 1)
        yield f"{file} ({where}): the cells fit together badly: {error.msg}"
        return
    tree = ast.parse(text)
    if not ast.get_docstring(tree):
        yield (
            f"{file}: no docstring ({places}): write '# Title' and '> summary' in a "
            "markdown cell of its notebook, or export a cell that is one string"
        )
    own = f"{PACKAGE}.{module.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == own:
            what = "the module imports itself; do not export this import"
            yield f"{file} ({place_of_line(text, node.lineno)}): {what}"
    for public, count in Counter(public_names(text)).items():
        if count > 1:
            yield f"{file}: {count} notebooks define {public!r}; the last wins"


def shadowed(modules: Mapping[str, str]) -> Iterator[str]:
    """Modules that bear a public name, which would make `sxlit.NAME` ambiguous."""
    for name, text in modules.items():
        for public in filter(modules.__contains__, public_names(text)):
            define = re.compile(rf"(?:async )?(?:def|class) {public}\b|{public}\b.*=")
            lines = enumerate(text.split("\n"), start=1)
            number = next((n for n, line in lines if define.match(line)), 1)
            where = f"{PACKAGE}/{name}.py ({place_of_line(text, number)})"
            yield (
                f"{PACKAGE}/{public}.py: bears the name of the public {public!r} of "
                f"{where}; rename the module"
            )


def public_names(text: str) -> list[str]:
    for node in ast.parse(text).body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")], value=value):
                return list(ast.literal_eval(value))
    return []
