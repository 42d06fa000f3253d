"""Answers against exact values: percent rounded correctly, and the largest error."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import exact_rows
import numpy as np
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
        found = compare([a for (a,) in read(answers)], exact, dtype)
        outputs, correct, largest = found
        undecided = told["undecided"].get(path.stem)
        yield Score(
            name, dtype, provider, told["version"], outputs, correct, undecided, largest
        )


def write(scores: list[Score], header: str, target: Path) -> None:
    """One line a score, after what the run was."""
    with target.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {header}\n")
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(FIELDS)
        for s in scores:
            undecided = "" if s.undecided is None else s.undecided
            lines.writerow([*s[:6], undecided, f"{s.largest:.4g}"])
