"""The binary loss: its theorems, edges and arguments, and how exact it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
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
REDUCTIONS = pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
LOSS, GRAD = sxlit.binary_cross_entropy, sxlit.binary_cross_entropy_grad
BOTH = pytest.mark.parametrize("f", [LOSS, GRAD])


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with ctx.workprec(400):
        yield


def scores(dtype: str) -> np.ndarray:
    """Logits of every size and both signs, and those next to a border; three a row."""
    rng = np.random.default_rng(21)
    sizes = 10.0 ** rng.uniform(-12, 3.1, 84)
    borders = [0, 1e-300, 16.6, 36.7, 87.3, 88.7, 88.8, 103.9, 104, 709.7, 745.1, 1e30]
    x = np.concatenate([sizes, -sizes, borders, np.negative(borders)])
    return x.reshape(-1, 3).astype(dtype)


def answers(dtype: str) -> dict[str, np.ndarray]:
    """Targets of each kind, beside the scores."""
    rng, shape = np.random.default_rng(22), scores(dtype).shape
    shares = rng.choice([0, 1e-30, 0.1, 0.25, 0.5, 0.9, 1 - 2.0**-20, 1], shape)
    return {
        "integers": rng.integers(0, 2, shape),
        "booleans": rng.integers(0, 2, shape) > 0,
        "shares": shares.astype(dtype),
        "any": rng.uniform(-2, 3, shape).astype(dtype),
    }


KINDS = pytest.mark.parametrize("kind", ["integers", "booleans", "shares", "any"])
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "numbers": {"weight": 0.3, "pos_weight": 7.5},
    "arrays": {
        "weight": np.random.default_rng(23).choice([0, 0.1, 1, 40], (64, 3)),
        "pos_weight": np.array([0, 0.5, 99], np.float32),
    },
    "no weight": {"weight": 0, "pos_weight": True},
    "tiny": {"weight": 1e-30, "pos_weight": 1e-20},
    "large": {"weight": 1e9, "pos_weight": 1e5},
}
WEIGHTS = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


# Exact values, with 400 bits


def softplus(x: arb) -> arb:
    return (x if x > 0 else arb(0)) + (-abs(x)).exp().log1p()


def sigmoid(x: arb | arb_series) -> Any:
    return 1 / (1 + (-x).exp())


def exact_loss(x: arb, q: arb, w: arb, a: arb) -> arb:
    return w * (a * q * softplus(-x) + (1 - q) * softplus(x))


def exact_slope(x: arb, q: arb, w: arb, a: arb) -> arb:
    return w * ((1 - q) * sigmoid(x) - a * q * sigmoid(-x))


EXACT = {LOSS: exact_loss, GRAD: exact_slope}


def columns(x: np.ndarray, q: np.ndarray, options: dict[str, Any]) -> Iterator[tuple]:
    """Logit, target and both weights of each answer, as exact numbers."""
    weights = (np.asarray(options.get(k, 1), float) for k in ("weight", "pos_weight"))
    for each in np.broadcast(x.astype(float), q.astype(float), *weights):
        yield tuple(arb(float(number)) for number in each)


def references(
    f: Callable[..., Any], x: np.ndarray, q: np.ndarray, options: dict[str, Any]
) -> list[arb]:
    return [EXACT[f](*each) for each in columns(x, q, options)]


def exceeds(value: float, exact: arb, allowed: float) -> bool:
    """Whether the error is certainly or possibly above what is allowed."""
    return not abs(arb(float(value)) - exact) <= arb(float(allowed))


def bound(f: Callable[..., Any]) -> Callable[..., np.ndarray]:
    return getattr(bounds, f.__name__)


# The theorems of the chapter


@pytest.mark.theorem("thm-exactly-one")
def test_sigmoids_given_exactly_one_are_a_softmax():
    """Exactly, with rational odds in the place of exponentials."""
    rng = np.random.default_rng(24)
    for count in (1, 2, 5):
        odds = [Fraction(int(a), int(b)) for a, b in rng.integers(1, 99, (count, 2))]
        alone = []
        for i in range(count):
            chance = Fraction(1)
            for j, odd in enumerate(odds):
                chance *= (odd if i == j else 1) / (1 + odd)
            alone.append(chance)
        for i, odd in enumerate(odds):
            assert alone[i] / sum(alone) == odd / sum(odds)


@pytest.mark.theorem("thm-binary-softmax")
def test_the_binary_loss_is_that_of_two_classes():
    rng = np.random.default_rng(25)
    for x, q, w, a in rng.uniform([-60, -1, 0, 0], [60, 2, 9, 9], (60, 4)):
        x, q, w, a = arb(x), arb(q), arb(w), arb(a)
        total = (x.exp() + 1).log()
        yes, no = w * a * q, w * (1 - q)
        difference = yes * (total - x) + no * total - exact_loss(x, q, w, a)
        assert abs(difference) < arb(2) ** -250


@pytest.mark.theorem("thm-binary-softmax")
@GRADES
@DTYPES
def test_the_two_losses_agree_within_their_bounds(dtype, grade):
    """With weights and shares whose products need no rounding."""
    x = scores(dtype)
    pairs = np.stack([x, np.zeros_like(x)], axis=-1)
    numerics = Numerics.required(dtype)
    settings: dict[str, Any] = {"numerics": numerics, "grade": grade}
    rng = np.random.default_rng(26)
    q = rng.integers(0, 9, x.shape) / 8
    w, a = rng.choice([0, 0.5, 1, 8], x.shape), np.array([0.25, 1, 64])
    targets = np.stack([w * a * q, w * (1 - q)], axis=-1)
    options: dict[str, Any] = {"weight": w, "pos_weight": a, "reduction": "none"}
    for name in ("cross_entropy", "cross_entropy_grad"):
        left = getattr(sxlit, f"binary_{name}")(x, q, **options).astype(float)
        right = getattr(sxlit, name)(pairs, targets, reduction="none").astype(float)
        allowed = getattr(bounds, f"binary_{name}")(x, q, **options, **settings)
        other = getattr(bounds, name)(pairs, targets, reduction="none", **settings)
        if name.endswith("grad"):
            right, other = right[..., 0], other[..., 0]
        assert (np.abs(left - right) <= allowed + other).all()
    labels = rng.integers(0, 2, x.shape)
    left = LOSS(x, labels, reduction="none").astype(float)
    right = sxlit.cross_entropy(pairs, 1 - labels, reduction="none")
    allowed = bounds.binary_cross_entropy(x, labels, reduction="none", **settings)
    other = bounds.cross_entropy(pairs, 1 - labels, reduction="none", **settings)
    assert (np.abs(left - right) <= allowed + other).all()


@pytest.mark.theorem("thm-binary-gradient")
def test_the_derivatives_are_those_of_the_power_series():
    rng = np.random.default_rng(27)
    for x, q, w, a in rng.uniform([-60, -1, 0, 0], [60, 2, 9, 9], (60, 4)):
        score = arb_series([x, 1], prec=3)
        q, w, a = arb(q), arb(w), arb(a)
        yes, no = -sigmoid(score).log(), -sigmoid(-score).log()
        series = w * (a * q * yes + (1 - q) * no)
        here = arb(x)
        assert abs(series[1] - exact_slope(here, q, w, a)) < arb(2) ** -250
        curvature = w * (a * q + 1 - q) * sigmoid(here) * sigmoid(-here)
        assert abs(2 * series[2] - curvature) < arb(2) ** -250
        plain = exact_slope(here, q, arb(1), arb(1))
        assert abs(plain - (sigmoid(here) - q)) < arb(2) ** -250
        if 0 <= q <= 1:
            assert -w * a <= series[1] <= w
            assert curvature >= 0


@pytest.mark.theorem("thm-positive-weight")
def test_a_weight_moves_the_optimum_by_its_logarithm():
    rng = np.random.default_rng(28)
    for q, w, a in rng.uniform([0, 0.1, 0], [1, 9, 99], (60, 3)):
        q, w, a = arb(q), arb(w), arb(a)
        best = (q / (1 - q)).log() + a.log()
        assert abs(exact_slope(best, q, w, a)) < arb(2) ** -250
        assert abs(sigmoid(best) - a * q / (a * q + 1 - q)) < arb(2) ** -250
        assert abs(sigmoid(best - a.log()) - q) < arb(2) ** -250
        least = exact_loss(best, q, w, a)
        for step in (arb("1e-9"), arb(1), arb(30)):
            assert exact_loss(best + step, q, w, a) > least
            assert exact_loss(best - step, q, w, a) > least


def newton(features: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The minimum of the binary loss of a linear model."""
    w = np.zeros(features.shape[1])
    for _ in range(30):
        slope = GRAD(features @ w, y, reduction="sum")
        ones = np.ones(len(y))
        curvature = sxlit.sigmoid_jvp(features @ w, ones)[:, None] * features
        w = w - np.linalg.solve(features.T @ curvature, features.T @ slope)
    return w


@pytest.mark.theorem("thm-one-vs-rest-mean")
@pytest.mark.parametrize("seed", range(5))
def test_one_against_the_rest_is_right_on_average(seed):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(3), 60)
    place = rng.normal(1.5 * (group - 1), 1.0)
    features = np.stack([np.ones(180), place], axis=1)
    x, left = np.empty((180, 3)), 0.0
    for k in range(3):
        y = (group == k).astype(float)
        x[:, k] = features @ newton(features, y)
        left += GRAD(x[:, k], y, reduction="sum").sum()
    assert abs(left) < 1e-10  # a minimum in each constant
    p = sxlit.sigmoid(x)
    allowed = bounds.sigmoid(x, numerics=Numerics.required("float64")).sum()
    # What the additions of 540 numbers of at most 1 may lose, twice.
    allowed += 2 * 540 * 540 * 2.0**-53
    assert abs(p.sum() - 180 - left) <= allowed
    assert p.sum(axis=1).min() < 0.9
    assert p.sum(axis=1).max() > 1.1
    # Without constants of their own they are not.
    slopes = [newton(place[:, None], (group == k).astype(float)) for k in range(3)]
    assert abs(sxlit.sigmoid(place[:, None] * np.ravel(slopes)).sum() - 180) > 1


def heated(x: list[arb], temperature: arb) -> list[arb]:
    weights = [(each / temperature).exp() for each in x]
    return [weight / sum(weights) for weight in weights]


def distillation(x: list[Any], q: list[arb], temperature: arb) -> Any:
    total = sum((each / temperature).exp() for each in x).log()
    return sum(
        share * (total - each / temperature) for share, each in zip(q, x, strict=True)
    )


def pupils() -> Iterator[tuple[list[arb], list[arb]]]:
    """Logits of a student and its teacher."""
    rng = np.random.default_rng(29)
    for count in (2, 3, 7):
        for size in (0.1, 3, 30):
            x, other = rng.normal(0, size, (2, count))
            yield [arb(each) for each in x], [arb(each) for each in other]


@pytest.mark.theorem("thm-distillation-goal")
@pytest.mark.parametrize("temperature", [0.3, 1, 5, 80])
def test_the_gradient_of_distillation(temperature):
    heat = arb(temperature)
    for x, teacher in pupils():
        p, q = heated(x, heat), heated(teacher, heat)
        for i in range(len(x)):
            moved: list[Any] = list(x)
            moved[i] = arb_series([x[i], 1], prec=2)
            slope = distillation(moved, q, heat)[1]
            assert abs(slope - (p[i] - q[i]) / heat) < arb(2) ** -200
        least = -sum(share * share.log() for share in q)
        shifted = [each + 4 for each in teacher]
        assert abs(distillation(shifted, q, heat) - least) < arb(2) ** -200
        shifted[0] += arb(1) / 8
        assert distillation(shifted, q, heat) > least


@pytest.mark.theorem("thm-distillation")
@pytest.mark.parametrize("temperature", [0.3, 1, 5, 80, 1e5])
def test_hot_distillation_compares_logits(temperature):
    heat = arb(temperature)
    for x, teacher in pupils():
        count = len(x)
        p, q = heated(x, heat), heated(teacher, heat)
        centre, other = sum(x) / count, sum(teacher) / count
        ranges = (max(map(float, z)) - min(map(float, z)) for z in (x, teacher))
        allowed = sum(arb(r) ** 2 for r in ranges) / (2 * heat)
        for i in range(count):
            limit = ((x[i] - centre) - (teacher[i] - other)) / count
            assert abs(heat * (p[i] - q[i]) - limit) <= allowed * (1 + arb(2) ** -40)


# How exact it is


@pytest.mark.theorem("thm-binary-loss-error", "thm-binary-gradient-error")
@BOTH
@KINDS
@WEIGHTS
@DTYPES
def test_the_library_is_within_its_bounds(f, kind, options, dtype):
    x, q, numerics = scores(dtype), answers(dtype)[kind], Numerics.required(dtype)
    wanted = references(f, x, q, options)
    for grade, reduction in product(("standard", "hra"), ("none", "sum", "mean")):
        more: dict[str, Any] = {**options, "reduction": reduction}
        answer = f(x, q, **more)
        allowed = bound(f)(x, q, **more, numerics=numerics, grade=grade)
        assert allowed.shape == np.shape(answer)
        divisor = x.size if reduction == "mean" else 1
        if f is LOSS and reduction != "none":
            if np.isfinite(answer):
                assert not exceeds(answer, sum(wanted) / divisor, allowed)
            continue
        for value, exact, most in zip(
            answer.ravel(), wanted, allowed.ravel(), strict=True
        ):
            if np.isfinite(value):
                assert not exceeds(value, exact / divisor, most)


@pytest.mark.theorem("thm-binary-loss-error")
@GRADES
@DTYPES
def test_a_sum_is_within_its_bound(dtype, grade):
    """Without the borders, whose losses are huge."""
    rng = np.random.default_rng(30)
    x = rng.normal(-6, 8, 3000).astype(dtype)
    q = (rng.random(3000) < sxlit.sigmoid(x)).astype(int)
    total = sum(references(LOSS, x, q, {}))
    numerics = Numerics.required(dtype)
    allowed = bounds.binary_cross_entropy(x, q, numerics=numerics, grade=grade)
    assert not exceeds(LOSS(x, q), total / 3000, allowed)
    if grade == "hra":
        assert allowed < 80 * numerics.unit * LOSS(x, q)


# Forms that people use, in the arithmetic of their own dtype.


def small(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.abs(x))


def plus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(small(x))


def logistic(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, small(x), x.dtype.type(1)) / (1 + small(x))


def as_written(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def signed_share(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * small(x) / (1 + small(x))


FORMS: list[tuple[Callable[..., Any], Callable[..., np.ndarray], str, bool]] = [
    # of, form, grade, whether it has the weight of a yes
    (LOSS, lambda x, q, w, a: w * (a * q * plus(-x) + (1 - q) * plus(x)), "hra", True),
    (
        LOSS,
        lambda x, q, w, a: w * a * (q * plus(-x)) + w * (1 - q) * plus(x),
        "hra",
        True,
    ),
    (
        LOSS,
        lambda x, q, w, a: w * ((1 - q) * x + (1 + (a - 1) * q) * plus(-x)),
        "standard",
        True,
    ),
    (LOSS, lambda x, q, w, a: w * ((1 - q) * x + plus(-x)), "standard", False),
    (LOSS, lambda x, q, w, a: w * (x - x * q + plus(-x)), "standard", False),
    (
        LOSS,
        lambda x, q, w, a: w * (np.maximum(x, 0) - x * q + np.log1p(small(x))),
        "standard",
        False,
    ),
    (
        GRAD,
        lambda x, q, w, a: w * ((1 - q) * logistic(x) - a * q * logistic(-x)),
        "hra",
        True,
    ),
    (
        GRAD,
        lambda x, q, w, a: w * ((a * q + 1 - q) * logistic(x) - a * q),
        "standard",
        True,
    ),
    (
        GRAD,
        lambda x, q, w, a: w * ((a * q + 1 - q) * as_written(x) - a * q),
        "standard",
        True,
    ),
    (
        GRAD,
        lambda x, q, w, a: w * ((1 - q) - (1 + (a - 1) * q) * logistic(-x)),
        "standard",
        True,
    ),
    (
        GRAD,
        lambda x, q, w, a: w * ((1 - q) - (1 + (a - 1) * q) * np.exp(-x - plus(-x))),
        "standard",
        True,
    ),
    (GRAD, lambda x, q, w, a: w * (logistic(x) - q), "standard", False),
    (
        GRAD,
        lambda x, q, w, a: w * (1 - q - ((x < 0) + signed_share(x))),
        "standard",
        False,
    ),
    (GRAD, lambda x, q, w, a: w * ((x > 0) - q - signed_share(x)), "standard", False),
]


@pytest.mark.theorem("thm-binary-loss-error", "thm-binary-gradient-error")
@pytest.mark.parametrize(("f", "form", "grade", "weighs"), FORMS)
@pytest.mark.parametrize("kind", ["integers", "shares", "any"])
@DTYPES
def test_forms_that_people_use_are_within_the_bound(
    f, form, grade, weighs, kind, dtype
):
    x = scores(dtype)
    x = x[x != 0]  # where a step has no slope
    x = x[np.abs(x) < 1e20]  # and none of the products overflows
    q = answers(dtype)[kind].ravel()[: len(x)].astype(dtype)
    rng = np.random.default_rng(31)
    w = rng.choice([0, 0.3, 1, 12], len(x)).astype(dtype)
    a = np.array(7.3 if weighs else 1, dtype)
    with np.errstate(over="ignore", under="ignore"):
        answer = form(x, q, w, a)
    assert answer.dtype == dtype
    options: dict[str, Any] = {"weight": w, "pos_weight": a}
    allowed = bound(f)(
        x,
        q,
        **options,
        reduction="none",
        numerics=Numerics.required(dtype),
        grade=grade,
    )
    wanted = references(f, x, q, options)
    for value, exact, most in zip(answer, wanted, allowed, strict=True):
        assert not exceeds(value, exact, most)


@pytest.mark.theorem("thm-binary-gradient-error")
@GRADES
def test_the_scale_of_a_mean_may_come_first(grade):
    """Weights that underflow over the number of logits, and are then multiplied."""
    n, a = 1024, np.float32(100)
    x = np.linspace(-9, 9, n).astype(np.float32)
    w = (2.0 ** np.arange(-140, -108, 32 / n)).astype(np.float32)
    with np.errstate(under="ignore"):
        scaled = w * np.float32(1 / n)
        answer = -(scaled * logistic(-x)) * a
    options: dict[str, Any] = {"weight": w, "pos_weight": a}
    allowed = bounds.binary_cross_entropy_grad(
        x, np.ones(n), **options, numerics=Numerics.required("float32"), grade=grade
    )
    wanted = [exact / n for exact in references(GRAD, x, np.ones(n), options)]
    for value, exact, most in zip(answer, wanted, allowed, strict=True):
        assert not exceeds(value, exact, most)
    assert max(abs(allowed)) < max(abs(answer)) / 10


U = 2.0**-12
COARSE = Numerics(unit=U, accumulate=U, store=U, underflow=0.0)


def worst(form: Callable[..., float], exact: float, roundings: int) -> float:
    """The largest error over all signs of all errors, each as large as it may be."""
    signs = product([-U, U], repeat=roundings)
    return max(abs(form(*each) - exact) for each in signs)


@pytest.mark.theorem("thm-binary-loss-error", "thm-binary-gradient-error")
@pytest.mark.parametrize("x", [-30.0, -3.0, -0.1, 0.1, 3.0, 30.0])
@pytest.mark.parametrize("q", [0.0, 0.3, 1.0])
def test_the_worst_come_close_to_their_bounds(x, q):
    """In a coarse arithmetic, in which every operation errs by all that it may."""
    a, z = 5.0, np.exp(-abs(x))

    def loss(exp, log1p, once, twice, add, weigh, store):
        log = np.log1p(z * (1 + 6 * exp)) * (1 + 9 * log1p)
        yes = a * q * (max(-x, 0) + log) * (1 + once) * (1 + twice)
        no = (1 - q) * (max(x, 0) + log) * (1 + once) * (1 + twice)
        return (yes + no) * (1 + add) * (1 + weigh) * (1 + store)

    options: dict[str, Any] = {"pos_weight": a, "numerics": COARSE}
    exact = float(LOSS(x, q, pos_weight=a))
    allowed = bounds.binary_cross_entropy(x, q, reduction="none", **options)
    assert 0.1 < worst(loss, exact, 7) / allowed <= 1

    def merged(exp, log1p, once, twice, add, weigh, store):
        log = np.log1p(z * (1 + 6 * exp)) * (1 + 9 * log1p)
        yes = (1 + (a - 1) * q * (1 + twice)) * (max(-x, 0) + log) * (1 + once)
        no = (1 - q) * x * (1 - twice)
        return (yes + no) * (1 + add) * (1 + weigh) * (1 + store)

    allowed = bounds.binary_cross_entropy(
        x, q, reduction="none", grade="standard", **options
    )
    assert worst(merged, exact, 7) <= allowed

    def slope(exp, add, divide, once, twice, less, store):
        above, below = (z, 1.0) if x < 0 else (1.0, z)
        whole = (1 + z * (1 + 6 * exp)) * (1 + add)
        above, below = (
            each * (1 + 6 * exp) if each is z else each for each in (above, below)
        )
        no = (1 - q) * above / whole * (1 + divide) * (1 + once)
        yes = a * q * below / whole * (1 - divide) * (1 + twice) ** 2
        return (no - yes) * (1 + less) * (1 + store)

    exact = float(GRAD(x, q, pos_weight=a))
    allowed = bounds.binary_cross_entropy_grad(x, q, **options)
    assert worst(slope, exact, 7) <= allowed


@DTYPES
def test_the_naive_forms_exceed_the_bounds(dtype):
    """Where the chapter says that they fail."""
    numerics = Numerics.required(dtype)
    far, no = np.array(-40, dtype), np.array(0, dtype)
    exact = LOSS(far.astype(float), 0)
    merged = far + (-far + np.log1p(np.exp(far)))
    assert abs(merged - exact) > 1000 * bounds.binary_cross_entropy(
        far, no, numerics=numerics
    )
    assert abs(merged - exact) <= bounds.binary_cross_entropy(
        far, no, numerics=numerics, grade="standard"
    )
    with np.errstate(divide="ignore"):
        naive = -np.log(1 - as_written(-far))
    allowed = bounds.binary_cross_entropy(-far, no, numerics=numerics, grade="standard")
    assert abs(naive - 40) > allowed
    slope = as_written(-far) - 1
    error = abs(slope - GRAD(40.0, 1))
    assert error > 1000 * bounds.binary_cross_entropy_grad(-far, 1, numerics=numerics)


@DTYPES
def test_bounds_stay_small(dtype):
    """Relative to the loss, and to the gradient of an answer; away from underflow."""
    x, numerics = np.linspace(-60, 60, 321).astype(dtype), Numerics.required(dtype)
    for q in (np.zeros(321, int), np.ones(321, int), np.full(321, 0.25)):
        for f in (LOSS, GRAD) if q.dtype == int else (LOSS,):
            exact = np.abs(f(x, q, reduction="none").astype(float))
            allowed = bound(f)(x, q, reduction="none", numerics=numerics)
            assert (allowed < 25 * numerics.unit * exact).all()


def test_the_digits_are_kept_at_both_ends():
    for x in (37.0, 100.0, 500.0, 700.0):
        for f, sign in ((LOSS, 1), (GRAD, -1)):
            assert f(x, 1) == pytest.approx(sign * np.exp(-x), rel=1e-15)
            assert f(-x, 0) == pytest.approx(np.exp(-x), rel=1e-15)


# Laws


@BOTH
@DTYPES
def test_yes_and_no_are_mirror_images(f, dtype):
    """Bit for bit."""
    x = scores(dtype)
    q = np.random.default_rng(32).integers(0, 2, x.shape)
    turned = f(-x, 1 - q, reduction="none")
    # Adding 0 makes a -0 of what is too small to store 0.
    wanted = turned if f is LOSS else -turned + 0.0
    assert same_bits(f(x, q, reduction="none") + 0.0, wanted)


@BOTH
@REDUCTIONS
@DTYPES
def test_answers_of_every_dtype_are_the_same(f, reduction, dtype):
    x, q = scores(dtype), answers(dtype)["integers"]
    wanted = f(x, q, reduction=reduction)
    for other in (bool, np.uint8, np.float32, np.float64):
        assert same_bits(f(x, q.astype(other), reduction=reduction), wanted)


@BOTH
@WEIGHTS
@DTYPES
def test_each_answer_for_itself(f, options, dtype):
    """Alone it gives the same bits; and any weight is a weight of each."""
    x, q = scores(dtype), answers(dtype)["shares"]
    whole = f(x, q, **options, reduction="none")
    w = np.broadcast_to(np.asarray(options.get("weight", 1), float), x.shape)
    a = np.broadcast_to(np.asarray(options.get("pos_weight", 1), float), x.shape)
    for i in np.ndindex(x.shape):
        assert same_bits(f(x[i], q[i], weight=w[i], pos_weight=a[i]), whole[i])
    same = f(x, q, weight=w, pos_weight=a[0], reduction="none")
    assert same_bits(same, whole)


@WEIGHTS
@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_every_result_is_rounded_once(options, dtype):
    """Correctly in the short formats, within 5/8 ulp in float64, and decided."""
    x = scores("float64")
    kept = (np.abs(x) < 1e4).all(axis=-1)
    x, q = (y[kept].astype(as_dtype(dtype)) for y in (x, answers("float64")["shares"]))
    options = {k: v[kept] if np.ndim(v) == 2 else v for k, v in options.items()}
    with ctx.workprec(4000):  # some are ties but for the exponential of -1000
        slopes = references(GRAD, x, q, options)
        losses = references(LOSS, x, q, options)
        mean = sum(losses, arb(0)) / x.size
    with count_undecided() as undecided:
        results = [
            (LOSS(x, q, **options, reduction="none"), losses),
            (LOSS(x, q, **options, reduction="sum"), [mean * x.size]),
            (LOSS(x, q, **options), [mean]),
            (GRAD(x, q, **options, reduction="sum"), slopes),
            (GRAD(x, q, **options), [slope / x.size for slope in slopes]),
        ]
    for found, exact in results:
        assert found.dtype == as_dtype(dtype)
        if dtype == "float64":
            assert worst_ulp(found, exact) <= 0.625
        else:
            assert misrounded(found, exact) == []
    assert undecided.count == 0


@DTYPES
def test_the_gradient_is_the_slope(dtype):
    rng = np.random.default_rng(33)
    x, q = rng.standard_normal((4, 5)), rng.random((4, 5))
    options = {"weight": rng.random((4, 5)), "pos_weight": rng.random(5)}
    gradient = GRAD(x, q, **options)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += 1e-6
        down[i] -= 1e-6
        rise = LOSS(up, q, **options) - LOSS(down, q, **options)
        assert gradient[i] == pytest.approx(rise / 2e-6, abs=1e-8)


def test_the_mean_does_not_overflow():
    assert LOSS(np.full(4, 1e308), [0, 0, 0, 0]) == 1e308
    assert LOSS(np.full(4, 1e308), [0, 0, 0, 0], reduction="sum") == INF
    x = np.full(4, 3e38, np.float32)
    assert LOSS(x, [0, 0, 0, 0]) == np.float32(3e38)
    assert LOSS(x, [0, 0, 0, 0], reduction="sum") == INF


# Edges


LIMITS = [
    # x, q, loss, gradient
    (INF, 1, 0.0, 0.0),
    (INF, 0, INF, 1.0),
    (INF, 0.5, INF, 0.5),
    (-INF, 0, 0.0, 0.0),
    (-INF, 1, INF, -1.0),
    (-INF, 0.25, INF, -0.25),
    (INF, 2.0, -INF, -1.0),
    (1e38, 1, 0.0, 0.0),
    (-1e38, 0, 0.0, 0.0),
    (0.0, 1, np.log(2), -0.5),
    (-0.0, 0, np.log(2), 0.5),
    (NAN, 0, NAN, NAN),
    (0.0, NAN, NAN, NAN),
    (INF, NAN, NAN, NAN),
]


@pytest.mark.parametrize(("x", "q", "loss", "slope"), LIMITS)
@DTYPES
def test_the_ends(x, q, loss, slope, dtype):
    """Beside ordinary numbers, so that these are seen to be untouched."""
    line, targets = np.array([1, x, -2], dtype), np.array([0, q, 1.0])
    for f, wanted in ((LOSS, loss), (GRAD, slope)):
        result = f(line, targets, reduction="none")
        assert same_bits(result[1], np.array(wanted, dtype)[()])
        kept = f(line[[0, 2]], targets[[0, 2]], reduction="none")
        assert same_bits(result[[0, 2]], kept)
    for reduction in ("sum", "mean"):
        total = LOSS(line, targets, reduction=reduction)
        assert np.isnan(total) == np.isnan(loss)
        assert np.isinf(total) == np.isinf(loss)


@BOTH
@pytest.mark.parametrize("x", [INF, -INF, 3.0])
@pytest.mark.parametrize("q", [0, 1, 0.5])
def test_no_weight_is_nothing(f, x, q):
    """Also of an infinite loss; 0 and not -0."""
    assert same_bits(f(x, q, weight=0), np.float64(0))
    if q == 1:
        assert same_bits(f(x, q, pos_weight=0), np.float64(0))
    assert np.isnan(f(NAN, q, weight=0))
    assert np.isnan(f(NAN, q, pos_weight=0))
    assert np.isnan(f(x, NAN, weight=0))


@BOTH
@WEIGHTS
@DTYPES
def test_nothing_warns_whatever_comes(f, options, dtype):
    """With warnings as errors everywhere, and NumPy told to raise at everything."""
    x = scores(dtype)
    x[0], x[1] = [INF, -INF, NAN], [np.finfo(dtype).max, 1, 2]
    for q in answers(dtype).values():
        for reduction in ("none", "sum", "mean"):
            with np.errstate(all="raise"):
                f(x, q, **options, reduction=reduction)


@DTYPES
def test_bounds_do_not_warn_and_hold_at_infinity(dtype):
    x = np.array([INF, -INF, 1.0, np.finfo(dtype).max], dtype)
    q = np.array([1, 0, 1, 1])
    for f, grade in product((LOSS, GRAD), ("standard", "hra")):
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            allowed = bound(f)(
                x, q, reduction="none", numerics=Numerics.required(dtype), grade=grade
            )
        assert (allowed[:2] < 1e-3).all()
        assert (np.abs(f(x, q, reduction="none")[:2]) <= allowed[:2]).all()


@DTYPES
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_nothing_at_all(shape, dtype):
    x = np.zeros(shape, dtype)
    assert same_bits(LOSS(x, x), np.array(NAN, dtype)[()])
    assert same_bits(LOSS(x, x, reduction="sum"), np.array(0, dtype)[()])
    assert same_bits(LOSS(x, x, reduction="none"), x)
    for reduction in ("none", "sum", "mean"):
        assert same_bits(GRAD(x, x, reduction=reduction), x)
    assert bounds.binary_cross_entropy(x, x, numerics=Numerics.required(dtype)) < 1e-30


# Arrays


@BOTH
@DTYPES
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 3)])
def test_any_shape(f, dtype, shape):
    rng = np.random.default_rng(34)
    x, q = rng.standard_normal(shape).astype(dtype), rng.random(shape)
    a = np.ones(shape[-1:])
    result = f(x, q, weight=np.ones(shape), pos_weight=a, reduction="none")
    assert result.shape == shape
    assert result.dtype == dtype
    assert same_bits(result, f(x, q, reduction="none"))
    assert type(LOSS(x, q)) is np.dtype(dtype).type


@BOTH
def test_a_number_gives_a_numpy_scalar(f):
    for reduction in ("none", "sum", "mean"):
        assert type(f(0.5, 1, reduction=reduction)) is np.float64
        assert type(f(np.float32(0.5), True, reduction=reduction)) is np.float32
        assert type(f(1, 1, reduction=reduction)) is np.float64


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


@BOTH
@REDUCTIONS
@DTYPES
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_leaves_no_trace(f, reduction, layout, dtype):
    rng = np.random.default_rng(35)
    x = rng.uniform(-40, 40, (17, 19)).astype(dtype)
    q, w, a = rng.integers(0, 2, x.shape), rng.random(x.shape), rng.random(19)
    arrays = (x, q, w, a)
    before = [each.copy() for each in arrays]
    plain = f(x, q, weight=w, pos_weight=a, reduction=reduction)
    x, q, w, a = (layout(each) for each in arrays)
    other = f(x, q, weight=w, pos_weight=a, reduction=reduction)
    assert same_bits(plain, other)
    assert all(same_bits(*pair) for pair in zip(arrays, before, strict=True))


@BOTH
def test_the_logits_decide_the_dtype(f):
    x = np.zeros(2, np.float32)
    options = {"weight": np.ones(2), "pos_weight": 2.0}
    assert f(x, np.ones(2), **options).dtype == np.float32
    assert f(x.astype(float), np.ones(2, np.float32)).dtype == np.float64
    assert same_bits(f([True, False], [1, 0]), f([1.0, 0.0], [1, 0]))


# What is refused


BAD_DTYPES = pytest.mark.parametrize(
    "dtype",
    ["longdouble", "complex128", "object", "str"],
)


@BOTH
@BAD_DTYPES
def test_other_dtypes_are_refused(f, dtype):
    good, bad = np.array([0.5, 1.0]), np.array([0.5, 1.0]).astype(dtype)
    for name, x, q, options in (
        ("logits", bad, good, {}),
        ("targets", good, bad, {}),
        ("weight", good, good, {"weight": bad}),
        ("pos_weight", good, good, {"pos_weight": bad}),
    ):
        with pytest.raises(
            TypeError, match=f"^{name}: expected float16, bfloat16, float32, float64"
        ):
            f(x, q, **options)


@BOTH
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 3), (3, 2)])
def test_targets_and_weights_are_never_broadcast(f, shape):
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"targets: expected the shape of the logits"):
        f(x, np.ones(shape))
    if shape != ():
        with pytest.raises(ValueError, match=r"^weight: expected one number, or the"):
            f(x, x, weight=np.ones(shape))
    if shape not in ((), (3,)):
        with pytest.raises(ValueError, match=r"pos_weight: .* shape \(3,\) for logits"):
            f(x, x, pos_weight=np.ones(shape))


@BOTH
@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8"])
def test_integers_must_be_answers(f, dtype):
    with pytest.raises(ValueError, match=r"targets\[1, 0\] is 2: integers are answers"):
        f(np.zeros((2, 2)), np.array([[0, 1], [2, 3]], dtype))
    with pytest.raises(ValueError, match=r"targets is 7: integers"):
        f(0.0, np.array(7, dtype))
    if dtype != "uint8":
        with pytest.raises(ValueError, match=r"targets\[0\] is -1"):
            f([0.0], np.array([-1], dtype))


@BOTH
@pytest.mark.parametrize("bad", [-1.0, -1e-300, INF, NAN])
def test_weights_are_finite_and_not_negative(f, bad):
    x = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"weight\[1, 0\] is .*: expected finite"):
        f(x, x, weight=[[0, 1], [bad, 1]])
    with pytest.raises(ValueError, match=r"pos_weight\[1\] is .*: expected finite"):
        f(x, x, pos_weight=[1, bad])
    for name in ("weight", "pos_weight"):
        with pytest.raises(ValueError, match=rf"^{name} is .*: expected finite"):
            f(x, x, **{name: bad})


@BOTH
def test_exchanged_arguments_are_seen_where_they_can_be(f):
    with pytest.raises(ValueError, match="the logits come first"):
        f([0, 1, 1], [2.5, -1.0, 0.3])
    f([0, 1, 1], [0.5, 1.0, 0.3])  # may well be meant
    f([0, 2, 1], [2.5, -1.0, 0.3])


@BOTH
def test_an_unknown_reduction_or_grade(f):
    with pytest.raises(ValueError, match="reduction: expected 'none', 'sum' or 'mean'"):
        f(0.0, 1, reduction="batchmean")
    with pytest.raises(ValueError, match="grade: expected"):
        bound(f)(0.0, 1, numerics=Numerics.required("float32"), grade="fast")


@BOTH
def test_masks_and_ragged_lists_are_refused(f):
    masked = np.ma.masked_array([1.0, 0.0], [0, 1])
    for x, q in ((masked, [1, 0]), ([1.0, 0.0], masked)):
        with pytest.raises(TypeError, match="masked array, whose mask would be lost"):
            f(x, q)
    with pytest.raises(ValueError, match="targets: expected a rectangular array"):
        f([1.0, 2.0], [[1.0], [1.0, 2.0]])
