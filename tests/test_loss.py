"""Laws, edges and errors of the loss, its gradient and its Hessian."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sxlit
from sameness import same_bits

INF, NAN = np.inf, np.nan
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
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
@DTYPES
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1 / 3, 1.0])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_one_hot_equals_label_bit_for_bit(name, reduction, dtype, smoothing, weight):
    options = {
        "weight": WEIGHTS[weight],
        "label_smoothing": smoothing,
        "reduction": reduction,
    }
    odd = rows_of_every_kind()
    rng = np.random.default_rng(6)
    for x in (odd, odd[:5], 10 * rng.standard_normal((300, 6))):
        x = x.astype(dtype)
        for labels in (*np.arange(6), rng.integers(6, size=len(x))):
            labels = np.broadcast_to(labels, len(x))
            for target_dtype in ("float32", "float64"):
                hot = np.eye(6, dtype=target_dtype)[labels]
                a = ask(name, x, labels, **options)
                assert same_bits(a, ask(name, x, hot, **options))
            a = ask(name, x.T, labels, axis=0, **options)
            assert same_bits(a, ask(name, x.T, hot.T, axis=0, **options))


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
        ([True, False], TypeError, "expected labels"),
        (["a", "b"], TypeError, "expected labels"),
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
@pytest.mark.parametrize("dtype", ["longdouble", "float16", "complex64"])
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
    q = np.full((1, 10), 0.1, np.float32)
    f(np.zeros((1, 10)), q, check_targets=True)
