"""Wrong: always the mean."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def reduced(self, losses: Array, reduction: str, divisor: Array) -> Array:
        return super().reduced(losses, "mean", divisor)


offer(globals(), Wrong())
