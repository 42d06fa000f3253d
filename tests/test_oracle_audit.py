"""The oracle's two formulas: they agree on the corpus, and each can be caught lying."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb

from sxlit_conformance import audit, cli, corpus, oracle, rules
from sxlit_conformance.judge import SuiteError, judge
from sxlit_conformance.model import Array, Claim, Observation, Reference
from sxlit_conformance.operations import OPERATIONS
from sxlit_conformance.oracle import audit as auditing
from sxlit_conformance.oracle import cache, elements, formulas, second_element
from sxlit_conformance.oracle import second_row as second
from sxlit_conformance.oracle.audit import AuditError, confirm

CASES = corpus.load()
# Each table of formulas, and its twin.
FIRST = {**formulas.FORMULAS, **elements.ELEMENTS}
SECOND = {**second.SECOND_OF_A_ROW, **second_element.SECOND_OF_A_NUMBER}

X = np.array([[0.5, -1.25, 3.0], [-0.5, 2.0, 1.5]])
P = np.array([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]])
V = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]])
SAMPLES: dict[str, Array] = {
    **{"x": X, "g": V, "v": V, "p": P, "q": P[::-1], "logits": X, "targets": P},
}


def sample(operation: str) -> dict[str, Array]:
    given = {name: SAMPLES[name] for name in OPERATIONS[operation].arguments}
    if operation == "logsumexp_vjp":
        given["g"] = V[:, 0]
    return given


# ------------------------------------------------------------------- they agree


def test_every_operation_has_two_formulas() -> None:
    asked = {name for name, operation in OPERATIONS.items() if not operation.formula}
    assert set(FIRST) == set(SECOND) == asked


def test_the_whole_corpus_is_confirmed() -> None:
    """What the cache holds was confirmed when it came there; the rest is now."""
    found = audit.audit(CASES)
    assert found.answers > 2000
    assert found.elements > 2_000_000


def test_the_formulas_share_no_function() -> None:
    """The second ones import names of values from the first, and no arithmetic."""
    folder = Path(oracle.__file__).parent
    for path in folder.glob("second*.py"):
        text = path.read_text("utf-8")
        taken = re.findall(r"oracle\.(\w+) import (.*)", text)
        own = {"second_row", "second_element"}
        names = {n for file, n in taken if file not in own}
        assert names <= {"INF, NAN, Exact, Value", "NAN, Exact, Value"}, path.name


def test_the_oracle_knows_nothing_of_the_library_that_it_judges() -> None:
    """sxlit's own double-double sums are checked against Arb, never against itself."""
    for path in Path(oracle.__file__).parent.glob("*.py"):
        assert not re.search(r"(import|from) sxlit\b", path.read_text("utf-8")), path


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "weight": ({"weight": [2.0, 0.5, 0.0]}, {}),
    "ignored": ({}, {"ignore_index": 0}),
    "smoothed": ({}, {"label_smoothing": 0.1}),
    "all": (
        {"weight": [2.0, 0.5, 3.0]},
        {"ignore_index": 0, "label_smoothing": 0.5},
    ),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("operation", formulas.LOSSES)
def test_options_are_read_twice(operation: str, name: str, reduction: str) -> None:
    arrays, options = OPTIONS[name]
    given = sample(operation) | {"targets": np.array([2, 0])}
    given |= {key: np.array(value) for key, value in arrays.items()}
    asked = {**options, "reduction": reduction}
    confirm(operation, given, asked, oracle.compute(operation, given, asked))


INF, NAN = math.inf, math.nan
EDGES = [
    [NAN, 0.0, INF],
    [-INF, -INF, -INF],
    [0.0, INF, -INF],
    [INF, INF, 0.0],
    [-INF, 5.0, 5.0],
    [1.7e308, -1.7e308, 0.0],
    [-1.7e308, -1.7e308, -1.7e308],
    [5e-324, 0.0, -5e-324],
]


@pytest.mark.parametrize("row", EDGES, ids=str)
@pytest.mark.parametrize("operation", [n for n in FIRST if "x" in sample(n)])
def test_the_edges_are_read_twice(operation: str, row: list[float]) -> None:
    given = sample(operation) | {"x": np.array([row, row])}
    confirm(operation, given, {}, oracle.compute(operation, given, {}))


@pytest.mark.parametrize("row", EDGES, ids=str)
@pytest.mark.parametrize("labels", [[0, 1], [[0.0, 1.0, 0.0], [0.5, -0.5, 0.25]]])
@pytest.mark.parametrize("operation", formulas.LOSSES)
def test_the_edges_of_losses_are_read_twice(
    operation: str, labels: list[Any], row: list[float]
) -> None:
    given = sample(operation) | {"logits": np.array([row, row])}
    given["targets"] = np.array(labels)
    confirm(operation, given, {}, oracle.compute(operation, given, {}))


# ------------------------------------------------------- a wrong formula is caught


def a_little_off(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Wrong by 2^-90 of itself: 37 bits beyond a double."""

    def wrong(*given: Any) -> Any:
        found = formula(*given)
        factor = 1 + arb(2) ** -90
        return (
            [v * factor for v in found] if isinstance(found, list) else found * factor
        )

    return wrong


@pytest.mark.parametrize("operation", FIRST)
def test_a_wrong_first_formula_is_caught(
    operation: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SXLIT_ORACLE_CACHE", str(tmp_path))
    for table in (formulas.FORMULAS, elements.ELEMENTS):
        if operation in table:
            monkeypatch.setitem(table, operation, a_little_off(table[operation]))
    with pytest.raises(AuditError, match=f"{operation}: .* disagree at"):
        oracle.reference(operation, sample(operation), {})
    assert not list(tmp_path.iterdir())  # it was not kept


@pytest.mark.parametrize("operation", SECOND)
def test_a_wrong_second_formula_is_caught(
    operation: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SXLIT_ORACLE_CACHE", str(tmp_path))
    for table in (second.SECOND_OF_A_ROW, second_element.SECOND_OF_A_NUMBER):
        if operation in table:
            monkeypatch.setitem(table, operation, a_little_off(table[operation]))
    with pytest.raises(AuditError, match=r"the first says .* the second"):
        oracle.reference(operation, sample(operation), {})


def test_a_wrong_reading_of_the_options_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mean over rows, where it is over weights: the two readers share nothing."""
    from flint import fmpq

    from sxlit_conformance.oracle.targets import Targets

    monkeypatch.setattr(Targets, "total", lambda self: fmpq(len(self.q)))
    given = sample("cross_entropy") | {"weight": np.array([2.0, 0.5, 3.0])}
    with pytest.raises(AuditError, match=r"disagree at \(\)"):
        confirm("cross_entropy", given, {}, oracle.compute("cross_entropy", given, {}))


KNOWN = oracle.compute("softmax", {"x": X}, {})


def put(array: Array, value: float) -> Array:
    other = array.copy()
    other[1, 2] = value
    return other


@pytest.mark.parametrize(
    "published",
    [
        Reference(KNOWN.hi, np.zeros_like(KNOWN.lo)),
        Reference(put(KNOWN.hi, NAN), KNOWN.lo),
        Reference(put(KNOWN.hi, INF), KNOWN.lo),
        Reference(put(KNOWN.hi, 0.0), put(KNOWN.lo, 0.0)),
        Reference(KNOWN.hi[::-1], KNOWN.lo[::-1]),
    ],
)
def test_what_is_published_is_audited(published: Reference) -> None:
    """The rounding and the place of each element too, not the formula alone."""
    with pytest.raises(AuditError, match="disagree at"):
        confirm("softmax", {"x": X}, {}, published)


def test_exact_zeros_infinities_and_nan_are_equal_or_caught() -> None:
    row = {"x": np.array([[-INF, 0.0, 0.0]])}
    zeros = np.zeros((1, 3))
    right = oracle.compute("softmax", row, {})
    confirm("softmax", row, {}, right)
    for wrong in (5e-324, NAN, -INF):
        hi = right.hi.copy()
        hi[0, 0] = wrong
        with pytest.raises(AuditError, match=r"at \(0, 0\)"):
            confirm("softmax", row, {}, Reference(hi, zeros))


def test_a_second_formula_that_decides_nothing_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"x": np.array([[200.0, 0.0]]), "g": np.array([[1.0, 2.0]])}
    known = oracle.compute("softmax_vjp", given, {})
    assert confirm("softmax_vjp", given, {}, known) > 160
    monkeypatch.setattr(auditing, "LAST_PRECISION", 160)
    with pytest.raises(AuditError, match="160 bits were not enough to audit it"):
        confirm("softmax_vjp", given, {}, known)


# ----------------------------------------------------------- where it is noticed


@pytest.fixture
def wrong_softmax(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SXLIT_ORACLE_CACHE", str(tmp_path))
    wrong = a_little_off(formulas.softmax)
    monkeypatch.setitem(formulas.FORMULAS, "softmax", wrong)


@pytest.mark.usefixtures("wrong_softmax")
def test_the_judge_names_the_case() -> None:
    case = next(case for case in CASES if case.id == "softmax/gap-20")
    claim = Claim(case, "float64", "cpu", "eager", "standard")
    given = corpus.materialise(case, "float64")
    answer = Observation("answered", array=np.zeros_like(given["x"]))
    with pytest.raises(SuiteError, match=r"softmax/gap-20@.*AuditError.*disagree at"):
        judge(claim, answer, given, oracle.reference, rules)


@pytest.mark.usefixtures("wrong_softmax")
def test_the_command_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["audit", "-k", "softmax/gap-20 and not log"]) == 2
    error = capsys.readouterr().err
    assert "suite error: softmax/gap-20@float32: softmax: the oracle's" in error
    assert "softmax/gap-20@float64" in error


def test_the_command_says_what_was_audited(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SXLIT_ORACLE_CACHE", str(tmp_path))
    command = ["audit", "-k", "log_sigmoid/log-expit"]
    for extra, said in (
        ([], "1 audited now, 0 when they were cached"),
        ([], "0 audited now, 1 when they were cached"),
        (["--again"], "1 audited now"),
    ):
        assert cli.main([*command, *extra]) == 0
        assert said in capsys.readouterr().out
    assert cli.main(["audit", "-k", "no-such-case"]) == 2


def test_the_key_of_the_cache_holds_both_formulas() -> None:
    """An edit of either makes every cached answer a new question."""
    names = {path.name for path in cache.SOURCES}
    assert {"formulas.py", "elements.py", "audit.py"} <= names
    assert {"second.py", "second_row.py", "second_element.py"} <= names


# --------------------------------------------------------- a published table's error


def test_a_reference_table_that_says_zero_is_wrong() -> None:
    """log_expit(500): the table has 0; e^-500 is 7.12e-218, an ordinary double."""
    case = next(c for c in CASES if c.id == "log_sigmoid/log-expit-500-float64")
    given = corpus.materialise(case, "float64")
    assert given["x"].tolist() == [500.0]
    known = oracle.reference("log_sigmoid", given, {})
    confirm("log_sigmoid", given, {}, known)
    assert known.hi.tolist() == [-7.124576406741286e-218]
    for grade in case.grades:
        claim = Claim(case, "float64", "cpu", "eager", grade)
        table = Observation("answered", array=np.array([-0.0]))
        verdict = judge(claim, table, given, oracle.reference, rules, gate="hra")
        assert (verdict.cls, verdict.outcome) == ("fail", "zero")
