"""Case and observation in, verdict out. It knows no framework and prints nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from sxlit_conformance import corpus
from sxlit_conformance.exact import spacing
from sxlit_conformance.model import (
    Array,
    Claim,
    Class,
    Floats,
    Observation,
    Reference,
    Tolerance,
    Verdict,
    Worst,
)
from sxlit_conformance.operations import OPERATIONS

Oracle = Callable[[str, Mapping[str, Array], Mapping[str, Any]], Reference]


class SuiteError(Exception):
    """The suite asks what it cannot judge; the message names the claim."""


class Rules(Protocol):
    """Where tolerances come from; the module rules.py is one of these."""

    def required_numerics(
        self, dtype: str, flushes_subnormals: bool, grade: Literal["standard", "hra"]
    ) -> Any: ...

    def tolerance(
        self,
        operation: str,
        arguments: Mapping[str, Array],
        options: Mapping[str, Any],
        grade: Literal["standard", "hra"],
        numerics: Any,
    ) -> Tolerance: ...


@dataclass(frozen=True)
class Measure:
    """How far an answer is from its reference, at the element that decides."""

    ratio: float
    index: tuple[int, ...]
    error_ulp: float | None
    allowed_ulp: float | None


def judge(
    claim: Claim,
    observation: Observation,
    arguments: Mapping[str, Array],
    oracle: Oracle,
    rules: Rules,
    *,
    flushes_subnormals: bool = False,
    gate: str = "standard",
) -> Verdict:
    """The verdict on one claim; with gate "standard" a missed hra claim is a miss."""
    accept = claim.case.accept
    options = corpus.options(claim.case)
    if observation.kind == "raised":
        reason = f"raises {observation.error}"
        return _decide(claim, observation, "raises" in accept, "raises", reason, gate)
    if observation.kind != "answered":
        outcome = observation.kind
        return _verdict(claim, observation, outcome, outcome, observation.message)
    if observation.mutated:
        return _decide(
            claim, observation, False, "mutated input", "wrote into an argument", gate
        )

    if claim.case.topic:
        return _survey(claim, observation, oracle, rules, flushes_subnormals, gate)

    array = observation.array
    first = next(iter(arguments.values())).shape
    shape = OPERATIONS[claim.case.operation].shape(first, options)
    word = "" if array is None else _word(array)
    named = word in accept
    if array is not None and not named and "reference" not in accept:
        reason = f"accepted: {', '.join(accept)}"
        found = word or "wrong number"
        return _decide(claim, observation, False, found, reason, gate)
    if array is None or array.dtype.name != claim.dtype:
        found = observation.message if array is None else f"answers {array.dtype.name}"
        reason = f"expected {claim.dtype}; {found}"
        return _decide(claim, observation, False, "wrong dtype", reason, gate)
    if array.shape != shape and not (named and word == "empty"):
        reason = f"expected shape {shape}, got {array.shape}"
        found = "empty" if word == "empty" else "wrong shape"
        return _decide(claim, observation, False, found, reason, gate)
    if named:
        return _decide(claim, observation, True, word, "", gate)
    return _compare(
        claim, observation, array, arguments, oracle, rules, flushes_subnormals, gate
    )


def measure(
    array: Array, reference: Reference, allowed: Floats, dtype: str
) -> Measure | None:
    """Compare elementwise; None where there is no element.

    A special reference (NaN, infinity) is met exactly or missed by an infinite
    ratio, and so is a finite one by a special answer: no comparison sees a NaN.
    """
    if array.size == 0:
        return None
    error, ratio, lost = quotients(array, reference, allowed)
    # The specials first: they say more than a number that is off without bound.
    order = np.lexsort((-ratio.ravel(), ~lost.ravel()))
    index = np.unravel_index(int(order[0]), ratio.shape)
    worst = tuple(int(i) for i in index)
    if lost[worst] or not np.isfinite(reference.hi[worst]):
        return Measure(float(ratio[worst]), worst, None, None)
    size = ulp(float(reference.hi[worst]), dtype)
    with np.errstate(over="ignore"):  # at a reference of zero an ulp is tiny
        units = float(error[worst] / size), float(allowed[worst] / size)
    return Measure(float(ratio[worst]), worst, *units)


def quotients(
    array: Array, reference: Reference, allowed: Floats
) -> tuple[Floats, Floats, Array]:
    """Of each element: its error, error / allowed, and whether a special is missed."""
    answer = array.astype(np.float64)
    hi, lo = reference.hi, reference.lo
    finite = np.isfinite(hi)
    met = (np.isnan(hi) & np.isnan(answer)) | (np.isinf(hi) & (answer == hi))
    with np.errstate(all="ignore"):
        error = np.abs((answer - hi) - lo)
        error = np.where(np.isfinite(answer) & ~np.isnan(error), error, np.inf)
        quotient = np.where(error == 0, 0.0, error / allowed)
    ratio = np.where(finite, quotient, np.where(met, 0.0, np.inf))
    lost = np.where(finite, ~np.isfinite(answer), ~met)
    return error, ratio, lost


def vacuity(reference: Reference, allowed: Floats) -> float:
    """Tolerance over the largest |reference|: from 1 on, zeros would pass."""
    finite = np.isfinite(reference.hi)
    if not finite.any():
        return 0.0
    tolerance = float(np.max(allowed[finite]))
    largest = float(np.max(np.abs(reference.hi[finite])))
    if tolerance == 0:
        return 0.0
    return tolerance / largest if largest else float("inf")


def ulp(value: float, dtype: str) -> float:
    """The distance of the numbers of this dtype at `value`."""
    return float(spacing(np.asarray(value), dtype))


def answer_hash(array: Array) -> str:
    """A short name of an answer's bits."""
    head = f"{array.dtype.name}{array.shape}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()[:16]


def _survey(
    claim: Claim,
    observation: Observation,
    oracle: Oracle,
    rules: Rules,
    flushes_subnormals: bool,
    gate: str,
) -> Verdict:
    """Which candidate the answer fits: the first one within its standard bound."""
    case, array = claim.case, observation.array
    if array is None or array.dtype.name != claim.dtype:
        found = observation.message if array is None else f"answers {array.dtype.name}"
        reason = f"expected {claim.dtype}; {found}"
        return _decide(claim, observation, False, "wrong dtype", reason, gate)
    for name, question in corpus.meanings(case, claim.dtype):
        reference, tolerance = _truth(
            claim, question, oracle, rules, "standard", flushes_subnormals
        )
        if reference.hi.shape == array.shape:
            measured = measure(array, reference, tolerance.allowed, claim.dtype)
            if measured is None or measured.ratio <= 1:
                return _decide(claim, observation, True, name, "", gate)
    word = _word(array)
    if word in case.accept:
        return _decide(claim, observation, True, word, "", gate)
    fits = f"of the shape {array.shape}; fits none of {', '.join(case.accept)}"
    return _decide(claim, observation, False, word or "wrong number", fits, gate)


def _truth(
    claim: Claim,
    question: corpus.Question,
    oracle: Oracle,
    rules: Rules,
    grade: Literal["standard", "hra"],
    flushes_subnormals: bool,
) -> tuple[Reference, Tolerance]:
    """The exact value of a question and what it may be missed by, both whole."""
    try:
        reference = oracle(*question)
        numerics = rules.required_numerics(claim.dtype, flushes_subnormals, grade)
        tolerance = rules.tolerance(*question, grade, numerics)
    except Exception as error:
        kind = type(error).__name__
        raise SuiteError(f"{claim.key}: no reference: {kind}: {error}") from error
    allowed = tolerance.allowed
    finite = np.isfinite(reference.hi)
    if reference.hi.shape != allowed.shape:
        raise SuiteError(
            f"{claim.key}: reference has shape {reference.hi.shape}, tolerance "
            f"{allowed.shape}"
        )
    if not np.all(np.isfinite(allowed[finite]) & (allowed[finite] >= 0)):
        raise SuiteError(f"{claim.key}: the tolerance is not finite")
    return reference, tolerance


def _compare(
    claim: Claim,
    observation: Observation,
    array: Array,
    arguments: Mapping[str, Array],
    oracle: Oracle,
    rules: Rules,
    flushes_subnormals: bool,
    gate: str,
) -> Verdict:
    case, options = claim.case, corpus.options(claim.case)
    grade: Literal["standard", "hra"] = "hra" if claim.grade == "hra" else "standard"
    question = corpus.Question(case.operation, dict(arguments), options)
    reference, tolerance = _truth(
        claim, question, oracle, rules, grade, flushes_subnormals
    )
    allowed = tolerance.allowed
    if reference.hi.shape != array.shape:
        raise SuiteError(
            f"{claim.key}: reference has shape {reference.hi.shape}; "
            f"expected {array.shape}"
        )
    empty = vacuity(reference, allowed)
    if empty >= 1 and case.level == "required" and claim.grade != "contract":
        raise SuiteError(
            f"{claim.key}: vacuity {empty:.3g}: zeros would pass; drop the grade "
            "or make it a contract case"
        )
    found = measure(array, reference, allowed, claim.dtype)
    if found is None:
        return _decide(
            claim, observation, True, "reference", "", gate, theorem=tolerance.theorem
        )
    observed = float(array[found.index])
    certified = float(reference.hi[found.index])
    passes = found.ratio <= 1
    outcome = "reference" if passes else _failure(array, observed, reference, found)
    return _decide(
        claim,
        observation,
        passes,
        outcome,
        "" if passes else f"expected {certified!r}, got {observed!r}",
        gate,
        error_ulp=found.error_ulp,
        allowed_ulp=found.allowed_ulp,
        ratio=found.ratio,
        vacuity=empty,
        theorem=tolerance.theorem,
        worst=Worst(found.index, observed.hex(), certified.hex()),
    )


def _failure(
    array: Array, observed: float, reference: Reference, found: Measure
) -> str:
    certified = float(reference.hi[found.index])
    if np.isnan(observed) and not np.isnan(certified):
        return "nan"
    if np.isinf(observed) and observed != certified:
        return "+inf" if observed > 0 else "-inf"
    if not np.any(array.astype(np.float64)) and np.any(reference.hi):
        return "zero"
    return "wrong number"


def _word(array: Array) -> str:
    """The name of an answer all of whose elements are alike, or ""."""
    if array.size == 0:
        return "empty"
    values = array.astype(np.float64)
    if np.all(np.isnan(values)):
        return "nan"
    for word, value in (("zero", 0.0), ("+inf", np.inf), ("-inf", -np.inf)):
        if np.all(values == value):
            return word
    return ""


def _decide(
    claim: Claim,
    observation: Observation,
    passes: bool,
    outcome: str,
    reason: str,
    gate: str,
    **measured: Any,
) -> Verdict:
    gates = claim.case.level != "optional" and (claim.grade != "hra" or gate == "hra")
    cls: Class = "pass" if passes else "fail" if gates else "miss"
    return _verdict(claim, observation, cls, outcome, reason, **measured)


def _verdict(
    claim: Claim,
    observation: Observation,
    cls: Class,
    outcome: str,
    reason: str,
    **measured: Any,
) -> Verdict:
    array = observation.array
    return Verdict(
        case=claim.case.id,
        operation=claim.case.operation,
        dtype=claim.dtype,
        device=claim.device,
        mode=claim.mode,
        grade=claim.grade,
        level=claim.case.level,
        cls=cls,
        outcome=outcome,
        reason=reason,
        answer_hash="" if array is None else answer_hash(array),
        message=observation.message,
        seconds=observation.seconds,
        topic=claim.case.topic,
        question=claim.case.question,
        **measured,
    )
