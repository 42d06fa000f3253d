"""Ask one provider, in its own interpreter, everything that lies in a folder.

    python ask.py PROVIDER FOLDER TARGET

Reads FOLDER/questions/*.npz, writes FOLDER/TARGET/*.npz with the answers, and
FOLDER/TARGET/provider.json with its version and with what it refused, and why.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import operations
import scipy_forms
from files import read, write
from operations import Operation

Ask = Callable[[Operation, list[Any]], Any]


def ask_sxlit(precision: str) -> Ask:
    import sxlit

    def ask(operation: Operation, arguments: list[Any]) -> Any:
        function = getattr(sxlit, operation.function)
        return function(*arguments, **operation.options, precision=precision)

    return ask


def ask_adapter(name: str) -> Ask:
    """Call what the conformance suite calls."""
    adapter = import_module(f"sxlit_conformance.adapters.{name}")
    adapter.setup("cpu", "eager")

    def ask(operation: Operation, arguments: list[Any]) -> Any:
        axis = {} if operation.gives == "entries" else {"axis": -1}
        function = getattr(adapter, operation.adapter)
        return function(*arguments, **axis, **operation.options)

    return ask


def ask_scipy(operation: Operation, arguments: list[Any]) -> Any:
    return scipy_forms.FORMS[operation.name](*arguments)


def counted(ask: Ask, operation: Operation, questions: list[list[Any]]) -> Any:
    """The answers of sxlit, and how many of them no precision has decided."""
    from sxlit.accurate import count_undecided

    with count_undecided() as undecided:
        answers = [np.asarray(ask(operation, arguments)) for arguments in questions]
    return answers, undecided.count


def can_ask(provider: str, operation: Operation, dtype: str) -> bool:
    if provider == operations.WIDE:
        return dtype == "float64"
    known = operation.name in scipy_forms.FORMS
    return provider == "sxlit" or bool(
        known if provider == "scipy" else operation.adapter
    )


def main(provider: str, folder: Path, target: str) -> None:
    """Answer all, and say what was refused."""
    own = provider in ("sxlit", operations.WIDE)
    if own:
        precision = "float64" if provider == "sxlit" else operations.WIDE
        ask, package = ask_sxlit(precision), "sxlit"
    elif provider == "scipy":
        ask, package = ask_scipy, "scipy"
    else:
        ask, package = ask_adapter(provider), provider
    refused, undecided = {}, {}
    for path in sorted((folder / "questions").glob("*.npz")):
        dtype, name = path.stem.split(" ", 1)
        operation = operations.named(name)
        if not can_ask(provider, operation, dtype):
            continue
        questions = read(path)
        try:
            if own:
                answers, undecided[path.stem] = counted(ask, operation, questions)
            else:
                answers = [np.asarray(ask(operation, each)) for each in questions]
            strange = {str(a.dtype) for a in answers} - {dtype}
            if strange:
                raise TypeError(f"answers in {', '.join(strange)}")
        except Exception as error:  # whatever a framework raises is its answer
            refused[path.stem] = f"{type(error).__name__}: {error}".splitlines()[0]
            continue
        write(folder / target / path.name, [[answer] for answer in answers])
    about = {
        "version": str(import_module(package).__version__),
        "refused": refused,
        "undecided": undecided,
    }
    (folder / target).mkdir(exist_ok=True)
    (folder / target / "provider.json").write_text(json.dumps(about, indent=1))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
