"""What every public function does with its arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import sxlit
from rounded import SHORT, as_dtype

X = np.array([[[0.5, -1.0, 2.0], [3.0, 0.25, -4.0]]] * 2)
X[1] *= 0.5
G = np.array([[[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]]] * 2)
Q = np.array([[[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]] * 2)
Y = np.array([[0, 2], [1, 1]])

# Each public function of the logits alone, class axis last in X.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "softmax": sxlit.softmax,
    "log_softmax": sxlit.log_softmax,
    "logsumexp": sxlit.logsumexp,
    "softmax_jvp": lambda x, axis=-1: sxlit.softmax_jvp(x, _g(axis), axis),
    "softmax_vjp": lambda x, axis=-1: sxlit.softmax_vjp(x, _g(axis), axis),
    "log_softmax_jvp": lambda x, axis=-1: sxlit.log_softmax_jvp(x, _g(axis), axis),
    "log_softmax_vjp": lambda x, axis=-1: sxlit.log_softmax_vjp(x, _g(axis), axis),
    "logsumexp_jvp": lambda x, axis=-1: sxlit.logsumexp_jvp(x, _g(axis), axis),
    "logsumexp_vjp": lambda x, axis=-1: sxlit.logsumexp_vjp(x, G[..., 0], axis),
    "loss of labels": lambda x, axis=-1: sxlit.cross_entropy(
        x, Y, axis=axis, reduction="none"
    ),
    "loss of distributions": lambda x, axis=-1: sxlit.cross_entropy(
        x, np.moveaxis(Q, -1, axis), axis=axis, reduction="none"
    ),
    "gradient of labels": lambda x, axis=-1: sxlit.cross_entropy_grad(x, Y, axis=axis),
    "gradient of distributions": lambda x, axis=-1: sxlit.cross_entropy_grad(
        x, np.moveaxis(Q, -1, axis), axis=axis
    ),
}
EVERY = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)

# Each public function with a second array, and that array.
losses = partial(sxlit.cross_entropy, reduction="none")
COMPANIONS: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
    "softmax_jvp": (sxlit.softmax_jvp, G),
    "softmax_vjp": (sxlit.softmax_vjp, G),
    "log_softmax_jvp": (sxlit.log_softmax_jvp, G),
    "log_softmax_vjp": (sxlit.log_softmax_vjp, G),
    "logsumexp_jvp": (sxlit.logsumexp_jvp, G),
    "logsumexp_vjp": (sxlit.logsumexp_vjp, G[..., 0]),
    "loss of labels": (losses, Y),
    "loss of distributions": (losses, Q),
    "gradient of labels": (sxlit.cross_entropy_grad, Y),
    "gradient of distributions": (sxlit.cross_entropy_grad, Q),
}
WITH = pytest.mark.parametrize(("f", "other"), COMPANIONS.values(), ids=COMPANIONS)
PRODUCTS = [name for name in COMPANIONS if name.endswith(("jvp", "vjp"))]


def _g(axis: int) -> np.ndarray:
    return np.moveaxis(G, -1, axis)


def bits(x: Any) -> tuple[Any, ...]:
    array = np.asarray(x)
    return array.dtype, array.shape, array.tobytes()


def turned(x: np.ndarray) -> np.ndarray:
    """The same values through negative strides."""
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
LAID_OUT = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@EVERY
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@LAID_OUT
def test_layout_leaves_no_trace(f, dtype, layout):
    x = X.astype(dtype)
    assert bits(f(layout(x))) == bits(f(x))


@WITH
@LAID_OUT
def test_the_layout_of_a_companion_leaves_no_trace(f, other, layout):
    """Of directions, cotangents, distributions and labels, beside any logits."""
    before = other.copy()
    assert bits(f(X, layout(other))) == bits(f(X, other))
    assert bits(f(layout(X), layout(other))) == bits(f(X, other))
    assert bits(other) == bits(before)


@EVERY
def test_read_only_input_is_read_and_not_written(f):
    x = X.copy()
    x.flags.writeable = False
    f(x)
    assert bits(x) == bits(X)


@EVERY
@pytest.mark.parametrize("axis", [0, 1, -2])
def test_any_class_axis(f, axis):
    """The class axis may lie anywhere; results with classes keep it there."""
    moved = f(np.moveaxis(X, -1, axis), axis=axis)
    plain = f(X)
    if np.ndim(plain) == X.ndim:
        moved = np.moveaxis(moved, axis, -1)
    assert bits(moved) == bits(plain)


@EVERY
@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_result_has_the_dtype_of_the_logits(f, dtype):
    assert np.asarray(f(X.astype(as_dtype(dtype)))).dtype == as_dtype(dtype)


@EVERY
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "bool"])
def test_integers_and_booleans_are_promoted_first(f, dtype):
    x = np.array([[[0, 1, 1], [1, 0, 1]]] * 2).astype(dtype)
    assert bits(f(x)) == bits(f(x.astype(float)))


def test_unsigned_difference_does_not_wrap_around():
    assert sxlit.softmax(np.array([0, 200], np.uint8))[1] == 1.0


@EVERY
@pytest.mark.parametrize("dtype", ["longdouble", "complex128", "object", "str"])
def test_other_dtypes_are_refused(f, dtype):
    with pytest.raises(TypeError, match="expected float16, bfloat16, float32, float64"):
        f(X.astype(dtype))


@WITH
@pytest.mark.parametrize("dtype", SHORT)
def test_companions_may_be_of_any_dtype(f, other, dtype):
    """Distributions and directions count with their values; labels are integers."""
    if other is Y:
        with pytest.raises(TypeError, match="labels, which must be integers"):
            f(X, other.astype(as_dtype(dtype)))
        return
    short = other.astype(as_dtype(dtype))
    assert bits(f(X, short)) == bits(f(X, short.astype(float)))


@EVERY
def test_an_empty_batch_gives_an_empty_result(f, monkeypatch):
    for name in ("G", "Q", "Y"):
        monkeypatch.setattr(f"{__name__}.{name}", globals()[name][:0])
    assert np.asarray(f(X[:0])).size == 0


@pytest.mark.parametrize("axis", [7, -4])
def test_no_such_axis_names_those_there_are(axis):
    wanted = rf"no axis {axis}; choose from -3 to 2"
    with pytest.raises(ValueError, match=wanted):
        sxlit.softmax(X, axis=axis)
    with pytest.raises(ValueError, match=wanted):
        sxlit.cross_entropy(X, Y, axis=axis)


@pytest.mark.parametrize("axis", [0.0, "0", None])
def test_an_axis_is_an_integer(axis):
    with pytest.raises(TypeError, match="axis: expected an integer"):
        sxlit.softmax(X, axis=axis)


def test_a_number_has_no_class_axis():
    with pytest.raises(ValueError, match="expected a class axis"):
        sxlit.softmax(3.0)


def test_a_ragged_list_is_refused():
    with pytest.raises(ValueError, match="expected a rectangular array"):
        sxlit.softmax([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("f", [sxlit.softmax, sxlit.log_softmax])
def test_no_classes_is_an_error(f):
    with pytest.raises(ValueError, match="no classes"):
        f(np.zeros((2, 0)))


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_over_no_classes_are_an_error(name):
    """Even of log-sum-exp, whose value is -inf there: there is nothing to move."""
    x = np.zeros((2, 0))
    other = np.zeros(2) if name == "logsumexp_vjp" else x
    with pytest.raises(ValueError, match="no classes"):
        getattr(sxlit, name)(x, other)


def test_the_jacobian_of_no_classes_is_an_error():
    with pytest.raises(ValueError, match="no classes"):
        sxlit.softmax_jacobian(np.zeros((2, 0)))


def test_the_sum_over_no_classes_is_empty():
    assert (sxlit.logsumexp(np.zeros((2, 0))) == -np.inf).all()


def test_keepdims_broadcasts_with_the_logits():
    kept = sxlit.logsumexp(X, axis=1, keepdims=True)
    assert kept.shape == (2, 1, 3)
    assert bits(kept[:, 0]) == bits(sxlit.logsumexp(X, axis=1))


@pytest.mark.parametrize(
    "f",
    [
        sxlit.softmax_jvp,
        sxlit.softmax_vjp,
        sxlit.log_softmax_jvp,
        sxlit.log_softmax_vjp,
        sxlit.logsumexp_jvp,
    ],
)
@pytest.mark.parametrize("shape", [(3,), (1, 2, 3), (2, 2, 1), ()])
def test_companions_are_never_broadcast(f, shape):
    with pytest.raises(ValueError, match=r"expected the shape of the logits"):
        f(X, np.ones(shape))


def test_a_row_companion_is_never_broadcast():
    with pytest.raises(ValueError, match="one number for each row"):
        sxlit.logsumexp_vjp(X, np.ones((1, 2)))


def test_a_mask_is_not_lost_in_silence():
    masked = np.ma.masked_array([1.0, 2.0], [0, 1])
    with pytest.raises(TypeError, match="masked array, whose mask would be lost"):
        sxlit.softmax(masked)


@WITH
def test_a_mask_of_a_companion_is_not_lost_in_silence(f, other):
    with pytest.raises(TypeError, match="masked array"):
        f(X, np.ma.masked_array(other, np.zeros(other.shape, bool)))


@WITH
def test_ragged_companions_are_refused(f, other):
    ragged = other.tolist()
    ragged[0] = ragged[0][:1]
    with pytest.raises(ValueError, match="expected a rectangular array"):
        f(X, ragged)
