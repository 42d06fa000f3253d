"""What a terminal shows: a case with its truth, and the outcome of a run."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from sxlit_conformance import corpus
from sxlit_conformance.judge import Oracle, Rules, ulp, vacuity
from sxlit_conformance.model import Array, Case, Verdict
from sxlit_conformance.record import Record
from sxlit_conformance.report import number
from sxlit_conformance.repro import word

_SHOWN = 12  # elements of an array
_LONG = 1000  # from this index on a program holds one element, not the whole truth
_FAILING = ("fail", "crashed", "timed out", "fixed")


def case_text(case: Case, oracle: Oracle, rules: Rules) -> str:
    """What a case asks, why, its exact input, the certified result and the bounds."""
    return "\n".join([*_question(case), *_answers(case, oracle, rules)])


def _question(case: Case) -> Iterator[str]:
    options = [f"{k}={v}" for k, v in corpus.options(case).items()]
    yield f"{case.id}: {case.operation}({', '.join([*case.arguments, *options])})"
    yield from textwrap.wrap(case.why, 86, initial_indent="  ", subsequent_indent="  ")
    yield f"  source   {case.source}"
    if case.topic:
        yield f"  survey   {case.topic}: {case.question}"
    within = {"reference": "the certified value within its bound"}
    accepted = " or ".join(within.get(outcome, outcome) for outcome in case.accept)
    yield f"  level    {case.level}"
    yield f"  accepted {accepted}"
    yield f"  dtypes   {', '.join(case.dtypes)}; grades: {', '.join(case.grades)}"
    if case.hra_only:
        yield f"  hra only {', '.join(case.hra_only)}"
    for name, reason in case.not_in.items():
        yield f"  not in   {name}: {reason}"
    if case.layout != "contiguous":
        yield f"  layout   {case.layout}"
    for name, source in case.arguments.items():
        if source.generator:
            given = ", ".join(f"{k}={v}" for k, v in source.parameters.items())
            yield f"  {name} is {source.generator}({given})"


def _answers(case: Case, oracle: Oracle, rules: Rules) -> Iterator[str]:
    for dtype in case.dtypes:
        arguments = corpus.materialise(case, dtype)
        yield f"\n{dtype}"
        for name, array in arguments.items():
            yield f"  {name:<11}{array.dtype.name}{array.shape} {_elements(array)}"
        options = corpus.options(case)
        if case.topic:
            for name, question in corpus.meanings(case, dtype):
                value = oracle(*question).hi
                yield f"  {name}: {value.shape} {_elements(value)}"
            continue
        try:
            reference = oracle(case.operation, arguments, options)
        except ValueError as error:
            if "reference" in case.accept:
                raise
            yield f"  no certified value: {error}"
            continue
        yield f"  certified{reference.hi.shape} {_elements(reference.hi)}"
        if np.any(reference.lo) and reference.lo.size <= 4:
            yield f"  plus     {_elements(reference.lo)}"
        if "reference" not in case.accept:
            continue
        for grade in case.graded(dtype):
            form: Literal["standard", "hra"] = "hra" if grade == "hra" else "standard"
            numerics = rules.required_numerics(dtype, False, form)
            allowed = rules.tolerance(
                case.operation, arguments, options, form, numerics
            )
            finite = np.isfinite(reference.hi)
            if not finite.any():
                yield f"  {grade:<9}the special values, exactly"
                continue
            units = [
                float(error) / ulp(float(value), dtype)
                for error, value in zip(
                    allowed.allowed[finite], reference.hi[finite], strict=True
                )
            ]
            yield (
                f"  {grade:<9}allows {number(min(units))} to {number(max(units))} ulp, "
                f"vacuity {vacuity(reference, allowed.allowed):.2g}; "
                f"{allowed.theorem}, chapter {allowed.chapter}"
            )


def _elements(array: Array) -> str:
    flat = array.ravel()
    read = int if flat.dtype.kind in "iub" else float
    shown = [read(value) for value in flat[:_SHOWN]]
    words = [word(value) for value in shown]
    if flat.size <= 4:
        words = [
            f"{w} = {value:.9g}" if "x" in w else w
            for w, value in zip(words, shown, strict=True)
        ]
    more = f" ... ({flat.size} in all)" if flat.size > _SHOWN else ""
    return "[" + ", ".join(words) + more + "]"


def summary(record: Record, stderr: Mapping[str, str], limit: int = 20) -> str:
    """An adapter's counts, then each claim that it fails, and how to see it."""
    return "\n".join(_summary(record, stderr, limit))


def _summary(record: Record, stderr: Mapping[str, str], limit: int) -> Iterator[str]:
    header, footer = record.header, record.footer
    counts = ", ".join(f"{count} {cls}" for cls, count in footer["classes"].items())
    name = f"{header['adapter']} {header['version']}".strip()
    yield f"{name}: {header['planned']} claims: {counts}"
    known = Counter(v.ledger for v in record.verdicts if v.cls == "known")
    for entry, count in sorted(known.items()):
        yield f"  known {entry}: {count}"
    failing = [v for v in record.verdicts if v.cls in _FAILING]
    for verdict in failing[:limit]:
        yield from _failure(header["location"], verdict, stderr.get(verdict.key, ""))
    if len(failing) > limit:
        yield f"  and {len(failing) - limit} more; --record keeps them all"
    idle = Counter(v.reason for v in record.verdicts if v.cls == "not run")
    for reason, count in idle.items():
        yield f"  not run: {count}: {reason}"
    for problem in footer["problems"]:
        yield f"  {problem}"
    if footer["ignored"]:
        ignored = ", ".join(footer["ignored"])
        yield f"  ledger entries for other versions or platforms: {ignored}"


def _failure(adapter: str, verdict: Verdict, stderr: str) -> Iterator[str]:
    yield f"  {verdict.cls.upper()} {verdict.key}: {verdict.outcome}"
    if verdict.reason:
        yield f"    {verdict.reason}"
    if verdict.message and verdict.message not in verdict.reason:
        yield f"    {verdict.message}"
    if verdict.worst is not None:
        measured = f"    at {verdict.worst.index}"
        if verdict.error_ulp is not None:
            measured += f": off by {number(verdict.error_ulp)} ulp"
            measured += f", allowed {number(verdict.allowed_ulp)}"
        empty = f", vacuity {number(verdict.vacuity)}" if verdict.vacuity else ""
        yield f"{measured} ({verdict.theorem}{empty})"
    if last := [line for line in stderr.splitlines() if line.strip()]:
        yield f"    stderr: {last[-1].strip()[:200]}"
    words = ["sxlit-conformance", "repro", verdict.case, adapter]
    words += ["--dtype", verdict.dtype]
    words += [] if verdict.device == "cpu" else ["--device", verdict.device]
    words += [] if verdict.mode == "eager" else ["--mode", verdict.mode]
    words += ["--grade", "hra"] if verdict.grade == "hra" else []
    if verdict.worst is not None and max(verdict.worst.index, default=0) > _LONG:
        words += ["--at", ",".join(map(str, verdict.worst.index))]
    yield f"    {shlex.join(words)}"
