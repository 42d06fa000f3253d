"""Wrong: an ignored row still has the gradient of class 0."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def averaged(self, found: Array, asked: Asked, reduction: str) -> Array:
        result = super().averaged(found, asked, reduction)
        result[~asked.kept, 0] = -1
        return result


offer(globals(), Wrong())
