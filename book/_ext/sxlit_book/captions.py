"""Above each exported cell: where its code went, linked to the API page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from sxlit_book import cells, notebook, public


def shown(doctree: nodes.document) -> Iterator[tuple[str, nodes.container]]:
    """Every code cell of a page that shows its source, with its id."""
    for node in doctree.findall(nodes.container):
        metadata: dict[str, Any] = node.get("cell_metadata") or {}
        if metadata.get("sxlit_cell") and node.children:
            yield metadata["sxlit_cell"], node


def source(cell: nodes.container) -> nodes.container | None:
    """The box that holds the code of a cell, or None where only output is shown."""
    box = cell.children[0]
    if isinstance(box, nodes.container) and box.get("nb_element") == "cell_code_source":
        return box
    return None


def _link(path: str, docname: str) -> addnodes.pending_xref:
    return addnodes.pending_xref(
        "",
        nodes.literal(path, path, classes=["xref", "py", "py-func"]),
        refdomain="py",
        reftype="obj",
        reftarget=path,
        refdoc=docname,
        refexplicit=True,
        refwarn=True,
    )


def caption(
    export: notebook.Export, names: Mapping[str, Any], docname: str
) -> nodes.paragraph:
    """`exported to sxlit.softmax` or `internal to sxlit.rows`."""
    module = f"sxlit.{export.module}"
    line = nodes.paragraph(classes=["sxlit-export"])
    line += nodes.Text("internal to " if export.internal else "exported to ")
    if export.internal or not export.names:
        line += nodes.literal(module, module)
        return line
    for position, name in enumerate(export.names):
        if position:
            line += nodes.Text(", ")
        path = public.path(names, export.module, name)
        if path:
            line += _link(path, docname)
        else:
            line += nodes.literal("", f"{module}.{name}")
    return line


def _caption(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    exports = cells.of(app.env)
    labels = app.env.get_domain("std").data
    for cell, node in shown(doctree):
        export = exports.get(notebook.label(docname, cell))
        box = source(node)
        if export is None or box is None:
            continue
        names = public.names(app.config.sxlit_modules)
        box.insert(0, caption(export, names, docname))
        node["ids"].append(export.label)
        labels["anonlabels"][export.label] = (docname, export.label)
        labels["labels"][export.label] = (docname, export.label, export.section)


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.add_config_value("sxlit_modules", ["sxlit"], "env", [list])
    app.connect("doctree-read", _caption)
