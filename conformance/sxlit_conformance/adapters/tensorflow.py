"""TensorFlow, eager. Requires: tensorflow."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "tensorflow"
DTYPES = ("float32", "float64")
DEVICES = ("cpu", "cuda")
VERSION = ""
FLUSHES_SUBNORMALS = True  # its thread pools do, on a CPU

tf: Any = None
place = "/CPU:0"


def setup(device: str, mode: str) -> None:
    global tf, place, VERSION
    tf = import_module("tensorflow")
    VERSION = str(tf.__version__)
    place = {"cpu": "/CPU:0", "cuda": "/GPU:0"}[device]
    if device == "cuda" and not tf.config.list_physical_devices("GPU"):
        raise LookupError("tensorflow sees no CUDA device here")


def softmax(x: Array, axis: int) -> Array:
    return called(tf.nn.softmax, x, axis)


def log_softmax(x: Array, axis: int) -> Array:
    return called(tf.nn.log_softmax, x, axis)


def logsumexp(x: Array, axis: int) -> Array:
    return called(tf.reduce_logsumexp, x, axis)


def called(function: Any, x: Array, axis: int) -> Array:
    with tf.device(place):
        return np.asarray(function(tf.constant(x), axis=axis).numpy())


def softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(tf.nn.softmax, x, g, axis)


def log_softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(tf.nn.log_softmax, x, g, axis)


def logsumexp_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(tf.reduce_logsumexp, x, g, axis)


def pulled_back(function: Any, x: Array, g: Array, axis: int) -> Array:
    with tf.device(place), tf.GradientTape() as tape:
        start = tf.constant(x)
        tape.watch(start)
        value = function(start, axis=axis)
        slope = tape.gradient(value, start, output_gradients=tf.constant(g))
    return np.asarray(slope.numpy())


def cross_entropy(logits: Array, targets: Array, *, axis: int, reduction: str) -> Array:
    with tf.device(place):
        return np.asarray(loss(tf.constant(logits), targets, axis, reduction).numpy())


def cross_entropy_grad(
    logits: Array, targets: Array, *, axis: int, reduction: str
) -> Array:
    with tf.device(place), tf.GradientTape() as tape:
        start = tf.constant(logits)
        tape.watch(start)
        slope = tape.gradient(loss(start, targets, axis, reduction), start)
    return np.asarray(slope.numpy())


def loss(logits: Any, targets: Array, axis: int, reduction: str) -> Any:
    """Of the two functions only the one for distributions takes an axis."""
    wanted = tf.constant(targets)
    if targets.dtype.kind in "iu":
        order = [k for k in range(logits.ndim) if k != axis % logits.ndim]
        last = tf.transpose(logits, [*order, axis % logits.ndim])
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, last)
    else:
        each = tf.nn.softmax_cross_entropy_with_logits(wanted, logits, axis=axis)
    reduce = {"mean": tf.reduce_mean, "sum": tf.reduce_sum, "none": tf.identity}
    return reduce[reduction](each)
