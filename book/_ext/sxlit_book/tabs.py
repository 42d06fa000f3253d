"""Shows a cell of another notebook, so that what stands in a tab was run.

    ```{cell} 11_digits_torch.ipynb#step
    ```

It shows the code of the cell with the id `step` and the text it printed, as committed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from sxlit_book import notebook


def printed(cell: dict[str, Any]) -> str:
    """What a cell wrote to the page as text; pictures are left to their own page."""
    pieces = []
    for output in cell["outputs"]:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        pieces.append(text if isinstance(text, str) else "".join(text))
    return "".join(pieces).rstrip("\n")


def find(path: Path, cell: str) -> dict[str, Any]:
    """The code cell with this id; LookupError says in one line why there is none."""
    if not path.is_file():
        raise LookupError(f"there is no notebook {path.name}")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = {c["id"]: c for c in cells if c["cell_type"] == "code"}
    if cell not in code:
        known = ", ".join(code)
        raise LookupError(f"{path.name} has no code cell {cell!r}; it has {known}")
    found: dict[str, Any] = code[cell]
    return found


class Cell(SphinxDirective):
    """The directive: a notebook beside this one, and a cell's id."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, _, cell = self.arguments[0].partition("#")
        relative, absolute = self.env.relfn2path(name)
        self.env.note_dependency(relative)
        try:
            found = find(Path(absolute), cell)
        except LookupError as error:
            raise self.error(f"cell: {error}") from None
        _, code = notebook.split(notebook.text(found))
        shown = [self._box("cell_input", nodes.literal_block(code, code), "ipython3")]
        if text := printed(found):
            block = nodes.literal_block(text, text, classes=["output", "stream"])
            shown.append(self._box("cell_output", block, "none"))
        return [nodes.container("", *shown, classes=["cell"], is_div=True)]

    def _box(
        self, kind: str, block: nodes.literal_block, language: str
    ) -> nodes.container:
        block["language"] = language
        self.set_source_info(block)
        return nodes.container("", block, classes=[kind], is_div=True)


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.add_directive("cell", Cell)
