"""Reads the notebooks: which cells are exported, and the text without directives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from sxlit_book import notebook


def of(env: BuildEnvironment) -> Mapping[str, notebook.Export]:
    """All exported cells of the book, by their anchor."""
    found: Mapping[str, notebook.Export] = env.sxlit_exports  # type: ignore[attr-defined]
    return found


def _collect(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    paths = {name: Path(env.doc2path(name)) for name in sorted(env.found_docs)}
    found = {
        export.label: export
        for name, path in paths.items()
        if path.suffix == ".ipynb"
        for export in notebook.exports(json.loads(path.read_text("utf-8")), name)
    }
    env.sxlit_exports = found  # type: ignore[attr-defined]


def _strip(app: Sphinx, docname: str, content: list[str]) -> None:
    if Path(app.env.doc2path(docname)).suffix == ".ipynb":
        stripped: dict[str, Any] = notebook.strip(json.loads(content[0]))
        content[0] = json.dumps(stripped)


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.connect("env-before-read-docs", _collect)
    app.connect("source-read", _strip)
