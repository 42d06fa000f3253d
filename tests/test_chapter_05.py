"""Chapter 5, theorem by theorem: exact matrices, enclosures, and an adversary."""

# ruff: noqa: N806 (the symbols of the book)
from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq, fmpq_mat, fmpq_series

from adversary import (
    COARSE,
    NUMERICS,
    Algorithm,
    Arithmetic,
    limits,
    log_norm,
    log_shares,
    mean,
    others,
    rows,
    shares,
    weights,
    without,
    worst,
)
from enclosures import Balls, Row, ball, balls, ratio, softmax, total
from single import F32, ORDER, Program, programs
from sxlit.bounds import Numerics

OFFSETS = np.array([0.75, -2.0, 1.5, 0.0, -0.375])


@pytest.fixture(autouse=True)
def _bits() -> Iterator[None]:
    with ctx.workprec(300):
        yield


# The matrix, for rational probabilities: nothing is rounded


def distributions() -> Iterator[list[fmpq]]:
    """Uniform, any, with a probability near 1, and with tiny ones."""
    rng = np.random.default_rng(5)
    for classes in (1, 2, 3, 6):
        for w in (
            [1] * classes,
            rng.integers(1, 10**9, classes).tolist(),
            [10**20, *([1] * (classes - 1))],
            (rng.integers(1, 10, classes) ** 15).tolist(),
        ):
            yield [fmpq(int(a), int(sum(w))) for a in w]


def jacobian(p: list[fmpq]) -> fmpq_mat:
    """diag(p) - p p^T."""
    return fmpq_mat(
        [[a * ((i == j) - b) for j, b in enumerate(p)] for i, a in enumerate(p)]
    )


def column(values: list[int] | list[fmpq]) -> fmpq_mat:
    return fmpq_mat([[value] for value in values])


@pytest.mark.theorem("thm-softmax-jacobian")
def test_the_entries_are_the_derivatives():
    """The linear coefficient of p_i, as a rational series, when x_j grows by z."""
    for p in distributions():
        J = jacobian(p)
        for j in range(len(p)):
            grown = [
                fmpq_series([w]) * fmpq_series([0, int(k == j)]).exp()
                for k, w in enumerate(p)
            ]
            whole = sum(grown, fmpq_series([0]))
            for i, weight in enumerate(grown):
                assert [*(weight / whole).coeffs(), fmpq(0)][1] == J[i, j]


@pytest.mark.theorem("thm-jacobian-structure")
def test_the_matrix_is_symmetric_singular_and_a_variance():
    """Row sums 0, v' J v the variance of v, and the null space that of the ones."""
    rng = np.random.default_rng(6)
    for p in distributions():
        J, C = jacobian(p), len(p)
        assert J.transpose() == J
        assert J * column([1] * C) == column([0] * C)
        assert J.rank() == C - 1
        for _ in range(5):
            v = rng.integers(-9, 9, C).tolist()
            mu = sum((q * a for q, a in zip(p, v, strict=True)), fmpq(0))
            variance = sum(
                (q * (a - mu) ** 2 for q, a in zip(p, v, strict=True)), fmpq(0)
            )
            assert (column(v).transpose() * J * column(v))[0, 0] == variance >= 0


def has_no_negative_eigenvalue(symmetric: fmpq_mat) -> bool:
    """By Descartes' rule, as all roots are real: the signs of charpoly alternate."""
    coefficients = symmetric.charpoly().coeffs()
    degree = len(coefficients) - 1
    return all((-1) ** (degree - k) * c >= 0 for k, c in enumerate(coefficients))


@pytest.mark.theorem("thm-jacobian-eigenvalues")
def test_the_eigenvalues_lie_where_the_theorem_says():
    """Between 0 and 2 max p (1 - p), which two equal classes reach; and their sum."""
    for p in distributions():
        J, C = jacobian(p), len(p)
        largest = 2 * max(q * (1 - q) for q in p)
        one = fmpq_mat([[fmpq(int(i == j)) for i in range(C)] for j in range(C)])
        assert largest <= fmpq(1, 2)
        assert has_no_negative_eigenvalue(J)
        assert has_no_negative_eigenvalue(largest * one - J)
        trace = sum((J[i, i] for i in range(C)), fmpq(0))
        assert trace == 1 - sum((q * q for q in p), fmpq(0))
        if C == 2:
            assert largest == 2 * p[0] * p[1]
            assert J * column([1, -1]) == largest * column([1, -1])
            assert not has_no_negative_eigenvalue(largest * one * fmpq(99, 100) - J)
    half = jacobian([fmpq(1, 2)] * 2)
    assert half * column([1, -1]) == fmpq(1, 2) * column([1, -1])


@pytest.mark.theorem("cor-softmax-lipschitz")
def test_softmax_moves_half_as_far_as_its_logits_at_most():
    """Rows near and far from each other; near a tie of two it is nearly half."""
    rng, closest = np.random.default_rng(7), arb(0)
    for classes in (2, 3, 10):
        for spread in (1e-6, 1.0, 30.0):
            for base in (np.zeros(classes), 5 * rng.standard_normal(classes)):
                step = spread * rng.standard_normal(classes)
                x, z = base + step, base - step
                far = total((ball(a) - ball(b)) ** 2 for a, b in zip(x, z, strict=True))
                pairs = zip(softmax(x), softmax(z), strict=True)
                moved = total((p - q) ** 2 for p, q in pairs)
                assert moved <= far / 4
                closest = closest.max(moved / far)
    p, q = softmax([1e-6, 0.0]), softmax([-1e-6, 0.0])
    assert (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 < arb(2e-6) ** 2 / 4
    x, z = [1e-6, -1e-6], [-1e-6, 1e-6]
    moved = total((a - b) ** 2 for a, b in zip(softmax(x), softmax(z), strict=True))
    assert moved / (8 * arb(1e-6) ** 2) > 0.2499999


@pytest.mark.theorem("cor-lse-hessian", "thm-lse-convex")
def test_the_second_derivatives_of_log_sum_exp_are_the_matrix():
    """Twice the second coefficient of log-sum-exp along v is v' J v, for all axes."""
    for p in distributions():
        J, C = jacobian(p), len(p)
        for i, j in np.ndindex(C, C):
            v = [int(k == i) + int(k == j) for k in range(C)]
            pairs = zip(p, v, strict=True)
            grown = [fmpq_series([q]) * fmpq_series([0, a]).exp() for q, a in pairs]
            series = sum(grown, fmpq_series([0])).log().coeffs()
            wanted = (column(v).transpose() * J * column(v))[0, 0]
            assert 2 * [*series, *[fmpq(0)] * 3][2] == wanted >= 0


# Errors


@pytest.mark.theorem("lem-growth")
def test_growths_add():
    """In fractions, with e^alpha for the growth, at both ends of both intervals."""
    grown = [1 + Fraction(1, k) for k in (1, 2, 3, 1000)]
    for alpha in grown:
        for beta in grown:
            for a in (alpha, 2 - alpha):
                for b in (beta, 2 - beta):
                    assert abs(a * b - 1) <= alpha * beta - 1


@pytest.mark.theorem("lem-growth", "lem-mean-error")
@pytest.mark.parametrize("classes", [2, 3, 100, 1000])
def test_the_total_growth_at_the_limit_of_the_assumption(classes):
    """Where eq-small holds with equality, for every way to spend the eighth."""
    rng = np.random.default_rng(classes)
    v = rng.standard_normal(classes).tolist()
    for numerics in limits(classes):
        for spread in (0.0, 0.5, 3.0, 100.0):
            row = Row((spread * rng.standard_normal(classes)).tolist(), numerics)
            assert 0.1249 < row.smallness <= arb(1) / 8
            pairs = list(zip(row.p, row.P, strict=True))
            first = total(p * P.exp() for p, P in pairs)
            assert first <= (arb(1) / 4).exp()
            second = total(p * (P + row.rho + row.H).exp() for p, P in pairs)
            assert second <= (arb(5) / 16).exp()
            size = total(map(abs, balls(v)))
            assert row.mean_error(v) <= (1 + size) / 2


@COARSE
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.theorem("lem-complement-error")
def test_an_adversary_stays_within_the_growth_of_complements(numerics, plain):
    """Of the sums of the others, and of the quotients."""

    def sums(a: Arithmetic, row: Row) -> Balls:
        return others(a, weights(a, row), row.top, plain=plain)

    def quotients(a: Arithmetic, row: Row) -> Balls:
        e = weights(a, row)
        s = a.sum(e)
        return [a.divide(o, s) for o in others(a, e, row.top, plain=plain)]

    closest = []
    for row in rows(numerics):
        allowed = [o * V.expm1() for o, V in zip(row.o, row.V, strict=True)]
        of_sums = worst(row, sums, row.o, allowed)
        more = row.S + row.rho
        pairs = zip(row.c, row.V, strict=True)
        allowed = [c * (V + more).expm1() + row.lost / 2 for c, V in pairs]
        of_quotients = worst(row, quotients, row.c, allowed)
        assert of_sums <= 1
        assert of_quotients <= 1
        closest.append(of_sums.min(of_quotients))
    assert max(closest) > 0.4


def outer(a: Arithmetic, row: Row) -> Balls:
    """Off the diagonal."""
    p, size = shares(a, row), range(row.C)
    return [a.store(a.multiply(p[i], -p[j])) for i in size for j in size if i != j]


@COARSE
@pytest.mark.theorem("thm-jacobian-error")
def test_an_adversary_stays_within_the_bounds_off_the_diagonal(numerics):
    """Products of two probabilities."""
    found = []
    for row in rows(numerics):
        places = [(i, j) for i in range(row.C) for j in range(row.C) if i != j]
        exact, bounds = jacobian_of(row), row.softmax_jacobian("hra")
        picked = ([matrix[i][j] for i, j in places] for matrix in (exact, bounds))
        found.append(worst(row, outer, *picked))
    assert all(r <= 1 for r in found)
    assert max(found) > 0.5


@COARSE
@pytest.mark.parametrize(
    ("form", "grade"),
    [
        ("subtraction", "standard"),
        ("plain sum", "hra"),
        ("tail", "hra"),
        ("tail, shared sum", "hra"),
        ("tail, shared sum", "standard"),  # the library's own keeps both
    ],
)
@pytest.mark.theorem("thm-jacobian-error")
def test_an_adversary_stays_within_the_bounds_on_the_diagonal(numerics, form, grade):
    """1 - p by subtraction, or as a sum of the others over the sum of all."""

    def diagonal(a: Arithmetic, row: Row) -> Balls:
        e = weights(a, row)
        if form == "tail, shared sum":
            e[row.top] = arb(1)
            tail = a.sum(without(e, row.top))
            s = a.add(arb(1), tail, 0.0)
        else:
            tail, s = None, a.sum(e)
        p = [a.divide(value, s) for value in e]
        if form == "subtraction":
            c = [a.subtract(arb(1), q, 0.5) for q in p]
        else:
            sums = others(a, e, row.top, plain=form == "plain sum", tail=tail)
            c = [a.divide(o, s) for o in sums]
        return [a.store(a.multiply(q, b)) for q, b in zip(p, c, strict=True)]

    found = []
    for row in rows(numerics):
        matrices = jacobian_of(row), row.softmax_jacobian(grade)
        exact, allowed = ([m[i][i] for i in range(row.C)] for m in matrices)
        found.append(worst(row, diagonal, exact, allowed))
    assert all(r <= 1 for r in found)
    assert max(found) > 0.3


@pytest.mark.theorem("thm-jacobian-error")
def test_a_plain_sum_of_the_others_may_exceed_the_standard_bound():
    """Coarse sums, each with errors of its own: only the hra bound is for them."""
    numerics = NUMERICS["coarse sums"]

    def diagonal(a: Arithmetic, row: Row) -> Balls:
        e = weights(a, row)
        s = a.sum(e)
        sums = others(a, e, row.top, plain=True)
        return [
            a.store(a.multiply(a.divide(w, s), a.divide(o, s)))
            for w, o in zip(e, sums, strict=True)
        ]

    found = {
        grade: max(
            worst(
                row,
                diagonal,
                *(
                    [m[i][i] for i in range(row.C)]
                    for m in (jacobian_of(row), row.softmax_jacobian(grade))
                ),
            )
            for row in rows(numerics)
        )
        for grade in ("standard", "hra")
    }
    assert found["hra"] <= 1 < found["standard"]


def jacobian_of(row: Row) -> list[Balls]:
    matrix = [[-p * q for q in row.p] for p in row.p]
    for i, (p, c) in enumerate(zip(row.p, row.c, strict=True)):
        matrix[i][i] = p * c
    return matrix


@COARSE
@pytest.mark.theorem("lem-mean-error")
def test_an_adversary_stays_within_the_bound_of_a_mean(numerics):
    """With 5 losses a class to spare, as the lemma promises."""
    found = []
    for row in rows(numerics):
        v = balls(OFFSETS[: row.C])

        def average(a: Arithmetic, row: Row, v: Balls = v) -> Balls:
            return [mean(a, shares(a, row), v)]

        allowed = row.mean_error(v) - 5 * row.C * row.lost
        found.append(worst(row, average, [row.mean(v)], [allowed]))
    assert all(r <= 1 for r in found)
    assert max(found) > 0.1


Product = Callable[[Arithmetic, Row, Balls], Balls]


def adversary_against(
    row: Row, product: Product, v: Balls, exact: Balls, allowed: Balls
) -> arb:
    return worst(row, lambda a, row: product(a, row, v), exact, allowed)


def directions(row: Row) -> Iterator[Balls]:
    """Of both signs, of one, large, and all equal, where the exact products vanish."""
    yield balls(OFFSETS[: row.C])
    yield balls(1000 * (OFFSETS[: row.C] + 3))
    yield [arb(1)] * row.C


@COARSE
@pytest.mark.theorem("thm-softmax-product-error")
def test_an_adversary_stays_within_the_bound_of_softmax_products(numerics):
    """p (v - mu), also where v is the same everywhere and the product 0."""

    def product(a: Arithmetic, row: Row, v: Balls) -> Balls:
        p = shares(a, row)
        mu = mean(a, p, v)
        pairs = zip(p, v, strict=True)
        return [a.store(a.multiply(q, a.subtract(w, mu))) for q, w in pairs]

    found = []
    for row in rows(numerics):
        for v in directions(row):
            mu = row.mean(v)
            exact = [p * (w - mu) for p, w in zip(row.p, v, strict=True)]
            found.append(adversary_against(row, product, v, exact, row.softmax_vjp(v)))
    assert all(r <= 1 for r in found)
    assert max(found) > 0.5


FACTORS = pytest.mark.parametrize(
    ("through", "grade"),
    [("quotient", "standard"), ("quotient", "hra"), ("logarithm", "standard")],
)


def factors(a: Arithmetic, row: Row, through: str) -> Balls:
    """p as a quotient, or from its logarithm."""
    if through == "quotient":
        return shares(a, row)
    return [a.exp(log_p) for log_p in log_shares(a, row, "standard")]


@COARSE
@FACTORS
@pytest.mark.theorem("thm-product-errors")
def test_an_adversary_stays_within_the_bounds_of_directional_derivatives(
    numerics, through, grade
):
    """v - mu and mu: the first and the third of the products."""

    def differences(a: Arithmetic, row: Row, v: Balls) -> Balls:
        mu = mean(a, factors(a, row, through), v)
        return [a.store(a.subtract(w, mu)) for w in v]

    def slope(a: Arithmetic, row: Row, v: Balls) -> Balls:
        return [a.store(mean(a, shares(a, row), v))]

    first, third = [], []
    for row in rows(numerics):
        for v in directions(row):
            mu = row.mean(v)
            exact, allowed = [w - mu for w in v], row.log_softmax_jvp(v, grade)
            first.append(adversary_against(row, differences, v, exact, allowed))
            allowed = [row.logsumexp_jvp(v)]
            third.append(adversary_against(row, slope, v, [mu], allowed))
    assert all(r <= 1 for r in first + third)
    assert min(max(first), max(third)) > 0.5


@pytest.mark.theorem("thm-product-errors")
def test_only_the_standard_grade_admits_a_share_from_its_logarithm():
    """Far classes, whose gap and logarithm are rounded one after the other."""
    row = Row([0.0, -60.0], Numerics(2.0**-20, 2.0**-20, 2.0**-20, 0.0))
    v = balls([0.0, 1.0])

    def difference(a: Arithmetic, row: Row) -> Balls:
        return [a.store(a.subtract(v[0], mean(a, factors(a, row, "logarithm"), v)))]

    found = {
        grade: worst(row, difference, [-row.mean(v)], row.log_softmax_jvp(v, grade)[:1])
        for grade in ("standard", "hra")
    }
    assert found["standard"] <= 1 < found["hra"]


@COARSE
@FACTORS
@pytest.mark.theorem("thm-product-errors")
def test_an_adversary_stays_within_the_bounds_of_gradients(numerics, through, grade):
    """g - p sum(g) and g p; p from its logarithm in the standard grade only."""

    def gradient(a: Arithmetic, row: Row, g: Balls) -> Balls:
        p = factors(a, row, through)
        whole = a.sum_of_any(g)
        pairs = zip(p, g, strict=True)
        return [a.store(a.subtract(w, a.multiply(q, whole))) for q, w in pairs]

    def scaled(a: Arithmetic, row: Row, g: Balls) -> Balls:
        return [a.store(a.multiply(g[0], q)) for q in shares(a, row)]

    second, fourth = [], []
    for row in rows(numerics):
        for g in directions(row):
            exact = [w - p * total(g) for p, w in zip(row.p, g, strict=True)]
            allowed = row.log_softmax_vjp(g, grade)
            second.append(adversary_against(row, gradient, g, exact, allowed))
            exact, allowed = [g[0] * p for p in row.p], row.logsumexp_vjp(g[0])
            fourth.append(adversary_against(row, scaled, g, exact, allowed))
    assert all(r <= 1 for r in second + fourth)
    assert min(max(second), max(fourth)) > 0.5


def complements(program: Program, row: Row, *, plain: bool) -> np.ndarray:
    e, keep = program.weight, program.keep
    if plain:
        return np.array([program.sum(np.delete(e, i)) for i in range(row.C)], F32)
    sums = keep(F32(1) + keep(program.tail - e))
    sums[0] = program.tail
    return sums


@ORDER
@pytest.mark.theorem("lem-complement-error", "thm-jacobian-error")
def test_float32_matrices_stay_within_the_bounds(order):
    """Complements as sums, as tails and by subtraction, in every entry."""
    found = []
    for row, program in programs(order, most=10):
        p, keep = program.shares(), program.keep
        with np.errstate(under="ignore"):
            for plain in (False, True):
                o = complements(program, row, plain=plain)
                if row.C > 1:
                    allowed = [a * V.expm1() for a, V in zip(row.o, row.V, strict=True)]
                    assert ratio(o, row.o, allowed) <= 1
                for grade, c in (("hra", keep(o / program.s)), ("standard", 1 - p)):
                    matrix = -keep(p[:, None] * p)
                    np.fill_diagonal(matrix, keep(p * c))
                    exact, allowed = jacobian_of(row), row.softmax_jacobian(grade)
                    for part in zip(matrix, exact, allowed, strict=True):
                        found.append(ratio(*part))
    assert all(r <= 1 for r in found)
    assert max(found) > 0.3


@ORDER
@pytest.mark.theorem(
    "lem-mean-error", "thm-softmax-product-error", "thm-product-errors"
)
def test_float32_products_stay_within_the_bounds(order):
    """The six products and the mean in them, with vectors of both signs."""
    found = []
    for row, program in programs(order, most=40):
        v = np.random.default_rng(row.C).standard_normal(row.C).astype(F32)
        w, p, keep = balls(v), program.shares(), program.keep
        with np.errstate(under="ignore"):
            mu, exact = program.mean(p, v), row.mean(w)
            allowed = row.mean_error(w) - 5 * row.C * row.lost
            assert abs(ball(mu) - exact) <= allowed
            found.append(ratio([mu], [exact], [row.logsumexp_jvp(w)]))
            wanted = [a - exact for a in w]
            found.append(ratio(keep(v - mu), wanted, row.log_softmax_jvp(w, "hra")))
            own = program.mean(program.exp(program.log_shares("standard")), v)
            allowed = row.log_softmax_jvp(w, "standard")
            found.append(ratio(keep(v - own), wanted, allowed))
            wanted = [q * a for q, a in zip(row.p, wanted, strict=True)]
            found.append(ratio(keep(p * keep(v - mu)), wanted, row.softmax_vjp(w)))
            wanted = [q * w[0] for q in row.p]
            found.append(ratio(keep(p * v[0]), wanted, row.logsumexp_vjp(w[0])))
            whole = program.sum(v)
            wanted = [a - q * total(w) for q, a in zip(row.p, w, strict=True)]
            for grade, q in (
                ("hra", p),
                ("standard", p),
                ("standard", program.exp(program.log_shares("standard"))),
            ):
                result = keep(v - keep(q * whole))
                found.append(ratio(result, wanted, row.log_softmax_vjp(w, grade)))
    assert all(r <= 1 for r in found)
    assert max(found) > 0.3


def seven_tenths(row: Row, v: Balls) -> Iterator[tuple[Algorithm, Balls, Balls]]:
    """Of every kind of result: an algorithm, what it should give, what it may miss."""
    size, mu, whole = range(row.C), row.mean(v), total(v)

    def norm(a: Arithmetic, row: Row, grade: str) -> arb:
        return log_norm(a, weights(a, row), row.top, grade)

    def with_mean(a: Arithmetic, row: Row) -> tuple[Balls, arb]:
        p = shares(a, row)
        return p, mean(a, p, v)

    yield (
        lambda a, row: [a.store(p) for p in shares(a, row)],
        row.p,
        row.softmax(),
    )
    for grade in ("standard", "hra"):
        yield (
            lambda a, row, grade=grade: [a.store(a.add(row.m, norm(a, row, grade)))],
            [row.m + row.L],
            [row.logsumexp(grade)],
        )
        yield (
            lambda a, row, grade=grade: log_shares(a, row, grade),
            row.log_p,
            row.log_softmax(grade),
        )
    yield (
        lambda a, row: [
            a.store(a.multiply(p, a.subtract(arb(1), p, 0.5))) for p in shares(a, row)
        ],
        [p * c for p, c in zip(row.p, row.c, strict=True)],
        [row.softmax_jacobian("standard")[i][i] for i in size],
    )
    yield (
        lambda a, row: [
            a.store(a.multiply(p, a.subtract(w, m)))
            for ps, m in [with_mean(a, row)]
            for p, w in zip(ps, v, strict=True)
        ],
        [p * (w - mu) for p, w in zip(row.p, v, strict=True)],
        row.softmax_vjp(v),
    )
    yield (
        lambda a, row: [a.store(a.subtract(w, with_mean(a, row)[1])) for w in v[:1]],
        [v[0] - mu],
        row.log_softmax_jvp(v, "hra")[:1],
    )
    yield (
        lambda a, row: [
            a.store(a.subtract(w, a.multiply(p, g)))
            for g in [a.sum_of_any(v)]
            for p, w in zip(shares(a, row), v, strict=True)
        ],
        [w - p * whole for p, w in zip(row.p, v, strict=True)],
        row.log_softmax_vjp(v, "hra"),
    )
    yield (
        lambda a, row: [a.store(a.multiply(v[0], p)) for p in shares(a, row)],
        [v[0] * p for p in row.p],
        row.logsumexp_vjp(v[0]),
    )


@pytest.mark.theorem("lem-evaluation", "lem-evaluation-rest")
def test_seven_tenths_of_the_losses_suffice_where_roundings_are_fine():
    """An adversary, at rows whose results are little more than what underflow takes."""
    fine = Numerics(2.0**-30, 2.0**-30, 2.0**-30, underflow=2.0**-60)
    closest = []
    for x in ([0.0, -50.0], [-60.0, 0.0, -45.0], [-41.5, -42.0, 0.0, -90.0]):
        row = Row(x, fine, part=0.7)
        assert row.smallness < 1e-5
        for scale in (2.0**-60, 1.0):
            v = balls(scale * OFFSETS[: row.C])
            found = [worst(row, *question) for question in seven_tenths(row, v)]
            assert all(r <= 1 for r in found), found
            closest += found
    assert max(closest) > 0.9
