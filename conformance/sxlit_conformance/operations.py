"""The operations that the suite asks for: names, arguments, options, result shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Result = Literal["input", "reduced", "loss", "any"]


@dataclass(frozen=True)
class Operation:
    """How an adapter is called: `name(*arguments, **named, **options)`.

    `result` says which shape the answer has: "input" is the first argument's;
    "reduced" is that without the axis, if there is one; "loss" is "reduced" where the
    option `reduction` is "none", and a scalar otherwise; "any" is what a candidate
    says.

    The `options` are in every call. The arrays of `named` and the options of `extras`
    are there where the case has them, so an adapter that knows none needs no word of
    them. `formula` names the operation whose formula the candidates of a survey follow.
    """

    name: str
    arguments: tuple[str, ...]
    options: Mapping[str, Any]
    result: Result
    core: bool = False
    named: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    formula: str = ""

    def shape(
        self, first: tuple[int, ...], options: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """The shape of the answer to an input of shape `first`."""
        if self.result == "input":
            return first
        if self.result == "loss" and options["reduction"] != "none":
            return ()
        if "axis" not in options:
            return first
        axis = options["axis"] % max(len(first), 1)
        return first[:axis] + first[axis + 1 :]


# An adapter must offer at least one of the core operations, or there is nothing to
# conform to; the others it may leave out.
_AXIS: Mapping[str, Any] = {"axis": -1}
_LOSS: Mapping[str, Any] = {"axis": -1, "reduction": "mean"}
_MORE: Any = {"named": ("weight",), "extras": ("ignore_index", "label_smoothing")}
_YES_NO: Any = {"named": ("weight", "pos_weight")}
_PAIR = ("logits", "targets")
_KL, _BINARY = "kl_divergence", "binary_cross_entropy"
_MEAN: Mapping[str, Any] = {"reduction": "mean"}

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("softmax", ("x",), _AXIS, "input", core=True),
        Operation("log_softmax", ("x",), _AXIS, "input", core=True),
        Operation("logsumexp", ("x",), _AXIS, "reduced", core=True),
        Operation("softmax_vjp", ("x", "g"), _AXIS, "input"),
        Operation("softmax_jvp", ("x", "v"), _AXIS, "input"),
        Operation("log_softmax_vjp", ("x", "g"), _AXIS, "input"),
        Operation("log_softmax_jvp", ("x", "v"), _AXIS, "input"),
        Operation("logsumexp_vjp", ("x", "g"), _AXIS, "input"),
        Operation("logsumexp_jvp", ("x", "v"), _AXIS, "reduced"),
        Operation("sigmoid", ("x",), {}, "input"),
        Operation("log_sigmoid", ("x",), {}, "input"),
        Operation("sigmoid_vjp", ("x", "g"), {}, "input"),
        Operation("sigmoid_jvp", ("x", "v"), {}, "input"),
        Operation("log_sigmoid_vjp", ("x", "g"), {}, "input"),
        Operation("log_sigmoid_jvp", ("x", "v"), {}, "input"),
        Operation("entropy", ("p",), _AXIS, "reduced"),
        Operation(_KL, ("p", "q"), _AXIS, "reduced"),
        Operation("cross_entropy", _PAIR, _LOSS, "loss", core=True, **_MORE),
        Operation("cross_entropy_grad", _PAIR, _LOSS, "input", **_MORE),
        Operation("cross_entropy_hvp", (*_PAIR, "v"), _LOSS, "input", **_MORE),
        Operation(_BINARY, _PAIR, _MEAN, "loss", **_YES_NO),
        Operation(f"{_BINARY}_grad", _PAIR, _MEAN, "input", **_YES_NO),
        # For surveys: the framework's own, given two arrays and nothing else.
        Operation("default_kl_divergence", ("p", "q"), {}, "any", formula=_KL),
        Operation("default_binary_cross_entropy", _PAIR, {}, "any", formula=_BINARY),
        Operation("default_cross_entropy", _PAIR, {}, "any", formula="cross_entropy"),
        Operation(
            "positional_cross_entropy",
            ("first", "second"),
            {},
            "any",
            formula="cross_entropy",
        ),
    )
}

# What an option with a closed set of words may be; an axis is any integer.
OPTION_WORDS: Mapping[str, tuple[str, ...]] = {"reduction": ("mean", "sum", "none")}

# What a search climbs: a survey's questions have no bound.
SEARCHED = tuple(name for name, known in OPERATIONS.items() if not known.formula)
