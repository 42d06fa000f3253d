"""Wrong: the binary mean divides by the total weight."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def answer_divisor(self, x: Array, weight: Array) -> Array:
        total = (weight + 0 * x).sum()
        return total if total else super().answer_divisor(x, weight)


offer(globals(), Wrong())
