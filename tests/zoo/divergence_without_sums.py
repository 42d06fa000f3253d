"""Wrong: p log(p/q) - p + q is summed, and the sums of p and q are not put back."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def ratios(self, p: Array, q: Array) -> Array:
        return super().ratios(p, q) - p + q


offer(globals(), Wrong())
