"""sxlit's drop-in inside JAX, compiled. Requires: sxlit[fast,jax]."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "sxlit-jax"
DTYPES = ("float16", "bfloat16", "float32", "float64")
MODES = ("jit",)
VERSION = ""
COMPANIONS: dict[str, str] = {}

jax: Any = None
drop_in: Any = None


def setup(device: str, mode: str) -> None:
    global jax, drop_in, VERSION
    jax, drop_in = import_module("jax"), import_module("sxlit.jax")
    jax.config.update("jax_enable_x64", True)  # else float64 becomes float32
    VERSION = import_module("sxlit").__version__
    COMPANIONS["jax"] = str(jax.__version__)
    COMPANIONS["numba"] = import_module("numba").__version__


def put(array: Array) -> Any:
    if not array.dtype.isnative:
        raise NotImplementedError("no JAX array has swapped bytes")
    return jax.numpy.asarray(array)


def loss(targets: Array, **options: Any) -> Any:
    given = {name: put(w) if name == "weight" else w for name, w in options.items()}
    wanted = put(targets)
    return lambda x: drop_in.cross_entropy(x, wanted, **given)


def slope(targets: Array, **options: Any) -> Any:
    total = loss(targets, **options)
    return jax.grad(lambda x: total(x).sum())


def cross_entropy(logits: Array, targets: Array, **options: Any) -> Array:
    return np.asarray(jax.jit(loss(targets, **options))(put(logits)))


def cross_entropy_grad(logits: Array, targets: Array, **options: Any) -> Array:
    return np.asarray(jax.jit(slope(targets, **options))(put(logits)))


def cross_entropy_hvp(logits: Array, targets: Array, v: Array, **options: Any) -> Array:
    """Forward over reverse, as JAX's own guide has it."""
    gradient = slope(targets, **options)
    product = jax.jit(lambda x, v: jax.jvp(gradient, (x,), (v,))[1])
    return np.asarray(product(put(logits), put(v)))


def default_cross_entropy(logits: Array, targets: Array) -> Array:
    return np.asarray(drop_in.cross_entropy(logits=put(logits), targets=put(targets)))


def positional_cross_entropy(first: Array, second: Array) -> Array:
    return np.asarray(drop_in.cross_entropy(put(first), put(second)))
