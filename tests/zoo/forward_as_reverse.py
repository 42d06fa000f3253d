"""Wrong: the forward derivative of log-softmax is its transpose."""

from __future__ import annotations

from _right import Array, Right, back, offer, rows


class Wrong(Right):
    def log_softmax_jvp(self, x: Array, v: Array, axis: int) -> Array:
        p, along = self.shares(rows(x, axis)), rows(v, axis)
        return back(along - p * along.sum(axis=-1, keepdims=True), x, axis)


offer(globals(), Wrong())
