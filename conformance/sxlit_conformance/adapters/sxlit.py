"""sxlit itself, called like everybody else. Requires: sxlit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "sxlit"
DTYPES = ("float16", "bfloat16", "float32", "float64")
VERSION = ""


def setup(device: str, mode: str) -> None:
    global VERSION
    import sxlit

    VERSION = sxlit.__version__


def call(name: str, *arguments: Array, **options: Any) -> Array:
    import sxlit

    return np.asarray(getattr(sxlit, name)(*arguments, **options))


def sigmoid(x: Array) -> Array:
    return call("sigmoid", x)


def log_sigmoid(x: Array) -> Array:
    return call("log_sigmoid", x)


def sigmoid_vjp(x: Array, g: Array) -> Array:
    return call("sigmoid_vjp", x, g)


def sigmoid_jvp(x: Array, v: Array) -> Array:
    return call("sigmoid_jvp", x, v)


def log_sigmoid_vjp(x: Array, g: Array) -> Array:
    return call("log_sigmoid_vjp", x, g)


def log_sigmoid_jvp(x: Array, v: Array) -> Array:
    return call("log_sigmoid_jvp", x, v)


def softmax(x: Array, axis: int) -> Array:
    return call("softmax", x, axis=axis)


def log_softmax(x: Array, axis: int) -> Array:
    return call("log_softmax", x, axis=axis)


def logsumexp(x: Array, axis: int) -> Array:
    return call("logsumexp", x, axis=axis)


def softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return call("softmax_vjp", x, g, axis=axis)


def softmax_jvp(x: Array, v: Array, axis: int) -> Array:
    return call("softmax_jvp", x, v, axis=axis)


def log_softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return call("log_softmax_vjp", x, g, axis=axis)


def log_softmax_jvp(x: Array, v: Array, axis: int) -> Array:
    return call("log_softmax_jvp", x, v, axis=axis)


def logsumexp_vjp(x: Array, g: Array, axis: int) -> Array:
    return call("logsumexp_vjp", x, g, axis=axis)


def logsumexp_jvp(x: Array, v: Array, axis: int) -> Array:
    return call("logsumexp_jvp", x, v, axis=axis)


def entropy(p: Array, axis: int) -> Array:
    return call("entropy", p, axis=axis)


def kl_divergence(p: Array, q: Array, axis: int) -> Array:
    return call("kl_divergence", p, q, axis=axis)


def cross_entropy(logits: Array, targets: Array, **options: Any) -> Array:
    return call("cross_entropy", logits, targets, **options)


def cross_entropy_grad(logits: Array, targets: Array, **options: Any) -> Array:
    return call("cross_entropy_grad", logits, targets, **options)


def cross_entropy_hvp(logits: Array, targets: Array, v: Array, **options: Any) -> Array:
    return call("cross_entropy_hvp", logits, targets, v, **options)


def binary_cross_entropy(logits: Array, targets: Array, **options: Any) -> Array:
    return call("binary_cross_entropy", logits, targets, **options)


def binary_cross_entropy_grad(logits: Array, targets: Array, **options: Any) -> Array:
    return call("binary_cross_entropy_grad", logits, targets, **options)


def default_kl_divergence(p: Array, q: Array) -> Array:
    return call("kl_divergence", p=p, q=q)


def default_binary_cross_entropy(logits: Array, targets: Array) -> Array:
    return call("binary_cross_entropy", logits=logits, targets=targets)


def default_cross_entropy(logits: Array, targets: Array) -> Array:
    return call("cross_entropy", logits=logits, targets=targets)


def positional_cross_entropy(first: Array, second: Array) -> Array:
    return call("cross_entropy", first, second)
