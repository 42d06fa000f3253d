"""A survey finds out which formula is meant, and its table says so from records."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite_bench import FAKES, bench
from sxlit_conformance import corpus, oracle, rules, semantics
from sxlit_conformance.judge import judge, measure
from sxlit_conformance.locate import resolve
from sxlit_conformance.model import Case, Claim, Observation, Verdict
from sxlit_conformance.record import Record, make
from sxlit_conformance.runner import run

SURVEYS = [case for case in corpus.load() if case.topic]
TEXT = """
[[case]]
id = "cross_entropy/survey"
topic = "reduction"
question = "What does the mean divide by?"
why = "A question of meaning."
source = "tests"
accept = ["raises", "nan"]
arguments.logits = { values = [[1, 0.5, -2], [0.25, 3, 1]] }
arguments.targets = { values = [0, 2], dtype = "int64" }
candidates."the rows" = {}
candidates."nothing" = [
    { options = { reduction = "sum" } },
    { options = { reduction = "none" } },
]
candidates."twice the rows".arguments.targets.values = [[0.5, 0, 0], [0, 0, 0.5]]
"""


@pytest.fixture
def survey(tmp_path: Path) -> Case:
    (tmp_path / "cross_entropy-survey.toml").write_text(TEXT)
    (found,) = corpus.load(tmp_path)
    return found


def verdict(case: Case, answer: Any) -> Verdict:
    if not isinstance(answer, Observation):
        answer = Observation("answered", np.asarray(answer, np.float32))
    claim = Claim(case, "float32", "cpu", "eager", "contract")
    arguments = corpus.materialise(case, "float32")
    return judge(claim, answer, arguments, oracle.reference, rules)


def exact() -> np.ndarray[Any, np.dtype[np.float32]]:
    x = np.array([[1, 0.5, -2], [0.25, 3, 1]])
    losses = np.log(np.exp(x).sum(axis=1)) - x[[0, 1], [0, 2]]
    return losses.astype(np.float32)


def test_the_outcome_is_the_candidate_that_fits(survey: Case) -> None:
    assert survey.accept == ("the rows", "nothing", "twice the rows", "raises", "nan")
    each = exact()
    for answer, outcome in (
        (each.mean(), "the rows"),
        (each.sum(), "nothing"),
        (each, "nothing"),
        (each.mean() / 2, "twice the rows"),
        (np.nan, "nan"),
    ):
        found = verdict(survey, answer)
        assert (found.cls, found.outcome) == ("pass", outcome)
        assert (found.topic, found.question) == (survey.topic, survey.question)
        assert found.grade == "contract"
    raised = verdict(survey, Observation("raised", error="ValueError"))
    assert (raised.cls, raised.outcome) == ("pass", "raises")


def test_what_fits_no_candidate_fails(survey: Case) -> None:
    for answer, outcome in (
        (exact().mean() * np.float32(1.001), "wrong number"),
        (0.0, "zero"),
        (np.zeros(3), "zero"),
        (exact()[::-1], "wrong number"),
        (Observation("answered", exact().astype(np.float64)), "wrong dtype"),
        (Observation("answered", None, message="returned None"), "wrong dtype"),
    ):
        found = verdict(survey, answer)
        assert (found.cls, found.outcome) == ("fail", outcome)
        assert found.reason
    assert verdict(survey, Observation("unsupported")).cls == "unsupported"


@pytest.mark.parametrize("case", SURVEYS, ids=lambda case: case.id)
def test_no_answer_fits_two_candidates(case: Case) -> None:
    """They differ by more than both tolerances, in shape or in an element."""
    for flushes in (False, True):
        questions = list(corpus.meanings(case, case.dtypes[0]))
        numerics = rules.required_numerics(case.dtypes[0], flushes, "standard")
        answers = [
            (
                name,
                oracle.reference(*question),
                rules.tolerance(*question, "standard", numerics).allowed,
            )
            for name, question in questions
        ]
        for (name, a, near), (other, b, far) in itertools.combinations(answers, 2):
            if name == other or a.hi.shape != b.hi.shape:
                continue
            between = measure(a.hi, b, near + far, "float64")
            assert between is not None
            assert between.ratio > 2, f"{name!r} and {other!r}"
        for name, a, _ in answers:  # and no word stands for a candidate
            for word, value in (("nan", np.nan), ("zero", 0.0), ("+inf", np.inf)):
                same = np.array_equal(a.hi, np.full_like(a.hi, value), equal_nan=True)
                assert not (same and word in case.accept and word != name), name


def test_the_survey_asks_what_a_reader_asks() -> None:
    topics = {case.topic for case in SURVEYS}
    assert topics == {
        "class weights",
        "ignored labels",
        "label smoothing",
        "defaults",
        "class axis",
        "labels that are no class",
        "argument order",
        "divergence",
    }
    assert len({(case.topic, case.question) for case in SURVEYS}) == len(SURVEYS)
    for case in SURVEYS:
        assert case.question.endswith("?")
        assert not any("|" in word for word in (*case.accept, case.question))


# ---------------------------------------------------------------- the table


def said(name: str, outcome: str, **changes: Any) -> Verdict:
    fields: dict[str, Any] = {
        "case": f"cross_entropy/{name}",
        "operation": "cross_entropy",
        "dtype": "float32",
        "device": "cpu",
        "mode": "eager",
        "grade": "contract",
        "level": "required",
        "cls": "pass",
        "outcome": outcome,
        "topic": "weights",
        "question": f"What about {name}?",
    }
    return Verdict(**{**fields, **changes})


def record(adapter: str, *verdicts: Verdict) -> Record:
    return make({"adapter": adapter, "planned": len(verdicts)}, verdicts, {})


def test_the_table_has_a_word_for_everybody() -> None:
    plain = said("plain", "reference", topic="", question="")
    idle = said("b", "not run", cls="not run", device="cuda")
    records = [
        record("one", said("a", "nan"), said("order", "x", topic="order"), plain),
        record("two", said("a", "wrong number", cls="fail"), said("b", "rows"), idle),
        record("two", said("a", "raises", device="cuda")),
        record("mute", said("a", "unsupported", cls="unsupported")),
    ]
    found = semantics.rows(records)
    assert [(row.topic, row.case.removeprefix("cross_entropy/")) for row in found] == [
        ("weights", "a"),
        ("weights", "b"),
        ("order", "order"),
    ]
    words = [[cell.word for cell in row.cells] for row in found]
    assert words[0] == [
        "NaN",
        "**wrong number** (cpu, eager); raises (cuda, eager)",
        "unsupported",
    ]
    assert words[1] == ["not run", "rows", "not run"]
    text = semantics.markdown(records)
    assert "| Weights | one | two |\n| --- | --- | --- |" in text
    assert "mute: unsupported or not run." in text
    assert text.count("sxlit-conformance repro") == 1
    assert "sxlit-conformance repro cross_entropy/a one" in text
    assert '"word": "NaN"' in semantics.data(records)
    assert semantics.markdown([record("one", plain)]) == ""


# ------------------------------------------------ adapters that know fewer options

OPTIONS = """
[[case]]
id = "cross_entropy/plain"
why = "because"
source = "tests"
accept = ["raises"]
arguments.logits = { values = [[1, 2]] }
arguments.targets = { values = [0], dtype = "int64" }

[[case]]
id = "cross_entropy/weight"
why = "because"
source = "tests"
accept = ["raises"]
options = { ignore_index = 1 }
layout = "readonly"
arguments.logits = { values = [[1, 2]] }
arguments.targets = { values = [0], dtype = "int64" }
arguments.weight = { values = [1, 3] }
"""


def test_an_option_without_a_keyword_is_unsupported(tmp_path: Path) -> None:
    (tmp_path / "cross_entropy.toml").write_text(OPTIONS)
    cases = corpus.load(tmp_path)
    found = {}
    for name in ("few_options", "more_options"):
        adapter = resolve(str(FAKES / f"{name}.py"), sys.executable)
        done = run(adapter, cases, bench)
        found[name] = [
            (v.cls, v.message) for v in done.verdicts if v.dtype == "float32"
        ]
    assert found == {
        "few_options": [
            ("pass", "2 logits"),
            ("unsupported", "takes no weight, ignore_index"),
        ],
        "more_options": [
            ("pass", "no more"),
            ("pass", "float32 weight [1.0, 3.0], not writeable; ignore_index=1"),
        ],
    }
