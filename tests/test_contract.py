"""What every function does at the edges: a table for each row of the contract.

The first row that applies decides. Each entry is an input and the exact outcome, and
holds for every dtype, for the classes on any axis, and for every layout in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import sxlit
from every_function import (
    DTYPES,
    EVERYWHERE,
    LAYOUTS,
    PER_ROW,
    Array,
    Function,
    agree,
    both,
    named,
    taking,
)
from rounded import as_dtype
from sameness import same_bits

INF, NAN = np.inf, np.nan
BOTH = pytest.mark.parametrize("dtype", [as_dtype(d) for d in DTYPES], ids=DTYPES)
AXES = pytest.mark.parametrize("axis", [-1, 0, 1], ids=["last", "first", "middle"])
LAID_OUT = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
EACH = pytest.mark.parametrize("f", EVERYWHERE, ids=str)

# An ordinary row of each kind of argument, three classes, exact in every dtype.
PLAIN: dict[str, Any] = {
    "logits": [0.5, -1.0, 2.0],
    "other logits": [0.0, 3.0, 1.0],
    "direction": [1.0, -2.0, 0.5],
    "number": 2.0,
    "labels": 1,
    "targets": [0.5, 0.25, 0.25],
    "p": [0.5, 0.25, 0.25],
    "q": [0.25, 0.25, 0.5],
    "probability": [0.5, 0.25, 0.25],
    "log-odds": [0.5, -1.0, 2.0],
    "slope": [1.0, -2.0, 0.5],
    "answers": [1.0, 0.0, 0.5],
}


def batch(kind: str, row: Any, dtype: Any) -> Array:
    """A batch (2, 2, C) of ordinary rows, in which only the row at [1, 0] is `row`."""
    whole = np.array([[PLAIN[kind]] * 2] * 2)
    if kind == "labels":
        whole[1, 0] = row
        return whole
    whole = whole.astype(float)
    whole[1, 0] = row
    return whole.astype(dtype)


def ordinary(f: Function, dtype: Any, **rows: Any) -> list[Array]:
    """Arguments of `f` whose row at [1, 0] is ordinary but for the `rows` given."""
    given = {kind.replace("_", " "): row for kind, row in rows.items()}
    return [batch(kind, given.get(kind, PLAIN[kind]), dtype) for kind in f.takes]


def at(f: Function, arguments: list[Array], axis: int = -1, **options: Any) -> Array:
    """The row at [1, 0] of the result; all other rows must be ordinary and alike."""
    answer = f(*arguments, axis=axis, **options)
    assert answer.dtype == arguments[0].dtype
    assert np.isfinite(answer[[0, 0, 1], [0, 1, 1]]).all()
    assert same_bits(answer[0, 0], answer[0, 1])
    assert same_bits(answer[0, 0], answer[1, 1])
    return answer[1, 0]


# The rows of the contract that say what a function returns: a function, what is odd in
# its arguments, and the exact result of that row.
Entry = tuple[Function, dict[str, Any], Any]
SOFTMAX, LOG_SOFTMAX, LSE = map(named, ("softmax", "log_softmax", "logsumexp"))
JACOBIAN, ENTROPY = named("softmax_jacobian"), named("entropy_from_logits")
LSE_JVP, LSE_VJP = named("logsumexp_jvp"), named("logsumexp_vjp")
PRODUCTS = [
    named(name)
    for name in ("softmax_jvp", "softmax_vjp", "log_softmax_jvp", "log_softmax_vjp")
]
KL_LOGITS = named("kl_divergence_from_logits")
LOSS = named("cross_entropy", "logits", "labels")
SOFT_LOSS = named("cross_entropy", "logits", "targets")
GRAD = named("cross_entropy_grad", "logits", "labels")
SOFT_GRAD = named("cross_entropy_grad", "logits", "targets")
HVP = named("cross_entropy_hvp", "logits", "labels", "direction")
SOFT_HVP = named("cross_entropy_hvp", "logits", "targets", "direction")
BINARY, BINARY_GRAD = named("binary_cross_entropy"), named("binary_cross_entropy_grad")

NOTHING = [-INF, -INF, -INF]
ALL_MINUS_INFINITE: list[Entry] = [
    (LSE, {"logits": NOTHING}, -INF),
    (LSE_JVP, {"logits": NOTHING}, 0.0),
    (LSE_VJP, {"logits": NOTHING}, [0.0] * 3),
    (SOFTMAX, {"logits": NOTHING}, [NAN] * 3),
    (LOG_SOFTMAX, {"logits": NOTHING}, [NAN] * 3),
    (JACOBIAN, {"logits": NOTHING}, [[NAN] * 3] * 3),
    *[(f, {"logits": NOTHING}, [NAN] * 3) for f in (*PRODUCTS, GRAD, SOFT_GRAD, HVP)],
    (SOFT_HVP, {"logits": NOTHING}, [NAN] * 3),
    (ENTROPY, {"logits": NOTHING}, NAN),
    (KL_LOGITS, {"logits": NOTHING}, NAN),
    (KL_LOGITS, {"other logits": NOTHING}, NAN),
    (LOSS, {"logits": NOTHING}, NAN),
    (SOFT_LOSS, {"logits": NOTHING}, NAN),
    (SOFT_LOSS, {"logits": NOTHING, "targets": [0, 0, 0]}, NAN),
]

TWO = [INF, 0.0, INF]
SEVERAL_INFINITE: list[Entry] = [
    (LSE, {"logits": TWO}, INF),
    (SOFTMAX, {"logits": TWO}, [NAN, 0, NAN]),
    (LOG_SOFTMAX, {"logits": TWO}, [NAN, -INF, NAN]),
    (LSE_JVP, {"logits": TWO}, NAN),
    (LSE_VJP, {"logits": TWO}, [NAN, 0, NAN]),
    (JACOBIAN, {"logits": TWO}, [[NAN] * 3, [NAN, 0, NAN], [NAN] * 3]),
    (ENTROPY, {"logits": TWO}, NAN),
    (KL_LOGITS, {"logits": TWO}, NAN),
    (KL_LOGITS, {"other logits": TWO}, NAN),
    (LOSS, {"logits": TWO, "labels": 0}, NAN),
    (LOSS, {"logits": TWO, "labels": 2}, NAN),
    (LOSS, {"logits": TWO, "labels": 1}, INF),
    (LOSS, {"logits": [INF, -INF, INF], "labels": 1}, INF),
    (SOFT_LOSS, {"logits": TWO, "targets": [0, 1, 0]}, INF),
    (SOFT_LOSS, {"logits": TWO, "targets": [0.5, 0.5, 0]}, NAN),
    (GRAD, {"logits": TWO, "labels": 1}, [NAN, -1, NAN]),
    (GRAD, {"logits": TWO, "labels": 0}, [NAN, 0, NAN]),
    (HVP, {"logits": TWO}, [NAN] * 3),
]

LONE = [1.0, INF, -INF]
ONE_INFINITE: list[Entry] = [
    (SOFTMAX, {"logits": LONE}, [0, 1, 0]),
    (LOG_SOFTMAX, {"logits": LONE}, [-INF, 0, -INF]),
    (LSE, {"logits": LONE}, INF),
    (LSE_JVP, {"logits": LONE}, -2.0),
    (LSE_VJP, {"logits": LONE}, [0, 2, 0]),
    (JACOBIAN, {"logits": LONE}, [[0] * 3] * 3),
    *[(f, {"logits": LONE}, [0] * 3) for f in PRODUCTS[:2]],
    (PRODUCTS[2], {"logits": LONE}, [3.0, 0, 2.5]),
    (PRODUCTS[3], {"logits": LONE}, [1.0, -1.5, 0.5]),
    (ENTROPY, {"logits": LONE}, 0),
    (KL_LOGITS, {"logits": LONE, "other logits": LONE}, 0),
    (KL_LOGITS, {"logits": [0, 0, 0], "other logits": LONE}, INF),
    (LOSS, {"logits": LONE, "labels": 1}, 0),
    (LOSS, {"logits": LONE, "labels": 0}, INF),
    (LOSS, {"logits": LONE, "labels": 2}, INF),
    (SOFT_LOSS, {"logits": LONE, "targets": [0, 1, 0]}, 0),
    (SOFT_LOSS, {"logits": LONE, "targets": [0.5, 0.5, 0]}, INF),
    (GRAD, {"logits": LONE, "labels": 1}, [0, 0, 0]),
    (GRAD, {"logits": LONE, "labels": 0}, [-1, 1, 0]),
    (SOFT_GRAD, {"logits": LONE, "targets": [0.5, 0.5, 0]}, [-0.5, 0.5, 0]),
    (HVP, {"logits": LONE}, [0, 0, 0]),
]

GONE = [0.0, -INF, 0.0]
WITHOUT_WEIGHT: list[Entry] = [
    (SOFT_LOSS, {"logits": [-INF, 4.0, -INF], "targets": [0, 1, 0]}, 0),
    (SOFT_GRAD, {"logits": GONE, "targets": [0.5, 0, 0.5]}, [0, 0, 0]),
    (GRAD, {"logits": GONE, "labels": 0}, [-0.5, 0, 0.5]),
    (SOFTMAX, {"logits": GONE}, [0.5, 0, 0.5]),
    (JACOBIAN, {"logits": GONE}, [[0.25, 0, -0.25], [0, 0, 0], [-0.25, 0, 0.25]]),
    (PRODUCTS[0], {"logits": GONE, "direction": [1, 9, 0]}, [0.25, 0, -0.25]),
    (KL_LOGITS, {"logits": GONE, "other logits": GONE}, 0),
    (ENTROPY, {"logits": [-INF, 4.0, -INF]}, 0),
]
WITH_WEIGHT: list[Entry] = [
    (LOG_SOFTMAX, {"logits": [-INF, 4.0, -INF]}, [-INF, 0, -INF]),
    (LOSS, {"logits": GONE, "labels": 1}, INF),
    (SOFT_LOSS, {"logits": GONE, "targets": [0.5, 0.25, 0.25]}, INF),
    (GRAD, {"logits": GONE, "labels": 1}, [0.5, -1, 0.5]),
    (SOFT_GRAD, {"logits": GONE, "targets": [0.5, 0.5, 0]}, [0, -0.5, 0.5]),
    (KL_LOGITS, {"logits": [0, 0, 0], "other logits": GONE}, INF),
]

ANY_TARGETS: list[Entry] = [
    (SOFT_GRAD, {"logits": [0, 0, -INF], "targets": [2, -1, 0]}, [-1.5, 1.5, 0]),
    (SOFT_GRAD, {"logits": [0, 0, -INF], "targets": [1, 1, 0]}, [0, 0, 0]),
    (SOFT_GRAD, {"logits": [0, 0, -INF], "targets": [0, 0, 0]}, [0, 0, 0]),
    (SOFT_LOSS, {"logits": [0, 0, -INF], "targets": [1, -1, 0]}, 0),
    (SOFT_LOSS, {"logits": [0, 0, -INF], "targets": [0, 0, 0]}, 0),
    (SOFT_LOSS, {"logits": [0, 0, -INF], "targets": [0, 0, -1]}, -INF),
]

PROBABILITIES: list[Entry] = [
    (named("entropy"), {"p": [0, 1, 0]}, 0),
    (named("entropy"), {"p": [NAN, 7, -1]}, NAN),
    (named("cross_entropy_of"), {"p": [0, 1, 0], "q": [0, 1, 0]}, 0),
    (named("cross_entropy_of"), {"p": [0.5, 0.5, 0], "q": [0, 1, 0]}, INF),
    (named("cross_entropy_of"), {"p": [NAN, 7, -1]}, NAN),
    (named("cross_entropy_of"), {"q": [NAN, 7, -1]}, NAN),
    (named("kl_divergence"), {"p": [0, 1, 0], "q": [0, 1, 0]}, 0),
    (named("kl_divergence"), {"p": [0, 1, 0], "q": [1, 0, 0]}, INF),
    (named("kl_divergence"), {"p": [NAN, 7, -1]}, NAN),
    (named("kl_divergence"), {"q": [NAN, 7, -1]}, NAN),
    (named("self_information"), {"probability": [0, 1, NAN]}, [INF, 0, NAN]),
]

ENDS = [INF, -INF, INF]
BINARY_ENDS: list[Entry] = [
    (BINARY, {"log-odds": ENDS, "answers": [1, 0, 0]}, [0, 0, INF]),
    (BINARY, {"log-odds": ENDS, "answers": [0.5, 1, 0.5]}, [INF, INF, INF]),
    (BINARY_GRAD, {"log-odds": ENDS, "answers": [1, 0, 0]}, [0, 0, 1]),
    (BINARY_GRAD, {"log-odds": ENDS, "answers": [0.5, 1, 0.5]}, [0.5, -1, 0.5]),
    (named("sigmoid"), {"log-odds": ENDS}, [1, 0, 1]),
    (named("log_sigmoid"), {"log-odds": ENDS}, [0, -INF, 0]),
    (named("sigmoid_jvp"), {"log-odds": ENDS}, [0, 0, 0]),
    (named("sigmoid_vjp"), {"log-odds": ENDS}, [0, 0, 0]),
    (named("log_sigmoid_jvp"), {"log-odds": ENDS}, [0, -2, 0]),
    (named("log_sigmoid_vjp"), {"log-odds": ENDS}, [0, -2, 0]),
]

CONTRACT = {
    "all logits -inf": ALL_MINUS_INFINITE,
    "two or more +inf logits": SEVERAL_INFINITE,
    "exactly one +inf logit": ONE_INFINITE,
    "-inf logit where the weighted target is 0": WITHOUT_WEIGHT,
    "-inf logit where the weighted target is not 0": WITH_WEIGHT,
    "soft targets that do not sum to one, or are negative": ANY_TARGETS,
    "probabilities: 0 log 0 = 0, and rows with NaN": PROBABILITIES,
    "binary loss and sigmoids at +inf and -inf": BINARY_ENDS,
}
ENTRIES = [
    pytest.param(f, odd, wanted, id=f"{words}: {f} {odd}")
    for words, entries in CONTRACT.items()
    for function, odd, wanted in entries
    for f in both(function)
]


@pytest.mark.parametrize(("f", "odd", "wanted"), ENTRIES)
@BOTH
def test_the_table(f: Function, odd: dict[str, Any], wanted: Any, dtype: Any) -> None:
    """Exactly, whatever the class axis and the layout; other rows are not touched."""
    arguments = ordinary(f, dtype, **odd)
    for axis in (-1, 0, 1):
        found = at(f, arguments, axis).astype(np.float64)
        np.testing.assert_array_equal(found, np.array(wanted))
        for layout in LAYOUTS.values():
            moved = [layout(a) for a in f.lay_out(arguments, axis)]
            answer = f.raw(*moved, **({"axis": axis} if f.has_axis else {}))
            assert same_bits(
                np.asarray(answer), np.asarray(plainly(f, arguments, axis))
            )


def plainly(f: Function, arguments: list[Array], axis: int) -> Any:
    moved = [np.ascontiguousarray(a) for a in f.lay_out(arguments, axis)]
    return f.raw(*moved, **({"axis": axis} if f.has_axis else {}))


# No classes


@EACH
@BOTH
@AXES
def test_no_classes(f: Function, dtype: Any, axis: int) -> None:
    """ValueError for softmax and losses; logsumexp -inf; no numbers give none."""
    arguments = [
        a[..., :0] if kind not in PER_ROW else a
        for kind, a in zip(f.takes, ordinary(f, dtype), strict=True)
    ]
    if f.gives == "entries":
        assert f(*arguments).shape == (2, 2, 0)
    elif f.name == "logsumexp":
        assert same_bits(f(*arguments, axis=axis), np.full((2, 2), -INF, dtype))
    else:
        with pytest.raises(ValueError, match="no classes"):
            f(*arguments, axis=axis)


# An ignored row, whatever it holds

IGNORED = {
    "ordinary": PLAIN["logits"],
    "NaN": [NAN, 0.0, 1.0],
    "+inf": [INF, INF, 0.0],
    "-inf": NOTHING,
}


@pytest.mark.parametrize("f", taking("logits", "labels"), ids=str)
@pytest.mark.parametrize("row", IGNORED.values(), ids=IGNORED)
@pytest.mark.parametrize("mark", [-100, -1, 3, 2, 2**40])
@BOTH
@AXES
def test_an_ignored_row(
    f: Function, row: list[float], mark: int, dtype: Any, axis: int
) -> None:
    """Contributes nothing to loss or denominator; 0 by itself; gradient exactly 0."""
    odd = {"logits": row, "labels": mark, "direction": row}
    arguments = ordinary(f, dtype, **{k: v for k, v in odd.items() if k in f.takes})
    result = at(f, arguments, axis, ignore_index=mark)
    assert same_bits(result, np.zeros_like(result))
    flat = [a.reshape(4, *a.shape[2:]) for a in arguments]
    for reduction in ("sum", "mean"):
        f_ = replace(f, options={"reduction": reduction})
        whole = f_(*flat, ignore_index=mark)
        part = f_(*(a[[0, 1, 3]] for a in flat), ignore_index=mark)
        assert same_bits(whole if f.gives == "rows" else whole[[0, 1, 3]], part)


# A NaN

NAN_ENTRIES = [
    pytest.param(f, kind, id=f"{f}: {kind}")
    for f in EVERYWHERE
    for kind in f.takes
    if kind != "labels"
]


@pytest.mark.parametrize(("f", "kind"), NAN_ENTRIES)
@pytest.mark.parametrize("beside", ["plain", "inf", "-inf"])
@BOTH
@AXES
def test_a_nan(f: Function, kind: str, beside: str, dtype: Any, axis: int) -> None:
    """Its whole row is NaN, no other row is touched."""
    row = np.array(PLAIN[kind], dtype=float)
    if row.ndim == 0:
        row = np.array(NAN)
    else:
        if beside != "plain" and kind in ("logits", "other logits", "direction"):
            row[:] = float(beside)
        row[1] = NAN
    result = at(f, ordinary(f, dtype, **{kind: row}), axis)
    if f.gives == "entries":
        assert np.isnan(result).tolist() == [False, True, False]
    else:
        assert np.isnan(result).all()


# Weights and smoothing


@BOTH
@AXES
def test_a_class_of_weight_zero_hides_minus_infinity(dtype: Any, axis: int) -> None:
    """Contributes 0 (0 log 0 = 0); gradient finite."""
    weight = {"weight": [1, 0, 1]}
    hard = ordinary(LOSS, dtype, logits=GONE, labels=1)
    soft = ordinary(SOFT_LOSS, dtype, logits=[-INF, -INF, 0], targets=[0, 0.5, 0.5])
    # The ordinary rows have label 1 too, so that their loss is 0 as well.
    for loss, gradient in zip(both(LOSS), both(GRAD), strict=True):
        assert at(loss, hard, axis, **weight) == 0
        assert at(gradient, hard, axis, **weight).tolist() == [0, 0, 0]
    for loss, gradient in zip(both(SOFT_LOSS), both(SOFT_GRAD), strict=True):
        assert at(loss, soft, axis, **weight) == 0
        assert at(gradient, soft, axis, **weight).tolist() == [0, 0, 0]


@BOTH
@AXES
def test_smoothing_gives_minus_infinity_a_weight(dtype: Any, axis: int) -> None:
    """Loss +inf, gradient the limit."""
    hard = ordinary(LOSS, dtype, logits=[-INF, -INF, 0], labels=2)
    for loss, grad in zip(both(LOSS), both(GRAD), strict=True):
        assert at(loss, hard, axis, label_smoothing=0.75) == INF
        gradient = at(grad, hard, axis, label_smoothing=0.75)
        assert gradient.tolist() == [-0.25, -0.25, 0.5]
        all_smooth = at(grad, hard, axis, label_smoothing=0.75, weight=[2, 2, 2])
        assert all_smooth.tolist() == [-0.5, -0.5, 1.0]


MEANS_OF_NOTHING = (("mean", NAN), ("sum", 0.0))
EMPTY: dict[str, dict[str, Any]] = {
    "every row ignored": {"ignore_index": 1},
    "total weight 0": {"weight": [1, 0, 1]},
    "no rows": {},
}


@pytest.mark.parametrize("why", EMPTY)
@BOTH
@AXES
def test_a_mean_of_nothing(why: str, dtype: Any, axis: int) -> None:
    """NaN loss (0/0), zero gradient; "sum" gives 0."""
    for f in both(LOSS, GRAD, HVP):
        arguments = ordinary(f, dtype)
        if why == "no rows":
            arguments = [a[:0] for a in arguments]
        for reduction, loss in MEANS_OF_NOTHING:
            asked = replace(f, options={"reduction": reduction})
            answer = asked(*arguments, axis=axis, **EMPTY[why])
            if f.gives == "rows":
                assert same_bits(answer, np.array(loss, dtype))
            else:
                assert same_bits(answer, np.zeros_like(arguments[0]))


@BOTH
@AXES
def test_a_mean_of_no_distributions(dtype: Any, axis: int) -> None:
    for f, (reduction, loss) in product(both(SOFT_LOSS), MEANS_OF_NOTHING):
        asked = replace(f, options={"reduction": reduction})
        empty = [a[:0] for a in ordinary(asked, dtype)]
        assert same_bits(asked(*empty, axis=axis), np.array(loss, dtype))
        weightless = ordinary(asked, dtype)
        answer = asked(*weightless, axis=axis, weight=[0, 0, 0])
        assert same_bits(answer, np.array(loss, dtype))


@BOTH
def test_a_binary_mean_of_nothing(dtype: Any) -> None:
    x = np.zeros((0, 3), dtype)
    for f, (reduction, loss) in product(both(BINARY), MEANS_OF_NOTHING):
        answer = f.ask(x, x, reduction=reduction)
        assert same_bits(answer, np.array(loss, dtype))
    for f in both(BINARY_GRAD):
        assert f.ask(x, x).shape == x.shape


@BOTH
@pytest.mark.parametrize("bad", [-1.0, INF, -INF, NAN])
def test_class_weights(dtype: Any, bad: float) -> None:
    """Negative, infinite or NaN: ValueError."""
    weights = np.array([1, bad, 1], dtype)
    for f in both(LOSS, GRAD):
        with pytest.raises(ValueError, match=r"weight\[1\] is .*finite weights"):
            f.ask(np.zeros((2, 3), dtype), [0, 1], weight=weights)
    for f, which in product(both(BINARY, BINARY_GRAD), ("weight", "pos_weight")):
        with pytest.raises(ValueError, match=rf"{which}\[1\] is .*finite weights"):
            f.ask(np.zeros(3, dtype), [0, 1, 0], **{which: weights})


# Labels, distributions, shapes


@pytest.mark.parametrize("f", taking("logits", "labels"), ids=str)
@pytest.mark.parametrize("bad", [3, -1, -3, -100, 2**40])
@BOTH
@AXES
def test_a_label_out_of_range(f: Function, bad: int, dtype: Any, axis: int) -> None:
    """ValueError naming the first bad position and value."""
    arguments = ordinary(f, dtype, labels=bad)
    arguments[1][1, 1] = -7
    with pytest.raises(
        ValueError, match=rf"targets\[1, 0\] is {bad}: expected a class"
    ):
        f(*arguments, axis=axis)
    with pytest.raises(
        ValueError, match=rf"targets\[1, 0\] is {bad}: expected a class"
    ):
        f(*arguments, axis=axis, ignore_index=-7)


@pytest.mark.parametrize("f", taking("logits", "labels"), ids=str)
@BOTH
@AXES
def test_labels_of_a_floating_dtype(f: Function, dtype: Any, axis: int) -> None:
    """TypeError that says which of the two was meant."""
    x, labels, *v = ordinary(f, dtype)
    with pytest.raises(TypeError, match="shape of labels, which must be integers"):
        f(x, labels.astype(dtype), *v, axis=axis)


@pytest.mark.parametrize("f", taking("logits", "targets"), ids=str)
@pytest.mark.parametrize("kind", ["int64", "uint8", "bool"])
@BOTH
@AXES
def test_distributions_of_an_integer_dtype(
    f: Function, kind: str, dtype: Any, axis: int
) -> None:
    """TypeError that says which of the two was meant."""
    x, q, *v = ordinary(f, dtype)
    with pytest.raises(TypeError, match="shape of distributions, which must be float"):
        f(x, q.astype(kind), *v, axis=axis)


COMPANIONS = [
    pytest.param(f, k, id=f"{f}: {f.takes[k]}")
    for f in EVERYWHERE
    for k in range(1, len(f.takes))
]


@pytest.mark.parametrize(("f", "k"), COMPANIONS)
@BOTH
def test_shapes_that_would_only_broadcast(f: Function, k: int, dtype: Any) -> None:
    """ValueError."""
    arguments = ordinary(f, dtype)
    whole = arguments[k]
    for a in (whole[:1], whole[0], whole[..., :1], whole[None], whole[0, 0]):
        arguments[k] = np.asarray(a)
        if arguments[k].ndim == 2 and f.takes[k] == "targets":
            continue  # that is the shape of labels: TypeError, in its own row
        with pytest.raises(ValueError, match="expected"):
            f(*arguments)


@BOTH
def test_arguments_in_the_wrong_order(dtype: Any) -> None:
    """ValueError, where it can be seen."""
    x = np.array([[4.0, -3.0], [2.5, 1.0]], dtype)
    for f in both(LOSS, GRAD):
        with pytest.raises(ValueError, match="logits come first"):
            f.ask([0, 1], x)
    for f in both(BINARY, BINARY_GRAD):
        with pytest.raises(ValueError, match="logits come first"):
            f.ask([[0, 1], [1, 0]], x)


@BOTH
@AXES
@pytest.mark.parametrize(
    "f", [f for f in taking("logits", "targets") if not f.fast], ids=str
)
@pytest.mark.parametrize("q", [[2.0, -1.0, 0.0], [0.5, 0.25, 0.5], [0.0, 0.0, 0.0]])
def test_check_targets(f: Function, q: list[float], dtype: Any, axis: int) -> None:
    """Soft targets that do not sum to one, or are negative, raise if asked to."""
    arguments = ordinary(f, dtype, targets=q)
    f(*arguments, axis=axis)
    with pytest.raises(ValueError, match="targets: row 2 "):
        f(*arguments, axis=axis, check_targets=True)


# Dtypes


@EACH
@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "int64", "uint64", "bool"])
def test_integer_or_boolean_logits(f: Function, kind: str) -> None:
    """Promoted to float64 first."""
    arguments = ordinary(f, "float64")
    for k, takes in enumerate(f.takes):
        if takes in ("labels", "targets"):
            continue
        small = np.abs(arguments[k]).astype(kind)
        if takes in ("p", "q", "probability", "answers"):
            small = (np.arange(small.size).reshape(small.shape) % 2).astype(kind)
        changed = [*arguments]
        changed[k] = small
        wide = [*arguments]
        wide[k] = small.astype(np.float64)
        assert same_bits(f(*changed), f(*wide))


@EACH
@BOTH
@AXES
def test_results_have_the_dtype_of_the_logits(
    f: Function, dtype: Any, axis: int
) -> None:
    assert f(*ordinary(f, dtype), axis=axis).dtype == dtype


@BOTH
@pytest.mark.parametrize("rows", [2, 3, 1000])
def test_a_mean_of_many_rows_does_not_overflow_on_the_way(
    dtype: Any, rows: int
) -> None:
    """Nor does it where the sum of the losses is beyond the dtype."""
    far = float(ml_dtypes.finfo(dtype).max) / 2
    x = np.array([[0.0, far]] * rows, dtype)
    labels = np.zeros(rows, int)
    for f in both(LOSS, BINARY):
        logits = x if f.gives == "rows" else x[:, 1]
        mean = replace(f, options={"reduction": "mean"})
        agree([mean.raw(logits, labels)], [far], [mean.bound(logits, labels)])
    if rows > 2:
        for f in both(LOSS):
            assert f.ask(x, labels, reduction="sum") == INF


@EACH
@pytest.mark.parametrize("kind", ["longdouble", "complex128", "object", "str"])
def test_other_dtypes(f: Function, kind: str) -> None:
    """TypeError, for each argument."""
    for k in range(len(f.takes)):
        arguments = ordinary(f, "float64")
        arguments[k] = arguments[k].astype(kind)
        with pytest.raises(TypeError, match=r"expected|must be"):
            f(*arguments)


# Probabilities


@pytest.mark.parametrize(
    ("f", "k"),
    [
        pytest.param(f, k, id=f"{f}: {kind}")
        for f in EVERYWHERE
        for k, kind in enumerate(f.takes)
        if kind in ("p", "q", "probability")
    ],
)
@pytest.mark.parametrize("bad", [-0.25, 1.5, INF, -INF])
@BOTH
def test_probabilities_outside(f: Function, k: int, bad: float, dtype: Any) -> None:
    """ValueError, NaN rows excepted."""
    arguments = ordinary(f, dtype)
    arguments[k][1, 0, 2] = bad
    with pytest.raises(ValueError, match=r"\[1, 0, 2\] is .*expected a probability"):
        f(*arguments)


@pytest.mark.parametrize("bad", [-0.25, 1.5, INF, NAN])
@BOTH
def test_a_code_needs_probabilities(bad: float, dtype: Any) -> None:
    with pytest.raises(ValueError, match=r"p\[1\] is"):
        sxlit.huffman_code(np.array([0.5, bad, 0.5], dtype))


# Layout


@EACH
@BOTH
@AXES
@LAID_OUT
def test_layout(
    f: Function, dtype: Any, axis: int, layout: Callable[[Array], Array]
) -> None:
    """The bits of the contiguous copy, also for a batch of size zero."""
    for count in (2, 0):
        arguments = [a[:count] for a in ordinary(f, dtype)]
        moved = [layout(a) for a in f.lay_out(arguments, axis)]
        answer = f.raw(*moved, **({"axis": axis} if f.has_axis else {}))
        assert same_bits(np.asarray(answer), np.asarray(plainly(f, arguments, axis)))
