"""What a search found: a row, made simple, and as a case of the corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sxlit_conformance.model import Case
from sxlit_conformance.operations import OPERATIONS
from sxlit_conformance.search_inputs import Field, Row


@dataclass(frozen=True)
class Find:
    """A row and how far its answer is off, asked alone."""

    where: Field
    row: Row
    ratio: float
    lost: bool  # a NaN or an infinity where there is none, or the other way
    vacuity: float
    index: tuple[int, ...]
    observed: float
    expected: float
    error_ulp: float
    allowed_ulp: float
    theorem: str


def simplifications(now: Callable[[], Find]) -> Iterator[tuple[Field, Row]]:
    """Rows that say less than the one that is best by now, the shortest first."""
    size = now().where.classes // 2
    while size:
        start = 0
        while start < (classes := now().where.classes):
            yield from dropped(now(), start, size)
            start += size if now().where.classes == classes else 0
        size //= 2
    for digits in (1, 4, 8, 12, 16, 24):
        for name, role in now().where.roles.items():
            for i in range(len(now().row[name]) if role != "label" else 0):
                find = now()
                part = find.row[name].copy()
                m, e = np.frexp(part[i])
                part[i] = np.ldexp(np.rint(np.ldexp(m, digits)), e - digits)
                if part[i] != find.row[name][i]:
                    yield find.where, find.where.exactly({**find.row, name: part})


def dropped(find: Find, start: int, size: int) -> Iterator[tuple[Field, Row]]:
    """The row without some classes, if enough are left."""
    where, kept = find.where, np.ones(find.where.classes, bool)
    kept[start : start + size] = False
    classes = int(kept.sum())
    if classes < (1 if where.elementwise else 2):
        return
    row = {}
    for name, role in where.roles.items():
        values = find.row[name]
        if role == "label":
            if not kept[int(values[0])]:
                return
            values = np.array([kept[: int(values[0])].sum()], np.float64)
        elif role != "one":
            values = values[kept]
        row[name] = values
    yield Field(where.operation, where.dtype, classes, where.labels), row


def question(where: Field, grade: str) -> Case:
    """What the worker is asked; a loss keeps its rows apart."""
    loss = "reduction" in OPERATIONS[where.operation].options
    return Case(
        id=f"{where.operation}/search",
        operation=where.operation,
        arguments={},
        options={"reduction": "none"} if loss else {},
        dtypes=(where.dtype,),
        grades=(grade,),
        level="required",
        accept=("reference",),
        why="search",
        source="search",
        layout="contiguous",
    )


def table(find: Find, name: str, why: str, source: str, grades: list[str]) -> str:
    """The find as a [[case]] of the corpus."""
    lines = [
        "[[case]]",
        f'id = "{name}"',
        f'why = "{why}"',
        f'source = "{source}"',
        f'dtypes = ["{find.where.dtype}"]',
    ]
    if len(grades) == 1:
        lines.append(f'grades = ["{grades[0]}"]')
    for key, value in question(find.where, grades[0]).options.items():
        lines.append(f'options.{key} = "{value}"')
    for argument, role in find.where.roles.items():
        values = find.row[argument]
        if role == "label":
            label = f'[{int(values[0])}], dtype = "int64"'
            lines.append(f"arguments.{argument} = {{ values = {label} }}")
            continue
        words = ", ".join(f'"{spelled(v)}"' for v in values.tolist())
        row = f"[{words}]" if role == "one" else f"[[{words}]]"
        lines.append(f"arguments.{argument} = {{ values = {row} }}")
    return "\n".join(lines)


def spelled(value: float) -> str:
    """A hexadecimal float without trailing zeros."""
    if not np.isfinite(value):
        return str(value)
    digits, power = value.hex().split("p")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits}p{power}"
