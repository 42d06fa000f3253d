"""Training steps in PyTorch, eager, as a training script has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

Step = Callable[[int], float]
VERSION = str(torch.__version__)


def losses() -> dict[str, Any]:
    """The loss before and after the import."""
    from sxlit.torch import cross_entropy

    return {"before": F.cross_entropy, "after": cross_entropy, "no loss": None}


def digits_steps() -> dict[str, Step]:
    """The network of chapter 11, float64, 32 images a step."""
    import digits

    data = digits.load()
    images, labels = torch.tensor(data.images), torch.tensor(data.labels)
    batches = torch.from_numpy(digits.batches(len(labels)))

    def logits_of(weights: dict[str, Any], images: Any) -> Any:
        squares = weights["filters"].T.reshape(digits.FILTERS, 1, 3, 3)
        maps = F.conv2d(images[:, None], squares, weights["offsets"])
        pooled = F.avg_pool2d(F.relu(maps), 2).permute(0, 2, 3, 1).flatten(1)
        return pooled @ weights["W"] + weights["b"]

    def run(loss_of: Any) -> Step:
        first = digits.first_weights()
        weights = {name: torch.tensor(w).requires_grad_() for name, w in first.items()}
        given = torch.full((digits.BATCH, 10), 1e-9, dtype=torch.float64)

        def step(number: int) -> float:
            rows = batches[number]
            logits = logits_of(weights, images[rows])
            value = backward(logits, labels[rows], loss_of, given)
            descend(weights.values(), digits.RATE)
            return value

        return step

    return {name: run(loss_of) for name, loss_of in losses().items()}


def layer_steps(features: Any, labels: Any, weights: Any) -> dict[str, Step]:
    """Logits that are products with 32,000 rows of weights, float32."""
    h, y = torch.from_numpy(features), torch.from_numpy(labels)
    given = torch.full((len(h), len(weights)), 1e-9)

    def run(loss_of: Any) -> Step:
        from training import RATE

        own = torch.from_numpy(weights.copy()).requires_grad_()

        def step(number: int) -> float:
            value = backward(h @ own.T, y, loss_of, given)
            descend([own], RATE)
            return value

        return step

    return {name: run(loss_of) for name, loss_of in losses().items()}


def loss_steps(features: Any, labels: Any, weights: Any) -> dict[str, Step]:
    """Loss and gradient of the layer's first logits."""
    logits = torch.from_numpy(features @ weights.T).requires_grad_()
    y = torch.from_numpy(labels)

    def run(loss_of: Any) -> Step:
        def step(number: int) -> float:
            logits.grad = None
            return backward(logits, y, loss_of, None)

        return step

    found = losses().items()
    return {name: run(loss_of) for name, loss_of in found if loss_of is not None}


def backward(logits: Any, labels: Any, loss_of: Any, given: Any) -> float:
    """Back through the network, from the loss or from a gradient that is given."""
    if loss_of is None:
        logits.backward(given)
        return 0.0
    loss = loss_of(logits, labels)
    loss.backward()
    return float(loss.detach())


def descend(weights: Any, rate: float) -> None:
    """One step of gradient descent."""
    with torch.no_grad():
        for w in weights:
            w -= rate * w.grad
            w.grad = None


def first() -> None:
    """Print how long the import and the first loss take, in milliseconds."""
    x, y = torch.zeros(32, 10, requires_grad=True), torch.zeros(32, dtype=torch.int64)
    F.cross_entropy(x, y).backward()  # what PyTorch itself does at first
    start = time.perf_counter()
    from sxlit.torch import cross_entropy

    cross_entropy(x, y).backward()
    print(1e3 * (time.perf_counter() - start))
