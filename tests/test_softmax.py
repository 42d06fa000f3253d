"""Laws and edges of softmax, log-softmax and log-sum-exp, in values and derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import sxlit
from sxlit.lse import EMPTY_SUM, combine, log_sum

INF, NAN = np.inf, np.nan
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture
def x() -> np.ndarray:
    """Rows of every temper: calm, one dominant logit, ties, a wide range."""
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((4, 129))
    rows[1, 5] += 60
    rows[2] = 3.0
    rows[3] *= 400
    return rows


def same_bits(a: object, b: object) -> bool:
    """Whether dtype, shape and bits agree; one NaN is as good as another."""
    left, right = np.asarray(a), np.asarray(b)
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    kept = ~np.isnan(left)
    same_kept = left[kept].tobytes() == right[kept].tobytes()
    return same_kept and bool(np.isnan(right[~kept]).all())


@DTYPES
def test_rows_sum_to_one_within_the_bound(x, dtype):
    x = x.astype(dtype)
    numerics = sxlit.bounds.Numerics.required(dtype)
    allowed = sxlit.bounds.softmax(x, numerics=numerics).sum(axis=-1)
    total = sxlit.softmax(x).astype(float).sum(axis=-1)
    assert (np.abs(total - 1) <= allowed).all()


@DTYPES
def test_a_shift_that_is_exact_changes_nothing(x, dtype):
    x = np.round(x.astype(dtype) * 16) / 16
    for f in (sxlit.softmax, sxlit.log_softmax):
        assert same_bits(f(x + dtype_of(x)(1024)), f(x))


def dtype_of(x: np.ndarray) -> type:
    return x.dtype.type


@DTYPES
def test_a_row_does_not_depend_on_its_batch(x, dtype):
    x = x.astype(dtype)
    for f in (sxlit.softmax, sxlit.log_softmax, sxlit.logsumexp):
        assert same_bits(f(x), np.stack([f(row) for row in x]))


def test_padding_with_minus_infinity_adds_nothing(x):
    padded = np.concatenate([x, np.full((4, 1), -INF)], axis=1)
    np.testing.assert_allclose(
        sxlit.softmax(padded)[:, :-1], sxlit.softmax(x), rtol=2e-14
    )
    assert (sxlit.softmax(padded)[:, -1] == 0).all()


def test_softmax_keeps_the_order(x):
    order = np.argsort(x, axis=-1)
    assert (np.diff(np.take_along_axis(sxlit.softmax(x), order, -1)) >= 0).all()


@pytest.mark.parametrize("f", [sxlit.softmax, sxlit.log_softmax])
def test_one_class_is_certain(f):
    assert same_bits(f([5.0]), [1.0] if f is sxlit.softmax else [0.0])


@DTYPES
def test_the_lost_tail_is_kept(dtype):
    """softmax(20, 0, 0): log p is -4.1e-9, which log(softmax) rounds to 0."""
    value = sxlit.log_softmax(np.array([20, 0, 0], dtype))[0]
    assert value == pytest.approx(-4.1223072363804073e-09, rel=1e-6)


def test_the_range_may_overflow():
    assert same_bits(sxlit.softmax([1.7e308, -1.7e308]), [1.0, 0.0])


@pytest.mark.parametrize(
    ("row", "p", "log_p", "lse"),
    [
        ([-INF, 0], [0, 1], [-INF, 0], 0),
        ([-INF, -INF], [NAN, NAN], [NAN, NAN], -INF),
        ([INF, 0, -INF], [1, 0, 0], [0, -INF, -INF], INF),
        ([INF, INF, 0], [NAN, NAN, 0], [NAN, NAN, -INF], INF),
        ([NAN, 0, INF], [NAN] * 3, [NAN] * 3, NAN),
        ([NAN, -INF, -INF], [NAN] * 3, [NAN] * 3, NAN),
    ],
)
@DTYPES
def test_special_values(row, p, log_p, lse, dtype):
    """In a batch, so that the rows beside it are seen to be untouched."""
    beside = np.zeros(len(row))
    x = np.stack([beside, row, beside]).astype(dtype)
    for f, wanted in ((sxlit.softmax, p), (sxlit.log_softmax, log_p)):
        result = f(x)
        np.testing.assert_array_equal(result[1], np.array(wanted, dtype))
        assert same_bits(result[0], f(beside.astype(dtype)))
        assert same_bits(result[2], result[0])
    np.testing.assert_array_equal(sxlit.logsumexp(x)[1], np.array(lse, dtype))


def test_the_gradient_of_an_empty_sum_is_zero():
    row = [-INF, -INF]
    assert same_bits(sxlit.logsumexp_vjp(row, 1.0), [0.0, 0.0])
    assert sxlit.logsumexp_jvp(row, [1.0, 2.0]) == 0


@pytest.mark.parametrize(
    "f", [sxlit.softmax_jvp, sxlit.softmax_vjp, sxlit.log_softmax_vjp]
)
def test_a_nan_cotangent_stays_in_its_row(f):
    result = f(np.zeros((2, 2)), [[NAN, 0], [1, 0]])
    assert np.isnan(result[0]).all()
    assert np.isfinite(result[1]).all()


# Derivatives, against the matrix and against differences


def test_products_are_products_with_the_matrix(x):
    v = np.random.default_rng(1).standard_normal(x.shape)
    matrix = sxlit.softmax_jacobian(x)
    wanted = np.einsum("nij,nj->ni", matrix, v)
    np.testing.assert_allclose(sxlit.softmax_jvp(x, v), wanted, atol=1e-13)
    np.testing.assert_allclose(sxlit.softmax_vjp(x, v), wanted, atol=1e-13)
    p = sxlit.softmax(x)
    log_matrix = np.eye(x.shape[1]) - p[:, None, :]
    np.testing.assert_allclose(
        sxlit.log_softmax_jvp(x, v), np.einsum("nij,nj->ni", log_matrix, v), atol=1e-12
    )
    np.testing.assert_allclose(
        sxlit.log_softmax_vjp(x, v), np.einsum("nij,ni->nj", log_matrix, v), atol=1e-12
    )
    np.testing.assert_allclose(sxlit.logsumexp_jvp(x, v), (p * v).sum(-1), atol=1e-13)
    np.testing.assert_allclose(
        sxlit.logsumexp_vjp(x, v[:, 0]), p * v[:, :1], atol=1e-13
    )


@pytest.mark.parametrize(
    ("f", "jvp"),
    [
        (sxlit.softmax, sxlit.softmax_jvp),
        (sxlit.log_softmax, sxlit.log_softmax_jvp),
        (sxlit.logsumexp, sxlit.logsumexp_jvp),
    ],
)
def test_products_are_slopes(f, jvp):
    rng = np.random.default_rng(2)
    x, v = rng.standard_normal((2, 5, 10))
    step = 1e-6
    slope = (f(x + step * v) - f(x - step * v)) / (2 * step)
    np.testing.assert_allclose(jvp(x, v), slope, atol=1e-8)


def test_the_jacobian_is_symmetric_and_its_rows_sum_to_zero(x):
    matrix = sxlit.softmax_jacobian(x)
    assert same_bits(matrix, np.ascontiguousarray(np.swapaxes(matrix, -1, -2)))
    np.testing.assert_allclose(matrix.sum(axis=-1), 0, atol=1e-15)


def test_the_diagonal_keeps_its_digits():
    """p (1 - p) at p = 1 - 4.1e-9, where 1 - p cancels in float32."""
    corner = sxlit.softmax_jacobian(np.array([20, 0, 0], np.float32))[0, 0]
    assert corner == pytest.approx(4.1223072193875e-09, rel=1e-6)


# The monoid


def test_sums_combine_in_any_grouping(x):
    parts = [log_sum(x[:, k : k + 43]) for k in (0, 43, 86)]
    left = combine(combine(parts[0], parts[1]), parts[2]).value
    right = combine(parts[0], combine(parts[1], parts[2])).value
    np.testing.assert_allclose(left, sxlit.logsumexp(x), rtol=1e-14)
    np.testing.assert_allclose(right, sxlit.logsumexp(x), rtol=1e-14)


def test_combining_commutes_and_the_empty_sum_is_neutral():
    a, b = log_sum([1.0, 2.0]), log_sum([5.0, -INF])
    assert combine(a, b) == combine(b, a)
    assert combine(a, EMPTY_SUM) == a
    assert combine(EMPTY_SUM, EMPTY_SUM) == EMPTY_SUM
    assert log_sum([-INF, -INF]) == EMPTY_SUM


def test_a_difference_that_cannot_be_taken_apart():
    """The gap is finite, and TwoSum's own differences are not."""
    largest = np.finfo(float).max
    x = [-1.5 * 2.0**971, -largest]
    assert same_bits(sxlit.softmax(x), [1.0, 0.0])
    np.testing.assert_array_equal(sxlit.log_softmax(x), [0.0, x[1] - x[0]])
