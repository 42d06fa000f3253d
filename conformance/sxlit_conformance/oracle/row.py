"""One row in balls: its special values, its softmax, and sums in the extended reals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TypeAlias

from flint import arb, fmpq

# A float is exact: a special value, or a number that needed no arithmetic. An arb is
# an enclosure that still has to prove itself narrow.
Value: TypeAlias = "arb | float"
# What a logit is weighted with: a target or a cotangent, known exactly.
Exact: TypeAlias = "fmpq | float"
NAN, INF = math.nan, math.inf


class Row:
    """One row's distinct (logit, weight) pairs with their counts, and its softmax.

    The weight is a cotangent or a target; a second derivative has a direction too.
    Equal pairs have equal results, so a long row of few distinct values costs little.
    """

    def __init__(
        self,
        logits: Sequence[float],
        weights: Sequence[Exact],
        counts: Sequence[int],
        directions: Sequence[float] = (),
    ) -> None:
        self.logits, self.weights, self.counts = logits, weights, counts
        self.directions = directions
        self.infinite = sum(
            count for x, count in zip(logits, counts, strict=True) if x == INF
        )
        self.void = all(x == -INF for x in logits)
        given = [v for v in (*weights, *directions) if isinstance(v, float)]
        self.nan = any(map(math.isnan, (*logits, *given)))
        if not self.nan and any(map(math.isinf, given)):
            raise ValueError("the contract says nothing about infinite weights")

    @cached_property
    def gaps(self) -> dict[float, arb]:
        """d = max - x of the logits above -inf."""
        top = arb(max(self.logits))
        return {x: top - arb(x) for x in self.logits if x > -INF}

    @cached_property
    def powers(self) -> dict[float, arb]:
        return {x: (-d).exp() for x, d in self.gaps.items()}

    @cached_property
    def rest(self) -> arb:
        """sum exp(-d) without one of the largest: the sum is 1 + rest."""
        pairs = zip(self.logits, self.counts, strict=True)
        return sum((n * self.powers[x] for x, n in pairs if x > -INF), arb(-1))

    @cached_property
    def norm(self) -> arb:
        return 1 + self.rest

    @cached_property
    def log_norm(self) -> arb:
        return self.rest.log1p()

    @cached_property
    def probabilities(self) -> list[Value]:
        return self._each(1.0, 0.0, lambda x: self.powers[x] / self.norm)

    @cached_property
    def logarithms(self) -> list[Value]:
        """log p = -(d + log1p(rest)): two terms of one sign."""
        return self._each(0.0, -INF, lambda x: -(self.gaps[x] + self.log_norm))

    def _each(
        self, sure: float, impossible: float, formula: Callable[[float], arb]
    ) -> list[Value]:
        """A value for each logit: the contract's where it has one."""
        if self.nan or self.void:
            return [NAN for _ in self.logits]
        if self.infinite:
            there = sure if self.infinite == 1 else NAN
            return [there if x == INF else impossible for x in self.logits]
        return [formula(x) if x > -INF else impossible for x in self.logits]

    @cached_property
    def total_weight(self) -> arb:
        return exact_sum(map(times, self.weights, self.counts))


def times(value: Exact, count: int) -> arb:
    return arb(value) * count


def exact_sum(values: Iterable[arb]) -> arb:
    return sum(values, arb(0))


def add(values: Iterable[Value]) -> Value:
    """The sum in the extended reals: opposite infinities give NaN."""
    values = list(values)
    specials = {v for v in values if isinstance(v, float) and not math.isfinite(v)}
    if not specials:
        return exact_sum(arb(v) for v in values)
    if len(specials) > 1 or any(map(math.isnan, specials)):
        return NAN
    return specials.pop()


def scale(value: Value, factor: arb) -> Value:
    """value * factor for a factor that is not zero."""
    if isinstance(value, arb) or math.isfinite(value):
        return arb(value) * factor
    return value if factor > 0 else -value
