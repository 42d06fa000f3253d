"""Wrong: ignore_index is dropped in silence where there are no labels."""

from __future__ import annotations

from _right import Asked, Right, offer


class Wrong(Right):
    def check_options(self, asked: Asked) -> None:
        asked.ignore_index = None
        super().check_options(asked)


offer(globals(), Wrong())
