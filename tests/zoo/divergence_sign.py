"""Wrong: the sign of the divergence."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def ratios(self, p: Array, q: Array) -> Array:
        return -super().ratios(p, q)


offer(globals(), Wrong())
