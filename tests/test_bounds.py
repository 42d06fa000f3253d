"""The bounds hold, against exact values, and grow with what they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

import enclosures
import sxlit
from sxlit import bounds, linear
from sxlit_conformance import oracle
from sxlit_conformance.exact import rounded

GRADES = pytest.mark.parametrize("grade", ["standard", "hra"])
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def rows(kind: str, classes: int) -> np.ndarray:
    """Two rows of one temper."""
    x = np.random.default_rng(classes).standard_normal((2, classes))
    match kind:
        case "calm":
            return 3 * x
        case "dominated":
            x[:, 0] += 40
            return x
        case "far":
            return x + 1e4
        case "tied":
            return np.zeros_like(x)
        case "wide":
            return 300 * x
    raise ValueError(kind)


def questions(x: np.ndarray) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every operation that the oracle knows, asked of the rows."""
    rng = np.random.default_rng(5)
    g = rng.standard_normal(x.shape).astype(x.dtype)
    for name in ("softmax", "log_softmax", "logsumexp"):
        yield name, {"x": x}, {}
        cotangent = g if name != "logsumexp" else g[:, 0]
        yield f"{name}_vjp", {"x": x, "g": cotangent}, {}
    q = rng.random(x.shape)
    labels = rng.integers(x.shape[1], size=len(x))
    hot = np.eye(x.shape[1])[labels]
    for targets in (labels, q.astype(x.dtype), hot.astype(x.dtype)):
        for name in ("cross_entropy", "cross_entropy_grad"):
            for reduction in ("none", "mean"):
                arguments = {"logits": x, "targets": targets}
                yield name, arguments, {"reduction": reduction}


@pytest.mark.theorem(
    "thm-softmax-error",
    "thm-logsumexp-error",
    "thm-log-softmax-error",
    "thm-softmax-product-error",
    "thm-product-errors",
)
@GRADES
@DTYPES
@pytest.mark.parametrize("kind", ["calm", "dominated", "far", "tied", "wide"])
@pytest.mark.parametrize("classes", [1, 2, 3, 129])
def test_the_library_is_within_its_bounds(kind, classes, dtype, grade):
    x = rows(kind, classes).astype(dtype)
    numerics = bounds.Numerics.required(dtype)
    for name, arguments, options in questions(x):
        answer = getattr(sxlit, name)(*arguments.values(), **options)
        exact = oracle.reference(name, arguments, {"axis": -1, **options})
        error = np.abs((np.asarray(answer, float) - exact.hi) - exact.lo)
        allowed = getattr(bounds, name)(
            *arguments.values(), **options, numerics=numerics, grade=grade
        )
        assert allowed.shape == np.shape(answer)
        assert (error <= allowed).all(), name


def test_a_bound_can_be_exceeded():
    """The same comparison fails for the textbook loss at a gap of 20 in float32."""
    x = np.array([[20, 0, 0]], np.float32)
    exact = oracle.reference(
        "cross_entropy", {"logits": x, "targets": np.array([0])}, {"axis": -1}
    )
    error = abs(float(sxlit.textbook.cross_entropy(x, [0])) - exact.hi)
    f32 = bounds.Numerics.required("float32")
    assert error > 1000 * bounds.cross_entropy(x, [0], numerics=f32)


# What the oracle does not know is computed from its probabilities, in exact fractions.
# Each is (hi, lo), two doubles, and sums over j take the place of 1 - p, which cancels.
Row = list[Fraction]


def fractions(x: np.ndarray) -> list[Row]:
    """The probabilities of each row."""
    p = oracle.reference("softmax", {"x": x}, {"axis": -1})
    pairs = zip(p.hi.tolist(), p.lo.tolist(), strict=True)
    return [list(map(add, hi, lo)) for hi, lo in pairs]


def add(hi: float, lo: float) -> Fraction:
    return Fraction(hi) + Fraction(lo)


def differences(p: Row, v: Row) -> Row:
    """v_i - sum_j p_j v_j, as sum_j p_j (v_i - v_j)."""
    return [
        sum((q * (a - b) for q, b in zip(p, v, strict=True)), Fraction()) for a in v
    ]


def jacobian(p: Row) -> list[Row]:
    """p_i (delta_ij - p_j), with 1 - p_i as the sum of the others."""
    matrix = [[-a * b for b in p] for a in p]
    for i, a in enumerate(p):
        matrix[i][i] = a * sum(p[:i] + p[i + 1 :], Fraction())
    return matrix


def derivatives(x: np.ndarray, v: np.ndarray) -> dict[str, np.ndarray]:
    """Exactly, as arrays of fractions, one result a row."""
    found: dict[str, list[Any]] = {name: [] for name in DERIVATIVES}
    for p, direction in zip(fractions(x), v.tolist(), strict=True):
        exact = [Fraction(value) for value in direction]
        log_slope = differences(p, exact)
        found["log_softmax_jvp"].append(log_slope)
        found["softmax_jvp"].append([a * b for a, b in zip(p, log_slope, strict=True)])
        found["logsumexp_jvp"].append(sum(map(Fraction.__mul__, p, exact), Fraction()))
        found["softmax_jacobian"].append(jacobian(p))
    return {name: np.array(rows, dtype=object) for name, rows in found.items()}


DERIVATIVES = ("softmax_jvp", "log_softmax_jvp", "logsumexp_jvp", "softmax_jacobian")
exactly = np.frompyfunc(Fraction, 1, 1)


@pytest.mark.theorem(
    "thm-jacobian-error", "thm-softmax-product-error", "thm-product-errors"
)
@DTYPES
@pytest.mark.parametrize("kind", ["calm", "dominated", "far", "tied", "wide"])
@pytest.mark.parametrize("classes", [1, 2, 3, 10, 33])
def test_derivatives_along_a_direction_are_within_their_bounds(kind, classes, dtype):
    x = rows(kind, classes).astype(dtype)
    v = np.random.default_rng(6).standard_normal(x.shape).astype(dtype)
    numerics = bounds.Numerics.required(dtype)
    for name, exact in derivatives(x, v).items():
        arguments = (x,) if name == "softmax_jacobian" else (x, v)
        answer = getattr(sxlit, name)(*arguments)
        error = abs(exactly(answer.astype(float)) - exact)
        for grade in ("standard", "hra"):
            allowed = getattr(bounds, name)(*arguments, numerics=numerics, grade=grade)
            assert allowed.shape == answer.shape == exact.shape
            assert (error <= exactly(allowed)).all(), (name, grade)
            if kind == "calm" and classes > 1:  # and zeros would not be
                assert (abs(exact) > exactly(allowed)).all(), (name, grade)


@pytest.mark.theorem("thm-jacobian-error")
def test_a_diagonal_by_subtraction_exceeds_the_relative_bound():
    """p (1 - p) in float32 at a gap of 20 is 0; only the standard grade allows that."""
    x = np.array([[20, 0, 0]], np.float32)
    f32 = bounds.Numerics.required("float32")
    corner = derivatives(x, np.zeros((1, 3)))["softmax_jacobian"][0, 0, 0]
    assert corner > 1000 * bounds.softmax_jacobian(x, numerics=f32)[0, 0, 0]
    allowed = bounds.softmax_jacobian(x, numerics=f32, grade="standard")
    assert corner < allowed[0, 0, 0]


def evaluated() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows, and directions: ranges at which weights lose bits, or get lost, too."""
    rng = np.random.default_rng(10)
    for classes in (1, 2, 3, 9, 33, 400):
        z = rng.standard_normal(classes)
        for x in (3 * z, 0 * z, z + 1e4, z - np.log(np.exp(z).sum())):
            yield x, z[::-1]
        for spread in (30, 300, 700, 707.5, 745, 760, 1e5):
            x = -spread * rng.random(classes)
            yield x, z
            yield x, np.exp(np.minimum(-x, 600)) * z  # so that the far classes count
            yield np.where(np.arange(classes) == 0, 1, -spread + 0.1 * z), z


@pytest.mark.theorem("lem-evaluation", "lem-evaluation-rest")
@pytest.mark.parametrize("flushes", [False, True])
@DTYPES
def test_float64_makes_no_bound_too_small(dtype, flushes):
    """With the factor 1 + 2^-40, and 0.3 lambda for the subnormal numbers."""
    numerics = bounds.Numerics.required(dtype, flushes_subnormals=flushes)
    with ctx.workprec(200):
        factor = (1 + arb(2) ** -40) ** 2
        for x, v in evaluated():
            pair = [enclosures.Row(x.tolist(), numerics, part) for part in (0.7, 1.25)]
            for name, options, arguments in EVALUATED:
                if name == "softmax_jacobian" and x.size > 33:
                    continue
                given = [{"v": v, "g": v, "g0": v[0]}[a] for a in arguments]
                computed = getattr(bounds, name)(
                    x, *given, numerics=numerics, **options
                )
                lower, upper = (enclosed(row, name, options, given) for row in pair)
                # Of the diagonal's V more than the theorem's is taken, up to twice.
                loose = 2 if name == "softmax_jacobian" else 1
                for a, b, c in zip(
                    lower, computed.ravel().tolist(), upper, strict=True
                ):
                    assert a <= arb(b), name
                    assert arb(b) <= loose * factor * c, name


def enclosed(
    row: enclosures.Row, name: str, options: dict[str, str], given: list[Any]
) -> list[arb]:
    """The theorem's own number, from the page."""
    name = "softmax_vjp" if name == "softmax_jvp" else name
    bound = getattr(row, name)(*given, **options)
    if name == "softmax_jacobian":
        return [entry for line in bound for entry in line]
    return bound if isinstance(bound, list) else [bound]


EVALUATED: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("softmax", {}, ()),
    ("logsumexp", {"grade": "standard"}, ()),
    ("logsumexp", {"grade": "hra"}, ()),
    ("log_softmax", {"grade": "standard"}, ()),
    ("log_softmax", {"grade": "hra"}, ()),
    ("softmax_jacobian", {"grade": "standard"}, ()),
    ("softmax_jacobian", {"grade": "hra"}, ()),
    ("softmax_jvp", {}, ("v",)),
    ("softmax_vjp", {}, ("g",)),
    ("log_softmax_jvp", {"grade": "standard"}, ("v",)),
    ("log_softmax_jvp", {"grade": "hra"}, ("v",)),
    ("log_softmax_vjp", {"grade": "standard"}, ("g",)),
    ("log_softmax_vjp", {"grade": "hra"}, ("g",)),
    ("logsumexp_jvp", {}, ("v",)),
    ("logsumexp_vjp", {}, ("g0",)),
]


@DTYPES
def test_bounds_stay_small_where_they_may(dtype):
    """Relative bounds of a moderate row, in units of u: tight enough to say no."""
    x = rows("calm", 129).astype(dtype)
    numerics = bounds.Numerics.required(dtype)
    p = sxlit.softmax(x).astype(float)
    relative = bounds.softmax(x, numerics=numerics) / p / numerics.unit
    assert relative.max() < 100
    y = np.array([0, 1])
    loss = sxlit.cross_entropy(x, y).astype(float)
    allowed = bounds.cross_entropy(x, y, numerics=numerics)
    assert allowed / loss / numerics.unit < 100


def test_the_hra_bound_is_relative_where_the_loss_is_small():
    x = np.array([[40.0, 0.0, 0.0]])
    f64 = bounds.Numerics.required("float64")
    loss = sxlit.cross_entropy(x, [0])
    assert bounds.cross_entropy(x, [0], numerics=f64) < 100 * f64.unit * loss
    assert bounds.cross_entropy(x, [0], numerics=f64, grade="standard") > loss


@GRADES
def test_bounds_grow_with_what_they_depend_on(grade):
    x, y = rows("calm", 1000), np.array([0, 7])
    f64 = bounds.Numerics.required("float64")
    worse = [
        bounds.Numerics(2 * f64.unit, f64.accumulate, f64.store, f64.underflow),
        bounds.Numerics(f64.unit, 2 * f64.accumulate, f64.store, f64.underflow),
        bounds.Numerics(f64.unit, f64.accumulate, 2 * f64.store, f64.underflow),
        bounds.Numerics(f64.unit, f64.accumulate, f64.store, 1e-3),
        bounds.Numerics(f64.unit, f64.unit, f64.store, f64.underflow, exp=9.0),
        bounds.Numerics(f64.unit, f64.unit, f64.store, f64.underflow, height=99.0),
    ]
    for numerics in worse:
        for name, arguments in (("softmax", (x,)), ("cross_entropy_grad", (x, y))):
            bound = getattr(bounds, name)
            base = bound(*arguments, numerics=f64, grade=grade)
            assert (bound(*arguments, numerics=numerics, grade=grade) >= base).all()
            assert (bound(*arguments, numerics=numerics, grade=grade) > base).any()


def test_numerics_of_another_dtype():
    with pytest.raises(ValueError, match=r"expected 'float16', .* or 'float64'"):
        bounds.Numerics.required("float8_e4m3fn")
    with pytest.raises(ValueError, match="grade: expected"):
        bounds.Numerics.required("float16", grade="best")  # type: ignore[arg-type]


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 11), ("bfloat16", 8)])
def test_what_is_required_in_a_short_dtype(dtype, digits):
    standard = bounds.Numerics.required(dtype)
    strict = bounds.Numerics.required(dtype, grade="hra")
    f32 = bounds.Numerics.required("float32")
    assert standard.unit == standard.store == strict.store == 2.0**-digits
    assert standard.accumulate == strict.accumulate == strict.unit == f32.unit
    assert (standard.exp, standard.log, standard.log1p) == (1, 1, 1)
    assert (strict.exp, strict.log, strict.log1p) == (f32.exp, f32.log, f32.log1p)
    smallest = {"float16": 2.0**-24, "bfloat16": 2.0**-133}[dtype]
    assert standard.underflow == strict.store_underflow == smallest
    assert strict.underflow == f32.underflow
    # A sum of two or more is rounded once more, where it was accumulated wider.
    assert standard.summing(1) == strict.summing(1) == 0
    assert standard.summing(9) == strict.summing(9) + standard.rounding
    assert strict.summing(9) == f32.summing(9)


def test_subnormals_of_float16_are_nobodys_to_flush():
    """They are normal numbers of float32; those of bfloat16 are subnormal there."""
    required = bounds.Numerics.required
    for grade in ("standard", "hra"):
        keeps, flushes = (
            required("float16", grade=grade, flushes_subnormals=f) for f in (0, 1)
        )
        assert flushes.stored(np.zeros(1)) == keeps.stored(np.zeros(1))
    assert required("float16", flushes_subnormals=True) == required("float16")
    flushes = required("bfloat16", flushes_subnormals=True)
    assert flushes.underflow == 2 * 2.0**-126
    strict = required("bfloat16", grade="hra", flushes_subnormals=True)
    assert strict.store_underflow == strict.underflow == 2 * 2.0**-126


@pytest.mark.theorem("lem-last-store")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_last_store_may_underflow(dtype):
    """float32's softmax, stored short: within the bound, and not without the lemma."""
    strict = bounds.Numerics.required(dtype, grade="hra")
    smallest = strict.store_underflow
    gap = -np.log(smallest) - np.linspace(-2, 8, 401)
    x = np.stack([np.zeros_like(gap), -gap], axis=-1).astype(np.float32)
    p = oracle.reference("softmax", {"x": x}, {"axis": -1})
    near = rounded(p.hi, dtype).astype(np.float64)
    # Any other number within half a spacing and a rounding would do; so would these.
    error = np.abs((near - p.hi) - p.lo)
    theorem = bounds.softmax(x, numerics=strict)
    assert (error <= strict.stored(theorem)).all()
    assert (error > theorem).any()
    assert (strict.stored(theorem) == theorem + smallest / 2).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_rounded_function_of_float32_is_good_to_one_ulp(dtype):
    """The 3 to 4.5 ulp of float32 are nothing beside one rounding: k is 1 or less."""
    standard = bounds.Numerics.required(dtype)
    f32 = bounds.Numerics.required("float32")
    for k in (f32.exp, f32.log, f32.log1p):
        error = (1 + 2 * Fraction(k) * Fraction(f32.unit)) * (
            1 + Fraction(standard.unit)
        )
        assert error - 1 < 2 * Fraction(standard.unit) * Fraction(standard.exp)


SHORT = [
    pytest.param(dtype, grade, id=f"{dtype}-{grade}")
    for dtype in ("float16", "bfloat16")
    for grade in ("standard", "hra")
]


@pytest.mark.parametrize(("dtype", "required"), SHORT)
def test_the_theorems_hold_in_a_short_dtype(dtype, required):
    """eq-small, with the logarithms of chapters 6 and 7, for 2^19 classes."""
    numerics = bounds.Numerics.required(dtype, grade=required)
    assert numerics.underflow <= numerics.unit**2
    with ctx.workprec(200):
        row = enclosures.Row([0.0] * 2, numerics)
        spread, n = row.rho * arb(2**19).log(), 2**19
        sums = arb(numerics.summing(n)) * (1 + arb(2) ** -40)
        left = row.kappa + 2 * row.kappa_log + spread + sums + 2 * row.rho + row.rho_s
        assert left + 2 * n * row.lost <= arb(1) / 8


@pytest.mark.theorem("lem-evaluation")
@pytest.mark.parametrize(("dtype", "required"), SHORT)
def test_float64_makes_no_bound_of_a_short_dtype_too_small(dtype, required):
    """With the factor 1 + 2^-40, and lambda as it stands."""
    numerics = bounds.Numerics.required(dtype, grade=required)
    with ctx.workprec(200):
        factor = (1 + arb(2) ** -40) ** 2
        for x, v in evaluated():
            row = enclosures.Row(x.tolist(), numerics)
            for name, options, arguments in EVALUATED:
                if name == "softmax_jacobian":
                    continue
                given = [{"v": v, "g": v, "g0": v[0]}[a] for a in arguments]
                computed = getattr(bounds, name)(
                    x, *given, numerics=numerics, **options
                )
                exact = enclosed(row, name, options, given)
                pairs = zip(exact, computed.ravel().tolist(), strict=True)
                for a, b in pairs:
                    assert a <= arb(b) <= factor * a, name


@DTYPES
def test_whoever_flushes_subnormals_loses_what_they_hold(dtype):
    info = np.finfo(dtype)
    keeps = bounds.Numerics.required(dtype)
    flushes = bounds.Numerics.required(dtype, flushes_subnormals=True)
    assert keeps.underflow == float(info.smallest_subnormal)
    assert flushes.underflow == 2 * float(info.smallest_normal)
    assert flushes.unit == keeps.unit


def test_a_subnormal_probability_may_be_lost_only_where_they_are_flushed():
    """e^-100 is 26 spacings of float32's subnormals: 0 is wrong for who has them."""
    x = np.array([100, 0, 0], np.float32)
    keeps = bounds.Numerics.required("float32")
    flushes = bounds.Numerics.required("float32", flushes_subnormals=True)
    p = float(np.exp(-100.0))
    assert 0 < p < np.finfo(np.float32).smallest_normal
    assert (bounds.softmax(x, numerics=keeps)[1:] < p).all()
    assert (bounds.softmax(x, numerics=flushes)[1:] > p).all()
    lost = flushes.underflow - keeps.underflow
    wider = bounds.softmax(x, numerics=flushes) - bounds.softmax(x, numerics=keeps)
    assert (wider[1:] >= lost).all()


# rounded_once bounds any result that is rounded once: it is of no one function.
NAMES = [n for n in bounds.__all__ if n.islower() and n != "rounded_once"]
UNGRADED = ["fused_linear_cross_entropy"]  # of one algorithm, and of sxlit.linear


@pytest.mark.parametrize("name", [n for n in NAMES if n not in UNGRADED])
def test_an_unknown_grade_is_refused(name):
    x, f64 = np.zeros((1, 2)), bounds.Numerics.required("float64")
    arguments: tuple[Any, ...] = (x, [0]) if name.startswith("cross") else (x,)
    if name == "cross_entropy_hvp":
        arguments = (x, [0], x)
    elif name.startswith(("kl", "binary")) or name == "cross_entropy_of":
        arguments = (x, x)
    elif name.endswith(("jvp", "vjp")):
        arguments = (x, [1.0] if name == "logsumexp_vjp" else x)
    bound = getattr(bounds, name)
    assert np.isfinite(bound(*arguments, numerics=f64, grade="standard")).all()
    with pytest.raises(ValueError, match="grade: expected"):
        bound(*arguments, numerics=f64, grade="HRA")


@pytest.mark.parametrize("name", ["cross_entropy", "cross_entropy_grad"])
def test_an_unknown_reduction_is_refused(name):
    f64 = bounds.Numerics.required("float64")
    with pytest.raises(ValueError, match="reduction: expected"):
        getattr(bounds, name)(np.zeros((1, 2)), [0], numerics=f64, reduction="average")


@pytest.mark.parametrize("name", NAMES)
def test_every_bound_has_its_function(name):
    assert callable(getattr(linear if name in UNGRADED else sxlit, name))
