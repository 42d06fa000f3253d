"""Training steps in JAX, compiled whole, with Optax's loss before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

Step = Callable[[int], float]
VERSION = str(jax.__version__)


def mean_of_optax(logits: Any, labels: Any) -> Any:
    each = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return each.mean()


def losses() -> dict[str, Any]:
    """The loss before and after the import."""
    from sxlit.jax import cross_entropy

    return {"before": mean_of_optax, "after": cross_entropy, "no loss": given}


def given(logits: Any, labels: Any) -> Any:
    """No loss: its gradient is 1e-9 everywhere."""
    return 1e-9 * logits.sum()


def runs(
    logits_of: Callable[..., Any], weights: Any, rate: float, batch: Callable[..., Any]
) -> dict[str, Step]:
    """A run for each loss: what a step gives, and the weights after it."""

    def run(name: str, loss_of: Any) -> Step:
        state = jax.tree.map(jnp.array, weights)

        def step(weights: Any, inputs: Any, labels: Any) -> Any:
            def total(weights: Any) -> Any:
                return loss_of(logits_of(weights, inputs), labels)

            value, slope = jax.value_and_grad(total)(weights)
            return jax.tree.map(lambda w, s: w - rate * s, weights, slope), value

        compiled = jax.jit(step)

        def one(number: int) -> float:
            nonlocal state
            state, value = jax.block_until_ready(compiled(state, *batch(number)))
            return 0.0 if name == "no loss" else float(value)

        return one

    return {name: run(name, loss_of) for name, loss_of in losses().items()}


def digits_steps() -> dict[str, Step]:
    """The network of chapter 11, float64, 32 images a step."""
    import digits

    jax.config.update("jax_enable_x64", True)
    data = digits.load()
    images, labels = jnp.array(data.images), jnp.array(data.labels)
    batches = digits.batches(len(labels))

    def logits_of(weights: Any, images: Any) -> Any:
        squares = weights["filters"].reshape(3, 3, 1, digits.FILTERS)
        layout = ("NHWC", "HWIO", "NHWC")
        maps = jax.lax.conv_general_dilated(
            images[..., None], squares, (1, 1), "VALID", dimension_numbers=layout
        )
        active = jax.nn.relu(maps + weights["offsets"])
        pooled = active.reshape(len(images), 3, 2, 3, 2, -1).mean(axis=(2, 4))
        return pooled.reshape(len(images), -1) @ weights["W"] + weights["b"]

    def batch(number: int) -> tuple[Any, Any]:
        return images[batches[number]], labels[batches[number]]

    return runs(logits_of, digits.first_weights(), digits.RATE, batch)


def layer_steps(features: Any, labels: Any, weights: Any) -> dict[str, Step]:
    """Logits that are products with 32,000 rows of weights, float32."""
    from training import RATE

    h, y = jnp.array(features), jnp.array(labels)
    return runs(lambda w, h: h @ w.T, weights, RATE, lambda number: (h, y))


def loss_steps(features: Any, labels: Any, weights: Any) -> dict[str, Step]:
    """Loss and gradient of the layer's first logits; through a callback, too."""
    logits, y = jnp.array(features @ weights.T), jnp.array(labels)
    found = {name: losses()[name] for name in ("before", "after")}
    pairs = {name: jax.value_and_grad(loss_of) for name, loss_of in found.items()}
    pairs["callback"] = through_callback

    def run(pair: Any) -> Step:
        compiled = jax.jit(pair)
        return lambda number: float(jax.block_until_ready(compiled(logits, y))[0])

    return {name: run(pair) for name, pair in pairs.items()}


def through_callback(logits: Any, labels: Any) -> Any:
    """What `sxlit.jax` does not do: call Python, which copies the arrays."""
    from sxlit import fast

    def answer(logits: Any, labels: Any) -> Any:
        return fast.cross_entropy_with_grad(np.asarray(logits), np.asarray(labels))

    loss = jax.ShapeDtypeStruct((), logits.dtype)
    slope = jax.ShapeDtypeStruct(logits.shape, logits.dtype)
    return jax.pure_callback(answer, (loss, slope), logits, labels)


def first() -> None:
    """Print how long the import and the first loss take, in milliseconds."""
    x, y = jnp.zeros((32, 10)), jnp.zeros(32, int)
    jax.block_until_ready(jax.jit(jax.value_and_grad(mean_of_optax))(x, y))
    start = time.perf_counter()
    from sxlit.jax import cross_entropy

    jax.block_until_ready(jax.jit(jax.value_and_grad(cross_entropy))(x, y))
    print(1e3 * (time.perf_counter() - start))
