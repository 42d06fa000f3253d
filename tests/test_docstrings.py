"""Every public function says all that a docstring of this project has to say."""

from __future__ import annotations

from types import FunctionType, ModuleType

import pytest

import sxlit
from sxlit import bounds, linear_model, textbook

# What returns no rounded number has no bound; the docstring says why.
EXACT = {"huffman_code"}
PARTS = ("Args:", "Returns:", "Raises:", "At the edges", "Examples:", ">>> ")


def public(module: ModuleType) -> list[FunctionType]:
    names = (getattr(module, name) for name in module.__all__)
    return [value for value in names if isinstance(value, FunctionType)]


def name(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__name__}"


@pytest.mark.parametrize("function", public(sxlit) + public(textbook), ids=name)
def test_a_function_has_every_part_and_its_source(function: FunctionType) -> None:
    text = function.__doc__ or ""
    assert [part for part in (*PARTS, "Source:") if part not in text] == []


@pytest.mark.parametrize("function", public(sxlit), ids=name)
def test_a_function_names_its_bound(function: FunctionType) -> None:
    exact = function.__name__ in EXACT
    error = "Error: none" if exact else f"sxlit.bounds.{function.__name__}`"
    assert error in (function.__doc__ or "")
    assert hasattr(bounds, function.__name__) is not exact


@pytest.mark.parametrize("model", [linear_model.SoftmaxRegression])
def test_a_model_has_every_part_and_so_have_its_methods(model: type) -> None:
    text = model.__doc__ or ""
    parts = ("Args:", "Attributes:", "Raises:", "At the edges", "Examples:", "Error:")
    assert [part for part in (*parts, "`thm-", "Source:") if part not in text] == []
    methods = [value for key, value in vars(model).items() if not key.startswith("_")]
    for method in filter(callable, methods):
        text = method.__doc__ or ""
        parts = ("Args:", "Raises:", "Examples:", ">>> ")
        assert [part for part in parts if part not in text] == []
        assert "Return" in text or "return" in text


@pytest.mark.parametrize("function", public(bounds), ids=name)
def test_a_bound_has_every_part_and_its_theorem(function: FunctionType) -> None:
    text = function.__doc__ or ""
    assert [part for part in (*PARTS, "`thm-") if part not in text] == []
