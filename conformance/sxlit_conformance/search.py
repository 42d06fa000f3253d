"""`search`: an optimiser climbs error / bound, and its find is a case to be promoted.

Evolution on several fields at once: rows of one length live in one field, the best of
them stay, and their children are asked as one question. Nothing here can widen a
bound. A find above 1 is a deviation of the adapter, or a mistake in a proof.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sxlit_conformance import corpus
from sxlit_conformance.judge import Rules, quotients, ulp, vacuity
from sxlit_conformance.model import Array, Case, Floats, Observation, Reference
from sxlit_conformance.search_find import Find, question, simplifications
from sxlit_conformance.search_inputs import Field, Row, child, first

KEPT, BORN = 12, 36  # rows of a field that stay, and that are asked in a generation
ASKED = 2000  # numbers in a generation: of long rows, fewer are asked
LENGTHS = (2, 3, 5, 8, 16, 33, 129, 1000)
NUMBERS = 16  # of a row without a class axis
NEARLY = 0.95  # of the ratio, which a simpler row may lose

Ask = Callable[[Case, dict[str, Array]], Observation]
Compute = Callable[..., Reference]


class SearchError(Exception):
    """An adapter that does not answer; the message is one line."""


@dataclass
class Search:
    """One operation, dtype and grade of an adapter that answers by `ask`.

    A loss is searched twice: its targets are `labels`, or they are distributions.
    """

    operation: str
    dtype: str
    grade: str
    labels: bool
    ask: Ask
    compute: Compute
    rules: Rules
    flushes: bool = False
    asked: int = 0
    herds: list[tuple[Field, list[tuple[float, Row]]]] = field(default_factory=list)
    stray: Find | None = None  # the first lost answer

    def climb(self, rng: np.random.Generator, more: Callable[[int], bool]) -> None:
        """Generation after generation, while there may be `more` rows."""
        alone = Field(self.operation, self.dtype, NUMBERS, self.labels).elementwise
        lengths = (NUMBERS,) if alone else LENGTHS
        self.herds = [
            (Field(self.operation, self.dtype, n, self.labels), []) for n in lengths
        ]
        while True:
            for number in range(len(self.herds)):
                if not self._generation(rng, number, more):
                    return
            # And the field that is ahead goes on by itself for a while.
            ahead = max(range(len(self.herds)), key=self._lead)
            for _ in range(len(self.herds) // 2):
                if not self._generation(rng, ahead, more):
                    return

    def _generation(
        self, rng: np.random.Generator, number: int, more: Callable[[int], bool]
    ) -> bool:
        if not more(self.asked):
            return False
        where, herd = self.herds[number]
        rows = list(offspring(rng, where, herd))
        # One row of a score: a herd of equals has nothing to learn.
        best = dict(zip(self._scores(where, rows), rows, strict=True)) | dict(herd)
        ranked = sorted(best.items(), key=lambda pair: -pair[0])
        self.herds[number] = where, ranked[:KEPT]
        return True

    def _lead(self, number: int) -> float:
        _, herd = self.herds[number]
        return herd[0][0] if herd else 0.0

    def worst(self) -> Find | None:
        """The worst row, asked alone: what it is in a herd may be another sum."""
        best = [
            (score, number, place)
            for number, (_, herd) in enumerate(self.herds)
            for place, (score, _) in enumerate(herd[:2])
        ]
        finds = []
        for _, number, place in sorted(best, reverse=True)[:6]:
            where, herd = self.herds[number]
            finds.append(self.alone(where, herd[place][1]))
        known = [find for find in finds if find is not None and not find.lost]
        return max(known, key=lambda find: find.ratio, default=None)

    def simpler(self, find: Find, most: int = 400) -> Find:
        """Fewer classes and rounder numbers, as long as the ratio is nearly kept."""
        floor, best = NEARLY * find.ratio, [find]
        for candidate in itertools.islice(simplifications(lambda: best[0]), most):
            tried = self.alone(*candidate)
            if tried and not tried.lost and tried.ratio >= floor:
                best[0] = tried
        return best[0]

    def alone(self, where: Field, row: Row) -> Find | None:
        """One row as a question by itself; nothing where zeros would pass it."""
        arguments = where.arrays([row])
        answer, known, allowed, theorem = self._truth(where, arguments)
        empty = vacuity(known, allowed)
        if empty >= 1 or not np.isfinite(known.hi).any():
            return None
        error, ratio, lost = quotients(answer, known, allowed)
        place = np.lexsort((-ratio.ravel(), ~lost.ravel()))[0]
        index = tuple(int(i) for i in np.unravel_index(int(place), ratio.shape))
        expected = float(known.hi[index])
        unit = ulp(expected, self.dtype) if np.isfinite(expected) else 1.0
        return Find(
            where,
            row,
            float(ratio[index]),
            bool(lost[index]),
            empty,
            index,
            float(answer[index]),
            expected,
            float(error[index]) / unit,
            float(allowed[index]) / unit,
            theorem,
        )

    def _scores(self, where: Field, rows: list[Row]) -> list[float]:
        """The worst ratio of each row; 0 where its bound would let zeros pass."""
        answer, known, allowed, _ = self._truth(where, where.arrays(rows))
        parts = quotients(answer, known, allowed)
        _, ratio, lost = (part.reshape(len(rows), -1) for part in parts)
        finite = np.isfinite(known.hi).reshape(ratio.shape)
        tolerance = np.where(finite, allowed.reshape(ratio.shape), 0).max(axis=1)
        size = np.abs(np.where(finite, known.hi.reshape(ratio.shape), 0)).max(axis=1)
        gates = tolerance < size
        self.asked += len(rows)
        for i in np.flatnonzero(lost.any(axis=1) & gates):
            if self.stray is None:
                find = self.alone(where, rows[i])
                self.stray = find if find and find.lost else None
        worst = np.where(lost, 0.0, ratio).max(axis=1)
        return [float(v) for v in np.where(gates & np.isfinite(worst), worst, 0.0)]

    def _truth(
        self, where: Field, arguments: dict[str, Array]
    ) -> tuple[Array, Reference, Floats, str]:
        case = question(where, self.grade)
        seen = self.ask(case, arguments)
        if seen.kind != "answered" or seen.array is None:
            said = f"{seen.error}: {seen.message}" if seen.error else seen.message
            raise SearchError(f"{self.operation}: {seen.kind} {said}".rstrip())
        options = corpus.options(case)
        known = self.compute(self.operation, arguments, options)
        grade: Literal["standard", "hra"]
        grade = "hra" if self.grade == "hra" else "standard"
        numerics = self.rules.required_numerics(self.dtype, self.flushes, grade)
        bound = self.rules.tolerance(
            self.operation, arguments, options, grade, numerics
        )
        if seen.array.shape != known.hi.shape:
            raise SearchError(
                f"{self.operation}: expected the shape {known.hi.shape}, got "
                f"{seen.array.shape}"
            )
        return seen.array, known, bound.allowed, bound.theorem


def offspring(
    rng: np.random.Generator, where: Field, herd: list[tuple[float, Row]]
) -> Iterator[Row]:
    """A generation: all new at first, then children of the best and a few strangers."""
    for i in range(max(4, min(BORN, ASKED // where.classes))):
        if len(herd) < KEPT or i % 9 == 0:
            yield first(rng, where)
        else:
            # The better, the more children.
            mother, father = (herd[int(KEPT * rng.random() ** 2)][1] for _ in "mf")
            yield child(rng, where, mother, father)


def budget(seconds: float | None, evaluations: int) -> Callable[[int], bool]:
    """Whether there may be more, after so many rows."""
    if seconds is None:
        return lambda asked: asked < evaluations
    end = time.monotonic() + seconds
    return lambda asked: time.monotonic() < end
