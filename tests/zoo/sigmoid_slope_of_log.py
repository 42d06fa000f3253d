"""Wrong: the slope of the sigmoid lacks the factor sigmoid(x)."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def share_slope(self, x: Array) -> Array:
        return self.share(-x)


offer(globals(), Wrong())
