"""Wrong: the Hessian's diagonal part alone, p v."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def bends(self, x: Array, q: Array, v: Array) -> Array:
        return q.sum(axis=-1, keepdims=True) * self.shares(x) * v


offer(globals(), Wrong())
