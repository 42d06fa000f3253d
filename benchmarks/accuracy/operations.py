"""What is measured: operations, the arguments they take, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DTYPES = ("float16", "bfloat16", "float32", "float64")
PROVIDERS = ("sxlit", "scipy", "torch", "tensorflow", "jax")
WIDE = "double-double"  # sxlit in float64, asked for that precision
# A second run of each provider: what keeps it from the wide instructions.
PLAIN = " plain"
_NUMPY = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL"}
ENVIRONMENTS = {
    "sxlit": _NUMPY,
    WIDE: _NUMPY,
    "scipy": _NUMPY,
    "torch": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "tensorflow": {"TF_ENABLE_ONEDNN_OPTS": "0", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "jax": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"},
}


@dataclass(frozen=True)
class Operation:
    """One line of the table.

    Attributes:
        name: what the table calls it.
        function: its name in sxlit.
        takes: the kinds of its arguments, in order.
        gives: "classes", "rows", "matrices" or "entries".
        options: always passed.
        adapter: its name in the suite's adapters; "" where they have none.
    """

    name: str
    function: str
    takes: tuple[str, ...]
    gives: str
    options: dict[str, Any] = field(default_factory=dict)
    adapter: str = ""


_EACH = {"reduction": "none"}
_LABELS, _TARGETS = ("logits", "labels"), ("logits", "targets")
_BINARY = ("odds", "answers")
OPERATIONS = (
    Operation("softmax", "softmax", ("logits",), "classes", {}, "softmax"),
    Operation("log_softmax", "log_softmax", ("logits",), "classes", {}, "log_softmax"),
    Operation("logsumexp", "logsumexp", ("logits",), "rows", {}, "logsumexp"),
    Operation(
        "cross_entropy, labels", "cross_entropy", _LABELS, "rows", _EACH,
        "cross_entropy",
    ),
    Operation(
        "cross_entropy, soft", "cross_entropy", _TARGETS, "rows", _EACH,
        "cross_entropy",
    ),
    Operation(
        "cross_entropy_grad, labels", "cross_entropy_grad", _LABELS, "classes", _EACH,
        "cross_entropy_grad",
    ),
    Operation(
        "cross_entropy_grad, soft", "cross_entropy_grad", _TARGETS, "classes", _EACH,
        "cross_entropy_grad",
    ),
    Operation("sigmoid", "sigmoid", ("odds",), "entries", {}, "sigmoid"),
    Operation("log_sigmoid", "log_sigmoid", ("odds",), "entries", {}, "log_sigmoid"),
    Operation(
        "binary_cross_entropy", "binary_cross_entropy", _BINARY, "entries", _EACH,
        "binary_cross_entropy",
    ),
    Operation(
        "softmax_vjp", "softmax_vjp", ("logits", "direction"), "classes", {},
        "softmax_vjp",
    ),
    Operation("softmax_jacobian", "softmax_jacobian", ("logits",), "matrices"),
    Operation("entropy_from_logits", "entropy_from_logits", ("logits",), "rows"),
    Operation(
        "kl_divergence_from_logits", "kl_divergence_from_logits", ("logits", "others"),
        "rows",
    ),
)  # fmt: skip
# Where cancellation has no limit: an absolute theorem covers float64, and short dtypes
# may keep results that no precision of the library decides.
ABSOLUTE = {
    "logsumexp",
    "cross_entropy_grad, soft",
    "softmax_vjp",
    "binary_cross_entropy",
    "kl_divergence_from_logits",
}


def named(name: str) -> Operation:
    """The operation of this name."""
    (found,) = (operation for operation in OPERATIONS if operation.name == name)
    return found
