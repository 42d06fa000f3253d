"""Wrong: the gradient of the sum, also for the mean."""

from __future__ import annotations

from _right import Right, offer


class Wrong(Right):
    def divisor(self, rows: int, reduction: str) -> int:
        return 1


offer(globals(), Wrong())
