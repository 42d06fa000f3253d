"""sxlit.linear: a last layer's loss and gradients, without its logits."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import flint
import ml_dtypes
import numpy as np
import pytest
from flint import arb

import sxlit
from sameness import same_bits
from sxlit import bounds, tiles
from sxlit.linear import fused_linear_cross_entropy

INF, NAN = np.inf, np.nan
WIDE = pytest.mark.parametrize("dtype", ["float32", "float64"])
ALL = pytest.mark.parametrize(
    "dtype", ["float16", ml_dtypes.bfloat16, "float32", "float64"], ids=str
)
SCRATCH = pytest.mark.parametrize("scratch", [64, 3000, 2**21])
OPTIONS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"label_smoothing": 0.1},
    {"weight": "some"},
    {"weight": "some", "label_smoothing": 0.25, "reduction": "sum"},
]


def a_layer(dtype: Any, rows: int, width: int, classes: int, seed: int = 0) -> Any:
    """Activations, weights, labels: one row is learnt, one has equal logits."""
    rng = np.random.default_rng(seed)
    h, w = rng.standard_normal((rows, width)), rng.standard_normal((classes, width))
    y = rng.integers(classes, size=rows)
    h[0] = 20 * w[y[0]] / np.linalg.norm(w[y[0]])
    h[1::5] = 0
    return h.astype(dtype), w.astype(dtype), y


def given(options: dict[str, Any], classes: int) -> dict[str, Any]:
    """Replace "some" weights by weights, of which one is 0."""
    weight = np.arange(classes) % 7 / 3
    return options | ({"weight": weight} if "weight" in options else {})


# ---------------------------------------------------------------------- bounds

Rows = list[list[arb]]


def exact(h: Any, w: Any, r: Any, divisor: arb) -> tuple[list[arb], Rows, Rows]:
    """Losses, dh and dW for effective weights r, in a thousand bits."""
    flint.ctx.prec = 1000
    a, b, q = (
        [[arb(float(v)) for v in row] for row in np.asarray(m, float)]
        for m in (h, w, r)
    )
    losses, slopes = [], []
    for row, weights in zip(a, q, strict=True):
        x = [sum((u * v for u, v in zip(row, c, strict=True)), arb(0)) for c in b]
        e = [v.exp() for v in x]
        total = sum(e, arb(0))
        lse, size = total.log(), sum(weights, arb(0))
        losses.append(
            sum((k * (lse - v) for k, v in zip(weights, x, strict=True)), arb(0))
        )
        slopes.append(
            [(v / total * size - k) / divisor for v, k in zip(e, weights, strict=True)]
        )
    return losses, product(slopes, b), product(transposed(slopes), a)


def product(a: Rows, b: Rows) -> Rows:
    columns = transposed(b)
    return [
        [sum((u * v for u, v in zip(row, c, strict=True)), arb(0)) for c in columns]
        for row in a
    ]


def transposed(a: Rows) -> Rows:
    return [list(column) for column in zip(*a, strict=True)]


def excess(found: Any, true: Any, allowed: Any) -> float:
    """The largest error over its bound."""
    flat = list(itertools.chain(*true)) if isinstance(true[0], list) else true
    triples = zip(
        np.ravel(np.asarray(found, float)).tolist(),
        flat,
        np.ravel(allowed).tolist(),
        strict=True,
    )
    return max(float(abs(arb(a) - b).upper()) / most for a, b, most in triples)


def questions(classes: int, y: Any) -> Iterator[tuple[Any, dict[str, Any], Any]]:
    """Targets, options and effective weights."""
    hot, weight = np.eye(classes)[y], np.arange(1, classes + 1) / 8
    soft = (np.arange(hot.size).reshape(hot.shape) % 5) / 8
    yield y, {}, hot
    yield y, {"weight": weight}, hot * weight
    yield y, {"label_smoothing": 0.25}, 0.75 * hot + 0.25 / classes
    yield soft, {}, soft
    yield soft, {"weight": weight}, soft * weight


@pytest.mark.theorem("thm-tiled-error", "thm-fused-error", "lem-moved-logits")
@ALL
@pytest.mark.parametrize("shape", [(3, 2, 2), (6, 5, 8), (7, 40, 64)])
@SCRATCH
def test_errors_are_within_the_bounds(dtype: Any, shape: Any, scratch: int) -> None:
    h, w, y = a_layer(dtype, *shape)
    numerics = bounds.Numerics.required(np.dtype(dtype).name, grade="hra")
    for targets, options, r in questions(shape[2], y):
        q = targets if targets is y else targets.astype(dtype)
        for reduction in ("none", "mean"):
            asked = {**options, "reduction": reduction}
            divisor = arb(1)
            if reduction == "mean":
                divisor = arb(len(h))
                if "weight" in options:
                    divisor = sum(map(arb, np.ravel(r).tolist()), arb(0))
            losses, dh, dw = exact(h, w, r, divisor)
            if reduction == "mean":
                losses = [sum(losses, arb(0)) / divisor]
            found = fused_linear_cross_entropy(h, w, q, scratch=scratch, **asked)
            allowed = bounds.fused_linear_cross_entropy(
                h, w, q, numerics=numerics, **asked
            )
            for a, b, most in zip(found, (losses, dh, dw), allowed, strict=True):
                assert most.shape == np.shape(a)
                assert excess(a, b, most) <= 1.0


def written_down(h: Any, w: Any, y: Any) -> Any:
    """The textbook's loss of each row, and the gradients of their sum."""
    x = h @ w.T
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    own = np.arange(len(y)), y
    with np.errstate(divide="ignore"):
        losses = -np.log(p[own])
    p[own] -= 1
    return losses, p @ w, p.T @ h


@pytest.mark.theorem("thm-tiled-error", "thm-fused-error")
@WIDE
def test_a_bound_can_be_exceeded(dtype: str) -> None:
    """By the textbook's formulas: a row that is learnt has loss 0, and no gradient."""
    w = (np.eye(4) * 6.5 * (1 if dtype == "float32" else 1.5)).astype(dtype)
    h, y = w[:1], [0]
    losses, dh, dw = exact(h, w, np.eye(4)[y], arb(1))
    numerics = bounds.Numerics.required(dtype)
    asked: dict[str, Any] = {"reduction": "none"}
    allowed = bounds.fused_linear_cross_entropy(h, w, y, numerics=numerics, **asked)
    found = fused_linear_cross_entropy(h, w, y, **asked)
    for a, b, c, most in zip(
        found, written_down(h, w, y), (losses, dh, dw), allowed, strict=True
    ):
        assert excess(a, c, most) <= 1.0 < 1e3 < excess(b, c, most)


@pytest.mark.theorem("lem-moved-logits")
@pytest.mark.parametrize("gap", [0.0, 1.0, 30.0])
def test_what_moved_logits_do(gap: float) -> None:
    """The three inequalities, in Arb; and the third is attained."""
    flint.ctx.prec = 300
    rng = np.random.default_rng(0)
    x = [gap, *rng.standard_normal(5).tolist()]
    for size in (1e-9, 0.1, 3.0):
        moves = [rng.uniform(-size, size, 6).tolist(), [-size] + 5 * [size]]
        for move in moves:
            near, off = ([arb(v) for v in x], [arb(v) for v in move])
            p = softmax(near)
            q = softmax([a + b for a, b in zip(near, off, strict=True)])
            mean = sum((a * abs(b).exp() for a, b in zip(p, off, strict=True)), arb(0))
            for a, b, c in zip(p, q, off, strict=True):
                assert abs((b / a).log()) <= abs(c) + mean.log() + arb(2) ** -250
            z, moved = 1 / p[0] - 1, 1 / q[0] - 1
            rest = max(abs(c) for c in off[1:])
            most = (z * (abs(off[0]) + rest).exp()).log1p() - z.log1p()
            change = moved.log1p() - z.log1p()
            assert abs(change) <= most + arb(2) ** -250
            if move is moves[1]:
                assert change >= most - arb(2) ** -250


def softmax(x: list[arb]) -> list[arb]:
    e = [v.exp() for v in x]
    total = sum(e, arb(0))
    return [v / total for v in e]


# ------------------------------------------------------------------------ sums


@pytest.mark.theorem("lem-tile-tree")
@WIDE
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 100, 129])
@pytest.mark.parametrize("order", ["falling", "rising", "any"])
def test_tiles_meet_in_a_low_tree(dtype: str, count: int, order: str) -> None:
    """From weights that tiles know exactly: one logit each, so only merges round."""
    rng = np.random.default_rng(count)
    logits = np.sort(rng.uniform(-3, 3, count))[:: -1 if order == "falling" else 1]
    logits = rng.permutation(logits) if order == "any" else logits
    x = logits.astype(dtype)
    sums, tops = np.empty((2, count.bit_length(), 1)), np.array([[-INF], [0.0]])
    y, own, infinite = np.full(1, count - 1), np.zeros(1), np.zeros(1, np.intp)
    for k in range(count):
        tiles.absorb(x[k].reshape(1, 1), k, k, y, sums, tops, own, infinite)
    tiles.settle(count, sums)
    flint.ctx.prec = 200
    (m, t), top = sums[:, 0, 0].tolist(), int(tops[1, 0])
    assert m == x.max() == x[top]
    assert own[0] == x[-1]
    true = sum((arb(float(v) - m).exp() for v in np.delete(x, top)), arb(0))
    unit = 2.0**-53
    spread = float(x.max()) - float(x.min())
    allowed = (count.bit_length() * 5 + spread) * unit / (1 - unit)
    assert abs(arb(t) - true) <= true * arb(allowed).expm1()


# ------------------------------------------------------------------------ laws


@pytest.mark.theorem("thm-linear-one-hot")
@ALL
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@SCRATCH
def test_a_one_hot_row_gives_the_bits_of_its_label(
    dtype: Any, options: dict[str, Any], scratch: int
) -> None:
    h, w, y = a_layer(dtype, 9, 5, 40)
    asked = given(options, 40) | {"scratch": scratch}
    by_label = fused_linear_cross_entropy(h, w, y, **asked)
    by_row = fused_linear_cross_entropy(h, w, np.eye(40)[y].astype(dtype), **asked)
    assert all(map(same_bits, by_label, by_row))


@ALL
def test_leading_axes_and_layouts_change_no_bit(dtype: Any) -> None:
    h, w, y = a_layer(dtype, 6, 5, 40)
    plain = fused_linear_cross_entropy(h, w, y, reduction="none", scratch=500)
    odd = np.asfortranarray(h), np.asfortranarray(w)
    far = np.repeat(h, 2, axis=1)[:, ::2], np.repeat(w, 2, axis=0)[::2]
    for a, b in (odd, far):
        found = fused_linear_cross_entropy(a, b, y, reduction="none", scratch=500)
        assert all(map(same_bits, found, plain))
    loss, dh, dw = fused_linear_cross_entropy(
        h.reshape(2, 3, 5), w, y.reshape(2, 3), reduction="none", scratch=500
    )
    assert same_bits(loss, plain[0].reshape(2, 3))
    assert same_bits(dh, plain[1].reshape(2, 3, 5))
    assert same_bits(dw, plain[2])
    one = fused_linear_cross_entropy(h[0], w, y[0])
    assert (np.shape(one[0]), one[1].shape, one[2].shape) == ((), (5,), (40, 5))
    assert all(a.dtype == h.dtype for a in one)


# --------------------------------------------------------------------- the edges

EDGES = [
    [0.5, -1.0, 2.0, 0.0],
    [-INF, -INF, -INF, -INF],
    [INF, 0.0, INF, 1.0],
    [1.0, INF, -INF, 2.0],
    [0.0, -INF, 0.0, 0.0],
    [NAN, 1.0, 2.0, 3.0],
    [-INF, 4.0, -INF, 0.0],
]


@WIDE
@pytest.mark.parametrize("row", EDGES, ids=str)
@pytest.mark.parametrize("pad", [0, 60])
@pytest.mark.parametrize("scratch", [1, 16, 2**20])
def test_the_edges_are_those_of_sxlit(
    dtype: str, row: list[float], pad: int, scratch: int
) -> None:
    """One feature that is 1, so that the weights are the logits."""
    x = np.array([[*row, *pad * [-INF]]], dtype)
    h, w, classes = np.ones((1, 1), dtype), x.T.copy(), x.shape[1]
    eye = np.eye(classes, dtype=dtype)
    for label in range(3):
        for targets in (
            [label],
            eye[[label]],
            (eye[[label]] + eye[:1]) / 2,
            0 * eye[:1],
        ):
            for options in ({}, {"weight": np.arange(classes) / 4}):
                loss, dh, dw = fused_linear_cross_entropy(
                    h, w, targets, scratch=scratch, **options
                )
                true = sxlit.cross_entropy(x, targets, **options)
                slope = sxlit.cross_entropy_grad(x, targets, **options)
                np.testing.assert_allclose(loss, true, rtol=1e-6)
                np.testing.assert_allclose(dw.T, slope, rtol=1e-6, atol=1e-7)
                with np.errstate(invalid="ignore"):
                    np.testing.assert_allclose(dh, slope @ w, rtol=1e-5, atol=1e-6)


def test_rows_that_are_ignored_may_hold_anything() -> None:
    h, w, y = a_layer("float64", 6, 5, 9)
    h[2], y[2], y[4] = NAN, 77, 77
    some = [0, 1, 3, 5]
    found = fused_linear_cross_entropy(h, w, y, ignore_index=77)
    expected = fused_linear_cross_entropy(h[some], w, y[some])
    assert all(map(same_bits, (found[0], found[1][some], found[2]), expected))
    assert not found[1][[2, 4]].any()
    loss, dh, dw = fused_linear_cross_entropy(h, w, np.full(6, 77), ignore_index=77)
    assert np.isnan(loss)
    assert not dh.any() | dw.any()
    loss, *_ = fused_linear_cross_entropy(
        h, w, np.full(6, 77), ignore_index=77, reduction="sum"
    )
    assert loss == 0.0


def test_no_rows_no_features_one_class_and_no_weight() -> None:
    w = np.ones((4, 3))
    loss, dh, dw = fused_linear_cross_entropy(np.empty((0, 3)), w, np.empty(0, int))
    assert np.isnan(loss)
    assert (dh.shape, dw.tolist()) == ((0, 3), np.zeros((4, 3)).tolist())
    loss, dh, dw = fused_linear_cross_entropy(np.empty((2, 0)), w[:, :0], [0, 1])
    assert abs(loss - np.log(4)) < 1e-15
    assert (dh.shape, dw.shape) == ((2, 0), (4, 0))
    loss, dh, dw = fused_linear_cross_entropy(w[:2], w[:1], [0, 0])
    assert loss == 0.0
    assert not dh.any()
    assert not dw.any()
    for reduction, true in (("mean", NAN), ("sum", 0.0)):
        loss, dh, dw = fused_linear_cross_entropy(
            w[:1], w, [0], weight=[0.0, 1, 1, 1], reduction=reduction
        )
        assert same_bits(loss, np.float64(true))
        assert not dh.any()
        assert not dw.any()


WRONG: list[tuple[Any, Any, Any, dict[str, Any]]] = [
    ([0, 3], "sxlit", ValueError, {}),
    ([0, -100], "sxlit", ValueError, {}),
    ([0.0, 1.0], "sxlit", TypeError, {}),
    ([[0], [1]], "sxlit", ValueError, {}),
    (np.zeros((2, 3), int), "sxlit", TypeError, {}),
    (np.zeros((2, 3)), "sxlit", ValueError, {"ignore_index": 0}),
    ([0, 1], "sxlit", ValueError, {"weight": [1.0, -1.0, 0.0]}),
    ([0, 1], "sxlit", ValueError, {"weight": [1.0]}),
    ([0, 1], "sxlit", ValueError, {"reduction": "average"}),
    ([0, 1], "sxlit", ValueError, {"label_smoothing": 2}),
    ([0, 1], "sxlit", TypeError, {"ignore_index": 0.5}),
    ([0, 1], "scratch: expected a number of bytes from 1", ValueError, {"scratch": 0}),
    ([0, 1], "scratch: expected a number of bytes", TypeError, {"scratch": 1.5}),
]


@pytest.mark.parametrize(("targets", "words", "kind", "options"), WRONG, ids=str)
def test_what_sxlit_refuses_is_refused_in_its_words(
    targets: Any, words: str, kind: type[Exception], options: dict[str, Any]
) -> None:
    if words == "sxlit":
        with pytest.raises(kind) as expected:
            sxlit.cross_entropy(np.zeros((2, 3)), targets, **options)
        words = str(expected.value)
    with pytest.raises(kind) as found:
        fused_linear_cross_entropy(
            np.zeros((2, 5)), np.zeros((3, 5)), targets, **options
        )
    assert str(found.value).startswith(words)


@pytest.mark.parametrize(
    ("h", "w", "words"),
    [
        (np.zeros((2, 5)), np.zeros((3, 4)), "W: expected a row of 5 weights for each"),
        (np.zeros((2, 5)), np.zeros(5), "W: expected a row of 5 weights for each"),
        (np.zeros((2, 5)), np.zeros((0, 5)), "W: no classes"),
        (
            np.zeros((2, 5)),
            np.zeros((3, 5), "f"),
            "W: expected the dtype of h, float64",
        ),
        (np.zeros(()), np.zeros((3, 5)), "h: expected an axis of features"),
        (np.zeros((2, 5), complex), np.zeros((3, 5)), "h: expected float16"),
        (np.zeros((2, 5)), np.ma.zeros((3, 5)), "W: got a masked array"),
    ],
)
def test_layers_that_do_not_fit(h: Any, w: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError)) as found:
        fused_linear_cross_entropy(h, w, [0, 1])
    assert str(found.value).startswith(words)


# ---------------------------------------------------------------------- memory


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_never_exist_whole(dtype: str) -> None:
    """NumPy's memory beside the results: a few MiB; the logits take hundreds."""
    rows, width, classes = 512, 16, 120_000
    rng = np.random.default_rng(0)
    h = rng.standard_normal((rows, width)).astype(dtype)
    w = rng.standard_normal((classes, width)).astype(dtype)
    y = rng.integers(classes, size=rows)
    fused_linear_cross_entropy(h[:2], w[:9], [0, 1])
    tracemalloc.start()
    _, dh, dw = fused_linear_cross_entropy(h, w, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    whole = rows * classes * h.itemsize
    assert whole > 2**27 * 1.7
    assert peak - dh.nbytes - dw.nbytes < 5 * 2**20


def test_without_numba_the_import_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import sxlit.lastlayer, sxlit.bounds\n"
        "try: import sxlit.linear\n"
        "except ImportError as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "python -m pip install 'sxlit[fast]'" in said.stdout
    assert said.stderr == ""


def test_the_docstring_has_every_part() -> None:
    text = fused_linear_cross_entropy.__doc__ or ""
    parts = ("Args:", "Returns:", "Raises:", "At the edges", "Examples:", "Source:")
    bound = "Error: at most `sxlit.bounds.fused_linear_cross_entropy`"
    assert [part for part in (*parts, bound) if part not in text] == []


# ------------------------------------------------------------- fewer classes


@pytest.mark.theorem("thm-sampled-loss")
@pytest.mark.parametrize("draws", [1, 2, 3])
def test_sampling_estimates_the_sum_but_not_the_loss(draws: int) -> None:
    """Every sample there is, with weights and frequencies that are fractions."""
    weights = [Fraction(n, 7) for n in (12, 1, 30, 4)]  # exp(x), the label's first
    q = [Fraction(n, 10) for n in (2, 5, 3)]
    mean, logs = Fraction(), arb(0)
    for sample in itertools.product(range(3), repeat=draws):
        probability, total = Fraction(1), weights[0]
        for k in sample:
            probability *= q[k]
            total += weights[k + 1] / (draws * q[k])
        mean += probability * total
        logs += as_arb(probability) * as_arb(total).log()
    assert mean == sum(weights)
    assert logs < as_arb(sum(weights, Fraction())).log()


def as_arb(number: Fraction) -> arb:
    return arb(flint.fmpq(number.numerator, number.denominator))


@pytest.mark.theorem("thm-tree-normalised")
@pytest.mark.parametrize("leaves", [1, 2, 3, 7, 32])
def test_the_leaves_of_a_tree_sum_to_one(leaves: int) -> None:
    """With a fraction for the sigmoid of each inner node."""
    rng = np.random.default_rng(leaves)

    def below(count: int) -> list[Fraction]:
        if count == 1:
            return [Fraction(1)]
        left = int(rng.integers(1, count))
        turn = Fraction(int(rng.integers(1, 1000)), 1000)
        here = [turn * p for p in below(left)]
        return here + [(1 - turn) * p for p in below(count - left)]

    found = below(leaves)
    assert len(found) == leaves
    assert sum(found) == 1
