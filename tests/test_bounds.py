"""The bounds hold, against exact values, and grow with what they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import sxlit
from sxlit import bounds
from sxlit_conformance import oracle

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


def test_the_products_with_a_direction_are_within_their_bounds():
    """Jacobian and jvp in float32, against float64 from the oracle's probabilities."""
    x = (np.arange(5) * 0.7).astype(np.float32)[None]
    v = np.array([[1.0, -2.0, 0.5, 3.0, -0.25]], np.float32)
    f32 = bounds.Numerics.required("float32")
    p = oracle.reference("softmax", {"x": x}, {"axis": -1}).hi[0]
    mean = float((p * v[0].astype(float)).sum())
    exact = {
        "softmax_jvp": p * (v[0] - mean),
        "log_softmax_jvp": v[0] - mean,
        "logsumexp_jvp": mean,
    }
    for name, value in exact.items():
        error = np.abs(getattr(sxlit, name)(x, v)[0].astype(float) - value)
        assert (error <= getattr(bounds, name)(x, v, numerics=f32)[0]).all(), name
    matrix = np.diag(p) - np.outer(p, p)
    error = np.abs(sxlit.softmax_jacobian(x)[0].astype(float) - matrix)
    for grade in ("standard", "hra"):
        allowed = bounds.softmax_jacobian(x, numerics=f32, grade=grade)[0]
        assert (error <= allowed).all()


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
    with pytest.raises(ValueError, match="expected 'float32' or 'float64'"):
        bounds.Numerics.required("float16")


@pytest.mark.parametrize("name", [n for n in bounds.__all__ if n.islower()])
def test_every_bound_has_its_function(name):
    assert callable(getattr(sxlit, name))
