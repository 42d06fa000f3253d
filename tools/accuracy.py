"""The accuracy tables of the book, from the committed run of `nox -s accuracy`."""

from __future__ import annotations

import csv
from pathlib import Path

DTYPES = ("float16", "bfloat16", "float32", "float64")
NAMES = {
    "sxlit": "sxlit",
    "double-double": "sxlit, double-double",
    "scipy": "SciPy",
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "jax": "JAX",
}
SPACE = "\N{NO-BREAK SPACE}"
Line = dict[str, str]


def read(source: Path) -> tuple[str, list[Line]]:
    """What the run was, and its lines."""
    header, *lines = source.read_text("utf-8").splitlines()
    return header.removeprefix("# "), list(csv.DictReader(lines))


def percent(part: int, whole: int) -> str:
    """To one decimal, and never rounded up to all of it."""
    if part == whole:
        return f"100{SPACE}%"
    return f"{int(1000 * part / whole) / 10:.1f}{SPACE}%"


def error(text: str) -> str:
    """An error in ulps, short."""
    value = float(text)
    if value == float("inf"):
        return f"not{SPACE}finite"
    if value < 1000:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return rf"${mantissa} \cdot 10^{{{int(exponent)}}}$"


def cell(line: Line | None) -> str:
    """Percent rounded correctly, and the largest error."""
    if line is None:
        return "–"
    share = percent(int(line["correct"]), int(line["outputs"]))
    return f"{share}, {error(line['largest'])}"


def table(lines: list[Line], dtype: str) -> list[str]:
    """One dtype: an operation a row, a provider a column."""
    here = {
        (line["operation"], line["provider"]): line
        for line in lines
        if line["dtype"] == dtype
    }
    providers = [p for p in NAMES if any(provider == p for _, provider in here)]
    head = [f"**{dtype}**", "results", *(NAMES[p] for p in providers), "undecided"]
    rows = [head, ["---"] * len(head)]
    for operation in dict.fromkeys(operation for operation, _ in here):
        found = [here.get((operation, provider)) for provider in providers]
        count = next(line["outputs"] for line in found if line)
        own = [line for line in found if line and line["undecided"]]
        undecided = ", ".join(line["undecided"] for line in own)
        cells = [f"`{operation}`", f"{int(count):,}", *map(cell, found), undecided]
        rows.append(cells)
    return ["| " + " | ".join(row) + " |" for row in rows]


def changed(lines: list[Line]) -> list[str]:
    """How many results have other bits without the wide instructions."""
    head = ["results that change", *DTYPES]
    rows = [head, ["---"] * len(head)]
    for provider, name in NAMES.items():
        cells = []
        for dtype in DTYPES:
            own = [
                line
                for line in lines
                if (line["provider"], line["dtype"]) == (provider, dtype)
            ]
            run = [line for line in own if line["changed"]]
            if not own:
                cells.append("–")
            elif not run:
                cells.append("not run")
            else:
                part = sum(int(line["changed"]) for line in run)
                whole = sum(int(line["outputs"]) for line in run)
                cells.append(f"{part:,} of {whole:,}")
        rows.append([name, *cells])
    return ["| " + " | ".join(row) + " |" for row in rows]


def markdown(source: Path) -> str:
    """All tables, and under them what the run was."""
    header, lines = read(source)
    versions = {NAMES[line["provider"]]: line["version"] for line in lines}
    versions.pop(NAMES["double-double"], None)
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = [table(lines, dtype) for dtype in DTYPES]
    parts = [part for part in parts if len(part) > 2]
    parts += [changed(lines), [f"{told}; {header}."]]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"
