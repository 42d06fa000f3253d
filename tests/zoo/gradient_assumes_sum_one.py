"""Wrong: p - q, as if every q summed to one."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def slopes(self, x: Array, q: Array) -> Array:
        return self.shares(x) - q


offer(globals(), Wrong())
