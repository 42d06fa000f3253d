"""`audit`: every certified answer of the corpus, confirmed by a second formula."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sxlit_conformance import corpus
from sxlit_conformance.corpus import Question
from sxlit_conformance.judge import SuiteError
from sxlit_conformance.model import Case


@dataclass
class Audit:
    """What was confirmed: how many answers and numbers, and how many of them now."""

    answers: int = 0
    elements: int = 0
    now: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.answers} answers of {self.elements} numbers, by two formulas that "
            f"agree: {self.now} audited now, {self.answers - self.now} when they were "
            f"cached ({self.seconds:.1f} s)"
        )


Progress = Callable[[int, int, str], None]


def questions(cases: Iterable[Case]) -> Iterator[tuple[str, bool, Question]]:
    """All that the oracle is asked: the claim, whether it must answer, the question."""
    for case in cases:
        for dtype in case.dtypes:
            name = f"{case.id}@{dtype}"
            for _, question in corpus.meanings(case, dtype):
                yield name, True, question
            if not case.topic:
                arguments = corpus.materialise(case, dtype)
                asked = Question(case.operation, arguments, corpus.options(case))
                yield name, "reference" in case.accept, asked


def audit(
    cases: Sequence[Case],
    *,
    again: bool = False,
    progress: Progress = lambda done, planned, case: None,
) -> Audit:
    """Ask for every answer; one that is not in the cache is audited on its way there.

    With `again`, what was in the cache is audited too. SuiteError where two formulas
    disagree, naming every case in which they do.
    """
    from sxlit_conformance import oracle
    from sxlit_conformance.oracle.audit import AuditError, confirm

    found, problems, start = Audit(), [], time.monotonic()
    asked = list(questions(cases))
    for done, (name, has_answer, question) in enumerate(asked, 1):
        progress(done, len(asked), name)
        known = oracle.cached(*question)
        try:
            answer = oracle.reference(*question)
            if again and known is not None:
                confirm(*question, known)
        except AuditError as error:
            problems.append(f"{name}: {error}")
            continue
        except ValueError as error:
            if has_answer:
                problems.append(f"{name}: no reference: {error}")
            continue
        found.answers += 1
        found.elements += answer.hi.size
        found.now += again or known is None
    found.seconds = time.monotonic() - start
    if problems:
        raise SuiteError("suite error: " + "; ".join(problems))
    return found
