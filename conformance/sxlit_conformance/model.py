"""What crosses from one room of the suite to the next: frozen, and without logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

Level = Literal["required", "optional", "implementation-defined"]
Kind = Literal[
    "answered",
    "raised",
    "unsupported",
    "not offered",
    "crashed",
    "timed out",
    "not run",
]
Class = Literal[
    "pass",
    "fail",
    "known",
    "fixed",
    "miss",
    "unsupported",
    "not offered",
    "crashed",
    "timed out",
    "not run",
]


@dataclass(frozen=True)
class Source:
    """Where one argument comes from: literal values, or a named exact generator."""

    values: Any = None  # nested tuples of numbers and strings, or None
    generator: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = ""  # "" means: the claim's dtype
    shape: tuple[int, ...] | None = None  # for what values cannot say, such as (0, 3)


@dataclass(frozen=True)
class Candidate:
    """A formula that an adapter may follow: the question that it would be answering.

    What is not named here is the case's own; `without` takes away what that has.
    """

    arguments: Mapping[str, Source] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One question of the corpus.

    A case with candidates is a survey: it asks which of them is meant, and belongs to
    a topic. The name of the one that the answer fits is the outcome. `not_in` says in
    which dtypes it would ask something else, or nothing, and why; in those of
    `hra_only` the standard bound is as large as the answer.
    """

    id: str
    operation: str
    arguments: Mapping[str, Source]
    options: Mapping[str, Any]
    dtypes: tuple[str, ...]
    grades: tuple[str, ...]
    level: Level
    accept: tuple[str, ...]
    why: str
    source: str
    layout: str
    candidates: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    topic: str = ""
    question: str = ""
    not_in: Mapping[str, str] = field(default_factory=dict)  # dtype -> why
    hra_only: tuple[str, ...] = ()  # dtypes

    def graded(self, dtype: str) -> tuple[str, ...]:
        """The grades in which a dtype is asked."""
        return ("hra",) if dtype in self.hra_only else self.grades


@dataclass(frozen=True)
class Claim:
    """A case asked of one device and mode, in one dtype, to one grade."""

    case: Case
    dtype: str
    device: str
    mode: str
    grade: str  # "standard", "hra" or "contract"

    @property
    def key(self) -> str:
        return f"{self.case.id}@{self.dtype}/{self.device}/{self.mode}/{self.grade}"


@dataclass(frozen=True)
class Observation:
    """What an adapter did when it was asked."""

    kind: Kind
    array: Array | None = None
    error: str = ""  # the type of what was raised
    message: str = ""
    stderr: str = ""
    mutated: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Reference:
    """The exact value as hi + lo; specials and exact zeros sit in hi."""

    hi: Floats
    lo: Floats


@dataclass(frozen=True)
class Tolerance:
    """The allowed absolute error of each element, and the theorem that says so."""

    allowed: Floats
    theorem: str
    chapter: str


@dataclass(frozen=True)
class Worst:
    """The element that decides a verdict, exactly."""

    index: tuple[int, ...]
    observed: str
    reference: str


@dataclass(frozen=True)
class Verdict:
    """What the judge says about one claim."""

    case: str
    operation: str
    dtype: str
    device: str
    mode: str
    grade: str
    level: str
    cls: Class
    outcome: str
    reason: str = ""
    error_ulp: float | None = None
    allowed_ulp: float | None = None
    ratio: float | None = None
    vacuity: float | None = None
    theorem: str = ""
    worst: Worst | None = None
    ledger: str = ""
    answer_hash: str = ""
    message: str = ""
    seconds: float = 0.0
    topic: str = ""
    question: str = ""

    @property
    def key(self) -> str:
        return f"{self.case}@{self.dtype}/{self.device}/{self.mode}/{self.grade}"
