"""What the corpus must cover, and that zeros answer none of its questions.

How a case is read and refused is tested with the loader; this is about the cases.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from typing import Literal

import numpy as np
import pytest

from sxlit_conformance import corpus, generators, oracle, rules
from sxlit_conformance.exact import rounded
from sxlit_conformance.judge import vacuity
from sxlit_conformance.model import Case
from sxlit_conformance.operations import OPERATIONS

CASES = corpus.load()
IDS = {case.id for case in CASES}
GENERATORS = generators.GENERATORS


def test_there_are_enough_cases_of_each_operation() -> None:
    counts = Counter(case.operation for case in CASES)
    assert set(counts) == set(OPERATIONS)
    assert min(counts[o.name] for o in OPERATIONS.values() if not o.formula) >= 20
    assert counts.total() >= 700


def test_a_case_is_named_after_its_operation() -> None:
    assert [c.id for c in CASES if not c.id.startswith(c.operation + "/")] == []


def test_a_case_says_why_and_whence_in_public_words() -> None:
    for case in CASES:
        assert len(case.why.split()) >= 4, case.id
        assert case.source, case.id
        assert ".md" not in case.why + case.source, case.id


@pytest.mark.parametrize("n", [1, 2, 3, 10, 127, 128, 129, 1000, 32000, 131072])
def test_every_class_count_is_asked(n: int) -> None:
    assert f"softmax/classes-{n}" in IDS


def test_the_corpus_crosses_what_it_promises() -> None:
    def some(word: str, least: int) -> None:
        assert sum(word in name for name in IDS) >= least, word

    for word in ("gap-", "tied", "near-ties", "offset-", "ramp", "cliff-", "subnormal"):
        some(word, 1)
    for word in (
        "nan-",
        "minus-inf",
        "plus-inf",
        "axis-first",
        "axis-middle",
        "layout-",
    ):
        some(word, 7)
    for word in ("label-", "reduction-", "soft-", "empty-batch"):
        some(word, 5)
    assert {case.layout for case in CASES} >= {
        "fortran",
        "strided",
        "reversed",
        "readonly",
        "bigendian",
    }


# The rows of the library's edge-case contract, and how many cases ask of each at least.
# Exceptions. The wire carries no such array: longdouble, complex, objects, strings (the
# library's own tests refuse them). No operation takes it: check_targets.
CONTRACT = {
    "no classes": 10,
    "an ignored row": 24,
    "every row ignored": 7,
    "total weight 0": 6,
    "class weights negative, infinite or NaN": 6,
    "NaN": 8,
    "NaN target": 2,
    "NaN cotangent": 3,
    "all -inf": 7,
    "two or more +inf": 6,
    "exactly one +inf": 8,
    "-inf": 8,
    "-inf where the target is 0": 2,
    "-inf where the target is not 0": 4,
    "-inf where the class weight is 0": 9,
    "-inf through smoothing": 3,
    "the first row that applies decides": 1,
    "an empty batch": 4,
    "zero-size batch": 6,
    "label out of range": 10,
    "labels of a floating dtype": 2,
    "distributions of an integer dtype": 2,
    "shapes": 2,
    "shapes that would only broadcast": 7,
    "arguments in the wrong order": 2,
    "soft targets that do not sum to one": 2,
    "negative soft targets": 2,
    "integer or boolean logits": 12,
    "layouts": 25,
    "given probabilities": 12,
    "binary loss at an infinity": 5,
    "finite logits": 5,
    "finite logits give finite shares": 3,
    "axis": 1,
    "float16, bfloat16": 3,
}
CITED = Counter(
    next(
        (row for row in CONTRACT if case.source.endswith(": " + row)),
        case.source.removeprefix("edge-case contract: ").partition(",")[0],
    )
    for case in CASES
    if case.source.startswith("edge-case contract: ")
)


@pytest.mark.parametrize(("row", "least"), CONTRACT.items())
def test_each_row_of_the_edge_case_contract_is_asked(row: str, least: int) -> None:
    assert CITED[row] >= least


def test_no_case_cites_a_row_that_the_contract_lacks() -> None:
    assert set(CITED) <= set(CONTRACT)


@pytest.mark.parametrize("row", ["no classes", "shapes that would only broadcast"])
def test_every_operation_with_a_companion_is_asked(row: str) -> None:
    asked = {case.operation for case in CASES if row in case.source}
    wanted = [o for o in OPERATIONS.values() if len(o.arguments) > 1 and not o.formula]
    if row == "no classes":  # nor has what knows no class axis
        wanted = [o for o in wanted if "axis" in o.options]
    assert asked >= {operation.name for operation in wanted}


LOSSES = [name for name, o in OPERATIONS.items() if "ignore_index" in o.extras]
OPTIONS = ("weight", "ignore_index", "label_smoothing")


@pytest.mark.parametrize("operation", LOSSES)
def test_the_options_are_asked_alone_in_pairs_and_together(operation: str) -> None:
    asked = set()
    for case in CASES:
        if case.operation == operation and case.accept == ("reference",):
            given = {*case.options, *case.arguments} & set(OPTIONS)
            labels = case.arguments["targets"].dtype == "int64"
            reduction = corpus.options(case)["reduction"]
            asked.add((frozenset(given), labels, reduction))
    for count in range(len(OPTIONS) + 1):
        for given in itertools.combinations(OPTIONS, count):
            for reduction in ("mean", "none"):
                assert (frozenset(given), True, reduction) in asked
                if "ignore_index" not in given:
                    assert (frozenset(given), False, reduction) in asked


@pytest.mark.parametrize(
    "operation", ["binary_cross_entropy", "binary_cross_entropy_grad"]
)
def test_the_weights_of_the_binary_loss_are_asked_alone_and_together(
    operation: str,
) -> None:
    cases = [case for case in CASES if case.operation == operation]
    asked = {frozenset({*case.arguments} - {"logits", "targets"}) for case in cases}
    names = OPERATIONS[operation].named
    assert asked == {frozenset(), *map(frozenset, (names[:1], names[1:], names))}


@pytest.mark.parametrize("operation", LOSSES)
def test_a_one_hot_case_asks_exactly_what_its_label_asks(operation: str) -> None:
    cases = {c.id: c for c in CASES if c.operation == operation and not c.topic}
    pairs = [
        (case, cases[label])
        for name, case in cases.items()
        if (label := name.replace("-one-hot", "")) in cases
        and cases[label].arguments["targets"].dtype
        and label != name
    ]
    assert len(pairs) >= 6
    for pair in pairs:
        one, two = (
            oracle.reference(
                operation, corpus.materialise(c, "float64"), corpus.options(c)
            )
            for c in pair
        )
        np.testing.assert_array_equal(one.hi, two.hi)


@pytest.mark.parametrize("kind", ["b", "i"])
def test_integer_logits_reach_the_adapter_and_the_oracle(kind: str) -> None:
    found = [case for case in CASES if first_kind(case) == kind]
    found = [case for case in found if "reference" in case.accept]
    assert len({case.operation for case in found}) >= 5
    for case in found:
        assert case.dtypes == ("float64",)  # what the logits are promoted to
        assert 0 < worst_vacuity(case, "float64", "contract") < 1, case.id


def first_kind(case: Case) -> str:
    return next(iter(corpus.materialise(case, case.dtypes[0]).values())).dtype.kind


def test_nearly_every_case_is_asked_in_a_short_dtype_too() -> None:
    asked = [c for c in CASES if not c.topic and {"float32", "float64"} <= {*c.dtypes}]
    for dtype in ("float16", "bfloat16"):
        there = [case for case in asked if dtype in case.dtypes]
        assert len(there) > 0.85 * len(asked)
        assert all(case.not_in[dtype] for case in asked if case not in there)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_dtype_is_left_out_only_where_it_would_ask_something_else(
    dtype: str,
) -> None:
    """Where an input has no number, or the answer none, or all is one number."""
    for case in (c for c in CASES if dtype in c.not_in):
        wide = dataclasses.replace(case, dtypes=(dtype,))
        try:
            given = corpus.materialise(wide, dtype)
        except corpus.CorpusError:
            continue
        if case.layout == "bigendian":
            assert dtype == "bfloat16"
            continue
        before = corpus.materialise(wide, "float64")
        made_one = any(
            np.unique(array.astype(float)).size == 1 < np.unique(before[name]).size
            for name, array in given.items()
        )
        assert made_one or worst_vacuity(wide, dtype, "hra") >= 1, case.id


@pytest.mark.parametrize("operation", OPERATIONS)
def test_only_what_is_vacuous_is_asked_in_the_strict_grade_alone(
    operation: str,
) -> None:
    for case in (c for c in CASES if c.operation == operation):
        for dtype in case.hra_only:
            assert worst_vacuity(case, dtype, "standard") >= 1, (case.id, dtype)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_zeros_would_fail_every_value_case(operation: str) -> None:
    """No tolerance reaches the largest value of its case, whoever is judged."""
    for case in (c for c in CASES if c.operation == operation):
        if case.accept == ("reference",):
            for dtype in case.dtypes:
                for grade in case.graded(dtype):
                    assert 0 <= worst_vacuity(case, dtype, grade) < 1, (case.id, dtype)


def worst_vacuity(case: Case, dtype: str, grade: str) -> float:
    form: Literal["standard", "hra"] = "hra" if grade == "hra" else "standard"
    arguments, options = corpus.materialise(case, dtype), corpus.options(case)
    exact = oracle.reference(case.operation, arguments, options)
    found = []
    for flushes in (False, True):
        numerics = rules.required_numerics(dtype, flushes, form)
        allowed = rules.tolerance(case.operation, arguments, options, form, numerics)
        found.append(vacuity(exact, allowed.allowed))
    return max(found)


# ---------------------------------------------------------------- the generators


def test_every_generator_is_used_and_says_its_formula() -> None:
    used = {s.generator for case in CASES for s in case.arguments.values()}
    assert used - {""} == set(GENERATORS)
    for make in GENERATORS.values():
        assert make.__doc__


def test_generated_numbers_never_change() -> None:
    assert generators.moderate(1, 4, seed=1).tolist() == MODERATE
    assert generators.labels(6, 10, seed=14).tolist() == LABELS
    assert generators.grid(1, 4, 2, 1000, 0.5, 8).tolist() == GRID


MODERATE = [[1.109375, 0.96875, 1.484375, -2.703125]]
LABELS = [0, 4, 4, 3, 7, 3]
GRID = [[1003.0, 1003.0, 1000.0, 1003.0]]


def test_moderate_numbers_are_much_like_normal_ones() -> None:
    x = generators.moderate(1, 100_000, seed=3)
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1.15) < 0.02
    assert np.abs(x).max() < 4


@pytest.mark.parametrize("classes", [1, 2, 3, 10, 1000, 131072])
@pytest.mark.parametrize("total", [0.5, 1, 2, 3])
def test_soft_targets_are_positive_and_sum_exactly(classes: int, total: float) -> None:
    q = generators.soft(2, classes, seed=5, total=total)
    assert (q > 0).all()
    assert (q.astype(np.float32) == q).all()
    units = 2 * q * generators.PARTS
    assert (units == np.round(units)).all()
    assert (units.sum(axis=-1) == 2 * total * generators.PARTS).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("classes", [1, 2, 3, 10, 1000, 131072])
@pytest.mark.parametrize("total", [0.5, 1, 2, 3])
def test_soft_targets_sum_exactly_in_a_short_dtype(
    classes: int, total: float, dtype: str
) -> None:
    q = generators.soft(2, classes, seed=5, total=total, dtype=dtype)
    short = rounded(q, dtype)
    assert (short.astype(np.float64) == q).all()
    assert (q > 0).all()
    assert [math.fsum(row) for row in q.tolist()] == [total, total]


def test_one_hot_targets_are_the_labels() -> None:
    q = generators.one_hot(6, 10, seed=14)
    assert q.argmax(axis=-1).tolist() == generators.labels(6, 10, seed=14).tolist()
    assert q.sum() == 6
