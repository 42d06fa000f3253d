"""PyTorch, eager. Requires: torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "torch"
DTYPES = ("float16", "bfloat16", "float32", "float64")
DEVICES = ("cpu", "cuda")
VERSION = ""
FLUSHES_SUBNORMALS = False

torch: Any = None
place = "cpu"


def setup(device: str, mode: str) -> None:
    global torch, place, VERSION
    torch, place = import_module("torch"), device
    VERSION = str(torch.__version__)
    if device == "cuda" and not torch.cuda.is_available():
        raise LookupError("torch sees no CUDA device here")


def tensor(array: Array, *, grad: bool = False) -> Any:
    if any(step < 0 for step in array.strides) or not array.dtype.isnative:
        raise NotImplementedError("no tensor has negative strides or swapped bytes")
    shared = np.asarray(array if array.flags.writeable else array.copy())
    if array.dtype.name == "bfloat16":  # which torch.from_numpy does not know
        found = torch.from_numpy(shared.view(np.int16)).view(torch.bfloat16)
    else:
        found = torch.from_numpy(shared)
    return found.to(place).requires_grad_(grad)


def array(result: Any) -> Array:
    found = result.detach().cpu()
    if found.dtype == torch.bfloat16:
        return np.asarray(found.view(torch.int16).numpy().view("bfloat16"))
    return np.asarray(found.numpy())


def sigmoid(x: Array) -> Array:
    return array(torch.sigmoid(tensor(x)))


def log_sigmoid(x: Array) -> Array:
    return array(torch.nn.functional.logsigmoid(tensor(x)))


def sigmoid_vjp(x: Array, g: Array) -> Array:
    return pulled_back(torch.sigmoid, x, g)


def sigmoid_jvp(x: Array, v: Array) -> Array:
    return pushed(torch.sigmoid, x, v)


def log_sigmoid_vjp(x: Array, g: Array) -> Array:
    return pulled_back(torch.nn.functional.logsigmoid, x, g)


def log_sigmoid_jvp(x: Array, v: Array) -> Array:
    return pushed(torch.nn.functional.logsigmoid, x, v)


def softmax(x: Array, axis: int) -> Array:
    return array(torch.softmax(tensor(x), axis))


def log_softmax(x: Array, axis: int) -> Array:
    return array(torch.log_softmax(tensor(x), axis))


def logsumexp(x: Array, axis: int) -> Array:
    return array(torch.logsumexp(tensor(x), axis))


def softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(torch.softmax, x, g, axis)


def softmax_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(torch.softmax, x, v, axis)


def log_softmax_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(torch.log_softmax, x, g, axis)


def log_softmax_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(torch.log_softmax, x, v, axis)


def logsumexp_vjp(x: Array, g: Array, axis: int) -> Array:
    return pulled_back(torch.logsumexp, x, g, axis)


def logsumexp_jvp(x: Array, v: Array, axis: int) -> Array:
    return pushed(torch.logsumexp, x, v, axis)


def pulled_back(function: Any, x: Array, g: Array, *axis: int) -> Array:
    start = tensor(x, grad=True)
    return array(torch.autograd.grad(function(start, *axis), start, tensor(g))[0])


def pushed(function: Any, x: Array, v: Array, *axis: int) -> Array:
    pair = (tensor(x),), (tensor(v),)
    return array(torch.func.jvp(lambda start: function(start, *axis), *pair)[1])


def entropy(p: Array, axis: int) -> Array:
    return array(torch.special.entr(tensor(p)).sum(axis))


def kl_divergence(p: Array, q: Array, axis: int) -> Array:
    """torch asks for log q."""
    log_q, target = tensor(q).log(), tensor(p)
    each = torch.nn.functional.kl_div(log_q, target, reduction="none")
    return array(each.sum(axis))


def cross_entropy(logits: Array, targets: Array, **options: Any) -> Array:
    return array(loss(tensor(logits), targets, **options))


def cross_entropy_grad(logits: Array, targets: Array, **options: Any) -> Array:
    start = tensor(logits, grad=True)
    total = loss(start, targets, **options).sum()
    return array(torch.autograd.grad(total, start)[0])


def cross_entropy_hvp(logits: Array, targets: Array, v: Array, **options: Any) -> Array:
    """The gradient of grad . v."""
    start = tensor(logits, grad=True)
    total = loss(start, targets, **options).sum()
    (slope,) = torch.autograd.grad(total, start, create_graph=True)
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
    """torch's class axis is 1: (N, C) and (N, C, d) reach it as they are."""
    wanted = tensor(targets)
    if logits.ndim > 1:
        if wanted.ndim == logits.ndim:
            wanted = wanted.movedim(axis, 1)
        logits = logits.movedim(axis, 1)
    return torch.nn.functional.cross_entropy(
        logits,
        wanted,
        weight=None if weight is None else tensor(weight),
        reduction=reduction,
        label_smoothing=label_smoothing,
        **({} if ignore_index is None else {"ignore_index": ignore_index}),
    )


def binary_cross_entropy(logits: Array, targets: Array, **options: Any) -> Array:
    return array(binary_loss(tensor(logits), targets, **options))


def binary_cross_entropy_grad(logits: Array, targets: Array, **options: Any) -> Array:
    start = tensor(logits, grad=True)
    total = binary_loss(start, targets, **options).sum()
    return array(torch.autograd.grad(total, start)[0])


def binary_loss(
    logits: Any, targets: Array, *, reduction: str, **weights: Array
) -> Any:
    return torch.nn.functional.binary_cross_entropy_with_logits(
        logits,
        tensor(targets),
        reduction=reduction,
        **{name: tensor(weight) for name, weight in weights.items()},
    )


def default_kl_divergence(p: Array, q: Array) -> Array:
    return array(torch.nn.functional.kl_div(input=tensor(q).log(), target=tensor(p)))


def default_binary_cross_entropy(logits: Array, targets: Array) -> Array:
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    return array(loss(input=tensor(logits), target=tensor(targets)))


def default_cross_entropy(logits: Array, targets: Array) -> Array:
    loss = torch.nn.functional.cross_entropy
    return array(loss(input=tensor(logits), target=tensor(targets)))


def positional_cross_entropy(first: Array, second: Array) -> Array:
    try:
        return array(torch.nn.functional.cross_entropy(tensor(first), tensor(second)))
    except NotImplementedError as error:  # torch's word for a dtype that it refuses
        raise TypeError(str(error)) from error
