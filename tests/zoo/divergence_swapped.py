"""Wrong: the mean is taken over the second distribution."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def ratios(self, p: Array, q: Array) -> Array:
        return super().ratios(q, p)


offer(globals(), Wrong())
