"""The API page: complete or the build fails, and linked back to the chapters."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from sxlit_book import cells, notebook, public

logger = logging.getLogger(__name__)


def derived_in(export: notebook.Export, docname: str) -> nodes.paragraph:
    """`Derived in chapter 3, The row state.`, a link to the cell."""
    words = notebook.chapter_words(export.docname)
    link = addnodes.pending_xref(
        "",
        nodes.inline("", f"{words}, {export.section}"),
        refdomain="std",
        reftype="ref",
        reftarget=export.label,
        refdoc=docname,
        refexplicit=True,
        refwarn=True,
    )
    line = nodes.paragraph(classes=["sxlit-derived"])
    line += [nodes.Text("Derived in "), link, nodes.Text(".")]
    return line


def _link_back(
    app: Sphinx, domain: str, kind: str, content: addnodes.desc_content
) -> None:
    if domain != "py" or kind not in {"function", "class", "data"}:
        return
    entry = content.parent
    assert entry is not None
    signature = next(entry.findall(addnodes.desc_signature))
    module, name = signature["module"], signature["fullname"]
    names = public.names(app.config.sxlit_modules)
    for export in cells.of(app.env).values():
        if name not in export.names or export.internal:
            continue
        if public.path(names, export.module, name) == f"{module}.{name}":
            # Below the one sentence that says what the function computes.
            content.insert(1, derived_in(export, app.env.docname))


def _check(app: Sphinx, env: BuildEnvironment) -> None:
    names = public.names(app.config.sxlit_modules)
    entries = {entry[0] for entry in env.get_domain("py").get_objects()}
    for path in names.keys() - entries:
        logger.warning(
            "%s is public but has no entry: add it to the API page, or take it out "
            "of __all__",
            path,
            type="sxlit",
            subtype="api",
        )
    for path in public.undocumented(names):
        logger.warning(
            "%s is public but has no docstring: write one in its notebook cell",
            path,
            type="sxlit",
            subtype="api",
        )


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.connect("object-description-transform", _link_back)
    app.connect("env-check-consistency", _check)
