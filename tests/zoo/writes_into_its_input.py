"""Wrong: shifts the logits in place, in the caller's memory."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def softmax(self, x: Array, axis: int) -> Array:
        x -= x.max(axis=axis, keepdims=True)
        return super().softmax(x, axis)


offer(globals(), Wrong())
