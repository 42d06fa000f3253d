"""PyTorch's last layer: linear and cross_entropy, and its own fused function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import LinearCrossEntropyOptions, functional

VERSIONS = {
    "torch": torch.__version__,
    "torch, compiled": torch.__version__,
    "torch, fused": torch.__version__,
}


def calls(h: Any, w: Any, y: Any) -> dict[str, Callable[[], Any]]:
    """Loss, dh and dW of one layer; the fused function cuts rows as it sees fit."""
    a, b = (torch.from_numpy(v).requires_grad_() for v in (h, w))
    labels, options = torch.from_numpy(y), LinearCrossEntropyOptions()

    def naive(a: Any, b: Any) -> Any:
        return functional.cross_entropy(functional.linear(a, b), labels)

    def fused(a: Any, b: Any) -> Any:
        return functional.linear_cross_entropy(a, b, labels, options=options)

    def with_gradients(loss_of: Callable[[Any, Any], Any]) -> Any:
        loss = loss_of(a, b)
        loss.backward()
        gradients = a.grad, b.grad
        a.grad = b.grad = None
        return loss, *gradients

    compiled = torch.compile(naive)
    return {
        "torch": lambda: with_gradients(naive),
        "torch, compiled": lambda: with_gradients(compiled),
        "torch, fused": lambda: with_gradients(fused),
    }
