"""The whole book: what it exports, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from literate import BOOK
from literate.cells import Cell, broken_cells, read_cells
from literate.drift import sections
from literate.faults import broken_module, shadowed
from literate.modules import build
from literate.style import formatted


@dataclass(frozen=True)
class Export:
    """What the book exports, and what is wrong with it.

    `modules` is empty where the book is too broken to say.
    """

    modules: Mapping[str, str]
    notebooks: int
    problems: Sequence[str]


def export(root: Path) -> Export:
    """The text of every module; nothing below `root` is written."""
    notebooks = sorted((root / BOOK).glob("*.ipynb"))
    problems, cells = list[str](), list[Cell]()
    for path in notebooks:
        try:
            own = read_cells(path)
        except ValueError as error:
            problems.append(f"{BOOK}/{path.name}: {error}")
            continue
        problems += broken_cells(own)
        cells += [cell for cell in own if cell.exported]
    if not problems and not cells:
        problems.append(f"{BOOK}/*.ipynb: no notebook exports any cell")
    if problems:
        return Export({}, 0, problems)

    built = build(notebooks, cells)
    problems = [problem for module in built for problem in broken_module(module)]
    if problems:
        return Export({}, 0, problems)
    raw = [*(module.text for module in built), *(cell.body + "\n" for cell in cells)]
    texts = iter(formatted(raw, root))
    modules = {module.name: next(texts) for module in built}
    problems = [*shadowed(modules), *changed(cells, list(texts), modules)]
    return Export(modules, len({cell.notebook for cell in cells}), problems)


def changed(
    cells: Sequence[Cell], texts: Sequence[str], modules: Mapping[str, str]
) -> Iterator[str]:
    """The cells that `ruff format` changes, alone or on the way into a module."""
    written = {
        trace: body
        for module in modules.values()
        for trace, (_, body) in sections(module).items()
    }
    for cell, text in zip(cells, texts, strict=True):
        if text.strip("\n") != cell.body:
            command = f"ruff format {BOOK}/{cell.notebook}"
            yield f"{cell.where}: not formatted; run: {command}"
        elif written.get(cell.trace) != cell.body:
            what = "its text changes on the way into the module; simplify the cell"
            yield f"{cell.where}: {what}"
