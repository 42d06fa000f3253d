"""sxlit.fast: the contract of sxlit at the speed of memory, and bits that stay."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import flint
import ml_dtypes
import numba
import numpy as np
import pytest
from flint import arb

import sxlit
from every_function import LAYOUTS
from sameness import same_bits
from sxlit import bounds, fast, fastdispatch, fastmemory, fastout, fastrows, halves
from sxlit.accurate import count_undecided
from sxlit.fastbinary import BLOCK, log1p_share
from sxlit.fastexp import LIFT, lifted_exp
from sxlit.jit import compiled
from sxlit.rowthreads import CREW

ROOT = Path(__file__).parent.parent
INF, NAN = np.inf, np.nan
WIDE = pytest.mark.parametrize("dtype", ["float32", "float64"])
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
ALL = pytest.mark.parametrize(
    "dtype", [np.float16, BFLOAT16, np.float32, np.float64], ids=str
)
NUMBERS: dict[str, Any] = {"float32": np.float32, "float64": np.float64}


def some_rows(dtype: Any, classes: int, rows: int = 6, seed: int = 0) -> Any:
    """Rows of different spreads: ordinary, dominated, tied, far from 0, wide."""
    x = np.random.default_rng(seed).standard_normal((rows, classes))
    for r, change in enumerate(
        (lambda v: 3 * v, lambda v: v + 20.0 * (v == v.max()), lambda v: 0 * v)
    ):
        x[r::6] = change(x[r])
    x[3::6] += 1e4 if np.dtype(dtype).itemsize > 2 else 10
    x[4::6] *= 30
    return x.astype(dtype)


# ------------------------------------------------------------------------- exp


@compiled()
def exp_of(d: Any) -> Any:
    return lifted_exp(d)


def errors_above(low: float, high: float, slope: float) -> tuple[int, int]:
    """How many floats from 0 to -87.336 have an exp that is more than so wrong.

    What is allowed is a number plus the slope times the gap.
    """
    last = int(np.array(87.336, np.float32).view(np.int32)) + 1

    @numba.njit(error_model="numpy")
    def found() -> Any:
        bits, d = np.empty(4096, np.int32), np.empty(4096, np.float32)
        above_low, above_high = 0, 0
        for start in range(0, last, 4096):
            for i in range(4096):
                bits[i] = min(start + i, last - 1)
            d[:] = bits.view(np.float32)
            for i in range(4096):
                exact = lifted_exp(-np.float64(d[i])) * 2.0**-32  # LIFT over LIFT
                error = abs(np.float64(lifted_exp(-d[i])) - exact)
                more = slope * d[i]
                above_low += 1 if error > (low + more) * exact else 0
                above_high += 1 if error > (high + more) * exact else 0
        return above_low, above_high

    above_low, above_high = found()
    return int(above_low), int(above_high)


@pytest.mark.theorem("thm-fast-exp")
def test_exp_of_every_float32() -> None:
    unit = 2.0**-24
    some, none = errors_above(1.0614 * unit, 1.0616 * unit, 0.0462 * unit)
    assert some > 0 == none


@pytest.mark.theorem("thm-fast-exp")
def test_exp_in_float64_against_enclosures() -> None:
    rng = np.random.default_rng(1)
    d = np.concatenate([-(10 ** rng.uniform(-18, 2.84, 20_000)), [0.0, -708.0]])
    e = np.array([exp_of(v) for v in d]) / LIFT["float64"]
    flint.ctx.prec = 120
    worst = max(
        abs((arb(float(a)) / arb(float(v)).exp() - 1).mid()).__float__()
        for v, a in zip(d, e, strict=True)
    )
    assert 2.0**-54 < worst <= 1.2928 * 2.0**-53


@pytest.mark.theorem("thm-fast-exp")
def test_exp_at_the_ends() -> None:
    assert exp_of(np.float32(0)) == LIFT["float32"]
    assert exp_of(0.0) == LIFT["float64"]
    for d in (-110.0, -1e4, -3e38, -INF):
        assert np.float32(exp_of(np.float32(d))) * np.float32(2.0**-32) == 0.0
    for d in (-746.0, -1e300, -INF):
        assert exp_of(d) * 2.0**-64 == 0.0
    tiny = np.float32(exp_of(np.float32(-100.0))) * np.float32(2.0**-32)
    assert abs(float(tiny) - np.exp(-100.0)) <= 2.0**-150  # half a subnormal


@compiled()
def log1p_of(e: Any, out: Any) -> None:
    for i in range(e.size):
        out[i] = log1p_share(e[i])


@WIDE
def test_log1p_of_a_share(dtype: str) -> None:
    e = np.random.default_rng(2).uniform(0, 1, 20_000)
    e = np.concatenate([e, e**20, [0.0, 1.0]]).astype(dtype)
    out = np.empty_like(e)
    log1p_of(e, out)
    flint.ctx.prec = 120
    unit = float(np.finfo(dtype).eps) / 2
    least = float(np.finfo(dtype).smallest_subnormal)
    for v, a in zip(e.tolist(), out.tolist(), strict=True):
        exact = arb(v).log1p()
        assert abs(arb(a) - exact) <= 9 * unit * exact + least


def test_what_is_for_compiled_code_says_so() -> None:
    with pytest.raises(NotImplementedError, match="compiled code"):
        log1p_share(0.0)
    with pytest.raises(NotImplementedError, match="intrinsic"):
        lifted_exp(0.0)


# ------------------------------------------------------------------------ sums


@compiled()
def sum_of(e: Any) -> Any:
    return fastrows.tile_sum(e, 0, e.size)


@compiled()
def row_of(x: Any, e: Any) -> Any:
    shift, place = fastrows.top(x, 0)
    return fastrows.weigh(x, 0, shift, place, e)


def additions(size: int, dtype: str) -> int:
    """The height of a tile's tree: each lane from left to right, lanes in halves."""
    lanes = 128 // np.dtype(dtype).itemsize
    return min(-(-size // lanes) - 1 + lanes.bit_length() - 1, size - 1)


@pytest.mark.theorem("lem-fast-sum")
@WIDE
@pytest.mark.parametrize("size", [1, 2, 3, 10, 63, 64, 65, 256, 257, 511, 512])
def test_a_tile_is_summed_in_a_low_tree(dtype: str, size: int) -> None:
    rng = np.random.default_rng(size)
    for power in (1, 8):
        e = (rng.random(size) ** power).astype(dtype)
        found = sum_of(e)
        exact = sum(map(Fraction, e.tolist()))
        unit = Fraction(float(np.finfo(dtype).eps) / 2)
        height = additions(size, dtype)
        assert abs(Fraction(float(found)) - exact) <= exact * height * unit / (
            1 - height * unit
        )


@pytest.mark.theorem("lem-fast-sum")
@WIDE
def test_the_tail_of_a_row_is_relatively_accurate(dtype: str) -> None:
    """From weights that are exact powers of two, so that only sums are tested."""
    one = LIFT[dtype]
    for classes in (33, 1000, 5000):
        for gap in (0, 2, 30):
            x = np.full((1, classes), -gap * np.log(2), dtype)
            x[0, classes // 2] = 0.0
            e = np.empty((1, classes), dtype)
            found, _, _ = row_of(x, e)
            exact = sum(map(Fraction, e[0].tolist())) / Fraction(one) - 1
            assert e[0, classes // 2] == one
            assert abs(Fraction(found) - exact) <= exact * 37 * Fraction(
                float(np.finfo(dtype).eps) / 2
            )


@WIDE
@pytest.mark.parametrize("classes", [3, 40, 1000, 3000])
def test_a_nan_is_seen_wherever_it_stands_and_whatever_its_bits(
    dtype: str, classes: int
) -> None:
    whole = np.dtype(f"u{np.dtype(dtype).itemsize}")
    top = int(np.array(np.inf, dtype).view(whole))
    sign = 1 << (8 * whole.itemsize - 1)
    x = np.random.default_rng(0).standard_normal((3, classes)).astype(dtype)
    for bits in (top + 1, top + 2**20 + 5, sign + top + 1, 2 * sign - 1):
        for place in {0, classes // 2, classes - 1}:
            for row in range(3):
                y = x.copy()
                y.view(whole)[row, place] = bits
                p = fast.softmax(y)
                assert np.isnan(p[row]).all()
                others = np.arange(3) != row
                assert same_bits(p[others], fast.softmax(x)[others])


# ---------------------------------------------------------------------- bounds


def exact_row(x: list[float]) -> tuple[list[arb], arb]:
    flint.ctx.prec = 1300  # below the smallest subnormal
    weights = [arb(v).exp() for v in x]
    return weights, sum(weights, arb(0))


def within(found: Any, exact: list[arb], allowed: Any) -> None:
    for a, b, most in zip(
        np.ravel(found).tolist(), exact, np.ravel(allowed).tolist(), strict=True
    ):
        assert abs(arb(a) - b) <= arb(most), (a, b, most)


@pytest.mark.theorem("thm-fast-bounds")
@WIDE
@pytest.mark.parametrize("classes", [1, 2, 3, 10, 32, 33, 300, 2100])
def test_results_are_within_the_strict_bounds(dtype: str, classes: int) -> None:
    asked: dict[str, Any] = {
        "numerics": bounds.Numerics.required(dtype),
        "grade": "hra",
    }
    x = some_rows(dtype, classes)
    for row in x:
        weights, total = exact_row(row.tolist())
        lse = total.log()
        within(fast.logsumexp(row), [lse], bounds.logsumexp(row, **asked))
        p = [w / total for w in weights]
        within(fast.softmax(row), p, bounds.softmax(row, **asked))
        logs = [arb(v) - lse for v in row.tolist()]
        within(fast.log_softmax(row), logs, bounds.log_softmax(row, **asked))
        for label in {int(row.argmax()), 0}:
            loss, grad = fast.cross_entropy_with_grad(row, label)
            within(loss, [-logs[label]], bounds.cross_entropy(row, label, **asked))
            slopes = [
                sum(p[:i] + p[i + 1 :], arb(0)) * -1 if i == label else p[i]
                for i in range(classes)
            ]
            bound = bounds.cross_entropy_grad(row, label, **asked)
            within(grad, slopes, bound)
        q = np.abs(np.sin(np.arange(classes))).astype(dtype)
        loss, grad = fast.cross_entropy_with_grad(row, q)
        exact = [-log * arb(v) for log, v in zip(logs, q.tolist(), strict=True)]
        bound = bounds.cross_entropy(row, q, **asked)
        within(loss, [sum(exact, arb(0))], bound)
        size = sum(map(arb, q.tolist()), arb(0))
        slopes = [a * size - arb(v) for a, v in zip(p, q.tolist(), strict=True)]
        within(grad, slopes, bounds.cross_entropy_grad(row, q, **asked))


@pytest.mark.theorem("thm-fast-bounds")
@WIDE
def test_answers_are_within_the_strict_bounds(dtype: str) -> None:
    asked: dict[str, Any] = {
        "numerics": bounds.Numerics.required(dtype),
        "grade": "hra",
        "reduction": "none",
    }
    flint.ctx.prec = 400
    x = np.concatenate([some_rows(dtype, 40)[0], [-80, -40, 0, 40, 80]]).astype(dtype)
    for q in (0.0, 0.25, 1.0):
        targets = np.full(x.size, q, dtype)
        loss, grad = fast.binary_cross_entropy_with_grad(x, targets, reduction="none")
        zeta = [
            ((1 + arb(v).exp()).log(), (1 + arb(-v).exp()).log()) for v in x.tolist()
        ]
        exact = [q * no + (1 - q) * yes for yes, no in zeta]
        within(loss, exact, bounds.binary_cross_entropy(x, targets, **asked))
        sigma = [(1 / (1 + arb(-v).exp()), 1 / (1 + arb(v).exp())) for v in x.tolist()]
        exact = [(1 - q) * yes - q * no for yes, no in sigma]
        within(grad, exact, bounds.binary_cross_entropy_grad(x, targets, **asked))


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16], ids=str)
def test_short_logits_are_rounded_from_float32(dtype: Any) -> None:
    x = some_rows(dtype, 300)
    y = np.arange(len(x))
    wide = x.astype(np.float32)
    loss, grad = fast.cross_entropy_with_grad(x, y)
    wide_loss, wide_grad = fast.cross_entropy_with_grad(wide, y)
    assert same_bits(grad, wide_grad.astype(dtype))
    assert same_bits(loss, wide_loss.astype(dtype))
    for f in (fast.softmax, fast.log_softmax, fast.logsumexp):
        assert same_bits(f(x), f(wide).astype(dtype))


@pytest.mark.parametrize(
    ("dtype", "widen", "narrow"),
    [
        (np.float16, halves.widen_float16, halves.narrow_float16),
        (BFLOAT16, halves.widen_bfloat16, halves.narrow_bfloat16),
    ],
    ids=["float16", "bfloat16"],
)
def test_every_short_number_there_and_back(dtype: Any, widen: Any, narrow: Any) -> None:
    bits = np.arange(2**16, dtype=np.uint16).reshape(1, -1)
    wide, back = np.empty(bits.shape, np.float32), np.empty_like(bits)
    widen(bits, wide)
    with np.errstate(invalid="ignore"):
        assert same_bits(wide, bits.view(dtype).astype(np.float32))
    narrow(wide, back)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        assert same_bits(back.view(dtype), bits.view(dtype) + np.zeros(1, dtype))
    # and what lies between: ties, and the neighbours of ties
    with np.errstate(all="ignore"):
        between = np.concatenate([wide, -wide, wide * 1.0000001], axis=1)
        halfway = (wide[:, :-1].astype(float) + wide[:, 1:]) / 2
        whole = np.concatenate([between, halfway.astype(np.float32)], axis=1)
        expected = whole.astype(dtype) + np.zeros(1, dtype)
    found = np.empty(whole.shape, np.uint16)
    narrow(whole, found)
    assert same_bits(found.view(dtype), expected)


# ------------------------------------------------------------------------ laws


OPTIONS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"label_smoothing": 0.1},
    {"weight": "some"},
    {"weight": "some", "label_smoothing": 0.25, "reduction": "sum"},
]


@pytest.mark.theorem("thm-fast-one-hot")
@ALL
@pytest.mark.parametrize("classes", [1, 3, 40, 1500])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_one_hot_row_gives_the_bits_of_its_label(
    dtype: Any, classes: int, options: dict[str, Any]
) -> None:
    x, rng = some_rows(dtype, classes), np.random.default_rng(3)
    y = rng.integers(classes, size=len(x))
    y[1] = x[1].argmax()
    options = dict(options)
    if "weight" in options:
        options["weight"] = rng.random(classes)
    by_label = fast.cross_entropy_with_grad(x, y, **options)
    by_row = fast.cross_entropy_with_grad(
        x, np.eye(classes)[y].astype(dtype), **options
    )
    assert same_bits(by_label[0], by_row[0])
    assert same_bits(by_label[1], by_row[1])


@pytest.fixture
def crew() -> Iterator[None]:
    yield
    fast.set_threads()


@pytest.mark.theorem("thm-fast-rows")
@ALL
@pytest.mark.parametrize("classes", [10, 1000])
@pytest.mark.usefixtures("crew")
def test_a_row_depends_on_no_other_and_on_no_thread(dtype: Any, classes: int) -> None:
    rows = 2**19 // classes
    x, rng = some_rows(dtype, classes, rows), np.random.default_rng(4)
    y, q = rng.integers(classes, size=rows), rng.random((rows, classes))
    targets = (y, q.astype(dtype), q.astype(np.float16))

    def results(part: Any) -> list[Any]:
        found = [fast.softmax(x[part]), fast.log_softmax(x[part])]
        found += [fast.logsumexp(x[part])]
        for each in targets:
            found += fast.cross_entropy_with_grad(x[part], each[part], reduction="none")
        answers = fast.binary_cross_entropy_with_grad
        return [*found, *answers(x[part], targets[1][part], reduction="none")]

    whole = []
    for threads in (1, 3):
        fast.set_threads(threads)
        whole.append(results(slice(None)))
    assert all(map(same_bits, *whole))
    for r in (0, 1, rows - 1):
        assert all(
            same_bits(a, b[r]) for a, b in zip(results(r), whole[0], strict=True)
        )


@ALL
@pytest.mark.usefixtures("crew")
def test_reduced_losses_depend_on_no_thread(dtype: Any) -> None:
    x = some_rows(dtype, 1000, 600)
    y, q = np.zeros(600, int), np.full(x.shape, 0.25, dtype)
    for reduction in ("mean", "sum"):
        found = []
        for threads in (1, 3):
            fast.set_threads(threads)
            loss = fast.cross_entropy(x, y, reduction=reduction)
            found.append((loss, fast.binary_cross_entropy(x, q, reduction=reduction)))
        assert all(map(same_bits, *found))


def unaligned(x: Any) -> Any:
    """One byte off."""
    place = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    place[...] = x
    return place


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u4", "i8", "u8", ">i4", ">u8"])
def test_labels_of_any_dtype_and_layout(kind: str) -> None:
    x = some_rows("float32", 5)
    y = np.array([0, 4, 1, 1, 2, 3])
    for marked in (None, 1):
        expected = fast.cross_entropy_with_grad(x, y, ignore_index=marked)
        for layout in (*LAYOUTS.values(), unaligned):
            labels = layout(y.astype(kind))
            found = fast.cross_entropy_with_grad(x, labels, ignore_index=marked)
            assert all(map(same_bits, found, expected))


def test_unaligned_logits() -> None:
    x = some_rows("float64", 5)
    assert same_bits(fast.softmax(unaligned(x)), fast.softmax(x))
    out = unaligned(x)
    assert fast.softmax(x, out=out) is out
    assert same_bits(out, fast.softmax(x))


@pytest.mark.usefixtures("crew")
def test_threads_are_counted_and_survive_a_fork() -> None:
    with pytest.raises(ValueError, match="expected at least 1, got 0"):
        fast.set_threads(0)
    fast.set_threads(2)
    x = some_rows("float32", 1000, 600)
    fast.softmax(x)
    assert CREW.pool is not None
    CREW.forget()
    fast.softmax(x)
    assert CREW.size == 2


NATIVE = {name: f for name, f in LAYOUTS.items() if name != "big-endian"}


@pytest.mark.parametrize(
    ("dtype", "layout"),
    [
        *[(dtype, f) for dtype in (np.float16, BFLOAT16) for f in NATIVE.values()],
        *[(dtype, f) for dtype in ("float32", "float64") for f in LAYOUTS.values()],
    ],
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layouts_give_the_bits_of_the_contiguous_copy(
    dtype: Any, layout: Any, axis: int
) -> None:
    x = some_rows(dtype, 5).reshape(2, 3, 5)
    plain = np.ascontiguousarray(np.moveaxis(x, -1, axis))
    odd = layout(plain)
    y = np.zeros(x.shape[:2], int)
    for f in (fast.softmax, fast.log_softmax, fast.logsumexp):
        assert same_bits(f(odd, axis), f(plain, axis))
    for a, b in zip(
        fast.cross_entropy_with_grad(odd, y, axis=axis),
        fast.cross_entropy_with_grad(np.moveaxis(plain, axis, -1).copy(), y),
        strict=True,
    ):
        assert same_bits(a, np.moveaxis(b, -1, axis) if np.ndim(b) else b)


# --------------------------------------------------------------------- the edges


EDGES = [
    [0.5, -1.0, 2.0],
    [-INF, -INF, -INF],
    [INF, 0.0, INF],
    [1.0, INF, -INF],
    [0.0, -INF, 0.0],
    [NAN, 1.0, 2.0],
    [-INF, 4.0, -INF],
    [-NAN, -INF, INF],
]


@WIDE
@pytest.mark.parametrize("wide", [False, True], ids=["few", "many"])
def test_the_edges_are_those_of_sxlit(dtype: str, wide: bool) -> None:
    x = np.array(EDGES, dtype)
    if wide:
        x = np.concatenate([x, np.full((len(x), 60), -INF, dtype)], axis=1)
    classes = x.shape[1]
    for name in ("softmax", "log_softmax", "logsumexp"):
        found, expected = getattr(fast, name)(x), getattr(sxlit, name)(x)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    for label in range(3):
        y = np.full(len(x), label)
        q = np.eye(classes, dtype=dtype)[y]
        for targets in (y, q, 0.5 * q + 0.5 * np.eye(classes, dtype=dtype)[0]):
            loss, grad = fast.cross_entropy_with_grad(x, targets, reduction="none")
            exact = sxlit.cross_entropy(x, targets, reduction="none")
            np.testing.assert_allclose(loss, exact, rtol=1e-6)
            exact = sxlit.cross_entropy_grad(x, targets, reduction="none")
            np.testing.assert_allclose(grad, exact, rtol=1e-6, atol=1e-7)


def test_ignored_rows_and_rows_of_no_weight() -> None:
    x = np.array([[NAN, 0.0], [1.0, 2.0], [-INF, 1.0]], np.float32)
    loss, grad = fast.cross_entropy_with_grad(x, [7, 1, 0], ignore_index=7)
    assert loss == INF
    assert grad[0].tolist() == [0.0, 0.0]
    loss, grad = fast.cross_entropy_with_grad(x[1:], [1, 0], weight=[0.0, 1.0])
    assert same_bits(loss, fast.cross_entropy(x[1:2], [1]))
    assert grad[1].tolist() == [0.0, 0.0]
    loss, grad = fast.cross_entropy_with_grad(x[1:], [1, 1], weight=[1.0, 0.0])
    assert np.isnan(loss)
    assert not grad.any()
    for shape in ((0, 3), (0, 100)):
        loss, grad = fast.cross_entropy_with_grad(np.empty(shape), np.empty(0, int))
        assert np.isnan(loss)
        assert grad.shape == shape


@pytest.mark.parametrize("weight", [1e-300, 1e-25, 1e25, 1e300])
def test_weights_that_float32_cannot_hold(weight: float) -> None:
    x = some_rows("float32", 40)
    y = np.zeros(len(x), int)
    asked: dict[str, Any] = {"weight": np.full(40, weight), "reduction": "sum"}
    with np.errstate(over="ignore"):
        for targets in (y, np.eye(40, dtype=np.float32)[y]):
            loss, grad = fast.cross_entropy_with_grad(x, targets, **asked)
            exact = sxlit.cross_entropy_grad(x, targets, **asked)
            np.testing.assert_allclose(grad, exact, rtol=1e-6, atol=2e-45)
            exact = sxlit.cross_entropy(x, targets, **asked)
            np.testing.assert_allclose(loss, exact, rtol=1e-6, atol=2e-45)


@pytest.mark.parametrize("weight", [1e-300, 1e-25, 1e25, 1e300])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_binary_weights_that_float32_cannot_hold(weight: float, reduction: Any) -> None:
    x = some_rows("float32", 40)[0]
    q = (np.arange(40) % 3 / 2).astype(np.float32)
    each = np.resize([1.0, weight], 40)
    for scales in ({"weight": weight}, {"weight": each}, {"pos_weight": each}):
        asked: dict[str, Any] = {**scales, "reduction": reduction}
        loss, grad = fast.binary_cross_entropy_with_grad(x, q, **asked)
        exact = sxlit.binary_cross_entropy(x, q, **asked)
        np.testing.assert_allclose(loss, exact, rtol=1e-6, atol=2e-45)
        exact = sxlit.binary_cross_entropy_grad(x, q, **asked)
        np.testing.assert_allclose(grad, exact, rtol=1e-6, atol=2e-45)


def test_targets_of_more_digits_than_the_logits() -> None:
    """1 - 2^-40 is no 1, also beside float32 and float16."""
    q = np.array([1 - 2.0**-40, 2.0**-40, 1 / 3])
    for dtype in (np.float16, np.float32):
        x = np.array([40.0, -40.0, 2.0], dtype)
        loss, grad = fast.binary_cross_entropy_with_grad(x, q, reduction="none")
        exact = sxlit.binary_cross_entropy(x, q, reduction="none")
        np.testing.assert_allclose(loss, exact, rtol=float(np.finfo(dtype).eps))
        exact = sxlit.binary_cross_entropy_grad(x, q, reduction="none")
        np.testing.assert_allclose(grad, exact, rtol=float(np.finfo(dtype).eps))


# What the kernels leave to sxlit: nothing that sxlit says of it is heard.


def test_what_is_left_to_sxlit_is_not_doubted() -> None:
    x = np.array([[0.5, 0.5], [0.25, 0.75]])
    asked: dict[str, Any] = {"weight": [1e-25, 1e-25], "reduction": "sum"}
    with pytest.warns(UserWarning, match="like probabilities"):
        exact = sxlit.cross_entropy(x, x, **asked)
    found = fast.cross_entropy(x, x, **asked)  # a warning would be an error
    np.testing.assert_allclose(found, exact, rtol=1e-15)
    fast.cross_entropy(x, x, weight=[1e-300, 1e-300])  # the whole batch is left


def test_what_is_left_to_sxlit_is_not_counted() -> None:
    x = np.random.default_rng(5).standard_normal((8, 4))
    q = sxlit.softmax(x)
    for weight, reduction in ((1e-25, "sum"), (1e-300, "mean")):
        asked: dict[str, Any] = {"weight": [weight] * 4, "reduction": reduction}
        with count_undecided() as undecided:
            sxlit.cross_entropy_grad(x, q, **asked)
            before = undecided.count
            assert before > 0
            fast.cross_entropy_with_grad(x, q, **asked)
            assert undecided.count == before


@ALL
def test_many_rows_that_are_left(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some at a time: the bits of each by itself."""
    x = some_rows(dtype, 40, 30)
    x[::2, 3] = INF
    whole = fast.softmax(x), fast.logsumexp(x)
    monkeypatch.setattr(fastdispatch, "AT_ONCE", 100)
    assert all(map(same_bits, (fast.softmax(x), fast.logsumexp(x)), whole))
    assert same_bits(whole[0][0], fast.softmax(x[0]))


# -------------------------------------------------------------------- bad input

ZEROS = np.zeros((2, 3))
MASKED = np.ma.masked_array(ZEROS, ZEROS == 0)
WRONG_DTYPES: list[tuple[Any, dict[str, Any]]] = [
    (ZEROS.astype(complex), {}),
    (ZEROS.astype(np.longdouble), {}),
    (ZEROS.astype(object), {}),
    (ZEROS.astype("U3"), {}),
    ([[0.0], [0.0, 1.0]], {}),
    (MASKED, {}),
]
WRONG_LOGITS: list[tuple[Any, dict[str, Any]]] = [
    (np.zeros((2, 0)), {}),
    (np.zeros(()), {}),
    (ZEROS, {"axis": 2}),
    (ZEROS, {"axis": -3}),
    (ZEROS, {"axis": 0.0}),
    (ZEROS, {"axis": None}),
    *WRONG_DTYPES,
]
WRONG: list[tuple[Any, Any, dict[str, Any]]] = [
    *[(logits, [0, 1], options) for logits, options in WRONG_LOGITS],
    (ZEROS, [0, 3], {}),
    (ZEROS, [0, -1], {}),
    (ZEROS, [-100, 0], {}),
    (ZEROS, [0, -1], {"ignore_index": -100}),
    (ZEROS, [5, 7], {"ignore_index": 7}),
    (np.zeros((2, 1)), [0, 1], {}),
    (ZEROS, np.array([2**63, 0], np.uint64), {}),
    (ZEROS, np.array([2**63, 0], np.uint64), {"ignore_index": 0}),
    (ZEROS, [0.0, 1.0], {}),
    (ZEROS, [True, False], {}),
    (ZEROS, ZEROS.astype(int), {}),
    (ZEROS, ZEROS.astype(bool), {}),
    (ZEROS, ZEROS.astype(np.longdouble), {}),
    (ZEROS, ZEROS.astype(object), {}),
    (ZEROS, MASKED, {}),
    (ZEROS, [[0], [1]], {}),
    (ZEROS, [[0.0], [0.0, 1.0]], {}),
    (ZEROS, [0, 1, 2], {}),
    (ZEROS, 0, {}),
    (ZEROS, np.zeros((2, 3, 1)), {}),
    (ZEROS, ZEROS, {"ignore_index": 0}),
    (ZEROS, [0, 1], {"weight": [1.0, -1.0, 0.0]}),
    (ZEROS, [0, 1], {"weight": [1.0, NAN, 0.0]}),
    (ZEROS, [0, 1], {"weight": [1.0]}),
    (ZEROS, [0, 1], {"weight": ZEROS}),
    (ZEROS, [0, 1], {"weight": [1j, 0, 0]}),
    (ZEROS, [0, 3], {"weight": [1.0]}),
    (ZEROS, [0, 3], {"axis": 7, "weight": [1.0]}),
    (ZEROS, [0, 1], {"reduction": "average"}),
    (ZEROS, [0, 1], {"reduction": None}),
    (ZEROS, [0, 1], {"reduction": ["mean"]}),
    (ZEROS, [0, 1], {"label_smoothing": 2}),
    (ZEROS, [0, 1], {"label_smoothing": NAN}),
    (ZEROS, [0, 1], {"label_smoothing": False}),
    (ZEROS, [0, 1], {"label_smoothing": "0"}),
    (ZEROS, [0, 1], {"label_smoothing": np.zeros(1)}),
    (ZEROS, [0, 1], {"ignore_index": 0.5}),
    (ZEROS, [0, 1], {"ignore_index": True}),
    (ZEROS, [0, 1], {"ignore_index": [0]}),
    ([0, 1], ZEROS, {}),
    (np.zeros((0, 3)), np.zeros((0, 2)), {}),
]
WRONG_ANSWERS: list[tuple[Any, Any, dict[str, Any]]] = [
    *[(logits, ZEROS, {}) for logits, _ in WRONG_DTYPES],
    (ZEROS, [0, 1], {}),
    (ZEROS, ZEROS + 2j, {}),
    (ZEROS, ZEROS.astype(int) + 2, {}),
    (ZEROS, ZEROS.astype(int) - 1, {}),
    (ZEROS, np.full((2, 3), 2**63, np.uint64), {}),
    (ZEROS, MASKED, {}),
    (ZEROS, ZEROS.astype(object), {}),
    (ZEROS, ZEROS, {"weight": [1.0, 2.0]}),
    (ZEROS, ZEROS, {"weight": ZEROS - 1}),
    (ZEROS, ZEROS, {"weight": INF}),
    (ZEROS, ZEROS, {"weight": 1j}),
    (ZEROS, ZEROS, {"pos_weight": ZEROS}),
    (ZEROS, ZEROS, {"pos_weight": [1.0, -2.0, 0.0]}),
    (ZEROS, ZEROS, {"pos_weight": NAN}),
    (ZEROS, ZEROS, {"reduction": "average"}),
    (ZEROS.astype(int), ZEROS + 2.5, {}),
    (ZEROS.astype(bool), ZEROS + 2.5, {}),
]


def refuses_alike(own: Any, sxlits: Any, *arguments: Any, **options: Any) -> None:
    """Both raise the same error with the same message, and nothing is written."""
    expected = raised(sxlits, *arguments, **options)
    assert raised(own, *arguments, **options) == expected
    if "with_grad" in own.__name__ or own in (fast.softmax, fast.log_softmax):
        out = np.full((2, 3), 7.0)
        assert raised(own, *arguments, **options, out=out) == expected
        assert (out == 7.0).all()


def raised(f: Any, *arguments: Any, **options: Any) -> tuple[type, str]:
    try:
        f(*arguments, **options)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    raise AssertionError(f"{f.__name__} raises nothing")


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize(("logits", "options"), WRONG_LOGITS, ids=str)
def test_logits_that_sxlit_refuses(name: str, logits: Any, options: Any) -> None:
    own, sxlits = getattr(fast, name), getattr(sxlit, name)
    if name == "logsumexp" and getattr(logits, "shape", None) == (2, 0):
        assert same_bits(own(logits), sxlits(logits))
        return
    refuses_alike(own, sxlits, logits, **options)


@pytest.mark.parametrize(("logits", "targets", "options"), WRONG, ids=str)
def test_what_sxlit_refuses_is_refused_in_its_words(
    logits: Any, targets: Any, options: dict[str, Any]
) -> None:
    for own in (fast.cross_entropy, fast.cross_entropy_with_grad):
        refuses_alike(own, sxlit.cross_entropy, logits, targets, **options)


@pytest.mark.parametrize(("logits", "targets", "options"), WRONG_ANSWERS, ids=str)
def test_answers_that_sxlit_refuses(
    logits: Any, targets: Any, options: dict[str, Any]
) -> None:
    for own in (fast.binary_cross_entropy, fast.binary_cross_entropy_with_grad):
        refuses_alike(own, sxlit.binary_cross_entropy, logits, targets, **options)


# ------------------------------------------------------------------------ zeros


def negative_zeros(*results: Any) -> int:
    flat = [np.asarray(r).astype(np.float64).ravel() for r in results]
    return sum(int((np.signbit(r) & (r == 0)).sum()) for r in flat)


@ALL
@pytest.mark.parametrize("classes", [3, 40])
def test_zeros_are_positive(dtype: Any, classes: int) -> None:
    """Where a negative result underflows: at gaps, beside weights, in shares."""
    most = {2: 18.0 if dtype == np.float16 else 100.0, 4: 110.0, 8: 800.0}
    x = np.zeros((4, classes), dtype)
    x[:, 0] = np.multiply([1, 0.9, 0.5, -1], most[x.itemsize])
    y = np.zeros(4, int)
    hot, even = np.eye(classes)[y].astype(dtype), np.full(x.shape, 1 / classes)
    least = np.array(ml_dtypes.finfo(dtype).smallest_subnormal, dtype)
    results = [fast.softmax(x), fast.log_softmax(x), fast.logsumexp(0 * x - 0.0)]
    for q in (y, hot, even.astype(dtype), hot * least, -hot * least, -0.0 * hot):
        for weight in (None, 1e-17, 1e-300):
            asked: dict[str, Any] = {"reduction": "sum"}
            if weight:
                asked["weight"] = np.full(classes, weight)
            results += fast.cross_entropy_with_grad(x, q, **asked)
            results += [fast.cross_entropy(x, q, **asked | {"reduction": "none"})]
    for share in (hot, -0.0 * hot):
        for weight in (None, 0.0, 1e-17):
            asked = {"weight": weight, "reduction": "none"}
            results += fast.binary_cross_entropy_with_grad(x, share, **asked)
    assert any((np.asarray(r) == 0).any() for r in results)
    assert negative_zeros(*results) == 0


# ------------------------------------------------------------------------- out


@ALL
@pytest.mark.parametrize("classes", [3, 100])
def test_out_in_place_and_apart_have_the_same_bits(dtype: Any, classes: int) -> None:
    x, y = some_rows(dtype, classes), np.zeros(6, int)
    x[5, 0] = NAN
    q = (np.arange(6 * classes).reshape(6, -1) % 2).astype(dtype)
    asked: list[Callable[..., Any]] = [
        lambda v, **kw: fast.softmax(v, **kw),
        lambda v, **kw: fast.log_softmax(v, **kw),
        lambda v, **kw: fast.cross_entropy_with_grad(v, y, **kw)[1],
        lambda v, **kw: fast.cross_entropy_with_grad(v, y, label_smoothing=0.1, **kw)[
            1
        ],
        lambda v, **kw: fast.binary_cross_entropy_with_grad(v, q, **kw)[1],
    ]
    for ask in asked:
        apart, own = np.zeros_like(x), x.copy()
        strided = np.zeros((6, 2 * classes), dtype)[:, ::2]
        fresh = ask(x)
        for out, logits in ((apart, x), (own, own), (strided, x), (x.copy("F"), x)):
            assert ask(logits, out=out) is out
            assert same_bits(out, fresh)


X, Y = np.zeros((4, 3), np.float32), np.zeros(4, int)
FROZEN = np.ones_like(X)
FROZEN.flags.writeable = False
WRONG_OUT: list[tuple[Any, type[Exception], str]] = [
    (np.ones((4, 3)), TypeError, "dtype float64"),
    (np.ones((4, 3), ">f4"), TypeError, "dtype >f4"),
    (np.ones((3, 4), np.float32), ValueError, r"shape \(3, 4\)"),
    (np.ones((1, 4, 3), np.float32), ValueError, r"shape \(1, 4, 3\)"),
    (FROZEN, ValueError, "one that is read-only"),
    (np.ma.masked_array(X), TypeError, "a masked array"),
    ([[1.0]], TypeError, "list"),
]
OUT = r"out: expected a writeable array of shape \(4, 3\) and dtype float32, got "


@pytest.mark.parametrize(("out", "error", "got"), WRONG_OUT, ids=str)
def test_a_wrong_out_says_what_it_should_be(
    out: Any, error: type[Exception], got: str
) -> None:
    before = np.array(out)
    asked: list[Callable[..., Any]] = [
        lambda **kw: fast.softmax(X, **kw),
        lambda **kw: fast.log_softmax(X, **kw),
        lambda **kw: fast.cross_entropy_with_grad(X, Y, **kw),
        lambda **kw: fast.cross_entropy_with_grad(X, X, weight=[0, 1e300, 0], **kw),
        lambda **kw: fast.binary_cross_entropy_with_grad(X, X, **kw),
    ]
    for ask in asked:
        with pytest.raises(error, match=OUT + got):
            ask(out=out)
    assert same_bits(before, np.array(out))


def test_an_out_that_overlaps_an_argument() -> None:
    """Other than the logits from the first number to the last."""
    whole = np.zeros(24, np.float32)
    x, half = whole[:12].reshape(4, 3), whole[6:18].reshape(4, 3)
    q, w = np.zeros_like(X), np.zeros(12, np.float32)
    overlaps = OUT + "one that overlaps an argument"
    own = w.reshape(4, 3)
    square = np.zeros((3, 3), np.float32)
    with pytest.raises(ValueError, match=overlaps):
        fast.softmax(x, out=half)
    with pytest.raises(ValueError, match=overlaps):
        fast.cross_entropy_with_grad(X, q, out=q)
    with pytest.raises(ValueError, match=overlaps):
        fast.cross_entropy_with_grad(X, q[::-1], out=q)
    with pytest.raises(ValueError, match=overlaps):
        fast.cross_entropy_with_grad(X, Y, weight=w[:3], out=own)
    with pytest.raises(ValueError, match=overlaps):
        fast.cross_entropy_with_grad(X, own.view(np.int32)[:, 0], out=own)
    with pytest.raises(ValueError, match=overlaps):
        fast.binary_cross_entropy_with_grad(X, q, out=q)
    with pytest.raises(ValueError, match=overlaps):
        fast.binary_cross_entropy_with_grad(X, q, weight=own, out=own)
    with pytest.raises(ValueError, match="overlaps an argument"):
        fast.softmax(square, out=square.T)  # the same memory in another order
    same = x[:]  # another array of the same memory is the logits themselves
    assert fast.softmax(x, out=same) is same


@ALL
@pytest.mark.parametrize("axis", [0, 1])
def test_out_in_place_on_another_axis(dtype: Any, axis: int) -> None:
    x = some_rows(dtype, 6)
    y = np.zeros(6, int)
    fresh = fast.cross_entropy_with_grad(x, y, axis=axis)
    loss, grad = fast.cross_entropy_with_grad(x, y, axis=axis, out=x)
    assert grad is x
    assert same_bits(loss, fresh[0])
    assert same_bits(grad, fresh[1])


def test_streamed_results_have_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    x = some_rows("float32", 997, 20)
    fresh = fast.softmax(x)
    monkeypatch.setattr(fastout, "PAST_CACHES", 1)
    for shift in range(3):
        place = np.zeros(x.size + 16, np.float32)[shift : shift + x.size]
        assert same_bits(fast.softmax(x, out=place.reshape(x.shape)), fresh)


# ------------------------------------------------------------------- allocations


CLASSES = 5120  # whole tiles
BY_ROW = 17  # bytes: loss, mark and label of a row
CONSTANT = 40_000  # bytes of tiles and Python's objects, of each thread


def peak(ask: Callable[[], Any]) -> int:
    """The most memory that NumPy and Python take at a time for a call."""
    ask()
    tracemalloc.start()
    ask()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


@ALL
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.usefixtures("crew")
def test_memory_beyond_the_result(dtype: Any, threads: int) -> None:
    """A row for each thread, in 16 bits as many as fit a cache; 17 bytes a row."""
    fast.set_threads(threads)
    x = some_rows(dtype, CLASSES, 300)
    own, out, y = x.copy(), np.empty_like(x), np.zeros(len(x), int)
    row = CLASSES * max(4, x.itemsize)
    room = 4 * fastdispatch.AT_ONCE if x.itemsize < 4 else 0
    most = threads * (room + row + CONSTANT) + BY_ROW * len(x)
    some = {"weight": np.ones(CLASSES), "ignore_index": 1}
    for ask, result in (
        (lambda: fast.softmax(x), x.nbytes),
        (lambda: fast.softmax(x, out=out), 0),
        (lambda: fast.softmax(own, out=own), 0),
        (lambda: fast.log_softmax(x, out=out), 0),
        (lambda: fast.logsumexp(x), 0),
        (lambda: fast.cross_entropy(x, y), 0),
        (lambda: fast.cross_entropy_with_grad(x, y), x.nbytes),
        (lambda: fast.cross_entropy_with_grad(x, y, out=out), 0),
        (lambda: fast.cross_entropy_with_grad(own, y, out=own), 0),
        (lambda: fast.cross_entropy(x, y, **some), 3 * 8 * CLASSES),  # the weights
    ):
        assert peak(ask) <= result + most
    # Distributions are widened too, and keep weights and terms in float64.
    q = np.full(x.shape, 1 / CLASSES).astype(dtype)
    most += threads * (room + 3 * 8 * CLASSES)
    for ask in (
        lambda: fast.cross_entropy_with_grad(x, y, out=out, label_smoothing=0.1),
        lambda: fast.cross_entropy_with_grad(x, q, out=out),
        lambda: fast.cross_entropy(x, q, weight=some["weight"]),
    ):
        assert peak(ask) <= most
    most = threads * (6 * 4 * BLOCK + CONSTANT)  # blocks, widened
    for ask in (
        lambda: fast.binary_cross_entropy(x, q),
        lambda: fast.binary_cross_entropy_with_grad(x, q, out=out),
        lambda: fast.binary_cross_entropy_with_grad(own, q, out=own),
    ):
        assert peak(ask) <= most


def test_a_copy_for_another_layout_is_counted() -> None:
    """The measure of the test above can fail."""
    x = some_rows("float32", CLASSES, 300)
    turned = np.asfortranarray(x)
    out = np.empty_like(x)
    assert peak(lambda: fast.softmax(turned, out=out)) >= x.nbytes


LIMITED = """
import resource, sys
import numpy as np
from sxlit import fast

fast.set_threads(1)
x, y = np.ones((500, 20_000), np.float32), np.zeros(500, int)
out = np.empty_like(x)
asked = [
    lambda: fast.softmax(x, out=out),
    lambda: fast.cross_entropy(x, y),
    lambda: fast.cross_entropy_with_grad(x, y, out=out),
    lambda: fast.cross_entropy_with_grad(x, y, out=x),
]
for ask in asked:
    ask()
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[0])
limit = pages * resource.getpagesize() + 2**21
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for ask in asked:
    ask()
print("enough")
fast.softmax(x)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux does")
def test_two_mebibytes_are_enough_for_the_loops_too() -> None:
    """Numba's own memory included; a fresh result of 40 MB does not fit."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False
    )
    assert done.stdout == "enough\n"
    assert done.returncode == 1
    assert "MemoryError" in done.stderr


# ------------------------------------------------------------------ kept memory


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[fastmemory.Shelf]:
    """The shelf, empty; every result is large."""
    if not fastmemory.CAN_KEEP:
        pytest.skip("nothing is kept on this system")
    monkeypatch.setattr(fastmemory, "LARGE", 1)
    fast.set_kept_memory(0)
    fast.set_kept_memory()
    yield fastmemory.SHELF
    fast.set_kept_memory(0)
    fast.set_kept_memory()


@ALL
def test_a_dropped_result_is_the_memory_of_the_next(
    shelf: fastmemory.Shelf, dtype: Any
) -> None:
    x = some_rows(dtype, 30, 20)
    first = fast.softmax(x)
    place, kept = first.ctypes.data, first.copy()
    del first
    assert len(shelf.blocks) == 1
    again = fast.softmax(x)
    assert again.ctypes.data == place
    assert not shelf.blocks
    assert again.dtype == x.dtype
    assert same_bits(again, kept)
    _, gradient = fast.cross_entropy_with_grad(x, np.zeros(20, int))
    assert not np.may_share_memory(again, gradient)


def test_whoever_holds_a_part_of_a_result_holds_its_memory(
    shelf: fastmemory.Shelf,
) -> None:
    x = some_rows("float32", 30, 20)
    view = memoryview(fast.softmax(x)[3:, ::2].T)
    assert not shelf.blocks
    values = np.array(view)
    assert same_bits(values, fast.softmax(x)[3:, ::2].T)
    del view
    assert len(shelf.blocks) == 2


def test_kept_memory_has_a_limit(shelf: fastmemory.Shelf) -> None:
    x = some_rows("float32", 30, 20)
    results = [fast.softmax(x) for _ in range(5)]
    fast.set_kept_memory(3 * fastmemory.HUGE_PAGE)
    del results
    assert [len(block) for block in shelf.blocks] == 3 * [fastmemory.HUGE_PAGE]
    fast.set_kept_memory(0)
    fast.softmax(x)
    assert not shelf.blocks


def test_a_block_more_than_twice_as_large_is_left_to_others(
    shelf: fastmemory.Shelf,
) -> None:
    shelf.put(shelf.take(5 * fastmemory.HUGE_PAGE))
    small = shelf.take(1)
    assert len(small) == fastmemory.HUGE_PAGE
    assert len(shelf.take(3 * fastmemory.HUGE_PAGE)) == 5 * fastmemory.HUGE_PAGE


def test_where_the_system_cannot_be_told_nothing_is_kept(
    shelf: fastmemory.Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmap, "MADV_FREE", 12345)
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", 12345, raising=False)
    x = some_rows("float32", 30, 20)
    first = fast.softmax(x)
    del first
    assert not shelf.blocks
    monkeypatch.setattr(fastmemory, "CAN_KEEP", False)
    assert fast.softmax(x).base is None


def test_many_threads_share_the_shelf(shelf: fastmemory.Shelf) -> None:
    rows = [some_rows("float32", 300 + k, 20) for k in range(4)]
    wanted = [fast.softmax(x) for x in rows]

    def work(k: int) -> bool:
        good = True
        for _ in range(200):
            mine = fast.softmax(rows[k])
            good &= same_bits(mine, wanted[k])
        return good

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


@pytest.mark.parametrize(
    ("size", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_kept_memory_is_a_number_of_bytes(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"size: expected bytes .*, got"):
        fast.set_kept_memory(size)


def test_at_the_end_of_a_program_nobody_complains() -> None:
    code = (
        "import sys, numpy as np; from sxlit import fast, fastmemory\n"
        "fastmemory.LARGE = 1\n"
        "sys.kept = held = fast.softmax(np.ones((3, 4), np.float32))\n"
        "cycle = [fast.softmax(held)]; cycle.append(cycle)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# ------------------------------------------------------------- without the compiler


def test_without_numba_the_import_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import sxlit\n"
        "try: import sxlit.fast\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert "python -m pip install 'sxlit[fast]'" in done.stdout
