"""The shelf, sxlit/__init__.py: written by hand, and held to the modules it shows.

It may have a docstring, a version, imports of exported names, and an `__all__` that
lists just these; nothing is defined there, so no code of the package lies outside the
notebooks. Beside the modules the package holds `py.typed` and nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SHELF = "__init__.py"
BESIDE = ("py.typed", "__pycache__")


def faults(package: Path, public: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What is wrong with the shelf and beside it; `public` is `__all__` by module."""
    shelf = package / SHELF
    if not shelf.exists():
        return  # not yet a package
    for path in sorted(package.iterdir()):
        if path.suffix != ".py" and path.name not in BESIDE:
            yield f"{path.name}: no notebook exports it; take it away"
    if not (package / "py.typed").exists():
        yield "py.typed: missing; type checkers look for it"
    try:
        body = ast.parse(shelf.read_text(encoding="utf-8")).body
    except SyntaxError as error:
        yield f"{SHELF}:{error.lineno}: {error.msg}"
        return
    yield from _shown(body, public)


def _shown(body: list[ast.stmt], public: Mapping[str, Sequence[str]]) -> Iterator[str]:
    shown: list[str] = []
    listed: list[str] = []
    for position, statement in enumerate(body):
        where = f"{SHELF}:{statement.lineno}"
        match statement:
            case ast.Expr(ast.Constant(str())) if position == 0:
                pass
            case ast.Assign([ast.Name("__version__")], ast.Constant(str())):
                shown += ["__version__"]
            case ast.Assign([ast.Name("__all__")], value):
                listed = list(ast.literal_eval(value))
            case ast.ImportFrom(module=None, names=names, level=1):
                shown += [name.name for name in names]
                for name in names:
                    if name.asname or name.name not in public:
                        yield f"{where}: {name.name} is no exported module"
            case ast.ImportFrom(module=str(module), names=names, level=1):
                shown += [name.name for name in names]
                for name in names:
                    if name.asname or name.name not in public.get(module, ()):
                        yield f"{where}: {module} exports no public {name.name}"
            case _:
                yield f"{where}: only imports of exported names stand on the shelf"
    if listed != sorted(shown):
        yield f"{SHELF}: __all__ should list, sorted, what is imported: {sorted(shown)}"
