"""`-k`: words joined by and, or, not and parentheses, as pytest has them."""

from __future__ import annotations

import re
from collections.abc import Callable

Match = Callable[[str], bool]

_TOKEN = re.compile(r"[()]|[^\s()]+")


class ExpressionError(Exception):
    """An expression that says nothing; the message is one line."""


def parse(text: str) -> Match:
    """A test of a claim's key: a word holds where it stands in the key."""
    tokens = _TOKEN.findall(text)

    def fail(expected: str) -> ExpressionError:
        found = repr(tokens[0]) if tokens else "the end"
        return ExpressionError(f"-k {text!r}: expected {expected}, got {found}")

    def either() -> Match:
        tests = [both()]
        while tokens[:1] == ["or"]:
            tokens.pop(0)
            tests.append(both())
        return lambda key: any(test(key) for test in tests)

    def both() -> Match:
        tests = [single()]
        while tokens[:1] == ["and"]:
            tokens.pop(0)
            tests.append(single())
        return lambda key: all(test(key) for test in tests)

    def single() -> Match:
        if not tokens or tokens[0] in (")", "and", "or"):
            raise fail("a word, not, or (")
        token = tokens.pop(0)
        if token == "not":
            negated = single()
            return lambda key: not negated(key)
        if token == "(":
            inner = either()
            if tokens[:1] != [")"]:
                raise fail("and, or, or )")
            tokens.pop(0)
            return inner
        return lambda key: token.lower() in key.lower()

    result = either()
    if tokens:
        raise fail("and, or, or the end")
    return result
