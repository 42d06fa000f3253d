"""Softmax regression: its certificate against exact optima, its step, its manners."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from sameness import same_bits
from sxlit.linear_model import (
    SoftmaxRegression,
    _gradient,
    _newton,
    _rounding,
    _solve,
)

NEEDS_EXACT = 300  # bits


@pytest.fixture(autouse=True)
def precision():
    before, ctx.prec = ctx.prec, NEEDS_EXACT
    yield
    ctx.prec = before


class Problem:
    """A small problem in ball arithmetic: objective, gradient, Hessian, optimum."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, l2: float) -> None:
        self.features, self.labels, self.l2 = features, labels, l2
        centred = features - features.mean(axis=0)
        self.A = np.column_stack([centred, np.ones(len(features))])
        self.a = balls(self.A)
        self.classes = int(labels.max()) + 1
        self.shape = (self.A.shape[1], self.classes)

    def probabilities(self, theta: arb_mat, a: arb_mat | None = None) -> list[list]:
        logits = ((self.a if a is None else a) * theta).table()
        weights = [[x.exp() for x in row] for row in logits]
        return [[w / sum(row) for w in row] for row in weights]

    def value(self, theta: arb_mat) -> arb:
        p = self.probabilities(theta)
        losses = [-row[y].log() for row, y in zip(p, self.labels, strict=True)]
        return sum(losses) / len(losses) + arb(self.l2) / 2 * square(theta)

    def gradient(self, theta: arb_mat) -> arb_mat:
        p = self.probabilities(theta)
        for row, y in zip(p, self.labels, strict=True):
            row[y] -= 1
        slope = arb_mat(p) / arb(len(p))
        return self.a.transpose() * slope + theta * arb(self.l2)

    def product(self, theta: arb_mat, v: arb_mat) -> arb_mat:
        moved = (self.a * v).table()
        rows = []
        for p, w in zip(self.probabilities(theta), moved, strict=True):
            mean = sum(x * y for x, y in zip(p, w, strict=True))
            rows.append([x * (y - mean) for x, y in zip(p, w, strict=True)])
        return self.a.transpose() * arb_mat(rows) / arb(len(rows)) + v * arb(self.l2)

    def optimum(self, start: np.ndarray | None = None) -> arb_mat:
        """Newton's method; what is left of the gradient proves how near it is."""
        k, c = self.shape
        theta = balls(np.zeros(self.shape) if start is None else start)
        for _ in range(60):
            g = self.gradient(theta)
            columns = []
            for i in range(k * c):
                unit = np.zeros(k * c)
                unit[i] = 1.0
                image = self.product(theta, balls(unit.reshape(k, c)))
                columns.append([image[j // c, j % c] for j in range(k * c)])
            hessian = arb_mat(columns)  # symmetric
            flat = arb_mat([[g[j // c, j % c]] for j in range(k * c)])
            v = hessian.solve(flat).mid()
            step = arb_mat([[v[i * c + j, 0] for j in range(c)] for i in range(k)])
            s = 1 if norm(step) < 1 else 1 / (1 + norm(step))
            theta = (theta - step * arb(s)).mid()
            if norm(step) < arb(2) ** -120:
                break
        assert norm(self.gradient(theta)) < arb(2) ** -200
        return theta


def balls(array: np.ndarray) -> arb_mat:
    return arb_mat([[arb(float(x)) for x in row] for row in array])


def square(matrix: arb_mat) -> arb:
    return sum((x * x for x in matrix.entries()), arb(0))


def norm(matrix: arb_mat) -> arb:
    total = square(matrix)  # where it may be 0, what it is at most
    return (total if total > 0 else total.abs_upper()).sqrt()


def inner(one: arb_mat, other: arb_mat) -> arb:
    pairs = zip(one.entries(), other.entries(), strict=True)
    return sum((x * y for x, y in pairs), arb(0))


def weights(model: SoftmaxRegression) -> np.ndarray:
    return np.vstack([model.coef_.T, model.intercept_])


def problem(seed: int = 0, l2: float = 0.125, scale: float = 1.0) -> Problem:
    rng = np.random.default_rng(seed)
    features = scale * rng.integers(-8, 9, (8, 2)) / 4  # whose mean is exact
    return Problem(features, np.array([0, 1, 2, 0, 1, 2, 1, 1]), l2)


PROBLEMS = pytest.mark.parametrize("case", [problem(), problem(1, 2.0**-10, 4.0)])


def fit(case: Problem, **options: Any) -> SoftmaxRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        model = SoftmaxRegression(l2=case.l2, **options)
        return model.fit(case.features, case.labels)


# The theorems


@PROBLEMS
@pytest.mark.theorem("thm-regression-certificate")
def test_the_gradient_certifies_any_weights(case: Problem) -> None:
    best = case.optimum()
    assert norm(best - case.optimum(np.full(case.shape, 0.25))) < arb(2) ** -150
    rng = np.random.default_rng(2)
    for size in (1e-9, 1e-3, 1.0, 30.0):
        theta = best.mid() + balls(size * rng.standard_normal(case.shape))
        assert norm(theta - best) <= norm(case.gradient(theta)) / arb(case.l2)


@pytest.mark.theorem("thm-regression-certificate")
@pytest.mark.parametrize("l2", [1.0, 0.25, 1e-3])
def test_a_problem_that_can_be_solved_by_hand(l2: float) -> None:
    """Rows 1 and -1 with labels 1 and 0: weights (-w, w), where 1/(1+e^2w) = l2 w."""
    model = SoftmaxRegression(l2=l2, tol=1e-9).fit([[1], [-1]], [1, 0])
    w, off = arb(float(model.coef_[1, 0])), arb(model.distance_)
    assert model.distance_ <= 1e-9

    def excess(w: arb) -> arb:
        return 1 / (1 + (2 * w).exp()) - arb(l2) * w

    assert excess(w - off) > 0
    assert excess(w + off) < 0
    assert abs(model.intercept_).max() <= model.distance_


@PROBLEMS
@pytest.mark.theorem("thm-regression-certificate", "thm-computed-certificate")
@pytest.mark.parametrize("max_iter", [0, 1, 3, 100])
def test_a_fitted_model_says_how_far_it_is(case: Problem, max_iter: int) -> None:
    model = fit(case, max_iter=max_iter, tol=1e-8)
    assert norm(balls(weights(model)) - case.optimum()) <= arb(model.distance_)
    assert (model.distance_ <= 1e-8) == (max_iter == 100)


@pytest.mark.theorem("thm-computed-certificate")
@pytest.mark.parametrize("scale", [1.0, 1e6, 1e-6])
@pytest.mark.parametrize("size", [0.0, 1.0, 300.0])
def test_the_rounding_of_the_gradient_is_bounded(scale: float, size: float) -> None:
    rng = np.random.default_rng(5)
    features = scale * rng.standard_normal((40, 3)) * [1, 1e-3, 1e3]
    case = Problem(features, rng.integers(0, 4, 40), 0.01)
    theta = size * rng.standard_normal((4, 4))
    computed = _gradient(case.A, case.labels, theta, case.l2)
    allowed = _rounding(case.A, case.labels, theta, case.l2, computed)
    error = norm(balls(computed) - case.gradient(balls(theta)))
    assert error <= arb(allowed)


def test_the_bound_of_the_rounding_is_no_excuse() -> None:
    rng = np.random.default_rng(6)
    case = Problem(rng.standard_normal((500, 20)), rng.integers(0, 5, 500), 0.01)
    theta = rng.standard_normal((21, 5))
    computed = _gradient(case.A, case.labels, theta, case.l2)
    allowed = _rounding(case.A, case.labels, theta, case.l2, computed)
    assert allowed < 1e-10 * np.linalg.norm(computed)


@PROBLEMS
@pytest.mark.theorem("cor-certified-probabilities")
def test_probabilities_are_certified(case: Problem) -> None:
    best = case.optimum()
    rng = np.random.default_rng(3)
    rows = balls(np.column_stack([10 * rng.standard_normal((20, 2)), np.ones(20)]))
    for size in (1e-6, 0.1, 3.0):
        theta = best + balls(size * rng.standard_normal(case.shape))
        far = norm(case.gradient(theta)) / (2 * arb(case.l2))
        ours, exact = (arb_mat(case.probabilities(t, rows)) for t in (theta, best))
        for i in range(20):
            off = sum((ours[i, j] - exact[i, j]) ** 2 for j in range(3)).sqrt()
            length = sum(rows[i, j] ** 2 for j in range(3)).sqrt()
            assert off <= length * far


@PROBLEMS
@pytest.mark.theorem("cor-class-sums")
def test_the_classes_sum_to_zero(case: Problem) -> None:
    best, model = case.optimum(), fit(case)
    for row in best.table():
        assert abs(sum(row)) < arb(2) ** -150
    sums = weights(model).sum(axis=1)
    assert np.linalg.norm(sums) <= np.sqrt(3) * model.distance_ + 1e-14


@PROBLEMS
@pytest.mark.theorem("thm-safe-step")
def test_a_safe_step_is_below_its_bound(case: Problem) -> None:
    rng = np.random.default_rng(4)
    for size in (1e-3, 1.0, 20.0):
        theta = balls(rng.standard_normal(case.shape))
        v = balls(size * rng.standard_normal(case.shape))
        if inner(case.gradient(theta), v) > 0:
            v = -v
        start, beta = case.value(theta), -inner(case.gradient(theta), v)
        chi = inner(v, case.product(theta, v))
        moved = (case.a * v).table()
        spread = max((max(row) - min(row) for row in moved), key=float)

        def bound(s: arb, start=start, beta=beta, chi=chi, spread=spread) -> arb:
            grown = (spread * s).exp() - 1 - spread * s
            return start - beta * s + chi * grown / spread**2

        best = (1 + spread * beta / chi).log() / spread
        for part in (0.01, 0.5, 1.0, 2.0, 10.0):
            s = best * arb(part)
            assert case.value(theta + v * s) <= bound(s)
            assert part == 1.0 or bound(best) < bound(s)
        assert bound(best) < start


@pytest.mark.theorem("thm-safe-step")
def test_a_step_that_moves_no_logits_apart() -> None:
    case = problem()
    theta = balls(np.arange(9.0).reshape(3, 3))
    v = balls(-np.ones((3, 3)))  # the same for all classes: only the penalty changes
    start, beta = case.value(theta), -inner(case.gradient(theta), v)
    chi = inner(v, case.product(theta, v))
    assert beta > 0
    for s in (0.5, 1.0, 4.0):
        ahead = start - beta * s + chi * arb(s) ** 2 / 2
        assert case.value(theta + v * arb(s)) <= ahead + arb(2) ** -250


@PROBLEMS
@pytest.mark.theorem("thm-safe-step")
def test_every_step_lowers_the_objective(case: Problem) -> None:
    theta = np.full(case.shape, 3.0)
    value = case.value(balls(theta))
    for _ in range(6):
        gradient = _gradient(case.A, case.labels, theta, case.l2)
        theta = theta + _newton(case.A, case.labels, theta, case.l2, gradient)
        before, value = value, case.value(balls(theta))
        assert value < before


def test_conjugate_gradients_end_with_the_dimension() -> None:
    rng = np.random.default_rng(8)
    root = rng.standard_normal((12, 12))
    matrix, b = root @ root.T + np.eye(12), rng.standard_normal(12)
    products = []
    x = _solve(lambda v: products.append(1) or matrix @ v, b, 0.0)
    assert np.linalg.norm(matrix @ x - b) < 1e-8
    assert len(products) == 12
    assert not _solve(lambda v: matrix @ v, b, 1e9).any()


# Invariances: both fits are near the one optimum, by what they say themselves


def rows_in_another_order(case: Problem) -> SoftmaxRegression:
    order = np.random.default_rng(0).permutation(len(case.labels))
    return fit(Problem(case.features[order], case.labels[order], case.l2))


def every_row_twice(case: Problem) -> SoftmaxRegression:
    doubled = np.tile(case.features, (2, 1)), np.tile(case.labels, 2)
    return fit(Problem(*doubled, case.l2))


def features_turned(case: Problem) -> SoftmaxRegression:
    model = fit(Problem(case.features[:, ::-1] * [1, -1], case.labels, case.l2))
    model.coef_ = model.coef_[:, ::-1] * [-1, 1]
    return model


def classes_renamed(case: Problem) -> SoftmaxRegression:
    names = np.array(["c", "a", "b"])[case.labels]
    model = SoftmaxRegression(l2=case.l2).fit(case.features, names)
    assert model.classes_.tolist() == ["a", "b", "c"]
    back = [2, 0, 1]
    model.coef_, model.intercept_ = model.coef_[back], model.intercept_[back]
    return model


@PROBLEMS
@pytest.mark.parametrize(
    "changed",
    [rows_in_another_order, every_row_twice, features_turned, classes_renamed],
)
def test_the_optimum_does_not_move(
    case: Problem, changed: Callable[[Problem], SoftmaxRegression]
) -> None:
    one, other = fit(case), changed(case)
    apart = np.linalg.norm(weights(one) - weights(other))
    assert apart <= one.distance_ + other.distance_
    assert max(one.distance_, other.distance_) <= 1e-6


def test_the_same_input_gives_the_same_bits() -> None:
    case = problem(1, 2.0**-10, 4.0)
    features = np.asfortranarray(case.features)
    features.flags.writeable = False
    one, other = fit(case), SoftmaxRegression(l2=case.l2).fit(features, case.labels)
    assert same_bits(weights(one), weights(other))
    narrow = SoftmaxRegression(l2=case.l2).fit(features.astype(np.float32), case.labels)
    assert same_bits(weights(one), weights(narrow))
    assert weights(narrow).dtype == narrow.predict_proba(features).dtype == np.float64


# The door


@pytest.mark.parametrize(
    "labels",
    [
        [False, True, True],
        [-5, 7, 7],
        [0.5, 1.5, 1.5],
        ["no", "yes", "yes"],
        np.array(["no", "yes", "yes"], object),
        [
            datetime.date(2026, 1, 1),
            datetime.date(2026, 2, 1),
            datetime.date(2026, 2, 1),
        ],
        np.array(["2026-01", "2026-02", "2026-02"], "datetime64[M]"),
    ],
    ids=lambda labels: str(np.asarray(labels).dtype),
)
def test_labels_of_any_kind(labels: Any) -> None:
    model = SoftmaxRegression().fit([[0], [1], [2]], labels)
    predicted = model.predict([[-3], [5]])
    assert predicted.tolist() == np.asarray(labels)[:2].tolist()
    assert predicted.dtype == np.asarray(labels).dtype
    assert np.allclose(model.predict_proba([[0.3], [9.0]]).sum(axis=1), 1)


def test_without_features_the_classes_keep_their_shares() -> None:
    model = SoftmaxRegression(l2=1e-6).fit(np.empty((4, 0)), [0, 1, 1, 1])
    assert np.allclose(model.predict_proba(np.empty((1, 0))), [[0.25, 0.75]], atol=1e-5)


def test_no_rows_to_predict() -> None:
    model = SoftmaxRegression().fit([[0], [1]], ["a", "b"])
    assert model.predict(np.empty((0, 1))).shape == (0,)
    assert model.predict_proba(np.empty((0, 1))).shape == (0, 2)


FEATURES = np.array([[0.0], [1.0]])


@pytest.mark.parametrize(
    ("features", "labels", "error", "words"),
    [
        ([0.0, 1.0], [0, 1], ValueError, r"a table.*shape \(2,\).*x\[None\]"),
        (np.zeros((2, 8, 8)), [0, 1], ValueError, r"reshape\(len\(x\), -1\)"),
        ([[0], [np.nan]], [0, 1], ValueError, "got nan in row 1, column 0"),
        ([[np.inf], [0]], [0, 1], ValueError, "got inf in row 0, column 0"),
        ([["a"], ["b"]], [0, 1], TypeError, "features: expected float16"),
        (np.longdouble([[0], [1]]), [0, 1], TypeError, "astype"),
        (np.ma.array(FEATURES), [0, 1], TypeError, "masked"),
        (FEATURES, [0], ValueError, r"one for each of the 2 rows.*shape \(1,\)"),
        (FEATURES, np.eye(2), ValueError, r"argmax\(axis=1\)"),
        (FEATURES, [[0], [1]], ValueError, r"shape \(2, 1\); for a column.*np\.ravel"),
        (FEATURES, [1, 1], ValueError, r"two classes or more, got \[1\]"),
        (np.empty((0, 1)), [], ValueError, r"two classes or more, got \[\]"),
        (FEATURES, [0.0, np.nan], ValueError, "row 1 has none"),
        (FEATURES, np.array(["a", np.nan], object), ValueError, "row 1 has none"),
        (FEATURES, np.array(["2026", "NaT"], "M8[Y]"), ValueError, "row 1 .*NaT"),
        (FEATURES, np.array([0, "a"], object), TypeError, "of one kind"),
        (FEATURES, ["a", np.nan], TypeError, "one kind, got strings and nan"),
        (FEATURES * 1e200, [0, 1], ValueError, "too large.*scale"),
    ],
)
def test_bad_input_is_told(
    features: Any, labels: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        SoftmaxRegression().fit(features, labels)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"l2": 0.0}, "l2: expected a positive number, got 0.0"),
        ({"l2": np.nan}, "l2: expected a positive number"),
        ({"tol": -1.0}, "tol: expected a positive number"),
        ({"max_iter": -1}, "max_iter: expected 0 or more"),
    ],
)
def test_bad_options_are_told(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SoftmaxRegression(**options)
    model = SoftmaxRegression()
    vars(model).update(options)  # also if they come later
    with pytest.raises(ValueError, match=words):
        model.fit(FEATURES, [0, 1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"l2": "1"}, "l2: expected a number, got str"),
        ({"l2": FEATURES}, "l2: .* got ndarray; features and labels go to fit"),
        ({"tol": None}, "tol: expected a number, got NoneType"),
        ({"max_iter": 1e2}, "max_iter: expected an integer, got float"),
    ],
)
def test_options_of_another_kind_are_told(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        SoftmaxRegression(**options)


def test_a_narrow_option_is_the_same_number() -> None:
    """In float32 the certified distance could be rounded down."""
    l2 = np.float32(0.1)
    one, other = (fit(problem(l2=kind)) for kind in (l2, float(l2)))
    assert one.distance_ == other.distance_
    assert type(one.distance_) is float
    assert same_bits(weights(one), weights(other))


def test_use_before_and_against_the_fit_is_told() -> None:
    model = SoftmaxRegression()
    with pytest.raises(RuntimeError, match=r"not fitted; call fit\(features, labels\)"):
        model.predict(FEATURES)
    model.fit(FEATURES, [0, 1])
    with pytest.raises(ValueError, match="fitted on 1 columns, got 2"):
        model.predict_proba([[1.0, 2.0]])
    with pytest.raises(ValueError, match="got nan in row 0"):
        model.predict([[np.nan]])
    with pytest.raises(ValueError, match="row 1 is so large that its logits overflow"):
        model.predict_proba([[1.0], [1.7e308]])


def test_a_model_that_has_not_converged_warns() -> None:
    case = problem()
    with pytest.warns(RuntimeWarning, match="after 1 steps.*raise max_iter"):
        SoftmaxRegression(max_iter=1).fit(case.features, case.labels)
    with pytest.warns(RuntimeWarning, match="rounding allows no better.*scale"):
        SoftmaxRegression(tol=1e-30).fit(case.features, case.labels)
