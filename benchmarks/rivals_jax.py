"""JAX under jit, with Optax's loss."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import optax

Calls = dict[tuple[str, str], Callable[[], Any]]
VERSIONS = {"jax.jit": jax.__version__}


class Rivals:
    """The calls for one array of logits and its labels.

    XLA takes as many threads as the process may use processors.
    """

    def __init__(self, x: Any, y: Any, threads: int) -> None:
        self.few = threads < len(os.sched_getaffinity(0))
        self.x, self.y = jax.device_put(x), jax.device_put(y)

        def loss(logits: Any, labels: Any) -> Any:
            each = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return each.mean()

        self.both = jax.jit(jax.value_and_grad(loss))
        self.shares = jax.jit(jax.nn.softmax)

    def loss_and_gradient(self) -> Calls:
        if self.few:
            return {}
        ask = lambda: jax.block_until_ready(self.both(self.x, self.y))  # noqa: E731
        return {("jax.jit", "fresh"): ask}

    def softmax(self) -> Calls:
        if self.few:
            return {}
        ask = lambda: jax.block_until_ready(self.shares(self.x))  # noqa: E731
        return {("jax.jit", "fresh"): ask}
