"""Information, entropy and codes: chapter 6's theorems, laws and edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, combinations_with_replacement, product
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx, fmpq

import sxlit
from rounded import SHORT, as_dtype, misrounded, worst_ulp
from sameness import same_bits
from sxlit import bounds
from sxlit.accurate import count_undecided
from sxlit.information import as_probabilities, huffman_lengths, prefix_code

INF, NAN = np.inf, np.nan
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
Row = list[Fraction]


@pytest.fixture(autouse=True)
def enough_bits() -> Iterator[None]:
    before, ctx.prec = ctx.prec, 3000  # 1 - e^-1000 has to differ from 1
    yield
    ctx.prec = before


def ball(value: Fraction | float) -> arb:
    exact = Fraction(value)
    return arb(fmpq(exact.numerator, exact.denominator))


def log2(value: Fraction | float) -> arb:
    return ball(value).log() / arb(2).log()


def exact_entropy(p: Sequence[Fraction | float]) -> arb:
    return -sum((ball(v) * ball(v).log() for v in p if v), arb(0))


def bits(p: Sequence[Fraction | float]) -> arb:
    return exact_entropy(p) / arb(2).log()


def equal(a: arb, b: arb) -> bool:
    """Equal to 800 digits."""
    return bool(abs(a - b) < arb(10) ** -800)


def distributions(classes: int, count: int, seed: int) -> Iterator[Row]:
    """Exact ones of every temper: zeros, ties, and weights far apart."""
    rng = np.random.default_rng(seed)
    yield [Fraction(1, classes)] * classes
    for _ in range(count):
        top = int(rng.choice([2, 5, 50, 10**9]))
        weights = rng.integers(0, top, classes).tolist()
        weights[int(rng.integers(classes))] += 1
        total = sum(weights)
        yield [Fraction(weight, total) for weight in weights]


# Self-information


@pytest.mark.theorem("thm-information-unique")
def test_powers_of_one_half_pin_the_logarithm_down():
    """The proof's inequality, with m from integers and the logarithm from balls."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        below, above = sorted(rng.choice(999, 2, replace=False) + 1)
        p = Fraction(int(below), int(above))
        for n in (1, 7, 300):
            power = p**n
            m = (power.denominator // power.numerator).bit_length() - 1
            assert Fraction(1, 2 ** (m + 1)) < power <= Fraction(1, 2**m)
            assert -n * log2(p) >= m or equal(-n * log2(p), arb(m))
            assert -n * log2(p) < m + 1


@pytest.mark.theorem("thm-information-unique")
@pytest.mark.parametrize(
    "f", [lambda p: 1 - p, lambda p: 1 / p - 1, lambda p: 1 - p * p, lambda p: 1 / p]
)
def test_other_falling_functions_do_not_add(f):
    p, q = Fraction(1, 2), Fraction(1, 3)
    assert f(p) > f(q) or f(q) > f(p)
    assert f(p * q) != f(p) + f(q)


def test_the_logarithm_adds_within_its_bounds():
    f64 = bounds.Numerics.required("float64")
    p, q = 0.5 ** np.arange(9), np.linspace(0.01, 1, 9)
    total = sxlit.self_information(p) + sxlit.self_information(q)
    gap = np.abs(sxlit.self_information(p * q) - total)  # p * q is exact
    allowed = sum(bounds.self_information(v, numerics=f64) for v in (p, q, p * q))
    assert (gap <= allowed + f64.unit * total).all()


@DTYPES
def test_powers_of_two_have_whole_bits(dtype):
    least = int(np.log2(np.finfo(dtype).smallest_subnormal))
    powers = np.arange(-least + 1)
    p = np.ldexp(np.ones(len(powers), dtype), -powers)
    assert same_bits(sxlit.self_information(p, base=2), powers.astype(dtype))


def test_entropies_of_powers_of_two_are_exact():
    rng = np.random.default_rng(2)
    for _ in range(200):
        lengths = [0]
        for _ in range(int(rng.integers(0, 40))):
            split = lengths.pop(int(rng.integers(len(lengths))))
            lengths += [split + 1, split + 1]
        p = 0.5 ** np.array(lengths)
        exact = sum(Fraction(length, 2**length) for length in lengths)
        assert Fraction(float(sxlit.entropy(p, base=2))) == exact


def test_one_and_a_half_bits():
    assert sxlit.entropy([1 / 2, 1 / 4, 1 / 4], base=2) == 1.5
    assert sxlit.entropy(np.array([0.5, 0.25, 0.25], "f4"), base=2) == 1.5
    assert same_bits(sxlit.entropy([0, 1]), np.float64(0.0))
    assert same_bits(sxlit.entropy([True, False], base=2), np.float64(0.0))


# Entropy


@pytest.mark.theorem("lem-log-tangent")
def test_the_logarithm_is_below_its_tangent():
    rng = np.random.default_rng(3)
    near = [1 + sign * Fraction(1, 2**k) for k in range(1, 200) for sign in (1, -1)]
    far = [Fraction(int(a), int(b)) for a, b in rng.integers(1, 10**6, (500, 2))]
    for t in near + far:
        assert ball(t).log() < ball(t - 1) or t == 1
    assert arb(1).log() == 0


@pytest.mark.theorem("thm-entropy-range")
@pytest.mark.parametrize("classes", [1, 2, 3, 7])
def test_entropy_is_between_certainty_and_ignorance(classes):
    for p in distributions(classes, 100, seed=4):
        h = exact_entropy(p)
        certain, uniform = 1 in p, set(p) == {Fraction(1, classes)}
        assert h == 0 if certain else h > 0
        assert equal(h, arb(classes).log()) if uniform else h < arb(classes).log()


@pytest.mark.theorem("thm-entropy-concave")
def test_mixing_adds_uncertainty():
    rows = [*distributions(4, 40, seed=5)]
    for p, q in zip(rows, rows[::-1], strict=True):
        for theta in (Fraction(0), Fraction(1, 7), Fraction(1, 2)):
            mixed = [theta * a + (1 - theta) * b for a, b in zip(p, q, strict=True)]
            mean = ball(theta) * exact_entropy(p) + ball(1 - theta) * exact_entropy(q)
            strict = p != q and 0 < theta < 1
            h = exact_entropy(mixed)
            assert h > mean if strict else equal(h, mean)


@pytest.mark.theorem("thm-entropy-additive")
def test_independent_sources_add():
    rows = zip(distributions(3, 30, seed=6), distributions(5, 30, seed=7), strict=True)
    for p, q in rows:
        pairs = [a * b for a, b in product(p, q)]
        assert equal(exact_entropy(pairs), exact_entropy(p) + exact_entropy(q))


# Codes


def prefix_free(words: Sequence[str]) -> bool:
    return not any(b.startswith(a) for a, b in product(words, repeat=2) if a is not b)


def spent(lengths: Sequence[int]) -> Fraction:
    return sum((Fraction(1, 2**length) for length in lengths), Fraction())


def strings(longest: int) -> list[str]:
    return ["".join(w) for n in range(longest + 1) for w in product("01", repeat=n)]


@pytest.mark.theorem("thm-kraft")
def test_prefix_free_words_keep_to_the_budget():
    """Every set of up to four words of up to three letters."""
    kept = 0
    for count in (1, 2, 3, 4):
        for words in combinations(strings(3), count):
            if prefix_free(words):
                kept += 1
                assert spent([*map(len, words)]) <= 1
    assert kept > 100


@pytest.mark.theorem("thm-kraft")
def test_lengths_within_the_budget_have_words():
    """Every choice of up to six lengths of up to five, against binary fractions."""
    within = 0
    for count in range(1, 7):
        for lengths in combinations_with_replacement(range(6), count):
            if spent(lengths) > 1:
                with pytest.raises(ValueError, match="no such code"):
                    prefix_code(lengths)
                continue
            within += 1
            words = prefix_code(lengths)
            assert tuple(map(len, words)) == lengths
            assert prefix_free(words)
            for k, word in enumerate(words):
                assert Fraction(int(word or "0", 2), 2 ** len(word)) == spent(
                    lengths[:k]
                )
    assert within > 100


def test_words_keep_the_places_of_their_lengths():
    assert prefix_code([3, 1, 3, 2]) == ["110", "0", "111", "10"]
    assert prefix_code([]) == []


def uniquely_decodable(words: Sequence[str]) -> bool:
    """Sardinas and Patterson: no dangling suffix is a word."""
    dangling = {b[len(a) :] for a, b in product(words, repeat=2) if b.startswith(a)}
    dangling.discard("")
    seen: set[str] = set()
    while dangling - seen:
        seen |= dangling
        if seen & set(words):
            return False
        new = {w[len(s) :] for s, w in product(seen, words) if w.startswith(s)}
        new |= {s[len(w) :] for s, w in product(seen, words) if s.startswith(w)}
        dangling = new
    return "" not in seen


@pytest.mark.theorem("thm-mcmillan")
def test_codes_that_can_be_read_keep_to_the_budget():
    """Every set of up to four words of up to three letters; not all prefix-free."""
    unusual = 0
    for count in (1, 2, 3, 4):
        for words in combinations(strings(3)[1:], count):
            if uniquely_decodable(words):
                unusual += not prefix_free(words)
                assert spent([*map(len, words)]) <= 1
    assert unusual > 50
    assert not uniquely_decodable(["0", "1", "01"])
    assert not uniquely_decodable(["0", "01", "10"])


@pytest.mark.theorem("thm-mean-length")
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_no_code_beats_the_entropy(classes):
    choices = [ls for ls in product(range(1, 6), repeat=classes) if spent(ls) <= 1]
    dyadic = [Fraction(1, 2 ** min(k + 1, classes - 1)) for k in range(classes)]
    attained = 0
    for p in (dyadic, *distributions(classes, 12, seed=8)):
        h = bits(p)
        for lengths in choices:
            m = ball(sum((a * b for a, b in zip(p, lengths, strict=True)), Fraction()))
            ideal = all(
                a in (0, Fraction(1, 2**b)) for a, b in zip(p, lengths, strict=True)
            )
            assert equal(m, h) if ideal else m > h
            attained += ideal
    assert attained > 0


def shannon_lengths(p: Row) -> list[int]:
    """The smallest l with 2**-l <= p_i, by integers."""
    return [next(n for n in range(999) if Fraction(1, 2**n) <= v) for v in p]


@pytest.mark.theorem("thm-mean-length")
@pytest.mark.parametrize("classes", [1, 2, 5, 30])
def test_rounded_lengths_waste_less_than_a_bit(classes):
    for p in distributions(classes, 30, seed=9):
        if 0 not in p:
            lengths = shannon_lengths(p)
            assert prefix_free(prefix_code(lengths))
            m = sum((a * b for a, b in zip(p, lengths, strict=True)), Fraction())
            assert ball(m) < bits(p) + 1


def mean(p: Sequence[float | Fraction], lengths: Sequence[int]) -> Fraction:
    pairs = zip(p, lengths, strict=True)
    return sum((Fraction(a) * b for a, b in pairs), Fraction())


def least_mean(p: Sequence[float | Fraction]) -> Fraction:
    """Over every choice of lengths; the longest go to the lightest."""
    falling, longest = sorted(p, reverse=True), max(len(p) - 1, 0)
    choices = combinations_with_replacement(range(longest + 1), len(p))
    return min(mean(falling, lengths) for lengths in choices if spent(lengths) <= 1)


AWKWARD = [0.4, 0.2, 0.2, 0.15, 0.05]


def hard_rows(classes: int) -> Iterator[list[float]]:
    rng = np.random.default_rng(classes)
    yield [1 / classes] * classes
    yield [0.0] * classes
    yield [1.0] + [0.0] * (classes - 1)
    yield [2.0**-1074] * (classes - 1) + [1.0]
    yield [0.5**k for k in range(1, classes + 1)]
    for _ in range(30):
        yield rng.random(classes).tolist()
        yield (rng.integers(0, 10, classes) / 20).tolist()
        yield (rng.choice([0.1, 0.2, 0.3, 0.1 + 0.2], classes)).tolist()


@pytest.mark.theorem("thm-huffman")
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5, 6])
def test_no_code_is_shorter_than_huffmans(classes):
    rows = [AWKWARD] if classes == 5 else []
    for p in (*rows, *hard_rows(classes)):
        words = sxlit.huffman_code(p)
        lengths = [len(word) for word in words]
        assert mean(p, lengths) == least_mean(p)
        assert prefix_free(words)
        assert spent(lengths) == 1


def test_rounded_sums_would_not_do():
    """The same search finds fault with sums of floats."""
    assert mean(AWKWARD, huffman_lengths(AWKWARD)) > least_mean(AWKWARD)


def test_the_longest_word_is_as_short_as_it_can_be():
    for classes in (3, 5, 6):
        for p in hard_rows(classes):
            lengths = [len(word) for word in sxlit.huffman_code(p)]
            falling = sorted(p, reverse=True)
            rivals = [
                ls
                for ls in combinations_with_replacement(range(classes), classes)
                if spent(ls) <= 1 and mean(falling, ls) == mean(p, lengths)
            ]
            assert max(lengths) == min(map(max, rivals))


@pytest.mark.theorem("cor-blocks")
@pytest.mark.parametrize(
    "p", [[Fraction(9, 10), Fraction(1, 10)], [Fraction(1, 3)] * 3]
)
def test_blocks_come_close(p):
    block = [Fraction(1)]
    for n in range(1, 6):
        block = [a * b for a, b in product(block, p)]
        m = ball(mean(block, huffman_lengths(block)))
        assert m > n * bits(p)
        assert m < n * bits(p) + 1


def test_ties_go_by_the_order_of_symbols():
    assert sxlit.huffman_code([0.5, 0.25, 0.25]) == ["0", "10", "11"]
    assert sxlit.huffman_code([0.25, 0.25, 0.5]) == ["10", "11", "0"]
    assert sxlit.huffman_code([1 / 3] * 3) == ["0", "10", "11"]
    assert sxlit.huffman_code([0.25] * 4) == ["00", "01", "10", "11"]
    assert sxlit.huffman_code([1.0]) == [""]
    assert sxlit.huffman_code([0.0, 1.0, 0.0]) == ["10", "0", "11"]


def test_a_code_of_many_symbols():
    p = np.random.default_rng(10).random(3000)
    words = sxlit.huffman_code(p)
    assert len(set(words)) == 3000
    assert spent([*map(len, words)]) == 1
    m = float(mean(p.tolist(), [*map(len, words)])) / p.sum()
    assert 0 <= m - sxlit.entropy(p / p.sum(), base=2) < 0.1


@pytest.mark.parametrize(
    ("p", "fault"),
    [
        ([[0.5, 0.5]], r"one distribution, got shape \(1, 2\)"),
        ([0.5, NAN], r"p\[1\] is nan"),
        ([0.5, 1.5], r"p\[1\] is 1.5"),
        ([], "no classes"),
        (0.5, "expected a class axis"),
    ],
)
def test_what_has_no_code(p, fault):
    with pytest.raises(ValueError, match=fault):
        sxlit.huffman_code(p)


# Bounds


def probability_rows(dtype: str) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(11)
    info = np.finfo(dtype)
    one = 1 - float(info.epsneg)
    yield np.array([1.0])
    yield np.array([0.0, 1.0])
    yield np.array([one, 1 - one])
    yield np.array([float(info.smallest_subnormal), 1.0])
    yield np.array([float(info.smallest_normal)] * 50 + [0.0])
    yield np.full(1000, 1e-3)
    for spread in (1, 30, 300):
        yield sxlit.softmax(spread * rng.standard_normal(129))
    yield rng.random(10) ** 40


def off(computed: Any, exact: arb) -> arb:
    return abs(ball(float(computed)) - exact)


BASES = pytest.mark.parametrize("base", [None, 2, 10, 0.5, 1 + 2.0**-40])


@BASES
@DTYPES
@pytest.mark.theorem("thm-self-information-error", "thm-entropy-error")
def test_information_is_within_its_bounds(dtype, base):
    numerics = bounds.Numerics.required(dtype)
    scale = arb(1) if base is None else ball(base).log()
    for row in probability_rows(dtype):
        p = row.astype(dtype)
        values = sxlit.self_information(p, base)
        allowed = bounds.self_information(p, base, numerics=numerics)
        assert allowed.shape == p.shape
        assert allowed.dtype == np.float64
        for v, value, bound in zip(p.tolist(), values, allowed, strict=True):
            if v:
                assert off(value, -ball(v).log() / scale) <= ball(bound)
        h = exact_entropy(p.tolist()) / scale
        bound = bounds.entropy(p, base=base, numerics=numerics)
        assert off(sxlit.entropy(p, base=base), h) <= ball(float(bound))


def entropy_in_place(p: np.ndarray, base: float | None) -> np.floating[Any]:
    """As others compute it: in the dtype of p, with the scaling after the sum."""
    kept = p[p > 0]
    with np.errstate(under="ignore"):
        total = -(kept * np.log(kept)).sum(dtype=p.dtype)
    return total if base is None else total / np.log(p.dtype.type(base))


@pytest.mark.parametrize("base", [None, 2, 10, 0.5])
@DTYPES
@pytest.mark.theorem("thm-entropy-error")
def test_other_programs_are_within_the_bound(dtype, base):
    numerics = bounds.Numerics.required(dtype)
    scale = arb(1) if base is None else ball(base).log()
    for row in probability_rows(dtype):
        p = row.astype(dtype)
        h = exact_entropy(p.tolist()) / scale
        bound = bounds.entropy(p, base=base, numerics=numerics, grade="standard")
        assert off(entropy_in_place(p, base), h) <= ball(float(bound))


@DTYPES
def test_a_logarithm_of_the_reciprocal_exceeds_the_bound(dtype):
    p = np.array([1 - np.finfo(dtype).epsneg, 0], dtype)
    numerics = bounds.Numerics.required(dtype)
    h = exact_entropy(p.tolist())
    bound = ball(float(bounds.entropy(p, numerics=numerics)))
    assert off(p[0] * np.log(1 / p[0]), h) > 1000 * bound
    assert off(p[0] * -np.log(p[0]), h) <= bound


def logit_rows() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(12)
    yield np.array([3.0])
    yield np.array([40.0, 0.0])
    yield np.array([20.0, 0.0, 0.0])
    yield np.array([0.0, -100.0, -INF])
    yield np.array([0.0, -740.0, -800.0])
    yield np.array([0.0, -1e5, -1e30])
    yield np.full(1000, 1e4)
    for spread in (1, 30, 300):
        yield spread * rng.standard_normal(129) + 1e3
    yield np.where(np.arange(1000) == 7, 30.0, 0.0)


def exact_from_logits(x: Sequence[float]) -> arb:
    """sum p (d + log s); far below the precision an exponential is an enclosure."""
    gaps = [ball(max(x)) - ball(v) for v in x if v > -INF]
    weights = [(-gap).exp() for gap in gaps]
    s = sum(weights, arb(0))
    pairs = zip(gaps, weights, strict=True)
    return sum((w * (gap + s.log()) for gap, w in pairs), arb(0)) / s


def others_from_logits(x: np.ndarray) -> np.ndarray:
    """As others compute it: a quotient times the gap and the log of the sum."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        d = x.max() - x
        e = np.exp(-d)
        terms = e / e.sum() * (d + np.log(e.sum()))
        return np.where(e == 0, 0, terms).sum(dtype=x.dtype)


@DTYPES
@pytest.mark.theorem("thm-entropy-from-logits-error")
def test_entropy_from_logits_is_within_its_bounds(dtype):
    numerics = bounds.Numerics.required(dtype)
    bound = bounds.entropy_from_logits
    for row in logit_rows():
        x = row.astype(dtype)
        h = exact_from_logits(x.tolist())
        hra = ball(float(bound(x, numerics=numerics)))
        standard = ball(float(bound(x, numerics=numerics, grade="standard")))
        assert off(sxlit.entropy_from_logits(x), h) <= hra
        assert hra <= standard
        assert off(others_from_logits(x), h) <= standard


@DTYPES
def test_the_detour_through_softmax_exceeds_the_bound(dtype):
    x = np.array([20 if dtype == "float32" else 40, 0], dtype)
    numerics = bounds.Numerics.required(dtype)
    h = exact_from_logits(x.tolist())
    bound = ball(float(bounds.entropy_from_logits(x, numerics=numerics)))
    assert off(sxlit.entropy(sxlit.softmax(x)), h) > 1000 * bound
    assert off(others_from_logits(x), h) > 1000 * bound


@DTYPES
def test_bounds_stay_small(dtype):
    """Relative, in units of u, where nothing underflows: tight enough to say no."""
    numerics = bounds.Numerics.required(dtype)
    x = np.random.default_rng(13).standard_normal((4, 129)).astype(dtype)
    x[1, 0] = 30
    p = sxlit.softmax(x)
    for base in (None, 2):
        h = sxlit.entropy(p, base=base).astype(float)
        allowed = bounds.entropy(p, base=base, numerics=numerics)
        assert (allowed < 90 * numerics.unit * h).all()
    h = sxlit.entropy_from_logits(x).astype(float)
    allowed = bounds.entropy_from_logits(x, numerics=numerics)
    assert (allowed < 200 * numerics.unit * h).all()


def test_a_bound_without_underflow():
    exact = bounds.Numerics(2.0**-53, 2.0**-53, 2.0**-53, 0.0)
    assert bounds.entropy_from_logits([0.0, -INF, -1e300], numerics=exact) == 0
    assert bounds.entropy([0.0, 1.0], numerics=exact) == 0
    assert same_bits(bounds.self_information([0.0, 1.0], numerics=exact), [0.0, 0.0])


@pytest.mark.parametrize("name", ["self_information", "entropy", "entropy_from_logits"])
def test_bounds_refuse_what_their_functions_refuse(name):
    bound, f64 = getattr(bounds, name), bounds.Numerics.required("float64")
    with pytest.raises(ValueError, match="grade: expected"):
        bound([0.5, 0.5], numerics=f64, grade="HRA")
    with pytest.raises(TypeError, match="expected float16"):
        bound(np.array([0.5], np.longdouble), numerics=f64)
    if name != "entropy_from_logits":
        with pytest.raises(ValueError, match=r"p\[0\] is 2.0"):
            bound([2.0, 0.5], numerics=f64)
        with pytest.raises(ValueError, match="base: expected"):
            bound([0.5, 0.5], base=1, numerics=f64)


# The rounding


def rounded_well(f: Any, rows: np.ndarray, exact: list[arb]) -> None:
    """Correctly in short dtypes and with double-double, else within 5/8 ulp."""
    if rows.dtype == np.float64:
        assert worst_ulp(f(rows), exact) <= 0.625
    with count_undecided() as undecided:
        wrong = misrounded(f(rows, precision="double-double"), exact)
    assert len(wrong) <= undecided.count <= (rows.dtype == np.float64)


@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
@pytest.mark.parametrize("base", [None, 2, 10, 0.3])
def test_information_is_rounded_correctly(base, dtype):
    scale = arb(1) if base is None else ball(base).log()
    rng = np.random.default_rng(21)
    spread = np.array([0.1, 1.0, 10.0])[np.arange(12) % 3, None]
    p = sxlit.softmax((spread * rng.standard_normal((12, 6))).astype(as_dtype(dtype)))
    p = p[((p > 0) & (p < 1)).all(axis=-1)]
    each = [-ball(v).log() / scale for v in p.ravel().tolist()]
    rounded_well(lambda p, **k: sxlit.self_information(p, base, **k), p, each)
    whole = [exact_entropy(row.tolist()) / scale for row in p]
    rounded_well(lambda p, **k: sxlit.entropy(p, base=base, **k), p, whole)


@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_powers_of_two_in_bits_are_exact_even_at_a_tie(dtype):
    """Sums of k / 2^k with more bits than a short dtype has: many are halfway."""
    rng = np.random.default_rng(22)
    k = rng.integers(1, 14, (300, 9))
    p = (2.0 ** -k.astype(float)).astype(as_dtype(dtype))
    exact = [ball(sum(Fraction(int(n), 2 ** int(n)) for n in row)) for row in k]
    rounded_well(lambda p, **k: sxlit.entropy(p, base=2, **k), p, exact)
    third = [value / 3 for value in exact]
    rounded_well(lambda p, **k: sxlit.entropy(p, base=8, **k), p, third)


@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_entropies_of_logits_are_rounded_correctly(dtype):
    rng = np.random.default_rng(23)
    spread = np.array([1e-4, 1.0, 30.0])[np.arange(12) % 3, None]
    x = (spread * rng.standard_normal((12, 6))).astype(as_dtype(dtype))
    x[::4, 0] = -INF
    exact = [exact_from_logits(row) for row in x.tolist()]
    rounded_well(sxlit.entropy_from_logits, x, exact)


# Edges


@DTYPES
def test_special_probabilities(dtype):
    p = np.array([0, -0.0, 1, NAN], dtype)
    assert same_bits(sxlit.self_information(p), np.array([INF, INF, 0, NAN], dtype))
    assert same_bits(sxlit.self_information(p, 2), np.array([INF, INF, 0, NAN], dtype))
    half = np.array([-INF, -INF, 0, NAN], dtype)
    assert same_bits(sxlit.self_information(p, 0.5), half)


@DTYPES
def test_a_nan_stays_in_its_row(dtype):
    p = np.array([[0.5, 0.5], [NAN, 0.0], [NAN, 7.0], [0.0, 1.0]], dtype)
    expected = np.array([np.log(2), NAN, NAN, 0], dtype)
    assert same_bits(sxlit.entropy(p), expected)
    p[2, 1] = 0
    np.testing.assert_array_equal(as_probabilities(p, -1).rows, p)


@pytest.mark.parametrize("beside", [INF, -INF, -1.0, 1e308])
def test_what_stands_beside_a_nan_does_not_matter(beside):
    numerics = bounds.Numerics.required("float64")
    assert np.isnan(sxlit.entropy([NAN, beside, 0.5, -beside]))
    assert np.isnan(bounds.entropy([NAN, beside], numerics=numerics))


@pytest.mark.parametrize(
    ("x", "h"),
    [
        ([0, -INF, 0], np.log(2)),
        ([-INF, 5, -INF], 0),
        ([-INF, -INF, -INF], NAN),
        ([INF, 0, -INF], 0),
        ([INF, INF, 0], NAN),
        ([NAN, 0, INF], NAN),
        ([0, -1e5, 0], np.log(2)),
        ([1.5e38, -1.5e38, 0], 0),
    ],
)
@DTYPES
def test_special_logits(x, h, dtype):
    """In a batch, so that the rows beside it are seen to be untouched."""
    rows = np.array([[1, 2, 3], x, [1, 2, 3]], dtype)
    result = sxlit.entropy_from_logits(rows)
    assert same_bits(result[1], np.array(h, dtype)[()])
    assert same_bits(result[0], result[2])
    assert same_bits(result[0], sxlit.entropy_from_logits(rows[0]))


def test_the_farthest_logits():
    assert sxlit.entropy_from_logits([1.7e308, -1.7e308]) == 0


@pytest.mark.parametrize(
    ("p", "axis", "where"),
    [
        ([0.5, 1.5], -1, r"p\[1\] is 1.5"),
        ([[0.5, 0.5], [1.0, -1e-300]], -1, r"p\[1, 1\] is -1e-300"),
        ([[0.5, 0.5], [INF, 0.5]], 0, r"p\[1, 0\] is inf"),
        ([[[0.5, 0.5], [2, 0.5]]], 1, r"p\[0, 1, 0\] is 2.0"),
        ([[NAN, 3.0], [0.0, 50]], -1, r"p\[1, 1\] is 50.0"),
    ],
)
def test_what_is_no_probability_is_named(p, axis, where):
    with pytest.raises(ValueError, match=where):
        sxlit.entropy(p, axis)
    with pytest.raises(ValueError, match=where.replace("p", "q")):
        as_probabilities(p, axis, name="q")


def test_one_number_that_is_no_probability():
    with pytest.raises(ValueError, match=r"p is 50.0: expected a probability"):
        sxlit.self_information(50)
    with pytest.raises(ValueError, match=r"p\[1, 0\] is -0.5"):
        sxlit.self_information([[0.5, NAN], [-0.5, 1]])


@pytest.mark.parametrize("base", [1, 0, -2, INF, NAN, True, 1.0])
def test_no_base(base):
    for f in (sxlit.self_information, sxlit.entropy):
        with pytest.raises(ValueError, match="base: expected a number above 0"):
            f([0.5, 0.5], base=base)


@pytest.mark.parametrize("base", ["2", np.array([2.0]), 2j])
def test_a_base_that_is_no_number(base):
    with pytest.raises(TypeError, match="base: expected a number"):
        sxlit.entropy([0.5, 0.5], base=base)


def test_bases_of_any_type():
    for base in (2, 2.0, np.float32(2), np.int64(2), Fraction(2)):
        assert sxlit.entropy([0.5, 0.25, 0.25], base=base) == 1.5


FUNCTIONS = pytest.mark.parametrize(
    "f", [sxlit.self_information, sxlit.entropy, sxlit.entropy_from_logits]
)


@FUNCTIONS
def test_dtypes(f):
    for dtype in map(as_dtype, (*SHORT, "float64")):
        assert np.asarray(f(np.array([0.25, 0.75], dtype))).dtype == dtype
    for whole in ([0, 1], [False, True], np.array([0, 1], np.uint8)):
        assert same_bits(f(whole), f([0.0, 1.0]))
    for refused in ("longdouble", "complex128", "U4", "object"):
        with pytest.raises(TypeError):
            f(np.array([0, 1]).astype(refused))
    with pytest.raises(TypeError, match="masked"):
        f(np.ma.masked_array([0.5, 0.5], [True, False]))


@FUNCTIONS
@DTYPES
def test_any_layout_gives_the_same_bits(f, dtype):
    p = np.random.default_rng(14).random((6, 8)).astype(dtype)
    before, wanted = p.copy(), f(p)
    strided, read_only = np.repeat(p, 2, axis=1)[:, ::2], p.copy()
    read_only.flags.writeable = False
    swapped = p.astype(p.dtype.newbyteorder())
    backwards = p[::-1, ::-1].copy()[::-1, ::-1]
    for other in (np.asfortranarray(p), strided, read_only, swapped, backwards):
        assert same_bits(f(other), wanted)
    assert same_bits(p, before)


@pytest.mark.parametrize("f", [sxlit.entropy, sxlit.entropy_from_logits])
def test_axes_and_shapes(f):
    p = np.random.default_rng(15).random((2, 3, 4))
    for axis in (0, 1, 2, -1, -3):
        assert same_bits(f(p, axis), f(np.moveaxis(p, axis, -1)))
    assert isinstance(f(p[0, 0]), np.float64)
    assert f(np.zeros((0, 3))).shape == (0,)
    for wrong in (np.zeros((3, 0)), 0.5):
        with pytest.raises(ValueError, match="class"):
            f(wrong)
    with pytest.raises(ValueError, match="no axis 3"):
        f(p, 3)
    with pytest.raises(TypeError, match="axis: expected an integer"):
        f(p, 1.0)


def test_self_information_is_elementwise():
    p = np.random.default_rng(16).random((2, 3))
    assert sxlit.self_information(p).shape == (2, 3)
    assert isinstance(sxlit.self_information(0.5), np.float64)
    assert isinstance(sxlit.self_information(np.float32(0.5)), np.float32)
    assert sxlit.self_information([]).shape == (0,)


@DTYPES
def test_a_row_does_not_depend_on_its_batch(dtype):
    x = np.random.default_rng(17).standard_normal((5, 33)).astype(dtype)
    p = sxlit.softmax(x)
    for f, rows in ((sxlit.entropy, p), (sxlit.entropy_from_logits, x)):
        assert same_bits(f(rows), np.stack([f(row) for row in rows]))


def test_a_shift_that_is_exact_changes_nothing():
    x = np.round(np.random.default_rng(18).standard_normal((5, 33)) * 16) / 16
    assert same_bits(sxlit.entropy_from_logits(x + 1024), sxlit.entropy_from_logits(x))
