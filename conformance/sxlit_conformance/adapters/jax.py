"""JAX op by op, with Optax for the loss. Requires: jax, optax."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "jax"
DTYPES = ("float32", "float64")
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


def softmax(x: Array, axis: int) -> Array:
    return np.asarray(jax.nn.softmax(put(x), axis=axis))


def log_softmax(x: Array, axis: int) -> Array:
    return np.asarray(jax.nn.log_softmax(put(x), axis=axis))


def logsumexp(x: Array, axis: int) -> Array:
    return np.asarray(jax.nn.logsumexp(put(x), axis=axis))


def softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(jax.nn.softmax, x, g, axis)


def log_softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(jax.nn.log_softmax, x, g, axis)


def logsumexp_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(jax.nn.logsumexp, x, g, axis)


def pulled_back(function: Any, x: Array, g: Array, axis: int) -> Array:
    _, pull = jax.vjp(lambda start: function(start, axis=axis), put(x))
    return np.asarray(pull(put(g))[0])


def cross_entropy(logits: Array, targets: Array, *, axis: int, reduction: str) -> Array:
    return np.asarray(loss(put(logits), put(targets), axis, reduction))


def cross_entropy_grad(
    logits: Array, targets: Array, *, axis: int, reduction: str
) -> Array:
    def total(start: Any) -> Any:
        return loss(start, put(targets), axis, reduction).sum()

    return np.asarray(jax.grad(total)(put(logits)))


def loss(logits: Any, targets: Any, axis: int, reduction: str) -> Any:
    if jax.numpy.issubdtype(targets.dtype, jax.numpy.integer):
        function = optax.softmax_cross_entropy_with_integer_labels
    else:
        function = optax.softmax_cross_entropy
    each = function(logits, targets, axis=axis)
    reduce = {"mean": jax.numpy.mean, "sum": jax.numpy.sum, "none": lambda x: x}
    return reduce[reduction](each)
