"""sxlit's drop-in for PyTorch's loss. Requires: sxlit[fast,torch]."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "sxlit-torch"
DTYPES = ("float16", "bfloat16", "float32", "float64")
VERSION = ""
COMPANIONS: dict[str, str] = {}

torch: Any = None
drop_in: Any = None


def setup(device: str, mode: str) -> None:
    global torch, drop_in, VERSION
    torch, drop_in = import_module("torch"), import_module("sxlit.torch")
    VERSION = import_module("sxlit").__version__
    COMPANIONS["torch"] = str(torch.__version__)
    COMPANIONS["numba"] = import_module("numba").__version__


def tensor(array: Array, *, grad: bool = False) -> Any:
    if any(step < 0 for step in array.strides) or not array.dtype.isnative:
        raise NotImplementedError("no tensor has negative strides or swapped bytes")
    shared = np.asarray(array if array.flags.writeable else array.copy())
    return drop_in.as_tensor(shared).requires_grad_(grad)


def array(result: Any) -> Array:
    return np.asarray(drop_in.as_numpy(result))


def cross_entropy(logits: Array, targets: Array, **options: Any) -> Array:
    return array(loss(tensor(logits), targets, **options))


def cross_entropy_grad(logits: Array, targets: Array, **options: Any) -> Array:
    start = tensor(logits, grad=True)
    total = loss(start, targets, **options)
    return array(torch.autograd.grad(total, start, torch.ones_like(total))[0])


def cross_entropy_hvp(logits: Array, targets: Array, v: Array, **options: Any) -> Array:
    """The gradient of grad . v."""
    start = tensor(logits, grad=True)
    total = loss(start, targets, **options)
    one = torch.ones_like(total)
    (slope,) = torch.autograd.grad(total, start, one, create_graph=True)
    return array(torch.autograd.grad(slope, start, tensor(v))[0])


def loss(
    logits: Any,
    targets: Array,
    *,
    axis: int,
    reduction: str,
    weight: Array | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    """PyTorch's class axis is 1: (N, C) and (N, C, d) reach it as they are."""
    wanted = tensor(targets)
    if logits.ndim > 1:
        if wanted.ndim == logits.ndim:
            wanted = wanted.movedim(axis, 1)
        logits = logits.movedim(axis, 1)
    return drop_in.cross_entropy(
        logits,
        wanted,
        weight=None if weight is None else tensor(weight),
        reduction=reduction,
        label_smoothing=label_smoothing,
        **({} if ignore_index is None else {"ignore_index": ignore_index}),
    )


def default_cross_entropy(logits: Array, targets: Array) -> Array:
    return array(drop_in.cross_entropy(input=tensor(logits), target=tensor(targets)))


def positional_cross_entropy(first: Array, second: Array) -> Array:
    return array(drop_in.cross_entropy(tensor(first), tensor(second)))
