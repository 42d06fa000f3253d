"""What every public function does with its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sxlit

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


def _g(axis: int) -> np.ndarray:
    return np.moveaxis(G, -1, axis)


def bits(x: Any) -> tuple[Any, ...]:
    array = np.asarray(x)
    return array.dtype, array.shape, array.tobytes()


@EVERY
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda x: np.ascontiguousarray(x[:, ::-1, ::-1])[:, ::-1, ::-1],
        lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
        lambda x: x.astype(x.dtype.newbyteorder(">")),
    ],
    ids=["fortran", "negative strides", "strided", "big-endian"],
)
def test_layout_leaves_no_trace(f, dtype, layout):
    x = X.astype(dtype)
    assert bits(f(layout(x))) == bits(f(x))


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
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_result_has_the_dtype_of_the_logits(f, dtype):
    assert np.asarray(f(X.astype(dtype))).dtype == dtype


@EVERY
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "bool"])
def test_integers_and_booleans_are_promoted_first(f, dtype):
    x = np.array([[[0, 1, 1], [1, 0, 1]]] * 2).astype(dtype)
    assert bits(f(x)) == bits(f(x.astype(float)))


def test_unsigned_difference_does_not_wrap_around():
    assert sxlit.softmax(np.array([0, 200], np.uint8))[1] == 1.0


@EVERY
@pytest.mark.parametrize(
    "dtype", ["float16", "longdouble", "complex128", "object", "str"]
)
def test_other_dtypes_are_refused(f, dtype):
    with pytest.raises(TypeError, match="expected float32, float64"):
        f(X.astype(dtype))


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


def test_the_sum_over_no_classes_is_empty():
    assert (sxlit.logsumexp(np.zeros((2, 0))) == -np.inf).all()


def test_keepdims_broadcasts_with_the_logits():
    kept = sxlit.logsumexp(X, axis=1, keepdims=True)
    assert kept.shape == (2, 1, 3)
    assert bits(kept[:, 0]) == bits(sxlit.logsumexp(X, axis=1))


@pytest.mark.parametrize(
    "f", [sxlit.softmax_jvp, sxlit.softmax_vjp, sxlit.log_softmax_jvp]
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
