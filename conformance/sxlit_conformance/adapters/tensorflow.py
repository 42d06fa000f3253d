"""TensorFlow, eager, with its Keras for the loss's options. Requires: tensorflow."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "tensorflow"
DTYPES = ("float16", "bfloat16", "float32", "float64")
DEVICES = ("cpu", "cuda")
VERSION = ""
COMPANIONS: dict[str, str] = {}
FLUSHES_SUBNORMALS = True  # its thread pools do, on a CPU

tf: Any = None
place = "/CPU:0"


def setup(device: str, mode: str) -> None:
    global tf, place, VERSION
    tf = import_module("tensorflow")
    VERSION = str(tf.__version__)
    COMPANIONS["Keras"] = str(tf.keras.__version__)
    place = {"cpu": "/CPU:0", "cuda": "/GPU:0"}[device]
    if device == "cuda" and not tf.config.list_physical_devices("GPU"):
        raise LookupError("tensorflow sees no CUDA device here")


def sigmoid(x: Array) -> Array:
    return called(tf.sigmoid, x)


def log_sigmoid(x: Array) -> Array:
    return called(tf.math.log_sigmoid, x)


def sigmoid_vjp(x: Array, g: Array) -> Array:
    return pulled_back(tf.sigmoid, x, g)


def sigmoid_jvp(x: Array, v: Array) -> Array:
    return pushed(tf.sigmoid, x, v)


def log_sigmoid_vjp(x: Array, g: Array) -> Array:
    return pulled_back(tf.math.log_sigmoid, x, g)


def log_sigmoid_jvp(x: Array, v: Array) -> Array:
    return pushed(tf.math.log_sigmoid, x, v)


def softmax(x: Array, axis: int) -> Array:
    return called(tf.nn.softmax, x, axis=axis)


def log_softmax(x: Array, axis: int) -> Array:
    return called(tf.nn.log_softmax, x, axis=axis)


def logsumexp(x: Array, axis: int) -> Array:
    return called(tf.reduce_logsumexp, x, axis=axis)


def called(function: Any, x: Array, **axis: int) -> Array:
    with tf.device(place):
        return np.asarray(function(tf.constant(x), **axis).numpy())


def softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(tf.nn.softmax, x, g, axis=axis)


def softmax_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(tf.nn.softmax, x, v, axis=axis)


def log_softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(tf.nn.log_softmax, x, g, axis=axis)


def log_softmax_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(tf.nn.log_softmax, x, v, axis=axis)


def logsumexp_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(tf.reduce_logsumexp, x, g, axis=axis)


def logsumexp_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(tf.reduce_logsumexp, x, v, axis=axis)


def pulled_back(function: Any, x: Array, g: Array, **axis: int) -> Array:
    with tf.device(place), tf.GradientTape() as tape:
        start = tf.constant(x)
        tape.watch(start)
        value = function(start, **axis)
        slope = tape.gradient(value, start, output_gradients=tf.constant(g))
    return np.asarray(slope.numpy())


def pushed(function: Any, x: Array, v: Array, **axis: int) -> Array:
    with tf.device(place):
        start, along = tf.constant(x), tf.constant(v)
        with tf.autodiff.ForwardAccumulator(start, along) as accumulator:
            value = function(start, **axis)
        return np.asarray(accumulator.jvp(value).numpy())


def cross_entropy(
    logits: Array,
    targets: Array,
    *,
    axis: int,
    reduction: str,
    ignore_index: int | None = None,
    label_smoothing: float | None = None,
) -> Array:
    total = loss(targets, axis, reduction, ignore_index, label_smoothing)
    with tf.device(place):
        return np.asarray(total(tf.constant(logits)).numpy())


def cross_entropy_grad(
    logits: Array,
    targets: Array,
    *,
    axis: int,
    reduction: str,
    ignore_index: int | None = None,
    label_smoothing: float | None = None,
) -> Array:
    total = loss(targets, axis, reduction, ignore_index, label_smoothing)
    with tf.device(place), tf.GradientTape() as tape:
        start = tf.constant(logits)
        tape.watch(start)
        slope = tape.gradient(total(start), start)
    return np.asarray(slope.numpy())


def cross_entropy_hvp(
    logits: Array,
    targets: Array,
    v: Array,
    *,
    axis: int,
    reduction: str,
    ignore_index: int | None = None,
    label_smoothing: float | None = None,
) -> Array:
    """The gradient of grad . v, tape over tape."""
    total = loss(targets, axis, reduction, ignore_index, label_smoothing)
    with tf.device(place), tf.GradientTape() as outer:
        start = tf.constant(logits)
        outer.watch(start)
        with tf.GradientTape() as inner:
            inner.watch(start)
            value = total(start)
        slope = inner.gradient(value, start)
        bend = outer.gradient(slope, start, output_gradients=tf.constant(v))
    return np.asarray(tf.convert_to_tensor(bend).numpy())


def loss(
    targets: Array,
    axis: int,
    reduction: str,
    ignore_index: int | None,
    label_smoothing: float | None,
) -> Any:
    """tf.nn, which has no options; where there are any, Keras, which ships with it."""
    wanted, labels = tf.constant(targets), targets.dtype.kind in "iu"
    if ignore_index is not None or label_smoothing is not None:
        return keras_loss(
            wanted, labels, axis, reduction, ignore_index, label_smoothing
        )

    def total(logits: Any) -> Any:
        """Of the two functions only the one for distributions takes an axis."""
        if labels:
            order = [k for k in range(logits.ndim) if k != axis % logits.ndim]
            last = tf.transpose(logits, [*order, axis % logits.ndim])
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, last)
        else:
            each = tf.nn.softmax_cross_entropy_with_logits(wanted, logits, axis=axis)
        reduce = {"mean": tf.reduce_mean, "sum": tf.reduce_sum, "none": tf.identity}
        return reduce[reduction](each)

    return total


def keras_loss(
    wanted: Any,
    labels: bool,
    axis: int,
    reduction: str,
    ignore_index: int | None,
    label_smoothing: float | None,
) -> Any:
    if labels and label_smoothing is not None:
        raise NotImplementedError("Keras smooths distributions alone")
    if not labels and ignore_index is not None:
        raise NotImplementedError("Keras ignores labels alone")
    name = {"mean": "sum_over_batch_size", "sum": "sum", "none": "none"}[reduction]

    def total(logits: Any) -> Any:
        common = {"from_logits": True, "axis": axis, "dtype": logits.dtype.name}
        make, option = (
            (
                tf.keras.losses.SparseCategoricalCrossentropy,
                {"ignore_class": ignore_index},
            )
            if labels
            else (
                tf.keras.losses.CategoricalCrossentropy,
                {"label_smoothing": label_smoothing},
            )
        )
        return make(reduction=name, **common, **option)(wanted, logits)

    return total


def binary_cross_entropy(
    logits: Array, targets: Array, *, reduction: str, pos_weight: Array | None = None
) -> Array:
    with tf.device(place):
        total = binary_loss(tf.constant(logits), targets, reduction, pos_weight)
        return np.asarray(total.numpy())


def binary_cross_entropy_grad(
    logits: Array, targets: Array, *, reduction: str, pos_weight: Array | None = None
) -> Array:
    with tf.device(place), tf.GradientTape() as tape:
        start = tf.constant(logits)
        tape.watch(start)
        total = binary_loss(start, targets, reduction, pos_weight)
        slope = tape.gradient(total, start)
    return np.asarray(slope.numpy())


def binary_loss(
    logits: Any, targets: Array, reduction: str, pos_weight: Array | None
) -> Any:
    """Of the two functions only one takes a weight, and only the other none."""
    wanted = tf.constant(targets)
    if pos_weight is None:
        each = tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits)
    else:
        each = tf.nn.weighted_cross_entropy_with_logits(wanted, logits, pos_weight)
    reduce = {"mean": tf.reduce_mean, "sum": tf.reduce_sum, "none": tf.identity}
    return reduce[reduction](each)


def own_loss(targets: Array) -> Any:
    if targets.dtype.kind in "iu":
        return tf.nn.sparse_softmax_cross_entropy_with_logits
    return tf.nn.softmax_cross_entropy_with_logits


def default_kl_divergence(p: Array, q: Array) -> Array:
    """Keras's, which clips both; it is no kl_divergence of this suite."""
    with tf.device(place):
        loss = tf.keras.losses.kld
        return np.asarray(loss(y_true=tf.constant(p), y_pred=tf.constant(q)).numpy())


def default_binary_cross_entropy(logits: Array, targets: Array) -> Array:
    with tf.device(place):
        loss = tf.nn.sigmoid_cross_entropy_with_logits
        each = loss(labels=tf.constant(targets), logits=tf.constant(logits))
        return np.asarray(each.numpy())


def default_cross_entropy(logits: Array, targets: Array) -> Array:
    with tf.device(place):
        each = own_loss(targets)(
            labels=tf.constant(targets), logits=tf.constant(logits)
        )
        return np.asarray(each.numpy())


def positional_cross_entropy(first: Array, second: Array) -> Array:
    labels = first if first.dtype.kind in "iu" else second
    with tf.device(place):
        return np.asarray(
            own_loss(labels)(tf.constant(first), tf.constant(second)).numpy()
        )
