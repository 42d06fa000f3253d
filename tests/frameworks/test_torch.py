"""`sxlit.torch` beside PyTorch's own loss; runs where PyTorch is installed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch.autograd import gradcheck, gradgradcheck

import sxlit
from sxlit.torch import as_numpy, cross_entropy, operator

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SHAPES: tuple[tuple[int, ...], ...] = ((5,), (4, 5), (3, 5, 2), (2, 5, 3, 2))
OPTIONS = [
    {"weight": weighted, "label_smoothing": smoothing, "reduction": reduction}
    for weighted, smoothing, reduction in itertools.product(
        (False, True), (0.0, 0.25), ("mean", "sum", "none")
    )
]
Case = tuple[Any, Any, dict[str, Any]]


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    torch.manual_seed(15)


def case(
    shape: tuple[int, ...],
    kind: str,
    options: dict[str, Any],
    dtype: Any = torch.float64,
) -> Case:
    """Logits that require a gradient, targets, options."""
    axis = min(len(shape) - 1, 1)
    x = torch.randn(shape, dtype=dtype, requires_grad=True)
    if kind == "soft":
        target = torch.softmax(torch.randn(shape, dtype=dtype), axis)
    else:
        target = torch.randint(shape[axis], shape[:axis] + shape[axis + 1 :])
        if kind == "ignored":
            target[..., -1:] = -100
    weight = torch.rand(5, dtype=dtype) + 0.5 if options["weight"] else None
    return x, target, {**options, "weight": weight}


def every_case(dtype: Any = torch.float64) -> list[Any]:
    kinds = ("labels", "ignored", "soft")
    return [
        pytest.param(
            shape,
            kind,
            options,
            id=f"{shape}-{kind}-{'-'.join(map(str, options.values()))}",
        )
        for shape, kind, options in itertools.product(SHAPES, kinds, OPTIONS)
        if not (kind == "ignored" and len(shape) == 1)
    ]


@pytest.mark.parametrize(("shape", "kind", "options"), every_case())
def test_loss_and_derivatives_are_those_of_torch(
    shape: tuple[int, ...], kind: str, options: dict[str, Any]
) -> None:
    x, target, given = case(shape, kind, options)
    if kind == "soft":
        target.requires_grad_()
    inputs = (x, target) if kind == "soft" else (x,)
    found, wanted = [], []
    for loss_of, into in ((cross_entropy, found), (F.cross_entropy, wanted)):
        loss = loss_of(x, target, **given)
        g = torch.linspace(1.0, 2.0, loss.numel(), dtype=loss.dtype).reshape(loss.shape)
        slopes = torch.autograd.grad(loss, inputs, g, create_graph=True)
        angle = sum((s * torch.cos(s)).sum() for s in slopes)
        into += [loss, *slopes, *torch.autograd.grad(angle, inputs)]
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("shape", "kind", "options"), every_case())
def test_gradcheck_and_gradgradcheck(
    shape: tuple[int, ...], kind: str, options: dict[str, Any]
) -> None:
    x, target, given = case(shape, kind, options)
    if kind == "soft":
        target.requires_grad_()
    assert gradcheck(lambda x, q: cross_entropy(x, q, **given), (x, target))
    assert gradgradcheck(lambda x, q: cross_entropy(x, q, **given), (x, target))


@pytest.mark.parametrize("kind", ["labels", "ignored", "soft"])
@pytest.mark.parametrize("options", OPTIONS)
def test_third_derivatives(kind: str, options: dict[str, Any]) -> None:
    x, target, given = case((3, 5), kind, options)
    v = torch.randn(3, 5, dtype=x.dtype, requires_grad=True)

    def product(x: Any, v: Any) -> Any:
        total = cross_entropy(x, target, **given).sum()
        (slope,) = torch.autograd.grad(total, x, create_graph=True)
        return torch.autograd.grad(slope, x, v, create_graph=True)[0]

    assert gradcheck(product, (x, v))
    assert gradgradcheck(product, (x, v))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", ["labels", "ignored", "soft"])
@pytest.mark.parametrize("options", OPTIONS)
def test_opcheck(kind: str, options: dict[str, Any], dtype: Any) -> None:
    x, target, given = case((3, 5, 2), kind, options, dtype)
    mode = (-100, given["reduction"], given["label_smoothing"])
    for wanted in (True, False):
        arguments = (x, target, given["weight"], *mode, wanted)
        torch.library.opcheck(torch.ops.sxlit.cross_entropy, arguments)
    arguments = (x, target, given["weight"], torch.randn_like(x), *mode)
    torch.library.opcheck(torch.ops.sxlit.cross_entropy_hvp, arguments)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["labels", "soft"])
def test_the_bits_are_those_of_the_library(kind: str, options: dict[str, Any]) -> None:
    for dtype in FLOATS:
        x, target, given = case((4, 5), kind, options, dtype)
        if kind == "soft" and options["weight"] and options["reduction"] == "mean":
            continue  # another mean
        loss = cross_entropy(x, target, **given)
        loss.sum().backward()
        weight = given.pop("weight")
        if weight is not None:
            given["weight"] = as_numpy(weight)
        arguments = as_numpy(x), as_numpy(target)
        value, slope = sxlit.fast.cross_entropy_with_grad(*arguments, **given)
        assert np.array_equal(as_numpy(loss), value)
        assert np.array_equal(as_numpy(x.grad), slope)


def test_compile_is_one_graph() -> None:
    x, target, given = case((4, 5), "labels", OPTIONS[0])
    found = []

    def double(x: Any) -> Any:
        return cross_entropy(2 * x, target, **given)

    for loss_of in (double, torch.compile(double, backend="aot_eager", fullgraph=True)):
        x.grad = None
        loss = loss_of(x)
        loss.backward()
        found.append((loss.detach(), x.grad))
    torch.testing.assert_close(*found, rtol=1e-15, atol=0)


@pytest.mark.parametrize("kind", ["labels", "soft"])
def test_vmap_and_grad_in_any_order(kind: str) -> None:
    x, target, given = case((6, 4, 5), "labels", OPTIONS[3])
    target = torch.randint(5, (6, 4))
    if kind == "soft":
        target = torch.softmax(torch.randn_like(x), -1).detach()
    x = x.detach()
    for transformed in (
        lambda f: torch.func.vmap(f),
        lambda f: torch.func.vmap(torch.func.grad(f)),
        lambda f: torch.func.grad(lambda x, q: torch.func.vmap(f)(x, q).sum()),
        lambda f: torch.func.vmap(torch.func.jacrev(torch.func.jacrev(f))),
    ):
        ours, theirs = (
            transformed(lambda x, q, f=f: f(x, q, **given))(x, target)
            for f in (cross_entropy, F.cross_entropy)
        )
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


def test_batched_backward() -> None:
    x, target, given = case((3, 5), "labels", OPTIONS[2])
    jacobian = torch.autograd.functional.jacobian
    ours, theirs = (
        jacobian(lambda x, f=f: f(x, target, **given), x.detach(), vectorize=True)
        for f in (cross_entropy, F.cross_entropy)
    )
    torch.testing.assert_close(ours, theirs)


def test_a_loss_that_counts_once_is_not_multiplied() -> None:
    x = torch.randn(4, 5, requires_grad=True)
    loss, slope = operator(x)(
        x, torch.tensor([0, 1, 2, 3]), None, -100, "mean", 0.0, True
    )
    (found,) = torch.autograd.grad(loss, x, retain_graph=True)
    assert found.data_ptr() == slope.data_ptr()
    (twice,) = torch.autograd.grad(2 * loss, x)
    assert torch.equal(twice, 2 * slope)


def test_backward_twice_adds_up() -> None:
    x = torch.randn(4, 5, requires_grad=True)
    loss = cross_entropy(x, torch.tensor([0, 1, 2, 3]))
    loss.backward(retain_graph=True)
    once = x.grad.clone()
    loss.backward()
    assert torch.equal(x.grad, 2 * once)


def test_nothing_is_differentiated_without_need() -> None:
    x, target, given = case((4, 5), "labels", OPTIONS[0])
    assert not cross_entropy(x.detach(), target, **given).requires_grad
    with torch.no_grad():
        assert not cross_entropy(x, target, **given).requires_grad


def test_dtypes_follow_torch() -> None:
    x, q, w = torch.randn(3, 5), torch.rand(3, 5), torch.rand(5)
    for a, b, c in itertools.product(FLOATS, repeat=3):
        start = x.clone().to(a).requires_grad_()
        given = start, q.to(b), w.to(c)
        ours, theirs = cross_entropy(*given), F.cross_entropy(*given)
        assert ours.dtype == theirs.dtype
        ours.backward()
        assert start.grad.dtype == a
    for a in FLOATS:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            labels = torch.tensor([0, 1, 2])
            ours = cross_entropy(x.to(a), labels)
            assert ours.dtype == F.cross_entropy(x.to(a), labels).dtype


def test_empty_and_fully_ignored_batches() -> None:
    x, labels = torch.randn(3, 5), torch.full((3,), -100)
    for rows in (0, 3):
        given = x[:rows], labels[:rows]
        assert cross_entropy(*given).isnan()
        assert cross_entropy(*given, reduction="sum") == 0
        assert F.cross_entropy(*given).isnan()
    none = torch.empty(0, 5)
    assert cross_entropy(none, none, torch.ones(5)).isnan()


def test_old_words() -> None:
    x, labels = torch.randn(3, 5), torch.tensor([0, 1, 2])
    for pair in itertools.product((None, True, False), repeat=2):
        if pair == (None, None):
            continue
        with pytest.warns(UserWarning, match="reduction="):
            ours = cross_entropy(x, labels, None, pair[0], -100, pair[1])
        with pytest.warns(UserWarning, match="deprecated"):
            theirs = F.cross_entropy(x, labels, None, pair[0], -100, pair[1])
        torch.testing.assert_close(ours, theirs)


X, Y, W = torch.zeros(2, 3), torch.tensor([0, 1]), torch.ones(3)
WRONG = {
    "an array": ((X.numpy(), Y), {}, TypeError, "input: expected a tensor"),
    "another device": ((X.to("meta"), Y), {}, ValueError, "nn.functional"),
    "integers": ((X.long(), Y), {}, TypeError, "input: expected float16"),
    "a number": ((X[0, 0], Y[0]), {}, ValueError, "class axis"),
    "no class": ((X, Y + 2), {}, ValueError, "3"),
    "a negative label": ((X, Y - 1), {}, ValueError, "-1"),
    "labels in floats": ((X, Y.float()), {}, TypeError, "targets"),
    "booleans": ((X, Y.bool()), {}, TypeError, "targets"),
    "two many rows": ((X, torch.tensor([0, 1, 2])), {}, ValueError, "targets"),
    "ignored distributions": ((X, X), {"ignore_index": 1}, ValueError, "marks labels"),
    "a weight too few": ((X, Y, W[:2]), {}, ValueError, "weight"),
    "a weight to learn": ((X, Y, W.clone().requires_grad_()), {}, ValueError, "detach"),
    "another word": ((X, Y), {"reduction": "max"}, ValueError, "reduction"),
    "smoothing": ((X, Y), {"label_smoothing": 1.5}, ValueError, "label_smoothing"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_bad_input_is_refused(fault: str) -> None:
    arguments, options, kind, words = WRONG[fault]
    with pytest.raises(kind, match=words):
        cross_entropy(*arguments, **options)
