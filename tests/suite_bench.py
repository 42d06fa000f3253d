"""Small stand-ins for the corpus, the oracle and the rules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sxlit_conformance.judge import judge
from sxlit_conformance.locate import Adapter, resolve
from sxlit_conformance.model import (
    Array,
    Case,
    Claim,
    Observation,
    Reference,
    Source,
    Tolerance,
    Verdict,
)
from sxlit_conformance.process import Limits
from sxlit_conformance.runner import Run, run

FAKES = Path(__file__).parent / "fakes"
QUICK = Limits(case=10.0, start=60.0, memory=1 << 30)


def case(name: str, values: Any, **changes: Any) -> Case:
    """A softmax case of literal values."""
    fields: dict[str, Any] = {
        "id": f"softmax/{name}",
        "operation": "softmax",
        "arguments": {"x": Source(values=values)},
        "options": {},
        "dtypes": ("float32",),
        "grades": ("standard", "hra"),
        "level": "required",
        "accept": ("reference",),
        "why": "because",
        "source": "tests",
        "layout": "contiguous",
    }
    return Case(**{**fields, **changes})


CASES = (
    case("two", ((0, 1), (2, 0))),
    case("three", ((0, 1, 2), (2, 0, 1))),
    case("four", ((0, 1, 2, 3), (3, 2, 0, 1))),
)


def oracle(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Reference:
    """Softmax in float64: enough for float32 and tests."""
    assert operation == "softmax"
    x = np.asarray(arguments["x"], np.float64)
    shifted = np.exp(x - x.max(axis=options["axis"], keepdims=True))
    hi = shifted / shifted.sum(axis=options["axis"], keepdims=True)
    return Reference(hi, np.zeros_like(hi))


class Rules:
    """Everybody may be wrong by 1e-6."""

    allowed = 1e-6

    def required_numerics(
        self, dtype: str, flushes_subnormals: bool, grade: str
    ) -> Any:
        return None

    def tolerance(
        self,
        operation: str,
        arguments: Mapping[str, Array],
        options: Mapping[str, Any],
        grade: str,
        numerics: Any,
    ) -> Tolerance:
        shape = arguments["x"].shape
        return Tolerance(np.full(shape, self.allowed), "thm-fake", "0, Tests")


def bench(
    claim: Claim,
    observation: Observation,
    arguments: Mapping[str, Array],
    hello: Mapping[str, Any],
) -> Verdict:
    """The real judge with the stand-ins."""
    return judge(claim, observation, arguments, oracle, Rules())


def fake(name: str) -> Adapter:
    """An adapter of tests/fakes."""
    return resolve(str(FAKES / f"{name}.py"), sys.executable)


def run_fake(name: str, **changes: Any) -> Run:
    """A run of a fake over the small cases."""
    given: dict[str, Any] = {"limits": QUICK, "generators": {}, **changes}
    return run(fake(name), CASES, bench, **given)
