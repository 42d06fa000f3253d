"""The oracle against formulas that share no step with it; its edges; its cache."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb

from sxlit_conformance import oracle
from sxlit_conformance.model import Array, Reference

INF, NAN = math.inf, math.nan


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXLIT_ORACLE_CACHE", str(tmp_path / "cache"))


def ask(operation: str, *arrays: Any, **options: Any) -> Reference:
    names = ("logits", "targets", "v") if operation in oracle.LOSSES else ("x", "g")
    given = {name: np.asarray(a) for name, a in zip(names, arrays, strict=False)}
    if "weight" in options:
        given["weight"] = np.asarray(options.pop("weight"), np.float64)
    return oracle.compute(operation, given, options)


# ------------------------------------------------- other formulas, other precision

ROWS = {
    "moderate": [0.5, -1.25, 3.0, 0.0, 2.75],
    "gap": [20.0, 0.0, 0.0],
    "steep": [0.0, -745.0, -30.0, 1.0],
    "tied": [1e30, 1e30, 1e30],
    "cancelling": [-1.0986122886681098] * 3,
    "one": [7.0],
}
COTANGENTS = [1.0, -2.0, 0.5, 4.0, 0.25]


def shares(row: list[float]) -> list[arb]:
    """1 / sum_j exp(x_j - x_i): no maximum, no common denominator."""
    x = [arb(v) for v in row]
    return [1 / sum(((b - a).exp() for b in x), arb(0)) for a in x]


def log_sum(row: list[float]) -> arb:
    """Two at a time: a + log(1 + exp(b - a))."""
    x = [arb(v) for v in row]
    total = x[0]
    for v in x[1:]:
        total = total + (1 + (v - total).exp()).log()
    return total


def by_jacobian(row: list[float], g: list[float]) -> list[arb]:
    """sum_j p_i (delta_ij - p_j) g_j, the matrix written out."""
    p = shares(row)
    return [
        sum((p[i] * ((i == j) - p[j]) * g[j] for j in range(len(p))), arb(0))
        for i in range(len(p))
    ]


def agree(found: Reference, other: list[arb]) -> None:
    for hi, lo, value in zip(found.hi.flat, found.lo.flat, other, strict=True):
        difference = arb(float(hi)) + arb(float(lo)) - value
        size = arb(float(np.abs(hi))) * arb(2) ** -104 + arb(2) ** -1074
        assert bool(difference.abs_upper() <= size.abs_upper()), (hi, lo, value)


@pytest.mark.parametrize("name", ROWS)
def test_two_formulas_that_share_no_step_agree(name: str) -> None:
    row = ROWS[name]
    x, n = [row], len(row)
    g = COTANGENTS[:n]
    with flint.ctx.workprec(2500):
        p, lse = shares(row), log_sum(row)
        agree(ask("softmax", x), p)
        agree(ask("logsumexp", x), [lse])
        agree(ask("log_softmax", x), [arb(v) - lse for v in row])
        agree(ask("softmax_vjp", x, [g]), by_jacobian(row, g))
        agree(
            ask("log_softmax_vjp", x, [g]),
            [w - q * sum(g) for w, q in zip(g, p, strict=True)],
        )
        agree(ask("logsumexp_vjp", x, [3.0]), [3 * q for q in p])
        for label in range(n):
            y = np.arange(n) == label
            agree(ask("cross_entropy", x, [label]), [lse - arb(row[label])])
            agree(
                ask("cross_entropy_grad", x, [label]),
                [q - int(at) for q, at in zip(p, y, strict=True)],
            )
        dot = sum((arb(w) * arb(v) for w, v in zip(g, row, strict=True)), arb(0))
        agree(ask("cross_entropy", x, [g]), [lse * sum(g) - dot])
        agree(
            ask("cross_entropy_grad", x, [g]),
            [q * sum(g) - w for w, q in zip(g, p, strict=True)],
        )


@pytest.mark.parametrize("name", ROWS)
def test_forward_derivatives_by_the_written_matrix(name: str) -> None:
    row = ROWS[name]
    x, n = [row], len(row)
    v = COTANGENTS[:n]
    with flint.ctx.workprec(2500):
        p = shares(row)
        mean = sum((a * b for a, b in zip(p, v, strict=True)), arb(0))
        agree(ask("softmax_jvp", x, [v]), by_jacobian(row, v))
        agree(ask("log_softmax_jvp", x, [v]), [w - mean for w in v])
        agree(ask("logsumexp_jvp", x, [v]), [mean])


NUMBERS = [0.0, 0.5, -1.25, 20.0, -20.0, 500.0, -500.0, 1e-300]


def test_sigmoids_by_the_hyperbolic_tangent() -> None:
    """sigmoid(x) = (1 + tanh(x / 2)) / 2 cancels, so it takes many bits."""
    factors = [1.0, -2.0, 0.5, 4.0, 0.25, 3.0, 1.0, -1.0]
    with flint.ctx.workprec(5000):
        halves = [(arb(v) / 2).tanh() for v in NUMBERS]
        agree(ask("sigmoid", NUMBERS), [(1 + t) / 2 for t in halves])
        agree(ask("log_sigmoid", NUMBERS), [((1 + t) / 2).log() for t in halves])
        slopes = [(1 - t * t) / 4 for t in halves]
        others = [(1 - t) / 2 for t in halves]
        for way in ("vjp", "jvp"):
            agree(
                ask(f"sigmoid_{way}", NUMBERS, factors),
                [a * b for a, b in zip(slopes, factors, strict=True)],
            )
            agree(
                ask(f"log_sigmoid_{way}", NUMBERS, factors),
                [a * b for a, b in zip(others, factors, strict=True)],
            )


def test_sigmoids_at_their_edges() -> None:
    edges, there = [INF, -INF, NAN, 1e308], [2.0, 2.0, 2.0, 0.0]
    assert ask("sigmoid", edges).hi.tolist()[:2] == [1, 0]
    assert ask("log_sigmoid", edges).hi.tolist()[:2] == [0, -INF]
    for name in ("sigmoid", "log_sigmoid"):
        assert np.isnan(ask(name, edges).hi).tolist() == [False, False, True, False]
    assert ask("sigmoid_vjp", edges, there).hi.tolist()[:2] == [0, 0]
    assert ask("log_sigmoid_vjp", edges, there).hi.tolist()[:2] == [0, 2]
    infinite = ask("sigmoid_jvp", [0.0, INF, NAN], [INF, INF, 1.0]).hi
    assert infinite[0] == INF
    assert np.isnan(infinite[1:]).all()
    assert ask("sigmoid", 0.0).hi.shape == ()
    assert ask("sigmoid", np.zeros((0, 3))).hi.shape == (0, 3)
    with pytest.raises(ValueError, match="shape"):
        ask("sigmoid_vjp", [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="axis"):
        ask("sigmoid", [1.0], axis=-1)


def test_entropy_and_divergence_of_fractions() -> None:
    """As one logarithm of a product of powers: no sum, no term."""
    p = [[Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)]]
    q = [[Fraction(5, 8), Fraction(1, 8), Fraction(1, 4)]]
    given = [[float(v) for v in row] for row in p]
    other = [[float(v) for v in row] for row in q]
    with flint.ctx.workprec(2500):
        powers = ball(Fraction(1))
        ratio = ball(Fraction(1))
        for a, b in zip(p[0], q[0], strict=True):
            powers *= ball(a) ** int(8 * a)
            ratio *= ball(a / b) ** int(8 * a)
        agree(ask("entropy", given), [-powers.log() / 8])
        agree(divergence(given, other), [ratio.log() / 8])
    assert ask("entropy", [[0.0, 1.0], [NAN, 2.0]]).hi[0] == 0
    assert np.isnan(ask("entropy", [[0.0, 1.0], [NAN, 2.0]]).hi[1])
    rows = divergence([[0.5, 0.5, 0], [0, 1, 0]], [[1, 0, 0], [0.5, 0.5, 0]]).hi
    assert rows.tolist() == [INF, math.log(2)]
    assert not divergence(given, given).hi.any()
    near = divergence([[0.5, 0.5]], [[0.5 + 2.0**-40, 0.5 - 2.0**-40]])
    assert float(near.hi[0]) == pytest.approx(2.0**-79, rel=1e-12)
    for wrong in ([[1.5, 0.0]], [[-0.5, 0.5]], [[INF, 0.0]]):
        with pytest.raises(ValueError, match=r"probabilities|infinite"):
            ask("entropy", wrong)
        with pytest.raises(ValueError, match=r"probabilities|infinite"):
            divergence([[0.5, 0.5]], wrong)


def divergence(p: Any, q: Any) -> Reference:
    given = {"p": np.asarray(p, np.float64), "q": np.asarray(q, np.float64)}
    return oracle.compute("kl_divergence", given, {})


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_binary_loss_is_a_cross_entropy_of_two_classes(reduction: str) -> None:
    x = np.array([0.5, -1.25, 20.0, -500.0])
    q = np.array([1.0, 0.25, 0.0, -0.5])
    w, a = np.array([2.0, 0.5, 0.0, 1.0]), np.float64(3.0)
    given = {"logits": x, "targets": q, "weight": w, "pos_weight": a}
    options = {"reduction": reduction}
    loss = oracle.compute("binary_cross_entropy", given, options)
    slope = oracle.compute("binary_cross_entropy_grad", given, options)
    pairs = np.stack([x, np.zeros(4)], axis=-1)
    targets = np.stack([w * a * q, w * (1 - q)], axis=-1)
    two = ask("cross_entropy", pairs, targets, reduction=reduction)
    np.testing.assert_array_equal(loss.hi, two.hi)
    wide = ask("cross_entropy_grad", pairs, targets, reduction=reduction)
    np.testing.assert_array_equal(slope.hi, wide.hi[:, 0])


def test_the_binary_loss_at_its_edges() -> None:
    def loss(x: list[float], q: list[Any], **options: Any) -> list[float]:
        given = {"logits": np.array(x), "targets": np.array(q), **options}
        none = {"reduction": "none"}
        found = oracle.compute("binary_cross_entropy", given, none)
        return list(found.hi.tolist())

    assert loss([INF, -INF, INF, -INF], [1, 0, 0, 1]) == [0, 0, INF, INF]
    assert loss([INF], [0.0], weight=np.array(0.0)) == [0]
    assert np.isnan(loss([NAN, 0.0], [1.0, NAN])).all()
    nothing = {"logits": np.zeros(0), "targets": np.zeros(0)}
    assert np.isnan(oracle.compute("binary_cross_entropy", nothing, {}).hi)
    for wrong in ([0.5, 1.0], [2]):
        with pytest.raises(ValueError, match="targets"):
            loss([1.0], wrong)
    with pytest.raises(ValueError, match="pos_weight"):
        loss([1.0], [1.0], pos_weight=np.array(-1.0))


LOGITS = [[0.5, -1.25, 3.0], [20.0, 0.0, 0.0], [7.0, -3.0, 6.5], [0.0, 1.0, -30.0]]
LABELS = [2, 0, 1, 0]
SOFT = [[0.5, 0.25, 0.25], [1.0, 0.0, 1.0], [0.0, 0.75, 0.0], [-0.5, 1.0, 0.25]]
DIRECTIONS = [[1.0, -2.0, 0.5], [4.0, 0.25, 3.0], [1.0, 1.0, 1.0], [0.0, 0.0, 8.0]]
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "weight": {"weight": [2.0, 0.5, 0.0]},
    "ignored": {"ignore_index": 0},
    "smoothed": {"label_smoothing": 0.1},  # rounded, and then exact
    "weight-ignored": {"weight": [2.0, 0.5, 3.0], "ignore_index": 1},
    "weight-smoothed": {"weight": [2.0, 0.5, 3.0], "label_smoothing": 0.25},
    "ignored-smoothed": {"ignore_index": 2, "label_smoothing": 1.0},
    "all": {"weight": [2.0, 0.5, 3.0], "ignore_index": 0, "label_smoothing": 0.5},
}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("kind", ["labels", "soft"])
def test_the_options_by_another_way(kind: str, name: str, reduction: str) -> None:
    """Row by row, with the matrices of fractions and of balls written out."""
    options = OPTIONS[name]
    if kind == "soft" and "ignore_index" in options:
        with pytest.raises(ValueError, match="ignore_index"):
            ask("cross_entropy", LOGITS, SOFT, **options)
        return
    w = [Fraction(v) for v in options.get("weight", [1, 1, 1])]
    e = Fraction(options.get("label_smoothing", 0))
    given = (
        SOFT if kind == "soft" else [[float(k == y) for k in range(3)] for y in LABELS]
    )
    total, slopes, bends, divisor = arb(0), [], [], Fraction(0)
    with flint.ctx.workprec(2500):
        for x, q, y, v in zip(LOGITS, given, LABELS, DIRECTIONS, strict=True):
            if kind == "labels" and y == options.get("ignore_index"):
                slopes += [arb(0)] * 3
                bends += [arb(0)] * 3
                continue
            exact = [
                a * ((1 - e) * Fraction(b) + e / 3) for a, b in zip(w, q, strict=True)
            ]
            r = [ball(value) for value in exact]
            p, lse, mass = shares(x), log_sum(x), ball(sum(exact))
            total += lse * mass - sum(
                (a * b for a, b in zip(r, x, strict=True)), arb(0)
            )
            slopes += [mass * a - b for a, b in zip(p, r, strict=True)]
            bends += [mass * value for value in by_jacobian(x, v)]
            weighted = sum(a * Fraction(b) for a, b in zip(w, q, strict=True))
            divisor += weighted if "weight" in options else 1
        scale = 1 / ball(divisor) if reduction == "mean" else arb(1)
        options = {**options, "reduction": reduction}
        agree(ask("cross_entropy", LOGITS, given_or(kind), **options), [total * scale])
        agree(
            ask("cross_entropy_grad", LOGITS, given_or(kind), **options),
            [value * scale for value in slopes],
        )
        agree(
            ask("cross_entropy_hvp", LOGITS, given_or(kind), DIRECTIONS, **options),
            [value * scale for value in bends],
        )


def given_or(kind: str) -> Any:
    return SOFT if kind == "soft" else LABELS


def ball(value: Fraction) -> arb:
    return arb(value.numerator) / value.denominator


def test_decimal_arithmetic_agrees() -> None:
    loss = ask("cross_entropy", [[20.0, 0.0, 0.0]], [0])
    with localcontext() as context:
        context.prec = 60
        true = (1 + 2 * Decimal(-20).exp()).ln()
        assert abs(Decimal(float(loss.hi)) + Decimal(float(loss.lo)) - true) < Decimal(
            "1e-40"
        )
    assert float(loss.hi) == 4.1223072363804073e-09


@pytest.mark.parametrize("n", [2, 10, 131072])
def test_zeros_have_the_logarithm_of_their_number(n: int) -> None:
    found = ask("logsumexp", np.zeros((1, n)))
    with localcontext() as context:
        context.prec = 50
        rest = Decimal(n).ln() - Decimal(float(found.hi[0]))
        assert abs(rest - Decimal(float(found.lo[0]))) < Decimal("1e-30")


def test_hi_is_the_nearest_double_and_lo_what_is_left() -> None:
    third = ask("softmax", [[0.0, 0.0, 0.0]])
    assert third.hi[0, 0] == 1 / 3
    assert third.lo[0, 0] == (1 / 3) * 2.0**-54  # the period 2 of 1/3 in binary
    tiny = ask("softmax", [[0.0, -744.5], [0.0, -746.0]])
    assert tiny.hi[:, 1].tolist() == [2.0**-1074, 0.0]


# ---------------------------------------------------------------- axes, reductions


def test_the_class_axis_may_be_anywhere() -> None:
    x = np.arange(24.0).reshape(2, 3, 4) ** 2 / 7
    last = ask("softmax", np.moveaxis(x, 1, -1))
    middle = ask("softmax", x, axis=1)
    np.testing.assert_array_equal(np.moveaxis(middle.hi, 1, -1), last.hi)
    assert ask("logsumexp", x, axis=0).hi.shape == (3, 4)
    assert ask("cross_entropy", x, np.zeros((2, 4), int), axis=1).hi.shape == ()
    negative = ask("cross_entropy", x, np.zeros((2, 4), int), axis=-2, reduction="none")
    assert negative.hi.shape == (2, 4)


def test_reductions() -> None:
    x, y = [[0.0, 0.0], [0.0, 0.0], [3.0, 3.0]], [0, 1, 1]
    each = ask("cross_entropy", x, y, reduction="none").hi
    assert each.tolist() == [math.log(2)] * 3
    assert float(ask("cross_entropy", x, y, reduction="sum").hi) == 3 * math.log(2)
    assert float(ask("cross_entropy", x, y).hi) == math.log(2)
    mean = ask("cross_entropy_grad", x, y).hi
    assert mean[0].tolist() == [-0.5 / 3, 0.5 / 3]
    assert ask("cross_entropy_grad", x, y, reduction="none").hi[0, 0] == -0.5


def test_nothing_to_divide_by() -> None:
    """An ignored row says nothing; the mean of nothing is 0/0, its gradient 0."""
    rows, ignore = [[NAN, INF], [1.0, 2.0]], {"ignore_index": -7}
    each = ask("cross_entropy", rows, [-7, 1], reduction="none", **ignore).hi
    assert each[0] == 0
    assert ask("cross_entropy", rows, [-7, 1], **ignore).hi == each[1]
    grad = ask("cross_entropy_grad", rows, [-7, 1], **ignore).hi
    assert grad[0].tolist() == [0, 0]
    assert grad[1, 0] > 0
    assert np.isnan(ask("cross_entropy", rows, [-7, -7], **ignore).hi)
    assert ask("cross_entropy", rows, [-7, -7], reduction="sum", **ignore).hi == 0
    assert not ask("cross_entropy_grad", rows, [-7, -7], **ignore).hi.any()
    nobody = {"weight": [0.0, 0.0]}
    assert np.isnan(ask("cross_entropy", [[1.0, 2.0]], [0], **nobody).hi)
    assert not ask("cross_entropy_grad", [[1.0, 2.0]], [0], **nobody).hi.any()
    v = [[1.0, 2.0]]
    assert not ask("cross_entropy_hvp", [[1.0, 2.0]], [0], v, **nobody).hi.any()


def test_a_weight_of_zero_hides_a_masked_class() -> None:
    row, weight = [[-INF, 0.0, 0.0]], [0.0, 1.0, 1.0]
    assert ask("cross_entropy", row, [0], weight=weight, reduction="sum").hi == 0
    smooth = {"label_smoothing": 0.75}
    assert ask("cross_entropy", row, [1], **smooth).hi == INF
    found = ask("cross_entropy", row, [1], weight=weight, reduction="sum", **smooth)
    assert found.hi == 0.75 * math.log(2)
    grad = ask("cross_entropy_grad", row, [1], **smooth).hi
    np.testing.assert_array_equal(grad, [[-0.25, 0.0, 0.25]])


def test_exact_zeros_are_decided() -> None:
    zeros = [
        ask("log_softmax", [[3.0]]),
        ask("cross_entropy", [[3.0]], [0]),
        ask("cross_entropy_grad", [[3.0]], [0]),
        ask("cross_entropy", [[1.0, 2.0]], [[0.0, 0.0]]),
        ask("cross_entropy_grad", [[1.0, 1.0]], [[0.5, 0.5]]),
        ask("softmax_vjp", [[1.0, 2.0, 4.0]], [[3.0, 3.0, 3.0]]),
        ask("softmax_vjp", [[1.0, 2.0]], [[1e300, 1e300]]),
        ask("log_softmax_vjp", [[2.0, 2.0]], [[1.0, 1.0]]),
    ]
    for zero in zeros:
        assert not zero.hi.any()
        assert not zero.lo.any()
        assert not np.signbit(zero.hi).any()


# ---------------------------------------------------------------- the edges


SPECIAL: list[tuple[str, list[Any], list[Any]]] = [
    ("softmax", [[NAN, 0.0, INF]], [NAN, NAN, NAN]),
    ("softmax", [[-INF, -INF]], [NAN, NAN]),
    ("softmax", [[0.0, INF, -INF]], [0.0, 1.0, 0.0]),
    ("softmax", [[INF, INF, 0.0]], [NAN, NAN, 0.0]),
    ("softmax", [[-INF, 5.0]], [0.0, 1.0]),
    ("softmax", [[1.7e308, -1.7e308]], [1.0, 0.0]),
    ("log_softmax", [[-INF, 5.0]], [-INF, 0.0]),
    ("log_softmax", [[0.0, INF]], [-INF, 0.0]),
    ("log_softmax", [[INF, INF, 0.0]], [NAN, NAN, -INF]),
    ("log_softmax", [[-INF, -INF]], [NAN, NAN]),
    ("log_softmax", [[1.7e308, -1.7e308]], [0.0, -INF]),
    ("logsumexp", [[-INF, -INF]], [-INF]),
    ("logsumexp", [[INF, INF]], [INF]),
    ("logsumexp", [[INF, NAN]], [NAN]),
    ("logsumexp", [[-INF, 5.0]], [5.0]),
    ("softmax_vjp", [[-INF, -INF], [1.0, 2.0]], [NAN, NAN]),
    ("softmax_vjp", [[0.0, INF], [1.0, 2.0]], [0.0, 0.0]),
    ("softmax_vjp", [[-INF, 0.0, 0.0], [9.0, 1.0, -1.0]], [0.0, 0.5, -0.5]),
    ("log_softmax_vjp", [[-INF, 0.0], [1.0, 2.0]], [1.0, -1.0]),
    ("log_softmax_vjp", [[0.0, INF], [1.0, 2.0]], [1.0, -1.0]),
    ("logsumexp_vjp", [[-INF, -INF], 1.0], [0.0, 0.0]),
    ("logsumexp_vjp", [[0.0, INF], 3.0], [0.0, 3.0]),
    ("logsumexp_vjp", [[0.0, 0.0], NAN], [NAN, NAN]),
    ("cross_entropy", [[-INF, 0.0, 0.0], [0.0, 1.0, 0.0]], [math.log(2)]),
    ("cross_entropy", [[-INF, 0.0, 0.0], [0.5, 0.5, 0.0]], [INF]),
    ("cross_entropy", [[-INF, 0.0, 0.0], [-0.5, 0.5, 0.0]], [-INF]),
    ("cross_entropy", [[-INF, -INF], 0], [NAN]),
    ("cross_entropy", [[-INF, -INF], [0.0, 0.0]], [NAN]),
    ("cross_entropy", [[0.0, INF], 1], [0.0]),
    ("cross_entropy", [[0.0, INF], 0], [INF]),
    ("cross_entropy", [[0.0, INF, INF], 1], [NAN]),
    ("cross_entropy", [[0.0, INF, INF], 0], [INF]),
    ("cross_entropy", [[0.0, 1.0], [NAN, 1.0]], [NAN]),
    ("cross_entropy_grad", [[0.0, -INF], 1], [1.0, -1.0]),
    ("cross_entropy_grad", [[0.0, INF], 0], [-1.0, 1.0]),
    ("cross_entropy_grad", [[0.0, INF], 1], [0.0, 0.0]),
    ("cross_entropy_grad", [[0.0, NAN], 0], [NAN, NAN]),
    ("cross_entropy_hvp", [[0.0, 0.0], 0, [1.0, NAN]], [NAN, NAN]),
    ("cross_entropy_hvp", [[0.0, 0.0], [0.0, 0.0], [1.0, 3.0]], [0.0, 0.0]),
    ("cross_entropy_hvp", [[-INF, 0.0, 0.0], 1, [9.0, 1.0, -1.0]], [0.0, 0.5, -0.5]),
    ("cross_entropy_hvp", [[0.0, INF], 0, [1.0, 2.0]], [0.0, 0.0]),
    ("cross_entropy_hvp", [[-INF, -INF], 0, [1.0, 2.0]], [NAN, NAN]),
    ("cross_entropy_hvp", [[0.0, INF, INF], 0, [1.0, 2.0, 3.0]], [NAN, NAN, NAN]),
]


@pytest.mark.parametrize(("operation", "row", "expected"), SPECIAL)
def test_special_values(operation: str, row: list[Any], expected: list[float]) -> None:
    arrays = row if isinstance(row[0], list) else [row]
    found = ask(operation, *(np.asarray(a)[None] for a in arrays))
    np.testing.assert_array_equal(found.hi.ravel(), expected)
    assert not found.lo[~np.isfinite(found.hi)].any()


def test_a_nan_stays_in_its_row() -> None:
    found = ask("softmax", [[NAN, 1.0], [0.0, 0.0]]).hi
    np.testing.assert_array_equal(found, [[NAN, NAN], [0.5, 0.5]])


def test_empty_axes() -> None:
    assert ask("logsumexp", np.zeros((2, 0))).hi.tolist() == [-INF, -INF]
    assert ask("softmax", np.zeros((0, 3))).hi.shape == (0, 3)
    nobody = np.zeros((0, 3)), np.zeros(0, int)
    assert np.isnan(ask("cross_entropy", *nobody).hi)
    assert ask("cross_entropy", *nobody, reduction="sum").hi == 0
    assert ask("cross_entropy", *nobody, reduction="none").hi.shape == (0,)
    assert ask("cross_entropy_grad", *nobody).hi.shape == (0, 3)


REFUSED: list[tuple[str, tuple[Any, ...], Mapping[str, Any], str]] = [
    ("softmax", (np.zeros((2, 0)),), {}, "no classes"),
    ("softplus", ([0.0],), {}, "softplus"),
    ("softmax", ([0.0],), {"temperature": 2}, "temperature"),
    ("cross_entropy", ([[0.0, 1.0]], [2]), {}, "expected 0 to 1"),
    ("cross_entropy", ([[0.0, 1.0]], [-1]), {}, "expected 0 to 1"),
    ("cross_entropy", ([[0.0, 1.0]], [0, 1]), {}, "labels: expected the shape"),
    ("cross_entropy", ([[0.0, 1.0]], [0.5]), {}, "targets: expected the shape"),
    ("softmax_vjp", ([[0.0, 1.0]], [1.0, 2.0]), {}, "g: expected the shape"),
    ("softmax_vjp", ([[0.0, 1.0]], [[1.0, INF]]), {}, "infinite weights"),
    ("cross_entropy", ([[0.0, 1.0]], [0]), {"weight": [1.0]}, "weight: expected the s"),
    ("cross_entropy", ([[0.0, 1.0]], [0]), {"weight": [1.0, -1.0]}, "not negative"),
    ("cross_entropy", ([[0.0, 1.0]], [0]), {"weight": [1.0, NAN]}, "finite"),
    ("cross_entropy", ([[0.0, 1.0]], [0]), {"label_smoothing": 1.5}, "0 to 1"),
    ("cross_entropy", ([[0.0, 1.0]], [0]), {"label_smoothing": NAN}, "0 to 1"),
    ("cross_entropy", ([[0.0, 1.0]], [2]), {"ignore_index": 1}, "expected 0 to 1"),
    ("cross_entropy_hvp", ([[0.0, 1.0]], [0], [1.0, 2.0]), {}, "v: expected the"),
]


@pytest.mark.parametrize(("operation", "arrays", "options", "message"), REFUSED)
def test_what_has_no_value_is_refused(
    operation: str, arrays: tuple[Any, ...], options: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ask(operation, *arrays, **options)


def test_an_enclosure_that_stays_wide_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(oracle, "LAST_PRECISION", 160)
    with pytest.raises(oracle.UndecidedError, match="160 bits were not enough"):
        ask("cross_entropy_grad", [[100.0, 0.0]], [0])


# ---------------------------------------------------------------- the cache

QUESTION: dict[str, Array] = {"x": np.array([[1.0, 2.0]])}


def files() -> list[Path]:
    return sorted(oracle.cache_directory().glob("*"))


def test_a_second_question_is_answered_from_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = oracle.reference("softmax", QUESTION, {})
    monkeypatch.setattr(oracle, "compute", None)
    second = oracle.reference("softmax", QUESTION, {})
    np.testing.assert_array_equal(first.hi, second.hi)
    np.testing.assert_array_equal(first.lo, second.lo)
    assert len(files()) == 1  # and no half-written file beside it


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"no archive"])
def test_a_damaged_file_is_computed_anew(damage: bytes) -> None:
    first = oracle.reference("softmax", QUESTION, {})
    (path,) = files()
    whole = path.read_bytes()
    for broken in (damage, whole[: len(whole) // 2]):
        path.write_bytes(broken)
        again = oracle.reference("softmax", QUESTION, {})
        np.testing.assert_array_equal(first.hi, again.hi)
        assert path.read_bytes() == whole


def test_the_key_is_the_question() -> None:
    def key(x: Any, **options: Any) -> str:
        return oracle.digest("softmax", {"x": np.asarray(x)}, options)

    base = key([[1.0, 2.0]], axis=-1)
    swapped = np.array([[1.0, 2.0]], dtype=">f8")
    assert key(np.asfortranarray([[1.0, 2.0]]), axis=-1) == base
    assert key(swapped, axis=-1) == base
    others = [
        key([[1.0, 2.5]], axis=-1),
        key([[1.0], [2.0]], axis=-1),
        key([[1.0, 2.0]], axis=0),
        key(np.array([[1, 2]], np.float32), axis=-1),
        oracle.digest("log_softmax", {"x": np.array([[1.0, 2.0]])}, {"axis": -1}),
    ]
    assert len({base, *others}) == 6


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    monkeypatch.setenv("SXLIT_ORACLE_CACHE", str(blocked))
    with pytest.warns(RuntimeWarning, match="SXLIT_ORACLE_CACHE"):
        found = oracle.reference("softmax", {"x": np.array([[0.0, 0.0]])}, {})
    assert found.hi.tolist() == [[0.5, 0.5]]
