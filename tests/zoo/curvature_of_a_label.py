"""Wrong: the Hessian of one label, whatever the targets sum to."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def bends(self, x: Array, q: Array, v: Array) -> Array:
        return super().bends(x, q / q.sum(axis=-1, keepdims=True), v)


offer(globals(), Wrong())
