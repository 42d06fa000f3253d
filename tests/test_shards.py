"""The sharded vocabulary: exact merges, an adversary, and floats, for any cut."""

# ruff: noqa: N806 (the symbols of the book)
from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import ml_dtypes
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

import sxlit
from adversary import ROWS, Arithmetic, worst
from enclosures import Balls, Row, ball, logsumexp, precision, ratio, total
from single import rows as float_rows
from strategies import cast, numbers
from sxlit.bounds import Numerics
from sxlit.shards import (
    ShardState,
    merge_shards,
    read_shard,
    sharded_gradient,
    sharded_loss,
    sharded_numerics,
)
from test_chapter_08 import label_gradient, label_loss

Cuts = list[int]


@pytest.fixture(autouse=True)
def _bits() -> Iterator[None]:
    with ctx.workprec(300):
        yield


def slices(cuts: Cuts) -> list[slice]:
    return [slice(a, b) for a, b in pairwise(cuts)]


def read(x: np.ndarray, y: Sequence[int], cuts: Cuts) -> list[ShardState]:
    return [read_shard(x[:, part], y, part.start) for part in slices(cuts)]


def sharded(
    x: np.ndarray, y: Sequence[int], cuts: Cuts
) -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient of every row."""
    whole = merge_shards(read(x, y, cuts))
    parts = [sharded_gradient(x[:, s], y, s.start, whole) for s in slices(cuts)]
    return sharded_loss(whole, y), np.concatenate(parts, axis=1)


# Exactly, in fractions: a row is the list of its weights e^(x_j)


def pair(weights: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
    return max(weights), sum(weights) / max(weights) - 1


@pytest.mark.theorem("cor-shards-merge")
def test_the_merge_is_the_pair_of_the_whole_row():
    """For rows with ties, in any order of any shards."""
    rng = np.random.default_rng(1)
    for _ in range(300):
        row = [Fraction(int(w), 3) for w in rng.integers(1, 9, rng.integers(2, 12))]
        count = int(rng.integers(1, len(row) + 1))
        inner = sorted(rng.choice(np.arange(1, len(row)), count - 1, replace=False))
        parts = [row[part] for part in slices([0, *map(int, inner), len(row)])]
        pairs = [pair(parts[k]) for k in rng.permutation(count)]
        m = max(top for top, _ in pairs)
        a = [top for top, _ in pairs].index(m)
        t = pairs[a][1]
        t += sum(top / m * (1 + u) for k, (top, u) in enumerate(pairs) if k != a)
        assert (m, t) == pair(row)


# An adversary, who errs by all that one process may


COARSE = {
    "no underflow": Numerics(2.0**-10, 2.0**-10, 2.0**-10, 0.0),
    "underflow": Numerics(2.0**-10, 2.0**-10, 2.0**-10, 2.0**-22),
    "coarse": Numerics(2.0**-9, 2.0**-9, 2.0**-9, 2.0**-20, height=2.0),
}
NUMERICS = pytest.mark.parametrize("numerics", COARSE.values(), ids=COARSE)


def part_sum(a: Arithmetic, terms: Balls) -> arb:
    """A sum inside of a shard, in any order that the numerics admit."""
    height = min(a.numerics.height + float(np.log2(max(len(terms), 1))), len(terms) - 1)
    each = max(height, 0.0) * precision(arb(a.numerics.accumulate))
    return total(term * (a.sign() * each).exp() for term in terms)


def add(a: Arithmetic, left: arb, right: arb) -> arb:
    """Of weights, which lose nothing; and nothing happens to a zero."""
    return left + right if left == 0 or right == 0 else a.add(left, right, 0.0)


def one_round(a: Arithmetic, row: Row, cuts: Cuts, y: int) -> Balls:
    """Loss and gradient by eq-shards-merge, eq-shards-gradient, -complement."""
    parts = [list(range(row.C))[part] for part in slices(cuts)]
    tops = [max(part, key=lambda j: float(row.x[j])) for part in parts]
    first = next(k for k, j in enumerate(tops) if row.x[j] == row.m)
    weights, scales, t = dict[int, arb](), [], arb(0)
    for k, (part, top) in enumerate(zip(parts, tops, strict=True)):
        for j in part:
            gap = row.x[top] - row.x[j]
            gap = arb(0) if gap == 0 else a.subtract(row.x[top], row.x[j])
            weights[j] = arb(1) if j == top else a.exp(-gap)
        tail = part_sum(a, [weights[j] for j in part if j != top])
        if k == first:
            scales.append(arb(1))
            t = add(a, t, tail)
        else:
            distance = a.subtract(row.m, row.x[top])
            scales.append(a.exp(-distance))
            t = add(a, t, a.multiply(scales[-1], add(a, arb(1), tail)))
    norm = add(a, arb(1), t)
    gap = arb(0) if row.x[y] == row.m else a.subtract(row.m, row.x[y])
    answers = [a.store(a.add(gap, a.log1p(t)))]
    for part, scale in zip(parts, scales, strict=True):
        factor = a.divide(scale, norm)
        for j in part:
            if j != y:
                answers.append(a.store(a.multiply(weights[j], factor)))
                continue
            others = t
            if row.x[y] != row.m:
                own = a.multiply(weights[y], scale)
                others = a.add(arb(1), a.subtract(t, own, 0.5), 0.0)
            answers.append(-a.store(a.divide(others, norm)))
    return answers


def two_rounds(a: Arithmetic, row: Row, cuts: Cuts, y: int) -> Balls:
    """The same with weights beside the common maximum; tails and tops are counted."""
    weights = [arb(1) if x == row.m else a.exp(-a.subtract(row.m, x)) for x in row.x]
    t, tops = arb(0), 0
    for part in slices(cuts):
        inside = list(range(row.C))[part]
        own = [j for j in inside if row.x[j] == row.m][:1]
        tops += len(own)
        t = add(a, t, part_sum(a, [weights[j] for j in inside if j not in own]))
    t = add(a, t, arb(tops - 1))
    norm = add(a, arb(1), t)
    gap = arb(0) if row.x[y] == row.m else a.subtract(row.m, row.x[y])
    answers = [a.store(a.add(gap, a.log1p(t)))]
    for j, weight in enumerate(weights):
        if j != y:
            answers.append(a.store(a.divide(weight, norm)))
            continue
        others = t
        if row.x[y] != row.m:
            others = a.add(arb(1), a.subtract(t, weight, 0.5), 0.0)
        answers.append(-a.store(a.divide(others, norm)))
    return answers


def allowed(row: Row, y: int) -> Balls:
    """The page's bounds of the loss and of every entry of the gradient."""
    none = arb(0)
    slopes = label_gradient(row, y, "hra", arb(1), none)
    return [label_loss(row, y, "hra", None, none), *slopes]


def wanted(row: Row, y: int) -> Balls:
    slopes = [-row.c[j] if j == y else row.p[j] for j in range(row.C)]
    return [-row.log_p[y], *slopes]


def cut_rows() -> Iterator[tuple[list[float], Cuts]]:
    for x in [*ROWS, [1.0, 2.0, -3.0, 2.0, 2.0], [-4.0, 0.5, 0.25, 8.0, 0.0, -1.0]]:
        for cuts in ([0, 1, len(x)], [0, len(x) - 1, len(x)], [0, 1, 2, len(x)]):
            if cuts[-1] > cuts[-2] and len(x) >= len(cuts) - 1:
                yield x, cuts


@NUMERICS
@pytest.mark.theorem("thm-sharded-numerics")
def test_an_adversary_stays_within_the_bounds_of_the_shards(numerics):
    """Of loss and gradient, for every label; one process's bounds would not do."""
    found, too_little = [], []
    for x, cuts in cut_rows():
        K, alone = len(cuts) - 1, Row(x, numerics)
        merged = Row(x, sharded_numerics(numerics, K))
        assert merged.smallness <= arb(1) / 8
        for y in range(len(x)):

            def answers(
                a: Arithmetic, row: Row, y: int = y, cuts: Cuts = cuts
            ) -> Balls:
                return one_round(a, row, cuts, y)

            exact = wanted(alone, y)
            found.append(worst(alone, answers, exact, allowed(merged, y)))
            too_little.append(worst(alone, answers, exact, allowed(alone, y)))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.5
    assert max(too_little) > 1


@NUMERICS
@pytest.mark.theorem("cor-two-rounds")
def test_an_adversary_stays_within_the_bounds_of_two_rounds(numerics):
    found = []
    for x, cuts in cut_rows():
        alone = Row(x, numerics)
        taller = replace(numerics, height=numerics.height + len(cuts))
        for y in range(len(x)):

            def answers(
                a: Arithmetic, row: Row, y: int = y, cuts: Cuts = cuts
            ) -> Balls:
                return two_rounds(a, row, cuts, y)

            bounds = allowed(Row(x, taller), y)
            found.append(worst(alone, answers, wanted(alone, y), bounds))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.5


# In floats


def exact_answers(x: np.ndarray, y: int) -> Balls:
    """Loss and gradient of one row, enclosed, with a complement that is a sum."""
    with ctx.workprec(2000):
        e = [(ball(v) - ball(x.max())).exp() for v in x.tolist()]
        s = total(e)
        others = total(e[:y] + e[y + 1 :])
        slopes = [w / s for w in e]
        slopes[y] = -others / s
        return [(others / e[y]).log1p(), *slopes]


def bounds(x: np.ndarray, y: Sequence[int], numerics: Numerics) -> np.ndarray:
    asked = {"numerics": numerics, "reduction": "none"}
    loss = sxlit.bounds.cross_entropy(x, y, **asked)
    return np.column_stack([loss, sxlit.bounds.cross_entropy_grad(x, y, **asked)])


def random_cuts(rng: np.random.Generator, classes: int, count: int) -> Cuts:
    inner = rng.choice(np.arange(1, classes), count - 1, replace=False)
    return [0, *sorted(map(int, inner)), classes]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 17, 200])
@pytest.mark.theorem("thm-sharded-numerics")
def test_floats_stay_within_the_bounds_of_the_shards(dtype, classes):
    """Any cut of rows that are calm, tied, far from 0, wide, dominated and tiny."""
    rng, found = np.random.default_rng(classes), []
    for sorted_row in float_rows(classes):
        row = rng.permutation(sorted_row).astype(dtype)
        labels = sorted({0, classes - 1, int(row.argmax()), int(row.argmin())})
        x = np.repeat(row[None, :], len(labels), axis=0)
        truth = [exact_answers(row, y) for y in labels]
        for count in sorted({1, 2, min(3, classes), min(16, classes), classes}):
            numerics = sharded_numerics(Numerics.required(dtype), count)
            loss, slope = sharded(x, labels, random_cuts(rng, classes, count))
            answers = np.column_stack([loss, slope]).tolist()
            limits = bounds(x, labels, numerics).tolist()
            for answer, exact, limit in zip(answers, truth, limits, strict=True):
                pairs = [ball(value) for value in limit]
                found.append(ratio(answer, exact, pairs))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.01


@pytest.mark.theorem("thm-sharded-numerics")
def test_the_naive_forms_leave_the_bounds():
    """One log-sum-exp from each shard, and p - 1: the bounds can be missed."""
    x, y = np.array([[20, 0, 0]], np.float32), [0]
    limit = bounds(x, y, sharded_numerics(Numerics.required("float32"), 2))[0]
    exact = exact_answers(x[0], 0)
    both = np.logaddexp(*(sxlit.logsumexp(x[:, part]) for part in slices([0, 1, 3])))
    naive = [both[0] - x[0, 0], np.exp(x[0, 0] - both[0]) - 1]
    for value, true, bound in zip(naive, exact[:2], limit[:2].tolist(), strict=True):
        assert abs(ball(value) - true) > 1e5 * ball(bound)


@given(
    st.lists(numbers(), min_size=2, max_size=9),
    st.data(),
    st.sampled_from(["float32", "float64"]),
)
def test_any_split_is_the_unsplit_result_within_both_bounds(values, data, dtype):
    row = cast(values, dtype)[None, :]
    label = data.draw(st.integers(0, len(values) - 1))
    inner = data.draw(st.sets(st.integers(1, len(values) - 1)))
    cuts = [0, *sorted(inner), len(values)]
    f = Numerics.required(dtype)
    whole, split = (sharded(row, [label], c) for c in ([0, len(values)], cuts))
    limit = bounds(row, [label], sharded_numerics(f, len(cuts) - 1))
    limit = limit + bounds(row, [label], f)
    found = np.abs(np.column_stack(whole).astype(float) - np.column_stack(split))
    assert (found <= limit).all()


# Bits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.theorem("thm-shard-bits")
def test_shards_that_hold_nothing_change_no_bit(dtype):
    """Empty or masked, any number of them, anywhere."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        x = (20 * rng.standard_normal((4, 12))).astype(dtype)
        x[rng.random(x.shape) < 0.2] = x.max()
        y = rng.integers(0, 12, 4)
        cuts = random_cuts(rng, 12, 3)
        states = read(x, y, cuts)
        plain = merge_shards(states)
        empty = read_shard(np.empty((4, 0), dtype), y, 12)
        masked = read_shard(np.full((4, 3), -np.inf, dtype), y, 12)
        for _ in range(3):
            states.insert(int(rng.integers(len(states) + 1)), empty)
            states.insert(int(rng.integers(len(states) + 1)), masked)
        crowded = merge_shards(states)
        for a, b in zip(plain, crowded, strict=True):
            assert a.tobytes() == b.tobytes()
        part = slices(cuts)[1]
        slopes = [
            sharded_gradient(x[:, part], y, part.start, whole)
            for whole in (plain, crowded)
        ]
        assert slopes[0].tobytes() == slopes[1].tobytes()
        for a, b in zip(merge_shards([plain]), plain, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.theorem("thm-shard-bits")
def test_every_cut_of_a_level_row_gives_the_same_bits(dtype):
    rng = np.random.default_rng(4)
    for level in (0.0, -3.7, 1e30):
        for classes in (2, 7, 1000):
            x = np.full((2, classes), level, dtype)
            x[1, rng.random(classes) < 0.5] = -np.inf
            x[1, 0] = level
            y = [classes - 1, 0]
            alone = sharded(x, y, [0, classes])
            for count in sorted({2, min(5, classes), classes}):
                cut = sharded(x, y, random_cuts(rng, classes, count))
                assert [a.tobytes() for a in cut] == [a.tobytes() for a in alone]


# What the contract says of everything else


@pytest.mark.parametrize("cuts", [[0, 4], [0, 1, 4], [0, 0, 2, 4], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_and_nans_are_those_of_the_library(cuts, dtype):
    """Every row of four among six values, for every label."""
    values = [-np.inf, np.inf, np.nan, 0.0, 1.0, 20.0]
    x = np.array(list(product(values, repeat=4)), dtype)
    for label in range(4):
        y = np.full(len(x), label)
        loss, slope = sharded(x, y, cuts)
        near = {"rtol": 1e-5, "atol": 0, "equal_nan": True}
        assert np.allclose(loss, sxlit.cross_entropy(x, y, reduction="none"), **near)
        exact = sxlit.cross_entropy_grad(x, y, reduction="sum")
        assert np.allclose(slope, exact, **near)


def test_rows_that_are_left_out_cost_nothing_whatever_they_hold():
    x, y = np.array([[1.0, 2.0], [np.nan, np.inf]]), np.array([1, -100])
    whole = merge_shards(read(x, y, [0, 1, 2]))
    assert sharded_loss(whole, y, ignore_index=-100)[1] == 0
    slope = sharded_gradient(x[:, 1:], y, 1, whole, ignore_index=-100)
    assert slope[1, 0] == 0 != slope[0, 0]


def test_arguments_are_not_written_to_and_halves_are_computed_in_float32():
    for dtype in (np.float16, ml_dtypes.bfloat16):
        x = np.array([[1.0, 2.0, 20.0]]).astype(dtype)
        before = x.tobytes()
        loss, slope = sharded(x, [2], [0, 1, 3])
        assert (loss.dtype, slope.dtype) == (np.float32, dtype)
        assert x.tobytes() == before
        assert 0 < loss[0] < 1e-7
    assert read_shard([[1, 2]], [0], 0).shift.dtype == np.float64


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: read_shard([1.0], [0], 0), ValueError, "shape \\(N, C_k\\)"),
        (lambda: read_shard([[1.0]], [0.0], 0), TypeError, "labels: expected integers"),
        (lambda: read_shard([[1.0]], [0, 1], 0), ValueError, "one for each row"),
        (lambda: merge_shards([]), ValueError, "at least one shard"),
        (
            lambda: sharded_loss(read_shard([[1.0]], [7], 0), [7]),
            ValueError,
            "labels\\[0\\] is 7, a class of no shard",
        ),
        (lambda: sharded_numerics(COARSE["coarse"], 0), ValueError, "at least 1"),
        (
            lambda: sharded_numerics(Numerics.required("bfloat16"), 2),
            ValueError,
            "sums in the precision of all else",
        ),
    ],
)
def test_bad_input_is_refused_in_words(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_merged_state_is_that_of_log_sum_exp():
    x = np.array([[0.25, 9.0, -3.0, 9.0]])
    whole = merge_shards(read(x, [0], [0, 2, 4]))
    value = ball(float(whole.shift[0])) + (1 + ball(float(whole.tail[0]))).log()
    assert abs(value - logsumexp(x[0].tolist())) < 1e-14


# Without a framework


@pytest.mark.parametrize(
    ("module", "framework", "call"),
    [
        ("shards_torch", "torch", "sharded_cross_entropy(None, None, 0)"),
        ("shards_torch", "torch", "on_processes(print, [])"),
        ("shards_jax", "jax", "sharded_cross_entropy(0, 0, mesh=None, axis='')"),
    ],
)
def test_a_missing_framework_is_named_when_it_is_needed(module, framework, call):
    """And not before: the module itself can be imported."""
    script = (
        f"import sys; sys.modules[{framework!r}] = None; "
        f"from sxlit.{module} import *; {call}"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert f"python -m pip install 'sxlit[{framework}]'" in done.stderr
