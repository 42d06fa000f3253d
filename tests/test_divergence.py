"""Cross-entropy and Kullback-Leibler divergence: laws, edges, and exact values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from flint import arb, ctx

import sxlit
from rounded import SHORT, as_dtype, misrounded, worst_ulp
from sameness import same_bits
from sxlit import bounds
from sxlit.accurate import count_undecided
from sxlit.arrays import wider
from sxlit.divergence import divergence_terms, log_ratio, remainder
from sxlit.rounding import FORMATS

theorem = pytest.mark.theorem
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
GRADES = pytest.mark.parametrize("grade", ["standard", "hra"])
KL = sxlit.kl_divergence
KL_LOGITS = sxlit.kl_divergence_from_logits
CROSS = sxlit.cross_entropy_of


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    """400 bits: second-order quantities of doubles keep 100 of them at least."""
    before, ctx.prec = ctx.prec, 400
    yield
    ctx.prec = before


# Exact values, as balls that hold them.


def ball(value: float) -> arb:
    return arb(float(value))


def total(values: Any) -> arb:
    return sum(values, arb(0))


def exact_cross_entropy(p: np.ndarray, q: np.ndarray) -> arb:
    return total(-ball(a) * ball(b).log() for a, b in zip(p, q, strict=True) if a)


def exact_term(a: float, b: float) -> arb:
    """p log (p / q) - p + q."""
    p, q = ball(a), ball(b)
    return p * (p / q).log() - p + q if a else q


def exact_kl(p: np.ndarray, q: np.ndarray) -> arb:
    pairs = [(ball(a), ball(b)) for a, b in zip(p, q, strict=True) if a]
    return total(a * (a / b).log() for a, b in pairs)


def exact_softmax(x: np.ndarray) -> list[arb]:
    weights = [(ball(v) - ball(x.max())).exp() if np.isfinite(v) else arb(0) for v in x]
    return [weight / total(weights) for weight in weights]


def exact_kl_from_logits(x: np.ndarray, y: np.ndarray) -> arb:
    ctx.prec, before = 2500, ctx.prec  # probabilities of 1e-300 and less cancel
    p, q = exact_softmax(x), exact_softmax(y)
    value = total(a * (a / b).log() for a, b in zip(p, q, strict=True) if a != 0)
    ctx.prec = before
    return value


def surely(statement: Any) -> bool:
    """Comparisons of balls are True only where every point of them agrees."""
    return bool(statement)


def distributions(classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two distributions whose entries are multiples of 2^-40 and sum to exactly 1."""
    rng = np.random.default_rng(seed)

    def one() -> np.ndarray:
        whole = rng.integers(1, 2**30, classes).astype(object) ** 2
        scaled = [int(Fraction(int(v), int(whole.sum())) * 2**40) for v in whole]
        scaled[0] += 2**40 - sum(scaled)
        return np.array([v / 2**40 for v in scaled])

    p, q = one(), one()
    assert sum(map(Fraction, p)) == sum(map(Fraction, q)) == 1
    return p, q


PAIRS = [distributions(c, s) for c in (1, 2, 3, 10, 33) for s in range(4)]


# The mathematics.


@theorem("thm-wrong-code")
def test_the_length_of_the_wrong_code():
    for p, q in PAIRS:
        lengths = [word_length(b) for b in q]
        mean = total(ball(a) * n for a, n in zip(p, lengths, strict=True))
        bits = exact_cross_entropy(p, q) / arb(2).log()
        assert surely(mean < bits + 1)
        assert surely(bits <= mean) or len(p) == 1
    p, q = np.array([1, 2, 5]) / 8, np.array([0.5, 0.25, 0.25])
    mean = sum(Fraction(a) * n for a, n in zip(p, (1, 2, 2), strict=True))
    assert CROSS(p, q, base=2) == float(mean)


def word_length(q: float) -> int:
    """The least n with 2^-n <= q, which is -log2 q rounded up."""
    length = 0
    while Fraction(1, 2**length) > Fraction(q):
        length += 1
    return length


@theorem("thm-cross-entropy-splits")
def test_the_bill_splits():
    f64 = bounds.Numerics.required("float64")
    for p, q in PAIRS:
        exact = total(-ball(a) * ball(a).log() for a in p if a) + exact_kl(p, q)
        assert surely(abs(exact - exact_cross_entropy(p, q)) < 1e-100)
        gap = ball(CROSS(p, q)) - ball(sxlit.entropy(p)) - ball(KL(p, q))
        allowed = bounds.cross_entropy_of(p, q, numerics=f64)
        allowed = allowed + bounds.entropy(p, numerics=f64)
        allowed = allowed + bounds.kl_divergence(p, q, numerics=f64)
        assert surely(abs(gap) <= ball(allowed))


@theorem("thm-kl-terms")
def test_no_term_is_negative():
    rng = np.random.default_rng(1)
    for _ in range(50):
        p, q = rng.random(5) ** 3, rng.random(5) ** 3
        p[0], q[1] = q[0], q[1] * 1.0000001
        terms = [exact_term(a, b) for a, b in zip(p, q, strict=True)]
        assert all(surely(t > 0) for t in terms[1:])
        assert surely(abs(terms[0]) < 1e-100)
        sums = total(map(ball, p)) - total(map(ball, q))
        assert surely(abs(total(terms) + sums - exact_kl(p, q)) < 1e-100)


@theorem("cor-gibbs")
def test_gibbs_inequality():
    for p, q in PAIRS:
        if np.array_equal(p, q):
            continue
        assert surely(exact_kl(p, q) > 0)
        assert surely(exact_cross_entropy(p, q) > exact_cross_entropy(p, p))
        assert KL(p, q) > 0 == KL(p, p)


@theorem("thm-cross-entropy-gradient")
def test_the_gradient_is_minus_p_over_q():
    """The remainder of the tangent lies between 0 and (h^2 / 2) sum p (v / q')^2."""
    rng = np.random.default_rng(2)
    for p, q in PAIRS:
        v = rng.standard_normal(len(p))
        h = 2.0**-20 * q.min() / np.abs(v).max()
        moved = [ball(b) + ball(h) * ball(c) for b, c in zip(q, v, strict=True)]
        after = total(-ball(a) * b.log() for a, b in zip(p, moved, strict=True))
        slope = total(
            -ball(a) / ball(b) * ball(c) for a, b, c in zip(p, q, v, strict=True)
        )
        rest = after - exact_cross_entropy(p, q) - ball(h) * slope
        curvature = total(
            ball(a) * (ball(c) / (ball(b) * arb("0.999"))) ** 2
            for a, b, c in zip(p, q, v, strict=True)
        )
        assert surely(rest > 0)
        assert surely(rest < ball(h) ** 2 * curvature / 2)
        inside = v - v.mean()
        at_p = total(
            -ball(a) / ball(a) * ball(c) for a, c in zip(p, inside, strict=True)
        )
        assert surely(abs(at_p + total(map(ball, inside))) < 1e-100)


@theorem("thm-kl-convex")
def test_the_divergence_is_convex_in_the_pair():
    for (p, q), (r, s) in zip(PAIRS[4:], PAIRS[4:][::-1], strict=True):
        if len(p) != len(r) or np.array_equal(p, r):
            continue
        between = exact_kl((p + r) / 2, (q + s) / 2)
        assert surely(between <= (exact_kl(p, q) + exact_kl(r, s)) / 2)
    p, q = distributions(4, 0)
    r, s = distributions(4, 1)
    for share in (0.25, 0.5, 0.875):
        rest = 1 - share  # dyadic shares of multiples of 2^-40: exact
        between = exact_kl(share * p + rest * r, share * q + rest * s)
        chord = ball(share) * exact_kl(p, q) + ball(rest) * exact_kl(r, s)
        assert surely(between < chord)


@theorem("thm-pinsker")
def test_pinskers_inequality():
    for p, q in PAIRS:
        near = q.copy()
        if len(p) > 1:
            near[0] += 2.0**-50
            near[1] -= 2.0**-50
        for other in (p, near):
            if np.array_equal(other, q):
                continue
            pairs = zip(map(ball, other), map(ball, q), strict=True)
            variation = total(abs(a - b) for a, b in pairs)
            assert surely(exact_kl(other, q) >= variation**2 / 2)


def test_it_is_no_distance():
    p, q, r = (np.array([a, 1 - a]) for a in (0.5, 0.25, 0.0625))
    assert surely(exact_kl(p, q) > exact_kl(q, p))
    assert surely(exact_kl(p, q) + exact_kl(q, r) < exact_kl(p, r))


@theorem("lem-kl-term")
def test_the_term_as_a_product():
    rng = np.random.default_rng(3)
    ratios = [0.5, 2.0, 1.0 + 2.0**-52, *np.exp2(rng.uniform(-1, 1, 100))]
    for ratio in ratios:
        q = 0.3
        p = ratio * q
        z = (ball(p) - ball(q)) / (ball(p) + ball(q))
        series = total(z ** (2 * k) / (2 * k + 3) for k in range(16))
        factor = 1 + z * (1 + z) * series
        whole = exact_term(p, q) / ((ball(p) - ball(q)) * z)
        assert surely(abs(factor / whole - 1) < arb(2) ** -53 / 5)
        assert surely(whole > arb("0.92"))
        assert surely(whole < arb("1.16"))


@theorem("lem-common-shift")
def test_a_common_shift_enters_squared():
    for p, q in PAIRS:
        log_ratios = [(ball(a) / ball(b)).log() for a, b in zip(p, q, strict=True)]
        for epsilon in (1.0, -1.0, 2.0**-20, -(2.0**-60)):
            e = ball(epsilon)
            shifted = total(
                ball(a) * ((-d - e).exp() - 1 + d + e)
                for a, d in zip(p, log_ratios, strict=True)
            )
            extra = (-e).exp() - 1 + e
            assert surely(abs(shifted - exact_kl(p, q) - extra) < 1e-100)
            assert surely(extra >= 0)
            assert surely(extra <= e**2)


# The bounds.


def kinds(classes: int, dtype: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Pairs of rows of one temper, as probabilities in `dtype`."""
    rng = np.random.default_rng(classes)
    x = 3 * rng.standard_normal(classes)
    p = sxlit.softmax(x).astype(dtype)
    yield "equal", p, p.copy()
    for step in (1e-1, 1e-3, 1e-6, 1e-9):
        q = sxlit.softmax(x + step * rng.standard_normal(classes))
        yield f"moved by {step}", p, q.astype(dtype)
    nudged = np.nextafter(p, rng.integers(0, 2, classes).astype(dtype))
    yield "neighbours", p, nudged
    yield "unrelated", p, sxlit.softmax(3 * rng.standard_normal(classes)).astype(dtype)
    wide = sxlit.softmax(20 * rng.standard_normal(classes)).astype(dtype)
    yield "wide first", wide, p
    wide = np.maximum(wide, np.finfo(dtype).smallest_normal)
    yield "wide second", p, wide
    yield "a factor of two", p / 2, np.minimum(p, np.nextafter(p, dtype_zero(dtype)))
    hot = np.zeros(classes, dtype)
    hot[-1] = 1
    yield "one-hot", hot, p
    tiny = p * np.finfo(dtype).smallest_normal * np.array(2.0**10, dtype)
    yield "tiny", tiny, (tiny * np.array(1.25, dtype)).astype(dtype)
    yield "from tiny", p, np.maximum(tiny, np.finfo(dtype).smallest_subnormal)
    sizes = rng.random(classes).astype(dtype)
    yield "no distribution", sizes, rng.random(classes).astype(dtype)
    yield "almost none", sizes, np.minimum(sizes * np.array(1.000001, dtype), 1)


def dtype_zero(dtype: str) -> Any:
    return np.array(0, dtype)


def error(answer: Any, exact: arb) -> arb:
    return abs(ball(answer) - exact)


CLASSES = pytest.mark.parametrize("classes", [1, 2, 3, 33, 129])


@DTYPES
@GRADES
@CLASSES
@theorem("thm-cross-entropy-of-error")
def test_cross_entropy_is_within_its_bound(classes, grade, dtype):
    numerics = bounds.Numerics.required(dtype)
    for name, p, q in kinds(classes, dtype):
        for base in (None, 2, 10.0, 1.01, 0.5):
            exact = exact_cross_entropy(p, q)
            if base is not None:
                exact = exact / ball(base).log()
            answer = CROSS(p, q, base=base)
            allowed = bounds.cross_entropy_of(
                p, q, base=base, numerics=numerics, grade=grade
            )
            assert answer.dtype == dtype
            assert surely(error(answer, exact) <= ball(allowed)), (name, base)


@DTYPES
@GRADES
@CLASSES
@theorem("thm-kl-error")
def test_the_divergence_is_within_its_bound(classes, grade, dtype):
    numerics = bounds.Numerics.required(dtype)
    for name, p, q in kinds(classes, dtype):
        answer, exact = KL(p, q), exact_kl(p, q)
        allowed = bounds.kl_divergence(p, q, numerics=numerics, grade=grade)
        assert answer.dtype == dtype
        assert surely(error(answer, exact) <= ball(allowed)), name


def usual_forms(p: np.ndarray, q: np.ndarray) -> dict[str, Any]:
    """How people compute it, in the dtype of the arguments."""
    seen = p > 0
    p, q = p[seen], q[seen]
    with np.errstate(all="ignore"):
        forms = {
            "two logarithms": (p * (np.log(p) - np.log(q))).sum(),
            "one by one": (p * np.log(p)).sum() - (p * np.log(q)).sum(),
        }
        ratio = p / q
        if np.isfinite(ratio).all() and (ratio > 1e-30).all():
            forms["a quotient"] = (p * np.log(ratio)).sum()
    return forms


@DTYPES
@CLASSES
@theorem("thm-kl-error")
def test_the_usual_forms_are_within_the_standard_bound(classes, dtype):
    numerics = bounds.Numerics.required(dtype)
    for name, p, q in kinds(classes, dtype):
        exact = exact_kl(p, q)
        allowed = bounds.kl_divergence(p, q, numerics=numerics, grade="standard")
        for form, answer in usual_forms(p, q).items():
            assert surely(error(answer, exact) <= ball(allowed)), (name, form)


def test_the_bounds_can_be_exceeded():
    """The usual forms are beyond the hra bound, swapped arguments beyond any."""
    p = sxlit.softmax(np.arange(5.0))
    q = sxlit.softmax(np.arange(5.0) * (1 + 1e-7))
    f64 = bounds.Numerics.required("float64")
    allowed = bounds.kl_divergence(p, q, numerics=f64)
    exact = exact_kl(p, q)
    assert all(
        surely(error(answer, exact) > ball(allowed))
        for answer in usual_forms(p, q).values()
    )
    p, q = PAIRS[8]
    standard = bounds.kl_divergence(p, q, numerics=f64, grade="standard")
    assert abs(KL(q, p) - KL(p, q)) > 1000 * standard


@theorem("cor-kl-sign")
def test_equal_sums_give_a_relative_accuracy_and_a_sign():
    """30 u, for rows of exactly equal sums at every distance from each other."""
    u = arb(2) ** -53
    for p, q in PAIRS:
        assert KL(p, p) == 0.0
        if len(p) == 1:
            continue
        for k in range(0, 50, 3):
            near = q.copy()
            step = 2.0**-k * min(near[0], near[1])
            near[0] += step
            near[1] -= step
            if sum(map(Fraction, near)) != 1 or near.min() <= 0 or step == 0:
                continue
            for a, b in ((near, q), (q, near), (p, near)):
                exact = exact_kl(a, b)
                assert KL(a, b) >= 0
                assert surely(error(KL(a, b), exact) <= 30 * u * exact)
                f64 = bounds.Numerics.required("float64")
                allowed = bounds.kl_divergence(a, b, numerics=f64)
                assert surely(ball(allowed) <= 150 * u * exact + 1e-300)


def test_unequal_sums_may_give_a_negative_divergence():
    p, q = np.array([0.25, 0.25]), np.array([0.5, 0.5])
    assert np.isclose(KL(p, q), -np.log(2) / 2, rtol=1e-15, atol=0)
    assert surely(exact_kl(p, q) < 0)


def logit_kinds(classes: int, dtype: str) -> Iterator[tuple[str, np.ndarray, Any]]:
    rng = np.random.default_rng(classes + 50)
    x = 3 * rng.standard_normal(classes)
    y = 3 * rng.standard_normal(classes)
    yield "unrelated", x.astype(dtype), y.astype(dtype)
    for step in (1.0, 1e-2, 1e-5, 1e-8, 1e-12):
        z = x + step * rng.standard_normal(classes)
        yield f"moved by {step}", x.astype(dtype), z.astype(dtype)
        yield f"far, moved by {step}", (x + 4096).astype(dtype), (z + 9).astype(dtype)
    one = x.astype(dtype)
    yield "neighbours", one, np.nextafter(one, np.array(9, dtype))
    yield "equal", one, one.copy()
    yield "wide", (100 * x).astype(dtype), (100 * y).astype(dtype)
    yield "wider", (1e4 * x).astype(dtype), (1e3 * y).astype(dtype)
    alone = np.where(np.arange(classes) == 0, 40.0, x)
    yield "dominated", alone.astype(dtype), (alone + 0.1 * y).astype(dtype)
    tail = alone - np.where(np.arange(classes) == classes - 1, 2.0, 0.0)
    yield "a moved tail", alone.astype(dtype), tail.astype(dtype)
    excluded = np.where(np.arange(classes) == 0, x, -np.inf)
    yield "all but one excluded", excluded.astype(dtype), one
    yield "excluded twice", excluded.astype(dtype), (excluded + 1).astype(dtype)
    yield "half as far", one, (one + np.linspace(-1.01, 1.01, classes)).astype(dtype)


@DTYPES
@GRADES
@CLASSES
@theorem("thm-kl-logits-error")
def test_the_divergence_from_logits_is_within_its_bound(classes, grade, dtype):
    numerics = bounds.Numerics.required(dtype)
    for name, x, y in logit_kinds(classes, dtype):
        answer, exact = KL_LOGITS(x, y), exact_kl_from_logits(x, y)
        allowed = bounds.kl_divergence_from_logits(x, y, numerics=numerics, grade=grade)
        assert answer.dtype == dtype
        assert answer >= 0
        assert surely(error(answer, exact) <= ball(allowed)), name


@DTYPES
@CLASSES
@theorem("thm-kl-logits-error")
def test_the_usual_form_from_logits_is_within_the_standard_bound(classes, dtype):
    numerics = bounds.Numerics.required(dtype)
    for name, x, y in logit_kinds(classes, dtype):
        seen = np.isfinite(x)
        gaps = [(row.max() - row)[seen] for row in (x, y)]
        with np.errstate(all="ignore"):
            sums = [np.exp(row - row.max()).sum(dtype=dtype) for row in (x, y)]
            log_p, log_q = (
                -(gap + np.log(whole)) for gap, whole in zip(gaps, sums, strict=True)
            )
            forms = {
                "exp": (np.exp(log_p) * (log_p - log_q)).sum(),
                "quotient": (np.exp(-gaps[0]) / sums[0] * (log_p - log_q)).sum(),
            }
            p = np.exp(-gaps[0]) / sums[0]
            terms = p * (np.log(p) - log_q)
            forms["logarithms of quotients"] = np.where(p == 0, 0, terms).sum()
        exact = exact_kl_from_logits(x, y)
        allowed = bounds.kl_divergence_from_logits(
            x, y, numerics=numerics, grade="standard"
        )
        for form, answer in forms.items():
            assert surely(error(answer, exact) <= ball(allowed)), (name, form)


def test_small_steps_of_logits_keep_their_digits():
    """At a step of 1e-7 the usual form has lost everything, this one nothing."""
    x = np.array([2.0, 1.0, 0.1])
    y = x + 1e-7 * np.array([1.0, -1.0, 0.5])
    exact = exact_kl_from_logits(x, y)
    f64 = bounds.Numerics.required("float64")
    assert surely(
        ball(bounds.kl_divergence_from_logits(x, y, numerics=f64)) < exact * 1e-11
    )
    assert surely(error(KL_LOGITS(x, y), exact) < exact * 1e-14)


# The contract.


def test_zero_times_the_logarithm_of_zero_is_zero():
    for function in (CROSS, KL):
        assert function([1.0, 0.0], [1.0, 0.0]) == 0.0
        assert not np.signbit(function([1.0, 0.0], [1.0, 0.0]))
        assert function([0.5, 0.5], [1.0, 0.0]) == np.inf
    assert CROSS([1.0, 0.0], [0.5, 0.5]) == KL([1.0, 0.0], [0.5, 0.5]) == np.log(2)


def test_a_base_below_one_turns_the_sign():
    assert CROSS([0.5, 0.5], [0.5, 0.5], base=0.5) == -1.0
    assert CROSS([0.5, 0.5], [1.0, 0.0], base=0.5) == -np.inf


@pytest.mark.parametrize("function", [CROSS, KL, KL_LOGITS])
def test_a_nan_touches_its_own_row_only(function):
    clean = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    for first in (True, False):
        for place in (0, 1):
            dirty = clean.copy()
            dirty[1, place] = np.nan
            pair = (dirty, clean) if first else (clean, dirty)
            result = function(*pair)
            assert np.isnan(result).tolist() == [False, True, False]
    one_hot, void = [[1.0, 0.0]], [[0.5, np.nan]]
    assert np.isnan(function(one_hot, void)).all()
    assert np.isnan(function([[np.nan, 0.5]], [[0.0, 1.0]])).all()


@pytest.mark.parametrize("function", [CROSS, KL, KL_LOGITS])
@pytest.mark.parametrize("beside", [np.inf, -1.0, 1e308])
def test_what_stands_beside_a_nan_does_not_matter(function, beside):
    void, other = [np.nan, beside, -beside], [-beside, np.nan, beside]
    for q in (void, other, [0.5, 0.25, 0.25]):
        assert np.isnan(function(void, q))
        assert np.isnan(function(q, void))


def test_infinite_logits():
    inf = np.inf
    assert KL_LOGITS([0.0, -inf], [0.0, 0.0]) == np.log(2)
    assert KL_LOGITS([0.0, 0.0], [0.0, -inf]) == inf
    assert KL_LOGITS([0.0, -inf], [1.0, -inf]) == 0.0
    assert KL_LOGITS([inf, 0.0], [0.0, 0.0]) == np.log(2)
    assert KL_LOGITS([inf, 0.0], [inf, 3.0]) == 0.0
    assert KL_LOGITS([0.0, 0.0], [inf, 0.0]) == inf
    assert KL_LOGITS([0.0, -2000.0], [inf, 0.0]) == inf  # tiny, but not 0
    assert KL_LOGITS([inf, 0.0], [0.0, inf]) == inf
    undefined = [[inf, inf, 0.0], [-inf, -inf, -inf]]
    for row in undefined:
        assert np.isnan(KL_LOGITS(row, [0.0, 0.0, 0.0]))
        assert np.isnan(KL_LOGITS([0.0, 0.0, 0.0], row))


def test_a_probability_that_underflows_is_not_zero():
    assert KL_LOGITS([0.0, 0.0], [0.0, -2000.0]) == 1000 - np.log(2)
    assert KL_LOGITS([0.0, -2000.0], [0.0, 0.0]) == np.log(2)
    huge = np.finfo(np.float32).max
    assert KL_LOGITS(np.float32([0, 0]), np.float32([huge, -huge])) == huge


@pytest.mark.parametrize("function", [CROSS, KL])
def test_what_is_no_probability_is_refused(function):
    good, bad = [[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [1.5, -0.5]]
    with pytest.raises(ValueError, match=r"p\[1, 0\] is 1.5"):
        function(bad, good)
    with pytest.raises(ValueError, match=r"q\[1, 0\] is 1.5"):
        function(good, bad)


@pytest.mark.parametrize("function", [CROSS, KL, KL_LOGITS])
def test_shapes_must_agree(function):
    with pytest.raises(ValueError, match="nothing is broadcast"):
        function(np.full((3, 2), 0.5), np.full((1, 2), 0.5))
    with pytest.raises(ValueError, match="nothing is broadcast"):
        function(np.full((3, 2), 0.5), np.full(2, 0.5))
    with pytest.raises(ValueError, match="no classes"):
        function(np.empty((3, 0)), np.empty((3, 0)))
    with pytest.raises(ValueError, match="has no axis"):
        function([0.5, 0.5], [0.5, 0.5], axis=1)
    with pytest.raises(TypeError, match="expected float16"):
        function([0.5, 0.5], np.longdouble([0.5, 0.5]))


@pytest.mark.parametrize("function", [CROSS, KL, KL_LOGITS])
def test_the_dtype_is_that_of_both(function):
    a = np.array([0.25, 0.75])
    for first in map(as_dtype, (*SHORT, "float64")):
        for second in map(as_dtype, (*SHORT, "float64")):
            result = function(a.astype(first), a[::-1].astype(second))
            assert result.dtype == wider(first, second)
            assert result == function(a, a[::-1]).astype(result.dtype)
    assert function([1, 0], np.float32([1, 0])).dtype == np.float64
    assert function([True, False], [1, 0]).dtype == np.float64


@pytest.mark.parametrize("function", [CROSS, KL, KL_LOGITS])
def test_any_layout_gives_the_same_bits(function):
    rng = np.random.default_rng(7)
    p = sxlit.softmax(rng.standard_normal((4, 5, 6)), axis=1)
    q = sxlit.softmax(rng.standard_normal((4, 5, 6)), axis=1)
    expected = function(p, q, axis=1)
    assert expected.shape == (4, 6)
    last = np.ascontiguousarray(np.moveaxis(p, 1, -1)), np.moveaxis(q, 1, -1)
    assert same_bits(function(*last), expected)
    readonly = p.copy()
    readonly.flags.writeable = False
    reversed_twice = np.ascontiguousarray(q[::-1])[::-1]
    for a, b in (
        (np.asfortranarray(p), q),
        (p, np.asfortranarray(q)),
        (readonly, reversed_twice),
        (p.astype(">f8"), q.astype(">f8")),
        (p.tolist(), q.tolist()),
    ):
        assert same_bits(function(a, b, axis=-2), expected)
    assert function(np.empty((0, 3)), np.empty((0, 3))).shape == (0,)
    assert np.isscalar(function([0.5, 0.5], [0.5, 0.5]))


@pytest.mark.parametrize("function", [CROSS, KL, KL_LOGITS])
def test_no_warning_and_no_trace(function):
    p = np.array([[0.0, 1.0], [1.0, 0.0], [5e-324, 1.0], [0.0, 0.0], [1.0, 5e-324]])
    kept = p.copy()
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for shift in range(len(p)):
            function(p, np.roll(p, shift, axis=0))
        KL_LOGITS([[np.inf, -np.inf]], [[-np.inf, np.nan]])
        KL_LOGITS([[1e308, -1e308]], [[-1e308, 1e308]])
    assert same_bits(p, kept)


@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_a_difference_of_logits_halfway_between_two_floats(dtype):
    """The divergence is that and e^-80 times something, which settles the tie."""
    half = 2.0 ** (6 - FORMATS[dtype].precision)
    tops = np.floor(np.linspace(80, 120, 20) / (2 * half)) * (2 * half)
    x = np.array([[top, -200.0, half] for top in tops]).astype(as_dtype(dtype))
    y = np.ascontiguousarray(x[:, ::-1])
    balls = [exact_kl_from_logits(*pair) for pair in zip(x, y, strict=True)]
    with count_undecided() as undecided:
        wrong = misrounded(KL_LOGITS(x, y, precision="double-double"), balls)
    assert not wrong
    assert undecided.count == 0


@pytest.mark.parametrize("step", [1e-3, 1e-8, 1e-15, 1e-30, 1e-100])
def test_logits_however_close(step):
    x = np.array([[0.0, 0.0, step], [0.3, 1.0, step], [0.0, 100.0, step]])
    y = np.array([[0.0, step, 0.0], [0.3, 1.0, 3 * step], [step, 100.0, 0.0]])
    balls = [exact_kl_from_logits(*pair) for pair in zip(x, y, strict=True)]
    with count_undecided() as undecided:
        assert worst_ulp(KL_LOGITS(x, y), balls) <= 0.625
    assert undecided.count == 0


# The parts.


def test_terms_at_the_ends_of_the_range():
    tiny = np.array([5e-324, 5e-324, 1.0, 1.5e-323, 1e-300])
    other = np.array([5e-324, 1.0, 5e-324, 5e-324, 1e-300 * (1 + 2.0**-52)])
    for value, a, b in zip(divergence_terms(tiny, other), tiny, other, strict=True):
        exact = exact_term(a, b)
        assert surely(error(value, exact) <= 1e-15 * exact + 5e-324)


def test_the_difference_of_sums_is_exact():
    """Beside terms that are 0 or about 2^-60, it is all there is, or nothing."""
    p, q = np.array([1.0, 2.0**-200]), np.array([1.0, 3.0 * 2.0**-200])
    exact = total(exact_term(a, b) for a, b in zip(p, q, strict=True)) - ball(2.0**-199)
    assert surely(error(KL(p, q), exact) <= 2.0**-250)
    moved = np.array([1.0, 2.0**-60, 2.0**-200])
    assert KL(moved, moved) == KL(moved, moved, precision="double-double") == 0.0
    assert KL(moved, np.roll(moved, 1)) > 0.0


def test_equal_sums_of_any_size_leave_nothing_negative():
    """Entries that spread over 600 bits, moved about: the sums stay equal."""
    rng = np.random.default_rng(31)
    p = 2.0 ** -rng.uniform(0, 600, (200, 7))
    p[:, 1:3] *= 2.0**-30
    q = rng.permuted(p, axis=-1)
    q[::2, 0], q[::2, 1:] = p[::2, 0], rng.permuted(p[::2, 1:], axis=-1)
    with count_undecided() as undecided:
        divergence = KL(p, q)
    assert (divergence >= 0.0).all()
    assert undecided.count == 0
    same = (p == q).all(axis=-1)
    assert ((divergence == 0.0) == same).all()


# The rounding.


def neighbours(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows that are the same, close, permuted, or of another kind altogether."""
    eps = float(ml_dtypes.finfo(p.dtype).eps)
    rows, which = p.astype(float), np.arange(len(p))[:, None] % 4
    steps = rows * (1.0 + eps * rng.integers(-2, 3, rows.shape))
    wide = rows * np.exp(0.1 * rng.standard_normal(rows.shape))
    other = np.where(which == 0, steps, np.where(which == 1, wide, rows[:, ::-1]))
    return np.where(which == 3, np.roll(rows, 1, axis=0), other).astype(p.dtype)


@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
@pytest.mark.parametrize("classes", [1, 2, 5, 40])
def test_divergences_are_rounded_correctly(classes, dtype):
    rng = np.random.default_rng(classes)
    spread = np.array([0.1, 1.0, 6.0])[np.arange(24) % 3, None]
    p = sxlit.softmax(
        (spread * rng.standard_normal((24, classes))).astype(as_dtype(dtype))
    )
    q = np.minimum(neighbours(p, rng), p.dtype.type(1))
    x = (3.0 * spread * rng.standard_normal((24, classes))).astype(p.dtype)
    y = neighbours(x, rng)
    for f, exact, a, b in (
        (CROSS, exact_cross_entropy, p, q),
        (KL, exact_kl, p, q),
        (KL_LOGITS, exact_kl_from_logits, x, y),
    ):
        finite = ~((a != 0) & (b == 0)).any(axis=-1) | (f is KL_LOGITS)
        a, b = a[finite], b[finite]
        balls = [exact(*pair) for pair in zip(a, b, strict=True)]
        same = (a == b).all(axis=-1) & (f is not CROSS)
        balls = [arb(0) if s else v for s, v in zip(same, balls, strict=True)]
        if classes == 1 and f is KL_LOGITS:
            balls = [arb(0) for _ in balls]
        with count_undecided() as undecided:
            if dtype == "float64":
                plain = f(a, b)
                assert worst_ulp(plain, balls) <= 0.625, f.__name__
            wrong = misrounded(f(a, b, precision="double-double"), balls)
        # A float64 next to 1 has a logarithm next to a tie.
        assert len(wrong) <= undecided.count <= 2 * (dtype == "float64"), f.__name__


def test_a_ratio_that_is_no_float():
    exact = -ball(5e-324).log()
    assert surely(error(log_ratio(np.array(1.0), np.array(5e-324)), exact) < 1e-12)


def test_the_remainder_against_exact_values():
    for delta in (1.0, -1.0, 0.5, -0.01, 1e-8, -1e-100):
        ctx.prec = 2000
        d = ball(delta)
        exact = (-d).exp() - 1 + d
        assert surely(error(remainder(np.array(delta)), exact) <= exact * 1e-15)
