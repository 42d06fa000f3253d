"""One adapter's worker, asked by the search, and what a terminal shows of the finds."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sxlit_conformance import oracle
from sxlit_conformance.judge import Rules
from sxlit_conformance.locate import Adapter, AdapterError
from sxlit_conformance.operations import SEARCHED
from sxlit_conformance.process import Limits
from sxlit_conformance.report import number
from sxlit_conformance.runner import Session, greet
from sxlit_conformance.search import Search, SearchError, budget
from sxlit_conformance.search_find import Find, spelled, table
from sxlit_conformance.wire import FLOATS


@dataclass(frozen=True)
class Wish:
    """What to search, and for how long: seconds, or rows, which can be repeated."""

    operations: tuple[str, ...]
    dtypes: tuple[str, ...] = ()
    grade: str = "standard"
    seed: int = 0
    seconds: float | None = None
    evaluations: int = 20_000
    device: str = "cpu"
    mode: str = "eager"
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Found:
    """The outcome for one operation in one dtype."""

    operation: str
    dtype: str
    labels: bool
    wish: Wish
    adapter: str
    version: str
    asked: int
    worst: Find | None
    stray: Find | None
    others: tuple[str, ...]  # grades that could gate the worst row as well

    @property
    def exceeds(self) -> bool:
        return self.stray is not None or bool(self.worst and self.worst.ratio > 1)


def search(adapter: Adapter, wish: Wish, rules: Rules) -> Iterator[Found]:
    """Search each operation that the adapter offers, in each of its dtypes."""
    hello = greet(adapter, wish.limits)
    operations = [name for name in wish.operations if name in hello["operations"]]
    dtypes = [
        name for name in wish.dtypes or hello["dtypes"] if name in hello["dtypes"]
    ]
    who = f"adapter {adapter.name}"
    if not operations:
        raise AdapterError(f"{who}: does not offer {', '.join(wish.operations)}")
    if not dtypes:
        raise AdapterError(f"{who}: declares {', '.join(hello['dtypes'])}")
    for key, word in (("devices", wish.device), ("modes", wish.mode)):
        if word not in hello[key]:
            raise AdapterError(f"{who}: {key}: declares {', '.join(hello[key])}")
    with Session(adapter, hello, wish.device, wish.mode, wish.limits) as session:
        session.start()
        version = str(dict(session.environment or {}).get("version", ""))
        for operation, dtype, labels in itertools.product(
            operations, dtypes, (True, False)
        ):
            if labels and not operation.startswith("cross_entropy"):
                continue
            if session.environment is None:  # the last one was lost
                session.start()
            work = Search(
                operation,
                dtype,
                wish.grade,
                labels,
                session.ask,
                oracle.compute,
                rules,
                hello["flushes_subnormals"],
            )
            try:
                yield _one(work, wish, adapter, version)
            except SearchError as error:
                print(f"{who}: {dtype}: {error}", file=sys.stderr)


def _one(work: Search, wish: Wish, adapter: Adapter, version: str) -> Found:
    place = SEARCHED.index(work.operation), FLOATS.index(work.dtype), work.labels
    rng = np.random.default_rng((wish.seed, *map(int, place)))
    work.climb(rng, budget(wish.seconds, wish.evaluations))
    worst, asked = work.worst(), work.asked
    if worst is not None:
        worst = work.simpler(worst)
        # What is shown is audited, as an answer of the corpus is.
        work.compute = oracle.reference
        worst = work.alone(worst.where, worst.row)
    others: tuple[str, ...] = ()
    if worst is not None:
        work.grade = "hra" if wish.grade == "standard" else "standard"
        other = work.alone(worst.where, worst.row)
        others = (work.grade,) if other is not None else ()
    return Found(
        work.operation,
        work.dtype,
        work.labels,
        wish,
        adapter.name,
        version,
        asked,
        worst,
        work.stray,
        others,
    )


def text(found: Found) -> str:
    return "\n".join(_lines(found))


def _lines(found: Found) -> Iterator[str]:
    wish, worst = found.wish, found.worst
    who = f"{found.adapter} {found.version}".strip()
    kind = "-labels" if found.labels else ""
    yield (
        f"{found.operation}{kind}, {who}, {found.dtype}, {wish.grade}: "
        f"{found.asked} rows, seed {wish.seed}"
    )
    if found.stray is not None:
        yield f"  lost: {_measured(found.stray)}"
        yield from _inputs(found.stray)
    if worst is None:
        yield "  no row that could gate: zeros would pass them all"
        return
    yield f"  worst: {_measured(worst)}"
    yield from _inputs(worst)
    yield ""
    name = f"found-{found.adapter}{kind}-{found.dtype}-seed-{wish.seed}"
    near = "beyond" if worst.ratio > 1 else "within"
    why = (
        f"The worst row for {who} that a search found: {worst.ratio:.3g} times the "
        f"{wish.grade} bound, {near} it."
    )
    yield table(
        worst,
        f"{found.operation}/{name}",
        why,
        command(found),
        sorted({wish.grade, *found.others}),
    )


def command(found: Found) -> str:
    """What would find it again, where rows were counted and not seconds."""
    wish = found.wish
    words = ["sxlit-conformance search", found.operation, found.adapter]
    words += ["--dtype", found.dtype, "--grade", wish.grade, "--seed", str(wish.seed)]
    return " ".join([*words, "--evaluations", str(found.asked)])


def _measured(find: Find) -> str:
    said = (
        f"{find.ratio:.4g} of the bound at {find.index}: {find.observed!r} for "
        f"{find.expected!r}"
    )
    if not find.lost:
        said += (
            f", off by {number(find.error_ulp)} of {number(find.allowed_ulp)} ulp; "
            f"vacuity {find.vacuity:.2g}; {find.theorem}"
        )
    return said


def _inputs(find: Find) -> Iterator[str]:
    for name, values in find.row.items():
        shown = ", ".join(spelled(v) for v in values.tolist())
        yield f"    {name} = [{shown}]"
