"""JAX op by op, with Optax for the loss. Requires: jax, optax."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "jax"
DTYPES = ("float16", "bfloat16", "float32", "float64")
DEVICES = ("cpu", "cuda")
VERSION = ""
COMPANIONS: dict[str, str] = {}
FLUSHES_SUBNORMALS = True  # XLA does, on a CPU

jax: Any = None
optax: Any = None
place: Any = None


def setup(device: str, mode: str) -> None:
    global jax, optax, place, VERSION
    jax, optax = import_module("jax"), import_module("optax")
    import_module("jax.scipy.special")
    VERSION = str(jax.__version__)
    COMPANIONS["Optax"] = str(optax.__version__)
    jax.config.update("jax_enable_x64", True)  # else float64 becomes float32
    try:
        place = jax.devices(device)[0]
    except RuntimeError as error:
        raise LookupError(f"jax sees no {device} device here") from error


def put(array: Array) -> Any:
    if not array.dtype.isnative:
        raise NotImplementedError("no JAX array has swapped bytes")
    return jax.device_put(array, place)


def sigmoid(x: Array) -> Array:
    return np.asarray(jax.nn.sigmoid(put(x)))


def log_sigmoid(x: Array) -> Array:
    return np.asarray(jax.nn.log_sigmoid(put(x)))


def sigmoid_vjp(x: Array, g: Array) -> Array:
    return pulled_back(jax.nn.sigmoid, x, g)


def sigmoid_jvp(x: Array, v: Array) -> Array:
    return pushed(jax.nn.sigmoid, x, v)


def log_sigmoid_vjp(x: Array, g: Array) -> Array:
    return pulled_back(jax.nn.log_sigmoid, x, g)


def log_sigmoid_jvp(x: Array, v: Array) -> Array:
    return pushed(jax.nn.log_sigmoid, x, v)


def softmax(x: Array, axis: int) -> Array:
    return np.asarray(jax.nn.softmax(put(x), axis=axis))


def log_softmax(x: Array, axis: int) -> Array:
    return np.asarray(jax.nn.log_softmax(put(x), axis=axis))


def logsumexp(x: Array, axis: int) -> Array:
    return np.asarray(jax.nn.logsumexp(put(x), axis=axis))


def softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(jax.nn.softmax, x, g, axis=axis)


def softmax_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(jax.nn.softmax, x, v, axis=axis)


def log_softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(jax.nn.log_softmax, x, g, axis=axis)


def log_softmax_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(jax.nn.log_softmax, x, v, axis=axis)


def logsumexp_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(jax.nn.logsumexp, x, g, axis=axis)


def logsumexp_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(jax.nn.logsumexp, x, v, axis=axis)


def pulled_back(function: Any, x: Array, g: Array, **axis: int) -> Array:
    _, pull = jax.vjp(lambda start: function(start, **axis), put(x))
    return np.asarray(pull(put(g))[0])


def pushed(function: Any, x: Array, v: Array, **axis: int) -> Array:
    pair = (put(x),), (put(v),)
    return np.asarray(jax.jvp(lambda start: function(start, **axis), *pair)[1])


def entropy(p: Array, axis: int) -> Array:
    return np.asarray(jax.scipy.special.entr(put(p)).sum(axis))


def kl_divergence(p: Array, q: Array, axis: int) -> Array:
    return np.asarray(jax.scipy.special.rel_entr(put(p), put(q)).sum(axis))


def cross_entropy(
    logits: Array,
    targets: Array,
    *,
    axis: int,
    reduction: str,
    label_smoothing: float | None = None,
) -> Array:
    total = loss(targets, axis, reduction, label_smoothing)
    return np.asarray(total(put(logits)))


def cross_entropy_grad(
    logits: Array,
    targets: Array,
    *,
    axis: int,
    reduction: str,
    label_smoothing: float | None = None,
) -> Array:
    total = loss(targets, axis, reduction, label_smoothing)
    return np.asarray(jax.grad(lambda x: total(x).sum())(put(logits)))


def cross_entropy_hvp(
    logits: Array,
    targets: Array,
    v: Array,
    *,
    axis: int,
    reduction: str,
    label_smoothing: float | None = None,
) -> Array:
    """Forward over reverse, as JAX's own guide has it."""
    total = loss(targets, axis, reduction, label_smoothing)
    slope = jax.grad(lambda x: total(x).sum())
    return np.asarray(jax.jvp(slope, (put(logits),), (put(v),))[1])


def loss(
    targets: Array, axis: int, reduction: str, label_smoothing: float | None
) -> Any:
    """Optax has a loss of labels, one of distributions, and smooths the second."""
    wanted, function = put(targets), own_loss(targets)
    if label_smoothing is not None:
        if targets.dtype.kind in "iu":
            raise NotImplementedError("Optax smooths distributions alone")
        wanted = optax.smooth_labels(wanted, label_smoothing, axis=axis)
    reduce = {"mean": jax.numpy.mean, "sum": jax.numpy.sum, "none": lambda x: x}
    return lambda x: reduce[reduction](function(x, wanted, axis=axis))


def binary_cross_entropy(logits: Array, targets: Array, *, reduction: str) -> Array:
    return np.asarray(binary_loss(targets, reduction)(put(logits)))


def binary_cross_entropy_grad(
    logits: Array, targets: Array, *, reduction: str
) -> Array:
    total = binary_loss(targets, reduction)
    return np.asarray(jax.grad(lambda x: total(x).sum())(put(logits)))


def binary_loss(targets: Array, reduction: str) -> Any:
    reduce = {"mean": jax.numpy.mean, "sum": jax.numpy.sum, "none": lambda x: x}
    wanted = put(targets)
    return lambda x: reduce[reduction](optax.sigmoid_binary_cross_entropy(x, wanted))


def own_loss(targets: Array) -> Any:
    if targets.dtype.kind in "iu":
        return optax.softmax_cross_entropy_with_integer_labels
    return optax.softmax_cross_entropy


def default_kl_divergence(p: Array, q: Array) -> Array:
    """Optax asks for log q."""
    log_q = jax.numpy.log(put(q))
    return np.asarray(optax.kl_divergence(log_predictions=log_q, targets=put(p)))


def default_binary_cross_entropy(logits: Array, targets: Array) -> Array:
    loss = optax.sigmoid_binary_cross_entropy
    return np.asarray(loss(logits=put(logits), labels=put(targets)))


def default_cross_entropy(logits: Array, targets: Array) -> Array:
    each = own_loss(targets)(logits=put(logits), labels=put(targets))
    return np.asarray(each)


def positional_cross_entropy(first: Array, second: Array) -> Array:
    labels = first if first.dtype.kind in "iu" else second
    return np.asarray(own_loss(labels)(put(first), put(second)))
