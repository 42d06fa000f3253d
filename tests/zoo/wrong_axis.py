"""Wrong: always the last axis, whatever was asked."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def softmax(self, x: Array, axis: int) -> Array:
        return super().softmax(x, -1)


offer(globals(), Wrong())
