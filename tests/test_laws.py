"""Laws that hold for every function, dtype and layout, on rows chosen to break them.

Every comparison is to the bit, or within what `sxlit.bounds` allows for both sides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sxlit
from every_function import (
    DTYPES,
    EVERYWHERE,
    FUNCTIONS,
    LAYOUTS,
    OTHERS,
    WITH_CLASSES,
    Array,
    Function,
    agree,
    exact_sum,
    named,
    taking,
)
from sameness import same_bits
from strategies import arguments, distributions, logits
from sxlit import bounds

EACH = pytest.mark.parametrize("f", EVERYWHERE, ids=str)
BOTH = pytest.mark.parametrize("dtype", DTYPES)
ROWWISE = [f for f in EVERYWHERE if f.gives != "entries"]


def test_every_public_function_is_here() -> None:
    public = {n for n in sxlit.__all__ if callable(getattr(sxlit, n))}
    assert public - OTHERS == {f.name for f in FUNCTIONS}


# The surroundings leave no trace


@EACH
@BOTH
@given(data=st.data())
def test_neither_layout_nor_class_axis_leaves_a_trace(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    """To the bit, for each argument by itself laid out; and nothing is written."""
    given_ = data.draw(arguments(f, dtype))
    before = [a.copy() for a in given_]
    plain = f(*given_)
    axis = data.draw(st.sampled_from([-1, 0, 1, 2, -2]))
    layouts = st.sampled_from(list(LAYOUTS.values()))
    moved = [np.ascontiguousarray(a) for a in f.lay_out(given_, axis)]
    laid = [data.draw(layouts)(a) for a in moved]
    answer = np.asarray(f.raw(*laid, **({"axis": axis} if f.has_axis else {})))
    if f.gives == "classes":
        answer = np.moveaxis(answer, axis, -1)
    assert same_bits(answer, plain)
    assert all(map(same_bits, given_, before))
    native = (a.astype(m.dtype) for a, m in zip(laid, moved, strict=True))
    assert all(map(same_bits, native, moved))


@EACH
@BOTH
@given(data=st.data())
def test_the_error_state_outside_does_not_matter(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    """No floating-point warning or error, whatever NumPy is told to do about them."""
    given_ = data.draw(arguments(f, dtype))
    with np.errstate(all="ignore"):
        plain = f(*given_)
    with np.errstate(all="raise"):
        assert same_bits(f(*given_), plain)


@EACH
@BOTH
@given(data=st.data())
def test_a_row_does_not_know_its_batch(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    """Alone, in its batch, or in another order of rows: the same bits."""
    given_ = data.draw(arguments(f, dtype))
    flat = [a.reshape(-1, *a.shape[2:]) for a in given_]
    whole = f(*given_)
    whole = whole.reshape(-1, *whole.shape[2:])
    count = len(flat[0])
    for k in range(count):
        assert same_bits(f(*(a[k] for a in flat)), whole[k])
    order = data.draw(st.permutations(range(count)))
    assert same_bits(f(*(a[order] for a in flat)), whole[order])


# Within the bounds of both sides


def shifted(x: Array, by: float) -> tuple[Array, Array, Any]:
    """Rows x, rows x + c without rounding, and c; entries where none are become 0."""
    most = float(ml_dtypes.finfo(x.dtype).max)
    c = x.dtype.type(by if abs(by) <= most else 1e4)
    with np.errstate(over="ignore", invalid="ignore"):
        moved = x + c
        back = moved - c
    good = np.isfinite(moved) & np.isfinite(back)
    good[good] = exact_sum(moved[good], -back[good], -c) == 0
    return np.where(good, back, x.dtype.type(0)), np.where(good, moved, c), c


@pytest.mark.parametrize("f", taking("logits"), ids=str)
@BOTH
@given(data=st.data())
def test_a_shift_of_the_logits_changes_nothing(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    """Save log-sum-exp, which is shifted by as much."""
    x, *others = data.draw(arguments(f, dtype, special=False))
    x, moved, c = shifted(x, data.draw(st.sampled_from([1.0, -3.5, 1e4, 1e30, -3e38])))
    before, after = f(x, *others), f(moved, *others)
    allowed = [f.bound(x, *others), f.bound(moved, *others)]
    agree([after], [before, c] if f.name == "logsumexp" else [before], allowed)


@pytest.mark.parametrize("f", ROWWISE, ids=str)
@BOTH
@given(data=st.data())
def test_the_order_of_classes_does_not_matter(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    given_ = data.draw(arguments(f, dtype, special=False))
    classes = given_[0].shape[-1]
    order = np.array(data.draw(st.permutations(range(classes))))
    turned = []
    for kind, a in zip(f.takes, given_, strict=True):
        with_classes = a[..., order] if kind in WITH_CLASSES else a
        turned.append(np.argsort(order)[a] if kind == "labels" else with_classes)
    plain, allowed = f(*given_), f.bound(*given_)
    if f.gives == "matrices":
        plain, allowed = plain[..., order, :], allowed[..., order, :]
    if f.gives in ("classes", "matrices"):
        plain, allowed = plain[..., order], allowed[..., order]
    agree([f(*turned)], [plain], [allowed, f.bound(*turned)])


def not_too_far(x: Array) -> Array:
    """Lift what lies more than 300 below its row's maximum."""
    least = x.max(axis=-1, keepdims=True).astype(np.float64) - 300.0
    return np.maximum(x.astype(np.float64), least).astype(x.dtype)


def times(x: Array, power: int) -> Array:
    """Multiply by a power of two, exactly but for overflow and underflow."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(x.astype(np.float64), power).astype(x.dtype)


def assert_scaled(scaled: Array, plain: Array, power: int) -> None:
    """To the bit, wherever nothing overflowed or underflowed."""
    wanted = times(plain, power)
    least = np.minimum(np.abs(plain), np.abs(wanted)).astype(float)
    kept = (least >= float(ml_dtypes.finfo(plain.dtype).tiny)) & (least < np.inf)
    kept &= np.isfinite(wanted) & np.isfinite(plain)
    assert same_bits(scaled[kept], wanted[kept])


@pytest.mark.parametrize("f", taking("logits", "direction"), ids=str)
@BOTH
@given(data=st.data())
def test_a_power_of_two_passes_through_a_product(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    """To the bit, as long as nothing underflows."""
    x, *between, v = data.draw(arguments(f, dtype, special=False))
    near = not_too_far(x)
    v = np.where(np.abs(v) < x.dtype.type(1e-3), x.dtype.type(0), v)
    power = data.draw(st.integers(-8, 8))
    plain, scaled = f(near, *between, v), f(near, *between, times(v, power))
    assert_scaled(scaled, plain, power)


@pytest.mark.parametrize("f", taking("logits", "targets"), ids=str)
@BOTH
@given(data=st.data())
def test_a_power_of_two_passes_through_the_targets(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    """To the bit, as long as nothing underflows."""
    x, q, *v = data.draw(arguments(f, dtype, special=False))
    x = not_too_far(x)
    small, none = x.dtype.type(1e-3), x.dtype.type(0)
    v = [np.where(np.abs(w) < small, none, w) for w in v]
    q = np.where(np.abs(q) < small, none, q)
    power = data.draw(st.integers(-8, 8))
    plain, scaled = f(x, q, *v), f(x, times(q, power), *v)
    assert_scaled(scaled, plain, power)


DERIVATIVES = [
    *taking("logits", "labels", gives="classes"),
    *taking("logits", "targets", gives="classes"),
    named("softmax_jvp"),
    named("log_softmax_vjp"),
]


@pytest.mark.parametrize("f", DERIVATIVES, ids=str)
@BOTH
@given(data=st.data())
def test_rows_of_a_gradient_sum_to_zero(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    """A shift of the logits changes no loss."""
    given_ = data.draw(arguments(f, dtype, special=False))
    columns = np.moveaxis(f(*given_), -1, 0)
    bounds_ = np.moveaxis(f.bound(*given_), -1, 0)
    agree(list(columns), [0.0], list(bounds_))


@BOTH
@given(data=st.data())
def test_probabilities_sum_to_one(dtype: str, data: st.DataObject) -> None:
    softmax = named("softmax")
    x = data.draw(logits(dtype, special=False))
    p = softmax(x)
    agree(
        list(np.moveaxis(p, -1, 0)), [1.0], list(np.moveaxis(softmax.bound(x), -1, 0))
    )


@BOTH
@given(data=st.data())
def test_log_softmax_is_the_logits_less_logsumexp(
    dtype: str, data: st.DataObject
) -> None:
    log_softmax, logsumexp = named("log_softmax"), named("logsumexp")
    x = data.draw(logits(dtype, special=False))
    norm, norm_bound = logsumexp(x)[..., None], logsumexp.bound(x)[..., None]
    agree([x], [norm, log_softmax(x)], [norm_bound, log_softmax.bound(x)])


@BOTH
@given(data=st.data())
def test_the_jacobian_is_symmetric_and_its_rows_sum_to_zero(
    dtype: str, data: st.DataObject
) -> None:
    f = named("softmax_jacobian")
    x = data.draw(logits(dtype, special=False))
    matrix = f(x)
    assert same_bits(matrix, np.swapaxes(matrix, -1, -2))
    agree(list(np.moveaxis(matrix, -1, 0)), [0.0], list(np.moveaxis(f.bound(x), -1, 0)))


@BOTH
@given(data=st.data())
def test_the_hessian_of_a_loss_is_the_jacobian_of_softmax(
    dtype: str, data: st.DataObject
) -> None:
    hvp = named("cross_entropy_hvp", "logits", "labels", "direction")
    jvp, vjp = named("softmax_jvp"), named("softmax_vjp")
    x, labels, v = data.draw(arguments(hvp, dtype, special=False))
    assert same_bits(jvp(x, v), vjp(x, v))
    agree([hvp(x, labels, v)], [jvp(x, v)], [hvp.bound(x, labels, v), jvp.bound(x, v)])


# Information


@BOTH
@given(data=st.data())
def test_entropy_lies_between_nothing_and_all(dtype: str, data: st.DataObject) -> None:
    x = data.draw(logits(dtype, special=False))
    p = data.draw(distributions(x.shape, dtype))
    same = np.zeros(x.shape)  # log C, and how well it is known
    log_c, known = named("logsumexp")(same), named("logsumexp").bound(same)
    for f, given_ in ((named("entropy_from_logits"), x), (named("entropy"), p)):
        computed_ = f(given_)
        assert (computed_ >= 0).all()
        assert (computed_ - log_c <= f.bound(given_) + known).all()


@BOTH
@given(data=st.data())
def test_a_divergence_of_equal_sums_is_not_negative(
    dtype: str, data: st.DataObject
) -> None:
    logits_ = named("kl_divergence_from_logits")
    x, y = data.draw(arguments(logits_, dtype, special=False))
    assert (logits_(x, y) >= 0).all()
    p, q = (data.draw(distributions(x.shape, dtype)) for _ in "pq")
    assert (named("kl_divergence")(p, q) >= 0).all()


@BOTH
@given(data=st.data())
def test_cross_entropy_is_entropy_and_divergence(
    dtype: str, data: st.DataObject
) -> None:
    entropy, kl = named("entropy"), named("kl_divergence")
    cross = named("cross_entropy_of")
    p, q = data.draw(arguments(cross, dtype, special=False))
    allowed = [cross.bound(p, q), entropy.bound(p), kl.bound(p, q)]
    allowed = [np.nan_to_num(a, nan=0.0) for a in allowed]
    agree([cross(p, q)], [entropy(p), kl(p, q)], allowed)


# Two classes


@BOTH
@given(data=st.data())
def test_symmetries_of_the_sigmoid(dtype: str, data: st.DataObject) -> None:
    s, log_s = named("sigmoid"), named("log_sigmoid")
    slope, log_slope = named("sigmoid_jvp"), named("log_sigmoid_jvp")
    x, v = data.draw(arguments(slope, dtype, special=False))
    agree([s(x), s(-x)], [1.0], [s.bound(x), s.bound(-x)])
    agree([log_s(x), -x], [log_s(-x)], [log_s.bound(x), log_s.bound(-x)])
    pair = [log_slope.bound(x, v), log_slope.bound(-x, v)]
    agree([log_slope(x, v), log_slope(-x, v)], [v], pair)
    assert same_bits(slope(x, v), slope(-x, v))
    assert same_bits(slope(x, v), named("sigmoid_vjp")(x, v))
    assert same_bits(log_slope(x, v), named("log_sigmoid_vjp")(x, v))


@BOTH
@given(data=st.data())
def test_the_sigmoid_is_the_softmax_of_two(dtype: str, data: st.DataObject) -> None:
    x = data.draw(logits(dtype, special=False))
    both = np.stack([x, np.zeros_like(x)], axis=-1)
    for one, two in (("sigmoid", "softmax"), ("log_sigmoid", "log_softmax")):
        f, g = named(one), named(two)
        agree([f(x)], [g(both)[..., 0]], [f.bound(x), g.bound(both)[..., 0]])


@BOTH
@given(data=st.data())
def test_the_binary_loss_is_the_loss_of_two(dtype: str, data: st.DataObject) -> None:
    """For shares that leave an exact rest."""
    x = data.draw(logits(dtype, special=False))
    q = data.draw(distributions((*x.shape, 2), dtype))
    both, yes = np.stack([x, np.zeros_like(x)], axis=-1), q[..., 0]
    f, g = named("binary_cross_entropy"), named("cross_entropy", "logits", "targets")
    agree([f(x, yes)], [g(both, q)], [f.bound(x, yes), g.bound(both, q)])
    f = named("binary_cross_entropy_grad")
    g = named("cross_entropy_grad", "logits", "targets")
    allowed = [f.bound(x, yes), g.bound(both, q)[..., 0]]
    agree([f(x, yes)], [g(both, q)[..., 0]], allowed)


# One-hot targets


@st.composite
def options(draw: st.DrawFn, classes: int) -> dict[str, Any]:
    weights = st.lists(
        st.floats(0, 3), min_size=min(classes, 8), max_size=min(classes, 8)
    )
    weight = draw(st.one_of(st.none(), weights))
    return {
        "weight": None if weight is None else np.resize(weight, classes),
        "label_smoothing": draw(st.sampled_from([0.0, 0.1, 1 / 3, 1.0])),
        "reduction": draw(st.sampled_from(["none", "sum", "mean"])),
    }


@pytest.mark.parametrize("f", taking("logits", "labels"), ids=str)
@BOTH
@given(data=st.data())
def test_a_one_hot_distribution_is_its_label(
    f: Function, dtype: str, data: st.DataObject
) -> None:
    """To the bit, with all options."""
    x, labels, *v = data.draw(arguments(f, dtype))
    classes = x.shape[-1]
    chosen = data.draw(options(classes))
    hot = np.eye(classes)[labels].astype(x.dtype)
    with_targets = replace(f, options={})
    label = replace(f, options={}).raw(x, labels, *v, **chosen)
    assert same_bits(with_targets.raw(x, hot, *v, **chosen), label)


# Bounds


@EACH
@pytest.mark.parametrize("grade", ["standard", "hra"])
@given(data=st.data())
def test_a_coarser_arithmetic_is_never_allowed_less(
    f: Function, grade: str, data: st.DataObject
) -> None:
    given_ = data.draw(arguments(f, "float32", special=False))
    fine = bounds.Numerics.required(data.draw(st.sampled_from(DTYPES)))
    part = data.draw(
        st.sampled_from(
            ["unit", "accumulate", "store", "exp", "log", "log1p", "height"]
        )
    )
    more = data.draw(st.floats(1, 64))
    coarse = replace(fine, **{part: getattr(fine, part) * more})
    least = f.bound(*given_, numerics=fine, grade=grade)
    most = f.bound(*given_, numerics=coarse, grade=grade)
    kept = np.isfinite(least)
    assert (most[kept] >= least[kept]).all()
