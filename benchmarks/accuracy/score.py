"""Answers against exact values: percent rounded correctly, and the largest error."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import exact_rows
import operations
from files import read
from formats import FORMATS, Array, Floats, ulps
from operations import Operation


class Score(NamedTuple):
    """One provider's results of one operation in one dtype.

    Attributes:
        outputs: how many results were asked for.
        correct: how many are the numbers nearest to the exact values.
        undecided: how many sxlit itself was not sure of; None for others.
        changed: how many have other bits without the wide instructions; None where
            that was not run.
        largest: the largest error in ulps; infinite where an answer is not finite and
            the exact value is.
    """

    operation: str
    dtype: str
    provider: str
    version: str
    outputs: int
    correct: int
    undecided: int | None
    changed: int | None
    largest: float

    @property
    def percent(self) -> float:
        return 100.0 * self.correct / self.outputs


FIELDS = Score._fields


def compare(answers: list[Array], exact: list[exact_rows.Exact], dtype: str) -> Any:
    """Outputs, correct ones, and the largest error."""
    form, correct, total, largest = FORMATS[dtype], 0, 0, 0.0
    for answer, (hi, lo, nearest) in zip(answers, exact, strict=True):
        found: Floats = answer.astype(np.float64).reshape(-1)
        if found.shape != hi.shape:
            raise ValueError(f"expected {hi.size} answers, got {found.size}")
        correct += int(np.count_nonzero(found == nearest))
        total += found.size
        overflown = np.isinf(nearest) & (found == nearest)
        off = np.where(overflown, 0.0, ulps(found, hi, lo, form))
        off[np.isnan(off)] = np.inf
        largest = max(largest, float(off.max()))
    return total, correct, largest


def exact_batches(operation: Operation, path: Path) -> list[exact_rows.Exact]:
    dtype = path.stem.split(" ", 1)[0]
    return [exact_rows.exact(operation, arrays, dtype) for arrays in read(path)]


def score(path: Path, folder: Path) -> Iterator[Score]:
    """The scores of all providers that have answered one file of questions."""
    dtype, name = path.stem.split(" ", 1)
    exact = exact_batches(operations.named(name), path)
    for provider in (*operations.PROVIDERS, operations.WIDE):
        about = folder / provider / "provider.json"
        answers = folder / provider / path.name
        if not about.exists() or not answers.exists():
            continue
        told = json.loads(about.read_text())
        given = [a for (a,) in read(answers)]
        outputs, correct, largest = compare(given, exact, dtype)
        undecided = told["undecided"].get(path.stem)
        plain = folder / f"{provider}{operations.PLAIN}" / path.name
        changed = differing(given, plain) if plain.exists() else None
        head = (name, dtype, provider, told["version"])
        yield Score(*head, outputs, correct, undecided, changed, largest)


def differing(given: list[Array], plain: Path) -> int:
    """How many answers have other bits in the other run; one NaN is like another."""
    count = 0
    for first, (second,) in zip(given, read(plain), strict=True):
        bits = f"u{first.dtype.itemsize}"
        other = first.view(bits) != second.view(bits)
        count += int(np.count_nonzero(other & ~(np.isnan(first) & np.isnan(second))))
    return count


def write(scores: list[Score], header: str, target: Path) -> None:
    """One line a score, after what the run was."""
    with target.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {header}\n")
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(FIELDS)
        for s in scores:
            *others, largest = ("" if value is None else value for value in s)
            lines.writerow([*others, f"{largest:.4g}"])


def load(source: Path) -> tuple[str, list[Score]]:
    """What `write` wrote."""
    header, *lines = source.read_text("utf-8").splitlines()
    scores = [
        Score(
            **{name: row[name] for name in FIELDS[:4]},
            outputs=int(row["outputs"]),
            correct=int(row["correct"]),
            undecided=int(row["undecided"]) if row["undecided"] else None,
            changed=int(row["changed"]) if row["changed"] else None,
            largest=float(row["largest"]),
        )
        for row in csv.DictReader(lines)
    ]
    return header.removeprefix("# "), scores
