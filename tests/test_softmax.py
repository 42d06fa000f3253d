"""Laws and edges of softmax, log-softmax and log-sum-exp, in values and derivatives."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from flint import arb, ctx

import sxlit
from rounded import SHORT, as_dtype, misrounded, worst_ulp
from sameness import same_bits
from sxlit.accurate import count_undecided
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


@pytest.mark.theorem("thm-softmax-distribution", "thm-softmax-error")
@DTYPES
def test_rows_sum_to_one_within_the_bound(x, dtype):
    x = x.astype(dtype)
    numerics = sxlit.bounds.Numerics.required(dtype)
    allowed = sxlit.bounds.softmax(x, numerics=numerics).sum(axis=-1)
    total = sxlit.softmax(x).astype(float).sum(axis=-1)
    assert (np.abs(total - 1) <= allowed).all()


@pytest.mark.theorem("thm-shift-invariance")
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


@pytest.mark.theorem("thm-rank-order")
def test_softmax_keeps_the_order(x):
    order = np.argsort(x, axis=-1)
    assert (np.diff(np.take_along_axis(sxlit.softmax(x), order, -1)) >= 0).all()


@pytest.mark.theorem("thm-softmax-distribution")
@pytest.mark.parametrize("f", [sxlit.softmax, sxlit.log_softmax])
def test_one_class_is_certain(f):
    assert same_bits(f([5.0]), [1.0] if f is sxlit.softmax else [0.0])


@DTYPES
def test_the_lost_tail_is_kept(dtype):
    """softmax(20, 0, 0): log p is -4.1e-9, which log(softmax) rounds to 0."""
    value = sxlit.log_softmax(np.array([20, 0, 0], dtype))[0]
    assert value == pytest.approx(-4.1223072363804073e-09, rel=1e-6)


@pytest.mark.theorem("thm-no-overflow")
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
    "f",
    [
        sxlit.softmax_jvp,
        sxlit.softmax_vjp,
        sxlit.log_softmax_jvp,
        sxlit.log_softmax_vjp,
        sxlit.logsumexp_jvp,
    ],
)
def test_a_nan_cotangent_stays_in_its_row(f):
    """Even where the class that it belongs to has no share at all."""
    result = f([[0, 0], [-INF, 0], [0, 0]], [[NAN, 0], [NAN, 0], [1, 0]])
    assert np.isnan(result[:2]).all()
    assert np.isfinite(result[2]).all()


def test_a_nan_cotangent_of_one_row_stays_in_it():
    result = sxlit.logsumexp_vjp([[0, 1], [-INF, -INF], [0, 1]], [NAN, NAN, 1])
    assert np.isnan(result[:2]).all()
    assert same_bits(result[2], sxlit.softmax([0, 1]))


def test_a_nan_beats_the_zero_of_an_empty_sum():
    assert np.isnan(sxlit.logsumexp_jvp([-INF, -INF], [NAN, 1]))
    assert np.isnan(sxlit.logsumexp_vjp([-INF, -INF], NAN)).all()


# The products with (1, 2, 4) at rows of special logits, and log-sum-exp's with 3.
LOST = [NAN] * 3
PRODUCTS = [
    # row, log_softmax_jvp, log_softmax_vjp, logsumexp_jvp, logsumexp_vjp
    ([INF, 0, 1], [0, 1, 3], [-6, 2, 4], 1, [3, 0, 0]),
    ([0, INF, -INF], [-1, 0, 2], [1, -5, 4], 2, [0, 3, 0]),
    ([INF, INF, 0], LOST, [NAN, NAN, 4], NAN, [NAN, NAN, 0]),
    ([-INF, -INF, -INF], LOST, LOST, 0, [0, 0, 0]),
    ([-INF, 0, -INF], [-1, 0, 2], [1, -5, 4], 2, [0, 3, 0]),
    ([-INF, 0, 0], [-2, -1, 1], [1, -1.5, 0.5], 3, [0, 1.5, 1.5]),
    ([NAN, 0, 1], LOST, LOST, NAN, LOST),
    ([NAN, INF, 0], LOST, LOST, NAN, LOST),
    ([NAN, -INF, -INF], LOST, LOST, NAN, LOST),
]


@pytest.mark.parametrize(
    ("row", "log_jvp", "log_vjp", "lse_jvp", "lse_vjp"),
    PRODUCTS,
    ids=[str(row[0]) for row in PRODUCTS],
)
@DTYPES
def test_products_at_special_values(row, log_jvp, log_vjp, lse_jvp, lse_vjp, dtype):
    """In a batch, so that the row beside it is seen to be untouched."""
    x = np.array([row, [0, 1, 2]], dtype)
    v = np.array([[1, 2, 4]] * 2, dtype)
    wanted = {
        "log_softmax_jvp": (v, log_jvp),
        "log_softmax_vjp": (v, log_vjp),
        "logsumexp_jvp": (v, lse_jvp),
        "logsumexp_vjp": (np.array([3, 3], dtype), lse_vjp),
    }
    for name, (other, value) in wanted.items():
        result = getattr(sxlit, name)(x, other)
        assert result.dtype == dtype
        np.testing.assert_array_equal(result[0], np.array(value, dtype), name)
        assert same_bits(result[1], getattr(sxlit, name)(x[1], other[1])), name


@pytest.mark.parametrize("f", [sxlit.softmax_jvp, sxlit.softmax_vjp])
@pytest.mark.parametrize(
    ("row", "slope"),
    [
        ([INF, 0, 1], [0, 0, 0]),
        ([-INF, -INF, -INF], LOST),
        ([-INF, 0, -INF], [0, 0, 0]),
        ([-INF, 0, 0], [0, -0.5, 0.5]),
        ([NAN, 0, 1], LOST),
        ([NAN, INF, 0], LOST),
    ],
)
def test_slopes_of_softmax_at_special_values(f, row, slope):
    """Beside a lone +inf, or where one class is left, the shares are constant."""
    result = f([row, [0, 1, 2]], [[1, 2, 4]] * 2)
    np.testing.assert_array_equal(result[0], slope)
    assert same_bits(result[1], f([0, 1, 2], [1, 2, 4]))


@pytest.mark.parametrize("f", [sxlit.softmax_jvp, sxlit.softmax_vjp])
def test_where_softmax_is_nan_so_is_its_slope(f):
    assert np.isnan(f([INF, INF, 0], [1, 2, 4])[:2]).all()


@pytest.mark.parametrize(
    ("row", "matrix"),
    [
        ([INF, 0], [[0, 0], [0, 0]]),
        ([-INF, 0], [[0, 0], [0, 0]]),
        ([-INF, 0, 0], [[0, 0, 0], [0, 0.25, -0.25], [0, -0.25, 0.25]]),
        ([INF, INF, 0], [LOST, LOST, [NAN, NAN, 0]]),
        ([-INF, -INF], [[NAN] * 2] * 2),
        ([NAN, 0], [[NAN] * 2] * 2),
    ],
)
@DTYPES
def test_the_jacobian_at_special_values(row, matrix, dtype):
    x = np.array([row, np.zeros(len(row))], dtype)
    result = sxlit.softmax_jacobian(x)
    np.testing.assert_array_equal(result[0], np.array(matrix, dtype))
    assert same_bits(result[1], sxlit.softmax_jacobian(x[1]))


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


@pytest.mark.theorem("thm-jacobian-structure")
def test_the_jacobian_is_symmetric_and_its_rows_sum_to_zero(x):
    """Symmetric to the bit; and the exact sums of rows are within those of bounds."""
    matrix = sxlit.softmax_jacobian(x)
    assert same_bits(matrix, np.ascontiguousarray(np.swapaxes(matrix, -1, -2)))
    f64 = sxlit.bounds.Numerics.required("float64")
    allowed = sxlit.bounds.softmax_jacobian(x, numerics=f64)
    for row, bound in zip(
        matrix.reshape(-1, 129), allowed.reshape(-1, 129), strict=True
    ):
        assert abs(math.fsum(row)) <= math.fsum(bound)


def test_the_diagonal_keeps_its_digits():
    """p (1 - p) at p = 1 - 4.1e-9, where 1 - p cancels in float32."""
    corner = sxlit.softmax_jacobian(np.array([20, 0, 0], np.float32))[0, 0]
    assert corner == pytest.approx(4.1223072193875e-09, rel=1e-6)


# The rounding of products


def balls(values: np.ndarray) -> list[arb]:
    return [arb(float(value)) for value in values]


def shares(row: np.ndarray) -> list[arb]:
    top = arb(float(row.max()))
    weights = [(v - top).exp() if v > -1e300 else arb(0) for v in balls(row)]
    return [weight / sum(weights, arb(0)) for weight in weights]


def exact_products(row: np.ndarray, v: np.ndarray) -> dict[str, list[arb]]:
    """By name, what is exact of the products with `v` at a row of logits."""
    p, w = shares(row), balls(v)
    mean = sum((a * b for a, b in zip(p, w, strict=True)), arb(0))
    whole, n = sum(w, arb(0)), range(len(p))
    others = [sum((p[j] for j in n if j != i), arb(0)) for i in n]
    return {
        "softmax_jvp": [a * (b - mean) for a, b in zip(p, w, strict=True)],
        "log_softmax_jvp": [b - mean for b in w],
        "log_softmax_vjp": [b - a * whole for a, b in zip(p, w, strict=True)],
        "logsumexp_jvp": [mean],
        "logsumexp_vjp": [a * w[0] for a in p],
        "softmax_jacobian": [
            p[i] * (others[i] if i == j else -p[j]) for i in n for j in n
        ],
    }


@pytest.fixture
def many_bits() -> Iterator[None]:
    before, ctx.prec = ctx.prec, 1000
    yield
    ctx.prec = before


@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.usefixtures("many_bits")
def test_products_are_rounded_correctly(classes, dtype):
    rng = np.random.default_rng(classes)
    spread = np.array([0.1, 1.0, 10.0])[np.arange(12) % 3, None]
    x = (spread * rng.standard_normal((12, classes))).astype(as_dtype(dtype))
    v = (3.0 * rng.standard_normal((12, classes))).astype(x.dtype)
    x[1, 1:] = -INF
    v[1, 0] = 0  # where one class is left, the rest are ties of exact numbers
    exact = [exact_products(*rows) for rows in zip(x, v, strict=True)]
    for name in exact[0]:
        f = getattr(sxlit, name)
        other = {"softmax_jacobian": (), "logsumexp_vjp": (v[:, 0],)}.get(name, (v,))
        wanted = [value for each in exact for value in each[name]]
        if dtype == "float64":
            assert worst_ulp(f(x, *other), wanted) <= 0.625, name
        with count_undecided() as undecided:
            result = f(x, *other, precision="double-double")
        wrong = misrounded(result, wanted)
        assert len(wrong) <= undecided.count <= (dtype == "float64"), name


@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_what_cancels_on_paper_is_exactly_zero(dtype):
    """Equal directions, and tied logits whose mean is one of the entries."""
    x = np.array([[3, 1, 0.5], [0, 0, 0], [2, 2, -INF]], as_dtype(dtype))
    v = np.array([[0.1] * 3, [1, 2, 3], [0.3, 0.3, 7]], as_dtype(dtype))
    zero = np.array([[1, 1, 1], [0, 1, 0], [1, 1, 0]], bool)
    with count_undecided() as undecided:
        for f in (sxlit.softmax_jvp, sxlit.softmax_vjp, sxlit.log_softmax_jvp):
            for precision in ("float64", "double-double"):
                assert (f(x, v, precision=precision)[zero] == 0).all()
        g = np.array([[1, -1, 0.5], [1, 1, 1], [0.3, 0.3, 0]], as_dtype(dtype))
        assert (sxlit.log_softmax_vjp(x, g)[1:] == 0).all()
        assert sxlit.logsumexp_jvp(x, np.array([[0, 0, 0], [1, 1, -2], [3, -3, 1]]))[
            1:
        ].tolist() == [0, 0]
    assert undecided.count == 0


def test_a_large_jacobian_is_made_in_parts(x):
    """More classes than numbers fit a block: the same entries, symmetric, the same."""
    row = np.random.default_rng(4).standard_normal(300)
    matrix = sxlit.softmax_jacobian(row)
    p = sxlit.softmax(row)
    wanted = np.diag(p) - np.outer(p, p)
    np.testing.assert_allclose(matrix, wanted, rtol=1e-13, atol=0)
    assert same_bits(matrix, matrix.T.copy())
    many = sxlit.softmax_jacobian(np.stack([row, row + 1.0, row[::-1]]))
    assert same_bits(many[0], matrix)


# The monoid


@pytest.mark.theorem("thm-logsum-monoid")
def test_combining_commutes_and_the_empty_sum_is_neutral():
    a, b = log_sum([1.0, 2.0]), log_sum([5.0, -INF])
    assert combine(a, b) == combine(b, a)
    assert combine(a, EMPTY_SUM) == a
    assert combine(EMPTY_SUM, EMPTY_SUM) == EMPTY_SUM
    assert log_sum([-INF, -INF]) == EMPTY_SUM


@pytest.mark.theorem("thm-no-overflow")
def test_a_difference_that_cannot_be_taken_apart():
    """The gap is finite, and TwoSum's own differences are not."""
    largest = np.finfo(float).max
    x = [-1.5 * 2.0**971, -largest]
    assert same_bits(sxlit.softmax(x), [1.0, 0.0])
    np.testing.assert_array_equal(sxlit.log_softmax(x), [0.0, x[1] - x[0]])
