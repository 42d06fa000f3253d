"""Which adapter is meant, and one clear line where it cannot be had."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class AdapterError(Exception):
    """The call or the adapter is broken; the message is one line for its author."""


@dataclass(frozen=True)
class Adapter:
    """What to run, and with which interpreter."""

    name: str
    given: str  # as the user wrote it
    location: str  # "module:NAME" or "file:PATH"
    interpreter: str
    ships: bool = False  # with the suite: the ledger speaks of these alone


def built_in() -> tuple[str, ...]:
    """The names of the adapters that ship with the suite; imports none of them."""
    folder = Path(__file__).parent / "adapters"
    names = (path.stem.replace("_", "-") for path in folder.glob("[!_]*.py"))
    return tuple(sorted(names))


def resolve(text: str, interpreter: str) -> Adapter:
    """A built-in name, a path to a Python file, or a dotted module."""
    if text in built_in():
        module = f"module:sxlit_conformance.adapters.{text.replace('-', '_')}"
        return Adapter(text, text, module, interpreter, ships=True)
    if text.endswith(".py") or "/" in text:
        path = Path(text).resolve()
        if not path.is_file():
            raise AdapterError(f"adapter {text}: there is no such file")
        return Adapter(path.stem, text, f"file:{path}", interpreter)
    if "." in text and all(part.isidentifier() for part in text.split(".")):
        return Adapter(text, text, f"module:{text}", interpreter)
    close = difflib.get_close_matches(text, built_in(), 1)
    hint = f"; did you mean {close[0]}" if close else ""
    raise AdapterError(
        f"unknown adapter {text!r}{hint}: expected one of {', '.join(built_in())}, "
        "a dotted module, or a path to a .py file"
    )


def called(adapter: Adapter, declared: str) -> str:
    """What a record calls an adapter: a stranger's NAME, but never a built-in's."""
    name = " ".join(declared.split()) or adapter.name
    if adapter.ships:
        return adapter.name
    return adapter.given if name in built_in() else name


def source(adapter: Adapter) -> str:
    """The text of the adapter's file."""
    kind, _, name = adapter.location.partition(":")
    try:
        found = importlib.util.find_spec(name) if kind == "module" else None
    except ModuleNotFoundError:
        found = None
    origin = name if kind == "file" else found and found.origin
    if not origin:
        raise AdapterError(f"adapter {adapter.given}: there is no such module")
    return Path(origin).read_text("utf-8")


def explain(adapter: Adapter, broken: Mapping[str, Any], when: str = "") -> str:
    """One line: which file, which line, what happened, what to do."""
    missing = broken["missing"].partition(".")[0]
    who = f"adapter {adapter.name}: {when}"
    kind, _, name = adapter.location.partition(":")
    if missing and kind == "module" and f"{name}.".startswith(broken["missing"] + "."):
        return f"{who}there is no module {broken['missing']!r}"
    if missing:
        return (
            f"{who}{adapter.interpreter} has no package {missing!r}; install it "
            f"(pip install {missing}), or name an interpreter that has it "
            f"(--python {adapter.name}=INTERPRETER)"
        )
    place = f"{broken['file']}:{broken['line']}: " if broken["file"] else ""
    return f"{who}{place}{broken['error']}: {broken['message']}"
