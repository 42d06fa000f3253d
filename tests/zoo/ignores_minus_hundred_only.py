"""Wrong: -100 is ignored whatever the option says."""

from __future__ import annotations

from _right import Array, Right, offer


class Wrong(Right):
    def kept(self, labels: Array, ignore_index: int | None) -> Array:
        return super().kept(labels, None if ignore_index is None else -100)


offer(globals(), Wrong())
