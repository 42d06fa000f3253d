"""The bounds of chapters 8 and 9, written from the page, against hostile programs.

An adversary errs by all that the numerics allow, and float32 programs sum in any order;
both in every form that the theorems admit.
"""

# ruff: noqa: N806 (the symbols of the book)
from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pytest
from flint import arb, ctx

import sxlit
from adversary import (
    COARSE,
    GRADES,
    Arithmetic,
    log_shares,
    mean,
    others,
    rows,
    weights,
    without,
    worst,
)
from enclosures import Balls, Row, ball, balls, total
from single import F32, PUSHES, Program
from sxlit.bounds import Numerics
from test_loss import exact_answer


@pytest.fixture(autouse=True)
def _bits() -> Iterator[None]:
    with ctx.workprec(300):
        yield


# The theorems, as they stand on the page


def beta(row: Row) -> arb:
    return 6 * row.rho + row.rho_s


def label_loss(row: Row, y: int, grade: str, w: arb | None, eta: arb) -> arb:
    E, size = row.log_softmax(grade)[y], -row.log_p[y]
    allowed = E + (row.rho_s + eta).expm1() * (E + size)
    return allowed if w is None else w * allowed + 4 * row.lost


def weights_loss(row: Row, z: Balls, eta: arb, grade: str) -> arb:
    E = row.log_softmax(grade)
    B = total(a * b for a, b in zip(z, E, strict=True))
    T = total(-a * b for a, b in zip(z, row.log_p, strict=True))
    grown = (row.H + row.rho + row.rho_s + eta).expm1()
    return B + grown * (T + B) + 4 * row.C * row.lost


def label_gradient(row: Row, y: int, grade: str, w: arb, eta: arb) -> Balls:
    F, more = row.F(grade), beta(row) + eta
    bounds = [p * (f + more).expm1() for p, f in zip(row.p, F, strict=True)]
    if grade == "standard":
        D = bounds[y]
        bounds[y] = D + more.expm1() * (row.c[y] + D)
    elif row.C > 1:
        bounds[y] = row.c[y] * (row.V[y] + row.S + more).expm1()
    else:
        bounds[y] = arb(0)
    return [w * bound + 8 * row.lost * w.max(arb(1)) for bound in bounds]


def weights_gradient(row: Row, q: Balls, z: Balls, eta: arb, grade: str) -> Balls:
    F, more, bounds = row.F(grade), beta(row), []
    for j in range(row.C):
        g = total(q) * row.p[j] - q[j]
        if grade == "standard":
            W, sizes = total(q), total(z)
            G = z[j] * (5 * row.rho + eta).expm1()
        else:
            W, sizes, G = total(without(q, j)), total(without(z, j)), arb(0)
            if row.C > 1:
                own = row.V[j] + row.S + 3 * row.rho + eta
                G = z[j] * row.c[j] * own.expm1()
        eps = (row.H + 2 * row.rho + eta).expm1() * sizes
        D = row.p[j] * (F[j] + 2 * row.rho).expm1() * (abs(W) + eps)
        D += row.p[j] * eps + G
        lost = 8 * row.lost * (row.C + total(z))
        bounds.append(D + more.expm1() * (abs(g) + D) + lost)
    return bounds


def curvature(row: Row, v: Balls, grade: str) -> Balls:
    F, gamma = row.F(grade), 8 * row.rho + row.rho_s
    a = [f + 2 * row.rho + row.H for f in F]
    mu, relative = row.mean(v), [w - v[row.top] for w in v]

    def spread(values: Balls) -> arb:
        triples = zip(row.p, a, values, strict=True)
        return total(p * A.expm1() * abs(w) for p, A, w in triples)

    bounds = []
    for i in range(row.C):
        D = row.rho.expm1() * abs(relative[i]) + spread(relative)
        grown = row.p[i] * (F[i] + gamma).expm1()
        allowed = grown * (abs(v[i] - mu) + D) + row.p[i] * D
        if grade == "standard":
            apart = grown * abs(v[i]) + row.p[i] * total(
                p * (F[i] + gamma + A).expm1() * abs(w)
                for p, A, w in zip(row.p, a, v, strict=True)
            )
            allowed = allowed.max(apart)
        bounds.append(allowed + 16 * row.lost * spreads(row, v, grade)[i])
    return bounds


def spreads(row: Row, v: Balls, grade: str) -> Balls:
    """U_i."""
    each = [abs(w - v[row.top]) for w in v]
    if grade == "standard":
        each = [a + abs(w) for a, w in zip(each, v, strict=True)]
    return [row.C + size + total(each) for size in each]


def hessian(row: Row, r: Balls, v: Balls, scale: arb, grade: str) -> Balls:
    """For weights as they are, one or C of them."""
    W, D, many = total(r), abs(scale), len(r) > 1
    eps = (many * (row.H + row.rho)).expm1() * total(map(abs, r))
    sigma, chi = 3 * len(r) * many * row.lost, arb(1).max(1 / D)
    mu, bounds = row.mean(v), []
    pairs = zip(curvature(row, v, grade), spreads(row, v, grade), strict=True)
    for i, (B, U) in enumerate(pairs):
        h = row.p[i] * abs(v[i] - mu)
        X = (abs(W) + eps) * B + eps * h
        Y = sigma * (h + B) + 12 * row.lost * (abs(W) + eps + sigma).max(arb(1)) * U
        bounds.append(X / D + chi * Y + 4 * row.lost)
    return bounds


def test_the_library_has_these_bounds():
    """With and without class weights and smoothing, but for the last rounding."""
    f32 = Numerics.required("float32")
    x = [[0.5, -1.0, 9.0, 1.75], [0.0, 0.0, -30.0, 2.0]]
    q = [[0.25, 0.5, 0.0, 0.25], [1.5, -0.5, 2.0, 0.0]]
    v = [[1.0, -2.0, 0.5, 3.0], [4.0, 4.5, 4.0, 5.0]]
    w = balls([0.5, 2.0, 1.0, 1.5])
    for grade, n in product(("standard", "hra"), (0, 1)):
        row = Row(x[n], f32)
        eta = 8 * row.rho

        def asked(name, target, *more, n=n, grade=grade, **options):
            f = getattr(sxlit.bounds, name)
            return np.ravel(
                f(
                    [x[n]],
                    [target],
                    *more,
                    numerics=f32,
                    grade=grade,
                    reduction="none",
                    **options,
                )
            )

        plain, none = balls(q[n]), arb(0)
        around = [abs(value) for value in plain]
        gradient = weights_gradient(row, plain, around, none, grade)
        pairs = [
            (asked("cross_entropy", 1), [label_loss(row, 1, grade, None, none)]),
            (
                asked("cross_entropy", 1, weight=[0.5, 2, 1, 1.5]),
                [label_loss(row, 1, grade, w[1], eta)],
            ),
            (asked("cross_entropy", q[n]), [weights_loss(row, around, none, grade)]),
            (
                asked("cross_entropy_grad", 2),
                [a + 4 * row.lost for a in label_gradient(row, 2, grade, arb(1), none)],
            ),
            (
                asked("cross_entropy_grad", 3, weight=[0.5, 2, 1, 1.5]),
                [a + 4 * row.lost for a in label_gradient(row, 3, grade, w[3], eta)],
            ),
            (asked("cross_entropy_grad", q[n]), [a + 4 * row.lost for a in gradient]),
            (
                asked("cross_entropy_hvp", 0, [v[n]]),
                hessian(row, [arb(1)], balls(v[n]), arb(1), grade),
            ),
            (
                asked("cross_entropy_hvp", q[n], [v[n]]),
                hessian(row, plain, balls(v[n]), arb(1), grade),
            ),
        ]
        for found, page in pairs:
            for a, b in zip(found, page, strict=True):
                assert abs(ball(float(a)) / b - 1) < 2.0**-30


# An adversary

SCALES = ["none", "reciprocal", "divide first", "reciprocal first"]
SCALE = arb(3) + arb(1) / 7
TARGETS = [
    [0.25, 0.5, 0.0, 0.25, 0.0],
    [0.0, 0.0, 3.0, 1.0, 2.0],
    [1.0, -1.0, 0.5, -0.5, 0.25],
    [-0.75, 1.0, 0.0, 0.0, 0.0],
]


def state(a: Arithmetic, row: Row, through: str) -> tuple[Balls, Balls]:
    """Probabilities and complements, by logarithms or quotients and the tail."""
    if through == "logarithm":
        return [a.exp(log_p) for log_p in log_shares(a, row, "standard")], []
    e = weights(a, row)
    e[row.top] = arb(1)
    tail = a.sum(without(e, row.top))
    s = a.add(arb(1), tail, 0.0)
    sums = others(a, e, row.top, plain=through == "plain sum", tail=tail)
    return [a.divide(w, s) for w in e], [a.divide(o, s) for o in sums]


def difference(a: Arithmetic, left: arb, right: arb, scale: str) -> arb:
    """left - right over the scale, in one of the orders; stored, times the scale."""
    if scale.endswith("first"):
        if scale.startswith("divide"):
            left, right = (
                value if value.is_zero() else a.divide(value, SCALE)
                for value in (left, right)
            )
        else:
            inverse = a.erring(1 / SCALE, a.numerics.unit, 0.0)
            left, right = (
                value if value.is_zero() else a.multiply(value, inverse)
                for value in (left, right)
            )
        found = left - right  # nothing to round where one of them is 0
        if not (left.is_zero() or right.is_zero()):
            found = a.subtract(left, right)
        return a.store(found) * SCALE
    found = left - right
    if not (left.is_zero() or right.is_zero()):
        found = a.subtract(left, right)
    if scale == "divide":
        found = a.divide(found, SCALE)
    elif scale == "reciprocal":
        inverse = a.erring(1 / SCALE, a.numerics.unit, 0.0)
        found = a.multiply(found, inverse)
    return a.store(found) * (1 if scale == "none" else SCALE)


TINY = arb(2) ** -250  # so that no error and no bound are not 0 / 0


def with_scale(bounds: Balls, row: Row) -> Balls:
    """Plus what thm-reduced-gradient-error allows the scaling to lose."""
    return [bound + 4 * row.lost * SCALE + TINY for bound in bounds]


@COARSE
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    ("form", "grade"),
    [
        ("quotient, difference", "standard"),
        ("logarithm, difference", "standard"),
        ("quotient, tail", "standard"),
        ("quotient, tail", "hra"),
        ("quotient, plain sum", "hra"),
    ],
)
@pytest.mark.parametrize("weight", [None, 7.25])
@pytest.mark.theorem("thm-gradient-error", "lem-factor")
def test_an_adversary_against_the_gradient_of_a_label(
    numerics, scale, form, grade, weight
):
    found = []
    through, own = form.split(", ")
    through = own if own == "plain sum" else through
    for row in rows(numerics):
        w = arb(1) if weight is None else arb(weight)
        eta = arb(0) if weight is None else 2 * row.rho
        for y in range(row.C):

            def gradient(a: Arithmetic, row: Row, y: int = y, w: arb = w) -> Balls:
                p, c = state(a, row, through)
                used = w if weight is None else a.erring(w, numerics.unit, 0.0)

                def times(value: arb) -> arb:
                    return value if weight is None else a.multiply(value, used)

                out = []
                for j in range(row.C):
                    if j != y:
                        out.append(difference(a, times(p[j]), arb(0), scale))
                    elif own == "difference":
                        out.append(difference(a, times(p[j]), used, scale))
                    else:
                        out.append(difference(a, arb(0), times(c[j]), scale))
                return out

            exact = [w * (p - (j == y)) for j, p in enumerate(row.p)]
            allowed = with_scale(label_gradient(row, y, grade, w, eta), row)
            found.append(worst(row, gradient, exact, allowed))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.3


FORMS = [
    ("total, quotient", "standard", SCALES),
    ("total, logarithm", "standard", SCALES),
    ("others, quotient", "standard", SCALES[:2]),  # there the scale comes last
    ("others, quotient", "hra", SCALES[:2]),
    ("others, plain sum", "hra", SCALES[:2]),
]


@COARSE
@pytest.mark.parametrize(
    ("form", "grade", "scale"),
    [(form, grade, scale) for form, grade, scales in FORMS for scale in scales],
)
@pytest.mark.theorem("thm-gradient-error", "lem-others-weights")
def test_an_adversary_against_the_gradient_of_weights(numerics, form, grade, scale):
    found = []
    claims, through = form.split(", ")
    for row, target in product(rows(numerics), TARGETS):
        q = balls(target[: row.C])

        def gradient(a: Arithmetic, row: Row, q: Balls = q) -> Balls:
            p, c = state(a, row, through)
            if claims == "total":
                W = a.sum_of_any(q)
                pairs = zip(p, q, strict=True)
                return [difference(a, a.multiply(b, W), r, scale) for b, r in pairs]
            top = max(range(row.C), key=lambda k: float(abs(q[k])))
            whole = a.sum_of_any([arb(0) if k == top else r for k, r in enumerate(q)])
            R = [
                whole if k == top else a.add(q[top], a.subtract(whole, r))
                for k, r in enumerate(q)
            ]
            return [
                difference(a, a.multiply(p[j], R[j]), a.multiply(q[j], c[j]), scale)
                for j in range(row.C)
            ]

        exact = [total(q) * p - r for p, r in zip(row.p, q, strict=True)]
        around = [abs(r) for r in q]
        allowed = weights_gradient(row, q, around, arb(0), grade)
        found.append(worst(row, gradient, exact, with_scale(allowed, row)))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.2


OFFSETS = [0.75, -2.0, 1.5, 0.0, -0.375]


def test_neither_grade_is_everywhere_the_wider_one():
    """At a label without probability a plain sum of the others meets hra alone."""
    row = Row([20.0, 19.0, 18.0, 20.0, -30.0], Numerics.required("float32"))
    one, none = arb(1), arb(0)
    standard, high = (
        label_gradient(row, 4, grade, one, none)[4] for grade in ("standard", "hra")
    )
    assert 4 * standard < high

    def summed(a: Arithmetic, row: Row) -> Balls:
        e = weights(a, row)
        return [a.store(a.divide(a.sum(without(e, 4)), a.sum(e)))]

    assert (
        worst(row, summed, [row.c[4]], [standard])
        > 1
        > worst(row, summed, [row.c[4]], [high])
    )


@COARSE
@pytest.mark.parametrize(
    ("form", "grade"),
    [
        ("relative, quotient", "hra"),
        ("relative, quotient", "standard"),
        ("relative, logarithm", "standard"),
        ("centred, quotient", "standard"),
        ("apart, quotient", "standard"),
        ("apart, logarithm", "standard"),
    ],
)
@pytest.mark.theorem("thm-curvature-error")
def test_an_adversary_against_the_curvature(numerics, form, grade):
    found = []
    shape, through = form.split(", ")
    directions = (OFFSETS, [1000 * (value + 3) for value in OFFSETS], [1.0] * 5)
    for row, direction in product(rows(numerics), directions):
        v = balls(direction[: row.C])

        def products(a: Arithmetic, row: Row, v: Balls = v) -> Balls:
            p, _ = state(a, row, through)
            used = v
            if shape == "relative":
                used = [
                    arb(0) if k == row.top else a.subtract(w, v[row.top])
                    for k, w in enumerate(v)
                ]
            mu = mean(a, p, used)
            out = []
            for b, w in zip(p, used, strict=True):
                if shape == "apart":
                    value = a.subtract(a.multiply(b, w), a.multiply(b, mu))
                else:
                    value = a.multiply(b, a.subtract(w, mu))
                value = a.multiply(a.multiply(value, arb(1)), arb(1))
                out.append(a.store(value))
            return out

        mu = row.mean(v)
        exact = [p * (w - mu) for p, w in zip(row.p, v, strict=True)]
        allowed = [bound + TINY for bound in curvature(row, v, grade)]
        found.append(worst(row, products, exact, allowed))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.2


ORDERS = [
    # shape, where the total is multiplied in, where the scale
    ("relative, quotient", "hra", "share", "result"),
    ("relative, quotient", "hra", "direction", "share"),
    ("relative, quotient", "hra", "share", "weights"),
    ("centred, quotient", "standard", "share", "share"),
    ("centred, quotient", "standard", "direction", "direction"),
    ("centred, logarithm", "standard", "result", "weights"),
    ("apart, quotient", "standard", "share", "direction"),
    ("apart, logarithm", "standard", "direction", "weights"),
]


def in_order(
    a: Arithmetic,
    row: Row,
    q: Balls,
    v: Balls,
    scale: arb,
    order: tuple[str, str, str],
) -> Balls:
    """The Hessian's product, with the total and 1 / D where the order says."""
    form, *places = order
    shape, through = form.split(", ")
    p, _ = state(a, row, through)
    inverse = a.divide(arb(1), scale)
    if "weights" in places:
        q = [a.multiply(weight, inverse) for weight in q]
    common = list(zip((a.sum_of_any(q), inverse), places, strict=True))

    def times(value: arb, here: str) -> arb:
        for factor, place in common:
            value = a.multiply(value, factor) if place == here else value
        return value

    if shape == "relative":
        top = v[row.top]
        v = [arb(0) if k == row.top else a.subtract(w, top) for k, w in enumerate(v)]
    scaled = [times(b, "share") for b in p]
    along = [times(w, "direction") for w in v]
    if shape == "apart":
        pull = [a.multiply(b, w) for b, w in zip(scaled, along, strict=True)]
        whole = a.sum_of_any(pull)
        pairs = zip(pull, p, strict=True)
        found = [a.subtract(w, a.multiply(b, whole)) for w, b in pairs]
    else:
        mu = mean(a, p, along)
        pairs = zip(scaled, along, strict=True)
        found = [a.multiply(b, a.subtract(w, mu)) for b, w in pairs]
    return [a.store(times(value, "result")) for value in found]


@COARSE
@pytest.mark.parametrize(("form", "grade", "total_at", "scale_at"), ORDERS)
@pytest.mark.theorem("thm-hvp-error")
def test_an_adversary_against_the_order_of_factors(
    numerics, form, grade, total_at, scale_at
):
    found, order = [], (form, total_at, scale_at)
    directions = (OFFSETS, [1000 * (value + 3) for value in OFFSETS])
    sizes_and_scales = [(2.0**-30, 1.0), (1.0, 2.0**8), (2.0**8, 2.0**-5)]
    for row, direction, (size, scale) in product(
        rows(numerics), directions, sizes_and_scales
    ):
        v = balls(direction[: row.C])
        q = balls(size * value for value in TARGETS[2][: row.C])
        mu = row.mean(v)
        pairs = zip(row.p, v, strict=True)
        exact = [total(q) * p * (w - mu) / scale for p, w in pairs]
        allowed = [bound + TINY for bound in hessian(row, q, v, arb(scale), grade)]

        def products(
            a: Arithmetic, row: Row, q: Balls = q, v: Balls = v, by: float = scale
        ) -> Balls:
            return in_order(a, row, q, v, arb(by), order)

        found.append(worst(row, products, exact, allowed))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.05


@COARSE
@pytest.mark.parametrize("scale", [2.0**-5, 3.0, 2.0**10])
@pytest.mark.theorem("thm-reduced-gradient-error")
def test_an_adversary_who_scales_before_the_weights(numerics, scale):
    """Soft targets over D before they are summed; a label's weight after all else."""
    found, D, grade, heavy = [], arb(scale), "standard", arb(300)
    for row, target in product(rows(numerics), TARGETS):
        q = balls(target[: row.C])

        def of_weights(a: Arithmetic, row: Row, q: Balls = q) -> Balls:
            p, _ = state(a, row, "quotient")
            inverse = a.divide(arb(1), D)
            r = [a.multiply(value, inverse) for value in q]
            W = a.sum_of_any(r)
            pairs = zip(p, r, strict=True)
            return [a.store(a.subtract(a.multiply(b, W), c)) for b, c in pairs]

        def of_a_label(a: Arithmetic, row: Row) -> Balls:
            p, _ = state(a, row, "quotient")
            inverse = a.divide(arb(1), D)
            scaled = [a.multiply(b, inverse) for b in p]
            scaled[0] = a.subtract(scaled[0], inverse)
            return [a.store(a.multiply(value, heavy)) for value in scaled]

        exact = [(total(q) * p - r) / D for p, r in zip(row.p, q, strict=True)]
        bounds = weights_gradient(row, q, [abs(r) for r in q], arb(0), grade)
        allowed = [
            bound / D + 5 * row.lost * (1 + row.C * p * (f + 2 * row.rho).exp()) + TINY
            for bound, p, f in zip(bounds, row.p, row.F(grade), strict=True)
        ]
        found.append(worst(row, of_weights, exact, allowed))

        exact = [heavy * (p - (j == 0)) / D for j, p in enumerate(row.p)]
        bounds = label_gradient(row, 0, grade, heavy, 8 * row.rho)
        allowed = [bound / D + 5 * row.lost * heavy + TINY for bound in bounds]
        found.append(worst(row, of_a_label, exact, allowed))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.2


@COARSE
@GRADES
@pytest.mark.theorem("thm-loss-error")
def test_an_adversary_against_the_loss(numerics, grade):
    found = []
    for row in rows(numerics):
        d_and_w = 2 * row.rho

        def surprises(a: Arithmetic, row: Row) -> Balls:
            return [-log_p for log_p in log_shares(a, row, grade)]

        def labels(a: Arithmetic, row: Row) -> Balls:
            return [a.store(value) for value in surprises(a, row)]

        def weighted(a: Arithmetic, row: Row) -> Balls:
            w = a.erring(arb(7.25), numerics.unit, 0.0)
            return [a.store(a.multiply(w, value)) for value in surprises(a, row)]

        size = range(row.C)
        exact = [-value for value in row.log_p]
        allowed = [label_loss(row, y, grade, None, arb(0)) for y in size]
        found.append(worst(row, labels, exact, allowed))
        exact = [-7.25 * value for value in row.log_p]
        allowed = [label_loss(row, y, grade, arb(7.25), d_and_w) for y in size]
        found.append(worst(row, weighted, exact, allowed))
        for target in TARGETS:
            q = balls(target[: row.C])

            def of_weights(a: Arithmetic, row: Row, q: Balls = q) -> Balls:
                s = surprises(a, row)
                return [a.store(mean(a, s, q))]

            exact = [total(-a * b for a, b in zip(q, row.log_p, strict=True))]
            allowed = [weights_loss(row, [abs(r) for r in q], arb(0), grade) + TINY]
            found.append(worst(row, of_weights, exact, allowed))
    assert all(r <= 1 for r in found), max(found)
    assert max(found) > 0.5


# Programs in float32


def effective(y_or_q: np.ndarray, w: np.ndarray, e: float) -> np.ndarray:
    """w ((1 - e) q + e / C), every operation rounded to float32."""
    share = F32(F32(e) / F32(w.size))
    return w * ((F32(1) - F32(e)) * y_or_q.astype(F32) + share)


class Batch32:
    """Rows of one program each, and what frameworks do with them."""

    def __init__(
        self, x: np.ndarray, targets: np.ndarray, order: str, push: np.ndarray
    ) -> None:
        self.x, self.order, self.push = x, order, push
        self.programs = [Program(row, order, push, flush=False) for row in x]
        self.C = x.shape[1]
        self.labels = targets.ndim == 1
        self.q = np.eye(self.C, dtype=F32)[targets] if self.labels else targets

    def add(self, terms: np.ndarray) -> F32:
        return self.programs[0].sum(np.asarray(terms, F32).ravel())

    def denominator(self, w: np.ndarray | None, reduction: str) -> F32:
        if reduction != "mean":
            return F32(1)
        if w is None:
            return F32(len(self.x))
        return self.add(w * self.q)

    def loss(
        self, w: np.ndarray | None, e: float, reduction: str, form: str, grade: str
    ) -> F32:
        s = np.array([-program.log_shares(grade) for program in self.programs])
        D = self.denominator(w, reduction)
        plain = w is None and e == 0
        used = np.ones(self.C, F32) if w is None else w
        r = self.q if plain else effective(self.q, used, e)
        inverse = F32(1) / D
        if form == "by row":
            return self.add([self.add(a) for a in r * s]) / D
        if form == "at once":
            return self.add(r * s) * inverse
        if form == "divided first":
            return self.add((r / D) * s)
        own, every = self.add(used * self.q * s) / D, self.add(used * s) / D
        share = F32(F32(e) / F32(self.C))
        return (F32(1) - F32(e)) * own + share * every

    def probabilities(self, grade: str, through: str) -> np.ndarray:
        if through == "logarithm":
            return np.array([p.exp(p.log_shares(grade)) for p in self.programs])
        return np.array([p.shares() for p in self.programs])

    def gradient(
        self, w: np.ndarray | None, e: float, reduction: str, form: str, grade: str
    ) -> np.ndarray:
        D = self.denominator(w, reduction)
        used = np.ones(self.C, F32) if w is None else w
        r = self.q if w is None and e == 0 else effective(self.q, used, e)
        if form == "others":
            return (
                np.array(
                    [
                        self.row_by_others(a, b)
                        for a, b in zip(self.programs, r, strict=True)
                    ]
                )
                / D
            )
        p = self.probabilities(grade, form.split(", ")[1])
        if form.startswith("first"):
            r = r * (F32(1) / D)
            return p * np.array([[self.add(a)] for a in r]) - r
        return (p * np.array([[self.add(a)] for a in r]) - r) / D

    def row_by_others(self, program: Program, r: np.ndarray) -> np.ndarray:
        top = np.abs(r).argmax()
        rest = r.copy()
        rest[top] = 0
        whole = program.sum(rest)
        R = r[top] + (whole - r)
        R[top] = whole
        s = F32(1) + program.tail
        c = F32(1) + (program.tail - program.weight)
        c[0] = program.tail
        return program.weight / s * R - r * (c / s)

    def product(
        self,
        w: np.ndarray | None,
        e: float,
        reduction: str,
        form: str,
        grade: str,
        v: np.ndarray,
    ) -> np.ndarray:
        D = self.denominator(w, reduction)
        used = np.ones(self.C, F32) if w is None else w
        r = self.q if w is None and e == 0 else effective(self.q, used, e)
        W = np.array([[self.add(a)] for a in r])
        shape, through = form.split(", ")
        p = self.probabilities(grade, through)
        if shape == "relative":
            v = v - v[:, :1]  # the largest logit comes first
            mu = np.array([[self.add(a)] for a in p * v])
            return W * (p * (v - mu)) / D
        pull = p * (v * W / D)
        return pull - p * np.array([[self.add(a)] for a in pull])


def option_pairs(classes: int) -> Iterator[tuple[np.ndarray | None, float, str]]:
    rng = np.random.default_rng(classes)
    some = (rng.random(classes) + 0.1).astype(F32)
    few = np.where(np.arange(classes) % 2, F32(0), some * F32(1e4))
    large = (10.0 ** rng.uniform(-6, 6, classes)).astype(F32)
    yield from product(
        (None, some, few, large), (0.0, 0.125, 0.5, 1.0), ("sum", "mean")
    )


def batches(classes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The largest logit first; labels, soft labels, and weights of any sign."""
    rng = np.random.default_rng(20 + classes)
    n = 3
    for spread, gap in ((1, 0), (3, 12), (0, 0), (40, 0), (1e-39, 0)):
        x = spread * rng.standard_normal((n, classes)).astype(F32)
        x = -np.sort(-x.astype(F32), axis=1)
        x[:, 0] += F32(gap)
        yield x, rng.integers(0, classes, n)
        yield x, np.zeros(n, int)
        yield x, sxlit.softmax(rng.standard_normal((n, classes)).astype(F32))
        signed = rng.standard_normal((n, classes)) + 0.5
        yield x, signed.astype(F32)


def every_form(name: str, labels: bool) -> Sequence[tuple[str, str]]:
    if name == "cross_entropy":
        forms = [("by row", g) for g in ("standard", "hra")]
        forms += [("at once", g) for g in ("standard", "hra")]
        return [*forms, ("apart", "standard"), ("divided first", "standard")]
    if name == "cross_entropy_grad":
        shapes = [("others", "hra"), ("others", "standard")]
        return [*shapes, *_standard("first", "last")]
    return [("relative, quotient", "hra"), *_standard("relative", "apart")]


def _standard(*shapes: str) -> list[tuple[str, str]]:
    return [
        (f"{a}, {b}", "standard") for a in shapes for b in ("quotient", "logarithm")
    ]


@pytest.mark.parametrize("order", ["serial", "ascending", "pairwise"])
@pytest.mark.parametrize(
    "name", ["cross_entropy", "cross_entropy_grad", "cross_entropy_hvp"]
)
@pytest.mark.parametrize("classes", [2, 7])
@pytest.mark.theorem(
    "lem-effective-weights",
    "thm-reduced-loss-error",
    "thm-reduced-gradient-error",
    "thm-hvp-error",
)
def test_float32_programs_stay_within_the_bounds_under_every_option(
    order, name, classes
):
    f32 = Numerics.required("float32")
    rng = np.random.default_rng(classes)
    worst_of = 0.0
    for k, (x, targets) in enumerate(batches(classes)):
        v = rng.standard_normal(x.shape).astype(F32)
        extra = (v,) if name == "cross_entropy_hvp" else ()
        for w, e, reduction in option_pairs(classes):
            options = {"weight": w, "label_smoothing": e, "reduction": reduction}
            if np.isnan(sxlit.cross_entropy(x, targets, **options)):
                continue  # the mean of nothing
            exact = exact_answer(name, x, targets, v, **options)
            allowed = {
                grade: getattr(sxlit.bounds, name)(
                    x, targets, *extra, **options, numerics=f32, grade=grade
                )
                for grade in ("standard", "hra")
            }
            push = PUSHES[k % len(PUSHES)](classes)
            batch = Batch32(x, targets, order, push)
            for form, grade in every_form(name, targets.ndim == 1):
                with np.errstate(all="ignore"):
                    arguments = (w, e, reduction, form, grade)
                    if name == "cross_entropy":
                        answer = batch.loss(*arguments)
                    elif name == "cross_entropy_grad":
                        answer = batch.gradient(*arguments)
                    else:
                        answer = batch.product(*arguments, v)
                for a, b, c in zip(
                    np.ravel(answer), exact, np.ravel(allowed[grade]), strict=True
                ):
                    error, bound = abs(ball(float(a)) - b), ball(float(c))
                    assert error <= bound, (form, grade, options, x, targets)
                    if bound > 0:
                        worst_of = max(worst_of, float(error / bound))
    assert worst_of > 0.05
