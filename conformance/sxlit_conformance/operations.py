"""The operations that the suite asks for: names, arguments, options, result shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Result = Literal["input", "reduced", "loss"]


@dataclass(frozen=True)
class Operation:
    """How an adapter is called: `name(*arguments, **options)`.

    `result` says which shape the answer has: "input" is the first argument's;
    "reduced" is that without the axis; "loss" is "reduced" where the option
    `reduction` is "none", and a scalar otherwise.
    """

    name: str
    arguments: tuple[str, ...]
    options: Mapping[str, Any]
    result: Result
    core: bool = False

    def shape(
        self, first: tuple[int, ...], options: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """The shape of the answer to an input of shape `first`."""
        if self.result == "input":
            return first
        if self.result == "loss" and options["reduction"] != "none":
            return ()
        axis = options["axis"] % max(len(first), 1)
        return first[:axis] + first[axis + 1 :]


# An adapter must offer at least one of the core operations, or there is nothing to
# conform to; the others it may leave out.
_AXIS: Mapping[str, Any] = {"axis": -1}
_LOSS: Mapping[str, Any] = {"axis": -1, "reduction": "mean"}

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("softmax", ("x",), _AXIS, "input", core=True),
        Operation("log_softmax", ("x",), _AXIS, "input", core=True),
        Operation("logsumexp", ("x",), _AXIS, "reduced", core=True),
        Operation("softmax_vjp", ("x", "g"), _AXIS, "input"),
        Operation("log_softmax_vjp", ("x", "g"), _AXIS, "input"),
        Operation("logsumexp_vjp", ("x", "g"), _AXIS, "input"),
        Operation("cross_entropy", ("logits", "targets"), _LOSS, "loss", core=True),
        Operation("cross_entropy_grad", ("logits", "targets"), _LOSS, "input"),
    )
}

# What an option with a closed set of words may be; an axis is any integer.
OPTION_WORDS: Mapping[str, tuple[str, ...]] = {"reduction": ("mean", "sum", "none")}
