"""Enclosures: whatever lies in the operands, the result lies in the result."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from sxlit.accurate import SLACK
from sxlit.arrays import Numbers
from sxlit.doubledouble import two_sum
from sxlit.enclosure import Enclosure, blur
from sxlit.lse import surprise
from sxlit.pairs import Pair
from sxlit.rows import probabilities, row_state
from sxlit.wide import NOWHERE, Wide

INF, NAN = np.inf, np.nan
KINDS = pytest.mark.parametrize("kind", [Pair, Wide])
SIDES = (-1.0, -0.4, 0.0, 0.7, 1.0)


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    with np.errstate(all="ignore"), ctx.workprec(4000):
        yield


# Numbers to work with


def rough(rng: np.random.Generator, count: int, spread: int) -> np.ndarray:
    """Numbers of few, many, equal and alternating bits, powers of two, of all sizes."""
    bits = rng.integers(1, 2**53, count)
    ends = rng.integers(0, 53, count)
    some = bits & -(1 << ends)
    kinds = [bits, some, (1 << ends) - 1, 1 << ends, (1 << 53) - 1 - some]
    whole = np.choose(rng.integers(0, 5, count), kinds).astype(float)
    size = rng.integers(-spread, spread + 1, count) - 53
    return rng.choice([-1.0, 1.0], count) * np.ldexp(whole, size)


def enclosures(kind: Any, rng: np.random.Generator, count: int, spread: int) -> Any:
    """Numbers with and without a low part and an error, and some exact zeros."""
    hi = rough(rng, count, spread)
    share = rng.choice([0.0, 1.0, -1.0, 0.3], count) * rng.choice([1.0, 1e-9], count)
    hi, lo = two_sum(hi, share * np.spacing(hi) * 0.49)
    size = 2.0 ** rng.integers(-130, 3, count) * rng.choice([0.0, 1.0, 1.0], count)
    error = np.abs(hi) * size
    if kind is Pair:
        return Pair(hi, lo, error)
    exponent = rng.integers(-3000, 3000, count).astype(np.intc)
    rest = rng.choice([0.0, 1e-20, -1e-20], count) * lo
    return Wide(hi, lo, error, exponent, rest)


def columns(x: Enclosure) -> list[tuple[Any, ...]]:
    """The parts of each number, as Python's numbers, with an exponent and a rest."""
    shape = x.shape
    parts = (x.hi, x.lo, x.rest, x.error, x.exponent)
    flat = [np.broadcast_to(part, shape).ravel().tolist() for part in parts]
    return list(zip(*flat, strict=True))


def members(x: Enclosure, side: float) -> list[Fraction]:
    """A number of each enclosure: its middle, an end, or between."""
    found = []
    for hi, lo, rest, error, exponent in columns(x):
        middle = Fraction(hi) + Fraction(lo) + Fraction(rest)
        value = middle + Fraction(side) * Fraction(error)
        found.append(value * Fraction(2) ** exponent)
    return found


def holds(x: Enclosure, exact: list[Any]) -> int:
    """Check that each exact value lies in its enclosure; count those that are known."""
    known = 0
    for (hi, lo, rest, error, exponent), value in zip(columns(x), exact, strict=True):
        if error == INF:
            continue
        known += 1
        assert np.isfinite(hi)
        middle = Fraction(hi) + Fraction(lo) + Fraction(rest)
        radius = Fraction(error) * Fraction(SLACK)
        if isinstance(value, Fraction):
            assert abs(value / Fraction(2) ** exponent - middle) <= radius, (hi, value)
        else:
            off = abs(value / arb(2) ** exponent - ball(middle))
            assert not off > ball(radius), (hi, lo, error, exponent, value)
            assert error > 0 or off.contains(0)
    return known


def ball(x: Fraction) -> arb:
    return arb(x.numerator) / arb(x.denominator)


# One operation


OPERATIONS = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
}


@pytest.mark.theorem("thm-pair-operations", "thm-wide-operations")
@KINDS
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("spread", [3, 60, 480, 1000])
def test_arithmetic_encloses(kind: Any, name: str, spread: int) -> None:
    rng = np.random.default_rng(spread)
    x, y = (enclosures(kind, rng, 400, spread) for _ in range(2))
    # Sums that cancel, and operands that are the same number.
    x = np.where(np.arange(400) % 7 == 0, y, x)
    found = OPERATIONS[name](x, y)
    for side in SIDES:
        other = rng.choice(SIDES)
        a, b = members(x, side), members(y, other)
        pairs = zip(a, b, strict=True)
        exact = [
            OPERATIONS[name](s, t) if t or name != "divide" else None for s, t in pairs
        ]
        known = holds(*some(found, exact))
    assert known > (300 if spread < 500 or kind is Wide else 100)


@KINDS
@pytest.mark.parametrize("name", OPERATIONS)
def test_arithmetic_with_exact_numbers_is_good_to_a_hundred_bits(
    kind: Any, name: str
) -> None:
    rng = np.random.default_rng(3)
    a, b = (x[x != 0.0][:300] for x in rough(rng, 800, 60).reshape(2, 400))
    a = np.abs(a)
    found = OPERATIONS[name](kind.exactly(a), b)
    size = np.abs(a) + np.abs(b) if name in ("add", "subtract") else np.abs(found.near)
    error = np.ldexp(found.error, found.exponent)
    assert (error <= 2.0**-101 * size).all()
    assert (error > 0.0).any() == (name == "divide")


FUNCTIONS = {"exp": arb.exp, "log": arb.log, "log1p": arb.log1p}


def arguments(kind: Any, name: str, rng: np.random.Generator, spread: int) -> Any:
    x = abs(enclosures(kind, rng, 300, spread))
    if kind is Wide:  # a number beyond 2^300 has a logarithm, but no short exponential
        x.exponent = np.clip(x.exponent, -3000, -53 if name == "log1p" else 0)
        x.exponent = x.exponent.astype(np.intc)
    if name == "log1p":
        return np.where(x < 2.0**100, x, 1.0)
    if name == "log":
        near = 1.0 + x * 2.0**-20
        return np.where(np.arange(300) % 3 == 0, near, x)
    return -np.where(x > 3000.0, x / 2.0**300, x)


@pytest.mark.theorem("thm-pair-operations", "thm-wide-operations", "thm-log1p")
@KINDS
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("spread", [3, 12, 60, 900])
def test_functions_enclose(kind: Any, name: str, spread: int) -> None:
    x = arguments(kind, name, np.random.default_rng(spread), spread)
    found = getattr(np, name)(x)
    for side in SIDES:
        values = [ball(v) for v in members(x, side)]
        known = [FUNCTIONS[name](v) if domain(name, v) else None for v in values]
        holds(*some(found, known))
    assert np.isfinite(found.error).mean() > 0.4


def domain(name: str, v: arb) -> bool:
    return {"exp": v > -(10**6), "log": v > 0, "log1p": v > -1}[name]


def some(found: Any, values: list[Any]) -> tuple[Any, list[Any]]:
    keep = np.array([value is not None for value in values])
    return found[keep], [value for value in values if value is not None]


@KINDS
def test_functions_are_good_to_sixty_bits(kind: Any) -> None:
    x = np.random.default_rng(0).uniform(0.01, 100.0, 1000)
    x = x[np.abs(np.log(x)) > 0.01]
    numbers = kind.exactly(x)
    for found in (np.exp(-numbers), np.log(numbers), np.log1p(numbers)):
        assert (found.error <= 2.0**-59 * np.abs(found.hi)).all()


@pytest.mark.theorem("thm-pair-operations", "thm-wide-operations")
@KINDS
@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1000])
def test_totals_enclose(kind: Any, n: int) -> None:
    rng = np.random.default_rng(n)
    for spread in (3, 200):
        x = enclosures(kind, rng, 4 * n, spread)
        if kind is Wide:
            x.exponent = rng.integers(-90, 90, 4 * n).astype(np.intc)
        x = np.where(rng.uniform(size=4 * n) < 0.1, 0.0, x)
        parts = (np.broadcast_to(part, x.shape).reshape(4, n) for part in x.parts)
        rows = kind(*parts)
        found = rows.sum(axis=-1, keepdims=True)
        for side in SIDES:
            each = members(x, side)
            sums = [sum(each[i * n : i * n + n], Fraction(0)) for i in range(4)]
            assert holds(found, sums) == 4


@KINDS
def test_exponentials_beyond_the_limit_enclose(kind: Any) -> None:
    limit = 600.0 if kind is Pair else 1500.0
    x = -np.nextafter(limit, [0.0, limit, 9999.0])
    x = np.concatenate([x, [-limit - 0.4, -5000.0, -1e300]])
    wide = kind.exactly(x) + kind.exactly(np.zeros(6))
    wide.error = np.full(6, 0.49)
    for argument, sides in ((kind.exactly(x), (0.0,)), (wide, (-1.0, 1.0))):
        found = np.exp(argument)
        for side in sides:
            holds(found[:5], [ball(v).exp() for v in members(argument[:5], side)])
        assert 0.0 < found.error[-1] < INF
        assert not found.is_zero.any()


# What is not finite, not known, or exactly 0


SPECIAL = np.array([INF, -INF, NAN, 0.0, 1.5, -2.0, 1e308, 5e-324])


@KINDS
@pytest.mark.parametrize("name", OPERATIONS)
def test_infinities_and_nan_are_those_of_float64(kind: Any, name: str) -> None:
    a, b = (x.ravel() for x in np.meshgrid(SPECIAL, SPECIAL))
    found = OPERATIONS[name](kind.exactly(a), kind.exactly(b))
    plain = OPERATIONS[name](a, b)
    exact = ~np.isfinite(a) | ~np.isfinite(b) | ((b == 0.0) & (name == "divide"))
    assert np.array_equal(found.hi[exact], plain[exact], equal_nan=True)
    assert (np.broadcast_to(found.error, a.shape)[exact] == 0.0).all()
    assert np.isfinite(found.hi[~exact]).all()


@KINDS
def test_functions_of_special_numbers_are_those_of_float64(kind: Any) -> None:
    for function, least in ((np.exp, -INF), (np.log, 0.0), (np.log1p, 0.0)):
        values = [least, INF, NAN]
        found = function(kind.exactly(values))
        assert np.array_equal(found.hi, function(values), equal_nan=True)
        assert (found.error == 0.0).all()
    assert np.isinf(np.exp(kind.exactly([1.0])).error).all()
    assert np.isinf(np.log(kind.exactly([-1.0])).error).all()
    assert np.isinf(np.log1p(kind.exactly([-0.5])).error).all()


def blurry(kind: Any, value: float, error: float) -> Any:
    x = kind.exactly([value]) + kind.exactly([0.0])
    x.error = np.array([error])
    return x


@KINDS
def test_nothing_is_claimed_of_what_is_unknown(kind: Any) -> None:
    perhaps = blurry(kind, 0.0, 1e-300)
    assert np.isinf((1.0 / perhaps).error).all()
    assert np.isinf((perhaps / perhaps).error).all()
    assert np.isinf((INF * perhaps).error).all()
    assert np.isinf(np.log(perhaps).error).all()
    unknown = blurry(kind, 0.0, INF)
    for operation in OPERATIONS.values():
        found = operation(unknown, kind.exactly([3.0]))
        assert np.isinf(found.error).all()
        assert np.isfinite(found.hi).all()
    assert np.isinf((unknown + 0.0).error).all()
    assert (unknown + INF).hi == INF
    assert (INF - perhaps).hi == INF
    assert (perhaps * perhaps).error > 0.0  # though 1e-600 is not a float64


@KINDS
def test_questions_look_at_the_numbers(kind: Any) -> None:
    perhaps = blurry(kind, 0.0, 1e-300)
    assert (perhaps != 0.0).all()
    assert (kind.exactly([0.0]) == 0.0).all()
    x = kind.exactly(SPECIAL)
    assert np.array_equal(np.isnan(x), np.isnan(SPECIAL))
    assert np.array_equal(x < 1.0, SPECIAL < 1.0)
    assert np.array_equal(np.isfinite(x), np.isfinite(SPECIAL))


@KINDS
def test_exact_numbers_stay_exact(kind: Any) -> None:
    x = kind.exactly([0.0, 0.5, 3.0])
    for found, value in (
        (1.0 - kind.exactly([1.0, 0.0]), [0.0, 1.0]), (x + x, [0.0, 1.0, 6.0]),
        (x * 3.0, [0.0, 1.5, 9.0]), (x * 0.0, [0.0] * 3), (-x + 0.0, [0.0, -0.5, -3.0]),
        (0.0 / (x + 1.0), [0.0] * 3),
    ):  # fmt: skip
        assert found.near.tolist() == value
        assert np.all(found.error == 0.0)


def test_wide_numbers_know_on_which_side_of_a_tie_they_are() -> None:
    x = Wide.exactly([900.25]) + np.exp(Wide.exactly([-1400.0]))
    assert x.near == 900.25
    assert 0.0 < x.error < x.lo + x.rest
    for same in (x * 1.0, x * 4.0 / 8.0, x / 2.0, x + 0.0):
        assert 0.0 < same.error < same.lo + same.rest
    y = Wide.exactly([900.25 + 2.0**-40]) + 2.0**-100 + np.exp(Wide.exactly([-900.0]))
    assert y.lo == 2.0**-100 * 2.0**-y.exponent
    assert 0.0 < y.error < y.rest


def test_exponents_end_somewhere() -> None:
    tiny, large = Wide.exactly([2.0**-1000]), Wide.exactly([2.0**1000])
    for _ in range(12):
        tiny, large = tiny * tiny * 1.0001, large * large * 1.0001
    assert tiny.exponent == NOWHERE
    assert tiny.hi == 0.0
    assert np.isinf(large.error)
    assert not tiny.is_zero.any()


# Shapes


@KINDS
def test_shapes_are_those_of_numpy(kind: Any) -> None:
    a, b = np.arange(6.0).reshape(2, 3) + 1.0, np.array([[2.0], [4.0]])
    x, y = kind.exactly(a), kind.exactly(b)
    outer = (x / y)[:, :, None] * (x / y)[:, None, :]
    assert outer.shape == (2, 3, 3)
    assert outer[0, 1:, 0].shape == (2,)
    index = np.array([[2], [0]])
    taken = np.take_along_axis(x / y, index, axis=-1)
    assert taken.near.tolist() == np.take_along_axis(a / b, index, -1).tolist()
    assert (x - 1.0)[...].sum(axis=-1, keepdims=True).shape == (2, 1)
    empty = kind.exactly(np.zeros((2, 0))).sum(axis=-1, keepdims=True)
    assert empty.shape == (2, 1)
    assert empty.is_zero.all()
    assert kind.exactly(np.zeros((0, 3))).sum(axis=-1, keepdims=True).shape == (0, 1)


@KINDS
def test_what_is_not_offered_is_refused(kind: Any) -> None:
    x = kind.exactly(np.ones((1, 2)))
    with pytest.raises(TypeError):
        np.sqrt(x)
    with pytest.raises(TypeError):
        np.concatenate([x, x])
    with pytest.raises(TypeError):
        np.add(x, 1.0, out=np.zeros((1, 2)))
    with pytest.raises(NotImplementedError):
        x.sum(axis=0, keepdims=True)
    with pytest.raises(TypeError, match="two kinds"):
        Pair.exactly(1.0) + Wide.exactly(1.0)


@KINDS
def test_infinite_terms_make_their_own_row_infinite(kind: Any) -> None:
    rows = kind.exactly([[1e308, 1e308, -INF], [1.0, 2.0, 3.0], [INF, -INF, 0.0]])
    found = rows.sum(axis=-1, keepdims=True)
    assert np.array_equal(found.near[:, 0], [-INF, 6.0, NAN], equal_nan=True)


@pytest.mark.theorem("thm-pair-operations", "thm-wide-operations")
@KINDS
def test_a_blurred_number_encloses_its_neighbours(kind: Any) -> None:
    x = enclosures(kind, np.random.default_rng(5), 300, 1000)
    found = blur(x, 2.0**-40)
    for side in SIDES:
        moved = [v * (1 + Fraction(side) / 2**40) for v in members(x, side)]
        holds(found, moved)
    assert blur(kind.exactly([0.0]), 2.0**-40).is_zero.all()


# Formulas


def leaf(rng: np.random.Generator, count: int) -> np.ndarray:
    size = rng.choice([0, 1, 10, 100, 400])
    return rng.standard_normal(count) * np.exp2(rng.uniform(-size, size, count))


STEPS = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b, "exp": lambda a, b: exponential(-(a * a)),
    "log1p": lambda a, b: logarithm1p(a * a), "log": lambda a, b: logarithm(b * b),
}  # fmt: skip


def exponential(x: Numbers) -> Numbers:
    return np.exp(x) if isinstance(x, Enclosure) else Balls(v.exp() for v in x)


class Balls(list):
    """Balls with operators, so that one formula serves them and the enclosures."""

    def __add__(self, other: Any) -> Any:
        return Balls(a + b for a, b in zip(self, other, strict=True))

    def __sub__(self, other: Any) -> Any:
        return Balls(a - b for a, b in zip(self, other, strict=True))

    def __mul__(self, other: Any) -> Any:
        return Balls(a * b for a, b in zip(self, other, strict=True))

    def __truediv__(self, other: Any) -> Any:
        return Balls(a / b for a, b in zip(self, other, strict=True))

    def __neg__(self) -> Any:
        return Balls(-a for a in self)


def logarithm1p(x: Numbers) -> Numbers:
    return np.log1p(x) if isinstance(x, Enclosure) else Balls(v.log1p() for v in x)


def logarithm(x: Numbers) -> Numbers:
    return np.log(x) if isinstance(x, Enclosure) else Balls(v.log() for v in x)


@pytest.mark.theorem("thm-enclosures")
@KINDS
@pytest.mark.parametrize("seed", range(40))
def test_formulas_of_random_operations_enclose(kind: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    leaves = [leaf(rng, 20) for _ in range(4)]
    found = [kind.exactly(x) for x in leaves]
    exact = [Balls(arb(v) for v in x.tolist()) for x in leaves]
    known = 0
    for _ in range(12):
        step = STEPS[rng.choice(list(STEPS))]
        i, j = rng.integers(0, len(found), 2)
        found.append(step(found[i], found[j]))
        exact.append(Balls(step(exact[i], exact[j])))
        certain = [v if v.is_finite() else None for v in exact[-1]]
        known += holds(*some(found[-1], certain))
    assert known > 20


ROWS = [
    [0.0, 0.0], [20.0, 0.0, 0.0], [0.0, -599.0], [5.0, -INF, -INF], [-3.0],
    [0.0, -INF, -550.0, -601.0], [0.3, -500.0], [1e-310, 0.0], [5e-324, 0.0, -5e-324],
    [1e5, 1e5 - 0.1, 1e5 - 300.0], [-1e17, -1e17, 8.0 - 1e17], [0.0] * 7,
    [2.0**-60, -(2.0**-1074)], [0.0, -740.0], [0.0, -746.0], [0.0, -1499.0, -1501.0],
    [0.0, -1600.0], [1e308, -1e308], [1.7e308, -1.7e308, 1.7e308], [0.3, -700.0],
    [-1.1e308, 3.0, 2.0],
]  # fmt: skip


def logits() -> list[np.ndarray]:
    rng = np.random.default_rng(12)
    spreads = (1e-300, 1e-12, 0.01, 1.0, 10.0, 60.0, 300.0, 800.0, 1e300)
    random = [rng.standard_normal(n) * s for n in (2, 3, 33, 500) for s in spreads]
    return [*map(np.array, ROWS), *random]


@pytest.mark.theorem("thm-states", "thm-sum-of-pairs")
@KINDS
@pytest.mark.parametrize("row", logits(), ids=lambda row: f"{len(row)}-{row[0]:.4g}")
def test_the_row_state_encloses(kind: Any, row: np.ndarray) -> None:
    x = [arb(v) if np.isfinite(v) else None for v in row.tolist()]
    top = int(row.argmax())
    gaps = [None if v is None else x[top] - v for v in x]
    weights = [arb(0) if d is None else (-d).exp() for d in gaps]
    tail = sum((w for j, w in enumerate(weights) if j != top), arb(0))
    state = row_state(kind.exactly(row[None]))
    holds(*some(state.gap[0], gaps))
    holds(state.weight[0], weights)
    holds(state.tail[0], [tail])
    holds(probabilities(state)[0], [w / (1 + tail) for w in weights])
    costs = [None if d is None else d + tail.log1p() for d in gaps]
    holds(*some(surprise(state)[0], costs))
    if kind is Wide or np.abs(row).max(initial=0.0, where=np.isfinite(row)) < 1e300:
        assert np.isfinite(state.tail.error).all()


@KINDS
def test_rows_without_a_finite_maximum_have_the_state_of_float64(kind: Any) -> None:
    rows = np.array([[INF, 0.0, -INF], [NAN, 0.0, 1.0], [-INF] * 3, [INF, INF, 0.0]])
    state, plain = row_state(kind.exactly(rows)), row_state(rows)
    for name in ("shift", "gap", "weight", "tail"):
        found = getattr(state, name)[...]
        assert np.array_equal(found.hi, getattr(plain, name), equal_nan=True)
        assert (found.error == 0.0).all()


def test_a_state_of_too_many_classes_says_so() -> None:
    rows = np.zeros((1, 2**20 + 1))
    assert np.isinf(row_state(Pair.exactly(rows)).tail.error).all()


@KINDS
def test_a_state_wants_exact_logits(kind: Any) -> None:
    with pytest.raises(NotImplementedError, match="exact"):
        row_state(kind.exactly([[1.0, 2.0]]) / 3.0)


def test_products_of_numbers_with_tiny_errors_enclose() -> None:
    x, y = np.array([0.75]), np.array([2.0**-300])
    error = np.array([2.0**-800])
    zero = np.zeros(1)
    product = Pair(x, zero, error) * Pair(y, zero, zero)  # 2^-1100 is not a number
    assert product.error > 0.0
    assert product.error < 2.0**-100 * product.hi


def test_a_number_beyond_the_range_of_float64_is_not_infinite() -> None:
    sums = Wide.exactly([1.7e308, -1.7e308]) * 2.0
    assert not np.isinf(sums).any()
    assert ((sums > 0.0) == [True, False]).all()
