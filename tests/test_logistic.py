"""Sigmoid and log-sigmoid: their theorems, edges, slopes, and how exact they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np
import pytest
from flint import arb, arb_series, ctx

import sxlit
from rounded import SHORT, as_dtype, misrounded, worst_ulp
from sameness import same_bits
from sxlit import bounds
from sxlit.accurate import count_undecided
from sxlit.bounds import Numerics

INF, NAN = np.inf, np.nan
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
GRADES = pytest.mark.parametrize("grade", ["standard", "hra"])

# Every function of numbers, those with a companion given one of ones.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sigmoid": sxlit.sigmoid,
    "log_sigmoid": sxlit.log_sigmoid,
    "sigmoid_jvp": lambda x: sxlit.sigmoid_jvp(x, np.ones(np.shape(x))),
    "sigmoid_vjp": lambda x: sxlit.sigmoid_vjp(x, np.ones(np.shape(x))),
    "log_sigmoid_jvp": lambda x: sxlit.log_sigmoid_jvp(x, np.ones(np.shape(x))),
    "log_sigmoid_vjp": lambda x: sxlit.log_sigmoid_vjp(x, np.ones(np.shape(x))),
}
PRODUCTS = [name for name in FUNCTIONS if name.endswith(("jvp", "vjp"))]
EVERY = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
NAMED = pytest.mark.parametrize("name", PRODUCTS)


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with ctx.workprec(400):
        yield


def scores(dtype: str) -> np.ndarray:
    """Log-odds of every size and both signs, and those next to a border."""
    rng = np.random.default_rng(11)
    sizes = 10.0 ** rng.uniform(-12, 3.1, 400)
    borders = [0, 1e-300, 16.6, 36.7, 87.3, 88.7, 88.8, 103.9, 104, 709.7, 709.8, 745.1]
    x = np.concatenate([sizes, -sizes, borders, np.negative(borders), [1e30, -1e30]])
    return x.astype(dtype)


# Exact values, with 400 bits


def exact_sigmoid(x: arb | arb_series) -> Any:
    return 1 / (1 + (-x).exp())


def exact_log_sigmoid(x: arb) -> arb:
    small = (-abs(x)).exp()
    return (x if x < 0 else arb(0)) - small.log1p()


EXACT: dict[str, Callable[[arb], arb]] = {
    "sigmoid": exact_sigmoid,
    "log_sigmoid": exact_log_sigmoid,
    "sigmoid_jvp": lambda x: exact_sigmoid(x) * exact_sigmoid(-x),
    "log_sigmoid_jvp": lambda x: exact_sigmoid(-x),
}


def exceeds(value: float, exact: arb, allowed: float) -> bool:
    """Whether the error is certainly or possibly above what is allowed."""
    return not abs(arb(float(value)) - exact) <= arb(float(allowed))


# The theorems of chapter 2


@pytest.mark.theorem("thm-two-classes")
@DTYPES
def test_the_sigmoid_is_a_softmax_of_two(dtype):
    """Bit for bit, and exactly for the difference of any two scores."""
    x = scores(dtype)
    pair = np.stack([x, np.zeros_like(x)], axis=-1)
    assert same_bits(sxlit.sigmoid(x), sxlit.softmax(pair)[:, 0])
    for a, b in np.random.default_rng(1).uniform(-50, 50, (50, 2)):
        left, right = arb(a).exp(), arb(b).exp()
        difference = left / (left + right) - exact_sigmoid(arb(a) - arb(b))
        assert abs(difference) < arb(2) ** -300


@pytest.mark.theorem("thm-two-classes")
def test_against_a_one_it_is_another_number():
    x = np.arange(-40, 41) / 4
    pair = np.stack([x, np.ones_like(x)], axis=-1)
    assert same_bits(sxlit.softmax(pair)[:, 0], sxlit.sigmoid(x - 1))
    assert not np.isclose(sxlit.softmax([0.0, 1.0])[0], sxlit.sigmoid(0.0), rtol=0.4)


@pytest.mark.theorem("thm-log-odds")
def test_the_score_is_the_log_odds():
    for x in np.random.default_rng(2).uniform(-60, 60, 60):
        p = exact_sigmoid(arb(x))
        assert 0 < p < 1
        assert abs((p / (1 - p)).log() - arb(x)) < arb(2) ** -250
        assert abs(exact_sigmoid(arb(-x)) + p - 1) < arb(2) ** -300


@pytest.mark.theorem("thm-log-odds")
@DTYPES
def test_it_increases_and_its_two_sides_sum_to_one(dtype):
    x = np.sort(scores(dtype))
    p, other = sxlit.sigmoid(x), sxlit.sigmoid(-x)
    assert (np.diff(p) >= 0).all()
    assert (np.diff(sxlit.log_sigmoid(x)) >= 0).all()
    numerics = Numerics.required(dtype)
    allowed = bounds.sigmoid(x, numerics=numerics)
    allowed = allowed + bounds.sigmoid(-x, numerics=numerics)
    assert (np.abs(p.astype(float) + other - 1) <= allowed).all()


@pytest.mark.theorem("thm-sigmoid-slope")
def test_the_slopes_are_those_of_the_power_series():
    for x in np.random.default_rng(3).uniform(-60, 60, 60):
        series = exact_sigmoid(arb_series([x, 1], prec=2))
        value, slope = series[0], series[1]
        assert abs(slope - value * exact_sigmoid(arb(-x))) < arb(2) ** -300
        assert abs(slope - value * (1 - value)) < arb(2) ** -300
        assert 0 < slope < arb(1) / 4
        assert abs(series.log()[1] - exact_sigmoid(arb(-x))) < arb(2) ** -250
    assert sxlit.sigmoid_jvp(0.0, 1.0) == 0.25


@pytest.mark.theorem("thm-log-sigmoid")
def test_the_logarithm_without_overflow_is_the_logarithm():
    for x in np.random.default_rng(4).uniform(-90, 90, 60):
        value = exact_log_sigmoid(arb(x))
        assert abs(value - exact_sigmoid(arb(x)).log()) < arb(2) ** -250
        top = arb(min(x, 0.0))
        assert top - arb(2).log() <= value < top


@pytest.mark.theorem("thm-rate-loss")
def test_the_loss_of_a_rate_ends_at_the_rate():
    rng = np.random.default_rng(5)
    for q, x in zip(rng.uniform(0, 1, 30), rng.uniform(-20, 20, 30), strict=True):
        score = arb_series([x, 1], prec=3)
        loss = -q * exact_sigmoid(score).log()
        loss -= (1 - arb(q)) * exact_sigmoid(-score).log()
        p = exact_sigmoid(arb(x))
        assert abs(loss[1] - (p - q)) < arb(2) ** -250
        assert abs(2 * loss[2] - p * exact_sigmoid(arb(-x))) < arb(2) ** -250

        best = (arb(q) / (1 - arb(q))).log()
        least = exact_loss(best, q)
        assert least < exact_loss(best + arb(1) / 1000, q)
        assert least < exact_loss(best - arb(1) / 1000, q)
    for q, sign in ((0.0, -1), (1.0, 1)):  # no minimum: it falls for ever
        falling = [exact_loss(arb(sign * x), q) for x in range(0, 100, 10)]
        assert all(a > b > 0 for a, b in pairwise(falling))


def exact_loss(x: arb, q: float) -> arb:
    """Of a rate; nothing is multiplied by zero times a logarithm of zero here."""
    return -(arb(q) * exact_log_sigmoid(x) + (1 - arb(q)) * exact_log_sigmoid(-x))


@pytest.mark.theorem("thm-identifiability")
def test_what_softmax_of_a_linear_model_cannot_know():
    """In integers, so that equal probabilities are equal bits."""
    rng = np.random.default_rng(6)
    weights = rng.integers(-2, 3, (4, 3))
    features = np.vstack([np.eye(3, dtype=int), rng.integers(-2, 3, (5, 3))])

    def shares(w: np.ndarray, h: np.ndarray) -> np.ndarray:
        return sxlit.softmax(h @ w.T)

    same = weights + rng.integers(-9, 10, 3)
    assert same_bits(shares(same, features), shares(weights, features))
    for row, column in product(range(4), range(3)):
        other = weights.copy()
        other[row, column] += 1
        assert not same_bits(shares(other, features), shares(weights, features))
    # Vectors that do not span: what is orthogonal to all of them is not seen either.
    other = weights + np.outer([5, 0, -2, 1], [0, 0, 1])
    flat = features * [1, 1, 0]
    assert same_bits(shares(other, flat), shares(weights, flat))


@pytest.mark.theorem("thm-independent-labels")
def test_independent_labels_are_a_softmax_of_all_sets():
    """Exactly, with rational odds in the place of exponentials."""
    rng = np.random.default_rng(7)
    for count in (1, 2, 5):
        weights = [Fraction(int(a), int(b)) for a, b in rng.integers(1, 99, (count, 2))]
        sets = list(product([0, 1], repeat=count))
        total = sum(set_weight(weights, chosen) for chosen in sets)
        for chosen in sets:
            separate = prod(
                (w if there else 1) / (1 + w)
                for w, there in zip(weights, chosen, strict=True)
            )
            assert separate == set_weight(weights, chosen) / total


def set_weight(weights: list[Fraction], chosen: tuple[int, ...]) -> Fraction:
    members = (w for w, there in zip(weights, chosen, strict=True) if there)
    return prod(members, start=Fraction(1))


# The theorems of chapter 3


@pytest.mark.theorem("lem-one-of-two")
def test_one_inexact_term_of_two():
    rng = np.random.default_rng(8)
    for a, b, alpha in np.exp(rng.uniform([-9, -9, -9], [9, 9, 0], (200, 3))):
        grown = np.expm1(alpha)
        for theta in alpha * np.array([-1, -0.5, 0.5, 1]):
            changed = a * np.exp(theta)
            total = np.log((changed + b) / (a + b))
            assert abs(total) <= np.log1p(a / (a + b) * grown) + 1e-14
            share = theta - total
            assert abs(share) <= np.log1p(b / (a + b) * grown) + 1e-14


@pytest.mark.theorem("lem-log1p-precision")
def test_log1p_feels_no_more_than_the_change():
    rng = np.random.default_rng(9)
    for size, theta in rng.normal(0, [8, 2], (200, 2)):
        z = 10.0**size
        ratio = (arb(z) * arb(theta).exp()).log1p() / arb(z).log1p()
        assert abs(ratio.log()) <= abs(arb(theta))


@pytest.mark.theorem(
    "thm-sigmoid-error", "thm-log-sigmoid-error", "thm-sigmoid-products"
)
@GRADES
@DTYPES
def test_the_library_is_within_its_bounds(dtype, grade):
    x, numerics = scores(dtype), Numerics.required(dtype)
    factors = np.random.default_rng(10).standard_normal(x.shape).astype(dtype)
    for name, exact in EXACT.items():
        arguments = (x, factors) if name.endswith("jvp") else (x,)
        answer = getattr(sxlit, name)(*arguments)
        allowed = getattr(bounds, name)(*arguments, numerics=numerics, grade=grade)
        assert allowed.shape == x.shape
        for i, score in enumerate(x.tolist()):
            wanted = exact(arb(score))
            if len(arguments) == 2:
                wanted *= float(factors[i])
            assert not exceeds(answer[i], wanted, allowed[i]), (name, score)


def as_written(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def small(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.abs(x))


def by_subtraction(x: np.ndarray) -> np.ndarray:
    share = small(x) / (1 + small(x))
    return np.where(x < 0, share, 1 - share)


def quotient(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, small(x), x.dtype.type(1)) / (1 + small(x))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(small(x))


def of_written(x: np.ndarray) -> np.ndarray:
    """Where exp(-x) does not overflow."""
    return np.where(x < -80, -softplus(-x), -np.log1p(np.exp(-x)))


# Forms that people use, in the arithmetic of their own dtype.
FORMS: list[tuple[str, Callable[[np.ndarray], np.ndarray], str]] = [
    ("sigmoid", quotient, "hra"),
    ("sigmoid", as_written, "standard"),
    ("sigmoid", by_subtraction, "standard"),
    ("log_sigmoid", lambda x: np.minimum(x, 0) - np.log1p(small(x)), "hra"),
    ("log_sigmoid", lambda x: -softplus(-x), "hra"),
    ("log_sigmoid", of_written, "standard"),
    ("sigmoid_jvp", lambda x: quotient(x) * quotient(-x), "hra"),
    ("sigmoid_jvp", lambda x: as_written(x) * (1 - as_written(x)), "standard"),
    ("sigmoid_jvp", lambda x: quotient(x) * (1 - quotient(x)), "standard"),
    ("log_sigmoid_jvp", lambda x: quotient(-x), "hra"),
    ("log_sigmoid_jvp", lambda x: as_written(-x), "standard"),
    ("log_sigmoid_jvp", lambda x: by_subtraction(-x), "standard"),
    ("log_sigmoid_jvp", lambda x: np.exp(-x - softplus(-x)), "standard"),
]


@pytest.mark.theorem(
    "thm-sigmoid-error", "thm-log-sigmoid-error", "thm-sigmoid-products"
)
@pytest.mark.parametrize(("name", "form", "grade"), FORMS)
@DTYPES
def test_forms_that_people_use_are_within_the_bound(name, form, grade, dtype):
    x = scores(dtype)
    with np.errstate(over="ignore"):
        answer = form(x)
    assert answer.dtype == dtype
    arguments = (x, np.ones_like(x)) if name.endswith("jvp") else (x,)
    numerics = Numerics.required(dtype)
    allowed = getattr(bounds, name)(*arguments, numerics=numerics, grade=grade)
    for score, value, most in zip(x.tolist(), answer, allowed, strict=True):
        assert not exceeds(value, EXACT[name](arb(score)), most), score


U = 2.0**-12
COARSE = Numerics(unit=U, accumulate=U, store=U, underflow=0.0)


def worst(form: Callable[..., float], exact: float, roundings: int) -> float:
    """The largest error over all signs of all errors, each as large as it may be."""
    signs = product([-U, U], repeat=roundings)
    return max(abs(form(*each) - exact) for each in signs)


@pytest.mark.theorem("thm-sigmoid-error", "thm-sigmoid-products")
@pytest.mark.parametrize("x", [-30.0, -3.0, -0.1, 0.0, 0.1, 3.0, 30.0])
def test_the_worst_sigmoid_comes_close_to_its_bound(x):
    """In a coarse arithmetic, in which every operation errs by all that it may."""
    z, k = np.exp(-abs(x)), 2 * COARSE.exp

    def hostile(exp, add, divide, store=0.0):
        changed = z * (1 + k * exp)
        above = changed if x < 0 else 1.0
        return above / ((1 + changed) * (1 + add)) * (1 + divide) * (1 + store)

    p = float(sxlit.sigmoid(x))
    ratio = worst(hostile, p, 4) / bounds.sigmoid(x, numerics=COARSE)
    assert 0.95 < ratio <= 1

    def subtracted(exp, add, divide, less, once, store):
        a = hostile(exp, add, divide, store)
        return a * ((1 - a) * (1 + less)) * (1 + once) * (1 + store)

    slope = float(sxlit.sigmoid_jvp(x, 1.0))
    allowed = bounds.sigmoid_jvp(x, 1.0, numerics=COARSE, grade="standard")
    assert 0.1 < worst(subtracted, slope, 6) / allowed <= 1


@pytest.mark.theorem("thm-log-sigmoid-error")
@pytest.mark.parametrize("x", [-30.0, -3.0, -0.1, 0.0, 0.1, 3.0, 30.0])
def test_the_worst_log_sigmoid_comes_close_to_its_bound(x):
    z = np.exp(-abs(x))

    def hostile(exp, log1p, subtract, store):
        log = np.log1p(z * (1 + 6 * exp)) * (1 + 9 * log1p)
        return (min(x, 0.0) - log) * (1 + subtract * (x < 0)) * (1 + store)

    exact = float(sxlit.log_sigmoid(x))
    ratio = worst(hostile, exact, 4) / bounds.log_sigmoid(x, numerics=COARSE)
    assert 0.75 < ratio <= 1


@DTYPES
def test_the_naive_forms_exceed_the_bounds(dtype):
    """Where chapter 2 says that they fail; the standard grade has no room for it."""
    numerics = Numerics.required(dtype)
    right, left = np.array(40, dtype), np.array(-800, dtype)
    with np.errstate(over="ignore", divide="ignore"):
        for x in (right, left):
            error = abs(np.log(as_written(x)) - sxlit.log_sigmoid(x))
            allowed = bounds.log_sigmoid(x, numerics=numerics, grade="standard")
            assert error > 1000 * allowed
    tangent = (1 + np.tanh(-right / 2)) / 2
    allowed = bounds.sigmoid(-right, numerics=numerics, grade="standard")
    assert abs(tangent - sxlit.sigmoid(-right)) > 1000 * allowed
    slope, one = as_written(right), np.ones((), dtype)
    error = abs(slope * (1 - slope) - sxlit.sigmoid_jvp(right, one))
    assert error > 1000 * bounds.sigmoid_jvp(right, one, numerics=numerics)
    assert error <= bounds.sigmoid_jvp(right, one, numerics=numerics, grade="standard")


def test_a_lost_sigmoid_is_allowed_only_where_its_exponential_overflows():
    """And only in the standard grade: the answer still is a subnormal number."""
    f32 = Numerics.required("float32")
    lost, kept = np.float32(-89.5), np.float32(-87.0)
    assert bounds.sigmoid(lost, numerics=f32, grade="standard") > sxlit.sigmoid(lost)
    assert bounds.sigmoid(lost, numerics=f32) < sxlit.sigmoid(lost) / 100
    for grade in ("standard", "hra"):
        assert bounds.sigmoid(kept, numerics=f32, grade=grade) < sxlit.sigmoid(kept)


@DTYPES
def test_bounds_stay_small(dtype):
    """Relative to the result and in units of u, away from underflow."""
    x = np.linspace(-80, 80, 321).astype(dtype)
    numerics = Numerics.required(dtype)
    for name, f in FUNCTIONS.items():
        arguments = (x, np.ones_like(x)) if name in PRODUCTS else (x,)
        allowed = getattr(bounds, name)(*arguments, numerics=numerics)
        assert (allowed < 20 * numerics.unit * np.abs(f(x).astype(float))).all(), name


# Edges


LIMITS = [
    # x, sigmoid, log_sigmoid, slope of sigmoid, slope of log_sigmoid
    (-INF, 0.0, -INF, 0.0, 1.0),
    (-1e38, 0.0, -1e38, 0.0, 1.0),
    (-0.0, 0.5, -np.log(2.0), 0.25, 0.5),
    (0.0, 0.5, -np.log(2.0), 0.25, 0.5),
    (1e38, 1.0, 0.0, 0.0, 0.0),
    (INF, 1.0, 0.0, 0.0, 0.0),
    (NAN, NAN, NAN, NAN, NAN),
]


@pytest.mark.parametrize(("x", "p", "log_p", "slope", "log_slope"), LIMITS)
@DTYPES
def test_the_ends(x, p, log_p, slope, log_slope, dtype):
    """Beside ordinary numbers, so that these are seen to be untouched."""
    wanted = dict(zip(EXACT, (p, log_p, slope, log_slope), strict=True))
    line = np.array([1, x, -2], dtype)
    for name, value in wanted.items():
        result = FUNCTIONS[name](line)
        assert result[1] == np.array(value, dtype) or np.isnan(value)
        assert np.isnan(result[1]) == np.isnan(value)
        assert same_bits(result[[0, 2]], FUNCTIONS[name](line[[0, 2]]))


@EVERY
@DTYPES
def test_nothing_warns_whatever_comes(f, dtype):
    """With warnings as errors everywhere, and NumPy told to raise at everything."""
    x = np.concatenate([scores(dtype), np.array([INF, -INF, NAN], dtype)])
    with np.errstate(all="raise"):
        f(x)


@NAMED
def test_a_nan_or_infinite_companion_stays_in_its_place(name):
    result = getattr(sxlit, name)([0.0, 0.0, 0.0], [1.0, NAN, INF])
    assert np.isnan(result).tolist() == [False, True, False]
    assert result[2] == INF


@NAMED
def test_a_companion_of_infinity_where_nothing_moves(name):
    assert np.isnan(getattr(sxlit, name)(INF, INF))


def test_far_out_the_digits_are_kept():
    for x in (37.0, 100.0, 500.0, 700.0):
        assert sxlit.log_sigmoid(x) == pytest.approx(-np.exp(-x), rel=1e-15)
        assert sxlit.sigmoid(-x) == pytest.approx(np.exp(-x), rel=1e-15)
        assert sxlit.sigmoid_vjp(x, 1.0) == pytest.approx(np.exp(-x), rel=1e-15)


# Arrays


@EVERY
@DTYPES
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 0), (0,), (2, 1, 3)])
def test_any_shape_and_each_number_for_itself(f, dtype, shape):
    x = np.random.default_rng(12).standard_normal(shape).astype(dtype)
    result = f(x)
    assert result.shape == shape
    assert result.dtype == dtype
    each = np.array([f(number) for number in x.ravel()], dtype).reshape(shape)
    assert same_bits(result, each)


@EVERY
def test_a_number_gives_a_numpy_scalar(f):
    assert type(f(0.5)) is np.float64
    assert type(f(1)) is np.float64
    assert type(f(np.float32(0.5))) is np.float32
    assert type(f(np.array(0.5, np.float32))) is np.float32


def turned(x: np.ndarray) -> np.ndarray:
    back = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[back])[back]


def read_only(x: np.ndarray) -> np.ndarray:
    frozen = x.copy()
    frozen.flags.writeable = False
    return frozen


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": np.asfortranarray,
    "negative strides": turned,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "read-only": read_only,
}


@DTYPES
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@EVERY
def test_layout_leaves_no_trace(f, layout, dtype):
    x = np.random.default_rng(13).uniform(-40, 40, (17, 19)).astype(dtype)
    before = x.copy()
    assert same_bits(f(layout(x)), f(x))
    assert same_bits(x, before)


@NAMED
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_layout_of_a_companion_leaves_no_trace(name, layout):
    f, (x, v) = getattr(sxlit, name), np.random.default_rng(14).normal(size=(2, 7, 5))
    before = v.copy()
    assert same_bits(f(x, layout(v)), f(x, v))
    assert same_bits(v, before)


@EVERY
def test_integers_and_booleans_are_float64(f):
    for x in ([0, 3, -3], np.array([100, -100], np.int8), [True, False]):
        assert same_bits(f(x), f(np.asarray(x, np.float64)))
    assert same_bits(sxlit.sigmoid(np.uint8(200)), np.float64(1.0))


@EVERY
@pytest.mark.parametrize(
    "dtype",
    ["longdouble", "complex128", "object", "str"],
)
def test_other_dtypes_are_refused(f, dtype):
    with pytest.raises(TypeError, match="expected float16, bfloat16, float32, float64"):
        f(np.array([0.5, 1.0]).astype(dtype))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", SHORT)
def test_short_results_are_rounded_correctly(name, dtype):
    x = scores("float64")[np.abs(scores("float64")) < 1e4].astype(as_dtype(dtype))
    with count_undecided() as undecided:
        results = FUNCTIONS[name](x)
    exact = [EXACT[name.replace("vjp", "jvp")](arb(float(value))) for value in x]
    assert results.dtype == as_dtype(dtype)
    assert misrounded(results, exact) == []
    assert undecided.count == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_results_are_within_five_eighths_ulp(name):
    x = scores("float64")
    exact = [EXACT[name.replace("vjp", "jvp")](arb(float(value))) for value in x]
    assert worst_ulp(FUNCTIONS[name](x), exact) <= 0.625


@pytest.mark.parametrize("name", ["sigmoid", "log_sigmoid"])
def test_double_double_rounds_float64_correctly(name):
    x = scores("float64")
    x = x[np.abs(x) < 1e4]
    with ctx.workprec(4000):  # log-sigmoids that are all but ties
        exact = [EXACT[name](arb(float(value))) for value in x]
        results = getattr(sxlit, name)(x, precision="double-double")
        assert misrounded(results, exact) == []


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match="precision: expected 'float64' or"):
        sxlit.sigmoid(0.0, precision="float128")


@NAMED
def test_the_numbers_decide_the_dtype(name):
    f, x = getattr(sxlit, name), np.zeros(2, np.float32)
    assert f(x, np.ones(2)).dtype == np.float32
    assert f(x.astype(float), np.ones(2, np.float32)).dtype == np.float64


@NAMED
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 3)])
def test_companions_are_never_broadcast(name, shape):
    with pytest.raises(ValueError, match=r"expected the shape of x, \(2, 3\), got"):
        getattr(sxlit, name)(np.zeros((2, 3)), np.ones(shape))


@EVERY
def test_a_mask_is_not_lost_in_silence(f):
    with pytest.raises(TypeError, match="masked array, whose mask would be lost"):
        f(np.ma.masked_array([1.0, 2.0], [0, 1]))


def test_a_ragged_list_is_refused():
    with pytest.raises(ValueError, match="expected a rectangular array"):
        sxlit.sigmoid([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("f", [sxlit.sigmoid, sxlit.log_sigmoid])
def test_products_are_slopes(f):
    """And a product from either side is the same multiplication."""
    x, v = np.random.default_rng(15).standard_normal((2, 4, 5))
    jvp, vjp = (getattr(sxlit, f"{f.__name__}_{side}") for side in ("jvp", "vjp"))
    step = 1e-6
    difference = (f(x + step * v) - f(x - step * v)) / (2 * step)
    np.testing.assert_allclose(jvp(x, v), difference, atol=1e-9)
    assert same_bits(jvp(x, v), vjp(x, v))
