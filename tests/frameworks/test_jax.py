"""`sxlit.jax` beside a loss of JAX's own functions; runs where JAX is installed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

import sxlit
from sxlit import fast
from sxlit.jax import cross_entropy

jax.config.update("jax_enable_x64", True)
SHAPES = (((5,), 0), ((4, 5), -1), ((5, 4), 0), ((3, 5, 2), 1))
KINDS = ("labels", "ignored", "soft")
OPTIONS = [
    {"weight": weighted, "label_smoothing": smoothing, "reduction": reduction}
    for weighted, smoothing, reduction in itertools.product(
        (False, True), (0.0, 0.25), ("mean", "sum", "none")
    )
]
FLOATS = ("float16", "bfloat16", "float32", "float64")


def case(
    shape: tuple[int, ...], axis: int, kind: str, given: dict[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """Logits, targets, options."""
    rng = np.random.default_rng(15)
    x, options = jnp.asarray(rng.standard_normal(shape)), {**given, "axis": axis}
    if kind == "soft":
        target = jax.nn.softmax(jnp.asarray(rng.standard_normal(shape)), axis)
    else:
        lead = tuple(np.delete(np.array(shape), axis))
        labels = rng.integers(5, size=lead)
        if kind == "ignored":
            labels[..., -1:] = -7
            options["ignore_index"] = -7
        target = jnp.asarray(labels)
    options["weight"] = jnp.asarray(rng.random(5) + 0.5) if given["weight"] else None
    return x, target, options


def plain(
    x: Any,
    target: Any,
    *,
    axis: int,
    weight: Any,
    label_smoothing: float,
    reduction: str,
    ignore_index: int | None = None,
) -> Any:
    """The definition, in JAX's own functions."""
    x = jnp.moveaxis(x, axis, -1)
    kept, w = jnp.ones(x.shape[:-1]), jnp.ones(5) if weight is None else weight
    if target.ndim == x.ndim:
        q = jnp.moveaxis(target, axis, -1)
    else:
        if ignore_index is not None:
            kept = (target != ignore_index).astype(x.dtype)
        q = jax.nn.one_hot(target, 5, dtype=x.dtype)
    r = w * ((1 - label_smoothing) * q + label_smoothing / 5)
    losses = kept * (r * -jax.nn.log_softmax(x)).sum(-1)
    if reduction == "none":
        return losses
    each = kept if weight is None else kept * (q * w).sum(-1)
    return losses.sum() / (each.sum() if reduction == "mean" else 1)


def close(ours: Any, theirs: Any) -> None:
    pairs = zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def every_case() -> list[Any]:
    return [
        pytest.param(shape, axis, kind, options)
        for (shape, axis), kind, options in itertools.product(SHAPES, KINDS, OPTIONS)
        if not (kind == "ignored" and len(shape) == 1)
    ]


@pytest.mark.parametrize(("shape", "axis", "kind", "options"), every_case())
def test_loss_and_gradient_are_the_definitions(
    shape: tuple[int, ...], axis: int, kind: str, options: dict[str, Any]
) -> None:
    x, target, given = case(shape, axis, kind, options)
    found = []
    for f in (cross_entropy, plain):

        def total(x: Any, f: Any = f) -> Any:
            loss = f(x, target, **given)
            g = jnp.linspace(1.0, 2.0, loss.size).reshape(loss.shape)
            return (g * loss).sum()

        one = jax.jit(lambda x, f=f: f(x, target, **given))
        found.append((one(x), *jax.jit(jax.value_and_grad(total))(x), total(x)))
    close(*found)


ORDERS: dict[str, Callable[..., Any]] = {
    "forward over reverse": jax.hessian,
    "reverse over reverse": lambda f: jax.jacrev(jax.jacrev(f)),
    "forward over forward": lambda f: jax.jacfwd(jax.jacfwd(f)),
    "compiled": lambda f: jax.jit(jax.hessian(f)),
    "third": lambda f: jax.jacrev(jax.jacfwd(jax.jacrev(f))),
    "third, forward": lambda f: jax.jacfwd(jax.jacfwd(jax.jacrev(f))),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS[::2])
def test_higher_derivatives(kind: str, options: dict[str, Any], order: str) -> None:
    x, target, given = case((3, 5), -1, kind, options)
    found = [
        ORDERS[order](lambda x, f=f: f(x, target, **given).sum())(x)
        for f in (cross_entropy, plain)
    ]
    close(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_differences(kind: str) -> None:
    x, target, given = case((3, 5), -1, kind, OPTIONS[3])
    check_grads(lambda x: cross_entropy(x, target, **given), (x,), order=3)


@pytest.mark.parametrize("kind", KINDS)
def test_vmap(kind: str) -> None:
    x, target, given = case((3, 5), -1, kind, OPTIONS[3])
    given["weight"] = jnp.arange(1.0, 6.0)
    many = jnp.stack([x, 2 * x, x**2]), jnp.stack([target[::-1], target, target])
    found = []
    for f in (cross_entropy, plain):

        def one(x: Any, t: Any, f: Any = f) -> Any:
            return f(x, t, **given)

        in_one = jax.vmap(one, in_axes=(0, None))
        found.append(
            (
                jax.vmap(one)(*many),
                jax.jit(jax.vmap(jax.value_and_grad(one)))(*many),
                jax.vmap(jax.hessian(one))(*many),
                jax.grad(lambda x, f=in_one: f(x, target).sum())(many[0]),
                jax.vmap(one, in_axes=(1, 0))(jnp.swapaxes(many[0], 0, 1), many[1]),
            )
        )
    close(*found)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS)
def test_the_bits_are_those_of_the_library(
    kind: str, options: dict[str, Any], dtype: str
) -> None:
    x, target, given = case((4, 5), -1, kind, options)
    x = x.astype(dtype)
    loss = cross_entropy(x, target, **given)
    slope = jax.jit(jax.grad(lambda x: cross_entropy(x, target, **given).sum()))(x)
    wanted = fast.cross_entropy_with_grad(np.asarray(x), np.asarray(target), **given)
    for ours, theirs in zip((loss, slope), wanted, strict=True):
        assert ours.dtype == dtype
        assert np.array_equal(np.asarray(ours), theirs)


def test_a_thread_of_xla_flushes_nothing() -> None:
    x = np.array([[100.0, 0.0, -3.0]], np.float32)
    _, slope = fast.cross_entropy_with_grad(x, [1])
    found = jax.jit(jax.grad(cross_entropy))(x, jnp.array([1]))
    assert 0.0 < slope[0, 2] < np.finfo(np.float32).tiny
    assert np.array_equal(np.asarray(found), slope)


def test_one_call_computes_loss_and_gradient_and_nothing_multiplies_by_one() -> None:
    x, target, _ = case((4, 5), -1, "labels", OPTIONS[0])
    step = jax.jit(jax.value_and_grad(cross_entropy))
    program = step.lower(x, target).compile().as_text()
    assert program.count('custom_call_target="sxlit_cross_entropy"') == 1
    assert "multiply" not in program


def test_beside_optax() -> None:
    x, target, _ = case((4, 5), -1, "labels", OPTIONS[0])
    ours = jax.value_and_grad(cross_entropy)(x, target)
    theirs = optax.softmax_cross_entropy_with_integer_labels
    close(ours, jax.value_and_grad(lambda x: theirs(x, target).mean())(x))


def test_empty_batches() -> None:
    x, none = jnp.zeros((0, 3)), jnp.zeros(0, int)
    assert jnp.isnan(cross_entropy(x, none))
    assert cross_entropy(x, none, reduction="sum") == 0
    assert jax.grad(lambda x: cross_entropy(x, none))(x).shape == (0, 3)


X, Y, W = jnp.zeros((2, 3)), jnp.array([0, 1]), jnp.ones(3)
WRONG: dict[str, Any] = {
    "integers": ((X.astype(int), Y), {}, TypeError, "logits: expected one of"),
    "labels in floats": ((X, Y.astype(float)), {}, TypeError, "targets"),
    "booleans": ((X, Y.astype(bool)), {}, TypeError, "targets"),
    "too many rows": ((X, jnp.array([0, 1, 2])), {}, ValueError, "targets"),
    "no such axis": ((X, Y), {"axis": 2}, ValueError, "axis"),
    "no axis": ((X, Y), {"axis": 0.5}, TypeError, "axis"),
    "no classes": ((X[:, :0], Y), {}, ValueError, "class"),
    "a number": ((X[0, 0], Y), {}, ValueError, "axis"),
    "ignored distributions": ((X, X), {"ignore_index": 1}, ValueError, "marks labels"),
    "a weight too few": ((X, Y), {"weight": W[:2]}, ValueError, "weight"),
    "another word": ((X, Y), {"reduction": "max"}, ValueError, "reduction"),
    "smoothing": ((X, Y), {"label_smoothing": 1.5}, ValueError, "label_smoothing"),
    "no class": ((X, Y + 2), {}, jax.errors.JaxRuntimeError, "expected a class"),
    "a negative weight": (
        (X, Y),
        {"weight": -W},
        jax.errors.JaxRuntimeError,
        "not negative",
    ),
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("compiled", [False, True])
def test_bad_input_is_refused(fault: str, compiled: bool) -> None:
    (x, y), options, kind, words = WRONG[fault]

    def loss(x: Any) -> Any:
        return cross_entropy(x, y, **options)

    with pytest.raises(kind, match=words):
        jax.block_until_ready((jax.jit(loss) if compiled else loss)(x))


def test_other_derivatives_are_refused() -> None:
    for which, name in ((1, "targets"), (2, "weight")):
        with pytest.raises(NotImplementedError, match=name):
            jax.grad(lambda x, q, w: cross_entropy(x, q, weight=w), which)(X, X, W)
    fixed = jax.grad(lambda q: cross_entropy(q, jax.lax.stop_gradient(q)))
    assert not fixed(X).any()


def test_without_64_bits() -> None:
    with jax.enable_x64(False):
        x = jnp.array([[20.0, 0.0, 0.0]])
        loss = cross_entropy(x, jnp.array([0]))
    assert loss.dtype == np.float32
    assert loss == sxlit.cross_entropy(np.asarray(x), [0])
