"""Wrong: always the mean."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def reduced(self, losses: Array, lead: tuple[int, ...], reduction: str) -> Array:
        return super().reduced(losses, lead, "mean")


offer(globals(), Wrong())
