"""Reads the notebooks: which cells are exported, and the text without directives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from sxlit_book import notebook

logger = logging.getLogger(__name__)


def of(env: BuildEnvironment) -> Mapping[str, notebook.Export]:
    """All exported cells of the book, by their anchor."""
    found: Mapping[str, notebook.Export] = env.sxlit_exports  # type: ignore[attr-defined]
    return found


def _collect(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    paths = {name: Path(env.doc2path(name)) for name in sorted(env.found_docs)}
    found: dict[str, notebook.Export] = {}
    for name, path in paths.items():
        if path.suffix != ".ipynb":
            continue
        for export in notebook.exports(json.loads(path.read_text("utf-8")), name):
            if export.label in found:
                logger.warning(
                    "expected one cell with the anchor %s, got two, on %s and on %s: "
                    "give one of the cells another id",
                    export.label,
                    found[export.label].docname,
                    name,
                    type="sxlit",
                    subtype="cells",
                )
            found[export.label] = export
    env.sxlit_exports = found  # type: ignore[attr-defined]


def _strip(app: Sphinx, docname: str, content: list[str]) -> None:
    if Path(app.env.doc2path(docname)).suffix == ".ipynb":
        stripped: dict[str, Any] = notebook.strip(json.loads(content[0]))
        content[0] = json.dumps(stripped)


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.connect("env-before-read-docs", _collect)
    app.connect("source-read", _strip)
