"""Every public function with what it takes and gives, for tests that go over them all.

Arguments are drawn up with the classes last, or as single numbers; `Function` moves the
class axis for those that have one. Another dtype joins all laws by its name in DTYPES.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ml_dtypes
import numpy as np

import sxlit
from sxlit import bounds

DTYPES = ("float16", "bfloat16", "float32", "float64")
Array = np.ndarray[Any, np.dtype[Any]]

# Arguments with a class axis; those of one number a row; the others have no rows.
WITH_CLASSES = {"logits", "other logits", "direction", "targets", "p", "q"}
PER_ROW = {"labels", "number"}


@dataclass(frozen=True)
class Function:
    """A public function as the tests ask it.

    Attributes:
        name: what it is called in `sxlit`, and in `sxlit.bounds`.
        takes: the kinds of its arguments.
        gives: "classes" (a number for each class), "rows" (one for each row),
            "matrices" (classes by classes) or "entries" (one for each number).
        options: always passed.
        fast: whether `sxlit.fast` is asked, which has its own name for gradients.
    """

    name: str
    takes: tuple[str, ...]
    gives: str
    options: dict[str, Any] = field(default_factory=dict)
    fast: bool = False

    def __str__(self) -> str:
        home = "fast." if self.fast else ""
        return f"{home}{self.name}({', '.join(self.takes)})"

    def ask(self, *arguments: Any, **options: Any) -> Any:
        """Call the public function itself."""
        if not self.fast:
            return getattr(sxlit, self.name)(*arguments, **options)
        from sxlit import fast

        if not self.name.endswith("_grad"):
            return getattr(fast, self.name)(*arguments, **options)
        return getattr(fast, f"{self.name[:-5]}_with_grad")(*arguments, **options)[1]

    @property
    def has_axis(self) -> bool:
        return self.gives in ("classes", "rows")

    def lay_out(self, arguments: Sequence[Any], axis: int) -> list[Any]:
        """Move the class axis of the arguments that have one."""
        return [
            np.moveaxis(a, -1, axis) if self.has_axis and kind in WITH_CLASSES else a
            for kind, a in zip(self.takes, arguments, strict=True)
        ]

    def raw(self, *arguments: Any, **options: Any) -> Any:
        """Ask; every warning is an error, but doubts about the arguments are none."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "logits: every row lies between 0 and 1")
            return self.ask(*arguments, **self.options, **options)

    def __call__(self, *arguments: Any, axis: int = -1, **options: Any) -> Array:
        """Ask with the class axis elsewhere, and put the classes last in the result."""
        if self.has_axis:
            options["axis"] = axis
        answer = np.asarray(self.raw(*self.lay_out(arguments, axis), **options))
        return np.moveaxis(answer, axis, -1) if self.gives == "classes" else answer

    def bound(
        self, *arguments: Any, numerics: bounds.Numerics | None = None, **options: Any
    ) -> Array:
        """What `sxlit.bounds` allows; by default of float64 and one last rounding.

        `sxlit.fast` computes in the dtype of the logits, or in float32.
        """
        dtype = np.asarray(arguments[0]).dtype
        options = self.options | options
        if numerics is None and self.fast:
            numerics = bounds.Numerics.required(dtype.name, grade="hra")
            options = {"grade": "hra", **options}
        numerics = numerics or computed(dtype)
        bound = getattr(bounds, self.name)
        return numerics.stored(bound(*arguments, **options, numerics=numerics))


def computed(dtype: Any) -> bounds.Numerics:
    """Float64 arithmetic whose results are stored in `dtype`."""
    info = ml_dtypes.finfo(dtype)
    return replace(
        bounds.Numerics.required("float64"),
        store=float(info.eps) / 2,
        underflow=float(info.smallest_subnormal),
    )


_ONE_EACH = {"reduction": "none"}
FUNCTIONS = (
    Function("softmax", ("logits",), "classes"),
    Function("log_softmax", ("logits",), "classes"),
    Function("logsumexp", ("logits",), "rows"),
    Function("softmax_jacobian", ("logits",), "matrices"),
    Function("softmax_jvp", ("logits", "direction"), "classes"),
    Function("softmax_vjp", ("logits", "direction"), "classes"),
    Function("log_softmax_jvp", ("logits", "direction"), "classes"),
    Function("log_softmax_vjp", ("logits", "direction"), "classes"),
    Function("logsumexp_jvp", ("logits", "direction"), "rows"),
    Function("logsumexp_vjp", ("logits", "number"), "classes"),
    Function("entropy_from_logits", ("logits",), "rows"),
    Function("kl_divergence_from_logits", ("logits", "other logits"), "rows"),
    Function("cross_entropy", ("logits", "labels"), "rows", _ONE_EACH),
    Function("cross_entropy", ("logits", "targets"), "rows", _ONE_EACH),
    Function("cross_entropy_grad", ("logits", "labels"), "classes", _ONE_EACH),
    Function("cross_entropy_grad", ("logits", "targets"), "classes", _ONE_EACH),
    Function(
        "cross_entropy_hvp", ("logits", "labels", "direction"), "classes", _ONE_EACH
    ),
    Function(
        "cross_entropy_hvp", ("logits", "targets", "direction"), "classes", _ONE_EACH
    ),
    Function("entropy", ("p",), "rows"),
    Function("cross_entropy_of", ("p", "q"), "rows"),
    Function("kl_divergence", ("p", "q"), "rows"),
    Function("self_information", ("probability",), "entries"),
    Function("sigmoid", ("log-odds",), "entries"),
    Function("log_sigmoid", ("log-odds",), "entries"),
    Function("sigmoid_jvp", ("log-odds", "slope"), "entries"),
    Function("sigmoid_vjp", ("log-odds", "slope"), "entries"),
    Function("log_sigmoid_jvp", ("log-odds", "slope"), "entries"),
    Function("log_sigmoid_vjp", ("log-odds", "slope"), "entries"),
    Function("binary_cross_entropy", ("log-odds", "answers"), "entries", _ONE_EACH),
    Function(
        "binary_cross_entropy_grad", ("log-odds", "answers"), "entries", _ONE_EACH
    ),
)
FAST = tuple(
    replace(f, fast=True)
    for f in FUNCTIONS
    if f.name.removesuffix("_grad")
    in (
        "softmax",
        "log_softmax",
        "logsumexp",
        "cross_entropy",
        "binary_cross_entropy",
    )
)
EVERYWHERE = (*FUNCTIONS, *FAST)  # in sxlit and in sxlit.fast
# No array comes out, so no law of arrays concerns them.
OTHERS = {"huffman_code"}


def taking(*kinds: str, gives: str = "") -> list[Function]:
    """The functions that take all of these kinds, perhaps of those that give one."""
    wanted = set(kinds)
    return [f for f in EVERYWHERE if wanted <= set(f.takes) and gives in ("", f.gives)]


def named(name: str, *takes: str) -> Function:
    """The first function of this name, or the one that takes these kinds."""
    return next(f for f in FUNCTIONS if f.name == name and takes in ((), f.takes))


def both(*functions: Function) -> list[Function]:
    """These functions of `sxlit`, and those of them that `sxlit.fast` has."""
    fast = [replace(f, fast=True) for f in functions]
    return [*functions, *(f for f in fast if f in FAST)]


# Layouts of the same values in memory.


def turned(x: Array) -> Array:
    """Through negative strides."""
    back = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[back])[back]


def strided(x: Array) -> Array:
    """Every third entry of a larger array, along each axis."""
    wide = np.full([3 * n + 1 for n in x.shape], 7).astype(x.dtype)
    inner = wide[tuple(slice(1, None, 3) for _ in x.shape)]
    inner[...] = x
    return inner


def read_only(x: Array) -> Array:
    frozen = x.copy()
    frozen.flags.writeable = False
    return frozen


def big_endian(x: Array) -> Array:
    """With the bytes in the other order, which NumPy has not for bfloat16."""
    return x if x.dtype.kind == "V" else x.astype(x.dtype.newbyteorder(">"))


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "reversed": turned,
    "read-only": read_only,
    "big-endian": big_endian,
}


# Comparisons: to the bit (sameness.same_bits), or by bounds.


def exact_sum(*terms: Any) -> Array:
    """The sum of the terms of each entry, rounded once; terms must be finite."""
    arrays = np.broadcast_arrays(*(np.asarray(t, dtype=np.float64) for t in terms))
    columns = zip(*(a.ravel().tolist() for a in arrays), strict=True)
    sums = [math.fsum(column) for column in columns]
    return np.array(sums, dtype=np.float64).reshape(arrays[0].shape)


def agree(left: Sequence[Any], right: Sequence[Any], allowed: Sequence[Any]) -> None:
    """Assert that two sums are as near as the bounds of their terms allow.

    Where a term is not finite, both sums must be the same infinity or NaN. The bounds
    count their own evaluation, which covers the one rounding of the difference.
    """
    sides = [np.asarray(t, dtype=np.float64) for t in (*left, *right)]
    sides = list(np.broadcast_arrays(*sides))
    finite = np.logical_and.reduce([np.isfinite(side) for side in sides])
    with np.errstate(invalid="ignore"):
        first = sum(sides[: len(left)])[~finite]
        second = sum(sides[len(left) :])[~finite]
    np.testing.assert_array_equal(first, second)
    signs = [1.0] * len(left) + [-1.0] * len(right)
    terms = [sign * s[finite] for sign, s in zip(signs, sides, strict=True)]
    most = sum(np.broadcast_to(a, finite.shape)[finite] for a in allowed)
    too_far = ~(np.abs(exact_sum(*terms)) <= most)
    if too_far.any():
        k = int(np.flatnonzero(too_far)[0])
        values = [t[k].item() for t in terms]
        raise AssertionError(f"terms {values} sum to more than {most[k]!r}")
