"""The judge: every comparison sees NaN, infinities and zeros."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from suite_bench import Rules, case
from sxlit_conformance import wire
from sxlit_conformance.judge import SuiteError, judge, measure, ulp, vacuity
from sxlit_conformance.model import Claim, Observation, Reference, Verdict

NAN, INF = math.nan, math.inf


def ask(
    answer: Any,
    truth: list[float],
    *,
    allowed: float = 1e-6,
    grade: str = "standard",
    gate: str = "standard",
    low: float = 0.0,
    **changes: Any,
) -> Verdict:
    """The verdict on an answer to a case whose certified result is `truth`."""
    question = case("one", (tuple(truth),), **changes)
    if not isinstance(answer, Observation):
        answer = Observation("answered", np.asarray([answer], np.float32))
    hi = np.array([truth], np.float64)
    reference = Reference(hi, np.full_like(hi, low))
    rules = Rules()
    rules.allowed = allowed
    return judge(
        Claim(question, "float32", "cpu", "eager", grade),
        answer,
        {"x": np.array([truth], np.float32)},
        lambda operation, arguments, options: reference,
        rules,
        gate=gate,
    )


@pytest.mark.parametrize(
    ("answer", "truth", "outcome"),
    [
        ([1.0, 2.0], [1.0, 2.0], "reference"),
        ([NAN, 2.0], [1.0, 2.0], "nan"),
        ([1.0, INF], [1.0, 2.0], "+inf"),
        ([1.0, -INF], [1.0, 2.0], "-inf"),
        ([0.0, 0.0], [1.0, 2.0], "zero"),
        ([0.0, -0.0], [1.0, 0.0], "zero"),
        ([1.0, 3.0], [1.0, 2.0], "wrong number"),
        ([NAN, 2.0], [NAN, 2.0], "reference"),
        ([5.0, 2.0], [NAN, 2.0], "wrong number"),
        ([INF, 2.0], [NAN, 2.0], "+inf"),
        ([INF, -INF], [INF, -INF], "reference"),
        ([INF, INF], [INF, -INF], "+inf"),
        ([NAN, -INF], [INF, -INF], "nan"),
        ([3e38, 1.0], [INF, 1.0], "wrong number"),
        ([-0.0, 1.0], [0.0, 1.0], "reference"),
    ],
)
def test_outcomes(answer: list[float], truth: list[float], outcome: str) -> None:
    verdict = ask(answer, truth)
    assert verdict.outcome == outcome
    assert verdict.cls == ("pass" if outcome == "reference" else "fail")
    assert verdict.theorem == "thm-fake"


def test_the_worst_element_is_named_exactly() -> None:
    verdict = ask([1.0, 2.5, 4.0], [1.0, 2.0, 4.0], allowed=0.25)
    assert verdict.worst is not None
    assert verdict.worst.index == (0, 1)
    assert verdict.worst.observed == (2.5).hex()
    assert verdict.worst.reference == (2.0).hex()
    assert verdict.ratio == 2
    assert verdict.error_ulp == 0.5 / 2.0**-22
    assert verdict.allowed_ulp == 0.25 / 2.0**-22
    assert verdict.vacuity == 0.25 / 4


def test_a_special_answer_outranks_an_unbounded_ratio() -> None:
    verdict = ask([2.0, NAN], [1.0, 1.0], allowed=0.0)
    assert verdict.outcome == "nan"
    assert verdict.error_ulp is None


def test_the_second_word_of_the_reference_counts() -> None:
    assert ask([1.0], [1.0], allowed=1e-9, low=2e-9).cls == "fail"
    assert ask([1.0], [1.0], allowed=3e-9, low=2e-9).cls == "pass"


def test_nothing_allowed_means_exactly() -> None:
    assert ask([1.0, 2.0], [1.0, 2.0], allowed=0.0).ratio == 0
    off = ask([1.0, np.nextafter(np.float32(2), np.float32(3))], [1, 2], allowed=0.0)
    assert (off.cls, off.ratio) == ("fail", INF)


def test_the_tolerance_itself_passes_and_more_does_not() -> None:
    assert ask([1.25], [1.0], allowed=0.25).cls == "pass"
    assert ask([1.25 + 2**-20], [1.0], allowed=0.25).cls == "fail"


def test_a_vacuous_tolerance_is_an_error_of_the_suite() -> None:
    with pytest.raises(SuiteError, match=r"softmax/one@float32.*zeros would pass"):
        ask([1.0, 0.5], [1.0, 0.5], allowed=1.0)
    with pytest.raises(SuiteError, match="zeros would pass"):
        ask([0.0, 0.0], [0.0, 0.0], allowed=1e-30)
    assert ask([NAN, INF], [NAN, INF], allowed=INF).cls == "pass"
    assert ask([1.0], [1.0], allowed=2.0, level="optional").cls == "pass"


def test_a_tolerance_that_is_no_number_is_an_error_of_the_suite() -> None:
    with pytest.raises(SuiteError, match="tolerance is not finite"):
        ask([1.0], [1.0], allowed=NAN)


def test_an_oracle_that_raises_is_an_error_of_the_suite() -> None:
    def broken(*_: Any) -> Reference:
        raise ZeroDivisionError("no")

    claim = Claim(case("one", ((1.0,),)), "float32", "cpu", "eager", "standard")
    answer = Observation("answered", np.ones((1, 1), np.float32))
    with pytest.raises(SuiteError, match="no reference: ZeroDivisionError: no"):
        judge(claim, answer, {"x": np.ones((1, 1))}, broken, Rules())


def test_high_accuracy_gates_only_where_it_is_asked_for() -> None:
    assert ask([2.0], [1.0], grade="hra").cls == "miss"
    assert ask([2.0], [1.0], grade="hra", gate="hra").cls == "fail"
    assert ask([2.0], [1.0], gate="hra").cls == "fail"
    assert ask([1.0], [1.0], grade="hra").cls == "pass"


def test_an_optional_claim_is_a_miss_and_an_implementation_defined_one_fails() -> None:
    assert ask([2.0], [1.0], level="optional").cls == "miss"
    assert ask([2.0], [1.0], level="implementation-defined").cls == "fail"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ([NAN, NAN], "nan"),
        ([0.0, -0.0], "zero"),
        ([INF, INF], "+inf"),
        ([-INF, -INF], "-inf"),
        ([INF, NAN], "wrong number"),
    ],
)
def test_contracts_accept_by_name(answer: list[float], outcome: str) -> None:
    for accept in (("raises",), ("raises", "nan"), ("zero",), ("+inf", "-inf")):
        verdict = ask(answer, [1.0, 1.0], grade="contract", accept=accept)
        assert verdict.outcome == outcome
        assert (verdict.cls == "pass") == (outcome in accept)


def test_contracts_may_accept_the_reference_too() -> None:
    accept = ("reference", "nan")
    assert ask([1.0], [1.0], grade="contract", accept=accept).outcome == "reference"
    assert ask([NAN], [1.0], grade="contract", accept=accept).cls == "pass"
    wrong = ask([0.0], [1.0], grade="contract", accept=accept)
    assert (wrong.cls, wrong.outcome) == ("fail", "zero")


def test_a_contract_does_not_excuse_a_dtype_or_a_shape() -> None:
    wide = Observation("answered", np.array([[NAN]]))
    flat = Observation("answered", np.array(NAN, np.float32))
    none = Observation("answered", np.array([], np.float32))
    for accept, answer, outcome in (
        (("nan",), wide, "wrong dtype"),
        (("nan",), flat, "wrong shape"),
        (("nan",), none, "empty"),
        (("reference",), none, "empty"),
    ):
        verdict = ask(answer, [1.0], grade="contract", accept=accept)
        assert (verdict.cls, verdict.outcome) == ("fail", outcome)
    assert ask(none, [1.0], grade="contract", accept=("empty",)).cls == "pass"


def test_raising_fails_a_value_and_keeps_its_message() -> None:
    raised = Observation("raised", error="ValueError", message="no")
    verdict = ask(raised, [1.0])
    assert (verdict.cls, verdict.outcome) == ("fail", "raises")
    assert (verdict.reason, verdict.message) == ("raises ValueError", "no")
    assert ask(raised, [1.0], grade="contract", accept=("raises",)).cls == "pass"


@pytest.mark.parametrize(
    "kind", ["unsupported", "not offered", "crashed", "timed out", "not run"]
)
def test_what_was_not_answered_is_never_a_pass(kind: Any) -> None:
    for accept in (("reference",), ("raises", "nan")):
        verdict = ask(Observation(kind), [1.0], accept=accept)
        assert (verdict.cls, verdict.outcome) == (kind, kind)


def test_a_mutated_input_fails_whatever_the_answer() -> None:
    right = Observation("answered", np.ones((1, 1), np.float32))
    assert ask(right, [1.0]).cls == "pass"
    verdict = ask(replace(right, mutated=True), [1.0])
    assert (verdict.cls, verdict.outcome) == ("fail", "mutated input")


def test_no_element_is_nothing_to_be_wrong_about() -> None:
    nothing = Reference(np.empty((0, 3)), np.empty((0, 3)))
    assert measure(np.empty((0, 3)), nothing, np.empty((0, 3)), "float32") is None
    assert vacuity(nothing, np.empty((0, 3))) == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_second_rounding_is_seen_by_its_ulp(dtype: str) -> None:
    """1 + u + 2^-40 goes up; by way of float32 it becomes a tie, and 1.0.

    Both are within u of it, so that no theorem can tell them apart; half an ulp can.
    """
    u = float(ml_dtypes.finfo(dtype).eps) / 2
    once = np.array([1 + 2 * u]).astype(wire.dtype(dtype))
    twice = np.array([1.0]).astype(wire.dtype(dtype))
    allowed = np.array([1.0])
    exact = Reference(np.array([1 + u + 2.0**-40]), np.array([0.0]))
    found = [measure(answer, exact, allowed, dtype) for answer in (once, twice)]
    errors = [m.error_ulp for m in found if m is not None and m.error_ulp is not None]
    assert errors[0] < 0.5 < errors[1]


def test_ulp_of_bfloat16() -> None:
    assert ulp(1.0, "bfloat16") == 2.0**-7
    assert ulp(2.0**-126, "bfloat16") == ulp(0.0, "bfloat16") == 2.0**-133
    assert ulp(3.3e38, "bfloat16") == 2.0**120


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_ulp_is_numpys_spacing(dtype: str) -> None:
    kind = np.dtype(dtype).type
    info = np.finfo(dtype)
    for value in (1.0, 1.5, 0.3, 3.0, 1000.0, info.tiny, info.smallest_subnormal):
        assert ulp(float(kind(value)), dtype) == float(np.spacing(kind(value)))
    assert ulp(0.0, dtype) == float(info.smallest_subnormal)
    assert ulp(float(info.max), dtype) == float(info.max) - float(
        np.nextafter(info.max, kind(0))
    )


def test_a_judge_that_is_blind_would_be_seen() -> None:
    """The naive comparison passes NaN; this one must not, for any element."""
    truth = np.linspace(-3, 3, 7)
    reference = Reference(truth, np.zeros(7))
    allowed = np.full(7, 1e-6)
    for index in range(7):
        for poison in (NAN, INF, -INF, truth[index] + 1, truth[index] - 1):
            answer = truth.copy()
            answer[index] = poison
            found = measure(answer, reference, allowed, "float64")
            assert found is not None
            assert found.index == (index,)
            assert found.ratio > 1
