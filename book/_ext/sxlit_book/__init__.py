"""The Sphinx extension of the book: what ties its pages to the package."""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from sxlit_book import (
    api,
    captions,
    cells,
    checks,
    docstrings,
    drop_ins,
    formulas,
    markup,
    numbers,
    site,
    tabs,
)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register every part; each is one file and one idea."""
    text = (cells, captions, docstrings, markup, formulas)
    parts = (*text, api, drop_ins, numbers, checks, site, tabs)
    for part in parts:
        part.register(app)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
