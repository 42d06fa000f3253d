"""The public names of the package, by the path under which a reader imports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from inspect import isclass, isroutine
from typing import Any

from sxlit_book import drop_ins


def names(modules: Iterable[str]) -> Mapping[str, Any]:
    """`{"sxlit.softmax": <function>, ...}`: what the modules' __all__ promise.

    Only functions and classes, each once, on the shelf that comes first: what the
    package re-exports from a module of its own is the package's.
    """
    found: dict[str, Any] = {}
    for module_name in modules:
        if module_name in drop_ins.MODULES:
            found.update(drop_ins.entries(module_name))
            continue
        module = import_module(module_name)
        if not hasattr(module, "__all__"):
            raise AttributeError(
                f"{module_name} has no __all__: the API page lists the names that "
                "__all__ promises; define it"
            )
        for name in module.__all__:
            value = getattr(module, name)
            known = any(value is other for other in found.values())
            if _documented(value) and not known:
                found[f"{module_name}.{name}"] = value
    return found


def _documented(value: object) -> bool:
    """Whether it is a function or a class; Numba's instructions wrap a function."""
    return isroutine(value) or isclass(value) or hasattr(value, "__wrapped__")


def undocumented(public: Mapping[str, Any]) -> list[str]:
    """Public functions and classes without a docstring."""
    return [path for path, value in public.items() if not value.__doc__]


def path(public: Mapping[str, Any], module: str, name: str) -> str | None:
    """Where a reader finds what `sxlit.MODULE` calls `name`; None if nowhere.

    `softmax` of `sxlit.rows` is `sxlit.softmax`; of `sxlit.textbook` it is
    `sxlit.textbook.softmax`, another function.
    """
    if (own := f"sxlit.{module}.{name}") in public:
        return own
    shelf = f"sxlit.{name}"
    if shelf in public:
        value = getattr(import_module(f"sxlit.{module}"), name, None)
        if value is public[shelf]:
            return shelf
    return None
