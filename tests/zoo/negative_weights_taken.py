"""Wrong: weights below zero, infinite or NaN are taken as they are."""

from __future__ import annotations

from _right import Asked, Right, offer


class Wrong(Right):
    def check_options(self, asked: Asked) -> None:
        """Anything goes."""


offer(globals(), Wrong())
