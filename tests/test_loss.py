"""Laws, edges and errors of the loss, its gradient and its Hessian."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

import sxlit
from rounded import SHORT, as_dtype, misrounded, worst_ulp
from sameness import same_bits
from sxlit import bounds
from sxlit.accurate import count_undecided
from sxlit.rounding import FORMATS

INF, NAN = np.inf, np.nan
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
MODES = pytest.mark.parametrize(
    ("dtype", "precision"),
    [
        *((name, "float64") for name in (*SHORT, "float64")),
        ("float64", "double-double"),
    ],
)
REDUCTIONS = pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
NAMES = ["cross_entropy", "cross_entropy_grad", "cross_entropy_hvp"]
BOTH = pytest.mark.parametrize("f", [sxlit.cross_entropy, sxlit.cross_entropy_grad])


def rows_of_every_kind() -> np.ndarray:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((9, 6))
    rows[1] += [80, 0, 0, 0, 0, 0]
    rows[2] = 1.0
    rows[3] *= 300
    rows[4, 2] = -INF
    rows[5, 1] = INF
    rows[6, :2] = INF
    rows[7] = -INF
    rows[8, 0] = NAN
    return rows


def ask(name: str, x: np.ndarray, targets: Any, **options: Any) -> np.ndarray:
    """Loss, gradient or Hessian product, in one direction."""
    direction = np.random.default_rng(5).standard_normal(x.size).reshape(x.shape)
    extra = (direction,) if name == "cross_entropy_hvp" else ()
    return np.asarray(getattr(sxlit, name)(x, targets, *extra, **options))


# One law: a one-hot distribution and the equal label

WEIGHTS = {
    "none": None,
    "ones": np.ones(6),
    "some": [0.3, 1.7, 0.1, 2.0, 1e-3, 5.0],
    "zeros": np.array([0, 1, 0, 2, 0, 3], np.float32),
    "all zero": np.zeros(6),
    "tiny": np.full(6, 5e-324),
    "huge": np.full(6, 1e300),
}


@pytest.mark.theorem("thm-one-hot", "cor-one-hot-batch")
@pytest.mark.parametrize("name", NAMES)
@REDUCTIONS
@MODES
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1 / 3, 1.0])
def test_one_hot_equals_label_bit_for_bit(name, reduction, dtype, precision, smoothing):
    odd, rng = rows_of_every_kind(), np.random.default_rng(6)
    odd[0, :3] = [0.0, -0.0, 0.0]  # both zeros, and ties
    every = np.repeat(np.arange(6), 9)
    batches = [(np.tile(odd, (6, 1)), every), (odd[:5], rng.integers(6, size=5))]
    batches.append((10 * rng.standard_normal((60, 6)), rng.integers(6, size=60)))
    for weight in WEIGHTS if dtype == "float64" else ("none", "some"):
        options = {
            "weight": WEIGHTS[weight],
            "label_smoothing": smoothing,
            "reduction": reduction,
            "precision": precision,
        }
        for rows, labels in batches:
            x, hot = rows.astype(as_dtype(dtype)), np.eye(6)[labels]
            a = ask(name, x, labels, **options)
            assert same_bits(a, ask(name, x, hot, **options))
            hot = hot.astype(as_dtype(dtype))
            b = ask(name, x.T, labels, axis=0, **options)
            assert same_bits(b, ask(name, x.T, hot.T, axis=0, **options))


@pytest.mark.theorem("thm-one-hot")
@pytest.mark.parametrize("name", NAMES)
@MODES
def test_a_one_hot_row_does_not_see_what_is_beside_it(name, dtype, precision):
    """Nor does any other: rows are rounded one by one, whatever their arithmetic."""
    x = rows_of_every_kind().astype(as_dtype(dtype))
    q = np.random.default_rng(8).dirichlet(np.ones(6), size=9)
    q[::2] = np.eye(6)[:5]
    v = np.random.default_rng(9).standard_normal((9, 6))
    f, soft = getattr(sxlit, name), name == "cross_entropy_hvp"
    options = {"weight": WEIGHTS["some"], "precision": precision, "reduction": "none"}
    whole = f(x, q, *([v] if soft else []), **options)
    for i in range(9):
        extra = [v[i : i + 1]] if soft else []
        alone = f(x[i : i + 1], q[i : i + 1], *extra, **options)
        assert same_bits(whole[i : i + 1], alone)


@pytest.mark.parametrize("name", NAMES)
@REDUCTIONS
@DTYPES
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", ["none", "some", "zeros"])
@pytest.mark.parametrize("mark", [-100, 99, 2])
def test_to_ignore_is_to_leave_out(name, reduction, dtype, smoothing, weight, mark):
    """Bit for bit, whatever the ignored rows hold; there the result is exactly 0."""
    rng = np.random.default_rng(7)
    x = (5 * rng.standard_normal((40, 6))).astype(dtype)
    x[:9] = rows_of_every_kind()
    labels = rng.choice([0, 1, 3, 4, 5], size=40)
    kept = np.ones(40, dtype=bool)
    kept[[1, 4, 5, 6, 7, 8, 20, 33]] = False
    v = rng.standard_normal((40, 6))
    v[8], v[7] = NAN, INF
    options = {
        "weight": WEIGHTS[weight],
        "label_smoothing": smoothing,
        "reduction": reduction,
    }
    f = getattr(sxlit, name)
    extra = (v,) if name == "cross_entropy_hvp" else ()
    short = (v[kept],) if name == "cross_entropy_hvp" else ()
    marked = np.where(kept, labels, mark)
    whole = np.asarray(f(x, marked, *extra, ignore_index=mark, **options))
    part = np.asarray(f(x[kept], labels[kept], *short, **options))
    if name == "cross_entropy" and reduction != "none":
        assert same_bits(whole, part)
        return
    assert same_bits(whole[kept], part)
    assert same_bits(whole[~kept], np.zeros_like(whole[~kept]))


@pytest.mark.parametrize("name", NAMES)
@DTYPES
def test_no_warning_leaks_and_no_argument_changes(name, dtype):
    x = rows_of_every_kind().astype(dtype)
    x[0] = np.finfo(dtype).max * np.array([1, -1, 0.5, 0, 1, 1])
    labels, hot = np.arange(9) % 6, np.eye(6, dtype=dtype)[np.arange(9) % 6]
    for weight in WEIGHTS.values():
        w = None if weight is None else np.array(weight)
        for targets in (labels, hot):
            for array in (x, targets, *([] if w is None else [w])):
                array.setflags(write=False)
            for smoothing in (0.0, 1e-320, 0.1):
                with np.errstate(all="raise"):
                    ask(name, x, targets, weight=w, label_smoothing=smoothing)


@pytest.mark.parametrize("name", NAMES)
@DTYPES
def test_no_option_is_an_option(name, dtype):
    """Smoothing by 0, weights of 1 and nothing to ignore change no bit."""
    x = rows_of_every_kind().astype(dtype)
    labels = np.arange(9) % 6
    for targets in (labels, np.eye(6)[labels]):
        for reduction in ("none", "sum", "mean"):
            plain = ask(name, x, targets, reduction=reduction)
            same: dict[str, Any] = {"weight": np.ones(6), "label_smoothing": 0}
            if targets is labels:
                same["ignore_index"] = -100
            assert same_bits(plain, ask(name, x, targets, reduction=reduction, **same))


# Where everyone else returns 0


@DTYPES
def test_the_small_loss_is_kept(dtype):
    x = np.array([[20, 0, 0]], dtype)
    true = 4.1223072363804073e-09
    assert sxlit.cross_entropy(x, [0]) == pytest.approx(true, rel=1e-6)
    gradient = sxlit.cross_entropy_grad(x, [0])[0]
    assert gradient[0] == pytest.approx(-true, rel=1e-6)
    assert gradient.astype(float).sum() == pytest.approx(0, abs=1e-15)


# Formulas


def test_sums_other_than_one():
    x, q = np.array([[0.5, -1.0, 2.0]]), np.array([[2.0, 0.0, 1.0]])
    lse = sxlit.logsumexp(x[0])
    assert sxlit.cross_entropy(x, q) == pytest.approx(3 * lse - (x @ q.T).item())
    wanted = 3 * sxlit.softmax(x) - q
    np.testing.assert_allclose(sxlit.cross_entropy_grad(x, q), wanted, rtol=1e-14)


def test_no_weight_is_no_loss():
    zeros = np.zeros((1, 3))
    assert sxlit.cross_entropy([[1.0, 2.0, -INF]], zeros) == 0
    assert (sxlit.cross_entropy_grad([[1.0, 2.0, -INF]], zeros) == 0).all()


@pytest.mark.parametrize("soft", [False, True])
def test_the_gradient_is_the_slope(soft):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((4, 5))
    targets = rng.random((4, 5)) if soft else rng.integers(5, size=4)
    step = 1e-6
    gradient = sxlit.cross_entropy_grad(x, targets)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        rise = sxlit.cross_entropy(up, targets) - sxlit.cross_entropy(down, targets)
        assert gradient[i] == pytest.approx(rise / (2 * step), abs=1e-8)


@REDUCTIONS
def test_reductions(reduction):
    x, y = rows_of_every_kind()[:4], [0, 0, 5, 2]
    each = sxlit.cross_entropy(x, y, reduction="none")
    whole = sxlit.cross_entropy(x, y, reduction=reduction)
    wanted = {"none": each, "sum": each.sum(), "mean": each.sum() / 4}[reduction]
    assert same_bits(whole, wanted)
    gradient = sxlit.cross_entropy_grad(x, y, reduction=reduction)
    divisor = 4 if reduction == "mean" else 1
    total = sxlit.cross_entropy_grad(x, y, reduction="sum")
    assert same_bits(gradient, total / divisor)


def test_the_mean_of_float32_losses_does_not_overflow():
    x = np.full((4, 2), -3e38, np.float32)
    x[:, 1] = 0
    assert sxlit.cross_entropy(x, [0, 0, 0, 0]) == np.float32(3e38)
    assert sxlit.cross_entropy(x, [0, 0, 0, 0], reduction="sum") == INF


def test_the_mean_of_float64_losses_does_not_overflow():
    """A warning would be an error here; the sum is beyond the largest float64."""
    x = [[1e308, 0]] * 3
    assert sxlit.cross_entropy(x, [1, 1, 1]) == pytest.approx(1e308, rel=1e-15)
    assert sxlit.cross_entropy(x, [1, 1, 1], reduction="sum") == INF
    hot = np.array([[0.0, 1.0]] * 3)
    assert same_bits(sxlit.cross_entropy(x, hot), sxlit.cross_entropy(x, [1, 1, 1]))


def test_a_row_of_losses_does_not_depend_on_its_batch():
    x, y = rows_of_every_kind(), np.arange(9) % 6
    each = sxlit.cross_entropy(x, y, reduction="none")
    for i in range(9):
        assert same_bits(
            each[i : i + 1],
            sxlit.cross_entropy(x[i : i + 1], y[i : i + 1], reduction="none"),
        )


# The edge-case contract


@pytest.mark.parametrize(
    ("row", "target", "loss", "gradient"),
    [
        ([-INF, 0], [0.0, 1.0], 0, [0, 0]),
        ([-INF, 0], 1, 0, [0, 0]),
        ([-INF, 0], 0, INF, [-1, 1]),
        ([-INF, 0], [0.5, 0.5], INF, [-0.5, 0.5]),
        ([INF, 0], 0, 0, [0, 0]),
        ([INF, 0], 1, INF, [1, -1]),
        ([INF, INF, 0], 0, NAN, [NAN, NAN, 0]),
        ([INF, INF, 0], 2, INF, [NAN, NAN, -1]),
        ([-INF, -INF], 0, NAN, [NAN, NAN]),
        ([-INF, -INF], [0.0, 0.0], NAN, [NAN, NAN]),
        ([NAN, 0], 1, NAN, [NAN, NAN]),
        ([NAN, 0], [0.0, 0.0], NAN, [NAN, NAN]),
        ([0.0, 0.0], [NAN, 1.0], NAN, [NAN, NAN]),
        ([5.0], 0, 0, [0]),
    ],
)
def test_special_values(row, target, loss, gradient):
    """In a batch, so that the row beside it is seen to be untouched."""
    x = np.stack([row, np.zeros(len(row))])
    if np.ndim(target):
        targets = np.stack([target, np.full(len(row), 1 / len(row))])
    else:
        targets = np.array([target, 0])
    losses = sxlit.cross_entropy(x, targets, reduction="none")
    gradients = sxlit.cross_entropy_grad(x, targets, reduction="none")
    np.testing.assert_array_equal(losses[0], np.float64(loss))
    np.testing.assert_array_equal(gradients[0], np.array(gradient, float))
    assert losses[1] == pytest.approx(np.log(len(row)))
    assert np.isfinite(gradients[1]).all()


def test_a_certain_class_costs_plus_zero():
    assert not np.signbit(sxlit.cross_entropy([[3.0]], [0]))


def test_an_empty_batch():
    x, y = np.zeros((0, 3)), np.zeros(0, int)
    assert np.isnan(sxlit.cross_entropy(x, y))
    assert sxlit.cross_entropy(x, y, reduction="sum") == 0
    assert sxlit.cross_entropy(x, y, reduction="none").shape == (0,)
    assert sxlit.cross_entropy_grad(x, y).shape == (0, 3)


@BOTH
def test_no_classes(f):
    with pytest.raises(ValueError, match="logits: no classes"):
        f(np.zeros((2, 0)), [0, 0])


@BOTH
@pytest.mark.parametrize(("labels", "named"), [([0, 3], "3"), ([0, -1], "-1")])
@pytest.mark.parametrize("dtype", ["int8", "int64"])
def test_a_label_out_of_range_is_named(f, labels, named, dtype):
    with pytest.raises(ValueError, match=rf"targets\[1\] is {named}: .*from 0 to 2"):
        f(np.zeros((2, 3)), np.array(labels, dtype))


@BOTH
def test_unsigned_labels(f):
    x = np.zeros((2, 3))
    assert same_bits(f(x, np.array([0, 2], np.uint8)), f(x, [0, 2]))
    with pytest.raises(ValueError, match="is 18446744073709551615"):
        f(x, np.array([0, 2**64 - 1], np.uint64))


@BOTH
@pytest.mark.parametrize(
    ("targets", "error", "match"),
    [
        ([0.0, 1.0], TypeError, "shape of labels, which must be integers"),
        ([[0, 1, 0], [1, 0, 0]], TypeError, r"targets.argmax\(1\)"),
        ([[False, True, False]] * 2, TypeError, "shape of distributions"),
        ([True, False], TypeError, r"must be integers; got dtype bool.*astype\(int\)"),
        (["a", "b"], TypeError, r"expected labels .*\(float16, bfloat16, float32 or"),
        ([0], ValueError, "nothing is broadcast"),
        ([[0], [1]], ValueError, "nothing is broadcast"),
        ([[0.2, 0.3, 0.5]], ValueError, "nothing is broadcast"),
        ([0.2, 0.3, 0.5], ValueError, "nothing is broadcast"),
        (0, ValueError, "nothing is broadcast"),
    ],
)
def test_targets_that_are_neither(f, targets, error, match):
    with pytest.raises(error, match=match):
        f(np.zeros((2, 3)), targets)


@BOTH
@pytest.mark.parametrize("dtype", ["longdouble", "complex64"])
def test_distributions_of_another_dtype(f, dtype):
    with pytest.raises(TypeError, match="float32"):
        f(np.zeros((1, 2)), np.ones((1, 2), dtype))


@BOTH
@pytest.mark.parametrize("targets", [[0, 1], [[0.5, 0.5], [1.0, 0.0]]])
def test_masked_targets(f, targets):
    masked = np.ma.masked_array(targets, np.zeros(np.shape(targets), bool))
    with pytest.raises(TypeError, match="targets: got a masked array"):
        f(np.zeros((2, 2)), masked)
    with pytest.raises(TypeError, match="logits: got a masked array"):
        f(np.ma.masked_array(np.zeros((2, 2)), np.eye(2)), targets)


@BOTH
@pytest.mark.parametrize(
    ("logits", "targets", "named"),
    [
        ([[1.0, 2.0], [1.0]], [0, 0], "logits"),
        ([[1.0, 2.0], [1.0, 2.0]], [[0.5, 0.5], [1.0]], "targets"),
        ([[1.0, 2.0], [1.0]], [[0.5, 0.5], [1.0]], "logits"),
        ([[[1.0], [2.0]], [[1.0, 2.0], [1.0]]], [[0, 0], [0]], "logits"),
    ],
)
def test_ragged_lists(f, logits, targets, named):
    with pytest.raises(ValueError, match=f"{named}: expected a rectangular array"):
        f(logits, targets)


@BOTH
def test_exchanged_arguments(f):
    with pytest.raises(ValueError, match="the logits come first"):
        f([0, 1], [[0.5, 1.5], [2.5, 3.5]])


@BOTH
def test_unknown_reduction(f):
    with pytest.raises(ValueError, match="expected 'none', 'sum' or 'mean'"):
        f([[0.0, 1.0]], [0], reduction="average")


@BOTH
@pytest.mark.parametrize(
    ("q", "match"),
    [([0.5, 0.4], "row 1 sums to 0.9"), ([1.5, -0.5], "row 1 has a negative weight")],
)
def test_check_targets_refuses_what_is_accepted_without(f, q, match):
    x, targets = np.zeros((2, 2)), [[0.5, 0.5], q]
    assert np.isfinite(f(x, targets)).all()
    with pytest.raises(ValueError, match=match):
        f(x, targets, check_targets=True)


@BOTH
def test_check_targets_forgives_rounding(f):
    for dtype in (*SHORT, ">f4"):
        q = np.full((1, 10), 0.1).astype(as_dtype(dtype))
        f(np.zeros((1, 10)), q, check_targets=True)
        with pytest.raises(ValueError, match="row 0 sums to"):
            f(np.zeros((1, 10)), q * q.dtype.type(1.5), check_targets=True)


# The bounds, against exact values: fractions for the weights, balls for the rest


def ball(value: Fraction | float) -> flint.arb:
    exact = Fraction(value)
    return flint.arb(exact.numerator) / flint.arb(exact.denominator)


def exact_weights(
    targets: np.ndarray, classes: int, weight: Any, smoothing: float
) -> tuple[list[list[Fraction]], list[list[Fraction]]]:
    """w_k ((1 - e) q_k + e / C) and w_k q_k, row by row."""
    q = np.eye(classes)[targets] if targets.dtype.kind == "i" else targets
    w = [Fraction(1)] * classes
    if weight is not None:
        w = [Fraction(float(value)) for value in weight]
    e = Fraction(smoothing)
    counted = [
        [a * Fraction(float(b)) for a, b in zip(w, row, strict=True)] for row in q
    ]
    effective = [
        [(1 - e) * a + b * e / classes for a, b in zip(row, w, strict=True)]
        for row in counted
    ]
    return effective, counted


def surprises(x: np.ndarray) -> list[Any]:
    """LSE - x_k."""
    logits = [ball(float(value)) for value in x]
    top = ball(float(x.max()))
    total = sum(((a - top).exp() for a in logits), flint.arb(0))
    return [top - a + total.log() for a in logits]


def exact_row(name: str, x: np.ndarray, r: list[Fraction], v: np.ndarray) -> list[Any]:
    """One row's loss, gradient or Hessian product."""
    surprise = surprises(x)
    weights = [ball(value) for value in r]
    if name == "cross_entropy":
        pairs = zip(weights, surprise, strict=True)
        return [sum((a * b for a, b in pairs if a != 0), flint.arb(0))]
    p = [(-a).exp() for a in surprise]
    all_weights = ball(sum(r))
    if name == "cross_entropy_grad":
        return [all_weights * a - b for a, b in zip(p, weights, strict=True)]
    along = [ball(float(value)) for value in v]
    mean = sum((a * b for a, b in zip(p, along, strict=True)), flint.arb(0))
    return [all_weights * a * (b - mean) for a, b in zip(p, along, strict=True)]


def exact_answer(
    name: str,
    x: np.ndarray,
    targets: np.ndarray,
    v: np.ndarray,
    weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> list[Any]:
    """Every element of the answer, in its order, as a ball."""
    flint.ctx.prec = 400 + 4 * int(np.ptp(x, axis=1).max())  # p to below the gaps
    classes = x.shape[1]
    marked = targets == ignore_index if ignore_index is not None else np.zeros(len(x))
    kept = ~np.asarray(marked, bool).reshape(len(x), -1).any(axis=1)
    safe = np.where(kept, targets, 0) if targets.ndim == 1 else targets
    effective, counted = exact_weights(safe, classes, weight, label_smoothing)
    width = 1 if name == "cross_entropy" else classes
    each = [
        exact_row(name, x[n], effective[n], v[n]) if kept[n] else [flint.arb(0)] * width
        for n in range(len(x))
    ]
    divisor = Fraction(1)
    if reduction == "mean":
        sums = [sum(row) for row, keep in zip(counted, kept, strict=True) if keep]
        divisor = Fraction(int(kept.sum())) if weight is None else sum(sums, Fraction())
    scale = flint.arb(0) if divisor == 0 else 1 / ball(divisor)
    flat = [value * scale for row in each for value in row]
    if name == "cross_entropy" and reduction != "none":
        return [sum(flat, flint.arb(0))]
    return flat


def within(answer: Any, exact: list[Any], allowed: np.ndarray) -> bool:
    pairs = zip(np.ravel(answer), exact, np.ravel(allowed), strict=True)
    return all(abs(ball(float(a)) - b) <= ball(float(c)) for a, b, c in pairs)


def tempers(kind: str, classes: int) -> np.ndarray:
    x = np.random.default_rng(classes).standard_normal((4, classes))
    match kind:
        case "calm":
            return 3 * x
        case "dominated":
            x[:, 0] += 40
            return x
        case "far":
            return x + 1e4
        case "tied":
            return np.zeros_like(x)
        case "wide":
            return 300 * x
    raise ValueError(kind)


def options_of(classes: int, labels: bool) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(classes)
    some = rng.random(classes).astype(np.float32)
    few = np.where(np.arange(classes) % 2, 1.5, 0.0)
    few[0] = 2.0
    for weight in (None, some, few):
        for smoothing in (0.0, 0.1, 1.0):
            for ignore in (None, 0) if labels else (None,):
                for reduction in ("none", "sum", "mean"):
                    yield {
                        "weight": weight,
                        "label_smoothing": smoothing,
                        "ignore_index": ignore,
                        "reduction": reduction,
                    }


def targets_of(classes: int, dtype: str) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(classes + 1)
    labels = rng.integers(classes, size=4)
    labels[:2] = 0, classes - 1
    yield labels
    q = rng.random((4, classes))
    yield (q / q.sum(axis=1, keepdims=True)).astype(dtype)
    signed = rng.standard_normal((4, classes)) + 0.5
    signed[1] = np.eye(classes)[0]
    yield signed.astype(dtype)


THEOREMS = (
    "thm-loss-error",
    "thm-gradient-error",
    "thm-curvature-error",
    "lem-factor",
    "lem-others-weights",
    "lem-effective-weights",
    "thm-reduced-loss-error",
    "thm-reduced-gradient-error",
    "thm-hvp-error",
)


@pytest.mark.theorem(*THEOREMS)
@DTYPES
@pytest.mark.parametrize("kind", ["calm", "dominated", "far", "tied", "wide"])
@pytest.mark.parametrize("classes", [1, 2, 7])
def test_every_answer_is_within_its_bound(kind, classes, dtype):
    x = tempers(kind, classes).astype(dtype)
    v = np.random.default_rng(9).standard_normal(x.shape).astype(dtype)
    numerics = bounds.Numerics.required(dtype)
    for targets in targets_of(classes, dtype):
        for options in options_of(classes, targets.ndim == 1):
            for name in NAMES:
                extra = (v,) if name == "cross_entropy_hvp" else ()
                answer = getattr(sxlit, name)(x, targets, *extra, **options)
                exact = exact_answer(name, x, targets, v, **options)
                for grade in ("standard", "hra"):
                    allowed = getattr(bounds, name)(
                        x, targets, *extra, **options, numerics=numerics, grade=grade
                    )
                    assert allowed.shape == np.shape(answer)
                    if not np.isnan(answer).any():
                        assert within(answer, exact, allowed), (name, grade, options)


def hard_rows(dtype: np.dtype[Any]) -> np.ndarray:
    """Calm, far from 0, wide, with two maxima, and ever surer of class 0."""
    x = np.random.default_rng(16).standard_normal((11, 4))
    x[1] += 30
    x[2] *= 50
    x[3, 1] = x[3, 2] = 4
    x[4, 1:] = x[4, 0] - 2
    x[5:] = np.round(x[5:])
    x[5:, 0] += [9, 16, 30, 100, 200, 650]
    return x.astype(dtype)


def hard_targets(dtype: np.dtype[Any]) -> Iterator[np.ndarray]:
    """Labels, soft labels, weights of both signs, and halves of an ulp."""
    rng = np.random.default_rng(17)
    yield np.arange(11) % 4
    yield np.zeros(11, int)
    q = rng.dirichlet(np.ones(4), size=11)
    yield q
    yield q.astype(dtype)
    yield rng.standard_normal((11, 4))
    tie = 2.0 ** -(min(FORMATS[dtype.name].precision, 50) + 1)
    odd = tie * (2 * rng.integers(0, 8, (11, 1)) + 1)
    yield np.hstack([0.5 - odd, 0.5 + odd, np.zeros((11, 2))])
    yield np.hstack([np.full((11, 1), 0.5), 0.5 - odd, odd, np.zeros((11, 1))])


@pytest.mark.theorem("thm-rounded")
@pytest.mark.parametrize("name", NAMES)
@REDUCTIONS
@MODES
def test_every_answer_is_rounded_correctly(name, reduction, dtype, precision):
    """In float64 without more precision, within 5/8 ulp."""
    x = hard_rows(as_dtype(dtype))
    v = np.random.default_rng(18).standard_normal(x.shape).astype(x.dtype)
    extra = (v,) if name == "cross_entropy_hvp" else ()
    weights = (None, [0.3, 1.7, 0.1, 2.0], [1.0, 2.0, 0.0, 1.5])
    for targets in hard_targets(x.dtype):
        for weight, smoothing in zip(weights, (0.0, 0.0, 0.1), strict=True):
            options = {
                "weight": weight,
                "label_smoothing": smoothing,
                "reduction": reduction,
            }
            f = getattr(sxlit, name)
            with count_undecided() as undecided:
                found = f(x, targets, *extra, **options, precision=precision)
            q = targets if targets.ndim == 1 else targets.astype(float)
            exact = exact_answer(name, x.astype(float), q, v.astype(float), **options)
            assert found.dtype == x.dtype
            assert undecided.count == 0
            if dtype == "float64" and precision == "float64":
                assert worst_ulp(found, exact) <= 0.625
            else:
                assert misrounded(found, exact) == []


def test_a_weight_that_float64_cannot_hold():
    """0.1 / 3, and a mean of shares: rounded once, not with each of them."""
    x, y = np.zeros((3, 3)), [0, 1, 2]
    options = {"label_smoothing": 0.1, "weight": [0.1, 0.2, 0.7]}
    for name in ("cross_entropy", "cross_entropy_grad"):
        found = getattr(sxlit, name)(x, y, **options, precision="double-double")
        exact = exact_answer(name, x, np.array(y), x, **options)
        assert misrounded(found, exact) == []


def test_what_cancels_to_nothing_is_counted():
    """The gradient at its exact optimum is 0; a hundred bits cannot say so."""
    x, q = np.log([[0.2, 0.3, 0.5]]), np.array([[0.2, 0.3, 0.5]])
    with count_undecided() as undecided:
        flat = sxlit.cross_entropy_grad([[1.0, 1.0, 1.0]], [0], label_smoothing=1.0)
    assert undecided.count > 0
    assert np.abs(flat).max() < 1e-30
    allowed = bounds.cross_entropy_grad(
        x, q, numerics=bounds.Numerics.required("float64")
    )
    exact = exact_answer("cross_entropy_grad", x, q, x)
    assert within(sxlit.cross_entropy_grad(x, q), exact, allowed)


def as_others_do(
    name: str, x: np.ndarray, y: np.ndarray, v: np.ndarray, w: np.ndarray, e: float
) -> np.ndarray:
    """The mean in float32, by the sums and differences of autograd frameworks."""
    one = np.float32(1)
    e, share = np.float32(e), np.float32(e / x.shape[1])
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    hot = np.eye(x.shape[1], dtype=np.float32)[y]
    total = w[y].sum()
    if name == "cross_entropy":
        own = (-log_p * hot * w).sum() / total
        return np.asarray((one - e) * own + (-log_p * w).sum() / total * share)
    p = np.exp(log_p)
    r = ((one - e) * w[y][:, None] * hot + share * w) / total
    if name == "cross_entropy_grad":
        return p * r.sum(axis=1, keepdims=True) - r
    pull = p * (r.sum(axis=1, keepdims=True) * v)
    return pull - p * pull.sum(axis=1, keepdims=True)


@pytest.mark.theorem(*THEOREMS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["calm", "dominated", "far", "tied", "wide"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_standard_grade_admits_the_usual_algorithms(name, kind, smoothing):
    x = np.tile(tempers(kind, 20), (9, 1)).astype(np.float32)
    rng = np.random.default_rng(10)
    x += rng.standard_normal(x.shape).astype(np.float32)
    v = rng.standard_normal(x.shape).astype(np.float32)
    y, w = rng.integers(20, size=len(x)), rng.random(20).astype(np.float32) + 1
    extra = (v,) if name == "cross_entropy_hvp" else ()
    options = {"weight": w, "label_smoothing": smoothing}
    allowed = getattr(bounds, name)(
        x,
        y,
        *extra,
        **options,
        numerics=bounds.Numerics.required("float32"),
        grade="standard",
    )
    exact = exact_answer(name, x, y, v, **options)
    assert within(as_others_do(name, x, y, v, w, smoothing), exact, allowed)
    if kind == "calm":  # and what is wrong is refused
        wrong = as_others_do(name, x, y, v, w * w, smoothing)
        assert not within(wrong, exact, allowed)
        assert not within(np.zeros(allowed.shape), exact, allowed)


def test_the_high_grade_is_relative_in_a_sure_row():
    """Loss, gradient and Hessian at a gap of 40, where others return 0."""
    x, w = np.array([[40.0, 1.0, 0.0]]), np.array([2.0, 1.0, 3.0])
    v = np.array([[1.0, -1.0, 2.0]])
    f64 = bounds.Numerics.required("float64")
    for name in NAMES:
        extra = (v,) if name == "cross_entropy_hvp" else ()
        answer = getattr(sxlit, name)(x, [0], *extra, weight=w)
        bound = getattr(bounds, name)
        allowed = bound(x, [0], *extra, weight=w, numerics=f64)
        assert (allowed < 1e3 * f64.unit * np.abs(answer)).all()
        allowed = bound(x, [0], *extra, weight=w, numerics=f64, grade="standard")
        assert (allowed > np.abs(answer)).any() or name == "cross_entropy_hvp"


@pytest.mark.parametrize("name", NAMES)
def test_a_denominator_that_may_be_zero_bounds_nothing(name):
    q = np.array([[1.0, -1.0]])
    extra = ([[1.0, 0.0]],) if name == "cross_entropy_hvp" else ()
    f64 = bounds.Numerics.required("float64")
    bound = getattr(bounds, name)
    weight = [1.0, 1.0 + 2.0**-52]
    far = bound([[0.0, 1.0]], q, *extra, weight=weight, numerics=f64)
    assert np.isinf(far).all()
    near = bound([[0.0, 1.0]], q, *extra, weight=[1.0, 1.5], numerics=f64)
    assert (near < 1e-12).all()


# Options out of range, and mistakes that can be seen

ALL = pytest.mark.parametrize("name", NAMES)


@ALL
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_nothing_to_average(name, reduction):
    x, y = [[1.0, 2.0], [INF, NAN]], [-1, -1]
    extra = (x,) if name == "cross_entropy_hvp" else ()
    f = getattr(sxlit, name)
    ignored = f(x, y, *extra, ignore_index=-1, reduction=reduction)
    weightless = f(x[:1], [0], *[x[:1] for _ in extra], weight=[0, 1])
    if name != "cross_entropy":
        assert same_bits(ignored, np.zeros((2, 2)))
        assert same_bits(weightless, np.zeros((1, 2)))
        return
    assert same_bits(ignored, np.float64(NAN if reduction == "mean" else 0))
    assert np.isnan(weightless)
    assert f(x[:1], [0], weight=[0, 1], reduction="sum") == 0


@ALL
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_row_without_softmax_is_lost_even_if_it_weighs_nothing(name, smoothing):
    x = np.array([[NAN, 0.0], [-INF, -INF], [0.0, 1.0]])
    options = {"weight": [0, 0], "label_smoothing": smoothing, "reduction": "none"}
    found = ask(name, x, [0, 0, 0], **options)
    assert np.isnan(found[:2]).all()
    assert (found[2] == 0).all()


@ALL
def test_infinite_logits_cost_nothing_where_the_weight_is_zero(name):
    """The limit of 0 times the loss, also where the loss itself is infinite."""
    rows = np.array([[INF, 0.0], [-INF, 0.0], [INF, INF]])
    for labels in ([1, 0, 0], [1, 0, 1]):
        weight = np.ones(2)
        for row, label in zip(rows, labels, strict=True):
            weight = np.where(np.arange(2) == label, 0.0, 1.0)
            options = {"weight": weight, "reduction": "none"}
            for targets in ([label], np.eye(2)[[label]]):
                found = ask(name, row[None], targets, **options)
                lost = np.isinf(row).sum() > 1 and name != "cross_entropy"
                assert np.isnan(found).all() if lost else (found == 0).all()


@pytest.mark.parametrize(
    ("weight", "smoothing", "loss"),
    [([0.0, 1.0], 0.0, 0.0), ([0.0, 1.0], 0.5, 0.0), (None, 0.5, INF)],
)
def test_a_masked_class(weight, smoothing, loss):
    """-inf costs nothing where its weight is 0, and +inf where smoothing gives some."""
    x = [[-INF, 0.0]]
    for targets in ([1], [[0.0, 1.0]]):
        options = {"weight": weight, "label_smoothing": smoothing, "reduction": "sum"}
        assert sxlit.cross_entropy(x, targets, **options) == loss
        gradient = sxlit.cross_entropy_grad(x, targets, **options)
        share = smoothing / 2 if weight is None else 0.0
        np.testing.assert_array_equal(gradient, [[-share, share]])


@ALL
@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_the_logits_decide_the_dtype(name, dtype):
    x = np.zeros((2, 3), as_dtype(dtype))
    for other in map(as_dtype, (*SHORT, "float64")):
        targets = np.full((2, 3), 1 / 3).astype(other)
        for reduction in ("none", "sum", "mean"):
            options = {"weight": np.ones(3, other), "reduction": reduction}
            assert ask(name, x, targets, **options).dtype == x.dtype


@ALL
def test_another_precision_is_refused(name):
    with pytest.raises(ValueError, match="precision: expected 'float64' or"):
        ask(name, np.zeros((2, 3)), [0, 1], precision="float128")


@ALL
@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"weight": [1, 1]}, ValueError, r"weight: .* shape \(3,\), got \(2,\)"),
        ({"weight": [[1, 1, 1]]}, ValueError, "nothing is broadcast"),
        ({"weight": 1.0}, ValueError, "nothing is broadcast"),
        ({"weight": [1, -1, 1]}, ValueError, r"weight\[1\] is -1.0: .* not negative"),
        ({"weight": [1, 1, INF]}, ValueError, r"weight\[2\] is inf: expected finite"),
        ({"weight": [NAN, 1, 1]}, ValueError, r"weight\[0\] is nan: expected finite"),
        ({"weight": ["a", "b", "c"]}, TypeError, "weight: expected float16, bfloat16"),
        ({"label_smoothing": -0.1}, ValueError, "from 0 to 1, got -0.1"),
        ({"label_smoothing": 1.5}, ValueError, "from 0 to 1, got 1.5"),
        ({"label_smoothing": NAN}, ValueError, "from 0 to 1, got nan"),
        ({"label_smoothing": "0.1"}, TypeError, "expected a number, got '0.1'"),
        ({"label_smoothing": True}, TypeError, "expected a number, got True"),
        ({"label_smoothing": [0.1]}, TypeError, r"expected a number, got \[0.1\]"),
        ({"ignore_index": 0.0}, TypeError, "expected an integer or None, got 0.0"),
        ({"ignore_index": "pad"}, TypeError, "expected an integer or None, got 'pad'"),
        ({"ignore_index": True}, TypeError, "expected an integer or None, got True"),
        ({"ignore_index": np.array([1])}, TypeError, "one label marks the rows"),
        ({"ignore_index": [0, 1]}, TypeError, "one label marks the rows"),
        ({"reduction": "average"}, ValueError, "expected 'none', 'sum' or 'mean'"),
        ({"reduction": np.array(["sum"] * 2)}, ValueError, "'none', 'sum' or 'mean'"),
    ],
)
def test_an_option_out_of_range(name, options, error, match):
    with pytest.raises(error, match=match):
        ask(name, np.zeros((2, 3)), [0, 1], **options)


@ALL
def test_distributions_are_not_ignored(name):
    with pytest.raises(ValueError, match="ignore_index: -1 marks labels"):
        ask(name, np.zeros((2, 3)), np.full((2, 3), 1 / 3), ignore_index=-1)


@ALL
@pytest.mark.parametrize(
    ("label", "hint"),
    [
        (-1, "pass ignore_index=-1$"),
        (-100, "pass ignore_index=-100$"),
        (3, "if the labels count from 1, subtract 1$"),
        (7, "nothing is clamped or wrapped$"),
    ],
)
def test_a_label_out_of_range_has_a_likely_cause(name, label, hint):
    with pytest.raises(ValueError, match=hint):
        ask(name, np.zeros((2, 3)), [0, label])
    with pytest.raises(ValueError, match=rf"targets\[1\] is {label}"):
        ask(name, np.zeros((3, 3)), [-5, label, 0], ignore_index=-5)


@BOTH
def test_one_row_and_one_class(f):
    with pytest.raises(ValueError, match=r"^targets is 9: expected a class"):
        f(np.zeros(3), 9)
    with pytest.raises(ValueError, match=r"a matter for binary_cross_entropy$"):
        f(np.zeros((2, 1)), [0, 1])


@ALL
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_a_nan_target_stays_in_its_row(name, reduction):
    """But for the mean with class weights, where it makes the denominator NaN."""
    x, q = np.zeros((2, 2)), [[NAN, 1.0], [1.0, 0.0]]
    if name == "cross_entropy" and reduction != "none":
        assert np.isnan(ask(name, x, q, reduction=reduction))
        return
    for weight in (None, [1, 2]):
        found = ask(name, x, q, reduction=reduction, weight=weight)
        assert np.isnan(found[0]).all()
        lost = weight is not None and reduction == "mean"
        assert np.isnan(found[1]).all() if lost else np.isfinite(found[1]).all()


@pytest.mark.parametrize("value", [np.int8(-1), np.uint64(7), np.array(-1)])
def test_an_index_to_ignore_is_any_integer(value):
    y = np.array([0, int(value)])
    found = sxlit.cross_entropy(np.zeros((2, 3)), y, ignore_index=value)
    assert found == sxlit.cross_entropy(np.zeros((1, 3)), [0])


@ALL
def test_labels_for_another_class_axis(name):
    with pytest.raises(ValueError, match=r"pass axis=1$"):
        ask(name, np.zeros((2, 3, 4)), np.zeros((2, 4), int))
    with pytest.raises(ValueError, match=r"axis 1, not 0; pass axis=1$"):
        ask(name, np.zeros((2, 3)), [0, 1], axis=0)


@ALL
def test_probabilities_twice(name):
    p = sxlit.softmax(np.random.default_rng(1).standard_normal((5, 3)))
    for given in (p, *(p.astype(as_dtype(name)) for name in SHORT)):
        with pytest.warns(UserWarning, match="pass the scores before softmax") as seen:
            ask(name, given, p)
        assert seen[0].filename == __file__
        with pytest.raises(ValueError, match="pass the scores before softmax"):
            ask(name, given, p, check_targets=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(name, p, [0, 1, 2, 0, 1])  # labels: the shapes leave no doubt
        ask(name, 2 * p, p)
        ask(name, np.eye(3), np.eye(3))
        ask(name, np.zeros((0, 3)), np.zeros((0, 3)))


def test_a_direction_of_another_shape():
    with pytest.raises(ValueError, match="v: expected the shape of the logits"):
        sxlit.cross_entropy_hvp(np.zeros((2, 3)), [0, 1], np.zeros(3))


def test_an_unsigned_label_beyond_the_range_can_be_ignored():
    y = np.array([1, 2**64 - 1], np.uint64)
    x = [[0.0, 1.0], [3.0, 4.0]]
    kept = sxlit.cross_entropy(x[:1], [1])
    assert sxlit.cross_entropy(x, y, ignore_index=2**64 - 1) == kept
    with pytest.raises(ValueError, match="is 18446744073709551615"):
        sxlit.cross_entropy(x, y, ignore_index=-1)


# The statements about the loss


def slopes(name: str, x: np.ndarray, *args: Any, **options: Any) -> list[list[Any]]:
    """Central differences of an exact answer in every logit; steps of 2**-20."""
    found = []
    for step in np.eye(x.size).reshape(-1, *x.shape) * 2.0**-20:
        up, down = (
            exact_answer(name, x + sign * step, *args, **options) for sign in (1, -1)
        )
        found.append([(a - b) * 2**19 for a, b in zip(up, down, strict=True)])
    return found


def near(a: Any, b: Any) -> bool:
    """To the third derivative: a tenth of a row's weight, times a sixth of the step
    squared, where no denominator magnifies the weights more than sixtyfold.
    """
    return bool(abs(a - b) < ball(2.0**-40))


@pytest.mark.theorem("thm-loss-gradient", "thm-reduced-gradient")
@pytest.mark.parametrize("soft", [False, True])
def test_the_gradient_is_the_slope_of_the_loss_under_every_option(soft):
    rng = np.random.default_rng(11)
    x = rng.integers(-16, 16, (3, 4)) / 8  # so that steps are exact
    targets = rng.random((3, 4)) if soft else np.array([0, 1, 3])
    for options in options_of(4, not soft):
        if options["reduction"] == "none":
            continue
        gradient = exact_answer("cross_entropy_grad", x, targets, x, **options)
        rises = slopes("cross_entropy", x, targets, x, **options)
        for slope, (rise,) in zip(gradient, rises, strict=True):
            assert near(slope, rise)


@pytest.mark.theorem("thm-loss-hessian")
@pytest.mark.parametrize("soft", [False, True])
def test_the_hessian_is_the_slope_of_the_gradient_under_every_option(soft):
    """Row i of the matrix of slopes, times v: the Hessian is symmetric."""
    rng = np.random.default_rng(12)
    x = rng.integers(-16, 16, (2, 3)) / 8
    v = rng.integers(-8, 8, (2, 3)) / 8
    targets = rng.random((2, 3)) if soft else np.array([0, 2])
    for options in options_of(3, not soft):
        product = exact_answer("cross_entropy_hvp", x, targets, v, **options)
        rises = slopes("cross_entropy_grad", x, targets, v, **options)
        for value, row in zip(product, rises, strict=True):
            pairs = zip(row, v.ravel().tolist(), strict=True)
            assert near(value, sum((a * ball(b) for a, b in pairs), flint.arb(0)))


@pytest.mark.theorem("thm-loss-convex", "thm-loss-hessian")
def test_the_second_derivative_is_a_variance():
    rng = np.random.default_rng(13)
    x, v, q = (rng.standard_normal((20, 5)) for _ in range(3))
    v[0] = 3.0
    flint.ctx.prec = 400
    for row, along, weights in zip(x, v, np.abs(q), strict=True):
        r = [Fraction(float(value)) for value in weights]
        p = [(-a).exp() for a in surprises(row)]
        product = exact_row("cross_entropy_hvp", row, r, along)
        direction = [ball(float(value)) for value in along]
        mean = sum((a * b for a, b in zip(p, direction, strict=True)), flint.arb(0))
        pairs = zip(p, direction, strict=True)
        variance = sum((a * (b - mean) ** 2 for a, b in pairs), flint.arb(0))
        curve = sum(
            (a * b for a, b in zip(product, direction, strict=True)), flint.arb(0)
        )
        assert abs(curve - ball(sum(r)) * variance) < ball(2.0**-300)
        assert (curve > ball(2.0**-300)) == bool(np.ptp(along) > 0)
    constant = sxlit.cross_entropy_hvp(x, np.abs(q), np.full_like(x, 0.1))
    assert (constant == 0).all()  # exactly, on a computer too


@pytest.mark.theorem("thm-mean-of-means")
def test_the_mean_of_means():
    """In fractions: right with the parts' sizes, and plainly only for equal ones."""
    rng = np.random.default_rng(14)
    for sizes in ([3, 1], [2, 2], [5, 5, 5], [1, 2, 3, 4]):
        parts = [[Fraction(float(a)) for a in rng.random(n)] for n in sizes]
        total, count = sum(map(sum, parts), Fraction()), sum(sizes)
        means = [Fraction(sum(part)) / len(part) for part in parts]
        weighted = sum(
            (Fraction(n, count) * m for n, m in zip(sizes, means, strict=True))
        )
        assert weighted == total / count
        plain = sum(means, Fraction()) / len(means)
        assert (plain == total / count) == (len(set(sizes)) == 1)


@pytest.mark.theorem("thm-smoothed-optimum")
@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize("smoothing", [2.0**-7, 0.1, 0.5, 0.9])
def test_where_smoothing_stops(classes, smoothing):
    """The gap log((1 - e) C / e + 1): there softmax is the smoothed target."""
    flint.ctx.prec = 400
    e = Fraction(smoothing)
    ratio = (1 - e) * classes / e + 1
    total = ball(ratio + classes - 1)  # e^gap + C - 1
    smoothed, *others = exact_weights(np.array([0]), classes, None, smoothing)[0][0]
    assert (ball(ratio) / total - ball(smoothed)).contains(0)
    assert all(Fraction(1) / (ratio + classes - 1) == share for share in others)
    x = np.zeros((1, classes))
    x[0, 0] = np.log(float(ratio))
    gradient = sxlit.cross_entropy_grad(x, [0], label_smoothing=smoothing)
    assert np.abs(gradient).max() < 1e-15
    pushed = sxlit.cross_entropy_grad(
        x + np.eye(1, classes), [0], label_smoothing=smoothing
    )
    assert pushed[0, 0] > 0  # beyond it, down again


@pytest.mark.theorem("lem-others-weights")
def test_sums_of_others_are_within_their_lemma():
    f64 = bounds.Numerics.required("float64")
    rng = np.random.default_rng(15)
    for classes in (2, 3, 10, 40):
        for scale in (0.0, 5.0, 40.0):
            q = rng.standard_normal((8, classes)) * np.exp(
                scale * rng.standard_normal((8, classes))
            )
            growth = np.expm1(f64.summing(classes) + 2 * f64.rounding)
            for row, found in zip(q, bounds._sums_of_others(q), strict=True):
                exact = [Fraction(float(value)) for value in row]
                for j, other in enumerate(found):
                    rest = exact[:j] + exact[j + 1 :]
                    allowed = Fraction(float(growth)) * sum(map(abs, rest))
                    assert abs(Fraction(float(other)) - sum(rest)) <= allowed


@pytest.mark.theorem("cor-loss-relative")
@DTYPES
@pytest.mark.parametrize("gap", [0, 1, 20, 40, 80])
def test_the_allowed_error_is_relative_to_the_loss(gap, dtype):
    rng = np.random.default_rng(gap)
    x = rng.standard_normal((50, 7)).astype(dtype)
    x[:, 0] += gap
    numerics = bounds.Numerics.required(dtype)
    d = np.sort(x.astype(float).max(axis=1, keepdims=True) - x, axis=1)[:, 1:]
    kappa = 2 * numerics.exp * numerics.unit / (1 - 2 * numerics.exp * numerics.unit)
    log1p = 2 * numerics.log1p * numerics.unit
    log1p /= 1 - log1p
    growth = np.expm1(numerics.rounding * d + kappa + numerics.summing(7))
    mean = (np.exp(-d) * growth).sum(axis=1) / np.exp(-d).sum(axis=1)
    twice = numerics.rounding + numerics.storing
    relative = (1 + mean) * (1 + log1p) * np.exp(twice) - 1
    loss = -sxlit.log_softmax(x.astype(float))
    allowed = bounds.log_softmax(x, numerics=numerics)
    limit = relative[:, None] * loss + (3 * 7 + 8) * numerics.underflow
    assert (allowed <= limit * (1 + 2.0**-30)).all()
