"""TensorFlow under tf.function, without XLA and with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

Calls = dict[tuple[str, str], Callable[[], Any]]
VERSIONS = {"tf.function": tf.__version__, "TensorFlow XLA": tf.__version__}


class Rivals:
    """The calls for one array of logits and its labels.

    TensorFlow's threads are fixed with its first call: as many as processors.
    """

    def __init__(self, x: Any, y: Any, threads: int) -> None:
        self.few = threads < len(os.sched_getaffinity(0))
        self.x, self.y = tf.constant(x), tf.constant(y)

    def both(self, logits: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(each)
        return loss, tape.gradient(loss, logits)

    def forms(self, function: Callable[..., Any], *arguments: Any) -> Calls:
        if self.few:
            return {}
        graph, xla = tf.function(function), tf.function(function, jit_compile=True)
        return {
            ("tf.function", "fresh"): lambda: self.waited(graph(*arguments)),
            ("TensorFlow XLA", "fresh"): lambda: self.waited(xla(*arguments)),
        }

    def waited(self, answer: Any) -> Any:
        """On a CPU a result is there when the call returns; its bytes show it."""
        last = answer[-1] if isinstance(answer, tuple) else answer
        return last[0, 0].numpy()

    def loss_and_gradient(self) -> Calls:
        return self.forms(self.both, self.x, self.y)

    def softmax(self) -> Calls:
        return self.forms(tf.nn.softmax, self.x)
