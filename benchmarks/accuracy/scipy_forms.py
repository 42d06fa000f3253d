"""The operations as one would write them with SciPy."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np


def _special() -> Any:
    return import_module("scipy.special")


def softmax(x: Any) -> Any:
    return _special().softmax(x, axis=-1)


def log_softmax(x: Any) -> Any:
    return _special().log_softmax(x, axis=-1)


def label_loss(x: Any, y: Any) -> Any:
    return -np.take_along_axis(log_softmax(x), y[:, None], axis=-1)[:, 0]


def label_gradient(x: Any, y: Any) -> Any:
    p = softmax(x)
    p[np.arange(len(x)), y] -= 1
    return p


def soft_loss(x: Any, q: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return -np.where(q == 0, 0, q * log_softmax(x)).sum(axis=-1)


def soft_gradient(x: Any, q: Any) -> Any:
    return softmax(x) * q.sum(axis=-1, keepdims=True) - q


def vjp(x: Any, g: Any) -> Any:
    p = softmax(x)
    return p * (g - (p * g).sum(axis=-1, keepdims=True))


def jacobian(x: Any) -> Any:
    p = softmax(x)
    return (
        p[:, :, None] * np.eye(p.shape[1], dtype=p.dtype)
        - p[:, :, None] * p[:, None, :]
    )


def binary_loss(x: Any, q: Any) -> Any:
    log_expit = _special().log_expit
    return -q * log_expit(x) - (1 - q) * log_expit(-x)


FORMS: dict[str, Callable[..., Any]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": lambda x: _special().logsumexp(x, axis=-1),
    "cross_entropy, labels": label_loss,
    "cross_entropy, soft": soft_loss,
    "cross_entropy_grad, labels": label_gradient,
    "cross_entropy_grad, soft": soft_gradient,
    "sigmoid": lambda x: _special().expit(x),
    "log_sigmoid": lambda x: _special().log_expit(x),
    "binary_cross_entropy": binary_loss,
    "softmax_vjp": vjp,
    "softmax_jacobian": jacobian,
    "entropy_from_logits": lambda x: _special().entr(softmax(x)).sum(axis=-1),
    "kl_divergence_from_logits": lambda x, z: (
        _special().rel_entr(softmax(x), softmax(z)).sum(axis=-1)
    ),
}
