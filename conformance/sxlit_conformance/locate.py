"""Which adapter is meant, and one clear line where it cannot be had."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Broken(Exception):
    """The call or the adapter is broken; the message is one line for its author."""


@dataclass(frozen=True)
class Adapter:
    """What to run, and with which interpreter."""

    name: str
    location: str
    interpreter: str


def built_in() -> tuple[str, ...]:
    """The names of the adapters that ship with the suite; imports none of them."""
    folder = Path(__file__).parent / "adapters"
    names = (path.stem.replace("_", "-") for path in folder.glob("[!_]*.py"))
    return tuple(sorted(names))


def resolve(text: str, interpreter: str) -> Adapter:
    """A built-in name, a path to a Python file, or a dotted module."""
    if text in built_in():
        module = f"module:sxlit_conformance.adapters.{text.replace('-', '_')}"
        return Adapter(text, module, interpreter)
    if text.endswith(".py") or "/" in text:
        path = Path(text).resolve()
        if not path.is_file():
            raise Broken(f"adapter {text}: there is no such file")
        return Adapter(path.stem, f"file:{path}", interpreter)
    if "." in text and all(part.isidentifier() for part in text.split(".")):
        return Adapter(text, f"module:{text}", interpreter)
    close = difflib.get_close_matches(text, built_in(), 1)
    hint = f"; did you mean {close[0]}" if close else ""
    raise Broken(
        f"unknown adapter {text!r}{hint}: expected one of {', '.join(built_in())}, "
        "a dotted module, or a path to a .py file"
    )


def explain(adapter: Adapter, broken: Mapping[str, Any], when: str = "") -> str:
    """One line: which file, which line, what happened, what to do."""
    missing = broken["missing"].partition(".")[0]
    who = f"adapter {adapter.name}: {when}"
    if missing and adapter.location == f"module:{broken['missing']}":
        return f"{who}there is no module {broken['missing']!r}"
    if missing and not adapter.location.startswith(f"module:{missing}."):
        return (
            f"{who}{adapter.interpreter} has no package {missing!r}; install it "
            f"(pip install {missing}), or name an interpreter that has it "
            f"(--python {adapter.name}=INTERPRETER)"
        )
    place = f"{broken['file']}:{broken['line']}: " if broken["file"] else ""
    return f"{who}{place}{broken['error']}: {broken['message']}"
